//! Services of other kinds, each only described in YAML: what is sent, and what output their responses give.

use std::path::Path;
use std::sync::Arc;

use crate::support::{Fake, Reply, Request};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use toolrun::internals::check;
use toolrun::{Access, Call, Catalog, Destination, Engine, Error, Files, Secret, Tool};

fn tool(name: &str) -> Arc<Tool> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/services");
    let catalog = Catalog::empty().with_folder(folder);
    catalog.tool(name).expect("a valid tool")
}

/// An engine that sends everything to the fake, with these secrets.
fn engine(fake: &Fake, secrets: &[(&str, &str)]) -> Engine {
    let origin = fake.origin().parse().expect("an origin");
    let engine = Engine::new().with_stand_in(origin);
    let give = |engine: Engine, (name, value): &(&str, &str)| {
        engine.with_secret(*name, Secret::new(*value))
    };
    secrets.iter().fold(engine, give)
}

/// A call that may write.
fn writing(tool: &Arc<Tool>, arguments: Value) -> Call {
    Call::new(tool, arguments).consent(Access::Write)
}

/// The request line, the named headers and the body, as received.
fn told(request: &Request, headers: &[&str]) -> Vec<String> {
    let mut lines = vec![format!("{} {}", request.method, request.target())];
    for name in headers {
        lines.push(format!("{name}: {}", request.header(name).unwrap_or("-")));
    }
    if !request.body.is_empty() {
        lines.push(String::from_utf8_lossy(&request.body).into_owned());
    }
    lines
}

#[test]
fn the_descriptors_are_sound() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/services");
    let report = check::paths(&[folder.display().to_string()]).expect("the folder is there");
    assert_eq!(report.findings.len(), 0, "{:?}", report.findings);
    assert!(report.files.len() >= 18, "{:?}", report.files);
}

/// OAuth 2.0 client credentials, params that are no identifiers, and a next link in the body.
#[tokio::test]
async fn microsoft_graph() {
    let fake = Fake::start(|request| match request.path.as_str() {
        "/contoso.test/oauth2/v2.0/token" => Reply::json(
            200,
            &json!({ "token_type": "Bearer", "expires_in": 3599, "access_token": "made-up" }),
        ),
        "/v1.0/users" if request.query.contains("skiptoken") => Reply::json(
            200,
            &json!({ "value": [{ "id": "3", "displayName": "Ann", "mail": null }] }),
        ),
        "/v1.0/users" => {
            let next = format!("{}/v1.0/users?$top=2&$skiptoken=x", request.origin());
            let users =
                json!([{ "id": "1", "displayName": "Al" }, { "id": "2", "displayName": "Amy" }]);
            Reply::json(
                200,
                &json!({ "@odata.count": 3, "@odata.nextLink": next, "value": users }),
            )
        }
        _ => Reply::new(404, "text/plain", "no"),
    });
    let secrets = [("GRAPH_CLIENT_ID", "me"), ("GRAPH_CLIENT_SECRET", "a b&c")];
    let engine = engine(&fake, &secrets).with_setting("tenant", "contoso.test");
    let arguments = json!({ "$filter": "startswith(displayName,'A')", "$select": ["id", "displayName"], "$top": 2 });
    let tool = tool("list-users");
    let plan = engine
        .plan(&writing(&tool, arguments.clone()))
        .expect("a plan");
    let url = plan.masked_url();
    let target = url.split('?').next().unwrap_or_default();
    assert!(target.ends_with("/v1.0/users"), "{url}");
    let outcome = engine
        .call_all(writing(&tool, arguments))
        .await
        .expect("two pages");
    let output = outcome.output.value().unwrap();
    let names: Vec<&Value> = output["users"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|user| &user["name"])
        .collect();
    assert_eq!(names, ["Al", "Amy", "Ann"]);
    let requests = fake.requests();
    assert_eq!(
        told(&requests[0], &["content-type", "authorization"]),
        [
            "POST /contoso.test/oauth2/v2.0/token",
            "content-type: application/x-www-form-urlencoded",
            "authorization: -",
            "grant_type=client_credentials&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default&client_id=me&client_secret=a+b%26c",
        ]
    );
    assert_eq!(
        told(&requests[1], &["authorization", "consistencylevel"]),
        [
            "GET /v1.0/users?%24filter=startswith%28displayName%2C%27A%27%29&%24select=id,displayName&%24top=2&%24count=true",
            "authorization: Bearer made-up",
            "consistencylevel: eventual",
        ]
    );
    assert_eq!(requests.len(), 3, "one token for both pages");
}

