//! What stands at the cursor within `{{ }}`.

use std::ops::Range;

/// A name in an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot {
    /// The names before it, as far as they lead to it: `settings` in `settings.region`.
    pub chain: Vec<String>,
    /// The bytes of the name in the text.
    pub word: Range<usize>,
    pub role: Role,
}

/// What a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A value, or a member of one.
    Name,
    /// Behind a bar.
    Filter,
    /// Behind `is`.
    Test,
}

/// The name at the cursor in the expression of a scalar; `None` outside of expressions, and in texts within them.
pub(super) fn spot(text: &str, scalar: &Range<usize>, cursor: usize) -> Option<Spot> {
    let begin = begin(text, scalar, cursor)?;
    let expression = &text[begin..cursor];
    if in_text(expression) {
        return None;
    }
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let start = begin + expression.trim_end_matches(is_word).len();
    let behind = &text[cursor..scalar.end.max(cursor)];
    let end = cursor + (behind.len() - behind.trim_start_matches(is_word).len());
    let mut rest = &text[begin..start];
    let mut chain = Vec::new();
    while let Some(outer) = rest.strip_suffix('.') {
        // Behind `[0]`, its list's members follow.
        let outer = match outer.strip_suffix(']') {
            Some(inner) => &inner[..inner.rfind('[')?],
            None => outer,
        };
        let name = &outer[outer.trim_end_matches(is_word).len()..];
        if name.is_empty() {
            // A member of what a filter or a call gives.
            return None;
        }
        chain.insert(0, name.to_owned());
        rest = &outer[..outer.len() - name.len()];
    }
    let trimmed = rest.trim_end();
    let last = &trimmed[trimmed.trim_end_matches(is_word).len()..];
    let before_last = trimmed[..trimmed.len() - last.len()].trim_end();
    let is_test = last == "is" || (last == "not" && before_last.ends_with("is"));
    let role = match chain.is_empty() {
        true if trimmed.ends_with('|') => Role::Filter,
        true if is_test && rest.len() > trimmed.len() => Role::Test,
        _ => Role::Name,
    };
    Some(Spot {
        chain,
        word: start..end,
        role,
    })
}

/// Whether the cursor is within `{{ }}`.
pub(super) fn is_inside(text: &str, scalar: &Range<usize>, cursor: usize) -> bool {
    begin(text, scalar, cursor).is_some()
}

/// Where the expression at the cursor begins.
fn begin(text: &str, scalar: &Range<usize>, cursor: usize) -> Option<usize> {
    let before = text.get(scalar.start..cursor)?;
    let open = before.rfind("{{")?;
    let is_closed = before[open..].contains("}}");
    (!is_closed).then_some(scalar.start + open + 2)
}

/// Whether the end of an expression is within a quoted text.
fn in_text(expression: &str) -> bool {
    let mut open: Option<char> = None;
    let mut characters = expression.chars();
    while let Some(c) = characters.next() {
        match (open, c) {
            (Some(_), '\\') => drop(characters.next()),
            (Some(quote), c) if c == quote => open = None,
            (None, '"' | '\'') => open = Some(c),
            _ => {}
        }
    }
    open.is_some()
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn names_have_their_roles() {
        for (text, expected) in [
            ("\"{{ ¦", Some(("", Role::Name, ""))),
            ("\"{{ li¦mit }}\"", Some(("", Role::Name, "limit"))),
            ("\"{{ settings.re¦", Some(("settings", Role::Name, "re"))),
            ("\"{{ body.data[0].¦", Some(("body.data", Role::Name, ""))),
            ("\"{{ x | up¦", Some(("", Role::Filter, "up"))),
            ("\"{{ x |¦", Some(("", Role::Filter, ""))),
            ("\"{{ x is de¦", Some(("", Role::Test, "de"))),
            ("\"{{ x is not ¦", Some(("", Role::Test, ""))),
            ("\"{{ a }} and {{ b¦", Some(("", Role::Name, "b"))),
            ("\"{{ a }} ¦", None),
            ("\"{{ 'te¦", None),
            ("\"{{ params['a'] or ¦", Some(("", Role::Name, ""))),
            ("\"{{ (a | first).¦", None),
            ("a¦", None),
        ] {
            let cursor = text.find('¦').expect("a cursor");
            let text = text.replacen('¦', "", 1);
            let found = spot(&text, &(0..text.len()), cursor);
            let found =
                found.map(|spot| (spot.chain.join("."), spot.role, text[spot.word].to_owned()));
            let expected =
                expected.map(|(chain, role, word)| (chain.to_owned(), role, word.to_owned()));
            assert_eq!(found, expected, "{text}");
        }
    }
}
