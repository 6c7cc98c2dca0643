//! From the columns of a line to a tool's arguments and the key of its job.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use serde_json::{Map, Value};

use super::lines::{Columns, Line};
use crate::params::{Doubt, KeyError, Place};
use crate::sign::hex;
use crate::template::{Bound, CallScope, Expression, Scope};
use crate::tool::Tool;
use crate::words::{nearest, scalar_text};

/// The longest key, in bytes.
const LONGEST_KEY: usize = 1024;

/// How lines become jobs.
pub(crate) struct Shape<'t> {
    tool: &'t Tool,
    /// Where the columns of texts go, by their names.
    places: BTreeMap<String, Place<'t>>,
    /// A param and the expression that gives its value; with none, each column is the param of its name.
    map: Vec<(String, Expression)>,
    /// Arguments of all lines. What a line says comes before.
    fixed: Map<String, Value>,
    key: Option<Expression>,
    now: Timestamp,
}

/// What a job is made of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shaped {
    /// Tells the job from others of its run.
    pub key: String,
    /// The arguments with defaults, as one JSON text with sorted members.
    pub arguments: String,
}

/// Why lines cannot become jobs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ShapeError {
    /// An expression does not compile or reads what is not there.
    #[error("`{expression}`: {reason}")]
    Expression {
        /// Its text.
        expression: String,
        /// What is wrong.
        reason: String,
    },
    /// A column or a mapping names no param.
    #[error("{0}")]
    Name(String),
}

/// The text between the braces, which may be left out here.
fn inner(text: &str) -> &str {
    let text = text.trim();
    let inner = text
        .strip_prefix("{{")
        .and_then(|text| text.strip_suffix("}}"));
    inner.unwrap_or(text).trim()
}

fn compile(text: &str) -> Result<Expression, ShapeError> {
    Expression::compile(inner(text)).map_err(|(_, reason)| ShapeError::Expression {
        expression: text.to_owned(),
        reason,
    })
}

impl<'t> Shape<'t> {
    /// Lines whose columns are the params of the same names. Words for points in time in texts count from `now`.
    pub(crate) fn new(tool: &'t Tool, fixed: Map<String, Value>, now: Timestamp) -> Shape<'t> {
        Shape {
            tool,
            places: BTreeMap::new(),
            map: Vec::new(),
            fixed,
            key: None,
            now,
        }
    }

    /// Makes the param of the value of an expression over the columns. Columns that no expression reads are left out then.
    ///
    /// # Errors
    /// When the tool has no such param, or the expression does not compile.
    pub(crate) fn with_param(mut self, name: &str, text: &str) -> Result<Shape<'t>, ShapeError> {
        if self.tool.params.get(name).is_none() {
            let known = self.tool.params.iter().map(|param| param.name);
            let hint = nearest(name, known).map(|hint| format!("; {hint}"));
            return Err(ShapeError::Name(format!(
                "{} has no param `{name}`{}",
                self.tool.name,
                hint.unwrap_or_default()
            )));
        }
        self.map.push((name.to_owned(), compile(text)?));
        Ok(self)
    }

