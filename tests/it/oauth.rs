//! Access tokens of an issuer: `serve --http --callers` as a protected resource (OAuth 2.1, RFC 9728), and the attacks on it.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use pretty_assertions::assert_eq;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use serde_json::{Value, json};

use crate::callers::add;
use crate::serve::{ONLY_PROBE, probe};
use crate::support::mcp::{Http, Response, error, request};
use crate::support::{Fake, MODERN, Manner, Reply, Workspace, output};

const RESOURCE: &str = "https://tools.example.com/mcp";

/// A key that signs.
enum Signer {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Signer {
    /// A made-up key; there is no other that could be made here.
    fn rsa() -> Signer {
        let text = include_str!("../fixtures/oauth/made-up-rsa-key.b64").replace('\n', "");
        let der = STANDARD.decode(text).expect("base64");
        Signer::Rsa(RsaKeyPair::from_pkcs8(&der).expect("a key"))
    }

    fn ec() -> Signer {
        let (kind, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(kind, &random).expect("a key");
        let key = EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &random);
        Signer::Ec(key.expect("a key"))
    }

    fn ed() -> Signer {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        Signer::Ed(Ed25519KeyPair::from_pkcs8(document.as_ref()).expect("a key"))
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Signer::Rsa(_) => "RS256",
            Signer::Ec(_) => "ES256",
            Signer::Ed(_) => "EdDSA",
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Signer::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .expect("a signature");
                signature
            }
            Signer::Ec(key) => key
                .sign(&random, message)
                .expect("a signature")
                .as_ref()
                .to_vec(),
            Signer::Ed(key) => key.sign(message).as_ref().to_vec(),
        }
    }

    fn jwk(&self, id: &str) -> Value {
        match self {
            Signer::Rsa(key) => {
                let key = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(key.public());
                json!({ "kty": "RSA", "kid": id, "n": base64(&key.n), "e": base64(&key.e), "use": "sig", "alg": "RS256" })
            }
            Signer::Ec(key) => {
                let point = key.public_key().as_ref();
                json!({ "kty": "EC", "crv": "P-256", "kid": id, "x": base64(&point[1..33]), "y": base64(&point[33..]) })
            }
            Signer::Ed(key) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "x": base64(key.public_key().as_ref()) })
            }
        }
    }

    /// A token of this key, whatever its header and claims say.
    fn token(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        format!("{message}.{}", base64(&self.sign(message.as_bytes())))
    }
}

fn message(header: &Value, claims: &Value) -> String {
    let part = |part: &Value| base64(part.to_string().as_bytes());
    format!("{}.{}", part(header), part(claims))
}

/// An issuer on loopback, whose keys can be changed.
struct Issuer {
    fake: Fake,
    keys: Arc<Mutex<Value>>,
}

impl Issuer {
    fn start(keys: Value) -> Issuer {
        let keys = Arc::new(Mutex::new(keys));
        let shown = Arc::clone(&keys);
        let fake = Fake::start(move |request| {
            let origin = format!("http://{}", request.header("host").unwrap_or_default());
            match request.path.as_str() {
                "/.well-known/oauth-authorization-server" => Reply::json(
                    200,
                    &json!({ "issuer": origin, "jwks_uri": format!("{origin}/keys") }),
                ),
                "/keys" => Reply::json(200, &shown.lock().expect("no panic")),
                _ => Reply::new(404, "text/plain", "nothing here"),
            }
        });
        Issuer { fake, keys }
    }

    fn url(&self) -> String {
        self.fake.origin()
    }

    /// Claims of a token that is taken.
    fn claims(&self) -> Value {
        let now = jiff::Timestamp::now().as_second();
        json!({ "iss": self.url(), "aud": RESOURCE, "sub": "ada", "exp": now + 600, "iat": now, "scope": "other tools", "team": "data" })
    }

    fn fetches(&self) -> usize {
        let requests = self.fake.requests();
        requests
            .iter()
            .filter(|request| request.path == "/keys")
            .count()
    }
}

