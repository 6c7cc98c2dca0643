//! The gate: each call passes it, with its caller, its tool and its arguments, before anything is sent.

use serde_json::{Map, Value};

use crate::format::Access;
use crate::tool::Tool;

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The name: `local` for whoever started the server, or speaks to it on this machine.
    pub name: String,
}

impl Caller {
    /// Whoever may speak to the server on this machine.
    pub(crate) fn local() -> Caller {
        Caller {
            name: "local".to_owned(),
        }
    }
}

/// What the gate says to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It runs, with consent up to this access.
    Allow(Access),
    /// It does not run. The text says why, to the model.
    Refuse(String),
}

/// Decides what runs. Tools that read run; others do not.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate;

impl Gate {
    /// Whether some call of the tool may run, so that it is worth a place in the list.
    pub(crate) fn offers(&self, tool: &Tool) -> bool {
        tool.access == Access::Read
    }

    /// Decides about one call. The arguments were not checked yet.
    pub(crate) fn decide(
        &self,
        _caller: &Caller,
        tool: &Tool,
        _arguments: &Map<String, Value>,
    ) -> Decision {
        match tool.access {
            Access::Read => Decision::Allow(Access::Read),
            access => Decision::Refuse(format!(
                "{} is a {access} tool, and this server runs only tools that read",
                tool.qualified_name()
            )),
        }
    }
}
