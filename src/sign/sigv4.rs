//! AWS Signature Version 4.
//!
//! The steps and their names are those of "Create a signed AWS API request" in the IAM user guide; the published test
//! vectors check them one by one.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use ring::hmac;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::field::Line;
use super::{SecretRef, SecretSpec, Secrets, SignError, SignedRequest, hex, sha256};
use crate::base_url::Context;
use crate::plan::{MASK, percent_encode};
use crate::source::{Check, join};
use crate::template::{CallScope, Expression};

/// AWS Signature Version 4.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SigV4Spec {
    /// The region, such as `eu-central-1`; it may use settings.
    pub region: String,
    /// The service's name in signatures, such as `s3` or `execute-api`; it may use settings.
    pub service: String,
    /// The access key's id.
    pub access_key_id: SecretSpec,
    /// The access key's secret.
    pub secret_access_key: SecretSpec,
    /// The session token of temporary credentials. It is left out of requests when it is not set.
    pub session_token: Option<SecretSpec>,
    /// Whether the body is signed too.
    #[serde(default)]
    pub payload: Payload,
    /// Whether requests go out unsigned when neither the access key's id nor its secret is set.
    #[serde(default)]
    pub optional: bool,
}

/// Whether the body is signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Payload {
    /// The body is signed.
    #[default]
    Signed,
    /// The body is not signed. Only S3 accepts this.
    Unsigned,
}

/// A compiled signature.
#[derive(Debug)]
pub(crate) struct SigV4 {
    region: Line,
    service: Line,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    payload: Payload,
}

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// Headers that may change on the way. A signature over them would be wrong at the service.
const NEVER_SIGNED: [&str; 7] = [
    "authorization",
    "connection",
    "expect",
    "transfer-encoding",
    "user-agent",
    "accept-encoding",
    "x-amzn-trace-id",
];

impl SigV4 {
    /// Compiles the section and adds its secrets to `secrets`; mistakes go to `check`.
    pub(crate) fn compile(
        spec: &SigV4Spec,
        pointer: &str,
        context: &Context<'_>,
        secrets: &mut Vec<SecretRef>,
        check: &Check,
    ) -> Option<SigV4> {
        let at = |key: &str| join(pointer, key);
        let mut secret = |spec: &SecretSpec, key: &str, is_optional: bool| {
            let mut reference = SecretRef::compile(spec, &at(key), check)?;
            reference.is_optional = is_optional;
            reference.is_name = key == "access_key_id";
            let name = reference.name.clone();
            secrets.push(reference);
            Some(name)
        };
        let access_key_id = secret(&spec.access_key_id, "access_key_id", false);
        let secret_access_key = secret(&spec.secret_access_key, "secret_access_key", false);
        let session_token = spec
            .session_token
            .as_ref()
            .and_then(|spec| secret(spec, "session_token", true));
        let line = |text: &str, key: &str| Line::compile(text, &at(key), context.names, check);
        Some(SigV4 {
            region: line(&spec.region, "region"),
            service: line(&spec.service, "service"),
            access_key_id: access_key_id?,
            secret_access_key: secret_access_key?,
            session_token,
            payload: spec.payload,
        })
    }

    /// The headers that the signature fills, with what is shown in them.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, String)> {
        [
            ("x-amz-date", "{timestamp}".to_owned()),
            ("authorization", format!("{ALGORITHM} {MASK}")),
        ]
        .into_iter()
    }

    /// The secret that is sent unchanged in a header.
    pub(crate) fn session_token(&self) -> Option<&str> {
        self.session_token.as_deref()
    }

    /// Calls `visit` with every expression, and whether it stands inside a longer text.
    pub(crate) fn visit(&self, visit: &mut dyn FnMut(&Expression, bool)) {
        self.region.visit(visit);
        self.service.visit(visit);
    }

    /// Signs the request in its current form.
    ///
    /// # Errors
    /// When an expression fails.
    pub(crate) fn stamp(
        &self,
        request: &mut SignedRequest<'_>,
        secrets: &Secrets,
        settings: &Value,
        now: jiff::Timestamp,
    ) -> Result<(), SignError> {
        let scope = CallScope {
            params: &Value::Null,
            settings,
        };
        let region = self.region.render(&scope)?;
        let service = self.service.render(&scope)?;
        let is_s3 = service.starts_with("s3");
        let payload = match self.payload {
            Payload::Unsigned => UNSIGNED_PAYLOAD.to_owned(),
            Payload::Signed => sha256(request.body.as_deref().unwrap_or_default()),
        };
        let time = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        request.set_header("x-amz-date", time.clone());
        if is_s3 || self.payload == Payload::Unsigned {
            request.set_header("x-amz-content-sha256", payload.clone());
        }
        // The URL's parser decides which bytes are sent.
        let url = Url::parse(&request.target).map_err(|_| SignError::Target)?;
        let path = match is_s3 {
            true => encoded_once(url.path()),
            false => encoded_path(url.path()),
        };
        let mut headers: Vec<(&str, &str)> = request
            .headers
            .iter()
            .map(|(name, value, _)| (&**name, &**value))
            .filter(|(name, _)| !NEVER_SIGNED.contains(name))
            .collect();
        let host = request.host();
        headers.push(("host", &host));
        let canonical = Canonical::new(
            request.method.as_str(),
            &path,
            &request.query,
            &headers,
            &payload,
        );
        let credential = Scoped {
            time: &time,
            region: &region,
            service: &service,
        };
        let authorization = credential.authorization(
            &canonical,
            secrets.expose(&self.access_key_id).unwrap_or_default(),
            secrets.expose(&self.secret_access_key).unwrap_or_default(),
        );
        request.set_header("authorization", authorization);
        Ok(())
    }
}

