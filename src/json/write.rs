//! Writing a JSON text in another layout. Strings and numbers are copied unchanged.

use std::io::{self, Write};

use super::part::{Kind, Part, plain_of, space, string_end};

/// Writes a value without white space between its parts.
///
/// # Errors
/// Those of the writer.
pub(crate) fn compact(part: Part<'_>, out: &mut impl Write) -> io::Result<()> {
    let text = part.text();
    let (mut start, mut at) = (0, 0);
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => at = string_end(text, at).0,
            b' ' | b'\n' | b'\t' | b'\r' => {
                out.write_all(text.get(start..at).unwrap_or_default())?;
                at = space(text, at);
                start = at;
            }
            _ => at += 1,
        }
    }
    out.write_all(text.get(start..).unwrap_or_default())
}

/// Writes a text as a JSON string, in the very bytes of `serde_json`.
///
/// A text that is JSON itself has a quote every few characters, so its pieces are not copied one by one: eight bytes are
/// written at once, and those behind a character that needs an escape are written over.
#[cfg_attr(not(feature = "serve"), allow(dead_code))]
pub(crate) fn quoted(text: &str, out: &mut Vec<u8>) {
    /// Bytes that are looked at together, and room for them and an escape.
    const WORD: usize = 8;
    const ROOM: usize = 2 * WORD;
    let mut rest = text.as_bytes();
    out.push(b'"');
    let mut at = out.len();
    while let Some(word) = rest.first_chunk::<WORD>() {
        if out.len() < at + ROOM {
            out.resize(at + ROOM + rest.len() / 2 * 3, 0);
        }
        let plain = plain_of(*word);
        let to = &mut out[at..at + ROOM];
        to[..WORD].copy_from_slice(word);
        at += plain;
        let Some(byte) = word.get(plain) else {
            rest = &rest[WORD..];
            continue;
        };
        rest = &rest[plain + 1..];
        if let Some(code) = short_escape(*byte) {
            to[plain..plain + 2].copy_from_slice(&[b'\\', code]);
            at += 2;
        } else {
            out.truncate(at);
            escaped(*byte, out);
            at = out.len();
        }
    }
    out.truncate(at);
    for byte in rest {
        match byte {
            b'"' | b'\\' | ..b' ' => escaped(*byte, out),
            _ => out.push(*byte),
        }
    }
    out.push(b'"');
}

/// What stands behind the backslash in the shortest escape of a character, if it has one of two characters.
#[inline]
fn short_escape(byte: u8) -> Option<u8> {
    match byte {
        b'"' | b'\\' => Some(byte),
        b'\n' => Some(b'n'),
        b'\t' => Some(b't'),
        b'\r' => Some(b'r'),
        8 => Some(b'b'),
        12 => Some(b'f'),
        _ => None,
    }
}

fn escaped(byte: u8, out: &mut Vec<u8>) {
    match short_escape(byte) {
        Some(code) => out.extend_from_slice(&[b'\\', code]),
        None => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
    }
}

/// Whether the value has no white space between its parts.
pub(crate) fn is_compact(part: Part<'_>) -> bool {
    let text = part.text();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => at = string_end(text, at).0,
            b' ' | b'\n' | b'\t' | b'\r' => return false,
            _ => at += 1,
        }
    }
    true
}

/// Writes a value for people: each member and element on a line of its own, indented by two spaces.
///
/// # Errors
/// Those of the writer.
pub(crate) fn pretty(part: Part<'_>, out: &mut impl Write) -> io::Result<()> {
    indented(part, 0, out)
}

/// The recursion is no deeper than the nesting of a checked text.
fn indented(part: Part<'_>, depth: usize, out: &mut impl Write) -> io::Result<()> {
    let mut is_first = true;
    let mut line = |out: &mut dyn Write| {
        out.write_all(if is_first { b"\n" } else { b",\n" })?;
        is_first = false;
        indent(depth + 1, out)
    };
    let (open, close) = match part.kind() {
        Kind::Array => (b"[", b"]"),
        Kind::Object => (b"{", b"}"),
        _ => return out.write_all(part.text()),
    };
    out.write_all(open)?;
    for element in part.elements() {
        line(out)?;
        indented(element, depth + 1, out)?;
    }
    for (key, member) in part.members() {
        line(out)?;
        out.write_all(key.quoted())?;
        out.write_all(b": ")?;
        indented(member, depth + 1, out)?;
    }
    if !is_first {
        out.write_all(b"\n")?;
        indent(depth, out)?;
    }
    out.write_all(close)
}

fn indent(depth: usize, out: &mut dyn Write) -> io::Result<()> {
    (0..depth).try_for_each(|_| out.write_all(b"  "))
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::json::Json;

    #[test]
    fn a_text_is_quoted_as_serde_json_does() {
        let all: String = (0..=0x2ff).filter_map(char::from_u32).collect();
        let mut random = fastrand::Rng::with_seed(5);
        let marks = ["\"", "\\", "\n", "\u{1}", "a", "é", "plain text"];
        let mixed = (0..2_000).map(|_| {
            let pieces = random.usize(..30);
            (0..pieces)
                .map(|_| marks[random.usize(..marks.len())])
                .collect()
        });
        let texts = ["", "plain", "\"\\", "a\nb\u{7f}\u{2028}é\u{1f600}", &all];
        for text in texts.map(str::to_owned).into_iter().chain(mixed) {
            let mut out = b"before".to_vec();
            quoted(&text, &mut out);
            let expected = serde_json::to_vec(&text).unwrap();
            assert_eq!(out, [b"before", &expected[..]].concat(), "{text:?}");
        }
    }

    #[test]
    fn layouts_are_those_of_serde_json() {
        for text in [
            "null",
            " [ ] ",
            "{}",
            r#" { "a" : [ 1 , { } , [ ] , "x y\" z" ] , "b\n" : { "c" : -1.50e2 } } "#,
        ] {
            let json = Json::read(text.into()).unwrap();
            let value: serde_json::Value = serde_json::from_str(text).unwrap();
            let (mut small, mut large) = (Vec::new(), Vec::new());
            compact(json.part(), &mut small).unwrap();
            assert_eq!(is_compact(json.part()), small == *json.bytes(), "{text}");
            let small_again = Json::read(small.clone().into()).unwrap();
            assert!(is_compact(small_again.part()), "{text}");
            pretty(json.part(), &mut large).unwrap();
            // Numbers are copied unchanged.
            let expected = value.to_string().replace("-150.0", "-1.50e2");
            assert_eq!(String::from_utf8(small).unwrap(), expected);
            let expected = format!("{value:#}").replace("-150.0", "-1.50e2");
            assert_eq!(String::from_utf8(large).unwrap(), expected);
        }
    }
}
