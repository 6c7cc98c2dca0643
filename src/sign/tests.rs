//! Whole requests, signed.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use super::*;
use crate::base_url::Context;
use crate::plan::{Label, Method, Plan, Text};
use crate::source::{Check, Source};
use crate::template::Names;

/// A POST with a query and a body, signed by one auth kind at 2015-08-30T12:36:00Z. Every secret except TOKEN is set to
/// `canary-` and its name.
pub(crate) fn signed_at_the_time_of_the_vectors(
    kind: &str,
    mut spec: Value,
) -> SignedRequest<'static> {
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
    let plain =
        |name: &'static str, value: &'static str| (Label::Fixed(name), Text::Plain(value.into()));
    let mut plan = Plan {
        method: Method::Post,
        target: "https://api.test:8443/v1/a%20b".to_owned(),
        in_path: Vec::new(),
        query: vec![plain("q", "1")],
        headers: vec![
            plain("accept", "application/json"),
            plain("user-agent", "x"),
            plain("content-type", "application/json"),
        ],
        body: None,
        idempotent: false,
    };
    auth.add_placeholders(&mut plan);
    let stamper = auth.stamper(&secrets, &Arc::new(json!({ "region": "eu-1" })));
    let now = "2015-08-30T12:36:00Z".parse().unwrap();
    let body = Bytes::from_static(br#"{"a":1}"#);
    let signed = sign(&plan, Some(&body), &secrets, stamper);
    let signed = signed.stamped_at(now).unwrap();
    let owned = |text: &str| text.to_owned().into();
    let fields = signed.headers.iter();
    SignedRequest {
        target: owned(&signed.target),
        headers: fields
            .map(|(name, value, is_secret)| (owned(name), owned(value), *is_secret))
            .collect(),
        method: signed.method,
        query: signed.query.clone(),
        body: signed.body.clone(),
        stamper: None,
        follows_redirects: signed.follows_redirects,
    }
}

fn lines(signed: &SignedRequest<'_>) -> Vec<String> {
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
    // OpenSSL gave the expected values, for example:
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
                "x-signature: v1=7f00ae709f70bc44fa0ed90df4d1b1acd83500ec90e6ca2754acc68b53d0fcde"
                    .to_owned(),
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
