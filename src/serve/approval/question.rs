//! What a person is asked: one call, as it would be sent.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::policy::canonical;
use crate::serve::data;
use crate::sign::sha256;

/// The digest of everything that an approval is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Bound(String);

/// A call that a person has to approve.
#[derive(Debug, Clone)]
pub(in crate::serve) struct Asked {
    pub bound: Bound,
    /// The policy that asks.
    pub policy: String,
    pub caller: String,
    pub tool: String,
    pub access: String,
    /// The first request: its method and URL, secrets masked.
    pub request: String,
    /// The arguments with defaults, and the options of the result; secrets masked.
    pub arguments: Map<String, Value>,
    /// Why a person is asked.
    pub why: String,
}

/// The same in a file, until somebody has answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    /// The id of the question.
    pub id: String,
    /// When it was asked.
    pub asked: String,
    /// When it is over: seconds since 1970, and as RFC 3339 says.
    pub over: u64,
    pub until: String,
    /// Who calls.
    pub caller: String,
    /// The tool.
    pub tool: String,
    /// What the tool may do.
    pub access: String,
    /// The first request: its method and URL.
    pub request: String,
    /// The arguments, with defaults.
    pub arguments: Map<String, Value>,
    /// Why a person is asked.
    pub why: String,
    /// What the answer is bound to.
    pub bound: Bound,
}

impl Bound {
    /// What an approval is bound to. `descriptor` stands for the tool and its service as they are.
    pub(in crate::serve) fn of(
        caller: &str,
        tool: &str,
        descriptor: &str,
        arguments: &Map<String, Value>,
        policy: &str,
    ) -> Bound {
        let all = json!({
            "caller": caller, "tool": tool, "descriptor": descriptor, "arguments": arguments, "policy": policy,
        });
        Bound(sha256(canonical(&all).as_bytes()))
    }
}

impl Asked {
    pub(super) fn question(&self, id: &str, now: SystemTime, until: SystemTime) -> Question {
        let over = until.duration_since(SystemTime::UNIX_EPOCH);
        Question {
            id: id.to_owned(),
            asked: timestamp(now),
            over: over.map_or(0, |since| since.as_secs()),
            until: timestamp(until),
            caller: self.caller.clone(),
            tool: self.tool.clone(),
            access: self.access.clone(),
            request: self.request.clone(),
            arguments: self.arguments.clone(),
            why: self.why.clone(),
            bound: self.bound.clone(),
        }
    }

    /// The question as a text for the user of a client. Each fact has its line, and no fact can make another line.
    pub(in crate::serve) fn text(&self) -> String {
        let arguments = Value::Object(self.arguments.clone()).to_string();
        format!(
            "Approve this call?\ntool: {} ({})\ncaller: {}\nsends: {}\nbecause: {}\narguments: {}",
            one_line(&self.tool),
            self.access,
            one_line(&self.caller),
            one_line(&self.request),
            one_line(&self.why),
            data::shown(Value::from(arguments))
                .as_str()
                .unwrap_or_default(),
        )
    }
}

impl Question {
    /// Whether it is too late to answer.
    pub(crate) fn is_over(&self) -> bool {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        now.is_ok_and(|now| now.as_secs() >= self.over)
    }
}

/// A text without line breaks, and with its hidden characters made visible.
fn one_line(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    let inner = quoted.trim_start_matches('"').strip_suffix('"');
    let inner = inner.unwrap_or_default().replace("\\\"", "\"");
    data::shown(Value::from(inner))
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// A time as RFC 3339 says, in UTC, in whole seconds.
pub(in crate::serve) fn timestamp(time: SystemTime) -> String {
    let time = jiff::Timestamp::try_from(time).unwrap_or_default();
    let second = jiff::Timestamp::from_second(time.as_second()).unwrap_or_default();
    second.to_string()
}
