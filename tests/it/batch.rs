//! `toolrun batch` and `toolrun worker`: what goes in, what comes out, and how a run ends.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use crate::support::{
    Fake, Manner, Output, Reply, Request, Typing, Workspace, assert_tells, output,
};

const SECRET: &str = "made-up-key-of-a-batch-4711";

/// The stores that a test is crossed with: their names and addresses.
pub(crate) fn stores(workspace: &Workspace) -> Vec<(&'static str, String)> {
    let file = workspace.path().join("store.db");
    let stores = vec![("sqlite", format!("sqlite:{}", file.display()))];
    #[cfg(feature = "postgres")]
    let stores = stores
        .into_iter()
        .chain(crate::support::postgres().map(|server| ("postgres", server.database().1)))
        .collect();
    stores
}

/// A folder with a service at a fake's origin and three tools: one that reads, one that writes with an idempotency key, and
/// one that writes without.
pub(crate) fn probe(origin: &str, more: &str) -> Workspace {
    let workspace = Workspace::new();
    let auth = "auth: { kind: api_key, in: header, name: x-key, secret: { env: PROBE_KEY } }";
    workspace.service(
        origin,
        &format!("{auth}\nretry: {{ max_attempts: 1 }}\nerrors: {{ message: $.error, request_id: {{ header: request-id }} }}\n{more}"),
    );
    let params = "params: { required: [id], properties: { id: { type: string }, n: { type: integer, default: 1 } } }";
    let output = "response: { output: { id: $.id, n: $.n } }";
    workspace.tool("get-thing", "read", &format!("{params}\nrequest: {{ method: GET, path: \"/things/{{{{ id }}}}\", query: [n] }}\n{output}"));
    workspace.tool("put-thing", "write", &format!("{params}\nrequest: {{ method: POST, path: \"/things/{{{{ id }}}}\", query: [n], idempotency_key: {{ header: Idempotency-Key }} }}\n{output}"));
    workspace.tool("make-thing", "write", &format!("{params}\nrequest: {{ method: POST, path: \"/things/{{{{ id }}}}\", query: [n] }}\n{output}"));
    workspace.tool(
        "list-things",
        "read",
        "params: { properties: { group: { type: string, default: a }, after: { type: string } } }
request: { method: GET, path: /things, query: [group, after] }
paging: { items: $.things, next: { after: $.next }, while: $.next }
response: { output: { things: $.things }, rows: things }",
    );
    workspace
}

/// What the fake answers about a thing.
pub(crate) fn thing(request: &Request) -> Reply {
    let id = request.path.rsplit('/').next().unwrap_or_default();
    let n = request.query.strip_prefix("n=").unwrap_or("1");
    Reply::json(
        200,
        &json!({ "id": id, "n": n.parse::<u64>().unwrap_or(0) }),
    )
}

/// The program with the secret of the service and a store.
pub(crate) fn toolrun(workspace: &Workspace, store: &str) -> Command {
    let mut command = workspace.toolrun();
    command.env("PROBE_KEY", SECRET).args(["--store", store]);
    command
}

pub(crate) fn run(workspace: &Workspace, store: &str, words: &[&str]) -> Output {
    output(toolrun(workspace, store).args(words).stdin(Stdio::null()))
}

/// The id of the run that the program names.
#[track_caller]
pub(crate) fn run_of(output: &Output) -> String {
    let named = output
        .stderr
        .lines()
        .find_map(|line| line.strip_prefix("run "));
    let id = named.and_then(|line| line.split(':').next());
    id.unwrap_or_else(|| panic!("no run in {}", output.stderr))
        .to_owned()
}

pub(crate) fn status(workspace: &Workspace, store: &str, id: &str) -> Value {
    run(workspace, store, &["batch", "status", id, "-o", "json"])
        .expect(0)
        .json()
}

/// Counts of a status: done, dead, unknown, and the rest.
fn counts(status: &Value) -> [u64; 4] {
    let of = |name: &str| status[name].as_u64().expect("a count");
    [
        of("done"),
        of("dead"),
        of("unknown"),
        of("ready") + of("leased"),
    ]
}

/// So many lines of NDJSON.
pub(crate) fn lines(count: usize) -> String {
    (0..count)
        .map(|n| format!("{{\"id\": \"t{n}\"}}\n"))
        .collect()
}

/// A service that answers about things, and a folder with so many lines for it in `a.ndjson`.
pub(crate) fn things(count: usize) -> (Fake, Workspace) {
    let fake = Fake::start(thing);
    let workspace = probe(&fake.origin(), "");
    workspace.write("a.ndjson", lines(count));
    (fake, workspace)
}

pub(crate) fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "waited in vain for {what}"
        );
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn lines_of_any_kind_become_calls_and_rows_come_out_in_their_order() {
    // Later lines are answered sooner.
    let served = AtomicU32::new(0);
    let fake = Fake::start(move |request| {
        let turn = served.fetch_add(1, Ordering::SeqCst) % 4;
        thread::sleep(Duration::from_millis(u64::from(40 - turn * 10)));
        thing(request)
    });
    let workspace = probe(&fake.origin(), "");
    workspace.write(
        "a.ndjson",
        "{\"id\": \"b\"}\n\n{\"id\": \"a\", \"n\": 2}\n{\"id\": \"c\"}\n",
    );
    workspace.write("a.csv", "id,n\nb,\na,2\nc,1\n");
    workspace.write("a.tsv", "n\tid\n\tb\n2\ta\n\tc\n");
    workspace.write("plain", "id,n\r\nb,\r\na,2\r\nc,\r\n");
    workspace.write("mapped.csv", "name,count,other\nb,,x\na,2,x\nc,,x\n");
    let expected = vec![
        json!({ "_key": "b", "id": "b", "n": 1 }),
        json!({ "_key": "a", "id": "a", "n": 2 }),
        json!({ "_key": "c", "id": "c", "n": 1 }),
    ];
    for (store, address) in stores(&workspace) {
        for words in [
            &["a.ndjson"][..],
            &["a.csv"],
            &["a.tsv"],
            &["plain"],
            &["mapped.csv", "--map", "id=name", "--map", "n=count"],
            &["a.csv", "--arg", "n=9", "--map", "id=id", "--map", "n=n"],
        ] {
            let mut all = vec!["batch", "get-thing", "--key", "id", "--new"];
            all.extend(words);
            let ran = run(&workspace, &address, &all).expect(0);
            let mut expected = expected.clone();
            if words.contains(&"n=9") {
                (expected[0]["n"], expected[2]["n"]) = (json!(9), json!(1));
            }
            assert_eq!(ran.lines(), expected, "{store} {words:?}");
            assert_tells(&ran, &["3 of 3 jobs done, 3 rows"]);
        }
    }
}

