//! A question that a client carries: what it brings back is only believed under our seal. The key lives as long as the
//! process.

use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde::{Deserialize, Serialize};

use super::Until;
use super::question::Bound;

/// The longest text that is looked at.
const MOST: usize = 1 << 10;

/// What a client brought back.
#[derive(Debug, Clone)]
pub(in crate::serve) enum Unsealed {
    /// A question of ours for this very call, that nobody has used.
    Fits { id: String, until: Until },
    /// Not of ours, or changed.
    Forged,
    /// Of ours, and for another call, caller, descriptor or policy.
    OtherCall,
    /// It is over.
    Over,
    /// It was used.
    Used,
}

pub(super) struct Seal {
    key: hmac::Key,
    begun: Instant,
}

/// What is under the seal.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    id: String,
    bound: Bound,
    /// Milliseconds since the process began, and since 1970.
    at: u64,
    wall: u64,
}

impl Seal {
    pub(super) fn new() -> Seal {
        let mut key = [0; 32];
        // Two random UUIDs would lack twelve bits of that.
        let filled = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut key);
        assert!(filled.is_ok(), "the system gives random bytes");
        Seal {
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            begun: Instant::now(),
        }
    }

    pub(super) fn close(&self, id: &str, bound: &Bound, until: Until) -> String {
        let wall = until.wall.duration_since(SystemTime::UNIX_EPOCH);
        let payload = Payload {
            id: id.to_owned(),
            bound: bound.clone(),
            at: until.at.duration_since(self.begun).as_millis() as u64,
            wall: wall.map_or(0, |since| since.as_millis() as u64),
        };
        let payload = serde_json::to_vec(&payload).unwrap_or_default();
        let tag = hmac::sign(&self.key, &payload);
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        format!("{}.{}", encode(&payload), encode(tag.as_ref()))
    }

    /// Opens what a client brought back. Its age is looked at last, and nothing is believed before the seal.
    pub(super) fn open(&self, state: &str, bound: &Bound) -> Unsealed {
        let Some(payload) = self.payload(state) else {
            return Unsealed::Forged;
        };
        let until = Until {
            at: self.begun + Duration::from_millis(payload.at),
            wall: SystemTime::UNIX_EPOCH + Duration::from_millis(payload.wall),
        };
        match (payload.bound == *bound, until.is_over()) {
            (false, _) => Unsealed::OtherCall,
            (true, true) => Unsealed::Over,
            (true, false) => Unsealed::Fits {
                id: payload.id,
                until,
            },
        }
    }

    fn payload(&self, state: &str) -> Option<Payload> {
        let (payload, tag) = state.split_once('.').filter(|_| state.len() <= MOST)?;
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        hmac::verify(&self.key, &payload, &tag).ok()?;
        serde_json::from_slice(&payload).ok()
    }
}
