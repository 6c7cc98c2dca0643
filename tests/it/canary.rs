//! A canary: a secret with odd characters that must not show in any output, in any encoding, whatever a service does
//! with it.

use std::time::Duration;

use crate::support::{Fake, Manner, Reply, Request, Workspace, output, refused_origin};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::json;
use toolrun::internals::{AuthList, SecretStore};
use toolrun::{Call, Catalog, Engine, Secret};

/// What is looked for: a part of the secret that most encodings leave whole.
pub(crate) const CANARY: &str = "CANARY7f3b9c";
/// The secret.
pub(crate) const SECRET: &str = "sk-ant-admin01-CANARY7f3b9c/+=\"x<y>&z";

pub(crate) const AUTH: [(&str, &str); 8] = [
    (
        "header",
        "{ kind: api_key, in: header, name: x-api-key, secret: { env: SECRET } }",
    ),
    (
        "query",
        "{ kind: api_key, in: query, name: key, secret: { env: SECRET } }",
    ),
    ("bearer", "{ kind: bearer, secret: { env: SECRET } }"),
    (
        "password",
        "{ kind: basic, username: me, password: { env: SECRET } }",
    ),
    ("username", "{ kind: basic, username: { env: SECRET } }"),
    (
        "headers",
        "{ kind: headers, headers: { x-a: { env: SECRET }, x-b: { file: secret.txt } } }",
    ),
    (
        "hmac",
        "{ kind: hmac, algorithm: sha256, secret: { env: SECRET }, key_id: { file: secret.txt }, message: '{{ path }}', name: x-a, prefix: '{{ key_id }}:', headers: { x-b: '{{ key_id }} {{ signature }}' } }",
    ),
    (
        "aws_sigv4",
        "{ kind: aws_sigv4, region: a, service: s3, access_key_id: { env: SECRET }, secret_access_key: { env: SECRET }, session_token: { file: secret.txt } }",
    ),
];

/// Not `raw`, which prints the service's own bytes.
const FORMATS: [&str; 5] = ["json", "ndjson", "table", "csv", "yaml"];

/// The canary in all encodings that the tests look for.
fn forms() -> Vec<String> {
    let hex: String = CANARY.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = CANARY.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let unicode: String = CANARY
        .bytes()
        .map(|byte| format!("\\u{byte:04x}"))
        .collect();
    let mut forms = vec![CANARY.to_owned(), hex, percent, unicode];
    // In base64, at each of the three offsets, the part that does not depend on the text around it.
    for offset in 0..3 {
        let padded = format!("{}{CANARY}", &"---"[..offset]);
        let whole = padded.len() / 3 * 3;
        let encoded = STANDARD.encode(&padded[..whole]);
        let middle = &encoded[if offset == 0 { 0 } else { 4 }..];
        forms.push(middle.to_owned());
        forms.push(middle.replace('+', "-").replace('/', "_"));
    }
    forms
}

/// The first place of the canary in a text, in any case of letters.
pub(crate) fn leak(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let found = forms()
        .into_iter()
        .find_map(|form| lower.find(&form.to_ascii_lowercase()))?;
    let around = text
        .char_indices()
        .filter(|(at, _)| (found.saturating_sub(80)..found + 80).contains(at));
    Some(around.map(|(_, c)| c).collect())
}

#[track_caller]
pub(crate) fn assert_clean(what: &str, text: &str) {
    let leak = leak(text);
    assert!(leak.is_none(), "{what}: {}", leak.unwrap_or_default());
}

pub(crate) fn probe(origin: &str, auth: &str) -> Workspace {
    probe_with(origin, auth, "")
}

pub(crate) fn probe_with(origin: &str, auth: &str, more: &str) -> Workspace {
    let workspace = Workspace::new();
    let service = format!(
        "
auth: {auth}
retry: {{ max_attempts: 2, base_delay: 1ms, max_delay: 1s }}
{more}
limits: {{ response_bytes: 100000 }}
errors: {{ message: $.message, code: $.code, request_id: {{ header: x-echo }} }}"
    );
    workspace.service(origin, &service);
    let list = "
request: { method: GET, path: /probe }
paging: { items: $.data, next_url: $.next }
response: { output: { rows: $.data, echo: $.echo, header: '{{ headers[\"x-echo\"] }}' }, rows: rows }";
    workspace.tool("get-probe", "read", list);
    workspace.tool(
        "do-probe",
        "write",
        "request: { method: POST, path: /probe }",
    );
    workspace.write("secret.txt", SECRET);
    workspace
}

