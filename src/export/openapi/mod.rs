//! OpenAPI 3.1: the requests of one service's tools, as a document.
//!
//! What a tool computes, OpenAPI cannot say: such a value is a parameter of the document, and that is told. A tool whose request cannot
//! be said is left out and told.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Document, Losses, NONE, definitions, title};
use crate::definition::Definition;
use crate::project::ResponseKind;
use crate::tool::Tool;

/// Headers that OpenAPI does not take as parameters.
const IGNORED: [&str; 3] = ["accept", "content-type", "authorization"];

/// The document of these tools.
///
/// # Errors
/// When they are of several services.
pub(super) fn document(tools: &[Arc<Tool>]) -> Result<Document, String> {
    let mut services: Vec<&str> = tools.iter().map(|tool| tool.service()).collect();
    services.dedup();
    if services.len() > 1 {
        let services = services.join(", ");
        return Err(format!(
            "an OpenAPI document is of one service, and these tools are of {services}"
        ));
    }
    let mut losses = Losses::new();
    let defined = definitions(tools, &NONE, &mut losses);
    let mut operations: BTreeMap<(String, &str), (Arc<Tool>, Value)> = BTreeMap::new();
    let mut components = Map::new();
    for (tool, definition) in &defined {
        losses.at(tool);
        let mut writer = Writer {
            tool,
            definition,
            schemas: Map::new(),
            losses: &mut losses,
        };
        match writer.operation() {
            Err(reason) => losses.tell(format!("the tool is left out: {reason}")),
            Ok((path, operation)) => {
                components.append(&mut writer.schemas);
                let key = (path, tool.request.method.as_str());
                put(&mut operations, key, tool, operation, &mut losses);
            }
        }
    }
    let Some((first, _)) = defined.first() else {
        return Ok(Document {
            value: Value::Null,
            tools: 0,
            lost: losses.all,
        });
    };
    let count = operations.len();
    let mut paths = Map::new();
    for ((path, method), (_, operation)) in operations {
        let item = paths.entry(path).or_insert_with(|| json!({}));
        item[method.to_lowercase()] = operation;
    }
    let mut value = head(first, &defined, &mut losses);
    value["paths"] = paths.into();
    if !components.is_empty() {
        value["components"]["schemas"] = components.into();
    }
    Ok(Document {
        value,
        tools: count,
        lost: losses.all,
    })
}

