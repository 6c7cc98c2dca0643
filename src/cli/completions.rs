//! `toolrun completions`: scripts that complete the command line.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Done, terminal};

/// Print a completion script.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Runs the command.
    pub fn run(self) -> Done {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "toolrun", &mut script);
        use std::io::Write;
        let mut out = terminal::data();
        out.write_all(&script)?;
        Ok(out.flush()?)
    }
}
