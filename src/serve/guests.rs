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
use super::oauth::{Fault, Tokens};
use super::reload::{Tell, listed};
use crate::callers::{Allowance, Callers, Issuer, Known, LOCAL, TokenHash};
use crate::send::Roots;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How often refused tokens are told, at most.
const QUIET: Duration = Duration::from_mins(1);
/// Requests of one caller that are open at once, streams among them: no caller can take the room of all others.
const OPEN: usize = 128;
/// Callers of whom something is kept at once.
const BOOKS: usize = 20_000;
/// What stands before the names of those for whom an issuer vouches. No other name has it.
const OF_ISSUER: &str = "oauth ";
/// Most bytes of a token.
const LONGEST: usize = 16 << 10;

/// Who has been let in.
#[derive(Clone)]
pub(crate) struct Guest {
    /// The name and the claims.
    pub caller: Caller,
    /// The calls that may run at once; as many as the server runs, if `None`.
    pub turns: Option<Arc<Semaphore>>,
    /// Whether the guest may read the metrics.
    pub reads_metrics: bool,
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
    /// Its token does not allow what it must.
    Scope,
    /// The keys of the issuer are not known, so that no token can be checked.
    Unready,
    /// Its caller has sent too many requests; the next may come after so many seconds.
    TooFast(u64),
    /// Its caller has too many open requests.
    TooMany,
}

impl Refusal {
    /// The reason in one word, for metrics.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Refusal::NoToken => "no_token",
            Refusal::Malformed => "malformed",
            Refusal::Unknown => "unknown_token",
            Refusal::Scope => "scope",
            Refusal::Unready => "unready",
            Refusal::TooFast(_) => "too_fast",
            Refusal::TooMany => "too_many",
        }
    }
}

/// What is kept of a caller between requests.
struct Book {
    /// `None` where an issuer vouches for the caller.
    hash: Option<TokenHash>,
    allowance: Allowance,
    turns: Option<Arc<Semaphore>>,
    open: Arc<Semaphore>,
    rate: Option<Mutex<Bucket>>,
    /// Cancelled when the caller is one no longer.
    over: CancellationToken,
}

/// Requests that may still come: as many as a minute has at first, and then one at a time (the generic cell rate algorithm).
struct Bucket {
    /// What one request takes.
    each: Duration,
    /// How far a request may run ahead.
    ahead: Duration,
    /// When all requests so far would have had their time.
    even: Instant,
}

impl Bucket {
    fn new(per_minute: u32, now: Instant) -> Bucket {
        let each = Duration::from_mins(1) / per_minute.max(1);
        Bucket {
            each,
            ahead: each * (per_minute.max(1) - 1),
            even: now,
        }
    }

    /// Takes one.
    ///
    /// # Errors
    /// The seconds after which there is one.
    fn take(&mut self, now: Instant) -> Result<(), u64> {
        let even = self.even.max(now);
        let wait = even.duration_since(now).saturating_sub(self.ahead);
        if wait.is_zero() {
            self.even = even + self.each;
            return Ok(());
        }
        Err(wait.as_secs_f64().ceil() as u64)
    }
}

impl Book {
    fn new(hash: Option<TokenHash>, allowance: Allowance) -> Book {
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
            reads_metrics: true,
            book: None,
            until: None,
        }
    }

    /// Somebody who was never let in.
    pub(super) fn nobody() -> Guest {
        Guest {
            caller: Caller::named("nobody"),
            reads_metrics: false,
            ..Guest::local()
        }
    }

    /// Takes room for a request, until what is given is dropped.
    ///
    /// # Errors
    /// When the caller has sent or keeps open too many.
    pub(super) fn take_room(&self) -> Result<Option<OwnedSemaphorePermit>, Refusal> {
        self.book.as_ref().map(|book| book.enter()).transpose()
    }

    /// Whether the guest may be one no longer some time.
    pub(super) fn can_end(&self) -> bool {
        self.book.is_some() || self.until.is_some()
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
    /// The certificate authorities that vouch for the issuer.
    roots: Roots,
    /// What checks the issuer's tokens.
    issuer: RwLock<Option<Arc<Tokens>>>,
    books: Mutex<HashMap<String, Arc<Book>>>,
    tell: Arc<Tell>,
    /// Requests that were refused since it was told last.
    refused: AtomicU64,
    told: Mutex<Option<Instant>>,
}

