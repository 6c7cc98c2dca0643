//! The store that commands share: which one it is, and what an engine shares through it.

use std::sync::{Arc, OnceLock};

use crate::Engine;
use crate::sign::{HeldToken, Secret, TokenFuture, TokenShare};
use crate::store::{Address, AddressError, SharedLimiter, Store, StoreKey, StoredTokens};

use super::profile::Profile;
use super::roots::roots;
use super::trust::state_folder;
use super::{Failure, exit, note, usage};

/// The variable that names a store.
const VARIABLE: &str = "TOOLRUN_STORE";
/// The variable of the key that encrypts what a store keeps of secrets.
const KEY: &str = "TOOLRUN_STORE_KEY";

/// A store, and who named it.
#[derive(Debug, Clone)]
pub(crate) struct NamedStore {
    store: Store,
    from: String,
}

impl NamedStore {
    /// The store that a flag, the environment or the profile names.
    ///
    /// # Errors
    /// When the address is none, or this build has no such store.
    pub(super) fn find(
        flag: Option<&str>,
        profile: Option<&Profile>,
    ) -> Result<Option<NamedStore>, Failure> {
        let variable = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty());
        let (address, from) = match (flag, variable) {
            (Some(text), _) => (read_address(text, "--store")?, "--store".to_owned()),
            (None, Some(text)) => {
                let from = format!("${VARIABLE}");
                (read_address(&text, &from)?, from)
            }
            (None, None) => match profile {
                Some(Profile {
                    store: Some(address),
                    name,
                    ..
                }) => (address.clone(), format!("profile {name}")),
                _ => return Ok(None),
            },
        };
        NamedStore::new(address, from).map(Some)
    }

    fn new(address: Address, from: String) -> Result<NamedStore, Failure> {
        let store = Store::new(address, &roots(None));
        Ok(NamedStore {
            store: store.map_err(|error| usage(format!("the store ({from}): {error}")))?,
            from,
        })
    }

    /// The store of this user, for commands that need one and are given none.
    ///
    /// # Errors
    /// When it is not known where it is.
    pub(crate) fn of_user() -> Result<NamedStore, Failure> {
        let path = state_folder("store.db", "the store")?;
        NamedStore::new(Address::Sqlite(path), "default".to_owned())
    }

    /// The store.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Who named it.
    pub(crate) fn from(&self) -> &str {
        &self.from
    }

    /// The engine, with rate budgets and access tokens that all share who use this store.
    pub(crate) fn share(&self, engine: Engine) -> Engine {
        let taker = format!("process {}", uuid::Uuid::new_v4());
        let limiter = SharedLimiter::new(&self.store, taker);
        let tokens = Tokens {
            store: self.store.clone(),
            secrets: engine.clone(),
            key: Arc::default(),
        };
        engine
            .with_limiter(Arc::new(limiter))
            .with_tokens(Arc::new(tokens))
    }
}

/// The address is not quoted: a password may be in it.
fn read_address(text: &str, from: &str) -> Result<Address, Failure> {
    text.parse()
        .map_err(|error: AddressError| usage(format!("{from} is no address of a store: {error}")))
}

/// The tokens of the store. The key is looked up when the first token is needed, because the operating system may ask
/// somebody for it.
struct Tokens {
    store: Store,
    secrets: Engine,
    key: Arc<OnceLock<Result<Option<StoreKey>, String>>>,
}

impl TokenShare for Tokens {
    fn hold(&self, parts: Vec<String>) -> TokenFuture<'_, Option<Box<dyn HeldToken>>> {
        Box::pin(async move {
            let (known, secrets) = (Arc::clone(&self.key), self.secrets.clone());
            let looked_up = tokio::task::spawn_blocking(move || {
                known.get_or_init(|| look_up(&secrets)).clone()
            });
            let key = looked_up.await.map_err(|error| error.to_string())??;
            match key {
                None => Ok(None),
                Some(key) => StoredTokens::new(&self.store, key).hold(parts).await,
            }
        })
    }
}

fn look_up(secrets: &Engine) -> Result<Option<StoreKey>, String> {
    match secrets.own_secret(KEY).map_err(|error| error.to_string())? {
        Some(text) => read_key(&text).map(Some),
        None => {
            note(&format!(
                "access tokens are not shared through the store, because ${KEY} is not set; `openssl rand -hex 32` \
                 makes a key for it"
            ));
            Ok(None)
        }
    }
}

fn read_key(text: &Secret) -> Result<StoreKey, String> {
    StoreKey::parse(text).ok_or_else(|| {
        format!("${KEY} is no key: it must be 32 bytes, as 64 hexadecimal digits or in base64")
    })
}

/// A failure of a store.
pub(crate) fn store_failure(error: &crate::store::StoreError) -> Failure {
    Failure::Told(exit::NETWORK, error.to_string())
}
