//! Kinds of responses: the type of the body, and so the meaning of `$`.

use bytes::Bytes;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::events::{self, EventData};
use super::{Json, JsonPath, Kind, Part, ResponseSpec, compile_plain_path, xml};
use crate::jsonpath::Step;
use crate::source::{Check, Code, join, join_index};
use crate::template::Names;

/// The type of a response's body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ResponseKind {
    /// A JSON value; `$` is that value. An empty body is null.
    #[default]
    Json,
    /// One JSON value a line; `$` is the array of them.
    Ndjson,
    /// Text in UTF-8; `$` is the string.
    Text,
    /// Bytes that are saved to a file; `$` is `{ file, bytes, content_type, filename }`.
    Bytes,
    /// An event stream (`text/event-stream`), read to its end; `$` is the array of its events, each
    /// `{ event, data, id, retry }`.
    Sse,
    /// XML; `$` is an object with the root element. An element is its text, or an object with `@name` for attributes, its
    /// elements by name (an array where a name repeats), and `#text`.
    Xml,
    /// Nothing: any body is ignored.
    Empty,
}

/// What reading a body needs besides its kind.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// The names that lead to elements that are always arrays.
    lists: Vec<Vec<String>>,
    event_data: EventData,
}

impl Reading {
    /// Compiles these keys of the section at `pointer`; mistakes go to `check`.
    pub(super) fn compile(spec: &ResponseSpec, pointer: &str, check: &Check) -> Reading {
        let report_vain = |key: &str, kind: ResponseKind| {
            check.error_at_key(
                Code::BadResponse,
                &join(pointer, key),
                format!("`{key}` goes with the kind `{}` alone", kind.name()),
                None,
            );
        };
        if !spec.lists.is_empty() && spec.kind != ResponseKind::Xml {
            report_vain("lists", ResponseKind::Xml);
        }
        if spec.event_data.is_some() && spec.kind != ResponseKind::Sse {
            report_vain("event_data", ResponseKind::Sse);
        }
        let lists = spec.lists.iter().enumerate();
        Reading {
            lists: lists
                .filter_map(|(i, text)| {
                    let at = join_index(&join(pointer, "lists"), i);
                    names_of(text, &at, check)
                })
                .collect(),
            event_data: spec.event_data.unwrap_or_default(),
        }
    }
}

/// The names of a path to elements, of which any may be a list.
fn names_of(text: &str, pointer: &str, check: &Check) -> Option<Vec<String>> {
    let path = compile_plain_path(&text.replace("[*]", ""), pointer, check)?;
    let steps = path.singular().unwrap_or_default().iter();
    let names: Option<Vec<String>> = steps
        .map(|step| match step {
            Step::Name(name) => Some(name.clone()),
            Step::Index(_) => None,
        })
        .collect();
    let names = names.filter(|names| names.len() > 1);
    if names.is_none() {
        check.error_with_help(
            Code::BadResponse,
            pointer,
            format!("`{text}` does not lead to elements by their names"),
            "write `$.feed.entry`, or `$.feed.entry[*].category`",
        );
    }
    names
}

/// The members of `$` where a response is saved to a file.
const FILE_FACTS: [&str; 4] = ["file", "bytes", "content_type", "filename"];