fn config(workspace: &Workspace, issuer: &str, more: &str) {
    workspace.write(
        "callers.yaml",
        format!("callers: 1\noauth:\n  issuer: {issuer}\n  resource: {RESOURCE}\n  scopes: [tools]\n{more}"),
    );
}

fn things() -> Fake {
    Fake::start(|_| {
        let things: Vec<Value> = (0..200)
            .map(|i| json!({ "id": format!("id-{i}"), "name": "a thing with a long name" }))
            .collect();
        Reply::json(
            200,
            &json!({ "id": "x", "name": "y", "data": things, "more": false }),
        )
    })
}

fn serve(workspace: &Workspace, more: &[&str]) -> Http {
    let flags = [
        &ONLY_PROBE[..],
        &["--callers", "callers.yaml", "--verbose"],
        more,
    ]
    .concat();
    workspace.serve_http(&flags)
}

fn send(http: &Http, token: &str, method: &str, params: Value) -> Response {
    let body = request(MODERN, 1, method, params.clone()).to_string();
    let name = params["name"].as_str().or(params["uri"].as_str());
    let authorization = format!("Bearer {token}");
    let mut headers = vec![
        ("mcp-protocol-version", MODERN),
        ("mcp-method", method),
        ("authorization", &authorization),
    ];
    headers.extend(name.map(|name| ("mcp-name", name)));
    http.post(&headers, &body)
}

fn list(http: &Http, token: &str) -> Response {
    send(http, token, "tools/list", json!({}))
}

/// A value with other members; `null` leaves one out.
fn with(base: &Value, changes: Value) -> Value {
    let mut value = base.clone();
    let members = value.as_object_mut().expect("a map");
    for (key, change) in changes.as_object().expect("a map") {
        match change {
            Value::Null => drop(members.remove(key)),
            _ => drop(members.insert(key.clone(), change.clone())),
        }
    }
    value
}

