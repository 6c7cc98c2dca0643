//! Writes a value as YAML that people like to read and change: short maps and lists on one line, long text folded.

use serde_json::{Map, Value};

use crate::yaml::style::{
    Context, TEXT_WIDTH as WIDTH, has_long_form, is_wider, long_text, push_spaces, scalar_text,
};

/// The deepest nesting of brackets on one line.
const FLOW_DEPTH: usize = 3;

/// A map as a YAML document. An empty line stands before each of the members in `apart`.
pub(crate) fn document(members: &Map<String, Value>, apart: &[&str]) -> String {
    let mut text = String::new();
    for (key, value) in members {
        if apart.contains(&key.as_str()) {
            text.push('\n');
        }
        write_member(key, value, 0, 0, &mut text);
    }
    text
}

/// Writes `key: value` with the key at column `indent`. `lead` is how many columns of the first line are already
/// written.
fn write_member(key: &str, value: &Value, indent: usize, lead: usize, text: &mut String) {
    push_spaces(indent - lead, text);
    let key = scalar_text(key, Context::Key);
    text.push_str(&key);
    text.push(':');
    write_value(value, indent, indent + key.chars().count() + 2, text);
}

/// Writes a value after a `:` or `-`. `indent` is the column of its key or dash, `column` where the value would begin
/// on the same line.
fn write_value(value: &Value, indent: usize, column: usize, text: &mut String) {
    if let Some(line) = one_line(value, WIDTH.saturating_sub(column)) {
        text.push(' ');
        text.push_str(&line);
        text.push('\n');
        return;
    }
    match value {
        Value::Object(members) => {
            text.push('\n');
            for (key, value) in members {
                write_member(key, value, indent + 2, 0, text);
            }
        }
        Value::Array(items) => {
            text.push('\n');
            for value in items {
                write_item(value, indent + 2, text);
            }
        }
        Value::String(long) => long_text(long, indent + 2, text),
        other => {
            text.push(' ');
            text.push_str(&other.to_string());
            text.push('\n');
        }
    }
}

fn write_item(value: &Value, indent: usize, text: &mut String) {
    push_spaces(indent, text);
    text.push('-');
    let is_short = one_line(value, WIDTH.saturating_sub(indent + 2)).is_some();
    match value {
        Value::Object(members) if !is_short => {
            text.push(' ');
            for (i, (key, value)) in members.iter().enumerate() {
                let lead = if i == 0 { indent + 2 } else { 0 };
                write_member(key, value, indent + 2, lead, text);
            }
        }
        other => write_value(other, indent, indent + 2, text),
    }
}

/// The value on one line; `None` if that line would be wider than `width`.
fn one_line(value: &Value, width: usize) -> Option<String> {
    let mut line = String::new();
    match value {
        // A text that cannot be a block is written on one line, however long.
        Value::String(text) => {
            let written = scalar_text(text, Context::Block);
            let fits = !text.contains('\n') && !is_wider(&written, width);
            return (fits || !has_long_form(text)).then_some(written);
        }
        other => write_flow(other, 0, width, &mut line)?,
    }
    (!is_wider(&line, width)).then_some(line)
}

