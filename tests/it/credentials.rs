//! Where credentials go, and what happens without them: prefixes, cookies, the base path, and optional credentials.
//! Whatever is shown has no part of a secret.

use crate::support::{Fake, Output, Reply, Request, Workspace, assert_tells, output};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};

/// It has characters that are percent-encoded in a path and in a query.
const SECRET: &str = "123456:canary-token-AbC";
const ENCODED: &str = "123456%3Acanary-token-AbC";
const QUICK: &str = "retry: { max_attempts: 1 }";

/// A service at this origin and base path, with the tools `get-probe` and `list-probes`.
fn workspace(origin: &str, path: &str, more: &str) -> Workspace {
    let workspace = Workspace::new();
    let text = format!("spec: 1\nservice: probe\nbase_url: '{origin}{path}'\n{QUICK}\n{more}\n");
    workspace.write("descriptors/probe/service.yaml", text);
    workspace.tool(
        "get-probe",
        "read",
        &"params: { properties: { id: { type: string, default: a, description: The id. } } }\nrequest: { method: GET, path: '/probe/{{ id }}', query: { q: 1 }, headers: { HEADERS } }".replace("HEADERS", if more.contains("name: session") { "cookie: 'lang={{ id }}'" } else { "" }),
    );
    let paging = "paging: { items: $.rows, next_url: $.next }\nresponse: { output: $.rows }";
    workspace.tool(
        "list-probes",
        "read",
        &format!("request: {{ method: GET, path: /probes }}\n{paging}"),
    );
    workspace.run(&["validate", "descriptors"]).expect(0);
    workspace
}

fn run(workspace: &Workspace, secrets: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = workspace.toolrun();
    command.envs(secrets.iter().copied());
    output(command.args(arguments))
}

/// A place of a key: the base path, the service's `auth`, what reaches the service, and the part of the curl command.
type Place = (
    &'static str,
    &'static str,
    fn(&Request) -> Option<String>,
    &'static str,
    &'static str,
);

const PLACES: [Place; 5] = [
    (
        "",
        "auth: { kind: api_key, in: header, name: Authorization, prefix: Bot, secret: { env: KEY } }",
        |request| request.header("authorization").map(str::to_owned),
        "Bot 123456:canary-token-AbC",
        "\"authorization: Bot ${KEY}\"",
    ),
    (
        "",
        "auth: { kind: api_key, in: header, name: Authorization, prefix: 'Token token=', secret: { env: KEY } }",
        |request| request.header("authorization").map(str::to_owned),
        "Token token=123456:canary-token-AbC",
        "'authorization: Token token='\"${KEY}\"",
    ),
    (
        "",
        "auth: { kind: api_key, in: query, name: key, secret: { env: KEY } }",
        |request| Some(request.query.clone()),
        "q=1&key=123456%3Acanary-token-AbC",
        "q=1&key=***",
    ),
    (
        "",
        "auth: { kind: api_key, in: cookie, name: session, secret: { env: KEY } }",
        |request| request.header("cookie").map(str::to_owned),
        "session=123456:canary-token-AbC; lang=a",
        "'cookie: session='\"${KEY}\"'; lang=a'",
    ),
    (
        "/api/bot{{ auth.token }}.x",
        "auth: { kind: api_key, in: path, name: token, secret: { env: KEY } }",
        |request| Some(request.path.clone()),
        "/api/bot123456%3Acanary-token-AbC.x/probe/a",
        "/api/bot'\"${KEY}\"'.x/probe/a?q=1'",
    ),
];

#[track_caller]
fn assert_hidden(what: &str, output: &Output) {
    for text in [&output.stdout, &output.stderr] {
        for part in [SECRET, ENCODED, "canary"] {
            assert!(!text.contains(part), "{what}: {text}");
        }
    }
}

/// What the service repeats: its whole request, plain and percent-encoded.
fn echo(status: u16) -> impl Fn(&Request) -> Reply + Send + Sync + 'static {
    move |request| {
        let headers: Vec<String> = request
            .headers
            .iter()
            .map(|(_, value)| value.clone())
            .collect();
        let told = format!("{} {} {SECRET}", request.target(), headers.join(" "));
        let body = json!({ "told": told, "message": told, "nested": [{ "url": request.path }] });
        Reply::json(status, &body)
            .with("x-told", told.clone())
            .with("location", format!("/elsewhere{}", request.path))
    }
}

