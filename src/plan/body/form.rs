//! Form fields, written as WHATWG's `application/x-www-form-urlencoded` serializer writes them.

use std::borrow::Cow;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer};
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::{ValuePlace, VisitPlace, report_no_map, visit_tree};
use crate::plan::RenderError;
use crate::plan::style::{Style, Styled};
use crate::source::{Check, Code, join};
use crate::template::{CallScope, Expression, Names, Template};
use crate::words::{kind_of, nearest};

/// Form fields.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum FormSpec {
    /// From the field's name to its value.
    Fields(IndexMap<String, FormEntry>),
    /// One expression that gives a map.
    Whole(String),
}

/// The value of a form field.
#[derive(Debug, Clone)]
pub(crate) enum FormEntry {
    /// Any tree with expressions at its leaves.
    Tree(Value),
    /// A value with the style that writes its arrays and objects.
    Styled(StyledEntry),
}

/// A form field's value, with the style in which its arrays and objects are written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StyledEntry {
    /// The value: any tree with expressions at its leaves.
    pub value: Value,
    /// How arrays and objects are written; `brackets` when absent.
    pub style: Option<Style>,
    /// With `form`, `space` and `pipe`: whether each item is a field of its own, as in the query.
    pub explode: Option<bool>,
}

/// The keys of [`StyledEntry`]. A map with no other keys, and with a `value`, is one.
const STYLED_KEYS: [&str; 3] = ["value", "style", "explode"];

impl<'de> Deserialize<'de> for FormEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<FormEntry, D::Error> {
        let value = Value::deserialize(deserializer)?;
        match &value {
            Value::Object(members)
                if members.contains_key("value")
                    && members
                        .keys()
                        .all(|key| STYLED_KEYS.contains(&key.as_str())) =>
            {
                StyledEntry::deserialize(value)
                    .map(FormEntry::Styled)
                    .map_err(de::Error::custom)
            }
            _ => Ok(FormEntry::Tree(value)),
        }
    }
}

impl JsonSchema for FormEntry {
    fn schema_name() -> Cow<'static, str> {
        "FormEntry".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The value of a form field: any tree with expressions at its leaves. A map of `value`, and perhaps `style` and `explode`, is a value with the style that writes its arrays and objects.",
            "if": {
                "type": "object",
                "required": ["value"],
                "propertyNames": { "enum": STYLED_KEYS }
            },
            "then": generator.subschema_for::<StyledEntry>()
        })
    }
}

/// A compiled form.
#[derive(Debug)]
pub(crate) enum FormTemplate {
    /// Fields by name.
    Fields(Vec<Field>),
    /// One expression that gives a map.
    Whole(Template),
}

/// A compiled form field.
#[derive(Debug)]
pub(crate) struct Field {
    /// The name on the wire.
    pub name: String,
    /// The value.
    pub value: Template,
    /// How arrays and objects are written.
    pub style: Style,
    /// Whether each item is a field of its own.
    pub(crate) explode: bool,
    is_styled: bool,
}

impl FormTemplate {
    /// Compiles the section; mistakes go to `check`.
    pub(crate) fn compile(
        spec: &FormSpec,
        pointer: &str,
        names: &Names,
        check: &Check,
    ) -> FormTemplate {
        match spec {
            FormSpec::Whole(text) => {
                let template = Template::compile_text(text, pointer, names, check);
                report_no_map(&template, pointer, check);
                FormTemplate::Whole(template)
            }
            FormSpec::Fields(fields) => FormTemplate::Fields(
                fields
                    .iter()
                    .map(|(name, entry)| {
                        Field::compile(name, entry, &join(pointer, name), names, check)
                    })
                    .collect(),
            ),
        }
    }

    /// Calls `visit` with every expression, and whether it stands inside a longer text.
    pub(crate) fn visit(&self, visit: &mut dyn FnMut(&Expression, bool)) {
        match self {
            FormTemplate::Whole(template) => template.visit(visit),
            FormTemplate::Fields(fields) => {
                fields.iter().for_each(|field| field.value.visit(visit));
            }
        }
    }

