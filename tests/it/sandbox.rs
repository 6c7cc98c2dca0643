//! The sandbox is a real server: an independent client reads the same from it as the program.

use std::collections::{BTreeMap, HashSet};

use crate::support::{KEY, Output, Sandbox, VERSION, Workspace};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};

const NEWER: (&str, &str) = ("anthropic-version", "2026-10-21");

/// All items, by following `after_id`.
fn walk(sandbox: &Sandbox, path: &str, query: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut after = String::new();
    loop {
        let body = sandbox.ok(&format!("{path}?{query}{after}"));
        let data = array(&body["data"]);
        assert_eq!(body["first_id"], data[0]["id"]);
        assert_eq!(body["last_id"], data[data.len() - 1]["id"]);
        items.extend(data);
        if body["has_more"] != true {
            return items;
        }
        after = format!("&after_id={}", body["last_id"].as_str().expect("an id"));
    }
}

/// All buckets of a usage report, by following `page`.
fn walk_buckets(sandbox: &Sandbox, query: &str) -> Vec<Value> {
    let mut buckets = Vec::new();
    let mut page = String::new();
    loop {
        let body = sandbox.ok(&format!("{USAGE}?{query}{page}"));
        buckets.extend(array(&body["data"]));
        if body["has_more"] != true {
            assert_eq!(body["next_page"], Value::Null);
            return buckets;
        }
        let token = body["next_page"].as_str().expect("a token");
        page = format!("&page={}", token.replace('=', "%3D").replace('+', "%2B"));
    }
}

const USERS: &str = "/v1/organizations/users";
const WORKSPACES: &str = "/v1/organizations/workspaces";
const KEYS: &str = "/v1/organizations/api_keys";
const USAGE: &str = "/v1/organizations/usage_report/messages";

fn array(value: &Value) -> Vec<Value> {
    value.as_array().expect("an array").clone()
}

fn ids(items: &[Value]) -> Vec<&str> {
    items
        .iter()
        .filter_map(|item| item["id"].as_str())
        .collect()
}

/// Calls a tool in the call's own sandbox and gives the rows of all pages.
fn rows(tool: &str, arguments: &[&str]) -> Vec<Value> {
    let workspace = Workspace::new();
    let mut command = workspace.toolrun();
    command.args(["call", tool, "--sandbox", "--all", "--output", "ndjson"]);
    crate::support::output(command.args(arguments))
        .expect(0)
        .lines()
}

#[test]
#[ignore = "long"]
fn a_walk_reads_what_an_independent_client_reads() {
    let sandbox = Sandbox::start();
    for (tool, arguments, path, query, count) in [
        ("list-members", vec![], USERS, "limit=20", 150),
        ("list-members", vec!["limit=1000"], USERS, "limit=7", 150),
        ("list-workspaces", vec![], WORKSPACES, "limit=10", 70),
        (
            "list-workspaces",
            vec!["include_archived=true"],
            WORKSPACES,
            "include_archived=true",
            79,
        ),
        (
            "list-workspaces",
            vec!["include_default=true"],
            WORKSPACES,
            "include_default=true",
            71,
        ),
        (
            "list-workspaces",
            vec!["include_archived=true", "include_default=true", "limit=3"],
            WORKSPACES,
            "limit=100&include_archived=true&include_default=true",
            80,
        ),
        ("list-api-keys", vec!["limit=100"], KEYS, "limit=33", 250),
    ] {
        let rows = rows(tool, &arguments);
        let walked = walk(&sandbox, path, query);
        assert_eq!(ids(&rows), ids(&walked), "{tool} {arguments:?}");
        assert_eq!(rows.len(), count, "{tool} {arguments:?}");
        assert_eq!(
            ids(&rows).into_iter().collect::<HashSet<_>>().len(),
            count,
            "{tool}"
        );
    }
}

