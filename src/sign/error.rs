//! Why a request cannot be signed, or there is no access token.

use super::SecretError;
use crate::plan::RenderError;

/// A request cannot be signed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// A secret is not written as the descriptor says.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// An expression fails, or its value is not allowed in its place.
    #[error("the request cannot be built: {0}")]
    Render(#[from] RenderError),
    /// The request's URL cannot be parsed.
    #[error("the request's URL cannot be parsed")]
    Target,
}

/// The token endpoint gave no access token.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It does not accept the credential.
    #[error(transparent)]
    Refused(SecretError),
    /// It answered with an error.
    #[error("the token endpoint answered {status}: {told}")]
    Answered {
        /// The HTTP status.
        status: u16,
        /// The endpoint's code.
        code: Option<String>,
        /// The endpoint's words, masked.
        told: String,
        /// How often the request was sent.
        attempts: u32,
    },
    /// The answer has no token that can be used.
    #[error("{0}")]
    Shape(String),
}
