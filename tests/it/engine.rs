//! One engine serves any number of services at once.

use std::time::{Duration, Instant};

use serde_json::json;
use toolrun::{Access, Call, Catalog, Engine, ErrorKind};

use crate::support::{Fake, Reply, Workspace};

/// A program that prints a secret may be slow.
#[tokio::test]
#[ignore = "long"]
async fn a_slow_secret_holds_up_no_other_service() {
    let fake = Fake::start(|_| Reply::json(200, &json!({ "ok": true })));
    let workspace = Workspace::new();
    for (service, auth) in [
        (
            "slow",
            "{ kind: bearer, secret: { command: [sh, -c, 'sleep 3; echo made-up-secret'] } }",
        ),
        ("quick", "{ kind: none }"),
    ] {
        workspace.write(
            &format!("descriptors/{service}/service.yaml"),
            format!(
                "spec: 1\nservice: {service}\nbase_url: {}\nauth: {auth}\n",
                fake.origin()
            ),
        );
        workspace.write(
            &format!("descriptors/{service}/get-{service}.yaml"),
            format!(
                "spec: 1\ntool: get-{service}\nservice: {service}\ndescription: A probe.\naccess: read\n\
                 request: {{ method: GET, path: /{service} }}\n"
            ),
        );
    }
    let catalog = Catalog::empty()
        .with_folder(workspace.descriptors())
        .with_trusted_folder(workspace.descriptors());
    let slow = catalog.tool("get-slow").unwrap();
    let quick = catalog.tool("get-quick").unwrap();
    let engine = Engine::new().with_trusted_folder(workspace.descriptors());
    let started = Instant::now();
    let (slow, quick) = tokio::join!(
        async {
            engine.call(Call::new(&slow, json!({}))).await.unwrap();
            started.elapsed()
        },
        async {
            engine.call(Call::new(&quick, json!({}))).await.unwrap();
            started.elapsed()
        },
    );
    assert!(slow >= Duration::from_secs(3), "{slow:?}");
    assert!(quick < slow, "{quick:?} {slow:?}");
    assert_eq!(fake.requests()[0].path, "/quick");
}

/// A call that is made again after nobody knows how it ended carries the key that it had.
#[tokio::test]
async fn a_call_carries_the_idempotency_key_that_it_is_given() {
    let fake = Fake::start(|_| Reply::json(200, &json!({ "ok": true })));
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), "");
    let post = |more: &str| format!("request: {{ method: POST, path: /x{more} }}");
    let header = ", idempotency_key: { header: Idempotency-Key }";
    workspace.tool("keyed", "write", &post(header));
    workspace.tool("plain", "write", &post(""));
    let catalog = Catalog::empty().with_folder(workspace.descriptors());
    let engine = Engine::new();
    for (tool, key, expected) in [
        (
            "keyed",
            Some("made-of-run-and-key"),
            Some("made-of-run-and-key"),
        ),
        ("keyed", None, None),
        ("plain", Some("made-of-run-and-key"), None),
    ] {
        let tool = catalog.tool(tool).unwrap();
        let mut call = Call::new(&tool, json!({})).consent(Access::Write);
        if let Some(key) = key {
            call = call.idempotency_key(key);
        }
        let before = fake.requests().len();
        engine.call(call).await.unwrap();
        let sent = fake.requests().remove(before);
        let sent = sent.header("idempotency-key");
        match expected {
            Some(expected) => assert_eq!(sent, Some(expected), "{}", tool.name),
            // Without one that is given it is random.
            None => assert_eq!(sent.is_some(), tool.name == "keyed", "{}", tool.name),
        }
    }
    let tool = catalog.tool("keyed").unwrap();
    for key in ["", "two\nlines", "é"] {
        let call = Call::new(&tool, json!({})).consent(Access::Write);
        let error = engine.call(call.idempotency_key(key)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{key:?}: {error}");
    }
    assert_eq!(fake.requests().len(), 3);
}
