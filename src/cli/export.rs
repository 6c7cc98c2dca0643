//! `toolrun export`: the tools in the formats of others.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};

use crate::export::{self, Format, Loss};
use crate::{Catalog, Tool};

use super::list::Kind;
use super::terminal::{self, line};
use super::{Done, Failure, chosen, exit, note, usage};

/// Write the tools in another format.
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(subcommand)]
    format: To,
}

#[derive(Debug, Subcommand)]
enum To {
    /// Definitions as `tools/list` of the Model Context Protocol gives them
    Mcp(Chosen),
    /// Definitions for `tools` of Anthropic's Messages API
    Anthropic(Chosen),
    /// Definitions for `tools` of OpenAI's Responses API, or its Chat Completions API
    Openai(Openai),
    /// Definitions for `tools` of the Gemini API
    Gemini(Chosen),
}

/// Which tools.
#[derive(Debug, Args)]
struct Chosen {
    /// The tools, such as list-workspaces or anthropic-admin/list-workspaces; all unless given
    #[arg(value_name = "TOOLS")]
    names: Vec<String>,
    /// Only the tools of this service; may be given several times
    #[arg(long, value_name = "NAME")]
    service: Vec<String>,
    /// Only tools with this access; may be given several times
    #[arg(long)]
    access: Vec<Kind>,
    /// Fail if something is left out
    #[arg(long)]
    strict: bool,
}

#[derive(Debug, Args)]
struct Openai {
    #[command(flatten)]
    chosen: Chosen,
    /// The interface that the definitions are for
    #[arg(long, value_enum, default_value = "responses")]
    api: Api,
    /// Strict mode for every function: an argument that may be absent is required and may be null
    #[arg(long)]
    nullable: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Api {
    Responses,
    Chat,
}

impl Export {
    /// Runs the command.
    pub(crate) fn run(self, catalog: &Catalog) -> Done {
        match self.format {
            To::Mcp(chosen) => chosen.document(catalog, Format::Mcp),
            To::Anthropic(chosen) => chosen.document(catalog, Format::Anthropic),
            To::Gemini(chosen) => chosen.document(catalog, Format::Gemini),
            To::Openai(openai) => {
                let options = export::Openai {
                    api: match openai.api {
                        Api::Responses => export::Api::Responses,
                        Api::Chat => export::Api::Chat,
                    },
                    is_strict: openai.nullable,
                };
                openai.chosen.document(catalog, Format::Openai(options))
            }
        }
    }
}

impl Chosen {
    /// Prints one document.
    fn document(&self, catalog: &Catalog, format: Format) -> Done {
        let (tools, broken) = self.tools(catalog)?;
        let document = export::document(format, &tools);
        if document.tools == 0 {
            tell(&document.lost);
            return Err(usage("no tool is left to export"));
        }
        let mut out = terminal::json();
        writeln!(out, "{:#}", document.value)?;
        out.flush()?;
        self.end(&document.lost, broken)
    }

    /// The tools, and whether some cannot be exported at all.
    fn tools(&self, catalog: &Catalog) -> Result<(Vec<Arc<Tool>>, bool), Failure> {
        let mut tools = Vec::new();
        let mut untrusted = BTreeMap::new();
        let mut is_broken = false;
        for (entry, loaded) in chosen::load_all(catalog, &self.names, &self.service)? {
            match loaded {
                Ok(tool) if !self.has(&tool) => {}
                Ok(tool) => match tool.service.origin.untrusted_folder() {
                    None => tools.push(tool),
                    Some(folder) => *untrusted.entry(folder.to_owned()).or_insert(0) += 1,
                },
                Err(findings) => {
                    is_broken = true;
                    let first = findings.first().map(ToString::to_string);
                    let first = first.unwrap_or_default();
                    note(&format!(
                        "{} is broken and left out: {first}",
                        entry.file.display()
                    ));
                }
            }
        }
        for (folder, count) in &untrusted {
            note(&format!(
                "{count} tools of {} are left out: the folder is not trusted",
                folder.display()
            ));
        }
        match tools.is_empty() {
            true => Err(usage("there is no tool to export")),
            false => Ok((tools, is_broken || !untrusted.is_empty())),
        }
    }

    fn has(&self, tool: &Tool) -> bool {
        let is_of = |kind: &Kind| crate::Access::from(*kind) == tool.access;
        self.access.is_empty() || self.access.iter().any(is_of)
    }

    /// Says what is lost. With `--strict`, that is a failure.
    fn end(&self, lost: &[Loss], broken: bool) -> Done {
        tell(lost);
        match self.strict && (broken || !lost.is_empty()) {
            true => Err(Failure::Told(
                exit::DESCRIPTOR,
                "not everything could be exported".to_owned(),
            )),
            false => Ok(()),
        }
    }
}

/// Says what is lost, each thing once, with the first tools that lack it.
fn tell(lost: &[Loss]) {
    const MOST: usize = 3;
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for loss in lost {
        match groups.iter_mut().find(|(what, _)| *what == loss.what) {
            Some((_, tools)) => tools.push(&loss.tool),
            None => groups.push((&loss.what, vec![&loss.tool])),
        }
    }
    for (what, tools) in groups {
        let named: Vec<&str> = tools
            .iter()
            .copied()
            .filter(|tool| !tool.is_empty())
            .collect();
        let more = match named.len().saturating_sub(MOST) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        match named.is_empty() {
            true => note(&line(what)),
            false => {
                let first = named[..named.len().min(MOST)].join(", ");
                note(&format!("{first}{more}: {}", line(what)));
            }
        }
    }
}
