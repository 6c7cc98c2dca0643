//! A first tool: files that people go on to edit, with comments that teach. They are blank, or say what a curl command
//! sends. Every file is checked as `validate` would.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use url::Url;

use super::inner::Inner;
use super::openapi::{self, Options};
use super::report::What;
use super::{ImportError, document, recorded, yaml};
use crate::check::prove_service;
use crate::har::Entry;
use crate::plan::Method;
use crate::source::{Check, Source, join};
use crate::tool::Tool;
use crate::tool::service::Service;
use crate::words::Name;

/// Where a blank tool goes unless it is told.
pub(crate) const BASE_URL: &str = "https://api.example.com";

/// Whether a file of this name is no tool's, such as `service.yaml`.
pub(crate) fn is_taken(tool: &Name) -> bool {
    openapi::TAKEN.contains(&tool.as_str())
}

/// What a first tool is made of.
#[derive(Debug)]
pub(crate) struct Start {
    /// The tool's name.
    pub tool: Name,
    /// The service's name; `None` for the one that the command names.
    pub service: Option<Name>,
    /// The text of the `service.yaml` that is there already.
    pub present: Option<String>,
    /// The service's base URL.
    pub base_url: Option<String>,
    /// What the tool does, in words.
    pub description: Option<String>,
}

/// The request of a blank tool.
#[derive(Debug)]
pub(crate) struct Blank {
    /// The method.
    pub method: Method,
    /// The path, in which `{name}` and `{{ name }}` are params.
    pub path: String,
}

/// The files of a first tool.
#[derive(Debug, PartialEq)]
pub(crate) struct Started {
    /// The service's name.
    pub service: Name,
    /// The text of `service.yaml`; `None` if it stays as it is, or stands in the tool.
    pub service_text: Option<String>,
    /// The text of the tool's file.
    pub tool_text: String,
    /// The variables that must hold secrets.
    pub secrets: Vec<String>,
    /// What is lost or changed.
    pub notes: Vec<String>,
}

/// The example of a tool.
enum Example<'e> {
    /// A call with these arguments.
    Arguments(Value),
    /// The one that was made, under this name; a call with made-up arguments where none was.
    Named(&'e str),
}

impl Start {
    /// A blank tool. Without a service's name, the service stands in the tool's own file.
    ///
    /// # Errors
    /// When the path or the base URL cannot stand in a descriptor.
    pub(crate) fn blank(&self, blank: &Blank) -> Result<Started, ImportError> {
        let service = self.service.clone().unwrap_or_else(|| self.tool.clone());
        let url = self.base_url.as_deref().unwrap_or(BASE_URL);
        let mut members = Map::from_iter([
            ("spec".to_owned(), json!(1)),
            ("tool".to_owned(), json!(self.tool.as_str())),
        ]);
        let is_inline = self.service.is_none();
        members.insert(
            "service".into(),
            match is_inline {
                true => {
                    json!({ "service": service.as_str(), "base_url": url.trim_end_matches('/') })
                }
                false => json!(service.as_str()),
            },
        );
        members.insert("description".into(), "".into());
        members.insert("access".into(), access(blank.method).into());
        let arguments = blank.fill(&mut members)?;
        let described = self.describe(&service, &mut members);
        let mut notes: Vec<String> = described.into_iter().collect();
        if self.base_url.is_none() && self.present.is_none() {
            let note = format!("the base URL is {BASE_URL}; write your service's own");
            notes.insert(0, note);
        }
        let service_text = match (&self.present, is_inline) {
            (None, false) => Some(blank_service(&service, url)),
            _ => None,
        };
        let beside = self.present.as_deref().or(service_text.as_deref());
        let beside = beside.map(loaded).transpose()?;
        let tool_text = self.finished(
            members,
            Example::Arguments(arguments),
            beside.as_ref(),
            &HINTS,
        )?;
        Ok(Started {
            service,
            service_text,
            tool_text,
            secrets: Vec::new(),
            notes,
        })
    }

