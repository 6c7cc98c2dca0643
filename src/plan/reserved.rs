//! Reserved characters (RFC 3986) that a value may keep where they cannot change the URL around it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// In one segment of a path: all but `/`, `?`, `#`, `[` and `]`.
pub(super) const IN_SEGMENT: &AsciiSet = &UNRESERVED
    .remove(b':')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=');

/// In a value of the query: all but `#`, `[`, `]`, and those by which servers take a query apart, `&` and `+`. Parsers
/// of URLs encode `'` themselves.
pub(super) const IN_QUERY: &AsciiSet = &IN_SEGMENT
    .remove(b'/')
    .remove(b'?')
    .add(b'&')
    .add(b'+')
    .add(b'\'');

/// The text with the characters of the set percent-encoded.
pub(super) fn encode(text: &str, set: &'static AsciiSet) -> String {
    utf8_percent_encode(text, set).to_string()
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn reserved_characters_stay_where_they_are_harmless() {
        let all = ":/?#[]@!$&'()*+,;=";
        assert_eq!(encode(all, IN_SEGMENT), ":%2F%3F%23%5B%5D@!$&'()*+,;=");
        assert_eq!(encode(all, IN_QUERY), ":/?%23%5B%5D@!$%26%27()*%2B,;=");
        for (text, expected) in [
            ("a b%2F", "a%20b%252F"),
            ("é~", "%C3%A9~"),
            ("\r\n", "%0D%0A"),
        ] {
            assert_eq!(encode(text, IN_SEGMENT), expected);
            assert_eq!(encode(text, IN_QUERY), expected);
        }
    }
}
