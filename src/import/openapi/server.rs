//! The servers of the service and of its operations.

use serde_json::{Map, Value, json};
use url::Url;

use super::names::variable_name;
use super::operation::Operation;
use super::spec::{Part, Spec};
use super::text;
use crate::import::ImportError;
use crate::import::report::{Losses, What};
use crate::template::is_identifier;
use crate::words::Name;
use crate::words::scalar_text;

/// The server of the service.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Server {
    /// The `base_url` section.
    pub base_url: Value,
    /// The settings that it uses.
    pub settings: Map<String, Value>,
    /// The base URL, if it has no settings.
    pub literal: Option<Url>,
    /// The path between the base URL and the path of an operation without its own server.
    home: String,
    /// The URL as the document writes it; empty if the caller gave it.
    written: String,
    /// The base URL without its path. It may have expressions.
    origin: String,
    /// The scheme, the host and the port as the document writes them, if users choose all of them.
    chosen: Option<String>,
    /// The document's own servers, if the caller gave another one in their place.
    replaced: Vec<Url>,
}

impl Server {
    /// The server `given` by the caller, else the first usable one of the document. If operations have their own
    /// servers at the same origin, the base URL is the path that all have in common.
    ///
    /// # Errors
    /// When there is no server.
    pub(crate) fn of(
        spec: &Spec,
        service: &Name,
        given: Option<&str>,
        operations: &[Operation<'_>],
        losses: &Losses,
    ) -> Result<Server, ImportError> {
        let mut server = match given {
            Some(given) => Server {
                replaced: document_servers(spec),
                ..Server::fixed(given.trim_end_matches('/').to_owned())
            },
            None => Server::from_part(&choose_server(spec, losses)?, service, losses)?,
        };
        let Some(main) = server.literal.clone() else {
            return Ok(server);
        };
        let paths: Vec<String> = operations
            .iter()
            .filter(|operation| !server.replaces(operation))
            .filter_map(|operation| own_url(operation, &main)?.ok())
            .filter(|own| own.origin() == main.origin())
            .map(|own| own.path().to_owned())
            .collect();
        let main_path = main.path().trim_end_matches('/');
        let base = paths.iter().fold(main_path.to_owned(), |base, path| {
            common_segments(&base, path)
        });
        if base.len() < main_path.len() {
            let mut url = main.clone();
            url.set_path(&base);
            server = Server {
                home: main_path[base.len()..].to_owned(),
                replaced: server.replaced,
                written: server.written,
                ..Server::fixed(url.as_str().trim_end_matches('/').to_owned())
            };
        }
        Ok(server)
    }

    fn fixed(url: String) -> Server {
        let path = url.find("//").and_then(|at| {
            let path = url[at + 2..].find('/')?;
            Some(at + 2 + path)
        });
        Server {
            literal: Url::parse(&url).ok(),
            origin: url[..path.unwrap_or(url.len())].to_owned(),
            base_url: url.into(),
            settings: Map::new(),
            home: String::new(),
            written: String::new(),
            chosen: None,
            replaced: Vec::new(),
        }
    }

    /// The path of an operation's own server below the document's server that the caller replaced; `None` if it names
    /// another server.
    fn detour(&self, written: &str) -> Option<String> {
        let beneath = |server: &Url| {
            let own = server.join(&secured(written, server)).ok()?;
            let rest = own
                .path()
                .trim_end_matches('/')
                .strip_prefix(server.path().trim_end_matches('/'))?
                .to_owned();
            let is_below = rest.is_empty() || rest.starts_with('/');
            (is_below
                && own.host() == server.host()
                && own.port_or_known_default() == server.port_or_known_default())
            .then_some(rest)
        };
        self.replaced
            .iter()
            .filter_map(beneath)
            .min_by_key(String::len)
    }

    fn replaces(&self, operation: &Operation<'_>) -> bool {
        own_server(operation).is_some_and(|written| self.detour(written).is_some())
    }

    fn from_part(server: &Part<'_>, service: &Name, losses: &Losses) -> Result<Server, String> {
        let written = server.text("url").unwrap_or_default().trim();
        let variables = Variables {
            server,
            service,
            losses,
        };
        let url = variables.with_paths(written);
        // The scheme and the port never become settings.
        let (scheme, rest) = match url.split_once("//") {
            Some((scheme, rest)) => (variables.with_defaults(scheme.trim_end_matches(':')), rest),
            None => ("https".to_owned(), url.as_str()),
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, format!(":{}", variables.with_defaults(port))),
            None => (authority, String::new()),
        };
        let lead = match scheme.as_str() {
            "" => "https://".to_owned(),
            scheme => format!("{scheme}://"),
        };
        let as_written = |made: Server| Server {
            written: written.to_owned(),
            ..made
        };
        if !url.contains('{') {
            let url = with_https(format!("{lead}{host}{port}{path}"), server, losses);
            let url = normalised(url, server, losses);
            return Ok(as_written(Server::fixed(
                url.trim_end_matches('/').to_owned(),
            )));
        }
        let mut settings = Map::new();
        let path_in = |settings: &mut Map<String, Value>| {
            let path = variables.with_settings(path, "^[A-Za-z0-9._~-]+$", settings);
            path.trim_end_matches('/').to_owned()
        };
        // A setting may be a label of the host if the domain is fixed. Otherwise the user could choose any host, so all
        // of the URL before its path becomes one setting.
        let is_label = |name: &str| !variables.default_of(name).contains(['.', ':', '/']);
        let domain = host.rsplit('}').next().unwrap_or_default();
        let has_domain = domain.matches('.').count() >= 2 || !host.contains('{');
        if !(has_domain && variable_names(host).all(is_label)) {
            let whole = variables.with_defaults(host);
            let origin = match whole.contains("://") {
                true => whole,
                false => format!("{lead}{whole}{port}"),
            };
            let origin = normalised(with_https(origin, server, losses), server, losses);
            let setting = json!({
                "description": match path.is_empty() {
                    true => "The base URL of the service.",
                    false => "The URL of the service, without the path of its API.",
                },
                "default": origin.trim_end_matches('/'),
                "env": variable_name(service, "url"),
            });
            settings.insert("url".to_owned(), setting);
            let path = path_in(&mut settings);
            return Ok(Server {
                base_url: json!({ "url": format!("{{{{ settings.url }}}}{path}"), "within": "any" }),
                settings,
                origin: "{{ settings.url }}".to_owned(),
                literal: None,
                home: String::new(),
                written: written.to_owned(),
                chosen: Some(url[..url.len() - path_length(&url)].to_owned()),
                replaced: Vec::new(),
            });
        }
        let host = variables.with_settings(host, "^[A-Za-z0-9-]+$", &mut settings);
        let path = path_in(&mut settings);
        let url = with_https(format!("{lead}{host}{port}{path}"), server, losses);
        let url = url.trim_end_matches('/').to_owned();
        Ok(as_written(Server {
            settings,
            ..Server::fixed(url)
        }))
    }

