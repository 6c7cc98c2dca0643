//! The auth kinds on the wire: access tokens, signatures, secrets from commands, and base URLs that depend on settings
//! or on values that came with a token.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

use crate::support::{Fake, Manner, Output, Reply, Request, Workspace, output};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use toolrun::{Call, Catalog, Engine, Error, ErrorKind, Secret, Tool};
use url::Url;

const GET: &str = "request: { method: GET, path: /probe }";
const QUICK: &str = "retry: { max_attempts: 2, base_delay: 1ms, max_delay: 1s }";

fn tool(workspace: &Workspace, name: &str) -> Arc<Tool> {
    let catalog = Catalog::empty().with_folder(workspace.descriptors());
    catalog.tool(name).expect("a valid tool")
}

fn engine() -> Engine {
    Engine::new()
        .with_secret("CLIENT_SECRET", Secret::new("hush-12345678"))
        .with_secret("REFRESH_TOKEN", Secret::new("refresh-0"))
}

/// A service with client credentials and its own token endpoint.
fn oauth(fake: &Fake, more: &str) -> Workspace {
    let workspace = Workspace::new();
    let auth = format!(
        "{QUICK}\nauth: {{ kind: oauth2, grant: client_credentials, token_url: '{}/token', client_id: me, client_secret: {{ env: CLIENT_SECRET }}{more} }}",
        fake.origin()
    );
    workspace.service(&fake.origin(), &auth);
    workspace.tool("get-probe", "read", GET);
    workspace.tool(
        "do-probe",
        "write",
        "request: { method: POST, path: /probe }",
    );
    workspace
}

fn token(number: usize, expires_in: u64) -> Reply {
    let token = format!("token-number-{number}");
    Reply::json(
        200,
        &json!({ "access_token": token, "token_type": "Bearer", "expires_in": expires_in }),
    )
}

