//! `toolrun ci`, and the jobs that run it: the GitHub Action and the GitLab template, run as their runners do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pretty_assertions::assert_eq;
use serde_json::Value;

use crate::support::{Output, Workspace, assert_tells, output};

const SERVICE: &str = "spec: 1
service: shop
title: Shop
description: Orders of a shop.
base_url: https://shop.example.com
errors:
  message: $.error
";

const TOOL: &str = "spec: 1
tool: get-order
service: shop
description: Get one order with its total, by its id.
access: read

params:
  required: [id]
  properties:
    id: { type: string, description: The order's id. }
    currency: { type: string, description: The currency of the total. }

request:
  method: GET
  path: \"/orders/{{ id }}\"
  query: [currency]

response:
  output: { id: $.id, total: $.total }

examples:
  - name: an order
    args: { id: A-1 }
    request: { method: GET, url: https://shop.example.com/orders/A-1 }
    response: { body: { id: A-1, total: 35 } }
    output: { id: A-1, total: 35 }
";

/// A recording of the order, or of one that has changed.
fn recording(total: &str) -> String {
    let body = format!(r#"{{\"id\":\"A-1\",{total}}}"#);
    format!(
        r#"{{"log":{{"version":"1.2","creator":{{"name":"test","version":"1"}},"entries":[{{
"startedDateTime":"2026-01-01T00:00:00Z","time":1,"cache":{{}},"timings":{{"send":0,"wait":1,"receive":0}},
"request":{{"method":"GET","url":"https://shop.example.com/orders/A-1","httpVersion":"HTTP/1.1","cookies":[],"headers":[],
"queryString":[],"headersSize":-1,"bodySize":0}},
"response":{{"status":200,"statusText":"OK","httpVersion":"HTTP/1.1","cookies":[],"headers":[],"redirectURL":"","headersSize":-1,
"bodySize":-1,"content":{{"size":20,"mimeType":"application/json","text":"{body}"}}}}}}]}}}}"#
    )
}

/// A repository with a sound folder on its branch `main`, and a clone of it with one commit.
struct Repository {
    workspace: Workspace,
}

