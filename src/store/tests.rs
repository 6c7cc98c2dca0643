//! The semantics of a store, the same for both databases.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use pretty_assertions::assert_eq;
use tempfile::TempDir;

use super::jobs::Counts;
use super::*;
use crate::sign::Secret;

#[cfg(feature = "postgres")]
#[allow(
    dead_code,
    clippy::print_stderr,
    reason = "the tests of the program use the rest, and say where it is left out"
)]
#[path = "../../tests/it/support/postgres.rs"]
mod server;

/// A fresh store, and a second connection to it as another process would have it.
struct Pair {
    one: Store,
    two: Store,
    _folder: TempDir,
}

fn stores() -> Vec<Pair> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("deep/store.db");
    let mut addresses = vec![format!("sqlite:{}", path.display())];
    #[cfg(feature = "postgres")]
    addresses.extend(server::postgres().map(|server| server.database().1));
    let mut folder = Some(folder);
    addresses
        .drain(..)
        .map(|address| {
            let open = || Store::new(address.parse().unwrap(), &Roots::Bundled).unwrap();
            Pair {
                one: open(),
                two: open(),
                _folder: folder.take().unwrap_or_else(|| TempDir::new().unwrap()),
            }
        })
        .collect()
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

fn new_run(id: &str, is_repeatable: bool) -> NewRun {
    NewRun {
        id: id.to_owned(),
        tool: "probe/get".to_owned(),
        digest: "d".to_owned(),
        source: "lines.ndjson".to_owned(),
        access: "read".to_owned(),
        is_repeatable,
        options: "{}".to_owned(),
    }
}

fn jobs(count: i64) -> Vec<NewJob> {
    (0..count)
        .map(|seq| NewJob {
            seq,
            key: format!("k{seq}"),
            args: format!("{{\"n\":{seq}}}"),
        })
        .collect()
}

fn end(job: &Claimed, ended: Ended) -> Finished {
    Finished {
        run: job.run.clone(),
        seq: job.seq,
        fence: job.fence,
        ended,
    }
}

fn failure(kind: &str) -> Failure {
    Failure {
        kind: kind.to_owned(),
        status: Some(500),
        request_id: Some("req_1".to_owned()),
        message: "the service failed".to_owned(),
    }
}

const LEASE: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(30);

async fn open(store: &Store, id: &str, is_repeatable: bool, count: i64) -> RunRecord {
    let made = store.make_run(new_run(id, is_repeatable)).await.unwrap();
    assert_eq!(store.enqueue(id, jobs(count)).await.unwrap(), count as u64);
    store.open_run(id).await.unwrap();
    made
}

fn seqs(claimed: &[Claimed]) -> Vec<i64> {
    claimed.iter().map(|job| job.seq).collect()
}

async fn all_rows(store: &Store, run: &str, page: usize) -> Vec<(String, String)> {
    let (mut rows, mut from) = (Vec::new(), None);
    loop {
        let page = store.output(run, from, page).await.unwrap();
        rows.extend(page.rows);
        match page.next {
            None => return rows,
            next => from = next,
        }
    }
}

