use super::source::floor_char_boundary;

/// Tells the line and column of a byte offset.
///
/// Lines end at `\n` or `\r\n`. Lines and columns count from 1, and columns
/// count Unicode scalar values. A byte order mark at the start of the text
/// takes no column.
#[derive(Clone, Debug)]
pub struct LineIndex<'t> {
    text: &'t str,
    /// Where each line starts; the first entry is 0, or 3 after a byte order mark.
    starts: Vec<usize>,
}

impl<'t> LineIndex<'t> {
    /// Finds the lines of the text, in time linear in its length.
    pub fn new(text: &'t str) -> Self {
        let first = if text.starts_with('\u{feff}') { 3 } else { 0 };
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(first)
            .chain(breaks.map(|(at, _)| at + 1))
            .collect();
        Self { text, starts }
    }

    /// The line and column of the character at the byte offset.
    ///
    /// An offset inside a character counts as that character's, one beyond the
    /// text as the end of the text.
    pub fn line_column(&self, byte: usize) -> (usize, usize) {
        let byte = floor_char_boundary(self.text, byte);
        let line = self.starts.partition_point(|start| *start <= byte).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let before = self.text.get(start..byte).unwrap_or("");
        (line, before.chars().count() + 1)
    }

    /// The text of a line (counted from 1) without its line break; empty when
    /// there is no such line.
    #[cfg(test)]
    pub fn line_text(&self, line: usize) -> &'t str {
        let Some(start) = line.checked_sub(1).and_then(|i| self.starts.get(i)) else {
            return "";
        };
        let end = self.starts.get(line).copied().unwrap_or(self.text.len());
        let text = self.text.get(*start..end).unwrap_or("");
        let text = text.strip_suffix('\n').unwrap_or(text);
        text.strip_suffix('\r').unwrap_or(text)
    }
}
