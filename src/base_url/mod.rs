//! The base URL of a service: a literal URL or a template. The values in a template cannot lead to a server that the
//! template does not name.
//!
//! In a template, a value fills one label of the host or one segment of the path. The text behind the last value of the
//! host contains a registrable domain, so no value can change whose server it is. If it does not, or if a value is the
//! whole origin, the descriptor lists the domains that the result must be within.

mod compile;
mod render;
mod rules;
mod spec;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::LazyLock;

use indexmap::IndexMap;
use serde_json::Value;
use url::Url;

pub(crate) use spec::{SettingSpec, UrlSpec, UrlWithin, WithinSpec};

use crate::plan::{PathTemplate, RenderError};
use crate::template::{Expression, Names, Piece};
use render::UrlScope;

/// A compiled base URL.
#[derive(Debug)]
pub(crate) enum BaseUrl {
    /// A literal URL.
    Fixed(Url),
    /// A URL that depends on settings, or on values that came with the access token.
    Template(Box<UrlTemplate>),
}

/// A base URL with expressions.
#[derive(Debug)]
pub(crate) struct UrlTemplate {
    shown: String,
    origin: Origin,
    path: PathTemplate,
    within: Within,
    allow_private: bool,
    reads_token: bool,
    /// The names of the secrets in the path, in order. Each stands in the path as the mask.
    secrets: Vec<String>,
}

#[derive(Debug)]
enum Origin {
    /// One value is the whole origin, from the scheme to the port. It may also contain a path.
    Whole(Expression),
    /// Values are labels of the host.
    Labels {
        scheme: &'static str,
        host: Vec<Piece>,
        port: String,
    },
}

/// How the host is restricted.
#[derive(Debug)]
enum Within {
    /// By the end of its own text.
    Itself,
    /// By a list of domains.
    Domains(Vec<String>),
    /// It is not restricted.
    Anything,
}

/// The start of a plan's target while the origin is unknown, because it comes with an access token that we do not have
/// yet.
const PENDING: &str = "https://pending.invalid";

static PENDING_URL: LazyLock<Option<Url>> = LazyLock::new(|| Url::parse(PENDING).ok());

/// What a base URL is compiled with.
pub(crate) struct Context<'c> {
    /// The names that its expressions may use.
    pub names: &'c Names,
    /// The service's settings.
    pub settings: &'c IndexMap<String, SettingSpec>,
    /// The JSON Pointer of the settings.
    pub settings_pointer: &'c str,
    /// Whether the service may have a private or link-local address.
    pub allow_private: bool,
}

impl BaseUrl {
    /// The URL, if it depends on nothing.
    pub(crate) fn fixed(&self) -> Option<&Url> {
        match self {
            BaseUrl::Fixed(url) => Some(url),
            BaseUrl::Template(_) => None,
        }
    }

    /// The names of the secrets in its path, in order. A rendered URL has [`crate::plan::MASK`] in place of each.
    pub(crate) fn secrets(&self) -> &[String] {
        match self {
            BaseUrl::Fixed(_) => &[],
            BaseUrl::Template(template) => &template.secrets,
        }
    }

    /// Whether the URL is only known when there is an access token.
    pub(crate) fn reads_token(&self) -> bool {
        match self {
            BaseUrl::Fixed(_) => false,
            BaseUrl::Template(template) => template.reads_token,
        }
    }

    /// The URL for these settings and the values that came with the access token. Without those values, a URL that
    /// depends on them is a placeholder, which [`BaseUrl::settle`] and [`BaseUrl::show`] replace.
    ///
    /// # Errors
    /// When a value is not allowed in its place, or the URL may not be called.
    pub(crate) fn at<'s>(
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
    /// When a value is not allowed in its place.
    pub(crate) fn path_at(&self, settings: &Value) -> Result<String, RenderError> {
        match self {
            BaseUrl::Template(template) if template.reads_token => {
                let scope = UrlScope::new(settings, None);
                template.path.render_path(&scope)
            }
            _ => self.at(settings, None).map(|url| url.path().to_owned()),
        }
    }

    /// A plan's target with the real base URL instead of the placeholder; `None` if it has no placeholder.
    pub(crate) fn settle(target: &str, base: &Url) -> Option<String> {
        let rest = target.strip_prefix(PENDING)?;
        Some(format!("{}{rest}", base.as_str().trim_end_matches('/')))
    }

    /// A plan's target for people. A base URL that is not known yet is shown as the template.
    pub(crate) fn show(&self, target: String) -> String {
        match (self, target.strip_prefix(PENDING)) {
            (BaseUrl::Template(template), Some(rest)) => format!("{}{rest}", template.shown),
            _ => target,
        }
    }

    /// Calls `visit` with every expression, and whether it stands inside a longer text.
    pub(crate) fn visit(&self, visit: &mut dyn FnMut(&Expression, bool)) {
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
