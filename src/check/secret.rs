//! Secrets that are written into a descriptor by mistake.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use regex::Regex;
use serde_json::Value;

use crate::plan::MASK;
use crate::source::{Check, Code, Finding, Severity, Source, join, join_index};

/// Prefixes that issuers put in front of their keys and bearer tokens. None of them occurs in a descriptor by chance.
static SHAPES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let shapes = [
        r"sk-[A-Za-z0-9_-]{20,}",
        r"[srp]k_(live|test)_[A-Za-z0-9]{16,}",
        r"gh[pousr]_[A-Za-z0-9]{30,}",
        r"github_pat_[A-Za-z0-9_]{30,}",
        r"gl(pat|dt|rt|ptt|soat)-[A-Za-z0-9_-]{20,}",
        r"glsa_[A-Za-z0-9_]{30,}",
        r"xox[a-z](\.xox[a-z])?-[A-Za-z0-9-]{10,}",
        r"xapp-[0-9]-[A-Za-z0-9-]{20,}",
        r"hooks\.slack\.com/services/T[A-Z0-9]+/B[A-Z0-9]+/[A-Za-z0-9]{16,}",
        r"A(KIA|SIA)[A-Z0-9]{16}",
        r"AIza[A-Za-z0-9_-]{35}",
        r"ya29\.[A-Za-z0-9_-]{20,}",
        r"GOCSPX-[A-Za-z0-9_-]{20,}",
        r"hf_[A-Za-z0-9]{20,}",
        r"npm_[A-Za-z0-9]{30,}",
        r"pypi-AgEI[A-Za-z0-9_-]{30,}",
        r"shp(at|ca|pa|ss)_[A-Fa-f0-9]{24,}",
        r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
        r"(gsk|r8|dop_v1|lin_api|ntn|figd|whsec|phx|sntrys|nfp|rnd|re|xai|sbp|tskey|dckr_pat)_[A-Za-z0-9_-]{24,}",
        r"(tvly|pplx|nvapi|xai|CFPAT|PMAK|fc|ls__|lsv2)-[A-Za-z0-9_-]{24,}",
        // Not the words of a name such as `content-key-policies-create-or-update`.
        r"key-[A-Za-z0-9_]{24,}",
        r"toolrun_[A-Za-z0-9_-]{43}",
        r"sq0(atp|csp|idp)-[A-Za-z0-9_-]{20,}",
        r"[a-f0-9]{32}-us[0-9]{1,2}",
        r"dapi[a-f0-9]{32}",
        r"ATATT3x[A-Za-z0-9_=-]{20,}",
        r"AGE-SECRET-KEY-1[A-Z0-9]{30,}",
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
    spans.extend(shapes_in(text));
    spans.extend(found(source).into_iter().map(|place| match place {
        Place::Value(pointer) => source.value_span(&pointer),
        Place::Text(span) => span,
    }));
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
            if is_token(pointer, text)
                || in_url
                || (in_auth && !is_word_of_the_format(inside, text))
                || is_credential(pointer)
            {
                spans.push(source.value_span(pointer));
            }
        }
        _ => {}
    }
}