#[test]
fn a_row_is_the_projection_of_what_the_service_has() {
    let sandbox = Sandbox::start();
    let first = sandbox.ok(&format!("{USERS}?limit=1"))["data"][0].clone();
    let row = &rows("list-members", &["limit=1000"])[0];
    for key in ["id", "email", "name", "role", "added_at"] {
        assert!(row[key].is_string(), "{row}");
        assert_eq!(row[key], first[key], "{key}");
    }
}

#[test]
fn the_same_request_gives_the_same_answer() {
    let (one, other) = (Sandbox::start(), Sandbox::start());
    let usage = format!("{USAGE}?starting_at=2026-11-01T00:00:00Z&group_by[]=model");
    for target in [USERS, WORKSPACES, KEYS, &usage] {
        assert_eq!(one.ok(target), one.ok(target), "{target}");
        assert_eq!(one.ok(target), other.ok(target), "{target}");
    }
}

#[test]
fn the_shape_of_an_api_key_follows_the_version() {
    let sandbox = Sandbox::start();
    let keys = |version| {
        let answer = sandbox.get_with(&format!("{KEYS}?limit=100"), &[("x-api-key", KEY), version]);
        assert_eq!(answer.status, 200, "{}", answer.body);
        array(&answer.body["data"])
    };
    let (old, new) = (keys(VERSION), keys(NEWER));
    assert_eq!(ids(&old), ids(&new));
    assert!(new.iter().all(|key| key.get("workspace_id").is_none()));
    for key in &old {
        let expected = match key["scope"]["type"].as_str() {
            Some("workspace") => &key["scope"]["workspace_id"],
            Some("organization") => &Value::Null,
            other => panic!("{other:?}"),
        };
        assert_eq!(key.get("workspace_id"), Some(expected), "{key}");
    }
    let is_bound = |key: &&Value| key["workspace_id"].is_string();
    assert!(old.iter().any(|key| !is_bound(&key)) && old.iter().any(|key| is_bound(&key)));
}

#[test]
fn the_version_of_a_call_is_a_setting() {
    let workspace = Workspace::new();
    let key = |flags: &[&str]| {
        let mut command = workspace.toolrun();
        command.args(["call", "list-api-keys", "limit=1", "--sandbox", "-o", "raw"]);
        let output = crate::support::output(command.args(flags)).expect(0);
        output.json()["data"][0].clone()
    };
    assert!(key(&[]).get("workspace_id").is_some());
    assert!(
        key(&["--set", "anthropic_version=2026-10-21"])
            .get("workspace_id")
            .is_none()
    );
}

