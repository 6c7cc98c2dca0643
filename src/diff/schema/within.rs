//! A proof that every value that fits one schema fits another.

use std::collections::HashSet;

use serde_json::Value;

use super::Answer;
use super::accept::accepts;
use super::parts::{Alternative, Lists, Node, Numbers, Objects, Shape, Space, Texts, key};

/// Whether something is empty is looked for so deep.
const DEEPEST: usize = 8;

/// The names of two nodes.
type Pair = (Vec<usize>, Vec<usize>);

/// Proves, until the fuel is used up. What is not proved may hold all the same.
pub(super) struct Prover<'p, 'a, 'b> {
    a: &'p mut Space<'a>,
    b: &'p mut Space<'b>,
    /// The pairs that are being proved, or are proved. A value is finite, so that a proof may lead back to its start.
    assumed: HashSet<Pair>,
    /// The same in the order in which they were assumed.
    trail: Vec<Pair>,
    fuel: usize,
}

impl<'p, 'a, 'b> Prover<'p, 'a, 'b> {
    pub(super) fn new(a: &'p mut Space<'a>, b: &'p mut Space<'b>, fuel: usize) -> Self {
        Prover {
            a,
            b,
            assumed: HashSet::new(),
            trail: Vec::new(),
            fuel,
        }
    }

    /// Whether it is proved that all values of `one` fit `other`.
    pub(super) fn is_within(&mut self, one: &Node<'a>, other: &Node<'b>) -> bool {
        let pair = (key(one), key(other));
        if other.is_empty() || self.assumed.contains(&pair) {
            return true;
        }
        if self.fuel == 0 {
            return false;
        }
        self.fuel -= 1;
        let before = self.trail.len();
        self.assumed.insert(pair.clone());
        self.trail.push(pair);
        let alternatives = self.a.alternatives(one);
        let is_proved = alternatives
            .iter()
            .all(|alternative| self.is_covered(alternative, other));
        if !is_proved {
            // What was proved on this assumption is not proved.
            for pair in self.trail.drain(before..) {
                self.assumed.remove(&pair);
            }
        }
        is_proved
    }

    fn is_covered(&mut self, one: &Alternative<'a>, other: &Node<'b>) -> bool {
        if let Shape::Values(values) = &one.shape {
            let fits = |value: &Value| accepts(self.b, other, value, 0) == Answer::Yes;
            if values.iter().all(fits) {
                return true;
            }
        }
        let others = self.b.alternatives(other);
        others.iter().any(|other| self.is_part(one, other)) || is_empty(self.a, one, 0)
    }

    fn is_part(&mut self, one: &Alternative<'a>, other: &Alternative<'b>) -> bool {
        if self.fuel == 0 || !other.opaque.is_subset(&one.opaque) {
            return false;
        }
        self.fuel -= 1;
        match (&one.shape, &other.shape) {
            (Shape::Values(one), Shape::Values(other)) => one.iter().all(|v| other.contains(v)),
            (Shape::Numbers(one), Shape::Numbers(other)) => numbers(one, other),
            (Shape::Texts(one), Shape::Texts(other)) => texts(one, other),
            (Shape::Lists(one), Shape::Lists(other)) => self.lists(one, other),
            (Shape::Objects(one), Shape::Objects(other)) => self.objects(one, other),
            _ => false,
        }
    }

    fn lists(&mut self, one: &Lists<'a>, other: &Lists<'b>) -> bool {
        let most = |lists: Option<u64>| lists.unwrap_or(u64::MAX);
        let has_one = one.most.is_some_and(|most| most <= 1);
        if one.least < other.least
            || most(one.most) > most(other.most)
            || (other.unique && !one.unique && !has_one)
        {
            return false;
        }
        let places = one.first().max(other.first()) + 1;
        let places = places.min(usize::try_from(most(one.most)).unwrap_or(usize::MAX));
        (0..places).all(|at| self.are_within(&one.item(at), &other.item(at)))
    }

    fn objects(&mut self, one: &Objects<'a>, other: &Objects<'b>) -> bool {
        let most = |objects: Option<u64>| objects.unwrap_or(u64::MAX);
        let least = one.least.max(one.required.len() as u64);
        let names: HashSet<&str> = one.names().into_iter().chain(other.names()).collect();
        if least < other.least
            || most(one.most) > most(other.most) && !self.has_at_most(one, other.most)
            || !other
                .required
                .iter()
                .all(|name| one.required.contains(name))
        {
            return false;
        }
        names
            .into_iter()
            .all(|name| self.are_within(&one.member(name), &other.member(name)))
            && self.are_within(&one.others(), &other.others())
    }

    /// Whether an object has no more members than that, because it may have none beside those with names.
    fn has_at_most(&mut self, one: &Objects<'a>, most: Option<u64>) -> bool {
        let others = self.a.node(&one.others());
        let is_closed = !others.is_empty() && is_empty_node(self.a, &others, 0);
        is_closed && most.is_none_or(|most| one.names().len() as u64 <= most)
    }

    fn are_within(&mut self, one: &[&'a Value], other: &[&'b Value]) -> bool {
        let (one, other) = (self.a.node(one), self.b.node(other));
        self.is_within(&one, &other) || is_empty_node(self.a, &one, 0)
    }
}

fn numbers(one: &Numbers, other: &Numbers) -> bool {
    let above = match (one.least, other.least) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some((own, is_out)), Some((limit, must_be_out))) => {
            own > limit || (own == limit && (is_out || !must_be_out))
        }
    };
    let below = match (one.most, other.most) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some((own, is_out)), Some((limit, must_be_out))) => {
            own < limit || (own == limit && (is_out || !must_be_out))
        }
    };
    let is_step = |step: &f64| {
        let steps = one.steps.iter();
        let is_whole = step.fract() == 0.0;
        // Floats that are not whole are compared as they stand.
        steps.clone().any(|own| own == step)
            || (is_whole
                && steps
                    .clone()
                    .any(|own| own.fract() == 0.0 && own % step == 0.0))
    };
    above && below && (one.integer || !other.integer) && other.steps.iter().all(is_step)
}

fn texts(one: &Texts, other: &Texts) -> bool {
    one.least >= other.least
        && one.most.unwrap_or(u64::MAX) <= other.most.unwrap_or(u64::MAX)
        && other.patterns.is_subset(&one.patterns)
        && other.formats.is_subset(&one.formats)
}

/// Whether surely no value fits an alternative.
fn is_empty<'s>(space: &mut Space<'s>, alternative: &Alternative<'s>, depth: usize) -> bool {
    let limits = |least: u64, most: Option<u64>| most.is_some_and(|most| least > most);
    match &alternative.shape {
        Shape::Values(values) => values.is_empty(),
        Shape::Numbers(numbers) => numbers.is_empty(),
        Shape::Texts(texts) => limits(texts.least, texts.most),
        Shape::Lists(lists) => {
            limits(lists.least, lists.most)
                || (lists.least > 0 && {
                    let first = space.node(&lists.item(0));
                    is_empty_node(space, &first, depth + 1)
                })
        }
        Shape::Objects(objects) => {
            limits(
                objects.least.max(objects.required.len() as u64),
                objects.most,
            ) || objects.required.iter().any(|name| {
                let member = space.node(&objects.member(name));
                is_empty_node(space, &member, depth + 1)
            })
        }
    }
}

fn is_empty_node<'s>(space: &mut Space<'s>, node: &Node<'s>, depth: usize) -> bool {
    if depth > DEEPEST {
        return false;
    }
    let alternatives = space.alternatives(node);
    alternatives
        .iter()
        .all(|alternative| is_empty(space, alternative, depth))
}