#[test]
fn standard_input_and_the_rows_of_another_tool_are_lines_too() {
    let fake = Fake::start(|request| match request.path.as_str() {
        "/things" => match request.query.contains("after") {
            false => Reply::json(
                200,
                &json!({ "things": [{ "id": "x", "big": 1 }, { "id": "y" }], "next": "y" }),
            ),
            true => Reply::json(200, &json!({ "things": [{ "id": "z" }], "next": null })),
        },
        _ => thing(request),
    });
    let workspace = probe(&fake.origin(), "");
    for (store, address) in stores(&workspace) {
        workspace.write("in", lines(2));
        let stdin = fs::File::open(workspace.path().join("in")).expect("the file");
        let ran = output(
            toolrun(&workspace, &address)
                .args(["batch", "get-thing", "-"])
                .stdin(stdin),
        )
        .expect(0);
        assert_eq!(ran.lines().len(), 2, "{store}");
        let ids = |output: &Output| -> Vec<Value> {
            output.lines().iter().map(|row| row["id"].clone()).collect()
        };
        let from = [
            "batch",
            "get-thing",
            "--from",
            "list-things",
            "--from-arg",
            "group=b",
        ];
        let ran = run(
            &workspace,
            &address,
            &[&from[..], &["--map", "id=id"]].concat(),
        )
        .expect(0);
        assert_eq!(ids(&ran), ["x", "y", "z"], "{store}");
        let asked = fake.targets();
        assert!(
            asked
                .iter()
                .any(|target| target == "/things?group=b&after=y"),
            "{asked:?}"
        );
        let ran = run(
            &workspace,
            &address,
            &[&from[..], &["--map", "id=\"w\" ~ id"]].concat(),
        )
        .expect(0);
        assert_eq!(ids(&ran), ["wx", "wy", "wz"], "{store}");
        // Without a map the columns must be the params.
        let ran = run(&workspace, &address, &from).expect(2);
        assert_tells(
            &ran,
            &[
                "1 of 3 lines are not valid",
                "row 1: big: is no argument",
                "--map PARAM=COLUMN",
            ],
        );
        let ran = run(
            &workspace,
            &address,
            &[&from[..], &["--map", "id=name"]].concat(),
        )
        .expect(2);
        assert_tells(
            &ran,
            &["3 of 3 lines are not valid", "row 1: id: it has no `name`"],
        );
        let ran = run(
            &workspace,
            &address,
            &["batch", "get-thing", "--from", "make-thing"],
        )
        .expect(2);
        assert_tells(
            &ran,
            &["--from: make-thing is no tool that reads, but a write tool"],
        );
    }
}

#[test]
fn wrong_lines_are_told_with_their_numbers_before_anything_is_sent_or_stored() {
    let fake = Fake::start(thing);
    let workspace = probe(&fake.origin(), "");
    let store = stores(&workspace).remove(0).1;
    workspace.write(
        "bad.ndjson",
        "{\"id\": \"a\"}\n{\"n\": \"x\"}\n{\"id\": 5}\n[]\nnot json\n{\"id\": \"b\"}\n",
    );
    workspace.write("bad.csv", "id,n\na,1\nb\nc,x\n");
    workspace.write("bad-header.csv", "id,m\na,1\n");
    workspace.write("twice.csv", "id,id\na,1\n");
    workspace.write("empty.ndjson", "\n\n");
    for (words, told) in [
        (
            &["bad.ndjson"][..],
            &[
                "4 of 6 lines are not valid for get-thing, and nothing was sent or stored",
                "line 2: n: must be an integer",
                "id: is required and absent",
                "line 3: id:",
                "line 4: this is an array",
                "line 5: no JSON",
            ][..],
        ),
        (
            &["bad.csv"],
            &[
                "2 of 3 lines are not valid",
                "line 3: it has 1 fields",
                "line 4: n:",
            ],
        ),
        (
            &["bad-header.csv"],
            &["the column m is no param of get-thing"],
        ),
        (
            &["twice.csv"],
            &["line 1 must name the columns: `id` is there twice"],
        ),
        (&["empty.ndjson"], &["there is no line in it"]),
        (&["absent.csv"], &["cannot read absent.csv"]),
        (&[], &["name the file of argument lines"]),
        (
            &["bad.csv", "--key", "idd"],
            &["`idd`: get-thing has no param `idd`; did you mean `id`?"],
        ),
        (
            &["bad.csv", "--map", "idd=id"],
            &["get-thing has no param `idd`; did you mean `id`?"],
        ),
        (
            &["bad.csv", "--shard", "2/2"],
            &["there is no shard 2 of 2; they are counted from 0 to 1"],
        ),
        (
            &["bad.csv", "--set", "x=1"],
            &["--set x: the service probe has no such setting"],
        ),
        (
            &["bad.csv", "--output", "parquet"],
            &[if cfg!(feature = "parquet") {
                "Parquet is written to a file"
            } else {
                "writes no Parquet"
            }],
        ),
        (
            &["bad.csv", "--out", "nowhere/x.csv"],
            &["there is no folder nowhere"],
        ),
    ] {
        let mut all = vec!["batch", "get-thing"];
        all.extend(words);
        let ran = run(&workspace, &store, &all).expect(2);
        assert_tells(&ran, told);
        assert_eq!(ran.stdout, "", "{words:?}");
    }
    let listed = run(&workspace, &store, &["batch", "list", "--json"]).expect(0);
    assert_eq!((listed.json(), fake.requests().len()), (json!([]), 0));
    // As JSON, the same is one object.
    let ran = run(
        &workspace,
        &store,
        &["batch", "get-thing", "bad.csv", "--progress", "json"],
    )
    .expect(2);
    assert!(
        ran.error()["message"]
            .as_str()
            .expect("a message")
            .contains("line 3")
    );

    let ran = run(
        &workspace,
        &store,
        &[
            "batch",
            "get-thing",
            "bad.ndjson",
            "--key",
            "id",
            "--skip-invalid",
            "left.ndjson",
        ],
    )
    .expect(0);
    assert_tells(
        &ran,
        &["4 of 6 lines are not valid and left out; they are in left.ndjson"],
    );
    assert_eq!(ran.lines().len(), 2);
    let left = fs::read_to_string(workspace.path().join("left.ndjson")).expect("the file");
    let left: Vec<Value> = left
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let numbers: Vec<&Value> = left.iter().map(|line| &line["line"]).collect();
    assert_eq!(numbers, [2, 3, 4, 5]);
    assert_eq!(left[3]["text"], "not json");
}

