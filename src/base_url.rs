//! The base URL of a service: literal, or a template whose values can lead nowhere else than its text says.
//!
//! In a template, a value fills one label of the host or one segment of the path. The text behind the last value of
//! the host holds a registrable domain, so that no value can change whose server it is; where it does not, or where a
//! value is the whole origin, the descriptor says within which domains the result must lie.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::address::{is_loopback, is_loopback_name, special_literal};
use crate::plan::{PathTemplate, RenderError, Scalar};
use crate::source::{Check, Code, join, join_index};
use crate::template::{Expression, Names, Piece, Scope, Template, shown, text_of};

/// A URL that all requests stand below: its text, or a text with the domains that it must lie within.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum UrlSpec {
    /// The URL. The text of its host behind the last `{{ expression }}` must hold a registrable domain, such as
    /// `.example.com`.
    Text(String),
    /// The URL and its domains.
    Within(UrlWithin),
}

/// A URL with the domains that it must lie within, whatever its values are.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UrlWithin {
    /// The URL; an expression may be its whole origin.
    pub url: String,
    /// The domains that the host must be one of or stand below; `any` for a service that users host themselves.
    pub within: WithinSpec,
}

/// Where a URL may lead.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum WithinSpec {
    /// Anywhere.
    Any(Anywhere),
    /// These domains and what stands below them.
    Domains(#[schemars(length(min = 1))] Vec<String>),
}

/// No domain in particular.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Anywhere {
    /// Any domain.
    Any,
}

/// A compiled base URL.
#[derive(Debug)]
pub enum BaseUrl {
    /// A literal one.
    Fixed(Url),
    /// One that depends on settings, or on what came with the access token.
    Template(Box<UrlTemplate>),
}

/// A base URL with expressions.
#[derive(Debug)]
pub struct UrlTemplate {
    shown: String,
    origin: Origin,
    path: PathTemplate,
    within: Within,
    allow_private: bool,
    reads_token: bool,
}

#[derive(Debug)]
enum Origin {
    /// One value is the whole of it, from the scheme to the port, and may bring a path along.
    Whole(Expression),
    /// Values are labels of the host.
    Labels {
        scheme: &'static str,
        host: Vec<Piece>,
        port: String,
    },
}

/// What keeps the host in its place.
#[derive(Debug)]
enum Within {
    /// The end of its own text.
    Itself,
    /// A list of domains.
    Domains(Vec<String>),
    /// Nothing.
    Anything,
}

/// What a plan's target starts with as long as the access token that tells the origin is not there.
const PENDING: &str = "https://pending.invalid";

static PENDING_URL: LazyLock<Option<Url>> = LazyLock::new(|| Url::parse(PENDING).ok());

/// A named value that a user may override.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingSpec {
    /// What it is for.
    pub description: Option<String>,
    /// The value when nobody gives another.
    pub default: Option<Scalar>,
    /// The value in examples, where there is no default.
    pub example: Option<Scalar>,
    /// The environment variable that overrides it.
    #[schemars(regex(pattern = "^[A-Z_][A-Z0-9_]*$"))]
    pub env: Option<String>,
    /// A regular expression that the value must match.
    pub pattern: Option<String>,
}

/// What a base URL is compiled with.
pub struct Context<'c> {
    /// The names that its expressions may use.
    pub names: &'c Names,
    /// The service's settings.
    pub settings: &'c IndexMap<String, SettingSpec>,
    /// Where the settings stand.
    pub settings_pointer: &'c str,
    /// Whether the service may stand at a private or link-local address.
    pub allow_private: bool,
}

impl BaseUrl {
    /// Compiles the URL at `pointer`; mistakes go to `check`.
    pub fn compile(
        spec: &UrlSpec,
        pointer: &str,
        context: &Context<'_>,
        check: &Check,
    ) -> Option<BaseUrl> {
        let (text, within, at) = match spec {
            UrlSpec::Text(text) => (text, Within::Itself, pointer.to_owned()),
            UrlSpec::Within(UrlWithin { url, within }) => {
                let at = join(pointer, "within");
                (
                    url,
                    Within::compile(within, &at, check),
                    join(pointer, "url"),
                )
            }
        };
        if !text.contains("{{") {
            return literal(text, &within, context.allow_private, &at, check).map(BaseUrl::Fixed);
        }
        let template = UrlTemplate::compile(text, within, &at, context, check)?;
        Some(BaseUrl::Template(Box::new(template)))
    }

    /// The URL, where it depends on nothing.
    pub fn fixed(&self) -> Option<&Url> {
        match self {
            BaseUrl::Fixed(url) => Some(url),
            BaseUrl::Template(_) => None,
        }
    }

