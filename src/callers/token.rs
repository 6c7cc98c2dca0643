//! Tokens: how they are made, and how the one that a request brings is compared with those that are known.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use subtle::ConstantTimeEq as _;

use crate::sign::hex;

/// What every token begins with, so that people and scanners know it.
const PREFIX: &str = "toolrun_";
/// What the hash of a token begins with.
const KIND: &str = "sha256:";

/// The SHA-256 of a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenHash([u8; 32]);

impl std::fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenHash")
    }
}

impl TokenHash {
    /// The hash of a token.
    pub(crate) fn of(token: &str) -> TokenHash {
        let digest = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
        let mut hash = [0; 32];
        hash.copy_from_slice(digest.as_ref());
        TokenHash(hash)
    }

    /// A hash as files have it. `None` if the text is none.
    pub(crate) fn parse(text: &str) -> Option<TokenHash> {
        let digits = text.strip_prefix(KIND)?.as_bytes();
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let mut hash = [0; 32];
        if digits.len() != 2 * hash.len() {
            return None;
        }
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(TokenHash(hash))
    }

    /// The hash as files have it.
    pub(crate) fn text(&self) -> String {
        format!("{KIND}{}", hex(&self.0))
    }

    /// Whether both are the same, in a time that does not depend on where they differ.
    pub(super) fn is(&self, other: &TokenHash) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// A new token of 32 random bytes. `None` if the machine has no randomness.
pub(crate) fn new_token() -> Option<String> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_as_it_is_written() {
        let token = new_token().expect("randomness");
        assert_eq!(token.len(), PREFIX.len() + 43);
        assert_ne!(Some(&token), new_token().as_ref());
        let hash = TokenHash::of(&token);
        let text = hash.text();
        assert_eq!(TokenHash::parse(&text), Some(hash));
        assert!(hash.is(&TokenHash::of(&token)));
        assert!(!hash.is(&TokenHash::of("toolrun_another")));
        for wrong in [
            &token,
            "",
            "sha256:",
            &text[1..],
            &text[..70],
            &text.to_uppercase(),
            &format!("{text}0"),
        ] {
            assert_eq!(TokenHash::parse(wrong), None, "{wrong}");
        }
        assert!(!format!("{hash:?}").contains(&text[7..]));
    }
}
