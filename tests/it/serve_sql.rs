//! `serve --sql`: one question in place of many calls, behind the same gate and in the same log.

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use super::serve::{ONLY_PROBE, probe};
use crate::support::{Fake, Mcp, Reply, Workspace};

fn things() -> Fake {
    Fake::start(|request| match request.path.as_str() {
        "/things" if request.query.contains("after=b") => Reply::json(
            200,
            &json!({ "data": [{ "id": "c", "name": "z" }], "more": false }),
        ),
        "/things" => Reply::json(
            200,
            &json!({ "data": [{ "id": "a", "name": "x" }, { "id": "b", "name": "y\u{202e}" }], "last": "b", "more": true }),
        ),
        "/things/gone" => Reply::json(404, &json!({ "message": "it is gone" })),
        path => Reply::json(
            200,
            &json!({ "id": path.rsplit('/').next(), "name": "one" }),
        ),
    })
}

fn serve(workspace: &Workspace, flags: &[&str]) -> Mcp {
    workspace.serve(&[&ONLY_PROBE[..], &["--sql"], flags].concat())
}

#[test]
fn the_tool_is_there_where_it_is_asked_for_and_small() {
    let workspace = probe(&things());
    let names = |tools: Vec<Value>| -> Vec<String> {
        tools
            .iter()
            .filter_map(|tool| tool["name"].as_str().map(str::to_owned))
            .collect()
    };
    let without = names(workspace.serve(&ONLY_PROBE).tools());
    assert!(!without.contains(&"query_tools".to_owned()), "{without:?}");
    let tools = serve(&workspace, &[]).tools();
    let own = tools.last().expect("a tool").clone();
    assert_eq!(own["name"], "query_tools");
    assert_eq!(own["annotations"]["readOnlyHint"], true);
    assert!(
        own.to_string().len() <= 1_100,
        "{} bytes",
        own.to_string().len()
    );
    // Beside the search for all built-in tools, too: within the thousand tokens.
    let mut all = Workspace::new().serve(&["--sql"]);
    let instructions =
        all.request("server/discover", json!({}))["result"]["instructions"].to_string();
    let tools = all.tools();
    assert_eq!(tools.len(), 5);
    let bytes = json!(tools).to_string().len() + instructions.len();
    assert!(bytes as f64 / 3.6 <= 1_250.0, "{bytes} bytes");
}

#[test]
fn a_question_is_answered() {
    let fake = things();
    let workspace = probe(&fake);
    let mut mcp = serve(&workspace, &[]);
    let rows = mcp.ok("query_tools", json!({ "query": "select l.id, t.name from list_things l join get_thing t on t.id = l.id" }));
    assert_eq!(
        rows,
        json!({ "rows": [{ "id": "a", "name": "one" }, { "id": "b", "name": "one" }, { "id": "c", "name": "one" }] })
    );
    assert_eq!(fake.requests().len(), 5);
    // By the name that models know, too.
    let table = mcp.ok(
        "query_tools",
        json!({ "query": "select id, name from probe_list_things", "format": "table" }),
    );
    assert_eq!(
        table,
        json!({ "table": "id|name\na|x\nb|y\\u202e\nc|z", "note": "Hidden characters are shown as \\uXXXX." })
    );
    let none = mcp.ok(
        "query_tools",
        json!({ "query": "select id from list_things where id = 'q'" }),
    );
    assert_eq!(
        none,
        json!({ "rows": [], "note": "No row fits the query." })
    );
    let planned = mcp.ok(
        "query_tools",
        json!({ "query": "explain select id from list_things limit 1" }),
    );
    assert_eq!(planned["rows"][0]["request"], "GET /things?limit=1");
    let built_in = Workspace::new().serve(&["--sql", "--sandbox"]).ok(
        "query_tools",
        json!({ "query": "select role, count(*) n from list_members group by role order by n desc limit 1" }),
    );
    assert_eq!(built_in["rows"], json!([{ "role": "developer", "n": 71 }]));
}

#[test]
fn a_result_has_whole_rows_within_its_budget() {
    let fake = things();
    let workspace = probe(&fake);
    let mut mcp = serve(&workspace, &["--max-result-bytes", "2000"]);
    let endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select i, hex(zeroblob(40)) text from n";
    for format in ["json", "table"] {
        let cut = mcp.ok("query_tools", json!({ "query": endless, "format": format }));
        let note = cut["note"].as_str().expect("a note");
        assert!(
            note.starts_with("These are the first ") && note.contains("more do not fit"),
            "{note}"
        );
        let bytes = cut.to_string().len();
        assert!((1_000..=2_000).contains(&bytes), "{bytes} bytes");
    }
    let large = mcp.ok(
        "query_tools",
        json!({ "query": "select hex(zeroblob(4000)) a" }),
    );
    assert_eq!(
        large,
        json!({ "rows": [], "note": "The first row alone has 8008 bytes, more than a result may have; select fewer columns." })
    );
}

