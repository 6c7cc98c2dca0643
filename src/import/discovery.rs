//! Descriptions of Google APIs, as their discovery service gives them: rewritten as OpenAPI 3.

use serde_json::{Map, Value, json};

use super::inner::{Format, Inner};
use super::report::{Skipped, What};
use crate::source::join;

/// Parameters for all methods that a tool has no use for: they choose another form of the answer, or carry a credential.
const GLOBAL: [&str; 11] = [
    "$.xgafv",
    "access_token",
    "alt",
    "bearer_token",
    "callback",
    "key",
    "oauth_token",
    "pp",
    "prettyPrint",
    "uploadType",
    "upload_protocol",
];

/// Whether a document is such a description.
pub(super) fn is_one(document: &Value) -> bool {
    let kind = document.get("kind").and_then(Value::as_str);
    kind == Some("discovery#restDescription")
        || (document.get("discoveryVersion").is_some() && document.get("rootUrl").is_some())
}

/// Rewrites a description.
///
/// # Errors
/// When it is not of the protocol `rest`.
pub(super) fn rewrite(document: &Value) -> Result<Inner, String> {
    if let Some(protocol) = text(document, "protocol").filter(|protocol| *protocol != "rest") {
        return Err(format!("the protocol `{protocol}` is not supported"));
    }
    let version = text(document, "discoveryVersion").unwrap_or("v1");
    let mut rewriting = Rewriting {
        document,
        inner: Inner::new(Format::Discovery, version),
        paths: Map::new(),
        global: Map::new(),
    };
    rewriting.read_global();
    rewriting.add_resource(document, "");
    let title = text(document, "title").or(text(document, "name"));
    let root = text(document, "rootUrl").unwrap_or_default();
    let service = text(document, "servicePath").unwrap_or_default();
    let mut info = json!({ "title": title.unwrap_or_default(), "version": text(document, "version").unwrap_or_default() });
    if let Some(words) = text(document, "description") {
        info["description"] = words.into();
    }
    let mut rewritten = json!({
        "openapi": "3.1.0",
        "info": info,
        "servers": [{ "url": format!("{root}{service}").trim_end_matches('/') }],
        "paths": std::mem::take(&mut rewriting.paths),
        "schemas": rewriting.schemas(),
        "components": { "securitySchemes": security_schemes(document) },
    });
    if let Some(docs) = text(document, "documentationLink") {
        rewritten["externalDocs"] = json!({ "url": docs });
    }
    rewriting.inner.places.add("/servers", "/rootUrl");
    rewriting
        .inner
        .places
        .add("/components/securitySchemes", "/auth");
    rewriting.inner.document = rewritten;
    Ok(rewriting.inner)
}

fn security_schemes(document: &Value) -> Value {
    let mut schemes = json!({
        "key": { "type": "apiKey", "in": "query", "name": "key", "description": "An API key of a Google Cloud project." },
    });
    if document.pointer("/auth/oauth2").is_some() {
        schemes["oauth2"] = json!({
            "type": "oauth2",
            "description": "An OAuth 2.0 access token.",
            "flows": { "authorizationCode": {} },
        });
    }
    schemes
}

struct Rewriting<'d> {
    document: &'d Value,
    inner: Inner,
    paths: Map<String, Value>,
    /// The parameters that every method takes.
    global: Map<String, Value>,
}

impl<'d> Rewriting<'d> {
    fn read_global(&mut self) {
        let all = self.document.get("parameters");
        let mut left_out = Vec::new();
        for (name, parameter) in members(all) {
            match GLOBAL.contains(&name.as_str()) {
                true => left_out.push(name.as_str()),
                false => {
                    self.global.insert(name.clone(), parameter.clone());
                }
            }
        }
        if !left_out.is_empty() {
            let message = format!(
                "the parameters {} of all methods are left out",
                left_out.join(", ")
            );
            self.inner
                .lost
                .push((What::Parameter, "/parameters".to_owned(), message));
        }
    }

    fn add_resource(&mut self, resource: &'d Value, at: &str) {
        let methods = join(at, "methods");
        for (name, method) in members(resource.get("methods")) {
            self.add_method(method, &join(&methods, name));
        }
        let resources = join(at, "resources");
        for (name, inner) in members(resource.get("resources")) {
            self.add_resource(inner, &join(&resources, name));
        }
    }

