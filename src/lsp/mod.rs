//! A language server: what `validate` finds, while somebody types, and what may be written at the cursor.
//!
//! It speaks the Language Server Protocol over two pipes. Messages are plain JSON here, without the types of a crate:
//! those take ten seconds to build, refuse URIs that editors send, and their reader ends at the first message that is no
//! JSON.
//!
//! - `wire` reads and writes messages, `server` answers them in order, `check` finds what is wrong on a thread of its
//!   own;
//! - `desk` keeps the documents that are open: their texts count in place of those on disk, also for the files beside
//!   them; `text` counts places as editors do;
//! - `place` says where the cursor is, in a text that need not be YAML yet; `form` what the schema allows there; `facts`
//!   what the rest of the file and its service say, and `around` the tools and callers that a sandbox or a policy speaks
//!   about; `members` and `names` what paths and expressions may lead to;
//! - `complete`, `hover`, `jump`, `fixes` and `findings` answer.
//!
//! A folder that is open in an editor is not trusted: files are read and nothing else. No secret is resolved, no variable
//! and no `.env` is read, nothing is sent and nothing runs.

mod around;
mod check;
mod complete;
mod desk;
mod expression;
mod facts;
mod findings;
mod fixes;
mod form;
mod hover;
mod jump;
mod members;
mod names;
mod place;
mod server;
mod text;
mod wire;
mod words;

pub(crate) use server::{End, serve};
