//! The service: where it stands, and how requests are authenticated.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use url::Url;

use super::spec::{Part, Spec};
use super::text;
use crate::descriptor::Name;
use crate::descriptor::source::join;
use crate::import::report::{Losses, What};
use crate::template::is_identifier;

/// Longest description of a service.
const DESCRIPTION: usize = 500;

/// Where the service stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// The base URL; variables are `{{ settings.name }}`.
    pub base_url: String,
    /// The settings that it uses.
    pub settings: Map<String, Value>,
}

impl Server {
    /// The first server with an origin that can be used; `given` instead of all of them.
    ///
    /// # Errors
    /// When there is none.
    pub fn of(
        spec: &Spec,
        service: &Name,
        given: Option<&str>,
        losses: &Losses,
    ) -> Result<Server, String> {
        if let Some(given) = given {
            return Ok(Server {
                base_url: given.trim_end_matches('/').to_owned(),
                settings: Map::new(),
            });
        }
        let servers: Vec<Part<'_>> = spec
            .root()
            .get("servers")
            .into_iter()
            .flat_map(|s| s.items())
            .collect();
        let is_absolute = |server: &&Part<'_>| {
            server.text("url").is_some_and(|url| {
                url.starts_with("https://") || url.starts_with("http://") || url.starts_with("//")
            })
        };
        let is_secure = |server: &&Part<'_>| {
            server
                .text("url")
                .is_some_and(|url| url.starts_with("https://"))
        };
        let chosen = servers
            .iter()
            .find(is_secure)
            .or_else(|| servers.iter().find(is_absolute))
            .ok_or_else(|| {
                "the document does not say where the service stands; give its URL with --base-url"
                    .to_owned()
            })?;
        if servers.len() > 1 {
            let others: Vec<&str> = servers
                .iter()
                .filter(|server| server.pointer != chosen.pointer)
                .filter_map(|server| server.text("url"))
                .collect();
            losses.note(
                What::Server,
                "/servers",
                format!("the other servers are left out: {}", others.join(", ")),
            );
        }
        Server::from_part(chosen, service, losses)
    }

    fn from_part(server: &Part<'_>, service: &Name, losses: &Losses) -> Result<Server, String> {
        let url = server.text("url").unwrap_or_default().trim();
        let url = match url.strip_prefix("//") {
            Some(rest) => format!("https://{rest}"),
            None => url.to_owned(),
        };
        let mut base_url = String::new();
        let mut settings = Map::new();
        let mut rest = url.as_str();
        while let Some((text, behind)) = rest.split_once('{') {
            let (name, after) = behind
                .split_once('}')
                .ok_or_else(|| format!("the URL of the server is not complete: {url}"))?;
            base_url.push_str(text);
            let setting = setting_name(name);
            base_url.push_str(&format!("{{{{ settings.{setting} }}}}"));
            let in_path = base_url
                .split_once("://")
                .is_some_and(|(_, rest)| rest.contains('/'));
            let variable = server
                .get("variables")
                .and_then(|variables| variables.get(name));
            if variable.is_none() {
                losses.note(
                    What::Server,
                    &server.pointer,
                    format!("the variable `{name}` of the URL is not described"),
                );
            }
            settings.insert(
                setting.clone(),
                setting_of(variable.as_ref(), &setting, service, in_path),
            );
            rest = after;
        }
        base_url.push_str(rest);
        let base_url = base_url.trim_end_matches('/').to_owned();
        Ok(Server {
            base_url: secure(base_url, server, losses),
            settings,
        })
    }

    /// The path of the base URL, when it is plain.
    fn path(&self) -> Option<String> {
        Some(
            Url::parse(&self.base_url)
                .ok()?
                .path()
                .trim_end_matches('/')
                .to_owned(),
        )
    }

    /// What an operation's own servers put between the base URL and its path.
    ///
    /// # Errors
    /// When they stand elsewhere.
    pub fn detour(&self, path: &Part<'_>, operation: &Part<'_>) -> Result<String, String> {
        let own = [operation, path]
            .into_iter()
            .find_map(|part| part.get("servers")?.items().next());
        let Some(url) = own.and_then(|server| server.value.get("url")?.as_str().map(str::to_owned))
        else {
            return Ok(String::new());
        };
        let url = url.trim_end_matches('/');
        if url == self.base_url {
            return Ok(String::new());
        }
        let elsewhere = || format!("it stands at {url}, and the service at {}", self.base_url);
        let base = Url::parse(&self.base_url).map_err(|_| elsewhere())?;
        let own = match url.starts_with('/') {
            true => base.join(url),
            false => Url::parse(url),
        };
        let own = own.map_err(|_| elsewhere())?;
        let below = own
            .path()
            .trim_end_matches('/')
            .strip_prefix(self.path().ok_or_else(elsewhere)?.as_str())
            .filter(|rest| rest.is_empty() || rest.starts_with('/'));
        match below {
            Some(below) if own.origin() == base.origin() && !url.contains('{') => {
                Ok(below.to_owned())
            }
            _ => Err(elsewhere()),
        }
    }
}

