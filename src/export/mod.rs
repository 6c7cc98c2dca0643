//! Exports: the same tools in the formats of others. Each format is one file here and one line of the table; all start from the
//! definitions that a model sees. The same tools always give the same bytes, and nothing of this machine is in them.

mod anthropic;
mod docs;
mod folder;
mod gemini;
mod markdown;
mod mcp;
mod mcpb;
mod openai;
mod openapi;
mod schema;
mod server_json;
mod skill;
mod strict;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

pub(crate) use folder::Plan;
pub(crate) use openai::{Api, Openai};
pub(crate) use server_json::ServerJson;

use crate::definition::{Definition, define, take_rules};
use crate::tool::Tool;
use crate::words::visible;

/// A format whose exports are one JSON document.
#[derive(Debug, Clone)]
pub(crate) enum Format {
    /// The answer to `tools/list` of the Model Context Protocol.
    Mcp,
    /// `tools` of Anthropic's Messages API.
    Anthropic,
    /// `tools` of OpenAI's APIs.
    Openai(Openai),
    /// `tools` of the Gemini API.
    Gemini,
    /// An OpenAPI 3.1 document of one service.
    Openapi,
    /// `server.json` of the registry of the Model Context Protocol.
    ServerJson(ServerJson),
}

/// A format whose exports are files.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FolderFormat {
    /// Agent Skills, one for each service.
    Skill,
    /// Pages of Markdown.
    Docs,
    /// An MCP bundle.
    Mcpb,
}

/// A file of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    /// The path below the folder of its bundle, with `/`.
    pub path: String,
    /// The text.
    pub text: String,
}

/// Files that belong together and are updated together.
#[derive(Debug)]
pub(crate) struct Bundle {
    /// The folder below the one that is written to; empty for that one itself.
    pub folder: String,
    /// The files.
    pub files: Vec<File>,
}

/// Something that the format cannot say, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loss {
    /// The tool, with its service's name; empty for all of them together.
    pub tool: String,
    /// What is lost.
    pub what: String,
}

/// A document, and what it lacks.
#[derive(Debug)]
pub(crate) struct Document {
    /// The document.
    pub value: Value,
    /// How many tools are in it.
    pub tools: usize,
    /// What the format cannot say.
    pub lost: Vec<Loss>,
}

/// Exports tools as one document. Their order does not matter.
///
/// # Errors
/// When the format cannot hold these tools together.
pub(crate) fn document(format: Format, tools: &[Arc<Tool>]) -> Result<Document, String> {
    let mut tools = tools.to_vec();
    tools.sort_by_key(|tool| tool.qualified_name());
    Ok(match format {
        Format::Mcp => mcp::document(tools),
        Format::Anthropic => anthropic::document(&tools),
        Format::Openai(options) => openai::document(&tools, options),
        Format::Gemini => gemini::document(&tools),
        Format::ServerJson(about) => server_json::document(&tools, &about),
        Format::Openapi => return openapi::document(&tools),
    })
}

/// Exports tools as files. Their order does not matter.
pub(crate) fn bundles(format: FolderFormat, tools: &[Arc<Tool>]) -> (Vec<Bundle>, Vec<Loss>) {
    let mut tools = tools.to_vec();
    tools.sort_by_key(|tool| tool.qualified_name());
    let mut losses = Losses::new();
    let defined = definitions(&tools, &NONE, &mut losses);
    let bundles = match format {
        FolderFormat::Skill => skill::bundles(defined, &mut losses),
        FolderFormat::Docs => docs::bundles(defined),
        FolderFormat::Mcpb => mcpb::bundles(defined, &mut losses),
    };
    (bundles, losses.all)
}

/// The services and their tools, by name.
fn by_service(
    tools: Vec<(Arc<Tool>, Definition)>,
) -> BTreeMap<String, Vec<(Arc<Tool>, Definition)>> {
    let mut services: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for (tool, definition) in tools {
        let service = tool.service().to_owned();
        services
            .entry(service)
            .or_default()
            .push((tool, definition));
    }
    services
}

/// The title of a service, else its name.
fn title(service: &str, tools: &[(Arc<Tool>, Definition)]) -> String {
    let title = tools
        .first()
        .and_then(|(tool, _)| tool.service.title.clone());
    let mut title = title.unwrap_or_else(|| service.to_owned());
    show(&mut title);
    title
}

/// The places of losses.
struct Losses {
    tool: String,
    all: Vec<Loss>,
}

impl Losses {
    fn new() -> Losses {
        Losses {
            tool: String::new(),
            all: Vec::new(),
        }
    }

    /// A list of its own for the same tool, which may turn out to be lost or not.
    fn aside(&self) -> Losses {
        Losses {
            tool: self.tool.clone(),
            all: Vec::new(),
        }
    }

    fn extend(&mut self, other: Losses) {
        other
            .all
            .into_iter()
            .for_each(|loss| self.tell_of(loss.tool, loss.what));
    }

    /// What is told from here on is about this tool.
    fn at(&mut self, tool: &Tool) {
        self.tool = tool.qualified_name();
    }

