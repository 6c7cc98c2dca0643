//! What a schema may cost. A few lines can ask for years of work: parts that refer to each other twice on every level, or
//! patterns whose automata fill the memory. So the work is counted before anything is compiled.

use std::collections::HashMap;

use regex_syntax::hir::{Class, Hir, HirKind};
use serde_json::{Map, Value};

/// How many parts of a schema may be applied to one value.
const MOST_PARTS: u64 = 20_000;
/// How large all patterns of a schema may be together, in ranges of characters. `^\w{50}` has about 38,000.
const MOST_RANGES: u64 = 1_000_000;

/// Keywords whose schemas apply to the same value.
const SAME: [&str; 4] = ["not", "if", "then", "else"];
const SAME_LISTS: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// Whether checking a value against the schema takes a bounded time.
///
/// # Errors
/// The JSON Pointer of the part that asks for too much, and why.
pub(crate) fn bounded(schema: &Value) -> Result<(), (String, String)> {
    let mut parts = Parts {
        root: schema,
        counted: HashMap::new(),
    };
    let mut ranges = 0;
    parts.walk(schema, &mut String::new(), &mut ranges)
}

struct Parts<'s> {
    root: &'s Value,
    /// How many parts apply where this one does, by its address. A part that is being counted has none yet.
    counted: HashMap<usize, Option<u64>>,
}

impl<'s> Parts<'s> {
    fn walk(
        &mut self,
        schema: &'s Value,
        at: &mut String,
        ranges: &mut u64,
    ) -> Result<(), (String, String)> {
        match schema {
            Value::Object(members) => {
                if self.count(schema) > MOST_PARTS {
                    let reason = format!(
                        "more than {MOST_PARTS} parts of the schema apply to one value here, since its parts refer to each other"
                    );
                    return Err((at.clone(), reason));
                }
                *ranges = ranges.saturating_add(ranges_of(members));
                if *ranges > MOST_RANGES {
                    return Err((
                        at.clone(),
                        "the patterns up to this one are too large together; shorten the repetitions, or use `maxLength`"
                            .to_owned(),
                    ));
                }
                for (key, member) in members {
                    let length = at.len();
                    *at = crate::source::join(at, key);
                    self.walk(member, at, ranges)?;
                    at.truncate(length);
                }
            }
            Value::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    let length = at.len();
                    *at = crate::source::join_index(at, i);
                    self.walk(item, at, ranges)?;
                    at.truncate(length);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// How many parts apply to a value that this one applies to.
    fn count(&mut self, schema: &'s Value) -> u64 {
        let Value::Object(members) = schema else {
            return 1;
        };
        let address = std::ptr::from_ref(schema).addr();
        if let Some(known) = self.counted.get(&address) {
            // A part that leads back to itself is applied once.
            return known.unwrap_or(0);
        }
        self.counted.insert(address, None);
        let count = self
            .applied(members)
            .into_iter()
            .fold(1_u64, |sum, part| sum.saturating_add(self.count(part)));
        self.counted.insert(address, Some(count));
        count
    }

    /// The parts that apply to the same value as these keywords.
    fn applied(&self, members: &'s Map<String, Value>) -> Vec<&'s Value> {
        let single = SAME.iter().filter_map(|keyword| members.get(*keyword));
        let lists = SAME_LISTS
            .iter()
            .filter_map(|keyword| members.get(*keyword)?.as_array())
            .flatten();
        let dependent = members
            .get("dependentSchemas")
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(Map::values);
        let reference = members
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|reference| self.part(reference));
        single
            .chain(lists)
            .chain(dependent)
            .chain(reference)
            .collect()
    }

    /// The part that a reference leads to.
    fn part(&self, reference: &str) -> Option<&'s Value> {
        let (base, fragment) = reference.split_once('#')?;
        let path = percent_encoding::percent_decode_str(fragment)
            .decode_utf8()
            .ok()?;
        let identified = || find(self.root, "$id", base);
        let root = match base.is_empty() {
            true => self.root,
            false => identified()?,
        };
        match path.is_empty() || path.starts_with('/') {
            true => root.pointer(&path),
            false => find(root, "$anchor", &path),
        }
    }
}

/// The part in which a keyword has this value.
fn find<'s>(schema: &'s Value, keyword: &str, value: &str) -> Option<&'s Value> {
    match schema {
        Value::Object(members) => {
            if members.get(keyword).and_then(Value::as_str) == Some(value) {
                return Some(schema);
            }
            members.values().find_map(|part| find(part, keyword, value))
        }
        Value::Array(items) => items.iter().find_map(|part| find(part, keyword, value)),
        _ => None,
    }
}

