//! Running a compiled query on a JSON text. Nodes are parts of the text, so what is selected stays as it came; a tree is
//! built of what a filter tests, one value after the other, and of the whole where a filter looks back at the root.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde_json::Value;

use super::evaluate::Run;
use super::query::{
    Filter, FilterQuery, Logical, Origin, Pattern, Query, Segment, Selector, SingularQuery, Slice,
    ValueExpr,
};
use super::{JsonPath, Plan, Step, shape};
use crate::json::{Budget, Kind, Part, Tree};

/// What is done with each node; its error ends the search.
type Visitor<'r, 't, E> = dyn FnMut(Part<'t>) -> Result<(), E> + 'r;

/// A search cannot go on: a tree takes more memory than it may, or a filter compares a number that it cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SearchError(String);

/// One search of a text.
pub(crate) struct Search<'p> {
    path: &'p JsonPath,
    /// The steps that whoever calls has followed already.
    followed: usize,
    budget: &'p Budget,
}

impl<'p> Search<'p> {
    /// A search for what `path` selects, from where its first steps lead.
    pub fn new(path: &'p JsonPath, followed: usize, budget: &'p Budget) -> Search<'p> {
        Search {
            path,
            followed,
            budget,
        }
    }

    /// Whether the query can select nothing of a value of this kind, which is then a mistake.
    pub fn refuses(&self, kind: Kind) -> bool {
        match &self.path.plan {
            Plan::Walk(_) => false,
            Plan::Search(query) => shape::refuses(
                query.segments.get(self.followed..).unwrap_or_default(),
                kind,
            ),
        }
    }

    /// Visits the nodelist, in the order of RFC 9535. `from` is where the first steps lead, `root` what `$` is.
    ///
    /// # Errors
    /// When a tree takes more memory than the budget has, a filter compares a number that it cannot hold, or that of
    /// the visitor.
    pub fn visit<'t, E: From<SearchError>>(
        &self,
        root: Part<'t>,
        from: Part<'t>,
        visitor: &mut Visitor<'_, 't, E>,
    ) -> Result<(), E> {
        match &self.path.plan {
            Plan::Walk(steps) => {
                let mut rest = steps.iter().skip(self.followed);
                match rest.try_fold(from, |part, step| step.select_in(part)) {
                    Some(part) => visitor(part),
                    None => Ok(()),
                }
            }
            Plan::Search(query) => {
                let tree = self.root_tree(query, root)?;
                let root = tree.as_ref().map_or(&Value::Null, |tree| &tree.value);
                let run = Run::new(query, root);
                let rest = query.segments.get(self.followed..).unwrap_or_default();
                self.segments(&run, from, rest, visitor)
            }
        }
    }

    /// The tree that filters look back at, where they do.
    fn root_tree(&self, query: &Query, root: Part<'_>) -> Result<Option<Tree>, SearchError> {
        let looks_back = !query.absolute.is_empty() || query.segments.iter().any(reads_root);
        match looks_back {
            true => self.tree(root).map(Some),
            false => Ok(None),
        }
    }

    fn tree(&self, part: Part<'_>) -> Result<Tree, SearchError> {
        let tree = Tree::build(part, None, self.budget).map_err(|error| self.told(&error))?;
        let read = tree.inexact.iter().find(|inexact| match &self.path.plan {
            Plan::Walk(_) => false,
            Plan::Search(query) => compares(query, &inexact.path),
        });
        match read {
            Some(inexact) => Err(self.told(inexact)),
            None => Ok(tree),
        }
    }

    fn take(&self, bytes: usize) -> Result<usize, SearchError> {
        let taken = self.budget.take(bytes);
        taken.map_err(|error| self.told(&error)).map(|()| bytes)
    }

    fn told(&self, why: &dyn std::fmt::Display) -> SearchError {
        SearchError(format!("`{}`: {why}", self.path.as_str()))
    }

    fn segments<'t, E: From<SearchError>>(
        &self,
        run: &Run<'_>,
        part: Part<'t>,
        segments: &[Segment],
        visitor: &mut Visitor<'_, 't, E>,
    ) -> Result<(), E> {
        match segments.split_first() {
            None => visitor(part),
            Some((Segment::Child(selectors), rest)) => {
                self.children(run, part, selectors, rest, visitor)
            }
            Some((Segment::Descendant(selectors), rest)) => {
                self.descendants(run, part, selectors, rest, visitor)
            }
        }
    }

    /// Goes no deeper than a checked text is nested.
    fn descendants<'t, E: From<SearchError>>(
        &self,
        run: &Run<'_>,
        part: Part<'t>,
        selectors: &[Selector],
        rest: &[Segment],
        visitor: &mut Visitor<'_, 't, E>,
    ) -> Result<(), E> {
        self.children(run, part, selectors, rest, visitor)?;
        self.each_child(part, &mut |child| match child.kind() {
            Kind::Array | Kind::Object => self.descendants(run, child, selectors, rest, visitor),
            _ => Ok(()),
        })
    }

    fn children<'t, E: From<SearchError>>(
        &self,
        run: &Run<'_>,
        part: Part<'t>,
        selectors: &[Selector],
        rest: &[Segment],
        visitor: &mut Visitor<'_, 't, E>,
    ) -> Result<(), E> {
        for selector in selectors {
            let mut next = |child| self.segments(run, child, rest, visitor);
            match selector {
                Selector::Single(step) => step.select_in(part).map_or(Ok(()), next)?,
                Selector::Wildcard => self.each_child(part, &mut next)?,
                Selector::Slice(slice) => self.slice(slice, part, &mut next)?,
                Selector::Filter(filter) => {
                    self.each_child(part, &mut |child| match self.passes(run, filter, child)? {
                        true => next(child),
                        false => Ok(()),
                    })?;
                }
            }
        }
        Ok(())
    }

    /// Whether a value passes a filter, by a tree of this value alone.
    fn passes(&self, run: &Run<'_>, filter: &Filter, part: Part<'_>) -> Result<bool, SearchError> {
        let tree = self.tree(part)?;
        let passes = run.passes_alone(filter, &tree.value);
        self.budget.give_back(tree.bytes);
        Ok(passes)
    }

    /// Visits the children of an array or object; any other value has none. Of members of the same name the last one
    /// counts, at the place of the first.
    fn each_child<'t, E: From<SearchError>>(
        &self,
        part: Part<'t>,
        visit: &mut Visitor<'_, 't, E>,
    ) -> Result<(), E> {
        if part.kind() == Kind::Array {
            return part.elements().try_for_each(visit);
        }
        let mut taken = 0;
        let mut members: IndexMap<Cow<'t, str>, Part<'t>> = IndexMap::new();
        for (key, member) in part.members() {
            taken += self.take(2 * size_of::<(Cow<str>, Part, u64)>())?;
            members.insert(key.name(), member);
        }
        members.into_values().try_for_each(visit)?;
        self.budget.give_back(taken);
        Ok(())
    }

    /// Visits the elements that a slice selects (RFC 9535, section 2.3.4.2.2).
    fn slice<'t, E: From<SearchError>>(
        &self,
        slice: &Slice,
        part: Part<'t>,
        visit: &mut Visitor<'_, 't, E>,
    ) -> Result<(), E> {
        if part.kind() != Kind::Array {
            return Ok(());
        }
        let (range, stride) = slice.selects(part.elements().count());
        let selected = part
            .elements()
            .skip(range.start)
            .take(range.end.saturating_sub(range.start));
        if slice.step >= 0 {
            return selected.step_by(stride).try_for_each(visit);
        }
        let mut taken = 0;
        let mut list = Vec::new();
        for element in selected {
            taken += self.take(3 * size_of::<Part>())?;
            list.push(element);
        }
        list.into_iter().rev().step_by(stride).try_for_each(visit)?;
        self.budget.give_back(taken);
        Ok(())
    }
}

