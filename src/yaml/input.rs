//! The text as the parser reads it.
//!
//! The parser's own input makes room for 128 characters in each plain text, and decodes each character several times.
//! Descriptors are mostly short plain texts of ASCII, so this one makes room for few, and looks at bytes.

use saphyr_parser::Input;

/// How many characters the parser makes room for at a time. As many as it does where it reads from an iterator.
const ROOM: usize = 16;

/// What the parser has not read yet.
pub(super) struct Text<'t> {
    rest: &'t str,
    /// How far the parser wants to look. The whole rest is at hand, so this is for its assertions only.
    ahead: usize,
}

impl<'t> Text<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Text {
            rest: text,
            ahead: 0,
        }
    }

    /// The next byte; zero at the end of the text, as the parser has it.
    fn byte(&self) -> u8 {
        self.rest.as_bytes().first().copied().unwrap_or(0)
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn is_break_or_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r' | 0)
}

fn is_flow(byte: u8) -> bool {
    matches!(byte, b',' | b'[' | b']' | b'{' | b'}')
}

impl Input for Text<'_> {
    #[inline]
    fn lookahead(&mut self, count: usize) {
        self.ahead = self.ahead.max(count);
    }

    #[inline]
    fn buflen(&self) -> usize {
        self.ahead
    }

    #[inline]
    fn bufmaxlen(&self) -> usize {
        ROOM
    }

    #[inline]
    fn raw_read_ch(&mut self) -> char {
        let next = self.peek();
        self.skip();
        next
    }

    #[inline]
    fn raw_read_non_breakz_ch(&mut self) -> Option<char> {
        let next = self.peek_opt();
        let next = next.filter(|next| !matches!(next, '\n' | '\r' | '\0' | '\u{FEFF}'))?;
        self.skip();
        Some(next)
    }

    #[inline]
    fn skip(&mut self) {
        let mut rest = self.rest.chars();
        rest.next();
        self.rest = rest.as_str();
    }

    #[inline]
    fn skip_n(&mut self, count: usize) {
        for _ in 0..count {
            self.skip();
        }
    }

    #[inline]
    fn peek(&self) -> char {
        self.peek_opt().unwrap_or('\0')
    }

    #[inline]
    fn peek_nth(&self, n: usize) -> char {
        self.rest.chars().nth(n).unwrap_or('\0')
    }

    #[inline]
    fn peek_opt(&self) -> Option<char> {
        self.rest.chars().next()
    }

    #[inline]
    fn next_can_be_plain_scalar(&self, in_flow: bool) -> bool {
        match self.rest.as_bytes() {
            [b':', behind @ ..] => {
                let next = behind.first().copied().unwrap_or(0);
                !(is_blank(next) || is_break_or_end(next) || (in_flow && is_flow(next)))
            }
            // The byte order mark.
            [0xEF, 0xBB, 0xBF, ..] => false,
            [byte, ..] => !(in_flow && is_flow(*byte)),
            [] => true,
        }
    }

    #[inline]
    fn next_is_blank(&self) -> bool {
        is_blank(self.byte())
    }

    #[inline]
    fn next_is_break(&self) -> bool {
        matches!(self.byte(), b'\n' | b'\r')
    }

    #[inline]
    fn next_is_breakz(&self) -> bool {
        is_break_or_end(self.byte())
    }

    #[inline]
    fn next_is_blank_or_break(&self) -> bool {
        self.next_is_blank() || self.next_is_break()
    }

    #[inline]
    fn next_is_blank_or_breakz(&self) -> bool {
        self.next_is_blank() || self.next_is_breakz()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use pretty_assertions::assert_eq;
    use saphyr_parser::{Input, Parser};

    use super::Text;

    /// The events, with their marks, up to the first error.
    fn events(parser: Parser<'_, impl Input>) -> Vec<String> {
        let mut events = Vec::new();
        for event in parser {
            events.push(format!("{event:?}"));
            if event.is_err() {
                break;
            }
        }
        events
    }

    fn is_read_alike(text: &str) {
        let ours = events(Parser::new(Text::new(text)));
        assert_eq!(ours, events(Parser::new_from_str(text)), "{text:?}");
    }

    fn files(folder: &Path, visit: &mut impl FnMut(&str)) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                files(&path, visit);
            } else if path.extension().is_some_and(|end| end == "yaml")
                && let Ok(text) = std::fs::read_to_string(&path)
            {
                visit(&text);
            }
        }
    }

    #[test]
    fn files_give_the_events_that_the_parsers_own_input_gives() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut count = 0;
        for folder in ["tools", "tests"] {
            files(&root.join(folder), &mut |text| {
                is_read_alike(text);
                count += 1;
            });
        }
        assert!(count > 100, "{count} files");
    }

    #[test]
    fn any_text_gives_the_events_that_the_parsers_own_input_gives() {
        const PIECES: [&str; 48] = [
            "a",
            "key",
            ": ",
            ":",
            "- ",
            "-",
            "? ",
            "\n",
            "\n  ",
            "\n    ",
            "\r\n",
            "\t",
            " ",
            "  ",
            "#",
            " # c",
            "[",
            "]",
            "{",
            "}",
            ",",
            "\"",
            "'",
            "\\",
            "\\x41",
            "\\u00e9",
            "|",
            "|-\n  ",
            ">",
            ">+2\n   ",
            "---",
            "---\n",
            "...",
            "...\n",
            "%YAML 1.2\n",
            "&a ",
            "*a",
            "!t ",
            "!!str ",
            "é",
            "日本",
            "\u{FEFF}",
            "\u{85}",
            "\u{2028}",
            "1.5",
            "null",
            "a long plain text of more than sixteen characters",
            "<<",
        ];
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..20_000 {
            let count = random.usize(1..=23);
            let text: String = (0..count)
                .map(|_| PIECES[random.usize(..PIECES.len())])
                .collect();
            is_read_alike(&text);
        }
    }
}
