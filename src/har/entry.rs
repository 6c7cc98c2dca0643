//! One entry, from its JSON. Members that nothing here uses are left aside, whatever they hold.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

use super::exchange::{Asked, Body, Content, Entry, Kind, Own, Param, Request, Response};
use super::read::{Flaw, Read};
use crate::json::{self, Json, Part};

/// Base64 with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Reads the text of an entry.
pub(super) fn read(text: Vec<u8>, number: usize) -> Read {
    let mut flaws = Flaws::of(number);
    let read = flaws.json(text).and_then(|json| {
        if let Some(duplicate) = json::duplicate_key(json.text()) {
            let key = duplicate.key;
            let reason =
                format!("the key `{key}` is written twice in one object; the last one was taken");
            flaws.add("", &reason);
        }
        entry(json.part(), number, &mut flaws)
    });
    match read {
        Ok(entry) => Read::Entry(Box::new(entry), flaws.list),
        Err(flaw) => Read::Skipped(flaw),
    }
}

/// Reads what an entry asks, and nothing of its answer.
///
/// # Errors
/// Why the entry is passed over: for the reasons of [`read`].
pub(super) fn asked(text: Vec<u8>, number: usize) -> Result<Asked, Flaw> {
    let mut flaws = Flaws::of(number);
    let json = flaws.json(text)?;
    let request = request_of(json.part(), &flaws)?;
    let url = url(request, &mut flaws)?;
    let method = flaws.needed(request, REQUEST, "method")?;
    let body = object(request, "postData").and_then(|part| request_body(part, &mut flaws));
    let body = body.map(|body| match body.media_type.is_empty() {
        true => body.of_type_in(&headers(request, REQUEST, &mut flaws)),
        false => body,
    });
    let own = object(json.part(), "_toolrun");
    Ok(Asked {
        method,
        url,
        body,
        own: own.map(|part| own_without_arguments(part, &mut flaws)),
    })
}

/// What is not as it should be in one entry.
struct Flaws {
    entry: usize,
    list: Vec<Flaw>,
}

/// Where the request of an entry is.
const REQUEST: &str = "/request";

impl Flaws {
    fn of(entry: usize) -> Flaws {
        Flaws {
            entry,
            list: Vec::new(),
        }
    }

    fn json(&self, text: Vec<u8>) -> Result<Json, Flaw> {
        Json::read(text.into())
            .map_err(|reason| self.one("", &format!("{reason}; the entry was passed over")))
    }

    fn one(&self, below: &str, reason: &str) -> Flaw {
        Flaw {
            entry: self.entry,
            pointer: format!("/log/entries/{}{below}", self.entry - 1),
            reason: reason.to_owned(),
        }
    }

    fn add(&mut self, below: &str, reason: &str) {
        let flaw = self.one(below, reason);
        self.list.push(flaw);
    }

    /// A text that the entry cannot do without.
    fn needed(&self, part: Part<'_>, below: &str, name: &str) -> Result<String, Flaw> {
        let text = part.member(name).and_then(|member| member.string());
        let text = text.filter(|text| !text.is_empty());
        text.map(|text| text.into_owned()).ok_or_else(|| {
            let found = kind(part.member(name));
            let reason = format!("{found} and not a text; the entry was passed over");
            self.one(&format!("{below}/{name}"), &reason)
        })
    }

    /// A text that may be absent.
    fn text(&mut self, part: Part<'_>, below: &str, name: &str) -> String {
        let Some(member) = part.member(name).filter(|member| !member.is_null()) else {
            return String::new();
        };
        match member.string() {
            Some(text) => text.into_owned(),
            None => {
                let reason = format!("{} and not a text; it was left out", kind(Some(member)));
                self.add(&format!("{below}/{name}"), &reason);
                String::new()
            }
        }
    }
}

/// What stands at a place, for messages.
fn kind(part: Option<Part<'_>>) -> String {
    match part {
        None => "it is missing".to_owned(),
        Some(part) if part.string().is_some_and(|text| text.is_empty()) => "it is empty".to_owned(),
        Some(part) => format!("it is {}", part.kind().name()),
    }
}

/// The request of an entry.
fn request_of<'t>(part: Part<'t>, flaws: &Flaws) -> Result<Part<'t>, Flaw> {
    if part.kind() != json::Kind::Object {
        let reason = format!("{} and not an object; it was passed over", kind(Some(part)));
        return Err(flaws.one("", &reason));
    }
    object(part, "request").ok_or_else(|| {
        let found = kind(part.member("request"));
        let reason = format!("{found} and not an object; the entry was passed over");
        flaws.one(REQUEST, &reason)
    })
}

fn entry(part: Part<'_>, number: usize, flaws: &mut Flaws) -> Result<Entry, Flaw> {
    let request = request_of(part, flaws)?;
    Ok(Entry {
        number,
        started: flaws.text(part, "", "startedDateTime"),
        time: number_of(part, "time").unwrap_or(0.0).max(0.0),
        request: self::request(request, flaws)?,
        response: response(part, flaws),
        own: object(part, "_toolrun").map(|part| own(part, flaws)),
    })
}

