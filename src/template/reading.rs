//! The parts of an expression, read from its tokens, so that each can be checked at its own place.
//!
//! It reads the expressions that minijinja has accepted. What it does not know, it refuses, and then the expression is
//! not checked.

use std::ops::Range;

use super::lexer::{Kind, Token, tokens};

/// A part of an expression, and where it is in the text.
#[derive(Debug)]
pub(super) struct Part {
    pub range: Range<usize>,
    pub form: Form,
}

/// What a part is.
#[derive(Debug)]
pub(super) enum Form {
    /// A number, a string or another word for a value. minijinja reads it.
    Literal,
    Name(String),
    List(Vec<Part>),
    Map(Vec<Part>),
    Member(Box<Part>, String),
    Index(Box<Part>, Box<Part>),
    Slice(Box<Part>, Vec<Part>),
    Call(Box<Part>, Vec<Argument>),
    Filter(Box<Part>, String, Vec<Argument>),
    Test(Box<Part>, String, Vec<Argument>),
    /// `-x`.
    Minus(Box<Part>),
    /// `not x`.
    Not(Box<Part>),
    /// An operator whose operands are both needed.
    Operator(&'static str, Box<Part>, Box<Part>),
    /// One of several: `or`, `and`, `if`. The first is a condition if there are three.
    Choice(Vec<Part>),
}

/// An argument, and its name if it has one.
#[derive(Debug)]
pub(super) struct Argument {
    pub name: Option<String>,
    pub value: Part,
}

/// Reads an expression; `None` if it has something that is not known here.
pub(super) fn read(text: &str) -> Option<Part> {
    let tokens = tokens(text).filter(|token| token.kind != Kind::Space);
    let mut reader = Reader {
        text,
        tokens: tokens.collect(),
        at: 0,
    };
    let part = reader.whole()?;
    (reader.at == reader.tokens.len()).then_some(part)
}

struct Reader<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    at: usize,
}

