//! Request bodies: the media type that is sent, and the params that fill it.

use serde_json::{Map, Value, json};

use super::media::{essence, is_json};
use super::parameters::{Request, describe_default, expression, reference};
use super::schema::{Schemas, Shape, required_are_apart, shape};
use super::spec::{Part, Spec};
use super::text;
use crate::import::report::{Losses, What};
use crate::plan::Method;

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

/// Whether a schema stands for bytes.
fn is_binary(spec: &Spec, schema: &Part<'_>) -> bool {
    let Ok(schema) = spec.resolve(schema) else {
        return false;
    };
    let is_text = schema.text("type") == Some("string");
    let encoded = schema.text("contentEncoding").is_some();
    schema.text("type") == Some("file")
        || (is_text && schema.text("format") == Some("binary"))
        || (schema.text("contentMediaType").is_some() && !encoded)
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

/// A property of a form, and how the document encodes it.
struct Field<'f, 's> {
    body: &'f Body<'s>,
    wire: &'f str,
    property: &'f Part<'s>,
    /// The name of its param.
    name: &'f str,
    is_required: bool,
    spec: &'s Spec,
    losses: &'f Losses,
}

impl Field<'_, '_> {
    fn note(&self, message: impl Into<String>) {
        self.losses
            .note(What::Body, &self.property.pointer, message);
    }

    fn value(&self) -> String {
        expression(self.name)
    }

    /// An expression; nothing is sent if there is no argument.
    fn computed(&self, computed: &str) -> String {
        let param = reference(self.name);
        match self.is_required {
            true => format!("{{{{ {computed} }}}}"),
            false => format!("{{{{ {computed} if {param} is defined }}}}"),
        }
    }

    fn json_text(&self) -> String {
        self.computed(&format!("{} | tojson", reference(self.name)))
    }

    fn encoding(&self, key: &str) -> Option<&str> {
        let encoding = self.body.media.get("encoding")?;
        let own = encoding.value.get(self.wire)?;
        own.get(key)?
            .as_str()
            .filter(|text| !text.trim().is_empty())
    }

    fn explode(&self) -> Option<bool> {
        self.body.encoding(self.wire)?.flag("explode")
    }

    /// The media types that the document allows for the value.
    fn media_types(&self) -> Vec<&str> {
        let listed = self.encoding("contentType").unwrap_or_default();
        let types = listed.split(',').map(str::trim);
        types.filter(|media_type| !media_type.is_empty()).collect()
    }

    /// The value of a field in `application/x-www-form-urlencoded`.
    ///
    /// # Errors
    /// Why it cannot be written as the document says.
    fn in_form(&self) -> Result<Value, String> {
        let shape = shape(self.spec, self.property);
        let is_plain = !shape.array && !shape.object;
        let styled = |style: &str| json!({ "value": self.value(), "style": style });
        let (style, explode) = (self.encoding("style"), self.explode());
        let is_styled = style.is_some() || explode.is_some();
        match self.media_types().as_slice() {
            // The style decides, where there is one.
            [] => {}
            _ if is_styled => {}
            [only] if is_json(only) => return Ok(self.json_text().into()),
            [first, ..] if !is_plain => {
                return Err(format!(
                    "is encoded as {first}, which a form field cannot be"
                ));
            }
            _ => {}
        }
        if is_plain {
            return Ok(self.value().into());
        }
        match style {
            // Lists of objects need an index to say which members belong together.
            Some("deepObject") if shape.list_of_parts => Ok(styled("indexed")),
            Some("deepObject") => Ok(self.value().into()),
            Some("spaceDelimited" | "pipeDelimited") if shape.nested || shape.list_of_parts => {
                Err("holds lists or objects inside each other, which its style cannot write".into())
            }
            Some("spaceDelimited") if explode != Some(true) => Ok(styled("space")),
            Some("pipeDelimited") if explode != Some(true) => Ok(styled("pipe")),
            None if !is_styled && (shape.object || shape.list_of_parts) => Ok(self.unstyled(shape)),
            Some("form" | "spaceDelimited" | "pipeDelimited") | None => {
                if shape.nested || shape.list_of_parts {
                    return Err(
                        "holds lists or objects inside each other, which the style `form` cannot write"
                            .to_owned(),
                    );
                }
                Ok(match (shape.object, explode.unwrap_or(true)) {
                    (true, explode) => {
                        json!({ "value": self.value(), "style": "form", "explode": explode })
                    }
                    (false, true) => styled("repeat"),
                    (false, false) => styled("comma"),
                })
            }
            Some(other) => Err(format!(
                "has the style `{other}`, which is none of form fields"
            )),
        }
    }

    /// An object, or a list of objects, about whose style the document says nothing: OpenAPI's default is JSON text.
    fn unstyled(&self, shape: Shape) -> Value {
        self.note(
            "the document does not say how the value is written; it is sent as JSON text, OpenAPI's default",
        );
        match shape.list_of_parts && !shape.object {
            true => {
                let items = format!("{} | map(\"tojson\") | list", reference(self.name));
                json!({ "value": self.computed(&items), "style": "repeat" })
            }
            false => self.json_text().into(),
        }
    }

    /// A part of `multipart/form-data` that is no file.
    ///
    /// # Errors
    /// Why it cannot be written as the document says.
    fn in_multipart(&self) -> Result<Value, String> {
        let shape = shape(self.spec, self.property);
        let is_plain = !shape.array && !shape.object;
        self.note_headers();
        let types = self.media_types();
        if let Some(json) = types.iter().find(|media_type| is_json(media_type)) {
            self.note_choice(json, &types);
            let is_object = shape.object && !shape.array && !shape.scalar;
            let value = match is_object {
                true => self.value(),
                false => self.json_text(),
            };
            return Ok(json!({ "value": value, "content_type": json }));
        }
        if let Some(first) = types.iter().find(|media_type| !media_type.contains('*')) {
            if shape.object || shape.list_of_parts {
                return Err(format!(
                    "is encoded as {first}, which is not supported for objects"
                ));
            }
            self.note_choice(first, &types);
            return Ok(json!({ "value": self.value(), "content_type": first }));
        }
        match (self.encoding("style"), self.explode()) {
            (None, None) => {}
            _ if self.spec.version.starts_with("3.0") => self.note(
                "OpenAPI 3.0 gives `style` and `explode` no meaning in a part; a list is a part for each item",
            ),
            (style, explode) if shape.array && !shape.object && !shape.list_of_parts => {
                let between = match style {
                    None | Some("form") => ",",
                    Some("spaceDelimited") => " ",
                    Some("pipeDelimited") => "|",
                    Some(other) => return Err(format!("has the style `{other}`, which is not supported in a part")),
                };
                let joined = format!("{} | join(\"{between}\")", reference(self.name));
                let is_joined = explode == Some(false) || (explode.is_none() && between != ",");
                return Ok(match is_joined {
                    true => self.computed(&joined).into(),
                    false => self.value().into(),
                });
            }
            _ if is_plain => {}
            (style, _) => {
                return Err(format!(
                    "is an object or holds lists, which the style `{}` of a part cannot write",
                    style.unwrap_or("form")
                ));
            }
        }
        if shape.array && !shape.object && self.holds_lists() {
            return Err("is a list of lists, which parts cannot hold".to_owned());
        }
        Ok(self.value().into())
    }

    /// Whether the items of the list are lists.
    fn holds_lists(&self) -> bool {
        let list = self.spec.resolve(self.property).ok();
        let item = list.and_then(|list| list.get("items"));
        item.is_some_and(|item| {
            let item = shape(self.spec, &item);
            item.array && !item.object
        })
    }

    /// A part with a file.
    fn file(&self, request: &mut Request) -> Value {
        self.note_headers();
        let types = self.media_types();
        match types.as_slice() {
            [] | ["*/*"] => json!({ "file": self.value() }),
            [only] if !only.contains('*') => {
                json!({ "file": self.value(), "content_type": only })
            }
            types => {
                let wire = format!("{}_content_type", self.name);
                let pointer = &self.property.pointer;
                let name = request.free_name(&wire, "body", pointer, self.losses);
                let words = format!("The media type of `{}`.", self.name);
                let (schema, is_required) = type_choice(types, &words);
                request.add_param(&name, schema, is_required && self.is_required);
                if is_required && !self.is_required {
                    let rule = json!({ self.name: [name] });
                    request.add_rule("dependentRequired", rule);
                }
                json!({ "file": self.value(), "content_type": expression(&name) })
            }
        }
    }

    fn note_headers(&self) {
        let headers = self.body.encoding(self.wire);
        let headers = headers.and_then(|encoding| encoding.map("headers").map(Map::len));
        if headers.is_some_and(|count| count > 0) {
            self.note("the headers of a part are left out");
        }
    }

    fn note_choice(&self, sent: &str, types: &[&str]) {
        let others: Vec<&str> = types.iter().copied().filter(|one| *one != sent).collect();
        if !others.is_empty() {
            self.note(format!(
                "the part is sent as {sent}; the service also takes {}",
                others.join(", ")
            ));
        }
    }
}

/// The schema of a param that chooses among media types, and whether a call must give it. Without a pattern, the first
/// type is the default.
fn type_choice(types: &[&str], words: &str) -> (Map<String, Value>, bool) {
    let mut schema = Map::from_iter([("type".to_owned(), json!("string"))]);
    let is_open = types.iter().any(|media_type| media_type.contains('*'));
    if is_open {
        let patterns = types
            .iter()
            .map(|media_type| regex::escape(media_type).replace("\\*", "[A-Za-z0-9!#$&^_.+-]+"));
        let pattern = format!("^({})$", patterns.collect::<Vec<_>>().join("|"));
        schema.insert("pattern".into(), pattern.into());
    } else {
        schema.insert("enum".into(), types.into());
        schema.insert(
            "default".into(),
            types.first().copied().unwrap_or_default().into(),
        );
    }
    schema.insert("description".into(), words.into());
    (schema, is_open)
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

/// The schema of a param for the path of a file, or for a list of paths; `None` for a part that is not a file.
fn file_schema(spec: &Spec, property: &Part<'_>) -> Option<Map<String, Value>> {
    let target = spec.resolve(property).ok()?;
    let is_file = is_binary(spec, property);
    let is_list = || {
        target
            .get("items")
            .is_some_and(|items| is_binary(spec, &items))
    };
    let is_list = !is_file && is_list();
    if !is_file && !is_list {
        return None;
    }
    let paths = if is_list {
        "The paths of files."
    } else {
        "The path of a file."
    };
    let words = property.text("description").or(target.text("description"));
    let words = match words.map(|words| text::plain(words, text::PARAM)) {
        Some(words) if words.ends_with('.') => format!("{words} {paths}"),
        Some(words) if !words.is_empty() => format!("{words}. {paths}"),
        _ => paths.to_owned(),
    };
    let mut schema = Map::new();
    if is_list {
        schema.insert("type".to_owned(), "array".into());
        schema.insert("items".to_owned(), json!({ "type": "string" }));
    } else {
        schema.insert("type".to_owned(), "string".into());
    }
    schema.insert("description".to_owned(), words.into());
    Some(schema)
}

/// An object schema whose properties can be params beside others.
#[derive(Default)]
struct Flat<'s> {
    properties: Vec<(&'s str, Part<'s>)>,
    required: Vec<&'s str>,
    /// Names of properties that are only in responses.
    hidden: Vec<&'s str>,
    /// Rules about several properties, such as `anyOf`.
    rules: Map<String, Value>,
    /// Lists of alternatives of which a value may fit several.
    overlaps: Vec<Part<'s>>,
}

impl Flat<'_> {
    /// Whether every property can be a param by its own name.
    fn is_free_in(&self, request: &Request) -> bool {
        self.properties
            .iter()
            .all(|(wire, _)| request.is_free(wire))
    }
}

