//! MCP bundles: a folder with a manifest (version 0.4) and the descriptors that are not built in. Whoever packs it puts the program
//! at the place that the manifest names.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::markdown::first_sentence;
use super::{Bundle, File, Losses, by_service, title};
use crate::definition::Definition;
use crate::format::Access;
use crate::tool::Tool;
use crate::tool::service::Service;

/// Where the program stands in a bundle.
const PROGRAM: &str = "server/toolrun";
/// Where the descriptors stand.
const TOOLS: &str = "tools";

type Defined = (Arc<Tool>, Definition);

pub(super) fn bundles(tools: Vec<Defined>, losses: &mut Losses) -> Vec<Bundle> {
    let (served, others): (Vec<Defined>, Vec<Defined>) = tools
        .into_iter()
        .partition(|(tool, _)| tool.access == Access::Read);
    for (tool, _) in &others {
        losses.at(tool);
        losses.tell("the tool is left out: the server of a bundle only runs tools that read");
    }
    if served.is_empty() {
        return Vec::new();
    }
    let mut files = descriptors(&served);
    let has_files = !files.is_empty();
    files.insert(
        0,
        File {
            path: "manifest.json".to_owned(),
            text: format!("{:#}\n", manifest(served, has_files, losses)),
        },
    );
    losses.tell_of(
        String::new(),
        format!("put the program toolrun at {PROGRAM} before the bundle is packed"),
    );
    vec![Bundle {
        folder: String::new(),
        files,
    }]
}

/// The descriptors of tools that are not built in.
fn descriptors(tools: &[Defined]) -> Vec<File> {
    let mut files = BTreeMap::new();
    for (tool, _) in tools {
        if tool.source.path().is_none() {
            continue;
        }
        let service = tool.service();
        let own = format!("{TOOLS}/{service}/{}.yaml", tool.name);
        files.insert(own, tool.source.text().to_owned());
        let beside = tool.service.source();
        if !Arc::ptr_eq(beside, &tool.source) && beside.path() != tool.source.path() {
            files.insert(
                format!("{TOOLS}/{service}/service.yaml"),
                beside.text().to_owned(),
            );
        }
    }
    let files = files.into_iter();
    files.map(|(path, text)| File { path, text }).collect()
}

fn manifest(tools: Vec<Defined>, has_files: bool, losses: &mut Losses) -> Value {
    let names: Vec<String> = tools
        .iter()
        .map(|(tool, _)| tool.qualified_name())
        .collect();
    let listed: Vec<Value> = tools
        .iter()
        .map(|(_, definition)| {
            let what = first_sentence(&definition.description);
            json!({ "name": definition.name, "description": what })
        })
        .collect();
    let services = by_service(tools);
    let titles: Vec<String> = services
        .iter()
        .map(|(name, tools)| title(name, tools))
        .collect();
    let name = match services.keys().next() {
        Some(only) if services.len() == 1 => format!("toolrun-{only}"),
        _ => "toolrun".to_owned(),
    };
    let mut arguments: Vec<String> = Vec::new();
    if has_files {
        arguments.extend(["--tools".to_owned(), format!("${{__dirname}}/{TOOLS}")]);
    }
    arguments.push("serve".to_owned());
    arguments.extend(names);
    let (mut variables, mut asked) = (Map::new(), Map::new());
    for (service, tools) in &services {
        losses.tool.clone_from(service);
        for one in inputs(&tools[0].0.service, losses) {
            let key = one.variable.to_lowercase();
            variables.insert(
                one.variable.clone(),
                format!("${{user_config.{key}}}").into(),
            );
            asked.insert(key, one.asked());
        }
    }
    let mut config = json!({ "command": format!("${{__dirname}}/{PROGRAM}"), "args": arguments });
    if !variables.is_empty() {
        config["env"] = variables.into();
    }
    config["platform_overrides"] =
        json!({ "win32": { "command": format!("${{__dirname}}/{PROGRAM}.exe") } });
    let mut manifest = json!({
        "manifest_version": "0.4",
        "name": name,
        "display_name": titles.join(", "),
        "version": env!("CARGO_PKG_VERSION"),
        "description": format!("Tools that read from {}.", titles.join(", ")),
        "author": { "name": "toolrun" },
        "server": { "type": "binary", "entry_point": PROGRAM, "mcp_config": config },
        "tools": listed,
    });
    if !asked.is_empty() {
        manifest["user_config"] = asked.into();
    }
    manifest
}

/// A variable that the program reads.
pub(super) struct Input {
    pub variable: String,
    pub description: String,
    pub is_secret: bool,
    pub is_required: bool,
    pub default: Option<String>,
}

impl Input {
    /// As the manifest of a bundle asks a user for it.
    fn asked(&self) -> Value {
        let mut asked = json!({
            "type": "string",
            "title": self.variable,
            "description": self.description,
            "required": self.is_required,
            "sensitive": self.is_secret,
        });
        if let Some(default) = &self.default {
            asked["default"] = default.clone().into();
        }
        asked
    }
}

/// The variables that a service reads.
pub(super) fn inputs(service: &Service, losses: &mut Losses) -> Vec<Input> {
    let mut inputs = Vec::new();
    for secret in service.auth.secrets() {
        if !secret.is_variable() {
            losses.tell(format!(
                "the secret {} comes from no variable, so nobody is asked for it",
                secret.name
            ));
            continue;
        }
        let help = secret.help.clone();
        inputs.push(Input {
            variable: secret.name.clone(),
            description: help.unwrap_or_else(|| format!("A secret of {}.", service.name)),
            is_secret: true,
            is_required: !secret.is_optional(),
            default: None,
        });
    }
    for (name, setting) in service.settings() {
        let Some(variable) = &setting.env else {
            continue;
        };
        let described = setting.description.clone();
        inputs.push(Input {
            variable: variable.clone(),
            description: described
                .unwrap_or_else(|| format!("The setting {name} of {}.", service.name)),
            is_secret: false,
            is_required: setting.default.is_none(),
            default: setting
                .default
                .as_ref()
                .map(|value| super::markdown::plain(&value.into())),
        });
    }
    inputs
}
