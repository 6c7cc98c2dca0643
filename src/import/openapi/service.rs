//! The service: where it stands, and how requests are authenticated.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use url::Url;

use super::operation::Operation;
use super::spec::{Part, Spec};
use super::text;
use crate::descriptor::Name;
use crate::descriptor::source::join;
use crate::import::report::{Losses, What};
use crate::template::{is_identifier, scalar_text};

/// Longest description of a service.
const DESCRIPTION: usize = 500;

/// Where the service stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// The `base_url` section.
    base_url: Value,
    /// The settings that it uses.
    settings: Map<String, Value>,
    /// The base URL, when it has no settings.
    literal: Option<Url>,
    /// What stands between the base URL and the path of an operation that has no server of its own.
    home: String,
}

impl Server {
    /// The first server with an origin that can be used; `given` instead of all of them. Where some of the operations
    /// have servers of their own at the same origin, the base URL is what all have in common.
    ///
    /// # Errors
    /// When there is none.
    pub fn of(
        spec: &Spec,
        service: &Name,
        given: Option<&str>,
        operations: &[Operation<'_>],
        losses: &Losses,
    ) -> Result<Server, String> {
        let mut server = match given {
            Some(given) => Server::literal(given.trim_end_matches('/').to_owned()),
            None => Server::from_part(&chosen(spec, losses)?, service, losses)?,
        };
        let Some(main) = server.literal.clone() else {
            return Ok(server);
        };
        let paths: Vec<String> = operations
            .iter()
            .filter_map(|operation| own_url(operation, &main)?.ok())
            .filter(|own| own.origin() == main.origin())
            .map(|own| own.path().to_owned())
            .collect();
        let main_path = main.path().trim_end_matches('/');
        let base = paths
            .iter()
            .fold(main_path.to_owned(), |base, path| common(&base, path));
        if base.len() < main_path.len() {
            let mut url = main.clone();
            url.set_path(&base);
            server = Server {
                home: main_path[base.len()..].to_owned(),
                ..Server::literal(url.as_str().trim_end_matches('/').to_owned())
            };
        }
        Ok(server)
    }

    fn literal(url: String) -> Server {
        Server {
            literal: Url::parse(&url).ok(),
            base_url: url.into(),
            settings: Map::new(),
            home: String::new(),
        }
    }

    fn from_part(server: &Part<'_>, service: &Name, losses: &Losses) -> Result<Server, String> {
        let url = server.text("url").unwrap_or_default().trim();
        let variables = Variables {
            server,
            service,
            losses,
        };
        // The scheme and the port are never settings.
        let (scheme, rest) = match url.split_once("//") {
            Some((scheme, rest)) => (variables.filled(scheme.trim_end_matches(':')), rest),
            None => ("https".to_owned(), url),
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, format!(":{}", variables.filled(port))),
            None => (authority, String::new()),
        };
        let lead = match scheme.as_str() {
            "" => "https://".to_owned(),
            scheme => format!("{scheme}://"),
        };
        if !url.contains('{') {
            let url = secure(format!("{lead}{host}{port}{path}"), server, losses);
            return Ok(Server::literal(url.trim_end_matches('/').to_owned()));
        }
        // A value may be a label of a host whose domain is written out. Anything else makes the whole origin the
        // user's to choose.
        let is_label = |name: &str| !variables.default(name).contains(['.', ':', '/']);
        let domain = host.rsplit('}').next().unwrap_or_default();
        let has_domain = domain.matches('.').count() >= 2 || !host.contains('{');
        if !(has_domain && names(host).all(is_label)) {
            let url = format!(
                "{lead}{}{port}{}",
                variables.filled(host),
                variables.filled(path)
            );
            let url = secure(url, server, losses);
            let setting = json!({
                "description": "Where the service stands.",
                "default": url.trim_end_matches('/'),
                "env": variable_name(service, "url"),
            });
            return Ok(Server {
                base_url: json!({ "url": "{{ settings.url }}", "within": "any" }),
                settings: Map::from_iter([("url".to_owned(), setting)]),
                literal: None,
                home: String::new(),
            });
        }
        let mut settings = Map::new();
        let host = variables.as_settings(host, "^[A-Za-z0-9-]+$", &mut settings);
        let path = variables.as_settings(path, "^[A-Za-z0-9._~-]+$", &mut settings);
        let url = secure(format!("{lead}{host}{port}{path}"), server, losses);
        let url = url.trim_end_matches('/').to_owned();
        Ok(Server {
            settings,
            ..Server::literal(url)
        })
    }

