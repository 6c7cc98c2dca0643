//! Documents of other formats than OpenAPI 3: Swagger 2.0, Google's discovery service, Postman and curl. The table of small
//! ones is `tests/fixtures/openapi/formats.yaml`.

use pretty_assertions::assert_eq;
use serde_json::Value;
use toolrun::openapi::{self, Options};

use crate::import_plans::{fault, imported};
use crate::support::Workspace;

const TABLE: &str = include_str!("../fixtures/openapi/formats.yaml");

fn faults(row: &Value, service: &str, workspace: &Workspace) -> Vec<String> {
    let options = Options {
        service: openapi::Name::new(service),
        ..Options::default()
    };
    let import = match imported(row["document"].clone(), &options, row["refused"].as_str()) {
        Ok(import) => import,
        Err(faults) => return faults,
    };
    let mut faults = Vec::new();
    let mut tools: Vec<&str> = import
        .report
        .tools
        .iter()
        .map(|tool| tool.tool.as_str())
        .collect();
    let mut expected: Vec<&str> = texts(&row["tools"]);
    tools.sort_unstable();
    expected.sort_unstable();
    if tools != expected {
        faults.push(format!("the tools are {tools:?}, not {expected:?}"));
    }
    let skipped: Vec<&str> = import
        .report
        .skipped
        .iter()
        .map(|skipped| skipped.reason.as_str())
        .collect();
    if skipped != texts(&row["skipped"]) {
        faults.push(format!("these are skipped: {skipped:?}"));
    }
    for expected in row["lost"].as_array().into_iter().flatten() {
        let is_told = import
            .report
            .lost
            .iter()
            .any(|loss| loss.message == expected[0] && loss.pointer == expected[1]);
        if !is_told {
            faults.push(format!(
                "the report lacks {expected}: {:?}",
                import.report.lost
            ));
        }
    }
    faults.extend(unknown_places(&import.report, &row["document"]));
    for file in &import.files {
        for absent in texts(&row["absent"]) {
            if file.text.contains(absent) {
                faults.push(format!("{} has `{absent}`", file.name));
            }
        }
        let tool = file.name.trim_end_matches(".yaml");
        if let Some(paging) = row["paging"].get(tool) {
            let written: Value = serde_yaml::from_str(&file.text).unwrap();
            if written["paging"] != *paging {
                faults.push(format!("the paging of {tool} is {}", written["paging"]));
            }
        }
        if let Some(expected) = row["examples"].get(tool) {
            let written: Value = serde_yaml::from_str(&file.text).unwrap();
            let all = written["examples"].as_array().cloned().unwrap_or_default();
            let shown: Vec<Value> = all
                .iter()
                .map(|one| {
                    let status = &one["response"]["status"];
                    serde_json::json!({ "args": one["args"], "url": one["request"]["url"], "status": status })
                })
                .collect();
            if expected
                .as_array()
                .unwrap()
                .iter()
                .any(|one| !shown.contains(one))
            {
                faults.push(format!("the examples of {tool} are {all:?}"));
            }
        }
        workspace.write(&format!("descriptors/{service}/{}", file.name), &file.text);
    }
    for call in row["calls"].as_array().into_iter().flatten() {
        let tool = format!("{service}/{}", call["tool"].as_str().unwrap());
        faults.extend(fault(call, &tool, workspace));
    }
    faults
}

fn texts(value: &Value) -> Vec<&str> {
    let list = value.as_array().into_iter().flatten();
    list.map(|text| text.as_str().unwrap()).collect()
}

/// The places of a report that are not in the document.
pub(crate) fn unknown_places(report: &openapi::Report, document: &Value) -> Vec<String> {
    let lost = report.lost.iter().map(|loss| &loss.pointer);
    let tools = report.tools.iter().map(|tool| &tool.pointer);
    let skipped = report.skipped.iter().map(|skipped| &skipped.pointer);
    lost.chain(tools)
        .chain(skipped)
        .filter(|pointer| document.pointer(pointer).is_none())
        .map(|pointer| format!("the document has no {pointer}"))
        .collect()
}

#[test]
fn documents_of_other_formats_make_the_same_requests() {
    let rows: Vec<Value> = serde_yaml::from_str(TABLE).unwrap();
    let workspace = Workspace::new();
    let mut wrong = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        for fault in faults(row, &format!("f{number}"), &workspace) {
            wrong.push(format!("{}: {fault}", row["about"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    workspace
        .run(&["validate", "--deny-warnings", "descriptors"])
        .expect(0);
    workspace.run(&["test", "descriptors"]).expect(0);
}

#[test]
fn the_command_for_a_format_takes_no_other() {
    let swagger = "{ swagger: '2.0', host: a.test, paths: { /a: { get: { responses: {} } } } }";
    let discovery = "{ kind: 'discovery#restDescription', name: d, rootUrl: 'https://d.test/', methods: { m: { id: d.m, path: m, httpMethod: GET } } }";
    let postman =
        "{ info: { _postman_id: p, name: p }, item: [{ name: a, request: 'https://p.test/a' }] }";
    let openapi =
        "{ openapi: 3.0.3, servers: [{ url: 'https://o.test' }], paths: { /a: { get: {} } } }";
    let curl = "curl https://c.test/a";
    for (format, text, message) in [
        ("openapi", openapi, ""),
        ("openapi", swagger, ""),
        ("discovery", discovery, ""),
        ("postman", postman, ""),
        ("curl", curl, ""),
        ("openapi", postman, "`toolrun import postman` reads it"),
        ("openapi", discovery, "`toolrun import discovery` reads it"),
        ("postman", swagger, "`toolrun import openapi` reads it"),
        (
            "discovery",
            openapi,
            "not a document of the format Google discovery",
        ),
        ("curl", openapi, "no curl command"),
        ("openapi", curl, "`toolrun import curl` reads it"),
    ] {
        let workspace = Workspace::new();
        workspace.write("document", text);
        let told = workspace.run(&[
            "import",
            format,
            "document",
            "--into",
            "descriptors/s",
            "--format",
            "json",
        ]);
        assert_eq!(
            told.code,
            if message.is_empty() { 0 } else { 2 },
            "{format} {text}: {}",
            told.stderr
        );
        assert!(
            told.stderr.contains(message),
            "{format} {text}: {}",
            told.stderr
        );
        if message.is_empty() {
            assert_eq!(told.json()["report"]["tools"].as_array().unwrap().len(), 1);
            // A second import finds the same operations again.
            let told = workspace.run(&[
                "import",
                format,
                "document",
                "--into",
                "descriptors/s",
                "--update",
                "--format",
                "json",
            ]);
            let told = told.expect(0).json();
            let states: Vec<&Value> = told["files"]
                .as_array()
                .unwrap()
                .iter()
                .map(|file| &file["state"])
                .collect();
            assert_eq!(states, ["unchanged", "unchanged"], "{format}");
        }
    }
}
