//! How a person finds a tool and follows a call: search, help, reference, man pages, progress, and the question before
//! a write.

use std::fs;
use std::thread;
use std::time::Duration;

use pretty_assertions::assert_eq;
use serde_json::json;

use crate::support::{
    Fake, Reply, Typing, Workspace, assert_tells, may_run, on_terminal_of, output, standing,
};

/// The names of the tools that a search finds, in order.
fn found(workspace: &Workspace, words: &[&str]) -> Vec<String> {
    let words = [&["list", "--json"], words].concat();
    let tools = workspace.run(&words).expect(0).json();
    let tools = tools.as_array().expect("an array");
    tools
        .iter()
        .map(|tool| tool["name"].as_str().expect("a name").to_owned())
        .collect()
}

fn library() -> Workspace {
    let workspace = Workspace::new();
    workspace.service("https://api.probe.test", "title: A library");
    let get = "request: { method: GET, path: /x }";
    workspace.tool("zebra", "read", &format!("title: Quagga herd\n{get}"));
    workspace.tool("list-quagga", "read", get);
    workspace.tool("quaggas-of-day", "write", get);
    workspace.tool("quagga", "destructive", get);
    workspace
}

#[test]
#[ignore = "long"]
fn a_search_finds_all_words_and_puts_names_first() {
    let workspace = library();
    for (words, expected) in [
        (
            vec!["quagga"],
            vec!["quagga", "list-quagga", "quaggas-of-day", "zebra"],
        ),
        (
            vec!["QUAGGA"],
            vec!["quagga", "list-quagga", "quaggas-of-day", "zebra"],
        ),
        (vec!["quagga", "herd"], vec!["zebra"]),
        (vec!["herd quagga"], vec!["zebra"]),
        (
            vec!["quagga", "--access", "read"],
            vec!["list-quagga", "zebra"],
        ),
        (vec!["quagga", "--access", "write"], vec!["quaggas-of-day"]),
        (
            vec!["--service", "probe", "--access", "destructive"],
            vec!["quagga"],
        ),
        (vec!["quagga", "--service", "anthropic-admin"], vec![]),
        (
            vec!["rate", "limits", "workspace"],
            vec!["list-workspace-rate-limits", "set-workspace-rate-limit"],
        ),
    ] {
        assert_eq!(found(&workspace, &words), expected, "{words:?}");
    }
}

#[test]
#[ignore = "long"]
fn what_is_not_found_is_told_and_is_no_error() {
    let workspace = library();
    for (words, told) in [
        (
            vec!["qagga"],
            "no tool has the word `qagga`; did you mean `quagga`?",
        ),
        (
            vec!["xyzzy"],
            "no tool has the word `xyzzy`; `toolrun list` shows all",
        ),
        (
            vec!["herd", "invite"],
            "no tool has all the words; search for fewer of them",
        ),
        (
            vec!["herd", "--access", "write"],
            "no tool is what was asked for",
        ),
    ] {
        let plain = workspace.run(&[&["list"], &words[..]].concat()).expect(0);
        assert_eq!(
            plain.stdout, "tool\tservice\taccess\tmethod\tdescription\n",
            "{words:?}"
        );
        assert_tells(&plain, &["note: nothing found: ", told]);
        let json = workspace
            .run(&[&["list", "--json"], &words[..]].concat())
            .expect(0);
        assert_eq!(json.json(), json!([]));
        assert_tells(&json, &[told]);
    }
    let evil = workspace.run(&["list", "x\nerror: forged"]).expect(0);
    assert!(!evil.stderr.contains("\nerror:"), "{}", evil.stderr);
    let unknown = workspace.run(&["list", "--service", "prob"]).expect(2);
    assert_tells(
        &unknown,
        &["there is no service `prob`; did you mean `probe`?"],
    );
    workspace.run(&["list", "--access", "all"]).expect(2);
}

const THING: &str = r#"
params:
  required: [id]
  properties:
    id: { type: string, description: Which one. }
    colour: { type: string, enum: [green, dark blue], default: green }
    tags: { type: array, items: { type: string } }
    many: { type: array, items: { type: integer } }
    filter: { type: object }
request:
  method: POST
  path: /things/{{ id }}
  query: [colour, tags, many]
  body: { json: "{{ filter }}" }
"#;

