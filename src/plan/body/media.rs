//! Media types, such as `text/csv; charset=utf-8`.

use serde_json::Value;

use super::render_text;
use crate::plan::RenderError;
use crate::source::{Check, Code};
use crate::template::{CallScope, Names, Piece, Template};

/// Which media types are allowed in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MediaType {
    /// Any.
    Any,
    /// A multipart media type, without a boundary: the descriptor does not choose the boundary.
    Multipart,
}

/// Compiles a `content_type`; mistakes go to `check`.
pub(crate) fn compile(
    text: &str,
    media: MediaType,
    pointer: &str,
    names: &Names,
    check: &Check,
) -> Template {
    let template = Template::compile_text(text, pointer, names, check);
    let (start, problem) = match &template {
        Template::Literal(Value::String(text)) => {
            let problem = (!is_media_type(text)).then(|| no_media_type(text));
            (text.as_str(), problem)
        }
        Template::Text(pieces) => {
            let mut texts = pieces.iter().filter_map(|piece| match piece {
                Piece::Text(text) => Some(text),
                Piece::Expression(_) => None,
            });
            let illegal = texts.find(|text| !is_field_text(text));
            let start = match pieces.first() {
                Some(Piece::Text(text)) => text,
                _ => "",
            };
            (start, illegal.map(|text| no_media_type(text)))
        }
        _ => ("", None),
    };
    let problem = problem.or_else(|| media.refuses(start));
    if let Some(problem) = problem {
        check.error(Code::BadBody, pointer, problem);
    }
    template
}

impl MediaType {
    fn refuses(self, text: &str) -> Option<String> {
        if self == MediaType::Any {
            return None;
        }
        let lower = text.to_ascii_lowercase();
        match (lower.starts_with("multipart/"), lower.contains("boundary")) {
            (true, false) => None,
            (false, _) => Some("the type of a multipart body begins with multipart/".to_owned()),
            (true, true) => Some("the boundary is made for each request; leave it out".to_owned()),
        }
    }
}

/// The media type that a template gives; `None` for an absent value.
///
/// # Errors
/// When it is not a media type. So no argument can add a header.
pub(crate) fn render(
    template: &Template,
    place: &str,
    scope: &CallScope<'_>,
) -> Result<Option<String>, RenderError> {
    let text = render_text(template, place, scope)?;
    match &text {
        Some(text) if !is_media_type(text) => {
            let shown = text.escape_debug().to_string();
            Err(RenderError::value(place, no_media_type(&shown)))
        }
        _ => Ok(text),
    }
}

/// Whether a text is a media type (RFC 9110, section 8.3.1).
fn is_media_type(text: &str) -> bool {
    let (essence, rest) = text.split_once(';').unwrap_or((text, ""));
    let is_token = |part: &str| {
        let is_legal = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        !part.is_empty() && part.bytes().all(is_legal)
    };
    let types = essence.trim_end().split_once('/');
    types.is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype)) && is_field_text(rest)
}

fn is_field_text(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
}

fn no_media_type(text: &str) -> String {
    format!("`{text}` is no media type, such as application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_told_from_other_texts() {
        for good in [
            "application/json",
            "text/csv; charset=utf-8",
            "application/vnd.api+json;ext=\"a b\"",
            "*/*",
        ] {
            assert!(is_media_type(good), "{good}");
        }
        for bad in [
            "",
            "json",
            "/json",
            "text/",
            "text/a b",
            "text/é",
            "text/a\r\nx: y",
            "text/plain; a=\"\r\n\"",
            "text/plain; a=é",
        ] {
            assert!(!is_media_type(bad), "{bad}");
        }
    }
}