#[test]
fn a_bad_request_is_refused_in_the_services_envelope() {
    let sandbox = Sandbox::start();
    let key = ("x-api-key", KEY);
    let both = [key, VERSION];
    let wrong = [("x-api-key", "sk-ant-admin01-wrong"), VERSION];
    let bearer = [("authorization", "Bearer sk-ant-admin01-wrong"), VERSION];
    let old = [key, ("anthropic-version", "2020-01-01")];
    let at = |path: &str, query: &str| format!("{path}?{query}");
    for (target, headers, status, code, told) in [
        (
            at(USERS, ""),
            wrong.as_slice(),
            401,
            "authentication_error",
            "invalid x-api-key",
        ),
        (
            at(USERS, ""),
            &bearer,
            401,
            "authentication_error",
            "invalid x-api-key",
        ),
        (
            at(USERS, ""),
            &[VERSION],
            401,
            "authentication_error",
            "invalid x-api-key",
        ),
        (
            at(USERS, ""),
            &[key],
            400,
            "invalid_request_error",
            "anthropic-version",
        ),
        (
            at(USERS, ""),
            &old,
            400,
            "invalid_request_error",
            "2020-01-01",
        ),
        (
            at(USERS, "limit=0"),
            &both,
            400,
            "invalid_request_error",
            "limit",
        ),
        (
            at(USERS, "limit=1001"),
            &both,
            400,
            "invalid_request_error",
            "limit",
        ),
        (
            at(USERS, "limit=many"),
            &both,
            400,
            "invalid_request_error",
            "limit",
        ),
        (
            at(USERS, "limi=5"),
            &both,
            400,
            "invalid_request_error",
            "limi",
        ),
        (
            at(USERS, "roles=admin"),
            &both,
            400,
            "invalid_request_error",
            "roles",
        ),
        (
            at(USERS, "after_id=user_nobody"),
            &both,
            400,
            "invalid_request_error",
            "after_id",
        ),
        (
            at(USERS, "after_id=a&before_id=b"),
            &both,
            400,
            "invalid_request_error",
            "after_id",
        ),
        (
            at(KEYS, "status=lost"),
            &both,
            400,
            "invalid_request_error",
            "status",
        ),
        (
            at(WORKSPACES, "include_archived=perhaps"),
            &both,
            400,
            "invalid_request_error",
            "include_archived",
        ),
        (
            at(USAGE, ""),
            &both,
            400,
            "invalid_request_error",
            "starting_at",
        ),
        (
            at(USAGE, "starting_at=yesterday"),
            &both,
            400,
            "invalid_request_error",
            "starting_at",
        ),
        (
            at(USAGE, "starting_at=2026-11-01T00:00:00Z&bucket_width=1w"),
            &both,
            400,
            "invalid_request_error",
            "bucket_width",
        ),
        (
            at(USAGE, "starting_at=2026-11-01T00:00:00Z&limit=32"),
            &both,
            400,
            "invalid_request_error",
            "limit",
        ),
        (
            at(USAGE, "starting_at=2026-11-01T00:00:00Z&page=page_nonsense"),
            &both,
            400,
            "invalid_request_error",
            "page",
        ),
        (
            at("/v1/organizations/nothing", ""),
            &both,
            404,
            "not_found_error",
            "Not Found",
        ),
        (at("/", ""), &both, 404, "not_found_error", "Not Found"),
    ] {
        let answer = sandbox.get_with(target.trim_end_matches('?'), headers);
        let id = answer
            .header("request-id")
            .expect("a request id")
            .to_owned();
        assert_eq!(answer.status, status, "{target}: {}", answer.body);
        let message = answer.body["error"]["message"].as_str().expect("a message");
        assert!(message.contains(told), "{target}: {message}");
        assert_eq!(
            answer.body,
            json!({ "type": "error", "error": { "type": code, "message": message }, "request_id": id })
        );
        assert!(id.starts_with("req_"), "{id}");
    }
}

#[test]
fn a_bearer_token_is_accepted_in_place_of_the_key() {
    let bearer = format!("Bearer {KEY}");
    let headers = [("authorization", bearer.as_str()), VERSION];
    assert_eq!(Sandbox::start().get_with(USERS, &headers).status, 200);
}

#[test]
fn before_id_pages_backwards() {
    let sandbox = Sandbox::start();
    let all = walk(&sandbox, USERS, "limit=100");
    let all = ids(&all);
    for (before, limit, expected, has_more) in [
        (60, 20, 40..60, true),
        (20, 20, 0..20, false),
        (10, 20, 0..10, false),
        (21, 20, 1..21, true),
        (149, 1000, 0..149, false),
    ] {
        let body = sandbox.ok(&format!("{USERS}?limit={limit}&before_id={}", all[before]));
        assert_eq!(
            ids(&array(&body["data"])),
            all[expected.clone()],
            "{before}"
        );
        assert_eq!(body["has_more"], has_more, "{before}");
        assert_eq!(body["first_id"], all[expected.start]);
        assert_eq!(body["last_id"], all[expected.end - 1]);
    }
    let before = format!("before_id={}", all[50]);
    let backwards = rows("list-members", &[&before, "limit=20"]);
    let read: HashSet<&str> = ids(&backwards).into_iter().collect();
    assert_eq!(read, all[..50].iter().copied().collect());
    assert_eq!(backwards.len(), 50);
}

