//! `toolrun serve` on standard input and output, in every revision of the protocol.

use std::time::Duration;

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use crate::support::{Fake, LEGACY, MODERN, Manner, Mcp, Reply, Workspace};

/// The five tools that were there first.
pub(crate) const SEEDS: [&str; 5] = [
    "anthropic-admin/list-workspaces",
    "anthropic-admin/get-usage",
    "anthropic-admin/list-api-keys",
    "anthropic-admin/list-members",
    "anthropic-admin/get-organization",
];

/// A workspace whose service `probe` is a fake, with a tool for a list, one for a thing, and one that writes.
pub(crate) fn probe(fake: &Fake) -> Workspace {
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), "");
    workspace.tool(
        "list-things",
        "read",
        "params:\n  properties:\n    limit: { type: integer, minimum: 1, maximum: 100, default: 10 }\n    after: { type: string }\nrequest: { method: GET, path: /things, query: [limit, after] }\npaging: { items: $.data, next: { after: $.last }, while: $.more, limit: limit }\nresponse:\n  output:\n    things: { each: '$.data[*]', as: { id: $.id, name: $.name } }\n    more_things: $.more\n  rows: things",
    );
    workspace.tool(
        "get-thing",
        "read",
        "params: { required: [id], properties: { id: { type: string } } }\nrequest: { method: GET, path: '/things/{{ id }}' }\nresponse: { output: { id: $.id, name: $.name } }",
    );
    workspace.tool(
        "delete-thing",
        "destructive",
        "params: { required: [id], properties: { id: { type: string } } }\nrequest: { method: DELETE, path: '/things/{{ id }}' }",
    );
    workspace
}

pub(crate) const ONLY_PROBE: [&str; 2] = ["--service", "probe"];

fn thing(id: &str) -> Value {
    json!({ "id": id, "name": format!("thing {id}") })
}

fn one_page() -> Fake {
    Fake::start(|request| match request.path.as_str() {
        "/things" => Reply::json(
            200,
            &json!({ "data": [thing("a"), thing("b")], "more": false }),
        ),
        path => Reply::json(200, &thing(path.rsplit('/').next().unwrap_or_default())),
    })
}

#[test]
fn every_revision_lists_and_calls() {
    let fake = one_page();
    let workspace = probe(&fake);
    let mut lists = Vec::new();
    for revision in LEGACY.into_iter().chain([MODERN]) {
        let mut mcp = match revision {
            MODERN => workspace.serve(&ONLY_PROBE),
            _ => {
                let mut mcp =
                    Mcp::start(workspace.toolrun().arg("serve").args(ONLY_PROBE), revision);
                let begun = mcp.initialize();
                assert_eq!(begun["protocolVersion"], revision);
                assert_eq!(
                    begun["capabilities"]["tools"]["listChanged"], true,
                    "{begun}"
                );
                assert_eq!(begun["serverInfo"]["name"], "toolrun");
                mcp
            }
        };
        let tools = mcp.tools();
        let names: Vec<&str> = tools
            .iter()
            .filter_map(|tool| tool["name"].as_str())
            .collect();
        assert_eq!(
            names,
            ["probe_get_thing", "probe_list_things"],
            "{revision}"
        );
        lists.push(json!(tools).to_string());
        let result = mcp.call("probe_get_thing", json!({ "id": "x" }));
        assert_eq!(result["structuredContent"], thing("x"), "{revision}");
        let text = result["content"][0]["text"].as_str().expect("a text");
        assert_eq!(text, thing("x").to_string(), "compact JSON");
        assert_eq!(result["isError"], false);
        // The newest revision demands it, and the others do not know it.
        assert_eq!(
            result.get("resultType").is_some(),
            revision == MODERN,
            "{revision}: {result}"
        );
        mcp.close();
        assert_eq!(mcp.process.code(), 0, "{revision}");
    }
    assert!(
        lists.iter().all(|list| *list == lists[0]),
        "the list is the same in every revision"
    );
}

