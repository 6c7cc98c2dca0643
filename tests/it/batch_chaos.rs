//! Batches while their workers are killed, also between any two statements, and while the service fails and cuts
//! connections.
//!
//! `TOOLRUN_CHAOS_JOBS` and `TOOLRUN_CHAOS_KILLS` say how many; the numbers in CI are small.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use crate::batch::{most_in_a_window, probe, run_of, status, stores, toolrun};
use crate::support::{Fake, Manner, Reply, Request, Workspace, output};

const WORKERS: usize = 6;
/// Requests that a service answers with an error, that it carries out without an answer, and that it answers with a half.
const FAILS: u64 = 5;
const DROPS: u64 = 2;
const CUTS: u64 = 1;
/// Pages of a list, and things on each.
const PAGES: u64 = 3;
const ON_A_PAGE: u64 = 4;

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

/// What the service was sent: when, and with which idempotency keys.
#[derive(Default)]
struct Seen {
    times: Vec<Instant>,
    keys: BTreeMap<String, Vec<Option<String>>>,
}

/// A service with faults, and what it saw.
fn service() -> (Fake, Arc<Mutex<Seen>>) {
    let seen: Arc<Mutex<Seen>> = Arc::default();
    let (known, count) = (Arc::clone(&seen), AtomicU64::new(0));
    let fake = Fake::start(move |request| {
        {
            let mut seen = known.lock().expect("no panic");
            seen.times.push(Instant::now());
            let key = request.header("idempotency-key").map(str::to_owned);
            seen.keys.entry(request.target()).or_default().push(key);
        }
        // Spread evenly, and the same in each run.
        let dice = count.fetch_add(1, Ordering::SeqCst).wrapping_mul(61) % 100;
        thread::sleep(Duration::from_millis(dice % 7));
        match dice {
            dice if dice < FAILS => Reply::json(500, &json!({ "error": "oh" })),
            dice if dice < FAILS + DROPS => Reply::manner(Manner::Drop),
            dice if dice < FAILS + DROPS + CUTS => Reply {
                manner: Manner::Cut,
                ..answer(request)
            },
            _ => answer(request),
        }
    });
    (fake, seen)
}

fn answer(request: &Request) -> Reply {
    if request.path != "/things" {
        let id = request.path.rsplit('/').next().unwrap_or_default();
        return Reply::json(200, &json!({ "id": id, "n": 1 }));
    }
    let group = request.query.strip_prefix("group=").unwrap_or_default();
    let (group, page) = group.split_once("&after=").unwrap_or((group, "0"));
    let page: u64 = page.parse().expect("a number");
    let things: Vec<Value> = (0..ON_A_PAGE)
        .map(|n| json!({ "id": format!("{group}-{}", page * ON_A_PAGE + n) }))
        .collect();
    let next = (page + 1 < PAGES).then(|| (page + 1).to_string());
    Reply::json(200, &json!({ "things": things, "next": next }))
}

/// Workers on one run, some of which are killed.
struct Workers<'w> {
    workspace: &'w Workspace,
    store: &'w str,
    run: String,
    alive: Vec<Child>,
    random: fastrand::Rng,
}

impl Workers<'_> {
    /// A worker; each second one ends before some statement.
    fn start(&mut self) {
        let mut command = toolrun(self.workspace, self.store);
        command
            .args(["worker", &self.run, "--lease", "1s", "--concurrency", "4"])
            .args(["--patience", "10m"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if self.random.bool() {
            let statements = self.random.u32(10..400).to_string();
            command.env("TOOLRUN_FAULT_STATEMENTS", statements);
        }
        self.alive.push(command.spawn().expect("a worker"));
    }

    /// Kills one at random, at a random moment, and starts another.
    fn kill(&mut self) {
        thread::sleep(Duration::from_millis(self.random.u64(50..400)));
        let at = self.random.usize(0..self.alive.len());
        let mut killed = self.alive.swap_remove(at);
        killed.kill().expect("it is killed");
        killed.wait().expect("it ends");
        self.start();
    }

    /// Starts others for those that ended before some statement. Gives how many did.
    fn renew(&mut self) -> usize {
        let before = self.alive.len();
        self.alive
            .retain_mut(|worker| worker.try_wait().expect("a state").is_none());
        let gone = before - self.alive.len();
        (0..gone).for_each(|_| self.start());
        gone
    }
}

impl Drop for Workers<'_> {
    fn drop(&mut self) {
        for worker in &mut self.alive {
            let _ = worker.kill();
            let _ = worker.wait();
        }
    }
}

