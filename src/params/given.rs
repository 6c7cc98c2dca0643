//! What a person means by the text of `key=value`: the value that the schema makes of it, and what is not plain.

use std::cell::Cell;

use jiff::Timestamp;
use serde_json::Value;

use super::key::{alternatives, resolved};
use super::moment::{self, Form};
use super::{Params, exact, types_of};
use crate::json::{Duplicate, duplicate_key, is_exact};

/// The value that a text stands for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Given {
    /// The value. A text that cannot be read by the schema stays a string, and checking the arguments refuses it.
    pub value: Value,
    /// Whether the text is a word for a point in time, so that the value is not what was written.
    pub is_moment: bool,
    /// What may be meant instead, where the text is not what such a param takes, or not plain.
    pub doubt: Option<Doubt>,
}

/// What may be meant instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// A boolean, written as another word.
    Boolean(bool),
    /// Several items, where a comma may also be a part of one.
    Items(Vec<String>),
    /// A date and time in UTC; the text does not say its offset.
    Offset(String),
}

impl Given {
    fn plain(value: Value) -> Given {
        Given {
            value,
            is_moment: false,
            doubt: None,
        }
    }
}

impl Params {
    /// Reads a text by the schema of a param or of a member inside one: as a number or a boolean, as an array or an
    /// object in JSON, or as one item of an array. A text with commas is several items where no item can hold a comma:
    /// numbers, booleans, and strings of an `enum`. Where the schema asks for a date or a date and time, words such as
    /// `yesterday` and `-7d` count from `now`, which is asked for only then.
    ///
    /// # Errors
    /// When JSON has a key twice.
    pub(crate) fn read(
        &self,
        schema: &Value,
        text: &str,
        now: &dyn Fn() -> Timestamp,
    ) -> Result<Given, Duplicate> {
        let reader = Reader {
            root: self.schema(),
            now,
            steps: Cell::new(MAX_STEPS),
        };
        let read = reader.read(schema, text)?;
        Ok(read.unwrap_or_else(|| {
            let schema = resolved(reader.root, schema);
            Given {
                doubt: reader.doubt(schema, text),
                ..Given::plain(text.into())
            }
        }))
    }
}

/// How many schemas one text is tried with. A schema may lead back to itself.
const MAX_STEPS: u32 = 200;

struct Reader<'s> {
    root: &'s Value,
    now: &'s dyn Fn() -> Timestamp,
    /// How many more schemas are tried.
    steps: Cell<u32>,
}

impl Reader<'_> {
    /// The value by the first type that the text can be; `None` if it is a plain string.
    fn read(&self, schema: &Value, text: &str) -> Result<Option<Given>, Duplicate> {
        let Some(steps) = self.steps.get().checked_sub(1) else {
            return Ok(None);
        };
        self.steps.set(steps);
        let schema = resolved(self.root, schema);
        let types = types_of(schema);
        if types.is_empty() && !self.takes_any_text(schema) {
            let may_be_text = alternatives(schema)
                .any(|other| types_of(resolved(self.root, other)).contains(&"string"));
            for other in alternatives(schema) {
                let given = self.read(other, text)?;
                if let Some(given) =
                    given.filter(|given| !may_be_text || is_written_so(&given.value, text))
                {
                    return Ok(Some(given));
                }
            }
        }
        for name in &types {
            let value = match *name {
                // A number that would lose digits stays a text, and the schema refuses it.
                "integer" | "number" => serde_json::from_str::<serde_json::Number>(text)
                    .ok()
                    .filter(|_| is_exact(text))
                    .map(Value::Number)
                    .filter(|value| !types.contains(&"string") || is_written_so(value, text)),
                "boolean" => text.parse::<bool>().ok().map(Value::Bool),
                "null" if text == "null" => Some(Value::Null),
                "object" if text.trim_start().starts_with('{') => unique(text)?,
                "array" if text.trim_start().starts_with('[') => unique(text)?,
                "array" => return self.items(schema, text).map(Some),
                _ => None,
            };
            if value.is_some() {
                return Ok(value.map(Given::plain));
            }
        }
        Ok(self.moment(schema, text))
    }

    fn moment(&self, schema: &Value, text: &str) -> Option<Given> {
        let types = types_of(schema);
        let form = schema
            .get("format")
            .and_then(Value::as_str)
            .and_then(Form::of)?;
        let sent = moment::read(form, text, self.now)
            .filter(|_| types.is_empty() || types.contains(&"string"))?;
        Some(Given {
            is_moment: true,
            ..Given::plain(sent.into())
        })
    }

    /// The text as an item of an array, or as several.
    fn items(&self, schema: &Value, text: &str) -> Result<Given, Duplicate> {
        let item = resolved(self.root, schema.get("items").unwrap_or(&Value::Null));
        let item_of = |text: &str| -> Result<Given, Duplicate> {
            let read = self.read(item, text)?;
            Ok(read.unwrap_or_else(|| Given {
                doubt: self.doubt(item, text),
                ..Given::plain(text.into())
            }))
        };
        if !text.contains(',') || is_one_of(item, text) {
            let one = item_of(text)?;
            return Ok(Given {
                value: Value::Array(vec![one.value]),
                ..one
            });
        }
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        if !is_free_of_commas(item) {
            let one = item_of(text)?;
            let parts = parts.into_iter().map(str::to_owned).collect();
            return Ok(Given {
                value: Value::Array(vec![one.value]),
                doubt: Some(Doubt::Items(parts)),
                ..one
            });
        }
        let mut items = Vec::with_capacity(parts.len());
        for part in parts {
            items.push(item_of(part)?.value);
        }
        Ok(Given::plain(Value::Array(items)))
    }

    /// What may be meant by a text that stays a string.
    fn doubt(&self, schema: &Value, text: &str) -> Option<Doubt> {
        let takes = |name: &str| self.takes(schema, name);
        if takes("boolean") && !self.takes_any_text(schema) {
            return boolean_word(text).map(Doubt::Boolean);
        }
        let is_time = |schema: &Value| {
            schema
                .get("format")
                .is_some_and(|format| format == "date-time")
        };
        if is_time(schema) || alternatives(schema).any(is_time) {
            return moment::with_offset(text).map(Doubt::Offset);
        }
        None
    }

    fn takes(&self, schema: &Value, name: &str) -> bool {
        types_of(schema).contains(&name)
            || alternatives(schema)
                .any(|other| types_of(resolved(self.root, other)).contains(&name))
    }

    /// Whether any text at all will do, so that none may be read as something else.
    fn takes_any_text(&self, schema: &Value) -> bool {
        let is_text =
            |schema: &Value| types_of(schema).contains(&"string") && schema.get("format").is_none();
        is_text(schema) || alternatives(schema).any(|other| is_text(resolved(self.root, other)))
    }
}

