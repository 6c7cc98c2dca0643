//! Rows as tables: columns with types that are learnt from the rows, and files of them in NDJSON, CSV and Parquet.
//!
//! A row is a JSON object. A value of any other kind is a row with the one column `value`. No value is lost: what fits no
//! type of a column makes the column one of JSON texts.

mod cell;
mod columns;
mod csv;
mod file;
mod ndjson;
#[cfg(feature = "parquet")]
mod parquet;
mod sheet;
mod spool;

#[cfg(test)]
mod tests;

pub(crate) use cell::{Cell, canonical};
pub(crate) use columns::{Change, Column, Columns, Growth, Type, VALUE};

pub(crate) use file::{Format, Writer};
pub(crate) use sheet::Sheet;
pub(crate) use spool::Spool;
