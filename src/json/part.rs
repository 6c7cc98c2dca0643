//! A value inside a checked JSON text: where it is, its kind, and what it contains.

use std::borrow::Cow;

use serde_json::Number;

use super::tree::is_exact;

/// A value inside a JSON text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'t> {
    text: &'t [u8],
    /// Where its members are, where that was noted.
    places: &'t [Place],
}

/// Where a member of an object is, counted from the object's opening bracket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    key: (u32, u32),
    value: (u32, u32),
}

impl Place {
    pub(super) fn new(key: std::ops::Range<u32>, value: u32) -> Place {
        Place {
            key: (key.start, key.end),
            value: (value, value),
        }
    }

    /// Sets the end of the value, unless it is known already.
    #[inline]
    pub(super) fn end(&mut self, end: u32) {
        if self.value.0 == self.value.1 {
            self.value.1 = end;
        }
    }

    /// Where the value begins and ends.
    pub(crate) fn value(&self) -> (usize, usize) {
        (self.value.0 as usize, self.value.1 as usize)
    }

    /// The key and the value.
    fn member<'t>(&self, text: &'t [u8]) -> (Key<'t>, Part<'t>) {
        let quoted = text.get(self.key.0 as usize..self.key.1 as usize);
        let quoted = quoted.unwrap_or_default();
        let is_escaped = quoted.contains(&b'\\');
        let (start, end) = self.value();
        (Key { quoted, is_escaped }, Part::between(text, start, end))
    }

    /// Whether the key is this one.
    pub(crate) fn is(&self, text: &[u8], name: &str) -> bool {
        let quoted = text.get(self.key.0 as usize..self.key.1 as usize);
        let quoted = quoted.unwrap_or_default();
        // An escaped key is longer than its name.
        if quoted.len() == name.len() + 2 {
            return quoted[1..].starts_with(name.as_bytes()) && !name.contains('\\');
        }
        let is_escaped = quoted.len() > name.len() + 2 && quoted.contains(&b'\\');
        is_escaped && Key { quoted, is_escaped }.name() == name
    }
}

/// The kind of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Kind {
    /// The kind with its article.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Bool => "a boolean",
            Kind::Number => "a number",
            Kind::String => "a string",
            Kind::Array => "an array",
            Kind::Object => "an object",
        }
    }
}

/// Where the next character that is not white space is.
#[inline]
pub(super) fn space(text: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\t' | b'\r') = text.get(at) {
        at += 1;
    }
    at
}

/// The byte `0x01` in each byte of the word.
const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGH: u64 = ONES << 7;

/// Takes 1 from each byte of the word after a comparison with `byte`: the high bit is then set where an ASCII character
/// equals it. Behind the first such byte others may be set too.
#[inline]
fn less_one(word: u64, byte: u8) -> u64 {
    (word ^ (ONES * byte as u64)).wrapping_sub(ONES)
}

/// Marks the bytes of a word that need attention in a string: a quote, a backslash, or a control character, which is not
/// allowed. Behind the first such byte others may be marked too.
#[inline]
fn marks_of_special(word: u64) -> u64 {
    let control = word.wrapping_sub(ONES * 0x20);
    // Characters beyond ASCII have a high bit of their own.
    (less_one(word, b'"') | less_one(word, b'\\') | control) & !word & HIGH
}

/// The same for what ends a piece of a string in a checked text: a quote or a backslash.
#[inline]
fn marks_of_ends(word: u64) -> u64 {
    (less_one(word, b'"') | less_one(word, b'\\')) & !word & HIGH
}

/// How many of eight characters stand in a string as they are, before one that needs attention.
#[inline]
pub(super) fn plain_of(bytes: [u8; 8]) -> usize {
    marks_of_special(u64::from_le_bytes(bytes)).trailing_zeros() as usize / 8
}

