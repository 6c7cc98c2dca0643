//! The tables, and how those of an older program are brought up to date.

use super::StoreError;
use super::db::{Answer, Tx};

/// What differs between the databases in the definition of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    #[cfg(feature = "postgres")]
    Postgres,
}

/// Each step brings the tables from one version to the next; a step that was released is never changed.
///
/// In `job`, `at` is when a ready job may run, when a leased one was claimed, and when another one ended. `fence` counts claims: whoever holds an older
/// one has lost the job. Rows belong to a claim, so those of a lost one are never seen.
const STEPS: [&[&str]; 1] = [&[
    "create table run (
        id text primary key, tool text not null, digest text not null, source text not null, access text not null,
        repeatable bigint not null, options text not null, state text not null, created bigint not null)",
    "create table job (
        run text not null, seq bigint not null, key text not null, args text not null, state text not null,
        at bigint not null, fence bigint not null, failures bigint not null, lease bigint not null, owner text,
        error text, rows bigint not null, primary key (run, seq), unique (run, key))",
    "create index job_state on job (run, state, at, seq)",
    "create index job_owner on job (owner) where owner is not null",
    "create table output (
        run text not null, seq bigint not null, fence bigint not null, n bigint not null, value text not null,
        primary key (run, seq, fence, n))",
    "create table budget (name text primary key, state text not null)",
    "create table token (
        subject text primary key, version bigint not null, sealed {bytes}, holder text, until bigint not null)",
]];

/// The version that this program makes.
const NEWEST: i64 = STEPS.len() as i64;

/// Makes the tables, or brings those of an older program up to date.
///
/// # Errors
/// When a newer program made them, or when another program has tables of the same names.
pub(super) fn migrate(tx: &mut dyn Tx, dialect: Dialect) -> Answer<'_, ()> {
    Box::pin(async move {
        // A table name that nobody else's table has: the database may hold other things too.
        tx.run(
            "create table if not exists toolrun_store (version bigint not null)",
            vec![],
        )
        .await?;
        let versions = tx.rows("select version from toolrun_store", vec![]).await?;
        let found = versions.first().map_or(Ok(0), |row| row.int(0))?;
        if found < 0 {
            return Err(StoreError::Broken("the version of its tables"));
        }
        if found > NEWEST {
            return Err(StoreError::Newer {
                found,
                known: NEWEST,
            });
        }
        if found == NEWEST {
            return Ok(());
        }
        if found == 0 {
            let taken = tx.rows(&taken(dialect), vec![]).await?;
            if let Some(mut first) = taken.into_iter().next() {
                return Err(StoreError::Taken(first.text(0)?));
            }
        }
        let bytes = match dialect {
            Dialect::Sqlite => "blob",
            #[cfg(feature = "postgres")]
            Dialect::Postgres => "bytea",
        };
        for step in STEPS.iter().skip(found as usize) {
            for statement in *step {
                let statement = statement.replace("{bytes}", bytes);
                tx.run(&statement, vec![]).await?;
            }
        }
        tx.run("delete from toolrun_store", vec![]).await?;
        tx.run(
            "insert into toolrun_store (version) values (?1)",
            vec![NEWEST.into()],
        )
        .await?;
        Ok(())
    })
}

/// Asks for what is there of the names that [`STEPS`] make.
fn taken(dialect: Dialect) -> String {
    let made = STEPS.iter().copied().flatten();
    let names = made.filter_map(|statement| statement.split_whitespace().nth(2));
    let names: Vec<String> = names.map(|name| format!("'{name}'")).collect();
    let find = match dialect {
        Dialect::Sqlite => "select name from sqlite_master where lower(name) in",
        #[cfg(feature = "postgres")]
        Dialect::Postgres => {
            "select relname::text from pg_class where relnamespace = 'toolrun'::regnamespace and relname in"
        }
    };
    format!("{find} ({}) order by 1", names.join(", "))
}