    fn add_method(&mut self, method: &'d Value, at: &str) {
        let written = text(method, "path").unwrap_or_default();
        let verb = text(method, "httpMethod")
            .unwrap_or("GET")
            .to_ascii_lowercase();
        let (path, flat) = match self.path_of(method, written) {
            Ok(found) => found,
            Err(reason) => {
                self.inner.skipped.push(Skipped {
                    operation: format!("{} /{written}", verb.to_ascii_uppercase()),
                    pointer: at.to_owned(),
                    reason,
                });
                return;
            }
        };
        let mut path = format!("/{}", path.trim_start_matches('/'));
        let id = text(method, "id").unwrap_or_default();
        let is_taken = |path: &str| {
            let item = self.paths.get(path);
            item.is_some_and(|item| item.get(&verb).is_some())
        };
        // Two methods of one path differ by their parameters.
        if is_taken(&path) {
            path = format!("{path}#{id}");
        }
        let operation = self.operation(method, at, &path, &verb, &flat);
        let item = self.paths.entry(path).or_insert_with(|| json!({}));
        item[&verb] = operation;
    }

    /// The path with a parameter for each segment, and the parameters that stand for a longer one.
    ///
    /// # Errors
    /// When a parameter takes several segments, and the document does not list them.
    fn path_of(
        &self,
        method: &'d Value,
        written: &'d str,
    ) -> Result<(String, Vec<Flat<'d>>), String> {
        let Some(at) = written.find("{+") else {
            return match written.contains("{/") {
                true => Err("a parameter of its path takes several segments".to_owned()),
                false => Ok((written.to_owned(), Vec::new())),
            };
        };
        let flat_path = text(method, "flatPath").filter(|path| !path.contains("{+"));
        let Some(flat_path) = flat_path else {
            let name = written[at + 2..].split('}').next().unwrap_or_default();
            return Err(format!(
                "the parameter `{name}` of its path takes several segments, and the document does not list them"
            ));
        };
        let known = |name: &str| {
            method
                .pointer("/parameters")
                .is_some_and(|all| all.get(name).is_some())
        };
        let replaced: Vec<&str> = names_in(written, "{+").collect();
        let words = replaced.iter().find_map(|name| {
            let whole = method.get("parameters")?.get(*name)?;
            text(whole, "description")
        });
        let flat = names_in(flat_path, "{")
            .filter(|name| !known(name))
            .map(|name| Flat {
                name,
                of: replaced.join("` or `"),
                words,
            })
            .collect();
        Ok((flat_path.to_owned(), flat))
    }

    fn operation(
        &mut self,
        method: &'d Value,
        at: &str,
        path: &str,
        verb: &str,
        flat: &[Flat<'_>],
    ) -> Value {
        let new = join(&join("/paths", path), verb);
        self.inner.places.add(new.clone(), at.to_owned());
        let id = text(method, "id").unwrap_or_default();
        let name = text(self.document, "name").unwrap_or_default();
        let short = id.strip_prefix(&format!("{name}.")).unwrap_or(id);
        let scopes = method.get("scopes").and_then(Value::as_array);
        let security = match scopes.is_some_and(|scopes| !scopes.is_empty()) {
            true => json!([{ "oauth2": [] }]),
            false => json!([{ "key": [] }]),
        };
        let tag = short.split('.').next().unwrap_or_default();
        let mut operation = Map::from_iter([
            ("operationId".to_owned(), json!(short)),
            ("tags".to_owned(), json!([tag])),
            ("security".to_owned(), security),
        ]);
        for key in ["description", "deprecated"] {
            if let Some(value) = method.get(key) {
                operation.insert(key.to_owned(), value.clone());
            }
        }
        let mut parameters: Vec<Value> = flat.iter().map(Flat::parameter).collect();
        let own = members(method.get("parameters"))
            .map(|(name, one)| (name, one, join(&join(at, "parameters"), name)));
        let global = self.global.clone();
        let shared = global
            .iter()
            .map(|(name, one)| (name, one, join("/parameters", name)));
        for (name, one, own) in own.chain(shared) {
            if text(one, "location") == Some("path") && !path.contains(&format!("{{{name}}}")) {
                continue;
            }
            let place = crate::source::join_index(&join(&new, "parameters"), parameters.len());
            self.inner.places.add(join(&place, "schema"), own.clone());
            self.inner.places.add(place, own);
            parameters.push(parameter(name, one));
        }
        operation.insert("parameters".into(), parameters.into());
        if let Some(request) = method.get("request").filter(|_| verb != "get") {
            let schema = schema_of(request);
            operation.insert(
                "requestBody".into(),
                json!({ "content": { "application/json": { "schema": schema } } }),
            );
        }
        let response = match method.get("response") {
            Some(response) => {
                json!({ "content": { "application/json": { "schema": schema_of(response) } } })
            }
            None => json!({}),
        };
        operation.insert("responses".into(), json!({ "200": response }));
        if method.get("supportsMediaUpload") == Some(&Value::Bool(true)) {
            let message = "the upload of a file is left out; the tool sends what describes it";
            self.lose(What::Body, &join(at, "mediaUpload"), message);
        }
        if method.get("supportsMediaDownload") == Some(&Value::Bool(true)) {
            let message = "the download of the file (`alt=media`) is left out; the tool gets what describes it";
            self.lose(What::Response, at, message);
        }
        operation.into()
    }

    fn lose(&mut self, what: What, at: &str, message: &str) {
        self.inner
            .lost
            .push((what, at.to_owned(), message.to_owned()));
    }

    fn schemas(&self) -> Value {
        let schemas = members(self.document.get("schemas"));
        let schemas: Map<String, Value> = schemas
            .map(|(name, schema)| (name.clone(), schema_of(schema)))
            .collect();
        schemas.into()
    }
}

/// A schema in JSON Schema 2020-12. Those of discovery follow an early draft.
fn schema_of(schema: &Value) -> Value {
    let mut rewritten = Map::new();
    for (key, value) in members(Some(schema)) {
        match key.as_str() {
            "$ref" => {
                let name = value.as_str().unwrap_or_default();
                rewritten.insert(key.clone(), json!(format!("#/schemas/{name}")));
            }
            "properties" => {
                let properties = members(Some(value));
                let properties: Map<String, Value> = properties
                    .map(|(name, one)| (name.clone(), schema_of(one)))
                    .collect();
                rewritten.insert(key.clone(), properties.into());
            }
            "items" | "additionalProperties" => {
                rewritten.insert(key.clone(), schema_of(value));
            }
            "type" if value == "any" => {}
            // The bounds of a number that is written as text.
            "minimum" | "maximum" if text(schema, "type") == Some("string") => {}
            "default" | "minimum" | "maximum" => {
                rewritten.insert(key.clone(), typed(value, schema));
            }
            "type" | "format" | "enum" | "pattern" | "description" | "readOnly" | "deprecated" => {
                rewritten.insert(key.clone(), value.clone());
            }
            // Words about values, ids, and what only some methods ask for.
            _ => {}
        }
    }
    rewritten.into()
}

/// A part of a path that the document describes only as a part of a longer parameter.
struct Flat<'d> {
    name: &'d str,
    /// The longer parameter.
    of: String,
    words: Option<&'d str>,
}