    /// Whether the URL is only known once there is an access token.
    pub fn reads_token(&self) -> bool {
        match self {
            BaseUrl::Fixed(_) => false,
            BaseUrl::Template(template) => template.reads_token,
        }
    }

    /// The URL with these settings and the values that came with the access token. Without them, a URL that
    /// depends on them is a placeholder, which [`BaseUrl::settle`] and [`BaseUrl::show`] replace.
    ///
    /// # Errors
    /// When a value cannot stand in its place, or the URL may not be called.
    pub fn at<'s>(
        &'s self,
        settings: &Value,
        token: Option<&Value>,
    ) -> Result<Cow<'s, Url>, RenderError> {
        match (self, token, &*PENDING_URL) {
            (BaseUrl::Fixed(url), _, _) => Ok(Cow::Borrowed(url)),
            (BaseUrl::Template(template), None, Some(pending)) if template.reads_token => {
                Ok(Cow::Owned(pending.clone()))
            }
            (BaseUrl::Template(template), _, _) => template.render(settings, token).map(Cow::Owned),
        }
    }

    /// The path of the URL, for a stand-in at another origin.
    ///
    /// # Errors
    /// When a value cannot stand in its place.
    pub fn path_at(&self, settings: &Value) -> Result<String, RenderError> {
        match self {
            BaseUrl::Template(template) if template.reads_token => {
                let scope = UrlScope::new(settings, None);
                template.path.render_path(&scope)
            }
            _ => self.at(settings, None).map(|url| url.path().to_owned()),
        }
    }

    /// A plan's target with the base URL in it, where it was rendered below the placeholder; `None` elsewhere.
    pub fn settle(target: &str, base: &Url) -> Option<String> {
        let rest = target.strip_prefix(PENDING)?;
        Some(format!("{}{rest}", base.as_str().trim_end_matches('/')))
    }

    /// A plan's target for people: a base URL that is not known yet is shown by what it depends on.
    pub fn show(&self, target: String) -> String {
        match (self, target.strip_prefix(PENDING)) {
            (BaseUrl::Template(template), Some(rest)) => format!("{}{rest}", template.shown),
            _ => target,
        }
    }

    /// Calls `visit` with every expression, and whether it stands inside a longer text.
    pub fn visit(&self, visit: &mut dyn FnMut(&Expression, bool)) {
        let BaseUrl::Template(template) = self else {
            return;
        };
        match &template.origin {
            Origin::Whole(expression) => visit(expression, true),
            Origin::Labels { host, .. } => {
                expressions(host).for_each(|expression| visit(expression, true));
            }
        }
        template.path.visit(visit);
    }
}

/// The URL as it is written, with `{name}` for expressions.
impl std::fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BaseUrl::Fixed(url) => f.write_str(url.as_str().trim_end_matches('/')),
            BaseUrl::Template(template) => f.write_str(&template.shown),
        }
    }
}

fn expressions(pieces: &[Piece]) -> impl Iterator<Item = &Expression> {
    pieces.iter().filter_map(|piece| match piece {
        Piece::Expression(expression) => Some(expression),
        Piece::Text(_) => None,
    })
}

impl Within {
    fn compile(spec: &WithinSpec, pointer: &str, check: &Check) -> Within {
        let WithinSpec::Domains(domains) = spec else {
            return Within::Anything;
        };
        for (i, domain) in domains.iter().enumerate() {
            let message = match () {
                () if !is_host(domain) => format!("`{domain}` is no domain, such as example.com"),
                () if is_shared(domain) => {
                    format!(
                        "`{domain}` belongs to nobody in particular: anyone can have a name below it"
                    )
                }
                () => continue,
            };
            check.error(Code::BadBaseUrl, &join_index(pointer, i), message);
        }
        Within::Domains(domains.iter().map(|d| d.to_ascii_lowercase()).collect())
    }

    fn holds(&self, host: &str) -> bool {
        match self {
            Within::Itself | Within::Anything => true,
            Within::Domains(domains) => domains.iter().any(|domain| {
                host.strip_suffix(domain.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }),
        }
    }
}

/// Whether registrars sell names directly below it. What companies give away below their own domain is the
/// descriptor's to name.
fn is_shared(domain: &str) -> bool {
    let is_loopback = domain == "localhost";
    let is_suffix = psl::suffix(domain.as_bytes()).is_some_and(|suffix| {
        suffix.as_bytes().len() == domain.len() && suffix.typ() != Some(psl::Type::Private)
    });
    is_suffix && !is_loopback
}

/// Whether a text is a host name in ASCII.
fn is_host(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(is_label_byte)
}

fn is_label_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

fn literal(
    text: &str,
    within: &Within,
    allow_private: bool,
    pointer: &str,
    check: &Check,
) -> Option<Url> {
    let refuse = |message: String, help: &str| {
        check.error_with_help(Code::BadBaseUrl, pointer, message, help);
        None
    };
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => {
            return refuse(
                format!("`{text}` is no URL: {error}"),
                "write scheme and host, such as https://api.example.com",
            );
        }
    };
    if let Err((message, help)) = rules(&url, allow_private) {
        return refuse(message, help);
    }
    if let Err(repair) = as_written(text, &url) {
        let help = Some(repair.help());
        check.error_inside(
            Code::BadBaseUrl,
            pointer,
            repair.at.clone(),
            repair.message(),
            help,
        );
        return None;
    }
    if !within.holds(url.host_str().unwrap_or_default()) {
        return refuse(
            "the base URL does not lie within its own domains".to_owned(),
            "name its domain under `within`",
        );
    }
    Some(url)
}

