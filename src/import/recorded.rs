//! One recorded exchange: its request is read as the curl command that sends it, and its answer becomes an example. Nothing
//! that is a credential comes along.

use base64::Engine as _;
use serde_json::{Map, Value};

use super::curl;
use super::inner::Inner;
use super::postman::{is_secret_name, may_be_secret};
use super::report::What;
use crate::har::{Body, Content, Entry};

/// Headers of a browser or a connection that say nothing about the request.
const OF_BROWSERS: [&str; 11] = [
    "user-agent",
    "referer",
    "origin",
    "accept-language",
    "cache-control",
    "pragma",
    "if-none-match",
    "if-modified-since",
    "x-requested-with",
    "content-length",
    "host",
];
/// What stands in place of a secret.
const MASK: &str = "***";
/// The shortest value that is searched for as a credential. Shorter ones occur by chance.
const SHORTEST: usize = 6;
/// The most items of a list in an example.
const MOST_ITEMS: usize = 3;
/// The most bytes of the answer of an example.
const MOST_BYTES: usize = 16 << 10;

/// Rewrites an exchange.
///
/// # Errors
/// When a tool cannot say what it sends.
pub(super) fn rewrite(entry: &Entry) -> Result<Inner, String> {
    let mut notes = Vec::new();
    let words = words(entry, &mut notes)?;
    let answer = answer(entry, &mut notes);
    let mut inner = curl::rewrite_words(words, answer)?;
    let lost = notes
        .into_iter()
        .map(|note| (What::Example, String::new(), note));
    inner.lost.extend(lost);
    Ok(inner)
}

/// The words of the curl command that sends the request.
fn words(entry: &Entry, notes: &mut Vec<String>) -> Result<Vec<String>, String> {
    let request = &entry.request;
    let url = request.url.split('#').next().unwrap_or_default();
    if url.contains("{{") {
        return Err("its URL has `{{`, which is an expression in a tool".to_owned());
    }
    let mut words = vec![
        "--globoff",
        "--path-as-is",
        "-X",
        &request.method,
        "--url",
        url,
    ]
    .into_iter()
    .map(str::to_owned)
    .collect::<Vec<_>>();
    let mut left_out = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for (name, value) in &request.headers {
        let lower = name.to_ascii_lowercase();
        if OF_BROWSERS.contains(&lower.as_str()) {
            if !["content-length", "host"].contains(&lower.as_str()) {
                left_out.push(format!("`{lower}`"));
            }
            continue;
        }
        let is_form = request
            .body
            .as_ref()
            .is_some_and(|body| body.essence() == "multipart/form-data");
        if (lower == "content-type" && is_form) || value.is_empty() {
            continue;
        }
        names.push(lower);
        words.extend(["-H".to_owned(), format!("{name}: {value}")]);
    }
    if !left_out.is_empty() {
        left_out.sort();
        left_out.dedup();
        notes.push(format!(
            "headers of the browser are left out: {}",
            left_out.join(", ")
        ));
    }
    if let Some(body) = &request.body {
        if !names.iter().any(|name| name == "content-type")
            && !body.media_type.is_empty()
            && body.essence() != "multipart/form-data"
        {
            words.extend([
                "-H".to_owned(),
                format!("content-type: {}", body.media_type),
            ]);
        }
        body_words(body, &mut words)?;
    }
    Ok(words)
}

fn body_words(body: &Body, words: &mut Vec<String>) -> Result<(), String> {
    if body.essence() == "multipart/form-data" {
        if body.params.is_empty() {
            return Err("the recording does not list the parts of its body".to_owned());
        }
        for param in &body.params {
            let value = param.value.as_deref().unwrap_or_default();
            match &param.file_name {
                Some(file) => words.extend(["-F".to_owned(), format!("{}=@{file}", param.name)]),
                None => words.extend([
                    "--form-string".to_owned(),
                    format!("{}={value}", param.name),
                ]),
            }
        }
        return Ok(());
    }
    match (body.text(), &body.content) {
        (Some(text), _) => words.extend(["--data-raw".to_owned(), text.to_owned()]),
        (None, Content::Bytes(_)) => {
            words.extend(["--data-binary".to_owned(), "@body.bin".to_owned()]);
        }
        (None, _) if !body.params.is_empty() => {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            for param in &body.params {
                form.append_pair(&param.name, param.value.as_deref().unwrap_or_default());
            }
            words.extend(["--data-raw".to_owned(), form.finish()]);
        }
        (None, _) => return Err("the recording does not hold its body".to_owned()),
    }
    Ok(())
}

