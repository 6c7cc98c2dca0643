//! Texts that are as a writer of compact JSON writes them, so that they need not be written again.

use super::part::plain_end;

/// How many members the objects of a checked text have together, if writing the value that it stands for gives this
/// very text, unless a key is repeated. `None` if it might give another one.
#[cfg_attr(not(feature = "serve"), allow(dead_code))]
pub(crate) fn written(text: &[u8]) -> Option<usize> {
    let mut members = 0;
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                at = string(text, at + 1)?;
                continue;
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
                continue;
            }
            b' ' | b'\n' | b'\t' | b'\r' => return None,
            b':' => members += 1,
            _ => {}
        }
        at += 1;
    }
    Some(members)
}

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

    #[test]
    fn a_text_is_as_written_or_it_is_not_known() {
        for (text, expected) in [
            (r#"{"a":1,"b":[true,false,null,{"c":"d"}]}"#, Some(3)),
            (r#"["\n\t\r\b\f\"\\", "é"]"#, None),
            (r#"["\n\t\r\b\f\"\\","é"]"#, Some(0)),
            (r#"["a: b, {c}"]"#, Some(0)),
            (r#"["\/"]"#, None),
            (r#"["\u00e9"]"#, None),
            (r#"["\u0001"]"#, None),
            ("{ }", None),
            ("[1,\n2]", None),
            ("0", Some(0)),
            ("-0", None),
            ("-0.5", Some(0)),
            ("0.05", None),
            ("123456789012345", Some(0)),
            ("1234567890123456", None),
            ("1.5", Some(0)),
            ("1.50", None),
            ("1e3", None),
            ("-12.25", Some(0)),
            ("\"\"", Some(0)),
        ] {
            assert_eq!(written(text.as_bytes()), expected, "{text}");
            if expected.is_some() {
                let value: Value = serde_json::from_str(text).unwrap();
                assert_eq!(value.to_string(), text);
            }
        }
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
            if written(text.as_bytes()).is_some() {
                known += 1;
                assert_eq!(value.to_string(), text);
            }
        }
        assert!(known > 1_000, "{known}");
    }
}
