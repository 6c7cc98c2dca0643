//! What is asked on a terminal where the command line does not say it.

use std::io::ErrorKind;

use crate::cli::{Failure, terminal, usage};

/// How often an answer may be wrong.
const MOST_TRIES: usize = 5;
/// The longest line that a terminal hands on, in bytes. It drops the rest in silence.
pub(super) const LONGEST_LINE: usize = 4095;

/// Asks until an answer is right. An empty answer is the default, if there is one.
///
/// # Errors
/// When the input ends, or too many answers are wrong. Nothing is written then, and what else was pasted is forgotten.
pub(super) fn asked<T>(
    question: &str,
    default: Option<&str>,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<T, Failure> {
    let question = match default {
        Some("") => format!("{question} (may be empty):"),
        Some(default) => format!("{question} [{default}]:"),
        None => format!("{question}:"),
    };
    for _ in 0..MOST_TRIES {
        let answer = match terminal::answer_to(&question) {
            Ok(Some(answer)) if answer.ends_with('\n') => answer,
            // Whoever leaves in the middle of a line has not given an answer.
            Ok(_) => return Err(usage("the answers ended; nothing was written")),
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                terminal::say("the answer is no text in UTF-8");
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let read = match (answer.trim(), default) {
            _ if answer.len() >= LONGEST_LINE => Err(format!(
                "the answer is too long: a terminal hands on {LONGEST_LINE} bytes of a line"
            )),
            (answer, _) if answer.chars().any(char::is_control) => {
                Err("the answer has control characters, such as those of an arrow key".to_owned())
            }
            ("", Some(default)) => read(default),
            (answer, _) => read(answer),
        };
        match read {
            Ok(value) => return Ok(value),
            Err(reason) => terminal::say(&reason),
        }
    }
    terminal::forget_typed();
    Err(usage("too many answers were wrong; nothing was written"))
}
