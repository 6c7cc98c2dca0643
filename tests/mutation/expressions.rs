//! Faults inside expressions. Each fails with every value, so that no example is needed to know it.

use serde_json::Value;

use super::rules::{edited, hasty, lines_of};
use super::spots::Descriptor;
use super::words::{self, Braces, Kind};
use super::{Change, Mutant, Rule};

/// The rules for expressions.
pub(super) const ALL: [Rule; 10] = [
    misspelt_names,
    misspelt_operations,
    misspelt_inner_filters,
    too_many_arguments,
    methods,
    wrong_operands,
    wrong_filters,
    foreign_operators,
    unbalanced,
    misspelt_choices,
];

/// A misspelt name: a param in path, query, headers or `next`, a setting, a `let`, a row's variable. Members are
/// misspelt only if they are known: those of `params` and `settings`.
fn misspelt_names(descriptor: &Descriptor) -> Vec<Mutant> {
    let all = words::all(descriptor);
    let made = all.iter().flat_map(Braces::names).map(|name| {
        let typo = hasty(&name.text);
        edited(descriptor, "misspelt name", name.range.clone(), &typo)
    });
    // A single letter left out leaves nothing.
    made.filter(|mutant| !mutant.what.ends_with("-> \"\""))
        .collect()
}

/// A misspelt filter, test or function.
fn misspelt_operations(descriptor: &Descriptor) -> Vec<Mutant> {
    let all = words::all(descriptor);
    let mut mutants = Vec::new();
    for braces in &all {
        for (at, token) in braces.tokens.iter().enumerate() {
            let before = |back: usize| at.checked_sub(back).map_or("", |at| braces.text_at(at));
            let is_test = before(1) == "is" || (before(1) == "not" && before(2) == "is");
            let is_called = braces.text_at(at + 1) == "("
                && !["in", "and", "or", "not", "if", "else"].contains(&&*token.text);
            let is_operation = before(1) == "|" || (is_test && token.text != "not") || is_called;
            if token.kind == Kind::Word && is_operation && token.text.len() > 2 {
                let range = token.range.clone();
                let typo = hasty(&token.text);
                mutants.push(edited(descriptor, "misspelt filter", range, &typo));
            }
        }
    }
    mutants
}

/// A misspelt filter or test that another filter is given as a text.
fn misspelt_inner_filters(descriptor: &Descriptor) -> Vec<Mutant> {
    let all = words::all(descriptor);
    let mut mutants = Vec::new();
    for braces in &all {
        for at in braces.filters() {
            let place = match braces.text_at(at) {
                "map" | "select" | "reject" => at + 2,
                "selectattr" | "rejectattr" => at + 4,
                _ => continue,
            };
            let is_given =
                braces.text_at(at + 1) == "(" && [",", ")"].contains(&braces.text_at(place + 1));
            let Some(token) = braces
                .tokens
                .get(place)
                .filter(|token| is_given && token.kind == Kind::Text)
            else {
                continue;
            };
            let name = token.text.trim_matches(['\'', '"', '\\']);
            if name.len() > 2 {
                let typo = token.text.replace(name, &hasty(name));
                mutants.push(edited(
                    descriptor,
                    "misspelt inner filter",
                    token.range.clone(),
                    &typo,
                ));
            }
        }
    }
    mutants
}

/// Filters that take at most three arguments behind the value.
const FIXED: [&str; 25] = [
    "abs",
    "b64decode",
    "b64encode",
    "capitalize",
    "count",
    "datetime",
    "first",
    "floor_time",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "replace",
    "reverse",
    "round",
    "split",
    "string",
    "timestamp",
    "title",
    "trim",
    "upper",
    "sum",
];

