//! The body of a saved request. What it holds becomes examples; its schema is read off them.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::text;
use super::url::{fill, is_shown, may_be_secret};

/// The most fields of a form.
const MOST_FIELDS: usize = 1000;
/// How deep values inside each other are described.
const MOST_DEPTH: usize = 8;

/// How bodies are read: what stands beside them.
pub(super) struct Reading<'r> {
    /// The content type of the request's headers.
    pub content_type: Option<&'r str>,
    /// The values of variables.
    pub variables: &'r HashMap<String, String>,
}

/// A body that was read.
#[derive(Debug)]
pub(super) struct Read {
    /// The `requestBody`.
    pub body: Value,
    /// The names of values that are left out because they may be secrets.
    pub hidden: Vec<String>,
}

impl Read {
    /// The values of the body that may be shown: the whole, or those of the fields.
    pub(super) fn value(&self) -> Value {
        let media = self.body["content"]
            .as_object()
            .and_then(|content| content.values().next());
        let Some(media) = media else {
            return Value::Null;
        };
        if let Some(example) = media.get("example") {
            return example.clone();
        }
        let fields = media["schema"]["properties"]
            .as_object()
            .into_iter()
            .flatten();
        let shown = fields.filter_map(|(name, schema)| {
            let value = schema.get("example").or(schema.get("default"))?;
            Some((name.clone(), value.clone()))
        });
        Value::Object(shown.collect())
    }
}

/// The JSON of a saved response without what may be secrets.
///
/// # Errors
/// When it is none, or too long for an example.
pub(super) fn saved_json(text: &str) -> Result<Value, String> {
    const LONGEST: usize = 4000;
    if text.len() > LONGEST {
        return Err(format!("its body is longer than {LONGEST} bytes"));
    }
    let value = serde_json::from_str(text).map_err(|_| "its body is no JSON")?;
    Ok(shown(value, &mut Vec::new()))
}

/// The key of a media type that says how its text is sent, where the name of the media type would say something else.
const SENT_AS: &str = "x-sent-as";

