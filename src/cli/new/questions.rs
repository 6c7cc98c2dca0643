//! What is asked on a terminal where the command line does not say it.

use crate::cli::{Failure, terminal, usage};
use crate::words::Name;

use super::one_name;

/// How often an answer may be wrong.
const MOST_TRIES: usize = 5;

/// Asks until an answer is right. An empty answer is the default, if there is one.
///
/// # Errors
/// When the input ends, or too many answers are wrong. Nothing is written then.
pub(super) fn asked<T>(
    question: &str,
    default: Option<&str>,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<T, Failure> {
    let question = match default {
        Some(default) => format!("{question} [{default}]:"),
        None => format!("{question}:"),
    };
    for _ in 0..MOST_TRIES {
        let Some(answer) = terminal::answer_to(&question)? else {
            return Err(usage("the answers ended; nothing was written".to_owned()));
        };
        let answer = match (answer.trim(), default) {
            ("", Some(default)) => default,
            (answer, _) => answer,
        };
        match read(answer) {
            Ok(value) => return Ok(value),
            Err(reason) => terminal::say(&reason),
        }
    }
    Err(usage(
        "too many answers were wrong; nothing was written".to_owned(),
    ))
}

/// Asks for a name.
pub(super) fn name(question: &str) -> Result<Name, Failure> {
    asked(question, None, one_name)
}
