//! Sending: a signed request becomes a response, within its limits of time, size and tries.

mod client;
mod decode;
mod download;
mod error;
mod fetch;

mod limiter;
mod network;
mod patience;
mod policy;
mod receive;
mod redirect;
mod retry;
mod seen;
mod transport;
mod unsigned;

use std::pin::pin;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, RANGE};
use indexmap::IndexMap;
use url::Url;

pub(crate) use client::Client;
pub use download::Destination;
pub(crate) use download::{Download, file_name};
pub use error::{Limit, NoPlace, SendError};
pub(crate) use fetch::fetch;
#[cfg(feature = "otel")]
pub(crate) use fetch::post;
pub(crate) use limiter::LocalLimiter;
pub use limiter::{Budget, Limiter, Turn, TurnFuture};
pub(crate) use network::HttpTransport;
#[cfg(feature = "postgres")]
pub(crate) use network::tls_config;
pub use network::{ClientError, Roots};
use patience::{Parts, Patience};
pub(crate) use policy::{LimitsSpec, Policy, RateLimitSpec, RetrySpec, TimeoutSpec};
use receive::Receiver;
pub use seen::{SeenBody, Shown};
pub(crate) use transport::Listener;
pub use transport::{
    Body, Request, ResponseFuture, Scripted, Sent, Transport, TransportError, TransportErrorKind,
};

pub(crate) use unsigned::{About, Purpose, Unsigned};

use crate::plan::Method;
use crate::project::HeaderFields;
use crate::sign::{Redactor, SignedRequest};
use crate::words::seconds;

/// Redirects that are followed on the service's own origin.
const MAX_REDIRECTS: usize = 5;

/// The body of an error response is read until this long before the deadline.
const SPARE: Duration = Duration::from_millis(30);

/// An event while a request is sent, for the observer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A request is about to be sent; the URL is masked.
    Request {
        /// The HTTP method.
        method: Method,
        /// The whole URL, secrets masked.
        url: String,
        /// Header fields, secrets masked.
        headers: Vec<(String, String)>,
        /// The body.
        body: SeenBody,
    },
    /// The next request goes without a credential that is optional, because its secrets are not set.
    Unauthenticated {
        /// The names of the secrets.
        secrets: Vec<String>,
    },
    /// A response came.
    Response {
        /// The HTTP status.
        status: u16,
        /// Header fields, secrets masked.
        headers: Vec<(String, String)>,
        /// Bytes of the body.
        bytes: usize,
        /// The body, if it was not saved to a file.
        body: SeenBody,
        /// The time from the first byte sent to the last byte read.
        elapsed: Duration,
    },
    /// The request will be sent again.
    Retry {
        /// Why.
        reason: String,
        /// How long until then.
        wait: Duration,
        /// The number of the next try, counted from 1.
        attempt: u32,
        /// The most tries.
        of: u32,
    },
    /// The client-side rate limit holds the request back.
    RateLimited {
        /// How long.
        wait: Duration,
    },
    /// An access token was renewed, and could not be saved for the other processes that share it.
    TokenNotSaved {
        /// Why, secrets masked.
        reason: String,
    },
    /// A job is not done and will be polled again.
    Waiting {
        /// How often it was polled.
        polls: u32,
        /// The time since it was created.
        elapsed: Duration,
        /// How long until it is polled again.
        wait: Duration,
    },
}

/// The observer, if there is one.
pub(crate) type Observer<'o> = Option<&'o (dyn Fn(Event) + Send + Sync)>;

/// Sends an event to the observer. The event is only made if there is an observer.
pub(crate) fn tell(observer: Observer<'_>, event: impl FnOnce() -> Event) {
    // Apart, so that a call that nobody watches does not read past the making of events.
    #[cold]
    #[inline(never)]
    fn told(observer: &(dyn Fn(Event) + Send + Sync), event: impl FnOnce() -> Event) {
        observer(event());
    }
    if let Some(observer) = observer {
        told(observer, event);
    }
}

/// A response. In its header fields, secrets that the service repeats are masked. Its body is byte for byte what the
/// service sent; read values from [`Response::data`].
pub(crate) struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Header fields.
    pub headers: Headers,
    /// The bytes that the service sent, after decompression; empty if they were downloaded.
    pub body: Bytes,
    /// The body of a success that goes to a file.
    pub download: Option<Download>,
    /// Why the body of an error response is incomplete, if it is. The body of a success is always complete.
    pub incomplete: Option<String>,
    /// How often the request was sent.
    pub attempts: u32,
    /// How long the service asks to wait.
    pub retry_after: Option<Duration>,
    /// An earlier try of a request that changes something got no answer or a server error, and may have been carried
    /// out anyway.
    pub may_be_done: bool,
    json: OnceLock<Bytes>,
}