impl Reader<'_> {
    fn token(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead)
    }

    fn word(&self) -> Option<&str> {
        let token = self.token(0).filter(|token| token.kind == Kind::Word)?;
        Some(&self.text[token.range.clone()])
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let is_there = self.word() == Some(word);
        self.at += usize::from(is_there);
        is_there
    }

    /// Takes marks that stand side by side.
    fn takes(&mut self, marks: &str) -> bool {
        let mut end = None;
        for (i, mark) in marks.chars().enumerate() {
            let Some(token) = self.token(i).filter(|token| token.kind == Kind::Mark(mark)) else {
                return false;
            };
            if end.is_some_and(|end| end != token.range.start) {
                return false;
            }
            end = Some(token.range.end);
        }
        self.at += marks.len();
        true
    }

    fn start(&self) -> usize {
        self.token(0)
            .map_or(self.text.len(), |token| token.range.start)
    }

    fn part(&self, start: usize, form: Form) -> Part {
        let last = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        let end = last.map_or(start, |token| token.range.end);
        Part {
            range: start..end,
            form,
        }
    }

    fn whole(&mut self) -> Option<Part> {
        let start = self.start();
        let mut part = self.either()?;
        while self.takes_word("if") {
            let mut choice = vec![self.either()?, part];
            if self.takes_word("else") {
                choice.push(self.whole()?);
            }
            part = self.part(start, Form::Choice(choice));
        }
        Some(part)
    }

    fn either(&mut self) -> Option<Part> {
        let start = self.start();
        let mut part = self.both()?;
        while self.takes_word("or") {
            let other = self.both()?;
            part = self.part(start, Form::Choice(vec![part, other]));
        }
        Some(part)
    }

    fn both(&mut self) -> Option<Part> {
        let start = self.start();
        let mut part = self.not()?;
        while self.takes_word("and") {
            let other = self.not()?;
            part = self.part(start, Form::Choice(vec![part, other]));
        }
        Some(part)
    }

    fn not(&mut self) -> Option<Part> {
        let start = self.start();
        if self.takes_word("not") {
            let part = self.not()?;
            return Some(self.part(start, Form::Not(Box::new(part))));
        }
        self.compared()
    }

    fn compared(&mut self) -> Option<Part> {
        let start = self.start();
        let mut part = self.operators(0)?;
        loop {
            let operator = ["==", "!=", "<=", ">=", "<", ">"];
            let operator = operator.into_iter().find(|marks| self.takes(marks));
            let operator = match operator {
                Some(operator) => operator,
                None if self.takes_word("in") => "in",
                None if self.word() == Some("not") => {
                    self.at += 1;
                    if !self.takes_word("in") {
                        return None;
                    }
                    "in"
                }
                None => return Some(part),
            };
            let other = self.operators(0)?;
            let form = Form::Operator(operator, Box::new(part), Box::new(other));
            part = self.part(start, form);
        }
    }

    fn operators(&mut self, level: usize) -> Option<Part> {
        const LEVELS: [&[&str]; 4] = [&["+", "-"], &["~"], &["//", "*", "/", "%"], &["**"]];
        let Some(operators) = LEVELS.get(level) else {
            return self.signed();
        };
        let start = self.start();
        let mut part = self.operators(level + 1)?;
        loop {
            // `**` is no `*`.
            let is_power = matches!((self.token(0), self.token(1)),
                (Some(a), Some(b)) if a.kind == Kind::Mark('*') && b.kind == Kind::Mark('*'));
            if is_power && level != 3 {
                return Some(part);
            }
            let Some(operator) = operators.iter().find(|marks| self.takes(marks)) else {
                return Some(part);
            };
            let other = self.operators(level + 1)?;
            let form = Form::Operator(operator, Box::new(part), Box::new(other));
            part = self.part(start, form);
        }
    }

    fn signed(&mut self) -> Option<Part> {
        let start = self.start();
        if self.takes("-") {
            let part = self.signed()?;
            return Some(self.part(start, Form::Minus(Box::new(part))));
        }
        let part = self.primary()?;
        self.applied(part)
    }

    /// Members, calls, filters and tests behind a part.
    fn applied(&mut self, mut part: Part) -> Option<Part> {
        let start = part.range.start;
        loop {
            let form = if self.takes(".") {
                let name = self.word()?.to_owned();
                self.at += 1;
                Form::Member(Box::new(part), name)
            } else if self.takes("[") {
                self.subscript(part)?
            } else if self.takes("(") {
                Form::Call(Box::new(part), self.arguments()?)
            } else if self.takes("|") {
                let name = self.word()?.to_owned();
                self.at += 1;
                let arguments = match self.takes("(") {
                    true => self.arguments()?,
                    false => Vec::new(),
                };
                Form::Filter(Box::new(part), name, arguments)
            } else if self.takes_word("is") {
                self.takes_word("not");
                let name = self.word()?.to_owned();
                self.at += 1;
                let arguments = match self.takes("(") {
                    true => self.arguments()?,
                    false => self.bare_argument()?,
                };
                Form::Test(Box::new(part), name, arguments)
            } else {
                return Some(part);
            };
            part = self.part(start, form);
        }
    }

    /// The argument of a test without parentheses, as in `x is divisibleby 3`.
    fn bare_argument(&mut self) -> Option<Vec<Argument>> {
        const WORDS: [&str; 8] = ["and", "or", "if", "else", "is", "in", "not", ""];
        let is_value = match self.token(0).map(|token| token.kind) {
            Some(Kind::Text) => true,
            Some(Kind::Word) => !WORDS.contains(&self.word().unwrap_or_default()),
            _ => false,
        };
        if !is_value {
            return Some(Vec::new());
        }
        let value = self.primary()?;
        Some(vec![Argument { name: None, value }])
    }

    fn subscript(&mut self, part: Part) -> Option<Form> {
        let mut bounds = Vec::new();
        let mut is_slice = false;
        while !self.takes("]") {
            match self.takes(":") {
                true => is_slice = true,
                false => bounds.push(self.whole()?),
            }
        }
        match is_slice {
            true => Some(Form::Slice(Box::new(part), bounds)),
            false => Some(Form::Index(Box::new(part), Box::new(bounds.pop()?))),
        }
    }

    fn arguments(&mut self) -> Option<Vec<Argument>> {
        let mut arguments = Vec::new();
        while !self.takes(")") {
            let is_named = self.word().is_some()
                && matches!(self.token(1), Some(token) if token.kind == Kind::Mark('='))
                && !matches!(self.token(2), Some(token) if token.kind == Kind::Mark('='));
            let name = match is_named {
                true => {
                    let name = self.word()?.to_owned();
                    self.at += 2;
                    Some(name)
                }
                false => None,
            };
            let value = self.whole()?;
            arguments.push(Argument { name, value });
            if !self.takes(",") && self.token(0)?.kind != Kind::Mark(')') {
                return None;
            }
        }
        Some(arguments)
    }

    fn primary(&mut self) -> Option<Part> {
        const VALUES: [&str; 6] = ["true", "false", "none", "True", "False", "None"];
        let start = self.start();
        let token = self.token(0)?.clone();
        self.at += 1;
        let form = match token.kind {
            Kind::Text => Form::Literal,
            Kind::Word => {
                let word = &self.text[token.range.clone()];
                let is_number = word.starts_with(|c: char| c.is_ascii_digit());
                if is_number && self.takes(".") {
                    self.at += 1;
                }
                match is_number || VALUES.contains(&word) {
                    true => Form::Literal,
                    false => Form::Name(word.to_owned()),
                }
            }
            Kind::Mark('[') => Form::List(self.items(']')?),
            Kind::Mark('{') => Form::Map(self.entries()?),
            Kind::Mark('(') => {
                let inner = self.whole()?;
                if !self.takes(")") {
                    return None;
                }
                return Some(self.part(start, inner.form));
            }
            _ => return None,
        };
        Some(self.part(start, form))
    }

    fn items(&mut self, close: char) -> Option<Vec<Part>> {
        let close = close.to_string();
        let mut items = Vec::new();
        while !self.takes(&close) {
            items.push(self.whole()?);
            if !self.takes(",") && !self.text[self.start()..].starts_with(&close) {
                return None;
            }
        }
        Some(items)
    }

    /// The values of a map.
    fn entries(&mut self) -> Option<Vec<Part>> {
        let mut values = Vec::new();
        while !self.takes("}") {
            self.whole()?;
            if !self.takes(":") {
                return None;
            }
            values.push(self.whole()?);
            if !self.takes(",") && !self.text[self.start()..].starts_with('}') {
                return None;
            }
        }
        Some(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_read_to_their_end() {
        for text in [
            "a",
            "a.b[0]['x'] | join(', ')",
            "(a or 1) + -2.5 * b ** 2 // 3 ~ 'x'",
            "a if b is defined and b not in [1, 2] else {'k': a}.k",
            "items | map(attribute='id') | select | list",
            "x[1:] ~ x[:2] ~ x[::2]",
            "not a.b is none",
            "n is divisibleby(3) or n is divisibleby 3",
            "range(3) | sum",
        ] {
            assert!(read(text).is_some(), "{text}");
        }
        for text in ["", "a +", "a b", "(a", "[1", "{1}"] {
            assert!(read(text).is_none(), "{text}");
        }
    }
}