/// A service that gives numbered tokens, of which the first is valid for `first` seconds and the others for an hour,
/// and answers as `probe` says.
fn numbered(first: u64, probe: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Fake {
    let count = AtomicUsize::new(0);
    Fake::start(move |request| {
        if request.path != "/token" {
            return probe(request);
        }
        // Gives other calls time to ask, too.
        sleep(Duration::from_millis(50));
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        token(number, if number == 1 { first } else { 3600 })
    })
}

fn token_requests(fake: &Fake) -> Vec<Request> {
    let mut requests = fake.requests();
    requests.retain(|request| request.path == "/token");
    requests
}

fn authorizations(fake: &Fake) -> Vec<String> {
    let probes = fake
        .requests()
        .into_iter()
        .filter(|request| request.path == "/probe");
    probes
        .map(|request| request.header("authorization").unwrap_or("none").to_owned())
        .collect()
}

// Access tokens

#[tokio::test]
async fn a_token_is_asked_for_once_and_used_until_it_expires() {
    let fake = numbered(3600, |_| Reply::ok());
    let workspace = oauth(
        &fake,
        ", scope: 'a b', params: { audience: 'https://x/' }, headers: { x-more: '1' }",
    );
    let (engine, tool) = (engine(), tool(&workspace, "get-probe"));
    for _ in 0..3 {
        engine
            .call(Call::new(&tool, json!({})))
            .await
            .expect("an answer");
    }
    assert_eq!(authorizations(&fake), ["Bearer token-number-1"; 3]);
    let [request] = token_requests(&fake).try_into().expect("one");
    assert_eq!(request.method, "POST");
    assert_eq!(
        String::from_utf8(request.body.clone()).unwrap(),
        "grant_type=client_credentials&scope=a+b&audience=https%3A%2F%2Fx%2F"
    );
    // `me:hush-12345678` in base64.
    for (name, value) in [
        ("authorization", "Basic bWU6aHVzaC0xMjM0NTY3OA=="),
        ("content-type", "application/x-www-form-urlencoded"),
        ("accept", "application/json"),
        ("x-more", "1"),
    ] {
        assert_eq!(request.header(name), Some(value));
    }
}

#[tokio::test]
async fn the_secret_may_go_into_the_body_and_the_token_elsewhere() {
    let fake = Fake::start(|request| match request.path.as_str() {
        "/token" => Reply::json(200, &json!({ "data": { "key": "token-in-data" } })),
        _ => Reply::ok(),
    });
    let workspace = oauth(
        &fake,
        ", client_auth: body, params: { grant_type: account_credentials, password: { env: REFRESH_TOKEN } }, \
         name: X-Token, prefix: '', response: { access_token: $.data.key }",
    );
    engine()
        .call(Call::new(&tool(&workspace, "get-probe"), json!({})))
        .await
        .expect("an answer");
    let body = String::from_utf8(token_requests(&fake)[0].body.clone()).unwrap();
    assert_eq!(
        body,
        "client_id=me&client_secret=hush-12345678&grant_type=account_credentials&password=refresh-0"
    );
    assert_eq!(token_requests(&fake)[0].header("authorization"), None);
    assert_eq!(fake.requests()[1].header("x-token"), Some("token-in-data"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_calls_with_an_expired_token_ask_for_one() {
    let fake = numbered(0, |_| Reply::ok());
    let workspace = oauth(&fake, "");
    let (engine, tool) = (Arc::new(engine()), tool(&workspace, "get-probe"));
    engine
        .call(Call::new(&tool, json!({})))
        .await
        .expect("an answer");
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let (engine, tool) = (Arc::clone(&engine), Arc::clone(&tool));
            tokio::spawn(async move { engine.call(Call::new(&tool, json!({}))).await })
        })
        .collect();
    for call in calls {
        call.await.expect("no panic").expect("an answer");
    }
    assert_eq!(token_requests(&fake).len(), 2);
    let authorizations = authorizations(&fake);
    assert_eq!(authorizations[0], "Bearer token-number-1");
    assert_eq!(authorizations[1..], vec!["Bearer token-number-2"; 50]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_calls_share_a_refusal_too() {
    let fake = Fake::start(|_| {
        sleep(Duration::from_millis(200));
        Reply::json(400, &json!({ "error": "invalid_client" }))
    });
    let workspace = oauth(&fake, "");
    let (engine, tool) = (Arc::new(engine()), tool(&workspace, "get-probe"));
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let (engine, tool) = (Arc::clone(&engine), Arc::clone(&tool));
            tokio::spawn(async move { engine.call(Call::new(&tool, json!({}))).await })
        })
        .collect();
    for call in calls {
        let error = call.await.expect("no panic").expect_err("a refusal");
        assert_eq!(error.kind(), ErrorKind::Secret);
    }
    assert_eq!(fake.requests().len(), 1);
}

#[tokio::test]
async fn an_expired_token_is_renewed() {
    let fake = numbered(1, |_| Reply::ok());
    let (engine, workspace) = (engine(), oauth(&fake, ""));
    let tool = tool(&workspace, "get-probe");
    engine
        .call(Call::new(&tool, json!({})))
        .await
        .expect("an answer");
    engine
        .call(Call::new(&tool, json!({})))
        .await
        .expect("an answer");
    tokio::time::sleep(Duration::from_millis(1000)).await;
    engine
        .call(Call::new(&tool, json!({})))
        .await
        .expect("an answer");
    assert_eq!(
        authorizations(&fake),
        [
            "Bearer token-number-1",
            "Bearer token-number-1",
            "Bearer token-number-2"
        ]
    );
}

#[tokio::test]
async fn a_token_that_is_not_known_any_more_is_renewed_once() {
    let fake = numbered(3600, |request| match request.header("authorization") {
        Some("Bearer token-number-2") => Reply::ok(),
        _ => Reply::json(401, &json!({ "error": "expired" })),
    });
    let (engine, workspace) = (engine(), oauth(&fake, ""));
    engine
        .call(Call::new(&tool(&workspace, "get-probe"), json!({})))
        .await
        .expect("an answer");
    engine
        .call(Call::new(&tool(&workspace, "get-probe"), json!({})))
        .await
        .expect("an answer");
    assert_eq!(token_requests(&fake).len(), 2);
    assert_eq!(
        authorizations(&fake),
        [
            "Bearer token-number-1",
            "Bearer token-number-2",
            "Bearer token-number-2"
        ]
    );
}

#[tokio::test]
async fn a_second_refusal_is_the_answer() {
    let fake = numbered(3600, |_| Reply::json(401, &json!({ "error": "no" })));
    let (engine, workspace) = (engine(), oauth(&fake, ""));
    let outcome = engine
        .call(Call::new(&tool(&workspace, "get-probe"), json!({})))
        .await;
    assert!(matches!(outcome, Err(Error::Upstream(upstream)) if upstream.status == 401));
    assert_eq!(
        (token_requests(&fake).len(), authorizations(&fake).len()),
        (2, 2)
    );
}

#[tokio::test]
async fn a_refresh_token_that_is_replaced_is_not_used_again() {
    let fake = Fake::start(|request| match request.path.as_str() {
        "/token" => {
            let body = String::from_utf8_lossy(&request.body).into_owned();
            let number = match body.as_str() {
                "grant_type=refresh_token&refresh_token=refresh-0" => 1,
                "grant_type=refresh_token&refresh_token=refresh-1" => 2,
                _ => return Reply::json(400, &json!({ "error": "invalid_grant" })),
            };
            let answer = json!({
                "access_token": format!("token-number-{number}"), "expires_in": "0",
                "refresh_token": format!("refresh-{number}"),
            });
            Reply::json(200, &answer)
        }
        _ => Reply::ok(),
    });
    let workspace = Workspace::new();
    workspace.service(
        &fake.origin(),
        &format!(
            "auth: {{ kind: oauth2, grant: refresh_token, token_url: '{}/token', client_id: me, \
             client_secret: {{ env: CLIENT_SECRET }}, refresh_token: {{ env: REFRESH_TOKEN }} }}",
            fake.origin()
        ),
    );
    workspace.tool("get-probe", "read", GET);
    let engine = engine();
    let tool = tool(&workspace, "get-probe");
    engine
        .call(Call::new(&tool, json!({})))
        .await
        .expect("an answer");
    engine
        .call(Call::new(&tool, json!({})))
        .await
        .expect("an answer");
    assert_eq!(
        authorizations(&fake),
        ["Bearer token-number-1", "Bearer token-number-2"]
    );
    let error = engine
        .call(Call::new(&tool, json!({})))
        .await
        .expect_err("refresh-2 is not known");
    assert_eq!(error.kind(), ErrorKind::Secret);
}

#[test]
fn no_token_is_asked_for_before_arguments_and_consent() {
    let fake = numbered(3600, |_| Reply::ok());
    let workspace = oauth(&fake, "");
    let run = |arguments: &[&str]| {
        output(
            workspace
                .toolrun()
                .env("CLIENT_SECRET", "hush-12345678")
                .args(arguments),
        )
    };
    run(&["call", "get-probe", "nope=1"]).expect(2);
    run(&["call", "do-probe"]).expect(5);
    let shown = run(&["call", "get-probe", "--dry-run"]).expect(0);
    assert!(
        shown.stdout.contains("authorization: Bearer ***"),
        "{}",
        shown.stdout
    );
    let curl = run(&["call", "get-probe", "--dry-run=curl"]).expect(0);
    assert!(
        curl.stdout.contains("'authorization: Bearer ***'"),
        "{}",
        curl.stdout
    );
    assert_eq!(fake.requests(), []);
    run(&["call", "get-probe"]).expect(0);
}

#[test]
fn what_goes_wrong_at_the_token_endpoint_is_told() {
    let said = json!({ "error": "invalid_grant", "error_description": "hush-12345678 is wrong" });
    for (reply, code, told) in [
        (
            Reply::json(400, &said),
            4,
            "refused the credential (invalid_grant): *** is wrong",
        ),
        (
            Reply::json(401, &json!({})),
            4,
            "refused the credential (status 401)",
        ),
        (
            Reply::json(400, &json!({ "error": "invalid_scope" })),
            6,
            "token endpoint: invalid_scope",
        ),
        (Reply::json(503, &json!({})), 7, "503"),
        (
            Reply::json(200, &json!({ "ok": false, "error": "no_team" })),
            9,
            "no access token: no_team",
        ),
        (Reply::new(200, "text/html", "<html>"), 9, "no access token"),
        (Reply::redirect(307, "/elsewhere"), 5, "not followed"),
        (Reply::redirect(302, "/elsewhere"), 6, "302"),
        (Reply::manner(Manner::Drop), 8, "failed"),
    ] {
        let fake = Fake::script([reply]);
        let workspace = oauth(&fake, "");
        let output = output(
            workspace
                .toolrun()
                .env("CLIENT_SECRET", "hush-12345678")
                .args(["call", "get-probe", "-v"]),
        )
        .expect(code);
        assert!(output.stderr.contains(told), "{told}: {}", output.stderr);
        assert!(!output.stderr.contains("hush"), "{}", output.stderr);
        assert!(
            fake.targets().iter().all(|target| target == "/token"),
            "{:?}",
            fake.targets()
        );
    }
}

#[tokio::test]
async fn a_stand_in_gives_the_token_too() {
    let fake = numbered(3600, |_| Reply::ok());
    let workspace = Workspace::new();
    workspace.service(
        "https://api.example.com/v1",
        "auth: { kind: oauth2, grant: client_credentials, token_url: 'https://login.example.com/token', client_id: me, \
         client_secret: { env: CLIENT_SECRET } }",
    );
    workspace.tool("get-probe", "read", GET);
    let engine = engine().with_stand_in(Url::parse(&fake.origin()).unwrap());
    engine
        .call(Call::new(&tool(&workspace, "get-probe"), json!({})))
        .await
        .expect("an answer");
    assert_eq!(fake.targets(), ["/token", "/v1/probe"]);
}

#[test]
fn a_sandbox_gives_and_wants_a_token() {
    let workspace = Workspace::new();
    workspace.service(
        "https://api.example.com/v1",
        "auth: { kind: oauth2, grant: client_credentials, token_url: 'https://login.example.com/token', client_id: me, \
         client_secret: { env: CLIENT_SECRET }, response: { access_token: $.data.token } }",
    );
    workspace.tool(
        "get-probe",
        "read",
        "request: { method: GET, path: /probe }",
    );
    workspace.write(
        "descriptors/probe/sandbox.yaml",
        "spec: 1
sandbox: probe
seed: 7
now: '2026-01-01T00:00:00Z'
request_id: r
secrets: { CLIENT_SECRET: made-up-secret }
errors: { body: { error: '{{ message }}' }, codes: {} }
routes: { get-probe: { body: { ok: true } } }
",
    );
    let validated = workspace.run(&["validate", "descriptors"]);
    assert_eq!(
        validated.code, 0,
        "{}{}",
        validated.stdout, validated.stderr
    );
    let called = workspace
        .run(&["call", "get-probe", "--sandbox", "-v", "-o", "json"])
        .expect(0);
    assert!(
        called.stderr.contains("POST http://127.0.0.1"),
        "{}",
        called.stderr
    );
    assert!(
        !called.stderr.contains("sandbox-access-token"),
        "{}",
        called.stderr
    );
}

// Base URLs

/// A service whose origin comes with the token.
fn instance(fake: &Fake, within: &str) -> Workspace {
    let workspace = Workspace::new();
    let text = format!(
        "spec: 1
service: probe
base_url: {{ url: '{{{{ token.instance_url }}}}/services', within: {within} }}
auth:
  kind: oauth2
  grant: client_credentials
  token_url: {}/token
  client_id: me
  client_secret: {{ env: CLIENT_SECRET }}
  response: {{ values: {{ instance_url: $.instance_url }} }}
",
        fake.origin()
    );
    workspace.write("descriptors/probe/service.yaml", text);
    workspace.tool(
        "get-probe",
        "read",
        "request: { method: GET, path: /probe }\npaging: { items: $.data, next_url: $.next }",
    );
    workspace
}

#[tokio::test]
async fn the_origin_that_comes_with_the_token_is_called() {
    let api = Fake::start(|request| {
        let next = match request.query.as_str() {
            "" => json!(format!("{}/services/probe?page=2", request.origin())),
            "page=2" => json!("/services/probe?page=3"),
            _ => Value::Null,
        };
        Reply::json(200, &json!({ "data": [1], "next": next }))
    });
    let origin = api.origin();
    let login = Fake::start(move |_| {
        Reply::json(
            200,
            &json!({ "access_token": "token-1234", "instance_url": origin }),
        )
    });
    let workspace = instance(&login, "any");
    let (engine, tool) = (engine(), tool(&workspace, "get-probe"));
    let plan = engine.plan(&Call::new(&tool, json!({}))).unwrap();
    assert_eq!(plan.masked_url(), "{token.instance_url}/services/probe");
    let outcome = engine
        .call_all(Call::new(&tool, json!({})))
        .await
        .expect("pages");
    assert_eq!(outcome.pages, 3);
    assert_eq!(
        api.targets(),
        [
            "/services/probe",
            "/services/probe?page=2",
            "/services/probe?page=3"
        ]
    );
    assert!(
        api.requests()
            .iter()
            .all(|r| r.header("authorization") == Some("Bearer token-1234"))
    );
    assert_eq!(login.targets(), ["/token"]);
}

#[tokio::test]
async fn the_origin_that_comes_with_the_token_lies_within_its_domains() {
    for (told, why) in [
        ("https://evil.test", "outside"),
        ("https://example.com.evil.test", "outside"),
        ("https://10.0.0.1", "outside"),
        ("https://me@x.example.com", "no origin"),
        ("ftp://x.example.com", "not HTTP"),
        ("", "no origin"),
    ] {
        let login = Fake::script([Reply::json(
            200,
            &json!({ "access_token": "token-1234", "instance_url": told }),
        )]);
        let workspace = instance(&login, "[example.com]");
        let error = engine()
            .call(Call::new(&tool(&workspace, "get-probe"), json!({})))
            .await
            .expect_err(told);
        assert!(error.to_string().contains(why), "{told}: {error}");
    }
    let login = Fake::script([Reply::json(200, &json!({ "access_token": "token-1234" }))]);
    let workspace = instance(&login, "[example.com]");
    let error = engine()
        .call(Call::new(&tool(&workspace, "get-probe"), json!({})))
        .await
        .expect_err("nothing");
    assert!(error.to_string().contains("token.instance_url"), "{error}");
}

fn with_setting(base_url: &str, setting: &str) -> Workspace {
    let workspace = Workspace::new();
    let text = format!(
        "spec: 1\nservice: probe\nbase_url: {base_url}\nsettings: {{ account: {setting} }}\n"
    );
    workspace.write("descriptors/probe/service.yaml", text);
    workspace.tool("get-probe", "read", GET);
    workspace
}

#[test]
fn a_setting_fills_its_place_in_the_host_and_no_other() {
    let workspace = with_setting(
        "'https://{{ settings.account }}.example.com/v1'",
        "{ env: ACCOUNT, pattern: '^[^ ]+$', example: acme }",
    );
    let shown = |account: &str| -> Output {
        let set = format!("account={account}");
        workspace.run(&["call", "get-probe", "--dry-run", "--set", &set])
    };
    let good = shown("acme-1").expect(0);
    assert!(
        good.stdout
            .contains("GET /v1/probe HTTP/1.1\nhost: acme-1.example.com"),
        "{}",
        good.stdout
    );
    for bad in [
        "evil.test/",
        "evil.test#",
        "evil.test?",
        "a@b",
        "a:1",
        "a.b",
        "",
        "-a",
    ] {
        shown(bad).expect(2);
    }
    workspace.tool(
        "get-other",
        "read",
        "request: { method: GET, path: /other }\nexamples: [{ name: one, request: { method: GET, url: 'https://acme.example.com/v1/other' } }]",
    );
    workspace.run(&["validate", "descriptors"]).expect(0);
    workspace.run(&["test", "descriptors"]).expect(0);
    let missing = workspace.run(&["call", "get-probe", "--dry-run"]).expect(2);
    assert!(missing.stderr.contains("ACCOUNT"), "{}", missing.stderr);
}

#[tokio::test]
async fn a_setting_may_be_the_whole_origin_where_the_service_says_so() {
    let fake = Fake::script([Reply::ok()]);
    let workspace = with_setting(
        "{ url: '{{ settings.account }}/api', within: any }",
        "{ env: ACCOUNT }",
    );
    let tool = tool(&workspace, "get-probe");
    let engine = Engine::new().with_setting("account", format!("{}/gitlab/", fake.origin()));
    engine
        .call(Call::new(&tool, json!({})))
        .await
        .expect("an answer");
    assert_eq!(fake.targets(), ["/gitlab/api/probe"]);
    for bad in [
        "https://10.0.0.1",
        "http://example.com",
        "https://a@b.c",
        "x",
    ] {
        let engine = Engine::new().with_setting("account", bad);
        assert!(
            engine.call(Call::new(&tool, json!({}))).await.is_err(),
            "{bad}"
        );
    }
}

#[test]
fn a_folder_that_nobody_named_draws_no_secret_of_a_built_in_service_elsewhere() {
    let secret = "{ env: ANTHROPIC_ADMIN_API_KEY }";
    for (base_url, auth) in [
        (
            "https://api.anthropic.com",
            format!(
                "{{ kind: oauth2, grant: client_credentials, token_url: 'https://evil.test/t', client_id: x, client_secret: {secret} }}"
            ),
        ),
        (
            "'https://{{ settings.account }}.evil.test'",
            format!("{{ kind: bearer, secret: {secret} }}"),
        ),
        (
            "{ url: '{{ settings.account }}', within: any }",
            format!("{{ kind: bearer, secret: {secret} }}"),
        ),
    ] {
        let workspace = Workspace::new();
        let service = format!(
            "spec: 1\nservice: probe\nbase_url: {base_url}\nsettings: {{ account: {{ default: x, pattern: x }} }}\nauth: {auth}\n"
        );
        workspace.write("tools/probe/service.yaml", service);
        let tool = format!(
            "spec: 1\ntool: get-probe\nservice: probe\ndescription: A probe.\naccess: read\n{GET}\n"
        );
        workspace.write("tools/probe/get-probe.yaml", tool);
        let output = output(
            workspace
                .toolrun()
                .env("ANTHROPIC_ADMIN_API_KEY", "sk-ant-admin-1")
                .args(["call", "get-probe"]),
        )
        .expect(5);
        assert!(
            output.stderr.contains("may not do that"),
            "{}",
            output.stderr
        );
    }
}

// Signatures

#[tokio::test]
async fn each_try_is_signed_anew() {
    let auth = "auth:
  kind: hmac
  algorithm: sha256
  secret: { env: CLIENT_SECRET }
  message: '{{ method }} {{ path }} {{ timestamp_ms }} {{ nonce }} {{ body }}'
  name: x-signature
  headers: { x-time: '{{ timestamp_ms }}', x-nonce: '{{ nonce }}' }
retry: { max_attempts: 2, base_delay: 20ms, max_delay: 1s }";
    let fake = Fake::script([
        Reply::json(503, &json!({})).with("retry-after", "0.02"),
        Reply::ok(),
    ]);
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), auth);
    workspace.tool(
        "put-probe",
        "read",
        "request: { method: PUT, path: /probe, body: { json: { a: 1 } } }",
    );
    engine()
        .call(Call::new(&tool(&workspace, "put-probe"), json!({})))
        .await
        .expect("an answer");
    let [first, second] = fake.requests().try_into().expect("two tries");
    for name in ["x-signature", "x-time", "x-nonce"] {
        assert_ne!(first.header(name), second.header(name), "{name}");
    }
    let message = |request: &Request| {
        let header = |name: &str| request.header(name).unwrap_or_default().to_owned();
        format!(
            "PUT /probe {} {} {{\"a\":1}}",
            header("x-time"),
            header("x-nonce")
        )
    };
    for request in [first, second] {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"hush-12345678");
        let tag = ring::hmac::sign(&key, message(&request).as_bytes());
        let hex: String = tag
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(request.header("x-signature"), Some(hex.as_str()));
    }
}

