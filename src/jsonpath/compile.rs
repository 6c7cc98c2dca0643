//! From the parser's tree to the compiled query, with the well-typedness of functions (RFC 9535, section 2.4.3).

use std::vec::IntoIter;

use jsonpath_rust::parser::errors::JsonPathError;
use jsonpath_rust::parser::model as ast;
use jsonpath_rust::parser::parse_json_path;
use pest::error::InputLocation;
use serde_json::{Number, Value};

use super::query::{
    Comparison, Extent, Filter, FilterQuery, Logical, Operator, Origin, Pattern, Query, RegexpTest,
    Segment, Selector, SingularQuery, Slice, ValueExpr,
};
use super::text::Checked;
use super::{Step, SyntaxError, regexp};

type Compiled<T> = Result<T, SyntaxError>;

pub(super) fn compile(checked: Checked) -> Compiled<Query> {
    let tree =
        parse_json_path(&checked.blanked).map_err(|error| syntax_error(&checked.blanked, error))?;
    let mut compiler = Compiler {
        calls: checked.calls.into_iter(),
        numbers: checked.numbers.into_iter(),
        absolute: Vec::new(),
        filters: 0,
        open_filters: 0,
    };
    let segments = compiler.segments(tree.segments)?;
    Ok(Query {
        segments,
        absolute: compiler.absolute,
    })
}

fn syntax_error(text: &str, error: JsonPathError) -> SyntaxError {
    let JsonPathError::PestError(error) = error else {
        return SyntaxError::at(0, error.to_string());
    };
    let offset = match error.location {
        InputLocation::Pos(start) | InputLocation::Span((start, _)) => start,
    };
    let message = match text[offset..].chars().next() {
        Some('=' | '!' | '<' | '>') => {
            "only a literal, a singular query or the value of a function can be compared".to_owned()
        }
        Some(character) => format!("unexpected {character:?}"),
        None => "unexpected end".to_owned(),
    };
    SyntaxError::at(offset, message)
}

/// Goes through the tree in textual order, so that calls and numbers meet what was read from the text.
struct Compiler {
    calls: IntoIter<usize>,
    numbers: IntoIter<Number>,
    absolute: Vec<Vec<Segment>>,
    filters: usize,
    open_filters: usize,
}

/// A function call, typed by its result.
enum Call {
    Value(ValueExpr),
    Logical(RegexpTest),
}

impl Compiler {
    fn segments(&mut self, segments: Vec<ast::Segment>) -> Compiled<Vec<Segment>> {
        segments.into_iter().map(|s| self.segment(s)).collect()
    }

    fn segment(&mut self, segment: ast::Segment) -> Compiled<Segment> {
        match segment {
            ast::Segment::Descendant(segment) => self.selectors(*segment).map(Segment::Descendant),
            segment => self.selectors(segment).map(Segment::Child),
        }
    }

    fn selectors(&mut self, segment: ast::Segment) -> Compiled<Vec<Selector>> {
        match segment {
            ast::Segment::Selector(selector) => Ok(vec![self.selector(selector)?]),
            ast::Segment::Selectors(selectors) => {
                selectors.into_iter().map(|s| self.selector(s)).collect()
            }
            ast::Segment::Descendant(segment) => self.selectors(*segment),
        }
    }

    fn selector(&mut self, selector: ast::Selector) -> Compiled<Selector> {
        Ok(match selector {
            ast::Selector::Name(name) => Selector::Single(Step::Name(name)),
            ast::Selector::Index(index) => Selector::Single(Step::Index(index)),
            ast::Selector::Wildcard => Selector::Wildcard,
            ast::Selector::Slice(start, end, step) => Selector::Slice(Slice {
                start,
                end,
                step: step.unwrap_or(1),
            }),
            ast::Selector::Filter(filter) => Selector::Filter(self.filter(filter)?),
        })
    }

    fn filter(&mut self, condition: ast::Filter) -> Compiled<Filter> {
        let memo = (self.open_filters > 0).then_some(self.filters);
        self.filters += 1;
        self.open_filters += 1;
        let condition = self.logical(condition)?;
        self.open_filters -= 1;
        Ok(Filter { condition, memo })
    }

    fn logical(&mut self, filter: ast::Filter) -> Compiled<Logical> {
        match filter {
            ast::Filter::Or(terms) => self.terms(terms).map(Logical::Or),
            ast::Filter::And(terms) => self.terms(terms).map(Logical::And),
            ast::Filter::Atom(atom) => self.atom(atom),
        }
    }

    fn terms(&mut self, terms: Vec<ast::Filter>) -> Compiled<Vec<Logical>> {
        terms.into_iter().map(|term| self.logical(term)).collect()
    }

    fn atom(&mut self, atom: ast::FilterAtom) -> Compiled<Logical> {
        match atom {
            ast::FilterAtom::Filter { expr, not } => Ok(negated(not, self.logical(*expr)?)),
            ast::FilterAtom::Test { expr, not } => Ok(negated(not, self.test(*expr)?)),
            ast::FilterAtom::Comparison(comparison) => {
                self.comparison(*comparison).map(Logical::Compare)
            }
        }
    }

    fn test(&mut self, test: ast::Test) -> Compiled<Logical> {
        match test {
            ast::Test::Function(function) => match self.call(*function)? {
                (Call::Logical(test), _) => Ok(Logical::Regexp(test)),
                (Call::Value(_), offset) => Err(SyntaxError::at(
                    offset,
                    "the result of this function must be compared",
                )),
            },
            test => Ok(Logical::Exists(self.query(test)?)),
        }
    }

