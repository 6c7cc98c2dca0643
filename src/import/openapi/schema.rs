//! Schemas: from OpenAPI's to JSON Schema 2020-12, for what goes into a request.
//!
//! References are written out where that is small or happens once; what is shared, large or refers to itself becomes
//! a `$defs` entry of the tool's params. Whatever the engine would refuse is left out and told.

use std::collections::{HashMap, VecDeque};

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::graph::{Graph, Size, references};
use super::spec::{Part, Spec};
use super::text;
use crate::check::{KEYWORDS, mask_literal_secrets};
use crate::import::report::{Losses, What};
use crate::source::join;

/// Values up to which a schema is written out wherever something refers to it.
const SMALL: usize = 24;
/// Schemas inside schemas up to which they are written in place; what is deeper becomes a `$defs` entry.
const MOST_DEPTH: usize = 16;
/// Schemas in one operation up to which all are converted. Some documents tie everything to everything, and nobody
/// gives such arguments; what is nearest to the param is the most useful.
const MOST_SCHEMAS: usize = 3000;
/// Schemas behind which less is said about each.
const LARGE: usize = 400;
/// References that are looked at to count how often each schema is used.
const MOST_REFERENCES: usize = 20_000;
/// Most examples of a param.
const MOST_EXAMPLES: usize = 3;
/// Most characters of an example, as JSON.
const LONGEST_EXAMPLE: usize = 200;

/// Converts the schemas of one operation.
#[derive(Debug)]
pub struct Schemas<'a, 'l> {
    spec: &'a Spec,
    graph: &'a Graph,
    losses: &'l Losses,
    /// How often the operation refers to each schema.
    uses: HashMap<String, usize>,
    /// The names under `$defs`, by pointer.
    names: IndexMap<String, String>,
    /// Pointers whose definitions are still to be converted.
    queue: VecDeque<String>,
    /// Schemas that were converted.
    count: usize,
}

