//! Why and where a walk over pages stopped, and how to go on from there.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use url::Url;

use super::error::Error;
use crate::paging::Next;
use crate::send::{Limit, SendError};
use crate::sign::Auth;

/// Why and where a walk stopped before the last page.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Note {
    /// Why.
    pub stopped: Stopped,
    /// How many pages were read.
    pub page: u64,
    /// How to go on from there, if that is known.
    pub next: Option<Resume>,
}

/// Why a walk stopped before the last page.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Stopped {
    /// One page was asked for, and more remain.
    OnePage,
    /// One page was asked for, and it is not known whether more remain.
    Unclear(Box<Error>),
    /// The cap on pages was reached.
    MaxPages(u64),
    /// The cap on items was reached.
    MaxItems(u64),
    /// The last page leads to a next one, but the value of `while` is missing. It was taken for the last page.
    Unsaid,
    /// The service gave a cursor a second time; following it would never end.
    RepeatedCursor,
    /// The service says that there are more pages and gives no cursor.
    MissingCursor,
    /// The next page could not be read.
    Error(Box<Error>),
    /// The caller stopped the walk.
    Interrupted,
}

/// How to go on from where a walk stopped.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Resume {
    /// By a call with these arguments, which replace those of the same names.
    Arguments(Map<String, Value>),
    /// By a request of this URL, as the service gave it, without credentials.
    Url(String),
}

impl Resume {
    pub(super) fn new(next: &Next, auth: &Auth) -> Option<Resume> {
        match next {
            Next::Arguments(arguments) => Some(Resume::Arguments(arguments.clone())),
            Next::Url(url) => Some(Resume::Url(without_credentials(url, auth))),
            Next::Unsaid(next) => Resume::new(next, auth),
            Next::End => None,
        }
    }
}

fn without_credentials(url: &Url, auth: &Auth) -> String {
    let mut shown = url.clone();
    let is_own = |pair: &str| {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        auth.query_names().any(|own| own == name)
    };
    let query: Vec<&str> = url
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty() && !is_own(pair))
        .collect();
    shown.set_query((!query.is_empty()).then(|| query.join("&")).as_deref());
    shown.set_fragment(None);
    shown.to_string()
}

impl fmt::Display for Resume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Resume::Arguments(arguments) => f.write_str(&json!(arguments).to_string()),
            Resume::Url(url) => f.write_str(url),
        }
    }
}

impl Note {
    /// The note for a single page; `None` if it is the last one.
    pub(crate) fn of_one_page(next: Result<Option<Next>, Error>, auth: &Auth) -> Option<Note> {
        let (stopped, next) = match next {
            Ok(Some(Next::End)) => return None,
            Ok(Some(Next::Unsaid(next))) => (Stopped::Unsaid, Resume::new(&next, auth)),
            Ok(Some(next)) => (Stopped::OnePage, Resume::new(&next, auth)),
            Ok(None) => (Stopped::MissingCursor, None),
            Err(error) => (Stopped::Unclear(Box::new(error)), None),
        };
        Some(Note {
            stopped,
            page: 1,
            next,
        })
    }

    /// The error that ended the walk; `None` if the walk is as complete as the caller asked for, or the caller stopped
    /// it.
    pub fn error(&self) -> Option<Error> {
        let page = self.page;
        match &self.stopped {
            Stopped::RepeatedCursor => Some(Error::Response(format!(
                "page {page} gives a cursor that was given before, and following it would never end"
            ))),
            Stopped::MissingCursor => Some(Error::Response(format!(
                "page {page} says that more pages remain, but gives no cursor"
            ))),
            Stopped::Error(error) => Some((**error).clone()),
            _ => None,
        }
    }

    /// Whether rows are missing for another reason than the caller's own caps.
    pub fn is_incomplete(&self) -> bool {
        matches!(self.stopped, Stopped::Interrupted) || self.error().is_some()
    }

    /// Where the walk stopped and how to go on, but not why.
    pub fn where_it_stopped(&self) -> String {
        let page = self.page;
        let next = match &self.next {
            Some(next) => format!("; the next page is at {next}"),
            None => String::new(),
        };
        format!("stopped after page {page}: the result is incomplete{next}")
    }

    fn name(&self) -> &'static str {
        match &self.stopped {
            Stopped::OnePage => "one_page",
            Stopped::Unclear(_) => "unclear",
            Stopped::MaxPages(_) => "max_pages",
            Stopped::MaxItems(_) => "max_items",
            Stopped::Unsaid => "unsaid",
            Stopped::RepeatedCursor => "repeated_cursor",
            Stopped::MissingCursor => "missing_cursor",
            Stopped::Error(error) if is_deadline(error) => "deadline",
            Stopped::Error(_) => "error",
            Stopped::Interrupted => "interrupted",
        }
    }
}

fn is_deadline(error: &Error) -> bool {
    matches!(
        error,
        Error::Send(SendError::Timeout {
            limit: Limit::Deadline,
            ..
        })
    )
}

impl Serialize for Note {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = Map::new();
        members.insert("stopped".to_owned(), self.name().into());
        match &self.stopped {
            Stopped::MaxPages(cap) => members.insert("max_pages".to_owned(), json!(cap)),
            Stopped::MaxItems(cap) => members.insert("max_items".to_owned(), json!(cap)),
            _ => members.insert("page".to_owned(), json!(self.page)),
        };
        if let Stopped::Error(error) | Stopped::Unclear(error) = &self.stopped {
            members.insert("kind".to_owned(), json!(error.kind()));
            members.insert("reason".to_owned(), error.to_string().into());
        }
        if let Some(next) = &self.next {
            members.insert("next".to_owned(), json!(next));
        }
        members.serialize(serializer)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let next = |before: &str| match &self.next {
            Some(next) => format!("{before}{next}"),
            None => String::new(),
        };
        match &self.stopped {
            Stopped::OnePage => {
                let next = next("; the next one is at ");
                write!(f, "this is one page, and more remain{next}")
            }
            Stopped::Unclear(error) => write!(
                f,
                "this is one page, and it is not known whether more remain: {error}"
            ),
            Stopped::MaxPages(cap) => {
                let next = next("; the next one is at ");
                write!(
                    f,
                    "stopped after {cap} page(s), the cap on pages; more remain{next}"
                )
            }
            Stopped::MaxItems(cap) => {
                write!(f, "stopped after {cap} item(s), the cap on items; ")?;
                match &self.next {
                    Some(next) => write!(f, "more remain, the next ones at {next}"),
                    None => f.write_str(
                        "the rest of the page was cut off, and its cursors lead beyond it",
                    ),
                }
            }
            Stopped::Unsaid => {
                let (page, next) = (self.page, next(", at "));
                write!(
                    f,
                    "page {page} was taken for the last one: it does not say whether more remain (`while`), but it leads \
                     to a next one{next}"
                )
            }
            Stopped::Interrupted => write!(f, "interrupted; {}", self.where_it_stopped()),
            Stopped::RepeatedCursor | Stopped::MissingCursor | Stopped::Error(_) => {
                let place = self.where_it_stopped();
                match self.error() {
                    Some(error) => write!(f, "{place}; {error}"),
                    None => f.write_str(&place),
                }
            }
        }
    }
}
