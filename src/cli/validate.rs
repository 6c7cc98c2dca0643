//! `toolrun validate`: checks descriptors.

use crate::Catalog;
use crate::check::{Lints, catalog_with, folders_of, paths_beside};
use clap::Args;

use super::report::Format;
use super::{Done, failed_if, judged, usage};

/// Check descriptors.
#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// Files, folders and globs such as 'tools/**/*.yaml'; the whole catalog unless given
    paths: Vec<String>,
    /// How to print the findings
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
    /// Fail on warnings too
    #[arg(long)]
    deny_warnings: bool,
    /// Look for what works, but what people or models will miss: short or similar descriptions, missing examples, lists
    /// without paging
    #[arg(long)]
    lint: bool,
    /// Check everything in the folders of these files: a change in one can break those beside it
    #[arg(long, requires = "paths")]
    folders: bool,
}

impl Validate {
    /// Runs the command.
    pub(crate) fn run(self, tools: &Catalog) -> Done {
        let lints = match self.lint {
            true => Lints::On,
            false => Lints::Off,
        };
        let report = match self.paths.is_empty() {
            true => catalog_with(tools, lints),
            false if self.folders => folders_of(&self.paths, tools, lints).map_err(usage)?,
            false => paths_beside(&self.paths, tools, lints).map_err(usage)?,
        };
        let mut out = self.format.out();
        let printed = self.format.print(&mut out, &report, self.deny_warnings);
        judged(
            printed.and_then(|()| std::io::Write::flush(&mut out)),
            failed_if(report.errors() > 0 || (self.deny_warnings && report.warnings() > 0)),
        )
    }
}
