//! Escaping: characters that a terminal would obey or not show are replaced by visible ones.

use std::borrow::Cow;

use crate::words::{Before, is_hidden};

/// How hidden characters are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Unchanged.
    Plain,
    /// As `\u{202e}`.
    Words,
    /// As `\u202e`, within a JSON string.
    Json,
    /// Like words, but colours are kept: the text is our own, and only parts of it come from others.
    Styled,
}

/// Escapes a stream of pieces. The result does not depend on where the stream is cut.
#[derive(Debug)]
pub(super) struct Escaper {
    pub(super) manner: Manner,
    before: Before,
    /// A joiner; the character behind it has not arrived yet.
    joiner: Option<char>,
    /// The first bytes of a character that has not fully arrived yet.
    partial: Vec<u8>,
}

impl Escaper {
    pub(super) fn new(manner: Manner) -> Escaper {
        Escaper {
            manner,
            before: Before::Other,
            joiner: None,
            partial: Vec::new(),
        }
    }

    /// Appends the bytes to `out`, escaped.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.manner == Manner::Plain {
            return out.extend_from_slice(bytes);
        }
        let joined;
        let bytes = match self.partial.is_empty() {
            true => bytes,
            false => {
                joined = [std::mem::take(&mut self.partial).as_slice(), bytes].concat();
                &joined
            }
        };
        // To look for what is no text takes many times as long.
        if let Ok(text) = std::str::from_utf8(bytes) {
            return self.text(text, out);
        }
        let mut rest = bytes.len();
        for chunk in bytes.utf8_chunks() {
            rest -= chunk.valid().len() + chunk.invalid().len();
            self.text(chunk.valid(), out);
            let is_cut = rest == 0
                && std::str::from_utf8(chunk.invalid())
                    .is_err_and(|error| error.error_len().is_none());
            match is_cut {
                true => self.partial = chunk.invalid().to_vec(),
                false => self.bytes(chunk.invalid(), out),
            }
        }
    }

    fn text(&mut self, text: &str, out: &mut Vec<u8>) {
        if self.joiner.is_none() && is_plain(text.as_bytes()) {
            if !text.is_empty() {
                self.before = Before::Other;
            }
            return out.extend_from_slice(text.as_bytes());
        }
        // The text before `done` is written.
        let (mut done, mut colour) = (0, 0);
        for (at, c) in text.char_indices() {
            if let Some(joiner) = self.joiner.take() {
                let before = self.before;
                match before != Before::Other && before == Before::of(c) {
                    true => out.extend_from_slice(joiner.encode_utf8(&mut [0; 4]).as_bytes()),
                    false => {
                        self.escape(joiner, out);
                        self.before = Before::Other;
                    }
                }
            }
            let is_kept = match c {
                '\u{200c}' | '\u{200d}' if self.before != Before::Other => {
                    self.joiner = Some(c);
                    false
                }
                '\u{fe0e}' | '\u{fe0f}' => self.before == Before::Emoji,
                '\u{1b}' if self.manner == Manner::Styled => match colour_len(&text[at..]) {
                    Some(len) => {
                        colour = at + len;
                        len > 0
                    }
                    None => {
                        out.extend_from_slice(&text.as_bytes()[done..at]);
                        self.partial = text.as_bytes()[at..].to_vec();
                        return;
                    }
                },
                _ => !is_hidden(c),
            };
            match (is_kept, c) {
                // An emoji with its selector is still an emoji.
                (true, '\u{fe0e}' | '\u{fe0f}') => {}
                (true, _) if at < colour => {}
                (true, _) => self.before = Before::of(c),
                (false, _) => {
                    out.extend_from_slice(&text.as_bytes()[done..at]);
                    done = at + c.len_utf8();
                    if self.joiner.is_none() {
                        self.escape(c, out);
                        self.before = Before::Other;
                    }
                }
            }
        }
        out.extend_from_slice(&text.as_bytes()[done..]);
    }

    fn escape(&self, c: char, out: &mut Vec<u8>) {
        match self.manner {
            Manner::Json => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
                }
            }
            _ => out.extend_from_slice(format!("\\u{{{:x}}}", u32::from(c)).as_bytes()),
        }
    }

    /// Writes bytes that are not UTF-8.
    fn bytes(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for byte in bytes {
            self.end_joiner(out);
            match self.manner {
                Manner::Json => out.extend_from_slice(b"\\ufffd"),
                _ => out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
            }
            self.before = Before::Other;
        }
    }

    pub(super) fn end_joiner(&mut self, out: &mut Vec<u8>) {
        if let Some(joiner) = self.joiner.take() {
            self.escape(joiner, out);
            self.before = Before::Other;
        }
    }

    /// Appends what was held back. Nothing more will come.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        let partial = std::mem::take(&mut self.partial);
        match std::str::from_utf8(&partial) {
            // This could have become a colour, but the text has ended.
            Ok(text) if self.manner == Manner::Styled => {
                out.extend(escaped(text, Manner::Words).bytes());
            }
            _ => self.bytes(&partial, out),
        }
        self.end_joiner(out);
    }
}

