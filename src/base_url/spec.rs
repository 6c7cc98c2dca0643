//! The form of a base URL in a descriptor.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::plan::Scalar;

/// The URL that all requests are below: a text, or a text with the domains that it must be within.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum UrlSpec {
    /// The URL. In its host, the text behind the last `{{ expression }}` must contain a registrable domain, such as
    /// `.example.com`.
    Text(String),
    /// The URL and its domains.
    Within(UrlWithin),
}

/// A URL and the domains that it must be within, for all values of its expressions.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UrlWithin {
    /// The URL; an expression may be its whole origin.
    pub url: String,
    /// The domains that the host must be one of or be below; `any` for a service that users host themselves.
    pub within: WithinSpec,
}

/// Where a URL may lead.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum WithinSpec {
    /// Anywhere.
    Any(Anywhere),
    /// These domains and their subdomains.
    Domains(#[schemars(length(min = 1))] Vec<String>),
}

/// No domain in particular.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Anywhere {
    /// Any domain.
    Any,
}

/// A named value that a user may override.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettingSpec {
    /// What it is for.
    #[allow(dead_code, reason = "for those who read the file")]
    pub description: Option<String>,
    /// The value if the user gives no other.
    pub default: Option<Scalar>,
    /// The value in examples, if there is no default.
    pub example: Option<Scalar>,
    /// The environment variable that overrides it.
    #[schemars(regex(pattern = "^[A-Z_][A-Z0-9_]*$"))]
    pub env: Option<String>,
    /// A regular expression that the value must match.
    pub pattern: Option<String>,
}