#[test]
fn lists_are_filtered() {
    let sandbox = Sandbox::start();
    let members = walk(&sandbox, USERS, "limit=100");
    let is = |role: &'static str| move |member: &&Value| member["role"] == role;
    let admins = walk(&sandbox, USERS, "roles[]=admin");
    assert_eq!(
        ids(&admins).len(),
        members.iter().filter(is("admin")).count()
    );
    assert!(admins.iter().all(|member| member["role"] == "admin"));
    let some = rows(
        "list-members",
        &["roles:=[\"admin\",\"billing\"]", "limit=1000"],
    );
    let count = members
        .iter()
        .filter(|m| m["role"] == "admin" || m["role"] == "billing")
        .count();
    assert!(some.len() == count && count > admins.len(), "{count}");
    let by_email = sandbox.ok(&format!("{USERS}?email=MEMBER7%2Bx@example.com"));
    assert_eq!(by_email["data"][0]["email"], "member7@example.com");
    assert_eq!(
        (&by_email["data"][1], &by_email["has_more"]),
        (&Value::Null, &json!(false))
    );

    let keys = walk(&sandbox, KEYS, "limit=100");
    let active = walk(&sandbox, KEYS, "status=active&limit=100");
    assert_eq!(
        active.len(),
        keys.iter().filter(|key| key["status"] == "active").count()
    );
    let creator = keys
        .iter()
        .find_map(|key| key["created_by"]["id"].as_str())
        .expect("a creator");
    let created = walk(&sandbox, KEYS, &format!("created_by_user_id={creator}"));
    let count = keys
        .iter()
        .filter(|key| key["created_by"]["id"] == creator)
        .count();
    assert!(created.len() == count && count > 0);
}

#[test]
fn api_keys_are_filtered_by_workspace() {
    let sandbox = Sandbox::start();
    let keys = walk(&sandbox, KEYS, "limit=100");
    let scope = keys
        .iter()
        .find_map(|key| key["scope"]["workspace_id"].as_str());
    let workspace = scope.expect("a bound key");
    let bound = walk(&sandbox, KEYS, &format!("workspace_id={workspace}"));
    let count = keys
        .iter()
        .filter(|key| key["scope"]["workspace_id"] == workspace)
        .count();
    assert!(bound.len() == count && count > 0);
    let none = sandbox.ok(&format!("{KEYS}?workspace_id=wrkspc_nothing"));
    assert_eq!(
        none,
        json!({ "data": [], "first_id": null, "has_more": false, "last_id": null })
    );
}

// Usage

fn outputs(buckets: &[Value]) -> u64 {
    let results = buckets.iter().flat_map(|bucket| array(&bucket["results"]));
    results
        .filter_map(|result| result["output_tokens"].as_u64())
        .sum()
}

fn starts(buckets: &[Value]) -> Vec<&str> {
    buckets
        .iter()
        .filter_map(|bucket| bucket["starting_at"].as_str())
        .collect()
}

#[test]
#[ignore = "long"]
fn every_bucket_of_400_days_is_there_by_following_page_tokens() {
    let sandbox = Sandbox::start();
    let buckets = walk_buckets(&sandbox, "starting_at=2025-10-20T00:00:00Z&limit=31");
    assert_eq!(buckets.len(), 400);
    assert_eq!(buckets[0]["starting_at"], "2025-10-20T00:00:00Z");
    assert_eq!(buckets[399]["ending_at"], "2026-11-24T00:00:00Z");
    for pair in buckets.windows(2) {
        assert_eq!(pair[0]["ending_at"], pair[1]["starting_at"]);
    }
    assert!(outputs(&buckets) > 0);
    let page = sandbox.ok(&format!("{USAGE}?starting_at=2025-10-20T00:00:00Z"));
    assert_eq!(array(&page["data"]).len(), 7);
    assert_eq!(page["has_more"], true);
}

