//! `toolrun lsp`: a language server on standard input and output.

use std::io::{BufReader, stdin};

use clap::Args;

use super::{Done, Failure, terminal};
use crate::lsp::{End, serve};

/// Serve an editor.
#[derive(Debug, Args)]
pub(crate) struct Lsp {
    /// Speak on standard input and output, as always; editors may say so
    #[arg(long)]
    stdio: bool,
    /// The editor's process, which some editors name; the one that `initialize` names is watched
    #[arg(long = "clientProcessId", value_name = "PID", hide = true)]
    _process: Option<u64>,
}

impl Lsp {
    /// Runs the command.
    pub(crate) fn run(self) -> Done {
        match serve(BufReader::new(stdin()), terminal::to_editor()) {
            End::Orderly => Ok(()),
            End::Abrupt => Err(Failure::Silent(1)),
        }
    }
}