#[test]
fn the_table_of_attacks() {
    let signers = [Signer::rsa(), Signer::ec(), Signer::ed()];
    let ids = ["rsa", "ec", "ed"];
    let keys: Vec<Value> = signers
        .iter()
        .zip(ids)
        .map(|(key, id)| key.jwk(id))
        .collect();
    let issuer = Issuer::start(json!({ "keys": keys }));
    let workspace = probe(&things());
    let own = add(&workspace, "agent-1", &[]);
    let hash = std::fs::read_to_string(workspace.path().join("callers.yaml")).expect("a file");
    let hash = hash.split_once("tokens").expect("tokens").1;
    config(&workspace, &issuer.url(), &format!("tokens{hash}"));
    let http = serve(&workspace, &[]);
    let sound = issuer.claims();
    let now = jiff::Timestamp::now().as_second();
    let evil = Fake::start(|_| Reply::json(200, &json!({ "keys": [] })));
    for (signer, id) in signers.iter().zip(ids) {
        let header = json!({ "alg": signer.algorithm(), "kid": id, "typ": "at+jwt" });
        let good = signer.token(&header, &sound);
        assert_eq!(list(&http, &good).status, 200, "{id}");
        let other = match signer {
            Signer::Ec(_) | Signer::Rsa(_) => Signer::ec(),
            Signer::Ed(_) => Signer::ed(),
        };
        let headers: [(Value, u16); 20] = [
            (json!({ "typ": "JWT" }), 200),
            (json!({ "typ": null }), 200),
            (json!({ "typ": "application/AT+JWT" }), 200),
            (json!({ "typ": "logout+jwt" }), 401),
            (json!({ "typ": "dpop+jwt" }), 401),
            (json!({ "kid": null }), 401),
            (json!({ "kid": "unknown" }), 401),
            (json!({ "kid": "" }), 401),
            (json!({ "kid": 7 }), 401),
            (json!({ "kid": "x".repeat(4000) }), 401),
            (json!({ "kid": "../../keys" }), 401),
            (json!({ "alg": "none" }), 401),
            (json!({ "alg": "nOnE" }), 401),
            (json!({ "alg": "RS512" }), 401),
            (json!({ "alg": "PS256" }), 401),
            (json!({ "alg": "HS256" }), 401),
            (json!({ "crit": ["exp"] }), 401),
            (json!({ "b64": false, "crit": ["b64"] }), 401),
            (json!({ "jku": format!("{}/keys", evil.origin()) }), 200),
            (json!({ "alg": null }), 401),
        ];
        for (changes, status) in headers {
            let token = signer.token(&with(&header, changes.clone()), &sound);
            assert_eq!(list(&http, &token).status, status, "{id} {changes}");
        }
        // A key that stands in the token is nobody's.
        let brought = with(
            &header,
            json!({ "jwk": other.jwk(id), "alg": other.algorithm() }),
        );
        assert_eq!(
            list(&http, &other.token(&brought, &sound)).status,
            401,
            "{id}: a key of its own"
        );
        assert_eq!(
            list(&http, &other.token(&header, &sound)).status,
            401,
            "{id}: another key"
        );
        // The public key as a shared secret, in the forms in which libraries took it.
        let jwk = signer.jwk(id);
        let secrets = [
            jwk.to_string(),
            jwk["n"]
                .as_str()
                .or(jwk["x"].as_str())
                .unwrap_or_default()
                .to_owned(),
        ];
        for secret in secrets {
            let header = with(&header, json!({ "alg": "HS256" }));
            let message = message(&header, &sound);
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
            let tag = ring::hmac::sign(&key, message.as_bytes());
            let token = format!("{message}.{}", base64(tag.as_ref()));
            assert_eq!(list(&http, &token).status, 401, "{id}: HS256");
        }
        let claims: [(Value, u16); 34] = [
            (json!({ "exp": now - 10 }), 200),
            (json!({ "exp": now - 60 }), 401),
            (json!({ "exp": null }), 401),
            (json!({ "exp": "2099" }), 401),
            (json!({ "exp": [now + 600] }), 401),
            (json!({ "exp": -1 }), 401),
            (json!({ "exp": 1e300 }), 401),
            (json!({ "nbf": now + 600 }), 401),
            (json!({ "nbf": "soon" }), 401),
            (json!({ "nbf": now + 10 }), 200),
            (json!({ "iat": now + 600 }), 401),
            (json!({ "iat": "now" }), 401),
            (json!({ "iat": null }), 200),
            (json!({ "aud": "https://other.example.com" }), 401),
            (json!({ "aud": [] }), 401),
            (json!({ "aud": null }), 401),
            (json!({ "aud": 7 }), 401),
            (json!({ "aud": ["x", RESOURCE] }), 200),
            (json!({ "aud": format!("{RESOURCE}/") }), 401),
            (json!({ "iss": "https://evil.example.com" }), 401),
            (json!({ "iss": format!("{}/", issuer.url()) }), 401),
            (json!({ "iss": [issuer.url()] }), 401),
            (json!({ "iss": null }), 401),
            (json!({ "sub": null, "client_id": "robot" }), 200),
            (json!({ "sub": null }), 401),
            (json!({ "sub": 7 }), 401),
            (json!({ "sub": "" }), 401),
            (json!({ "sub": "a\nb" }), 401),
            (json!({ "sub": "a\u{202e}b" }), 401),
            (json!({ "sub": "local" }), 401),
            (json!({ "sub": "agent-1" }), 401),
            (json!({ "cnf": { "jkt": "x" } }), 401),
            (json!({ "scope": null, "scp": ["tools"] }), 200),
            (json!({ "scope": "tools" }), 200),
        ];
        for (changes, status) in claims {
            let token = signer.token(&header, &with(&sound, changes.clone()));
            let response = list(&http, &token);
            assert_eq!(response.status, status, "{id} {changes}: {response:?}");
            if status == 401 {
                assert!(
                    response.headers.contains("error=\"invalid_token\""),
                    "{response:?}"
                );
            }
        }
        for scope in [
            Value::Null,
            json!("other"),
            json!("tools2 mytools"),
            json!(7),
        ] {
            let token = signer.token(&header, &with(&sound, json!({ "scope": scope })));
            let response = list(&http, &token);
            assert_eq!(response.status, 403, "{response:?}");
            assert!(
                response.headers.contains("error=\"insufficient_scope\""),
                "{response:?}"
            );
            assert!(response.headers.contains("scope=\"tools\""), "{response:?}");
        }
        let parts: Vec<&str> = good.split('.').collect();
        let forged = base64(with(&sound, json!({ "sub": "eve" })).to_string().as_bytes());
        for token in [
            format!("{}.{forged}.{}", parts[0], parts[2]),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{}.{}", parts[0], parts[1]),
            format!("{good}.{}", parts[2]),
            format!("{}.{}.{}", parts[0], parts[1], &parts[2][..20]),
            format!("{}.{}.{}", parts[0], parts[1], "A".repeat(86)),
            format!(".{}.{}", parts[1], parts[2]),
            "..".to_owned(),
            "a.b.c".to_owned(),
            good.to_uppercase(),
        ] {
            assert_eq!(list(&http, &token).status, 401, "{id}: {token}");
        }
        let large = signer.token(&header, &with(&sound, json!({ "x": "y".repeat(16 << 10) })));
        assert_eq!(list(&http, &large).status, 400, "{id}: too large");
        assert!(
            !http.process.said().contains(parts[1]),
            "a token is in the log"
        );
    }
    // Those who have a token of the file are let in as before, and a key that a token names is never fetched.
    assert_eq!(list(&http, &own).status, 200);
    assert_eq!(evil.requests().len(), 0);
    // All the unknown keys were looked for once.
    assert_eq!(issuer.fetches(), 2);
}