#[test]
fn a_run_goes_from_its_lines_to_its_rows() {
    for Pair { one, two, _folder } in stores() {
        run(async {
            let made = one.make_run(new_run("r", true)).await.unwrap();
            assert_eq!(made.state, RunState::Loading);
            assert_eq!(one.enqueue("r", jobs(3)).await.unwrap(), 3);
            // The same again adds nothing, from wherever.
            assert_eq!(two.make_run(new_run("r", true)).await.unwrap(), made);
            assert_eq!(two.enqueue("r", jobs(5)).await.unwrap(), 2);
            assert_eq!(two.claim(&made, "w", 9, LEASE).await.unwrap(), []);
            one.open_run("r").await.unwrap();
            let first = two.claim(&made, "w", 2, LEASE).await.unwrap();
            assert_eq!(seqs(&first), [0, 1]);
            assert_eq!(first[1].args, "{\"n\":1}");
            let second = one.claim(&made, "v", 9, LEASE).await.unwrap();
            assert_eq!(seqs(&second), [2, 3, 4]);
            assert!(
                one.add_rows(&second[0], 0, vec!["1".into(), "2".into()])
                    .await
                    .unwrap()
            );
            assert_eq!(all_rows(&one, "r", 10).await, []);
            let done = |before, rows: &[&str]| Ended::Done {
                before,
                rows: rows.iter().map(|row| (*row).to_owned()).collect(),
            };
            let finished = vec![
                end(&second[0], done(2, &["3"])),
                end(&second[1], Ended::Dead(failure("upstream"))),
                end(&second[2], done(0, &[])),
                end(&first[1], done(0, &["\"a\""])),
                end(&first[0], Ended::Back),
            ];
            assert_eq!(two.finish(finished.clone()).await.unwrap(), [true; 5]);
            // What was taken is not taken again.
            assert_eq!(two.finish(finished).await.unwrap(), [false; 5]);
            let row = |key: &str, value: &str| (key.to_owned(), value.to_owned());
            let expected = [
                row("k1", "\"a\""),
                row("k2", "1"),
                row("k2", "2"),
                row("k2", "3"),
            ];
            for page in [1, 2, 3, 4, 5] {
                assert_eq!(all_rows(&one, "r", page).await, expected, "by {page}");
            }
            let status = one.status("r").await.unwrap().unwrap();
            let counts = Counts {
                ready: 1,
                done: 3,
                dead: 1,
                ..Counts::default()
            };
            assert_eq!(
                (status.counts, status.rows, status.ended_lately),
                (counts, 4, 4)
            );
            let dead = two.jobs("r", JobState::Dead, 0, 10).await.unwrap();
            assert_eq!(
                (dead[0].seq, dead[0].failure.clone()),
                (3, Some(failure("upstream")))
            );
            assert_eq!(two.retry("r", JobState::Dead).await.unwrap(), 1);
            let again = two.claim(&made, "w", 9, LEASE).await.unwrap();
            assert_eq!(seqs(&again), [0, 3]);
            one.forget("r").await.unwrap();
            assert_eq!(two.run("r").await.unwrap(), None);
            assert_eq!(
                two.finish(vec![end(&again[0], done(0, &["9"]))])
                    .await
                    .unwrap(),
                [false]
            );
            assert_eq!(all_rows(&one, "r", 10).await, []);
        });
    }
}

#[test]
fn whoever_lost_a_job_cannot_end_it() {
    for Pair { one, two, _folder } in stores() {
        run(async {
            let made = open(&one, "r", true, 1).await;
            let lost = one.claim(&made, "w", 1, SHORT).await.unwrap();
            assert!(
                one.add_rows(&lost[0], 0, vec!["\"lost\"".into()])
                    .await
                    .unwrap()
            );
            assert_eq!(two.claim(&made, "v", 1, LEASE).await.unwrap(), []);
            tokio::time::sleep(SHORT * 2).await;
            let found = two.claim(&made, "v", 1, LEASE).await.unwrap();
            assert_eq!((found[0].seq, found[0].failures), (0, 1));
            assert!(found[0].fence > lost[0].fence);
            let done = |rows: &str| Ended::Done {
                before: 0,
                rows: vec![rows.to_owned()],
            };
            assert!(
                !one.add_rows(&lost[0], 1, vec!["\"lost\"".into()])
                    .await
                    .unwrap()
            );
            assert_eq!(
                one.finish(vec![end(&lost[0], done("1"))]).await.unwrap(),
                [false]
            );
            assert_eq!(
                two.finish(vec![end(&found[0], done("2"))]).await.unwrap(),
                [true]
            );
            assert_eq!(
                one.finish(vec![end(&lost[0], done("1"))]).await.unwrap(),
                [false]
            );
            assert_eq!(
                all_rows(&one, "r", 10).await,
                [("k0".to_owned(), "2".to_owned())]
            );
        });
    }
}

#[test]
fn a_sign_of_life_keeps_a_lease() {
    for Pair { one, two, _folder } in stores() {
        run(async {
            let made = open(&one, "r", true, 2).await;
            let lease = Duration::from_millis(400);
            let held = one.claim(&made, "w", 1, lease).await.unwrap();
            for _ in 0..6 {
                tokio::time::sleep(lease / 4).await;
                let kept = one.prolong("w", lease).await.unwrap();
                assert_eq!(kept, [("r".to_owned(), 0, held[0].fence)]);
                assert_eq!(two.prolong("v", lease).await.unwrap(), []);
            }
            assert_eq!(seqs(&two.claim(&made, "v", 2, LEASE).await.unwrap()), [1]);
            let status = two.status("r").await.unwrap().unwrap();
            assert!(
                status.oldest_lease.is_some_and(|age| age >= 600_000),
                "{status:?}"
            );
        });
    }
}

