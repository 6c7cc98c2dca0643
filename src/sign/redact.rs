//! Redaction: whatever a server sends back, the secrets that we sent to it are not in what we show.
//!
//! A service may repeat a secret in any notation: escaped in JSON, percent-encoded once or twice, as HTML, in base64
//! or hex. A cheap search for a telling piece of each notation comes first and nearly always finds nothing; only
//! behind a hit stands the exact and slower pattern.

use std::sync::{Arc, OnceLock};

use aho_corasick::{AhoCorasick, packed};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use bytes::Bytes;
use regex::bytes::Regex;

use super::{Secret, Secrets, hex};
use crate::plan::{MASK, percent_encode};

/// Shortest text that is masked; shorter ones would hit by chance.
const SHORTEST: usize = 4;
/// Shortest run of letters and digits that tells a secret from other text.
const TELLING: usize = 6;
/// Shortest run that is masked by itself in a message.
const LONG: usize = 10;

/// Masks a set of secrets, in whatever notation they appear.
#[derive(Clone)]
pub struct Redactor {
    search: Option<Arc<Search>>,
}

/// A fast search for pieces of secrets: as they are, in lower case and in upper case.
enum Pieces {
    Vectorized(packed::Searcher),
    Plain(AhoCorasick),
}

impl Pieces {
    fn new(pieces: &[&str]) -> Option<Pieces> {
        // A text that is escaped throughout has no piece of the secret in it.
        let mut forms = vec!["\\u00".to_owned()];
        for piece in pieces {
            for form in [
                (*piece).to_owned(),
                piece.to_lowercase(),
                piece.to_uppercase(),
            ] {
                if !forms.contains(&form) {
                    forms.push(form);
                }
            }
        }
        match packed::Searcher::new(&forms) {
            Some(searcher) => Some(Pieces::Vectorized(searcher)),
            None => AhoCorasick::new(&forms).ok().map(Pieces::Plain),
        }
    }

    fn is_in(&self, text: &[u8]) -> bool {
        match self {
            Pieces::Vectorized(searcher) => searcher.find(text).is_some(),
            Pieces::Plain(matcher) => matcher.is_match(text),
        }
    }
}

struct Search {
    /// `None` when a secret has no telling piece: then every text is searched in full.
    pieces: Option<Pieces>,
    needles: Vec<Needle>,
    pattern: OnceLock<Option<Regex>>,
}

/// A text that must not be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Needle {
    text: String,
    /// Part of a longer base64 text, whose neighbouring characters hold a part of the secret too.
    in_base64: bool,
}

impl Redactor {
    /// Prepares to mask these secrets.
    pub fn new(secrets: &Secrets) -> Redactor {
        let needles: Vec<Needle> = secrets.values().flat_map(needles).collect();
        if needles.is_empty() {
            return Redactor { search: None };
        }
        let pieces: Option<Vec<&str>> = needles
            .iter()
            .map(|needle| telling_piece(&needle.text))
            .collect();
        let pieces = pieces.and_then(|pieces| Pieces::new(&pieces));
        Redactor {
            search: Some(Arc::new(Search {
                pieces,
                needles,
                pattern: OnceLock::new(),
            })),
        }
    }

    /// The bytes with every secret masked; the same bytes where there is none.
    pub fn bytes(&self, bytes: Bytes) -> Bytes {
        match self
            .search
            .as_ref()
            .and_then(|search| search.masked(&bytes))
        {
            Some(masked) => masked.into(),
            None => bytes,
        }
    }

    /// Header fields with every secret in their values masked.
    pub fn headers(&self, headers: Vec<(String, String)>) -> Vec<(String, String)> {
        // One search over all values is cheaper than one for each.
        let all: String = headers
            .iter()
            .flat_map(|(_, value)| [value.as_str(), "\n"])
            .collect();
        if self
            .search
            .as_ref()
            .is_none_or(|search| search.masked(all.as_bytes()).is_none())
        {
            return headers;
        }
        headers
            .into_iter()
            .map(|(name, value)| (name, self.text(&value)))
            .collect()
    }

    /// The text with every secret masked.
    pub fn text(&self, text: &str) -> String {
        match self
            .search
            .as_ref()
            .and_then(|search| search.masked(text.as_bytes()))
        {
            Some(masked) => String::from_utf8_lossy(&masked).into_owned(),
            None => text.to_owned(),
        }
    }
}

impl Redactor {
    /// A message with every secret masked, and every longer piece of one too: what stands in a message may be cut,
    /// as the host of a URL is.
    pub fn message(&self, text: &str) -> String {
        let masked = self.text(text);
        let Some(search) = &self.search else {
            return masked;
        };
        let pieces = search
            .needles
            .iter()
            .filter_map(|needle| telling_piece(&needle.text));
        let pieces: Vec<&str> = pieces.filter(|piece| piece.len() >= LONG).collect();
        match AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(&pieces)
        {
            Ok(matcher) => matcher.replace_all(&masked, &vec![MASK; pieces.len()]),
            Err(_) => masked,
        }
    }
}

impl Search {
    /// The text with every secret masked; `None` where there is none.
    fn masked(&self, text: &[u8]) -> Option<Vec<u8>> {
        if self
            .pieces
            .as_ref()
            .is_some_and(|pieces| !pieces.is_in(text))
        {
            return None;
        }
        let pattern = self.pattern.get_or_init(|| pattern(&self.needles));
        let Some(pattern) = pattern else {
            // Without a pattern nothing can be told apart, and showing a secret is worse than showing nothing.
            return Some(MASK.into());
        };
        pattern
            .is_match(text)
            .then(|| pattern.replace_all(text, MASK.as_bytes()).into_owned())
    }
}