impl Reading<'_> {
    /// The body; `None` where the request has none.
    ///
    /// # Errors
    /// When the body is of a kind that is not known.
    pub(super) fn request_body(&self, body: Option<&Value>) -> Result<Option<Read>, String> {
        let Some(body) = body.filter(|body| body.is_object()) else {
            return Ok(None);
        };
        if body.get("disabled") == Some(&Value::Bool(true)) {
            return Ok(None);
        }
        let fields =
            ["urlencoded", "formdata"].map(|mode| body.get(mode).and_then(Value::as_array));
        if fields.iter().flatten().any(|list| list.len() > MOST_FIELDS) {
            return Err(format!("its body has more than {MOST_FIELDS} fields"));
        }
        let mut hidden = Vec::new();
        let content = match text(body, "mode") {
            None => return Ok(None),
            Some("raw") => self.raw(body, &mut hidden),
            Some("urlencoded") => {
                let (schema, _) = self.fields(body.get("urlencoded"), &mut hidden);
                schema.map(|schema| {
                    (
                        "application/x-www-form-urlencoded".to_owned(),
                        json!({ "schema": schema }),
                    )
                })
            }
            Some("formdata") => {
                let (schema, encoding) = self.fields(body.get("formdata"), &mut hidden);
                schema.map(|schema| {
                    let media = json!({ "schema": schema, "encoding": encoding });
                    ("multipart/form-data".to_owned(), media)
                })
            }
            Some("file") => {
                let media_type = self.content_type.unwrap_or("application/octet-stream");
                let schema = json!({ "type": "string", "format": "binary" });
                let media = json!({ "schema": schema, SENT_AS: "bytes" });
                Some((media_type.to_owned(), media))
            }
            Some("graphql") => {
                Some(self.graphql(body.get("graphql").unwrap_or(&Value::Null), &mut hidden))
            }
            Some(other) => {
                return Err(format!(
                    "its body is of the kind `{other}`, which is not supported"
                ));
            }
        };
        Ok(content.map(|(media_type, media)| Read {
            body: json!({ "required": true, "content": { media_type: media } }),
            hidden,
        }))
    }

    /// A text: JSON where it can be read as such.
    fn raw(&self, body: &Value, hidden: &mut Vec<String>) -> Option<(String, Value)> {
        let written = text(body, "raw")?;
        if written.trim().is_empty() {
            return None;
        }
        let language = body
            .pointer("/options/raw/language")
            .and_then(Value::as_str);
        let is_json = language == Some("json")
            || self
                .content_type
                .map_or(language.is_none(), |media_type| media_type.contains("json"));
        let written = fill(written, self.variables);
        if is_json && let Some(value) = read_json(&written) {
            let media_type = self.content_type.unwrap_or("application/json");
            let schema = schema_of(&value, MOST_DEPTH);
            let mut media = json!({ "schema": schema, SENT_AS: "json" });
            match value.as_str().is_some_and(may_be_secret) {
                true => hidden.push("body".to_owned()),
                false => media["example"] = shown(value, hidden),
            }
            return Some((media_type.to_owned(), media));
        }
        let media_type = self.content_type.unwrap_or(match language {
            Some("json") => "application/json",
            Some("xml") => "application/xml",
            Some("html") => "text/html",
            Some("javascript") => "application/javascript",
            _ => "text/plain",
        });
        let mut media = json!({ "schema": { "type": "string" }, SENT_AS: "text" });
        match has_secret(&written) {
            true => hidden.push("body".to_owned()),
            false => media["example"] = written.into(),
        }
        Some((media_type.to_owned(), media))
    }

    /// The schema and the encoding of a form; no schema if it has no fields.
    fn fields(&self, list: Option<&Value>, hidden: &mut Vec<String>) -> (Option<Value>, Value) {
        let mut properties: Map<String, Value> = Map::new();
        let mut encoding = Map::new();
        for field in list.and_then(Value::as_array).into_iter().flatten() {
            let Some(name) = text(field, "key").filter(|name| !name.is_empty()) else {
                continue;
            };
            let is_on = field.get("disabled") != Some(&Value::Bool(true));
            let mut schema = self.field(field, name, is_on, hidden);
            if let Some(words) = super::description(field.get("description")) {
                schema["description"] = words.into();
            }
            if let Some(media_type) = text(field, "contentType").filter(|name| !name.is_empty()) {
                let said = json!({ "contentType": media_type });
                match encoding.get(name) {
                    // A list has one media type.
                    Some(known) if *known != said => encoding.shift_remove(name),
                    _ => encoding.insert(name.to_owned(), said),
                };
            }
            match properties.get_mut(name) {
                // A field that is switched off adds nothing to one of the same name.
                Some(_) if !is_on => {}
                Some(known) if known.get(OFF).is_some() => *known = schema,
                Some(known) => add_item(known, schema),
                None => {
                    if !is_on {
                        schema[OFF] = true.into();
                    }
                    properties.insert(name.to_owned(), schema);
                }
            }
        }
        for schema in properties.values_mut().filter_map(Value::as_object_mut) {
            schema.shift_remove(OFF);
        }
        let schema =
            (!properties.is_empty()).then(|| json!({ "type": "object", "properties": properties }));
        (schema, encoding.into())
    }

    /// The schema of a field, with its value as an example.
    fn field(&self, field: &Value, name: &str, is_on: bool, hidden: &mut Vec<String>) -> Value {
        if text(field, "type") == Some("file") {
            let file = json!({ "type": "string", "format": "binary" });
            let count = field
                .get("src")
                .and_then(Value::as_array)
                .map_or(1, Vec::len);
            return match count {
                0 | 1 => file,
                _ => json!({ "type": "array", "items": file }),
            };
        }
        let value = fill(&super::url::text_of(field.get("value")), self.variables);
        let media_type = text(field, "contentType").unwrap_or_default();
        if media_type.contains("json")
            && let Some(value) = read_json(&value)
        {
            let mut schema = schema_of(&value, MOST_DEPTH);
            if is_on {
                schema["example"] = shown(value, hidden);
            }
            return schema;
        }
        let mut schema = json!({ "type": "string" });
        if !is_on || value.contains("{{") {
            return schema;
        }
        match value.is_empty() || is_shown(name, &value) {
            true => schema["example"] = value.into(),
            false => hidden.push(name.to_owned()),
        }
        schema
    }

    /// A GraphQL query is sent as JSON. Its variables are the params of the tool.
    fn graphql(&self, body: &Value, hidden: &mut Vec<String>) -> (String, Value) {
        let query = fill(text(body, "query").unwrap_or_default(), self.variables);
        let variables = text(body, "variables").map(|text| fill(text, self.variables));
        let variables = variables.as_deref().and_then(read_json);
        let mut properties = json!({ "query": { "type": "string", "default": query, "description": "The GraphQL query." } });
        if let Some(variables @ Value::Object(_)) = variables {
            let mut schema = schema_of(&variables, MOST_DEPTH);
            schema["description"] = "The variables of the query.".into();
            schema["example"] = shown(variables, hidden);
            properties["variables"] = schema;
        }
        if let Some(name) = text(body, "operationName").filter(|name| !name.is_empty()) {
            properties["operationName"] = json!({ "type": "string", "default": name, "description": "The operation of the query that runs." });
        }
        let mut schema =
            json!({ "type": "object", "required": ["query"], "properties": properties });
        if properties_have(&schema, "operationName") {
            schema["required"] = json!(["query", "operationName"]);
        }
        ("application/json".to_owned(), json!({ "schema": schema }))
    }
}

