//! Text in columns: what a text takes on a terminal, where it may be cut, and which columns fit.
//!
//! A text is cut between words and beside wide characters only. So a number, an id, a date or an address is shown whole or
//! not at all. A word that is longer than any of these may be cut anywhere: one such text must not hide its column.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Spaces between two columns.
pub(crate) const GAP: usize = 2;
/// What a text that can be cut gets at least.
const LEAST_TEXT: usize = 16;
/// What an id takes at the most: that many hexadecimal digits has a SHA-256.
const LONGEST_ID: usize = 64;
/// Lines of a heading at the most.
const HEADING_LINES: usize = 3;
const ELLIPSIS: &str = "…";

/// The columns of a terminal that a text takes.
pub(crate) fn width(text: &str) -> usize {
    match text.is_ascii() {
        true => text.len(),
        false => text.width(),
    }
}

/// The pieces of a text between which it may be cut: words with the white space behind them, and wide characters.
struct Pieces<'t> {
    rest: &'t str,
    is_ascii: bool,
}

fn pieces(text: &str) -> Pieces<'_> {
    Pieces {
        rest: text,
        is_ascii: text.is_ascii(),
    }
}

impl<'t> Iterator for Pieces<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        if self.rest.is_empty() {
            return None;
        }
        let end = match self.is_ascii {
            true => ascii_end(self.rest.as_bytes()),
            false => end(self.rest),
        };
        let (piece, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(piece)
    }
}

fn ascii_end(text: &[u8]) -> usize {
    let word = text.iter().position(|byte| *byte == b' ');
    let Some(word) = word else { return text.len() };
    let spaces = text[word..].iter().position(|byte| *byte != b' ');
    spaces.map_or(text.len(), |spaces| word + spaces)
}

fn end(text: &str) -> usize {
    let (mut was_space, mut was_wide) = (false, false);
    for (at, cluster) in text.grapheme_indices(true) {
        let is_space = cluster.chars().all(char::is_whitespace);
        let is_wide = cluster.width() > 1;
        if at > 0 && !is_space && (was_space || was_wide || is_wide) {
            return at;
        }
        (was_space, was_wide) = (is_space, is_wide);
    }
    text.len()
}

/// Whether a text has a place where it may be cut.
pub(crate) fn can_be_cut(text: &str) -> bool {
    width(text) > LONGEST_ID || pieces(text).nth(1).is_some()
}

/// The widest piece of a text.
pub(crate) fn widest_piece(text: &str) -> usize {
    let widths = pieces(text).map(|piece| width(piece.trim_end()));
    widths.max().unwrap_or_default()
}

/// The text in at most so many columns: whole, or its first words and an ellipsis.
pub(crate) fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if width(text) <= most {
        return Cow::Borrowed(text);
    }
    let (mut taken, mut end, mut kept) = (0, 0, String::new());
    for piece in pieces(text) {
        let word = piece.trim_end();
        // A space keeps the ellipsis from looking like a part of the word.
        let mark = match width(word) == 2 && !word.is_ascii() {
            true => ELLIPSIS,
            false => " …",
        };
        if taken + width(word) + width(mark) > most {
            break;
        }
        end += piece.len();
        taken += width(piece);
        kept = format!("{}{mark}", text[..end].trim_end());
    }
    match kept.is_empty() {
        true if widest_piece(text) > LONGEST_ID => Cow::Owned(cut_anywhere(text, most)),
        true => Cow::Borrowed(ELLIPSIS),
        false => Cow::Owned(kept),
    }
}

/// The first characters of a text and an ellipsis.
fn cut_anywhere(text: &str, most: usize) -> String {
    let mut taken = width(ELLIPSIS);
    let fits = |cluster: &&str| {
        taken += width(cluster);
        taken <= most
    };
    let kept: String = text.graphemes(true).take_while(fits).collect();
    kept + ELLIPSIS
}

