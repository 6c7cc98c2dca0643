//! The body of a saved request. What it holds becomes examples; its schema is read off them.

use serde_json::{Map, Value, json};

use super::text;

/// How deep values inside each other are described.
const MOST_DEPTH: usize = 8;

/// The `requestBody`; `None` where the request has none.
///
/// # Errors
/// When the body is of a kind that is not known.
pub(super) fn request_body(
    body: Option<&Value>,
    content_type: Option<&str>,
) -> Result<Option<Value>, String> {
    let Some(body) = body.filter(|body| body.is_object()) else {
        return Ok(None);
    };
    if body.get("disabled") == Some(&Value::Bool(true)) {
        return Ok(None);
    }
    let content = match text(body, "mode") {
        None => return Ok(None),
        Some("raw") => raw(body, content_type),
        Some("urlencoded") => {
            let (schema, _) = fields(body.get("urlencoded"));
            schema.map(|schema| {
                (
                    "application/x-www-form-urlencoded".to_owned(),
                    json!({ "schema": schema }),
                )
            })
        }
        Some("formdata") => {
            let (schema, encoding) = fields(body.get("formdata"));
            schema.map(|schema| {
                let media = json!({ "schema": schema, "encoding": encoding });
                ("multipart/form-data".to_owned(), media)
            })
        }
        Some("file") => {
            let media_type = content_type.unwrap_or("application/octet-stream");
            let schema = json!({ "type": "string", "format": "binary" });
            Some((media_type.to_owned(), json!({ "schema": schema })))
        }
        Some("graphql") => Some(graphql(body.get("graphql").unwrap_or(&Value::Null))),
        Some(other) => {
            return Err(format!(
                "its body is of the kind `{other}`, which is not supported"
            ));
        }
    };
    let body = content
        .map(|(media_type, media)| json!({ "required": true, "content": { media_type: media } }));
    Ok(body)
}

/// A text: JSON where it can be read as such.
fn raw(body: &Value, content_type: Option<&str>) -> Option<(String, Value)> {
    let written = text(body, "raw")?;
    if written.trim().is_empty() {
        return None;
    }
    let language = body
        .pointer("/options/raw/language")
        .and_then(Value::as_str);
    let is_json = content_type.map_or(language.is_none_or(|name| name == "json"), |media_type| {
        media_type.contains("json")
    });
    if is_json && let Some(value) = read_json(written) {
        let media_type = content_type.unwrap_or("application/json");
        let media = json!({ "schema": schema_of(&value, MOST_DEPTH), "example": value });
        return Some((media_type.to_owned(), media));
    }
    let media_type = content_type.unwrap_or(match language {
        Some("json") => "application/json",
        Some("xml") => "application/xml",
        Some("html") => "text/html",
        Some("javascript") => "application/javascript",
        _ => "text/plain",
    });
    let media_type = match media_type.contains("json") {
        // What cannot be read as JSON is sent as it is.
        true => "text/plain",
        false => media_type,
    };
    let media = json!({ "schema": { "type": "string" }, "example": written });
    Some((media_type.to_owned(), media))
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

/// The schema and the encoding of a form; no schema if it has no fields.
fn fields(list: Option<&Value>) -> (Option<Value>, Value) {
    let mut properties = Map::new();
    let mut encoding = Map::new();
    for field in list.and_then(Value::as_array).into_iter().flatten() {
        let Some(name) = text(field, "key").filter(|name| !name.is_empty()) else {
            continue;
        };
        let is_file = text(field, "type") == Some("file");
        let value = super::url::text_of(field.get("value"));
        let mut schema = match is_file {
            true => json!({ "type": "string", "format": "binary" }),
            false => json!({ "type": "string" }),
        };
        let is_shown = !is_file && !value.is_empty() && !value.contains("{{");
        if is_shown {
            schema["example"] = value.into();
        }
        if let Some(words) = super::description(field.get("description")) {
            schema["description"] = words.into();
        }
        if let Some(media_type) = text(field, "contentType").filter(|name| !name.is_empty()) {
            encoding.insert(name.to_owned(), json!({ "contentType": media_type }));
        }
        properties.insert(name.to_owned(), schema);
    }
    let schema =
        (!properties.is_empty()).then(|| json!({ "type": "object", "properties": properties }));
    (schema, encoding.into())
}

/// A GraphQL query is sent as JSON. Its variables are the params of the tool.
fn graphql(body: &Value) -> (String, Value) {
    let query = text(body, "query").unwrap_or_default();
    let variables = text(body, "variables").and_then(read_json);
    let mut properties = json!({ "query": { "type": "string", "default": query, "description": "The GraphQL query." } });
    if let Some(variables @ Value::Object(_)) = variables {
        let mut schema = schema_of(&variables, MOST_DEPTH);
        schema["description"] = "The variables of the query.".into();
        schema["example"] = variables;
        properties["variables"] = schema;
    }
    let schema = json!({ "type": "object", "required": ["query"], "properties": properties });
    ("application/json".to_owned(), json!({ "schema": schema }))
}