    /// Where an operation stands.
    ///
    /// # Errors
    /// When its own server is on another domain than the service's.
    pub(crate) fn base_of(
        &self,
        operation: &Operation<'_>,
        service: &Name,
        losses: &Losses,
    ) -> Result<OperationBase, String> {
        let Some(part) = own_part(operation) else {
            return Ok(OperationBase::Below(self.home.clone()));
        };
        let written = part.text("url").unwrap_or_default().trim();
        if let Some(rest) = self.detour(written) {
            return Ok(OperationBase::Below(format!("{}{rest}", self.home)));
        }
        if written == self.written {
            return Ok(OperationBase::Below(self.home.clone()));
        }
        let elsewhere = || {
            let shown = self.base_url.as_str().unwrap_or("a URL that users choose");
            format!("its server is {written}, but the server of the service is {shown}")
        };
        let base = match &self.literal {
            Some(base) if !written.contains('{') => base,
            _ => return self.templated(&part, service, losses).ok_or_else(elsewhere),
        };
        let own = own_url(operation, base)
            .and_then(Result::ok)
            .ok_or_else(elsewhere)?;
        let own_path = own.path().trim_end_matches('/');
        let below = own_path
            .strip_prefix(base.path().trim_end_matches('/'))
            .filter(|rest| rest.is_empty() || rest.starts_with('/'));
        match below {
            Some(below) if own.origin() == base.origin() => {
                Ok(OperationBase::Below(below.to_owned()))
            }
            _ if own.scheme() == "https" && is_related(&own, base) => Ok(OperationBase::Own {
                base_url: own.as_str().trim_end_matches('/').into(),
                settings: Map::new(),
            }),
            _ => Err(elsewhere()),
        }
    }

