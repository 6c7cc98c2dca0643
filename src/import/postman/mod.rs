//! Postman collections (v2.0 and v2.1): rewritten as OpenAPI 3. A saved request becomes an operation; its values become
//! defaults or examples.

mod auth;
mod body;
mod url;

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::inner::{Format, Inner};
use super::openapi::saved::{self, SAVED};
use super::report::{Skipped, What};
use crate::source::{join, join_index};
use auth::Auth;
use url::Target;
pub(super) use url::{is_secret_name, may_be_secret};

const METHODS: [&str; 7] = ["get", "head", "post", "put", "patch", "delete", "options"];
/// How deep folders may be inside each other.
const MOST_DEPTH: usize = 30;
/// The most headers of a request.
const MOST_HEADERS: usize = 1000;

/// The collection in a document, if there is one. The Postman API wraps it.
pub(super) fn collection(document: &Value) -> Option<&Value> {
    let collection = document.get("collection").unwrap_or(document);
    let info = collection.get("info")?;
    let schema = text(info, "schema").unwrap_or_default();
    let is_one = schema.contains("getpostman.com") || info.get("_postman_id").is_some();
    (is_one && collection.get("item").is_some_and(Value::is_array)).then_some(collection)
}

/// Rewrites a collection.
///
/// # Errors
/// When it is of another version.
pub(super) fn rewrite(collection: &Value) -> Result<Inner, String> {
    let info = collection.get("info").unwrap_or(&Value::Null);
    let schema = text(info, "schema").unwrap_or_default();
    let version = ["v2.1", "v2.0"]
        .into_iter()
        .find(|known| schema.contains(known));
    if version.is_none() && schema.contains("/v") {
        return Err(format!(
            "this collection follows {schema}, which is not supported; v2.1 and v2.0 are"
        ));
    }
    let mut rewriting = Rewriting {
        variables: variables(collection.get("variable")),
        inner: Inner::new(
            Format::Postman,
            version.unwrap_or("v2.1").trim_start_matches('v'),
        ),
        requests: Vec::new(),
    };
    let auth = Auth::of(collection.get("auth"), &[]);
    rewriting.note_scripts(collection, "");
    rewriting.read_items(collection, "", &[], &auth, MOST_DEPTH);
    rewriting.finish(info)
}

/// A saved request.
struct Saved {
    name: String,
    method: String,
    target: Target,
    tags: Vec<String>,
    operation: Map<String, Value>,
    auth: Auth,
    at: String,
}

struct Rewriting {
    /// The values of the collection's variables.
    variables: HashMap<String, String>,
    inner: Inner,
    requests: Vec<Saved>,
}

impl Rewriting {
    fn read_items(&mut self, folder: &Value, at: &str, tags: &[String], auth: &Auth, depth: usize) {
        let at = join(at, "item");
        let items = folder.get("item").and_then(Value::as_array);
        for (i, item) in items.into_iter().flatten().enumerate() {
            let at = join_index(&at, i);
            let name = text(item, "name").unwrap_or_default().trim().to_owned();
            if item.get("item").is_some() {
                let auth = Auth::of(item.get("auth"), &[]).or(auth);
                self.note_scripts(item, &at);
                let mut tags = tags.to_vec();
                tags.push(name.clone());
                match depth.checked_sub(1) {
                    Some(depth) => self.read_items(item, &at, &tags, &auth, depth),
                    None => self.skip(&name, &at, "its folder is nested too deep"),
                }
                continue;
            }
            match item.get("request") {
                Some(request) => self.read_request(item, request, name, (&at, tags), auth),
                None => self.skip(&name, &at, "it has no request"),
            }
        }
    }

    fn skip(&mut self, operation: &str, at: &str, reason: &str) {
        self.inner.skipped.push(Skipped {
            operation: operation.to_owned(),
            pointer: at.to_owned(),
            reason: reason.to_owned(),
        });
    }

    fn lose(&mut self, what: What, at: &str, message: impl Into<String>) {
        self.inner.lost.push((what, at.to_owned(), message.into()));
    }

