//! The rules. Each says what it breaks, where a finding must start, and which edits are no fault.

use std::ops::Range;

use regex::Regex;
use serde_json::Value;

use super::paths::is_path;
use super::spots::{Descriptor, Role, Spot};
use super::words::is_computed;
use super::{Change, Mutant, Rule};

/// All rules.
pub(super) const ALL: [Rule; 21] = [
    misspelt_keys,
    wrong_types,
    null_values,
    misspelt_references,
    broken_paths,
    broken_expressions,
    wrong_defaults,
    moved_sections,
    lost_indentation,
    missing_keys,
    duplicate_keys,
    misspelt_values,
    illegal_values,
    changed_urls,
    changed_outputs,
    lost_quotes,
    removed_params,
    removed_lets,
    unused_params,
    unused_names,
    changed_methods,
];

/// The edit of one range; a finding must start on the line where it starts.
pub(super) fn edited(
    descriptor: &Descriptor,
    rule: &'static str,
    range: Range<usize>,
    with: &str,
) -> Mutant {
    Mutant {
        rule,
        what: format!("{:?} -> {with:?}", &descriptor.text[range.clone()]),
        lines: vec![descriptor.line(range.start)],
        change: Change::Edit(range, with.to_owned()),
    }
}

/// A word as a hasty typist writes it: without its second letter.
pub(super) fn hasty(word: &str) -> String {
    word.char_indices()
        .filter(|(at, _)| *at != 1)
        .map(|(_, letter)| letter)
        .collect()
}

/// A word with its last two different neighbours swapped; unchanged where all letters are the same.
fn swapped(word: &str) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    if let Some(at) = (1..letters.len())
        .rev()
        .find(|at| letters[at - 1] != letters[*at])
    {
        letters.swap(at - 1, at);
    }
    letters.into_iter().collect()
}

/// A word with its first letter in upper case.
fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// A letter left out, two swapped, the case changed: in every key of the format and every JSON Schema keyword.
fn misspelt_keys(descriptor: &Descriptor) -> Vec<Mutant> {
    descriptor
        .keyed()
        .filter(|(spot, _)| matches!(spot.role, Role::Format | Role::Keyword))
        .flat_map(|(_, key)| {
            let word = descriptor.text[key.clone()].to_owned();
            [hasty(&word), swapped(&word), capital(&word)]
                .map(|typo| edited(descriptor, "misspelt key", key.clone(), &typo))
        })
        .collect()
}

/// Whether any value may stand here: a literal of a projection, the default of a param (see [`wrong_defaults`]), the
/// free body of a sandbox's route, a field that a route sets.
fn takes_anything(spot: &Spot) -> bool {
    let free = [
        "/response/output",
        "/response/let/*",
        "/request/body/json",
        "/request/body/multipart/*",
        "/request/body/multipart/*/value",
        "/wait/output",
        "/examples/*/output",
        "/examples/*/pages/*/output",
        "/examples/*/pages/*/response/body",
        "/examples/*/created/body",
        "/examples/*/request/body",
        "/examples/*/response/body",
        "/errors/body",
        "/faults/*/details",
        "/data/*/row",
        "/data/*/show",
        "/routes/*/refuse/*/details",
        "/routes/*/set/*",
        "/routes/*/also/*/set/*",
        "/routes/*/item",
        "/routes/*/body",
        "/routes/*/buckets/result",
        "/routes/*/buckets/bucket",
    ];
    let any_json = ["default", "const", "as"].contains(&spot.name());
    any_json || free.iter().any(|pattern| spot.is(pattern))
}

/// Replaces the value of a key.
pub(super) fn revalued(
    descriptor: &Descriptor,
    rule: &'static str,
    spot: &Spot,
    key: &Range<usize>,
    with: &str,
) -> Mutant {
    Mutant {
        what: format!("{} is {with}", spot.pointer()),
        lines: vec![descriptor.line(key.start)],
        ..edited(
            descriptor,
            rule,
            key.end..spot.value.end,
            &format!(": {with}"),
        )
    }
}

