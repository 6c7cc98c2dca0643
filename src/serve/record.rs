//! What a call leaves in the audit log, and what is seen of its requests.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde_json::{Map, Value};

use super::Shared;
use super::approval::{Grant, new_id};
use super::audit::{Audit, Entry, Event, Outcome};
use super::call::Job;
use super::gate::{Caller, Decision};
use super::observe::{Ending, Finished};
use super::set::Served;
use super::teach::{self, Lesson};
use crate::engine::Call;
use crate::format::Access;
use crate::policy::Policy;
use crate::send::Event as Sent;
use crate::tool::Tool;
use crate::words::visible;

/// The longest text of somebody else's that is recorded, in characters.
const MOST: usize = 200;

/// What is seen of the requests of a call.
#[derive(Debug, Default)]
pub(super) struct Sight(Mutex<Seen>);

#[derive(Debug, Clone, Default)]
struct Seen {
    requests: u32,
    status: Option<u16>,
    request_id: Option<String>,
}

impl Sight {
    /// Watches a call.
    pub(super) fn watch(self: &Arc<Sight>, tool: &Tool, call: Call) -> Call {
        let sight = Arc::clone(self);
        let header = tool.service.errors.request_id_header().map(str::to_owned);
        call.observer(move |_, event| {
            let mut seen = sight.0.lock().unwrap_or_else(PoisonError::into_inner);
            match event {
                Sent::Request { .. } => {
                    seen.requests += 1;
                    (seen.status, seen.request_id) = (None, None);
                }
                Sent::Response {
                    status, headers, ..
                } => {
                    seen.status = Some(status);
                    let is_it = |(name, _): &&(String, String)| {
                        header
                            .as_deref()
                            .is_some_and(|own| name.eq_ignore_ascii_case(own))
                    };
                    seen.request_id = headers.iter().find(is_it).map(|(_, id)| short(id));
                }
                _ => {}
            }
        })
    }

    fn seen(&self) -> Seen {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// A call, as the log knows it.
pub(super) struct Trail<'t> {
    pub shared: &'t Shared,
    pub id: &'t OnceLock<String>,
    pub caller: &'t Caller,
    pub served: &'t Served,
    pub arguments: &'t Map<String, Value>,
    pub sight: &'t Sight,
}

impl Job {
    pub(super) fn trail(&self) -> Trail<'_> {
        Trail {
            shared: &self.shared,
            id: &self.id,
            caller: &self.caller,
            served: &self.served,
            arguments: &self.arguments,
            sight: &self.sight,
        }
    }
}

impl Trail<'_> {
    /// Writes that a call which changes something is about to be sent.
    ///
    /// # Errors
    /// When that cannot be written; then nothing is to be sent.
    pub(super) async fn announce(
        &self,
        decision: &Decision,
        grant: Option<&Grant>,
    ) -> Result<(), Lesson> {
        let Some(audit) = &self.shared.audit else {
            return Ok(());
        };
        let gate = self.shared.gate();
        let mut entry = self.entry(audit, decision, gate.policy());
        entry.approval = grant.map(|grant| grant.approval.clone());
        let written = audit.write(Event::Begin(Box::new(entry)), true).await;
        written.map_err(|_| teach::of_audit(false))
    }

    /// Writes how a call has ended.
    ///
    /// # Errors
    /// When that cannot be written; then the result is not to be given.
    pub(super) async fn record(
        &self,
        finished: &Finished,
        policy: Option<&Policy>,
    ) -> Result<(), Lesson> {
        let Some(audit) = &self.shared.audit else {
            return Ok(());
        };
        let mut entry = self.entry(audit, &finished.decision, policy);
        entry.approval.clone_from(&finished.approval);
        let seen = self.sight.seen();
        let ran = seen.requests > 0;
        let mut outcome = Outcome {
            outcome: word(&finished.ending),
            requests: seen.requests,
            status: seen.status,
            request_id: seen.request_id,
            ms: finished.took.as_millis() as u64,
            ..Outcome::default()
        };
        match &finished.ending {
            Ending::Done { bytes, rows } => {
                (outcome.bytes, outcome.rows) = (Some(*bytes), *rows);
            }
            Ending::Failed { kind, status } => {
                outcome.kind = Some(kind.clone());
                outcome.status = outcome.status.or(*status);
            }
            Ending::Refused | Ending::Waits | Ending::Cancelled => {}
        }
        entry.outcome = Some(outcome);
        let lasts = ran && self.served.tool.access != Access::Read;
        let written = audit.write(Event::Call(Box::new(entry)), lasts).await;
        written.map_err(|_| teach::of_audit(ran))
    }

    fn entry(&self, audit: &Audit, decision: &Decision, policy: Option<&Policy>) -> Entry {
        let tool = &self.served.tool;
        let mut entry = Entry {
            id: self.id.get_or_init(new_id).clone(),
            caller: short(&self.caller.name),
            tool: Some(tool.qualified_name()),
            access: Some(tool.access.to_string()),
            decision: decision.word(),
            rule: decision.reason().map(|reason| reason.rule.clone()),
            policy: policy.map(|policy| policy.version().to_owned()),
            ..Entry::default()
        };
        let options = self.served.options.names();
        audit.arguments(&mut entry, self.arguments, |name| {
            tool.params.get(name).is_some() || options.contains(&Some(name))
        });
        entry
    }
}

impl Shared {
    /// Writes that a call has ended which no tool of a service carries out. A tool that there is not is not named: its name
    /// is a text of the caller's.
    ///
    /// # Errors
    /// When that cannot be written.
    pub(super) async fn note(
        &self,
        caller: &Caller,
        tool: Option<&str>,
        arguments: &Map<String, Value>,
        decision: &'static str,
    ) -> Result<(), Lesson> {
        let Some(audit) = &self.audit else {
            return Ok(());
        };
        let mut entry = Entry {
            id: new_id(),
            caller: short(&caller.name),
            tool: tool.map(str::to_owned),
            decision,
            ..Entry::default()
        };
        const OWN: [&str; 9] = [
            "query",
            "service",
            "limit",
            "tool",
            "arguments",
            "columns",
            "format",
            "skip_rows",
            "max_rows",
        ];
        audit.arguments(&mut entry, arguments, |name| {
            tool.is_some() && OWN.contains(&name)
        });
        // The values that are asked for are those of other tools.
        entry.values.clear();
        entry.outcome = Some(Outcome {
            outcome: match decision {
                "allow" => "done",
                _ => "failed",
            },
            ..Outcome::default()
        });
        let written = audit.write(Event::Call(Box::new(entry)), false).await;
        written.map_err(|_| teach::of_audit(false))
    }
}

fn word(ending: &Ending) -> &'static str {
    match ending {
        Ending::Done { .. } => "done",
        Ending::Failed { .. } => "failed",
        Ending::Refused => "refused",
        Ending::Waits => "waits",
        Ending::Cancelled => "cancelled",
    }
}

/// A text of somebody else's: not too long, and without hidden characters.
fn short(text: &str) -> String {
    visible(text).chars().take(MOST).collect()
}
