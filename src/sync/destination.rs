//! Where rows go.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::files::Files;
use super::keys::Keys;
use super::report::Trouble;
use super::sqlite::Sqlite;
use super::state::State;
use crate::json::Json;
use crate::send::Roots;
use crate::table::{Columns, Format};

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// They take the place of all rows before, in one step.
    Replace,
    /// They are added.
    Append,
    /// A row takes the place of the one with the same key, or is added.
    Merge,
}

/// What rows did to a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// Rows that the table did not have.
    pub added: u64,
    /// Rows that took the place of others.
    pub changed: u64,
    /// Rows that the table had as they are.
    pub unchanged: u64,
    /// Where all rows were read and merged: rows of the table that were not among them.
    pub kept: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.added += other.added;
        self.changed += other.changed;
        self.unchanged += other.unchanged;
        self.kept += other.kept;
    }
}

/// A row.
pub(crate) struct Row {
    /// An object.
    pub json: Json,
    /// What tells it from every other row of the table.
    pub key: Option<[u8; 16]>,
}

/// How a table is written in this run.
#[derive(Debug, Clone)]
pub(crate) struct Opening<'o> {
    pub mode: Mode,
    /// The columns that the rows' keys are made of.
    pub key: &'o [String],
    /// The state that begins with this run; its cursors are those of the run before.
    pub state: &'o State,
    /// Whether all rows are read, and not only new ones.
    pub is_whole: bool,
}

/// Where rows go: a database, or a folder of files. One table is open at a time.
pub(crate) trait Destination {
    /// No columns yet, as its tables take them.
    fn columns(&self) -> Columns;

    /// The names of columns that it writes differently, each with the name that it gets.
    fn renamed(&self, columns: &Columns) -> Vec<(String, String)>;

    /// Opens a table: mends what a killed run left, and gives what is known of the table.
    ///
    /// # Errors
    /// When it cannot be read, or the table is not one of ours.
    fn open(&mut self, table: &str) -> Result<State, Trouble>;

    /// Begins to write the open table.
    ///
    /// # Errors
    /// When it cannot be written.
    fn start(&mut self, opening: &Opening<'_>) -> Result<(), Trouble>;

    /// Writes rows. The columns have grown to hold them.
    ///
    /// # Errors
    /// When they cannot be written; then the table is as it was before.
    fn write(&mut self, columns: &Columns, rows: Vec<Row>) -> Result<Counts, Trouble>;

    /// Ends the open table: makes the rows and the state visible in one step. `keys` knows the keys of the rows.
    ///
    /// # Errors
    /// When it cannot be written; then the table is as it was before.
    fn commit(
        &mut self,
        columns: &Columns,
        state: &State,
        keys: Option<&mut Keys>,
    ) -> Result<Counts, Trouble>;

    /// Gives up the open table. What [`Destination::write`] did not show stays unseen.
    fn abandon(&mut self);
}

/// Keeps other runs away from a place by the lock of a file, as long as the file is open. `None` if another run has it.
///
/// # Errors
/// When the file cannot be made or locked.
pub(super) fn lock(path: &Path) -> io::Result<Option<File>> {
    let file = File::create(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// What `--into` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Into {
    /// A file.
    Sqlite(PathBuf),
    /// A URL, with its password.
    Postgres(String),
    /// A folder of files of this format.
    Files(Format, PathBuf),
}

impl std::str::FromStr for Into {
    type Err = String;

    fn from_str(text: &str) -> Result<Into, String> {
        let kind = text.split(':').next().unwrap_or_default();
        let path = || match text.split_once(':').map(|(_, path)| path) {
            Some("") | None => Err(format!("`{kind}` names no path, such as {kind}:PATH")),
            Some(path) => Ok(PathBuf::from(path)),
        };
        Ok(match kind {
            "sqlite" => Into::Sqlite(path()?),
            "postgres" | "postgresql" => Into::Postgres(text.to_owned()),
            "ndjson" => Into::Files(Format::Ndjson, path()?),
            "csv" => Into::Files(Format::Csv, path()?),
            "parquet" => Into::Files(Format::Parquet, path()?),
            // The text may hold a password.
            _ => {
                return Err(
                    "write sqlite:PATH, postgres://USER@HOST/DATABASE, ndjson:DIR, csv:DIR or parquet:DIR"
                        .to_owned(),
                );
            }
        })
    }
}

/// The place without a password.
impl fmt::Display for Into {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Into::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Into::Postgres(url) => f.write_str(&without_password(url)),
            Into::Files(format, folder) => write!(f, "{}:{}", format.ending(), folder.display()),
        }
    }
}

/// The URL of a database without its password, and without what stands behind `?`, where passwords stand too.
fn without_password(url: &str) -> String {
    let bare = url.split('?').next().unwrap_or_default();
    let (scheme, rest) = bare.split_once("://").unwrap_or(("postgres", bare));
    // A password may have an `@` of its own.
    match rest.rsplit_once('@') {
        None => format!("{scheme}://{rest}"),
        Some((user, place)) => match user.split_once(':') {
            None => format!("{scheme}://{user}@{place}"),
            Some((user, _)) => format!("{scheme}://{user}:***@{place}"),
        },
    }
}

impl Into {
    /// Opens the place. A database on another machine is reached by TLS, with these certificate authorities.
    ///
    /// # Errors
    /// When it cannot be reached or written, or this build does not know it.
    pub(crate) fn open(&self, roots: &Roots) -> Result<Box<dyn Destination>, Trouble> {
        self.check()?;
        #[cfg(not(feature = "postgres"))]
        let _ = roots;
        Ok(match self {
            Into::Sqlite(path) => Box::new(Sqlite::open(path)?),
            Into::Files(format, folder) => Box::new(Files::open(*format, folder)?),
            #[cfg(feature = "postgres")]
            Into::Postgres(url) => Box::new(super::postgres::Postgres::open(url, roots)?),
            #[cfg(not(feature = "postgres"))]
            Into::Postgres(_) => return Err(Trouble::Usage(NO_POSTGRES.to_owned())),
        })
    }

    /// Whether this build knows the place.
    ///
    /// # Errors
    /// What it lacks.
    pub(crate) fn check(&self) -> Result<(), Trouble> {
        match self {
            Into::Files(format, _) => format
                .check()
                .map_err(|told| Trouble::Usage(told.to_owned())),
            #[cfg(not(feature = "postgres"))]
            Into::Postgres(_) => Err(Trouble::Usage(NO_POSTGRES.to_owned())),
            _ => Ok(()),
        }
    }
}

/// This build has no Postgres.
#[cfg(not(feature = "postgres"))]
const NO_POSTGRES: &str = "this build knows no Postgres; build toolrun with the feature `postgres`, or take a released program";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        for (url, shown) in [
            ("postgres://me:secret@host/db", "postgres://me:***@host/db"),
            (
                "postgres://me:se@cr:et@host:1/db?x=y",
                "postgres://me:***@host:1/db",
            ),
            (
                "postgres://me@host/db?password=secret",
                "postgres://me@host/db",
            ),
            ("postgresql://host", "postgresql://host"),
        ] {
            assert_eq!(url.parse::<Into>().unwrap().to_string(), shown);
        }
        for text in ["", "sqlite:", "csv", "mysql://me:secret@host", "oracle:x"] {
            let told = text.parse::<Into>().unwrap_err();
            assert!(!told.contains("secret"), "{told}");
        }
    }
}
