//! Access tokens that all who share a store share. They are encrypted: the store's file or database is no place for a
//! secret.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::task::JoinHandle;

use super::db::{Durability, Tx};
use super::{Store, StoreError};
use crate::sign::{HeldToken, SavedToken, Secret, TokenFuture, TokenShare, hex};

/// How long a process has the right to ask for a token. It is prolonged while the process lives.
const HOLD: Duration = Duration::from_secs(15);
/// How often those who wait for it look again.
const LOOK: Duration = Duration::from_millis(50);

/// The key that encrypts what the store keeps of secrets.
#[derive(Clone)]
pub(crate) struct StoreKey {
    seal: Arc<LessSafeKey>,
    names: Arc<hmac::Key>,
}

impl StoreKey {
    /// Reads a key: 32 bytes, written as 64 hexadecimal digits or in base64.
    pub(crate) fn parse(text: &Secret) -> Option<StoreKey> {
        let text = text.expose().trim();
        let bytes = match text.len() {
            64 => (0..64)
                .step_by(2)
                .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
                .collect::<Option<Vec<u8>>>()?,
            _ => STANDARD.decode(text).ok()?,
        };
        if bytes.len() != 32 {
            return None;
        }
        // Two uses, two keys.
        let root = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        let seal = hmac::sign(&root, b"toolrun store: seal");
        let names = hmac::sign(&root, b"toolrun store: names");
        Some(StoreKey {
            seal: Arc::new(LessSafeKey::new(
                UnboundKey::new(&CHACHA20_POLY1305, seal.as_ref()).ok()?,
            )),
            names: Arc::new(hmac::Key::new(hmac::HMAC_SHA256, names.as_ref())),
        })
    }

    /// The name under which a token is kept. It tells nothing about what it is made of.
    fn name(&self, parts: &[&str]) -> String {
        let mut context = hmac::Context::with_key(&self.names);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        hex(context.sign().as_ref())
    }

    fn seal(&self, name: &str, text: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        let failed = |_| StoreError::Refused("the token cannot be encrypted".to_owned());
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(failed)?;
        let mut sealed = text;
        self.seal
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(name.as_bytes()),
                &mut sealed,
            )
            .map_err(failed)?;
        let mut whole = nonce.to_vec();
        whole.extend(sealed);
        Ok(whole)
    }

    fn open(&self, name: &str, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        let (nonce, text) = sealed
            .split_at_checked(NONCE_LEN)
            .ok_or(StoreError::OtherKey)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| StoreError::OtherKey)?;
        let mut text = text.to_vec();
        let open = self
            .seal
            .open_in_place(nonce, Aad::from(name.as_bytes()), &mut text)
            .map_err(|_| StoreError::OtherKey)?;
        Ok(open.to_vec())
    }
}

/// The tokens of a store.
#[derive(Clone)]
pub(crate) struct StoredTokens {
    store: Store,
    key: StoreKey,
}

/// A token as it is encrypted.
#[derive(Serialize, Deserialize)]
struct Plain {
    access: String,
    #[serde(default)]
    rotated: Option<String>,
    /// Milliseconds since 1970.
    #[serde(default)]
    renewed_at: Option<u64>,
    #[serde(default)]
    values: Value,
}

impl StoredTokens {
    /// The tokens of a store, with the key that encrypts them.
    pub(crate) fn new(store: &Store, key: StoreKey) -> StoredTokens {
        StoredTokens {
            store: store.clone(),
            key,
        }
    }

    /// Waits for the right to ask for a token, and reads the one that is kept.
    async fn wait(self, parts: Vec<String>) -> Result<Held, StoreError> {
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let name = self.key.name(&parts);
        let holder = uuid::Uuid::new_v4().to_string();
        let saved = loop {
            match self.try_hold(&name, &holder).await? {
                Some(sealed) => break sealed,
                None => tokio::time::sleep(LOOK).await,
            }
        };
        let saved = match saved {
            None => None,
            Some(sealed) => Some(read(&self.key.open(&name, &sealed)?)?),
        };
        let (store, named, held) = (self.store.clone(), name.clone(), holder.clone());
        let alive = tokio::spawn(async move {
            loop {
                tokio::time::sleep(HOLD / 3).await;
                // If the store is away for long, another process takes over.
                let _ = set_until(&store, &named, &held, HOLD).await;
            }
        });
        Ok(Held {
            tokens: self,
            name,
            holder,
            saved,
            alive,
        })
    }

    /// Takes the right if nobody has it. Gives what is kept, encrypted.
    async fn try_hold(
        &self,
        name: &str,
        holder: &str,
    ) -> Result<Option<Option<Vec<u8>>>, StoreError> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        self.store
            .transact(Durability::Machine, move |tx: &mut dyn Tx| {
                let (name, holder) = (name.clone(), holder.clone());
                Box::pin(async move {
                    tx.run(
                        "insert into token (subject, version, until) values (?1, 0, 0) on conflict do nothing",
                        vec![name.as_str().into()],
                    )
                    .await?;
                    let hold = i64::try_from(HOLD.as_micros()).unwrap_or(i64::MAX);
                    let rows = tx
                        .rows(
                            "update token set holder = ?2, until = {now} + ?3 where subject = ?1 \
                             and (until < {now} or holder = ?2) returning version, sealed",
                            vec![name.into(), holder.into(), hold.into()],
                        )
                        .await?;
                    match rows.into_iter().next() {
                        None => Ok(None),
                        Some(row) if row.int(0)? == 0 => Ok(Some(None)),
                        Some(mut row) => Ok(Some(Some(row.bytes(1)?))),
                    }
                })
            })
            .await
    }
}

