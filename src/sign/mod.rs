//! Signing: auth kinds as data, and the moment when a plan gets its credentials.
//!
//! An auth kind first *places* named placeholders into a plan, which shows where credentials go; [`sign`] fills
//! them in at the last moment.

mod command;
mod dotenv;
mod error;
mod field;
mod hmac;
mod keyring;
mod oauth;
mod redact;
mod secret;
mod sigv4;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

pub use error::{SignError, TokenError};
pub use field::FieldSpec;
pub use hmac::{Algorithm, Encoding, HmacSpec, KeyEncoding};
pub(crate) use oauth::ACCESS_TOKEN;
pub use oauth::{ClientAuth, Grant, GrantKind, OauthSpec, Token, TokenResponseSpec};
pub use redact::Redactor;
pub use secret::{KeyringSpec, Secret, SecretError, SecretRef, SecretSpec, SecretStore};
pub use sigv4::{Payload, SigV4Spec};

use crate::base_url::Context;
use crate::plan::{Credential, MASK, Method, Plan, Text, is_reserved, percent_encode, set_header};
use crate::source::{Check, Code, join, join_index};
use crate::template::Expression;
use hmac::Hmac;
use sigv4::SigV4;

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
    /// A keyed hash of a message that is composed of the request.
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

/// A service's compiled auth: the placeholders to place, and the secrets behind them.
#[derive(Debug, Default)]
pub struct Auth {
    headers: Vec<(String, Text)>,
    query: Vec<(String, Text)>,
    secrets: Vec<SecretRef>,
    grant: Option<Grant>,
    signers: Arc<Vec<Signer>>,
}

/// An auth kind that computes from the whole request.
#[derive(Debug)]
enum Signer {
    Hmac(Hmac),
    SigV4(SigV4),
}

impl Auth {
    /// Compiles the section; mistakes go to `check`.
    pub fn compile(
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
                        let value = self.secret("", spec, &join(pointer, "username"), check);
                        // Without a password the user name is the key.
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
                    self.query.push((percent_encode(name), value));
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
                        secret: secret.to_owned(),
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
                "a service has one access token at the most, and this would be its second",
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
                "the prefix has a character that cannot stand in a header",
            );
        }
        let value = Text::Credential(Credential::Secret {
            prefix: Cow::Owned(spec.prefix.clone()),
            secret: oauth::ACCESS_TOKEN.to_owned(),
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
        let secret = reference.name.clone();
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
        // The name is the key, or the value of the key `name`.
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
        if self.headers.iter().any(|(other, _)| *other == lower) {
            report(
                Code::DuplicateKey,
                format!("two credentials would fill the header `{name}`"),
            );
        }
        self.headers.push((lower, value));
    }

    /// The secrets that a call needs.
    pub fn secrets(&self) -> &[SecretRef] {
        &self.secrets
    }

    /// How an access token is obtained, where one is.
    pub fn grant(&self) -> Option<&Grant> {
        self.grant.as_ref()
    }

    /// Calls `visit` with every expression, and whether it stands inside a longer text.
    pub fn visit(&self, visit: &mut dyn FnMut(&Expression, bool)) {
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

    /// What signs each try of a request; `None` where nothing depends on the whole of it.
    pub fn stamper(&self, secrets: &Secrets, settings: &Arc<Value>) -> Option<Stamper> {
        (!self.signers.is_empty()).then(|| Stamper {
            signers: Arc::clone(&self.signers),
            secrets: secrets.clone(),
            settings: Arc::clone(settings),
        })
    }

    /// Whether signing needs the settings.
    pub fn reads_settings(&self) -> bool {
        self.grant.is_some() || !self.signers.is_empty()
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

    /// The same request at a URL that the service gave, with our own credentials and not those that it may repeat.
    pub fn aim(&self, mut plan: Plan, url: url::Url) -> Plan {
        plan.query = url
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .filter(|(name, _)| !self.query_names().any(|own| own == *name))
            .map(|(name, value)| (name.to_owned(), Text::Plain(value.to_owned())))
            .collect();
        let mut target = url;
        target.set_query(None);
        target.set_fragment(None);
        plan.target = target.to_string();
        self.place(&mut plan);
        plan
    }

    /// Whether a request carries these credentials, in its headers and query.
    pub fn is_satisfied<'h>(
        &self,
        secrets: &Secrets,
        header: impl Fn(&str) -> Option<&'h str>,
        query: &str,
    ) -> bool {
        // What is computed from the whole request is only looked for.
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
                    other == name && value.as_deref().is_none_or(|v| v == given)
                })
            })
    }

    /// The same secrets, with the credentials that are made of them and not of the request.
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
    /// When one is missing or unlike its pattern.
    pub fn resolve(&self, store: &SecretStore) -> Result<Secrets, SecretError> {
        Secrets::resolve(&self.secrets, store, None)
    }
}

