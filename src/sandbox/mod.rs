//! The sandbox: a made-up stand-in for a service. It is a real HTTP server on loopback.
//!
//! Everything it knows is in the service's `sandbox.yaml` and in the tools' descriptors: which operations there are,
//! which credential and headers requests need, which arguments are legal, what they write, and how they are answered.
//! Writes are kept in memory, on top of the made-up data, for as long as the sandbox lives.

mod body;
mod buckets;
mod data;
mod known;
mod page;
mod request;
mod route;
mod schema;
mod select;
mod server;
mod spec;
mod store;
mod token;
mod tools;
mod write;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::{Map, Value};

pub(crate) use schema::SANDBOX;
pub use server::Server;
pub(crate) use server::serve;
pub(crate) use spec::SandboxSpec;

use crate::catalog::{self, Catalog, LoadError};
use crate::engine::error::Error;
use crate::project::ResponseKind;
use crate::sign::{Secret, SecretStore, Secrets};
use crate::source::{Check, Code, Finding, Source, join};
use crate::template::{EvalError, Names, Scope, Template};
use crate::tool::Tool;
use data::{Data, RANDOM, Random, Values};
use known::Known;
use route::{Request, Route};
use spec::RouteSpec;
use store::Store;
use tools::Tools;

/// The header by which a request asks for one of the sandbox's faults.
pub(crate) const FAULT_HEADER: &str = "x-sandbox-fault";

/// A request that the sandbox refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: u16,
    message: String,
    details: Option<Box<Value>>,
    headers: Vec<(String, String)>,
    /// Whether the sandbox itself worded the message, so that the declaration may replace it.
    is_own: bool,
}

impl Refusal {
    fn new(status: u16, message: String) -> Refusal {
        Refusal {
            status,
            message,
            details: None,
            headers: Vec::new(),
            is_own: true,
        }
    }

    /// A refusal whose message is in the declaration.
    fn declared(status: u16, message: String) -> Refusal {
        Refusal {
            is_own: false,
            ..Refusal::new(status, message)
        }
    }
}

impl From<EvalError> for Refusal {
    fn from(error: EvalError) -> Refusal {
        Refusal::new(500, format!("the sandbox's own template failed: {error}"))
    }
}

/// What the sandbox answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Response headers.
    pub headers: Vec<(String, String)>,
    /// The body. With the status 204 it is not sent.
    pub body: Value,
    /// The notation in which the body is sent.
    pub(crate) kind: ResponseKind,
}

/// A request as the sandbox sees it.
#[derive(Debug, Clone)]
pub struct Incoming<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// The path, percent-encoded.
    pub path: &'a str,
    /// The query without its `?`.
    pub query: &'a str,
    /// Header fields; names are lower case.
    pub headers: Map<String, Value>,
    /// The body's bytes.
    pub body: &'a [u8],
}

/// A sandbox, ready to answer.
pub struct Sandbox {
    service: String,
    spec: SandboxSpec,
    source: Arc<Source>,
    tools: Tools,
    data: Arc<Data>,
    store: Store,
    /// By the tool's name. Those that are not compiled yet are when they are asked for.
    routes: IndexMap<String, OnceLock<Result<Route, Refusal>>>,
    now: i64,
    request_id: Template,
    response_headers: Vec<(String, Template)>,
    envelope: Template,
    secrets: Secrets,
    requests: AtomicU64,
    upcoming_faults: Mutex<Vec<String>>,
}

impl Sandbox {
    /// Finds and compiles the sandbox of a service.
    ///
    /// # Errors
    /// When the service has none, or a descriptor is not valid.
    pub fn load(catalog: &Catalog, service: &str) -> Result<Sandbox, Error> {
        let (check, entries) = catalog.sandbox(service)?;
        let tools = catalog::load_each(&entries).map_err(LoadError::from)?;
        let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        let sandbox = Sandbox::compile(&check, tools, &names);
        sound(sandbox, check)
    }