    fn read_request(
        &mut self,
        item: &Value,
        request: &Value,
        name: String,
        (at, tags): (&str, &[String]),
        auth: &Auth,
    ) {
        // A request may be its URL alone.
        let whole = json!({ "url": request });
        let request = if request.is_string() { &whole } else { request };
        let method = text(request, "method")
            .unwrap_or("GET")
            .to_ascii_lowercase();
        let shown = format!("{} {name}", method.to_ascii_uppercase());
        if !METHODS.contains(&method.as_str()) {
            self.skip(&shown, at, "its method is not supported");
            return;
        }
        let request_at = join(at, "request");
        let target = match Target::of(request.get("url"), &self.variables) {
            Ok(target) => target,
            Err(reason) => {
                self.skip(&shown, at, &reason);
                return;
            }
        };
        let headers = list(request.get("header"));
        if headers.len() > MOST_HEADERS {
            self.skip(
                &shown,
                at,
                &format!("it has more than {MOST_HEADERS} headers"),
            );
            return;
        }
        let secrets = target.secrets();
        let in_query: Vec<&str> = secrets.iter().map(|(name, _)| *name).collect();
        let auth = Auth::of(request.get("auth"), &headers)
            .or(auth)
            .and_in_query(&in_query)
            .and_user(target.has_user);
        if let Some(problem) = auth.problem() {
            self.lose(What::Auth, &join(&request_at, "auth"), problem);
        }
        self.note_secrets(&request_at, &headers, &secrets, &target);
        let mut operation = Map::from_iter([("operationId".to_owned(), json!(name))]);
        operation.insert("summary".into(), json!(name));
        let words = description(request.get("description"))
            .or_else(|| description(item.get("description")));
        if let Some(words) = words {
            operation.insert("description".into(), words.into());
        }
        let mut parameters = target.parameters(&self.variables);
        parameters.extend(header_parameters(&headers, &auth, &self.variables));
        operation.insert("parameters".into(), parameters.into());
        let content_type = content_type(&headers);
        // Postman itself sends no body with these methods, unless the request says so.
        let keeps_body = item.pointer("/protocolProfileBehavior/disableBodyPruning");
        let is_pruned =
            ["get", "head"].contains(&method.as_str()) && keeps_body != Some(&true.into());
        let reading = body::Reading {
            content_type,
            variables: &self.variables,
        };
        match reading.request_body(request.get("body")) {
            Ok(Some(_)) if is_pruned => {
                let message = "a request with this method has no body; it is left out";
                self.lose(What::Body, &join(&request_at, "body"), message);
            }
            Ok(Some(read)) => {
                for name in read.hidden {
                    let message = format!(
                        "the value of `{name}` in the body is left out; it may be a secret"
                    );
                    self.lose(What::Example, &join(&request_at, "body"), message);
                }
                operation.insert("requestBody".into(), read.body);
            }
            Ok(None) => {}
            Err(reason) => {
                self.skip(&shown, at, &reason);
                return;
            }
        }
        operation.insert(
            "responses".into(),
            responses(item.get("response"), &headers),
        );
        let saved = self.saved(item, request, &method, at);
        if !saved.is_empty() {
            operation.insert(SAVED.to_owned(), saved.into());
        }
        self.note_scripts(item, at);
        self.requests.push(Saved {
            name,
            method,
            target,
            tags: tags.to_vec(),
            operation,
            auth,
            at: at.to_owned(),
        });
    }

    /// The first saved responses, each with the values of the request that it answers. The others are told.
    fn saved(&mut self, item: &Value, request: &Value, method: &str, at: &str) -> Vec<Value> {
        const MOST: usize = 5;
        let responses = item.get("response").and_then(Value::as_array);
        let mut saved = Vec::new();
        for (i, response) in responses.into_iter().flatten().enumerate() {
            let read = match saved.len() < MOST {
                true => self.saved_one(response, request, method),
                false => Err("five others are taken".to_owned()),
            };
            match read {
                Ok(read) => saved.push(read),
                Err(reason) => {
                    let at = join_index(&join(at, "response"), i);
                    let message = format!("the saved response is no example: {reason}");
                    self.lose(What::Example, &at, message);
                }
            }
        }
        saved
    }

    fn saved_one(&self, response: &Value, request: &Value, method: &str) -> Result<Value, String> {
        let status = response.get("code").and_then(Value::as_u64);
        let status = status.ok_or("it has no status")?;
        let body = match text(response, "body").unwrap_or_default() {
            "" => Value::Null,
            body => body::saved_json(body)?,
        };
        let asked = response
            .get("originalRequest")
            .filter(|asked| asked.is_object());
        let asked = asked.unwrap_or(request);
        if !text(asked, "method")
            .unwrap_or("GET")
            .eq_ignore_ascii_case(method)
        {
            return Err("it answers a request with another method".to_owned());
        }
        let url = asked
            .get("url")
            .ok_or("the request it answers has no URL")?;
        let target = Target::of(Some(url), &self.variables)?;
        let (path, query) = target.values(&self.variables);
        let headers = list(asked.get("header"));
        let reading = body::Reading {
            content_type: content_type(&headers),
            variables: &self.variables,
        };
        let sent = reading.request_body(asked.get("body"))?;
        Ok(json!({
            "name": text(response, "name").unwrap_or_default(),
            "path": path,
            "query": query,
            "body": sent.map(|read| read.value()).unwrap_or_default(),
            "response": saved::response(status, &body),
        }))
    }

