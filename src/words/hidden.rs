//! Which characters a terminal would obey, and a reader would not see.

use std::borrow::Cow;

/// Besides control characters, the characters that a terminal obeys or does not show: those of the Unicode properties
/// `Default_Ignorable_Code_Point` and `Bidi_Control`, line and paragraph separators, and the format controls of
/// annotations, musical and shorthand notation and hieroglyphs. A test compares them with Unicode's own tables.
const HIDDEN: [(char, char); 22] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{fffe}', '\u{ffff}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
    ('\u{effff}', '\u{effff}'),
    ('\u{fffff}', '\u{fffff}'),
    ('\u{10ffff}', '\u{10ffff}'),
];

/// Whether a terminal would obey the character or not show it. Line feeds and tabs are allowed: they only lay out text.
pub(crate) fn is_hidden(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => true,
        ..'\u{ad}' => false,
        _ => HIDDEN
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&c)),
    }
}

/// What the previous character means for a joiner or a variation selector behind it. Some writing needs these: they
/// stay between the parts of an emoji and between letters of scripts that join. Everywhere else they are escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    Emoji,
    /// A letter or mark of a script that joins, from Arabic to Mongolian.
    Joining,
    Other,
}

impl Before {
    pub(crate) fn of(c: char) -> Before {
        match c {
            ..'\u{a9}' => Before::Other,
            '\u{a9}' | '\u{ae}' | '\u{203c}' | '\u{2049}' | '\u{2122}' | '\u{2139}' => {
                Before::Emoji
            }
            '\u{2194}'..='\u{21aa}' | '\u{231a}'..='\u{23ff}' | '\u{24c2}' => Before::Emoji,
            '\u{25aa}'..='\u{27bf}' | '\u{2934}'..='\u{2935}' | '\u{2b05}'..='\u{2b55}' => {
                Before::Emoji
            }
            '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}' => Before::Emoji,
            '\u{1f000}'..='\u{1faff}' => Before::Emoji,
            '\u{620}'..='\u{dff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{18af}' => {
                Before::Joining
            }
            _ => Before::Other,
        }
    }
}

/// The text with its hidden characters written as `\u202e`. Control characters that every JSON writer escapes stay: whoever
/// reads the JSON sees them. Joiners and selectors stay where the writing needs them.
#[cfg_attr(not(feature = "serve"), allow(dead_code))]
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    let is_unseen = |c: char| c > '~' && is_hidden(c);
    if text.is_ascii() && !text.contains('\u{7f}') || !text.contains(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut before = Before::Other;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let is_needed = match c {
            '\u{200c}' | '\u{200d}' => {
                let after = rest.peek().map_or(Before::Other, |c| Before::of(*c));
                before != Before::Other && before == after
            }
            '\u{fe0e}' | '\u{fe0f}' => before == Before::Emoji,
            _ => !is_unseen(c),
        };
        match (is_needed, c) {
            // An emoji with its selector is still an emoji.
            (true, '\u{fe0e}' | '\u{fe0f}' | '\u{200c}' | '\u{200d}') => out.push(c),
            (true, _) => {
                out.push(c);
                before = Before::of(c);
            }
            (false, _) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
                before = Before::Other;
            }
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_become_visible_and_writing_stays() {
        for (text, expected) in [
            ("plain\n\u{1b}[31m", "plain\n\u{1b}[31m"),
            ("a\u{202e}b", "a\\u202eb"),
            ("tag\u{e0041}", "tag\\udb40\\udc41"),
            ("zero\u{200b}width", "zero\\u200bwidth"),
            ("\u{1f468}\u{200d}\u{1f469}", "\u{1f468}\u{200d}\u{1f469}"),
            ("x\u{200d}y", "x\\u200dy"),
            ("\u{2764}\u{fe0f}", "\u{2764}\u{fe0f}"),
            ("\u{85}", "\\u0085"),
        ] {
            assert_eq!(visible(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_table_is_that_of_unicode() {
        // Signs that enclose numbers and the like are format characters, but they are visible.
        let hidden = regex::Regex::new(concat!(
            r"[[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\p{Bidi_Control}\p{Zl}\p{Zp}]",
            r"--[\t\n\u{600}-\u{605}\u{6dd}\u{70f}\u{890}\u{891}\u{8e2}\u{110bd}\u{110cd}]]",
        ));
        let all: String = ('\0'..=char::MAX).collect();
        let by_unicode: std::collections::HashSet<char> = hidden
            .unwrap()
            .find_iter(&all)
            .flat_map(|found| found.as_str().chars())
            .collect();
        for c in all.chars() {
            let is_noncharacter = matches!(u32::from(c) & 0xffff, 0xfffe | 0xffff);
            if is_hidden(c) != by_unicode.contains(&c) {
                assert!(
                    is_hidden(c) && is_noncharacter,
                    "{c:?} is hidden: {}",
                    is_hidden(c)
                );
            }
        }
    }
}
