//! Recordings of HTTP exchanges in HAR 1.2, whoever made them: browsers, proxies, test tools, toolrun itself. They are read entry
//! by entry, so that a large file takes the memory of its largest entry. What cannot be read is told with its place.

mod entry;
mod exchange;
mod read;
mod scan;
mod write;

pub(crate) use exchange::{Asked, Body, Content, Entry, Kind, Own, Request, Response};
pub(crate) use read::{Flaw, HarError, Raw, Read, Reader};
pub(crate) use write::{Writer, entry_json};

#[cfg(test)]
mod tests;