    fn note_scripts(&mut self, item: &Value, at: &str) {
        let events = item.get("event").and_then(Value::as_array);
        let is_full = |event: &&Value| {
            let lines = event.pointer("/script/exec");
            let is_empty = |line: &Value| line.as_str().is_none_or(|line| line.trim().is_empty());
            match lines {
                Some(Value::Array(lines)) => !lines.iter().all(is_empty),
                Some(line) => !is_empty(line),
                None => event.pointer("/script/src").is_some(),
            }
        };
        let full: Vec<&Value> = events.into_iter().flatten().filter(is_full).collect();
        let is_before = |event: &&Value| text(event, "listen") == Some("prerequest");
        let message = match (full.iter().any(is_before), full.is_empty()) {
            (true, _) => {
                "a script that runs before the request is left out; give what it sets when you call the tool"
            }
            (false, false) => "its scripts are left out",
            (false, true) => return,
        };
        self.lose(What::Example, &join(at, "event"), message);
    }

    /// Says which values are left out because they are secrets.
    fn note_secrets(
        &mut self,
        at: &str,
        headers: &[(String, String, bool)],
        in_query: &[(&str, bool)],
        target: &Target,
    ) {
        let is_written = |value: &str| !value.is_empty() && !value.contains("{{");
        let mut names: Vec<&str> = headers
            .iter()
            .filter(|(name, value, is_on)| {
                let is_secret = url::is_secret_name(name) || !url::is_shown(name, value);
                *is_on && is_written(value) && is_secret
            })
            .map(|(name, ..)| name.as_str())
            .collect();
        names.extend(
            in_query
                .iter()
                .filter(|(_, is_written)| *is_written)
                .map(|(name, _)| *name),
        );
        for name in names {
            let message = format!("the value of `{name}` is left out; it is a secret");
            self.lose(What::Auth, at, message);
        }
        if target.has_user {
            self.lose(
                What::Auth,
                at,
                "the user in the URL is left out; it is a secret",
            );
        }
        if target.has_secret_segment {
            let message = "a part of the path looks like a secret; give it when you call the tool";
            self.lose(What::Auth, at, message);
        }
    }

    /// The document of all requests. The server is the one that most of them have.
    fn finish(mut self, info: &Value) -> Result<Inner, String> {
        let mut counts: Vec<(String, usize)> = Vec::new();
        for request in &self.requests {
            match counts
                .iter_mut()
                .find(|(base, _)| *base == request.target.base)
            {
                Some((_, count)) => *count += 1,
                None => counts.push((request.target.base.clone(), 1)),
            }
        }
        let most = counts.iter().map(|(_, count)| *count).max();
        let main = counts
            .iter()
            .find(|(_, count)| Some(*count) == most)
            .map(|(base, _)| base.clone())
            .unwrap_or_default();
        let mut schemes = Map::new();
        let mut paths = Map::new();
        let mut counts_of_paths: HashMap<(String, String), usize> = HashMap::new();
        for request in std::mem::take(&mut self.requests) {
            let Saved {
                name,
                method,
                target,
                tags,
                mut operation,
                auth,
                at,
            } = request;
            operation.insert("tags".into(), tags.into());
            operation.insert("security".into(), auth.requirement(&mut schemes));
            if target.base != main {
                operation.insert("servers".into(), json!([{ "url": target.base }]));
            }
            let count = counts_of_paths
                .entry((method.clone(), target.path.clone()))
                .or_insert(0_usize);
            *count += 1;
            // Several requests with one method and path are told apart behind a `#`, which is never sent.
            let path = match *count {
                1 => target.path.clone(),
                again => format!("{}#{name} {again}", target.path),
            };
            let new = join(&join("/paths", &path), &method);
            self.inner.places.add(new, at);
            let item = paths.entry(path).or_insert_with(|| json!({}));
            item[&method] = operation.into();
        }
        let title = text(info, "name").unwrap_or("a Postman collection");
        let version = text(info, "version").unwrap_or_default();
        let mut about = json!({ "title": title, "version": version });
        if let Some(words) = description(info.get("description")) {
            about["description"] = words.into();
        }
        let servers = match main.is_empty() {
            true => json!([]),
            false => json!([{ "url": main }]),
        };
        self.inner.document = json!({
            "openapi": "3.1.0",
            "info": about,
            "servers": servers,
            "paths": paths,
            "components": { "securitySchemes": schemes },
        });
        self.inner.places.add("/servers", "/variable");
        self.inner.places.add("/components", "/auth");
        Ok(self.inner)
    }
}

