//! The process in which an expression runs.
//!
//! An expression may run for ever, take all memory or call itself without end, and nothing inside a process can stop
//! that without ending the process. So expressions run in a second one: this program again, with an empty environment.
//! Inputs go to its standard input, and what becomes of them comes from its standard output, both as frames: a byte that
//! says what it is, the length, and the text.

use std::io::{self, BufReader, Read, Write};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use super::{Found, Jq, RunError};
use crate::cli::terminal;

/// The first word of the command line of such a process. No command has this name.
const NAME: &str = "run-expression-of-jq";
/// Memory that an expression may take, beside that for its input.
pub(super) const MEMORY: u64 = 1 << 30;
/// Memory for each byte of the input: its text, its tree and a copy of both.
const MEMORY_OF_INPUT: u64 = 16;
/// The variable that says in which time zone `localtime` is. An expression depends on nothing else of this machine.
const ZONE: &str = "TZ";

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Tag {
    /// A value for the expression.
    Input = b'i',
    /// A result that is a text.
    Text = b't',
    /// Another result, as JSON.
    Json = b'j',
    /// What went wrong with an input. Nothing else comes of it.
    Error = b'e',
    /// There are no more results of an input.
    Done = b'd',
    /// There are no more inputs for now, and it comes back once those before it are done.
    AllDone = b'a',
}

impl Tag {
    fn of(byte: u8) -> io::Result<Tag> {
        let tags = [
            Tag::Input,
            Tag::Text,
            Tag::Json,
            Tag::Error,
            Tag::Done,
            Tag::AllDone,
        ];
        let tag = tags.into_iter().find(|tag| *tag as u8 == byte);
        tag.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

/// Writes a frame.
pub(super) fn put(out: &mut impl Write, tag: Tag, text: &[u8]) -> io::Result<()> {
    let mut head = [tag as u8; 9];
    head[1..].copy_from_slice(&(text.len() as u64).to_le_bytes());
    out.write_all(&head)?;
    out.write_all(text)
}

/// Reads a frame; `None` at the end.
pub(super) fn get(from: &mut impl Read) -> io::Result<Option<(Tag, Vec<u8>)>> {
    let mut head = [0; 9];
    if from.read(&mut head[..1])? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut head[1..])?;
    let mut length = [0; 8];
    length.copy_from_slice(&head[1..]);
    let length = u64::from_le_bytes(length);
    let mut text = Vec::new();
    let read = from.take(length).read_to_end(&mut text)?;
    match read as u64 == length {
        true => Ok(Some((Tag::of(head[0])?, text))),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Starts a process for an expression.
pub(super) fn start(expression: &str) -> io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(NAME).arg(expression).env_clear();
    if let Some(zone) = std::env::var_os(ZONE) {
        command.env(ZONE, zone);
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// Runs an expression on inputs, if that is what this process was started for.
pub(crate) fn answer() -> Option<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    if words.next()? != NAME {
        return None;
    }
    let expression = words.next()?.into_string().ok()?;
    Some(match serve(&expression) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    })
}

fn serve(expression: &str) -> io::Result<()> {
    end_with_parent();
    let jq = Jq::read(expression).map_err(io::Error::other)?;
    let mut inputs = BufReader::new(io::stdin().lock());
    let mut results = terminal::to_ourselves();
    while let Some((tag, input)) = get(&mut inputs)? {
        if tag == Tag::AllDone {
            put(&mut results, tag, b"")?;
            results.flush()?;
            continue;
        }
        limit_memory(input.len() as u64);
        let ran = jq.run(&input, |found| {
            match found {
                Found::Text(text) => put(&mut results, Tag::Text, text.as_bytes()),
                Found::Json(text) => put(&mut results, Tag::Json, text.as_bytes()),
            }?;
            // What the expression does next may end this process.
            results.flush()
        });
        match ran {
            Ok(()) => put(&mut results, Tag::Done, b""),
            Err(RunError::Told(error)) => put(&mut results, Tag::Error, error.as_bytes()),
            Err(RunError::Io(error)) => Err(error),
        }?;
    }
    Ok(())
}

/// Whoever started this process may be killed, and an expression may never look for its next input.
fn end_with_parent() {
    #[cfg(unix)]
    {
        use std::os::unix::process::parent_id;
        const LOOK: Duration = Duration::from_millis(200);
        let parent = parent_id();
        std::thread::spawn(move || {
            while parent_id() == parent {
                std::thread::sleep(LOOK);
            }
            std::process::exit(1);
        });
    }
}

/// Lets the system refuse memory beyond the limit, where it can.
fn limit_memory(input: u64) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let Rlimit { maximum, .. } = getrlimit(Resource::As);
        let most = MEMORY.saturating_add(input.saturating_mul(MEMORY_OF_INPUT));
        let current = Some(maximum.map_or(most, |maximum| maximum.min(most)));
        let _ = setrlimit(Resource::As, Rlimit { current, maximum });
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = input;
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn frames_are_read_as_they_are_written() {
        let mut text = Vec::new();
        for (tag, told) in [
            (Tag::Input, "{}"),
            (Tag::Text, ""),
            (Tag::Json, "[1]"),
            (Tag::Error, "no"),
            (Tag::Done, ""),
            (Tag::AllDone, ""),
        ] {
            put(&mut text, tag, told.as_bytes()).unwrap();
            let whole = get(&mut &text[..]).unwrap();
            assert_eq!(whole, Some((tag, told.as_bytes().to_vec())));
            for end in 1..text.len() {
                assert!(get(&mut &text[..end]).is_err(), "{tag:?} {end}");
            }
            text.clear();
        }
        assert_eq!(get(&mut &b""[..]).unwrap(), None);
        assert!(get(&mut &b"x\0\0\0\0\0\0\0\0"[..]).is_err());
    }
}
