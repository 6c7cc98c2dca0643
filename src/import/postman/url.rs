//! The URL of a saved request: its server, its path and its query.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::text;

/// The most replacements of variables by their values, which may name further variables.
const MOST_REPLACEMENTS: usize = 20;
/// The longest text with the values of variables, in bytes: a value may stand in it often, and name others twice.
const MOST_FILLED: usize = 1 << 20;
/// The most parameters of a query.
const MOST_PARAMETERS: usize = 1000;

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
    /// Whether a user stands before the host.
    pub has_user: bool,
    /// Whether a segment of the path that looks like a secret became a variable.
    pub has_secret_segment: bool,
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
            Some(object) => match text(object, "raw").filter(|raw| !raw.trim().is_empty()) {
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
        let (before, has_user) = without_user(before);
        let (base, path) = split_base(&before, variables);
        let listed = url
            .and_then(|url| url.get("query"))
            .and_then(Value::as_array);
        let query = match listed {
            Some(list) => list.iter().filter_map(query_entry).collect(),
            None => query_of(query),
        };
        if query.len() > MOST_PARAMETERS {
            return Err(format!("it has more than {MOST_PARAMETERS} parameters"));
        }
        let listed = url
            .and_then(|url| url.get("variable"))
            .and_then(Value::as_array);
        if query.iter().any(|entry| may_be_secret(&entry.name)) {
            return Err("a name in its query looks like a secret".to_owned());
        }
        let (path, has_secret_segment) = without_secrets(&path_template(path));
        Ok(Target {
            base,
            path,
            query,
            path_variables: listed.into_iter().flatten().filter_map(entry).collect(),
            has_user,
            has_secret_segment,
        })
    }

    /// The parameters of the query that carry a credential, by their names, and whether their values are written there.
    pub(super) fn secrets(&self) -> Vec<(&str, bool)> {
        let mut found: Vec<(&str, bool)> = Vec::new();
        let sent = self.query.iter().filter(|entry| entry.is_on);
        for entry in sent.filter(|entry| is_secret_name(&entry.name)) {
            let is_written = !entry.value.is_empty() && !entry.value.contains("{{");
            match found.iter_mut().find(|(name, _)| *name == entry.name) {
                Some((_, known)) => *known |= is_written,
                None => found.push((&entry.name, is_written)),
            }
        }
        found
    }

    /// The values of the path and of the query that are known and may be shown, by name.
    pub(super) fn values(&self, variables: &HashMap<String, String>) -> (Value, Value) {
        let mut path = serde_json::Map::new();
        for name in names_of(&self.path) {
            let listed = self.path_variables.iter().find(|entry| entry.name == name);
            let value = match listed {
                Some(entry) => fill(&entry.value, variables),
                None => variables.get(name).cloned().unwrap_or_default(),
            };
            if is_shown(name, &value) {
                path.insert(name.to_owned(), value.into());
            }
        }
        let mut query = serde_json::Map::new();
        for entry in self.query.iter().filter(|entry| entry.is_on) {
            let value = fill(&entry.value, variables);
            if !is_shown(&entry.name, &value) {
                continue;
            }
            match query.get_mut(&entry.name) {
                Some(Value::Array(several)) => several.push(value.into()),
                Some(one) => *one = json!([one, value]),
                None => {
                    query.insert(entry.name.clone(), value.into());
                }
            }
        }
        (path.into(), query.into())
    }

    /// The parameters of the path and the query.
    pub(super) fn parameters(&self, variables: &HashMap<String, String>) -> Vec<Value> {
        let mut parameters: Vec<Value> = names_of(&self.path)
            .map(|name| {
                let listed = self.path_variables.iter().find(|entry| entry.name == name);
                let mut schema = json!({ "type": "string" });
                let example = listed.map(|entry| fill(&entry.value, variables));
                if let Some(value) = example.filter(|value| is_shown(name, value)) {
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
            let values: Vec<&str> = same
                .filter(|other| other.is_on)
                .map(|other| other.value.as_str())
                .collect();
            let is_sent = !values.is_empty();
            let schema = match values.as_slice() {
                [] => json!({ "type": "string" }),
                [only] => value_schema(&entry.name, only, variables),
                several => {
                    let several: Vec<String> =
                        several.iter().map(|value| fill(value, variables)).collect();
                    let mut schema = json!({ "type": "array", "items": { "type": "string" } });
                    if several
                        .iter()
                        .all(|value| value.is_empty() || is_shown(&entry.name, value))
                    {
                        schema["default"] = several.into();
                    }
                    schema
                }
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
pub(in crate::import) fn is_secret_name(name: &str) -> bool {
    // Words before `token` and `key` that say what else it is.
    const HARMLESS: [&str; 15] = [
        "page",
        "next",
        "prev",
        "previous",
        "sync",
        "continuation",
        "idempotency",
        "partition",
        "sort",
        "primary",
        "routing",
        "start",
        "resume",
        "cursor",
        "public",
    ];
    let words = crate::import::openapi::words_of(name);
    if words.iter().any(|word| HARMLESS.contains(&word.as_str())) {
        return false;
    }
    let last = words.last().map(String::as_str);
    let whole = words.concat();
    matches!(
        last,
        Some(
            "token"
                | "secret"
                | "apikey"
                | "password"
                | "passwd"
                | "pwd"
                | "passphrase"
                | "auth"
                | "authorization"
                | "cookie"
                | "appid"
                | "jwt"
                | "credential"
                | "credentials"
                | "session"
                | "csrf"
                | "xsrf"
                | "assertion"
                | "signature"
        )
    ) || (last == Some("key") && words.len() > 1)
        || words.ends_with(&["session".to_owned(), "id".to_owned()])
        // As in `X-Hub-Signature-256`.
        || words.iter().rev().find(|word| !word.bytes().all(|byte| byte.is_ascii_digit())).is_some_and(|word| word == "signature")
        || [
            "sig",
            "apitoken",
            "accesstoken",
            "authtoken",
            "appkey",
            "accesskey",
            "secretkey",
            "sid",
            "sessionid",
        ]
        .contains(&whole.as_str())
}

/// Whether a value may stand in a file: it is known, and neither its name nor its look says that it is a credential.
pub(super) fn is_shown(name: &str, value: &str) -> bool {
    !value.is_empty() && !value.contains("{{") && !is_secret_name(name) && !may_be_secret(value)
}

/// Whether a text that somebody sent may be a credential, or have one in it: it looks like one, also with its escapes read, or
/// it names one, as the query of a URL and the members of JSON do. What is taken for one without being one is only left out,
/// so this finds more than a check of a file may.
pub(in crate::import) fn may_be_secret(text: &str) -> bool {
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8_lossy();
    [text, &decoded].into_iter().any(|text| {
        crate::check::looks_secret(text) || names_secret(text) || words_of_keys(text).any(is_key)
    })
}

/// Whether a part of a text is `name=value` or `name: value`, and the name says that it is a credential.
fn names_secret(text: &str) -> bool {
    let is_end = |c: char| c.is_whitespace() || "?&;,#{}()[]".contains(c);
    let mut parts = text.split(is_end);
    parts.any(|part| {
        let name = part.split(['=', ':']).next().unwrap_or_default();
        let is_named = name.len() < part.len();
        is_named && is_secret_name(name.trim_matches(|c: char| !c.is_ascii_alphanumeric()))
    })
}

/// The parts of a text that may be keys.
fn words_of_keys(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_')
}

/// Whether a word is long and changes between letters and digits as no name does. A UUID is an id.
fn is_key(word: &str) -> bool {
    const SHORTEST: usize = 20;
    const FEWEST_CHANGES: usize = 6;
    const LONG_HEX: usize = 40;
    let is_uuid = || uuid::Uuid::try_parse(word).is_ok() && word.contains('-');
    let digits = word.bytes().map(|byte| byte.is_ascii_digit());
    let digits: Vec<bool> = digits.collect();
    let changes = digits.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let mut runs = word.split(|c: char| !c.is_ascii_hexdigit());
    let is_hex = runs.any(|run| run.len() >= LONG_HEX);
    word.len() >= SHORTEST
        && (changes >= FEWEST_CHANGES || is_hex)
        && word.bytes().any(|byte| byte.is_ascii_alphabetic())
        && !is_uuid()
        && !is_of_dates(word)
}

/// Whether digits stand only in groups between hyphens or underscores, as in `orders-2026-01-31-eu-2`.
fn is_of_dates(word: &str) -> bool {
    word.split(['-', '_']).all(|part| {
        let count = part.bytes().filter(u8::is_ascii_digit).count();
        count == 0 || count == part.len()
    })
}

/// The schema of a value that the request sends: its default is that value. One that holds a variable without a value,
/// or may be a credential, has none, so the caller gives it.
pub(super) fn value_schema(name: &str, value: &str, variables: &HashMap<String, String>) -> Value {
    let filled = fill(value, variables);
    let mut schema = json!({ "type": "string" });
    if is_shown(name, &filled) || (filled.is_empty() && !is_secret_name(name)) {
        schema["default"] = filled.into();
    }
    schema
}

/// A text with the values of the variables that have one.
pub(super) fn fill(text: &str, variables: &HashMap<String, String>) -> String {
    let mut filled = text.to_owned();
    for _ in 0..MOST_REPLACEMENTS {
        match replaced(&filled, variables) {
            Some(next) => filled = next,
            None => break,
        }
    }
    filled
}

/// The text with each variable that has a value replaced once; `None` if none has, or the result would be too long.
fn replaced(text: &str, variables: &HashMap<String, String>) -> Option<String> {
    let mut written = String::new();
    let mut rest = text;
    let mut is_changed = false;
    while let Some((before, behind)) = rest.split_once("{{") {
        written.push_str(before);
        let known = behind
            .split_once("}}")
            .and_then(|(name, after)| Some((variables.get(name.trim())?, after)));
        match known {
            Some((value, after)) => {
                is_changed = true;
                written.push_str(value);
                rest = after;
            }
            None => {
                written.push_str("{{");
                rest = behind;
            }
        }
        if written.len() > MOST_FILLED {
            return None;
        }
    }
    written.push_str(rest);
    is_changed.then_some(written)
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

/// A URL without the user and the password before its host, and whether it has one.
fn without_user(url: &str) -> (String, bool) {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find('/').map_or(url.len(), |at| start + at);
    match url[start..end].rfind('@') {
        Some(at) => {
            let host = &url[start + at + 1..];
            (format!("{}{host}", &url[..start]), true)
        }
        None => (url.to_owned(), false),
    }
}

/// A path with a variable for each segment that looks like a secret, and whether it has one.
fn without_secrets(path: &str) -> (String, bool) {
    let mut count = 0;
    let segments = path.split('/').map(|segment| {
        if segment.contains('{') || !may_be_secret(segment) {
            return segment.to_owned();
        }
        count += 1;
        // What looks random may be an id.
        let is_known = crate::check::mask_literal_secrets(segment) != segment;
        let name = if is_known { "secret" } else { "id" };
        match count {
            1 => format!("{{{name}}}"),
            more => format!("{{{name}{more}}}"),
        }
    });
    let path = segments.collect::<Vec<_>>().join("/");
    (path, count > 0)
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
            Entry {
                name: decoded(name),
                value: decoded(value),
                words: None,
                is_on: true,
            }
        })
        .collect()
}

/// A name or a value of a query, without its encoding.
fn decoded(text: &str) -> String {
    let text = text.replace('+', " ");
    percent_encoding::percent_decode_str(&text)
        .decode_utf8_lossy()
        .into_owned()
}

/// An entry of a query, which is written as it is sent.
fn query_entry(value: &Value) -> Option<Entry> {
    let entry = entry(value)?;
    Some(Entry {
        name: decoded(&entry.name),
        value: decoded(&entry.value),
        ..entry
    })
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
