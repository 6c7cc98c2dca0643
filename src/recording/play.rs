//! A recording that answers in place of services.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING};
use serde_json::Value;
use url::Url;

use super::difference::differences;
use super::entry::FAILURE;
use super::key::Keys;
use super::shelf::{Asked, Shelf, is_of_token};
use crate::har::{self, Content, Entry, Flaw, HarError, Read, Reader};
use crate::send::{
    Body, Request, ResponseFuture, Transport, TransportError, TransportErrorKind, Unsigned,
};

/// Most remarks on the entries that answered, and on those that were passed over.
const MOST_REMARKS: usize = 8;

/// A recording that answers in place of services.
pub(crate) struct Play {
    path: PathBuf,
    entries: Vec<(Entry, Option<Url>)>,
    /// What of an entry could not be read or was read by a guess, by its place.
    flaws: HashMap<usize, Vec<Flaw>>,
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
    keys: Keys,
    shelf: Shelf,
    /// The origin that requests are sent to.
    origin: String,
}

impl Play {
    /// Reads a recording. Gives also what is to be said of it.
    ///
    /// # Errors
    /// Why the file is no recording.
    pub(crate) fn read(path: &Path, is_live: bool) -> Result<(Play, Vec<String>), String> {
        let shown = path.display();
        let file = File::open(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
        let (mut entries, mut notes) = (Vec::new(), Vec::new());
        let (mut known, mut skipped) = (HashMap::new(), 0);
        for read in Reader::new(BufReader::new(file)) {
            match read {
                Ok(Read::Entry(entry, flaws)) => {
                    // What is said of entries that no request asks for would be noise.
                    if !flaws.is_empty() {
                        known.insert(entries.len(), flaws);
                    }
                    let url = Url::parse(&entry.request.url).ok();
                    entries.push((*entry, url));
                }
                Ok(Read::Skipped(flaw)) => {
                    skipped += 1;
                    if skipped <= MOST_REMARKS {
                        notes.push(format!("{shown}: {flaw}"));
                    }
                }
                Err(error @ HarError::Broken { .. }) => notes.push(format!("{shown} is {error}")),
                Err(error) => return Err(format!("{shown}: {error}")),
            }
        }
        if skipped > MOST_REMARKS {
            let more = skipped - MOST_REMARKS;
            notes.push(format!("{shown}: {more} more entries were passed over"));
        }
        if entries.is_empty() {
            notes.push(format!("{shown} holds no exchange"));
        }
        let play = Play {
            path: path.to_owned(),
            flaws: known,
            left_out: Mutex::default(),
            given: Mutex::new(vec![false; entries.len()]),
            entries,
            is_live,
        };
        Ok((play, notes))
    }

    /// What is to be said of the entries that answered: of each, what could not be read or was read by a guess.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let given = (0..given.len()).filter(|at| given[*at]);
        let flaws = given.filter_map(|at| self.flaws.get(&at)).flatten();
        let mut told: Vec<String> = flaws
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
        let urls = || {
            self.entries
                .iter()
                .filter_map(|(entry, url)| Some((entry, url.as_ref()?)))
        };
        if urls().any(|(_, url)| url.origin() == real.origin()) {
            return real;
        }
        let own = urls().find(|(entry, _)| is_own(entry, service) && !is_of_token(entry));
        let only = || {
            let (_, first) = urls().next()?;
            urls()
                .all(|(_, url)| url.origin() == first.origin())
                .then_some(first)
        };
        match own.map(|(_, url)| url).or_else(only) {
            Some(url) => at_origin(url, &real),
            None => real,
        }
    }

    /// The base URL that came with an access token when the recording was made; `None` if it does not say.
    pub(crate) fn told_base_of(&self, service: &str) -> Option<Url> {
        let entries = self.entries.iter().map(|(entry, _)| entry);
        let mut own = entries.filter(|entry| is_own(entry, service) && !is_of_token(entry));
        own.find_map(|entry| entry.own.as_ref()?.more.get("base")?.as_str()?.parse().ok())
    }

    /// The recording as the transport of a service below a base URL, whose path shows the mask where it has credentials.
    /// `query` are the names of query parameters that carry credentials, percent-encoded.
    pub(crate) fn stage<'q>(
        self: &Arc<Self>,
        service: &str,
        base: &Url,
        query: impl Iterator<Item = &'q str>,
    ) -> Stage {
        let keys = Keys::new(query, base);
        let fits =
            |entry: &Entry, url: &Url| is_own(entry, service) || url.origin() == base.origin();
        Stage {
            shelf: Shelf::new(&self.entries, &keys, fits),
            keys,
            play: Arc::clone(self),
            origin: base.origin().ascii_serialization(),
        }
    }

    /// Takes the first of these entries that was not given.
    fn take(&self, found: &[usize]) -> Option<usize> {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let first = found.iter().copied().find(|i| !given[*i])?;
        given[first] = true;
        Some(first)
    }
}

fn is_own(entry: &Entry, service: &str) -> bool {
    entry.own.as_ref().is_some_and(|own| own.service == service)
}

/// The path of a URL at the origin of another one.
fn at_origin(origin: &Url, path: &Url) -> Url {
    let mut url = origin.clone();
    url.set_path(path.path());
    url.set_query(None);
    url.set_fragment(None);
    url
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
            method: unsigned.method.as_str(),
            url: &url,
            body: (!unsigned.body.is_empty()).then_some(&body),
        };
        let found = self.shelf.find(&asked, &self.keys);
        match self.play.take(&found) {
            Some(at) => self.response(&self.play.entries[at].0, &asked),
            None => Err(unrecorded(self.lack(&asked, unsigned, &found))),
        }
    }

    /// Why there is no answer.
    fn lack(&self, asked: &Asked<'_>, unsigned: &Unsigned, found: &[usize]) -> String {
        let file = self.play.path.display();
        let request = format!("{} {}", asked.method, unsigned.url);
        match found.len() {
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
        let Some((at, key, there)) = self.shelf.nearest(asked, &self.keys) else {
            return format!("{file} holds no request of the service, and so none like {request}");
        };
        let number = self.play.entries[at].0.number;
        let told = differences(&key, there).join("; ");
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
        let there = Url::parse(&entry.request.url).map(|url| url.origin().ascii_serialization());
        let other = there.ok().filter(|origin| *origin != self.origin);
        let own = |text: &str| match &other {
            Some(other) => text.replace(other.as_str(), &self.origin),
            None => text.to_owned(),
        };
        let body = match &recorded.body.content {
            Content::Text(text) => match &other {
                Some(other) => {
                    let escaped = |origin: &str| origin.replace('/', "\\/");
                    own(text)
                        .replace(&escaped(other), &escaped(&self.origin))
                        .into_bytes()
                }
                None => text.clone().into_bytes(),
            },
            Content::Bytes(bytes) => bytes.clone(),
            Content::Unknown if failure.is_some() || has_no_body(asked.method, recorded.status) => {
                Vec::new()
            }
            Content::Unknown => {
                return Err(unrecorded(format!(
                    "entry {} of {} answers {} {}, and does not hold the body of the answer",
                    entry.number,
                    self.play.path.display(),
                    asked.method,
                    asked.url.path()
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
            for line in own(value).split('\n') {
                match HeaderValue::try_from(line) {
                    Ok(value) => drop(response.headers_mut().append(&name, value)),
                    Err(_) => self.play.left_out(entry.number),
                }
            }
        }
        Ok(response)
    }
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
