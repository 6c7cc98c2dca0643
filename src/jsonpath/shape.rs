//! Finds where the shape of a value contradicts a query.

use std::fmt::Write;

use super::node::Node;
use super::query::{Path, Segment, Selector};
use super::{Step, position, text};
use crate::json::Kind;

/// A value of a kind that the selector of the query can never match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShapeMismatch {
    /// The path to the value, as a normalized path (RFC 9535, section 2.7) with the shorthand for names that allow it:
    /// `$.data[0]['content-type']`.
    pub at: String,
    /// What the selector works on: "an object", "an array" or "an object or array".
    pub expected: &'static str,
    /// What the value is, such as "a string".
    pub found: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Object,
    Array,
    Either,
}

pub(super) fn mismatch<N: Node>(path: &Path, root: N) -> Option<ShapeMismatch> {
    let mut node = root;
    for (followed, step) in path.steps.iter().enumerate() {
        if !Expected::by_step(step).allows(node.kind()) {
            return Some(told(path, followed, root));
        }
        node = node.select(step)?;
    }
    refuses(path, path.steps.len(), node.kind()).then(|| told(path, path.steps.len(), root))
}

/// Whether the part of a path after these steps can never match a value of this kind.
pub(super) fn refuses(path: &Path, followed: usize, kind: Kind) -> bool {
    Expected::behind(path, followed).is_some_and(|expected| !expected.allows(kind))
}

/// The mismatch after these steps.
fn told<N: Node>(path: &Path, followed: usize, root: N) -> ShapeMismatch {
    let mut at = String::from("$");
    let mut node = root;
    for step in &path.steps[..followed] {
        write_step(&mut at, step, node);
        node = node.select(step).unwrap_or(node);
    }
    ShapeMismatch {
        at,
        expected: Expected::behind(path, followed).map_or("nothing", Expected::name),
        found: node.kind().name(),
    }
}

impl Expected {
    fn behind(path: &Path, followed: usize) -> Option<Expected> {
        match path.steps.get(followed) {
            Some(step) => Some(Expected::by_step(step)),
            None => path.rest.first().map(Expected::by_segment),
        }
    }

    fn by_step(step: &Step) -> Expected {
        match step {
            Step::Name(_) => Expected::Object,
            Step::Index(_) => Expected::Array,
        }
    }

    /// The kinds of values that all selectors of a segment work on. A descendant segment also looks into the children,
    /// so both kinds with children match it.
    fn by_segment(segment: &Segment) -> Expected {
        let mut kinds = segment.selectors.iter().map(Expected::by_selector);
        match kinds.next() {
            Some(first) if !segment.is_descendant && kinds.all(|kind| kind == first) => first,
            _ => Expected::Either,
        }
    }

    fn by_selector(selector: &Selector) -> Expected {
        match selector {
            Selector::Step(step) => Expected::by_step(step),
            Selector::Slice(..) => Expected::Array,
            Selector::Wildcard | Selector::Filter(_) => Expected::Either,
        }
    }

    /// Whether it allows a value of this kind. A null is no contradiction: the response may just have no data.
    fn allows(self, kind: Kind) -> bool {
        match self {
            Expected::Object => matches!(kind, Kind::Object | Kind::Null),
            Expected::Array => matches!(kind, Kind::Array | Kind::Null),
            Expected::Either => matches!(kind, Kind::Object | Kind::Array | Kind::Null),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Expected::Object => "an object",
            Expected::Array => "an array",
            Expected::Either => "an object or array",
        }
    }
}

fn write_step(path: &mut String, step: &Step, node: impl Node) {
    match step {
        Step::Name(name) if text::is_shorthand(name) => {
            path.push('.');
            path.push_str(name);
        }
        Step::Name(name) => {
            path.push_str("['");
            name.chars().for_each(|c| push_escaped(path, c));
            path.push_str("']");
        }
        Step::Index(index) => {
            let _ = write!(
                path,
                "[{}]",
                position(*index, node.elements().count()).unwrap_or(0)
            );
        }
    }
}

/// Writes a character of a quoted name as in a normalized path.
fn push_escaped(path: &mut String, character: char) {
    match character {
        '\'' => path.push_str(r"\'"),
        '\\' => path.push_str(r"\\"),
        '\n' => path.push_str(r"\n"),
        '\r' => path.push_str(r"\r"),
        '\t' => path.push_str(r"\t"),
        '\u{8}' => path.push_str(r"\b"),
        '\u{c}' => path.push_str(r"\f"),
        control if control < ' ' => {
            let _ = write!(path, r"\u{:04x}", u32::from(control));
        }
        other => path.push(other),
    }
}