fn object<'t>(part: Part<'t>, name: &str) -> Option<Part<'t>> {
    let member = part.member(name)?;
    (member.kind() == json::Kind::Object).then_some(member)
}

fn number_of(part: Part<'_>, name: &str) -> Option<f64> {
    let number: f64 = serde_json::from_slice(part.member(name)?.text()).ok()?;
    number.is_finite().then_some(number)
}

fn request(part: Part<'_>, flaws: &mut Flaws) -> Result<Request, Flaw> {
    Ok(Request {
        url: url(part, flaws)?,
        method: flaws.needed(part, REQUEST, "method")?,
        http_version: flaws.text(part, REQUEST, "httpVersion"),
        headers: headers(part, REQUEST, flaws),
        body: object(part, "postData").and_then(|part| request_body(part, flaws)),
    })
}

/// The URL of a request with its query.
fn url(part: Part<'_>, flaws: &mut Flaws) -> Result<String, Flaw> {
    let mut url = flaws.needed(part, REQUEST, "url")?;
    if !url.contains('?') {
        add_query(&mut url, part, flaws);
    }
    Ok(url)
}

/// Some write the query only beside the URL.
fn add_query(url: &mut String, part: Part<'_>, flaws: &mut Flaws) {
    let pairs = pairs(part, "/request", "queryString", flaws);
    if pairs.is_empty() {
        return;
    }
    flaws.add(
        "/request/url",
        "it has no query; that of `queryString` was taken",
    );
    let fragment = url.find('#').map(|at| url.split_off(at));
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs);
    url.push('?');
    url.push_str(&query.finish());
    url.push_str(&fragment.unwrap_or_default());
}

fn headers(part: Part<'_>, below: &str, flaws: &mut Flaws) -> Vec<(String, String)> {
    let mut headers = pairs(part, below, "headers", flaws);
    // Browsers list the pseudo headers of HTTP/2 too.
    headers.retain(|(name, _)| !name.starts_with(':'));
    headers
}

/// A list of `{ name, value }`.
fn pairs(part: Part<'_>, below: &str, name: &str, flaws: &mut Flaws) -> Vec<(String, String)> {
    let Some(list) = part.member(name).filter(|list| !list.is_null()) else {
        return Vec::new();
    };
    let below = format!("{below}/{name}");
    if list.kind() != json::Kind::Array {
        let reason = format!("{} and not an array; it was left out", kind(Some(list)));
        flaws.add(&below, &reason);
    }
    let mut pairs = Vec::new();
    for (at, item) in list.elements().enumerate() {
        let known = item.member("name").and_then(|name| name.string());
        let value = item.member("value").and_then(|value| scalar(value));
        match (known, value) {
            (Some(name), Some(value)) => pairs.push((name.into_owned(), value)),
            _ => flaws.add(
                &format!("{below}/{at}"),
                "it has not a name and a value; it was left out",
            ),
        }
    }
    pairs
}

/// A text, or the text of a number or a boolean; null is an empty text.
fn scalar(part: Part<'_>) -> Option<String> {
    match part.kind() {
        json::Kind::String => part.string().map(|text| text.into_owned()),
        json::Kind::Null => Some(String::new()),
        json::Kind::Number | json::Kind::Bool => {
            Some(String::from_utf8_lossy(part.text()).into_owned())
        }
        json::Kind::Array | json::Kind::Object => None,
    }
}

fn request_body(part: Part<'_>, flaws: &mut Flaws) -> Option<Body> {
    let below = "/request/postData";
    let params = params(part, below, flaws);
    let content = content(part, below, flaws);
    let is_nothing = matches!(&content, Content::Unknown) && params.is_empty();
    let is_empty = matches!(&content, Content::Text(text) if text.is_empty());
    let media_type = flaws.text(part, below, "mimeType");
    if is_nothing || (is_empty && params.is_empty()) {
        return None;
    }
    Some(Body {
        media_type,
        // Where only the fields are listed, an empty text says nothing.
        content: match is_empty {
            true => Content::Unknown,
            false => content,
        },
        params,
    })
}

fn params(part: Part<'_>, below: &str, flaws: &mut Flaws) -> Vec<Param> {
    let list = part.member("params");
    let mut params = Vec::new();
    for (at, item) in list.iter().flat_map(|list| list.elements()).enumerate() {
        let Some(name) = item.member("name").and_then(|name| name.string()) else {
            let place = format!("{below}/params/{at}");
            flaws.add(&place, "it has no name; it was left out");
            continue;
        };
        let text = |name| item.member(name).and_then(|member| member.string());
        params.push(Param {
            name: name.into_owned(),
            value: item.member("value").and_then(|value| scalar(value)),
            file_name: text("fileName").map(|text| text.into_owned()),
            content_type: text("contentType").map(|text| text.into_owned()),
        });
    }
    params
}