const EXAMPLE: &str = r#"
examples:
  - name: one
    args: { id: a b, tags: [x, y], many: [1, 2], filter: { a: 1 } }
    request: { method: POST, url: "https://api.probe.test/things/a%20b?colour=green&tags=x&tags=y&many=1&many=2", body: { a: 1 } }
"#;

#[test]
fn the_help_of_a_tool_tells_what_it_takes() {
    let workspace = library();
    workspace.tool("make-thing", "write", THING);
    workspace.tool("end-thing", "destructive", &format!("{THING}{EXAMPLE}"));
    for words in [
        vec!["call", "make-thing", "--help"],
        vec!["call", "--help", "make-thing"],
        vec!["call", "make-thing", "-h"],
        vec!["call", "probe/make-thing", "id=1", "--all", "--help"],
    ] {
        let help = workspace.run(&words).expect(0).stdout;
        let help = help.replace("it\nneeds --yes", "it needs --yes");
        for part in [
            "A probe.",
            "This tool may change data. On a terminal it asks before it does; elsewhere it needs --yes.",
            "[PARAM=VALUE]... [OPTIONS]",
            "id (required)",
            "Which one.",
            "green | dark blue, default green",
            "array of integer",
            "make-thing id=ID\n",
            "--max-items <N>",
            "Follow the pages to the last one",
        ] {
            assert!(help.contains(part), "{words:?}: {part:?} is not in {help}");
        }
    }
    let help = workspace
        .run(&["call", "end-thing", "--help"])
        .expect(0)
        .stdout;
    assert!(
        help.contains("This tool may destroy data for good."),
        "{help}"
    );
    let example =
        "toolrun call end-thing 'id=a b' tags=x tags=y many=1 many=2 'filter={\"a\":1}'\n";
    assert!(help.contains(example), "{help}");
    let general = workspace.run(&["call", "--help"]).expect(0).stdout;
    assert!(general.contains("Usage: toolrun call"), "{general}");
    let unknown = workspace.run(&["call", "make-thin", "--help"]).expect(2);
    assert_tells(
        &unknown,
        &["no tool `make-thin`", "did you mean `make-thing`?"],
    );
}

#[test]
fn the_help_of_a_tool_fits_the_terminal() {
    let workspace = Workspace::new();
    for columns in [80, 140] {
        let mut command = workspace.toolrun();
        command
            .args(["call", "get-usage", "--help"])
            .env("NO_COLOR", "1");
        let (code, bytes) = on_terminal_of(columns, &mut command);
        let text = String::from_utf8(bytes).expect("UTF-8");
        assert_eq!(code, 0, "{text}");
        let wide: Vec<&str> = text
            .lines()
            .filter(|line| {
                !line.starts_with("toolrun ") && line.chars().count() > usize::from(columns)
            })
            .collect();
        assert!(wide.is_empty(), "{columns}: {wide:#?}");
        assert!(text.contains("group_by"), "{text}");
    }
}

#[test]
fn the_reference_is_text_or_markdown() {
    let workspace = library();
    workspace.tool(
        "make-thing",
        "write",
        &format!("docs: https://probe.test/make\n{THING}{EXAMPLE}"),
    );
    let text = workspace.run(&["docs", "make-thing"]).expect(0).stdout;
    assert!(
        text.contains("https://probe.test/make") && text.contains("Which one."),
        "{text}"
    );
    let markdown = workspace
        .run(&["docs", "make-thing", "-o", "md"])
        .expect(0)
        .stdout;
    for part in [
        "# probe/make-thing\n\nA probe.\n",
        "- access: write\n",
        "- endpoint: POST https://api.probe.test/things/{{ id }}\n",
        "| id (required) | string |  | Which one. |\n",
        r"| colour | green \| dark blue | green |  |",
        "```sh\ntoolrun call make-thing 'id=a b'",
    ] {
        assert!(markdown.contains(part), "{part:?} is not in {markdown}");
    }
    let service = workspace.run(&["docs", "probe"]).expect(0).stdout;
    assert!(
        service.starts_with("probe - A library\n") && service.contains("\n  make-thing\n"),
        "{service}"
    );
    let all = workspace.run(&["docs", "-o", "md"]).expect(0).stdout;
    assert!(
        all.contains("# probe - A library\n") && all.contains("\n## anthropic-admin/get-usage\n")
    );
    let unknown = workspace.run(&["docs", "make-thin"]).expect(2);
    assert_tells(&unknown, &["did you mean `make-thing`?"]);
}

