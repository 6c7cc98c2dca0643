//! `toolrun sync` that is killed at any moment, and run again: the table equals the source.
//!
//! `TOOLRUN_TEST_KILLS` is how often each kind of copy is killed; a few times unless given.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::Place;
use crate::sync::{Things, thing};

fn kills() -> u64 {
    std::env::var("TOOLRUN_TEST_KILLS").map_or(4, |text| text.parse().expect("a number"))
}

/// The rows of the service in a round: some change, some vanish, some come late.
fn source(mode: &str, round: i64) -> Vec<Value> {
    let at = 1_800_000_000;
    let log = |count: i64| (0..count).map(move |id| thing(id, &format!("row {id}"), at + id / 3));
    match mode {
        "append" => log(60 + 30 * round).collect(),
        "replace" => (0..90)
            .filter(|id| (id + round) % 7 > 0)
            .map(|id| thing(id, &format!("round {round}"), at))
            .collect(),
        // Each round changes a part of the rows, and one comes late.
        _ => (0..=round)
            .flat_map(|step| (0..30).map(move |id| (step, step * 20 + id)))
            .chain((1..=round).map(|late| (late - 1, -late)))
            .collect::<Vec<_>>()
            .into_iter()
            .map(|(step, id)| {
                (
                    id,
                    (step, thing(id, &format!("step {step}"), at + 100 * step)),
                )
            })
            .collect::<BTreeMap<_, _>>()
            .into_values()
            .map(|(_, row)| row)
            .collect(),
    }
}

fn expected(rows: &[Value]) -> BTreeMap<String, String> {
    rows.iter()
        .map(|row| {
            (
                row["id"].to_string(),
                row["name"].as_str().expect("a name").to_owned(),
            )
        })
        .collect()
}

#[test]
#[ignore = "long"]
fn a_copy_that_is_killed_and_run_again_equals_the_source() {
    for (mode, sync) in [
        ("replace", "{ key: [id] }"),
        ("append", "{ cursor: at, param: since }"),
        (
            "merge",
            "{ key: [id], cursor: at, param: since, lag: 200s }",
        ),
    ] {
        let things = Things::in_pages_of(10, &[]).synced(sync);
        for place in Place::all(things.workspace.path()) {
            let words = ["sync", "list-things", "--into", &place.into, "--mode", mode];
            things.set(&source(mode, 0));
            let begun = Instant::now();
            things.workspace.run(&words).expect(0);
            let whole = begun.elapsed();
            let mut before = expected(&source(mode, 0));
            let mut killed = 0;
            for round in 1..=kills() as i64 {
                let rows = source(mode, round);
                things.set(&rows);
                let mut command = things.workspace.toolrun();
                let mut child = command
                    .args(words)
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
                    .expect("the program starts");
                std::thread::sleep(whole.mul_f64(fastrand::f64() * 1.2));
                // It may have ended by itself.
                child.kill().expect("a child of ours");
                killed += u64::from(!child.wait().expect("it ends").success());
                let after = expected(&rows);
                // The server notices the end of a client when it next reads from it.
                let patience = Instant::now() + Duration::from_secs(20);
                let found = place.by("list_things", "id", "name");
                if mode != "merge" {
                    assert!(
                        found == before || found == after,
                        "{mode} {}: half a table in round {round}",
                        place.kind
                    );
                }
                while things.workspace.run(&words).code != 0 {
                    assert!(
                        Instant::now() < patience,
                        "{mode} {}: it does not go on",
                        place.kind
                    );
                    std::thread::sleep(Duration::from_millis(50));
                }
                assert_eq!(
                    place.by("list_things", "id", "name"),
                    after,
                    "{mode} {} in round {round}",
                    place.kind
                );
                before = after;
            }
            eprintln!("{mode} {}: {killed} of {} killed", place.kind, kills());
        }
    }
}
