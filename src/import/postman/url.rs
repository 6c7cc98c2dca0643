//! The URL of a saved request: its server, its path and its query.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::text;

/// The most replacements of variables by their values, which may name further variables.
const MOST_REPLACEMENTS: usize = 20;

/// Where a request goes.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// The server, such as `https://api.example.com/v1`; empty where a variable without a value names it.
    pub base: String,
    /// The path, with `{name}` for variables.
    pub path: String,
    /// Name, value, description, and whether it is in use.
    query: Vec<Entry>,
    /// The variables of the path.
    path_variables: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    name: String,
    value: String,
    words: Option<String>,
    is_on: bool,
}

impl Target {
    /// Reads the URL, a text or an object.
    ///
    /// # Errors
    /// When there is none, or it names no path that a descriptor can say.
    pub(super) fn of(
        url: Option<&Value>,
        variables: &HashMap<String, String>,
    ) -> Result<Target, String> {
        let whole = match url {
            Some(Value::String(whole)) => whole.clone(),
            Some(object) => match text(object, "raw") {
                Some(raw) => raw.to_owned(),
                None => assembled(object),
            },
            None => return Err("it has no URL".to_owned()),
        };
        let whole = whole.trim().split('#').next().unwrap_or_default();
        if whole.is_empty() {
            return Err("it has no URL".to_owned());
        }
        let (before, query) = whole.split_once('?').unwrap_or((whole, ""));
        let (base, path) = split_base(before, variables);
        let listed = url
            .and_then(|url| url.get("query"))
            .and_then(Value::as_array);
        let query = match listed {
            Some(list) => list.iter().filter_map(entry).collect(),
            None => query_of(query),
        };
        let listed = url
            .and_then(|url| url.get("variable"))
            .and_then(Value::as_array);
        Ok(Target {
            base,
            path: path_template(path),
            query,
            path_variables: listed.into_iter().flatten().filter_map(entry).collect(),
        })
    }

    /// A parameter of the query that carries a credential, by its name.
    pub(super) fn secret(&self) -> Option<&str> {
        let mut sent = self.query.iter().filter(|entry| entry.is_on);
        sent.find(|entry| is_secret_name(&entry.name))
            .map(|entry| entry.name.as_str())
    }

    /// The parameters of the path and the query.
    pub(super) fn parameters(&self, variables: &HashMap<String, String>) -> Vec<Value> {
        let mut parameters: Vec<Value> = names_of(&self.path)
            .map(|name| {
                let listed = self.path_variables.iter().find(|entry| entry.name == name);
                let mut schema = json!({ "type": "string" });
                let example = listed.map(|entry| entry.value.as_str());
                if let Some(value) =
                    example.filter(|value| !value.is_empty() && !value.contains("{{"))
                {
                    schema["example"] = value.into();
                }
                // The value of the collection's variable is what every request sends.
                if let (None, Some(value)) = (listed, variables.get(name)) {
                    schema["default"] = value.as_str().into();
                }
                let mut parameter =
                    json!({ "name": name, "in": "path", "required": true, "schema": schema });
                if let Some(words) = listed.and_then(|entry| entry.words.as_ref()) {
                    parameter["description"] = words.as_str().into();
                }
                parameter
            })
            .collect();
        let mut seen: Vec<&str> = Vec::new();
        for entry in &self.query {
            if entry.name.is_empty() || seen.contains(&entry.name.as_str()) {
                continue;
            }
            seen.push(&entry.name);
            let same = self.query.iter().filter(|other| other.name == entry.name);
            let values: Vec<&str> = same.map(|other| other.value.as_str()).collect();
            let schema = match values.as_slice() {
                [only] => value_schema(&entry.name, only, variables),
                several => {
                    json!({ "type": "array", "items": { "type": "string" }, "default": several })
                }
            };
            let is_sent = entry.is_on && !entry.value.is_empty();
            let schema = match is_sent {
                true => schema,
                false => json!({ "type": "string" }),
            };
            let mut parameter =
                json!({ "name": entry.name, "in": "query", "required": is_sent, "schema": schema });
            if let Some(words) = &entry.words {
                parameter["description"] = words.as_str().into();
            }
            parameters.push(parameter);
        }
        parameters
    }
}

/// Whether a name says that its value is a credential.
pub(super) fn is_secret_name(name: &str) -> bool {
    let words = crate::import::openapi::words_of(name);
    let last = words.last().map(String::as_str);
    let whole = words.concat();
    matches!(
        last,
        Some("token" | "secret" | "apikey" | "password" | "auth" | "cookie" | "appid")
    ) || (last == Some("key") && words.len() > 1)
        || whole == "sig"
}

