//! Request bodies: one module for each kind. In every kind, expressions are only at the leaves, so that no argument can
//! change the structure around it.

mod content;
mod form;
mod graphql;
mod media;
mod multipart;

use std::borrow::Cow;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

pub(crate) use content::{Content, ContentSpec};
pub(crate) use form::{Field, FormSpec, FormTemplate};
pub(crate) use graphql::GraphqlSpec;
pub(crate) use multipart::{Part, PartSpec};

use self::content::ContentTemplate;
use self::graphql::GraphqlTemplate;
use self::media::MediaType;
use self::multipart::MultipartTemplate;
use super::{RenderError, Style};
use crate::source::{Check, Code, join};
use crate::template::{CallScope, Expression, Names, Template};
use crate::words::kind_of;
use crate::words::scalar_text;

/// The request body: exactly one kind, and optionally the media type that it is sent with.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(try_from = "BodyFields")]
#[schemars(with = "BodyFields")]
pub(crate) struct BodySpec {
    /// The kind.
    pub kind: BodyKind,
    /// The media type to send instead of the kind's own.
    pub content_type: Option<String>,
}

/// A kind of body.
#[derive(Debug, Clone)]
pub(crate) enum BodyKind {
    /// A JSON value.
    Json(Value),
    /// Form fields, URL-encoded.
    Form(FormSpec),
    /// Form data in parts.
    Multipart(IndexMap<String, PartSpec>),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(ContentSpec),
    /// A GraphQL operation.
    Graphql(GraphqlSpec),
}

/// The request body: exactly one kind, and optionally the media type that it is sent with.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    rename = "BodySpec",
    extend("oneOf" = [
        { "required": ["json"] },
        { "required": ["form"] },
        { "required": ["multipart"] },
        { "required": ["text"] },
        { "required": ["bytes"] },
        { "required": ["graphql"] }
    ])
)]
struct BodyFields {
    /// A JSON body: any tree with expressions at its leaves. A leaf whose param is absent is left out; null stays.
    /// `json: "{{ payload }}"` makes one argument the whole body.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Value", transform = without_default)]
    json: Option<Value>,
    /// Form fields (`application/x-www-form-urlencoded`): a map from the field's name to its value, or one expression
    /// that gives such a map. Objects are written as `a[b]=c` and arrays as `a[]=1`, unless a field has a `style`.
    form: Option<FormSpec>,
    /// Form data in parts (`multipart/form-data`): a map from the part's name to its value, or to a map with one of
    /// `value`, `base64` and `file`, and optionally `filename` and `content_type`. An array gives a part for each item;
    /// an object gives a part of JSON.
    multipart: Option<IndexMap<String, PartSpec>>,
    /// Text (`text/plain; charset=utf-8`).
    text: Option<String>,
    /// Bytes (`application/octet-stream`).
    bytes: Option<ContentSpec>,
    /// A GraphQL operation, sent as JSON. A response with `errors` counts as an error.
    graphql: Option<GraphqlSpec>,
    /// The media type to send instead of the kind's own, such as `application/vnd.api+json`. It may contain
    /// expressions.
    content_type: Option<String>,
}

/// A value that is present, even if it is null.
pub(super) fn present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// An absent value is `None`, and not null.
pub(super) fn without_default(schema: &mut Schema) {
    schema.remove("default");
}

impl TryFrom<BodyFields> for BodySpec {
    type Error = String;

    fn try_from(fields: BodyFields) -> Result<BodySpec, String> {
        let kinds = [
            fields.json.map(BodyKind::Json),
            fields.form.map(BodyKind::Form),
            fields.multipart.map(BodyKind::Multipart),
            fields.text.map(BodyKind::Text),
            fields.bytes.map(BodyKind::Bytes),
            fields.graphql.map(BodyKind::Graphql),
        ];
        Ok(BodySpec {
            kind: only_one(kinds)?,
            content_type: fields.content_type,
        })
    }
}

/// The kind that is present.
pub(super) fn only_one<T>(choices: impl IntoIterator<Item = Option<T>>) -> Result<T, String> {
    let mut given = choices.into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(only), None) => Ok(only),
        _ => Err("exactly one of these keys must be here".to_owned()),
    }
}

/// A compiled body.
#[derive(Debug)]
pub(crate) struct BodyTemplate {
    content_type: Option<Template>,
    kind: KindTemplate,
}

#[derive(Debug)]
enum KindTemplate {
    Json(Template),
    Form(FormTemplate),
    Multipart(MultipartTemplate),
    Text(Template),
    Bytes(ContentTemplate),
    Graphql(GraphqlTemplate),
}

/// A rendered body: a plain value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Body {
    /// The media type. For a multipart body, it has no boundary yet.
    pub content_type: String,
    /// What is sent.
    pub content: BodyContent,
}

/// What a body is made of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum BodyContent {
    /// One content.
    One(Content),
    /// Parts, which a boundary will separate.
    Multipart(Vec<Part>),
}

