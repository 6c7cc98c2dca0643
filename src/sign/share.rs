//! Where several processes keep the access tokens that they share.

use std::fmt;
use std::pin::Pin;
use std::time::SystemTime;

use serde_json::Value;

use super::Secret;

/// An access token that was saved.
#[derive(Clone)]
pub(crate) struct SavedToken {
    /// The access token.
    pub access: Secret,
    /// The refresh token that replaces the one of the descriptor.
    pub rotated: Option<Secret>,
    /// When it is to be renewed, which is shortly before it expires.
    pub renewed_at: Option<SystemTime>,
    /// Further values by name.
    pub values: Value,
}

impl fmt::Debug for SavedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SavedToken")
    }
}

/// A future of a share. The error says what is wrong with it.
pub(crate) type TokenFuture<'s, T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send + 's>>;

/// Keeps access tokens for several processes. A refresh token may be good for one use, so one process at a time may ask
/// for a token, and reads first what the one before got.
pub(crate) trait TokenShare: Send + Sync {
    /// Waits for the right to ask for a token. `parts` say which: the service, the token endpoint, the secrets. `None` if
    /// tokens are not shared.
    fn hold(&self, parts: Vec<String>) -> TokenFuture<'_, Option<Box<dyn HeldToken>>>;
}

/// The right to ask for a token. It ends when it is dropped.
pub(crate) trait HeldToken: Send + Sync {
    /// The token that was saved last.
    fn saved(&self) -> Option<&SavedToken>;

    /// Saves a token.
    fn save<'s>(&'s self, token: &'s SavedToken) -> TokenFuture<'s, ()>;
}
