//! Params and arguments: the first stage of a call.
//!
//! A tool's `params` are a JSON Schema (2020-12). Arguments are checked against it with format assertions, defaults
//! are filled in, and every violation is reported, not the first alone.

mod bounds;
mod given;
mod key;
mod mended;
mod moment;
mod quick;

use std::fmt;
use std::sync::OnceLock;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use serde::Serialize;
use serde_json::{Map, Value, json};

pub(crate) use bounds::bounded;
pub(crate) use given::Doubt;
pub(crate) use key::{KeyError, Place};
pub(crate) use mended::{FORMAT_HINTS, FORMATS, KEYWORDS, TYPES, as_meant};

use crate::json::{Json, is_exact, member};
use crate::source::Check;
use crate::template::{Can, Types};
use crate::words::{kind_of, nearest};

/// The params of a tool.
pub(crate) struct Params {
    schema: Value,
    /// Whether the section cannot be read, so that any name may be a param.
    are_unknown: bool,
    prepared: OnceLock<Prepared>,
    validator: OnceLock<Result<Validator, String>>,
}

/// What each call needs of the schema, prepared by the first one.
struct Prepared {
    defaults: Vec<(String, Value)>,
    quick: quick::Quick,
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Params").field(&self.schema).finish()
    }
}

/// One param as a user sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Param<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its JSON Schema.
    pub schema: &'a Value,
    /// Whether a call must give it.
    pub required: bool,
}

impl Param<'_> {
    /// The `description` of the schema.
    pub(crate) fn description(&self) -> Option<&str> {
        self.schema.get("description").and_then(Value::as_str)
    }

    /// The `default` of the schema.
    pub(crate) fn default(&self) -> Option<&Value> {
        self.schema.get("default")
    }
}

fn types_of(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name.as_str()],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// What is wrong with one argument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArgumentProblem {
    /// The argument, and the way into it, such as `group_by[0]`; empty for the arguments as a whole.
    pub argument: String,
    /// The JSON Schema keyword that the value violates.
    pub rule: String,
    /// What is wrong with the value.
    pub message: String,
}

impl fmt::Display for ArgumentProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.argument.is_empty() {
            write!(f, "{} ({})", self.message, self.rule)
        } else {
            write!(f, "{}: {} ({})", self.argument, self.message, self.rule)
        }
    }
}

impl Params {
    /// Reads the `params` section; without one there are no params. `type: object` and `additionalProperties: false`
    /// are implied.
    pub(crate) fn new(section: Option<&Value>) -> Params {
        let mut schema = Map::new();
        schema.insert("type".into(), json!("object"));
        if let Some(Value::Object(section)) = section {
            schema.extend(section.iter().map(|(k, v)| (k.clone(), v.clone())));
        }
        schema
            .entry("properties")
            .or_insert_with(|| Value::Object(Map::new()));
        schema
            .entry("additionalProperties")
            .or_insert(Value::Bool(false));
        Params {
            schema: Value::Object(schema),
            are_unknown: false,
            prepared: OnceLock::new(),
            validator: OnceLock::new(),
        }
    }

    /// Reads the section at `pointer`, whose mistakes are reported already. Its sound parts are read in any case.
    pub(crate) fn sound_of(section: Option<Value>, pointer: &str, check: &Check) -> Params {
        match check.proves() && check.is_broken(pointer) {
            true => mended::read(section, pointer, check),
            false => Params::new(section.as_ref()),
        }
    }

    /// Whether the section cannot be read, so that any name may be a param.
    pub(crate) fn are_unknown(&self) -> bool {
        self.are_unknown
    }

    /// What values the params can have: as members of `params` and, where they have names of their own, also so.
    pub(crate) fn types(&self, have_names: bool) -> Types {
        let mut types = Types::new();
        let root = std::sync::Arc::new(self.schema.clone());
        for param in self.iter() {
            let can = Can::be_as(param.schema, &root);
            types.insert(format!("params.{}", param.name), can.clone());
            if have_names {
                types.insert(param.name.to_owned(), can);
            }
        }
        types
    }