/// The longest run of letters and digits, if it is long enough to be telling.
fn telling_piece(text: &str) -> Option<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .max_by_key(|run| run.len())
        .filter(|run| run.len() >= TELLING)
}

/// The texts that give a secret away: itself, in hex, in base64, and in base64 of what is encoded already.
fn needles(secret: &Secret) -> Vec<Needle> {
    let plain = secret.expose();
    if plain.len() < SHORTEST {
        return Vec::new();
    }
    let exact = |text: String| Needle {
        text,
        in_base64: false,
    };
    let mut needles = vec![exact(plain.to_owned()), exact(hex(plain.as_bytes()))];
    for text in [
        plain.to_owned(),
        percent_encode(plain),
        STANDARD.encode(plain),
    ] {
        for text in base64_middles(text.as_bytes()) {
            let needle = Needle {
                text,
                in_base64: true,
            };
            if !needles.contains(&needle) {
                needles.push(needle);
            }
        }
    }
    needles
}

/// Base64 of a text wherever it begins in a longer encoded one: at each of the three offsets, the middle part that
/// does not depend on what stands around it.
fn base64_middles(text: &[u8]) -> Vec<String> {
    (0..3_usize)
        .filter_map(|offset| {
            let mut padded = vec![0_u8; offset];
            padded.extend_from_slice(text);
            let whole = padded.len() / 3 * 3;
            let encoded = STANDARD_NO_PAD.encode(&padded[..whole]);
            let middle = encoded.get(if offset == 0 { 0 } else { 4 }..)?;
            (middle.len() >= 8).then(|| middle.to_owned())
        })
        .collect()
}

/// One pattern for all needles, each character in any of its notations.
fn pattern(needles: &[Needle]) -> Option<Regex> {
    let alternatives: Vec<String> = needles
        .iter()
        .map(|needle| {
            let characters: String = needle.text.bytes().map(any_notation).collect();
            match needle.in_base64 {
                true => format!("[A-Za-z0-9+/_-]{{0,4}}{characters}[A-Za-z0-9+/_=-]{{0,4}}"),
                false => characters,
            }
        })
        .collect();
    regex::bytes::RegexBuilder::new(&alternatives.join("|"))
        .case_insensitive(true)
        .unicode(false)
        .size_limit(64 << 20)
        .build()
        .ok()
}

/// A byte plain, escaped with backslashes, as `\u00XX`, percent-encoded any number of times, or as an HTML
/// character reference. The two alphabets of base64 count as one.
fn any_notation(byte: u8) -> String {
    const BACKSLASH: &str = r"(?:\\|%(?:25)*5C)";
    let plain = match byte {
        b'+' => r"[+-]".to_owned(),
        b'/' => "[/_]".to_owned(),
        _ => format!(r"\x{byte:02x}"),
    };
    let name = match byte {
        b'&' => "|&amp;",
        b'<' => "|&lt;",
        b'>' => "|&gt;",
        b'"' => "|&quot;",
        b'\'' => "|&apos;",
        _ => "",
    };
    format!(
        "(?:{BACKSLASH}*(?:{plain}|%(?:25)*{byte:02x})|{BACKSLASH}+u00{byte:02x}|&#0*{byte};|&#x0*{byte:02x};{name})"
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use pretty_assertions::assert_eq;

    use super::*;

    fn redactor(value: &str) -> Redactor {
        Redactor::new(&Secrets(HashMap::from([(
            "K".to_owned(),
            Secret::new(value),
        )])))
    }

    #[test]
    fn every_notation_is_masked() {
        let value = "canary/key+with\"quote<&>-0123456789";
        let json = serde_json::Value::from(value).to_string();
        let escaped: String = value.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
        for shown in [
            value.to_owned(),
            value.to_uppercase(),
            percent_encode(value),
            percent_encode(value).to_lowercase(),
            percent_encode(&percent_encode(value)),
            json.clone(),
            json.replace('/', "\\/").replace('<', "\\u003c"),
            escaped,
            percent_encode(&json),
            value
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('"', "&#34;"),
            hex(value.as_bytes()),
            STANDARD.encode(value),
            STANDARD.encode(format!("us:{value}:x")),
            STANDARD.encode(format!("/x?k={}", percent_encode(value))),
            STANDARD.encode(STANDARD.encode(value)),
        ] {
            let masked = redactor(value).text(&format!("a {shown} b"));
            assert!(
                masked.contains(MASK) && masked.len() < 30,
                "{shown} -> {masked}"
            );
        }
    }

    #[test]
    fn other_texts_are_left_alone() {
        let redactor = redactor("canary-0123456789");
        for text in ["nothing here", "0123456780", "caf\\u00e9", "canary-01234"] {
            assert_eq!(redactor.text(text), text);
        }
        assert_eq!(
            redactor.bytes(Bytes::from_static(b"none")),
            Bytes::from_static(b"none")
        );
    }

    #[test]
    fn secrets_without_a_telling_piece_are_masked_too() {
        assert_eq!(redactor("a-b/c+d").text("x a-b/c+d y"), "x *** y");
        assert_eq!(redactor("abc").text("abc"), "abc");
    }
}
