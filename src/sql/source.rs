//! Where tables come from: which tools there are, and who carries out their calls.

use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;

use super::error::SqlError;
use crate::engine::{Call, Engine};
use crate::tool::Tool;

/// What a reading begins with.
pub(crate) type Begun<'s> = Pin<Box<dyn Future<Output = Result<Reading, SqlError>> + Send + 's>>;

/// A call that may be carried out.
pub(crate) struct Reading {
    /// The engine that carries it out.
    pub engine: Engine,
    /// The call, with what holds for it alone.
    pub call: Call,
    /// The number that its end is told by.
    pub id: usize,
}

/// How a reading ended, or what was read of it when the query ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ended {
    /// Rows that were read.
    pub rows: u64,
    /// Bytes of their pages.
    pub bytes: usize,
    /// Whether it was stopped while it waited for the service.
    pub is_stopped: bool,
    /// What went wrong.
    pub error: Option<crate::engine::error::Error>,
}

/// Where tables come from.
pub(crate) trait Source: Send + Sync {
    /// The names of the tools, plain or with their services' names, as `service/tool`.
    fn names(&self) -> Vec<String>;

    /// The tool of a name.
    ///
    /// # Errors
    /// When there is none, there are several, or it may not be read.
    fn tool(&self, name: &str) -> Result<Arc<Tool>, SqlError>;

    /// Begins to read a tool with these arguments.
    ///
    /// # Errors
    /// When the call may not be made.
    fn begin<'s>(&'s self, table: &'s str, tool: &'s Arc<Tool>, arguments: &'s Value) -> Begun<'s>;

    /// Is told how a reading ended.
    fn end(&self, _id: usize, _ended: Ended) {}
}