#[test]
fn clients_learn_who_issues_the_tokens() {
    let issuer = Issuer::start(json!({ "keys": [Signer::ed().jwk("a")] }));
    let workspace = probe(&things());
    config(&workspace, &issuer.url(), "");
    let http = serve(&workspace, &[]);
    let about = "https://tools.example.com/.well-known/oauth-protected-resource/mcp";
    let response = http.exchange("POST", "/mcp", &[], "{}");
    assert_eq!(response.status, 401);
    let challenge =
        format!("bearer realm=\"toolrun\", resource_metadata=\"{about}\", scope=\"tools\"");
    assert!(response.headers.contains(&challenge), "{response:?}");
    for host in ["tools.example.com", &http.address] {
        for path in ["", "/mcp"] {
            let path = format!("/.well-known/oauth-protected-resource{path}");
            let response = http.exchange("GET", &path, &[("host", host)], "");
            assert_eq!(response.status, 200, "{response:?}");
            assert_eq!(
                response.json(),
                json!({ "resource": RESOURCE, "authorization_servers": [issuer.url()],
                    "bearer_methods_supported": ["header"], "scopes_supported": ["tools"] })
            );
        }
    }
    for path in [
        "/.well-known/oauth-protected-resource/other",
        "/.well-known/x",
        "/",
    ] {
        assert_eq!(http.exchange("GET", path, &[], "").status, 401, "{path}");
    }
}

