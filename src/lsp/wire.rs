//! Messages on the pipe: a header with the length, and JSON. A message that cannot be read is told, under its id where that
//! can be read, and the next one is read.

use std::io::{self, BufRead, Read as _, Write};

use serde::Deserialize;
use serde_json::Value;

/// The largest message that is read, in bytes. Longer ones are skipped.
const LARGEST: u64 = 64 << 20;
/// The longest line of a header, in bytes.
const LONGEST_LINE: u64 = 8 << 10;

/// What was read.
#[derive(Debug, PartialEq)]
pub(super) enum Read {
    /// A message.
    Message(Value),
    /// A message with half a character in it, which is read as U+FFFD: some editors cut an emoji in two.
    Mended(Value),
    /// Something that is no message.
    Malformed(Malformed),
    /// The pipe was closed.
    End,
}

/// Something that is no message, as far as it could be read.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Malformed {
    pub reason: String,
    /// The id of the request, which waits for an answer; null where there is none.
    pub id: Value,
    /// Its method; null where there is none.
    pub method: Value,
}

fn malformed(reason: impl Into<String>) -> Read {
    Read::Malformed(Malformed {
        reason: reason.into(),
        ..Malformed::default()
    })
}

/// Reads messages.
pub(super) struct Reader<R> {
    input: R,
    /// The length of a message whose header stands behind something else, which is told first.
    begun: Option<u64>,
    bytes: u64,
}

impl<R: BufRead> Reader<R> {
    pub(super) fn new(input: R) -> Reader<R> {
        Reader {
            input,
            begun: None,
            bytes: 0,
        }
    }

    /// How many bytes the message has that was read last.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next message.
    pub(super) fn read(&mut self) -> Read {
        const LENGTH: &str = "content-length:";
        let mut length = self.begun.take();
        self.bytes = 0;
        let mut has_fields = length.is_some();
        loop {
            let mut line = Vec::new();
            let mut piece = self.input.by_ref().take(LONGEST_LINE);
            match piece.read_until(b'\n', &mut line) {
                Err(_) => return Read::End,
                // The editor has ended, perhaps within a line.
                Ok(read) if (read as u64) < LONGEST_LINE && !line.ends_with(b"\n") => {
                    return Read::End;
                }
                Ok(_) => {}
            }
            let line = String::from_utf8_lossy(&line);
            let line = line.trim();
            if line.is_empty() {
                match length {
                    Some(bytes) => return self.body(bytes),
                    None if has_fields => return malformed("a message has no `Content-Length`"),
                    None => continue,
                }
            }
            let at = line.to_ascii_lowercase().rfind(LENGTH);
            let Some(at) = at else {
                // Other fields of a header say nothing that is needed.
                if length.is_none() && !line.contains(':') {
                    return malformed("a line between messages is skipped");
                }
                has_fields = true;
                continue;
            };
            let Ok(bytes) = line[at + LENGTH.len()..].trim().parse() else {
                return malformed(format!("`{}` is no length", &line[at..]));
            };
            if at > 0 {
                self.begun = Some(bytes);
                return malformed("what stands before a `Content-Length` is skipped");
            }
            length = Some(bytes);
        }
    }

    fn body(&mut self, bytes: u64) -> Read {
        let input = self.input.by_ref();
        if bytes > LARGEST {
            return match io::copy(&mut input.take(bytes), &mut io::sink()) {
                Ok(read) if read == bytes => malformed(format!(
                    "a message has {bytes} bytes; {LARGEST} is the most"
                )),
                _ => Read::End,
            };
        }
        self.bytes = bytes;
        let input = self.input.by_ref();
        let mut text = Vec::new();
        match input.take(bytes).read_to_end(&mut text) {
            Ok(read) if read as u64 == bytes => parsed(&text),
            _ => Read::End,
        }
    }
}

/// What an error needs to know of a message, however deep or broken its parameters are.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Head {
    id: Value,
    method: Value,
}

fn parsed(text: &[u8]) -> Read {
    let error = match serde_json::from_slice(text) {
        Ok(message) => return Read::Message(message),
        Err(error) => error,
    };
    let text = String::from_utf8_lossy(text);
    let is_whole = matches!(text, std::borrow::Cow::Borrowed(_));
    if is_whole && let Ok(message) = serde_json::from_str(&without_halves(&text)) {
        return Read::Mended(message);
    }
    let head: Head = serde_json::from_str(&text).unwrap_or_default();
    Read::Malformed(Malformed {
        reason: format!("a message is no JSON that can be read: {error}"),
        id: head.id,
        method: head.method,
    })
}