#[test]
fn documentation_is_opened_in_the_browser_of_the_user() {
    let workspace = library();
    let get = "request: { method: GET, path: /x }";
    workspace.tool(
        "told",
        "read",
        &format!("docs: https://probe.test/told?a=1&b=$(id)\n{get}"),
    );
    workspace.tool(
        "strange",
        "read",
        &format!("docs: file:///etc/passwd\n{get}"),
    );
    workspace.write("browser", "#!/bin/sh\nprintf '%s\\n' \"$@\" > opened\n");
    let browser = workspace.path().join("browser");
    may_run(&browser);
    let open = |name: &str, browser: &str| {
        let mut command = workspace.toolrun();
        output(
            command
                .args(["docs", name, "--open"])
                .env("BROWSER", browser),
        )
    };
    let browser = browser.display().to_string();
    let opened = || fs::read_to_string(workspace.path().join("opened")).unwrap_or_default();
    let told = open("told", &browser).expect(0);
    assert_eq!(opened(), "https://probe.test/told?a=1&b=$(id)\n");
    assert_tells(&told, &["opened https://probe.test/told"]);
    open("anthropic-admin", &browser).expect(0);
    assert_eq!(
        opened(),
        "https://platform.claude.com/docs/en/manage-claude/admin-api\n"
    );
    assert_tells(
        &open("zebra", &browser).expect(2),
        &["probe names no documentation"],
    );
    assert_tells(
        &open("told", "/no/such/browser").expect(1),
        &["cannot open https://probe.test/told"],
    );
    assert_eq!(open("strange", &browser).code, 3);
    // A folder that nobody trusts opens nothing.
    fs::remove_file(workspace.path().join("opened")).expect("the file");
    fs::rename(workspace.descriptors(), workspace.path().join("tools")).expect("a folder");
    fs::create_dir(workspace.descriptors()).expect("a folder");
    let mut command = workspace.toolrun();
    command
        .args(["docs", "told", "--open"])
        .env("BROWSER", &browser);
    assert_tells(&output(&mut command).expect(5), &["is not trusted"]);
    assert_eq!(opened(), "");
}

#[test]
fn there_is_a_man_page_of_each_command() {
    let workspace = Workspace::new();
    workspace.run(&["man", "pages/man1"]).expect(0);
    for name in [
        "toolrun",
        "toolrun-call",
        "toolrun-list",
        "toolrun-sandbox",
        "toolrun-man",
    ] {
        let page = workspace.path().join(format!("pages/man1/{name}.1"));
        let page = fs::read_to_string(page).expect(name);
        assert!(page.contains(".SH SYNOPSIS"), "{name}");
    }
    let page =
        fs::read_to_string(workspace.path().join("pages/man1/toolrun-call.1")).expect("a page");
    assert!(page.contains("max\\-items"), "{page}");
    let printed = workspace.run(&["man"]).expect(0).stdout;
    assert!(printed.contains(".TH toolrun 1"), "{printed}");
    workspace.write("file", "");
    assert_tells(
        &workspace.run(&["man", "file/x"]).expect(1),
        &["cannot write man pages"],
    );
}

fn writes() -> (Fake, Workspace) {
    let fake = Fake::script([Reply::ok()]);
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), "title: The probe");
    workspace.tool("make", "write", "request: { method: POST, path: /make }");
    workspace.tool(
        "drop",
        "destructive",
        "request: { method: DELETE, path: /drop }",
    );
    workspace.tool("look", "read", "request: { method: GET, path: /look }");
    workspace.tool(
        "start",
        "write",
        "request: { method: POST, path: /jobs }\nwait: { path: /jobs/1, until: \"{{ body.ok }}\", interval: 1ms, max_interval: 1ms }",
    );
    (fake, workspace)
}