/// More arguments than a filter takes.
fn too_many_arguments(descriptor: &Descriptor) -> Vec<Mutant> {
    let all = words::all(descriptor);
    let mut mutants = Vec::new();
    for braces in &all {
        for at in braces.filters() {
            if !FIXED.contains(&braces.text_at(at)) {
                continue;
            }
            let (place, more) = match braces.text_at(at + 1) {
                "(" => match braces.closing(at + 1) {
                    Some(close) => (close.range.start, ", 1, 2, 3, 4"),
                    None => continue,
                },
                _ => (braces.tokens[at].range.end, "(1, 2, 3, 4)"),
            };
            mutants.push(edited(descriptor, "too many arguments", place..place, more));
        }
    }
    mutants
}

/// A method in place of a filter. Values have none.
fn methods(descriptor: &Descriptor) -> Vec<Mutant> {
    let all = words::all(descriptor);
    let mut mutants = Vec::new();
    for braces in &all {
        for at in braces.filters().into_iter().filter(|at| *at > 1) {
            let start = braces.tokens[at - 2].range.end;
            let end = braces.tokens[at].range.end;
            let call = match braces.text_at(at + 1) {
                "(" => "",
                _ => "()",
            };
            let with = format!(".{}{call}", braces.text_at(at));
            mutants.push(edited(descriptor, "method for a filter", start..end, &with));
        }
    }
    mutants
}

/// The one type of a param.
fn type_of(param: &Value) -> Option<&str> {
    match param.get("enum") {
        Some(Value::Array(values)) => values.iter().all(Value::is_string).then_some("string"),
        _ => param.get("type")?.as_str(),
    }
}

/// An operator, a member or a subscript that values of a param's type do not have.
fn wrong_operands(descriptor: &Descriptor) -> Vec<Mutant> {
    let all = words::all(descriptor);
    let mut mutants = Vec::new();
    for braces in all
        .iter()
        .filter(|braces| braces.spot.path[0] != "response" && braces.spot.path[0] != "paging")
    {
        let Some(kind) = braces.bare_param(descriptor).and_then(type_of) else {
            continue;
        };
        let end = braces.tokens[0].range.end;
        let behind: &[&str] = match kind {
            "string" => &[" - 1", ".value", " / 2", " + 1"],
            "integer" | "number" => &[".value", "[0]", " + 'x'", "[1:]"],
            "boolean" => &[".value", "[0]", " + 'x'"],
            "array" => &[" - 1", ".value", " + 1", " / 2"],
            "object" => &[" - 1", " + 1", " / 2"],
            _ => &[],
        };
        for with in behind {
            mutants.push(edited(
                descriptor,
                "operator on a wrong type",
                end..end,
                with,
            ));
        }
    }
    mutants
}

/// A filter that does not take values of a param's type.
fn wrong_filters(descriptor: &Descriptor) -> Vec<Mutant> {
    let all = words::all(descriptor);
    let mut mutants = Vec::new();
    for braces in all
        .iter()
        .filter(|braces| braces.spot.path[0] != "response" && braces.spot.path[0] != "paging")
    {
        let Some(kind) = braces.bare_param(descriptor).and_then(type_of) else {
            continue;
        };
        let end = braces.tokens[0].range.end;
        let behind: &[&str] = match kind {
            "string" => &[" | round", " | abs", " | items", " | datetime"],
            "integer" | "number" => &[
                " | timestamp",
                " | sum",
                " | items",
                " | map('upper') | list",
            ],
            "boolean" => &[" | timestamp", " | sum", " | items"],
            "array" => &[
                " | timestamp",
                " | round",
                " | abs",
                " | items",
                " | datetime",
            ],
            "object" => &[" | timestamp", " | round", " | abs", " | datetime"],
            _ => &[],
        };
        for with in behind {
            mutants.push(edited(descriptor, "filter on a wrong type", end..end, with));
        }
    }
    mutants
}

