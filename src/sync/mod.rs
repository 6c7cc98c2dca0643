//! Copies the rows of tools into tables: of SQLite, Postgres, or files.
//!
//! A table belongs to one tool. Its rows, its columns and how far it was read change together, in one transaction or in one
//! step; so a copy that is killed at any moment is as it was at the end of a step, and the next one goes on from there.

mod copy;
mod cursor;
mod destination;
mod files;
mod keys;
mod names;
mod opened;
mod order;
#[cfg(feature = "postgres")]
mod postgres;
mod report;
mod singer;
mod sqlite;
mod state;

pub(crate) use copy::{Options, Policy, Source, Watch, copy_all, planned};
pub(crate) use destination::{Counts, Destination, Into, Mode};
pub(crate) use order::{Step, order};
pub(crate) use report::{Fault, TableReport, Trouble};
pub(crate) use singer::Singer;
