//! Markdown of texts that others wrote. Whatever a descriptor says stays text: it makes no heading, no link, no table, no HTML and
//! no end of a block.

use serde_json::{Map, Value};

use crate::words::visible;

/// One line of text.
pub(super) fn text(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let line = words.join(" ");
    let line = visible(&line).into_owned();
    let mut out = String::with_capacity(line.len() + 8);
    let mut before = ' ';
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        let is_inside = |c: char, after: Option<&char>| {
            c.is_alphanumeric() && after.is_some_and(|c| c.is_alphanumeric())
        };
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // Within a word it means nothing.
            '_' if is_inside(before, rest.peek()) => out.push('_'),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
        before = c;
    }
    // The marks of headings, lists and rules at the start of a line.
    let starts = out.starts_with(['#', '-', '+', '=', ':']);
    let digits = out.chars().take_while(char::is_ascii_digit).count();
    match digits {
        _ if starts => out.insert(0, '\\'),
        1.. if out[digits..].starts_with(['.', ')']) => out.insert(digits, '\\'),
        _ => {}
    }
    out
}

/// A text in a code span.
pub(super) fn code(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = visible(&line).into_owned();
    let mut longest = 0;
    let mut run = 0;
    for c in line.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let marks = "`".repeat(longest + 1);
    match line.starts_with('`') || line.ends_with('`') || line.is_empty() {
        true => format!("{marks} {line} {marks}"),
        false => format!("{marks}{line}{marks}"),
    }
}

/// A code span in a table.
pub(super) fn code_cell(text: &str) -> String {
    code(text).replace('|', "\\|")
}

/// A block of code. No line of it can end the block.
pub(super) fn block(language: &str, body: &str) -> String {
    let mut marks = "```".to_owned();
    while body.contains(&marks) {
        marks.push('`');
    }
    format!("{marks}{language}\n{}\n{marks}\n", visible(body))
}

/// A link to a page of the web; the text itself where it is none.
pub(super) fn link(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(page) if matches!(page.scheme(), "http" | "https") => {
            let address: String = page
                .as_str()
                .chars()
                .map(|c| match c {
                    '(' => "%28".to_owned(),
                    ')' => "%29".to_owned(),
                    c => c.to_string(),
                })
                .collect();
            format!("[{}]({address})", text(page.as_str()))
        }
        _ => text(url),
    }
}

/// JSON with a member a line.
pub(super) fn json(value: &Value) -> String {
    block("json", &format!("{value:#}"))
}

/// A command that calls a tool with these arguments, as one line for a shell.
pub(super) fn call(tool: &str, arguments: &Map<String, Value>, more: &str) -> String {
    let json = Value::Object(arguments.clone()).to_string();
    let json = visible(&json).replace('\'', r"'\''");
    let arguments = match arguments.is_empty() {
        true => String::new(),
        false => format!(" '{json}'"),
    };
    format!("toolrun call {tool}{arguments}{more} --output json")
}

/// The first sentence of a text.
pub(super) fn first_sentence(text: &str) -> &str {
    let text = text.trim();
    let end = text
        .match_indices(['.', '!', '?'])
        .map(|(at, _)| at + 1)
        .find(|at| text[*at..].starts_with(char::is_whitespace));
    &text[..end.unwrap_or(text.len())]
}

/// What a param may be: its type, or the values that it can have.
pub(super) fn kind(schema: &Value) -> String {
    let values = schema["enum"].as_array();
    if let Some(values) = values.filter(|values| values.len() <= 12) {
        let values: Vec<String> = values.iter().map(plain).collect();
        return values
            .iter()
            .map(|one| code_cell(one))
            .collect::<Vec<_>>()
            .join(", ");
    }
    let of = |schema: &Value| match &schema["type"] {
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => {
            let kinds: Vec<&str> = kinds.iter().filter_map(Value::as_str).collect();
            kinds.join(" or ")
        }
        _ => "any".to_owned(),
    };
    match schema["format"].as_str() {
        Some(format) => text(&format!("{} ({format})", of(schema))),
        None if schema["items"].is_object() => {
            let items = of(&schema["items"]);
            match schema["type"] == "array" && items != "any" {
                true => text(&format!("array of {items}")),
                false => text(&of(schema)),
            }
        }
        None => text(&of(schema)),
    }
}

/// A value as people write it.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_only_text() {
        for (said, written) in [
            ("plain after_id text", "plain after_id text"),
            ("# heading\n\n- list", "\\# heading - list"),
            ("1. one", "1\\. one"),
            (
                "<script>alert(1)</script>",
                "&lt;script&gt;alert(1)&lt;/script&gt;",
            ),
            ("a | b [c](d) ![e](f)", "a \\| b \\[c\\](d) !\\[e\\](f)"),
            ("_x_ *y* `z` ~~w~~", "\\_x\\_ \\*y\\* \\`z\\` \\~\\~w\\~\\~"),
            ("---\nname: other", "\\--- name: other"),
            ("\u{202e}hidden", "\\\\u202ehidden"),
            ("\u{1b}[31m", "\\[31m"),
            ("```sh", "\\`\\`\\`sh"),
        ] {
            assert_eq!(text(said), written, "{said:?}");
        }
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("`"), "`` ` ``");
        assert_eq!(block("sh", "x\n```\ny"), "````sh\nx\n```\ny\n````\n");
        assert_eq!(link("javascript:alert(1)"), "javascript:alert(1)");
        assert_eq!(
            link("https://a.test/x)"),
            "[https://a.test/x)](https://a.test/x%29)"
        );
        assert_eq!(first_sentence("One v1.2 is. Two."), "One v1.2 is.");
    }
}
