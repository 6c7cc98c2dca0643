//! Turns the parameters of path, query and headers into params, and writes the parts of the request that use them.

use serde_json::{Map, Value, json};

use super::schema::{Schemas, Shape, shape};
use super::spec::{Part, Spec};
use super::text;
use crate::import::report::{Losses, What};
use crate::plan::is_reserved;
use crate::template::is_identifier;

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
        path: &'s str,
        parameters: &[Parameter<'s>],
        schemas: &mut Schemas<'s, '_>,
        losses: &Losses,
    ) -> Result<(), String> {
        let target = Target::of(path);
        let mut places = Places::default();
        for parameter in parameters {
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

/// The path of an operation as the document writes it, which may have a query.
struct Target<'s> {
    path: &'s str,
    /// Names and values after `?`, decoded. A value may have `{name}` inside.
    query: Vec<(String, String)>,
    /// The names in `{?name,name}`.
    listed: Vec<String>,
}

impl<'s> Target<'s> {
    fn of(path: &'s str) -> Target<'s> {
        let mut listed = Vec::new();
        let path = path.split('#').next().unwrap_or_default();
        let (path, forms) = match path.find("{?") {
            Some(at) => path.split_at(at),
            None => (path, ""),
        };
        for form in forms.split('{').skip(1) {
            let names = form.split('}').next().unwrap_or_default();
            let names = names.trim_start_matches(['?', '&']);
            let names = names.split(',').map(|name| name.trim_end_matches('*'));
            listed.extend(names.filter(|name| !name.is_empty()).map(str::to_owned));
        }
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query = url::form_urlencoded::parse(query.as_bytes())
            .filter(|(name, _)| !name.is_empty() && !name.contains(['{', '}']))
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        Target {
            path,
            query,
            listed,
        }
    }

    /// Whether the path has `{name}`.
    fn has(&self, wire: &str) -> bool {
        self.path.contains(&format!("{{{wire}}}"))
    }

    /// Whether the query after the path has `{name}`.
    fn asks_for(&self, wire: &str) -> bool {
        let wanted = format!("{{{wire}}}");
        self.query.iter().any(|(_, value)| value.contains(&wanted))
    }
}

/// The places of a request, with the expressions that fill them.
#[derive(Default)]
struct Places<'s> {
    path: Vec<(&'s str, String)>,
    query: Map<String, Value>,
    headers: Map<String, Value>,
    /// The name of each cookie, and the name of its param.
    cookies: Vec<(&'s str, String)>,
}

/// The `cookie` header of these cookies, each of which may be absent.
fn cookie_header(cookies: &[(&str, String)], required: &[String]) -> Option<String> {
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

/// Fixed text of a path, as a path template may hold it.
pub(crate) fn path_text(text: &str) -> String {
    let mut legal = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let is_escape = c == '%'
            && text
                .as_bytes()
                .get(at + 1..at + 3)
                .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        match is_escape || c.is_ascii_alphanumeric() || "/-._~!$&'()*+,;=:@".contains(c) {
            true => legal.push(c),
            false => legal.push_str(&crate::plan::percent_encode(c.encode_utf8(&mut [0; 4]))),
        }
    }
    legal
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
        if self.part.flag("allowReserved") == Some(true) {
            losses.note(
                What::Parameter,
                &self.part.pointer,
                "reserved characters are percent-encoded anyway",
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

/// Writes a param into the place of its parameter.
struct Written<'p, 's> {
    parameter: &'p Parameter<'s>,
    name: &'p str,
    shape: Shape,
    losses: &'p Losses,
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
    fn add_to(&self, places: &mut Places<'s>) -> Result<(), String> {
        let wire = self.parameter.wire.to_owned();
        match self.parameter.location {
            Location::Path => places.path.push((self.parameter.wire, self.in_path()?)),
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
            Some(media_type) if super::media::is_json(media_type) => Ok(true),
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

    fn in_path(&self) -> Result<String, String> {
        let name = reference(self.name);
        if self.is_json()? {
            return Ok(format!("{{{{ {name} | tojson }}}}"));
        }
        let lead = match self.style().unwrap_or("simple") {
            "label" => ".".to_owned(),
            "matrix" => format!(";{}=", path_text(self.parameter.wire)),
            _ => String::new(),
        };
        match self.is_plain() {
            true => Ok(format!("{lead}{{{{ {name} }}}}")),
            false => Err(
                "is a list or an object in the path, and the commas between its parts would be percent-encoded"
                    .to_owned(),
            ),
        }
    }

    fn in_query(&self) -> Result<Value, String> {
        if self.is_json()? {
            return Ok(self.json_text().into());
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
            return Ok(self.json_text().into());
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
