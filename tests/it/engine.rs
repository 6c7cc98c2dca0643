//! One engine serves any number of services at once.

use std::time::{Duration, Instant};

use serde_json::json;
use toolrun::{Call, Catalog, Engine};

use crate::support::{Fake, Reply, Workspace};

/// A program that prints a secret may be slow.
#[tokio::test]
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
