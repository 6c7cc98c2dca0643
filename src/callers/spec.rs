//! The typed form of a file of callers.

use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::format::{FileSchema, SpecVersion, generate};

/// The schema of a file of callers.
pub(crate) static CALLERS: LazyLock<FileSchema> = LazyLock::new(|| {
    FileSchema::new(
        "callers.schema.json",
        "CallersSpec",
        generate::<CallersSpec>(),
    )
});

/// Who may call the tools over HTTP.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    title = "toolrun callers",
    description = "The callers of a server over HTTP: who they are, how each one proves it, and how much each one may do."
)]
pub(crate) struct CallersSpec {
    /// The version of the format.
    #[expect(dead_code, reason = "it is checked when the file is read")]
    pub callers: SpecVersion,
    /// What it is for, for people.
    #[expect(dead_code, reason = "it is for those who read the file")]
    pub description: Option<String>,
    /// The callers who have a token.
    #[serde(default)]
    pub tokens: Vec<TokenSpec>,
    /// Takes access tokens of an OAuth 2.1 issuer too: the server is a protected resource of it.
    pub oauth: Option<IssuerSpec>,
}

/// Whose access tokens are taken: JSON Web Tokens with the signature of an issuer.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IssuerSpec {
    /// The issuer's URL, exactly as its tokens have it.
    pub issuer: String,
    /// The URL of this server, as clients know it, such as https://tools.example.com/mcp.
    pub resource: String,
    /// What tokens must name as their audience; the resource, when absent.
    pub audience: Option<String>,
    /// What every token must allow.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The URL of the issuer's keys; found by its metadata, when absent.
    pub jwks_uri: Option<String>,
    /// How many calls of each caller run at once, at most.
    #[schemars(range(min = 1, max = 100_000))]
    pub concurrency: Option<u32>,
    /// How many requests each caller may send in a minute.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub rate: Option<u32>,
}

/// A caller who has a token. `toolrun callers add` makes the token and writes the entry.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenSpec {
    /// The name by which policies and logs know the caller.
    pub name: String,
    /// The SHA-256 of the token: `sha256:` and 64 hexadecimal digits. The token itself stands nowhere.
    pub token: String,
    /// What else is known about the caller, such as its team. Policies see it as `caller.claims`.
    #[serde(default)]
    pub claims: Map<String, Value>,
    /// How many calls of the caller run at once, at most.
    #[schemars(range(min = 1, max = 100_000))]
    pub concurrency: Option<u32>,
    /// How many requests the caller may send in a minute.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub rate: Option<u32>,
    /// When the token ends: a day, such as 2027-01-31 (it begins at midnight UTC), or a time, such as 2027-01-31T18:00:00Z.
    pub expires: Option<String>,
    /// Whether the caller may read `/metrics`.
    #[serde(default)]
    pub metrics: bool,
}
