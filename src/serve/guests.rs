//! Guests: who sends a request over HTTP, how each one proves it, and how much each one has done. Without a file of callers
//! whoever can reach the server is the local user.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, header};
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::gate::Caller;
use super::reload::{Tell, listed};
use crate::callers::{Allowance, Callers, Known, TokenHash};

/// How often the file is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How often refused tokens are told, at most.
const QUIET: Duration = Duration::from_mins(1);
/// Requests of one caller that are open at once, streams among them: no caller can take the room of all others.
const OPEN: usize = 128;
/// Most bytes of a token.
const LONGEST: usize = 16 << 10;

/// Who has been let in.
#[derive(Clone)]
pub(crate) struct Guest {
    /// The name and the claims.
    pub caller: Caller,
    /// The calls that may run at once; as many as the server runs, if `None`.
    pub turns: Option<Arc<Semaphore>>,
    book: Option<Arc<Book>>,
    until: Option<Timestamp>,
}

/// Why a request is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It has no token.
    NoToken,
    /// It has several credentials, or one that is malformed.
    Malformed,
    /// Its token is not, or no longer, one of a caller.
    Unknown,
    /// Its caller has sent too many requests; the next may come after so many seconds.
    TooFast(u64),
    /// Its caller has too many open requests.
    TooMany,
}

/// What is kept of a caller between requests.
struct Book {
    hash: TokenHash,
    allowance: Allowance,
    turns: Option<Arc<Semaphore>>,
    open: Arc<Semaphore>,
    rate: Option<Mutex<Bucket>>,
    /// Cancelled when the caller is one no longer.
    over: CancellationToken,
}

/// Requests that may still come: as many as a minute has at first, and then as they grow back.
struct Bucket {
    per_minute: f64,
    left: f64,
    at: Instant,
}

impl Bucket {
    fn new(per_minute: u32, now: Instant) -> Bucket {
        let per_minute = f64::from(per_minute);
        Bucket {
            per_minute,
            left: per_minute,
            at: now,
        }
    }

    /// Takes one.
    ///
    /// # Errors
    /// The seconds after which there is one.
    fn take(&mut self, now: Instant) -> Result<(), u64> {
        let per_second = self.per_minute / 60.0;
        let grown = now.duration_since(self.at).as_secs_f64() * per_second;
        self.left = (self.left + grown).min(self.per_minute);
        self.at = now;
        if self.left >= 1.0 {
            self.left -= 1.0;
            return Ok(());
        }
        Err(((1.0 - self.left) / per_second).ceil().max(1.0) as u64)
    }
}

impl Book {
    fn new(hash: TokenHash, allowance: Allowance) -> Book {
        let turns = |calls| Arc::new(Semaphore::new(calls as usize));
        Book {
            hash,
            allowance,
            turns: allowance.concurrency.map(turns),
            open: Arc::new(Semaphore::new(OPEN)),
            rate: allowance
                .rate
                .map(|rate| Mutex::new(Bucket::new(rate, Instant::now()))),
            over: CancellationToken::new(),
        }
    }

    /// The same caller with another allowance.
    fn allowing(&self, allowance: Allowance) -> Book {
        Book {
            over: self.over.clone(),
            ..Book::new(self.hash, allowance)
        }
    }

    /// Room for one more request.
    fn enter(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let room = Arc::clone(&self.open).try_acquire_owned();
        let room = room.map_err(|_| Refusal::TooMany)?;
        if let Some(rate) = &self.rate {
            let mut rate = rate.lock().unwrap_or_else(PoisonError::into_inner);
            rate.take(Instant::now()).map_err(Refusal::TooFast)?;
        }
        Ok(room)
    }
}

impl Guest {
    /// Whoever may reach a server that names no callers.
    pub(super) fn local() -> Guest {
        Guest {
            caller: Caller::local(),
            turns: None,
            book: None,
            until: None,
        }
    }

    /// Takes room for a request, until what is given is dropped.
    ///
    /// # Errors
    /// When the caller has sent or keeps open too many.
    pub(super) fn take_room(&self) -> Result<Option<OwnedSemaphorePermit>, Refusal> {
        self.book.as_ref().map(|book| book.enter()).transpose()
    }

