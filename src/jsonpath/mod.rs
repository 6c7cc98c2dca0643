//! JSONPath (RFC 9535): compiled once, run many times.
//!
//! The syntax is read by `jsonpath-rust`; everything else is done here:
//!
//! - `text` checks the text, split by `tokens`, before the parser sees it, because the parser lets some invalid queries
//!   through, has no positions for some errors, and is slow or unbounded on hostile input;
//! - `compile` turns the parser's tree into a `query::Query` and refuses ill-typed function calls;
//! - `evaluate` runs a query on a value, with `compare` and `regexp` for its filters;
//! - `shape` says where a value contradicts a query.
//!
//! Nearly every query in a descriptor is singular (`$.data.id`). Such a query is kept as a list of [`Step`]s and
//! followed without allocation.

mod compare;
mod compile;
mod evaluate;
mod query;
mod regexp;
mod shape;
mod text;
mod tokens;

#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::ControlFlow;

use serde_json::Value;

use evaluate::Run;
use query::{Query, Segment};

pub use shape::ShapeMismatch;

/// A compiled JSONPath.
///
/// ```
/// use serde_json::json;
/// use toolrun::jsonpath::JsonPath;
///
/// let body = json!({ "data": [{ "id": 7 }, { "id": 9 }] });
///
/// let first_id = JsonPath::parse("$.data[0].id")?;
/// assert_eq!(first_id.first(&body), Some(&json!(7)));
///
/// let big_ids = JsonPath::parse("$.data[?@.id > 8].id")?;
/// assert_eq!(big_ids.all(&body), [&json!(9)]);
/// # Ok::<(), toolrun::jsonpath::SyntaxError>(())
/// ```
#[derive(Debug, Clone)]
pub struct JsonPath {
    text: String,
    plan: Plan,
}

#[derive(Debug, Clone)]
enum Plan {
    Walk(Vec<Step>),
    Search(Query),
}

/// One step of a singular query: a segment with a single name or index selector (RFC 9535, section 2.3.5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The member of an object with this name.
    Name(String),
    /// The element of an array at this index; a negative index counts from the end.
    Index(i64),
}

/// Why a text is not a valid JSONPath.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where in the text, in bytes; at most the text's length.
    pub offset: usize,
    /// What is wrong there.
    pub message: String,
}

impl JsonPath {
    /// Compiles a query.
    ///
    /// # Errors
    ///
    /// Whatever is not well-formed and valid by RFC 9535, section 2.1. Beyond that, so that no text can exhaust time or
    /// stack: more than 4096 bytes, brackets and parentheses nested deeper than 32, function calls inside one another
    /// deeper than 5. A shorthand name that begins or ends with a Unicode space, which the eye cannot see, must be
    /// written in brackets and quotes.
    pub fn parse(text: &str) -> Result<JsonPath, SyntaxError> {
        if let Some(steps) = plain_names(text) {
            return Ok(JsonPath {
                text: text.to_owned(),
                plan: Plan::Walk(steps),
            });
        }
        let query = compile::compile(text::check(text)?)?;
        let plan = match query.as_steps() {
            Some(steps) => Plan::Walk(steps),
            None => Plan::Search(query),
        };
        Ok(JsonPath {
            text: text.to_owned(),
            plan,
        })
    }

    /// The query `$`: the value itself.
    pub fn root() -> JsonPath {
        JsonPath {
            text: "$".to_owned(),
            plan: Plan::Walk(Vec::new()),
        }
    }

    /// The text the query was compiled from.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the query has only name and index selectors, one a segment, and so gives at most one node.
    pub fn is_singular(&self) -> bool {
        matches!(self.plan, Plan::Walk(_))
    }

    /// The steps of a singular query; `None` for any other.
    pub fn singular(&self) -> Option<&[Step]> {
        match &self.plan {
            Plan::Walk(steps) => Some(steps),
            Plan::Search(_) => None,
        }
    }

