//! Event streams (`text/event-stream`): the events of a body, by the rules of WHATWG's HTML standard, section 9.2.6.

use bytes::Bytes;
use schemars::JsonSchema;
use serde::Deserialize;
#[cfg(feature = "sandbox")]
use serde_json::Value;

use crate::json::Json;

/// How the data of an event is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EventData {
    /// As JSON where it is JSON, else as text.
    #[default]
    Auto,
    /// As JSON. Other data is an error.
    Json,
    /// As text.
    Text,
}

/// The fields of the event that is being read.
#[derive(Default)]
struct Block<'b> {
    event: &'b str,
    /// The lines of the data, each with a line feed behind it.
    data: String,
    retry: Option<&'b str>,
}

/// The list of a body's events, each `{ event, data, id, retry }`. An event that no blank line ends is not complete, and
/// is dropped.
///
/// # Errors
/// When the data of an event must be JSON and is not.
pub(super) fn read(body: &[u8], kind: EventData) -> Result<Json, String> {
    let text = String::from_utf8_lossy(body);
    let mut list = Vec::with_capacity(text.len() + 2);
    list.push(b'[');
    let mut block = Block::default();
    let mut id = "";
    let mut count = 0;
    for line in complete_lines(&text) {
        if line.is_empty() {
            let done = std::mem::take(&mut block);
            if !done.data.is_empty() {
                count += 1;
                let written = done.write(id, kind, &mut list);
                written
                    .map_err(|problem| format!("no stream of JSON: event {count} has {problem}"))?;
            }
            continue;
        }
        // A line that starts with a colon is a comment: its name is empty.
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => block.event = value,
            "data" => {
                block.data.push_str(value);
                block.data.push('\n');
            }
            "id" if !value.contains('\0') => id = value,
            "retry" if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) => {
                block.retry = Some(value);
            }
            _ => {}
        }
    }
    list.push(b']');
    Ok(Json::made(list))
}

/// The lines that a line end follows: CR LF, LF or CR.
fn complete_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = rest.find(['\r', '\n'])?;
        let line = &rest[..end];
        let behind = &rest[end..];
        let length = if behind.starts_with("\r\n") { 2 } else { 1 };
        rest = &behind[length..];
        Some(line)
    })
}

impl Block<'_> {
    fn write(self, id: &str, kind: EventData, list: &mut Vec<u8>) -> Result<(), String> {
        let data = self.data.strip_suffix('\n').unwrap_or(&self.data);
        let data = match kind {
            EventData::Text => Json::of_text(data),
            EventData::Auto | EventData::Json => {
                match (Json::read(Bytes::copy_from_slice(data.as_bytes())), kind) {
                    (Ok(json), _) => json,
                    (Err(_), EventData::Auto) => Json::of_text(data),
                    (Err(problem), _) => return Err(format!("data that is {problem}")),
                }
            }
        };
        let event = Json::of_text(match self.event {
            "" => "message",
            event => event,
        });
        let id = match id {
            "" => Json::null(),
            id => Json::of_text(id),
        };
        if list.len() > 1 {
            list.push(b',');
        }
        let fields: [(&str, &[u8]); 4] = [
            ("{\"event\":", event.bytes()),
            (",\"data\":", data.bytes()),
            (",\"id\":", id.bytes()),
            (",\"retry\":", number(self.retry).as_bytes()),
        ];
        for (key, value) in fields {
            list.extend_from_slice(key.as_bytes());
            list.extend_from_slice(value);
        }
        list.push(b'}');
        Ok(())
    }
}

/// Digits as a JSON number, which has no leading zeros.
fn number(digits: Option<&str>) -> &str {
    match digits.map(|digits| digits.trim_start_matches('0')) {
        None => "null",
        Some("") => "0",
        Some(number) => number,
    }
}

