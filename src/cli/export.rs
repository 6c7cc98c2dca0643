//! `toolrun export`: the tools in the formats of others.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};

use crate::export::{self, FolderFormat, Format, Loss, Plan, ServerJson};
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
    /// An OpenAPI 3.1 document of one service
    Openapi(Chosen),
    /// Agent Skills: a folder for each service, with a page for each tool
    Skill(Folder),
    /// Documentation in Markdown: a page for each service
    Docs(Folder),
    /// An MCP bundle: its manifest, and the descriptors that are not built in
    Mcpb(Folder),
    /// How the registry of the Model Context Protocol describes a server of the tools: server.json
    ServerJson(Server),
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

/// Where files go.
#[derive(Debug, Args)]
struct Folder {
    /// The folder to write to
    dir: PathBuf,
    #[command(flatten)]
    chosen: Chosen,
    /// Bring an earlier export up to date; files that were changed since are an error
    #[arg(long)]
    update: bool,
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("place").required(true).multiple(true).args(["bundle", "remote"])))]
struct Server {
    #[command(flatten)]
    chosen: Chosen,
    /// The server's name in the registry, such as io.github.OWNER/NAME
    #[arg(long, value_name = "NAME", value_parser = server_name)]
    name: String,
    /// The server's version; toolrun's own unless given
    #[arg(long, value_name = "VERSION", default_value = env!("CARGO_PKG_VERSION"), value_parser = release)]
    release: String,
    /// Where the server's bundle can be downloaded
    #[arg(long, value_name = "URL", value_parser = page, requires = "sha256")]
    bundle: Option<String>,
    /// The SHA-256 of the bundle
    #[arg(long, value_name = "HEX", value_parser = digest, requires = "bundle")]
    sha256: Option<String>,
    /// Where the server answers HTTP
    #[arg(long, value_name = "URL", value_parser = page)]
    remote: Option<String>,
}

fn server_name(text: &str) -> Result<String, String> {
    let is_part = |part: &str, more: &[char]| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || more.contains(&c))
    };
    match text.split_once('/') {
        Some((owner, name))
            if is_part(owner, &['.', '-'])
                && is_part(name, &['.', '-', '_'])
                && text.len() <= 200 =>
        {
            Ok(text.to_owned())
        }
        _ => Err(
            "write an owner in reverse DNS, a slash and a name, such as io.github.OWNER/NAME"
                .to_owned(),
        ),
    }
}

fn release(text: &str) -> Result<String, String> {
    match text {
        "" | "latest" => Err("write a version, such as 1.0.2".to_owned()),
        text if text.len() > 255 || text.contains(['^', '~', '*', '<', '>', '=', ' ']) => {
            Err("write one version of 255 characters at most, and no range".to_owned())
        }
        text => Ok(text.to_owned()),
    }
}

fn page(text: &str) -> Result<String, String> {
    match url::Url::parse(text) {
        Ok(url) if url.scheme() == "https" && url.has_host() && url.username().is_empty() => {
            Ok(text.to_owned())
        }
        _ => Err("write a URL that begins with https://, without credentials".to_owned()),
    }
}

fn digest(text: &str) -> Result<String, String> {
    let is_hex = text.len() == 64
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    match is_hex {
        true => Ok(text.to_owned()),
        false => Err("write 64 digits of 0-9 and a-f".to_owned()),
    }
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
            To::Openapi(chosen) => chosen.document(catalog, Format::Openapi),
            To::Skill(folder) => folder.write(catalog, FolderFormat::Skill),
            To::Docs(folder) => folder.write(catalog, FolderFormat::Docs),
            To::Mcpb(folder) => folder.write(catalog, FolderFormat::Mcpb),
            To::ServerJson(server) => {
                let about = ServerJson {
                    name: server.name,
                    version: server.release,
                    bundle: server.bundle.zip(server.sha256),
                    remote: server.remote,
                };
                server.chosen.document(catalog, Format::ServerJson(about))
            }
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

impl Folder {
    fn write(&self, catalog: &Catalog, format: FolderFormat) -> Done {
        let (tools, broken) = self.chosen.tools(catalog)?;
        let (bundles, lost) = export::bundles(format, &tools);
        if bundles.iter().all(|bundle| bundle.files.is_empty()) {
            tell(&lost);
            return Err(usage("no tool is left to export"));
        }
        let failed = |error: std::io::Error| Failure::Told(exit::OUTPUT, error.to_string());
        let plan = Plan::new(&self.dir, &bundles, self.update).map_err(failed)?;
        if !plan.refused.is_empty() {
            return Err(usage(self.refused(&plan)));
        }
        plan.carry_out().map_err(failed)?;
        for path in &plan.kept {
            note(&format!(
                "{} is no longer part of the export and stays",
                path.display()
            ));
        }
        let mut counts = vec![format!("{} files written", plan.written())];
        if plan.unchanged > 0 {
            counts.push(format!("{} unchanged", plan.unchanged));
        }
        if plan.removed() > 0 {
            counts.push(format!("{} removed", plan.removed()));
        }
        let mut out = terminal::words();
        writeln!(
            out,
            "{}: {}",
            line(&self.dir.display().to_string()),
            counts.join(", ")
        )?;
        out.flush()?;
        self.chosen.end(&lost, broken)
    }

    fn refused(&self, plan: &Plan) -> String {
        const MOST: usize = 5;
        let first = plan.refused.iter().take(MOST);
        let first: Vec<String> = first
            .map(|(path, reason)| format!("{}: {reason}", path.display()))
            .collect();
        let more = match plan.refused.len().saturating_sub(MOST) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let hint = match self.update {
            true => "",
            false => "; --update replaces what an export wrote",
        };
        format!("nothing was written: {}{more}{hint}", first.join(", "))
    }
}

impl Chosen {
    /// Prints one document.
    fn document(&self, catalog: &Catalog, format: Format) -> Done {
        let (tools, broken) = self.tools(catalog)?;
        let document = export::document(format, &tools)
            .map_err(|reason| usage(format!("{reason}; `--service` chooses one")))?;
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
        // What is about no tool is advice.
        let is_lossy = broken || lost.iter().any(|loss| !loss.tool.is_empty());
        match self.strict && is_lossy {
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
