//! Errors from the service: from its own error format to ours.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{ErrorRuleSpec, ErrorRules, Kind, Node, ProjectError, Projector, ResponseView};
use crate::source::{Check, Code, join};
use crate::template::Names;
use crate::words::{parameters, scalar_text};

/// Where a service's error responses say what went wrong.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ErrorsSpec {
    /// What went wrong, for people.
    pub message: Option<ExtractSpec>,
    /// A stable code for programs.
    pub code: Option<ExtractSpec>,
    /// The id by which the service identifies the request.
    pub request_id: Option<ExtractSpec>,
    /// What to do with error answers, and with other answers whose body shows an error. The first matching rule counts.
    /// Without a matching rule, a status from 300 on is an error, and `retry` says when the request is sent again.
    #[serde(default)]
    pub rules: Vec<ErrorRuleSpec>,
}

/// One value of a response: a JSONPath, an expression, or a header.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum ExtractSpec {
    /// A JSONPath (`$...`) or an expression (`{{ }}`).
    Body(String),
    /// A response header.
    Header(HeaderSpec),
}

/// A response header.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeaderSpec {
    /// The header's name.
    pub header: String,
    /// For a `Link` header (RFC 8288): the relation of the link to take.
    pub rel: Option<String>,
}

/// A compiled [`ExtractSpec`].
#[derive(Debug)]
pub(crate) enum Extract {
    /// A value in the body.
    Node(Projector),
    /// A header.
    Header(String),
    /// The link with this relation in a header.
    Link(String, String),
}

impl Extract {
    /// Compiles the value; mistakes go to `check`.
    pub(crate) fn compile(
        spec: &ExtractSpec,
        pointer: &str,
        names: &Names,
        check: &Check,
    ) -> Extract {
        match spec {
            ExtractSpec::Body(text) => {
                let node = Node::compile(&Value::from(text.as_str()), pointer, names, check);
                if let Node::Literal(Value::String(_)) = node {
                    check.error_with_help(
                        Code::BadProjection,
                        pointer,
                        format!("`{text}` names nothing in the response"),
                        "write a JSONPath (`$.error.message`), an expression (`{{ }}`) or `{ header: NAME }`",
                    );
                }
                Extract::Node(Projector::new(node))
            }
            ExtractSpec::Header(HeaderSpec { header, rel }) => {
                if http::header::HeaderName::from_bytes(header.as_bytes()).is_err() {
                    check.error(
                        Code::BadHeader,
                        &join(pointer, "header"),
                        format!("`{header}` is no legal header name"),
                    );
                }
                let header = header.to_ascii_lowercase();
                match rel {
                    None => Extract::Header(header),
                    Some(rel) => Extract::Link(header, rel.clone()),
                }
            }
        }
    }

    /// The path, if it is one that gives a list.
    pub(crate) fn list(&self) -> Option<&str> {
        match self {
            Extract::Node(node) => match node.node() {
                Node::Path(pick) if !pick.path().is_singular() => Some(pick.path().as_str()),
                _ => None,
            },
            _ => None,
        }
    }

    /// The value; null if the response does not have it.
    ///
    /// # Errors
    /// When the response contradicts a path, or an expression fails.
    pub(crate) fn extract(&self, response: &ResponseView<'_>) -> Result<Value, ProjectError> {
        let text = match self {
            Extract::Node(node) => {
                return Ok(node.value_of(response)?.unwrap_or(Value::Null));
            }
            Extract::Header(name) => response.header(name).map(str::to_owned),
            Extract::Link(name, rel) => response
                .headers
                .list()
                .iter()
                .filter(|(other, _)| other == name)
                .find_map(|(_, value)| link_target(value, rel)),
        };
        Ok(text.map_or(Value::Null, Value::String))
    }
}

/// The target of the first link with this relation (RFC 8288, section 3).
fn link_target(header: &str, rel: &str) -> Option<String> {
    let mut rest = header;
    while let Some(open) = rest.find('<') {
        let close = open + rest[open..].find('>')?;
        let target = &rest[open + 1..close];
        let (params, next) = parameters(&rest[close + 1..], Some(','));
        let has_rel = params.iter().any(|(name, value)| {
            let mut relations = value.split_ascii_whitespace();
            name == "rel" && relations.any(|own| own.eq_ignore_ascii_case(rel))
        });
        if has_rel {
            return Some(target.to_owned());
        }
        rest = next;
    }
    None
}

/// A compiled `errors` section.
#[derive(Debug, Default)]
pub(crate) struct ErrorFields {
    message: Option<Extract>,
    code: Option<Extract>,
    request_id: Option<Extract>,
    /// What to do with error answers.
    pub rules: ErrorRules,
}

impl ErrorFields {
    /// Compiles the section; mistakes go to `check`.
    pub(crate) fn compile(
        spec: Option<&ErrorsSpec>,
        pointer: &str,
        names: &Names,
        check: &Check,
    ) -> ErrorFields {
        let field = |spec: Option<&ExtractSpec>, key: &str| {
            spec.map(|spec| Extract::compile(spec, &join(pointer, key), names, check))
        };
        let Some(spec) = spec else {
            return ErrorFields::default();
        };
        ErrorFields {
            message: field(spec.message.as_ref(), "message"),
            code: field(spec.code.as_ref(), "code"),
            request_id: field(spec.request_id.as_ref(), "request_id"),
            rules: ErrorRules::compile(&spec.rules, &join(pointer, "rules"), names, check),
        }
    }

    /// The service's message, if the response has one.
    pub(crate) fn message(&self, response: &ResponseView<'_>) -> Option<String> {
        text(self.message.as_ref(), response)
    }

    /// The service's code, if the response has one.
    pub(crate) fn code(&self, response: &ResponseView<'_>) -> Option<String> {
        text(self.code.as_ref(), response)
    }

    /// The header that holds the service's request id, if it is in a header of its own.
    #[cfg(feature = "serve")]
    pub(crate) fn request_id_header(&self) -> Option<&str> {
        match &self.request_id {
            Some(Extract::Header(name)) => Some(name),
            _ => None,
        }
    }

    /// The service's request id, if the response has one.
    pub(crate) fn request_id(&self, response: &ResponseView<'_>) -> Option<String> {
        text(self.request_id.as_ref(), response)
    }
}

/// An error response may have any shape. A field that cannot be read is left out.
fn text(extract: Option<&Extract>, response: &ResponseView<'_>) -> Option<String> {
    let extract = extract?;
    if let Extract::Node(node) = extract {
        let json = node.part_of(response).ok()??;
        // Digits that a tree would lose are reported too.
        if json.part().kind() == Kind::Number {
            return Some(json.text().to_owned());
        }
    }
    scalar_text(&extract.extract(response).ok()?)
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn links_are_read_as_rfc_8288_says() {
        for (header, rel, expected) in [
            (
                "<https://a.test/x?page=2>; rel=\"next\", <https://a.test/x?page=9>; rel=\"last\"",
                "next",
                Some("https://a.test/x?page=2"),
            ),
            (
                "<https://a.test/x?page=2>; rel=\"next\", <https://a.test/x?page=9>; rel=\"last\"",
                "last",
                Some("https://a.test/x?page=9"),
            ),
            (
                "</x?a=1,2>; title=\"a, b; rel=next\"; rel=prev, </y>; REL=Next",
                "next",
                Some("/y"),
            ),
            ("</x>; rel=\"first next\"", "next", Some("/x")),
            ("</x>; rel=prev", "next", None),
            ("", "next", None),
            ("<unclosed", "next", None),
        ] {
            assert_eq!(link_target(header, rel).as_deref(), expected, "{header}");
        }
    }
}