/// GraphQL, a host that carries the account, and errors in a 200.
#[tokio::test]
async fn shopify() {
    let products = json!({ "data": { "products": {
        "nodes": [{ "id": "gid://shopify/Product/1", "title": "Hat" }],
        "pageInfo": { "hasNextPage": false, "endCursor": "c1" },
    } } });
    let fake = Fake::script([
        Reply::json(200, &products),
        Reply::json(
            200,
            &json!({ "errors": [{ "message": "Throttled", "extensions": { "code": "THROTTLED" } }] }),
        ),
    ]);
    let tool = tool("list-products");
    let outside = Engine::new().with_setting("shop", "hats");
    let plan = outside.plan(&writing(&tool, json!({}))).expect("a plan");
    assert_eq!(
        plan.masked_url(),
        "https://hats.myshopify.com/admin/api/2026-10/graphql.json"
    );
    for shop in ["evil.test/", "a.b", "hats.myshopify.com@evil", ""] {
        let outside = Engine::new().with_setting("shop", shop);
        assert!(outside.plan(&writing(&tool, json!({}))).is_err(), "{shop}");
    }
    let engine = engine(&fake, &[("SHOPIFY_TOKEN", "shpat_made-up")]).with_setting("shop", "hats");
    let outcome = engine
        .call(writing(&tool, json!({ "search": "title:\"hat\"" })))
        .await;
    assert_eq!(
        outcome.expect("an answer").output.value().unwrap()["products"][0]["title"],
        "Hat"
    );
    let request = &fake.requests()[0];
    assert_eq!(
        told(request, &["x-shopify-access-token", "content-type"])[..3],
        [
            "POST /admin/api/2026-10/graphql.json",
            "x-shopify-access-token: shpat_made-up",
            "content-type: application/json",
        ]
    );
    let body: Value = serde_json::from_slice(&request.body).expect("JSON");
    assert_eq!(
        body["variables"],
        json!({ "first": 50, "search": "title:\"hat\"" })
    );
    assert!(
        body["query"]
            .as_str()
            .expect("a query")
            .starts_with("query ($first: Int!")
    );
    let refused = engine
        .call(writing(&tool, json!({})))
        .await
        .expect_err("an error");
    let Error::Upstream(upstream) = refused else {
        panic!("{refused}");
    };
    assert_eq!(upstream.code.as_deref(), Some("THROTTLED"));
    assert_eq!(upstream.message.as_deref(), Some("Throttled"));
}

/// A form with nested keys, and a key that makes a POST safe to send again.
#[tokio::test]
async fn stripe() {
    let fake = Fake::script([
        Reply::json(503, &json!({})).with("retry-after", "0"),
        Reply::json(
            200,
            &json!({ "id": "cs_1", "url": "https://pay.test", "expires_at": 1 }),
        ),
    ]);
    let engine = engine(&fake, &[("STRIPE_KEY", "sk_test_made-up")]);
    let arguments = json!({
        "line_items": [{ "price": "price_1", "quantity": 2 }, { "price": "price_2", "quantity": 1 }],
        "success_url": "https://shop.test/done?x=1",
        "metadata": { "order id": "7" },
        "payment_method_types": ["card", "link"],
    });
    let outcome = engine
        .call(writing(&tool("create-checkout-session"), arguments))
        .await;
    assert_eq!(
        outcome.expect("an answer").output.value().unwrap()["id"],
        "cs_1"
    );
    let requests = fake.requests();
    assert_eq!(
        told(&requests[0], &["authorization", "content-type"]),
        [
            "POST /v1/checkout/sessions",
            "authorization: Basic c2tfdGVzdF9tYWRlLXVwOg==",
            "content-type: application/x-www-form-urlencoded",
            "mode=payment&line_items%5B0%5D%5Bprice%5D=price_1&line_items%5B0%5D%5Bquantity%5D=2\
             &line_items%5B1%5D%5Bprice%5D=price_2&line_items%5B1%5D%5Bquantity%5D=1\
             &success_url=https%3A%2F%2Fshop.test%2Fdone%3Fx%3D1&metadata%5Border+id%5D=7\
             &payment_method_types%5B%5D=card&payment_method_types%5B%5D=link",
        ]
    );
    let key = requests[0].header("idempotency-key").expect("a key");
    assert_eq!(key.len(), 36, "{key}");
    assert_eq!(requests[1].header("idempotency-key"), Some(key));
    assert_eq!(requests[1].body, requests[0].body);
}