/// A value of another type. Where the format takes any scalar or list of them (query and headers), only a map is of
/// another type; the query itself may be a list or a map.
fn wrong_types(descriptor: &Descriptor) -> Vec<Mutant> {
    let any_scalar = |spot: &Spot| {
        [
            "/request/query/*",
            "/request/query/*/value",
            "/request/headers/*",
            "/headers/*",
            "/settings/*/example",
        ]
        .iter()
        .any(|pattern| spot.is(pattern))
    };
    let typed = descriptor.keyed().filter(|(spot, _)| {
        spot.role != Role::Data && !takes_anything(spot) && !spot.is("/examples/*/args/*")
    });
    let replaced = typed.flat_map(|(spot, key)| {
        let others: &[&str] = match &spot.json {
            _ if any_scalar(spot) => &["{ wrong: 1 }"],
            Value::String(_) => &["7", "{ wrong: 1 }", "[wrong]"],
            Value::Number(_) | Value::Bool(_) => &["wrong", "[7]"],
            Value::Array(_) if spot.is("/request/query") => &["7"],
            Value::Array(_) => &["7", "{ wrong: 1 }"],
            Value::Object(_) => &["7", "wrong", "[7]"],
            Value::Null => &[],
        };
        others
            .iter()
            .map(|other| revalued(descriptor, "wrong type", spot, &key, other))
            .collect::<Vec<_>>()
    });
    replaced.collect()
}

/// A key without a value.
fn null_values(descriptor: &Descriptor) -> Vec<Mutant> {
    descriptor
        .keyed()
        .filter(|(spot, _)| {
            matches!(spot.role, Role::Format | Role::Keyword) && !takes_anything(spot)
        })
        .map(|(spot, key)| revalued(descriptor, "null value", spot, &key, "null"))
        .collect()
}

/// Strings that hold expressions.
fn computed(descriptor: &Descriptor) -> impl Iterator<Item = &Spot> {
    descriptor.spots.iter().filter(|spot| is_computed(spot))
}

/// The places of a word in a text, if it is not part of a longer word.
fn word_in(text: &str, word: &str) -> Option<Range<usize>> {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(word)
        .map(|(at, _)| at..at + word.len())
        .find(|range| !text[..range.start].ends_with(part) && !text[range.end..].starts_with(part))
}

/// A misspelt name outside expressions: keys and values that refer to a param, a tool, a collection, a secret or a
/// part of the output.
fn misspelt_references(descriptor: &Descriptor) -> Vec<Mutant> {
    let keys = [
        "/params/dependentSchemas/*",
        "/params/allOf/*/if/properties/*",
        "/params/allOf/*/then/properties/*",
        "/paging/next/*",
        "/examples/*/args/*",
        "/routes/*",
        "/routes/*/match/*",
        "/routes/*/find/by/*",
        "/routes/*/insert/row/*",
        "/routes/*/set/*",
        "/routes/*/merge/*",
        "/routes/*/also/*/match/*",
        "/routes/*/also/*/set/*",
        "/secrets/*",
    ];
    let values = [
        "/service",
        "/tool",
        "/sandbox",
        "/paging/limit",
        "/params/required/*",
        "/params/dependentSchemas/*/not/required/*",
        "/response/rows",
        "/routes/*/from",
        "/routes/*/match/*",
        "/routes/*/find/in",
        "/routes/*/find/by/*",
        "/routes/*/insert/into",
        "/routes/*/also/*/in",
        "/routes/*/also/*/match/*",
        "/routes/*/page/limit",
        "/routes/*/page/token",
        "/routes/*/page/ids/*",
        "/routes/*/buckets/token",
    ];
    let listed = |spot: &&Spot| {
        values.iter().any(|pattern| spot.is(pattern))
            || (spot.is("/request/query/*") && spot.key.is_none())
    };
    let of_keys = descriptor
        .keyed()
        .filter(|(spot, _)| keys.iter().any(|pattern| spot.is(pattern)))
        .map(|(_, key)| key);
    let of_values = descriptor
        .spots
        .iter()
        .filter(listed)
        .map(|spot| spot.value.clone());
    of_keys
        .chain(of_values)
        .map(|range| {
            edited(
                descriptor,
                "misspelt reference",
                range.clone(),
                &hasty(&descriptor.text[range]),
            )
        })
        .collect()
}