#[test]
fn policies_see_the_claims_and_results_belong_to_the_caller() {
    let signer = Signer::ed();
    let issuer = Issuer::start(json!({ "keys": [signer.jwk("a")] }));
    let fake = things();
    let workspace = probe(&fake);
    config(&workspace, &issuer.url(), "  concurrency: 3\n  rate: 12\n");
    workspace.write(
        "policy.yaml",
        "policy: 1\nrules:\n  - { callers: [ada, bob], when: \"{{ caller.claims.team == 'data' }}\", do: allow }\ndefault: deny\n",
    );
    let flags = ["--policy", "policy.yaml", "--max-result-bytes", "2000"];
    let http = serve(&workspace, &flags);
    let header = json!({ "alg": "EdDSA", "kid": "a" });
    let token = |changes: Value| signer.token(&header, &with(&issuer.claims(), changes));
    let call = |token: &str| {
        let params = json!({ "name": "probe_list_things", "arguments": {} });
        send(&http, token, "tools/call", params).json()["result"].clone()
    };
    let ada = token(json!({}));
    let result = call(&ada);
    assert_ne!(result["isError"], json!(true), "{result}");
    let uri = result["content"][1]["uri"]
        .as_str()
        .expect("a link")
        .to_owned();
    let other_team = call(&token(json!({ "team": "web" })));
    assert_eq!(error(&other_team)["kind"], "policy", "{other_team}");
    assert_eq!(
        error(&call(&token(json!({ "sub": "carl" }))))["kind"],
        "policy"
    );
    let read = |token: &str| send(&http, token, "resources/read", json!({ "uri": uri })).json();
    // A new token of the same caller reads what the old one was given.
    let again = token(json!({ "jti": "another", "exp": jiff::Timestamp::now().as_second() + 900 }));
    assert!(read(&again)["result"]["contents"].is_array());
    assert!(read(&token(json!({ "sub": "bob" })))["error"].is_object());
    for request in fake.requests() {
        assert!(!format!("{request:?}").contains(&ada), "{request:?}");
    }
    // Each caller has its own rate, whatever its token.
    let statuses: Vec<u16> = (0..14).map(|_| list(&http, &again).status).collect();
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    assert_eq!(list(&http, &ada).status, 429);
    assert_eq!(list(&http, &token(json!({ "sub": "dora" }))).status, 200);
}

#[test]
fn keys_are_fetched_again_when_a_new_one_is_used_but_not_for_each_token() {
    let (first, second, third) = (Signer::ec(), Signer::ed(), Signer::ed());
    let issuer = Issuer::start(json!({ "keys": [first.jwk("1")] }));
    let workspace = probe(&things());
    config(&workspace, &issuer.url(), "");
    let http = serve(&workspace, &[]);
    let token = |signer: &Signer, id: &str| {
        let header = json!({ "alg": signer.algorithm(), "kid": id });
        signer.token(&header, &issuer.claims())
    };
    assert_eq!(list(&http, &token(&first, "1")).status, 200);
    assert_eq!(issuer.fetches(), 1);
    let show = |keys: Value| *issuer.keys.lock().expect("no panic") = json!({ "keys": keys });
    show(json!([first.jwk("1"), second.jwk("2")]));
    assert_eq!(list(&http, &token(&second, "2")).status, 200);
    assert_eq!(issuer.fetches(), 2);
    // Within a minute no further key is looked for, however many tokens ask for one.
    show(json!([third.jwk("3")]));
    for _ in 0..50 {
        assert_eq!(list(&http, &token(&third, "3")).status, 401);
    }
    assert_eq!(list(&http, &token(&first, "1")).status, 200);
    assert_eq!(issuer.fetches(), 2);
    // Another issuer in the file is in force at once.
    let other = Issuer::start(json!({ "keys": [third.jwk("3")] }));
    config(&workspace, &other.url(), "");
    http.process.says("callers.yaml has changed");
    assert_eq!(list(&http, &token(&first, "1")).status, 401);
    let header = json!({ "alg": "EdDSA", "kid": "3" });
    assert_eq!(
        list(&http, &third.token(&header, &other.claims())).status,
        200
    );
}