#[test]
fn the_newest_revision_needs_no_handshake_and_says_how_long_its_list_lasts() {
    let fake = one_page();
    let mut mcp = probe(&fake).serve(&ONLY_PROBE);
    let discovered = mcp.request("server/discover", json!({}))["result"].clone();
    let versions = discovered["supportedVersions"]
        .as_array()
        .expect("versions");
    for revision in LEGACY.into_iter().chain([MODERN]) {
        assert!(versions.contains(&json!(revision)), "{discovered}");
    }
    assert!(
        discovered["instructions"]
            .as_str()
            .is_some_and(|text| text.len() < 2048),
        "{discovered}"
    );
    let list = mcp.request("tools/list", json!({}))["result"].clone();
    assert_eq!(list["ttlMs"], 60_000);
    assert_eq!(list["cacheScope"], "public");
    assert_eq!(list["resultType"], "complete");
    let bad = mcp.request("tools/list", json!({ "cursor": "nowhere" }));
    assert_eq!(bad["error"]["code"], -32602, "{bad}");
    let first = mcp.request("tools/list", json!({ "cursor": "" }));
    assert!(first["result"]["tools"].is_array(), "{first}");
}

#[test]
fn the_list_is_the_same_byte_for_byte_between_runs() {
    let workspace = Workspace::new();
    let list = || {
        let mut mcp = workspace.serve(&SEEDS);
        let list = mcp.request("tools/list", json!({}));
        list.to_string()
    };
    let first = list();
    assert_eq!(first, list());
}

/// A client puts name, description and input schema into a model's context, and keeps the rest to itself.
#[test]
fn the_five_seed_tools_take_six_kilobytes_of_a_models_context() {
    let tools = Workspace::new().serve(&SEEDS).tools();
    let seen = |tool: &Value| {
        let parts = ["name", "description", "inputSchema"];
        parts
            .iter()
            .map(|part| tool[*part].to_string().len() + part.len() + 4)
            .sum::<usize>()
    };
    let bytes: usize = tools.iter().map(seen).sum();
    let whole = json!(tools).to_string().len();
    eprintln!("the five seed tools: {bytes} bytes for the model, {whole} bytes in all");
    assert!(bytes <= 6 * 1024, "{bytes} bytes");
    assert!(whole <= 10 * 1024, "{whole} bytes");
}

#[test]
fn definitions_have_what_models_and_clients_look_for() {
    let mut mcp = Workspace::new().serve(&SEEDS);
    let tools = mcp.tools();
    assert_eq!(tools.len(), 5);
    for tool in &tools {
        assert_eq!(tool["annotations"]["readOnlyHint"], true, "{tool}");
        assert_eq!(tool["annotations"]["destructiveHint"], false);
        assert_eq!(tool["annotations"]["idempotentHint"], true);
        assert_eq!(tool["annotations"]["openWorldHint"], true);
        assert!(tool["title"].is_string() && tool["description"].is_string());
        assert_eq!(tool["inputSchema"]["type"], "object");
        assert_eq!(tool["inputSchema"]["additionalProperties"], false);
        assert_eq!(tool["outputSchema"]["type"], "object");
    }
    let members = tools
        .iter()
        .find(|tool| tool["name"] == "anthropic_admin_list_members");
    let members = members.expect("the tool");
    assert_eq!(
        members["_meta"]["input_examples"][0],
        json!({ "roles": ["developer", "admin"], "limit": 1 })
    );
    assert_eq!(members["inputSchema"]["properties"]["limit"]["default"], 20);
    assert!(
        members["description"]
            .as_str()
            .unwrap_or_default()
            .contains("exclude each other"),
        "{members}"
    );
}

#[test]
fn a_tool_that_writes_is_not_listed_and_is_refused_with_the_reason() {
    let fake = one_page();
    let mut mcp = probe(&fake).serve(&ONLY_PROBE);
    let error = mcp.refused("probe_delete_thing", json!({ "id": "x" }));
    assert_eq!(error["kind"], "policy");
    assert_eq!(error["retry"], false);
    let message = error["message"].as_str().expect("a message");
    assert!(
        message.contains("destructive") && message.contains("only tools that read"),
        "{message}"
    );
    assert!(fake.requests().is_empty());
}