    fn comparison(&mut self, comparison: ast::Comparison) -> Compiled<Comparison> {
        let (left, operator, right) = match comparison {
            ast::Comparison::Eq(left, right) => (left, Operator::Equal, right),
            ast::Comparison::Ne(left, right) => (left, Operator::NotEqual, right),
            ast::Comparison::Lt(left, right) => (left, Operator::Less, right),
            ast::Comparison::Lte(left, right) => (left, Operator::LessOrEqual, right),
            ast::Comparison::Gt(left, right) => (left, Operator::Greater, right),
            ast::Comparison::Gte(left, right) => (left, Operator::GreaterOrEqual, right),
        };
        Ok(Comparison {
            left: self.comparable(left)?,
            operator,
            right: self.comparable(right)?,
        })
    }

    fn comparable(&mut self, comparable: ast::Comparable) -> Compiled<ValueExpr> {
        match comparable {
            ast::Comparable::Literal(literal) => Ok(ValueExpr::Literal(self.literal(literal))),
            ast::Comparable::SingularQuery(query) => Ok(ValueExpr::Query(singular_query(query))),
            ast::Comparable::Function(function) => self.value_call(function),
        }
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
            ast::TestFunction::Length(argument) => Call::Value(ValueExpr::Length(Box::new(
                self.value_argument(*argument, offset)?,
            ))),
            ast::TestFunction::Count(argument) => {
                Call::Value(ValueExpr::Count(self.query_argument(argument, offset)?))
            }
            ast::TestFunction::Value(argument) => {
                Call::Value(ValueExpr::ValueOf(self.query_argument(argument, offset)?))
            }
            ast::TestFunction::Match(subject, pattern) => {
                Call::Logical(self.regexp_test(Extent::Whole, subject, pattern, offset)?)
            }
            ast::TestFunction::Search(subject, pattern) => {
                Call::Logical(self.regexp_test(Extent::Part, subject, pattern, offset)?)
            }
            ast::TestFunction::Custom(name, _) => {
                return Err(SyntaxError::at(offset, format!("`{name}` is no function")));
            }
        };
        Ok((call, offset))
    }

    fn regexp_test(
        &mut self,
        extent: Extent,
        subject: ast::FnArg,
        pattern: ast::FnArg,
        call: usize,
    ) -> Compiled<RegexpTest> {
        let subject = self.value_argument(subject, call)?;
        let pattern = match self.value_argument(pattern, call)? {
            ValueExpr::Literal(Value::String(pattern)) => {
                Pattern::Fixed(regexp::compile(&pattern, extent))
            }
            ValueExpr::Literal(_) => Pattern::Fixed(None),
            computed => Pattern::Computed(computed),
        };
        Ok(RegexpTest {
            extent,
            subject,
            pattern,
        })
    }

    fn value_argument(&mut self, argument: ast::FnArg, call: usize) -> Compiled<ValueExpr> {
        let refused = |message| Err(SyntaxError::at(call, message));
        match argument {
            ast::FnArg::Literal(literal) => Ok(ValueExpr::Literal(self.literal(literal))),
            ast::FnArg::Filter(_) => refused("an argument of this function is no value"),
            ast::FnArg::Test(test) => match *test {
                ast::Test::Function(function) => self.value_call(*function),
                query => match self.query(query)? {
                    FilterQuery::Singular(query) => Ok(ValueExpr::Query(query)),
                    _ => refused("an argument of this function is a query that is not singular"),
                },
            },
        }
    }

    fn query_argument(&mut self, argument: ast::FnArg, call: usize) -> Compiled<FilterQuery> {
        match argument {
            ast::FnArg::Test(test) if !matches!(*test, ast::Test::Function(_)) => self.query(*test),
            _ => Err(SyntaxError::at(call, "this function takes a query")),
        }
    }

    /// A test that is a query.
    fn query(&mut self, test: ast::Test) -> Compiled<FilterQuery> {
        let (origin, segments) = match test {
            ast::Test::RelQuery(segments) => (Origin::Current, segments),
            ast::Test::AbsQuery(query) => (Origin::Root, query.segments),
            ast::Test::Function(_) => return Err(SyntaxError::at(0, "a function is no query")),
        };
        let segments = self.segments(segments)?;
        let steps = segments.iter().map(|s| s.as_step().cloned()).collect();
        Ok(match (steps, origin) {
            (Some(steps), origin) => FilterQuery::Singular(SingularQuery { origin, steps }),
            (None, Origin::Current) => FilterQuery::Relative(segments),
            (None, Origin::Root) => {
                self.absolute.push(segments);
                FilterQuery::Absolute(self.absolute.len() - 1)
            }
        })
    }

    fn literal(&mut self, literal: ast::Literal) -> Value {
        match literal {
            // The parser saw a zero in the number's place.
            ast::Literal::Int(_) | ast::Literal::Float(_) => {
                self.numbers.next().map_or(Value::Null, Value::Number)
            }
            ast::Literal::String(text) => Value::String(text),
            ast::Literal::Bool(truth) => Value::Bool(truth),
            ast::Literal::Null => Value::Null,
        }
    }
}

fn negated(not: bool, condition: Logical) -> Logical {
    if not {
        Logical::Not(Box::new(condition))
    } else {
        condition
    }
}

fn singular_query(query: ast::SingularQuery) -> SingularQuery {
    let (origin, segments) = match query {
        ast::SingularQuery::Current(segments) => (Origin::Current, segments),
        ast::SingularQuery::Root(segments) => (Origin::Root, segments),
    };
    let step = |segment| match segment {
        ast::SingularQuerySegment::Name(name) => Step::Name(name),
        ast::SingularQuerySegment::Index(index) => Step::Index(index),
    };
    SingularQuery {
        origin,
        steps: segments.into_iter().map(step).collect(),
    }
}
