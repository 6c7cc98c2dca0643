//! Secrets that are written into a descriptor by mistake.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::plan::MASK;
use crate::source::{Check, Code, Source, join, join_index};

/// Prefixes that issuers put in front of their keys and bearer tokens. None of them occurs in a descriptor by chance.
static SHAPES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let shapes = [
        r"sk-[A-Za-z0-9_-]{20,}",
        r"[sr]k_(live|test)_[A-Za-z0-9]{16,}",
        r"gh[pousr]_[A-Za-z0-9]{30,}",
        r"github_pat_[A-Za-z0-9_]{30,}",
        r"glpat-[A-Za-z0-9_-]{20,}",
        r"xox[abposr]-[A-Za-z0-9-]{10,}",
        r"A(KIA|SIA)[A-Z0-9]{16}",
        r"AIza[A-Za-z0-9_-]{35}",
        r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
        r"(?i:bearer|basic|token) +[A-Za-z0-9+/_.=-]{20,}",
    ];
    Regex::new(&format!(r"(^|[^A-Za-z0-9])({})", shapes.join("|"))).ok()
});

/// Header and query names whose value is a credential.
const CREDENTIALS: [&str; 12] = [
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "api-key",
    "apikey",
    "x-auth-token",
    "x-access-token",
    "access_token",
    "api_key",
    "client_secret",
    "password",
    "cookie",
];

/// Values that must not be shown, not even as a part of their source line: values in an auth section that are not words
/// of the format, base URLs with credentials, and texts anywhere that look like a secret.
pub fn confidential_spans(source: &Source) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    collect_confidential(source.value(), "", source, &mut spans);
    // If the file could not be parsed, there are no values, only text.
    let text = source.text();
    if let Some(shapes) = LazyLock::force(&SHAPES) {
        spans.extend(shapes.find_iter(text).map(|found| found.range()));
    }
    if source.value().is_null()
        && let Ok(named) = Regex::new(
            r"(?im)(secret|token|password|authorization|x-api-key|api[-_]key)\S* *: *(.+)$",
        )
    {
        spans.extend(
            named
                .captures_iter(text)
                .filter_map(|found| Some(found.get(2)?.range())),
        );
    }
    spans
}

fn collect_confidential(
    value: &Value,
    pointer: &str,
    source: &Source,
    spans: &mut Vec<Range<usize>>,
) {
    match value {
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                collect_confidential(item, &join_index(pointer, i), source, spans);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                collect_confidential(member, &join(pointer, key), source, spans);
            }
        }
        Value::String(text) => {
            let inside = pointer.strip_prefix("/service").unwrap_or(pointer);
            let in_auth = inside.starts_with("/auth");
            let in_url = inside == "/base_url" && text.contains('@');
            if in_url || (in_auth && !is_word_of_the_format(inside, text)) || is_credential(pointer)
            {
                spans.push(source.value_span(pointer));
            }
        }
        _ => {}
    }
}

const KINDS: [&str; 8] = [
    "none",
    "api_key",
    "bearer",
    "basic",
    "headers",
    "oauth2",
    "hmac",
    "aws_sigv4",
];

/// Values of an auth section that are not secrets: its kind, its place, names of headers and of variables.
fn is_word_of_the_format(pointer: &str, text: &str) -> bool {
    let key = pointer.rsplit('/').next().unwrap_or_default();
    match key {
        "kind" => KINDS.contains(&text),
        "in" => ["header", "query"].contains(&text),
        "grant" => ["client_credentials", "refresh_token"].contains(&text),
        "client_auth" => ["basic", "body"].contains(&text),
        "algorithm" => ["sha1", "sha256", "sha384", "sha512"].contains(&text),
        "encoding" | "key_encoding" => ["text", "hex", "base64", "base64url"].contains(&text),
        "payload" => ["signed", "unsigned"].contains(&text),
        "name" | "help" | "pattern" | "file" | "region" | "scope" => true,
        "message" | "prefix" | "token_url" | "url" => text.contains("{{") || text.contains("://"),
        "service" | "account" => true,
        _ if pointer.contains("/response/") => text.starts_with('$'),
        "env" => text
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'),
        _ => false,
    }
}

/// The text with everything masked that looks like a secret.
pub(crate) fn mask_literal_secrets(text: &str) -> Cow<'_, str> {
    match LazyLock::force(&SHAPES) {
        Some(shapes) => shapes.replace_all(text, format!("${{1}}{MASK}")),
        None => Cow::Borrowed(text),
    }
}

/// Reports literal secrets anywhere in the source. The secrets are not repeated in the messages.
pub(crate) fn report_literal_secrets(check: &Check) {
    let source = check.source().clone();
    walk(source.value(), "", check);
}

fn walk(value: &Value, pointer: &str, check: &Check) {
    match value {
        Value::String(text) => {
            let is_known = SHAPES.as_ref().is_some_and(|shapes| shapes.is_match(text));
            if is_known || (is_credential(pointer) && !text.contains("{{") && !text.is_empty()) {
                report(pointer, check);
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                walk(item, &join_index(pointer, i), check);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                walk(member, &join(pointer, key), check);
            }
        }
        _ => {}
    }
}

/// Reports a literal header, query parameter or form field whose name says that it is a credential.
fn is_credential(pointer: &str) -> bool {
    let inside = pointer
        .strip_prefix("/service")
        .or(pointer.strip_prefix("/request"))
        .unwrap_or(pointer);
    let name = ["/headers/", "/query/", "/body/form/", "/body/multipart/"]
        .iter()
        .find_map(|section| inside.strip_prefix(section));
    name.is_some_and(|name| {
        let name = name
            .split('/')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        CREDENTIALS.contains(&name.as_str())
    })
}

fn report(pointer: &str, check: &Check) {
    check.error_with_help(
        Code::LiteralSecret,
        pointer,
        "this looks like a secret, and everyone who sees the file can read it",
        "revoke it at its service, and describe the new one under `auth` by a reference such as `{ env: VARIABLE }`",
    );
}
