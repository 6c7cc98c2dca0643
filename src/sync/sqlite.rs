//! Tables in a SQLite database.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, Value as Stored, ValueRef};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row as Found, ToSql, params};

use super::destination::{self, Counts, Destination, Mode, Opening, Row};
use super::keys::{Keys, hex};
use super::names::{KEY, Naming, STAGE, STATES, quoted};
use super::opened::Open;
use super::report::Trouble;
use super::state::State;
use crate::table::{Cell, Column, Columns, Type};

/// The most columns of a table, with one for the key (SQLITE_MAX_COLUMN is 2,000).
const MOST_COLUMNS: usize = 1_990;
/// How long to wait for another program that writes the database.
const PATIENCE: Duration = Duration::from_secs(60);

const NAMING: Naming = Naming {
    longest: 1_000,
    folds_case: true,
    reserved: &[],
};

/// A database, with a lock that keeps other runs away.
pub(super) struct Sqlite {
    connection: Connection,
    table: Option<Open>,
    _lock: File,
}

/// A value, as SQLite takes it.
struct Bound<'c>(&'c Cell<'c>);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Cell::Null => ToSqlOutput::Owned(Stored::Null),
            Cell::Bool(flag) => ToSqlOutput::Owned(Stored::Integer(i64::from(*flag))),
            Cell::Integer(number) => ToSqlOutput::Owned(Stored::Integer(*number)),
            Cell::Float(number) => ToSqlOutput::Owned(Stored::Real(*number)),
            Cell::Text(text) | Cell::Json(text) => {
                ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes()))
            }
        })
    }
}

/// The value of a column of this type, from the database.
fn stored(value: ValueRef<'_>, kind: Type) -> Cell<'static> {
    match (value, kind) {
        (ValueRef::Null, _) => Cell::Null,
        (ValueRef::Integer(number), Type::Bool) => Cell::Bool(number != 0),
        (ValueRef::Integer(number), Type::Float) => Cell::Float(number as f64),
        (ValueRef::Integer(number), _) => Cell::Integer(number),
        (ValueRef::Real(number), _) => Cell::Float(number),
        (ValueRef::Text(text) | ValueRef::Blob(text), kind) => {
            let text = String::from_utf8_lossy(text).into_owned();
            match kind {
                Type::Json => Cell::Json(text.into()),
                _ => Cell::Text(text.into()),
            }
        }
    }
}

/// The type with which a column is declared. One without values has none, and then keeps any value as it is.
fn declared(kind: Type) -> &'static str {
    match kind {
        Type::Unknown => "",
        Type::Bool => " boolean",
        Type::Integer => " integer",
        Type::Float => " real",
        Type::Text | Type::Json => " text",
    }
}

fn trouble(error: rusqlite::Error) -> Trouble {
    Trouble::Destination(format!("the database refuses: {error}"))
}

impl Sqlite {
    /// Opens a database, which is made if it is not there.
    pub(super) fn open(path: &Path) -> Result<Sqlite, Trouble> {
        let shown = path.display();
        let lock = lock(path)?;
        let is_new = std::fs::metadata(path).map_or(true, |file| file.len() == 0);
        // Some names would be a database in memory, or a URI: here each is that of a file.
        let flags = OpenFlags::default() & !OpenFlags::SQLITE_OPEN_URI;
        let connection = Connection::open_with_flags(std::path::absolute(path)?, flags)
            .map_err(|error| Trouble::Destination(format!("cannot open {shown}: {error}")))?;
        let begin = || {
            connection.busy_timeout(PATIENCE)?;
            // Views that name a table stay while it is made anew.
            connection.pragma_update(None, "legacy_alter_table", true)?;
            connection.set_prepared_statement_cache_capacity(32);
            if is_new {
                // So readers need not wait for us. A database of somebody else stays as it is.
                connection.pragma_update(None, "journal_mode", "wal")?;
            }
            connection.pragma_update(None, "synchronous", "normal")?;
            connection.execute_batch(&format!(
                "create table if not exists {STATES} (name text primary key, tool text, state text, updated text)"
            ))
        };
        begin().map_err(|error| Trouble::Destination(format!("cannot write {shown}: {error}")))?;
        Ok(Sqlite {
            connection,
            table: None,
            _lock: lock,
        })
    }

