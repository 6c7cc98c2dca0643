//! Projection: from a response to the tool's output.
//!
//! A projection is a tree. A string that starts with `$` is a JSONPath (RFC 9535); a string with `{{ }}` is an
//! expression; maps and lists are projected part by part; `{ each, as }` maps over nodes; `{ literal }` is itself.
//! Everything is compiled once.

mod condition;
mod direct;
mod errors;
mod kind;
mod rules;

use std::cell::OnceCell;
use std::fmt;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

pub use crate::jsonpath::{self, JsonPath};
pub use condition::Condition;
pub use errors::{ErrorFields, ErrorsSpec, Extract, ExtractSpec};
pub use kind::ResponseKind;
pub use rules::{Action, ErrorRuleSpec, ErrorRules, ResponseRules, Rule, Statuses};

use crate::descriptor::code::Code;
use crate::descriptor::source::{Check, join, join_index};
use crate::template::{EvalError, Names, Scope, Template, is_identifier};

/// What the tool makes of a response.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResponseSpec {
    /// What the body is; JSON when absent.
    #[serde(default)]
    pub kind: ResponseKind,
    /// What makes an error of a success, for services that answer 200 to whatever happens: an expression over `body`,
    /// `status`, `headers` and `params`, or a JSONPath.
    pub fail_when: Option<String>,
    /// What to do with error answers, and with others that are errors by their body; before the service's own rules.
    #[serde(default)]
    pub errors: Vec<ErrorRuleSpec>,
    /// Named projections that expressions in `output` compute with, in order.
    #[serde(default, rename = "let")]
    #[schemars(extend("propertyNames" = { "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" }))]
    pub bindings: IndexMap<String, Value>,
    /// The projection: a JSONPath (`$...`), an expression (`{{ }}`), or a map or list of them;
    /// `{ each: PATH, as: NODE }` maps, `{ literal: VALUE }` is itself. Without it the whole body is the output.
    pub output: Option<Value>,
    /// The key of the output that holds the rows of a table.
    pub rows: Option<String>,
    /// A JSON Schema of the output; examples are checked against it.
    pub schema: Option<Value>,
}

/// A node of a compiled projection.
#[derive(Debug)]
pub enum Node {
    /// A value as it stands.
    Literal(Value),
    /// A JSONPath: the value or null for a singular query, an array for any other.
    Path(JsonPath),
    /// An expression.
    Template(Template),
    /// A map, part by part.
    Map(Vec<(String, Node)>),
    /// A list, part by part.
    List(Vec<Node>),
    /// One output per node that the paths walk to.
    Each {
        /// The paths, each starting at the nodes of the one before it, with the names that expressions use.
        walk: Vec<(String, JsonPath)>,
        /// What each node becomes.
        node: Box<Node>,
    },
}

/// The response does not have the shape that a projection needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectError {
    /// The part of the output, such as `output.workspaces`.
    pub part: String,
    /// Where and how the response differs.
    pub message: String,
}

impl fmt::Display for ProjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.part, self.message)
    }
}

impl std::error::Error for ProjectError {}

impl ProjectError {
    fn new(message: String) -> ProjectError {
        ProjectError {
            part: String::new(),
            message,
        }
    }

    /// Says in which part of the projection it happened.
    pub fn under(mut self, part: &str) -> ProjectError {
        self.part = match self.part.is_empty() {
            true => part.to_owned(),
            false => format!("{part}.{}", self.part),
        };
        self
    }
}

impl From<EvalError> for ProjectError {
    fn from(error: EvalError) -> ProjectError {
        ProjectError::new(error.to_string())
    }
}

