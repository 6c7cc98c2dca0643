//! Trees of JSON texts, for code that cannot work on the text. A tree of small values takes many times the memory of
//! its text. So its memory is counted while it is built, and only the parts that are needed are built.

use std::cell::Cell;
use std::fmt;
use std::time::Instant;

use serde_json::{Map, Number, Value};

use super::part::{Kind, Part};

/// Memory that trees may take for a text of any size, in bytes.
const FLOOR: usize = 16 << 20;
/// Beyond that, trees may take this many times the size of the text.
const TIMES: usize = 2;

/// A slot of an array that grows: the value, plus half as much again while the array moves.
const ELEMENT: usize = size_of::<Value>() * 2;
/// A slot of an object: the value, the key and their entry in the index.
const MEMBER: usize = (size_of::<Value>() + size_of::<String>() + 24) * 2;
/// What the allocator and the expression's own copy add to anything on the heap.
const HEAP: usize = 48;

/// Bytes that searches of a text of any size may read beyond what each may read by itself.
const FLOOR_OF_SEARCHES: usize = 64 << 20;
/// Beyond that, searches may read the text so often together.
const READINGS: usize = 64;
/// How often each search may read the text by itself.
const OWN_READINGS: usize = 8;

/// Bytes that are read between two looks at the clock, which take longer than to read a few.
const BETWEEN_LOOKS: usize = 64 << 10;

/// The memory that trees may take, and how much searches may read.
#[derive(Debug)]
pub(crate) struct Budget {
    text: usize,
    most: usize,
    used: Cell<usize>,
    readable: Cell<usize>,
    deadline: Option<Instant>,
    /// How many bytes were readable when the clock was looked at last.
    looked: Cell<Option<usize>>,
}

impl Budget {
    /// The budget for the trees of a text of this many bytes.
    pub(crate) fn of(text: usize) -> Budget {
        Budget {
            text,
            most: FLOOR.saturating_add(text.saturating_mul(TIMES)),
            used: Cell::new(0),
            readable: Cell::new(FLOOR_OF_SEARCHES.saturating_add(text.saturating_mul(READINGS))),
            deadline: None,
            looked: Cell::new(None),
        }
    }

    /// The same budget for work that must have ended by then.
    pub(crate) fn until(self, deadline: Option<Instant>) -> Budget {
        Budget { deadline, ..self }
    }

    /// When the work must have ended.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether it should have ended by now.
    pub(crate) fn is_late(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// The same, for whoever asks often: the clock is looked at when enough was read since the last time.
    pub(crate) fn is_late_by_now(&self) -> bool {
        let left = self.readable.get();
        let is_due = |looked: usize| looked.saturating_sub(left) >= BETWEEN_LOOKS;
        if self.looked.get().is_some_and(|looked| !is_due(looked)) {
            return false;
        }
        self.looked.set(Some(left));
        self.is_late()
    }

    /// How many bytes one search from a value of this size may read, before it takes from what all searches share. A path
    /// without `..` reads it about twice.
    pub(crate) fn own_share(size: usize) -> usize {
        size.saturating_mul(OWN_READINGS)
    }

    /// Takes bytes that a search reads from what all searches of the text share; false when no more are left.
    pub(crate) fn read(&self, bytes: usize) -> bool {
        let left = self.readable.get().checked_sub(bytes);
        self.readable.set(left.unwrap_or_default());
        left.is_some()
    }

    /// Takes this many bytes from the budget.
    ///
    /// # Errors
    /// When fewer are left.
    pub(crate) fn take(&self, bytes: usize) -> Result<(), TreeError> {
        let used = self.used.get().saturating_add(bytes);
        self.used.set(used);
        match used <= self.most {
            true => Ok(()),
            false => Err(TreeError {
                most: self.most,
                text: self.text,
            }),
        }
    }

    /// How many bytes are taken.
    pub(crate) fn used(&self) -> usize {
        self.used.get()
    }

    /// Gives bytes back.
    pub(crate) fn give_back(&self, bytes: usize) {
        self.used.set(self.used.get().saturating_sub(bytes));
    }
}

/// A tree would take more memory than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TreeError {
    most: usize,
    text: usize,
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "this needs a tree of the JSON, which takes more than {} of memory, the limit for {} of JSON",
            size(self.most),
            size(self.text)
        )
    }
}

