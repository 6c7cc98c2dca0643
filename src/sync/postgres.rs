//! Tables in a Postgres database.
//!
//! Values go there as texts, which the database reads in the column's type: so no digit depends on us.

use std::collections::HashMap;

use tokio::runtime::Runtime;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use super::destination::{Counts, Destination, Mode, Opening, Row};
use super::keys::{Keys, hex, short};
use super::names::{KEY, Naming, STAGE, STATES, quoted};
use super::opened::Open;
use super::report::Trouble;
use super::state::State;
use crate::postgres::{ConnectError, connect, told};
use crate::send::Roots;
use crate::table::{Cell, Columns, Type};

/// The most columns of a table. A row must fit a page of 8 KiB, where a long value takes 18 bytes.
const MOST_COLUMNS: usize = 400;

const NAMING: Naming = Naming {
    longest: 63,
    folds_case: false,
    reserved: &["ctid", "xmin", "cmin", "xmax", "cmax", "tableoid"],
};

/// A connection to a database.
pub(super) struct Postgres {
    runtime: Runtime,
    client: Client,
    table: Option<Open>,
    /// The lock of the open table.
    lock: Option<i64>,
}

type Answer<T> = Result<T, tokio_postgres::Error>;

fn declared(kind: Type) -> &'static str {
    match kind {
        Type::Bool => "boolean",
        Type::Integer => "bigint",
        Type::Float => "double precision",
        Type::Text | Type::Json | Type::Unknown => "text",
    }
}

fn trouble(error: tokio_postgres::Error) -> Trouble {
    Trouble::Destination(format!("the database refuses: {}", told(&error)))
}

impl Postgres {
    /// Connects to a database.
    pub(super) fn open(url: &str, roots: &Roots) -> Result<Postgres, Trouble> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let client = runtime.block_on(connect(url, roots));
        let client = client.map_err(|error| match error {
            ConnectError::Database(_) => {
                Trouble::Destination(format!("cannot connect to the database: {error}"))
            }
            ConnectError::Url | ConnectError::Roots(_) => Trouble::Usage(error.to_string()),
        })?;
        let postgres = Postgres {
            runtime,
            client,
            table: None,
            lock: None,
        };
        // Two programs that make the table at the same time would meet.
        postgres.run(&format!(
            "set client_min_messages = warning;
             begin; select pg_advisory_xact_lock(7091236412);
             create table if not exists {STATES} (name text primary key, tool text, state text, updated timestamptz);
             commit"
        ))?;
        Ok(postgres)
    }

    fn run(&self, sql: &str) -> Result<(), Trouble> {
        self.runtime
            .block_on(self.client.batch_execute(sql))
            .map_err(trouble)
    }

    /// Does some work in one transaction.
    fn whole<T>(
        &mut self,
        work: impl AsyncFnOnce(&Client, &mut Open) -> Answer<T>,
    ) -> Result<T, Trouble> {
        let Some(mut open) = self.table.take() else {
            return Err(Trouble::Destination("no table is open".to_owned()));
        };
        let client = &self.client;
        let done = self.runtime.block_on(async {
            client.batch_execute("begin").await?;
            let done = work(client, &mut open).await?;
            client.batch_execute("commit").await?;
            Ok(done)
        });
        let done = done.map_err(trouble);
        if done.is_err() {
            let _ = self.run("rollback");
        }
        self.table = Some(open);
        done
    }

    fn close(&mut self) {
        self.table = None;
        if let Some(lock) = self.lock.take() {
            let _ = self.run(&format!("select pg_advisory_unlock({lock})"));
        }
    }
}

async fn create(client: &Client, open: &Open, columns: &Columns) -> Answer<()> {
    let table = quoted(&open.target);
    let kinds = columns.iter().map(|(_, column)| declared(column.kind));
    let mut own: Vec<String> = NAMING
        .listed(columns, false)
        .iter()
        .zip(kinds)
        .map(|(name, kind)| format!("{name} {kind}"))
        .collect();
    let mut index = String::new();
    if open.is_keyed {
        own.push(format!("{KEY} text"));
        index = format!("; create unique index on {table} ({KEY})");
    }
    let sql = format!("create table {table} ({}){index}", own.join(", "));
    client.batch_execute(&sql).await
}