impl Repository {
    fn new() -> Repository {
        let workspace = Workspace::new();
        workspace.write("first/tools/shop/service.yaml", SERVICE);
        workspace.write("first/tools/shop/get-order.yaml", TOOL);
        workspace.write("first/recordings/order.har", recording(r#"\"total\":35"#));
        let first = workspace.path().join("first");
        git(&first, &["init", "-q", "-b", "main"]);
        commit(&first, "a shop");
        git(
            workspace.path(),
            &["clone", "-q", "--bare", "first", "origin.git"],
        );
        let origin = format!("file://{}", workspace.path().join("origin.git").display());
        let clone = ["clone", "-q", "--depth", "1", &origin, "checkout"];
        git(workspace.path(), &clone);
        git(
            &workspace.path().join("checkout"),
            &["checkout", "-q", "-b", "change"],
        );
        Repository { workspace }
    }

    fn checkout(&self) -> PathBuf {
        self.workspace.path().join("checkout")
    }

    /// Replaces a text in a file of the checkout.
    fn change(&self, file: &str, from: &str, to: &str) {
        let path = self.checkout().join(file);
        let text = fs::read_to_string(&path).expect("the file");
        assert!(text.contains(from), "{file} has no {from}");
        fs::write(path, text.replace(from, to)).expect("the file");
    }

    /// `toolrun ci` with these words.
    fn ci(&self, words: &[&str]) -> Output {
        let mut command = self.workspace.toolrun();
        command.current_dir(self.checkout()).arg("ci").args(words);
        output(&mut command)
    }

    /// How each step ended.
    fn verdicts(&self, words: &[&str]) -> (i32, Vec<(String, String)>) {
        let ran = self.ci(&[words, &["--format", "json"]].concat());
        let steps = ran.json()["steps"].clone();
        let steps = steps.as_array().expect("steps").iter().map(|step| {
            let text = |name: &str| step[name].as_str().expect("a text").to_owned();
            (text("step"), text("result"))
        });
        (ran.code, steps.collect())
    }
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .current_dir(folder)
        .args(["-c", "user.name=Test", "-c", "user.email=test@example.com"])
        .args(arguments);
    output(&mut command).expect(0).stdout
}

fn commit(folder: &Path, message: &str) {
    git(folder, &["add", "."]);
    git(folder, &["commit", "-q", "-m", message]);
}

/// What breaks each step, and only it.
const BREAKS: [(&str, &str, &str, &str); 5] = [
    (
        "validate",
        "tools/shop/service.yaml",
        "base_url: https:",
        "base_url: ftp:",
    ),
    (
        "test",
        "tools/shop/get-order.yaml",
        "    output: { id: A-1, total: 35 }",
        "    output: { id: A-1, total: 36 }",
    ),
    (
        "fmt",
        "tools/shop/get-order.yaml",
        "access: read\n",
        "access:    read\n",
    ),
    (
        "diff",
        "tools/shop/get-order.yaml",
        "  required: [id]",
        "  required: [id, currency]",
    ),
    (
        "drift",
        "recordings/order.har",
        r#"\"total\":35"#,
        r#"\"sum\":35"#,
    ),
];

#[test]
#[ignore = "long"]
fn each_step_fails_for_its_own_reason() {
    let all = [
        "--base",
        "HEAD",
        "--recordings",
        "recordings/*.har",
        "--deny-warnings",
    ];
    let sound = Repository::new();
    let (code, steps) = sound.verdicts(&all);
    assert_eq!(code, 0);
    assert!(
        steps.iter().all(|(_, result)| result == "passed"),
        "{steps:?}"
    );
    for (name, file, from, to) in BREAKS {
        let repository = Repository::new();
        repository.change(file, from, to);
        let (code, steps) = repository.verdicts(&all);
        let failed = steps
            .iter()
            .find(|(step, _)| step == name)
            .expect("the step");
        assert_eq!(
            (code, failed.1.as_str()),
            (3, "failed"),
            "{name}: {steps:?}"
        );
        if name == "fmt" || name == "drift" {
            let others = steps.iter().filter(|(step, _)| step != name);
            let others: Vec<_> = others.filter(|(_, result)| result != "passed").collect();
            assert_eq!(others, Vec::<&(String, String)>::new(), "{name}");
        }
        let without = repository
            .verdicts(&[&all[..], &["--skip", name]].concat())
            .1;
        let skipped = without
            .iter()
            .find(|(step, _)| step == name)
            .expect("the step");
        assert_eq!(skipped.1, "skipped", "{name}");
    }
}

#[test]
#[ignore = "long"]
fn what_does_not_run_is_said() {
    let told = Repository::new().ci(&[]).expect(0).stdout;
    for line in [
        "diff      skipped",
        "drift     skipped",
        "validate  passed",
        "test      passed",
        "fmt       passed",
    ] {
        assert!(
            told.lines().any(|told| told.starts_with(line)),
            "{line}: {told}"
        );
    }
    for (words, expected) in [
        (&["--base", "nowhere"][..], "nowhere"),
        (&["--base", "-x"], "-x"),
        (&["--recordings", "nowhere/*.har"], "nowhere/*.har"),
        (&["nowhere"], "nowhere"),
        (&["--report", "r.txt"], ".xml"),
        (&["--report", "nowhere/r.xml"], "nowhere"),
    ] {
        let told = Repository::new().ci(words);
        assert_eq!(told.code, 2, "{words:?}: {}{}", told.stdout, told.stderr);
        assert_tells(&told, &[expected]);
    }
}

#[test]
fn reports_are_written_in_each_form() {
    let repository = Repository::new();
    for (_, file, from, to) in &BREAKS[1..] {
        repository.change(file, from, to);
    }
    let all = [
        "--base",
        "HEAD",
        "--recordings",
        "recordings/*.har",
        "--deny-warnings",
    ];
    let names = ["r.xml", "r.sarif", "r.json", "r.md"];
    let reports: Vec<&str> = names.iter().flat_map(|name| ["--report", name]).collect();
    let summary = repository.workspace.path().join("summary.md");
    fs::write(&summary, "before\n").expect("a file");
    for format in ["human", "json", "github", "sarif", "junit"] {
        let mut command = repository.workspace.toolrun();
        command
            .current_dir(repository.checkout())
            .env("GITHUB_STEP_SUMMARY", &summary)
            .arg("ci")
            .args(all)
            .args(&reports)
            .args(["--format", format]);
        let told = output(&mut command).expect(3);
        let read = |name: &str| fs::read_to_string(repository.checkout().join(name)).expect(name);
        for code in [
            "example-fails",
            "not-formatted",
            "param-required",
            "lost-path",
        ] {
            assert!(
                told.stdout.contains(code),
                "{format}: {code}: {}",
                told.stdout
            );
            for name in names {
                // The changelog says it in a sentence.
                let is_sentence = name == "r.md" && code == "param-required";
                let told = if is_sentence { "currency" } else { code };
                assert!(read(name).contains(told), "{name}: {code}");
            }
        }
        let sarif: Value = serde_json::from_str(&read("r.sarif")).expect("JSON");
        let json: Value = serde_json::from_str(&read("r.json")).expect("JSON");
        assert_eq!(json["result"], "failed");
        assert_eq!(
            sarif["runs"][0]["results"].as_array().map(Vec::len),
            json["findings"].as_array().map(Vec::len)
        );
        let junit = read("r.xml");
        assert!(
            junit.starts_with("<?xml") && junit.contains("<failure"),
            "{junit}"
        );
    }
    let summary = fs::read_to_string(summary).expect("the summary");
    assert!(summary.starts_with("before\n"), "{summary}");
    assert_eq!(
        summary.matches("| drift | **failed** |").count(),
        5,
        "{summary}"
    );
}

#[test]
fn a_name_in_a_report_means_nothing_to_markdown() {
    let repository = Repository::new();
    repository.change(
        "tools/shop/get-order.yaml",
        "access: read\n",
        "access: read\n\"![x](https://evil.test)<img src=x> @everyone | a\": 1\n",
    );
    repository.ci(&["--report", "r.md"]).expect(3);
    let text = fs::read_to_string(repository.checkout().join("r.md")).expect("the report");
    // What is code, or stands behind a backslash, means itself.
    let bare: String = text.split('`').step_by(2).collect();
    assert!(text.contains("@everyone"), "{text}");
    for bad in ["![x", "<img", "@everyone", " | a"] {
        assert!(!bare.contains(bad), "{bad}: {text}");
    }
}

/// What reaches reports from a file: keys, values and names of files.
const HOSTILE: &[(&str, &str)] = &[
    ("colours", "\u{1b}[31mred\u{1b}[0m"),
    ("commands of a workflow", "\n::error::forged"),
    ("escapes of a workflow", "%0A::error::forged"),
    (
        "Markdown",
        "![x](http://evil.test)<img src=x> *a* @someone #1",
    ),
    ("unpaired backticks", "``` <img src=x> `"),
    ("a fence", "````"),
    ("the direction of text", "\u{202e}txt\u{2066}"),
    ("what XML cannot have", "\u{1}\u{b}\u{7f}\u{85}\u{fffe}"),
    ("an end of XML", "]]></failure><x a=\"'"),
    ("a table", "|a|\n|---|"),
    (
        "an address",
        "https://evil.test/a www.evil.test me@evil.test",
    ),
];

#[test]
#[ignore = "long"]
fn no_report_obeys_what_a_file_says() {
    let workspace = Workspace::new();
    let tool = |name: &str, more: &str| {
        let head = format!(
            "spec: 1\ntool: {name}\nservice: {{ service: shop, base_url: \"https://shop.test\" }}\n"
        );
        let request = "request: { method: GET, path: /a }\n";
        workspace.write(
            &format!("tools/{name}.yaml"),
            format!(
                "{head}description: Gives the things of a shop.\naccess: read\n{request}{more}\n"
            ),
        );
    };
    for (at, (_, text)) in HOSTILE.iter().enumerate() {
        let quoted = serde_json::to_string(text).expect("JSON");
        tool(&format!("key-{at}"), &format!("{quoted}: 1"));
        tool(
            &format!("allow-{at}"),
            &format!("allow: {{ {quoted}: {quoted} }}"),
        );
    }
    tool("long", &format!("? {}\n: 1", "x".repeat(100_000)));
    workspace.write("tools/[a](b) <i> `x` @y ::error::%0A,.yaml", "spec: 1\n");
    let run =
        |words: &[&str]| output(workspace.toolrun().arg("ci").arg("tools").args(words)).expect(3);
    let files = ["r.xml", "r.sarif", "r.json", "r.md"];
    run(&files.map(|name| ["--report", name]).concat());
    let read = |name: &str| fs::read_to_string(workspace.path().join(name)).expect(name);
    // A file says what is printed.
    assert_eq!(read("r.xml"), run(&["--format", "junit"]).stdout);
    assert_eq!(read("r.sarif"), run(&["--format", "sarif"]).stdout);
    let mut told: Vec<(String, String)> = files.map(|name| (name.to_owned(), read(name))).into();
    for format in ["human", "github", "json"] {
        told.push((format.to_owned(), run(&["--format", format]).stdout));
    }
    for (name, text) in &told {
        let is_hidden =
            |c: char| (c.is_control() && c != '\n') || "\u{202e}\u{2066}\u{fffe}".contains(c);
        assert!(!text.contains(is_hidden), "{name} has hidden characters");
        // JSON is for programs, and whole.
        let longest = text.lines().map(str::len).max().unwrap_or_default();
        assert_eq!(
            longest > 100_000,
            name.ends_with("json"),
            "{name}: {longest}"
        );
    }
    let github = &told
        .iter()
        .find(|(name, _)| name == "github")
        .expect("it")
        .1;
    let commands = github.lines().filter(|line| line.contains("::"));
    for command in commands {
        let (head, _) = command[2..].split_once("::").expect("a command");
        let (level, place) = head.split_once(" file=").expect("a file");
        assert!(["error", "warning", "notice"].contains(&level), "{command}");
        assert!(
            place.starts_with("tools/") && !place.contains(':'),
            "{command}"
        );
    }
    let markdown = read("r.md");
    let mut bare = String::new();
    for line in markdown.lines() {
        // Code has the same backticks at both ends.
        let mut rest = line.replace("\\`", "");
        while let Some(begin) = rest.find('`') {
            bare.push_str(&rest[..begin]);
            let fence: String = rest[begin..].chars().take_while(|c| *c == '`').collect();
            let behind = rest[begin + fence.len()..].to_owned();
            let end = behind.find(&fence).unwrap_or_else(|| panic!("{line}"));
            rest = behind[end + fence.len()..].to_owned();
        }
        bare.push_str(&rest);
        bare.push('\n');
    }
    for bad in ["<img", "<i>", "](", "://", "www.", "@", "#1"] {
        let bare = bare.replace("\\<", "").replace("\\]", "");
        assert!(!bare.contains(bad), "{bad}: {bare}");
    }
}

#[test]
fn a_reader_that_leaves_changes_no_verdict() {
    let workspace = Workspace::new();
    for name in 0..300 {
        workspace.write(
            &format!("tools/a{name}.yaml"),
            format!("spec:   1\ntool: a{name}\nfoo: 1\n"),
        );
    }
    workspace.write("other/a.yaml", "spec: 1\n");
    workspace.write("sound/shop/service.yaml", SERVICE);
    workspace.write("sound/shop/get-order.yaml", TOOL);
    let policy = "policy: 1\nrules:\n  - { tools: [shop/*], do: deny }\ncases:\n  - { tool: shop/get-order, args: { id: A }, expect: allow }\n";
    workspace.write("policy.yaml", policy);
    workspace.write("calls.log", "no line of a log\n");
    let har = r#"{ "log": { "entries": [{ "request": { "method": "GET", "url": "https://shop.example.com/none", "headers": [] },
        "response": { "status": 200, "content": { "text": "{}" } } }] } }"#;
    workspace.write("shop.har", har);
    for words in [
        &["drift", "shop.har", "--against", "sound", "--deny-warnings"],
        &["policy", "test", "policy.yaml", "--tools", "sound"],
        &["audit", "verify", "calls.log"],
        &["ci", "tools", "--report", "r.json"],
        &["validate", "tools"],
        &["test", "tools"],
        &["fmt", "--check", "tools"],
        &["diff", "other", "tools"],
    ] as [&[&str]; 8]
    {
        let mut command = workspace.toolrun();
        command
            .args(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("toolrun");
        drop(child.stdout.take());
        let ended = child.wait().expect("an end");
        assert_eq!(ended.code(), Some(3), "{words:?}");
    }
    assert!(workspace.path().join("r.json").is_file());
}

