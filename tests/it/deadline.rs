//! `--deadline` bounds the whole call, and a signal leaves nothing half-done.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Fake, Manner, Output, Reply, Workspace, assert_tells, output};
use pretty_assertions::assert_eq;
use serde_json::json;

const GET: &str = "request: { method: GET, path: /probe }";
const JOB: &str = "
request: { method: POST, path: /jobs, body: { json: {} } }
wait: { path: '/jobs/{{ created.id }}', until: \"{{ body.state == 'done' }}\", interval: 20ms }";

/// A folder with the tool `get-probe`.
fn probe(origin: &str, service: &str, tool: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.service(origin, service);
    workspace.tool("get-probe", "read", tool);
    workspace
}

/// Runs a call that must end at its deadline.
#[track_caller]
fn late(workspace: &Workspace, arguments: &[&str]) -> Output {
    let started = Instant::now();
    let words = ["call", "get-probe", "--deadline", "400ms", "-o", "json"];
    let output = workspace.run(&[&words, arguments].concat());
    let elapsed = started.elapsed();
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
    let output = output.expect(8);
    assert_eq!(output.error()["kind"], "network");
    assert_eq!(output.stdout, "");
    output
}

#[test]
fn a_deadline_bounds_each_thing_that_a_call_waits_for() {
    let running = Reply::json(200, &json!({ "id": "j", "state": "running" }));
    let dribble = Reply::manner(Manner::Dribble(Duration::from_secs(1)));
    let limit = "rate_limit: { requests: 1, per: 10h }";
    for (tool, reply, service, told) in [
        (
            GET,
            Reply::manner(Manner::Hang),
            "",
            "no answer within 400 ms, the deadline",
        ),
        (GET, dribble, "", "no answer within 400 ms, the deadline"),
        // The rate limit holds back the second request, which polls the job.
        (JOB, running, limit, "the job is not done"),
    ] {
        let fake = Fake::script([reply]);
        let workspace = probe(&fake.origin(), service, tool);
        assert_tells(&late(&workspace, &["--yes"]), &[told]);
        fake.only_request();
    }
    let busy = Reply::new(503, "text/plain", "busy");
    let again = "retry: { max_attempts: 50, base_delay: 300ms, max_delay: 5s }";
    // If the deadline would cut off the next try, the last answer of the service is shown at once.
    let fake = Fake::script([busy.with("retry-after", "1")]);
    let workspace = probe(&fake.origin(), again, GET);
    let words = ["call", "get-probe", "--deadline", "400ms"];
    let output = workspace.run(&words).expect(7);
    assert_tells(&output, &["answered 503"]);
    fake.only_request();
}

#[test]
fn a_deadline_ends_the_waiting_for_a_job() {
    let state = json!({ "id": "j", "state": "running" });
    let fake = Fake::script([Reply::json(200, &state)]);
    let workspace = probe(&fake.origin(), "", JOB);
    let output = late(&workspace, &["--yes"]);
    assert_tells(&output, &["the job is not done", "/jobs/j"]);
    assert_eq!(output.error()["job"]["last"], state);
    assert!(fake.requests().len() >= 3);
}

#[cfg(unix)]
#[test]
fn a_deadline_ends_the_program_that_prints_a_secret() {
    let fake = Fake::script([Reply::ok()]);
    let auth = "auth: { kind: bearer, secret: { command: [./slow] } }";
    let workspace = probe(&fake.origin(), auth, GET);
    workspace.write(
        "descriptors/probe/slow",
        "#!/bin/sh\necho $$ > pid\nexec sleep 25\n",
    );
    crate::support::may_run(&workspace.path().join("descriptors/probe/slow"));
    late(&workspace, &["--trust", "descriptors"]);
    assert_eq!(fake.requests(), []);
    let pid = fs::read_to_string(workspace.path().join("pid")).unwrap();
    let alive = Command::new("kill").args(["-0", pid.trim()]).output();
    assert!(!alive.unwrap().status.success(), "the program goes on");
}

#[test]
fn a_deadline_bounds_the_request_for_a_token() {
    let fake = Fake::script([Reply::ok()]);
    let login = Fake::script([Reply::manner(Manner::Hang)]);
    let auth = format!(
        "auth: {{ kind: oauth2, grant: client_credentials, token_url: {}/token, client_id: me, client_secret: {{ env: PROBE_SECRET }} }}",
        login.origin()
    );
    let workspace = probe(&fake.origin(), &auth, GET);
    workspace.write(".env", "PROBE_SECRET=made-up-secret\n");
    late(&workspace, &[]);
    login.only_request();
    assert_eq!(fake.requests(), []);
}

#[test]
#[ignore = "long"]
fn a_deadline_bounds_the_work_on_a_response() {
    let rows: Vec<_> = (0..20_000)
        .map(|i| json!({ "id": i, "name": "a row" }))
        .collect();
    let output: Vec<String> = (0..900)
        .map(|i| format!("a{i}: '$[?@.id == {i}].name'"))
        .collect();
    let fake = Fake::script([Reply::json(200, &json!(rows))]);
    let tool = format!("{GET}\nresponse: {{ output: {{ {} }} }}", output.join(", "));
    let workspace = probe(&fake.origin(), "", &tool);
    // Long enough to read the descriptor and to send. All of the work takes minutes.
    let started = Instant::now();
    let words = ["call", "get-probe", "--deadline", "5s", "-o", "json"];
    let output = workspace.run(&words).expect(8);
    assert!(started.elapsed() < Duration::from_secs(30));
    assert_tells(&output, &["the deadline"]);
    fake.only_request();
}

#[test]
fn a_deadline_bounds_the_reading_of_arguments() {
    let fake = Fake::script([Reply::ok()]);
    let workspace = probe(&fake.origin(), "", GET);
    let mut command = workspace.toolrun();
    command.args(["call", "get-probe", "--deadline", "300ms", "-"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The connection stays open until the program has ended.
    let input = child.stdin.take();
    let started = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(8));
    assert!(started.elapsed() < Duration::from_secs(5));
    drop(input);
    assert_eq!(fake.requests(), []);
}

#[test]
fn a_deadline_that_is_far_away_changes_nothing() {
    let fake = Fake::script([Reply::ok()]);
    let workspace = probe(&fake.origin(), "", GET);
    let output = workspace.run(&["call", "get-probe", "--deadline", "1h"]);
    assert_eq!(output.expect(0).stdout, "{}\n");
    workspace
        .run(&["call", "get-probe", "--deadline", "soon"])
        .expect(2);
}

#[tokio::test]
async fn a_deadline_of_the_library_bounds_all_calls() {
    let fake = Fake::script([Reply::ok()]);
    let workspace = probe(&fake.origin(), "", GET);
    let catalog = toolrun::Catalog::empty().with_folder(workspace.descriptors());
    let tool = catalog.tool("get-probe").unwrap();
    let engine = toolrun::Engine::new();
    let call = toolrun::Call::new(&tool, json!({}));
    let call = call.deadline(Duration::from_millis(300), Instant::now());
    engine.call(call.clone()).await.expect("in time");
    tokio::time::sleep(Duration::from_millis(350)).await;
    let error = engine.call(call).await.expect_err("too late");
    assert_eq!(error.kind(), toolrun::ErrorKind::Network);
    fake.only_request();
}

// Signals

fn begin(workspace: &Workspace, fake: &Fake, requests: usize, arguments: &[&str]) -> Child {
    let child = workspace
        .toolrun()
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for(|| fake.requests().len() >= requests);
    child
}

#[track_caller]
fn wait_for(is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(20), "in vain");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn end(signal: &str, child: Child) -> Output {
    output(Command::new("kill").args([signal, &child.id().to_string()])).expect(0);
    let done = child.wait_with_output().unwrap();
    Output {
        code: done.status.code().expect("the program ends by itself"),
        stdout: String::from_utf8(done.stdout).unwrap(),
        stderr: String::from_utf8(done.stderr).unwrap(),
    }
}

const SIGNALS: [(&str, i32); 3] = [("-INT", 130), ("-TERM", 143), ("-HUP", 129)];

#[test]
fn a_signal_leaves_no_part_of_a_download() {
    for (signal, code) in SIGNALS {
        let slow = Reply {
            manner: Manner::Dribble(Duration::from_millis(20)),
            ..Reply::new(200, "application/pdf", vec![7; 10_000])
        };
        let fake = Fake::script([slow]);
        let tool = format!("{GET}\nresponse: {{ kind: bytes }}");
        let workspace = probe(&fake.origin(), "", &tool);
        let names = || {
            let entries = fs::read_dir(workspace.path()).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name());
            names
                .map(|name| name.to_string_lossy().into_owned())
                .filter(|name| name != "descriptors")
                .collect::<Vec<String>>()
        };
        let child = begin(
            &workspace,
            &fake,
            1,
            &["call", "get-probe", "--out", "file"],
        );
        wait_for(|| names().iter().any(|name| name.ends_with(".part")));
        let output = end(signal, child).expect(code);
        assert_tells(&output, &["nothing was saved"]);
        assert_eq!(names(), Vec::<String>::new(), "{signal}");
    }
}

/// A terminal that closes sends its signal twice.
#[test]
fn two_signals_at_once_leave_no_part_of_a_download() {
    for (signal, code) in SIGNALS {
        let slow = Reply {
            manner: Manner::Dribble(Duration::from_millis(20)),
            ..Reply::new(200, "application/pdf", vec![7; 10_000])
        };
        let fake = Fake::script([slow]);
        let tool = format!("{GET}\nresponse: {{ kind: bytes }}");
        let workspace = probe(&fake.origin(), "", &tool);
        let parts = || {
            let entries = fs::read_dir(workspace.path()).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name());
            names
                .filter(|name| name.to_string_lossy().ends_with(".part"))
                .count()
        };
        let arguments = ["call", "get-probe", "--out", "file"];
        let child = begin(&workspace, &fake, 1, &arguments);
        wait_for(|| parts() == 1);
        let id = child.id().to_string();
        let sent = Command::new("kill")
            .args([signal, &id, &id])
            .status()
            .unwrap();
        assert!(sent.success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{signal}");
        assert_eq!(parts(), 0, "{signal}");
    }
}

#[test]
fn a_signal_cancels_a_job() {
    for (signal, code) in SIGNALS {
        let state = json!({ "id": "j", "state": "running" });
        let fake = Fake::script([Reply::json(200, &state)]);
        let cancel = ", cancel: { method: DELETE, path: '/jobs/{{ created.id }}' } }";
        let tool = format!("{}{cancel}", JOB.trim_end_matches(" }"));
        let workspace = probe(&fake.origin(), "", &tool);
        let arguments = ["call", "get-probe", "--yes", "-o", "json"];
        let output = end(signal, begin(&workspace, &fake, 2, &arguments)).expect(code);
        assert_eq!(output.error()["kind"], "interrupted");
        assert_tells(&output, &["the job was cancelled"]);
        let methods: Vec<String> = fake.requests().into_iter().map(|r| r.method).collect();
        assert_eq!(methods.last().map(String::as_str), Some("DELETE"));
        assert_eq!(output.stdout, "");
    }
}
