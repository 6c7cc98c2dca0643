//! A file of rows whose columns are learnt from the rows. It appears when it is whole.

use std::io;
use std::path::{Path, PathBuf};

use super::columns::{Change, Columns, Growth};
use super::file::Format;
use super::spool::Spool;
use crate::json::Part;
use crate::staged::Staged;

/// A file of rows, such as the output of a batch. Rows wait on the disk of its folder until all columns are known.
pub(crate) struct Sheet {
    path: PathBuf,
    format: Format,
    columns: Columns,
    spool: Spool,
}

impl Sheet {
    /// A file that will stand at this path.
    ///
    /// # Errors
    /// When its folder cannot be written, or this build does not know the format.
    pub(crate) fn new(path: &Path, format: Format) -> io::Result<Sheet> {
        format.check().map_err(io::Error::other)?;
        Ok(Sheet {
            spool: Spool::new(crate::staged::folder_of(path))?,
            path: path.to_owned(),
            format,
            columns: format.columns(),
        })
    }

    /// Adds a row. Gives the columns that it added, and those whose values have several types now.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn add(&mut self, row: Part<'_>) -> io::Result<Vec<Change>> {
        let changes = self.columns.learn(row, Growth::Open);
        self.spool.add(row)?;
        Ok(changes)
    }

    /// Writes the file whole, in place of any other. Gives how many rows it has.
    ///
    /// # Errors
    /// When it cannot be written; then the file is as it was.
    pub(crate) fn finish(self) -> io::Result<u64> {
        let (rows, columns) = (self.spool.len(), self.columns);
        let staged = Staged::new(&self.path)?;
        let mut writer = self.format.writer(staged.file()?, &columns)?;
        self.spool
            .each(|row| writer.write(&columns.cells(row.part())))?;
        writer.finish()?;
        staged.place()?;
        Ok(rows)
    }
}