#[test]
fn the_same_lines_again_are_the_same_run() {
    let fake = Fake::start(thing);
    let workspace = probe(&fake.origin(), "");
    workspace.write("a.ndjson", format!("{}{}", lines(5), lines(2)));
    workspace.write("same.csv", "id\nt0\nt1\nt2\nt3\nt4\nt0\nt1\n");
    for (store, address) in stores(&workspace) {
        let before = fake.requests().len();
        let first = run(&workspace, &address, &["batch", "get-thing", "a.ndjson"]).expect(0);
        assert_tells(&first, &["2 lines have the key of an earlier line"]);
        let again = run(
            &workspace,
            &address,
            &["batch", "get-thing", "same.csv", "--concurrency", "2"],
        )
        .expect(0);
        assert_tells(
            &again,
            &["the same lines as before, so nothing is added; 5 of 5 jobs are done"],
        );
        assert_eq!(
            (run_of(&again), &again.stdout),
            (run_of(&first), &first.stdout),
            "{store}"
        );
        assert_eq!(fake.requests().len() - before, 5, "{store}");
        let new = run(
            &workspace,
            &address,
            &["batch", "get-thing", "a.ndjson", "--new"],
        )
        .expect(0);
        assert_ne!(run_of(&new), run_of(&first), "{store}");
        assert_eq!(fake.requests().len() - before, 10, "{store}");
        // A beginning of an id is enough, if only one run has it.
        let id = run_of(&first);
        let other = run_of(&new);
        let common = id
            .bytes()
            .zip(other.bytes())
            .take_while(|(a, b)| a == b)
            .count();
        let told = run(&workspace, &address, &["batch", "status", &id[..=common]]).expect(0);
        assert!(told.stdout.contains(&id), "{}", told.stdout);
        let told = run(&workspace, &address, &["batch", "forget", &id]).expect(0);
        assert_tells(&told, &["is forgotten, with 5 jobs and 5 rows"]);
        let told = run(&workspace, &address, &["batch", "status", &id]).expect(2);
        assert_tells(&told, &[&format!("there is no run {id}")]);
        // A run that was forgotten is made anew, under the id that it had.
        let anew = run(&workspace, &address, &["batch", "get-thing", "a.ndjson"]).expect(0);
        assert_eq!(
            (run_of(&anew), fake.requests().len() - before),
            (id, 15),
            "{store}"
        );
    }
}

#[test]
fn shards_share_the_lines_of_a_file_between_machines_without_a_common_store() {
    let (_fake, workspace) = things(60);
    let mut ids = BTreeSet::new();
    for index in 0..3 {
        let store = format!(
            "sqlite:{}",
            workspace.path().join(format!("{index}.db")).display()
        );
        let shard = format!("{index}/3");
        let ran = run(
            &workspace,
            &store,
            &["batch", "get-thing", "a.ndjson", "--shard", &shard],
        )
        .expect(0);
        assert_tells(&ran, &["lines belong to other shards"]);
        for row in ran.lines() {
            assert!(ids.insert(row["id"].to_string()), "{row} is in two shards");
        }
    }
    assert_eq!(ids.len(), 60);
}

#[test]
fn all_pages_of_a_list_are_rows() {
    let fake = Fake::start(|request| {
        let group = request.query.strip_prefix("group=").unwrap_or_default();
        let (group, after) = group.split_once("&after=").unwrap_or((group, "0"));
        let page: usize = after.parse().expect("a number");
        let things: Vec<Value> = match group {
            "empty" => vec![],
            _ => (0..3)
                .map(|n| json!({ "id": format!("{group}{}", page * 3 + n), "_key": 7 }))
                .collect(),
        };
        let next = (group != "empty" && page < 4).then(|| (page + 1).to_string());
        Reply::json(200, &json!({ "things": things, "next": next }))
    });
    let workspace = probe(&fake.origin(), "");
    workspace.write("a.csv", "group\na\nempty\nb\n");
    for (store, address) in stores(&workspace) {
        let ran = run(
            &workspace,
            &address,
            &["batch", "list-things", "a.csv", "--key", "group"],
        )
        .expect(0);
        let rows = ran.lines();
        let told: Vec<(&str, &str)> = rows
            .iter()
            .map(|row| {
                (
                    row["_key"].as_str().expect("a key"),
                    row["id"].as_str().expect("an id"),
                )
            })
            .collect();
        let expected: Vec<(String, String)> = ["a", "b"]
            .iter()
            .flat_map(|group| (0..15).map(move |n| ((*group).to_owned(), format!("{group}{n}"))))
            .collect();
        let expected: Vec<(&str, &str)> = expected
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        assert_eq!(told, expected, "{store}");
        assert!(rows.iter().all(|row| row["_key_of_row"] == 7), "{store}");
        assert_tells(&ran, &["3 of 3 jobs done, 30 rows"]);
    }
}

