//! The values that expressions in a projection see.

use std::cell::OnceCell;
use std::time::Instant;

use serde_json::Value;

use super::ProjectError;
use crate::json::{Budget, Inexact, Json, Part, Tree};
use crate::template::{EvalError, Expression, Names, Scope};

/// The names that expressions read. With each name, the members that are read, if no others are.
#[derive(Debug, Default)]
pub(super) struct Reads(Vec<(String, Option<Vec<String>>)>);

impl Reads {
    /// Adds the names that an expression reads.
    pub(crate) fn add(&mut self, expression: &Expression) {
        for (name, members) in expression.reads() {
            let Some((_, own)) = self.0.iter_mut().find(|(known, _)| *known == name) else {
                self.0.push((name, members));
                continue;
            };
            match (own.as_mut(), members) {
                (Some(own), Some(members)) => own.extend(members),
                _ => *own = None,
            }
        }
    }

    /// The members that are read of a value with one of these names; `None` if the whole value is read.
    fn members_of(&self, names: &[&str]) -> Option<Vec<String>> {
        let mut all = Vec::new();
        for (_, members) in self
            .0
            .iter()
            .filter(|(name, _)| names.contains(&name.as_str()))
        {
            all.extend(members.as_ref()?.iter().cloned());
        }
        Some(all)
    }
}

/// A value of `response.let`.
#[derive(Debug)]
pub(super) struct Binding {
    name: String,
    json: Json,
    tree: OnceCell<Tree>,
}

impl Binding {
    pub(crate) fn new(name: String, json: Json) -> Binding {
        Binding {
            name,
            json,
            tree: OnceCell::new(),
        }
    }
}

/// The values that expressions in a projection see.
pub(crate) struct Frame<'a> {
    response: &'a ResponseView<'a>,
    bindings: &'a [Binding],
    within: Within<'a>,
    tree: OnceCell<Tree>,
    reads: &'a Reads,
    budget: &'a Budget,
}

/// Where in the response a frame is.
enum Within<'a> {
    Body {
        created: OnceCell<Tree>,
    },
    Item {
        name: &'a str,
        part: Part<'a>,
        outer: &'a Frame<'a>,
    },
}

/// Header fields, which are listed when something asks for them: most projections do not.
pub(crate) trait HeaderFields {
    /// The fields; names are lower case.
    fn list(&self) -> &[(String, String)];
}

impl HeaderFields for Vec<(String, String)> {
    fn list(&self) -> &[(String, String)] {
        self
    }
}

/// A response as projections see it.
pub(crate) struct ResponseView<'a> {
    /// The body.
    pub body: &'a Json,
    /// The HTTP status.
    pub status: u16,
    /// Header fields.
    pub headers: &'a dyn HeaderFields,
    /// The arguments of the call, with defaults.
    pub params: &'a Value,
    /// The first body of a job, if the call waited for one.
    created: Option<&'a Json>,
    header_map: OnceCell<Value>,
    status_value: Value,
    pub(super) budget: Budget,
}

