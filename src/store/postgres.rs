//! A store in a Postgres database, in the schema `toolrun`.

use std::collections::HashMap;
use std::error::Error as _;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::BytesMut;
use tokio::sync::Mutex;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Statement};

use super::address::Database;
use super::db::{Answer, Durability, Param, Row, Tx, Work, fault};
use super::{StoreError, schema};
use crate::postgres::{self, ConnectError, told};
use crate::send::Roots;

/// Rows of one statement that inserts many.
const AT_ONCE: usize = 500;

pub(super) struct Postgres {
    url: String,
    roots: Roots,
    /// Whether there was a connection before.
    was_reached: AtomicBool,
    /// Work whose commits must survive the machine, and work for which the process is enough, do not wait for each other.
    connections: [Mutex<Option<Connection>>; 2],
}

struct Connection {
    client: Client,
    prepared: HashMap<String, Statement>,
}

impl Postgres {
    pub(super) fn new(database: &Database, roots: &Roots) -> Postgres {
        Postgres {
            roots: roots.clone(),
            url: database.url().to_owned(),
            was_reached: AtomicBool::new(false),
            connections: Default::default(),
        }
    }

    pub(super) async fn transact<T: Send>(
        &self,
        durability: Durability,
        work: &impl Work<T>,
    ) -> Result<T, StoreError> {
        let mut held = self.connections[durability as usize].lock().await;
        let mut connection = match held.take().filter(|held| !held.client.is_closed()) {
            Some(connection) => connection,
            None => {
                let was_reached = self.was_reached.load(Ordering::Relaxed);
                let made = connect(&self.url, &self.roots, durability, was_reached).await?;
                self.was_reached.store(true, Ordering::Relaxed);
                made
            }
        };
        // A connection whose transaction was dropped half-way is not put back.
        let done = transaction(&mut connection, work).await;
        *held = Some(connection);
        done
    }
}

async fn connect(
    url: &str,
    roots: &Roots,
    durability: Durability,
    was_reached: bool,
) -> Result<Connection, StoreError> {
    let client = postgres::connect(url, roots).await;
    let client = client.map_err(|error| match &error {
        // What was never reached is a wrong address, more likely than a database that is away for a while.
        ConnectError::Database(cause)
            if is_passing(cause) && (was_reached || cause.code().is_some()) =>
        {
            StoreError::Passing(error.to_string())
        }
        _ => StoreError::Open(error.to_string()),
    })?;
    let commit = match durability {
        Durability::Machine => "on",
        Durability::Process => "off",
    };
    let setup = format!(
        "set client_min_messages = warning; create schema if not exists toolrun; set search_path to toolrun; \
         set synchronous_commit = {commit}; set lock_timeout = '10s'; set idle_in_transaction_session_timeout = '60s'"
    );
    // Two that make the schema at once disturb each other: the second tries again.
    client
        .batch_execute(&setup)
        .await
        .map_err(|error| match error.code() {
            Some(&SqlState::UNIQUE_VIOLATION | &SqlState::DUPLICATE_SCHEMA) => {
                StoreError::Passing(told(&error))
            }
            _ => failure(&error),
        })?;
    let mut connection = Connection {
        client,
        prepared: HashMap::new(),
    };
    transaction(&mut connection, &|tx: &mut dyn Tx| {
        let work: Answer<'_, ()> = Box::pin(async move {
            tx.rows("select pg_advisory_xact_lock(7236543210)::text", vec![])
                .await?;
            schema::migrate(tx, schema::Dialect::Postgres).await
        });
        work
    })
    .await?;
    Ok(connection)
}

async fn transaction<T>(connection: &mut Connection, work: &impl Work<T>) -> Result<T, StoreError> {
    let Connection { client, prepared } = connection;
    fault();
    client
        .batch_execute("begin")
        .await
        .map_err(|error| failure(&error))?;
    let done = work(&mut Open { client, prepared }).await;
    fault();
    let end = match &done {
        Ok(_) => "commit",
        Err(_) => "rollback",
    };
    let ended = client.batch_execute(end).await;
    fault();
    let done = done?;
    ended.map_err(|error| failure(&error))?;
    Ok(done)
}

struct Open<'c> {
    client: &'c Client,
    prepared: &'c mut HashMap<String, Statement>,
}