/// Puts an operation at its place. A document has one for each path and method: of two tools, the one that takes more arguments.
fn put(
    operations: &mut BTreeMap<(String, &'static str), (Arc<Tool>, Value)>,
    key: (String, &'static str),
    tool: &Arc<Tool>,
    operation: Value,
    losses: &mut Losses,
) {
    let rank = |tool: &Tool| {
        (
            tool.params.iter().count(),
            std::cmp::Reverse(tool.name.len()),
        )
    };
    // The names of params in a path do not tell two paths apart.
    let shape = |path: &str| {
        let parts = path.split('/');
        let parts = parts.map(|part| if part.starts_with('{') { "{}" } else { part });
        parts.collect::<Vec<_>>().join("/")
    };
    let same = operations
        .keys()
        .find(|(path, method)| *method == key.1 && shape(path) == shape(&key.0))
        .cloned();
    let Some(same) = same else {
        operations.insert(key, (Arc::clone(tool), operation));
        return;
    };
    let other = operations[&same].0.clone();
    let (kept, left) = match rank(tool) > rank(&other) {
        true => (tool, &other),
        false => (&other, tool),
    };
    losses.tell_of(
        left.qualified_name(),
        format!(
            "the tool is left out: {} has the same method and path, and an OpenAPI document has one operation for them",
            kept.qualified_name()
        ),
    );
    if Arc::ptr_eq(kept, tool) {
        operations.remove(&same);
        operations.insert(key, (Arc::clone(tool), operation));
    }
}

fn head(first: &Tool, defined: &[(Arc<Tool>, Definition)], losses: &mut Losses) -> Value {
    losses.tool = first.service().to_owned();
    let service = &first.service;
    let spec = service.spec();
    let mut info = json!({ "title": title(first.service(), defined), "version": "1" });
    if let Some(description) = &service.description {
        info["description"] = description.trim().into();
    }
    let mut value = json!({ "openapi": "3.1.0", "info": info });
    if let Some(docs) = &service.docs {
        value["externalDocs"] = json!({ "url": docs });
    }
    value["servers"] = json!([server(spec, losses)]);
    let (schemes, security) = security(&spec["auth"], losses);
    value["security"] = security;
    value["paths"] = json!({});
    if !schemes.is_empty() {
        value["components"]["securitySchemes"] = schemes.into();
    }
    value
}

fn server(spec: &Value, losses: &mut Losses) -> Value {
    let base = &spec["base_url"];
    let url = base
        .as_str()
        .or_else(|| base["url"].as_str())
        .unwrap_or_default();
    let mut variables = Map::new();
    let mut written = String::new();
    for piece in pieces(url) {
        match piece {
            Piece::Text(text) => written.push_str(text),
            Piece::Expression(expression) => {
                let name = setting_of(expression).unwrap_or_else(|| {
                    losses.tell(
                        "a part of the base URL is computed; callers of the document give it",
                    );
                    format!("part{}", variables.len() + 1)
                });
                let setting = &spec["settings"][&name];
                let known = ["default", "example"]
                    .iter()
                    .find_map(|key| setting[*key].as_str());
                let mut variable = json!({ "default": known.unwrap_or(&name) });
                if let Some(description) = setting["description"].as_str() {
                    variable["description"] = description.into();
                }
                written.push_str(&format!("{{{name}}}"));
                variables.insert(name, variable);
            }
        }
    }
    match variables.is_empty() {
        true => json!({ "url": written }),
        false => json!({ "url": written, "variables": variables }),
    }
}

/// The security schemes, and the requirement of every operation. Where secrets come from is not said.
fn security(auth: &Value, losses: &mut Losses) -> (Map<String, Value>, Value) {
    let list: Vec<&Value> = match auth {
        Value::Array(list) => list.iter().collect(),
        Value::Object(_) => vec![auth],
        _ => Vec::new(),
    };
    let mut schemes = Map::new();
    let mut needed = Map::new();
    let mut is_optional = !list.is_empty();
    for (i, one) in list.into_iter().enumerate() {
        is_optional &= one["optional"] == true;
        let kind = one["kind"].as_str().unwrap_or_default();
        let scheme = match (kind, one["in"].as_str()) {
            ("none", _) => continue,
            ("bearer", _) => json!({ "type": "http", "scheme": "bearer" }),
            ("basic", _) => json!({ "type": "http", "scheme": "basic" }),
            ("api_key", Some(place @ ("header" | "query" | "cookie"))) => {
                if one.get("prefix").is_some() {
                    losses.tell("the credential has a prefix, which OpenAPI cannot say");
                }
                json!({ "type": "apiKey", "in": place, "name": one["name"] })
            }
            ("headers", _) => {
                let names = one["headers"].as_object();
                for name in names.into_iter().flat_map(|names| names.keys()) {
                    schemes.insert(
                        name.clone(),
                        json!({ "type": "apiKey", "in": "header", "name": name }),
                    );
                    needed.insert(name.clone(), json!([]));
                }
                continue;
            }
            ("oauth2", _)
                if one["grant"] == "client_credentials"
                    && one["token_url"]
                        .as_str()
                        .is_some_and(|url| !url.contains("{{")) =>
            {
                let flow = json!({ "tokenUrl": one["token_url"], "scopes": {} });
                json!({ "type": "oauth2", "flows": { "clientCredentials": flow } })
            }
            ("oauth2", _) => json!({ "type": "http", "scheme": "bearer" }),
            (kind, _) => {
                losses.tell(format!(
                    "a credential of the kind {kind} is left out: OpenAPI cannot say it"
                ));
                continue;
            }
        };
        let name = match i {
            0 => kind.to_owned(),
            i => format!("{kind}{}", i + 1),
        };
        schemes.insert(name.clone(), scheme);
        needed.insert(name, json!([]));
    }
    let requirements = match (needed.is_empty(), is_optional) {
        (true, _) => json!([]),
        (false, true) => json!([{}, needed]),
        (false, false) => json!([needed]),
    };
    (schemes, requirements)
}

struct Writer<'w> {
    tool: &'w Tool,
    definition: &'w Definition,
    /// The schemas that others of the tool refer to.
    schemas: Map<String, Value>,
    losses: &'w mut Losses,
}

/// What a value of the descriptor sends.
enum Sent {
    /// A param.
    Param(String),
    /// Always the same.
    Fixed(Value),
    /// A setting.
    Setting(String),
    /// Something that is computed.
    Computed,
}

fn sent(value: &Value) -> Sent {
    let Some(text) = value.as_str() else {
        return match value {
            Value::Array(_) | Value::Object(_) => Sent::Computed,
            value => Sent::Fixed(value.clone()),
        };
    };
    match pieces(text).as_slice() {
        [] | [Piece::Text(_)] => Sent::Fixed(value.clone()),
        [Piece::Expression(expression)] => match (param_of(expression), setting_of(expression)) {
            (Some(name), _) => Sent::Param(name),
            (None, Some(name)) => Sent::Setting(name),
            (None, None) => Sent::Computed,
        },
        _ => Sent::Computed,
    }
}

impl Writer<'_> {
    /// The path and the operation.
    ///
    /// # Errors
    /// Why OpenAPI cannot say it.
    fn operation(&mut self) -> Result<(String, Value), String> {
        let spec = self.tool.source.value().clone();
        let request = &spec["request"];
        let mut parameters = Vec::new();
        let path = self.path(request, &mut parameters)?;
        let service = self.tool.service.spec().clone();
        for section in [&service["query"], &request["query"]] {
            self.query(section, &service, &mut parameters)?;
        }
        self.headers(
            &[&service["headers"], &request["headers"]],
            &service,
            &mut parameters,
        )?;
        let mut operation = json!({ "operationId": self.tool.name });
        if let Some(title) = &self.tool.title {
            operation["summary"] = title.clone().into();
        }
        operation["description"] = self.definition.description.clone().into();
        if let Some(docs) = &self.tool.docs {
            operation["externalDocs"] = json!({ "url": docs });
        }
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        if let Some(body) = request.get("body") {
            operation["requestBody"] = self.body(body)?;
        }
        let media = match self.tool.rules.kind {
            ResponseKind::Json => Some("application/json"),
            ResponseKind::Ndjson => Some("application/x-ndjson"),
            ResponseKind::Sse => Some("text/event-stream"),
            ResponseKind::Xml => Some("application/xml"),
            ResponseKind::Text => Some("text/plain"),
            ResponseKind::Bytes => Some("application/octet-stream"),
            ResponseKind::Empty => None,
        };
        let (status, answer) = match media {
            Some(media) => (
                "200",
                json!({ "description": "The answer.", "content": { media: {} } }),
            ),
            None => ("204", json!({ "description": "Done." })),
        };
        operation["responses"] = json!({ status: answer });
        Ok((path, operation))
    }

    fn path(&mut self, request: &Value, parameters: &mut Vec<Value>) -> Result<String, String> {
        let mut path = String::new();
        for piece in pieces(request["path"].as_str().unwrap_or_default()) {
            match piece {
                Piece::Text(text) => path.push_str(text),
                Piece::Expression(expression) => {
                    let name = param_of(expression)
                        .ok_or("a part of its path is computed, which OpenAPI cannot say")?;
                    path.push_str(&format!("{{{name}}}"));
                    let mut parameter = self.parameter("path", &name, &name)?;
                    parameter["required"] = json!(true);
                    let style = &request["path_styles"][&name];
                    for key in ["style", "explode"] {
                        if let Some(value) = style.get(key) {
                            parameter[key] = value.clone();
                        }
                    }
                    let is_new = |known: &Value| known["name"] != parameter["name"];
                    if parameters.iter().all(is_new) {
                        parameters.push(parameter);
                    }
                }
            }
        }
        Ok(path)
    }

    /// A parameter that is filled by a param.
    fn parameter(&mut self, place: &str, wire: &str, param: &str) -> Result<Value, String> {
        let (mut schema, required) = self.schema_of(param)?;
        let description = schema
            .as_object_mut()
            .and_then(|schema| schema.shift_remove("description"));
        let mut parameter = json!({ "name": wire, "in": place });
        if let Some(description) = description {
            parameter["description"] = description;
        }
        if required {
            parameter["required"] = json!(true);
        }
        parameter["schema"] = schema;
        Ok(parameter)
    }

    /// The schema of a param, and whether requests always have it: a default is sent, too.
    fn schema_of(&mut self, param: &str) -> Result<(Value, bool), String> {
        let Some(param) = self.tool.params.get(param) else {
            return Err(format!("its request reads `{param}`, which is no param"));
        };
        let is_sent = param.required || param.default().is_some();
        let mut schema = param.schema.clone();
        self.rewrite(&mut schema)?;
        match schema {
            // Whatever the value is, it is described.
            Value::Bool(true) => Ok((json!({}), is_sent)),
            schema => Ok((schema, is_sent)),
        }
    }

    /// References lead to the components of the document.
    fn rewrite(&mut self, schema: &mut Value) -> Result<(), String> {
        match schema {
            Value::Object(members) => {
                for (key, member) in members {
                    match member {
                        Value::String(to) if key == "$ref" => *to = self.component(to)?,
                        member => self.rewrite(member)?,
                    }
                }
                Ok(())
            }
            Value::Array(items) => items.iter_mut().try_for_each(|item| self.rewrite(item)),
            _ => Ok(()),
        }
    }

    fn component(&mut self, to: &str) -> Result<String, String> {
        let known = to
            .strip_prefix("#/$defs/")
            .filter(|name| !name.contains('/'));
        let known =
            known.and_then(|name| Some((name, self.tool.params.schema()["$defs"].get(name)?)));
        let Some((name, schema)) = known else {
            return Err(format!(
                "its params refer to {to}, which OpenAPI cannot say"
            ));
        };
        let legal: String = name
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || "._-".contains(c) {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        let key = format!("{}.{legal}", self.tool.name);
        if !self.schemas.contains_key(&key) {
            let mut schema = schema.clone();
            self.schemas.insert(key.clone(), json!({}));
            self.rewrite(&mut schema)?;
            self.schemas.insert(key.clone(), schema);
        }
        Ok(format!("#/components/schemas/{key}"))
    }

    fn query(
        &mut self,
        section: &Value,
        service: &Value,
        parameters: &mut Vec<Value>,
    ) -> Result<(), String> {
        let own: Map<String, Value> = match section {
            Value::Array(names) => names
                .iter()
                .filter_map(|name| Some((name.as_str()?.to_owned(), Value::Null)))
                .collect(),
            Value::Object(entries) => entries.clone(),
            _ => return Ok(()),
        };
        let is_list = section.is_array();
        for (wire, entry) in own {
            let (value, style) = match (&entry, entry.get("value")) {
                (Value::Object(_), Some(value)) => (value.clone(), entry.clone()),
                _ => (entry.clone(), Value::Null),
            };
            let mut parameter = match is_list {
                true => self.parameter("query", &wire, &wire)?,
                false => self.filled("query", &wire, &value, service)?,
            };
            self.style(&mut parameter, &wire, &style);
            parameters.push(parameter);
        }
        Ok(())
    }

    /// A parameter with this value in the descriptor.
    fn filled(
        &mut self,
        place: &str,
        wire: &str,
        value: &Value,
        service: &Value,
    ) -> Result<Value, String> {
        Ok(match sent(value) {
            Sent::Param(param) => self.parameter(place, wire, &param)?,
            Sent::Fixed(value) => {
                json!({ "name": wire, "in": place, "required": true, "schema": fixed(&value) })
            }
            Sent::Setting(name) => {
                let setting = &service["settings"][&name];
                let mut schema = json!({ "type": "string" });
                for key in ["pattern", "default"] {
                    if let Some(value) = setting.get(key) {
                        schema[key] = value.clone();
                    }
                }
                let mut parameter = json!({ "name": wire, "in": place, "required": true });
                if let Some(description) = setting.get("description") {
                    parameter["description"] = description.clone();
                }
                parameter["schema"] = schema;
                parameter
            }
            Sent::Computed => {
                let what = if place == "query" {
                    "query parameter"
                } else {
                    place
                };
                self.losses.tell(format!(
                    "the {what} `{wire}` is computed from the arguments, which OpenAPI cannot say; callers of the document give it"
                ));
                json!({ "name": wire, "in": place, "schema": { "type": "string" } })
            }
        })
    }

    fn style(&mut self, parameter: &mut Value, wire: &str, style: &Value) {
        let kind = parameter["schema"]["type"].clone();
        let (is_list, is_map) = (kind == "array", kind == "object");
        let named = style["style"].as_str().unwrap_or("repeat");
        let explode = style["explode"].as_bool();
        let mut write = |name: &str, explode: Option<bool>| {
            parameter["style"] = name.into();
            if let Some(explode) = explode {
                parameter["explode"] = explode.into();
            }
        };
        match named {
            "comma" => write("form", Some(false)),
            "form" if explode == Some(false) => write("form", explode),
            "space" => write("spaceDelimited", explode),
            "pipe" => write("pipeDelimited", explode),
            "deep_object" => write("deepObject", Some(true)),
            "brackets" | "indexed" if is_map => write("deepObject", Some(true)),
            "brackets" if is_list => parameter["name"] = format!("{wire}[]").into(),
            "indexed" if is_list => self.losses.tell(format!(
                "the query parameter `{wire}` numbers its items, which OpenAPI cannot say"
            )),
            "json" => {
                let schema = parameter["schema"].take();
                if let Some(parameter) = parameter.as_object_mut() {
                    parameter.shift_remove("schema");
                }
                parameter["content"] = json!({ "application/json": { "schema": schema } });
            }
            _ => {}
        }
        if style["reserved"] == true {
            parameter["allowReserved"] = json!(true);
        }
    }

    fn headers(
        &mut self,
        sections: &[&Value],
        service: &Value,
        parameters: &mut Vec<Value>,
    ) -> Result<(), String> {
        // The tool's own come last and hide those of the service.
        let mut all: Vec<(&String, &Value)> = Vec::new();
        for section in sections {
            for (name, value) in section.as_object().into_iter().flatten() {
                all.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
                all.push((name, value));
            }
        }
        for (name, value) in all {
            if IGNORED.contains(&name.to_ascii_lowercase().as_str()) {
                self.losses.tell(format!(
                    "the header `{name}` is left out: OpenAPI does not take it"
                ));
                continue;
            }
            parameters.push(self.filled("header", name, value, service)?);
        }
        Ok(())
    }

    fn body(&mut self, body: &Value) -> Result<Value, String> {
        let own_type = body["content_type"].as_str();
        if own_type.is_some_and(|text| text.contains("{{")) {
            return Err(
                "the media type of its body is computed, which OpenAPI cannot say".to_owned(),
            );
        }
        let kinds = ["json", "form", "multipart", "text", "bytes"];
        let kind = kinds
            .into_iter()
            .find_map(|kind| Some((kind, body.get(kind)?)));
        let Some((kind, tree)) = kind else {
            return Err("it is a GraphQL operation, which OpenAPI cannot say".to_owned());
        };
        let (media, (schema, required)) = match kind {
            "json" => ("application/json", self.tree(tree)?),
            "form" => ("application/x-www-form-urlencoded", self.form(tree)?),
            "multipart" => ("multipart/form-data", self.parts(tree)?),
            "text" => ("text/plain", self.tree(tree)?),
            _ => ("application/octet-stream", (json!({}), true)),
        };
        let media = own_type.unwrap_or(media);
        let mut out = json!({ "content": { media: { "schema": schema } } });
        if required {
            out["required"] = json!(true);
        }
        Ok(out)
    }

    /// The schema of a tree of a body, and whether it is always sent.
    fn tree(&mut self, tree: &Value) -> Result<(Value, bool), String> {
        if let Value::Object(members) = tree {
            return self.object(members, Writer::tree);
        }
        if let Value::Array(items) = tree {
            if items.iter().any(|item| item.to_string().contains("{{")) {
                self.losses.tell("a list in the body is put together from the arguments, which OpenAPI cannot say; callers of the document give it");
                return Ok((json!({ "type": "array", "items": {} }), false));
            }
            return Ok((fixed(tree), true));
        }
        Ok(match sent(tree) {
            Sent::Param(param) => self.schema_of(&param)?,
            Sent::Fixed(value) => (fixed(&value), true),
            Sent::Setting(_) | Sent::Computed => {
                self.losses.tell("a part of the body is computed from the arguments, which OpenAPI cannot say; callers of the document give it");
                (json!({}), false)
            }
        })
    }

    fn object(
        &mut self,
        members: &Map<String, Value>,
        each: fn(&mut Self, &Value) -> Result<(Value, bool), String>,
    ) -> Result<(Value, bool), String> {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for (name, value) in members {
            let (schema, is_sent) = each(self, value)?;
            if is_sent {
                required.push(name.clone());
            }
            properties.insert(name.clone(), schema);
        }
        let is_sent = !required.is_empty();
        let mut schema =
            json!({ "type": "object", "properties": properties, "additionalProperties": false });
        if is_sent {
            schema["required"] = required.into();
        }
        Ok((schema, is_sent))
    }

    fn form(&mut self, tree: &Value) -> Result<(Value, bool), String> {
        match tree {
            Value::Object(members) => self.object(members, |writer, value| {
                writer.tree(
                    value
                        .get("value")
                        .filter(|_| value.is_object())
                        .unwrap_or(value),
                )
            }),
            tree => self.tree(tree),
        }
    }

    fn parts(&mut self, tree: &Value) -> Result<(Value, bool), String> {
        let Value::Object(members) = tree else {
            return self.tree(tree);
        };
        self.object(members, |writer, part| {
            let content = ["file", "base64"].iter().find_map(|key| part.get(*key));
            match content {
                None => writer.tree(part.get("value").filter(|_| part.is_object()).unwrap_or(part)),
                Some(content) => {
                    let (whole, is_sent) = writer.tree(content)?;
                    let media = part["content_type"].as_str();
                    let media = media.filter(|media| !media.contains("{{"));
                    let mut schema = json!({ "type": "string", "contentMediaType": media.unwrap_or("application/octet-stream") });
                    if let Some(description) = whole.get("description") {
                        schema["description"] = description.clone();
                    }
                    Ok((schema, is_sent))
                }
            }
        })
    }
}

/// A schema that takes one value, and is filled with it by whoever fills in defaults.
fn fixed(value: &Value) -> Value {
    let kind = match value {
        Value::String(_) => "string",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        Value::Null => "null",
    };
    json!({ "type": kind, "const": value, "default": value })
}

enum Piece<'t> {
    Text(&'t str),
    Expression(&'t str),
}

/// Texts and expressions.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("{{") {
        let (expression, after) = behind.split_once("}}").unwrap_or((behind, ""));
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        pieces.push(Piece::Expression(expression.trim()));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// The param that an expression is, if it is one.
fn param_of(expression: &str) -> Option<String> {
    let in_brackets = expression
        .strip_prefix("params[")
        .and_then(|rest| rest.strip_suffix(']'));
    if let Some(quoted) = in_brackets {
        let name = quoted.replace('\'', "\"");
        return serde_json::from_str(&name).ok();
    }
    let name = expression.strip_prefix("params.").unwrap_or(expression);
    let is_literal = ["true", "false", "none", "null"].contains(&name);
    (is_word(name) && !is_literal).then(|| name.to_owned())
}

/// The setting that an expression is, if it is one.
fn setting_of(expression: &str) -> Option<String> {
    let name = expression.strip_prefix("settings.")?;
    is_word(name).then(|| name.to_owned())
}

#[cfg(test)]
mod tests;
