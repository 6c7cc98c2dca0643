//! A page: one response, taken as its tool says.

use std::sync::Arc;

use serde_json::Value;

use super::answer;
use super::error::Error;
use super::note::Note;
use crate::json::Json;
use crate::project::{ResponseKind, ResponseView};
use crate::send::Response;
use crate::tool::Tool;

/// The status of a success that has no body.
const NO_CONTENT: u16 = 204;

/// A response that is no error.
pub(crate) struct Received {
    pub response: Response,
    pub kind: ResponseKind,
    /// Where it was read already.
    pub body: Option<Json>,
    pub is_empty: bool,
}

impl Received {
    /// The body as `$`.
    ///
    /// # Errors
    /// When it is not of its kind.
    pub fn body(&mut self) -> Result<Json, Error> {
        match self.body.take() {
            Some(body) => Ok(body),
            None => answer::body_of(self.kind, None, &self.response),
        }
    }
}

/// One page of a list, or the one response of a tool without paging.
#[derive(Debug)]
#[non_exhaustive]
pub struct Page {
    pub(crate) response: Response,
    /// The body: a JSON text that was checked.
    pub body: Json,
    /// The arguments that it answers, with defaults.
    pub params: Value,
    /// Items on the page.
    pub items: u64,
    /// The first body of the job that this is the last response of.
    pub created: Option<Json>,
    /// Whether this is the first response of a job that was not waited for.
    pub is_pending: bool,
    /// That more pages remain, of a page that was asked for alone ([`crate::Engine::page`]).
    pub more: Option<Note>,
    /// Whether an error rule, or the status, says that there is nothing.
    pub(crate) is_empty: bool,
    pub(super) tool: Arc<Tool>,
}

impl Page {
    pub(crate) fn new(
        tool: &Arc<Tool>,
        mut received: Received,
        params: Value,
    ) -> Result<Page, Error> {
        let mut body = received.body()?;
        let is_empty = received.is_empty || received.response.status == NO_CONTENT;
        match &tool.paging {
            // An empty page need not have a list.
            Some(_) if is_empty => body = tool.empty_body(received.kind),
            // Null items are an empty page, also for what the projection makes of them.
            Some(paging) if paging.items(body.part())?.is_none() => {
                body = paging.put_items(&body, b"[]").unwrap_or(body);
            }
            _ => {}
        }
        Ok(Page {
            response: received.response,
            body,
            params,
            items: 0,
            created: None,
            is_pending: false,
            more: None,
            is_empty,
            tool: Arc::clone(tool),
        })
    }

    /// The page with its items counted, which takes a look at all of them.
    pub(super) fn counted(mut self) -> Page {
        if let Some(paging) = &self.tool.paging
            && let Ok(Some(items)) = paging.items(self.body.part())
        {
            self.items = items.elements().count() as u64;
        }
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.response.status
    }

    /// The value of a response header field by its lower-case name, with the secrets that were sent masked.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.header(name)
    }

    /// The body byte for byte as the service sent it, after decompression. It may repeat a secret.
    pub fn raw(&self) -> &[u8] {
        &self.response.body
    }

    /// The projected output of this page.
    ///
    /// # Errors
    /// When the response is not as the descriptor says.
    pub fn output(&self) -> Result<Json, Error> {
        let view = self.view();
        match &self.tool.wait {
            Some(wait) if self.is_pending => Ok(wait.project_first(&view)?),
            _ => Ok(self.tool.projection.run(&view)?),
        }
    }

    pub(crate) fn tool(&self) -> &Arc<Tool> {
        &self.tool
    }

    pub(crate) fn view(&self) -> ResponseView<'_> {
        ResponseView::new(
            &self.body,
            self.response.status,
            &self.response.headers,
            &self.params,
        )
        .of_job(self.created.as_ref())
    }
}