/// Whether a caller's token itself stands where its hash should.
fn is_token(pointer: &str, text: &str) -> bool {
    pointer.starts_with("/tokens/") && pointer.ends_with("/token") && !text.starts_with("sha256:")
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
        "kind" | "type" => KINDS.contains(&text),
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

/// Whether a text has the shape of a secret, or looks like a random key.
pub(crate) fn looks_secret(text: &str) -> bool {
    !shapes_in(text).is_empty() || random_in(text).next().is_some()
}

/// The literal secrets of a file, each as far as it is a secret: the key in a text around it, and all of a value whose name
/// says that it is a credential.
#[cfg(feature = "cli")]
pub(crate) fn literal_secrets(source: &Source) -> Vec<String> {
    let secrets_of = |place: Place| match place {
        Place::Text(span) => vec![source.text().get(span).unwrap_or_default().to_owned()],
        Place::Value(pointer) => {
            let text = source.value().pointer(&pointer).and_then(Value::as_str);
            let text = text.unwrap_or_default();
            let parts = shapes_in(text).into_iter().chain(random_in(text));
            let parts: Vec<String> = parts.map(|span| text[span].to_owned()).collect();
            match parts.is_empty() || is_credential(&pointer) {
                true => vec![text.to_owned()],
                false => parts,
            }
        }
    };
    found(source).into_iter().flat_map(secrets_of).collect()
}

/// Where a secret is written.
enum Place {
    /// In the value at this pointer.
    Value(String),
    /// Outside of all values, such as in a comment.
    Text(Range<usize>),
}

/// Reports literal secrets anywhere in the source, also in its comments. The secrets are not repeated in the messages.
pub(crate) fn report_literal_secrets(check: &Check) {
    for place in found(check.source()) {
        match place {
            Place::Value(pointer) => {
                check.error_with_help(Code::LiteralSecret, &pointer, MESSAGE, HELP);
            }
            Place::Text(span) => {
                check.error_in_text(Code::LiteralSecret, span, MESSAGE, Some(HELP.to_owned()));
            }
        }
    }
}

/// Literal secrets in a file of which nothing can be read.
pub(crate) fn in_text(source: Arc<Source>) -> Vec<Finding> {
    let spans = shapes_in(source.text());
    let finding = |span| Finding {
        code: Code::LiteralSecret,
        severity: Severity::Error,
        message: MESSAGE.to_owned(),
        help: Some(HELP.to_owned()),
        span,
        source: source.clone(),
    };
    spans.into_iter().map(finding).collect()
}

fn found(source: &Source) -> Vec<Place> {
    let mut places = Vec::new();
    let mut values = Vec::new();
    walk(source.value(), "", source, &mut places, &mut values);
    values.sort_by_key(|value| value.start);
    let is_in_value = |span: &Range<usize>| {
        let behind = values.partition_point(|value: &Range<usize>| value.start <= span.start);
        let value = behind.checked_sub(1).and_then(|at| values.get(at));
        value.is_some_and(|value| span.end <= value.end)
    };
    let text = source.text();
    let outside = shapes_in(text)
        .into_iter()
        .chain(random_in(text).filter(|span| is_comment(text, span)));
    let mut outside: Vec<_> = outside.filter(|span| !is_in_value(span)).collect();
    outside.sort_by_key(|span| span.start);
    outside.dedup_by(|next, span| next.start < span.end);
    places.extend(outside.into_iter().map(Place::Text));
    places
}

/// The texts that have the shape of a secret.
fn shapes_in(text: &str) -> Vec<Range<usize>> {
    let shapes = LazyLock::force(&SHAPES).iter();
    shapes
        .flat_map(|shapes| shapes.captures_iter(text))
        .filter_map(|found| Some(found.get(2)?.range()))
        .collect()
}

/// Whether the text stands behind a `#` in its line, and not in a URL.
fn is_comment(text: &str, span: &Range<usize>) -> bool {
    let before = &text[..span.start];
    let line = &before[before.rfind('\n').map_or(0, |at| at + 1)..];
    line.contains('#')
}

/// Letters and digits in such a mixture as no word has: keys that nobody's prefix marks.
fn random_in(text: &str) -> impl Iterator<Item = Range<usize>> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '/' | '=');
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text[at..].find(is_part)?;
        let length = text[start..].find(|c| !is_part(c));
        at = length.map_or(text.len(), |length| start + length);
        Some(start..at)
    })
    .filter(move |span| is_random(&text[span.clone()]) && !is_in_url(text, span))
}

/// Whether a URL starts not far before this part of its word.
fn is_in_url(text: &str, span: &Range<usize>) -> bool {
    const FAR: usize = 200;
    let start = text.floor_char_boundary(span.start.saturating_sub(FAR));
    let before = &text[start..span.start];
    let word = before.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    before[word..].contains("://")
}

/// Whether a text is long and changes between letters of both cases and digits as often as random text does.
fn is_random(text: &str) -> bool {
    const SHORTEST: usize = 24;
    let class = |byte: u8| match byte {
        b'a'..=b'z' => 0_usize,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    // Ids have a word in front; the keys that have one are known by it.
    let is_id = text
        .split_once('_')
        .is_some_and(|(word, _)| word.bytes().all(|byte| byte.is_ascii_alphabetic()));
    if is_id || text.len() < SHORTEST || text.matches('/').count() * 8 > text.len() {
        return false;
    }
    let classes: Vec<usize> = text.bytes().map(class).collect();
    let changes = classes.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let digits = classes.iter().filter(|class| **class == 2).count();
    let marks = classes.iter().filter(|class| **class == 3).count();
    [0, 1, 2].iter().all(|class| classes.contains(class))
        && digits >= 3
        && marks * 6 <= text.len()
        && changes * 5 >= text.len() * 2
}

/// Data of the service, whose ids and cursors look as random as a key.
const SERVICE_DATA: [&str; 3] = ["/examples/", "/params/", "/data/"];

fn walk(
    value: &Value,
    pointer: &str,
    source: &Source,
    places: &mut Vec<Place>,
    values: &mut Vec<Range<usize>>,
) {
    match value {
        Value::String(text) => {
            values.push(source.value_span(pointer));
            let is_known = SHAPES.as_ref().is_some_and(|shapes| shapes.is_match(text));
            let is_fixed = !text.contains("{{") && !text.is_empty();
            let is_random = || {
                let is_data = SERVICE_DATA
                    .iter()
                    .any(|section| pointer.starts_with(section));
                let is_note = ["/description", "/title", "/docs"]
                    .iter()
                    .any(|key| pointer.ends_with(key));
                !is_data && !is_note && random_in(text).next().is_some()
            };
            if is_known || (is_credential(pointer) && is_fixed) || is_random() {
                places.push(Place::Value(pointer.to_owned()));
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                walk(item, &join_index(pointer, i), source, places, values);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                walk(member, &join(pointer, key), source, places, values);
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

const MESSAGE: &str = "this looks like a secret, and everyone who sees the file can read it";
const HELP: &str = "revoke it at its service, and describe the new one under `auth` by a reference such as `{ env: VARIABLE }`";
