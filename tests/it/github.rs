//! A service and a tool of another public API, added as YAML, run without a change to the program.

use std::process::Command;

use crate::support::{Fake, Output, Reply, Request, Workspace, output};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};

const TOKEN: &str = "ghp_made-up";

/// A folder with the descriptors of a service at `origin`.
fn github(origin: &str) -> Workspace {
    let workspace = Workspace::new();
    let service = include_str!("../fixtures/github/service.yaml");
    let tool = include_str!("../fixtures/github/list-repository-issues.yaml");
    workspace.write(
        "descriptors/github/service.yaml",
        service.replace("https://api.github.com", origin),
    );
    workspace.write("descriptors/github/list-repository-issues.yaml", tool);
    workspace
}

fn call(workspace: &Workspace) -> Command {
    let mut command = workspace.toolrun();
    command.env("GITHUB_TOKEN", TOKEN);
    command.args(["call", "list-repository-issues"]);
    command
}

fn issues(workspace: &Workspace, arguments: &[&str]) -> Output {
    let mut command = call(workspace);
    output(command.args(["owner=octo", "repo=hello"]).args(arguments))
}

fn issue(number: u64) -> Value {
    json!({
        "number": number,
        "title": format!("Issue {number}, \"quoted\""),
        "user": { "login": "octocat" },
        "labels": [{ "name": "bug" }],
        "body": "not projected",
    })
}

/// Three pages of two issues each, linked as GitHub links them.
fn pages(request: &Request) -> Reply {
    let page = request
        .query
        .split('&')
        .find_map(|pair| pair.strip_prefix("page="));
    let page: u64 = page.map_or(1, |page| page.parse().expect("a number"));
    let reply = Reply::json(200, &json!([issue(page * 2 - 1), issue(page * 2)]));
    let link = |page: u64, rel: &str| {
        let origin = request.origin();
        format!("<{origin}/repositories/1/issues?per_page=2&page={page}>; rel=\"{rel}\"")
    };
    match page {
        1 | 2 => reply.with(
            "link",
            format!("{}, {}", link(page + 1, "next"), link(3, "last")),
        ),
        _ => reply.with("link", link(1, "first")),
    }
}

fn numbers(rows: &[Value]) -> Vec<u64> {
    rows.iter()
        .filter_map(|row| row["number"].as_u64())
        .collect()
}

#[test]
fn a_request_is_right_to_the_byte() {
    let fake = Fake::start(pages);
    let workspace = github(&fake.origin());
    let labels = "labels:=[\"bug\",\"help wanted\",\"a&b=c,d/é\"]";
    issues(&workspace, &["state=all", labels, "per_page=2"]).expect(0);
    let request = fake.only_request();
    assert_eq!(request.method, "GET");
    assert_eq!(
        request.target(),
        "/repos/octo/hello/issues?state=all&labels=bug,help%20wanted,a%26b%3Dc%2Cd%2F%C3%A9&per_page=2"
    );
    assert_eq!(request.header("authorization"), Some("Bearer ghp_made-up"));
    assert_eq!(
        request.header("accept"),
        Some("application/vnd.github+json")
    );
    assert_eq!(request.header("x-github-api-version"), Some("2022-11-28"));
    let agent = request.header("user-agent").expect("a user agent");
    assert!(agent.starts_with("toolrun/"), "{agent}");
    assert_eq!(request.body, b"");
}

#[test]
fn pages_are_followed_by_the_link_header_with_the_credential() {
    let fake = Fake::start(pages);
    let output = issues(&github(&fake.origin()), &["per_page=2", "--all"]).expect(0);
    let output = output.json();
    let rows = output["issues"].as_array().expect("rows");
    assert_eq!(numbers(rows), [1, 2, 3, 4, 5, 6]);
    assert_eq!(
        rows[0],
        json!({ "number": 1, "title": "Issue 1, \"quoted\"", "user": "octocat", "labels": ["bug"] })
    );
    assert_eq!(output.get("notes"), None);
    assert_eq!(
        fake.targets(),
        [
            "/repos/octo/hello/issues?state=open&per_page=2",
            "/repositories/1/issues?per_page=2&page=2",
            "/repositories/1/issues?per_page=2&page=3",
        ]
    );
    for request in fake.requests() {
        assert_eq!(request.header("authorization"), Some("Bearer ghp_made-up"));
        assert_eq!(request.header("x-github-api-version"), Some("2022-11-28"));
    }
}