/// Brings a table from its columns to others that have grown out of them.
async fn grow(client: &Client, name: &str, from: &Columns, to: &Columns) -> Answer<()> {
    let mut changes = Vec::new();
    for (at, ((_, column), own)) in to.iter().zip(NAMING.listed(to, false)).enumerate() {
        let kind = declared(column.kind);
        if at >= from.len() {
            changes.push(format!("add column {own} {kind}"));
            continue;
        }
        let was = from.kind(at);
        let using = match (was, column.kind) {
            (was, now) if was == now => continue,
            (Type::Unknown, Type::Text | Type::Json) => continue,
            (Type::Unknown, _) => format!("null::{kind}"),
            (Type::Text, Type::Json) => format!("to_json({own})::text"),
            _ => format!("{own}::{kind}"),
        };
        changes.push(format!("alter column {own} type {kind} using {using}"));
    }
    if changes.is_empty() {
        return Ok(());
    }
    let sql = format!("alter table {} {}", quoted(name), changes.join(", "));
    client.batch_execute(&sql).await
}

async fn save(client: &Client, table: &str, state: &State) -> Answer<()> {
    let sql = format!(
        "insert into {STATES} (name, tool, state, updated) values ($1, $2, $3, now())
         on conflict (name) do update set tool = excluded.tool, state = excluded.state, updated = excluded.updated"
    );
    let text = state.text();
    client
        .execute(&sql, &[&table, &state.tool, &text])
        .await
        .map(drop)
}

/// Lets the target hold these columns.
async fn prepare(client: &Client, open: &mut Open, columns: &Columns) -> Answer<()> {
    match &open.target_columns {
        None => create(client, open, columns).await?,
        Some(own) if own == columns => return Ok(()),
        Some(own) => grow(client, &open.target, own, columns).await?,
    }
    match open.grown(columns) {
        Some(state) => save(client, &open.table, &state).await,
        None => Ok(()),
    }
}

async fn insert(client: &Client, open: &Open, columns: &Columns, rows: &[Row]) -> Answer<Counts> {
    // One statement cannot write a row twice.
    let last: HashMap<[u8; 16], usize> = rows
        .iter()
        .enumerate()
        .filter_map(|(at, row)| Some((row.key?, at)))
        .collect();
    let is_last = |at: usize, row: &Row| row.key.is_none_or(|key| last.get(&key) == Some(&at));
    let mut texts: Vec<Vec<Option<String>>> = vec![Vec::new(); columns.len()];
    let mut keys: Vec<Option<String>> = Vec::new();
    let rows = rows
        .iter()
        .enumerate()
        .filter(|(at, row)| is_last(*at, row));
    for (_, row) in rows {
        let cells = columns.cells(row.json.part());
        for (list, cell) in texts.iter_mut().zip(&cells) {
            list.push(Cell::text(cell).map(std::borrow::Cow::into_owned));
        }
        keys.push(row.key.map(hex));
    }
    let count = keys.len() as u64;
    if open.is_keyed {
        texts.push(keys);
    }
    let parameters: Vec<&(dyn ToSql + Sync)> = texts
        .iter()
        .map(|list| list as &(dyn ToSql + Sync))
        .collect();
    let sql = insert_sql(&open.target, columns, open.is_keyed);
    let mut counts = Counts::default();
    if open.is_keyed {
        for row in client.query(&sql, &parameters).await? {
            match row.get::<_, bool>(0) {
                true => counts.added += 1,
                false => counts.changed += 1,
            }
        }
        counts.unchanged = count - counts.added - counts.changed;
    } else {
        counts.added = client.execute(&sql, &parameters).await?;
    }
    Ok(counts)
}

/// The statement that writes rows, given as one list of texts for each column.
fn insert_sql(target: &str, columns: &Columns, is_keyed: bool) -> String {
    let table = quoted(target);
    let names = NAMING.listed(columns, is_keyed);
    let mut kinds: Vec<&str> = columns
        .iter()
        .map(|(_, column)| declared(column.kind))
        .collect();
    if is_keyed {
        kinds.push("text");
    }
    let numbers = 0..names.len();
    let lists: Vec<String> = numbers
        .clone()
        .map(|at| format!("${}::text[]", at + 1))
        .collect();
    let aliases: Vec<String> = numbers.clone().map(|at| format!("c{at}")).collect();
    let values: Vec<String> = numbers.map(|at| format!("c{at}::{}", kinds[at])).collect();
    let mut sql = format!(
        "insert into {table} as t ({}) select {} from unnest({}) with ordinality as u({}, place) order by place",
        names.join(", "),
        values.join(", "),
        lists.join(", "),
        aliases.join(", ")
    );
    if is_keyed {
        let own = &names[..columns.len()];
        let sets: Vec<String> = own
            .iter()
            .map(|name| format!("{name} = excluded.{name}"))
            .collect();
        let old: Vec<String> = own.iter().map(|name| format!("t.{name}")).collect();
        let new: Vec<String> = own.iter().map(|name| format!("excluded.{name}")).collect();
        sql.push_str(&format!(
            " on conflict ({KEY}) do update set {} where row({}) is distinct from row({}) returning (t.xmax = 0)",
            sets.join(", "),
            old.join(", "),
            new.join(", ")
        ));
    }
    sql
}