#[test]
fn rows_are_written_in_each_format_whole() {
    let (_fake, workspace) = things(3);
    let read = |name: &str| fs::read_to_string(workspace.path().join(name)).expect("the file");
    for (store, address) in stores(&workspace) {
        let all = ["batch", "get-thing", "a.ndjson", "--key", "id", "--new"];
        let with = |more: &[&str]| run(&workspace, &address, &[&all[..], more].concat());
        let ndjson = "{\"_key\":\"t0\",\"id\":\"t0\",\"n\":1}\n{\"_key\":\"t1\",\"id\":\"t1\",\"n\":1}\n{\"_key\":\"t2\",\"id\":\"t2\",\"n\":1}\n";
        let csv = "_key,id,n\nt0,t0,1\nt1,t1,1\nt2,t2,1\n";
        assert_eq!(with(&[]).expect(0).stdout, ndjson, "{store}");
        assert_eq!(with(&["-o", "csv"]).expect(0).stdout, csv, "{store}");
        let ran = with(&["--out", "rows.csv"]).expect(0);
        assert_tells(&ran, &["3 rows in rows.csv"]);
        assert_eq!(
            (ran.stdout.as_str(), read("rows.csv").as_str()),
            ("", csv),
            "{store}"
        );
        with(&["--out", "rows.ndjson"]).expect(0);
        assert_eq!(read("rows.ndjson"), ndjson, "{store}");
        let id = run_of(&ran);
        let rows = run(&workspace, &address, &["batch", "rows", &id]).expect(0);
        assert_eq!(rows.stdout, ndjson, "{store}");
        #[cfg(feature = "parquet")]
        {
            with(&["--out", "rows.parquet"]).expect(0);
            let bytes = fs::read(workspace.path().join("rows.parquet")).expect("the file");
            assert_eq!(
                (&bytes[..4], &bytes[bytes.len() - 4..]),
                (&b"PAR1"[..], &b"PAR1"[..])
            );
        }
    }
}

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Done,
    /// The service refuses a line.
    Refused,
    /// The service fails once for each third line.
    FailsOnce,
    /// The connection is cut once for each third line, after the request came.
    CutOnce,
    /// The service refuses the credential.
    Unauthenticated,
    /// The secret is not there.
    NoSecret,
    /// Ctrl-C.
    Interrupted,
    /// SIGKILL.
    Killed,
    /// `batch cancel` from elsewhere.
    Cancelled,
}

/// For each way of ending: the exit code, then how the jobs stand for a tool that reads, for one that writes with a key and
/// for one that writes without; then the same after `batch resume`. Counts are done, dead, unknown and the rest; `None`
/// means that chance decides.
fn every_way_of_ending(tool: &str) {
    use Ending::{
        Cancelled, CutOnce, Done, FailsOnce, Interrupted, Killed, NoSecret, Refused,
        Unauthenticated,
    };
    let jobs = 12;
    let all = Some([12, 0, 0, 0]);
    let one_dead = Some([11, 1, 0, 0]);
    let lost = Some([8, 0, 4, 0]);
    let none = Some([0, 0, 0, 12]);
    for (ending, code, code_once, [read, keyed, once], [read_after, keyed_after, once_after]) in [
        (Done, 0, 0, [all, all, all], [all, all, all]),
        (Refused, 10, 10, [one_dead; 3], [one_dead; 3]),
        (FailsOnce, 0, 10, [all, all, lost], [all, all, lost]),
        (CutOnce, 0, 10, [all, all, lost], [all, all, lost]),
        (Unauthenticated, 6, 6, [none; 3], [all, all, all]),
        (NoSecret, 4, 4, [none; 3], [all, all, all]),
        (Interrupted, 130, 130, [None; 3], [all, all, None]),
        (Killed, 137, 137, [None; 3], [all, all, None]),
        (Cancelled, 10, 10, [None; 3], [all, all, all]),
    ] {
        for (own, is_once, expected, after) in [
            ("get-thing", false, read, read_after),
            ("put-thing", false, keyed, keyed_after),
            ("make-thing", true, once, once_after),
        ] {
            if own != tool {
                continue;
            }
            let service = Service::new(ending);
            let workspace = probe(&service.fake.origin(), "");
            workspace.write("a.ndjson", lines(jobs));
            for (store, address) in stores(&workspace) {
                service.forget();
                let what = format!("{ending:?} {tool} {store}");
                let ended = end(&workspace, &address, &service, tool, ending);
                let wanted = if is_once { code_once } else { code };
                assert_eq!(
                    ended.code, wanted,
                    "{what}: {} {}",
                    ended.stdout, ended.stderr
                );
                let id = run_of(&ended);
                if ending == Killed {
                    thread::sleep(Duration::from_millis(1100));
                }
                let stands = counts(&status(&workspace, &address, &id));
                assert_eq!(stands.iter().sum::<u64>(), jobs as u64, "{what}");
                if let Some(expected) = expected {
                    assert_eq!(stands, expected, "{what}: {}", ended.stderr);
                }
                service.heal();
                let resumed = run(
                    &workspace,
                    &address,
                    &["batch", "resume", &id, "--lease", "1s"],
                );
                let stands = counts(&status(&workspace, &address, &id));
                match after {
                    Some(after) => assert_eq!(stands, after, "{what}: {}", resumed.stderr),
                    // A write whose end nobody saw is told, and not sent again.
                    None => assert_eq!(
                        (stands[1], stands[3]),
                        (0, 0),
                        "{what}: {stands:?} {}",
                        resumed.stderr
                    ),
                }
                let failed = stands[1] + stands[2];
                assert_eq!(
                    resumed.code,
                    if failed > 0 { 10 } else { 0 },
                    "{what}: {}",
                    resumed.stderr
                );
                assert_eq!(resumed.lines().len() as u64, stands[0], "{what}");
                service.judge(is_once, &what);
            }
        }
    }
}

#[test]
#[ignore = "long"]
fn reads_end_in_every_way_on_every_store() {
    every_way_of_ending("get-thing");
}

#[test]
#[ignore = "long"]
fn writes_with_a_key_end_in_every_way_on_every_store() {
    every_way_of_ending("put-thing");
}

#[test]
#[ignore = "long"]
fn writes_without_a_key_end_in_every_way_on_every_store() {
    every_way_of_ending("make-thing");
}

/// A service that is in the way as an ending says, and remembers what it was sent.
struct Service {
    fake: Fake,
    seen: Arc<Mutex<BTreeMap<String, Vec<Option<String>>>>>,
    is_healed: Arc<AtomicU32>,
}