/// Whether a filter of the query may compare what these members lead to.
fn compares(query: &Query, path: &[String]) -> bool {
    path.is_empty()
        || !query.absolute.is_empty()
        || query.segments.iter().any(|segment| {
            let (Segment::Child(selectors) | Segment::Descendant(selectors)) = segment;
            selectors.iter().any(|selector| match selector {
                Selector::Filter(filter) => condition_compares(&filter.condition, path),
                Selector::Single(_) | Selector::Wildcard | Selector::Slice(_) => false,
            })
        })
}

fn condition_compares(condition: &Logical, path: &[String]) -> bool {
    match condition {
        Logical::Or(terms) | Logical::And(terms) => {
            terms.iter().any(|term| condition_compares(term, path))
        }
        Logical::Not(term) => condition_compares(term, path),
        Logical::Exists(query) => query_compares(query, path),
        Logical::Compare(comparison) => [&comparison.left, &comparison.right]
            .into_iter()
            .any(|side| expression_compares(side, path)),
        // A number matches no pattern, however it is written.
        Logical::Regexp(_) => false,
    }
}

fn expression_compares(expression: &ValueExpr, path: &[String]) -> bool {
    match expression {
        ValueExpr::Query(query) => leads_to(&query.steps, path),
        ValueExpr::ValueOf(query) => query_compares(query, path),
        ValueExpr::Literal(_) | ValueExpr::Length(_) | ValueExpr::Count(_) => false,
    }
}

