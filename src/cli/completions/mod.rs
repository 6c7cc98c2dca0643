//! `toolrun completions`: scripts that complete the command line. The scripts know nothing themselves: for each word
//! they run toolrun with [`VARIABLE`] in the environment, so what they offer is what there is.

mod line;
mod shells;
mod values;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use clap_complete::Shell;

use super::{Done, exit, say, terminal};

/// Set by the scripts: the shell that asks for completions.
const VARIABLE: &str = "TOOLRUN_COMPLETE";

/// Print a script that completes the command line.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Runs the command.
    pub(crate) fn run(self) -> Done {
        let program = std::env::args_os().next().unwrap_or_default();
        let script = shells::script(self.shell, &path_of(&program))?;
        let mut out = terminal::data();
        out.write_all(script.as_bytes())?;
        Ok(out.flush()?)
    }
}

/// How the script finds the program: by its name, or by the whole path if it was run by a path.
fn path_of(program: &OsString) -> String {
    let path = std::path::Path::new(program);
    let whole = match path.components().count() {
        0 | 1 => path.to_owned(),
        _ => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
    };
    whole.to_string_lossy().into_owned()
}

/// Answers a script that asks for completions; `None` if none asks.
pub(crate) fn answer() -> Option<ExitCode> {
    let asks = std::env::var_os(VARIABLE)?;
    let Some(shell) = asks.to_str().and_then(|name| name.parse::<Shell>().ok()) else {
        say(&format!("error: ${VARIABLE} names no shell that is known"));
        return Some(ExitCode::from(exit::USAGE));
    };
    let mut words = std::env::args_os().skip(1);
    let words: Vec<OsString> = words
        .by_ref()
        .skip_while(|word| word != "--")
        .skip(1)
        .collect();
    let answer = shells::answer(shell, words);
    let written = answer.and_then(|text| {
        let mut out = terminal::data();
        out.write_all(text.as_bytes())?;
        out.flush()
    });
    // A shell shows nothing of an error here.
    Some(ExitCode::from(u8::from(written.is_err())))
}
