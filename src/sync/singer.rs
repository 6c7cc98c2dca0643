//! The Singer protocol: messages on standard output, for the targets of others.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::{Value, json};

use super::destination::{Counts, Destination, Opening, Row};
use super::keys::Keys;
use super::report::Trouble;
use super::state::State;
use crate::table::{Columns, Type};

/// Writes rows as messages. What is kept between runs comes from a STATE message of the run before.
pub(crate) struct Singer {
    out: Box<dyn Write>,
    states: BTreeMap<String, State>,
    table: String,
    key: Vec<String>,
    cursor: Option<String>,
    /// The columns of the last SCHEMA.
    told: Option<Columns>,
}

impl Singer {
    /// Starts with the value of the last STATE message, if there is one.
    ///
    /// # Errors
    /// When it is not one of ours.
    pub(crate) fn new(out: Box<dyn Write>, state: Option<Value>) -> Result<Singer, Trouble> {
        let mut states = BTreeMap::new();
        // The file may have the whole message, or its value.
        let value = state.map(|state| match state.get("type") {
            Some(_) => state["value"].clone(),
            None => state,
        });
        let bookmarks = value
            .as_ref()
            .and_then(|value| value["bookmarks"].as_object());
        if let (Some(_), None) = (&value, bookmarks) {
            return Err(Trouble::Usage("the state has no `bookmarks`".to_owned()));
        }
        for (table, bookmark) in bookmarks.into_iter().flatten() {
            let state = State::read(&bookmark.to_string()).map_err(|reason| {
                Trouble::Usage(format!("the state of {table} cannot be read: {reason}"))
            })?;
            states.insert(table.clone(), state);
        }
        Ok(Singer {
            out,
            states,
            table: String::new(),
            key: Vec::new(),
            cursor: None,
            told: None,
        })
    }

    fn say(&mut self, message: &Value) -> Result<(), Trouble> {
        writeln!(self.out, "{message}").map_err(Trouble::from)
    }

    /// Says the schema, if it is another than before.
    fn tell_schema(&mut self, columns: &Columns) -> Result<(), Trouble> {
        if self.told.as_ref() == Some(columns) {
            return Ok(());
        }
        let kind = |kind: Type| match kind {
            Type::Bool => json!({ "type": ["null", "boolean"] }),
            Type::Integer => json!({ "type": ["null", "integer"] }),
            Type::Float => json!({ "type": ["null", "number"] }),
            Type::Text => json!({ "type": ["null", "string"] }),
            Type::Json | Type::Unknown => json!({}),
        };
        let properties: serde_json::Map<String, Value> = columns
            .iter()
            .map(|(name, column)| (name.to_owned(), kind(column.kind)))
            .collect();
        let mut message = json!({
            "type": "SCHEMA",
            "stream": self.table,
            "schema": { "type": "object", "properties": properties },
            "key_properties": self.key,
        });
        if let Some(cursor) = &self.cursor {
            message["bookmark_properties"] = json!([cursor]);
        }
        self.told = Some(columns.clone());
        self.say(&message)
    }
}

impl Destination for Singer {
    fn columns(&self) -> Columns {
        Columns::new(100_000)
    }

    fn renamed(&self, _: &Columns) -> Vec<(String, String)> {
        Vec::new()
    }

    fn open(&mut self, table: &str) -> Result<State, Trouble> {
        self.table = table.to_owned();
        self.told = None;
        Ok(self.states.get(table).cloned().unwrap_or_default())
    }

    fn start(&mut self, opening: &Opening<'_>) -> Result<(), Trouble> {
        self.key = opening.key.to_vec();
        self.cursor = opening.state.cursor.clone();
        Ok(())
    }

    fn write(&mut self, columns: &Columns, rows: Vec<Row>) -> Result<Counts, Trouble> {
        self.tell_schema(columns)?;
        let names: Vec<String> = columns
            .names()
            .map(|name| json!(name).to_string())
            .collect();
        let stream = json!(self.table).to_string();
        for row in &rows {
            let cells = columns.cells(row.json.part());
            // Numbers keep their digits.
            let members = names.iter().zip(&cells);
            let members: Vec<String> = members
                .map(|(name, cell)| format!("{name}:{}", cell.json()))
                .collect();
            writeln!(
                self.out,
                "{{\"type\":\"RECORD\",\"stream\":{stream},\"record\":{{{}}}}}",
                members.join(",")
            )?;
        }
        let added = rows.len() as u64;
        Ok(Counts {
            added,
            ..Counts::default()
        })
    }

    fn commit(
        &mut self,
        columns: &Columns,
        state: &State,
        _: Option<&mut Keys>,
    ) -> Result<Counts, Trouble> {
        self.tell_schema(columns)?;
        self.states.insert(self.table.clone(), state.clone());
        let message = json!({ "type": "STATE", "value": { "bookmarks": self.states } });
        self.say(&message)?;
        self.out.flush()?;
        Ok(Counts::default())
    }

    fn abandon(&mut self) {
        let _ = self.out.flush();
    }
}
