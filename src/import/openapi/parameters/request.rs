//! The params of a tool and the request that they fill, under construction.

use serde_json::{Map, Value, json};

use super::target::{Target, path_text};
use super::written::{Places, Written, cookie_header};
use super::{Location, Parameter, segments};
use crate::import::openapi::schema::{Schemas, shape};
use crate::import::openapi::spec::Spec;
use crate::import::report::{Losses, What};
use crate::template::is_identifier;

/// A tool's params and the parts of its request that use them, under construction.
#[derive(Debug, Default)]
pub(crate) struct Request {
    /// The schemas of the params, by name.
    pub properties: Map<String, Value>,
    /// The names of the params that a call must give.
    pub required: Vec<String>,
    /// For each parameter, its location, its name on the wire and the name of its param.
    pub names: Vec<(Location, String, String)>,
    /// Rules about several params, such as `anyOf`.
    pub rules: Map<String, Value>,
    /// The path template.
    pub path: String,
    /// How lists and objects are written in the path, by the names of their params.
    pub path_styles: Map<String, Value>,
    /// The values of the query, by the name on the wire.
    pub query: Map<String, Value>,
    /// The values of the headers, by name.
    pub headers: Map<String, Value>,
    /// The body section.
    pub body: Option<Value>,
}

impl Request {
    /// A name for a param: the one on the wire if it is free and legal, else another one, which is reported.
    pub(crate) fn free_name(
        &self,
        wire: &str,
        prefix: &str,
        pointer: &str,
        losses: &Losses,
    ) -> String {
        let legal: String = wire
            .trim()
            .chars()
            .map(|c| if is_legal(c) { c } else { '_' })
            .collect();
        let legal = if legal.is_empty() {
            prefix.to_owned()
        } else {
            legal
        };
        let name = [legal.clone(), format!("{prefix}_{legal}")]
            .into_iter()
            .chain((2..).map(|i| format!("{legal}_{i}")))
            .find(|name| self.is_free(name))
            .unwrap_or(legal);
        if name != wire {
            losses.note(
                What::Name,
                pointer,
                format!("`{wire}` of the {prefix} is called `{name}` here"),
            );
        }
        name
    }

    /// Whether a param can have exactly this name.
    pub(crate) fn is_free(&self, name: &str) -> bool {
        // In expressions, `params` and `settings` have a meaning of their own.
        !self.properties.contains_key(name)
            && !["params", "settings", ""].contains(&name)
            && name.trim() == name
            && name.chars().all(is_legal)
    }

    /// Adds a param.
    pub(crate) fn add_param(&mut self, name: &str, schema: Map<String, Value>, is_required: bool) {
        self.properties
            .insert(name.to_owned(), Value::Object(schema));
        if is_required {
            self.required.push(name.to_owned());
        }
    }

    /// Adds a rule about several params. Rules that are maps are joined.
    pub(crate) fn add_rule(&mut self, keyword: &str, rule: Value) {
        match (self.rules.get_mut(keyword), rule) {
            (Some(Value::Object(known)), Value::Object(rule)) => known.extend(rule),
            (_, rule) => {
                self.rules.insert(keyword.to_owned(), rule);
            }
        }
    }

    /// Adds the parameters. What cannot be written in a descriptor is reported, and left out if a call can do without.
    ///
    /// # Errors
    /// When a parameter that every call must give cannot be written.
    pub(crate) fn add_parameters<'s>(
        &mut self,
        spec: &'s Spec,
        path: &str,
        parameters: &[Parameter<'s>],
        schemas: &mut Schemas<'s, '_>,
        losses: &Losses,
    ) -> Result<(), String> {
        let plain = segments::plain(spec, path, parameters)?;
        plain.note(parameters, losses);
        let target = Target::of(&plain.path)?;
        let mut places = Places::default();
        for parameter in parameters {
            if parameter.location == Location::Path && plain.splits(parameter.wire) {
                continue;
            }
            let in_path = target.has(parameter.wire);
            let in_query = target.asks_for(parameter.wire);
            if parameter.location == Location::Path && !in_path && !in_query {
                losses.note(
                    What::Parameter,
                    &parameter.part.pointer,
                    format!(
                        "the path has no `{{{}}}`; the parameter is left out",
                        parameter.wire
                    ),
                );
                continue;
            }
            let name = self.free_name(
                parameter.wire,
                parameter.location.word(),
                &parameter.part.pointer,
                losses,
            );
            let allowed = parameter.schema.as_ref().map(|schema| shape(spec, schema));
            let written = Written {
                parameter,
                name: &name,
                shape: allowed.unwrap_or_default(),
                is_segment: in_path,
                losses,
            };
            if let Err(reason) = written.add_to(&mut places) {
                if parameter.is_required() {
                    return Err(format!("its parameter `{}` {reason}", parameter.wire));
                }
                losses.note(
                    What::Parameter,
                    &parameter.part.pointer,
                    format!("the parameter {reason}; it is left out"),
                );
                continue;
            }
            let (schema, is_required) = parameter.schema_of(schemas, losses);
            self.add_param(&name, schema, is_required);
            let wire = parameter.wire.to_owned();
            self.names.push((parameter.location, wire, name.clone()));
        }
        self.path = self.fill_path(target.path, &places.path);
        self.query = std::mem::take(&mut places.query);
        self.headers = std::mem::take(&mut places.headers);
        self.path_styles = std::mem::take(&mut places.path_styles);
        self.add_templates(&target);
        if let Some(cookies) = cookie_header(&places.cookies, &self.required) {
            self.headers.insert("cookie".into(), cookies.into());
        }
        Ok(())
    }

