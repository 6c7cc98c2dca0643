//! Reserved characters (RFC 3986) that a value may keep where they cannot change the URL around it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// In one segment of a path: all but `/`, `?`, `#`, `[` and `]`.
const IN_SEGMENT: &AsciiSet = &UNRESERVED
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
const IN_QUERY: &AsciiSet = &IN_SEGMENT
    .remove(b'/')
    .remove(b'?')
    .add(b'&')
    .add(b'+')
    .add(b'\'');

/// The text as a part of one segment of a path. A triple such as `%2F` is encoded too: many servers would take it for
/// the character that it stands for, and look in another place.
pub(super) fn in_segment(text: &str) -> String {
    utf8_percent_encode(text, IN_SEGMENT).to_string()
}

/// The text as a part of a value of the query. A triple such as `%2F` stays (RFC 6570, section 3.2.3).
pub(super) fn in_query(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        encoded.extend(utf8_percent_encode(&rest[..at], IN_QUERY));
        let digits = rest.as_bytes().get(at + 1..at + 3);
        let is_triple = digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let length = if is_triple { 3 } else { 1 };
        match is_triple {
            true => encoded.push_str(&rest[at..at + length]),
            false => encoded.push_str("%25"),
        }
        rest = &rest[at + length..];
    }
    encoded.extend(utf8_percent_encode(rest, IN_QUERY));
    encoded
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn reserved_characters_stay_where_they_are_harmless() {
        let all = ":/?#[]@!$&'()*+,;=";
        assert_eq!(in_segment(all), ":%2F%3F%23%5B%5D@!$&'()*+,;=");
        assert_eq!(in_query(all), ":/?%23%5B%5D@!$%26%27()*%2B,;=");
        for (text, segment, query) in [
            ("a b%2F", "a%20b%252F", "a%20b%2F"),
            ("é~", "%C3%A9~", "%C3%A9~"),
            ("\r\n", "%0D%0A", "%0D%0A"),
            ("%", "%25", "%25"),
            ("50%", "50%25", "50%25"),
            ("%2", "%252", "%252"),
            (
                "%g0%é%%41",
                "%25g0%25%C3%A9%25%2541",
                "%25g0%25%C3%A9%25%41",
            ),
        ] {
            assert_eq!(in_segment(text), segment);
            assert_eq!(in_query(text), query);
        }
    }
}
