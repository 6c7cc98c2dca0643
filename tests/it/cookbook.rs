//! The cookbook: ten whole services, whose files are checked, whose commands run, and which are really called.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::support::{DocPage, Fake, Reply, Workspace, doc_page};

/// The files on the page, by service and name.
fn services(page: &DocPage) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut services: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for block in page.blocks() {
        if let Some(path) = block.path() {
            let path = path.strip_prefix("tools/").expect("a file below tools");
            let (service, name) = path.split_once('/').expect("a service");
            let files = services.entry(service.to_owned()).or_default();
            files.insert(name.to_owned(), block.text.to_owned());
        }
    }
    services
}

/// A folder with the files of the page, at the place for trusted tools.
fn kitchen() -> Workspace {
    let workspace = Workspace::new();
    for (service, files) in services(&doc_page("docs/cookbook.md")) {
        for (name, text) in files {
            workspace.write(&format!("descriptors/{service}/{name}"), text);
        }
    }
    workspace
}

/// Each recipe has its files, an example with a request, a response and an output, and the commands.
#[test]
fn each_recipe_is_whole() {
    let page = doc_page("docs/cookbook.md");
    let services = services(&page);
    assert_eq!(services.len(), 10, "{:?}", services.keys());
    let scripts = [page.blocks_of("sh"), page.blocks_of("console")].concat();
    let lines = scripts.iter().flat_map(|script| script.lines());
    let commands: Vec<&str> = lines
        .map(|line| line.strip_prefix("$ ").unwrap_or(line))
        .collect();
    for (service, files) in &services {
        assert!(files.contains_key("service.yaml"), "{service}");
        assert!(files.contains_key("sandbox.yaml"), "{service}");
        let tools: Vec<(&str, &String)> = files
            .iter()
            .filter(|(name, _)| !["service.yaml", "sandbox.yaml"].contains(&name.as_str()))
            .map(|(name, text)| (name.trim_end_matches(".yaml"), text))
            .collect();
        assert!(!tools.is_empty(), "{service}");
        for (tool, text) in &tools {
            let value: serde_json::Value = serde_yaml::from_str(text).expect("YAML");
            let example = &value["examples"][0];
            for key in ["request", "response", "output"] {
                assert!(example.get(key).is_some(), "{tool}: {key}");
            }
        }
        for command in [
            format!("toolrun validate tools/{service} --deny-warnings"),
            format!("toolrun test tools/{service}"),
        ] {
            assert!(commands.contains(&command.as_str()), "{command}");
        }
        let calls = |option: &str| {
            tools.iter().any(|(tool, _)| {
                let start = format!("toolrun call {tool} ");
                let is_call = |c: &&str| c.starts_with(&start) && c.contains(option);
                commands.iter().any(is_call)
            })
        };
        assert!(calls(" --dry-run"), "{service}");
        assert!(calls(" --sandbox"), "{service}");
    }
}

/// The recipes show what they promise: each auth kind, each kind of body and of paging.
#[test]
fn the_recipes_differ() {
    let texts: Vec<String> = services(&doc_page("docs/cookbook.md"))
        .into_values()
        .flat_map(BTreeMap::into_values)
        .collect();
    for part in [
        "kind: bearer",
        "kind: basic",
        "grant: client_credentials",
        "kind: api_key",
        "kind: headers",
        "graphql:",
        "form:",
        "multipart:",
        "text:",
        "json:",
        "kind: bytes",
        "wait:",
        "next_url:",
        "next:",
    ] {
        assert!(texts.iter().any(|text| text.contains(part)), "{part}");
    }
}

#[test]
fn the_pages_of_the_library_are_walked() {
    let workspace = kitchen();
    let call = [
        "call",
        "list-books",
        "--sandbox",
        "--all",
        "--output",
        "ndjson",
    ];
    let walked = workspace.run(&call).expect(0);
    let ids: BTreeSet<i64> = walked
        .lines()
        .iter()
        .map(|row| row["id"].as_i64().expect("an id"))
        .collect();
    assert_eq!(ids, (1..=60).collect());
    let verbose = workspace
        .run(&[
            "call",
            "list-books",
            "--sandbox",
            "--all",
            "--output",
            "csv",
            "-v",
        ])
        .expect(0);
    let requests: Vec<&str> = verbose
        .stderr
        .lines()
        .filter(|line| line.starts_with("> GET "))
        .filter_map(|line| line.split('?').nth(1))
        .collect();
    assert_eq!(
        requests,
        [0, 25, 50].map(|offset| format!("limit=25&offset={offset}&key=***"))
    );
    let capped = [&call[..4], &["--max-items", "30", "--output", "json"]].concat();
    let capped = workspace.run(&capped).expect(0).json();
    assert_eq!(capped["books"].as_array().map(Vec::len), Some(30));
    assert_eq!(capped["notes"][0]["next"], json!({ "offset": 30 }));
}

