//! Checks on the text of a query, made before the parser sees it.
//!
//! The parser's grammar allows blanks between any two characters of a name or number, trims Unicode spaces off names,
//! holds literal numbers to the range of indexes, knows functions that RFC 9535 does not, and tries a failing function
//! call three times at each level. So the text is split into tokens here, what only the RFC forbids is refused with its
//! position, and the parser gets the text with all literal numbers blanked out. Whether the tokens form a query is left
//! to the parser.

use serde_json::Number;

use super::SyntaxError;
use super::tokens::{Kind, Token, is_blank, is_shorthand, tokens};
use crate::json::is_exact_number;

const MAX_BYTES: usize = 4096;
/// How deep brackets and parentheses may nest; the parser recurses at each.
const MAX_NESTING: usize = 32;
/// How many function calls may be open at once; the parser's time triples with each.
const MAX_OPEN_CALLS: usize = 5;
/// The largest index, in either direction (RFC 9535, section 2.1).
const MAX_INDEX: u64 = (1 << 53) - 1;

const FUNCTIONS: [&str; 5] = ["length", "count", "match", "search", "value"];

/// A text that passed, and what was read from it in textual order.
pub(super) struct Checked {
    /// The text for the parser: of the same length, each literal number written as `0` and blanks.
    pub blanked: String,
    /// The offsets of function calls.
    pub calls: Vec<usize>,
    /// The literal numbers.
    pub numbers: Vec<Number>,
}

pub(super) fn check(text: &str) -> Result<Checked, SyntaxError> {
    if text.len() > MAX_BYTES {
        let message = format!("a query has at most {MAX_BYTES} bytes");
        return Err(SyntaxError::at(0, message));
    }
    if !text.starts_with('$') {
        return Err(SyntaxError::at(0, "a query starts with `$`"));
    }
    let end = text.trim_end_matches(is_blank).len();
    if end < text.len() {
        return Err(SyntaxError::at(end, "a query does not end with a blank"));
    }
    Checker::new(text, tokens(text)?).run()
}

struct Checker<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    open: Vec<Group>,
    checked: Checked,
}

/// What an open bracket or parenthesis holds.
struct Group {
    /// The index of its opening token.
    opening: usize,
    holds: Holds,
}

enum Holds {
    Selectors { in_filter: bool },
    Expression,
    Arguments,
}

impl<'t> Checker<'t> {
    fn new(text: &'t str, tokens: Vec<Token>) -> Self {
        let checked = Checked {
            blanked: text.to_owned(),
            calls: Vec::new(),
            numbers: Vec::new(),
        };
        Checker {
            text,
            tokens,
            open: Vec::new(),
            checked,
        }
    }

    fn run(mut self) -> Result<Checked, SyntaxError> {
        for index in 0..self.tokens.len() {
            self.check_token(index)?;
        }
        match self.open.last() {
            Some(group) => self.refuse(group.opening, "this is never closed"),
            None => Ok(self.checked),
        }
    }

    fn check_token(&mut self, index: usize) -> Result<(), SyntaxError> {
        self.check_separated(index)?;
        match self.tokens[index].kind {
            Kind::Root | Kind::Current => self.check_compared_query(index),
            Kind::Dot | Kind::DotDot => self.check_dot(index),
            Kind::Open => self.open_group(index, Holds::Selectors { in_filter: false }),
            Kind::OpenParen => self.open_parenthesis(index),
            Kind::Close | Kind::CloseParen => self.close_group(index),
            Kind::Question => self.set_in_filter(true),
            Kind::Comma => self.set_in_filter(false),
            Kind::Name => self.check_name(index),
            Kind::Number => self.check_number(index),
            Kind::Comparator | Kind::Mark | Kind::Text => Ok(()),
        }
    }

    /// The parser would join `a b` to one name and read `1 2` as a number.
    fn check_separated(&self, index: usize) -> Result<(), SyntaxError> {
        let is_word =
            |kind: Option<Kind>| matches!(kind, Some(Kind::Name | Kind::Number | Kind::Text));
        if is_word(self.kind_before(index)) && is_word(self.kind(index)) {
            return self.refuse(
                index,
                "expected an operator, a separator or the end; a name with a blank in it needs brackets and quotes",
            );
        }
        Ok(())
    }