#[test]
fn wrong_arguments_are_results_that_teach_and_unknown_tools_are_errors() {
    let fake = one_page();
    let mut mcp = probe(&fake).serve(&ONLY_PROBE);
    for (tool, arguments, parts) in [
        ("probe_get_thing", json!({}), &["id: is required"][..]),
        (
            "probe_get_thing",
            json!({ "id": 5 }),
            &["id: must be a string"],
        ),
        (
            "probe_get_thing",
            json!({ "id": "x", "nme": 1 }),
            &["nme: is no argument"],
        ),
        (
            "probe_list_things",
            json!({ "limit": 500, "aftr": "x" }),
            &["limit: 500", "did you mean `after`?"],
        ),
    ] {
        let error = mcp.refused(tool, arguments.clone());
        assert_eq!(error["kind"], "usage", "{error}");
        let problems = error["problems"].to_string();
        for part in parts {
            assert!(problems.contains(part), "{arguments}: {problems}");
        }
        assert!(error["advice"].is_string());
    }
    for arguments in ["..", ".", "", "a\nb"] {
        let error = mcp.refused("probe_get_thing", json!({ "id": arguments }));
        assert_eq!(error["kind"], "usage", "{arguments:?}: {error}");
    }
    assert!(fake.requests().is_empty());
    let answer = mcp.request("tools/call", json!({ "name": "probe_get_thng" }));
    assert_eq!(answer["error"]["code"], -32602);
    let message = answer["error"]["message"].as_str().expect("a message");
    assert!(
        message.contains("did you mean `probe_get_thing`?"),
        "{message}"
    );
}

/// How a service may fail, and what a model is told.
#[test]
fn every_failure_says_what_to_do_and_whether_to_try_again() {
    let cases = [
        (
            Reply::json(400, &json!({"message": "no"})),
            "refused",
            400,
            false,
            None,
        ),
        (Reply::json(401, &json!({})), "refused", 401, false, None),
        (Reply::json(403, &json!({})), "refused", 403, false, None),
        (Reply::json(404, &json!({})), "refused", 404, false, None),
        (
            Reply::json(429, &json!({})).with("retry-after", "7"),
            "refused",
            429,
            true,
            Some(7),
        ),
        (Reply::json(500, &json!({})), "failed", 500, true, Some(10)),
        (
            Reply::json(503, &json!({})).with("retry-after", "3"),
            "failed",
            503,
            true,
            Some(3),
        ),
        (
            Reply::new(200, "text/html", "<html>"),
            "response",
            0,
            false,
            None,
        ),
        (Reply::manner(Manner::Drop), "network", 0, true, Some(5)),
    ];
    for (reply, kind, status, retry, wait) in cases {
        let told = format!("{reply:?}");
        let fake = Fake::script([reply]);
        let workspace = probe(&fake);
        workspace.service(&fake.origin(), "retry: { max_attempts: 1 }");
        let mut mcp = workspace.serve(&ONLY_PROBE);
        let error = mcp.refused("probe_get_thing", json!({ "id": "x" }));
        assert_eq!(error["kind"], kind, "{told}: {error}");
        assert_eq!(error["retry"], retry, "{told}: {error}");
        assert_eq!(error["wait_seconds"].as_u64(), wait, "{told}: {error}");
        assert!(error["advice"].is_string(), "{told}: {error}");
        if status > 0 {
            assert_eq!(error["upstream"]["status"], status, "{told}");
        }
    }
}

#[test]
fn a_missing_secret_names_the_variable_and_never_asks_for_its_value() {
    let mut mcp = Workspace::new().serve(&["anthropic-admin/get-organization"]);
    let error = mcp.refused("anthropic_admin_get_organization", json!({}));
    assert_eq!(error["kind"], "secret");
    let advice = error["advice"].as_str().expect("advice");
    assert!(
        advice.contains("ANTHROPIC_ADMIN_API_KEY") && advice.contains("do not ask"),
        "{advice}"
    );
}

