//! The typed form of `sandbox.yaml`.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::format::SpecVersion;
use crate::words::{Duration, Name};

/// A service's sandbox: a small made-up data set, and how each tool's route answers from it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    title = "toolrun sandbox",
    description = "A made-up stand-in for a service."
)]
pub(crate) struct SandboxSpec {
    /// The version of the format.
    #[expect(dead_code, reason = "it is checked when the file is read")]
    pub spec: SpecVersion,
    /// The service that it replaces.
    pub sandbox: Name,
    /// What it contains, for people.
    #[expect(dead_code, reason = "it is for those who read the file")]
    pub description: Option<String>,
    /// The seed of all random data; the same seed gives the same data.
    pub seed: u64,
    /// The sandbox's current time (RFC 3339).
    pub now: String,
    /// Made-up values of the service's secrets. Requests must carry them.
    #[serde(default)]
    pub secrets: IndexMap<String, String>,
    /// Headers that are accepted instead of the service's own credential.
    #[serde(default)]
    pub alternatives: IndexMap<String, String>,
    /// Request headers that must be present, with the values that are accepted.
    #[serde(default)]
    pub require_headers: IndexMap<String, Vec<String>>,
    /// Request headers that hold a list of values, separated by commas, with the values that are accepted. The headers
    /// may be absent.
    #[serde(default)]
    pub list_headers: IndexMap<String, Vec<String>>,
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
pub(crate) struct EnvelopeSpec {
    /// The body: a template over `status`, `code`, `message`, `request_id` and, if the refusal has them, `details`.
    pub body: Value,
    /// From a status to its code.
    pub codes: IndexMap<String, String>,
    /// From a status to a message that replaces the sandbox's own.
    #[serde(default)]
    pub messages: IndexMap<String, String>,
}

/// An error on demand.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FaultSpec {
    /// The HTTP status.
    #[schemars(range(min = 400, max = 599))]
    pub status: u16,
    /// The message.
    pub message: String,
    /// Further data, which the envelope knows as `details`.
    pub details: Option<Value>,
    /// Response headers, such as `retry-after`.
    #[serde(default)]
    pub headers: IndexMap<String, String>,
}

/// A collection of made-up rows. Each row is made from the seed and its own index when it is first needed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DataSpec {
    /// How many rows.
    #[schemars(range(max = 1_000_000))]
    pub count: u32,
    /// For rows in the order of time: when each of them happens. The row's template knows this as `time`, in seconds.
    pub times: Option<TimesSpec>,
    /// The row: a template over `index`, `time` and `random`.
    pub row: Value,
    /// A row as answers show it: a template over `row`, `args`, `headers`, `now` and `data`. Without it, answers show
    /// the row itself.
    pub show: Option<Value>,
}

/// The times of a series.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TimesSpec {
    /// The time of the first row (RFC 3339).
    pub start: String,
    /// The time from one row to the next.
    pub every: Duration,
}

/// How an operation answers, and what it writes. Writes last as long as the sandbox runs.
///
/// A request finds its row, may be refused, writes, and is answered. Expressions know `args`, `headers`, `now`, the
/// collections as lists under `data`, and `row`: the row that was found, or the written row once it is written. The
/// body also knows that row as answers show it: `shown`. In `where`, `item` and `also`, `row` is each row in turn, and
/// `found` is the row that was found.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RouteSpec {
    /// The one row that the request concerns.
    pub find: Option<FindSpec>,
    /// The collection that the answer lists.
    pub from: Option<String>,
    /// Exact filters: from a field of the row to the argument that the field must equal, or be one of. An absent
    /// argument does not filter.
    #[serde(rename = "match", default)]
    pub matching: IndexMap<String, String>,
    /// Other filters: expressions over `row`, all of which must be true.
    #[serde(default, rename = "where")]
    pub filters: Vec<String>,
    /// Refusals. The first whose condition holds is the answer, and nothing is written.
    #[serde(default)]
    pub refuse: Vec<RefusalSpec>,
    /// A row to add. It comes before all other rows of its collection.
    pub insert: Option<InsertSpec>,
    /// Fields of the found row to replace, with a template for each. An absent value leaves the field unchanged; null
    /// sets null.
    #[serde(default)]
    pub set: IndexMap<String, Value>,
    /// Fields of the found row to merge a map into, as JSON Merge Patch (RFC 7396) does. Null removes a key.
    #[serde(default)]
    pub merge: IndexMap<String, Value>,
    /// Whether the found row is removed.
    #[serde(default)]
    pub delete: bool,
    /// Other rows that change too.
    #[serde(default)]
    pub also: Vec<AlsoSpec>,
    /// The HTTP status of a success; 200 when absent.
    #[schemars(range(min = 200, max = 299))]
    pub status: Option<u16>,
    /// How each row is shown: a template over `row`. Without it, the collection's `show` decides.
    pub item: Option<Value>,
    /// The order of the rows, if it differs from the collection's own.
    pub sort: Option<SortSpec>,
    /// How the rows are cut into pages.
    pub page: Option<PageSpec>,
    /// How the rows are summed up in buckets of time.
    pub buckets: Option<BucketsSpec>,
    /// The body: a template. With `from` it also knows `rows`, `first`, `last`, `has_more` and `next_page`. With the
    /// status 204 there is no body.
    pub body: Value,
}

