//! What is kept of a table between runs.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::table::{Column, Columns};

/// The version of the state that this program writes.
const VERSION: u32 = 1;

/// What is kept of a table between runs. It changes together with the rows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    version: u32,
    /// The tool, with its service's name.
    pub tool: String,
    /// The columns that tell rows apart; empty if nothing does.
    pub key: Vec<String>,
    /// The columns in their order.
    pub columns: Vec<(String, Column)>,
    /// The column of the cursors.
    pub cursor: Option<String>,
    /// The largest value of the cursor: for each parent's arguments, or for the empty text.
    pub cursors: BTreeMap<String, Value>,
    /// Digests of the rows with the largest cursor, named as the cursors are.
    pub edge: BTreeMap<String, BTreeSet<String>>,
    /// The arguments that the rows were read with.
    pub arguments: Value,
}

impl State {
    /// The state of a table of a tool before its first row.
    pub(crate) fn new(tool: &str) -> State {
        State {
            version: VERSION,
            tool: tool.to_owned(),
            ..State::default()
        }
    }

    /// Reads what [`State::text`] wrote.
    ///
    /// # Errors
    /// When it is not a state, or one of a later version of the program.
    pub(crate) fn read(text: &str) -> Result<State, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match value["version"].as_u64() {
            Some(version) if version > u64::from(VERSION) => {
                Err("it was written by a later version of toolrun".to_owned())
            }
            _ => serde_json::from_value(value).map_err(|error| error.to_string()),
        }
    }

    /// The state as text.
    pub(crate) fn text(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// Whether the table was never written.
    pub(crate) fn is_new(&self) -> bool {
        self.version == 0
    }

    /// The columns, as a destination takes them: `columns` are its own, and none yet.
    pub(crate) fn columns_in(&self, mut columns: Columns) -> Columns {
        for (name, column) in &self.columns {
            columns.add(name, column.clone());
        }
        columns
    }

    /// The state with these columns.
    pub(crate) fn with_columns(&self, columns: &Columns) -> State {
        State {
            columns: columns.kept(),
            ..self.clone()
        }
    }
}
