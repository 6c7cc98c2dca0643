//! `toolrun sql`: queries whose tables are tools. What a query means is tested beside its code, against plain tables of SQLite.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use crate::support::{Fake, Manner, Output, Reply, Request, Workspace, assert_tells, output, peak};

/// A service with 230 people, on pages.
fn people() -> Fake {
    Fake::start(|request| match request.path.as_str() {
        "/people" => page(request),
        "/hang" => Reply::manner(Manner::Hang),
        "/odd" => Reply::json(200, &json!({ "people": 5 })),
        "/busy" => Reply::json(503, &json!({ "message": "busy" })),
        _ => Reply::json(404, &json!({ "message": "nobody" })),
    })
}

fn page(request: &Request) -> Reply {
    let of = |name: &str| {
        let pairs = request
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        pairs
            .filter(|(own, _)| *own == name)
            .map(|(_, value)| value.to_owned())
            .next()
    };
    let number = |name: &str| of(name).and_then(|value| value.parse::<usize>().ok());
    let all = (0..230).map(
        |n| json!({ "id": n, "name": format!("n{:03}", n % 100), "team": if n % 2 == 0 { "red" } else { "blue" } }),
    );
    let rows: Vec<Value> = all
        .filter(|row| of("team").is_none_or(|team| row["team"] == team.as_str()))
        .collect();
    let (start, size) = (number("after").unwrap_or(0), number("limit").unwrap_or(20));
    let end = (start + size).min(rows.len());
    let next = (end < rows.len()).then_some(end);
    Reply::json(
        200,
        &json!({ "data": rows[start.min(end)..end], "next": next }),
    )
}

fn workspace(fake: &Fake) -> Workspace {
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), "retry: { max_attempts: 1 }");
    let list = |path: &str| {
        format!(
            "params:\n  properties:\n    team: {{ type: string }}\n    limit: {{ type: integer, minimum: 1, maximum: 100, default: 20 }}\n    after: {{ type: integer }}\nrequest: {{ method: GET, path: {path}, query: [team, limit, after] }}\npaging: {{ items: $.data, next: {{ after: $.next }}, limit: limit }}\nresponse:\n  output: {{ people: {{ each: '$.data[*]', as: {{ id: $.id, name: $.name, team: $.team }} }} }}\n  rows: people"
        )
    };
    workspace.tool("list-people", "read", &list("/people"));
    for (name, path) in [
        ("list-hang", "/hang"),
        ("list-odd", "/odd"),
        ("list-busy", "/busy"),
        ("list-lost", "/lost"),
    ] {
        workspace.tool(name, "read", &format!("request: {{ method: GET, path: {path} }}\nresponse: {{ output: {{ people: $.people }}, rows: people }}"));
    }
    workspace.tool(
        "add-person",
        "write",
        "request: { method: POST, path: /people }",
    );
    workspace
}

fn sql(workspace: &Workspace, words: &[&str]) -> Output {
    output(workspace.toolrun().arg("sql").args(words))
}

#[test]
fn rows_come_in_every_format() {
    let fake = people();
    let workspace = workspace(&fake);
    let query = "select id, name, null as gone from list_people limit 2";
    for (format, printed) in [
        (
            "json",
            "[{\"id\":0,\"name\":\"n000\",\"gone\":null},{\"id\":1,\"name\":\"n001\",\"gone\":null}]\n",
        ),
        (
            "ndjson",
            "{\"id\":0,\"name\":\"n000\",\"gone\":null}\n{\"id\":1,\"name\":\"n001\",\"gone\":null}\n",
        ),
        ("csv", "id,name,gone\n0,n000,\n1,n001,\n"),
        ("table", "id\tname\tgone\n0\tn000\t\n1\tn001\t\n"),
        (
            "yaml",
            "- id: 0\n  name: n000\n  gone: null\n- id: 1\n  name: n001\n  gone: null\n",
        ),
    ] {
        let told = sql(&workspace, &[query, "-o", format]).expect(0);
        assert_eq!(told.stdout, printed, "{format}");
        assert_eq!(told.stderr, "", "{format}");
    }
    // No row is no reason to print nothing, where the columns are known.
    let none = "select id, name from list_people where name = 'nobody'";
    for (format, printed) in [
        ("json", "[]\n"),
        ("ndjson", ""),
        ("csv", "id,name\n"),
        ("yaml", "[]\n"),
    ] {
        assert_eq!(
            sql(&workspace, &[none, "-o", format]).expect(0).stdout,
            printed,
            "{format}"
        );
    }
    sql(&workspace, &[query, "-o", "svg"]).expect(2);
    let chart = "select id as day, count(*) as people from list_people group by id limit 9";
    let drawn = sql(&workspace, &[chart, "-o", "svg"]);
    assert!(
        drawn.code == 0 || drawn.stdout.starts_with('['),
        "{drawn:?}"
    );
    let raw = sql(&workspace, &[query, "-o", "raw"]).expect(2);
    assert_tells(&raw, &["a query has no answer of a service to print raw"]);
}

