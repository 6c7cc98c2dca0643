//! The lines of a log.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::serve::approval::Approval;
use crate::sign::sha256;

/// The hash before the first line.
pub(super) const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What a line tells.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(in crate::serve) enum Event {
    /// A server begins to write.
    Start { version: &'static str },
    /// A line before it was not written whole.
    Mended {
        torn_bytes: usize,
        torn_sha256: String,
    },
    /// Lines could not be written for a while.
    Resumed,
    /// A call that changes something is about to be sent.
    Begin(Box<Entry>),
    /// A call has ended.
    Call(Box<Entry>),
}

/// What is known of a call.
#[derive(Debug, Clone, Default, Serialize)]
pub(in crate::serve) struct Entry {
    /// The call's id: the same in the line of its begin.
    pub id: String,
    pub caller: String,
    /// The tool; absent if there is none of that name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<String>,
    /// The names of the arguments that the tool has.
    pub arguments: Vec<String>,
    /// How many others there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub unknown_arguments: usize,
    /// The SHA-256 of the arguments as canonical JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub values: Map<String, Value>,
    /// What was decided, and by which rule of which policy.
    pub decision: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Option<Outcome>,
}

/// How a call ended.
#[derive(Debug, Clone, Default, Serialize)]
pub(in crate::serve) struct Outcome {
    pub outcome: &'static str,
    /// The kind of the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// How many requests were sent.
    pub requests: u32,
    /// The status and the request id of the last answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Bytes of the result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<usize>,
    pub ms: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// A line with its number and the hash of the line before it.
#[derive(Serialize)]
struct Line<'l> {
    n: u64,
    time: String,
    #[serde(flatten)]
    event: &'l Event,
    prev: &'l str,
}

/// What every line has.
#[derive(Debug, Deserialize)]
pub(super) struct Link {
    pub n: u64,
    pub prev: String,
    pub event: String,
    pub torn_bytes: Option<usize>,
    pub torn_sha256: Option<String>,
}

impl Link {
    /// The link of a line, if it is one.
    pub(super) fn of(line: &[u8]) -> Option<Link> {
        serde_json::from_slice(line).ok()
    }
}

/// A line without its end.
pub(super) fn write(n: u64, event: &Event, prev: &str) -> Result<Vec<u8>, serde_json::Error> {
    let now = jiff::Timestamp::now();
    serde_json::to_vec(&Line {
        n,
        time: now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        event,
        prev,
    })
}

/// The hash of a line.
pub(super) fn hash(line: &[u8]) -> String {
    sha256(line)
}