#[test]
#[ignore = "long"]
fn keys_that_cannot_be_used_are_told_and_nobody_gets_in() {
    let good = Signer::ed();
    let hang = Fake::start(|_| Reply::manner(Manner::Hang));
    let large = Fake::start(|_| Reply::new(200, "application/json", vec![b' '; 100 << 20]));
    let moved = Fake::start(|_| Reply::redirect(302, "https://evil.example.com/keys"));
    let page = Fake::start(|_| Reply::new(200, "text/html", "<html>"));
    let foreign = Fake::start(|_| {
        Reply::json(
            200,
            &json!({ "issuer": "https://evil.example.com", "jwks_uri": "https://evil.example.com/keys" }),
        )
    });
    let elsewhere = Fake::start(|request| {
        let origin = format!("http://{}", request.header("host").unwrap_or_default());
        Reply::json(
            200,
            &json!({ "issuer": origin, "jwks_uri": "http://192.0.2.1/keys" }),
        )
    });
    let symmetric = Issuer::start(
        json!({ "keys": [{ "kty": "oct", "kid": "a", "k": "AAAA" }, 7, null, { "kty": "RSA" }] }),
    );
    let many: Vec<Value> = (0..101).map(|i| good.jwk(&i.to_string())).collect();
    let many = Issuer::start(json!({ "keys": many }));
    for (fake, reason) in [
        (&hang, "does not answer within"),
        (&large, "its answer is longer than 1048576 bytes"),
        (&moved, "answers with status 302"),
        (&page, "its answer is no JSON"),
        (&foreign, "it names another issuer"),
        (&elsewhere, "its `jwks_uri` is no https URL"),
        (&symmetric.fake, "it has no key with a `kid`"),
        (&many.fake, "it has more than 100 keys"),
    ] {
        let workspace = probe(&things());
        let own = add(&workspace, "agent-1", &[]);
        let file = std::fs::read_to_string(workspace.path().join("callers.yaml")).expect("a file");
        let tokens = file.split_once("tokens").expect("tokens").1;
        config(&workspace, &fake.origin(), &format!("tokens{tokens}"));
        let http = serve(&workspace, &[]);
        let header = json!({ "alg": "EdDSA", "kid": "a" });
        let claims = with(&symmetric.claims(), json!({ "iss": fake.origin() }));
        let token = good.token(&header, &claims);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| list(&http, &token).status);
            // Others do not wait for the issuer.
            let begun = Instant::now();
            assert_eq!(list(&http, &own).status, 200, "{reason}");
            assert!(begun.elapsed() < Duration::from_secs(3), "{reason}");
            assert_eq!(waiting.join().expect("an answer"), 503, "{reason}");
        });
        let said = http.process.says(reason);
        assert!(said.contains("the keys of"), "{said}");
        let begun = Instant::now();
        assert_eq!(list(&http, &token).status, 503, "{reason}");
        assert!(begun.elapsed() < Duration::from_secs(2), "{reason}");
    }
}

/// Where it is set, the test fails rather than being skipped.
const NEEDED: &str = "TOOLRUN_TEST_SDKS";

/// PyJWT signs, in the ways of an issuer that knows nothing of us.
#[test]
fn tokens_of_another_library_are_taken() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/mcp-py/bin/python");
    if !python.exists() {
        assert!(
            std::env::var_os(NEEDED).is_none(),
            "{} is missing",
            python.display()
        );
        let told = "SKIPPED: PyJWT is not installed; .ci/sdks does it";
        writeln!(std::io::stderr(), "{told}").expect("standard error");
        return;
    }
    let issuer = Issuer::start(json!({ "keys": [] }));
    let script = root.join("tests/it/oauth_tokens.py");
    let made = output(
        Command::new(python)
            .arg(script)
            .arg(issuer.url())
            .arg(RESOURCE),
    );
    let made = made.expect(0).json();
    *issuer.keys.lock().expect("no panic") = json!({ "keys": made["keys"] });
    let workspace = probe(&things());
    config(&workspace, &issuer.url(), "");
    let http = serve(&workspace, &[]);
    let tokens = made["tokens"].as_array().expect("tokens");
    assert_eq!(tokens.len(), 14);
    for token in tokens {
        let response = list(&http, token["token"].as_str().expect("a token"));
        assert_eq!(
            json!(response.status),
            token["status"],
            "{token}: {response:?}"
        );
    }
}
