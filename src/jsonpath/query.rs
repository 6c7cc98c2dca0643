//! The compiled form of a query, with the names of RFC 9535. It is made from the parser's tree, and functions are
//! type-checked (section 2.4.3).
//!
//! The parser's tree lacks three things: the numbers as they are written, compiled regular expressions, and a list of
//! the queries that start at the root, which are evaluated only once.

use std::vec::IntoIter;

use jsonpath_rust::parser::model as ast;
use regex::Regex;
use serde_json::{Number, Value};

use super::regexp::{self, Extent};
use super::text::Checked;
use super::{Step, SyntaxError};

/// A query without its start: the leading steps, which are all of a singular query, and the remaining segments.
#[derive(Debug, Clone, Default)]
pub(super) struct Path {
    pub steps: Vec<Step>,
    pub rest: Vec<Segment>,
}

/// A query in a filter that starts at the root. Its nodelist is the same for every node that the filter tests.
#[derive(Debug, Clone)]
pub(super) struct Absolute {
    pub path: Path,
    /// Whether the query is used in a comparison.
    pub is_compared: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub is_descendant: bool,
    pub selectors: Vec<Selector>,
}

impl Segment {
    /// `[*]`
    pub(super) fn all() -> Segment {
        Segment {
            is_descendant: false,
            selectors: vec![Selector::Wildcard],
        }
    }
}

#[derive(Debug, Clone)]
pub(super) enum Selector {
    Step(Step),
    Wildcard,
    /// Start, end and step.
    Slice(Option<i64>, Option<i64>, i64),
    Filter(Filter),
}

#[derive(Debug, Clone)]
pub(super) struct Filter {
    pub condition: Logical,
    /// Set for a filter inside a filter. The same node may reach it in many ways, so its result for each node is kept;
    /// otherwise the time would grow exponentially with the nesting.
    pub memo: Option<usize>,
}

#[derive(Debug, Clone)]
pub(super) enum Logical {
    Any(Vec<Logical>),
    All(Vec<Logical>),
    Not(Box<Logical>),
    Exists(Nodes),
    Compare(ValueExpr, Operator, ValueExpr),
    /// A `match()` or `search()` of a subject.
    Regexp(ValueExpr, Extent, Pattern),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    Less,
    LessOrEqual,
}

#[derive(Debug, Clone)]
pub(super) enum Pattern {
    /// A literal pattern, compiled with the query; `None` if it is not a valid I-Regexp, which matches nothing.
    Fixed(Option<Regex>),
    /// A pattern from the value that the query runs on.
    Computed(ValueExpr),
}

/// An expression of type ValueType: it gives one value or Nothing (RFC 9535, section 2.4.1).
#[derive(Debug, Clone)]
pub(super) enum ValueExpr {
    Literal(Value),
    /// A singular query or `value()`: the node, if the nodelist has exactly one.
    Node(Nodes),
    /// `length()`
    Length(Box<ValueExpr>),
    /// `count()`
    Count(Nodes),
}

/// A query in a filter, of type NodesType.
#[derive(Debug, Clone)]
pub(super) enum Nodes {
    Relative(Path),
    /// The index among the absolute queries. Absolute queries inside the filters of another one come before it.
    Absolute(usize),
}

type Compiled<T> = Result<T, SyntaxError>;

/// How often a path may select one value. A few dozen bytes such as `[*,*][*,*]...` could ask for years of work.
const MOST_REPETITIONS: usize = 10_000;

/// How often segments select one value, at most: once for each selector that may select what another one does, and for a
/// value of moderate depth, once for each way to it through descendants.
fn repetitions(segments: &[Segment]) -> usize {
    const DEPTH: usize = 20;
    let is_name = |selector: &Selector| matches!(selector, Selector::Step(Step::Name(_)));
    let mut names = Vec::new();
    let mut descendants = 0;
    segments.iter().fold(1_usize, |product, segment| {
        names.clear();
        let mut others = 0;
        for selector in &segment.selectors {
            match selector {
                Selector::Step(step) if is_name(selector) && !names.contains(&step) => {
                    names.push(step);
                }
                _ => others += 1,
            }
        }
        let own = others + usize::from(!names.is_empty());
        descendants += usize::from(segment.is_descendant);
        let ways = match segment.is_descendant && descendants > 1 {
            true => DEPTH,
            false => 1,
        };
        product.saturating_mul(own.max(1)).saturating_mul(ways)
    })
}

/// Compiles a tree. Returns the query and the absolute queries of its filters.
pub(super) fn compile(tree: ast::JpQuery, checked: Checked) -> Compiled<(Path, Vec<Absolute>)> {
    let mut compiler = Compiler {
        calls: checked.calls.into_iter(),
        numbers: checked.numbers.into_iter(),
        absolute: Vec::new(),
        filters: 0,
        open_filters: 0,
    };
    let path = compiler.path(tree.segments)?;
    Ok((path, compiler.absolute))
}

/// Compiles the tree in textual order, so that calls and numbers match the lists read from the text.
struct Compiler {
    calls: IntoIter<usize>,
    numbers: IntoIter<Number>,
    absolute: Vec<Absolute>,
    filters: usize,
    open_filters: usize,
}

