//! Form data in parts: `multipart/form-data` (RFC 7578), written as WHATWG's encoder writes it.

use std::borrow::Cow;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::content::{Content, ContentSpec, ContentTemplate};
use super::media::{self, MediaType};
use super::{
    ValuePlace, VisitPlace, only_one, present, render_text, text_of, visit_tree, without_default,
};
use crate::plan::{RenderError, Scalar};
use crate::source::{Check, Code, join, join_index};
use crate::template::{CallScope, Expression, Names, Template};

/// A part: its value, or a map that describes it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum PartSpec {
    /// A scalar, or a string with `{{ expression }}`. An array gives a part for each item, an object a part of JSON.
    Plain(Scalar),
    /// Several parts of the same name.
    List(Vec<Scalar>),
    /// A value, or bytes, with a file name and a media type.
    Described(DescribedPart),
}

/// A part with its file name and media type. Exactly one of `value`, `base64` and `file` holds its content.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(try_from = "PartFields")]
#[schemars(with = "PartFields")]
pub(crate) struct DescribedPart {
    /// The content.
    pub content: PartContentSpec,
    /// The file name.
    pub filename: Option<String>,
    /// The media type.
    pub content_type: Option<String>,
}

/// What a part holds.
#[derive(Debug, Clone)]
pub(crate) enum PartContentSpec {
    /// A value.
    Value(Value),
    /// Bytes.
    Bytes(ContentSpec),
}

/// A part with its file name and media type. Exactly one of `value`, `base64` and `file` holds its content.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    rename = "DescribedPart",
    extend("oneOf" = [
        { "required": ["value"] },
        { "required": ["base64"] },
        { "required": ["file"] }
    ])
)]
struct PartFields {
    /// A value: a scalar is a part of text, an object a part of JSON, an array a part for each item.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Value", transform = without_default)]
    value: Option<Value>,
    /// Bytes in base64, in the standard or the URL-safe alphabet. A `data:` URI is accepted too. An array gives a part
    /// for each item.
    base64: Option<String>,
    /// The path of a local file, which is read when the request is sent. An array gives a part for each item.
    file: Option<String>,
    /// The file name to send. The default is the name of the `file`, or `blob` for `base64`.
    filename: Option<String>,
    /// The media type of the part. The default is none for text, `application/json` for objects, and
    /// `application/octet-stream` for bytes.
    content_type: Option<String>,
}

impl TryFrom<PartFields> for DescribedPart {
    type Error = String;

    fn try_from(fields: PartFields) -> Result<DescribedPart, String> {
        let bytes = |spec| PartContentSpec::Bytes(spec);
        Ok(DescribedPart {
            content: only_one([
                fields.value.map(PartContentSpec::Value),
                fields.base64.map(ContentSpec::Base64).map(bytes),
                fields.file.map(ContentSpec::File).map(bytes),
            ])?,
            filename: fields.filename,
            content_type: fields.content_type,
        })
    }
}

/// A rendered part.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    /// The name of the form field.
    pub name: String,
    /// The file name.
    pub filename: Option<String>,
    /// The media type.
    pub content_type: Option<String>,
    /// The content.
    pub content: Content,
}

impl Part {
    /// How the part is shown: `{name, filename?, content_type?, value | base64 | file}`.
    pub(crate) fn to_value(&self) -> Value {
        let mut shown = Map::new();
        shown.insert("name".to_owned(), self.name.as_str().into());
        for (key, text) in [
            ("filename", &self.filename),
            ("content_type", &self.content_type),
        ] {
            if let Some(text) = text {
                shown.insert(key.to_owned(), text.as_str().into());
            }
        }
        match (&self.content, self.content.to_value()) {
            (Content::Bytes(_) | Content::File(_), Value::Object(members)) => shown.extend(members),
            (_, value) => {
                shown.insert("value".to_owned(), value);
            }
        }
        Value::Object(shown)
    }
}