#[test]
fn a_cap_on_items_reads_no_further_page_than_needed() {
    let fake = Fake::start(pages);
    let output = issues(&github(&fake.origin()), &["--max-items", "3"]).expect(0);
    let rows = output.json()["issues"].as_array().cloned().expect("rows");
    assert_eq!(numbers(&rows), [1, 2, 3]);
    assert_eq!(fake.requests().len(), 2);
    assert!(
        output.stderr.contains("stopped after 3 item(s)"),
        "{}",
        output.stderr
    );
    assert_eq!(
        output.json()["notes"],
        json!([{ "stopped": "max_items", "max_items": 3 }])
    );
}

#[test]
fn a_link_to_another_origin_is_not_followed() {
    let other = Fake::script([Reply::json(200, &json!([]))]);
    let link = format!(
        "<{}/repositories/1/issues?page=2>; rel=\"next\"",
        other.origin()
    );
    let fake = Fake::script([Reply::json(200, &json!([issue(1)])).with("link", link)]);
    let output = issues(&github(&fake.origin()), &["--all"]).expect(5);
    assert!(
        output.stderr.contains("leaves the service's origin"),
        "{}",
        output.stderr
    );
    assert_eq!(other.requests(), []);
    fake.only_request();
}

#[test]
fn an_argument_stays_in_its_path_segment() {
    let fake = Fake::script([Reply::json(200, &json!([]))]);
    let workspace = github(&fake.origin());
    for (repo, path) in [
        ("a/b?x=1", "/repos/octo/a%2Fb%3Fx%3D1/issues"),
        ("../../user", "/repos/octo/..%2F..%2Fuser/issues"),
        ("%2e%2e", "/repos/octo/%252e%252e/issues"),
        ("a#b;c:@d", "/repos/octo/a%23b%3Bc%3A%40d/issues"),
    ] {
        let arguments = json!({ "owner": "octo", "repo": repo }).to_string();
        output(call(&workspace).arg(arguments)).expect(0);
        let sent = fake.requests().pop().expect("a request");
        assert_eq!(
            (sent.path.as_str(), sent.query.as_str()),
            (path, "state=open&per_page=30")
        );
    }
}

#[test]
fn an_argument_that_would_climb_out_of_the_path_is_refused() {
    let fake = Fake::script([Reply::json(200, &json!([]))]);
    let workspace = github(&fake.origin());
    for (owner, why) in [
        ("..", "climb out of the path"),
        (".", "climb out of the path"),
        ("", "is empty"),
        ("a\nb", "control character"),
        ("a\0b", "control character"),
    ] {
        let arguments = json!({ "owner": owner, "repo": "hello" }).to_string();
        let output = output(call(&workspace).arg(arguments)).expect(2);
        assert!(output.stderr.contains(why), "{owner:?}: {}", output.stderr);
    }
    assert_eq!(fake.requests(), []);
}

#[test]
fn a_refused_argument_is_told_in_the_words_of_the_descriptor() {
    let workspace = github("https://api.github.com");
    let output = output(call(&workspace).args(["owner=..", "repo=hello"])).expect(2);
    assert!(!output.stderr.contains("Expression("), "{}", output.stderr);
}

#[test]
fn arguments_are_checked_before_anything_is_sent() {
    let fake = Fake::script([Reply::json(200, &json!([]))]);
    let workspace = github(&fake.origin());
    for (arguments, why) in [
        (vec!["repo=hello"], "owner"),
        (vec!["owner=octo", "repo=hello", "state=merged"], "state"),
        (vec!["owner=octo", "repo=hello", "per_page=101"], "per_page"),
        (
            vec!["owner=octo", "repo=hello", "per_page=many"],
            "per_page",
        ),
        (vec!["owner=octo", "repo=hello", "label=bug"], "labels"),
    ] {
        let output = output(call(&workspace).args(&arguments)).expect(2);
        assert!(
            output.stderr.contains(why),
            "{arguments:?}: {}",
            output.stderr
        );
    }
    assert_eq!(fake.requests(), []);
}

