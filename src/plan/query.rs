//! Query parameters: how scalars, arrays and objects are written.

use std::borrow::Cow;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::style::{Style, Styled};
use super::{Label, RenderError, Scalar, Text, percent_encode, percent_encoded, reserved};
use crate::source::{Check, Code, join, join_index};
use crate::template::{CallScope, Expression, Names, Template, is_identifier};
use crate::words::scalar_text;

/// Query parameters: a list of params that are sent by their own names, or a map from the name in the URL to its value.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum QuerySpec {
    /// `[a, b]` is short for `a: "{{ a }}"`, `b: "{{ b }}"`.
    Names(Vec<String>),
    /// From the name in the URL to the value.
    Map(#[schemars(extend("propertyNames" = { "minLength": 1 }))] IndexMap<String, QueryEntry>),
}

impl QuerySpec {
    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        match self {
            QuerySpec::Names(names) => names.is_empty(),
            QuerySpec::Map(map) => map.is_empty(),
        }
    }
}

impl Default for QuerySpec {
    fn default() -> QuerySpec {
        QuerySpec::Names(Vec::new())
    }
}

/// The value of a query parameter.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum QueryEntry {
    /// A scalar, or a string with `{{ expression }}`. An array repeats the key.
    Plain(Scalar),
    /// Several values; the key is repeated.
    List(Vec<Scalar>),
    /// A value with the style that writes its arrays and objects.
    Styled(StyledQuery),
}

/// A query value with the style in which its arrays and objects are written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StyledQuery {
    /// The value, usually `"{{ param }}"`.
    pub value: Scalar,
    /// How arrays and objects are written.
    #[serde(default)]
    pub style: Style,
    /// With `form`, `space` and `pipe`: whether each item is a parameter of its own. The default is OpenAPI's: true for
    /// `form`, false for the others.
    pub explode: Option<bool>,
    /// Whether the characters `:/?@!$()*,;=` of the value are written as they are. All others are percent-encoded.
    #[serde(default)]
    pub reserved: bool,
}

/// Compiled query parameters.
#[derive(Debug, Default)]
pub struct QueryTemplate {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    /// The name, percent-encoded.
    encoded_name: Label,
    value: Template,
    style: Style,
    explode: bool,
    reserved: bool,
}

impl QueryTemplate {
    /// Compiles the section; mistakes go to `check`.
    pub fn compile(spec: &QuerySpec, pointer: &str, names: &Names, check: &Check) -> QueryTemplate {
        let entries = match spec {
            QuerySpec::Names(list) => list
                .iter()
                .enumerate()
                .map(|(i, name)| named(name, &join_index(pointer, i), names, check))
                .collect(),
            QuerySpec::Map(map) => map
                .iter()
                .map(|(name, entry)| keyed(name, entry, &join(pointer, name), names, check))
                .collect(),
        };
        QueryTemplate { entries }
    }

    /// Calls `visit` with every expression, and whether it stands inside a longer text.
    pub fn visit(&self, visit: &mut dyn FnMut(&Expression, bool)) {
        self.entries
            .iter()
            .for_each(|entry| entry.value.visit(visit));
    }

    /// Like [`QueryTemplate::visit`], for one of the parameters.
    pub fn visit_one(&self, index: usize, visit: &mut dyn FnMut(&Expression, bool)) {
        if let Some(entry) = self.entries.get(index) {
            entry.value.visit(visit);
        }
    }

    /// The names in the URL. With each one, the param that fills it, if exactly one does, and the style.
    pub fn wire_names(&self) -> impl Iterator<Item = (&str, Option<&str>, Style)> {
        self.entries.iter().map(|entry| {
            let param = match &entry.value {
                Template::Expression(expression) => match expression.names() {
                    [name] => Some(name.as_str()),
                    _ => None,
                },
                _ => None,
            };
            (entry.name.as_str(), param, entry.style)
        })
    }