    /// Where an operation stands, if its own server or the service's has variables; `None` if that is on another domain.
    fn templated(&self, part: &Part<'_>, service: &Name, losses: &Losses) -> Option<OperationBase> {
        let written = part.text("url").unwrap_or_default().trim();
        let own = match written.starts_with('/') && !written.starts_with("//") {
            // A path is on the service's own host.
            true => {
                let path = written.trim_end_matches('/');
                Server {
                    origin: self.origin.clone(),
                    chosen: self.chosen.clone(),
                    settings: self.settings.clone(),
                    base_url: self.like(format!("{}{path}", self.origin)),
                    ..Server::fixed(String::new())
                }
            }
            false => Server::from_part(part, service, losses).ok()?,
        };
        let text = |url: &Value| {
            let url = url.get("url").unwrap_or(url);
            url.as_str().unwrap_or_default().to_owned()
        };
        let (ours, theirs) = (text(&self.base_url), text(&own.base_url));
        let is_same_host = own.chosen == self.chosen && own.origin == self.origin;
        let rest = theirs.strip_prefix(&ours).filter(|_| is_same_host);
        if let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with('/'))
            && own
                .settings
                .keys()
                .all(|name| self.settings.contains_key(name))
            && !rest.contains('{')
        {
            return Some(OperationBase::Below(rest.to_owned()));
        }
        let is_near = match (&own.chosen, &self.chosen) {
            (None, None) => {
                own.origin.starts_with("https://")
                    && have_one_domain(&domain_of(&own.origin), &domain_of(&self.origin))
            }
            _ => is_same_host,
        };
        is_near.then_some(OperationBase::Own {
            base_url: own.base_url,
            settings: own.settings,
        })
    }

    /// A base URL of the same kind as this one.
    fn like(&self, url: String) -> Value {
        match &self.chosen {
            Some(_) => json!({ "url": url, "within": "any" }),
            None => url.into(),
        }
    }
}

/// Where an operation stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum OperationBase {
    /// Below the service's base URL. The text is the path between the base URL and the operation's path.
    Below(String),
    /// At its own base URL on the same domain, such as one for uploads.
    Own {
        /// The base URL.
        base_url: Value,
        /// The settings that it uses.
        settings: Map<String, Value>,
    },
}

/// Whether two hosts belong to one domain, so that the credentials of one may be sent to the other.
fn is_related(one: &Url, other: &Url) -> bool {
    let labels = |url: &Url| labels(url.domain().unwrap_or_default());
    have_one_domain(&labels(one), &labels(other))
}

/// The labels of a host, the last one first.
fn labels(host: &str) -> Vec<String> {
    host.rsplit('.').map(str::to_owned).collect()
}

/// The labels of a host behind its last expression, the last one first.
fn domain_of(origin: &str) -> Vec<String> {
    let (_, host) = origin.split_once("//").unwrap_or(("", origin));
    let host = host.rsplit("}}").next().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default();
    labels(host.trim_start_matches('.'))
}

fn have_one_domain(one: &[String], other: &[String]) -> bool {
    let common = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    // Below a country's domain, three labels are needed if the second is short: example.co.uk.
    let needed = match one {
        [country, second, ..] if country.len() == 2 && second.len() <= 3 => 3,
        _ => 2,
    };
    common >= needed
}

/// The length of a URL's path.
fn path_length(url: &str) -> usize {
    let behind = url.split_once("//").map_or(url, |(_, rest)| rest);
    behind.find('/').map_or(0, |at| behind.len() - at)
}

/// The document's server: the first with https, else the first that names a host.
fn choose_server<'s>(spec: &'s Spec, losses: &Losses) -> Result<Part<'s>, ImportError> {
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
        .ok_or(ImportError::NoServer)?;
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

/// The server that an operation or its path names.
fn own_part<'s>(operation: &Operation<'s>) -> Option<Part<'s>> {
    [&operation.part, &operation.item]
        .into_iter()
        .find_map(|part| part.get("servers")?.items().next())
        .filter(|server| server.text("url").is_some())
}

/// Its URL.
fn own_server<'s>(operation: &Operation<'s>) -> Option<&'s str> {
    own_part(operation)?.text("url").map(str::trim)
}

/// The own server as a URL; http becomes https if the service has https.
fn own_url(operation: &Operation<'_>, base: &Url) -> Option<Result<Url, url::ParseError>> {
    let written = own_server(operation)?;
    if written.contains('{') {
        return Some(Err(url::ParseError::InvalidDomainCharacter));
    }
    Some(base.join(&secured(written, base)))
}

/// The URL with https for http, if the other one has https.
fn secured(written: &str, base: &Url) -> String {
    match written.strip_prefix("http://") {
        Some(rest) if base.scheme() == "https" => format!("https://{rest}"),
        _ => written.to_owned(),
    }
}

/// The document's servers whose URLs have no variables. One without a scheme has https.
fn document_servers(spec: &Spec) -> Vec<Url> {
    let servers = spec.root().get("servers");
    servers
        .into_iter()
        .flat_map(|servers| servers.items())
        .filter_map(|server| {
            let url = server.text("url")?.trim();
            let url = match (url.strip_prefix("//"), url.starts_with('/')) {
                (Some(rest), _) => format!("https://{rest}"),
                // A path alone is below whatever host serves the document.
                (None, true) => return None,
                _ => url.replace("http://", "https://"),
            };
            Url::parse(&url).ok()
        })
        .collect()
}