/// Whether a terminal shows each byte as it is.
fn is_plain(text: &[u8]) -> bool {
    text.iter().all(|byte| PLAIN[usize::from(*byte)])
}

/// A table, because it is quick whether or not the compiler optimises for size.
const PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = b' ';
    while byte <= b'~' {
        table[byte as usize] = true;
        byte += 1;
    }
    table[b'\n' as usize] = true;
    table[b'\t' as usize] = true;
    table
};

/// The length of the colour sequence (SGR) at the start of the text; `None` if the text is too short to tell.
fn colour_len(text: &str) -> Option<usize> {
    const LONGEST: usize = 32;
    let rest = match text.strip_prefix("\u{1b}[") {
        Some(rest) => rest,
        None if text.len() == 1 => return None,
        None => return Some(0),
    };
    let behind = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
    match behind.chars().next() {
        Some('m') => Some(text.len() - behind.len() + 1),
        None if text.len() < LONGEST => None,
        _ => Some(0),
    }
}

pub(super) fn escaped(text: &str, manner: Manner) -> String {
    let (mut escaper, mut out) = (Escaper::new(manner), Vec::with_capacity(text.len()));
    escaper.push(text.as_bytes(), &mut out);
    escaper.finish(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// The text with all characters escaped that a terminal would obey or not show. Line feeds and tabs stay.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    match text.contains(is_hidden) {
        true => Cow::Owned(escaped(text, Manner::Words)),
        false => Cow::Borrowed(text),
    }
}

/// The same on one line: line feeds and tabs are escaped too.
pub(crate) fn line(text: &str) -> String {
    shown(text).replace('\n', "\\n").replace('\t', "\\t")
}

/// A text after escaping, and where a part of it is now.
pub(crate) fn shown_with_span(
    text: &str,
    span: std::ops::Range<usize>,
) -> (String, std::ops::Range<usize>) {
    let part = |range: &str| escaped(range, Manner::Words);
    let (Some(before), Some(inside), Some(after)) = (
        text.get(..span.start),
        text.get(span.clone()),
        text.get(span.end..),
    ) else {
        return (part(text), 0..0);
    };
    let (before, inside) = (part(before), part(inside));
    let span = before.len()..before.len() + inside.len();
    (format!("{before}{inside}{}", part(after)), span)
}