/// Compiled parts.
#[derive(Debug)]
pub(crate) struct MultipartTemplate {
    parts: Vec<PartTemplate>,
}

#[derive(Debug)]
struct PartTemplate {
    name: String,
    content: PartContent,
    filename: Option<Template>,
    content_type: Option<Template>,
    is_described: bool,
}

#[derive(Debug)]
enum PartContent {
    Value(Template),
    Bytes(ContentTemplate),
}

impl PartContent {
    fn template(&self) -> &Template {
        match self {
            PartContent::Value(template) => template,
            PartContent::Bytes(content) => content.template(),
        }
    }
}

impl MultipartTemplate {
    /// Compiles the section; mistakes go to `check`.
    pub(crate) fn compile(
        spec: &IndexMap<String, PartSpec>,
        pointer: &str,
        names: &Names,
        check: &Check,
    ) -> MultipartTemplate {
        let parts = spec
            .iter()
            .map(|(name, part)| {
                PartTemplate::compile(name, part, &join(pointer, name), names, check)
            })
            .collect();
        MultipartTemplate { parts }
    }

    /// The contents that are bytes.
    pub(crate) fn contents(&self) -> impl Iterator<Item = &ContentTemplate> {
        self.parts.iter().filter_map(|part| match &part.content {
            PartContent::Bytes(content) => Some(content),
            PartContent::Value(_) => None,
        })
    }

    pub(crate) fn visit(&self, visit: &mut dyn FnMut(&Expression, bool)) {
        for part in &self.parts {
            part.content.template().visit(visit);
            for template in [&part.filename, &part.content_type].into_iter().flatten() {
                template.visit(visit);
            }
        }
    }

    pub(crate) fn visit_places(&self, pointer: &str, visit: &mut VisitPlace<'_>) {
        for part in &self.parts {
            let at = join(pointer, &part.name);
            let (key, place) = match &part.content {
                PartContent::Value(_) => ("value", ValuePlace::Part),
                PartContent::Bytes(content) => (content.key(), ValuePlace::Repeated),
            };
            let content_at = match part.is_described {
                true => join(&at, key),
                false => at.clone(),
            };
            match part.content.template() {
                // Values inside an object are JSON.
                tree @ Template::Map(_) => visit_tree(tree, &content_at, ValuePlace::Any, visit),
                tree => visit_tree(tree, &content_at, place, visit),
            }
            for (key, template) in [
                ("filename", &part.filename),
                ("content_type", &part.content_type),
            ] {
                if let Some(template) = template {
                    visit_tree(template, &join(&at, key), ValuePlace::Scalar, visit);
                }
            }
        }
    }

    /// The parts in order. Absent values and null give no part.
    ///
    /// # Errors
    /// When an expression fails, or a value cannot be written as a part.
    pub(crate) fn render(&self, scope: &CallScope<'_>) -> Result<Vec<Part>, RenderError> {
        let mut parts = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            part.render(scope, &mut parts)?;
        }
        Ok(parts)
    }
}

impl PartTemplate {
    fn compile(
        name: &str,
        spec: &PartSpec,
        pointer: &str,
        names: &Names,
        check: &Check,
    ) -> PartTemplate {
        if name.is_empty() {
            check.error_at_key(Code::BadBody, pointer, "a part needs a name", None);
        }
        let (mut filename, mut content_type) = (None, None);
        let content = match spec {
            PartSpec::Plain(value) => {
                let value = Value::from(value);
                PartContent::Value(Template::compile(&value, pointer, names, check))
            }
            PartSpec::List(items) => {
                let items = items.iter().enumerate().map(|(i, item)| {
                    Template::compile(&Value::from(item), &join_index(pointer, i), names, check)
                });
                PartContent::Value(Template::List(items.collect()))
            }
            PartSpec::Described(described) => {
                filename = described.filename.as_ref().map(|text| {
                    Template::compile_text(text, &join(pointer, "filename"), names, check)
                });
                content_type = described.content_type.as_ref().map(|text| {
                    let at = join(pointer, "content_type");
                    media::compile(text, MediaType::Any, &at, names, check)
                });
                match &described.content {
                    PartContentSpec::Value(value) => {
                        let at = join(pointer, "value");
                        PartContent::Value(Template::compile(value, &at, names, check))
                    }
                    PartContentSpec::Bytes(spec) => {
                        PartContent::Bytes(ContentTemplate::compile(spec, pointer, names, check))
                    }
                }
            }
        };
        PartTemplate {
            name: name.to_owned(),
            content,
            filename,
            content_type,
            is_described: matches!(spec, PartSpec::Described(_)),
        }
    }

