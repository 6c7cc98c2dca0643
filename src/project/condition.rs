//! Conditions: yes-or-no questions about a response.

use serde_json::Value;

use super::{JsonPath, Node, ProjectError, Projector, ResponseView};
use crate::source::{Check, Code};
use crate::template::{Names, Template};

/// A compiled condition: a JSONPath or an expression. Null, false, 0 and empty values mean no.
#[derive(Debug)]
pub(crate) struct Condition(Projector);

impl Condition {
    /// Compiles the text. Mistakes go to `check`; `code` is for a condition that gives the same for every response.
    pub(crate) fn compile(
        text: &str,
        pointer: &str,
        code: Code,
        names: &Names,
        check: &Check,
    ) -> Condition {
        let before = check.count();
        let node = Node::compile(&Value::from(text), pointer, names, check);
        let is_constant = match &node {
            Node::Literal(_) | Node::Template(Template::Text(_)) => true,
            Node::Template(Template::Expression(expression)) => expression.names().is_empty(),
            _ => false,
        };
        if is_constant && check.count() == before {
            check.error_with_help(
                code,
                pointer,
                format!("`{text}` never changes"),
                "write a JSONPath such as `$.done`, or an expression over the response in `{{ }}`",
            );
        }
        Condition(Projector::new(node))
    }

    /// Whether the response meets the condition.
    ///
    /// # Errors
    /// When the response contradicts the path, or the expression fails.
    pub(crate) fn holds(&self, response: &ResponseView<'_>) -> Result<bool, ProjectError> {
        let value = self.0.part_of(response)?;
        Ok(value.is_some_and(|value| value.part().is_truthy()))
    }

    /// Whether the response has no value at all in the condition's place, not even false or null.
    pub(crate) fn is_unanswered(&self, response: &ResponseView<'_>) -> bool {
        if let Some(steps) = self.path().and_then(JsonPath::singular) {
            let mut steps = steps.iter();
            let found = steps.try_fold(response.body.part(), |part, step| step.select_in(part));
            return found.is_none();
        }
        match self.0.part_of(response) {
            Ok(None) => true,
            Ok(Some(list)) => self.path().is_some() && !list.part().is_truthy(),
            Err(_) => false,
        }
    }

    /// The path, if the condition is one.
    pub(crate) fn path(&self) -> Option<&JsonPath> {
        match self.0.node() {
            Node::Path(pick) => Some(&pick.path),
            _ => None,
        }
    }
}
