//! The tokens of expressions, and where expressions are in a text. Only this file knows how strings are quoted.

use std::ops::Range;

use crate::json::is_exact;

/// A piece of an expression's text. All pieces together are the whole text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub kind: Kind,
    pub range: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Letters, digits and `_`.
    Word,
    /// A quoted string with its quotes. A string that is not closed reaches to the end.
    Text,
    Space,
    /// Any other character.
    Mark(char),
}

/// Splits an expression into tokens.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = Token> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = &text[at..];
        let first = rest.chars().next()?;
        let (kind, length) = match first {
            '"' | '\'' => (Kind::Text, quoted(rest, first)),
            c if is_word(c) => (Kind::Word, word_length(rest)),
            c if c.is_whitespace() => (Kind::Space, rest.len() - rest.trim_start().len()),
            c => (Kind::Mark(c), c.len_utf8()),
        };
        let range = at..at + length;
        at = range.end;
        Some(Token { kind, range })
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of the word that the text starts with.
fn word_length(text: &str) -> usize {
    let is_plain = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
    let length = text.as_bytes().iter().take_while(is_plain).count();
    match text.as_bytes().get(length) {
        // Most words are ASCII.
        None | Some(0..128) => length,
        Some(_) => text.find(|c| !is_word(c)).unwrap_or(text.len()),
    }
}

/// The length of the string that the text starts with.
fn quoted(text: &str, mark: char) -> usize {
    let mut characters = text.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => drop(characters.next()),
            c if c == mark => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// Where a name occurs in an expression as a whole word, outside of strings.
pub(super) fn find_word(text: &str, word: &str) -> Option<Range<usize>> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let strings: Vec<Token> = tokens(text)
        .filter(|token| token.kind == Kind::Text)
        .collect();
    let is_in_string = |at: usize| strings.iter().any(|string| string.range.contains(&at));
    text.match_indices(word)
        .find(|(start, _)| {
            let before = text[..*start].chars().next_back();
            let after = text[start + word.len()..].chars().next();
            !before.is_some_and(is_word)
                && !after.is_some_and(|c| is_word(c) && c != '.')
                && !is_in_string(*start)
        })
        .map(|(start, _)| start..start + word.len())
}

/// The first number in an expression that would lose digits.
pub(super) fn long_number(text: &str) -> Option<Range<usize>> {
    let mut tokens = tokens(text).peekable();
    let mut before = None;
    while let Some(token) = tokens.next() {
        let is_member = before.replace(token.kind) == Some(Kind::Mark('.'));
        let is_digits = |range: Range<usize>| text[range].starts_with(|c: char| c.is_ascii_digit());
        if is_member || token.kind != Kind::Word || !is_digits(token.range.clone()) {
            continue;
        }
        let mut range = token.range;
        if let Some(point) = tokens.next_if(|next| next.kind == Kind::Mark('.')) {
            before = Some(point.kind);
            if let Some(fraction) = tokens.next_if(|next| is_digits(next.range.clone())) {
                before = Some(fraction.kind);
                range.end = fraction.range.end;
            }
        }
        if !is_exact(&text[range.clone()].replace('_', "")) {
            return Some(range);
        }
    }
    None
}

/// A part of a string with `{{ }}`.
pub(super) enum Split {
    Text(String),
    /// The text between the braces.
    Expression(Range<usize>),
}

pub(super) type SplitError = (Range<usize>, String, Option<String>);

/// The longest expression, in bytes. The parser is recursive, and a long expression could exhaust the stack.
const LONGEST_EXPRESSION: usize = 1024;