/// A number of bytes for people.
pub(crate) fn size(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

/// A number that a tree cannot hold with all its digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inexact {
    /// The names of the members that lead to it. An element of an array counts as being at the array's place.
    pub path: Vec<String>,
    /// The number as it was received, shortened.
    pub digits: String,
}

impl fmt::Display for Inexact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the number {} has more digits than can be computed with",
            self.digits
        )
    }
}

/// Numbers that are remembered one by one. Any further one is remembered once, as a number that may be anywhere.
const MOST_INEXACT: usize = 1000;

/// A tree of a text.
#[derive(Debug)]
pub(crate) struct Tree {
    /// The value.
    pub value: Value,
    /// The numbers in it that lost digits.
    pub inexact: Vec<Inexact>,
    /// How much of the budget it took.
    pub bytes: usize,
}

impl Tree {
    /// Builds the tree of a value. If `members` are given, only those members of an object are built.
    ///
    /// # Errors
    /// When it takes more memory than the budget has.
    pub(crate) fn build(
        part: Part<'_>,
        members: Option<&[String]>,
        budget: &Budget,
    ) -> Result<Tree, TreeError> {
        let before = budget.used.get();
        let mut builder = Builder {
            budget,
            path: Vec::new(),
            inexact: Vec::new(),
        };
        let value = match members {
            Some(members) if part.kind() == Kind::Object => builder.object(part, Some(members))?,
            _ => builder.value(part)?,
        };
        Ok(Tree {
            value,
            inexact: builder.inexact,
            bytes: budget.used.get() - before,
        })
    }
}

struct Builder<'b> {
    budget: &'b Budget,
    path: Vec<String>,
    inexact: Vec<Inexact>,
}

impl Builder<'_> {
    /// The recursion is no deeper than the nesting of a checked text.
    fn value(&mut self, part: Part<'_>) -> Result<Value, TreeError> {
        match part.kind() {
            Kind::Null => Ok(Value::Null),
            Kind::Bool => Ok(Value::Bool(part.text() == b"true")),
            Kind::Number => Ok(self.number(part.text())),
            Kind::String => {
                self.budget.take(2 * part.text().len() + HEAP)?;
                let text = part.string().unwrap_or_default();
                Ok(Value::String(text.into_owned()))
            }
            Kind::Array => self.array(part),
            Kind::Object => self.object(part, None),
        }
    }

    fn array(&mut self, part: Part<'_>) -> Result<Value, TreeError> {
        let mut list = Vec::new();
        self.budget.take(2 * HEAP)?;
        for element in part.elements() {
            self.budget.take(ELEMENT)?;
            list.push(self.value(element)?);
        }
        Ok(Value::Array(list))
    }

    fn object(&mut self, part: Part<'_>, only: Option<&[String]>) -> Result<Value, TreeError> {
        let mut map = Map::new();
        self.budget.take(4 * HEAP)?;
        for (key, member) in part.members() {
            if only.is_some_and(|only| !only.iter().any(|name| key.is(name))) {
                continue;
            }
            self.budget.take(MEMBER + HEAP + 2 * key.quoted().len())?;
            let name = key.name().into_owned();
            self.path.push(name.clone());
            let value = self.value(member)?;
            self.path.pop();
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }

    fn number(&mut self, digits: &[u8]) -> Value {
        let number: Option<Number> = serde_json::from_slice(digits).ok();
        let is_exact = number
            .as_ref()
            .is_some_and(|number| is_exact(digits, number));
        if !is_exact && self.inexact.len() <= MOST_INEXACT {
            let text = String::from_utf8_lossy(digits);
            let digits = match text.char_indices().nth(60) {
                Some((end, _)) => format!("{}...", &text[..end]),
                None => text.into_owned(),
            };
            self.inexact.push(Inexact {
                path: match self.inexact.len() < MOST_INEXACT {
                    true => self.path.clone(),
                    false => Vec::new(),
                },
                digits,
            });
        }
        number.map_or(Value::Null, Value::Number)
    }
}

/// Any number of this many digits fits in a double.
const SAFE_DIGITS: usize = 15;