#[test]
fn a_report_is_a_file_like_others() {
    let workspace = Workspace::new();
    workspace.write("tools/shop/service.yaml", SERVICE);
    workspace.write("tools/shop/get-order.yaml", TOOL);
    let ci =
        |name: &str| output(workspace.toolrun().args(["ci", "tools", "--report", name])).expect(0);
    ci("new.json");
    workspace.write("plain.json", "");
    let mode = |name: &str| {
        let metadata = fs::metadata(workspace.path().join(name)).expect(name);
        metadata.permissions()
    };
    assert_eq!(mode("new.json"), mode("plain.json"));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("plain.json", workspace.path().join("link.json"))
            .expect("a link");
        ci("link.json");
        assert!(workspace.path().join("link.json").is_symlink());
    }
    ci("plain.json");
    assert!(
        fs::metadata(workspace.path().join("plain.json"))
            .expect("it")
            .len()
            > 0
    );
    let left = fs::read_dir(workspace.path())
        .expect("the folder")
        .flatten();
    let left = left.filter(|entry| entry.file_name().to_string_lossy().starts_with(".toolrun"));
    assert_eq!(left.count(), 0);
}

/// What else stands in a folder of tools, and how the examples end: the step's result.
#[test]
fn what_is_no_tool_is_no_broken_one() {
    const POLICY: &str = "spec: 1\npolicy: 1\nrules:\n  - { tools: [shop/get-order], do: allow }\n";
    for (files, expected) in [
        (
            &[
                ("shop/get-order.yaml", TOOL),
                ("shop/service.yaml", SERVICE),
                ("policy.yaml", POLICY),
            ][..],
            "passed",
        ),
        (&[("policy.yaml", POLICY)], "skipped"),
        (
            &[
                ("policy.yaml", "spec: 1\npolicy: 1\nrules: 7\n"),
                ("shop/get-order.yaml", TOOL),
                ("shop/service.yaml", SERVICE),
            ],
            "passed",
        ),
        (&[("a.yaml", "spec: 1\ntool: [\n")], "failed"),
        (&[("a.yaml", "spec: 1\ntool: a\nfoo: 1\n")], "failed"),
    ] {
        let workspace = Workspace::new();
        for (file, text) in files {
            workspace.write(&format!("tools/{file}"), text);
        }
        let ran = output(
            workspace
                .toolrun()
                .args(["ci", "tools", "--format", "json"]),
        )
        .json();
        assert_eq!(
            ran["steps"][1]["result"], expected,
            "{files:?}: {:#}",
            ran["steps"]
        );
        let alone = output(
            workspace
                .toolrun()
                .args(["test", "tools", "--format", "json"]),
        );
        let code = match expected {
            "passed" => 0,
            "skipped" => 2,
            _ => 3,
        };
        assert_eq!(
            alone.code, code,
            "{files:?}: {}{}",
            alone.stdout, alone.stderr
        );
    }
}