impl Node {
    /// Compiles the value at `pointer`; mistakes go to `check`.
    pub fn compile(value: &Value, pointer: &str, names: &Names, check: &Check) -> Node {
        match value {
            Value::String(text) if text.starts_with('$') => {
                match compile_path(text, pointer, check) {
                    Some(path) => Node::Path(path),
                    None => Node::Literal(Value::Null),
                }
            }
            Value::String(text) => match Template::compile_text(text, pointer, names, check) {
                Template::Literal(value) => Node::Literal(value),
                template => Node::Template(template),
            },
            Value::Array(items) => Node::List(
                items
                    .iter()
                    .enumerate()
                    .map(|(i, item)| Node::compile(item, &join_index(pointer, i), names, check))
                    .collect(),
            ),
            Value::Object(members) if members.len() == 1 && members.contains_key("literal") => {
                Node::Literal(members["literal"].clone())
            }
            Value::Object(members) if members.contains_key("each") => {
                Node::compile_each(members, pointer, names, check)
            }
            Value::Object(members) if let Some(key) = misspelt_each(members) => {
                check.error_at_key(
                    Code::UnknownKey,
                    &join(pointer, key),
                    format!("`{key}` beside `as` is no key of a mapping"),
                    Some("did you mean `each`?".to_owned()),
                );
                Node::Literal(Value::Null)
            }
            Value::Object(members) => Node::Map(
                members
                    .iter()
                    .map(|(key, member)| {
                        let node = Node::compile(member, &join(pointer, key), names, check);
                        (key.clone(), node)
                    })
                    .collect(),
            ),
            plain => Node::Literal(plain.clone()),
        }
    }

    fn compile_each(
        members: &Map<String, Value>,
        pointer: &str,
        names: &Names,
        check: &Check,
    ) -> Node {
        for key in members
            .keys()
            .filter(|key| !matches!(key.as_str(), "each" | "as"))
        {
            check.error_at_key(
                Code::UnknownKey,
                &join(pointer, key),
                format!("`{key}` has no meaning beside `each`"),
                Some("`each` goes with `as` alone".to_owned()),
            );
        }
        let mut inner = names.clone().with("item");
        let at = join(pointer, "each");
        let mut walk = Vec::new();
        match &members["each"] {
            Value::String(text) => {
                walk.extend(compile_path(text, &at, check).map(|path| ("item".to_owned(), path)));
            }
            Value::Object(steps) if !steps.is_empty() => {
                for (name, step) in steps {
                    let at = join(&at, name);
                    if !is_identifier(name) {
                        check.error_at_key(
                            Code::BadName,
                            &at,
                            format!("`{name}` cannot be a name in expressions"),
                            None,
                        );
                    }
                    inner = inner.with(name);
                    match step {
                        Value::String(text) => {
                            walk.extend(
                                compile_path(text, &at, check).map(|path| (name.clone(), path)),
                            );
                        }
                        _ => check.error(Code::BadProjection, &at, "each step is one JSONPath"),
                    }
                }
            }
            _ => check.error_with_help(
                Code::BadProjection,
                &at,
                "`each` needs a JSONPath",
                "write `each: $.data[*]`, or a map of names to paths to walk inwards",
            ),
        }
        let node = match members.get("as") {
            Some(node) => Node::compile(node, &join(pointer, "as"), &inner, check),
            None => Node::Path(JsonPath::root()),
        };
        Node::Each {
            walk,
            node: Box::new(node),
        }
    }

    fn visit(&self, visit: &mut dyn FnMut(&crate::template::Expression)) {
        match self {
            Node::Literal(_) | Node::Path(_) => {}
            Node::Template(template) => template.visit(&mut |expression, _| visit(expression)),
            Node::Map(members) => members.iter().for_each(|(_, member)| member.visit(visit)),
            Node::List(items) => items.iter().for_each(|item| item.visit(visit)),
            Node::Each { node, .. } => node.visit(visit),
        }
    }

    /// Whether the node gives the same for every response.
    pub fn is_constant(&self) -> bool {
        match self {
            Node::Literal(_) => true,
            Node::Path(_) | Node::Template(_) | Node::Each { .. } => false,
            Node::Map(members) => members.iter().all(|(_, member)| member.is_constant()),
            Node::List(items) => items.iter().all(Node::is_constant),
        }
    }

    fn as_row(&self) -> Option<&[(String, Node)]> {
        match self {
            Node::Each { node, .. } => match &**node {
                Node::Map(members) => Some(members),
                _ => None,
            },
            _ => None,
        }
    }

