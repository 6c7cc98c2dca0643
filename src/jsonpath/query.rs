//! The compiled form of a query, named as in RFC 9535.

use regex::Regex;
use serde_json::Value;

use super::Step;

#[derive(Debug, Clone)]
pub(super) struct Query {
    pub segments: Vec<Segment>,
    /// The queries in filters that start at the root and are not singular. What one has in a filter of its own comes
    /// before it.
    pub absolute: Vec<Vec<Segment>>,
}

#[derive(Debug, Clone)]
pub(super) enum Segment {
    Child(Vec<Selector>),
    Descendant(Vec<Selector>),
}

#[derive(Debug, Clone)]
pub(super) enum Selector {
    Single(Step),
    Wildcard,
    Slice(Slice),
    Filter(Filter),
}

#[derive(Debug, Clone)]
pub(super) struct Slice {
    pub start: Option<i64>,
    pub end: Option<i64>,
    pub step: i64,
}

#[derive(Debug, Clone)]
pub(super) struct Filter {
    pub condition: Logical,
    /// Set for a filter inside a filter. The same node may reach it along many ways, so its answer for a node is kept;
    /// without that, the time would grow as a power of the nesting.
    pub memo: Option<usize>,
}

#[derive(Debug, Clone)]
pub(super) enum Logical {
    Or(Vec<Logical>),
    And(Vec<Logical>),
    Not(Box<Logical>),
    Exists(FilterQuery),
    Compare(Comparison),
    Regexp(RegexpTest),
}

#[derive(Debug, Clone)]
pub(super) struct Comparison {
    pub left: ValueExpr,
    pub operator: Operator,
    pub right: ValueExpr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A `match()` or `search()`.
#[derive(Debug, Clone)]
pub(super) struct RegexpTest {
    pub extent: Extent,
    pub subject: ValueExpr,
    pub pattern: Pattern,
}

/// How much of the subject a regular expression has to match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// `match()`
    Whole,
    /// `search()`
    Part,
}

#[derive(Debug, Clone)]
pub(super) enum Pattern {
    /// Known when the query is compiled; `None` where it is no valid I-Regexp, which matches nothing.
    Fixed(Option<Regex>),
    /// Taken from the value the query runs on.
    Computed(ValueExpr),
}

/// An expression of type ValueType: it gives one value or Nothing (RFC 9535, section 2.4.1).
#[derive(Debug, Clone)]
pub(super) enum ValueExpr {
    Literal(Value),
    Query(SingularQuery),
    /// `length()`
    Length(Box<ValueExpr>),
    /// `count()`
    Count(FilterQuery),
    /// `value()`
    ValueOf(FilterQuery),
}

/// A query in a filter, of type NodesType.
#[derive(Debug, Clone)]
pub(super) enum FilterQuery {
    Singular(SingularQuery),
    Relative(Vec<Segment>),
    /// The one at this place of [`Query::absolute`]. Its nodelist is the same for every node the filter tests.
    Absolute(usize),
}

#[derive(Debug, Clone)]
pub(super) struct SingularQuery {
    pub origin: Origin,
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// `$`
    Root,
    /// `@`
    Current,
}

impl Segment {
    /// The step that the segment is, where it may be part of a singular query.
    pub fn as_step(&self) -> Option<&Step> {
        match self {
            Segment::Child(selectors) => match selectors.as_slice() {
                [Selector::Single(step)] => Some(step),
                _ => None,
            },
            Segment::Descendant(_) => None,
        }
    }
}
