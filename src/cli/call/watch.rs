//! What happens during a call, on standard error: notes, the line of progress, and with `-v` each message.

use crate::Event;
use crate::cli::note;
use crate::cli::terminal::{Progress, line, say};
use crate::send::{SeenBody, Shown};
use crate::words::seconds;

/// Most bytes of a body that are shown.
const MOST_OF_BODY: usize = 8 << 10;

/// Tells what happens, as far as a user wants to know it.
pub(crate) fn watch(event: &Event, verbose: bool) {
    tell_progress(event);
    match event {
        Event::Waiting { wait, .. } if verbose => {
            say(&format!("* asking for the job in {}", seconds(*wait)));
        }
        Event::Retry {
            reason,
            wait,
            attempt,
            of,
        } => note(&format!(
            "{reason}; try {attempt} of {of} in {}",
            seconds(*wait)
        )),
        Event::RateLimited { wait } if verbose || wait.as_secs() >= 1 => note(&format!(
            "the rate limit of the service delays the next request by {}",
            seconds(*wait)
        )),
        Event::TokenNotSaved { reason } => note(&format!(
            "the new access token was not saved for other processes: {reason}"
        )),
        Event::Unauthenticated { secrets } if verbose => {
            say(&format!("* {}", unauthenticated(secrets)));
        }
        Event::Request {
            method,
            url,
            headers,
            body,
        } if verbose => {
            say(&format!("> {method} {}", line(url)));
            tell_message('>', headers, body);
        }
        Event::Response {
            status,
            headers,
            bytes,
            body,
            elapsed,
        } if verbose => {
            say(&format!(
                "< {status} in {}, {bytes} bytes",
                seconds(*elapsed)
            ));
            tell_message('<', headers, body);
        }
        _ => {}
    }
}

/// What it means that optional secrets are not set.
pub(super) fn unauthenticated(secrets: &[String]) -> String {
    let (are, their) = match secrets.len() {
        1 => ("is", "its"),
        _ => ("are", "their"),
    };
    format!(
        "{} {are} not set: the request goes without {their} credential",
        secrets.join(", ")
    )
}

/// Tells on the line of progress what is waited for.
fn tell_progress(event: &Event) {
    match event {
        Event::Waiting { polls, wait, .. } => {
            let end = if *polls == 1 { "" } else { "s" };
            Progress::waits(format!("for the job, asked {polls} time{end}"), Some(*wait));
        }
        Event::Retry {
            reason,
            wait,
            attempt,
            of,
        } => Progress::waits(format!("for try {attempt} of {of}: {reason}"), Some(*wait)),
        Event::RateLimited { wait } => {
            Progress::waits("for the rate limit of the service", Some(*wait));
        }
        Event::Request { .. } => Progress::goes_on(),
        Event::Response { .. } | Event::Unauthenticated { .. } | Event::TokenNotSaved { .. } => {}
    }
}

/// Shows the header fields and the body of a request (`>`) or a response (`<`).
fn tell_message(mark: char, headers: &[(String, String)], body: &SeenBody) {
    for (name, value) in headers {
        say(&format!("{mark} {}: {}", line(name), line(value)));
    }
    let told = match body.shown(MOST_OF_BODY) {
        Shown::Nothing => return,
        Shown::Withheld { bytes } => format!("({bytes} bytes that carry credentials)"),
        Shown::Binary { bytes } => format!("({bytes} bytes that are no text)"),
        Shown::Text { text, cut: 0 } => text,
        Shown::Text { text, cut } => format!("{text}\n({cut} more bytes)"),
    };
    say(&mark.to_string());
    told.lines()
        .for_each(|text| say(&format!("{mark} {}", line(text))));
}