/// A JSONPath with an open bracket, dots at its end, or a stray character.
fn broken_paths(descriptor: &Descriptor) -> Vec<Mutant> {
    let paths = descriptor.spots.iter().filter(|spot| is_path(spot));
    paths
        .flat_map(|spot| {
            let raw = &descriptor.text[spot.value.clone()];
            let end = spot.value.start + raw.trim_end_matches('"').len();
            let dollar = spot.value.start + raw.find('$').expect("it starts with $") + 1;
            let broken =
                |at: usize, with: &str| edited(descriptor, "broken JSONPath", at..at, with);
            [
                broken(end, "["),
                broken(end, ".."),
                broken(end, "."),
                broken(end, "]"),
                broken(end, "[?"),
                broken(end, "!"),
                broken(dollar, "x"),
                broken(dollar, "["),
            ]
        })
        .collect()
}

/// The lines of a value.
pub(super) fn lines_of(descriptor: &Descriptor, spot: &Spot) -> Vec<usize> {
    (descriptor.line(spot.value.start)..=descriptor.line(spot.value.end)).collect()
}

/// Braces that do not match, an open parenthesis, an operator without its right side.
fn broken_expressions(descriptor: &Descriptor) -> Vec<Mutant> {
    computed(descriptor)
        .flat_map(|spot| {
            let find = |brace: &str| {
                let at = spot.value.start
                    + descriptor.text[spot.value.clone()]
                        .find(brace)
                        .expect("braces");
                at..at + 2
            };
            let (open, close) = (find("{{"), find("}}"));
            // In a text over several lines, it may be told at the brace that is left.
            let broken = |range: &Range<usize>, with: &str| Mutant {
                lines: lines_of(descriptor, spot),
                ..edited(descriptor, "broken expression", range.clone(), with)
            };
            [
                broken(&close, "}"),
                broken(&close, ""),
                broken(&open, "{"),
                broken(&open, ""),
                broken(&open, "{{ ("),
                broken(&close, "~ }}"),
                broken(&close, "| }}"),
            ]
        })
        .collect()
}

/// A default of another type, beyond its bounds, or outside its enum; a setting's that does not match its pattern. What
/// the param's own keywords allow is no fault.
fn wrong_defaults(descriptor: &Descriptor) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for (spot, key) in descriptor.keyed() {
        let is_setting = spot.is("/settings/*/default");
        if !is_setting && !spot.is("/params/properties/*/default") {
            continue;
        }
        let above = &spot.path[..spot.path.len() - 1];
        let schema = descriptor.spots.iter().find(|other| other.path == above);
        let schema = schema.map_or(&Value::Null, |spot| &spot.json);
        let others = [
            "0",
            "100000",
            "1.5",
            "7",
            "many",
            "yes",
            "[20]",
            "[wrong]",
            "{ wrong: 1 }",
            "null",
        ];
        for other in others {
            let Some(value) = Descriptor::value_of(other) else {
                continue;
            };
            let is_wrong = match (&value, is_setting) {
                (Value::Array(_) | Value::Object(_) | Value::Null, true) => true,
                (value, true) => refuses(
                    schema,
                    &value
                        .as_str()
                        .map_or(value.to_string(), str::to_owned)
                        .into(),
                ),
                (value, false) => refuses(schema, value),
            };
            if is_wrong {
                mutants.push(revalued(descriptor, "wrong default", spot, &key, other));
            }
        }
    }
    mutants
}