/// The properties of an object schema; `None` if it says more, so that it only works as one param.
fn flatten<'s>(spec: &'s Spec, schemas: &Schemas<'s, '_>, schema: &Part<'s>) -> Option<Flat<'s>> {
    let mut flat = Flat::default();
    flat.add_schema(spec, schemas, schema, 8)?;
    let known = |name: &str| flat.properties.iter().any(|(known, _)| *known == name);
    // Nobody could satisfy a rule about a property that is not a param.
    let mut ruled = flat.rules.values().flat_map(names_in);
    let is_whole = ruled.all(known)
        && flat
            .required
            .iter()
            .all(|name| known(name) || flat.hidden.contains(name));
    if flat.properties.is_empty() || !is_whole {
        return None;
    }
    for list in &flat.overlaps {
        schemas.note_overlap(list);
    }
    Some(flat)
}

/// The names of the properties in a rule.
fn names_in(rule: &Value) -> Vec<&str> {
    match rule {
        Value::String(name) => vec![name],
        Value::Array(items) => items.iter().flat_map(names_in).collect(),
        Value::Object(members) => {
            let is_map = !members.contains_key("required");
            let keys = members.keys().filter(|_| is_map).map(String::as_str);
            keys.chain(members.values().flat_map(names_in)).collect()
        }
        _ => Vec::new(),
    }
}