/// Which values can be written in the place of an expression in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValuePlace {
    /// Any.
    Any,
    /// Only scalars; null writes nothing.
    Scalar,
    /// Only scalars, because the expression is part of a longer text.
    Text,
    /// Scalars, and arrays of them.
    Repeated,
    /// Values that a style can write.
    Styled(Style),
    /// Scalars, objects, and arrays of both.
    Part,
    /// Only maps; null writes nothing.
    Map,
}

/// A function that takes an expression, the JSON Pointer of the value around it, and which values can be written there.
pub(crate) type VisitPlace<'v> = dyn FnMut(&Expression, &str, ValuePlace) + 'v;

impl BodyTemplate {
    /// Compiles the section; mistakes go to `check`.
    pub(crate) fn compile(
        spec: &BodySpec,
        pointer: &str,
        names: &Names,
        check: &Check,
    ) -> BodyTemplate {
        let at = |key: &str| join(pointer, key);
        let kind = match &spec.kind {
            BodyKind::Json(tree) => {
                KindTemplate::Json(Template::compile(tree, &at("json"), names, check))
            }
            BodyKind::Form(form) => {
                KindTemplate::Form(FormTemplate::compile(form, &at("form"), names, check))
            }
            BodyKind::Multipart(parts) => KindTemplate::Multipart(MultipartTemplate::compile(
                parts,
                &at("multipart"),
                names,
                check,
            )),
            BodyKind::Text(text) => {
                KindTemplate::Text(Template::compile_text(text, &at("text"), names, check))
            }
            BodyKind::Bytes(bytes) => {
                KindTemplate::Bytes(ContentTemplate::compile(bytes, &at("bytes"), names, check))
            }
            BodyKind::Graphql(graphql) => KindTemplate::Graphql(GraphqlTemplate::compile(
                graphql,
                &at("graphql"),
                names,
                check,
            )),
        };
        let media = match kind {
            KindTemplate::Multipart(_) => MediaType::Multipart,
            _ => MediaType::Any,
        };
        let content_type = spec
            .content_type
            .as_ref()
            .map(|text| media::compile(text, media, &at("content_type"), names, check));
        BodyTemplate { content_type, kind }
    }

    /// Whether the body is a GraphQL operation. Its responses report errors in their own way.
    pub(crate) fn is_graphql(&self) -> bool {
        matches!(self.kind, KindTemplate::Graphql(_))
    }

    /// Whether the value of a param is the path of a local file that is sent.
    pub(crate) fn takes_path(&self, param: &str) -> bool {
        let is_it = |content: &ContentTemplate| content.path_param() == Some(param);
        match &self.kind {
            KindTemplate::Bytes(content) => is_it(content),
            KindTemplate::Multipart(parts) => parts.contents().any(is_it),
            _ => false,
        }
    }

    /// The form, if the body is one.
    pub(crate) fn form(&self) -> Option<&FormTemplate> {
        match &self.kind {
            KindTemplate::Form(form) => Some(form),
            _ => None,
        }
    }

    /// The tree of the JSON body, or of the variables of a GraphQL operation; `None` for other kinds.
    pub(crate) fn tree(&self) -> Option<&Template> {
        match &self.kind {
            KindTemplate::Json(tree) => Some(tree),
            KindTemplate::Graphql(graphql) => graphql.variables(),
            _ => None,
        }
    }

    /// The query, if the body is a GraphQL operation.
    pub(crate) fn graphql_query(&self) -> Option<&str> {
        match &self.kind {
            KindTemplate::Graphql(graphql) => Some(graphql.query()),
            _ => None,
        }
    }

    /// The template of a text body, or of the base64 of a body of bytes; `None` for other kinds.
    pub(crate) fn content(&self) -> Option<&Template> {
        match &self.kind {
            KindTemplate::Text(text) => Some(text),
            KindTemplate::Bytes(ContentTemplate::Base64(base64)) => Some(base64),
            _ => None,
        }
    }

