//! Tables as files of one folder: a file for each, and beside them one file of states.
//!
//! A table is written whole under another name. Then its new state is noted, then the file takes its place, and then the
//! state counts. A run that finds a noted state knows by the file whether the step was taken: the step is finished, or it
//! never was.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::destination::{Counts, Destination, Mode, Opening, Row, lock};
use super::keys::{Keys, digest_of, key_of, key_of_row};
use super::report::Trouble;
use super::state::State;
use crate::staged;
use crate::table::{Cell, Columns, Format, Spool, Writer};

/// The file of states.
const STATES: &str = ".toolrun-sync.json";
/// The file whose lock says that a run is going on.
const LOCK: &str = ".toolrun-sync.lock";

/// A folder of files, locked for this run.
pub(super) struct Files {
    format: Format,
    folder: PathBuf,
    states: States,
    table: Option<Open>,
    _lock: File,
}

/// The states of the tables, by the names of their files.
#[derive(Default, Serialize, Deserialize)]
struct States {
    tables: BTreeMap<String, Kept>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    state: State,
    /// The state of the file that is about to take its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<State>,
}

/// The table that is written.
struct Open {
    file: String,
    old: State,
    mode: Mode,
    key: Vec<String>,
    is_whole: bool,
    spool: Spool,
}

impl Files {
    /// Opens a folder, which is made if it is not there.
    pub(super) fn open(format: Format, folder: &Path) -> Result<Files, Trouble> {
        let shown = folder.display();
        let cannot =
            |error: io::Error| Trouble::Destination(format!("cannot write in {shown}: {error}"));
        fs::create_dir_all(folder).map_err(cannot)?;
        let lock = lock(&folder.join(LOCK)).map_err(cannot)?;
        let busy = || Trouble::Destination(format!("another run writes in {shown} now"));
        let lock = lock.ok_or_else(busy)?;
        let states = match fs::read(folder.join(STATES)) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| {
                Trouble::Destination(format!(
                    "{} is broken: {error}",
                    folder.join(STATES).display()
                ))
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => States::default(),
            Err(error) => return Err(cannot(error)),
        };
        Ok(Files {
            format,
            folder: folder.to_owned(),
            states,
            table: None,
            _lock: lock,
        })
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// Where a file stands until it takes its place.
    fn waiting(&self, file: &str) -> PathBuf {
        self.folder.join(format!(".{file}.new"))
    }

    fn save(&self) -> Result<(), Trouble> {
        let text = serde_json::to_vec_pretty(&self.states).unwrap_or_default();
        staged::replace(&self.path(STATES), &text).map_err(Trouble::from)
    }

    /// Finishes the step that a killed run began, or undoes it.
    fn mend(&mut self, file: &str) -> Result<(), Trouble> {
        let waiting = self.waiting(file);
        let is_waiting = waiting.exists();
        if let Some(kept) = self.states.tables.get_mut(file)
            && let Some(next) = kept.next.take()
        {
            match is_waiting {
                true if kept.state.is_new() => drop(self.states.tables.remove(file)),
                true => {}
                false => kept.state = next,
            }
            self.save()?;
        }
        if is_waiting {
            fs::remove_file(waiting)?;
        }
        Ok(())
    }

    /// Writes the whole table to a file. Gives what the rows did to it.
    fn write_file(
        &self,
        open: Open,
        file: File,
        columns: &Columns,
        keys: Option<&mut Keys>,
    ) -> Result<Counts, Trouble> {
        let mut writer = self.format.writer(file, columns)?;
        let path = self.path(&open.file);
        let (mut keys, mut kept) = (keys, 0);
        if open.mode != Mode::Replace && path.exists() {
            kept = self.write_old(&open, &path, columns, keys.as_deref_mut(), &mut *writer)?;
        }
        let mut counts = Counts {
            kept: if open.is_whole { kept } else { 0 },
            ..Counts::default()
        };
        let mut at = 0;
        let key = &open.key;
        open.spool.each(|row| {
            let cells = columns.cells(row.part());
            let number = at;
            at += 1;
            let own = key_of_row(key, row.part());
            let found = match (keys.as_deref_mut(), own) {
                (Some(keys), Some(own)) => keys.last(&own)?,
                _ => None,
            };
            match found {
                // A later row has the key.
                Some((last, _)) if last != number => return Ok(()),
                Some((_, Some(old))) if old == digest_of(&cells) => counts.unchanged += 1,
                Some((_, Some(_))) => counts.changed += 1,
                _ => counts.added += 1,
            }
            writer.write(&cells).map_err(Trouble::from)
        })?;
        writer.finish()?;
        Ok(counts)
    }

    /// Writes the rows that the table had, but for those that come again. Gives how many there are.
    fn write_old(
        &self,
        open: &Open,
        path: &Path,
        columns: &Columns,
        mut keys: Option<&mut Keys>,
        writer: &mut dyn Writer,
    ) -> Result<u64, Trouble> {
        let mut kept = 0;
        let before = open.old.columns_in(self.format.columns());
        let unread = |error: io::Error| {
            Trouble::Destination(format!(
                "cannot read {} to go on with it: {error}; read in full, it is written anew",
                path.display()
            ))
        };
        let mut reader = self
            .format
            .reader(File::open(path)?, &before)
            .map_err(unread)?;
        while let Some(cells) = reader.read().map_err(unread)? {
            if let Some(keys) = keys.as_deref_mut() {
                let own = open.key.iter().map(|name| {
                    before
                        .position(name)
                        .map_or(Cell::Null, |at| cells[at].clone())
                });
                let own = key_of(own);
                let cells = columns.moved(&before, cells);
                match own {
                    Some(own) if keys.had(&own, digest_of(&cells))? => {}
                    _ => {
                        kept += 1;
                        writer.write(&cells)?;
                    }
                }
            } else {
                writer.write(&columns.moved(&before, cells))?;
            }
        }
        Ok(kept)
    }
}

impl Destination for Files {
    fn columns(&self) -> Columns {
        self.format.columns()
    }

