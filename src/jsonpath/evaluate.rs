//! Running a compiled query (RFC 9535, sections 2.3 to 2.5), on a value or on a text.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::Range;

use serde_json::Value;

use super::Step;
use super::compare::compare;
use super::node::{Flow, Node, Stop};
use super::query::{Absolute, Filter, Logical, Nodes, Path, Pattern, Segment, Selector, ValueExpr};
use super::regexp;
use crate::json::{Budget, Kind};

/// A function that is called with each node of a nodelist, in order.
pub(super) type Visitor<'r, N> = dyn FnMut(N) -> Flow<N> + 'r;

/// Most results of nested filters that a run keeps.
const MAX_KEPT: usize = 1 << 16;
/// The memory of one such result, including spare room of the map.
const ANSWER: usize = 64;

/// One run of a query, with its caches.
pub(super) struct Run<'v, N> {
    /// The nodelists of the absolute queries, and the values of those in comparisons.
    absolute: Vec<(Vec<N>, Option<Cow<'v, Value>>)>,
    /// The results of filters inside filters, by [`Filter::memo`] and the node's address.
    tested: RefCell<HashMap<(usize, usize), bool>>,
    regexps: RefCell<regexp::Cache>,
    /// How many bytes this search may still read by itself.
    left: Cell<usize>,
}

/// What it costs to visit a node, beside the bytes that are read.
const VISIT: usize = 16;
/// What a search may read of any value.
const SMALL: usize = 4 << 10;
/// What it costs to compile a pattern from the value.
const PATTERN: usize = 1 << 20;