    /// Waits until the guest is one no longer: removed from the file, or with a token that has ended.
    pub(super) async fn gone(self) {
        let expired = async {
            while let Some(until) = self.until {
                // The clock of the machine may be set anew, so a long sleep is none.
                let left = Duration::try_from(Timestamp::now().duration_until(until));
                match left {
                    Ok(left) if !left.is_zero() => {
                        tokio::time::sleep(left.min(Duration::from_mins(1))).await;
                    }
                    _ => return,
                }
            }
            std::future::pending::<()>().await;
        };
        let removed = async {
            match &self.book {
                Some(book) => book.over.cancelled().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = expired => {}
            () = removed => {}
        }
    }
}

/// The guests of a server.
pub(crate) struct Guests {
    file: PathBuf,
    callers: RwLock<Arc<Callers>>,
    books: Mutex<HashMap<String, Arc<Book>>>,
    tell: Arc<Tell>,
    /// Requests that were refused since it was told last.
    refused: AtomicU64,
    told: Mutex<Option<Instant>>,
}

impl Guests {
    /// The callers of a file.
    pub(crate) fn new(file: &Path, callers: Callers, tell: Arc<Tell>) -> Guests {
        Guests {
            file: file.to_owned(),
            callers: RwLock::new(Arc::new(callers)),
            books: Mutex::default(),
            tell,
            refused: AtomicU64::new(0),
            told: Mutex::new(None),
        }
    }

    fn callers(&self) -> Arc<Callers> {
        let callers = self.callers.read();
        Arc::clone(&callers.unwrap_or_else(PoisonError::into_inner))
    }

    /// Who sends a request, by its headers.
    ///
    /// # Errors
    /// Why nobody is known to send it.
    pub(super) fn know(&self, headers: &HeaderMap) -> Result<Guest, Refusal> {
        let token = token(headers)?;
        loop {
            let callers = self.callers();
            let known = callers.find(token).filter(|known| !has_ended(known));
            let Some(known) = known else {
                self.note_refused();
                return Err(Refusal::Unknown);
            };
            // Otherwise the file was replaced just now, and who was found may be a caller no longer.
            if let Some(book) = self.book(&callers, known) {
                return Ok(Guest {
                    caller: known.caller.clone(),
                    turns: book.turns.clone(),
                    book: Some(book),
                    until: known.expires,
                });
            }
        }
    }

    /// The book of a caller; `None` if other callers are let in by now.
    fn book(&self, callers: &Arc<Callers>, known: &Known) -> Option<Arc<Book>> {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(callers, &self.callers()) {
            return None;
        }
        let book = books.entry(known.caller.name.clone());
        let new = || Arc::new(Book::new(known.hash, known.allowance));
        Some(Arc::clone(book.or_insert_with(new)))
    }

    /// Lets other callers in. Requests of those who are callers no longer end, and so do those with another token.
    fn replace(&self, callers: Callers) {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        books.retain(|name, book| {
            let known = callers.all().iter().find(|known| {
                known.caller.name == *name && known.hash == book.hash && !has_ended(known)
            });
            match known {
                Some(known) => {
                    if known.allowance != book.allowance {
                        *book = Arc::new(book.allowing(known.allowance));
                    }
                    true
                }
                None => {
                    book.over.cancel();
                    false
                }
            }
        });
        let mut present = self.callers.write().unwrap_or_else(PoisonError::into_inner);
        *present = Arc::new(callers);
    }

    /// Tells how many requests were refused, but not each one: whoever sends wrong tokens must not fill a disk.
    fn note_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_some_and(|told| told.elapsed() < QUIET) {
            return;
        }
        *told = Some(Instant::now());
        drop(told);
        let (count, file) = (self.refused.swap(0, Ordering::Relaxed), self.file.display());
        let requests = if count == 1 { "request" } else { "requests" };
        (self.tell)(&format!(
            "refused {count} {requests} whose token is that of no caller in {file}"
        ));
    }

