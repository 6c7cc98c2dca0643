//! What a service says about an error in a body that no descriptor explains: its message and its code, in the places
//! where services commonly put them. It also shortens a service's words and keeps them on one line.

use serde_json::{Map, Value};

use crate::words::scalar_text;

/// Most bytes of a service's message that are kept.
pub(crate) const MOST_OF_MESSAGE: usize = 2048;
/// Most bytes of a service's code, or of its request id, that are kept.
pub(crate) const MOST_OF_CODE: usize = 256;
/// Most bytes of an HTML page or a plain text that are used as a message.
const MOST_OF_TEXT: usize = 500;
/// Most bytes of a body that are shown when no message is found in it.
const MOST_OF_EXCERPT: usize = 200;
/// Most bytes of an HTML page that are searched for its title.
const MOST_OF_PAGE: usize = 64 << 10;
/// How many messages of a list are shown. The others are only counted.
const MOST_OF_LIST: usize = 3;
/// How deep in a body messages are searched.
const DEEPEST: usize = 6;

/// A message and a code, if there are any.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// Words for people.
    pub message: Option<String>,
    /// A code for programs.
    pub code: Option<String>,
}

/// What a body says. A body that is not JSON is given as a string; one that is not text, as null.
pub(crate) fn in_body(body: &Value, status: u16) -> Said {
    match body {
        Value::String(text) if is_markup(text) => in_markup(text),
        Value::String(text) => Said {
            message: filled(clipped(&one_line(text), MOST_OF_TEXT)),
            code: None,
        },
        Value::Object(_) | Value::Array(_) => in_json(body, status),
        Value::Null => Said::default(),
        other => Said {
            message: Some(other.to_string()),
            code: None,
        },
    }
}

fn filled(text: String) -> Option<String> {
    (!text.trim().is_empty()).then_some(text)
}

/// The text on one line: every run of white space and line breaks becomes one space.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || c.is_control() && is_break(c)) {
        if !word.is_empty() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    line
}

/// Information separators. Some programs break lines at them.
fn is_break(c: char) -> bool {
    matches!(c, '\u{1c}'..='\u{1f}')
}

/// At most this many first bytes of a text. If it was cut, it says how many bytes were left out.
pub(crate) fn clipped(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(most);
    format!("{}... ({} more bytes)", &text[..end], text.len() - end)
}

/// Keys that hold a message, the most specific first.
const MESSAGES: [&str; 19] = [
    "error_description",
    "message",
    "Message",
    "msg",
    "error_message",
    "errorMessage",
    "detail",
    "error",
    "Error",
    "errors",
    "errorMessages",
    "description",
    "reason",
    "title",
    "fault",
    "faultstring",
    "details",
    "status_message",
    "result",
];

/// Keys that hold a code, the most specific first.
const CODES: [&str; 19] = [
    "/error/code",
    "/error/type",
    "/error/status",
    "/code",
    "/Code",
    "/errorCode",
    "/error_code",
    "/errors/0/code",
    "/errors/0/extensions/code",
    "/errors/0/type",
    "/0/errorCode",
    "/0/code",
    "/Error/Code",
    "/fault/detail/errorcode",
    "/__type",
    "/error",
    "/type",
    "/status",
    "/errors/0/status",
];

fn in_json(body: &Value, status: u16) -> Said {
    let is_empty = match body {
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    };
    if is_empty {
        return Said::default();
    }
    let message = message_in(body, 0);
    let is_code = |code: &String| {
        // The status is reported anyway, and `about:blank` means that there is no code (RFC 9457, section 4.2.1).
        *code != status.to_string()
            && code != "about:blank"
            && !code.trim().is_empty()
            && message.as_ref() != Some(code)
            && !matches!(code.as_str(), "true" | "false" | "error")
    };
    let code = CODES
        .iter()
        .filter_map(|pointer| body.pointer(pointer).and_then(scalar_text))
        .find(is_code);
    let message = message.unwrap_or_else(|| {
        format!(
            "its body is {}",
            clipped(&body.to_string(), MOST_OF_EXCERPT)
        )
    });
    Said {
        message: Some(message),
        code,
    }
}

/// The message in a value: the value itself, or a member of it.
fn message_in(value: &Value, depth: usize) -> Option<String> {
    if depth > DEEPEST {
        return None;
    }
    match value {
        Value::String(text) => filled(text.clone()),
        Value::Array(items) => list(items.iter().map(|item| message_in(item, depth + 1))),
        Value::Object(members) => message_of(members, depth),
        _ => None,
    }
}

