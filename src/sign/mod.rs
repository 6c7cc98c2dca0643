//! Signing: auth kinds as data, and the moment when a plan gets its credentials.
//!
//! An auth kind first *places* named placeholders into a plan, which shows where credentials go; [`sign`] fills
//! them in at the last moment.

mod redact;
mod secret;

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

pub use redact::Redactor;
pub use secret::{Secret, SecretError, SecretRef, SecretSpec, SecretStore};

use crate::descriptor::code::Code;
use crate::descriptor::source::{Check, join, join_index};
use crate::plan::{
    Credential, Method, Plan, Settled, Text, is_reserved, percent_encode, set_header,
};

/// How requests are authenticated.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum AuthSpec {
    /// No credential.
    None {},
    /// A key in a header or query parameter.
    ApiKey {
        /// Where the key goes.
        #[serde(rename = "in")]
        place: KeyPlace,
        /// The name of the header or query parameter.
        name: String,
        /// The key.
        secret: SecretSpec,
    },
    /// `Authorization: Bearer TOKEN` (RFC 6750).
    Bearer {
        /// The token.
        secret: SecretSpec,
    },
    /// `Authorization: Basic ...` (RFC 7617).
    Basic {
        /// The user name: text, or a secret.
        username: Username,
        /// The password; empty when absent.
        password: Option<SecretSpec>,
    },
    /// Several secret headers.
    Headers {
        /// From the header's name to its secret.
        headers: IndexMap<String, SecretSpec>,
    },
}

/// Where an API key goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyPlace {
    /// A request header.
    Header,
    /// A query parameter.
    Query,
}

/// The user name of basic credentials.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Username {
    /// The name itself.
    Text(String),
    /// A secret that holds the name.
    Secret(SecretSpec),
}

/// One auth kind, or several that are applied in order.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AuthList {
    /// One.
    One(AuthSpec),
    /// Several.
    Several(Vec<AuthSpec>),
}

/// A service's compiled auth: the placeholders to place, and the secrets behind them.
#[derive(Debug, Default)]
pub struct Auth {
    headers: Vec<(String, Text)>,
    query: Vec<(String, Text)>,
    secrets: Vec<SecretRef>,
}

impl Auth {
    /// Compiles the section; mistakes go to `check`.
    pub fn compile(spec: Option<&AuthList>, pointer: &str, check: &Check) -> Auth {
        let mut auth = Auth::default();
        match spec {
            None => {}
            Some(AuthList::One(one)) => auth.add(one, pointer, check),
            Some(AuthList::Several(list)) => {
                for (i, one) in list.iter().enumerate() {
                    auth.add(one, &join_index(pointer, i), check);
                }
            }
        }
        auth
    }

    fn add(&mut self, spec: &AuthSpec, pointer: &str, check: &Check) {
        match spec {
            AuthSpec::None {} => {}
            AuthSpec::ApiKey {
                place,
                name,
                secret,
            } => {
                let Some(value) = self.secret("", secret, &join(pointer, "secret"), check) else {
                    return;
                };
                match place {
                    KeyPlace::Header => {
                        self.header(name, &join(pointer, "name"), value, check);
                    }
                    KeyPlace::Query => self.query.push((percent_encode(name), value)),
                }
            }
            AuthSpec::Bearer { secret } => {
                if let Some(value) = self.secret("Bearer ", secret, &join(pointer, "secret"), check)
                {
                    self.header("authorization", pointer, value, check);
                }
            }
            AuthSpec::Basic { username, password } => {
                let username = match username {
                    Username::Text(text) => Some(Text::Plain(text.clone())),
                    Username::Secret(spec) => {
                        self.secret("", spec, &join(pointer, "username"), check)
                    }
                };
                let password = password.as_ref().and_then(|spec| {
                    let reference = SecretRef::compile(spec, &join(pointer, "password"), check)?;
                    let name = reference.name.clone();
                    self.secrets.push(reference);
                    Some(name)
                });
                if let Some(username) = username {
                    let value = Text::Credential(Credential::Basic {
                        username: Box::new(username),
                        password,
                    });
                    self.header("authorization", pointer, value, check);
                }
            }
            AuthSpec::Headers { headers } => {
                for (name, spec) in headers {
                    let at = join(&join(pointer, "headers"), name);
                    if let Some(value) = self.secret("", spec, &at, check) {
                        self.header(name, &at, value, check);
                    }
                }
            }
        }
    }

    fn secret(
        &mut self,
        prefix: &'static str,
        spec: &SecretSpec,
        pointer: &str,
        check: &Check,
    ) -> Option<Text> {
        let reference = SecretRef::compile(spec, pointer, check)?;
        let secret = reference.name.clone();
        self.secrets.push(reference);
        Some(Text::Credential(Credential::Secret { prefix, secret }))
    }

