//! Contents of bodies: JSON, text, or bytes from base64 or a file.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{named, only_one, text_of};
use crate::plan::RenderError;
use crate::source::{Check, Code, join};
use crate::template::{CallScope, Names, Template};

/// Bytes, from base64 or from a local file.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(try_from = "ContentFields")]
#[schemars(with = "ContentFields")]
pub(crate) enum ContentSpec {
    /// The bytes in base64.
    Base64(String),
    /// The path of a local file.
    File(String),
}

/// Bytes, from base64 or from a local file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    rename = "ContentSpec",
    extend("oneOf" = [{ "required": ["base64"] }, { "required": ["file"] }])
)]
struct ContentFields {
    /// The bytes in base64, in the standard or the URL-safe alphabet. A `data:` URI is accepted too.
    base64: Option<String>,
    /// The path of a local file, which is read when the request is sent.
    file: Option<String>,
}

impl TryFrom<ContentFields> for ContentSpec {
    type Error = String;

    fn try_from(fields: ContentFields) -> Result<ContentSpec, String> {
        only_one([
            fields.base64.map(ContentSpec::Base64),
            fields.file.map(ContentSpec::File),
        ])
    }
}

/// The content of a body, or of a part of one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    /// A JSON value.
    Json(Value),
    /// Text as it is sent.
    Text(String),
    /// Bytes as they are sent.
    Bytes(Bytes),
    /// The path of a local file, which is read when the request is sent.
    File(String),
}

impl Content {
    /// How the content is shown: the value, the text, `{base64}` or `{file}`.
    pub(crate) fn to_value(&self) -> Value {
        match self {
            Content::Json(json) => json.clone(),
            Content::Text(text) => Value::from(text.as_str()),
            Content::Bytes(bytes) => json!({ "base64": STANDARD.encode(bytes) }),
            Content::File(path) => json!({ "file": path }),
        }
    }
}

/// Compiled bytes.
#[derive(Debug)]
pub(crate) enum ContentTemplate {
    Base64(Template),
    File(Template),
}

impl ContentTemplate {
    pub(crate) fn compile(
        spec: &ContentSpec,
        pointer: &str,
        names: &Names,
        check: &Check,
    ) -> ContentTemplate {
        let (key, text) = match spec {
            ContentSpec::Base64(text) => ("base64", text),
            ContentSpec::File(text) => ("file", text),
        };
        let at = join(pointer, key);
        let template = Template::compile_text(text, &at, names, check);
        let is_base64 = matches!(spec, ContentSpec::Base64(_));
        if let (true, Template::Literal(Value::String(text))) = (is_base64, &template)
            && let Err(problem) = decode(text)
        {
            check.error(Code::BadBody, &at, format!("this is no base64: {problem}"));
        }
        match is_base64 {
            true => ContentTemplate::Base64(template),
            false => ContentTemplate::File(template),
        }
    }

    /// The key in the descriptor.
    pub(crate) fn key(&self) -> &'static str {
        match self {
            ContentTemplate::Base64(_) => "base64",
            ContentTemplate::File(_) => "file",
        }
    }

    pub(crate) fn template(&self) -> &Template {
        match self {
            ContentTemplate::Base64(template) | ContentTemplate::File(template) => template,
        }
    }

    /// The param that alone says which local file it is.
    pub(crate) fn path_param(&self) -> Option<&str> {
        match self {
            ContentTemplate::File(Template::Expression(expression)) => match expression.plain() {
                Some((name, None)) => Some(name),
                _ => None,
            },
            _ => None,
        }
    }

    /// The content; `None` for an absent value and for null.
    ///
    /// # Errors
    /// When the value is not base64 or not a path, or an expression fails.
    pub(crate) fn render(
        &self,
        place: &str,
        scope: &CallScope<'_>,
    ) -> Result<Option<Content>, RenderError> {
        let value = self
            .template()
            .render(scope)
            .map_err(RenderError::expression(place))?;
        match value {
            None | Some(Value::Null) => Ok(None),
            Some(value) => self.content_of(&value, place).map(Some),
        }
    }

    /// The content that one value gives.
    pub(crate) fn content_of(&self, value: &Value, place: &str) -> Result<Content, RenderError> {
        let text = text_of(value, place)?;
        match self {
            ContentTemplate::Base64(template) => match decode(&text) {
                Ok(bytes) => Ok(Content::Bytes(bytes.into())),
                Err(problem) => {
                    let message = format!("{} is no base64: {problem}", named(template));
                    Err(RenderError::value(place, message))
                }
            },
            ContentTemplate::File(_) if text.is_empty() || text.contains('\0') => Err(
                RenderError::value(place, format!("{text:?} is no path of a file")),
            ),
            ContentTemplate::File(_) => Ok(Content::File(text)),
        }
    }
}

/// Bytes from base64. Only characters of the alphabet are allowed, and the padding may be missing.
fn decode(text: &str) -> Result<Vec<u8>, String> {
    const LENIENT_PADDING: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const PLAIN: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT_PADDING);
    const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT_PADDING);
    let data = match text.split_once(',') {
        Some((head, data)) if head.starts_with("data:") => match head.ends_with(";base64") {
            true => data,
            false => return Err("the `data:` URI has no `;base64`".to_owned()),
        },
        _ => text,
    };
    let engine = match data.contains(['-', '_']) {
        true => URL_SAFE,
        false => PLAIN,
    };
    engine.decode(data).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded_strictly() {
        for (text, expected) in [
            ("", b"".as_slice()),
            ("aGk=", b"hi"),
            ("aGk", b"hi"),
            ("++//", b"\xfb\xef\xff"),
            ("--__", b"\xfb\xef\xff"),
            ("data:image/png;base64,aGk=", b"hi"),
            ("data:text/plain;charset=utf-8;base64,aGk", b"hi"),
        ] {
            assert_eq!(decode(text).as_deref(), Ok(expected), "{text}");
        }
        for bad in [
            "a",
            "aGk==",
            "aGl=",
            "aG k",
            "aGk=\n",
            "+-//",
            "é",
            "data:,hi",
            "data:text/plain,aGk=",
        ] {
            assert!(decode(bad).is_err(), "{bad}");
        }
    }
}