#[test]
fn a_signature_is_shown_masked_and_a_command_says_that_it_cannot_run() {
    let workspace = Workspace::new();
    workspace.service(
        "https://sqs.eu-central-1.amazonaws.com",
        "auth: { kind: aws_sigv4, region: eu-central-1, service: sqs, access_key_id: { env: AWS_ACCESS_KEY_ID }, \
         secret_access_key: { env: AWS_SECRET_ACCESS_KEY }, session_token: { env: AWS_SESSION_TOKEN } }",
    );
    workspace.tool("get-probe", "read", GET);
    let http = workspace
        .run(&["call", "get-probe", "--dry-run"])
        .expect(0)
        .stdout;
    for line in [
        "authorization: AWS4-HMAC-SHA256 ***\n",
        "x-amz-date: {timestamp}\n",
        "x-amz-security-token: ***\n",
    ] {
        assert!(http.contains(line), "{line}: {http}");
    }
    let curl = workspace
        .run(&["call", "get-probe", "--dry-run=curl"])
        .expect(0)
        .stdout;
    assert!(
        curl.starts_with("# x-amz-date, authorization depends on"),
        "{curl}"
    );
    assert!(curl.contains("AWS4-HMAC-SHA256 ***"), "{curl}");
    assert!(
        curl.contains("x-amz-security-token: ${AWS_SESSION_TOKEN}"),
        "{curl}"
    );
}

