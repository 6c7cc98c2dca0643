//! Arguments as people write them: what is understood, what is answered with the right form, and what is never echoed.

use std::io::Write;
use std::process::Stdio;

use crate::support::{Fake, Output, Reply, Workspace, output};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};

const PROBE: &str = r#"
params:
  properties:
    limit: { type: integer }
    flag: { type: boolean }
    kinds: { type: array, items: { enum: [one, two] } }
    sizes: { type: array, items: { type: integer } }
    names: { type: array, items: { type: string } }
    ids: { type: array, items: { type: string, pattern: "^[a-z]+$" } }
    since: { type: string, format: date-time }
    until: { type: string, format: date-time }
    day: { type: string, format: date }
    text: { type: string }
    some_text: { type: string }
    password: { type: string, minLength: 4 }
    tokens: { type: array, items: { type: string } }
    filter:
      type: object
      properties:
        a: { type: integer }
        tags: { type: array, items: { type: string } }
        deep: { type: object, properties: { c: { type: boolean }, at: { type: string, format: date } } }
      additionalProperties: false
    meta: { type: object, additionalProperties: { type: string } }
    x.y: { type: string }
request:
  method: POST
  path: /v1/things
  body:
    json:
      limit: "{{ limit }}"
      flag: "{{ flag }}"
      kinds: "{{ kinds }}"
      sizes: "{{ sizes }}"
      names: "{{ names }}"
      ids: "{{ ids }}"
      since: "{{ since }}"
      until: "{{ until }}"
      day: "{{ day }}"
      text: "{{ text }}"
      some_text: "{{ some_text }}"
      password: "{{ password }}"
      tokens: "{{ tokens }}"
      filter: "{{ filter }}"
      meta: "{{ meta }}"
      x.y: "{{ params['x.y'] }}"
"#;

