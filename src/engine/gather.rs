//! The pages of a walk as one output.

use std::sync::Arc;

use bytes::Bytes;

use super::Outcome;
use super::error::Error;
use super::page::{Page, append};
use super::pages::Pages;
use crate::json::Json;
use crate::paging::Paging;

/// Joins the pages of a walk into one output: the output of the last page, with the items of all pages in order.
#[derive(Debug, Default)]
pub struct Gathered {
    /// The last page that has the list of items.
    carrier: Option<Page>,
    /// The items of all pages: an opening bracket, then the items with commas between them. The same for each array that
    /// is parallel to them.
    items: Vec<Vec<u8>>,
    /// The output of the first page, as long as there is no second one.
    only: Option<Json>,
    pages: u64,
}

impl Gathered {
    /// Adds a page and its output.
    pub fn add(&mut self, mut page: Page, output: Json) {
        self.pages += 1;
        if self.pages == 1 {
            self.only = Some(output);
            self.carrier = Some(page);
            return;
        }
        self.only = None;
        let tool = Arc::clone(page.tool());
        let Some(paging) = &tool.paging else {
            return;
        };
        if self.pages == 2 {
            self.items = vec![b"[".to_vec(); paging.list_count()];
            if let Some(first) = &self.carrier {
                self.append_items(paging, &first.body.clone());
            }
        }
        self.append_items(paging, &page.body);
        // Without its items, a page takes little memory.
        if let Some(body) = paging.emptied(&page.body) {
            page.body = body;
            page.response.body = Bytes::new();
            self.carrier = Some(page);
        }
    }

    fn append_items(&mut self, paging: &Paging, body: &Json) {
        for (all, items) in self
            .items
            .iter_mut()
            .zip(paging.lists(body.part()).unwrap_or_default())
        {
            let text = items.text();
            let inner = text.get(1..text.len() - 1).unwrap_or_default().trim_ascii();
            if !inner.is_empty() {
                append(all, inner);
            }
        }
    }

    /// The output; `None` if there was no page.
    ///
    /// # Errors
    /// When the response is not as the descriptor says.
    pub fn output(mut self) -> Result<Option<Json>, Error> {
        if self.only.is_some() {
            return Ok(self.only);
        }
        let Some(mut last) = self.carrier else {
            return Ok(None);
        };
        if let Some(paging) = &last.tool().paging {
            self.items.iter_mut().for_each(|list| list.push(b']'));
            let reason = "the items of all pages have no place in the last page";
            let body = paging.put_lists(&last.body, &self.items);
            last.body = body.ok_or_else(|| Error::Response(reason.to_owned()))?;
            self.items = Vec::new();
        }
        last.output().map(Some)
    }
}

/// A walk that ended with an error, and the part of the list that was read before.
#[derive(Debug, thiserror::Error)]
#[error("{error}{}", .read.as_ref().map_or(String::new(), |read| format!("; {} page(s) were read before", read.pages)))]
pub struct Incomplete {
    /// The error that ended the walk.
    #[source]
    pub error: Error,
    /// What was read before the error, with a note; `None` if nothing was.
    pub read: Option<Box<Outcome>>,
}

impl From<Error> for Incomplete {
    fn from(error: Error) -> Incomplete {
        Incomplete { error, read: None }
    }
}

impl From<Incomplete> for Error {
    fn from(incomplete: Incomplete) -> Error {
        incomplete.error
    }
}

/// Reads all pages and joins them.
pub(super) async fn gather(mut pages: Pages) -> Result<Outcome, Incomplete> {
    let mut all = Gathered::default();
    let error = loop {
        let page = match pages.next().await {
            Ok(Some(page)) => page,
            Ok(None) => break None,
            Err(error) => break Some(error),
        };
        match pages.output(&page) {
            Ok(output) => all.add(page, output),
            Err(error) => break Some(error),
        }
    };
    let output = all.output()?;
    let read = output.map(|output| Outcome {
        output,
        pages: pages.count(),
        notes: pages.note().cloned().into_iter().collect(),
    });
    match (error, read) {
        (None, Some(read)) => Ok(read),
        (None, None) => Err(Error::Response("the walk has no first page".to_owned()).into()),
        (Some(error), read) => Err(Incomplete {
            error,
            read: read.map(Box::new),
        }),
    }
}