/// AWS Signature Version 4, and a content type of the vendor's own.
#[tokio::test]
async fn dynamodb() {
    let fake = Fake::script([Reply::json(200, &json!({ "Item": { "id": { "S": "a" } } }))]);
    let secrets = [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "made-up"),
    ];
    let engine = engine(&fake, &secrets);
    let arguments = json!({ "table": "things", "key": { "id": { "S": "a" } } });
    let outcome = engine.call(writing(&tool("get-item"), arguments)).await;
    assert_eq!(
        outcome.expect("an answer").output.value().unwrap(),
        json!({ "item": { "id": { "S": "a" } } })
    );
    let request = &fake.requests()[0];
    assert_eq!(
        told(request, &["content-type", "x-amz-target"]),
        [
            "POST /",
            "content-type: application/x-amz-json-1.0",
            "x-amz-target: DynamoDB_20120810.GetItem",
            r#"{"TableName":"things","Key":{"id":{"S":"a"}},"ConsistentRead":false}"#,
        ]
    );
    let date = request.header("x-amz-date").expect("a date");
    let authorization = request.header("authorization").expect("a signature");
    let scope = format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{}/eu-central-1/dynamodb/aws4_request, SignedHeaders=",
        &date[..8]
    );
    assert!(authorization.starts_with(&scope), "{authorization}");
    let signed = authorization
        .split("SignedHeaders=")
        .nth(1)
        .expect("headers");
    for name in ["content-type", "host", "x-amz-date", "x-amz-target"] {
        assert!(signed.contains(name), "{name} in {signed}");
    }
}

/// Uploads of a file and of base64, and a download.
#[tokio::test]
async fn files() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let path = folder.path().join("a.bin");
    std::fs::write(&path, b"\x00\x01\xff").expect("a file");
    let fake = Fake::start(|request| match request.method.as_str() {
        "POST" => Reply::json(200, &json!({ "id": "file_1", "bytes": 3 })),
        _ => Reply::new(200, "application/octet-stream", vec![0, 1, 255])
            .with("content-disposition", "attachment; filename=\"../b.bin\""),
    });
    let engine = engine(&fake, &[("FILES_TOKEN", "made-up")]);
    let sending = |tool: &Arc<Tool>, arguments: Value| {
        writing(tool, arguments).files(Files::Below(folder.path().into()))
    };
    let arguments = json!({ "file": path, "labels": { "a": "b" } });
    let outcome = engine.call(sending(&tool("upload-file"), arguments)).await;
    assert_eq!(
        outcome.expect("an answer").output.value().unwrap()["bytes"],
        3
    );
    let upload = &fake.requests()[0];
    let kind = upload.header("content-type").expect("a content type");
    let boundary = kind
        .strip_prefix("multipart/form-data; boundary=")
        .expect("a boundary");
    let mut expected = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"labels\"\r\nContent-Type: application/json\r\n\r\n{{\"a\":\"b\"}}\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    )
    .into_bytes();
    expected.extend(b"\x00\x01\xff");
    expected.extend(format!("\r\n--{boundary}--\r\n").bytes());
    assert_eq!(
        String::from_utf8_lossy(&upload.body),
        String::from_utf8_lossy(&expected)
    );

    let elsewhere = json!({ "file": "/etc/hostname" });
    let refused = engine.call(sending(&tool("upload-file"), elsewhere)).await;
    assert!(refused.is_err(), "a file outside the folder");

    let picture = json!({ "picture": "iVBORw==", "name": "a \"b\".png" });
    engine
        .call(sending(&tool("upload-picture"), picture))
        .await
        .expect("an answer");
    let body = String::from_utf8_lossy(&fake.requests()[1].body).into_owned();
    assert!(body.contains("filename=\"a %22b%22.png\""), "{body}");
    assert!(
        fake.requests()[1]
            .body
            .windows(4)
            .any(|window| window == b"\x89PNG")
    );

    let to = folder.path().join("down.bin");
    let arguments = json!({ "id": "file/1" });
    let destination = Destination::new(&to);
    let outcome = engine
        .download(writing(&tool("download-file"), arguments), &destination)
        .await
        .expect("a file");
    assert_eq!(outcome.output.value().unwrap()["bytes"], 3);
    assert_eq!(outcome.output.value().unwrap()["filename"], "b.bin");
    assert_eq!(std::fs::read(&to).expect("the file"), b"\x00\x01\xff");
    assert_eq!(fake.requests()[2].path, "/v1/files/file%2F1/content");
}