#[tokio::test]
async fn a_session_token_that_is_not_set_is_left_out() {
    let fake = Fake::script([Reply::ok()]);
    let workspace = Workspace::new();
    workspace.service(
        &fake.origin(),
        "auth:
  - { kind: aws_sigv4, region: r, service: s, access_key_id: { env: CLIENT_SECRET }, secret_access_key: { env: REFRESH_TOKEN }, session_token: { env: NO_SUCH_TOKEN_HERE } }
  - { kind: headers, headers: { x-key: { env: CLIENT_SECRET } } }",
    );
    workspace.tool("get-probe", "read", GET);
    engine()
        .call(Call::new(&tool(&workspace, "get-probe"), json!({})))
        .await
        .expect("an answer");
    let request = fake.only_request();
    assert_eq!(request.header("x-amz-security-token"), None);
    let authorization = request.header("authorization").expect("a signature");
    assert!(
        authorization.contains("SignedHeaders=accept;host;x-amz-date;x-key,"),
        "{authorization}"
    );
}

#[test]
fn a_key_that_is_not_written_as_it_should_be_is_told() {
    let workspace = Workspace::new();
    workspace.service(
        "http://127.0.0.1:1",
        "auth: { kind: hmac, algorithm: sha256, secret: { env: KEY }, key_encoding: base64, message: '{{ path }}', name: x }",
    );
    workspace.tool("get-probe", "read", GET);
    let output = output(
        workspace
            .toolrun()
            .env("KEY", "canary!")
            .args(["call", "get-probe"]),
    )
    .expect(4);
    assert!(
        output.stderr.contains("the secret KEY is no base64"),
        "{}",
        output.stderr
    );
    assert!(!output.stderr.contains("canary"), "{}", output.stderr);
}

