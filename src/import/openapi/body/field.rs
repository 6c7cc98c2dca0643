//! One property of a form or of a body in parts, as the document encodes it.

use serde_json::{Map, Value, json};

use super::Body;
use super::file::type_choice;
use crate::import::openapi::media::{essence, is_json};
use crate::import::openapi::parameters::{Request, expression, reference};
use crate::import::openapi::schema::{Shape, shape};
use crate::import::openapi::spec::{Part, Spec};
use crate::import::report::{Losses, What};

/// A property of a form, and how the document encodes it.
pub(super) struct Field<'f, 's> {
    pub body: &'f Body<'s>,
    pub wire: &'f str,
    pub property: &'f Part<'s>,
    /// The name of its param.
    pub name: &'f str,
    pub is_required: bool,
    pub spec: &'s Spec,
    pub losses: &'f Losses,
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
    pub(super) fn in_form(&self) -> Result<Value, String> {
        let shape = shape(self.spec, self.property);
        let is_plain = !shape.array && !shape.object;
        let styled = |style: &str| json!({ "value": self.value(), "style": style });
        let (style, explode) = (self.encoding("style"), self.explode());
        let is_styled = self.is_styled();
        match self.media_types().as_slice() {
            // The style decides, where there is one.
            [] => {}
            _ if is_styled => {}
            [only] if is_json(only) => return Ok(self.json(shape).into()),
            // Each item of a list is a text of its own.
            [only] if is_text(only) && shape.array && !shape.object && !shape.list_of_parts => {}
            [first, ..] if !is_plain => {
                return Err(format!(
                    "is encoded as {first}, which a form field cannot be"
                ));
            }
            _ => {}
        }
        if self
            .body
            .encoding(self.wire)
            .is_some_and(|own| own.flag("allowReserved") == Some(true))
        {
            self.note("reserved characters are percent-encoded anyway, as forms are written");
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
            false => self.json(shape).into(),
        }
    }

    /// The value as JSON. The style `json` leaves null out, which is a value of JSON as any other.
    fn json(&self, shape: Shape) -> Map<String, Value> {
        match shape.null {
            true => {
                let text = self.computed(&format!("{} | tojson", reference(self.name)));
                Map::from_iter([("value".to_owned(), text.into())])
            }
            false => Map::from_iter([
                ("value".to_owned(), self.value().into()),
                ("style".to_owned(), "json".into()),
            ]),
        }
    }

    /// Whether the document gives the property a style, beside which its media type has no meaning.
    fn is_styled(&self) -> bool {
        let own = self.body.encoding(self.wire);
        own.is_some_and(|own| {
            ["style", "explode", "allowReserved"]
                .iter()
                .any(|key| own.get(key).is_some())
        })
    }

    /// A part of `multipart/form-data` that is no file.
    ///
    /// # Errors
    /// Why it cannot be written as the document says.
    pub(super) fn in_multipart(&self) -> Result<Value, String> {
        let shape = shape(self.spec, self.property);
        self.note_headers();
        let has_styles = !self.spec.version.starts_with("3.0");
        if has_styles && self.is_styled() {
            return self.styled_part(shape);
        }
        let types = self.media_types();
        if let Some(json) = types.iter().find(|media_type| is_json(media_type)) {
            self.note_choice(json, &types);
            if shape.array && !shape.object {
                self.note("the whole list is one part of JSON");
            }
            let mut part = self.json(shape);
            part.insert("content_type".into(), (*json).into());
            return Ok(part.into());
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
        if self.is_styled() {
            self.note(
                "OpenAPI 3.0 gives `style` and `explode` no meaning in a part; a list is a part for each item",
            );
        }
        if shape.array && !shape.object && self.holds_lists() {
            return Err("is a list of lists, which parts cannot hold".to_owned());
        }
        Ok(self.value().into())
    }

    /// A part with a style, which OpenAPI has since 3.1.
    ///
    /// # Errors
    /// Why the style cannot write it.
    fn styled_part(&self, shape: Shape) -> Result<Value, String> {
        let styled = |style: &str| json!({ "value": self.value(), "style": style });
        let explode = self.explode();
        let is_whole = |style: &str| explode != Some(true) && style != "form";
        let style = self.encoding("style").unwrap_or("form");
        match style {
            _ if !shape.array && !shape.object => Ok(self.value().into()),
            "deepObject" if shape.list_of_parts => Ok(styled("indexed")),
            "deepObject" => Ok(styled("deep_object")),
            "form" | "spaceDelimited" | "pipeDelimited" if shape.nested || shape.list_of_parts => {
                Err(format!(
                    "holds lists or objects inside each other, which the style `{style}` cannot write"
                ))
            }
            "spaceDelimited" if is_whole(style) => Ok(styled("space")),
            "pipeDelimited" if is_whole(style) => Ok(styled("pipe")),
            "form" | "spaceDelimited" | "pipeDelimited" => Ok(match explode {
                Some(false) => json!({ "value": self.value(), "style": "form", "explode": false }),
                _ if shape.object => styled("form"),
                _ => self.value().into(),
            }),
            other => Err(format!(
                "has the style `{other}`, which is not supported in a part"
            )),
        }
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
    pub(super) fn file(&self, request: &mut Request) -> Value {
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

/// Whether a media type is plain text.
fn is_text(media_type: &str) -> bool {
    essence(media_type) == "text/plain"
}