/// A URL that is read as another one than is written.
#[derive(Debug)]
struct Repair {
    /// The first character that is read otherwise, as bytes of the text.
    at: Range<usize>,
    written: String,
    read: String,
}

impl Repair {
    fn message(&self) -> String {
        format!(
            "`{}` would be read as {}",
            self.written.escape_debug(),
            self.read
        )
    }

    fn help(&self) -> String {
        format!("write {}", self.read)
    }
}

/// Whether a URL is written as it is read. A parser repairs much: missing slashes, backslashes, tabs, dot segments, upper
/// case, encoded and numeric hosts. Whoever reviews a descriptor must see the place that is called.
fn as_written(text: &str, url: &Url) -> Result<(), Repair> {
    let read = url.as_str();
    let read = match text.ends_with('/') {
        true => read,
        // An empty path is a slash.
        false => read.strip_suffix('/').unwrap_or(read),
    };
    // The port of the scheme may be said; it is read as none.
    let plain = match (url.port(), url.port_or_known_default()) {
        (None, Some(port)) => without_port(text, port),
        _ => Cow::Borrowed(text),
    };
    if plain == read {
        return Ok(());
    }
    let differs = text
        .char_indices()
        .zip(url.as_str().chars())
        .find(|((_, written), read)| written != read);
    let start = differs.map_or(text.len().min(url.as_str().len()), |((at, _), _)| at);
    let length = text[start..].chars().next().map_or(0, char::len_utf8);
    Err(Repair {
        at: start..start + length,
        written: text.to_owned(),
        read: read.to_owned(),
    })
}

/// The text without this port behind its host.
fn without_port(text: &str, port: u16) -> Cow<'_, str> {
    let host = text.find("://").map_or(0, |at| at + 3);
    let end = text[host..].find('/').map_or(text.len(), |at| host + at);
    match text[..end].strip_suffix(&format!(":{port}")) {
        Some(front) => Cow::Owned(format!("{front}{}", &text[end..])),
        None => Cow::Borrowed(text),
    }
}