impl Service {
    fn new(ending: Ending) -> Service {
        let seen: Arc<Mutex<BTreeMap<String, Vec<Option<String>>>>> = Arc::default();
        let is_healed = Arc::new(AtomicU32::new(0));
        let (known, healed) = (Arc::clone(&seen), Arc::clone(&is_healed));
        let fake = Fake::start(move |request| {
            let before = {
                let mut seen = known.lock().expect("no panic");
                let keys = seen.entry(request.path.clone()).or_default();
                keys.push(request.header("idempotency-key").map(str::to_owned));
                keys.len() - 1
            };
            let is_healed = healed.load(Ordering::SeqCst) > 0;
            let place = request.path.trim_start_matches("/things/t");
            let place: u64 = place.parse().unwrap_or(0);
            match ending {
                Ending::Refused if request.path == "/things/t3" => {
                    Reply::json(404, &json!({ "error": "there is no t3" }))
                        .with("request-id", "r-3")
                }
                Ending::FailsOnce if before == 0 && place.is_multiple_of(3) => {
                    Reply::json(500, &json!({ "error": "oh" }))
                }
                Ending::CutOnce if before == 0 && place.is_multiple_of(3) => {
                    Reply::manner(Manner::Drop)
                }
                Ending::Unauthenticated if !is_healed => {
                    Reply::json(401, &json!({ "error": "who?" }))
                }
                Ending::Interrupted | Ending::Killed | Ending::Cancelled if !is_healed => {
                    // Some are answered, others are not in time.
                    thread::sleep(Duration::from_millis(if place < 3 { 5 } else { 400 }));
                    thing(request)
                }
                _ => thing(request),
            }
        });
        Service {
            fake,
            seen,
            is_healed,
        }
    }

    fn heal(&self) {
        self.is_healed.store(1, Ordering::SeqCst);
    }

    fn forget(&self) {
        self.is_healed.store(0, Ordering::SeqCst);
        self.seen.lock().expect("no panic").clear();
    }

    fn count(&self) -> usize {
        self.seen
            .lock()
            .expect("no panic")
            .values()
            .map(Vec::len)
            .sum()
    }

    /// All tries of a write have one key; without a key there is one try, unless the service said that nothing was done.
    fn judge(&self, is_once: bool, what: &str) {
        for (path, keys) in &*self.seen.lock().expect("no panic") {
            let different: BTreeSet<_> = keys.iter().collect();
            assert_eq!(different.len(), 1, "{what}: {path} {keys:?}");
            if is_once && !what.starts_with("Unauthenticated") {
                assert_eq!(keys.len(), 1, "{what}: {path}");
            }
        }
    }
}

fn end(
    workspace: &Workspace,
    store: &str,
    service: &Service,
    tool: &str,
    ending: Ending,
) -> Output {
    let mut command = toolrun(workspace, store);
    command.args([
        "batch",
        tool,
        "a.ndjson",
        "--yes",
        "--new",
        "--lease",
        "1s",
        "--stop-after",
        "5",
        "--concurrency",
        "4",
    ]);
    let signal = match ending {
        Ending::NoSecret => {
            command.env_remove("PROBE_KEY");
            return output(&mut command);
        }
        Ending::Interrupted => Some("-INT"),
        Ending::Killed => Some("-KILL"),
        Ending::Cancelled => None,
        _ => return output(&mut command),
    };
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().expect("the program starts");
    wait_for("some calls", || service.count() >= 5);
    match signal {
        Some(signal) => {
            output(Command::new("kill").args([signal, &child.id().to_string()])).expect(0);
        }
        None => {
            let runs = run(workspace, store, &["batch", "list", "--json"])
                .expect(0)
                .json();
            let id = runs[0]["run"].as_str().expect("a run").to_owned();
            let told = run(workspace, store, &["batch", "cancel", &id]).expect(0);
            assert_tells(&told, &["cancelled"]);
        }
    }
    ended(child)
}

/// Waits for the end of a program that was started.
pub(crate) fn ended(child: Child) -> Output {
    let ended = child.wait_with_output().expect("it ends");
    Output {
        code: ended.status.code().unwrap_or(137),
        stdout: String::from_utf8(ended.stdout).expect("UTF-8"),
        stderr: String::from_utf8(ended.stderr).expect("UTF-8"),
    }
}

#[test]
fn what_was_interrupted_says_how_to_go_on() {
    let service = Service::new(Ending::Interrupted);
    let workspace = probe(&service.fake.origin(), "");
    workspace.write("a.ndjson", lines(12));
    let store = stores(&workspace).remove(0).1;
    let ended = end(
        &workspace,
        &store,
        &service,
        "get-thing",
        Ending::Interrupted,
    )
    .expect(130);
    let id = run_of(&ended);
    assert_tells(
        &ended,
        &[
            "interrupted; ",
            " jobs were given back",
            &format!("`toolrun batch resume {id}` goes on"),
        ],
    );
    let stands = status(&workspace, &store, &id);
    assert_eq!(
        (stands["leased"].clone(), stands["state"].clone()),
        (json!(0), json!("open"))
    );
    // What is done so far can be had.
    let rows = run(&workspace, &store, &["batch", "rows", &id]).expect(0);
    assert_eq!(json!(rows.lines().len()), stands["done"]);
    assert_eq!(ended.stdout, "");
}

#[test]
fn dead_jobs_are_listed_with_their_facts_and_can_be_tried_again() {
    let service = Service::new(Ending::Refused);
    let workspace = probe(&service.fake.origin(), "");
    workspace.write("a.csv", "id\nt1\nt3\nt5\n");
    for (store, address) in stores(&workspace) {
        let ran = run(
            &workspace,
            &address,
            &["batch", "get-thing", "a.csv", "--key", "id", "--new"],
        )
        .expect(10);
        let id = run_of(&ran);
        assert_tells(
            &ran,
            &[
                "t3: the service answered 404",
                "there is no t3",
                "the job is dead",
                "1 job failed for good",
                "2 of 3 jobs done, 2 rows, 1 dead",
            ],
        );
        let dead = run(&workspace, &address, &["batch", "dead", &id, "-o", "json"])
            .expect(0)
            .json();
        let told = &dead["message"];
        assert!(
            told.as_str().expect("a message").contains("there is no t3"),
            "{told}"
        );
        assert_eq!(
            json!([
                dead["key"],
                dead["line"],
                dead["kind"],
                dead["status"],
                dead["request_id"],
                dead["arguments"]["id"]
            ]),
            json!(["t3", 3, "refused", 404, "r-3", "t3"]),
            "{store}"
        );
        let words = run(&workspace, &address, &["batch", "dead", &id]).expect(0);
        assert!(
            words
                .stdout
                .contains("t3  [line 3, refused, 404, request id r-3]"),
            "{}",
            words.stdout
        );
        let retried = run(&workspace, &address, &["batch", "retry", &id, "--json"])
            .expect(0)
            .json();
        assert_eq!(
            retried,
            json!({ "run": id, "ready": 1, "unknown": 0 }),
            "{store}"
        );
        assert_eq!(
            counts(&status(&workspace, &address, &id)),
            [2, 0, 0, 1],
            "{store}"
        );
        run(&workspace, &address, &["batch", "resume", &id]).expect(10);
        assert_eq!(
            counts(&status(&workspace, &address, &id)),
            [2, 1, 0, 0],
            "{store}"
        );
    }
}

