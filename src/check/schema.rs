//! Checks of the JSON Schemas that a descriptor holds: its params and its output.
//!
//! JSON Schema itself ignores what it does not know, such as a misspelt keyword or an unknown format. A descriptor must
//! not contain such things.

use std::cell::RefCell;

use jsonschema::error::ValidationErrorKind;
use serde_json::{Map, Value};

use super::defaults::{self, Given};
pub(crate) use crate::params::KEYWORDS;
use crate::params::{FORMAT_HINTS, FORMATS, TYPES, bounded, compile, is_pattern, word};
use crate::source::{Check, Code, join, join_index};
use crate::words::nearest;

/// Keywords whose value is a map from names to schemas.
const MAPS: [&str; 4] = [
    "properties",
    "patternProperties",
    "$defs",
    "dependentSchemas",
];
/// Keywords whose value is a list of schemas.
const LISTS: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
/// Keywords whose value is a schema.
const SINGLES: [&str; 10] = [
    "items",
    "additionalProperties",
    "contains",
    "propertyNames",
    "not",
    "if",
    "then",
    "else",
    "unevaluatedProperties",
    "contentSchema",
];

/// Checks a schema at `pointer`; mistakes go to `check`. True when there are none.
pub(crate) fn check_schema(schema: &Value, pointer: &str, check: &Check) -> bool {
    let before = check.count();
    if let Err((inside, reason)) = bounded(schema) {
        check.error(Code::BadSchema, &format!("{pointer}{inside}"), reason);
        return false;
    }
    let root = Root {
        schema,
        pointer,
        given: RefCell::default(),
    };
    walk(&root, schema, pointer, check);
    defaults::report(schema, &root.given.take(), check);
    report_by_meta_schema(schema, pointer, check);
    if check.count() == before
        && let Err(message) = compile(schema)
    {
        check.error(Code::BadSchema, pointer, message);
    }
    check.count() == before
}

/// Keywords and types out of habit, and those of JSON Schema.
const MEANT: [(&str, &str); 24] = [
    ("bool", "boolean"),
    ("choices", "enum"),
    ("desc", "description"),
    ("dict", "object"),
    ("double", "number"),
    ("float", "number"),
    ("help", "description"),
    ("int", "integer"),
    ("list", "array"),
    ("long", "integer"),
    ("map", "object"),
    ("max", "maximum"),
    ("max_length", "maxLength"),
    ("maxlength", "maxLength"),
    ("min", "minimum"),
    ("min_length", "minLength"),
    ("minlength", "minLength"),
    ("one_of", "oneOf"),
    ("options", "enum"),
    ("regex", "pattern"),
    ("regexp", "pattern"),
    ("str", "string"),
    ("text", "string"),
    ("values", "enum"),
];

fn meant_by(word: &str) -> Option<String> {
    let (_, meant) = MEANT.iter().find(|(habit, _)| *habit == word)?;
    Some(format!("did you mean `{meant}`?"))
}

fn help_for_keyword(keyword: &str) -> String {
    let known = || match keyword {
        "optional" => Some("a param is optional unless `required` names it, beside `properties`"),
        "nullable" => Some("write `type: [string, \"null\"]`"),
        "example" => Some("write `examples: [VALUE]`"),
        "in" => Some("`request` says where a param goes: `path`, `query`, `headers` or `body`"),
        _ => None,
    };
    known()
        .map(str::to_owned)
        .or_else(|| meant_by(keyword))
        .or_else(|| nearest(keyword, KEYWORDS.into_iter()))
        .unwrap_or_else(|| "a keyword of your own starts with `x-`".to_owned())
}

fn help_for_type(name: &str) -> String {
    match name {
        "date" | "datetime" | "date-time" | "uuid" | "email" | "uri" | "url" => {
            let format = match name {
                "datetime" => "date-time",
                "url" => "uri",
                other => other,
            };
            format!("write `type: string, format: {format}`")
        }
        "file" => "a file is `type: string`, and the body says `file: \"{{ NAME }}\"`".to_owned(),
        _ => meant_by(name)
            .or_else(|| nearest(name, TYPES.into_iter()))
            .unwrap_or_else(|| format!("the types are {}", TYPES.join(", "))),
    }
}

