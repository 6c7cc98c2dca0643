//! How a query fails. The facts are here; the command line and the server add what their users can do.

use std::fmt;
use std::time::Duration;

use super::table::quoted;
use crate::engine::error::{Error, ErrorKind};
use crate::words::seconds;

/// How a query fails.
#[derive(Debug, Clone)]
pub(crate) enum SqlError {
    /// A call of a tool failed.
    Call {
        /// The table.
        table: String,
        /// The arguments of the call, as JSON.
        arguments: String,
        /// What went wrong.
        error: Box<Error>,
    },
    /// A tool cannot be loaded.
    Load(Box<Error>),
    /// The statement is not one that runs here, or it is wrong.
    Statement(String),
    /// There is no table of this name.
    NoTable {
        /// The name.
        name: String,
        /// A name that was probably meant, as a sentence.
        hint: Option<String>,
    },
    /// Several services have a tool of this name.
    Ambiguous {
        /// The name.
        name: String,
        /// The tools, with their services.
        tools: Vec<String>,
    },
    /// The tool of this name is no table.
    NotATable {
        /// The name.
        name: String,
        /// Why not.
        reason: String,
    },
    /// The query gives no value for these params.
    Missing {
        /// The table.
        table: String,
        /// The columns that need a value.
        columns: Vec<String>,
        /// Whether the query compares them, but only with values that depend on them in turn.
        is_circular: bool,
    },
    /// A value that the tool does not take.
    Value {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The value, as SQL.
        value: String,
        /// Why it is not taken.
        reason: String,
    },
    /// The tool does not take the arguments together.
    Arguments {
        /// The table.
        table: String,
        /// Why not.
        reason: String,
    },
    /// A rule of the server refuses the call.
    Refused {
        /// The table.
        table: String,
        /// Why.
        reason: String,
    },
    /// The query needs more requests than it may make.
    Requests {
        /// How many it may make.
        most: u32,
        /// How many each table made.
        made: Vec<(String, u32)>,
        /// The table that needs the next one.
        wanting: String,
    },
    /// The query computed too long, apart from its requests.
    Computing(Duration),
    /// The query needs more memory than it may use.
    Memory(u64),
    /// The whole query took too long.
    Late(Box<Error>),
    /// The caller gave up the query.
    Stopped,
}

impl SqlError {
    /// The kind.
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            SqlError::Call { error, .. } | SqlError::Load(error) | SqlError::Late(error) => {
                error.kind()
            }
            SqlError::Statement(_)
            | SqlError::NoTable { .. }
            | SqlError::Ambiguous { .. }
            | SqlError::Missing { .. }
            | SqlError::Value { .. }
            | SqlError::Arguments { .. } => ErrorKind::Usage,
            SqlError::NotATable { .. }
            | SqlError::Refused { .. }
            | SqlError::Requests { .. }
            | SqlError::Computing(_)
            | SqlError::Memory(_) => ErrorKind::Policy,
            SqlError::Stopped => ErrorKind::Network,
        }
    }

    /// The error of the engine, if it is one.
    pub(crate) fn engine(&self) -> Option<&Error> {
        match self {
            SqlError::Call { error, .. } | SqlError::Load(error) | SqlError::Late(error) => {
                Some(error)
            }
            _ => None,
        }
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SqlError::Call { table, error, .. } => write!(f, "{table}: {error}"),
            SqlError::Load(error) | SqlError::Late(error) => error.fmt(f),
            SqlError::Statement(reason) => f.write_str(reason),
            SqlError::NoTable { name, hint } => {
                write!(f, "there is no table `{name}`")?;
                match hint {
                    Some(hint) => write!(f, "; {hint}"),
                    None => Ok(()),
                }
            }
            SqlError::Ambiguous { name, tools } => {
                let tools: Vec<String> = tools.iter().map(|tool| quoted(tool)).collect();
                write!(
                    f,
                    "`{name}` is a table of several services: write {}",
                    tools.join(" or ")
                )
            }
            SqlError::NotATable { name, reason } => write!(f, "`{name}` is no table: {reason}"),
            SqlError::Missing {
                table,
                columns,
                is_circular,
            } => {
                let names = columns.join(" and ");
                let are = match columns.len() {
                    1 => "is",
                    _ => "are",
                };
                let first = columns.first().map_or("", String::as_str);
                match is_circular {
                    false => write!(
                        f,
                        "{table}: {names} {are} needed: add `where {first} = ...`, or join it"
                    ),
                    true => write!(
                        f,
                        "{table}: {names} {are} needed, and the query gives no value that can be known before the table is read: \
                         add `where {first} = ...`, or join it to a table that needs nothing of {table}"
                    ),
                }
            }
            SqlError::Value {
                table,
                column,
                value,
                reason,
            } => write!(f, "{table} does not take {column} = {value}: {reason}"),
            SqlError::Arguments { table, reason } => {
                write!(f, "{table} cannot be read so: {reason}")
            }
            SqlError::Refused { table, reason } => {
                write!(f, "{table} may not be read so: {reason}")
            }
            SqlError::Requests {
                most,
                made,
                wanting,
            } => {
                let made: Vec<String> = made
                    .iter()
                    .map(|(table, count)| format!("{table} made {count}"))
                    .collect();
                write!(
                    f,
                    "the query needs more than {most} requests, and was stopped: {}, and {wanting} needs another",
                    made.join(", ")
                )
            }
            SqlError::Computing(within) => write!(
                f,
                "the query computed for {}, apart from its requests, and was stopped",
                seconds(*within)
            ),
            SqlError::Memory(bytes) => write!(
                f,
                "the query needs more than {} MiB of memory, and was stopped",
                bytes >> 20
            ),
            SqlError::Stopped => f.write_str("the query was stopped"),
        }
    }
}