/// The words of a step of the action, as its runner would give them.
fn action_step(name: &str) -> (String, Value) {
    let text = include_str!("../../.ci/github/action.yml");
    let action: Value = serde_yaml::from_str(text).expect("YAML");
    let steps = action["runs"]["steps"].as_array().expect("steps");
    let step = steps.iter().find(|step| step["name"] == name).expect(name);
    (
        step["run"].as_str().expect("a script").to_owned(),
        step["env"].clone(),
    )
}

/// Runs the check of the action as GitHub does: `bash -e -o pipefail`, with what the inputs say in variables.
fn run_action(repository: &Repository, inputs: &[(&str, &str)], outer: &[(&str, &str)]) -> Output {
    let (script, names) = action_step("Check");
    let mut command = Command::new("bash");
    command
        .args([
            "--noprofile",
            "--norc",
            "-e",
            "-o",
            "pipefail",
            "-c",
            &script,
        ])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").expect("a path"))
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("XDG_STATE_HOME", repository.workspace.path().join(".state"))
        .env("GITHUB_BASE_REF", "")
        .current_dir(repository.checkout());
    for (name, _) in names.as_object().expect("variables") {
        command.env(name, "");
    }
    command
        .env("PATHS", "tools\n")
        .env("TOOLRUN", env!("CARGO_BIN_EXE_toolrun"));
    for (name, value) in inputs.iter().chain(outer) {
        command.env(name, value);
    }
    output(&mut command)
}

