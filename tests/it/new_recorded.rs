//! `toolrun new --from-har` and the questions on a terminal: no secret is written, what comes out is valid, passes its tests
//! and has the layout, and what cannot be read leaves nothing.

use std::fs;
use std::path::Path;

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use crate::support::{Output, Workspace};

const CANARY: &str = "canary-5f0c3b1e7a924c6d9e48";

fn exchange(request: Value, status: u16, answer: &Value) -> Value {
    json!({
        "startedDateTime": "2026-01-01T00:00:00Z", "time": 1, "request": request,
        "response": { "status": status, "headers": [], "content": { "mimeType": "application/json", "text": answer.to_string() } },
    })
}

fn get(url: &str) -> Value {
    exchange(
        json!({ "method": "GET", "url": url, "headers": [] }),
        200,
        &json!({ "data": [{ "id": 1 }] }),
    )
}

fn har(entries: &[Value]) -> String {
    json!({ "log": { "version": "1.2", "entries": entries } }).to_string()
}

fn new(workspace: &Workspace, text: &str, arguments: &[&str]) -> Output {
    workspace.write("shop.har", text);
    workspace.run(
        &[
            &[
                "new",
                "shop/probe",
                "--from-har",
                "shop.har",
                "--into",
                "descriptors",
            ],
            arguments,
        ]
        .concat(),
    )
}

fn texts(folder: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        all += &match path.is_dir() {
            true => texts(&path),
            false => fs::read_to_string(path).expect("a text"),
        };
    }
    all
}

fn is_sound(workspace: &Workspace, about: &str) {
    for arguments in [
        &["validate", "--deny-warnings", "descriptors"][..],
        &["test", "descriptors"],
        &["fmt", "--check", "descriptors"],
    ] {
        let told = workspace.run(arguments);
        assert_eq!(told.code, 0, "{about}: {}{}", told.stdout, told.stderr);
    }
    let told = workspace
        .run(&["validate", "--lint", "descriptors", "--format", "json"])
        .json();
    for finding in told["findings"].as_array().expect("findings") {
        // Paging and idempotency are for a person to say.
        let code = finding["code"].as_str().unwrap_or_default();
        assert!(
            ["no-idempotency", "unpaged-list"].contains(&code),
            "{about}: {finding}"
        );
    }
}

#[test]
#[ignore = "long"]
fn no_credential_is_written_wherever_it_stands() {
    let headers = |name: &str, value: String| json!([{ "name": name, "value": value }]);
    let url = "https://api.shop.test/v1/things";
    let json_body =
        |body: Value| json!({ "mimeType": "application/json", "text": body.to_string() });
    let requests = [
        json!({ "method": "GET", "url": url, "headers": headers("Authorization", format!("Bearer {CANARY}")) }),
        json!({ "method": "GET", "url": url, "headers": headers("authorization", format!("Token token={CANARY}")) }),
        json!({ "method": "GET", "url": url, "headers": headers("Authorization", "Basic Y2FuYXJ5OmNhbmFyeS01ZjBjM2IxZTdhOTI0YzZkOWU0OA==".to_owned()) }),
        json!({ "method": "GET", "url": url, "headers": headers("cookie", format!("theme=dark; session={CANARY}")) }),
        json!({ "method": "GET", "url": url, "headers": headers("X-Api-Key", CANARY.to_owned()) }),
        json!({ "method": "GET", "url": format!("{url}?api_key={CANARY}&limit=2"), "headers": [] }),
        json!({ "method": "GET", "url": url.replace("//", &format!("//me:{CANARY}@")), "headers": [] }),
        json!({ "method": "POST", "url": url, "headers": [], "postData": json_body(json!({ "name": "a", "password": CANARY })) }),
        json!({ "method": "POST", "url": url, "headers": [], "postData": json_body(json!({ "login": { "client_secret": CANARY } })) }),
        json!({ "method": "POST", "url": url, "headers": [], "postData": { "mimeType": "application/x-www-form-urlencoded", "text": format!("user=a&password={CANARY}") } }),
        json!({ "method": "POST", "url": url, "headers": [], "postData": { "mimeType": "application/x-www-form-urlencoded", "params": [{ "name": "access_token", "value": CANARY }, { "name": "a", "value": "b" }] } }),
    ];
    for request in requests {
        // The answer echoes it, and has another one.
        let answer = json!({ "data": [{ "id": 1, "echo": format!("you sent {CANARY}") }], "access_token": CANARY, "list": [[CANARY]] });
        let workspace = Workspace::new();
        let told = new(
            &workspace,
            &har(&[exchange(request.clone(), 200, &answer)]),
            &[],
        );
        let all = texts(&workspace.descriptors()) + &told.stdout + &told.stderr;
        assert!(
            !all.contains("canary-5f0c") && !all.contains("Y2FuYXJ5"),
            "{request}: {all}"
        );
        match told.code {
            0 => is_sound(&workspace, &request.to_string()),
            // Better nothing than a secret.
            _ => assert!(
                told.code == 2
                    && workspace
                        .descriptors()
                        .read_dir()
                        .expect("a folder")
                        .next()
                        .is_none(),
                "{all}"
            ),
        }
    }
}

