//! Texts that are as a writer of compact JSON writes them, so that they need not be written again.

use super::part::{Cursor, Key, Kind, Part, plain_end, value_end};

/// The most members of an object whose keys are compared with each other.
const MOST_MEMBERS: usize = 48;

/// Whether writing the value that a checked text stands for gives this very text: then how many elements it has, if it is
/// an array. `None` if it might give another one.
pub(crate) fn as_written(text: &[u8]) -> Option<usize> {
    let (end, elements) = from(text, 0)?;
    (end == text.len()).then_some(elements)
}

/// The members of an object in their order, each with what [`as_written`] says of its value. Both take one reading.
pub(crate) fn members_as_written(
    part: Part<'_>,
) -> impl Iterator<Item = (Key<'_>, Part<'_>, Option<usize>)> {
    let text = part.text();
    let mut cursor = (part.kind() == Kind::Object).then(|| Cursor::enter(text, 0));
    std::iter::from_fn(move || {
        let cursor = cursor.as_mut()?;
        let (key, start) = cursor.next_member()?;
        let known = from(text, start);
        let end = known.map_or_else(|| value_end(text, start), |(end, _)| end);
        cursor.go_on(end);
        Some((
            key,
            Part::between(text, start, end),
            known.map(|(_, elements)| elements),
        ))
    })
}

/// Where the value ends that begins at a place, and how many elements it has, if it is as written.
fn from(text: &[u8], mut at: usize) -> Option<(usize, usize)> {
    let start = at;
    // The keys of the objects that are open.
    let mut keys: Vec<&[u8]> = Vec::new();
    // Objects have keys; arrays have none.
    let mut open: Vec<Option<Keys>> = Vec::new();
    let (mut is_key, mut commas) = (false, 0);
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                let end = string(text, at + 1)?;
                if is_key && let Some(Some(own)) = open.last_mut() {
                    let (key, known) = (&text[at..end], &keys[own.first..]);
                    if known.len() >= MOST_MEMBERS || own.may_have(key) && known.contains(&key) {
                        return None;
                    }
                    keys.push(key);
                    is_key = false;
                }
                at = end;
            }
            b'-' | b'0'..=b'9' => {
                let rest = &text[at..];
                let is_part =
                    |byte: &u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
                let length = rest.iter().take_while(|byte| is_part(byte)).count();
                if !is_plain_number(&rest[..length]) {
                    return None;
                }
                at += length;
            }
            // The words of JSON.
            b't' | b'n' => at += 4,
            b'f' => at += 5,
            b' ' | b'\n' | b'\t' | b'\r' => return None,
            b'{' => {
                open.push(Some(Keys {
                    first: keys.len(),
                    marks: 0,
                }));
                is_key = true;
                at += 1;
            }
            b'[' => {
                open.push(None);
                at += 1;
            }
            b'}' | b']' => {
                if let Some(Some(own)) = open.pop() {
                    keys.truncate(own.first);
                }
                is_key = false;
                at += 1;
            }
            b',' => {
                commas += usize::from(open.len() == 1);
                is_key = matches!(open.last(), Some(Some(_)));
                at += 1;
            }
            _ => at += 1,
        }
        if open.is_empty() {
            let is_array = text.get(start) == Some(&b'[') && at > start + EMPTY;
            return Some((at, if is_array { commas + 1 } else { 0 }));
        }
    }
    None
}

/// The keys of an object that is open.
struct Keys {
    /// Where they begin among all keys.
    first: usize,
    /// A bit for each of them, which others may share.
    marks: u64,
}

impl Keys {
    /// Whether a key may be one of them, and makes it one. Most keys differ from all others in length or at an end.
    fn may_have(&mut self, key: &[u8]) -> bool {
        let (start, end) = (key.get(1), key.iter().rev().nth(1));
        let byte = |byte: Option<&u8>| usize::from(byte.copied().unwrap_or_default());
        let mark = 1 << ((key.len() + 7 * byte(start) + 13 * byte(end)) % 64);
        let may_have = self.marks & mark != 0;
        self.marks |= mark;
        may_have
    }
}

/// The bytes of an empty array.
const EMPTY: usize = 2;

/// Where a string ends that begins behind a quote, if its escapes are those that a writer uses.
fn string(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at = plain_end(text, at);
        match (text.get(at)?, text.get(at + 1)) {
            (b'"', _) => return Some(at + 1),
            (b'\\', Some(b'"' | b'\\' | b'n' | b't' | b'r' | b'b' | b'f')) => at += 2,
            _ => return None,
        }
    }
}