#[test]
fn the_action_compares_with_the_base_of_a_pull_request() {
    let repository = Repository::new();
    repository.change(
        "tools/shop/get-order.yaml",
        "    currency: { type: string, description: The currency of the total. }\n",
        "",
    );
    repository.change("tools/shop/get-order.yaml", "  query: [currency]\n", "");
    commit(&repository.checkout(), "no currency");
    let pull = [("GITHUB_BASE_REF", "main")];
    let told = run_action(&repository, &[], &pull).expect(3).stdout;
    assert!(
        told.contains("::error file=tools/shop/get-order.yaml") && told.contains("currency"),
        "{told}"
    );
    // A push compares with what was there before; the first push with nothing.
    let before = git(&repository.checkout(), &["rev-parse", "HEAD~1"]);
    run_action(&repository, &[("BEFORE", before.trim())], &[]).expect(3);
    let zeros = "0".repeat(40);
    let told = run_action(&repository, &[("BEFORE", &zeros)], &[])
        .expect(0)
        .stdout;
    assert!(told.contains("diff      skipped"), "{told}");
    // The inputs reach the command, each line a word.
    let inputs = [
        ("RECORDINGS", "recordings/*.har\n"),
        ("ARGUMENTS", "--skip=diff\n--deny-warnings\n"),
    ];
    let told = run_action(&repository, &inputs, &pull).expect(0).stdout;
    assert!(told.contains("drift     passed"), "{told}");
    // What an input says is no part of a script.
    let hostile = [("PATHS", "$(touch owned)\n`touch owned`; touch owned\n")];
    run_action(&repository, &hostile, &pull).expect(2);
    assert!(!repository.checkout().join("owned").exists());
}

