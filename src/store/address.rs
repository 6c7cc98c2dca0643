//! Where a store is.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use url::Url;

/// Where a store is. Printed without a password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// `sqlite:PATH`: a file.
    Sqlite(PathBuf),
    /// `postgres://USER@HOST/DATABASE`: a database.
    Postgres(Database),
}

/// The URL of a Postgres database.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Database {
    url: String,
    shown: String,
}

/// Why a text is no address of a store. It quotes nothing, because a password may be in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddressError {
    /// Neither form.
    #[error("write sqlite:PATH or postgres://USER@HOST/DATABASE")]
    Form,
    /// A file without a path.
    #[error("write the path of the file behind sqlite:")]
    NoPath,
    /// A URL that is none.
    #[error(
        "this is no URL of a Postgres database; write postgres://USER@HOST/DATABASE, with special characters as %XX"
    )]
    BadUrl,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Address, AddressError> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path.is_empty() {
                true => Err(AddressError::NoPath),
                false => Ok(Address::Sqlite(path.into())),
            };
        }
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(AddressError::Form);
        }
        Ok(Address::Postgres(Database {
            url: text.to_owned(),
            shown: shown(text).ok_or(AddressError::BadUrl)?,
        }))
    }
}

/// The URL without its password and its query.
fn shown(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let user = match url.username() {
        "" => String::new(),
        user => format!("{user}@"),
    };
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    let host = url.host_str().unwrap_or_default();
    Some(format!("postgres://{user}{host}{port}{}", url.path()))
}

impl Address {
    /// Whether a password is in it.
    pub(crate) fn holds_password(&self) -> bool {
        match self {
            Address::Sqlite(_) => false,
            Address::Postgres(database) => Url::parse(&database.url).is_ok_and(|url| {
                url.password().is_some() || url.query_pairs().any(|(name, _)| name == "password")
            }),
        }
    }
}

impl Database {
    /// The whole URL, which may hold a password.
    #[cfg(feature = "postgres")]
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Address::Postgres(database) => f.write_str(&database.shown),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}