#[test]
fn a_lost_write_that_cannot_be_repeated_is_unknown() {
    for Pair { one, two, _folder } in stores() {
        run(async {
            let made = open(&one, "r", false, 2).await;
            let lost = one.claim(&made, "w", 1, SHORT).await.unwrap();
            tokio::time::sleep(SHORT * 2).await;
            let next = two.claim(&made, "v", 5, LEASE).await.unwrap();
            assert_eq!(seqs(&next), [1]);
            let rows = vec!["1".to_owned()];
            let late = end(&lost[0], Ended::Done { before: 0, rows });
            assert_eq!(one.finish(vec![late]).await.unwrap(), [false]);
            let unknown = one.jobs("r", JobState::Unknown, 0, 10).await.unwrap();
            assert_eq!(unknown.len(), 1);
            assert_eq!(unknown[0].failure.as_ref().unwrap().kind, "lost");
            assert_eq!(two.claim(&made, "v", 5, LEASE).await.unwrap(), []);
            assert_eq!(two.retry("r", JobState::Unknown).await.unwrap(), 1);
            assert_eq!(seqs(&two.claim(&made, "v", 5, LEASE).await.unwrap()), [0]);
        });
    }
}

#[test]
fn a_failed_job_waits_and_a_cancelled_run_rests() {
    for Pair { one, two, _folder } in stores() {
        run(async {
            let made = open(&one, "r", true, 3).await;
            let held = one.claim(&made, "w", 1, LEASE).await.unwrap();
            let after = Duration::from_millis(300);
            let again = Ended::Again {
                after,
                failure: failure("network"),
            };
            assert_eq!(
                one.finish(vec![end(&held[0], again)]).await.unwrap(),
                [true]
            );
            let status = one.status("r").await.unwrap().unwrap();
            assert_eq!((status.waiting, status.counts.ready), (1, 3));
            assert!(
                status
                    .next_in
                    .is_some_and(|next| next > 0 && next <= 300_000),
                "{status:?}"
            );
            let others = two.claim(&made, "v", 5, LEASE).await.unwrap();
            assert_eq!(seqs(&others), [1, 2]);
            one.cancel_run("r").await.unwrap();
            tokio::time::sleep(after).await;
            assert_eq!(two.claim(&made, "v", 5, LEASE).await.unwrap(), []);
            one.open_run("r").await.unwrap();
            let next = two.claim(&made, "v", 5, LEASE).await.unwrap();
            assert_eq!((seqs(&next), next[0].failures), (vec![0], 1));
        });
    }
}

#[test]
fn many_who_claim_at_once_get_each_job_once() {
    for Pair { one, two, _folder } in stores() {
        run(async {
            let made = open(&one, "r", true, 400).await;
            let mut workers = Vec::new();
            for worker in 0..8 {
                let (store, made) = ([one.clone(), two.clone()][worker % 2].clone(), made.clone());
                workers.push(tokio::spawn(async move {
                    let mut got = Vec::new();
                    loop {
                        let claimed = store
                            .claim(&made, &format!("w{worker}"), 7, LEASE)
                            .await
                            .unwrap();
                        if claimed.is_empty() {
                            return got;
                        }
                        let ends = claimed.iter().map(|job| {
                            end(
                                job,
                                Ended::Done {
                                    before: 0,
                                    rows: vec![job.args.clone()],
                                },
                            )
                        });
                        assert!(
                            store
                                .finish(ends.collect())
                                .await
                                .unwrap()
                                .iter()
                                .all(|taken| *taken)
                        );
                        got.extend(seqs(&claimed));
                    }
                }));
            }
            let mut got = Vec::new();
            for worker in workers {
                got.extend(worker.await.unwrap());
            }
            assert_eq!(got.len(), 400);
            assert_eq!(got.iter().collect::<BTreeSet<_>>().len(), 400);
            let rows = all_rows(&one, "r", 100).await;
            let expected: Vec<(String, String)> = jobs(400)
                .into_iter()
                .map(|job| (job.key, job.args))
                .collect();
            assert_eq!(rows, expected);
        });
    }
}

