//! Where a value's shape contradicts a query.

use std::fmt::Write;

use serde_json::Value;

use super::query::{Segment, Selector};
use super::{Step, position, tokens};

/// A value of a kind that the query's selector for it can never satisfy.
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

pub(super) fn mismatch_of_steps(steps: &[Step], root: &Value) -> Option<ShapeMismatch> {
    let mut walk = Walk::from(root);
    for step in steps {
        if let Some(mismatch) = walk.held_against(Expected::by_step(step)) {
            return Some(mismatch);
        }
        walk.go(step)?;
    }
    None
}

pub(super) fn mismatch_of_segments(segments: &[Segment], root: &Value) -> Option<ShapeMismatch> {
    let mut walk = Walk::from(root);
    for segment in segments {
        let mismatch = walk.held_against(Expected::by_segment(segment));
        match segment.as_step() {
            Some(step) if mismatch.is_none() => walk.go(step)?,
            _ => return mismatch,
        }
    }
    None
}

/// A value and the steps that led to it. The path is written only if it is asked for.
struct Walk<'s, 'v> {
    root: &'v Value,
    node: &'v Value,
    steps: Vec<&'s Step>,
}

impl<'s, 'v> Walk<'s, 'v> {
    fn from(root: &'v Value) -> Self {
        Walk {
            root,
            node: root,
            steps: Vec::new(),
        }
    }

    fn go(&mut self, step: &'s Step) -> Option<()> {
        self.node = step.select(self.node)?;
        self.steps.push(step);
        Some(())
    }

    fn held_against(&self, expected: Expected) -> Option<ShapeMismatch> {
        if self.node.is_null() || expected.allows(self.node) {
            return None;
        }
        Some(ShapeMismatch {
            at: self.path(),
            expected: expected.name(),
            found: kind(self.node),
        })
    }

    fn path(&self) -> String {
        let mut path = String::from("$");
        let mut node = self.root;
        for step in &self.steps {
            write_step(&mut path, step, node);
            node = step.select(node).unwrap_or(node);
        }
        path
    }
}

impl Expected {
    fn by_step(step: &Step) -> Expected {
        match step {
            Step::Name(_) => Expected::Object,
            Step::Index(_) => Expected::Array,
        }
    }

    /// What all selectors of a segment work on. A descendant segment also looks into the children, so that either kind
    /// of value with children may satisfy it.
    fn by_segment(segment: &Segment) -> Expected {
        let Segment::Child(selectors) = segment else {
            return Expected::Either;
        };
        selectors
            .iter()
            .map(Expected::by_selector)
            .reduce(|one, other| if one == other { one } else { Expected::Either })
            .unwrap_or(Expected::Either)
    }

    fn by_selector(selector: &Selector) -> Expected {
        match selector {
            Selector::Single(step) => Expected::by_step(step),
            Selector::Slice(_) => Expected::Array,
            Selector::Wildcard | Selector::Filter(_) => Expected::Either,
        }
    }

    fn allows(self, value: &Value) -> bool {
        match self {
            Expected::Object => value.is_object(),
            Expected::Array => value.is_array(),
            Expected::Either => value.is_object() || value.is_array(),
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

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn write_step(path: &mut String, step: &Step, node: &Value) {
    match step {
        Step::Name(name) if tokens::is_shorthand(name) => {
            path.push('.');
            path.push_str(name);
        }
        Step::Name(name) => {
            path.push_str("['");
            name.chars().for_each(|c| push_escaped(path, c));
            path.push_str("']");
        }
        Step::Index(index) => {
            let length = node.as_array().map_or(0, Vec::len);
            let _ = write!(path, "[{}]", position(*index, length).unwrap_or(0));
        }
    }
}

/// Writes a character of a quoted name as a normalized path has it.
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