    /// Projects; paths start at `at`.
    ///
    /// # Errors
    /// When the response contradicts a path, or an expression fails.
    pub fn project(&self, at: &Value, frame: &Frame<'_>) -> Result<Value, ProjectError> {
        Ok(self.project_part(at, frame)?.unwrap_or(Value::Null))
    }

    /// Like [`Node::project`], but tells an undefined expression from null.
    ///
    /// # Errors
    /// As [`Node::project`].
    pub fn project_part(
        &self,
        at: &Value,
        frame: &Frame<'_>,
    ) -> Result<Option<Value>, ProjectError> {
        match self {
            Node::Literal(value) => Ok(Some(value.clone())),
            Node::Path(path) => follow(path, at).map(Some),
            Node::Template(template) => Ok(template.render(frame)?),
            Node::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for (i, item) in items.iter().enumerate() {
                    let part = item.project(at, frame);
                    list.push(part.map_err(|error| error.under(&i.to_string()))?);
                }
                Ok(Some(Value::Array(list)))
            }
            Node::Map(members) => {
                let mut map = Map::with_capacity(members.len());
                for (key, member) in members {
                    let part = member.project(at, frame);
                    map.insert(key.clone(), part.map_err(|error| error.under(key))?);
                }
                Ok(Some(Value::Object(map)))
            }
            Node::Each { walk, node } => {
                let mut list = Vec::new();
                each(walk, node, at, frame, &mut list)?;
                Ok(Some(Value::Array(list)))
            }
        }
    }
}

fn each(
    walk: &[(String, JsonPath)],
    node: &Node,
    at: &Value,
    frame: &Frame<'_>,
    list: &mut Vec<Value>,
) -> Result<(), ProjectError> {
    let Some(((name, path), inner)) = walk.split_first() else {
        list.push(node.project(at, frame)?);
        return Ok(());
    };
    refuse_mismatch(path, at)?;
    for found in path.all(at) {
        let frame = frame.entering(name, found);
        each(inner, node, found, &frame, list)?;
    }
    Ok(())
}

/// The key beside `as` that was to be `each`.
fn misspelt_each(members: &Map<String, Value>) -> Option<&String> {
    members.get("as")?;
    members.keys().find(|key| {
        key.as_str() != "as"
            && crate::template::nearest(&key.to_lowercase(), ["each"].into_iter()).is_some()
    })
}

fn compile_path(text: &str, pointer: &str, check: &Check) -> Option<JsonPath> {
    match JsonPath::parse(text) {
        Ok(path) => Some(path),
        Err(error) => {
            let end = text[error.offset.min(text.len())..]
                .chars()
                .next()
                .map_or(error.offset, |c| error.offset + c.len_utf8());
            check.error_inside(
                Code::BadJsonPath,
                pointer,
                error.offset..end,
                format!("`{text}` is no JSONPath: {}", error.message),
                (!text.starts_with("$.") && !text.starts_with("$[")).then(|| {
                    "a text that starts with `$` is written `{ literal: \"$...\" }`".to_owned()
                }),
            );
            None
        }
    }
}

/// Compiles a JSONPath where the format takes nothing else; mistakes go to `check`.
pub fn compile_plain_path(text: &str, pointer: &str, check: &Check) -> Option<JsonPath> {
    if !text.starts_with('$') {
        check.error_with_help(
            Code::BadJsonPath,
            pointer,
            format!("`{text}` is no JSONPath"),
            "a JSONPath starts with `$`",
        );
        return None;
    }
    compile_path(text, pointer, check)
}

fn follow(path: &JsonPath, at: &Value) -> Result<Value, ProjectError> {
    if path.is_singular() {
        return match path.first(at) {
            Some(value) => Ok(value.clone()),
            None => refuse_mismatch(path, at).map(|()| Value::Null),
        };
    }
    refuse_mismatch(path, at)?;
    Ok(Value::Array(path.all(at).into_iter().cloned().collect()))
}

