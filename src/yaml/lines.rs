use std::borrow::Cow;

use super::source::floor_char_boundary;

/// Tells the line and column of a byte offset.
///
/// Lines end at `\n` or `\r\n`. Lines and columns count from 1, and columns
/// count Unicode scalar values. A byte order mark at the start of the text
/// takes no column.
#[derive(Clone, Debug)]
pub struct LineIndex<'t> {
    text: &'t str,
    lines: Cow<'t, Lines>,
}

/// The lines of a text, found once.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    /// Where each line starts; the first entry is 0, or 3 after a byte order mark.
    starts: Vec<usize>,
    /// How many characters begin before each block, so that a column in a long line is not counted from its start.
    before: Vec<usize>,
}

/// Bytes of a block.
const BLOCK: usize = 1 << 10;

impl Lines {
    /// Finds the lines of the text, in time linear in its length.
    pub(crate) fn of(text: &str) -> Lines {
        let first = if text.starts_with('\u{feff}') { 3 } else { 0 };
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(first)
            .chain(breaks.map(|(at, _)| at + 1))
            .collect();
        let mut sum = 0;
        let blocks = text.as_bytes().chunks(BLOCK).map(|block| {
            let before = sum;
            sum += begun(block);
            before
        });
        let before = blocks.collect();
        Lines { starts, before }
    }

    /// How many characters begin before a byte.
    fn characters(&self, text: &str, byte: usize) -> usize {
        let block = byte / BLOCK;
        match self.before.get(block) {
            Some(before) => before + begun(&text.as_bytes()[block * BLOCK..byte]),
            None => self.before.last().map_or(0, |before| {
                before + begun(&text.as_bytes()[(self.before.len() - 1) * BLOCK..byte])
            }),
        }
    }
}

/// How many characters begin in these bytes.
fn begun(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xC0 != 0x80).count()
}

impl<'t> LineIndex<'t> {
    /// Finds the lines of the text, in time linear in its length.
    pub fn new(text: &'t str) -> Self {
        let lines = Cow::Owned(Lines::of(text));
        Self { text, lines }
    }

    /// Uses the lines of this text, which were found before.
    pub(crate) fn with(text: &'t str, lines: &'t Lines) -> Self {
        let lines = Cow::Borrowed(lines);
        Self { text, lines }
    }

    /// The line and column of the character at the byte offset.
    ///
    /// An offset inside a character counts as that character's, one beyond the
    /// text as the end of the text.
    pub fn line_column(&self, byte: usize) -> (usize, usize) {
        let byte = floor_char_boundary(self.text, byte);
        let starts = &self.lines.starts;
        let line = starts.partition_point(|start| *start <= byte).max(1);
        let start = starts.get(line - 1).copied().unwrap_or(0).min(byte);
        let characters = |byte| self.lines.characters(self.text, byte);
        (line, characters(byte) - characters(start) + 1)
    }

    /// The text of a line (counted from 1) without its line break; empty when
    /// there is no such line.
    #[cfg(test)]
    pub fn line_text(&self, line: usize) -> &'t str {
        let Some(start) = line.checked_sub(1).and_then(|i| self.lines.starts.get(i)) else {
            return "";
        };
        let end = self
            .lines
            .starts
            .get(line)
            .copied()
            .unwrap_or(self.text.len());
        let text = self.text.get(*start..end).unwrap_or("");
        let text = text.strip_suffix('\n').unwrap_or(text);
        text.strip_suffix('\r').unwrap_or(text)
    }
}
