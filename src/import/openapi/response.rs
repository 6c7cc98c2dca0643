//! Responses: the kind and the schema of a success's body.

use serde_json::{Map, Value, json};

use super::media::{essence, is_json};
use super::spec::{Part, Spec};
use super::xml;
use crate::import::report::{Losses, What};
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
    /// The schema of a body of XML.
    xml: Option<Part<'s>>,
    /// The media types that are read differently.
    others: Vec<&'s str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Json,
    Lines,
    Events,
    Xml,
    Text,
    Bytes,
    Empty,
}

fn kind_of(media_type: &str) -> Kind {
    let essence = essence(media_type);
    match essence.as_str() {
        "text/event-stream" => Kind::Events,
        // Pictures and pages are not read as data.
        "image/svg+xml" | "application/xhtml+xml" => Kind::Text,
        "application/xml" | "text/xml" => Kind::Xml,
        "application/x-ndjson"
        | "application/ndjson"
        | "application/jsonl"
        | "application/x-jsonlines" => Kind::Lines,
        "application/yaml" | "application/x-yaml" | "application/javascript" => Kind::Text,
        _ if is_json(media_type) || essence.contains("*/*") || essence.is_empty() => Kind::Json,
        _ if essence.ends_with("+xml") => Kind::Xml,
        _ if essence.starts_with("text/") => Kind::Text,
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
            // A text in XML is taken as it is.
            (Some((Kind::Xml, _, media)), _) if is_text(spec, media) => Kind::Text,
            (Some((kind, _, _)), _) => *kind,
            // A documented success without `content` has no body. If no success is documented, nothing is known about
            // the body.
            (None, Some(_)) if has_success => Kind::Empty,
            _ => Kind::Json,
        };
        let schema = media.as_ref().and_then(|(_, _, media)| media.get("schema"));
        // Data is the same in each of its notations; a file is something else.
        let content = part.as_ref().and_then(|part| part.get("content"));
        let others = content.into_iter().flat_map(|content| content.members());
        let others = others
            .map(|(media_type, _)| media_type)
            .filter(|media_type| (kind == Kind::Bytes) != (kind_of(media_type) == Kind::Bytes))
            .filter(|_| kind != Kind::Empty)
            .collect();
        Success {
            kind,
            others,
            media_type: media.as_ref().map(|(_, media_type, _)| *media_type),
            schema: schema.clone().filter(|_| kind == Kind::Json),
            xml: schema.filter(|_| kind == Kind::Xml),
            part,
        }
    }

    /// Whether the body is XML.
    pub(crate) fn is_xml(&self) -> bool {
        self.kind == Kind::Xml
    }

    /// The `response` section; `None` for JSON, which is the default.
    pub(crate) fn section(&self, spec: &Spec, losses: &Losses) -> Option<Map<String, Value>> {
        if let (Some(part), Some(read)) = (&self.part, self.media_type)
            && !self.others.is_empty()
        {
            let others = self.others.join(", ");
            let message = format!("{read} is asked for and read; the service also gives {others}");
            losses.note(What::Response, &part.pointer, message);
        }
        let kind = match self.kind {
            Kind::Json => return None,
            Kind::Lines => "ndjson",
            Kind::Events => "sse",
            Kind::Xml => "xml",
            Kind::Text => "text",
            Kind::Bytes => "bytes",
            Kind::Empty => "empty",
        };
        let mut section = Map::from_iter([("kind".to_owned(), json!(kind))]);
        if let Some(schema) = &self.xml {
            let found = xml::lists(spec, schema);
            if let Some(missing) = found.missing {
                losses.note(What::Response, &schema.pointer, missing);
            }
            if !found.paths.is_empty() {
                section.insert("lists".into(), found.paths.into());
            }
        }
        Some(section)
    }

    /// The `accept` header, if a request for plain `application/json` might be refused.
    pub(crate) fn accept(&self) -> Option<&'s str> {
        let media_type = self.media_type?;
        // What the kind of the response asks for by itself.
        let is_own = [
            "application/json",
            "application/xml",
            "text/xml",
            "text/event-stream",
        ]
        .contains(&essence(media_type).as_str())
            && self.kind != Kind::Text;
        let is_plain = is_own || media_type.contains('*');
        (!is_plain && self.kind != Kind::Empty).then_some(media_type)
    }
}

/// Whether a media type object says that its value is a text.
fn is_text(spec: &Spec, media: &Part<'_>) -> bool {
    let schema = media
        .get("schema")
        .and_then(|schema| spec.resolve(&schema).ok());
    schema.is_some_and(|schema| schema.text("type") == Some("string"))
}
