//! Styles: how one parameter writes its arrays and objects, in the query and in form bodies.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::RenderError;
use crate::words::kind_of;
use crate::words::scalar_text;

/// How an array or object is written: the styles of OpenAPI 3, and four that OpenAPI does not have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// `a=1&a=2`.
    #[default]
    Repeat,
    /// `a=1,2`.
    Comma,
    /// `a[]=1&a[]=2`; objects are `a[k]=v`.
    Brackets,
    /// `a[0]=1&a[1]=2`; objects are `a[k]=v`, and a list of them `a[0][k]=v`.
    Indexed,
    /// OpenAPI `form`: `a=1&a=2`, or `a=1,2` without explode; objects are `k=v`, or `a=k,v`.
    Form,
    /// OpenAPI `spaceDelimited`: `a=1%202`.
    Space,
    /// OpenAPI `pipeDelimited`: `a=1%7C2`.
    Pipe,
    /// OpenAPI `deepObject`: `a[k]=v`.
    DeepObject,
    /// JSON text: `a={"k":1}`, also for scalars.
    Json,
}

impl Style {
    /// Whether each item is a parameter of its own, unless the descriptor says otherwise. This is OpenAPI's default.
    pub fn explodes(self) -> bool {
        !matches!(self, Style::Space | Style::Pipe | Style::Json)
    }

    /// What separates the items of an array in one parameter; `None` if each item is a parameter of its own.
    fn delimiter(self, explode: bool) -> Option<char> {
        match self {
            Style::Comma => Some(','),
            Style::Form if !explode => Some(','),
            Style::Space if !explode => Some(' '),
            Style::Pipe if !explode => Some('|'),
            _ => None,
        }
    }

    fn is_deep(self) -> bool {
        matches!(self, Style::Brackets | Style::DeepObject | Style::Indexed)
    }
}

/// A function that takes a parameter to be written: its name, and the items that the delimiter joins. Nothing is
/// encoded yet.
pub(crate) type Emit<'e> = dyn FnMut(&str, &[String], char) + 'e;

/// A parameter with its style.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Styled<'n> {
    /// The part of the request, for messages: `query` or `form`.
    pub part: &'static str,
    /// The name in the URL or form.
    pub name: &'n str,
    /// The style.
    pub style: Style,
    /// Whether each item of an array is a parameter of its own.
    pub explode: bool,
}

impl Styled<'_> {
    /// Writes a value. Null and empty values write nothing.
    ///
    /// # Errors
    /// When this style cannot write the value.
    pub(crate) fn write(&self, value: &Value, emit: &mut Emit<'_>) -> Result<(), RenderError> {
        match value {
            Value::Null => Ok(()),
            json if self.style == Style::Json => {
                emit(self.name, &[json.to_string()], ',');
                Ok(())
            }
            Value::Array(items) if self.style == Style::Indexed => {
                self.write_deep_items(self.name, items, emit)
            }
            Value::Array(items) => self.write_array(items, emit),
            Value::Object(members) => self.write_object(members, emit),
            scalar => {
                emit(self.name, &[self.scalar(scalar)?], ',');
                Ok(())
            }
        }
    }

    fn write_array(&self, items: &[Value], emit: &mut Emit<'_>) -> Result<(), RenderError> {
        let items = self.scalars(items)?;
        if items.is_empty() {
            return Ok(());
        }
        match self.style.delimiter(self.explode) {
            Some(delimiter) => emit(self.name, &items, delimiter),
            None if self.style.is_deep() => {
                let name = format!("{}[]", self.name);
                items.into_iter().for_each(|item| emit(&name, &[item], ','));
            }
            None => items
                .into_iter()
                .for_each(|item| emit(self.name, &[item], ',')),
        }
        Ok(())
    }

    fn write_object(
        &self,
        members: &Map<String, Value>,
        emit: &mut Emit<'_>,
    ) -> Result<(), RenderError> {
        let present = || members.iter().filter(|(_, member)| !member.is_null());
        match self.style {
            style if style.is_deep() => self.write_deep(self.name, members, emit),
            Style::Form if self.explode => {
                for (key, member) in present() {
                    emit(key, &[self.scalar(member)?], ',');
                }
                Ok(())
            }
            Style::Repeat => Err(RenderError::value(
                self.part_and_name(),
                "an object cannot be written by repeating the key; give the parameter a `style`, such as deep_object",
            )),
            style => {
                let mut parts = Vec::new();
                for (key, member) in present() {
                    parts.push(key.clone());
                    parts.push(self.scalar(member)?);
                }
                if !parts.is_empty() {
                    // With explode too: an object that is joined by a delimiter can be written in only one way.
                    emit(self.name, &parts, style.delimiter(false).unwrap_or(','));
                }
                Ok(())
            }
        }
    }

    fn write_deep(
        &self,
        prefix: &str,
        members: &Map<String, Value>,
        emit: &mut Emit<'_>,
    ) -> Result<(), RenderError> {
        for (key, member) in members {
            self.write_deep_member(&format!("{prefix}[{key}]"), member, emit)?;
        }
        Ok(())
    }

    fn write_deep_items(
        &self,
        prefix: &str,
        items: &[Value],
        emit: &mut Emit<'_>,
    ) -> Result<(), RenderError> {
        for (index, item) in items.iter().enumerate() {
            self.write_deep_member(&format!("{prefix}[{index}]"), item, emit)?;
        }
        Ok(())
    }

    fn write_deep_member(
        &self,
        name: &str,
        member: &Value,
        emit: &mut Emit<'_>,
    ) -> Result<(), RenderError> {
        match member {
            Value::Null => {}
            Value::Object(inner) => self.write_deep(name, inner, emit)?,
            Value::Array(items) if self.style == Style::Indexed => {
                self.write_deep_items(name, items, emit)?;
            }
            Value::Array(items) => {
                let name = format!("{name}[]");
                for item in self.scalars(items)? {
                    emit(&name, &[item], ',');
                }
            }
            scalar => emit(name, &[self.scalar(scalar)?], ','),
        }
        Ok(())
    }

    fn scalars(&self, items: &[Value]) -> Result<Vec<String>, RenderError> {
        items.iter().map(|item| self.scalar(item)).collect()
    }

    fn scalar(&self, value: &Value) -> Result<String, RenderError> {
        scalar_text(value).ok_or_else(|| {
            let hint = match self.style {
                Style::Brackets | Style::DeepObject => "; `style: indexed` writes lists of objects",
                _ => "",
            };
            RenderError::value(
                self.part_and_name(),
                format!("{} cannot be written as one value{hint}", kind_of(value)),
            )
        })
    }

    fn part_and_name(&self) -> String {
        format!("{} `{}`", self.part, self.name)
    }
}
