//! Why a request gets no response.

use std::time::Duration;

use super::ClientError;
use crate::sign::SignError;
use crate::words::seconds;

/// A request got no response that can be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The request cannot be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The client cannot be built.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A safety rule forbids the request or the answer.
    #[error("{0}")]
    Policy(String),
    /// A recording answers in place of the service, and has no answer. Nothing was sent.
    #[error("{0}")]
    Unrecorded(String),
    /// The network failed.
    #[error("{what}: {reason}")]
    Network {
        /// What could not be done.
        what: String,
        /// Why.
        reason: String,
    },
    /// The time ran out.
    #[error("no answer within {}, {limit}", seconds(*.within))]
    Timeout {
        /// How long was waited.
        within: Duration,
        /// What set the limit.
        limit: Limit,
    },
    /// The response is not one that HTTP or the service's limits allow.
    #[error("the response is not as described: {0}")]
    Response(String),
    /// A download cannot be saved there; nothing was sent.
    #[error("cannot save to {path}: {reason}")]
    Destination {
        /// The path.
        path: String,
        /// Why not.
        reason: NoPlace,
    },
    /// A download could not be written.
    #[error("cannot write {path}: {reason}")]
    Save {
        /// The path.
        path: String,
        /// Why not.
        reason: String,
    },
}

impl SendError {
    /// The error with `mask` applied to all texts that may repeat what a service said.
    #[must_use]
    #[cold]
    pub(crate) fn masked(self, mask: impl Fn(&str) -> String) -> SendError {
        match self {
            SendError::Policy(message) => SendError::Policy(mask(&message)),
            SendError::Response(message) => SendError::Response(mask(&message)),
            SendError::Network { what, reason } => SendError::Network {
                what: mask(&what),
                reason: mask(&reason),
            },
            other => other,
        }
    }
}

/// Which time limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// The caller's limit for each request with its retries.
    Caller,
    /// The caller's limit for the whole call.
    Deadline,
    /// The service's `timeout.total`.
    Total,
    /// The service's `timeout.read`.
    Read,
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Limit::Caller => "the limit of the caller",
            Limit::Deadline => "the deadline of the caller",
            Limit::Total => "the service's timeout.total",
            Limit::Read => "the service's timeout.read",
        })
    }
}

/// Why a download cannot be saved at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NoPlace {
    /// The file exists already and must not be overwritten.
    Taken,
    /// The path is something else than a file.
    NoFile,
    /// The path does not name a file.
    NoName,
    /// The folder does not exist.
    NoFolder,
}

impl std::fmt::Display for NoPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            NoPlace::Taken => "it is there already",
            NoPlace::NoFile => "it is no regular file",
            NoPlace::NoName => "it is no name of a file",
            NoPlace::NoFolder => "its folder is not there",
        })
    }
}
