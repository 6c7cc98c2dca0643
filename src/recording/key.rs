//! What is compared of a request: method, path, query and body, each by its value.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher as _};

use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use super::entry::redacted;
use super::redact::Rules;
use crate::har::{Body, Content};
use crate::json::{Json, Kind, Part};
use crate::plan::MASK;

/// What stands between parts in place of their boundary, which is another one in each request.
const DELIMITER: &[u8] = b"--=boundary";

/// A request, as far as it is compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub method: String,
    /// The segments of the path, decoded.
    pub path: Vec<String>,
    /// The query, decoded and sorted by name; values of one name keep their order.
    pub query: Vec<(String, String)>,
    pub body: Canon,
}

/// A body by its value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Canon {
    Nothing,
    /// JSON, with sorted names and one notation for each number.
    Json(String),
    /// The fields of a form, as in a query.
    Form(Vec<(String, String)>),
    Bytes(Vec<u8>),
}

/// The line of a request: all of it but the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line<'r> {
    pub method: &'r str,
    /// The path, percent-encoded.
    pub path: &'r str,
    /// The query, percent-encoded; empty if there is none.
    pub query: &'r str,
}

impl<'r> Line<'r> {
    pub(super) fn new(method: &'r str, url: &'r Url) -> Line<'r> {
        Line {
            method,
            path: url.path(),
            query: url.query().unwrap_or_default(),
        }
    }
}

/// How requests of a service are compared.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    /// The names of query parameters that carry credentials, decoded.
    secret_query: Vec<String>,
    /// The segments of the path that carry credentials, and how a plan shows them.
    secret_path: Vec<(usize, String)>,
}

impl Keys {
    /// `query` are the names of query parameters that carry credentials, percent-encoded. The path of `base` shows the mask
    /// where it has credentials.
    pub(super) fn new<'q>(query: impl Iterator<Item = &'q str>, base: &Url) -> Keys {
        let segments = segments(base.path()).enumerate();
        Keys {
            secret_query: query.map(|name| decoded(name).into_owned()).collect(),
            secret_path: segments
                .filter(|(_, segment)| segment.contains(MASK))
                .map(|(at, segment)| (at, segment.into_owned()))
                .collect(),
        }
    }

    /// The key of a request. What rules hide is the same in all.
    pub(super) fn key(&self, line: Line<'_>, body: Canon, rules: &Rules) -> Key {
        let owned = |(name, value): (Cow<'_, str>, Cow<'_, str>)| {
            let [name, value] = [name, value].map(Cow::into_owned);
            (name, value)
        };
        Key {
            method: line.method.to_ascii_uppercase(),
            path: self.path(line.path).map(Cow::into_owned).collect(),
            query: self
                .query(line.query, rules)
                .into_iter()
                .map(owned)
                .collect(),
            body,
        }
    }

    /// A number that is the same for requests with the same key, and hardly ever for others. `body` is [`digest`] of the body.
    pub(super) fn digest(&self, line: Line<'_>, body: u64, rules: &Rules) -> u64 {
        let mut hasher = DefaultHasher::new();
        for byte in line.method.bytes() {
            hasher.write_u8(byte.to_ascii_uppercase());
        }
        for segment in self.path(line.path) {
            segment.hash(&mut hasher);
        }
        for pair in self.query(line.query, rules) {
            hasher.write_u8(b'&');
            pair.hash(&mut hasher);
        }
        hasher.write_u64(body);
        hasher.finish()
    }

    fn path<'r>(&'r self, path: &'r str) -> impl Iterator<Item = Cow<'r, str>> {
        segments(path).enumerate().map(|(at, segment)| {
            let mut secret = self.secret_path.iter();
            match secret.find(|(place, _)| *place == at) {
                Some((_, shown)) => Cow::Borrowed(shown.as_str()),
                None => segment,
            }
        })
    }

    fn query<'r>(&self, query: &'r str, rules: &Rules) -> Vec<(Cow<'r, str>, Cow<'r, str>)> {
        let mut query: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        query.retain(|(name, _)| self.secret_query.iter().all(|secret| secret != name));
        if !rules.is_empty() {
            let owned = query.iter();
            let mut owned: Vec<(String, String)> = owned
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect();
            rules.apply_to_pairs(&mut owned, &|_| Value::from(MASK));
            let owned = owned.into_iter();
            query = owned
                .map(|(name, value)| (name.into(), value.into()))
                .collect();
        }
        query.sort_by(|(one, _), (other, _)| one.cmp(other));
        query
    }
}

/// A number that is the same for bodies of the same value, and hardly ever for others.
pub(super) fn digest(body: &Canon) -> u64 {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    hasher.finish()
}

fn decoded(text: &str) -> Cow<'_, str> {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy()
}

fn segments(path: &str) -> impl Iterator<Item = Cow<'_, str>> {
    path.trim_start_matches('/').split('/').map(decoded)
}

