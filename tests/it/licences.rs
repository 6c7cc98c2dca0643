//! Every dependency has a licence that `deny.toml` allows and comes from crates.io. `cargo deny` checks the same; this
//! test needs neither it nor the network.

use std::process::Command;

use serde_json::Value;

fn allowed() -> Vec<&'static str> {
    include_str!("../../deny.toml")
        .split("allow = [")
        .nth(1)
        .and_then(|rest| rest.split(']').next())
        .unwrap_or_default()
        .split(',')
        .map(|item| item.trim().trim_matches('"'))
        .filter(|item| !item.is_empty())
        .collect()
}

/// SPDX: all sides of an AND, one side of an OR (some crates still write `/`).
fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
    let expression = expression.replace('/', " OR ");
    let expression = expression.trim();
    if let Some((left, right)) = split(expression, " AND ") {
        return is_allowed(left, allowed) && is_allowed(right, allowed);
    }
    if let Some((left, right)) = split(expression, " OR ") {
        return is_allowed(left, allowed) || is_allowed(right, allowed);
    }
    match expression
        .strip_prefix('(')
        .and_then(|inner| inner.strip_suffix(')'))
    {
        Some(inner) => is_allowed(inner, allowed),
        None => allowed.contains(&expression),
    }
}

/// The two sides of an operator outside parentheses.
fn split<'e>(expression: &'e str, operator: &str) -> Option<(&'e str, &'e str)> {
    expression
        .match_indices(operator)
        .find(|(at, _)| {
            let before = &expression[..*at];
            before.matches('(').count() == before.matches(')').count()
        })
        .map(|(at, _)| (&expression[..at], &expression[at + operator.len()..]))
}

#[test]
fn licences_and_sources_are_allowed() {
    let allowed = allowed();
    assert!(allowed.contains(&"MIT"), "{allowed:?}");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100, "{} packages", packages.len());
    for package in packages {
        let name = &package["name"];
        let licence = package["license"].as_str().unwrap_or_default();
        assert!(is_allowed(licence, &allowed), "{name}: {licence}");
        let source = package["source"].as_str();
        let is_registry = source.is_none_or(|source| source.starts_with("registry+"));
        assert!(is_registry, "{name}: {source:?}");
    }
}

#[test]
fn expressions_are_read() {
    for (expression, expected) in [
        ("MIT", true),
        ("MIT OR GPL-3.0", true),
        ("MIT/GPL-3.0", true),
        ("GPL-3.0", false),
        ("MIT AND GPL-3.0", false),
        ("(MIT OR GPL-3.0) AND ISC", true),
        ("(GPL-3.0 OR AGPL-3.0) AND ISC", false),
    ] {
        assert_eq!(
            is_allowed(expression, &["MIT", "ISC"]),
            expected,
            "{expression}"
        );
    }
}
