//! A store in an SQLite file. One thread owns the connection, so waiting for another process's lock holds up nobody
//! else.

use std::fs::{self, Metadata, OpenOptions};
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, ToSql};
use tokio::sync::oneshot;

use super::db::{Answer, Durability, Param, Row, Tx, Work, fault};
use super::{StoreError, schema};
use crate::staged::is_same;

/// How long a statement waits for the lock of another process.
const BUSY: Duration = Duration::from_secs(10);
/// Statements that are kept ready.
const KEPT: usize = 64;

type Task = Box<dyn FnOnce(&mut Result<Opened, StoreError>) + Send>;

/// A connection, and the file that it has open.
struct Opened {
    connection: Connection,
    path: PathBuf,
    file: Metadata,
}

pub(super) struct Sqlite {
    path: PathBuf,
    tasks: Mutex<Option<Sender<Task>>>,
}

impl Sqlite {
    pub(super) fn new(path: &Path) -> Sqlite {
        Sqlite {
            // SQLite takes some relative names, such as `:memory:`, for other things than files.
            path: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
            tasks: Mutex::default(),
        }
    }

    pub(super) async fn transact<T: Send + 'static, W: Work<T>>(
        &self,
        durability: Durability,
        work: &Arc<W>,
    ) -> Result<T, StoreError> {
        let work = Arc::clone(work);
        let (sender, receiver) = oneshot::channel();
        self.give(Box::new(move |opened| {
            let done = match opened {
                Ok(opened) => opened
                    .check()
                    .and_then(|()| transaction(&mut opened.connection, durability, &*work)),
                Err(error) => Err(error.clone()),
            };
            // Whoever asked may have gone.
            let _ = sender.send(done);
        }))?;
        receiver
            .await
            .unwrap_or_else(|_| Err(StoreError::Refused("its thread has ended".to_owned())))
    }

    /// Gives a task to the thread of the connection, which the first task starts.
    fn give(&self, task: Task) -> Result<(), StoreError> {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let task = match &*tasks {
            None => task,
            Some(sender) => match sender.send(task) {
                Ok(()) => return Ok(()),
                Err(back) => back.0,
            },
        };
        let (sender, receiver) = mpsc::channel::<Task>();
        let path = self.path.clone();
        thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                let mut opened = Opened::new(&path);
                for task in receiver {
                    if opened.is_err() {
                        opened = Opened::new(&path);
                    }
                    task(&mut opened);
                }
            })
            .map_err(|error| StoreError::Open(error.to_string()))?;
        let given = sender.send(task);
        *tasks = Some(sender);
        given.map_err(|_| StoreError::Open("its thread has ended".to_owned()))
    }
}

impl Opened {
    /// Opens the file, or makes it for this user alone, and brings its tables up to date.
    fn new(path: &Path) -> Result<Opened, StoreError> {
        make(path).map_err(|error| StoreError::Open(error.to_string()))?;
        let opened = || -> rusqlite::Result<Connection> {
            let connection = Connection::open(path)?;
            connection.busy_timeout(BUSY)?;
            connection.set_prepared_statement_cache_capacity(KEPT);
            Ok(connection)
        };
        let mut connection = opened().map_err(|error| cannot_open(&error))?;
        let file = fs::metadata(path).map_err(|error| StoreError::Open(error.to_string()))?;
        transaction(&mut connection, Durability::Machine, &|tx: &mut dyn Tx| {
            schema::migrate(tx, schema::Dialect::Sqlite)
        })?;
        // Readers and the writer do not wait for each other. A file that is refused stays as it is.
        connection
            .pragma_update(None, "journal_mode", "wal")
            .map_err(|error| cannot_open(&error))?;
        Ok(Opened {
            connection,
            path: path.to_owned(),
            file,
        })
    }

    /// Refuses to go on with a file that nobody finds any more: what is written to it would be lost without a word.
    fn check(&self) -> Result<(), StoreError> {
        match fs::metadata(&self.path) {
            Ok(there) if is_same(&self.file, &there) => Ok(()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::Open(error.to_string()))
            }
            _ => Err(StoreError::Gone),
        }
    }
}

/// Makes the file and its folder unless they are there. A file that is there is not opened: to close it would drop the locks
/// that other connections of this process hold.
fn make(path: &Path) -> io::Result<()> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn cannot_open(error: &rusqlite::Error) -> StoreError {
    match failure(error) {
        StoreError::Refused(reason) => StoreError::Open(reason),
        other => other,
    }
}

