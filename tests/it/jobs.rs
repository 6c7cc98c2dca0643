//! Jobs: created by one request and polled until they are done.

use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::{Fake, Manner, Output, Reply, Request, Workspace, assert_tells, output};
use pretty_assertions::assert_eq;
use serde_json::json;
use toolrun::{Access, Call, Catalog, Engine, Error, Event};

const SERVICE: &str = "
settings: { version: { default: \"7\" } }
headers: { x-version: \"{{ settings.version }}\" }
query: { v: \"{{ settings.version }}\" }
auth: { kind: bearer, secret: { env: TOKEN } }
retry: { max_attempts: 3, base_delay: 1ms, max_delay: 2s }
errors: { message: $.error, code: $.code }";

const TOOL: &str = "
params: { required: [name], properties: { name: { type: string, description: The name. }, part: { type: integer, default: 2, description: The part. } } }
request: { method: POST, path: /jobs, body: { json: { name: \"{{ name }}\" } } }
wait:
  path: \"/jobs/{{ created.id }}/{{ name }}\"
  query: { part: \"{{ part }}\", key: \"{{ created.key }}\" }
  headers: { x-job: \"{{ created.id }}\" }
  until: \"{{ body.state == 'done' }}\"
  fail_when: \"{{ body.state == 'failed' }}\"
  interval: 20ms
  max_interval: 40ms
  deadline: 5s
  cancel: { method: DELETE, path: \"/jobs/{{ created.id }}\" }
  output: { job: $.id, part: \"{{ params.part }}\" }
response: { output: { result: $.result, job: \"{{ created.id }}\", name: \"{{ params.name }}\" } }";

fn created() -> Reply {
    Reply::json(202, &json!({ "id": "j/1", "key": "a b" }))
}

fn state(state: &str) -> Reply {
    let body = json!({ "state": state, "result": [1], "error": "It broke.", "code": "e1" });
    Reply::json(200, &body)
}

fn workspace(fake: &Fake, tool: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), SERVICE);
    workspace.tool("run-job", "write", tool);
    workspace.run(&["validate", "descriptors"]).expect(0);
    workspace
}

fn command(workspace: &Workspace, arguments: &[&str]) -> Command {
    let mut command = workspace.toolrun();
    command.env("TOKEN", "made-up-token");
    command.args(["call", "run-job", "--yes", "name=n"]);
    if !arguments.contains(&"-o") {
        command.args(["-o", "json"]);
    }
    command.args(arguments);
    command
}

fn call(workspace: &Workspace, arguments: &[&str]) -> Output {
    output(&mut command(workspace, arguments))
}

fn lines(requests: &[Request]) -> Vec<String> {
    let line = |request: &Request| format!("{} {}", request.method, request.target());
    requests.iter().map(line).collect()
}

const CREATE: &str = "POST /jobs?v=7";
const POLL: &str = "GET /jobs/j%2F1/n?v=7&part=2&key=a%20b";
const CANCEL: &str = "DELETE /jobs/j%2F1?v=7";

// To the end

#[test]
fn a_job_is_asked_for_until_it_is_done() {
    let fake = Fake::script([created(), state("new"), state("running"), state("done")]);
    let output = call(&workspace(&fake, TOOL), &[]).expect(0);
    assert_eq!(
        output.json(),
        json!({ "result": [1], "job": "j/1", "name": "n" })
    );
    assert_eq!(output.stderr, "");
    let requests = fake.requests();
    assert_eq!(lines(&requests), [CREATE, POLL, POLL, POLL]);
    for poll in &requests[1..] {
        for (name, value) in [
            ("authorization", "Bearer made-up-token"),
            ("x-version", "7"),
            ("x-job", "j/1"),
            ("accept", "application/json"),
        ] {
            assert_eq!(poll.header(name), Some(value));
        }
        assert_eq!(poll.body, b"");
        assert_eq!(poll.header("content-type"), None);
    }
}

#[test]
fn the_place_of_a_job_may_come_with_the_first_response() {
    let with_url = |url: &str| {
        let start = TOOL.find("  path: ").unwrap();
        let end = TOOL.find("  headers: ").unwrap();
        let tool = format!("{}  url: {url}\n{}", &TOOL[..start], &TOOL[end..]);
        tool.replace("headers: { ", "headers: { x-part: \"{{ part }}\", ")
    };
    for (extract, location, poll) in [
        (
            "{ header: location }",
            "/api/status/1?x=a%2Fb&access_token=s",
            "GET /api/status/1?x=a%2Fb&access_token=s",
        ),
        ("{ header: location }", "status/1", "GET /api/status/1"),
        (
            "{ header: link, rel: monitor }",
            "</api/m>; rel=monitor",
            "GET /api/m",
        ),
        ("$.url", "/api/u", "GET /api/u"),
        (
            "\"{{ created.url ~ '/' ~ params.name }}\"",
            "/api/u",
            "GET /api/u/n",
        ),
    ] {
        let fake = Fake::start(move |request| match request.method.as_str() {
            "POST" => Reply::json(202, &json!({ "id": "j", "key": 1, "url": location }))
                .with("location", location)
                .with("link", location),
            _ => state("done"),
        });
        let workspace = workspace(&fake, &with_url(extract));
        workspace.service(&format!("{}/api", fake.origin()), SERVICE);
        call(&workspace, &[]).expect(0);
        assert_eq!(
            lines(&fake.requests()),
            ["POST /api/jobs?v=7", poll],
            "{extract}"
        );
    }
    for (location, code, told) in [
        ("https://elsewhere.test/1", 5, "leaves the service's origin"),
        ("//elsewhere.test/1", 5, "leaves the service's origin"),
        ("/other", 5, "leaves the service's base path"),
        ("../x", 5, "leaves the service's base path"),
        ("http://u:p@HOST/api/x", 5, "carries credentials"),
        ("", 9, "does not give the job's URL"),
    ] {
        let fake = Fake::start(move |request| {
            let host = request.header("host").unwrap_or_default();
            created().with("location", location.replace("HOST", host))
        });
        let workspace = workspace(&fake, &with_url("{ header: location }"));
        workspace.service(&format!("{}/api", fake.origin()), SERVICE);
        assert_tells(&call(&workspace, &[]).expect(code), &[told]);
        assert_eq!(fake.requests().len(), 1, "{location}");
    }
}

#[test]
fn a_first_body_cannot_lead_a_job_out_of_its_path() {
    for id in [
        json!(".."),
        json!(""),
        json!("a\nb"),
        json!(null),
        json!([1]),
        json!({}),
    ] {
        let fake = Fake::script([Reply::json(202, &json!({ "id": id, "key": 1 }))]);
        let tool = TOOL.replace("  headers: { x-job: \"{{ created.id }}\" }\n", "");
        assert_tells(
            &call(&workspace(&fake, &tool), &[]).expect(9),
            &["wait: path"],
        );
        assert_eq!(fake.requests().len(), 1, "{id}");
    }
}

#[test]
fn the_end_may_be_told_by_status_and_headers_and_be_a_text() {
    let tool = "
params: { required: [name], properties: { name: { type: string, description: The name. } } }
request: { method: POST, path: \"/reports/{{ name }}\" }
wait: { path: \"/reports/{{ created.id }}\", until: \"{{ status == 200 }}\", interval: 5ms }
response: { kind: text, output: { lines: \"{{ body | lines }}\", id: \"{{ created.id }}\" } }";
    let fake = Fake::script([
        created(),
        Reply::new(202, "", ""),
        Reply::new(200, "text/csv", "a,b\n1,2"),
    ]);
    let output = call(&workspace(&fake, tool), &[]).expect(0);
    assert_eq!(
        output.json(),
        json!({ "lines": ["a,b", "1,2"], "id": "j/1" })
    );
    let accepts: Vec<_> = fake
        .requests()
        .iter()
        .map(|request| request.header("accept").map(str::to_owned))
        .collect();
    let text = Some("text/plain, */*;q=0.5".to_owned());
    assert_eq!(
        accepts,
        [Some("application/json".to_owned()), text.clone(), text]
    );
}

#[test]
fn a_job_that_fails_is_an_error_of_the_service() {
    let fake = Fake::script([created(), state("running"), state("failed")]);
    let error = call(&workspace(&fake, TOOL), &[]).expect(6).error();
    assert_eq!(error["upstream"]["message"], "It broke.");
    assert_eq!(error["upstream"]["code"], "e1");
    let fake = Fake::script([created(), Reply::json(200, &json!({ "state": "failed" }))]);
    assert_tells(
        &call(&workspace(&fake, TOOL), &[]).expect(6),
        &[r#"its body is {\"state\":\"failed\"}"#],
    );
}

#[test]
fn asking_is_sent_again_and_judged_as_any_request() {
    let rule = "response: { errors: [{ status: 404, action: retry }], ";
    let tool = TOOL.replace("response: { ", rule);
    let missing = Reply::json(404, &json!({ "error": "Not yet." }));
    let busy = Reply::json(503, &json!({}));
    let fake = Fake::script([created(), missing.clone(), busy, state("done")]);
    call(&workspace(&fake, &tool), &[]).expect(0);
    assert_eq!(fake.requests().len(), 4);
    let fake = Fake::script([created(), missing]);
    assert_tells(&call(&workspace(&fake, TOOL), &[]).expect(6), &["Not yet."]);
    let fake = Fake::script([Reply::json(400, &json!({ "error": "No such job." }))]);
    assert_tells(
        &call(&workspace(&fake, TOOL), &[]).expect(6),
        &["No such job."],
    );
    assert_eq!(fake.requests().len(), 1);
}

// Time

#[test]
fn the_time_between_grows_and_the_service_may_set_it() {
    let slow = TOOL
        .replace("interval: 20ms", "interval: 100ms")
        .replace("max_interval: 40ms", "max_interval: 200ms");
    let times: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let seen = Arc::clone(&times);
    let fake = Fake::start(move |request| {
        let mut seen = seen.lock().unwrap();
        seen.push(Instant::now());
        match (request.method.as_str(), seen.len()) {
            ("POST", _) => created(),
            (_, 4) => state("running").with("retry-after", "0.5"),
            (_, 6) => state("done"),
            _ => state("running"),
        }
    });
    call(&workspace(&fake, &slow), &[]).expect(0);
    let times = times.lock().unwrap();
    let waits: Vec<u128> = times
        .windows(2)
        .map(|two| (two[1] - two[0]).as_millis())
        .collect();
    for (wait, least) in waits.iter().zip([100, 200, 200, 500, 200]) {
        assert!((least..least + 180).contains(wait), "{waits:?}");
    }
}

#[test]
fn a_job_that_takes_too_long_is_told_with_what_it_was_last() {
    let tool = TOOL.replace("deadline: 5s", "deadline: 300ms");
    let fake = Fake::start(|request| match request.method.as_str() {
        "POST" => created(),
        _ => state("running"),
    });
    let workspace = workspace(&fake, &tool);
    let started = Instant::now();
    let error = call(&workspace, &[]).expect(8).error();
    assert!(started.elapsed() < Duration::from_secs(3));
    assert_eq!(error["kind"], "network");
    assert_eq!(error["job"]["last"]["state"], "running");
    assert_eq!(error["job"]["polls"], fake.requests().len() - 1);
    let url = format!("{}/jobs/j%2F1/n?v=7&part=2&key=a%20b", fake.origin());
    assert_eq!(error["job"]["url"], url);
    let told = call(&workspace, &["-o", "table"]).expect(8);
    assert_tells(
        &told,
        &[
            "is not done after 3",
            r#""state":"running""#,
            &url,
            "hint: ",
        ],
    );
    // Waiting for longer than there is time would give nothing new.
    let fake = Fake::script([created().with("retry-after", "3600")]);
    let started = Instant::now();
    let error = call(&self::workspace(&fake, TOOL), &[]).expect(8).error();
    assert!(started.elapsed() < Duration::from_secs(3));
    assert_eq!(error["job"]["last"]["id"], "j/1");
    assert_eq!(error["job"]["polls"], 0);
}

#[test]
fn a_service_cannot_have_a_job_asked_for_without_end() {
    let running = state("running").with("retry-after", "0");
    let fake = Fake::script([created().with("retry-after", "0"), running]);
    let tool = TOOL.replace("deadline: 5s", "deadline: 500ms");
    call(&workspace(&fake, &tool), &[]).expect(8);
    assert!(fake.requests().len() <= 7, "{}", fake.requests().len());
}

// Without waiting

#[test]
fn a_call_that_does_not_wait_gives_the_first_response() {
    let fake = Fake::script([created()]);
    let workspace = workspace(&fake, TOOL);
    let output = call(&workspace, &["--no-wait"]).expect(0);
    assert_eq!(output.json(), json!({ "job": "j/1", "part": 2 }));
    assert_eq!(lines(&fake.requests()), [CREATE]);
    let bare = TOOL.replace("  output: { job: $.id, part: \"{{ params.part }}\" }\n", "");
    workspace.tool("run-job", "write", &bare);
    let output = call(&workspace, &["--no-wait"]).expect(0);
    assert_eq!(output.json(), json!({ "id": "j/1", "key": "a b" }));
}

#[test]
fn a_dry_run_shows_the_first_request_and_consent_is_asked_for() {
    let fake = Fake::script([created()]);
    let workspace = workspace(&fake, TOOL);
    let plan = call(&workspace, &["--dry-run"]).expect(0).stdout;
    assert!(plan.starts_with("POST /jobs?v=7 "), "{plan}");
    workspace.run(&["call", "run-job", "name=n"]).expect(5);
    assert_eq!(fake.requests(), []);
}

#[test]
fn options_that_have_no_meaning_are_told() {
    let fake = Fake::script([created(), state("done")]);
    let workspace = workspace(&fake, TOOL);
    assert_tells(&call(&workspace, &["--all"]).expect(0), &["has no pages"]);
    workspace.tool(
        "get-probe",
        "read",
        "request: { method: GET, path: /probe }",
    );
    let mut command = workspace.toolrun();
    command.env("TOKEN", "made-up-token");
    let output = output(command.args(["call", "get-probe", "--no-wait"]));
    assert_tells(&output.expect(0), &["no job to wait for"]);
}

#[test]
fn a_job_is_shown() {
    let fake = Fake::script([created()]);
    let workspace = workspace(&fake, TOOL);
    let text = workspace.run(&["show", "run-job"]).expect(0).stdout;
    assert!(text.contains("--no-wait"), "{text}");
    let shown = workspace
        .run(&["show", "run-job", "--json"])
        .expect(0)
        .json();
    assert_eq!(
        (&shown["waits"], &shown["response"]),
        (&json!(true), &json!("json"))
    );
}

#[test]
fn an_example_shows_a_job_from_its_first_response_to_its_last() {
    let fake = Fake::script([created()]);
    let example = "
examples:
  - name: one
    args: { name: n }
    created: { status: 202, body: { id: j, key: 1 } }
    poll: \"ORIGIN/jobs/j/n?v=7&part=2&key=1\"
    response: { body: { state: done, result: [1] } }
    output: { result: [1], job: j, name: n }
  - name: a failure
    args: { name: n }
    created: { status: 202, body: { id: j, key: 1 } }
    response: { body: { state: failed } }
    error: { kind: refused, status: 200 }";
    let example = example.replace("ORIGIN", &fake.origin());
    let workspace = workspace(&fake, &format!("{TOOL}{example}"));
    let told = workspace.run(&["test", "descriptors"]).expect(0).stdout;
    assert!(told.ends_with("2 passed, 0 failed\n"), "{told}");
}

// Interrupts

/// Starts a call and waits until the service has received this many requests.
fn begin(workspace: &Workspace, fake: &Fake, requests: usize, arguments: &[&str]) -> Child {
    let mut command = command(workspace, arguments);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while fake.requests().len() < requests {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "no request came"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}

fn interrupt(child: &Child) {
    output(Command::new("kill").args(["-INT", &child.id().to_string()])).expect(0);
}

fn end(child: Child) -> Output {
    let done = child.wait_with_output().unwrap();
    Output {
        code: done.status.code().expect("the program ends by itself"),
        stdout: String::from_utf8(done.stdout).unwrap(),
        stderr: String::from_utf8(done.stderr).unwrap(),
    }
}

#[test]
fn an_interrupt_cancels_the_job() {
    let fake = Fake::start(|request| match request.method.as_str() {
        "POST" => created(),
        "DELETE" => Reply::new(204, "", ""),
        _ => state("running"),
    });
    let workspace = workspace(&fake, TOOL);
    let child = begin(&workspace, &fake, 3, &[]);
    interrupt(&child);
    let output = end(child).expect(130);
    assert_eq!(output.error()["kind"], "interrupted");
    assert_tells(&output, &["the job was cancelled"]);
    assert_eq!(output.stdout, "");
    let requests = fake.requests();
    let last = requests.last().unwrap();
    assert_eq!(lines(std::slice::from_ref(last)), [CANCEL]);
    assert_eq!(last.header("authorization"), Some("Bearer made-up-token"));
}

#[test]
fn an_interrupt_says_what_becomes_of_a_job_that_goes_on() {
    let cancel = "  cancel: { method: DELETE, path: \"/jobs/{{ created.id }}\" }\n";
    for (tool, reply, parts) in [
        (
            TOOL.replace(cancel, ""),
            state("running"),
            ["still running at the service", "/jobs/j%2F1/n?v=7"],
        ),
        (
            TOOL.to_owned(),
            Reply::json(409, &json!({ "error": "Too late." })),
            ["could not be cancelled", "Too late."],
        ),
    ] {
        let fake = Fake::start(move |request| match request.method.as_str() {
            "POST" => created(),
            "DELETE" => reply.clone(),
            _ => state("running"),
        });
        let workspace = workspace(&fake, &tool);
        let child = begin(&workspace, &fake, 2, &["-o", "yaml"]);
        interrupt(&child);
        assert_tells(&end(child).expect(130), &parts);
    }
}

#[test]
fn a_second_interrupt_ends_the_cancelling() {
    let fake = Fake::start(|request| match request.method.as_str() {
        "POST" => created(),
        "DELETE" => Reply::manner(Manner::Hang),
        _ => state("running"),
    });
    let workspace = workspace(&fake, TOOL);
    let child = begin(&workspace, &fake, 2, &[]);
    interrupt(&child);
    let started = Instant::now();
    while fake.requests().last().unwrap().method != "DELETE" {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "nothing is cancelled"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    interrupt(&child);
    assert_tells(&end(child).expect(130), &["interrupted twice"]);
}

// As a library

#[tokio::test]
async fn a_program_may_wait_for_a_job_watch_it_drop_it_and_cancel_it() {
    let polls = Mutex::new(0);
    let fake = Fake::start(move |request| match request.method.as_str() {
        "POST" => created(),
        "DELETE" => Reply::new(204, "", ""),
        _ => {
            let mut polls = polls.lock().unwrap();
            *polls += 1;
            state(if *polls < 4 { "running" } else { "done" })
        }
    });
    let workspace = workspace(&fake, TOOL);
    let catalog = Catalog::empty().with_folder(workspace.descriptors());
    let tool = catalog.tool("run-job").unwrap();
    let events: Arc<Mutex<Vec<u32>>> = Arc::default();
    let seen = Arc::clone(&events);
    let engine = Engine::new().with_secret("TOKEN", toolrun::Secret::new("made-up-token"));
    let call = Call::new(&tool, json!({ "name": "n" })).consent(Access::Write);
    let watched = call.clone().observer(move |_, event| {
        if let Event::Waiting { polls, .. } = event {
            seen.lock().unwrap().push(polls);
        }
    });
    let job = engine.start(watched).await.unwrap();
    assert_eq!(job.first().body.value().unwrap()["id"], "j/1");
    // When a program stops waiting, nothing more is sent.
    let waiting = tokio::time::timeout(Duration::from_millis(50), job.wait());
    assert!(waiting.await.is_err());
    let sent = fake.requests().len();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(fake.requests().len(), sent);
    assert!(job.cancel().await.unwrap());
    let last = job.finish().await.unwrap();
    assert_eq!(
        last.created
            .as_ref()
            .map(|created| created.value().unwrap()["id"].clone()),
        Some(json!("j/1"))
    );
    assert_eq!(
        last.output().unwrap().value().unwrap()["result"],
        json!([1])
    );
    assert!(events.lock().unwrap().len() >= 3);
    // A call does both.
    let outcome = engine.call(call.clone()).await.unwrap();
    assert_eq!(outcome.output.value().unwrap()["job"], "j/1");
    let all = engine.call_all(call).await.unwrap();
    assert_eq!(
        (all.pages, &all.output.value().unwrap()["name"]),
        (1, &json!("n"))
    );
    // A tool without `wait` is done at once.
    workspace.tool(
        "get-probe",
        "read",
        "request: { method: GET, path: /probe }",
    );
    let probe = catalog.tool("get-probe").unwrap();
    let job = engine.start(Call::new(&probe, json!({ "no": 1 }))).await;
    let refused = job.map(|_| ()).unwrap_err();
    assert!(matches!(refused, Error::Arguments { .. }), "{refused}");
    let job = engine.start(Call::new(&probe, json!({}))).await.unwrap();
    assert_eq!(
        (job.url(), job.wait().await.unwrap().is_none()),
        (None, true)
    );
    assert!(!job.cancel().await.unwrap());
    assert_eq!(
        job.finish().await.unwrap().body.value().unwrap()["state"],
        "done"
    );
}
