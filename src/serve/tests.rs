//! What no service can be made to do from outside: a panic, and a hang that ignores its deadline.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, duplex};

use super::{Approvals, Backends, Gate, Limits, Observer, Shared, ToolSet, stdio};
use crate::catalog::Catalog;
use crate::engine::Engine;
use crate::send::{Request, ResponseFuture, Transport};
use crate::sign::Secret;

/// Panics, or never answers, by the path of the request.
struct Unruly;

impl Transport for Unruly {
    fn send(&self, request: Request) -> ResponseFuture<'_> {
        match request.url.path() {
            "/v1/organizations/me" => panic!("the transport is broken"),
            _ => Box::pin(async {
                // A hang that no timer of the engine sees, since the clock of the call stands still.
                std::future::pending().await
            }),
        }
    }
}

fn shared(deadline: Duration) -> Arc<Shared> {
    let catalog = Catalog::builtin();
    let tools = ["get-organization", "list-workspaces"];
    let tools = tools.map(|name| catalog.tool(name).expect("a tool"));
    let (set, problems) = ToolSet::new(tools.to_vec(), 20, &Gate::default());
    assert_eq!(problems, Vec::<String>::new());
    let backends = Backends::new(Box::new(|_| {
        Engine::new().with_transport(Arc::new(Unruly)).with_secret(
            "ANTHROPIC_ADMIN_API_KEY",
            Secret::new("sk-ant-admin01-made-up-key"),
        )
    }));
    let limits = Limits {
        deadline,
        ..Limits::default()
    };
    Shared::new(
        set,
        backends,
        Gate::default(),
        Approvals::new(Err("nowhere".to_owned()), str::to_owned),
        None,
        Observer::new(|_| ()),
        limits,
    )
}

fn request(id: i64, tool: &str) -> String {
    let request = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": tool, "arguments": {}, "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {} } } });
    format!("{request}\n")
}

#[tokio::test]
async fn a_panic_and_a_hang_are_answered_and_the_server_lives_on() {
    let shared = shared(Duration::from_millis(100));
    let (client, server) = duplex(1 << 20);
    let (read, write) = tokio::io::split(server);
    let serving = {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move { stdio::serve_over(&shared, read, write).await })
    };
    let (read, mut write) = tokio::io::split(client);
    let mut lines = BufReader::new(read).lines();
    for (id, tool, kind) in [
        (1, "anthropic_admin_get_organization", "internal"),
        (2, "anthropic_admin_list_workspaces", "network"),
        (3, "anthropic_admin_get_organization", "internal"),
    ] {
        write
            .write_all(request(id, tool).as_bytes())
            .await
            .expect("a pipe");
        let line = tokio::time::timeout(Duration::from_secs(20), lines.next_line()).await;
        let line = line
            .expect("an answer in time")
            .expect("a pipe")
            .expect("a line");
        let answer: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(answer["id"], id);
        assert_eq!(answer["result"]["isError"], true, "{answer}");
        let text = answer["result"]["content"][0]["text"]
            .as_str()
            .expect("a text");
        let error: Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(error["error"]["kind"], kind, "{error}");
        assert!(!text.contains("transport is broken"), "{text}");
    }
    drop(write);
    drop(lines);
    assert_eq!(serving.await.expect("no panic"), Ok(()));
}