impl<'v, N: Node + 'v> Run<'v, N> {
    pub(crate) fn new(absolute: &[Absolute], root: N) -> Result<Self, N::Error> {
        let mut run = Run {
            absolute: Vec::with_capacity(absolute.len()),
            tested: RefCell::default(),
            regexps: RefCell::default(),
            left: Cell::new(Budget::own_share(root.weight()) + SMALL),
        };
        // They are evaluated here, one after another. If filters evaluated them on demand, one inside another, they
        // could exhaust the stack.
        for query in absolute {
            let mut nodes = Vec::new();
            run.search(&query.path, root, &mut |node| {
                node.take(2 * size_of::<N>())?;
                nodes.push(node);
                Ok(())
            })?;
            let value = match nodes.as_slice() {
                [node] if query.is_compared => Some(node.value()?),
                _ => None,
            };
            run.absolute.push((nodes, value));
        }
        Ok(run)
    }

    /// Visits the nodelist of a path from a node. Returns whether the visitor has seen enough.
    pub(crate) fn search(
        &self,
        path: &Path,
        from: N,
        visitor: &mut Visitor<'_, N>,
    ) -> Result<bool, N::Error> {
        match follow(&path.steps, from) {
            Some(node) => self.search_on(node, &path.rest, visitor),
            None => Ok(false),
        }
    }

    /// Like [`Run::search`], after the leading steps of the path.
    pub(crate) fn search_on(
        &self,
        node: N,
        rest: &[Segment],
        visitor: &mut Visitor<'_, N>,
    ) -> Result<bool, N::Error> {
        stopped::<N>(self.visit(node, rest, visitor))
    }

    /// Counts what it takes to read a node. Paths through descendants, and filters in filters, may come to the same
    /// values without end.
    fn read(&self, node: N, more: usize) -> Result<(), N::Error> {
        let bytes = match node.kind() {
            Kind::Array | Kind::Object => node.weight() + VISIT + more,
            _ => VISIT + more,
        };
        match self.left.get().checked_sub(bytes) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => node.overdraw(bytes),
        }
    }

    /// Visits the nodelist of segments applied to a node.
    ///
    /// It applies the remaining segments to one selected node after another. That gives the order of the RFC, which
    /// concatenates nodelists segment by segment. The recursion is never deeper than the value, because a segment
    /// selects children or their descendants.
    fn visit(&self, node: N, segments: &[Segment], visitor: &mut Visitor<'_, N>) -> Flow<N> {
        match segments.split_first() {
            None => visitor(node),
            Some((segment, rest)) if segment.is_descendant => {
                self.visit_descendants(node, &segment.selectors, rest, visitor)
            }
            Some((segment, rest)) => self.visit_children(node, &segment.selectors, rest, visitor),
        }
    }

    fn visit_descendants(
        &self,
        node: N,
        selectors: &[Selector],
        rest: &[Segment],
        visitor: &mut Visitor<'_, N>,
    ) -> Flow<N> {
        self.visit_children(node, selectors, rest, visitor)?;
        self.read(node, 0)?;
        node.each_child(|child| self.visit_descendants(child, selectors, rest, visitor))
    }

    fn visit_children(
        &self,
        node: N,
        selectors: &[Selector],
        rest: &[Segment],
        visitor: &mut Visitor<'_, N>,
    ) -> Flow<N> {
        for selector in selectors {
            self.read(node, 0)?;
            let mut next = |child| self.visit(child, rest, visitor);
            match selector {
                Selector::Step(step) => node.select(step).map_or(Ok(()), next)?,
                Selector::Wildcard => node.each_child(next)?,
                Selector::Slice(start, end, step) => slice((*start, *end, *step), node, next)?,
                Selector::Filter(filter) => {
                    node.each_child(|child| match self.passes(filter, child)? {
                        true => next(child),
                        false => Ok(()),
                    })?;
                }
            }
        }
        Ok(())
    }

    fn passes(&self, filter: &Filter, node: N) -> Result<bool, N::Error> {
        let Some(memo) = filter.memo else {
            let taken = node.taken();
            let passes = self.holds(&filter.condition, node)?;
            if self.tested.borrow().len() > MAX_KEPT {
                self.tested.borrow_mut().clear();
                node.give_back(taken);
            }
            return Ok(passes);
        };
        let key = (memo, node.address());
        if let Some(passes) = self.tested.borrow().get(&key) {
            return Ok(*passes);
        }
        let passes = self.holds(&filter.condition, node)?;
        node.take(ANSWER)?;
        self.tested.borrow_mut().insert(key, passes);
        Ok(passes)
    }

    fn holds(&self, condition: &Logical, node: N) -> Result<bool, N::Error> {
        match condition {
            Logical::Any(terms) => self.some_is(true, terms, node),
            Logical::All(terms) => self.some_is(false, terms, node).map(|some| !some),
            Logical::Not(term) => self.holds(term, node).map(|holds| !holds),
            Logical::Exists(Nodes::Absolute(place)) => Ok(!self.absolute[*place].0.is_empty()),
            Logical::Exists(Nodes::Relative(path)) => {
                self.read(node, 0)?;
                self.search(path, node, &mut |_| Err(Stop::Enough))
            }
            Logical::Compare(left, operator, right) => {
                self.read(node, 0)?;
                let taken = node.taken();
                let (left, right) = (self.value(left, node)?, self.value(right, node)?);
                let holds = compare(left.as_deref(), *operator, right.as_deref());
                node.give_back(taken);
                Ok(holds)
            }
            Logical::Regexp(subject, extent, pattern) => {
                self.read(node, 0)?;
                let Some(subject) = self.string(subject, node)? else {
                    return Ok(false);
                };
                Ok(match pattern {
                    Pattern::Fixed(regex) => regex.as_ref().is_some_and(|r| r.is_match(&subject)),
                    Pattern::Computed(pattern) => {
                        let pattern = self.string(pattern, node)?;
                        let mut known = self.regexps.borrow_mut();
                        let Some(pattern) = pattern else {
                            return Ok(false);
                        };
                        if !known.has(&pattern, *extent) {
                            self.read(node, PATTERN)?;
                        }
                        known.is_match(&pattern, *extent, &subject)
                    }
                })
            }
        }
    }

    /// Whether one of the terms gives this result.
    fn some_is(&self, answer: bool, terms: &[Logical], node: N) -> Result<bool, N::Error> {
        for term in terms {
            if self.holds(term, node)? == answer {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The value of an expression; `None` for Nothing.
    fn value<'e>(
        &'e self,
        expression: &'e ValueExpr,
        node: N,
    ) -> Result<Option<Cow<'e, Value>>, N::Error> {
        Ok(match expression {
            ValueExpr::Literal(value) => Some(Cow::Borrowed(value)),
            ValueExpr::Node(Nodes::Absolute(place)) => {
                self.absolute[*place].1.as_deref().map(Cow::Borrowed)
            }
            ValueExpr::Node(nodes) => match self.only_node(nodes, node)? {
                Some(node) => Some(node.value()?),
                None => None,
            },
            ValueExpr::Length(argument) => self.length(argument, node)?.map(whole_number),
            ValueExpr::Count(nodes) => Some(whole_number(self.count(nodes, node)?)),
        })
    }

    /// The value of an expression, if it is a string.
    fn string<'e>(
        &'e self,
        expression: &'e ValueExpr,
        node: N,
    ) -> Result<Option<Cow<'e, str>>, N::Error> {
        Ok(match expression {
            ValueExpr::Literal(value) => value.as_str().map(Cow::Borrowed),
            ValueExpr::Node(nodes) => self.only_node(nodes, node)?.and_then(Node::string),
            ValueExpr::Length(_) | ValueExpr::Count(_) => None,
        })
    }

    /// The result of `length()` (RFC 9535, section 2.4.4): characters are Unicode scalar values.
    fn length(&self, argument: &ValueExpr, node: N) -> Result<Option<usize>, N::Error> {
        if let Some(text) = self.string(argument, node)? {
            return Ok(Some(text.chars().count()));
        }
        let only = match argument {
            ValueExpr::Node(nodes) => self.only_node(nodes, node)?,
            _ => None,
        };
        let Some(parent) = only.filter(|node| matches!(node.kind(), Kind::Array | Kind::Object))
        else {
            return Ok(None);
        };
        let mut count = 0;
        stopped::<N>(parent.each_child(|_| {
            count += 1;
            Ok(())
        }))?;
        Ok(Some(count))
    }

    fn count(&self, nodes: &Nodes, node: N) -> Result<usize, N::Error> {
        let mut count = 0;
        match nodes {
            Nodes::Absolute(place) => count = self.absolute[*place].0.len(),
            Nodes::Relative(path) => {
                self.search(path, node, &mut |_| {
                    count += 1;
                    Ok(())
                })?;
            }
        }
        Ok(count)
    }

    /// The node, if the nodelist has exactly one.
    fn only_node(&self, nodes: &Nodes, node: N) -> Result<Option<N>, N::Error> {
        let path = match nodes {
            Nodes::Absolute(place) => {
                return Ok(match self.absolute[*place].0.as_slice() {
                    [node] => Some(*node),
                    _ => None,
                });
            }
            Nodes::Relative(path) => path,
        };
        if path.rest.is_empty() {
            return Ok(follow(&path.steps, node));
        }
        let mut only = None;
        let is_more = self.search(path, node, &mut |node| match only.replace(node) {
            None => Ok(()),
            Some(_) => Err(Stop::Enough),
        })?;
        Ok(only.filter(|_| !is_more))
    }
}

