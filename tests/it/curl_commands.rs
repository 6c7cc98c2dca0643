//! `toolrun new --from-curl` against the real curl: the command and the tool made from it send the same to a server on this
//! machine. The table is `tests/fixtures/curl/commands.yaml`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Map, Value, json};

use crate::support::{Fake, Output, Reply, Request, Workspace, output};

const TABLE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/fixtures/curl/commands.yaml"
);

/// Headers that say nothing about the request.
const OF_THE_CLIENT: [&str; 10] = [
    "host",
    "user-agent",
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "te",
    "dnt",
    "priority",
];

fn has_curl() -> bool {
    let curl = Command::new("curl").arg("--version").output();
    let is_there = curl.is_ok_and(|output| output.status.success());
    if !is_there {
        eprintln!("skipped: there is no curl to compare with");
    }
    is_there
}

fn texts(value: &Value) -> Vec<&str> {
    let list = value.as_array().into_iter().flatten();
    list.map(|text| text.as_str().unwrap()).collect()
}

fn fill(workspace: &Workspace) {
    workspace.write("p.png", [0x89, b'P', b'N', b'G', 13, 10, 0, 255]);
    workspace.write("n.txt", "one\ntwo\n");
    workspace.write("d.json", "{\"a\": 1, \"b\": \"c\"}");
}

/// What the real curl sends.
fn sent_by_curl(command: &str, workspace: &Workspace, fake: &Fake) -> Result<Request, String> {
    let before = fake.requests().len();
    let run = Command::new("bash")
        .arg("-c")
        .arg(command)
        .current_dir(workspace.path())
        .env("CURL_HOME", workspace.path())
        .stdin(Stdio::null())
        .output()
        .expect("bash runs");
    let requests = fake.requests();
    match requests.get(before..) {
        Some([only]) => Ok(only.clone()),
        _ => Err(format!(
            "curl sent {} requests: {}",
            requests.len() - before,
            String::from_utf8_lossy(&run.stderr)
        )),
    }
}

fn new(workspace: &Workspace, name: &str, command: &str) -> Output {
    let mut run = workspace.toolrun();
    run.args(["new", name, "--into", "descriptors", "--format", "json"]);
    run.args(["--from-curl", command]);
    output(&mut run)
}

/// Merges `more` over `base`.
fn merged(base: &Value, more: &Value) -> Value {
    let mut all = base.as_object().cloned().unwrap_or_default();
    all.extend(more.as_object().cloned().unwrap_or_default());
    all.into()
}

fn faults(row: &Value, service: &str, workspace: &Workspace, fake: &Fake) -> Vec<String> {
    let origin = fake.origin();
    let host = origin.trim_start_matches("http://");
    let filled = |text: &str| text.replace("ORIGIN", &origin).replace("HOST", host);
    let command = filled(row["command"].as_str().unwrap());
    let real = row["posix"].as_str().map_or(command.clone(), filled);
    let expected = match sent_by_curl(&real, workspace, fake) {
        Ok(expected) => expected,
        Err(fault) => return vec![fault],
    };
    let name = format!("{service}/t");
    let told = new(workspace, &name, &command);
    if told.code != 0 {
        return vec![told.stderr];
    }
    let told = told.json();
    let mut faults = Vec::new();
    let notes = told["notes"].to_string();
    for note in texts(&row["told"]) {
        if !notes.contains(note) {
            faults.push(format!("{note:?} is not told: {notes}"));
        }
    }
    let files = told["files"].as_array().unwrap();
    let text: String = files
        .iter()
        .map(|file| file["text"].as_str().unwrap())
        .collect();
    let env = row["env"].as_object().cloned().unwrap_or_default();
    let secrets = env.values().map(|value| value.as_str().unwrap());
    for absent in secrets.chain(texts(&row["absent"])) {
        if text.contains(absent) || notes.contains(absent) {
            faults.push(format!("{absent} is in a file or told"));
        }
    }
    let tool = files.last().unwrap()["text"].as_str().unwrap();
    let tool: Value = serde_yaml::from_str(tool).unwrap();
    let arguments = call_arguments(&tool, &row["args"]);
    let before = fake.requests().len();
    let mut call = workspace.toolrun();
    call.args([
        "call",
        &name,
        &arguments.to_string(),
        "--yes",
        "--output",
        "raw",
    ]);
    for (variable, value) in &env {
        let variable = variable.replacen("S_", &format!("{}_", service.to_uppercase()), 1);
        call.env(variable, value.as_str().unwrap());
    }
    let called = output(&mut call);
    let requests = fake.requests();
    let Some(ours) = requests.get(before) else {
        faults.push(format!("no call: {}\n{text}", called.stderr));
        return faults;
    };
    let differs = differences(&expected, ours, &texts(&row["skip"]));
    if !differs.is_empty() {
        faults.push(format!("{}\n{text}", differs.join("; ")));
    }
    faults
}