    /// A tool that sends what a curl command sends.
    ///
    /// # Errors
    /// When the text is not one curl command, a tool cannot say what it sends, or it goes elsewhere than the service that is
    /// there.
    pub(crate) fn of_command(&self, command: &str) -> Result<Started, ImportError> {
        let original = Value::String(command.to_owned());
        let inner = Inner::read(original.clone())?;
        self.of_request(inner, &original, "as in the command")
    }

    /// A tool that sends what a recorded request sent, with its answer as an example.
    ///
    /// # Errors
    /// As [`Start::of_command`], and when a credential of the request would stand in a file.
    pub(crate) fn of_exchange(&self, entry: &Entry) -> Result<Started, ImportError> {
        let inner = recorded::rewrite(entry)?;
        let started = self.of_request(inner, &Value::Null, "as recorded")?;
        let texts = [Some(&started.tool_text), started.service_text.as_ref()];
        let credentials = recorded::credentials(entry);
        let is_written = |value: &String| {
            texts
                .iter()
                .flatten()
                .any(|text| text.contains(value.as_str()))
        };
        match credentials.iter().any(is_written) {
            true => Err(
                "a credential of the request would stand in the file; nothing is written"
                    .to_owned()
                    .into(),
            ),
            false => Ok(started),
        }
    }

    /// The one request of a document that was rewritten. `name` is that of its example.
    fn of_request(
        &self,
        mut inner: Inner,
        original: &Value,
        name: &str,
    ) -> Result<Started, ImportError> {
        if let Some(skipped) = inner.skipped.first() {
            return Err(format!("{}: {}", skipped.operation.trim(), skipped.reason).into());
        }
        let (path, method) = only_operation(&inner.document)?;
        let service = match &self.service {
            Some(service) => service.clone(),
            None => openapi::service_name(&inner.document),
        };
        let present = self.present.as_deref().map(loaded).transpose()?;
        let path = match &present {
            Some(present) => below(present, &mut inner, &path)?,
            None => path,
        };
        let key = format!("{} {path}", method.to_ascii_uppercase());
        let options = Options {
            service: Some(service.clone()),
            base_url: match &present {
                Some(_) => None,
                None => self.base_url.clone(),
            },
            known_names: [(key, self.tool.to_string())].into(),
            ..Options::default()
        };
        let import = openapi::import_inner(inner, original, &options)?;
        let mut files = import.files.into_iter();
        let (Some(made_service), Some(made_tool)) = (files.next(), files.next()) else {
            return Err("the command makes no tool".to_owned().into());
        };
        let mut notes: Vec<String> = import
            .report
            .lost
            .iter()
            .filter(|loss| loss.what != What::Schema && !is_about_no_credential(&loss.message))
            .map(|loss| loss.message.clone())
            .collect();
        notes.dedup();
        let mut members = read(&made_tool.text)?;
        let made = read(&made_service.text)?;
        if let Some(text) = &self.present {
            let own = read(text)?;
            settle_auth(&mut members, &made, &own, &mut notes);
        }
        notes.extend(self.describe(&service, &mut members));
        fix_headers(&mut members);
        describe_params(&mut members);
        let service_text = match present {
            Some(_) => None,
            None => {
                Some(commented(&made_service_text(made), &SERVICE_COMMENTS) + SERVICE_HINTS_AFTER)
            }
        };
        let beside = self.present.as_deref().or(service_text.as_deref());
        let beside = beside.map(loaded).transpose()?;
        let secrets = variables(beside_text(self, service_text.as_deref()), &members)?;
        let tool_text = self.finished(members, Example::Named(name), beside.as_ref(), &[])?;
        Ok(Started {
            service,
            service_text,
            tool_text,
            secrets,
            notes,
        })
    }