/// What every base URL must obey, however it came about: what is wrong, and how to mend it.
fn rules(url: &Url, allow_private: bool) -> Result<(), (String, &'static str)> {
    let refuse = |message: &str, help| Err((message.to_owned(), help));
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(url) => {}
        "http" => {
            return refuse(
                "plain http would send credentials in the clear",
                "use https; http is for loopback addresses alone",
            );
        }
        other => return Err((format!("the scheme `{other}` is not HTTP"), "use https")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse(
            "the base URL carries credentials",
            "describe them under `auth`, as references to secrets",
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refuse(
            "the base URL has a query or fragment",
            "query parameters of every request go to the service's `query`",
        );
    }
    match special_literal(url) {
        Some(what) if !allow_private && !is_loopback(url) => Err((
            format!("the host of the base URL is {what}, and not of the public internet"),
            "set `allow_private_network: true` if the service really stands there",
        )),
        _ => Ok(()),
    }
}

/// The pieces of a template, taken apart at the end of its origin.
struct Parts {
    origin: Origin,
    path: Vec<Piece>,
}

impl UrlTemplate {
    fn compile(
        text: &str,
        within: Within,
        pointer: &str,
        context: &Context<'_>,
        check: &Check,
    ) -> Option<UrlTemplate> {
        let before = check.count();
        let pieces = match Template::compile_text(text, pointer, context.names, check) {
            Template::Text(pieces) => pieces,
            Template::Expression(expression) => vec![Piece::Expression(expression)],
            _ => return None,
        };
        let shown = shown(&pieces).trim_end_matches('/').to_owned();
        let Parts { origin, path } = match take_apart(pieces) {
            Ok(parts) => parts,
            Err((message, help)) => {
                check.error_with_help(Code::BadBaseUrl, pointer, message, help);
                return None;
            }
        };
        if let Err((message, help)) = origin.keeps_its_place(&within) {
            check.error_with_help(Code::BadBaseUrl, pointer, message, help);
        }
        if let Err(message) = origin.is_written_as_read() {
            check.error(Code::BadBaseUrl, pointer, message);
        }
        let mut reads_token = false;
        origin.visit(&mut |expression| {
            reads_token |= expression.names().iter().any(|name| name == "token");
        });
        if let Origin::Labels { host, .. } = &origin {
            report_loose_settings(host, context, check);
        }
        let path = PathTemplate::from_pieces(path, text, pointer, check);
        path.visit(&mut |expression, _| {
            if expression.names().iter().any(|name| name == "token") {
                check.error_with_help(
                    Code::BadBaseUrl,
                    pointer,
                    "what comes with the access token cannot stand in the path",
                    "it may stand in the host, or be the whole origin",
                );
            }
        });
        (check.count() == before).then_some(UrlTemplate {
            shown,
            origin,
            path,
            within,
            allow_private: context.allow_private,
            reads_token,
        })
    }

    fn render(&self, settings: &Value, token: Option<&Value>) -> Result<Url, RenderError> {
        let refuse = |message: String| RenderError::value("base_url", message);
        let scope = UrlScope::new(settings, token);
        let origin = self.origin.render(&scope, &self.within)?;
        let host = origin.host_str().unwrap_or_default();
        if !self.within.holds(host) {
            return Err(refuse(format!(
                "{} gives a host outside of the domains of the service",
                self.shown
            )));
        }
        let text = self.path.render(&origin, &scope)?;
        let url = Url::parse(&text).map_err(|_| refuse(format!("{} gives no URL", self.shown)))?;
        match rules(&url, self.allow_private) {
            Ok(()) if url.origin() == origin.origin() => Ok(url),
            Ok(()) => Err(refuse(format!("{} gives another origin", self.shown))),
            Err((message, _)) => Err(refuse(message)),
        }
    }
}

type Refusal = (&'static str, &'static str);

fn take_apart(pieces: Vec<Piece>) -> Result<Parts, Refusal> {
    if pieces
        .iter()
        .any(|piece| matches!(piece, Piece::Text(text) if text.contains(['?', '#', '@', '\\'])))
    {
        return Err((
            "the base URL has a query, fragment or credentials",
            "query parameters of every request go to the service's `query`, credentials to `auth`",
        ));
    }
    let mut pieces = pieces.into_iter();
    let first = pieces.next();
    let (scheme, rest) = match first {
        Some(Piece::Expression(whole)) => {
            let path: Vec<Piece> = pieces.collect();
            return match path.first() {
                Some(Piece::Text(text)) if !text.starts_with('/') => Err((
                    "only a path can follow an expression that is the whole origin",
                    "start the text behind it with `/`",
                )),
                Some(Piece::Expression(_)) => Err((
                    "two expressions cannot make an origin",
                    "let one setting hold the whole of it",
                )),
                _ => Ok(Parts {
                    origin: Origin::Whole(whole),
                    path: without_last_slash(path),
                }),
            };
        }
        Some(Piece::Text(text)) => {
            match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
                (Some(rest), _) => ("https", rest.to_owned()),
                (_, Some(rest)) => ("http", rest.to_owned()),
                _ => {
                    return Err((
                        "a base URL starts with https://, or with an expression for the whole origin",
                        "write scheme and host, such as https://{{ settings.account }}.example.com",
                    ));
                }
            }
        }
        None => ("https", String::new()),
    };
    let mut host = Vec::new();
    let mut path: Vec<Piece> = Vec::new();
    for piece in std::iter::once(Piece::Text(rest)).chain(pieces) {
        match piece {
            piece if !path.is_empty() => path.push(piece),
            Piece::Text(text) => match text.find('/') {
                Some(slash) => {
                    host.push(Piece::Text(text[..slash].to_owned()));
                    path.push(Piece::Text(text[slash..].to_owned()));
                }
                None => host.push(Piece::Text(text)),
            },
            expression => host.push(expression),
        }
    }
    let port = match host.last_mut() {
        Some(Piece::Text(last)) => match last.find(':') {
            Some(colon) => last.split_off(colon),
            None => String::new(),
        },
        _ => String::new(),
    };
    let is_text_with =
        |piece: &Piece, c: char| matches!(piece, Piece::Text(text) if text.contains(c));
    if host.iter().any(|piece| is_text_with(piece, ':')) || port.len() == 1 {
        return Err((
            "an expression cannot be the port",
            "write the port as it is, or let one setting hold the whole origin",
        ));
    }
    host.retain(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
    Ok(Parts {
        origin: Origin::Labels { scheme, host, port },
        path: without_last_slash(path),
    })
}

/// A base path ends without a slash, since every path below it starts with one.
fn without_last_slash(mut path: Vec<Piece>) -> Vec<Piece> {
    if let Some(Piece::Text(last)) = path.last_mut() {
        last.truncate(last.trim_end_matches('/').len());
        if last.is_empty() {
            path.pop();
        }
    }
    path
}

/// A setting in the host says by a pattern what it may be, so that a wrong one is told before anything is sent.
fn report_loose_settings(host: &[Piece], context: &Context<'_>, check: &Check) {
    for expression in expressions(host) {
        let mut names: Vec<String> = expression
            .dotted_names()
            .iter()
            .filter_map(|dotted| dotted.strip_prefix("settings."))
            .map(|member| member.split('.').next().unwrap_or_default().to_owned())
            .collect();
        if expression.names().iter().any(|name| name == "settings") && names.is_empty() {
            // Which setting it is cannot be told, so it may be each.
            names = expression
                .subscripts("settings")
                .unwrap_or_else(|| context.settings.keys().cloned().collect());
        }
        for name in names {
            if context
                .settings
                .get(&name)
                .is_some_and(|setting| setting.pattern.is_none())
            {
                check.error_at_key(
                    Code::BadBaseUrl,
                    &join(context.settings_pointer, &name),
                    format!("the setting `{name}` stands in the host and has no `pattern`"),
                    Some("say what it may be, such as `pattern: \"^[a-z0-9-]+$\"`".to_owned()),
                );
            }
        }
    }
}

impl Origin {
    fn visit(&self, visit: &mut dyn FnMut(&Expression)) {
        match self {
            Origin::Whole(expression) => visit(expression),
            Origin::Labels { host, .. } => expressions(host).for_each(visit),
        }
    }

    /// Whether no value can lead to a server of somebody else.
    fn keeps_its_place(&self, within: &Within) -> Result<(), Refusal> {
        const HELP: &str = "write `{ url: ..., within: [DOMAIN] }`, or `within: any` for a service that users host \
                            themselves";
        if !matches!(within, Within::Itself) {
            return Ok(());
        }
        let Origin::Labels { scheme, host, .. } = self else {
            return Err((
                "nothing says which domain this origin must lie within",
                HELP,
            ));
        };
        let end = match host.last() {
            Some(Piece::Text(end)) => end.to_ascii_lowercase(),
            _ => String::new(),
        };
        let is_literal = expressions(host).next().is_none();
        let domain = match (is_literal, end.split_once('.')) {
            (true, _) => end.as_str(),
            (false, Some((_, domain))) => domain,
            (false, None) => "",
        };
        if is_loopback_name(domain) {
            return Ok(());
        }
        if *scheme == "http" && !is_literal {
            return Err((
                "plain http would send credentials in the clear",
                "use https; http is for loopback addresses alone",
            ));
        }
        match is_literal || psl::domain_str(domain).is_some() {
            true => Ok(()),
            false => Err((
                "the text of the host behind its last expression holds no registrable domain",
                HELP,
            )),
        }
    }

    /// Whether a parser leaves the text around the values as it is.
    fn is_written_as_read(&self) -> Result<(), String> {
        let Origin::Labels { scheme, host, port } = self else {
            return Ok(());
        };
        let shape: String = host
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.as_str(),
                // Any label.
                Piece::Expression(_) => "x",
            })
            .collect();
        let shape = format!("{scheme}://{shape}{port}");
        match Url::parse(&shape) {
            Ok(url) => as_written(&shape, &url)
                .map_err(|repair| format!("with `x` for each expression, {}", repair.message())),
            Err(error) => Err(format!("the origin is no URL: {error}")),
        }
    }

    fn render(&self, scope: &UrlScope<'_>, within: &Within) -> Result<Url, RenderError> {
        let refuse = |message: String| RenderError::value("base_url", message);
        match self {
            Origin::Whole(expression) => {
                let text =
                    text_of(expression, scope).map_err(RenderError::expression("base_url"))?;
                let is_plain = |c: char| c.is_ascii_graphic() && !"@?#\\".contains(c);
                let text = text.trim_end_matches('/');
                let url = Url::parse(text)
                    .ok()
                    .filter(|url| text.chars().all(is_plain) && url.has_host());
                let url = url.ok_or_else(|| {
                    refuse(format!(
                        "{expression:?} is no origin, such as https://example.com"
                    ))
                })?;
                match as_written(text, &url) {
                    Ok(()) => Ok(url),
                    Err(repair) => Err(refuse(format!(
                        "{expression:?}: {}; {}",
                        repair.message(),
                        repair.help()
                    ))),
                }
            }
            Origin::Labels { scheme, host, port } => {
                // Where a list of domains holds it, one value may be the whole host.
                let may_have_dots = !matches!(within, Within::Itself)
                    && matches!(host.as_slice(), [Piece::Expression(_)]);
                let mut rendered = String::new();
                for piece in host {
                    match piece {
                        Piece::Text(text) => rendered.push_str(text),
                        Piece::Expression(expression) => {
                            let value = text_of(expression, scope)
                                .map_err(RenderError::expression("base_url"))?;
                            let legal = |b: u8| is_label_byte(b) || (may_have_dots && b == b'.');
                            if value.is_empty() || !value.bytes().all(legal) {
                                return Err(refuse(format!(
                                    "{expression:?} is no part of a host name, which has letters, digits and hyphens"
                                )));
                            }
                            rendered.push_str(&value);
                        }
                    }
                }
                let is_literal = expressions(host).next().is_none();
                if !is_literal && !is_host(&rendered) {
                    return Err(refuse("the values give no host name".to_owned()));
                }
                let url = Url::parse(&format!("{scheme}://{rendered}{port}"))
                    .map_err(|_| refuse("the values give no URL".to_owned()))?;
                match is_literal || url.host_str() == Some(&*rendered.to_ascii_lowercase()) {
                    true => Ok(url),
                    false => Err(refuse("the values give another host".to_owned())),
                }
            }
        }
    }
}

