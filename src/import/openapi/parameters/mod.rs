//! Turns the parameters of path, query, headers and cookies into params, and writes the parts of the request that use them.

mod request;
mod segments;
mod target;
mod written;

use serde_json::{Map, Value, json};

pub(crate) use request::{Request, expression, reference};
pub(crate) use target::path_text;

use super::schema::Schemas;
use super::spec::{Part, Spec};
use super::text;
use crate::import::report::{Losses, What};
use crate::plan::is_reserved;

/// The part of the request that holds a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Location {
    /// A part of the path.
    Path,
    /// The query.
    Query,
    /// A header.
    Header,
    /// A cookie.
    Cookie,
}

impl Location {
    /// The word for it in names.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Location::Path => "path",
            Location::Query => "query",
            Location::Header => "header",
            Location::Cookie => "cookie",
        }
    }
}

/// A parameter of the document.
#[derive(Debug)]
pub(crate) struct Parameter<'s> {
    /// The name on the wire.
    pub wire: &'s str,
    /// The part of the request that holds it.
    pub location: Location,
    /// The parameter object.
    pub part: Part<'s>,
    /// Its schema, if it has one.
    pub schema: Option<Part<'s>>,
    /// The media type, if its value is encoded as one, such as JSON.
    media_type: Option<&'s str>,
}

/// The parameters of an operation: its own, and those of its path that it does not replace. Sorted by location, then in
/// the order of the document.
pub(crate) fn collect<'s>(
    spec: &'s Spec,
    path: &Part<'s>,
    operation: &Part<'s>,
    losses: &Losses,
) -> Vec<Parameter<'s>> {
    let mut parameters: Vec<Parameter<'s>> = Vec::new();
    let all = [path, operation]
        .into_iter()
        .filter_map(|part| part.get("parameters"))
        .flat_map(|list| list.items());
    for part in all {
        let part = match spec.resolve(&part) {
            Ok(part) => part,
            Err(error) => {
                let message = format!("{error}; the parameter is left out");
                losses.note(What::Reference, &part.pointer, message);
                continue;
            }
        };
        let Some(parameter) = parameter_of(part, losses) else {
            continue;
        };
        let is_same = |other: &&mut Parameter<'_>| {
            other.location == parameter.location
                && match parameter.location {
                    Location::Header => other.wire.eq_ignore_ascii_case(parameter.wire),
                    _ => other.wire == parameter.wire,
                }
        };
        let same = parameters.iter_mut().find(is_same);
        match same {
            Some(known) => *known = parameter,
            None => parameters.push(parameter),
        }
    }
    parameters.sort_by_key(|parameter| parameter.location);
    parameters
}

fn parameter_of<'s>(part: Part<'s>, losses: &Losses) -> Option<Parameter<'s>> {
    let leave_out = |message: &str| losses.note(What::Parameter, &part.pointer, message);
    let Some(wire) = part.text("name") else {
        leave_out("the parameter has no name; it is left out");
        return None;
    };
    let location = match part.text("in") {
        Some("path") => Location::Path,
        Some("query") => Location::Query,
        Some("header") => Location::Header,
        Some("cookie") if is_header_name(wire) => Location::Cookie,
        Some("cookie") => {
            leave_out("this cannot be the name of a cookie; the parameter is left out");
            return None;
        }
        _ => {
            leave_out("the parameter has no valid `in`; it is left out");
            return None;
        }
    };
    if location == Location::Header {
        let lower = wire.to_ascii_lowercase();
        // OpenAPI ignores parameters of these names: body, response and security schemes decide about them.
        if ["accept", "content-type", "authorization"].contains(&lower.as_str()) {
            return None;
        }
        if !is_header_name(wire) || is_reserved(&lower) {
            leave_out("this header cannot be set; the parameter is left out");
            return None;
        }
    }
    let content = part.get("content").and_then(|content| {
        let (name, media) = content.members().next()?;
        Some((name, media.get("schema")))
    });
    let (media_type, schema) = match content {
        Some((name, schema)) => (Some(name), schema),
        None => (None, part.get("schema")),
    };
    Some(Parameter {
        wire,
        location,
        part,
        schema,
        media_type,
    })
}

/// Whether a text can be the name of a header (RFC 9110, section 5.6.2).
pub(crate) fn is_header_name(text: &str) -> bool {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(is_token)
}

impl<'s> Parameter<'s> {
    /// Whether every request has it.
    fn is_required(&self) -> bool {
        self.location == Location::Path || self.part.flag("required") == Some(true)
    }