/// A function call, typed by its result.
enum Call {
    Value(ValueExpr),
    Logical(Logical),
}

impl Compiler {
    fn path(&mut self, segments: Vec<ast::Segment>) -> Compiled<Path> {
        let mut path = Path::default();
        for segment in segments {
            let mut segment = self.segment(segment)?;
            match segment.selectors.pop() {
                Some(Selector::Step(step))
                    if !segment.is_descendant
                        && segment.selectors.is_empty()
                        && path.rest.is_empty() =>
                {
                    path.steps.push(step);
                }
                last => {
                    segment.selectors.extend(last);
                    path.rest.push(segment);
                }
            }
        }
        match repetitions(&path.rest) {
            ..=MOST_REPETITIONS => Ok(path),
            _ => Err(SyntaxError::at(
                0,
                "this path would select the same values far too often",
            )),
        }
    }

    fn segment(&mut self, segment: ast::Segment) -> Compiled<Segment> {
        let selectors = match segment {
            ast::Segment::Descendant(inner) => {
                let Segment { selectors, .. } = self.segment(*inner)?;
                return Ok(Segment {
                    is_descendant: true,
                    selectors,
                });
            }
            ast::Segment::Selector(selector) => vec![selector],
            ast::Segment::Selectors(selectors) => selectors,
        };
        let selectors = selectors.into_iter().map(|s| self.selector(s));
        Ok(Segment {
            is_descendant: false,
            selectors: selectors.collect::<Compiled<_>>()?,
        })
    }

    fn selector(&mut self, selector: ast::Selector) -> Compiled<Selector> {
        Ok(match selector {
            ast::Selector::Name(name) => Selector::Step(Step::Name(name)),
            ast::Selector::Index(index) => Selector::Step(Step::Index(index)),
            ast::Selector::Wildcard => Selector::Wildcard,
            ast::Selector::Slice(start, end, step) => {
                Selector::Slice(start, end, step.unwrap_or(1))
            }
            ast::Selector::Filter(filter) => {
                let memo = (self.open_filters > 0).then_some(self.filters);
                self.filters += 1;
                self.open_filters += 1;
                let condition = self.logical(filter)?;
                self.open_filters -= 1;
                Selector::Filter(Filter { condition, memo })
            }
        })
    }

    fn logical(&mut self, filter: ast::Filter) -> Compiled<Logical> {
        let mut terms = |terms: Vec<_>| -> Compiled<Vec<_>> {
            terms.into_iter().map(|term| self.logical(term)).collect()
        };
        let (is_negated, logical) = match filter {
            ast::Filter::Or(list) => return terms(list).map(Logical::Any),
            ast::Filter::And(list) => return terms(list).map(Logical::All),
            ast::Filter::Atom(ast::FilterAtom::Filter { expr, not }) => (not, self.logical(*expr)?),
            ast::Filter::Atom(ast::FilterAtom::Test { expr, not }) => (not, self.test(*expr)?),
            ast::Filter::Atom(ast::FilterAtom::Comparison(comparison)) => {
                self.comparison(*comparison)?
            }
        };
        Ok(match is_negated {
            true => Logical::Not(Box::new(logical)),
            false => logical,
        })
    }

    fn test(&mut self, test: ast::Test) -> Compiled<Logical> {
        match test {
            ast::Test::Function(function) => match self.call(*function)? {
                (Call::Logical(test), _) => Ok(test),
                (Call::Value(_), offset) => Err(SyntaxError::at(
                    offset,
                    "the result of this function must be compared",
                )),
            },
            query => Ok(Logical::Exists(self.query(query, false)?)),
        }
    }

    /// A comparison by one of three operators, and whether it is negated.
    fn comparison(&mut self, comparison: ast::Comparison) -> Compiled<(bool, Logical)> {
        use ast::Comparison::{Eq, Gt, Gte, Lt, Lte, Ne};
        let operator = match comparison {
            Eq(..) | Ne(..) => Operator::Equal,
            Lt(..) | Gt(..) => Operator::Less,
            Lte(..) | Gte(..) => Operator::LessOrEqual,
        };
        let is_negated = matches!(comparison, Ne(..));
        let is_turned = matches!(comparison, Gt(..) | Gte(..));
        let (Eq(left, right)
        | Ne(left, right)
        | Lt(left, right)
        | Lte(left, right)
        | Gt(left, right)
        | Gte(left, right)) = comparison;
        let (left, right) = (self.comparable(left)?, self.comparable(right)?);
        let logical = match is_turned {
            true => Logical::Compare(right, operator, left),
            false => Logical::Compare(left, operator, right),
        };
        Ok((is_negated, logical))
    }

    fn comparable(&mut self, comparable: ast::Comparable) -> Compiled<ValueExpr> {
        use ast::SingularQuery::{Current, Root};
        let query = match comparable {
            ast::Comparable::Literal(literal) => {
                return Ok(ValueExpr::Literal(self.literal(literal)));
            }
            ast::Comparable::Function(function) => return self.value_call(function),
            ast::Comparable::SingularQuery(Current(steps)) => ast::Test::RelQuery(segments(steps)),
            ast::Comparable::SingularQuery(Root(steps)) => {
                ast::Test::AbsQuery(ast::JpQuery::new(segments(steps)))
            }
        };
        self.query(query, true).map(ValueExpr::Node)
    }

