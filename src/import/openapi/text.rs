//! Descriptions: the words of the document, shortened and without markup.

use std::borrow::Cow;

use crate::check::mask_literal_secrets;

/// Most characters of a tool's description.
pub(crate) const TOOL: usize = 1000;
/// Most characters of a param's description.
pub(crate) const PARAM: usize = 600;
/// Most characters of a description inside a param.
pub(crate) const NESTED: usize = 300;

/// HTML tags to drop. Other text in angle brackets is a placeholder, and stays.
const TAGS: [&str; 25] = [
    "a",
    "b",
    "blockquote",
    "br",
    "code",
    "dd",
    "div",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "hr",
    "i",
    "img",
    "li",
    "ol",
    "p",
    "pre",
    "span",
    "strong",
    "sup",
    "ul",
];
/// HTML tags after which a new line begins.
const BREAKS: [&str; 9] = ["p", "br", "li", "ul", "ol", "div", "dt", "dd", "pre"];

/// The text without markup, of at most `most` characters.
pub(crate) fn plain(text: &str, most: usize) -> String {
    let text = without_tags(text);
    let mut lines: Vec<Cow<'_, str>> = Vec::new();
    for line in text.lines() {
        let line = line.replace('\t', "    ");
        let line = line.trim_end();
        let is_blank = line.is_empty();
        if !(is_blank && lines.last().is_none_or(|last| last.is_empty())) {
            lines.push(Cow::Owned(line.to_owned()));
        }
    }
    let text = lines.join("\n");
    let text = text.trim();
    let text: String = text
        .chars()
        .filter(|c| !c.is_control() || *c == '\n')
        .collect();
    mask_literal_secrets(&shortened(&text, most)).into_owned()
}

/// The text on one line.
pub(crate) fn one_line(text: &str, most: usize) -> String {
    let words: Vec<String> = plain(text, usize::MAX)
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    shortened(&words.join(" "), most)
}

/// The text if it has at most `most` characters; else as many whole sentences as fit, or whole words.
fn shortened(text: &str, most: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(most) else {
        return text.to_owned();
    };
    let head = &text[..end];
    let ends = ["\n\n", ". ", ".\n", "! ", "? ", ".) "];
    let sentence = ends
        .iter()
        .filter_map(|end| head.rfind(end).map(|at| at + end.trim_end().len()))
        .max()
        .filter(|at| *at > end / 2);
    if let Some(at) = sentence {
        return text[..at].trim_end().to_owned();
    }
    let at = head.rfind(char::is_whitespace).unwrap_or(end);
    format!("{}...", text[..at].trim_end())
}

fn without_tags(text: &str) -> Cow<'_, str> {
    if !text.contains(['<', '&']) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.find('>').filter(|end| *end < 400);
        match end.and_then(|end| Some((end, tag(&rest[1..end])?))) {
            Some((end, name)) => {
                let is_end = rest[1..].starts_with('/');
                let opens_item = name == "li" && !is_end;
                if BREAKS.contains(&name.as_str()) && !plain.is_empty() && !plain.ends_with('\n') {
                    plain.push('\n');
                }
                if opens_item {
                    plain.push_str("- ");
                }
                rest = &rest[end + 1..];
            }
            None => {
                plain.push('<');
                rest = &rest[1..];
            }
        }
    }
    plain.push_str(rest);
    for (entity, character) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&nbsp;", " "),
        ("&amp;", "&"),
    ] {
        plain = plain.replace(entity, character);
    }
    Cow::Owned(plain)
}

/// The name of a known tag, from the text between its angle brackets.
fn tag(inside: &str) -> Option<String> {
    let name = inside.trim_start_matches('/');
    let end = name
        .find(|c: char| !c.is_ascii_alphanumeric())
        .unwrap_or(name.len());
    let name = name[..end].to_ascii_lowercase();
    TAGS.contains(&name.as_str()).then_some(name)
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn markup_goes_and_words_stay() {
        for (text, expected) in [
            (
                "<p>Lists <a href=\"x\">all</a> pets.</p>\n\n<p>Sorted.</p>",
                "Lists all pets.\n\nSorted.",
            ),
            ("a<br>b<br/>c", "a\nb\nc"),
            ("<ul><li>one</li><li>two</li></ul>", "- one\n- two"),
            ("a <your-token> & x &lt; y", "a <your-token> & x < y"),
            ("1 < 2", "1 < 2"),
            (" a \r\n\r\n\r\n\r\nb\t", "a\n\nb"),
            ("", ""),
        ] {
            assert_eq!(plain(text, 1000), expected, "{text}");
        }
        assert_eq!(one_line("a\n  b <p>c", 100), "a b c");
    }

    #[test]
    fn long_text_ends_with_a_sentence_or_a_word() {
        assert_eq!(
            plain("One two. Three four. Five", 22),
            "One two. Three four."
        );
        assert_eq!(plain("One two three four", 10), "One two...");
        assert_eq!(plain(&"é".repeat(20), 10), format!("{}...", "é".repeat(10)));
    }
}