/// Whether the number keeps all its digits. A decimal fraction does if the double's shortest text is the same number.
pub(crate) fn is_exact(text: &[u8], number: &Number) -> bool {
    if !number.is_f64() {
        return true;
    }
    let Some(double) = number.as_f64() else {
        return false;
    };
    let written = Decimal::parse(text);
    if written.digits.is_empty() {
        return true;
    }
    if written.digits.len() <= SAFE_DIGITS && double.is_normal() {
        return true;
    }
    written == Decimal::parse(format!("{double:e}").as_bytes())
}

/// A decimal number: its digits without zeros at either end, and how far the first digit is before the point.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    fn parse(text: &[u8]) -> Decimal {
        let text = text.strip_prefix(b"-").unwrap_or(text);
        let mut parts = text.splitn(2, |byte| matches!(byte, b'e' | b'E'));
        let mantissa = parts.next().unwrap_or_default();
        let exponent = parts.next().map(String::from_utf8_lossy);
        let exponent = exponent.map_or(0, |text| text.parse().unwrap_or(i64::MAX / 2));
        let point = mantissa.iter().position(|byte| *byte == b'.');
        let whole = i64::try_from(point.unwrap_or(mantissa.len())).unwrap_or(i64::MAX / 2);
        let mut digits: Vec<u8> = mantissa
            .iter()
            .copied()
            .filter(|byte| *byte != b'.')
            .collect();
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        digits.drain(..zeros);
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        let zeros = i64::try_from(zeros).unwrap_or(i64::MAX / 2);
        Decimal {
            digits,
            exponent: whole.saturating_sub(zeros).saturating_add(exponent),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::json::Json;

    #[test]
    fn numbers_that_lose_digits_are_told() {
        for (text, expected) in [
            ("0", true),
            ("-0.0", true),
            ("0e400", true),
            ("18446744073709551615", true),
            ("-9223372036854775808", true),
            ("18446744073709551616", false),
            ("18446744073709551617", false),
            ("12345678901234567890123", false),
            ("1.50", true),
            ("1e2", true),
            ("100e-2", true),
            ("0.1", true),
            ("0.30000000000000004", true),
            ("0.300000000000000040", true),
            ("0.3000000000000000401", false),
            ("3.14159265358979323846", false),
            ("1e999", false),
            ("1e-999", false),
            ("5e-324", true),
            ("1.7976931348623157e308", true),
            ("1e99999999999999999999", false),
        ] {
            let number: Option<Number> = serde_json::from_str(text).ok();
            let exact = number.is_some_and(|number| is_exact(text.as_bytes(), &number));
            assert_eq!(exact, expected, "{text}");
        }
    }

    #[test]
    fn trees_are_what_serde_json_makes() {
        for text in [
            "null",
            r#"[1, -2.5, "a\u00e9\n", true, [], {}]"#,
            r#"{"a": {"b": [{"c": null}]}, "\u0061": 2, "d": "x"}"#,
            "\"\"",
        ] {
            let json = Json::read(text.as_bytes().to_vec().into()).unwrap();
            let expected: Value = serde_json::from_str(text).unwrap();
            assert_eq!(json.value(), Ok(expected));
        }
        let json = Json::read(r#"{"a": 1, "b": [9e999], "a": 2}"#.into()).unwrap();
        let tree = Tree::build(json.part(), Some(&["a".to_owned()]), &Budget::of(10)).unwrap();
        assert_eq!((tree.value, tree.inexact.len()), (json!({"a": 2}), 0));
        let tree = Tree::build(json.part(), None, &Budget::of(10)).unwrap();
        assert_eq!(tree.inexact[0].path, ["b"]);
        let json = Json::read(r#"{"a": 9e999, "a": 2}"#.into()).unwrap();
        let tree = Tree::build(json.part(), None, &Budget::of(10)).unwrap();
        assert_eq!(
            tree.inexact.len(),
            1,
            "told once too often rather than not at all"
        );
    }

    #[test]
    fn a_tree_beyond_its_budget_is_refused() {
        let text = format!("[{}1]", "1,".repeat(1 << 20));
        let json = Json::read(text.into()).unwrap();
        let error = json.value().unwrap_err().to_string();
        assert!(error.contains("the limit for 2 MiB of JSON"), "{error}");
    }
}
