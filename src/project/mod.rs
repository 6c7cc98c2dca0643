//! Projection: from a response to the tool's output.
//!
//! A projection is a tree. A string that starts with `$` is a JSONPath (RFC 9535); a string with `{{ }}` is an
//! expression; maps and lists are projected part by part; `{ each, as }` maps over nodes; `{ literal }` is itself.
//! Everything is compiled once.

mod chart;
mod condition;
mod errors;
mod events;
mod frame;
mod implied;
mod kind;
mod outline;
mod projector;
mod rules;
mod unlikely;
mod wanted;
mod xml;
mod zip;

#[cfg(test)]
mod tests;

use std::fmt;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

pub(crate) use chart::ChartSpec;
pub(crate) use condition::Condition;
pub(crate) use errors::{ErrorFields, ErrorsSpec, Extract, ExtractSpec};
pub(crate) use events::EventData;
use frame::{Binding, Reads};
pub(crate) use frame::{Frame, HeaderFields, ResponseView, response_names};
pub(crate) use implied::with_body_types;
pub(crate) use kind::{Reading, ResponseKind};
pub(crate) use projector::Projector;
pub(crate) use rules::{Action, ErrorRuleSpec, ErrorRules, ResponseRules, Rule};
pub(crate) use unlikely::report_unlikely;
use zip::Zip;

use crate::json::{Json, Kind, Part};
use crate::jsonpath::{JsonPath, SearchError};
use crate::source::{Check, Code, Moved, join, join_index};
use crate::template::{Can, EvalError, Names, Template, is_identifier};

/// What the tool makes of a response.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResponseSpec {
    /// The type of the body; JSON when absent.
    #[serde(default)]
    pub kind: ResponseKind,
    /// With the kind `xml`: the elements that are always arrays, also where there is one or none, as JSONPaths of names,
    /// such as `$.feed.entry` or `$.feed.entry[*].category`.
    #[serde(default)]
    pub lists: Vec<String>,
    /// With the kind `sse`: how the data of an event is read. The default is `auto`: as JSON where it is JSON, else as
    /// text.
    #[serde(default)]
    pub event_data: Option<EventData>,
    /// When a success counts as an error, for services that answer 200 even when something failed: an expression over
    /// `body`, `status`, `headers` and `params`, or a JSONPath.
    pub fail_when: Option<String>,
    /// What to do with error answers, and with other answers whose body shows an error. These rules come before the
    /// service's own.
    #[serde(default)]
    pub errors: Vec<ErrorRuleSpec>,
    /// Named projections, in order. Expressions in `output` can use their values.
    #[serde(default, rename = "let")]
    #[schemars(extend("propertyNames" = { "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" }))]
    pub bindings: IndexMap<String, Value>,
    /// The projection: a JSONPath (`$...`), an expression (`{{ }}`), or a map or list of them;
    /// `{ each: PATH, as: NODE }` maps, `{ zip: { NAME: PATH } }` makes rows of parallel arrays, `{ literal: VALUE }` is
    /// itself. Without it the whole body is the output.
    pub output: Option<Value>,
    /// The key of the output whose value is the list of rows for tables.
    pub rows: Option<String>,
    /// How the rows are drawn as a chart. Without it, the fields are guessed.
    pub chart: Option<ChartSpec>,
    /// A JSON Schema of the output; examples are checked against it.
    pub schema: Option<Value>,
}

/// A node of a compiled projection.
#[derive(Debug)]
pub(crate) enum Node {
    /// A value as it stands.
    Literal(Value),
    /// A JSONPath: the value or null for a singular query, an array for any other.
    Path(Pick),
    /// An expression.
    Template(Template),
    /// A map, part by part.
    Map(Vec<Member>),
    /// A list, part by part.
    List(Vec<Node>),
    /// One output for each node that the paths reach.
    Each {
        /// The paths. Each one starts at the nodes of the path before it. With each path, the name that expressions
        /// use.
        walk: Vec<(String, Pick)>,
        /// The projection of each node.
        node: Box<Projector>,
    },
    /// A row for each place of parallel arrays.
    Zip(Zip),
}

/// A path, and the slot in which a pass stores the value that it leads to.
#[derive(Debug)]
pub(crate) struct Pick {
    path: JsonPath,
    slot: usize,
    /// How many of the path's first steps lead to the value in the slot.
    followed: usize,
    /// Whether more of its first steps must be followed from there.
    is_partial: bool,
}

impl Pick {
    /// The path.
    pub(crate) fn path(&self) -> &JsonPath {
        &self.path
    }
}