/// The content type among the headers of a request.
fn content_type(headers: &[(String, String, bool)]) -> Option<&str> {
    headers
        .iter()
        .find(|(key, _, is_on)| *is_on && key.eq_ignore_ascii_case("content-type"))
        .map(|(_, value, _)| value.as_str())
}

/// The parameters for the headers of a request, without those that the body and the credential decide.
fn header_parameters(
    headers: &[(String, String, bool)],
    auth: &Auth,
    variables: &HashMap<String, String>,
) -> Vec<Value> {
    let is_own = |key: &str, value: &str| {
        [
            "accept",
            "content-type",
            "content-length",
            "host",
            "connection",
            "accept-encoding",
            "postman-token",
        ]
        .iter()
        .any(|known| key.eq_ignore_ascii_case(known))
            || (key.eq_ignore_ascii_case("user-agent") && value.starts_with("Postman"))
            || auth.owns_header(key)
    };
    let mut names: Vec<&str> = Vec::new();
    let sent = headers
        .iter()
        .filter(|(key, value, _)| !key.is_empty() && !is_own(key, value));
    let mut parameters = Vec::new();
    for (key, _, _) in sent.clone() {
        if names.iter().any(|known| known.eq_ignore_ascii_case(key)) {
            continue;
        }
        names.push(key);
        let same = sent
            .clone()
            .filter(|(other, ..)| other.eq_ignore_ascii_case(key));
        let values: Vec<&str> = same
            .filter(|(_, _, is_on)| *is_on)
            .map(|(_, value, _)| value.as_str())
            .collect();
        let is_on = !values.is_empty();
        let schema = match is_on {
            true => url::value_schema(key, &values.join(", "), variables),
            false => json!({ "type": "string" }),
        };
        parameters
            .push(json!({ "name": key, "in": "header", "required": is_on, "schema": schema }));
    }
    parameters
}

/// The responses that the collection has saved: their statuses and media types. Without one, the request says what it
/// accepts.
fn responses(saved: Option<&Value>, sent: &[(String, String, bool)]) -> Value {
    let mut responses = Map::new();
    for response in saved.and_then(Value::as_array).into_iter().flatten() {
        let Some(status) = response.get("code").and_then(Value::as_u64) else {
            continue;
        };
        let headers = list(response.get("header"));
        let media_type = headers
            .iter()
            .find(|(key, ..)| key.eq_ignore_ascii_case("content-type"))
            .map(|(_, value, _)| value.clone());
        let body = text(response, "body").unwrap_or_default();
        let media_type = match media_type {
            Some(media_type) => media_type,
            None if serde_json::from_str::<Value>(body).is_ok() => "application/json".to_owned(),
            None => continue,
        };
        if !body.is_empty() {
            responses
                .entry(status.to_string())
                .or_insert_with(|| json!({ "content": { media_type: {} } }));
        }
    }
    let accept = sent
        .iter()
        .find(|(key, _, is_on)| *is_on && key.eq_ignore_ascii_case("accept"))
        .map(|(_, value, _)| value.trim());
    let is_one = |value: &&str| !value.contains([',', '*', '{']) && value.contains('/');
    if responses.is_empty()
        && let Some(accept) = accept.filter(is_one)
    {
        responses.insert("200".to_owned(), json!({ "content": { accept: {} } }));
    }
    responses.into()
}

/// The entries of a list of headers, query parameters or fields: key, value, and whether it is in use.
fn list(entries: Option<&Value>) -> Vec<(String, String, bool)> {
    match entries {
        Some(Value::Array(entries)) => entries
            .iter()
            .filter_map(|entry| {
                let key = text(entry, "key")?.trim().to_owned();
                let value = url::text_of(entry.get("value"));
                let is_on = entry.get("disabled") != Some(&Value::Bool(true));
                Some((key, value, is_on))
            })
            .collect(),
        // Old exports have one text with a line for each header.
        Some(Value::String(text)) => text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned(), true))
            .collect(),
        _ => Vec::new(),
    }
}

fn variables(list: Option<&Value>) -> HashMap<String, String> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|variable| {
        let key = text(variable, "key").or(text(variable, "id"))?;
        let value = url::text_of(variable.get("value"));
        (!value.is_empty()).then(|| (key.to_owned(), value))
    })
    .collect()
}

fn description(value: Option<&Value>) -> Option<&str> {
    match value? {
        Value::String(text) => Some(text.as_str()),
        other => text(other, "content"),
    }
    .filter(|text| !text.trim().is_empty())
}

pub(super) fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key)?.as_str()
}
