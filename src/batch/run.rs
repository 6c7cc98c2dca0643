//! A run: what belongs to it beside its jobs, its id, and the digest of its descriptor.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::format::Access;
use crate::sign::sha256;
use crate::tool::Tool;

/// What belongs to a run beside its jobs. It holds no secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Options {
    /// The digest of what the run is about: the tool and its jobs.
    pub fingerprint: String,
    /// A random text, of which the idempotency keys of its writes are made: a run that is forgotten and made again is
    /// another one for the service.
    pub nonce: String,
    /// Values of settings of the service.
    #[serde(default)]
    pub settings: Vec<(String, String)>,
    /// The sandbox that is called in place of the service: empty for one that each process starts for itself, else its
    /// URL.
    #[serde(default)]
    pub sandbox: Option<String>,
    /// Whether a recording answers in place of the service.
    #[serde(default)]
    pub played: bool,
    /// The profile that the run was made with.
    #[serde(default)]
    pub profile: Option<String>,
    /// At most so many requests are sent in a time, by all workers together.
    #[serde(default)]
    pub rate: Option<Rate>,
    /// How often a job is tried.
    pub max_attempts: u32,
    /// After so many failures of one kind in a row the run stops; 0 is never.
    pub stop_after: u32,
    /// Limits each request with its retries, in milliseconds.
    #[serde(default)]
    pub timeout: Option<u64>,
    /// How the rows are written at the end.
    #[serde(default)]
    pub output: Option<String>,
    /// The file that the rows are written to.
    #[serde(default)]
    pub out: Option<String>,
}

impl Options {
    /// The idempotency key of a job: the same at each of its attempts, on every machine.
    pub(crate) fn idempotency_key(&self, key: &str) -> String {
        let hash = digest(&SHA256, format!("{}\0{key}", self.nonce).as_bytes());
        let mut bytes = hash
            .as_ref()
            .first_chunk::<16>()
            .copied()
            .unwrap_or_default();
        // A UUID of version 8 (RFC 9562, section 5.8), because some services take nothing else.
        bytes[6] = bytes[6] & 0x0f | 0x80;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex = crate::sign::hex(&bytes);
        let parts = [
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..],
        ];
        parts.join("-")
    }
}

/// So many in a time, such as `10/s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rate {
    /// How many.
    pub count: NonZeroU32,
    /// In how many seconds.
    pub seconds: u32,
}

impl Rate {
    /// The time.
    pub(crate) fn per(self) -> Duration {
        Duration::from_secs(u64::from(self.seconds))
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Rate, String> {
        let (count, unit) = text.split_once('/').unwrap_or((text, "s"));
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => 0,
        };
        match count.parse() {
            Ok(count) if seconds > 0 => Ok(Rate { count, seconds }),
            _ => Err("write COUNT/s, COUNT/m or COUNT/h, such as 10/s".to_owned()),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.seconds {
            1 => "s",
            60 => "m",
            _ => "h",
        };
        write!(f, "{}/{unit}", self.count)
    }
}

/// What a run is called where budgets are shared between those who take of them.
pub(crate) fn taker(run: &str) -> String {
    format!("run {run}")
}

/// The digest of a tool with its service, by which workers know that they have the same descriptor.
pub(crate) fn digest_of(tool: &Tool) -> String {
    let (own, service) = (tool.source.text(), tool.service.source().text());
    sha256(format!("{}\0{own}\0{service}", own.len()).as_bytes())
}

/// Whether a job may be sent again when nobody knows whether it was carried out.
pub(crate) fn is_repeatable(tool: &Tool) -> bool {
    tool.access == Access::Read || tool.request.idempotent
}

/// The id for a fingerprint: two words that can be said and typed, after the proquints of Wilkerson. `salt` is for those
/// whose id another run has.
pub(crate) fn id_of(fingerprint: &str, salt: u32) -> String {
    let hash = digest(&SHA256, format!("{fingerprint}\0{salt}").as_bytes());
    let word = |at: usize| {
        let bits = u16::from_be_bytes([hash.as_ref()[at], hash.as_ref()[at + 1]]);
        const CONSONANTS: &[u8; 16] = b"bdfghjklmnprstvz";
        const VOWELS: &[u8; 4] = b"aiou";
        let consonant = |shift: u16| char::from(CONSONANTS[usize::from(bits >> shift & 15)]);
        let vowel = |shift: u16| char::from(VOWELS[usize::from(bits >> shift & 3)]);
        [
            consonant(12),
            vowel(10),
            consonant(6),
            vowel(4),
            consonant(0),
        ]
        .into_iter()
        .collect::<String>()
    };
    format!("{}-{}", word(0), word(2))
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn ids_are_two_words() {
        for fingerprint in ["a", "b", "c"] {
            let id = id_of(fingerprint, 0);
            assert_eq!(id, id_of(fingerprint, 0));
            assert_ne!(id, id_of(fingerprint, 1));
            let is_word =
                |word: &str| word.len() == 5 && word.chars().all(|c| c.is_ascii_lowercase());
            assert!(id.split('-').all(is_word) && id.len() == 11, "{id}");
        }
    }

    #[test]
    fn rates_are_read_and_written() {
        for (text, expected) in [
            ("10/s", Some("10/s")),
            ("10", Some("10/s")),
            ("600/m", Some("600/m")),
            ("5/h", Some("5/h")),
        ] {
            assert_eq!(
                text.parse::<Rate>()
                    .ok()
                    .map(|rate| rate.to_string())
                    .as_deref(),
                expected
            );
        }
        for text in ["0/s", "-1/s", "1/d", "x", ""] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_key_of_a_write_is_a_uuid_of_run_and_key() {
        let options = |nonce: &str| Options {
            fingerprint: String::new(),
            nonce: nonce.to_owned(),
            settings: Vec::new(),
            sandbox: None,
            played: false,
            profile: None,
            rate: None,
            max_attempts: 1,
            stop_after: 1,
            timeout: None,
            output: None,
            out: None,
        };
        let key = options("a").idempotency_key("x");
        assert_eq!(key, options("a").idempotency_key("x"));
        assert_ne!(key, options("b").idempotency_key("x"));
        assert_ne!(key, options("a").idempotency_key("y"));
        let parts: Vec<usize> = key.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12], "{key}");
        assert_eq!(
            (&key[14..15], "89ab".contains(&key[19..20])),
            ("8", true),
            "{key}"
        );
    }
}
