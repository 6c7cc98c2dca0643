//! The least that a server in Rust does between an agent and a service: hyper takes the message, reqwest asks the service,
//! and the body goes back as it is. No arguments are checked, nothing is projected, bounded or recorded. What it reaches is
//! what is left for everything else.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[derive(Deserialize)]
struct Message {
    id: Option<u64>,
    method: String,
}

/// Serves on a port of loopback, for as long as the process lives.
pub(crate) fn serve(port: u16, origin: &str, key: &str) {
    let client = reqwest::Client::builder().tcp_nodelay(true).no_proxy();
    let client = client
        .tls_backend_preconfigured(super::no_tls())
        .build()
        .expect("a client");
    let url = format!("{origin}/v1/organizations/workspaces?include_archived=false&limit=20");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let listener = TcpListener::bind(address).await.expect("the port");
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            stream.set_nodelay(true).expect("a socket");
            let (client, url, key) = (client.clone(), url.clone(), key.to_owned());
            let service = service_fn(move |request: Request<Incoming>| {
                let asked = client.get(&url).header("x-api-key", &key);
                async move { Ok::<_, Infallible>(answer(request, asked).await) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
}

async fn answer(
    request: Request<Incoming>,
    asked: reqwest::RequestBuilder,
) -> Response<Full<Bytes>> {
    let body = request.into_body().collect().await.expect("a body");
    let message: Message = serde_json::from_slice(&body.to_bytes()).expect("a message");
    let result = match message.method.as_str() {
        "tools/call" => {
            let response = asked.send().await.expect("an answer");
            let text = response.text().await.expect("a body");
            json!({ "content": [{ "type": "text", "text": text }] })
        }
        "tools/list" => json!({ "tools": [{ "name": "list" }] }),
        _ => Value::Null,
    };
    let answer = json!({ "jsonrpc": "2.0", "id": message.id, "result": result });
    Response::builder()
        .header("content-type", "application/json")
        .body(Full::new(answer.to_string().into()))
        .expect("a response")
}
