//! Tools as tables: a query in SQL, whose rows come from tools that read.
//!
//! An empty SQLite in memory has each tool as a virtual table (`vtab`). A tool's rows give the columns, its params are
//! hidden columns (`table`). SQLite plans the query and asks what each way to read a table costs; an equality with a param
//! becomes an argument (`plan`). Then it moves cursors from row to row (`cursor`), and pages are fetched when their first
//! row is needed (`reader`). Nothing but reading is allowed, and everything has a limit (`guard`).
//!
//! SQLite is synchronous: a query runs on a thread for work that blocks, and waits there for requests.

mod cursor;
mod error;
mod explain;
mod guard;
mod plan;
mod reader;
mod session;
mod source;
mod table;
#[cfg(test)]
mod tests;
mod value;
mod vtab;
mod words;

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexSet;
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::{Batch, Connection, ErrorCode, Statement};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

pub(crate) use error::SqlError;
pub(crate) use guard::LONGEST;
pub(crate) use session::Limits;
pub(crate) use source::{Begun, Ended, Reading, Source};
pub(crate) use table::{Table, table_name};

use crate::json::Json;
use crate::words::nearest;
use reader::Reader;
use session::Session;
use value::Lost;

/// Rows that wait for whoever prints them.
const WAITING: usize = 256;
/// Bytes of these rows; a larger row waits alone.
const WAITING_BYTES: usize = 16 << 20;

/// A query that runs.
pub(crate) struct Running {
    columns: Option<oneshot::Receiver<Vec<String>>>,
    rows: mpsc::Receiver<Waiting>,
    done: JoinHandle<Result<(), SqlError>>,
    stop: watch::Sender<bool>,
    session: Arc<Session>,
}

/// A row that waits, and the room that it takes.
struct Waiting {
    row: Json,
    _room: OwnedSemaphorePermit,
}

/// How a query ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What went wrong; the rows before were given.
    pub result: Result<(), SqlError>,
    /// What there is to say about the rows.
    pub notes: Vec<String>,
    /// How many requests each table made.
    pub made: Vec<(String, u32)>,
}

/// Starts a query. It runs on a thread for work that blocks, and its requests on the current runtime.
pub(crate) fn start(query: String, source: Arc<dyn Source>, limits: Limits) -> Running {
    let (columns_sender, columns) = oneshot::channel();
    let (sender, rows) = mpsc::channel(WAITING);
    let (stop, stopped) = watch::channel(false);
    let handle = Handle::current();
    let reader = Reader::new(source, handle, stopped, &limits);
    let session = Arc::new(Session::new(reader, limits));
    let own = Arc::clone(&session);
    let done = tokio::task::spawn_blocking(move || {
        let to = Receiver {
            columns: Some(columns_sender),
            rows: sender,
            room: Arc::new(Semaphore::new(WAITING_BYTES)),
        };
        let done = run(&own, &query, to);
        own.reader.end();
        done
    });
    Running {
        columns: Some(columns),
        rows,
        done,
        stop,
        session,
    }
}

impl Running {
    /// The names of the columns, each of which is there once; `None` if the query fails before it has any.
    pub(crate) async fn columns(&mut self) -> Option<Vec<String>> {
        self.columns.take()?.await.ok()
    }

    /// The next rows, one at least; none when the query has ended. A row is an object with the columns as its members.
    pub(crate) async fn rows(&mut self, into: &mut Vec<Json>) -> usize {
        let mut waiting = Vec::new();
        let count = self.rows.recv_many(&mut waiting, WAITING).await;
        into.extend(waiting.into_iter().map(|waiting| waiting.row));
        count
    }

    /// Stops the query if it runs still, and says how it ended.
    pub(crate) async fn end(mut self) -> Outcome {
        self.stop.send_replace(true);
        self.rows.close();
        while self.rows.recv().await.is_some() {}
        let result = self.done.await.unwrap_or_else(|_| {
            let reason = "the program made a mistake in this query";
            Err(SqlError::Statement(reason.to_owned()))
        });
        Outcome {
            result,
            notes: self.session.reader.notes(),
            made: self.session.reader.made(),
        }
    }
}

/// Whoever wants the rows.
struct Receiver {
    columns: Option<oneshot::Sender<Vec<String>>>,
    rows: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
}