    /// Finds the sandbox that answers a tool: its service's. Compiles what the tool's own requests need; other tools and
    /// routes are read and compiled when a request needs them. An untrusted tool is answered by the declaration in its
    /// own folder, with the tools of that folder.
    ///
    /// # Errors
    /// When the service has none, or what the tool needs of it is not valid.
    pub fn for_tool(catalog: &Catalog, tool: &Arc<Tool>) -> Result<Sandbox, Error> {
        let (check, entries) = catalog.sandbox_of(tool)?;
        let spec = read(&check);
        let is_own = |entry: &catalog::Entry| {
            entry.name == tool.name && entry.file.display() == tool.source.name
        };
        let has_route = spec
            .as_ref()
            .is_some_and(|spec| spec.routes.contains_key(&tool.name));
        let tools = match has_route && entries.iter().any(is_own) {
            true => {
                let others = entries.iter().filter(|entry| !is_own(entry)).cloned();
                Tools::with_unread(Arc::clone(tool), others)
            }
            // Another tool may answer its requests.
            false => Tools::of(catalog::load_each(&entries).map_err(LoadError::from)?),
        };
        let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        let sandbox =
            spec.map(|spec| Sandbox::of(spec, &check, tools, &names, &|name| name == tool.name));
        sound(sandbox, check)
    }

    /// The made-up secrets by which the sandbox that answers a tool knows its clients, by name. Nothing else of it is
    /// compiled.
    ///
    /// # Errors
    /// When the service has none, or its declaration cannot be read.
    pub(crate) fn secrets_for(
        catalog: &Catalog,
        tool: &Tool,
    ) -> Result<IndexMap<String, String>, Error> {
        let (check, _) = catalog.sandbox_of(tool)?;
        let secrets = read(&check).map(|spec| {
            made_up_secrets(&spec, Some(tool), &check);
            spec.secrets
        });
        sound(secrets, check)
    }

    /// The time of the sandbox that answers a tool; `None` where it has no sandbox that can be read.
    pub(crate) fn now_for(catalog: &Catalog, tool: &Tool) -> Option<Timestamp> {
        let (check, _) = catalog.sandbox_of(tool).ok()?;
        read(&check)?.now.parse().ok()
    }

    /// Compiles the sandbox that `check`'s source declares; mistakes go to `check`.
    ///
    /// `names` lists all tools of the service, including broken tools that `tools` lacks.
    pub(crate) fn compile(check: &Check, tools: Vec<Arc<Tool>>, names: &[&str]) -> Option<Sandbox> {
        let spec = read(check)?;
        Some(Sandbox::of(spec, check, Tools::of(tools), names, &|_| true))
    }

    /// Compiles a sandbox, and of its routes those that are needed at once.
    fn of(
        spec: SandboxSpec,
        check: &Check,
        tools: Tools,
        names: &[&str],
        is_needed: &dyn Fn(&str) -> bool,
    ) -> Sandbox {
        for status in spec.errors.codes.keys().chain(spec.errors.messages.keys()) {
            report_no_status(status, &spec, check);
        }
        if let Some(tool) = tools.first()
            && tool.service.name != spec.sandbox.as_str()
        {
            check.error(
                Code::MissingService,
                "/sandbox",
                format!(
                    "the service.yaml beside this file describes `{}`",
                    tool.service.name
                ),
            );
        }
        let data = Data::compile(&spec.data, spec.seed, "/data", check);
        let routes = spec
            .routes
            .iter()
            .map(|(tool, route)| {
                if !is_needed(tool) {
                    return (tool.clone(), OnceLock::new());
                }
                if !names.contains(&tool.as_str()) {
                    check.error_at_key(
                        Code::UnknownName,
                        &join("/routes", tool),
                        format!("the service has no tool `{tool}`"),
                        crate::words::nearest(tool, names.iter().copied()),
                    );
                }
                let known = Known {
                    data: &data,
                    tool: tools.get(tool).map(Arc::as_ref),
                    check,
                };
                let route = compile_route(tool, route, &known);
                (tool.clone(), OnceLock::from(Ok(route)))
            })
            .collect();
        let text = |text: &str, pointer: &str, names: &Names| {
            Template::compile_text(text, pointer, names, check)
        };
        let id_names = Names::default().with_members("random", RANDOM);
        let header_names = Names::default().with("request_id");
        let envelope_names = ["status", "code", "message", "details"]
            .iter()
            .fold(header_names.clone(), |names, name| names.with(name));
        let now = data::seconds(&spec.now, "/now", check);
        let secrets = made_up_secrets(&spec, tools.first(), check);
        let secrets = match tools.first() {
            Some(_) => token::with_access_token(secrets, spec.seed),
            None => secrets,
        };
        Sandbox {
            service: spec.sandbox.to_string(),
            request_id: text(&spec.request_id, "/request_id", &id_names),
            response_headers: spec
                .response_headers
                .iter()
                .map(|(name, value)| {
                    let at = join("/response_headers", name);
                    (name.clone(), text(value, &at, &header_names))
                })
                .collect(),
            envelope: Template::compile(&spec.errors.body, "/errors/body", &envelope_names, check),
            store: Store::new(Arc::clone(&data)),
            source: Arc::clone(check.source()),
            data,
            routes,
            now,
            secrets,
            tools,
            spec,
            requests: AtomicU64::new(0),
            upcoming_faults: Mutex::default(),
        }
    }