/// The operator of another language.
fn foreign_operators(descriptor: &Descriptor) -> Vec<Mutant> {
    let all = words::all(descriptor);
    let mut mutants = Vec::new();
    for braces in &all {
        let mut open = Vec::new();
        for (at, token) in braces.tokens.iter().enumerate() {
            match &*token.text {
                "(" => open.push(at > 0 && braces.tokens[at - 1].kind == Kind::Word),
                ")" => drop(open.pop()),
                _ => {}
            }
            // Between the parentheses of a call, `=` gives an argument by its name.
            let in_call = open.contains(&true);
            let foreign: &[&str] = match (token.kind, &*token.text) {
                (Kind::Word, "and") => &["&&", "AND"],
                (Kind::Word, "or") => &["||", "OR"],
                (Kind::Word, "not") => &["!"],
                (Kind::Word, "if") => &["?", "when"],
                (Kind::Word, "else") => &[":", "otherwise"],
                (Kind::Word, "none") => &["null", "nil", "undefined"],
                (Kind::Mark, "==") if in_call => &["==="],
                (Kind::Mark, "==") => &["===", "="],
                (Kind::Mark, "!=") => &["<>", "!=="],
                (Kind::Mark, "~") => &["&", ".."],
                _ => &[],
            };
            let is_undefined_test =
                at > 0 && ["is", "not"].contains(&braces.text_at(at - 1)) && token.text == "none";
            for with in foreign
                .iter()
                .filter(|with| !(is_undefined_test && **with == "undefined"))
            {
                mutants.push(edited(
                    descriptor,
                    "foreign operator",
                    token.range.clone(),
                    with,
                ));
            }
        }
    }
    mutants
}

/// A bracket or a quote too few or too many.
fn unbalanced(descriptor: &Descriptor) -> Vec<Mutant> {
    let all = words::all(descriptor);
    let mut mutants = Vec::new();
    for braces in &all {
        for token in &braces.tokens {
            match (token.kind, &*token.text) {
                (Kind::Mark, "(" | ")" | "[" | "]") => {
                    mutants.push(edited(descriptor, "unbalanced", token.range.clone(), ""));
                    let twice = token.text.repeat(2);
                    mutants.push(edited(
                        descriptor,
                        "unbalanced",
                        token.range.clone(),
                        &twice,
                    ));
                }
                (Kind::Text, text) if text.starts_with('\'') && !text.contains('"') => {
                    let end = token.range.end;
                    mutants.push(edited(descriptor, "unbalanced", end - 1..end, ""));
                }
                _ => {}
            }
        }
        let whole = &braces.range;
        mutants.push(edited(descriptor, "unbalanced", whole.end..whole.end, ") "));
    }
    // In a text over several lines, it may be told where the rest ends.
    for mutant in &mut mutants {
        if let Change::Edit(range, _) = &mutant.change {
            let holds = |braces: &&Braces| braces.spot.value.contains(&range.start);
            mutant.lines = all
                .iter()
                .find(holds)
                .map_or(Vec::new(), |braces| lines_of(descriptor, braces.spot));
        }
    }
    mutants
}

/// A text that a param with a closed set of values is compared with, misspelt: it can never be equal.
fn misspelt_choices(descriptor: &Descriptor) -> Vec<Mutant> {
    let all = words::all(descriptor);
    let mut mutants = Vec::new();
    for braces in &all {
        for at in 2..braces.tokens.len() {
            let token = &braces.tokens[at];
            if token.kind != Kind::Text || !["==", "!="].contains(&braces.text_at(at - 1)) {
                continue;
            }
            let is_member = at > 3 && braces.text_at(at - 3) == ".";
            if is_member && braces.text_at(at - 4) != "params" {
                continue;
            }
            let name = braces.text_at(at - 2);
            let param = descriptor.at(&format!("/params/properties/{name}"));
            let choices = param.and_then(|param| param.json.get("enum")?.as_array());
            let word = token.text.trim_matches(['\'', '"', '\\']);
            if choices.is_some_and(|choices| choices.iter().any(|choice| choice == word)) {
                let typo = token.text.replace(word, &hasty(word));
                mutants.push(edited(
                    descriptor,
                    "misspelt choice",
                    token.range.clone(),
                    &typo,
                ));
            }
        }
    }
    mutants
}