    /// What stands between the base URL and the path of an operation.
    ///
    /// # Errors
    /// When the operation has a server of its own that is none of the service's.
    pub fn detour(&self, operation: &Operation<'_>) -> Result<String, String> {
        let shown = self
            .base_url
            .as_str()
            .unwrap_or("a place that users choose");
        let elsewhere = |url: &str| format!("it stands at {url}, and the service at {shown}");
        let Some(written) = own_server(operation) else {
            return Ok(self.home.clone());
        };
        let Some(base) = &self.literal else {
            return match Some(written) == self.base_url.as_str() {
                true => Ok(String::new()),
                false => Err(elsewhere(written)),
            };
        };
        let own = own_url(operation, base)
            .and_then(Result::ok)
            .ok_or_else(|| elsewhere(written))?;
        let below = own
            .path()
            .trim_end_matches('/')
            .strip_prefix(base.path().trim_end_matches('/'))
            .filter(|rest| rest.is_empty() || rest.starts_with('/'));
        match below {
            Some(below) if own.origin() == base.origin() => Ok(below.to_owned()),
            _ => Err(elsewhere(written)),
        }
    }
}

/// The document's server: the first with https, else the first with an origin at all.
fn chosen<'s>(spec: &'s Spec, losses: &Losses) -> Result<Part<'s>, String> {
    let servers: Vec<Part<'s>> = spec
        .root()
        .get("servers")
        .into_iter()
        .flat_map(|servers| servers.items())
        .collect();
    let starts = |server: &&Part<'_>, starts: &[&str]| {
        let url = server.text("url").unwrap_or_default().trim();
        starts.iter().any(|start| url.starts_with(start))
    };
    let chosen = servers
        .iter()
        .find(|server| starts(server, &["https://", "//"]))
        .or_else(|| {
            servers
                .iter()
                .find(|server| starts(server, &["http://", "{"]))
        })
        .ok_or(
            "the document does not say where the service stands; give its URL with --base-url",
        )?;
    let others: Vec<&str> = servers
        .iter()
        .filter(|server| server.pointer != chosen.pointer)
        .filter_map(|server| server.text("url"))
        .collect();
    if !others.is_empty() {
        losses.note(
            What::Server,
            "/servers",
            format!("the other servers are left out: {}", others.join(", ")),
        );
    }
    Ok(chosen.clone())
}

/// The URL of the server that an operation or its path names.
fn own_server<'s>(operation: &Operation<'s>) -> Option<&'s str> {
    [&operation.part, &operation.item]
        .into_iter()
        .find_map(|part| part.get("servers")?.items().next()?.text("url"))
        .map(str::trim)
}

/// The same as a URL, with https where the service would be called so too.
fn own_url(operation: &Operation<'_>, base: &Url) -> Option<Result<Url, url::ParseError>> {
    let written = own_server(operation)?;
    if written.contains('{') {
        return Some(Err(url::ParseError::InvalidDomainCharacter));
    }
    let secured = match written.strip_prefix("http://") {
        Some(rest) if base.scheme() == "https" => format!("https://{rest}"),
        _ => written.to_owned(),
    };
    Some(base.join(&secured))
}

/// The whole segments that two paths begin with.
fn common(one: &str, other: &str) -> String {
    one.split('/')
        .zip(other.split('/'))
        .take_while(|(one, other)| one == other)
        .map(|(segment, _)| segment)
        .collect::<Vec<_>>()
        .join("/")
}

