//! The typed form of `sandbox.yaml`.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::descriptor::{Duration, Name, SpecVersion};

/// A service's sandbox: a small made-up data set, and how each tool's route answers from it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    title = "toolrun sandbox",
    description = "A made-up stand-in for a service."
)]
pub struct SandboxSpec {
    /// The version of the format.
    pub spec: SpecVersion,
    /// The service that it stands in for.
    pub sandbox: Name,
    /// What it holds, for people.
    pub description: Option<String>,
    /// The seed of all random data; the same seed gives the same data.
    pub seed: u64,
    /// The time that the sandbox believes it is (RFC 3339).
    pub now: String,
    /// Made-up values of the service's secrets. Requests must carry them.
    #[serde(default)]
    pub secrets: IndexMap<String, String>,
    /// Headers that are accepted in place of the service's own credential.
    #[serde(default)]
    pub alternatives: IndexMap<String, String>,
    /// Request headers that must be present, with the values that are accepted.
    #[serde(default)]
    pub require_headers: IndexMap<String, Vec<String>>,
    /// The id of a request; an expression with `random`.
    pub request_id: String,
    /// Headers of every response; expressions over `request_id`.
    #[serde(default)]
    pub response_headers: IndexMap<String, String>,
    /// The service's error envelope.
    pub errors: EnvelopeSpec,
    /// Errors on demand, by name: a request with the header `x-sandbox-fault: NAME` gets one.
    #[serde(default)]
    pub faults: IndexMap<String, FaultSpec>,
    /// Collections of made-up rows.
    #[serde(default)]
    pub data: IndexMap<String, DataSpec>,
    /// From a tool's name to how its operation answers.
    pub routes: IndexMap<String, RouteSpec>,
}

/// The service's error envelope.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvelopeSpec {
    /// The body: a template over `status`, `code`, `message` and `request_id`.
    pub body: Value,
    /// From a status to its code.
    pub codes: IndexMap<String, String>,
    /// From a status to a message in place of the sandbox's own.
    #[serde(default)]
    pub messages: IndexMap<String, String>,
}

/// An error on demand.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultSpec {
    /// The HTTP status.
    #[schemars(range(min = 400, max = 599))]
    pub status: u16,
    /// The message.
    pub message: String,
    /// Response headers, such as `retry-after`.
    #[serde(default)]
    pub headers: IndexMap<String, String>,
}

/// A collection of made-up rows. Each row is made from the seed and its own index when it is first needed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataSpec {
    /// How many rows.
    #[schemars(range(max = 1_000_000))]
    pub count: u32,
    /// For rows in the order of time: when each happens. The row knows its `time` in seconds.
    pub times: Option<TimesSpec>,
    /// The row: a template over `index`, `time` and `random`.
    pub row: Value,
}

/// The times of a series.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimesSpec {
    /// The time of the first row (RFC 3339).
    pub start: String,
    /// From one row to the next.
    pub every: Duration,
}

/// How an operation answers.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteSpec {
    /// The collection that it answers from.
    pub from: Option<String>,
    /// Exact filters: from a field of the row to the argument that it must equal or be in. An absent argument does
    /// not filter.
    #[serde(rename = "match", default)]
    pub matching: IndexMap<String, String>,
    /// Other filters: expressions over `row` and `args`, all of which must be true.
    #[serde(default, rename = "where")]
    pub filters: Vec<String>,
    /// What becomes of each row: a template over `row`, `args` and `headers`.
    pub item: Option<Value>,
    /// How the rows are cut into pages.
    pub page: Option<PageSpec>,
    /// How the rows are summed up in buckets of time.
    pub buckets: Option<BucketsSpec>,
    /// The body: a template over `args`, `headers`, `now` and, with `from`, over `rows`, `first`, `last`, `has_more` and
    /// `next_page`.
    pub body: Value,
    /// Refusals: each with a predicate over `args` and `headers`.
    #[serde(default)]
    pub refuse: Vec<RefusalSpec>,
}

/// A request that the service would refuse.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RefusalSpec {
    /// When: an expression.
    pub when: String,
    /// The HTTP status.
    #[schemars(range(min = 400, max = 599))]
    pub status: u16,
    /// The message.
    pub message: String,
}

/// How rows are cut into pages.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PageSpec {
    /// The argument with the size of a page.
    pub limit: String,
    /// The size when the argument is absent.
    pub size: u32,
    /// Cursors that are the ids of rows.
    pub ids: Option<IdCursorSpec>,
    /// The argument that takes an opaque page token.
    pub token: Option<String>,
}

/// Cursors that are the ids of rows.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdCursorSpec {
    /// The field that holds the id.
    pub key: String,
    /// The argument for the rows after an id.
    pub after: String,
    /// The argument for the rows before an id.
    pub before: Option<String>,
}

/// How rows are summed up in buckets of time.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BucketsSpec {
    /// The width in seconds: an expression over `args`.
    pub width: String,
    /// The first bucket's start in seconds: an expression.
    pub from: String,
    /// The end in seconds, exclusive: an expression.
    pub until: String,
    /// Most buckets on a page: an expression.
    pub limit: String,
    /// The argument that takes the page token.
    pub token: String,
    /// The fields that rows are grouped by: an expression that gives an array.
    pub group_by: String,
    /// What becomes of a group: a template over `rows`, `group` and `args`.
    pub result: Value,
    /// What becomes of a bucket: a template over `start`, `end` (seconds) and `results`.
    pub bucket: Value,
}
