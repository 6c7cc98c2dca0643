//! One exchange, as it is written: places for what is secret in the request, and a masked answer.

use std::cell::Cell;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::response::Parts;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::pseudonym::Pseudonyms;
use super::redact::Rules;
use crate::har::{self, Body, Content, Entry, Kind, Own};
use crate::json::{Json, MAX_DEPTH};
use crate::plan::MASK;
use crate::send::{Purpose, TransportError, TransportErrorKind, Unsigned, decoded};
use crate::sign::Redactor;

/// What was heard of an exchange so far.
pub(super) struct Heard {
    pub started: jiff::Timestamp,
    pub since: Instant,
    /// How long the header fields took.
    pub wait: Option<Duration>,
    pub head: Option<Parts>,
    pub raw: Vec<u8>,
    pub end: End,
}

/// How an exchange ended.
pub(super) enum End {
    /// Nobody read on.
    Left,
    /// The answer is whole.
    Whole,
    /// No answer came, or only a part.
    Broken(&'static str, String),
}

/// What is to be said of an entry.
#[derive(Default)]
pub(super) struct Remarks {
    /// The rules that found something.
    pub hits: Vec<String>,
    /// The media types of bodies in which rules cannot find anything, with the reason where it is another one.
    pub unreached: Vec<String>,
    /// Whether arguments were left out because they are nested too deep.
    pub deep: bool,
    /// Whether numbers of more digits than a double holds were rounded where fields were hidden.
    pub rounded: bool,
    /// Whether a secret of so few characters was masked that it may stand there by chance.
    pub short: bool,
}

/// The masks of an entry.
struct Masks<'m> {
    plain: &'m Redactor,
    /// The one that masks short secrets too, if there are any.
    strict: Option<Redactor>,
    /// Whether a short secret was masked.
    short: Cell<bool>,
}

impl<'m> Masks<'m> {
    fn new(plain: &'m Redactor) -> Masks<'m> {
        Masks {
            plain,
            strict: plain.strict(),
            short: Cell::new(false),
        }
    }

    fn mask<T: PartialEq>(&self, by: impl Fn(&Redactor) -> T) -> T {
        let plain = by(self.plain);
        let Some(strict) = &self.strict else {
            return plain;
        };
        let masked = by(strict);
        if masked != plain {
            self.short.set(true);
        }
        masked
    }

    fn text(&self, text: &str) -> String {
        self.mask(|redactor| redactor.text(text))
    }

    fn message(&self, text: &str) -> String {
        self.mask(|redactor| redactor.message(text))
    }

    fn headers(&self, headers: &[(String, String)]) -> Vec<(String, String)> {
        self.mask(|redactor| redactor.headers(headers.to_vec()))
    }
}

/// How fields are hidden.
pub(super) struct Hiding<'h> {
    pub rules: &'h Rules,
    pub pseudonyms: &'h Pseudonyms,
}

/// How deep arguments may be nested: with the five levels around them in a recording, any reader takes them.
pub(super) const DEEPEST: usize = MAX_DEPTH - 5;

/// The name of the member that says which fields are hidden.
pub(super) const REDACTED: &str = "redacted";
/// The name of the member that says why an answer is missing or is not whole.
pub(super) const FAILURE: &str = "failure";

impl Heard {
    pub(super) fn new() -> Heard {
        Heard {
            started: jiff::Timestamp::now(),
            since: Instant::now(),
            wait: None,
            head: None,
            raw: Vec::new(),
            end: End::Left,
        }
    }

    pub(super) fn break_off(&mut self, error: &TransportError) {
        let kind = match error.kind {
            TransportErrorKind::Connect => "connect",
            TransportErrorKind::ConnectTimeout => "connect_timeout",
            TransportErrorKind::ReadTimeout => "read_timeout",
            TransportErrorKind::Exchange => "exchange",
            TransportErrorKind::Refused => "refused",
            TransportErrorKind::Unrecorded => "unrecorded",
        };
        self.end = End::Broken(kind, error.reason.clone());
    }
}

