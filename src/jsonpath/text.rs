//! Finds what the parser accepts and RFC 9535 does not, before the parser sees the text.
//!
//! The parser (`jsonpath-rust` 1.0) allows blanks between any two characters of a name or number and inside the
//! brackets of a query that is compared, trims blanks and Unicode spaces off names, and knows functions of its own. It
//! refuses other mistakes without saying where: wrong escapes, a blank after a dot or before a parenthesis, wrong
//! arguments of a function, values that cannot be compared. It limits literal numbers to the range of indexes, so the
//! text for the parser has `0` and blanks in place of each. A failing function call is tried three times at each level,
//! so their nesting is bounded. Everything else is left to the parser.

use jsonpath_rust::parser::errors::JsonPathError;
use jsonpath_rust::parser::model::JpQuery;
use jsonpath_rust::parser::parse_json_path;
use pest::error::InputLocation;
use serde_json::Number;

use super::SyntaxError;
use crate::json::is_exact_number;

const MAX_BYTES: usize = 4096;
/// How deep brackets and parentheses may nest; the parser recurses at each.
const MAX_NESTING: usize = 32;
/// How many function calls may be open at once; the parser's time triples with each.
const MAX_OPEN_CALLS: usize = 5;

const FUNCTIONS: [&str; 5] = ["length", "count", "match", "search", "value"];
const COMPARATORS: [&str; 6] = ["==", "!=", "<=", ">=", "<", ">"];
const LONG_MARKS: [&str; 7] = ["..", "==", "!=", "<=", ">=", "&&", "||"];

type Checking<T = ()> = Result<T, SyntaxError>;

/// What the parser's tree lacks, in textual order.
#[derive(Default)]
pub(super) struct Checked {
    /// The offsets of function calls.
    pub calls: Vec<usize>,
    /// The literal numbers.
    pub numbers: Vec<Number>,
}

/// Parses a query. Its function calls are not type-checked yet.
pub(super) fn parse(text: &str) -> Checking<(JpQuery, Checked)> {
    if text.len() > MAX_BYTES {
        let message = format!("a query has at most {MAX_BYTES} bytes");
        return Err(SyntaxError::at(0, message));
    }
    let end = text.trim_end_matches(is_blank).len();
    if end < text.len() {
        return Err(SyntaxError::at(end, "a query does not end with a blank"));
    }
    let mut scan = Scan {
        tokens: tokens(text)?,
        open: Vec::new(),
        checked: Checked::default(),
        blanked: text.to_owned(),
    };
    for index in 0..scan.tokens.len() {
        scan.check(index)?;
    }
    if let Some(opening) = scan.open.last() {
        return scan.refuse(*opening, "this is never closed");
    }
    let tree = parse_json_path(&scan.blanked).map_err(|error| syntax_error(text, error))?;
    Ok((tree, scan.checked))
}

fn syntax_error(text: &str, error: JsonPathError) -> SyntaxError {
    let JsonPathError::PestError(error) = error else {
        return SyntaxError::at(0, error.to_string());
    };
    let offset = match error.location {
        InputLocation::Pos(start) | InputLocation::Span((start, _)) => start,
    };
    let message = match text.get(offset..).and_then(|rest| rest.chars().next()) {
        _ if !text.starts_with('$') => "a query starts with `$`".to_owned(),
        Some('=' | '!' | '<' | '>') => {
            "only a literal, a singular query or the value of a function can be compared".to_owned()
        }
        Some(first) if is_name_first(first) => format!(
            "unexpected {first:?}; a name needs a dot before it, or brackets and quotes, and a string needs quotes"
        ),
        Some('.') => "one dot too many".to_owned(),
        Some('-' | '0'..='9') if text[..offset].ends_with(['[', ',', ':', ' ']) => {
            "not an integer between -(2^53 - 1) and 2^53 - 1".to_owned()
        }
        Some(character) => format!("unexpected {character:?}"),
        None => "unexpected end".to_owned(),
    };
    SyntaxError::at(offset, message)
}

/// A token: a string, a number, a name or a punctuation mark.
#[derive(Clone, Copy)]
struct Token<'t> {
    start: usize,
    text: &'t str,
}

impl Token<'_> {
    fn begins(&self, with: impl Fn(char) -> bool) -> bool {
        self.text.starts_with(with)
    }

    fn is_word(&self) -> bool {
        self.begins(|c| matches!(c, '\'' | '"' | '-') || is_name_char(c))
    }

    fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

fn tokens(text: &str) -> Checking<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start_matches(is_blank);
    while let Some(first) = rest.chars().next() {
        let start = text.len() - rest.len();
        let length = match first {
            '\'' | '"' => string_length(text, start, first)?,
            '-' | '0'..='9' => number_length(rest),
            _ if is_name_first(first) => run_length(rest, is_name_char),
            _ if LONG_MARKS.iter().any(|mark| rest.starts_with(mark)) => 2,
            _ => 1,
        };
        let (token, after) = rest.split_at(length);
        tokens.push(Token { start, text: token });
        rest = after.trim_start_matches(is_blank);
    }
    Ok(tokens)
}

