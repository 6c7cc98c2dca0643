//! What a call of a list may say about its result, beside the tool's own arguments: which columns, in which form, how many
//! rows, and from which row on.

use serde_json::{Map, Value, json};

use crate::definition::Definition;
use crate::tool::Tool;

/// Most rows that a call may ask for.
const MOST_ROWS: u64 = 10_000;

/// How the rows are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Form {
    /// As objects.
    #[default]
    Json,
    /// As one text with a line for each row.
    Table,
}

/// What a call says about its result.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Wanted {
    /// The members of each row to give; all if `None`.
    pub columns: Option<Vec<String>>,
    /// The form.
    pub form: Form,
    /// Rows to leave out at the start.
    pub skip: u64,
    /// Follow the pages until there are this many rows; one page if `None`.
    pub max_rows: Option<u64>,
}

/// The names of the options of one tool. A tool that has a param of such a name gets `result_` in front.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    columns: Option<String>,
    form: Option<String>,
    skip: Option<String>,
    max_rows: Option<String>,
}

impl Options {
    /// The options of a tool: none, if it does not give a list.
    pub(crate) fn of(tool: &Tool, definition: &Definition) -> Options {
        let is_list = definition.rows.is_some() || tool.has_pages();
        let free = |name: &str| {
            let mut name = name.to_owned();
            while tool.params.get(&name).is_some() {
                name = format!("result_{name}");
            }
            name
        };
        let named = |name: &str, has: bool| has.then(|| free(name));
        Options {
            columns: named("columns", is_list),
            form: named("format", is_list),
            skip: named("skip_rows", is_list),
            max_rows: named("max_rows", tool.has_pages()),
        }
    }

    /// Whether there are any.
    pub(crate) fn is_list(&self) -> bool {
        self.columns.is_some()
    }

    /// The names of the options for columns, form, rows to leave out and most rows, where the tool has them.
    pub(crate) fn names(&self) -> [Option<&str>; 4] {
        [&self.columns, &self.form, &self.skip, &self.max_rows].map(Option::as_deref)
    }

    /// The name of the option for rows to leave out.
    pub(crate) fn skip_name(&self) -> Option<&str> {
        self.skip.as_deref()
    }

    /// The name of the option for more rows than a page has.
    pub(crate) fn max_rows_name(&self) -> Option<&str> {
        self.max_rows.as_deref()
    }

    /// Adds the options to the properties of an input schema.
    pub(crate) fn add_to(&self, schema: &mut Map<String, Value>) {
        let Some(properties) = schema
            .entry("properties")
            .or_insert_with(|| json!({}))
            .as_object_mut()
        else {
            return;
        };
        let mut add = |name: &Option<String>, schema: Value| {
            if let Some(name) = name {
                properties.insert(name.clone(), schema);
            }
        };
        let names = json!({ "type": "array", "items": { "type": "string" }, "description": "Only these fields." });
        add(&self.columns, names);
        add(&self.form, json!({ "enum": ["json", "table"] }));
        add(&self.skip, json!({ "type": "integer" }));
        let rows = json!({ "type": "integer", "minimum": 1, "description": "Follow pages to this many rows." });
        add(&self.max_rows, rows);
    }

    /// Takes the options out of the arguments.
    ///
    /// # Errors
    /// What is wrong with one of them: its name and the rule.
    pub(crate) fn take(
        &self,
        arguments: &mut Map<String, Value>,
    ) -> Result<Wanted, (String, String)> {
        let mut take = |name: &Option<String>| {
            let name = name.clone()?;
            let value = arguments.shift_remove(&name)?;
            (!value.is_null()).then_some((name, value))
        };
        let mut wanted = Wanted::default();
        if let Some((name, value)) = take(&self.columns) {
            wanted.columns = Some(columns(&value).ok_or_else(|| {
                (
                    name,
                    "must be a list of names, such as [\"id\", \"name\"]".to_owned(),
                )
            })?);
        }
        if let Some((name, value)) = take(&self.form) {
            wanted.form = match value.as_str() {
                Some("json") => Form::Json,
                Some("table") => Form::Table,
                _ => return Err((name, "must be \"json\" or \"table\"".to_owned())),
            };
        }
        if let Some((name, value)) = take(&self.skip) {
            let rule = "must be a whole number, 0 at least".to_owned();
            wanted.skip = whole(&value).ok_or((name, rule))?;
        }
        if let Some((name, value)) = take(&self.max_rows) {
            let rows = whole(&value).filter(|rows| (1..=MOST_ROWS).contains(rows));
            let rule = format!("must be a whole number from 1 to {MOST_ROWS}");
            wanted.max_rows = Some(rows.ok_or((name, rule))?);
        }
        Ok(wanted)
    }
}

/// A list of names, or one name.
fn columns(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(names) if !names.is_empty() => names
            .iter()
            .map(|name| name.as_str().map(str::to_owned))
            .collect(),
        _ => None,
    }
}

/// JSON Schema accepts 5.0 as an integer.
fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        let float = value.as_f64().filter(|float| float.fract() == 0.0)?;
        (float >= 0.0 && float < 1e15).then_some(float as u64)
    })
}
