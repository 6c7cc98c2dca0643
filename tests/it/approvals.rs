//! Approvals: what a policy says `ask` to runs after a person's yes to exactly this call, once, on every transport and in
//! every revision.

use std::time::{Duration, Instant};

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use crate::serve::{ONLY_PROBE, probe};
use crate::support::error as error_of;
use crate::support::{Fake, Http, LEGACY, MODERN, Mcp, Reply, Workspace, assert_tells};

const ASK: &str =
    "policy: 1\nrules: [{ tools: \"probe/delete-*\", do: ask, why: It is gone then. }]\n";
const BOTH: &str = "approve: [elicitation, command]\n";

fn service() -> Fake {
    Fake::start(|_| Reply::json(200, &json!({ "id": "a", "name": "x" })))
}

/// A workspace whose policy asks about the tool that deletes, which has a param with a default.
fn asking(fake: &Fake, more: &str) -> Workspace {
    let workspace = probe(fake);
    workspace.tool(
        "delete-thing",
        "destructive",
        "params: { required: [id], properties: { id: { type: string }, force: { type: boolean, default: false } } }\nrequest: { method: DELETE, path: '/things/{{ id }}', query: [force] }",
    );
    workspace.write("policy.yaml", format!("{ASK}{more}"));
    workspace
}

const FLAGS: [&str; 4] = [ONLY_PROBE[0], ONLY_PROBE[1], "--policy", "policy.yaml"];

/// A client on one of the transports, in one of the revisions.
enum Client {
    Stdio(Box<Mcp>),
    Http(Http, &'static str),
}

impl Client {
    fn result(&mut self, params: Value) -> Value {
        match self {
            Client::Stdio(mcp) => mcp.request("tools/call", params)["result"].clone(),
            Client::Http(http, revision) => http.result(revision, "tools/call", params),
        }
    }

    fn call(&mut self, arguments: Value) -> Value {
        self.result(json!({ "name": "probe_delete_thing", "arguments": arguments }))
    }

    /// The error of a call.
    #[track_caller]
    fn refused(&mut self, arguments: Value) -> Value {
        error_of(&self.call(arguments))
    }

    /// The approval that a call waits for.
    #[track_caller]
    fn waits(&mut self, arguments: Value) -> Value {
        let error = self.refused(arguments);
        assert_eq!(error["kind"], "approval", "{error}");
        assert_eq!(error["retry"], true, "{error}");
        error["approval"].clone()
    }

