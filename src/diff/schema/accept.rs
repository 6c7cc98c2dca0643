//! Whether a value fits a schema, as far as its parts tell.

use serde_json::Value;

use super::Answer;
use super::parts::{Alternative, Lists, Node, Objects, Shape, Space};

/// Values are looked at so deep.
const DEEPEST: usize = 40;

/// Whether a value fits all schemas of a node.
pub(super) fn accepts<'s>(
    space: &mut Space<'s>,
    node: &Node<'s>,
    value: &Value,
    depth: usize,
) -> Answer {
    if depth > DEEPEST {
        return Answer::Unknown;
    }
    let mut is_known = true;
    for alternative in space.alternatives(node).iter() {
        match fits(space, alternative, value, depth) {
            Answer::Yes => return Answer::Yes,
            Answer::No => {}
            Answer::Unknown => is_known = false,
        }
    }
    match is_known {
        true => Answer::No,
        false => Answer::Unknown,
    }
}

fn fits<'s>(
    space: &mut Space<'s>,
    alternative: &Alternative<'s>,
    value: &Value,
    depth: usize,
) -> Answer {
    let own = match (&alternative.shape, value) {
        (Shape::Values(values), _) => answer(Some(values.iter().any(|v| is_same(v, value)))),
        (Shape::Numbers(numbers), Value::Number(_)) => answer(numbers.fits(value)),
        (Shape::Texts(texts), Value::String(text)) => answer(texts.fits(text)),
        (Shape::Lists(lists), Value::Array(items)) => list(space, lists, items, depth),
        (Shape::Objects(objects), Value::Object(members)) => object(space, objects, members, depth),
        _ => Answer::No,
    };
    match own {
        Answer::Yes if !alternative.opaque.is_empty() => Answer::Unknown,
        own => own,
    }
}

/// Whether two values are the same, whatever way their numbers are written.
fn is_same(one: &Value, other: &Value) -> bool {
    one == other || super::canonical::sorted(one) == super::canonical::sorted(other)
}

fn answer(known: Option<bool>) -> Answer {
    match known {
        Some(true) => Answer::Yes,
        Some(false) => Answer::No,
        None => Answer::Unknown,
    }
}

/// The answer for several parts that must all fit.
fn all(answers: impl Iterator<Item = Answer>) -> Answer {
    let mut all = Answer::Yes;
    for answer in answers {
        match answer {
            Answer::No => return Answer::No,
            Answer::Unknown => all = Answer::Unknown,
            Answer::Yes => {}
        }
    }
    all
}

fn list<'s>(space: &mut Space<'s>, lists: &Lists<'s>, items: &[Value], depth: usize) -> Answer {
    let length = items.len() as u64;
    let is_double = |(at, item): (usize, &Value)| items[..at].iter().any(|one| is_same(one, item));
    if length < lists.least
        || lists.most.is_some_and(|most| length > most)
        || (lists.unique && items.iter().enumerate().any(is_double))
    {
        return Answer::No;
    }
    all(items.iter().enumerate().map(|(at, item)| {
        let node = space.node(&lists.item(at));
        accepts(space, &node, item, depth + 1)
    }))
}

fn object<'s>(
    space: &mut Space<'s>,
    objects: &Objects<'s>,
    members: &serde_json::Map<String, Value>,
    depth: usize,
) -> Answer {
    let length = members.len() as u64;
    if length < objects.least
        || objects.most.is_some_and(|most| length > most)
        || !objects
            .required
            .iter()
            .all(|name| members.contains_key(*name))
    {
        return Answer::No;
    }
    all(members.iter().map(|(name, member)| {
        let node = space.node(&objects.member(name));
        accepts(space, &node, member, depth + 1)
    }))
}