#[test]
fn the_links_of_the_forge_are_followed() {
    let fake = Fake::start(|request| {
        let page = request.query.split("page=").last().unwrap_or_default();
        let page: u32 = match request.query.contains("&page=") {
            true => page.parse().expect("a page"),
            false => 1,
        };
        let body = json!([{ "sha": page.to_string(), "commit": { "author": { "name": "Ada" }, "message": "m" } }]);
        let reply = Reply::json(200, &body);
        let next = format!(
            "<{}{}?per_page=1&page={}>; rel=\"next\"",
            request.origin(),
            request.path,
            page + 1
        );
        match page {
            3 => reply,
            _ => reply.with("link", next),
        }
    });
    let stand_in = format!("--sandbox={}", fake.origin());
    let told = kitchen().run(&[
        "call",
        "list-commits",
        "owner=ada",
        "repo=engine",
        "per_page=1",
        "--all",
        "--output",
        "ndjson",
        &stand_in,
    ]);
    let rows = told.expect(0).lines();
    let shas: Vec<&str> = rows.iter().filter_map(|row| row["sha"].as_str()).collect();
    assert_eq!(shas, ["1", "2", "3"]);
    let requests = fake.requests();
    assert_eq!(requests.len(), 3);
    for request in requests {
        assert_eq!(request.path, "/api/v3/repos/ada/engine/commits");
        assert_eq!(
            request.header("authorization"),
            Some("Bearer made-up-forge-token")
        );
    }
}

#[test]
fn the_document_is_uploaded() {
    let fake = Fake::start(|_| Reply::json(201, &json!({ "id": "doc_9", "size": 16 })));
    let workspace = kitchen();
    workspace.write("minutes.pdf", "not really a PDF");
    let stand_in = format!("--sandbox={}", fake.origin());
    let told = workspace.run(&[
        "call",
        "upload-document",
        "file=minutes.pdf",
        "title=Minutes",
        "tags=board",
        "tags=november",
        "--yes",
        "--output",
        "json",
        &stand_in,
    ]);
    assert_eq!(told.expect(0).json(), json!({ "id": "doc_9", "bytes": 16 }));
    let request = fake.only_request();
    assert_eq!(request.target(), "/api/documents");
    let body = String::from_utf8_lossy(&request.body).into_owned();
    for part in [
        "name=\"title\"\r\n\r\nMinutes\r\n",
        "name=\"tag\"\r\n\r\nboard\r\n",
        "name=\"tag\"\r\n\r\nnovember\r\n",
        "filename=\"minutes.pdf\"\r\nContent-Type: application/pdf\r\n\r\nnot really a PDF\r\n",
    ] {
        assert!(body.contains(part), "{part:?} is not in {body}");
    }
}

#[test]
fn the_summary_is_written_and_the_report_downloaded() {
    let workspace = kitchen();
    workspace.write("summary.md", "# Minutes\n");
    let set = "call set-summary id=doc_1 text=@summary.md --sandbox --yes --output json -v";
    let set: Vec<&str> = set.split(' ').collect();
    let told = workspace.run(&set).expect(0);
    assert_eq!(told.json(), json!({ "id": "doc_1" }));
    assert!(told.stderr.contains("> # Minutes"), "{}", told.stderr);
    let get = "call get-report month=2026-11 --sandbox --out report.json --output json";
    let get: Vec<&str> = get.split(' ').collect();
    let told = workspace.run(&get).expect(0).json();
    let saved = std::fs::read_to_string(workspace.path().join("report.json")).expect("the file");
    assert_eq!(told["bytes"], saved.len());
    let saved: serde_json::Value = serde_json::from_str(&saved).expect("JSON");
    assert_eq!(
        saved,
        json!({ "month": "2026-11", "orders": 1207, "revenue": 88213 })
    );
}

/// An API key in the query is a credential, and no argument of the tool.
#[test]
fn a_sandbox_takes_a_key_in_the_query() {
    let workspace = kitchen();
    let told = workspace.run(&["call", "list-books", "limit=1", "--sandbox", "-v"]);
    let told = told.expect(0);
    assert!(
        told.stderr.contains("/books?limit=1&offset=0&key=***"),
        "{}",
        told.stderr
    );
}

#[test]
fn the_export_is_waited_for() {
    let told = kitchen().run(&[
        "call",
        "export-orders",
        "year=2026",
        "--sandbox",
        "--yes",
        "--output",
        "json",
        "-v",
    ]);
    let told = told.expect(0);
    assert_eq!(told.json()["rows"], 1207);
    let polls = told
        .stderr
        .lines()
        .filter(|line| line.starts_with("> GET "));
    assert_eq!(polls.count(), 2, "{}", told.stderr);
}
