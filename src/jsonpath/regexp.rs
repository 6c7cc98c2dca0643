//! The regular expressions of `match()` and `search()`: I-Regexp (RFC 9485), run by the `regex` crate.
//!
//! Patterns are mapped to the crate's dialect as the RFC describes. What the dialect has beyond I-Regexp (`\d`, or `^`
//! as an anchor) is not refused. The `regex` crate runs in time linear in the subject.

use std::collections::HashMap;

use regex::{Regex, RegexBuilder};

/// How much of the subject a regular expression has to match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// `match()`
    Whole,
    /// `search()`
    Part,
}

/// A pattern may come from a response, so its compiled program must stay small.
const MAX_COMPILED_BYTES: usize = 1 << 20;

/// Most computed patterns that one run keeps compiled.
const MAX_CACHED: usize = 32;

/// Compiles an I-Regexp; `None` if it is not valid.
pub(super) fn compile(pattern: &str, extent: Extent) -> Option<Regex> {
    let translated = translate(pattern)?;
    let source = match extent {
        Extent::Whole => format!(r"\A(?:{translated})\z"),
        Extent::Part => translated,
    };
    RegexBuilder::new(&source)
        .size_limit(MAX_COMPILED_BYTES)
        .build()
        .ok()
}

/// Rewrites an I-Regexp for the `regex` crate: a dot matches no line end (RFC 9485, section 5), and in a class `[`, `&`
/// and `~` are plain characters, not set operators.
///
/// `None` if a closing parenthesis has no opening one: it would close the group that is put around the pattern for
/// `match()`.
fn translate(pattern: &str) -> Option<String> {
    let mut translated = String::with_capacity(pattern.len() + 8);
    let mut in_class = false;
    let mut groups = 0_usize;
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match (character, in_class) {
            ('\\', _) => {
                translated.push(character);
                translated.extend(characters.next());
                continue;
            }
            ('.', false) => {
                translated.push_str(r"[^\n\r]");
                continue;
            }
            ('[' | '&' | '~', true) => translated.push('\\'),
            ('[', false) => in_class = true,
            (']', true) => in_class = false,
            ('(', false) => groups += 1,
            (')', false) => groups = groups.checked_sub(1)?,
            _ => {}
        }
        translated.push(character);
    }
    Some(translated)
}

/// The computed patterns of one run. Most queries have few, which are the same for every node.
#[derive(Debug, Default)]
pub(super) struct Cache {
    whole: HashMap<String, Option<Regex>>,
    part: HashMap<String, Option<Regex>>,
}

impl Cache {
    /// Whether the pattern is compiled already.
    pub(crate) fn has(&self, pattern: &str, extent: Extent) -> bool {
        match extent {
            Extent::Whole => self.whole.contains_key(pattern),
            Extent::Part => self.part.contains_key(pattern),
        }
    }

    pub(crate) fn is_match(&mut self, pattern: &str, extent: Extent, subject: &str) -> bool {
        let compiled = match extent {
            Extent::Whole => &mut self.whole,
            Extent::Part => &mut self.part,
        };
        if !compiled.contains_key(pattern) {
            if compiled.len() >= MAX_CACHED {
                compiled.clear();
            }
            compiled.insert(pattern.to_owned(), compile(pattern, extent));
        }
        matches!(compiled.get(pattern), Some(Some(regex)) if regex.is_match(subject))
    }
}