impl Guests {
    /// The callers of a file.
    pub(crate) fn new(file: &Path, callers: Callers, roots: Roots, tell: Arc<Tell>) -> Guests {
        let issuer = callers.issuer().cloned();
        let issuer = issuer.map(|issuer| Tokens::new(issuer, roots.clone(), Arc::clone(&tell)));
        Guests {
            file: file.to_owned(),
            roots,
            issuer: RwLock::new(issuer),
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
    pub(super) async fn know(&self, headers: &HeaderMap) -> Result<Guest, Refusal> {
        let token = token(headers)?;
        // No token of ours has a dot in it, and every one of an issuer has two.
        if token.contains('.')
            && let Some(issuer) = self.issuer()
        {
            return self.know_by(&issuer, token).await;
        }
        loop {
            let callers = self.callers();
            let known = callers.find(token).filter(|known| !has_ended(known));
            let Some(known) = known else {
                self.note_refused();
                return Err(Refusal::Unknown);
            };
            // Otherwise the file was replaced just now, and who was found may be a caller no longer.
            let book = self.book(&known.caller.name, || {
                let is_now = Arc::ptr_eq(&callers, &self.callers());
                is_now.then(|| Book::new(Some(known.hash), known.allowance))
            });
            if let Some(book) = book {
                return Ok(Guest {
                    caller: known.caller.clone(),
                    turns: book.turns.clone(),
                    reads_metrics: known.reads_metrics,
                    book: Some(book),
                    until: known.expires,
                });
            }
        }
    }

    /// Who sends a token of the issuer.
    async fn know_by(&self, issuer: &Arc<Tokens>, token: &str) -> Result<Guest, Refusal> {
        let named = issuer.check(token).await.map_err(|fault| match fault {
            Fault::Scope => Refusal::Scope,
            Fault::Unready => Refusal::Unready,
            Fault::Invalid => {
                self.note_refused();
                Refusal::Unknown
            }
        })?;
        // Whoever may choose a name at the issuer must not become another caller by it.
        let name = &named.caller.name;
        if name == LOCAL || self.callers().named(name).is_some() {
            (self.tell)(&format!(
                "refused a token of {}: it names `{name}`, who is somebody else here",
                issuer.issuer.issuer
            ));
            return Err(Refusal::Unknown);
        }
        let book = self.book(&format!("{OF_ISSUER}{name}"), || {
            let now = self.issuer();
            let is_now = now.is_some_and(|now| Arc::ptr_eq(&now, issuer));
            is_now.then(|| Book::new(None, issuer.issuer.allowance))
        });
        Ok(Guest {
            turns: book.as_ref().and_then(|book| book.turns.clone()),
            book: Some(book.ok_or(Refusal::Unknown)?),
            until: Some(named.until),
            reads_metrics: false,
            caller: named.caller,
        })
    }

    fn issuer(&self) -> Option<Arc<Tokens>> {
        let issuer = self.issuer.read();
        issuer.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whose access tokens are taken.
    pub(super) fn issuer_of_tokens(&self) -> Option<Issuer> {
        self.issuer().map(|tokens| tokens.issuer.clone())
    }

    /// The book of a caller. `new` says `None` if others are let in by now.
    fn book(&self, key: &str, new: impl FnOnce() -> Option<Book>) -> Option<Arc<Book>> {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = new()?;
        if let Some(book) = books.get(key) {
            return Some(Arc::clone(book));
        }
        if books.len() >= BOOKS {
            // An issuer may know many more callers than there are at a time.
            books.retain(|key, book| !key.starts_with(OF_ISSUER) || Arc::strong_count(book) > 1);
        }
        let book = Arc::new(fresh);
        books.insert(key.to_owned(), Arc::clone(&book));
        Some(book)
    }

    /// Lets other callers in. Requests of those who are callers no longer end, and so do those with another token.
    fn replace(&self, callers: Callers) {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.issuer_of_tokens();
        let is_new = before.as_ref() != callers.issuer();
        books.retain(|name, book| {
            let allowance = match book.hash {
                None if is_new => None,
                None => Some(book.allowance).filter(|_| {
                    let name = name.strip_prefix(OF_ISSUER).unwrap_or_default();
                    callers.named(name).is_none()
                }),
                Some(hash) => callers
                    .named(name)
                    .filter(|known| known.hash == hash && !has_ended(known))
                    .map(|known| known.allowance),
            };
            match allowance {
                Some(allowance) if allowance != book.allowance => {
                    *book = Arc::new(book.allowing(allowance));
                }
                Some(_) => {}
                None => book.over.cancel(),
            }
            allowance.is_some()
        });
        if is_new {
            let tokens = callers
                .issuer()
                .cloned()
                .map(|issuer| Tokens::new(issuer, self.roots.clone(), Arc::clone(&self.tell)));
            let mut issuer = self.issuer.write().unwrap_or_else(PoisonError::into_inner);
            *issuer = tokens;
        }
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
            "refused {count} {requests} whose token is that of no caller of {file}"
        ));
    }

    /// Looks at the file until the server ends, and lets in whom it names. The last good one holds when it is broken. The keys
    /// of an issuer are fetched before any token comes that is taken after this call.
    pub(crate) fn watch(
        self: Arc<Guests>,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send {
        let preparing = self.issuer().map(Tokens::prepare);
        async move {
            preparing.map(tokio::spawn);
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
