//! Checking a text: whether it is one JSON value (RFC 8259) and not nested too deep. Numbers may have any length.

use super::part::{Place, plain_end};

/// Why a text is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It is not JSON.
    Syntax,
    /// It is nested too deep.
    Depth,
}

/// How deep arrays and objects may be nested.
pub(crate) const MAX_DEPTH: usize = 127;

/// Members of an object up to which their places are noted. More would cost memory, and are seldom asked for one by one.
const MOST_PLACES: usize = 32;

/// Checks a text. Gives the places of the members of an object, counted from its opening bracket: whoever looks for one
/// then need not read the text again. None for any other value, and for an object of many members.
pub(super) fn outline(text: &[u8]) -> Result<Vec<Place>, Flaw> {
    std::str::from_utf8(text).map_err(|_| Flaw::Syntax)?;
    let mut checker = Checker {
        text,
        at: 0,
        open: 0,
        depth: 0,
        start: 0,
        places: Vec::new(),
        notes_places: u32::try_from(text.len()).is_ok(),
    };
    checker.space();
    checker.start = checker.at;
    loop {
        if checker.value()? {
            continue;
        }
        if !checker.close()? {
            return Ok(checker.places);
        }
    }
}

struct Checker<'t> {
    text: &'t [u8],
    at: usize,
    /// One bit for each open array (0) or object (1), the innermost lowest.
    open: u128,
    depth: usize,
    /// Where the value begins.
    start: usize,
    places: Vec<Place>,
    notes_places: bool,
}

