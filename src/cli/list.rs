//! `toolrun list`: the tools there are.

use std::io::Write;

use clap::Args;
use serde_json::{Value, json};
use toolrun::Catalog;

use super::Done;
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
        let mut tools: Vec<Value> = Vec::new();
        for (entry, loaded) in catalog.load_all() {
            match loaded {
                Ok(tool) => tools.push(json!({
                    "name": tool.name,
                    "service": tool.service.name,
                    "access": tool.access,
                    "description": tool.description,
                    "file": entry.file.display(),
                })),
                Err(_) => broken += 1,
            }
        }
        if self.json {
            let mut stdout = terminal::json();
            writeln!(stdout, "{:#}", Value::Array(tools))?;
            stdout.flush()?;
        } else {
            let mut table = table_with_header(&["tool", "service", "access", "description"]);
            for tool in &tools {
                let text = |key: &str| shown(tool[key].as_str().unwrap_or_default()).into_owned();
                table.add_row([
                    text("name"),
                    text("service"),
                    text("access"),
                    text("description"),
                ]);
            }
            let mut stdout = terminal::words();
            writeln!(stdout, "{table}")?;
            stdout.flush()?;
        }
        if broken > 0 {
            say(&format!(
                "note: {broken} more descriptor(s) cannot be used; `toolrun validate` says why"
            ));
        }
        Ok(())
    }
}