#[test]
fn rows_are_shaped_as_those_of_a_call() {
    let fake = people();
    let workspace = workspace(&fake);
    let query = "select id, name from list_people limit 3";
    for (words, printed) in [
        (&["-o", "json", "--jq", ".[1].name"][..], "n001\n"),
        (&["-o", "ndjson", "--jq", ".id"], "0\n1\n2\n"),
        (
            &["-o", "csv", "--columns", "name", "--no-header"],
            "n000\nn001\nn002\n",
        ),
        (
            &["-o", "json", "--select", "id", "--sort", "-id"],
            "[{\"id\":2},{\"id\":1},{\"id\":0}]\n",
        ),
    ] {
        let words: Vec<&str> = [&[query], words].concat();
        assert_eq!(
            sql(&workspace, &words).expect(0).stdout,
            printed,
            "{words:?}"
        );
    }
    let wrong = sql(&workspace, &[query, "-o", "csv", "--columns", "nmae"]).expect(2);
    assert_tells(&wrong, &["no field of the rows is called `nmae`"]);
    let wrong = sql(&workspace, &[query, "-o", "json", "--columns", "name"]).expect(2);
    assert_tells(&wrong, &["--columns is for table and csv"]);
}

#[test]
#[cfg(unix)]
fn a_terminal_gets_a_table() {
    use crate::support::on_terminal;

    let fake = people();
    let workspace = workspace(&fake);
    let query = "select id, name from list_people limit 2";
    let (code, printed) = on_terminal(workspace.toolrun().args(["sql", query, "--no-pager"]));
    let printed = String::from_utf8_lossy(&printed);
    assert_eq!(code, 0, "{printed}");
    assert!(
        printed.contains("n001") && !printed.contains('{'),
        "{printed}"
    );
}

#[test]
fn a_query_comes_from_a_file_or_standard_input() {
    let fake = people();
    let workspace = workspace(&fake);
    workspace.write(
        "q.sql",
        "-- how many\nselect count(*) n from list_people;\n",
    );
    assert_eq!(
        sql(&workspace, &["@q.sql"]).expect(0).json(),
        json!([{ "n": 230 }])
    );
    let file = std::fs::File::open(workspace.path().join("q.sql")).expect("the file");
    let told = output(workspace.toolrun().args(["sql", "-"]).stdin(file)).expect(0);
    assert_eq!(told.json(), json!([{ "n": 230 }]));
    let told = sql(&workspace, &["@none.sql"]).expect(2);
    assert_tells(&told, &["cannot read the query from none.sql"]);
}

#[test]
fn the_server_counts_few_requests() {
    let fake = people();
    let workspace = workspace(&fake);
    let mut before = 0;
    for (query, requests) in [
        ("select * from list_people limit 5", 1),
        ("select * from list_people where team = 'red' limit 5", 1),
        ("select team, count(*) from list_people group by team", 3),
        ("select count(*) from list_people where team = 'red'", 2),
        (
            "select count(*) from list_people a join list_people b on a.id = b.id",
            3,
        ),
        ("explain select * from list_people", 0),
        ("select 1", 0),
    ] {
        let told = sql(&workspace, &[query, "-v"]).expect(0);
        let made = fake.requests().len() - before;
        before += made;
        assert_eq!(made, requests, "{query}\n{}", told.stderr);
        if requests > 0 {
            let say = match requests {
                1 => "* list_people made 1 request\n".to_owned(),
                _ => format!("* list_people made {requests} requests\n"),
            };
            assert!(told.stderr.contains(&say), "{}", told.stderr);
        }
    }
}

