//! Conditions: questions to a response that have a yes or a no.

use serde_json::{Map, Value};

use super::{JsonPath, Node, ProjectError, ResponseView};
use crate::descriptor::code::Code;
use crate::descriptor::source::Check;
use crate::template::{Names, Template, is_truthy};

/// A compiled condition: a JSONPath or an expression. Null, false, 0 and what is empty mean no.
#[derive(Debug)]
pub struct Condition(Node);

impl Condition {
    /// Compiles the text; mistakes go to `check`, with `code` for one that gives the same for every response.
    pub fn compile(
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
        Condition(node)
    }

    /// Whether the response meets the condition.
    ///
    /// # Errors
    /// When the response contradicts the path, or the expression fails.
    pub fn holds(&self, response: &ResponseView<'_>) -> Result<bool, ProjectError> {
        let bindings = Map::new();
        let value = self.0.project(response.body, &response.frame(&bindings))?;
        Ok(is_truthy(&value))
    }

    /// Whether the response has nothing at the condition's place, be it true, false or null.
    pub fn is_unanswered(&self, response: &ResponseView<'_>) -> bool {
        match &self.0 {
            Node::Path(path) => path.all(response.body).is_empty(),
            node => {
                let bindings = Map::new();
                let part = node.project_part(response.body, &response.frame(&bindings));
                matches!(part, Ok(None))
            }
        }
    }

    /// The path that the condition is, where it is one.
    pub fn path(&self) -> Option<&JsonPath> {
        match &self.0 {
            Node::Path(path) => Some(path),
            _ => None,
        }
    }
}
