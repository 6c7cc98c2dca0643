//! Reports that are written to files beside what is printed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::{Ran, summary};
use crate::cli::report::Format;
use crate::cli::terminal::json_text;
use crate::staged;

/// The format of a report's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Findings(Format),
    Json,
    Markdown,
}

/// A report that will be written.
#[derive(Debug)]
pub(super) struct Written {
    file: PathBuf,
    kind: Kind,
}

impl Written {
    /// The report that a file's name stands for.
    ///
    /// # Errors
    /// When the name has no known ending, or nothing can be written there.
    pub(super) fn at(file: &Path) -> Result<Written, String> {
        let kind = match file.extension().and_then(OsStr::to_str) {
            Some("xml") => Kind::Findings(Format::Junit),
            Some("sarif") => Kind::Findings(Format::Sarif),
            Some("json") => Kind::Json,
            Some("md") => Kind::Markdown,
            _ => {
                return Err(format!(
                    "--report {}: name a file that ends with .xml (JUnit), .sarif, .json or .md",
                    file.display()
                ));
            }
        };
        let folder = staged::folder_of(file);
        if !folder.is_dir() || file.is_dir() {
            return Err(format!(
                "--report {}: there is no folder {} to write a file to",
                file.display(),
                folder.display()
            ));
        }
        Ok(Written {
            file: file.to_owned(),
            kind,
        })
    }

    /// Writes it whole, or leaves what is there.
    ///
    /// # Errors
    /// Which file cannot be written, and why.
    pub(super) fn write(&self, ran: &Ran) -> Result<(), String> {
        let text = match self.kind {
            Kind::Findings(format) => format.text(&ran.report(), ran.deny_warnings),
            Kind::Json => json_text(&summary::json(ran)),
            Kind::Markdown => summary::markdown(ran),
        };
        staged::publish(&self.file, &text)
            .map_err(|error| format!("cannot write {}: {error}", self.file.display()))
    }
}