    fn check_dot(&self, index: usize) -> Result<(), SyntaxError> {
        let dot = self.tokens[index];
        let Some(next) = self.tokens.get(index + 1) else {
            return Err(SyntaxError::at(dot.end, "expected a name or `*`"));
        };
        if next.start > dot.end {
            return Err(SyntaxError::at(dot.end, "no blank may follow a dot"));
        }
        match (dot.kind, next.kind) {
            (_, Kind::Name) | (Kind::DotDot, Kind::Open) => Ok(()),
            (_, Kind::Mark) if self.source(index + 1) == "*" => Ok(()),
            (_, Kind::Dot | Kind::DotDot) => self.refuse(index + 1, "one dot too many"),
            _ => self.refuse(
                index + 1,
                "expected a name or `*`; any other name needs brackets and quotes",
            ),
        }
    }

    fn check_name(&mut self, index: usize) -> Result<(), SyntaxError> {
        let name = self.source(index);
        if matches!(self.kind_before(index), Some(Kind::Dot | Kind::DotDot)) {
            return if is_shorthand(name) {
                Ok(())
            } else {
                self.refuse(
                    index,
                    "a name that begins or ends with a space needs brackets and quotes",
                )
            };
        }
        if self.open.is_empty() {
            return self.refuse(index, "expected `.` or `[` before a name");
        }
        if !self.in_filter() {
            return self.refuse(index, "a name in brackets needs quotes");
        }
        if self.kind(index + 1) == Some(Kind::OpenParen) {
            return self.check_call(index);
        }
        match name {
            "true" | "false" | "null" => Ok(()),
            _ => self.refuse(
                index,
                "expected a query, a literal or a function; a string needs quotes",
            ),
        }
    }

    fn check_call(&mut self, index: usize) -> Result<(), SyntaxError> {
        let name = self.source(index);
        if !FUNCTIONS.contains(&name) {
            let message = format!(
                "`{name}` is no function; there are {}",
                FUNCTIONS.join(", ")
            );
            return self.refuse(index, message);
        }
        if self.tokens[index].end < self.tokens[index + 1].start {
            let message = "no blank may stand between a function's name and its parenthesis";
            return Err(SyntaxError::at(self.tokens[index].end, message));
        }
        let takes_query = matches!(name, "count" | "value");
        let argument = self.kind(index + 2);
        if takes_query && !matches!(argument, None | Some(Kind::Root | Kind::Current)) {
            return self.refuse(index + 2, format!("{name}() takes a query"));
        }
        self.checked.calls.push(self.tokens[index].start);
        Ok(())
    }

    fn check_number(&mut self, index: usize) -> Result<(), SyntaxError> {
        let source = self.source(index);
        if !self.in_filter() {
            return if is_index(source) {
                Ok(())
            } else {
                self.refuse(index, "not an integer between -(2^53 - 1) and 2^53 - 1")
            };
        }
        // The grammar of a literal number is that of JSON.
        match serde_json::from_str(source) {
            Ok(number) if !is_exact_number(source.as_bytes(), &number) => {
                return self.refuse(index, "a number of more digits than can be compared");
            }
            Ok(number) => self.checked.numbers.push(number),
            Err(_) => return self.refuse(index, "not a number that JSON can hold"),
        }
        let Token { start, end, .. } = self.tokens[index];
        let blank = format!("{:<1$}", 0, end - start);
        self.checked.blanked.replace_range(start..end, &blank);
        Ok(())
    }

    /// A query that is compared must be singular, and the grammar of such a query (`singular-query-segments`) has no
    /// room for blanks inside its brackets. The parser has no such rule for blanks, and a misleading position for a
    /// right side that is not singular.
    fn check_compared_query(&self, index: usize) -> Result<(), SyntaxError> {
        let mut blank = None;
        let mut rest = &self.tokens[index + 1..];
        loop {
            rest = match rest {
                [dot, name, rest @ ..] if dot.kind == Kind::Dot && name.kind == Kind::Name => rest,
                [open, inner, close, rest @ ..]
                    if open.kind == Kind::Open
                        && matches!(inner.kind, Kind::Text | Kind::Number)
                        && close.kind == Kind::Close =>
                {
                    if open.end < inner.start {
                        blank = blank.or(Some(open.end));
                    } else if inner.end < close.start {
                        blank = blank.or(Some(inner.end));
                    }
                    rest
                }
                _ => break,
            };
        }
        let after = rest.first().map(|token| token.kind);
        let goes_on = matches!(after, Some(Kind::Dot | Kind::DotDot | Kind::Open));
        if goes_on && self.kind_before(index) == Some(Kind::Comparator) {
            let segment = self.tokens.len() - rest.len();
            return self.refuse(segment, "a query that is compared must be singular");
        }
        match blank {
            Some(offset) if self.is_compared(index, after) => Err(SyntaxError::at(
                offset,
                "no blank may stand inside the brackets of a query that is compared",
            )),
            _ => Ok(()),
        }
    }

