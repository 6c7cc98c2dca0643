//! YAML, written part by part from the text of an output.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::json::{Kind, Part};

/// Strings up to this many bytes go to the YAML library, which knows when a plain string would be read as another type.
const LONG: usize = 64 << 10;
/// A key up to this many bytes may stand before a colon.
const LONG_KEY: usize = 128;

/// Writes a value as a document.
pub(crate) fn write(out: &mut impl Write, part: Part<'_>) -> io::Result<()> {
    if is_block(part) {
        return block(out, part, 0);
    }
    scalar(out, part, 0)
}

/// Arrays and objects that are not empty take several lines.
fn is_block(part: Part<'_>) -> bool {
    matches!(part.kind(), Kind::Array | Kind::Object) && part.is_truthy()
}

/// Writes an array or object. Its first line is already indented.
fn block(out: &mut impl Write, part: Part<'_>, indent: usize) -> io::Result<()> {
    let mut is_first = true;
    for element in part.elements() {
        margin(out, indent, &mut is_first)?;
        match is_block(element) {
            true => {
                out.write_all(b"- ")?;
                block(out, element, indent + 2)?;
            }
            false => {
                out.write_all(b"- ")?;
                scalar(out, element, indent)?;
            }
        }
    }
    for (key, member) in part.members() {
        margin(out, indent, &mut is_first)?;
        write_key(out, &key.name(), indent)?;
        match member.kind() {
            _ if !is_block(member) => {
                out.write_all(b" ")?;
                scalar(out, member, indent)?;
            }
            // The dashes of a list show well enough that the list belongs to the key.
            Kind::Array => {
                out.write_all(b"\n")?;
                spaces(out, indent)?;
                block(out, member, indent)?;
            }
            _ => {
                out.write_all(b"\n")?;
                spaces(out, indent + 2)?;
                block(out, member, indent + 2)?;
            }
        }
    }
    Ok(())
}

fn margin(out: &mut impl Write, indent: usize, is_first: &mut bool) -> io::Result<()> {
    match std::mem::replace(is_first, false) {
        true => Ok(()),
        false => spaces(out, indent),
    }
}

fn spaces(out: &mut impl Write, count: usize) -> io::Result<()> {
    (0..count).try_for_each(|_| out.write_all(b" "))
}

fn write_key(out: &mut impl Write, key: &str, indent: usize) -> io::Result<()> {
    if key.len() > LONG_KEY {
        out.write_all(b"? ")?;
        quoted(out, key)?;
        out.write_all(b"\n")?;
        spaces(out, indent)?;
        return out.write_all(b":");
    }
    let text = plain_or_library(key)?;
    match text.contains('\n') {
        true => quoted(out, key)?,
        false => out.write_all(text.as_bytes())?,
    }
    out.write_all(b":")
}

/// Writes a value that fits on the current line, and the end of the line.
fn scalar(out: &mut impl Write, part: Part<'_>, indent: usize) -> io::Result<()> {
    let Some(text) = part.string() else {
        match part.kind() {
            Kind::Array => out.write_all(b"[]")?,
            Kind::Object => out.write_all(b"{}")?,
            _ => out.write_all(part.text())?,
        }
        return out.write_all(b"\n");
    };
    if text.len() > LONG {
        quoted(out, &text)?;
        return out.write_all(b"\n");
    }
    for (i, line) in plain_or_library(&text)?.split('\n').enumerate() {
        if i > 0 {
            out.write_all(b"\n")?;
        }
        if i > 0 && !line.is_empty() {
            spaces(out, indent)?;
        }
        out.write_all(line.as_bytes())?;
    }
    out.write_all(b"\n")
}

/// A string as the YAML library writes it, without its last line break.
fn plain_or_library(text: &str) -> io::Result<Cow<'_, str>> {
    if is_plain(text) {
        return Ok(Cow::Borrowed(text));
    }
    let mut written = serde_yaml::to_string(text).map_err(io::Error::other)?;
    // A block that keeps its line breaks ends with them.
    if written.ends_with('\n') {
        written.pop();
    }
    Ok(Cow::Owned(written))
}

/// Whether a string is certainly read back as the same string without quotes.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 8] = ["true", "false", "null", "yes", "no", "on", "off", "nan"];
    text.len() > 1
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'/'))
        && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Writes a string between double quotes, on one line.