impl<'s> Flat<'s> {
    /// Adds an object schema. `None` if it says more than properties and rules about them.
    fn add_schema(
        &mut self,
        spec: &'s Spec,
        schemas: &Schemas<'s, '_>,
        schema: &Part<'s>,
        depth: usize,
    ) -> Option<()> {
        const WORDS: [&str; 17] = [
            "$defs",
            "$schema",
            "default",
            "definitions",
            "deprecated",
            "description",
            "discriminator",
            "example",
            "examples",
            "externalDocs",
            "nullable",
            "readOnly",
            "required",
            "title",
            "type",
            "writeOnly",
            "xml",
        ];
        let depth = depth.checked_sub(1)?;
        let schema = spec.resolve(schema).ok()?;
        let is_object = match schema.value.get("type") {
            None => true,
            Some(Value::String(name)) => name == "object",
            Some(Value::Array(names)) => names.iter().any(|name| name == "object"),
            Some(_) => false,
        };
        if !is_object {
            return None;
        }
        for (keyword, part) in schema.members() {
            match keyword {
                "properties" => {
                    for (name, property) in part.members() {
                        match schemas.is_read_only(&property) {
                            true => self.hidden.push(name),
                            false => self.add_property(name, property)?,
                        }
                    }
                }
                "allOf" => {
                    for one in part.items() {
                        self.add_schema(spec, schemas, &one, depth)?;
                    }
                }
                "anyOf" | "oneOf" => {
                    let choices: Option<Vec<Value>> =
                        part.items().map(|one| required_alone(&one)).collect();
                    let choices = choices?;
                    let keyword = match keyword {
                        "oneOf" if !required_are_apart(&choices) => {
                            self.overlaps.push(part);
                            "anyOf"
                        }
                        other => other,
                    };
                    self.add_rule(keyword, choices.into())?;
                }
                "dependentRequired" => match part.value.as_object()?.is_empty() {
                    true => {}
                    false => self.add_rule(keyword, part.value.clone())?,
                },
                "additionalProperties" if *part.value == false => {}
                "minProperties" if part.value.as_u64().is_some_and(|least| least <= 1) => {}
                other if WORDS.contains(&other) || other.starts_with("x-") => {}
                _ => return None,
            }
        }
        let required = schema.value.get("required").and_then(Value::as_array);
        self.required
            .extend(required.into_iter().flatten().filter_map(Value::as_str));
        if schema.value.get("minProperties").and_then(Value::as_u64) == Some(1) {
            let one = |(name, _): &(&str, _)| json!({ "required": [name] });
            let choices: Vec<Value> = self.properties.iter().map(one).collect();
            self.add_rule("anyOf", choices.into())?;
        }
        Some(())
    }

    /// Adds a property. `None` if another one has the same name.
    fn add_property(&mut self, name: &'s str, property: Part<'s>) -> Option<()> {
        match self.properties.iter().find(|(known, _)| *known == name) {
            Some((_, known)) if known.value == property.value => Some(()),
            Some(_) => None,
            None => {
                self.properties.push((name, property));
                Some(())
            }
        }
    }

    /// Adds a rule about several params. `None` if there is already one with this keyword.
    fn add_rule(&mut self, keyword: &str, rule: Value) -> Option<()> {
        self.rules
            .insert(keyword.to_owned(), rule)
            .is_none()
            .then_some(())
    }
}

/// An alternative that only says which properties are required; `None` if it says more.
fn required_alone(choice: &Part<'_>) -> Option<Value> {
    let is_plain = |key: &str| {
        ["required", "title", "description", "type"].contains(&key) || key.starts_with("x-")
    };
    let members = choice.value.as_object()?;
    let names = members
        .get("required")
        .cloned()
        .unwrap_or_else(|| json!([]));
    members
        .keys()
        .all(|key| is_plain(key))
        .then(|| json!({ "required": names }))
}