impl Response {
    /// A response that no service sent, such as that of an example.
    ///
    /// # Errors
    /// When a header cannot be one.
    pub(crate) fn canned(
        status: u16,
        headers: &IndexMap<String, String>,
        body: Bytes,
    ) -> Result<Response, String> {
        let mut fields = HeaderMap::new();
        for (name, value) in headers {
            let field = HeaderName::try_from(name)
                .ok()
                .zip(HeaderValue::try_from(value).ok());
            let (name, value) = field.ok_or_else(|| format!("`{name}` is no header"))?;
            fields.append(name, value);
        }
        Ok(Response {
            status,
            headers: Headers::new(fields, &Redactor::default()),
            body,
            download: None,
            incomplete: None,
            attempts: 1,
            retry_after: None,
            may_be_done: false,
            json: OnceLock::new(),
        })
    }

    /// Whether the status is that of a success.
    pub(crate) fn is_success(&self) -> bool {
        is_success(self.status)
    }

    /// The body as data, with secrets that the service repeats masked. In JSON and JSON lines, only strings that are
    /// values are masked. Everything but `raw` output and downloads reads the body here.
    pub(crate) fn data(&self, notation: Notation) -> Bytes {
        let redactor = self.redactor();
        match notation {
            Notation::Json => self
                .json
                .get_or_init(|| redactor.json(self.body.clone()))
                .clone(),
            Notation::Text => redactor.bytes(self.body.clone()),
        }
    }

    /// Masks the secrets of the request.
    pub(crate) fn redactor(&self) -> &Redactor {
        &self.headers.redactor
    }

    /// The value of a header field.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.list().iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The wait that a text of this response asks for, in seconds or as an HTTP date; `None` if it is neither.
    pub(crate) fn wait_of(&self, text: &str) -> Option<Duration> {
        retry::wait_of(text, &self.headers.raw)
    }

    /// The body as it may be shown.
    pub(crate) fn seen_body(&self) -> SeenBody {
        SeenBody::new(self.body.clone(), &self.headers.redactor)
    }
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

/// The format of a body, for masking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notation {
    /// JSON, one text or one for each line.
    Json,
    /// Text of any kind.
    Text,
}

/// A body without the content codings that these header fields name.
///
/// # Errors
/// When it is broken, or larger than `most` bytes.
pub(crate) fn decoded(headers: &HeaderMap, body: Vec<u8>, most: u64) -> Result<Vec<u8>, SendError> {
    let by = "the service's limits.response_bytes";
    let most = decode::Most { bytes: most, by };
    let Some(mut decoder) = decode::Decoder::of(headers, most)? else {
        return Ok(body);
    };
    let mut whole = Vec::new();
    decoder.push(&body, &mut |piece| {
        whole.extend_from_slice(piece);
        Ok(())
    })?;
    decoder.finish().map(|()| whole)
}

/// A request and what is needed to send it.
pub(crate) struct Exchange<'e> {
    /// The client of the service.
    pub client: &'e Client,
    /// The service's policy: limits, retries, addresses.
    pub policy: &'e Policy,
    /// The request.
    pub request: &'e SignedRequest<'e>,
    /// Whether it is safe to send it again.
    pub idempotent: bool,
    /// Masks the secrets of the request in the response.
    pub redactor: &'e Redactor,
    /// Whether the observer may see the body of the response, secrets masked. The response to a token request is itself
    /// a secret.
    pub shows_body: bool,
    /// When the caller gives up.
    pub deadline: Option<Instant>,
    /// Where the body of a success goes, if to a file.
    pub destination: Option<&'e Destination>,
    /// The observer.
    pub observer: Observer<'e>,
    /// The request without its credentials, where somebody records or plays recordings.
    pub unsigned: Option<Unsigned>,
}

/// Whether to send the request again after a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// If the service's `retry` says so.
    ByPolicy,
    /// No.
    Never,
    /// Yes.
    Yes {
        /// When to try again, if the response says so.
        after: Option<Duration>,
        /// Also if the request is not safe to repeat.
        any_request: bool,
    },
}