#[test]
fn the_program_walks_the_same_buckets() {
    let sandbox = Sandbox::start();
    let query = "starting_at=2026-10-01T00:00:00Z&ending_at=2026-11-01T00:00:00Z";
    let buckets = walk_buckets(&sandbox, query);
    assert_eq!(buckets.len(), 31);
    let workspace = Workspace::new();
    let mut command = workspace.toolrun();
    command.args(["call", "get-usage", "--sandbox", "--all", "-o", "json"]);
    command.args(query.split('&'));
    let output = crate::support::output(&mut command).expect(0).json();
    assert_eq!(output["totals"]["buckets"], 31);
    assert_eq!(output["totals"]["output_tokens"], outputs(&buckets));
    assert_eq!(starts(&array(&output["usage"])), starts(&buckets));
}

#[test]
fn a_bucket_without_usage_is_there_and_empty() {
    let sandbox = Sandbox::start();
    // The made-up usage begins on 2025-10-20.
    let query = "starting_at=2025-10-18T00:00:00Z&ending_at=2025-10-21T00:00:00Z";
    let buckets = walk_buckets(&sandbox, query);
    assert_eq!(
        starts(&buckets),
        [
            "2025-10-18T00:00:00Z",
            "2025-10-19T00:00:00Z",
            "2025-10-20T00:00:00Z"
        ]
    );
    let counts: Vec<usize> = buckets
        .iter()
        .map(|bucket| array(&bucket["results"]).len())
        .collect();
    assert_eq!(counts, [0, 0, 1]);
    // With a request every 45 minutes most minutes are empty.
    let query = "starting_at=2026-11-01T00:00:00Z&ending_at=2026-11-01T02:00:00Z&bucket_width=1m";
    let minutes = walk_buckets(&sandbox, query);
    assert_eq!(minutes.len(), 120);
    assert_eq!(
        minutes.iter().filter(|b| b["results"] != json!([])).count(),
        3
    );
}

#[test]
fn sums_agree_however_they_are_cut() {
    let sandbox = Sandbox::start();
    let days = "starting_at=2026-11-01T00:00:00Z&ending_at=2026-11-04T00:00:00Z";
    let daily = walk_buckets(&sandbox, days);
    let hourly = walk_buckets(&sandbox, &format!("{days}&bucket_width=1h&limit=50"));
    let by_model = walk_buckets(&sandbox, &format!("{days}&group_by[]=model"));
    let by_two = walk_buckets(
        &sandbox,
        &format!("{days}&group_by[]=service_tier&group_by[]=workspace_id"),
    );
    assert_eq!((daily.len(), hourly.len(), by_model.len()), (3, 72, 3));
    for (day, hours) in daily.iter().zip(hourly.chunks(24)) {
        assert_eq!(
            outputs(hours),
            outputs(std::slice::from_ref(day)),
            "{}",
            day["starting_at"]
        );
    }
    assert_eq!(outputs(&by_model), outputs(&daily));
    assert_eq!(outputs(&by_two), outputs(&daily));
    assert!(outputs(&daily) > 0);
    let mut by_name: BTreeMap<String, u64> = BTreeMap::new();
    for result in by_model.iter().flat_map(|bucket| array(&bucket["results"])) {
        let model = result["model"].as_str().expect("a model").to_owned();
        *by_name.entry(model).or_default() += result["output_tokens"].as_u64().expect("a number");
    }
    assert!(by_name.len() > 1, "{by_name:?}");
    for (model, sum) in by_name {
        let only = walk_buckets(&sandbox, &format!("{days}&models[]={model}"));
        assert_eq!(outputs(&only), sum, "{model}");
    }
    let none = walk_buckets(&sandbox, &format!("{days}&models[]=claude-none"));
    assert_eq!((none.len(), outputs(&none)), (3, 0));
}

