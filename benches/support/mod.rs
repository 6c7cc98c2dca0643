//! What the benchmarks share: a sandbox on loopback and a tools folder that points to it.
#![allow(dead_code, reason = "each benchmark uses a part")]

pub(crate) mod bare;
pub(crate) mod mcp;

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use toolrun::Catalog;
use toolrun::Sandbox;
use toolrun::internals::Incoming as Asked;

/// Rows on a page that the server has an answer for.
pub(crate) const PAGE_SIZES: [u32; 3] = [1, 20, 70];

/// The sandbox's made-up key.
pub(crate) const KEY: &str = "sk-ant-admin01-sandbox-made-up-key";

/// A server on a thread of its own that gives the sandbox's answers, made once, to requests for workspaces: it costs
/// as little as a server can, so that what is measured is the client.
pub(crate) struct Server {
    address: SocketAddr,
}

impl Server {
    /// Starts it on a free port.
    pub(crate) fn start() -> Server {
        let answers: HashMap<u32, Bytes> = PAGE_SIZES
            .map(|limit| (limit, page(limit)))
            .into_iter()
            .collect();
        let answers = Arc::new(answers);
        let (sender, receiver) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                sender
                    .send(listener.local_addr().expect("an address"))
                    .expect("a receiver");
                loop {
                    let (stream, _) = listener.accept().await.expect("a connection");
                    stream.set_nodelay(true).expect("a socket");
                    let answers = Arc::clone(&answers);
                    tokio::spawn(async move {
                        let service = service_fn(move |request: Request<Incoming>| {
                            let limit = request.uri().query().and_then(|query| {
                                query
                                    .split('&')
                                    .find_map(|pair| pair.strip_prefix("limit="))
                            });
                            let limit = limit.and_then(|limit| limit.parse().ok()).unwrap_or(20);
                            let body = answers.get(&limit).cloned().unwrap_or_default();
                            let response = Response::builder()
                                .header("content-type", "application/json")
                                .header("request-id", "req_bench");
                            async move { response.body(Full::new(body)) }
                        });
                        let _ = http1::Builder::new()
                            .serve_connection(TokioIo::new(stream), service)
                            .await;
                    });
                }
            });
        });
        Server {
            address: receiver.recv().expect("the server starts"),
        }
    }

    /// Its origin, such as `http://127.0.0.1:4711`.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// The sandbox's answer to a request for so many workspaces.
pub(crate) fn page(limit: u32) -> Bytes {
    let sandbox = Sandbox::load(&Catalog::builtin(), "anthropic-admin");
    let sandbox = sandbox.expect("the sandbox is valid");
    let headers = json!({ "x-api-key": KEY, "anthropic-version": "2023-06-01" });
    let answer = sandbox.answer(&Asked {
        method: "GET",
        path: "/v1/organizations/workspaces",
        query: &format!("limit={limit}"),
        headers: headers.as_object().cloned().unwrap_or_default(),
        body: &[],
    });
    assert_eq!(answer.status, 200);
    answer.body.to_string().into()
}

/// A tools folder with the service `bench-admin`, which is `anthropic-admin` at another origin, and `count` tools.
pub(crate) fn tools_folder(origin: &str, count: usize) -> TempDir {
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/anthropic-admin");
    let read = |name: &str| fs::read_to_string(built_in.join(name)).expect("a built-in file");
    let folder = TempDir::new().expect("a temporary folder");
    let service = folder.path().join("bench-admin");
    fs::create_dir(&service).expect("a folder");
    let text = read("service.yaml")
        .replace("https://api.anthropic.com", origin)
        .replace("service: anthropic-admin", "service: bench-admin")
        .replace("requests: 100", "requests: 4000000");
    fs::write(service.join("service.yaml"), text).expect("written");
    let tool = read("list-workspaces.yaml")
        .replace("service: anthropic-admin", "service: bench-admin")
        .replace("https://api.anthropic.com", origin);
    fs::write(service.join("list-workspaces.yaml"), &tool).expect("written");
    for i in 1..count {
        let name = format!("list-workspaces-{i}");
        let text = tool.replace("tool: list-workspaces", &format!("tool: {name}"));
        fs::write(service.join(format!("{name}.yaml")), text).expect("written");
    }
    folder
}

/// The middle one.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The first number on the command line.
pub(crate) fn number_argument(default: usize) -> usize {
    std::env::args()
        .find_map(|word| word.parse().ok())
        .unwrap_or(default)
}

/// TLS that trusts nobody, for clients that speak plain HTTP: reading the machine's certificates would be measured too.
pub(crate) fn no_tls() -> rustls::ClientConfig {
    rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("TLS versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}
