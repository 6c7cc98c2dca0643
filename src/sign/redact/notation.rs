//! Notations: ways to write a character in other characters, such as `%2F`, `\u002f` and `&sol;`, and a reader that
//! undoes them.
//! Notations are mixed and nested (`%255Cu002f`), so the reader does not undo one after the other. It looks at the end
//! of what it has read: as soon as that is an escape, the character replaces it, and may complete another escape. Each
//! step makes the text shorter, so the time is linear, however deep the nesting is.

use std::ops::Range;

/// Bytes that begin an escape.
const LEADS: [u8; 3] = [b'%', b'\\', b'&'];

/// Whether an escape may begin in a text.
pub(super) fn has_escape(text: &[u8]) -> bool {
    memchr::memchr3(LEADS[0], LEADS[1], LEADS[2], text).is_some()
}

/// The longest escape that is undone, such as `&#0000000101;`.
const LONGEST: usize = 14;

/// HTML names of ASCII characters. Letters match in either case.
const ASCII_NAMES: [(&str, u8); 44] = [
    ("amp", b'&'),
    ("lt", b'<'),
    ("gt", b'>'),
    ("quot", b'"'),
    ("apos", b'\''),
    ("sol", b'/'),
    ("plus", b'+'),
    ("equals", b'='),
    ("colon", b':'),
    ("semi", b';'),
    ("comma", b','),
    ("period", b'.'),
    ("excl", b'!'),
    ("num", b'#'),
    ("dollar", b'$'),
    ("percnt", b'%'),
    ("lpar", b'('),
    ("rpar", b')'),
    ("ast", b'*'),
    ("midast", b'*'),
    ("quest", b'?'),
    ("commat", b'@'),
    ("lsqb", b'['),
    ("lbrack", b'['),
    ("rsqb", b']'),
    ("rbrack", b']'),
    ("bsol", b'\\'),
    ("hat", b'^'),
    ("lowbar", b'_'),
    ("underbar", b'_'),
    ("grave", b'`'),
    ("lcub", b'{'),
    ("lbrace", b'{'),
    ("rcub", b'}'),
    ("rbrace", b'}'),
    ("verbar", b'|'),
    ("vert", b'|'),
    ("tilde", b'~'),
    ("hyphen", b'-'),
    ("dash", b'-'),
    ("minus", b'-'),
    ("nbsp", b' '),
    ("newline", b'\n'),
    ("tab", b'\t'),
];

/// HTML names of the letters from U+00C0 on, in order.
const LATIN_NAMES: [&str; 64] = [
    "Agrave", "Aacute", "Acirc", "Atilde", "Auml", "Aring", "AElig", "Ccedil", "Egrave", "Eacute",
    "Ecirc", "Euml", "Igrave", "Iacute", "Icirc", "Iuml", "ETH", "Ntilde", "Ograve", "Oacute",
    "Ocirc", "Otilde", "Ouml", "times", "Oslash", "Ugrave", "Uacute", "Ucirc", "Uuml", "Yacute",
    "THORN", "szlig", "agrave", "aacute", "acirc", "atilde", "auml", "aring", "aelig", "ccedil",
    "egrave", "eacute", "ecirc", "euml", "igrave", "iacute", "icirc", "iuml", "eth", "ntilde",
    "ograve", "oacute", "ocirc", "otilde", "ouml", "divide", "oslash", "ugrave", "uacute", "ucirc",
    "uuml", "yacute", "thorn", "yuml",
];

/// A reader that undoes notations, and knows for each byte it returns where in the text it came from. It holds a window
/// of the text, so its memory does not grow with the text.
pub(super) struct Reader<'t> {
    text: &'t [u8],
    /// How much of the text has been read.
    at: usize,
    bytes: Vec<u8>,
    /// Maps a byte in `bytes` to its position in the text. Up to the next mark, both positions advance together.
    marks: Vec<(usize, usize)>,
    /// How many more bytes may still complete an escape that has begun.
    watched: usize,
    /// Whether a backslash before `%` or `&` is undone at once.
    is_quoting: bool,
}

/// What an escape stands for.
enum Undone {
    Byte(u8),
    Char(u32),
}

