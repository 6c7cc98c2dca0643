//! Rows that wait on disk until all columns are known.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};
use std::path::Path;

use crate::json::{Json, Part, write};

/// Rows on disk, one JSON text on each line. The file has no name and vanishes with the process.
#[derive(Debug)]
pub(crate) struct Spool {
    file: BufWriter<File>,
    rows: u64,
}

impl Spool {
    /// No rows so far, on the disk of this folder.
    ///
    /// # Errors
    /// When no file can be made there.
    pub(crate) fn new(folder: &Path) -> io::Result<Spool> {
        Ok(Spool {
            file: BufWriter::new(tempfile::tempfile_in(folder)?),
            rows: 0,
        })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn add(&mut self, row: Part<'_>) -> io::Result<()> {
        write::compact(row, &mut self.file)?;
        self.file.write_all(b"\n")?;
        self.rows += 1;
        Ok(())
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> u64 {
        self.rows
    }

    /// Gives every row to `each`, in order.
    ///
    /// # Errors
    /// When a row cannot be read, or an error of `each`.
    pub(crate) fn each<E: From<io::Error>>(
        self,
        mut each: impl FnMut(Json) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut file = self.file.into_inner().map_err(|error| error.into_error())?;
        file.rewind()?;
        let mut file = BufReader::new(file);
        let mut line = Vec::new();
        loop {
            line.clear();
            if file.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            line.pop();
            // It was checked before it was written.
            each(Json::made(line.clone()))?;
        }
    }
}
