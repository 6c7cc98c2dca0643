//! The typed form of a policy file.

use std::fmt;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::format::SpecVersion;

/// Who may call which tool with which arguments.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    title = "toolrun policy",
    description = "A policy of toolrun: which calls of agents run, which wait for an approval, and which are refused."
)]
pub(crate) struct PolicySpec {
    /// The version of the format.
    #[expect(dead_code, reason = "it is checked when the file is read")]
    pub policy: SpecVersion,
    /// What it is for, for people.
    #[expect(dead_code, reason = "it is for those who read the file")]
    pub description: Option<String>,
    /// The rules. The first one that matches a call decides.
    pub rules: Vec<RuleSpec>,
    /// What happens to a call that no rule matches. Without it, tools with the access `read` run, and others do not.
    pub default: Option<Verdict>,
    /// The ways in which a person may answer where a rule says `ask`; `command` alone when absent. Where both count, a client
    /// that can ask does so, and the command is for the others.
    #[schemars(length(min = 1))]
    pub approve: Option<Vec<Channel>>,
    /// How many seconds an approval and the question for it hold, at most a day; 300 when absent.
    #[schemars(range(min = 1, max = 86_400))]
    pub approval_seconds: Option<u32>,
    /// Calls with what the policy must say to them; `toolrun policy test` runs them.
    #[serde(default)]
    pub cases: Vec<CaseSpec>,
    /// Warnings that are intended: from a code to the reason.
    #[serde(default)]
    #[expect(dead_code, reason = "it is read from the source, with its places")]
    pub allow: IndexMap<String, String>,
}

/// One rule. It matches a call when its tools, its callers and its condition do.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleSpec {
    /// Patterns over names such as `anthropic-admin/list-members`; `*` stands for any characters. All tools when absent.
    pub tools: Option<Patterns>,
    /// Patterns over the names of callers. All callers when absent.
    pub callers: Option<Patterns>,
    /// A condition: an expression over `tool`, `args` and `caller`, such as `{{ args.limit <= 100 }}`.
    pub when: Option<String>,
    /// What happens to the call.
    #[serde(rename = "do")]
    pub verdict: Verdict,
    /// The reason. Models and people who approve read it.
    pub why: Option<String>,
}

/// One pattern or several.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Patterns {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// It runs.
    Allow,
    /// It waits until a person approves exactly this call.
    Ask,
    /// It is refused.
    Deny,
}

/// A way in which a person approves a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Channel {
    /// The client asks its user. Whoever controls the client can answer.
    Elicitation,
    /// Somebody runs a command on the machine of the server.
    Command,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Allow => "allow",
            Verdict::Ask => "ask",
            Verdict::Deny => "deny",
        })
    }
}

/// A call, and what the policy must say to it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaseSpec {
    /// What the case is about, for people.
    pub name: Option<String>,
    /// The caller's name; `local` when absent.
    pub caller: Option<String>,
    /// What else is known about the caller.
    #[serde(default)]
    pub claims: Map<String, Value>,
    /// The tool, such as `anthropic-admin/list-members`.
    pub tool: String,
    /// The arguments.
    #[serde(default)]
    pub args: Map<String, Value>,
    /// What the policy must say.
    pub expect: Verdict,
}