impl<'t> Reader<'t> {
    /// A reader of a text. In `\%75`, the backslash may quote the percent sign, or stand before a `u` that is written
    /// in another notation. `is_quoting` says which.
    pub(crate) fn new(text: &'t [u8], is_quoting: bool) -> Reader<'t> {
        Reader {
            text,
            at: 0,
            bytes: Vec::new(),
            marks: Vec::new(),
            watched: 0,
            is_quoting,
        }
    }

    /// What the window holds.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The part of the text that the window stands for.
    pub(crate) fn source(&self) -> Range<usize> {
        self.source_of(0)..self.at
    }

    /// Whether the window was copied without undoing anything.
    pub(crate) fn is_verbatim(&self) -> bool {
        self.marks.len() <= 1 && self.source().len() == self.bytes.len()
    }

    /// Whether the text could also be read in the other way (see [`Reader::new`]).
    pub(crate) fn is_ambiguous(&self) -> bool {
        let mut backslashes = memchr::memchr_iter(b'\\', &self.bytes);
        backslashes.any(|at| matches!(self.bytes.get(at + 1), Some(b'%' | b'&')))
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    /// The range of the text that a range of the window came from. It covers whole escapes.
    pub(crate) fn source_range(&self, part: Range<usize>) -> Range<usize> {
        let start = self.source_of(part.start);
        let mut end = part.end;
        // Several bytes of one escape come from one position.
        while end < self.bytes.len() && self.source_of(end) <= self.source_of(end - 1) {
            end += 1;
        }
        match end < self.bytes.len() {
            true => start..self.source_of(end),
            false => start..self.at,
        }
    }

    /// Whether an escape ends just before this byte of the window with a digit that may belong to what follows.
    pub(crate) fn is_escape_before(&self, index: usize) -> bool {
        let Some(before) = index.checked_sub(1) else {
            return false;
        };
        let source = self.source_range(before..index);
        source.len() > 2 && self.text[source.end - 1].is_ascii_hexdigit()
    }

    /// Reads until the window holds `size` bytes or the text ends.
    pub(crate) fn fill(&mut self, size: usize) {
        while self.at < self.text.len() && self.bytes.len() < size {
            if self.watched > 0 {
                self.watched -= 1;
                let from = self.at;
                self.at += 1;
                self.push(self.text[from], from);
                self.undo();
                continue;
            }
            let room = (size - self.bytes.len()).min(self.text.len() - self.at);
            let rest = &self.text[self.at..self.at + room];
            let plain = memchr::memchr3(LEADS[0], LEADS[1], LEADS[2], rest).unwrap_or(room);
            if plain > 0 {
                self.mark(self.at);
                self.bytes.extend_from_slice(&rest[..plain]);
                self.at += plain;
            }
            if plain < room {
                self.watched = LONGEST;
            }
        }
    }

    /// Drops all but the last `size` bytes.
    pub(crate) fn keep(&mut self, size: usize) {
        let cut = self.bytes.len().saturating_sub(size);
        if cut == 0 {
            return;
        }
        let from = self.source_of(cut);
        let behind = self.marks.partition_point(|(at, _)| *at <= cut);
        self.marks.drain(..behind);
        self.marks.insert(0, (cut, from));
        self.marks.iter_mut().for_each(|(at, _)| *at -= cut);
        self.bytes.drain(..cut);
    }

    /// [`Reader::source_of`] for one of the last bytes, without a search.
    fn source_near_end(&self, index: usize) -> usize {
        let mark = self.marks.iter().rev().find(|(at, _)| *at <= index);
        mark.map_or(self.at, |(at, from)| from + (index - at))
    }

    /// Watches only while an escape that began before `end` may still be completed.
    fn settle(&mut self, end: usize) {
        let near = self.bytes.len().saturating_sub(LONGEST);
        let begun = self.bytes[near.min(end)..end]
            .iter()
            .rposition(|byte| LEADS.contains(byte));
        self.watched = begun.map_or(0, |at| LONGEST - (self.bytes.len() - near - at));
    }

    fn source_of(&self, index: usize) -> usize {
        let known = self.marks.partition_point(|(at, _)| *at <= index);
        match known.checked_sub(1) {
            Some(known) => {
                let (at, from) = self.marks[known];
                from + (index - at)
            }
            None => self.at,
        }
    }

    /// Records that the next byte comes from `from`, unless the last mark already implies it.
    fn mark(&mut self, from: usize) {
        let next = self.bytes.len();
        let follows_on = self
            .marks
            .last()
            .is_some_and(|(at, known)| known + (next - at) == from);
        if !follows_on {
            self.marks.push((next, from));
        }
    }

    fn push(&mut self, byte: u8, from: usize) {
        self.mark(from);
        self.bytes.push(byte);
        if LEADS.contains(&byte) {
            self.watched = LONGEST;
        }
    }

    /// Undoes the escapes that end here.
    fn undo(&mut self) {
        while let Some((length, undone)) = escape_at_end(&self.bytes, self.is_quoting) {
            let mut start = self.bytes.len() - length;
            let mut encoded = [0; 4];
            let encoded = match undone {
                Undone::Byte(byte) => {
                    encoded[0] = byte;
                    &encoded[..1]
                }
                Undone::Char(code) => {
                    let (code, joined) = joined(code, &self.bytes[..start]);
                    start -= joined;
                    encode(code, &mut encoded)
                }
            };
            let from = self.source_near_end(start);
            while self.marks.last().is_some_and(|(at, _)| *at >= start) {
                self.marks.pop();
            }
            self.bytes.truncate(start);
            for byte in encoded {
                self.push(*byte, from);
            }
            self.settle(self.bytes.len());
        }
        // Most backslashes belong to `
        // `, which begins no escape.
        if let [.., b'\\', b'a'..=b't'] = self.bytes[..] {
            self.settle(self.bytes.len() - 2);
        }
    }
}

/// A character that UTF-16 escapes write as two halves. The second half gives the length of the first one before it.
fn joined(code: u32, before: &[u8]) -> (u32, usize) {
    let (0xDC00..=0xDFFF, [.., 0xED, high @ 0xA0..=0xAF, low]) = (code, before) else {
        return (code, 0);
    };
    let high = (u32::from(high & 0x0F) << 6) | u32::from(low & 0x3F);
    (0x1_0000 + (high << 10) + (code - 0xDC00), 3)
}

/// A character in UTF-8. Half of a surrogate pair is encoded in the same way.
fn encode(code: u32, buffer: &mut [u8; 4]) -> &[u8] {
    match char::from_u32(code) {
        Some(c) => c.encode_utf8(buffer).as_bytes(),
        None => {
            let low = |shift: u32| 0x80 | ((code >> shift) & 0x3F) as u8;
            *buffer = [0xE0 | ((code >> 12) & 0x0F) as u8, low(6), low(0), 0];
            &buffer[..3]
        }
    }
}

/// The escape at the end of a text: its length, and the character it stands for.
fn escape_at_end(text: &[u8], is_quoting: bool) -> Option<(usize, Undone)> {
    match *text {
        [.., b'%', a, b] if is_hex(a) && is_hex(b) => {
            Some((3, Undone::Byte(hex_of(&[a, b])? as u8)))
        }
        [.., b'\\', b'x' | b'X', a, b] if is_hex(a) && is_hex(b) => {
            Some((4, Undone::Byte(hex_of(&[a, b])? as u8)))
        }
        [.., b'\\' | b'%', b'u' | b'U', a, b, c, d] if is_hex(d) => {
            Some((6, Undone::Char(hex_of(&[a, b, c, d])?)))
        }
        [.., b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7'] => Some((
            4,
            Undone::Byte(((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0')),
        )),
        [.., b';'] => reference_at_end(text),
        [.., b'}'] => braces_at_end(text),
        [.., b'\\', b'%' | b'&'] if !is_quoting => None,
        [.., b'\\', c] if c.is_ascii_punctuation() || c == b' ' => Some((2, Undone::Byte(c))),
        _ => None,
    }
}

/// An HTML character reference, such as `&lt;`, `&#60;` and `&#x3c;`.
fn reference_at_end(text: &[u8]) -> Option<(usize, Undone)> {
    let near = &text[text.len().saturating_sub(LONGEST)..];
    let start = near.iter().rposition(|byte| *byte == b'&')?;
    let length = near.len() - start;
    let name = std::str::from_utf8(&near[start + 1..near.len() - 1]).ok()?;
    let undone = match name.strip_prefix('#') {
        Some(number) => {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            Undone::Char(code)
        }
        None => named(name)?,
    };
    match undone {
        Undone::Char(code) if char::from_u32(code).is_none() => None,
        undone => Some((length, undone)),
    }
}

fn named(name: &str) -> Option<Undone> {
    if let Some(place) = LATIN_NAMES.iter().position(|known| *known == name) {
        return Some(Undone::Char(0xC0 + u32::try_from(place).ok()?));
    }
    ASCII_NAMES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, byte)| Undone::Byte(*byte))
}

/// `\u{2f}`, as Rust, Swift and JavaScript write it.
fn braces_at_end(text: &[u8]) -> Option<(usize, Undone)> {
    let near = &text[text.len().saturating_sub(LONGEST)..];
    let start = near.iter().rposition(|byte| *byte == b'\\')?;
    let digits = near[start..].strip_prefix(b"\\u{")?.strip_suffix(b"}")?;
    let code = hex_of(digits).filter(|code| char::from_u32(*code).is_some())?;
    Some((near.len() - start, Undone::Char(code)))
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

fn hex_of(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 6 {
        return None;
    }
    digits.iter().try_fold(0, |code, digit| {
        Some(code * 16 + char::from(*digit).to_digit(16)?)
    })
}

/// The text with its notations undone.
pub(super) fn undone(text: &[u8]) -> Vec<u8> {
    let mut reader = Reader::new(text, false);
    reader.fill(usize::MAX);
    reader.bytes
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn notations_are_undone_in_any_mix() {
        for (text, expected) in [
            ("plain", "plain"),
            ("%41%4a%4A", "AJJ"),
            ("%2541 %252541", "A A"),
            ("%25%34%31", "A"),
            ("%%341", "A"),
            ("\\u0041\\U004a\\x41\\101\\u{1F600}", "AJAA\u{1F600}"),
            ("\\ud83d\\ude00", "\u{1F600}"),
            (
                "%u00e9 \\u00E9 &eacute; &Eacute; &#233; &#xE9;",
                "é é é É é é",
            ),
            ("%C3%A9", "é"),
            ("\\\\\\/ \\\" \\\\\\\\\\\"", "/ \" \""),
            ("&amp;lt; &AMP;#60; &#0000060; &sol;", "< < < /"),
            ("%5C%75%30%30%34%31 %26%2365%3B %255Cu0041", "A A A"),
            (
                "\\n \\t 100% & ; &none; %zz \\u00g1 \\u{110000}",
                "\\n \\t 100% & ; &none; %zz \\u00g1 \\u{110000}",
            ),
        ] {
            let undone = undone(text.as_bytes());
            assert_eq!(String::from_utf8_lossy(&undone), expected, "{text}");
        }
    }

    #[test]
    fn places_cover_whole_escapes() {
        let text = "ab%63\\u00e9&lt;d";
        let mut reader = Reader::new(text.as_bytes(), false);
        reader.fill(usize::MAX);
        assert_eq!(String::from_utf8_lossy(reader.bytes()), "abcé<d");
        for (part, expected) in [
            (0..2, "ab"),
            (2..3, "%63"),
            (3..4, "\\u00e9"),
            (3..5, "\\u00e9"),
            (5..7, "&lt;d"),
            (1..6, "b%63\\u00e9&lt;"),
        ] {
            assert_eq!(
                &text[reader.source_range(part.clone())],
                expected,
                "{part:?}"
            );
        }
    }

    #[test]
    fn a_window_reads_what_the_whole_text_gives() {
        let text = "ab%2563 %5Cu0041 &amp;lt; xyz \\\\\\\"q %41".repeat(50);
        let whole = undone(text.as_bytes());
        for (size, kept) in [(20, 14), (33, 15), (64, 40)] {
            let mut reader = Reader::new(text.as_bytes(), false);
            let mut seen = Vec::new();
            loop {
                let before = reader.bytes().len();
                reader.fill(size);
                // The reader never goes back further than one escape.
                assert!(reader.source_range(0..1).start <= reader.source().end);
                let at_end = reader.is_at_end();
                let take = if at_end {
                    reader.bytes().len()
                } else {
                    reader.bytes().len().saturating_sub(kept)
                };
                seen.extend_from_slice(&reader.bytes()[..take]);
                if at_end {
                    break;
                }
                reader.keep(kept);
                assert!(before <= size + 4);
            }
            assert_eq!(
                String::from_utf8_lossy(&seen),
                String::from_utf8_lossy(&whole),
                "{size}"
            );
        }
    }
}