    /// Looks at the file until the server ends, and lets in whom it names. The last good one holds when it is broken.
    pub(crate) async fn watch(self: Arc<Guests>, stop: CancellationToken) {
        let mut seen = None;
        loop {
            let own = Arc::clone(&self);
            let before = seen;
            let looked = tokio::task::spawn_blocking(move || own.look(before)).await;
            seen = looked.unwrap_or_default();
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Reads the file, if it is another one than before. Gives what was seen.
    fn look(&self, before: Option<u64>) -> Option<u64> {
        let now = fingerprint(&self.file);
        if before == Some(now) {
            return before;
        }
        let file = self.file.display();
        match Callers::load(&self.file) {
            Ok(callers) if callers.version() == self.callers().version() => {
                if before.is_some() {
                    (self.tell)(&format!("{file} is as it was; its callers are let in"));
                }
            }
            Ok(callers) => {
                let count = callers.all().len();
                self.replace(callers);
                (self.tell)(&format!(
                    "{file} has changed; its {count} callers are let in"
                ));
            }
            Err(findings) => (self.tell)(&format!(
                "{file} is broken; the callers from before are let in{}",
                listed(&findings)
            )),
        }
        Some(now)
    }
}

fn has_ended(known: &Known) -> bool {
    known.expires.is_some_and(|end| end <= Timestamp::now())
}

/// What a file looks like: its text, or why there is none.
fn fingerprint(file: &Path) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    crate::source::read_text(file).hash(&mut hasher);
    // Who may write to it counts too.
    crate::catalog::read_own_file(file).err().hash(&mut hasher);
    hasher.finish()
}

/// The token of a request, which stands in its `Authorization` header and nowhere else.
fn token(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let first = given.next().ok_or(Refusal::NoToken)?;
    if given.next().is_some() {
        return Err(Refusal::Malformed);
    }
    let text = first.to_str().map_err(|_| Refusal::Malformed)?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refusal::NoToken);
    }
    let token = token.trim_start_matches(' ');
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    match !token.is_empty() && token.len() <= LONGEST && token.bytes().all(is_legal) {
        true => Ok(token),
        false => Err(Refusal::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn a_bucket_grows_back() {
        let begun = Instant::now();
        let mut bucket = Bucket::new(2, begun);
        let at = |seconds| begun + Duration::from_secs(seconds);
        assert_eq!(bucket.take(at(0)), Ok(()));
        assert_eq!(bucket.take(at(0)), Ok(()));
        assert_eq!(bucket.take(at(0)), Err(30));
        assert_eq!(bucket.take(at(10)), Err(20));
        assert_eq!(bucket.take(at(30)), Ok(()));
        // It never holds more than a minute has.
        assert_eq!(bucket.take(at(3600)), Ok(()));
        assert_eq!(bucket.take(at(3600)), Ok(()));
        assert_eq!(bucket.take(at(3600)), Err(30));
    }

    #[test]
    fn a_token_stands_in_one_header_alone() {
        let long = format!("Bearer {}", "a".repeat(LONGEST + 1));
        let cases: [(&[&str], Result<&str, Refusal>); 13] = [
            (&[], Err(Refusal::NoToken)),
            (&["Bearer abc"], Ok("abc")),
            (&["bearer abc"], Ok("abc")),
            (&["BEARER   abc"], Ok("abc")),
            (&["Bearer a.b-c_d~e+f/g=="], Ok("a.b-c_d~e+f/g==")),
            (&["Bearer"], Err(Refusal::Malformed)),
            (&["Bearer "], Err(Refusal::Malformed)),
            (&["Bearer a b"], Err(Refusal::Malformed)),
            (&["Bearer a,b"], Err(Refusal::Malformed)),
            (&["Bearer abc", "Bearer abc"], Err(Refusal::Malformed)),
            (&["Basic YTpi"], Err(Refusal::NoToken)),
            (&["abc"], Err(Refusal::NoToken)),
            (&[&long], Err(Refusal::Malformed)),
        ];
        for (values, expected) in cases {
            let mut headers = HeaderMap::new();
            for value in values {
                let value = HeaderValue::from_str(value).expect("a value");
                headers.append(header::AUTHORIZATION, value);
            }
            assert_eq!(token(&headers), expected, "{values:?}");
        }
    }
}
