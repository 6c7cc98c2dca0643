//! `toolrun audit verify`: whether an audit log is as it was written.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::form::Form;
use super::{Done, failed_if, judged, terminal, usage};
use crate::serve::{Verdict, verify};

/// Verify an audit log.
#[derive(Debug, Args)]
pub(crate) struct AuditCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Say whether lines were changed, removed, put in, moved or cut off
    Verify {
        /// The log
        file: PathBuf,
        #[command(flatten)]
        form: Form,
    },
}

impl AuditCommand {
    /// Whether errors must be one JSON object.
    pub(crate) fn wants_json(&self) -> bool {
        let What::Verify { form, .. } = &self.what;
        form.is_json()
    }

    /// Runs the command.
    pub(crate) fn run(self) -> Done {
        let What::Verify { file, form } = self.what;
        let verdict =
            verify(&file).map_err(|error| usage(format!("{}: {error}", file.display())))?;
        let told = match form.is_json() {
            true => {
                let all = json!({
                    "lines": verdict.lines, "count": verdict.count, "hash": verdict.hash, "head": verdict.has_head,
                    "ok": verdict.problems.is_empty(), "problems": verdict.problems, "notes": verdict.notes,
                });
                writeln!(terminal::json(), "{all:#}")
            }
            false => tell(&file, &verdict),
        };
        judged(told, failed_if(!verdict.problems.is_empty()))
    }
}

fn tell(file: &Path, verdict: &Verdict) -> io::Result<()> {
    let mut out = terminal::words();
    for problem in &verdict.problems {
        writeln!(out, "FAIL  {problem}")?;
    }
    for note in &verdict.notes {
        writeln!(out, "note  {note}")?;
    }
    let (lines, file) = (verdict.lines, file.display());
    match verdict.problems.len() {
        0 => writeln!(
            out,
            "ok    {file}: {lines} lines; the last one is number {} with the hash {}",
            verdict.count, verdict.hash
        )?,
        problems => writeln!(out, "{file}: {lines} lines, {problems} problems")?,
    }
    out.flush()
}