/// Sends a request, and sends it again if that is safe and useful. `judge` looks at each response first; its result for
/// the last one is returned with that response.
///
/// # Errors
/// When no response comes in time, the network fails, or a safety rule forbids the response. An error status is not an
/// error here.
pub(crate) async fn send<T>(
    exchange: &Exchange<'_>,
    judge: impl Fn(&Response) -> (Again, T),
) -> Result<(Box<Response>, T), SendError> {
    let again_by = &exchange.policy.retry;
    let redactor = exchange.redactor;
    let mut attempt = 1;
    let changes = exchange.request.method.changes();
    let mut may_be_done = false;
    loop {
        exchange.client.wait_for_turn(exchange.observer).await?;
        // Only whoever watches asks for the time.
        let started = exchange.observer.map(|_| Instant::now());
        let request = exchange.request.stamped()?;
        let outcome = match once(exchange, &request, attempt).await {
            Ok(mut response) => {
                (response.attempts, response.may_be_done) = (attempt, may_be_done);
                Ok(response)
            }
            Err(failure) if failure.is_transient() => Err(failure),
            Err(failure) => return Err(failure.error),
        };
        let (outcome, reason, asked, repeatable) = match outcome {
            Ok(mut response) => {
                tell(exchange.observer, || Event::Response {
                    status: response.status,
                    headers: response.headers.list().to_vec(),
                    bytes: response
                        .download
                        .as_ref()
                        .map_or(response.body.len(), |file| {
                            usize::try_from(file.bytes()).unwrap_or(usize::MAX)
                        }),
                    body: match exchange.shows_body {
                        true => SeenBody::new(response.body.clone(), redactor),
                        false => SeenBody::withheld(response.body.clone()),
                    },
                    elapsed: started.map_or(Duration::ZERO, |started| started.elapsed()),
                });
                if let (429 | 503, Some(wait)) = (response.status, response.retry_after) {
                    // A service that asks for years must not stop everybody.
                    exchange
                        .client
                        .refused(wait.min(again_by.max_delay.0))
                        .await;
                }
                let (again, made) = judge(&response);
                let mut repeatable = exchange.idempotent;
                match again {
                    Again::ByPolicy
                        if retry::is_worth_it(
                            response.status,
                            &response.headers.raw,
                            &again_by.statuses,
                        ) => {}
                    Again::ByPolicy | Again::Never => return Ok((response, made)),
                    Again::Yes { after, any_request } => {
                        response.retry_after = after.or(response.retry_after);
                        repeatable |= any_request;
                    }
                }
                may_be_done |= changes && response.status >= 500;
                let mut reason = format!("the service answered {}", response.status);
                if let retry::Asked::Unreadable(text) = retry::retry_after(&response.headers.raw)
                    && response.retry_after.is_none()
                {
                    reason.push_str(&format!(" with a `retry-after` that is no time, {text:?}"));
                }
                let asked = response.retry_after;
                (Ok((response, made)), reason, asked, repeatable)
            }
            Err(Failure { error, is_sent }) => {
                may_be_done |= changes && is_sent;
                let reason = error.to_string();
                (Err(error), reason, None, exchange.idempotent)
            }
        };
        let most = if repeatable {
            again_by.max_attempts.max(1)
        } else {
            1
        };
        let wait = retry::delay(attempt, asked, again_by.base_delay.0, again_by.max_delay.0);
        match wait {
            // Waiting beyond the deadline would only lose the service's message.
            Some(wait)
                if attempt < most
                    && exchange
                        .deadline
                        .is_none_or(|deadline| Instant::now() + wait < deadline) =>
            {
                attempt += 1;
                tell(exchange.observer, || Event::Retry {
                    reason: redactor.message(&reason),
                    wait,
                    attempt,
                    of: most,
                });
                // A recording has nothing to wait for.
                if !exchange.client.plays() {
                    tokio::time::sleep(wait).await;
                }
            }
            _ => return outcome,
        }
    }
}

/// Response header fields, listed on demand: most calls read none.
#[derive(Clone)]
pub(crate) struct Headers {
    raw: HeaderMap,
    redactor: Redactor,
    list: OnceLock<Vec<(String, String)>>,
}

impl Headers {
    fn new(raw: HeaderMap, redactor: &Redactor) -> Headers {
        Headers {
            raw,
            redactor: redactor.clone(),
            list: OnceLock::new(),
        }
    }
}

impl HeaderFields for Headers {
    /// Names in lower case, and values with the secrets that were sent masked.
    fn list(&self) -> &[(String, String)] {
        self.list.get_or_init(|| {
            let fields = self.raw.iter().map(|(name, value)| {
                let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), text)
            });
            self.redactor.headers(fields.collect())
        })
    }
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("body", &self.data(Notation::Text))
            .field("download", &self.download)
            .field("incomplete", &self.incomplete)
            .field("attempts", &self.attempts)
            .field("retry_after", &self.retry_after)
            .field("may_be_done", &self.may_be_done)
            .finish()
    }
}

impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.list()).finish()
    }
}

/// Why one try got no response.
struct Failure {
    error: SendError,
    /// Whether the service may have got the request.
    is_sent: bool,
}

impl Failure {
    fn is_transient(&self) -> bool {
        matches!(
            self.error,
            SendError::Network { .. } | SendError::Timeout { .. }
        )
    }
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Failure {
        Failure {
            error,
            is_sent: true,
        }
    }
}