/// Nobody wants more rows.
struct Closed;

impl Receiver {
    fn begin(&mut self, columns: &[String]) -> Result<(), Closed> {
        let sender = self.columns.take().ok_or(Closed)?;
        sender.send(columns.to_vec()).map_err(|_| Closed)
    }

    /// Gives a row. Whoever is slow to take it does not use up the time of the query.
    fn row(&self, reader: &Reader, row: Json) -> Result<(), Closed> {
        let bytes = row.bytes().len().min(WAITING_BYTES) as u32;
        let given = reader.wait(async {
            let room = Arc::clone(&self.room).acquire_many_owned(bytes).await;
            let waiting = Waiting {
                row,
                _room: room.map_err(|_| Closed)?,
            };
            self.rows.send(waiting).await.map_err(|_| Closed)
        });
        given.unwrap_or(Err(Closed))
    }
}

fn run(session: &Arc<Session>, query: &str, to: Receiver) -> Result<(), SqlError> {
    let (is_explained, text) = guard::statement(query)?;
    refuse_schemas(session, text)?;
    let connection = guard::open(session).map_err(|error| worded(session, &error))?;
    session.set_reads(!is_explained);
    let done = match is_explained {
        true => explain(session, &connection, text, to),
        false => carry_out(session, &connection, text, to),
    };
    done.map_err(|error| match error {
        Failed::Sql(error) => worded(session, &error),
        Failed::Own(error) => error,
    })
}

enum Failed {
    Sql(rusqlite::Error),
    Own(SqlError),
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Failed {
        Failed::Sql(error)
    }
}

/// SQLite takes any schema before the name of such a table, so that another service's table would be read unseen.
fn refuse_schemas(session: &Session, text: &str) -> Result<(), SqlError> {
    let names = session.reader.source().names();
    let meant = |schema: &str, table: &str| {
        let is_it = |name: &&String| {
            let parts = name.split_once('/');
            parts.is_some_and(|(service, tool)| {
                service == schema && table_name(tool) == table_name(table)
            })
        };
        names.iter().find(is_it)
    };
    for name in words::qualified(text) {
        let (schema, table) = (&name.before, &name.after);
        let reason = match meant(schema, table) {
            Some(meant) => format!("write {}", table::quoted(meant)),
            None if name.is_table && schema != "main" => {
                return Err(SqlError::Statement(format!(
                    "`{schema}.{table}` names a schema, and tables of tools have none"
                )));
            }
            None => continue,
        };
        return Err(SqlError::Statement(format!(
            "`{schema}.{table}` names a schema: {reason}"
        )));
    }
    Ok(())
}

/// The one statement of a text.
fn prepare<'c>(connection: &'c Connection, text: &str) -> Result<Statement<'c>, Failed> {
    let fail = |reason: &str| Err(Failed::Own(SqlError::Statement(reason.to_owned())));
    let mut batch = Batch::new(connection, text);
    let Some(statement) = batch.next()? else {
        return fail("there is no query");
    };
    // What follows is not even planned.
    let rest = text.trim_end().trim_end_matches(';');
    let is_alone = !rest.contains(';') || matches!(batch.next(), Ok(None));
    if !is_alone {
        return fail("there are several statements; a query is one");
    }
    if !statement.readonly() || statement.column_count() == 0 {
        return fail("this statement is not allowed: queries only read tables, by `select`");
    }
    if statement.parameter_count() > 0 {
        return fail("there is a `?` or a name for a value; write the value itself into the query");
    }
    Ok(statement)
}

