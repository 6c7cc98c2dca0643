//! Text in a projection that was probably meant as a path or an expression.

use serde_json::{Map, Value};

use crate::source::{Check, Code, join, join_index};

/// Names that expressions about a response begin with.
const ROOTS: [&str; 7] = [
    "body", "item", "response", "data", "params", "headers", "created",
];

/// Reports texts that look like a path or an expression, and are neither.
pub(crate) fn report_unlikely(value: &Value, pointer: &str, check: &Check) {
    if !check.proves() {
        return;
    }
    match value {
        Value::String(text) => {
            if let Some(meant) = path_in(text) {
                report(text, meant.as_deref(), pointer, check);
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                report_unlikely(item, &join_index(pointer, i), check);
            }
        }
        Value::Object(members) if members.len() == 1 && members.contains_key("literal") => {}
        Value::Object(members) => {
            report_lost_each(members, pointer, check);
            for (key, member) in members {
                let at = join(pointer, key);
                match (member, path_in(&format!("{{ {key} }}"))) {
                    // Without quotes, YAML reads braces as a map.
                    (Value::Null, Some(_)) if members.len() == 1 => {
                        check.error_at_key(
                            Code::UnusedPath,
                            &at,
                            format!(
                                "`{{ {key} }}` is a map with the key `{key}`, and no expression"
                            ),
                            Some(format!("write `\"{{{{ {key} }}}}\"`, with quotes")),
                        );
                    }
                    _ if key == "each" => {}
                    _ => report_unlikely(member, &at, check),
                }
            }
        }
        _ => {}
    }
}

fn report(text: &str, meant: Option<&str>, pointer: &str, check: &Check) {
    let help = match meant {
        Some(meant) => format!("write `{meant}`, or `{{ literal: ... }}` if the text is meant"),
        None => "write `{ literal: ... }` if the text is meant".to_owned(),
    };
    let message = format!("`{text}` looks like a path or an expression, and stands here as it is");
    check.error_with_help(Code::UnusedPath, pointer, message, help);
}

/// Reports a map with `as` that lacks its `each`.
fn report_lost_each(members: &Map<String, Value>, pointer: &str, check: &Check) {
    let is_list = |value: &Value| {
        value
            .as_str()
            .is_some_and(|text| text.starts_with('$') && text.contains("[*]"))
    };
    let is_meant = |key: &String| {
        key != "as" && crate::words::nearest(&key.to_lowercase(), ["each"].into_iter()).is_some()
    };
    let walks = members.len() == 1
        || members
            .iter()
            .any(|(key, value)| key != "as" && is_list(value));
    if members.contains_key("as")
        && !members.contains_key("each")
        && !members.keys().any(is_meant)
        && walks
        && members["as"].is_object()
    {
        check.error_at_key(
            Code::UnusedPath,
            &join(pointer, "as"),
            "`as` maps nothing, because there is no `each` beside it",
            Some("write `each: $.data[*]` beside it".to_owned()),
        );
    }
}

/// Whether a text looks like a path or an expression, and what was probably meant, if that is known.
fn path_in(text: &str) -> Option<Option<String>> {
    if text.contains("{{") || text.starts_with('$') {
        return None;
    }
    if let Some(inner) = text
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
    {
        let inner = inner.trim_matches(['{', '}', ' ']);
        let is_known = is_member(inner)
            || ROOTS.contains(&inner)
            || is_computed(inner, |root| is_name(root) || is_member(root));
        return is_known.then(|| Some(format!("{{{{ {inner} }}}}")));
    }
    if is_computed(text, |_| false) {
        return Some(Some(format!("{{{{ {text} }}}}")));
    }
    for start in ["@", "#/", "."] {
        let Some(rest) = text.strip_prefix(start) else {
            continue;
        };
        let steps = match start {
            "@" => rest.to_owned(),
            "#/" => format!(".{}", rest.replace('/', ".")),
            _ if rest.starts_with('[') => rest.to_owned(),
            _ => format!(".{rest}"),
        };
        return (!steps.is_empty() && are_steps(&steps)).then(|| Some(format!("${steps}")));
    }
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let (root, steps) = text.split_at(end);
    let is_path = is_name(root) && !steps.is_empty() && are_steps(steps);
    let is_sure = steps.contains('[') || is_rooted(text);
    (is_path && is_sure).then(|| {
        Some(match root {
            "body" | "item" | "response" => format!("${steps}"),
            "params" | "headers" | "created" => format!("{{{{ {text} }}}}"),
            _ => format!("$.{text}"),
        })
    })
}