/// The connections of a store are cut again and again; each piece of work is still done, and no job is lost or doubled.
#[cfg(feature = "postgres")]
#[test]
fn a_connection_that_is_cut_is_made_anew() {
    let Some(server) = server::postgres() else {
        return;
    };
    let (database, address) = server.database();
    let store = Store::new(address.parse().unwrap(), &Roots::Bundled).unwrap();
    run(async {
        let made = open(&store, "r", true, 300).await;
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let cutter = std::thread::spawn(move || {
            let cut = format!(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity \
                 where application_name = 'toolrun' and datname = '{database}'"
            );
            let mut cuts = 0;
            while receiver.recv_timeout(Duration::from_millis(40)).is_err() {
                let (is_done, told) = server.psql("postgres", &cut);
                assert!(is_done, "{told}");
                cuts += told.parse::<u32>().unwrap();
            }
            cuts
        });
        let mut done = 0;
        loop {
            let claimed = store.claim(&made, "w", 10, SHORT * 10).await.unwrap();
            let ends = claimed.iter().map(|job| {
                let rows = vec![job.args.clone()];
                end(job, Ended::Done { before: 0, rows })
            });
            store.finish(ends.collect()).await.unwrap();
            let counts = store.status("r").await.unwrap().unwrap().counts;
            assert!(counts.done >= done, "{counts:?}");
            done = counts.done;
            if counts.left() == 0 {
                break;
            }
        }
        let rows = all_rows(&store, "r", 100).await;
        let expected: Vec<(String, String)> = jobs(300)
            .into_iter()
            .map(|job| (job.key, job.args))
            .collect();
        assert_eq!(rows, expected);
        sender.send(()).unwrap();
        assert!(cutter.join().unwrap() > 0);
    });
}

#[test]
fn tables_of_a_newer_program_are_refused() {
    for Pair { one, two, _folder } in stores() {
        run(async {
            one.runs().await.unwrap();
            one.transact(Durability::Machine, |tx: &mut dyn db::Tx| {
                Box::pin(async move {
                    tx.run("update toolrun_store set version = 99", vec![])
                        .await?;
                    Ok(())
                })
            })
            .await
            .unwrap();
            let told = two.runs().await.unwrap_err().to_string();
            assert!(
                told.contains("a newer toolrun made its tables (version 99; this one knows 1)"),
                "{told}"
            );
        });
    }
}

#[test]
fn a_file_that_is_no_store_and_a_folder_that_cannot_be_made_are_said() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("text");
    std::fs::write(
        &path,
        "no database, and longer than the header of one is ".repeat(40),
    )
    .unwrap();
    for (path, reason) in [
        (path.clone(), "no SQLite database"),
        (path.join("below/store.db"), "cannot be opened"),
        (folder.path().to_owned(), "cannot be opened"),
    ] {
        let store = Store::new(Address::Sqlite(path.clone()), &Roots::Bundled).unwrap();
        let told = run(store.runs()).unwrap_err().to_string();
        assert!(told.contains(reason) && told.contains("sqlite:"), "{told}");
    }
}

#[test]
fn addresses_are_read_and_never_show_a_password() {
    let shown = |text: &str| text.parse::<Address>().map(|address| address.to_string());
    for (text, expected) in [
        ("sqlite:a/b.db", Ok("sqlite:a/b.db")),
        ("sqlite:///a/b.db", Ok("sqlite:/a/b.db")),
        (
            "postgres://u:canary@h:5433/d?sslmode=require&password=canary",
            Ok("postgres://u@h:5433/d"),
        ),
        ("postgresql://%2Ftmp%2Fx/d", Ok("postgres://%2Ftmp%2Fx/d")),
        ("sqlite:", Err(AddressError::NoPath)),
        ("postgres://u:canary@h:x/d", Err(AddressError::BadUrl)),
        ("mysql://canary", Err(AddressError::Form)),
        ("store.db", Err(AddressError::Form)),
    ] {
        assert_eq!(shown(text), expected.map(str::to_owned), "{text}");
        if let Ok(address) = text.parse::<Address>() {
            assert!(!format!("{address:?}").contains("canary"));
            if let Ok(store) = Store::new(address, &Roots::Bundled) {
                assert!(!format!("{store:?}").contains("canary"));
            }
        }
    }
}