fn run_length(rest: &str, belongs: impl Fn(char) -> bool) -> usize {
    rest.find(|c| !belongs(c)).unwrap_or(rest.len())
}

/// The length of a number, also of one that is not valid, such as `-01.5e`.
fn number_length(rest: &str) -> usize {
    let digits = |at: usize| at + run_length(&rest[at..], |c| c.is_ascii_digit());
    let mut end = digits(usize::from(rest.starts_with('-')));
    if rest[end..].starts_with('.') && digits(end + 1) > end + 1 {
        end = digits(end + 1);
    }
    if rest[end..].starts_with(['e', 'E']) {
        end += 1;
        end = digits(end + usize::from(rest[end..].starts_with(['+', '-'])));
    }
    end
}

/// The length of a string literal with its quotes. Its escapes are those of JSON, except for the quote.
fn string_length(text: &str, start: usize, quote: char) -> Checking<usize> {
    let mut at = start + 1;
    while let Some(character) = text[at..].chars().next() {
        at += match character {
            '\\' => {
                let is_escape = |length: &usize| match text.get(at + 1..at + length) {
                    Some("'" | "\"") => text[at + 1..].starts_with(quote),
                    Some(escape) => {
                        serde_json::from_str::<String>(&format!("\"\\{escape}\"")).is_ok()
                    }
                    None => false,
                };
                // The other escapes are `\uXXXX` and surrogate pairs of these.
                let length = [2, 6, 12].into_iter().find(is_escape);
                length.ok_or_else(|| {
                    SyntaxError::at(at, "an unknown escape, or one half of a surrogate pair")
                })?
            }
            c if c == quote => return Ok(at + 1 - start),
            c if c < ' ' => {
                let message = "a control character in a string must be escaped";
                return Err(SyntaxError::at(at, message));
            }
            c => c.len_utf8(),
        };
    }
    Err(SyntaxError::at(start, "the string is not closed"))
}

/// Reads the tokens once, from left to right.
struct Scan<'t> {
    tokens: Vec<Token<'t>>,
    /// The open brackets and parentheses.
    open: Vec<usize>,
    checked: Checked,
    /// The text for the parser.
    blanked: String,
}