/// Whether a number is written with as few characters as it needs. Long ones and those near zero are left to the writer.
fn is_plain_number(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let is_digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let mut parts = digits.splitn(2, |byte| *byte == b'.');
    let (whole, fraction) = (parts.next().unwrap_or_default(), parts.next());
    match fraction {
        None => is_digits(digits) && digits.len() <= 15 && text != b"-0",
        Some(fraction) => {
            is_digits(whole)
                && is_digits(fraction)
                && digits.len() <= 15
                && (whole != b"0" || !fraction.starts_with(b"0"))
                && !fraction.ends_with(b"0")
        }
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::{Value, json};

    use super::*;
    use crate::json::Json;

    #[test]
    fn a_text_is_as_written_or_it_is_not_known() {
        for (text, expected) in [
            (r#"{"a":1,"b":[true,false,null,{"a":"d"}]}"#, true),
            (r#"{"a":1,"b":{},"a":2}"#, false),
            (r#"{"a":{"b":1},"b":[{"a":1},{"a":2}],"c":"a"}"#, true),
            (r#"[{"a":{"b":1,"b":1}}]"#, false),
            (r#"["\n\t\r\b\f\"\\", "é"]"#, false),
            (r#"["\n\t\r\b\f\"\\","é"]"#, true),
            (r#"["a: b, {c}"]"#, true),
            (r#"["\/"]"#, false),
            (r#"["\u00e9"]"#, false),
            (r#"["\u0001"]"#, false),
            ("[]", true),
            (r#"[[1,2],{"a":[3,4]},",",[]]"#, true),
            ("{ }", false),
            ("[1,\n2]", false),
            ("0", true),
            ("-0", false),
            ("-0.5", true),
            ("0.05", false),
            ("123456789012345", true),
            ("1234567890123456", false),
            ("1.5", true),
            ("1.50", false),
            ("1e3", false),
            ("-12.25", true),
            ("\"\"", true),
        ] {
            let elements = as_written(text.as_bytes());
            assert_eq!(elements.is_some(), expected, "{text}");
            if let Some(elements) = elements {
                let value: Value = serde_json::from_str(text).unwrap();
                assert_eq!(value.to_string(), text);
                assert_eq!(value.as_array().map_or(0, Vec::len), elements, "{text}");
            }
        }
    }

    #[test]
    fn members_are_read_once_whether_as_written_or_not() {
        let text = r#"{"a":[1,2],"b": {"c":1.0}, "\u0064":"x" ,"e":[],"f":null,"a":[{"x":[1,2]}]}"#;
        let json = Json::of(&json!({}));
        assert_eq!(members_as_written(json.part()).count(), 0);
        let json = Json::read(text.to_owned().into()).unwrap();
        let read: Vec<_> = members_as_written(json.part())
            .map(|(key, part, elements)| (key.name().into_owned(), part.text(), elements))
            .collect();
        let plain: Vec<_> = json
            .part()
            .members()
            .map(|(key, part)| {
                (
                    key.name().into_owned(),
                    part.text(),
                    as_written(part.text()),
                )
            })
            .collect();
        assert_eq!(read, plain);
        let elements: Vec<Option<usize>> = read.iter().map(|(_, _, elements)| *elements).collect();
        assert_eq!(
            elements,
            [Some(2), None, Some(0), Some(0), Some(0), Some(1)]
        );
        assert_eq!(members_as_written(Json::of(&json!([1])).part()).count(), 0);
    }

    #[test]
    fn what_is_said_to_be_as_written_is() {
        let mut random = fastrand::Rng::with_seed(3);
        let mut known = 0;
        for _ in 0..20_000 {
            let digits: String = (0..random.usize(1..18)).map(|_| random.digit(10)).collect();
            let point = random.usize(0..digits.len());
            let sign = ["", "-"][random.usize(0..2)];
            let text = match random.bool() {
                true => format!("{sign}{digits}"),
                false => format!("{sign}{}.{}", &digits[..point], &digits[point..]),
            };
            let text = json!({ "k": "v" }).to_string().replace("\"v\"", &text);
            let Ok(value) = serde_json::from_str::<Value>(&text) else {
                continue;
            };
            if as_written(text.as_bytes()).is_some() {
                known += 1;
                assert_eq!(value.to_string(), text);
            }
        }
        assert!(known > 1_000, "{known}");
    }
}