/// Whether a header is not sent when its secret is not there.
fn is_left_out(value: &Text) -> bool {
    matches!(value, Text::Credential(Credential::Secret { .. }))
}

/// The values of a service's secrets, by name.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    values: HashMap<String, Secret>,
    /// Those that are user names and no secrets.
    names: Vec<String>,
    /// What is made of secrets and sent, such as the credentials of `Basic`.
    sent: Vec<Secret>,
}

impl Secrets {
    /// Finds the values of secrets.
    ///
    /// # Errors
    /// When one is missing or unlike its pattern.
    pub fn resolve(
        references: &[SecretRef],
        store: &SecretStore,
        until: Option<Instant>,
    ) -> Result<Secrets, SecretError> {
        let mut values = HashMap::with_capacity(references.len());
        for reference in references {
            if let Some(value) = store.resolve_optional(reference, until)? {
                values.insert(reference.name.clone(), value);
            }
        }
        let is_secret = |name: &str| references.iter().any(|r| r.name == name && !r.is_name);
        let names = values.keys().filter(|name| !is_secret(name));
        Ok(Secrets {
            names: names.cloned().collect(),
            values,
            sent: Vec::new(),
        })
    }

    /// The values that nothing may show.
    pub(crate) fn to_mask(&self) -> impl Iterator<Item = &Secret> {
        let values = self.values.iter();
        let secret = values.filter(|(name, _)| !self.names.contains(name));
        secret.map(|(_, value)| value).chain(&self.sent)
    }

    /// The same secrets, and what a header with credentials holds behind its scheme, which must be masked too.
    pub(crate) fn with_sent(mut self, header: &str) -> Secrets {
        let credentials = header.split_once(' ').map_or(header, |(_, text)| text);
        if self.to_mask().all(|known| known.expose() != credentials) {
            self.sent.push(Secret::new(credentials));
        }
        self
    }

    /// The value of a secret.
    pub(crate) fn expose(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(Secret::expose)
    }

    /// The same secrets with what a token endpoint gave. The access token before is kept: a service may still repeat
    /// it, and it must be masked.
    pub(crate) fn renewed(mut self, token: Token) -> Secrets {
        let before = self
            .values
            .insert(oauth::ACCESS_TOKEN.to_owned(), token.access);
        let kept = [
            (oauth::FORMER_TOKEN, before),
            (oauth::ROTATED_TOKEN, token.rotated),
        ];
        for (name, value) in kept {
            if let Some(value) = value {
                self.values.insert(name.to_owned(), value);
            }
        }
        self
    }

    /// A text with its secrets in it; `None` where a secret is not set, or the value is computed later.
    fn reveal<'s>(&'s self, text: &'s Text) -> Option<Cow<'s, str>> {
        match text {
            Text::Plain(text) => Some(text.into()),
            // A settled plan has none.
            Text::Generated(generated) => Some(generated.to_string().into()),
            Text::Credential(Credential::Secret { prefix, secret, .. }) => {
                let value = self.expose(secret)?;
                Some(match prefix.is_empty() {
                    true => value.into(),
                    false => format!("{prefix}{value}").into(),
                })
            }
            Text::Credential(Credential::Basic { username, password }) => {
                let password = match password {
                    Some(name) => self.expose(name)?,
                    None => "",
                };
                let pair = format!("{}:{password}", self.reveal(username)?);
                Some(format!("Basic {}", STANDARD.encode(pair)).into())
            }
            Text::Credential(Credential::Computed { .. }) => None,
        }
    }
}

/// What signs a request, each time that it is sent: with the time of that moment.
pub struct Stamper {
    signers: Arc<Vec<Signer>>,
    secrets: Secrets,
    settings: Arc<Value>,
}

