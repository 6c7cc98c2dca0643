//! The origin in what an answer says: a recording that was made at one origin may answer requests to another.

use std::borrow::Cow;

use memchr::memmem;
use url::Url;

/// How texts write `:` and `/`: plainly, in JSON with escapes, and in the query of another URL.
const NOTATIONS: [(&str, &str); 6] = [
    (":", "/"),
    (":", "\\/"),
    (":", "\\u002f"),
    (":", "\\u002F"),
    ("%3A", "%2F"),
    ("%3a", "%2f"),
];

/// An origin that another one takes the place of.
pub(super) struct Moved {
    from: Place,
    to: Place,
}

/// The parts of an origin.
#[derive(PartialEq)]
struct Place {
    scheme: String,
    host: String,
    /// The port, also where it is that of the scheme.
    port: u16,
    /// Whether the port is that of the scheme, and is not written.
    is_default: bool,
}

impl Place {
    fn of(url: &Url) -> Option<Place> {
        Some(Place {
            scheme: url.scheme().to_owned(),
            host: url.host_str()?.to_owned(),
            port: url.port_or_known_default()?,
            is_default: url.port().is_none(),
        })
    }

    /// Scheme and host.
    fn beginning(&self, (colon, slash): (&str, &str)) -> String {
        format!("{}{colon}{slash}{slash}{}", self.scheme, self.host)
    }

    fn text(&self, notation: (&str, &str)) -> String {
        let beginning = self.beginning(notation);
        match self.is_default {
            true => beginning,
            false => format!("{beginning}{}{}", notation.0, self.port),
        }
    }
}

impl Moved {
    /// `None` if both are of one origin, or one has no host.
    pub(super) fn new(from: &Url, to: &Url) -> Option<Moved> {
        let (from, to) = (Place::of(from)?, Place::of(to)?);
        (from != to).then_some(Moved { from, to })
    }

    /// A text with the new origin wherever a URL begins with the old one. A longer host, another port or a user in front of
    /// another host make another origin, which stays.
    pub(super) fn rewrite<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        let all = NOTATIONS.iter();
        all.fold(Cow::Borrowed(text), |text, notation| {
            match self.in_notation(&text, *notation) {
                Some(new) => Cow::Owned(new),
                None => text,
            }
        })
    }

    fn in_notation(&self, text: &[u8], notation: (&str, &str)) -> Option<Vec<u8>> {
        let beginning = self.from.beginning(notation);
        let (mut new, mut done) = (Vec::new(), 0);
        for at in memmem::find_iter(text, beginning.as_bytes()) {
            let behind = &text[at + beginning.len()..];
            if let Some(port) = self.end(behind, notation) {
                new.extend_from_slice(&text[done..at]);
                new.extend_from_slice(self.to.text(notation).as_bytes());
                done = at + beginning.len() + port;
            }
        }
        new.extend_from_slice(&text[done..]);
        (done > 0).then_some(new)
    }

    /// How many bytes behind the host are its port, if the old origin ends there.
    fn end(&self, behind: &[u8], (colon, slash): (&str, &str)) -> Option<usize> {
        let digits = behind.strip_prefix(colon.as_bytes()).unwrap_or_default();
        let count = digits.iter().take_while(|byte| byte.is_ascii_digit());
        let count = count.count();
        let (port, length) = match std::str::from_utf8(&digits[..count]) {
            Ok("") | Err(_) => (None, 0),
            Ok(digits) => (digits.parse::<u16>().ok(), colon.len() + count),
        };
        let is_port = match (length, self.from.is_default) {
            (0, is_default) => is_default,
            _ => port == Some(self.from.port),
        };
        let rest = &behind[length..];
        let is_sign = |sign: &str| rest.starts_with(sign.as_bytes());
        let is_end = match rest {
            [] | [b'.'] => true,
            // A dot that ends a sentence is none of a host.
            [b'.', next, ..] => !belongs(*next) && !rest[1..].starts_with(slash.as_bytes()),
            _ if is_sign(colon) => {
                // An empty port says nothing; a text is a password.
                let rest = &rest[colon.len()..];
                rest.first().is_none_or(|next| !belongs(*next))
            }
            // Within a query, `%40` is the `@` behind a user, and any other code a sign that no host has.
            [b'%', ..] if colon != ":" => !is_sign("%40"),
            [next, ..] => !belongs(*next),
        };
        (is_port && is_end).then_some(length)
    }
}

/// Whether a byte behind a host or a port goes on with it, or makes a user of it.
fn belongs(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~@%:".contains(&byte) || !byte.is_ascii()
}