#[test]
fn a_write_that_may_have_been_carried_out_is_sent_again_only_when_somebody_says_so() {
    let service = Service::new(Ending::CutOnce);
    let workspace = probe(&service.fake.origin(), "");
    workspace.write("a.csv", "id\nt0\nt3\n");
    for (store, address) in stores(&workspace) {
        service.forget();
        let ran = run(
            &workspace,
            &address,
            &["batch", "make-thing", "a.csv", "--yes"],
        )
        .expect(10);
        let id = run_of(&ran);
        assert_tells(
            &ran,
            &[
                "nobody knows whether it was carried out",
                "of 2 jobs nobody knows",
            ],
        );
        let listed = run(
            &workspace,
            &address,
            &["batch", "dead", &id, "--unknown", "--json"],
        )
        .expect(0);
        assert_eq!(listed.lines().len(), 2, "{store}");
        let told = run(&workspace, &address, &["batch", "retry", &id]).expect(0);
        assert_tells(
            &told,
            &["no job is ready again", "then `--unknown` tries them again"],
        );
        run(&workspace, &address, &["batch", "resume", &id]).expect(10);
        assert_eq!(service.count(), 2, "{store}");
        let told = run(&workspace, &address, &["batch", "retry", &id, "--unknown"]).expect(0);
        assert_tells(
            &told,
            &["2 jobs may have been carried out already, and may be carried out a second time"],
        );
        let done = run(&workspace, &address, &["batch", "resume", &id]).expect(0);
        assert_eq!((done.lines().len(), service.count()), (2, 4), "{store}");
    }
}

#[test]
fn writes_need_one_consent_for_the_run() {
    let (fake, workspace) = things(5);
    let store = stores(&workspace).remove(0).1;
    let refused = run(&workspace, &store, &["batch", "put-thing", "a.ndjson"]).expect(5);
    assert_tells(
        &refused,
        &[
            "put-thing is a write tool, which needs consent",
            "confirm with `--yes`",
        ],
    );
    let planned = run(
        &workspace,
        &store,
        &["batch", "put-thing", "a.ndjson", "--dry-run"],
    )
    .expect(0);
    assert_eq!(
        planned.stdout.matches("POST /things/t").count(),
        3,
        "{}",
        planned.stdout
    );
    assert_tells(&planned, &["5 jobs; nothing was sent or stored"]);
    for (keys, code) in [("n\n", 5), ("y\n", 0)] {
        let mut command = toolrun(&workspace, &store);
        command.args(["batch", "put-thing", "a.ndjson"]);
        let mut typing = Typing::start(100, &mut command);
        typing.wait("the question", |shown| {
            shown.contains("Make all 5 calls? [y/N]")
        });
        let shown = typing.shown();
        assert!(
            shown.contains("put-thing would be called 5 times"),
            "{shown}"
        );
        assert_eq!(shown.matches("POST /things/t").count(), 3, "{shown}");
        assert!(
            shown.contains("x-key: ***") && !shown.contains(SECRET),
            "{shown}"
        );
        typing.keys(keys);
        assert_eq!(typing.end().0, code);
    }
    assert_eq!(fake.requests().len(), 5);
    // Workers go by the consent of the run.
    let left = run(
        &workspace,
        &store,
        &[
            "batch",
            "put-thing",
            "a.ndjson",
            "--yes",
            "--new",
            "--enqueue-only",
        ],
    )
    .expect(0);
    let id = run_of(&left);
    assert_tells(&left, &[&format!("toolrun worker {id} --store sqlite:")]);
    assert_eq!(fake.requests().len(), 5);
    run(&workspace, &store, &["worker", &id]).expect(0);
    assert_eq!(fake.requests().len(), 10);
}

#[test]
fn workers_share_a_run_and_refuse_one_of_another_descriptor() {
    let fake = Fake::start(|request| {
        thread::sleep(Duration::from_millis(5));
        thing(request)
    });
    let workspace = probe(&fake.origin(), "");
    workspace.write("a.ndjson", lines(80));
    for (store, address) in stores(&workspace) {
        let before = fake.requests().len();
        let left = run(
            &workspace,
            &address,
            &["batch", "get-thing", "a.ndjson", "--enqueue-only"],
        )
        .expect(0);
        let id = run_of(&left);
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let mut command = toolrun(&workspace, &address);
                command
                    .args(["worker", "--concurrency", "2"])
                    .stderr(Stdio::piped());
                command.spawn().expect("a worker")
            })
            .collect();
        for worker in workers {
            let ended = worker.wait_with_output().expect("it ends");
            let told = String::from_utf8_lossy(&ended.stderr).into_owned();
            assert!(ended.status.success(), "{store}: {told}");
        }
        assert_eq!(
            counts(&status(&workspace, &address, &id)),
            [80, 0, 0, 0],
            "{store}"
        );
        assert_eq!(fake.requests().len() - before, 80, "{store}");
        let again = run(
            &workspace,
            &address,
            &["batch", "get-thing", "a.ndjson", "--enqueue-only", "--new"],
        )
        .expect(0);
        let told = run(&workspace, &address, &["worker", "--progress", "json"]).expect(0);
        let lines: Vec<Value> = told
            .stderr
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        let last = lines.last().expect("a line");
        assert_eq!(
            (&last["run"], &last["done"], &last["state"]),
            (&json!(run_of(&again)), &json!(80), &json!("ended")),
            "{store}"
        );
        let idle = run(&workspace, &address, &["worker"]).expect(0);
        assert_tells(&idle, &["there is no work in"]);

        let left = run(
            &workspace,
            &address,
            &["batch", "get-thing", "a.ndjson", "--enqueue-only", "--new"],
        )
        .expect(0);
        let id = run_of(&left);
        let file = workspace.path().join("descriptors/probe/get-thing.yaml");
        let text = fs::read_to_string(&file).expect("the tool");
        fs::write(&file, text.replace("A probe.", "Another probe.")).expect("the tool");
        for words in [&["worker", &id][..], &["batch", "resume", &id]] {
            let refused = run(&workspace, &address, words).expect(3);
            assert_tells(
                &refused,
                &[
                    "the descriptor of probe/get-thing here is not the one that the run",
                    &id,
                ],
            );
        }
        let refused = run(&workspace, &address, &["worker"]).expect(0);
        assert_tells(
            &refused,
            &[&format!("run {id} is left alone: the descriptor")],
        );
        fs::write(&file, text).expect("the tool");
        run(&workspace, &address, &["worker", &id]).expect(0);
        assert_eq!(
            counts(&status(&workspace, &address, &id)),
            [80, 0, 0, 0],
            "{store}"
        );
    }
}

