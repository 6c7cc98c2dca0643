//! A walk over the pages of a list, and how it ends.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use url::Url;

use crate::engine::error::{Error, Limit};
use crate::engine::{Engine, Outcome, Page, WalkLimits};
use crate::json::Json;
use crate::paging::{Followed, Next, Paging};
use crate::plan::Plan;
use crate::sign::Auth;
use crate::tool::Tool;

/// Why and where a walk stopped before the last page.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    /// Why.
    pub stopped: Stopped,
    /// Pages that were read until then.
    pub page: u64,
    /// What goes on from there, where that is known.
    pub next: Option<Resume>,
}

/// Why a walk stopped before the last page.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Stopped {
    /// One page was asked for, and more remain.
    OnePage,
    /// One page was asked for, and it cannot be told whether more remain.
    Unclear(Box<Error>),
    /// The cap on pages was reached.
    MaxPages(u64),
    /// The cap on items was reached.
    MaxItems(u64),
    /// The last page leads on, but lacks what says whether more pages remain. It was taken for the end.
    Unsaid,
    /// The service gave a cursor that it had given before: to follow it would walk in a circle.
    RepeatedCursor,
    /// The service says that there are more pages and gives no cursor.
    MissingCursor,
    /// The next page could not be had, or is none.
    Error(Box<Error>),
    /// The caller stopped the walk.
    Interrupted,
}

/// What goes on from where a walk stopped.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Resume {
    /// These arguments, in place of the ones of the same names.
    Arguments(Map<String, Value>),
    /// A request of this URL, as the service gave it, without the credentials that it may repeat.
    Url(String),
}

impl Resume {
    fn new(next: &Next, auth: &Auth) -> Option<Resume> {
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
    /// The note of a single page that was asked for; none where it is the last one.
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

    /// The error that ended the walk; none where it is as complete as the caller asked for, or the caller stopped it.
    pub fn error(&self) -> Option<Error> {
        let page = self.page;
        match &self.stopped {
            Stopped::RepeatedCursor => Some(Error::Response(format!(
                "page {page} gives a cursor that was given before, and following it would walk in a circle"
            ))),
            Stopped::MissingCursor => Some(Error::Response(format!(
                "page {page} says that more pages remain, but gives no cursor"
            ))),
            Stopped::Error(error) => Some((**error).clone()),
            _ => None,
        }
    }

    /// Whether something else than the caller's own caps cut the walk short, so that rows are missing.
    pub fn is_incomplete(&self) -> bool {
        matches!(self.stopped, Stopped::Interrupted) || self.error().is_some()
    }

    /// Where the walk stopped and what goes on from there, but not why.
    pub fn place(&self) -> String {
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
        Error::Timeout {
            limit: Limit::Deadline,
            ..
        }
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
                "this is one page, and it cannot be told whether more remain: {error}"
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
            Stopped::Interrupted => write!(f, "interrupted; {}", self.place()),
            Stopped::RepeatedCursor | Stopped::MissingCursor | Stopped::Error(_) => {
                let place = self.place();
                match self.error() {
                    Some(error) => write!(f, "{place}; {error}"),
                    None => f.write_str(&place),
                }
            }
        }
    }
}

/// A walk over the pages of a list.
///
/// It ends in one way only: after the last page, at a cap of the caller ([`Pages::note`] tells), or with an error. Every
/// page that was read is given; what keeps the walk from going on comes with the call after it.
pub struct Pages<'e> {
    engine: &'e Engine,
    tool: &'e Tool,
    limits: WalkLimits,
    settings: Arc<Value>,
    ahead: Ahead,
    /// What leads to the page that was given last.
    given: Option<Resume>,
    followed: Followed,
    note: Option<Note>,
    count: u64,
    items: u64,
}

/// What the next call gives.
enum Ahead {
    Page(Arc<Upcoming>),
    Error(Box<Error>),
    Nothing,
}

/// A page that is to be read.
struct Upcoming {
    params: Value,
    plan: Plan,
    /// What leads to it; none for the first one.
    resume: Option<Resume>,
}