    /// Says what the tool does: the given words, or those of its name with what it sends. That is told, because nobody chooses
    /// a tool by its path.
    fn describe(&self, service: &Name, members: &mut Map<String, Value>) -> Option<String> {
        let given = self.description.as_deref().map(str::trim);
        if let Some(words) = given.filter(|words| !words.is_empty()) {
            members.insert("description".into(), words.into());
            return None;
        }
        let words = self.tool.as_str().replace('-', " ");
        let mut letters = words.chars();
        let first = letters.next().map(|c| c.to_ascii_uppercase());
        let of = |key: &str| {
            let request = members.get("request");
            let value = request.and_then(|request| request.get(key)?.as_str());
            value.unwrap_or_default().to_owned()
        };
        let path = of("path").replace("{{ ", "{").replace(" }}", "}");
        let said = format!(
            "{}{}: sends {} {path} to {service}.",
            first.into_iter().collect::<String>(),
            letters.as_str(),
            of("method"),
        );
        members.insert("description".into(), said.into());
        Some(
            "the description says only what is sent; say what the tool does and when to use it"
                .to_owned(),
        )
    }

    /// The text of a tool's file, with an example that it passes.
    ///
    /// # Errors
    /// When it would not be valid.
    fn finished(
        &self,
        mut members: Map<String, Value>,
        example: Example<'_>,
        service: Option<&Arc<Service>>,
        hints: &[(&str, &str)],
    ) -> Result<String, ImportError> {
        members.shift_remove("allow");
        let write = |members: &Map<String, Value>| {
            hinted(commented(&sectioned(members), &TOOL_COMMENTS), hints)
        };
        // The service that is there may send more than the request did, so the example is rendered again.
        let made = members.shift_remove("examples");
        let made = made.as_ref().and_then(|list| list.get(0));
        let (tool, _) = openapi::check_tool(self.tool.as_str(), write(&members), service)?;
        let example = match (made, example) {
            (Some(made), Example::Named(name)) => with_answer(name, made, &tool),
            (None, Example::Named(_)) => None,
            (_, Example::Arguments(arguments)) => {
                openapi::rendered_example("a first call", arguments, &tool)
            }
        };
        let placeholder =
            || openapi::rendered_example("a first call", placeholders(&members), &tool);
        if let Some(example) = example.or_else(placeholder) {
            members.insert("examples".into(), json!([example]));
        }
        let (_, warnings) = openapi::check_tool(self.tool.as_str(), write(&members), service)?;
        if !warnings.is_empty() {
            let reasons = warnings.iter().map(|code| openapi::allow_entry(*code));
            members.insert("allow".into(), Value::Object(reasons.collect()));
            openapi::check_tool(self.tool.as_str(), write(&members), service)?;
        }
        Ok(write(&members))
    }
}

/// An example that was made before, as the tool renders it now, with its answer.
fn with_answer(name: &str, made: &Value, tool: &Tool) -> Option<Value> {
    let mut example = openapi::rendered_example(name, made["args"].clone(), tool)?;
    for key in ["response", "output"] {
        if let Some(value) = made.get(key) {
            example[key] = value.clone();
        }
    }
    Some(example)
}

impl Blank {
    /// Adds params and request; gives the arguments of the example.
    fn fill(&self, members: &mut Map<String, Value>) -> Result<Value, ImportError> {
        let (path, names) = path_params(&self.path)?;
        let mut properties = Map::new();
        let mut arguments = Map::new();
        let mut required = names.clone();
        for name in &names {
            let words = format!("`{name}` in the path.");
            properties.insert(
                name.clone(),
                json!({ "type": "string", "description": words }),
            );
            arguments.insert(name.clone(), "1".into());
        }
        let mut request = json!({ "method": self.method, "path": path });
        match self.method {
            Method::Post | Method::Put | Method::Patch => {
                let name = free("name", &names);
                properties.insert(
                    name.clone(),
                    json!({ "type": "string", "minLength": 1, "description": "The name to give it." }),
                );
                arguments.insert(name.clone(), "example".into());
                request["body"] = json!({ "json": { "name": format!("{{{{ {name} }}}}") } });
                required.push(name);
            }
            Method::Get => {
                let name = free("limit", &names);
                properties.insert(
                    name.clone(),
                    json!({ "type": "integer", "minimum": 1, "maximum": 100, "description": "How many to give at most." }),
                );
                arguments.insert(name.clone(), 2.into());
                request["query"] = match name.as_str() {
                    "limit" => json!(["limit"]),
                    _ => json!({ "limit": format!("{{{{ {name} }}}}") }),
                };
            }
            _ => {}
        }
        if !properties.is_empty() {
            let mut params = Map::new();
            if !required.is_empty() {
                params.insert("required".into(), required.into());
            }
            params.insert("properties".into(), properties.into());
            members.insert("params".into(), params.into());
        }
        members.insert("request".into(), request);
        Ok(arguments.into())
    }
}

