//! A valid descriptor, taken apart: every key and value with its place and its role.

use std::ops::Range;

use serde_json::Value;
use toolrun::internals::yaml::{self, Limits, Spans};

/// What a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A key of the descriptor format.
    Format,
    /// A keyword of JSON Schema.
    Keyword,
    /// A name that the author chose, such as a param's.
    Name,
    /// A key inside free data: an example's body, a row, a projected map.
    Data,
}

/// A key with its value.
#[derive(Debug, Clone)]
pub(crate) struct Spot {
    /// The tokens of its JSON Pointer.
    pub path: Vec<String>,
    /// The bytes of the key; `None` for a list item.
    pub key: Option<Range<usize>>,
    /// The bytes of the value.
    pub value: Range<usize>,
    /// What the value is.
    pub json: Value,
    /// What the key is.
    pub role: Role,
}

/// A valid descriptor.
pub(crate) struct Descriptor {
    /// The name of its file, without folders.
    pub file: String,
    /// Its text.
    pub text: String,
    /// Its value.
    pub value: Value,
    /// Its keys and values in order.
    pub spots: Vec<Spot>,
    line_starts: Vec<usize>,
}

impl Descriptor {
    /// Takes a file apart.
    pub(crate) fn parse(file: &str, text: &str) -> Descriptor {
        let document = yaml::read(text, &Limits::default()).expect("the file is plain YAML");
        let mut spots = Vec::new();
        collect(
            file,
            &mut Vec::new(),
            &document.value,
            &document.spans,
            &mut spots,
        );
        Descriptor {
            file: file.to_owned(),
            text: text.to_owned(),
            line_starts: std::iter::once(0)
                .chain(text.match_indices('\n').map(|(at, _)| at + 1))
                .collect(),
            value: document.value,
            spots,
        }
    }

    /// The value of a text; `None` where it is no YAML.
    pub(crate) fn value_of(text: &str) -> Option<Value> {
        let read = yaml::read(text, &Limits::default());
        read.ok().map(|read| read.value)
    }

    /// The text with other bytes in place of a range.
    pub(crate) fn edit(&self, range: Range<usize>, with: &str) -> String {
        [&self.text[..range.start], with, &self.text[range.end..]].concat()
    }

    /// The line of a byte offset, counted from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset)
    }

    /// The spots that have a key, with it.
    pub(crate) fn keyed(&self) -> impl Iterator<Item = (&Spot, Range<usize>)> {
        self.spots
            .iter()
            .filter_map(|spot| Some((spot, spot.key.clone()?)))
    }

    /// The spot at a path such as `/params/properties`.
    pub(crate) fn at(&self, path: &str) -> Option<&Spot> {
        self.spots.iter().find(|spot| spot.pointer() == path)
    }

    /// The text before the key on its line.
    fn before(&self, key: usize) -> &str {
        let start = self.text[..key].rfind('\n').map_or(0, |at| at + 1);
        &self.text[start..key]
    }

    /// Whether the key starts its line.
    pub(crate) fn starts_line(&self, key: &Range<usize>) -> bool {
        self.before(key.start).trim().is_empty()
    }

    /// Whether the key is between braces on one line.
    pub(crate) fn in_flow(&self, key: &Range<usize>) -> bool {
        !matches!(self.before(key.start).trim(), "" | "-")
    }

    /// The bytes of the lines of a key that starts its line, and of its value.
    pub(crate) fn lines_of(&self, spot: &Spot, key: &Range<usize>) -> Range<usize> {
        let start = key.start - self.before(key.start).len();
        let end = self.text[spot.value.end..]
            .find('\n')
            .map_or(self.text.len(), |at| spot.value.end + at + 1);
        start..end
    }

    /// The text without a key and its value.
    pub(crate) fn without(&self, spot: &Spot, key: &Range<usize>) -> String {
        if self.starts_line(key) {
            return self.edit(self.lines_of(spot, key), "");
        }
        let rest = &self.text[spot.value.end..];
        let behind = rest.len() - rest.trim_start_matches([',', ' ', '\n']).len();
        let behind = if self.in_flow(key) && !rest.starts_with(',') {
            0
        } else {
            behind
        };
        self.edit(key.start..spot.value.end + behind, "")
    }
}

impl Spot {
    /// Its JSON Pointer, without escapes.
    pub(crate) fn pointer(&self) -> String {
        self.path
            .iter()
            .fold(String::new(), |all, token| all + "/" + token)
    }

    /// Whether its path follows a pattern, in which `*` stands for any one token and a last `**` for any rest.
    pub(crate) fn is(&self, pattern: &str) -> bool {
        follows(&self.path, pattern)
    }

    /// The last token of its path.
    pub(crate) fn name(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }
}

fn collect(
    file: &str,
    path: &mut Vec<String>,
    value: &Value,
    spans: &Spans,
    spots: &mut Vec<Spot>,
) {
    let pointer = path
        .iter()
        .map(|token| format!("/{}", token.replace('~', "~0").replace('/', "~1")))
        .collect::<String>();
    if !path.is_empty() {
        spots.push(Spot {
            path: path.clone(),
            key: spans.key(&pointer),
            value: spans.value(&pointer).expect("every value has a span"),
            json: value.clone(),
            role: role(file, path),
        });
    }
    let members: Vec<(String, &Value)> = match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, member)| (key.clone(), member))
            .collect(),
        Value::Array(list) => list
            .iter()
            .enumerate()
            .map(|(i, item)| (i.to_string(), item))
            .collect(),
        _ => Vec::new(),
    };
    for (token, member) in members {
        path.push(token);
        collect(file, path, member, spans, spots);
        path.pop();
    }
}

