//! A walk over the pages of a list, and how it ends.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use serde_json::{Map, Value};

use super::error::Error;
use super::note::{Note, Resume, Stopped};
use super::page::{Page, append};
use super::run::Run;
use crate::json::{Json, Part};
use crate::paging::{Followed, Next, Paging};
use crate::plan::Plan;
use crate::send::Purpose;

/// A walk over the pages of a list.
///
/// It ends after the last page, at a cap of the caller ([`Pages::note`] says which), or with an error. Every page that
/// was read is given first; the error comes with the call after it.
///
/// It is also a [`Stream`] of pages.
pub struct Pages {
    run: Run,
    settings: Arc<Value>,
    ahead: Ahead,
    /// What led to the last page that was given.
    given: Option<Resume>,
    followed: Followed,
    note: Option<Note>,
    count: u64,
    items: u64,
}

/// What the next call gives.
enum Ahead {
    Page(Box<Upcoming>),
    Reading(Reading),
    Error(Box<Error>),
    Nothing,
}

/// A page to read.
struct Upcoming {
    params: Value,
    plan: Plan,
    /// What leads to it; `None` for the first page.
    resume: Option<Resume>,
}

/// A future of a page and of the plan that it answers.
type Work = Pin<Box<dyn Future<Output = Result<(Page, Plan), Error>> + Send>>;

/// A page that is being read. It is kept even if nobody waits for it, so that no request is sent twice.
struct Reading {
    work: Work,
    resume: Option<Resume>,
}

