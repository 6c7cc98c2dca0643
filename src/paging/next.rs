//! `next`: the arguments of the next call.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::{Next, PagingError};
use crate::project::{Node, ProjectError, Projector, ResponseView};
use crate::source::{Check, Code, join};
use crate::template::{Names, Template};

/// The arguments that change from page to page.
#[derive(Debug)]
pub(super) struct NextArguments(Vec<(String, Projector)>);

impl NextArguments {
    /// Compiles the section; mistakes go to `check`.
    pub(super) fn compile(
        next: &IndexMap<String, Value>,
        pointer: &str,
        params: &[&str],
        names: &Names,
        check: &Check,
    ) -> NextArguments {
        if next.is_empty() {
            check.error(Code::BadPaging, pointer, "`next` names no argument");
        }
        let mut nodes = Vec::with_capacity(next.len());
        for (name, value) in next {
            let at = join(pointer, name);
            if !params.contains(&name.as_str()) && !check.is_unreadable("/params") {
                check.error_at_key(
                    Code::UnknownName,
                    &at,
                    format!("the tool has no param `{name}`"),
                    crate::words::nearest(name, params.iter().copied()),
                );
            }
            let before = check.count();
            let node = Node::compile(value, &at, names, check);
            if node.is_constant() && check.count() == before {
                check.error_with_help(
                    Code::BadPaging,
                    &at,
                    "this value is the same on every page",
                    "take it from the response, such as `$.next_page`, or compute it",
                );
            }
            if check.count() == before {
                report_misfit(name, &node, &at, names, check);
            }
            nodes.push((name.clone(), Projector::new(node)));
        }
        NextArguments(nodes)
    }

    /// The arguments' names.
    #[cfg(feature = "store")]
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Whether every argument is taken from the response and none is computed.
    pub(super) fn are_given(&self) -> bool {
        let mut nodes = self.0.iter();
        nodes.all(|(_, node)| matches!(node.node(), Node::Path(_)))
    }

    /// The end of a walk, when one of several cursors is empty. If the others would lead on, it only looks like the
    /// end.
    pub(super) fn end(&self, response: &ResponseView<'_>) -> Next {
        if !self.are_given() {
            return Next::End;
        }
        let given = self.0.iter().filter_map(|(name, node)| {
            let value = node.value_of(response).ok().flatten()?;
            (!is_empty(&value)).then(|| (name.clone(), value))
        });
        let given: Map<String, Value> = given.collect();
        let leads_on = |(name, value)| response.params.get(name) != Some(value);
        match given.iter().any(leads_on) {
            true => Next::Unsaid(Box::new(Next::Arguments(given))),
            false => Next::End,
        }
    }

    /// The arguments of the next call; `None` if one of them is empty.
    pub(super) fn step(&self, response: &ResponseView<'_>) -> Result<Option<Next>, PagingError> {
        let mut next = Map::new();
        for (name, node) in &self.0 {
            let under = |error: ProjectError| error.under(&format!("paging.next.{name}"));
            match node.value_of(response).map_err(under)? {
                Some(value) if is_empty(&value) => return Ok(None),
                Some(value) => {
                    next.insert(name.clone(), value);
                }
                None => {}
            }
        }
        Ok((!next.is_empty()).then_some(Next::Arguments(next)))
    }
}

/// Reports a value that the argument can never have, by its type.
fn report_misfit(name: &str, node: &Node, pointer: &str, names: &Names, check: &Check) {
    let misfit = match node {
        Node::Path(pick) if !pick.path().is_singular() => names.misfit_of_list(name),
        Node::Template(Template::Expression(expression)) => names.misfit(expression, name),
        _ => None,
    };
    if let Some((given, taken)) = misfit {
        check.error_with_help(
            Code::BadPaging,
            pointer,
            format!(
                "this gives {}, and `{name}` is {}",
                given.kind(),
                taken.kind()
            ),
            "take one value that the param allows",
        );
    }
}

/// Whether a cursor is empty, which ends a walk.
fn is_empty(cursor: &Value) -> bool {
    cursor.is_null() || cursor.as_str() == Some("")
}