/// Whether one of a schema's plain keywords refuses a value.
pub(super) fn refuses(schema: &Value, value: &Value) -> bool {
    let is_of = |name: &str| match name {
        "string" => value.is_string(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => true,
    };
    let number = |keyword: &str| Some((value.as_f64()?, schema.get(keyword)?.as_f64()?));
    let wrong_type = match schema.get("type") {
        Some(Value::String(name)) => !is_of(name),
        Some(Value::Array(names)) => !names.iter().filter_map(Value::as_str).any(is_of),
        _ => false,
    };
    let wrong_choice = match schema.get("enum") {
        Some(Value::Array(choices)) => !choices.contains(value),
        _ => false,
    };
    let wrong_pattern = match (
        schema.get("pattern").and_then(Value::as_str),
        value.as_str(),
    ) {
        (Some(pattern), Some(text)) => Regex::new(pattern).is_ok_and(|regex| !regex.is_match(text)),
        _ => false,
    };
    let wrong_branch = match schema.get("anyOf") {
        Some(Value::Array(branches)) => branches.iter().all(|branch| refuses(branch, value)),
        _ => false,
    };
    wrong_type
        || wrong_choice
        || wrong_pattern
        || wrong_branch
        || number("minimum").is_some_and(|(value, least)| value < least)
        || number("exclusiveMinimum").is_some_and(|(value, least)| value <= least)
        || number("maximum").is_some_and(|(value, most)| value > most)
}

/// A section moved under another section, which has no such key. Sections that are lists or on one line with their key
/// are skipped.
fn moved_sections(descriptor: &Descriptor) -> Vec<Mutant> {
    let sections: Vec<_> = descriptor
        .keyed()
        .filter(|(spot, key)| {
            spot.path.len() == 1 && descriptor.line(spot.value.start) > descriptor.line(key.start)
        })
        .collect();
    let mut mutants = Vec::new();
    for (moved, key) in &sections {
        for (under, its_key) in sections.iter().filter(|(under, _)| under.json.is_object()) {
            if moved.name() == under.name() {
                continue;
            }
            let lines = descriptor.lines_of(moved, key);
            let behind = descriptor.lines_of(under, its_key).start + its_key.len() + 2;
            let block: String = descriptor.text[lines.clone()]
                .lines()
                .map(|line| format!("  {line}\n"))
                .collect();
            let text = match lines.start < behind {
                true => [
                    &descriptor.text[..lines.start],
                    &descriptor.text[lines.end..behind],
                    &block,
                    &descriptor.text[behind..],
                ],
                false => [
                    &descriptor.text[..behind],
                    &block,
                    &descriptor.text[behind..lines.start],
                    &descriptor.text[lines.end..],
                ],
            }
            .concat();
            let first = text[..text.find(&block).unwrap_or(0)].matches('\n').count() + 1;
            mutants.push(Mutant {
                rule: "moved section",
                what: format!("{} under {}", moved.name(), under.name()),
                lines: (first..first + block.matches('\n').count()).collect(),
                change: Change::Whole(text),
            });
        }
    }
    mutants
}

/// A nested map whose lines lost one level of indentation. Its key then has no value, and its own keys are where they
/// mean nothing. Lists are skipped, because a list may be at its key's column.
fn lost_indentation(descriptor: &Descriptor) -> Vec<Mutant> {
    let nested = descriptor.keyed().filter(|(spot, key)| {
        spot.role != Role::Data
            && !takes_anything(spot)
            && spot.json.is_object()
            && descriptor.line(spot.value.start) > descriptor.line(key.start)
    });
    nested
        .map(|(spot, key)| {
            let first = descriptor.line(key.start);
            let last = descriptor.line(spot.value.end);
            let lines = descriptor.text.lines().enumerate().map(|(i, line)| {
                match i + 1 > first && i < last {
                    true => line.strip_prefix("  ").unwrap_or(line),
                    false => line,
                }
            });
            Mutant {
                rule: "lost indentation",
                what: spot.pointer(),
                change: Change::Whole(lines.map(|line| format!("{line}\n")).collect()),
                lines: (first..=last).collect(),
            }
        })
        .collect()
}

/// Keys that the format requires.
const REQUIRED: [&str; 53] = [
    "/spec",
    "/tool",
    "/service",
    "/description",
    "/access",
    "/request",
    "/request/method",
    "/request/path",
    "/request/query/*/value",
    "/paging/items",
    "/paging/next",
    "/paging/next_url",
    "/paging/next_url/header",
    "/examples/*/name",
    "/examples/*/request/method",
    "/examples/*/request/url",
    "/base_url",
    "/auth/kind",
    "/auth/in",
    "/auth/name",
    "/auth/secret",
    "/auth/secret/env",
    "/rate_limit/requests",
    "/rate_limit/per",
    "/errors/request_id/header",
    "/sandbox",
    "/seed",
    "/now",
    "/request_id",
    "/errors",
    "/errors/body",
    "/errors/codes",
    "/routes",
    "/faults/*/status",
    "/faults/*/message",
    "/data/*/count",
    "/data/*/row",
    "/data/*/times/start",
    "/data/*/times/every",
    "/routes/*/body",
    "/routes/*/page/limit",
    "/routes/*/page/ids/key",
    "/routes/*/page/ids/after",
    "/routes/*/refuse/*/when",
    "/routes/*/refuse/*/status",
    "/routes/*/refuse/*/message",
    "/routes/*/buckets/width",
    "/routes/*/buckets/from",
    "/routes/*/buckets/until",
    "/routes/*/buckets/limit",
    "/routes/*/buckets/token",
    "/routes/*/buckets/result",
    "/routes/*/buckets/bucket",
];

/// A required key left out. It is reported at the section that lacks it: on the line of the section's own key or first
/// value, or at the top of the file.
///
/// Only a tool needs a description, and a service no `errors`.
fn missing_keys(descriptor: &Descriptor) -> Vec<Mutant> {
    let optional = |spot: &Spot| match descriptor.file.as_str() {
        "service.yaml" => spot.is("/description") || spot.is("/errors"),
        // With a size, the argument that sets it may be missing.
        "sandbox.yaml" => spot.is("/description") || spot.is("/routes/*/page/limit"),
        _ => false,
    };
    descriptor
        .keyed()
        .filter(|(spot, _)| REQUIRED.iter().any(|pattern| spot.is(pattern)) && !optional(spot))
        .map(|(spot, key)| Mutant {
            rule: "missing key",
            what: spot.pointer(),
            change: Change::Whole(descriptor.without(spot, &key)),
            lines: section_lines(descriptor, spot),
        })
        .collect()
}

/// The line of the key of the section that holds a spot, up to the line of the section's first key; the first lines of
/// the file where there is no section.
fn section_lines(descriptor: &Descriptor, spot: &Spot) -> Vec<usize> {
    let above = &spot.path[..spot.path.len() - 1];
    match descriptor.spots.iter().find(|other| other.path == above) {
        Some(section) => {
            let start = section
                .key
                .as_ref()
                .map_or(section.value.start, |key| key.start);
            (descriptor.line(start)..=descriptor.line(section.value.start)).collect()
        }
        None => vec![1, 2],
    }
}

/// A key that is written twice; reported at either.
fn duplicate_keys(descriptor: &Descriptor) -> Vec<Mutant> {
    descriptor
        .keyed()
        .filter(|(spot, _)| spot.role != Role::Data)
        .map(|(spot, key)| {
            let (at, copy) = match descriptor.starts_line(&key) {
                true => {
                    let lines = descriptor.lines_of(spot, &key);
                    (lines.start, descriptor.text[lines].to_owned())
                }
                false if descriptor.in_flow(&key) => (
                    key.start,
                    format!("{}, ", &descriptor.text[key.start..spot.value.end]),
                ),
                // The first key of a list item: its copy is the item's second line.
                false => {
                    let column = key.start
                        - descriptor.text[..key.start]
                            .rfind('\n')
                            .map_or(0, |at| at + 1);
                    let entry = &descriptor.text[key.start..spot.value.end];
                    (key.start, format!("{entry}\n{}", " ".repeat(column)))
                }
            };
            let (first, more) = (descriptor.line(key.start), copy.matches('\n').count());
            Mutant {
                rule: "duplicate key",
                what: spot.pointer(),
                change: Change::Edit(at..at, copy.clone()),
                lines: vec![first, first + more],
            }
        })
        .collect()
}

/// A misspelt value of a closed set: access, method, kind of auth, style, place of a key, type of a param.
fn misspelt_values(descriptor: &Descriptor) -> Vec<Mutant> {
    let closed = [
        "/access",
        "/request/method",
        "/examples/*/request/method",
        "/auth/kind",
        "/auth/in",
        "/request/query/*/style",
    ];
    descriptor
        .keyed()
        .map(|(spot, _)| spot)
        .filter(|spot| {
            closed.iter().any(|pattern| spot.is(pattern))
                || spot.role == Role::Keyword
                    && ["type", "format"].contains(&spot.name())
                    && spot.json.is_string()
        })
        .flat_map(|spot| {
            let word = &descriptor.text[spot.value.clone()];
            let case = if word.starts_with(char::is_lowercase) {
                word.to_uppercase()
            } else {
                word.to_lowercase()
            };
            [hasty(word), swapped(word), case]
                .map(|typo| edited(descriptor, "misspelt value", spot.value.clone(), &typo))
        })
        .collect()
}

/// Values that no such key can have.
fn illegal_values(descriptor: &Descriptor) -> Vec<Mutant> {
    let illegal: [(&str, &[&str]); 31] = [
        ("/spec", &["2", "one"]),
        ("/tool", &["List_Things", "../up"]),
        ("/service", &["Some Service", "-x"]),
        ("/sandbox", &["Some Service"]),
        (
            "/base_url",
            &[
                "api.example.com",
                "http://api.example.com",
                "ftp://api.example.com",
                "https://user:word@api.example.com",
                "https://api.example.com?x=1",
                "https://api.example.com#x",
                "https://",
            ],
        ),
        (
            "/request/path",
            &[
                "v1/things",
                "/v1/things?x=1",
                "/v1//things",
                "/v1/../things",
                "/v1/a b",
                "\"/v1/{id}\"",
            ],
        ),
        ("/auth/secret/pattern", &["'^sk-('", "'[a-'"]),
        ("/auth/name", &["'x api key'", "''"]),
        ("/settings/*/pattern", &["'^(\\d'", "'*'"]),
        ("/rate_limit/requests", &["0", "-1", "1.5"]),
        ("/rate_limit/per", &["1 minute", "1", "0s"]),
        ("/retry/max_attempts", &["0", "21"]),
        ("/retry/statuses", &["[200]", "[4290]"]),
        ("/errors/request_id/header", &["'request id'"]),
        ("/request/headers/*", &["\"a\\nb\""]),
        ("/headers/*", &["\"a\\nb\""]),
        ("/params/properties/*/minimum", &["5000"]),
        ("/params/properties/*/minLength", &["-1", "1.5"]),
        ("/params/properties/*/items", &["{ type: strings }", "[7]"]),
        ("/examples/*/args/limit", &["0", "many"]),
        ("/examples/*/request/method", &["FETCH"]),
        ("/seed", &["-1", "1.5"]),
        ("/now", &["today", "2026-13-01T00:00:00Z"]),
        ("/faults/*/status", &["200", "600"]),
        ("/data/*/count", &["-1", "1.5"]),
        ("/data/*/times/start", &["yesterday"]),
        ("/data/*/times/every", &["0s", "45 minutes"]),
        ("/routes/*/page/size", &["-1", "many"]),
        ("/routes/*/refuse/*/status", &["200"]),
        ("/response/output/*/each", &["data", "'{{ body.data }}'"]),
        ("/paging/items", &["data", "$.data[*]"]),
    ];
    let mut mutants = Vec::new();
    for (spot, key) in descriptor.keyed() {
        for (_, values) in illegal.iter().filter(|(pattern, _)| spot.is(pattern)) {
            let made = values
                .iter()
                .filter(|_| spot.name() != "minimum" || has_default(descriptor, spot));
            mutants
                .extend(made.map(|value| revalued(descriptor, "illegal value", spot, &key, value)));
        }
    }
    mutants
}

/// A bound alone breaks nothing; with a default that it excludes, it does.
fn has_default(descriptor: &Descriptor, bound: &Spot) -> bool {
    let above = &bound.path[..bound.path.len() - 1];
    descriptor
        .spots
        .iter()
        .any(|other| other.path.starts_with(above) && other.name() == "default")
}

/// The URL of an example with another character, another value, one parameter more, another host.
fn changed_urls(descriptor: &Descriptor) -> Vec<Mutant> {
    descriptor
        .spots
        .iter()
        .filter(|spot| spot.is("/examples/*/request/url"))
        .flat_map(|spot| {
            let raw = descriptor.text[spot.value.clone()].to_owned();
            let end = spot.value.end - 1;
            [
                edited(descriptor, "changed URL", end..end, "0"),
                edited(descriptor, "changed URL", end..end, "&more=1"),
                edited(
                    descriptor,
                    "changed URL",
                    spot.value.clone(),
                    &raw.replacen("api.", "apis.", 1),
                ),
                edited(
                    descriptor,
                    "changed URL",
                    spot.value.clone(),
                    &raw.replacen("https", "http", 1),
                ),
                edited(
                    descriptor,
                    "changed URL",
                    spot.value.clone(),
                    &raw.replacen("/v1/", "/v2/", 1),
                ),
                edited(
                    descriptor,
                    "changed URL",
                    spot.value.clone(),
                    &raw.replacen('?', "/?", 1),
                ),
            ]
        })
        .collect()
}

/// An expected output, or an expected header, with another value at one leaf; an output with a key too many.
fn changed_outputs(descriptor: &Descriptor) -> Vec<Mutant> {
    let expected =
        |spot: &&Spot| spot.is("/examples/*/output/**") || spot.is("/examples/*/request/headers/*");
    descriptor
        .spots
        .iter()
        .filter(expected)
        .filter_map(|spot| {
            let raw = &descriptor.text[spot.value.clone()];
            let other = match &spot.json {
                Value::Null => "0".to_owned(),
                Value::Bool(flag) => (!flag).to_string(),
                Value::Number(_) => format!("{raw}1"),
                Value::String(_) if raw.starts_with('"') => raw.replacen('"', "\"x", 1),
                Value::String(_) => format!("x{raw}"),
                _ => return None,
            };
            Some(edited(
                descriptor,
                "changed output",
                spot.value.clone(),
                &other,
            ))
        })
        .collect()
}

/// Quotes removed where they matter: without them the text is not valid YAML, or another value. The body of an
/// example's response is skipped: it may hold anything.
fn lost_quotes(descriptor: &Descriptor) -> Vec<Mutant> {
    descriptor
        .spots
        .iter()
        .filter(|spot| descriptor.text[spot.value.clone()].starts_with(['"', '\'']))
        .filter(|spot| !spot.is("/examples/*/response/body/**"))
        .map(|spot| {
            let raw = &descriptor.text[spot.value.clone()];
            edited(
                descriptor,
                "lost quotes",
                spot.value.clone(),
                &raw[1..raw.len() - 1],
            )
        })
        .collect()
}

/// The lines of a text that have a word.
fn lines_with(text: &str, word: &str) -> Vec<usize> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| word_in(line, word).is_some())
        .map(|(i, _)| i + 1)
        .collect()
}