    #[track_caller]
    fn runs(&mut self, arguments: Value) {
        let result = self.call(arguments);
        assert_ne!(result["isError"], json!(true), "{result}");
        assert!(result["structuredContent"].is_object(), "{result}");
    }
}

fn clients(workspace: &Workspace) -> Vec<(String, Client)> {
    let mut clients = Vec::new();
    for revision in LEGACY.into_iter().chain([MODERN]) {
        let stdio = match revision {
            MODERN => workspace.serve(&FLAGS),
            _ => workspace.serve_in(revision, &FLAGS),
        };
        clients.push((format!("stdio {revision}"), Client::Stdio(Box::new(stdio))));
        let http = workspace.serve_http(&FLAGS);
        clients.push((format!("http {revision}"), Client::Http(http, revision)));
    }
    clients
}

fn approve(workspace: &Workspace, approval: &Value, flag: &str) {
    let id = approval["id"].as_str().expect("an id");
    workspace.run(&["approve", id, flag]).expect(0);
}

#[test]
#[ignore = "long"]
fn a_call_runs_once_after_a_command_on_every_transport_and_in_every_revision() {
    let fake = service();
    let workspace = asking(&fake, "");
    for (name, mut client) in clients(&workspace) {
        let before = fake.requests().len();
        let approval = client.waits(json!({ "id": "a" }));
        let id = approval["id"].as_str().expect("an id").to_owned();
        assert_eq!(
            approval["command"],
            format!("toolrun approve {id}"),
            "{name}"
        );
        assert!(
            approval["until"]
                .as_str()
                .is_some_and(|until| until.ends_with('Z')),
            "{approval}"
        );
        assert_eq!(
            client.waits(json!({ "id": "a" })),
            approval,
            "{name}: it asks once"
        );
        let listed = workspace.run(&["approve"]).expect(0).stdout;
        for part in [
            id.as_str(),
            "tool       probe/delete-thing (destructive)",
            "caller     local",
            "sends      DELETE http://127.0.0.1",
            "/things/a?force=false",
            "because    It is gone then.",
            r#"arguments  {"id":"a","force":false}"#,
        ] {
            assert!(listed.contains(part), "{name}: {part} is not in {listed}");
        }
        // Nobody can be asked here, and a list is no yes.
        let told = workspace.run(&["approve", &id]).expect(5);
        assert_tells(&told, &["/things/a?force=false", "--yes"]);
        client.waits(json!({ "id": "a" }));
        let told = workspace.run(&["approve", &id, "--yes"]).expect(0);
        assert_tells(&told, &["approved", id.as_str()]);
        // Other arguments are another call.
        let other = client.waits(json!({ "id": "b" }));
        let forced = client.waits(json!({ "id": "a", "force": true }));
        assert_ne!(other["id"], approval["id"]);
        assert_ne!(forced["id"], approval["id"]);
        assert_eq!(
            fake.requests().len(),
            before,
            "{name}: nothing was sent yet"
        );
        // The default, said, is the same call.
        client.runs(json!({ "force": false, "id": "a" }));
        assert_eq!(fake.requests().len(), before + 1, "{name}");
        // Once.
        let again = client.waits(json!({ "id": "a" }));
        assert_ne!(again["id"], approval["id"], "{name}");
        let used = workspace.run(&["approve", &id, "--yes"]).expect(2);
        assert_tells(&used, &[id.as_str(), "waits in"]);
        approve(&workspace, &other, "--deny");
        let error = client.refused(json!({ "id": "b" }));
        assert_eq!(
            (error["kind"].clone(), error["retry"].clone()),
            (json!("policy"), json!(false)),
            "{error}"
        );
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|text| text.contains("has refused"))
        );
        assert_eq!(fake.requests().len(), before + 1, "{name}");
    }
}

#[test]
#[ignore = "long"]
fn an_approval_that_is_over_or_was_given_under_another_policy_or_descriptor_is_none() {
    let fake = service();
    let workspace = asking(&fake, "approval_seconds: 1\n");
    let mut client = Client::Stdio(Box::new(workspace.serve(&FLAGS)));
    let approval = client.waits(json!({ "id": "a" }));
    approve(&workspace, &approval, "--yes");
    std::thread::sleep(Duration::from_millis(1_200));
    let late = client.waits(json!({ "id": "a" }));
    assert_ne!(late["id"], approval["id"]);
    std::thread::sleep(Duration::from_millis(1_200));
    let id = late["id"].as_str().expect("an id");
    workspace.run(&["approve", id, "--yes"]).expect(2);

    let workspace = asking(&fake, "");
    let mut client = Client::Http(workspace.serve_http(&FLAGS), MODERN);
    let approval = client.waits(json!({ "id": "a" }));
    approve(&workspace, &approval, "--yes");
    workspace.write("policy.yaml", format!("{ASK}description: the same rules\n"));
    reloaded(&client, 1);
    let approval = other_id(&mut client, &approval);
    approve(&workspace, &approval, "--yes");
    workspace.tool(
        "delete-thing",
        "destructive",
        "params: { required: [id], properties: { id: { type: string }, force: { type: boolean, default: false } } }\nrequest: { method: DELETE, path: '/all/{{ id }}', query: [force] }",
    );
    reloaded(&client, 2);
    let approval = other_id(&mut client, &approval);
    assert_eq!(fake.requests().len(), 0);
    approve(&workspace, &approval, "--yes");
    client.runs(json!({ "id": "a" }));
    assert_eq!(fake.only_request().path, "/all/a");
}

