//! Policy: who may call which tool with which arguments. Rules are read in order, and the first one that matches decides.
//!
//! Where no rule matches and the file has no `default`, tools that read run and others do not. What cannot be decided is
//! denied: a condition that fails while it runs lets nothing through.

mod case;
mod digest;
mod prove;
mod rule;
mod schema;
mod spec;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

pub(crate) use case::{CaseResult, run_cases};
pub(crate) use digest::canonical;
pub(crate) use prove::check;
pub(crate) use rule::Matched;
pub(crate) use schema::POLICY;
pub(crate) use spec::{Channel, Verdict};

use crate::catalog::read_own_file;
use crate::format::Access;
use crate::sign::sha256;
use crate::source::{Check, Code, Finding, Severity, Source};
use crate::template::{Bound, Scope};
use crate::tool::Tool;
use rule::Rule;
use spec::{CaseSpec, PolicySpec};

/// How long an approval and the question for it hold, in seconds, unless the file says it.
const APPROVAL_SECONDS: u32 = 300;
/// The longest that a file may say: a day.
const MOST_APPROVAL_SECONDS: u32 = 86_400;

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The name: `local` for whoever started the server, or speaks to it on this machine.
    pub name: String,
    /// What else is known about the caller, such as its team.
    pub claims: Map<String, Value>,
}

impl Caller {
    /// Whoever may speak to the server on this machine.
    pub(crate) fn local() -> Caller {
        Caller::named("local")
    }

    /// A caller of whom only the name is known.
    pub(crate) fn named(name: &str) -> Caller {
        Caller {
            name: name.to_owned(),
            claims: Map::new(),
        }
    }
}

/// The rules of a file, compiled.
#[derive(Debug)]
pub(crate) struct Policy {
    rules: Vec<Rule>,
    default: Option<Verdict>,
    /// How a person may answer.
    channels: Vec<Channel>,
    /// How long an approval holds.
    holds: Duration,
    cases: Vec<CaseSpec>,
    /// The digest of the file.
    version: String,
    source: Arc<Source>,
}

/// What a policy says to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ruling {
    /// Whether the call runs.
    pub verdict: Verdict,
    /// The rule that decided, counted from 1; `None` where none matched.
    pub rule: Option<usize>,
    /// Why, in a sentence without a full stop.
    pub why: String,
    /// The condition of the rule failed while it ran.
    pub is_broken: bool,
}

impl Ruling {
    /// The rule that decided, as a word for logs: its number, or `default`.
    pub(crate) fn rule_name(&self) -> String {
        match self.rule {
            Some(number) => number.to_string(),
            None => "default".to_owned(),
        }
    }
}

/// A way in which calls of a tool may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Way {
    /// Whether they run at once, or after an approval.
    pub verdict: Verdict,
    /// The condition; without one, every call that no earlier rule decides.
    pub when: Option<String>,
}

impl Policy {
    /// Reads and compiles a file of the user. Gives warnings too.
    ///
    /// # Errors
    /// Every finding, when one of them is an error.
    pub(crate) fn load(
        path: &Path,
        tools: Option<&[Arc<Tool>]>,
    ) -> Result<(Policy, Vec<Finding>), Vec<Finding>> {
        let source = Source::open(path)?;
        // Whoever can write the file decides what runs.
        let unsafe_reason = read_own_file(path).err();
        let check = Check::proving(source);
        if let Some(reason) = unsafe_reason {
            check.error_in_text(Code::UnreadableFile, 0..0, reason, None);
        }
        let policy = Policy::compile(&check, tools);
        let findings = check.into_findings();
        let is_wrong = |finding: &Finding| finding.severity == Severity::Error;
        match policy.filter(|_| !findings.iter().any(is_wrong)) {
            Some(policy) => Ok((policy, findings)),
            None => Err(findings),
        }
    }

    /// Compiles the policy of a source; mistakes go to `check`. Of the tools that there are, `tools` has all, or it is
    /// `None` and nothing is said about patterns and names of arguments.
    fn compile(check: &Check, tools: Option<&[Arc<Tool>]>) -> Option<Policy> {
        let spec: PolicySpec = crate::format::decode(&POLICY, check)?;
        let rules: Vec<Rule> = spec
            .rules
            .iter()
            .enumerate()
            .map(|(at, rule)| Rule::compile(rule, at, tools, check))
            .collect();
        prove::rules(&rules, check);
        prove::approvals(spec.approve.as_deref(), spec.approval_seconds, check);
        if let Some(tools) = tools {
            prove::cases(&spec.cases, tools, check);
        }
        Some(Policy {
            rules,
            default: spec.default,
            channels: spec.approve.unwrap_or_else(|| vec![Channel::Command]),
            holds: Duration::from_secs(spec.approval_seconds.unwrap_or(APPROVAL_SECONDS).into()),
            cases: spec.cases,
            version: sha256(check.source().text().as_bytes()),
            source: Arc::clone(check.source()),
        })
    }

    /// The digest of the file: another text is another policy.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Whether a person may approve calls in this way.
    pub(crate) fn takes(&self, channel: Channel) -> bool {
        self.channels.contains(&channel)
    }

