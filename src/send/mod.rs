//! Sending: a signed request becomes a response, within its limits of time, size and tries.

mod client;
mod download;
mod retry;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use url::Url;

pub use client::{Client, ClientError, Roots};
pub use download::{Destination, Download, file_name};
pub use retry::wait_of as retry_after_of;

use crate::error::{Error, seconds};
use crate::plan::Method;
use crate::service::Service;
use crate::sign::{Redactor, SignedRequest};

/// Redirects that are followed on the service's own origin.
const MAX_REDIRECTS: usize = 5;

/// Something that happened while a request was sent, for whoever watches.
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
    },
    /// A response came.
    Response {
        /// The HTTP status.
        status: u16,
        /// Header fields, secrets masked.
        headers: Vec<(String, String)>,
        /// Bytes of the body.
        bytes: usize,
        /// From the first byte sent to the last one read.
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
        /// Tries at the most.
        of: u32,
    },
    /// The client-side rate limit holds the request back.
    RateLimited {
        /// How long.
        wait: Duration,
    },
    /// A job is not done, and will be asked for again.
    Waiting {
        /// How often it was asked for.
        polls: u32,
        /// Since it was created.
        elapsed: Duration,
        /// How long until it is asked for again.
        wait: Duration,
    },
}

/// Whoever watches, if anyone does.
pub type Observer<'o> = Option<&'o (dyn Fn(Event) + Send + Sync)>;

/// Tells an event, which is only made when somebody watches.
pub fn tell(observer: Observer<'_>, event: impl FnOnce() -> Event) {
    if let Some(observer) = observer {
        observer(event());
    }
}

/// A response. Its header fields have the secrets that were sent masked wherever the service repeats them; its body is
/// byte for byte what the service sent, and [`Response::data`] is what to make values of.
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Header fields.
    pub headers: Headers,
    /// The service's own bytes after decompression; nothing where they were downloaded.
    pub body: Bytes,
    /// The body of a success, where it goes to a file.
    pub download: Option<Download>,
    /// How often the request was sent.
    pub attempts: u32,
    /// How long the service asks to wait.
    pub retry_after: Option<Duration>,
    json: OnceLock<Bytes>,
}

impl Response {
    /// Whether the status is that of a success.
    pub fn is_success(&self) -> bool {
        is_success(self.status)
    }

    /// The body as it becomes data, with the secrets that were sent masked: in JSON, also in lines, in the values that
    /// are strings and nowhere else. Everything but `raw` output and downloads reads it here.
    pub fn data(&self, notation: Notation) -> Bytes {
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
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.list().iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

/// What a body is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notation {
    /// JSON, one text or one a line.
    Json,
    /// Text of any kind.
    Text,
}

/// What a request is sent with.
pub struct Exchange<'e> {
    /// The client of the service.
    pub client: &'e Client,
    /// The service.
    pub service: &'e Service,
    /// The request.
    pub request: &'e SignedRequest,
    /// Whether it is safe to send it again.
    pub idempotent: bool,
    /// Masks the secrets of the request, in what the response is shown as.
    pub redactor: &'e Redactor,
    /// When the caller gives up.
    pub deadline: Option<Instant>,
    /// Where the body of a success goes, if to a file.
    pub destination: Option<&'e Destination>,
    /// Whoever watches.
    pub observer: Observer<'e>,
}

/// Whether an answer is worth another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// If the service's `retry` says so.
    ByPolicy,
    /// No.
    Never,
    /// Yes.
    Yes {
        /// After this time, where the answer says it.
        after: Option<Duration>,
        /// Also where the request is not safe to repeat.
        any_request: bool,
    },
}