fn workspace() -> Workspace {
    let workspace = Workspace::new();
    workspace.service("https://api.probe.test", "");
    workspace.tool("send-thing", "write", PROBE);
    workspace.write("text.txt", "yesterday, @x\n");
    workspace.write("three.txt", "3\n");
    workspace.write("filter.json", r#"{"a": 1, "tags": ["x"]}"#);
    workspace.write("filter.yaml", "a: 1\ntags: [x]\n");
    workspace.write("twice.json", "{\"limit\": 1,\n \"limit\": 2}");
    workspace.write("inside.json", "{\"filter\":\n {\"a\": 1, \"a\": 2}}");
    workspace.write("twice.yaml", "limit: 1\nlimit: 2\n");
    workspace.write("bad.json", "{");
    workspace.write("empty.json", " \n");
    workspace
}

fn call(workspace: &Workspace, words: &[&str]) -> Output {
    let mut all = vec!["call", "send-thing", "--dry-run=json"];
    all.extend(words);
    workspace.run(&all)
}

fn body(output: &Output) -> Value {
    output.json()["body"].clone()
}

#[test]
fn words_mean_what_people_mean() {
    let workspace = workspace();
    for (words, expected) in [
        (&["limit=3"][..], json!({"limit": 3})),
        (&["kinds=one,two"], json!({"kinds": ["one", "two"]})),
        (
            &["kinds=one", "kinds=two"],
            json!({"kinds": ["one", "two"]}),
        ),
        (&["sizes=1,2", "sizes=3"], json!({"sizes": [1, 2, 3]})),
        (
            &["sizes=[1]", "sizes:=[2]", "sizes=3"],
            json!({"sizes": [3]}),
        ),
        (&["names=x"], json!({"names": ["x"]})),
        (&["names:=[\"x\",\"y\"]"], json!({"names": ["x", "y"]})),
        // Files.
        (&["text=@text.txt"], json!({"text": "yesterday, @x\n"})),
        (&["limit=@three.txt"], json!({"limit": 3})),
        (
            &["filter:=@filter.json"],
            json!({"filter": {"a": 1, "tags": ["x"]}}),
        ),
        (
            &["filter:=@filter.yaml"],
            json!({"filter": {"a": 1, "tags": ["x"]}}),
        ),
        (&["text=\\@text.txt"], json!({"text": "@text.txt"})),
        (&["text=\\\\@x"], json!({"text": "\\@x"})),
        (&["text=\\x"], json!({"text": "\\x"})),
        (&["text=a@b"], json!({"text": "a@b"})),
        (&["text:=\"@x\""], json!({"text": "@x"})),
        (&[r#"{"text": "@x"}"#], json!({"text": "@x"})),
        // Members of objects.
        (&["filter.a=1"], json!({"filter": {"a": 1}})),
        (
            &[
                "filter.a=1",
                "filter.deep.c=true",
                "filter.tags=x",
                "filter.tags=y",
            ],
            json!({"filter": {"a": 1, "deep": {"c": true}, "tags": ["x", "y"]}}),
        ),
        (
            &["filter:=@filter.json", "filter.a:=2"],
            json!({"filter": {"a": 2, "tags": ["x"]}}),
        ),
        (
            &["filter.deep.at=2026-11-01"],
            json!({"filter": {"deep": {"at": "2026-11-01"}}}),
        ),
        (
            &["meta.team=x", "meta.a.b=y"],
            json!({"meta": {"team": "x", "a.b": "y"}}),
        ),
        (&["x.y=1"], json!({"x.y": "1"})),
        // Dates; JSON is sent as it is.
        (
            &["since=2026-11-01"],
            json!({"since": "2026-11-01T00:00:00Z"}),
        ),
        (
            &["since=2026-11-01T01:02:03+01:00"],
            json!({"since": "2026-11-01T01:02:03+01:00"}),
        ),
        (&["day=2026-11-01"], json!({"day": "2026-11-01"})),
        (&["text=yesterday"], json!({"text": "yesterday"})),
        (&["{}"], json!({})),
        (&["@empty.json"], json!({})),
        (&["@filter.json", "{}"], Value::Null),
    ] {
        let output = call(&workspace, words);
        if expected.is_null() {
            output.expect(2);
            continue;
        }
        let output = output.expect(0);
        assert_eq!(body(&output), expected, "{words:?}");
        // Nothing is sent without a word that is not what was written.
        let is_changed = words.contains(&"since=2026-11-01") || words.contains(&"sizes:=[2]");
        assert_eq!(
            !output.stderr.is_empty(),
            is_changed,
            "{words:?}: {}",
            output.stderr
        );
    }
}

#[test]
fn what_is_not_understood_is_answered_with_the_right_form() {
    let workspace = workspace();
    // The words, and what standard error says.
    for (words, told) in [
        (
            &["limit", "3"][..],
            "`limit` is no argument; write key=value, as in limit=3",
        ),
        (&["limit"], "as in limit=VALUE"),
        (
            &["limit:3"],
            "`limit:3` is no argument; write key=value, as in limit=3",
        ),
        (&["text:a b"], "as in 'text=a b'"),
        (&["flag:"], "as in flag=true"),
        (
            &["limit=", "3"],
            "`3` is no argument; write key=value, as in limit=3",
        ),
        (&["limit:=", "3"], "`limit:=` needs JSON"),
        (&["text=", "3"], "as in text=3"),
        (
            &["limit==3"],
            "limit: must be an integer, but \"=3\" is a string; write limit=3 (type)",
        ),
        (&["flag==true"], "write flag=true (type)"),
        (&["since==2026-11-01"], "write since=2026-11-01 (format)"),
        (&["kinds==one"], "write kinds=one (enum)"),
        (
            &["nonsense:3"],
            "`nonsense:3` is no argument; write key=value, key:=JSON",
        ),
        (
            &["LIMIT=3"],
            "LIMIT: is no argument of this tool; did you mean `limit`?",
        ),
        (
            &["-limit", "3"],
            "`-limit` is no option of `toolrun call`; send-thing takes arguments without dashes: write limit=3",
        ),
        (&["-limit=3"], "write limit=3"),
        (&["flag"], "as in flag=true"),
        (&["flag", "false"], "as in flag=false"),
        (&["some-text", "a b"], "as in 'some_text=a b'"),
        (&["nonsense", "3"], "write key=value, key:=JSON"),
        (
            &["flag=yes"],
            "must be a boolean, but \"yes\" is a string; write flag=true (type)",
        ),
        (&["flag=Off", "limit=x"], "write flag=false (type)"),
        (
            &["since=2026-11-01T10:00:00"],
            "for UTC write since=2026-11-01T10:00:00Z",
        ),
        (&["since=-7"], "is no RFC 3339 date and time"),
        (&["since=someday"], "is no RFC 3339 date and time"),
        (
            &["ids=a,b"],
            "a,b is one item; for several write 'ids:=[\"a\",\"b\"]'",
        ),
        (&["kinds=one,three"], "kinds[1]: \"three\" is not one of"),
        (&["limti=3"], "did you mean `limit`?"),
        (&["some-text=3"], "did you mean `some_text`?"),
        (&["limit.x=3"], "`limit` is no object"),
        (
            &["filter.b=3"],
            "`filter` has no member `b`; did you mean `a`?",
        ),
        (
            &["filter=3", "filter.a=3"],
            "an earlier argument gives `filter` as something that is no object",
        ),
        (
            &["text=@nowhere.txt"],
            "a text that begins with @ is written 'text=\\@nowhere.txt'",
        ),
        (&["text=@."], "cannot read ."),
        (&["filter:=@nowhere.json"], "cannot read nowhere.json"),
        (&["filter:=@bad.json"], "bad.json: not valid JSON"),
        (&["filter:=@empty.json"], "there is nothing in it"),
        // Keys that are there twice.
        (
            &["@twice.json"],
            "twice.json: the key `limit` is written twice, the second time at line 2 column 8",
        ),
        (
            &["@inside.json"],
            "the key `a` is written twice, the second time at line 2 column 13",
        ),
        (&["@twice.yaml"], "at line 2 column 1"),
        (
            &["{\"limit\": 1, \"limit\": 1}"],
            "the key `limit` is written twice",
        ),
        (
            &["filter:={\"a\": 1, \"a\": 1}"],
            "`filter:=`: the key `a` is written twice",
        ),
        (
            &["filter={\"a\": 1, \"a\": 1}"],
            "filter: the key `a` is written twice",
        ),
        (
            &["filter:=@inside.json"],
            "inside.json: the key `a` is written twice",
        ),
    ] {
        let output = call(&workspace, words).expect(2);
        let (told_here, stdout) = (&output.stderr, &output.stdout);
        assert!(
            told_here.contains(told),
            "{words:?}: {told:?} is not in {told_here}"
        );
        assert_eq!(stdout, "", "{words:?}");
        let mut json = vec!["-o", "json"];
        json.extend(words);
        let error = call(&workspace, &json).expect(2).error();
        assert_eq!(error["kind"], "usage", "{words:?}: {error}");
    }
}

#[test]
fn every_problem_is_told_with_its_advice() {
    let error = call(
        &workspace(),
        &["flag=no", "limit=x", "ids=a,b", "lmit=1", "-o", "json"],
    )
    .expect(2)
    .error();
    let message = error["message"].as_str().unwrap();
    for part in [
        "write flag=false",
        "limit: must be an integer",
        "ids:=[",
        "lmit: is no argument",
    ] {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
    assert_eq!(message.matches("write ").count(), 2, "{message}");
}

#[test]
fn an_array_with_commas_that_is_sent_as_one_item_is_told() {
    let output = call(&workspace(), &["names=x,y"]).expect(0);
    assert_eq!(body(&output), json!({"names": ["x,y"]}));
    assert!(
        output
            .stderr
            .starts_with("note: names: x,y is one item; for several write 'names:=[\"x\",\"y\"]'")
    );
}

#[test]
fn options_that_are_arguments_are_answered_with_their_form() {
    let workspace = workspace();
    for (words, told) in [
        (
            &["--limit", "3"][..],
            "`--limit` is no option of `toolrun call`; send-thing takes arguments without dashes: write limit=3\n",
        ),
        (&["--limit=3"], "write limit=3\n"),
        (
            &["--limit=3", "--flag"],
            "`--limit` and `--flag` are no options of `toolrun call`",
        ),
        (
            &["--flag", "--yes", "--some-text", "a b"],
            "write flag=true 'some_text=a b'\n",
        ),
        (&["--flag", "-v"], "write flag=true\n"),
        (&["--since", "-7d"], "write since=-7d\n"),
        (&["--password", "hunter2"], "write password=VALUE\n"),
        (&["--filter", "{\"a\": 1}"], "write filter=VALUE\n"),
        (&["--limti", "3"], "unexpected argument '--limti'"),
    ] {
        let output = call(&workspace, words).expect(2);
        assert!(output.stderr.contains(told), "{words:?}: {}", output.stderr);
        assert!(!output.stderr.contains("hunter2"), "{}", output.stderr);
    }
    let error = call(&workspace, &["--limit", "3", "-o", "json"])
        .expect(2)
        .error();
    assert_eq!(error["kind"], "usage");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .ends_with("write limit=3")
    );
}

#[test]
fn no_advice_shows_what_may_be_a_secret() {
    let workspace = workspace();
    for words in [
        &["password", "hunter2canary"][..],
        &["password=@hunter2canary"],
        &["password:=@hunter2canary"],
        &["password:=hunter2canary"],
        &["password:hunter2canary"],
        &["password=", "hunter2canary"],
        &["-password=hunter2canary"],
        &["tokens=hunter2canary,x", "limit=x"],
    ] {
        let output = call(&workspace, words).expect(2);
        assert!(
            !output.stderr.contains("hunter2canary"),
            "{words:?}: {}",
            output.stderr
        );
    }
    let output = call(&workspace, &["tokens=hunter2canary,x"]).expect(0);
    assert!(
        output.stderr.contains("repeat `tokens=`"),
        "{}",
        output.stderr
    );
    assert!(
        !output.stderr.contains("hunter2canary"),
        "{}",
        output.stderr
    );
}

#[test]
fn standard_input_without_data_is_an_error() {
    let workspace = workspace();
    for (input, code) in [("", 2), (" \n\t", 2), ("{}", 0), ("limit: 3", 0), ("[]", 2)] {
        let mut command = workspace.toolrun();
        command.args(["call", "send-thing", "--dry-run=json", "-"]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        let done = child.wait_with_output().unwrap();
        assert_eq!(done.status.code(), Some(code), "{input:?}");
        let told = String::from_utf8_lossy(&done.stderr);
        assert_eq!(
            told.contains("standard input: "),
            code == 2,
            "{input:?}: {told}"
        );
    }
}

/// The moment is one for the whole call, and what is told is what is sent, in every output.
#[test]
fn relative_times_are_told_and_sent_once() {
    let fake = Fake::start(|_| Reply::ok());
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), "");
    let params = "params: { properties: { since: { type: string, format: date-time }, until: { type: string, format: date-time } } }";
    let request = "request: { method: GET, path: /v1, query: [since, until] }";
    workspace.tool("get-probe", "read", &format!("{params}\n{request}"));
    for format in ["json", "ndjson", "table", "csv", "yaml", "raw"] {
        let words = ["call", "get-probe", "since=now", "until=NOW", "-o", format];
        let output = workspace.run(&words).expect(0);
        let notes: Vec<&str> = output.stderr.lines().collect();
        let sent = |line: &str| line.rsplit(' ').next().unwrap().replace(':', "%3A");
        let [since, until] = notes[..] else {
            panic!("{format}: {notes:?}")
        };
        assert!(
            since.starts_with("note: since=now is sent as 20"),
            "{since}"
        );
        assert_eq!(sent(since), sent(until));
        let target = fake.targets().pop().unwrap();
        assert_eq!(
            target,
            format!("/v1?since={}&until={}", sent(since), sent(until))
        );
        assert!(!output.stdout.contains("note"), "{format}");
    }
}

/// The data of a sandbox ends at its own time, so that commands in documentation give rows in any year.
#[test]
fn relative_times_count_from_the_clock_of_a_sandbox() {
    let workspace = Workspace::new();
    let usage = ["call", "get-usage", "--sandbox", "-o", "json"];
    // The word, and what is sent: the sandbox's time is 2026-11-24.
    for (word, sent, by) in [
        ("-7d", "2026-11-17T00:00:00Z", ", by the sandbox's clock"),
        ("-36h", "2026-11-22T12:00:00Z", ", by the sandbox's clock"),
        (
            "yesterday",
            "2026-11-23T00:00:00Z",
            ", by the sandbox's clock",
        ),
        ("2026-11-20", "2026-11-20T00:00:00Z", ""),
    ] {
        let argument = format!("starting_at={word}");
        let output = workspace
            .run(&[&usage[..], &[&argument]].concat())
            .expect(0);
        let note = format!("note: starting_at={word} is sent as {sent}{by}");
        assert!(
            output.stderr.lines().any(|line| line == note),
            "{word}: {}",
            output.stderr
        );
        let rows = output.json()["usage"].as_array().map_or(0, Vec::len);
        assert!(rows > 0, "{word}: {}", output.stdout);
        // The plan is for the sandbox too.
        let planned = workspace
            .run(&["call", "get-usage", "--sandbox", "--dry-run", &argument])
            .expect(0);
        assert!(planned.stderr.contains(&note), "{}", planned.stderr);
        let real = workspace
            .run(&["call", "get-usage", "--dry-run", &argument])
            .expect(0);
        assert!(!real.stderr.contains("sandbox"), "{}", real.stderr);
    }
}

#[cfg(unix)]
#[test]
fn a_terminal_is_told_the_same() {
    use crate::support::on_terminal;
    let workspace = workspace();
    let mut command = workspace.toolrun();
    command.args(["call", "send-thing", "since=2026-11-01", "--dry-run"]);
    let (code, shown) = on_terminal(&mut command);
    let shown = String::from_utf8(shown).unwrap();
    assert_eq!(code, 0, "{shown}");
    assert!(
        shown.contains("note: since=2026-11-01 is sent as 2026-11-01T00:00:00Z"),
        "{shown}"
    );
    let mut command = workspace.toolrun();
    let (code, shown) = on_terminal(command.args(["call", "send-thing", "flag=yes\u{1b}[31m"]));
    let shown = String::from_utf8(shown).unwrap();
    assert_eq!(code, 2, "{shown}");
    assert!(!shown.contains("\u{1b}[31m"), "{shown}");
}

#[test]
fn a_file_of_arguments_has_a_bound() {
    let workspace = workspace();
    let large = std::fs::File::create(workspace.path().join("large.txt")).unwrap();
    large.set_len((64 << 20) + 1).unwrap();
    for word in ["text=@large.txt", "filter:=@large.txt", "@large.txt"] {
        let output = output(
            workspace
                .toolrun()
                .args(["call", "send-thing", word, "--dry-run"]),
        )
        .expect(2);
        assert!(
            output.stderr.contains("is larger than 67108864 bytes"),
            "{word}: {}",
            output.stderr
        );
    }
}

#[test]
fn an_argument_that_is_given_twice_is_told() {
    let workspace = workspace();
    for (words, expected, told) in [
        (
            &["limit=3", "limit=4"][..],
            json!({"limit": 4}),
            "note: limit is given more than once; the last one counts\n",
        ),
        (
            &["limit=3", "limit:=4"],
            json!({"limit": 4}),
            "note: limit is given more than once",
        ),
        (
            &["filter.a=1", "filter.a=2"],
            json!({"filter": {"a": 2}}),
            "note: filter.a is given more than once",
        ),
        (
            &["password=first", "password=second"],
            json!({"password": "second"}),
            "note: password is given",
        ),
        // An object gives what pairs may override, and items add up.
        (&["{\"limit\": 3}", "limit=4"], json!({"limit": 4}), ""),
        (&["names=a", "names=b"], json!({"names": ["a", "b"]}), ""),
    ] {
        let output = call(&workspace, words).expect(0);
        assert_eq!(body(&output), expected, "{words:?}");
        assert!(
            output.stderr.starts_with(told),
            "{words:?}: {}",
            output.stderr
        );
        assert_eq!(
            output.stderr.is_empty(),
            told.is_empty(),
            "{}",
            output.stderr
        );
        assert!(!output.stderr.contains("first"), "{}", output.stderr);
    }
}

#[test]
fn a_file_that_is_sent_is_named_by_its_path() {
    let workspace = workspace();
    workspace.write("photo.png", [0x89, b'P', b'N', b'G', 0xff]);
    let multipart = "{ multipart: { file: { file: '{{ file }}' }, note: '{{ note }}' } }";
    for (name, body) in [
        ("parts", multipart),
        ("whole", "{ bytes: { file: '{{ file }}' } }"),
    ] {
        let params = "params: { properties: { file: { type: string }, note: { type: string } }, required: [file] }";
        let note = if name == "parts" {
            ""
        } else {
            "\n  query: [note]"
        };
        let request =
            format!("{params}\nrequest:\n  method: POST\n  path: /v1/files\n  body: {body}{note}");
        workspace.tool(name, "write", &request);
        let run =
            |more: &[&str]| workspace.run(&[&["call", name, "--dry-run=json"], more].concat());
        run(&["file=photo.png"]).expect(0);
        for format in ["json", "table"] {
            let output = run(&["file=@photo.png", "-o", format]).expect(2);
            let told = "gives the text of a file, and `file` takes its path: write file=photo.png";
            assert!(output.stderr.contains(told), "{}", output.stderr);
        }
        // Another param takes the text, and a path may begin with @.
        workspace.write("@home", "x");
        run(&["file=photo.png", "note=@text.txt"]).expect(0);
        run(&["file=\\@home"]).expect(0);
    }
}

#[test]
fn a_tool_in_the_place_of_the_command_is_answered_with_the_command() {
    let workspace = workspace();
    for words in [
        &["send-thing"][..],
        &["send-thing", "limit=3", "-v"],
        &["send-thing", "--limit", "3"],
        &["probe/send-thing"],
    ] {
        let output = workspace.run(words).expect(2);
        let told = format!(
            "error: `{}` is a tool, and no command: write `toolrun call send-thing ...`\n",
            words[0]
        );
        assert_eq!(output.stderr, told, "{words:?}");
    }
    let error = workspace
        .run(&["send-thing", "-o", "json"])
        .expect(2)
        .error();
    assert_eq!(error["kind"], "usage");
    let output = workspace.run(&["lst"]).expect(2);
    assert!(
        output.stderr.contains("similar subcommands exist"),
        "{}",
        output.stderr
    );
}

#[test]
fn options_with_counts_say_what_they_take() {
    for option in ["--max-items", "--max-pages"] {
        for count in ["0", "-1", "x", "99999999999999999999"] {
            let option = format!("{option}={count}");
            let output = call(&workspace(), &[&option]).expect(2);
            assert!(
                output.stderr.contains("write a whole number, 1 at least"),
                "{}",
                output.stderr
            );
        }
    }
}

/// What would be passed over in silence is an error, before anything is sent.
#[test]
fn a_proxy_and_a_certificate_file_that_cannot_be_used_are_told() {
    let workspace = Workspace::new();
    workspace.service("https://api.probe.test", "");
    workspace.tool("look", "read", "request: { method: GET, path: /v1/things }");
    for (variable, proxy) in [
        ("HTTPS_PROXY", "ftp://user:hunter2@127.0.0.1:9"),
        ("ALL_PROXY", "socks5://user:hunter2@127.0.0.1:9"),
        ("https_proxy", "http://"),
    ] {
        let mut command = workspace.toolrun();
        let output = output(command.args(["call", "look"]).env(variable, proxy)).expect(2);
        let told = format!("the proxy of {variable} cannot be used");
        assert!(output.stderr.contains(&told), "{}", output.stderr);
        assert!(!output.stderr.contains("hunter2"), "{}", output.stderr);
    }
    let fake = Fake::start(|_| Reply::json(200, &json!({})));
    for origin in ["https://api.probe.test".to_owned(), fake.origin()] {
        workspace.service(&origin, "");
        let output = workspace
            .run(&["call", "look", "--cacert", "nowhere.pem"])
            .expect(2);
        assert!(
            output.stderr.contains("nowhere.pem cannot be used"),
            "{}",
            output.stderr
        );
    }
    assert!(fake.requests().is_empty());
}

/// Wherever it stands, a word that is no text is a mistake that is told.
#[cfg(unix)]
#[test]
fn a_word_that_is_no_text_is_told() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let workspace = Workspace::new();
    let wrong = OsStr::from_bytes(b"\xff");
    for before in [
        &[][..],
        &["call"],
        &["call", "x"],
        &["call", "--limit"],
        &["list"],
    ] {
        let output = output(workspace.toolrun().args(before).arg(wrong));
        assert_eq!(output.code, 2, "{before:?}: {}", output.stderr);
        assert!(output.stderr.starts_with("error: "), "{}", output.stderr);
    }
}
