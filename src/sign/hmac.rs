//! Requests signed by a keyed hash of a message. The descriptor says how the message is composed.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use indexmap::IndexMap;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::field::{Field, FieldSpec, Line};
use super::{
    KeyPlace, SecretError, SecretRef, SecretSpec, Secrets, SignError, SignedRequest, hex, sha256,
};
use crate::base_url::Context;
use crate::plan::{RenderError, percent_encode};
use crate::source::{Check, Code, join};
use crate::template::{Expression, Scope};

/// A signature: a keyed hash (RFC 2104) of a message that is composed from parts of the request.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HmacSpec {
    /// The hash.
    pub algorithm: Algorithm,
    /// The key.
    pub secret: SecretSpec,
    /// How the key is written.
    #[serde(default)]
    pub key_encoding: KeyEncoding,
    /// The id of the key, which expressions reach as `key_id`: text or a secret.
    pub key_id: Option<FieldSpec>,
    /// What is signed: text with expressions over `method`, `url`, `host`, `path`, `query`, `body`, `body_sha256` (in
    /// hex), `timestamp` (seconds since 1970), `timestamp_ms`, `http_date`, `nonce`, `key_id` and `settings`.
    pub message: String,
    /// How the signature is written.
    #[serde(default)]
    pub encoding: Encoding,
    /// Where the signature goes.
    #[serde(rename = "in", default = "in_header")]
    pub place: KeyPlace,
    /// The name of the header or query parameter; without one, the signature goes only where `headers` put it.
    pub name: Option<String>,
    /// Text in front of the signature, with the same expressions as `message`.
    #[serde(default)]
    pub prefix: String,
    /// Further headers, with the same expressions as `message` and `signature`.
    #[serde(default)]
    pub headers: IndexMap<String, String>,
    /// Whether requests go out unsigned when none of the secrets is set.
    #[serde(default)]
    pub optional: bool,
}

fn in_header() -> KeyPlace {
    KeyPlace::Header
}

/// A hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// SHA-1, which only old services still require.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    fn of_ring(self) -> hmac::Algorithm {
        match self {
            Algorithm::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Algorithm::Sha256 => hmac::HMAC_SHA256,
            Algorithm::Sha384 => hmac::HMAC_SHA384,
            Algorithm::Sha512 => hmac::HMAC_SHA512,
        }
    }
}

/// How a key is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyEncoding {
    /// As plain text.
    #[default]
    Text,
    /// In base64.
    Base64,
    /// In hex.
    Hex,
}

impl KeyEncoding {
    fn decode(self, key: &str) -> Option<Vec<u8>> {
        match self {
            KeyEncoding::Text => Some(key.as_bytes().to_vec()),
            KeyEncoding::Base64 => STANDARD
                .decode(key)
                .or_else(|_| URL_SAFE_NO_PAD.decode(key))
                .ok(),
            KeyEncoding::Hex => key
                .as_bytes()
                .chunks(2)
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
                .collect::<Option<Vec<u8>>>()
                .filter(|_| key.len().is_multiple_of(2)),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            KeyEncoding::Text => "text",
            KeyEncoding::Base64 => "base64",
            KeyEncoding::Hex => "hex",
        }
    }
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// In hex, lower case.
    #[default]
    Hex,
    /// In base64.
    Base64,
    /// In base64 with the alphabet of URLs, padded.
    Base64url,
}

impl Encoding {
    fn encode(self, bytes: &[u8]) -> String {
        match self {
            Encoding::Hex => hex(bytes),
            Encoding::Base64 => STANDARD.encode(bytes),
            Encoding::Base64url => URL_SAFE.encode(bytes),
        }
    }
}

/// A compiled signature.
#[derive(Debug)]
pub(crate) struct Hmac {
    algorithm: Algorithm,
    secret: String,
    key_encoding: KeyEncoding,
    key_id: Option<Field>,
    message: Line,
    encoding: Encoding,
    place: KeyPlace,
    name: Option<String>,
    prefix: Line,
    headers: Vec<(String, Line)>,
}