/// Everything that a run of the program says, with the secret in the environment.
fn said(workspace: &Workspace, arguments: &[&str]) -> String {
    let mut command = workspace.toolrun();
    command.env("SECRET", SECRET).env("RUST_BACKTRACE", "1");
    let output = output(command.args(arguments));
    assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
    format!("{}\n{}\n{}", output.code, output.stdout, output.stderr)
}

/// What the service got, and the secret in many forms.
pub(crate) fn heard(request: &Request) -> String {
    let mut heard: Vec<String> = request
        .headers
        .iter()
        .map(|(_, value)| value.clone())
        .collect();
    let hex: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
    heard.extend([
        request.target(),
        SECRET.to_owned(),
        percent(SECRET),
        hex.to_uppercase(),
        hex,
        STANDARD.encode(SECRET),
        URL_SAFE.encode(SECRET),
        URL_SAFE_NO_PAD.encode(SECRET),
        STANDARD.encode(format!("x{SECRET}")),
        STANDARD.encode(format!("xy{SECRET}z")),
    ]);
    heard.join(" ")
}

/// Percent-encodes all but unreserved characters (RFC 3986).
pub(crate) fn percent(text: &str) -> String {
    let encode = |byte: u8| match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// A service that repeats the request wherever it can. In a success it is no key, because keys are data and stay.
pub(crate) fn echo(status: u16) -> Fake {
    match status {
        200 => echo_with_key(status, |_| "key".to_owned()),
        _ => echo_with_key(status, str::to_owned),
    }
}

/// A service that repeats the request wherever it can; with `key`, also as a key.
pub(crate) fn echo_with_key(status: u16, key: fn(&str) -> String) -> Fake {
    Fake::start(move |request| {
        let heard = heard(request);
        let body = json!({
            "message": heard,
            "code": heard,
            "echo": { key(&heard): [heard] },
            "data": [{ "name": heard, key(&heard): 1 }],
        });
        Reply::json(status, &body)
            .with("x-echo", heard.clone())
            .with("www-authenticate", heard.clone())
            .with("retry-after", heard)
    })
}

#[test]
fn the_forms_are_found() {
    for text in [
        SECRET.to_owned(),
        SECRET.to_uppercase(),
        STANDARD.encode(SECRET),
        STANDARD.encode(format!("me:{SECRET}")),
        URL_SAFE.encode(format!("x{SECRET}")),
        percent(SECRET),
    ] {
        assert!(leak(&text).is_some(), "{text}");
    }
    assert_eq!(leak("nothing of it: CANARY *** 7f3b9c"), None);
}

#[test]
fn an_echo_in_a_success_is_masked_in_every_format() {
    let fake = echo(200);
    for (kind, auth) in AUTH {
        let workspace = probe(&fake.origin(), auth);
        for format in FORMATS {
            for more in [vec![], vec!["--all", "-v"]] {
                let arguments = [vec!["call", "get-probe", "-o", format], more].concat();
                let said = said(&workspace, &arguments);
                assert!(said.starts_with("0\n"), "{kind} {format}: {said}");
                assert!(said.contains("***"), "{kind} {format}: {said}");
                assert_clean(&format!("{kind} {arguments:?}"), &said);
            }
        }
    }
    let carries = |request: &Request| leak(&format!("{request:?}")).is_some();
    assert!(fake.requests().iter().all(carries));
}

#[test]
#[ignore = "long"]
fn an_echo_in_an_error_answer_is_masked() {
    for status in [400, 401, 403, 404, 429, 500, 503, 529] {
        let fake = echo(status);
        for (kind, auth) in AUTH {
            let workspace = probe(&fake.origin(), auth);
            for arguments in [
                ["call", "get-probe", "-v", "-o", "json"].as_slice(),
                &["call", "get-probe", "-v", "-o", "table"],
                &["call", "do-probe", "-v", "--yes"],
                &["sql", "select * from get_probe", "-v", "-o", "json"],
                &["sql", "select * from get_probe", "-v", "-o", "csv"],
            ] {
                let said = said(&workspace, arguments);
                assert!(said.contains(&status.to_string()), "{kind}: {said}");
                assert_clean(&format!("{kind} {status} {arguments:?}"), &said);
            }
        }
    }
}

/// What the program prints for a service that answers in this way.
pub(crate) type Case = (&'static str, fn(&Request) -> Reply, &'static str);

pub(crate) const BROKEN: [Case; 13] = [
    (
        "a redirect to another origin",
        |request| {
            Reply::redirect(
                302,
                format!("https://x.test/{}?q={0}", percent(&heard(request))),
            )
        },
        "another origin",
    ),
    (
        "a redirect to no URL",
        |request| Reply::redirect(302, format!("http://[{}", heard(request))),
        "no URL",
    ),
    (
        "a redirect in a circle",
        |request| Reply::redirect(302, format!("/{}", percent(&heard(request)).len())),
        "more than",
    ),
    (
        "text instead of JSON",
        |request| Reply::new(200, "text/html", format!("{} {SECRET}", heard(request))),
        "no JSON",
    ),
    (
        "a type that is the secret",
        |_| Reply::new(200, SECRET, "<p>"),
        "no JSON",
    ),
    (
        "JSON that breaks off",
        |request| {
            Reply::new(
                200,
                "application/json",
                format!("{{\"a\": {:?}", heard(request)),
            )
        },
        "no JSON",
    ),
    (
        "a list that is none",
        |request| Reply::json(200, &json!({ "data": heard(request) })),
        "must be an array",
    ),
    (
        "a next page elsewhere",
        |request| {
            let next = format!("https://x.test/{}", heard(request));
            Reply::json(200, &json!({ "data": [], "next": next }))
        },
        "origin",
    ),
    (
        "a next page that is no URL",
        |request| {
            Reply::json(
                200,
                &json!({ "data": [], "next": format!("http://[{}", heard(request)) }),
            )
        },
        "no URL",
    ),
    (
        "a body over the limit",
        |_| Reply::new(200, "application/json", SECRET.repeat(5000)),
        "larger than",
    ),
    (
        "no HTTP",
        |_| Reply {
            manner: Manner::Bare,
            ..Reply::new(200, "", SECRET)
        },
        "failed",
    ),
    (
        "bytes that do not unpack",
        |_| Reply::new(200, "application/json", SECRET).with("content-encoding", "gzip"),
        "is no gzip",
    ),
    (
        "a dropped connection",
        |_| Reply::manner(Manner::Drop),
        "failed",
    ),
];

/// A service whose token endpoint gives the secret as the access token. All its answers repeat the request.
pub(crate) fn tokens(status: u16) -> Fake {
    Fake::start(move |request| {
        let body = String::from_utf8_lossy(&request.body);
        let heard = format!("{} {body}", heard(request));
        let body = json!({
            "access_token": SECRET, "refresh_token": SECRET, "expires_in": 3600, "more": heard, "data": [heard],
            "error": heard, "error_description": heard, "message": heard,
        });
        let status = if request.path == "/probe" {
            status
        } else {
            200.max(status - 1)
        };
        Reply::json(status, &body).with("x-echo", heard)
    })
}

#[test]
#[ignore = "long"]
fn an_access_token_and_what_it_is_asked_with_are_masked() {
    for status in [200, 400, 401, 402, 500] {
        let fake = tokens(status);
        for grant in [
            "grant: client_credentials, client_auth: body",
            "grant: client_credentials, params: { more: { file: secret.txt } }",
            "grant: refresh_token, refresh_token: { env: SECRET }",
        ] {
            let auth = format!(
                "{{ kind: oauth2, {grant}, token_url: {}/token, client_id: {{ env: SECRET }}, client_secret: {{ env: SECRET }} }}",
                fake.origin()
            );
            let workspace = probe(&fake.origin(), &auth);
            for format in FORMATS {
                for more in [vec![], vec!["--all", "-v"]] {
                    let arguments = [vec!["call", "get-probe", "-o", format], more].concat();
                    let said = said(&workspace, &arguments);
                    assert_clean(&format!("{status} {grant} {arguments:?}"), &said);
                }
            }
            for dry_run in ["--dry-run", "--dry-run=curl", "--dry-run=json"] {
                assert_clean(dry_run, &said(&workspace, &["call", "get-probe", dry_run]));
            }
        }
        assert!(fake.targets().iter().any(|target| target == "/token"));
    }
}

#[test]
#[ignore = "long"]
fn a_broken_answer_tells_nothing_of_the_secret() {
    for (name, reply, told) in BROKEN {
        let fake = Fake::start(reply);
        for (kind, auth) in AUTH {
            let workspace = probe(&fake.origin(), auth);
            for format in ["json", "table"] {
                let said = said(
                    &workspace,
                    &["call", "get-probe", "--all", "-v", "-o", format],
                );
                // A signature is for one URL: no redirect is followed.
                let is_told = said.contains(told) || said.contains("is valid for one URL only");
                assert!(is_told, "{name} {kind}: {said}");
                assert_clean(&format!("{name} {kind} {format}"), &said);
            }
        }
    }
}

#[test]
#[ignore = "long"]
fn a_network_failure_tells_nothing_of_the_secret() {
    let hang = Fake::script([Reply::manner(Manner::Hang)]);
    let slow = Fake::script([Reply::manner(Manner::Dribble(Duration::from_secs(5)))]);
    let plain = Fake::script([Reply::ok()]);
    let tls = format!("https://{}", plain.address());
    for (name, origin) in [
        ("refused", refused_origin()),
        ("silent", hang.origin()),
        ("slow", slow.origin()),
        ("TLS to a plain port", tls),
    ] {
        for (kind, auth) in &AUTH[..2] {
            let workspace = probe_with(&origin, auth, "timeout: { read: 300ms }");
            let said = said(
                &workspace,
                &["call", "get-probe", "-v", "-o", "json", "--timeout=5s"],
            );
            assert!(said.starts_with("8\n"), "{name} {kind}: {said}");
            assert_clean(&format!("{name} {kind}"), &said);
        }
    }
}

#[test]
#[ignore = "long"]
fn commands_that_send_nothing_tell_nothing_of_the_secret() {
    let origin = refused_origin();
    for (kind, auth) in AUTH {
        let workspace = probe(&origin, auth);
        workspace.write(".env", format!("SECRET='{SECRET}'\n"));
        let folder = workspace.descriptors();
        let folder = folder.to_str().expect("a path in UTF-8");
        for arguments in [
            ["call", "get-probe", "--dry-run"].as_slice(),
            &["call", "get-probe", "--dry-run=http", "-v"],
            &["call", "get-probe", "--dry-run=curl"],
            &["call", "get-probe", "--dry-run=json"],
            &["call", "do-probe"],
            &["call", "get-probe", "nope=1"],
            &["call", "get-probe", "--set", "nope=1"],
            &["call", "get-probe", "--sandbox"],
            &["call", "get-prob"],
            &["show", "get-probe"],
            &["show", "get-probe", "--json"],
            &["list"],
            &["list", "--json"],
            &["validate", folder],
            &["validate", "--format", "json", folder],
            &["test", folder],
            &["--help"],
        ] {
            let said = said(&workspace, arguments);
            assert!(said.len() > 4, "{arguments:?} says nothing");
            assert_clean(&format!("{kind} {arguments:?}"), &said);
        }
    }
}

#[test]
fn a_secret_that_cannot_be_used_is_not_quoted() {
    let pattern = "{ kind: bearer, secret: { env: SECRET, pattern: '^ghp_[a-z]+$' } }";
    let env = "{ kind: bearer, secret: { env: OTHER } }";
    let file = "{ kind: bearer, secret: { file: odd.txt } }";
    let folder = "{ kind: bearer, secret: { file: descriptors } }";
    for (name, auth, file, text, code) in [
        ("unlike its pattern", pattern, "unused", String::new(), 4),
        (
            "with a line break",
            file,
            "odd.txt",
            format!("{SECRET}\nsecond"),
            4,
        ),
        (
            "with a control character",
            file,
            "odd.txt",
            format!("{SECRET}\u{1b}[31m"),
            4,
        ),
        ("not there", file, "unused", String::new(), 4),
        ("a folder", folder, "unused", String::new(), 4),
        ("empty", file, "odd.txt", " \n".to_owned(), 4),
        (
            "unclosed in .env",
            env,
            ".env",
            format!("OTHER='{SECRET}\n"),
            4,
        ),
        (
            "without a name in .env",
            env,
            ".env",
            format!("{SECRET}\n={SECRET}\n"),
            4,
        ),
        (
            "with a space in .env",
            env,
            ".env",
            format!("OTHER = a {SECRET} b 'c\n"),
            4,
        ),
    ] {
        let fake = Fake::script([Reply::ok()]);
        let workspace = probe(&fake.origin(), auth);
        workspace.write(file, text);
        for format in ["json", "table"] {
            let said = said(&workspace, &["call", "get-probe", "-v", "-o", format]);
            assert!(said.starts_with(&format!("{code}\n")), "{name}: {said}");
            assert_clean(name, &said);
        }
        assert_eq!(fake.requests(), [], "{name}");
    }
}

#[test]
fn a_secret_beyond_ascii_is_masked_or_refused() {
    let fake = Fake::start(|request| {
        Reply::json(
            200,
            &json!({ "data": [], "echo": request.header("authorization") }),
        )
    });
    let workspace = probe(
        &fake.origin(),
        "{ kind: bearer, secret: { file: odd.txt } }",
    );
    workspace.write("odd.txt", format!("{SECRET}é"));
    let said = said(&workspace, &["call", "get-probe", "-v"]);
    assert!(said.contains("***") || said.starts_with("5\n"), "{said}");
    assert_clean("standard output and error", &said);
}

#[cfg(unix)]
#[test]
fn a_secret_that_is_no_unicode_is_not_quoted() {
    use std::os::unix::ffi::OsStringExt as _;
    let workspace = probe(&refused_origin(), AUTH[0].1);
    let secret = std::ffi::OsString::from_vec([SECRET.as_bytes(), b"\xFF"].concat());
    let mut command = workspace.toolrun();
    let output = output(
        command
            .env("SECRET", secret)
            .args(["call", "get-probe", "-v"]),
    )
    .expect(4);
    assert_clean("standard error", &output.stderr);
}

#[test]
fn a_malformed_env_file_still_gives_its_other_lines() {
    let fake = echo(200);
    let workspace = probe(&fake.origin(), "{ kind: bearer, secret: { env: OTHER } }");
    workspace.write(
        ".env",
        format!("{CANARY} is no assignment\nOTHER='{SECRET}'\n"),
    );
    let said = said(&workspace, &["call", "get-probe", "-v"]);
    assert!(said.starts_with("0\n"), "{said}");
    assert_clean("standard output and error", &said);
    let bearer = format!("Bearer {SECRET}");
    assert_eq!(
        fake.only_request().header("authorization"),
        Some(bearer.as_str())
    );
}

#[tokio::test]
async fn values_of_the_library_do_not_show_the_secret() {
    let fake = echo(200);
    let refusing = echo(403);
    for (kind, auth) in AUTH {
        let workspace = probe(&fake.origin(), auth);
        let tool = Catalog::empty()
            .with_folder(workspace.descriptors())
            .tool("get-probe");
        let tool = tool.expect("a valid tool");
        let engine = || {
            let engine = Engine::new().with_secret("SECRET", Secret::new(SECRET));
            engine.with_secret("secret.txt", Secret::new(SECRET))
        };
        let plan = engine().plan(&Call::new(&tool, json!({}))).expect("a plan");
        let outcome = engine()
            .call(Call::new(&tool, json!({})))
            .await
            .expect("an answer");
        let stand_in = refusing.origin().parse().expect("a URL");
        let refused = engine()
            .with_stand_in(stand_in)
            .call(Call::new(&tool, json!({})))
            .await;
        let refused = refused.expect_err("a refusal");
        let mut store = SecretStore::default();
        store.give("SECRET", Secret::new(SECRET));
        store.give("secret.txt", Secret::new(SECRET));
        let secrets = toolrun::internals::secrets(&tool, &store).expect("the secrets");
        let shown = format!(
            "{plan:?} {} {} {:?} {outcome:?} {refused:?} {refused} {} {store:?} {secrets:?} {tool:?}",
            plan.to_http(),
            plan.to_curl(),
            plan.view(),
            refused.to_json(),
        );
        assert_clean(kind, &shown);
        assert!(shown.contains("***"), "{shown}");
    }
    let secret = Secret::new(SECRET);
    assert_eq!(format!("{secret:?} {secret}"), "*** ***");
}

#[test]
fn a_secret_in_an_auth_section_is_no_reference() {
    let spec = json!({ "kind": "bearer", "secret": SECRET });
    let error = serde_json::from_value::<AuthList>(spec).expect_err("no reference");
    assert_clean("the error", &error.to_string());
}

/// Lets a service repeat the secret in these encodings, in the body and in a header, and asserts that none shows.
#[track_caller]
fn assert_masked(forms: &[(&str, String)]) {
    let mut leaks = Vec::new();
    for (name, form) in forms {
        let body = format!("{{\"data\": [], \"echo\": \"{form}\"}}");
        assert!(
            serde_json::from_str::<serde_json::Value>(&body).is_ok(),
            "{body}"
        );
        let header = form.clone();
        let fake = Fake::start(move |_| {
            Reply::new(200, "application/json", body.clone()).with("x-echo", header.clone())
        });
        let workspace = probe(&fake.origin(), AUTH[0].1);
        for format in FORMATS {
            let said = said(&workspace, &["call", "get-probe", "-v", "-o", format]);
            leaks.extend(leak(&said).map(|leak| format!("{name}, {format}: {leak}")));
        }
        said(&workspace, &["call", "get-probe", "--record", "probe.har"]);
        let recorded = std::fs::read_to_string(workspace.path().join("probe.har"));
        let recorded = recorded.expect("a recording");
        leaks.extend(leak(&recorded).map(|leak| format!("{name}, recorded: {leak}")));
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
}

/// The secret as written inside a JSON string.
fn quoted() -> String {
    let quoted = json!(SECRET).to_string();
    quoted.trim_matches('"').to_owned()
}

/// The escapes of a percent-encoded text in lower case.
fn lower_escapes(text: &str) -> String {
    let mut parts = text.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |lower, part| {
        let (escape, rest) = part.split_at(2);
        format!("{lower}%{}{rest}", escape.to_lowercase())
    })
}

#[test]
fn a_secret_in_a_json_string_that_is_escaped_otherwise_is_masked() {
    let all: String = SECRET
        .bytes()
        .map(|byte| format!("\\u{byte:04x}"))
        .collect();
    assert_masked(&[
        ("a slash as PHP writes it", quoted().replace('/', "\\/")),
        (
            "brackets as Go writes them",
            quoted()
                .replace('<', "\\u003c")
                .replace('>', "\\u003E")
                .replace('&', "\\u0026"),
        ),
        ("all characters", all),
    ]);
}

#[test]
fn a_secret_that_is_percent_encoded_otherwise_is_masked() {
    let encoded = percent(SECRET);
    assert_masked(&[
        ("in lower case", lower_escapes(&encoded)),
        (
            "with slashes left, as Python quotes",
            encoded.replace("%2F", "/"),
        ),
        ("all but letters and digits", encoded.replace('-', "%2D")),
        ("twice, as in a link back", percent(&encoded)),
        ("a JSON string", percent(&quoted())),
        ("base64", percent(&STANDARD.encode(SECRET))),
    ]);
}

#[test]
fn a_secret_in_a_rarer_form_is_masked() {
    let html = SECRET.replace('&', "&amp;").replace('"', "&quot;");
    assert_masked(&[
        ("HTML", html.replace('<', "&lt;").replace('>', "&gt;")),
        ("lower case", quoted().to_lowercase()),
        ("upper case", quoted().to_uppercase()),
        (
            "base64 of a URL",
            STANDARD.encode(format!("/probe?key={}", percent(SECRET))),
        ),
        ("base64 of base64", STANDARD.encode(STANDARD.encode(SECRET))),
    ]);
}

#[test]
fn a_redirect_to_a_host_that_is_the_secret_does_not_tell_it() {
    let fake = Fake::script([Reply::redirect(307, format!("https://{SECRET}.x.test/"))]);
    let said = said(&probe(&fake.origin(), AUTH[0].1), &["call", "get-probe"]);
    assert!(said.starts_with("5\n"), "{said}");
    assert_clean("the error", &said);
}

#[test]
fn a_secret_in_place_of_its_reference_is_not_quoted() {
    let auth = json!({ "kind": "bearer", "secret": SECRET }).to_string();
    let workspace = probe(&refused_origin(), &auth);
    for format in ["json", "table"] {
        let said = said(&workspace, &["call", "get-probe", "-o", format]);
        assert!(said.starts_with("3\n"), "{said}");
        assert_clean("the error", &said);
    }
}

/// Ways to call a tool whose response repeats the secret, each with what the program prints.
const TAKEN: [(&str, &str, &str); 9] = [
    (
        "an error in a success",
        "response: { fail_when: $.message }",
        "answered 200",
    ),
    (
        "an error in a success without a message",
        "response: { fail_when: $.data, errors: [{ status: 200, action: fail, message: \"{{ body }}\" }] }",
        "answered 200",
    ),
    (
        "a rule that quotes a header",
        "response: { errors: [{ status: 200, action: fail, message: \"{{ headers['x-echo'] }}\", code: $.code }] }",
        "answered 200",
    ),
    (
        "a retry after a time that is none",
        "response: { errors: [{ status: 200, action: retry, after: $.message }] }",
        "2 attempts",
    ),
    (
        "a text",
        "response: { kind: text, output: { text: $, type: \"{{ headers['x-echo'] }}\" } }",
        "***",
    ),
    (
        "lines that are none",
        "response: { kind: ndjson, fail_when: \"{{ body | first }}\" }",
        "answered 200",
    ),
    (
        "a job that takes too long",
        "wait: { path: /job, until: $.done, interval: 1ms, deadline: 30ms }",
        "is not done",
    ),
    (
        "a job that fails",
        "wait: { path: /job, until: $.done, fail_when: $.message, interval: 1ms }",
        "answered 200",
    ),
    (
        "a job that is elsewhere",
        "wait: { url: { header: x-echo }, until: $.done, interval: 1ms, deadline: 30ms }",
        "job",
    ),
];

#[test]
#[ignore = "long"]
fn an_echo_is_masked_however_the_answer_is_taken() {
    let fake = echo_with_key(200, str::to_owned);
    for (name, response, told) in TAKEN {
        for (kind, auth) in AUTH {
            let workspace = probe(&fake.origin(), auth);
            workspace.tool(
                "get-probe",
                "read",
                &format!("request: {{ method: GET, path: /probe }}\n{response}"),
            );
            for format in ["json", "table"] {
                let said = said(&workspace, &["call", "get-probe", "-v", "-o", format]);
                assert!(said.contains(told), "{name} {kind}: {said}");
                assert_clean(&format!("{name} {kind} {format}"), &said);
            }
        }
    }
}

#[test]
fn an_echo_in_a_download_that_fails_is_masked() {
    let fake = Fake::start(|request| {
        let heard = heard(request);
        let body = json!({ "message": heard, "code": heard });
        Reply::json(200, &body).with("content-disposition", format!("x; filename=\"{heard}\""))
    });
    for (kind, auth) in AUTH {
        for (fails, code) in [("$.bytes", "6\n"), ("$.nothing", "0\n")] {
            let workspace = probe(&fake.origin(), auth);
            workspace.tool(
                "get-probe",
                "read",
                &format!(
                    "request: {{ method: GET, path: /probe }}
response: {{ kind: bytes, fail_when: {fails} }}"
                ),
            );
            let said = said(&workspace, &["call", "get-probe", "-v", "--out", "a"]);
            assert!(
                said.starts_with(code) && said.contains("***"),
                "{kind}: {said}"
            );
            assert_clean(kind, &said);
        }
    }
}