fn free(name: &str, taken: &[String]) -> String {
    match taken.iter().any(|known| known == name) {
        true => format!("body_{name}"),
        false => name.to_owned(),
    }
}

/// A path template, and the names of its params. `{name}` stands for `{{ name }}`.
fn path_params(path: &str) -> Result<(String, Vec<String>), ImportError> {
    let refuse = || {
        ImportError::from(format!(
            "`{path}` is no path: a param stands as {{name}} in it"
        ))
    };
    let mut template = String::new();
    let mut names: Vec<String> = Vec::new();
    let mut rest = path;
    while let Some((before, behind)) = rest.split_once('{') {
        let (name, after) = match behind.strip_prefix('{') {
            Some(behind) => behind.split_once("}}"),
            None => behind.split_once('}'),
        }
        .ok_or_else(refuse)?;
        let name = name.trim();
        if !crate::template::is_identifier(name) {
            return Err(refuse());
        }
        template.push_str(&format!("{before}{{{{ {name} }}}}"));
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
        rest = after;
    }
    template.push_str(rest);
    match template.starts_with('/') {
        true => Ok((template, names)),
        false => Ok((format!("/{template}"), names)),
    }
}

fn access(method: Method) -> &'static str {
    match method {
        Method::Get | Method::Head | Method::Options => "read",
        Method::Delete => "destructive",
        Method::Post | Method::Put | Method::Patch => "write",
    }
}

/// The members of a file that is made here or stands on disk.
fn read(text: &str) -> Result<Map<String, Value>, ImportError> {
    match document::parse(text)? {
        Value::Object(members) => Ok(members),
        _ => Err("service.yaml is no map".to_owned().into()),
    }
}

/// The service of a text.
fn loaded(text: &str) -> Result<Arc<Service>, ImportError> {
    let refuse = |findings: Vec<crate::source::Finding>| {
        let reason = findings.first().map(|finding| finding.message.clone());
        format!("service.yaml is not valid: {}", reason.unwrap_or_default())
    };
    let source = Source::parse("service.yaml".into(), text.to_owned().into()).map_err(refuse)?;
    let check = Check::proving(source);
    match prove_service(&check) {
        Some(service) if !check.failed() => Ok(Arc::new(service)),
        _ => Err(refuse(check.into_findings()).into()),
    }
}

/// The path and the method of the one operation.
fn only_operation(document: &Value) -> Result<(String, String), ImportError> {
    let paths = document.get("paths").and_then(Value::as_object);
    let mut all = paths.into_iter().flatten().flat_map(|(path, item)| {
        let methods = item.as_object().into_iter().flatten();
        methods.map(move |(method, _)| (path.clone(), method.clone()))
    });
    match (all.next(), all.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err("there is no curl command".to_owned().into()),
        (Some(_), Some(_)) => Err(
            "there are several curl commands; `import curl` makes a tool of each"
                .to_owned()
                .into(),
        ),
    }
}

