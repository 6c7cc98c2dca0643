//! Reading what can be read of a text with problems, so that the rest of it can be checked in the same run.
//!
//! The lines that cannot be read count as blank: first the line of the problem with what is indented below it; if that
//! does not help, the whole top-level key.

use super::{Document, Limits, Problem, ProblemKind, Span, reader, source};

/// How often lines are blanked. Each time may show a further problem.
const TRIES: usize = 12;

/// What could be read of a text.
pub(crate) struct Partial {
    /// The parts that could be read; `None` if none could.
    pub document: Option<Document>,
    /// The problems, without those that may only be a consequence of another.
    pub problems: Vec<Problem>,
    /// The parts that could not be read, or that were left out.
    pub unread: Vec<Unread>,
}

/// A part of a text that is not in its document.
#[derive(Debug)]
pub(crate) struct Unread {
    /// The place of its value or, where that is not known, of the value around it.
    pub pointer: String,
    /// Its bytes.
    pub span: Span,
    /// Whether the document has something else with this key.
    pub is_double: bool,
}

/// Reads what can be read.
pub(crate) fn read_partly(text: &str, limits: &Limits) -> Partial {
    let mut partial = Partial {
        document: None,
        problems: Vec::new(),
        unread: Vec::new(),
    };
    if source::check(text, limits).is_some_and(|problem| problem.kind != ProblemKind::Syntax) {
        return partial;
    }
    let mut rest = text.to_owned();
    for _ in 0..TRIES {
        let (document, problems) = match source::check(&rest, limits) {
            Some(problem) => (None, vec![problem]),
            None => reader::read_on(&rest, limits),
        };
        let ends_early = |problem: &Problem| {
            use ProblemKind::{Empty, SeveralDocuments, TooDeep, TooLarge, TooMany};
            matches!(
                problem.kind,
                Empty | SeveralDocuments | TooDeep | TooLarge | TooMany
            )
        };
        if problems.iter().any(ends_early) {
            return partial;
        }
        if let Some(document) = document {
            for problem in &problems {
                partial.leave_out(text, problem);
            }
            partial.problems.extend(problems);
            partial.document = Some(document);
            return partial;
        }
        let Some(problem) = problems
            .into_iter()
            .find(|problem| problem.kind == ProblemKind::Syntax)
        else {
            return partial;
        };
        let Some(span) = partial.take(text, &rest, problem) else {
            return partial;
        };
        let blank = |c: char| match c {
            '\n' | '\r' => c.to_string(),
            other => " ".repeat(other.len_utf8()),
        };
        let blanked: String = rest[span.clone()].chars().map(blank).collect();
        rest.replace_range(span, &blanked);
    }
    partial
}

impl Partial {
    /// Chooses the lines to blank because of a problem; `None` if nothing is left.
    fn take(&mut self, text: &str, rest: &str, problem: Problem) -> Option<Span> {
        let block = top_level(rest, problem.span.start)?;
        let is_first = !self
            .unread
            .iter()
            .any(|unread| block.contains(&unread.span.start));
        let lines = below(text, problem.span.start);
        let is_part = lines.start > block.start && lines.end <= block.end;
        let has_more = !rest[lines.clone()].trim().is_empty();
        let span = match is_first && is_part && has_more {
            true => lines,
            false => block,
        };
        self.unread.push(Unread {
            pointer: pointer_to(text, span.start),
            span: span.clone(),
            is_double: false,
        });
        if is_first {
            self.problems.push(problem);
        }
        Some(span)
    }

    /// Notes what the document lacks because of a problem that did not end the reading.
    fn leave_out(&mut self, text: &str, problem: &Problem) {
        let span = below(text, problem.span.start);
        self.unread.push(Unread {
            pointer: pointer_to(text, span.start),
            span,
            is_double: problem.kind == ProblemKind::DuplicateKey,
        });
    }
}