fn properties_have(schema: &Value, name: &str) -> bool {
    schema["properties"].get(name).is_some()
}

/// Marks a field that is switched off, while fields are read.
const OFF: &str = "x-off";

/// Makes a field a list, since another one has the same name.
fn add_item(known: &mut Value, more: Value) {
    let examples = |schema: &Value| match schema.get("example") {
        Some(Value::Array(list)) => list.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    };
    let all: Vec<Value> = examples(known).into_iter().chain(examples(&more)).collect();
    let item = match known.get("items") {
        Some(item) => item.clone(),
        None => {
            let mut item = known.clone();
            if let Some(members) = item.as_object_mut() {
                members.shift_remove("example");
                members.shift_remove("description");
            }
            item
        }
    };
    let words = known.get("description").cloned();
    *known = json!({ "type": "array", "items": item });
    if let Some(words) = words {
        known["description"] = words;
    }
    if !all.is_empty() {
        known["example"] = all.into();
    }
}

/// A value without the members that may be secrets, whose names are added to `hidden`, and without those whose value is
/// a variable that nobody knows.
fn shown(value: Value, hidden: &mut Vec<String>) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter_map(|(name, member)| match &member {
                Value::String(text) if text.contains("{{") => None,
                Value::String(text) if !text.is_empty() && !is_shown(&name, text) => {
                    hidden.push(name);
                    None
                }
                _ => Some((name, shown(member, hidden))),
            })
            .collect::<Map<String, Value>>()
            .into(),
        Value::Array(items) => items
            .into_iter()
            .filter(|item| {
                let text = item.as_str().unwrap_or_default();
                !text.contains("{{") && !may_be_secret(text)
            })
            .map(|item| shown(item, hidden))
            .collect::<Vec<Value>>()
            .into(),
        other => other,
    }
}

/// Whether a text has a word for a credential, or looks like one.
fn has_secret(written: &str) -> bool {
    let lower = written.to_lowercase();
    let words = [
        "password",
        "passwd",
        "secret",
        "token",
        "apikey",
        "api_key",
        "api-key",
        "credential",
    ];
    words.iter().any(|word| lower.contains(word)) || may_be_secret(written)
}

/// The value of a JSON text in which `{{variables}}` may stand for values.
fn read_json(written: &str) -> Option<Value> {
    if let Ok(value) = serde_json::from_str(written) {
        return Some(value);
    }
    // Outside of texts a variable stands for a whole value.
    let mut filled = String::new();
    let mut rest = written;
    let mut in_text = false;
    while let Some(c) = rest.chars().next() {
        if in_text && c == '\\' {
            let end = rest.char_indices().nth(2).map_or(rest.len(), |(at, _)| at);
            filled.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        if c == '"' {
            in_text = !in_text;
        }
        if !in_text
            && let Some((_, after)) = rest
                .strip_prefix("{{")
                .and_then(|rest| rest.split_once("}}"))
        {
            filled.push_str("null");
            rest = after;
            continue;
        }
        filled.push(c);
        rest = &rest[c.len_utf8()..];
    }
    serde_json::from_str(&filled).ok()
}

/// The schema that a value shows: its types, and those of its parts. It requires nothing: a saved value does not say
/// what the service needs.
pub(super) fn schema_of(value: &Value, depth: usize) -> Value {
    let Some(depth) = depth.checked_sub(1) else {
        return json!({});
    };
    match value {
        Value::Null => json!({}),
        Value::Bool(_) => json!({ "type": "boolean" }),
        Value::Number(number) if number.is_i64() || number.is_u64() => json!({ "type": "integer" }),
        Value::Number(_) => json!({ "type": "number" }),
        Value::String(_) => json!({ "type": "string" }),
        Value::Array(items) => {
            let mut shown: Vec<Value> = Vec::new();
            for item in items {
                let schema = schema_of(item, depth);
                if !shown.contains(&schema) {
                    shown.push(schema);
                }
            }
            match shown.as_slice() {
                [only] => json!({ "type": "array", "items": only }),
                _ => json!({ "type": "array" }),
            }
        }
        Value::Object(members) => {
            let properties: Map<String, Value> = members
                .iter()
                .map(|(name, member)| (name.clone(), schema_of(member, depth)))
                .collect();
            json!({ "type": "object", "properties": properties })
        }
    }
}