/// A canonical request and the names of its signed headers.
struct Canonical {
    text: String,
    signed_headers: String,
}

impl Canonical {
    fn new(
        method: &str,
        path: &str,
        query: &str,
        headers: &[(&str, &str)],
        payload: &str,
    ) -> Canonical {
        let mut fields: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (name, value) in headers {
            let words: Vec<&str> = value.split_ascii_whitespace().collect();
            fields.entry(name).or_default().push(words.join(" "));
        }
        let names: Vec<&str> = fields.keys().copied().collect();
        let signed_headers = names.join(";");
        let mut lines = String::new();
        for (name, values) in &fields {
            lines.push_str(&format!("{name}:{}\n", values.join(",")));
        }
        let query = canonical_query(query);
        Canonical {
            text: format!("{method}\n{path}\n{query}\n{lines}\n{signed_headers}\n{payload}"),
            signed_headers,
        }
    }
}

/// The time, region and service that a credential is used for.
struct Scoped<'s> {
    time: &'s str,
    region: &'s str,
    service: &'s str,
}

impl Scoped<'_> {
    fn day(&self) -> &str {
        self.time.split('T').next().unwrap_or_default()
    }

    fn scope(&self) -> String {
        format!(
            "{}/{}/{}/aws4_request",
            self.day(),
            self.region,
            self.service
        )
    }

    fn string_to_sign(&self, canonical: &Canonical) -> String {
        let hash = sha256(canonical.text.as_bytes());
        format!("{ALGORITHM}\n{}\n{}\n{hash}", self.time, self.scope())
    }

    fn authorization(&self, canonical: &Canonical, id: &str, secret: &str) -> String {
        let parts = [self.day(), self.region, self.service, "aws4_request"];
        let key = parts
            .iter()
            .fold(format!("AWS4{secret}").into_bytes(), |key, part| {
                keyed(&key, part)
            });
        let signature = hex(&keyed(&key, &self.string_to_sign(canonical)));
        format!(
            "{ALGORITHM} Credential={id}/{}, SignedHeaders={}, Signature={signature}",
            self.scope(),
            canonical.signed_headers
        )
    }
}

fn keyed(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

/// The path as it is sent, normalized and encoded. What is already encoded is encoded a second time.
fn encoded_path(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    let is_folder = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
    let mut encoded: String = segments
        .iter()
        .map(|segment| format!("/{}", percent_encode(segment)))
        .collect();
    if encoded.is_empty() || is_folder {
        encoded.push('/');
    }
    encoded
}

/// The path for S3, where it is the key of an object: encoded once and not normalized.
fn encoded_once(path: &str) -> String {
    let segments: Vec<String> = path.split('/').map(reencoded).collect();
    segments.join("/")
}

fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (reencoded(name), reencoded(value)))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

