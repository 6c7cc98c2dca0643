//! Bodies for the observer. Nothing is copied or searched before the observer reads a body.

use std::fmt;

use bytes::Bytes;

use crate::sign::Redactor;

/// This many more bytes are searched for secrets than are shown, so that a secret at the end is not cut in two.
const BEYOND: usize = 1 << 20;

/// The body of a request or a response.
#[derive(Clone)]
pub struct SeenBody {
    bytes: Bytes,
    /// `None` if the body is itself a credential.
    redactor: Option<Redactor>,
}

/// The part of a body that may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// The body is empty.
    Nothing,
    /// Text, secrets masked.
    Text {
        /// Its first bytes.
        text: String,
        /// How many bytes were left out.
        cut: usize,
    },
    /// It is not text.
    Binary {
        /// Its size.
        bytes: usize,
    },
    /// It carries credentials.
    Withheld {
        /// Its size.
        bytes: usize,
    },
}

impl SeenBody {
    /// A body that is shown with its secrets masked.
    pub(crate) fn new(bytes: Bytes, redactor: &Redactor) -> SeenBody {
        SeenBody {
            bytes,
            redactor: Some(redactor.clone()),
        }
    }

    /// A body of which only the size is shown.
    pub(crate) fn withheld(bytes: Bytes) -> SeenBody {
        SeenBody {
            bytes,
            redactor: None,
        }
    }

    /// Its size in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether the body is empty.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The first `most` bytes of the body, secrets masked.
    pub fn shown(&self, most: usize) -> Shown {
        let bytes = self.bytes.len();
        if bytes == 0 {
            return Shown::Nothing;
        }
        let Some(redactor) = &self.redactor else {
            return Shown::Withheld { bytes };
        };
        let searched = &self.bytes[..bytes.min(most.saturating_add(BEYOND))];
        let text = match std::str::from_utf8(searched) {
            Ok(text) => text,
            // The last character may have been cut in two.
            Err(error) if error.error_len().is_none() && searched.len() < bytes => {
                std::str::from_utf8(&searched[..error.valid_up_to()]).unwrap_or_default()
            }
            Err(_) => return Shown::Binary { bytes },
        };
        let mut text = redactor.text(text);
        let beyond = bytes - searched.len();
        let end = text.floor_char_boundary(most);
        let cut = text.len() - end + beyond;
        text.truncate(end);
        Shown::Text { text, cut }
    }
}

impl PartialEq for SeenBody {
    fn eq(&self, other: &SeenBody) -> bool {
        self.bytes == other.bytes && self.redactor.is_some() == other.redactor.is_some()
    }
}

/// Shows only the size: the bytes may repeat a secret.
impl fmt::Debug for SeenBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SeenBody({} bytes)", self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;
    use crate::sign::{Secret, SecretRef, SecretStore, Secrets};
    use crate::source::{Check, Source};

    const SECRET: &str = "canary-0123456789";

    fn redactor() -> Redactor {
        let check = Check::new(Source::parse("t".into(), "a: 1".into()).unwrap());
        let spec = serde_json::from_value(json!({ "env": "K" })).unwrap();
        let reference = SecretRef::compile(&spec, "", &check).unwrap();
        let mut store = SecretStore::default();
        store.give("K", Secret::new(SECRET));
        Redactor::new(&Secrets::resolve(&[reference], &store, None).unwrap())
    }

    fn body(bytes: impl Into<Bytes>) -> SeenBody {
        SeenBody::new(bytes.into(), &redactor())
    }

    #[test]
    fn a_body_is_shown_masked_and_cut() {
        let long = "ä".repeat(2 << 20);
        let text = |text: &str, cut| Shown::Text {
            text: text.to_owned(),
            cut,
        };
        for (given, expected) in [
            (body(""), Shown::Nothing),
            (body("abc"), text("abc", 0)),
            (body("abcdefghijkl"), text("abcdefghij", 2)),
            (body("äöüäöüä"), text("äöüäö", 4)),
            (body(long.clone()), text("äääää", long.len() - 10)),
            (body(format!("a {SECRET} b")), text("a *** b", 0)),
            // Masked before it is cut, so that no first half of a secret is left.
            (body(format!("12345 {SECRET}")), text("12345 ***", 0)),
            (body(vec![0xff, 0xfe]), Shown::Binary { bytes: 2 }),
            (
                body("ä".as_bytes()[..1].to_vec()),
                Shown::Binary { bytes: 1 },
            ),
            (
                SeenBody::withheld(Bytes::from_static(SECRET.as_bytes())),
                Shown::Withheld { bytes: 17 },
            ),
        ] {
            assert_eq!(given.shown(10), expected, "{given:?}");
        }
    }

    #[test]
    fn debug_shows_nothing_of_a_body() {
        assert_eq!(format!("{:?}", body(SECRET)), "SeenBody(17 bytes)");
    }
}
