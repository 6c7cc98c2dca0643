//! Request bodies: the media type that is sent, and the params that fill it.

mod field;
mod file;
mod flat;

use serde_json::{Map, Value, json};

use super::media::{essence, is_json};
use super::parameters::{Request, describe_default, expression};
use super::schema::{Schemas, shape};
use super::spec::{Part, Spec};
use super::text;
use crate::import::report::{Losses, What};
use crate::plan::Method;
use field::Field;
use file::{file_schema, is_binary, type_choice};
use flat::{Flat, flatten};

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Json,
    Form,
    Multipart,
    Text,
    Bytes,
    /// Parts without names, which a descriptor cannot say.
    Unsupported,
}

impl Kind {
    /// The kind that the rewriting of another format names.
    fn named(name: &str) -> Option<Kind> {
        match name {
            "json" => Some(Kind::Json),
            "text" => Some(Kind::Text),
            "bytes" => Some(Kind::Bytes),
            _ => None,
        }
    }
}

/// An operation's body: the media type that was chosen from those in the document.
#[derive(Debug)]
pub(crate) struct Body<'s> {
    kind: Kind,
    media_type: &'s str,
    /// For bytes: the media types that they may have.
    bytes_types: Vec<&'s str>,
    /// The media type object.
    pub media: Part<'s>,
    /// The request body object.
    part: Part<'s>,
    /// How the params fill it; empty until the body is added to a request.
    pub filled: Filled,
    takes_files: bool,
}

/// Which params make up a body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Filled {
    /// One param is the whole body.
    Whole(String),
    /// The property's name, its place in the document, and the param's name.
    Parts(Vec<(String, String, String)>),
}

fn kind_of(media_type: &str, schema: Option<&Part<'_>>, spec: &Spec) -> Kind {
    let essence = essence(media_type);
    match essence.as_str() {
        "application/x-www-form-urlencoded" => Kind::Form,
        "multipart/form-data" | "multipart/mixed" => Kind::Multipart,
        _ if essence.starts_with("multipart/") => Kind::Unsupported,
        "application/xml"
        | "application/x-ndjson"
        | "application/graphql"
        | "application/yaml"
        | "application/x-yaml"
        | "application/jsonl" => Kind::Text,
        _ if is_json(media_type) || !essence.contains('/') => Kind::Json,
        _ if essence.starts_with("text/") || essence.ends_with("+xml") => Kind::Text,
        _ if essence.contains('*') && !schema.is_some_and(|s| is_binary(spec, s)) => Kind::Json,
        _ => Kind::Bytes,
    }
}

/// Whether a request body has a schema that is not empty. Some documents give every operation an empty one.
fn has_content(spec: &Spec, body: &Part<'_>) -> bool {
    let media = body
        .get("content")
        .into_iter()
        .flat_map(|content| content.members());
    let mut schemas = media.filter_map(|(_, media)| spec.resolve(&media.get("schema")?).ok());
    schemas.any(|schema| {
        let is_object = schema.text("type").is_none_or(|name| name == "object");
        let is_empty = schema
            .map("properties")
            .is_none_or(|properties| properties.is_empty());
        !(is_object && is_empty)
    })
}

impl<'s> Body<'s> {
    /// Chooses one of the operation's media types: JSON before forms, forms before text and bytes.
    ///
    /// # Errors
    /// When the body is required and cannot be sent: why.
    pub(crate) fn choose(
        spec: &'s Spec,
        method: Method,
        operation: &Part<'s>,
        losses: &Losses,
    ) -> Result<Option<Body<'s>>, String> {
        let Some(part) = operation.get("requestBody") else {
            return Ok(None);
        };
        let part = spec
            .resolve(&part)
            .map_err(|error| format!("the request body: {error}"))?;
        let is_required = part.flag("required") == Some(true);
        if !method.takes_body() {
            if is_required {
                return Err(format!("it needs a body, and {method} requests have none"));
            }
            if has_content(spec, &part) {
                let message = format!("{method} requests have no body; it is left out");
                losses.note(What::Body, &part.pointer, message);
            }
            return Ok(None);
        }
        let content = part.get("content");
        let mut offered: Vec<(Kind, &str, Part<'s>)> = content
            .into_iter()
            .flat_map(|content| content.members())
            .map(|(media_type, media)| {
                let said = media.text("x-sent-as").and_then(Kind::named);
                let kind =
                    said.unwrap_or_else(|| kind_of(media_type, media.get("schema").as_ref(), spec));
                (kind, media_type, media)
            })
            .collect();
        // Of several media types of one kind, the plain one is first: application/json before application/vnd.x+json.
        offered.sort_by_key(|(kind, media_type, _)| {
            (*kind, essence(media_type) != "application/json")
        });
        let mut offered = offered.into_iter();
        let Some((kind, media_type, media)) = offered.next() else {
            losses.note(
                What::Body,
                &part.pointer,
                "the body has no media type; it is left out",
            );
            return Ok(None);
        };
        if kind == Kind::Unsupported {
            let reason = format!("a body of type {media_type} is not supported");
            if is_required {
                return Err(reason);
            }
            losses.note(
                What::Body,
                &part.pointer,
                format!("{reason}; it is left out"),
            );
            return Ok(None);
        }
        let mut bytes_types = vec![media_type];
        let others: Vec<&str> = offered
            .filter(|(other, media_type, _)| {
                let is_choice = kind == Kind::Bytes && *other == Kind::Bytes;
                if is_choice {
                    bytes_types.push(media_type);
                }
                !is_choice
            })
            .map(|(_, media_type, _)| media_type)
            .collect();
        if !others.is_empty() {
            losses.note(
                What::Body,
                &part.pointer,
                format!(
                    "{media_type} is sent; the service also takes {}",
                    others.join(", ")
                ),
            );
        }
        Ok(Some(Body {
            kind,
            media_type,
            media,
            part,
            bytes_types,
            filled: Filled::Parts(Vec::new()),
            takes_files: kind == Kind::Bytes,
        }))
    }