fn quoted(out: &mut impl Write, text: &str) -> io::Result<()> {
    out.write_all(b"\"")?;
    let mut rest = text;
    while let Some(at) = rest.find(needs_escape) {
        let (before, after) = rest.split_at(at);
        out.write_all(before.as_bytes())?;
        let mut characters = after.chars();
        match characters.next() {
            Some(c @ ('"' | '\\')) => write!(out, "\\{c}")?,
            Some('\n') => out.write_all(b"\\n")?,
            Some(c) => write!(out, "\\u{:04X}", u32::from(c))?,
            None => {}
        }
        rest = characters.as_str();
    }
    out.write_all(rest.as_bytes())?;
    out.write_all(b"\"")
}

fn needs_escape(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '"' | '\\' | '\u{2028}' | '\u{2029}' | '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}'
        )
}

#[cfg(test)]
mod tests {
    use crate::json::Json;
    use pretty_assertions::assert_eq;
    use serde_json::{Value, json};

    use super::*;

    fn written(value: &Value) -> String {
        let mut out = Vec::new();
        write(&mut out, Json::of(value).part()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn it_is_what_the_library_writes() {
        let strings = [
            "",
            " ",
            "a",
            "abc",
            "true",
            "No",
            "1",
            "1.5",
            "0x1f",
            "1e3",
            "~",
            "null",
            "a b",
            "a: b",
            "a #b",
            "#a",
            "- a",
            "-",
            "?",
            "a\nb",
            "a\nb\n",
            "a\n\nb\n\n",
            " a\n b",
            "\n",
            "a\n",
            "é",
            "\u{1f600}",
            "\u{7f}",
            "\u{85}",
            "\t",
            "a\tb",
            "'",
            "\"",
            "[a]",
            "{a}",
            "a,b",
            "2020-01-01",
            "12:30",
            "---",
            "--- a",
            "...",
            "%a",
            "@a",
            "&a",
            "*a",
            "!a",
            "|",
            ">",
            "a\r\nb",
            "\u{0}",
            "\u{feff}a",
            "a/b-c_d",
            "y",
            "n",
            "nan",
            ".nan",
            ".inf",
            "a:",
            ":a",
            "<<",
            "=",
        ];
        let mut values: Vec<Value> = strings.iter().map(|text| json!(text)).collect();
        values.extend([
            json!(null),
            json!(true),
            json!(-3),
            json!(1.5),
            json!([]),
            json!({}),
        ]);
        let nested: Vec<Value> = values
            .iter()
            .flat_map(|value| {
                [
                    json!([value, [value, [value]], { "k": value, "l": [value] }]),
                    json!({ "a": value, "b": { "c": value, "d": [[value], { "e": value, "f": { "g": value } }] } }),
                ]
            })
            .collect();
        for value in values.iter().chain(&nested) {
            assert_eq!(
                written(value),
                serde_yaml::to_string(value).unwrap(),
                "{value}"
            );
        }
        for key in strings.iter().filter(|key| !key.contains('\n')) {
            let value = json!({ *key: 1, "b": { *key: [1] } });
            let back: Value = serde_yaml::from_str(&written(&value)).unwrap();
            assert_eq!(back, value, "{key:?}");
            // The library mistakes some line breaks for a key of several lines.
            let library = serde_yaml::to_string(&value).unwrap();
            if !library.starts_with("? ") {
                assert_eq!(written(&value), library, "{key:?}");
            }
        }
    }

    #[test]
    fn what_is_long_comes_back_as_it_was() {
        let odd = "\u{1}\"\\\n\r\t\u{7f}\u{85}\u{2028}\u{feff}é\u{1f600}".repeat(8000);
        let key = "k\n\u{9f}".repeat(100);
        let value = json!({ "a": odd, key.as_str(): [odd, { "c": 1 }], "b\nc": { key.as_str(): 1, "d": "x" } });
        let back: Value = serde_yaml::from_str(&written(&value)).unwrap();
        assert_eq!(back, value);
    }

    #[test]
    fn numbers_keep_their_digits() {
        let json = Json::read(r#"{"a": [12345678901234567890123, 1.50, 1E5]}"#.into()).unwrap();
        let mut out = Vec::new();
        write(&mut out, json.part()).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "a:\n- 12345678901234567890123\n- 1.50\n- 1E5\n"
        );
    }
}
