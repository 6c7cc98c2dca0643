//! What a value shows in a cell on a terminal.

use std::borrow::Cow;

use crate::json::{Kind, Part};

use super::layout::width;
use super::order::is_number;
use super::{cell, layout};
use crate::cli::terminal::line;

/// Elements of a list that are shown instead of their number.
const SHORT_LIST: usize = 5;
/// Columns that a list may take.
const SHORT_WIDTH: usize = 32;

/// Whether a value says nothing: null, and what has nothing in it.
pub(crate) fn is_empty(part: Part<'_>) -> bool {
    match part.kind() {
        Kind::Null => true,
        Kind::String | Kind::Array | Kind::Object => !part.is_truthy(),
        Kind::Bool | Kind::Number => false,
    }
}

/// Whether a value is a number, also one that is written as a string.
pub(crate) fn is_numeric(part: Part<'_>) -> bool {
    match part.kind() {
        Kind::Number => true,
        Kind::String => part.string().is_some_and(|text| is_number(&text)),
        _ => false,
    }
}

/// A value on one line: what is nested is summed up.
pub(crate) fn short(name: &str, part: Part<'_>) -> String {
    match part.kind() {
        Kind::Null => String::new(),
        Kind::Array => list(name, part),
        Kind::Object => match part.members().count() {
            0 => "{}".to_owned(),
            1 => "{1 field}".to_owned(),
            count => format!("{{{count} fields}}"),
        },
        _ => scalar(name, part),
    }
}

/// A value on one line, whole.
pub(crate) fn whole(name: &str, part: Part<'_>) -> String {
    scalar(name, part)
}

fn scalar(name: &str, part: Part<'_>) -> String {
    let text = cell(part);
    match is_quantity(name) && is_numeric(part) {
        true => thousands(&text).into_owned(),
        false => line(&text),
    }
}

/// The elements of a list of scalars, with commas between them; none where an element has one itself.
pub(crate) fn joined(part: Part<'_>) -> Option<String> {
    let mut text = String::new();
    for element in part.elements() {
        let own = cell(element);
        if matches!(element.kind(), Kind::Array | Kind::Object) || own.contains(',') {
            return None;
        }
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(&line(&own));
    }
    Some(text)
}

fn list(name: &str, part: Part<'_>) -> String {
    let count = part.elements().count();
    if count == 0 {
        return "[]".to_owned();
    }
    let is_short = count <= SHORT_LIST && part.text().len() <= 4 * SHORT_WIDTH;
    if let Some(text) = is_short.then(|| joined(part)).flatten()
        && layout::width(&text) <= SHORT_WIDTH
        && !text.is_empty()
    {
        return text;
    }
    let last = words(name).pop().unwrap_or_default();
    match count {
        1 => "1 item".to_owned(),
        _ if is_plural(&last) && width(&line(&last)) <= SHORT_WIDTH => {
            format!("{count} {}", line(&last))
        }
        _ => format!("{count} items"),
    }
}