impl Checker<'_> {
    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    #[inline]
    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Flaw> {
        match self.peek() {
            Some(found) if found == byte => {
                self.at += 1;
                Ok(())
            }
            _ => Err(Flaw::Syntax),
        }
    }

    /// Reads a scalar, an empty array or object, or the opening bracket of another. True if a value must follow the
    /// bracket.
    fn value(&mut self) -> Result<bool, Flaw> {
        match self.peek() {
            Some(b'"') => self.string()?,
            Some(b'{') => {
                self.enter(true)?;
                if self.peek() != Some(b'}') {
                    self.key()?;
                    return Ok(true);
                }
            }
            Some(b'[') => {
                self.enter(false)?;
                if self.peek() != Some(b']') {
                    return Ok(true);
                }
            }
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.word(b"true")?,
            Some(b'f') => self.word(b"false")?,
            Some(b'n') => self.word(b"null")?,
            _ => return Err(Flaw::Syntax),
        }
        Ok(false)
    }

    fn enter(&mut self, is_object: bool) -> Result<(), Flaw> {
        if self.depth == MAX_DEPTH {
            return Err(Flaw::Depth);
        }
        self.depth += 1;
        self.open = self.open << 1 | u128::from(is_object);
        self.at += 1;
        self.space();
        Ok(())
    }

    /// Reads what follows a value: closing brackets, then a comma. False at the end of the text.
    fn close(&mut self) -> Result<bool, Flaw> {
        loop {
            if self.depth == 1
                && let Some(last) = self.places.last_mut()
            {
                last.end((self.at - self.start) as u32);
            }
            self.space();
            if self.depth == 0 {
                return match self.peek() {
                    None => Ok(false),
                    Some(_) => Err(Flaw::Syntax),
                };
            }
            let in_object = self.open & 1 == 1;
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    self.space();
                    if in_object {
                        self.key()?;
                    }
                    return Ok(true);
                }
                Some(b'}') if in_object => {}
                Some(b']') if !in_object => {}
                _ => return Err(Flaw::Syntax),
            }
            self.at += 1;
            self.depth -= 1;
            self.open >>= 1;
        }
    }

    #[inline]
    fn key(&mut self) -> Result<(), Flaw> {
        if self.peek() != Some(b'"') {
            return Err(Flaw::Syntax);
        }
        let key = self.at;
        self.string()?;
        let behind = self.at;
        self.space();
        self.expect(b':')?;
        self.space();
        if self.depth == 1 && self.notes_places {
            self.note(key, behind);
        }
        Ok(())
    }

    /// Notes the place of a member whose key was read.
    #[inline(never)]
    fn note(&mut self, key: usize, behind: usize) {
        if self.places.len() == MOST_PLACES {
            self.places.clear();
            self.notes_places = false;
            return;
        }
        if self.places.is_empty() {
            self.places.reserve(8);
        }
        let from_start = |at: usize| (at - self.start) as u32;
        self.places.push(Place::new(
            from_start(key)..from_start(behind),
            from_start(self.at),
        ));
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Flaw> {
        match self.text[self.at..].starts_with(word) {
            true => {
                self.at += word.len();
                Ok(())
            }
            false => Err(Flaw::Syntax),
        }
    }

    #[inline]
    fn string(&mut self) -> Result<(), Flaw> {
        self.at += 1;
        loop {
            self.at = plain_end(self.text, self.at);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                _ => return Err(Flaw::Syntax),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Flaw> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => match self.hex()? {
                0xD800..0xDC00 => {
                    self.expect(b'\\')?;
                    match self.peek() == Some(b'u') && matches!(self.hex()?, 0xDC00..0xE000) {
                        true => Ok(()),
                        false => Err(Flaw::Syntax),
                    }
                }
                0xDC00..0xE000 => Err(Flaw::Syntax),
                _ => Ok(()),
            },
            _ => Err(Flaw::Syntax),
        }
    }

    /// The four digits behind the `u` of an escape.
    fn hex(&mut self) -> Result<u32, Flaw> {
        let digits = self.text.get(self.at + 1..self.at + 5);
        let digits = digits.ok_or(Flaw::Syntax)?;
        self.at += 5;
        digits.iter().try_fold(0, |number, digit| {
            let digit = char::from(*digit).to_digit(16).ok_or(Flaw::Syntax)?;
            Ok(number << 4 | digit)
        })
    }

    fn number(&mut self) -> Result<(), Flaw> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Flaw> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        match self.at > start {
            true => Ok(()),
            false => Err(Flaw::Syntax),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Json;

    fn check(text: &[u8]) -> Result<(), Flaw> {
        outline(text).map(drop)
    }

    #[test]
    fn places_are_where_a_second_reading_finds_them() {
        let many: Vec<String> = (0..40)
            .map(|i| format!("\"k{i}\": [{i}, {{\"k0\": 1}}]"))
            .collect();
        let texts = [
            "{}".to_owned(),
            "[{\"a\": 1}]".to_owned(),
            "null".to_owned(),
            " \n{ \"a\" : 1 , \"b\":[ {} , [ ] ],\"c\" : { \"a\" : 2 } ,\"\\u0061\": \"x\" , \"d\":{},\"e\":[] } ".to_owned(),
            "{\"a\":1,\"a\":{\"a\":[]},\"b\":-1.5e3,\"\\\"\":null}".to_owned(),
            format!("{{{}}}", many[..31].join(",")),
            format!("{{{}}}", many[..32].join(" , ")),
            format!("{{{}}}", many[..33].join(",")),
            format!("{{{}}}", many.join(",")),
        ];
        for text in texts {
            let json = Json::read(text.clone().into()).unwrap();
            let again = Json::made(json.bytes().to_vec());
            assert!(again.part().places().is_empty());
            let names = again
                .part()
                .members()
                .map(|(key, _)| key.name().into_owned());
            for name in names.chain([
                "k0".to_owned(),
                "none".to_owned(),
                "a".to_owned(),
                "\\u0061".to_owned(),
                "\\\"".to_owned(),
            ]) {
                let (noted, read) = (json.part().member(&name), again.part().member(&name));
                let texts = (noted.map(|part| part.text()), read.map(|part| part.text()));
                assert_eq!(texts.0, texts.1, "{name} of {text}");
            }
            let count = again.part().members().count();
            let expected = if count > MOST_PLACES { 0 } else { count };
            assert_eq!(json.part().places().len(), expected, "{text}");
        }
    }

    #[test]
    fn it_takes_what_serde_json_takes() {
        let texts = [
            "",
            " ",
            "null",
            "nul",
            "nulll",
            "true",
            "tru",
            "false",
            "0",
            "-0",
            "01",
            "-",
            "1.",
            "1.5",
            ".5",
            "1e",
            "1e5",
            "1E+5",
            "1e-",
            "+1",
            "[",
            "]",
            "[]",
            "[ ]",
            "[1",
            "[1,",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{",
            "}",
            "{}",
            "{ }",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            r#"{"a":1 "b":2}"#,
            r#"{"a" : [ {} , [ ] ] , "b":"c"}"#,
            "{1:2}",
            "[}",
            "{]",
            r#"{"a":[1}"#,
            r#""a"#,
            r#""a\"#,
            r#""\x""#,
            r#""\u12""#,
            r#""\u12g4""#,
            r#""\u00e9""#,
            r#""\ud800""#,
            r#""\ud83d\ude00""#,
            r#""\ud800\u0041""#,
            r#""\ud800A""#,
            r#""\udc00""#,
            "\"\u{1}\"",
            "\"\t\"",
            "\"\u{7f}é\"",
            r#""\"\\\/\b\f\n\r\t""#,
            "1 1",
            "[] []",
            "\u{feff}1",
            "NaN",
            "'a'",
            "[1]//",
            "\r\n\t [1\n,2] \n",
            r#"{"a":1,"a":2}"#,
            "[[[[]]]",
            "[[[]]]]",
            "tRue",
            "1.5.5",
            "1e5e5",
            "--1",
            "1-",
            "\"\\",
        ];
        for text in texts {
            let theirs = serde_json::from_str::<serde_json::Value>(text);
            assert_eq!(
                check(text.as_bytes()).is_ok(),
                theirs.is_ok(),
                "{text:?} {theirs:?}"
            );
            // A text inside a text, cut at each end.
            let inner = format!("[{text}, {{\"k\": {text}}}]");
            for cut in 0..=inner.len() {
                let Some(part) = inner.get(..cut) else {
                    continue;
                };
                let theirs = serde_json::from_str::<serde_json::Value>(part);
                assert_eq!(check(part.as_bytes()).is_ok(), theirs.is_ok(), "{part:?}");
            }
        }
        assert_eq!(check(b"\"\xff\""), Err(Flaw::Syntax));
        assert_eq!(check(b"1e999"), Ok(()), "as long as they like");
    }

    #[test]
    fn nesting_is_bounded_as_in_serde_json() {
        for (depth, expected) in [(MAX_DEPTH, Ok(())), (MAX_DEPTH + 1, Err(Flaw::Depth))] {
            let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            assert_eq!(check(text.as_bytes()), expected);
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            assert_eq!(theirs.is_ok(), expected.is_ok());
            let text = format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
            assert_eq!(check(text.as_bytes()), expected);
        }
        let wide = format!("[{}1]", "[],{},".repeat(1000));
        assert_eq!(check(wide.as_bytes()), Ok(()));
    }
}