impl<'e> Pages<'e> {
    pub(crate) fn new(
        engine: &'e Engine,
        tool: &'e Tool,
        limits: WalkLimits,
        settings: Arc<Value>,
        first: (Value, Plan),
    ) -> Pages<'e> {
        let (params, plan) = first;
        Pages {
            engine,
            tool,
            limits,
            settings,
            ahead: Ahead::Page(Arc::new(Upcoming {
                params,
                plan,
                resume: None,
            })),
            given: None,
            followed: Followed::default(),
            note: None,
            count: 0,
            items: 0,
        }
    }

    /// The next page; `None` after the last, or when a limit was reached, of which [`Pages::note`] tells.
    ///
    /// The future may be dropped: the next call asks for the same page again. A tool that creates a job (`wait`) would
    /// create another one then.
    ///
    /// # Errors
    /// Whatever can go wrong, see [`Error`]. The walk is over then; the pages before were given.
    pub async fn next(&mut self) -> Result<Option<Page>, Error> {
        let upcoming = match &self.ahead {
            Ahead::Nothing => return Ok(None),
            Ahead::Error(error) => {
                let error = (**error).clone();
                return Err(self.fail(error, None));
            }
            Ahead::Page(upcoming) => Arc::clone(upcoming),
        };
        let read = async {
            let smaller = self.shrink(&upcoming)?;
            let plan = smaller.as_ref().map_or(&upcoming.plan, |(_, plan)| plan);
            let params = smaller
                .as_ref()
                .map_or(&upcoming.params, |(params, _)| params);
            let page = self.engine.fetch(self.tool, plan, params.clone()).await?;
            Ok((page, smaller.map(|(_, plan)| plan)))
        };
        match read.await {
            Err(error) => Err(self.fail(error, upcoming.resume.clone())),
            Ok((mut page, smaller)) => {
                self.given.clone_from(&upcoming.resume);
                self.take(&mut page, smaller.as_ref().unwrap_or(&upcoming.plan));
                Ok(Some(page))
            }
        }
    }

    /// The output of the page that was given last. A page that is not as described ends the walk before it.
    ///
    /// # Errors
    /// When the response is not as the descriptor says.
    pub fn output(&mut self, page: &Page) -> Result<Json, Error> {
        page.output(self.tool).map_err(|error| {
            self.count -= 1;
            self.items -= page.items;
            self.note = None;
            let error = self.engine.masked(&self.tool.service, error);
            self.fail(error, self.given.clone())
        })
    }

    /// Ends the walk where it is; [`Pages::note`] tells where that is.
    pub fn stop(&mut self) {
        if let Ahead::Page(upcoming) = std::mem::replace(&mut self.ahead, Ahead::Nothing)
            && self.count > 0
        {
            self.note_stop(Stopped::Interrupted, upcoming.resume.clone());
        }
    }

    /// Why the walk stopped before the last page, where it did and some page was read.
    pub fn note(&self) -> Option<&Note> {
        self.note.as_ref()
    }

    /// Pages read so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Items read so far.
    pub fn items(&self) -> u64 {
        self.items
    }

    /// Ends the walk with an error. Without a page before it, the error says all there is.
    fn fail(&mut self, error: Error, resume: Option<Resume>) -> Error {
        self.ahead = Ahead::Nothing;
        if self.count > 0 && self.note.is_none() {
            self.note_stop(Stopped::Error(Box::new(error.clone())), resume);
        }
        error
    }

    fn note_stop(&mut self, stopped: Stopped, next: Option<Resume>) {
        self.note = Some(Note {
            stopped,
            page: self.count,
            next,
        });
    }

    /// Asks for no more items than the cap leaves, where the tool says which param sets the size of a page.
    fn shrink(&self, upcoming: &Upcoming) -> Result<Option<(Value, Plan)>, Error> {
        let limit = self.tool.paging.as_ref().and_then(|paging| paging.limit());
        let (Some(limit), Some(max_items)) = (limit, self.limits.max_items) else {
            return Ok(None);
        };
        let left = max_items - self.items;
        let params = &upcoming.params;
        if params
            .get(limit)
            .and_then(Value::as_u64)
            .is_some_and(|size| size <= left)
        {
            return Ok(None);
        }
        let mut smaller = params.clone();
        smaller[limit] = left.into();
        // A size that the tool does not allow leaves the page as it was, to be cut afterwards.
        match self.tool.accept(smaller) {
            Ok(smaller) => {
                let plan = self.engine.render(self.tool, &smaller, &self.settings)?;
                Ok(Some((smaller, plan)))
            }
            Err(_) => Ok(None),
        }
    }

    /// Counts a page that was read, and finds out what comes after it.
    fn take(&mut self, page: &mut Page, plan: &Plan) {
        self.count += 1;
        self.items += page.items;
        self.ahead = Ahead::Nothing;
        let Some(paging) = &self.tool.paging else {
            return;
        };
        match self.surplus() {
            Some(surplus) if surplus > 0 => self.cut(page, surplus),
            _ if page.is_empty => {}
            _ => self.look_ahead(paging, page, plan),
        }
    }

    /// Items beyond the cap; `None` when there is no cap or it is not reached.
    fn surplus(&self) -> Option<u64> {
        self.items.checked_sub(self.limits.max_items?)
    }

    fn cut(&mut self, page: &mut Page, surplus: u64) {
        let keep = page.items - surplus;
        if let Some(paging) = &self.tool.paging
            && let Ok(Some(items)) = paging.items(page.body.part())
        {
            let mut kept = vec![b'['];
            let most = usize::try_from(keep).unwrap_or(usize::MAX);
            items
                .elements()
                .take(most)
                .for_each(|item| append(&mut kept, item.text()));
            kept.push(b']');
            let body = paging.put_items(&page.body, &kept);
            page.body = body.unwrap_or_else(|| page.body.clone());
        }
        page.items = keep;
        self.items -= surplus;
        self.note_stop(Stopped::MaxItems(self.items), None);
    }

    fn reached_cap(&self) -> Option<Stopped> {
        if let Some(max_items) = self.limits.max_items.filter(|cap| self.items >= *cap) {
            return Some(Stopped::MaxItems(max_items));
        }
        let max_pages = self.limits.max_pages;
        (self.count >= max_pages).then_some(Stopped::MaxPages(max_pages))
    }

    fn look_ahead(&mut self, paging: &Paging, page: &Page, plan: &Plan) {
        let next = self
            .engine
            .next_page(self.tool, paging, &self.settings, page, plan);
        let (next, plan) = match next {
            Ok((Some(next), plan)) => (next, plan),
            Ok((None, _)) => return self.find_fault(Stopped::MissingCursor),
            Err(error) => {
                self.ahead = Ahead::Error(Box::new(error));
                return;
            }
        };
        let auth = &self.tool.service.auth;
        let resume = Resume::new(&next, auth);
        if !self.followed.is_new(&next) {
            return self.find_fault(Stopped::RepeatedCursor);
        }
        match (next, self.reached_cap()) {
            (Next::End, _) => {}
            (Next::Unsaid(_), _) => self.note_stop(Stopped::Unsaid, resume),
            (_, Some(cap)) => self.note_stop(cap, resume),
            (next, None) => match self.upcoming(next, page, plan) {
                Ok((params, plan)) => {
                    self.ahead = Ahead::Page(Arc::new(Upcoming {
                        params,
                        plan,
                        resume,
                    }));
                }
                Err(error) => self.ahead = Ahead::Error(Box::new(error)),
            },
        }
    }

    /// The service is at fault: the page is given, and the fault comes after it.
    fn find_fault(&mut self, stopped: Stopped) {
        self.note_stop(stopped, None);
        let error = self.note.as_ref().and_then(Note::error);
        self.ahead = error.map_or(Ahead::Nothing, |error| Ahead::Error(Box::new(error)));
    }

    /// The arguments and the plan of the next page. What the service gave for them is at fault where they cannot be.
    fn upcoming(&self, next: Next, page: &Page, plan: Plan) -> Result<(Value, Plan), Error> {
        let arguments = match next {
            Next::Url(url) => {
                let plan = self.tool.service.auth.aim(plan, url);
                return Ok((page.params.clone(), plan));
            }
            Next::Arguments(arguments) => arguments,
            Next::End | Next::Unsaid(_) => Map::new(),
        };
        let refused = |reason: String| {
            let error = Error::Response(format!(
                "page {} gives what cannot lead to the next one: {reason}",
                self.count
            ));
            self.engine.masked(&self.tool.service, error)
        };
        let mut params = page.params.clone();
        if let Some(members) = params.as_object_mut() {
            members.extend(arguments);
        }
        let params = self.tool.accept(params).map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            refused(problems.join("; "))
        })?;
        let plan = self.engine.render(self.tool, &params, &self.settings);
        Ok((params, plan.map_err(|error| refused(error.to_string()))?))
    }
}