/// The arguments of the tool's own example, with those of the row that the tool has.
fn call_arguments(tool: &Value, more: &Value) -> Value {
    let known = tool["params"]["properties"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    let more: Map<String, Value> = more
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| known.contains_key(*name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    merged(&tool["examples"][0]["args"], &more.into())
}

type Pairs = BTreeMap<String, Vec<String>>;

/// The values of each name, without their encoding.
fn pairs(text: &[u8]) -> Pairs {
    let mut all = Pairs::new();
    for (name, value) in url::form_urlencoded::parse(text) {
        all.entry(name.into_owned())
            .or_default()
            .push(value.into_owned());
    }
    all
}

fn segments(path: &str) -> Vec<Vec<u8>> {
    let segments = path.split('/');
    segments
        .map(|segment| percent_encoding::percent_decode_str(segment).collect())
        .collect()
}

fn headers(request: &Request) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (name, value) in &request.headers {
        let is_own = OF_THE_CLIENT.contains(&name.as_str()) || name.starts_with("sec-");
        let is_default = match name.as_str() {
            "user-agent" => value.starts_with("curl/") || value.starts_with("toolrun/"),
            "accept" => value.contains("*/*") || value == "application/json",
            _ => true,
        };
        if is_own && is_default {
            continue;
        }
        // A boundary is made anew for each request, and a request without a body has no content type.
        if name == "content-type" && (value.starts_with("multipart/") || request.body.is_empty()) {
            continue;
        }
        // The charset of JSON and text is UTF-8, said or not.
        let value = match name.as_str() {
            "content-type" => value.split("; charset=utf-8").next().unwrap_or_default(),
            _ => value,
        };
        let joined: &mut String = all.entry(name.clone()).or_default();
        if !joined.is_empty() {
            joined.push_str(", ");
        }
        joined.push_str(value);
    }
    all
}

/// The parts of a form: name, file name, media type and content.
fn parts(request: &Request) -> Option<Vec<[String; 4]>> {
    let kind = request.header("content-type")?;
    let boundary = kind.strip_prefix("multipart/form-data; boundary=")?;
    let boundary = boundary.trim_matches('"');
    let body = String::from_utf8_lossy(&request.body).into_owned();
    let marker = format!("--{boundary}");
    let mut found = Vec::new();
    for part in body.split(&marker).skip(1) {
        let Some((head, content)) = part.split_once("\r\n\r\n") else {
            continue;
        };
        let of = |key: &str| {
            let (_, behind) = head.split_once(&format!(" {key}=\""))?;
            Some(behind.split('"').next()?.to_owned())
        };
        let media_type = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-type")
                .then(|| value.to_owned())
        });
        found.push([
            of("name").unwrap_or_default(),
            of("filename").unwrap_or_default(),
            media_type.unwrap_or_default(),
            content.trim_end_matches("\r\n").to_owned(),
        ]);
    }
    Some(found)
}

/// The meaning of a body, by its content type.
fn body(request: &Request, skip: &[&str]) -> Value {
    if let Some(mut parts) = parts(request) {
        if skip.contains(&"part-type") {
            parts.iter_mut().for_each(|part| part[2].clear());
        }
        return json!(parts);
    }
    let kind = request.header("content-type").unwrap_or_default();
    if let Ok(value @ (Value::Object(_) | Value::Array(_))) = serde_json::from_slice(&request.body)
    {
        return value;
    }
    match kind.starts_with("application/x-www-form-urlencoded") && request.body.contains(&b'=') {
        true => json!(pairs(&request.body)),
        false => json!(request.body),
    }
}