#[test]
#[ignore = "long"]
fn a_write_asks_on_a_terminal() {
    const WRITE: &str = "This may change data at The probe: make (POST http://";
    const JOB: &str = "This may change data at The probe: start (POST http://";
    const DROP: &str = "This may destroy data for good at The probe: drop (DELETE http://";
    for columns in [80, 140] {
        for (tool, options, answer, code, question) in [
            ("make", "", "y\r", 0, Some(WRITE)),
            ("make", "", "yes\r", 0, Some(WRITE)),
            ("make", "", "\r", 5, Some(WRITE)),
            ("make", "", "n\r", 5, Some(WRITE)),
            ("make", "", "\u{4}", 5, Some(WRITE)),
            ("drop", "", "y\r", 0, Some(DROP)),
            ("drop", "", "no\r", 5, Some(DROP)),
            ("drop", "--yes", "", 0, None),
            ("start", "--no-wait", "y\r", 0, Some(JOB)),
            ("start", "--no-wait", "n\r", 5, Some(JOB)),
            ("start", "", "n\r", 5, Some(JOB)),
            ("look", "", "", 0, None),
            ("make", "--dry-run", "", 0, None),
            ("make", "x=1", "", 2, None),
        ] {
            let (fake, workspace) = writes();
            let mut command = workspace.toolrun();
            command
                .args(["call", tool])
                .args(Some(options).filter(|option| !option.is_empty()));
            let mut terminal = Typing::start(columns, &mut command);
            if question.is_some() {
                terminal.wait("the question", |shown| shown.contains("[y/N] "));
                terminal.keys(answer);
            }
            let what = format!("{tool} {options} {answer:?}");
            let (ended, shown) = terminal.end();
            assert_eq!(ended, code, "{what}: {shown}");
            assert_eq!(
                shown.contains("Go on? [y/N]"),
                question.is_some(),
                "{what}: {shown}"
            );
            assert!(
                question.is_none_or(|question| shown.contains(question)),
                "{what}: {shown}"
            );
            let is_sent = code == 0 && options != "--dry-run";
            assert_eq!(fake.requests().len(), usize::from(is_sent), "{what}");
            if code == 5 {
                // On a line of its own, also where there was no answer.
                let told = format!("\nerror: {tool} was not called: the answer was no");
                assert!(shown.contains(&told), "{what}: {shown}");
            }
        }
    }
}

#[test]
fn without_a_person_a_write_needs_yes() {
    let (fake, workspace) = writes();
    let refused = workspace.run(&["call", "make"]).expect(5);
    assert_tells(&refused, &["--yes"]);
    // Standard input is no terminal here, so nobody is asked.
    let mut command = workspace.toolrun();
    let (code, bytes) = on_terminal_of(80, command.args(["call", "make"]));
    assert_eq!(code, 5, "{}", String::from_utf8_lossy(&bytes));
    assert!(fake.requests().is_empty());
    workspace.run(&["call", "make", "--yes"]).expect(0);
}

/// Two pages of a slow service.
fn slow_pages() -> (Fake, Workspace) {
    let fake = Fake::start(|request| {
        thread::sleep(Duration::from_millis(700));
        let is_last = request.query.contains("page=1");
        let rows: Vec<_> = (0..1200).map(|id| json!({ "id": id })).collect();
        Reply::json(
            200,
            &json!({ "rows": rows, "next": (!is_last).then_some(1) }),
        )
    });
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), "");
    workspace.tool(
        "list-all",
        "read",
        "params: { properties: { page: { type: integer } } }\n\
         request: { method: GET, path: /list, query: [page] }\n\
         paging: { items: $.rows, next: { page: $.next } }\n\
         response: { output: { rows: { each: \"$.rows[*]\", as: { id: $.id } } }, rows: rows }",
    );
    (fake, workspace)
}

#[test]
#[ignore = "long"]
fn progress_is_told_in_every_format_and_vanishes() {
    for format in ["json", "ndjson", "table", "csv", "yaml", "raw"] {
        let (_fake, workspace) = slow_pages();
        let mut command = workspace.toolrun();
        command
            .args(["call", "list-all", "--all", "-o", format])
            .env("TERM", "xterm");
        for columns in [80, 140] {
            let (code, bytes) = on_terminal_of(columns, &mut command);
            let shown = String::from_utf8_lossy(&bytes).into_owned();
            assert_eq!(code, 0, "{format}: {shown}");
            for part in [
                "waiting for the answer",
                "1 page, 1,200 rows, ",
                " rows/s; ",
            ] {
                assert!(shown.contains(part), "{format}: {part:?} is not shown");
            }
            let standing = standing(&bytes).join("\n");
            assert!(
                !standing.contains("rows/s") && !standing.contains('⠋'),
                "{format}: {standing}"
            );
            // Nothing of what was printed went with the line of progress.
            let last = ["1199", "1,199"].map(|id| standing.matches(id).count());
            assert!(last.iter().sum::<usize>() >= 2, "{format}: {standing}");
            let lines = match format {
                "ndjson" => 2400,
                "csv" => 2401,
                _ => 1,
            };
            assert!(standing.lines().count() >= lines, "{format}: {standing}");
        }
        let piped = output(&mut command).expect(0);
        assert_eq!(piped.stderr, "", "{format}");
    }
}