    /// Makes the keys of the value of an expression over the arguments, not of their digest.
    ///
    /// # Errors
    /// When the expression does not compile or reads what is no param.
    pub(crate) fn with_key(mut self, text: &str) -> Result<Shape<'t>, ShapeError> {
        let key = compile(text)?;
        for name in key.names() {
            let is_function = key.text().contains(&format!("{name}("));
            if self.tool.params.get(name).is_none() && name != "params" && !is_function {
                let known = self.tool.params.iter().map(|param| param.name);
                let hint = nearest(name, known).map(|hint| format!("; {hint}"));
                return Err(ShapeError::Expression {
                    expression: text.to_owned(),
                    reason: format!(
                        "{} has no param `{name}`{}",
                        self.tool.name,
                        hint.unwrap_or_default()
                    ),
                });
            }
        }
        self.key = Some(key);
        Ok(self)
    }

    /// Finds where the columns of texts go.
    ///
    /// # Errors
    /// When one leads nowhere.
    pub(crate) fn with_columns(mut self, names: &[String]) -> Result<Shape<'t>, ShapeError> {
        if !self.map.is_empty() {
            return Ok(self);
        }
        for name in names {
            let place = self.tool.params.place(name).map_err(|error| {
                ShapeError::Name(match error {
                    KeyError::NoObject { at } => format!("the column {name}: `{at}` is no object"),
                    KeyError::Unknown { at, name: own, known } => {
                        format!("the column {name}: `{at}` has no member `{own}`; {known}")
                    }
                    KeyError::Unclear { at } => {
                        format!("the column {name}: `{at}` takes any members; name the column {at}, with JSON in it")
                    }
                })
            })?;
            if place.path.len() == 1 && self.tool.params.get(name).is_none() {
                let known = self.tool.params.iter().map(|param| param.name);
                let hint = match nearest(name, known) {
                    Some(hint) => format!("; {hint}"),
                    None => String::new(),
                };
                return Err(ShapeError::Name(format!(
                    "the column {name} is no param of {}{hint}",
                    self.tool.name
                )));
            }
            self.places.insert(name.clone(), place);
        }
        Ok(self)
    }

    /// The job of a line, or everything that is wrong with the line.
    pub(crate) fn shape(&self, line: &Line) -> Result<Shaped, Vec<String>> {
        let columns = line.columns.as_ref().map_err(|error| vec![error.clone()])?;
        let mut advice = Vec::new();
        let given = match self.map.is_empty() {
            true => self.by_name(columns, &mut advice),
            false => self.by_map(columns, &mut advice),
        };
        let given = given.map_err(|error| vec![error])?;
        let mut arguments = self.fixed.clone();
        arguments.extend(given);
        let accepted = self
            .tool
            .accept(Value::Object(arguments))
            .map_err(|problems| {
                let told = problems.iter().map(|problem| {
                    let advice = advice.iter().find(|(name, _)| *name == problem.argument);
                    match advice {
                        Some((_, advice)) => format!("{problem}; {advice}"),
                        None => problem.to_string(),
                    }
                });
                told.collect::<Vec<String>>()
            })?;
        let arguments = canonical(&accepted);
        let key = self
            .key(&accepted, &arguments)
            .map_err(|error| vec![error])?;
        Ok(Shaped { key, arguments })
    }

    fn by_name(
        &self,
        columns: &Columns,
        advice: &mut Vec<(String, String)>,
    ) -> Result<Map<String, Value>, String> {
        if !columns.are_texts {
            return Ok(columns.values.clone());
        }
        let mut arguments = Map::new();
        for (name, value) in &columns.values {
            let Some(place) = self.places.get(name) else {
                arguments.insert(name.clone(), value.clone());
                continue;
            };
            let text = value.as_str().unwrap_or_default();
            let value = match place.schema {
                Some(schema) => self.read(schema, name, text, advice)?,
                None => text.into(),
            };
            insert(&mut arguments, &place.path, value)
                .map_err(|at| format!("{name}: another column gives `{at}` as a whole"))?;
        }
        Ok(arguments)
    }

    fn by_map(
        &self,
        columns: &Columns,
        advice: &mut Vec<(String, String)>,
    ) -> Result<Map<String, Value>, String> {
        let _bound = Bound::of_many();
        let mut arguments = Map::new();
        for (name, expression) in &self.map {
            let value = expression.eval(&Row(&columns.values));
            let value = match value.map_err(|error| format!("{name}: {error}"))? {
                Some(Value::Null) => continue,
                Some(value) => value,
                // A cell that is empty is none; a column that is not there is a mistake.
                None if columns.are_texts => continue,
                None => {
                    let missing = expression.names().iter();
                    let mut missing = missing.filter(|name| !columns.values.contains_key(*name));
                    let reason = match missing.next() {
                        Some(missing) => {
                            let known = columns.values.keys().map(String::as_str);
                            let hint = nearest(missing, known).map(|hint| format!("; {hint}"));
                            format!("it has no `{missing}`{}", hint.unwrap_or_default())
                        }
                        None => format!("`{}` gives nothing", expression.text()),
                    };
                    return Err(format!("{name}: {reason}"));
                }
            };
            let schema = self.tool.params.get(name).map(|param| param.schema);
            let value = match (&value, schema) {
                (Value::String(text), Some(schema)) if columns.are_texts => {
                    self.read(schema, name, text, advice)?
                }
                _ => value,
            };
            arguments.insert(name.clone(), value);
        }
        Ok(arguments)
    }

    /// The value that a text stands for, as in `key=value` of a call.
    fn read(
        &self,
        schema: &Value,
        name: &str,
        text: &str,
        advice: &mut Vec<(String, String)>,
    ) -> Result<Value, String> {
        let given = self.tool.params.read(schema, text, &|| self.now);
        let given = given.map_err(|duplicate| format!("{name}: {duplicate}"))?;
        let told = match given.doubt {
            Some(Doubt::Boolean(flag)) => Some(format!("write {flag}")),
            Some(Doubt::Offset(time)) => Some(format!("for UTC write {time}")),
            Some(Doubt::Items(_)) | None => None,
        };
        advice.extend(told.map(|told| (name.to_owned(), told)));
        Ok(given.value)
    }

    fn key(&self, arguments: &Value, canonical: &str) -> Result<String, String> {
        let Some(expression) = &self.key else {
            return Ok(hex(digest(&SHA256, canonical.as_bytes()).as_ref()));
        };
        let _bound = Bound::of_many();
        let scope = CallScope {
            params: arguments,
            settings: &Value::Null,
        };
        let value = expression.eval(&scope);
        let value = value.map_err(|error| format!("the key: {error}"))?;
        let key = match value {
            None | Some(Value::Null) => {
                return Err("the key: the expression gives nothing".to_owned());
            }
            Some(value) => scalar_text(&value).unwrap_or_else(|| self::canonical(&value)),
        };
        match key.len() {
            0 => Err("the key: the expression gives an empty text".to_owned()),
            length if length > LONGEST_KEY => Err(format!(
                "the key: it has {length} bytes, and {LONGEST_KEY} at most are allowed"
            )),
            _ => Ok(key),
        }
    }
}

