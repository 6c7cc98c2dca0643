//! Filling in the values of a base URL: one label of the host, one segment of the path, or the whole origin.

use serde_json::Value;
use url::Url;

use super::rules::{as_written, is_host, is_label_byte, rules};
use super::{Origin, UrlTemplate, Within, expressions};
use crate::plan::{MASK, RenderError};
use crate::template::{Piece, Scope, text_of};

impl UrlTemplate {
    pub(super) fn render(
        &self,
        settings: &Value,
        token: Option<&Value>,
    ) -> Result<Url, RenderError> {
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
        if !self.secrets.is_empty() && origin.path().contains(MASK) {
            return Err(refuse(format!("`{MASK}` would be taken for the secret")));
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

impl Within {
    pub(super) fn holds(&self, host: &str) -> bool {
        match self {
            Within::Itself | Within::Anything => true,
            Within::Domains(domains) => domains.iter().any(|domain| {
                host.strip_suffix(domain.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }),
        }
    }
}

impl Origin {
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
                // If a list of domains restricts the host, one value may be the whole host.
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

/// Settings, and the values that came with the access token.
pub(super) struct UrlScope<'a> {
    settings: &'a Value,
    token: Option<&'a Value>,
}

impl<'a> UrlScope<'a> {
    pub(super) fn new(settings: &'a Value, token: Option<&'a Value>) -> UrlScope<'a> {
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