/// The lines of a text in so many columns. A word that is wider has a line of its own.
pub(crate) fn wrap(text: &str, most: usize) -> Vec<&str> {
    let mut lines = Vec::new();
    for line in text.split('\n') {
        fill(line, pieces(line), most, &mut lines);
    }
    lines
}

/// The lines of a heading in so many columns: a name is broken behind a mark or a space.
pub(crate) fn heading(name: &str, most: usize) -> Vec<&str> {
    let mut lines = Vec::new();
    fill(name, name.split_inclusive(BREAKS), most, &mut lines);
    lines
}

const BREAKS: [char; 5] = ['_', '-', '.', ' ', '/'];

fn fill<'t>(
    text: &'t str,
    pieces: impl Iterator<Item = &'t str>,
    most: usize,
    lines: &mut Vec<&'t str>,
) {
    let (mut start, mut end, mut taken) = (0, 0, 0);
    for piece in pieces {
        if end > start && taken + width(piece.trim_end()) > most {
            lines.push(text[start..end].trim_end());
            (start, taken) = (end, 0);
        }
        end += piece.len();
        taken += width(piece);
    }
    lines.push(text[start..end].trim_end());
}

/// The least columns in which a heading takes no more than its lines.
fn narrowest(name: &str) -> usize {
    let widest = name
        .split_inclusive(BREAKS)
        .map(|part| width(part.trim_end()));
    let mut least = widest.max().unwrap_or_default();
    while heading(name, least).len() > HEADING_LINES {
        least += 1;
    }
    least
}

/// What is known of the texts of a column.
#[derive(Debug, Clone, Default)]
pub(crate) struct Need {
    /// The widest text that cannot be cut.
    uncut: usize,
    /// The widest text.
    widest: usize,
    can_be_cut: bool,
}

impl Need {
    /// Takes a text into account.
    pub(crate) fn add(&mut self, text: &str) {
        let width = width(text);
        self.widest = self.widest.max(width);
        // Most texts are as wide as those before.
        if width <= self.uncut {
            return;
        }
        match can_be_cut(text) {
            true => self.can_be_cut = true,
            false => self.uncut = width,
        }
    }

    /// The widest text.
    pub(crate) fn widest(&self) -> usize {
        self.widest
    }

    fn least(&self, name: &str) -> usize {
        let text = match self.can_be_cut {
            true => self.widest.min(LEAST_TEXT),
            false => 0,
        };
        self.uncut.max(text).max(narrowest(name)).max(1)
    }
}

/// The widths of the columns that fit into so many, and nothing for the others. Earlier columns come first; what is left
/// goes to texts that would be cut, and then to headings.
pub(crate) fn fit(columns: &[(&str, &Need)], most: usize) -> Vec<Option<usize>> {
    let (mut widths, mut used) = (vec![None; columns.len()], 0);
    for (at, (name, need)) in columns.iter().enumerate() {
        let gap = if used == 0 { 0 } else { GAP };
        let least = need.least(name);
        if used + gap + least <= most {
            used += gap + least;
            widths[at] = Some(least);
        }
    }
    let mut left = most - used;
    share(&mut widths, &mut left, |at| columns[at].1.widest);
    share(&mut widths, &mut left, |at| width(columns[at].0));
    widths
}

/// Gives what is left to those who want more, in equal parts.
fn share(widths: &mut [Option<usize>], left: &mut usize, wanted: impl Fn(usize) -> usize) {
    loop {
        let wants = |(at, width): (usize, &Option<usize>)| {
            width.is_some_and(|width| width < wanted(at)).then_some(at)
        };
        let hungry: Vec<usize> = widths.iter().enumerate().filter_map(wants).collect();
        if hungry.is_empty() || *left == 0 {
            return;
        }
        let part = (*left / hungry.len()).max(1);
        for at in hungry {
            let width = widths[at].unwrap_or_default();
            let more = part.min(wanted(at) - width).min(*left);
            widths[at] = Some(width + more);
            *left -= more;
        }
    }
}