/// The entry of an exchange.
pub(super) fn entry(
    unsigned: &Unsigned,
    heard: Heard,
    most: u64,
    hiding: &Hiding<'_>,
) -> (Value, Remarks) {
    let redactor = &Masks::new(&unsigned.about.redactor);
    let took = heard.since.elapsed();
    let wait = heard.wait.unwrap_or(took);
    let started = heard.started.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    let mut remarks = Remarks::default();
    let version = heard
        .head
        .as_ref()
        .map_or("HTTP/1.1", |head| version(head.version));
    let mut own = own(unsigned, redactor);
    let mut failure = None;
    let response = match heard.head {
        None => {
            failure = Some(match heard.end {
                End::Broken(kind, reason) => {
                    json!({ "kind": kind, "reason": redactor.message(&reason) })
                }
                _ => {
                    json!({ "kind": "given_up", "reason": "the call gave up before an answer came" })
                }
            });
            None
        }
        Some(head) => {
            let (body, lost) = body(unsigned, redactor, &head, heard.raw, &heard.end, most);
            failure = lost.or(failure);
            let headers = headers(unsigned, &head, redactor);
            let media_type = header(&headers, "content-type").unwrap_or_default();
            let mut body = match body {
                Some(bytes) => Body::of_bytes(&media_type, bytes),
                None => Body {
                    media_type,
                    content: Content::Unknown,
                    params: Vec::new(),
                },
            };
            hide(&mut body, hiding, &mut remarks);
            Some(har::Response {
                status: head.status.as_u16(),
                status_text: head
                    .status
                    .canonical_reason()
                    .unwrap_or_default()
                    .to_owned(),
                http_version: version.to_owned(),
                redirect_url: header(&headers, "location").unwrap_or_default(),
                headers,
                body,
            })
        }
    };
    remarks.deep = !is_within(&unsigned.about.arguments, DEEPEST);
    let mut arguments = match remarks.deep {
        true => Value::Null,
        false => masked_value(redactor, &unsigned.about.arguments),
    };
    let pseudonym = |value: &Value| hiding.pseudonyms.of_value(value);
    remarks
        .hits
        .extend(hiding.rules.apply(&mut arguments, &pseudonym));
    own.arguments = arguments;
    if !hiding.rules.is_empty() {
        own.more
            .insert(REDACTED.to_owned(), hiding.rules.texts().into());
    }
    if let Some(failure) = failure {
        own.more.insert(FAILURE.to_owned(), failure);
    }
    let entry = Entry {
        number: 0,
        started,
        time: milliseconds(took),
        request: request(unsigned, redactor, version, hiding, &mut remarks),
        response,
        own: Some(own),
    };
    remarks.short = redactor.short.get();
    let mut json = har::entry_json(&entry);
    json["timings"] = json!({
        "send": 0,
        "wait": milliseconds(wait),
        "receive": milliseconds(took.saturating_sub(wait)),
    });
    (json, remarks)
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn version(version: http::Version) -> &'static str {
    match version {
        http::Version::HTTP_10 => "HTTP/1.0",
        http::Version::HTTP_2 => "HTTP/2.0",
        http::Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

/// What stands beside the exchange; the arguments follow.
fn own(unsigned: &Unsigned, redactor: &Masks<'_>) -> Own {
    let mut more = Map::new();
    let kind = match unsigned.purpose {
        Purpose::Call => Kind::Call,
        Purpose::Page(number) => {
            more.insert("page".to_owned(), number.into());
            Kind::Page
        }
        Purpose::Poll(number) => {
            more.insert("poll".to_owned(), number.into());
            Kind::Poll
        }
        Purpose::Cancel => Kind::Cancel,
        Purpose::Token => Kind::Token,
    };
    more.insert("attempt".to_owned(), unsigned.attempt.into());
    if unsigned.redirects > 0 {
        more.insert("redirects".to_owned(), unsigned.redirects.into());
    }
    let base = redactor.text(&unsigned.about.base);
    more.insert("base".to_owned(), base.into());
    Own {
        service: unsigned.about.service.clone(),
        tool: unsigned.about.tool.clone(),
        arguments: Value::Null,
        kind: match (unsigned.attempt, kind) {
            (1, kind) | (_, kind @ Kind::Token) => kind,
            _ => Kind::Retry,
        },
        more,
    }
}

fn request(
    unsigned: &Unsigned,
    redactor: &Masks<'_>,
    version: &str,
    hiding: &Hiding<'_>,
    remarks: &mut Remarks,
) -> har::Request {
    let media_type = unsigned.header("content-type").unwrap_or_default();
    let body = masked(redactor, unsigned.body.clone());
    let mut body = Body::of_bytes(media_type, body.to_vec());
    hide(&mut body, hiding, remarks);
    har::Request {
        method: unsigned.method.as_str().to_owned(),
        url: hidden_url(&redactor.text(&unsigned.url), hiding, remarks),
        http_version: version.to_owned(),
        headers: redactor.headers(&unsigned.headers),
        body: (!unsigned.body.is_empty()).then_some(body),
    }
}

/// A text of bytes with every secret masked, in JSON also those that are written with escapes. What is left, such as a
/// secret that is a key, is masked too: a file is not data.
fn masked(redactor: &Masks<'_>, bytes: Bytes) -> Bytes {
    let is_json = |byte: &&u8| matches!(byte, b'{' | b'[' | b'"');
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    let is_json = first.as_ref().is_some_and(is_json);
    redactor.mask(|redactor| {
        let bytes = match is_json {
            true => redactor.json(bytes.clone()),
            false => bytes.clone(),
        };
        redactor.bytes(bytes)
    })
}

/// Whether a value is nested at most so deep.
fn is_within(value: &Value, levels: usize) -> bool {
    let mut inner: Box<dyn Iterator<Item = &Value>> = match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(members) => Box::new(members.values()),
        _ => return true,
    };
    levels > 0 && inner.all(|value| is_within(value, levels - 1))
}

fn masked_value(redactor: &Masks<'_>, value: &Value) -> Value {
    let text = masked(redactor, value.to_string().into());
    serde_json::from_slice(&text).unwrap_or_else(|_| MASK.into())
}

/// Header fields that the answer to a request of an access token keeps.
const OF_TOKENS: [&str; 4] = ["content-type", "date", "retry-after", "cache-control"];

fn headers(unsigned: &Unsigned, head: &Parts, redactor: &Masks<'_>) -> Vec<(String, String)> {
    let fields = head.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    let fields: Vec<(String, String)> = fields.collect();
    let fields = redactor.headers(&fields).into_iter();
    fields
        .map(|(name, value)| {
            let value = match name.as_str() {
                "set-cookie" => masked_cookie(&value),
                name if unsigned.purpose == Purpose::Token && !OF_TOKENS.contains(&name) => {
                    MASK.to_owned()
                }
                _ => value,
            };
            (name, value)
        })
        .collect()
}

/// A cookie without its value.
fn masked_cookie(cookie: &str) -> String {
    let (pair, attributes) = match cookie.split_once(';') {
        Some((pair, attributes)) => (pair, format!(";{attributes}")),
        None => (cookie, String::new()),
    };
    match pair.split_once('=') {
        Some((name, _)) => format!("{name}={MASK}{attributes}"),
        None => MASK.to_owned(),
    }
}

fn header(headers: &[(String, String)], name: &str) -> Option<String> {
    let mut headers = headers.iter();
    let found = headers.find(|(known, _)| known == name)?;
    Some(found.1.clone())
}

/// The body of an answer, and why it is missing or is not whole.
fn body(
    unsigned: &Unsigned,
    redactor: &Masks<'_>,
    head: &Parts,
    raw: Vec<u8>,
    end: &End,
    most: u64,
) -> (Option<Vec<u8>>, Option<Value>) {
    let lost = match end {
        End::Whole => None,
        // Nobody reads the body of a redirect.
        End::Left if head.status.is_redirection() && raw.is_empty() => None,
        End::Left => {
            Some(json!({ "kind": "given_up", "reason": "the rest of the answer was not read" }))
        }
        End::Broken(kind, reason) => {
            Some(json!({ "kind": kind, "reason": redactor.message(reason) }))
        }
    };
    if unsigned.method == crate::plan::Method::Head {
        return (Some(Vec::new()), lost);
    }
    let has_coding = head.headers.contains_key(http::header::CONTENT_ENCODING);
    match decoded(&head.headers, raw, most) {
        // A secret in packed bytes cannot be seen, so they are not kept.
        Err(_) if lost.is_some() && has_coding => (None, lost),
        Err(error) => (
            None,
            Some(json!({ "kind": "packed", "reason": error.to_string() })),
        ),
        Ok(bytes) => {
            let bytes = match unsigned.purpose {
                Purpose::Token => of_token(&bytes, redactor),
                _ => masked(redactor, bytes.into()).to_vec(),
            };
            (Some(bytes), lost)
        }
    }
}

/// What an answer to a request of an access token keeps: its shape, its numbers and what is said of an error.
fn of_token(body: &[u8], redactor: &Masks<'_>) -> Vec<u8> {
    const KEPT: [&str; 3] = ["error", "error_description", "token_type"];
    fn places(value: Value) -> Value {
        match value {
            Value::String(_) => MASK.into(),
            Value::Array(items) => items.into_iter().map(places).collect(),
            Value::Object(members) => members
                .into_iter()
                .map(|(name, member)| (name, places(member)))
                .collect(),
            other => other,
        }
    }
    if body.is_empty() {
        return Vec::new();
    }
    let Ok(whole) = serde_json::from_slice::<Value>(body) else {
        return MASK.as_bytes().to_vec();
    };
    let mut told = Map::new();
    for name in KEPT {
        if let Some(Value::String(text)) = whole.get(name) {
            told.insert(name.to_owned(), redactor.message(text).into());
        }
    }
    let mut value = places(whole);
    if let Value::Object(members) = &mut value {
        members.extend(told);
    }
    masked(redactor, value.to_string().into()).to_vec()
}

/// Hides fields in a body.
fn hide(body: &mut Body, hiding: &Hiding<'_>, remarks: &mut Remarks) {
    let is_empty = body.bytes().is_none_or(<[u8]>::is_empty);
    if hiding.rules.is_empty() || is_empty {
        return;
    }
    let essence = body.essence().into_owned();
    let text = body.text().unwrap_or_default();
    let pseudonym = |value: &Value| hiding.pseudonyms.of_value(value);
    let hidden = redacted(&essence, text, hiding.rules, &pseudonym);
    match hidden {
        Some((text, hits)) => {
            if !hits.is_empty() {
                let was = Json::read(body.bytes().unwrap_or_default().to_vec().into());
                remarks.rounded |= was.is_ok_and(|json| json.value().is_err());
                body.content = Content::Text(text);
            }
            remarks.hits.extend(hits);
        }
        None => {
            let essence = match essence.is_empty() {
                true => "an unknown type".to_owned(),
                false => essence,
            };
            remarks.unreached.push(match unheld(body) {
                Some(reason) => format!("{essence} ({reason})"),
                None => essence,
            });
        }
    }
}

/// Why a body that looks like JSON cannot be held as a tree.
fn unheld(body: &Body) -> Option<String> {
    let text = body.text()?.trim_start();
    if !text.starts_with(['{', '[']) {
        return None;
    }
    match Json::read(text.to_owned().into()) {
        Err(reason) => Some(reason),
        Ok(json) => json.value().err().map(|error| error.to_string()),
    }
}

/// A body with fields hidden, and the rules that found something; `None` if rules cannot find anything in such a body.
pub(super) fn redacted(
    essence: &str,
    text: &str,
    rules: &Rules,
    other: &dyn Fn(&Value) -> Value,
) -> Option<(String, Vec<String>)> {
    if essence == "application/x-www-form-urlencoded" {
        let mut pairs = pairs(text);
        let hits = rules.apply_to_pairs(&mut pairs, other);
        let mut form = form_urlencoded::Serializer::new(String::new());
        return Some((form.extend_pairs(pairs).finish(), hits));
    }
    if let Ok(mut value) = serde_json::from_str::<Value>(text) {
        let hits = rules.apply(&mut value, other);
        return Some((value.to_string(), hits));
    }
    lines(text, essence == "text/event-stream", rules, other)
}

/// Lines of JSON are a list, and so are events, each an object with `data`.
fn lines(
    text: &str,
    are_events: bool,
    rules: &Rules,
    other: &dyn Fn(&Value) -> Value,
) -> Option<(String, Vec<String>)> {
    let mut values = Vec::new();
    let mut at = Vec::new();
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    for (i, line) in lines.iter().enumerate() {
        let json = match are_events {
            true => match line.strip_prefix("data:") {
                Some(data) => data,
                None => continue,
            },
            false => line,
        };
        let value: Value = match json.trim() {
            "" | "[DONE]" => continue,
            json => serde_json::from_str(json).ok()?,
        };
        values.push(match are_events {
            true => json!({ "data": value }),
            false => value,
        });
        at.push(i);
    }
    if values.is_empty() {
        return None;
    }
    let mut all = Value::Array(values);
    let hits = rules.apply(&mut all, other);
    for (value, i) in all.as_array().into_iter().flatten().zip(at) {
        lines[i] = match are_events {
            true => format!("data: {}", value.get("data").unwrap_or(&Value::Null)),
            false => value.to_string(),
        };
    }
    Some((lines.join("\n"), hits))
}

fn pairs(text: &str) -> Vec<(String, String)> {
    let pairs = form_urlencoded::parse(text.as_bytes());
    pairs
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

/// A URL with fields of its query hidden. One in which nothing is to be hidden stays as it is written.
fn hidden_url(url: &str, hiding: &Hiding<'_>, remarks: &mut Remarks) -> String {
    let pseudonym = |value: &Value| hiding.pseudonyms.of_value(value);
    match redacted_url(url, hiding.rules, &pseudonym) {
        Some((url, hits)) => {
            remarks.hits.extend(hits);
            url
        }
        None => url.to_owned(),
    }
}

/// A URL with fields of its query hidden, and the rules that found something; `None` if none did.
pub(super) fn redacted_url(
    url: &str,
    rules: &Rules,
    other: &dyn Fn(&Value) -> Value,
) -> Option<(String, Vec<String>)> {
    let (before, query) = url.split_once('?').filter(|_| !rules.is_empty())?;
    let mut pairs = pairs(query);
    let hits = rules.apply_to_pairs(&mut pairs, other);
    let mut query = form_urlencoded::Serializer::new(String::new());
    (!hits.is_empty()).then(|| {
        let query = query.extend_pairs(pairs).finish();
        (format!("{before}?{query}"), hits)
    })
}