/// Moves the operation below the base URL of the service that is there; gives its path.
fn below(service: &Service, inner: &mut Inner, path: &str) -> Result<String, ImportError> {
    let Some(base) = service.base.fixed() else {
        return Err(
            "the service that is there has a base URL with settings, so that nobody knows whether the command goes there"
                .to_owned()
                .into(),
        );
    };
    let own = inner
        .document
        .pointer("/servers/0/url")
        .and_then(Value::as_str);
    let elsewhere = |own: &str| {
        ImportError::from(format!(
            "the command goes to {own}, but the service that is there has the base URL {base}"
        ))
    };
    let own = own.ok_or(ImportError::NoServer)?;
    let url = Url::parse(own).map_err(|_| elsewhere(own))?;
    if url.host() != base.host() || url.port_or_known_default() != base.port_or_known_default() {
        let is_secured = url.host() == base.host()
            && url.scheme() == "http"
            && url.port().is_none()
            && base.scheme() == "https"
            && base.port().is_none();
        if !is_secured {
            return Err(elsewhere(own));
        }
    }
    let rest = path
        .strip_prefix(base.path().trim_end_matches('/'))
        .filter(|rest| rest.is_empty() || rest.starts_with('/'))
        .ok_or_else(|| elsewhere(&format!("{own}{path}")))?;
    let rest = if rest.is_empty() { "/" } else { rest }.to_owned();
    if let Some(paths) = inner
        .document
        .get_mut("paths")
        .and_then(Value::as_object_mut)
        && let Some(item) = paths.shift_remove(path)
    {
        paths.insert(rest.clone(), item);
    }
    inner.document["servers"] = json!([{ "url": base.as_str().trim_end_matches('/') }]);
    inner.places.add(join("/paths", &rest), "");
    Ok(rest)
}

fn is_about_no_credential(message: &str) -> bool {
    message.contains("describes no credential")
}

/// Gives the tool its own credential where that of the service that is there is another one.
fn settle_auth(
    members: &mut Map<String, Value>,
    made: &Map<String, Value>,
    own: &Map<String, Value>,
    notes: &mut Vec<String>,
) {
    let (Some(wanted), present) = (made.get("auth"), own.get("auth")) else {
        if own.contains_key("auth") {
            notes.push(
                "the command sends no credential; the tool sends that of the service".to_owned(),
            );
        }
        return;
    };
    let places = |auth: &Value| -> Vec<Value> {
        let kinds = match auth {
            Value::Array(kinds) => kinds.clone(),
            one => vec![one.clone()],
        };
        let place = |kind: Value| {
            let of = |key: &str| kind.get(key).cloned().unwrap_or_default();
            json!([of("kind"), of("in"), of("name").to_string().to_lowercase()])
        };
        kinds.into_iter().map(place).collect()
    };
    let present_places = present.map(places).unwrap_or_default();
    if places(wanted)
        .iter()
        .all(|place| present_places.contains(place))
    {
        return;
    }
    notes.push(
        "the command has another credential than the service; the tool has its own".to_owned(),
    );
    let inline = json!({ "service": made["service"], "base_url": own["base_url"], "auth": wanted });
    members.insert("service".into(), inline);
}

/// Writes headers that the command fixes into the request, so that they are no params.
fn fix_headers(members: &mut Map<String, Value>) {
    let Some(headers) = members
        .get("request")
        .and_then(|request| request.get("headers"))
    else {
        return;
    };
    let mut fixed: Vec<(String, String, Value)> = Vec::new();
    for (name, value) in headers.as_object().into_iter().flatten() {
        let properties = members
            .get("params")
            .and_then(|params| params["properties"].as_object());
        let found = properties
            .into_iter()
            .flatten()
            .find_map(|(param, schema)| {
                let is_own = value.as_str() == Some(openapi::expression(param).as_str());
                let default = schema.get("default").filter(|_| is_own)?;
                Some((param.clone(), default.clone()))
            });
        if let Some((param, default)) = found {
            fixed.push((name.clone(), param, default));
        }
    }
    for (name, param, value) in fixed {
        if value.as_str().is_none_or(|text| text.contains("{{")) {
            continue;
        }
        members["request"]["headers"][name.as_str()] = value;
        let Some(params) = members.get_mut("params").and_then(Value::as_object_mut) else {
            continue;
        };
        if let Some(properties) = params.get_mut("properties").and_then(Value::as_object_mut) {
            properties.shift_remove(&param);
            if properties.is_empty() {
                members.shift_remove("params");
            }
        }
    }
}