#[test]
fn a_worker_that_waits_takes_new_runs_and_ends_at_a_signal() {
    let (fake, workspace) = things(10);
    for (store, address) in stores(&workspace) {
        let before = fake.requests().len();
        let mut command = toolrun(&workspace, &address);
        command.args(["worker", "--forever"]).stderr(Stdio::piped());
        let worker = command.spawn().expect("a worker");
        let left = run(
            &workspace,
            &address,
            &["batch", "get-thing", "a.ndjson", "--enqueue-only", "--new"],
        )
        .expect(0);
        wait_for("the calls", || fake.requests().len() - before == 10);
        let id = run_of(&left);
        wait_for("the end", || {
            status(&workspace, &address, &id)["state"] == "ended"
        });
        output(Command::new("kill").args(["-TERM", &worker.id().to_string()])).expect(0);
        let ended = worker.wait_with_output().expect("it ends");
        let told = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(143), "{store}: {told}");
        assert!(
            told.contains("working on it") && told.contains("interrupted"),
            "{told}"
        );
    }
}

#[test]
fn failures_that_all_jobs_share_stop_the_run_and_burn_few_jobs() {
    for (status_code, stop_after, most_dead, code) in [(403, 5, 5 + 8, 6), (404, 3, 15 + 8, 6)] {
        let fake = Fake::start(move |_| Reply::json(status_code, &json!({ "error": "no" })));
        let workspace = probe(&fake.origin(), "");
        workspace.write("a.ndjson", lines(200));
        for (store, address) in stores(&workspace) {
            let stop = stop_after.to_string();
            let ran = run(
                &workspace,
                &address,
                &["batch", "get-thing", "a.ndjson", "--stop-after", &stop],
            )
            .expect(code);
            let id = run_of(&ran);
            assert_tells(
                &ran,
                &[
                    "the run was stopped after",
                    "failures in a row",
                    "no job is lost",
                    &format!("`toolrun batch resume {id}` goes on"),
                ],
            );
            let [done, dead, unknown, left] = counts(&status(&workspace, &address, &id));
            assert_eq!((done, unknown), (0, 0), "{store}");
            assert!(
                dead <= most_dead && left >= 200 - most_dead,
                "{store} {status_code}: {dead} dead"
            );
        }
    }
    // Zero never stops.
    let fake = Fake::start(|_| Reply::json(404, &json!({ "error": "no" })));
    let workspace = probe(&fake.origin(), "");
    workspace.write("a.ndjson", lines(120));
    let store = stores(&workspace).remove(0).1;
    let ran = run(
        &workspace,
        &store,
        &["batch", "get-thing", "a.ndjson", "--stop-after", "0"],
    )
    .expect(10);
    assert_tells(
        &ran,
        &[
            "120 jobs failed for good",
            "more of them are not told one by one",
        ],
    );
}

#[test]
#[ignore = "long"]
fn trouble_of_the_service_is_waited_for() {
    let failing = Arc::new(AtomicUsize::new(12));
    let left = Arc::clone(&failing);
    let fake = Fake::start(move |request| {
        let is_down = left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            })
            .is_ok();
        match is_down {
            true => Reply::json(503, &json!({ "error": "down" })),
            false => thing(request),
        }
    });
    let workspace = probe(&fake.origin(), "");
    workspace.write("a.ndjson", lines(30));
    for (store, address) in stores(&workspace) {
        failing.store(10, Ordering::SeqCst);
        let ran = run(
            &workspace,
            &address,
            &[
                "batch",
                "get-thing",
                "a.ndjson",
                "--new",
                "--max-attempts",
                "3",
            ],
        )
        .expect(0);
        assert_tells(
            &ran,
            &["the service is in trouble: one call tries again in 1.0 s"],
        );
        assert_eq!(ran.lines().len(), 30, "{store}");
        // For a time that somebody says.
        failing.store(1000, Ordering::SeqCst);
        let ran = run(
            &workspace,
            &address,
            &[
                "batch",
                "get-thing",
                "a.ndjson",
                "--new",
                "--patience",
                "500ms",
            ],
        )
        .expect(7);
        assert_tells(&ran, &["the run was stopped after", "503"]);
        let [done, dead, ..] = counts(&status(&workspace, &address, &run_of(&ran)));
        assert_eq!((done, dead), (0, 0), "{store}");
        failing.store(0, Ordering::SeqCst);
        let id = run_of(&ran);
        run(&workspace, &address, &["batch", "resume", &id]).expect(0);
    }
}

#[test]
#[ignore = "long"]
fn a_rate_holds_for_all_workers_together() {
    let times: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let seen = Arc::clone(&times);
    let fake = Fake::start(move |request| {
        seen.lock().expect("no panic").push(Instant::now());
        thing(request)
    });
    let workspace = probe(&fake.origin(), "");
    workspace.write("a.ndjson", lines(45));
    for (store, address) in stores(&workspace) {
        times.lock().expect("no panic").clear();
        let left = run(
            &workspace,
            &address,
            &[
                "batch",
                "get-thing",
                "a.ndjson",
                "--rate",
                "20/s",
                "--enqueue-only",
                "--new",
            ],
        )
        .expect(0);
        let id = run_of(&left);
        let mut workers: Vec<_> = (0..2)
            .map(|_| {
                toolrun(&workspace, &address)
                    .args(["worker", &id])
                    .stderr(Stdio::null())
                    .spawn()
                    .expect("a worker")
            })
            .collect();
        // A worker on a busy machine may be at work whenever one looks, though it waits in between.
        wait_for("a worker that waits for the budget", || {
            status(&workspace, &address, &id)["waits_for_budget"] == true
        });
        workers
            .iter_mut()
            .for_each(|worker| assert!(worker.wait().expect("it ends").success()));
        let times = times.lock().expect("no panic").clone();
        assert_eq!(times.len(), 45, "{store}");
        let most = most_in_a_window(&times, Duration::from_secs(1));
        assert!(most <= 20, "{store}: {most} in a second");
    }
}