fn message_of(members: &Map<String, Value>, depth: usize) -> Option<String> {
    let text = |key: &str| members.get(key)?.as_str().filter(|text| !text.is_empty());
    // RFC 9457: the title names the kind of problem, the detail explains this occurrence.
    if let (Some(title), Some(detail)) = (text("title"), text("detail"))
        && title != detail
    {
        return Some(format!("{title}: {detail}"));
    }
    let (key, message) = MESSAGES.iter().find_map(|key| {
        let message = message_in(members.get(*key)?, depth + 1)?;
        Some((*key, message))
    })?;
    // If the message is general, its neighbours say which field is wrong.
    let message = match members.get("errors").filter(|_| key != "errors") {
        Some(errors) => match fields(errors, depth + 1) {
            Some(more) if more != message => format!("{message}: {more}"),
            _ => message,
        },
        None => message,
    };
    // FastAPI and others say next to the message which part of the request is wrong.
    let place = members.get("loc").or_else(|| members.get("field"));
    Some(match place.and_then(place_in) {
        Some(place) => format!("{place}: {message}"),
        None => message,
    })
}

/// The messages of a list, or of a map from a field to its messages.
fn fields(errors: &Value, depth: usize) -> Option<String> {
    let Value::Object(members) = errors else {
        return message_in(errors, depth);
    };
    message_of(members, depth).or_else(|| {
        list(
            members
                .iter()
                .map(|(field, value)| Some(format!("{field}: {}", message_in(value, depth)?))),
        )
    })
}

fn list(messages: impl Iterator<Item = Option<String>>) -> Option<String> {
    let messages: Vec<String> = messages.flatten().collect();
    let mut text = messages
        .iter()
        .take(MOST_OF_LIST)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join("; ");
    if messages.len() > MOST_OF_LIST {
        text.push_str(&format!("; and {} more", messages.len() - MOST_OF_LIST));
    }
    filled(text)
}

fn place_in(value: &Value) -> Option<String> {
    match value {
        Value::Array(parts) => {
            let parts: Vec<String> = parts.iter().filter_map(scalar_text).collect();
            filled(parts.join("."))
        }
        other => scalar_text(other),
    }
}

fn is_markup(text: &str) -> bool {
    let start = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    start.starts_with('<') && start.contains('>')
}

/// The title or first heading of a page, or the message and code of an XML document.
fn in_markup(text: &str) -> Said {
    let text = &text[..text.floor_char_boundary(MOST_OF_PAGE)];
    // Only ASCII letters change case, so that offsets are the same in both texts.
    let lower = text.to_ascii_lowercase();
    let find = |names: &[&str]| {
        let mut found = names.iter().filter_map(|name| element(text, &lower, name));
        found.find(|inner| !inner.is_empty())
    };
    let message = find(&["title", "message", "faultstring", "detail", "h1", "h2"])
        .unwrap_or_else(|| plain(text));
    Said {
        message: filled(clipped(&message, MOST_OF_TEXT)),
        code: find(&["code", "faultcode"]).filter(|_| !lower.contains("<html")),
    }
}

/// The text of the first element of this name.
fn element(text: &str, lower: &str, name: &str) -> Option<String> {
    let open = format!("<{name}");
    let mut from = 0;
    loop {
        let at = from + lower.get(from..)?.find(&open)? + open.len();
        let next = lower.get(at..)?.chars().next()?;
        if next == '>' || next.is_ascii_whitespace() {
            let start = at + lower[at..].find('>')? + 1;
            let rest = &lower[start..];
            let end = rest.find(&format!("</{name}")).unwrap_or(rest.len());
            return Some(plain(&text[start..start + end]));
        }
        from = at;
    }
}