fn unique(text: &str) -> Result<Option<Value>, Duplicate> {
    match duplicate_key(text) {
        Some(duplicate) => Err(duplicate),
        None => Ok(exact(text)),
    }
}

/// Where a text may be meant, only a number as JSON writes it is one: `3`, and not `1e3` or ` 3`.
fn is_written_so(value: &Value, text: &str) -> bool {
    match value {
        Value::Number(number) => text == number.to_string(),
        _ => true,
    }
}

fn is_one_of(schema: &Value, text: &str) -> bool {
    let options = schema.get("enum").and_then(Value::as_array);
    options.is_some_and(|options| options.iter().any(|option| option == text))
}

/// Whether no item of this schema can hold a comma.
fn is_free_of_commas(item: &Value) -> bool {
    if let Some(options) = item.get("enum").and_then(Value::as_array) {
        return options
            .iter()
            .all(|option| option.as_str().is_none_or(|text| !text.contains(',')));
    }
    let types = types_of(item);
    let is_free = |name: &&str| ["integer", "number", "boolean", "null"].contains(name);
    !types.is_empty() && types.iter().all(is_free)
}

fn boolean_word(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "y" | "on" | "1" | "true" | "t" => Some(true),
        "no" | "n" | "off" | "0" | "false" | "f" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;

    fn read(schema: &Value, text: &str) -> Given {
        let params = Params::new(Some(&json!({
            "$defs": { "kind": { "enum": ["one", "two"] }, "kinds": { "type": "array", "items": { "$ref": "#/$defs/kind" } },
                "loop": { "anyOf": [{ "$ref": "#/$defs/loop" }, { "$ref": "#/$defs/list" }] },
                "list": { "type": "array", "items": { "$ref": "#/$defs/loop" } } },
        })));
        let now = "2026-11-29T21:45:10Z".parse().unwrap();
        params.read(schema, text, &|| now).unwrap()
    }

    #[test]
    fn text_is_read_by_the_schema() {
        let kinds = json!({ "type": "array", "items": { "enum": ["one", "two"] } });
        let commas = json!({ "type": "array", "items": { "enum": ["a,b", "c"] } });
        let of = |item: Value| json!({ "type": "array", "items": item });
        let nullable = |schema: Value| json!({ "anyOf": [schema, { "type": "null" }] });
        let time = json!({ "type": "string", "format": "date-time" });
        for (schema, text, expected) in [
            (json!({"type": "integer"}), "2", json!(2)),
            (json!({"type": "integer"}), "two", json!("two")),
            (
                json!({"type": "integer"}),
                "12345678901234567890123",
                json!("12345678901234567890123"),
            ),
            (json!({"type": "boolean"}), "true", json!(true)),
            (json!({"type": "boolean"}), "yes", json!("yes")),
            (json!({"type": "string"}), "2", json!("2")),
            (json!({"type": ["null", "integer"]}), "null", json!(null)),
            (json!({"type": "object"}), "{\"a\": 1}", json!({"a": 1})),
            (json!({}), "2", json!("2")),
            (nullable(json!({"type": "integer"})), "2", json!(2)),
            (nullable(json!({"type": "integer"})), "null", json!(null)),
            (nullable(json!({"type": "string"})), "2", json!("2")),
            (
                json!({"anyOf": [{"type": "integer"}, {"type": "string"}]}),
                "2",
                json!("2"),
            ),
            (
                nullable(time.clone()),
                "today",
                json!("2026-11-29T00:00:00Z"),
            ),
            // Arrays.
            (of(json!({"type": "integer"})), "2", json!([2])),
            (of(json!({"type": "integer"})), "2,3, 4", json!([2, 3, 4])),
            (of(json!({"type": "number"})), "2.5,-3", json!([2.5, -3])),
            (of(json!({"type": "integer"})), "2,x", json!([2, "x"])),
            (
                of(json!({"type": "boolean"})),
                "true,false",
                json!([true, false]),
            ),
            (json!({"type": "array"}), "[1, 2]", json!([1, 2])),
            (kinds.clone(), "one,two", json!(["one", "two"])),
            (kinds.clone(), "one,", json!(["one", ""])),
            (kinds, "one", json!(["one"])),
            (
                json!({"$ref": "#/$defs/kinds"}),
                "one,two",
                json!(["one", "two"]),
            ),
            (commas.clone(), "a,b", json!(["a,b"])),
            (commas, "c,c", json!(["c,c"])),
            (of(json!({"type": "string"})), "x,y", json!(["x,y"])),
            (
                of(json!({"type": ["string", "integer"]})),
                "1,2",
                json!(["1,2"]),
            ),
            (of(time.clone()), "-1d", json!(["2026-11-28T00:00:00Z"])),
            // Times.
            (time.clone(), "-7d", json!("2026-11-22T00:00:00Z")),
            (time.clone(), "2026-11-01", json!("2026-11-01T00:00:00Z")),
            (
                time,
                "2026-11-01T10:00:00+01:00",
                json!("2026-11-01T10:00:00+01:00"),
            ),
            (
                json!({"type": "string", "format": "date"}),
                "yesterday",
                json!("2026-11-28"),
            ),
            (json!({"type": "string"}), "yesterday", json!("yesterday")),
            (
                json!({"type": "integer", "format": "date-time"}),
                "now",
                json!("now"),
            ),
        ] {
            assert_eq!(read(&schema, text).value, expected, "{schema} {text}");
        }
    }

    #[test]
    fn a_schema_that_leads_back_to_itself_ends() {
        let found = read(&json!({ "$ref": "#/$defs/loop" }), "x");
        assert!(found.value.is_array() || found.value == "x");
    }

    #[test]
    fn what_is_not_plain_is_a_doubt() {
        let items = |parts: &[&str]| {
            Some(Doubt::Items(
                parts.iter().map(ToString::to_string).collect(),
            ))
        };
        let texts = json!({ "type": "array", "items": { "type": "string" } });
        let flag = json!({ "type": "boolean" });
        for (schema, text, expected) in [
            (flag.clone(), "yes", Some(Doubt::Boolean(true))),
            (flag.clone(), "On", Some(Doubt::Boolean(true))),
            (flag.clone(), "TRUE", Some(Doubt::Boolean(true))),
            (flag.clone(), "off", Some(Doubt::Boolean(false))),
            (flag.clone(), "no", Some(Doubt::Boolean(false))),
            (flag.clone(), "maybe", None),
            (flag, "true", None),
            (json!({"type": ["boolean", "string"]}), "yes", None),
            (
                json!({"anyOf": [{"type": "boolean"}, {"type": "null"}]}),
                "no",
                Some(Doubt::Boolean(false)),
            ),
            (texts.clone(), "x,y", items(&["x", "y"])),
            (texts.clone(), "x", None),
            (texts, "[\"x,y\"]", None),
            (
                json!({"type": "string", "format": "date-time"}),
                "2026-11-01T10:00:00",
                Some(Doubt::Offset("2026-11-01T10:00:00Z".to_owned())),
            ),
        ] {
            assert_eq!(read(&schema, text).doubt, expected, "{schema} {text}");
        }
    }
}