#[test]
#[ignore = "long"]
fn each_place_is_filled_on_the_wire_and_hidden_everywhere_else() {
    for (path, auth, seen, expected, curl) in PLACES {
        let fake = Fake::start(echo(200));
        let workspace = workspace(&fake.origin(), path, auth);
        let secrets = [("KEY", SECRET)];
        for (arguments, code) in [
            (&["call", "get-probe", "-o", "json"][..], 0),
            (&["call", "get-probe", "-o", "yaml", "-v"], 0),
            (&["call", "get-probe", "-o", "ndjson", "-v"], 0),
            (&["call", "get-probe", "-o", "csv"], 0),
            (&["call", "get-probe", "-o", "table"], 0),
            (&["call", "get-probe", "--jq", ".told", "-v"], 0),
            (&["show", "get-probe"], 0),
            (&["show", "get-probe", "--json"], 0),
            (&["list", "--json"], 0),
            (&["config"], 0),
            (&["validate", "descriptors"], 0),
        ] {
            let done = run(&workspace, &secrets, arguments).expect(code);
            assert_hidden(&format!("{auth} {arguments:?}"), &done);
        }
        let requests = fake.requests();
        assert!(requests.len() >= 6, "{auth}");
        for request in &requests {
            assert_eq!(seen(request).as_deref(), Some(expected), "{auth}");
        }
        for form in ["http", "json", "curl"] {
            let argument = format!("--dry-run={form}");
            let done = run(&workspace, &secrets, &["call", "get-probe", &argument]).expect(0);
            assert_hidden(&format!("{auth} {form}"), &done);
            match form {
                "curl" => assert!(done.stdout.contains(curl), "{}", done.stdout),
                _ => assert!(done.stdout.contains("***"), "{}", done.stdout),
            }
        }
        // The command that is shown sends the same.
        let command = run(
            &workspace,
            &secrets,
            &["call", "get-probe", "--dry-run=curl"],
        )
        .stdout;
        if command.contains("${KEY}") && which_curl() {
            let before = fake.requests().len();
            let mut shell = std::process::Command::new("sh");
            shell.arg("-c").arg(&command).env("KEY", SECRET);
            output(&mut shell).expect(0);
            let request = fake.requests().remove(before);
            let given = seen(&request)
                .unwrap_or_default()
                .replace(":canary", "%3Acanary");
            assert_eq!(given, expected.replace(":canary", "%3Acanary"), "{command}");
        }
    }
}

fn which_curl() -> bool {
    let found = std::process::Command::new("curl").arg("--version").output();
    found.is_ok_and(|found| found.status.success())
}

#[test]
#[ignore = "long"]
fn each_place_is_hidden_in_errors_too() {
    for (path, auth, ..) in PLACES {
        for (status, code) in [(400, 6), (404, 6), (500, 7), (302, 5), (307, 5)] {
            let fake = Fake::start(echo(status));
            let workspace = workspace(&fake.origin(), path, auth);
            for extra in ["-v", "--output=json", "--output=raw"] {
                let arguments = ["call", "get-probe", extra];
                let done = run(&workspace, &[("KEY", SECRET)], &arguments);
                assert!(done.code != 0, "{auth} {status}");
                if extra != "--output=raw" {
                    assert_hidden(&format!("{auth} {status} {extra}"), &done);
                }
                // A base path keeps every redirect below it; without one, `/elsewhere` is the service's own.
                if !path.is_empty() || !(300..400).contains(&status) {
                    assert_eq!(done.code, code, "{auth} {status}: {}", done.stderr);
                }
            }
        }
        let workspace = workspace("http://127.0.0.1:1", path, auth);
        let done = run(&workspace, &[("KEY", SECRET)], &["call", "get-probe", "-v"]).expect(8);
        assert_hidden(auth, &done);
    }
}

const IN_PATH: &str = "auth: { kind: api_key, in: path, name: token, secret: { env: KEY } }";