/// The maps of the format whose keys are names that the author chose. Below those names are keys of the format again.
const NAMES: [&str; 39] = [
    "/allow/*",
    "/query/*",
    "/auth/headers/*",
    "/auth/*/headers/*",
    "/auth/params/*",
    "/auth/response/values/*",
    "/request/query/*",
    "/request/headers/*",
    "/request/path_styles/*",
    "/request/body/multipart/*",
    "/paging/next/*",
    "/wait/query/*",
    "/wait/headers/*",
    "/response/let/*",
    "/examples/*/args/*",
    "/examples/*/request/headers/*",
    "/examples/*/response/headers/*",
    "/examples/*/created/headers/*",
    "/examples/*/pages/*/request/headers/*",
    "/examples/*/pages/*/response/headers/*",
    "/settings/*",
    "/headers/*",
    "/secrets/*",
    "/alternatives/*",
    "/require_headers/*",
    "/list_headers/*",
    "/response_headers/*",
    "/faults/*",
    "/faults/*/headers/*",
    "/data/*",
    "/routes/*",
    "/routes/*/match/*",
    "/routes/*/find/by/*",
    "/routes/*/set/*",
    "/routes/*/merge/*",
    "/routes/*/also/*/match/*",
    "/routes/*/also/*/set/*",
    "/routes/*/also/*/merge/*",
    "/routes/*/page/ids/also/*",
];

/// Places in the format that hold free data.
const DATA: [&str; 30] = [
    "/request/body/json/**",
    "/request/body/form/**",
    "/request/body/multipart/*/value/**",
    "/request/body/graphql/variables/**",
    "/wait/output/**",
    "/paging/next/*/**",
    "/response/let/*/**",
    "/response/output/**",
    "/examples/*/args/*/**",
    "/examples/*/output/**",
    "/examples/*/request/body/**",
    "/examples/*/response/body/**",
    "/examples/*/created/body/**",
    "/examples/*/pages/*/output/**",
    "/examples/*/pages/*/request/body/**",
    "/examples/*/pages/*/response/body/**",
    "/errors/body/**",
    "/errors/codes/**",
    "/errors/messages/**",
    "/data/*/row/**",
    "/data/*/show/**",
    "/routes/*/insert/row/**",
    "/routes/*/set/*/**",
    "/routes/*/also/*/set/*/**",
    "/routes/*/merge/*/**",
    "/routes/*/refuse/*/details/**",
    "/routes/*/item/**",
    "/routes/*/body/**",
    "/routes/*/buckets/result/**",
    "/routes/*/buckets/bucket/**",
];

fn role(file: &str, path: &[String]) -> Role {
    let last = path.last().map_or("", String::as_str);
    // A service inside a tool's file.
    if file != "sandbox.yaml" && path.len() > 1 && path[0] == "service" {
        return role("service.yaml", &path[1..]);
    }
    if path.len() > 1 && path[0] == "params" {
        return schema_role(&path[1..]);
    }
    if path.len() > 2 && path[0] == "response" && path[1] == "schema" {
        return schema_role(&path[2..]);
    }
    if path.len() > 2 && path[0] == "response" && ["each", "as"].contains(&last) {
        return Role::Format;
    }
    let is_service_error = file == "service.yaml" && path[0] == "errors";
    if !is_service_error && DATA.iter().any(|pattern| follows(path, pattern)) {
        return Role::Data;
    }
    match NAMES.iter().any(|pattern| follows(path, pattern)) {
        true => Role::Name,
        false => Role::Format,
    }
}

/// What the keys of a map inside a schema are.
#[derive(Clone, Copy)]
enum Inside {
    Schema,
    Names,
    Data,
}

/// The role of a key in a schema, whose own path is empty.
fn schema_role(path: &[String]) -> Role {
    let mut inside = Inside::Schema;
    let mut role = Role::Keyword;
    for token in path {
        (role, inside) = match (inside, token.as_str()) {
            (
                Inside::Schema,
                "properties" | "patternProperties" | "$defs" | "dependentSchemas" | "allOf"
                | "anyOf" | "oneOf" | "prefixItems",
            ) => (Role::Keyword, Inside::Names),
            (Inside::Schema, "enum" | "examples" | "default" | "const" | "required" | "type") => {
                (Role::Keyword, Inside::Data)
            }
            (Inside::Schema, _) => (Role::Keyword, Inside::Schema),
            (Inside::Names, _) => (Role::Name, Inside::Schema),
            (Inside::Data, _) => (Role::Data, Inside::Data),
        };
    }
    role
}

pub(super) fn follows(path: &[String], pattern: &str) -> bool {
    let mut path = path.iter();
    for part in pattern.split('/').skip(1) {
        match (part, path.next()) {
            ("**", rest) => return rest.is_some(),
            (_, None) => return false,
            ("*", Some(_)) => {}
            (part, Some(token)) if part != token => return false,
            _ => {}
        }
    }
    path.next().is_none()
}
