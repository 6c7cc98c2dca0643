//! What differs between a request and one of a recording, in words. Of values that only the recording has, nothing is shown: it
//! may come from anywhere.

use serde_json::Value;

use super::key::{Canon, Key};
use crate::words::kind_of;

/// Most differences that are told.
const MOST: usize = 4;
/// Most characters of a value.
const MOST_OF_VALUE: usize = 60;

/// How near two requests are; more is nearer.
pub(super) fn nearness(asked: &Key, there: &Key) -> usize {
    let same_segments = asked.path.iter().zip(&there.path);
    let same_segments = same_segments.filter(|(one, other)| one == other).count();
    let path = match asked.path == there.path {
        true => 1000,
        false if asked.path.len() == there.path.len() => 100 + same_segments * 20,
        false => same_segments * 20,
    };
    let query = asked
        .query
        .iter()
        .filter(|pair| there.query.contains(pair))
        .count();
    let others = asked.query.len() + there.query.len() - 2 * query.min(there.query.len());
    let method = if asked.method == there.method { 300 } else { 0 };
    let body = match asked.body == there.body {
        true => 50,
        false => 25_usize.saturating_sub(of_bodies(&asked.body, &there.body).len()),
    };
    (path + method + query * 10 + body).saturating_sub(others.min(40))
}

/// What differs.
pub(super) fn differences(asked: &Key, there: &Key) -> Vec<String> {
    let mut told = Vec::new();
    if asked.method != there.method {
        told.push(format!(
            "the method is {} there and {} here",
            there.method, asked.method
        ));
    }
    if asked.path != there.path {
        told.push(format!("the path is /{} there", there.path.join("/")));
    }
    told.extend(of_pairs("the query parameter", &asked.query, &there.query));
    told.extend(of_bodies(&asked.body, &there.body));
    let more = told.len().saturating_sub(MOST);
    if more > 0 {
        told.truncate(MOST);
        told.push(format!("and {more} more"));
    }
    told
}

fn of_pairs(what: &str, asked: &[(String, String)], there: &[(String, String)]) -> Vec<String> {
    let mut names: Vec<&String> = asked.iter().chain(there).map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    let values = |pairs: &[(String, String)], name: &str| {
        let own = pairs.iter().filter(|(known, _)| known == name);
        let own: Vec<String> = own.map(|(_, value)| value.clone()).collect();
        (!own.is_empty()).then(|| shown(&own.join(", ")))
    };
    names
        .into_iter()
        .filter_map(|name| match (values(there, name), values(asked, name)) {
            (there, here) if there == here => None,
            (Some(there), Some(here)) => {
                Some(format!("{what} `{name}` is {there} there and {here} here"))
            }
            (Some(_), None) => Some(format!("{what} `{name}` is only there")),
            (None, here) => Some(format!(
                "{what} `{name}` is only here, {}",
                here.unwrap_or_default()
            )),
        })
        .collect()
}

fn of_bodies(asked: &Canon, there: &Canon) -> Vec<String> {
    match (asked, there) {
        (asked, there) if asked == there => Vec::new(),
        (Canon::Nothing, _) => vec!["a body is only there".to_owned()],
        (_, Canon::Nothing) => vec!["a body is only here".to_owned()],
        (Canon::Form(asked), Canon::Form(there)) => of_pairs("the field", asked, there),
        (Canon::Json(asked), Canon::Json(there)) => {
            let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
            let mut told = Vec::new();
            of_values("", &read(asked), &read(there), &mut told);
            if told.is_empty() {
                told.push("a number of the body has other digits".to_owned());
            }
            told
        }
        _ => vec!["the body is another".to_owned()],
    }
}

fn of_values(at: &str, asked: &Value, there: &Value, told: &mut Vec<String>) {
    let place = match at.is_empty() {
        true => "the body".to_owned(),
        false => format!("`{at}` of the body"),
    };
    match (asked, there) {
        (asked, there) if asked == there => {}
        (Value::Object(own), Value::Object(other)) => {
            for (name, member) in own {
                let at = format!("{at}/{name}");
                match other.get(name) {
                    Some(other) => of_values(&at, member, other, told),
                    None => told.push(format!("`{at}` of the body is only here")),
                }
            }
            let lone = other.keys().filter(|name| !own.contains_key(*name));
            told.extend(lone.map(|name| format!("`{at}/{name}` of the body is only there")));
        }
        (Value::Array(own), Value::Array(other)) if own.len() == other.len() => {
            for (i, (one, other)) in own.iter().zip(other).enumerate() {
                of_values(&format!("{at}/{i}"), one, other, told);
            }
        }
        (Value::Array(own), Value::Array(other)) => told.push(format!(
            "{place} has {} elements there and {} here",
            other.len(),
            own.len()
        )),
        (asked, there) if kind_of(asked) != kind_of(there) => told.push(format!(
            "{place} is {} there and {} here",
            kind_of(there),
            kind_of(asked)
        )),
        (asked, there) => told.push(format!(
            "{place} is {} there and {} here",
            shown(&there.to_string()),
            shown(&asked.to_string())
        )),
    }
}

fn shown(text: &str) -> String {
    let mut cut: String = text.chars().take(MOST_OF_VALUE).collect();
    if cut.len() < text.len() {
        cut.push_str("...");
    }
    cut
}
