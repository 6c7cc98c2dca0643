//! The transport: a signed request in, a response out. Everything else (retries, redirects, limits of size and time,
//! decompression) is done by the caller and holds for every transport.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_core::Stream;
use http_body::Body as _;
use http_body_util::BodyExt;
use url::Url;

use super::unsigned::Unsigned;

/// Sends requests and gives responses. The engine's own transport is an HTTP client; recordings, stand-ins and tests
/// use other ones.
///
/// A transport must not follow redirects, decompress bodies or repeat requests: the engine does that.
pub trait Transport: Send + Sync {
    /// Sends a request. The future ends when the header fields of the response are there.
    ///
    /// # Errors
    /// When no response comes. No status is an error here.
    fn send(&self, request: Request) -> ResponseFuture<'_>;
}

/// A request in progress.
pub type ResponseFuture<'t> =
    Pin<Box<dyn Future<Output = Result<http::Response<Body>, TransportError>> + Send + 't>>;

/// A signed request. It carries credentials; `Debug` shows neither its query nor its body, and masks header fields that
/// are marked as sensitive.
#[non_exhaustive]
pub struct Request {
    /// The method.
    pub method: http::Method,
    /// The whole URL.
    pub url: Url,
    /// Header fields.
    pub headers: http::HeaderMap,
    pub(super) body: Bytes,
    /// The same without credentials, where somebody records or plays recordings.
    pub(super) unsigned: Option<Arc<Unsigned>>,
}

impl Request {
    /// The request without its credentials, where somebody records or plays recordings.
    pub(crate) fn unsigned(&self) -> Option<&Arc<Unsigned>> {
        self.unsigned.as_ref()
    }

    /// The body; empty if there is none.
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = self.url.clone();
        if url.query().is_some() {
            url.set_query(Some(crate::plan::MASK));
        }
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &url.as_str())
            .field("headers", &self.headers)
            .field("bytes", &self.body.len())
            .finish()
    }
}

/// The body of a response.
pub struct Body(Inner);

enum Inner {
    Whole(Bytes),
    Client(reqwest::Body),
    Stream(Pin<Box<dyn Stream<Item = Result<Vec<u8>, TransportError>> + Send>>),
    Heard(Box<Body>, Box<dyn Listener>),
}

/// Hears the body of a response while it is read. It is dropped with the body, also when that is not read to its end.
pub(crate) trait Listener: Send {
    /// A piece came.
    fn piece(&mut self, piece: &[u8]);

    /// The body ended, or broke off.
    fn end(&mut self, broken: Option<&TransportError>);
}

/// A future of a body.
type NextPiece<'b> =
    Pin<Box<dyn Future<Output = Option<Result<Bytes, TransportError>>> + Send + 'b>>;

impl Body {
    /// A body that comes in pieces.
    pub fn from_stream(
        pieces: impl Stream<Item = Result<Vec<u8>, TransportError>> + Send + 'static,
    ) -> Body {
        Body(Inner::Stream(Box::pin(pieces)))
    }

    /// The same body, and somebody who hears it.
    pub(crate) fn heard_by(self, listener: Box<dyn Listener>) -> Body {
        Body(Inner::Heard(Box::new(self), listener))
    }

    pub(super) fn of_client(body: reqwest::Body) -> Body {
        Body(Inner::Client(body))
    }

    /// The next piece; `None` after the last.
    pub(super) async fn next(&mut self) -> Option<Result<Bytes, TransportError>> {
        match &mut self.0 {
            Inner::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                (!bytes.is_empty()).then_some(Ok(bytes))
            }
            Inner::Client(body) => loop {
                match body.frame().await? {
                    Err(error) => return Some(Err(error.into())),
                    // Any other frame holds trailers.
                    Ok(frame) => {
                        if let Ok(data) = frame.into_data() {
                            return Some(Ok(data));
                        }
                    }
                }
            },
            Inner::Heard(body, listener) => {
                let next = body.boxed_next().await;
                match &next {
                    Some(Ok(piece)) => listener.piece(piece),
                    Some(Err(error)) => listener.end(Some(error)),
                    None => listener.end(None),
                }
                next
            }
            Inner::Stream(pieces) => {
                let next = std::future::poll_fn(|context| pieces.as_mut().poll_next(context));
                Some(next.await?.map(Bytes::from))
            }
        }
    }

    fn boxed_next(&mut self) -> NextPiece<'_> {
        Box::pin(self.next())
    }

    /// How many bytes there are, if that is known.
    pub(super) fn exact_size(&self) -> Option<u64> {
        match &self.0 {
            Inner::Whole(bytes) => Some(bytes.len() as u64),
            Inner::Client(body) => body.size_hint().exact(),
            Inner::Heard(body, _) => body.exact_size(),
            Inner::Stream(_) => None,
        }
    }

    /// Whether it is known to have ended.
    pub(super) fn has_ended(&self) -> bool {
        match &self.0 {
            Inner::Whole(bytes) => bytes.is_empty(),
            Inner::Client(body) => body.is_end_stream(),
            Inner::Heard(body, _) => body.has_ended(),
            Inner::Stream(_) => true,
        }
    }
}