/// The names of the variables in a part of a URL.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
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

/// The variables of a server's URL.
struct Variables<'v, 's> {
    server: &'v Part<'s>,
    service: &'v Name,
    losses: &'v Losses,
}

impl<'s> Variables<'_, 's> {
    fn part(&self, name: &str) -> Option<Part<'s>> {
        self.server.get("variables")?.get(name)
    }

    fn default(&self, name: &str) -> String {
        self.part(name)
            .and_then(|variable| scalar_text(variable.value.get("default")?))
            .unwrap_or_default()
    }

    /// A part of the URL with the defaults in it.
    fn filled(&self, text: &str) -> String {
        let mut filled = text.to_owned();
        for name in names(text) {
            filled = filled.replace(&format!("{{{name}}}"), &self.default(name));
        }
        filled
    }

    /// A part of the URL with a setting for each variable. One that is several segments, or may be none, stays at its
    /// default.
    fn as_settings(&self, text: &str, pattern: &str, settings: &mut Map<String, Value>) -> String {
        let mut written = text.to_owned();
        for name in names(text) {
            let default = self.default(name);
            let value =
                match default.contains('/') || (default.is_empty() && self.part(name).is_some()) {
                    true => {
                        let pointer = &self.server.pointer;
                        let message =
                            format!("the variable `{name}` of the URL is left at its default");
                        self.losses.note(What::Server, pointer, message);
                        default
                    }
                    false => {
                        let setting = setting_name(name);
                        let section = self.setting(name, &setting, pattern);
                        settings.insert(setting.clone(), section);
                        format!("{{{{ settings.{setting} }}}}")
                    }
                };
            written = written.replacen(&format!("{{{name}}}"), &value, 1);
        }
        written
    }

    fn setting(&self, name: &str, setting: &str, pattern: &str) -> Value {
        let mut section = Map::new();
        let variable = self.part(name);
        let words = variable
            .as_ref()
            .and_then(|variable| variable.text("description"));
        if let Some(words) = words {
            section.insert(
                "description".into(),
                text::one_line(words, text::NESTED).into(),
            );
        }
        let default = self.default(name);
        if !default.is_empty() {
            section.insert("default".into(), default.into());
        }
        section.insert("env".into(), variable_name(self.service, setting).into());
        let options: Vec<String> = variable
            .and_then(|variable| variable.value.get("enum")?.as_array())
            .into_iter()
            .flatten()
            .filter_map(scalar_text)
            .map(|option| regex::escape(&option))
            .collect();
        let pattern = match options.is_empty() {
            true => pattern.to_owned(),
            false => format!("^({})$", options.join("|")),
        };
        section.insert("pattern".into(), pattern.into());
        section.into()
    }
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
        operations: &[Operation<'_>],
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
            if let Some(security) = operation.part.get("security").or(global.clone()) {
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
                if auth.fills(part) {
                    let message =
                        format!("`{name}` fills the same header as another scheme; it is left out");
                    losses.note(What::Auth, &part.pointer, message);
                    continue;
                }
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

    /// Whether the header or query parameter of a scheme is taken.
    fn fills(&self, scheme: &Part<'_>) -> bool {
        match (scheme.text("in"), scheme.text("name")) {
            (Some("query"), Some(name)) => self.owns_query(name),
            (Some(_), Some(name)) => self.owns_header(name),
            _ => self.owns_header("authorization"),
        }
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
    let token_url = match &server.literal {
        Some(base) => base
            .join(token_url)
            .map_or(token_url.to_owned(), |url| url.to_string()),
        None => token_url.to_owned(),
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
    service.insert("base_url".into(), server.base_url.clone());
    if !server.settings.is_empty() {
        service.insert("settings".into(), server.settings.clone().into());
    }
    if let Some(section) = &auth.section {
        service.insert("auth".into(), section.clone());
    }
    service
}
