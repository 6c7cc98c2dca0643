//! Recordings: what calls send and get goes into a file, and a file answers in place of a service. Nothing secret stands in
//! one: a request is written from its plan, and an answer is masked.

mod difference;
mod entry;
mod index;
mod key;
mod layer;
mod origin;
mod place;
mod play;
mod pseudonym;
mod recorder;
mod redact;
mod shelf;
mod spool;
#[cfg(test)]
mod tests;
#[cfg(feature = "cli")]
mod veil;

pub(crate) use place::{Place, Taken};
pub(crate) use play::Play;
pub(crate) use pseudonym::Pseudonyms;
pub(crate) use recorder::{Recorded, Recorder, RecordingError};
pub(crate) use redact::{RedactSpec, Rules};
pub(crate) use spool::{Session, VARIABLE};
#[cfg(feature = "cli")]
pub(crate) use veil::{Removed, Veil, has_hidden, is_hidden_text};

/// What differs between a request and that of an entry, except for the origin; nothing if they are the same. `query` are the names
/// of query parameters that carry credentials, percent-encoded.
pub(crate) fn compare<'q>(
    entry: &crate::har::Entry,
    method: &str,
    url: &str,
    body: Option<&crate::har::Body>,
    query: impl Iterator<Item = &'q str>,
) -> Vec<String> {
    let parsed = (url::Url::parse(url), url::Url::parse(&entry.request.url));
    let (Ok(url), Ok(there)) = parsed else {
        return vec!["a URL cannot be parsed".to_owned()];
    };
    let keys = key::Keys::new(query, &url);
    let rules = match entry.own.as_ref().map(index::rules_of).transpose() {
        Ok(rules) => rules.unwrap_or_default(),
        Err(reason) => return vec![reason],
    };
    let of = |method, url, body: Option<&crate::har::Body>| {
        let body = key::canon(body, &rules);
        keys.key(key::Line::new(method, url), body, &rules)
    };
    let recorded = entry.request.body_with_type();
    let there = of(&entry.request.method, &there, recorded.as_ref());
    difference::differences(&of(method, &url, body), &there)
}