fn differences(expected: &Request, ours: &Request, skip: &[&str]) -> Vec<String> {
    let mut differs = Vec::new();
    let mut compare = |what: &str, expected: String, ours: String| {
        if expected != ours {
            differs.push(format!("{what}: curl {expected}, the tool {ours}"));
        }
    };
    let path = |request: &Request| format!("{:?}", segments(&request.path));
    compare("method", expected.method.clone(), ours.method.clone());
    compare("path", path(expected), path(ours));
    let query = |request: &Request| format!("{:?}", pairs(request.query.as_bytes()));
    compare("query", query(expected), query(ours));
    let kept = |request: &Request| {
        let mut all = headers(request);
        all.retain(|name, _| !skip.contains(&name.as_str()));
        format!("{all:?}")
    };
    compare("headers", kept(expected), kept(ours));
    compare(
        "body",
        body(expected, skip).to_string(),
        body(ours, skip).to_string(),
    );
    differs
}

#[test]
#[ignore = "long"]
fn tools_send_what_the_commands_send() {
    if !has_curl() {
        return;
    }
    let table = std::fs::read_to_string(TABLE).unwrap();
    let rows: Vec<Value> = serde_yaml::from_str(&table).unwrap();
    assert!(rows.len() >= 60, "{} rows", rows.len());
    let fake = Fake::start(|_| Reply::ok());
    let workspace = Workspace::new();
    fill(&workspace);
    let mut wrong = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        for fault in faults(row, &format!("s{number}"), &workspace, &fake) {
            wrong.push(format!("{}: {fault}", row["command"]));
        }
    }
    for arguments in [
        &["validate", "--deny-warnings", "descriptors"][..],
        &["test", "descriptors"],
    ] {
        let checked = workspace.run(arguments);
        if checked.code != 0 {
            wrong.push(format!("{}{}", checked.stdout, checked.stderr));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        rows.len(),
        wrong.join("\n\n")
    );
}

#[test]
fn what_a_tool_cannot_say_is_refused_with_the_reason() {
    for (command, reason) in [
        ("curl https://a.test --next https://b.test", "`--next`"),
        ("curl https://a.test -: https://b.test", "`-:`"),
        ("curl https://a.test https://b.test", "several URLs"),
        ("curl -K config https://a.test", "from a file"),
        ("curl https://a.test/{a,b}", "several (`{` or `[`"),
        ("curl 'https://a.test/[1-3]'", "several (`{` or `[`"),
        ("curl --digest -u a:b https://a.test", "logging in"),
        (
            "curl -E cert.pem https://a.test",
            "certificate of the client",
        ),
        ("curl --aws-sigv4 aws:amz https://a.test", "aws_sigv4"),
        ("curl ftp://a.test/x", "scheme `ftp`"),
        ("curl --unix-socket /s https://a.test", "Unix socket"),
        ("curl https://a.test -d @- ", "another command"),
        ("curl https://a.test -d a=1 -F b=2", "two bodies"),
        ("curl https://a.test -d a=1 -d @f", "joins a file"),
        ("curl -X PURGE https://a.test", "method is not supported"),
        (
            "curl -X GET https://a.test -d a=1",
            "GET requests have none",
        ),
        ("curl https://a.test -H @headers", "headers from a file"),
        (
            "curl https://a.test -F '=(;type=multipart/mixed'",
            "part of the form",
        ),
        ("curl", "no URL"),
        ("curl -X", "has no value"),
        ("curl --expand-url '{{x}}'", "variables of curl"),
        ("curl --frob https://a.test", "`--frob` is not known here"),
        ("curl \"$(cat url)\"", "run a command"),
        ("curl 'https://a.test", "is not closed"),
        (
            "curl https://a.test; curl https://b.test",
            "several curl commands",
        ),
        ("wget https://a.test", "no curl command"),
        ("Invoke-WebRequest -Uri https://a.test", "PowerShell"),
        ("curl $HOST/a", "--base-url"),
    ] {
        let workspace = Workspace::new();
        let told = new(&workspace, "s/t", command);
        assert_eq!(told.code, 2, "{command}: {}", told.stdout);
        assert!(told.stderr.contains(reason), "{command}: {}", told.stderr);
        let is_empty = workspace.descriptors().read_dir().unwrap().next().is_none();
        assert!(is_empty, "{command}");
        assert!(!Path::new(&workspace.path().join("tools")).exists());
    }
}
