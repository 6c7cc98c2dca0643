//! How texts are written: plain where YAML reads that back, else in quotes, or as a block of lines. Everything that writes
//! descriptors writes them so.

use super::scalar::{Plain, classify};

/// The widest line of a text that is written as a block, unless a word is longer.
pub(crate) const TEXT_WIDTH: usize = 120;

/// Where a scalar is written: inside brackets and as a key, fewer characters can stay unquoted.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Context {
    /// On a line of its own, behind a `:` or `-`.
    Block,
    /// Inside brackets.
    Flow,
    /// Before a `:`.
    Key,
}

/// A text on one line: plain if YAML reads that back as the same text, else in quotes.
pub(crate) fn scalar_text(text: &str, context: Context) -> String {
    if is_plain(text, context) {
        return text.to_owned();
    }
    let is_printable = text.chars().all(is_printable);
    if is_printable && text.contains(['"', '\\']) && !text.contains('\'') {
        return format!("'{text}'");
    }
    double_quoted(text)
}

pub(crate) fn is_plain(text: &str, context: Context) -> bool {
    let Some(first) = text.chars().next() else {
        return false;
    };
    let is_word = |c: char| c.is_alphanumeric() || "_/$(".contains(c);
    let starts = is_word(first)
        || (first == '-' && text.chars().nth(1).is_some_and(|c| c.is_alphanumeric()));
    let brackets = context != Context::Block && text.contains(['[', ']', '{', '}', ',']);
    starts
        && !brackets
        // A template stands in quotes, so that it is one text to the eye too.
        && !text.contains("{{")
        && text.chars().all(is_printable)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && (context == Context::Block || !text.contains([':', '#']) || is_url_like(text, context))
        && classify(text) == Plain::Text
        && !is_yaml_1_1_word(text)
}

/// Inside brackets a colon is safe if no blank, bracket or comma follows it.
fn is_url_like(text: &str, context: Context) -> bool {
    context == Context::Flow && !text.contains([' ', '"', '\'']) && !text.contains('#')
}

/// Whether a reader of YAML 1.1, such as an editor, would take the text for something else: a boolean, null, a date or
/// a time.
fn is_yaml_1_1_word(text: &str) -> bool {
    const WORDS: [&str; 10] = [
        "y", "n", "yes", "no", "on", "off", "true", "false", "null", "~",
    ];
    let lower = text.to_ascii_lowercase();
    WORDS.contains(&lower.as_str())
        || text
            .chars()
            .all(|c| c.is_ascii_digit() || "+-.:_eExXoT Zabcdf".contains(c))
            && text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
}

pub(crate) fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(
            c,
            '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}'
        )
}

pub(crate) fn double_quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if is_printable(c) => quoted.push(c),
            c => quoted.push_str(&match u32::from(c) {
                code @ 0..=0xff => format!("\\x{code:02x}"),
                code @ 0x100..=0xffff => format!("\\u{code:04x}"),
                code => format!("\\U{code:08x}"),
            }),
        }
    }
    quoted.push('"');
    quoted
}

/// Whether a text can be written as a block: literal if it has several lines, folded if it has one. Expressions are not
/// split over lines.
pub(crate) fn has_long_form(text: &str) -> bool {
    let mut lines = text.split('\n');
    let is_several = text.contains('\n');
    let breaks = |line: &str| {
        line.ends_with([' ', '\t']) || line.starts_with('\t') || !line.chars().all(is_printable)
    };
    !text.is_empty()
        && !text.starts_with([' ', '\n'])
        && !text.ends_with('\n')
        && !lines.any(breaks)
        && (is_several || (text.contains(' ') && !text.contains("  ") && !text.contains("{{")))
}

/// Writes a text as a block after a `:` or `-`, its lines indented by `indent`.
pub(crate) fn long_text(long: &str, indent: usize, text: &mut String) {
    if long.contains('\n') {
        text.push_str(" |-\n");
        for line in long.split('\n') {
            if !line.is_empty() {
                push_spaces(indent, text);
                text.push_str(line);
            }
            text.push('\n');
        }
        return;
    }
    text.push_str(" >-\n");
    let width = TEXT_WIDTH.saturating_sub(indent);
    let mut column = 0;
    for word in long.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            text.push('\n');
            column = 0;
        }
        if column == 0 {
            push_spaces(indent, text);
        } else {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
    text.push('\n');
}

pub(crate) fn push_spaces(count: usize, text: &mut String) {
    text.extend(std::iter::repeat_n(' ', count));
}

/// Whether a line has more characters than this.
pub(crate) fn is_wider(line: &str, width: usize) -> bool {
    line.len() > width && line.chars().count() > width
}