    fn run(&self, sql: &str) -> Result<(), Trouble> {
        self.connection.execute_batch(sql).map_err(trouble)
    }

    fn exists(&self, name: &str) -> Result<bool, Trouble> {
        let sql = "select 1 from sqlite_master where type in ('table', 'view') and name = ?1 collate nocase";
        self.connection
            .query_row(sql, params![name], |_| Ok(()))
            .optional()
            .map(|found| found.is_some())
            .map_err(trouble)
    }

    /// Does some work in one transaction.
    fn whole<T>(
        &mut self,
        work: impl FnOnce(&Connection, &mut Open) -> rusqlite::Result<T>,
    ) -> Result<T, Trouble> {
        let Some(mut open) = self.table.take() else {
            return Err(Trouble::Destination("no table is open".to_owned()));
        };
        let done = || {
            self.connection.execute_batch("begin immediate")?;
            let done = work(&self.connection, &mut open)?;
            self.connection.execute_batch("commit")?;
            Ok(done)
        };
        let done = done().map_err(trouble);
        if done.is_err() {
            // It may have been rolled back already.
            let _ = self.connection.execute_batch("rollback");
        }
        self.table = Some(open);
        done
    }
}

/// Keeps other runs away from a database, by a file beside it.
fn lock(path: &Path) -> Result<File, Trouble> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".toolrun-lock");
    let beside = path.with_file_name(name);
    let lock = destination::lock(&beside).map_err(|error| {
        Trouble::Destination(format!("cannot write {}: {error}", beside.display()))
    })?;
    let busy = || Trouble::Destination(format!("another run writes {} now", path.display()));
    lock.ok_or_else(busy)
}

/// The columns of a table, as they are declared.
fn definitions(columns: &Columns, is_keyed: bool) -> String {
    let names = NAMING.names(columns);
    let kinds = columns.iter().map(|(_, column)| declared(column.kind));
    let own = names.iter().zip(kinds);
    let mut all: Vec<String> = own
        .map(|(name, kind)| format!("{}{kind}", quoted(name)))
        .collect();
    if is_keyed {
        all.push(format!("{KEY} text"));
    }
    all.join(", ")
}

fn create(db: &Connection, name: &str, columns: &Columns, is_keyed: bool) -> rusqlite::Result<()> {
    let table = quoted(name);
    db.execute_batch(&format!(
        "create table {table} ({})",
        definitions(columns, is_keyed)
    ))?;
    match is_keyed {
        true => index(db, name),
        false => Ok(()),
    }
}

fn index(db: &Connection, name: &str) -> rusqlite::Result<()> {
    let index = quoted(&format!("{name}{KEY}"));
    db.execute_batch(&format!(
        "create unique index {index} on {} ({KEY})",
        quoted(name)
    ))
}

/// Brings a table from its columns to others that have grown out of them.
fn grow(
    db: &Connection,
    name: &str,
    from: &Columns,
    to: &Columns,
    is_keyed: bool,
) -> rusqlite::Result<()> {
    let names = NAMING.names(to);
    // SQLite keeps any value in a column of another type, but texts in columns of numbers.
    let was: Vec<&Column> = from.iter().map(|(_, column)| column).collect();
    let is_text = to.iter().take(from.len()).zip(&was).any(|((_, new), old)| {
        new.kind != old.kind && new.kind == Type::Json && old.kind != Type::Unknown
    });
    if is_text {
        rebuild(db, name, from, to, is_keyed)?;
    }
    for (at, (_, column)) in to.iter().enumerate().skip(from.len()) {
        let (table, own) = (quoted(name), quoted(&names[at]));
        let kind = declared(column.kind);
        if !is_text {
            db.execute_batch(&format!("alter table {table} add column {own}{kind}"))?;
        }
    }
    Ok(())
}