    /// Each parameter: its name, its value, its style, and whether each item is a parameter of its own.
    #[cfg(feature = "cli")]
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, &Template, Style, bool)> {
        let entries = self.entries.iter();
        entries.map(|entry| (&*entry.name, &entry.value, entry.style, entry.explode))
    }

    /// Appends the rendered parameters to `query`.
    ///
    /// # Errors
    /// When the style cannot write a value.
    pub fn render(
        &self,
        scope: &CallScope<'_>,
        query: &mut Vec<(Label, Text)>,
    ) -> Result<(), RenderError> {
        for entry in &self.entries {
            let value = entry.value.render(scope).map_err(|error| {
                RenderError::expression(format!("query `{}`", entry.name))(error)
            })?;
            if let Some(value) = value {
                entry.write(value, query)?;
            }
        }
        Ok(())
    }
}

fn named(name: &str, pointer: &str, names: &Names, check: &Check) -> Entry {
    let text = if is_identifier(name) {
        format!("{{{{ {name} }}}}")
    } else {
        format!("{{{{ params[{}] }}}}", Value::from(name))
    };
    if let Some(help) = names.unknown_param(name) {
        let message = format!("there is no param `{name}`");
        match help {
            Some(help) => check.error_with_help(Code::UnknownName, pointer, message, help),
            None => check.error(Code::UnknownName, pointer, message),
        }
    }
    // Mistakes in the text that is made up here were reported above, in the words of the file.
    let value = Template::compile_text(&text, pointer, &Names::anything(), check);
    Entry {
        encoded_name: percent_encode(name).into(),
        name: name.to_owned(),
        value,
        style: Style::Repeat,
        explode: true,
        reserved: false,
    }
}

fn keyed(name: &str, entry: &QueryEntry, pointer: &str, names: &Names, check: &Check) -> Entry {
    if name.is_empty() {
        check.error_at_key(
            Code::BadValue,
            pointer,
            "a query parameter needs a name",
            None,
        );
    }
    let compile =
        |value: &Scalar, at: &str| Template::compile(&Value::from(value), at, names, check);
    let (value, style, explode, reserved) = match entry {
        QueryEntry::Plain(value) => (compile(value, pointer), Style::Repeat, None, false),
        QueryEntry::List(items) => {
            let items = items
                .iter()
                .enumerate()
                .map(|(i, item)| compile(item, &join_index(pointer, i)))
                .collect();
            (Template::List(items), Style::Repeat, None, false)
        }
        QueryEntry::Styled(styled) => (
            compile(&styled.value, &join(pointer, "value")),
            styled.style,
            styled.explode,
            styled.reserved,
        ),
    };
    Entry {
        encoded_name: percent_encode(name).into(),
        name: name.to_owned(),
        value,
        style,
        explode: explode.unwrap_or(style.explodes()),
        reserved,
    }
}

