//! A page: one response, read as its tool says.

use std::sync::{Arc, OnceLock};

use serde_json::Value;

use super::answer;
use super::call::Deadline;
use super::error::Error;
use super::note::Note;
use crate::json::Json;
use crate::project::{ResponseKind, ResponseView};
use crate::send::Response;
use crate::tool::Tool;

/// The status of a success that has no body.
const NO_CONTENT: u16 = 204;

/// A response that is not an error.
pub(crate) struct Received {
    pub response: Box<Response>,
    pub kind: ResponseKind,
    /// The body, if it was read already.
    pub body: Option<Json>,
    pub is_empty: bool,
}

impl Received {
    /// The body as `$`.
    ///
    /// # Errors
    /// When the body is not of the kind that the descriptor says.
    pub(crate) fn body(&mut self, tool: &Tool) -> Result<Json, Error> {
        match self.body.take() {
            Some(body) => Ok(body),
            None => answer::body_of(tool, self.kind, None, &self.response),
        }
    }
}

/// One page of a list, or the one response of a tool without paging.
#[derive(Debug)]
#[non_exhaustive]
pub struct Page {
    pub(crate) response: Box<Response>,
    /// The body: a JSON text that was checked.
    pub body: Json,
    /// The arguments of its request, with defaults.
    pub params: Value,
    /// If this is the last response of a job: the body of the job's first response.
    pub created: Option<Json>,
    /// Whether this is the first response of a job, and the call does not wait for the job.
    pub is_pending: bool,
    /// For a page that was asked for alone ([`crate::Engine::page`]): the note that more pages remain.
    pub more: Option<Note>,
    /// Whether an error rule or the status says that the page is empty.
    pub(crate) is_empty: bool,
    /// Items on the page, once somebody has asked for them.
    pub(super) count: OnceLock<u64>,
    pub(super) tool: Arc<Tool>,
    /// When its projection must have ended.
    pub(super) deadline: Option<Deadline>,
}

impl Page {
    pub(crate) fn new(
        tool: &Arc<Tool>,
        mut received: Received,
        params: Value,
    ) -> Result<Page, Error> {
        let mut body = received.body(tool)?;
        let is_empty = received.is_empty || received.response.status == NO_CONTENT;
        match &tool.paging {
            // An empty page needs no list.
            Some(_) if is_empty => body = tool.empty_body(received.kind),
            // A list that is null counts as empty, for the projection too.
            Some(paging) if paging.lists(body.part())?.is_empty() => {
                body = paging.emptied(&body).unwrap_or(body);
            }
            _ => {}
        }
        Ok(Page {
            response: received.response,
            body,
            params,
            count: OnceLock::new(),
            created: None,
            is_pending: false,
            more: None,
            is_empty,
            tool: Arc::clone(tool),
            deadline: None,
        })
    }

    /// The page of a call with this deadline.
    pub(super) fn until(self, deadline: Option<Deadline>) -> Page {
        Page { deadline, ..self }
    }

    /// Items on the page. The first time, this reads the whole list.
    pub fn items(&self) -> u64 {
        *self.count.get_or_init(|| {
            let paging = self.tool.paging.as_ref();
            let items = paging.and_then(|paging| paging.items(self.body.part()).ok()?);
            items.map_or(0, |items| items.elements().count() as u64)
        })
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
    /// When the response is not as the descriptor says, or the call's deadline passes meanwhile.
    pub fn output(&self) -> Result<Json, Error> {
        let view = self.view();
        let output = match &self.tool.wait {
            Some(wait) if self.is_pending => wait.project_first(&view).map_err(Error::from),
            _ => self.tool.projection.run(&view).map_err(Error::from),
        };
        match (output, self.deadline) {
            (Err(_), Some(deadline)) if view.is_late() => Err(deadline.error()),
            (output, _) => output,
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
        .until(self.deadline.map(|deadline| deadline.at))
    }
}

/// Appends to a written list, which already has its opening bracket.
pub(super) fn append(list: &mut Vec<u8>, text: &[u8]) {
    if list.len() > 1 {
        list.push(b',');
    }
    list.extend_from_slice(text);
}