impl ResponseKind {
    /// The kind as descriptors write it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            ResponseKind::Json => "json",
            ResponseKind::Ndjson => "ndjson",
            ResponseKind::Text => "text",
            ResponseKind::Bytes => "bytes",
            ResponseKind::Sse => "sse",
            ResponseKind::Xml => "xml",
            ResponseKind::Empty => "empty",
        }
    }

    /// Whether any path may find something in a body of this kind.
    fn has_any_path(self) -> bool {
        match self {
            ResponseKind::Json | ResponseKind::Ndjson | ResponseKind::Sse | ResponseKind::Xml => {
                true
            }
            ResponseKind::Text | ResponseKind::Bytes | ResponseKind::Empty => false,
        }
    }

    /// The `accept` header of requests for this kind. Error answers may have other media types, so the header excludes
    /// none.
    pub(crate) fn accept(self) -> &'static str {
        match self {
            ResponseKind::Json => "application/json",
            ResponseKind::Ndjson => "application/x-ndjson, */*;q=0.5",
            ResponseKind::Text => "text/plain, */*;q=0.5",
            ResponseKind::Sse => "text/event-stream, */*;q=0.5",
            ResponseKind::Xml => "application/xml, text/xml;q=0.9, */*;q=0.5",
            ResponseKind::Bytes | ResponseKind::Empty => "*/*",
        }
    }

    /// Refuses a value that `$` cannot be with this kind of response.
    ///
    /// # Errors
    /// What the value must be instead.
    pub(crate) fn refuse_other(self, body: Part<'_>) -> Result<(), String> {
        let (is_right, expected) = match self {
            ResponseKind::Json | ResponseKind::Empty => return Ok(()),
            ResponseKind::Ndjson => (body.kind() == Kind::Array, "the array of the lines"),
            ResponseKind::Sse => (
                body.kind() == Kind::Array,
                "the array of the events, or the text of the stream",
            ),
            ResponseKind::Xml => (
                matches!(body.kind(), Kind::Object | Kind::Null),
                "an object with the root element, or the text of the document",
            ),
            ResponseKind::Text => (body.kind() == Kind::String, "a string"),
            ResponseKind::Bytes => {
                let mut keys = body.members().map(|(key, _)| key);
                let is_object = body.kind() == Kind::Object;
                let facts = is_object && keys.all(|key| FILE_FACTS.iter().any(|fact| key.is(fact)));
                (facts, "an object of file, bytes, content_type and filename")
            }
        };
        match is_right {
            true => Ok(()),
            false => Err(format!(
                "the body of a response of kind {} must be {expected}",
                self.name()
            )),
        }
    }

    /// Whether the value may contain lists.
    pub(crate) fn has_items(self) -> bool {
        matches!(
            self,
            ResponseKind::Json | ResponseKind::Ndjson | ResponseKind::Sse | ResponseKind::Xml
        )
    }

    /// Whether the value is made from a text that is no JSON, so that only the value can be masked part by part.
    pub(crate) fn is_converted(self) -> bool {
        matches!(self, ResponseKind::Sse | ResponseKind::Xml)
    }

    /// The names for parts of a response that a success of this kind has.
    pub(crate) fn names(self, names: &Names) -> Names {
        match self {
            ResponseKind::Empty => names.clone().without("body"),
            _ => names.clone(),
        }
    }

    /// The value of an empty body.
    pub(crate) fn empty(self) -> Json {
        match self {
            ResponseKind::Ndjson | ResponseKind::Sse => Json::of(&Value::Array(Vec::new())),
            ResponseKind::Text => Json::of_text(""),
            ResponseKind::Json | ResponseKind::Xml | ResponseKind::Bytes | ResponseKind::Empty => {
                Json::null()
            }
        }
    }

    /// A value in the notation of the kind with its media type, for a stand-in of a service.
    #[cfg(feature = "sandbox")]
    pub(crate) fn write(self, value: &Value) -> (&'static str, String) {
        match (self, value) {
            (ResponseKind::Text, Value::String(text)) => {
                ("text/plain; charset=utf-8", text.clone())
            }
            (ResponseKind::Ndjson, Value::Array(lines)) => {
                let lines = lines.iter().map(|line| format!("{line}\n"));
                ("application/x-ndjson", lines.collect())
            }
            (ResponseKind::Sse, events) => ("text/event-stream", events::write(events)),
            (ResponseKind::Xml, document) => ("application/xml", xml::write(document)),
            (_, json) => ("application/json", json.to_string()),
        }
    }

    /// The value of a success's body. For a file, the code that saves the file makes the value.
    ///
    /// # Errors
    /// Why the body is not of this kind, such as `no JSON: ...`.
    pub(crate) fn read(self, body: &Bytes, reading: &Reading) -> Result<Json, String> {
        let body = match body.starts_with(b"\xEF\xBB\xBF") {
            true => body.slice(3..),
            false => body.clone(),
        };
        match self {
            ResponseKind::Json if is_blank(&body) => Ok(Json::null()),
            ResponseKind::Json => Json::read(body),
            ResponseKind::Ndjson => read_lines(&body),
            ResponseKind::Sse => events::read(&body, reading.event_data),
            ResponseKind::Xml if is_blank(&body) => Ok(Json::null()),
            ResponseKind::Xml => xml::read(&body, &reading.lists),
            ResponseKind::Text => match std::str::from_utf8(&body) {
                Ok(text) => Ok(Json::of_text(text)),
                Err(error) => Err(format!("no UTF-8 text: {error}")),
            },
            ResponseKind::Bytes | ResponseKind::Empty => Ok(Json::null()),
        }
    }
}