/// A missing part is no mistake; a part of another shape is.
pub fn refuse_mismatch(path: &JsonPath, at: &Value) -> Result<(), ProjectError> {
    match path.mismatch(at) {
        None => Ok(()),
        Some(mismatch) => Err(ProjectError::new(format!(
            "`{}` expects {} at {}, and the response has {} there",
            path.as_str(),
            mismatch.expected,
            mismatch.at,
            mismatch.found
        ))),
    }
}

/// What expressions in a projection see.
pub struct Frame<'a> {
    response: &'a ResponseView<'a>,
    bindings: &'a Map<String, Value>,
    outer: Option<&'a Frame<'a>>,
    item: Option<(&'a str, &'a Value)>,
}

/// A response as projections see it.
pub struct ResponseView<'a> {
    /// The parsed body.
    pub body: &'a Value,
    /// The HTTP status.
    pub status: u16,
    /// Header fields; names are lower case.
    pub headers: &'a [(String, String)],
    /// The arguments of the call, with defaults.
    pub params: &'a Value,
    /// The first body of a job that was waited for.
    created: Option<&'a Value>,
    header_map: OnceCell<Value>,
    status_value: Value,
}

impl<'a> ResponseView<'a> {
    /// Joins what a projection may look at.
    pub fn new(
        body: &'a Value,
        status: u16,
        headers: &'a [(String, String)],
        params: &'a Value,
    ) -> ResponseView<'a> {
        ResponseView {
            body,
            status,
            headers,
            params,
            created: None,
            header_map: OnceCell::new(),
            status_value: status.into(),
        }
    }

    /// The same response as the last one of a job that began with this body.
    pub fn of_job(self, created: Option<&'a Value>) -> ResponseView<'a> {
        ResponseView { created, ..self }
    }

    /// The same response as the first one of a job, whose own body is that of the beginning.
    pub fn as_first_of_job(&self) -> ResponseView<'a> {
        ResponseView::new(self.body, self.status, self.headers, self.params).of_job(Some(self.body))
    }

    /// The value of a header field.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    fn header_map(&self) -> &Value {
        self.header_map.get_or_init(|| {
            Value::Object(
                self.headers
                    .iter()
                    .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
                    .collect(),
            )
        })
    }

    /// A frame without bindings, for paging and errors.
    pub fn frame(&'a self, bindings: &'a Map<String, Value>) -> Frame<'a> {
        Frame {
            response: self,
            bindings,
            outer: None,
            item: None,
        }
    }
}

impl<'a> Frame<'a> {
    fn entering(&'a self, name: &'a str, item: &'a Value) -> Frame<'a> {
        Frame {
            response: self.response,
            bindings: self.bindings,
            outer: Some(self),
            item: Some((name, item)),
        }
    }

    /// The name that goes by `name` among the walked nodes; `item` is always the innermost.
    fn walked(&self, name: &str) -> Option<&Value> {
        match self.item {
            Some((own, value)) if own == name || name == "item" => Some(value),
            _ => self.outer?.walked(name),
        }
    }
}

impl Scope for Frame<'_> {
    fn json(&self, name: &str) -> Option<&Value> {
        if let Some(value) = self.walked(name) {
            return Some(value);
        }
        if let Some(value) = self.bindings.get(name) {
            return Some(value);
        }
        match name {
            "body" => Some(self.response.body),
            "params" => Some(self.response.params),
            "status" => Some(&self.response.status_value),
            "headers" => Some(self.response.header_map()),
            "created" => self.response.created,
            _ => None,
        }
    }
}

/// The names that a projection's expressions may use.
pub fn response_names<S: AsRef<str>>(params: impl IntoIterator<Item = S>) -> Names {
    Names::default()
        .with("body")
        .with("status")
        .with("headers")
        .with_members("params", params)
}

/// A compiled response section.
#[derive(Debug, Default)]
pub struct Projection {
    bindings: Vec<(String, Node)>,
    output: Option<Node>,
    direct: Option<direct::Direct>,
    rows: Option<String>,
}

