//! What a JSONPath, or a name of an expression, may lead to: the responses of the examples say it.

use std::ops::Range;

use serde_json::{Map, Value};

use super::facts::Facts;
use crate::jsonpath::JsonPath;

/// How many values are looked at for each step.
const MOST_VALUES: usize = 40;
/// How many members are offered.
const MOST_MEMBERS: usize = 300;

/// What stands at a place of a projection.
pub(super) struct Roots<'v> {
    /// What `$` is.
    pub values: &'v [&'v Value],
    /// What names are that a walk gives, such as `item`.
    pub names: &'v [(String, Vec<&'v Value>)],
}

/// Calls `visit` with what `$` is at a place of the file.
pub(super) fn visit(facts: &Facts, path: &[String], visit: &mut dyn FnMut(Roots<'_>)) {
    let bodies = bodies(facts, is_about_errors(path));
    walk(facts.value(), path, 0, &bodies, &[], visit);
}

fn is_about_errors(path: &[String]) -> bool {
    path.iter().any(|step| step == "errors")
}

/// The bodies of the responses in the examples: those of successes, or those of errors.
pub(super) fn bodies(facts: &Facts, of_errors: bool) -> Vec<&Value> {
    let examples = facts.part("/examples").as_array().into_iter().flatten();
    let responses = examples.flat_map(|example| {
        let pages = example.get("pages").and_then(Value::as_array);
        let pages = pages
            .into_iter()
            .flatten()
            .filter_map(|page| page.get("response"));
        example.get("response").into_iter().chain(pages)
    });
    let is_error = |response: &&Value| {
        let status = response.get("status").and_then(Value::as_u64);
        status.is_some_and(|status| status >= 400)
    };
    let fitting = responses.filter(|response| is_error(response) == of_errors);
    let found = fitting.filter_map(|response| response.get("body"));
    found.take(MOST_VALUES).collect()
}

fn walk(
    node: &Value,
    path: &[String],
    at: usize,
    roots: &[&Value],
    names: &[(String, Vec<&Value>)],
    visit: &mut dyn FnMut(Roots<'_>),
) {
    let Some(step) = path.get(at) else {
        return visit(Roots {
            values: roots,
            names,
        });
    };
    let next = match node {
        Value::Array(items) => step.parse().ok().and_then(|index: usize| items.get(index)),
        other => other.get(step),
    };
    let next = next.unwrap_or(&Value::Null);
    match (step.as_str(), node.get("each"), node.get("zip")) {
        ("as", Some(Value::String(each)), _) => {
            let found = reached(each, roots);
            let mut names = names.to_vec();
            names.push(("item".to_owned(), found.clone()));
            walk(next, path, at + 1, &found, &names, visit);
        }
        ("as", Some(Value::Object(each)), _) => {
            let (found, names) = inwards(each, None, roots, names);
            walk(next, path, at + 1, &found, &names, visit);
        }
        ("each", Some(Value::Object(each)), _) => {
            let until = path.get(at + 1).map(String::as_str);
            let (found, names) = inwards(each, until, roots, names);
            walk(next, path, at + 1, &found, &names, visit);
        }
        ("as", _, Some(Value::Object(zip))) => {
            let row: Map<String, Value> = zip
                .iter()
                .filter_map(|(name, path)| {
                    let lists = reached(path.as_str()?, roots);
                    let first = match lists.first()? {
                        Value::Array(items) => items.first()?.clone(),
                        other => (*other).clone(),
                    };
                    Some((name.clone(), first))
                })
                .collect();
            let row = Value::Object(row);
            let mut names = names.to_vec();
            let found = vec![&row];
            names.push(("item".to_owned(), found.clone()));
            walk(next, path, at + 1, &found, &names, visit);
        }
        _ => walk(next, path, at + 1, roots, names, visit),
    }
}

type Named<'v> = Vec<(String, Vec<&'v Value>)>;

/// What the paths of a walk inwards lead to, up to the one with the name `until`.
fn inwards<'v>(
    each: &Map<String, Value>,
    until: Option<&str>,
    roots: &[&'v Value],
    names: &[(String, Vec<&'v Value>)],
) -> (Vec<&'v Value>, Named<'v>) {
    let mut found = roots.to_vec();
    let mut names = names.to_vec();
    for (name, path) in each {
        if until == Some(name) {
            break;
        }
        found = reached(path.as_str().unwrap_or_default(), &found);
        names.push((name.clone(), found.clone()));
    }
    (found, names)
}

/// What a path leads to from these values. A path that may take long is not followed.
pub(super) fn reached<'v>(path: &str, from: &[&'v Value]) -> Vec<&'v Value> {
    let mut found = Vec::new();
    if !is_quick(path) {
        return found;
    }
    let Ok(path) = JsonPath::parse(path) else {
        return found;
    };
    for value in from {
        if found.len() < MOST_VALUES {
            found.extend(path.some(value, MOST_VALUES - found.len()));
        }
    }
    found
}

/// Whether following a path takes time in line with the size of the value. Descriptors of others are open in an editor
/// too, and nobody waits for an answer.
pub(super) fn is_quick(path: &str) -> bool {
    const LONGEST: usize = 500;
    let count = |part: &str| path.matches(part).count();
    path.len() <= LONGEST
        && count("..") <= 1
        && count("?") <= 1
        && count(",") <= 3
        && (count("?") == 0 || count("$") == 1)
}

