//! One schema object: its types, its keywords in order, and what is not supported.

use serde_json::{Map, Value};

use super::Schemas;
use super::beside::{is_annotation, lone_all_of, or_null};
use super::order::{ORDER, in_order};
use crate::check::KEYWORDS;
use crate::import::openapi::spec::Part;
use crate::import::openapi::text;
use crate::import::report::What;
use crate::source::join;

impl<'a> Schemas<'a, '_> {
    /// Converts the keywords of one schema object.
    pub(super) fn convert_object(
        &mut self,
        schema: &Part<'a>,
        members: &Map<String, Value>,
        depth: usize,
        longest: usize,
    ) -> Value {
        // OpenAPI 3.0 wraps a reference in a lone `allOf` to describe it.
        if members.contains_key("allOf")
            && let Some(only) = lone_all_of(schema)
            && members
                .keys()
                .all(|key| key == "allOf" || is_annotation(key))
        {
            let whole = self.written_out_or_referred(&only, depth);
            let mut beside = members.clone();
            beside.shift_remove("allOf");
            return match self.convert_object(schema, &beside, depth, longest) {
                Value::Object(beside) => {
                    let is_nullable = members.get("nullable") == Some(&Value::Bool(true));
                    let whole = if is_nullable { or_null(whole) } else { whole };
                    self.join_siblings(whole, beside, schema)
                }
                _ => whole,
            };
        }
        self.count += 1;
        let mut converted = Map::new();
        let types = self.types(schema, members);
        match types.as_slice() {
            [] => {}
            [one] => {
                converted.insert("type".into(), one.clone());
            }
            several => {
                converted.insert("type".into(), several.into());
            }
        }
        for keyword in ORDER {
            if let Some(value) = members.get(keyword)
                && let Some(value) = self.convert_keyword(keyword, value, schema, members, depth)
            {
                match keyword {
                    "oneOf" => self.add_choice(schema, value, &mut converted),
                    _ => {
                        converted.insert(keyword.to_owned(), value);
                    }
                }
            }
        }
        self.convert_exclusive_bounds(members, &mut converted);
        if members.get("format").is_some_and(|format| format == "byte") {
            converted.insert("contentEncoding".into(), "base64".into());
        }
        fit_enum(&mut converted);
        self.add_description(members, longest, &mut converted);
        self.add_default_and_examples(schema, members, &mut converted);
        self.report_unknown(schema, members);
        let has_null = members.get("nullable") == Some(&Value::Bool(true));
        let has_choice = ["allOf", "anyOf", "oneOf"]
            .iter()
            .any(|choice| converted.contains_key(*choice));
        let converted = Value::Object(in_order(converted));
        match has_null && types.is_empty() && has_choice {
            true => or_null(converted),
            false => converted,
        }
    }

    /// Adds the alternatives of `oneOf`, as `anyOf` if a value may fit several.
    fn add_choice(&self, schema: &Part<'a>, choices: Value, converted: &mut Map<String, Value>) {
        let keyword = self.choice_keyword(schema);
        let choices = match keyword {
            "anyOf" => self.with_discriminator(schema, choices),
            _ => choices,
        };
        if !converted.contains_key(keyword) {
            converted.insert(keyword.to_owned(), choices);
            return;
        }
        let rule = Value::Object(Map::from_iter([(keyword.to_owned(), choices)]));
        match converted.get_mut("allOf") {
            Some(Value::Array(rules)) => rules.push(rule),
            _ => {
                converted.insert("allOf".into(), vec![rule].into());
            }
        }
    }

    fn written_out_or_referred(&mut self, schema: &Part<'a>, depth: usize) -> Value {
        match depth {
            0 => self.written_out(schema, 0, text::PARAM),
            _ => self.convert(schema, depth),
        }
    }

    /// The types as in 2020-12, with null for 3.0's `nullable`.
    fn types(&self, schema: &Part<'_>, members: &Map<String, Value>) -> Vec<Value> {
        const TYPES: [&str; 7] = [
            "string", "integer", "number", "boolean", "array", "object", "null",
        ];
        let named: Vec<&Value> = match members.get("type") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(names)) => names.iter().collect(),
            Some(one) => vec![one],
        };
        let mut types: Vec<Value> = Vec::new();
        for name in named {
            let name = match name.as_str() {
                // The upload type of Swagger 2.0, still found in documents of version 3.
                Some("file") => "string",
                Some(name) if TYPES.contains(&name) => name,
                _ => {
                    self.losses.note(
                        What::Schema,
                        &join(&schema.pointer, "type"),
                        format!("{name} is not a type; any type is allowed there"),
                    );
                    return Vec::new();
                }
            };
            if !types.iter().any(|known| known == name) {
                types.push(name.into());
            }
        }
        let is_nullable = members.get("nullable") == Some(&Value::Bool(true));
        if is_nullable && !types.is_empty() && !types.iter().any(|name| name == "null") {
            types.push("null".into());
        }
        types
    }

    /// In 3.0 `exclusiveMinimum: true` makes `minimum` an exclusive bound.
    fn convert_exclusive_bounds(
        &self,
        members: &Map<String, Value>,
        converted: &mut Map<String, Value>,
    ) {
        for (exclusive, plain) in [
            ("exclusiveMinimum", "minimum"),
            ("exclusiveMaximum", "maximum"),
        ] {
            match members.get(exclusive) {
                Some(Value::Bool(true)) => {
                    if let Some(bound) = converted.shift_remove(plain) {
                        converted.insert(exclusive.to_owned(), bound);
                    }
                }
                Some(bound @ Value::Number(_)) => {
                    converted.insert(exclusive.to_owned(), bound.clone());
                }
                _ => {}
            }
        }
    }

    fn report_unknown(&self, schema: &Part<'_>, members: &Map<String, Value>) {
        // Keywords that are no rules about a value, so that nothing is lost without them.
        const KNOWN: [&str; 14] = [
            "$anchor",
            "$comment",
            "$defs",
            "$id",
            "$schema",
            "definitions",
            "discriminator",
            "example",
            "externalDocs",
            "nullable",
            "readOnly",
            "unevaluatedItems",
            "writeOnly",
            "xml",
        ];
        for keyword in members.keys() {
            let is_known = KEYWORDS.contains(&keyword.as_str())
                || KNOWN.contains(&keyword.as_str())
                || keyword.starts_with("x-");
            if !is_known || keyword == "$dynamicRef" || keyword == "$dynamicAnchor" {
                self.losses.note(
                    What::Schema,
                    &join(&schema.pointer, keyword),
                    format!("the keyword `{keyword}` is not supported; it is left out"),
                );
            }
        }
    }
}

/// Fits the values of `enum` to the schema's type: YAML reads an unquoted version such as 1.0 as a number, and a
/// nullable `enum` often does not list null.
fn fit_enum(converted: &mut Map<String, Value>) {
    let types: Vec<String> = match converted.get("type") {
        Some(Value::String(name)) => vec![name.clone()],
        Some(Value::Array(names)) => names
            .iter()
            .filter_map(|n| Some(n.as_str()?.into()))
            .collect(),
        _ => return,
    };
    let has = |name: &str| types.iter().any(|known| known == name);
    let Some(Value::Array(options)) = converted.get_mut("enum") else {
        return;
    };
    let is_text = has("string") && types.iter().all(|name| name == "string" || name == "null");
    let is_number = has("integer") || has("number");
    for option in options.iter_mut() {
        match option {
            Value::Number(_) | Value::Bool(_) if is_text => *option = option.to_string().into(),
            Value::String(text) if is_number && !has("string") => {
                if let Ok(number) = text.parse::<serde_json::Number>() {
                    *option = Value::Number(number);
                }
            }
            _ => {}
        }
    }
    if has("null") && !options.contains(&Value::Null) {
        options.push(Value::Null);
    }
}