/// Appends to a list that is written, whose opening bracket is there.
fn append(list: &mut Vec<u8>, text: &[u8]) {
    if list.len() > 1 {
        list.push(b',');
    }
    list.extend_from_slice(text);
}

/// The pages of a walk as one output: that of the last page, with the items of all pages in their order.
#[derive(Debug, Default)]
pub struct Gathered {
    /// The last page that has a place for the items.
    carrier: Option<Page>,
    /// The items of all pages, with commas between them, behind an opening bracket.
    items: Vec<u8>,
    /// The output of the first page, while it is the only one.
    only: Option<Json>,
    pages: u64,
}

impl Gathered {
    /// Adds a page, whose own output is this.
    pub fn add(&mut self, tool: &Tool, mut page: Page, output: Json) {
        self.pages += 1;
        if self.pages == 1 {
            self.only = Some(output);
            self.carrier = Some(page);
            return;
        }
        self.only = None;
        let Some(paging) = &tool.paging else {
            return;
        };
        if self.pages == 2 {
            self.items.push(b'[');
            if let Some(first) = &self.carrier {
                self.append_items(paging, &first.body.clone());
            }
        }
        self.append_items(paging, &page.body);
        // What the page itself takes is little without its items.
        if let Some(body) = paging.put_items(&page.body, b"[]") {
            page.body = body;
            page.response.body = Bytes::new();
            self.carrier = Some(page);
        }
    }