/// Plain http is only for this machine; for others there is hardly one left without https.
fn secure(url: String, server: &Part<'_>, losses: &Losses) -> String {
    let Some(rest) = url.strip_prefix("http://") else {
        return url;
    };
    let is_here = Url::parse(&url).is_ok_and(|url| crate::service::is_loopback(&url));
    if is_here {
        return url;
    }
    losses.note(
        What::Server,
        &server.pointer,
        "plain http would show credentials; https is used",
    );
    format!("https://{rest}")
}

fn setting_name(name: &str) -> String {
    let mut legal: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    if !is_identifier(&legal) {
        legal.insert_str(0, "server_");
    }
    legal
}

fn setting_of(variable: Option<&Part<'_>>, name: &str, service: &Name, in_path: bool) -> Value {
    let mut setting = Map::new();
    let words = variable.and_then(|variable| variable.text("description"));
    if let Some(words) = words {
        setting.insert(
            "description".into(),
            text::one_line(words, text::NESTED).into(),
        );
    }
    let default = variable.and_then(|variable| scalar(variable.value.get("default")?));
    if let Some(default) = default.as_ref().filter(|default| !default.is_empty()) {
        setting.insert("default".into(), default.as_str().into());
    }
    setting.insert("env".into(), variable_name(service, name).into());
    let options: Vec<String> = variable
        .and_then(|variable| variable.value.get("enum")?.as_array())
        .into_iter()
        .flatten()
        .filter_map(scalar)
        .collect();
    let pattern = match (options.is_empty(), in_path) {
        (false, _) => {
            let options: Vec<String> = options.iter().map(|option| regex::escape(option)).collect();
            format!("^({})$", options.join("|"))
        }
        // No dot, slash or colon that would lead to another host.
        (true, false) if default.as_ref().is_none_or(|d| !d.contains(['.', ':'])) => {
            "^[A-Za-z0-9-]+$".to_owned()
        }
        (true, false) => "^[A-Za-z0-9.-]+(:[0-9]+)?$".to_owned(),
        (true, true) => "^[A-Za-z0-9._~/-]+$".to_owned(),
    };
    setting.insert("pattern".into(), pattern.into());
    setting.into()
}

fn scalar(value: &Value) -> Option<String> {
    crate::template::scalar_text(value)
}

/// The environment variable for something of the service.
fn variable_name(service: &Name, what: &str) -> String {
    let text = format!("{}_{what}", service.as_str());
    let name: String = text
        .chars()
        .map(|c| match c.is_ascii_alphanumeric() {
            true => c.to_ascii_uppercase(),
            false => '_',
        })
        .collect();
    match name.starts_with(|c: char| c.is_ascii_digit()) {
        true => format!("_{name}"),
        false => name,
    }
}

/// How requests are authenticated.
#[derive(Debug, Default)]
pub struct Auth {
    /// The `auth` section.
    section: Option<Value>,
    /// The names of the schemes that it stands for; empty for none.
    schemes: Vec<String>,
    /// The header and query parameters that carry credentials: lower-case header names, query names.
    headers: Vec<String>,
    query: Vec<String>,
}

/// How well a scheme works without a person who logs in: the better, the smaller.
fn rank(scheme: &Part<'_>) -> Option<u8> {
    let kind = scheme.text("type")?.to_ascii_lowercase();
    match kind.as_str() {
        "http" => match scheme.text("scheme")?.to_ascii_lowercase().as_str() {
            "bearer" => Some(0),
            "basic" => Some(2),
            _ => None,
        },
        "apikey" => match scheme.text("in")? {
            "header" => Some(1),
            "query" => Some(3),
            _ => None,
        },
        "oauth2" => {
            let has_own_flow = scheme
                .map("flows")
                .is_some_and(|flows| flows.contains_key("clientCredentials"));
            Some(if has_own_flow { 4 } else { 5 })
        }
        "openidconnect" => Some(6),
        _ => None,
    }
}