/// What a query costs against the sandbox of the built-in tools, which does as the service does.
#[test]
fn the_examples_of_the_issue_cost_what_it_says() {
    let workspace = Workspace::new();
    for (query, requests) in [
        ("select * from list_members limit 5", 1),
        (
            "select * from list_members where email = 'member7@example.com'",
            1,
        ),
        ("select role, count(*) from list_members group by role", 1),
        (
            "select w.name, m.user_id from list_workspaces w join list_workspace_members m on m.workspace_id = w.id limit 20",
            5,
        ),
        (
            "select * from get_usage where param_starting_at = '2026-11-01T00:00:00Z'",
            1,
        ),
    ] {
        let told = sql(&workspace, &[query, "--sandbox", "-v", "-o", "ndjson"]).expect(0);
        let sent = told
            .stderr
            .lines()
            .filter(|line| line.starts_with("> GET "))
            .count();
        assert!(sent <= requests && sent > 0, "{query}: {sent} requests");
        assert!(!told.stdout.is_empty(), "{query}");
    }
}

#[test]
#[ignore = "long"]
fn failures_have_the_exit_codes_of_a_call() {
    let fake = people();
    let workspace = workspace(&fake);
    for (words, code, told) in [
        (&["selekt 1"][..], 2, "`selekt` is not allowed"),
        (
            &["select * from list_peple"],
            2,
            "did you mean `list_people`?",
        ),
        (
            &["select * from nothing_like_it"],
            2,
            "; `toolrun sql --tables` lists the tables",
        ),
        (
            &["select * from add_person"],
            5,
            "`add_person` is no table: it is a write tool",
        ),
        (
            &["select * from list_lost"],
            6,
            "the service answered 404 (not_found): nobody",
        ),
        (&["select * from list_busy"], 7, "the service answered 503"),
        (
            &["select * from list_hang", "--timeout", "300ms"],
            8,
            "no answer within 300 ms",
        ),
        (
            &["select * from list_hang", "--deadline", "300ms"],
            8,
            "hint: `--deadline` sets another limit",
        ),
        (
            &["select * from list_odd"],
            9,
            "`people` should be a list of rows, but is a number",
        ),
        (
            &["select * from list_people", "--max-requests", "2"],
            5,
            "and --max-requests allows more",
        ),
        (
            &[
                "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n",
                "--deadline",
                "300ms",
            ],
            8,
            "300 ms",
        ),
        (
            &["select id from list_members"],
            4,
            "ANTHROPIC_ADMIN_API_KEY is not set",
        ),
    ] {
        let failed = sql(&workspace, words).expect(code);
        assert_tells(&failed, &[told]);
        // In JSON an error is one object.
        let words: Vec<&str> = [words, &["-o", "json"]].concat();
        let failed = sql(&workspace, &words).expect(code);
        assert!(failed.error()["kind"].is_string(), "{}", failed.stderr);
    }
    // The call is named, and the rows before the error are there.
    let failed = sql(
        &workspace,
        &[
            "select id from list_people",
            "--max-requests",
            "2",
            "-o",
            "ndjson",
        ],
    )
    .expect(5);
    assert_eq!(failed.lines().len(), 200);
    let notes = failed.error()["notes"].clone();
    assert_eq!(
        notes,
        json!(["the result is incomplete: 200 rows were given before the error"])
    );
    let failed = sql(&workspace, &["select * from list_busy"]).expect(7);
    assert_tells(&failed, &["note: this was list_busy, called with {}"]);
}

/// Two services with tools of one name.
#[test]
fn a_name_of_several_services_is_refused_with_their_names() {
    let fake = people();
    let workspace = workspace(&fake);
    let service = format!("spec: 1\nservice: other\nbase_url: {}\n", fake.origin());
    workspace.write("descriptors/other/service.yaml", service);
    let text = std::fs::read_to_string(workspace.path().join("descriptors/probe/list-people.yaml"))
        .expect("a tool");
    workspace.write(
        "descriptors/other/list-people.yaml",
        text.replace("service: probe", "service: other"),
    );
    let told = sql(&workspace, &["select * from list_people limit 1"]).expect(2);
    assert_tells(
        &told,
        &[
            "`list_people` is a table of several services: write \"other/list-people\" or \"probe/list-people\"",
        ],
    );
    let told = sql(
        &workspace,
        &["select id from \"other/list-people\" limit 1"],
    )
    .expect(0);
    assert_eq!(told.json(), json!([{ "id": 0 }]));
    let told = sql(&workspace, &["select id from other.list_people limit 1"]).expect(2);
    assert_tells(
        &told,
        &["`other.list_people` names a schema: write \"other/list-people\""],
    );
    let tables = sql(&workspace, &["--tables", "list_people", "-o", "ndjson"])
        .expect(0)
        .lines();
    let names: Vec<&str> = tables
        .iter()
        .filter_map(|table| table["table"].as_str())
        .collect();
    assert_eq!(names, ["\"other/list-people\"", "\"probe/list-people\""]);
}

