//! Running a compiled query on a value (RFC 9535, sections 2.3 to 2.5).

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::ControlFlow;

use serde_json::Value;

use super::compare::compare;
use super::query::{
    Comparison, Filter, FilterQuery, Logical, Origin, Pattern, Query, RegexpTest, Segment,
    Selector, SingularQuery, Slice, ValueExpr,
};
use super::{Step, regexp};

/// What is done with each node of a nodelist, in order, until it breaks off.
type Visitor<'r, 'v> = dyn FnMut(&'v Value) -> ControlFlow<()> + 'r;

/// One run of a query on a value, with what the run remembers.
pub(super) struct Run<'v> {
    root: &'v Value,
    /// The nodelists of [`Query::absolute`].
    absolute: Vec<Vec<&'v Value>>,
    /// The answers of filters inside filters, by [`Filter::memo`] and the node's address.
    tested: RefCell<HashMap<(usize, *const Value), bool>>,
    regexps: RefCell<regexp::Cache>,
}

impl<'v> Run<'v> {
    pub fn new(query: &Query, root: &'v Value) -> Run<'v> {
        let mut run = Run {
            root,
            absolute: Vec::with_capacity(query.absolute.len()),
            tested: RefCell::default(),
            regexps: RefCell::default(),
        };
        // One after the other, not when a filter first asks: within one another they could exhaust the stack.
        for segments in &query.absolute {
            let nodes = run.nodes(root, segments);
            run.absolute.push(nodes);
        }
        run
    }

    /// The nodelist of segments applied to a node.
    pub fn nodes(&self, node: &'v Value, segments: &[Segment]) -> Vec<&'v Value> {
        let mut nodes = Vec::new();
        let _ = self.visit(node, segments, &mut |node| {
            nodes.push(node);
            ControlFlow::Continue(())
        });
        nodes
    }

    /// Visits the nodelist of segments applied to a node.
    ///
    /// Going through the remaining segments for one selected node after the other gives the order of the RFC, which
    /// concatenates nodelists segment by segment. The recursion goes no deeper than the value: a segment selects
    /// children or their descendants.
    pub fn visit(
        &self,
        node: &'v Value,
        segments: &[Segment],
        visitor: &mut Visitor<'_, 'v>,
    ) -> ControlFlow<()> {
        match segments.split_first() {
            None => visitor(node),
            Some((Segment::Child(selectors), rest)) => {
                self.visit_children(node, selectors, rest, visitor)
            }
            Some((Segment::Descendant(selectors), rest)) => {
                self.visit_descendants(node, selectors, rest, visitor)
            }
        }
    }

    fn visit_descendants(
        &self,
        node: &'v Value,
        selectors: &[Selector],
        rest: &[Segment],
        visitor: &mut Visitor<'_, 'v>,
    ) -> ControlFlow<()> {
        let mut pending = vec![node];
        while let Some(node) = pending.pop() {
            self.visit_children(node, selectors, rest, visitor)?;
            match node {
                Value::Array(elements) => pending.extend(elements.iter().rev()),
                Value::Object(members) => pending.extend(members.values().rev()),
                _ => {}
            }
        }
        ControlFlow::Continue(())
    }

    fn visit_children(
        &self,
        node: &'v Value,
        selectors: &[Selector],
        rest: &[Segment],
        visitor: &mut Visitor<'_, 'v>,
    ) -> ControlFlow<()> {
        for selector in selectors {
            let mut next = |child| self.visit(child, rest, visitor);
            match selector {
                Selector::Single(step) => step.select(node).map_or(CONTINUE, next)?,
                Selector::Wildcard => visit_each(node, next)?,
                Selector::Slice(slice) => slice.visit(node, next)?,
                Selector::Filter(filter) => visit_each(node, |child| {
                    if self.passes(filter, child) {
                        next(child)
                    } else {
                        CONTINUE
                    }
                })?,
            }
        }
        CONTINUE
    }

    fn passes(&self, filter: &Filter, node: &'v Value) -> bool {
        let Some(memo) = filter.memo else {
            return self.holds(&filter.condition, node);
        };
        let key = (memo, std::ptr::from_ref(node));
        let known = self.tested.borrow().get(&key).copied();
        known.unwrap_or_else(|| {
            let answer = self.holds(&filter.condition, node);
            self.tested.borrow_mut().insert(key, answer);
            answer
        })
    }

    fn holds(&self, condition: &Logical, node: &'v Value) -> bool {
        match condition {
            Logical::Or(terms) => terms.iter().any(|term| self.holds(term, node)),
            Logical::And(terms) => terms.iter().all(|term| self.holds(term, node)),
            Logical::Not(term) => !self.holds(term, node),
            Logical::Exists(query) => self.exists(query, node),
            Logical::Compare(comparison) => self.compare(comparison, node),
            Logical::Regexp(test) => self.matches(test, node),
        }
    }

    fn exists(&self, query: &FilterQuery, node: &'v Value) -> bool {
        match query {
            FilterQuery::Singular(query) => self.follow(query, node).is_some(),
            FilterQuery::Relative(segments) => self
                .visit(node, segments, &mut |_| ControlFlow::Break(()))
                .is_break(),
            FilterQuery::Absolute(place) => !self.absolute[*place].is_empty(),
        }
    }

    fn compare(&self, comparison: &Comparison, node: &'v Value) -> bool {
        let left = self.value(&comparison.left, node);
        let right = self.value(&comparison.right, node);
        compare(left.as_deref(), comparison.operator, right.as_deref())
    }

    fn matches(&self, test: &RegexpTest, node: &'v Value) -> bool {
        let subject = self.value(&test.subject, node);
        let Some(subject) = subject.as_deref().and_then(Value::as_str) else {
            return false;
        };
        match &test.pattern {
            Pattern::Fixed(regex) => regex.as_ref().is_some_and(|regex| regex.is_match(subject)),
            Pattern::Computed(pattern) => self
                .value(pattern, node)
                .as_deref()
                .and_then(Value::as_str)
                .is_some_and(|pattern| {
                    self.regexps
                        .borrow_mut()
                        .is_match(pattern, test.extent, subject)
                }),
        }
    }

    /// The value of an expression; `None` for Nothing.
    fn value<'e>(&'e self, expression: &'e ValueExpr, node: &'v Value) -> Option<Cow<'e, Value>> {
        match expression {
            ValueExpr::Literal(value) => Some(Cow::Borrowed(value)),
            ValueExpr::Query(query) => self.follow(query, node).map(Cow::Borrowed),
            ValueExpr::Length(argument) => length(&*self.value(argument, node)?).map(whole_number),
            ValueExpr::Count(query) => Some(whole_number(self.count(query, node))),
            ValueExpr::ValueOf(query) => self.only_node(query, node).map(Cow::Borrowed),
        }
    }

