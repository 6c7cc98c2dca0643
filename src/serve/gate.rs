//! The gate: each call passes it, with its caller, its tool and its arguments, before anything is sent.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::format::Access;
use crate::params::ArgumentProblem;
pub(crate) use crate::policy::Caller;
use crate::policy::{Policy, Ruling, Verdict, Way};
use crate::tool::Tool;

/// What the gate says to a call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Decision {
    /// It runs, with consent up to this access.
    Allow(Access, Reason),
    /// It waits until somebody approves exactly this call.
    Ask(Access, Reason),
    /// It does not run.
    Refuse(Reason),
    /// Its arguments are not valid, so that nothing can be decided and nothing is sent.
    Invalid(Vec<ArgumentProblem>),
}

/// Why the gate decides so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    /// The rule: its number, or `default`.
    pub rule: String,
    /// The text says why, to the model.
    pub why: String,
    /// The ways in which the caller's calls of this tool may run; `None` where no policy says it.
    pub ways: Option<Vec<Way>>,
}

impl Decision {
    /// What is decided, in one word.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Decision::Allow(..) => "allow",
            Decision::Ask(..) => "ask",
            Decision::Refuse(_) => "deny",
            Decision::Invalid(_) => "invalid",
        }
    }

    /// Why it is so; invalid arguments have no reason of the gate.
    pub(crate) fn reason(&self) -> Option<&Reason> {
        match self {
            Decision::Allow(_, reason) | Decision::Ask(_, reason) | Decision::Refuse(reason) => {
                Some(reason)
            }
            Decision::Invalid(_) => None,
        }
    }
}

/// Decides what runs. Without a policy, tools that read run, and others do not.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate {
    policy: Option<Arc<Policy>>,
}

impl Gate {
    /// A gate that asks a policy.
    pub(crate) fn of(policy: Policy) -> Gate {
        Gate {
            policy: Some(Arc::new(policy)),
        }
    }

    /// The policy, if there is one.
    pub(crate) fn policy(&self) -> Option<&Policy> {
        self.policy.as_deref()
    }

    /// Whether some call of the tool may run, so that it is worth a place in the list.
    pub(crate) fn offers(&self, tool: &Tool) -> bool {
        match &self.policy {
            Some(policy) => policy.offers(tool),
            None => tool.access == Access::Read,
        }
    }

    /// Why no call of a tool runs that is not offered.
    pub(crate) fn refusal(&self, tool: &Tool) -> String {
        match &self.policy {
            Some(_) => "the policy of this server refuses every call of it".to_owned(),
            None => format!("it is a {} tool", tool.access),
        }
    }

    /// Decides about one call. The arguments were not checked yet.
    pub(crate) fn decide(
        &self,
        caller: &Caller,
        tool: &Tool,
        arguments: &Map<String, Value>,
    ) -> Decision {
        let Some(policy) = &self.policy else {
            let reason = |why: String| Reason {
                rule: "default".to_owned(),
                why,
                ways: None,
            };
            return match tool.access {
                Access::Read => Decision::Allow(Access::Read, reason("it only reads".to_owned())),
                access => Decision::Refuse(reason(format!(
                    "{} is a {access} tool, and this server runs only tools that read",
                    tool.qualified_name()
                ))),
            };
        };
        let reason = |ruling: &Ruling| Reason {
            rule: ruling.rule_name(),
            why: ruling.why.clone(),
            ways: Some(policy.ways(caller, tool)),
        };
        let arguments = match tool.accept(Value::Object(arguments.clone())) {
            Ok(arguments) => arguments,
            // A tool that never runs does not even teach its arguments.
            Err(_) if !policy.offers(tool) => {
                return Decision::Refuse(Reason {
                    rule: "default".to_owned(),
                    why: format!("the policy refuses every call of {}", tool.qualified_name()),
                    ways: Some(Vec::new()),
                });
            }
            Err(problems) => return Decision::Invalid(problems),
        };
        let ruling = policy.decide(caller, tool, &arguments);
        match ruling.verdict {
            Verdict::Allow => Decision::Allow(tool.access, reason(&ruling)),
            Verdict::Ask => Decision::Ask(tool.access, reason(&ruling)),
            Verdict::Deny => Decision::Refuse(reason(&ruling)),
        }
    }
}
