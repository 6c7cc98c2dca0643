//! The keys of the rows of one run. They are kept on disk, so that a run of any length needs the same memory.

use ring::digest::{SHA256, digest};
use rusqlite::{Connection, OptionalExtension, params};

use super::report::Trouble;
use crate::json::Part;
use crate::table::{Cell, canonical};

/// Memory for the pages of the index, in KiB.
const CACHE: i32 = 8 << 10;

/// What is known of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It is new.
    New,
    /// The same row came before.
    Same,
    /// Another row came before with this key.
    Differs,
}

/// The keys of the rows of one run, and what came with them.
pub(crate) struct Keys {
    index: Connection,
    count: u64,
    distinct: u64,
}

/// The key of a row from the values of its key columns; `None` if all of them are null.
pub(crate) fn key_of<'c>(cells: impl Iterator<Item = Cell<'c>>) -> Option<[u8; 16]> {
    let mut text = String::new();
    let mut has_value = false;
    for cell in cells {
        has_value |= cell != Cell::Null;
        text.push_str(&canonical(&cell));
        text.push('\n');
    }
    has_value.then(|| short(text.as_bytes()))
}

/// The key of a row from the values of these columns; `None` if all of them are null.
pub(crate) fn key_of_row(columns: &[String], row: Part<'_>) -> Option<[u8; 16]> {
    let cell = |name: &String| row.member(name).map_or(Cell::Null, Cell::of);
    key_of(columns.iter().map(cell))
}

/// The first 16 bytes of the SHA-256 of a text.
pub(crate) fn short(text: &[u8]) -> [u8; 16] {
    let whole = digest(&SHA256, text);
    let mut first = [0; 16];
    first.copy_from_slice(&whole.as_ref()[..16]);
    first
}

/// The digest of a row's values, whatever their columns are called.
pub(crate) fn digest_of(cells: &[Cell<'_>]) -> [u8; 16] {
    let mut text = String::new();
    for cell in cells {
        text.push_str(&canonical(cell));
        text.push('\n');
    }
    short(text.as_bytes())
}

/// Sixteen bytes in hexadecimal.
pub(crate) fn hex(bytes: [u8; 16]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Keys {
    /// No keys so far.
    ///
    /// # Errors
    /// When no temporary file can be made.
    pub(crate) fn new() -> Result<Keys, Trouble> {
        let make = || {
            // The empty name is a file that SQLite makes when it needs one, and removes.
            let index = Connection::open("")?;
            index.execute_batch(&format!(
                "pragma journal_mode = off; pragma synchronous = off; pragma cache_size = -{CACHE};
                 create table seen (key blob primary key, row blob, at integer, old blob) without rowid;
                 begin"
            ))?;
            Ok(index)
        };
        let index = make().map_err(trouble)?;
        Ok(Keys {
            index,
            count: 0,
            distinct: 0,
        })
    }

    /// Takes note of a row and its key. The last row of a key counts. Rows are numbered; one that is the [`Seen::Same`]
    /// gets no number.
    ///
    /// # Errors
    /// When the temporary file cannot be written.
    pub(crate) fn see(&mut self, key: &[u8; 16], row: Part<'_>) -> Result<Seen, Trouble> {
        let row = short(row.text());
        let seen = self.put(key, &row).map_err(trouble)?;
        self.count += u64::from(seen != Seen::Same);
        self.distinct += u64::from(seen == Seen::New);
        Ok(seen)
    }

    /// How many keys there are.
    pub(crate) fn distinct(&self) -> u64 {
        self.distinct
    }

    fn put(&self, key: &[u8; 16], row: &[u8; 16]) -> rusqlite::Result<Seen> {
        let at = self.count as i64;
        let mut insert = self.index.prepare_cached(
            "insert into seen (key, row, at) values (?1, ?2, ?3) on conflict do nothing",
        )?;
        if insert.execute(params![key, row, at])? == 1 {
            return Ok(Seen::New);
        }
        let mut update = self
            .index
            .prepare_cached("update seen set row = ?2, at = ?3 where key = ?1 and row <> ?2")?;
        Ok(match update.execute(params![key, row, at])? {
            0 => Seen::Same,
            _ => Seen::Differs,
        })
    }

    /// Notes what the table held under a key before. Gives whether a row of this run has the key.
    ///
    /// # Errors
    /// When the temporary file cannot be written.
    pub(crate) fn had(&mut self, key: &[u8; 16], old: [u8; 16]) -> Result<bool, Trouble> {
        let update = || {
            let mut update = self
                .index
                .prepare_cached("update seen set old = ?2 where key = ?1")?;
            update.execute(params![key, old])
        };
        Ok(update().map_err(trouble)? > 0)
    }

    /// The number of the last row of a key, and what the table held before.
    ///
    /// # Errors
    /// When the temporary file cannot be read.
    pub(crate) fn last(
        &mut self,
        key: &[u8; 16],
    ) -> Result<Option<(u64, Option<[u8; 16]>)>, Trouble> {
        let find = || {
            let mut select = self
                .index
                .prepare_cached("select at, old from seen where key = ?1")?;
            select
                .query_row(params![key], |row| {
                    Ok((row.get::<_, i64>(0)? as u64, row.get(1)?))
                })
                .optional()
        };
        find().map_err(trouble)
    }
}

fn trouble(error: rusqlite::Error) -> Trouble {
    Trouble::Destination(format!("cannot keep the keys of the rows: {error}"))
}
