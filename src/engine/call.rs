//! One call: a tool, its arguments, and the options that hold for this call alone.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::error::Error;
use crate::format::Access;
use crate::paging::DEFAULT_MAX_PAGES;
use crate::plan::Files;
use crate::send::{Event, Limit, SendError};
use crate::tool::Tool;

/// One call of a tool: its arguments, and the options that hold for this call alone.
///
/// By default a call runs only tools that read, sends no local file and has no limits of its own.
///
/// ```
/// use std::time::{Duration, Instant};
/// use serde_json::json;
/// use toolrun::{Access, Call, Catalog};
///
/// let tool = Catalog::builtin().tool("delete-invite")?;
/// let call = Call::new(&tool, json!({ "invite_id": "invite_1" }))
///     .consent(Access::Destructive)
///     .deadline(Duration::from_secs(20), Instant::now())
///     .caller("nightly clean-up");
/// # let _ = call;
/// # Ok::<(), toolrun::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a call does nothing until an engine runs it"]
pub struct Call {
    pub(super) tool: Arc<Tool>,
    pub(super) arguments: Value,
    pub(super) options: Options,
}

/// A function that is told what happens on the wire.
type Observe = Arc<dyn Fn(&CallInfo, Event) + Send + Sync>;

/// The options of one call.
#[derive(Clone)]
pub(crate) struct Options {
    /// The most that the tool may do.
    pub consent: Access,
    /// Which local files may be read and sent.
    pub files: Files,
    /// Whether to wait for the job that the call creates.
    pub waits: bool,
    /// Limits each request, with its retries.
    pub timeout: Option<Duration>,
    /// When the whole call must have ended.
    pub deadline: Option<Deadline>,
    /// The most pages to read.
    pub max_pages: u64,
    /// The most items to read.
    pub max_items: Option<u64>,
    /// The idempotency key of its first request, where the tool's requests carry one.
    pub idempotency_key: Option<String>,
    observe: Option<Observe>,
    id: Option<String>,
    caller: Option<String>,
}

/// Which call an event belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallInfo {
    /// The call's id: the given one, else a random one.
    pub id: String,
    /// The tool, such as `anthropic-admin/list-workspaces`.
    pub tool: String,
    /// The caller, if one was given.
    pub caller: Option<String>,
}

/// When the whole call must have ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    pub at: Instant,
    within: Duration,
}

/// How long after the deadline the projections of what was read by then may take. Rows that were read are given; only
/// work without end is not.
const PROJECTING: Duration = Duration::from_secs(5);

impl Deadline {
    /// When the projections of what was read must have ended.
    pub(super) fn of_projections(self) -> Deadline {
        let at = self.at.checked_add(PROJECTING).unwrap_or(self.at);
        Deadline { at, ..self }
    }

    pub(crate) fn error(self) -> Error {
        SendError::Timeout {
            within: self.within,
            limit: Limit::Deadline,
        }
        .into()
    }
}

impl Call {
    /// A call of a tool with these arguments, a JSON object.
    pub fn new(tool: &Arc<Tool>, arguments: Value) -> Call {
        Call {
            tool: Arc::clone(tool),
            arguments,
            options: Options::default(),
        }
    }

    /// Allows the tool to do anything up to this access. Without it, only tools that read run.
    pub fn consent(mut self, access: Access) -> Call {
        self.options.consent = access;
        self
    }

    /// Allows the call to read and send local files that an argument names, if the tool's body says `file`.
    pub fn files(mut self, files: Files) -> Call {
        self.options.files = files;
        self
    }

    /// Gives up each request, with its retries, after this time.
    pub fn timeout(mut self, timeout: Duration) -> Call {
        self.options.timeout = Some(timeout);
        self
    }

    /// Gives up the whole call when the time `within` has passed since `since`. It covers every request with its
    /// retries, the programs that print secrets, all pages and the wait for a job. What was read by then is still
    /// projected, for five seconds at most. A time too long to be counted is no limit.
    pub fn deadline(mut self, within: Duration, since: Instant) -> Call {
        let at = since.checked_add(within);
        self.options.deadline = at.map(|at| Deadline { at, within });
        self
    }

    /// Reads at most so many pages; without it, 10,000.
    pub fn max_pages(mut self, pages: u64) -> Call {
        self.options.max_pages = pages;
        self
    }

    /// Reads at most so many items.
    pub fn max_items(mut self, items: u64) -> Call {
        self.options.max_items = Some(items);
        self
    }

    /// Sends this idempotency key, if the tool's requests carry one, in place of a random one: the same key for a call that
    /// is made again after nobody knows how it ended. It must be a valid value of a header field. A second page of a list
    /// is another request, and gets a random key.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Call {
        self.options.idempotency_key = Some(key.into());
        self
    }

    /// Does not wait for the job that the call creates, but gives the first response.
    pub fn without_waiting(mut self) -> Call {
        self.options.waits = false;
        self
    }

    /// Calls `observer` with what happens on the wire. Events never hold a secret. The observer is called during the
    /// work and must not block.
    pub fn observer(mut self, observer: impl Fn(&CallInfo, Event) + Send + Sync + 'static) -> Call {
        self.options.observe = Some(Arc::new(observer));
        self
    }

    /// Names the call, for its observer.
    pub fn id(mut self, id: impl Into<String>) -> Call {
        self.options.id = Some(id.into());
        self
    }

    /// Names who calls, for the observer.
    pub fn caller(mut self, caller: impl Into<String>) -> Call {
        self.options.caller = Some(caller.into());
        self
    }
}

impl Default for Options {
    fn default() -> Options {
        Options {
            consent: Access::Read,
            files: Files::Denied,
            waits: true,
            timeout: None,
            deadline: None,
            max_pages: DEFAULT_MAX_PAGES,
            max_items: None,
            idempotency_key: None,
            observe: None,
            id: None,
            caller: None,
        }
    }
}

impl Options {
    /// The call's observer, which gets the call's id and caller with each event.
    pub(crate) fn watcher(&self, tool: &Tool) -> Option<Watcher> {
        let observe = Arc::clone(self.observe.as_ref()?);
        let info = CallInfo {
            id: self
                .id
                .clone()
                .unwrap_or_else(|| uuid::Uuid::new_v4().to_string()),
            tool: tool.qualified_name(),
            caller: self.caller.clone(),
        };
        Some(Arc::new(move |event| observe(&info, event)))
    }
}

/// The observer of one call.
pub(crate) type Watcher = Arc<dyn Fn(Event) + Send + Sync>;

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("consent", &self.consent)
            .field("files", &self.files)
            .field("waits", &self.waits)
            .field("timeout", &self.timeout)
            .field("deadline", &self.deadline)
            .field("max_pages", &self.max_pages)
            .field("max_items", &self.max_items)
            .field("idempotency_key", &self.idempotency_key)
            .field("id", &self.id)
            .field("caller", &self.caller)
            .finish_non_exhaustive()
    }
}