/// Sends a request and, when it is safe and worth it, sends it again. `judge` looks at each answer first; what it makes
/// of the last one is given back beside it.
///
/// # Errors
/// When no response comes in time, the network fails, or a safety rule forbids the answer. An error status is no
/// error here.
pub async fn send<T>(
    exchange: &Exchange<'_>,
    judge: impl Fn(&Response) -> (Again, T),
) -> Result<(Response, T), Error> {
    let policy = &exchange.service.retry;
    let redactor = exchange.redactor;
    let mut attempt = 1;
    loop {
        exchange.client.wait_for_turn(exchange.observer).await;
        let started = Instant::now();
        let request = exchange.request.stamped()?;
        let outcome = match once(exchange, &request).await {
            Ok(answer) => Ok(finish(answer, attempt, exchange)),
            Err(error @ (Error::Network { .. } | Error::Timeout { .. })) => Err(error),
            Err(error) => return Err(error),
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
                    elapsed: started.elapsed(),
                });
                let (again, made) = judge(&response);
                let mut repeatable = exchange.idempotent;
                match again {
                    Again::ByPolicy
                        if retry::is_worth_it(
                            response.status,
                            &response.headers.raw,
                            &policy.statuses,
                        ) => {}
                    Again::ByPolicy | Again::Never => return Ok((response, made)),
                    Again::Yes { after, any_request } => {
                        response.retry_after = after.or(response.retry_after);
                        repeatable |= any_request;
                    }
                }
                let reason = format!("the service answered {}", response.status);
                let asked = response.retry_after;
                (Ok((response, made)), reason, asked, repeatable)
            }
            Err(error) => {
                let reason = error.to_string();
                (Err(error), reason, None, exchange.idempotent)
            }
        };
        let most = if repeatable {
            policy.max_attempts.max(1)
        } else {
            1
        };
        let wait = retry::delay(attempt, asked, policy.base_delay.0, policy.max_delay.0);
        match wait {
            // To wait beyond the deadline would only lose what the service said.
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
                tokio::time::sleep(wait).await;
            }
            _ => return outcome,
        }
    }
}

/// Response header fields, listed when they are asked for: most calls look at none.
#[derive(Clone)]
pub struct Headers {
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

    /// Names in lower case, and values with the secrets that were sent masked.
    pub fn list(&self) -> &[(String, String)] {
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
            .field("attempts", &self.attempts)
            .field("retry_after", &self.retry_after)
            .finish()
    }
}

impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.list()).finish()
    }
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
    download: Option<Download>,
}

fn finish(answer: Answer, attempts: u32, exchange: &Exchange<'_>) -> Response {
    let retry_after = retry::retry_after(&answer.headers);
    Response {
        status: answer.status,
        headers: Headers::new(answer.headers, exchange.redactor),
        body: answer.body,
        download: answer.download,
        attempts,
        retry_after,
        json: OnceLock::new(),
    }
}

/// One try: the request, the redirects on the service's own origin, the body.
async fn once(exchange: &Exchange<'_>, request: &SignedRequest) -> Result<Answer, Error> {
    let total = exchange.service.timeout.total.0;
    tokio::time::timeout(total, follow(exchange, request))
        .await
        .unwrap_or(Err(Error::Timeout {
            within: total,
            limit: "the service's timeout.total",
        }))
}

async fn follow(exchange: &Exchange<'_>, request: &SignedRequest) -> Result<Answer, Error> {
    let Exchange {
        client, service, ..
    } = exchange;
    let mut url = client
        .url(&request.target, &request.query)
        .map_err(|_| Error::Policy("the request's URL cannot be parsed".to_owned()))?;
    let origin = url.origin();
    for _ in 0..=MAX_REDIRECTS {
        let response = client
            .http()
            .execute(build(request, url.clone())?)
            .await
            .map_err(|error| network_error(error, service, &url))?;
        let Some(location) = redirect_target(&response, request.method) else {
            return read(response, service, &url, exchange.destination).await;
        };
        let target = url.join(&location).map_err(|_| {
            Error::Policy("the service redirects to something that is no URL".to_owned())
        })?;
        if target.origin() != origin {
            return Err(Error::Policy(format!(
                "the service redirects to another origin, {}; it is not followed",
                target.origin().ascii_serialization()
            )));
        }
        if !request.follows_redirects {
            return Err(Error::Policy(
                "the service redirects a request that is meant for one place alone; it is not followed"
                    .to_owned(),
            ));
        }
        url = target;
    }
    Err(Error::Policy(format!(
        "the service redirects more than {MAX_REDIRECTS} times"
    )))
}