/// The stream of these events, for a stand-in of a service. Data that is no text is written as JSON.
#[cfg(feature = "sandbox")]
pub(super) fn write(events: &Value) -> String {
    let mut stream = String::new();
    for event in events.as_array().into_iter().flatten() {
        for field in ["event", "id", "retry", "data"] {
            let text = match event.get(field) {
                None | Some(Value::Null) => continue,
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            };
            for line in text.split('\n') {
                stream.push_str(&format!("{field}: {line}\n"));
            }
        }
        stream.push('\n');
    }
    stream
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::{Value, json};

    use super::{EventData, read};

    fn event(event: &str, data: Value) -> Value {
        json!({ "event": event, "data": data, "id": null, "retry": null })
    }

    /// Most bodies are those of the standard and of the tests of browsers.
    #[test]
    fn streams_are_read_by_the_standard() {
        let message = |data: Value| event("message", data);
        let with_id = |data: &str, id: Value| json!({ "event": "message", "data": data, "id": id, "retry": null });
        for (body, expected) in [
            ("", json!([])),
            ("data: a", json!([])),
            ("data: a\n", json!([])),
            ("data: a\n\n", json!([message(json!("a"))])),
            ("data:a\r\n\r\n", json!([message(json!("a"))])),
            ("data:a\r\r", json!([message(json!("a"))])),
            (
                "data: a\r\n\ndata: b\n\r\n",
                json!([message(json!("a")), message(json!("b"))]),
            ),
            (
                "data: YHOO\ndata: +2\ndata: 10\n\n",
                json!([message(json!("YHOO\n+2\n10"))]),
            ),
            (
                ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n",
                json!([
                    with_id("first event", json!("1")),
                    with_id("second event", json!(null))
                ]),
            ),
            (
                "data\n\ndata\ndata\n\ndata:",
                json!([message(json!("")), message(json!("\n"))]),
            ),
            (
                "data:test\n\ndata: test\n\n",
                json!([message(json!("test")), message(json!("test"))]),
            ),
            (
                "event: add\ndata: 73857293\n\nevent: remove\ndata: x\n\nevent: lone\n\ndata: y\n\n",
                json!([
                    event("add", json!(73_857_293)),
                    event("remove", json!("x")),
                    message(json!("y"))
                ]),
            ),
            (
                "id: 7\ndata: a\n\ndata: b\n\nid: 8\u{0}\ndata: c\n\n",
                json!([
                    with_id("a", json!("7")),
                    with_id("b", json!("7")),
                    with_id("c", json!("7"))
                ]),
            ),
            (
                "retry: 0300\ndata: a\n\nretry: 1.5\nretry: x\ndata: b\n\n",
                json!([
                    { "event": "message", "data": "a", "id": null, "retry": 300 },
                    message(json!("b")),
                ]),
            ),
            ("Data: a\n data: b\nfoo: c\n\n", json!([])),
            (
                "data: {\"a\":\ndata: 1.10}\n\ndata: [DONE]\n\n",
                json!([message(json!({ "a": 1.10 })), message(json!("[DONE]"))]),
            ),
        ] {
            let read = read(body.as_bytes(), EventData::Auto).unwrap();
            assert_eq!(read.value().unwrap(), expected, "{body:?}");
        }
    }

    #[test]
    fn data_is_read_as_it_is_asked_for() {
        let body = b"data: 1.10\n\n";
        for (kind, data) in [
            (EventData::Auto, "1.10"),
            (EventData::Json, "1.10"),
            (EventData::Text, "\"1.10\""),
        ] {
            let read = read(body, kind).unwrap();
            let part = read.part().element(0).unwrap().member("data").unwrap();
            assert_eq!(part.text(), data.as_bytes(), "{kind:?}");
        }
        let error = read(b"data: 1\n\ndata: x\n\n", EventData::Json).unwrap_err();
        assert!(
            error.starts_with("no stream of JSON: event 2 has data that is no JSON"),
            "{error}"
        );
        let read = read(b"data: \xff\n\n", EventData::Auto).unwrap();
        assert!(read.text().contains('\u{fffd}'));
    }
}
