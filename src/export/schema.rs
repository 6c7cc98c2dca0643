//! JSON Schemas for interfaces that know a part of JSON Schema.
//!
//! [`simple`] rewrites a schema with few keywords: `type` (one name), `anyOf`, `enum`, `properties`, `required`,
//! `additionalProperties`, `items`, texts, and bounds of single values. References are written out, choices become `anyOf`, and
//! conditions become optional members. What that cannot say goes into the description; what is too long for a description is told.

use serde_json::{Map, Value, json};

use super::Losses;

/// Most bytes of a rule in a description.
const LONGEST: usize = 200;
/// Most schemas of one tool, with its references written out.
const MOST: usize = 5_000;
/// The kinds of JSON values.
pub(super) const KINDS: [&str; 7] = [
    "string", "integer", "number", "boolean", "array", "object", "null",
];
/// Keywords about the schema and not about values.
const ASIDE: [&str; 7] = [
    "$schema",
    "$id",
    "$anchor",
    "$dynamicAnchor",
    "$comment",
    "$defs",
    "definitions",
];
/// Keywords with the schemas that hold on a condition.
const CONDITIONS: [&str; 5] = [
    "if",
    "then",
    "else",
    "dependentSchemas",
    "dependentRequired",
];

/// Why a schema cannot be rewritten.
pub(super) const TOO_LARGE: &str = "its params are too many with all references written out";

/// A schema of few keywords that takes what this one takes, or more.
///
/// # Errors
/// When it would be too large.
pub(super) fn simple(
    root: &Map<String, Value>,
    losses: &mut Losses,
) -> Result<Map<String, Value>, &'static str> {
    let root = Value::Object(root.clone());
    let mut work = Work {
        root: &root,
        open: Vec::new(),
        left: MOST,
        losses,
    };
    match work.schema(&root, "")? {
        Some(Value::Object(members)) => Ok(members),
        _ => Ok(Map::new()),
    }
}

struct Work<'w> {
    root: &'w Value,
    /// The references that are being written out.
    open: Vec<String>,
    /// How many schemas may follow.
    left: usize,
    losses: &'w mut Losses,
}