/// The lines of a top-level key around an offset, or of the nearest one before it.
fn top_level(text: &str, at: usize) -> Option<Span> {
    let begins = |line: &str| {
        !line.starts_with([' ', '\t', '#', '\r', '\n', '-', '}', ']']) && !line.is_empty()
    };
    let mut offset = 0;
    let mut block: Option<Span> = None;
    for line in text.split_inclusive('\n') {
        if begins(line) {
            match &block {
                Some(_) if offset > at => break,
                _ => block = Some(offset..offset),
            }
        }
        offset += line.len();
        if let Some(block) = &mut block {
            block.end = offset;
        }
    }
    block
}

/// The line of an offset, with the lines that are indented below it.
fn below(text: &str, at: usize) -> Span {
    let at = source::floor_char_boundary(text, at);
    let start = text[..at].rfind('\n').map_or(0, |found| found + 1);
    let depth = indent(&text[start..]);
    let mut end = start;
    for (i, line) in text[start..].split_inclusive('\n').enumerate() {
        let is_below = line.trim().is_empty() || indent(line) > depth;
        if i > 0 && !is_below {
            break;
        }
        end += line.len();
    }
    start..end
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// The key that a line starts with.
fn key_of(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let (key, _) = line.split_once(':')?;
    let key = key.trim().trim_matches(['"', '\'']);
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '$');
    (!key.is_empty() && key.chars().all(is_plain)).then_some(key)
}

/// The place of the value that starts in a line, by the keys above it with less indentation. It ends at a list.
fn pointer_to(text: &str, start: usize) -> String {
    let own = text[start..].lines().next().unwrap_or_default();
    let mut depth = indent(own);
    let mut keys: Vec<Option<&str>> = vec![key_of(own)];
    for line in text[..start].lines().rev() {
        let is_blank = line.trim().is_empty() || line.trim_start().starts_with('#');
        if depth == 0 || is_blank || indent(line) >= depth {
            continue;
        }
        depth = indent(line);
        keys.push(key_of(line).filter(|_| !line.trim_start().starts_with("- ")));
    }
    let known = keys.into_iter().rev().map_while(|key| key);
    known.map(|key| format!("/{key}")).collect()
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::{Value, json};

    use super::*;

    fn read(text: &str) -> (Value, Vec<String>, usize) {
        let partial = read_partly(text, &Limits::default());
        let value = partial.document.map_or(Value::Null, |found| found.value);
        let places = partial.unread.into_iter().map(|unread| unread.pointer);
        (value, places.collect(), partial.problems.len())
    }

    #[test]
    fn what_is_sound_is_read() {
        for (text, value, places) in [
            (
                "a: 1\nb: {{ x }}\nc: 3\n",
                json!({ "a": 1, "b": {}, "c": 3 }),
                vec!["/b"],
            ),
            (
                "a:\n  b: @x\n  c: 2\nd: 3\n",
                json!({ "a": { "c": 2 }, "d": 3 }),
                vec!["/a/b"],
            ),
            ("a: 1\na: 2\nb: 3\n", json!({ "a": 1, "b": 3 }), vec!["/a"]),
            (
                "a:\n  b: 1\n c: 2\nd: 3\n",
                json!({ "a": { "b": 1 }, "d": 3 }),
                vec!["/a/c"],
            ),
        ] {
            let (found, unread, problems) = read(text);
            assert_eq!(found, value, "{text}");
            assert_eq!(unread, places, "{text}");
            assert_eq!(problems, 1, "{text}");
        }
    }

    #[test]
    fn places_stay_where_they_are() {
        let text = "a: é\nb: {{ ü }}\nc: 3\n";
        let partial = read_partly(text, &Limits::default());
        let spans = partial.document.map(|document| document.spans);
        let span = spans.and_then(|spans| spans.value("/c"));
        assert_eq!(span.map(|span| &text[span]), Some("3"));
    }

    #[test]
    fn nothing_readable_is_nothing() {
        for text in ["", "{", "[1, 2", "\u{1}"] {
            let (value, _, _) = read(text);
            assert!(value.is_null(), "{text:?}: {value}");
        }
    }
}
