//! Texts of others in Markdown, where they mean nothing: what our messages quote is code, and the rest is no markup, no link, and
//! names no person and no issue, whoever shows it.

use super::terminal::line;

/// A text within a line.
pub(crate) fn text(text: &str) -> String {
    written(text, false)
}

/// A text within a cell of a table.
pub(crate) fn cell(text: &str) -> String {
    written(text, true)
}

fn written(text: &str, is_cell: bool) -> String {
    let text = line(text);
    let text = text.trim();
    let mut to = String::with_capacity(text.len());
    let parts: Vec<&str> = text.split('`').collect();
    // Our messages quote with a backtick on each side. Where there are others, nothing is a quotation.
    let inside = || parts.iter().skip(1).step_by(2);
    let has_quotes = parts.len() % 2 == 1 && inside().all(|part| !part.trim().is_empty());
    if !has_quotes {
        push_words(&mut to, text, is_cell);
        return to;
    }
    for (at, part) in parts.into_iter().enumerate() {
        match at % 2 == 1 {
            true => push_code(&mut to, part, is_cell),
            false => push_words(&mut to, part, is_cell),
        }
    }
    to
}

/// Words that are no code, unless a reader would make links of them.
fn push_words(to: &mut String, text: &str, is_cell: bool) {
    for (at, word) in text.split(' ').enumerate() {
        if at > 0 {
            to.push(' ');
        }
        // Of addresses, names of people and numbers of issues a link is made also where they are escaped, but not in code.
        let is_link = word.contains(['@', '#'])
            || word.contains("://")
            || word.to_ascii_lowercase().contains("www.");
        match is_link {
            true => push_code(to, word, is_cell),
            false => push_plain(to, word),
        }
    }
}

fn push_plain(to: &mut String, word: &str) {
    let starts_line = to.is_empty();
    // A number with a point begins a list.
    let digits = word.chars().take_while(char::is_ascii_digit).count();
    for (at, c) in word.chars().enumerate() {
        let begins_list = match at {
            0 => matches!(c, '+' | '-' | '='),
            _ => at == digits && matches!(c, '.' | ')'),
        };
        let is_markup = matches!(
            c,
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '!' | '~' | '$' | '|'
        );
        if is_markup || (starts_line && begins_list) {
            to.push('\\');
        }
        to.push(c);
    }
}

/// Code, whatever is in it.
fn push_code(to: &mut String, text: &str, is_cell: bool) {
    if is_cell {
        // A bar ends a cell, also one in code.
        for (at, part) in text.split('|').enumerate() {
            if at > 0 {
                to.push_str("&#124;");
            }
            push_code(to, part, false);
        }
        return;
    }
    if text.is_empty() {
        return;
    }
    let runs = text.split(|c| c != '`').map(str::len);
    let fence = "`".repeat(runs.max().unwrap_or(0) + 1);
    if to.ends_with('`') {
        to.push(' ');
    }
    to.push_str(&fence);
    let touches = text.starts_with('`') || text.ends_with('`');
    let pad = if touches { " " } else { "" };
    to.push_str(&format!("{pad}{text}{pad}"));
    to.push_str(&fence);
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    /// Each: a text, and how it stands in a line.
    #[test]
    fn a_text_means_nothing() {
        for (given, expected) in [
            (
                "the tool `get-order` is gone",
                "the tool `get-order` is gone",
            ),
            ("`a_b` and `<b>`", "`a_b` and `<b>`"),
            ("a `b", "a \\`b"),
            ("``` <img src=x> `", "\\`\\`\\` \\<img src=x\\> \\`"),
            ("````", "\\`\\`\\`\\`"),
            ("`` ` ``", "\\`\\` \\` \\`\\`"),
            (
                "*a* _b_ [c](d) <e> &amp; !",
                "\\*a\\* \\_b\\_ \\[c\\](d) \\<e\\> \\&amp; \\!",
            ),
            ("- a", "\\- a"),
            ("12. a", "12\\. a"),
            ("1) a", "1\\) a"),
            ("~~~", "\\~\\~\\~"),
            ("# a", "`#` a"),
            (
                "at https://evil.test/a?b=1 now",
                "at `https://evil.test/a?b=1` now",
            ),
            ("@someone, see #12", "`@someone,` see `#12`"),
            ("WWW.evil.test", "`WWW.evil.test`"),
            ("`a`@b", "`a` `@b`"),
            ("it's `@a`b", "it's `@a`b"),
            ("a`b://c", "``a`b://c``"),
            ("a\nb\u{202e}", "a\\\\nb\\\\u{202e}"),
            ("    four", "four"),
        ] {
            assert_eq!(text(given), expected, "{given}");
        }
    }

    #[test]
    fn a_bar_ends_no_cell() {
        for (given, expected) in [
            ("a|b", "a\\|b"),
            ("`a|b`", "`a`&#124;`b`"),
            ("`a\\|b`", "`a\\`&#124;`b`"),
            ("|@a|", "&#124;`@a`&#124;"),
        ] {
            assert_eq!(cell(given), expected, "{given}");
        }
    }
}
