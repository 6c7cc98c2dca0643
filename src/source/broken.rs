//! The parts of a file that cannot be relied on, so that other checks do not report the consequences of their errors.

use std::borrow::Cow;
use std::ops::Range;

use super::join_index;

/// A part with an error.
#[derive(Debug)]
pub(super) struct Broken {
    /// Its place in the file.
    pub pointer: String,
    /// Its bytes, with its key.
    pub text: Range<usize>,
    /// Whether the text could not even be read as YAML.
    pub is_unread: bool,
}

impl Broken {
    /// Whether this part is the value at the pointer, a part of it, or around it.
    pub(super) fn touches(&self, pointer: &str) -> bool {
        is_within(pointer, &self.pointer) || is_within(&self.pointer, pointer)
    }

    /// Whether this part is the value at the pointer or around it.
    pub(super) fn is_around(&self, pointer: &str) -> bool {
        is_within(pointer, &self.pointer)
    }

    /// Whether this part is in the section at the pointer.
    pub(super) fn is_in(&self, section: &str) -> bool {
        is_within(&self.pointer, section)
    }
}

/// Whether the place is the section itself or a part of it.
fn is_within(pointer: &str, section: &str) -> bool {
    let rest = pointer.strip_prefix(section);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether the text has the word, not as a part of a longer one.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

/// How the value that is checked differs from the file: it was mended, so that the rest of it can be checked.
#[derive(Debug)]
pub(crate) enum Moved {
    /// A value is in another place than in the file, such as under the key that was probably meant.
    Value {
        /// Its place in the value that is checked.
        now: String,
        /// Its place before.
        was: String,
    },
    /// An item of a list is missing, so that those behind it moved.
    Item {
        /// The list.
        list: String,
        /// The index of the missing item.
        index: usize,
    },
}

impl Moved {
    /// The place before of a place now.
    pub(super) fn back<'p>(&self, pointer: Cow<'p, str>) -> Cow<'p, str> {
        match self {
            Moved::Value { now, was } if is_within(&pointer, now) => {
                Cow::Owned(format!("{was}{}", &pointer[now.len()..]))
            }
            Moved::Item { list, index } => match moved_item(&pointer, list, *index) {
                Some(before) => Cow::Owned(before),
                None => pointer,
            },
            Moved::Value { .. } => pointer,
        }
    }
}

fn moved_item(pointer: &str, list: &str, missing: usize) -> Option<String> {
    let inside = pointer.strip_prefix(list)?.strip_prefix('/')?;
    let (token, rest) = inside
        .find('/')
        .map_or((inside, ""), |slash| inside.split_at(slash));
    let index: usize = token.parse().ok()?;
    (index >= missing).then(|| join_index(list, index + 1) + rest)
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn places_lead_back_to_the_file() {
        let moved = [
            Moved::Value {
                now: "/request".into(),
                was: "/reqest".into(),
            },
            Moved::Item {
                list: "/examples".into(),
                index: 1,
            },
        ];
        for (now, was) in [
            ("/request/path", "/reqest/path"),
            ("/request", "/reqest"),
            ("/requests", "/requests"),
            ("/examples/0/name", "/examples/0/name"),
            ("/examples/1", "/examples/2"),
            ("/examples/2/name", "/examples/3/name"),
            ("", ""),
        ] {
            let back = moved.iter().rev();
            let found = back.fold(Cow::Borrowed(now), |pointer, moved| moved.back(pointer));
            assert_eq!(found, was, "{now}");
        }
    }

    #[test]
    fn only_whole_words_count() {
        for (text, word, expected) in [
            ("{{ limit }", "limit", true),
            ("{{ limits }", "limit", false),
            ("a_limit", "limit", false),
            ("limit", "limit", true),
        ] {
            assert_eq!(has_word(text, word), expected, "{text}");
        }
    }
}
