//! The one place that prints. A terminal must only show what a service, a descriptor or a file name says, and never
//! obey it. So control characters, marks that change the direction of text, and invisible characters are escaped.
//!
//! - Words for people ([`words`], [`say`]) are always escaped, as `\u{202e}`.
//! - JSON ([`json`]) is always escaped, as `\u202e`, which any JSON reader reads as the same value.
//! - Data ([`data`]: csv, yaml, raw) is escaped on a terminal, and unchanged in a pipe or a file.

mod escape;
mod pager;
mod progress;
mod screen;

use std::io::{self, BufRead, BufWriter, IsTerminal, Write};

use serde_json::Value;

pub(crate) use escape::{line, shown, shown_with_span};
pub(crate) use progress::Progress;
pub(crate) use screen::{bold, coloured, dim, has_colours, has_unicode, width};

use escape::{Escaper, Manner, escaped, folded};
use pager::Sink;
use progress::aside;
use screen::shows_colours;

/// How many bytes are escaped at a time.
const PIECE: usize = 64 << 10;

/// Standard output.
pub(crate) struct Out(BufWriter<Escaping>);

struct Escaping {
    escaper: Escaper,
    to: Sink,
    /// Whether the line of progress may stand where the output goes.
    is_terminal: bool,
    /// The beginning of a line, which the line of progress would clear.
    held: Vec<u8>,
}

impl Escaping {
    /// Writes what is ready to be shown. While a line of progress stands on the terminal, only whole lines are written.
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.is_terminal {
            return self.to.write_all(bytes);
        }
        self.held.extend_from_slice(bytes);
        let mut whole = self.held.len();
        if progress::is_shown() {
            match memchr::memrchr(b'\n', &self.held) {
                Some(end) => whole = end + 1,
                None if whole > PIECE => Progress::end(),
                None => return Ok(()),
            }
        }
        let rest = self.held.split_off(whole);
        let lines = std::mem::replace(&mut self.held, rest);
        aside(|| self.to.write_all(&lines))
    }
}

impl Write for Escaping {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.escaper.manner == Manner::Plain {
            return self.to.write(bytes);
        }
        // A large output arrives in one piece. Escaping it all at once would hold it in memory twice.
        let piece = &bytes[..bytes.len().min(PIECE)];
        let mut out = Vec::with_capacity(piece.len());
        self.escaper.push(piece, &mut out);
        self.put(&out)?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut out = Vec::new();
        self.escaper.end_joiner(&mut out);
        self.put(&out)?;
        self.to.flush()
    }
}