impl TokenShare for StoredTokens {
    fn hold(&self, parts: Vec<String>) -> TokenFuture<'_, Option<Box<dyn HeldToken>>> {
        Box::pin(async move {
            let held = self.clone().wait(parts).await;
            let held = held.map_err(|error| error.at(self.store.address()).to_string())?;
            Ok(Some(Box::new(held) as Box<dyn HeldToken>))
        })
    }
}

/// The right to ask for a token. It ends when it is dropped.
struct Held {
    tokens: StoredTokens,
    name: String,
    holder: String,
    saved: Option<SavedToken>,
    alive: JoinHandle<()>,
}

impl HeldToken for Held {
    fn saved(&self) -> Option<&SavedToken> {
        self.saved.as_ref()
    }

    fn save<'s>(&'s self, token: &'s SavedToken) -> TokenFuture<'s, ()> {
        Box::pin(async move {
            let saved = self.write(token).await;
            saved.map_err(|error| error.at(self.tokens.store.address()).to_string())
        })
    }
}

impl Held {
    async fn write(&self, token: &SavedToken) -> Result<(), StoreError> {
        let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let plain = Plain {
            access: token.access.expose().to_owned(),
            rotated: token
                .rotated
                .as_ref()
                .map(|token| token.expose().to_owned()),
            renewed_at: token
                .renewed_at
                .map(|time| u64::try_from(since(time).as_millis()).unwrap_or(u64::MAX)),
            values: token.values.clone(),
        };
        let text = serde_json::to_vec(&plain).map_err(|_| StoreError::Broken("a token"))?;
        let sealed = self.tokens.key.seal(&self.name, text)?;
        let (name, holder) = (self.name.clone(), self.holder.clone());
        let changed = self
            .tokens
            .store
            .transact(Durability::Machine, move |tx: &mut dyn Tx| {
                let values = vec![
                    name.as_str().into(),
                    holder.as_str().into(),
                    sealed.clone().into(),
                ];
                Box::pin(async move {
                    tx.run(
                        "update token set sealed = ?3, version = version + 1 where subject = ?1 and holder = ?2",
                        values,
                    )
                    .await
                })
            })
            .await?;
        match changed {
            0 => Err(StoreError::Refused(
                "another process took over while the token was asked for".to_owned(),
            )),
            _ => Ok(()),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.alive.abort();
        let (store, name, holder) = (
            self.tokens.store.clone(),
            std::mem::take(&mut self.name),
            std::mem::take(&mut self.holder),
        );
        // Without a runtime the program is ending, and the right ends by itself.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _ = set_until(&store, &name, &holder, Duration::ZERO).await;
            });
        }
    }
}

/// Prolongs or ends the right to ask for a token.
async fn set_until(
    store: &Store,
    name: &str,
    holder: &str,
    hold: Duration,
) -> Result<(), StoreError> {
    let (name, holder) = (name.to_owned(), holder.to_owned());
    let micros = i64::try_from(hold.as_micros()).unwrap_or(i64::MAX);
    store
        .transact(Durability::Process, move |tx: &mut dyn Tx| {
            let values = vec![name.as_str().into(), holder.as_str().into(), micros.into()];
            Box::pin(async move {
                tx.run(
                    "update token set until = case when ?3 = 0 then 0 else {now} + ?3 end \
                     where subject = ?1 and holder = ?2",
                    values,
                )
                .await?;
                Ok(())
            })
        })
        .await
}

fn read(text: &[u8]) -> Result<SavedToken, StoreError> {
    let plain: Plain = serde_json::from_slice(text).map_err(|_| StoreError::Broken("a token"))?;
    Ok(SavedToken {
        access: Secret::new(plain.access),
        rotated: plain.rotated.map(Secret::new),
        renewed_at: plain
            .renewed_at
            .map(|ms| UNIX_EPOCH + Duration::from_millis(ms)),
        values: plain.values,
    })
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    const DIGITS: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    #[test]
    fn a_key_is_32_bytes_in_hex_or_base64() {
        for (text, is_key) in [
            (DIGITS, true),
            ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", true),
            (" AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n", true),
            ("", false),
            ("a password", false),
            ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==", false),
            (&DIGITS[2..], false),
            (&DIGITS.replace('0', "é")[..64], false),
        ] {
            assert_eq!(
                StoreKey::parse(&Secret::new(text)).is_some(),
                is_key,
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_sealed_opens_with_the_same_key_under_the_same_name_alone() {
        let key = StoreKey::parse(&Secret::new(DIGITS)).unwrap();
        let other = StoreKey::parse(&Secret::new(DIGITS.replace("00", "ff"))).unwrap();
        let sealed = key.seal("a", b"canary".to_vec()).unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"canary"));
        assert_eq!(key.open("a", &sealed).unwrap(), b"canary");
        assert_eq!(key.open("b", &sealed), Err(StoreError::OtherKey));
        assert_eq!(other.open("a", &sealed), Err(StoreError::OtherKey));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(
                key.open("a", &changed),
                Err(StoreError::OtherKey),
                "byte {at}"
            );
            assert_eq!(key.open("a", &sealed[..at]), Err(StoreError::OtherKey));
        }
        assert_ne!(key.name(&["a", "bc"]), key.name(&["ab", "c"]));
        assert_ne!(key.name(&["a"]), other.name(&["a"]));
    }
}
