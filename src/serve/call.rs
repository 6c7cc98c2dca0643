//! One call: through the gate, to the service, and back as a result. Whatever happens, it ends: a panic, a hang and a
//! cancellation too.

use std::convert::Infallible;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::{Duration, Instant};

use rmcp::model::{
    CallToolResponse, CallToolResult, ContentBlock, ProgressNotificationParam, ProgressToken,
    Resource,
};
use rmcp::{Peer, RoleServer};
use serde_json::{Map, Value, json};
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::approval::Grant;
use super::ask::{Client, Consent};
use super::data::{self, Changed};
use super::gate::{Caller, Decision};
use super::metrics::Trace;
use super::observe::{Ending, Finished};
use super::options::Wanted;
use super::record::Sight;
use super::result::{self, Given, Shaped};
use super::set::Served;
use super::teach::{self, Lesson};
use super::twin;
use crate::engine::error::Error;
use crate::engine::{Call, Gathered, Note};
use crate::format::Access;
use crate::json::Json;

/// How long the deadline of a call may be overrun before it is given up from outside.
const GRACE: Duration = Duration::from_secs(2);
/// How often a client is told that a call goes on.
const TICK: Duration = Duration::from_secs(2);
/// Least time between two notes of progress.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a call waits for its turn when many others run.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// A call to carry out.
pub(super) struct Job {
    pub shared: Arc<Shared>,
    pub caller: Caller,
    /// The calls of the caller that may run at once; as many as the server runs, if `None`.
    pub turns: Option<Arc<Semaphore>>,
    /// The trace that the call is part of.
    pub trace: Trace,
    pub served: Arc<Served>,
    pub arguments: Map<String, Value>,
    /// Whether the tool is called by another one, so that the next call goes through that too.
    pub is_found: bool,
    pub progress: Option<(ProgressToken, Peer<RoleServer>)>,
    pub cancelled: CancellationToken,
    /// What the client can do about a question.
    pub client: Client,
    /// The call's id in the audit log, once it is written there, and what is seen of its requests.
    pub id: OnceLock<String>,
    pub sight: Arc<Sight>,
}

/// A call that the gate lets through.
struct Ready {
    access: Access,
    arguments: Map<String, Value>,
    wanted: Wanted,
    started: Instant,
}

impl Ready {
    fn new(
        access: Access,
        arguments: Map<String, Value>,
        wanted: Wanted,
        started: Instant,
    ) -> Ready {
        Ready {
            access,
            arguments,
            wanted,
            started,
        }
    }
}

/// What was read so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Seen {
    pages: u64,
    rows: u64,
}