fn report_by_meta_schema(schema: &Value, pointer: &str, check: &Check) {
    for error in jsonschema::draft202012::meta::validator().iter_errors(schema) {
        let at = format!("{pointer}{}", error.instance_path());
        // What the walk found explains it better.
        if check.is_broken(&at) {
            continue;
        }
        let message = match error.kind() {
            ValidationErrorKind::AnyOf { .. } => {
                format!("{} is not what this keyword takes", error.instance())
            }
            _ => word(&error),
        };
        let message = format!("no valid JSON Schema: {message}");
        match (at.rsplit('/').next(), error.instance().as_ref()) {
            (Some("enum" | "required" | "examples"), Value::String(text)) => {
                let help = format!("write a list: `[{text}]`");
                check.error_with_help(Code::BadSchema, &at, message, help);
            }
            _ => check.error(Code::BadSchema, &at, message),
        }
    }
}

/// The schema that is being checked, and where it is.
struct Root<'s> {
    schema: &'s Value,
    pointer: &'s str,
    /// The values in it that must satisfy their part.
    given: RefCell<Vec<Given<'s>>>,
}

fn walk<'s>(root: &Root<'s>, schema: &'s Value, pointer: &str, check: &Check) {
    let Value::Object(members) = schema else {
        return;
    };
    for (keyword, value) in members {
        let at = join(pointer, keyword);
        if !KEYWORDS.contains(&keyword.as_str())
            && keyword != "unevaluatedItems"
            && !keyword.starts_with("x-")
        {
            check.error_at_key(
                Code::UnknownKey,
                &at,
                format!("`{keyword}` is no keyword of JSON Schema 2020-12"),
                Some(help_for_keyword(keyword)),
            );
        }
        match value {
            Value::Object(map) if MAPS.contains(&keyword.as_str()) => {
                for (name, inner) in map {
                    walk(root, inner, &join(&at, name), check);
                }
            }
            Value::Array(list) if LISTS.contains(&keyword.as_str()) => {
                for (i, inner) in list.iter().enumerate() {
                    walk(root, inner, &join_index(&at, i), check);
                }
            }
            inner if SINGLES.contains(&keyword.as_str()) => walk(root, inner, &at, check),
            _ => {}
        }
    }
    report_dangling_reference(root, members, pointer, check);
    if let Some(Value::Bool(_)) = members.get("required") {
        let name = pointer.rsplit('/').next().unwrap_or_default();
        check.error_with_help(
            Code::BadSchema,
            &join(pointer, "required"),
            "`required` is a list of names",
            format!("write `required: [{name}]` beside `properties`"),
        );
    }
    report_bad_type(members, pointer, check);
    report_bad_pattern(members, pointer, check);
    report_unchecked_format(members, pointer, check);
    collect_values(root, members, pointer);
}

/// A reference must lead to a part of the same schema, because nothing is fetched.
fn report_dangling_reference(
    root: &Root<'_>,
    members: &Map<String, Value>,
    pointer: &str,
    check: &Check,
) {
    let Some(Value::String(reference)) = members.get("$ref") else {
        return;
    };
    let leads_somewhere = match reference.strip_prefix('#') {
        Some(fragment) => percent_encoding::percent_decode_str(fragment)
            .decode_utf8()
            .is_ok_and(|path| match path.is_empty() || path.starts_with('/') {
                true => root.schema.pointer(&path).is_some(),
                false => names(root.schema, "$anchor", &path),
            }),
        None => names(root.schema, "$id", reference),
    };
    // Inside a part with an `$id`, references start at that part. Compiling the whole schema will check them.
    if leads_somewhere || has_identified_part(root.schema) {
        return;
    }
    let definitions = root.schema.get("$defs").and_then(Value::as_object);
    let known: Vec<String> = definitions
        .into_iter()
        .flat_map(|map| map.keys().map(|name| join("#/$defs", name)))
        .collect();
    check.error_with_help(
        Code::BadSchema,
        &join(pointer, "$ref"),
        format!("the reference `{reference}` leads nowhere"),
        nearest(reference, known.iter().map(String::as_str)).unwrap_or_else(|| {
            "a reference leads to a part of the same schema, such as `#/$defs/name`".to_owned()
        }),
    );
}