impl<'a> ResponseView<'a> {
    /// Collects the parts of a response that a projection may read.
    pub(crate) fn new(
        body: &'a Json,
        status: u16,
        headers: &'a dyn HeaderFields,
        params: &'a Value,
    ) -> ResponseView<'a> {
        ResponseView {
            body,
            status,
            headers,
            params,
            created: None,
            header_map: OnceCell::new(),
            status_value: status.into(),
            budget: Budget::of(body.bytes().len()),
        }
    }

    /// The same response, whose projections must have ended by then.
    pub(crate) fn until(self, deadline: Option<Instant>) -> ResponseView<'a> {
        ResponseView {
            budget: self.budget.until(deadline),
            ..self
        }
    }

    /// Whether its projections should have ended by now.
    pub(crate) fn is_late(&self) -> bool {
        self.budget.is_late()
    }

    /// The same response with another body.
    pub(crate) fn of_body(&self, body: &'a Json) -> ResponseView<'a> {
        let view = ResponseView::new(body, self.status, self.headers, self.params);
        view.of_job(self.created).until(self.budget.deadline())
    }

    /// The same response as the last one of a job whose first body is this.
    pub(crate) fn of_job(self, created: Option<&'a Json>) -> ResponseView<'a> {
        ResponseView { created, ..self }
    }

    /// The same response as the first one of a job: its own body is the first body.
    pub(crate) fn as_first_of_job(&self) -> ResponseView<'a> {
        let view = ResponseView::new(self.body, self.status, self.headers, self.params);
        view.of_job(Some(self.body)).until(self.budget.deadline())
    }

    /// The value of a header field.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .list()
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    fn header_map(&self) -> &Value {
        self.header_map.get_or_init(|| {
            Value::Object(
                self.headers
                    .list()
                    .iter()
                    .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
                    .collect(),
            )
        })
    }

    pub(super) fn frame(&'a self, bindings: &'a [Binding], reads: &'a Reads) -> Frame<'a> {
        Frame {
            response: self,
            bindings,
            within: Within::Body {
                created: OnceCell::new(),
            },
            tree: OnceCell::new(),
            reads,
            budget: &self.budget,
        }
    }
}

impl<'a> Frame<'a> {
    pub(super) fn entering<'f>(
        &'f self,
        name: &'f str,
        part: Part<'f>,
        reads: &'f Reads,
    ) -> Frame<'f> {
        Frame {
            response: self.response,
            bindings: self.bindings,
            within: Within::Item {
                name,
                part,
                outer: self,
            },
            tree: OnceCell::new(),
            reads,
            budget: self.budget,
        }
    }

    pub(super) fn budget(&self) -> &'a Budget {
        self.budget
    }

    /// The frame of the walked node with this name; `item` is always the innermost.
    fn walked(&self, name: &str) -> Option<&Frame<'a>> {
        match &self.within {
            Within::Item { name: own, .. } if *own == name || name == "item" => Some(self),
            Within::Item { outer, .. } => outer.walked(name),
            Within::Body { .. } => None,
        }
    }

    fn root(&self) -> &Frame<'a> {
        match &self.within {
            Within::Item { outer, .. } => outer.root(),
            Within::Body { .. } => self,
        }
    }

    fn binding(&self, name: &str) -> Option<&'a Binding> {
        self.bindings
            .iter()
            .rev()
            .find(|binding| binding.name == name)
    }

    /// The text of the value with this name, if it comes from the response.
    pub(super) fn part(&self, name: &str) -> Option<Part<'_>> {
        if let Some(frame) = self.walked(name) {
            return match &frame.within {
                Within::Item { part, .. } => Some(*part),
                Within::Body { .. } => None,
            };
        }
        if let Some(binding) = self.binding(name) {
            return Some(binding.json.part());
        }
        match name {
            "body" => Some(self.response.body.part()),
            "created" => self.response.created.map(Json::part),
            _ => None,
        }
    }

    /// The slot for the tree of the value with this name.
    fn cell(&self, name: &str) -> Option<&OnceCell<Tree>> {
        if let Some(frame) = self.walked(name) {
            return Some(&frame.tree);
        }
        if let Some(binding) = self.binding(name) {
            return Some(&binding.tree);
        }
        let root = self.root();
        match (name, &root.within) {
            ("body", _) => Some(&root.tree),
            ("created", Within::Body { created }) => self.response.created.map(|_| created),
            _ => None,
        }
    }

    /// Builds the trees that an expression reads.
    ///
    /// # Errors
    /// When they take too much memory, or the expression reads a number that would lose digits.
    pub(super) fn prepare(&self, expression: &Expression) -> Result<(), ProjectError> {
        // A tree is not built for an expression that will not run.
        expression.permit()?;
        for name in expression.names() {
            let (Some(cell), Some(part)) = (self.cell(name), self.part(name)) else {
                continue;
            };
            let failed = |why: &dyn std::fmt::Display| {
                ProjectError::from(EvalError {
                    expression: expression.text().to_owned(),
                    reason: why.to_string(),
                })
            };
            let tree = match cell.get() {
                Some(tree) => tree,
                None => {
                    let members = self.members_of(name);
                    let tree = Tree::build(part, members.as_deref(), self.budget)
                        .map_err(|error| failed(&error))?;
                    cell.get_or_init(|| tree)
                }
            };
            if let Some(inexact) = tree
                .inexact
                .iter()
                .find(|one| is_read(expression, name, one))
            {
                let hint = "a JSONPath copies it with all its digits";
                return Err(failed(&format!("{inexact}; {hint}")));
            }
        }
        Ok(())
    }

    /// The members that are read of the value with this name; `None` if the whole value is read, or it is not known.
    fn members_of(&self, name: &str) -> Option<Vec<String>> {
        if let Some(frame) = self.walked(name) {
            let Within::Item { name: own, .. } = &frame.within else {
                return None;
            };
            return frame.reads.members_of(&[own, "item"]);
        }
        // The tree of a binding outlives the projection that first reads it.
        match self.binding(name) {
            Some(_) => None,
            None => self.root().reads.members_of(&[name]),
        }
    }

    /// Returns the memory of the frame's own tree to the budget.
    pub(super) fn leave(self) {
        if let Some(tree) = self.tree.get() {
            self.budget.give_back(tree.bytes);
        }
    }
}

/// Whether an expression reads a number of the value with this name.
fn is_read(expression: &Expression, name: &str, inexact: &Inexact) -> bool {
    expression.dotted_names().iter().any(|dotted| {
        let mut parts = dotted.split('.');
        parts.next() == Some(name) && parts.zip(&inexact.path).all(|(one, other)| one == other)
    })
}

impl Scope for Frame<'_> {
    fn json(&self, name: &str) -> Option<&Value> {
        if let Some(cell) = self.cell(name) {
            return cell.get().map(|tree| &tree.value);
        }
        match name {
            "params" => Some(self.response.params),
            "status" => Some(&self.response.status_value),
            "headers" => Some(self.response.header_map()),
            _ => None,
        }
    }
}

/// The names that a projection's expressions may use.
pub(crate) fn response_names<S: AsRef<str>>(params: impl IntoIterator<Item = S>) -> Names {
    Names::default()
        .with("body")
        .with("status")
        .with("headers")
        .with_members("params", params)
}
