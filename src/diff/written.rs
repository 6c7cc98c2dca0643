//! Parts of descriptors in one way of writing, so that two ways that mean the same are the same.

use serde_json::{Map, Value};

use crate::template::is_identifier;

/// A part of a descriptor: texts with expressions and JSONPaths in one form, maps in order, whole numbers alike.
pub(super) fn settled(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(settled_text(text)),
        Value::Array(items) => Value::Array(items.iter().map(settled).collect()),
        Value::Object(members) => {
            let mut keys: Vec<&String> = members.keys().collect();
            keys.sort();
            let member = |key: &String| (key.clone(), settled(&members[key]));
            Value::Object(keys.into_iter().map(member).collect::<Map<_, _>>())
        }
        Value::Number(number) => match crate::words::scalar_text(value) {
            Some(text) if number.is_f64() => text.parse().map_or(value.clone(), Value::Number),
            _ => value.clone(),
        },
        other => other.clone(),
    }
}

/// Whether two parts mean the same, as far as their text shows.
pub(super) fn same(one: Option<&Value>, other: Option<&Value>) -> bool {
    one == other || one.map(settled) == other.map(settled)
}

/// A text with its expressions, or a JSONPath, in one form.
pub(super) fn settled_text(text: &str) -> String {
    if text.starts_with('$') {
        return settled_path(text);
    }
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find("{{") {
        let Some(end) = rest[begin..].find("}}") else {
            break;
        };
        let inside = &rest[begin + 2..begin + end];
        written.push_str(&rest[..begin]);
        written.push_str("{{ ");
        written.push_str(inside.trim().trim_matches('-').trim());
        written.push_str(" }}");
        rest = &rest[begin + end + 2..];
    }
    written + rest
}

/// A JSONPath with `.name` for `['name']`.
fn settled_path(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find('[') {
        let inside = &rest[begin + 1..];
        let name = ["'", "\""].into_iter().find_map(|quote| {
            let inside = inside.strip_prefix(quote)?;
            let (name, behind) = inside.split_once(quote)?;
            Some((name, behind.strip_prefix(']')?))
        });
        match name.filter(|(name, _)| is_identifier(name)) {
            Some((name, behind)) => {
                written.push_str(&rest[..begin]);
                written.push('.');
                written.push_str(name);
                rest = behind;
            }
            None => {
                written.push_str(&rest[..=begin]);
                rest = inside;
            }
        }
    }
    written + rest
}

/// A part in few words, for messages.
pub(super) fn told(value: Option<&Value>) -> String {
    const MOST: usize = 100;
    let text = match value {
        None => return "nothing".to_owned(),
        Some(Value::String(text)) => format!("`{text}`"),
        Some(other) => format!("`{other}`"),
    };
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...`", &text[..end]),
        None => text,
    }
}

/// Two parts that differ, in few words that differ too.
pub(super) fn told_apart(one: &Value, other: &Value) -> (String, String) {
    const BEFORE: usize = 20;
    const MOST: usize = 100;
    let words = (told(Some(one)), told(Some(other)));
    if words.0 != words.1 {
        return words;
    }
    // A number and its text, or two long texts that differ behind what is shown.
    let (one, other) = (one.to_string(), other.to_string());
    let both = one.chars().zip(other.chars());
    let from = both.take_while(|(a, b)| a == b).count();
    let part = |text: &str| {
        let skipped = from.saturating_sub(BEFORE);
        let shown: String = text.chars().skip(skipped).take(MOST).collect();
        let begin = if skipped > 0 { "..." } else { "" };
        let is_cut = text.chars().count() > skipped + MOST;
        let end = if is_cut { "..." } else { "" };
        format!("`{begin}{shown}{end}`")
    };
    (part(&one), part(&other))
}

/// Whether a text uses a name.
pub(super) fn mentions(value: &Value, name: &str) -> bool {
    let has_word = |text: &str| {
        text.match_indices(name).any(|(at, _)| {
            let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
            let before = text[..at].chars().next_back();
            let behind = text[at + name.len()..].chars().next();
            !before.is_some_and(is_part) && !behind.is_some_and(is_part)
        })
    };
    match value {
        Value::String(text) => has_word(text),
        Value::Array(items) => items.iter().any(|item| mentions(item, name)),
        Value::Object(members) => members
            .iter()
            .any(|(key, member)| has_word(key) || mentions(member, name)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn two_ways_of_writing_are_one() {
        for (text, expected) in [
            ("{{a}}", "{{ a }}"),
            ("/x/{{  a }}/{{b}}", "/x/{{ a }}/{{ b }}"),
            ("$['a'][\"b\"].c", "$.a.b.c"),
            ("$['a b'][0]['c']", "$['a b'][0].c"),
            ("$[?@['a'] == 'b']", "$[?@.a == 'b']"),
            ("plain", "plain"),
            ("{{ a", "{{ a"),
        ] {
            assert_eq!(settled_text(text), expected);
        }
        assert!(same(
            Some(&serde_json::json!({ "a": 1.0, "b": "{{x}}" })),
            Some(&serde_json::json!({ "b": "{{ x }}", "a": 1 }))
        ));
    }

    #[test]
    fn what_differs_is_told_in_words_that_differ() {
        let long = |end: &str| Value::from(format!("{}{end}", "x".repeat(200)));
        for (one, other, expected) in [
            (Value::from(1), Value::from(2), ("`1`", "`2`")),
            (Value::from("1"), Value::from(1), ("`\"1\"`", "`1`")),
            (
                long("a"),
                long("b"),
                (
                    "`...xxxxxxxxxxxxxxxxxxxxa\"`",
                    "`...xxxxxxxxxxxxxxxxxxxxb\"`",
                ),
            ),
        ] {
            let (one, other) = told_apart(&one, &other);
            assert_eq!((one.as_str(), other.as_str()), expected);
        }
    }

    #[test]
    fn names_are_found_as_words() {
        assert!(mentions(&"{{ limit + 1 }}".into(), "limit"));
        assert!(!mentions(&"{{ limits }}".into(), "limit"));
    }
}
