//! Faults in JSONPaths and paging. Some are known only where an example shows them; the rules say when.

use serde_json::Value;

use super::rules::{edited, hasty, revalued};
use super::spots::{Descriptor, Spot};
use super::words::is_computed;
use super::{Change, Mutant, Rule};

/// The rules for paths and paging.
pub(super) const ALL: [Rule; 9] = [
    broken_selectors,
    lost_dollars,
    lost_braces,
    misspelt_steps,
    misspelt_body_keys,
    wrong_paging,
    constant_paging,
    unsent_cursors,
    wrong_next,
];

/// Places where a string that starts with `$` is a path.
pub(super) fn is_path(spot: &Spot) -> bool {
    let is_literal = spot.path.iter().any(|token| token == "literal");
    let is_data =
        ["examples", "params", "request", "headers", "query"].contains(&spot.path[0].as_str());
    let is_schema = spot.is("/response/schema/**");
    !is_literal
        && !is_data
        && !is_schema
        && spot.json.as_str().is_some_and(|text| text.starts_with('$'))
}

/// The place of a path's text in the file, without quotes.
fn inside(descriptor: &Descriptor, spot: &Spot) -> std::ops::Range<usize> {
    let raw = &descriptor.text[spot.value.clone()];
    let start = spot.value.start + raw.find('$').unwrap_or(0);
    start..spot.value.start + raw.trim_end_matches(['"', '\'']).len()
}

/// Selectors of other languages, and unfinished ones.
fn broken_selectors(descriptor: &Descriptor) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for spot in descriptor.spots.iter().filter(|spot| is_path(spot)) {
        let at = inside(descriptor, spot);
        let is_quoted = descriptor.text[spot.value.clone()].starts_with(['"', '\'']);
        for with in [
            ".[0]",
            ".length()",
            "[name]",
            "[?(@.x]",
            "[?@.x = 1]",
            "[?lenght(@.x) > 1]",
            "[?@.x == 'a]",
            ".*.",
            "[1:2:]x",
            "[-]",
            "[01]",
        ] {
            // Without quotes, a bracket or a `#` could be YAML's.
            if is_quoted || !with.contains([' ', '?', ':', '[']) {
                mutants.push(edited(descriptor, "broken selector", at.end..at.end, with));
            }
        }
        mutants.push(edited(
            descriptor,
            "broken selector",
            at.start..at.start + 1,
            "$$",
        ));
    }
    mutants
}

/// A path without its `$` or with the `@` of a filter.
fn lost_dollars(descriptor: &Descriptor) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for spot in descriptor.spots.iter().filter(|spot| is_path(spot)) {
        let at = inside(descriptor, spot);
        if !descriptor.text[at.clone()].starts_with("$.") {
            continue;
        }
        mutants.push(edited(descriptor, "lost $", at.start..at.start + 1, ""));
        // `@` alone cannot begin a plain scalar, which is a fault too.
        mutants.push(edited(descriptor, "lost $", at.start..at.start + 1, "@"));
    }
    mutants
}

/// An expression of a projection without braces, or with single ones. What is a single word could be meant as text.
fn lost_braces(descriptor: &Descriptor) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for spot in descriptor.spots.iter().filter(|spot| is_computed(spot)) {
        let raw = &descriptor.text[spot.value.clone()];
        let is_projection = spot.is("/response/output")
            || spot.is("/response/output/**")
            || spot.is("/response/let/**");
        let inner = raw
            .trim_matches('"')
            .strip_prefix("{{")
            .and_then(|rest| rest.strip_suffix("}}"));
        let Some(inner) =
            inner.filter(|inner| is_projection && raw.starts_with('"') && !inner.contains("{{"))
        else {
            continue;
        };
        let inner = inner.trim();
        mutants.push(edited(
            descriptor,
            "lost braces",
            spot.value.clone(),
            &format!("\"{{ {inner} }}\""),
        ));
        let reads = ["body.", "item.", "params.", "headers["];
        if reads.iter().any(|name| inner.starts_with(name)) {
            mutants.push(edited(
                descriptor,
                "lost braces",
                spot.value.clone(),
                &format!("\"{inner}\""),
            ));
        }
    }
    mutants
}

/// The values below names that are joined by dots, in a body.
fn follow<'v>(body: &'v Value, path: &str) -> Option<&'v Value> {
    let names = path.strip_prefix('$')?;
    let mut steps = names.split('.');
    (steps.next() == Some("")).then_some(())?;
    steps.try_fold(body, |value, name| value.get(name))
}

/// The examples that show a whole answer: with a response that is no error, and an output.
fn shown(descriptor: &Descriptor) -> Vec<(&Spot, &Value)> {
    let examples = descriptor
        .spots
        .iter()
        .filter(|spot| spot.is("/examples/*"));
    let shown = examples.filter_map(|spot| {
        let is_error = spot
            .json
            .pointer("/response/status")
            .is_some_and(|status| status.as_u64() >= Some(300));
        let output = spot.json.get("output").filter(|output| !output.is_null())?;
        let body = spot
            .json
            .pointer("/response/body")
            .filter(|body| !body.is_string())?;
        let _ = output;
        (!is_error).then_some((spot, body))
    });
    shown.collect()
}

