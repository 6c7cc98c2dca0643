//! Path styles: how an array or object fills one segment of a path (RFC 6570, and OpenAPI's `simple`, `label` and
//! `matrix`).

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{RenderError, percent_encode, reserved};
use crate::words::{kind_of, scalar_text};

/// How a param is written in the path: a style, or a style with its options.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum PathStyleSpec {
    /// The style.
    Style(PathStyle),
    /// The style with its options.
    Options(PathOptions),
}

/// A style with its options.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PathOptions {
    /// How arrays and objects are written.
    #[serde(default)]
    pub style: PathStyle,
    /// Whether each item of an array, and each member of an object as `key=value`, stands alone. The default is false.
    #[serde(default)]
    pub explode: bool,
    /// Whether the characters `:@!$&'()*+,;=` of a value are written as they are. All others are percent-encoded, also
    /// `/`.
    #[serde(default)]
    pub reserved: bool,
    /// The name that `matrix` writes, if it is not the param's.
    pub name: Option<String>,
}

/// How arrays and objects are written in one segment of a path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PathStyle {
    /// `3,4,5`; objects are `k,v`, or `k=v` with explode.
    #[default]
    Simple,
    /// `.3,4,5`, or `.3.4.5` with explode; objects are `.k,v`, or `.k=v`.
    Label,
    /// `;a=3,4,5`, or `;a=3;a=4` with explode; objects are `;a=k,v`, or `;k=v`.
    Matrix,
}

/// A param's style in the path.
#[derive(Debug)]
pub(crate) struct StyledPath {
    /// The param.
    pub param: String,
    /// The name that `matrix` writes.
    name: String,
    style: PathStyle,
    explode: bool,
    reserved: bool,
}

impl StyledPath {
    pub(super) fn new(param: &str, spec: &PathStyleSpec) -> StyledPath {
        let options = match spec {
            PathStyleSpec::Style(style) => PathOptions {
                style: *style,
                ..PathOptions::default()
            },
            PathStyleSpec::Options(options) => options.clone(),
        };
        StyledPath {
            param: param.to_owned(),
            name: options.name.unwrap_or_else(|| param.to_owned()),
            style: options.style,
            explode: options.explode,
            reserved: options.reserved,
        }
    }

    /// The value as a part of one segment, percent-encoded.
    ///
    /// # Errors
    /// When the value is empty, null, or nested too deep, or has a control character.
    pub(super) fn write(&self, value: &Value) -> Result<String, RenderError> {
        let parts: Vec<String> = match value {
            Value::Array(items) => items
                .iter()
                .map(|item| self.encoded(item))
                .collect::<Result<_, _>>()?,
            Value::Object(members) => {
                let present = members.iter().filter(|(_, member)| !member.is_null());
                let between = if self.explode { "=" } else { "," };
                present
                    .map(|(key, member)| {
                        let key = self.encoded(&Value::from(key.as_str()))?;
                        Ok(format!("{key}{between}{}", self.encoded(member)?))
                    })
                    .collect::<Result<_, RenderError>>()?
            }
            scalar => return self.write_scalar(&self.encoded(scalar)?),
        };
        if parts.is_empty() {
            return Err(self.refuse("is empty, and an empty segment would name another resource"));
        }
        let name = percent_encode(&self.name);
        let text = match (self.style, self.explode) {
            (PathStyle::Simple, _) => parts.join(","),
            (PathStyle::Label, false) => format!(".{}", parts.join(",")),
            (PathStyle::Label, true) => format!(".{}", parts.join(".")),
            (PathStyle::Matrix, false) => format!(";{name}={}", parts.join(",")),
            (PathStyle::Matrix, true) if value.is_object() => format!(";{}", parts.join(";")),
            (PathStyle::Matrix, true) => {
                parts.iter().map(|part| format!(";{name}={part}")).collect()
            }
        };
        match text.is_empty() {
            true => Err(self.refuse("is empty, and an empty segment would name another resource")),
            false => Ok(text),
        }
    }

    fn write_scalar(&self, text: &str) -> Result<String, RenderError> {
        match self.style {
            _ if text.is_empty() => {
                Err(self.refuse("is empty, and an empty segment would name another resource"))
            }
            PathStyle::Simple => Ok(text.to_owned()),
            PathStyle::Label => Ok(format!(".{text}")),
            PathStyle::Matrix => Ok(format!(";{}={text}", percent_encode(&self.name))),
        }
    }

    fn encoded(&self, value: &Value) -> Result<String, RenderError> {
        let Some(text) = scalar_text(value) else {
            let message = format!("holds {}, which cannot be a part of a path", kind_of(value));
            return Err(self.refuse(&message));
        };
        if let Some(control) = text.chars().find(|c| c.is_control()) {
            return Err(self.refuse(&format!("holds the control character {control:?}")));
        }
        Ok(match self.reserved {
            true => reserved::in_segment(&text),
            false => percent_encode(&text),
        })
    }

    fn refuse(&self, message: &str) -> RenderError {
        RenderError::value("path", format!("`{}` {message}", self.param))
    }

    /// The parts of a written value, still encoded: each with its key, if it has one. `is_object` says whether the value
    /// is an object. `None` if the text is not of this style.
    pub(crate) fn parts<'t>(
        &self,
        text: &'t str,
        is_object: bool,
    ) -> Option<Vec<(Option<&'t str>, &'t str)>> {
        let (inner, separator) = match (self.style, self.explode) {
            (PathStyle::Simple, _) => (text, ','),
            (PathStyle::Label, false) => (text.strip_prefix('.')?, ','),
            (PathStyle::Label, true) => (text.strip_prefix('.')?, '.'),
            (PathStyle::Matrix, false) => {
                let (_, value) = text.strip_prefix(';')?.split_once('=')?;
                (value, ',')
            }
            (PathStyle::Matrix, true) => (text.strip_prefix(';')?, ';'),
        };
        let parts: Vec<&str> = inner.split(separator).collect();
        let pair = |part: &'t str| part.split_once('=');
        match (is_object, self.explode) {
            (true, true) => {
                let pairs = parts.into_iter().map(|part| {
                    let (key, value) = pair(part)?;
                    Some((Some(key), value))
                });
                pairs.collect()
            }
            (true, false) => {
                let pairs = parts.chunks(2).map(|pair| match pair {
                    [key, value] => Some((Some(*key), *value)),
                    _ => None,
                });
                pairs.collect()
            }
            (false, true) if self.style == PathStyle::Matrix => {
                let values = parts.into_iter().map(|part| Some((None, pair(part)?.1)));
                values.collect()
            }
            (false, _) => Some(parts.into_iter().map(|part| (None, part)).collect()),
        }
    }
}
