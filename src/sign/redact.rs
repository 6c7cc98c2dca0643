//! Redaction: whatever a server sends back, the secrets that we sent to it are not in what we show.

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use bytes::Bytes;

use super::{Secret, Secrets};
use crate::plan::{MASK, percent_encode};

/// Shortest text that is masked; shorter ones would hit by chance.
const SHORTEST: usize = 4;

/// Masks a set of secrets, plain, percent-encoded, JSON-escaped, in base64 and in hex.
#[derive(Clone)]
pub struct Redactor {
    forms: Option<AhoCorasick>,
    masks: Vec<&'static str>,
}

impl Redactor {
    /// Prepares to mask these secrets.
    pub fn new(secrets: &Secrets) -> Redactor {
        let mut forms: Vec<String> = secrets.values().flat_map(forms).collect();
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        forms.dedup();
        let forms = (!forms.is_empty())
            .then(|| {
                AhoCorasick::builder()
                    .match_kind(aho_corasick::MatchKind::LeftmostLongest)
                    .build(&forms)
                    .ok()
            })
            .flatten();
        let masks = vec![MASK; forms.as_ref().map_or(0, AhoCorasick::patterns_len)];
        Redactor { forms, masks }
    }

    /// The bytes with every secret masked; the same bytes where there is none.
    pub fn bytes(&self, bytes: Bytes) -> Bytes {
        match &self.forms {
            Some(forms) if forms.is_match(&bytes) => {
                forms.replace_all_bytes(&bytes, &self.masks).into()
            }
            _ => bytes,
        }
    }

    /// The text with every secret masked.
    pub fn text(&self, text: &str) -> String {
        match &self.forms {
            Some(forms) if forms.is_match(text) => forms.replace_all(text, &self.masks),
            _ => text.to_owned(),
        }
    }
}

fn forms(secret: &Secret) -> Vec<String> {
    let plain = secret.expose();
    if plain.len() < SHORTEST {
        return Vec::new();
    }
    let escaped = serde_json::Value::from(plain).to_string();
    let mut forms = vec![
        plain.to_owned(),
        percent_encode(plain),
        escaped.trim_matches('"').to_owned(),
        hex(plain.as_bytes()),
        hex(plain.as_bytes()).to_uppercase(),
    ];
    forms.extend(base64_forms(plain.as_bytes()));
    forms
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Base64 of the secret wherever it begins in a longer encoded text: at each of the three offsets, the middle part
/// that does not depend on what stands around it.
fn base64_forms(secret: &[u8]) -> Vec<String> {
    let mut forms = vec![STANDARD.encode(secret)];
    for offset in 0..3_usize {
        let mut padded = vec![0_u8; offset];
        padded.extend_from_slice(secret);
        let whole = padded.len() / 3 * 3;
        let encoded = STANDARD_NO_PAD.encode(&padded[..whole]);
        let skip = if offset == 0 { 0 } else { 4 };
        if let Some(middle) = encoded.get(skip..).filter(|middle| middle.len() >= 8) {
            forms.push(middle.to_owned());
            forms.push(middle.replace('+', "-").replace('/', "_"));
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn every_form_is_masked() {
        let value = "canary/key+with\"quote-0123456789";
        let secrets = Secrets(HashMap::from([("K".to_owned(), Secret::new(value))]));
        let redactor = Redactor::new(&secrets);
        for shown in [
            value.to_owned(),
            percent_encode(value),
            serde_json::Value::from(value).to_string(),
            hex(value.as_bytes()),
            STANDARD.encode(value),
            STANDARD.encode(format!("u:{value}")),
            STANDARD.encode(format!("us:{value}:x")),
        ] {
            let masked = redactor.text(&format!("a {shown} b"));
            assert!(masked.contains(MASK), "{shown} -> {masked}");
            assert!(
                !masked.contains("canary") && !masked.contains(&hex(b"canary")),
                "{masked}"
            );
        }
        assert_eq!(redactor.text("nothing here"), "nothing here");
        assert_eq!(
            redactor.bytes(Bytes::from_static(b"none")),
            Bytes::from_static(b"none")
        );
    }
}
