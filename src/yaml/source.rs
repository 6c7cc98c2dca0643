//! The source text, and the small scans that find places in it.

use super::{Limits, Problem, ProblemKind, Span};

/// The largest offset at or before `at` that lies on a character boundary.
pub(super) fn floor_char_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The text without the YAML white space at its end. Other white space, such
/// as U+00A0, is content.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_end_matches([' ', '\t', '\n', '\r'])
}

/// The mistakes in the text that can be found before it is parsed.
pub(super) fn check(text: &str, limits: &Limits) -> Option<Problem> {
    too_large(text, limits)
        .or_else(|| control_character(text))
        .or_else(|| too_many_indicators(text, limits))
}

fn too_large(text: &str, limits: &Limits) -> Option<Problem> {
    if text.len() <= limits.bytes {
        return None;
    }
    let end = floor_char_boundary(text, limits.bytes);
    let message = format!(
        "the text has {} bytes; at most {} are allowed",
        text.len(),
        limits.bytes
    );
    Some(Problem::new(ProblemKind::TooLarge, end..end, message))
}

/// YAML allows no C0 control character but tab and the line breaks. The parser
/// would take a NUL for the end of the text.
fn control_character(text: &str) -> Option<Problem> {
    let is_control = |byte: &u8| *byte < b' ' && !matches!(*byte, b'\t' | b'\n' | b'\r');
    let at = text.as_bytes().iter().position(is_control)?;
    let byte = text.as_bytes().get(at)?;
    let message = format!("the control character U+{byte:04X} is not allowed in YAML");
    let help = format!("remove it, or write \"\\x{byte:02x}\" inside double quotes");
    Some(Problem::new(ProblemKind::Syntax, at..at + 1, message).help(help))
}

/// The parser keeps a whole bracketed collection in memory, as tokens many times the size of their text, before it
/// reports the first one. So the number of tokens is limited beforehand, by counting the characters that may be one.
/// Some of those characters are inside texts, so this only enforces a high limit. A low limit is left to the count of
/// the real parts.
fn too_many_indicators(text: &str, limits: &Limits) -> Option<Problem> {
    const ALWAYS_ALLOWED: usize = 50_000;
    let most = limits.nodes.max(ALWAYS_ALLOWED);
    if text.len() <= most {
        return None;
    }
    let bytes = text.as_bytes();
    let byte_in = |at: Option<usize>, set: &[u8]| {
        let byte = at.and_then(|at| bytes.get(at));
        byte.is_none_or(|byte| set.contains(byte))
    };
    let separates = |at| byte_in(at, b" \t\n\r,[]{}:");
    let closes = |at| byte_in(at, b"\"']}");
    let mut count = 0_usize;
    for (at, byte) in bytes.iter().enumerate() {
        let (last, next) = (at.checked_sub(1), at.checked_add(1));
        let is_indicator = match byte {
            b',' | b'[' | b'{' => true,
            b':' => separates(next) || closes(last),
            b'?' => separates(next),
            b'*' | b'&' | b'!' => separates(last),
            _ => false,
        };
        count += usize::from(is_indicator);
        if count > most {
            return Some(too_many(at..at + 1, most));
        }
    }
    None
}

/// The problem of a document with too many parts, seen first at `span`.
pub(super) fn too_many(span: Span, most: usize) -> Problem {
    let message = format!("the document has more than {most} parts");
    Problem::new(ProblemKind::TooMany, span, message)
}

/// The text being read, and the way from the parser's markers to byte offsets.
pub(super) struct Source<'t> {
    pub(super) text: &'t str,
    /// The byte offset of every [`STRIDE`]th character; empty for ASCII text,
    /// where the offsets are the characters' own.
    checkpoints: Vec<usize>,
}

/// Characters between checkpoints: few enough to walk, many enough to be small.
const STRIDE: usize = 8;

