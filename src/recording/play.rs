//! A recording that answers in place of services.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING};
use serde_json::Value;
use url::Url;

use super::difference::differences;
use super::entry::FAILURE;
use super::index::{Index, Seen};
use super::key::{Keys, Line};
use super::origin::Moved;
use super::shelf::{Asked, Shelf};
use crate::har::{self, Content, Entry, Flaw};
use crate::send::{
    Body, Request, ResponseFuture, Transport, TransportError, TransportErrorKind, Unsigned,
};

/// Most remarks on the entries that answered.
const MOST_REMARKS: usize = 8;

/// A recording that answers in place of services.
pub(crate) struct Play {
    path: PathBuf,
    index: Index,
    /// Of the entries that answered: what could not be read or was read by a guess, by their places.
    flaws: Mutex<BTreeMap<usize, Vec<Flaw>>>,
    /// The numbers of entries that answered without a header field that HTTP does not allow.
    left_out: Mutex<BTreeSet<usize>>,
    /// Which entries were given.
    given: Mutex<Vec<bool>>,
    /// Whether a service is asked for what is missing.
    is_live: bool,
}

/// A recording as the transport of one service.
pub(crate) struct Stage {
    play: Arc<Play>,
    shelf: Shelf,
    /// The URL below which requests are sent.
    base: Url,
}

impl Play {
    /// Reads a recording. Gives also what is to be said of it.
    ///
    /// # Errors
    /// Why the file is no recording.
    pub(crate) fn read(path: &Path, is_live: bool) -> Result<(Play, Vec<String>), String> {
        let (index, notes) = Index::read(path)?;
        let play = Play {
            path: path.to_owned(),
            flaws: Mutex::default(),
            left_out: Mutex::default(),
            given: Mutex::new(vec![false; index.len()]),
            index,
            is_live,
        };
        Ok((play, notes))
    }

    /// What is to be said of the entries that answered: of each, what could not be read or was read by a guess.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let flaws = self.flaws.lock().unwrap_or_else(PoisonError::into_inner);
        let mut told: Vec<String> = flaws
            .values()
            .flatten()
            .map(|flaw| format!("{}: {flaw}", self.path.display()))
            .collect();
        let left_out = self.left_out.lock();
        let left_out = left_out.unwrap_or_else(PoisonError::into_inner);
        told.extend(left_out.iter().map(|number| {
            format!(
                "{}: entry {number} has a header field that HTTP does not allow; it was left out",
                self.path.display()
            )
        }));
        let more = told.len().saturating_sub(MOST_REMARKS);
        if more > 0 {
            told.truncate(MOST_REMARKS);
            told.push(format!("{}: and {more} more such", self.path.display()));
        }
        told
    }

    fn left_out(&self, number: usize) {
        let mut left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        left_out.insert(number);
    }

    /// Whether a service is asked for what is missing.
    pub(crate) fn is_live(&self) -> bool {
        self.is_live
    }

    /// The base URL that a service's requests are compared below. A recording of a stand-in has another origin, and all that
    /// its answers say has it too.
    pub(crate) fn base_of(&self, service: &str, real: Url) -> Url {
        let wanted = real.origin().ascii_serialization();
        let (mut own, mut first, mut is_one) = (None, None::<&str>, true);
        for (_, seen) in self.index.all() {
            if seen.origin == wanted {
                return real;
            }
            if own.is_none() && seen.service == service && !seen.is_of_token {
                own = Some(seen.origin);
            }
            is_one &= seen.origin == *first.get_or_insert(seen.origin);
        }
        let other = own.or(first.filter(|_| is_one));
        match other.and_then(|origin| Url::parse(origin).ok()) {
            Some(url) => at_origin(url, &real),
            None => real,
        }
    }

    /// The base URL that came with an access token when the recording was made; `None` if it does not say.
    pub(crate) fn told_base_of(&self, service: &str) -> Option<Url> {
        self.index.base_of(service)
    }

    /// The recording as the transport of a service below a base URL, whose path shows the mask where it has credentials.
    /// `query` are the names of query parameters that carry credentials, percent-encoded.
    pub(crate) fn stage<'q>(
        self: &Arc<Self>,
        service: &str,
        base: &Url,
        query: impl Iterator<Item = &'q str>,
    ) -> Stage {
        let origin = base.origin().ascii_serialization();
        let fits = |seen: &Seen<'_>| {
            (seen.service == service && !service.is_empty()) || seen.origin == origin
        };
        Stage {
            shelf: Shelf::new(&self.index, Keys::new(query, base), fits),
            play: Arc::clone(self),
            base: base.clone(),
        }
    }

    /// Marks an entry as given; `false` if it was given already.
    fn give(&self, at: usize) -> bool {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given
            .get_mut(at)
            .is_some_and(|given| !std::mem::replace(given, true))
    }
}

