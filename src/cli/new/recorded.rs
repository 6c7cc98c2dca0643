//! `--from-har`: the exchange of a recording that a tool is made of.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use crate::cli::{Failure, terminal, usage};
use crate::har::{Entry, Read, Reader};

use super::terminal::line;

/// How many exchanges a message lists.
const MOST_LISTED: usize = 20;

/// The one exchange of the file that is meant: by its number, or the only one whose URL has this text. Without either, the
/// only one that is no page, script, style, picture or font.
///
/// # Errors
/// When the file cannot be read, or no exchange or several are meant.
pub(super) fn chosen(
    path: &Path,
    number: Option<usize>,
    url: Option<&str>,
) -> Result<Box<Entry>, Failure> {
    let told = |reason: String| usage(format!("{}: {reason}", path.display()));
    let file = File::open(path).map_err(|error| told(error.to_string()))?;
    let mut found: Vec<Box<Entry>> = Vec::new();
    let (mut more, mut all) = (0, 0);
    for read in Reader::new(BufReader::new(file)) {
        match read.map_err(|error| told(error.to_string()))? {
            Read::Skipped(flaw) => terminal::say(&format!("note: {flaw}")),
            Read::Entry(entry, flaws) => {
                all += 1;
                let is_meant = match (number, url) {
                    (Some(number), _) => entry.number == number,
                    (None, Some(part)) => entry.request.url.contains(part) && is_of_service(&entry),
                    (None, None) => is_of_service(&entry),
                };
                if !is_meant {
                    continue;
                }
                flaws
                    .iter()
                    .for_each(|flaw| terminal::say(&format!("note: {flaw}")));
                match found.len() < MOST_LISTED {
                    true => found.push(entry),
                    false => more += 1,
                }
                if number.is_some() {
                    break;
                }
            }
        }
    }
    match (found.len(), number) {
        (1, _) => found
            .pop()
            .ok_or_else(|| told("it has no exchange".to_owned())),
        (0, Some(number)) => Err(told(format!("it has no entry {number}; it has {all}"))),
        (0, None) => Err(told(
            "it has no exchange that is meant; name one by --entry N".to_owned(),
        )),
        (_, _) => Err(told(listed(&found, more))),
    }
}

fn listed(found: &[Box<Entry>], more: usize) -> String {
    let mut message =
        "it has several exchanges; name one by --entry N, or by a part of its URL with --url"
            .to_owned();
    for entry in found {
        let status = entry
            .response
            .as_ref()
            .map_or_else(String::new, |answer| answer.status.to_string());
        message.push_str(&format!(
            "\n  {}  {} {}  {status}",
            entry.number,
            line(&entry.request.method),
            line(without_query(&entry.request.url))
        ));
    }
    if more > 0 {
        message.push_str(&format!("\n  and {more} more"));
    }
    message
}

/// A URL without its query, where secrets may stand.
fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// Whether an exchange is one with a service, and not a part of a page.
fn is_of_service(entry: &Entry) -> bool {
    const OF_PAGES: [&str; 9] = [
        "text/html",
        "text/css",
        "text/javascript",
        "application/javascript",
        "application/x-javascript",
        "image/",
        "font/",
        "video/",
        "audio/",
    ];
    let media_type = entry
        .response
        .as_ref()
        .map(|answer| answer.body.essence().into_owned());
    let is_of_page =
        |media_type: String| OF_PAGES.iter().any(|known| media_type.starts_with(known));
    !entry.request.method.eq_ignore_ascii_case("options")
        && entry.request.url.starts_with("http")
        && !media_type.is_some_and(is_of_page)
}