impl Job {
    /// Carries out the call. `None` if the client has cancelled it.
    pub(super) async fn run(self) -> Option<CallToolResponse> {
        let started = Instant::now();
        if let Some(audit) = &self.shared.audit
            && audit.ready().await.is_err()
        {
            return Some(teach::of_audit(false).result().into());
        }
        let _in_flight = self.shared.metrics.begin();
        // What the call says about its result is nothing that a policy decides about.
        let mut arguments = self.arguments.clone();
        let wanted = self.served.options.take(&mut arguments);
        let gate = self.shared.gate();
        let decision = gate.decide(&self.caller, &self.served.tool, &arguments);
        let mut approval = None;
        let (result, ending) = match (&decision, wanted) {
            (Decision::Refuse(reason), _) => {
                ended((Some(teach::of_refusal(reason).result()), Ending::Refused))
            }
            (_, Err((name, rule))) => ended(failed(super::meta::wrong(&name, &rule))),
            (Decision::Invalid(problems), _) => {
                let lesson = teach::of_arguments(&self.served.definition.name, problems);
                ended(failed(lesson))
            }
            (Decision::Ask(access, reason), Ok(wanted)) => {
                match self.ask(&gate, reason, *access, &arguments).await {
                    Consent::Given(grant) => {
                        approval = Some(grant.approval.clone());
                        // The person's time is not the call's.
                        let ready = Ready::new(*access, arguments, wanted, Instant::now());
                        ended(self.carry_out(ready, &decision, Some(&grant)).await)
                    }
                    Consent::Open(question) => (Some(*question), Ending::Waits),
                    Consent::Waits(lesson) => ended((Some(lesson.result()), Ending::Waits)),
                    Consent::Refused(lesson) if lesson.kind == "policy" => {
                        ended((Some(lesson.result()), Ending::Refused))
                    }
                    Consent::Refused(lesson) => ended(failed(lesson)),
                    Consent::Cancelled => (None, Ending::Cancelled),
                }
            }
            (Decision::Allow(access, _), Ok(wanted)) => {
                let ready = Ready::new(*access, arguments, wanted, started);
                ended(self.carry_out(ready, &decision, None).await)
            }
        };
        let finished = Finished {
            caller: self.caller.clone(),
            tool: self.served.tool.qualified_name(),
            arguments: self.arguments.keys().cloned().collect(),
            decision,
            approval,
            ending,
            took: started.elapsed(),
        };
        self.shared.metrics.count(&finished, &self.trace);
        self.shared.observer.tell(&finished);
        match self.trail().record(&finished, gate.policy()).await {
            Ok(()) => result,
            // Nobody gets the answer to a cancelled call.
            Err(_) if result.is_none() => None,
            Err(lesson) => Some(lesson.result().into()),
        }
    }

    async fn carry_out(
        &self,
        ready: Ready,
        decision: &Decision,
        grant: Option<&Grant>,
    ) -> (Option<CallToolResult>, Ending) {
        let own = self.turns.as_ref().map(|turns| turns.try_acquire());
        let Ok(_own) = own.transpose() else {
            let lesson = Lesson::new("busy", "as many of your calls run as may at once")
                .advise("wait until one of them has ended, then call again")
                .retry(true, Some(2));
            return failed(lesson);
        };
        let Some(_turn) = self.turn().await else {
            let lesson = Lesson::new("busy", "too many calls run at once")
                .advise("wait, then call again")
                .retry(true, Some(2));
            return failed(lesson);
        };
        // Only now, so that an approval is not lost with a call that got no turn.
        if let Some(grant) = grant
            && let Err(lesson) = self.redeem(grant).await
        {
            return failed(lesson);
        }
        if ready.access != Access::Read
            && let Err(lesson) = self.trail().announce(decision, grant).await
        {
            return failed(lesson);
        }
        let (seen, watcher) = watch::channel(Seen::default());
        let wanted = ready.wanted.clone();
        let work = Work {
            shared: Arc::clone(&self.shared),
            served: Arc::clone(&self.served),
            caller: self.caller.clone(),
            sight: Arc::clone(&self.sight),
            ready,
            seen,
        };
        let fetched = match self.wait(work.fetch(), watcher).await {
            Waited::Cancelled => return (None, Ending::Cancelled),
            Waited::Done(fetched) => fetched,
        };
        match fetched {
            Err(lesson) => failed(lesson),
            Ok(fetched) => self.finish(&wanted, &fetched),
        }
    }

