//! Redaction: if a server sends our secrets back, we do not show them.
//!
//! What we print about a request needs no redaction: it is made from the plan, where placeholders stand for secrets.
//! This module is for echoes. A service may repeat a secret in many notations: escaped in JSON, percent-encoded once or
//! twice, as HTML, in base64 or hex, or in several of these at once.

mod json;
mod notation;
mod search;

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::{Secret, Secrets};
use crate::plan::MASK;
use search::Search;

/// The length from which a text counts as a secret, in characters. Shorter texts would match by chance.
pub(crate) const SHORTEST: usize = 12;
/// The length from which it counts as one in what is kept in files that are passed around.
const SHORTEST_IN_FILES: usize = 6;

/// Masks a set of secrets, in any notation. Cloning one is cheap.
///
/// The time is linear in the text for any text and any secrets. Apart from the masked copy, the memory does not depend
/// on the text.
#[derive(Clone, Default)]
pub struct Redactor {
    search: Option<Arc<Search>>,
    /// For files. It is there if there are secrets that only count there.
    strict: Option<Arc<Strict>>,
}

/// Secrets from 6 characters, and their search once it was needed.
struct Strict {
    secrets: Vec<Secret>,
    search: OnceLock<Option<Arc<Search>>>,
}

impl Redactor {
    /// Prepares to mask these secrets. Values of fewer than 12 characters, and user names, do not count as secrets.
    pub fn new(secrets: &Secrets) -> Redactor {
        let length = |secret: &Secret| secret.expose().chars().count();
        let texts = secrets.to_mask();
        let long = texts.filter(|secret| length(secret) >= SHORTEST);
        let is_short = |secret: &Secret| (SHORTEST_IN_FILES..SHORTEST).contains(&length(secret));
        Redactor {
            search: Search::new(long.map(Secret::expose)).map(Arc::new),
            strict: secrets.to_mask().any(is_short).then(|| {
                let counted = |secret: &&Secret| length(secret) >= SHORTEST_IN_FILES;
                Arc::new(Strict {
                    secrets: secrets.to_mask().filter(counted).cloned().collect(),
                    search: OnceLock::new(),
                })
            }),
        }
    }

    /// One that masks values from 6 characters too, if there are such: for what is kept in a file and passed around. It may
    /// mask by chance, which must be told.
    pub(crate) fn strict(&self) -> Option<Redactor> {
        let strict = self.strict.as_ref()?;
        let texts = || strict.secrets.iter().map(Secret::expose);
        let search = strict
            .search
            .get_or_init(|| Search::new(texts()).map(Arc::new));
        Some(Redactor {
            search: search.clone(),
            strict: None,
        })
    }

    /// Whether there is nothing that it masks.
    pub(crate) fn is_empty(&self) -> bool {
        self.search.is_none()
    }

    /// The text with every secret masked.
    pub fn text(&self, text: &str) -> String {
        masked_str(text, &self.ranges(text.as_bytes()))
    }

    /// A message with every secret masked, and every part of a secret of 12 characters or more: texts in a message may
    /// be cut short, such as the host of a URL.
    pub fn message(&self, text: &str) -> String {
        match &self.search {
            Some(search) => masked_str(text, &search.pieces(text.as_bytes())),
            None => text.to_owned(),
        }
    }

    /// A text of bytes with every secret masked. Without a secret, the same bytes are returned.
    pub fn bytes(&self, bytes: Bytes) -> Bytes {
        let ranges = self.ranges(&bytes);
        match ranges.is_empty() {
            true => bytes,
            false => masked(&bytes, &ranges).into(),
        }
    }

    /// JSON text, or lines of JSON, with secrets masked in values that are strings. Numbers, keys and the structure are
    /// never changed. Without a secret, the same bytes are returned.
    pub fn json(&self, text: Bytes) -> Bytes {
        let Some(search) = &self.search else {
            return text;
        };
        match json::masked(search, &text) {
            Some(masked) => masked.into(),
            None => text,
        }
    }

    /// Header fields with every secret in their values masked.
    pub fn headers(&self, headers: Vec<(String, String)>) -> Vec<(String, String)> {
        // One search over all values is cheaper than one for each value.
        let all: String = headers
            .iter()
            .flat_map(|(_, value)| [value.as_str(), "\n"])
            .collect();
        if self.ranges(all.as_bytes()).is_empty() {
            return headers;
        }
        headers
            .into_iter()
            .map(|(name, value)| (name, self.text(&value)))
            .collect()
    }

    /// Whether there is a secret in a text of bytes.
    pub(crate) fn finds(&self, text: &[u8]) -> bool {
        !self.ranges(text).is_empty()
    }

    /// Whether both mask the same secrets, as far as that is known without a comparison.
    pub(crate) fn is_same(&self, other: &Redactor) -> bool {
        match (&self.search, &other.search) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            (None, None) => true,
            _ => false,
        }
    }

    fn ranges(&self, text: &[u8]) -> Vec<Range<usize>> {
        match &self.search {
            Some(search) => search.ranges(text),
            None => Vec::new(),
        }
    }
}

/// The text with these parts replaced by the mask.
fn masked(text: &[u8], ranges: &[Range<usize>]) -> Vec<u8> {
    let hidden: usize = ranges.iter().map(Range::len).sum();
    let mut masked = Vec::with_capacity(text.len() - hidden + MASK.len() * ranges.len());
    let mut shown = 0;
    for range in ranges {
        masked.extend_from_slice(&text[shown..range.start]);
        masked.extend_from_slice(MASK.as_bytes());
        shown = range.end;
    }
    masked.extend_from_slice(&text[shown..]);
    masked
}

/// The text with these parts, widened to whole characters, replaced by the mask.
fn masked_str(text: &str, ranges: &[Range<usize>]) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut shown = 0;
    for range in ranges {
        let start = text.floor_char_boundary(range.start).max(shown);
        masked.push_str(&text[shown..start]);
        masked.push_str(MASK);
        shown = text.ceil_char_boundary(range.end).max(shown);
    }
    masked.push_str(&text[shown..]);
    masked
}

#[cfg(test)]
mod tests;