/// Waits until the server has said so often that it has read its files again.
#[track_caller]
fn reloaded(client: &Client, times: usize) {
    let process = match client {
        Client::Stdio(mcp) => &mcp.process,
        Client::Http(http, _) => &http.process,
    };
    let begun = Instant::now();
    while process.said().matches("reloaded:").count() < times {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{}",
            process.said()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The approval that the call waits for now: it is another one, and the call does not run.
#[track_caller]
fn other_id(client: &mut Client, before: &Value) -> Value {
    let now = client.waits(json!({ "id": "a" }));
    assert_ne!(now["id"], before["id"]);
    now
}

fn eliciting(workspace: &Workspace, revision: &'static str) -> Mcp {
    let mut command = workspace.toolrun();
    let mut mcp = Mcp::start(command.arg("serve").args(FLAGS), revision);
    let params = json!({ "protocolVersion": revision, "capabilities": { "elicitation": {} },
        "clientInfo": { "name": "test", "version": "0" } });
    mcp.request("initialize", params);
    mcp.line(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string());
    mcp
}

fn send(mcp: &mut Mcp, id: &str) -> i64 {
    let params = json!({ "name": "probe_delete_thing", "arguments": { "id": id } });
    mcp.send("tools/call", params)
}

fn answer(mcp: &mut Mcp, question: &Value, result: Value) {
    let message = json!({ "jsonrpc": "2.0", "id": question["id"], "result": result });
    mcp.line(&message.to_string());
}

#[test]
fn a_client_that_can_ask_is_asked_while_the_call_is_open() {
    let fake = service();
    let workspace = asking(&fake, BOTH);
    let mut sent = 0;
    for revision in LEGACY {
        let mut mcp = eliciting(&workspace, revision);
        for (said, runs) in [
            (
                json!({ "action": "accept", "content": { "approve": true } }),
                true,
            ),
            (
                json!({ "action": "accept", "content": { "approve": false } }),
                false,
            ),
            (
                json!({ "action": "accept", "content": { "approve": "true" } }),
                false,
            ),
            (json!({ "action": "accept", "content": {} }), false),
            (json!({ "action": "accept" }), false),
            (
                json!({ "action": "decline", "content": { "approve": true } }),
                false,
            ),
            (json!({ "action": "cancel" }), false),
        ] {
            let id = send(&mut mcp, "a");
            let question = mcp.message();
            assert_eq!(question["method"], "elicitation/create", "{question}");
            let message = question["params"]["message"].as_str().expect("a text");
            for part in [
                "tool: probe/delete-thing (destructive)",
                "/things/a?force=false",
                "because: It is gone then.",
                r#"arguments: {"id":"a","force":false}"#,
            ] {
                assert!(message.contains(part), "{part} is not in {message}");
            }
            let schema = &question["params"]["requestedSchema"];
            assert_eq!(
                schema["properties"]["approve"]["type"], "boolean",
                "{schema}"
            );
            assert_eq!(schema["required"], json!(["approve"]));
            assert_eq!(fake.requests().len(), sent, "{revision}: it waits");
            answer(&mut mcp, &question, said.clone());
            let result = mcp.answer(id)["result"].clone();
            assert_eq!(
                result["isError"] != json!(true),
                runs,
                "{revision} {said}: {result}"
            );
            sent += usize::from(runs);
            assert_eq!(fake.requests().len(), sent, "{revision} {said}");
        }
        // It said that it can ask, and cannot: there is another way.
        let id = send(&mut mcp, "a");
        let question = mcp.message();
        let error = json!({ "jsonrpc": "2.0", "id": question["id"], "error": { "code": -32601, "message": "no" } });
        mcp.line(&error.to_string());
        let error = error_of(&mcp.answer(id)["result"]);
        assert_eq!(error["kind"], "approval", "{error}");
    }
}

#[test]
#[ignore = "long"]
fn a_question_that_is_given_up_is_no_yes() {
    let fake = service();
    let workspace = asking(&fake, "approve: [elicitation]\napproval_seconds: 1\n");
    let mut mcp = eliciting(&workspace, "2025-11-25");
    // Nobody answers.
    let id = send(&mut mcp, "a");
    let question = mcp.message();
    let error = error_of(&mcp.answer(id)["result"]);
    assert_eq!(error["kind"], "approval", "{error}");
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|text| text.contains("in time")),
        "{error}"
    );
    // The answer comes late.
    answer(
        &mut mcp,
        &question,
        json!({ "action": "accept", "content": { "approve": true } }),
    );
    // The client takes its call back.
    let id = send(&mut mcp, "a");
    let question = mcp.message();
    let question = match question["method"] == "elicitation/create" {
        true => question,
        false => mcp.message(),
    };
    mcp.line(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } }).to_string());
    answer(
        &mut mcp,
        &question,
        json!({ "action": "accept", "content": { "approve": true } }),
    );
    mcp.message_within(Duration::from_millis(300));
    assert_eq!(fake.requests().len(), 0);
    // The client leaves.
    workspace.write("policy.yaml", format!("{ASK}approve: [elicitation]\n"));
    let mut mcp = eliciting(&workspace, "2025-11-25");
    let begun = Instant::now();
    send(&mut mcp, "a");
    mcp.message();
    mcp.close();
    assert_eq!(mcp.process.code(), 0);
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(fake.requests().len(), 0);
}

