//! The order of `--sort`: numbers as numbers, dates as dates, nulls last, and equal rows as they came.
//!
//! A string that is written as a number counts as one, for many services write amounts so. Numbers come before dates,
//! dates before texts, texts before what is nested. No digit of a number is lost, whatever its length.

use std::cmp::Ordering;

use crate::json::{Kind, Part};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::view::field;

/// A field to sort by, upwards or downwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sort {
    /// The name of the field.
    pub name: String,
    /// Whether the largest comes first.
    pub is_downwards: bool,
}

impl Sort {
    /// Reads `name` or `-name`.
    pub(crate) fn read(text: &str) -> Result<Sort, String> {
        let (name, is_downwards) = match text.strip_prefix('-') {
            Some(name) => (name, true),
            None => (text, false),
        };
        match name.is_empty() {
            true => {
                Err("name a field, such as `name`, or `-name` for the largest first".to_owned())
            }
            false => Ok(Sort {
                name: name.to_owned(),
                is_downwards,
            }),
        }
    }

    /// The rows in their order.
    pub(crate) fn rows<'o>(&self, rows: Part<'o>) -> Vec<Part<'o>> {
        let key = |row: Part<'o>| field(row, &self.name).filter(|value| !value.is_null());
        // A row may be as short as a few bytes: no more than this is kept of each.
        let mut sorted: Vec<(u64, Part<'o>)> = Vec::with_capacity(rows.elements().count());
        let with_key = rows
            .elements()
            .filter_map(|row| Some((rough(key(row)?), row)));
        sorted.extend(with_key);
        sorted.sort_unstable_by(|(left, left_row), (right, right_row)| {
            let order = left
                .cmp(right)
                .then_with(|| match (key(*left_row), key(*right_row)) {
                    (Some(left), Some(right)) => exact(left, right),
                    _ => Ordering::Equal,
                });
            let order = match self.is_downwards {
                true => order.reverse(),
                false => order,
            };
            // Rows stand in the text one behind the other.
            order.then_with(|| left_row.text().as_ptr().cmp(&right_row.text().as_ptr()))
        });
        let without_key = rows.elements().filter(|row| key(*row).is_none());
        sorted.extend(without_key.map(|row| (0, row)));
        sorted.into_iter().map(|(_, row)| row).collect()
    }
}

/// A value to sort by, in the order of its kinds.
enum Key<'k> {
    Number(&'k str),
    Date(Timestamp),
    Text(&'k str),
    Other(&'k [u8]),
}

/// Calls `then` with what a value is sorted by.
fn with_key<R>(value: Part<'_>, then: impl FnOnce(Key<'_>) -> R) -> R {
    match value.kind() {
        Kind::Number => then(Key::Number(
            std::str::from_utf8(value.text()).unwrap_or_default(),
        )),
        Kind::String => {
            let text = value.string().unwrap_or_default();
            match () {
                () if is_number(&text) => then(Key::Number(&text)),
                () => match date(&text) {
                    Some(time) => then(Key::Date(time)),
                    None => then(Key::Text(&text)),
                },
            }
        }
        _ => then(Key::Other(value.text())),
    }
}

/// A number that orders values roughly: what is less never has the greater one.
fn rough(value: Part<'_>) -> u64 {
    /// The kind takes the first bits.
    const KIND: u32 = 61;
    const REST: u32 = 64 - KIND;
    with_key(value, |key| match key {
        Key::Number(text) => {
            let bits = text.parse::<f64>().unwrap_or_default().to_bits();
            // Negative numbers come first, and the greater their amount is, the earlier.
            let ordered = match bits >> 63 {
                0 => bits | 1 << 63,
                _ => !bits,
            };
            ordered >> REST
        }
        Key::Date(time) => {
            1 << KIND
                | time
                    .as_second()
                    .wrapping_sub(Timestamp::MIN.as_second())
                    .unsigned_abs()
        }
        Key::Text(text) => 2 << KIND | first_bytes(text.as_bytes()) >> REST,
        Key::Other(text) => 3 << KIND | first_bytes(text) >> REST,
    })
}

fn first_bytes(text: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let count = text.len().min(8);
    bytes[..count].copy_from_slice(&text[..count]);
    u64::from_be_bytes(bytes)
}

/// The order of two values that are roughly equal.
fn exact(left: Part<'_>, right: Part<'_>) -> Ordering {
    with_key(left, |left| {
        with_key(right, |right| match (left, right) {
            (Key::Number(left), Key::Number(right)) => numbers(left, right),
            (Key::Date(left), Key::Date(right)) => left.cmp(&right),
            (Key::Text(left), Key::Text(right)) => left.cmp(right),
            (Key::Other(left), Key::Other(right)) => left.cmp(right),
            _ => Ordering::Equal,
        })
    })
}

/// Whether a text is written as a JSON number.
pub(crate) fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (
            mantissa,
            exponent.strip_prefix(['+', '-']).unwrap_or(exponent),
        ),
        None => (text, "0"),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    digits(whole)
        && digits(fraction)
        && digits(exponent)
        && (whole.len() == 1 || !whole.starts_with('0'))
}

/// A time, or the beginning of a day (both of UTC where no other zone is named).
pub(crate) fn date(text: &str) -> Option<Timestamp> {
    let begins = text.as_bytes().get(..5)?;
    if !begins[..4].iter().all(u8::is_ascii_digit) || begins[4] != b'-' {
        return None;
    }
    let civil = || {
        Offset::UTC
            .to_timestamp(text.parse::<DateTime>().ok()?)
            .ok()
    };
    text.parse().ok().or_else(civil)
}