    /// The whole JSON Schema of the arguments.
    pub(crate) fn schema(&self) -> &Value {
        &self.schema
    }

    /// The params in the order of the descriptor.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Param<'_>> {
        let required = self.schema.get("required").and_then(Value::as_array);
        self.schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(move |(name, schema)| Param {
                name,
                schema,
                required: required.is_some_and(|list| list.iter().any(|r| r == name)),
            })
    }

    /// The param of this name.
    pub(crate) fn get(&self, name: &str) -> Option<Param<'_>> {
        self.iter().find(|param| param.name == name)
    }

    fn validator(&self) -> Result<&Validator, String> {
        self.validator
            .get_or_init(|| compile(&self.schema))
            .as_ref()
            .map_err(Clone::clone)
    }

    fn prepared(&self) -> &Prepared {
        self.prepared.get_or_init(|| Prepared {
            defaults: self
                .iter()
                .filter_map(|param| Some((param.name.to_owned(), param.default()?.clone())))
                .collect(),
            quick: quick::Quick::new(&self.schema),
        })
    }

    /// Checks the arguments and fills in defaults.
    ///
    /// # Errors
    /// Every violation; the list is never empty.
    pub(crate) fn accept(&self, arguments: Value) -> Result<Value, Vec<ArgumentProblem>> {
        let mut arguments = match arguments {
            Value::Null => Map::new(),
            Value::Object(members) => members,
            other => {
                return Err(vec![ArgumentProblem {
                    argument: String::new(),
                    rule: "type".to_owned(),
                    message: format!(
                        "the arguments must be one JSON object, not {}",
                        kind_of(&other)
                    ),
                }]);
            }
        };
        let prepared = self.prepared();
        for (name, default) in &prepared.defaults {
            if member(&arguments, name).is_none() {
                arguments.insert(name.clone(), default.clone());
            }
        }
        let arguments = Value::Object(arguments);
        if prepared.quick.is_surely_valid(&arguments) {
            return Ok(arguments);
        }
        let validator = self.validator().map_err(|message| {
            vec![ArgumentProblem {
                argument: String::new(),
                rule: "schema".to_owned(),
                message,
            }]
        })?;
        if validator.is_valid(&arguments) {
            return Ok(arguments);
        }
        let problems: Vec<ArgumentProblem> = validator
            .iter_errors(&arguments)
            .flat_map(|error| self.explain(&error))
            .collect();
        Err(problems)
    }

    fn explain(&self, error: &ValidationError<'_>) -> Vec<ArgumentProblem> {
        let place = argument_name(&error.instance_path().to_string());
        let rule = error.kind().keyword().to_owned();
        let problem = |argument: String, message: String| ArgumentProblem {
            argument,
            rule: rule.clone(),
            message,
        };
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } if place.is_empty() => {
                unexpected
                    .iter()
                    .map(|name| problem(name.clone(), self.unknown(name)))
                    .collect()
            }
            ValidationErrorKind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                let argument = if place.is_empty() {
                    name.to_owned()
                } else {
                    format!("{place}.{name}")
                };
                vec![problem(argument, "is required and absent".to_owned())]
            }
            _ => {
                let message = self.authored_message(error).unwrap_or_else(|| word(error));
                vec![problem(place, message)]
            }
        }
    }

    fn unknown(&self, name: &str) -> String {
        let known: Vec<&str> = self.iter().map(|param| param.name).collect();
        match nearest(name, known.iter().copied()) {
            Some(suggestion) => format!("is no argument of this tool; {suggestion}"),
            None if known.is_empty() => "is no argument of this tool, which takes none".to_owned(),
            None => format!("is no argument of this tool; it takes {}", known.join(", ")),
        }
    }

    /// The `description` next to a `not`, or in a subschema that is never met. The author explains such a rule better
    /// than we could.
    fn authored_message(&self, error: &ValidationError<'_>) -> Option<String> {
        if !matches!(
            error.kind(),
            ValidationErrorKind::Not { .. } | ValidationErrorKind::FalseSchema
        ) {
            return None;
        }
        let path = error.schema_path().to_string();
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        self.schema
            .pointer(parent)?
            .get("description")?
            .as_str()
            .map(str::to_owned)
    }
}