impl Drop for Escaping {
    fn drop(&mut self) {
        let mut out = Vec::new();
        self.escaper.finish(&mut out);
        if !self.held.is_empty() {
            Progress::end();
        }
        // An error is ignored here: code that needs to know whether everything was written calls `flush` first.
        let _ = self.put(&out);
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Out {
    fn new(manner: Manner) -> Out {
        Out(BufWriter::new(Escaping {
            escaper: Escaper::new(manner),
            to: Sink::new(io::stdout().lock()),
            is_terminal: is_terminal(),
            held: Vec::new(),
        }))
    }

    /// The same output through a pager, if it is longer than the terminal. It may wait for [`Out::end`].
    pub(crate) fn paged(mut self) -> Out {
        self.0.get_mut().to.page();
        self
    }

    /// Ends the output. If it is in a pager, this waits until the user leaves the pager.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        self.flush()?;
        self.0.get_mut().to.end()
    }
}

/// Standard output for words that people read.
pub(crate) fn words() -> Out {
    Out::new(Manner::Words)
}

/// Standard output for words with our own colours, if it shows colours.
pub(crate) fn styled_words() -> Out {
    Out::new(match has_colours() {
        true => Manner::Styled,
        false => Manner::Words,
    })
}

/// Standard output for JSON text.
pub(crate) fn json() -> Out {
    Out::new(Manner::Json)
}

/// JSON text as [`json`] prints it.
pub(crate) fn json_text(text: &str) -> String {
    escaped(text, Manner::Json)
}

/// Standard output for data that programs read. It is only escaped on a terminal.
pub(crate) fn data() -> Out {
    Out::new(match is_terminal() {
        true => Manner::Words,
        false => Manner::Plain,
    })
}

/// Standard output of a process that we started ourselves, for what it tells us. Nothing of it reaches a terminal as it
/// is.
pub(crate) fn to_ourselves() -> impl Write {
    BufWriter::new(io::stdout().lock())
}

/// Standard output of a language server: messages that an editor reads, and nobody else.
pub(crate) fn to_editor() -> impl Write {
    io::stdout()
}

/// Whether standard output is a terminal.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Writes a text to standard error. All lines except the first are indented.
pub(crate) fn say(text: &str) {
    say_as(&folded(text), Manner::Words);
}

/// Whether there is a person at a terminal who can be asked.
pub(crate) fn can_ask() -> bool {
    is_attended() && io::stderr().is_terminal()
}

/// Whether there is a person at a keyboard.
fn is_attended() -> bool {
    let is_ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
    !is_ci && io::stdin().is_terminal()
}

/// Asks a yes-or-no question and reads the answer. Anything except a yes is a no.
pub(crate) fn ask(question: &str) -> io::Result<bool> {
    let answer = answer_to(&format!("{question} [y/N]"))?;
    Ok(is_yes(answer.as_deref().unwrap_or_default()))
}

/// Asks a question and reads a line; `None` where the input has ended. Others can write to standard error meanwhile.
pub(crate) fn answer_to(question: &str) -> io::Result<Option<String>> {
    let mut stderr = io::stderr().lock();
    write!(stderr, "{} ", escaped(&folded(question), Manner::Words))?;
    stderr.flush()?;
    drop(stderr);
    let mut answer = String::new();
    let count = io::stdin().lock().read_line(&mut answer)?;
    // Without an answer the line of the question has no end.
    if !answer.ends_with('\n') {
        writeln!(io::stderr())?;
    }
    Ok((count > 0).then_some(answer))
}

/// Forgets what was typed or pasted and not read, so that the shell does not run it after a program that has given up.
pub(crate) fn forget_typed() {
    #[cfg(unix)]
    if io::stdin().is_terminal() {
        // What cannot be forgotten stays as it is.
        let _ = rustix::termios::tcflush(io::stdin(), rustix::termios::QueueSelector::IFlush);
    }
}

fn is_yes(answer: &str) -> bool {
    ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str())
}

/// Writes a JSON value to standard error, on a line of its own.
pub(crate) fn say_json(value: &Value) {
    say_as(&value.to_string(), Manner::Json);
}

fn say_as(text: &str, manner: Manner) {
    let _ = aside(|| writeln!(io::stderr().lock(), "{}", escaped(text, manner)));
}

/// Writes the text of the command line parser, which has its own layout, to standard error or output.
pub(crate) fn say_usage(text: &str, styled: &str, to_stderr: bool) -> io::Result<()> {
    let is_terminal = match to_stderr {
        true => io::stderr().is_terminal(),
        false => is_terminal(),
    };
    let text = match shows_colours(is_terminal) {
        true => escaped(styled, Manner::Styled),
        false => escaped(text, Manner::Words),
    };
    match to_stderr {
        true => io::stderr().lock().write_all(text.as_bytes()),
        false => {
            let mut out = io::stdout().lock();
            out.write_all(text.as_bytes())?;
            out.flush()
        }
    }
}

/// Prints panics here too, because their messages may quote a service.
pub(crate) fn tell_panics() {
    std::panic::set_hook(Box::new(|panic| say(&format!("internal error: {panic}"))));
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn only_a_yes_is_a_yes() {
        for (answer, expected) in [
            ("y\n", true),
            ("Yes\n", true),
            (" y \n", true),
            ("\n", false),
            ("", false),
            ("n\n", false),
            ("yeah\n", false),
        ] {
            assert_eq!(is_yes(answer), expected, "{answer:?}");
        }
    }
}
