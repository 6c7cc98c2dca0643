//! Redaction: whatever a server sends back, the secrets that we sent to it are not in what we show.
//!
//! What we print about a request needs none of this: it is made from the plan, where placeholders stand for secrets. This
//! is for echoes. A service may repeat a secret in many notations: escaped in JSON, percent-encoded once or twice, as
//! HTML, in base64 or hex, or in several of these at once.

mod json;
mod notation;
mod search;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::{Secret, Secrets};
use crate::plan::MASK;
use search::Search;

/// Characters of the shortest text that is a secret; shorter ones would hit by chance.
pub const SHORTEST: usize = 12;

/// Masks a set of secrets, in whatever notation they appear. To copy one is cheap.
///
/// The time is linear in the text, whatever the text and the secrets are, and the memory does not depend on the text but
/// for the masked copy.
#[derive(Clone)]
pub struct Redactor {
    search: Option<Arc<Search>>,
}

impl Redactor {
    /// Prepares to mask these secrets. Those of fewer than 12 characters, and user names, are none.
    pub fn new(secrets: &Secrets) -> Redactor {
        let texts = secrets.to_mask().map(Secret::expose);
        let long = texts.filter(|text| text.chars().count() >= SHORTEST);
        Redactor {
            search: Search::new(long).map(Arc::new),
        }
    }

    /// The text with every secret masked.
    pub fn text(&self, text: &str) -> String {
        masked_str(text, &self.ranges(text.as_bytes()))
    }

    /// A message with every secret masked, and every part of one of 12 characters or more: what stands in a message
    /// may be cut, as the host of a URL is.
    pub fn message(&self, text: &str) -> String {
        match &self.search {
            Some(search) => masked_str(text, &search.pieces(text.as_bytes())),
            None => text.to_owned(),
        }
    }

    /// A text of bytes with every secret masked; the same bytes where there is none.
    pub fn bytes(&self, bytes: Bytes) -> Bytes {
        let ranges = self.ranges(&bytes);
        match ranges.is_empty() {
            true => bytes,
            false => masked(&bytes, &ranges).into(),
        }
    }

    /// JSON text, or lines of it, with every secret masked that stands in a value that is a string. Numbers, keys and
    /// the structure stay as they are, whatever they hold. The same bytes where there is no secret.
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
        // One search over all values is cheaper than one for each.
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

    fn ranges(&self, text: &[u8]) -> Vec<Range<usize>> {
        match &self.search {
            Some(search) => search.ranges(text),
            None => Vec::new(),
        }
    }
}

/// The text with the mask in place of these parts.
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

/// The text with the mask in place of these parts, and of characters of which they are a part.
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