pub(super) fn follow<N: Node>(steps: &[Step], from: N) -> Option<N> {
    steps.iter().try_fold(from, N::select)
}

/// Whether a visitor has seen enough.
fn stopped<N: Node>(flow: Flow<N>) -> Result<bool, N::Error> {
    match flow {
        Ok(()) => Ok(false),
        Err(Stop::Enough) => Ok(true),
        Err(Stop::Failed(error)) => Err(error),
    }
}

fn whole_number(number: usize) -> Cow<'static, Value> {
    Cow::Owned(Value::from(number))
}

/// Visits the elements that a slice selects (RFC 9535, section 2.3.4.2.2).
fn slice<N: Node>(
    slice: (Option<i64>, Option<i64>, i64),
    node: N,
    visit: impl FnMut(N) -> Flow<N>,
) -> Flow<N> {
    if node.kind() != Kind::Array {
        return Ok(());
    }
    let (range, stride) = selected(slice, node.elements().count());
    let elements = node.elements().skip(range.start).take(range.len());
    if slice.2 >= 0 {
        return elements.step_by(stride).try_for_each(visit);
    }
    let taken = node.taken();
    let mut list = Vec::new();
    for element in elements {
        node.take(3 * size_of::<N>())?;
        list.push(element);
    }
    list.into_iter().rev().step_by(stride).try_for_each(visit)?;
    node.give_back(taken);
    Ok(())
}

/// The range that a slice selects from an array of this length, and the step: from the start of the range, or from its
/// end for a negative step.
fn selected(
    (start, end, step): (Option<i64>, Option<i64>, i64),
    length: usize,
) -> (Range<usize>, usize) {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let from_start = |index: i64| if index < 0 { length + index } else { index };
    let (start, end) = (start.map(from_start), end.map(from_start));
    let (lower, upper) = match step {
        0 => (0, 0),
        1.. => (start.unwrap_or(0), end.unwrap_or(length)),
        // The end is exclusive here too: the range goes from `start` down to the element after `end`.
        _ => (
            end.map_or(0, |end| end.saturating_add(1)),
            start.map_or(length, |start| start.saturating_add(1)),
        ),
    };
    let place = |bound: i64| usize::try_from(bound.clamp(0, length)).unwrap_or(0);
    let (lower, upper) = (place(lower), place(upper));
    let stride = usize::try_from(step.unsigned_abs()).unwrap_or(usize::MAX);
    (lower..upper.max(lower), stride.max(1))
}
