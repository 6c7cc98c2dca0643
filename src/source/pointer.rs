//! JSON Pointers (RFC 6901), which name the places in a source.

/// Appends one reference token to a JSON Pointer (RFC 6901).
pub(crate) fn join(pointer: &str, token: &str) -> String {
    let mut joined = String::with_capacity(pointer.len() + token.len() + 1);
    joined.push_str(pointer);
    joined.push('/');
    for character in token.chars() {
        match character {
            '~' => joined.push_str("~0"),
            '/' => joined.push_str("~1"),
            other => joined.push(other),
        }
    }
    joined
}

/// The JSON Pointer of these tokens.
#[cfg(feature = "cli")]
pub(crate) fn pointer(tokens: &[String]) -> String {
    tokens
        .iter()
        .fold(String::new(), |pointer, token| join(&pointer, token))
}

/// Appends an array index to a JSON Pointer.
pub(crate) fn join_index(pointer: &str, index: usize) -> String {
    format!("{pointer}/{index}")
}

/// The tokens of a pointer, to sort places by: indexes by their number.
pub(crate) fn place_order(pointer: &str) -> Vec<(usize, String)> {
    pointer
        .split('/')
        .map(|token| (token.parse().unwrap_or(0), token.to_owned()))
        .collect()
}