impl Work<'_> {
    /// The schema at `place`; `None` if it takes nothing.
    fn schema(&mut self, schema: &Value, place: &str) -> Result<Option<Value>, &'static str> {
        self.left = self.left.checked_sub(1).ok_or(TOO_LARGE)?;
        let Value::Object(members) = schema else {
            return Ok((*schema != json!(false)).then(|| json!({})));
        };
        if let Some(to) = members.get("$ref").and_then(Value::as_str) {
            return self.reference(members, to, place);
        }
        let mut members = members.clone();
        self.absorb_conditions(&mut members, place);
        if let Some(several) = alternatives(&mut members) {
            return Ok(Some(self.choice(members, several, place)?));
        }
        Ok(Some(self.one(members, place)?.into()))
    }

    fn reference(
        &mut self,
        members: &Map<String, Value>,
        to: &str,
        place: &str,
    ) -> Result<Option<Value>, &'static str> {
        let target = to.strip_prefix('#').and_then(|to| self.root.pointer(to));
        let known = match target {
            Some(Value::Object(known)) if !self.open.iter().any(|open| open == to) => known,
            _ => {
                let kind = target.and_then(|target| target.get("type")).cloned();
                self.tell(
                    place,
                    "is described no further, because it refers to itself",
                );
                let mut whole = members.clone();
                whole.shift_remove("$ref");
                whole
                    .entry("type")
                    .or_insert(kind.unwrap_or(json!("object")));
                return self.schema(&whole.into(), place);
            }
        };
        let mut whole = known.clone();
        let beside = members.iter().filter(|(key, _)| *key != "$ref");
        whole.extend(beside.map(|(key, value)| (key.clone(), value.clone())));
        self.open.push(to.to_owned());
        let done = self.schema(&whole.into(), place);
        self.open.pop();
        done
    }

    /// Members that are only allowed on a condition become optional ones; the condition itself goes into the description.
    fn absorb_conditions(&mut self, members: &mut Map<String, Value>, place: &str) {
        let mut rules = Map::new();
        for rule in CONDITIONS {
            if let Some(value) = members.shift_remove(rule) {
                for schema in conditional(rule, &value) {
                    absorb(members, schema, false);
                }
                rules.insert(rule.to_owned(), value);
            }
        }
        if let Some(Value::Array(all)) = members.shift_remove("allOf") {
            let mut left = Vec::new();
            for schema in all {
                if !absorb(members, &schema, true) {
                    left.push(schema);
                }
            }
            if !left.is_empty() {
                rules.insert("allOf".to_owned(), left.into());
            }
        }
        // What its conditions allow beside its own members stands now among these.
        if members.shift_remove("unevaluatedProperties") == Some(json!(false)) {
            members
                .entry("additionalProperties")
                .or_insert(json!(false));
        }
        for choice in ["anyOf", "oneOf"] {
            let is_rule = |schema: &Value| schema.get("type").is_none() && of_members(schema);
            let is_rules = members
                .get(choice)
                .and_then(Value::as_array)
                .is_some_and(|all| all.iter().all(is_rule));
            if is_rules && let Some(value) = members.shift_remove(choice) {
                for schema in value.as_array().into_iter().flatten() {
                    absorb(members, schema, false);
                }
                rules.insert(choice.to_owned(), value);
            }
        }
        if !rules.is_empty() {
            self.rules(members, rules.into(), place);
        }
    }

    /// Says rules in the description.
    fn rules(&mut self, members: &mut Map<String, Value>, rules: Value, place: &str) {
        let text = rules.to_string();
        if text.len() <= LONGEST {
            return note(members, &text);
        }
        let mut wrapped = Map::from_iter([("allOf".to_owned(), json!([rules]))]);
        let own = crate::definition::take_rules(&mut wrapped);
        self.tell(
            place,
            "has rules over its members that stand in no schema; a call checks them",
        );
        describe(members, &own.join(" "));
    }

    fn choice(
        &mut self,
        mut members: Map<String, Value>,
        several: Vec<Value>,
        place: &str,
    ) -> Result<Value, &'static str> {
        let mut any = Vec::new();
        let mut takes_null = false;
        for schema in several {
            match self.schema(&schema, place)? {
                Some(schema) if schema.get("type").is_some_and(|kind| kind == "null") => {
                    takes_null = true;
                }
                Some(schema) if !any.contains(&schema) => any.push(schema),
                _ => {}
            }
        }
        members.retain(|key, _| !ASIDE.contains(&key.as_str()));
        let texts = ["title", "description", "default", "examples"];
        let (mut whole, beside): (Map<_, _>, Map<_, _>) = members
            .into_iter()
            .partition(|(key, _)| texts.contains(&key.as_str()));
        if !beside.is_empty() {
            self.rules(&mut whole, beside.into(), place);
        }
        if takes_null {
            any.push(json!({ "type": "null" }));
        }
        match any.len() {
            1 => {
                let Some(Value::Object(one)) = any.pop() else {
                    return Ok(whole.into());
                };
                let mut one = one;
                for (key, value) in whole {
                    match (key.as_str(), value.as_str()) {
                        ("description", Some(text)) => describe_first(&mut one, text),
                        _ => drop(one.insert(key, value)),
                    }
                }
                Ok(one.into())
            }
            _ => {
                whole.insert("anyOf".to_owned(), any.into());
                Ok(whole.into())
            }
        }
    }

    /// A schema with one type at most.
    fn one(
        &mut self,
        mut members: Map<String, Value>,
        place: &str,
    ) -> Result<Map<String, Value>, &'static str> {
        members.retain(|key, _| !ASIDE.contains(&key.as_str()));
        if let Some(value) = members.shift_remove("const") {
            members.insert("enum".to_owned(), json!([value]));
        }
        let kind = kind_of(&members);
        if let Some(kind) = kind {
            members.insert("type".to_owned(), kind.into());
        }
        match kind {
            Some("object") => self.object(&mut members, place)?,
            Some("array") => self.array(&mut members, place)?,
            _ => {}
        }
        for keyword in [
            "not",
            "contains",
            "minContains",
            "maxContains",
            "propertyNames",
            "patternProperties",
            "unevaluatedItems",
            "contentEncoding",
            "contentMediaType",
            "contentSchema",
        ] {
            self.say_rule(&mut members, keyword, place);
        }
        Ok(members)
    }

    fn object(
        &mut self,
        members: &mut Map<String, Value>,
        place: &str,
    ) -> Result<(), &'static str> {
        let mut properties = Map::new();
        if let Some(Value::Object(all)) = members.shift_remove("properties") {
            for (name, schema) in all {
                let inner = match place {
                    "" => name.clone(),
                    place => format!("{place}.{name}"),
                };
                if let Some(schema) = self.schema(&schema, &inner)? {
                    properties.insert(name, schema);
                }
            }
        }
        if let Some(Value::Array(required)) = members.get_mut("required") {
            required.retain(|name| {
                name.as_str()
                    .is_some_and(|name| properties.contains_key(name))
            });
        }
        if !properties.is_empty() {
            members.insert("properties".to_owned(), properties.into());
        }
        match members.shift_remove("additionalProperties") {
            Some(Value::Bool(false)) => {
                members.insert("additionalProperties".to_owned(), json!(false));
            }
            Some(schema @ Value::Object(_)) => {
                if let Some(schema) = self.schema(&schema, place)? {
                    members.insert("additionalProperties".to_owned(), schema);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn array(&mut self, members: &mut Map<String, Value>, place: &str) -> Result<(), &'static str> {
        let inner = format!("{place}[]");
        let mut kinds = Vec::new();
        if let Some(Value::Array(first)) = members.get("prefixItems").cloned() {
            self.say_rule(members, "prefixItems", place);
            kinds.extend(first);
        }
        kinds.extend(
            members
                .shift_remove("items")
                .filter(|items| *items != json!(false)),
        );
        let items = match kinds.len() {
            0 => json!({}),
            1 => kinds.remove(0),
            _ => json!({ "anyOf": kinds }),
        };
        let items = self.schema(&items, &inner)?.unwrap_or_else(|| json!({}));
        members.insert("items".to_owned(), items);
        Ok(())
    }

    /// Moves a keyword into the description.
    fn say_rule(&mut self, members: &mut Map<String, Value>, keyword: &str, place: &str) {
        if let Some(value) = members.shift_remove(keyword) {
            let text = told(keyword, &value);
            match text.len() <= LONGEST {
                true => note(members, &text),
                false => self.tell(
                    place,
                    &format!("has a rule `{keyword}` that stands in no schema; a call checks it"),
                ),
            }
        }
    }

    fn tell(&mut self, place: &str, what: &str) {
        let place = match place {
            "" => "the arguments".to_owned(),
            place => format!("`{place}`"),
        };
        self.losses.tell(format!("{place}: it {what}"));
    }
}

/// The schemas that hold on a condition.
fn conditional<'v>(rule: &str, value: &'v Value) -> Vec<&'v Value> {
    match (rule, value) {
        ("then" | "else", schema) => vec![schema],
        ("dependentSchemas", Value::Object(schemas)) => schemas.values().collect(),
        _ => Vec::new(),
    }
}