/// A request with its credentials in it. It has no `Debug`: nothing may print it.
#[derive(Clone)]
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
    /// What signs each try of it.
    pub(crate) stamper: Option<Arc<Stamper>>,
    /// Whether a redirect on the same origin is followed. A signature would be wrong there.
    pub(crate) follows_redirects: bool,
}

impl SignedRequest {
    /// Whether a part of the answer is asked for.
    pub(crate) fn asks_for_range(&self) -> bool {
        self.headers
            .iter()
            .any(|(name, ..)| name.eq_ignore_ascii_case("range"))
    }

    /// The request for one try: signed as it stands, by each signer in order.
    ///
    /// # Errors
    /// When a key cannot be read, or an expression fails.
    pub fn stamped(&self) -> Result<Cow<'_, SignedRequest>, SignError> {
        self.stamped_at(jiff::Timestamp::now())
    }

    fn stamped_at(&self, now: jiff::Timestamp) -> Result<Cow<'_, SignedRequest>, SignError> {
        let Some(stamper) = &self.stamper else {
            return Ok(Cow::Borrowed(self));
        };
        let mut request = self.clone();
        let (secrets, settings) = (&stamper.secrets, &*stamper.settings);
        for signer in stamper.signers.iter() {
            match signer {
                Signer::Hmac(hmac) => hmac.stamp(&mut request, secrets, settings, now)?,
                Signer::SigV4(sigv4) => sigv4.stamp(&mut request, secrets, settings, now)?,
            }
        }
        Ok(Cow::Owned(request))
    }

    /// The values of the headers that carry credentials.
    pub(crate) fn credentials(&self) -> impl Iterator<Item = &str> {
        let secret = self.headers.iter().filter(|(_, _, is_secret)| *is_secret);
        secret.map(|(_, value, _)| value.as_str())
    }

    /// Header fields, secrets masked.
    pub fn masked_headers(&self) -> Vec<(String, String)> {
        self.headers
            .iter()
            .map(|(name, value, is_secret)| match is_secret {
                true => (name.clone(), MASK.to_owned()),
                false => (name.clone(), value.clone()),
            })
            .collect()
    }

    /// The host with its port, as the header `host` will have it.
    fn host(&self) -> String {
        let Ok(url) = url::Url::parse(&self.target) else {
            return String::new();
        };
        let host = url.host_str().unwrap_or_default();
        match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    fn set_header(&mut self, name: &str, value: String) {
        match self.headers.iter_mut().find(|(other, ..)| other == name) {
            Some(field) => *field = (name.to_owned(), value, true),
            None => self.headers.push((name.to_owned(), value, true)),
        }
    }
}

/// Fills in the plan's credentials; those that depend on the whole request are left to `stamper`.
pub fn sign(
    plan: &Plan,
    body: Option<&Bytes>,
    secrets: &Secrets,
    stamper: Option<Stamper>,
) -> SignedRequest {
    let mut query = String::new();
    for (name, value) in &plan.query {
        let value = match value {
            Text::Plain(encoded) => Cow::Borrowed(encoded.as_str()),
            credential => match secrets.reveal(credential) {
                Some(value) => Cow::Owned(percent_encode(&value)),
                None => continue,
            },
        };
        if !query.is_empty() {
            query.push('&');
        }
        query.push_str(name);
        query.push('=');
        query.push_str(&value);
    }
    SignedRequest {
        method: plan.method,
        target: plan.target.clone(),
        query,
        headers: plan
            .headers
            .iter()
            .filter_map(|(name, value)| {
                let secret = matches!(value, Text::Credential(_));
                Some((name.clone(), secrets.reveal(value)?.into_owned(), secret))
            })
            .collect(),
        body: body.cloned(),
        follows_redirects: stamper.is_none(),
        stamper: stamper.map(Arc::new),
    }
}