/// The names that expressions may use in addition to `settings` and `key_id`.
const NAMES: [&str; 11] = [
    "method",
    "url",
    "host",
    "path",
    "query",
    "body",
    "body_sha256",
    "timestamp",
    "timestamp_ms",
    "http_date",
    "nonce",
];

impl Hmac {
    /// Compiles the section and adds its secrets to `secrets`; mistakes go to `check`.
    pub(crate) fn compile(
        spec: &HmacSpec,
        pointer: &str,
        context: &Context<'_>,
        secrets: &mut Vec<SecretRef>,
        check: &Check,
    ) -> Option<Hmac> {
        let at = |key: &str| join(pointer, key);
        let reference = SecretRef::compile(&spec.secret, &at("secret"), check);
        let key_id = spec
            .key_id
            .as_ref()
            .and_then(|field| Field::compile(field, &at("key_id"), context.names, secrets, check));
        let mut names = NAMES
            .iter()
            .fold(context.names.clone(), |names, name| names.with(name));
        if spec.key_id.is_some() {
            names = names.with("key_id");
        }
        let message = Line::compile(&spec.message, &at("message"), &names, check);
        let mut is_constant = true;
        message.visit(&mut |_, _| is_constant = false);
        if is_constant {
            check.error_with_help(
                Code::BadValue,
                &at("message"),
                "the message is the same for every request",
                "compose it from the request, such as \"{{ method }}\\n{{ path }}\\n{{ timestamp }}\"",
            );
        }
        let prefix = Line::compile(&spec.prefix, &at("prefix"), &names, check);
        names = names.with("signature");
        let headers: Vec<(String, Line)> = spec
            .headers
            .iter()
            .map(|(name, text)| {
                let at = join(&at("headers"), name);
                (
                    name.to_ascii_lowercase(),
                    Line::compile(text, &at, &names, check),
                )
            })
            .collect();
        let goes_anywhere =
            spec.name.is_some() || headers.iter().any(|(_, line)| line.reads("signature"));
        if !goes_anywhere && !check.is_broken(&at("name")) && !check.is_broken(&at("headers")) {
            check.error_at_map(
                Code::MissingKey,
                pointer,
                "the signature goes nowhere: the key `name` is missing",
            );
        }
        let reference = reference?;
        let secret = reference.name.clone();
        secrets.push(reference);
        Some(Hmac {
            algorithm: spec.algorithm,
            secret,
            key_encoding: spec.key_encoding,
            key_id,
            message,
            encoding: spec.encoding,
            place: spec.place,
            name: spec.name.clone(),
            prefix,
            headers,
        })
    }

