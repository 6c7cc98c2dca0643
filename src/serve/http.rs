//! HTTP: one message in each request, answered at once. Only programs of this machine are heard, and no page of a browser.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use rmcp::model::ClientJsonRpcMessage;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::stdio::refusals;
use super::{Server, Shared};

/// The path at which the protocol is spoken.
pub(super) const PATH: &str = "/mcp";
/// Requests that are open at once, streams among them.
const OPEN: usize = 512;

/// What every request is held against.
struct Door {
    /// Host names, without a port.
    hosts: Vec<String>,
    /// Origins of pages that may send requests.
    origins: Vec<String>,
    request_bytes: usize,
    open: Semaphore,
}

/// Serves until the server should end. What runs is finished.
///
/// # Errors
/// When the listener fails.
pub(crate) async fn serve(shared: &Arc<Shared>, listener: TcpListener) -> std::io::Result<()> {
    let address = listener.local_addr()?;
    // What the library gives up when this is cancelled must first have had its time.
    let over = CancellationToken::new();
    let _over = over.clone().drop_guard();
    let router = router(shared, address, over);
    // Otherwise each event of a stream waits for the client's delayed acknowledgement.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let stop = shared.stop.clone();
    let serving =
        axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await });
    let patience = async {
        shared.stop.cancelled().await;
        tokio::time::sleep(shared.limits.deadline + Duration::from_secs(5)).await;
    };
    tokio::select! {
        done = serving => done,
        // A client that keeps its connection open does not hold up the end.
        () = patience => Ok(()),
    }
}

fn router(shared: &Arc<Shared>, address: SocketAddr, over: CancellationToken) -> Router {
    let hosts = hosts(address.ip());
    let origins: Vec<String> = hosts
        .iter()
        .map(|host| format!("http://{host}:{}", address.port()))
        .collect();
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
    let door = Arc::new(Door {
        hosts,
        origins,
        request_bytes: shared.limits.request_bytes,
        open: Semaphore::new(OPEN),
    });
    Router::new()
        .nest_service(PATH, service)
        .layer(middleware::from_fn_with_state(door, enter))
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

/// Lets a request in, or says why not.
async fn enter(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    if !door.knows_host(request.headers(), request.uri().host()) {
        return refuse(StatusCode::FORBIDDEN, "this host name is not served here");
    }
    if !door.knows_origin(request.headers()) {
        return refuse(StatusCode::FORBIDDEN, "pages of this origin are not served");
    }
    let Ok(_turn) = door.open.try_acquire() else {
        let mut busy = refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many requests are open; try again",
        );
        busy.headers_mut()
            .insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
        return busy;
    };
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, door.request_bytes).await else {
        let message = format!("the message is longer than {} bytes", door.request_bytes);
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, &message);
    };
    if let Err(error) = serde_json::from_slice::<ClientJsonRpcMessage>(&body) {
        // A malformed message gets the same answer as on standard input.
        return match refusals(&body, &error).first() {
            Some(refusal) => answer(StatusCode::BAD_REQUEST, json!(refusal).to_string()),
            None => StatusCode::ACCEPTED.into_response(),
        };
    }
    next.run(Request::from_parts(parts, Body::from(body))).await
}

impl Door {
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

fn answer(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