/// The lines of a spot.
fn lines(descriptor: &Descriptor, spot: &Spot) -> Vec<usize> {
    (descriptor.line(spot.value.start)..=descriptor.line(spot.value.end)).collect()
}

/// A misspelt name in a path of the output or of the items, where an example has a value there that is not null, false
/// or empty: it is told at the path or in that example.
fn misspelt_steps(descriptor: &Descriptor) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    let is_part = |spot: &&Spot| {
        let inner = spot
            .path
            .iter()
            .any(|token| ["each", "as", "zip"].contains(&token.as_str()));
        let is_walk = spot.is("/response/output/*/each") || spot.is("/response/output/each");
        is_path(spot)
            && ((spot.is("/response/output/**") && !inner)
                || is_walk
                || spot.is("/response/output")
                || spot.is("/paging/items"))
    };
    for spot in descriptor.spots.iter().filter(is_part) {
        let text = spot.json.as_str().unwrap_or_default();
        let path = text.strip_suffix("[*]").unwrap_or(text);
        let has_value = |body: &Value| {
            follow(body, path).is_some_and(|value| match value {
                Value::Null => false,
                Value::Array(items) => !items.is_empty(),
                Value::Bool(flag) => *flag,
                _ => true,
            })
        };
        let examples: Vec<_> = shown(descriptor)
            .into_iter()
            .filter(|(_, body)| has_value(body))
            .collect();
        let Some(name) = path.rsplit('.').next().filter(|name| name.len() > 2) else {
            continue;
        };
        if examples.is_empty() || !path.contains('.') {
            continue;
        }
        let at = inside(descriptor, spot);
        let start = at.start + path.len() - name.len();
        let mut mutant = edited(
            descriptor,
            "misspelt step",
            start..start + name.len(),
            &hasty(name),
        );
        for (example, _) in examples {
            mutant.lines.extend(lines(descriptor, example));
        }
        // The rows and the items must come from the same list.
        let items = descriptor.at("/paging/items");
        mutant
            .lines
            .extend(items.map(|items| descriptor.line(items.value.start)));
        mutants.push(mutant);
    }
    mutants
}

/// A misspelt key of a body, where an example says what the body is: told at the key or in that example.
fn misspelt_body_keys(descriptor: &Descriptor) -> Vec<Mutant> {
    let bodies: Vec<_> = descriptor
        .spots
        .iter()
        .filter(|spot| spot.is("/examples/*/request/body"))
        .collect();
    let mut mutants = Vec::new();
    for (spot, key) in descriptor
        .keyed()
        .filter(|(spot, _)| spot.is("/request/body/json/*"))
    {
        let shows = |body: &&&Spot| {
            body.json
                .get(spot.name())
                .is_some_and(|value| !value.is_null())
        };
        let examples: Vec<_> = bodies.iter().filter(shows).collect();
        if examples.is_empty() || spot.name().len() < 3 {
            continue;
        }
        let mut mutant = edited(descriptor, "misspelt body key", key, &hasty(spot.name()));
        for example in examples {
            mutant.lines.extend(lines(descriptor, example));
        }
        mutants.push(mutant);
    }
    mutants
}

/// Paging that cannot work: items that are no single array, two ways to go on or none, a page size that is no param or
/// no number.
fn wrong_paging(descriptor: &Descriptor) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    let mut rows = |spot: &Spot, key: &std::ops::Range<usize>, with: &str| {
        mutants.push(revalued(descriptor, "wrong paging", spot, key, with));
    };
    for (spot, key) in descriptor.keyed() {
        let others: &[&str] = match spot.pointer().as_str() {
            "/paging/items" => &[
                "\"$.data[*]\"",
                "\"$..data\"",
                "\"$.data[?@.id]\"",
                "\"{{ body.data }}\"",
                "data",
                "[]",
            ],
            "/paging/next" => &["{}", "$.next", "[cursor]"],
            "/paging/next_url" => &[
                "{ header: 'x y' }",
                "{ headers: link }",
                "{ header: link, rel: 7 }",
                "{}",
                "7",
            ],
            "/paging/while" => &["has_more", "\"{{ body.has_more\"", "\"$.has_more[\"", "[]"],
            "/paging/limit" => &["\"{{ limit }}\"", "$.limit", "100"],
            _ => &[],
        };
        others.iter().for_each(|with| rows(spot, &key, with));
    }
    // The size of a page is a number.
    if let Some(limit) = descriptor.at("/paging/limit") {
        for (spot, _) in descriptor
            .keyed()
            .filter(|(spot, _)| spot.is("/params/properties/*"))
        {
            let is_text = spot.json.get("type").is_some_and(|name| name == "string");
            if is_text && spot.json.get("enum").is_none() {
                mutants.push(edited(
                    descriptor,
                    "wrong paging",
                    limit.value.clone(),
                    spot.name(),
                ));
            }
        }
    }
    mutants
}

