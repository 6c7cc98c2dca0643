//! Masking in JSON text: in the values that are strings, and nowhere else.

use std::ops::Range;

use serde_json::Value;

use super::search::Search;
use super::{MASK, masked_str};

/// The JSON text, or several texts one after the other, with secrets in string values masked; `None` if there are none.
///
/// One search over the whole text finds secrets in strings without a backslash. Strings with one are decoded first.
pub(super) fn masked(search: &Search, text: &[u8]) -> Option<Vec<u8>> {
    let ranges = search.ranges(text);
    if ranges.is_empty() && memchr::memchr(b'\\', text).is_none() {
        return None;
    }
    let mut out: Vec<u8> = Vec::new();
    let (mut copied, mut from) = (0, 0);
    let mut ranges = ranges.iter().peekable();
    while let Some(token) = next_string(text, from) {
        from = token.end;
        while ranges.next_if(|range| range.end <= token.start).is_some() {}
        let string = &text[token.clone()];
        let is_touched = ranges.peek().is_some_and(|range| range.start < token.end);
        let may_hold = is_touched || (search.fits(string) && string.contains(&b'\\'));
        if !may_hold || is_key(text, token.end) {
            continue;
        }
        if let Some(string) = masked_string(search, string, is_touched) {
            out.extend_from_slice(&text[copied..token.start]);
            out.extend_from_slice(string.as_bytes());
            copied = token.end;
        }
    }
    if copied == 0 {
        return None;
    }
    out.extend_from_slice(&text[copied..]);
    Some(out)
}

/// The next string with its quotes. It reaches to the end of the text if it is not closed.
fn next_string(text: &[u8], from: usize) -> Option<Range<usize>> {
    let start = from + memchr::memchr(b'"', &text[from..])?;
    let mut at = start + 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &text[at..]) {
        at += found;
        if text[at] == b'"' {
            return Some(start..at + 1);
        }
        at = (at + 2).min(text.len());
    }
    Some(start..text.len())
}

/// Whether the string that ends here is a key.
fn is_key(text: &[u8], end: usize) -> bool {
    let next = text[end..].iter().find(|byte| !byte.is_ascii_whitespace());
    next == Some(&b':')
}

/// A string as JSON with its secrets masked; `None` if it has none.
fn masked_string(search: &Search, quoted: &[u8], is_touched: bool) -> Option<String> {
    let masked = match serde_json::from_slice::<String>(quoted) {
        Ok(string) => {
            let ranges = search.ranges(string.as_bytes());
            (!ranges.is_empty()).then(|| masked_str(&string, &ranges))?
        }
        // A part of it is not JSON, so it cannot be cut safely.
        Err(_) => is_touched.then(|| MASK.to_owned())?,
    };
    Some(Value::String(masked).to_string())
}