/// The amount of a number: the power of ten in front of its digits, and its digits without zeros around them. None for
/// zero.
fn amount(text: &str) -> Option<(i64, Vec<u8>)> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent = exponent.parse().unwrap_or(match exponent.starts_with('-') {
        true => i64::MIN / 2,
        false => i64::MAX / 2,
    });
    let whole = mantissa.split('.').next().unwrap_or_default().len();
    let mut digits: Vec<u8> = mantissa.bytes().filter(|byte| *byte != b'.').collect();
    let zeros = digits.iter().position(|digit| *digit != b'0')?;
    let end = digits.iter().rposition(|digit| *digit != b'0')? + 1;
    digits.truncate(end);
    digits.drain(..zeros);
    let power = i64::try_from(whole).ok()? - i64::try_from(zeros).ok()?;
    Some((exponent.saturating_add(power), digits))
}

fn numbers(left: &str, right: &str) -> Ordering {
    let signed = |text: &str| match text.strip_prefix('-') {
        Some(text) => (amount(text), true),
        None => (amount(text), false),
    };
    match (signed(left), signed(right)) {
        // Zero is nothing, which is less than anything.
        ((left, false), (right, false)) => left.cmp(&right),
        ((left, true), (right, true)) => right.cmp(&left),
        ((None, _), (None, _)) => Ordering::Equal,
        ((_, true), _) => Ordering::Less,
        (_, (_, true)) => Ordering::Greater,
    }
}

#[cfg(test)]
mod tests {
    use crate::json::Json;
    use pretty_assertions::assert_eq;

    use super::*;

    /// Sorts values of a field, upwards and downwards; nulls come last both times.
    fn sorted(values: &str, expected: &str, expected_downwards: &str) {
        let rows = values.split_whitespace();
        let rows: Vec<String> = rows.map(|value| format!("{{\"a\":{value}}}")).collect();
        let json = Json::read(format!("[{}]", rows.join(",")).into()).unwrap();
        for (sort, expected) in [("a", expected), ("-a", expected_downwards)] {
            let rows = Sort::read(sort).unwrap().rows(json.part());
            let values = rows.iter().filter_map(|row| row.member("a"));
            let values: Vec<String> = values
                .map(|value| String::from_utf8_lossy(value.text()).into_owned())
                .collect();
            assert_eq!(values.join(" "), expected, "{sort}");
        }
    }

    #[test]
    fn rows_are_sorted_by_what_their_values_are() {
        sorted("10 9 null -1 2.5", "-1 2.5 9 10 null", "10 9 2.5 -1 null");
        sorted(
            r#""4510.36776" "812.5" "-3" "1e3""#,
            r#""-3" "812.5" "1e3" "4510.36776""#,
            r#""4510.36776" "1e3" "812.5" "-3""#,
        );
        sorted(
            "12345678901234567890124 12345678901234567890123 0.10000000000000000001 0.1 -0.0 0 1e400 1e401",
            "-0.0 0 0.1 0.10000000000000000001 12345678901234567890123 12345678901234567890124 1e400 1e401",
            "1e401 1e400 12345678901234567890124 12345678901234567890123 0.10000000000000000001 0.1 0 -0.0",
        );
        sorted(
            "-12345678901234567890123 -12345678901234567890124 -1e400 -1e401",
            "-1e401 -1e400 -12345678901234567890124 -12345678901234567890123",
            "-12345678901234567890123 -12345678901234567890124 -1e400 -1e401",
        );
        sorted(
            r#""2026-01-01T00:00:00+02:00" "2025-12-31T23:00:00Z" "2026-01-01" "2025-12-31T22:00:00.5Z""#,
            r#""2026-01-01T00:00:00+02:00" "2025-12-31T22:00:00.5Z" "2025-12-31T23:00:00Z" "2026-01-01""#,
            r#""2026-01-01" "2025-12-31T23:00:00Z" "2025-12-31T22:00:00.5Z" "2026-01-01T00:00:00+02:00""#,
        );
        sorted(
            r#""longer-text-b" "longer-text-a" "b" true "007" 8 "2026-01-01""#,
            r#"8 "2026-01-01" "007" "b" "longer-text-a" "longer-text-b" true"#,
            r#"true "longer-text-b" "longer-text-a" "b" "007" "2026-01-01" 8"#,
        );
    }

    #[test]
    fn equal_rows_stay_in_their_order() {
        let text = r#"[{"a":1,"n":1},{"n":2},{"a":1.0,"n":3},{"a":0,"n":4},{"a":null,"n":5},{"a":1,"n":6}]"#;
        let json = Json::read(text.into()).unwrap();
        for (sort, expected) in [("a", "4 1 3 6 2 5"), ("-a", "1 3 6 4 2 5")] {
            let rows = Sort::read(sort).unwrap().rows(json.part());
            let order: Vec<String> = rows
                .iter()
                .filter_map(|row| row.member("n"))
                .map(|n| String::from_utf8_lossy(n.text()).into_owned())
                .collect();
            assert_eq!(order.join(" "), expected, "{sort}");
        }
    }

    #[test]
    fn numbers_are_told_from_other_texts() {
        for text in ["0", "-1", "1.50", "1e5", "0.1E-7", "123"] {
            assert!(is_number(text), "{text}");
        }
        for text in [
            "",
            "-",
            "007",
            "1.",
            ".5",
            "1e",
            "+1",
            "0x1",
            "1 ",
            "inf",
            "2026-01-01",
        ] {
            assert!(!is_number(text), "{text}");
        }
    }
}