impl<'t> Source<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let checkpoints = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices().step_by(STRIDE).map(|c| c.0).collect()
        };
        Self { text, checkpoints }
    }

    /// The byte offset of the character with this index, or the text's end.
    pub(super) fn byte(&self, index: usize) -> usize {
        if self.checkpoints.is_empty() {
            return index.min(self.text.len());
        }
        let Some(base) = self.checkpoints.get(index / STRIDE) else {
            return self.text.len();
        };
        let mut rest = self.rest(*base).char_indices();
        rest.nth(index % STRIDE)
            .map_or(self.text.len(), |(offset, _)| base + offset)
    }

    /// The text from a byte offset on.
    pub(super) fn rest(&self, from: usize) -> &'t str {
        self.text.get(from..).unwrap_or("")
    }

    /// The byte at an offset.
    pub(super) fn at(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    /// The span of the one character at an offset; empty at the end.
    pub(super) fn character(&self, at: usize) -> Span {
        let length = self.rest(at).chars().next().map_or(0, char::len_utf8);
        at..at + length
    }

    /// Steps over blanks, line breaks, comments and byte order marks.
    pub(super) fn after_trivia(&self, from: usize) -> usize {
        let mut at = from;
        loop {
            match self.at(at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => at += 1,
                Some(b'#') => at = self.line_end(at),
                Some(0xEF) if self.rest(at).starts_with('\u{feff}') => at += 3,
                _ => return at,
            }
        }
    }

    /// Steps over trivia and, if one of the indicators stands there, over it;
    /// `None` when none does.
    pub(super) fn after_indicator(&self, from: usize, indicators: &[u8]) -> Option<usize> {
        let at = self.after_trivia(from);
        let found = self.at(at).is_some_and(|byte| indicators.contains(&byte));
        found.then_some(at + 1)
    }

    /// The end of the property (`&anchor` or `!tag`) at an offset, if one stands there.
    pub(super) fn after_property(&self, from: usize) -> Option<usize> {
        let rest = self.rest(from);
        if !rest.starts_with(['&', '!']) {
            return None;
        }
        if rest.starts_with("!<") {
            return rest.find('>').map(|length| from + length + 1);
        }
        let ends = |c: char| c.is_ascii_whitespace() || matches!(c, ',' | '[' | ']' | '{' | '}');
        Some(from + rest.find(ends).unwrap_or(rest.len()))
    }

    /// The end of the quoted scalar that opens at an offset, its closing quote
    /// included; `None` when it is never closed.
    pub(super) fn after_quoted(&self, open: usize) -> Option<usize> {
        let quote = self.at(open);
        let mut at = open + 1;
        while let Some(byte) = self.at(at) {
            let doubled = quote == Some(b'\'') && self.at(at + 1) == quote;
            match byte {
                b'\\' if quote == Some(b'"') => at += 2,
                _ if Some(byte) == quote && doubled => at += 2,
                _ if Some(byte) == quote => return Some(at + 1),
                _ => at += 1,
            }
        }
        None
    }

    /// The end of the header of a block scalar: its `|` or `>` and what is
    /// written right behind (`2`, `-`, `+`).
    pub(super) fn after_block_header(&self, from: usize) -> usize {
        let mut at = from + 1;
        while let Some(b'0'..=b'9' | b'+' | b'-') = self.at(at) {
            at += 1;
        }
        at.min(self.text.len())
    }

    /// Where the line of an offset starts.
    pub(super) fn line_start(&self, at: usize) -> usize {
        let before = self.text.get(..at).unwrap_or("");
        before.rfind(['\n', '\r']).map_or(0, |found| found + 1)
    }

    /// Where the line of an offset ends, before its line break.
    pub(super) fn line_end(&self, at: usize) -> usize {
        let rest = self.rest(at);
        at + rest.find(['\n', '\r']).unwrap_or(rest.len())
    }

    /// From an offset to the last visible character of its line.
    pub(super) fn rest_of_line(&self, at: usize) -> Span {
        let end = self.line_end(at);
        let visible = trimmed(self.text.get(at..end).unwrap_or(""));
        at..at + visible.len()
    }
}