#[tokio::test]
async fn a_signed_request_follows_no_redirect() {
    let fake = Fake::script([Reply::redirect(302, "/elsewhere"), Reply::ok()]);
    let workspace = Workspace::new();
    workspace.service(
        &fake.origin(),
        "auth: { kind: hmac, algorithm: sha256, secret: { env: CLIENT_SECRET }, message: '{{ path }}', name: x }",
    );
    workspace.tool("get-probe", "read", GET);
    let error = engine()
        .call(Call::new(&tool(&workspace, "get-probe"), json!({})))
        .await
        .expect_err("a redirect");
    assert_eq!(error.kind(), ErrorKind::Policy);
    assert_eq!(fake.requests().len(), 1);
}

#[test]
fn an_expression_that_fails_over_a_secret_does_not_quote_it() {
    let workspace = Workspace::new();
    workspace.service(
        "http://127.0.0.1:1",
        "auth: { kind: hmac, algorithm: sha256, secret: { env: KEY }, key_id: { env: KEY }, message: '{{ key_id | int }} {{ key_id | b64decode }}', name: x }",
    );
    workspace.tool("get-probe", "read", GET);
    let output = output(
        workspace
            .toolrun()
            .env("KEY", "canary-of-a-key")
            .args(["call", "get-probe"]),
    )
    .expect(2);
    assert!(!output.stderr.contains("canary"), "{}", output.stderr);
}

