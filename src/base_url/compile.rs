//! Compiling a base URL: its parts, and the refusal of URLs that could lead to another server.

use url::Url;

use super::rules::{as_written, is_host, is_registrable, is_shared, rules};
use super::{
    BaseUrl, Context, Origin, UrlSpec, UrlTemplate, UrlWithin, Within, WithinSpec, expressions,
};
use crate::address::is_loopback_name;
use crate::plan::{MASK, PathTemplate, behind_colon, bracketed};
use crate::source::{Check, Code, join, join_index};
use crate::template::{Expression, Piece, Template, is_identifier, shown};

impl BaseUrl {
    /// Compiles the URL at `pointer`; mistakes go to `check`.
    pub(crate) fn compile(
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
}

impl BaseUrl {
    /// A URL that stands for one that is broken, so that the rest of its service can be checked.
    pub(crate) fn unknown() -> Option<BaseUrl> {
        Url::parse("https://unknown.invalid")
            .ok()
            .map(BaseUrl::Fixed)
    }
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
                    format!("anyone can register a name below `{domain}`, so it keeps nobody out")
                }
                () => continue,
            };
            check.error(Code::BadBaseUrl, &join_index(pointer, i), message);
        }
        Within::Domains(domains.iter().map(|d| d.to_ascii_lowercase()).collect())
    }
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
    if let Some(brace) = text.find(['{', '}']) {
        let name = bracketed(&text[brace..]).unwrap_or("NAME");
        return refuse(
            "the base URL has braces, which no URL has".to_owned(),
            &format!("an expression is written `{{{{ settings.{name} }}}}`"),
        );
    }
    let path = text.split_once("://").map_or("", |(_, rest)| rest);
    if let Some(name) = path.split('/').skip(1).find_map(behind_colon) {
        return refuse(
            format!("`:{name}` in the base URL would be sent as it stands"),
            &format!("write `{{{{ settings.{name} }}}}`; a colon that is meant is written `%3A`"),
        );
    }
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
    if url.path().contains("//") {
        return refuse(
            "the base URL has an empty path segment".to_owned(),
            "write one `/` between two segments",
        );
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
        let (path, secrets) = hide_secrets(path, &origin, pointer, check);
        let path = PathTemplate::from_pieces(path, text, pointer, check);
        path.visit(&mut |expression, _| {
            if expression.names().iter().any(|name| name == "token") {
                check.error_with_help(
                    Code::BadBaseUrl,
                    pointer,
                    "a value that comes with the access token cannot be a part of the path",
                    "it may be a part of the host, or the whole origin",
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
            secrets,
        })
    }
}

/// The path with the mask in place of each secret, and the names of the secrets in order.
fn hide_secrets(
    path: Vec<Piece>,
    origin: &Origin,
    pointer: &str,
    check: &Check,
) -> (Vec<Piece>, Vec<String>) {
    let mut secrets: Vec<String> = Vec::new();
    let refuse = |message: &str, help: &str| {
        check.error_with_help(Code::BadBaseUrl, pointer, message, help);
    };
    let reads_secret = |expression: &Expression| expression.names().iter().any(|n| n == "auth");
    let mut reads_token = false;
    origin.visit(&mut |expression| {
        reads_token |= expression.names().iter().any(|name| name == "token");
        if reads_secret(expression) {
            refuse(
                "a secret cannot be a part of the host",
                "it goes into the path, a header, a query parameter or a cookie",
            );
        }
    });
    let written = |piece: &Piece| matches!(piece, Piece::Text(text) if text.contains(MASK));
    let has_mask = path.iter().any(written);
    let hidden: Vec<Piece> = path
        .into_iter()
        .map(|piece| match piece {
            Piece::Expression(expression) if reads_secret(&expression) => {
                match expression.text().trim().strip_prefix("auth.") {
                    Some(name) if is_identifier(name) => secrets.push(name.to_owned()),
                    _ => refuse(
                        "a secret in the path must be the whole of its expression",
                        "write `{{ auth.NAME }}`",
                    ),
                }
                Piece::Text(MASK.to_owned())
            }
            other => other,
        })
        .collect();
    if !secrets.is_empty() && (has_mask || reads_token) {
        refuse(
            match has_mask {
                true => "`***` in the path would be taken for the secret",
                false => {
                    "a base URL that comes with the access token cannot have a secret in its path"
                }
            },
            "leave it out",
        );
    }
    let text: String = hidden
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            Piece::Expression(_) => "",
        })
        .collect();
    if text.split('/').any(|part| part.matches(MASK).count() > 1) {
        refuse(
            "one segment of the path has two secrets",
            "write a `/` between them",
        );
    }
    (hidden, secrets)
}

/// The parts of a template, split behind its origin.
struct Parts {
    origin: Origin,
    path: Vec<Piece>,
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
        if !path.is_empty() {
            path.push(piece);
            continue;
        }
        match piece {
            Piece::Text(text) => match text.find('/') {
                Some(slash) => {
                    host.push(Piece::Text(text[..slash].to_owned()));
                    path.push(Piece::Text(text[slash..].to_owned()));
                }
                None => host.push(Piece::Text(text)),
            },
            expression @ Piece::Expression(_) => host.push(expression),
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

/// A setting in the host must have a pattern, so that a wrong value is reported before anything is sent.
fn report_loose_settings(host: &[Piece], context: &Context<'_>, check: &Check) {
    for expression in expressions(host) {
        let mut names: Vec<String> = expression
            .dotted_names()
            .iter()
            .filter_map(|dotted| dotted.strip_prefix("settings."))
            .map(|member| member.split('.').next().unwrap_or_default().to_owned())
            .collect();
        if expression.names().iter().any(|name| name == "settings") && names.is_empty() {
            // It is not known which setting this is, so it may be any of them.
            names = expression
                .subscripts("settings")
                .unwrap_or_else(|| context.settings.keys().cloned().collect());
        }
        for name in names {
            if context
                .settings
                .get(&name)
                .is_some_and(|setting| setting.pattern.is_none())
                && !check.is_broken(&join(context.settings_pointer, &name))
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

    /// Checks that no value can lead to somebody else's server.
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
        match is_literal || is_registrable(domain) {
            true => Ok(()),
            false => Err((
                "the text of the host behind its last expression holds no registrable domain",
                HELP,
            )),
        }
    }

    /// Checks that a URL parser does not change the text around the values.
    fn is_written_as_read(&self) -> Result<(), String> {
        let Origin::Labels { scheme, host, port } = self else {
            return Ok(());
        };
        let shape: String = host
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.as_str(),
                // Any valid label will do.
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
}
