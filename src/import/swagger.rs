//! Swagger 2.0: rewritten as OpenAPI 3.

use serde_json::{Map, Value, json};

use super::inner::{Format, Inner, Places, version_text};
use super::report::{Skipped, What};
use crate::source::{join, join_index};

const METHODS: [&str; 8] = [
    "get", "head", "post", "put", "patch", "delete", "options", "trace",
];
const FORMS: [&str; 2] = ["application/x-www-form-urlencoded", "multipart/form-data"];

/// Rewrites a document.
///
/// # Errors
/// When it is of another version.
pub(super) fn rewrite(document: &Value) -> Result<Inner, String> {
    let version = document.get("swagger").map(version_text);
    let version = version.unwrap_or_default();
    if version != "2.0" && version != "2" {
        return Err(format!(
            "Swagger {version} is not supported; Swagger 2.0 and OpenAPI 3 are"
        ));
    }
    let mut rewriting = Rewriting {
        document,
        inner: Inner::new(Format::Swagger, "2.0"),
    };
    let mut root = Map::from_iter([("openapi".to_owned(), json!("3.1.0"))]);
    for key in ["info", "tags", "externalDocs", "security"] {
        if let Some(value) = document.get(key) {
            root.insert(key.to_owned(), value.clone());
        }
    }
    root.insert("servers".into(), rewriting.servers());
    // References to them stay as they are.
    for key in ["definitions", "parameters", "responses"] {
        if let Some(value) = document.get(key) {
            root.insert(key.to_owned(), schemas_of(value));
        }
    }
    root.insert("components".into(), rewriting.components());
    root.insert("paths".into(), rewriting.paths());
    rewriting.inner.document = root.into();
    Ok(rewriting.inner)
}

struct Rewriting<'d> {
    document: &'d Value,
    inner: Inner,
}

/// A parameter with its place in the document.
type Placed<'d> = (&'d Value, String);

impl<'d> Rewriting<'d> {
    fn places(&mut self) -> &mut Places {
        &mut self.inner.places
    }

    /// The document's server with each of its schemes.
    fn servers(&mut self) -> Value {
        let base = text(self.document, "basePath").unwrap_or("");
        let base = base.trim_end_matches('/');
        let lead = if base.is_empty() || base.starts_with('/') {
            ""
        } else {
            "/"
        };
        self.places().add("/servers", "/host");
        let Some(host) = text(self.document, "host") else {
            return match base {
                "" => json!([]),
                base => json!([{ "url": format!("{lead}{base}") }]),
            };
        };
        let schemes: Vec<&str> = texts(self.document.get("schemes"));
        let schemes = match schemes.is_empty() {
            true => vec!["https"],
            false => schemes,
        };
        schemes
            .iter()
            .filter(|scheme| ["http", "https"].contains(scheme))
            .map(|scheme| json!({ "url": format!("{scheme}://{host}{lead}{base}") }))
            .collect()
    }

    fn components(&mut self) -> Value {
        self.places()
            .add("/components/securitySchemes", "/securityDefinitions");
        let schemes = members(self.document.get("securityDefinitions"))
            .map(|(name, scheme)| (name.clone(), security_scheme(scheme)));
        json!({ "securitySchemes": schemes.collect::<Map<_, _>>() })
    }

    fn paths(&mut self) -> Value {
        let mut paths = Map::new();
        for (path, item) in members(self.document.get("paths")) {
            let at = join("/paths", path);
            if let Some(reference) = text(item, "$ref") {
                self.skip(
                    path,
                    &at,
                    format!("`{reference}` is in another document, which is not read"),
                );
                continue;
            }
            let shared = self.parameters(item.get("parameters"), &join(&at, "parameters"));
            let mut rewritten = Map::new();
            for method in METHODS {
                let Some(operation) = item.get(method) else {
                    continue;
                };
                let at = join(&at, method);
                let written = match operation.is_object() {
                    true => self.operation(operation, &at, &shared),
                    false => operation.clone(),
                };
                rewritten.insert(method.to_owned(), written);
            }
            paths.insert(path.clone(), rewritten.into());
        }
        paths.into()
    }

