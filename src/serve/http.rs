//! HTTP: one message in each request, answered at once. Hosts and origins are known by name; where callers are named, only
//! they are let in.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt as _, Collected, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rmcp::model::ClientJsonRpcMessage;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::guests::{Guest, Guests, Refusal};
use super::lanes::Lanes;
use super::plain::PlainCall;
use super::stdio::refusals;
use super::twin;
use super::{CROWDED, OPEN, Server, Shared};
use crate::callers::Issuer;

/// The path at which the protocol is spoken.
pub(super) const PATH: &str = "/mcp";
/// Connections at once. Those beyond it wait until one ends.
const CONNECTIONS: usize = 1024;
/// How long a connection may take for the head of a request, and be idle.
const HEAD: Duration = Duration::from_secs(30);
/// How long a request may take for its body.
const BODY: Duration = Duration::from_secs(30);
/// Most bytes of the head of a request.
const HEAD_BYTES: usize = 64 << 10;

/// Who may speak to a server over HTTP.
#[derive(Default)]
pub(crate) struct Access {
    /// Names of the server beside its address: as clients call it, with a port where it has one of its own.
    pub hosts: Vec<String>,
    /// The callers. Without them, whoever reaches the server is the local user.
    pub guests: Option<Arc<Guests>>,
}

/// What every request is held against, and what is behind it.
struct Door {
    /// Host names, without a port.
    hosts: Vec<String>,
    /// Origins of pages that may send requests.
    origins: Vec<String>,
    guests: Option<Arc<Guests>>,
    open: Arc<Semaphore>,
    shared: Arc<Shared>,
    /// The SDK.
    sdk: TowerToHyperService<Router>,
}

/// Serves until the server should end. What runs is finished.
///
/// # Errors
/// When the listener fails.
pub(crate) async fn serve(
    shared: &Arc<Shared>,
    listener: TcpListener,
    access: Access,
) -> std::io::Result<()> {
    let address = listener.local_addr()?;
    // What the library gives up when this is cancelled must first have had its time.
    let over = CancellationToken::new();
    let _over = over.clone().drop_guard();
    let guests = access.guests.clone();
    let door = door(shared, address, access, over);
    let lanes = Lanes::start()?;
    if let Some(guests) = guests {
        tokio::spawn(guests.watch(shared.stop.clone()));
    }
    let patience = async {
        shared.stop.cancelled().await;
        tokio::time::sleep(shared.limits.deadline + Duration::from_secs(5)).await;
    };
    tokio::select! {
        () = accept(&listener, &door, &lanes) => {}
        // A client that keeps its connection open does not hold up the end.
        () = patience => {}
    }
    // Calls go on when their client has left.
    shared.ended().await;
    Ok(())
}

/// Takes connections until the server should end, and then waits for them.
async fn accept(listener: &TcpListener, door: &Arc<Door>, lanes: &Lanes) {
    let stop = &door.shared.stop;
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = async {
                let room = Arc::clone(&room).acquire_owned().await;
                (listener.accept().await, room)
            } => accepted,
        };
        match accepted {
            (Ok((stream, _)), Ok(room)) => {
                let connection = connection(stream.into_std(), Arc::clone(door), room);
                lanes.spawn(connections.track_future(connection));
            }
            // The machine is out of something, such as files; a moment later it may have it again.
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    connections.close();
    connections.wait().await;
}