/// Splits a string at its `{{ }}`.
pub(super) fn split(text: &str) -> Result<Vec<Split>, SplitError> {
    let pieces = split_unchecked(text)?;
    let mut rest = 0;
    for piece in &pieces {
        match piece {
            Split::Text(plain) => {
                // Most texts have no brace at all, and to look for one byte is quicker than to prepare for two.
                let mut closing = plain.match_indices('}').map(|(at, _)| at);
                if let Some(at) = closing.find(|at| plain[at + 1..].starts_with('}')) {
                    return Err((
                        rest + at..rest + at + 2,
                        "`}}` closes an expression that is never opened".to_owned(),
                        Some("open it with `{{`, or write `{{ '}}' }}` for the text".to_owned()),
                    ));
                }
                rest += plain.len();
            }
            Split::Expression(range) if range.len() > LONGEST_EXPRESSION => {
                return Err((
                    range.start..range.start + 1,
                    format!("the expression is longer than {LONGEST_EXPRESSION} bytes"),
                    Some(
                        "compute parts of it under `let`, or leave them to the service".to_owned(),
                    ),
                ));
            }
            Split::Expression(range) => rest = range.end + 2,
        }
    }
    Ok(pieces)
}

fn split_unchecked(text: &str) -> Result<Vec<Split>, SplitError> {
    let mut pieces = Vec::new();
    let mut rest = 0;
    while let Some(open) = text[rest..].find('{').map(|at| at + rest) {
        match text.as_bytes().get(open + 1) {
            Some(b'{') => {
                let end = expression_end(text, open + 2).ok_or_else(|| {
                    (
                        open..open + 2,
                        "`{{` is never closed".to_owned(),
                        Some("close the expression with `}}`".to_owned()),
                    )
                })?;
                if open > rest || has_pending(&pieces) {
                    push_text(&mut pieces, &text[rest..open]);
                }
                pieces.push(Split::Expression(open + 2..end));
                rest = end + 2;
            }
            Some(b'%' | b'#') => {
                return Err((
                    open..open + 2,
                    "statements and comments are not supported in templates".to_owned(),
                    Some("write an expression, such as `{{ a if b else c }}`".to_owned()),
                ));
            }
            _ => {
                push_text(&mut pieces, &text[rest..=open]);
                rest = open + 1;
            }
        }
    }
    if rest < text.len() {
        push_text(&mut pieces, &text[rest..]);
    }
    Ok(pieces)
}

fn has_pending(pieces: &[Split]) -> bool {
    matches!(pieces.last(), Some(Split::Text(_)))
}

fn push_text(pieces: &mut Vec<Split>, text: &str) {
    match pieces.last_mut() {
        Some(Split::Text(last)) => last.push_str(text),
        _ if text.is_empty() => {}
        _ => pieces.push(Split::Text(text.to_owned())),
    }
}

/// The offset of the `}}` that closes the expression. Strings and braces inside it are skipped.
fn expression_end(text: &str, start: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for token in tokens(&text[start..]) {
        match token.kind {
            Kind::Mark('{') => depth += 1,
            Kind::Mark('}') if depth > 0 => depth -= 1,
            Kind::Mark('}') if text[start + token.range.end..].starts_with('}') => {
                return Some(start + token.range.start);
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn tokens_are_the_whole_text() {
        for (text, expected) in [
            ("a_1 | b", "w m w"),
            (r#"x["a\"]b"] ~ 'é'"#, "w m t m m t"),
            ("'never closed", "t"),
            ("'ends with a backslash\\", "t"),
            ("1.5 is é", "w m w w w"),
            ("", ""),
        ] {
            let tokens: Vec<Token> = tokens(text).collect();
            let whole: String = tokens.iter().map(|t| &text[t.range.clone()]).collect();
            assert_eq!(whole, text);
            let kinds: Vec<&str> = tokens
                .iter()
                .filter_map(|token| match token.kind {
                    Kind::Word => Some("w"),
                    Kind::Text => Some("t"),
                    Kind::Mark(_) => Some("m"),
                    Kind::Space => None,
                })
                .collect();
            assert_eq!(kinds.join(" "), expected, "{text}");
        }
    }

    #[test]
    fn a_word_is_found_outside_of_strings() {
        assert_eq!(find_word("'b' ~ b.c ~ b", "b"), Some(6..7));
        assert_eq!(find_word("ab ~ 'b'", "b"), None);
    }
}
