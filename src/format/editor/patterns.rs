//! Texts of a form: JSONPaths, texts with expressions, paths, URLs, headers.
//!
//! The patterns use what the regular expressions of JavaScript, Python and Rust have in common. None is as exact as the
//! engine: what they refuse, it refuses too, but not the other way round.

use serde_json::{Value, json};

use super::refer;
use crate::template::filter_names;

/// A quoted text.
const QUOTED: &str = r#"'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*""#;
/// A character of an expression that is neither a quote nor a bracket.
const PLAIN: &str = r#"[^'"(){}\[\]]"#;
/// How deep brackets may be nested.
const DEPTH: usize = 9;

/// A pair of brackets, which may hold others.
fn group() -> String {
    let mut group = format!(r"[(\[{{](?:{PLAIN}|{QUOTED})*[)\]}}]");
    for _ in 1..DEPTH {
        group = format!(r"[(\[{{](?:{PLAIN}|{QUOTED}|{group})*[)\]}}]");
    }
    group
}

/// An expression with its braces: brackets and quotes are closed, and it does not end in an operator.
fn braced() -> String {
    let group = group();
    let last = r#"[^\s'"(){}\[\]|~+*/%<>=!,.:&-]"#;
    format!(r"\{{\{{(?:{PLAIN}|{QUOTED}|{group})*(?:{last}|{QUOTED}|{group})\s*\}}\}}")
}

/// Text between expressions. `{{` opens one, `}}` closes one, and there are no statements or comments.
const BETWEEN: &str = r"[^{}]|\{(?![{%#])|\}(?!\})";

fn whole_text() -> String {
    format!("^(?:{BETWEEN}|{})*$", braced())
}

/// A text with expressions.
pub(super) fn text() -> Value {
    json!({
        "pattern": whole_text(),
        "patternErrorMessage": "An expression is written `{{ name }}`: braces, brackets and quotes are closed, and no operator stands at its end.",
        "allOf": [{
            "pattern": format!(r"^(?![\s\S]*{})", unknown_filter()),
            "patternErrorMessage": "There is no filter of this name.",
        }],
    })
}