/// A declaration removed: reported wherever its name is used, or at its section if that is now empty.
fn removed(descriptor: &Descriptor, rule: &'static str, pattern: &str) -> Vec<Mutant> {
    descriptor
        .keyed()
        .filter(|(spot, _)| spot.is(pattern))
        .map(|(spot, key)| {
            let text = descriptor.without(spot, &key);
            Mutant {
                rule,
                what: spot.pointer(),
                lines: [
                    lines_with(&text, spot.name()),
                    section_lines(descriptor, spot),
                ]
                .concat(),
                change: Change::Whole(text),
            }
        })
        .collect()
}

/// A param that is used and not declared.
fn removed_params(descriptor: &Descriptor) -> Vec<Mutant> {
    removed(descriptor, "removed param", "/params/properties/*")
}

/// A `let`, a setting or a collection that is used and not defined.
fn removed_lets(descriptor: &Descriptor) -> Vec<Mutant> {
    ["/response/let/*", "/settings/*", "/data/*"]
        .iter()
        .flat_map(|pattern| removed(descriptor, "removed definition", pattern))
        .collect()
}

/// A new entry before the first one of a map; reported there.
fn added(descriptor: &Descriptor, rule: &'static str, map: &str, entry: &str) -> Option<Mutant> {
    let spot = descriptor.at(map)?;
    let start = descriptor.text[..spot.value.start]
        .rfind('\n')
        .map_or(0, |at| at + 1);
    let indent = spot.value.start - start;
    Some(edited(
        descriptor,
        rule,
        start..start,
        &format!("{}{entry}\n", " ".repeat(indent)),
    ))
}