    fn header(&mut self, name: &str, pointer: &str, value: Text, check: &Check) {
        let lower = name.to_ascii_lowercase();
        if reqwest::header::HeaderName::from_bytes(lower.as_bytes()).is_err() {
            check.error_at_key_or_value(
                Code::BadHeader,
                pointer,
                format!("`{name}` is no legal header name"),
            );
        }
        if is_reserved(&lower) {
            check.error_at_key_or_value(
                Code::BadHeader,
                pointer,
                format!("the header `{name}` belongs to the HTTP connection itself"),
            );
        }
        if self.headers.iter().any(|(other, _)| *other == lower) {
            check.error_at_key_or_value(
                Code::DuplicateKey,
                pointer,
                format!("two credentials would fill the header `{name}`"),
            );
        }
        self.headers.push((lower, value));
    }

    /// The secrets that a call needs.
    pub fn secrets(&self) -> &[SecretRef] {
        &self.secrets
    }

    /// The lower-case names of the headers that carry credentials.
    pub fn header_names(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(|(name, _)| name.as_str())
    }

    /// The encoded names of the query parameters that carry credentials.
    pub fn query_names(&self) -> impl Iterator<Item = &str> {
        self.query.iter().map(|(name, _)| name.as_str())
    }

    /// Puts the placeholders into a plan.
    pub fn place(&self, plan: &mut Plan) {
        for (name, value) in &self.headers {
            set_header(&mut plan.headers, name, value.clone());
        }
        plan.query.extend(self.query.iter().cloned());
    }

    /// Whether a request carries these credentials, in its headers and query.
    pub fn is_satisfied<'h>(
        &self,
        secrets: &Secrets,
        header: impl Fn(&str) -> Option<&'h str>,
        query: &str,
    ) -> bool {
        let headers = self
            .headers
            .iter()
            .all(|(name, value)| header(name) == Some(&*secrets.reveal(value)));
        let in_query = |name: &str, value: &str| {
            query
                .split('&')
                .any(|pair| pair.split_once('=') == Some((name, value)))
        };
        headers
            && self
                .query
                .iter()
                .all(|(name, value)| in_query(name, &percent_encode(&secrets.reveal(value))))
    }

    /// Finds the values of all secrets.
    ///
    /// # Errors
    /// When one is missing or unlike its pattern.
    pub fn resolve(&self, store: &SecretStore) -> Result<Secrets, SecretError> {
        let mut values = HashMap::with_capacity(self.secrets.len());
        for reference in &self.secrets {
            values.insert(reference.name.clone(), store.resolve(reference)?);
        }
        Ok(Secrets(values))
    }
}

/// The values of a service's secrets, by name.
#[derive(Debug, Clone, Default)]
pub struct Secrets(HashMap<String, Secret>);

impl Secrets {
    /// The values.
    pub fn values(&self) -> impl Iterator<Item = &Secret> {
        self.0.values()
    }

    fn reveal<'s>(&'s self, text: &'s Text) -> std::borrow::Cow<'s, str> {
        match text {
            Text::Plain(text) => text.into(),
            // A settled plan has none.
            Text::Generated(generated) => generated.to_string().into(),
            Text::Credential(Credential::Secret { prefix, secret }) => {
                let value = self.0.get(secret).map_or("", Secret::expose);
                if prefix.is_empty() {
                    value.into()
                } else {
                    format!("{prefix}{value}").into()
                }
            }
            Text::Credential(Credential::Basic { username, password }) => {
                let password = password
                    .as_ref()
                    .and_then(|name| self.0.get(name))
                    .map_or("", Secret::expose);
                let pair = format!("{}:{password}", self.reveal(username));
                format!("Basic {}", STANDARD.encode(pair)).into()
            }
        }
    }
}

/// A request with its credentials in it. It has no `Debug`: nothing may print it.
pub struct SignedRequest {
    /// The HTTP method.
    pub method: Method,
    /// Scheme, authority and path.
    pub target: String,
    /// The query, percent-encoded, without its `?`.
    pub query: String,
    /// Header fields, and whether each carries a credential.
    pub headers: Vec<(String, String, bool)>,
    /// The body's bytes.
    pub body: Option<Bytes>,
}

/// Fills in the plan's credentials.
pub fn sign(settled: &Settled<'_>, secrets: &Secrets) -> SignedRequest {
    let plan = &settled.plan;
    let mut query = String::new();
    for (name, value) in &plan.query {
        if !query.is_empty() {
            query.push('&');
        }
        query.push_str(name);
        query.push('=');
        match value {
            Text::Plain(encoded) => query.push_str(encoded),
            credential => query.push_str(&percent_encode(&secrets.reveal(credential))),
        }
    }
    SignedRequest {
        method: plan.method,
        target: plan.target.clone(),
        query,
        headers: plan
            .headers
            .iter()
            .map(|(name, value)| {
                let secret = matches!(value, Text::Credential(_));
                (name.clone(), secrets.reveal(value).into_owned(), secret)
            })
            .collect(),
        body: settled.body.clone(),
    }
}