    fn skip(&mut self, operation: &str, pointer: &str, reason: String) {
        self.inner.skipped.push(Skipped {
            operation: operation.to_owned(),
            pointer: pointer.to_owned(),
            reason,
        });
    }

    /// The parameters of a list, with references followed.
    fn parameters(&mut self, list: Option<&'d Value>, at: &str) -> Vec<Placed<'d>> {
        let list = list.and_then(Value::as_array).into_iter().flatten();
        let mut found = Vec::new();
        for (i, parameter) in list.enumerate() {
            let at = join_index(at, i);
            match self.followed(parameter, &at) {
                Ok(placed) => found.push(placed),
                Err(reason) => self.inner.lost.push((
                    What::Reference,
                    at,
                    format!("{reason}; the parameter is left out"),
                )),
            }
        }
        found
    }

    fn followed(&self, part: &'d Value, at: &str) -> Result<Placed<'d>, String> {
        let Some(reference) = text(part, "$ref") else {
            return Ok((part, at.to_owned()));
        };
        let Some(pointer) = reference.strip_prefix('#') else {
            return Err(format!(
                "`{reference}` is in another document, which is not read"
            ));
        };
        match self.document.pointer(pointer) {
            Some(target) if target.get("$ref").is_none() => Ok((target, pointer.to_owned())),
            _ => Err(format!("`{reference}` refers to nothing")),
        }
    }

    fn operation(&mut self, operation: &'d Value, at: &str, shared: &[Placed<'d>]) -> Value {
        let mut rewritten = Map::new();
        for (key, value) in members(Some(operation)) {
            let is_same = [
                "operationId",
                "summary",
                "description",
                "tags",
                "deprecated",
                "security",
                "externalDocs",
            ]
            .contains(&key.as_str());
            if is_same {
                rewritten.insert(key.clone(), value.clone());
            }
        }
        let own = self.parameters(operation.get("parameters"), &join(at, "parameters"));
        let key = |parameter: &Value| {
            (
                text(parameter, "name").map(str::to_owned),
                text(parameter, "in").map(str::to_owned),
            )
        };
        let mut all: Vec<Placed<'d>> = shared
            .iter()
            .filter(|(parameter, _)| !own.iter().any(|(other, _)| key(other) == key(parameter)))
            .cloned()
            .collect();
        all.extend(own);
        let (body, plain): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|(parameter, _)| matches!(text(parameter, "in"), Some("body" | "formData")));
        let mut parameters = Vec::new();
        for (parameter, own) in plain {
            let new = join_index(&join(at, "parameters"), parameters.len());
            self.places().add(join(&new, "schema"), own.clone());
            self.places().add(new, own);
            parameters.push(plain_parameter(parameter));
        }
        if !parameters.is_empty() {
            rewritten.insert("parameters".into(), parameters.into());
        }
        if let Some(body) = self.body(operation, at, &body) {
            rewritten.insert("requestBody".into(), body);
        }
        let responses = self.responses(operation, at);
        rewritten.insert("responses".into(), responses);
        rewritten.into()
    }