    /// The param's schema and whether a call must give it.
    fn schema_of(
        &self,
        schemas: &mut Schemas<'s, '_>,
        losses: &Losses,
    ) -> (Map<String, Value>, bool) {
        let in_path = self.location == Location::Path;
        let mut schema = match &self.schema {
            Some(schema) => schemas.param(schema),
            None => Map::new(),
        };
        if in_path {
            require_text(&mut schema);
        }
        if self.part.flag("deprecated") == Some(true) {
            schema.insert("deprecated".into(), true.into());
        }
        if let Some(words) = self.part.text("description") {
            schema.shift_remove("description");
            let words = text::plain(words, text::PARAM);
            schema.insert("description".into(), words.into());
        }
        if self.location == Location::Cookie {
            in_cookie(&mut schema);
        }
        let is_required = describe_default(&mut schema, self.is_required());
        if self.part.flag("allowReserved") == Some(true) && self.location != Location::Query {
            losses.note(
                What::Parameter,
                &self.part.pointer,
                "`allowReserved` has a meaning in the query alone",
            );
        }
        (schema, is_required)
    }
}

/// Moves a default into the description, unless the param is required. The engine sends the default of a param, but the
/// default of a document is what the service assumes when nothing is sent. To send it may differ: it may exclude other
/// parameters, or overwrite what an update should leave alone. Returns whether a call must give the param.
pub(crate) fn describe_default(schema: &mut Map<String, Value>, is_required: bool) -> bool {
    let Some(default) = schema.get("default").cloned() else {
        return is_required;
    };
    if is_required {
        return false;
    }
    schema.shift_remove("default");
    let shown = match &default {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if shown.is_empty() || shown.len() > 80 {
        return is_required;
    }
    let words = schema.shift_remove("description");
    let words = words.as_ref().and_then(Value::as_str).unwrap_or_default();
    let lower = words.to_lowercase();
    let says_so = lower.contains("default") && lower.contains(&shown.to_lowercase());
    let words = match (words, says_so) {
        (words, true) => words.to_owned(),
        ("", _) => format!("Default: {shown}."),
        (words, _) if words.contains('\n') => format!("{words}\n\nDefault: {shown}."),
        (words, _) if words.ends_with(['.', '!', '?', ')']) => format!("{words} Default: {shown}."),
        (words, _) => format!("{words}. Default: {shown}."),
    };
    schema.insert("description".into(), words.into());
    is_required
}

/// Gives a param of the path a type without null: the engine refuses any other there.
fn require_text(schema: &mut Map<String, Value>) {
    let types = match schema.get("type") {
        Some(Value::Array(names)) => names
            .iter()
            .filter(|name| *name != "null")
            .cloned()
            .collect(),
        Some(one) => vec![one.clone()],
        None if ["allOf", "anyOf", "oneOf", "$ref", "enum", "const"]
            .iter()
            .any(|keyword| schema.contains_key(*keyword)) =>
        {
            return;
        }
        None => vec![json!("string")],
    };
    if let Some(Value::Array(options)) = schema.get_mut("enum") {
        options.retain(|option| !option.is_null());
    }
    let types = match types.as_slice() {
        [] => json!("string"),
        [one] => one.clone(),
        several => several.into(),
    };
    let mut whole = Map::from_iter([("type".to_owned(), types)]);
    whole.extend(
        std::mem::take(schema)
            .into_iter()
            .filter(|(keyword, _)| keyword != "type"),
    );
    *schema = whole;
}

/// A schema for a text that can stand in a cookie as it is (RFC 6265, section 4.1.1).
fn in_cookie(schema: &mut Map<String, Value>) {
    const LEGAL: &str = "^[!#-+\\--:<-\\[\\]-~]*$";
    let is_text = match schema.get("type") {
        Some(Value::String(name)) => name == "string",
        Some(Value::Array(names)) => names.iter().any(|name| name == "string"),
        _ => true,
    };
    if !is_text || schema.contains_key("enum") || schema.contains_key("const") {
        return;
    }
    match schema.contains_key("pattern") {
        false => {
            schema.insert("pattern".into(), LEGAL.into());
        }
        true => {
            let rules = schema.entry("allOf").or_insert_with(|| json!([]));
            if let Value::Array(rules) = rules {
                rules.push(json!({ "pattern": LEGAL }));
            }
        }
    }
}