fn transaction<T>(
    connection: &mut Connection,
    durability: Durability,
    work: &impl Work<T>,
) -> Result<T, StoreError> {
    let level = match durability {
        Durability::Machine => "full",
        Durability::Process => "normal",
    };
    let begun = connection
        .pragma_update(None, "synchronous", level)
        .and_then(|()| connection.execute_batch("begin immediate"));
    begun.map_err(|error| failure(&error))?;
    let done = at_once(work(&mut Open(connection)));
    fault();
    let ended = match &done {
        Ok(_) => connection.execute_batch("commit"),
        Err(_) => connection.execute_batch("rollback"),
    };
    fault();
    if ended.is_err() && !connection.is_autocommit() {
        // The next transaction must not begin inside of this one.
        let _ = connection.execute_batch("rollback");
    }
    let done = done?;
    ended.map_err(|error| failure(&error))?;
    Ok(done)
}

/// The outcome of work whose every step is done at once.
fn at_once<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => Err(StoreError::Broken("work that waits")),
    }
}

struct Open<'c>(&'c mut Connection);

impl Open<'_> {
    fn query(&self, sql: &str, values: &[Param]) -> rusqlite::Result<Vec<Row>> {
        fault();
        let mut statement = self.0.prepare_cached(&said(sql))?;
        let width = statement.column_count();
        let rows = statement.query_map(rusqlite::params_from_iter(values), |row| {
            let value = |at| row.get_ref(at).map(param);
            (0..width)
                .map(value)
                .collect::<Result<Vec<Param>, _>>()
                .map(Row)
        })?;
        rows.collect()
    }

    fn change(&self, sql: &str, values: &[Param]) -> rusqlite::Result<u64> {
        fault();
        let mut statement = self.0.prepare_cached(&said(sql))?;
        let changed = statement.execute(rusqlite::params_from_iter(values))?;
        Ok(changed as u64)
    }
}

impl Tx for Open<'_> {
    fn rows<'t>(&'t mut self, sql: &'t str, values: Vec<Param>) -> Answer<'t, Vec<Row>> {
        let rows = self.query(sql, &values).map_err(|error| failure(&error));
        Box::pin(std::future::ready(rows))
    }

    fn run<'t>(&'t mut self, sql: &'t str, values: Vec<Param>) -> Answer<'t, u64> {
        let changed = self.change(sql, &values).map_err(|error| failure(&error));
        Box::pin(std::future::ready(changed))
    }

    fn insert<'t>(
        &'t mut self,
        head: &'t str,
        rows: Vec<Vec<Param>>,
        tail: &'t str,
    ) -> Answer<'t, u64> {
        let insert = || -> rusqlite::Result<u64> {
            let Some(first) = rows.first() else {
                return Ok(0);
            };
            fault();
            let places = vec!["?"; first.len()].join(", ");
            let sql = said(&format!("{head} values ({places}) {tail}"));
            let mut statement = self.0.prepare_cached(&sql)?;
            let mut count = 0;
            for row in &rows {
                count += statement.execute(rusqlite::params_from_iter(row))? as u64;
            }
            Ok(count)
        };
        Box::pin(std::future::ready(
            insert().map_err(|error| failure(&error)),
        ))
    }
}

/// The statement in SQLite's own words.
fn said(sql: &str) -> String {
    match sql.contains('{') {
        true => sql
            .replace("{now}", "cast(unixepoch('subsec') * 1000000 as integer)")
            .replace("{locked}", "")
            .replace("{lock}", ""),
        false => sql.to_owned(),
    }
}

impl ToSql for Param {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Param::Null => ValueRef::Null,
            Param::Int(value) => ValueRef::Integer(*value),
            Param::Text(value) => ValueRef::Text(value.as_bytes()),
            Param::Bytes(value) => ValueRef::Blob(value),
        }))
    }
}

fn param(value: ValueRef<'_>) -> Param {
    match value {
        ValueRef::Null => Param::Null,
        ValueRef::Integer(value) => Param::Int(value),
        ValueRef::Real(value) => Param::Text(value.to_string()),
        ValueRef::Text(value) => Param::Text(String::from_utf8_lossy(value).into_owned()),
        ValueRef::Blob(value) => Param::Bytes(value.to_vec()),
    }
}

fn failure(error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            StoreError::Passing("another process holds it".to_owned())
        }
        Some(ErrorCode::CannotOpen) => StoreError::Open(error.to_string()),
        Some(ErrorCode::NotADatabase) => {
            StoreError::Open("the file is no SQLite database".to_owned())
        }
        Some(ErrorCode::ReadOnly) => {
            StoreError::Refused("the file or its folder cannot be written".to_owned())
        }
        Some(ErrorCode::DiskFull) => StoreError::Refused("the disk is full".to_owned()),
        _ => StoreError::Refused(error.to_string()),
    }
}