/// Where a redirect leads, when following it sends the same request again.
fn redirect_target(response: &reqwest::Response, method: Method) -> Option<String> {
    let follows = match response.status().as_u16() {
        301..=303 => matches!(method, Method::Get | Method::Head),
        307 | 308 => true,
        _ => false,
    };
    follows
        .then(|| response.headers().get(reqwest::header::LOCATION))
        .flatten()
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned)
}

fn build(request: &SignedRequest, url: Url) -> Result<reqwest::Request, Error> {
    let method = match request.method {
        Method::Get => reqwest::Method::GET,
        Method::Head => reqwest::Method::HEAD,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
        Method::Options => reqwest::Method::OPTIONS,
    };
    let mut built = reqwest::Request::new(method, url);
    for (name, value, is_secret) in &request.headers {
        let refuse = || Error::Policy(format!("the header `{name}` cannot be sent as it is"));
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refuse())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| refuse())?;
        value.set_sensitive(*is_secret);
        built.headers_mut().insert(header, value);
    }
    match &request.body {
        Some(body) if !body.is_empty() => *built.body_mut() = Some(body.clone().into()),
        // Servers that are told no length refuse the request (411), and the client leaves it out.
        _ if matches!(request.method, Method::Post | Method::Put | Method::Patch) => {
            let none = HeaderValue::from_static("0");
            built.headers_mut().insert(CONTENT_LENGTH, none);
        }
        _ => {}
    }
    Ok(built)
}

/// Reads the body: that of a success into a file, where there is a destination for it.
async fn read(
    mut response: reqwest::Response,
    service: &Service,
    url: &Url,
    destination: Option<&Destination>,
) -> Result<Answer, Error> {
    let most = usize::try_from(service.limits.response_bytes).unwrap_or(usize::MAX);
    let status = response.status().as_u16();
    let headers = std::mem::take(response.headers_mut());
    let destination = destination.filter(|_| is_success(status));
    let mut download = destination.map(Destination::begin).transpose()?;
    // Most bodies come in one piece, which then needs no copy.
    let (mut body, mut first, mut size) = (BytesMut::new(), Bytes::new(), 0);
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| network_error(error, service, url))?
    {
        size += chunk.len();
        if size > most {
            return Err(Error::Response(format!(
                "the body is larger than {most} bytes, the service's limits.response_bytes"
            )));
        }
        match (&mut download, destination) {
            (Some(download), Some(destination)) => download.write(&chunk, destination)?,
            _ if first.is_empty() => first = chunk,
            _ => body.extend_from_slice(&chunk),
        }
    }
    let body = match body.is_empty() {
        true => first,
        false => [first, body.freeze()].concat().into(),
    };
    Ok(Answer {
        status,
        headers,
        body,
        download,
    })
}

/// The innermost cause says what happened; the outer ones repeat the URL, which may carry a secret.
fn network_error(error: reqwest::Error, service: &Service, url: &Url) -> Error {
    let error = error.without_url();
    if error.is_timeout() && !error.is_connect() {
        return Error::Timeout {
            within: service.timeout.read.0,
            limit: "the service's timeout.read",
        };
    }
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        if let Some(refusal) = inner.downcast_ref::<client::PrivateAddress>() {
            return Error::Policy(refusal.to_string());
        }
        cause = inner;
    }
    let host = url.host_str().unwrap_or("the service");
    let what = match (error.is_connect(), error.is_decode()) {
        (true, _) if error.is_timeout() => {
            format!(
                "cannot connect to {host} within {}",
                seconds(service.timeout.connect.0)
            )
        }
        (true, _) => format!("cannot connect to {host}"),
        (_, true) => format!("cannot decode the answer of {host}"),
        _ => format!("the exchange with {host} failed"),
    };
    Error::Network {
        what,
        reason: cause.to_string(),
    }
}