/// An API that answers errors with a 200, one of which asks for another try.
#[tokio::test]
async fn slack() {
    let fake = Fake::script([
        Reply::json(200, &json!({ "ok": false, "error": "ratelimited" })).with("retry-after", "0"),
        Reply::json(200, &json!({ "ok": true, "channel": "C1", "ts": "1.2" })),
        Reply::json(200, &json!({ "ok": false, "error": "channel_not_found" })),
    ]);
    let engine = engine(&fake, &[("SLACK_TOKEN", "xoxb-made-up")]);
    let tool = tool("post-message");
    let arguments = json!({ "channel": "C1", "text": "é\n\"hi\"" });
    let outcome = engine.call(writing(&tool, arguments.clone())).await;
    assert_eq!(
        outcome.expect("an answer").output.value().unwrap(),
        json!({ "channel": "C1", "ts": "1.2" })
    );
    assert_eq!(
        told(&fake.requests()[0], &["content-type"]),
        [
            "POST /api/chat.postMessage",
            "content-type: application/json; charset=utf-8",
            "{\"channel\":\"C1\",\"text\":\"é\\n\\\"hi\\\"\"}",
        ]
    );
    let refused = engine
        .call(writing(&tool, arguments))
        .await
        .expect_err("an error");
    let Error::Upstream(upstream) = refused else {
        panic!("{refused}");
    };
    assert_eq!(upstream.code.as_deref(), Some("channel_not_found"));
    assert_eq!(fake.requests().len(), 3);
}

/// An origin from the response that has the access token.
#[tokio::test]
async fn salesforce() {
    let fake = Fake::start(|request| match request.path.as_str() {
        "/services/oauth2/token" => Reply::json(
            200,
            &json!({ "access_token": "made-up", "instance_url": "https://acme.my.salesforce.com" }),
        ),
        _ => Reply::json(200, &json!({ "totalSize": 1, "records": [{ "Id": "1" }] })),
    });
    let secrets = [
        ("SALESFORCE_CLIENT_ID", "me"),
        ("SALESFORCE_CLIENT_SECRET", "hush"),
        ("SALESFORCE_REFRESH_TOKEN", "again"),
    ];
    let engine = engine(&fake, &secrets);
    let arguments = json!({ "q": "SELECT Id FROM Account" });
    let tool = tool("query");
    let shown = Engine::new()
        .plan(&writing(&tool, arguments.clone()))
        .expect("a plan");
    assert_eq!(
        shown.masked_url(),
        "{token.instance_url}/services/data/v62.0/query?q=SELECT%20Id%20FROM%20Account"
    );
    let outcome = engine
        .call(writing(&tool, arguments))
        .await
        .expect("an answer");
    assert_eq!(outcome.output.value().unwrap()["total"], 1);
    let requests = fake.requests();
    assert_eq!(
        told(&requests[0], &[])[1],
        "grant_type=refresh_token&refresh_token=again&client_id=me&client_secret=hush"
    );
    assert_eq!(
        told(&requests[1], &["authorization"]),
        [
            "GET /services/data/v62.0/query?q=SELECT%20Id%20FROM%20Account",
            "authorization: Bearer made-up",
        ]
    );
}

/// A job that is created and then polled until it is done.
#[tokio::test]
async fn replicate() {
    let fake = Fake::start(|request| {
        let urls = json!({ "get": format!("{}/v1/predictions/p1", request.origin()) });
        match request.method.as_str() {
            "POST" => Reply::json(
                201,
                &json!({ "id": "p1", "status": "starting", "urls": urls }),
            ),
            _ => Reply::json(
                200,
                &json!({ "id": "p1", "status": "succeeded", "urls": urls, "output": ["a"], "metrics": { "predict_time": 0.5 } }),
            ),
        }
    });
    let engine = engine(&fake, &[("REPLICATE_API_TOKEN", "made-up")]);
    let arguments = json!({ "version": "v1", "input": { "prompt": "hi" } });
    let outcome = engine
        .call(writing(&tool("create-prediction"), arguments))
        .await;
    assert_eq!(
        outcome.expect("an answer").output.value().unwrap(),
        json!({ "id": "p1", "output": ["a"], "seconds": 0.5 })
    );
    let told: Vec<String> = fake
        .requests()
        .iter()
        .map(|request| format!("{} {}", request.method, request.target()))
        .collect();
    assert_eq!(told, ["POST /v1/predictions", "GET /v1/predictions/p1"]);
}
