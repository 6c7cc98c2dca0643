//! Results whose structure is their text once more. The structure is not built as a tree, which would take longer than
//! the rest of a call: the result carries a mark in its place, and whoever writes the message puts the text there.
//!
//! The mark is random for each process, so nothing that a service sends can be taken for it.

use std::sync::OnceLock;

use axum::body::Bytes;
use memchr::{memchr, memmem};
use rmcp::model::{ContentBlock, JsonRpcMessage, ServerJsonRpcMessage, ServerResult};
use serde_json::{Value, json};

use crate::json::{quoted, value_end};

/// What stands before the text of a result in a message. No string can hold it, because quotes in strings are escaped.
const BEFORE_TEXT: &[u8] = b"\"text\":";

/// The mark as it stands in a message, and what finds it there. It is near the end.
fn finder() -> &'static memmem::FinderRev<'static> {
    static FINDER: OnceLock<memmem::FinderRev<'static>> = OnceLock::new();
    FINDER.get_or_init(|| memmem::FinderRev::new(mark().to_string().as_bytes()).into_owned())
}

/// The mark: this structure is the text of the result once more, which is JSON.
pub(super) fn mark() -> Value {
    known_mark().clone()
}

fn known_mark() -> &'static Value {
    static MARK: OnceLock<Value> = OnceLock::new();
    MARK.get_or_init(|| {
        let key = format!("toolrun twin {}", uuid::Uuid::new_v4());
        json!({ key.as_str(): true })
    })
}

/// A message with each structure spelled out, as JSON.
///
/// # Errors
/// When it cannot be written.
pub(super) fn written(mut message: ServerJsonRpcMessage) -> serde_json::Result<Vec<u8>> {
    let Some(text) = take_twin(&mut message) else {
        return serde_json::to_vec(&message);
    };
    // The message is written around the text, which is long.
    let around = serde_json::to_vec(&message)?;
    let place = memmem::find(&around, BEFORE_TEXT).map(|at| at + BEFORE_TEXT.len());
    let (Some(place), Some(start)) = (place, finder().rfind(&around)) else {
        put_back(&mut message, text);
        return serde_json::to_vec(&message);
    };
    // Each quote of the text is escaped.
    let mut whole = Vec::with_capacity(around.len() + text.len() * 5 / 2);
    whole.extend_from_slice(&around[..place]);
    quoted(&text, &mut whole);
    whole.extend_from_slice(&around[place + EMPTY..start]);
    whole.extend_from_slice(text.as_bytes());
    whole.extend_from_slice(&around[start + finder().needle().len()..]);
    Ok(whole)
}

/// Bytes of an empty string.
const EMPTY: usize = 2;

/// The text of a result that is its structure too. An empty one takes its place.
fn take_twin(message: &mut ServerJsonRpcMessage) -> Option<String> {
    let (text, structure) = text_and_structure(message)?;
    (structure == Some(known_mark())).then(|| std::mem::take(text))
}

fn put_back(message: &mut ServerJsonRpcMessage, text: String) {
    if let Some((place, _)) = text_and_structure(message) {
        *place = text;
    }
}

fn text_and_structure(message: &mut ServerJsonRpcMessage) -> Option<(&mut String, Option<&Value>)> {
    let JsonRpcMessage::Response(response) = message else {
        return None;
    };
    let ServerResult::CallToolResult(result) = &mut response.result else {
        return None;
    };
    let Some(ContentBlock::Text(content)) = result.content.first_mut() else {
        return None;
    };
    Some((&mut content.text, result.structured_content.as_ref()))
}

/// A message with the structure in place of the mark.
pub(super) fn spelled_out(message: Bytes) -> Bytes {
    match place(&message) {
        None => message,
        Some((start, text)) => {
            let end = start + finder().needle().len();
            let mut whole = Vec::with_capacity(message.len() + text.len() + 1);
            whole.extend_from_slice(&message[..start]);
            whole.extend_from_slice(&text);
            whole.extend_from_slice(&message[end..]);
            whole.into()
        }
    }
}

/// Where the mark is, and the text that it stands for.
fn place(message: &[u8]) -> Option<(usize, Vec<u8>)> {
    let start = finder().rfind(message)?;
    let text = memmem::find(message, BEFORE_TEXT)? + BEFORE_TEXT.len();
    let text = message.get(text..value_end(message, text))?;
    let text = text.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    Some((start, unescaped(text)?))
}

/// A string without its escapes. A writer of JSON escapes each quote, so that a text of JSON is full of them.
fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr(b'\\', rest) {
        plain.extend_from_slice(&rest[..at]);
        let (code, length) = match rest.get(at + 1)? {
            b'n' => (b'\n', 2),
            b't' => (b'\t', 2),
            b'r' => (b'\r', 2),
            b'b' => (8, 2),
            b'f' => (12, 2),
            // The writer uses it for control characters alone.
            b'u' => {
                let digits = std::str::from_utf8(rest.get(at + 2..at + 6)?).ok()?;
                (u8::from_str_radix(digits, 16).ok().filter(u8::is_ascii)?, 6)
            }
            other => (*other, 2),
        };
        plain.push(code);
        rest = &rest[at + length..];
    }
    plain.extend_from_slice(rest);
    Some(plain)
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use rmcp::model::{CallToolResult, RequestId};

    use super::*;

    fn message(id: &str, text: &str, structure: Value) -> ServerJsonRpcMessage {
        let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
        result.structured_content = Some(structure);
        let id = RequestId::String(id.into());
        JsonRpcMessage::response(ServerResult::CallToolResult(result), id)
    }

    fn bytes(message: &ServerJsonRpcMessage) -> Bytes {
        serde_json::to_vec(message).unwrap().into()
    }

    #[test]
    fn the_structure_is_the_text_whatever_is_in_it() {
        for text in [
            "{}",
            r#"{"a":"\"text\":\"b\"","content":[{"type":"text","text":"no"}]}"#,
            "{\"a\":\"line\\nline\\u0001\",\"é\":\"\u{1f600}\"}",
            r#"{"a":{"b":[1.5,null,true,"\\"]}}"#,
            "{\"\\\\\":\"\\n\\t\\r\\b\\f\\u0000\\u001f\\\"\u{7f}\"}",
        ] {
            for id in ["1", "\"text\":\"x\"", "\\"] {
                let structure: Value = serde_json::from_str(text).unwrap();
                let marked = message(id, text, mark());
                let whole = spelled_out(bytes(&marked));
                // Whoever has the message itself need not look for the text.
                assert_eq!(written(marked).unwrap(), whole);
                let whole: Value = serde_json::from_slice(&whole).unwrap();
                let expected = bytes(&message(id, text, structure));
                let expected: Value = serde_json::from_slice(&expected).unwrap();
                assert_eq!(whole, expected);
            }
        }
    }

    #[test]
    fn what_has_no_mark_stays() {
        for structure in [json!({ "a": 1 }), json!({ "toolrun twin": true })] {
            let message = message("1", "{}", structure);
            assert_eq!(spelled_out(bytes(&message)), bytes(&message));
            let expected = bytes(&message);
            assert_eq!(written(message).unwrap(), expected);
        }
    }
}
