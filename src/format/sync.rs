//! The part of a tool's file that says how its rows are copied into tables.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::words::{Duration, Name};

/// How the tool's rows are copied into a table.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend(
    "minProperties" = 1,
    "dependentRequired" = {
        "cursor": ["param"], "param": ["cursor"], "lag": ["cursor"], "parent": ["map"], "map": ["parent"]
    }
))]
pub(crate) struct SyncSpec {
    /// The columns that together tell a row from every other one. With them, a row that comes again replaces itself.
    #[serde(default)]
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub key: Vec<String>,
    /// The column that grows with new and changed rows: a time, a number, or an id that grows.
    pub cursor: Option<String>,
    /// The param that takes the largest value of `cursor` so far: rows from there on.
    pub param: Option<String>,
    /// How late a row may come. The param gets a time that lies so far before the largest value.
    pub lag: Option<Duration>,
    /// The tool of the same service whose rows give the arguments: this tool is called once for each of them.
    pub parent: Option<Name>,
    /// The params that the parent's rows fill, and with which of their columns. They are columns of this tool's rows too.
    #[serde(default)]
    #[schemars(extend("minProperties" = 1))]
    pub map: IndexMap<String, String>,
}