impl RouteSpec {
    /// The collection of the route's own row: the one that the route adds, or else finds.
    pub(crate) fn own_collection(&self) -> Option<&str> {
        let inserted = self.insert.as_ref().map(|insert| insert.into.as_str());
        let found = self.find.as_ref().map(|find| find.collection.as_str());
        inserted.or(found)
    }
}

/// The one row that a request concerns.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FindSpec {
    /// The collection.
    #[serde(rename = "in")]
    pub collection: String,
    /// From a field of the row to the argument that it must equal. When empty, it is the first row.
    #[serde(default)]
    pub by: IndexMap<String, String>,
    /// Further conditions: expressions over `row`, all of which must be true.
    #[serde(default, rename = "where")]
    pub filters: Vec<String>,
    /// The message of the 404 when there is no such row.
    pub message: Option<String>,
    /// Whether the request continues without a row. `insert` then adds one; if the row exists, `insert` adds none.
    #[serde(default)]
    pub optional: bool,
}

/// A row to add.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InsertSpec {
    /// The collection.
    pub into: String,
    /// The row: a template that also knows `random` and `index`, the number of rows that were added before.
    pub row: Value,
}

/// Other rows that change together with the request's own row.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AlsoSpec {
    /// The collection.
    #[serde(rename = "in")]
    pub collection: String,
    /// From a field of the row to the argument that the field must equal, or be one of.
    #[serde(rename = "match", default)]
    pub matching: IndexMap<String, String>,
    /// Further conditions: expressions over `row` and `found`, all of which must be true.
    #[serde(default, rename = "where")]
    pub filters: Vec<String>,
    /// Fields to replace, like the route's own `set`.
    #[serde(default)]
    pub set: IndexMap<String, Value>,
    /// Fields to merge a map into, like the route's own `merge`.
    #[serde(default)]
    pub merge: IndexMap<String, Value>,
    /// Whether the rows are removed.
    #[serde(default)]
    pub delete: bool,
}

/// A request that the service would refuse.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefusalSpec {
    /// The condition: an expression.
    pub when: String,
    /// The HTTP status.
    #[schemars(range(min = 400, max = 599))]
    pub status: u16,
    /// The message.
    pub message: String,
    /// Further data, which the envelope knows as `details`, such as a code that says more than the status.
    pub details: Option<Value>,
}

/// The order of rows. Rows with equal keys keep their order.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SortSpec {
    /// The sort key of a row: an expression over `row` that gives a number or a text.
    pub by: String,
    /// Whether the highest key comes first: an expression.
    pub descending: Option<String>,
}

/// How rows are cut into pages.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageSpec {
    /// The argument with the size of a page.
    pub limit: Option<String>,
    /// The size if the argument is absent.
    pub size: u32,
    /// Cursors that are ids of rows.
    pub ids: Option<IdCursorSpec>,
    /// The argument that takes an opaque page token.
    pub token: Option<String>,
}

/// Cursors that are ids of rows.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdCursorSpec {
    /// The field that holds the id.
    pub key: String,
    /// The argument for the rows after an id.
    pub after: String,
    /// The argument for the rows before an id.
    pub before: Option<String>,
}

/// How the rows of a series are summed up in buckets of time.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BucketsSpec {
    /// The width in seconds: an expression over `args`. With null, one bucket covers all of the time.
    pub width: String,
    /// The first bucket's start in seconds, which is rounded down to the width: an expression.
    pub from: String,
    /// The end in seconds, exclusive: an expression.
    pub until: String,
    /// Most buckets on a page: an expression.
    pub limit: Option<String>,
    /// The argument that takes the page token.
    pub token: Option<String>,
    /// The fields that rows are grouped by: an expression that gives an array.
    pub group_by: String,
    /// What each group becomes: a template over `rows`, `group`, and the bucket's `start` and `end` in seconds.
    pub result: Value,
    /// What each bucket becomes: a template over `start`, `end` and `results`. If this, `limit` and `token` are all
    /// absent, the rows are the results of all buckets, and `sort` and `page` apply to them.
    pub bucket: Option<Value>,
}
