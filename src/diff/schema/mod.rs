//! JSON Schemas compared by meaning: whether every value that fits one fits the other.
//!
//! A schema is taken apart into alternatives of one type each (`parts`). That all values of one schema fit another is
//! proved on these (`within`). That some do not is shown by a value that does not (`samples`, `accept`). Where neither
//! succeeds, the answer is not known, and nobody pretends that it is.

#![allow(
    clippy::float_cmp,
    reason = "bounds are compared as they are written, and none is computed"
)]

mod accept;
mod canonical;
mod facts;
mod near;
mod parts;
mod samples;
#[cfg(test)]
mod tests;
mod within;

use serde_json::Value;

pub(crate) use canonical::{Words, canonical};
pub(crate) use facts::{Fact, facts};
use parts::Space;
use samples::{samples, samples_near};
use within::Prover;

/// An answer that may not be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    No,
    Unknown,
}

/// How two schemas relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Relation {
    /// Whether every value that fits the old schema fits the new one.
    pub old_in_new: Answer,
    /// Whether every value that fits the new schema fits the old one.
    pub new_in_old: Answer,
    /// Whether it is proved that values that fit the old schema, and have no members that it does not name, fit the new
    /// one. Who gives what nobody named must expect that it gets a meaning.
    pub named_in_new: bool,
}

impl Relation {
    /// Whether the same values fit both.
    pub(crate) fn is_equal(self) -> bool {
        self.old_in_new == Answer::Yes && self.new_in_old == Answer::Yes
    }
}

/// A part of a schema.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'s> {
    /// The whole schema, where references lead.
    pub root: &'s Value,
    /// The part.
    pub schema: &'s Value,
}

/// The values that a comparison may take at most, in all steps together. Schemas that ask for more are not decided.
const FUEL: usize = 200_000;

/// How the values of two schemas relate.
pub(crate) fn compare(old: Part<'_>, new: Part<'_>) -> Relation {
    if canonical(old) == canonical(new) {
        return Relation {
            old_in_new: Answer::Yes,
            new_in_old: Answer::Yes,
            named_in_new: true,
        };
    }
    let old_in_new = is_within(old, new);
    Relation {
        old_in_new,
        new_in_old: is_within(new, old),
        named_in_new: old_in_new == Answer::Yes || is_named_within(old, new),
    }
}

fn is_named_within(one: Part<'_>, other: Part<'_>) -> bool {
    let (mut a, mut b) = (Space::closed(one.root), Space::new(other.root));
    let (start, end) = (a.node(&[one.schema]), b.node(&[other.schema]));
    Prover::new(&mut a, &mut b, FUEL).is_within(&start, &end)
}

/// Whether every value that fits `one` fits `other`.
fn is_within(one: Part<'_>, other: Part<'_>) -> Answer {
    let (mut a, mut b) = (Space::new(one.root), Space::new(other.root));
    let (start, end) = (a.node(&[one.schema]), b.node(&[other.schema]));
    let mut prover = Prover::new(&mut a, &mut b, FUEL);
    if prover.is_within(&start, &end) {
        return Answer::Yes;
    }
    let values = samples_near(&mut a, &start, other.root);
    let is_refused = |value: &Value| accept::accepts(&mut b, &end, value, 0) == Answer::No;
    match values.iter().any(is_refused) {
        true => Answer::No,
        false => Answer::Unknown,
    }
}

/// Values that fit a schema, for requests to be rendered with.
pub(crate) fn values_of(part: Part<'_>) -> Vec<Value> {
    let mut space = Space::new(part.root);
    let node = space.node(&[part.schema]);
    samples(&mut space, &node)
}

/// What is said in a schema for people, by place.
pub(crate) fn words_of(part: Part<'_>) -> Words {
    canonical::words(part)
}
