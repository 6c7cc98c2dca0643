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
                ..Server::fixed(url.as_str().trim_end_matches('/').to_owned())
            };
        }
        Ok(server)
    }

    fn fixed(url: String) -> Server {
        Server {
            literal: Url::parse(&url).ok(),
            base_url: url.into(),
            settings: Map::new(),
            home: String::new(),
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
        let url = server.text("url").unwrap_or_default().trim();
        let variables = Variables {
            server,
            service,
            losses,
        };
        // The scheme and the port never become settings.
        let (scheme, rest) = match url.split_once("//") {
            Some((scheme, rest)) => (variables.with_defaults(scheme.trim_end_matches(':')), rest),
            None => ("https".to_owned(), url),
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
        if !url.contains('{') {
            let url = with_https(format!("{lead}{host}{port}{path}"), server, losses);
            let url = normalised(url, server, losses);
            return Ok(Server::fixed(url.trim_end_matches('/').to_owned()));
        }
        // A setting may be a label of the host if the domain is fixed. Otherwise the user could choose any host, so the
        // whole base URL becomes one setting.
        let is_label = |name: &str| !variables.default_of(name).contains(['.', ':', '/']);
        let domain = host.rsplit('}').next().unwrap_or_default();
        let has_domain = domain.matches('.').count() >= 2 || !host.contains('{');
        if !(has_domain && variable_names(host).all(is_label)) {
            let url = format!(
                "{lead}{}{port}{}",
                variables.with_defaults(host),
                variables.with_defaults(path)
            );
            let url = normalised(with_https(url, server, losses), server, losses);
            let setting = json!({
                "description": "The base URL of the service.",
                "default": url.trim_end_matches('/'),
                "env": variable_name(service, "url"),
            });
            return Ok(Server {
                base_url: json!({ "url": "{{ settings.url }}", "within": "any" }),
                settings: Map::from_iter([("url".to_owned(), setting)]),
                literal: None,
                home: String::new(),
                replaced: Vec::new(),
            });
        }
        let mut settings = Map::new();
        let host = variables.with_settings(host, "^[A-Za-z0-9-]+$", &mut settings);
        let path = variables.with_settings(path, "^[A-Za-z0-9._~-]+$", &mut settings);
        let url = with_https(format!("{lead}{host}{port}{path}"), server, losses);
        let url = url.trim_end_matches('/').to_owned();
        Ok(Server {
            settings,
            ..Server::fixed(url)
        })
    }

    /// Where an operation stands.
    ///
    /// # Errors
    /// When its own server is on another domain than the service's.
    pub(crate) fn base_of(&self, operation: &Operation<'_>) -> Result<OperationBase, String> {
        let shown = self.base_url.as_str().unwrap_or("a URL that users choose");
        let Some(written) = own_server(operation) else {
            return Ok(OperationBase::Below(self.home.clone()));
        };
        if let Some(rest) = self.detour(written) {
            return Ok(OperationBase::Below(format!("{}{rest}", self.home)));
        }
        let elsewhere =
            || format!("its server is {written}, but the server of the service is {shown}");
        let Some(base) = &self.literal else {
            return match Some(written) == self.base_url.as_str() {
                true => Ok(OperationBase::Below(String::new())),
                false => Err(elsewhere()),
            };
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
            _ if own.scheme() == "https" && is_related(&own, base) => Ok(OperationBase::Own(
                own.as_str().trim_end_matches('/').to_owned(),
            )),
            _ => Err(elsewhere()),
        }
    }
}

/// Where an operation stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OperationBase {
    /// Below the service's base URL. The text is the path between the base URL and the operation's path.
    Below(String),
    /// At its own base URL on the same domain, such as one for uploads.
    Own(String),
}

/// Whether two hosts belong to one domain, so that the credentials of one may be sent to the other.
fn is_related(one: &Url, other: &Url) -> bool {
    let labels = |url: &Url| -> Vec<String> {
        let host = url.domain().unwrap_or_default();
        host.rsplit('.').map(str::to_owned).collect()
    };
    let (one, other) = (labels(one), labels(other));
    let common = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    // Below a country's domain, three labels are needed if the second is short: example.co.uk.
    let needed = match one.as_slice() {
        [country, second, ..] if country.len() == 2 && second.len() <= 3 => 3,
        _ => 2,
    };
    common >= needed
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

/// The URL of the server that an operation or its path names.
fn own_server<'s>(operation: &Operation<'s>) -> Option<&'s str> {
    [&operation.part, &operation.item]
        .into_iter()
        .find_map(|part| part.get("servers")?.items().next()?.text("url"))
        .map(str::trim)
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
    if !is_identifier(&legal) {
        legal.insert_str(0, "server_");
    }
    legal
}