/// Makes a table anew with its rows, for columns that become ones of JSON texts. Its indexes and triggers stay.
fn rebuild(
    db: &Connection,
    name: &str,
    from: &Columns,
    to: &Columns,
    is_keyed: bool,
) -> rusqlite::Result<()> {
    let own = "select sql from sqlite_master where tbl_name = ?1 collate nocase and type in ('index', 'trigger') and sql is not null";
    let mut statement = db.prepare(own)?;
    let others = statement.query_map(params![name], |row| row.get::<_, String>(0))?;
    let others: Vec<String> = others.collect::<rusqlite::Result<_>>()?;
    let has_more: i64 = db.query_row(
        "select count(*) from pragma_table_info(?1)",
        params![name],
        |row| row.get(0),
    )?;
    let ours = from.len() + usize::from(is_keyed);
    if has_more as usize != ours {
        return Err(rusqlite::Error::InvalidParameterName(format!(
            "the table {name} has columns that are not ours, so it cannot be made anew for values of another type"
        )));
    }
    let (table, fresh) = (quoted(name), quoted(&format!("_toolrun_grown_{name}")));
    db.execute_batch(&format!(
        "create table {fresh} ({})",
        definitions(to, is_keyed)
    ))?;
    let names = NAMING.listed(from, is_keyed).join(", ");
    let mut select = db.prepare(&format!("select {names} from {table} order by rowid"))?;
    let mut insert = db.prepare(&insert_sql(&format!("_toolrun_grown_{name}"), to, is_keyed))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let cells = to.moved(from, cells_of(row, from)?);
        let key: Option<String> = match is_keyed {
            true => row.get(from.len())?,
            false => None,
        };
        insert_row(&mut insert, &cells, is_keyed.then_some(key.as_deref()))?;
    }
    drop(rows);
    drop((select, insert, statement));
    db.execute_batch(&format!(
        "drop table {table}; alter table {fresh} rename to {table}"
    ))?;
    others.iter().try_for_each(|sql| db.execute_batch(sql))
}

