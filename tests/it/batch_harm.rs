//! What harms a batch from outside: its store under odd names, removed, or written by somebody else, and places where no file
//! can stand.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use pretty_assertions::assert_eq;
use serde_json::json;

use crate::batch::{
    ended, lines, probe, run, run_of, status, stores, thing, things, toolrun, wait_for,
};
use crate::support::{Fake, assert_tells};

#[test]
fn a_store_is_a_file_whatever_its_name_is() {
    let (_fake, workspace) = things(2);
    for name in [
        ":memory:",
        "file:x.db?mode=memory",
        "file::memory:",
        "a b%20?x=1&mode=ro#ü.db",
        "below/it.db",
        "//slashes.db",
    ] {
        let store = format!("sqlite:{name}");
        let ran = run(&workspace, &store, &["batch", "get-thing", "a.ndjson"]).expect(0);
        let id = run_of(&ran);
        assert_eq!(
            status(&workspace, &store, &id)["done"],
            json!(2),
            "{name}: the run outlives its process"
        );
        let path = workspace.path().join(name.trim_start_matches("//"));
        let from_elsewhere = format!("sqlite:{}", path.display());
        assert_eq!(
            status(&workspace, &from_elsewhere, &id)["done"],
            json!(2),
            "{name}: it stands where its name says"
        );
    }
}

#[cfg(unix)]
#[test]
fn a_store_that_is_removed_under_a_batch_is_an_error() {
    let fake = Fake::start(|request| {
        thread::sleep(Duration::from_millis(50));
        thing(request)
    });
    let workspace = probe(&fake.origin(), "");
    workspace.write("a.ndjson", lines(100));
    let file = workspace.path().join("store.db");
    let store = format!("sqlite:{}", file.display());
    for words in [&["batch", "get-thing", "a.ndjson"][..], &["worker"]] {
        if words == ["worker"] {
            let words = ["batch", "get-thing", "a.ndjson", "--enqueue-only"];
            run(&workspace, &store, &words).expect(0);
        }
        let before = fake.requests().len();
        let mut command = toolrun(&workspace, &store);
        command
            .args(words)
            .args(["--concurrency", "2"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = command.spawn().expect("the program starts");
        wait_for("some calls", || fake.requests().len() > before + 4);
        for ending in ["", "-wal", "-shm"] {
            fs::remove_file(format!("{}{ending}", file.display())).expect("a file of the store");
        }
        let told = ended(child).expect(8);
        assert_tells(&told, &["was removed or replaced while it was in use"]);
        assert_eq!(told.stdout, "");
        assert!(!file.exists(), "{words:?} made another store");
        assert!(fake.requests().len() < before + 100, "{words:?}");
    }
}

#[test]
fn what_somebody_else_wrote_into_a_store_stays_on_its_line() {
    let (_fake, workspace) = things(1);
    let file = workspace.path().join("store.db");
    let store = format!("sqlite:{}", file.display());
    let id = run_of(&run(&workspace, &store, &["batch", "get-thing", "a.ndjson"]).expect(0));
    let bad = "x\n\u{1b}[31mforged\r\u{7}\u{202e}";
    let failure = json!({ "kind": bad, "status": 500, "request_id": bad, "message": bad });
    let connection = rusqlite::Connection::open(&file).expect("the store");
    connection
        .execute("update run set tool = ?1, source = ?1", [bad])
        .expect("a run");
    connection
        .execute(
            "update job set key = ?1, state = 'dead', error = ?2",
            [bad, &failure.to_string()],
        )
        .expect("a job");
    for (words, expected) in [
        (&["batch", "list"][..], 1),
        (&["batch", "dead", &id], 1),
        (&["batch", "status"], 11),
    ] {
        let told = run(&workspace, &store, words).expect(0).stdout;
        assert_eq!(told.lines().count(), expected, "{words:?}: {told}");
        assert!(told.contains("forged"), "{words:?}: {told}");
        let raw = told.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!((raw, told.contains('\u{202e}')), (None, false), "{told}");
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_or_a_device_is_not_replaced_by_a_file() {
    use std::os::unix::fs::FileTypeExt as _;
    let (fake, workspace) = things(1);
    let pipe = workspace.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo").success());
    let store = stores(&workspace).remove(0).1;
    let begin = ["batch", "get-thing", "a.ndjson"];
    let id = run_of(&run(&workspace, &store, &begin).expect(0));
    let sent = fake.requests().len();
    for words in [
        &["batch", "get-thing", "a.ndjson", "--new"][..],
        &["batch", "resume", &id],
        &["batch", "rows", &id],
    ] {
        for format in ["ndjson", "csv"] {
            let all = [words, &["--out", "pipe", "-o", format]].concat();
            let refused = run(&workspace, &store, &all).expect(2);
            assert_tells(&refused, &["pipe is a device or a pipe"]);
            let kind = fs::symlink_metadata(&pipe).expect("the pipe").file_type();
            assert!(kind.is_fifo(), "{all:?}");
        }
    }
    assert_eq!(fake.requests().len(), sent, "nothing was sent");
}

#[test]
#[ignore = "long"]
fn a_job_in_flight_is_no_lost_worker() {
    let fake = Fake::start(|request| {
        thread::sleep(Duration::from_secs(2));
        thing(request)
    });
    let workspace = probe(&fake.origin(), "");
    workspace.write("a.ndjson", lines(1));
    for (name, store) in stores(&workspace) {
        let before = fake.requests().len();
        let mut command = toolrun(&workspace, &store);
        command
            .args(["batch", "get-thing", "a.ndjson"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = command.spawn().expect("the program starts");
        wait_for("the call", || fake.requests().len() > before);
        let told = run(&workspace, &store, &["batch", "status"]).expect(0);
        let line = told.stdout.lines().find(|line| line.starts_with("leased"));
        assert!(
            line.is_some_and(|line| line.starts_with("leased   1; the oldest for ")),
            "{name}: {}",
            told.stdout
        );
        let listed = run(&workspace, &store, &["batch", "list"]).expect(0);
        assert!(
            listed.stdout.ends_with("0 of 1 job done\n"),
            "{name}: {}",
            listed.stdout
        );
        ended(child).expect(0);
    }
}