/// Whether any part of the schema has this value for the keyword.
fn names(schema: &Value, keyword: &str, name: &str) -> bool {
    match schema {
        Value::Object(members) => {
            members.get(keyword).and_then(Value::as_str) == Some(name)
                || members.values().any(|inner| names(inner, keyword, name))
        }
        Value::Array(items) => items.iter().any(|inner| names(inner, keyword, name)),
        _ => false,
    }
}

fn has_identified_part(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => {
            members.get("$id").is_some_and(Value::is_string)
                || members.values().any(has_identified_part)
        }
        Value::Array(items) => items.iter().any(has_identified_part),
        _ => false,
    }
}

fn report_bad_type(members: &Map<String, Value>, pointer: &str, check: &Check) {
    let names = match members.get("type") {
        Some(Value::String(name)) => vec![(join(pointer, "type"), name)],
        Some(Value::Array(names)) => names
            .iter()
            .enumerate()
            .filter_map(|(i, name)| match name {
                Value::String(name) => Some((join_index(&join(pointer, "type"), i), name)),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    for (at, name) in names {
        if !TYPES.contains(&name.as_str()) {
            check.error_inside(
                Code::BadSchema,
                &at,
                0..name.len(),
                format!("`{name}` is no JSON Schema type"),
                Some(help_for_type(name)),
            );
        }
    }
}

fn report_bad_pattern(members: &Map<String, Value>, pointer: &str, check: &Check) {
    if let Some(Value::String(pattern)) = members.get("pattern")
        && !is_pattern(pattern)
    {
        check.error(
            Code::BadRegex,
            &join(pointer, "pattern"),
            format!("the pattern does not compile{}", reason(pattern)),
        );
    }
    if let Some(Value::Object(patterns)) = members.get("patternProperties") {
        for pattern in patterns.keys() {
            if !is_pattern(pattern) {
                check.error_at_key(
                    Code::BadRegex,
                    &join(&join(pointer, "patternProperties"), pattern),
                    "this pattern is no regular expression",
                    None,
                );
            }
        }
    }
}

/// Why a pattern does not compile, behind a colon. That it has look-around is no reason in a schema.
fn reason(pattern: &str) -> String {
    match regex_error(pattern) {
        Some(reason) if !reason.contains("look-around") && !reason.contains("backreference") => {
            format!(": {reason}")
        }
        _ => String::new(),
    }
}

fn regex_error(pattern: &str) -> Option<String> {
    let error = regex::Regex::new(pattern).err()?.to_string();
    let reason = error.lines().last().unwrap_or_default();
    Some(reason.trim_start_matches("error: ").to_owned())
}

/// Reports a regular expression that does not compile, where look-around is not supported.
pub(crate) fn report_regex(pattern: &str, pointer: &str, check: &Check) {
    if let Some(reason) = regex_error(pattern) {
        check.error_with_help(
            Code::BadRegex,
            pointer,
            format!("the pattern does not compile: {reason}"),
            "look-around and back-references are not supported, so that no pattern can take forever",
        );
    }
}

fn report_unchecked_format(members: &Map<String, Value>, pointer: &str, check: &Check) {
    if let Some(Value::String(format)) = members.get("format")
        && !FORMATS.contains(&format.as_str())
        && !FORMAT_HINTS.contains(&format.as_str())
    {
        check.error_inside(
            Code::UncheckedFormat,
            &join(pointer, "format"),
            0..format.len(),
            format!("the format `{format}` is not known, and so not checked"),
            nearest(format, FORMATS.into_iter()),
        );
    }
}

/// A default, and every example, must satisfy its schema.
fn collect_values<'s>(root: &Root<'s>, members: &'s Map<String, Value>, pointer: &str) {
    let default = members
        .get("default")
        .map(|value| (join(pointer, "default"), value));
    let examples = members
        .get("examples")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let examples = examples
        .enumerate()
        .map(|(i, value)| (join_index(&join(pointer, "examples"), i), value));
    let inside = pointer.strip_prefix(root.pointer).unwrap_or_default();
    let given = default
        .into_iter()
        .chain(examples)
        .map(|(at, value)| Given {
            at,
            value,
            part: members,
            inside: inside.to_owned(),
        });
    root.given.borrow_mut().extend(given);
}
