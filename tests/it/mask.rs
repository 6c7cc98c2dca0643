//! What is masked in a response that repeats a secret, and what is not touched: each encoding in each place.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use crate::support::{Fake, Output, Reply, Workspace, output};

const SECRET: &str = "sk-Ant-admin01_CANARY7f3b9c/+=\"x<y>&z:e";

const BEARER: &str = "{ kind: bearer, secret: { env: SECRET } }";

/// A way to write a text, by name.
type Encoding = (&'static str, fn(&str) -> String);

/// Ways to write a text.
const ENCODINGS: [Encoding; 58] = [
    ("plain", |s| s.to_owned()),
    ("upper case", str::to_uppercase),
    ("lower case", str::to_lowercase),
    ("mixed case", |s| {
        each(s, |i, c| {
            if i % 2 == 0 {
                c.to_ascii_uppercase().to_string()
            } else {
                c.to_ascii_lowercase().to_string()
            }
        })
    }),
    ("in a sentence", |s| format!("the key {s} is revoked")),
    ("in a header", |s| format!("authorization: Bearer {s}; x=1")),
    ("percent", percent),
    ("percent in lower case", |s| {
        percent_by(
            s,
            |c| c.is_ascii_alphanumeric(),
            "%",
            |b| format!("{b:02x}"),
        )
    }),
    ("percent with slashes left", |s| {
        percent(s).replace("%2F", "/")
    }),
    ("percent, every byte", |s| {
        percent_by(s, |_| false, "%", |b| format!("{b:02X}"))
    }),
    ("percent, every byte in lower case", |s| {
        percent_by(s, |_| false, "%", |b| format!("{b:02x}"))
    }),
    ("percent, every other character", |s| {
        every_other(s, |c| format!("%{:02X}", u32::from(c)))
    }),
    ("percent twice", |s| percent(&percent(s))),
    ("percent thrice", |s| percent(&percent(&percent(s)))),
    ("percent twice, every byte", |s| {
        all_percent(&all_percent(s))
    }),
    ("percent with words", |s| {
        each(s, |_, c| format!("%u{:04x}", u32::from(c)))
    }),
    ("a form", |s| {
        url::form_urlencoded::byte_serialize(s.as_bytes()).collect()
    }),
    ("a URL", |s| {
        format!("https://x.test/a?key={}&b=1", percent(s))
    }),
    ("JSON", quoted),
    ("JSON as PHP writes it", |s| quoted(s).replace('/', "\\/")),
    ("JSON as Go writes it", |s| {
        quoted(s)
            .replace('<', "\\u003c")
            .replace('>', "\\u003E")
            .replace('&', "\\u0026")
    }),
    ("JSON, every character", |s| {
        each(s, |_, c| format!("\\u{:04x}", u32::from(c)))
    }),
    ("JSON, every character in upper case", |s| {
        each(s, |_, c| format!("\\u{:04X}", u32::from(c)))
    }),
    ("JSON, every other character", |s| {
        every_other(s, |c| format!("\\u{:04x}", u32::from(c)))
    }),
    ("JSON in JSON", |s| quoted(&quoted(s))),
    ("JSON in JSON in JSON", |s| quoted(&quoted(&quoted(s)))),
    ("percent of JSON", |s| percent(&quoted(s))),
    ("JSON escapes of percent", |s| {
        percent(s).replace('%', "\\u0025")
    }),
    ("percent of JSON escapes, every byte", |s| {
        all_percent(&each(s, |_, c| format!("\\u{:04x}", u32::from(c))))
    }),
    ("HTML", html),
    ("HTML, decimal", |s| {
        each(s, |_, c| format!("&#{};", u32::from(c)))
    }),
    ("HTML, hexadecimal", |s| {
        each(s, |_, c| format!("&#x{:x};", u32::from(c)))
    }),
    ("HTML, hexadecimal with zeros", |s| {
        each(s, |_, c| format!("&#X{:06X};", u32::from(c)))
    }),
    ("HTML, every other character", |s| {
        every_other(s, |c| format!("&#{};", u32::from(c)))
    }),
    ("HTML, all names", |s| {
        html(s)
            .replace('/', "&sol;")
            .replace('+', "&plus;")
            .replace('=', "&equals;")
            .replace(':', "&colon;")
            .replace('_', "&lowbar;")
    }),
    ("HTML twice", |s| html(&html(s))),
    ("HTML of percent", |s| percent(s).replace('%', "&#37;")),
    ("JSON of HTML", |s| html(s).replace('&', "\\u0026")),
    ("backslashes", |s| {
        each(s, |_, c| {
            if c.is_alphanumeric() {
                c.to_string()
            } else {
                format!("\\{c}")
            }
        })
    }),
    ("backslashes, hexadecimal", |s| {
        each(s, |_, c| format!("\\x{:02x}", u32::from(c)))
    }),
    ("backslashes, octal", |s| {
        each(s, |_, c| format!("\\{:03o}", u32::from(c)))
    }),
    ("backslashes, braces", |s| {
        each(s, |_, c| format!("\\u{{{:x}}}", u32::from(c)))
    }),
    ("base64", |s| STANDARD.encode(s)),
    ("base64 for URLs", |s| URL_SAFE.encode(s)),
    ("base64 without padding", |s| STANDARD_NO_PAD.encode(s)),
    ("base64, one off", |s| STANDARD.encode(format!("x{s}"))),
    ("base64, two off", |s| {
        URL_SAFE_NO_PAD.encode(format!("xy{s}z"))
    }),
    ("basic credentials", |s| {
        format!("Basic {}", STANDARD.encode(format!("me:{s}")))
    }),
    ("base64 behind letters", |s| {
        format!("https://x.test/ab/{}/c", URL_SAFE_NO_PAD.encode(s))
    }),
    ("base64 of base64", |s| STANDARD.encode(STANDARD.encode(s))),
    ("base64 of base64 for URLs, off", |s| {
        STANDARD.encode(format!("k={}", URL_SAFE.encode(format!("u:{s}"))))
    }),
    ("base64 of percent", |s| {
        STANDARD.encode(format!("/probe?key={}", percent(s)))
    }),
    ("base64 of JSON", |s| {
        URL_SAFE_NO_PAD.encode(json!({ "key": s, "n": 1 }).to_string())
    }),
    ("percent of base64", |s| {
        percent(&STANDARD.encode(format!("~~~{s}???")))
    }),
    ("hex", |s| hex(s, |b| format!("{b:02x}"))),
    ("hex in upper case", |s| {
        format!("0x{}", hex(s, |b| format!("{b:02X}")))
    }),
    ("hex in mixed case, behind a digit", |s| {
        format!(
            "7{}",
            every_other(&hex(&format!("me:{s}"), |b| format!("{b:02x}")), |c| c
                .to_ascii_uppercase()
                .to_string())
        )
    }),
    ("base64 of hex", |s| {
        STANDARD.encode(hex(s, |b| format!("{b:02x}")))
    }),
];

fn each(text: &str, write: impl Fn(usize, char) -> String) -> String {
    text.chars().enumerate().map(|(i, c)| write(i, c)).collect()
}

fn every_other(text: &str, write: impl Fn(char) -> String) -> String {
    each(
        text,
        |i, c| if i % 2 == 0 { write(c) } else { c.to_string() },
    )
}

fn percent_by(
    text: &str,
    is_left: impl Fn(char) -> bool,
    mark: &str,
    write: impl Fn(u8) -> String,
) -> String {
    text.bytes()
        .map(|byte| match is_left(char::from(byte)) {
            true => char::from(byte).to_string(),
            false => format!("{mark}{}", write(byte)),
        })
        .collect()
}

fn percent(text: &str) -> String {
    let is_left = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    percent_by(text, is_left, "%", |byte| format!("{byte:02X}"))
}

fn all_percent(text: &str) -> String {
    percent_by(text, |_| false, "%", |byte| format!("{byte:02X}"))
}

fn hex(text: &str, write: impl Fn(u8) -> String) -> String {
    text.bytes().map(write).collect()
}

/// The text as it stands inside a JSON string.
fn quoted(text: &str) -> String {
    let quoted = json!(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn html(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('"', "&quot;");
    text.replace('<', "&lt;").replace('>', "&gt;")
}

/// A service `probe` with its tool `get-probe`.
fn probe(fake: &Fake, auth: &str, tool: &str) -> Workspace {
    let workspace = Workspace::new();
    let service = format!(
        "auth: {auth}\nretry: {{ max_attempts: 1 }}\nerrors: {{ message: $.message, code: $.code, request_id: {{ header: x-echo }} }}"
    );
    workspace.service(&fake.origin(), &service);
    workspace.tool(
        "get-probe",
        "read",
        &format!("request: {{ method: GET, path: /probe }}\n{tool}"),
    );
    workspace
}

fn call(workspace: &Workspace, secret: &str, more: &[&str]) -> Output {
    let mut command = workspace.toolrun();
    command.env("SECRET", secret).args(["call", "get-probe"]);
    output(command.args(more))
}

/// A part of the encoded secret that a text shows: twenty characters, which no other text here has.
fn shown(text: &str, form: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let parts: Vec<char> = form.to_lowercase().chars().collect();
    let known = |part: &[char]| part.iter().collect::<String>();
    let harmless = [
        "https://x.test/a?key=",
        "authorization: bearer ",
        "the key ",
        "is revoked",
        "https://x.test/ab/",
        "/probe?key=",
    ];
    parts
        .windows(20)
        .map(known)
        .filter(|part| !harmless.iter().any(|known| known.contains(part.as_str())))
        .find(|part| lower.contains(part.as_str()))
}

/// Looks for the secret in what the program says, and keeps what it finds.
struct Leaks(Vec<String>);

impl Leaks {
    fn look(&mut self, place: &str, text: &str, form: &str) {
        if let Some(part) = shown(text, form) {
            self.0.push(format!("{place}: {part}"));
        }
        if !text.contains("***") {
            self.0.push(format!("{place}: nothing is masked in {text}"));
        }
    }
}

#[test]
#[ignore = "long"]
fn each_encoding_is_masked_in_each_place() {
    let distinct: HashSet<String> = ENCODINGS.iter().map(|(_, encode)| encode(SECRET)).collect();
    assert!(distinct.len() >= 50, "{}", distinct.len());
    let mut leaks = Leaks(Vec::new());
    for (name, encode) in ENCODINGS {
        let form = encode(SECRET);
        let place = |place: &str| format!("{name}, {place}");
        in_a_success(&mut leaks, &place, &form);
        in_a_text(&mut leaks, &place, &form);
        in_an_error(&mut leaks, &place, &form);
    }
    assert_eq!(leaks.0, [""; 0]);
}

/// A JSON string, a header, the URL of the next page, and what `-v` tells; the key stays.
fn in_a_success(leaks: &mut Leaks, place: &dyn Fn(&str) -> String, form: &str) {
    let echo = form.to_owned();
    let fake = Fake::start(move |request| {
        let next = match request.query.is_empty() {
            true => json!(format!(
                "{}/probe?cursor={}",
                request.origin(),
                percent(&echo)
            )),
            false => Value::Null,
        };
        let body = json!({ "data": [{ "name": echo, echo.clone(): 12 }], "next": next });
        Reply::json(200, &body).with("x-echo", echo.clone())
    });
    let tool = "
paging: { items: $.data, next_url: $.next }
response: { output: { rows: $.data, header: '{{ headers[\"x-echo\"] }}' } }";
    let workspace = probe(&fake, BEARER, tool);
    let said = call(&workspace, SECRET, &["--all", "-v", "-o", "json"]).expect(0);
    leaks.look(&place("-v and url"), &said.stderr, form);
    let mut output = said.json();
    let row = output["rows"][0].as_object_mut().expect("a row");
    // A key is data and stays as it is, also where the encoding leaves it as it was.
    let number = row.shift_remove(form);
    assert_eq!(number, Some(json!(12)), "{}", place("key"));
    leaks.look(&place("string"), &row["name"].to_string(), form);
    output["rows"] = Value::Null;
    leaks.look(&place("header"), &output.to_string(), form);
    let carried = fake.requests().iter().all(|r| {
        r.header("authorization")
            .is_some_and(|value| value.ends_with(SECRET))
    });
    assert!(carried, "{}", place("request"));
}

fn in_a_text(leaks: &mut Leaks, place: &dyn Fn(&str) -> String, form: &str) {
    let body = format!("first\n{form}\nlast\n");
    let fake = Fake::start(move |_| Reply::new(200, "text/plain", body.clone()));
    let workspace = probe(&fake, BEARER, "response: { kind: text }");
    let said = call(&workspace, SECRET, &["-o", "json"]).expect(0);
    leaks.look(&place("text"), &said.stdout, form);
    let text = said.json();
    let text = text.as_str().expect("a text");
    assert!(
        text.starts_with("first\n") && text.ends_with("\nlast\n"),
        "{}: {text}",
        place("text")
    );
}

fn in_an_error(leaks: &mut Leaks, place: &dyn Fn(&str) -> String, form: &str) {
    let echo = form.to_owned();
    let fake = Fake::start(move |_| {
        let body = json!({ "message": echo, "code": echo, echo.clone(): 1 });
        Reply::json(403, &body).with("x-echo", echo.clone())
    });
    let workspace = probe(&fake, BEARER, "");
    let said = call(&workspace, SECRET, &["-v", "-o", "table"]).expect(6);
    leaks.look(&place("error"), &said.stderr, form);
    let fails = probe(
        &fake,
        BEARER,
        "response: { errors: [{ status: 403, action: fail, message: '{{ body }}' }] }",
    );
    let said = call(&fails, SECRET, &["-o", "json"]).expect(6);
    leaks.look(&place("error that quotes the body"), &said.stderr, form);
}

const FORMATS: [&str; 5] = ["json", "ndjson", "table", "csv", "yaml"];

/// Values that are not secret, with the auth that sends them: they must be printed as the service wrote them.
const NO_SECRETS: [(&str, &str, &str); 6] = [
    ("a short token", BEARER, "12345"),
    (
        "a word",
        "{ kind: basic, username: me, password: { env: SECRET } }",
        "admin",
    ),
    ("eleven characters", BEARER, "secret-key1"),
    (
        "a user name",
        "{ kind: basic, username: { env: SECRET }, password: { file: password.txt } }",
        "bob@example.com",
    ),
    (
        "a public user name",
        "{ kind: basic, username: bob@example.com, password: { env: SECRET } }",
        "admin",
    ),
    (
        "an access key's id",
        "{ kind: aws_sigv4, region: a, service: s3, access_key_id: { env: SECRET }, secret_access_key: { file: password.txt } }",
        "AKIAIOSFODNN7EXAMPLE",
    ),
];

#[test]
fn what_is_no_secret_is_never_masked() {
    for (name, auth, value) in NO_SECRETS {
        let echo = format!("administrator {value} 1234567");
        let number = value.parse().unwrap_or(12345);
        let body = json!({ "id": number, "text": echo, "email": "bob@example.com" });
        let expected = body.clone();
        let fake = Fake::start(move |_| Reply::json(200, &body));
        let workspace = probe(&fake, auth, "");
        workspace.write("password.txt", "a-password-of-some-length");
        for format in FORMATS {
            let said = call(&workspace, value, &["-o", format]).expect(0);
            assert!(
                !said.stdout.contains("***"),
                "{name}, {format}: {}",
                said.stdout
            );
        }
        assert_eq!(
            call(&workspace, value, &["-o", "json"]).json(),
            expected,
            "{name}"
        );
    }
}

#[test]
fn numbers_keys_and_structure_stay_as_they_are() {
    let secret = "123456789012";
    let body = r#"{"id": 123456789012, "n": 123456789012.5, "123456789012": [123456789012, {"s": "a 123456789012 b"}], "t": true}"#;
    let fake = Fake::start(move |_| Reply::new(200, "application/json", body));
    let workspace = probe(&fake, BEARER, "");
    let mut expected: Value = serde_json::from_str(body).expect("JSON");
    expected[secret][1]["s"] = json!("a *** b");
    for format in ["json", "ndjson"] {
        let said = call(&workspace, secret, &["-o", format]).expect(0);
        assert_eq!(said.json(), expected, "{format}");
    }
    let raw = call(&workspace, secret, &["-o", "raw"]).expect(0);
    assert_eq!(raw.stdout.trim_end(), body);
}

#[test]
fn lines_are_masked_one_by_one() {
    let body = format!(
        "{{\"key\": {}, \"n\": 1}}\n[\"{SECRET_HEX}\"]\n",
        json!(SECRET)
    );
    let fake = Fake::start(move |_| Reply::new(200, "application/x-ndjson", body.clone()));
    let workspace = probe(&fake, BEARER, "response: { kind: ndjson }");
    let said = call(&workspace, SECRET, &["-o", "json"]).expect(0);
    assert_eq!(said.json(), json!([{ "key": "***", "n": 1 }, ["***"]]));
}

/// `SECRET` in hex.
const SECRET_HEX: &str = "736b2d416e742d61646d696e30315f43414e415259376633623963\
2f2b3d22783c793e267a3a65";

#[test]
fn the_services_own_bytes_are_printed_raw_and_saved_as_they_are() {
    let body = format!("{{\"echo\": {}, \"n\": 1.50}}", json!(SECRET));
    let sent = body.clone();
    let fake = Fake::start(move |_| Reply::new(200, "application/json", sent.clone()));
    let workspace = probe(&fake, BEARER, "");
    let said = call(&workspace, SECRET, &["-o", "raw", "-v"]).expect(0);
    assert_eq!(said.stdout.trim_end(), body);
    assert_eq!(shown(&said.stderr, SECRET), None);
    let saves = probe(&fake, BEARER, "response: { kind: bytes }");
    call(&saves, SECRET, &["--out", "saved"]).expect(0);
    let saved = std::fs::read_to_string(saves.path().join("saved")).expect("a file");
    assert_eq!(saved, body);
}

/// Credentials made of several secrets, and those secrets.
#[test]
fn basic_credentials_are_masked_also_where_the_password_is_short() {
    for (auth, secret, pair) in [
        (
            "{ kind: basic, username: bob@example.com, password: { env: SECRET } }",
            "admin",
            "bob@example.com:admin",
        ),
        (
            "{ kind: basic, username: { env: SECRET } }",
            "sk_live_0123456789",
            "sk_live_0123456789:",
        ),
        (
            "{ kind: basic, username: me, password: { env: SECRET } }",
            "long-password-01",
            "me:long-password-01",
        ),
    ] {
        let fake = Fake::start(|request| {
            let sent = request
                .header("authorization")
                .unwrap_or_default()
                .to_owned();
            Reply::json(
                200,
                &json!({ "echo": sent, "again": percent(&sent), "name": "bob@example.com" }),
            )
        });
        let workspace = probe(&fake, auth, "");
        let said = call(&workspace, secret, &["-o", "json"]).expect(0);
        assert_eq!(
            said.json(),
            json!({ "echo": "Basic ***", "again": "Basic%20***", "name": "bob@example.com" }),
            "{auth}"
        );
        let sent = format!("Basic {}", STANDARD.encode(pair));
        assert_eq!(
            fake.requests()[0].header("authorization"),
            Some(sent.as_str())
        );
    }
}

/// A long token once took gigabytes, or masked the whole body.
#[test]
fn a_long_token_costs_no_more_than_a_short_one() {
    for size in [16, 108, 1 << 10, 2700, 8 << 10, 60_000] {
        let token: String = (0..size)
            .map(|i: usize| char::from(b'A' + (i * i % 23) as u8))
            .collect();
        let echo = token.clone();
        let fake = Fake::start(move |_| {
            let names = format!("caf\\u00e9 {}", &echo[..11]).repeat(2000);
            let body = format!("{{\"name\": \"{names}\", \"echo\": \"<{echo}>\", \"n\": 7}}");
            Reply::new(200, "application/json", body)
        });
        let workspace = probe(&fake, "{ kind: bearer, secret: { file: token.txt } }", "");
        workspace.write("token.txt", &token);
        let started = Instant::now();
        let said = call(&workspace, "", &["-o", "json"]).expect(0);
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{size}: {:?}",
            started.elapsed()
        );
        let output = said.json();
        assert_eq!(output["echo"], "<***>", "{size}");
        let names = format!("café {}", &token[..11]).repeat(2000);
        assert_eq!(output["name"], names, "{size}");
        assert_eq!(output["n"], 7);
    }
}

#[test]
fn a_part_of_a_secret_is_masked_in_messages_and_not_in_data() {
    let hint = format!("{}...{}", &SECRET[..15], &SECRET[30..]);
    let body = json!({ "hint": hint, "message": format!("the key {} is unknown", &SECRET[..20]) });
    let expected = body.clone();
    let fake = Fake::start(move |request| {
        let status = if request.query.is_empty() { 200 } else { 401 };
        Reply::json(status, &body)
    });
    let workspace = probe(&fake, BEARER, "");
    assert_eq!(
        call(&workspace, SECRET, &["-o", "json"]).expect(0).json(),
        expected
    );
    workspace.tool(
        "get-probe",
        "read",
        "params: { properties: { q: { type: string } } }\nrequest: { method: GET, path: /probe, query: [q] }",
    );
    let said = call(&workspace, SECRET, &["q=1", "-o", "json"]).expect(6);
    assert_eq!(
        said.error()["upstream"]["message"],
        "the key *** is unknown"
    );
}