/// Compiles a schema for checking arguments: 2020-12, with formats checked, and patterns that cannot run forever.
///
/// # Errors
/// Why it does not compile.
pub(crate) fn compile(schema: &Value) -> Result<Validator, String> {
    build(schema, true)
}

/// Compiles a schema for checking an output. Formats say what a text is for there, and are not checked.
///
/// # Errors
/// Why it does not compile.
pub(crate) fn compile_output(schema: &Value) -> Result<Validator, String> {
    build(schema, false)
}

/// How many steps back a pattern with look-around may take for one text. Then the text counts as one that does not match.
const MOST_STEPS: usize = 100_000;

fn build(schema: &Value, checks_formats: bool) -> Result<Validator, String> {
    bounded(schema).map_err(|(_, reason)| reason)?;
    let options = || {
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(checks_formats)
    };
    // Most patterns need no step back, and take linear time. Others, with look-around, are bounded.
    let linear = PatternOptions::regex();
    let bounded = PatternOptions::fancy_regex().backtrack_limit(MOST_STEPS);
    options()
        .with_pattern_options(linear)
        .build(schema)
        .or_else(|_| options().with_pattern_options(bounded).build(schema))
        .map_err(|error| format!("no usable JSON Schema: {}", word(&error)))
}

/// Whether a text is a regular expression that a schema may have: also one with look-around, as in JavaScript.
pub(crate) fn is_pattern(text: &str) -> bool {
    regex::Regex::new(text).is_ok() || compile(&json!({ "pattern": text })).is_ok()
}

/// `/group_by/0` as `group_by[0]`.
fn argument_name(pointer: &str) -> String {
    let mut name = String::new();
    for token in pointer.split('/').skip(1) {
        if token.bytes().all(|b| b.is_ascii_digit()) && !name.is_empty() {
            name.push_str(&format!("[{token}]"));
        } else {
            if !name.is_empty() {
                name.push('.');
            }
            name.push_str(&token.replace("~1", "/").replace("~0", "~"));
        }
    }
    name
}

/// Says which rule a value violates, in one short sentence that does not repeat the schema.
pub(crate) fn word(error: &ValidationError<'_>) -> String {
    let value = || short(error.instance());
    match error.kind() {
        ValidationErrorKind::Type { kind } if error.instance().is_null() => {
            format!("must be {}, but is null", type_words(kind))
        }
        ValidationErrorKind::Type { kind } => format!(
            "must be {}, but {} is {}",
            type_words(kind),
            value(),
            kind_of(error.instance())
        ),
        ValidationErrorKind::Enum { options } => {
            let options: Vec<String> = options
                .as_array()
                .map(|list| list.iter().map(short).collect())
                .unwrap_or_default();
            let hint = error
                .instance()
                .as_str()
                .and_then(|given| nearest(given, options.iter().map(|o| o.trim_matches('"'))))
                .map(|hint| format!("; {hint}"))
                .unwrap_or_default();
            format!("{} is not one of {}{hint}", value(), options.join(", "))
        }
        ValidationErrorKind::Constant { expected_value } => {
            format!("must be {}, not {}", short(expected_value), value())
        }
        ValidationErrorKind::Maximum { limit } => {
            format!("{} is greater than the maximum of {limit}", value())
        }
        ValidationErrorKind::Minimum { limit } => {
            format!("{} is less than the minimum of {limit}", value())
        }
        ValidationErrorKind::ExclusiveMaximum { limit } => {
            format!("{} must be less than {limit}", value())
        }
        ValidationErrorKind::ExclusiveMinimum { limit } => {
            format!("{} must be greater than {limit}", value())
        }
        ValidationErrorKind::MaxLength { limit } => {
            format!("{} is longer than {limit} characters", value())
        }
        ValidationErrorKind::MinLength { limit } => {
            format!("{} is shorter than {limit} characters", value())
        }
        ValidationErrorKind::MaxItems { limit } => {
            format!("has more than {limit} items")
        }
        ValidationErrorKind::MinItems { limit } => format!("has fewer than {limit} items"),
        ValidationErrorKind::UniqueItems => format!("{} holds an item twice", value()),
        ValidationErrorKind::Pattern { pattern } => {
            format!("{} does not match the pattern {pattern}", value())
        }
        ValidationErrorKind::Format { format } => {
            format!("{} is no {}", value(), format_words(format))
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            format!("has unknown members: {}", unexpected.join(", "))
        }
        ValidationErrorKind::Required { property } => {
            format!("lacks the required member {property}")
        }
        ValidationErrorKind::BacktrackLimitExceeded { .. } => {
            format!("{} takes too long to compare with its pattern", value())
        }
        ValidationErrorKind::FalseSchema => "is not allowed here".to_owned(),
        _ => crop(&error.to_string()),
    }
}