/// Bytes in hex, lower case.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;
    use crate::source::Source;
    use crate::template::Names;

    /// A POST with a query and a body, signed by one auth kind at 2015-08-30T12:36:00Z. Every secret but TOKEN is
    /// set, to `canary-` and its name.
    pub fn signed_at_the_time_of_the_vectors(kind: &str, mut spec: Value) -> SignedRequest {
        spec["kind"] = kind.into();
        let check = Check::new(Source::parse("t".into(), "a: 1".into()).unwrap());
        let settings = serde_json::from_value(json!({ "region": {} })).unwrap();
        let context = Context {
            names: &Names::default().with_members("settings", ["region"]),
            settings: &settings,
            settings_pointer: "/settings",
            allow_private: false,
        };
        let spec: AuthList = serde_json::from_value(spec).unwrap();
        let auth = Auth::compile(Some(&spec), "/auth", &context, &check);
        let told: Vec<String> = check
            .into_findings()
            .iter()
            .map(|f| f.message.clone())
            .collect();
        assert_eq!(told, [""; 0]);
        let mut store = SecretStore::default();
        store.seal();
        for name in ["ID", "KEY"] {
            store.give(name, Secret::new(format!("canary-{name}")));
        }
        let secrets = auth.resolve(&store).unwrap();
        let plain = |name: &str, value: &str| (name.to_owned(), Text::Plain(value.to_owned()));
        let mut plan = Plan {
            method: Method::Post,
            target: "https://api.test:8443/v1/a%20b".to_owned(),
            query: vec![plain("q", "1")],
            headers: vec![
                plain("accept", "application/json"),
                plain("user-agent", "x"),
                plain("content-type", "application/json"),
            ],
            body: None,
            idempotent: false,
        };
        auth.place(&mut plan);
        let stamper = auth.stamper(&secrets, &Arc::new(json!({ "region": "eu-1" })));
        let now = "2015-08-30T12:36:00Z".parse().unwrap();
        let body = Bytes::from_static(br#"{"a":1}"#);
        sign(&plan, Some(&body), &secrets, stamper)
            .stamped_at(now)
            .unwrap()
            .into_owned()
    }

    fn lines(signed: &SignedRequest) -> Vec<String> {
        let fields = signed
            .headers
            .iter()
            .map(|(name, value, _)| format!("{name}: {value}"));
        std::iter::once(format!("?{}", signed.query))
            .chain(fields.skip(3))
            .collect()
    }

    #[test]
    fn messages_are_composed_and_signed() {
        let basic = STANDARD.encode(
            "me:aa6df9319170f72518f5a26dab8a308ace398ef435236a5d4820882eb4d1b1acc4eae7eb9d8d3f8856236b6504a3945988a11390bf\
             88de856fcb47d60ff6d134",
        );
        // The expected values are OpenSSL's, such as
        // printf 'POST\n/v1/a%%20b\nq=1\n{"a":1}\n1440938160' | openssl dgst -sha256 -hmac canary-KEY
        for (spec, expected) in [
            (
                json!({
                    "algorithm": "sha256", "secret": { "env": "KEY" }, "name": "X-Signature", "prefix": "v1=",
                    "message": "{{ method }}\n{{ path }}\n{{ query }}\n{{ body }}\n{{ timestamp }}",
                    "headers": { "X-Timestamp": "{{ timestamp }}" },
                }),
                vec![
                    "?q=1".to_owned(),
                    "x-timestamp: 1440938160".to_owned(),
                    "x-signature: v1=7f00ae709f70bc44fa0ed90df4d1b1acd83500ec90e6ca2754acc68b53d0fcde".to_owned(),
                ],
            ),
            (
                json!({
                    "algorithm": "sha1", "secret": { "env": "KEY" }, "encoding": "base64", "in": "query", "name": "sig",
                    "message": "{{ url }}|{{ host }}|{{ settings.region }}|{{ key_id }}|{{ http_date }}|{{ body_sha256 }}",
                    "key_id": { "env": "ID" },
                }),
                vec!["?q=1&sig=Swb7hKXodKjZvLx6IlIDMPcHjjc%3D".to_owned()],
            ),
            (
                json!({
                    "algorithm": "sha512", "secret": { "env": "KEY" }, "message": "{{ timestamp_ms }}",
                    "key_id": "me", "headers": { "authorization": "Basic {{ (key_id ~ ':' ~ signature) | b64encode }}" },
                }),
                vec!["?q=1".to_owned(), format!("authorization: Basic {basic}")],
            ),
        ] {
            assert_eq!(
                lines(&signed_at_the_time_of_the_vectors("hmac", spec)),
                expected
            );
        }
    }
}