#[test]
fn the_sandbox_answers_in_place_of_the_service() {
    let mut mcp = Workspace::new().serve(&["--sandbox", SEEDS[0], SEEDS[4]]);
    let workspaces = mcp.ok("anthropic_admin_list_workspaces", json!({ "limit": 2 }));
    assert_eq!(workspaces["workspaces"].as_array().map(Vec::len), Some(2));
    let organization = mcp.ok("anthropic_admin_get_organization", json!({}));
    assert!(organization["id"].is_string(), "{organization}");
}

#[test]
fn a_cancelled_call_ends_the_request_and_gets_no_answer() {
    let fake = Fake::start(|request| match request.path.as_str() {
        "/things/slow" => Reply::manner(Manner::Hang),
        _ => Reply::json(200, &thing("quick")),
    });
    let workspace = probe(&fake);
    let mut mcp = workspace.serve(&["--service", "probe", "--verbose"]);
    let id = mcp.send(
        "tools/call",
        json!({ "name": "probe_get_thing", "arguments": { "id": "slow" } }),
    );
    fake.awaited();
    mcp.line(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } }).to_string());
    mcp.process.says("cancelled after");
    assert_eq!(mcp.message_within(Duration::from_millis(200)), None);
    assert_eq!(
        mcp.ok("probe_get_thing", json!({ "id": "quick" })),
        thing("quick")
    );
}

#[test]
fn a_call_that_hangs_ends_at_the_deadline() {
    let fake = Fake::script([Reply::manner(Manner::Hang)]);
    let mut mcp = probe(&fake).serve(&["--service", "probe", "--deadline", "300ms"]);
    let error = mcp.refused("probe_get_thing", json!({ "id": "slow" }));
    assert_eq!(error["kind"], "network", "{error}");
    assert_eq!(error["retry"], true);
}

#[test]
fn a_walk_tells_how_far_it_is_and_its_notes_rise() {
    let fake = Fake::start(|request| {
        std::thread::sleep(Duration::from_millis(80));
        let last = request.query.contains("after=p3");
        let page = ["p1", "p2", "p3"]
            .into_iter()
            .find(|page| !request.query.contains("after") || request.query.contains(page));
        let next = match page {
            _ if !request.query.contains("after") => "p1",
            Some("p1") => "p2",
            _ => "p3",
        };
        Reply::json(
            200,
            &json!({ "data": [thing(next)], "more": !last, "last": next }),
        )
    });
    let mut mcp = probe(&fake).serve(&ONLY_PROBE);
    let id = mcp.send(
        "tools/call",
        json!({ "name": "probe_list_things", "arguments": { "max_rows": 4 }, "_meta": { "progressToken": "t" } }),
    );
    let answer = mcp.answer(id);
    assert_eq!(
        answer["result"]["structuredContent"]["things"]
            .as_array()
            .map(Vec::len),
        Some(4),
        "{answer}"
    );
    let notes: Vec<f64> = mcp
        .notes
        .iter()
        .filter(|note| note["method"] == "notifications/progress")
        .map(|note| {
            assert_eq!(note["params"]["progressToken"], "t");
            note["params"]["progress"].as_f64().expect("a number")
        })
        .collect();
    assert!(notes.len() >= 3, "{:?}", mcp.notes);
    assert!(notes.windows(2).all(|two| two[0] < two[1]), "{notes:?}");
    // Without a token, nothing is told.
    mcp.notes.clear();
    mcp.ok("probe_list_things", json!({ "max_rows": 4 }));
    assert!(mcp.notes.is_empty(), "{:?}", mcp.notes);
}

#[test]
fn what_runs_is_finished_when_the_client_leaves_or_a_signal_comes() {
    for leaves in [true, false] {
        let fake = Fake::start(|_| {
            std::thread::sleep(Duration::from_millis(400));
            Reply::json(200, &thing("late"))
        });
        let mut mcp = probe(&fake).serve(&ONLY_PROBE);
        let id = mcp.send(
            "tools/call",
            json!({ "name": "probe_get_thing", "arguments": { "id": "late" } }),
        );
        fake.awaited();
        match leaves {
            true => mcp.close(),
            #[cfg(unix)]
            false => mcp.process.terminate(),
            #[cfg(not(unix))]
            false => mcp.close(),
        }
        assert_eq!(
            mcp.answer(id)["result"]["structuredContent"],
            thing("late"),
            "leaves: {leaves}"
        );
        assert_eq!(
            mcp.process.code(),
            0,
            "leaves: {leaves}: {}",
            mcp.process.said()
        );
    }
}