impl Pages {
    pub(super) fn new(run: Run, settings: Arc<Value>, params: Value, plan: Plan) -> Pages {
        Pages {
            run,
            settings,
            ahead: Ahead::Page(Box::new(Upcoming {
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

    /// The next page; `None` after the last page or at a cap ([`Pages::note`] says which).
    ///
    /// The future may be dropped. The next call continues the same request, and nothing is sent twice.
    ///
    /// # Errors
    /// Whatever can go wrong, see [`Error`]. The walk has then ended; the pages before were given.
    pub async fn next(&mut self) -> Result<Option<Page>, Error> {
        std::future::poll_fn(|context| self.poll_page(context)).await
    }

    fn poll_page(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Page>, Error>> {
        loop {
            match &mut self.ahead {
                Ahead::Nothing => return Poll::Ready(Ok(None)),
                Ahead::Error(error) => {
                    let error = (**error).clone();
                    return Poll::Ready(Err(self.fail(error, None)));
                }
                Ahead::Page(_) => self.begin_reading(),
                Ahead::Reading(reading) => {
                    let read = ready!(reading.work.as_mut().poll(context));
                    let resume = reading.resume.take();
                    return Poll::Ready(match read {
                        Err(error) => Err(self.fail(error, resume)),
                        Ok((mut page, plan)) => {
                            self.given = resume;
                            self.take(&mut page, &plan);
                            Ok(Some(page))
                        }
                    });
                }
            }
        }
    }

    /// Begins to read the next page.
    fn begin_reading(&mut self) {
        let Ahead::Page(upcoming) = std::mem::replace(&mut self.ahead, Ahead::Nothing) else {
            return;
        };
        let smaller = self.shrink(&upcoming);
        let Upcoming {
            params,
            plan,
            resume,
        } = *upcoming;
        let run = match self.count {
            0 => self.run.clone(),
            before => self.run.for_purpose(Purpose::Page(before + 1)),
        };
        let work = async move {
            let (params, plan) = smaller?.unwrap_or((params, plan));
            let page = run.fetch(&plan, params).await?;
            Ok((page, plan))
        };
        self.ahead = Ahead::Reading(Reading {
            work: Box::pin(work),
            resume,
        });
    }

    /// The output of the last page that was given. If that page is not as described, the walk ends before it.
    ///
    /// # Errors
    /// When the response is not as the descriptor says.
    pub fn output(&mut self, page: &Page) -> Result<Json, Error> {
        page.output().map_err(|error| {
            self.count -= 1;
            self.items -= page.items();
            self.note = None;
            let error = self.run.masked(error);
            self.fail(error, self.given.clone())
        })
    }

    /// Ends the walk and gives up a request in progress; [`Pages::note`] says where the walk stopped.
    pub fn stop(&mut self) {
        let resume = match std::mem::replace(&mut self.ahead, Ahead::Nothing) {
            Ahead::Page(upcoming) => upcoming.resume,
            Ahead::Reading(reading) => reading.resume,
            Ahead::Error(_) | Ahead::Nothing => return,
        };
        if self.count > 0 {
            self.note_stop(Stopped::Interrupted, resume);
        }
    }

    /// Whether the next page needs a request.
    #[cfg(feature = "store")]
    pub(crate) fn is_ahead(&self) -> bool {
        matches!(self.ahead, Ahead::Page(_) | Ahead::Reading(_))
    }

    /// Why the walk stopped before the last page, if it did and a page was read.
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

    /// Ends the walk with an error. If no page was read, there is no note: the error says everything.
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

    /// Asks for no more items than the cap leaves, if the tool names the param for the size of a page.
    fn shrink(&self, upcoming: &Upcoming) -> Result<Option<(Value, Plan)>, Error> {
        let limit = self
            .run
            .tool
            .paging
            .as_ref()
            .and_then(|paging| paging.limit());
        let (Some(limit), Some(max_items)) = (limit, self.run.options.max_items) else {
            return Ok(None);
        };
        // The service's URL of a page has its size; a request made from arguments would be of the first page.
        if matches!(upcoming.resume, Some(Resume::Url(_))) {
            return Ok(None);
        }
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
        // If the tool does not allow that size, the page keeps its size and is cut afterwards.
        match self.run.tool.accept(smaller) {
            Ok(smaller) => {
                let plan = self.run.render(&smaller, &self.settings)?;
                Ok(Some((smaller, plan)))
            }
            Err(_) => Ok(None),
        }
    }

    /// Counts a page that was read, and determines the next one.
    fn take(&mut self, page: &mut Page, plan: &Plan) {
        self.count += 1;
        self.items += page.items();
        self.ahead = Ahead::Nothing;
        let tool = Arc::clone(&self.run.tool);
        let Some(paging) = &tool.paging else {
            return;
        };
        match self.surplus() {
            Some(surplus) if surplus > 0 => self.cut(page, surplus),
            _ if page.is_empty => {}
            _ => self.look_ahead(paging, page, plan),
        }
    }

    /// How many items are beyond the cap; `None` if there is no cap or it is not reached.
    fn surplus(&self) -> Option<u64> {
        self.items.checked_sub(self.run.options.max_items?)
    }

    fn cut(&mut self, page: &mut Page, surplus: u64) {
        let keep = page.items() - surplus;
        if let Some(paging) = &self.run.tool.paging
            && let Ok(lists) = paging.lists(page.body.part())
        {
            let most = usize::try_from(keep).unwrap_or(usize::MAX);
            let begun = |list: Part<'_>| {
                let mut kept = vec![b'['];
                let items = list.elements().take(most);
                items.for_each(|item| append(&mut kept, item.text()));
                kept.push(b']');
                kept
            };
            let kept: Vec<Vec<u8>> = lists.into_iter().map(begun).collect();
            let body = paging.put_lists(&page.body, &kept);
            page.body = body.unwrap_or_else(|| page.body.clone());
        }
        page.count = keep.into();
        self.items -= surplus;
        self.note_stop(Stopped::MaxItems(self.items), None);
    }

    fn reached_cap(&self) -> Option<Stopped> {
        if let Some(max_items) = self.run.options.max_items.filter(|cap| self.items >= *cap) {
            return Some(Stopped::MaxItems(max_items));
        }
        let max_pages = self.run.options.max_pages;
        (self.count >= max_pages).then_some(Stopped::MaxPages(max_pages))
    }

    fn look_ahead(&mut self, paging: &Paging, page: &Page, plan: &Plan) {
        let next = self.run.next_page(paging, &self.settings, page, plan);
        let (next, plan) = match next {
            Ok((Some(next), plan)) => (next, plan),
            Ok((None, _)) => return self.find_fault(Stopped::MissingCursor),
            Err(error) => {
                self.ahead = Ahead::Error(Box::new(error));
                return;
            }
        };
        let auth = &self.run.tool.service.auth;
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
                    self.ahead = Ahead::Page(Box::new(Upcoming {
                        params,
                        plan,
                        resume,
                    }));
                }
                Err(error) => self.ahead = Ahead::Error(Box::new(error)),
            },
        }
    }

    /// The service made a mistake: the page is given, and the error comes after it.
    fn find_fault(&mut self, stopped: Stopped) {
        self.note_stop(stopped, None);
        let error = self.note.as_ref().and_then(Note::error);
        self.ahead = error.map_or(Ahead::Nothing, |error| Ahead::Error(Box::new(error)));
    }

    /// The arguments and the plan of the next page. If they are not valid, the service gave wrong values.
    fn upcoming(&self, next: Next, page: &Page, plan: Plan) -> Result<(Value, Plan), Error> {
        let arguments = match next {
            Next::Url(url) => {
                let plan = self.run.tool.service.auth.aim(plan, url);
                return Ok((page.params.clone(), plan));
            }
            Next::Arguments(arguments) => arguments,
            Next::End | Next::Unsaid(_) => Map::new(),
        };
        let refused = |reason: String| {
            let error = Error::Response(format!(
                "page {} gives values that cannot lead to the next one: {reason}",
                self.count
            ));
            self.run.masked(error)
        };
        let mut params = page.params.clone();
        if let Some(members) = params.as_object_mut() {
            members.extend(arguments);
        }
        let params = self.run.tool.accept(params).map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            refused(problems.join("; "))
        })?;
        let plan = self.run.render(&params, &self.settings);
        Ok((params, plan.map_err(|error| refused(error.to_string()))?))
    }
}

impl Stream for Pages {
    type Item = Result<Page, Error>;

    fn poll_next(
        mut self: Pin<&mut Pages>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Page, Error>>> {
        self.poll_page(context).map(Result::transpose)
    }
}