impl Auth {
    /// Chooses among the document's ways to authenticate: what most operations take.
    pub fn of(
        spec: &Spec,
        service: &Name,
        server: &Server,
        operations: &[Part<'_>],
        losses: &Losses,
    ) -> Auth {
        let root = spec.root();
        let schemes = root
            .get("components")
            .and_then(|components| components.get("securitySchemes"));
        let schemes: Vec<(&str, Part<'_>)> = schemes
            .into_iter()
            .flat_map(|schemes| schemes.members())
            .filter_map(|(name, part)| Some((name, spec.resolve(&part).ok()?)))
            .collect();
        if schemes.is_empty() {
            let says = |part: &Part<'_>| part.get("security").is_some();
            losses.note(
                What::Auth,
                if says(&root) { "/security" } else { "" },
                "the document describes no credential; if the service needs one, add it to service.yaml",
            );
            return Auth::default();
        }
        let scheme = |name: &str| {
            schemes
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, part)| part)
        };
        // Each requirement that can be met, with how many operations take it.
        let mut counts: BTreeMap<Vec<String>, usize> = BTreeMap::new();
        let global = root.get("security");
        let mut count = |security: &Part<'_>| {
            for requirement in security.items() {
                let names: Vec<String> = requirement
                    .members()
                    .map(|(name, _)| name.to_owned())
                    .collect();
                let can_be_met = names
                    .iter()
                    .all(|name| scheme(name).is_some_and(|s| rank(s).is_some()));
                if !names.is_empty() && can_be_met {
                    *counts.entry(names).or_default() += 1;
                }
            }
        };
        for operation in operations {
            if let Some(security) = operation.get("security").or(global.clone()) {
                count(&security);
            }
        }
        let cost = |names: &[String]| -> u32 {
            let ranks = names.iter().filter_map(|name| rank(scheme(name)?));
            ranks.map(|rank| u32::from(rank) + 1).sum()
        };
        let chosen = counts
            .iter()
            .min_by_key(|(names, count)| (std::cmp::Reverse(**count), cost(names)))
            .map(|(names, _)| names.clone());
        let is_declared_only = counts.is_empty() && global.is_none();
        // A document that only lists its schemes means the first that works.
        let chosen = match chosen {
            None if is_declared_only => schemes
                .iter()
                .filter_map(|(name, part)| Some((rank(part)?, *name)))
                .min()
                .map(|(_, name)| vec![name.to_owned()]),
            chosen => chosen,
        };
        for (name, part) in &schemes {
            let is_chosen = chosen
                .as_ref()
                .is_some_and(|names| names.iter().any(|n| n == name));
            if !is_chosen {
                let message = match rank(part) {
                    Some(_) => format!("the scheme `{name}` is left out; another one is used"),
                    None => format!("the scheme `{name}` has no form here"),
                };
                losses.note(What::Auth, &part.pointer, message);
            }
        }
        let mut auth = Auth::default();
        let Some(names) = chosen else {
            return auth;
        };
        let mut kinds: Vec<Value> = Vec::new();
        for name in &names {
            if let Some(part) = scheme(name) {
                let distinct = if names.len() > 1 {
                    Some(name.as_str())
                } else {
                    None
                };
                kinds.extend(auth.kind(part, distinct, service, server, losses));
            }
        }
        auth.schemes = names;
        auth.section = match kinds.len() {
            0 => None,
            1 => kinds.pop(),
            _ => Some(kinds.into()),
        };
        auth
    }

    fn kind(
        &mut self,
        scheme: &Part<'_>,
        distinct: Option<&str>,
        service: &Name,
        server: &Server,
        losses: &Losses,
    ) -> Option<Value> {
        let kind = scheme.text("type")?.to_ascii_lowercase();
        let variable = |what: &str| match distinct {
            Some(name) => variable_name(service, &format!("{name}_{what}")),
            None => variable_name(service, what),
        };
        let words = scheme
            .text("description")
            .map(|words| text::one_line(words, 160));
        let secret = |what: &str| {
            let mut secret = Map::from_iter([("env".to_owned(), Value::from(variable(what)))]);
            if let Some(words) = &words {
                secret.insert("help".into(), words.as_str().into());
            }
            Value::Object(secret)
        };
        let mut bearer = || {
            self.headers.push("authorization".to_owned());
            json!({ "kind": "bearer", "secret": secret("TOKEN") })
        };
        match kind.as_str() {
            "http" => match scheme.text("scheme")?.to_ascii_lowercase().as_str() {
                "bearer" => Some(bearer()),
                _ => {
                    self.headers.push("authorization".to_owned());
                    Some(json!({
                        "kind": "basic",
                        "username": { "env": variable("USERNAME") },
                        "password": secret("PASSWORD"),
                    }))
                }
            },
            "apikey" => {
                let (place, name) = (scheme.text("in")?, scheme.text("name")?);
                match place {
                    "header" => self.headers.push(name.to_ascii_lowercase()),
                    _ => self.query.push(name.to_owned()),
                }
                Some(
                    json!({ "kind": "api_key", "in": place, "name": name, "secret": secret("API_KEY") }),
                )
            }
            "oauth2" => match scheme
                .get("flows")
                .and_then(|flows| flows.get("clientCredentials"))
            {
                Some(flow) => {
                    self.headers.push("authorization".to_owned());
                    client_credentials(&flow, server, &variable, losses)
                }
                None => {
                    losses.note(
                        What::Auth,
                        &scheme.pointer,
                        "the login in a browser is not done here; give an access token",
                    );
                    Some(bearer())
                }
            },
            _ => {
                losses.note(
                    What::Auth,
                    &scheme.pointer,
                    "the login of OpenID Connect is not done here; give an access token",
                );
                Some(bearer())
            }
        }
    }

    /// Notes where an operation asks for another credential than the service's.
    pub fn report_other(&self, spec: &Spec, operation: &Part<'_>, losses: &Losses) {
        let Some(security) = operation.get("security").or(spec.root().get("security")) else {
            return;
        };
        let mut requirements: Vec<Vec<&str>> = security
            .items()
            .map(|requirement| requirement.members().map(|(name, _)| name).collect())
            .collect();
        let takes_this = requirements.iter().any(|names| {
            names
                .iter()
                .all(|name| self.schemes.iter().any(|s| s == name))
        });
        if requirements.is_empty() {
            requirements.push(Vec::new());
        }
        if self.section.is_some()
            && !takes_this
            && !security.value.as_array().is_some_and(Vec::is_empty)
        {
            let wanted: Vec<String> = requirements
                .iter()
                .map(|names| names.join(" and "))
                .collect();
            losses.note(
                What::Auth,
                &security.pointer,
                format!(
                    "it asks for {}; the service's credential is sent",
                    wanted.join(", or ")
                ),
            );
        }
    }

    /// Whether a header carries a credential.
    pub fn owns_header(&self, name: &str) -> bool {
        self.headers
            .iter()
            .any(|own| own.eq_ignore_ascii_case(name))
    }

    /// Whether a query parameter carries a credential.
    pub fn owns_query(&self, name: &str) -> bool {
        self.query.iter().any(|own| own == name)
    }
}

