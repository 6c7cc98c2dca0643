//! `toolrun list`: the tools there are.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use crate::{Catalog, Tool};
use clap::Args;
use serde_json::{Value, json};

use super::Done;
use super::hints::trusting;
use super::output::layout::{GAP, cut, padded, width};
use super::output::plain;
use super::terminal::{self, bold, dim, line, say};

/// List the tools.
#[derive(Debug, Args)]
pub struct List {
    /// Print one JSON array instead
    #[arg(long, conflicts_with = "no_header")]
    json: bool,
    /// Leave out the line of headings in a pipe
    #[arg(long)]
    no_header: bool,
    /// Print a long list at once, and not page by page
    #[arg(long)]
    no_pager: bool,
}

/// A tool that is listed.
struct Listed {
    name: String,
    service: String,
    access: String,
    method: String,
    description: String,
    file: String,
    is_trusted: bool,
}

impl Listed {
    fn new(tool: &Tool, file: String) -> Listed {
        Listed {
            name: tool.name.clone(),
            service: tool.service.name.clone(),
            access: tool.access.to_string(),
            method: tool.request.method.to_string(),
            description: tool.description.clone(),
            file,
            is_trusted: tool.service.origin.untrusted_folder().is_none(),
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "service": self.service,
            "access": self.access,
            "method": self.method,
            "description": self.description,
            "file": self.file,
            "trusted": self.is_trusted,
        })
    }

    /// The service, with what must be known of it.
    fn group(&self) -> String {
        match self.is_trusted {
            true => self.service.clone(),
            false => format!("{} (not trusted)", self.service),
        }
    }

    /// The description on one line. What needs a consent says so.
    fn told(&self) -> String {
        let description = line(
            &self
                .description
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" "),
        );
        match self.access.as_str() {
            "read" => description,
            access => format!("[{access}] {description}"),
        }
    }
}

impl List {
    /// Runs the command.
    pub fn run(self, catalog: &Catalog) -> Done {
        let mut broken = 0;
        let mut untrusted = BTreeSet::new();
        let mut tools: Vec<Listed> = Vec::new();
        for (entry, loaded) in catalog.load_all() {
            match loaded {
                Ok(tool) => {
                    let folder = tool.service.origin.untrusted_folder();
                    untrusted.extend(folder.map(Path::to_path_buf));
                    tools.push(Listed::new(&tool, entry.file.display()));
                }
                Err(_) => broken += 1,
            }
        }
        if self.json {
            let tools: Vec<Value> = tools.iter().map(Listed::to_json).collect();
            let mut stdout = terminal::json();
            writeln!(stdout, "{:#}", Value::Array(tools))?;
            stdout.flush()?;
        } else if terminal::is_terminal() {
            let mut stdout = terminal::styled_words();
            if !self.no_pager {
                stdout = stdout.paged();
            }
            grouped(&mut stdout, &tools, terminal::width())?;
            stdout.end()?;
        } else {
            let mut stdout = terminal::words();
            rows(&mut stdout, &tools, !self.no_header)?;
            stdout.flush()?;
        }
        for folder in untrusted {
            let how = match trusting(&folder) {
                Some(command) => format!("`{command}` lets them send requests"),
                None => "it cannot be trusted because of its name".to_owned(),
            };
            let name = format!("{:?}", folder.display().to_string());
            say(&format!("note: the tools in {name} are not trusted; {how}"));
        }
        if broken > 0 {
            say(&format!(
                "note: {broken} more descriptor(s) cannot be used; `toolrun validate` says why"
            ));
        }
        Ok(())
    }
}

/// A row for each tool, for programs.
fn rows(out: &mut impl Write, tools: &[Listed], has_header: bool) -> io::Result<()> {
    if has_header {
        plain::line(out, ["tool", "service", "access", "method", "description"])?;
    }
    for tool in tools {
        let cells = [
            &tool.name,
            &tool.group(),
            &tool.access,
            &tool.method,
            &tool.description,
        ];
        plain::line(out, cells.map(String::as_str))?;
    }
    Ok(())
}

/// A line for each tool, below its service.
fn grouped(out: &mut impl Write, tools: &[Listed], most: usize) -> io::Result<()> {
    let mut groups: Vec<(String, Vec<&Listed>)> = Vec::new();
    for tool in tools {
        let group = tool.group();
        match groups.iter_mut().find(|(name, _)| *name == group) {
            Some((_, members)) => members.push(tool),
            None => groups.push((group, vec![tool])),
        }
    }
    for (at, (group, members)) in groups.iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        let widest = members.iter().map(|tool| width(&line(&tool.name))).max();
        let indent = 2 + widest.unwrap_or_default() + GAP;
        writeln!(out, "{}", bold(&line(group)))?;
        for tool in members {
            let name = padded(&format!("  {}", line(&tool.name)), indent, false);
            let told = tool.told();
            let told = match most.checked_sub(indent) {
                Some(left @ 1..) => cut(&told, left),
                _ => "".into(),
            };
            writeln!(out, "{}", format!("{name}{told}").trim_end())?;
        }
    }
    match tools.is_empty() {
        true => writeln!(out, "there are no tools"),
        false => writeln!(out, "\n{}", dim("`toolrun show NAME` tells more of a tool")),
    }
}