/// What a query inside a filter selects by more than names is not followed: it may be anything.
fn query_compares(query: &FilterQuery, path: &[String]) -> bool {
    match query {
        FilterQuery::Singular(query) => leads_to(&query.steps, path),
        FilterQuery::Relative(_) | FilterQuery::Absolute(_) => true,
    }
}

/// Whether steps may lead to what these members lead to, or to what has it inside.
fn leads_to(steps: &[Step], path: &[String]) -> bool {
    let mut names = steps.iter().filter_map(|step| match step {
        Step::Name(name) => Some(name),
        Step::Index(_) => None,
    });
    let first = names.next();
    first.is_none_or(|first| path.contains(first) && names.all(|name| path.contains(name)))
}

fn reads_root(segment: &Segment) -> bool {
    let (Segment::Child(selectors) | Segment::Descendant(selectors)) = segment;
    selectors.iter().any(|selector| match selector {
        Selector::Filter(filter) => condition_reads_root(&filter.condition),
        Selector::Single(_) | Selector::Wildcard | Selector::Slice(_) => false,
    })
}

fn condition_reads_root(condition: &Logical) -> bool {
    match condition {
        Logical::Or(terms) | Logical::And(terms) => terms.iter().any(condition_reads_root),
        Logical::Not(term) => condition_reads_root(term),
        Logical::Exists(query) => query_reads_root(query),
        Logical::Compare(comparison) => {
            expression_reads_root(&comparison.left) || expression_reads_root(&comparison.right)
        }
        Logical::Regexp(test) => {
            let pattern = match &test.pattern {
                Pattern::Fixed(_) => false,
                Pattern::Computed(pattern) => expression_reads_root(pattern),
            };
            pattern || expression_reads_root(&test.subject)
        }
    }
}

fn expression_reads_root(expression: &ValueExpr) -> bool {
    match expression {
        ValueExpr::Literal(_) => false,
        ValueExpr::Query(query) => query.origin == Origin::Root,
        ValueExpr::Length(argument) => expression_reads_root(argument),
        ValueExpr::Count(query) | ValueExpr::ValueOf(query) => query_reads_root(query),
    }
}

fn query_reads_root(query: &FilterQuery) -> bool {
    match query {
        FilterQuery::Singular(SingularQuery { origin, .. }) => *origin == Origin::Root,
        FilterQuery::Relative(segments) => segments.iter().any(reads_root),
        FilterQuery::Absolute(_) => true,
    }
}
