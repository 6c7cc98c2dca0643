//! `toolrun schemas`: writes the JSON Schemas of the descriptor format.

use std::path::PathBuf;

use crate::check::Kind;
use clap::Args;

use super::{Done, Failure, exit, say};

/// Write the JSON Schemas.
#[derive(Debug, Args)]
pub(crate) struct Schemas {
    /// The folder to write to
    #[arg(default_value = "schemas")]
    folder: PathBuf,
    /// Write nothing; fail if a file differs from what would be written
    #[arg(long)]
    check: bool,
}

impl Schemas {
    /// Runs the command.
    pub(crate) fn run(self) -> Done {
        let mut stale = Vec::new();
        for kind in Kind::ALL {
            let path = self.folder.join(kind.file_name());
            let text = kind.file_text();
            if std::fs::read_to_string(&path).is_ok_and(|present| present == text) {
                continue;
            }
            if self.check {
                stale.push(path.display().to_string());
                continue;
            }
            std::fs::create_dir_all(&self.folder)
                .and_then(|()| std::fs::write(&path, text))
                .map_err(|error| {
                    Failure::Told(1, format!("cannot write {}: {error}", path.display()))
                })?;
            say(&format!("wrote {}", path.display()));
        }
        match stale.is_empty() {
            true => Ok(()),
            false => Err(Failure::Told(
                exit::DESCRIPTOR,
                format!("stale: {}; run `toolrun schemas`", stale.join(", ")),
            )),
        }
    }
}