    fn count(&self, query: &FilterQuery, node: &'v Value) -> usize {
        match query {
            FilterQuery::Singular(query) => usize::from(self.follow(query, node).is_some()),
            FilterQuery::Relative(segments) => self.nodes(node, segments).len(),
            FilterQuery::Absolute(place) => self.absolute[*place].len(),
        }
    }

    /// The node of a nodelist of one.
    fn only_node(&self, query: &FilterQuery, node: &'v Value) -> Option<&'v Value> {
        let only = |nodes: &[&'v Value]| match nodes {
            [node] => Some(*node),
            _ => None,
        };
        match query {
            FilterQuery::Singular(query) => self.follow(query, node),
            FilterQuery::Relative(segments) => only(&self.nodes(node, segments)),
            FilterQuery::Absolute(place) => only(&self.absolute[*place]),
        }
    }

    fn follow(&self, query: &SingularQuery, node: &'v Value) -> Option<&'v Value> {
        let from = match query.origin {
            Origin::Root => self.root,
            Origin::Current => node,
        };
        Step::follow(&query.steps, from)
    }
}

const CONTINUE: ControlFlow<()> = ControlFlow::Continue(());

/// Visits the children of an array or object; any other value has none.
fn visit_each<'v>(
    node: &'v Value,
    visit: impl FnMut(&'v Value) -> ControlFlow<()>,
) -> ControlFlow<()> {
    match node {
        Value::Array(elements) => elements.iter().try_for_each(visit),
        Value::Object(members) => members.values().try_for_each(visit),
        _ => CONTINUE,
    }
}

impl Slice {
    /// Visits the elements the slice selects (RFC 9535, section 2.3.4.2.2).
    fn visit<'v>(
        &self,
        node: &'v Value,
        visit: impl FnMut(&'v Value) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Value::Array(elements) = node else {
            return CONTINUE;
        };
        let length = i64::try_from(elements.len()).unwrap_or(i64::MAX);
        let from_start = |index: i64| if index < 0 { length + index } else { index };
        let start = self.start.map(from_start);
        let end = self.end.map(from_start);
        let stride = usize::try_from(self.step.unsigned_abs()).unwrap_or(usize::MAX);
        if self.step > 0 {
            let lower = start.unwrap_or(0).clamp(0, length);
            let upper = end.unwrap_or(length).clamp(lower, length);
            elements[place(lower)..place(upper)]
                .iter()
                .step_by(stride)
                .try_for_each(visit)
        } else if self.step < 0 {
            // The end is exclusive here too: from `start` down to the element after `end`.
            let upper = start.unwrap_or(length - 1).clamp(-1, length - 1) + 1;
            let lower = end.unwrap_or(-1).clamp(-1, upper - 1) + 1;
            elements[place(lower)..place(upper)]
                .iter()
                .rev()
                .step_by(stride)
                .try_for_each(visit)
        } else {
            CONTINUE
        }
    }
}

/// A bound that has been clamped to an array's length.
fn place(bound: i64) -> usize {
    usize::try_from(bound).unwrap_or(0)
}

/// The result of `length()` (RFC 9535, section 2.4.4): characters are Unicode scalar values.
fn length(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) => Some(text.chars().count()),
        Value::Array(elements) => Some(elements.len()),
        Value::Object(members) => Some(members.len()),
        _ => None,
    }
}

fn whole_number(number: usize) -> Cow<'static, Value> {
    Cow::Owned(Value::from(number))
}