/// The ranges of characters of all patterns among these keywords.
fn ranges_of(members: &Map<String, Value>) -> u64 {
    let own = members.get("pattern").and_then(Value::as_str);
    let keys = members
        .get("patternProperties")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(Map::keys);
    own.into_iter()
        .chain(keys.map(String::as_str))
        .map(pattern_ranges)
        .fold(0, u64::saturating_add)
}

/// The ranges of characters of a pattern with its repetitions written out. A pattern that is not valid has none.
fn pattern_ranges(pattern: &str) -> u64 {
    let parse = |pattern: &str| {
        regex_syntax::ParserBuilder::new()
            .nest_limit(100)
            .build()
            .parse(pattern)
            .ok()
    };
    // One with look-around is as large as it is with plain groups.
    let hir = parse(pattern).or_else(|| parse(&without_look_around(pattern)));
    hir.map_or(0, |hir| size(&hir))
}

fn without_look_around(pattern: &str) -> String {
    let mut plain = pattern.to_owned();
    for opening in ["(?=", "(?!", "(?<=", "(?<!", "(?>"] {
        plain = plain.replace(opening, "(?:");
    }
    for digit in '1'..='9' {
        plain = plain.replace(&format!("\\{digit}"), "x");
    }
    plain
}

fn size(hir: &Hir) -> u64 {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len() as u64,
        HirKind::Class(Class::Unicode(class)) => class.ranges().len() as u64,
        HirKind::Class(Class::Bytes(class)) => class.ranges().len() as u64,
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min + 1).max(1);
            size(&repetition.sub).saturating_mul(u64::from(times))
        }
        HirKind::Capture(capture) => size(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().map(size).fold(1, u64::saturating_add)
        }
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;

    #[test]
    fn doubled_parts_are_counted() {
        let doubled = |levels: usize, keyword: &str| {
            let mut definitions = Map::new();
            for level in 0..levels {
                let next = json!({ "$ref": format!("#/$defs/d{}", level + 1) });
                definitions.insert(format!("d{level}"), json!({ keyword: [next, next] }));
            }
            definitions.insert(format!("d{levels}"), json!({ "type": "string" }));
            json!({ "properties": { "a": { "$ref": "#/$defs/d0" } }, "$defs": definitions })
        };
        for keyword in SAME_LISTS {
            assert_eq!(bounded(&doubled(8, keyword)), Ok(()));
            let (at, _) = bounded(&doubled(40, keyword)).expect_err("too many");
            assert_eq!(at, "/properties/a");
        }
    }

    #[test]
    fn parts_that_lead_back_to_themselves_are_fine() {
        for schema in [
            json!({ "$ref": "#" }),
            json!({ "properties": { "a": { "$ref": "#" }, "b": { "$ref": "#" } } }),
            json!({ "anyOf": [{ "items": { "$ref": "#" } }, { "additionalProperties": { "$ref": "#" } }] }),
            json!({ "$defs": { "a": { "$anchor": "x", "allOf": [{ "$ref": "#x" }] } }, "$ref": "#x" }),
        ] {
            assert_eq!(bounded(&schema), Ok(()), "{schema}");
        }
    }

    #[test]
    fn patterns_are_counted_together() {
        let patterns = |count: usize| {
            let param = |i| {
                (
                    format!("p{i}"),
                    json!({ "pattern": format!("^\\w{{50}}{i}") }),
                )
            };
            let properties: Map<String, Value> = (0..count).map(param).collect();
            json!({ "properties": properties })
        };
        assert_eq!(bounded(&patterns(10)), Ok(()));
        assert!(bounded(&patterns(100)).is_err());
        let keys = json!({ "patternProperties": { "^\\w{500}": true, "\\w{500}$": true, "(\\w{50}){50}": true } });
        assert!(bounded(&keys).is_err());
        assert!(bounded(&json!({ "pattern": "^(?=a)(\\w{50}){50}\\1" })).is_err());
        assert_eq!(bounded(&json!({ "pattern": "^(a{100}){1000}" })), Ok(()));
    }
}