#[test]
fn one_process_at_a_time_asks_for_a_token_and_the_next_finds_it() {
    use crate::sign::{SavedToken, TokenShare as _};
    let key = StoreKey::parse(&Secret::new("ab".repeat(32))).unwrap();
    let other = StoreKey::parse(&Secret::new("cd".repeat(32))).unwrap();
    for Pair { one, two, _folder } in stores() {
        run(async {
            let parts = || vec!["probe".to_owned(), "secret".to_owned()];
            let first = StoredTokens::new(&one, key.clone());
            let second = StoredTokens::new(&two, key.clone());
            let held = first.hold(parts()).await.unwrap().unwrap();
            assert!(held.saved().is_none());
            let waits = tokio::spawn(async move {
                let held = second.hold(parts()).await.unwrap().unwrap();
                held.saved().map(|saved| saved.access.expose().to_owned())
            });
            tokio::time::sleep(Duration::from_millis(150)).await;
            assert!(!waits.is_finished());
            let token = SavedToken {
                access: Secret::new("canary-access"),
                rotated: Some(Secret::new("canary-refresh")),
                renewed_at: None,
                values: serde_json::json!({ "a": "canary-value" }),
            };
            held.save(&token).await.unwrap();
            drop(held);
            assert_eq!(waits.await.unwrap().as_deref(), Some("canary-access"));
            // Another subject has another token, and another key opens none.
            let third = StoredTokens::new(&two, key.clone());
            assert!(
                third
                    .hold(vec!["probe".to_owned()])
                    .await
                    .unwrap()
                    .unwrap()
                    .saved()
                    .is_none()
            );
            let apart = StoredTokens::new(&two, other.clone());
            assert!(
                apart
                    .hold(parts())
                    .await
                    .unwrap()
                    .unwrap()
                    .saved()
                    .is_none()
            );
        });
        if let Address::Sqlite(path) = one.address() {
            drop(two);
            for entry in std::fs::read_dir(path.parent().unwrap()).unwrap() {
                let bytes = std::fs::read(entry.unwrap().path()).unwrap();
                assert!(!bytes.windows(6).any(|part| part == b"canary"));
            }
        }
    }
}

#[test]
#[ignore = "long"]
fn processes_share_a_budget_exactly() {
    use crate::send::{Budget, Limiter as _, Turn};
    let per = Duration::from_millis(500);
    let budget: Budget = Budget::new("b", 20.try_into().unwrap(), per);
    for Pair { one, two, _folder } in stores() {
        run(async {
            let limiters: Vec<Arc<SharedLimiter>> = [&one, &two, &one]
                .into_iter()
                .enumerate()
                .map(|(at, store)| Arc::new(SharedLimiter::new(store, format!("p{at}"))))
                .collect();
            let end = std::time::Instant::now() + per * 6;
            let mut callers = Vec::new();
            for caller in 0..9 {
                let (limiter, budget) = (Arc::clone(&limiters[caller % 3]), budget.clone());
                callers.push(tokio::spawn(async move {
                    let mut times = Vec::new();
                    while std::time::Instant::now() < end {
                        match limiter.take(&budget).await.unwrap() {
                            Turn::Now => times.push(std::time::Instant::now()),
                            Turn::In(wait) => tokio::time::sleep(wait).await,
                        }
                    }
                    times
                }));
            }
            let mut times = Vec::new();
            for caller in callers {
                times.extend(caller.await.unwrap());
            }
            times.sort();
            for (at, begin) in times.iter().enumerate() {
                let inside = times[at..].iter().take_while(|time| **time - *begin < per);
                assert!(inside.count() <= 20);
            }
            assert!(times.len() >= 60, "{}", times.len());
            limiters[0].refused(&budget, Duration::from_secs(60)).await;
            let held = limiters[1].take(&budget).await.unwrap();
            assert!(
                matches!(held, Turn::In(wait) if wait.as_millis() > 0),
                "{held:?}"
            );
            let unlimited = Budget::unlimited("u".to_owned());
            assert_eq!(limiters[0].take(&unlimited).await, Ok(Turn::Now));
            limiters[0]
                .refused(&unlimited, Duration::from_secs(60))
                .await;
            let held = limiters[1].take(&unlimited).await.unwrap();
            assert!(
                matches!(held, Turn::In(wait) if wait.as_secs() > 50),
                "{held:?}"
            );
        });
    }
}

/// The tables and indexes of an SQLite file, and how it keeps its journal.
fn shape_of(path: &std::path::Path) -> (Vec<String>, String) {
    let file = rusqlite::Connection::open(path).unwrap();
    let mut names = file
        .prepare("select name from sqlite_master order by 1")
        .unwrap();
    let names = names.query_map([], |row| row.get(0)).unwrap();
    let journal = file.query_row("pragma journal_mode", [], |row| row.get(0));
    (names.map(Result::unwrap).collect(), journal.unwrap())
}

