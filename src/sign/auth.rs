//! Auth kinds as data: where each puts its credentials into a plan, and which secrets it needs.

use std::borrow::Cow;
use std::sync::Arc;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::hmac::{Hmac, HmacSpec};
use super::oauth::{self, Grant, OauthSpec};
use super::request::Stamper;
use super::secret::{SecretError, SecretRef, SecretSpec, SecretStore};
use super::sigv4::{SigV4, SigV4Spec};
use super::values::Secrets;
use crate::base_url::Context;
use crate::plan::{Credential, Label, Plan, Text, is_reserved, percent_encode, set_header};
use crate::source::{Check, Code, join, join_index};
use crate::template::Expression;

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
    /// An OAuth 2.0 access token (RFC 6749).
    Oauth2(Box<OauthSpec>),
    /// A keyed hash of a message that is composed from parts of the request.
    Hmac(Box<HmacSpec>),
    /// AWS Signature Version 4.
    AwsSigv4(Box<SigV4Spec>),
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
    One(Box<AuthSpec>),
    /// Several.
    Several(Vec<AuthSpec>),
}

/// A service's compiled auth: the placeholders that go into plans, and the secrets behind them.
#[derive(Debug, Default)]
pub(crate) struct Auth {
    headers: Vec<(Label, Text)>,
    query: Vec<(Label, Text)>,
    secrets: Vec<SecretRef>,
    grant: Option<Grant>,
    signers: Arc<Vec<Signer>>,
}

/// An auth kind that computes a value from the whole request.
#[derive(Debug)]
pub(super) enum Signer {
    Hmac(Hmac),
    SigV4(SigV4),
}

impl Auth {
    /// Compiles the section; mistakes go to `check`.
    pub(crate) fn compile(
        spec: Option<&AuthList>,
        pointer: &str,
        context: &Context<'_>,
        check: &Check,
    ) -> Auth {
        let mut auth = Auth::default();
        let mut signers = Vec::new();
        match spec {
            None => {}
            Some(AuthList::One(one)) => auth.add(one, pointer, context, &mut signers, check),
            Some(AuthList::Several(list)) => {
                for (i, one) in list.iter().enumerate() {
                    auth.add(one, &join_index(pointer, i), context, &mut signers, check);
                }
            }
        }
        auth.signers = Arc::new(signers);
        auth
    }

    fn add(
        &mut self,
        spec: &AuthSpec,
        pointer: &str,
        context: &Context<'_>,
        signers: &mut Vec<Signer>,
        check: &Check,
    ) {
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
                    KeyPlace::Query => self.query.push((percent_encode(name).into(), value)),
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
                    Username::Text(text) => Some(Text::Plain(text.clone().into())),
                    Username::Secret(spec) => {
                        let value = self.secret("", spec, &join(pointer, "username"), check);
                        // Without a password, the user name is the key.
                        if let (Some(_), Some(_)) = (&value, password) {
                            let reference = self.secrets.last_mut();
                            reference.into_iter().for_each(|name| name.is_name = true);
                        }
                        value
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
            AuthSpec::Oauth2(spec) => self.add_grant(spec, pointer, context, check),
            AuthSpec::Hmac(spec) => {
                let Some(hmac) = Hmac::compile(spec, pointer, context, &mut self.secrets, check)
                else {
                    return;
                };
                for (name, shown) in hmac.headers() {
                    let at = match spec
                        .headers
                        .keys()
                        .find(|key| key.eq_ignore_ascii_case(name))
                    {
                        Some(key) => join(&join(pointer, "headers"), key),
                        None => join(pointer, "name"),
                    };
                    self.header(
                        name,
                        &at,
                        Text::Credential(Credential::Computed { shown }),
                        check,
                    );
                }
                if let Some((name, shown)) = hmac.query() {
                    let value = Text::Credential(Credential::Computed { shown });
                    self.query.push((percent_encode(name).into(), value));
                }
                signers.push(Signer::Hmac(hmac));
            }
            AuthSpec::AwsSigv4(spec) => {
                let Some(sigv4) = SigV4::compile(spec, pointer, context, &mut self.secrets, check)
                else {
                    return;
                };
                for (name, shown) in sigv4.headers() {
                    let value = Text::Credential(Credential::Computed { shown });
                    self.header(name, pointer, value, check);
                }
                if let Some(secret) = sigv4.session_token() {
                    let mut known = self.secrets.iter();
                    let value = Text::Credential(Credential::Secret {
                        prefix: Cow::Borrowed(""),
                        secret: secret.to_owned().into(),
                        is_variable: known.any(|own| own.name == secret && own.is_variable()),
                    });
                    self.header("x-amz-security-token", pointer, value, check);
                }
                signers.push(Signer::SigV4(sigv4));
            }
        }
    }