impl Projection {
    /// Compiles the section; mistakes go to `check`.
    pub fn compile(
        spec: Option<&ResponseSpec>,
        pointer: &str,
        names: &Names,
        check: &Check,
    ) -> Projection {
        let Some(spec) = spec else {
            return Projection::default();
        };
        let mut names = names.clone();
        let mut bindings = Vec::with_capacity(spec.bindings.len());
        for (name, value) in &spec.bindings {
            let at = join(&join(pointer, "let"), name);
            if !is_identifier(name) {
                check.error_at_key(
                    Code::BadName,
                    &at,
                    format!("`{name}` cannot be a name in expressions"),
                    Some("use letters, digits and `_`".to_owned()),
                );
            }
            bindings.push((name.clone(), Node::compile(value, &at, &names, check)));
            names = names.with(name);
        }
        let output = spec
            .output
            .as_ref()
            .map(|output| Node::compile(output, &join(pointer, "output"), &names, check));
        report_unknown_rows(spec, output.as_ref(), pointer, check);
        Projection {
            bindings,
            direct: output
                .as_ref()
                .and_then(direct::Direct::compile)
                .and_then(direct::Direct::if_simple),
            output,
            rows: spec.rows.clone(),
        }
    }

    /// Projects a response.
    ///
    /// # Errors
    /// When the response contradicts a path, or an expression fails.
    pub fn run(&self, response: &ResponseView<'_>) -> Result<Value, ProjectError> {
        let Some(output) = &self.output else {
            return Ok(response.body.clone());
        };
        let mut bindings = Map::new();
        for (name, node) in &self.bindings {
            let value = node.project(response.body, &response.frame(&bindings));
            bindings.insert(name.clone(), value.map_err(|e| e.under(name).under("let"))?);
        }
        output
            .project(response.body, &response.frame(&bindings))
            .map_err(|error| error.under("output"))
    }

    /// Projects the text of a body without making a tree of all of it. `None` when that is not possible; then
    /// [`Projection::run`] says what the output or the error is.
    pub fn run_direct(&self, body: &[u8]) -> Option<Value> {
        self.direct.as_ref()?.run(body)
    }

    /// The rows of an output, where it has any.
    pub fn rows<'v>(&self, output: &'v Value) -> Option<&'v Vec<Value>> {
        match &self.rows {
            Some(key) => output.get(key)?.as_array(),
            None => output.as_array(),
        }
    }

    /// The names of `let`.
    pub fn binding_names(&self) -> impl Iterator<Item = &str> {
        self.bindings.iter().map(|(name, _)| name.as_str())
    }

    /// The names that the projection's expressions read.
    pub fn names_read(&self) -> Vec<String> {
        let mut names = Vec::new();
        let nodes = self
            .bindings
            .iter()
            .map(|(_, node)| node)
            .chain(self.output.as_ref());
        for node in nodes {
            node.visit(&mut |expression| names.extend(expression.names().iter().cloned()));
        }
        names
    }

    /// The keys of every row, where the projection names them.
    pub fn columns(&self) -> Option<Vec<String>> {
        let rows = match (&self.rows, self.output.as_ref()?) {
            (Some(key), Node::Map(members)) => {
                members.iter().find(|(name, _)| name == key)?.1.as_row()
            }
            (None, output) => output.as_row(),
            _ => None,
        }?;
        Some(rows.iter().map(|(name, _)| name.clone()).collect())
    }

    /// The key of the output that holds the rows.
    pub fn rows_key(&self) -> Option<&str> {
        self.rows.as_deref()
    }
}

fn report_unknown_rows(spec: &ResponseSpec, output: Option<&Node>, pointer: &str, check: &Check) {
    let Some(rows) = &spec.rows else { return };
    let members: &[(String, Node)] = match output {
        Some(Node::Map(members)) => members,
        // A list has no keys: its own items are the rows.
        Some(Node::Each { .. } | Node::List(_) | Node::Literal(_)) => &[],
        Some(Node::Path(_) | Node::Template(_)) | None => return,
    };
    if !members.iter().any(|(key, _)| key == rows) {
        let known = members.iter().map(|(key, _)| key.as_str());
        let help = crate::template::nearest(rows, known);
        check.error_inside(
            Code::UnknownName,
            &join(pointer, "rows"),
            0..rows.len(),
            format!("the output has no key `{rows}`"),
            help,
        );
    }
}