fn write_flow(value: &Value, depth: usize, width: usize, line: &mut String) -> Option<()> {
    // Giving up early keeps the time proportional to the output.
    if is_wider(line, width) {
        return None;
    }
    match value {
        Value::Object(members) if members.is_empty() => line.push_str("{}"),
        Value::Array(items) if items.is_empty() => line.push_str("[]"),
        Value::Object(_) | Value::Array(_) if depth >= FLOW_DEPTH => return None,
        Value::Object(members) => {
            line.push_str("{ ");
            for (i, (key, value)) in members.iter().enumerate() {
                if i > 0 {
                    line.push_str(", ");
                }
                line.push_str(&scalar_text(key, Context::Key));
                line.push_str(": ");
                write_flow(value, depth + 1, width, line)?;
            }
            line.push_str(" }");
        }
        Value::Array(items) => {
            line.push('[');
            for (i, value) in items.iter().enumerate() {
                if i > 0 {
                    line.push_str(", ");
                }
                write_flow(value, depth + 1, width, line)?;
            }
            line.push(']');
        }
        Value::String(text) if is_wider(text, width) => return None,
        Value::String(text) if text.contains('\n') && has_long_form(text) => return None,
        Value::String(text) => line.push_str(&scalar_text(text, Context::Flow)),
        other => line.push_str(&other.to_string()),
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;
    use crate::yaml::{Limits, read};

    fn written(value: Value) -> String {
        let text = document(value.as_object().unwrap(), &["params"]);
        let back = read(&text, &Limits::default()).unwrap_or_else(|p| panic!("{text}\n{p:?}"));
        assert_eq!(back.value, value, "{text}");
        let other: Value = serde_yaml::from_str(&text).unwrap();
        assert_eq!(other, value, "{text}");
        text
    }

    #[test]
    fn the_style_of_the_house() {
        let long = "word ".repeat(40).trim().to_owned();
        let text = written(json!({
            "spec": 1,
            "description": "List: all of them.",
            "title": "It is, simply, plain",
            "params": {
                "required": ["id"],
                "properties": {
                    "id": { "type": "string", "description": "The id, of course." },
                    "long": { "type": "string", "description": long },
                    "lines": { "type": "string", "description": "one\n\n  two\nthree" },
                },
            },
            "examples": [{ "name": "one", "args": { "id": "{{ a }}" }, "request": { "method": "GET", "url": format!("https://a.test/?{}", "x".repeat(120)) } }],
        }));
        let filled = "word ".repeat(22).trim_end().to_owned();
        let rest = "word ".repeat(18).trim_end().to_owned();
        assert_eq!(
            text,
            format!(
                "spec: 1
description: \"List: all of them.\"
title: It is, simply, plain

params:
  required: [id]
  properties:
    id: {{ type: string, description: \"The id, of course.\" }}
    long:
      type: string
      description: >-
        {filled}
        {rest}
    lines:
      type: string
      description: |-
        one

          two
        three
examples:
  - name: one
    args: {{ id: \"{{{{ a }}}}\" }}
    request:
      method: GET
      url: https://a.test/?{}
",
                "x".repeat(120)
            )
        );
    }

    #[test]
    fn every_text_comes_back() {
        let seeds = [
            "",
            " ",
            "a",
            " a",
            "a ",
            "a: b",
            "a:",
            ":a",
            "a #b",
            "#a",
            "- a",
            "-a",
            "-",
            "--- a",
            "? a",
            "[a]",
            "{a}",
            "a, b",
            "a]",
            "*a",
            "&a",
            "!a",
            "|",
            ">",
            "%a",
            "@a",
            "`a",
            "'a'",
            "\"a\"",
            "it's",
            "say \"x\"",
            "'\"\\",
            "\\",
            "null",
            "~",
            "true",
            "yes",
            "No",
            "on",
            "y",
            "1",
            "1.5",
            "1e3",
            "0x1f",
            "0o7",
            "1_000",
            "1:30",
            ".inf",
            ".5",
            "+1",
            "2026-01-01",
            "2026-01-01T00:00:00Z",
            "12:30:45",
            "\n",
            "a\n",
            "\na",
            "a\nb",
            "a\n\nb",
            "a\r\nb",
            "a\n b",
            " a\nb",
            "a\n\tb",
            "a \nb",
            "a\tb",
            "\ta",
            "\u{0}",
            "\u{7f}",
            "\u{85}",
            "\u{2028}",
            "\u{feff}a",
            "é",
            "日本語",
            "🎉",
            "<<",
            "=",
            "{{ x }}",
            "https://a.test/b?c=d&e",
            "a:b",
            "http://[::1]",
            "...",
            "a --- b",
            "a\n---\nb",
            "a\n...\nb",
            "# not a comment\nb",
            "a\n# b",
            "key: |\n  x",
            "a  b",
            "%",
            "a\u{a0}b",
            "\u{fffe}",
            "x\u{1F600}\u{0301}",
        ];
        let long = " lorem ipsum dolor".repeat(12);
        for seed in seeds {
            let several = [
                seed.to_owned(),
                format!("{seed}{long}"),
                format!("{}{seed}", long.trim()),
                format!("{}\n{seed}\nx", long.trim()),
            ];
            for text in several {
                written(json!({ "k": text }));
                written(json!({ "k": [text, { "a": text, "b": [text] }] }));
                written(json!({ "k": { "a": { "b": { "c": { "d": [text] } } } } }));
                if text.len() < 100 {
                    written(json!({ text.as_str(): { "x": 1 } }));
                    written(
                        json!({ "k": { text.as_str(): long.trim(), "l": [{ "z": long.trim() }] } }),
                    );
                }
            }
        }
    }

    #[test]
    fn every_shape_comes_back() {
        let wide = vec!["something"; 30];
        written(json!({
            "a": {}, "b": [], "c": [[]], "d": [{}], "e": null, "f": [null, true, 1.5, -3, 1e300, u64::MAX],
            "g": wide, "h": [wide, [wide]], "i": [{ "x": wide, "y": {} }, [{ "z": wide }]],
            "j": [[[[[["deep"]]]]]], "k": { "l": { "m": { "n": { "o": {} } } } },
        }));
    }
}