/// Serves one connection. It belongs to the runtime that this runs on.
async fn connection(
    stream: std::io::Result<std::net::TcpStream>,
    door: Arc<Door>,
    _room: OwnedSemaphorePermit,
) {
    let Ok(stream) = stream.and_then(TcpStream::from_std) else {
        return;
    };
    // Otherwise each event of a stream waits for the client's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let stop = door.shared.stop.clone();
    let service = service_fn(move |request| {
        let door = Arc::clone(&door);
        async move { Ok::<_, Infallible>(door.enter(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    // A client that breaks off has nobody to tell.
    let _ = connection.await;
}

fn door(
    shared: &Arc<Shared>,
    address: SocketAddr,
    mut access: Access,
    over: CancellationToken,
) -> Arc<Door> {
    let guests = access.guests.as_ref();
    let issuer = guests.and_then(|guests| guests.issuer_of_tokens());
    access.hosts.extend(issuer.map(|issuer| issuer.host()));
    let named: Vec<String> = access
        .hosts
        .iter()
        .map(|h| h.to_ascii_lowercase())
        .collect();
    let own = hosts(address.ip());
    let mut origins: Vec<String> = own
        .iter()
        .map(|host| format!("http://{host}:{}", address.port()))
        .collect();
    for host in &named {
        // A proxy in front of the server may add TLS.
        origins.extend([format!("https://{host}"), format!("http://{host}")]);
        if without_port(host) == host {
            origins.push(format!("http://{host}:{}", address.port()));
        }
    }
    let mut hosts = own;
    hosts.extend(named.iter().map(|host| without_port(host).to_owned()));
    let mut config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_cancellation_token(over)
        .with_allowed_hosts(hosts.clone())
        .with_allowed_origins(origins.clone())
        .enforce_origin_validation();
    config.max_request_body_bytes = shared.limits.request_bytes;
    let server = Server {
        shared: Arc::clone(shared),
    };
    let service = StreamableHttpService::new(
        move || Ok(server.clone()),
        Arc::new(LocalSessionManager::default()),
        config,
    );
    Arc::new(Door {
        hosts,
        origins,
        guests: access.guests,
        shared: Arc::clone(shared),
        open: Arc::new(Semaphore::new(OPEN)),
        sdk: TowerToHyperService::new(Router::new().nest_service(PATH, service)),
    })
}

/// The names by which this machine is called.
fn hosts(ip: IpAddr) -> Vec<String> {
    let own = match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    let mut hosts = vec![
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "[::1]".to_owned(),
    ];
    if !hosts.contains(&own) {
        hosts.push(own);
    }
    hosts
}

type Gone = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Door {
    /// Lets a request in, or says why not.
    async fn enter(&self, mut request: Request<Incoming>) -> Response {
        // Whoever asks whether the server lives needs no name for it, and learns nothing else.
        if let Some(health) = self.health(request.uri().path()) {
            return health;
        }
        if !self.knows_host(request.headers(), request.uri().host()) {
            self.shared.metrics.count_refused("host");
            return refuse(StatusCode::FORBIDDEN, "this host name is not served here");
        }
        if !self.knows_origin(request.headers()) {
            self.shared.metrics.count_refused("origin");
            return refuse(StatusCode::FORBIDDEN, "pages of this origin are not served");
        }
        let guest = match &self.guests {
            None => Guest::local(),
            Some(guests) => {
                let issuer = guests.issuer_of_tokens();
                if let Some(issuer) = &issuer
                    && let Some(about) = metadata(issuer, request.uri().path())
                {
                    return about;
                }
                match guests.know(request.headers()).await {
                    Ok(guest) => guest,
                    Err(refusal) => return self.turn_away(&refusal, issuer.as_ref()),
                }
            }
        };
        // From here on nobody needs the token, so that it can go nowhere.
        request.headers_mut().remove(header::AUTHORIZATION);
        let own_room = match guest.take_room() {
            Ok(room) => room,
            Err(refusal) => return self.turn_away(&refusal, None),
        };
        let Ok(room) = Arc::clone(&self.open).try_acquire_owned() else {
            self.shared.metrics.count_refused("busy");
            return later(StatusCode::SERVICE_UNAVAILABLE, CROWDED, 1);
        };
        if request.uri().path() == "/metrics" {
            return self.metrics(&guest);
        }
        let mut gone: Gone = match guest.can_end() {
            true => Box::pin(guest.clone().gone()),
            false => Box::pin(std::future::pending()),
        };
        let response = tokio::select! {
            response = self.pass(guest, request) => response,
            () = &mut gone => return self.turn_away(&Refusal::Unknown, None),
        };
        let held = |body| Held {
            body,
            gone,
            _rooms: (room, own_room),
        };
        response.map(|body| Body::new(held(body)))
    }

    /// Passes a request on that has been let in.
    async fn pass(&self, guest: Guest, mut request: Request<Incoming>) -> Response {
        if request.method() != Method::POST {
            request.extensions_mut().insert(guest);
            return self.ask_sdk(request.map(Body::new)).await;
        }
        let (mut parts, body) = request.into_parts();
        let most = self.shared.limits.request_bytes;
        let body = Limited::new(body, most).collect();
        let Ok(body) = tokio::time::timeout(BODY, body).await else {
            let message = "the message did not come in time";
            return refuse(StatusCode::REQUEST_TIMEOUT, message);
        };
        let Ok(body) = body.map(Collected::to_bytes) else {
            let message = format!("the message is longer than {most} bytes");
            return refuse(StatusCode::PAYLOAD_TOO_LARGE, &message);
        };
        if parts.uri.path() == PATH
            && let Some(call) = PlainCall::of(&parts.headers, &body, &self.shared.set())
        {
            return call.answer(&self.shared, guest, &parts.headers).await;
        }
        parts.extensions.insert(guest);
        if let Err(error) = serde_json::from_slice::<ClientJsonRpcMessage>(&body) {
            // A malformed message gets the same answer as on standard input.
            return match refusals(&body, &error).first() {
                Some(refusal) => answer(StatusCode::BAD_REQUEST, json!(refusal).to_string()),
                None => StatusCode::ACCEPTED.into_response(),
            };
        }
        let request = Request::from_parts(parts, Body::from(body));
        self.ask_sdk(request).await
    }

    /// The answer of the SDK, with each structure spelled out.
    async fn ask_sdk(&self, request: Request<Body>) -> Response {
        let Ok(response) = self.sdk.call(request).await;
        let (parts, body) = response.into_parts();
        let body = match body.size_hint().exact() {
            // The messages of a stream are spelled out one by one.
            None => Body::new(body.map_frame(|frame| frame.map_data(twin::spelled_out))),
            // A whole message keeps a known length.
            Some(_) => match to_bytes(body, usize::MAX).await {
                Ok(bytes) => Body::from(twin::spelled_out(bytes)),
                Err(_) => return refuse(StatusCode::INTERNAL_SERVER_ERROR, "the answer was lost"),
            },
        };
        Response::from_parts(parts, body)
    }
}

/// A body that ends when its caller is one no longer. It holds the room of its request until it has been sent.
struct Held {
    body: Body,
    gone: Gone,
    _rooms: (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>),
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if !self.body.is_end_stream() && self.gone.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Where the path of the metadata begins.
const ABOUT: &str = "/.well-known/oauth-protected-resource";

/// Where clients learn who issues the tokens (RFC 9728).
fn about(issuer: &Issuer) -> String {
    let mut url = issuer.resource.clone();
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{ABOUT}{path}"));
    url.to_string()
}

/// The metadata, if that is what a request is for.
fn metadata(issuer: &Issuer, path: &str) -> Option<Response> {
    let own = path.strip_prefix(ABOUT)?;
    if !own.is_empty() && own != issuer.resource.path().trim_end_matches('/') {
        return None;
    }
    let mut about = json!({
        "resource": issuer.resource.as_str(),
        "authorization_servers": [issuer.issuer],
        "bearer_methods_supported": ["header"],
    });
    if !issuer.scopes.is_empty() {
        about["scopes_supported"] = json!(issuer.scopes);
    }
    Some(answer(StatusCode::OK, about.to_string()))
}

/// The answer to whoever is not let in. It never says which part of a token is wrong.
fn turned_away(refusal: &Refusal, issuer: Option<&Issuer>) -> Response {
    let challenge = |status, message: &str, error: Option<&str>| {
        let mut response = refuse(status, message);
        let mut value = "Bearer realm=\"toolrun\"".to_owned();
        if let Some(error) = error {
            value.push_str(&format!(
                ", error=\"{error}\", error_description=\"{message}\""
            ));
        }
        if let Some(issuer) = issuer {
            // Characters that would end the quotes are in none of them.
            value.push_str(&format!(", resource_metadata=\"{}\"", about(issuer)));
            if !issuer.scopes.is_empty() {
                value.push_str(&format!(", scope=\"{}\"", issuer.scopes.join(" ")));
            }
        }
        if let Ok(value) = HeaderValue::from_str(&value) {
            let headers = response.headers_mut();
            headers.insert(header::WWW_AUTHENTICATE, value);
        }
        response
    };
    match refusal {
        Refusal::NoToken => challenge(
            StatusCode::UNAUTHORIZED,
            "send the token of a caller as `Authorization: Bearer TOKEN`",
            None,
        ),
        Refusal::Unknown => challenge(
            StatusCode::UNAUTHORIZED,
            "the token is not that of a caller, or it has ended",
            Some("invalid_token"),
        ),
        Refusal::Malformed => challenge(
            StatusCode::BAD_REQUEST,
            "send one Authorization header with one token",
            Some("invalid_request"),
        ),
        Refusal::Scope => challenge(
            StatusCode::FORBIDDEN,
            "the token does not have the scope that is needed here",
            Some("insufficient_scope"),
        ),
        Refusal::Unready => {
            let message = "the keys of the issuer are not known now; try again";
            later(StatusCode::SERVICE_UNAVAILABLE, message, 60)
        }
        Refusal::TooFast(seconds) => {
            let message = format!(
                "you have sent more requests than you may in a minute; wait {seconds} seconds"
            );
            later(StatusCode::TOO_MANY_REQUESTS, &message, *seconds)
        }
        Refusal::TooMany => {
            let message = "too many of your requests are open; end some of them";
            later(StatusCode::TOO_MANY_REQUESTS, message, 1)
        }
    }
}

fn later(status: StatusCode, message: &str, seconds: u64) -> Response {
    let mut response = refuse(status, message);
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

impl Door {
    /// Whether the server lives, and whether it takes calls.
    fn health(&self, path: &str) -> Option<Response> {
        let is_well = match path {
            "/healthz" => true,
            "/readyz" => !self.shared.stop.is_cancelled(),
            _ => return None,
        };
        Some(match is_well {
            true => plain(StatusCode::OK, "ok\n".to_owned()),
            false => plain(StatusCode::SERVICE_UNAVAILABLE, "it is ending\n".to_owned()),
        })
    }

    fn metrics(&self, guest: &Guest) -> Response {
        if !guest.reads_metrics {
            let message = "this caller may not read the metrics";
            return refuse(StatusCode::FORBIDDEN, message);
        }
        let text = self.shared.metrics.text(self.shared.set().len());
        plain(StatusCode::OK, text)
    }

    fn turn_away(&self, refusal: &Refusal, issuer: Option<&Issuer>) -> Response {
        self.shared.metrics.count_refused(refusal.word());
        turned_away(refusal, issuer)
    }

    fn knows_host(&self, headers: &HeaderMap, in_target: Option<&str>) -> bool {
        let named = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let Some(host) = named.or(in_target) else {
            return false;
        };
        let name = without_port(host).to_ascii_lowercase();
        self.hosts.contains(&name)
    }

    /// A request without an origin comes from a program, not from a page.
    fn knows_origin(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        origins.all(|origin| {
            let origin = origin.to_str().unwrap_or_default();
            self.origins
                .iter()
                .any(|known| known.eq_ignore_ascii_case(origin))
        })
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => {
            name
        }
        _ => host,
    }
}

fn refuse(status: StatusCode, message: &str) -> Response {
    let body = json!({ "jsonrpc": "2.0", "error": { "code": -32600, "message": message } });
    answer(status, body.to_string())
}

pub(super) fn answer(status: StatusCode, body: impl Into<Body>) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (status, kind, body.into()).into_response()
}

fn plain(status: StatusCode, body: String) -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    (status, [(header::CONTENT_TYPE, kind)], body).into_response()
}