    /// The turn of the call among all calls, if it comes in time.
    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        let running = &self.shared.running;
        match running.try_acquire() {
            Ok(turn) => Some(turn),
            Err(_) => tokio::time::timeout(PATIENCE, running.acquire())
                .await
                .ok()?
                .ok(),
        }
    }

    /// Waits for the work, tells the client how it goes, and gives up when the client does or the time is over. Then the
    /// request to the service ends too.
    async fn wait(
        &self,
        work: impl Future<Output = Result<Fetched, Lesson>>,
        seen: watch::Receiver<Seen>,
    ) -> Waited {
        let deadline = self.shared.limits.deadline;
        tokio::select! {
            biased;
            done = unless_it_panics(work) => Waited::Done(done.unwrap_or_else(|| Err(broken()))),
            () = self.cancelled.cancelled() => Waited::Cancelled,
            () = tokio::time::sleep(deadline + GRACE) => Waited::Done(Err(late(deadline))),
            never = self.tell_of(seen) => match never {},
        }
    }

    /// Tells the client how the work goes, for as long as it does.
    async fn tell_of(&self, mut seen: watch::Receiver<Seen>) -> Infallible {
        if self.progress.is_none() {
            return std::future::pending().await;
        }
        let mut tick = tokio::time::interval_at(tokio::time::Instant::now() + TICK, TICK);
        let (mut told, mut is_open) = (0.0, true);
        loop {
            told += 1.0;
            tokio::select! {
                biased;
                changed = seen.changed(), if is_open => match changed {
                    Ok(()) => {
                        let now = *seen.borrow_and_update();
                        self.tell(told, format!("read {} pages, {} rows", now.pages, now.rows)).await;
                        tokio::time::sleep(PAUSE).await;
                    }
                    Err(_) => is_open = false,
                },
                _ = tick.tick() => self.tell(told, "still working".to_owned()).await,
            }
        }
    }

    async fn tell(&self, progress: f64, message: String) {
        if let Some((token, peer)) = &self.progress {
            let note =
                ProgressNotificationParam::new(token.clone(), progress).with_message(message);
            // A client that does not listen misses only this.
            let _ = peer.notify_progress(note).await;
        }
    }

    /// Makes the result of what was fetched.
    fn finish(&self, wanted: &Wanted, fetched: &Fetched) -> (Option<CallToolResult>, Ending) {
        let served = &self.served;
        let limits = &self.shared.limits;
        let shaped = result::shape(&Given {
            definition: &served.definition,
            options: &served.options,
            wanted,
            arguments: &self.arguments,
            via: self.is_found.then_some(served.definition.name.as_str()),
            output: &fetched.output,
            note: fetched.note.as_ref(),
            columns: &|| served.tool.projection.columns(),
            most: limits.result_bytes,
        });
        let shaped = match shaped {
            Ok(shaped) => shaped,
            Err(unknown) => {
                let lesson = Lesson::new("usage", unknown.to_string())
                    .advise("correct `columns` and call again")
                    .retry(false, None);
                return failed(lesson);
            }
        };
        let uri = match shaped.is_cut {
            true => self.shared.shelf.keep(
                &self.caller,
                &fetched.output,
                served.definition.root,
                shaped.rows_key.as_deref(),
            ),
            false => None,
        };
        let ending = Ending::Done {
            bytes: shaped.text.len(),
            rows: shaped.rows,
        };
        match written(served, shaped, uri) {
            Ok(result) => (Some(result), ending),
            Err(lesson) => failed(lesson),
        }
    }
}

/// Does some work. `None` if it panics: then only this call fails.
async fn unless_it_panics<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|context| {
        // What it was at is dropped, and nobody looks at it again.
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        match polled {
            Ok(polled) => polled.map(Some),
            Err(_) => Poll::Ready(None),
        }
    })
    .await
}

enum Waited {
    Done(Result<Fetched, Lesson>),
    Cancelled,
}

fn ended((result, ending): (Option<CallToolResult>, Ending)) -> (Option<CallToolResponse>, Ending) {
    (result.map(CallToolResponse::from), ending)
}

fn failed(lesson: Lesson) -> (Option<CallToolResult>, Ending) {
    let ending = Ending::Failed {
        kind: lesson.kind.clone(),
        status: lesson.status,
    };
    (Some(lesson.result()), ending)
}