    /// Adds the query that the path of the document has: fixed values, and values with `{name}` inside.
    fn add_templates(&mut self, target: &Target<'_>) {
        for (key, text) in &target.query {
            if self.query.contains_key(key) {
                continue;
            }
            if !text.contains('{') {
                self.query.insert(key.clone(), text.clone().into());
                continue;
            }
            let mut written = String::new();
            let mut rest = text.as_str();
            while let Some((before, behind)) = rest.split_once('{') {
                let Some((wire, after)) = behind.split_once('}') else {
                    break;
                };
                written.push_str(before);
                let known = self.names.iter().find(|(location, known, _)| {
                    known == wire && matches!(location, Location::Path | Location::Query)
                });
                let (name, from_query) = match known {
                    Some((location, _, name)) => (name.clone(), *location == Location::Query),
                    None => (self.add_unknown(wire), false),
                };
                // A parameter of the query that the path writes under another name is sent there only.
                if from_query && wire != key {
                    self.query.shift_remove(wire);
                }
                written.push_str(&expression(&name));
                rest = after;
            }
            written.push_str(rest);
            self.query.insert(key.clone(), written.into());
        }
        for name in &target.listed {
            if !self.query.contains_key(name.as_str()) {
                let param = self.add_unlisted(name);
                self.query.insert(name.clone(), expression(&param).into());
            }
        }
    }

    /// Adds a param for a `{name}` that no parameter describes; gives the param's name.
    fn add_unknown(&mut self, wire: &str) -> String {
        let name = match self.properties.contains_key(wire) || wire.is_empty() {
            true => format!("path_{wire}"),
            false => wire.to_owned(),
        };
        let schema = Map::from_iter([("type".to_owned(), json!("string"))]);
        self.add_param(&name, schema, true);
        name
    }

    /// Adds an optional param for a name in `{?name}` that no parameter describes; gives the param's name.
    fn add_unlisted(&mut self, wire: &str) -> String {
        let name = match self.properties.contains_key(wire) {
            true => format!("query_{wire}"),
            false => wire.to_owned(),
        };
        let schema = Map::from_iter([("type".to_owned(), json!("string"))]);
        self.add_param(&name, schema, false);
        name
    }

    /// The path with an expression for each `{name}`. A name without a parameter becomes a param too.
    fn fill_path(&mut self, path: &str, filled: &[(&str, String)]) -> String {
        let mut template = String::new();
        let mut rest = path;
        while let Some((text, behind)) = rest.split_once('{') {
            let Some((wire, after)) = behind.split_once('}') else {
                break;
            };
            template.push_str(&path_text(text));
            match filled.iter().find(|(name, _)| *name == wire) {
                Some((_, written)) => template.push_str(written),
                None => {
                    let name = self.add_unknown(wire);
                    template.push_str(&expression(&name));
                }
            }
            rest = after;
        }
        template.push_str(&path_text(rest));
        match template.starts_with('/') {
            true => template,
            false => format!("/{template}"),
        }
    }

    /// The name of the param for a parameter.
    pub(crate) fn name_of(&self, parameter: &Parameter<'_>) -> Option<&str> {
        self.names
            .iter()
            .find(|(location, wire, _)| *location == parameter.location && wire == parameter.wire)
            .map(|(_, _, name)| name.as_str())
    }

    /// The `params` section.
    pub(crate) fn params(&self, definitions: Map<String, Value>) -> Option<Value> {
        if self.properties.is_empty() {
            return None;
        }
        let mut params = Map::new();
        if !self.required.is_empty() {
            params.insert("required".into(), self.required.clone().into());
        }
        params.insert("properties".into(), self.properties.clone().into());
        params.extend(self.rules.clone());
        if !definitions.is_empty() {
            params.insert("$defs".into(), definitions.into());
        }
        Some(params.into())
    }

    /// The `query` section: a list of names, if every parameter has the name of its param and the default style.
    pub(crate) fn query(&self) -> Option<Value> {
        if self.query.is_empty() {
            return None;
        }
        let is_plain = |(name, value): (&String, &Value)| {
            self.properties.contains_key(name) && value.as_str() == Some(&expression(name))
        };
        match self.query.iter().all(is_plain) {
            true => Some(self.query.keys().cloned().collect::<Vec<_>>().into()),
            false => Some(self.query.clone().into()),
        }
    }
}

/// Whether a character can stand in a param's name: an expression must be able to hold it in quotes.
fn is_legal(c: char) -> bool {
    !c.is_control() && !"\"'\\{}`".contains(c)
}

/// A param in an expression.
pub(crate) fn reference(name: &str) -> String {
    match is_identifier(name) {
        true => name.to_owned(),
        false => format!("params[\"{name}\"]"),
    }
}

/// A string that is exactly one param.
pub(crate) fn expression(name: &str) -> String {
    format!("{{{{ {} }}}}", reference(name))
}