/// The most moments in any window of this length.
pub(crate) fn most_in_a_window(times: &[Instant], window: Duration) -> usize {
    let mut times = times.to_vec();
    times.sort();
    let inside = |(at, begin): (usize, &Instant)| {
        times[at..]
            .iter()
            .take_while(|time| **time - *begin < window)
            .count()
    };
    times.iter().enumerate().map(inside).max().unwrap_or(0)
}

#[test]
fn the_status_is_words_for_people_and_facts_for_scripts() {
    let (_fake, workspace) = things(3);
    for (store, address) in stores(&workspace) {
        let ran = run(
            &workspace,
            &address,
            &["batch", "get-thing", "a.ndjson", "--progress", "json"],
        )
        .expect(0);
        let told: Vec<Value> = ran
            .stderr
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let last = told.last().expect("a line of JSON");
        assert_eq!(
            (&last["done"], &last["jobs"], &last["state"]),
            (&json!(3), &json!(3), &json!("ended")),
            "{store}: {}",
            ran.stderr
        );
        let id = last["run"].as_str().expect("a run").to_owned();
        let names: Vec<String> = last
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect();
        let expected = [
            "run",
            "tool",
            "source",
            "state",
            "created",
            "jobs",
            "done",
            "dead",
            "unknown",
            "ready",
            "leased",
            "rows",
            "per_second",
            "seconds_left",
            "oldest_lease_seconds",
            "waiting_for_next_try",
            "next_try_in_seconds",
            "waits_for_budget",
        ];
        assert_eq!(names, expected, "{store}");
        let words = run(&workspace, &address, &["batch", "status"]).expect(0);
        for part in [
            &*format!("run      {id}"),
            "tool     probe/get-thing",
            "source   a.ndjson",
            "done     3, with 3 rows",
            "dead     0",
        ] {
            assert!(
                words.stdout.contains(part),
                "{store}: {part} is not in {}",
                words.stdout
            );
        }
        let watched = run(&workspace, &address, &["batch", "status", &id, "--watch"]).expect(0);
        assert!(
            watched.stdout.starts_with("3 of 3 jobs done"),
            "{store}: {}",
            watched.stdout
        );
        let listed = run(&workspace, &address, &["batch", "list"]).expect(0);
        assert!(
            listed.stdout.starts_with(&format!("{id}  ended")),
            "{store}: {}",
            listed.stdout
        );
        let left = run(
            &workspace,
            &address,
            &["batch", "get-thing", "a.ndjson", "--new", "--enqueue-only"],
        )
        .expect(0);
        let refused = run(&workspace, &address, &["batch", "forget", &run_of(&left)]).expect(2);
        assert_tells(&refused, &["3 jobs of the run", "--force forgets them too"]);
        run(
            &workspace,
            &address,
            &["batch", "forget", &run_of(&left), "--force"],
        )
        .expect(0);
    }
}

#[test]
#[ignore = "long"]
fn on_a_terminal_a_line_of_progress_moves_and_elsewhere_there_is_none() {
    let fake = Fake::start(|request| {
        thread::sleep(Duration::from_millis(60));
        thing(request)
    });
    let workspace = probe(&fake.origin(), "");
    workspace.write("a.ndjson", lines(40));
    let store = stores(&workspace).remove(0).1;
    let mut command = toolrun(&workspace, &store);
    command.args([
        "batch",
        "get-thing",
        "a.ndjson",
        "-c",
        "1",
        "--out",
        "rows.ndjson",
    ]);
    let (code, shown) = crate::support::on_terminal(&mut command);
    let shown = String::from_utf8_lossy(&shown).into_owned();
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains(" of 40 jobs done"), "{shown}");
    let ran = run(
        &workspace,
        &store,
        &["batch", "get-thing", "a.ndjson", "--new"],
    )
    .expect(0);
    let told: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(told.len(), 2, "{told:?}");
}

#[test]
fn the_store_and_what_is_told_hold_no_secret() {
    let fake = Fake::start(|request| match request.path.as_str() {
        "/things/t1" => Reply::json(
            404,
            &json!({ "error": format!("no thing for {}", request.header("x-key").unwrap_or_default()) }),
        ),
        _ => thing(request),
    });
    let workspace = probe(&fake.origin(), "");
    workspace.write("a.ndjson", lines(3));
    let store = stores(&workspace).remove(0).1;
    let ran = run(
        &workspace,
        &store,
        &["batch", "get-thing", "a.ndjson", "-v"],
    )
    .expect(10);
    let id = run_of(&ran);
    let dead = run(&workspace, &store, &["batch", "dead", &id]).expect(0);
    for text in [&ran.stdout, &ran.stderr, &dead.stdout] {
        assert!(!text.contains(SECRET), "{text}");
    }
    let mut files = 0;
    for entry in fs::read_dir(workspace.path()).expect("the folder") {
        let path = entry.expect("a file").path();
        if path.is_file() && path.to_string_lossy().contains("store.db") {
            files += 1;
            assert!(!has(&path, SECRET), "{}", path.display());
        }
    }
    assert!(files > 0);
}

fn has(path: &Path, part: &str) -> bool {
    let bytes = fs::read(path).expect("a file");
    bytes
        .windows(part.len())
        .any(|window| window == part.as_bytes())
}

#[test]
fn a_run_in_a_sandbox_stays_in_the_sandbox() {
    let workspace = Workspace::new();
    let store = stores(&workspace).remove(0).1;
    let batch = [
        "batch",
        "list-workspace-members",
        "--from",
        "list-workspaces",
        "--map",
        "workspace_id=id",
        "--sandbox",
    ];
    let ran = run(&workspace, &store, &batch).expect(0);
    assert!(ran.lines().len() > 10, "{}", ran.stdout);
    let id = run_of(&ran);
    // There is no key of the service here.
    let again = run(&workspace, &store, &["batch", "resume", &id]).expect(0);
    assert_eq!(again.stdout, ran.stdout);
}