#[test]
fn a_file_of_another_program_is_refused_and_left_as_it_is() {
    let folder = TempDir::new().unwrap();
    for (at, name) in ["job", "Run", "job_state", "token"].iter().enumerate() {
        let path = folder.path().join(format!("{at}.db"));
        let other = rusqlite::Connection::open(&path).unwrap();
        other
            .execute_batch(&format!("create table {name} (x)"))
            .unwrap();
        drop(other);
        let before = std::fs::read(&path).unwrap();
        let address = Address::Sqlite(path.clone());
        let refused = run(Store::new(address, &Roots::Bundled).unwrap().runs()).unwrap_err();
        let expected = format!("it has a `{name}` that toolrun did not make");
        assert!(refused.to_string().contains(&expected), "{refused}");
        assert!(!refused.is_passing());
        assert_eq!(std::fs::read(&path).unwrap(), before, "{name}");
        assert_eq!(
            shape_of(&path),
            (vec![(*name).to_owned()], "delete".to_owned())
        );
    }
    // Beside tables with other names there is room.
    let path = folder.path().join("shared.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("create table members (x)").unwrap();
    let store = Store::new(Address::Sqlite(path.clone()), &Roots::Bundled).unwrap();
    assert_eq!(run(store.runs()), Ok(Vec::new()));
    assert_eq!(shape_of(&path).1, "wal");
}

#[cfg(feature = "postgres")]
#[test]
fn tables_of_another_program_in_our_schema_are_refused_and_those_elsewhere_are_left_alone() {
    let Some(server) = server::postgres() else {
        return;
    };
    let (database, address) = server.database();
    let open = || Store::new(address.parse().unwrap(), &Roots::Bundled).unwrap();
    let psql = |sql: &str| {
        let (is_done, told) = server.psql(&database, sql);
        assert!(is_done, "{told}");
        told
    };
    psql("create table job (x int); create schema toolrun; create table toolrun.job (x int)");
    let refused = run(open().runs()).unwrap_err().to_string();
    assert!(refused.contains("it has a `job` that"), "{refused}");
    let count = "select count(*) from pg_tables where schemaname = 'toolrun'";
    assert_eq!(psql(count).trim(), "1");
    psql("drop table toolrun.job");
    run(async {
        super::tests::open(&open(), "r", true, 2).await;
    });
    assert_eq!(psql("select count(*) from public.job").trim(), "0");
}

#[test]
fn a_version_that_no_program_made_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    let open = || Store::new(Address::Sqlite(path.clone()), &Roots::Bundled).unwrap();
    assert_eq!(run(open().runs()), Ok(Vec::new()));
    let other = rusqlite::Connection::open(&path).unwrap();
    for (version, expected) in [(-1, "is not what toolrun writes"), (99, "a newer toolrun")] {
        other
            .execute("update toolrun_store set version = ?1", [version])
            .unwrap();
        let refused = run(open().runs()).unwrap_err();
        assert!(refused.to_string().contains(expected), "{refused}");
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_was_removed_or_replaced_is_not_written_to_any_more() {
    use std::fs;
    let folder = TempDir::new().unwrap();
    let aside = folder.path().join("aside.db");
    let replaced = |path: &std::path::Path| fs::copy(&aside, path).map(drop);
    for (name, is_replaced) in [("removed", false), ("replaced", true)] {
        let path = folder.path().join(format!("{name}.db"));
        let store = Store::new(Address::Sqlite(path.clone()), &Roots::Bundled).unwrap();
        run(async {
            let made = open(&store, "r", true, 2).await;
            assert_eq!(store.claim(&made, "w", 1, LEASE).await.unwrap().len(), 1);
            fs::rename(&path, &aside).unwrap();
            if is_replaced {
                replaced(&path).unwrap();
            }
            // It stays so: who looks in between must not take the error from who works.
            for _ in 0..2 {
                let refused = store.claim(&made, "w", 1, LEASE).await.unwrap_err();
                let told = refused.to_string();
                assert!(told.contains("was removed or replaced"), "{name}: {told}");
                assert!(!refused.is_passing());
            }
            assert_eq!(path.exists(), is_replaced, "{name}");
            // Back in its place, it is the same file.
            fs::rename(&aside, &path).unwrap();
            assert_eq!(store.claim(&made, "w", 1, LEASE).await.unwrap().len(), 1);
        });
    }
}

#[cfg(unix)]
#[test]
fn a_file_is_not_opened_a_second_time_by_name() {
    // To close it would drop the locks that another connection of this process holds.
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let store = Store::new(Address::Sqlite(path), &Roots::Bundled).unwrap();
    let told = run(async {
        tokio::time::timeout(Duration::from_secs(20), store.runs())
            .await
            .expect("no wait for somebody at the other end of the pipe")
    });
    assert!(told.is_err(), "{told:?}");
}