impl<'a, 'l> Schemas<'a, 'l> {
    /// Starts for an operation that uses the schemas `roots`.
    pub fn new(
        spec: &'a Spec,
        graph: &'a Graph,
        losses: &'l Losses,
        roots: &[Part<'a>],
    ) -> Schemas<'a, 'l> {
        let mut uses: HashMap<String, usize> = HashMap::new();
        let mut open: VecDeque<&Value> = roots.iter().map(|root| root.value).collect();
        let mut seen = 0;
        while let Some(value) = open.pop_front() {
            for reference in references(value).0 {
                seen += 1;
                if seen > MOST_REFERENCES {
                    break;
                }
                let Ok(target) = spec.lookup(&reference).and_then(|part| spec.resolve(&part))
                else {
                    continue;
                };
                let count = uses.entry(target.pointer).or_default();
                *count += 1;
                if *count == 1 {
                    open.push_back(target.value);
                }
            }
        }
        Schemas {
            spec,
            graph,
            losses,
            uses,
            names: IndexMap::new(),
            queue: VecDeque::new(),
            count: 0,
        }
    }

    /// The schema of a param: written out at its top so that its type can be seen, unless it is an object that others
    /// share.
    pub fn param(&mut self, schema: &Part<'a>) -> Map<String, Value> {
        if let Some(reference) = schema.reference()
            && let Some(target) = self.target(reference, schema)
            && target.text("type") == Some("object")
            && !self.is_inline(&target, 0)
        {
            let referring = self.refer_to(&target.pointer);
            let mut param = Map::from_iter([("type".to_owned(), json!("object"))]);
            if let Value::Object(members) = self.with_siblings(referring, schema) {
                param.extend(members);
            }
            return param;
        }
        match self.written_out(schema, 0, text::PARAM) {
            Value::Object(members) => members,
            Value::Bool(false) => Map::from_iter([("not".to_owned(), json!({}))]),
            _ => Map::new(),
        }
    }

    /// Whether what is referred to is written in place.
    fn is_inline(&self, target: &Part<'_>, depth: usize) -> bool {
        // What was not counted is used often.
        let uses = self.uses.get(&target.pointer).copied();
        depth <= MOST_DEPTH
            && match self.graph.size(&target.pointer) {
                Size::Endless => false,
                Size::Values(values) => values <= SMALL || uses == Some(1),
            }
    }

    /// The definitions that the converted schemas refer to.
    pub fn into_definitions(mut self) -> Map<String, Value> {
        let mut definitions = IndexMap::new();
        while let Some(pointer) = self.queue.pop_front() {
            let Some(value) = self.spec.root().value.pointer(&pointer) else {
                continue;
            };
            let part = Part {
                value,
                pointer: pointer.clone(),
            };
            let definition = match self.count >= MOST_SCHEMAS {
                true => self.cut(),
                false => self.written_out(&part, 1, text::NESTED),
            };
            definitions.insert(pointer, definition);
        }
        self.names
            .into_iter()
            .filter_map(|(pointer, name)| Some((name, definitions.swap_remove(&pointer)?)))
            .collect()
    }

    fn convert(&mut self, schema: &Part<'a>, depth: usize) -> Value {
        if self.count >= MOST_SCHEMAS
            && (schema.reference().is_some() || has_schemas_inside(schema.value))
        {
            return self.cut();
        }
        let Some(reference) = schema.reference() else {
            return match depth > MOST_DEPTH && has_schemas_inside(schema.value) {
                true => self.refer_to(&schema.pointer),
                false => self.written_out(schema, depth, text::NESTED),
            };
        };
        let target = match self.target(reference, schema) {
            Some(target) => target,
            None => return self.with_siblings(json!({}), schema),
        };
        match self.is_inline(&target, depth) {
            true => self.written_out(schema, depth, text::NESTED),
            false => {
                let referring = self.refer_to(&target.pointer);
                self.with_siblings(referring, schema)
            }
        }
    }

    fn target(&self, reference: &str, schema: &Part<'a>) -> Option<Part<'a>> {
        let target = self.spec.lookup(reference);
        match target.and_then(|target| self.spec.resolve(&target)) {
            Ok(target) => Some(target),
            Err(error) => {
                self.losses.note(
                    What::Reference,
                    &schema.pointer,
                    format!("{error}; any value is allowed there"),
                );
                None
            }
        }
    }

    /// The schema itself, or what it refers to, in place.
    fn written_out(&mut self, schema: &Part<'a>, depth: usize, longest: usize) -> Value {
        match (schema.value, schema.reference()) {
            (Value::Bool(allows), _) => Value::Bool(*allows),
            (Value::Object(_), Some(reference)) => {
                let written = match self.target(reference, schema) {
                    Some(target) => self.written_out(&target, depth, longest),
                    None => json!({}),
                };
                self.with_siblings(written, schema)
            }
            (Value::Object(members), None) => self.object(schema, members, depth, longest),
            _ => {
                self.losses.note(
                    What::Schema,
                    &schema.pointer,
                    "this is no schema; any value is allowed there",
                );
                json!({})
            }
        }
    }

    /// In place of what is too deep in too large a schema.
    fn cut(&self) -> Value {
        self.losses.note(
            What::Schema,
            "",
            "a schema is very large; what is deepest in it is not checked",
        );
        json!({})
    }

    fn refer_to(&mut self, pointer: &str) -> Value {
        let name = match self.names.get(pointer) {
            Some(name) => name.clone(),
            None => {
                let name = self.free_name(pointer);
                self.names.insert(pointer.to_owned(), name.clone());
                self.queue.push_back(pointer.to_owned());
                name
            }
        };
        json!({ "$ref": format!("#/$defs/{name}") })
    }

    fn free_name(&self, pointer: &str) -> String {
        let last = pointer.rsplit('/').next().unwrap_or_default();
        let name: String = last
            .replace("~1", "/")
            .chars()
            .map(|c| match c.is_ascii_alphanumeric() || "_-.".contains(c) {
                true => c,
                false => '_',
            })
            .collect();
        let name = match name.is_empty() || name.bytes().all(|b| b.is_ascii_digit()) {
            true => format!("Part{name}"),
            false => name,
        };
        let is_free = |name: &str| !self.names.values().any(|taken| taken == name);
        match is_free(&name) {
            true => name,
            false => (2..)
                .map(|i| format!("{name}_{i}"))
                .find(|name| is_free(name))
                .unwrap_or(name),
        }
    }

    /// What stands beside a reference: words about it, and in 3.1 further rules.
    fn with_siblings(&mut self, written: Value, schema: &Part<'a>) -> Value {
        let Some(members) = schema.value.as_object().filter(|members| members.len() > 1) else {
            return written;
        };
        let written = match members.get("nullable") {
            Some(Value::Bool(true)) => or_null(written),
            _ => written,
        };
        let mut beside = members.clone();
        beside.shift_remove("$ref");
        let Value::Object(beside) = self.object(schema, &beside, MOST_DEPTH, text::PARAM) else {
            return written;
        };
        self.joined(written, beside, schema)
    }

    /// A schema and what is said beside it. A value that is said there must fit both.
    fn joined(&self, whole: Value, beside: Map<String, Value>, schema: &Part<'_>) -> Value {
        let names_values = ["default", "examples"]
            .iter()
            .any(|key| beside.contains_key(*key));
        let mut joined = overlay(whole, beside);
        let Value::Object(members) = &mut joined else {
            return joined;
        };
        if !names_values {
            return joined;
        }
        let validator = match refers(members) {
            true => None,
            false => crate::params::compile(&Value::Object(members.clone())).ok(),
        };
        let fits = |value: &Value| validator.as_ref().is_some_and(|v| v.is_valid(value));
        if members.get("default").is_some_and(|default| !fits(default)) {
            members.shift_remove("default");
            self.losses.note(
                What::Schema,
                &join(&schema.pointer, "default"),
                "the default does not fit its own schema; it is left out",
            );
        }
        if let Some(Value::Array(examples)) = members.get_mut("examples") {
            examples.retain(fits);
            if examples.is_empty() {
                members.shift_remove("examples");
            }
        }
        joined
    }

    /// Converts the keywords of one schema object.
    fn object(
        &mut self,
        schema: &Part<'a>,
        members: &Map<String, Value>,
        depth: usize,
        longest: usize,
    ) -> Value {
        // A lone `allOf` is how 3.0 says something about a reference.
        if members.contains_key("allOf")
            && let Some(only) = lone_all_of(schema)
            && members
                .keys()
                .all(|key| key == "allOf" || is_annotation(key))
        {
            let whole = self.written_out_or_referred(&only, depth);
            let mut beside = members.clone();
            beside.shift_remove("allOf");
            return match self.object(schema, &beside, depth, longest) {
                Value::Object(beside) => {
                    let is_nullable = members.get("nullable") == Some(&Value::Bool(true));
                    let whole = if is_nullable { or_null(whole) } else { whole };
                    self.joined(whole, beside, schema)
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
                && let Some(value) = self.keyword(keyword, value, schema, members, depth)
            {
                converted.insert(keyword.to_owned(), value);
            }
        }
        self.exclusive_bounds(members, &mut converted);
        if members.get("format").is_some_and(|format| format == "byte") {
            converted.insert("contentEncoding".into(), "base64".into());
        }
        fit_enum(&mut converted);
        self.describe(members, longest, &mut converted);
        self.values(schema, members, &mut converted);
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

    fn written_out_or_referred(&mut self, schema: &Part<'a>, depth: usize) -> Value {
        match depth {
            0 => self.written_out(schema, 0, text::PARAM),
            _ => self.convert(schema, depth),
        }
    }

    /// The types by 2020-12, with null where 3.0 says `nullable`.
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
                // Swagger 2.0's uploads, still found in documents of version 3.
                Some("file") => "string",
                Some(name) if TYPES.contains(&name) => name,
                _ => {
                    self.losses.note(
                        What::Schema,
                        &join(&schema.pointer, "type"),
                        format!("{name} is no type; any is allowed there"),
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

    fn keyword(
        &mut self,
        keyword: &str,
        value: &Value,
        schema: &Part<'a>,
        members: &Map<String, Value>,
        depth: usize,
    ) -> Option<Value> {
        let at = join(&schema.pointer, keyword);
        let part = schema.get(keyword);
        let refuse = |why: &str| {
            self.losses.note(What::Schema, &at, why);
            None
        };
        match keyword {
            "format" => match value.as_str()? {
                // They say how a number is stored or a text is shown, and are no rules for either.
                "int32" | "int64" | "float" | "double" | "password" | "binary" | "byte" => None,
                format => Some(format.into()),
            },
            "contentEncoding" | "contentMediaType" => value.as_str().map(Value::from),
            "pattern" => {
                let pattern = value.as_str()?;
                match regex::Regex::new(pattern) {
                    Ok(_) => Some(pattern.into()),
                    Err(_) => refuse(
                        "the pattern uses what is not supported here, such as look-around; it is not checked",
                    ),
                }
            }
            "enum" => match value.as_array() {
                Some(options) if !options.is_empty() => {
                    let mut distinct: Vec<Value> = Vec::new();
                    for option in options {
                        if !distinct.contains(option) {
                            distinct.push(option.clone());
                        }
                    }
                    Some(distinct.into())
                }
                _ => refuse("an enumeration without values allows nothing; it is left out"),
            },
            "const" => Some(value.clone()),
            "minimum" | "maximum" => match value {
                Value::Number(_) => Some(value.clone()),
                _ => refuse("this is no number; it is not checked"),
            },
            "multipleOf" => match value.as_f64() {
                Some(number) if number > 0.0 => Some(value.clone()),
                _ => refuse("this is no number greater than 0; it is not checked"),
            },
            "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties"
            | "maxProperties" | "minContains" | "maxContains" => match value.as_f64() {
                Some(number) if number >= 0.0 && number.fract() == 0.0 && number < 1e15 => {
                    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                    let whole = number as u64;
                    // A lower bound of nothing is none.
                    (whole > 0 || !keyword.starts_with("min")).then(|| whole.into())
                }
                _ => refuse("this is no whole number; it is not checked"),
            },
            "uniqueItems" | "deprecated" => value.as_bool().filter(|flag| *flag).map(Value::from),
            "items" => match value {
                Value::Array(_) => {
                    refuse("a list of schemas is not supported here; it is left out")
                }
                _ => Some(self.convert(&part?, depth + 1)),
            },
            "prefixItems" => self.list(part?, depth),
            "required" => {
                let hidden = self.hidden(schema);
                let mut names: Vec<Value> = Vec::new();
                for name in value.as_array()? {
                    let is_new = name.is_string() && !names.contains(name);
                    if is_new && !hidden.iter().any(|hidden| name == hidden) {
                        names.push(name.clone());
                    }
                }
                (!names.is_empty()).then(|| names.into())
            }
            "properties" | "patternProperties" | "dependentSchemas" => {
                self.map(keyword, &part?, depth)
            }
            "dependentRequired" => {
                let rules = value.as_object().filter(|rules| !rules.is_empty())?;
                Some(rules.clone().into())
            }
            "allOf" | "anyOf" | "oneOf" => self.list(part?, depth),
            _ if members.contains_key("$ref") => None,
            _ => Some(self.convert(&part?, depth + 1)),
        }
    }

    fn list(&mut self, list: Part<'a>, depth: usize) -> Option<Value> {
        let items: Vec<Value> = list
            .items()
            .map(|item| self.convert(&item, depth + 1))
            .collect();
        (!items.is_empty()).then(|| items.into())
    }

    fn map(&mut self, keyword: &str, part: &Part<'a>, depth: usize) -> Option<Value> {
        let mut map = Map::new();
        for (name, property) in part.members() {
            if keyword == "properties" && self.is_read_only(&property) {
                continue;
            }
            if keyword == "patternProperties" && regex::Regex::new(name).is_err() {
                self.losses.note(
                    What::Schema,
                    &property.pointer,
                    "the pattern uses what is not supported here; the rule is left out",
                );
                continue;
            }
            map.insert(name.to_owned(), self.convert(&property, depth + 1));
        }
        (!map.is_empty()).then(|| map.into())
    }

    /// Whether a property is only in responses.
    pub fn is_read_only(&self, property: &Part<'_>) -> bool {
        let says_so = |part: &Part<'_>| part.flag("readOnly") == Some(true);
        says_so(property)
            || self
                .spec
                .resolve(property)
                .is_ok_and(|target| says_so(&target))
    }

    /// The names of the properties that are only in responses.
    fn hidden(&self, schema: &Part<'_>) -> Vec<String> {
        schema
            .get("properties")
            .into_iter()
            .flat_map(|properties| properties.members())
            .filter(|(_, property)| self.is_read_only(property))
            .map(|(name, _)| name.to_owned())
            .collect()
    }

    /// In 3.0 `exclusiveMinimum: true` makes a bound of `minimum`.
    fn exclusive_bounds(&self, members: &Map<String, Value>, converted: &mut Map<String, Value>) {
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

    fn describe(
        &self,
        members: &Map<String, Value>,
        longest: usize,
        converted: &mut Map<String, Value>,
    ) {
        // The larger the whole, the fewer words about each of its parts.
        let longest = match self.count {
            _ if longest > text::NESTED => longest,
            count if count <= LARGE => longest,
            count if count <= 4 * LARGE => longest / 3,
            _ => return,
        };
        let said = ["description", "title"]
            .into_iter()
            .filter_map(|key| members.get(key)?.as_str())
            .map(|words| match longest {
                ..=text::NESTED => text::one_line(words, longest),
                _ => text::plain(words, longest),
            })
            .find(|words| !words.is_empty());
        if let Some(words) = said {
            converted.insert("description".into(), words.into());
        }
    }

    /// The default and the examples, where they fit the schema.
    fn values(
        &self,
        schema: &Part<'_>,
        members: &Map<String, Value>,
        converted: &mut Map<String, Value>,
    ) {
        let default = members.get("default");
        let single = members.get("example");
        let several = members.get("examples").and_then(Value::as_array);
        if default.is_none() && single.is_none() && several.is_none() {
            return;
        }
        // In a large whole they help nobody, and each of them has to be checked.
        if self.count > LARGE {
            return;
        }
        // Beside a reference there is nothing yet to check a value against.
        let validator = match members.contains_key("allOf") || refers(converted) {
            true => None,
            false => crate::params::compile(&Value::Object(converted.clone())).ok(),
        };
        let fits = |value: &Value| validator.as_ref().is_some_and(|v| v.is_valid(value));
        if let Some(default) = default.filter(|default| !default.is_null() || fits(default)) {
            match fits(default) {
                true => {
                    converted.insert("default".into(), default.clone());
                }
                false => self.losses.note(
                    What::Schema,
                    &join(&schema.pointer, "default"),
                    "the default does not fit its own schema; it is left out",
                ),
            }
        }
        let candidates = single.into_iter().chain(several.into_iter().flatten());
        let mut examples: Vec<Value> = Vec::new();
        for example in candidates.filter(|example| !example.is_null()) {
            let written = example.to_string();
            let is_short = written.len() <= LONGEST_EXAMPLE
                && mask_literal_secrets(&written) == written.as_str();
            if examples.len() < MOST_EXAMPLES
                && is_short
                && !examples.contains(example)
                && fits(example)
            {
                examples.push(example.clone());
            }
        }
        if !examples.is_empty() && !converted.contains_key("enum") {
            converted.insert("examples".into(), examples.into());
        }
    }

    fn report_unknown(&self, schema: &Part<'_>, members: &Map<String, Value>) {
        // Words of OpenAPI that are no rules, and names that references are followed by.
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

/// The keywords that are converted one by one.
const ORDER: [&str; 37] = [
    "format",
    "contentEncoding",
    "contentMediaType",
    "pattern",
    "enum",
    "const",
    "minimum",
    "maximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "prefixItems",
    "items",
    "contains",
    "minContains",
    "maxContains",
    "minItems",
    "maxItems",
    "uniqueItems",
    "deprecated",
    "required",
    "properties",
    "patternProperties",
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
    "minProperties",
    "maxProperties",
    "dependentRequired",
    "dependentSchemas",
    "if",
    "then",
    "else",
    "not",
    "allOf",
    "anyOf",
    "oneOf",
];

/// What is written behind the other keywords: words about the value, then its parts.
const LAST: [&str; 18] = [
    "default",
    "examples",
    "deprecated",
    "description",
    "required",
    "properties",
    "patternProperties",
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
    "dependentRequired",
    "dependentSchemas",
    "if",
    "then",
    "else",
    "allOf",
    "anyOf",
    "oneOf",
];

/// The keywords in the order in which people expect them.
fn in_order(mut keywords: Map<String, Value>) -> Map<String, Value> {
    for keyword in LAST {
        if let Some(value) = keywords.shift_remove(keyword) {
            keywords.insert(keyword.to_owned(), value);
        }
    }
    keywords
}

fn is_annotation(keyword: &str) -> bool {
    const ANNOTATIONS: [&str; 12] = [
        "title",
        "description",
        "default",
        "example",
        "examples",
        "deprecated",
        "nullable",
        "readOnly",
        "writeOnly",
        "discriminator",
        "externalDocs",
        "xml",
    ];
    ANNOTATIONS.contains(&keyword) || keyword.starts_with("x-")
}

/// The one schema of an `allOf` with no other.
fn lone_all_of<'a>(schema: &Part<'a>) -> Option<Part<'a>> {
    let list = schema.get("allOf")?;
    let mut items = list.items();
    let only = items.next()?;
    items.next().is_none().then_some(only)
}

/// What is said beside a schema goes before what the schema says itself; rules of both hold.
fn overlay(whole: Value, beside: Map<String, Value>) -> Value {
    let mut members = match whole {
        Value::Object(members) => members,
        other if beside.is_empty() => return other,
        Value::Bool(true) => return Value::Object(beside),
        other => {
            let mut members = Map::from_iter([("allOf".to_owned(), json!([other]))]);
            members.extend(beside);
            return Value::Object(members);
        }
    };
    let mut further = Map::new();
    for (keyword, value) in beside {
        match is_annotation(&keyword) || !members.contains_key(&keyword) {
            true => {
                members.insert(keyword, value);
            }
            false => {
                further.insert(keyword, value);
            }
        }
    }
    if !further.is_empty() {
        members = Map::from_iter([(
            "allOf".to_owned(),
            json!([Value::Object(members), Value::Object(further)]),
        )]);
    }
    Value::Object(members)
}

fn or_null(schema: Value) -> Value {
    let Value::Object(mut members) = schema else {
        return schema;
    };
    // What is said of the value is said of both forms.
    let words: Vec<(String, Value)> = ["deprecated", "default", "examples", "description"]
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), members.shift_remove(*key)?)))
        .collect();
    let mut either = Map::from_iter([(
        "anyOf".to_owned(),
        json!([Value::Object(members), { "type": "null" }]),
    )]);
    either.extend(words);
    Value::Object(either)
}

/// An enumeration whose values are written as another type than the schema's: YAML makes numbers of unquoted
/// versions, and null is often meant and not listed.
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

/// Whether a schema refers to another one that is not part of it.
fn refers(converted: &Map<String, Value>) -> bool {
    converted.contains_key("$ref")
        || converted.values().any(|value| match value {
            Value::Array(_) | Value::Object(_) => !references(value).0.is_empty(),
            _ => false,
        })
}

fn has_schemas_inside(schema: &Value) -> bool {
    schema.as_object().is_some_and(|members| {
        members
            .iter()
            .any(|(keyword, value)| keyword != "enum" && (value.is_object() || value.is_array()))
    })
}

/// What values a schema allows, as far as it matters for how they are written in a URL or form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shape {
    /// Texts, numbers and booleans; also when nothing is said.
    pub scalar: bool,
    /// Lists.
    pub array: bool,
    /// Objects.
    pub object: bool,
    /// Lists or objects with lists or objects inside.
    pub nested: bool,
    /// Lists that hold objects or lists, at whatever depth.
    pub list_of_parts: bool,
}

/// The shape of a schema.
pub fn shape(spec: &Spec, schema: &Part<'_>) -> Shape {
    shape_within(spec, schema, 6)
}

fn shape_within(spec: &Spec, schema: &Part<'_>, depth: usize) -> Shape {
    let Some(depth) = depth.checked_sub(1) else {
        return Shape::default();
    };
    let Ok(schema) = spec.resolve(schema) else {
        return Shape::default();
    };
    let mut shape = Shape::default();
    let types: Vec<&str> = match schema.value.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    for name in types {
        match name {
            "array" => shape.array = true,
            "object" => shape.object = true,
            "null" => {}
            _ => shape.scalar = true,
        }
    }
    for choice in ["allOf", "anyOf", "oneOf"] {
        for one in schema.get(choice).into_iter().flat_map(|list| list.items()) {
            let other = shape_within(spec, &one, depth);
            shape.scalar |= other.scalar;
            shape.array |= other.array;
            shape.object |= other.object;
            shape.nested |= other.nested;
            shape.list_of_parts |= other.list_of_parts;
        }
    }
    if let Some(items) = schema.get("items").filter(|items| items.value.is_object()) {
        shape.array = true;
        let inner = shape_within(spec, &items, depth);
        shape.nested |= inner.array || inner.object;
        shape.list_of_parts |= inner.array || inner.object || inner.list_of_parts;
    }
    let properties = schema.get("properties");
    for (_, property) in properties.into_iter().flat_map(|map| map.members()) {
        shape.object = true;
        let inner = shape_within(spec, &property, depth);
        shape.nested |= inner.array || inner.object;
        shape.list_of_parts |= inner.list_of_parts;
    }
    if let Some(more) = schema
        .get("additionalProperties")
        .filter(|more| more.value.is_object())
    {
        shape.object = true;
        let inner = shape_within(spec, &more, depth);
        shape.nested |= inner.array || inner.object;
        shape.list_of_parts |= inner.list_of_parts;
    }
    shape
}