#[test]
fn errors_say_what_to_do() {
    let fake = things();
    let workspace = probe(&fake);
    let mut mcp = serve(&workspace, &[]);
    for (arguments, kind, told) in [
        (json!({}), "usage", "query"),
        (json!({ "query": 5 }), "usage", "query"),
        (json!({ "query": "select 1", "limit": 5 }), "usage", "limit"),
        (
            json!({ "query": "select 1", "format": "csv" }),
            "usage",
            "format",
        ),
        (
            json!({ "query": "drop table a" }),
            "usage",
            "`drop` is not allowed",
        ),
        (
            json!({ "query": "select * from list_thing" }),
            "usage",
            "did you mean",
        ),
        (
            json!({ "query": "select * from get_thing" }),
            "usage",
            "get_thing: id is needed",
        ),
        (
            json!({ "query": "select * from delete_thing" }),
            "policy",
            "`delete_thing` is no table: it is a destructive tool",
        ),
        (
            json!({ "query": "select * from get_thing where id = 'gone'" }),
            "refused",
            "it is gone",
        ),
    ] {
        let error = mcp.refused("query_tools", arguments.clone());
        assert_eq!(error["kind"], kind, "{arguments}: {error}");
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|message| message.contains(told)),
            "{arguments}: {error}"
        );
        assert!(error["advice"].is_string(), "{error}");
    }
    let error = mcp.refused(
        "query_tools",
        json!({ "query": "select id from get_thing where id = 'gone'" }),
    );
    assert_eq!(
        (&error["table"], &error["arguments"]),
        (&json!("get_thing"), &json!("{\"id\":\"gone\"}"))
    );
}

const POLICY: &str = r#"policy: 1
rules:
  - { tools: probe/list-things, when: "{{ args.limit > 50 }}", do: deny, why: At most 50 things at once. }
  - { tools: probe/get-thing, when: "{{ args.id == 'secret' }}", do: ask, why: Somebody must look. }
  - { tools: "probe/delete-*", do: allow }
"#;

#[test]
fn each_call_passes_the_gate_and_leaves_a_line() {
    let fake = things();
    let workspace = probe(&fake);
    workspace.write("policy.yaml", POLICY);
    let mut mcp = serve(
        &workspace,
        &["--policy", "policy.yaml", "--audit", "audit.log"],
    );
    let mut seen = 0;
    let mut lines = 0;
    for (query, error, sent, wanted) in [
        (
            "select id from list_things",
            Some("list_things may not be read so: At most 50 things at once."),
            0,
            vec![
                ("probe/list-things", "deny", "refused", 0),
                ("query_tools", "invalid", "failed", 0),
            ],
        ),
        (
            "select id from list_things where \"limit\" = 2",
            None,
            2,
            vec![
                ("probe/list-things", "allow", "done", 2),
                ("query_tools", "allow", "done", 0),
            ],
        ),
        (
            "select name from get_thing where id in ('a', 'b')",
            None,
            2,
            vec![
                ("probe/get-thing", "allow", "done", 1),
                ("probe/get-thing", "allow", "done", 1),
                ("query_tools", "allow", "done", 0),
            ],
        ),
        (
            "select name from get_thing where id = 'secret'",
            Some("a person has to approve it"),
            0,
            vec![
                ("probe/get-thing", "ask", "refused", 0),
                ("query_tools", "invalid", "failed", 0),
            ],
        ),
        (
            "select name from get_thing where id = 'gone'",
            Some("it is gone"),
            1,
            vec![
                ("probe/get-thing", "allow", "failed", 1),
                ("query_tools", "invalid", "failed", 0),
            ],
        ),
        (
            "select * from delete_thing",
            Some("it is a destructive tool"),
            0,
            vec![("query_tools", "invalid", "failed", 0)],
        ),
    ] {
        match error {
            None => drop(mcp.ok("query_tools", json!({ "query": query }))),
            Some(told) => {
                let error = mcp.refused("query_tools", json!({ "query": query }));
                assert!(
                    error["message"]
                        .as_str()
                        .is_some_and(|message| message.contains(told)),
                    "{query}: {error}"
                );
            }
        }
        assert_eq!(fake.requests().len() - seen, sent, "{query}");
        seen += sent;
        let text = std::fs::read_to_string(workspace.path().join("audit.log")).expect("a log");
        let log: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        let log: Vec<&Value> = log.iter().filter(|line| line["event"] == "call").collect();
        let own = log[lines..].iter().map(|line| {
            let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
            (
                text("tool"),
                text("decision"),
                text("outcome"),
                line["requests"].as_u64().unwrap_or(0),
            )
        });
        let own: Vec<_> = own.collect();
        lines = log.len();
        let wanted: Vec<_> = wanted
            .into_iter()
            .map(|(tool, decision, outcome, requests)| {
                (
                    tool.to_owned(),
                    decision.to_owned(),
                    outcome.to_owned(),
                    requests,
                )
            })
            .collect();
        assert_eq!(own, wanted, "{query}");
        // Values of arguments are not in the log.
        assert!(!text.contains("secret") && !text.contains("gone"), "{text}");
    }
}
