//! Values that fit a schema: those at its limits above all, because there two schemas differ.

use regex_syntax::hir::{Class, Hir, HirKind};
use serde_json::{Map, Value, json};

use super::Answer;
use super::accept::accepts;
use super::near::Near;
use super::parts::{Alternative, Lists, Node, Numbers, Objects, Shape, Space, Texts};

/// Most values of one node.
const MOST: usize = 48;
/// Values are made so deep.
const DEEPEST: usize = 5;
/// The longest text that is made.
const LONGEST: u64 = 2_000;

/// A text for each format that is checked.
const OF_FORMATS: [(&str, &str); 19] = [
    ("date", "2026-01-31"),
    ("date-time", "2026-01-31T00:00:00Z"),
    ("duration", "P1D"),
    ("email", "ada@example.com"),
    ("hostname", "example.com"),
    ("idn-email", "ada@example.com"),
    ("idn-hostname", "example.com"),
    ("ipv4", "192.0.2.1"),
    ("ipv6", "2001:db8::1"),
    ("iri", "https://example.com/a"),
    ("iri-reference", "/a"),
    ("json-pointer", "/a"),
    ("regex", "^a$"),
    ("relative-json-pointer", "0/a"),
    ("time", "00:00:00Z"),
    ("uri", "https://example.com/a"),
    ("uri-reference", "/a"),
    ("uri-template", "/a/{b}"),
    ("uuid", "3f786850-e387-450f-9aab-36ed7e6dc881"),
];

/// Values that surely fit all schemas of a node. There may be none although some fit.
pub(super) fn samples<'s>(space: &mut Space<'s>, node: &Node<'s>) -> Vec<Value> {
    made(space, node, 0)
}

/// Such values at the limits of another schema too: with members that it names, and numbers and lengths that it allows no
/// more.
pub(super) fn samples_near<'s>(
    space: &mut Space<'s>,
    node: &Node<'s>,
    other: &Value,
) -> Vec<Value> {
    space.near = Near::of(other);
    made(space, node, 0)
}

fn made<'s>(space: &mut Space<'s>, node: &Node<'s>, depth: usize) -> Vec<Value> {
    if node.is_empty() {
        return [
            json!("a"),
            json!(1),
            json!(null),
            json!(true),
            json!([]),
            json!({}),
        ]
        .into();
    }
    let mut values: Vec<Value> = Vec::new();
    let alternatives = space.alternatives(node);
    let share = (MOST / alternatives.len().max(1)).max(4);
    for alternative in alternatives.iter() {
        let mut own = of(space, alternative, depth);
        own.retain(|value| accepts(space, node, value, 0) == Answer::Yes);
        own.truncate(share);
        for value in own {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        if values.len() >= MOST {
            break;
        }
    }
    values
}

fn of<'s>(space: &mut Space<'s>, alternative: &Alternative<'s>, depth: usize) -> Vec<Value> {
    match &alternative.shape {
        Shape::Values(values) => values.clone(),
        Shape::Numbers(numbers) => of_numbers(numbers, &space.near),
        Shape::Texts(texts) => of_texts(texts, &space.near),
        Shape::Lists(lists) => of_lists(space, lists, depth),
        Shape::Objects(objects) => of_objects(space, objects, depth),
    }
}

fn of_numbers(numbers: &Numbers, near: &Near) -> Vec<Value> {
    let mut found: Vec<f64> = Vec::new();
    found.extend(
        near.numbers
            .iter()
            .flat_map(|limit| [*limit, limit - 1.0, limit + 1.0]),
    );
    for (limit, _) in numbers.most.into_iter().chain(numbers.least) {
        found.extend([limit, limit - 1.0, limit + 1.0, limit - 0.5, limit + 0.5]);
    }
    found.extend(numbers.steps.iter().copied());
    found.extend(numbers.steps.iter().map(|step| step * 3.0));
    let product: f64 = numbers.steps.iter().product();
    found.extend([product, 7.0, 1.0, 0.0, -1.0, 1.5, 1e6, -1e6]);
    found.into_iter().filter_map(number).collect()
}

fn number(float: f64) -> Option<Value> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and small")]
    match float.fract() == 0.0 && float.abs() < EXACT {
        true => Some(json!(float as i64)),
        false => serde_json::Number::from_f64(float).map(Value::Number),
    }
}

fn of_texts(texts: &Texts, near: &Near) -> Vec<Value> {
    let mut found: Vec<String> = Vec::new();
    let formats = OF_FORMATS.iter();
    found.extend(
        formats
            .filter(|(name, _)| texts.formats.contains(*name))
            .map(|(_, text)| (*text).to_owned()),
    );
    for pattern in &texts.patterns {
        if let Ok(pattern) = regex_syntax::parse(pattern) {
            for extra in [0, 1, 3] {
                let mut text = String::new();
                write(&pattern, extra, &mut text);
                found.push(text);
            }
        }
    }
    let grown: Vec<String> = found.clone();
    found.extend(["abc", "a", "", "7", "A-b_9", "é"].map(str::to_owned));
    let own = [
        Some(texts.least),
        texts.most,
        texts.most.map(|most| most / 2),
    ];
    let lengths = own.into_iter().flatten().chain(near.lengths());
    for length in lengths.filter(|length| *length <= LONGEST) {
        let length = usize::try_from(length).unwrap_or(0);
        for start in grown.iter().map(String::as_str).chain([""]) {
            let mut text = start.to_owned();
            let last = text.chars().last().unwrap_or('a');
            while text.chars().count() < length {
                text.push(last);
            }
            found.push(text);
        }
    }
    if texts.most.is_none() {
        found.push("a".repeat(LONGEST as usize));
    }
    found.into_iter().map(Value::String).collect()
}