#[test]
fn the_speed_dimension_needs_its_beta_header() {
    let sandbox = Sandbox::start();
    let days = "starting_at=2026-11-01T00:00:00Z&ending_at=2026-11-04T00:00:00Z";
    let beta = ("anthropic-beta", "fast-mode-2026-02-01");
    for dimension in ["group_by[]=speed", "speeds[]=fast"] {
        let target = format!("{USAGE}?{days}&{dimension}");
        let refused = sandbox.get(&target);
        assert_eq!(refused.status, 400, "{dimension}");
        let message = refused.body["error"]["message"]
            .as_str()
            .expect("a message");
        assert!(message.contains("fast-mode-2026-02-01"), "{message}");
        let accepted = sandbox.get_with(&target, &[("x-api-key", KEY), VERSION, beta]);
        assert_eq!(accepted.status, 200, "{}", accepted.body);
    }
    let by_speed = rows(
        "get-usage",
        &["starting_at=2026-11-01T00:00:00Z", "group_by:=[\"speed\"]"],
    );
    let speeds: HashSet<&str> = by_speed
        .iter()
        .filter_map(|row| row["speed"].as_str())
        .collect();
    assert_eq!(speeds, HashSet::from(["fast", "standard"]));
}

// Faults, and the program's own ways to the sandbox

#[test]
fn a_fault_is_answered_on_demand() {
    let sandbox = Sandbox::start();
    for (fault, status, code, header) in [
        (
            "rate_limited",
            429,
            "rate_limit_error",
            Some(("retry-after", "1")),
        ),
        (
            "spend_cap",
            429,
            "rate_limit_error",
            Some(("x-should-retry", "false")),
        ),
        ("overloaded", 529, "overloaded_error", None),
        ("broken", 500, "api_error", None),
        ("forbidden", 403, "permission_error", None),
        ("no_such_fault", 400, "invalid_request_error", None),
    ] {
        let headers = [("x-api-key", KEY), VERSION, ("x-sandbox-fault", fault)];
        let answer = sandbox.get_with(USERS, &headers);
        assert_eq!(answer.status, status, "{fault}");
        assert_eq!(answer.body["error"]["type"], code, "{fault}");
        let id = answer.header("request-id").expect("a request id");
        assert_eq!(answer.body["request_id"], id, "{fault}");
        if let Some((name, value)) = header {
            assert_eq!(answer.header(name), Some(value), "{fault}");
        }
    }
    assert_eq!(sandbox.get(USERS).status, 200);
}

fn call(workspace: &Workspace, flags: &[&str]) -> Output {
    let mut command = workspace.toolrun();
    command.args(["call", "list-members", "limit=2", "-o", "json"]);
    crate::support::output(command.args(flags))
}

#[test]
#[ignore = "long"]
fn a_call_gets_over_a_passing_fault() {
    let workspace = Workspace::new();
    for (fault, told) in [
        ("rate_limited", "answered 429"),
        ("overloaded:2", "answered 529"),
    ] {
        let output = call(&workspace, &["--sandbox", "--fault", fault]).expect(0);
        assert_eq!(array(&output.json()["members"]).len(), 2);
        assert!(output.stderr.contains(told), "{fault}: {}", output.stderr);
    }
}

#[test]
fn a_lasting_fault_is_an_error_with_its_request_id() {
    let workspace = Workspace::new();
    for (fault, code, upstream, attempts) in [
        ("forbidden", 6, "permission_error", 1),
        ("spend_cap", 6, "rate_limit_error", 1),
    ] {
        let output = call(&workspace, &["--sandbox", "--fault", fault]).expect(code);
        let error = output.error();
        assert_eq!(error["upstream"]["code"], upstream);
        assert_eq!(error["upstream"]["attempts"], attempts);
        let id = error["upstream"]["request_id"]
            .as_str()
            .expect("a request id");
        assert!(id.starts_with("req_"), "{id}");
    }
    let output = call(&workspace, &["--sandbox", "--fault", "nonsense"]).expect(2);
    assert!(output.stderr.contains("rate_limited"), "{}", output.stderr);
}