    /// The first node of the nodelist; for a singular query its only one.
    pub fn first<'v>(&self, root: &'v Value) -> Option<&'v Value> {
        match &self.plan {
            Plan::Walk(steps) => Step::follow(steps, root),
            Plan::Search(query) => first_node(query, root),
        }
    }

    /// The nodelist, in the order of RFC 9535; a node selected twice is in it twice.
    ///
    /// Members of an object come in the order in which the object holds them, descendants in document order, a node
    /// before its children.
    pub fn all<'v>(&self, root: &'v Value) -> Vec<&'v Value> {
        match &self.plan {
            Plan::Walk(steps) => Step::follow(steps, root).into_iter().collect(),
            Plan::Search(query) => Run::new(query, root).nodes(root, &query.segments),
        }
    }

    /// Where the shape of a value contradicts the query, if it does.
    ///
    /// The leading name and index selectors are followed, then the segment after them is held against the value they
    /// lead to. A missing member, a missing element and a null are no contradiction: the answer may just have no data.
    /// A selector on a value of a kind that can never satisfy it is one, such as a name on a string.
    pub fn mismatch(&self, root: &Value) -> Option<ShapeMismatch> {
        match &self.plan {
            Plan::Walk(steps) => shape::mismatch_of_steps(steps, root),
            Plan::Search(query) => shape::mismatch_of_segments(&query.segments, root),
        }
    }

    /// Follows a singular query to a node that can be replaced; `None` for any other query.
    pub fn first_mut<'v>(&self, root: &'v mut Value) -> Option<&'v mut Value> {
        self.singular()?
            .iter()
            .try_fold(root, |node, step| step.select_mut(node))
    }
}

/// The steps of `$.a.b`: nearly every path of a descriptor, and not worth the parser.
fn plain_names(text: &str) -> Option<Vec<Step>> {
    let names = text.strip_prefix('$')?;
    if text.len() > 256 {
        return None;
    }
    if names.is_empty() {
        return Some(Vec::new());
    }
    names
        .strip_prefix('.')?
        .split('.')
        .map(|name| {
            let mut bytes = name.bytes();
            let starts = bytes
                .next()
                .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
            (starts && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_'))
                .then(|| Step::Name(name.to_owned()))
        })
        .collect()
}

fn first_node<'v>(query: &Query, root: &'v Value) -> Option<&'v Value> {
    let mut first = None;
    let _ = Run::new(query, root).visit(root, &query.segments, &mut |node| {
        first = Some(node);
        ControlFlow::Break(())
    });
    first
}

impl Step {
    fn follow<'v>(steps: &[Step], from: &'v Value) -> Option<&'v Value> {
        steps.iter().try_fold(from, |node, step| step.select(node))
    }

    fn select<'v>(&self, node: &'v Value) -> Option<&'v Value> {
        match self {
            Step::Name(name) => node.as_object()?.get(name),
            Step::Index(index) => {
                let elements = node.as_array()?;
                elements.get(position(*index, elements.len())?)
            }
        }
    }

    fn select_mut<'v>(&self, node: &'v mut Value) -> Option<&'v mut Value> {
        match self {
            Step::Name(name) => node.as_object_mut()?.get_mut(name),
            Step::Index(index) => {
                let elements = node.as_array_mut()?;
                let position = position(*index, elements.len())?;
                elements.get_mut(position)
            }
        }
    }
}

/// Where an index points in an array of a length: a negative one counts from the end (RFC 9535, section 2.3.3.2).
fn position(index: i64, length: usize) -> Option<usize> {
    match usize::try_from(index) {
        Ok(position) => Some(position),
        Err(_) => length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
    }
}

impl SyntaxError {
    fn at(offset: usize, message: impl Into<String>) -> SyntaxError {
        SyntaxError {
            offset,
            message: message.into(),
        }
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {})", self.message, self.offset)
    }
}

impl std::error::Error for SyntaxError {}

impl Query {
    fn as_steps(&self) -> Option<Vec<Step>> {
        self.segments
            .iter()
            .map(|segment| Segment::as_step(segment).cloned())
            .collect()
    }
}