/// Gives each param a description, which the writer of the file goes on to say better.
fn describe_params(members: &mut Map<String, Value>) {
    let properties = members
        .get_mut("params")
        .and_then(|params| params.get_mut("properties"))
        .and_then(Value::as_object_mut);
    for (name, schema) in properties.into_iter().flatten() {
        let Some(schema) = schema.as_object_mut() else {
            continue;
        };
        if schema.contains_key("description") {
            continue;
        }
        let words = format!("`{name}`, as the command sends it.");
        let at = schema
            .keys()
            .position(|key| ["properties", "items"].contains(&key.as_str()));
        schema.shift_insert(
            at.unwrap_or(schema.len()),
            "description".into(),
            words.into(),
        );
    }
}

/// Arguments for the params that a call must give, those that have an example, and files.
fn placeholders(members: &Map<String, Value>) -> Value {
    let params = members.get("params").unwrap_or(&Value::Null);
    let required: Vec<&Value> = params["required"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    let is_file = |schema: &Value| {
        let words = schema["description"].as_str().unwrap_or_default();
        words.contains("path of a file") || words.contains("path of the file")
    };
    let of = |schema: &Value| {
        if let Some(example) = schema.pointer("/examples/0") {
            return example.clone();
        }
        if is_file(schema) {
            return json!("file.bin");
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => kinds.first().and_then(Value::as_str),
            kind => kind.as_str(),
        };
        match kind {
            Some("integer" | "number") => json!(1),
            Some("boolean") => json!(true),
            Some("array") => json!([]),
            Some("object") => json!({}),
            _ => json!("example"),
        }
    };
    let properties = params["properties"].as_object().into_iter().flatten();
    properties
        .filter(|(name, schema)| {
            let is_required = required.iter().any(|known| known.as_str() == Some(name));
            is_required || schema.get("examples").is_some() || is_file(schema)
        })
        .map(|(name, schema)| (name.clone(), of(schema)))
        .collect::<Map<String, Value>>()
        .into()
}

fn beside_text<'t>(start: &'t Start, service: Option<&'t str>) -> Option<&'t str> {
    start.present.as_deref().or(service)
}

/// The variables that the credentials of a tool are read from.
fn variables(service: Option<&str>, tool: &Map<String, Value>) -> Result<Vec<String>, ImportError> {
    let mut names = Vec::new();
    let own = tool.get("service").and_then(|service| service.get("auth"));
    let beside = service.map(read).transpose()?;
    let auth = own.or(beside.as_ref().and_then(|members| members.get("auth")));
    if let Some(auth) = auth {
        add_variables(auth, &mut names);
    }
    Ok(names)
}

fn add_variables(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            if let Some(name) = members.get("env").and_then(Value::as_str)
                && !names.iter().any(|known| known == name)
            {
                names.push(name.to_owned());
            }
            members
                .values()
                .for_each(|member| add_variables(member, names));
        }
        Value::Array(items) => items.iter().for_each(|item| add_variables(item, names)),
        _ => {}
    }
}

/// The sections of a tool's file that an empty line stands before.
const APART: [&str; 7] = [
    "description",
    "params",
    "request",
    "paging",
    "response",
    "examples",
    "allow",
];

/// What stands before the keys of a tool's file.
const TOOL_COMMENTS: [(&str, &str); 6] = [
    (
        "spec",
        "# A tool: one request of a service. `validate` checks this file, and `test` runs its examples, offline.\n",
    ),
    (
        "description",
        "# What it does, in words by which people and agents choose it.\n",
    ),
    (
        "access",
        "# `read` runs at once; `write` and `destructive` need consent.\n",
    ),
    (
        "params",
        "# What a call gives, as JSON Schema. A param with a `default` is always sent.\n",
    ),
    (
        "request",
        "# What is sent. `{{ name }}` is the value of a param; in the path it fills one segment.\n",
    ),
    (
        "examples",
        "# Calls, and the requests that they must make. With a `response` and an `output`, a test checks the answer as well.\n",
    ),
];

/// What stands before the keys of `service.yaml`.
const SERVICE_COMMENTS: [(&str, &str); 3] = [
    (
        "spec",
        "# A service: what all its tools share. Each tool is a file beside this one.\n",
    ),
    (
        "base_url",
        "# Requests go to this host and below this path, and nowhere else.\n",
    ),
    (
        "auth",
        "# The credential. Its value never stands in a file: `env` names the variable that holds it, also in `.env`.\n",
    ),
];