/// Lets workers carry out the lines while some of them are killed. Gives the end of the run and its rows.
fn carry_out(workspace: &Workspace, store: &str, tool: &str, file: &str) -> (Value, Vec<Value>) {
    let begin = [
        "batch",
        tool,
        file,
        "--yes",
        "--enqueue-only",
        "--max-attempts",
        "1000",
        "--stop-after",
        "0",
    ];
    let begun = output(toolrun(workspace, store).args(begin)).expect(0);
    let mut workers = Workers {
        workspace,
        store,
        run: run_of(&begun),
        alive: Vec::new(),
        random: fastrand::Rng::with_seed(7),
    };
    (0..WORKERS).for_each(|_| workers.start());
    let mut kills = number("TOOLRUN_CHAOS_KILLS", 6);
    let until = Instant::now() + Duration::from_secs(600);
    let stands = loop {
        assert!(Instant::now() < until, "it takes too long");
        if kills > 0 {
            workers.kill();
            kills -= 1;
        } else {
            thread::sleep(Duration::from_millis(100));
        }
        let stands = status(workspace, store, &workers.run);
        if stands["state"] == "ended" {
            break stands;
        }
        workers.renew();
    };
    let rows = output(toolrun(workspace, store).args(["batch", "rows", &workers.run])).expect(0);
    (stands, rows.lines())
}

/// The limit of the service, so that a run takes some seconds.
fn limit(jobs: usize) -> usize {
    (jobs / 4).clamp(50, 1000)
}

/// Each row is there once.
#[track_caller]
fn assert_each_once(rows: &[Value], expected: usize, what: &str) {
    let ids: BTreeSet<&str> = rows.iter().filter_map(|row| row["id"].as_str()).collect();
    assert_eq!((rows.len(), ids.len()), (expected, expected), "{what}");
}

#[track_caller]
fn assert_within(seen: &Mutex<Seen>, limit: usize, what: &str) {
    let times = seen.lock().expect("no panic").times.clone();
    let most = most_in_a_window(&times, Duration::from_secs(1));
    assert!(
        most <= limit,
        "{what}: {most} requests in a second, and {limit} are allowed"
    );
}

fn chaos(tool: &str) {
    let (fake, seen) = service();
    let jobs = number("TOOLRUN_CHAOS_JOBS", 300);
    let limit = limit(jobs);
    let limited = format!("rate_limit: {{ requests: {limit}, per: 1s }}");
    let workspace = probe(&fake.origin(), &limited);
    let (file, text, rows_of_each) = match tool {
        "list-things" => {
            let groups = jobs / (PAGES as usize + 1);
            let text: String = (0..groups).map(|n| format!("g{n}\n")).collect();
            (
                "a.csv",
                format!("group\n{text}"),
                (PAGES * ON_A_PAGE) as usize,
            )
        }
        _ => ("a.ndjson", crate::batch::lines(jobs), 1),
    };
    let jobs = text.lines().count() - usize::from(file == "a.csv");
    workspace.write(file, text);
    for (store, address) in stores(&workspace) {
        let what = format!("{tool} on {store}");
        *seen.lock().expect("no panic") = Seen::default();
        let (stands, rows) = carry_out(&workspace, &address, tool, file);
        let of = |name: &str| stands[name].as_u64().expect("a count") as usize;
        eprintln!(
            "{what}: {stands}, {} requests",
            seen.lock().expect("no panic").times.len()
        );
        assert_eq!(
            (of("dead"), of("ready"), of("leased")),
            (0, 0, 0),
            "{what}: {stands}"
        );
        assert_within(&seen, limit, &what);
        let keys = seen.lock().expect("no panic").keys.clone();
        if tool == "make-thing" {
            // Nothing is sent twice; what nobody knows the end of is told, and everything else is there.
            assert_eq!(of("done") + of("unknown"), jobs, "{what}: {stands}");
            assert!(
                of("unknown") > 0 && of("done") > jobs / 2,
                "{what}: {stands}"
            );
            assert!(
                keys.values().all(|tries| tries.len() == 1),
                "{what}: {keys:?}"
            );
        } else {
            assert_eq!((of("done"), of("unknown")), (jobs, 0), "{what}: {stands}");
        }
        assert_each_once(&rows, of("done") * rows_of_each, &what);
        if tool == "put-thing" {
            for (target, tries) in &keys {
                let different: BTreeSet<_> = tries.iter().collect();
                assert!(
                    different.len() == 1 && tries[0].is_some(),
                    "{what}: {target} {tries:?}"
                );
            }
            assert!(
                keys.values().any(|tries| tries.len() > 1),
                "{what}: no write was sent again"
            );
        }
    }
}

#[test]
#[ignore = "long"]
fn reads_survive_kills_and_faults() {
    chaos("get-thing");
}

#[test]
#[ignore = "long"]
fn lists_survive_kills_and_faults() {
    chaos("list-things");
}

#[test]
#[ignore = "long"]
fn writes_with_a_key_survive_kills_and_faults() {
    chaos("put-thing");
}

#[test]
#[ignore = "long"]
fn writes_without_a_key_are_never_sent_twice() {
    chaos("make-thing");
}
