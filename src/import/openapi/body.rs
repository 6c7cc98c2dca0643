//! Request bodies: the media type that is sent, and the params that fill it.

use serde_json::{Map, Value, json};

use super::media::{essence, is_json};
use super::parameters::{Request, describe_default, expression};
use super::schema::{Schemas, shape};
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
}

/// An operation's body: the media type that was chosen from those in the document.
#[derive(Debug)]
pub(crate) struct Body<'s> {
    kind: Kind,
    media_type: &'s str,
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
        "multipart/form-data" | "multipart/mixed" | "multipart/related" => Kind::Multipart,
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
                let kind = kind_of(media_type, media.get("schema").as_ref(), spec);
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
        let others: Vec<&str> = offered.map(|(_, media_type, _)| media_type).collect();
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
        match (self.kind, flat) {
            (Kind::Json | Kind::Form, Some(flat)) if flat.is_free_in(request) => {
                let parts = self.add_parts(&flat, request, spec, schemas, losses);
                section.insert(self.key().into(), parts.into());
            }
            (Kind::Multipart, Some(flat)) => {
                let parts = self.add_parts(&flat, request, spec, schemas, losses);
                section.insert(self.key().into(), parts.into());
            }
            (Kind::Multipart, None) => {
                return Err("its multipart body does not list its parts".to_owned());
            }
            _ => {
                let value = self.add_whole(request, schemas, losses);
                section.insert(self.key().into(), value);
            }
        }
        if let Some(content_type) = self.content_type() {
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
            Kind::Bytes => "bytes",
        }
    }

    /// The media type, if it is not the default of the kind.
    fn content_type(&self) -> Option<&'s str> {
        let essence = essence(self.media_type);
        let own = match self.kind {
            Kind::Json => "application/json",
            Kind::Form => "application/x-www-form-urlencoded",
            Kind::Multipart => "multipart/form-data",
            Kind::Text => "text/plain",
            Kind::Bytes => "application/octet-stream",
        };
        let is_own = essence == own && !self.media_type.contains("profile=");
        // The media type of a multipart body carries its boundary, so it cannot be set in a descriptor.
        let is_fixed = self.kind == Kind::Multipart;
        let is_sent = essence.contains('/') && !essence.contains('*');
        (!is_own && !is_fixed && is_sent).then_some(self.media_type)
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
    fn add_parts(
        &mut self,
        flat: &Flat<'s>,
        request: &mut Request,
        spec: &'s Spec,
        schemas: &mut Schemas<'s, '_>,
        losses: &Losses,
    ) -> Map<String, Value> {
        let mut parts = Map::new();
        let mut filled = Vec::new();
        for (wire, property) in &flat.properties {
            let name = request.free_name(wire, "body", &property.pointer, losses);
            let file = match self.kind {
                Kind::Multipart => file_schema(spec, property),
                _ => None,
            };
            let is_file = file.is_some();
            let mut schema = file.unwrap_or_else(|| schemas.param(property));
            let is_required = flat.required.iter().any(|required| required == wire);
            let is_required = describe_default(&mut schema, is_required);
            request.add_param(&name, schema, is_required);
            let value = expression(&name);
            let part = match self.kind {
                Kind::Form => self.form_entry(wire, property, value, spec, losses),
                Kind::Multipart => self.multipart_entry(wire, value, is_file),
                _ => value.into(),
            };
            parts.insert((*wire).to_owned(), part);
            filled.push(((*wire).to_owned(), property.pointer.clone(), name));
            self.takes_files |= is_file;
        }
        request.rules.extend(flat.rules.clone());
        self.filled = Filled::Parts(filled);
        parts
    }

    fn encoding(&self, wire: &str) -> Option<Part<'s>> {
        self.media.get("encoding")?.get(wire)
    }

    fn form_entry(
        &self,
        wire: &str,
        property: &Part<'s>,
        value: String,
        spec: &Spec,
        losses: &Losses,
    ) -> Value {
        let shape = shape(spec, property);
        if !shape.array && !shape.object {
            return value.into();
        }
        let encoding = self.encoding(wire);
        let style = encoding
            .as_ref()
            .and_then(|encoding| encoding.text("style"));
        let explode = encoding
            .as_ref()
            .and_then(|encoding| encoding.flag("explode"));
        match style {
            // Lists of objects need an index to say which members belong together.
            Some("deepObject") if shape.list_of_parts => {
                json!({ "value": value, "style": "indexed" })
            }
            Some("deepObject") => value.into(),
            Some("spaceDelimited") => json!({ "value": value, "style": "space" }),
            Some("pipeDelimited") => json!({ "value": value, "style": "pipe" }),
            Some("form") | None if shape.object || shape.nested => {
                if style.is_some() {
                    losses.note(
                        What::Body,
                        &property.pointer,
                        "the style `form` cannot hold objects in a form body; they are written with brackets",
                    );
                }
                match shape.list_of_parts {
                    true => json!({ "value": value, "style": "indexed" }),
                    false => value.into(),
                }
            }
            Some("form") | None if explode == Some(false) => {
                json!({ "value": value, "style": "comma" })
            }
            Some("form") | None => json!({ "value": value, "style": "repeat" }),
            Some(other) => {
                losses.note(
                    What::Body,
                    &property.pointer,
                    format!("`{other}` is not a style for form fields; the default is used"),
                );
                value.into()
            }
        }
    }

    fn multipart_entry(&self, wire: &str, value: String, is_file: bool) -> Value {
        let media_type = self
            .encoding(wire)
            .and_then(|encoding| encoding.text("contentType"))
            .filter(|media_type| !media_type.contains(['*', ',']));
        let key = if is_file { "file" } else { "value" };
        match (is_file, media_type) {
            (_, Some(media_type)) => json!({ key: value, "content_type": media_type }),
            (true, None) => json!({ "file": value }),
            (false, None) => value.into(),
        }
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
    (!flat.properties.is_empty() && is_whole).then_some(flat)
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
                    self.add_rule(keyword, choices?.into())?;
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