/// The schema of a value that the request sends: its default is that value. One that holds a variable without a value,
/// or may be a credential, has none, so the caller gives it.
pub(super) fn value_schema(name: &str, value: &str, variables: &HashMap<String, String>) -> Value {
    let filled = fill(value, variables);
    let is_secret =
        is_secret_name(name) || crate::check::mask_literal_secrets(&filled) != filled.as_str();
    let is_known = !filled.contains("{{") && !filled.is_empty() && !is_secret;
    let mut schema = json!({ "type": "string" });
    if is_known {
        schema["default"] = filled.into();
    }
    schema
}

/// A text with the values of the variables that have one.
fn fill(text: &str, variables: &HashMap<String, String>) -> String {
    let mut filled = text.to_owned();
    for _ in 0..MOST_REPLACEMENTS {
        let found = variables_in(&filled)
            .find_map(|name| Some((name.to_owned(), variables.get(name.trim())?)));
        match found {
            Some((name, value)) if filled.len() < 10_000 => {
                filled = filled.replace(&format!("{{{{{name}}}}}"), value);
            }
            _ => break,
        }
    }
    filled
}

fn variables_in(text: &str) -> impl Iterator<Item = &str> {
    text.split("{{")
        .skip(1)
        .filter_map(|rest| rest.split_once("}}").map(|(name, _)| name))
}

/// The server and the rest. A variable at the beginning is the server, or the first part of it.
fn split_base<'u>(url: &'u str, variables: &HashMap<String, String>) -> (String, &'u str) {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find('/').map_or(url.len(), |at| start + at);
    let filled = fill(&url[..end], variables);
    let base = match filled {
        filled if filled.contains("{{") => String::new(),
        filled if filled.contains("://") => filled,
        filled => format!("https://{filled}"),
    };
    (base.trim_end_matches('/').to_owned(), &url[end..])
}

/// A path with `{name}` for `:name` and for `{{name}}`.
fn path_template(path: &str) -> String {
    let segments = path.split('/').map(|segment| {
        if let Some(name) = segment.strip_prefix(':').filter(|name| !name.is_empty()) {
            return format!("{{{name}}}");
        }
        let mut written = String::new();
        let mut rest = segment;
        while let Some((before, behind)) = rest.split_once("{{") {
            let Some((name, after)) = behind.split_once("}}") else {
                break;
            };
            written.push_str(before);
            written.push_str(&format!("{{{}}}", name.trim().trim_start_matches('$')));
            rest = after;
        }
        written + rest
    });
    let path = segments.collect::<Vec<_>>().join("/");
    match path.starts_with('/') {
        true => path,
        false => format!("/{path}"),
    }
}

fn names_of(path: &str) -> impl Iterator<Item = &str> {
    let mut seen: Vec<&str> = Vec::new();
    path.split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
        .filter(move |name| {
            let is_new = !seen.contains(name);
            seen.push(name);
            is_new
        })
}

/// The URL from its parts, where the text of the whole is missing.
fn assembled(url: &Value) -> String {
    let parts = |key: &str, between: &str| match url.get(key) {
        Some(Value::Array(list)) => {
            let parts: Vec<String> = list
                .iter()
                .map(|part| match part {
                    Value::Object(_) => text_of(part.get("value")),
                    other => text_of(Some(other)),
                })
                .collect();
            parts.join(between)
        }
        other => text_of(other),
    };
    let protocol = text(url, "protocol").map(|protocol| format!("{protocol}://"));
    let port = text(url, "port").map(|port| format!(":{port}"));
    let host = parts("host", ".");
    let path = parts("path", "/");
    format!(
        "{}{host}{}/{}",
        protocol.unwrap_or_default(),
        port.unwrap_or_default(),
        path.trim_start_matches('/')
    )
}

fn query_of(query: &str) -> Vec<Entry> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = |text: &str| {
                let text = text.replace('+', " ");
                percent_encoding::percent_decode_str(&text)
                    .decode_utf8_lossy()
                    .into_owned()
            };
            Entry {
                name: decoded(name),
                value: decoded(value),
                words: None,
                is_on: true,
            }
        })
        .collect()
}

fn entry(entry: &Value) -> Option<Entry> {
    Some(Entry {
        name: text(entry, "key").or(text(entry, "id"))?.to_owned(),
        value: text_of(entry.get("value")),
        words: super::description(entry.get("description")).map(str::to_owned),
        is_on: entry.get("disabled") != Some(&Value::Bool(true)),
    })
}

/// A value as the text that is sent.
pub(super) fn text_of(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