    /// The media types of an operation, or of the whole document.
    fn media_types(&self, operation: &'d Value, key: &str) -> Vec<&'d str> {
        let own = operation.get(key).or_else(|| self.document.get(key));
        texts(own)
    }

    fn body(&mut self, operation: &'d Value, at: &str, all: &[Placed<'d>]) -> Option<Value> {
        let new = join(at, "requestBody");
        let consumes = self.media_types(operation, "consumes");
        let is_form = |name: &&str| FORMS.contains(&essence(name).as_str());
        let body = all.iter().find(|(one, _)| text(one, "in") == Some("body"));
        if let Some((parameter, own)) = body {
            let plain: Vec<&str> = consumes
                .iter()
                .copied()
                .filter(|name| !is_form(name))
                .collect();
            let media_types = match (plain.is_empty(), consumes.is_empty()) {
                (false, _) => plain,
                (true, false) => consumes,
                (true, true) => vec!["application/json"],
            };
            let schema = parameter.get("schema").map(schemas_of);
            let media = |name: &str| {
                let mut media = Map::new();
                media.extend(schema.clone().map(|schema| ("schema".to_owned(), schema)));
                (name.to_owned(), Value::Object(media))
            };
            for name in &media_types {
                let place = join(&join(&join(&new, "content"), name), "schema");
                self.places().add(place, join(own, "schema"));
            }
            self.places().add(new, own.clone());
            let content: Map<String, Value> = media_types.into_iter().map(media).collect();
            let mut rewritten = Map::from_iter([("content".to_owned(), content.into())]);
            copy(parameter, &["description", "required"], &mut rewritten);
            return Some(rewritten.into());
        }
        let fields: Vec<&Placed<'d>> = all.iter().collect();
        if fields.is_empty() {
            return None;
        }
        let has_file = fields
            .iter()
            .any(|(one, _)| text(one, "type") == Some("file"));
        let mut media_types: Vec<&str> = consumes
            .iter()
            .copied()
            .filter(|name| is_form(name))
            .collect();
        if has_file {
            media_types = vec!["multipart/form-data"];
        } else if media_types.is_empty() {
            media_types = vec!["application/x-www-form-urlencoded"];
        }
        let mut content = Map::new();
        for name in media_types {
            let place = join(&join(&new, "content"), name);
            content.insert(name.to_owned(), self.form(&fields, &place));
        }
        self.places().add(new, join(at, "parameters"));
        let is_required = fields.iter().any(|(one, _)| is_required(one));
        Some(json!({ "required": is_required, "content": content }))
    }