/// A service that checks the secret in its path and gives three pages; `next` makes the link to the next one.
fn pages(next: fn(&Request, &str) -> String) -> Fake {
    Fake::start(move |request| {
        let Some(rest) = request.path.strip_prefix(&format!("/bot{ENCODED}")) else {
            return Reply::json(404, &json!({ "message": "no such token" }));
        };
        assert_eq!(rest, "/probes");
        match request.query.as_str() {
            "" => Reply::json(
                200,
                &json!({ "rows": [1], "next": next(request, "page=2") }),
            ),
            "page=2" => Reply::json(
                200,
                &json!({ "rows": [2], "next": next(request, "page=3") }),
            ),
            _ => Reply::json(200, &json!({ "rows": [3], "next": null })),
        }
    })
}

#[test]
fn links_to_the_next_page_keep_the_secret_of_the_path() {
    let links: [fn(&Request, &str) -> String; 4] = [
        |request, page| format!("{}/bot{ENCODED}/probes?{page}", request.origin()),
        |request, page| format!("{}/bot{SECRET}/probes?{page}", request.origin()),
        |_, page| format!("/bot{ENCODED}/probes?{page}"),
        |_, page| format!("?{page}"),
    ];
    for (i, link) in links.into_iter().enumerate() {
        let fake = pages(link);
        let workspace = workspace(&fake.origin(), "/bot{{ auth.token }}", IN_PATH);
        let secrets = [("KEY", SECRET)];
        for format in ["json", "ndjson", "csv", "table", "yaml"] {
            let arguments = ["call", "list-probes", "--all", "-v", "-o", format];
            let done = run(&workspace, &secrets, &arguments).expect(0);
            assert_hidden(&format!("{i} {format}"), &done);
            for row in ["1", "2", "3"] {
                assert!(done.stdout.contains(row), "{i} {format}: {}", done.stdout);
            }
        }
        let one = run(
            &workspace,
            &secrets,
            &["call", "list-probes", "--max-pages", "1", "--all"],
        );
        assert_hidden("a walk that is cut", &one);
        let one = run(&workspace, &secrets, &["call", "list-probes", "-o", "json"]);
        assert_hidden("one page", &one);
    }
}

#[test]
fn a_link_that_leaves_the_secret_path_is_not_followed() {
    let links: [fn(&Request, &str) -> String; 3] = [
        |request, page| format!("{}/bot999:other-token-xyz/probes?{page}", request.origin()),
        |_, page| format!("/probes?{page}"),
        |_, page| format!("https://elsewhere.test/bot{ENCODED}/probes?{page}"),
    ];
    for link in links {
        let fake = pages(link);
        let workspace = workspace(&fake.origin(), "/bot{{ auth.token }}", IN_PATH);
        let arguments = ["call", "list-probes", "--all", "-o", "json"];
        let done = run(&workspace, &[("KEY", SECRET)], &arguments);
        assert!(done.code != 0, "{}", done.stdout);
        assert_hidden("a link that leaves", &done);
        assert_eq!(fake.requests().len(), 1);
    }
}

#[test]
fn redirects_stay_below_the_secret_path() {
    for (location, code) in [
        (format!("/bot{ENCODED}/moved"), 0),
        (format!("/bot{ENCODED}/../botx/moved"), 5),
        ("/moved".to_owned(), 5),
        ("/bot***/moved".to_owned(), 5),
    ] {
        let to = location.clone();
        let fake = Fake::start(move |request| match request.path.ends_with("/moved") {
            true => Reply::ok(),
            false => Reply::redirect(307, to.clone()),
        });
        let workspace = workspace(&fake.origin(), "/bot{{ auth.token }}", IN_PATH);
        let arguments = ["call", "get-probe", "-v"];
        let done = run(&workspace, &[("KEY", SECRET)], &arguments).expect(code);
        assert_hidden(&location, &done);
    }
}

