//! What to do about an error, in the words of the command line. Errors carry facts; this file turns them into hints.

use std::path::Path;

use crate::catalog::LoadError;
use crate::import::ImportError;
use crate::send::{NoPlace, SendError};
use crate::sign::SecretError;
use crate::sql::SqlError;
use crate::tool::service::SettingError;
use crate::words::seconds;
use crate::{Error, Limit, Upstream};

/// What to do about an error, if that is known.
pub(crate) fn hint(error: &Error) -> Option<String> {
    if let Some(untrusted) = error.untrusted() {
        return Some(match trusting(&untrusted.folder) {
            Some(command) => format!("look through it, and if you trust it, run `{command}`"),
            None => "give it a name without control characters to be able to trust it".to_owned(),
        });
    }
    match error {
        Error::Load(error) => load(error),
        Error::Arguments { tool, .. } => Some(format!("`toolrun show {tool}` lists the params")),
        Error::Setting(SettingError::Missing { name, variable }) => {
            let variable = variable
                .as_ref()
                .map(|name| format!(" or the variable {name}"));
            let variable = variable.unwrap_or_default();
            Some(format!("give it with `--set {name}=...`{variable}"))
        }
        Error::Secret(error) => secret(error),
        Error::Send(error) => send(error),
        Error::Consent { .. } => Some("confirm with `--yes`".to_owned()),
        Error::NoDestination { .. } => {
            Some("use `--out FILE` to save it, or `--out -` for standard output".to_owned())
        }
        Error::Unfinished(_) => Some("it may still be running at the service".to_owned()),
        Error::Upstream(answer) => upstream(answer),
        _ => None,
    }
}

fn load(error: &LoadError) -> Option<String> {
    match error {
        LoadError::UnknownTool { suggestion, .. } => {
            let suggestion = suggestion.clone();
            Some(suggestion.unwrap_or_else(|| "`toolrun list` shows what there is".to_owned()))
        }
        LoadError::AmbiguousTool { candidates, .. } => {
            Some(format!("name one of them: {}", candidates.join(", ")))
        }
        _ => None,
    }
}

fn send(error: &SendError) -> Option<String> {
    let hint = match error {
        SendError::Timeout { limit, .. } => match limit {
            Limit::Caller => "`--timeout` sets another limit",
            Limit::Deadline => "`--deadline` sets another limit",
            _ => return None,
        },
        SendError::Unrecorded(_) => "`--replay-missing live` asks the service for it",
        SendError::Destination {
            reason: NoPlace::Taken,
            ..
        } => "`--force` overwrites it",
        _ => return None,
    };
    Some(hint.to_owned())
}

fn secret(error: &SecretError) -> Option<String> {
    match error {
        SecretError::Missing {
            name, help, file, ..
        } => {
            let file = file
                .as_ref()
                .map(|file| format!(" or in {}", file.display()));
            let file = file.unwrap_or_default();
            let help = help.as_ref().map(|help| format!(" ({help})"));
            Some(format!(
                "set {name} in the environment{file}{}; `--sandbox` works without it, if the service has a sandbox",
                help.unwrap_or_default()
            ))
        }
        SecretError::Unlike { help, .. } | SecretError::NoEntry { help, .. } => help.clone(),
        SecretError::CommandRefused {
            folder: Some(folder),
            ..
        } => Some(format!(
            "if you trust them, run `toolrun trust {0}`, or use `--trust {0}` for this call",
            shell_word(folder)
        )),
        SecretError::Refused { .. } => Some(
            "the client's id or secret, or the refresh token, is wrong, expired or revoked"
                .to_owned(),
        ),
        _ => None,
    }
}

fn upstream(answer: &Upstream) -> Option<String> {
    if let (401 | 403 | 404 | 429, false) = (answer.status, answer.unset_secrets.is_empty()) {
        let secrets = answer.unset_secrets.join(", ");
        return Some(format!(
            "the request carried no credential; set {secrets} to send it"
        ));
    }
    match answer.status {
        401 => Some("the credential is missing, wrong, expired or revoked".to_owned()),
        403 => Some("the credential lacks the right to do this".to_owned()),
        _ => match answer.retry_after {
            Some(after) => Some(format!("try again in {}", seconds(after))),
            None => (answer.status == 429).then(|| "try again later".to_owned()),
        },
    }
}

/// What to do about a query that failed, if that is known.
pub(crate) fn of_query(error: &SqlError) -> Option<&'static str> {
    match error {
        SqlError::NoTable { hint: None, .. } => Some("`toolrun sql --tables` lists the tables"),
        SqlError::Requests { .. } => Some(
            "`EXPLAIN` before the query lists its requests without making any, and --max-requests allows more",
        ),
        SqlError::Computing(_) => Some("ask for less, or for fewer tables at once"),
        SqlError::Memory(_) => Some("ask for fewer rows or columns, such as by `where` or `limit`"),
        _ => None,
    }
}

/// What to do about a document that cannot be imported, if that is known.
pub(crate) fn of_import(error: &ImportError) -> Option<&'static str> {
    match error {
        ImportError::NoServer => Some("give its URL with --base-url"),
        _ => None,
    }
}

/// The command that trusts a folder; `None` if the folder's name cannot be written on one line.
pub(crate) fn trusting(folder: &Path) -> Option<String> {
    let folder = folder.to_str()?;
    let is_line = !folder.contains(char::is_control);
    is_line.then(|| format!("toolrun trust {}", shell_word(folder)))
}

/// A text quoted as one word for a shell.
pub(crate) fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%:,=".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}
