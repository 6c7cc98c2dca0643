//! The formats of files.

use std::fs::File;
use std::io;

use super::cell::Cell;
use super::columns::Columns;
use super::{csv, ndjson};

/// The format of a file of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// A JSON object on each line.
    Ndjson,
    /// Values that are separated by commas, below a line of names.
    Csv,
    /// Apache Parquet, compressed with zstd.
    Parquet,
}

/// This build has no Parquet.
#[cfg(not(feature = "parquet"))]
pub(crate) const NO_PARQUET: &str = "this build writes no Parquet; build toolrun with the feature `parquet`, or take a released program";

/// Writes rows of known columns, with constant memory.
pub(crate) trait Writer {
    /// Writes a row: a value for each column.
    ///
    /// # Errors
    /// When it cannot be written.
    fn write(&mut self, cells: &[Cell<'_>]) -> io::Result<()>;

    /// Writes what is still held back.
    ///
    /// # Errors
    /// When it cannot be written.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// Reads the rows that a [`Writer`] of the same columns wrote.
pub(crate) trait Reader {
    /// The next row.
    ///
    /// # Errors
    /// When the file is not what was written.
    fn read(&mut self) -> io::Result<Option<Vec<Cell<'static>>>>;
}

impl Format {
    /// The ending of its files.
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Format::Ndjson => "ndjson",
            Format::Csv => "csv",
            Format::Parquet => "parquet",
        }
    }

    /// The most columns of a file.
    pub(crate) fn most_columns(self) -> usize {
        match self {
            Format::Ndjson => 100_000,
            Format::Csv | Format::Parquet => 10_000,
        }
    }

    /// No columns yet, for a file of this format.
    pub(crate) fn columns(self) -> Columns {
        let columns = Columns::new(self.most_columns());
        match self {
            Format::Ndjson => columns.raw(),
            Format::Csv | Format::Parquet => columns,
        }
    }

    /// Whether this build writes it.
    ///
    /// # Errors
    /// Why not, for people.
    pub(crate) fn check(self) -> Result<(), &'static str> {
        match self {
            #[cfg(not(feature = "parquet"))]
            Format::Parquet => Err(NO_PARQUET),
            _ => Ok(()),
        }
    }

    /// Starts to write a file.
    ///
    /// # Errors
    /// When it cannot be written, or this build does not know the format.
    pub(crate) fn writer(self, file: File, columns: &Columns) -> io::Result<Box<dyn Writer>> {
        Ok(match self {
            Format::Ndjson => Box::new(ndjson::NdjsonWriter::new(file, columns)),
            Format::Csv => Box::new(csv::CsvWriter::new(file, columns)?),
            #[cfg(feature = "parquet")]
            Format::Parquet => Box::new(super::parquet::ParquetWriter::new(file, columns)?),
            #[cfg(not(feature = "parquet"))]
            Format::Parquet => return Err(io::Error::other(NO_PARQUET)),
        })
    }

    /// Starts to read a file that [`Format::writer`] wrote.
    ///
    /// # Errors
    /// When it cannot be read, or is not of these columns.
    pub(crate) fn reader(self, file: File, columns: &Columns) -> io::Result<Box<dyn Reader>> {
        Ok(match self {
            Format::Ndjson => Box::new(ndjson::NdjsonReader::new(file, columns)),
            Format::Csv => Box::new(csv::CsvReader::new(file, columns)?),
            #[cfg(feature = "parquet")]
            Format::Parquet => Box::new(super::parquet::ParquetReader::new(file, columns)?),
            #[cfg(not(feature = "parquet"))]
            Format::Parquet => return Err(io::Error::other(NO_PARQUET)),
        })
    }
}
