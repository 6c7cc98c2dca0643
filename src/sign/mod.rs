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
mod sigv4;
#[cfg(test)]
pub(crate) mod tests;
mod values;

pub use auth::{Auth, AuthList, AuthSpec, KeyPlace, Username};
pub use error::{SignError, TokenError};
pub use field::FieldSpec;
pub use hmac::{Algorithm, Encoding, HmacSpec, KeyEncoding};
pub(crate) use oauth::ACCESS_TOKEN;
pub use oauth::{ClientAuth, Grant, GrantKind, OauthSpec, Token, TokenResponseSpec};
pub use redact::Redactor;
pub use request::{SignedRequest, Stamper, sign};
pub use secret::{KeyringSpec, Secret, SecretError, SecretRef, SecretSpec, SecretStore};
pub use sigv4::{Payload, SigV4Spec};
pub use values::Secrets;

/// Bytes in hex, lower case.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
