//! Text in XML: what SVG pictures and JUnit reports share.

/// The text with its markup characters escaped. Control characters and noncharacters become what `other` gives for them:
/// XML 1.0 cannot represent most of them.
pub(crate) fn escaped(text: &str, other: impl Fn(char) -> char) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            _ if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push(other(c)),
            _ => escaped.push(c),
        }
    }
    escaped
}
