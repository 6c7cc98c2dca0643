//! Messages on the pipe: a header with the length, and JSON. A message that cannot be read is told, and the next one is
//! read.

use std::io::{self, BufRead, Read as _, Write};

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
    /// Something that is no message, and why.
    Malformed(String),
    /// The pipe was closed.
    End,
}

/// Reads the next message.
pub(super) fn read(input: &mut impl BufRead) -> Read {
    let mut length: Option<u64> = None;
    loop {
        let mut line = Vec::new();
        match input
            .by_ref()
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)
        {
            Ok(0) | Err(_) => return Read::End,
            Ok(_) => {}
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim();
        match (line.split_once(':'), length) {
            (Some((name, value)), _) if name.trim().eq_ignore_ascii_case("content-length") => {
                match value.trim().parse() {
                    Ok(bytes) => length = Some(bytes),
                    Err(_) => return Read::Malformed(format!("`{line}` is no length")),
                }
            }
            // Lines between messages that are no header are skipped.
            (_, None) => {}
            (_, Some(bytes)) if line.is_empty() => return body(input, bytes),
            (_, Some(_)) => {}
        }
    }
}

fn body(input: &mut impl BufRead, bytes: u64) -> Read {
    if bytes > LARGEST {
        return match io::copy(&mut input.take(bytes), &mut io::sink()) {
            Ok(read) if read == bytes => Read::Malformed(format!(
                "a message has {bytes} bytes; {LARGEST} is the most"
            )),
            _ => Read::End,
        };
    }
    let mut text = Vec::new();
    match input.take(bytes).read_to_end(&mut text) {
        Ok(read) if read as u64 == bytes => {}
        _ => return Read::End,
    }
    match serde_json::from_slice(&text) {
        Ok(message) => Read::Message(message),
        Err(error) => Read::Malformed(format!("a message is no JSON: {error}")),
    }
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
        let mut input = bytes;
        let mut found = Vec::new();
        loop {
            let next = read(&mut input);
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
        let noise = [&b"what is this\n\n\n"[..], good].concat();
        assert_eq!(all(&noise), [message(), Read::End]);
        assert_eq!(all(b"Content-Length: 70\r\n\r\n{}"), [Read::End]);
        assert_eq!(all(b"Content-Le"), [Read::End]);
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        let deep = format!("Content-Length: {}\r\n\r\n{deep}", deep.len());
        assert!(matches!(all(deep.as_bytes())[0], Read::Malformed(_)));
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