    /// The media type object of a form.
    fn form(&mut self, fields: &[&Placed<'d>], at: &str) -> Value {
        let mut properties = Map::new();
        let mut encoding = Map::new();
        let mut required = Vec::new();
        for (field, own) in fields {
            let Some(name) = text(field, "name") else {
                continue;
            };
            let place = join(&join(&join(at, "schema"), "properties"), name);
            self.places().add(place, own.clone());
            let mut schema = plain_schema(field);
            if let (Some(words), Some(members)) = (field.get("description"), schema.as_object_mut())
            {
                members.insert("description".into(), words.clone());
            }
            properties.insert(name.to_owned(), schema);
            if let Some(style) = style_of(field, true) {
                encoding.insert(name.to_owned(), style);
            }
            if is_required(field) {
                required.push(name);
            }
        }
        let mut schema = json!({ "type": "object", "properties": properties });
        if !required.is_empty() {
            schema["required"] = required.into();
        }
        json!({ "schema": schema, "encoding": encoding })
    }

    fn responses(&mut self, operation: &'d Value, at: &str) -> Value {
        let at = join(at, "responses");
        let produces = self.media_types(operation, "produces");
        let produces = match produces.is_empty() {
            true => vec!["application/json"],
            false => produces,
        };
        let mut responses = Map::new();
        for (status, response) in members(operation.get("responses")) {
            let new = join(&at, status);
            let Ok((response, own)) = self.followed(response, &new) else {
                continue;
            };
            let mut rewritten = Map::new();
            copy(response, &["description", "headers"], &mut rewritten);
            if let Some(schema) = response.get("schema") {
                let is_file = text(schema, "type") == Some("file");
                let media = |name: &&str| {
                    let media = match is_file {
                        true => json!({ "schema": { "type": "string", "format": "binary" } }),
                        false => json!({ "schema": schemas_of(schema) }),
                    };
                    ((*name).to_owned(), media)
                };
                for name in &produces {
                    let place = join(&join(&join(&new, "content"), name), "schema");
                    self.places().add(place, join(&own, "schema"));
                }
                let content: Map<String, Value> = produces.iter().map(media).collect();
                rewritten.insert("content".into(), content.into());
            }
            self.places().add(new, own);
            responses.insert(status.clone(), rewritten.into());
        }
        responses.into()
    }
}

fn plain_parameter(parameter: &Value) -> Value {
    let mut rewritten = Map::new();
    copy(
        parameter,
        &["name", "in", "description", "required", "deprecated"],
        &mut rewritten,
    );
    for (key, value) in members(Some(parameter)).filter(|(key, _)| key.starts_with("x-")) {
        rewritten.insert(key.clone(), value.clone());
        if key == "x-example" {
            rewritten.insert("example".into(), value.clone());
        }
    }
    rewritten.insert("schema".into(), plain_schema(parameter));
    if let Some(Value::Object(style)) = style_of(parameter, text(parameter, "in") == Some("query"))
    {
        rewritten.extend(style);
    }
    rewritten.into()
}

/// The schema of a parameter that is no body: its own keywords.
fn plain_schema(parameter: &Value) -> Value {
    const NOT: [&str; 7] = [
        "name",
        "in",
        "description",
        "required",
        "collectionFormat",
        "allowEmptyValue",
        "deprecated",
    ];
    let kept: Map<String, Value> = members(Some(parameter))
        .filter(|(key, _)| !NOT.contains(&key.as_str()) && !key.starts_with("x-"))
        .map(|(key, value)| (key.clone(), schemas_of(value)))
        .collect();
    match kept.get("type").and_then(Value::as_str) {
        Some("file") => json!({ "type": "string", "format": "binary" }),
        _ => kept.into(),
    }
}

/// `style` and `explode` of a list. In the path and in headers, the default is what `csv` means.
fn style_of(parameter: &Value, is_named: bool) -> Option<Value> {
    if text(parameter, "type") != Some("array") {
        return None;
    }
    let format = text(parameter, "collectionFormat").unwrap_or("csv");
    Some(match format {
        "csv" if !is_named => return None,
        "csv" => json!({ "style": "form", "explode": false }),
        "multi" => json!({ "style": "form", "explode": true }),
        "ssv" => json!({ "style": "spaceDelimited", "explode": false }),
        "pipes" => json!({ "style": "pipeDelimited", "explode": false }),
        other => json!({ "style": other, "explode": false }),
    })
}

fn security_scheme(scheme: &Value) -> Value {
    let mut rewritten = Map::new();
    copy(scheme, &["description"], &mut rewritten);
    match text(scheme, "type") {
        Some("basic") => {
            rewritten.insert("type".into(), json!("http"));
            rewritten.insert("scheme".into(), json!("basic"));
        }
        Some("oauth2") => {
            let name = match text(scheme, "flow") {
                Some("application") => "clientCredentials",
                Some("accessCode") => "authorizationCode",
                Some("password") => "password",
                _ => "implicit",
            };
            let mut flow = Map::new();
            copy(
                scheme,
                &["authorizationUrl", "tokenUrl", "scopes"],
                &mut flow,
            );
            rewritten.insert("type".into(), json!("oauth2"));
            rewritten.insert("flows".into(), json!({ name: flow }));
        }
        _ => copy(scheme, &["type", "in", "name"], &mut rewritten),
    }
    rewritten.into()
}

/// A copy in which `x-nullable` is `nullable`, at every depth.
fn schemas_of(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut copied: Map<String, Value> = map
                .iter()
                .map(|(key, value)| (key.clone(), schemas_of(value)))
                .collect();
            let is_nullable = map.get("x-nullable") == Some(&Value::Bool(true));
            if is_nullable && !map.contains_key("nullable") {
                copied.insert("nullable".into(), true.into());
            }
            copied.into()
        }
        Value::Array(items) => items.iter().map(schemas_of).collect(),
        other => other.clone(),
    }
}

fn copy(from: &Value, keys: &[&str], to: &mut Map<String, Value>) {
    for key in keys {
        if let Some(value) = from.get(*key) {
            to.insert((*key).to_owned(), value.clone());
        }
    }
}

fn is_required(parameter: &Value) -> bool {
    parameter.get("required") == Some(&Value::Bool(true))
}

fn essence(media_type: &str) -> String {
    let end = media_type.find(';').unwrap_or(media_type.len());
    media_type[..end].trim().to_ascii_lowercase()
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key)?.as_str()
}

fn texts(value: Option<&Value>) -> Vec<&str> {
    let list = value.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).collect()
}

fn members(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flatten()
}