    fn add_grant(&mut self, spec: &OauthSpec, pointer: &str, context: &Context<'_>, check: &Check) {
        if self.grant.is_some() {
            return check.error_at_map(
                Code::BadValue,
                pointer,
                "a service can have only one access token, and this is the second",
            );
        }
        if spec
            .prefix
            .chars()
            .any(|c| !(c.is_ascii_graphic() || c == ' '))
        {
            check.error(
                Code::BadHeader,
                &join(pointer, "prefix"),
                "the prefix has a character that is not allowed in a header",
            );
        }
        let value = Text::Credential(Credential::Secret {
            prefix: Cow::Owned(spec.prefix.clone()),
            secret: oauth::ACCESS_TOKEN.into(),
            is_variable: false,
        });
        self.header(&spec.name, &join(pointer, "name"), value, check);
        self.grant = Grant::compile(spec, pointer, context, &mut self.secrets, check);
    }

    fn secret(
        &mut self,
        prefix: &'static str,
        spec: &SecretSpec,
        pointer: &str,
        check: &Check,
    ) -> Option<Text> {
        let reference = SecretRef::compile(spec, pointer, check)?;
        let secret = Label::from(reference.name.clone());
        let is_variable = reference.is_variable();
        self.secrets.push(reference);
        let prefix = Cow::Borrowed(prefix);
        Some(Text::Credential(Credential::Secret {
            prefix,
            secret,
            is_variable,
        }))
    }

    fn header(&mut self, name: &str, pointer: &str, value: Text, check: &Check) {
        let lower = name.to_ascii_lowercase();
        // The header's name is either the last key of the pointer, or the value of the key `name`.
        let report = |code: Code, message: String| match pointer.ends_with(&join("", name)) {
            true => check.error_at_key(code, pointer, message, None),
            false => check.error_at_key_or_value(code, pointer, message),
        };
        if http::header::HeaderName::from_bytes(lower.as_bytes()).is_err() {
            report(Code::BadHeader, format!("`{name}` is no legal header name"));
        }
        if is_reserved(&lower) {
            report(
                Code::BadHeader,
                format!("the header `{name}` belongs to the HTTP connection itself"),
            );
        }
        if self.headers.iter().any(|(other, _)| **other == *lower) {
            report(
                Code::DuplicateKey,
                format!("two credentials would fill the header `{name}`"),
            );
        }
        self.headers.push((lower.into(), value));
    }

    /// The secrets that a call needs.
    pub(crate) fn secrets(&self) -> &[SecretRef] {
        &self.secrets
    }

    /// How the access token is obtained, if the service uses one.
    pub(crate) fn grant(&self) -> Option<&Grant> {
        self.grant.as_ref()
    }

    /// Calls `visit` with every expression, and whether it stands inside a longer text.
    pub(crate) fn visit(&self, visit: &mut dyn FnMut(&Expression, bool)) {
        if let Some(grant) = &self.grant {
            grant.visit(visit);
        }
        for signer in self.signers.iter() {
            match signer {
                Signer::Hmac(hmac) => hmac.visit(visit),
                Signer::SigV4(sigv4) => sigv4.visit(visit),
            }
        }
    }