/// The path of a URL at an origin.
fn at_origin(mut origin: Url, path: &Url) -> Url {
    origin.set_path(path.path());
    origin
}

impl Transport for Stage {
    fn send(&self, request: Request) -> ResponseFuture<'_> {
        let answer = match request.unsigned() {
            Some(unsigned) => self.answer(unsigned),
            None => Err(unrecorded(
                "a request has no plan that could be compared".to_owned(),
            )),
        };
        Box::pin(std::future::ready(answer))
    }
}

fn unrecorded(reason: String) -> TransportError {
    TransportError::new(TransportErrorKind::Unrecorded, reason)
}

impl Stage {
    fn answer(&self, unsigned: &Unsigned) -> Result<http::Response<Body>, TransportError> {
        let url = Url::parse(&unsigned.url)
            .map_err(|_| unrecorded("the request's URL cannot be parsed".to_owned()))?;
        let media_type = unsigned.header("content-type").unwrap_or_default();
        let body = har::Body::of_bytes(media_type, unsigned.body.to_vec());
        let asked = Asked {
            line: Line::new(unsigned.method.as_str(), &url),
            body: (!unsigned.body.is_empty()).then_some(&body),
        };
        let index = &self.play.index;
        let mut others = 0;
        loop {
            let at = match self.shelf.take(&asked, index, |at| self.play.give(at)) {
                Ok(at) => at,
                Err(count) => return Err(unrecorded(self.lack(&asked, unsigned, count - others))),
            };
            let (entry, flaws) = index
                .entry(at)
                .map_err(|reason| self.changed(at, &reason))?;
            let Some(seen) = index.seen(at) else { continue };
            let body = entry.request.body_with_type();
            let there = self.shelf.key_of(&seen, body.as_ref(), index);
            if there != self.shelf.key(&asked, seen.rules, index) {
                // Another request with the same digest.
                others += 1;
                continue;
            }
            if !flaws.is_empty() {
                let known = self.play.flaws.lock();
                let mut known = known.unwrap_or_else(PoisonError::into_inner);
                known.insert(at, flaws);
            }
            return self.response(&entry, &asked);
        }
    }

    /// The recording is not any more what it was when it was opened.
    fn changed(&self, at: usize, reason: &str) -> TransportError {
        unrecorded(format!(
            "entry {} of {} cannot be read again: {reason}; the file was changed while it answered",
            self.play.index.number(at),
            self.play.path.display()
        ))
    }

    /// Why there is no answer, if so many entries hold one.
    fn lack(&self, asked: &Asked<'_>, unsigned: &Unsigned, found: usize) -> String {
        let file = self.play.path.display();
        let request = format!("{} {}", asked.line.method, unsigned.url);
        match found {
            0 => {}
            1 => {
                return format!("{file} answers {request} once, and that answer was given already");
            }
            more => {
                return format!(
                    "{file} answers {request} {more} times, and all of these answers were given already"
                );
            }
        }
        let index = &self.play.index;
        let Some((at, key, there)) = self.shelf.nearest(asked, index) else {
            return format!("{file} holds no request of the service, and so none like {request}");
        };
        let number = index.number(at);
        let told = differences(&key, &there).join("; ");
        format!(
            "{file} has no answer to {request}; the nearest request is that of entry {number}: {told}"
        )
    }

