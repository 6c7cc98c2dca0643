//! The rules for every base URL: its scheme and address, the spelling of hosts, and text that parsers leave as it is.

use std::borrow::Cow;
use std::ops::Range;

use url::Url;

use crate::address::{is_loopback, special_literal};

/// The rules for every base URL, literal or rendered. The error says what is wrong, and how to fix it.
pub(super) fn rules(url: &Url, allow_private: bool) -> Result<(), (String, &'static str)> {
    let refuse = |message: &str, help| Err((message.to_owned(), help));
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(url) => {}
        "http" => {
            return refuse(
                "plain http would send credentials in the clear",
                "use https; http is for loopback addresses alone",
            );
        }
        other => return Err((format!("the scheme `{other}` is not HTTP"), "use https")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse(
            "the base URL carries credentials",
            "describe them under `auth`, as references to secrets",
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refuse(
            "the base URL has a query or fragment",
            "query parameters of every request go to the service's `query`",
        );
    }
    match special_literal(url) {
        Some(what) if !allow_private && !is_loopback(url) => Err((
            format!("the host of the base URL is {what}, which is not on the public internet"),
            "set `allow_private_network: true` if the service really is there",
        )),
        _ => Ok(()),
    }
}

/// Whether registrars sell names directly below it. Companies also give away names below their own domains; whether to
/// allow those is left to the descriptor.
pub(super) fn is_shared(domain: &str) -> bool {
    let domain = domain.to_ascii_lowercase();
    let is_loopback = domain == "localhost";
    let is_suffix =
        psl2::lookup(&domain).is_some_and(|found| found.is_public_suffix() && !found.is_private());
    is_suffix && !is_loopback
}

/// Whether a name in lower case ends in one that somebody registered, or is one.
pub(super) fn is_registrable(domain: &str) -> bool {
    psl2::lookup(domain).is_some_and(|found| !found.is_public_suffix())
}

/// Whether a text is a host name in ASCII.
pub(super) fn is_host(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(is_label_byte)
}

pub(super) fn is_label_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

/// A URL that a parser reads differently than it is written.
#[derive(Debug)]
pub(super) struct Repair {
    /// The byte range of the first character that is read differently.
    pub(super) at: Range<usize>,
    written: String,
    pub(super) read: String,
}

impl Repair {
    pub(super) fn message(&self) -> String {
        format!(
            "`{}` would be read as {}",
            self.written.escape_debug(),
            self.read
        )
    }

    pub(super) fn help(&self) -> String {
        format!("write {}", self.read)
    }
}

/// Checks that a URL is written as a parser reads it. Parsers repair much: missing slashes, backslashes, tabs, dot
/// segments, upper case, encoded and numeric hosts. A person who reviews a descriptor must see the address that is
/// really called.
pub(super) fn as_written(text: &str, url: &Url) -> Result<(), Repair> {
    let read = url.as_str();
    let read = match text.ends_with('/') {
        true => read,
        // A parser reads an empty path as `/`.
        false => read.strip_suffix('/').unwrap_or(read),
    };
    // The scheme's default port may be written. A parser drops it.
    let plain = match (url.port(), url.port_or_known_default()) {
        (None, Some(port)) => without_port(text, port),
        _ => Cow::Borrowed(text),
    };
    if plain == read {
        return Ok(());
    }
    let differs = text
        .char_indices()
        .zip(url.as_str().chars())
        .find(|((_, written), read)| written != read);
    let start = differs.map_or(text.len().min(url.as_str().len()), |((at, _), _)| at);
    let length = text[start..].chars().next().map_or(0, char::len_utf8);
    Err(Repair {
        at: start..start + length,
        written: text.to_owned(),
        read: read.to_owned(),
    })
}

/// The text without this port behind its host.
fn without_port(text: &str, port: u16) -> Cow<'_, str> {
    let host = text.find("://").map_or(0, |at| at + 3);
    let end = text[host..].find('/').map_or(text.len(), |at| host + at);
    match text[..end].strip_suffix(&format!(":{port}")) {
        Some(front) => Cow::Owned(format!("{front}{}", &text[end..])),
        None => Cow::Borrowed(text),
    }
}