impl Default for Body {
    fn default() -> Body {
        Body(Inner::Whole(Bytes::new()))
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Body {
        Body(Inner::Whole(bytes.into()))
    }
}

impl From<String> for Body {
    fn from(text: String) -> Body {
        Body(Inner::Whole(text.into()))
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Body {
        Body(Inner::Whole(Bytes::from_static(text.as_bytes())))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.exact_size() {
            Some(bytes) => write!(f, "({bytes} bytes)"),
            None => f.write_str("(bytes)"),
        }
    }
}

/// Why no response came, or only a part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
#[non_exhaustive]
pub struct TransportError {
    /// What failed.
    pub kind: TransportErrorKind,
    /// Why, without the URL.
    pub reason: String,
    /// The proxy that the request went through, without its credentials.
    pub proxy: Option<String>,
}

impl TransportError {
    /// An error of this kind.
    pub fn new(kind: TransportErrorKind, reason: impl Into<String>) -> TransportError {
        TransportError {
            kind,
            reason: reason.into(),
            proxy: None,
        }
    }

    /// Whether the service may have got the request.
    pub(super) fn is_sent(&self) -> bool {
        match self.kind {
            TransportErrorKind::Connect
            | TransportErrorKind::ConnectTimeout
            | TransportErrorKind::Refused
            | TransportErrorKind::Unrecorded => false,
            TransportErrorKind::ReadTimeout | TransportErrorKind::Exchange => true,
        }
    }
}

/// Which step of an exchange failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// No connection was made; nothing was sent.
    Connect,
    /// No connection was made within the service's `timeout.connect`; nothing was sent.
    ConnectTimeout,
    /// Nothing came within the service's `timeout.read`.
    ReadTimeout,
    /// The connection failed while the request was sent or the response came.
    Exchange,
    /// A safety rule forbids connecting there; nothing was sent.
    Refused,
    /// A recording answers in place of the service, and has no answer; nothing was sent.
    Unrecorded,
}

/// A transport that gives prepared responses in their order and keeps what was sent: for tests, without a server.
///
/// ```
/// # async fn example() -> Result<(), toolrun::Error> {
/// use std::sync::Arc;
/// use serde_json::json;
/// use toolrun::{Call, Catalog, Engine, Scripted, Secret};
///
/// let script = Arc::new(Scripted::new([http::Response::new(r#"{"data": [], "has_more": false}"#.into())]));
/// let engine = Engine::new()
///     .with_transport(script.clone())
///     .with_secret("ANTHROPIC_ADMIN_API_KEY", Secret::new("sk-ant-admin01-example"));
/// let tool = Catalog::builtin().tool("list-members")?;
/// engine.call(Call::new(&tool, json!({ "limit": 2 }))).await?;
/// assert_eq!(script.sent()[0].url.query(), Some("limit=2"));
/// # Ok(())
/// # }
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
/// ```
#[derive(Debug, Default)]
pub struct Scripted {
    answers: Mutex<VecDeque<Result<http::Response<Body>, TransportError>>>,
    sent: Mutex<Vec<Sent>>,
}

/// A request that a [`Scripted`] transport got. It holds credentials: compare it in tests, do not print it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Sent {
    /// The method.
    pub method: http::Method,
    /// The whole URL.
    pub url: Url,
    /// Header fields.
    pub headers: http::HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.url.path())
    }
}

impl Scripted {
    /// A transport that gives these responses.
    pub fn new(answers: impl IntoIterator<Item = http::Response<Body>>) -> Scripted {
        Scripted {
            answers: Mutex::new(answers.into_iter().map(Ok).collect()),
            sent: Mutex::default(),
        }
    }

    /// Adds a response at the end.
    pub fn push(&self, answer: Result<http::Response<Body>, TransportError>) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.push_back(answer);
    }

    /// The requests that were sent so far.
    pub fn sent(&self) -> Vec<Sent> {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.clone()
    }
}

impl Transport for Scripted {
    fn send(&self, request: Request) -> ResponseFuture<'_> {
        let sent = Sent {
            body: request.body.to_vec(),
            method: request.method,
            url: request.url,
            headers: request.headers,
        };
        self.sent
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(sent);
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = answers.pop_front().unwrap_or_else(|| {
            Err(TransportError::new(
                TransportErrorKind::Exchange,
                "the script has no further response",
            ))
        });
        Box::pin(std::future::ready(answer))
    }
}