#[test]
#[ignore = "long"]
fn progress_tells_what_is_waited_for() {
    let fake = Fake::script([
        Reply::json(503, &json!({})).with("retry-after", "1"),
        Reply::json(200, &json!({ "id": "j", "state": "new" })),
        Reply::json(200, &json!({ "id": "j", "state": "new" })),
        Reply::json(200, &json!({ "id": "j", "state": "done" })),
        Reply::ok(),
    ]);
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), "rate_limit: { requests: 4, per: 2s }");
    workspace.tool(
        "job",
        "read",
        "request: { method: GET, path: /jobs }\n\
         wait: { path: \"/jobs/{{ created.id }}\", until: \"{{ body.state == 'done' }}\", interval: 700ms }",
    );
    let mut command = workspace.toolrun();
    command.args(["call", "job"]).env("TERM", "xterm");
    let (code, bytes) = on_terminal_of(140, &mut command);
    let shown = String::from_utf8_lossy(&bytes).into_owned();
    assert_eq!(code, 0, "{shown}");
    for part in [
        "waiting 1 s for try 2 of ",
        "waiting 1 s for the job, asked 1 time ",
    ] {
        assert!(shown.contains(part), "{part:?} is not in {shown:?}");
    }
    assert!(
        !standing(&bytes).join("\n").contains("waiting"),
        "{shown:?}"
    );
}

#[test]
fn a_sandbox_prints_its_key_and_ready_commands() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let workspace = Workspace::new();
    let mut command = workspace.toolrun();
    command.args(["sandbox", "anthropic-admin", "--addr", "127.0.0.1:0"]);
    let mut process = command.stderr(Stdio::piped()).spawn().expect("it starts");
    let stderr = BufReader::new(process.stderr.take().expect("standard error"));
    let lines: Vec<String> = stderr
        .lines()
        .take(4)
        .map(|line| line.expect("a line"))
        .collect();
    let ready: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.split_once("toolrun call "))
        .map(|(_, rest)| rest)
        .collect();
    let called = workspace.run(&[&["call"], &ready[0].split(' ').collect::<Vec<_>>()[..]].concat());
    let curl = lines
        .iter()
        .find_map(|line| line.split_once("curl "))
        .map(|(_, rest)| format!("curl {rest}"));
    process.kill().expect("it ends");
    let _ = process.wait();
    let told = lines.join("\n");
    assert!(
        told.contains("ANTHROPIC_ADMIN_API_KEY=sk-ant-admin01-sandbox-made-up-key"),
        "{told}"
    );
    assert_eq!(called.code, 0, "{told}\n{}", called.stderr);
    let curl = curl.expect("a command of curl");
    assert!(
        curl.contains("x-api-key: sk-ant-admin01-sandbox-made-up-key"),
        "{curl}"
    );
    assert!(curl.contains("http://127.0.0.1:"), "{curl}");
}

/// `-o json` means the same everywhere, errors included; `--json` is its short form.
#[test]
#[ignore = "long"]
fn what_is_found_is_printed_as_json_by_either_option() {
    let workspace = Workspace::new();
    for words in [
        &["list", "--service", "anthropic-admin"][..],
        &["show", "get-usage"],
        &["config"],
    ] {
        let with = |more: &[&str]| workspace.run(&[words, more].concat());
        let long = with(&["--output", "json"]).expect(0);
        assert_eq!(with(&["-o", "json"]).expect(0).json(), long.json());
        assert_eq!(with(&["--json"]).expect(0).json(), long.json());
        let text = with(&["-o", "text"]).expect(0).stdout;
        assert_eq!(with(&[]).expect(0).stdout, text);
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_err());
        with(&["--json", "-o", "json"]).expect(2);
    }
    for words in [&["show", "get-usag"][..], &["list", "--service", "nobody"]] {
        let told = workspace.run(words).expect(2).stderr;
        for json in [&["--json"][..], &["-o", "json"]] {
            let error = workspace.run(&[words, json].concat()).expect(2).error();
            assert_eq!(error["kind"], "usage", "{words:?}");
            let message = error["message"].as_str().expect("a message");
            assert!(told.contains(message), "{told}");
        }
    }
}
