//! Pseudonyms: the same value has the same one in a recording, and nobody can turn it back without the key, which is random and
//! thrown away.

use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::Value;

use crate::sign::hex;

/// What a pseudonym of a text begins with.
const MARK: &str = "redacted-";
/// Digits of a pseudonym.
const DIGITS: usize = 12;
/// Pseudonyms of numbers are below this one.
const MOST: u64 = 1_000_000_000;

/// Makes pseudonyms with one key.
#[derive(Clone)]
pub(crate) struct Pseudonyms {
    key: hmac::Key,
    bytes: [u8; 32],
}

impl Pseudonyms {
    /// With a new key; `None` if the machine has no randomness.
    pub(crate) fn new() -> Option<Pseudonyms> {
        let mut bytes = [0; 32];
        SystemRandom::new().fill(&mut bytes).ok()?;
        Some(Pseudonyms::of(bytes))
    }

    pub(super) fn of(bytes: [u8; 32]) -> Pseudonyms {
        Pseudonyms {
            key: hmac::Key::new(hmac::HMAC_SHA256, &bytes),
            bytes,
        }
    }

    /// The key, for the processes of one session.
    pub(super) fn key(&self) -> [u8; 32] {
        self.bytes
    }

    /// The pseudonym of a value: of a text a text, of a number a number; a list and an object keep their shape. `true`,
    /// `false` and null have too few values to be hidden so, and become null.
    pub(super) fn of_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.text(text).into(),
            Value::Number(number) => {
                let digest = hmac::sign(&self.key, number.to_string().as_bytes());
                let start = digest.as_ref().iter().take(8);
                let number = start.fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
                (number % MOST).into()
            }
            Value::Array(items) => items.iter().map(|item| self.of_value(item)).collect(),
            Value::Object(members) => members
                .iter()
                .map(|(name, member)| (name.clone(), self.of_value(member)))
                .collect(),
            Value::Bool(_) | Value::Null => Value::Null,
        }
    }

    fn text(&self, text: &str) -> String {
        let digest = hmac::sign(&self.key, text.as_bytes());
        format!("{MARK}{}", &hex(digest.as_ref())[..DIGITS])
    }
}