/// The words of a name: `inputTokens`, `input_tokens` and `input-tokens` have two.
fn words(name: &str) -> Vec<String> {
    let (mut words, mut word, mut was_small) = (Vec::new(), String::new(), false);
    for c in name.chars() {
        if !c.is_alphanumeric() || (was_small && c.is_uppercase()) {
            words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        was_small = c.is_lowercase() || c.is_ascii_digit();
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

fn is_plural(word: &str) -> bool {
    let is_other = ["ss", "us", "is"].iter().any(|end| word.ends_with(end));
    word.len() > 3 && word.ends_with('s') && !is_other
}

/// Words of names that count or measure, beside plurals.
const QUANTITIES: [&str; 31] = [
    "amount",
    "average",
    "avg",
    "balance",
    "budget",
    "cost",
    "count",
    "duration",
    "limit",
    "max",
    "maximum",
    "mean",
    "median",
    "min",
    "minimum",
    "population",
    "price",
    "quantity",
    "quota",
    "remaining",
    "revenue",
    "salary",
    "score",
    "size",
    "spend",
    "sum",
    "total",
    "usage",
    "used",
    "value",
    "volume",
];

/// Words of names that only tell apart or say when, whatever stands beside them.
const NAMES: [&str; 36] = [
    "at",
    "code",
    "codes",
    "date",
    "dates",
    "day",
    "epoch",
    "expires",
    "fax",
    "hash",
    "id",
    "ids",
    "index",
    "key",
    "keys",
    "month",
    "no",
    "nr",
    "num",
    "number",
    "numbers",
    "phone",
    "pid",
    "pin",
    "port",
    "ports",
    "postcode",
    "ref",
    "refs",
    "serial",
    "time",
    "timestamp",
    "version",
    "year",
    "years",
    "zip",
];

/// Whether a name says that its numbers are quantities, whose thousands may be set apart. Ids, years, codes and times are
/// numbers too, and must stay as they are to be read and copied; so where the name does not say it, they are left.
pub(crate) fn is_quantity(name: &str) -> bool {
    let words = words(name);
    let is_named = |word: &String| NAMES.contains(&word.as_str());
    let counts = |word: &String| QUANTITIES.contains(&word.as_str()) || is_plural(word);
    words.iter().any(counts) && !words.iter().any(is_named)
}

/// Whether a name says that its values only tell things apart or say when.
pub(crate) fn tells_apart(name: &str) -> bool {
    let words = words(name);
    words.iter().any(|word| NAMES.contains(&word.as_str()))
}

/// A number with its thousands set apart. One with an exponent stays as it is.
pub(crate) fn thousands(text: &str) -> Cow<'_, str> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    if whole.len() < 4 || digits.contains(['e', 'E']) {
        return Cow::Borrowed(text);
    }
    let mut set_apart = sign.to_owned();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            set_apart.push(',');
        }
        set_apart.push(digit);
    }
    set_apart.push_str(fraction);
    Cow::Owned(set_apart)
}

#[cfg(test)]
mod tests {
    use crate::json::Json;
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn values_are_summed_up() {
        for (name, value, expected) in [
            ("n", "null", ""),
            ("n", "true", "true"),
            ("n", r#""a\tb\u001b""#, "a\\tb\\u{1b}"),
            ("tags", r#"["a","b"]"#, "a, b"),
            ("tags", r#"["a","b","c","d","e","f"]"#, "6 tags"),
            ("tags", r#"["a,b","c"]"#, "2 tags"),
            ("tags", r#"[""]"#, "1 item"),
            ("allowed_geos", "[[],{}]", "2 geos"),
            ("address", "[[],{}]", "2 items"),
            ("data", "[]", "[]"),
            ("tags", "{}", "{}"),
            ("tags", r#"{"a":1}"#, "{1 field}"),
            ("tags", r#"{"a":1,"b":[1]}"#, "{2 fields}"),
            ("tokens", "2879627", "2,879,627"),
            ("amount", r#""4510.36776""#, "4,510.36776"),
            ("id", "2879627", "2879627"),
        ] {
            let json = Json::read(value.to_owned().into()).unwrap();
            assert_eq!(short(name, json.part()), expected, "{name} {value}");
        }
    }

    #[test]
    fn only_quantities_have_their_thousands_set_apart() {
        for name in [
            "input_tokens",
            "total",
            "max_items",
            "outputTokens",
            "web_search_requests",
            "Amount (USD)",
            "size",
        ] {
            assert!(is_quantity(name), "{name}");
        }
        for name in [
            "id",
            "user_id",
            "userId",
            "number",
            "year",
            "years",
            "status",
            "status_code",
            "port",
            "created_at",
            "expires",
            "ids",
            "version",
            "address",
            "zip",
            "order",
            "value_date",
            "user_ids",
            "",
        ] {
            assert!(!is_quantity(name), "{name}");
        }
        for (text, expected) in [
            ("1", "1"),
            ("999", "999"),
            ("-1000", "-1,000"),
            ("12345678901234567890123", "12,345,678,901,234,567,890,123"),
            ("1234.56789", "1,234.56789"),
            ("0.12345", "0.12345"),
            ("1234e5", "1234e5"),
        ] {
            assert_eq!(thousands(text), expected);
        }
    }
}