/// The answer as an example has it: JSON, without secrets, and not long.
fn answer(entry: &Entry, notes: &mut Vec<String>) -> Option<(u16, Value)> {
    let mut leave_out = |reason: &str| {
        notes.push(format!("the answer is not in the example: {reason}"));
        None
    };
    let Some(response) = &entry.response else {
        return leave_out("the recording has none");
    };
    if !(200..300).contains(&response.status) {
        return leave_out(&format!("its status is {}", response.status));
    }
    let Some(text) = response.body.text() else {
        return leave_out("the recording does not hold its text");
    };
    if text.is_empty() {
        return Some((response.status, Value::Null));
    }
    let Ok(mut value) = serde_json::from_str::<Value>(text) else {
        return leave_out("it is no JSON");
    };
    let mut made = Made {
        secrets: credentials(entry),
        masked: 0,
        cut: 0,
    };
    made.make(&mut value);
    if value.to_string().len() > MOST_BYTES {
        return leave_out("it is long");
    }
    if made.masked > 0 {
        notes.push(format!(
            "{} value(s) of the answer look like secrets; the example has `{MASK}` for them",
            made.masked
        ));
    }
    if made.cut > 0 {
        notes.push(format!(
            "the example has the first {MOST_ITEMS} items of a list that was longer"
        ));
    }
    notes.push(
        "the example holds data of the real answer; look through it before you share the file"
            .to_owned(),
    );
    Some((response.status, value))
}

/// An answer that becomes an example.
struct Made {
    secrets: Vec<String>,
    masked: usize,
    cut: usize,
}

impl Made {
    fn make(&mut self, value: &mut Value) {
        match value {
            Value::Object(members) => {
                for (name, member) in members.iter_mut() {
                    match member {
                        Value::String(text) if is_secret_name(name) && !text.is_empty() => {
                            self.mask(member);
                        }
                        _ => self.make(member),
                    }
                }
            }
            Value::Array(items) => {
                if items.len() > MOST_ITEMS {
                    items.truncate(MOST_ITEMS);
                    self.cut += 1;
                }
                items.iter_mut().for_each(|item| self.make(item));
            }
            Value::String(text) => {
                let is_known = self.secrets.iter().any(|secret| text.contains(secret));
                if is_known || may_be_secret(text) {
                    self.mask(value);
                }
            }
            _ => {}
        }
    }

    fn mask(&mut self, value: &mut Value) {
        self.masked += 1;
        *value = MASK.into();
    }
}

/// The values of a request that are credentials: those of headers, parameters and fields by their names, each cookie, and
/// the parts of `authorization`.
pub(super) fn credentials(entry: &Entry) -> Vec<String> {
    let request = &entry.request;
    let mut found = Vec::new();
    for (name, value) in &request.headers {
        match name.to_ascii_lowercase().as_str() {
            "authorization" | "proxy-authorization" => {
                found.push(value.clone());
                of_authorization(value, &mut found);
            }
            "cookie" => {
                let cookies = value.split(';').filter_map(|cookie| cookie.split_once('='));
                found.extend(cookies.map(|(_, value)| value.trim().to_owned()));
            }
            _ if is_secret_name(name) => found.push(value.clone()),
            _ => {}
        }
    }
    if let Ok(url) = url::Url::parse(&request.url) {
        found.extend(url.password().map(str::to_owned));
        let pairs = url.query_pairs().filter(|(name, _)| is_secret_name(name));
        found.extend(pairs.map(|(_, value)| value.into_owned()));
    }
    if let Some(body) = &request.body {
        let named = body
            .params
            .iter()
            .filter(|param| is_secret_name(&param.name));
        found.extend(named.filter_map(|param| param.value.clone()));
        let text = body.text().unwrap_or_default();
        if let Ok(Value::Object(members)) = serde_json::from_str(text) {
            of_members(&members, &mut found);
        } else if body.essence() == "application/x-www-form-urlencoded" {
            let pairs = url::form_urlencoded::parse(text.as_bytes())
                .filter(|(name, _)| is_secret_name(name));
            found.extend(pairs.map(|(_, value)| value.into_owned()));
        }
    }
    found.retain(|value| value.len() >= SHORTEST);
    found
}

/// The parts of such a header: behind the scheme, between commas, and the values of `name=value`; of `Basic`, what is
/// encoded.
fn of_authorization(value: &str, found: &mut Vec<String>) {
    let parts = value.split([' ', ',', ';']).skip(1);
    for part in parts {
        found.push(part.to_owned());
        if let Some((_, value)) = part.split_once('=') {
            found.push(value.trim_matches('"').to_owned());
        }
        let decoded = base64::engine::general_purpose::STANDARD.decode(part).ok();
        let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        if let Some((_, password)) = decoded.as_deref().and_then(|text| text.split_once(':')) {
            found.push(password.to_owned());
        }
    }
}

fn of_members(members: &Map<String, Value>, found: &mut Vec<String>) {
    for (name, member) in members {
        match member {
            Value::String(text) if is_secret_name(name) => found.push(text.clone()),
            Value::Object(members) => of_members(members, found),
            _ => {}
        }
    }
}
