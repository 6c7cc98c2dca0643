//! `server.json`: how the registry of the Model Context Protocol describes a server (schema 2025-12-11).

use std::sync::Arc;

use serde_json::{Value, json};

use super::markdown::first_sentence;
use super::mcpb::inputs;
use super::{Document, Losses, NONE, by_service, definitions, title};
use crate::tool::Tool;

const SCHEMA: &str = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json";
/// Most characters of a title, and of a description.
const MOST: usize = 100;

/// What the tools do not say about a server.
#[derive(Debug, Clone)]
pub(crate) struct ServerJson {
    /// The server's name, such as `io.github.owner/name`.
    pub name: String,
    /// The version.
    pub version: String,
    /// Where its bundle is, and the bundle's SHA-256.
    pub bundle: Option<(String, String)>,
    /// Where the server answers HTTP.
    pub remote: Option<String>,
}

pub(super) fn document(tools: &[Arc<Tool>], about: &ServerJson) -> Document {
    let mut losses = Losses::new();
    let services = by_service(definitions(tools, &NONE, &mut losses));
    let titles: Vec<String> = services
        .iter()
        .map(|(name, tools)| title(name, tools))
        .collect();
    let only = match services.values().collect::<Vec<_>>().as_slice() {
        [one] => one[0].0.service.description.as_deref(),
        _ => None,
    };
    let described = only.map(|text| first_sentence(text).to_owned());
    let described = described.unwrap_or_else(|| format!("Tools of {}.", titles.join(", ")));
    let mut value = json!({
        "$schema": SCHEMA,
        "name": about.name,
        "title": cut(&titles.join(", "), "title", &mut losses),
        "description": cut(&described, "description", &mut losses),
        "version": about.version,
    });
    if let Some((url, digest)) = &about.bundle {
        let mut variables = Vec::new();
        for (service, tools) in &services {
            losses.tool.clone_from(service);
            variables.extend(
                inputs(&tools[0].0.service, &mut losses)
                    .into_iter()
                    .map(|one| {
                        let mut variable = json!({
                            "name": one.variable,
                            "description": one.description,
                            "isRequired": one.is_required,
                            "isSecret": one.is_secret,
                        });
                        if let Some(default) = one.default {
                            variable["default"] = default.into();
                        }
                        variable
                    }),
            );
        }
        let mut package = json!({
            "registryType": "mcpb",
            "identifier": url,
            "version": about.version,
            "fileSha256": digest,
            "transport": { "type": "stdio" },
        });
        if !variables.is_empty() {
            package["environmentVariables"] = variables.into();
        }
        value["packages"] = json!([package]);
    }
    if let Some(url) = &about.remote {
        value["remotes"] = json!([{ "type": "streamable-http", "url": url }]);
    }
    Document {
        tools: services.values().map(Vec::len).sum(),
        value,
        lost: losses.all,
    }
}

/// A text that the registry takes. One that is too long ends with a word.
fn cut(text: &str, what: &str, losses: &mut Losses) -> Value {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    super::show(&mut line);
    if line.chars().count() <= MOST {
        return line.into();
    }
    losses.tell_of(
        String::new(),
        format!("the {what} is cut: the registry takes {MOST} characters"),
    );
    let kept: String = line.chars().take(MOST - 3).collect();
    let end = kept.rfind(' ').unwrap_or(kept.len());
    format!("{}...", kept[..end].trim_end_matches([',', '.', ' '])).into()
}