impl From<JsonPath> for Pick {
    fn from(path: JsonPath) -> Pick {
        Pick {
            path,
            slot: 0,
            followed: 0,
            is_partial: false,
        }
    }
}

/// A part of a map.
#[derive(Debug)]
pub(crate) struct Member {
    key: String,
    /// The key and the colon, as they are written in the output.
    quoted: Vec<u8>,
    node: Node,
}

impl Member {
    fn new(key: &str, node: Node) -> Member {
        Member {
            key: key.to_owned(),
            quoted: format!("{}:", Value::from(key)).into_bytes(),
            node,
        }
    }
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

    /// Adds the part of the projection in which the error happened.
    pub fn under(mut self, part: &str) -> ProjectError {
        self.part = match self.part.is_empty() {
            true => part.to_owned(),
            false => format!("{part}.{}", self.part),
        };
        self
    }
}

impl From<SearchError> for ProjectError {
    fn from(error: SearchError) -> ProjectError {
        ProjectError::new(error.to_string())
    }
}

impl From<EvalError> for ProjectError {
    fn from(error: EvalError) -> ProjectError {
        ProjectError::new(error.to_string())
    }
}

impl Node {
    /// Compiles the value at `pointer`; mistakes go to `check`.
    pub(crate) fn compile(value: &Value, pointer: &str, names: &Names, check: &Check) -> Node {
        match value {
            Value::String(text) if text.starts_with('$') => {
                let path = compile_path(text, pointer, check);
                Node::Path(path.unwrap_or_else(JsonPath::root).into())
            }
            Value::String(text) => match Template::compile_text(text, pointer, names, check) {
                // The text is broken, and may give anything.
                Template::Literal(Value::Null) => Node::Path(JsonPath::root().into()),
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
            Value::Object(members) if let Some(columns) = zip::columns(members) => {
                match Zip::compile(columns, members, pointer, names, check) {
                    Some(zip) => Node::Zip(zip),
                    None => Node::Literal(Value::Null),
                }
            }
            Value::Object(members) if let Some(key) = misspelt_each(members) => {
                check.error_at_key(
                    Code::UnknownKey,
                    &join(pointer, key),
                    format!("`{key}` beside `as` is no key of a mapping"),
                    Some("did you mean `each`?".to_owned()),
                );
                let mut meant = members.clone();
                if let Some(walk) = meant.shift_remove(key) {
                    check.note_moved(Moved::Value {
                        now: join(pointer, "each"),
                        was: join(pointer, key),
                    });
                    meant.insert("each".to_owned(), walk);
                }
                Node::compile_each(&meant, pointer, names, check)
            }
            Value::Object(members) => Node::Map(
                members
                    .iter()
                    .map(|(key, member)| {
                        let node = Node::compile(member, &join(pointer, key), names, check);
                        Member::new(key, node)
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
                if let Some(path) = compile_path(text, &at, check) {
                    inner = implied::with_item_type(inner, names, &path);
                    walk.push(("item".to_owned(), path.into()));
                }
            }
            Value::Object(steps) if !steps.is_empty() => {
                inner = inner.of_type("$", Can::be_anything());
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
                                compile_path(text, &at, check)
                                    .map(|path| (name.clone(), path.into())),
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
            None => Node::Path(JsonPath::root().into()),
        };
        Node::Each {
            walk,
            node: Box::new(Projector::new(node)),
        }
    }

    fn visit(&self, visit: &mut dyn FnMut(&crate::template::Expression)) {
        match self {
            Node::Literal(_) | Node::Path(_) => {}
            Node::Template(template) => template.visit(&mut |expression, _| visit(expression)),
            Node::Map(members) => members.iter().for_each(|member| member.node.visit(visit)),
            Node::List(items) => items.iter().for_each(|item| item.visit(visit)),
            Node::Each { node, .. } => node.node().visit(visit),
            Node::Zip(zip) => zip.visit(visit),
        }
    }

    /// Whether the node always gives a list.
    fn is_list(&self) -> bool {
        match self {
            Node::Path(pick) => !pick.path.is_singular(),
            Node::List(_) | Node::Each { .. } | Node::Zip(_) => true,
            Node::Literal(_) | Node::Template(_) | Node::Map(_) => false,
        }
    }

    /// Whether the node gives the same for every response.
    pub(crate) fn is_constant(&self) -> bool {
        match self {
            Node::Literal(_) => true,
            Node::Template(Template::Expression(expression)) => expression.names().is_empty(),
            Node::Path(_) | Node::Template(_) | Node::Each { .. } | Node::Zip(_) => false,
            Node::Map(members) => members.iter().all(|member| member.node.is_constant()),
            Node::List(items) => items.iter().all(Node::is_constant),
        }
    }

    /// The keys of each row, if they are known.
    fn row_keys(&self) -> Option<Vec<String>> {
        let node = match self {
            Node::Each { node, .. } => node.node(),
            Node::Zip(zip) => match zip.row() {
                Some(node) => node.node(),
                None => return Some(zip.keys()),
            },
            _ => return None,
        };
        match node {
            Node::Map(members) => Some(members.iter().map(|member| member.key.clone()).collect()),
            _ => None,
        }
    }

    /// Whether the node has a `zip` that counts its rows.
    fn counts_rows(&self) -> bool {
        match self {
            Node::Zip(zip) => zip.counts_rows(),
            Node::Map(members) => members.iter().any(|member| member.node.counts_rows()),
            Node::List(items) => items.iter().any(Node::counts_rows),
            Node::Each { .. } | Node::Literal(_) | Node::Path(_) | Node::Template(_) => false,
        }
    }
}

/// The key next to `as` that is probably a misspelt `each`.
fn misspelt_each(members: &Map<String, Value>) -> Option<&String> {
    members.get("as")?;
    members.keys().find(|key| {
        key.as_str() != "as"
            && crate::words::nearest(&key.to_lowercase(), ["each"].into_iter()).is_some()
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
                match text.get(..2) {
                    Some("$." | "$[") => None,
                    _ if !text.starts_with('$') => {
                        Some("a JSONPath starts with `$`, such as `$.data[*]`".to_owned())
                    }
                    _ => Some(
                        "a text that starts with `$` is written `{ literal: \"$...\" }`".to_owned(),
                    ),
                },
            );
            None
        }
    }
}

/// Compiles a JSONPath in a place where nothing else is allowed. Mistakes go to `check`.
pub(crate) fn compile_plain_path(text: &str, pointer: &str, check: &Check) -> Option<JsonPath> {
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

/// A missing part is allowed. A part of another shape is an error.
pub(crate) fn refuse_mismatch(path: &JsonPath, at: Part<'_>) -> Result<(), ProjectError> {
    match path.mismatch_in(at) {
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

/// A compiled response section.
#[derive(Debug, Default)]
pub(crate) struct Projection {
    bindings: Vec<(String, Projector)>,
    output: Option<Projector>,
    rows: Option<String>,
    chart: Option<ChartSpec>,
}

impl Projection {
    /// Compiles the section; mistakes go to `check`.
    pub(crate) fn compile(
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
            let node = Node::compile(value, &at, &names, check);
            report_unlikely(value, &at, check);
            names = names.with(name);
            if node.is_list() {
                names = names.of_type(name, Can::be_list());
            }
            bindings.push((name.clone(), Projector::new(node)));
        }
        // What is wrong with these was reported; they are still names.
        for name in check.written_names(&join(pointer, "let")) {
            names = names.with(&name);
        }
        let output = spec
            .output
            .as_ref()
            .map(|output| Node::compile(output, &join(pointer, "output"), &names, check));
        if let Some(output) = &spec.output {
            report_unlikely(output, &join(pointer, "output"), check);
        }
        report_unknown_rows(spec, output.as_ref(), pointer, check);
        let projection = Projection {
            bindings,
            output: output.map(Projector::new),
            rows: spec.rows.clone(),
            chart: spec.chart.clone(),
        };
        if let Some(chart) = &projection.chart
            && !check.is_broken(&join(pointer, "rows"))
        {
            let known = projection.columns();
            chart.check(known.as_deref(), &join(pointer, "chart"), check);
        }
        projection
    }

    /// What outputs look like that are lists of rows with these keys. It projects nothing.
    #[cfg(feature = "store")]
    pub(crate) fn of_columns(keys: &[String]) -> Projection {
        let member = |key: &String| Member::new(key, Node::Path(JsonPath::root().into()));
        let row = Node::Map(keys.iter().map(member).collect());
        Projection {
            output: Some(Projector::new(Node::Each {
                walk: Vec::new(),
                node: Box::new(Projector::new(row)),
            })),
            ..Projection::default()
        }
    }

    /// How the rows are drawn as a chart, if the descriptor says it.
    pub(crate) fn chart(&self) -> Option<&ChartSpec> {
        self.chart.as_ref()
    }

    /// Projects a response.
    ///
    /// # Errors
    /// When the response contradicts a path, an expression fails, or a tree would take too much memory.
    pub(crate) fn run(&self, response: &ResponseView<'_>) -> Result<Json, ProjectError> {
        let Some(output) = &self.output else {
            return Ok(response.body.clone());
        };
        let mut bindings = Vec::with_capacity(self.bindings.len());
        for (name, node) in &self.bindings {
            let json = node.project(response.body, &response.frame(&bindings, node.reads()));
            let json = json.map_err(|error| error.under(name).under("let"))?;
            bindings.push(Binding::new(name.clone(), json.unwrap_or_else(Json::null)));
        }
        let json = output.project(response.body, &response.frame(&bindings, output.reads()));
        let json = json.map_err(|error| error.under("output"))?;
        Ok(json.unwrap_or_else(Json::null))
    }

    /// The rows of an output, if it has any: the elements of the array that holds them.
    pub(crate) fn rows<'o>(&self, output: Part<'o>) -> Option<Part<'o>> {
        let rows = match &self.rows {
            Some(key) => output.member(key)?,
            None => output,
        };
        (rows.kind() == Kind::Array).then_some(rows)
    }

    /// The rows of an output: none where they are null, and the output as one row where it is no list.
    ///
    /// # Errors
    /// When the output has something else where its rows should be.
    #[cfg(feature = "store")]
    pub(crate) fn rows_or_one<'o>(&self, output: Part<'o>) -> Result<Vec<Part<'o>>, String> {
        if let Some(rows) = self.rows(output) {
            return Ok(rows.elements().collect());
        }
        let Some(key) = &self.rows else {
            return Ok(vec![output]);
        };
        match output.member(key) {
            Some(rows) if !rows.is_null() => Err(format!(
                "`{key}` should be a list of rows, but is {}",
                rows.kind().name()
            )),
            _ => Ok(Vec::new()),
        }
    }

    /// The names of `let`.
    pub(crate) fn binding_names(&self) -> impl Iterator<Item = &str> {
        self.bindings.iter().map(|(name, _)| name.as_str())
    }

    /// The names that the projection's expressions read.
    pub(crate) fn names_read(&self) -> Vec<String> {
        let mut names = Vec::new();
        let nodes = self
            .bindings
            .iter()
            .map(|(_, node)| node)
            .chain(self.output.as_ref());
        for node in nodes {
            node.node()
                .visit(&mut |expression| names.extend(expression.names().iter().cloned()));
        }
        names
    }

    /// The keys of every row, if the projection names them.
    pub(crate) fn columns(&self) -> Option<Vec<String>> {
        self.rows_node()?.row_keys()
    }

    fn rows_node(&self) -> Option<&Node> {
        match (&self.rows, self.output.as_ref()?.node()) {
            (Some(key), Node::Map(members)) => {
                let member = members.iter().find(|member| member.key == *key)?;
                Some(&member.node)
            }
            (None, output) => Some(output),
            _ => None,
        }
    }

    /// The paths that select the rows, as far as they are known: several for parallel arrays.
    pub(crate) fn rows_paths(&self) -> Vec<&JsonPath> {
        match self.rows_node() {
            Some(Node::Path(pick)) => vec![&pick.path],
            Some(Node::Each { walk, .. }) => walk
                .first()
                .map(|(_, pick)| &pick.path)
                .into_iter()
                .collect(),
            Some(Node::Zip(zip)) => zip.paths().collect(),
            _ => Vec::new(),
        }
    }

    /// Whether the output counts rows, which pages would begin anew.
    pub(crate) fn counts_rows(&self) -> bool {
        let output = self.output.as_ref();
        output.is_some_and(|output| output.node().counts_rows())
    }

    /// The key of the output that holds the rows.
    pub(crate) fn rows_key(&self) -> Option<&str> {
        self.rows.as_deref()
    }
}

fn report_unknown_rows(spec: &ResponseSpec, output: Option<&Node>, pointer: &str, check: &Check) {
    let Some(rows) = &spec.rows else { return };
    let members: &[Member] = match output {
        Some(Node::Map(members)) => members,
        // A list has no keys: its own items are the rows.
        Some(Node::Each { .. } | Node::Zip(_) | Node::List(_) | Node::Literal(_)) => &[],
        Some(Node::Path(_) | Node::Template(_)) | None => return,
    };
    if !members.iter().any(|member| member.key == *rows) {
        let known = members.iter().map(|member| member.key.as_str());
        let keys: Vec<&str> = known.clone().collect();
        let help = crate::words::nearest(rows, known)
            .or_else(|| (!keys.is_empty()).then(|| format!("its keys are {}", keys.join(", "))));
        check.error_inside(
            Code::UnknownName,
            &join(pointer, "rows"),
            0..rows.len(),
            format!("the output has no key `{rows}`"),
            help,
        );
    }
}