/// Writes a text that matches a pattern: with repetitions as short as they may be, and so much longer.
fn write(pattern: &Hir, extra: u32, text: &mut String) {
    if text.len() > LONGEST as usize {
        return;
    }
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.push_str(&String::from_utf8_lossy(&literal.0)),
        HirKind::Class(class) => text.extend(letter(class)),
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(u32::MAX);
            for _ in 0..repetition
                .min
                .saturating_add(extra)
                .min(most)
                .min(LONGEST as u32)
            {
                write(&repetition.sub, extra, text);
            }
        }
        HirKind::Capture(capture) => write(&capture.sub, extra, text),
        HirKind::Concat(parts) => parts.iter().for_each(|part| write(part, extra, text)),
        HirKind::Alternation(parts) => {
            let at = (extra as usize).min(parts.len().saturating_sub(1));
            parts
                .iter()
                .skip(at)
                .take(1)
                .for_each(|part| write(part, extra, text));
        }
    }
}

/// A letter of a class; a plain one where there is one.
fn letter(class: &Class) -> Option<char> {
    let Class::Unicode(class) = class else {
        return None;
    };
    let holds = |c: char| {
        class
            .ranges()
            .iter()
            .any(|range| (range.start()..=range.end()).contains(&c))
    };
    let plain = "abzAZ059_- .@/:".chars().find(|c| holds(*c));
    plain.or_else(|| class.ranges().first().map(|range| range.start()))
}

fn of_lists<'s>(space: &mut Space<'s>, lists: &Lists<'s>, depth: usize) -> Vec<Value> {
    const LONGEST_LIST: u64 = 60;
    let mut found = vec![json!([])];
    if depth >= DEEPEST {
        return found;
    }
    let mut lengths = vec![lists.least.max(1), lists.least, lists.first() as u64, 2];
    lengths.extend(lists.most);
    lengths.push(lists.least + 3);
    lengths.retain(|length| (1..=LONGEST_LIST).contains(length));
    lengths.dedup();
    let items: Vec<Vec<Value>> = (0..=lists.first())
        .map(|at| {
            let node = space.node(&lists.item(at));
            made(space, &node, depth + 1)
        })
        .collect();
    let at = |place: usize, which: usize| {
        let own = &items[place.min(items.len() - 1)];
        own.get(which % own.len().max(1)).cloned()
    };
    for length in lengths {
        let length = usize::try_from(length).unwrap_or(0);
        found.extend(
            (0..length)
                .map(|i| at(i, 0))
                .collect::<Option<Vec<Value>>>()
                .map(Value::Array),
        );
        found.extend(
            (0..length)
                .map(|i| at(i, i))
                .collect::<Option<Vec<Value>>>()
                .map(Value::Array),
        );
    }
    // Each value of an item once.
    let least = usize::try_from(lists.least.max(1)).unwrap_or(1).min(60);
    for (place, own) in items.iter().enumerate() {
        for value in own {
            let mut list: Vec<Value> = (0..least.max(place + 1)).filter_map(|i| at(i, 0)).collect();
            if let Some(item) = list.get_mut(place) {
                *item = value.clone();
                found.push(Value::Array(list));
            }
        }
    }
    found
}

fn of_objects<'s>(space: &mut Space<'s>, objects: &Objects<'s>, depth: usize) -> Vec<Value> {
    if depth >= DEEPEST && objects.required.is_empty() {
        return vec![json!({})];
    }
    if depth >= DEEPEST + 3 {
        return Vec::new();
    }
    let mut members: Vec<(&str, Vec<Value>)> = Vec::new();
    for name in objects.names() {
        let node = space.node(&objects.member(name));
        members.push((name, made(space, &node, depth + 1)));
    }
    let first =
        |(name, values): &(&str, Vec<Value>)| Some(((*name).to_owned(), values.first()?.clone()));
    let required = members
        .iter()
        .filter(|(name, _)| objects.required.contains(name));
    let least: Map<String, Value> = required.filter_map(first).collect();
    let most: Map<String, Value> = members.iter().filter_map(first).collect();
    let with = |start: &Map<String, Value>, name: &str, value: &Value| {
        let mut object = start.clone();
        object.insert(name.to_owned(), value.clone());
        Value::Object(object)
    };
    let mut found = vec![Value::Object(least.clone()), Value::Object(most.clone())];
    // One after the other, so that each member gets its turn before the list is full.
    let longest = members
        .iter()
        .map(|(_, values)| values.len())
        .max()
        .unwrap_or(0);
    for at in 0..longest {
        for (name, values) in &members {
            found.extend(values.get(at).map(|value| with(&least, name, value)));
        }
    }
    for (name, values) in &members {
        found.extend(
            values
                .iter()
                .skip(1)
                .take(2)
                .map(|value| with(&most, name, value)),
        );
        let mut object = most.clone();
        object.shift_remove(*name);
        found.push(Value::Object(object));
    }
    let names = space.near.names.clone();
    for name in names
        .iter()
        .filter(|name| !objects.names().contains(name.as_str()))
    {
        let node = space.node(&objects.member(name));
        for value in made(space, &node, depth + 1).iter().take(6) {
            found.push(with(&least, name, value));
        }
    }
    let others = space.node(&objects.others());
    for value in made(space, &others, depth + 1).iter().take(8) {
        found.push(with(&least, "other", value));
    }
    for extra in 1..=4 {
        let mut object = least.clone();
        object.extend((0..extra).map(|i| (format!("other{i}"), json!("a"))));
        found.push(Value::Object(object));
    }
    found
}
