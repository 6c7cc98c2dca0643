//! What a copy did, and what can go wrong with it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::destination::{Counts, Mode};
use crate::engine::error::{Error, ErrorKind};

/// What was done for one table.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct TableReport {
    /// The tool, with its service's name.
    pub tool: String,
    /// The table.
    pub table: String,
    /// How the rows were written; `None` if it did not come to that.
    pub mode: Option<Mode>,
    /// Rows that the service gave.
    pub read: u64,
    #[serde(flatten)]
    pub counts: Counts,
    /// Rows that were in the table already, at the edge of what was read before.
    pub known: u64,
    /// Columns that the table did not have before.
    pub columns_added: Vec<String>,
    /// Columns whose values have several types, and are JSON texts now.
    pub conflicts: Vec<String>,
    /// Values that were left out, by column, because the schema was not to change.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub discarded: BTreeMap<String, u64>,
    /// Up to where the table was read.
    pub cursor: Option<CursorReport>,
    /// What else there is to say.
    pub notes: Vec<String>,
    /// Why the table was not copied.
    pub error: Option<Fault>,
    /// Whether the call lacks the value at which its cursor begins.
    #[serde(skip)]
    pub lacks_beginning: bool,
}

/// How far a table was read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct CursorReport {
    /// The column.
    pub column: String,
    /// Where reading began: the largest value before, or the one that was given; null at the beginning.
    pub from: Value,
    /// The largest value now.
    pub to: Value,
}

/// Why a table was not copied.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Fault {
    /// The kind of the error.
    pub kind: ErrorKind,
    /// The error, for people.
    pub message: String,
    /// Whether the user stopped it.
    #[serde(skip)]
    pub interrupted: bool,
    /// The error of the call, if it was one.
    #[serde(skip)]
    pub error: Option<Box<Error>>,
}

/// What ends the copy of a table.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// A call failed.
    Call(Box<Error>),
    /// The user stopped it.
    Interrupted,
    /// The destination does not take it.
    Destination(String),
    /// The rows are not what the table takes.
    Rows(String),
    /// It cannot be done as asked.
    Usage(String),
    /// The tool's parent was not read.
    Parent(String, ErrorKind),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        Trouble::Call(Box::new(error))
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Trouble {
        Trouble::Destination(format!("cannot write: {error}"))
    }
}

impl Trouble {
    /// The kind of the error.
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Trouble::Call(error) => error.kind(),
            Trouble::Interrupted => ErrorKind::Network,
            Trouble::Destination(_) => ErrorKind::Output,
            Trouble::Rows(_) => ErrorKind::Response,
            Trouble::Usage(_) => ErrorKind::Usage,
            Trouble::Parent(_, kind) => *kind,
        }
    }
}

impl From<Trouble> for Fault {
    fn from(trouble: Trouble) -> Fault {
        let (kind, interrupted) = (trouble.kind(), matches!(trouble, Trouble::Interrupted));
        let (message, error) = match trouble {
            Trouble::Call(error) => (error.to_string(), Some(error)),
            Trouble::Interrupted => ("interrupted".to_owned(), None),
            Trouble::Destination(message)
            | Trouble::Rows(message)
            | Trouble::Usage(message)
            | Trouble::Parent(message, _) => (message, None),
        };
        Fault {
            kind,
            message,
            interrupted,
            error,
        }
    }
}