    fn open_parenthesis(&mut self, index: usize) -> Result<(), SyntaxError> {
        let follows_name = self.kind_before(index) == Some(Kind::Name);
        self.open_group(
            index,
            if follows_name {
                Holds::Arguments
            } else {
                Holds::Expression
            },
        )
    }

    fn open_group(&mut self, index: usize, holds: Holds) -> Result<(), SyntaxError> {
        if self.open.len() >= MAX_NESTING {
            return self.refuse(index, format!("nested deeper than {MAX_NESTING}"));
        }
        self.open.push(Group {
            opening: index,
            holds,
        });
        let calls = self
            .open
            .iter()
            .filter(|group| matches!(group.holds, Holds::Arguments));
        if calls.count() > MAX_OPEN_CALLS {
            let message = format!("function calls nested deeper than {MAX_OPEN_CALLS}");
            return self.refuse(index, message);
        }
        Ok(())
    }

    fn close_group(&mut self, index: usize) -> Result<(), SyntaxError> {
        let brackets = self.tokens[index].kind == Kind::Close;
        match self.open.pop() {
            Some(group) if brackets == matches!(group.holds, Holds::Selectors { .. }) => {
                match group.holds {
                    Holds::Selectors { .. } => Ok(()),
                    Holds::Expression => self.check_not_compared(index),
                    Holds::Arguments => self.check_result(group.opening - 1, index),
                }
            }
            _ => self.refuse(index, "this closes nothing that is open"),
        }
    }

    fn check_not_compared(&self, close: usize) -> Result<(), SyntaxError> {
        match self.kind(close + 1) {
            Some(Kind::Comparator) => {
                self.refuse(close + 1, "an expression in parentheses cannot be compared")
            }
            _ => Ok(()),
        }
    }

    /// Refuses to compare the result of a function that is of LogicalType.
    fn check_result(&self, name: usize, close: usize) -> Result<(), SyntaxError> {
        let function = self.source(name);
        let logical = matches!(function, "match" | "search");
        if logical && self.is_compared(name, self.kind(close + 1)) {
            return self.refuse(
                name,
                format!("the result of {function}() cannot be compared"),
            );
        }
        Ok(())
    }

    /// Whether what starts at a token and is followed by another is a side of a comparison.
    fn is_compared(&self, start: usize, after: Option<Kind>) -> bool {
        let comparator = Some(Kind::Comparator);
        self.kind_before(start) == comparator || after == comparator
    }

    fn set_in_filter(&mut self, now: bool) -> Result<(), SyntaxError> {
        if let Some(Holds::Selectors { in_filter }) =
            self.open.last_mut().map(|group| &mut group.holds)
        {
            *in_filter = now;
        }
        Ok(())
    }

    fn in_filter(&self) -> bool {
        match self.open.last().map(|group| &group.holds) {
            Some(Holds::Selectors { in_filter }) => *in_filter,
            Some(Holds::Expression | Holds::Arguments) => true,
            None => false,
        }
    }

    fn kind(&self, index: usize) -> Option<Kind> {
        self.tokens.get(index).map(|token| token.kind)
    }

    fn kind_before(&self, index: usize) -> Option<Kind> {
        self.kind(index.checked_sub(1)?)
    }

    fn source(&self, index: usize) -> &'t str {
        let Token { start, end, .. } = self.tokens[index];
        &self.text[start..end]
    }

    fn refuse<T>(&self, index: usize, message: impl Into<String>) -> Result<T, SyntaxError> {
        Err(SyntaxError::at(self.tokens[index].start, message))
    }
}

/// Whether a number is an `int` in the range of indexes.
fn is_index(source: &str) -> bool {
    source
        .parse::<i64>()
        .is_ok_and(|index| index.unsigned_abs() <= MAX_INDEX && index.to_string() == source)
}