fn client_credentials(
    flow: &Part<'_>,
    server: &Server,
    variable: &dyn Fn(&str) -> String,
    losses: &Losses,
) -> Option<Value> {
    let Some(token_url) = flow.text("tokenUrl") else {
        losses.note(
            What::Auth,
            &flow.pointer,
            "the flow has no token URL; it is left out",
        );
        return None;
    };
    let token_url = match Url::parse(&server.base_url).and_then(|base| base.join(token_url)) {
        Ok(url) => url.to_string(),
        Err(_) => token_url.to_owned(),
    };
    let scopes = flow.map("scopes").map_or(0, Map::len);
    if scopes > 0 {
        losses.note(
            What::Auth,
            &join(&flow.pointer, "scopes"),
            "no scope is asked for; add a `scope` where the service wants one",
        );
    }
    Some(json!({
        "kind": "oauth2",
        "grant": "client_credentials",
        "token_url": token_url,
        "client_id": { "env": variable("CLIENT_ID") },
        "client_secret": { "env": variable("CLIENT_SECRET") },
    }))
}

/// The members of `service.yaml`.
pub fn descriptor(spec: &Spec, name: &Name, server: &Server, auth: &Auth) -> Map<String, Value> {
    let root = spec.root();
    let info = root.get("info");
    let mut service = Map::from_iter([
        ("spec".to_owned(), json!(1)),
        ("service".to_owned(), json!(name.as_str())),
    ]);
    let said = |key: &str| info.as_ref().and_then(|info| info.text(key));
    if let Some(title) = said("title") {
        service.insert("title".into(), text::one_line(title, 100).into());
    }
    if let Some(words) = said("summary").or(said("description")) {
        service.insert("description".into(), text::plain(words, DESCRIPTION).into());
    }
    if let Some(docs) = root.get("externalDocs").and_then(|docs| docs.text("url")) {
        service.insert("docs".into(), docs.into());
    }
    service.insert("base_url".into(), server.base_url.as_str().into());
    if !server.settings.is_empty() {
        service.insert("settings".into(), server.settings.clone().into());
    }
    if let Some(section) = &auth.section {
        service.insert("auth".into(), section.clone());
    }
    service
}