/// The result as the protocol has it: text and structure, and a link to what did not fit.
fn written(served: &Served, shaped: Shaped, uri: Option<String>) -> Result<CallToolResult, Lesson> {
    // Whoever reads JSON into a tree may have a bound of depth; this text has been checked, and was written by us.
    let structure = || {
        let text = shaped.table.as_ref().unwrap_or(&shaped.text).clone();
        data::value(Json::made(text.into()).part(), &mut Changed::default())
    };
    if served.has_output_schema() {
        let structured = structure();
        if let Err(reason) = served.conforms(&structured) {
            let lesson = Lesson::new(
                "response",
                format!("the output is not as the tool's schema says: {reason}"),
            )
            .advise("tell the user; `output` has what the service gave")
            .retry(false, None);
            return Err(lesson.fact("output", structured));
        }
    }
    let structured = match shaped.table {
        None => twin::mark(),
        Some(_) => structure(),
    };
    let mut content = vec![ContentBlock::text(shaped.text)];
    if let Some(uri) = uri {
        let link = Resource::new(uri, "the whole result")
            .with_description("Can be read in parts: each says where the next one is.")
            .with_mime_type("application/json");
        content.push(ContentBlock::resource_link(link));
    }
    let mut result = CallToolResult::success(content);
    result.structured_content = Some(structured);
    Ok(result)
}

pub(super) fn broken() -> Lesson {
    Lesson::new("internal", "the server made a mistake in this call")
        .advise("tell the user; another call may work")
        .retry(false, None)
}

fn late(within: Duration) -> Lesson {
    let within = crate::words::seconds(within);
    Lesson::new("network", format!("the call did not end within {within}"))
        .advise("ask for less at once, or try again later")
        .retry(true, Some(5))
}

/// What a call gave.
struct Fetched {
    output: Json,
    note: Option<Note>,
}

/// The part of a call that speaks to the service.
struct Work {
    shared: Arc<Shared>,
    served: Arc<Served>,
    caller: Caller,
    sight: Arc<Sight>,
    ready: Ready,
    seen: watch::Sender<Seen>,
}

impl Work {
    async fn fetch(self) -> Result<Fetched, Lesson> {
        let name = self.served.definition.name.clone();
        let fetched = match self.ready.wanted.max_rows {
            Some(rows) => self.walk(rows).await,
            None => self.page().await,
        };
        fetched.map_err(|error| teach::of_error(&name, &error))
    }

    fn call(&self) -> Call {
        let deadline = self.shared.limits.deadline;
        let arguments = Value::Object(self.ready.arguments.clone());
        let call = Call::new(&self.served.tool, arguments)
            .consent(self.ready.access)
            .caller(self.caller.name.clone())
            .deadline(deadline, self.ready.started);
        match &self.shared.audit {
            Some(_) => self.sight.watch(&self.served.tool, call),
            None => call,
        }
    }

    async fn page(&self) -> Result<Fetched, Error> {
        let engine = self.shared.backends.engine(&self.served.tool).await?;
        let page = engine.page(self.call()).await?;
        Ok(Fetched {
            output: page.output()?,
            note: page.more,
        })
    }

    /// Follows the pages. What was read before an error is given, and the error with it.
    async fn walk(&self, rows: u64) -> Result<Fetched, Error> {
        let engine = self.shared.backends.engine(&self.served.tool).await?;
        let mut pages = engine.pages(self.call().max_items(rows))?;
        let mut all = Gathered::default();
        loop {
            let page = match pages.next().await {
                Ok(Some(page)) => page,
                Ok(None) => break,
                Err(error) if pages.count() == 0 => return Err(error),
                // The note says what happened.
                Err(_) => break,
            };
            self.seen.send_replace(Seen {
                pages: pages.count(),
                rows: pages.items(),
            });
            match pages.output(&page) {
                Ok(output) => all.add(page, output),
                Err(error) if pages.count() == 0 => return Err(error),
                Err(_) => break,
            }
        }
        let output = all.output()?.unwrap_or_else(|| Json::of(&json!([])));
        Ok(Fetched {
            output,
            note: pages.note().cloned(),
        })
    }
}