    /// How long an approval and the question for it hold.
    pub(crate) fn holds(&self) -> Duration {
        self.holds
    }

    /// How many rules there are.
    pub(crate) fn len(&self) -> usize {
        self.rules.len()
    }

    /// Where a rule stands, counted from 1.
    pub(crate) fn place(&self, number: usize) -> String {
        let pointer = format!("/rules/{}", number.saturating_sub(1));
        let position = self.source.position(self.source.value_span(&pointer));
        position.to_string()
    }

    /// Decides about a call. The arguments have passed the check of the tool's params, and have its defaults.
    pub(crate) fn decide(&self, caller: &Caller, tool: &Tool, arguments: &Value) -> Ruling {
        let mut decided = None;
        self.trace(caller, tool, arguments, |number, matched| {
            if decided.is_none() && matched.decides() {
                decided = Some((number, matched));
            }
            decided.is_none()
        });
        let Some((number, matched)) = decided else {
            return self.without_rule(tool);
        };
        let rule = &self.rules[number - 1];
        match matched {
            Matched::Failed(reason) => Ruling {
                verdict: Verdict::Deny,
                rule: Some(number),
                why: format!(
                    "the condition of rule {number} cannot be computed for this call: {reason}"
                ),
                is_broken: true,
            },
            _ => Ruling {
                verdict: rule.verdict,
                rule: Some(number),
                why: rule
                    .why
                    .clone()
                    .unwrap_or_else(|| format!("rule {number} of the policy says so")),
                is_broken: false,
            },
        }
    }

    /// What is said where no rule matches.
    fn without_rule(&self, tool: &Tool) -> Ruling {
        let (verdict, why) = match (self.default, tool.access) {
            (Some(verdict), _) => (
                verdict,
                "no rule of the policy matches, and its `default` says so".to_owned(),
            ),
            (None, Access::Read) => (
                Verdict::Allow,
                "no rule of the policy matches, and the tool only reads".to_owned(),
            ),
            (None, access) => (
                Verdict::Deny,
                format!(
                    "no rule of the policy allows {}, which is a {access} tool",
                    tool.qualified_name()
                ),
            ),
        };
        Ruling {
            verdict,
            rule: None,
            why,
            is_broken: false,
        }
    }

    /// Tells of each rule whether it matches a call, until `tell` says that this is enough. Rules are counted from 1.
    pub(crate) fn trace(
        &self,
        caller: &Caller,
        tool: &Tool,
        arguments: &Value,
        mut tell: impl FnMut(usize, Matched) -> bool,
    ) {
        let seen = Seen::new(caller, tool, arguments);
        // All conditions of a call take as many steps together as the expressions of one request.
        let _bound = Bound::of_many();
        for (at, rule) in self.rules.iter().enumerate() {
            if !tell(at + 1, rule.matches(caller, tool, &seen)) {
                return;
            }
        }
    }

    /// Whether some call of the tool may run, of whatever caller.
    pub(crate) fn offers(&self, tool: &Tool) -> bool {
        for rule in self.rules.iter().filter(|rule| rule.meets(tool)) {
            match rule.verdict {
                Verdict::Allow | Verdict::Ask => return true,
                Verdict::Deny if rule.is_certain() => return false,
                Verdict::Deny => {}
            }
        }
        self.without_rule(tool).verdict != Verdict::Deny
    }

    /// The ways in which a caller's calls of a tool may run, in the order of the rules.
    pub(crate) fn ways(&self, caller: &Caller, tool: &Tool) -> Vec<Way> {
        let mut ways = Vec::new();
        let own = |rule: &&Rule| rule.meets(tool) && rule.knows(caller);
        for rule in self.rules.iter().filter(own) {
            let when = rule.when.as_ref().map(|when| when.text().to_owned());
            let is_last = when.is_none();
            if rule.verdict != Verdict::Deny {
                ways.push(Way {
                    verdict: rule.verdict,
                    when,
                });
            }
            if is_last {
                return ways;
            }
        }
        let verdict = self.without_rule(tool).verdict;
        if verdict != Verdict::Deny {
            ways.push(Way {
                verdict,
                when: None,
            });
        }
        ways
    }

    /// How many of these tools no rule meets.
    pub(crate) fn unmet(&self, tools: &[Arc<Tool>]) -> usize {
        let is_met = |tool: &&Arc<Tool>| self.rules.iter().any(|rule| rule.meets(tool));
        tools.len() - tools.iter().filter(is_met).count()
    }
}

/// What conditions see of a call.
struct Seen {
    tool: Value,
    arguments: Value,
    caller: Value,
}

impl Seen {
    fn new(caller: &Caller, tool: &Tool, arguments: &Value) -> Seen {
        Seen {
            tool: json!({
                "name": tool.name,
                "service": tool.service(),
                "access": tool.access.to_string(),
                "method": tool.request.method.to_string(),
            }),
            arguments: arguments.clone(),
            caller: json!({ "name": caller.name, "claims": caller.claims }),
        }
    }
}

impl Scope for Seen {
    fn json(&self, name: &str) -> Option<&Value> {
        match name {
            "tool" => Some(&self.tool),
            "args" => Some(&self.arguments),
            "caller" => Some(&self.caller),
            _ => None,
        }
    }
}