/// Params that nothing uses: of each type.
fn unused_params(descriptor: &Descriptor) -> Vec<Mutant> {
    ["string", "integer", "boolean", "array", "object"]
        .iter()
        .filter_map(|kind| {
            let entry = format!("unused: {{ type: {kind}, description: Never used. }}");
            added(descriptor, "unused param", "/params/properties", &entry)
        })
        .collect()
}

/// A `let` and a setting that nothing uses.
fn unused_names(descriptor: &Descriptor) -> Vec<Mutant> {
    [
        ("/response/let", "unused: $.data"),
        ("/settings", "unused: { default: a }"),
    ]
    .iter()
    .filter_map(|(map, entry)| added(descriptor, "unused name", map, entry))
    .collect()
}

/// Another legal access or method, where the two contradict each other or an example shows the method: reported at either,
/// or at that example.
fn changed_methods(descriptor: &Descriptor) -> Vec<Mutant> {
    let value = |path: &str| {
        descriptor
            .at(path)
            .map(|spot| (spot, spot.json.as_str().unwrap_or_default()))
    };
    let (Some((access_spot, access)), Some((method_spot, method))) =
        (value("/access"), value("/request/method"))
    else {
        return Vec::new();
    };
    let contradict = |method: &str, access: &str| match method {
        "GET" | "HEAD" | "OPTIONS" => access != "read",
        _ => access == "read",
    };
    let is_shown = |spot: &&Spot| {
        spot.is("/examples/*/request/method") || spot.is("/examples/*/pages/*/request/method")
    };
    let shown: Vec<usize> = (descriptor.spots.iter().filter(is_shown))
        .map(|spot| descriptor.line(spot.value.start))
        .collect();
    let is_accepted = descriptor.at("/allow/unusual-access").is_some();
    let mut mutants = Vec::new();
    for other in ["read", "write", "destructive"] {
        if other != access && contradict(method, other) && !is_accepted {
            mutants.push(edited(
                descriptor,
                "changed method or access",
                access_spot.value.clone(),
                other,
            ));
        }
    }
    for other in ["POST", "PUT", "PATCH", "DELETE", "HEAD"] {
        let is_known = contradict(other, access) && !is_accepted || !shown.is_empty();
        if other == method || !is_known {
            continue;
        }
        let mut mutant = edited(
            descriptor,
            "changed method or access",
            method_spot.value.clone(),
            other,
        );
        mutant.lines.push(descriptor.line(access_spot.value.start));
        mutant.lines.extend(&shown);
        mutants.push(mutant);
    }
    mutants
}
