//! Signing: auth kinds as data, and the moment when a plan gets its credentials.
//!
//! An auth kind first puts named placeholders into a plan, which shows where credentials go. [`sign`] fills them in at
//! the last moment.

mod auth;
mod command;
mod dotenv;
mod error;
mod field;
mod hmac;
mod keyring;
mod oauth;
mod redact;
mod request;
mod secret;
mod share;
mod sigv4;
#[cfg(test)]
pub(crate) mod tests;
mod values;

pub use auth::AuthList;
pub(crate) use auth::{Auth, KeyPlace, LeftOut};
pub(crate) use dotenv::check as check_env_file;
pub use error::SignError;
pub(crate) use error::TokenError;
pub(crate) use oauth::ACCESS_TOKEN;
pub(crate) use oauth::{Grant, Token};
pub use redact::Redactor;
pub(crate) use request::{SignedRequest, sign};
pub(crate) use secret::{KeyringSpec, SecretPlace, SecretRef, SecretSpec, Whereabouts};
pub use secret::{Secret, SecretError, SecretStore};
pub(crate) use share::{HeldToken, SavedToken, TokenFuture, TokenShare};
pub use values::Secrets;

/// The SHA-256 of some bytes, in hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref())
}

/// Bytes in hex, lower case.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