    /// The headers that the signature fills, and the text that stands for each until then.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, String)> {
        let own = match (&self.name, self.place) {
            (Some(name), KeyPlace::Header) => Some((name.as_str(), self.shown())),
            _ => None,
        };
        let further = self
            .headers
            .iter()
            .map(|(name, line)| (name.as_str(), line.shown()));
        own.into_iter().chain(further)
    }

    /// The query parameter that the signature fills, and the text that stands for it until then.
    pub(crate) fn query(&self) -> Option<(&str, String)> {
        match (&self.name, self.place) {
            (Some(name), KeyPlace::Query) => Some((name, self.shown())),
            _ => None,
        }
    }

    fn shown(&self) -> String {
        format!("{}{}", self.prefix.shown(), crate::plan::MASK)
    }

    /// Calls `visit` with every expression, and whether it stands inside a longer text.
    pub(crate) fn visit(&self, visit: &mut dyn FnMut(&Expression, bool)) {
        self.message.visit(visit);
        self.prefix.visit(visit);
        self.headers.iter().for_each(|(_, line)| line.visit(visit));
        if let Some(key_id) = &self.key_id {
            key_id.visit(visit);
        }
    }

    /// Signs the request in its current form.
    ///
    /// # Errors
    /// When the key is not written as the descriptor says, or an expression fails.
    pub(crate) fn stamp(
        &self,
        request: &mut SignedRequest<'_>,
        secrets: &Secrets,
        settings: &Value,
        now: jiff::Timestamp,
    ) -> Result<(), SignError> {
        let secret = secrets.expose(&self.secret).unwrap_or_default();
        let key = self
            .key_encoding
            .decode(secret)
            .ok_or_else(|| SecretError::Undecodable {
                name: self.secret.clone(),
                encoding: self.key_encoding.as_str(),
            })?;
        let mut scope = RequestScope::new(request, settings, now);
        if let Some(key_id) = &self.key_id {
            let key_id = key_id.value(secrets, &scope)?;
            scope.values.insert("key_id", key_id.into());
        }
        let message = self.message.render(&scope)?;
        let key = hmac::Key::new(self.algorithm.of_ring(), &key);
        let signature = self
            .encoding
            .encode(hmac::sign(&key, message.as_bytes()).as_ref());
        let value = format!("{}{signature}", self.prefix.render(&scope)?);
        scope.values.insert("signature", signature.into());
        let mut headers = Vec::with_capacity(self.headers.len());
        for (name, line) in &self.headers {
            headers.push((name.clone(), line.render(&scope)?));
        }
        for (name, value) in headers {
            set(request, &name, value)?;
        }
        match (&self.name, self.place) {
            (None, _) => {}
            (Some(name), KeyPlace::Header) => set(request, &name.to_ascii_lowercase(), value)?,
            (Some(name), KeyPlace::Query) => {
                if !request.query.is_empty() {
                    request.query.push('&');
                }
                let pair = format!("{}={}", percent_encode(name), percent_encode(&value));
                request.query.push_str(&pair);
            }
        }
        Ok(())
    }
}

fn set(request: &mut SignedRequest<'_>, name: &str, value: String) -> Result<(), RenderError> {
    if value.chars().any(char::is_control) {
        return Err(RenderError::value(
            "auth",
            format!("the header `{name}` would hold a control character"),
        ));
    }
    request.set_header(name, value);
    Ok(())
}

/// The request as expressions see it.
struct RequestScope<'a> {
    settings: &'a Value,
    values: HashMap<&'static str, Value>,
}

impl<'a> RequestScope<'a> {
    fn new(
        request: &SignedRequest<'_>,
        settings: &'a Value,
        now: jiff::Timestamp,
    ) -> RequestScope<'a> {
        let after_scheme = request.target.find("://").map_or(0, |at| at + 3);
        let path = request.target[after_scheme..]
            .find('/')
            .map_or(request.target.len(), |at| at + after_scheme);
        let path = match &request.target[path..] {
            "" => "/",
            path => path,
        };
        let url = match request.query.is_empty() {
            true => request.target.to_string(),
            false => format!("{}?{}", request.target, request.query),
        };
        let body = request.body.as_deref().unwrap_or_default();
        let values = HashMap::from([
            ("method", request.method.as_str().into()),
            ("url", url.into()),
            ("host", request.host().into()),
            ("path", path.into()),
            ("query", request.query.as_str().into()),
            ("body", String::from_utf8_lossy(body).into()),
            ("body_sha256", sha256(body).into()),
            ("timestamp", now.as_second().into()),
            ("timestamp_ms", now.as_millisecond().into()),
            (
                "http_date",
                now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string().into(),
            ),
            ("nonce", nonce().into()),
        ]);
        RequestScope { settings, values }
    }
}

impl Scope for RequestScope<'_> {
    fn json(&self, name: &str) -> Option<&Value> {
        match name {
            "settings" => Some(self.settings),
            _ => self.values.get(name),
        }
    }
}

/// A number that is used once: 16 random bytes in hex.
fn nonce() -> String {
    let mut bytes = [0_u8; 16];
    // Without a source of randomness, the time in the message still makes it unique.
    let _ = SystemRandom::new().fill(&mut bytes);
    hex(&bytes)
}