    /// The schema, where there is one.
    pub(crate) fn schema(&self) -> Option<Part<'s>> {
        self.media.get("schema")
    }

    /// Whether the body sends local files.
    pub(crate) fn takes_files(&self) -> bool {
        self.takes_files
    }

    /// Adds the body and its params to a request.
    ///
    /// # Errors
    /// Why the body cannot be sent.
    pub(crate) fn add_to(
        &mut self,
        request: &mut Request,
        spec: &'s Spec,
        schemas: &mut Schemas<'s, '_>,
        losses: &Losses,
    ) -> Result<(), String> {
        let flat = self
            .schema()
            .and_then(|schema| flatten(spec, schemas, &schema));
        let mut section = Map::new();
        let has_parts = self
            .schema()
            .map(|schema| shape(spec, &schema))
            .is_some_and(|shape| shape.nested || shape.list_of_parts);
        match (self.kind, flat) {
            (Kind::Json, Some(flat)) if flat.is_free_in(request) => {
                let parts = self.add_parts(&flat, request, spec, schemas, losses)?;
                section.insert(self.key().into(), parts.into());
            }
            (Kind::Form, Some(flat)) if has_parts || flat.is_free_in(request) => {
                let parts = self.add_parts(&flat, request, spec, schemas, losses)?;
                section.insert(self.key().into(), parts.into());
            }
            (Kind::Multipart, Some(flat)) => {
                let parts = self.add_parts(&flat, request, spec, schemas, losses)?;
                section.insert(self.key().into(), parts.into());
            }
            (Kind::Multipart, None) => {
                return Err("its multipart body does not list its parts".to_owned());
            }
            (Kind::Form, None) if has_parts => {
                return Err(
                    "its form body does not list its fields, and holds lists or objects".to_owned(),
                );
            }
            _ => {
                let value = self.add_whole(request, schemas, losses);
                section.insert(self.key().into(), value);
            }
        }
        if let Some(content_type) = self.content_type(request, losses) {
            section.insert("content_type".into(), content_type.into());
        }
        request.body = Some(section.into());
        Ok(())
    }

    fn key(&self) -> &'static str {
        match self.kind {
            Kind::Json => "json",
            Kind::Form => "form",
            Kind::Multipart => "multipart",
            Kind::Text => "text",
            Kind::Bytes | Kind::Unsupported => "bytes",
        }
    }

    /// The media type, if it is not the default of the kind. Of several for bytes, the caller chooses.
    fn content_type(&self, request: &mut Request, losses: &Losses) -> Option<String> {
        let essence = essence(self.media_type);
        let is_open = essence.contains('*') && essence != "*/*";
        if self.kind == Kind::Bytes && (self.bytes_types.len() > 1 || is_open) {
            let name = request.free_name("content_type", "request", &self.part.pointer, losses);
            let (schema, is_required) =
                type_choice(&self.bytes_types, "The media type of the file.");
            request.add_param(&name, schema, is_required);
            return Some(expression(&name));
        }
        let own = match self.kind {
            Kind::Json => "application/json",
            Kind::Form => "application/x-www-form-urlencoded",
            Kind::Multipart => "multipart/form-data",
            Kind::Text => "text/plain",
            Kind::Bytes | Kind::Unsupported => "application/octet-stream",
        };
        let is_own = essence == own && !self.media_type.contains("profile=");
        let is_sent = essence.contains('/') && !essence.contains('*');
        (!is_own && is_sent).then(|| match self.kind {
            // A boundary in the document is an example: each request has its own.
            Kind::Multipart => essence,
            _ => self.media_type.to_owned(),
        })
    }

    /// Adds one param for the whole body.
    fn add_whole<'r>(
        &mut self,
        request: &'r mut Request,
        schemas: &mut Schemas<'s, '_>,
        losses: &Losses,
    ) -> Value {
        let wire = if self.kind == Kind::Bytes {
            "file"
        } else {
            "body"
        };
        let name = request.free_name(wire, "request", &self.part.pointer, losses);
        let is_text = matches!(self.kind, Kind::Text | Kind::Bytes);
        let mut schema = match self.schema() {
            Some(schema) if !is_text => schemas.param(&schema),
            _ => Map::from_iter([("type".to_owned(), json!("string"))]),
        };
        if self.kind == Kind::Form && !schema.contains_key("type") {
            schema.insert("type".into(), "object".into());
        }
        if !schema.contains_key("description") || self.part.text("description").is_some() {
            let words = self.part.text("description").unwrap_or(match self.kind {
                Kind::Bytes => "The path of the file to send.",
                _ => "The request body.",
            });
            let mut words = text::plain(words, text::PARAM);
            if self.kind == Kind::Text && essence(self.media_type).contains("xml") {
                losses.note(
                    What::Body,
                    &self.media.pointer,
                    "XML is sent as text, unchanged",
                );
            }
            if self.kind == Kind::Bytes && self.part.text("description").is_some() {
                words.push_str(" (The path of a file.)");
            }
            // The description comes before the nested parts of a schema.
            schema.shift_remove("description");
            let at = schema
                .keys()
                .position(|key| is_part(key))
                .unwrap_or(schema.len());
            schema.shift_insert(at, "description".into(), words.into());
        }
        let is_required = self.part.flag("required") == Some(true);
        let is_required = describe_default(&mut schema, is_required);
        request.add_param(&name, schema, is_required);
        let value = expression(&name);
        self.filled = Filled::Whole(name);
        match self.kind {
            Kind::Bytes => json!({ "file": value }),
            _ => value.into(),
        }
    }

    /// Adds a param for each property.
    ///
    /// # Errors
    /// When a property that every call must give cannot be written as the document says.
    fn add_parts(
        &mut self,
        flat: &Flat<'s>,
        request: &mut Request,
        spec: &'s Spec,
        schemas: &mut Schemas<'s, '_>,
        losses: &Losses,
    ) -> Result<Map<String, Value>, String> {
        let mut parts = Map::new();
        let mut filled = Vec::new();
        for (wire, property) in &flat.properties {
            let name = request.free_name(wire, "body", &property.pointer, losses);
            let file = match self.kind {
                Kind::Multipart => file_schema(spec, property),
                _ => None,
            };
            let is_file = file.is_some();
            let is_required = flat.required.iter().any(|required| required == wire);
            let field = Field {
                body: self,
                wire,
                property,
                name: &name,
                is_required,
                spec,
                losses,
            };
            let part = match self.kind {
                Kind::Form => field.in_form(),
                Kind::Multipart if is_file => Ok(field.file(request)),
                Kind::Multipart => field.in_multipart(),
                _ => Ok(expression(&name).into()),
            };
            let part = match part {
                Ok(part) => part,
                Err(reason) if is_required => {
                    return Err(format!("its body's `{wire}` {reason}"));
                }
                Err(reason) => {
                    let message = format!("`{wire}` {reason}; it is left out");
                    losses.note(What::Body, &property.pointer, message);
                    continue;
                }
            };
            let mut schema = file.unwrap_or_else(|| schemas.param(property));
            let is_required = describe_default(&mut schema, is_required);
            request.add_param(&name, schema, is_required);
            parts.insert((*wire).to_owned(), part);
            filled.push(((*wire).to_owned(), property.pointer.clone(), name));
            self.takes_files |= is_file;
        }
        for (keyword, rule) in &flat.rules {
            request.add_rule(keyword, rule.clone());
        }
        self.filled = Filled::Parts(filled);
        Ok(parts)
    }

    fn encoding(&self, wire: &str) -> Option<Part<'s>> {
        self.media.get("encoding")?.get(wire)
    }
}

/// Whether a keyword holds nested schemas rather than words or rules about the whole.
fn is_part(keyword: &str) -> bool {
    [
        "required",
        "properties",
        "additionalProperties",
        "allOf",
        "anyOf",
        "oneOf",
        "items",
    ]
    .contains(&keyword)
}