/// Where the text, from `at` on, has the first byte that is marked. Most of a JSON text is strings, so this looks at two
/// words at a time, and at single bytes near the end only.
#[inline]
fn first_marked(
    text: &[u8],
    mut at: usize,
    marks: impl Fn(u64) -> u64,
    is_marked: impl Fn(u8) -> bool,
) -> usize {
    while let Some(bytes) = text.get(at..).and_then(<[u8]>::first_chunk::<16>) {
        let (words, _) = bytes.as_chunks::<8>();
        for word in words {
            let marks = marks(u64::from_le_bytes(*word));
            if marks != 0 {
                return at + marks.trailing_zeros() as usize / 8;
            }
            at += word.len();
        }
    }
    while let Some(byte) = text.get(at)
        && !is_marked(*byte)
    {
        at += 1;
    }
    at
}

/// Where a string, from `at` on, has a character that needs attention.
#[inline]
pub(super) fn plain_end(text: &[u8], at: usize) -> usize {
    first_marked(text, at, marks_of_special, |byte| {
        matches!(byte, b'"' | b'\\' | ..b' ')
    })
}

/// Where a string of a checked text, from `at` on, has its closing quote or a backslash.
#[inline]
fn quote_or_escape(text: &[u8], at: usize) -> usize {
    first_marked(text, at, marks_of_ends, |byte| matches!(byte, b'"' | b'\\'))
}

/// The end of the string that begins at `at`, and whether it contains an escape.
#[inline]
pub(super) fn string_end(text: &[u8], at: usize) -> (usize, bool) {
    let mut at = at + 1;
    let mut is_escaped = false;
    loop {
        at = quote_or_escape(text, at);
        match text.get(at) {
            Some(b'"') => return (at + 1, is_escaped),
            Some(b'\\') => {
                is_escaped = true;
                at += 2;
            }
            // This cannot happen in a checked text.
            Some(_) => at += 1,
            None => return (text.len(), is_escaped),
        }
    }
}

/// The end of the value that begins at `at`.
#[inline]
pub(crate) fn value_end(text: &[u8], at: usize) -> usize {
    match text.get(at) {
        Some(b'"') => string_end(text, at).0,
        Some(b'{' | b'[') => container_end(text, at),
        _ => scalar_end(text, at),
    }
}

fn scalar_end(text: &[u8], mut at: usize) -> usize {
    while let Some(byte) = text.get(at) {
        if matches!(byte, b',' | b']' | b'}' | b' ' | b'\n' | b'\t' | b'\r') {
            break;
        }
        at += 1;
    }
    at
}

fn container_end(text: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                at = string_end(text, at).0;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    text.len()
}

/// A place between the members of an object, or the elements of an array.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'t> {
    text: &'t [u8],
    at: usize,
    is_first: bool,
}

impl<'t> Cursor<'t> {
    /// Enters the array or object that begins at `at`.
    #[inline]
    pub(crate) fn enter(text: &'t [u8], at: usize) -> Cursor<'t> {
        Cursor {
            text,
            at: at + 1,
            is_first: true,
        }
    }

    /// Where the next element begins, or the next key; `None` at the end.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<usize> {
        let mut at = space(self.text, self.at);
        match self.text.get(at) {
            None => return None,
            Some(b']' | b'}') => {
                self.at = at + 1;
                return None;
            }
            Some(b',') if !self.is_first => at = space(self.text, at + 1),
            Some(_) => {}
        }
        self.is_first = false;
        self.at = at;
        Some(at)
    }

    /// The next key, and where its value begins.
    #[inline]
    pub(crate) fn next_member(&mut self) -> Option<(Key<'t>, usize)> {
        let start = self.next()?;
        let (end, is_escaped) = string_end(self.text, start);
        let quoted = self.text.get(start..end).unwrap_or_default();
        let colon = space(self.text, end);
        self.at = space(self.text, colon + 1);
        Some((Key { quoted, is_escaped }, self.at))
    }

    /// Continues behind the value that was just read.
    #[inline]
    pub(crate) fn go_on(&mut self, end: usize) {
        self.at = end;
    }