    /// The service that it replaces.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The made-up secrets that requests must carry, by name.
    pub fn secrets(&self) -> impl Iterator<Item = (&str, &str)> {
        self.spec
            .secrets
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The names of the available faults.
    pub fn faults(&self) -> impl Iterator<Item = &str> {
        self.spec.faults.keys().map(String::as_str)
    }

    /// Makes the next `times` requests fail with a fault.
    ///
    /// # Errors
    /// When there is no such fault.
    pub fn inject(&self, fault: &str, times: usize) -> Result<(), Error> {
        if !self.spec.faults.contains_key(fault) {
            let known: Vec<&str> = self.faults().collect();
            return Err(Error::Policy(format!(
                "the sandbox has no fault `{fault}`; it has {}",
                known.join(", ")
            )));
        }
        let mut upcoming = self
            .upcoming_faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        upcoming.extend(std::iter::repeat_n(fault.to_owned(), times));
        Ok(())
    }

    /// Answers a request.
    pub fn answer(&self, incoming: &Incoming<'_>) -> Answer {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let request_id = self.new_request_id(number);
        let outcome = self.respond(incoming);
        let mut headers = self.common_headers(&request_id);
        match outcome {
            Ok((status, body, kind)) => Answer {
                status,
                headers,
                body,
                kind,
            },
            Err(refusal) => {
                headers.extend(refusal.headers.iter().cloned());
                Answer {
                    status: refusal.status,
                    headers,
                    body: self.error_body(&refusal, &request_id),
                    kind: ResponseKind::Json,
                }
            }
        }
    }

    fn respond(&self, incoming: &Incoming<'_>) -> Result<(u16, Value, ResponseKind), Refusal> {
        self.refuse_fault(incoming)?;
        if let Some(answer) = token::answer(self.tools.first(), &self.secrets, incoming) {
            return answer.map(|body| (200, body, ResponseKind::Json));
        }
        let candidates = self.tools.find(incoming)?;
        self.check_credential(incoming)?;
        self.check_headers(incoming)?;
        if candidates.is_empty() {
            return Err(not_found(incoming));
        }
        let (tool, args) = request::recognise(&candidates, incoming.query, incoming.body)?;
        let route = self.route(tool).ok_or_else(|| not_found(incoming))??;
        let request = Request {
            args,
            headers: Value::Object(incoming.headers.clone()),
            now: self.now,
        };
        let (status, body) = route.answer(&request, &self.store)?;
        // The response that creates a job is JSON, whatever kind the job's result has.
        let kind = match tool.wait {
            Some(_) => ResponseKind::Json,
            None => tool.rules.kind,
        };
        Ok((status, body, kind))
    }

    /// The route of a tool; `None` where there is none.
    fn route(&self, tool: &Tool) -> Option<Result<&Route, Refusal>> {
        let (compiled, spec) = (
            self.routes.get(&tool.name)?,
            self.spec.routes.get(&tool.name)?,
        );
        let route = compiled.get_or_init(|| {
            let check = Check::new(Arc::clone(&self.source));
            let known = Known {
                data: &self.data,
                tool: Some(tool),
                check: &check,
            };
            let route = compile_route(&tool.name, spec, &known);
            match check.into_findings().first() {
                Some(finding) => Err(not_valid(finding)),
                None => Ok(route),
            }
        });
        Some(route.as_ref().map_err(Clone::clone))
    }

    fn refuse_fault(&self, incoming: &Incoming<'_>) -> Result<(), Refusal> {
        let asked = incoming
            .headers
            .get(FAULT_HEADER)
            .and_then(Value::as_str)
            .map(str::to_owned);
        let injected = || {
            let mut upcoming = self
                .upcoming_faults
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            (!upcoming.is_empty()).then(|| upcoming.remove(0))
        };
        let Some(name) = asked.or_else(injected) else {
            return Ok(());
        };
        let fault = self.spec.faults.get(&name).ok_or_else(|| {
            Refusal::new(
                400,
                format!("{FAULT_HEADER}: the sandbox has no fault `{name}`"),
            )
        })?;
        let headers = fault.headers.iter();
        Err(Refusal {
            headers: headers.map(|(n, v)| (n.clone(), v.clone())).collect(),
            details: fault.details.clone().map(Box::new),
            ..Refusal::declared(fault.status, fault.message.clone())
        })
    }

    fn check_credential(&self, incoming: &Incoming<'_>) -> Result<(), Refusal> {
        let Some(auth) = self.tools.first().map(|tool| &tool.service.auth) else {
            return Ok(());
        };
        let header = |name: &str| incoming.headers.get(name).and_then(Value::as_str);
        let by_alternative = self
            .spec
            .alternatives
            .iter()
            .any(|(name, value)| header(name) == Some(value));
        let base = self.base_path();
        let found = request::below(incoming.path, &base);
        // What is not below the base path is not found, whatever it carries.
        let is_elsewhere = auth.has_secret_path() && found.is_none();
        let in_path = found.map(|(_, secrets)| secrets).unwrap_or_default();
        if by_alternative
            || is_elsewhere
            || auth.is_satisfied(&self.secrets, header, incoming.query, &in_path)
        {
            return Ok(());
        }
        Err(Refusal::new(
            401,
            "the credential is missing or wrong".to_owned(),
        ))
    }

    /// The base path of the service, with the mask in place of secrets.
    fn base_path(&self) -> String {
        let path = self.tools.first().and_then(|tool| {
            let settings = tool.service.default_settings().unwrap_or_default();
            tool.service.base.path_at(&settings).ok()
        });
        path.unwrap_or_default().trim_end_matches('/').to_owned()
    }

    fn check_headers(&self, incoming: &Incoming<'_>) -> Result<(), Refusal> {
        for (name, values) in &self.spec.require_headers {
            match incoming.headers.get(name).and_then(Value::as_str) {
                None => return Err(Refusal::new(400, format!("{name}: header is required"))),
                Some(value) if !values.is_empty() && !values.iter().any(|v| v == value) => {
                    return Err(Refusal::new(
                        400,
                        format!("{name}: {value:?} is not a valid value"),
                    ));
                }
                Some(_) => {}
            }
        }
        for (name, values) in &self.spec.list_headers {
            let given = incoming.headers.get(name).and_then(Value::as_str);
            let unknown: Vec<String> = given
                .into_iter()
                .flat_map(|list| list.split(','))
                .map(str::trim)
                .filter(|value| !value.is_empty() && !values.iter().any(|v| v == value))
                .map(|value| format!("`{value}`"))
                .collect();
            if !unknown.is_empty() {
                return Err(Refusal::new(
                    400,
                    format!(
                        "Unexpected value(s) {} for the `{name}` header.",
                        unknown.join(", ")
                    ),
                ));
            }
        }
        Ok(())
    }

    fn new_request_id(&self, number: u64) -> Value {
        struct IdScope(Random);
        impl Scope for IdScope {
            fn json(&self, _: &str) -> Option<&Value> {
                None
            }
            fn native(&self, name: &str) -> Option<minijinja::Value> {
                (name == "random").then(|| minijinja::Value::from_object(self.0.clone()))
            }
        }
        let scope = IdScope(Random::new(&self.data, &format!("request/{number}")));
        self.request_id
            .render(&scope)
            .ok()
            .flatten()
            .unwrap_or_default()
    }

    fn common_headers(&self, request_id: &Value) -> Vec<(String, String)> {
        let mut scope = Values::default();
        scope.put("request_id", request_id.clone());
        self.response_headers
            .iter()
            .filter_map(|(name, template)| {
                let value = template.render(&scope).ok()??;
                Some((name.clone(), crate::words::scalar_text(&value)?))
            })
            .collect()
    }

    fn error_body(&self, refusal: &Refusal, request_id: &Value) -> Value {
        let status = refusal.status.to_string();
        let own = self.spec.errors.messages.get(&status);
        let message = own.filter(|_| refusal.is_own).unwrap_or(&refusal.message);
        let code = self
            .spec
            .errors
            .codes
            .get(&status)
            .map_or("error", String::as_str);
        let mut scope = Values::default();
        scope.put("request_id", request_id.clone());
        scope.put("status", refusal.status);
        scope.put("code", code);
        scope.put("message", message.as_str());
        if let Some(details) = &refusal.details {
            scope.put("details", details.as_ref().clone());
        }
        self.envelope
            .render(&scope)
            .ok()
            .flatten()
            .unwrap_or_default()
    }
}

/// The declaration that stands in `check`'s source.
fn read(check: &Check) -> Option<SandboxSpec> {
    let spec = crate::format::decode(&schema::SANDBOX, check);
    if check.failed() {
        // What is wrong in one of these is not read by the others.
        check.expect_gaps(&[
            "/routes",
            "/faults",
            "/response_headers",
            "/require_headers",
        ]);
    }
    spec
}

/// What was compiled, unless something was found wrong.
fn sound<T>(compiled: Option<T>, check: Check) -> Result<T, Error> {
    let findings: Vec<Finding> = check.into_findings();
    match compiled {
        Some(compiled) if findings.is_empty() => Ok(compiled),
        _ => Err(findings.into()),
    }
}

/// Compiles the route of the tool that goes by `name`; mistakes go to the check.
fn compile_route(name: &str, spec: &RouteSpec, known: &Known<'_>) -> Route {
    let at = join("/routes", name);
    let body = known.tool.and_then(|tool| tool.request.body.as_ref());
    if let Some(message) = body.and_then(body::unreadable) {
        known
            .check
            .error_at_key(Code::BadSandbox, &at, message, None);
    }
    Route::compile(spec, &at, known)
}

/// The secrets of the declaration; one that the service needs and that is missing is a mistake.
fn made_up_secrets(spec: &SandboxSpec, tool: Option<&Tool>, check: &Check) -> Secrets {
    let mut store = SecretStore::default();
    store.seal();
    for (name, value) in &spec.secrets {
        store.give(name.clone(), Secret::new(value.clone()));
    }
    match tool.map(|tool| tool.service.auth.resolve(&store)) {
        None => Secrets::default(),
        Some(Ok(secrets)) => secrets,
        Some(Err(error)) => {
            check.error(Code::BadSandbox, "/secrets", error.to_string());
            Secrets::default()
        }
    }
}

/// The refusal of a request for what is not valid itself.
fn not_valid(finding: &Finding) -> Refusal {
    Refusal::new(500, format!("the sandbox is not valid: {finding}"))
}

fn not_found(incoming: &Incoming<'_>) -> Refusal {
    Refusal::new(
        404,
        format!("{} {}: Not Found", incoming.method, incoming.path),
    )
}

fn report_no_status(status: &str, spec: &SandboxSpec, check: &Check) {
    if status
        .parse::<u16>()
        .is_ok_and(|status| (100..600).contains(&status))
    {
        return;
    }
    let section = match spec.errors.codes.contains_key(status) {
        true => "/errors/codes",
        false => "/errors/messages",
    };
    check.error_at_key(
        Code::BadSandbox,
        &join(section, status),
        format!("`{status}` is no HTTP status"),
        None,
    );
}