/// The params of a call in the newest revision, by a client that can ask.
fn stateless(id: &str, more: Value) -> Value {
    let mut params = json!({ "name": "probe_delete_thing", "arguments": { "id": id },
        "_meta": { "io.modelcontextprotocol/clientCapabilities": { "elicitation": { "form": {} } } } });
    for (key, value) in more.as_object().expect("an object") {
        params[key] = value.clone();
    }
    params
}

fn yes(state: &Value) -> Value {
    json!({ "requestState": state, "inputResponses": { "approval": { "action": "accept", "content": { "approve": true } } } })
}

#[test]
fn a_client_of_the_newest_revision_carries_a_sealed_question() {
    let fake = service();
    let workspace = asking(&fake, BOTH);
    let clients = [
        Client::Stdio(Box::new(workspace.serve(&FLAGS))),
        Client::Http(workspace.serve_http(&FLAGS), MODERN),
    ];
    let foreign = {
        let mut other = Client::Stdio(Box::new(workspace.serve(&FLAGS)));
        other.result(stateless("a", json!({})))["requestState"].clone()
    };
    for (round, mut client) in clients.into_iter().enumerate() {
        let asked = client.result(stateless("a", json!({})));
        assert_eq!(asked["resultType"], "input_required", "{asked}");
        let question = &asked["inputRequests"]["approval"];
        assert_eq!(question["method"], "elicitation/create", "{asked}");
        let message = question["params"]["message"].as_str().expect("a text");
        assert!(
            message.contains(r#"arguments: {"id":"a","force":false}"#),
            "{message}"
        );
        let state = asked["requestState"].clone();
        let text = state.as_str().expect("a state").to_owned();
        let mut error = |params: Value| error_of(&client.result(params));
        let changed = format!("{text}x");
        for (params, part) in [
            (stateless("b", yes(&state)), "another call"),
            (
                stateless("a", yes(&json!(changed))),
                "not asked for by this server",
            ),
            (
                stateless("a", yes(&json!("e30.e30"))),
                "not asked for by this server",
            ),
            (
                stateless("a", yes(&json!(""))),
                "not asked for by this server",
            ),
            (
                stateless("a", yes(&foreign)),
                "not asked for by this server",
            ),
        ] {
            let error = error(params.clone());
            assert_eq!(error["kind"], "approval", "{error}");
            let message = error["message"].as_str().expect("a text");
            assert!(message.contains(part), "{params}: {message}");
        }
        // No answer is asked for again; an answer without a question is nothing.
        for more in [
            json!({ "requestState": state }),
            json!({ "requestState": state, "inputResponses": {} }),
            json!({ "requestState": state, "inputResponses": { "approval": true } }),
            json!({ "requestState": state, "inputResponses": { "other": { "action": "accept", "content": { "approve": true } } } }),
            json!({ "inputResponses": yes(&state)["inputResponses"] }),
        ] {
            let again = client.result(stateless("a", more.clone()));
            assert_eq!(again["resultType"], "input_required", "{more}: {again}");
        }
        assert_eq!(fake.requests().len(), round);
        let done = client.result(stateless("a", yes(&state)));
        assert_eq!(done["resultType"], "complete", "{done}");
        assert!(done["structuredContent"].is_object(), "{done}");
        assert_eq!(fake.requests().len(), round + 1);
        let replayed = error_of(&client.result(stateless("a", yes(&state))));
        assert!(
            replayed["message"]
                .as_str()
                .is_some_and(|text| text.contains("was used")),
            "{replayed}"
        );
        // A no ends the question, whatever is said later.
        let state = client.result(stateless("a", json!({})))["requestState"].clone();
        let mut no = yes(&state);
        no["inputResponses"]["approval"] = json!({ "action": "decline" });
        let refused = error_of(&client.result(stateless("a", no)));
        assert_eq!(refused["kind"], "policy", "{refused}");
        error_of(&client.result(stateless("a", yes(&state))));
        assert_eq!(fake.requests().len(), round + 1);
    }
}

#[test]
#[ignore = "long"]
fn a_sealed_question_is_over_with_its_time_and_its_policy() {
    let fake = service();
    let workspace = asking(&fake, "approve: [elicitation]\napproval_seconds: 1\n");
    let mut client = Client::Stdio(Box::new(workspace.serve(&FLAGS)));
    let state = client.result(stateless("a", json!({})))["requestState"].clone();
    std::thread::sleep(Duration::from_millis(1_100));
    let error = error_of(&client.result(stateless("a", yes(&state))));
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|text| text.contains("in time")),
        "{error}"
    );
    workspace.write("policy.yaml", format!("{ASK}approve: [elicitation]\n"));
    reloaded(&client, 1);
    let state = client.result(stateless("a", json!({})))["requestState"].clone();
    assert!(state.is_string(), "{state}");
    workspace.write(
        "policy.yaml",
        format!("{ASK}approve: [elicitation]\ndescription: new\n"),
    );
    reloaded(&client, 2);
    let error = error_of(&client.result(stateless("a", yes(&state))));
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|text| text.contains("policy")),
        "{error}"
    );
    assert_eq!(fake.requests().len(), 0);
}