#[test]
fn the_token_is_asked_for_by_name() {
    let fake = Fake::script([Reply::json(200, &json!([]))]);
    let workspace = github(&fake.origin());
    let output = workspace
        .run(&["call", "list-repository-issues", "owner=o", "repo=r"])
        .expect(4);
    for told in ["GITHUB_TOKEN", "Developer settings"] {
        assert!(output.stderr.contains(told), "{}", output.stderr);
    }
    assert_eq!(fake.requests(), []);
}

#[test]
fn an_output_prints_in_every_format() {
    let body = format!("[{}]", issue(7));
    let fake = Fake::script([Reply::new(200, "application/json", body.clone())]);
    let workspace = github(&fake.origin());
    let print = |format| issues(&workspace, &["-o", format]).expect(0).stdout;
    let row = r#"{"number":7,"title":"Issue 7, \"quoted\"","user":"octocat","labels":["bug"]}"#;
    assert_eq!(print("json"), format!("{{\"issues\":[{row}]}}\n"));
    assert_eq!(print("ndjson"), format!("{row}\n"));
    assert_eq!(
        print("csv"),
        "number,title,user,labels\n7,\"Issue 7, \"\"quoted\"\"\",octocat,\"[\"\"bug\"\"]\"\n"
    );
    assert_eq!(
        print("yaml"),
        "issues:\n- number: 7\n  title: Issue 7, \"quoted\"\n  user: octocat\n  labels:\n  - bug\n"
    );
    assert_eq!(print("raw"), body);
    let table = print("table");
    for told in ["number", "labels", "7", "Issue 7, \"quoted\"", "octocat"] {
        assert!(table.contains(told), "{told}: {table}");
    }
    assert!(!table.contains("not projected"), "{table}");
}

#[test]
fn rows_of_all_pages_are_printed_under_one_header() {
    let fake = Fake::start(pages);
    let workspace = github(&fake.origin());
    let csv = issues(&workspace, &["--all", "-o", "csv"]).expect(0).stdout;
    let firsts: Vec<&str> = csv
        .lines()
        .filter_map(|line| line.split(',').next())
        .collect();
    assert_eq!(firsts, ["number", "1", "2", "3", "4", "5", "6"]);
    let rows = issues(&workspace, &["--all", "-o", "ndjson"])
        .expect(0)
        .lines();
    assert_eq!(numbers(&rows), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn the_descriptors_are_valid_and_their_examples_hold() {
    let workspace = github("https://api.github.com");
    let folder = workspace.descriptors();
    let folder = folder.to_str().expect("a path in UTF-8");
    let validated = workspace.run(&["validate", folder]).expect(0);
    assert!(validated.stdout.contains("2 files: 0 errors, 0 warnings"));
    let tested = workspace.run(&["test", folder]).expect(0);
    assert!(
        tested.stdout.contains("1 passed, 0 failed"),
        "{}",
        tested.stdout
    );
}

#[test]
fn a_dropped_tool_is_listed_and_shown() {
    let workspace = github("https://api.github.com");
    let listed = workspace.run(&["list"]).expect(0).stdout;
    assert!(listed.contains("list-repository-issues"), "{listed}");
    let shown = workspace
        .run(&["show", "github/list-repository-issues"])
        .expect(0)
        .stdout;
    for told in [
        "GET https://api.github.com/repos/{{ owner }}/{{ repo }}/issues",
        "GITHUB_TOKEN",
        "owner (required)",
        "open | closed | all",
        "--all",
    ] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
}

#[test]
fn a_lone_file_with_its_service_inline_is_callable_by_name() {
    let fake = Fake::script([Reply::json(200, &json!({ "zen": "Keep it simple." }))]);
    let file = format!(
        "
spec: 1
tool: get-zen
service: {{ service: zen, base_url: {} }}
description: Get a saying.
access: read
request: {{ method: GET, path: /zen }}
response: {{ output: {{ saying: $.zen }} }}
",
        fake.origin()
    );
    for folder in ["descriptors", "tools"] {
        let workspace = Workspace::new();
        workspace.write(&format!("{folder}/get-zen.yaml"), &file);
        // A folder that the user did not name must be trusted.
        let output = workspace
            .run(&["call", "get-zen", "--trust", folder])
            .expect(0);
        assert_eq!(
            output.json(),
            json!({ "saying": "Keep it simple." }),
            "{folder}"
        );
    }
    assert_eq!(fake.targets(), ["/zen", "/zen"]);
}