fn format_words(format: &str) -> String {
    match format {
        "date-time" => "RFC 3339 date and time, such as 2026-01-31T00:00:00Z".to_owned(),
        "date" => "date, such as 2026-01-31".to_owned(),
        other => other.to_owned(),
    }
}

fn type_words(kind: &TypeKind) -> String {
    let article = |name: &str| match name {
        "array" | "integer" | "object" => format!("an {name}"),
        "null" => "null".to_owned(),
        other => format!("a {other}"),
    };
    match kind {
        TypeKind::Single(name) => article(&name.to_string()),
        TypeKind::Multiple(names) => names
            .iter()
            .map(|name| article(&name.to_string()))
            .collect::<Vec<_>>()
            .join(" or "),
    }
}

/// A value as JSON, shortened if it is long.
fn short(value: &Value) -> String {
    crop(&value.to_string())
}

fn crop(text: &str) -> String {
    const MOST: usize = 80;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// Reads `key=value` according to the param's schema: as a number, a boolean or an array item if the schema names that
/// type, otherwise as a string. A value that cannot be read as its type stays a string, and the check refuses it.
pub(crate) fn read_text(schema: &Value, text: &str) -> Value {
    for name in types_of(schema) {
        let read = match name {
            // A number that would lose digits stays a text, and the schema refuses it.
            "integer" | "number" => serde_json::from_str::<serde_json::Number>(text)
                .ok()
                .filter(|_| is_exact(text))
                .map(Value::Number),
            "boolean" => text.parse::<bool>().ok().map(Value::Bool),
            "null" if text == "null" => Some(Value::Null),
            "object" if text.trim_start().starts_with('{') => exact(text),
            "array" if text.trim_start().starts_with('[') => exact(text),
            "array" => {
                let item = schema.get("items").unwrap_or(&Value::Null);
                Some(Value::Array(vec![read_text(item, text)]))
            }
            _ => None,
        };
        if let Some(value) = read {
            return value;
        }
    }
    Value::String(text.to_owned())
}

/// The value of a JSON text, if a tree can hold it without loss.
fn exact(text: &str) -> Option<Value> {
    Json::read(text.to_owned().into()).ok()?.value().ok()
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn params() -> Params {
        Params::new(Some(&json!({
            "required": ["since"],
            "properties": {
                "limit": { "type": "integer", "minimum": 1, "maximum": 1000, "default": 20 },
                "since": { "type": "string", "format": "date-time" },
                "flag": { "type": "boolean" },
                "kinds": { "type": "array", "items": { "enum": ["one", "three"] } },
            },
            "dependentSchemas": {
                "flag": { "not": { "required": ["kinds"] }, "description": "`flag` and `kinds` exclude each other" },
            },
        })))
    }

    #[test]
    fn defaults_are_filled_in_and_types_kept() {
        let accepted = params().accept(json!({"since": "2026-01-01T00:00:00Z", "flag": false}));
        assert_eq!(
            accepted,
            Ok(json!({"since": "2026-01-01T00:00:00Z", "flag": false, "limit": 20}))
        );
    }

    #[test]
    fn every_violation_is_told() {
        let problems = params()
            .accept(json!({"limt": 3, "limit": 2000, "kinds": ["on", 1], "flag": "yes"}))
            .unwrap_err();
        let mut told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        told.sort();
        assert_eq!(
            told,
            [
                "`flag` and `kinds` exclude each other (not)",
                "flag: must be a boolean, but \"yes\" is a string (type)",
                "kinds[0]: \"on\" is not one of \"one\", \"three\"; did you mean `one`? (enum)",
                "kinds[1]: 1 is not one of \"one\", \"three\" (enum)",
                "limit: 2000 is greater than the maximum of 1000 (maximum)",
                "limt: is no argument of this tool; did you mean `limit`? (additionalProperties)",
                "since: is required and absent (required)",
            ]
        );
    }

    #[test]
    fn formats_are_asserted() {
        for since in ["2026-01-01", "yesterday", "2026-13-01T00:00:00Z"] {
            assert!(
                params().accept(json!({ "since": since })).is_err(),
                "{since}"
            );
        }
    }

    #[test]
    fn patterns_with_look_around_are_bounded() {
        let params = |pattern: &str| {
            let schema = json!({ "properties": { "a": { "type": "string", "pattern": pattern } } });
            Params::new(Some(&schema))
        };
        for (pattern, fits, differs) in [
            ("^(?!admin$)[a-z]+$", "ada", "admin"),
            ("^(?=.*[0-9])(?=.*[a-z]).{4,}$", "abc1", "abcd"),
            ("^([a-z])\\1$", "aa", "ab"),
            ("(?<=a)b", "ab", "bb"),
        ] {
            assert!(
                params(pattern).accept(json!({ "a": fits })).is_ok(),
                "{pattern}"
            );
            let problems = params(pattern).accept(json!({ "a": differs })).unwrap_err();
            assert_eq!(problems[0].rule, "pattern", "{pattern}");
        }
        let hostile = format!("{}!", "a".repeat(40_000));
        for pattern in [
            "^(?=(a+)+$)b",
            "^(?=(a|aa)+$)",
            "^(a*)*\\1b$",
            "(?!x)(.*a){20}$",
        ] {
            let began = std::time::Instant::now();
            let problems = params(pattern).accept(json!({ "a": hostile })).unwrap_err();
            assert!(
                began.elapsed().as_secs() < 5,
                "{pattern} took {:?}",
                began.elapsed()
            );
            assert!(!problems.is_empty());
        }
    }

    #[test]
    fn text_is_read_by_the_schema() {
        for (schema, text, expected) in [
            (json!({"type": "integer"}), "2", json!(2)),
            (json!({"type": "integer"}), "two", json!("two")),
            (json!({"type": "boolean"}), "true", json!(true)),
            (json!({"type": "string"}), "2", json!("2")),
            (json!({"type": ["null", "integer"]}), "null", json!(null)),
            (
                json!({"type": "array", "items": {"type": "integer"}}),
                "2",
                json!([2]),
            ),
            (json!({"type": "array"}), "[1, 2]", json!([1, 2])),
            (json!({"type": "object"}), "{\"a\": 1}", json!({"a": 1})),
            (json!({}), "2", json!("2")),
        ] {
            assert_eq!(read_text(&schema, text), expected, "{schema} {text}");
        }
    }
}
