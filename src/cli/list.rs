//! `toolrun list`: the tools there are.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use crate::Catalog;
use clap::Args;
use serde_json::{Value, json};

use super::Done;
use super::hints::trusting;
use super::output::table_with_header;
use super::terminal::{self, say, shown};

/// List the tools.
#[derive(Debug, Args)]
pub struct List {
    /// Print one JSON array instead of a table
    #[arg(long)]
    json: bool,
}

impl List {
    /// Runs the command.
    pub fn run(self, catalog: &Catalog) -> Done {
        let mut broken = 0;
        let mut untrusted = BTreeSet::new();
        let mut tools: Vec<Value> = Vec::new();
        for (entry, loaded) in catalog.load_all() {
            match loaded {
                Ok(tool) => {
                    let folder = tool.service.origin.untrusted_folder();
                    untrusted.extend(folder.map(Path::to_path_buf));
                    tools.push(json!({
                        "name": tool.name,
                        "service": tool.service.name,
                        "access": tool.access,
                        "method": tool.request.method,
                        "description": tool.description,
                        "file": entry.file.display(),
                        "trusted": folder.is_none(),
                    }));
                }
                Err(_) => broken += 1,
            }
        }
        if self.json {
            let mut stdout = terminal::json();
            writeln!(stdout, "{:#}", Value::Array(tools))?;
            stdout.flush()?;
        } else {
            let mut table =
                table_with_header(&["tool", "service", "access", "method", "description"]);
            for tool in &tools {
                let text = |key: &str| shown(tool[key].as_str().unwrap_or_default()).into_owned();
                let service = match tool["trusted"] == json!(true) {
                    true => text("service"),
                    false => format!("{} (not trusted)", text("service")),
                };
                table.add_row([
                    text("name"),
                    service,
                    text("access"),
                    text("method"),
                    text("description"),
                ]);
            }
            let mut stdout = terminal::words();
            writeln!(stdout, "{table}")?;
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