/// Whether a text begins with a known name and its members, or a name of this kind, and goes on with an operator or a
/// filter.
fn is_computed(text: &str, is_root: fn(&str) -> bool) -> bool {
    const OPERATORS: [&str; 20] = [
        "|", "==", "!=", "<", ">", "<=", ">=", "+", "-", "*", "/", "//", "%", "~", "if", "is",
        "in", "and", "or", "not",
    ];
    let text = text
        .trim_start_matches('(')
        .trim_start_matches("not ")
        .trim_start_matches('(');
    text.match_indices(' ').any(|(at, _)| {
        let first = text[..at].trim_end_matches(')');
        let next = text[at + 1..].split(' ').next().unwrap_or_default();
        OPERATORS.contains(&next) && (is_rooted(first) || is_root(first))
    })
}

/// Whether a text is a name with members behind it.
fn is_member(text: &str) -> bool {
    let (root, steps) = text.split_at(text.find(['.', '[']).unwrap_or(text.len()));
    is_name(root) && !steps.is_empty() && are_steps(steps)
}

/// Whether a text is a known name with members behind it.
fn is_rooted(text: &str) -> bool {
    ROOTS.iter().any(|root| {
        let steps = text.strip_prefix(root);
        steps.is_some_and(|steps| !steps.is_empty() && are_steps(steps))
    })
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether a text is a chain of `.name`, `[0]`, `[*]` and `['name']`.
fn are_steps(text: &str) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        rest = if let Some(name) = rest.strip_prefix('.') {
            let end = name.find(['.', '[']).unwrap_or(name.len());
            if !is_name(&name[..end]) && &name[..end] != "*" {
                return false;
            }
            &name[end..]
        } else if let Some((inside, behind)) =
            rest.strip_prefix('[').and_then(|r| r.split_once(']'))
        {
            let is_index = inside == "*"
                || (inside.split(':')).all(|part| part.is_empty() || part.parse::<i64>().is_ok());
            if !is_index && !inside.starts_with(['"', '\'', '?']) {
                return false;
            }
            behind
        } else {
            return false;
        };
    }
    true
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn texts_that_look_like_paths_are_known() {
        for (text, meant) in [
            (".id", Some("$.id")),
            (".data[0].name", Some("$.data[0].name")),
            ("data[0].name", Some("$.data[0].name")),
            ("@.items", Some("$.items")),
            ("{ body.id }", Some("{{ body.id }}")),
            ("{body}", Some("{{ body }}")),
            ("body.id", Some("$.id")),
            ("item.name", Some("$.name")),
            ("items[*].id", Some("$.items[*].id")),
            ("#/data/id", Some("$.data.id")),
            ("params.limit", Some("{{ params.limit }}")),
            ("{ body.type == 'x' }", Some("{{ body.type == 'x' }}")),
            ("{ bucket.ending_at }", Some("{{ bucket.ending_at }}")),
            ("{ reading.value > 100 }", Some("{{ reading.value > 100 }}")),
            ("item.date[:10]", Some("$.date[:10]")),
            (
                "body.a['b c'] if body.a else none",
                Some("{{ body.a['b c'] if body.a else none }}"),
            ),
            ("{ clicks | sum }", Some("{{ clicks | sum }}")),
            ("body.a | length", Some("{{ body.a | length }}")),
            (
                "(item.a / item.b) | round(1)",
                Some("{{ (item.a / item.b) | round(1) }}"),
            ),
            (
                "not body.ok and body.x",
                Some("{{ not body.ok and body.x }}"),
            ),
            ("body text or more", None),
            ("data and more", None),
            ("{ a text }", None),
            ("example.com", None),
            ("v1.2", None),
            ("1.5", None),
            (".", None),
            ("...", None),
            (".5", None),
            ("", None),
            ("text", None),
            ("No [x] here.", None),
            ("body text", None),
            ("@user", None),
            ("{}", None),
            ("#1", None),
            ("array[string]", None),
        ] {
            assert_eq!(path_in(text).flatten().as_deref(), meant, "{text}");
        }
    }
}