#[test]
#[ignore = "long"]
fn the_policy_says_which_ways_count() {
    let fake = service();
    // A command alone, unless the policy says more: a client can answer for its user.
    let workspace = asking(&fake, "");
    let mut client = Client::Stdio(Box::new(workspace.serve(&FLAGS)));
    let error = error_of(&client.result(stateless("a", json!({}))));
    assert!(error["approval"]["command"].is_string(), "{error}");
    let mut mcp = eliciting(&workspace, "2025-06-18");
    let id = send(&mut mcp, "a");
    let error = error_of(&mcp.answer(id)["result"]);
    assert!(error["approval"]["command"].is_string(), "{error}");
    // A client that cannot ask.
    let workspace = asking(&fake, "approve: [elicitation]\n");
    for (name, mut client) in clients(&workspace) {
        let error = client.refused(json!({ "id": "a" }));
        assert_eq!(error["kind"], "policy", "{name}: {error}");
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|text| text.contains("your client cannot ask")),
            "{name}: {error}"
        );
    }
    // One that can open a page, and no form.
    let mut client = Client::Http(workspace.serve_http(&FLAGS), MODERN);
    let url = json!({ "_meta": { "io.modelcontextprotocol/clientCapabilities": { "elicitation": { "url": {} } } } });
    let error = error_of(&client.result(stateless("a", url)));
    assert_eq!(error["kind"], "policy", "{error}");
    assert_eq!(fake.requests().len(), 0);
}

#[test]
fn the_tool_that_calls_others_asks_for_the_one_it_calls() {
    let fake = service();
    let workspace = asking(&fake, BOTH);
    let flags = [&FLAGS[..], &["--direct", "0"]].concat();
    let mut mcp = workspace.serve(&flags);
    let params = |more: Value| {
        let mut params = stateless("a", more);
        params["name"] = "call_tool".into();
        params["arguments"] = json!({ "tool": "probe_delete_thing", "arguments": { "id": "a" } });
        params
    };
    let asked = mcp.request("tools/call", params(json!({})))["result"].clone();
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let done = mcp.request("tools/call", params(yes(&asked["requestState"])))["result"].clone();
    assert!(done["structuredContent"].is_object(), "{done}");
    let error = mcp.refused(
        "call_tool",
        json!({ "tool": "probe_delete_thing", "arguments": { "id": "b" } }),
    );
    assert!(error["approval"]["id"].is_string(), "{error}");
    assert_eq!(fake.requests().len(), 1);
}