#[test]
fn one_exchange_is_chosen() {
    let text = har(&[
        json!({ "request": { "method": "GET", "url": "https://shop.test/app.js", "headers": [] }, "response": { "status": 200, "content": { "mimeType": "text/javascript" } } }),
        get("https://api.shop.test/v1/things?token=abcdef-secret"),
        get("https://api.shop.test/v1/boxes"),
    ]);
    let workspace = Workspace::new();
    let told = new(&workspace, &text, &[]).expect(2).stderr;
    assert!(
        told.contains("several exchanges")
            && told.contains("2  GET https://api.shop.test/v1/things  200"),
        "{told}"
    );
    assert!(
        !told.contains("abcdef") && !told.contains("app.js"),
        "{told}"
    );
    new(&workspace, &text, &["--entry", "9"]).expect(2);
    new(&workspace, &text, &["--url", "nothing"]).expect(2);
    new(&workspace, &text, &["--url", "boxes"]).expect(0);
    assert!(texts(&workspace.descriptors()).contains("path: /v1/boxes"));
    is_sound(&workspace, "boxes");
    // What is there is not overwritten.
    new(&workspace, &text, &["--entry", "2"]).expect(2);
    assert!(texts(&workspace.descriptors()).contains("path: /v1/boxes"));
}

#[test]
#[ignore = "long"]
fn bodies_of_every_kind_and_answers_of_every_kind() {
    let url = "https://api.shop.test/v1/things";
    let post =
        |data: Value| json!({ "method": "POST", "url": url, "headers": [], "postData": data });
    let many: Vec<Value> = (0..500).map(|id| json!({ "id": id })).collect();
    for (about, request, answer) in [
        (
            "json",
            post(json!({ "mimeType": "application/json", "text": "{\"a\": {\"b\": [1, 2]}}" })),
            json!({ "id": 1 }),
        ),
        (
            "form",
            post(json!({ "mimeType": "application/x-www-form-urlencoded", "text": "a=1&b=x%20y" })),
            json!([1]),
        ),
        (
            "parts",
            post(
                json!({ "mimeType": "multipart/form-data; boundary=x", "params": [{ "name": "a", "value": "@b" }] }),
            ),
            json!({ "ok": true }),
        ),
        (
            "text",
            post(json!({ "mimeType": "text/plain", "text": "@not-a-file" })),
            json!(null),
        ),
        (
            "a long list",
            json!({ "method": "GET", "url": url, "headers": [] }),
            json!({ "data": many }),
        ),
        (
            "a long text",
            json!({ "method": "GET", "url": url, "headers": [] }),
            json!({ "data": "word ".repeat(10_000) }),
        ),
        (
            "a path with an id",
            json!({ "method": "DELETE", "url": format!("{url}/42"), "headers": [] }),
            json!({}),
        ),
    ] {
        let workspace = Workspace::new();
        new(&workspace, &har(&[exchange(request, 200, &answer)]), &[]).expect(0);
        is_sound(&workspace, about);
        assert!(texts(&workspace.descriptors()).len() < 10_000, "{about}");
    }
}

