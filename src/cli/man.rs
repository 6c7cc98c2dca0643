//! `toolrun man`: the man pages.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use clap_mangen::Man as Page;

use super::{Cli, Done, Failure, exit, say, terminal};

/// Write the man pages.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The folder to write a page for each command to; without it, the page of toolrun is printed
    dir: Option<PathBuf>,
}

impl Man {
    /// Runs the command.
    pub(crate) fn run(self) -> Done {
        let mut command = Cli::program().disable_help_subcommand(true);
        command.build();
        let Some(dir) = self.dir else {
            let mut out = terminal::data();
            Page::new(command).render(&mut out)?;
            return Ok(out.flush()?);
        };
        let failed = |error: std::io::Error| {
            let message = format!("cannot write man pages to {}: {error}", dir.display());
            Failure::Told(exit::OUTPUT, message)
        };
        std::fs::create_dir_all(&dir).map_err(failed)?;
        clap_mangen::generate_to(command, &dir).map_err(failed)?;
        say(&format!("man pages are in {}", dir.display()));
        Ok(())
    }
}
