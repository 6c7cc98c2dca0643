//! Parts of an auth section that are text with expressions over settings, or a secret.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{SecretRef, SecretSpec, Secrets};
use crate::plan::RenderError;
use crate::source::Check;
use crate::template::{EvalError, Expression, Names, Scope, Template};
use crate::words::kind_of;
use crate::words::scalar_text;

/// Text with expressions over `settings`, or a secret.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum FieldSpec {
    /// The text itself.
    Text(String),
    /// A secret that holds it.
    Secret(SecretSpec),
}

/// A compiled field.
#[derive(Debug)]
pub(crate) enum Field {
    /// Text.
    Text(Line),
    /// The name of a secret.
    Secret(String),
}

impl Field {
    /// Compiles the field and adds its secret to `secrets`; mistakes go to `check`.
    pub(crate) fn compile(
        spec: &FieldSpec,
        pointer: &str,
        names: &Names,
        secrets: &mut Vec<SecretRef>,
        check: &Check,
    ) -> Option<Field> {
        match spec {
            FieldSpec::Text(text) => Some(Field::Text(Line::compile(text, pointer, names, check))),
            FieldSpec::Secret(spec) => {
                let reference = SecretRef::compile(spec, pointer, check)?;
                let name = reference.name.clone();
                secrets.push(reference);
                Some(Field::Secret(name))
            }
        }
    }

    /// The text, or the secret's value.
    ///
    /// # Errors
    /// When an expression fails.
    pub(crate) fn value(
        &self,
        secrets: &Secrets,
        scope: &dyn Scope,
    ) -> Result<String, RenderError> {
        match self {
            Field::Text(line) => line.render(scope),
            Field::Secret(name) => Ok(secrets.expose(name).unwrap_or_default().to_owned()),
        }
    }

    /// Calls `visit` with every expression, and whether it stands inside a longer text.
    pub(crate) fn visit(&self, visit: &mut dyn FnMut(&Expression, bool)) {
        if let Field::Text(line) = self {
            line.visit(visit);
        }
    }
}

/// A template that gives text.
#[derive(Debug)]
pub(crate) struct Line(Template);

impl Line {
    /// Compiles the text; mistakes go to `check`.
    pub(crate) fn compile(text: &str, pointer: &str, names: &Names, check: &Check) -> Line {
        Line(Template::compile_text(text, pointer, names, check))
    }

    /// The text with its values.
    ///
    /// # Errors
    /// When an expression fails, or its value cannot be written as text.
    pub(crate) fn render(&self, scope: &dyn Scope) -> Result<String, RenderError> {
        let value = self
            .0
            .render(scope)
            .map_err(RenderError::expression("auth"))?;
        let value = value.unwrap_or(Value::Null);
        scalar_text(&value).ok_or_else(|| {
            RenderError::expression("auth")(EvalError {
                expression: self.shown(),
                reason: format!("gives {}, which cannot be written as text", kind_of(&value)),
            })
        })
    }

    /// Calls `visit` with every expression, and whether it stands inside a longer text.
    pub(crate) fn visit(&self, visit: &mut dyn FnMut(&Expression, bool)) {
        self.0.visit(visit);
    }

    /// Whether an expression reads this name.
    pub(crate) fn reads(&self, name: &str) -> bool {
        let mut reads = false;
        self.visit(&mut |expression, _| {
            reads |= expression.names().iter().any(|other| other == name);
        });
        reads
    }

    /// The text with `{name}` for expressions.
    pub(crate) fn shown(&self) -> String {
        self.0.shown()
    }
}