    /// The kind, as its key in the descriptor.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.kind {
            KindTemplate::Json(_) => "json",
            KindTemplate::Form(_) => "form",
            KindTemplate::Multipart(_) => "multipart",
            KindTemplate::Text(_) => "text",
            KindTemplate::Bytes(_) => "bytes",
            KindTemplate::Graphql(_) => "graphql",
        }
    }

    /// Calls `visit` with every expression, and whether it stands inside a longer text.
    pub(crate) fn visit(&self, visit: &mut dyn FnMut(&Expression, bool)) {
        if let Some(content_type) = &self.content_type {
            content_type.visit(visit);
        }
        match &self.kind {
            KindTemplate::Json(template) | KindTemplate::Text(template) => template.visit(visit),
            KindTemplate::Form(form) => form.visit(visit),
            KindTemplate::Multipart(parts) => parts.visit(visit),
            KindTemplate::Bytes(bytes) => bytes.template().visit(visit),
            KindTemplate::Graphql(graphql) => graphql.visit(visit),
        }
    }

    /// Calls `visit` with every expression and its place; `pointer` is that of the body.
    pub(crate) fn visit_places(&self, pointer: &str, visit: &mut VisitPlace<'_>) {
        let at = |key: &str| join(pointer, key);
        if let Some(content_type) = &self.content_type {
            visit_tree(content_type, &at("content_type"), ValuePlace::Scalar, visit);
        }
        match &self.kind {
            KindTemplate::Json(tree) => visit_tree(tree, &at("json"), ValuePlace::Any, visit),
            KindTemplate::Text(text) => visit_tree(text, &at("text"), ValuePlace::Scalar, visit),
            KindTemplate::Form(form) => form.visit_places(&at("form"), visit),
            KindTemplate::Multipart(parts) => parts.visit_places(&at("multipart"), visit),
            KindTemplate::Bytes(bytes) => {
                let at = join(&at("bytes"), bytes.key());
                visit_tree(bytes.template(), &at, ValuePlace::Scalar, visit);
            }
            KindTemplate::Graphql(graphql) => graphql.visit_places(&at("graphql"), visit),
        }
    }

    /// The body; `None` if it is a single value that is absent.
    ///
    /// # Errors
    /// When an expression fails, or a value cannot be written in its place.
    pub(crate) fn render(&self, scope: &CallScope<'_>) -> Result<Option<Body>, RenderError> {
        let one = |content: Option<Content>| content.map(BodyContent::One);
        let (own_type, content) = match &self.kind {
            KindTemplate::Json(tree) => {
                let json = tree
                    .render(scope)
                    .map_err(RenderError::expression("body"))?;
                ("application/json", one(json.map(Content::Json)))
            }
            KindTemplate::Graphql(graphql) => {
                let json = graphql.render(scope)?;
                ("application/json", one(Some(Content::Json(json))))
            }
            KindTemplate::Form(form) => {
                let text = form.render(scope)?.map(Content::Text);
                ("application/x-www-form-urlencoded", one(text))
            }
            KindTemplate::Text(text) => {
                let text = render_text(text, "body", scope)?.map(Content::Text);
                ("text/plain; charset=utf-8", one(text))
            }
            KindTemplate::Bytes(bytes) => (
                "application/octet-stream",
                one(bytes.render("body", scope)?),
            ),
            KindTemplate::Multipart(parts) => (
                "multipart/form-data",
                Some(BodyContent::Multipart(parts.render(scope)?)),
            ),
        };
        let Some(content) = content else {
            return Ok(None);
        };
        let given = match &self.content_type {
            Some(template) => media::render(template, "body.content_type", scope)?,
            None => None,
        };
        Ok(Some(Body {
            content_type: given.unwrap_or_else(|| own_type.to_owned()),
            content,
        }))
    }
}

impl Body {
    /// The bytes that are sent, piece by piece. `boundary` separates parts.
    pub(crate) fn pieces(&self, boundary: &str) -> Vec<Cow<'_, Content>> {
        match &self.content {
            BodyContent::One(content) => vec![Cow::Borrowed(content)],
            BodyContent::Multipart(parts) => multipart::pieces(parts, boundary),
        }
    }

    /// How the body is shown and compared: the JSON value, the text, `{base64}` or `{file}`, or the list of parts.
    pub(crate) fn to_value(&self) -> Value {
        match &self.content {
            BodyContent::One(content) => content.to_value(),
            BodyContent::Multipart(parts) => parts.iter().map(Part::to_value).collect(),
        }
    }
}

/// The text that a template gives; `None` for an absent value and for null.
fn render_text(
    template: &Template,
    place: &str,
    scope: &CallScope<'_>,
) -> Result<Option<String>, RenderError> {
    let value = template
        .render(scope)
        .map_err(RenderError::expression(place))?;
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(value) => text_of(&value, place).map(Some),
    }
}

fn text_of(value: &Value, place: &str) -> Result<String, RenderError> {
    scalar_text(value).ok_or_else(|| {
        RenderError::value(
            place,
            format!("{} cannot be written as text", kind_of(value)),
        )
    })
}

/// Calls `visit` with every expression of a tree. An expression that is a whole leaf gets `place`; one inside a longer
/// text must give a scalar.
fn visit_tree(template: &Template, pointer: &str, place: ValuePlace, visit: &mut VisitPlace<'_>) {
    template.visit_at(pointer, &mut |expression, pointer, in_text| {
        let place = if in_text { ValuePlace::Text } else { place };
        visit(expression, pointer, place);
    });
}

/// What gives a value, for messages: the name of the param, if it is one.
fn named(template: &Template) -> String {
    match template {
        Template::Expression(expression) if expression.names() == [expression.text()] => {
            format!("the param `{}`", expression.text())
        }
        Template::Expression(expression) => format!("`{}`", expression.text()),
        _ => "the value".to_owned(),
    }
}

/// Reports a text that is neither a map nor a single expression.
fn report_no_map(template: &Template, pointer: &str, check: &Check) {
    if !matches!(
        template,
        Template::Expression(_) | Template::Map(_) | Template::Literal(Value::Null)
    ) {
        check.error_with_help(
            Code::BadBody,
            pointer,
            "this is neither a map nor one expression that gives a map",
            "write a map, or `\"{{ param }}\"`",
        );
    }
}