impl Flat<'_> {
    fn parameter(&self) -> Value {
        let part = format!("A part of `{}`.", self.of);
        let words = match self.words {
            Some(words) => format!("{part} {words}"),
            None => part,
        };
        json!({
            "name": self.name, "in": "path", "required": true, "description": words, "schema": { "type": "string" },
        })
    }
}

fn parameter(name: &str, one: &Value) -> Value {
    let mut schema = Map::new();
    for (key, value) in members(Some(one)) {
        match key.as_str() {
            "type" if value == "any" => {}
            "type" | "format" | "enum" | "pattern" => {
                schema.insert(key.clone(), value.clone());
            }
            "minimum" | "maximum" if text(one, "type") == Some("string") => {}
            "default" | "minimum" | "maximum" => {
                schema.insert(key.clone(), typed(value, one));
            }
            _ => {}
        }
    }
    let is_list = one.get("repeated") == Some(&Value::Bool(true));
    let schema = match is_list {
        true => json!({ "type": "array", "items": schema }),
        false => schema.into(),
    };
    let mut parameter = Map::from_iter([
        ("name".to_owned(), json!(name)),
        (
            "in".to_owned(),
            json!(text(one, "location").unwrap_or("query")),
        ),
        ("schema".to_owned(), schema),
    ]);
    for key in ["description", "required", "deprecated"] {
        if let Some(value) = one.get(key) {
            parameter.insert(key.to_owned(), value.clone());
        }
    }
    parameter.into()
}

/// A value that is written as text, as its type says.
fn typed(value: &Value, schema: &Value) -> Value {
    let Some(written) = value.as_str() else {
        return value.clone();
    };
    let parsed = match text(schema, "type") {
        Some("integer" | "number") => written
            .parse::<serde_json::Number>()
            .ok()
            .map(Value::Number),
        Some("boolean") => written.parse::<bool>().ok().map(Value::Bool),
        _ => None,
    };
    parsed.unwrap_or_else(|| value.clone())
}

/// The names behind `open` in a path.
fn names_in<'p>(path: &'p str, open: &'static str) -> impl Iterator<Item = &'p str> {
    path.split(open)
        .skip(1)
        .filter_map(|rest| rest.split('}').next())
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key)?.as_str()
}

fn members(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flatten()
}