    /// The current position; behind the closing bracket once everything was read.
    #[inline]
    pub(crate) fn at(&self) -> usize {
        self.at
    }
}

/// A key, still with its quotes and escapes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key<'t> {
    quoted: &'t [u8],
    is_escaped: bool,
}

impl<'t> Key<'t> {
    #[inline]
    fn inner(&self) -> &'t [u8] {
        let inner = self.quoted.get(1..self.quoted.len().saturating_sub(1));
        inner.unwrap_or_default()
    }

    /// Whether the key is this one.
    #[inline]
    pub(crate) fn is(&self, name: &str) -> bool {
        match self.is_escaped {
            false => self.inner() == name.as_bytes(),
            true => self.name() == name,
        }
    }

    /// The key without its quotes, if it has no escapes.
    #[inline]
    pub(crate) fn plain(&self) -> Option<&'t [u8]> {
        (!self.is_escaped).then(|| self.inner())
    }

    /// The key without its quotes and escapes.
    pub(crate) fn name(&self) -> Cow<'t, str> {
        plain(self.quoted, self.is_escaped)
    }

    /// The key as it is written, with its quotes.
    pub(crate) fn quoted(&self) -> &'t [u8] {
        self.quoted
    }
}

/// A quoted string without its quotes and escapes.
fn plain(quoted: &[u8], is_escaped: bool) -> Cow<'_, str> {
    if is_escaped {
        return Cow::Owned(serde_json::from_slice(quoted).unwrap_or_default());
    }
    let inner = quoted.get(1..quoted.len().saturating_sub(1));
    as_text(inner.unwrap_or_default())
}

/// A piece of a checked text, which is UTF-8. This is many times faster than to look for what is not.
fn as_text(piece: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(piece) {
        Ok(text) => text.into(),
        Err(_) => String::from_utf8_lossy(piece),
    }
}

impl<'t> Part<'t> {
    /// The value between two offsets of a checked text.
    #[inline]
    pub(crate) fn between(text: &'t [u8], start: usize, end: usize) -> Part<'t> {
        Part {
            text: text.get(start..end).unwrap_or_default(),
            places: &[],
        }
    }

    /// An object whose members are at these places.
    pub(super) fn with_places(text: &'t [u8], places: &'t [Place]) -> Part<'t> {
        Part { text, places }
    }

