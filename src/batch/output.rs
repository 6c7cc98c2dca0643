//! Rows: those of a tool's output, and those of a run, each with the key of its job.

use serde_json::Value;

use crate::json::{Json, write};
use crate::store::{Store, StoreError};
use crate::tool::Tool;

/// The column that holds the key of the job.
const KEY: &str = "_key";
/// Where a row's own value of that name goes.
const OWN_KEY: &str = "_key_of_row";
/// The column of a row that is no object.
const VALUE: &str = "value";
/// Rows that are read from the store at a time.
const AT_ONCE: usize = 500;

/// The rows of an output, each as one JSON text without spaces; the output itself, if it has none.
pub(crate) fn rows_of(tool: &Tool, output: &Json) -> Vec<String> {
    let text = |part| {
        let mut text = Vec::new();
        // A vector takes any bytes.
        let _ = write::compact(part, &mut text);
        String::from_utf8_lossy(&text).into_owned()
    };
    match tool.projection.rows(output.part()) {
        Some(rows) => rows.elements().map(text).collect(),
        None => vec![text(output.part())],
    }
}

/// The row as one JSON text with the key of its job in front, digit for digit as it is in the store.
///
/// # Errors
/// When it is no JSON.
pub(crate) fn keyed(key: &str, row: String) -> Result<String, String> {
    let key = Value::from(key);
    let inner = match row.strip_prefix('{') {
        // A row whose own member has the name needs a closer look.
        Some(_) if row.contains(KEY) => renamed(row)?,
        Some(rest) => rest.to_owned(),
        None => format!("\"{VALUE}\":{row}}}"),
    };
    let comma = if inner == "}" { "" } else { "," };
    Ok(format!("{{\"{KEY}\":{key}{comma}{inner}"))
}

/// The members of an object and its closing brace, with its own key under another name.
fn renamed(row: String) -> Result<String, String> {
    let row = Json::read(row.into())?;
    let mut text = String::new();
    for (name, value) in row.part().members() {
        if !text.is_empty() {
            text.push(',');
        }
        match name.is(KEY) {
            true => text.push_str(&Value::from(OWN_KEY).to_string()),
            false => text.push_str(&String::from_utf8_lossy(name.quoted())),
        }
        text.push(':');
        text.push_str(&String::from_utf8_lossy(value.text()));
    }
    text.push('}');
    Ok(text)
}

/// Reads the rows of a run, in the order of its lines.
pub(crate) struct Rows<'s> {
    store: &'s Store,
    run: &'s str,
    next: Option<(i64, i64)>,
    has_ended: bool,
}

impl<'s> Rows<'s> {
    /// From the first row on.
    pub(crate) fn new(store: &'s Store, run: &'s str) -> Rows<'s> {
        Rows {
            store,
            run,
            next: None,
            has_ended: false,
        }
    }

    /// The next rows with the keys of their jobs; none after the last.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn next(&mut self) -> Result<Vec<(String, String)>, StoreError> {
        if self.has_ended {
            return Ok(Vec::new());
        }
        let page = self.store.output(self.run, self.next, AT_ONCE).await?;
        self.next = page.next;
        self.has_ended = page.next.is_none();
        Ok(page.rows)
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn the_key_stands_in_front_of_the_row() {
        for (row, expected) in [
            ("{}", r#"{"_key":"a\"b"}"#),
            (r#"{"id":1.50}"#, r#"{"_key":"a\"b","id":1.50}"#),
            (r#"{"a":{"_key":1}}"#, r#"{"_key":"a\"b","a":{"_key":1}}"#),
            (
                r#"{"_key":1,"b":2}"#,
                r#"{"_key":"a\"b","_key_of_row":1,"b":2}"#,
            ),
            (
                "12345678901234567890.1",
                r#"{"_key":"a\"b","value":12345678901234567890.1}"#,
            ),
            ("null", r#"{"_key":"a\"b","value":null}"#),
            ("[1]", r#"{"_key":"a\"b","value":[1]}"#),
            ("\"{\"", r#"{"_key":"a\"b","value":"{"}"#),
        ] {
            assert_eq!(
                keyed("a\"b", row.to_owned()).as_deref(),
                Ok(expected),
                "{row}"
            );
        }
    }
}