/// The array of the values of the lines.
fn read_lines(body: &Bytes) -> Result<Json, String> {
    let mut list = Vec::with_capacity(body.len() + 2);
    list.push(b'[');
    let lines = body.split(|byte| *byte == b'\n').enumerate();
    for (i, line) in lines.filter(|(_, line)| !is_blank(line)) {
        if list.len() > 1 {
            list.push(b',');
        }
        let json = Json::read(body.slice_ref(line))
            .map_err(|error| error.replacen("no JSON", &format!("no JSON in line {}", i + 1), 1))?;
        list.extend_from_slice(json.bytes());
    }
    list.push(b']');
    Ok(Json::made(list))
}

/// Reports paths of a projection that select nothing in a response of this kind.
pub(crate) fn report_vain_paths(
    kind: ResponseKind,
    projection: &Value,
    pointer: &str,
    check: &Check,
) {
    // Each path would be parsed once more.
    if kind.has_any_path() {
        return;
    }
    match projection {
        Value::String(text) if text.starts_with('$') => {
            if let Ok(path) = JsonPath::parse(text) {
                report_vain_path(kind, &path, pointer, check);
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                report_vain_paths(kind, item, &join_index(pointer, i), check);
            }
        }
        Value::Object(members) if !(members.len() == 1 && members.contains_key("literal")) => {
            for (key, member) in members {
                // Paths inside `as` begin elsewhere. The `each` that leads there was reported already.
                if !(key == "as" && members.contains_key("each")) {
                    report_vain_paths(kind, member, &join(pointer, key), check);
                }
            }
        }
        _ => {}
    }
}

fn report_vain_path(kind: ResponseKind, path: &JsonPath, pointer: &str, check: &Check) {
    let steps = path.singular();
    let text = path.as_str();
    let (message, help) = match (kind, steps) {
        (ResponseKind::Json | ResponseKind::Ndjson | ResponseKind::Sse | ResponseKind::Xml, _) => {
            return;
        }
        (ResponseKind::Text | ResponseKind::Bytes, Some([])) => return,
        (ResponseKind::Bytes, Some([Step::Name(name)])) if FILE_FACTS.contains(&name.as_str()) => {
            return;
        }
        (ResponseKind::Empty, _) => (
            format!("`{text}` gives nothing: the body is ignored"),
            "take it from `headers` or `status`, or give the response another kind".to_owned(),
        ),
        (ResponseKind::Text, _) => (
            format!("`{text}` gives nothing: the body is a text, which is `$` itself"),
            "compute with `{{ body }}`, or give the response another kind".to_owned(),
        ),
        (ResponseKind::Bytes, _) => (
            format!("`{text}` gives nothing: the body goes to a file"),
            format!("`$` has {}", FILE_FACTS.join(", ")),
        ),
    };
    check.error_with_help(Code::BadResponse, pointer, message, help);
}

fn is_blank(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;

    #[test]
    fn bodies_are_read_as_their_kind() {
        for (kind, body, expected) in [
            (ResponseKind::Json, "\u{feff}[1]", Ok(json!([1]))),
            (ResponseKind::Json, " \n", Ok(json!(null))),
            (ResponseKind::Json, "{", Err("no JSON: EOF")),
            (
                ResponseKind::Ndjson,
                "{\"a\":1}\r\n\n[2]\n3",
                Ok(json!([{"a": 1}, [2], 3])),
            ),
            (ResponseKind::Ndjson, "", Ok(json!([]))),
            (ResponseKind::Ndjson, "1\n\n{", Err("no JSON in line 3")),
            (ResponseKind::Ndjson, "1 2", Err("no JSON in line 1")),
            (ResponseKind::Text, "é\n", Ok(json!("é\n"))),
            (ResponseKind::Text, "", Ok(json!(""))),
            (ResponseKind::Empty, "{\"a\":", Ok(json!(null))),
        ] {
            let read = kind.read(&Bytes::from(body), &Reading::default());
            let read = read.map(|json| json.value().unwrap());
            match (read, expected) {
                (Err(error), Err(part)) => assert!(error.starts_with(part), "{body}: {error}"),
                (read, expected) => {
                    assert_eq!(read, expected.map_err(str::to_owned), "{kind:?} {body}");
                }
            }
        }
        let error = ResponseKind::Text
            .read(&Bytes::from_static(b"\xff"), &Reading::default())
            .unwrap_err();
        assert!(error.starts_with("no UTF-8"), "{error}");
    }
}
