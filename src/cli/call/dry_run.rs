//! `--dry-run`: prints what would be sent.

use std::io::Write;

use clap::ValueEnum;

use super::watch::unauthenticated;
use crate::cli::{Done, note, terminal};
use crate::sign::Whereabouts;
use crate::{Engine, Tool};

/// How a plan is printed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum DryRun {
    Http,
    Curl,
    Json,
}

/// Says which optional credentials a plan goes without, and which of those that it has may not be set, because nobody was
/// asked for their secret.
pub(crate) fn tell_optional(engine: &Engine, tool: &Tool) {
    let left_out = engine.left_out(&tool.service);
    if !left_out.secrets.is_empty() {
        note(&unauthenticated(&left_out.secrets));
    }
    let secrets = tool.service.auth.secrets().iter();
    for secret in secrets.filter(|secret| secret.is_optional()) {
        if let Whereabouts::NotAsked(name) = engine.whereabouts(secret) {
            note(&format!(
                "{name} is not asked for its secret now; a call without it goes without its credential"
            ));
        }
    }
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