/// The columns of a line, as expressions see them: each by its own name, and all as `row`.
struct Row<'c>(&'c Map<String, Value>);

impl Scope for Row<'_> {
    fn json(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
}

/// Puts a value into its place inside of objects. The error is the part of the path that is no object.
fn insert(arguments: &mut Map<String, Value>, path: &[String], value: Value) -> Result<(), String> {
    let Some((last, outer)) = path.split_last() else {
        return Ok(());
    };
    let mut members = arguments;
    for (depth, name) in outer.iter().enumerate() {
        let inner = members
            .entry(name.clone())
            .or_insert_with(|| Value::Object(Map::new()));
        members = inner
            .as_object_mut()
            .ok_or_else(|| path[..=depth].join("."))?;
    }
    members.insert(last.clone(), value);
    Ok(())
}

/// A value as one text that does not depend on the order of its members.
pub(crate) fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
            sorted.sort_by_key(|(name, _)| *name);
            text.push('{');
            for (at, (name, member)) in sorted.into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write_canonical(member, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_canonical(item, text);
            }
            text.push(']');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

/// One of several parts of a list of jobs, so that machines without a shared store can work on one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shard {
    /// Which one, counted from 0.
    pub index: u32,
    /// How many there are.
    pub of: u32,
}

impl Shard {
    /// Whether the job of this key is one of them.
    pub(crate) fn takes(self, key: &str) -> bool {
        let hash = digest(&SHA256, key.as_bytes());
        let first = hash.as_ref().first_chunk::<8>().copied();
        u64::from_be_bytes(first.unwrap_or_default()) % u64::from(self.of) == u64::from(self.index)
    }
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let numbers = text.split_once('/');
        let numbers = numbers.and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((index, of)) if index < of => Ok(Shard { index, of }),
            Some((index, of)) if of > 0 => Err(format!(
                "there is no shard {index} of {of}; they are counted from 0 to {}",
                of - 1
            )),
            _ => Err("write INDEX/COUNT, such as 0/4".to_owned()),
        }
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::sync::Arc;

    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;
    use crate::source::{Check, Source};
    use crate::tool::ServiceSource;

    fn tool() -> Tool {
        let text = "
spec: 1
tool: probe
service: { service: probe, base_url: http://127.0.0.1:9 }
description: A probe.
access: read
params:
  required: [id]
  properties:
    id: { type: string }
    limit: { type: integer, default: 20 }
    on: { type: boolean }
    day: { type: string, format: date }
    tags: { type: array, items: { type: string } }
    filter: { type: object, properties: { from: { type: integer } }, additionalProperties: false }
request: { method: GET, path: \"/x/{{ id }}\", query: [limit, on, day, tags] }
";
        let source = Source::parse("probe.yaml".to_owned(), Cow::Borrowed(text)).unwrap();
        let check = Check::new(Arc::clone(&source));
        let tool = Tool::load(&check, &ServiceSource::Absent);
        tool.unwrap_or_else(|| panic!("{:?}", check.into_findings()))
    }

    fn now() -> Timestamp {
        "2026-11-30T10:00:00Z".parse().unwrap()
    }

    fn texts(values: Value) -> Line {
        let Value::Object(values) = values else {
            panic!()
        };
        Line {
            number: 1,
            columns: Ok(Columns {
                values,
                are_texts: true,
            }),
            text: String::new(),
        }
    }

    fn json_line(text: &str) -> Line {
        Line {
            number: 1,
            columns: super::super::lines::object(text).map(|values| Columns {
                values,
                are_texts: false,
            }),
            text: text.to_owned(),
        }
    }

    #[test]
    fn cells_are_read_by_the_schema_of_their_param() {
        let tool = tool();
        let names: Vec<String> = ["id", "limit", "on", "day", "tags", "filter.from"]
            .map(String::from)
            .to_vec();
        let shape = Shape::new(&tool, Map::new(), now())
            .with_columns(&names)
            .unwrap();
        for (cells, expected) in [
            (json!({ "id": "7" }), Ok(json!({ "id": "7", "limit": 20 }))),
            (
                json!({ "id": "7", "limit": "3", "on": "true" }),
                Ok(json!({ "id": "7", "limit": 3, "on": true })),
            ),
            (
                json!({ "id": "7", "day": "yesterday" }),
                Ok(json!({ "id": "7", "limit": 20, "day": "2026-11-29" })),
            ),
            (
                json!({ "id": "7", "tags": "[\"a\",\"b\"]" }),
                Ok(json!({ "id": "7", "limit": 20, "tags": ["a", "b"] })),
            ),
            (
                json!({ "id": "7", "filter.from": "4" }),
                Ok(json!({ "id": "7", "limit": 20, "filter": { "from": 4 } })),
            ),
            (
                json!({ "limit": "3" }),
                Err("id: is required and absent (required)"),
            ),
            (json!({ "id": "7", "limit": "x" }), Err("limit: ")),
            (json!({ "id": "7", "on": "yes" }), Err("write true")),
        ] {
            let shaped = shape.shape(&texts(cells.clone()));
            match expected {
                Ok(expected) => {
                    let arguments =
                        shaped.map(|shaped| serde_json::from_str(&shaped.arguments).unwrap());
                    assert_eq!(arguments, Ok(expected), "{cells}");
                }
                Err(part) => {
                    let told = shaped.unwrap_err().join("; ");
                    assert!(told.contains(part), "{told}");
                }
            }
        }
    }

    #[test]
    fn columns_and_expressions_that_lead_nowhere_are_told_at_once() {
        let tool = tool();
        let shape = || Shape::new(&tool, Map::new(), now());
        let told = |shape: Result<Shape<'_>, ShapeError>| {
            shape
                .err()
                .map(|error| error.to_string())
                .unwrap_or_default()
        };
        for (told, expected) in [
            (
                told(shape().with_columns(&["lmit".to_owned()])),
                "the column lmit is no param of probe; did you mean `limit`?",
            ),
            (
                told(shape().with_columns(&["filter.form".to_owned()])),
                "the column filter.form: `filter` has no member `form`",
            ),
            (
                told(shape().with_param("idd", "x")),
                "probe has no param `idd`; did you mean `id`?",
            ),
            (told(shape().with_param("id", "x +")), "`x +`: "),
            (
                told(shape().with_key("idd")),
                "`idd`: probe has no param `idd`; did you mean `id`?",
            ),
        ] {
            assert!(told.contains(expected), "{told:?} lacks {expected:?}");
        }
    }

    #[test]
    fn the_key_is_the_digest_of_the_arguments_or_what_an_expression_says() {
        let tool = tool();
        let shape = || Shape::new(&tool, Map::new(), now());
        let key =
            |shape: &Shape<'_>, line: &str| shape.shape(&json_line(line)).map(|shaped| shaped.key);
        let plain = shape();
        assert_eq!(
            key(&plain, r#"{"limit": 20, "id": "a"}"#),
            key(&plain, r#"{"id": "a"}"#)
        );
        assert_ne!(key(&plain, r#"{"id": "b"}"#), key(&plain, r#"{"id": "a"}"#));
        assert_eq!(key(&plain, r#"{"id": "a"}"#).unwrap().len(), 64);
        for (expression, line, expected) in [
            ("id", r#"{"id": "a"}"#, Ok("a")),
            ("{{ id }}", r#"{"id": "a"}"#, Ok("a")),
            ("id ~ '-' ~ limit", r#"{"id": "a"}"#, Ok("a-20")),
            ("limit", r#"{"id": "a", "limit": 3}"#, Ok("3")),
            ("tags", r#"{"id": "a", "tags": ["x"]}"#, Ok("[\"x\"]")),
            (
                "day",
                r#"{"id": "a"}"#,
                Err("the key: the expression gives nothing"),
            ),
            (
                "id",
                r#"{"id": ""}"#,
                Err("the key: the expression gives an empty text"),
            ),
        ] {
            let shape = shape().with_key(expression).unwrap();
            let expected = expected
                .map(str::to_owned)
                .map_err(|told| vec![told.to_owned()]);
            assert_eq!(key(&shape, line), expected, "{expression} over {line}");
        }
    }

    #[test]
    fn a_map_takes_what_it_names_and_nothing_else() {
        let tool = tool();
        let fixed = json!({ "limit": 5 });
        let shape = Shape::new(&tool, fixed.as_object().unwrap().clone(), now());
        let shape = shape
            .with_param("id", "user.id")
            .unwrap()
            .with_param("day", "seen")
            .unwrap();
        for (line, expected) in [
            (
                r#"{"user": {"id": "u1"}, "seen": "2026-01-01", "other": 1}"#,
                Ok(json!({ "id": "u1", "limit": 5, "day": "2026-01-01" })),
            ),
            (
                r#"{"user": {"id": "u1"}, "seen": null}"#,
                Ok(json!({ "id": "u1", "limit": 5 })),
            ),
            (
                r#"{"user": {"id": "u1"}, "sen": 1}"#,
                Err("day: it has no `seen`; did you mean `sen`?"),
            ),
        ] {
            let shaped = shape.shape(&json_line(line));
            let arguments =
                shaped.map(|shaped| serde_json::from_str::<Value>(&shaped.arguments).unwrap());
            assert_eq!(
                arguments,
                expected.map_err(|told| vec![told.to_owned()]),
                "{line}"
            );
        }
    }

    #[test]
    fn each_key_is_in_one_shard() {
        let shards: Vec<Shard> = (0..4).map(|index| Shard { index, of: 4 }).collect();
        let mut counts = [0; 4];
        for key in 0..1000 {
            let key = key.to_string();
            let takers: Vec<u32> = shards
                .iter()
                .filter(|shard| shard.takes(&key))
                .map(|shard| shard.index)
                .collect();
            assert_eq!(takers.len(), 1, "{key}");
            counts[takers[0] as usize] += 1;
        }
        assert!(
            counts.iter().all(|count| (200..300).contains(count)),
            "{counts:?}"
        );
        for (text, expected) in [
            ("0/4", Ok(Shard { index: 0, of: 4 })),
            (
                "4/4",
                Err("there is no shard 4 of 4; they are counted from 0 to 3".to_owned()),
            ),
            ("1", Err("write INDEX/COUNT, such as 0/4".to_owned())),
            ("0/0", Err("write INDEX/COUNT, such as 0/4".to_owned())),
        ] {
            assert_eq!(text.parse::<Shard>(), expected, "{text}");
        }
    }
}