const SERVICE_HINTS_AFTER: &str = "
# Where answers say what is wrong:
# errors: { message: $.error.message, code: $.error.code }

# How often to ask, and what to try again:
# rate_limit: { requests: 100, per: 1m }
# retry: { max_attempts: 4, statuses: [429, 500, 502, 503, 504] }
";

/// Sections that a blank tool may get, each before a section that it has.
const HINTS: [(&str, &str); 1] = [(
    "examples",
    "
# Lists that come in pages: where the rows are, and the arguments of the next page.
# paging: { items: $.data, next: { cursor: $.next_cursor } }

# What to give of the answer, by JSONPath. Without this, all of it.
# response: { output: { id: $.id, name: $.name } }
",
)];

/// The text of a tool's file, with a line for each member of the sections that people edit most.
fn sectioned(members: &Map<String, Value>) -> String {
    let mut text = String::new();
    for (key, value) in members {
        let section = value
            .as_object()
            .filter(|_| ["params", "request"].contains(&key.as_str()));
        let Some(section) = section else {
            let one = Map::from_iter([(key.clone(), value.clone())]);
            text.push_str(&yaml::document(&one, &APART));
            continue;
        };
        text.push_str(&format!("\n{key}:\n"));
        for (name, member) in section {
            let lines = match member.as_object().filter(|_| name == "properties") {
                Some(params) => format!("properties:\n{}", indented(&yaml::document(params, &[]))),
                None => yaml::document(&Map::from_iter([(name.clone(), member.clone())]), &[]),
            };
            text.push_str(&indented(&lines));
        }
    }
    text
}

fn indented(text: &str) -> String {
    let lines = text.lines().map(|line| match line.is_empty() {
        true => "\n".to_owned(),
        false => format!("  {line}\n"),
    });
    lines.collect()
}

/// The text with a comment before each of these keys.
fn commented(text: &str, comments: &[(&str, &str)]) -> String {
    let mut written = String::new();
    for line in text.lines() {
        let key = line.split(':').next().unwrap_or_default();
        if let Some((_, comment)) = comments.iter().find(|(of, _)| *of == key) {
            written.push_str(comment);
        }
        written.push_str(line);
        written.push('\n');
    }
    written
}

/// The text with hints before these keys.
fn hinted(text: String, hints: &[(&str, &str)]) -> String {
    let mut text = text;
    for (key, hint) in hints {
        let comment = TOOL_COMMENTS.iter().find(|(of, _)| of == key);
        let lead = comment.map_or_else(|| format!("{key}:"), |(_, comment)| (*comment).to_owned());
        if let Some(at) = text.find(&format!("\n{lead}")) {
            text.insert_str(at, hint.trim_end_matches('\n'));
            text.insert(at + hint.trim_end_matches('\n').len(), '\n');
        }
    }
    text
}

fn made_service_text(mut members: Map<String, Value>) -> String {
    members.shift_remove("title");
    yaml::document(&members, &["base_url", "settings", "auth"])
}

fn blank_service(name: &Name, base_url: &str) -> String {
    let members = Map::from_iter([
        ("spec".to_owned(), json!(1)),
        ("service".to_owned(), json!(name.as_str())),
        ("base_url".to_owned(), json!(base_url.trim_end_matches('/'))),
    ]);
    let text = yaml::document(&members, &["base_url"]);
    let variable = |what: &str| openapi::variable_name(name, what);
    let auth = format!(
        "
# The credential. Its value never stands in a file: `env` names the variable that holds it, also in `.env`.
# auth: {{ kind: bearer, secret: {{ env: {} }} }}
# auth: {{ kind: api_key, in: header, name: x-api-key, secret: {{ env: {} }} }}

# Headers of every request:
# headers: {{ x-version: \"1\" }}
",
        variable("TOKEN"),
        variable("API_KEY")
    );
    commented(&text, &SERVICE_COMMENTS) + &auth + SERVICE_HINTS_AFTER
}