    fn append_items(&mut self, paging: &Paging, body: &Json) {
        if let Ok(Some(items)) = paging.items(body.part()) {
            let text = items.text();
            let inner = text.get(1..text.len() - 1).unwrap_or_default().trim_ascii();
            if !inner.is_empty() {
                append(&mut self.items, inner);
            }
        }
    }

    /// The output; none without a page.
    ///
    /// # Errors
    /// When the response is not as the descriptor says.
    pub fn output(mut self, tool: &Tool) -> Result<Option<Json>, Error> {
        if self.only.is_some() {
            return Ok(self.only);
        }
        let Some(mut last) = self.carrier else {
            return Ok(None);
        };
        if let Some(paging) = &tool.paging {
            self.items.push(b']');
            let reason = "the items of all pages have no place in the last page";
            let body = paging.put_items(&last.body, &self.items);
            last.body = body.ok_or_else(|| Error::Response(reason.to_owned()))?;
            self.items = Vec::new();
        }
        last.output(tool).map(Some)
    }
}

/// A walk that an error ended. What was read before is here, and is no whole list.
#[derive(Debug, thiserror::Error)]
#[error("{error}{}", .read.as_ref().map_or(String::new(), |read| format!("; {} page(s) were read before", read.pages)))]
pub struct Incomplete {
    /// What ended the walk.
    #[source]
    pub error: Error,
    /// What was read, with its note; none where nothing was.
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

/// Walks to the end and gathers the pages.
pub(crate) async fn gather(mut pages: Pages<'_>) -> Result<Outcome, Incomplete> {
    let mut all = Gathered::default();
    let error = loop {
        let page = match pages.next().await {
            Ok(Some(page)) => page,
            Ok(None) => break None,
            Err(error) => break Some(error),
        };
        match pages.output(&page) {
            Ok(output) => all.add(pages.tool, page, output),
            Err(error) => break Some(error),
        }
    };
    let output = all.output(pages.tool)?;
    let read = output.map(|output| Outcome {
        output,
        pages: pages.count,
        notes: pages.note.into_iter().collect(),
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
