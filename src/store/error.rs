//! Why a store cannot do what it is asked for.

use super::Address;

/// Why a store cannot do what it is asked for. No password is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum StoreError {
    /// This build has no Postgres.
    #[cfg(not(feature = "postgres"))]
    #[error(
        "this build has no Postgres: it needs the Cargo feature `postgres`, which released programs have"
    )]
    NotBuilt,
    /// A newer program made the tables.
    #[error(
        "a newer toolrun made its tables (version {found}; this one knows {known}): update this one"
    )]
    Newer {
        /// The version that was found.
        found: i64,
        /// The newest version that is known.
        known: i64,
    },
    /// The file or database cannot be opened or reached.
    #[error("it cannot be opened: {0}")]
    Open(String),
    /// Tables of another program have names that this one needs.
    #[error("it has a `{0}` that toolrun did not make: give toolrun a file or database of its own")]
    Taken(String),
    /// The file was removed or replaced while it was open.
    #[error("its file was removed or replaced while it was in use")]
    Gone,
    /// The database is busy, or its connection was cut.
    #[error("it does not answer: {0}")]
    Passing(String),
    /// The database refused a statement.
    #[error("{0}")]
    Refused(String),
    /// Something in the store is not what this program wrote.
    #[error("{0} in it is not what toolrun writes")]
    Broken(&'static str),
    /// What belongs to a secret cannot be read with the key that is given.
    #[error("its tokens were encrypted with another key")]
    OtherKey,
    /// The same, with the address of the store.
    #[error("the store {address}: {error}")]
    At {
        /// The address, without a password.
        address: String,
        /// What is wrong.
        #[source]
        error: Box<StoreError>,
    },
}

impl StoreError {
    /// Whether the same may work a little later.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            StoreError::Passing(_) => true,
            StoreError::At { error, .. } => error.is_passing(),
            _ => false,
        }
    }

    pub(super) fn at(self, address: &Address) -> StoreError {
        match self {
            StoreError::At { .. } => self,
            error => StoreError::At {
                address: address.to_string(),
                error: Box::new(error),
            },
        }
    }
}
