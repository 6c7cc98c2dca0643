//! The cases of a policy: calls, and what it must say to them.

use std::sync::Arc;

use serde_json::Value;

use super::{Caller, Policy, Ruling, Verdict};
use crate::tool::Tool;

/// What a case gave.
#[derive(Debug)]
pub(crate) struct CaseResult {
    /// Its name, or its call.
    pub name: String,
    /// Where it stands.
    pub place: String,
    /// What it expects.
    pub expected: Verdict,
    /// What the policy says, or why nothing is known.
    pub given: Result<Ruling, String>,
}

impl CaseResult {
    /// Whether the policy says what the case expects.
    pub(crate) fn holds(&self) -> bool {
        let given = self.given.as_ref();
        given.is_ok_and(|ruling| ruling.verdict == self.expected && !ruling.is_broken)
    }
}

/// Runs the cases of a policy.
pub(crate) fn run_cases(policy: &Policy, tools: &[Arc<Tool>]) -> Vec<CaseResult> {
    let run = |(at, case): (usize, &super::CaseSpec)| {
        let caller = Caller {
            name: case.caller.clone().unwrap_or_else(|| "local".to_owned()),
            claims: case.claims.clone(),
        };
        let is_it = |tool: &&Arc<Tool>| tool.qualified_name() == case.tool;
        let given = match tools.iter().find(is_it) {
            None => Err(format!("there is no tool `{}`", case.tool)),
            Some(tool) => match tool.accept(Value::Object(case.args.clone())) {
                Ok(arguments) => Ok(policy.decide(&caller, tool, &arguments)),
                Err(problems) => {
                    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                    Err(format!(
                        "the arguments are not valid: {}",
                        problems.join("; ")
                    ))
                }
            },
        };
        let call = || format!("{} calls {}", caller.name, case.tool);
        CaseResult {
            name: case.name.clone().unwrap_or_else(call),
            place: {
                let span = policy.source.value_span(&format!("/cases/{at}"));
                policy.source.position(span).to_string()
            },
            expected: case.expect,
            given,
        }
    };
    policy.cases.iter().enumerate().map(run).collect()
}