/// A filter that does not exist, outside of quotes.
fn unknown_filter() -> String {
    let known = filter_names().join("|");
    format!(r#"\{{\{{(?:[^'"}}]|{QUOTED})*\|\s*(?!(?:{known})\b)[A-Za-z_]"#)
}

/// A text that is exactly one expression.
pub(super) fn expression() -> Value {
    json!({
        "allOf": [refer("Text"), {
            "pattern": r"^\s*\{\{",
            "patternErrorMessage": "This is an expression: write `{{ ... }}`.",
        }],
    })
}

/// A JSONPath by RFC 9535. What is inside of a filter is not checked.
fn json_path_pattern() -> String {
    let name = r"[^\x00-\x40\x5b-\x5e\x60\x7b-\x7f][^\x00-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f]*";
    let part = format!(r#"[^\[\]'"]|{QUOTED}"#);
    let filter = format!(r"\?(?:{part}|\[(?:{part}|\[(?:{part})*\])*\])+");
    let number = r"-?[0-9]+";
    let selector = format!(
        r"\s*(?:\*|{QUOTED}|{filter}|(?:{number})?\s*:\s*(?:{number})?\s*(?::\s*(?:{number})?)?|{number})\s*"
    );
    let bracket = format!(r"\[{selector}(?:,{selector})*\]");
    format!(r"^\$(?:\s*(?:\.\.?(?:\*|{name})|(?:\.\.)?{bracket}))*$")
}

/// The path of one value: names and places alone.
pub(super) fn one_path() -> Value {
    json!({
        "allOf": [refer("JsonPath"), {
            "pattern": r#"^(?:[^*?:'"]|\[\s*(?:'[^']*'|"[^"]*")\s*\])*$"#,
            "patternErrorMessage": "Name the array itself, such as `$.data`, without `[*]`.",
        }],
    })
}

/// A JSONPath.
pub(super) fn json_path() -> Value {
    json!({
        "pattern": json_path_pattern(),
        "patternErrorMessage": "This is no JSONPath (RFC 9535), such as `$.data[*].id`.",
    })
}

/// A value of a response: a JSONPath or an expression.
pub(super) fn answer() -> Value {
    json!({
        "if": { "type": "string", "pattern": r"^\$" },
        "then": { "$ref": "#/$defs/JsonPath" },
        "else": {
            "allOf": [refer("Text"), {
                "pattern": r"\{\{",
                "patternErrorMessage": "Write a JSONPath (`$.next`) or an expression (`{{ }}`).",
            }],
        },
    })
}

/// The path of a request.
pub(super) fn path() -> Value {
    let braced = braced();
    let segment = format!(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{{2}}|{braced})+");
    json!({
        "allOf": [
            refer("Text"),
            {
                "pattern": format!("^/(?:{segment}(?:/{segment})*/?)?$"),
                "patternErrorMessage": "A path starts with `/` and has no empty segment, no `?` (use `query`), no space, and no `{id}`: write `{{ id }}`.",
            },
            {
                "pattern": r"^(?!.*/\.\.?(?:/|$))",
                "patternErrorMessage": "A path has no segment `.` or `..`.",
            },
            {
                "pattern": r"^(?!.*/:[A-Za-z_][A-Za-z0-9_]*(?:/|$))",
                "patternErrorMessage": "A param is written `{{ id }}`, not `:id`.",
            },
        ],
    })
}

/// The base URL of a service.
pub(super) fn base_url() -> Value {
    let braced = braced();
    json!({
        "pattern": format!(r"^(?:https://(?:[^\s?#@{{}}\\/]|{braced})|http://(?:[A-Za-z0-9-]+\.)*localhost(?:[:/]|$)|http://127\.|http://\[::1\]|{braced})(?:[^\s?#@{{}}\\]|{braced})*$"),
        "patternErrorMessage": "Write an https URL without credentials, query and fragment, such as `https://api.example.com/v1`. Plain http is for loopback addresses.",
    })
}

/// The URL of an example's request.
pub(super) fn example_url() -> Value {
    json!({
        "pattern": r"^(?:https://[^\s/?#]|http://(?:(?:[A-Za-z0-9-]+\.)*localhost(?:[:/?]|$)|127\.|\[::1\]))[^\s]*$",
        "patternErrorMessage": "Write the whole URL as it is sent. It is https, or http on a loopback address.",
    })
}

/// The name of a header.
pub(super) fn header_name() -> Value {
    json!({
        "pattern": r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
        "patternErrorMessage": "A header name has letters, digits and `-`.",
    })
}

/// The name of a header of a request. Some headers belong to the connection.
pub(super) fn request_header() -> Value {
    json!({
        "allOf": [refer("HeaderName"), {
            "pattern": r"^(?!(?:[Hh][Oo][Ss][Tt]|[Cc]ontent-[Ll]ength|[Tt]ransfer-[Ee]ncoding|[Cc]onnection|[Tt][Ee]|[Uu]pgrade|[Tt]railer)$)",
            "patternErrorMessage": "This header belongs to the HTTP connection itself.",
        }],
    })
}

/// The value of a header.
pub(super) fn header_value() -> Value {
    json!({
        "allOf": [refer("Text"), {
            "pattern": r"^[\t\x20-\x7e]*$",
            "patternErrorMessage": "A header value has visible ASCII characters, spaces and tabs, and no line break.",
        }],
    })
}

/// A regular expression whose brackets are closed.
pub(super) fn regex() -> Value {
    let class = r"\[\^?\]?(?:[^\[\]\\]|\\.|\[[^\]]*\])*\]";
    let mut inner = format!(r"(?:[^()\[\\]|\\.|{class})*");
    for _ in 1..DEPTH {
        inner = format!(r"(?:[^()\[\\]|\\.|{class}|\({inner}\))*");
    }
    json!({
        "pattern": format!("^(?![*+?]){inner}$"),
        "patternErrorMessage": "This is no regular expression: a bracket is not closed, or nothing is repeated.",
    })
}

/// A point in time.
pub(super) fn time() -> Value {
    json!({
        "pattern": r"^[0-9]{4}-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12][0-9]|3[01])[Tt ][0-2][0-9].*$",
        "patternErrorMessage": "Write a time by RFC 3339, such as `2026-01-31T00:00:00Z`.",
    })
}