#[test]
#[ignore = "long"]
fn the_tables_are_listed() {
    let fake = people();
    let workspace = workspace(&fake);
    let tables = sql(&workspace, &["--tables", "-o", "json"])
        .expect(0)
        .json();
    let tables = tables.as_array().expect("a list");
    assert!(tables.len() > 60, "{} tables", tables.len());
    let own = sql(&workspace, &["--tables", "list-people", "-o", "json"])
        .expect(0)
        .json();
    assert_eq!(
        own,
        json!([{ "table": "list_people", "columns": "id, name, team", "params": "param_team, limit, after", "needs": "", "description": "A probe." }])
    );
    let none = sql(&workspace, &["--tables", "nothing-like-it"]).expect(0);
    assert_tells(&none, &["no table has such a name"]);
    assert_eq!(fake.requests().len(), 0);
}

#[test]
fn settings_and_trust_count_as_for_a_call() {
    let fake = people();
    let workspace = workspace(&fake);
    let told = sql(
        &workspace,
        &["select count(*) from list_people", "--set", "colour=red"],
    )
    .expect(0);
    assert_tells(
        &told,
        &["no service that the query called has a setting `colour`"],
    );
    let local = Workspace::new();
    let service = format!("spec: 1\nservice: near\nbase_url: {}\n", fake.origin());
    local.write("tools/near/service.yaml", service);
    local.write(
        "tools/near/list-near.yaml",
        "spec: 1\ntool: list-near\nservice: near\ndescription: Near.\naccess: read\nrequest: { method: GET, path: /people }\nresponse: { output: { people: { each: '$.data[*]', as: { id: $.id } } }, rows: people }\n",
    );
    let seen = fake.requests().len();
    let told = sql(&local, &["select * from list_near"]).expect(5);
    assert_tells(&told, &["toolrun trust"]);
    assert_eq!(fake.requests().len(), seen);
    let told = sql(
        &local,
        &["select count(*) n from list_near", "--trust", "tools"],
    )
    .expect(0);
    assert_eq!(told.json(), json!([{ "n": 20 }]));
}