    pub(super) fn visit_places(&self, pointer: &str, visit: &mut VisitPlace<'_>) {
        match self {
            FormTemplate::Whole(template) => visit_tree(template, pointer, ValuePlace::Map, visit),
            FormTemplate::Fields(fields) => {
                for field in fields {
                    let at = join(pointer, &field.name);
                    let at = match field.is_styled {
                        true => join(&at, "value"),
                        false => at,
                    };
                    let place = match field.style {
                        Style::Json => ValuePlace::Any,
                        style => ValuePlace::Styled(style),
                    };
                    visit_tree(&field.value, &at, place, visit);
                }
            }
        }
    }

    /// The body's text; `None` if it is a single value that is absent.
    ///
    /// # Errors
    /// When an expression fails, or the style cannot write a value.
    pub(crate) fn render(&self, scope: &CallScope<'_>) -> Result<Option<String>, RenderError> {
        let mut text = String::new();
        match self {
            FormTemplate::Fields(fields) => {
                for field in fields {
                    let place = || format!("form `{}`", field.name);
                    let value = field
                        .value
                        .render_present(scope)
                        .map_err(RenderError::expression(place()))?;
                    if let Some(value) = value {
                        write(&field.name, &value, field.style, field.explode, &mut text)?;
                    }
                }
            }
            FormTemplate::Whole(template) => {
                let value = template
                    .render(scope)
                    .map_err(RenderError::expression("form"))?;
                let Some(members) = whole_map(value)? else {
                    return Ok(None);
                };
                for (name, value) in &members {
                    write(name, value, Style::Brackets, true, &mut text)?;
                }
            }
        }
        Ok(Some(text))
    }
}

fn whole_map(value: Option<Value>) -> Result<Option<Map<String, Value>>, RenderError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(members)) => Ok(Some(members)),
        Some(other) => Err(RenderError::value(
            "form",
            format!("{} is no map of fields", kind_of(&other)),
        )),
    }
}

impl Field {
    fn compile(
        name: &str,
        entry: &FormEntry,
        pointer: &str,
        names: &Names,
        check: &Check,
    ) -> Field {
        if name.is_empty() {
            check.error_at_key(Code::BadBody, pointer, "a form field needs a name", None);
        }
        let (value, at, style, explode) = match entry {
            FormEntry::Tree(tree) => {
                report_almost_styled(tree, pointer, check);
                (tree, pointer.to_owned(), None, None)
            }
            FormEntry::Styled(styled) => (
                &styled.value,
                join(pointer, "value"),
                styled.style,
                styled.explode,
            ),
        };
        let style = style.unwrap_or(Style::Brackets);
        Field {
            name: name.to_owned(),
            value: Template::compile(value, &at, names, check),
            style,
            explode: explode.unwrap_or(style.explodes()),
            is_styled: matches!(entry, FormEntry::Styled(_)),
        }
    }
}

/// If `style` were misspelt next to a `value`, it would be sent as a part of the value.
fn report_almost_styled(tree: &Value, pointer: &str, check: &Check) {
    let Some(members) = tree.as_object().filter(|map| map.contains_key("value")) else {
        return;
    };
    let keys = || STYLED_KEYS.into_iter();
    let others = || {
        members
            .keys()
            .filter(|key| !STYLED_KEYS.contains(&key.as_str()))
    };
    if others().all(|key| nearest(key, keys()).is_some()) {
        for key in others() {
            check.error_at_key(
                Code::UnknownKey,
                &join(pointer, key),
                format!("`{key}` is no key here"),
                nearest(key, keys()),
            );
        }
    }
}

fn write(
    name: &str,
    value: &Value,
    style: Style,
    explode: bool,
    text: &mut String,
) -> Result<(), RenderError> {
    let styled = Styled {
        part: "form",
        name,
        style,
        explode,
    };
    styled.write(value, &mut |name, items, delimiter| {
        if !text.is_empty() {
            text.push('&');
        }
        let value = items.join(delimiter.encode_utf8(&mut [0; 4]));
        text.extend(form_urlencoded::byte_serialize(name.as_bytes()));
        text.push('=');
        text.extend(form_urlencoded::byte_serialize(value.as_bytes()));
    })
}