/// The content of a body from `text` and `encoding`.
fn content(part: Part<'_>, below: &str, flaws: &mut Flaws) -> Content {
    let place = format!("{below}/text");
    let Some(text) = part.member("text").filter(|text| !text.is_null()) else {
        if part.member("_file").is_some() {
            flaws.add(
                &format!("{below}/_file"),
                "the body stands in another file, which is not read",
            );
        }
        return Content::Unknown;
    };
    let Some(text) = text.string() else {
        let found = kind(Some(text));
        flaws.add(
            &place,
            &format!("{found} and not a text; its JSON was taken"),
        );
        return Content::Text(String::from_utf8_lossy(text.text()).into_owned());
    };
    let encoding = ["_encoding", "encoding"].into_iter();
    let mut encoding = encoding.filter_map(|name| part.member(name)?.string());
    let encoding = encoding.next().unwrap_or_default();
    match encoding.as_ref() {
        "" | "utf8" | "utf-8" | "UTF-8" => Content::Text(text.into_owned()),
        "base64" => match BASE64.decode(without_space(&text)) {
            Ok(bytes) => Body::of_bytes("", bytes).content,
            Err(_) => {
                flaws.add(&place, "it is no base64; the body was left out");
                Content::Unknown
            }
        },
        _ => {
            let place = format!("{below}/encoding");
            flaws.add(&place, "it is not base64; the body was left out");
            Content::Unknown
        }
    }
}

fn without_space(text: &str) -> Vec<u8> {
    text.bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect()
}

fn response(part: Part<'_>, flaws: &mut Flaws) -> Option<Response> {
    let below = "/response";
    let Some(part) = object(part, "response") else {
        let reason = format!(
            "{} and not an object; the entry has no answer",
            kind(part.member("response"))
        );
        flaws.add(below, &reason);
        return None;
    };
    Some(Response {
        status: status(part, flaws)?,
        status_text: flaws.text(part, below, "statusText"),
        http_version: flaws.text(part, below, "httpVersion"),
        headers: headers(part, below, flaws),
        redirect_url: flaws.text(part, below, "redirectURL"),
        body: response_body(part, flaws),
    })
}

/// The status; none where no answer came, which browsers write as 0 and others as -1.
fn status(part: Part<'_>, flaws: &mut Flaws) -> Option<u16> {
    let member = part.member("status");
    let text = member.and_then(|member| scalar(member));
    let number: Option<i64> = text.and_then(|text| text.trim().parse().ok());
    match number {
        Some(0 | -1) => None,
        Some(number @ 100..=999) => Some(number as u16),
        _ => {
            let reason = match member {
                Some(member) if member.kind() == json::Kind::Number => "it is no status".to_owned(),
                found => format!("{} and not a number", kind(found)),
            };
            flaws.add(
                "/response/status",
                &format!("{reason}; the entry has no answer"),
            );
            None
        }
    }
}

fn response_body(part: Part<'_>, flaws: &mut Flaws) -> Body {
    let below = "/response/content";
    let Some(part) = object(part, "content") else {
        return Body {
            media_type: String::new(),
            content: Content::Unknown,
            params: Vec::new(),
        };
    };
    let is_empty = number_of(part, "size") == Some(0.0);
    Body {
        media_type: flaws.text(part, below, "mimeType"),
        content: match content(part, below, flaws) {
            Content::Unknown if is_empty && part.member("text").is_none() => {
                Content::Text(String::new())
            }
            content => content,
        },
        params: Vec::new(),
    }
}

/// What toolrun wrote. Members of other types than expected are as absent ones.
fn own(part: Part<'_>, flaws: &mut Flaws) -> Own {
    let arguments = part.member("arguments");
    Own {
        arguments: arguments.map_or(Value::Null, |part| value(part, "arguments", flaws)),
        ..own_without_arguments(part, flaws)
    }
}

fn own_without_arguments(part: Part<'_>, flaws: &mut Flaws) -> Own {
    let text = |name| part.member(name).and_then(|member| member.string());
    let mut more = Map::new();
    for (key, member) in part.members() {
        let name = key.name();
        if !["service", "tool", "arguments", "kind"].contains(&name.as_ref()) {
            let value = value(member, &name, flaws);
            more.insert(name.into_owned(), value);
        }
    }
    Own {
        service: text("service").unwrap_or_default().into_owned(),
        tool: text("tool").unwrap_or_default().into_owned(),
        arguments: Value::Null,
        kind: Kind::of(&text("kind").unwrap_or("call".into())),
        more,
    }
}

/// A value that toolrun wrote; null if a tree cannot hold it, which is told.
fn value(part: Part<'_>, name: &str, flaws: &mut Flaws) -> Value {
    serde_json::from_slice(part.text()).unwrap_or_else(|error| {
        // The place in the text of the member says nothing about the file.
        let reason = error.to_string();
        let reason = reason.split(" at line ").next().unwrap_or_default();
        flaws.add(
            &format!("/_toolrun/{name}"),
            &format!("it cannot be held ({reason}); it was left out"),
        );
        Value::Null
    })
}