    fn renamed(&self, _: &Columns) -> Vec<(String, String)> {
        Vec::new()
    }

    fn open(&mut self, table: &str) -> Result<State, Trouble> {
        let file = format!("{table}.{}", self.format.ending());
        self.mend(&file)?;
        let is_there = self.path(&file).exists();
        let state = match self.states.tables.get(&file) {
            Some(kept) if is_there => kept.state.clone(),
            None if is_there => {
                return Err(Trouble::Usage(format!(
                    "{} was not written by a sync of this folder; move it away, or name another folder",
                    self.path(&file).display()
                )));
            }
            _ => State::default(),
        };
        self.table = Some(Open {
            file,
            old: state.clone(),
            mode: Mode::Replace,
            key: Vec::new(),
            is_whole: false,
            spool: Spool::new(&self.folder)?,
        });
        Ok(state)
    }

    fn start(&mut self, opening: &Opening<'_>) -> Result<(), Trouble> {
        if let Some(open) = &mut self.table {
            open.mode = opening.mode;
            open.key = opening.key.to_vec();
            open.is_whole = opening.is_whole && opening.mode == Mode::Merge;
        }
        Ok(())
    }

    fn write(&mut self, _: &Columns, rows: Vec<Row>) -> Result<Counts, Trouble> {
        if let Some(open) = &mut self.table {
            for row in rows {
                open.spool.add(row.json.part())?;
            }
        }
        Ok(Counts::default())
    }

    fn commit(
        &mut self,
        columns: &Columns,
        state: &State,
        keys: Option<&mut Keys>,
    ) -> Result<Counts, Trouble> {
        let Some(open) = self.table.take() else {
            return Ok(Counts::default());
        };
        if columns.len() == 0 {
            return Ok(Counts::default());
        }
        let (name, old) = (open.file.clone(), open.old.clone());
        let (waiting, place) = (self.waiting(&name), self.path(&name));
        let file = File::create(&waiting)?;
        let counts = self.write_file(open, file.try_clone()?, columns, keys)?;
        file.sync_all()?;
        let next = Some(state.clone());
        let kept = Kept { state: old, next };
        self.states.tables.insert(name.clone(), kept);
        self.save()?;
        fs::rename(&waiting, &place)?;
        let state = state.clone();
        self.states.tables.insert(name, Kept { state, next: None });
        self.save()?;
        Ok(counts)
    }

    fn abandon(&mut self) {
        if let Some(open) = self.table.take() {
            // The next run removes what is left.
            let _ = self.mend(&open.file);
        }
    }
}
