//! Recordings: what calls send and get goes into a file, and a file answers in place of a service. Nothing secret stands in
//! one: a request is written from its plan, and an answer is masked.

mod difference;
mod entry;
mod key;
mod layer;
mod place;
mod play;
mod pseudonym;
mod recorder;
mod redact;
mod shelf;
mod spool;
#[cfg(test)]
mod tests;

pub(crate) use place::{Place, Taken};
pub(crate) use play::Play;
pub(crate) use pseudonym::Pseudonyms;
pub(crate) use recorder::{Recorded, Recorder, RecordingError};
pub(crate) use redact::{RedactSpec, Rules};
pub(crate) use spool::{Session, VARIABLE};