impl Entry {
    fn encoded(&self, text: Cow<'static, str>) -> Cow<'static, str> {
        match self.reserved {
            true => Cow::Owned(reserved::in_query(&text)),
            false => percent_encoded(text),
        }
    }

    fn write(&self, value: Value, query: &mut Vec<(Label, Text)>) -> Result<(), RenderError> {
        if self.style == Style::Json {
            return self.write_styled(&value, query);
        }
        // Most values are scalars, and their name is already encoded.
        let text = match value {
            Value::Bool(true) => Cow::Borrowed("true"),
            Value::Bool(false) => Cow::Borrowed("false"),
            Value::String(text) => Cow::Owned(text),
            other => match scalar_text(&other) {
                Some(text) => Cow::Owned(text),
                None => return self.write_styled(&other, query),
            },
        };
        query.push((self.encoded_name.clone(), Text::Plain(self.encoded(text))));
        Ok(())
    }

    fn write_styled(
        &self,
        value: &Value,
        query: &mut Vec<(Label, Text)>,
    ) -> Result<(), RenderError> {
        let styled = Styled {
            part: "query",
            name: &self.name,
            style: self.style,
            explode: self.explode,
        };
        styled.write(value, &mut |name, items, delimiter| {
            let items: Vec<String> = items
                .iter()
                .map(|item| self.encoded(Cow::Owned(item.clone())).into_owned())
                .collect();
            let value = match delimiter {
                ',' => items.join(","),
                other => items.join(&percent_encode(other.encode_utf8(&mut [0; 4]))),
            };
            query.push((percent_encode(name).into(), Text::Plain(value.into())));
        })
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;
    use crate::source::Source;

    fn query(spec: Value, params: Value) -> Result<String, String> {
        let check = Check::new(Source::parse("t".into(), "a: 1".into()).unwrap());
        let names = Names::default()
            .with_members("params", ["a", "b", "$x y"])
            .with("a")
            .with("b");
        let spec: QuerySpec = serde_json::from_value(spec).unwrap();
        let template = QueryTemplate::compile(&spec, "", &names, &check);
        assert!(!check.failed());
        let settings = json!({});
        let mut parts = Vec::new();
        template
            .render(
                &CallScope {
                    params: &params,
                    settings: &settings,
                },
                &mut parts,
            )
            .map_err(|error| error.to_string())?;
        let parts: Vec<String> = parts.iter().map(|(n, v)| format!("{n}={v}")).collect();
        Ok(parts.join("&"))
    }

    fn styled(style: &str) -> Value {
        json!({"a": {"value": "{{ a }}", "style": style}})
    }

    #[test]
    fn every_style_is_written_as_documented() {
        let list = json!({"a": ["x y", 2, true]});
        let object = json!({"a": {"k": "v w", "n": {"m": 1}, "l": [1, 2], "z": null}});
        let flat = json!({"a": {"k": "v", "m": 1}});
        for (spec, params, expected) in [
            (json!(["a", "b"]), json!({"a": 1}), "a=1"),
            (json!(["a"]), list.clone(), "a=x%20y&a=2&a=true"),
            (json!(["$x y"]), json!({"$x y": "&="}), "%24x%20y=%26%3D"),
            (
                json!({"v": 1, "w": "{{ a }}", "u": [1, "{{ a }}"]}),
                json!({"a": "é"}),
                "v=1&w=%C3%A9&u=1&u=%C3%A9",
            ),
            (json!(["a"]), json!({"a": null}), ""),
            (json!(["a"]), json!({"a": ""}), "a="),
            (json!(["a"]), json!({"a": []}), ""),
            (styled("comma"), list.clone(), "a=x%20y,2,true"),
            (
                styled("brackets"),
                list.clone(),
                "a%5B%5D=x%20y&a%5B%5D=2&a%5B%5D=true",
            ),
            (styled("form"), list.clone(), "a=x%20y&a=2&a=true"),
            (styled("space"), list.clone(), "a=x%20y%202%20true"),
            (styled("pipe"), list.clone(), "a=x%20y%7C2%7Ctrue"),
            (
                styled("indexed"),
                list.clone(),
                "a%5B0%5D=x%20y&a%5B1%5D=2&a%5B2%5D=true",
            ),
            (
                styled("indexed"),
                json!({"a": [{"k": 1, "l": [2]}, {"k": null}]}),
                "a%5B0%5D%5Bk%5D=1&a%5B0%5D%5Bl%5D%5B0%5D=2",
            ),
            (
                styled("deep_object"),
                object.clone(),
                "a%5Bk%5D=v%20w&a%5Bn%5D%5Bm%5D=1&a%5Bl%5D%5B%5D=1&a%5Bl%5D%5B%5D=2",
            ),
            (styled("form"), flat.clone(), "k=v&m=1"),
            (styled("comma"), flat.clone(), "a=k,v,m,1"),
            (
                json!({"a": {"value": "{{ a }}", "style": "form", "explode": false}}),
                flat.clone(),
                "a=k,v,m,1",
            ),
            (
                json!({"a": {"value": "{{ a }}", "style": "pipe", "explode": true}}),
                list.clone(),
                "a=x%20y&a=2&a=true",
            ),
        ] {
            assert_eq!(
                query(spec.clone(), params).as_deref(),
                Ok(expected),
                "{spec}"
            );
        }
        assert!(query(json!(["a"]), flat).is_err());
        assert!(query(json!(["a"]), json!({"a": [[1]]})).is_err());
    }
}