fn cells_of(row: &Found<'_>, columns: &Columns) -> rusqlite::Result<Vec<Cell<'static>>> {
    (0..columns.len())
        .map(|at| Ok(stored(row.get_ref(at)?, columns.kind(at))))
        .collect()
}

fn insert_sql(name: &str, columns: &Columns, is_keyed: bool) -> String {
    let names = NAMING.listed(columns, is_keyed);
    let marks = vec!["?"; names.len()].join(", ");
    format!(
        "insert into {} ({}) values ({marks})",
        quoted(name),
        names.join(", ")
    )
}

fn insert_row(
    insert: &mut rusqlite::Statement<'_>,
    cells: &[Cell<'_>],
    key: Option<Option<&str>>,
) -> rusqlite::Result<usize> {
    for (at, cell) in cells.iter().enumerate() {
        insert.raw_bind_parameter(at + 1, Bound(cell))?;
    }
    if let Some(key) = key {
        insert.raw_bind_parameter(cells.len() + 1, key)?;
    }
    insert.raw_execute()
}

fn save(db: &Connection, table: &str, state: &State) -> rusqlite::Result<()> {
    let sql = format!(
        "insert into {STATES} (name, tool, state, updated) values (?1, ?2, ?3, ?4)
         on conflict (name) do update set tool = excluded.tool, state = excluded.state, updated = excluded.updated"
    );
    let now = jiff::Timestamp::now().to_string();
    db.execute(&sql, params![table, state.tool, state.text(), now])
        .map(drop)
}

/// Lets the target hold these columns.
fn prepare(db: &Connection, open: &mut Open, columns: &Columns) -> rusqlite::Result<()> {
    match &open.target_columns {
        None => create(db, &open.target, columns, open.is_keyed)?,
        Some(own) if own == columns => return Ok(()),
        Some(own) => grow(db, &open.target, own, columns, open.is_keyed)?,
    }
    match open.grown(columns) {
        Some(state) => save(db, &open.table, &state),
        None => Ok(()),
    }
}

fn insert(
    db: &Connection,
    open: &Open,
    columns: &Columns,
    rows: &[Row],
) -> rusqlite::Result<Counts> {
    let ignore = match open.is_keyed {
        true => format!(" on conflict ({KEY}) do nothing"),
        false => String::new(),
    };
    let sql = insert_sql(&open.target, columns, open.is_keyed) + &ignore;
    let mut insert = db.prepare_cached(&sql)?;
    let known = Known::new(&open.target, columns);
    let mut counts = Counts::default();
    for row in rows {
        let cells = columns.cells(row.json.part());
        let key = row.key.map(hex);
        let own = open.is_keyed.then_some(key.as_deref());
        if insert_row(&mut insert, &cells, own)? == 1 {
            counts.added += 1;
        } else if known.update(db, columns, &cells, key.as_deref())? {
            counts.changed += 1;
        } else {
            counts.unchanged += 1;
        }
    }
    Ok(counts)
}

/// The statements for a row whose key the table has.
struct Known {
    select: String,
    update: String,
}

impl Known {
    fn new(name: &str, columns: &Columns) -> Known {
        let (table, names) = (quoted(name), NAMING.listed(columns, false));
        let set: Vec<String> = names.iter().map(|name| format!("{name} = ?")).collect();
        Known {
            select: format!("select {} from {table} where {KEY} = ?1", names.join(", ")),
            update: format!("update {table} set {} where {KEY} = ?", set.join(", ")),
        }
    }

    /// Brings the row of a key to these values. Gives whether it had others.
    fn update(
        &self,
        db: &Connection,
        columns: &Columns,
        cells: &[Cell<'_>],
        key: Option<&str>,
    ) -> rusqlite::Result<bool> {
        let mut select = db.prepare_cached(&self.select)?;
        let old = select.query_row(params![key], |row| cells_of(row, columns))?;
        if old == cells {
            return Ok(false);
        }
        let mut update = db.prepare_cached(&self.update)?;
        insert_row(&mut update, cells, Some(key))?;
        Ok(true)
    }
}

impl Destination for Sqlite {
    fn columns(&self) -> Columns {
        Columns::new(MOST_COLUMNS)
    }

    fn renamed(&self, columns: &Columns) -> Vec<(String, String)> {
        NAMING.renamed(columns)
    }

    fn open(&mut self, table: &str) -> Result<State, Trouble> {
        let target = format!("{STAGE}{table}");
        self.run(&format!("drop table if exists {}", quoted(&target)))?;
        let text: Option<String> = self
            .connection
            .query_row(
                &format!("select state from {STATES} where name = ?1"),
                params![table],
                |row| row.get(0),
            )
            .optional()
            .map_err(trouble)?;
        let exists = self.exists(table)?;
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
        self.whole(|db, open| {
            prepare(db, open, columns)?;
            let counts = insert(db, open, columns, &rows)?;
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
            self.table = None;
            return Ok(Counts::default());
        }
        let counts = self.whole(|db, open| {
            prepare(db, open, columns)?;
            if open.is_staged() {
                show(db, open, columns)?;
            }
            let sql = format!("select count(*) from {}", quoted(&open.table));
            let all = match open.is_whole {
                true => Some(db.query_row(&sql, [], |row| row.get(0))?),
                false => None,
            };
            save(db, &open.table, state)?;
            Ok(open.ended(all, distinct))
        })?;
        self.table = None;
        Ok(counts)
    }

    fn abandon(&mut self) {
        if let Some(open) = self.table.take()
            && open.is_staged()
        {
            // The next run drops it, if this does not.
            let _ = self.run(&format!("drop table if exists {}", quoted(&open.target)));
        }
    }
}

/// Puts the rows that wait into their table.
fn show(db: &Connection, open: &Open, columns: &Columns) -> rusqlite::Result<()> {
    let (table, target) = (quoted(&open.table), quoted(&open.target));
    if !open.exists {
        if open.is_keyed {
            let waiting = quoted(&format!("{}{KEY}", open.target));
            db.execute_batch(&format!("drop index {waiting}"))?;
        }
        db.execute_batch(&format!("alter table {target} rename to {table}"))?;
        return match open.is_keyed {
            true => index(db, &open.table),
            false => Ok(()),
        };
    }
    let info = "select 1 from pragma_table_info(?1) where name = ?2";
    let has_key = db
        .query_row(info, params![open.table, KEY], |_| Ok(()))
        .optional()?
        .is_some();
    grow(db, &open.table, &open.columns, columns, has_key)?;
    if open.mode == Mode::Replace {
        db.execute_batch(&format!("delete from {table}"))?;
        if open.is_keyed && !has_key {
            db.execute_batch(&format!("alter table {table} add column {KEY} text"))?;
            index(db, &open.table)?;
        }
    }
    let names = NAMING.listed(columns, open.is_keyed).join(", ");
    db.execute_batch(&format!(
        "insert into {table} ({names}) select {names} from {target} order by rowid; drop table {target}"
    ))
}