/// Whether a schema only speaks of an object's members.
fn of_members(schema: &Value) -> bool {
    const OF_MEMBERS: [&str; 9] = [
        "required",
        "properties",
        "not",
        "minProperties",
        "maxProperties",
        "description",
        "dependentRequired",
        "anyOf",
        "allOf",
    ];
    schema.as_object().is_some_and(|members| {
        !members.is_empty() && members.keys().all(|key| OF_MEMBERS.contains(&key.as_str()))
    })
}

/// Takes the members of another schema in: those that `members` has not yet. What is `required` there is so here only if it
/// always holds. Whether nothing of it is left.
fn absorb(members: &mut Map<String, Value>, schema: &Value, always: bool) -> bool {
    let Value::Object(other) = schema else {
        return *schema == json!(true);
    };
    let mut is_whole = true;
    for (keyword, value) in other {
        match (keyword.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                let own = members.entry("properties").or_insert_with(|| json!({}));
                let Some(own) = own.as_object_mut() else {
                    continue;
                };
                for (name, schema) in properties {
                    match own.contains_key(name) {
                        true => is_whole &= own[name] == *schema,
                        false if *schema == json!(false) => {}
                        false => drop(own.insert(name.clone(), schema.clone())),
                    }
                }
            }
            ("required", Value::Array(names)) if always => {
                let own = members.entry("required").or_insert_with(|| json!([]));
                if let Some(own) = own.as_array_mut() {
                    for name in names {
                        if !own.contains(name) {
                            own.push(name.clone());
                        }
                    }
                }
            }
            ("allOf", Value::Array(all)) => {
                for schema in all {
                    is_whole &= absorb(members, schema, always);
                }
            }
            ("if" | "then" | "else" | "dependentSchemas" | "anyOf" | "oneOf", _) => {
                for schema in conditional(keyword, value) {
                    absorb(members, schema, false);
                }
                is_whole = false;
            }
            ("description" | "title", _) if always && members.contains_key(keyword) => {}
            (keyword, _) if always => match members.get(keyword) {
                None => drop(members.insert(keyword.to_owned(), value.clone())),
                Some(own) => is_whole &= own == value,
            },
            _ => is_whole = false,
        }
    }
    is_whole
}

