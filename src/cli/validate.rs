//! `toolrun validate`: checks descriptors.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;
use toolrun::Catalog;
use toolrun::descriptor::{Finding, Severity};
use toolrun::validate::{Report, catalog, paths};

use super::{Done, Failure, exit, report};

/// Check descriptors.
#[derive(Debug, Args)]
pub struct Validate {
    /// Files and folders; the whole catalog unless given
    paths: Vec<PathBuf>,
    /// How to print the findings
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
    /// Fail on warnings too
    #[arg(long)]
    deny_warnings: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Human,
    Json,
}

impl Validate {
    /// Runs the command.
    pub fn run(self, tools: &Catalog) -> Done {
        let found = match self.paths.is_empty() {
            true => catalog(tools),
            false => paths(&self.paths).map_err(|message| Failure::Told(exit::USAGE, message))?,
        };
        let mut stdout = std::io::stdout().lock();
        match self.format {
            Format::Human => human(&mut stdout, &found)?,
            Format::Json => {
                let findings: Vec<_> = found.findings.iter().map(as_json).collect();
                writeln!(
                    stdout,
                    "{:#}",
                    json!({ "files": found.files, "findings": findings })
                )?;
            }
        }
        let fails = |finding: &Finding| self.deny_warnings || finding.severity == Severity::Error;
        match found.findings.iter().any(fails) {
            true => Err(Failure::Silent(exit::DESCRIPTOR)),
            false => Ok(()),
        }
    }
}

fn human(out: &mut impl Write, found: &Report) -> std::io::Result<()> {
    let color = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    for finding in &found.findings {
        writeln!(out, "{}", report::human(finding, color))?;
    }
    let count = |severity| {
        found
            .findings
            .iter()
            .filter(|f| f.severity == severity)
            .count()
    };
    writeln!(
        out,
        "{} file(s), {} error(s), {} warning(s)",
        found.files,
        count(Severity::Error),
        count(Severity::Warning)
    )
}

fn as_json(finding: &Finding) -> serde_json::Value {
    json!({
        "code": finding.code,
        "severity": finding.severity,
        "message": finding.message,
        "help": finding.help,
        "place": finding.place(),
    })
}