fn carry_out(
    session: &Session,
    connection: &Connection,
    text: &str,
    mut to: Receiver,
) -> Result<(), Failed> {
    let mut statement = prepare(connection, text)?;
    let names = unique(statement.column_names().collect());
    let keys: Vec<Json> = names.iter().map(|name| Json::of_text(name)).collect();
    if to.begin(&names).is_err() {
        return Ok(());
    }
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mut text = vec![b'{'];
        for (at, key) in keys.iter().enumerate() {
            if at > 0 {
                text.push(b',');
            }
            text.extend_from_slice(key.bytes());
            text.push(b':');
            if let Some(lost) = value::append(&mut text, row.get_ref(at)?) {
                tell_lost(session, &names[at], lost);
            }
        }
        text.push(b'}');
        if to.row(&session.reader, Json::made(text)).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn tell_lost(session: &Session, column: &str, lost: Lost) {
    let what = match lost {
        Lost::Infinite => "numbers without end, which JSON does not have: they are null here",
        Lost::Blob => "blobs: they are hexadecimal digits here",
        Lost::NotText => "texts that are no UTF-8: their other bytes are replaced here",
    };
    let note = format!("the column `{column}` has {what}");
    session.reader.note(&note, note.clone());
}

fn explain(
    session: &Session,
    connection: &Connection,
    text: &str,
    mut to: Receiver,
) -> Result<(), Failed> {
    drop(prepare(connection, text)?);
    let requests = explain::requests(connection, session, text)?;
    if requests.is_empty() {
        session
            .reader
            .note("requests", "the query makes no request".to_owned());
    }
    let names = explain::COLUMNS.map(str::to_owned);
    if to.begin(&names).is_err() {
        return Ok(());
    }
    for request in requests {
        let row: serde_json::Map<String, Value> = names.iter().cloned().zip(request).collect();
        if to.row(&session.reader, Json::of(&row.into())).is_err() {
            break;
        }
    }
    Ok(())
}

/// Names of which each is there once: `id`, then `id_2`.
fn unique(names: Vec<&str>) -> Vec<String> {
    let mut unique: IndexSet<String> = IndexSet::with_capacity(names.len());
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for name in names {
        let mut own = name.to_owned();
        let count = counts.entry(name).or_insert(1);
        while unique.contains(&own) {
            *count += 1;
            own = format!("{name}_{count}");
        }
        unique.insert(own);
    }
    unique.into_iter().collect()
}

/// An error of SQLite in our words. What a callback found is the reason behind it.
fn worded(session: &Session, error: &rusqlite::Error) -> SqlError {
    if let Some(own) = session.error() {
        return own;
    }
    let (message, place) = match error {
        rusqlite::Error::SqlInputError { msg, offset, .. } => (msg.clone(), Some(*offset)),
        rusqlite::Error::SqliteFailure(_, Some(message)) => (message.clone(), None),
        other => (other.to_string(), None),
    };
    match error.sqlite_error_code() {
        Some(ErrorCode::OutOfMemory) => return SqlError::Memory(guard::MEMORY),
        Some(ErrorCode::TooBig) => {
            let reason = "a text or a blob of the query is larger than 10 MiB".to_owned();
            return SqlError::Statement(reason);
        }
        _ => {}
    }
    if message.contains("no query solution")
        && let Some(lacking) = session.lacking()
    {
        return lacking;
    }
    if let Some(name) = message.strip_prefix("no such table: ") {
        return no_table(session, name);
    }
    if let Some(name) = message.strip_prefix("no such column: ") {
        return SqlError::Statement(no_column(session, name));
    }
    match place {
        Some(place) if place > 0 => SqlError::Statement(format!(
            "the query is wrong at character {}: {message}",
            place + 1
        )),
        _ => SqlError::Statement(format!("the query is wrong: {message}")),
    }
}

fn no_table(session: &Session, name: &str) -> SqlError {
    let names = session.reader.source().names();
    let known: Vec<String> = names.iter().map(|name| table_name(name)).collect();
    SqlError::NoTable {
        hint: nearest(name, known.iter().map(String::as_str)),
        name: name.to_owned(),
    }
}

fn no_column(session: &Session, name: &str) -> String {
    let plain = name.rsplit('.').next().unwrap_or(name);
    let tables = session.tables();
    let known = || {
        tables
            .iter()
            .flat_map(|table| &table.columns)
            .map(|column| column.name.as_str())
    };
    let hint = nearest(plain, known());
    let hint = hint.unwrap_or_else(|| match tables.as_slice() {
        [one] => {
            let names: Vec<&str> = one
                .columns
                .iter()
                .map(|column| column.name.as_str())
                .collect();
            format!("{} has {}", one.name, names.join(", "))
        }
        _ => "the tables have no such column".to_owned(),
    });
    format!("there is no column `{name}`; {hint}")
}
