//! What of a recording may be shown. Recordings of others hold credentials and people's data, so that only names are
//! shown, and the values of short words where a place is not secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use url::Url;

use crate::check::looks_secret;
use crate::har::Request;
use crate::recording::Removed;

/// Words in names whose values are never shown.
const SECRET_WORDS: [&str; 16] = [
    "key", "pwd", "sig", "otp", "pin", "code", "mail", "phone", "user", "username", "name",
    "nonce", "jwt", "csrf", "xsrf", "iban",
];
/// Parts of such names.
const SECRET_PARTS: [&str; 11] = [
    "token",
    "secret",
    "passw",
    "auth",
    "session",
    "cookie",
    "signature",
    "credential",
    "apikey",
    "email",
    "bearer",
];

/// Headers whose value is no credential.
const PLAIN_HEADERS: [&str; 14] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "host",
    "origin",
    "pragma",
    "referer",
    "user-agent",
    "dnt",
    "te",
];

/// The longest name that is shown.
const LONGEST_NAME: usize = 60;
/// The longest value that is shown.
const LONGEST_VALUE: usize = 32;
/// The shortest text that may be a secret.
const SHORTEST_SECRET: usize = 4;

/// What must not be shown of one exchange.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    /// What may be a credential.
    credentials: Vec<String>,
    /// Whether no value is shown.
    all_values: bool,
    /// What was removed when the exchange was recorded.
    removed: Removed,
}

impl Hidden {
    /// Takes the values of all headers and query parameters that may be credentials.
    pub(super) fn of(request: &Request, url: &Url) -> Hidden {
        let mut values = Vec::new();
        for (name, value) in &request.headers {
            let name = name.to_ascii_lowercase();
            if PLAIN_HEADERS.contains(&name.as_str()) || name.starts_with("sec-") {
                continue;
            }
            let may_be = is_secret_name(&name) || looks_secret(value);
            if may_be {
                add_credential(value, &mut values);
            }
        }
        for (name, value) in url.query_pairs() {
            if is_secret_name(&name) {
                add_credential(&value, &mut values);
            }
        }
        values.extend([url.username(), url.password().unwrap_or_default()].map(str::to_owned));
        values.retain(|value| value.len() >= SHORTEST_SECRET);
        Hidden {
            credentials: values,
            ..Hidden::default()
        }
    }

    /// Takes what was removed when the exchange was recorded.
    pub(super) fn without(&mut self, removed: &Removed) {
        self.removed.add(removed);
    }

    /// Whether a member or a parameter of this name may have been removed when the exchange was recorded, so that its absence
    /// says nothing.
    pub(super) fn is_removed(&self, name: &str) -> bool {
        self.removed.has(name)
    }

    /// Hides all values too: the service has fields that are not to be shown, and a value may have come from one.
    pub(super) fn hide_values(&mut self) {
        self.all_values = true;
    }

    fn holds(&self, text: &str) -> bool {
        let mut values = self.credentials.iter();
        values.any(|value| text.contains(value.as_str()))
    }

    /// A name, if it is one and not a value.
    pub(super) fn name(&self, name: &str) -> Option<String> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.$@:[]".contains(c);
        let is_shown = !name.is_empty()
            && name.len() <= LONGEST_NAME
            && name.chars().all(is_plain)
            && !looks_secret(name)
            && !self.holds(name);
        is_shown.then(|| name.to_owned())
    }

    /// A name for a message; stars where it may be a value.
    pub(super) fn named(&self, name: &str) -> String {
        self.name(name).unwrap_or_else(|| "***".to_owned())
    }

    /// A value of the place with this name, if it is a short word or a small number and the place is not secret.
    pub(super) fn value(&self, place: &str, value: &Value) -> Option<String> {
        if self.all_values || is_secret_name(place) {
            return None;
        }
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Bool(flag) => flag.to_string(),
            Value::Number(number) => {
                let text = number.to_string();
                return (text.len() <= 6 && !self.holds(&text)).then_some(text);
            }
            _ => return None,
        };
        let is_plain = |c: char| c.is_ascii_alphabetic() || "_-. ".contains(c);
        let digits = text.chars().filter(char::is_ascii_digit).count();
        let is_shown = !text.is_empty()
            && text.len() <= LONGEST_VALUE
            && digits <= 4
            && text.chars().all(|c| is_plain(c) || c.is_ascii_digit())
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && !looks_secret(&text)
            && !self.holds(&text);
        is_shown.then_some(text)
    }

    /// A segment of a path, if it is a word and no id.
    pub(super) fn segment(&self, segment: &str) -> Option<String> {
        let is_plain = |c: char| c.is_ascii_alphabetic() || "_-.:".contains(c);
        let is_version = segment.len() <= 4
            && segment.starts_with(['v', 'V'])
            && segment[1..]
                .bytes()
                .all(|b| b.is_ascii_digit() || b == b'.');
        let is_word = segment.chars().all(is_plain) && segment.len() <= LONGEST_VALUE;
        let is_shown = (is_word || is_version) && !looks_secret(segment) && !self.holds(segment);
        is_shown.then(|| segment.to_owned())
    }
}

/// Whether values of this name may be secrets or say who somebody is.
pub(super) fn is_secret_name(name: &str) -> bool {
    let name = in_words(name);
    // Words that end in a part without being about it.
    if [
        "status_code",
        "country_code",
        "currency_code",
        "language_code",
    ]
    .contains(&name.as_str())
    {
        return false;
    }
    let mut words = name.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|word| SECRET_WORDS.contains(&word))
        || SECRET_PARTS.iter().any(|part| name.contains(part))
}

/// The parts of a header or parameter that are secrets: the whole, the words in it, and what is inside of base64.
fn add_credential(value: &str, values: &mut Vec<String>) {
    values.push(value.to_owned());
    let words = value.split([' ', ';', ',', '=', '"']);
    for word in words.filter(|word| word.len() >= SHORTEST_SECRET) {
        values.push(word.to_owned());
        let inside = STANDARD.decode(word).ok();
        if let Some(inside) = inside.and_then(|bytes| String::from_utf8(bytes).ok()) {
            values.extend(inside.split(':').map(str::to_owned));
        }
    }
    let words = [
        "Bearer", "Basic", "Token", "Digest", "Path", "path", "session", "true", "false",
    ];
    values.retain(|value| !words.contains(&value.as_str()));
}

/// A name in lower case, with `_` between the words of `camelCase`.
fn in_words(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    let mut was_small = false;
    for c in name.chars() {
        if was_small && c.is_ascii_uppercase() {
            words.push('_');
        }
        was_small = c.is_ascii_lowercase() || c.is_ascii_digit();
        words.push(c.to_ascii_lowercase());
    }
    words
}