/// The text with spaces up to a width, in front of it or behind it.
pub(crate) fn padded(text: &str, to: usize, right: bool) -> String {
    let spaces = " ".repeat(to.saturating_sub(width(text)));
    match right {
        true => format!("{spaces}{text}"),
        false => format!("{text}{spaces}"),
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn texts_are_cut_between_words() {
        for (text, most, expected) in [
            ("short", 5, "short"),
            ("see order 12345678 now", 18, "see order …"),
            ("see order 12345678 now", 20, "see order 12345678 …"),
            ("see order 12345678 now", 22, "see order 12345678 now"),
            ("wrkspc_01Jwqi3TzQnTsU6yaRsej8p5", 30, "…"),
            ("a  b  c", 5, "a …"),
            ("a  b  c", 6, "a  b …"),
            ("漢字かな交じり", 6, "漢字…"),
            ("漢字かな交じり", 7, "漢字か…"),
            ("漢字123456", 7, "漢字…"),
            (
                "e\u{301}te\u{301} a\u{300} la mer",
                8,
                "e\u{301}te\u{301} a\u{300} …",
            ),
            (
                "👨\u{200d}👩\u{200d}👧 👍🏽 👍🏽",
                6,
                "👨\u{200d}👩\u{200d}👧 👍🏽…",
            ),
        ] {
            let cut = cut(text, most);
            assert!(width(&cut) <= most, "{text} {most}: {cut}");
            assert_eq!(cut, expected, "{text} {most}");
        }
    }

    #[test]
    fn texts_are_wrapped_between_words() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("one\n\ntwo", 8), ["one", "", "two"]);
        assert_eq!(wrap("a 1234567890 b", 5), ["a", "1234567890", "b"]);
        assert_eq!(wrap("漢字かな", 5), ["漢字", "かな"]);
        assert_eq!(wrap("", 5), [""]);
        let name = "cache_creation_5m_input_tokens";
        assert_eq!(
            heading(name, 14),
            ["cache_", "creation_5m_", "input_tokens"]
        );
        assert_eq!(narrowest(name), 12);
    }

    #[test]
    fn a_word_that_is_longer_than_any_id_is_cut_anywhere() {
        let (id, long) = ("0".repeat(64), "x".repeat(65));
        assert_eq!(cut(&id, 20), "…");
        assert_eq!(cut(&long, 20), format!("{}…", "x".repeat(19)));
        assert_eq!(
            cut(&format!("{long} more"), 20),
            format!("{}…", "x".repeat(19))
        );
        assert_eq!(cut(&format!("a {long}"), 20), "a …");
        assert_eq!(cut(&long, 65), long);
        let need = |text: &str| {
            let mut need = Need::default();
            need.add("0123456789");
            need.add(text);
            need
        };
        assert_eq!(fit(&[("id", &need(&id))], 40), [None]);
        assert_eq!(fit(&[("id", &need(&long))], 40), [Some(40)]);
    }

    #[test]
    fn columns_that_do_not_fit_are_left_out() {
        let need = |texts: &[&str]| {
            let mut need = Need::default();
            texts.iter().for_each(|text| need.add(text));
            need
        };
        let id = need(&["0123456789"]);
        let text = need(&["a text of many words that goes on and on"]);
        let columns = [("id", &id), ("text", &text), ("other", &id)];
        assert_eq!(fit(&columns, 9), [None, None, None]);
        assert_eq!(fit(&columns, 11), [Some(10), None, None]);
        assert_eq!(fit(&columns, 22), [Some(10), None, Some(10)]);
        assert_eq!(fit(&columns, 30), [Some(10), Some(18), None]);
        assert_eq!(fit(&columns, 40), [Some(10), Some(16), Some(10)]);
        assert_eq!(fit(&columns, 200), [Some(10), Some(40), Some(10)]);
    }
}
