//! Writes a param into the place of its parameter.

use serde_json::{Map, Value, json};

use super::request::{expression, reference};
use super::target::path_text;
use super::{Location, Parameter};
use crate::import::openapi::media;
use crate::import::openapi::schema::Shape;
use crate::import::report::{Losses, What};

/// The places of a request, with the expressions that fill them.
#[derive(Default)]
pub(super) struct Places<'s> {
    pub path: Vec<(&'s str, String)>,
    /// The styles of lists and objects in the path, by the names of their params.
    pub path_styles: Map<String, Value>,
    pub query: Map<String, Value>,
    pub headers: Map<String, Value>,
    /// The name of each cookie, and the name of its param.
    pub cookies: Vec<(&'s str, String)>,
}

/// The `cookie` header of these cookies, each of which may be absent.
pub(super) fn cookie_header(cookies: &[(&str, String)], required: &[String]) -> Option<String> {
    if cookies.is_empty() {
        return None;
    }
    let is_required = |name: &String| required.contains(name);
    if cookies.iter().all(|(_, name)| is_required(name)) {
        let pairs = cookies
            .iter()
            .map(|(wire, name)| format!("{wire}={}", expression(name)));
        return Some(pairs.collect::<Vec<_>>().join("; "));
    }
    let pairs = cookies.iter().map(|(wire, name)| {
        let param = reference(name);
        match is_required(name) {
            true => format!("[\"{wire}=\" ~ {param}]"),
            false => format!("([\"{wire}=\" ~ {param}] if {param} is defined else [])"),
        }
    });
    let list = pairs.collect::<Vec<_>>().join(" + ");
    let given = cookies
        .iter()
        .map(|(_, name)| format!("{} is defined", reference(name)));
    let given = given.collect::<Vec<_>>().join(" or ");
    Some(format!("{{{{ ({list}) | join(\"; \") if {given} }}}}"))
}

/// Writes a param into the place of its parameter.
pub(super) struct Written<'p, 's> {
    pub parameter: &'p Parameter<'s>,
    pub name: &'p str,
    pub shape: Shape,
    /// Whether the parameter stands in the path itself, and not only in the query behind it.
    pub is_segment: bool,
    pub losses: &'p Losses,
}

impl<'s> Written<'_, 's> {
    fn style(&self) -> Option<&str> {
        self.parameter.part.text("style")
    }

    fn explode(&self, default: bool) -> bool {
        self.parameter.part.flag("explode").unwrap_or(default)
    }

    fn note(&self, message: impl Into<String>) {
        let pointer = &self.parameter.part.pointer;
        self.losses.note(What::Parameter, pointer, message);
    }

    /// An expression that leaves the parameter out if there is no argument.
    fn when_given(&self, computed: &str) -> String {
        format!(
            "{{{{ {computed} if {} is defined }}}}",
            reference(self.name)
        )
    }

    /// Adds the parameter to its place.
    ///
    /// # Errors
    /// Why it cannot be written as the document says.
    pub(super) fn add_to(&self, places: &mut Places<'s>) -> Result<(), String> {
        let wire = self.parameter.wire.to_owned();
        match self.parameter.location {
            Location::Path => {
                let style = self.path_style()?;
                places
                    .path
                    .push((self.parameter.wire, self.in_path(style.is_some())?));
                if let Some(style) = style {
                    places.path_styles.insert(self.name.to_owned(), style);
                }
            }
            Location::Query => {
                places.query.insert(wire, self.in_query()?);
            }
            Location::Header => {
                places.headers.insert(wire, self.in_header()?);
            }
            Location::Cookie => {
                self.in_cookie()?;
                places
                    .cookies
                    .push((self.parameter.wire, self.name.to_owned()));
            }
        }
        Ok(())
    }

    /// Whether only a scalar fits the parameter, or a scalar fits as well and is sent as it is.
    fn is_plain(&self) -> bool {
        let Shape {
            array,
            object,
            scalar,
            ..
        } = self.shape;
        scalar || !(array || object)
    }

    /// Whether the value is JSON text, because the document gives it a media type.
    ///
    /// # Errors
    /// When the media type is another one, and lists or objects would have to be written in it.
    fn is_json(&self) -> Result<bool, String> {
        match self.parameter.media_type {
            None => Ok(false),
            Some(media_type) if media::is_json(media_type) => Ok(true),
            Some(media_type) if self.shape.array || self.shape.object => Err(format!(
                "is encoded as {media_type}, which is not supported"
            )),
            Some(media_type) => {
                self.note(format!("a value of type {media_type} is sent unchanged"));
                Ok(false)
            }
        }
    }

    /// The value as JSON text; nothing is sent if there is no argument.
    fn json_text(&self) -> String {
        let json = format!("{} | tojson", reference(self.name));
        match self.parameter.is_required() {
            true => format!("{{{{ {json} }}}}"),
            false => self.when_given(&json),
        }
    }

    fn in_path(&self, has_style: bool) -> Result<String, String> {
        let name = reference(self.name);
        if self.is_json()? {
            return Ok(format!("{{{{ {name} | tojson }}}}"));
        }
        // The style writes everything but the fixed text of scalars.
        let lead = match self.style().unwrap_or("simple") {
            _ if has_style => String::new(),
            "label" => ".".to_owned(),
            "matrix" => format!(";{}=", path_text(self.parameter.wire)),
            _ => String::new(),
        };
        Ok(format!("{lead}{{{{ {name} }}}}"))
    }

    /// The entry of `path_styles` for a list or an object; `None` for a scalar.
    ///
    /// # Errors
    /// When no style can write the value.
    fn path_style(&self) -> Result<Option<Value>, String> {
        if self.is_json()? || !(self.shape.array || self.shape.object) {
            return Ok(None);
        }
        if !self.is_segment {
            return Err(
                "is a list or an object of the path, and the path has it in its query".into(),
            );
        }
        if self.shape.nested || self.shape.list_of_parts {
            return Err("holds lists or objects inside each other, which a path cannot".into());
        }
        let style = match self.style().unwrap_or("simple") {
            known @ ("simple" | "label" | "matrix") => known,
            other => return Err(format!("has the style `{other}`, which is none of paths")),
        };
        let explode = self.explode(false);
        let is_renamed = style == "matrix" && self.name != self.parameter.wire;
        if !explode && !is_renamed {
            return Ok(Some(style.into()));
        }
        let mut options = Map::from_iter([("style".to_owned(), style.into())]);
        if explode {
            options.insert("explode".into(), true.into());
        }
        if is_renamed {
            options.insert("name".into(), self.parameter.wire.into());
        }
        Ok(Some(options.into()))
    }

    /// The value in the query, with its reserved characters as they are if the document says so.
    fn in_query(&self) -> Result<Value, String> {
        let value = self.encoded_in_query()?;
        if self.parameter.part.flag("allowReserved") != Some(true) {
            return Ok(value);
        }
        Ok(match value {
            Value::Object(mut styled) => {
                styled.insert("reserved".into(), true.into());
                styled.into()
            }
            plain => json!({ "value": plain, "reserved": true }),
        })
    }

    /// The value as JSON. The style `json` leaves null out, which is a value of JSON as any other.
    fn json_in_query(&self) -> Value {
        match self.shape.null {
            true => self.json_text().into(),
            false => json!({ "value": expression(self.name), "style": "json" }),
        }
    }

    fn encoded_in_query(&self) -> Result<Value, String> {
        if self.is_json()? {
            return Ok(self.json_in_query());
        }
        let plain = expression(self.name);
        let styled = |style: &str| json!({ "value": plain, "style": style });
        let Shape {
            array,
            object,
            nested,
            ..
        } = self.shape;
        let style = self.style().unwrap_or("form");
        if nested && style != "deepObject" {
            self.note(format!(
                "the style `{style}` cannot hold nested lists and objects; the value is sent as JSON text"
            ));
            return Ok(styled("json"));
        }
        Ok(match style {
            // For a list of objects, only an index tells which members belong together.
            "deepObject" if self.shape.list_of_parts => styled("indexed"),
            "deepObject" if array || object => styled("deep_object"),
            "spaceDelimited" if (array || object) && !self.explode(false) => styled("space"),
            "pipeDelimited" if (array || object) && !self.explode(false) => styled("pipe"),
            "form" | "deepObject" | "spaceDelimited" | "pipeDelimited" => {
                match (array || object, self.explode(true)) {
                    (true, false) => styled("comma"),
                    (true, true) if object => styled("form"),
                    _ => plain.into(),
                }
            }
            _ if self.is_plain() => plain.into(),
            other => {
                return Err(format!(
                    "has the style `{other}`, which is none of the query"
                ));
            }
        })
    }

    fn in_header(&self) -> Result<Value, String> {
        if self.is_json()? {
            return Ok(self.json_text().into());
        }
        let name = reference(self.name);
        if let Some(style) = self.style().filter(|style| *style != "simple")
            && !self.is_plain()
        {
            return Err(format!("has the style `{style}`, which is none of headers"));
        }
        Ok(match self.shape {
            Shape { nested: true, .. } => {
                self.note(
                    "a header cannot hold nested lists and objects; the value is sent as JSON text",
                );
                self.json_text().into()
            }
            Shape { object: true, .. } => {
                let between = if self.explode(false) { "=" } else { "," };
                let pairs = format!("{name} | items | map(\"join\", \"{between}\") | join(\",\")");
                self.when_given(&pairs).into()
            }
            // A header of its own would join them with a comma and a space.
            Shape {
                array: true,
                scalar: false,
                ..
            } => self.when_given(&format!("{name} | join(\",\")")).into(),
            _ => expression(self.name).into(),
        })
    }

    fn in_cookie(&self) -> Result<(), String> {
        match self.is_json()? || !self.is_plain() {
            true => Err("is a list, an object or JSON, which a cookie cannot hold".to_owned()),
            false => Ok(()),
        }
    }
}
