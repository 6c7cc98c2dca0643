//! The tokens of a query's text. Strings and their escapes are checked here, all else is in `text`.

use super::SyntaxError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Root,
    Current,
    Dot,
    DotDot,
    Open,
    Close,
    OpenParen,
    CloseParen,
    Comma,
    Question,
    Comparator,
    /// A mark that needs no check here.
    Mark,
    Name,
    Number,
    Text,
}

/// Marks, the longer before its beginnings.
const MARKS: [(&str, Kind); 21] = [
    ("..", Kind::DotDot),
    (".", Kind::Dot),
    ("$", Kind::Root),
    ("@", Kind::Current),
    ("[", Kind::Open),
    ("]", Kind::Close),
    ("(", Kind::OpenParen),
    (")", Kind::CloseParen),
    (",", Kind::Comma),
    ("?", Kind::Question),
    ("==", Kind::Comparator),
    ("!=", Kind::Comparator),
    ("<=", Kind::Comparator),
    (">=", Kind::Comparator),
    ("<", Kind::Comparator),
    (">", Kind::Comparator),
    ("!", Kind::Mark),
    ("&&", Kind::Mark),
    ("||", Kind::Mark),
    ("*", Kind::Mark),
    (":", Kind::Mark),
];

#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

/// Splits a text into tokens. A number or name that no query could have is a token too.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, SyntaxError> {
    let mut tokens = Vec::new();
    let mut start = 0;
    loop {
        let rest = text[start..].trim_start_matches(is_blank);
        start = text.len() - rest.len();
        let Some(first) = rest.chars().next() else {
            return Ok(tokens);
        };
        let (kind, length) = match first {
            '\'' | '"' => (Kind::Text, text_length(text, start, first)?),
            '-' | '0'..='9' => (Kind::Number, number_length(rest)),
            _ if is_name_first(first) => (Kind::Name, run_length(rest, is_name_char)),
            _ => mark(rest)
                .ok_or_else(|| SyntaxError::at(start, format!("unexpected character {first:?}")))?,
        };
        let end = start + length;
        tokens.push(Token { kind, start, end });
        start = end;
    }
}

fn mark(rest: &str) -> Option<(Kind, usize)> {
    MARKS
        .iter()
        .find(|(mark, _)| rest.starts_with(mark))
        .map(|(mark, kind)| (*kind, mark.len()))
}

fn run_length(rest: &str, belongs: impl Fn(char) -> bool) -> usize {
    rest.find(|c| !belongs(c)).unwrap_or(rest.len())
}

/// The length of what is meant as a number, valid or not: `-01.5e` is one.
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

/// The length of a string literal with its quotes.
fn text_length(text: &str, start: usize, quote: char) -> Result<usize, SyntaxError> {
    let mut at = start + 1;
    while let Some(character) = text[at..].chars().next() {
        at += match character {
            '\\' => escape_length(text, at, quote)?,
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

fn escape_length(text: &str, at: usize, quote: char) -> Result<usize, SyntaxError> {
    let invalid = |message| Err(SyntaxError::at(at, message));
    match text[at + 1..].chars().next() {
        Some('b' | 'f' | 'n' | 'r' | 't' | '/' | '\\') => Ok(2),
        Some(c) if c == quote => Ok(2),
        Some('u') => {
            let unit = |at: usize| text.get(at..).and_then(code_unit);
            match (unit(at), unit(at + 6)) {
                (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => Ok(12),
                (Some(0xD800..=0xDFFF), _) => invalid("a surrogate without its other half"),
                (Some(_), _) => Ok(6),
                (None, _) => invalid("`\\u` takes four hexadecimal digits"),
            }
        }
        _ => invalid("an unknown escape"),
    }
}

/// The UTF-16 code unit of a `\uXXXX` escape.
fn code_unit(rest: &str) -> Option<u16> {
    let digits = rest.strip_prefix(r"\u")?.get(..4)?;
    let hexadecimal = digits.bytes().all(|b| b.is_ascii_hexdigit());
    hexadecimal.then(|| u16::from_str_radix(digits, 16).ok())?
}

/// Whether a name may follow a dot as it is (`member-name-shorthand`).
pub(super) fn is_shorthand(name: &str) -> bool {
    let ends_in_space = |c: char| !c.is_ascii() && c.is_whitespace();
    name.starts_with(is_name_first)
        && name.chars().all(is_name_char)
        && !name.starts_with(ends_in_space)
        && !name.ends_with(ends_in_space)
}

fn is_name_first(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}

fn is_name_char(c: char) -> bool {
    is_name_first(c) || c.is_ascii_digit()
}

pub(super) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}