fn pairs(text: &str) -> Vec<(String, String)> {
    let pairs = form_urlencoded::parse(text.as_bytes());
    pairs
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

/// A body by its value. What rules hide is the same in all.
pub(super) fn canon(body: Option<&Body>, rules: &Rules) -> Canon {
    let Some(body) = body else {
        return Canon::Nothing;
    };
    let essence = body.essence();
    let bytes = match (&body.content, body.params.is_empty()) {
        (Content::Unknown, true) => return Canon::Nothing,
        (Content::Unknown, false) => return form_of_params(body, rules),
        _ => body.bytes().unwrap_or_default(),
    };
    if bytes.is_empty() {
        return Canon::Nothing;
    }
    let hidden = |_: &Value| Value::from(MASK);
    let mut text = std::str::from_utf8(bytes).ok().map(str::to_owned);
    if !rules.is_empty()
        && let Some(known) = &text
        && let Some((new, hits)) = redacted(&essence, known, rules, &hidden)
        && !hits.is_empty()
    {
        text = Some(new);
    }
    if essence == "application/x-www-form-urlencoded"
        && let Some(text) = &text
    {
        return Canon::Form(sorted(pairs(text)));
    }
    if essence.starts_with("multipart/") {
        return Canon::Bytes(parts(bytes, &body.media_type));
    }
    match text {
        Some(text) => canonical(&text).map_or_else(|| Canon::Bytes(text.into_bytes()), Canon::Json),
        None => Canon::Bytes(bytes.to_vec()),
    }
}

fn form_of_params(body: &Body, rules: &Rules) -> Canon {
    let fields = body.params.iter().map(|param| {
        let value = param.value.clone().unwrap_or_default();
        (param.name.clone(), value)
    });
    let mut fields: Vec<(String, String)> = fields.collect();
    rules.apply_to_pairs(&mut fields, &|_| MASK.into());
    Canon::Form(sorted(fields))
}

fn sorted(mut pairs: Vec<(String, String)>) -> Vec<(String, String)> {
    pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
    pairs
}

/// A body in parts without its boundary, which is random, and with the names of header fields in lower case.
fn parts(bytes: &[u8], media_type: &str) -> Vec<u8> {
    let parameters = media_type.split(';').skip(1);
    let boundary = parameters.filter_map(|parameter| {
        let (name, value) = parameter.trim().split_once('=')?;
        let is_boundary = name.trim().eq_ignore_ascii_case("boundary");
        is_boundary.then(|| value.trim().trim_matches('"'))
    });
    let Some(boundary) = boundary.last().filter(|text| !text.is_empty()) else {
        return bytes.to_vec();
    };
    let line = format!("--{boundary}");
    let mut plain = Vec::with_capacity(bytes.len());
    let mut from = 0;
    let ends = memchr::memmem::find_iter(bytes, line.as_bytes());
    for end in ends.chain([bytes.len()]) {
        add_part(&bytes[from.min(end)..end], &mut plain);
        plain.extend_from_slice(DELIMITER);
        from = end + line.len();
    }
    plain
}

fn add_part(part: &[u8], plain: &mut Vec<u8>) {
    let Some(end) = memchr::memmem::find(part, b"\r\n\r\n") else {
        return plain.extend_from_slice(part);
    };
    let (head, content) = part.split_at(end);
    for line in String::from_utf8_lossy(head)
        .split("\r\n")
        .filter(|line| !line.is_empty())
    {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        plain.extend_from_slice(
            format!("{}:{}\r\n", name.to_ascii_lowercase(), value.trim()).as_bytes(),
        );
    }
    plain.extend_from_slice(content);
}

/// JSON in one notation; `None` if the text is no JSON, or an object has two members of one name.
fn canonical(text: &str) -> Option<String> {
    let json = Json::read(text.to_owned().into()).ok()?;
    let mut out = String::with_capacity(text.len());
    write(json.part(), &mut out)?;
    Some(out)
}

fn write(part: Part<'_>, out: &mut String) -> Option<()> {
    match part.kind() {
        Kind::Object => {
            let mut members: Vec<(String, Part<'_>)> = part
                .members()
                .map(|(key, member)| (key.name().into_owned(), member))
                .collect();
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            if members.windows(2).any(|pair| pair[0].0 == pair[1].0) {
                return None;
            }
            out.push('{');
            for (i, (name, member)) in members.into_iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                out.push_str(&json!(name).to_string());
                out.push(':');
                write(member, out)?;
            }
            out.push('}');
        }
        Kind::Array => {
            out.push('[');
            for (i, item) in part.elements().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                write(item, out)?;
            }
            out.push(']');
        }
        Kind::String => out.push_str(&json!(part.string()?).to_string()),
        Kind::Number => out.push_str(&number(std::str::from_utf8(part.text()).ok()?)),
        Kind::Bool | Kind::Null => out.push_str(std::str::from_utf8(part.text()).ok()?),
    }
    Some(())
}

/// A number in one notation: its digits without zeros at either end, and the power of ten. A small integer is written as usual.
fn number(text: &str) -> String {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let (digits, power) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let (whole, behind) = digits.split_once('.').unwrap_or((digits, ""));
    let Ok(power) = power.parse::<i64>() else {
        return text.to_owned();
    };
    let all = format!("{whole}{behind}");
    let kept = all.trim_end_matches('0');
    let shift = (all.len() - kept.len()) as i64 - behind.len() as i64;
    let Some(power) = power.checked_add(shift) else {
        return text.to_owned();
    };
    let kept = kept.trim_start_matches('0');
    match power {
        _ if kept.is_empty() => "0".to_owned(),
        0..=20 => format!("{sign}{kept}{}", "0".repeat(power as usize)),
        _ => format!("{sign}{kept}e{power}"),
    }
}
