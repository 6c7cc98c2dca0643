//! What is known about a call that has ended: for logs, audit and metrics. It has names and sizes, and no value of an argument.

use std::sync::Arc;
use std::time::Duration;

use super::approval::Approval;
use super::gate::{Caller, Decision};

/// A call that has ended.
#[derive(Debug, Clone)]
pub(crate) struct Finished {
    /// Who called.
    pub caller: Caller,
    /// The tool, such as `anthropic-admin/list-workspaces`.
    pub tool: String,
    /// The names of the arguments.
    pub arguments: Vec<String>,
    /// What the gate said.
    pub decision: Decision,
    /// The approval that it had.
    pub approval: Option<Approval>,
    /// How it ended.
    pub ending: Ending,
    /// How long it took.
    pub took: Duration,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With a result of this many bytes and rows; rows of a list alone.
    Done { bytes: usize, rows: Option<u64> },
    /// With an error of this kind, and the service's status if it answered.
    Failed { kind: String, status: Option<u16> },
    /// The gate refused it.
    Refused,
    /// A person has to approve it first.
    Waits,
    /// The client gave it up.
    Cancelled,
}

/// Is told of each call that has ended.
#[derive(Clone)]
pub(crate) struct Observer(Arc<dyn Fn(&Finished) + Send + Sync>);

impl Observer {
    /// Calls `observe`, which must not block.
    pub(crate) fn new(observe: impl Fn(&Finished) + Send + Sync + 'static) -> Observer {
        Observer(Arc::new(observe))
    }

    pub(super) fn tell(&self, finished: &Finished) {
        (self.0)(finished);
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let millis = self.took.as_millis();
        let (caller, arguments) = (&self.caller.name, self.arguments.join(", "));
        write!(f, "{caller} called {}({arguments})", self.tool)?;
        if let Some(Approval { id, by }) = &self.approval {
            write!(f, " with approval {id} by {by}")?;
        }
        match &self.ending {
            Ending::Done { bytes, rows } => {
                if let Some(rows) = rows {
                    write!(f, ": {rows} rows,")?;
                } else {
                    write!(f, ":")?;
                }
                write!(f, " {bytes} bytes in {millis} ms")
            }
            Ending::Failed { kind, status } => {
                write!(f, ": failed ({kind}")?;
                if let Some(status) = status {
                    write!(f, ", status {status}")?;
                }
                write!(f, ") in {millis} ms")
            }
            Ending::Refused => match self.decision.reason() {
                Some(reason) => write!(f, ": refused, {}", reason.why),
                None => write!(f, ": refused"),
            },
            Ending::Waits => write!(f, ": waits until a person approves it"),
            Ending::Cancelled => write!(f, ": cancelled after {millis} ms"),
        }
    }
}
