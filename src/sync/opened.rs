//! The table that a database has open: what is the same in SQLite and Postgres.

use super::destination::{Counts, Mode, Opening};
use super::report::Trouble;
use super::state::State;
use crate::table::Columns;

/// The table that is written.
pub(super) struct Open {
    pub table: String,
    /// Where the rows go: the table itself, or one that waits to be shown.
    pub target: String,
    pub exists: bool,
    pub is_keyed: bool,
    /// The columns of the table and of the target. The target is made with its first row.
    pub columns: Columns,
    pub target_columns: Option<Columns>,
    pub is_whole: bool,
    pub mode: Mode,
    state: State,
    rows: u64,
}

impl Open {
    /// A table with the text of its state, if there is one. `columns` are none, as the database takes them. Gives what is
    /// known of the table, too.
    ///
    /// # Errors
    /// When the state cannot be read, or the table is not one of ours.
    pub(super) fn new(
        table: &str,
        target: String,
        exists: bool,
        state: Option<String>,
        columns: Columns,
    ) -> Result<(Open, State), Trouble> {
        let state = match state {
            Some(text) if exists => State::read(&text).map_err(|reason| {
                Trouble::Destination(format!(
                    "the state of the table {table} cannot be read: {reason}"
                ))
            })?,
            None if exists => {
                return Err(Trouble::Usage(format!(
                    "there is a table {table} that no sync has written; rename it, or name another database"
                )));
            }
            _ => State::default(),
        };
        let open = Open {
            table: table.to_owned(),
            target,
            exists,
            is_keyed: false,
            columns: state.columns_in(columns),
            target_columns: None,
            is_whole: false,
            mode: Mode::Replace,
            state: State::default(),
            rows: 0,
        };
        Ok((open, state))
    }

    /// Begins to write.
    pub(super) fn start(&mut self, opening: &Opening<'_>) {
        self.mode = opening.mode;
        self.is_keyed = !opening.key.is_empty();
        self.is_whole = opening.is_whole && opening.mode == Mode::Merge;
        self.state = opening.state.clone();
        self.state.key = opening.key.to_vec();
        if !self.is_staged() {
            self.target = self.table.clone();
            self.target_columns = self.exists.then(|| self.columns.clone());
        }
    }

    /// Whether the rows wait in a table of their own until all of them are there.
    pub(super) fn is_staged(&self) -> bool {
        self.mode != Mode::Merge
    }

    /// The target has these columns now. Gives the state to keep with them: where rows are merged, those before stay, so
    /// what is known of them does too.
    pub(super) fn grown(&mut self, columns: &Columns) -> Option<State> {
        self.target_columns = Some(columns.clone());
        if self.is_staged() {
            return None;
        }
        self.exists = true;
        self.columns = columns.clone();
        Some(self.state.with_columns(columns))
    }

    /// What rows that the target took did to the table. Those that wait count when they are shown.
    pub(super) fn took(&mut self, counts: Counts) -> Counts {
        self.rows += counts.added;
        match self.is_staged() {
            true => Counts::default(),
            false => counts,
        }
    }

    /// What the end did to the table. `all` is how many rows a whole table has, of which the run gave the `distinct` ones.
    pub(super) fn ended(&self, all: Option<i64>, distinct: u64) -> Counts {
        Counts {
            added: if self.is_staged() { self.rows } else { 0 },
            kept: all.map_or(0, |all| (all as u64).saturating_sub(distinct)),
            ..Counts::default()
        }
    }
}