/// The text with everything except unreserved characters encoded, regardless of what was encoded before.
fn reencoded(text: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
    const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    let bytes: Vec<u8> = percent_decode_str(text).collect();
    percent_encode(&bytes, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;

    /// The credential, region, service and time of the published vectors.
    const ID: &str = "AKIDEXAMPLE";
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const SCOPED: Scoped<'static> = Scoped {
        time: "20150830T123600Z",
        region: "us-east-1",
        service: "service",
    };

    /// Method, path, query, headers and body of a request as a test vector writes it. A folded header is one line; only
    /// the vectors still use folding, and HTTP forbids to send it.
    fn parse_vector(text: &str) -> (&str, &str, &str, Vec<(String, String)>, &str) {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let line = lines.next().and_then(|line| line.strip_suffix(" HTTP/1.1"));
        let (method, target) = line.and_then(|line| line.split_once(' ')).unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines {
            match (line.starts_with(' '), headers.last_mut()) {
                (true, Some((_, value))) => *value = format!("{value} {line}"),
                _ => {
                    let (name, value) = line.split_once(':').unwrap();
                    headers.push((name.to_ascii_lowercase(), value.to_owned()));
                }
            }
        }
        (method, path, query, headers, body)
    }

    #[test]
    fn the_published_vectors_pass() {
        let vectors = include_str!("../../tests/fixtures/aws4/vectors.json");
        let vectors: Vec<BTreeMap<String, String>> = serde_json::from_str(vectors).unwrap();
        assert_eq!(vectors.len(), 34);
        for vector in &vectors {
            let (name, request) = (&vector["name"], &vector["request"]);
            let (method, path, query, mut headers, body) = parse_vector(request);
            // This is the one vector whose request lacks the header that its signature covers.
            if name == "get-vanilla-with-session-token" {
                let mut lines = vector["canonical"].lines();
                let token = lines.find_map(|line| line.strip_prefix("x-amz-security-token:"));
                headers.extend(
                    token.map(|token| ("x-amz-security-token".to_owned(), token.to_owned())),
                );
            }
            let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (&**n, &**v)).collect();
            let payload = sha256(body.as_bytes());
            let canonical = Canonical::new(method, &encoded_path(path), query, &headers, &payload);
            assert_eq!(canonical.text, vector["canonical"], "{name}");
            assert_eq!(
                SCOPED.string_to_sign(&canonical),
                vector["to_sign"],
                "{name}"
            );
            let authorization = SCOPED.authorization(&canonical, ID, SECRET);
            assert_eq!(authorization, vector["authorization"], "{name}");
        }
    }

    #[test]
    fn what_is_encoded_already_is_encoded_once_for_s3_and_twice_elsewhere() {
        assert_eq!(encoded_path("/a%20b/c$"), "/a%2520b/c%24");
        assert_eq!(encoded_once("/a%20b//c$/"), "/a%20b//c%24/");
        assert_eq!(canonical_query("b=%2B&a=1%202&a=&c"), "a=&a=1%202&b=%2B&c=");
    }

    fn signed(more: Value) -> impl Fn(&str) -> Option<String> {
        let mut spec = json!({
            "region": "{{ settings.region }}",
            "access_key_id": { "env": "ID" },
            "secret_access_key": { "env": "KEY" },
            "session_token": { "env": "TOKEN" },
        });
        for (key, value) in more.as_object().unwrap() {
            spec[key] = value.clone();
        }
        let signed = crate::sign::tests::signed_at_the_time_of_the_vectors("aws_sigv4", spec);
        move |name| {
            signed
                .headers
                .iter()
                .find(|(other, ..)| other == name)
                .map(|(_, value, _)| value.to_string())
        }
    }

    #[test]
    fn a_whole_request_is_signed_as_botocore_does() {
        for (service, headers, signature) in [
            (
                "sqs",
                "accept;content-type;host;x-amz-date",
                "f694ef9faed1b075ddc5b593f1ef58479a85eaaf965850b1b295e43876e52cf5",
            ),
            (
                "s3",
                "accept;content-type;host;x-amz-content-sha256;x-amz-date",
                "4f4ba5f56b48f1d49d6c63a626a57cce364dddc5e7bc0f6db8f8a5b42b76afec",
            ),
        ] {
            let header = signed(json!({ "service": service }));
            let expected = format!(
                "AWS4-HMAC-SHA256 Credential=canary-ID/20150830/eu-1/{service}/aws4_request, SignedHeaders={headers}, \
                 Signature={signature}"
            );
            assert_eq!(header("authorization"), Some(expected));
            assert_eq!(header("x-amz-date").as_deref(), Some("20150830T123600Z"));
            assert_eq!(header("x-amz-security-token"), None);
        }
    }

    #[test]
    fn a_body_may_be_left_unsigned() {
        let header = signed(json!({ "service": "s3", "payload": "unsigned" }));
        assert_eq!(
            header("x-amz-content-sha256").as_deref(),
            Some(UNSIGNED_PAYLOAD)
        );
    }
}