/// Conditions and arguments of paging that are the same for every response.
fn constant_paging(descriptor: &Descriptor) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for (spot, key) in descriptor.keyed() {
        let others: &[&str] = match spot.pointer().as_str() {
            "/paging/while" => &[
                "\"true\"",
                "\"{{ true }}\"",
                "\"{{ false }}\"",
                "\"{{ 1 == 1 }}\"",
                "\"{{ [] }}\"",
                "\"more: {{ body.more }}\"",
                "\"{{ 'has_more' }}\"",
                "\"{{ not none }}\"",
            ],
            _ if spot.is("/paging/next/*") => &[
                "abc",
                "\"{{ 1 + 1 }}\"",
                "\"{{ 'x' }}\"",
                "{ a: 1 }",
                "[1]",
                "7",
            ],
            _ => &[],
        };
        mutants.extend(
            others
                .iter()
                .map(|with| revalued(descriptor, "constant paging", spot, &key, with)),
        );
    }
    mutants
}

/// An argument of the next call that the request does not send: every page would be the first. Told at the param or at
/// its place in `next`.
fn unsent_cursors(descriptor: &Descriptor) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for (next, next_key) in descriptor
        .keyed()
        .filter(|(spot, _)| spot.is("/paging/next/*"))
    {
        let name = next.name();
        let param = descriptor.at(&format!("/params/properties/{name}"));
        for (spot, key) in descriptor
            .keyed()
            .filter(|(spot, _)| spot.is("/request/query/*"))
        {
            let sends = spot
                .json
                .as_str()
                .is_some_and(|text| text.trim_matches(['{', '}', ' ']) == name);
            let Some(param) = param.filter(|_| sends) else {
                continue;
            };
            let text = descriptor.without(spot, &key);
            let line = |text: &str, word: &str| -> Vec<usize> {
                let found = text
                    .lines()
                    .enumerate()
                    .filter(|(_, line)| line.contains(word));
                found.map(|(i, _)| i + 1).collect()
            };
            let mut places = line(&text, &format!("{name}:"));
            places.extend(line(&text, "next:"));
            let _ = (param, &next_key);
            mutants.push(Mutant {
                rule: "unsent cursor",
                what: spot.pointer(),
                lines: places,
                change: Change::Whole(text),
            });
        }
    }
    mutants
}

/// An argument of the next call that is taken from a place that gives many values, or from a value of another type than
/// the param's; or from a misspelt place, where the pages of an example show it.
fn wrong_next(descriptor: &Descriptor) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    let pages: Vec<_> = descriptor
        .spots
        .iter()
        .filter(|spot| spot.is("/examples/*/pages"))
        .collect();
    let is_step = |spot: &Spot| spot.is("/paging/next/*") || spot.is("/paging/next_url");
    for (spot, key) in descriptor.keyed().filter(|(spot, _)| is_step(spot)) {
        let text = spot.json.as_str().unwrap_or_default();
        let param = descriptor.at(&format!("/params/properties/{}", spot.name()));
        let kind = param.and_then(|param| param.json.get("type")?.as_str());
        let is_plain = matches!(kind, Some("string" | "integer")) || spot.is("/paging/next_url");
        if is_plain {
            for with in ["\"$.data[*].id\"", "\"$..next\""] {
                mutants.push(revalued(descriptor, "next from many", spot, &key, with));
            }
        }
        let others: &[&str] = match kind {
            Some("integer") => &[
                "\"{{ 'page' ~ body.page }}\"",
                "\"{{ body.page | string | upper }}\"",
                "\"{{ [params.page] }}\"",
            ],
            Some("string") if !spot.is("/paging/next_url") => &[
                "\"{{ body.items | length }}\"",
                "\"{{ [body.next] }}\"",
                "\"{{ {'a': body.next} }}\"",
            ],
            _ => &[],
        };
        mutants.extend(
            others
                .iter()
                .map(|with| revalued(descriptor, "next of a wrong type", spot, &key, with)),
        );
        let name = text
            .rsplit('.')
            .next()
            .filter(|name| name.len() > 2 && text.starts_with("$."));
        let Some(name) = name.filter(|_| !pages.is_empty()) else {
            continue;
        };
        let at = inside(descriptor, spot);
        let mut mutant = edited(
            descriptor,
            "next from a misspelt place",
            at.end - name.len()..at.end,
            &hasty(name),
        );
        for example in &pages {
            mutant.lines.extend(lines(descriptor, example));
        }
        mutants.push(mutant);
    }
    mutants
}
