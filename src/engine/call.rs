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

/// One call of a tool: its arguments, and what holds for this call alone.
///
/// Without further words a call runs tools that only read, sends no local file and has no limits of its own.
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

/// Who is told what happens on the wire.
type Observe = Arc<dyn Fn(&CallInfo, Event) + Send + Sync>;

/// What holds for one call alone.
#[derive(Clone)]
pub(crate) struct Options {
    /// The most that the tool may do.
    pub consent: Access,
    /// Which local files may be read and sent.
    pub files: Files,
    /// Whether the job that the call creates is waited for.
    pub waits: bool,
    /// Limits each request, with its retries.
    pub timeout: Option<Duration>,
    /// When everything must be done.
    pub deadline: Option<Deadline>,
    /// Pages at the most.
    pub max_pages: u64,
    /// Items at the most.
    pub max_items: Option<u64>,
    observe: Option<Observe>,
    id: Option<String>,
    caller: Option<String>,
}

/// Which call an event belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallInfo {
    /// The call's id: the one that was given, or else a random one.
    pub id: String,
    /// The tool, such as `anthropic-admin/list-workspaces`.
    pub tool: String,
    /// Who calls, where that was given.
    pub caller: Option<String>,
}

/// When everything must be done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    pub at: Instant,
    within: Duration,
}

impl Deadline {
    pub fn error(self) -> Error {
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

    /// Consents to what a tool may do, up to this access. Without it, only tools that read run.
    pub fn consent(mut self, access: Access) -> Call {
        self.options.consent = access;
        self
    }

    /// Allows to read and send local files, where the tool's body says `file` and an argument names one.
    pub fn files(mut self, files: Files) -> Call {
        self.options.files = files;
        self
    }

    /// Gives up each request, with its retries, after this time.
    pub fn timeout(mut self, timeout: Duration) -> Call {
        self.options.timeout = Some(timeout);
        self
    }

    /// Gives up the whole call `within` this time, counted from `since`: every request with its retries, the programs
    /// that print secrets, all pages and the waiting for a job. A time too long to be counted is no limit.
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

    /// Gives the first response of a call that creates a job, and does not wait for the job.
    pub fn without_waiting(mut self) -> Call {
        self.options.waits = false;
        self
    }

    /// Tells `observer` what happens on the wire. Events never carry a secret. The observer is called in the middle of
    /// the work, and must not block.
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
            observe: None,
            id: None,
            caller: None,
        }
    }
}

impl Options {
    /// The call's observer, who is told with each event which call it belongs to.
    pub fn watcher(&self, tool: &Tool) -> Option<Watcher> {
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
            .field("id", &self.id)
            .field("caller", &self.caller)
            .finish_non_exhaustive()
    }
}