    /// Where its members are; nothing where that was not noted.
    #[inline]
    pub(crate) fn places(&self) -> &'t [Place] {
        self.places
    }

    /// The text of the value as it was received.
    pub(crate) fn text(&self) -> &'t [u8] {
        self.text
    }

    /// The text of the value as text.
    pub(crate) fn as_text(&self) -> Cow<'t, str> {
        as_text(self.text)
    }

    /// Its kind.
    #[inline]
    pub(crate) fn kind(&self) -> Kind {
        match self.text.first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') | None => Kind::Null,
            Some(_) => Kind::Number,
        }
    }

    /// Whether it is null.
    pub(crate) fn is_null(&self) -> bool {
        self.kind() == Kind::Null
    }

    /// Whether it counts as true. Null, false, zero and empty values do not.
    pub(crate) fn is_truthy(&self) -> bool {
        match self.kind() {
            Kind::Null => false,
            Kind::Bool => self.text == b"true",
            Kind::Number => {
                let digits = self
                    .text
                    .iter()
                    .take_while(|byte| !matches!(byte, b'e' | b'E'));
                digits.into_iter().any(|byte| matches!(byte, b'1'..=b'9'))
            }
            Kind::String => self.text.len() > 2,
            Kind::Array => self.elements().next().is_some(),
            Kind::Object => self.members().next().is_some(),
        }
    }

    /// Whether a 64-bit integer or a double holds all digits of the number. True for any other value.
    pub(crate) fn is_exact(&self) -> bool {
        if self.kind() != Kind::Number {
            return true;
        }
        let number: Option<Number> = serde_json::from_slice(self.text).ok();
        number.is_some_and(|number| is_exact(self.text, &number))
    }

    /// The string, without quotes and escapes; `None` if the value is not a string.
    pub(crate) fn string(&self) -> Option<Cow<'t, str>> {
        let is_escaped = || self.text.contains(&b'\\');
        (self.kind() == Kind::String).then(|| plain(self.text, is_escaped()))
    }

    /// The elements of an array. Empty for any other value.
    pub(crate) fn elements(&self) -> impl Iterator<Item = Part<'t>> + Clone + use<'t> {
        let text = self.text;
        let mut cursor = (self.kind() == Kind::Array).then(|| Cursor::enter(text, 0));
        std::iter::from_fn(move || {
            let cursor = cursor.as_mut()?;
            let start = cursor.next()?;
            let end = value_end(text, start);
            cursor.go_on(end);
            Some(Part::between(text, start, end))
        })
    }

    /// The members of an object in their order. A key may occur twice; then the last one counts. Empty for any other
    /// value.
    pub(crate) fn members(&self) -> impl Iterator<Item = (Key<'t>, Part<'t>)> + use<'t> {
        let (text, mut places) = (self.text, self.places.iter());
        let mut cursor =
            (self.kind() == Kind::Object && self.places.is_empty()).then(|| Cursor::enter(text, 0));
        std::iter::from_fn(move || {
            // Where the members are known, nothing is read.
            let Some(cursor) = cursor.as_mut() else {
                return places.next().map(|place| place.member(text));
            };
            let (key, start) = cursor.next_member()?;
            let end = value_end(text, start);
            cursor.go_on(end);
            Some((key, Part::between(text, start, end)))
        })
    }

    /// The member of an object with this name.
    pub(crate) fn member(&self, name: &str) -> Option<Part<'t>> {
        if !self.places.is_empty() {
            let mut places = self.places.iter().rev();
            let (start, end) = places.find(|place| place.is(self.text, name))?.value();
            return Some(Part::between(self.text, start, end));
        }
        let own = self.members().filter(|(key, _)| key.is(name));
        own.last().map(|(_, part)| part)
    }

    /// The element of an array at an index; a negative one counts from the end.
    pub(crate) fn element(&self, index: i64) -> Option<Part<'t>> {
        match usize::try_from(index) {
            Ok(index) => self.elements().nth(index),
            Err(_) => {
                let back = usize::try_from(index.unsigned_abs()).ok()?;
                let count = self.elements().count();
                self.elements().nth(count.checked_sub(back)?)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use crate::json::Json;

    #[test]
    fn eight_bytes_are_read_as_one_by_one() {
        let bytes = [
            0, 1, 31, b' ', b'!', b'"', b'#', b'[', b'\\', b']', 127, 128, 129, 0xA2, 0xDC, 255,
        ];
        let all = || bytes.iter().copied();
        let pairs = all().flat_map(|one| all().map(move |two| (one, two)));
        for ((one, two), at) in pairs.flat_map(|pair| (0..9).map(move |at| (pair, at))) {
            let mut text = *b"abcdefghijklmnop";
            (text[at], text[at + 1], text[at + 5]) = (one, two, one);
            let first =
                |ends: fn(u8) -> bool| text.iter().position(|byte| ends(*byte)).unwrap_or(16);
            let plain = first(|byte| matches!(byte, b'"' | b'\\' | ..b' '));
            let quoted = first(|byte| matches!(byte, b'"' | b'\\'));
            assert_eq!(super::plain_end(&text, 0), plain, "{text:?}");
            assert_eq!(super::quote_or_escape(&text, 0), quoted, "{text:?}");
        }
    }

    #[test]
    fn a_part_is_a_slice_of_the_text() {
        let json = Json::read(r#"{ "ids": [1, 12345678901234567890123] }"#.into()).unwrap();
        let ids = json.part().member("ids").unwrap();
        let texts: Vec<&[u8]> = ids.elements().map(|id| id.text()).collect();
        assert_eq!(texts, [&b"1"[..], b"12345678901234567890123"]);
    }
}