/// Queries that ask for the impossible: each ends soon, with its reason.
#[test]
#[ignore = "long"]
fn hostile_queries_end() {
    let fake = people();
    let workspace = workspace(&fake);
    let joins: Vec<String> = (0..1_000).map(|n| format!("list_people t{n}")).collect();
    let more_joins: Vec<String> = (0..100).map(|n| format!("list_people t{n}")).collect();
    let some_joins: Vec<String> = (0..40).map(|n| format!("list_people t{n}")).collect();
    let deep = format!("select {}1{}", "(".repeat(5_000), ")".repeat(5_000));
    let long = format!("select '{}'", "a".repeat(300_000));
    let wide = format!("select {}", vec!["hex(zeroblob(4000000))"; 900].join(", "));
    let unions = vec!["select 1"; 600].join(" union all ");
    let mut wrong = Vec::new();
    for (query, reasons) in [
        ("with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n".to_owned(), &["no answer within 1.0 s"][..]),
        ("with recursive n(i) as (select 1 union select i + 1 from n) select max(i) from n".to_owned(), &["no answer within 1.0 s", "memory"]),
        ("with recursive n(i) as (select hex(zeroblob(1000000)) union all select i || 'a' from n) select * from n order by 1".to_owned(), &["memory", "no answer within 1.0 s"]),
        ("select zeroblob(2000000000)".to_owned(), &["larger than 10 MiB"]),
        ("select randomblob(2000000000)".to_owned(), &["larger than 10 MiB"]),
        ("select printf('%999999999s', 'a')".to_owned(), &["larger than 10 MiB", "memory"]),
        ("select replace(hex(zeroblob(4000000)), '0', hex(zeroblob(4000000)))".to_owned(), &["larger than 10 MiB"]),
        ("select group_concat(a.name || b.name || c.name) from list_people a, list_people b, list_people c".to_owned(), &["larger than 10 MiB", "no answer within 1.0 s"]),
        ("select count(*) from list_people a, list_people b, list_people c, list_people d".to_owned(), &["no answer within 1.0 s"]),
        (format!("select count(*) from {}", joins.join(", ")), &["too many FROM clause terms"]),
        (format!("select count(*) from {}", more_joins.join(", ")), &["at most 64 tables"]),
        (format!("select count(*) from {}", some_joins.join(", ")), &["no answer within 1.0 s", "too many ways"]),
        (deep, &["Recursion limit", "stack overflow", "too deep"]),
        (long, &["the query is longer than 256 KiB"]),
        (wide, &["memory"]),
        (unions, &["too many terms"]),
        ("select 'a' like ('%' || hex(zeroblob(5000)))".to_owned(), &["LIKE or GLOB pattern too complex"]),
        ("select * from dbstat".to_owned(), &["is no table of a tool"]),
        ("select * from sqlite_schema".to_owned(), &["is no table of a tool"]),
        ("select * from pragma_function_list".to_owned(), &["is no table of a tool", "is not allowed"]),
        ("select load_extension('/tmp/a.so')".to_owned(), &["not allowed"]),
        ("select readfile('/etc/passwd')".to_owned(), &["no such function"]),
        ("select fts3_tokenizer('simple')".to_owned(), &["not allowed", "no such function"]),
        ("with a as (select 1) insert into list_people select * from a".to_owned(), &["not allowed", "may not be modified"]),
        ("with a as (select 1) delete from list_people".to_owned(), &["not allowed", "may not be modified"]),
    ] {
        workspace.write("q.sql", &query);
        let started = Instant::now();
        let told = sql(&workspace, &["@q.sql", "--deadline", "1s"]);
        let shown: String = query.chars().take(80).collect();
        if !matches!(told.code, 2 | 5 | 8) || !reasons.iter().any(|reason| told.stderr.contains(reason)) {
            wrong.push(format!("{shown}: {} {}", told.code, told.stderr));
        }
        if started.elapsed() > Duration::from_secs(30) {
            wrong.push(format!("{shown} took {:?}", started.elapsed()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A table at a terminal and JSON in a pipe need all rows at once.
#[test]
#[ignore = "long"]
#[cfg(target_os = "linux")]
fn memory_is_bounded() {
    let fake = people();
    let workspace = workspace(&fake);
    let endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select hex(zeroblob(50000)) x, i from n";
    let sorted = format!("select * from ({endless}) order by 2 desc");
    for (query, told) in [
        (endless, "the rows have more than 256 MiB"),
        (&sorted, "more than 256 MiB of memory"),
    ] {
        let run = peak::run(workspace.toolrun().args(["sql", query, "-o", "json"]));
        assert_eq!(run.code, 5, "{}", run.stderr);
        assert!(run.stderr.contains(told), "{}", run.stderr);
        assert!(run.peak < 900 << 20, "{} MiB", run.peak >> 20);
    }
    // What is printed as it comes takes no memory.
    let many = format!("{endless} limit 3000");
    let run = peak::run(workspace.toolrun().args(["sql", &many, "-o", "ndjson"]));
    assert_eq!(
        (run.code, run.printed > 280 << 20),
        (0, true),
        "{}",
        run.stderr
    );
    assert!(run.peak < 150 << 20, "{} MiB", run.peak >> 20);
}

#[test]
#[cfg(unix)]
fn a_signal_ends_a_query() {
    let fake = people();
    let workspace = workspace(&fake);
    let endless =
        "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n";
    for query in [endless, "select * from list_hang"] {
        let mut child = workspace
            .toolrun()
            .args(["sql", query])
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the program starts");
        std::thread::sleep(Duration::from_millis(700));
        let started = Instant::now();
        output(Command::new("kill").args(["-INT", &child.id().to_string()])).expect(0);
        let mut line = String::new();
        let stderr = child.stderr.take().expect("standard error");
        let _ = BufReader::new(stderr).read_line(&mut line);
        let status = child.wait().expect("it ends");
        assert_eq!(status.code(), Some(130), "{query}: {line}");
        assert!(started.elapsed() < Duration::from_secs(5), "{query}");
        assert!(line.contains("interrupted; no row was given"), "{line}");
    }
}

#[test]
fn who_reads_no_more_ends_the_query() {
    let fake = people();
    let workspace = workspace(&fake);
    let endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select i from n";
    let script = format!(
        "{} --tools descriptors sql '{endless}' -o ndjson | head -n 2",
        env!("CARGO_BIN_EXE_toolrun")
    );
    let told = output(
        Command::new("sh")
            .args(["-c", &script])
            .current_dir(workspace.path()),
    )
    .expect(0);
    assert_eq!(told.stdout, "{\"i\":1}\n{\"i\":2}\n");
}
