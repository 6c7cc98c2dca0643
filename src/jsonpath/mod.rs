//! JSONPath (RFC 9535): compiled once, run many times.
//!
//! `jsonpath-rust` parses the syntax into a tree. The rest is done here:
//!
//! - `text` refuses what the parser wrongly accepts, and finds the place of errors that the parser reports without one;
//! - `query` turns the tree into the form that runs, and refuses ill-typed function calls;
//! - `evaluate` runs it, with `compare` and `regexp` for its filters. `node` is what it runs on: a value, or a JSON
//!   text. For a text, trees are built only for what a filter compares. The crate's own evaluator differs from the RFC
//!   in the order of some nodelists and in nested filters, compiles a regular expression for each element, and cannot
//!   run on text.
//! - `shape` finds where the shape of a value contradicts a query.
//!
//! `query` makes a form of its own because running the parser's tree is up to a third slower for filters: regular
//! expressions, numbers and absolute queries would have to be looked up for each element.
//!
//! Nearly every query in a descriptor is singular (`$.data.id`). Such a list of [`Step`]s is followed without
//! allocation.

mod compare;
mod evaluate;
mod node;
mod query;
mod regexp;
mod shape;
mod text;

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::fmt;

use serde_json::Value;

use crate::json::{Budget, Kind, Part};
use evaluate::{Run, Visitor, follow};
use node::{LATE, Stop, Text};
use query::{Absolute, Path, Segment, Selector};

pub(crate) use shape::ShapeMismatch;

/// A compiled JSONPath.
///
/// ```
/// use serde_json::json;
/// use toolrun::internals::JsonPath;
///
/// let body = json!({ "data": [{ "id": 7 }, { "id": 9 }] });
///
/// let first_id = JsonPath::parse("$.data[0].id")?;
/// assert_eq!(first_id.first(&body), Some(&json!(7)));
///
/// let big_ids = JsonPath::parse("$.data[?@.id > 8].id")?;
/// assert_eq!(big_ids.all(&body), [&json!(9)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct JsonPath {
    text: String,
    path: Path,
    /// The queries in its filters that start at the root.
    absolute: Vec<Absolute>,
}

/// One step of a singular query: a segment with a single name or index selector (RFC 9535, section 2.3.5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The member of an object with this name.
    Name(String),
    /// The element of an array at this index; a negative index counts from the end.
    Index(i64),
}