/// The alternatives of a schema: those it names, or one for each of its types.
fn alternatives(members: &mut Map<String, Value>) -> Option<Vec<Value>> {
    let key = ["anyOf", "oneOf"]
        .into_iter()
        .find(|key| members.contains_key(*key));
    if let Some(key) = key
        && let Some(Value::Array(several)) = members.shift_remove(key)
    {
        let kind = members.get("type").cloned();
        let several = several.into_iter().map(|mut schema| {
            // A type beside the choice is the type of each.
            if let (Some(kind), Value::Object(own)) = (&kind, &mut schema)
                && !own.contains_key("$ref")
            {
                own.entry("type").or_insert(kind.clone());
            }
            schema
        });
        let several = several.collect();
        members.shift_remove("type");
        return Some(several);
    }
    let kinds: Vec<&str> = match (
        members.get("type"),
        members.get("enum").or(members.get("const")),
    ) {
        (Some(Value::Array(kinds)), _) => kinds.iter().filter_map(Value::as_str).collect(),
        (None, Some(Value::Array(values))) => {
            let is_there = |kind: &&str| values.iter().any(|value| is_of(value, kind));
            let named = KINDS.into_iter().filter(|kind| *kind != "number");
            named.filter(is_there).collect()
        }
        _ => return None,
    };
    if kinds.len() < 2 {
        return None;
    }
    let kinds: Vec<String> = kinds.into_iter().map(str::to_owned).collect();
    let texts = ["title", "description", "default", "examples"];
    let whole = std::mem::take(members);
    let several = kinds.iter().map(|kind| {
        let mut one: Map<String, Value> = whole
            .iter()
            .filter(|(key, _)| !texts.contains(&key.as_str()) && is_about(key, kind))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if let Some(Value::Array(values)) = one.get_mut("enum") {
            values.retain(|value| is_of(value, kind));
        }
        one.insert("type".to_owned(), kind.clone().into());
        Value::Object(one)
    });
    // A choice of values has no use for a type that none of them has.
    let several = several.filter(|one| one.get("enum").is_none_or(|values| *values != json!([])));
    let several = several.collect();
    members.extend(
        whole
            .into_iter()
            .filter(|(key, _)| texts.contains(&key.as_str())),
    );
    Some(several)
}

fn is_of(value: &Value, kind: &str) -> bool {
    match (kind, value) {
        ("integer", Value::Number(number)) => number.is_i64() || number.is_u64(),
        ("number", Value::Number(_)) => true,
        ("string", Value::String(_)) | ("boolean", Value::Bool(_)) | ("null", Value::Null) => true,
        ("array", Value::Array(_)) | ("object", Value::Object(_)) => true,
        _ => false,
    }
}

/// Whether a keyword can matter for values of a kind.
fn is_about(keyword: &str, kind: &str) -> bool {
    match keyword {
        "minLength" | "maxLength" | "pattern" | "format" | "contentEncoding"
        | "contentMediaType" => kind == "string",
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => {
            matches!(kind, "integer" | "number")
        }
        "items" | "prefixItems" | "minItems" | "maxItems" | "uniqueItems" | "contains"
        | "minContains" | "maxContains" => kind == "array",
        "properties"
        | "required"
        | "additionalProperties"
        | "patternProperties"
        | "propertyNames"
        | "minProperties"
        | "maxProperties" => kind == "object",
        _ => true,
    }
}

/// The type of a schema: the one it names, or the one that all its other keywords are about.
fn kind_of(members: &Map<String, Value>) -> Option<&'static str> {
    let named = match members.get("type") {
        Some(Value::String(name)) => Some(name.as_str()),
        Some(Value::Array(names)) => names.first().and_then(Value::as_str),
        _ => None,
    };
    if let Some(named) = named {
        return KINDS.into_iter().find(|kind| *kind == named);
    }
    if let Some(Value::Array(values)) = members.get("enum") {
        let fits = |kind: &&str| values.iter().all(|value| is_of(value, kind));
        return KINDS.into_iter().find(fits);
    }
    let typical = |kind: &&str| {
        let keywords = members.keys();
        keywords
            .into_iter()
            .any(|key| is_about(key, kind) && !KINDS.into_iter().all(|kind| is_about(key, kind)))
    };
    ["string", "number", "array", "object"]
        .into_iter()
        .find(typical)
}

/// A keyword and its value, as people write them.
pub(super) fn told(keyword: &str, value: &Value) -> String {
    match value {
        Value::String(text) => format!("{keyword}: {text}"),
        value => format!("{keyword}: {value}"),
    }
}

/// Adds a rule to the description.
pub(super) fn note(members: &mut Map<String, Value>, rule: &str) {
    describe(members, &format!("({rule})"));
}

/// Adds to the description.
fn describe(members: &mut Map<String, Value>, more: &str) {
    let own = members.get("description").and_then(Value::as_str);
    let text = match own {
        Some(own) => format!("{own} {more}"),
        None => more.to_owned(),
    };
    members.insert("description".to_owned(), text.into());
}

/// Adds in front of the description.
fn describe_first(members: &mut Map<String, Value>, text: &str) {
    let own = members.get("description").and_then(Value::as_str);
    let text = match own {
        Some(own) => format!("{text} {own}"),
        None => text.to_owned(),
    };
    members.insert("description".to_owned(), text.into());
}
