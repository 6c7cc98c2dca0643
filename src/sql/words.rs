//! The words of a query, as far as its names with a schema are concerned.

/// A name with another one before it: `before.after`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Qualified {
    pub before: String,
    pub after: String,
    /// Whether it surely names a table, because it stands behind `from` or `join`.
    pub is_table: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Word {
    Name(String),
    Dot,
    Other,
}

/// The qualified names of a query.
pub(super) fn qualified(text: &str) -> Vec<Qualified> {
    let words = words(text);
    let mut found = Vec::new();
    for (at, window) in words.windows(3).enumerate() {
        let [Word::Name(before), Word::Dot, Word::Name(after)] = window else {
            continue;
        };
        let leads = match at.checked_sub(1).and_then(|at| words.get(at)) {
            Some(Word::Name(word)) => {
                word.eq_ignore_ascii_case("from") || word.eq_ignore_ascii_case("join")
            }
            _ => false,
        };
        found.push(Qualified {
            before: before.clone(),
            after: after.clone(),
            is_table: leads,
        });
    }
    found
}

fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '\'' => {
                words.push(Word::Other);
                quoted(rest, '\'').1
            }
            '"' | '`' | '[' => {
                let end = if first == '[' { ']' } else { first };
                let (name, taken) = quoted(rest, end);
                words.push(Word::Name(name));
                taken
            }
            '-' if rest.starts_with("--") => rest.find('\n').map_or(rest.len(), |end| end + 1),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '.' => {
                words.push(Word::Dot);
                1
            }
            c if c.is_whitespace() => c.len_utf8(),
            c if c.is_alphabetic() || c == '_' => {
                let is_in = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
                let end = rest.find(|c| !is_in(c)).unwrap_or(rest.len());
                words.push(Word::Name(rest[..end].to_owned()));
                end
            }
            c => {
                words.push(Word::Other);
                c.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    words
}

/// What stands between quotes at the beginning of a text, and how long it is with them. A quote within is doubled.
fn quoted(text: &str, end: char) -> (String, usize) {
    let mut inner = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != end {
            inner.push(c);
            continue;
        }
        match chars.peek() {
            Some((_, next)) if *next == end && end != ']' => {
                inner.push(c);
                chars.next();
            }
            _ => return (inner, at + c.len_utf8()),
        }
    }
    (inner, text.len())
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn names_with_schemas_are_found() {
        for (text, found) in [
            ("select a.b from c", vec![("a", "b", false)]),
            ("select 1 from a.b", vec![("a", "b", true)]),
            ("select 1 from \"a-c\" . \"b\"", vec![("a-c", "b", true)]),
            ("select 1 from x JOIN [a].`b`", vec![("a", "b", true)]),
            (
                "select 'from a.b', 1.5 -- from a.b\n /* from a.b */ from c",
                vec![],
            ),
            ("select 1 from a, b.c", vec![("b", "c", false)]),
            ("select \"a\"\"b\".c", vec![("a\"b", "c", false)]),
            ("select 'it''s' from a.b", vec![("a", "b", true)]),
            ("select 'open", vec![]),
        ] {
            let names = qualified(text);
            let names: Vec<(&str, &str, bool)> = names
                .iter()
                .map(|name| (name.before.as_str(), name.after.as_str(), name.is_table))
                .collect();
            assert_eq!(names, found, "{text}");
        }
    }
}