/// A part of a path that somebody writes.
#[derive(Debug, PartialEq)]
pub(super) struct Writing {
    /// The path before it.
    pub before: String,
    /// Where it begins, with the mark before the name.
    pub whole: Range<usize>,
    /// Where the name begins.
    pub name: Range<usize>,
    pub mark: Mark,
}

/// What stands before the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// Nothing: the path has only begun.
    Root,
    Dot,
    /// `..`
    Descendants,
    /// `[` or `['`, with the quote.
    Bracket(Option<char>),
    /// A dot within a filter: a member of an element.
    Element,
}

/// The part of a path that ends at its end.
pub(super) fn writing(path: &str) -> Option<Writing> {
    let rest = path.strip_prefix('$')?;
    let mut mark = Mark::Root;
    let (mut whole, mut name) = (0, 1);
    let mut brackets: Vec<usize> = Vec::new();
    let mut quote: Option<char> = None;
    let mut characters = rest.char_indices().map(|(at, c)| (at + 1, c)).peekable();
    while let Some((at, c)) = characters.next() {
        match (quote, c) {
            (Some(_), '\\') => drop(characters.next()),
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => {
                quote = Some(c);
                if brackets.last() == Some(&(at - 1)) && brackets.len() == 1 {
                    (mark, name) = (Mark::Bracket(Some(c)), at + 1);
                }
            }
            (None, '[') => {
                brackets.push(at);
                if brackets.len() == 1 {
                    (mark, whole, name) = (Mark::Bracket(None), at, at + 1);
                }
            }
            (None, ']') => {
                brackets.pop();
            }
            (None, '.') if brackets.is_empty() => {
                match mark {
                    Mark::Dot if whole + 1 == at => mark = Mark::Descendants,
                    _ => (mark, whole) = (Mark::Dot, at),
                }
                name = at + 1;
            }
            (None, '.') => {
                let before = path[..at].trim_end();
                if before.ends_with('@') {
                    (mark, name) = (Mark::Element, at + 1);
                }
            }
            _ => {}
        }
    }
    let is_closed = brackets.is_empty() && matches!(mark, Mark::Bracket(_) | Mark::Element);
    let is_name = path[name..]
        .chars()
        .all(|c| c.is_alphanumeric() || "_-".contains(c));
    if is_closed || (!is_name && !matches!(mark, Mark::Bracket(Some(_)))) {
        return None;
    }
    Some(Writing {
        before: path[..whole.max(1)].to_owned(),
        whole: whole.max(1)..path.len(),
        name: name..path.len(),
        mark,
    })
}

/// A member that a path may go on with.
pub(super) struct Member<'v> {
    pub name: String,
    pub value: &'v Value,
}

/// The members that a path may go on with.
pub(super) fn members<'v>(writing: &Writing, from: &[&'v Value]) -> Vec<Member<'v>> {
    let mut values = match writing.mark {
        Mark::Element => reached(&format!("{}[*]", writing.before), from),
        _ => reached(&writing.before, from),
    };
    if writing.mark == Mark::Descendants {
        values.extend(reached(&format!("{}..*", writing.before), from));
    }
    members_of(values)
}

/// The members of values, each name once.
pub(super) fn members_of(values: Vec<&Value>) -> Vec<Member<'_>> {
    let mut members: Vec<Member<'_>> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    let own = values.into_iter().filter_map(Value::as_object).flatten();
    for (name, value) in own {
        if members.len() < MOST_MEMBERS && seen.insert(name.as_str()) {
            members.push(Member {
                name: name.clone(),
                value,
            });
        }
    }
    members
}

/// Whether a path may name a member without quotes.
pub(super) fn is_short(name: &str) -> bool {
    let is_start = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
    name.starts_with(is_start) && name.chars().all(|c| is_start(c) || c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn paths_that_may_take_long_are_not_followed() {
        for (path, expected) in [
            ("$.data[*].id", true),
            ("$..id", true),
            ("$.data[?@.size > 3].id", true),
            ("$..*..*", false),
            ("$[?@[?@.a]]", false),
            ("$.a[*][?count($.a[*]) > 0]", false),
            ("$[*,*,*,*,*][*,*,*,*,*]", false),
        ] {
            assert_eq!(is_quick(path), expected, "{path}");
        }
    }

    #[test]
    fn the_end_of_a_path_is_what_somebody_writes() {
        for (path, expected) in [
            ("$", Some(("$", Mark::Root, ""))),
            ("$.", Some(("$", Mark::Dot, ""))),
            ("$.da", Some(("$", Mark::Dot, "da"))),
            ("$.data[*].i", Some(("$.data[*]", Mark::Dot, "i"))),
            ("$..i", Some(("$", Mark::Descendants, "i"))),
            ("$.a..", Some(("$.a", Mark::Descendants, ""))),
            ("$.data[", Some(("$.data", Mark::Bracket(None), ""))),
            (
                "$.data['a b",
                Some(("$.data", Mark::Bracket(Some('\'')), "a b")),
            ),
            ("$.data[?@.x", Some(("$.data", Mark::Element, "x"))),
            ("$['a.b'].c", Some(("$['a.b']", Mark::Dot, "c"))),
            ("$.data[*]", None),
            ("$.a b", None),
            ("data", None),
        ] {
            let found = writing(path);
            let found = found
                .as_ref()
                .map(|w| (w.before.as_str(), w.mark, &path[w.name.clone()]));
            assert_eq!(found, expected, "{path}");
        }
    }
}