    /// What signs each try of a request; `None` if no auth kind signs the whole request.
    pub(crate) fn stamper(&self, secrets: &Secrets, settings: &Arc<Value>) -> Option<Stamper> {
        (!self.signers.is_empty()).then(|| Stamper {
            signers: Arc::clone(&self.signers),
            secrets: secrets.clone(),
            settings: Arc::clone(settings),
        })
    }

    /// Whether signing needs the settings.
    pub(crate) fn reads_settings(&self) -> bool {
        self.grant.is_some() || !self.signers.is_empty()
    }

    /// The lower-case names of the headers that carry credentials.
    pub(crate) fn header_names(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(|(name, _)| &**name)
    }

    /// The encoded names of the query parameters that carry credentials.
    pub(crate) fn query_names(&self) -> impl Iterator<Item = &str> {
        self.query.iter().map(|(name, _)| &**name)
    }

    /// Puts the placeholders into a plan.
    pub(crate) fn add_placeholders(&self, plan: &mut Plan) {
        for (name, value) in &self.headers {
            set_header(&mut plan.headers, name, value.clone());
        }
        plan.query.extend(self.query.iter().cloned());
    }

    /// The same request at a URL that the service gave. Our own credentials replace any credentials that the URL
    /// repeats.
    pub(crate) fn aim(&self, mut plan: Plan, url: url::Url) -> Plan {
        plan.query = url
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .filter(|(name, _)| !self.query_names().any(|own| own == *name))
            .map(|(name, value)| {
                let value = Text::Plain(value.to_owned().into());
                (Label::from(name.to_owned()), value)
            })
            .collect();
        let mut target = url;
        target.set_query(None);
        target.set_fragment(None);
        plan.target = target.to_string();
        self.add_placeholders(&mut plan);
        plan
    }

    /// Whether a request carries these credentials, in its headers and query.
    pub(crate) fn is_satisfied<'h>(
        &self,
        secrets: &Secrets,
        header: impl Fn(&str) -> Option<&'h str>,
        query: &str,
    ) -> bool {
        // Values that are computed from the whole request cannot be compared, so they only have to be present.
        let headers = self
            .headers
            .iter()
            .all(|(name, value)| match secrets.reveal(value) {
                Some(value) => header(name) == Some(&*value),
                None => header(name).is_some() || is_left_out(value),
            });
        let pairs = || {
            query
                .split('&')
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        };
        headers
            && self.query.iter().all(|(name, value)| {
                let value = secrets.reveal(value).map(|value| percent_encode(&value));
                pairs().any(|(other, given)| {
                    other == &**name && value.as_deref().is_none_or(|v| v == given)
                })
            })
    }

    /// The same secrets, plus the credentials that are made from them alone and not from the request.
    pub(crate) fn with_sent(&self, secrets: Secrets) -> Secrets {
        let is_made = |value: &&Text| matches!(value, Text::Credential(Credential::Basic { .. }));
        let made = self.headers.iter().map(|(_, value)| value).filter(is_made);
        let made: Vec<String> = made
            .filter_map(|value| Some(secrets.reveal(value)?.into_owned()))
            .collect();
        made.iter()
            .fold(secrets, |all, header| all.with_sent(header))
    }

    /// Finds the values of all secrets.
    ///
    /// # Errors
    /// When one is missing or does not match its pattern.
    pub(crate) fn resolve(&self, store: &SecretStore) -> Result<Secrets, SecretError> {
        Secrets::resolve(&self.secrets, store, None)
    }
}

/// Whether the header is left out when its secret is not set.
fn is_left_out(value: &Text) -> bool {
    matches!(value, Text::Credential(Credential::Secret { .. }))
}
