//! `toolrun record`: the calls that a command makes become a recording, and a recording becomes examples.

mod examples;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::time::Duration;

use clap::Args;

use super::interrupt::{self, Signal};
use super::{Done, Failure, exit, tape, usage};
use crate::Catalog;
use crate::recording::{Session, VARIABLE};

/// How often we look whether the command has ended.
const LOOK: Duration = Duration::from_millis(10);

/// Record the calls that a command makes, or make examples of a recording.
#[derive(Debug, Args)]
pub(crate) struct Record {
    /// The recording (HAR 1.2); one that is made must not be there yet
    file: PathBuf,
    /// Add the exchanges of this recording to the files of their tools, as examples
    #[arg(long, conflicts_with_all = ["command", "redact"])]
    into_examples: bool,
    /// With --into-examples: only those of this tool
    #[arg(value_name = "TOOL", requires = "into_examples")]
    tool: Option<String>,
    /// Show a pseudonym instead of this field, a JSONPath such as $.data[*].email; with remove: before it, leave it out. May be
    /// given several times
    #[arg(long, value_name = "PATH")]
    redact: Vec<String>,
    /// The command with its arguments, behind --
    #[arg(
        last = true,
        value_name = "COMMAND",
        required_unless_present = "into_examples"
    )]
    command: Vec<OsString>,
}

impl Record {
    /// Runs the command.
    pub(crate) fn run(self, catalog: &Catalog) -> Done {
        if self.into_examples {
            return examples::add(&self.file, self.tool.as_deref(), catalog);
        }
        let Some((program, arguments)) = self.command.split_first() else {
            return Err(usage("write the command behind --"));
        };
        let rules = tape::rules(&self.redact)?;
        let place = tape::place(&self.file)?;
        let session = Session::begin(rules, &tape::pseudonyms()?);
        let session = session.map_err(|error| tape::no_place(&error))?;
        let others = std::env::var_os(VARIABLE).unwrap_or_default();
        let others: Vec<PathBuf> = std::env::split_paths(&others)
            .filter(|path| !path.as_os_str().is_empty())
            .collect();
        let folders = std::env::join_paths(
            others
                .iter()
                .map(PathBuf::as_path)
                .chain([session.folder()]),
        )
        .map_err(|error| {
            usage(format!(
                "the folder for temporary files cannot be used: {error}"
            ))
        })?;
        let mut command = std::process::Command::new(program);
        command.args(arguments).env(VARIABLE, folders);
        let child = command
            .spawn()
            .map_err(|error| usage(format!("cannot run {}: {error}", program.to_string_lossy())))?;
        let status = wait(child)?;
        tape::written(session.finish(place), &self.file, done(status))
    }
}

/// Waits for the command to end. Signals are its own affair.
fn wait(mut child: Child) -> std::io::Result<ExitStatus> {
    loop {
        if let Some(signal) = interrupt::arrived() {
            pass_on(&child, signal);
        }
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        std::thread::sleep(LOOK);
    }
}

/// Passes a signal on. Ctrl-C reaches the command by itself.
#[cfg(unix)]
fn pass_on(child: &Child, signal: Signal) {
    use rustix::process::{Pid, Signal as Number, kill_process};

    let number = match signal.exit_code() - exit::SIGNAL {
        1 => Number::HUP,
        15 => Number::TERM,
        _ => return,
    };
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It may have ended by now.
        let _ = kill_process(pid, number);
    }
}

#[cfg(not(unix))]
fn pass_on(_: &Child, _: Signal) {}

fn done(status: ExitStatus) -> Done {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal: Option<i32> = None;
    let code = match (status.code(), signal) {
        (Some(0), _) => return Ok(()),
        (Some(code), _) => u8::try_from(code).unwrap_or(exit::OUTPUT),
        (None, Some(signal)) => exit::SIGNAL + u8::try_from(signal).unwrap_or_default(),
        (None, None) => exit::OUTPUT,
    };
    Err(Failure::Silent(code))
}