#[test]
fn what_cannot_be_read_leaves_nothing() {
    let whole = har(&[get("https://api.shop.test/v1/things")]);
    for (text, told) in [
        (&whole[..whole.len() / 2], "shop.har"),
        ("", "no HAR"),
        ("{}", "no `log.entries`"),
        ("not json", "no HAR"),
        ("{\"log\": {\"entries\": []}}", "no exchange"),
        ("{\"log\": {\"entries\": [7]}}", "no exchange"),
        (&har(&[get("https://api.shop.test/{{ x }}")]), "expression"),
        (&har(&[get("file:///etc/passwd")]), "no exchange"),
    ] {
        let workspace = Workspace::new();
        let output = new(&workspace, text, &[]);
        assert_eq!(output.code, 2, "{text}: {}{}", output.stdout, output.stderr);
        assert!(output.stderr.contains(told), "{told}: {}", output.stderr);
        assert!(
            workspace
                .descriptors()
                .read_dir()
                .expect("a folder")
                .next()
                .is_none()
        );
    }
}

#[cfg(unix)]
mod on_a_terminal {
    use std::io::{Read as _, Write as _};

    use super::{Workspace, is_sound, texts};
    use crate::support::pty::start;

    /// Answers the questions; gives the exit code and what the terminal showed.
    fn answered(workspace: &Workspace, arguments: &[&str], answers: &[&str]) -> (i32, String) {
        let mut command = workspace.toolrun();
        command
            .env_remove("CI")
            .args(["new", "--into", "descriptors"])
            .args(arguments);
        let (mut terminal, mut child) = start(100, true, &mut command);
        for answer in answers {
            terminal.write_all(answer.as_bytes()).expect("it reads");
        }
        let mut shown = Vec::new();
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = terminal.read(&mut piece) {
            shown.extend_from_slice(&piece[..count]);
        }
        let status = child.wait().expect("it ends");
        (
            status.code().unwrap_or(-1),
            String::from_utf8_lossy(&shown).into_owned(),
        )
    }

    #[test]
    fn what_is_not_given_is_asked() {
        let workspace = Workspace::new();
        let answers = [
            "Shop\n",
            "shop\n",
            "ftp://x\n",
            "https://api.shop.test/v1\n",
            "add-order\n",
            "Add an order for a customer.\n",
            "purge\n",
            "post\n",
            "/customers/{customer}/orders\n",
        ];
        let (code, shown) = answered(&workspace, &[], &answers);
        assert_eq!(code, 0, "{shown}");
        assert!(
            shown.contains("lower-case") && shown.contains("a base URL is like"),
            "{shown}"
        );
        let all = texts(&workspace.descriptors());
        for part in [
            "base_url: https://api.shop.test/v1",
            "description: Add an order for a customer.",
            "method: POST",
            "path: \"/customers/{{ customer }}/orders\"",
        ] {
            assert!(all.contains(part), "{part}: {all}");
        }
        is_sound(&workspace, "asked");
        // A second tool of the service has fewer questions, and defaults.
        let (code, shown) = answered(
            &workspace,
            &["--service", "shop"],
            &["list-orders\n", "\n", "\n", "\n"],
        );
        assert_eq!(code, 0, "{shown}");
        is_sound(&workspace, "the second");
    }

    #[test]
    fn who_leaves_gets_nothing() {
        for answers in [
            &["shop\n", "\u{4}"][..],
            &["A\n", "B\n", "C\n", "D\n", "E\n"],
        ] {
            let workspace = Workspace::new();
            let (code, shown) = answered(&workspace, &[], answers);
            assert!(code != 0, "{shown}");
            assert!(
                workspace
                    .descriptors()
                    .read_dir()
                    .expect("a folder")
                    .next()
                    .is_none(),
                "{shown}"
            );
        }
    }
}
