//! `toolrun explain`: what a code means.

use std::io::Write;

use crate::source::Code;
use clap::Args;

use super::{Done, Failure, exit, terminal};

/// Explain a code of a finding.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The code, such as unknown-key; all of them unless given
    code: Option<String>,
    /// Print the table of all codes in Markdown
    #[arg(long, conflicts_with = "code")]
    markdown: bool,
}

impl Explain {
    /// Runs the command.
    pub(crate) fn run(self) -> Done {
        let text = match (&self.code, self.markdown) {
            (Some(name), _) => explain(find(name)?),
            (None, true) => table(),
            (None, false) => Code::ALL.iter().map(|code| line(*code)).collect(),
        };
        let mut out = terminal::words();
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }
}

fn find(name: &str) -> Result<Code, Failure> {
    Code::from_name(name).ok_or_else(|| {
        let names = Code::ALL.iter().map(|code| code.name());
        let hint = crate::words::nearest(name, names)
            .unwrap_or_else(|| "`toolrun explain` lists them".to_owned());
        Failure::Told(exit::USAGE, format!("there is no code `{name}`; {hint}"))
    })
}

fn explain(code: Code) -> String {
    let meaning = code.meaning();
    let indented =
        |text: &str| -> String { text.lines().map(|line| format!("    {line}\n")).collect() };
    format!(
        "{}: {}\n\n{}\n\nWrong:\n\n{}\nRight:\n\n{}",
        meaning.severity,
        meaning.name,
        meaning.summary,
        indented(meaning.wrong),
        indented(meaning.right)
    )
}

fn line(code: Code) -> String {
    let meaning = code.meaning();
    format!(
        "{:<18} {:<8} {}\n",
        meaning.name,
        meaning.severity.to_string(),
        meaning.summary
    )
}

/// The table in `docs/ci.md`.
fn table() -> String {
    let rows: String = Code::ALL
        .iter()
        .map(|code| code.meaning())
        .map(|meaning| {
            format!(
                "| `{}` | {} | {} |\n",
                meaning.name, meaning.severity, meaning.summary
            )
        })
        .collect();
    format!("| code | severity | meaning |\n| --- | --- | --- |\n{rows}")
}