#[test]
fn nobody_is_asked_about_a_call_that_cannot_run_or_that_nobody_can_read() {
    let fake = service();
    let workspace = asking(&fake, "");
    let mut client = Client::Stdio(Box::new(workspace.serve(&FLAGS)));
    for (arguments, kind) in [
        (json!({ "id": ".." }), "usage"),
        (json!({ "id": 5 }), "usage"),
        (json!({}), "usage"),
        (json!({ "id": "x".repeat(17 << 10) }), "policy"),
    ] {
        let error = client.refused(arguments.clone());
        assert_eq!(error["kind"], kind, "{arguments:.80}: {error}");
    }
    workspace.service(
        &fake.origin(),
        "auth: { kind: bearer, secret: { env: PROBE_TOKEN } }",
    );
    let mut client = Client::Stdio(Box::new(workspace.serve(&FLAGS)));
    assert_eq!(client.refused(json!({ "id": "a" }))["kind"], "secret");
    let told = workspace.run(&["approve"]).expect(0);
    assert_eq!(told.stdout, "");
    assert_tells(&told, &["no call waits"]);
    assert_eq!(fake.requests().len(), 0);
}

#[test]
fn a_secret_in_the_arguments_is_shown_to_nobody() {
    const SECRET: &str = "made-up-token-0123456789";
    let fake = service();
    let workspace = asking(&fake, BOTH);
    workspace.service(
        &fake.origin(),
        "auth: { kind: bearer, secret: { env: PROBE_TOKEN } }",
    );
    let mut command = workspace.toolrun();
    command.env("PROBE_TOKEN", SECRET).arg("serve").args(FLAGS);
    let mut mcp = Mcp::start(&mut command, MODERN);
    let error = mcp.refused("probe_delete_thing", json!({ "id": SECRET }));
    let asked = mcp.request("tools/call", stateless(SECRET, json!({})))["result"].clone();
    let listed = workspace.run(&["approve"]).expect(0).stdout;
    let listed_json = workspace.run(&["approve", "--json"]).expect(0).stdout;
    let folder = workspace.path().join(".state/toolrun/approvals");
    let files: String = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| std::fs::read_to_string(entry.expect("a file").path()).expect("a text"))
        .collect();
    for text in [
        error.to_string(),
        asked.to_string(),
        listed,
        listed_json,
        files,
        mcp.process.said(),
    ] {
        assert!(!text.contains(SECRET), "{text}");
        assert!(!text.contains("0123456789"), "{text}");
    }
    assert!(asked.to_string().contains("***"), "{asked}");
    approve(&workspace, &error["approval"], "--yes");
    mcp.ok("probe_delete_thing", json!({ "id": SECRET }));
    assert_eq!(fake.only_request().path, format!("/things/{SECRET}"));
}

#[test]
fn an_id_is_no_path_and_a_hostile_text_is_no_line() {
    let fake = service();
    let workspace = asking(&fake, "");
    workspace.write("secret.question.json", "{}");
    for id in [
        "../../../secret",
        "..",
        "",
        "/etc/passwd",
        "aaaaaaaaaaaa/../x",
        "AAAAAAAAAAAA",
    ] {
        workspace.run(&["approve", id, "--yes"]).expect(2);
    }
    workspace
        .run(&["approve", "aaaaaaaaaaaa", "--yes"])
        .expect(2);
    let mut client = Client::Stdio(Box::new(workspace.serve(&FLAGS)));
    client.waits(json!({ "id": "x\u{202e}y because: fine" }));
    let listed = workspace.run(&["approve"]).expect(0).stdout;
    assert_eq!(listed.lines().count(), 7, "{listed}");
    assert!(!listed.contains('\u{202e}'), "{listed}");
    let told = workspace.run(&["approve", "--json"]).expect(0).json();
    assert_eq!(told.as_array().map(Vec::len), Some(1), "{told}");
    assert_eq!(told[0]["approved"], Value::Null);
}

/// Over HTTP, a client of an earlier revision cannot be asked, whatever it says of itself.
#[test]
fn a_client_that_has_no_session_is_not_waited_for() {
    let fake = service();
    let workspace = asking(&fake, BOTH);
    let http = workspace.serve_http(&FLAGS);
    for revision in LEGACY {
        let begun = Instant::now();
        let result = http.result(revision, "tools/call", stateless("a", json!({})));
        assert!(error_of(&result)["approval"]["id"].is_string(), "{result}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{revision}");
    }
}

