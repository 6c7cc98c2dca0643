//! `--out`: saves what a tool downloads.

use std::io::Write;
use std::path::Path;

use super::Call;
use crate::cli::interrupt::{next_signal_ends, unless_interrupted};
use crate::cli::output::Format;
use crate::cli::terminal::{self, Progress};
use crate::cli::{Done, usage};
use crate::{Destination, Engine, Tool};

impl Call {
    pub(super) async fn download(
        &self,
        engine: &Engine,
        tool: &Tool,
        call: crate::Call,
        out: &Path,
    ) -> Done {
        if self.output == Some(Format::Raw) {
            return Err(usage(
                "`--output raw` has nothing to print: the service's answer goes to the file of --out",
            ));
        }
        let to_stdout = out.as_os_str() == "-";
        // A partial file must not go down a pipe. So the download goes into a temporary file until it is complete.
        let folder = to_stdout.then(tempfile::tempdir).transpose()?;
        let mut to = match &folder {
            Some(folder) => Destination::new(folder.path().join("download")),
            None => Destination::new(out),
        };
        if self.force {
            to = to.overwriting();
        }
        let outcome = match unless_interrupted(engine.download(call, &to)).await {
            Ok(done) => done?,
            Err(signal) => return Err(signal.failure("nothing was saved")),
        };
        Progress::end();
        if !to_stdout {
            return self.printer(tool).whole(&outcome.output, &[]);
        }
        // An error rule may have said that there is no content.
        if to.path().exists() {
            let mut file = std::fs::File::open(to.path())?;
            // If the reader is slow, a signal must not leave files behind.
            drop(folder);
            next_signal_ends();
            let mut stdout = terminal::data();
            std::io::copy(&mut file, &mut stdout)?;
            stdout.flush()?;
        }
        Ok(())
    }
}