impl Open<'_> {
    async fn prepare(&mut self, sql: &str) -> Result<Statement, tokio_postgres::Error> {
        fault();
        if let Some(statement) = self.prepared.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(&said(sql)).await?;
        self.prepared.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    async fn query(
        &mut self,
        sql: &str,
        values: &[Param],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let statement = self.prepare(sql).await?;
        let rows = self.client.query(&statement, &places(values)).await?;
        rows.iter().map(row).collect()
    }

    async fn change(&mut self, sql: &str, values: &[Param]) -> Result<u64, tokio_postgres::Error> {
        let statement = self.prepare(sql).await?;
        self.client.execute(&statement, &places(values)).await
    }
}

fn places(values: &[Param]) -> Vec<&(dyn ToSql + Sync)> {
    values
        .iter()
        .map(|value| value as &(dyn ToSql + Sync))
        .collect()
}

impl Tx for Open<'_> {
    fn rows<'t>(&'t mut self, sql: &'t str, values: Vec<Param>) -> Answer<'t, Vec<Row>> {
        Box::pin(async move {
            self.query(sql, &values)
                .await
                .map_err(|error| failure(&error))
        })
    }

    fn run<'t>(&'t mut self, sql: &'t str, values: Vec<Param>) -> Answer<'t, u64> {
        Box::pin(async move {
            self.change(sql, &values)
                .await
                .map_err(|error| failure(&error))
        })
    }

    fn insert<'t>(
        &'t mut self,
        head: &'t str,
        rows: Vec<Vec<Param>>,
        tail: &'t str,
    ) -> Answer<'t, u64> {
        Box::pin(async move {
            let mut count = 0;
            for rows in rows.chunks(AT_ONCE) {
                let width = rows[0].len();
                let places: Vec<String> = (0..rows.len())
                    .map(|row| {
                        let places: Vec<String> = (1..=width)
                            .map(|at| format!("?{}", row * width + at))
                            .collect();
                        format!("({})", places.join(", "))
                    })
                    .collect();
                let sql = format!("{head} values {} {tail}", places.join(", "));
                let values: Vec<Param> = rows.iter().flatten().cloned().collect();
                count += self
                    .change(&sql, &values)
                    .await
                    .map_err(|error| failure(&error))?;
            }
            Ok(count)
        })
    }
}

/// The statement in Postgres's own words.
fn said(sql: &str) -> String {
    let sql = sql
        .replace(
            "{now}",
            "(extract(epoch from clock_timestamp()) * 1000000)::bigint",
        )
        .replace("{locked}", "for update skip locked")
        .replace("{lock}", "for update");
    sql.replace('?', "$")
}

fn row(row: &tokio_postgres::Row) -> Result<Row, tokio_postgres::Error> {
    let value = |at: usize| -> Result<Param, tokio_postgres::Error> {
        Ok(match *row.columns()[at].type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(at)?.into(),
            Type::INT4 => row.try_get::<_, Option<i32>>(at)?.map(i64::from).into(),
            Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(at)?.into(),
            _ => row.try_get::<_, Option<String>>(at)?.into(),
        })
    };
    (0..row.len())
        .map(value)
        .collect::<Result<Vec<Param>, _>>()
        .map(Row)
}

impl ToSql for Param {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Param::Null => Ok(IsNull::Yes),
            Param::Int(value) if *kind == Type::INT4 => i32::try_from(*value)?.to_sql(kind, out),
            Param::Int(value) => value.to_sql(kind, out),
            Param::Text(value) => value.to_sql(kind, out),
            Param::Bytes(value) => value.to_sql(kind, out),
        }
    }

    fn accepts(_kind: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// Whether the same may work a little later, maybe on another connection.
fn is_passing(error: &tokio_postgres::Error) -> bool {
    let Some(code) = error.code() else {
        return error.is_closed()
            || error
                .source()
                .is_some_and(|source| source.is::<std::io::Error>());
    };
    [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::TOO_MANY_CONNECTIONS,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ]
    .contains(code)
        || code.code().starts_with("08")
}

fn failure(error: &tokio_postgres::Error) -> StoreError {
    match is_passing(error) {
        true => StoreError::Passing(told(error)),
        false => StoreError::Refused(told(error)),
    }
}
