//! Reads a document that others wrote: JSON, or YAML. Unlike descriptors, such YAML may have anchors, aliases and tags.
//!
//! A small document cannot become a large one: an alias counts with the size of what it refers to. Nesting is bounded,
//! and no other file is opened.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::yaml::{self, depth_exceeds};

/// How large a document may be.
const LIMITS: yaml::Limits = yaml::Limits {
    bytes: 128 << 20,
    depth: MOST_DEPTH,
    nodes: MOST_NODES,
};

/// The most scalars and collections, keys included. The largest documents that are published have half of that.
const MOST_NODES: usize = 8_000_000;

/// The deepest nesting, in JSON and in YAML. It is small enough to walk the document by recursion.
const MOST_DEPTH: usize = 120;

/// Reads a file.
///
/// # Errors
/// Why it cannot be read, with line and column if they are known.
pub(crate) fn read_file(path: &Path) -> Result<Value, String> {
    let text = read_text(path)?;
    parse(&text).map_err(|message| format!("{}: {message}", path.display()))
}

/// Reads a file as text.
///
/// # Errors
/// Why it cannot be read.
pub(crate) fn read_text(path: &Path) -> Result<String, String> {
    let name = path.display();
    // A pipe that a shell makes of a command (`<(...)`) ends; a named one or a device may never.
    let metadata =
        std::fs::metadata(path).map_err(|error| format!("cannot open {name}: {error}"))?;
    if metadata.is_dir() {
        return Err(format!("cannot open {name}: it is a folder"));
    }
    if metadata.len() > LIMITS.bytes as u64 {
        return Err(too_large(path));
    }
    let file = File::open(path).map_err(|error| format!("cannot open {name}: {error}"))?;
    let mut bytes = Vec::new();
    file.take(LIMITS.bytes as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot read {name}: {error}"))?;
    if bytes.len() > LIMITS.bytes {
        return Err(too_large(path));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("{name} is not UTF-8 text: byte {at} is not part of a character")
    })
}

fn too_large(path: &Path) -> String {
    format!(
        "{} is larger than {} MB, the most that is read",
        path.display(),
        LIMITS.bytes >> 20
    )
}

/// Parses text: as JSON if it is a valid JSON object, else as YAML.
///
/// # Errors
/// What is wrong and where.
pub fn parse(text: &str) -> Result<Value, String> {
    let text = text.trim_start_matches('\u{feff}');
    if !text.trim_start().starts_with('{') {
        return from_yaml(text, &LIMITS);
    }
    if has_more_nodes(text, MOST_NODES) {
        return Err(format!("it has more than {MOST_NODES} values and keys"));
    }
    match serde_json::from_str::<Value>(text) {
        Ok(value) if depth_exceeds(&value, MOST_DEPTH) => Err(too_deep()),
        Ok(value) => Ok(value),
        // A YAML flow mapping may begin like JSON. For a text that is neither, the error is the one of the JSON parser.
        Err(error) => from_yaml(text, &LIMITS).map_err(|_| format!("no JSON: {error}")),
    }
}

/// Whether a JSON text has more values and keys than this. It is only counted where it may: each takes two bytes.
fn has_more_nodes(json: &str, most: usize) -> bool {
    if json.len() / 2 <= most {
        return false;
    }
    let (mut count, mut in_string, mut is_escaped) = (0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = in_string,
            b'"' => in_string = !in_string,
            b',' | b':' | b'[' | b'{' if !in_string => count += 1,
            _ => {}
        }
    }
    count > most
}

fn too_deep() -> String {
    format!("nested more than {MOST_DEPTH} deep")
}