/// Settings, and what came with the access token.
struct UrlScope<'a> {
    settings: &'a Value,
    token: Option<&'a Value>,
}

impl<'a> UrlScope<'a> {
    fn new(settings: &'a Value, token: Option<&'a Value>) -> UrlScope<'a> {
        UrlScope { settings, token }
    }
}

impl Scope for UrlScope<'_> {
    fn json(&self, name: &str) -> Option<&Value> {
        match name {
            "settings" => Some(self.settings),
            "token" => self.token,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;
    use crate::source::Source;

    fn compile(spec: Value) -> Result<BaseUrl, String> {
        let check = Check::new(Source::parse("t".into(), "a: 1".into()).unwrap());
        let setting = json!({ "pattern": "^.+$" });
        let settings = json!({ "a": setting, "b": setting, "url": {}, "loose": {} });
        let context = Context {
            names: &Names::default()
                .with_members("settings", ["a", "b", "url", "loose"])
                .with_members("token", ["url", "host"]),
            settings: &serde_json::from_value(settings).unwrap(),
            settings_pointer: "/settings",
            allow_private: false,
        };
        let spec = serde_json::from_value(spec).unwrap();
        let compiled = BaseUrl::compile(&spec, "/base_url", &context, &check);
        match check.into_findings().first() {
            Some(finding) => Err(finding.message.clone()),
            None => compiled.ok_or_else(|| "nothing".to_owned()),
        }
    }

    fn render(spec: Value, settings: Value, token: Option<Value>) -> Result<String, String> {
        let url = compile(spec)?;
        let rendered = url.at(&settings, token.as_ref());
        rendered
            .map(|url| url.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn literal_urls_are_https_or_loopback() {
        for good in [
            "https://api.test",
            "https://api.test/v2/",
            "http://127.0.0.1:80",
            "http://localhost:1",
            "http://[::1]:9",
            "https://8.8.8.8",
        ] {
            assert!(compile(json!(good)).is_ok(), "{good}");
        }
        for bad in [
            "api.test",
            "http://api.test",
            "ftp://api.test",
            "https://u:p@api.test",
            "https://u@api.test",
            "https://api.test?x=1",
            "https://api.test#x",
            "https://10.0.0.1",
            "https://169.254.169.254",
            "https://[fe80::1]",
            "https://192.168.1.1",
            "http://127.0.0.1.evil.test",
            "",
        ] {
            assert!(compile(json!(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn urls_that_a_parser_repairs_are_told() {
        for good in [
            "https://api.test:443",
            "https://api.test:443/v1",
            "http://127.0.0.1:80/",
            "https://api.test:8443/v1/",
            "https://xn--bcher-kva.test",
            "https://api.test/a%20b/~c/d;e=1",
            "https://api.test//v1",
            "https://[2606:4700::1111]/x",
        ] {
            assert!(compile(json!(good)).is_ok(), "{good}");
        }
        for (bad, at) in [
            ("https:example.com", 6),
            ("https:/example.com", 7),
            ("https:///example.com", 8),
            ("https:\\\\example.com", 6),
            ("https://example.com\\v1", 19),
            ("HTTPS://example.com", 0),
            ("https://Example.com", 8),
            ("https://example.com:", 19),
            ("https://example.com:/v1", 19),
            ("https://example.com:0443", 19),
            ("https://example.com:08443", 20),
            ("https://ex\tample.com", 10),
            ("https://exam\nple.com", 12),
            ("https://example.com\n", 19),
            (" https://example.com", 0),
            ("https://example.com/a/../b", 20),
            ("https://example.com/./b", 20),
            ("https://example.com/%2e%2e/b", 20),
            ("https://example.com/a/..", 20),
            ("https://example.com/a b", 21),
            ("https://example.com/é", 20),
            ("https://bücher.test", 8),
            ("https://ex%61mple.com", 10),
            ("https://example\u{3002}com", 15),
            ("https://example\u{ad}.com", 15),
            ("https://\u{ff45}xample.com", 8),
            ("https://@example.com", 8),
            ("https://0x8.0x8.0x8.0x8", 8),
            ("https://134744072", 8),
            ("https://010.8.8.8.8", 8),
            ("https://8.8.2056", 12),
            ("http://0x7f.1", 7),
            ("http://2130706433", 7),
            ("http://127.1", 11),
            ("http://[0:0:0:0:0:0:0:1]", 8),
        ] {
            let url = match Url::parse(bad) {
                Ok(url) => url,
                // What cannot be read at all is told as that.
                Err(_) => {
                    assert!(compile(json!(bad)).unwrap_err().contains("is no URL"));
                    continue;
                }
            };
            let told = compile(json!(bad)).map(|_| ()).unwrap_err();
            assert!(told.contains("would be read as"), "{bad:?}: {told}");
            let repair = as_written(bad, &url).unwrap_err();
            assert_eq!(repair.at.start, at, "{bad:?} {url}");
            let mended = repair.read;
            assert!(compile(json!(mended.clone())).is_ok(), "{mended}");
        }
    }

    #[test]
    fn a_template_and_its_values_are_written_as_they_are_read() {
        for bad in [
            "https://{{ settings.a }}.Example.com",
            "https://{{ settings.a }}.example.com:",
            "https://{{ settings.a }}.example.com:0443",
            "https://{{ settings.a }}.exam\tple.com",
            "https://{{ settings.a }}.b\u{fc}cher.example.com",
            "https://{{ settings.a }}.ex%61mple.com",
            "HTTPS://{{ settings.a }}.example.com",
            "https:/{{ settings.a }}.example.com",
            "https://{{ settings.a }}.example.com/a/../b",
            "https://{{ settings.a }}.example.com/a/%2e%2e/b",
            "https://{{ settings.a }}.example.com/a\tb",
        ] {
            assert!(compile(json!(bad)).is_err(), "{bad:?}");
        }
        let any = json!({ "url": "{{ settings.url }}", "within": "any" });
        for bad in [
            "https:example.com",
            "https:///example.com",
            "HTTPS://example.com",
            "https://Example.com",
            "https://example.com:",
            "https://example.com/a/../b",
            "https://ex%61mple.com",
            "https://134744072",
            "http://0x7f.1",
            "http://2130706433",
            " https://example.com",
        ] {
            let told = render(any.clone(), json!({ "url": bad }), None);
            assert!(told.is_err(), "{bad:?}: {told:?}");
        }
        let told = render(any, json!({ "url": "https://Example.com/x/" }), None).unwrap_err();
        assert!(told.contains("write https://example.com/x"), "{told}");
    }

    #[test]
    fn values_fill_labels_and_segments() {
        for (spec, expected) in [
            (
                json!("https://{{ settings.a }}.example.com"),
                "https://acme.example.com/",
            ),
            (
                json!("https://api-{{ settings.a }}.{{ settings.b }}.example.co.uk:8443/v1/"),
                "https://api-acme.eu-1.example.co.uk:8443/v1",
            ),
            (
                json!("https://{{ settings.a | upper }}.example.com/{{ settings.b }}/x"),
                "https://acme.example.com/eu-1/x",
            ),
            (
                json!("https://api.example.com/{{ settings.b }}"),
                "https://api.example.com/eu-1",
            ),
            (
                json!({ "url": "https://{{ settings.a }}.myshopify.com", "within": ["myshopify.com"] }),
                "https://acme.myshopify.com/",
            ),
            (
                json!({ "url": "{{ settings.url }}/api", "within": "any" }),
                "https://git.acme.test/gitlab/api",
            ),
        ] {
            let settings =
                json!({ "a": "acme", "b": "eu-1", "url": "https://git.acme.test/gitlab/" });
            assert_eq!(
                render(spec.clone(), settings, None).as_deref(),
                Ok(expected),
                "{spec}"
            );
        }
    }

    #[test]
    fn no_value_leads_elsewhere() {
        for a in [
            "",
            "evil.test/",
            "evil.test#",
            "evil.test?",
            "a/b",
            "a@b",
            "a:b",
            "a.b",
            "a b",
            "a\\b",
            "-a",
            "a-",
            "%2e",
            "é",
            "a\n",
            "evil.test\u{3002}",
            "x".repeat(64).as_str(),
        ] {
            for spec in [
                json!("https://{{ settings.a }}.example.com"),
                json!({ "url": "https://{{ settings.a }}.example.com", "within": "any" }),
            ] {
                assert!(render(spec, json!({ "a": a }), None).is_err(), "{a:?}");
            }
        }
        for a in ["", "..", ".", "a\nb"] {
            let spec = json!("https://api.example.com/{{ settings.a }}/v1");
            assert!(render(spec, json!({ "a": a }), None).is_err(), "{a:?}");
        }
        let spec = json!("https://api.example.com/{{ settings.a }}");
        assert_eq!(
            render(spec, json!({ "a": "a/../b?c#d" }), None).as_deref(),
            Ok("https://api.example.com/a%2F..%2Fb%3Fc%23d")
        );
    }

    #[test]
    fn a_whole_origin_lies_within_its_domains() {
        let spec = json!({ "url": "{{ token.url }}/services", "within": ["salesforce.com"] });
        let at = |url: &str| render(spec.clone(), json!({}), Some(json!({ "url": url })));
        assert_eq!(
            at("https://acme.my.salesforce.com/").as_deref(),
            Ok("https://acme.my.salesforce.com/services")
        );
        assert!(at("https://salesforce.com").is_ok());
        for bad in [
            "https://evil.test",
            "https://salesforce.com.evil.test",
            "https://evilsalesforce.com",
            "https://salesforce.com@evil.test",
            "https://u:p@salesforce.com",
            "https://x.salesforce.com?a",
            "https://x.salesforce.com#a",
            "http://x.salesforce.com",
            "ftp://x.salesforce.com",
            "x.salesforce.com",
            "",
            "https://",
            "https://evil.test\\.salesforce.com",
            "https://salesforce.com.",
        ] {
            assert!(at(bad).is_err(), "{bad}");
        }
        let any = json!({ "url": "{{ settings.url }}", "within": "any" });
        for bad in [
            "https://10.0.0.1",
            "http://evil.test",
            "https://169.254.169.254/x",
            "file:///etc/passwd",
        ] {
            assert!(
                render(any.clone(), json!({ "url": bad }), None).is_err(),
                "{bad}"
            );
        }
        assert!(render(any, json!({ "url": "http://127.0.0.1:80" }), None).is_ok());
    }

    #[test]
    fn an_origin_of_the_token_is_pending_without_it() {
        let base =
            compile(json!({ "url": "{{ token.url }}/v1", "within": ["example.com"] })).unwrap();
        assert!(base.reads_token());
        let pending = base.at(&json!({}), None).unwrap();
        let target = format!("{}x", pending.as_str());
        assert_eq!(base.show(target.clone()), "{token.url}/v1/x");
        let actual = Url::parse("https://a.example.com/v1").unwrap();
        assert_eq!(
            BaseUrl::settle(&target, &actual).as_deref(),
            Some("https://a.example.com/v1/x")
        );
    }

    #[test]
    fn loose_templates_are_told() {
        for (spec, message) in [
            (json!("https://{{ settings.a }}.com"), "registrable"),
            (json!("https://{{ settings.a }}.co.uk"), "registrable"),
            (json!("https://{{ settings.a }}.github.io"), "registrable"),
            (json!("https://{{ settings.a }}example.com"), "registrable"),
            (json!("https://api.{{ settings.a }}"), "registrable"),
            (json!("https://{{ settings.a }}"), "registrable"),
            (json!("{{ settings.url }}"), "which domain"),
            (
                json!("{{ settings.a }}://api.example.com"),
                "only a path can follow",
            ),
            (
                json!("ftp://{{ settings.a }}.example.com"),
                "starts with https",
            ),
            (json!("http://{{ settings.a }}.example.com"), "plain http"),
            (json!("https://x.example.com:{{ settings.a }}"), "the port"),
            (
                json!("https://{{ settings.a }}:x@x.example.com"),
                "credentials",
            ),
            (json!("https://{{ settings.a }}.example.com?x=1"), "query"),
            (
                json!("https://{{ settings.loose }}.example.com"),
                "no `pattern`",
            ),
            (
                json!("https://{{ settings['loose'] }}.example.com"),
                "no `pattern`",
            ),
            (
                json!("https://{{ settings.nope }}.example.com"),
                "no member",
            ),
            (
                json!("https://x.example.com/{{ token.url }}"),
                "cannot stand in the path",
            ),
            (
                json!({ "url": "{{ settings.url }}", "within": ["com"] }),
                "nobody in particular",
            ),
            (
                json!({ "url": "{{ settings.url }}", "within": ["co.uk"] }),
                "nobody in particular",
            ),
            (
                json!({ "url": "{{ settings.url }}", "within": ["https://a.com"] }),
                "is no domain",
            ),
            (
                json!({ "url": "https://a.example.com", "within": ["example.org"] }),
                "own domains",
            ),
        ] {
            let error = compile(spec.clone()).map(|_| ()).unwrap_err();
            assert!(error.contains(message), "{spec}: {error}");
        }
    }
}