/// Whether a table has the column of keys.
async fn has_key(client: &Client, table: &str) -> Answer<bool> {
    let sql = "select exists (select 1 from pg_attribute where attrelid = to_regclass($1) and attname = $2 and not attisdropped)";
    let found = client.query_one(sql, &[&quoted(table), &KEY]).await?;
    Ok(found.get(0))
}

/// Puts the rows that wait into their table.
async fn show(client: &Client, open: &Open, columns: &Columns) -> Answer<()> {
    let (table, target) = (quoted(&open.table), quoted(&open.target));
    if !open.exists {
        let sql = format!("alter table {target} rename to {table}");
        return client.batch_execute(&sql).await;
    }
    grow(client, &open.table, &open.columns, columns).await?;
    let mut sql = String::new();
    if open.mode == Mode::Replace {
        sql.push_str(&format!("delete from {table};"));
        if open.is_keyed && !has_key(client, &open.table).await? {
            sql.push_str(&format!(
                "alter table {table} add column {KEY} text; create unique index on {table} ({KEY});"
            ));
        }
    }
    let names = NAMING.listed(columns, open.is_keyed).join(", ");
    sql.push_str(&format!(
        "insert into {table} ({names}) select {names} from {target}; drop table {target}"
    ));
    client.batch_execute(&sql).await
}

impl Destination for Postgres {
    fn columns(&self) -> Columns {
        Columns::new(MOST_COLUMNS).refusing(Some('\0'))
    }

    fn renamed(&self, columns: &Columns) -> Vec<(String, String)> {
        NAMING.renamed(columns)
    }

    fn open(&mut self, table: &str) -> Result<State, Trouble> {
        self.close();
        let digest = short(table.as_bytes());
        // The name of a table has a limit too.
        let target = format!("{STAGE}{}", &hex(digest)[..16]);
        let client = &self.client;
        let quoted_table = quoted(table);
        let found = self.runtime.block_on(async {
            let lock = client
                .query_one(
                    "select key, pg_try_advisory_lock(key) from hashtextextended(current_schema() || '.' || $1::text, 0) as key",
                    &[&table],
                )
                .await?;
            let (key, is_locked): (i64, bool) = (lock.get(0), lock.get(1));
            if !is_locked {
                return Ok((key, None));
            }
            let sql = format!("drop table if exists {}", quoted(&target));
            client.batch_execute(&sql).await?;
            let exists: bool = client
                .query_one("select to_regclass($1) is not null", &[&quoted_table])
                .await?
                .get(0);
            let sql = format!("select state from {STATES} where name = $1");
            let state = client.query_opt(&sql, &[&table]).await?;
            let state: Option<String> = state.map(|row| row.get(0));
            Ok((key, Some((exists, state))))
        });
        let (lock, found) = found.map_err(trouble)?;
        let Some((exists, text)) = found else {
            return Err(Trouble::Destination(format!(
                "another run writes the table {table} now"
            )));
        };
        self.lock = Some(lock);
        let (open, state) = Open::new(table, target, exists, text, self.columns())?;
        self.table = Some(open);
        Ok(state)
    }

    fn start(&mut self, opening: &Opening<'_>) -> Result<(), Trouble> {
        if let Some(open) = &mut self.table {
            open.start(opening);
        }
        Ok(())
    }

    fn write(&mut self, columns: &Columns, rows: Vec<Row>) -> Result<Counts, Trouble> {
        self.whole(async |client, open| {
            prepare(client, open, columns).await?;
            let counts = insert(client, open, columns, &rows).await?;
            Ok(open.took(counts))
        })
    }

    fn commit(
        &mut self,
        columns: &Columns,
        state: &State,
        keys: Option<&mut Keys>,
    ) -> Result<Counts, Trouble> {
        let distinct = keys.map_or(0, |keys| keys.distinct());
        if columns.len() == 0 {
            self.close();
            return Ok(Counts::default());
        }
        let counts = self.whole(async |client, open| {
            prepare(client, open, columns).await?;
            if open.is_staged() {
                show(client, open, columns).await?;
            }
            let sql = format!("select count(*) from {}", quoted(&open.table));
            let all = match open.is_whole {
                true => Some(client.query_one(&sql, &[]).await?.get(0)),
                false => None,
            };
            save(client, &open.table, state).await?;
            Ok(open.ended(all, distinct))
        })?;
        self.close();
        Ok(counts)
    }

    fn abandon(&mut self) {
        if let Some(open) = &self.table
            && open.is_staged()
        {
            // The next run drops it, if this does not.
            let _ = self.run(&format!("drop table if exists {}", quoted(&open.target)));
        }
        self.close();
    }
}