// Secrets of commands and keyrings

#[cfg(unix)]
fn command(fake: &Fake, command: &str) -> Workspace {
    let workspace = Workspace::new();
    let auth = format!("auth: {{ kind: bearer, secret: {{ command: {command} }} }}");
    workspace.service(&fake.origin(), &auth);
    workspace.tool("get-probe", "read", GET);
    workspace
}

#[cfg(unix)]
#[test]
#[ignore = "long"]
fn a_command_runs_only_where_the_user_trusts_its_folder() {
    let fake = Fake::script([Reply::ok()]);
    let workspace = command(&fake, "[sh, -c, 'touch ran; echo secret-of-a-command']");
    let refused = workspace.run(&["call", "get-probe"]).expect(5);
    assert!(refused.stderr.contains("--trust"), "{}", refused.stderr);
    for elsewhere in ["elsewhere", "desc"] {
        fs::create_dir(workspace.path().join(elsewhere)).expect("a folder");
        workspace
            .run(&["call", "get-probe", "--trust", elsewhere])
            .expect(5);
    }
    workspace.run(&["validate"]).expect(0);
    workspace
        .run(&["call", "get-probe", "--dry-run", "--trust", "descriptors"])
        .expect(0);
    assert!(!workspace.path().join("ran").exists());
    assert_eq!(fake.requests(), []);
    workspace
        .run(&["call", "get-probe", "--trust", "descriptors"])
        .expect(0);
    output(
        workspace
            .toolrun()
            .env("TOOLRUN_TRUST", "elsewhere:descriptors/probe")
            .args(["call", "get-probe"]),
    )
    .expect(0);
    for request in fake.requests() {
        assert_eq!(
            request.header("authorization"),
            Some("Bearer secret-of-a-command")
        );
    }
}