    fn render(&self, scope: &CallScope<'_>, parts: &mut Vec<Part>) -> Result<(), RenderError> {
        let place = format!("part `{}`", self.name);
        let value = self
            .content
            .template()
            .render(scope)
            .map_err(RenderError::expression(place.as_str()))?;
        let items = match value {
            None | Some(Value::Null) => return Ok(()),
            Some(Value::Array(items)) => items,
            Some(value) => vec![value],
        };
        let filename = match &self.filename {
            Some(template) => render_text(template, &place, scope)?,
            None => None,
        };
        let content_type = match &self.content_type {
            Some(template) => media::render(template, &place, scope)?,
            None => None,
        };
        for item in items.into_iter().filter(|item| !item.is_null()) {
            let content = match &self.content {
                PartContent::Bytes(template) => template.content_of(&item, &place)?,
                PartContent::Value(_) if item.is_object() => Content::Json(item),
                PartContent::Value(_) => Content::Text(text_of(&item, &place)?),
            };
            parts.push(Part {
                name: self.name.clone(),
                filename: filename.clone().or_else(|| own_filename(&content)),
                content_type: content_type.clone().or_else(|| own_type(&content)),
                content,
            });
        }
        Ok(())
    }
}

/// The file name of bytes without one of their own. Without a file name, servers would take the part for a text field.
fn own_filename(content: &Content) -> Option<String> {
    match content {
        Content::File(path) => std::path::Path::new(path)
            .file_name()
            .map(|name| name.to_string_lossy().into_owned()),
        Content::Bytes(_) => Some("blob".to_owned()),
        Content::Json(_) | Content::Text(_) => None,
    }
}

fn own_type(content: &Content) -> Option<String> {
    match content {
        Content::Json(_) => Some("application/json".to_owned()),
        Content::Bytes(_) | Content::File(_) => Some("application/octet-stream".to_owned()),
        Content::Text(_) => None,
    }
}

/// The body with all its parts, piece by piece.
pub(crate) fn pieces<'p>(parts: &'p [Part], boundary: &str) -> Vec<Cow<'p, Content>> {
    let mut pieces = Vec::with_capacity(2 * parts.len() + 1);
    let mut before = String::new();
    for part in parts {
        before.push_str(&head(part, boundary));
        pieces.push(Cow::Owned(Content::Text(before)));
        pieces.push(Cow::Borrowed(&part.content));
        before = "\r\n".to_owned();
    }
    before.push_str(&format!("--{boundary}--\r\n"));
    pieces.push(Cow::Owned(Content::Text(before)));
    pieces
}

/// A part's delimiter and header.
fn head(part: &Part, boundary: &str) -> String {
    let mut head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"",
        escaped(&part.name)
    );
    if let Some(filename) = &part.filename {
        head.push_str(&format!("; filename=\"{}\"", escaped(filename)));
    }
    if let Some(content_type) = &part.content_type {
        head.push_str(&format!("\r\nContent-Type: {content_type}"));
    }
    head.push_str("\r\n\r\n");
    head
}

/// A name for use between quotes: it cannot end the quotes or the line.
fn escaped(text: &str) -> Cow<'_, str> {
    match text.contains(['"', '\r', '\n']) {
        true => text
            .replace('"', "%22")
            .replace('\r', "%0D")
            .replace('\n', "%0A")
            .into(),
        false => text.into(),
    }
}
