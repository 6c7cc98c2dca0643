//! The issuer of access tokens: callers whom the file does not name prove by a token of the issuer who they are.

use url::Url;

use super::Allowance;
use super::spec::IssuerSpec;
use crate::address::is_loopback;
use crate::source::{Check, Code};

/// Whose tokens are taken, and which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Issuer {
    /// What the tokens name as their issuer.
    pub issuer: String,
    /// The same as a URL.
    pub url: Url,
    /// The server as its clients know it.
    pub resource: Url,
    /// What the tokens must name as their audience.
    pub audience: String,
    /// What each token must allow.
    pub scopes: Vec<String>,
    /// Where the keys are; found by the issuer's metadata, if `None`.
    pub jwks: Option<Url>,
    /// How much each caller may do.
    pub allowance: Allowance,
}

impl Issuer {
    /// Mistakes go to `check`.
    pub(super) fn compile(spec: &IssuerSpec, check: &Check) -> Option<Issuer> {
        let place = |key: &str| format!("/oauth/{key}");
        let url = self::url(&spec.issuer, &place("issuer"), check);
        let resource = self::url(&spec.resource, &place("resource"), check);
        let jwks = match &spec.jwks_uri {
            None => None,
            Some(text) => Some(self::url(text, &place("jwks_uri"), check)?),
        };
        for (at, scope) in spec.scopes.iter().enumerate() {
            let is_legal = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            if scope.is_empty() || !scope.bytes().all(is_legal) {
                let message = "a scope is one word, without quotes and backslashes";
                check.error(Code::BadValue, &format!("/oauth/scopes/{at}"), message);
            }
        }
        if spec.audience.as_deref() == Some("") {
            let message = "without an audience, tokens for other servers would be taken";
            check.error(Code::BadValue, &place("audience"), message);
        }
        Some(Issuer {
            issuer: spec.issuer.clone(),
            url: url?,
            resource: resource?,
            audience: spec
                .audience
                .clone()
                .unwrap_or_else(|| spec.resource.clone()),
            scopes: spec.scopes.clone(),
            jwks,
            allowance: Allowance {
                concurrency: spec.concurrency,
                rate: spec.rate,
            },
        })
    }

    /// The name and port by which clients call the server.
    pub(crate) fn host(&self) -> String {
        let host = self.resource.host_str().unwrap_or_default();
        match self.resource.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }
}

/// Whether keys may be fetched from here: nobody on the way may change them.
pub(crate) fn is_safe(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url))
}

fn url(text: &str, pointer: &str, check: &Check) -> Option<Url> {
    let found = Url::parse(text).ok().filter(|url| {
        is_safe(url)
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    });
    if found.is_none() {
        let message = "this must be an https URL without a query, a fragment or credentials; http is taken for this machine alone";
        check.error(Code::BadValue, pointer, message);
    }
    found
}