impl Scan<'_> {
    fn check(&mut self, index: usize) -> Checking {
        let token = self.tokens[index];
        let is_behind_word = index > 0 && self.tokens[index - 1].is_word();
        if is_behind_word && token.is_word() {
            // The parser would read `a b` as one name and `1 2` as one number.
            let message = "expected an operator, a separator or the end; a name with a blank in it needs brackets and quotes";
            return self.refuse(index, message);
        }
        match token.text {
            "$" | "@" => self.check_compared_query(index),
            "." | ".." => self.check_dot(index),
            "[" | "(" => self.open(index),
            "]" | ")" => self.close(index),
            _ if token.begins(is_name_first) => self.check_name(index),
            _ if token.begins(|c| c == '-' || c.is_ascii_digit()) => self.check_number(index),
            _ => Ok(()),
        }
    }

    fn check_dot(&self, index: usize) -> Checking {
        let dot = self.tokens[index];
        match self.tokens.get(index + 1) {
            Some(next) if next.start > dot.end() => {
                Err(SyntaxError::at(dot.end(), "no blank may follow a dot"))
            }
            Some(next)
                if next.begins(is_name_first) || matches!(next.text, "*" | "[" | "." | "..") =>
            {
                Ok(())
            }
            Some(_) => self.refuse(
                index + 1,
                "expected a name or `*`; any other name needs brackets and quotes",
            ),
            None => Err(SyntaxError::at(dot.end(), "expected a name or `*`")),
        }
    }

    fn check_name(&mut self, index: usize) -> Checking {
        let Token { start, text } = self.tokens[index];
        if index > 0 && self.text(index - 1).starts_with('.') {
            return match is_shorthand(text) {
                true => Ok(()),
                false => self.refuse(
                    index,
                    "a name that begins or ends with a space needs brackets and quotes",
                ),
            };
        }
        if self.text(index + 1) != "(" {
            return Ok(());
        }
        if !FUNCTIONS.contains(&text) {
            let message = format!(
                "`{text}` is no function; there are {}",
                FUNCTIONS.join(", ")
            );
            return self.refuse(index, message);
        }
        if start + text.len() < self.tokens[index + 1].start {
            let message = "no blank is allowed between a function's name and its parenthesis";
            return Err(SyntaxError::at(start + text.len(), message));
        }
        if matches!(text, "count" | "value") && !matches!(self.text(index + 2), "$" | "@" | "") {
            return self.refuse(index + 2, format!("{text}() takes a query"));
        }
        self.checked.calls.push(start);
        Ok(())
    }

    /// Reads a literal number, whose grammar is that of JSON. An index is left to the parser.
    fn check_number(&mut self, index: usize) -> Checking {
        let Token { start, text } = self.tokens[index];
        let is_index = match self.text(index.wrapping_sub(1)) {
            "[" | ":" => true,
            "," => self.open.last().is_some_and(|open| self.text(*open) == "["),
            _ => false,
        };
        if is_index {
            return match text {
                "-" => self.refuse(index, "not an integer between -(2^53 - 1) and 2^53 - 1"),
                _ => Ok(()),
            };
        }
        match serde_json::from_str(text) {
            Ok(number) if !is_exact_number(text.as_bytes(), &number) => {
                return self.refuse(index, "a number of more digits than can be compared");
            }
            Ok(number) => self.checked.numbers.push(number),
            Err(_) => return self.refuse(index, "not a number that JSON can hold"),
        }
        let blank = format!("{:<1$}", 0, text.len());
        self.blanked
            .replace_range(start..start + text.len(), &blank);
        Ok(())
    }

    /// A query in a comparison must be singular, and its grammar (`singular-query-segments`) allows no blanks inside
    /// brackets.
    fn check_compared_query(&self, index: usize) -> Checking {
        let mut blank = None;
        let mut at = index + 1;
        loop {
            at += match &self.tokens[at..] {
                [dot, name, ..] if dot.text == "." && name.is_word() => 2,
                [open, inner, close, ..]
                    if open.text == "[" && inner.is_word() && close.text == "]" =>
                {
                    let pairs = [(open, inner), (inner, close)];
                    let found = pairs.iter().find(|(one, next)| one.end() < next.start);
                    blank = blank.or(found.map(|(one, _)| one.end()));
                    3
                }
                _ => break,
            };
        }
        let is_right_side = COMPARATORS.contains(&self.text(index.wrapping_sub(1)));
        if is_right_side && matches!(self.text(at), "." | ".." | "[") {
            return self.refuse(at, "a query that is compared must be singular");
        }
        match blank {
            Some(offset) if self.is_compared(index, at) => Err(SyntaxError::at(
                offset,
                "a query in a comparison allows no blanks inside its brackets",
            )),
            _ => Ok(()),
        }
    }

    fn open(&mut self, index: usize) -> Checking {
        if self.open.len() >= MAX_NESTING {
            return self.refuse(index, format!("nested deeper than {MAX_NESTING}"));
        }
        self.open.push(index);
        let calls = self
            .open
            .iter()
            .filter(|open| self.function(**open).is_some());
        if calls.count() > MAX_OPEN_CALLS {
            let message = format!("function calls nested deeper than {MAX_OPEN_CALLS}");
            return self.refuse(index, message);
        }
        Ok(())
    }

    fn close(&mut self, index: usize) -> Checking {
        let pair = self.open.pop().map(|opening| (opening, self.text(opening)));
        let ((Some((opening, "[")), "]") | (Some((opening, "(")), ")")) = (pair, self.text(index))
        else {
            return self.refuse(index, "this closes nothing that is open");
        };
        match self.function(opening) {
            Some(name @ ("match" | "search")) if self.is_compared(opening - 1, index + 1) => self
                .refuse(
                    opening - 1,
                    format!("the result of {name}() cannot be compared"),
                ),
            None if self.text(index) == ")" && COMPARATORS.contains(&self.text(index + 1)) => {
                self.refuse(index + 1, "an expression in parentheses cannot be compared")
            }
            _ => Ok(()),
        }
    }

    /// The name before the parenthesis of a call.
    fn function(&self, opening: usize) -> Option<&str> {
        let name = self.tokens.get(opening.wrapping_sub(1))?;
        (self.text(opening) == "(" && name.begins(is_name_first)).then_some(name.text)
    }

    /// Whether the text between these two tokens is one side of a comparison.
    fn is_compared(&self, start: usize, after: usize) -> bool {
        [start.wrapping_sub(1), after]
            .iter()
            .any(|side| COMPARATORS.contains(&self.text(*side)))
    }

    /// The text of a token; empty if there is no token.
    fn text(&self, index: usize) -> &str {
        self.tokens.get(index).map_or("", |token| token.text)
    }

    fn refuse<T>(&self, index: usize, message: impl Into<String>) -> Checking<T> {
        Err(SyntaxError::at(self.tokens[index].start, message))
    }
}

/// Whether a name may follow a dot without quotes (`member-name-shorthand`).
pub(super) fn is_shorthand(name: &str) -> bool {
    let is_space = |c: char| !c.is_ascii() && c.is_whitespace();
    name.starts_with(is_name_first)
        && name.chars().all(is_name_char)
        && !name.starts_with(is_space)
        && !name.ends_with(is_space)
}

fn is_name_first(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}

fn is_name_char(c: char) -> bool {
    is_name_first(c) || c.is_ascii_digit()
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}
