//! Decodes a scalar again, keeping for each character where it was written.

use std::borrow::Cow;

use super::Span;

/// One character of a scalar's value, and the source text that stands for it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Piece {
    pub(super) character: char,
    pub(super) source: Span,
}

/// The source place of a byte offset in the decoded text.
pub(super) fn locate(pieces: &[Piece], offset: usize) -> Option<usize> {
    let mut decoded = 0;
    for piece in pieces {
        let next = decoded + piece.character.len_utf8();
        if offset < next {
            return Some(piece.source.start);
        }
        decoded = next;
    }
    let last = pieces.last()?;
    (offset == decoded).then_some(last.source.end)
}

/// The pieces of the plain or quoted scalar that `span` covers.
pub(super) fn inline(text: &str, span: &Span) -> Vec<Piece> {
    let source = text.get(..span.end).unwrap_or("");
    let mut walker = Walker::new(source, span.start);
    match walker.peek() {
        Some(quote @ ('\'' | '"')) => {
            walker.at += 1;
            walker.inline(Some(quote));
        }
        _ => walker.inline(None),
    }
    walker.pieces
}

/// The text that pieces make.
pub(super) fn text_of(pieces: &[Piece]) -> String {
    pieces.iter().map(|piece| piece.character).collect()
}

/// The pieces of the block scalar whose header starts at `start`.
pub(super) fn block(text: &str, start: usize, indent: usize) -> Vec<Piece> {
    let mut walker = Walker::new(text, start);
    walker.block(indent);
    walker.pieces
}

struct Walker<'t> {
    text: &'t str,
    at: usize,
    pieces: Vec<Piece>,
}

