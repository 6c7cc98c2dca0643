//! The text of a document, and the places in it as editors count them.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// How an editor counts the characters of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Encoding {
    /// In bytes of UTF-8.
    Utf8,
    /// In units of UTF-16, which every editor can.
    #[default]
    Utf16,
    /// In characters.
    Utf32,
}

impl Encoding {
    /// The one with this name in the protocol.
    pub(super) fn named(name: &str) -> Option<Encoding> {
        [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32]
            .into_iter()
            .find(|encoding| encoding.name() == name)
    }

    /// The name in the protocol.
    pub(super) fn name(self) -> &'static str {
        match self {
            Encoding::Utf8 => "utf-8",
            Encoding::Utf16 => "utf-16",
            Encoding::Utf32 => "utf-32",
        }
    }

    fn length(self, c: char) -> usize {
        match self {
            Encoding::Utf8 => c.len_utf8(),
            Encoding::Utf16 => c.len_utf16(),
            Encoding::Utf32 => 1,
        }
    }
}

/// A place as editors give it: both count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Position {
    pub line: u32,
    pub character: u32,
}

/// A part of a text as editors give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Span {
    pub start: Position,
    pub end: Position,
}

/// A text with its lines.
#[derive(Debug, Clone)]
pub(super) struct Text {
    text: String,
    /// Where each line starts.
    starts: Vec<usize>,
    encoding: Encoding,
}

impl Text {
    pub(super) fn new(text: String, encoding: Encoding) -> Text {
        let starts = starts_of(&text);
        Text {
            text,
            starts,
            encoding,
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The byte at a place. A place behind the end of its line is that end; a line that is not there is the end of the
    /// text.
    pub(super) fn byte(&self, position: Position) -> usize {
        let Some(start) = self.starts.get(position.line as usize).copied() else {
            return self.text.len();
        };
        let end = self.starts.get(position.line as usize + 1);
        let line = &self.text[start..end.copied().unwrap_or(self.text.len())];
        let line = line.trim_end_matches(['\n', '\r']);
        let wanted = position.character as usize;
        let mut units = 0;
        for (at, c) in line.char_indices() {
            let next = units + self.encoding.length(c);
            if next > wanted {
                return start + at;
            }
            units = next;
        }
        start + line.len()
    }

    /// The place of a byte.
    pub(super) fn position(&self, byte: usize) -> Position {
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= byte).max(1) - 1;
        let before = &self.text[self.starts[line]..byte];
        let character: usize = before.chars().map(|c| self.encoding.length(c)).sum();
        Position {
            line: line as u32,
            character: character as u32,
        }
    }

    pub(super) fn span(&self, bytes: Range<usize>) -> Span {
        Span {
            start: self.position(bytes.start),
            end: self.position(bytes.end.max(bytes.start)),
        }
    }

    /// Puts a text in the place of a part.
    pub(super) fn replace(&mut self, span: Span, text: &str) {
        let (start, end) = (self.byte(span.start), self.byte(span.end));
        self.text
            .replace_range(start.min(end)..end.max(start), text);
        self.starts = starts_of(&self.text);
    }
}

fn starts_of(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let is_end = |at: &usize| bytes[*at] == b'\n' || bytes.get(at + 1) != Some(&b'\n');
    let ends = memchr::memchr2_iter(b'\n', b'\r', bytes).filter(is_end);
    std::iter::once(0).chain(ends.map(|at| at + 1)).collect()
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn at(line: u32, character: u32) -> Position {
        Position { line, character }
    }

    #[test]
    fn places_are_counted_as_the_editor_counts() {
        let text = "a: 1\r\né: \"😀x\"\rc\n";
        for (encoding, place, byte) in [
            (Encoding::Utf16, at(0, 2), 2),
            (Encoding::Utf16, at(0, 99), 4),
            (Encoding::Utf16, at(1, 6), 15),
            (Encoding::Utf8, at(1, 9), 15),
            (Encoding::Utf32, at(1, 5), 15),
            (Encoding::Utf16, at(1, 5), 11),
            (Encoding::Utf16, at(2, 1), 19),
            (Encoding::Utf16, at(3, 0), 20),
            (Encoding::Utf16, at(9, 9), 20),
        ] {
            let text = Text::new(text.to_owned(), encoding);
            assert_eq!(text.byte(place), byte, "{encoding:?} {place:?}");
        }
        let text = Text::new(text.to_owned(), Encoding::Utf16);
        for byte in [0, 3, 6, 8, 11, 15, 16, 18, 20] {
            assert_eq!(text.byte(text.position(byte)), byte, "{byte}");
        }
    }

    #[test]
    fn parts_are_replaced() {
        let mut text = Text::new("a: 1\nb: 2\n".to_owned(), Encoding::Utf16);
        let span = |start, end| Span { start, end };
        text.replace(span(at(1, 0), at(1, 1)), "ä");
        text.replace(span(at(1, 1), at(0, 4)), "\nx");
        assert_eq!(text.as_str(), "a: 1\nx: 2\n");
        text.replace(span(at(7, 0), at(9, 0)), "c: 3\n");
        assert_eq!(text.as_str(), "a: 1\nx: 2\nc: 3\n");
        assert_eq!(text.position(10), at(2, 0));
    }
}
