//! Batches: one call for each of many lines of arguments, as jobs of a run in the store.
//!
//! Lines are read ([`lines`]), shaped into arguments and keys ([`shape`]), all checked, and only then put into the store
//! ([`load`]). Workers claim jobs, call the tool and finish them ([`work`]). What becomes of a job that fails is decided by
//! the kind of the error ([`verdict`]); a failure that every job would share stops the run ([`breaker`]). The rows of jobs
//! that are done come out in the order of the lines ([`output`]).

mod breaker;
mod lines;
mod load;
mod output;
mod pace;
mod run;
mod shape;
mod verdict;
mod work;

pub(crate) use breaker::Tripped;
pub(crate) use lines::{Columns, Line, Lines, Notation};
pub(crate) use load::{Loader, LoadingError, Spool};
pub(crate) use output::{Rows, keyed};
pub(crate) use pace::Paced;
pub(crate) use run::{Options, Rate, digest_of, is_repeatable, taker};
pub(crate) use shape::{Shape, ShapeError, Shard};
pub(crate) use work::{End, Told, Work, Worker};