#[test]
fn a_secret_that_does_not_fit_its_place_is_refused() {
    let cookie = "auth: { kind: api_key, in: cookie, name: c, secret: { env: KEY } }";
    for (path, auth, value, told) in [
        (
            "/bot{{ auth.token }}",
            IN_PATH,
            "short",
            "too short to be masked",
        ),
        (
            "/bot{{ auth.token }}",
            IN_PATH,
            "..",
            "too short to be masked",
        ),
        (
            "/bot{{ auth.token }}",
            IN_PATH,
            "a-long-secret\twith-a-tab",
            "control character",
        ),
        ("", cookie, "a-long-secret; admin=1", "a cookie cannot have"),
        ("", cookie, "a long secret", "a cookie cannot have"),
        ("", cookie, "a-long-secret,b", "a cookie cannot have"),
        ("", cookie, "a-long-secret-é", "a cookie cannot have"),
    ] {
        let fake = Fake::start(|_| Reply::ok());
        let workspace = workspace(&fake.origin(), path, auth);
        let done = run(&workspace, &[("KEY", value)], &["call", "get-probe"]).expect(4);
        assert_tells(&done, &[told]);
        let is_word = ["short", ".."].contains(&value);
        assert!(is_word || !done.stderr.contains(value), "{}", done.stderr);
        assert_eq!(fake.requests().len(), 0);
        // A secret that a program gives is checked too.
        let catalog = toolrun::Catalog::empty().with_folder(workspace.descriptors());
        let tool = catalog.tool("get-probe").expect("a tool");
        let engine = toolrun::Engine::new().with_secret("KEY", toolrun::Secret::new(value));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let outcome = runtime.block_on(engine.call(toolrun::Call::new(&tool, json!({}))));
        let error = outcome.expect_err("a refusal").to_string();
        assert!(error.contains(told), "{error}");
    }
    let fake = Fake::start(|_| Reply::ok());
    let workspace = workspace(&fake.origin(), "/bot{{ auth.token }}", IN_PATH);
    let done = run(&workspace, &[], &["call", "get-probe"]).expect(4);
    assert_tells(&done, &["KEY is not set"]);
    assert_eq!(fake.requests().len(), 0);
}

// Optional credentials