/// The text between tags, on one line.
fn plain(markup: &str) -> String {
    let mut text = String::new();
    for (i, piece) in markup.split('<').enumerate() {
        let piece = match (i, piece.split_once('>')) {
            (0, _) => piece,
            (_, Some((_, after))) => after,
            (_, None) => "",
        };
        text.push(' ');
        text.push_str(piece);
    }
    // `&amp;` comes last: otherwise it could create a new reference together with the text behind it.
    for (reference, character) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&apos;", "'"),
        ("&nbsp;", " "),
        ("&amp;", "&"),
    ] {
        text = text.replace(reference, character);
    }
    one_line(&text)
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_common_shapes_of_errors_are_understood() {
        for (body, message, code) in [
            (
                json!({ "error": { "type": "not_found_error", "message": "No such thing." } }),
                "No such thing.",
                Some("not_found_error"),
            ),
            (
                json!({ "error": { "code": 404, "message": "Gone.", "status": "NOT_FOUND" } }),
                "Gone.",
                Some("NOT_FOUND"),
            ),
            (
                json!({ "error": "invalid_grant", "error_description": "It expired." }),
                "It expired.",
                Some("invalid_grant"),
            ),
            (json!({ "error": "It is broken." }), "It is broken.", None),
            (
                json!({ "error": "Bad Request", "message": "limit is too large", "statusCode": 404 }),
                "limit is too large",
                Some("Bad Request"),
            ),
            (
                json!({ "message": "Not Found", "documentation_url": "https://d.test" }),
                "Not Found",
                None,
            ),
            (
                json!({ "message": "Validation Failed", "errors": [{ "field": "name", "code": "missing", "message": "is missing" }] }),
                "Validation Failed: name: is missing",
                Some("missing"),
            ),
            (
                json!({ "errors": ["one", "two", "three", "four", "five"] }),
                "one; two; three; and 2 more",
                None,
            ),
            (
                json!({ "errors": [{ "message": "first", "code": "E1" }] }),
                "first",
                Some("E1"),
            ),
            (
                json!({ "errors": [{ "status": "422", "title": "Invalid", "detail": "Too short." }] }),
                "Invalid: Too short.",
                Some("422"),
            ),
            (
                json!({ "message": "Invalid", "errors": { "name": ["is taken"], "age": ["is low", "is odd"] } }),
                "Invalid: name: is taken; age: is low; is odd",
                None,
            ),
            (json!({ "detail": "Not found." }), "Not found.", None),
            (
                json!({ "detail": [{ "loc": ["body", "name"], "msg": "field required" }] }),
                "body.name: field required",
                None,
            ),
            (
                json!({ "type": "https://p.test/credit", "title": "No credit", "detail": "You have 30.", "status": 404 }),
                "No credit: You have 30.",
                Some("https://p.test/credit"),
            ),
            (
                json!({ "type": "about:blank", "title": "Not Found", "status": 404 }),
                "Not Found",
                None,
            ),
            (
                json!([{ "errorCode": "INVALID_FIELD", "message": "No such column" }]),
                "No such column",
                Some("INVALID_FIELD"),
            ),
            (
                json!({ "__type": "ThrottlingException", "Message": "Rate exceeded" }),
                "Rate exceeded",
                Some("ThrottlingException"),
            ),
            (
                json!({ "fault": { "faultstring": "Bad key", "detail": { "errorcode": "oauth.v2" } } }),
                "Bad key",
                Some("oauth.v2"),
            ),
            (
                json!({ "ok": false, "why": 7 }),
                "its body is {\"ok\":false,\"why\":7}",
                None,
            ),
            (json!([1, 2]), "its body is [1,2]", None),
            (json!("plain\ntext"), "plain text", None),
            (
                json!(
                    "<!DOCTYPE html><html><head><TITLE>\n 502 Bad &amp; Gateway </TITLE></head></html>"
                ),
                "502 Bad & Gateway",
                None,
            ),
            (json!("<h1>Bad gateway</h1>"), "Bad gateway", None),
            (
                json!("<html><body><p>All <b>is</b> lost</body>"),
                "All is lost",
                None,
            ),
            (
                json!(
                    "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>No key.</Message></Error>"
                ),
                "No key.",
                Some("NoSuchKey"),
            ),
        ] {
            let said = in_body(&body, 404);
            assert_eq!(
                (said.message.as_deref(), said.code.as_deref()),
                (Some(message), code),
                "{body}"
            );
        }
    }

    #[test]
    fn a_body_that_says_nothing_gives_nothing() {
        for body in [
            json!(null),
            json!({}),
            json!([]),
            json!(""),
            json!(" \n\t"),
            json!("<html></html>"),
            json!("<"),
        ] {
            assert_eq!(
                in_body(&body, 500).message.filter(|m| m != "<"),
                None,
                "{body}"
            );
        }
    }

    #[test]
    fn words_are_cut_at_a_character_and_the_rest_is_counted() {
        assert_eq!(clipped("short", 5), "short");
        assert_eq!(clipped("äöü", 3), "ä... (4 more bytes)");
        let long = "x".repeat(5000);
        assert_eq!(
            clipped(&long, 2048).len(),
            2048 + "... (2952 more bytes)".len()
        );
    }

    #[test]
    fn no_kind_of_line_break_is_left() {
        let text = "a\nb\r\nc\u{b}d\u{c}e\u{1c}f\u{85}g\u{2028}h\u{2029}i\tj   k\u{a0}l";
        assert_eq!(one_line(text), "a b c d e f g h i j k l");
    }
}