fn from_yaml(text: &str, limits: &yaml::Limits) -> Result<Value, String> {
    yaml::read_foreign(text, limits).map_err(|problem| {
        let (line, column) = yaml::LineIndex::new(text).line_column(problem.span.start);
        format!("line {line}, column {column}: {}", problem.message)
    })
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;

    #[test]
    fn json_and_yaml_are_read() {
        let expected = json!({"openapi": "3.1.0", "paths": {"/a": {"get": {"responses": {"200": {"x": [1, 2.5, true, null]}}}}}});
        assert_eq!(parse(&expected.to_string()), Ok(expected.clone()));
        let yaml = "openapi: 3.1.0\npaths:\n  /a:\n    get: { responses: { 200: { x: [1, 2.5, true, null] } } }\n";
        assert_eq!(parse(yaml), Ok(expected.clone()));
        assert_eq!(parse(&format!("\u{feff}{expected}")), Ok(expected));
        assert_eq!(
            parse("{ a: b }"),
            Ok(json!({"a": "b"})),
            "a flow map is YAML"
        );
    }

    #[test]
    fn what_descriptors_may_not_have() {
        let text =
            "base: &b { x: 1, y: &n [2] }\nm: { <<: *b, x: 3 }\nl: { <<: [*b, { z: 4 }] }\nn: *n\n";
        assert_eq!(
            parse(text),
            Ok(json!({
                "base": {"x": 1, "y": [2]}, "m": {"x": 3, "y": [2]}, "l": {"x": 1, "y": [2], "z": 4}, "n": [2]
            }))
        );
        assert_eq!(
            parse("a: -9223372036854776000\nb: .inf\nc: !!str 5\n"),
            Ok(json!({"a": -9.223372036854776e18, "b": ".inf", "c": "5"}))
        );
    }

    #[test]
    fn json_with_too_many_values_is_refused_before_it_is_read() {
        for (json, nodes) in [
            (r#"{"a":0}"#, 2),
            (r#"{"a":[1,2,{"b":null}]}"#, 7),
            (r#"{"a,b:[{\"":"{\\"}"#, 2),
        ] {
            assert!(has_more_nodes(json, 0), "{json}");
            assert!(!has_more_nodes(json, nodes), "{json}");
            assert!(
                json.len() / 2 <= nodes || has_more_nodes(json, nodes - 1),
                "{json}"
            );
        }
        let many = format!("{{\"a\":[{}0]}}", "0,".repeat(MOST_NODES));
        let error = parse(&many).unwrap_err();
        assert_eq!(error, "it has more than 8000000 values and keys");
    }

    #[test]
    fn bombs_end_with_an_error() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for i in 1..12 {
            let aliases = vec![format!("*a{}", i - 1); 9].join(", ");
            bomb.push_str(&format!("a{i}: &a{i} [{aliases}]\n"));
        }
        let small = yaml::Limits {
            nodes: 100_000,
            ..LIMITS
        };
        assert!(
            from_yaml(&bomb, &small)
                .unwrap_err()
                .contains("more than 100000 parts")
        );
        for open in ["[", "{\"a\":"] {
            let deep = open.repeat(50_000);
            assert!(parse(&format!("{{\"a\": {deep}")).is_err());
            assert!(parse(&format!("a: {deep}")).is_err());
        }
        let nested: String = (0..5_000)
            .map(|i| format!("{}a:\n", " ".repeat(i)))
            .collect();
        assert!(parse(&nested).is_err());
        let mut chain = String::from("a0: &a0 [x]\n");
        for i in 1..200 {
            chain.push_str(&format!("a{i}: &a{i} [*a{}]\n", i - 1));
        }
        assert_eq!(
            parse(&chain).unwrap_err().split(": ").last(),
            Some("nested more than 120 deep")
        );
    }

    #[test]
    fn mistakes_have_a_place() {
        assert_eq!(
            parse("a: 1\na: 2\n").unwrap_err(),
            "line 2, column 1: the key `a` is written twice"
        );
        assert!(parse("{\"a\": \"b}").unwrap_err().contains("line 1 column"));
        for bad in ["", "a: *b", "a: [", "? [1]\n: 2", "a: 1\n---\nb: 2\n"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