#[cfg(unix)]
#[test]
fn a_link_from_a_trusted_folder_does_not_make_its_target_trusted() {
    let fake = Fake::script([Reply::ok()]);
    let workspace = command(&fake, "[echo, secret-of-a-command]");
    fs::create_dir(workspace.path().join("trusted")).expect("a folder");
    std::os::unix::fs::symlink(
        "../descriptors/probe",
        workspace.path().join("trusted/probe"),
    )
    .expect("a link");
    workspace
        .run(&[
            "--tools",
            "trusted",
            "call",
            "get-probe",
            "--trust",
            "trusted",
        ])
        .expect(5);
}

#[cfg(unix)]
#[test]
fn a_command_that_fails_is_told_without_its_words() {
    let fake = Fake::script([Reply::ok()]);
    let workspace = command(&fake, "[sh, -c, 'echo canary; echo canary >&2; exit 7']");
    let output = workspace
        .run(&["call", "get-probe", "--trust", "."])
        .expect(4);
    assert!(
        output.stderr.contains("exit status: 7"),
        "{}",
        output.stderr
    );
    let told = output.stderr.replace("echo canary", "");
    assert!(!told.contains("canary"), "{}", output.stderr);
    assert_eq!(fake.requests(), []);
}

#[test]
fn an_entry_that_the_keyring_does_not_have_is_told() {
    let workspace = Workspace::new();
    workspace.service(
        "http://127.0.0.1:1",
        "auth: { kind: bearer, secret: { keyring: { service: toolrun-test, account: nobody }, help: Ask Jo. } }",
    );
    workspace.tool("get-probe", "read", GET);
    let output = workspace.run(&["call", "get-probe"]).expect(4);
    assert!(
        output.stderr.contains("toolrun-test/nobody"),
        "{}",
        output.stderr
    );
}

#[test]
fn no_built_in_descriptor_runs_a_command() {
    let tools = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/**/*.yaml");
    for path in glob::glob(tools)
        .expect("a glob")
        .map(|path| path.expect("a path"))
    {
        let text = fs::read_to_string(&path).expect("a file");
        assert!(!text.contains("command:"), "{}", path.display());
    }
}
