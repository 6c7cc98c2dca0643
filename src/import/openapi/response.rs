//! Responses: the kind and the schema of a success's body.

use serde_json::{Map, Value, json};

use super::media::{essence, is_json};
use super::spec::{Part, Spec};
use crate::plan::Method;

/// The success response of an operation.
#[derive(Debug)]
pub(crate) struct Success<'s> {
    kind: Kind,
    media_type: Option<&'s str>,
    /// The response object; `None` when the document has none.
    pub part: Option<Part<'s>>,
    /// The schema of a JSON body.
    pub schema: Option<Part<'s>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Json,
    Lines,
    Text,
    Bytes,
    Empty,
}

fn kind_of(media_type: &str) -> Kind {
    let essence = essence(media_type);
    match essence.as_str() {
        "application/x-ndjson"
        | "application/ndjson"
        | "application/jsonl"
        | "application/x-jsonlines" => Kind::Lines,
        "application/xml"
        | "application/yaml"
        | "application/x-yaml"
        | "application/javascript" => Kind::Text,
        _ if is_json(media_type) || essence.contains("*/*") || essence.is_empty() => Kind::Json,
        _ if essence.starts_with("text/") || essence.ends_with("+xml") => Kind::Text,
        _ => Kind::Bytes,
    }
}

impl<'s> Success<'s> {
    /// The first success with a body, else the first success, else the `default` response.
    pub(crate) fn of(spec: &'s Spec, method: Method, operation: &Part<'s>) -> Success<'s> {
        let responses = operation.get("responses");
        let all: Vec<(&str, Part<'s>)> = responses
            .into_iter()
            .flat_map(|responses| responses.members())
            .filter_map(|(status, part)| Some((status, spec.resolve(&part).ok()?)))
            .collect();
        let successes = all.iter().filter(|(status, _)| status.starts_with('2'));
        let default = all.iter().filter(|(status, _)| *status == "default");
        let has_success = all.iter().any(|(status, _)| status.starts_with('2'));
        let candidates: Vec<&Part<'s>> = match has_success {
            true => successes.map(|(_, part)| part).collect(),
            false => default.map(|(_, part)| part).collect(),
        };
        let with_body = candidates.iter().find(|part| {
            part.map("content")
                .is_some_and(|content| !content.is_empty())
        });
        let part = with_body.or(candidates.first()).map(|part| (*part).clone());
        let media = part
            .as_ref()
            .and_then(|part| part.get("content"))
            .and_then(|content| {
                content
                    .members()
                    .map(|(media_type, media)| (kind_of(media_type), media_type, media))
                    .min_by_key(|(kind, media_type, _)| {
                        (*kind, essence(media_type) != "application/json")
                    })
            });
        let kind = match (&media, &part) {
            _ if method == Method::Head => Kind::Empty,
            (Some((kind, _, _)), _) => *kind,
            // A documented success without `content` has no body. If no success is documented, nothing is known about
            // the body.
            (None, Some(_)) if has_success => Kind::Empty,
            _ => Kind::Json,
        };
        Success {
            kind,
            media_type: media.as_ref().map(|(_, media_type, _)| *media_type),
            schema: media
                .filter(|_| kind == Kind::Json)
                .and_then(|(_, _, media)| media.get("schema")),
            part,
        }
    }

    /// The `response` section; `None` for JSON, which is the default.
    pub(crate) fn section(&self) -> Option<Map<String, Value>> {
        let kind = match self.kind {
            Kind::Json => return None,
            Kind::Lines => "ndjson",
            Kind::Text => "text",
            Kind::Bytes => "bytes",
            Kind::Empty => "empty",
        };
        Some(Map::from_iter([("kind".to_owned(), json!(kind))]))
    }

    /// The `accept` header, if a request for plain `application/json` might be refused.
    pub(crate) fn accept(&self) -> Option<&'s str> {
        let media_type = self.media_type?;
        let is_plain = essence(media_type) == "application/json" || media_type.contains('*');
        (!is_plain && self.kind != Kind::Empty).then_some(media_type)
    }
}