    fn value_call(&mut self, function: ast::TestFunction) -> Compiled<ValueExpr> {
        match self.call(function)? {
            (Call::Value(expression), _) => Ok(expression),
            (Call::Logical(_), offset) => Err(SyntaxError::at(
                offset,
                "the result of this function is no value",
            )),
        }
    }

    /// A function call and its offset.
    fn call(&mut self, function: ast::TestFunction) -> Compiled<(Call, usize)> {
        let offset = self.calls.next().unwrap_or(0);
        let call = match function {
            ast::TestFunction::Length(argument) => {
                let argument = self.value_argument(*argument, offset)?;
                Call::Value(ValueExpr::Length(Box::new(argument)))
            }
            ast::TestFunction::Count(argument) => Call::Value(ValueExpr::Count(
                self.query_argument(argument, false, offset)?,
            )),
            ast::TestFunction::Value(argument) => Call::Value(ValueExpr::Node(
                self.query_argument(argument, true, offset)?,
            )),
            ast::TestFunction::Match(subject, pattern) => {
                self.regexp_test(subject, Extent::Whole, pattern, offset)?
            }
            ast::TestFunction::Search(subject, pattern) => {
                self.regexp_test(subject, Extent::Part, pattern, offset)?
            }
            ast::TestFunction::Custom(name, _) => {
                return Err(SyntaxError::at(offset, format!("`{name}` is no function")));
            }
        };
        Ok((call, offset))
    }

    fn regexp_test(
        &mut self,
        subject: ast::FnArg,
        extent: Extent,
        pattern: ast::FnArg,
        call: usize,
    ) -> Compiled<Call> {
        let subject = self.value_argument(subject, call)?;
        let pattern = match self.value_argument(pattern, call)? {
            ValueExpr::Literal(pattern) => {
                let pattern = pattern.as_str();
                Pattern::Fixed(pattern.and_then(|pattern| regexp::compile(pattern, extent)))
            }
            computed => Pattern::Computed(computed),
        };
        Ok(Call::Logical(Logical::Regexp(subject, extent, pattern)))
    }

    fn value_argument(&mut self, argument: ast::FnArg, call: usize) -> Compiled<ValueExpr> {
        let refused = |message| Err(SyntaxError::at(call, message));
        let query = match argument {
            ast::FnArg::Literal(literal) => return Ok(ValueExpr::Literal(self.literal(literal))),
            ast::FnArg::Filter(_) => return refused("an argument of this function is no value"),
            ast::FnArg::Test(test) => match *test {
                ast::Test::Function(function) => return self.value_call(*function),
                query => self.query(query, false)?,
            },
        };
        let path = match &query {
            Nodes::Relative(path) => path,
            Nodes::Absolute(place) => &self.absolute[*place].path,
        };
        match path.rest.is_empty() {
            true => Ok(ValueExpr::Node(query)),
            false => refused("an argument of this function is a query that is not singular"),
        }
    }

    fn query_argument(
        &mut self,
        argument: ast::FnArg,
        is_compared: bool,
        call: usize,
    ) -> Compiled<Nodes> {
        match argument {
            ast::FnArg::Test(test) if !matches!(*test, ast::Test::Function(_)) => {
                self.query(*test, is_compared)
            }
            _ => Err(SyntaxError::at(call, "this function takes a query")),
        }
    }

    /// A test that is a query.
    fn query(&mut self, test: ast::Test, is_compared: bool) -> Compiled<Nodes> {
        let (is_absolute, segments) = match test {
            ast::Test::RelQuery(segments) => (false, segments),
            ast::Test::AbsQuery(query) => (true, query.segments),
            ast::Test::Function(_) => return Err(SyntaxError::at(0, "a function is no query")),
        };
        let path = self.path(segments)?;
        if !is_absolute {
            return Ok(Nodes::Relative(path));
        }
        self.absolute.push(Absolute { path, is_compared });
        Ok(Nodes::Absolute(self.absolute.len() - 1))
    }

    fn literal(&mut self, literal: ast::Literal) -> Value {
        match literal {
            // The parser saw a zero in place of the number.
            ast::Literal::Int(_) | ast::Literal::Float(_) => {
                self.numbers.next().map_or(Value::Null, Value::Number)
            }
            ast::Literal::String(text) => Value::String(text),
            ast::Literal::Bool(truth) => Value::Bool(truth),
            ast::Literal::Null => Value::Null,
        }
    }
}

/// The parser has a separate type for the segments of a query in a comparison.
fn segments(steps: Vec<ast::SingularQuerySegment>) -> Vec<ast::Segment> {
    let selectors = steps.into_iter().map(|step| match step {
        ast::SingularQuerySegment::Name(name) => ast::Selector::Name(name),
        ast::SingularQuerySegment::Index(index) => ast::Selector::Index(index),
    });
    selectors.map(ast::Segment::Selector).collect()
}
