//! `--dry-run`: prints what would be sent.

use std::io::Write;

use clap::ValueEnum;

use crate::cli::{Done, note, terminal};

/// How a plan is printed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum DryRun {
    Http,
    Curl,
    Json,
}

/// Prints a plan.
pub(super) fn print_plan(plan: &crate::Plan, form: DryRun) -> Done {
    let (text, mut stdout) = match form {
        DryRun::Http => (plan.to_http(), terminal::words()),
        DryRun::Curl => (plan.to_curl(), terminal::data()),
        DryRun::Json => (
            format!("{:#}\n", serde_json::json!(plan.view())),
            terminal::json(),
        ),
    };
    if matches!(form, DryRun::Curl) && terminal::is_terminal() && terminal::shown(&text) != text {
        note(
            "characters that a terminal would obey or hide are shown escaped; in a pipe the command has them as they are",
        );
    }
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}