/// A runner puts the text of an expression into a script before it runs, so no script may have one.
#[test]
fn no_script_of_the_action_has_an_expression() {
    let text = include_str!("../../.ci/github/action.yml");
    let action: Value = serde_yaml::from_str(text).expect("YAML");
    let steps = action["runs"]["steps"].as_array().expect("steps");
    let scripts: Vec<&str> = steps
        .iter()
        .filter_map(|step| step["run"].as_str())
        .collect();
    assert_eq!(scripts.len(), 2);
    for script in scripts {
        assert!(!script.contains("${{"), "{script}");
    }
}

#[test]
fn the_gitlab_template_compares_with_the_base_of_a_merge_request() {
    let text = include_str!("../../.ci/gitlab/toolrun.yml");
    let template: Value = serde_yaml::from_str(text).expect("YAML");
    let lines = template[".toolrun"]["script"].as_array().expect("a script");
    let script: Vec<&str> = lines
        .iter()
        .map(|line| line.as_str().expect("a line"))
        .collect();
    let run = |repository: &Repository, outer: &[(&str, &str)]| {
        let bin = Path::new(env!("CARGO_BIN_EXE_toolrun"))
            .parent()
            .expect("a folder");
        let path = std::env::var("PATH").expect("a path");
        let mut command = Command::new("sh");
        command
            .args(["-e", "-c", &script.join("\n")])
            .env_clear()
            .env("PATH", format!("{}:{path}", bin.display()))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("XDG_STATE_HOME", repository.workspace.path().join(".state"))
            .current_dir(repository.checkout());
        for (name, value) in template["variables"].as_object().expect("variables") {
            command.env(name, value.as_str().expect("a text"));
        }
        command.envs(outer.iter().copied());
        output(&mut command)
    };
    let repository = Repository::new();
    let base = git(&repository.checkout(), &["rev-parse", "HEAD"]);
    repository.change(
        "tools/shop/get-order.yaml",
        "  required: [id]",
        "  required: [id, currency]",
    );
    repository.change(
        "tools/shop/get-order.yaml",
        "    args: { id: A-1 }",
        "    args: { id: A-1, currency: EUR }",
    );
    repository.change(
        "tools/shop/get-order.yaml",
        "orders/A-1 }",
        "orders/A-1?currency=EUR }",
    );
    commit(&repository.checkout(), "a currency");
    let merge = [("CI_MERGE_REQUEST_DIFF_BASE_SHA", base.trim())];
    let told = run(&repository, &merge).expect(3).stdout;
    assert!(told.contains("diff      FAILED"), "{told}");
    let junit = fs::read_to_string(repository.checkout().join("toolrun.xml")).expect("the report");
    assert!(junit.contains("<failure"), "{junit}");
    // A first push has nothing before it.
    let zeros = "0".repeat(40);
    let told = run(&repository, &[("CI_COMMIT_BEFORE_SHA", &zeros)])
        .expect(0)
        .stdout;
    assert!(told.contains("diff      skipped"), "{told}");
    let repository = Repository::new();
    let more = [
        ("TOOLRUN_RECORDINGS", "recordings/*.har"),
        ("TOOLRUN_OPTIONS", "--deny-warnings --skip diff"),
    ];
    let told = run(&repository, &more).expect(0).stdout;
    assert!(told.contains("drift     passed"), "{told}");
}
