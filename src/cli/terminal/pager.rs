//! A pager for output that is longer than the terminal: what `$PAGER` names, or `less -FRX` where it is there.
//!
//! What goes to it was escaped before, as everything that a terminal shows.

use std::io::{self, StdoutLock, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use super::screen::{height, is_dumb};
use super::{is_attended, is_terminal, say};

/// Bytes that may wait to be counted as lines.
const MOST_HELD: usize = 64 << 10;
/// The pager where `$PAGER` names none: it quits where all fits, shows colours, and leaves the text behind.
const DEFAULT: &str = "less -FRX";

/// Where the bytes of standard output go.
pub(crate) struct Sink {
    stdout: StdoutLock<'static>,
    to: To,
}

enum To {
    Stdout,
    /// It is not known yet whether they fill more than the terminal.
    Held(Vec<u8>),
    Pager(Pager),
}

impl Sink {
    /// To standard output.
    pub(crate) fn new(stdout: StdoutLock<'static>) -> Sink {
        Sink {
            stdout,
            to: To::Stdout,
        }
    }

    /// Through a pager, if standard output is a terminal and a person can press the keys that leave a pager.
    pub(crate) fn page(&mut self) {
        if is_terminal() && is_attended() && command().is_some() {
            self.to = To::Held(Vec::new());
        }
    }

    /// Ends the output: what was held is written, and the pager is waited for.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.to, To::Stdout) {
            To::Stdout => {}
            To::Held(held) => self.stdout.write_all(&held)?,
            To::Pager(pager) => drop(pager),
        }
        self.stdout.flush()
    }

    /// Starts the pager: there is more than the terminal shows.
    fn start(&mut self) -> io::Result<()> {
        let To::Held(held) = std::mem::replace(&mut self.to, To::Stdout) else {
            return Ok(());
        };
        let command = command().unwrap_or_default();
        match Pager::start(&command) {
            Ok(pager) => self.to = To::Pager(pager),
            Err(error) if command != DEFAULT => {
                say(&format!(
                    "note: the pager `{command}` cannot be started: {error}"
                ));
            }
            Err(_) => {}
        }
        self.write_all(&held)
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.to {
            To::Stdout => self.stdout.write(bytes),
            To::Pager(pager) => pager.write(bytes),
            To::Held(held) => {
                held.extend_from_slice(bytes);
                let lines = memchr::memchr_iter(b'\n', held).count();
                if lines >= height() || held.len() > MOST_HELD {
                    self.start()?;
                }
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.to {
            To::Stdout => self.stdout.flush(),
            To::Held(_) | To::Pager(_) => Ok(()),
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // Whoever wants to know whether everything was written has ended it.
        let _ = self.end();
    }
}

/// A pager that runs. It is waited for when it is dropped.
struct Pager {
    command: String,
    child: Child,
}

impl Pager {
    fn start(command: &str) -> io::Result<Pager> {
        let mut words = command.split_whitespace();
        let mut program = Command::new(words.next().unwrap_or_default());
        program.args(words).stdin(Stdio::piped());
        // So that a plain `less` shows colours and quits where all fits.
        if std::env::var_os("LESS").is_none() {
            program.env("LESS", "FRX");
        }
        let child = program.spawn()?;
        // Ctrl-C is for the pager, which must not lose us: a terminal has one reader.
        let _ = signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::default());
        Ok(Pager {
            command: command.to_owned(),
            child,
        })
    }

    /// A user who has seen enough quits the pager: then the pipe is closed, as any pipe that nobody reads any more.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.child.stdin {
            Some(stdin) => stdin.write(bytes),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl Drop for Pager {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        match self.child.wait() {
            Ok(status) if status.success() => {}
            Ok(status) => say(&format!(
                "note: the pager `{}` failed: {status}",
                self.command
            )),
            Err(error) => say(&format!(
                "note: the pager `{}` failed: {error}",
                self.command
            )),
        }
    }
}

/// The pager's command line; none where `$PAGER` is empty or `cat`, or the terminal can do too little for one.
fn command() -> Option<String> {
    match std::env::var("PAGER") {
        Ok(command) => {
            let command = command.trim();
            (!command.is_empty() && command != "cat").then(|| command.to_owned())
        }
        Err(_) => (!is_dumb()).then(|| DEFAULT.to_owned()),
    }
}
