//! Request bodies: trees with expressions at their leaves, so that no argument can break out of its place.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::RenderError;
use crate::descriptor::code::Code;
use crate::descriptor::source::{Check, join};
use crate::template::{CallScope, Expression, Names, Template};

/// The request body: exactly one kind.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BodySpec {
    /// A JSON body: any tree with expressions at its leaves. A leaf whose param is absent is left out; null stays.
    pub json: Value,
    /// The media type to send instead of `application/json`.
    pub content_type: Option<String>,
}

/// A compiled body.
#[derive(Debug)]
pub struct BodyTemplate {
    content_type: String,
    json: Template,
}

/// A rendered body.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    /// The media type.
    pub content_type: String,
    /// The JSON value.
    pub json: Value,
}

impl Body {
    /// The bytes that go over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        self.json.to_string().into_bytes()
    }
}

impl BodyTemplate {
    /// Compiles the section; mistakes go to `check`.
    pub fn compile(spec: &BodySpec, pointer: &str, names: &Names, check: &Check) -> BodyTemplate {
        let content_type = spec
            .content_type
            .clone()
            .unwrap_or("application/json".into());
        if !content_type.contains('/')
            || !content_type
                .chars()
                .all(|c| c.is_ascii_graphic() || c == ' ')
        {
            check.error(
                Code::BadBody,
                &join(pointer, "content_type"),
                format!("`{content_type}` is no media type, such as application/json"),
            );
        }
        BodyTemplate {
            content_type,
            json: Template::compile(&spec.json, &join(pointer, "json"), names, check),
        }
    }

    /// The tree of a JSON body.
    pub fn tree(&self) -> &Template {
        &self.json
    }

    /// Calls `visit` with every expression, and whether it stands inside a longer text.
    pub fn visit(&self, visit: &mut dyn FnMut(&Expression, bool)) {
        self.json.visit(visit);
    }

    /// The body; `None` when the whole of it is one absent value.
    ///
    /// # Errors
    /// When an expression fails.
    pub fn render(&self, scope: &CallScope<'_>) -> Result<Option<Body>, RenderError> {
        let json = self
            .json
            .render(scope)
            .map_err(RenderError::expression("body"))?;
        Ok(json.map(|json| Body {
            content_type: self.content_type.clone(),
            json,
        }))
    }
}