/// JSON with U+FFFD for each escape that is one half of a character, which takes as much room in UTF-16.
fn without_halves(text: &str) -> String {
    let code = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u32::from_str_radix(digits, 16).ok()
    };
    let is_high = |code: u32| (0xd800..0xdc00).contains(&code);
    let is_low = |code: u32| (0xdc00..0xe000).contains(&code);
    let mut whole = String::with_capacity(text.len());
    let mut from = 0;
    while let Some(found) = text[from..].find('\\') {
        let at = from + found;
        whole.push_str(&text[from..at]);
        let (piece, length) = match (code(at), code(at + 6)) {
            (Some(one), Some(other)) if is_high(one) && is_low(other) => (&text[at..at + 12], 12),
            (Some(one), _) if is_high(one) || is_low(one) => ("\\ufffd", 6),
            _ => {
                let escaped = text[at + 1..].chars().next().map_or(0, char::len_utf8);
                (&text[at..at + 1 + escaped], 1 + escaped)
            }
        };
        whole.push_str(piece);
        from = at + length;
    }
    whole + &text[from..]
}

/// Writes a message.
///
/// # Errors
/// When nobody reads any more.
pub(super) fn write(output: &mut impl Write, message: &Value) -> io::Result<()> {
    let text = message.to_string();
    write!(output, "Content-Length: {}\r\n\r\n{text}", text.len())?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;

    fn all(bytes: &[u8]) -> Vec<Read> {
        let mut reader = Reader::new(bytes);
        let mut found = Vec::new();
        loop {
            let next = reader.read();
            let is_end = next == Read::End;
            found.push(next);
            if is_end {
                return found;
            }
        }
    }

    #[test]
    fn what_is_no_message_does_not_end_the_reading() {
        let good = b"Content-Length: 7\r\n\r\n{\"a\":1}";
        let message = || Read::Message(json!({ "a": 1 }));
        assert_eq!(all(good), [message(), Read::End]);
        let other = b"content-length:7\nContent-Type: application/vscode-jsonrpc; charset=utf-8\n\n{\"a\":1}";
        assert_eq!(all(other), [message(), Read::End]);
        for bad in [
            &b"Content-Length: 4\r\n\r\n{\"a\""[..],
            b"Content-Length: many\r\n\r\n",
            b"Content-Length: -1\r\n\r\n",
        ] {
            let found = all(&[bad, good].concat());
            assert!(matches!(found[0], Read::Malformed(_)), "{found:?}");
            assert_eq!(found[1..], [message(), Read::End]);
        }
        // What is skipped is told.
        for noise in [
            &b"what is this\n\n\n"[..],
            b"{}",
            b"Content-Type: x\r\n\r\n{}",
            b"Content-Type: x\r\n\r\n",
        ] {
            let mut found = all(&[noise, good].concat());
            assert_eq!(found.split_off(found.len() - 2), [message(), Read::End]);
            let is_told = |read: &Read| matches!(read, Read::Malformed(_));
            assert!(!found.is_empty() && found.iter().all(is_told), "{found:?}");
        }
        assert_eq!(all(b"Content-Length: 70\r\n\r\n{}"), [Read::End]);
        assert_eq!(all(b"Content-Le"), [Read::End]);
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        let deep = format!("Content-Length: {}\r\n\r\n{deep}", deep.len());
        assert!(matches!(all(deep.as_bytes())[0], Read::Malformed(_)));
    }

    fn one(json: &[u8]) -> Read {
        let head = format!("Content-Length: {}\r\n\r\n", json.len());
        all(&[head.as_bytes(), json].concat()).swap_remove(0)
    }

    #[test]
    fn what_cannot_be_read_keeps_its_id() {
        let deep = format!(
            r#"{{"method":"a","params":{}1{},"id":7}}"#,
            "[".repeat(5000),
            "]".repeat(5000)
        );
        for (json, id) in [
            (deep.as_bytes(), json!(7)),
            (
                b"{\"id\":\"x\",\"method\":\"a\",\"params\":\"\xff\"}",
                json!("x"),
            ),
            (b"{\"id\":7,\"method\":", Value::Null),
            (b"[[[", Value::Null),
        ] {
            match one(json) {
                Read::Malformed(told) => assert_eq!(told.id, id),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn half_a_character_is_read_as_an_unknown_one() {
        for (json, text) in [
            (&br#"{"a":"\ud83d"}"#[..], "\u{fffd}"),
            (br#"{"a":"\ude00\ud83d x"}"#, "\u{fffd}\u{fffd} x"),
            (br#"{"a":"\ud83d\ud83d\ude00"}"#, "\u{fffd}\u{1f600}"),
            (br#"{"a":"\\ud83d\udead"}"#, "\\ud83d\u{fffd}"),
        ] {
            assert_eq!(one(json), Read::Mended(json!({ "a": text })));
        }
        assert_eq!(
            one(br#"{"a":"\ud83d\ude00"}"#),
            Read::Message(json!({ "a": "\u{1f600}" }))
        );
    }

    #[test]
    fn a_message_that_is_too_large_is_skipped() {
        let large = vec![b' '; LARGEST as usize + 1];
        let head = format!("Content-Length: {}\r\n\r\n", large.len());
        let found = all(&[head.as_bytes(), &large, b"Content-Length: 2\r\n\r\n{}"].concat());
        assert!(matches!(found[0], Read::Malformed(_)));
        assert_eq!(found[1], Read::Message(json!({})));
    }
}