/// The text with every line except the first indented, so that no text can imitate a line of ours.
pub(super) fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for (i, line) in text.split('\n').enumerate() {
        if i > 0 {
            folded.push('\n');
            if !line.is_empty() && !line.starts_with("  ") {
                folded.push_str("  ");
            }
        }
        folded.push_str(line);
    }
    folded
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    /// Each: a text, and how it is written in words and in JSON.
    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        for (text, words, json) in [
            (
                "plain é 漢字 \n\t",
                "plain é 漢字 \n\t",
                "plain é 漢字 \n\t",
            ),
            (
                "\u{1b}]52;c;aGk=\u{7}",
                "\\u{1b}]52;c;aGk=\\u{7}",
                "\\u001b]52;c;aGk=\\u0007",
            ),
            (
                "\u{9b}31m\u{7f}\u{85}",
                "\\u{9b}31m\\u{7f}\\u{85}",
                "\\u009b31m\\u007f\\u0085",
            ),
            ("a\r\nb", "a\\u{d}\nb", "a\\u000d\nb"),
            (
                "\u{202e}txt\u{2066}\u{200f}",
                "\\u{202e}txt\\u{2066}\\u{200f}",
                "\\u202etxt\\u2066\\u200f",
            ),
            (
                "a\u{200b}b\u{ad}c\u{feff}",
                "a\\u{200b}b\\u{ad}c\\u{feff}",
                "a\\u200bb\\u00adc\\ufeff",
            ),
            (
                "\u{2028}\u{fff9}\u{3164}",
                "\\u{2028}\\u{fff9}\\u{3164}",
                "\\u2028\\ufff9\\u3164",
            ),
            ("\u{e0041}", "\\u{e0041}", "\\udb40\\udc41"),
            (
                "a\u{fe0f}\u{e0100}",
                "a\\u{fe0f}\\u{e0100}",
                "a\\ufe0f\\udb40\\udd00",
            ),
        ] {
            assert_eq!(escaped(text, Manner::Words), words);
            assert_eq!(escaped(text, Manner::Json), json);
            assert_eq!(escaped(text, Manner::Plain), text);
        }
    }

    #[test]
    fn writing_that_needs_joiners_stays_readable() {
        for text in [
            "👨\u{200d}👩\u{200d}👧 ok",
            "❤\u{fe0f}\u{200d}🔥",
            "🏳\u{fe0f}\u{200d}🌈",
            "👩🏽\u{200d}💻",
            "می\u{200c}خواهم",
            "क\u{94d}\u{200d}ष",
            "שלום עולם",
            "السلام عليكم",
            "naïve façade e\u{301}",
        ] {
            assert_eq!(shown(text), text);
        }
        for (text, expected) in [
            ("pay\u{200d}pal", "pay\\u{200d}pal"),
            ("a\u{200c}b", "a\\u{200c}b"),
            ("👨\u{200d}", "👨\\u{200d}"),
            ("👨\u{200d}a", "👨\\u{200d}a"),
            ("👨\u{200d}\u{200d}👩", "👨\\u{200d}\\u{200d}👩"),
            ("می\u{200c}a", "می\\u{200c}a"),
            ("🏴\u{e0067}\u{e007f}", "🏴\\u{e0067}\\u{e007f}"),
            ("👍\u{fe00}", "👍\\u{fe00}"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }

    #[test]
    fn a_text_is_escaped_alike_however_it_is_cut() {
        let text = "a\u{1b}é\u{9b}👨\u{200d}👩\u{202e}می\u{200c}خ\u{e0041}\u{200d}漢".as_bytes();
        let text = [text, b"\xff\xfe \x9b \xe2\x80"].concat();
        let whole = |size: usize| {
            let (mut escaper, mut out) = (Escaper::new(Manner::Words), Vec::new());
            text.chunks(size)
                .for_each(|chunk| escaper.push(chunk, &mut out));
            escaper.finish(&mut out);
            String::from_utf8(out).unwrap()
        };
        let expected = whole(text.len());
        assert!(
            expected.ends_with("\\xff\\xfe \\x9b \\xe2\\x80"),
            "{expected}"
        );
        for size in 1..20 {
            assert_eq!(whole(size), expected, "{size}");
        }
    }

    #[test]
    fn only_colours_are_left_in_styled_text() {
        let text = "\u{1b}[1;31mred\u{1b}[0m \u{1b}[2J \u{1b}]0;t\u{7} \u{1b}[31";
        let expected = "\u{1b}[1;31mred\u{1b}[0m \\u{1b}[2J \\u{1b}]0;t\\u{7} \\u{1b}[31";
        assert_eq!(escaped(text, Manner::Styled), expected);
        for size in 1..20 {
            let (mut escaper, mut out) = (Escaper::new(Manner::Styled), Vec::new());
            let pieces = text.as_bytes().chunks(size);
            pieces.for_each(|piece| escaper.push(piece, &mut out));
            escaper.finish(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{size}");
        }
    }

    #[test]
    fn no_text_begins_a_line_of_ours() {
        let text = "first\nerror: forged\n  a problem\n\nhint: forged";
        let expected = "first\n  error: forged\n  a problem\n\n  hint: forged";
        assert_eq!(folded(text), expected);
        assert_eq!(line("a\nb\tc\u{7}"), "a\\nb\\tc\\u{7}");
    }

    #[test]
    fn a_span_stays_on_what_it_points_at() {
        let text = "a\u{202e}b: \u{1b}c d";
        let at = text.find('\u{1b}').unwrap();
        let (shown, span) = shown_with_span(text, at..at + 2);
        assert_eq!(&shown[span], "\\u{1b}c");
        assert_eq!(shown, "a\\u{202e}b: \\u{1b}c d");
    }
}
