//! The HTTP server of a sandbox.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming as IncomingBody;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{Answer, Incoming, Sandbox};

/// Largest request body that is read, in bytes.
const MAX_REQUEST_BYTES: usize = 8 << 20;

/// A running sandbox server. It stops when this is dropped.
pub struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Starts a server on a free port of this machine.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(sandbox: Arc<Sandbox>) -> std::io::Result<Server> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(serve(listener, sandbox));
        Ok(Server { address, task })
    }

    /// The address it listens at.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Runs a sandbox server until the task is dropped.
pub(crate) async fn serve(listener: TcpListener, sandbox: Arc<Sandbox>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        // Without this, an answer would wait for the client's delayed acknowledgement.
        let _ = stream.set_nodelay(true);
        let sandbox = Arc::clone(&sandbox);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let sandbox = Arc::clone(&sandbox);
                async move { Ok::<_, Infallible>(respond(&sandbox, request).await) }
            });
            // The sandbox ignores clients that disconnect.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn respond(
    sandbox: &Sandbox,
    request: hyper::Request<IncomingBody>,
) -> hyper::Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, MAX_REQUEST_BYTES).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(_) => Bytes::from_static(b"\0"),
    };
    let headers: Map<String, Value> = parts
        .headers
        .keys()
        .map(|name| {
            // A header that is repeated is one list.
            let values = parts.headers.get_all(name).iter();
            let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()));
            let text = values.collect::<Vec<_>>().join(", ");
            (name.as_str().to_owned(), Value::String(text))
        })
        .collect();
    let answer = sandbox.answer(&Incoming {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers,
        body: &body,
    });
    to_response(&answer)
}

fn to_response(answer: &Answer) -> hyper::Response<Full<Bytes>> {
    let (media_type, body) = answer.kind.write(&answer.body);
    let mut builder = hyper::Response::builder()
        .status(answer.status)
        .header("content-type", media_type);
    for (name, value) in &answer.headers {
        builder = builder.header(name, value);
    }
    let body = match answer.status {
        204 => Bytes::new(),
        _ => Bytes::from(body),
    };
    let body = Full::new(body);
    builder.body(body).unwrap_or_else(|_| {
        let mut failed = hyper::Response::new(Full::new(Bytes::new()));
        *failed.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
        failed
    })
}
