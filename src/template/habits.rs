//! What people write in expressions because other languages have it, and how it is written here.

use super::lexer::{Kind, tokens};

/// How to write an operator of another language. It may stand anywhere outside of texts.
pub(super) fn operator_in(text: &str) -> Option<&'static str> {
    const OPERATORS: [(&str, &str); 9] = [
        ("&&", "write `and`"),
        ("||", "write `or`"),
        ("??", "write `a | default(b)`"),
        ("?.", "write `.`: a member of something absent is absent"),
        ("===", "write `==`"),
        ("!==", "write `!=`"),
        (
            "=>",
            "there are no functions; write a filter, such as `| map(attribute='id')`",
        ),
        ("?", "write `a if condition else b`"),
        ("!", "write `not a`"),
    ];
    let mut marks = String::new();
    for token in tokens(text) {
        match token.kind {
            Kind::Mark(mark) => marks.push(mark),
            _ => marks.push(' '),
        }
    }
    let is_there = |operator: &str| match operator {
        "!" => marks.replace("!=", "").contains('!'),
        other => marks.contains(other),
    };
    let known = OPERATORS.iter().find(|(operator, _)| is_there(operator));
    let assigns = || {
        let rest = ["==", "!=", "<=", ">="]
            .iter()
            .fold(marks.clone(), |rest, operator| rest.replace(operator, ""));
        (rest.contains('=') && !rest.contains('(')).then_some("write `==` to compare")
    };
    known.map(|(_, help)| *help).or_else(assigns)
}

/// How to write what an unknown name stands for.
pub(super) fn help_for_name(dotted: &str, knows: &dyn Fn(&str) -> bool) -> Option<String> {
    let (root, rest) = dotted.split_once('.').unwrap_or((dotted, ""));
    let first = rest.split('.').next().unwrap_or_default();
    match root {
        "args" | "arguments" | "param" | "input" | "inputs" if knows(first) => {
            Some(format!("a param stands by its name: `{first}`"))
        }
        "null" | "nil" | "None" => Some("write `none`".to_owned()),
        "undefined" => Some("write `a is defined`".to_owned()),
        "len" | "count" | "size" => Some("write `a | length`".to_owned()),
        "str" | "String" => Some("write `a | string`".to_owned()),
        "int" | "float" | "Number" | "parseInt" => Some("write `a | int`".to_owned()),
        "JSON" => Some("write `a | tojson`".to_owned()),
        "response" | "res" | "result" | "data" | "json" if knows("body") => {
            let rest = rest.strip_prefix("body").unwrap_or(rest).trim_start_matches('.');
            let dot = if rest.is_empty() { "" } else { "." };
            Some(format!("the body of the response is `body`: write `body{dot}{rest}`"))
        }
        "env" | "ENV" | "environ" | "process" => Some(
            "a value that a user sets goes under the service's `settings`, a credential under `auth`"
                .to_owned(),
        ),
        "token" | "api_key" | "apikey" | "secret" | "secrets" | "access_token" | "key" => {
            Some("a credential is never in an expression; it goes under the service's `auth`".to_owned())
        }
        "now" | "today" | "uuid" | "random" => {
            Some("there is no clock and no chance in a request; take it as a param".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_of_other_languages_are_known() {
        for (text, help) in [
            ("a && b", "write `and`"),
            ("a || b", "write `or`"),
            ("a ? 1 : 2", "write `a if condition else b`"),
            ("a ?? b", "write `a | default(b)`"),
            ("a?.b", "write `.`: a member of something absent is absent"),
            ("a === b", "write `==`"),
            ("!a", "write `not a`"),
            ("a = b", "write `==` to compare"),
        ] {
            assert_eq!(operator_in(text), Some(help), "{text}");
        }
        for text in [
            "a != b",
            "a == '?'",
            "a | default('&&')",
            "a | map(attribute='x')",
            "a >= 1 +",
        ] {
            assert_eq!(operator_in(text), None, "{text}");
        }
    }
}