    fn tell(&mut self, what: impl Into<String>) {
        self.tell_of(self.tool.clone(), what);
    }

    fn tell_of(&mut self, tool: String, what: impl Into<String>) {
        let what = what.into();
        let loss = Loss { tool, what };
        if !self.all.contains(&loss) {
            self.all.push(loss);
        }
    }
}

/// What an interface of models demands of every definition.
struct Demands {
    /// Whose interface it is.
    who: &'static str,
    /// Whether it takes an argument of this name.
    takes: fn(&str) -> bool,
    /// What the names must be like.
    names: &'static str,
    /// The most characters of a description, if it says so.
    description: usize,
    /// The most definitions of one request, if it says so.
    most: usize,
}

/// No demands.
const NONE: Demands = Demands {
    who: "",
    takes: |_| true,
    names: "",
    description: usize::MAX,
    most: usize::MAX,
};

/// The definitions of tools, as these demands let them be.
fn definitions(
    tools: &[Arc<Tool>],
    demands: &Demands,
    losses: &mut Losses,
) -> Vec<(Arc<Tool>, Definition)> {
    let mut kept = Vec::new();
    for (tool, defined) in tools.iter().zip(define(tools)) {
        losses.at(tool);
        let left_out = match defined {
            Err(reason) => reason.to_string(),
            Ok(mut definition) => match fit(&mut definition, tool, demands, losses) {
                Ok(()) => {
                    kept.push((Arc::clone(tool), definition));
                    continue;
                }
                Err(reason) => reason,
            },
        };
        losses.tell(format!("the tool is left out: {left_out}"));
    }
    if kept.len() > demands.most {
        let (who, most, all) = (demands.who, demands.most, kept.len());
        losses.tell_of(
            String::new(),
            format!("{who} takes {most} tools at most in one request; these are {all}"),
        );
    }
    kept
}

/// Makes a definition fit the demands.
///
/// # Errors
/// Why it cannot be.
fn fit(
    definition: &mut Definition,
    tool: &Tool,
    demands: &Demands,
    losses: &mut Losses,
) -> Result<(), String> {
    leave_out_names(definition, demands, losses)?;
    let before = definition.description.len();
    for rule in take_rules(&mut definition.input_schema) {
        definition.description.push_str(&format!(" {rule}"));
    }
    let has_rules = definition.description.len() > before
        || definition.description.len() > tool.description.trim().len();
    if has_rules {
        losses.tell(
            "rules over several arguments stand in the description alone; a call checks them",
        );
    }
    let length = definition.description.chars().count();
    if length > demands.description {
        let (who, most) = (demands.who, demands.description);
        losses.tell(format!(
            "the description has {length} characters; {who} may refuse more than {most}"
        ));
    }
    show(&mut definition.description);
    for schema in definition.input_schema.values_mut() {
        show_texts(schema);
    }
    if let Some(Value::String(text)) = definition.input_schema.get_mut("description") {
        show(text);
    }
    Ok(())
}

/// Takes away arguments whose names are not taken.
///
/// # Errors
/// When one of them is required.
fn leave_out_names(
    definition: &mut Definition,
    demands: &Demands,
    losses: &mut Losses,
) -> Result<(), String> {
    let schema = &mut definition.input_schema;
    let is_required = |schema: &Map<String, Value>, name: &str| {
        let required = schema.get("required").and_then(Value::as_array);
        required.is_some_and(|names| names.iter().any(|one| one == name))
    };
    let names: Vec<String> = schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|properties| properties.keys())
        .filter(|name| !(demands.takes)(name))
        .cloned()
        .collect();
    for name in names {
        let (who, rule) = (demands.who, demands.names);
        if is_required(schema, &name) {
            return Err(format!(
                "it needs the argument `{name}`, and {who} only takes names of {rule}"
            ));
        }
        if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            properties.shift_remove(&name);
        }
        definition
            .input_examples
            .retain(|example| !example.contains_key(&name));
        losses.tell(format!(
            "the argument `{name}` is left out: {who} only takes names of {rule}"
        ));
    }
    Ok(())
}

/// Writes hidden characters so that they are seen.
fn show(text: &mut String) {
    if let std::borrow::Cow::Owned(shown) = visible(text) {
        *text = shown;
    }
}

/// The same for the texts of a schema that are only read, and not compared.
fn show_texts(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            for (key, member) in members {
                match member {
                    Value::String(text) if matches!(key.as_str(), "description" | "title") => {
                        show(text);
                    }
                    member => show_texts(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(show_texts),
        _ => {}
    }
}

/// The description with an example, for interfaces that have no other place for it.
fn with_example(definition: &Definition, most: usize) -> String {
    let description = &definition.description;
    let Some(example) = definition.input_examples.first() else {
        return description.clone();
    };
    let example = Value::Object(example.clone());
    let whole = format!("{description} Example: {example}");
    match whole.chars().count() <= most {
        true => whole,
        false => description.clone(),
    }
}