/// An optional kind: `auth`, its secrets, and whether a request carries the credential.
type Kind = (&'static str, &'static [&'static str], fn(&Request) -> bool);

const SIGV4: &str = "{ kind: aws_sigv4, optional: true, region: eu-1, service: sqs, access_key_id: { env: ID }, secret_access_key: { env: KEY }, session_token: { env: SESSION } }";

const KINDS: [Kind; 10] = [
    (
        "{ kind: api_key, optional: true, in: header, name: x-key, secret: { env: KEY } }",
        &["KEY"],
        |request| request.header("x-key").is_some(),
    ),
    (
        "{ kind: api_key, optional: true, in: query, name: key, secret: { env: KEY } }",
        &["KEY"],
        |request| request.query.contains("key="),
    ),
    (
        "{ kind: api_key, optional: true, in: cookie, name: c, secret: { env: KEY } }",
        &["KEY"],
        |request| request.header("cookie").is_some(),
    ),
    (
        "{ kind: bearer, optional: true, secret: { env: KEY } }",
        &["KEY"],
        |request| request.header("authorization").is_some(),
    ),
    (
        "{ kind: bearer, optional: true, secret: { file: key.txt } }",
        &["key.txt"],
        |request| request.header("authorization").is_some(),
    ),
    (
        "{ kind: basic, optional: true, username: { env: ID }, password: { env: KEY } }",
        &["ID", "KEY"],
        |request| request.header("authorization").is_some(),
    ),
    (
        "{ kind: headers, optional: true, headers: { x-id: { env: ID }, x-key: { env: KEY } } }",
        &["ID", "KEY"],
        |request| request.header("x-id").is_some() && request.header("x-key").is_some(),
    ),
    (
        "{ kind: hmac, optional: true, algorithm: sha256, secret: { env: KEY }, key_id: { env: ID }, message: '{{ path }}', name: x-signature, headers: { x-id: '{{ key_id }}' } }",
        &["ID", "KEY"],
        |request| request.header("x-signature").is_some() && request.header("x-id").is_some(),
    ),
    (SIGV4, &["ID", "KEY"], |request| {
        request.header("authorization").is_some()
    }),
    (
        "{ kind: oauth2, optional: true, grant: client_credentials, token_url: 'ORIGIN/token', client_id: me, client_secret: { env: KEY } }",
        &["KEY"],
        |request| request.header("authorization").is_some(),
    ),
];

fn optional(status: u16, auth: &str) -> (Fake, Workspace) {
    let fake = Fake::start(move |request| match request.path.as_str() {
        "/token" => Reply::json(
            200,
            &json!({ "access_token": "canary-access-token", "expires_in": 60 }),
        ),
        _ => Reply::json(status, &json!({ "ok": true })),
    });
    let auth = format!("auth: {}", auth.replace("ORIGIN", &fake.origin()));
    let workspace = workspace(&fake.origin(), "", &auth);
    (fake, workspace)
}

/// Sets the secrets, those of a file in that file.
fn set(workspace: &Workspace, names: &[&'static str]) -> Vec<(&'static str, &'static str)> {
    for name in names.iter().filter(|name| name.ends_with(".txt")) {
        workspace.write(name, "canary-secret-of-a-file");
    }
    names.iter().map(|name| (*name, "canary-secret")).collect()
}

#[test]
fn an_optional_credential_is_sent_where_it_is_set() {
    for (auth, secrets, carries) in KINDS {
        let (fake, workspace) = optional(200, auth);
        let given = set(&workspace, secrets);
        let done = run(&workspace, &given, &["call", "get-probe", "-v"]).expect(0);
        assert!(
            !done.stderr.contains("goes without"),
            "{auth}: {}",
            done.stderr
        );
        let request = fake.requests().pop().expect("a request");
        assert!(carries(&request), "{auth}: {request:?}");
        let done = run(&workspace, &given, &["call", "get-probe", "--dry-run=json"]).expect(0);
        assert!(
            !done.stderr.contains("goes without"),
            "{auth}: {}",
            done.stderr
        );
        let plan = done.stdout;
        assert!(
            plan.contains("***") || plan.contains("timestamp"),
            "{auth}: {plan}"
        );
        // With its secret, a refusal has the usual hint.
        let (_fake, workspace) = optional(401, auth);
        let given = set(&workspace, secrets);
        let done = run(&workspace, &given, &["call", "get-probe"]).expect(6);
        assert!(
            !done.stderr.contains("carried no credential"),
            "{auth}: {}",
            done.stderr
        );
    }
}

#[test]
fn without_its_secrets_a_request_goes_without_the_credential_and_says_so() {
    for (auth, secrets, carries) in KINDS {
        let (fake, workspace) = optional(200, auth);
        let told = match secrets {
            [one] => format!("{one} is not set: the request goes without its credential"),
            more => format!(
                "{} are not set: the request goes without their credential",
                more.join(", ")
            ),
        };
        let done = run(&workspace, &[], &["call", "get-probe", "-v"]).expect(0);
        assert_tells(&done, &[&told]);
        assert!(!done.stderr.contains("***"), "{auth}: {}", done.stderr);
        run(&workspace, &[], &["call", "get-probe"]).expect(0);
        for request in fake.requests() {
            assert!(!carries(&request), "{auth}: {request:?}");
            assert_eq!(request.path, "/probe/a", "{auth}");
            assert_eq!(request.query, "q=1", "{auth}");
            for name in [
                "authorization",
                "cookie",
                "x-key",
                "x-id",
                "x-signature",
                "x-amz-date",
            ] {
                assert_eq!(request.header(name), None, "{auth}");
            }
        }
        for form in ["http", "json", "curl"] {
            let argument = format!("--dry-run={form}");
            let done = run(&workspace, &[], &["call", "get-probe", &argument]).expect(0);
            assert_tells(&done, &[&told]);
            for part in ["***", "${", "timestamp"] {
                assert!(
                    !done.stdout.contains(part),
                    "{auth} {form}: {}",
                    done.stdout
                );
            }
        }
        let show = run(&workspace, &[], &["show", "get-probe"]).expect(0);
        assert!(
            show.stdout.contains(&format!("{}, optional", secrets[0])),
            "{}",
            show.stdout
        );
        let show = run(&workspace, &[], &["show", "get-probe", "--json"])
            .expect(0)
            .json();
        assert!(
            show["optional_secrets"]
                .as_array()
                .expect("a list")
                .contains(&json!(secrets[0]))
        );
    }
}

#[test]
fn a_plan_says_which_optional_secret_was_not_asked_for() {
    let auth =
        "{ kind: bearer, optional: true, secret: { keyring: { service: probe, account: me } } }";
    let (_fake, workspace) = optional(200, auth);
    let done = run(&workspace, &[], &["call", "get-probe", "--dry-run"]).expect(0);
    assert!(
        done.stdout.contains("authorization: Bearer ***"),
        "{}",
        done.stdout
    );
    assert_tells(&done, &["probe/me is not asked for its secret now"]);
}

#[test]
#[ignore = "long"]
fn a_refusal_without_the_credential_names_the_secret() {
    for (auth, secrets, _) in KINDS {
        for (status, code) in [(401, 6), (403, 6), (404, 6), (429, 6)] {
            let (_fake, workspace) = optional(status, auth);
            let done = run(&workspace, &[], &["call", "get-probe"]).expect(code);
            let told = format!(
                "the request carried no credential; set {} to send it",
                secrets.join(", ")
            );
            assert_tells(&done, &[&told]);
            let done = run(&workspace, &[], &["call", "get-probe", "-o", "json"]).expect(code);
            let error: Value = done.error();
            assert_eq!(
                error["upstream"]["unset_secrets"],
                json!(secrets),
                "{auth}: {error}"
            );
        }
        let (_fake, workspace) = optional(400, auth);
        let done = run(&workspace, &[], &["call", "get-probe"]).expect(6);
        assert!(
            !done.stderr.contains("carried no credential"),
            "{}",
            done.stderr
        );
    }
}

#[test]
fn half_of_an_optional_credential_is_a_mistake() {
    for (auth, secrets, _) in KINDS
        .into_iter()
        .filter(|(_, secrets, _)| secrets.len() > 1)
    {
        for (set, lacking) in [(0, 1), (1, 0)] {
            let (fake, workspace) = optional(200, auth);
            let given = [(secrets[set], "canary-secret")];
            let done = run(&workspace, &given, &["call", "get-probe"]).expect(4);
            assert_tells(
                &done,
                &[&format!("the secret {} is not set", secrets[lacking])],
            );
            assert_eq!(fake.requests().len(), 0, "{auth}");
        }
    }
}

#[test]
fn a_wrong_optional_secret_is_a_mistake() {
    let auth = "{ kind: bearer, optional: true, secret: { env: KEY, pattern: '^sk-' } }";
    let (fake, workspace) = optional(200, auth);
    run(
        &workspace,
        &[("KEY", "canary-secret")],
        &["call", "get-probe"],
    )
    .expect(4);
    assert_eq!(fake.requests().len(), 0);
    // An empty variable is not set.
    run(&workspace, &[("KEY", "")], &["call", "get-probe"]).expect(0);
    assert_eq!(fake.only_request().header("authorization"), None);
}

#[test]
fn of_several_optional_credentials_those_are_sent_that_are_set() {
    let auth = "[{ kind: bearer, optional: true, secret: { env: TOKEN } }, { kind: api_key, optional: true, in: header, name: x-key, secret: { env: KEY } }]";
    for (given, authorization, key) in [
        (&[][..], None, None),
        (
            &[("TOKEN", "token-token-token")],
            Some("Bearer token-token-token"),
            None,
        ),
        (&[("KEY", "key-key-key-key")], None, Some("key-key-key-key")),
        (
            &[("TOKEN", "token-token-token"), ("KEY", "key-key-key-key")],
            Some("Bearer token-token-token"),
            Some("key-key-key-key"),
        ),
    ] {
        let (fake, workspace) = optional(200, auth);
        run(&workspace, given, &["call", "get-probe"]).expect(0);
        let request = fake.only_request();
        assert_eq!(request.header("authorization"), authorization);
        assert_eq!(request.header("x-key"), key);
    }
}

// The sandbox

const SANDBOX: &str = "spec: 1
sandbox: probe
seed: 1
now: '2026-01-01T00:00:00Z'
secrets: { KEY: made-up-secret-key }
request_id: r
errors: { body: { error: '{{ message }}' }, codes: {} }
data: { rows: { count: 3, row: { id: '{{ index }}' } } }
routes:
  get-probe: { body: { id: '{{ args.id }}' } }
";

#[test]
fn the_sandbox_knows_each_place() {
    let optional = PLACES[0].1.replace("secret:", "optional: true, secret:");
    let cookies = "auth: { kind: api_key, in: cookie, name: session, secret: { env: KEY } }";
    let all = PLACES.iter().map(|(path, auth, ..)| (*path, *auth, false));
    for (path, auth, is_optional) in
        all.chain([("", optional.as_str(), true), ("", cookies, false)])
    {
        let workspace = workspace("https://api.example.com", path, auth);
        workspace.write("descriptors/probe/sandbox.yaml", SANDBOX);
        workspace.run(&["validate", "descriptors"]).expect(0);
        let arguments = [
            "call",
            "get-probe",
            "id=x/y",
            "--sandbox",
            "-o",
            "json",
            "-v",
        ];
        let done = run(&workspace, &[], &arguments).expect(0);
        assert_eq!(done.json(), json!({ "id": "x/y" }), "{auth}");
        assert!(
            !done.stderr.contains("made-up-secret-key"),
            "{auth}: {}",
            done.stderr
        );
        let catalog = toolrun::Catalog::empty().with_folder(workspace.descriptors());
        let tool = catalog.tool("get-probe").expect("a tool");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let sandbox = toolrun::Sandbox::for_tool(&catalog, &tool).expect("a sandbox");
            let server = toolrun::Server::start(std::sync::Arc::new(sandbox))
                .await
                .expect("a server");
            let origin: url::Url = format!("http://{}", server.address())
                .parse()
                .expect("a URL");
            for (secret, is_let_in) in [
                (Some("made-up-secret-key"), true),
                (Some("another-secret-key"), false),
                (None, is_optional),
            ] {
                let engine = toolrun::Engine::new().with_stand_in(origin.clone());
                let engine = match secret {
                    Some(secret) => engine.with_secret("KEY", toolrun::Secret::new(secret)),
                    None => engine,
                };
                let outcome = engine
                    .call(toolrun::Call::new(&tool, json!({ "id": "x" })))
                    .await;
                assert_eq!(outcome.is_ok(), is_let_in, "{auth} {secret:?}: {outcome:?}");
                if let (Err(toolrun::Error::Upstream(upstream)), Some(_)) = (&outcome, secret) {
                    assert_eq!(upstream.status, 401, "{auth}");
                }
            }
        });
    }
}

#[test]
fn a_job_below_the_secret_path_is_asked_for() {
    for wait in [
        "url: $.status_url",
        "url: { header: location }",
        "path: '/jobs/{{ created.id }}'",
    ] {
        let fake = Fake::start(|request| {
            let url = format!("{}/bot{ENCODED}/jobs/7", request.origin());
            match request.path.strip_prefix(&format!("/bot{ENCODED}")) {
                Some("/jobs") => {
                    Reply::json(202, &json!({ "id": 7, "status_url": url })).with("location", url)
                }
                Some("/jobs/7") => Reply::json(200, &json!({ "done": true, "url": url })),
                _ => Reply::json(404, &json!({ "message": request.path })),
            }
        });
        let workspace = workspace(&fake.origin(), "/bot{{ auth.token }}", IN_PATH);
        workspace.tool(
            "run-job",
            "read",
            &format!("request: {{ method: POST, path: /jobs }}\nwait: {{ {wait}, until: '{{{{ body.done }}}}', interval: 1ms }}"),
        );
        let secrets = [("KEY", SECRET)];
        for extra in ["-v", "--no-wait"] {
            let arguments = ["call", "run-job", extra, "-o", "json"];
            let done = run(&workspace, &secrets, &arguments).expect(0);
            assert_hidden(wait, &done);
        }
        assert_eq!(fake.requests().len(), 3, "{wait}");
    }
}
