//! Expressions, taken apart without the code of the checker.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::spots::{Descriptor, Spot};

/// What a token of an expression is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name, a keyword or a number.
    Word,
    /// A text in quotes.
    Text,
    /// An operator or a bracket.
    Mark,
}

/// A token: its kind, and its place in the file.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub kind: Kind,
    pub range: Range<usize>,
    pub text: String,
}

/// What stands between a pair of braces.
#[derive(Debug)]
pub(super) struct Braces<'d> {
    /// The value that holds it.
    pub spot: &'d Spot,
    /// Its place in the file, without the braces.
    pub range: Range<usize>,
    pub tokens: Vec<Token>,
    /// Whether the value is nothing but this.
    pub is_whole: bool,
}

/// Words that are no names.
const KEYWORDS: [&str; 13] = [
    "true", "false", "none", "True", "False", "None", "and", "or", "not", "in", "is", "if", "else",
];

/// Whether a value may hold expressions: not in examples and schemas.
pub(super) fn is_computed(spot: &Spot) -> bool {
    let has_braces = spot.json.as_str().is_some_and(|text| text.contains("{{"));
    let is_literal = spot.path.iter().any(|token| token == "literal");
    let is_schema = spot.is("/response/schema/**");
    has_braces
        && !is_literal
        && !is_schema
        && !["examples", "params"].contains(&spot.path[0].as_str())
}

/// All expressions of a file.
pub(super) fn all(descriptor: &Descriptor) -> Vec<Braces<'_>> {
    static BRACES: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?s)\{\{(.*?)\}\}").expect("a pattern"));
    let mut found = Vec::new();
    for spot in descriptor.spots.iter().filter(|spot| is_computed(spot)) {
        let raw = &descriptor.text[spot.value.clone()];
        let whole = raw.trim_matches(['"', '\'']);
        for capture in BRACES.captures_iter(raw) {
            let inner = capture.get(1).expect("the group takes part");
            let range = spot.value.start + inner.start()..spot.value.start + inner.end();
            found.push(Braces {
                tokens: tokens(&descriptor.text, range.clone()),
                is_whole: capture[0].len() == whole.len(),
                range,
                spot,
            });
        }
    }
    found
}

/// The tokens in a range of a text.
fn tokens(text: &str, range: Range<usize>) -> Vec<Token> {
    static TOKEN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r#"(?s)(\d+\.\d+|[A-Za-z_0-9]+)|(\\"(?:[^\\]|\\[^"])*?\\"|'(?:[^'])*'|"[^"]*")|(==|!=|<=|>=|//|\*\*|[^\s\w])"#,
        )
        .expect("a pattern")
    });
    let start = range.start;
    let found = TOKEN.captures_iter(&text[range]);
    let tokens = found.map(|capture| {
        let whole = capture.get(0).expect("a match");
        let kind = match (capture.get(1), capture.get(2)) {
            (Some(_), _) => Kind::Word,
            (_, Some(_)) => Kind::Text,
            _ => Kind::Mark,
        };
        Token {
            kind,
            range: start + whole.start()..start + whole.end(),
            text: whole.as_str().to_owned(),
        }
    });
    tokens.collect()
}

impl Braces<'_> {
    pub(super) fn text_at(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &token.text)
    }

    fn before(&self, at: usize) -> &str {
        at.checked_sub(1).map_or("", |at| self.text_at(at))
    }

    /// The names that the expression reads, with `params` and `settings` each with its member behind it.
    pub(super) fn names(&self) -> Vec<&Token> {
        let is_name = |at: usize| {
            let token = &self.tokens[at];
            let starts = token
                .text
                .starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            let is_free = token.kind == Kind::Word && starts && !KEYWORDS.contains(&&*token.text);
            let next = self.text_at(at + 1);
            let is_called = next == "(";
            let is_key = next == "=";
            let is_operation = ["|", "."].contains(&self.before(at))
                || self.before(at) == "is"
                || (self.before(at) == "not" && at > 1 && self.text_at(at - 2) == "is");
            let is_member = self.before(at) == "."
                && at > 1
                && ["params", "settings"].contains(&self.text_at(at - 2))
                && (at < 3 || self.text_at(at - 3) != ".");
            is_free && !is_key && (is_member || (!is_operation && !is_called))
        };
        (0..self.tokens.len())
            .filter(|at| is_name(*at))
            .map(|at| &self.tokens[at])
            .collect()
    }

    /// The filters, as places of their names among the tokens.
    pub(super) fn filters(&self) -> Vec<usize> {
        (1..self.tokens.len())
            .filter(|at| self.tokens[*at].kind == Kind::Word && self.text_at(at - 1) == "|")
            .collect()
    }

    /// The token that closes the parenthesis at a place.
    pub(super) fn closing(&self, open: usize) -> Option<&Token> {
        let mut depth = 0_usize;
        for token in &self.tokens[open..] {
            match &*token.text {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.checked_sub(1)?,
                _ => {}
            }
            if depth == 0 {
                return Some(token);
            }
        }
        None
    }

    /// The param that the expression is, and nothing else.
    pub(super) fn bare_param<'d>(&self, descriptor: &'d Descriptor) -> Option<&'d Value> {
        let [only] = &self.tokens[..] else {
            return None;
        };
        Some(
            &descriptor
                .at(&format!("/params/properties/{}", only.text))?
                .json,
        )
    }
}