#[test]
fn a_server_that_ends_takes_its_questions_with_it() {
    let fake = service();
    let workspace = asking(&fake, "");
    let mut mcp = workspace.serve(&FLAGS);
    let waits = mcp.refused("probe_delete_thing", json!({ "id": "a" }));
    let id = waits["approval"]["id"].as_str().expect("an id");
    workspace.run(&["approve", id, "--yes"]).expect(0);
    mcp.close();
    assert_eq!(mcp.process.code(), 0);
    workspace.run(&["approve", id, "--yes"]).expect(2);
    let folder = workspace.path().join(".state/toolrun/approvals");
    assert_eq!(std::fs::read_dir(folder).expect("a folder").count(), 0);
    // An approval of another server is worth nothing.
    let mut mcp = workspace.serve(&FLAGS);
    let waits = mcp.refused("probe_delete_thing", json!({ "id": "a" }));
    assert_ne!(waits["approval"]["id"], id);
    assert_eq!(fake.requests().len(), 0);
}

/// On a terminal the call is shown, and the person is asked.
#[cfg(unix)]
#[test]
fn a_person_at_a_terminal_sees_the_call_and_is_asked() {
    use crate::support::Typing;

    let fake = service();
    let workspace = asking(&fake, "");
    let mut client = Client::Stdio(Box::new(workspace.serve(&FLAGS)));
    for (key, code, runs) in [("n\r", 5, false), ("\r", 5, false), ("y\r", 0, true)] {
        let approval = client.waits(json!({ "id": "a" }));
        let id = approval["id"].as_str().expect("an id");
        let mut typing = Typing::start(200, workspace.toolrun().args(["approve", id]));
        typing.wait("the question", |shown| shown.contains("Approve this call?"));
        assert!(
            typing.shown().contains("/things/a?force=false"),
            "{}",
            typing.shown()
        );
        typing.keys(key);
        let (given, shown) = typing.end();
        assert_eq!(given, code, "{key:?}: {shown}");
        if runs {
            client.runs(json!({ "id": "a" }));
        }
    }
    assert_eq!(fake.requests().len(), 1);
}

/// At the terminal of a server over HTTP, a person answers for the calls that wait. What was typed before is no answer.
#[cfg(unix)]
#[test]
fn a_person_at_the_terminal_of_a_server_answers_for_its_calls() {
    use crate::support::Typing;
    use crate::support::mcp::{exchange_with, request};

    let fake = service();
    let workspace = asking(&fake, "");
    let mut command = workspace.toolrun();
    command
        .args(["serve", "--http", "127.0.0.1:0"])
        .args(FLAGS)
        .env_remove("CI");
    let mut typing = Typing::start(200, &mut command);
    typing.wait("the address", |shown| shown.contains("/mcp"));
    let shown = typing.shown();
    let rest = shown.split("http://").nth(1).expect("an address");
    let address = rest.split("/mcp").next().expect("an address").to_owned();
    let call = |id: &str| {
        let params = json!({ "name": "probe_delete_thing", "arguments": { "id": id } });
        let body = request(MODERN, 1, "tools/call", params).to_string();
        let headers = [
            ("mcp-protocol-version", MODERN),
            ("mcp-method", "tools/call"),
            ("mcp-name", "probe_delete_thing"),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ];
        exchange_with(&address, "POST", "/mcp", &headers, &body).json()["result"].clone()
    };
    let waits = |id: &str| {
        let error = error_of(&call(id));
        assert_eq!(error["kind"], "approval", "{error}");
        error["approval"]["id"].as_str().expect("an id").to_owned()
    };
    // Typed before there is a question.
    typing.keys("y\r");
    let first = waits("a");
    typing.wait("the call", |shown| shown.contains("/things/a?force=false"));
    typing.wait("no answer", |shown| {
        shown.contains("neither approved nor refused")
    });
    assert_eq!(waits("a"), first);
    assert_eq!(fake.requests().len(), 0);
    for (number, (thing, key, told)) in [("b", None, "approved: "), ("c", Some("no"), "refused: ")]
        .into_iter()
        .enumerate()
    {
        let id = waits(thing);
        let question = format!("Type {} to approve", &id[..4]);
        typing.wait("the question", |shown| shown.contains(&question));
        typing.keys(&format!("{}\r", key.unwrap_or(&id[..4])));
        typing.wait("the answer", |shown| shown.contains(&format!("{told}{id}")));
        let result = call(thing);
        assert_eq!(result["isError"] == json!(true), number == 1, "{result}");
        assert_eq!(fake.requests().len(), 1);
    }
    // Once.
    waits("b");
}