/// A search of a text failed: a tree would exceed the memory budget, or a filter compares a number with too many
/// digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SearchError(String);

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
    /// When the text is not well-formed and valid by RFC 9535, section 2.1. Also, so that no text can exhaust time or
    /// stack: more than 4096 bytes, brackets and parentheses nested deeper than 32, function calls nested deeper than
    /// 5, paths that select the same value far too often. A shorthand name that begins or ends with a Unicode space, which is invisible, must be written in brackets
    /// and quotes.
    pub fn parse(text: &str) -> Result<JsonPath, SyntaxError> {
        let (path, absolute) = match plain_path(text) {
            Some(path) => (path, Vec::new()),
            None => parsed(text)?,
        };
        Ok(JsonPath {
            text: text.to_owned(),
            path,
            absolute,
        })
    }

    /// The query `$`: the value itself.
    pub fn root() -> JsonPath {
        JsonPath {
            text: "$".to_owned(),
            path: Path::default(),
            absolute: Vec::new(),
        }
    }

    /// The text the query was compiled from.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether every segment has a single name or index selector, so that the query gives at most one node.
    pub fn is_singular(&self) -> bool {
        self.path.rest.is_empty()
    }

    /// The steps of a singular query; `None` for any other.
    pub fn singular(&self) -> Option<&[Step]> {
        self.is_singular().then_some(&self.path.steps)
    }

    /// The leading name and index selectors; for a singular query, all of it.
    pub fn beginning(&self) -> &[Step] {
        &self.path.steps
    }

    /// The first node of the nodelist; for a singular query its only one.
    pub fn first<'v>(&self, root: &'v Value) -> Option<&'v Value> {
        let mut first = None;
        self.visit(root, &mut |node| {
            first = Some(node);
            Err(Stop::Enough)
        });
        first
    }

    /// The nodelist, in the order of RFC 9535. A node that is selected twice is in it twice.
    ///
    /// Members of an object come in the order in which the object holds them, descendants in document order, a node
    /// before its children.
    pub fn all<'v>(&self, root: &'v Value) -> Vec<&'v Value> {
        let mut nodes = Vec::new();
        self.visit(root, &mut |node| {
            nodes.push(node);
            Ok(())
        });
        nodes
    }

    /// The first nodes of the nodelist, at most so many.
    #[cfg(feature = "cli")]
    pub(crate) fn some<'v>(&self, root: &'v Value, most: usize) -> Vec<&'v Value> {
        let mut nodes = Vec::new();
        self.visit(root, &mut |node| {
            nodes.push(node);
            match nodes.len() < most {
                true => Ok(()),
                false => Err(Stop::Enough),
            }
        });
        nodes
    }

    fn visit<'v>(&self, root: &'v Value, visitor: &mut Visitor<'_, &'v Value>) {
        let run = Run::new(&self.absolute, root);
        let Ok::<_, Infallible>(_) = run.and_then(|run| run.search(&self.path, root, visitor));
    }

    /// Visits the nodelist in a text. `root` is the value of `$`. `from` is the node after the first `followed` steps
    /// of the query. Of members with the same name, the last one counts.
    ///
    /// # Errors
    /// When a filter needs more memory than the budget has, or compares a number with too many digits. Also the error
    /// of the visitor.
    pub(crate) fn visit_in<'t, E: From<SearchError>>(
        &self,
        root: Part<'t>,
        (from, followed): (Part<'t>, usize),
        budget: &Budget,
        visitor: &mut dyn FnMut(Part<'t>) -> Result<(), E>,
    ) -> Result<(), E> {
        let rest = self.path.steps.get(followed..).unwrap_or_default();
        let Some(from) = follow(rest, Text { part: from, budget }) else {
            return Ok(());
        };
        if budget.is_late() {
            return Err(SearchError(format!("`{}`: {LATE}", self.text)).into());
        }
        let mut failed = Ok(());
        let taken = budget.used();
        let run = Run::new(&self.absolute, Text { part: root, budget });
        let done = run.and_then(|run| {
            run.search_on(from, &self.path.rest, &mut |node| {
                visitor(node.part).map_err(|error| {
                    failed = Err(error);
                    Stop::Enough
                })
            })
        });
        budget.give_back(budget.used().saturating_sub(taken));
        failed?;
        done.map(|_| ())
            .map_err(|why| SearchError(format!("`{}`: {why}", self.text)).into())
    }

    /// Finds where the shape of a value contradicts the query.
    ///
    /// It follows the leading name and index selectors, then compares the next segment with the value there. A selector
    /// on a value of a kind that it can never match is a contradiction, such as a name on a string. A missing member, a
    /// missing element and a null are none: the response may just have no data.
    pub fn mismatch(&self, root: &Value) -> Option<ShapeMismatch> {
        shape::mismatch(&self.path, root)
    }

    /// Like [`JsonPath::mismatch`], for a value in a text.
    pub(crate) fn mismatch_in(&self, part: Part<'_>) -> Option<ShapeMismatch> {
        let budget = &Budget::of(0);
        shape::mismatch(&self.path, Text { part, budget })
    }

    /// Whether the part of the query after these steps can never match a value of this kind.
    pub(crate) fn refuses(&self, followed: usize, kind: Kind) -> bool {
        shape::refuses(&self.path, followed, kind)
    }

    /// Whether the query selects, after these steps, all children and nothing else.
    pub(crate) fn ends_in_wildcard(&self, followed: usize) -> bool {
        let Path { steps, rest } = &self.path;
        match rest.as_slice() {
            [segment] if followed == steps.len() && !segment.is_descendant => {
                matches!(segment.selectors.as_slice(), [Selector::Wildcard])
            }
            _ => false,
        }
    }

    /// Follows a singular query to a node that can be replaced; `None` for any other query.
    pub fn first_mut<'v>(&self, root: &'v mut Value) -> Option<&'v mut Value> {
        self.singular()?
            .iter()
            .try_fold(root, |node, step| step.select_mut(node))
    }
}

fn parsed(text: &str) -> Result<(Path, Vec<Absolute>), SyntaxError> {
    let (tree, checked) = text::parse(text)?;
    query::compile(tree, checked)
}

/// A path such as `$.a.b` or `$.a[*]`. Nearly all paths of descriptors are like that, and this is faster than the parser.
fn plain_path(text: &str) -> Option<Path> {
    let (names, rest) = match text.strip_suffix("[*]") {
        Some(names) => (names, vec![Segment::all()]),
        None => (text, Vec::new()),
    };
    let steps = plain_names(names)?;
    Some(Path { steps, rest })
}

/// The steps of a path of names.
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

impl Step {
    pub(crate) fn select<'v>(&self, node: &'v Value) -> Option<&'v Value> {
        match self {
            Step::Name(name) => node.as_object()?.get(name),
            Step::Index(index) => {
                let elements = node.as_array()?;
                elements.get(position(*index, elements.len())?)
            }
        }
    }

    /// The value in a text that the step selects.
    pub(crate) fn select_in<'t>(&self, part: Part<'t>) -> Option<Part<'t>> {
        match self {
            Step::Name(name) => part.member(name),
            Step::Index(index) => part.element(*index),
        }
    }

    pub(crate) fn select_mut<'v>(&self, node: &'v mut Value) -> Option<&'v mut Value> {
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

/// The position of an index in an array of this length. A negative index counts from the end (RFC 9535, section
/// 2.3.3.2).
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