impl<'t> Walker<'t> {
    fn new(text: &'t str, at: usize) -> Self {
        let pieces = Vec::new();
        Self { text, at, pieces }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn at_blank(&self) -> bool {
        self.rest().starts_with([' ', '\t'])
    }

    fn push(&mut self, source: Span, character: char) {
        self.pieces.push(Piece { character, source });
    }

    /// Reads this many bytes of source as one character.
    fn take(&mut self, bytes: usize, character: char) {
        let source = self.at..self.at + bytes;
        self.at = source.end;
        self.push(source, character);
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) {
        while let Some(c) = self.peek().filter(|c| wanted(*c)) {
            self.take(c.len_utf8(), c);
        }
    }

    fn skip_while(&mut self, wanted: impl Fn(char) -> bool) {
        let rest = self.rest();
        self.at += rest.find(|c| !wanted(c)).unwrap_or(rest.len());
    }

    /// Steps over the line break here, if there is one, and returns where it was.
    fn line_break(&mut self) -> Option<Span> {
        let length = match self.peek()? {
            '\r' if self.rest().starts_with("\r\n") => 2,
            '\r' | '\n' => 1,
            _ => return None,
        };
        let start = self.at;
        self.at += length;
        Some(start..self.at)
    }

    fn inline(&mut self, quote: Option<char>) {
        while let Some(c) = self.peek() {
            match (quote, c) {
                (Some('\''), '\'') if self.rest().starts_with("''") => self.take(2, '\''),
                (Some(quote), c) if quote == c => return,
                (Some('"'), '\\') => self.escape(),
                (_, ' ' | '\t' | '\r' | '\n') => self.space(quote),
                _ => self.take(c.len_utf8(), c),
            }
        }
    }

    /// Blanks inside a line are content; around a line break they are not.
    fn space(&mut self, quote: Option<char>) {
        let start = self.at;
        self.skip_while(is_blank);
        let Some(first) = self.line_break() else {
            self.at = start;
            self.take_while(is_blank);
            return;
        };
        // One line break folds into a space; of several, the first is dropped.
        let further = self.blank_lines(quote);
        if further.is_empty() {
            self.push(first, ' ');
        }
        self.push_breaks(further);
    }

    fn push_breaks(&mut self, breaks: impl IntoIterator<Item = Span>) {
        for source in breaks {
            self.push(source, '\n');
        }
    }

    /// Steps over empty lines and the indentation of the next line that is not.
    fn blank_lines(&mut self, quote: Option<char>) -> Vec<Span> {
        let mut breaks = Vec::new();
        loop {
            self.skip_while(is_blank);
            // The parser treats a comment behind a tab as an empty line.
            if quote.is_none() && self.rest().starts_with('#') {
                self.skip_while(|c| !is_break(c));
            }
            match self.line_break() {
                Some(source) => breaks.push(source),
                None => return breaks,
            }
        }
    }

    /// The escape sequence whose backslash is here.
    fn escape(&mut self) {
        let start = self.at;
        self.at += 1;
        if self.line_break().is_some() {
            let breaks = self.blank_lines(Some('"'));
            self.push_breaks(breaks);
            return;
        }
        let (length, character) = escaped(self.rest());
        self.at = start;
        self.take(1 + length, character);
    }

    fn block(&mut self, indent: usize) {
        let folded = self.rest().starts_with('>');
        let header = self.rest().lines().next().unwrap_or("");
        let chomping = header
            .chars()
            .skip(1)
            .take_while(|c| !c.is_whitespace())
            .find(|c| matches!(c, '+' | '-'));
        self.skip_while(|c| !is_break(c));
        self.line_break();

        // The line break after the previous line, and those of the empty lines since.
        let mut after_line: Option<Span> = None;
        let mut empty_lines = self.empty_block_lines(indent);
        let mut was_blank = false;
        while self.at_block_line(indent) {
            let is_blank_first = self.at_blank();
            match after_line.take() {
                Some(source) if folded && !was_blank && !is_blank_first => {
                    if empty_lines.is_empty() {
                        self.push(source, ' ');
                    }
                }
                kept => self.push_breaks(kept),
            }
            self.push_breaks(std::mem::take(&mut empty_lines));
            was_blank = is_blank_first;
            self.take_while(|c| !is_break(c));
            // The end of the text ends the line as well.
            let end = self.at..self.at;
            after_line = Some(self.line_break().unwrap_or(end));
            empty_lines = self.empty_block_lines(indent);
        }
        if chomping != Some('-') {
            self.push_breaks(after_line);
        }
        if chomping == Some('+') {
            self.push_breaks(empty_lines);
        }
    }

    /// Whether a line of the block scalar's content is here, behind its
    /// indentation.
    fn at_block_line(&self, indent: usize) -> bool {
        let before = self.text.get(..self.at).unwrap_or("");
        let column = before.len() - before.rfind(['\n', '\r']).map_or(0, |found| found + 1);
        let is_marker = indent == 0 && is_document_marker(self.rest());
        column == indent && !is_marker && self.peek().is_some_and(|c| !is_break(c))
    }

    /// Steps over empty lines and up to `indent` spaces of the next line.
    fn empty_block_lines(&mut self, indent: usize) -> Vec<Span> {
        let mut breaks = Vec::new();
        loop {
            let spaces = self.rest().bytes().take_while(|byte| *byte == b' ');
            self.at += spaces.take(indent).count();
            match self.line_break() {
                Some(source) => breaks.push(source),
                None => return breaks,
            }
        }
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r')
}

fn is_document_marker(rest: &str) -> bool {
    let after = rest
        .strip_prefix("---")
        .or_else(|| rest.strip_prefix("..."));
    after.is_some_and(|after| after.chars().next().is_none_or(|c| c.is_ascii_whitespace()))
}

/// The length of an escape sequence behind its backslash, and its meaning. If YAML does not know the sequence, which
/// the parser refuses, its meaning is its first character.
fn escaped(rest: &str) -> (usize, char) {
    let first = rest.chars().next().unwrap_or('\\');
    let simple = match first {
        '0' => '\0',
        'a' => '\u{7}',
        'b' => '\u{8}',
        't' => '\t',
        'n' => '\n',
        'v' => '\u{b}',
        'f' => '\u{c}',
        'r' => '\r',
        'e' => '\u{1b}',
        'N' => '\u{85}',
        '_' => '\u{a0}',
        'L' => '\u{2028}',
        'P' => '\u{2029}',
        'x' | 'u' | 'U' => {
            let read = surrogates(rest).or_else(|| hexadecimal(first, rest));
            return read.unwrap_or((1, first));
        }
        other => other,
    };
    (first.len_utf8(), simple)
}

/// `x`, `u` or `U` and its digits.
fn hexadecimal(letter: char, rest: &str) -> Option<(usize, char)> {
    let digits = match letter {
        'x' => 2,
        'u' => 4,
        _ => 8,
    };
    let text = rest.get(1..1 + digits)?;
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let code = u32::from_str_radix(text, 16).ok()?;
    Some((1 + digits, char::from_u32(code)?))
}

/// Two escape sequences that stand for one character, such as `ud83d\ude00` behind the first backslash: JSON writes
/// characters beyond U+FFFF so.
fn surrogates(rest: &str) -> Option<(usize, char)> {
    let unit = |text: &str| u16::from_str_radix(text.get(..4)?, 16).ok();
    let second = rest.get(5..)?.strip_prefix("\\u")?;
    let units = [unit(rest.strip_prefix('u')?)?, unit(second)?];
    let character = char::decode_utf16(units).next()?.ok()?;
    (character.len_utf16() == 2).then_some((PAIR - 1, character))
}

/// How many bytes a pair of escaped surrogates has.
const PAIR: usize = 12;

/// The text with other escape sequences in place of each pair of escaped surrogates, which the parser refuses, and where
/// these are. They are as long, so that all places stay the same.
pub(super) fn without_surrogates(text: &str) -> (Cow<'_, str>, Vec<usize>) {
    let pairs: Vec<usize> = text
        .match_indices('\\')
        .map(|(at, _)| at)
        .filter(|at| surrogates(&text[at + 1..]).is_some())
        .collect();
    if pairs.is_empty() {
        return (Cow::Borrowed(text), pairs);
    }
    let mut parsed = String::with_capacity(text.len());
    let mut behind = 0;
    for at in &pairs {
        parsed.push_str(&text[behind..*at]);
        parsed.push_str("\\uE000\\uE000");
        behind = at + PAIR;
    }
    parsed.push_str(&text[behind..]);
    (Cow::Owned(parsed), pairs)
}

/// The first escape sequence YAML does not know in the double-quoted scalar
/// that opens at `open`.
pub(super) fn bad_escape(text: &str, open: usize) -> Option<Span> {
    let mut at = open + 1;
    loop {
        let rest = text.get(at..)?;
        let backslash = at + rest.find(['\\', '"'])?;
        let rest = text.get(backslash..)?.strip_prefix('\\')?;
        let letter = rest.chars().next()?;
        if let Some((length, _)) = surrogates(rest) {
            at = backslash + 1 + length;
            continue;
        }
        let known = match letter {
            'x' | 'u' | 'U' => hexadecimal(letter, rest).is_some(),
            _ => "0abt\tnvfre \"/\\N_LP\r\n".contains(letter),
        };
        if !known {
            return Some(backslash..backslash + 1 + letter.len_utf8());
        }
        at = backslash + 1 + letter.len_utf8();
    }
}