/// One try: the request, its redirects, and the body.
async fn once(
    exchange: &Exchange<'_>,
    request: &SignedRequest<'_>,
    attempt: u32,
) -> Result<Box<Response>, Failure> {
    let (total, read) = (
        exchange.policy.timeout.total.0,
        exchange.policy.timeout.read.0,
    );
    let began = Instant::now();
    let last = began + total;
    let end = exchange
        .deadline
        .map_or(last, |deadline| last.min(deadline));
    // The time limit ends the whole exchange, and would lose what an error response said so far.
    let until = end.checked_sub(SPARE).unwrap_or(end);
    let parts = Parts::default();
    let patience = Patience {
        last,
        part: read,
        parts: &parts,
    };
    // Pinned here, so that it is not moved from one future into the next.
    let following = pin!(follow(exchange, request, attempt, until, &parts));
    patience
        .wait_for(following, began)
        .await
        .unwrap_or_else(|late| Err(Failure::from(late.error(&exchange.policy.timeout))))
}

async fn follow(
    exchange: &Exchange<'_>,
    request: &SignedRequest<'_>,
    attempt: u32,
    until: Instant,
    parts: &Parts,
) -> Result<Box<Response>, Failure> {
    let Exchange { client, policy, .. } = exchange;
    let first = || {
        client
            .url(&request.target, &request.query)
            .map_err(|_| SendError::Policy("the request's URL cannot be parsed".to_owned()))
    };
    let mut redirected: Option<Url> = None;
    for redirects in 0..=MAX_REDIRECTS {
        let url = redirected.clone().map_or_else(first, Ok)?;
        let mut built = build(client, request, url)?;
        if let Some(unsigned) = &exchange.unsigned {
            let at = redirected.as_ref();
            built.unsigned = Some(unsigned.sent(attempt, redirects, at, exchange.redactor));
        }
        let sending = client.transport().send(built);
        let response = sending.await.map_err(|error| Failure {
            is_sent: error.is_sent(),
            error: network_error(error, policy, client.base()),
        })?;
        parts.count();
        let status = response.status().as_u16();
        let Some(location) = redirect::location(status, response.headers(), request.method) else {
            let receiver = Receiver {
                policy,
                request,
                base: client.base(),
                destination: exchange.destination,
                redactor: exchange.redactor,
                until,
                parts,
            };
            return receiver.receive(response).await.map_err(Failure::from);
        };
        let url = redirected.take().map_or_else(first, Ok)?;
        let target = redirect::target(&location, &url, client.base())?;
        if !request.follows_redirects {
            let refusal = "the service redirects a request that is valid for one URL only; it is not followed";
            return Err(SendError::Policy(refusal.to_owned()).into());
        }
        redirected = Some(target);
    }
    Err(Failure::from(SendError::Policy(format!(
        "the service redirects more than {MAX_REDIRECTS} times"
    ))))
}

fn build(client: &Client, request: &SignedRequest<'_>, url: Url) -> Result<Request, SendError> {
    let method = match request.method {
        Method::Get => http::Method::GET,
        Method::Head => http::Method::HEAD,
        Method::Post => http::Method::POST,
        Method::Put => http::Method::PUT,
        Method::Patch => http::Method::PATCH,
        Method::Delete => http::Method::DELETE,
        Method::Options => http::Method::OPTIONS,
    };
    let mut headers = client.headers(request)?;
    // A range counts bytes without a content coding.
    if !headers.contains_key(ACCEPT_ENCODING) && !headers.contains_key(RANGE) {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(decode::ACCEPTED));
    }
    let body = request.body.clone().unwrap_or_default();
    // Some servers refuse a request without a length (411), and the HTTP client leaves out a length of 0.
    if body.is_empty() && matches!(request.method, Method::Post | Method::Put | Method::Patch) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    Ok(Request {
        method,
        url,
        headers,
        body,
        unsigned: None,
    })
}

/// Requests stay on the origin of the base URL, redirects too.
#[cold]
fn network_error(error: TransportError, policy: &Policy, base: &Url) -> SendError {
    let mut host = base.host_str().unwrap_or("the service").to_owned();
    if let Some(proxy) = &error.proxy {
        host.push_str(&format!(" through the proxy {proxy}"));
    }
    let what = match error.kind {
        TransportErrorKind::Refused => return SendError::Policy(error.reason),
        TransportErrorKind::Unrecorded => return SendError::Unrecorded(error.reason),
        TransportErrorKind::ReadTimeout => {
            return SendError::Timeout {
                within: policy.timeout.read.0,
                limit: Limit::Read,
            };
        }
        TransportErrorKind::ConnectTimeout => format!(
            "cannot connect to {host} within {}",
            seconds(policy.timeout.connect.0)
        ),
        TransportErrorKind::Connect => format!("cannot connect to {host}"),
        TransportErrorKind::Exchange => format!("the exchange with {host} failed"),
    };
    SendError::Network {
        what,
        reason: error.reason,
    }
}