#[test]
fn a_call_reaches_a_sandbox_that_runs_already() {
    let sandbox = Sandbox::start_with(&["--fault", "forbidden"]);
    let flag = format!("--sandbox=http://{}", sandbox.address);
    call(&sandbox.workspace, &[&flag]).expect(6);
    let output = call(&sandbox.workspace, &[&flag]).expect(0);
    let members = array(&output.json()["members"]);
    let served = sandbox.ok(&format!("{USERS}?limit=2"));
    assert_eq!(ids(&members), ids(&array(&served["data"])));
    assert_eq!(output.json()["has_more"], true);
}

#[test]
fn a_sandbox_is_on_this_machine_alone() {
    let workspace = Workspace::new();
    for url in [
        "https://api.anthropic.com",
        "http://example.com:8787",
        "http://10.0.0.1",
        "http://127.0.0.1.example.com",
        "not a url",
    ] {
        let output = call(&workspace, &[&format!("--sandbox={url}")]).expect(2);
        assert_eq!(output.stdout, "", "{url}");
        assert!(output.stderr.contains(url), "{url}: {}", output.stderr);
    }
    let output = workspace.run(&["sandbox", "--addr", "0.0.0.0:0"]).expect(5);
    assert!(
        output.stderr.contains("not a loopback address"),
        "{}",
        output.stderr
    );
}

#[test]
fn a_real_key_is_never_sent_to_a_sandbox() {
    let fake = crate::support::Fake::script([crate::support::Reply::ok()]);
    let workspace = Workspace::new();
    let mut command = workspace.toolrun();
    command.env("ANTHROPIC_ADMIN_API_KEY", "sk-ant-admin01-real");
    command.args([
        "call",
        "list-members",
        &format!("--sandbox={}", fake.origin()),
    ]);
    crate::support::output(&mut command);
    assert_eq!(fake.only_request().header("x-api-key"), Some(KEY));
}

#[test]
fn without_a_key_nothing_is_made_up() {
    let output = Workspace::new().run(&["call", "list-members"]).expect(4);
    assert_eq!(output.stdout, "");
    for told in ["ANTHROPIC_ADMIN_API_KEY", "--sandbox"] {
        assert!(output.stderr.contains(told), "{}", output.stderr);
    }
}

#[test]
fn a_service_without_a_sandbox_says_so() {
    let workspace = Workspace::new();
    workspace.service("https://api.example.com", "");
    workspace.tool(
        "get-probe",
        "read",
        "request: { method: GET, path: /probe }",
    );
    let output = workspace.run(&["call", "get-probe", "--sandbox"]);
    assert_ne!(output.code, 0);
    assert!(
        output.stderr.contains("probe has no sandbox"),
        "{}",
        output.stderr
    );
}

#[test]
#[ignore = "long"]
fn a_sandbox_that_is_not_there_is_told_by_its_own_address() {
    let origin = crate::support::refused_origin();
    let flag = format!("--sandbox={origin}");
    let output = call(&Workspace::new(), &["--timeout=20s", &flag]).expect(8);
    assert!(output.stderr.contains("127.0.0.1"), "{}", output.stderr);
    assert!(
        !output.stderr.contains("api.anthropic.com"),
        "{}",
        output.stderr
    );
}

#[test]
fn a_walk_that_was_capped_can_go_on_without_a_gap() {
    let workspace = Workspace::new();
    let first = call(&workspace, &["--sandbox", "limit=20", "--max-items", "3"])
        .expect(0)
        .json();
    let last = format!("after_id={}", first["last_id"].as_str().expect("an id"));
    let rest = call(&workspace, &["--sandbox", "limit=1000", &last])
        .expect(0)
        .json();
    assert_eq!(
        array(&first["members"]).len() + array(&rest["members"]).len(),
        150
    );
}