/// The leading segments that two paths share.
fn common_segments(one: &str, other: &str) -> String {
    one.split('/')
        .zip(other.split('/'))
        .take_while(|(one, other)| one == other)
        .map(|(segment, _)| segment)
        .collect::<Vec<_>>()
        .join("/")
}

/// The names of the variables in a part of a URL.
fn variable_names(text: &str) -> impl Iterator<Item = &str> {
    text.split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}

/// Replaces http by https, except on this machine: nearly every service has https.
pub(crate) fn with_https(url: String, part: &Part<'_>, losses: &Losses) -> String {
    let Some(rest) = url.strip_prefix("http://") else {
        return url;
    };
    let is_here = Url::parse(&url).is_ok_and(|url| crate::address::is_loopback(&url));
    if is_here {
        return url;
    }
    losses.note(
        What::Server,
        &part.pointer,
        "plain http would show credentials; https is used",
    );
    format!("https://{rest}")
}

/// The URL as URL parsers write it, because a descriptor must write it so.
fn normalised(url: String, part: &Part<'_>, losses: &Losses) -> String {
    let Ok(read) = Url::parse(&url) else {
        return url;
    };
    let (written, read) = (
        url.trim_end_matches('/'),
        read.as_str().trim_end_matches('/'),
    );
    if !written.eq_ignore_ascii_case(read) {
        losses.note(
            What::Server,
            &part.pointer,
            format!("`{}` is written as {read}", written.escape_debug()),
        );
    }
    read.to_owned()
}

/// The variables of a server's URL.
struct Variables<'v, 's> {
    server: &'v Part<'s>,
    service: &'v Name,
    losses: &'v Losses,
}

impl<'s> Variables<'_, 's> {
    fn variable(&self, name: &str) -> Option<Part<'s>> {
        self.server.get("variables")?.get(name)
    }

    fn default_of(&self, name: &str) -> String {
        self.variable(name)
            .and_then(|variable| scalar_text(variable.value.get("default")?))
            .unwrap_or_default()
    }

    /// The URL, with the variables behind its host replaced whose defaults are paths, such as `https://a.test{basePath}`.
    fn with_paths(&self, url: &str) -> String {
        let start = url.find("//").map_or(0, |at| at + 2);
        let end = url[start..].find('/').map_or(url.len(), |at| start + at);
        let mut filled = url.to_owned();
        for name in variable_names(&url[start..end]) {
            let default = self.default_of(name);
            if start > 0 && default.starts_with('/') {
                self.note_default(name);
                filled = filled.replacen(&format!("{{{name}}}"), &default, 1);
            }
        }
        filled
    }

    fn note_default(&self, name: &str) {
        let message = format!("the variable `{name}` of the URL is left at its default");
        self.losses
            .note(What::Server, &self.server.pointer, message);
    }

    /// A part of the URL, with each variable replaced by its default.
    fn with_defaults(&self, text: &str) -> String {
        let mut filled = text.to_owned();
        for name in variable_names(text) {
            filled = filled.replace(&format!("{{{name}}}"), &self.default_of(name));
        }
        filled
    }

    /// A part of the URL, with each variable replaced by a setting. A variable that is empty or several segments by
    /// default is replaced by its default.
    fn with_settings(
        &self,
        text: &str,
        pattern: &str,
        settings: &mut Map<String, Value>,
    ) -> String {
        let mut written = text.to_owned();
        for name in variable_names(text) {
            let default = self.default_of(name);
            let value = match default.contains('/')
                || (default.is_empty() && self.variable(name).is_some())
            {
                true => {
                    self.note_default(name);
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
        let variable = self.variable(name);
        let words = variable
            .as_ref()
            .and_then(|variable| variable.text("description"));
        if let Some(words) = words {
            section.insert(
                "description".into(),
                text::one_line(words, text::NESTED).into(),
            );
        }
        let default = self.default_of(name);
        if !default.is_empty() {
            section.insert("default".into(), default.as_str().into());
        }
        section.insert("env".into(), variable_name(self.service, setting).into());
        let options: Vec<String> = variable
            .and_then(|variable| variable.value.get("enum")?.as_array())
            .into_iter()
            .flatten()
            .filter_map(scalar_text)
            .map(|option| regex::escape(&option))
            .collect();
        let fits = regex::Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(&default));
        let pattern = match options.is_empty() {
            // A part of a path may have other characters, but none that ends the segment.
            true if !fits && !default.is_empty() => "^[^/?#]+$".to_owned(),
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
    // `url` is the setting for all of a URL.
    if !is_identifier(&legal) || legal == "url" {
        legal.insert_str(0, "server_");
    }
    legal
}