#[test]
fn a_client_that_says_nothing_is_no_error() {
    let mut mcp = Workspace::new().serve(&SEEDS);
    mcp.close();
    assert_eq!(mcp.process.code(), 0, "{}", mcp.process.said());
}

#[test]
#[ignore = "long"]
fn folders_reload_and_clients_learn_that_the_list_has_changed() {
    let fake = one_page();
    for revision in ["2025-11-25", MODERN] {
        let workspace = probe(&fake);
        let mut mcp = match revision {
            MODERN => {
                let mut mcp = workspace.serve(&ONLY_PROBE);
                let params = json!({ "notifications": { "toolsListChanged": true } });
                mcp.send("subscriptions/listen", params);
                let acknowledged = mcp.message();
                assert_eq!(
                    acknowledged["method"], "notifications/subscriptions/acknowledged",
                    "{acknowledged}"
                );
                mcp
            }
            _ => workspace.serve_in(revision, &ONLY_PROBE),
        };
        assert_eq!(mcp.tools().len(), 2);
        let changed = |mcp: &mut Mcp| {
            let note = mcp.message();
            assert_eq!(
                note["method"], "notifications/tools/list_changed",
                "{revision}: {note}"
            );
        };
        workspace.tool(
            "list-others",
            "read",
            "request: { method: GET, path: /things }\nresponse: { output: $.data }",
        );
        changed(&mut mcp);
        assert_eq!(mcp.tools().len(), 3, "{revision}");
        // A broken file: what was good stays, and the place of the fault is said.
        workspace.tool(
            "list-others",
            "read",
            "request: { method: GTE, path: /things }",
        );
        let said = mcp.process.says("it is served as it was");
        assert!(said.contains("list-others.yaml:"), "{said}");
        assert_eq!(mcp.tools().len(), 3);
        let things = mcp.ok("probe_list_others", json!({}));
        assert_eq!(
            things["items"].as_array().map(Vec::len),
            Some(2),
            "{things}"
        );
        // A file that goes takes its tool along.
        std::fs::remove_file(workspace.descriptors().join("probe/list-others.yaml"))
            .expect("the file");
        changed(&mut mcp);
        assert_eq!(mcp.tools().len(), 2, "{revision}");
    }
}

#[test]
fn only_what_was_asked_for_is_served_and_mistakes_are_said() {
    let workspace = Workspace::new();
    for (flags, code, told) in [
        (
            &["serve", "no-such-tool"][..],
            2,
            "there is no tool `no-such-tool`",
        ),
        (
            &["serve", "--service", "anthropic-admn"],
            2,
            "did you mean `anthropic-admin`?",
        ),
        (
            &["serve", "--http", "0.0.0.0:0"],
            5,
            "not a loopback address",
        ),
        (&["serve", "--max-result-bytes", "10"], 2, "2000 at least"),
    ] {
        let output = workspace.run(flags).expect(code);
        assert!(output.stderr.contains(told), "{flags:?}: {}", output.stderr);
        assert_eq!(output.stdout, "");
    }
}

#[cfg(unix)]
#[test]
fn an_untrusted_folder_is_not_served() {
    let fake = one_page();
    let workspace = probe(&fake);
    std::fs::rename(workspace.descriptors(), workspace.path().join("tools")).expect("a folder");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_toolrun"));
    command
        .env_clear()
        .current_dir(workspace.path())
        .args(["serve"]);
    let mut mcp = Mcp::start(&mut command, MODERN);
    mcp.process
        .says("are not served: the folder is not trusted");
    let answer = mcp.request(
        "tools/call",
        json!({ "name": "probe_get_thing", "arguments": { "id": "x" } }),
    );
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    assert!(fake.requests().is_empty());
}