    fn response(
        &self,
        entry: &Entry,
        asked: &Asked<'_>,
    ) -> Result<http::Response<Body>, TransportError> {
        let failure = entry.own.as_ref().and_then(|own| own.more.get(FAILURE));
        let Some(recorded) = &entry.response else {
            return Err(failed(failure));
        };
        let there = Url::parse(&entry.request.url).ok();
        let moved = there.and_then(|there| Moved::new(&there, &self.base));
        let own = |text: &[u8]| match &moved {
            Some(moved) => moved.rewrite(text).into_owned(),
            None => text.to_vec(),
        };
        let body = match &recorded.body.content {
            Content::Text(text) => own(text.as_bytes()),
            // What says that it is text may be of another encoding; in anything else such bytes are no URL.
            Content::Bytes(bytes) if is_text(&recorded.body.essence()) => own(bytes),
            Content::Bytes(bytes) => bytes.clone(),
            Content::Unknown
                if failure.is_some() || has_no_body(asked.line.method, recorded.status) =>
            {
                Vec::new()
            }
            Content::Unknown => {
                return Err(unrecorded(format!(
                    "entry {} of {} answers {} {}, and does not hold the body of the answer",
                    entry.number,
                    self.play.path.display(),
                    asked.line.method,
                    asked.line.path
                )));
            }
        };
        let body = match failure {
            None => Body::from(body),
            Some(failure) => Body::from_stream(Pieces(VecDeque::from([
                Ok(body),
                Err(failed(Some(failure))),
            ]))),
        };
        let mut response = http::Response::new(body);
        *response.status_mut() =
            http::StatusCode::from_u16(recorded.status).map_err(|_| failed(failure))?;
        for (name, value) in &recorded.headers {
            let Ok(name) = HeaderName::try_from(name.as_str()) else {
                self.play.left_out(entry.number);
                continue;
            };
            // The body is written without its codings.
            if [CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING].contains(&name) {
                continue;
            }
            // Browsers write several fields of one name as lines.
            for line in own(value.as_bytes()).split(|byte| *byte == b'\n') {
                match HeaderValue::try_from(line) {
                    Ok(value) => drop(response.headers_mut().append(&name, value)),
                    Err(_) => self.play.left_out(entry.number),
                }
            }
        }
        Ok(response)
    }
}

/// Whether bodies of a media type are texts.
fn is_text(essence: &str) -> bool {
    essence.starts_with("text/")
        || ["json", "xml", "x-www-form-urlencoded"]
            .iter()
            .any(|ending| essence.ends_with(ending))
}

fn has_no_body(method: &str, status: u16) -> bool {
    method == "HEAD" || matches!(status, 100..200 | 204 | 205 | 300..400)
}

/// The error of an exchange that failed when it was recorded.
fn failed(failure: Option<&Value>) -> TransportError {
    let text = |name: &str| failure.and_then(|failure| failure.get(name)?.as_str());
    let kind = match text("kind") {
        Some("connect") => TransportErrorKind::Connect,
        Some("connect_timeout") => TransportErrorKind::ConnectTimeout,
        Some("read_timeout") => TransportErrorKind::ReadTimeout,
        Some("refused") => TransportErrorKind::Refused,
        _ => TransportErrorKind::Exchange,
    };
    let reason = text("reason").unwrap_or("no answer came when this was recorded");
    TransportError::new(kind, reason)
}

/// Pieces of a body that are there already.
struct Pieces(VecDeque<Result<Vec<u8>, TransportError>>);

impl futures_core::Stream for Pieces {
    type Item = Result<Vec<u8>, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.pop_front())
    }
}
