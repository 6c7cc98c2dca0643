//! The filters and tests of expressions.

use std::ops::Range;

use super::expression::ENVIRONMENT;
use super::lexer::{Kind, tokens};
use crate::source::{Check, Code};
use crate::words::nearest;

/// minijinja looks up filters and tests only when an expression runs, so their names are checked here.
pub(super) fn report_unknown_operations(text: &str, offset: usize, pointer: &str, check: &Check) {
    for (kind, range) in operations(text) {
        let name = &text[range.clone()];
        if !kind.knows(name) {
            check.error_inside(
                Code::UnknownName,
                pointer,
                offset + range.start..offset + range.end,
                format!("there is no {} `{name}`", kind.word()),
                match name {
                    "urlencode" | "urlescape" | "quote" | "uri" => Some(
                        "leave it out: a value is encoded for the place where it stands".to_owned(),
                    ),
                    "json" | "tojsonstring" => Some("did you mean `tojson`?".to_owned()),
                    _ => nearest(
                        name,
                        OPERATIONS.into_iter().filter(|known| kind.knows(known)),
                    ),
                },
            );
        }
    }
}

/// Names to suggest. minijinja knows which of them are filters and which are tests.
const OPERATIONS: [&str; 62] = [
    "abs",
    "attr",
    "b64decode",
    "b64encode",
    "batch",
    "bool",
    "boolean",
    "capitalize",
    "count",
    "datetime",
    "default",
    "defined",
    "dictsort",
    "divisibleby",
    "endingwith",
    "escaped",
    "even",
    "false",
    "first",
    "float",
    "floor_time",
    "groupby",
    "in",
    "indent",
    "int",
    "integer",
    "items",
    "iterable",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "mapping",
    "max",
    "min",
    "none",
    "number",
    "odd",
    "pprint",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "sequence",
    "slice",
    "sort",
    "split",
    "startingwith",
    "string",
    "sum",
    "timestamp",
    "title",
    "tojson",
    "trim",
    "true",
    "upper",
];

/// Filters and tests that nobody means by a misspelt name.
const RARE: [&str; 9] = [
    "chain",
    "d",
    "e",
    "escape",
    "format",
    "safe",
    "unique",
    "urlencode",
    "zip",
];

/// The names of all filters.
pub(crate) fn filter_names() -> Vec<&'static str> {
    let all = OPERATIONS.into_iter().chain(RARE);
    let mut names: Vec<&str> = all.filter(|name| Operation::Filter.knows(name)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The names of all tests, which stand behind `is`.
#[cfg(feature = "cli")]
pub(crate) fn test_names() -> Vec<&'static str> {
    let all = OPERATIONS.into_iter();
    all.filter(|name| Operation::Test.knows(name)).collect()
}

/// The names of all functions.
#[cfg(feature = "cli")]
pub(crate) fn function_names() -> Vec<String> {
    let globals = ENVIRONMENT.globals();
    globals.map(|(name, _)| name.to_owned()).collect()
}

#[derive(Clone, Copy)]
enum Operation {
    Filter,
    Test,
}

impl Operation {
    fn word(self) -> &'static str {
        match self {
            Operation::Filter => "filter",
            Operation::Test => "test",
        }
    }

    /// Whether there is one with this name. A call without values always fails, but the error for an unknown name
    /// differs from that for wrong values.
    fn knows(self, name: &str) -> bool {
        let mut state = ENVIRONMENT.empty_state();
        let (error, unknown) = match self {
            Operation::Filter => (
                state.apply_filter(name, &[]).err(),
                minijinja::ErrorKind::UnknownFilter,
            ),
            Operation::Test => (
                state.perform_test(name, &[]).err(),
                minijinja::ErrorKind::UnknownTest,
            ),
        };
        error.is_none_or(|error| error.kind() != unknown)
    }
}

/// The names of filters and tests that a filter takes as a text: `map('upper')`, `selectattr('id', 'eq', 1)`.
fn inner_operations(text: &str) -> Vec<(Operation, Range<usize>)> {
    let all: Vec<_> = tokens(text)
        .filter(|token| token.kind != Kind::Space)
        .collect();
    let is = |at: usize, mark: char| {
        all.get(at)
            .is_some_and(|token| token.kind == Kind::Mark(mark))
    };
    let mut found = Vec::new();
    for at in 1..all.len() {
        let (operation, place) = match &text[all[at].range.clone()] {
            "map" => (Operation::Filter, at + 2),
            "select" | "reject" => (Operation::Test, at + 2),
            "selectattr" | "rejectattr" if is(at + 3, ',') => (Operation::Test, at + 4),
            _ => continue,
        };
        let is_whole = is(place + 1, ',') || is(place + 1, ')');
        if let Some(token) = all.get(place).filter(|token| token.kind == Kind::Text)
            && is(at - 1, '|')
            && is(at + 1, '(')
            && is_whole
            && token.range.len() > 2
        {
            found.push((operation, token.range.start + 1..token.range.end - 1));
        }
    }
    found
}

/// The names behind `|` and `is` in an expression, outside of strings.
fn operations(text: &str) -> Vec<(Operation, Range<usize>)> {
    let mut found = inner_operations(text);
    let mut expects: Option<Operation> = None;
    for token in tokens(text) {
        match (token.kind, expects) {
            (Kind::Space, _) => {}
            (Kind::Mark('|'), _) => expects = Some(Operation::Filter),
            (Kind::Word, Some(Operation::Test)) if text[token.range.clone()] == *"not" => {}
            (Kind::Word, Some(kind)) => {
                found.push((kind, token.range));
                expects = None;
            }
            (Kind::Word, None) if text[token.range.clone()] == *"is" => {
                expects = Some(Operation::Test);
            }
            (Kind::Word, None) => {}
            (Kind::Text | Kind::Mark(_), _) => expects = None,
        }
    }
    found
}
