//! What processes share through a store: rate budgets and access tokens, on both kinds of store.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pretty_assertions::assert_eq;
use serde_json::json;

use crate::support::{Fake, Output, Reply, Workspace, assert_tells, output};

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// The kinds of store that this build and machine have.
fn stores(workspace: &Workspace) -> Vec<String> {
    #[allow(unused_mut, reason = "a build with Postgres adds one")]
    let mut stores = vec![format!(
        "sqlite:{}",
        workspace.path().join("store.db").display()
    )];
    #[cfg(feature = "postgres")]
    stores.extend(crate::support::postgres().map(|server| server.database().1));
    stores
}

/// A tool whose pages never end.
fn endless(workspace: &Workspace) {
    let more = "
params: { properties: { cursor: { type: string, description: The cursor. } } }
request: { method: GET, path: /probe, query: [cursor] }
paging: { items: $.data, next: { cursor: $.next } }
response: { output: { rows: $.data }, rows: rows }";
    workspace.tool("list-probes", "read", more);
}

fn page() -> Reply {
    static PAGES: AtomicUsize = AtomicUsize::new(0);
    let next = PAGES.fetch_add(1, Ordering::SeqCst);
    Reply::json(200, &json!({ "data": [1], "next": format!("c{next}") }))
}

fn walk(workspace: &Workspace, store: &str, pages: u32) -> Command {
    let mut command = workspace.toolrun();
    command
        .env("TOOLRUN_STORE", store)
        .args(["call", "list-probes", "--max-pages", &pages.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

fn ends(children: Vec<Child>) -> Vec<String> {
    let ended = children.into_iter().map(|child| {
        let ended = child.wait_with_output().expect("it ends");
        let told = String::from_utf8(ended.stderr).expect("UTF-8");
        assert!(ended.status.success(), "{told}");
        told
    });
    ended.collect()
}

/// Whatever the number of processes, the service counts no more than the limit in any window of its period.
#[test]
#[ignore = "long"]
fn processes_stay_within_one_limit() {
    for (requests, per, processes, pages) in [(5, 1_000, 4, 4), (50, 500, 8, 25)] {
        let times = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&times);
        let fake = Fake::start(move |_| {
            seen.lock().expect("no panic").push(Instant::now());
            page()
        });
        let workspace = Workspace::new();
        let limit = format!("rate_limit: {{ requests: {requests}, per: {per}ms }}");
        workspace.service(&fake.origin(), &limit);
        endless(&workspace);
        for store in stores(&workspace) {
            times.lock().expect("no panic").clear();
            let start = |_| walk(&workspace, &store, pages).spawn().expect("it starts");
            ends((0..processes).map(start).collect());
            let mut times = times.lock().expect("no panic").clone();
            times.sort();
            assert_eq!(times.len(), (processes * pages) as usize);
            let per = Duration::from_millis(per);
            for (at, begin) in times.iter().enumerate() {
                let inside = times[at..].iter().take_while(|time| **time - *begin < per);
                let count = inside.count();
                assert!(count <= requests, "{count} of {requests} in a window");
            }
        }
    }
}

/// A pause that the service asks one process for holds for all, also where the service declares no limit.
#[test]
#[ignore = "long"]
fn a_pause_holds_for_all_processes() {
    for limit in ["", "rate_limit: { requests: 1000, per: 1s }"] {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let fake = Fake::start(move |_| {
            let mut seen = seen.lock().expect("no panic");
            seen.push(Instant::now());
            match seen.len() {
                1 => Reply::json(429, &json!({})).with("retry-after", "2"),
                _ => page(),
            }
        });
        let workspace = Workspace::new();
        workspace.service(&fake.origin(), limit);
        endless(&workspace);
        for store in stores(&workspace) {
            requests.lock().expect("no panic").clear();
            let first = walk(&workspace, &store, 1).spawn().expect("it starts");
            while requests.lock().expect("no panic").is_empty() {
                std::thread::sleep(Duration::from_millis(5));
            }
            // The answer must have arrived before the next process asks.
            std::thread::sleep(Duration::from_millis(500));
            let second = walk(&workspace, &store, 1).spawn().expect("it starts");
            ends(vec![first, second]);
            let times = requests.lock().expect("no panic").clone();
            assert_eq!(times.len(), 3);
            let pause = times[1] - times[0];
            assert!(
                pause >= Duration::from_millis(1_950),
                "{limit} {store}: {pause:?}"
            );
        }
    }
}

/// A service with a token endpoint whose refresh tokens are good for one use; a second use revokes all.
struct Rotating {
    fake: Fake,
    issued: Arc<AtomicUsize>,
}

impl Rotating {
    fn start(expires_in: &'static str) -> Rotating {
        let issued = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&issued);
        let revoked = AtomicUsize::new(0);
        let fake = Fake::start(move |request| match request.path.as_str() {
            "/token" => {
                let body = String::from_utf8_lossy(&request.body).into_owned();
                let expected = format!("refresh-number-{}", count.load(Ordering::SeqCst));
                if !body.contains(&expected) || revoked.load(Ordering::SeqCst) > 0 {
                    revoked.store(1, Ordering::SeqCst);
                    return Reply::json(400, &json!({ "error": "invalid_grant" }));
                }
                // Long enough for others to ask in the meantime.
                std::thread::sleep(Duration::from_millis(300));
                let number = count.fetch_add(1, Ordering::SeqCst) + 1;
                Reply::json(
                    200,
                    &json!({
                        "access_token": format!("access-canary-{number}"), "expires_in": expires_in,
                        "refresh_token": format!("refresh-number-{number}"),
                    }),
                )
            }
            _ => page(),
        });
        Rotating { fake, issued }
    }

    fn workspace(&self) -> Workspace {
        let workspace = Workspace::new();
        let origin = self.fake.origin();
        workspace.service(
            &origin,
            &format!(
                "auth: {{ kind: oauth2, grant: refresh_token, token_url: '{origin}/token', client_id: me, \
                 client_secret: {{ env: CLIENT_SECRET }}, refresh_token: {{ env: REFRESH_TOKEN }} }}"
            ),
        );
        endless(&workspace);
        workspace
    }

    fn begin_anew(&self) {
        self.issued.store(0, Ordering::SeqCst);
    }
}

fn secrets(command: &mut Command) -> &mut Command {
    command
        .env("CLIENT_SECRET", "client-canary-secret")
        .env("REFRESH_TOKEN", "refresh-number-0")
}

#[test]
fn replicas_ask_for_one_token() {
    let service = Rotating::start("3600");
    let workspace = service.workspace();
    for store in stores(&workspace) {
        service.begin_anew();
        let start = |pages| {
            let mut command = walk(&workspace, &store, pages);
            secrets(&mut command).env("TOOLRUN_STORE_KEY", KEY);
            command.spawn().expect("it starts")
        };
        ends(vec![start(50), start(50), start(1), start(1)]);
        assert_eq!(service.issued.load(Ordering::SeqCst), 1, "{store}");
        // Another process, later, with the refresh token that is spent by now.
        ends(vec![start(1)]);
        assert_eq!(service.issued.load(Ordering::SeqCst), 1, "{store}");
    }
    for entry in std::fs::read_dir(workspace.path()).expect("the folder") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            let bytes = std::fs::read(&path).expect("a file");
            for canary in ["access-canary", "refresh-number", "client-canary"] {
                let holds = bytes
                    .windows(canary.len())
                    .any(|part| part == canary.as_bytes());
                assert!(!holds, "{canary} is in {}", path.display());
            }
        }
    }
}

/// Tokens that expire during the work: each refresh token is used once, by whichever process.
#[test]
#[ignore = "long"]
fn tokens_that_expire_on_the_way_are_renewed_once() {
    let service = Rotating::start("1");
    let workspace = service.workspace();
    for store in stores(&workspace) {
        service.begin_anew();
        let start = |_| {
            let mut command = walk(&workspace, &store, 3_000);
            // The walk lasts longer than a token.
            secrets(&mut command)
                .env("TOOLRUN_STORE_KEY", KEY)
                .args(["--deadline", "4s"]);
            command.spawn().expect("it starts")
        };
        let children: Vec<Child> = (0..3).map(start).collect();
        for child in children {
            let ended = child.wait_with_output().expect("it ends");
            let told = String::from_utf8_lossy(&ended.stderr).into_owned();
            // It read all pages, or it ran out of time; nobody was refused.
            assert!(!told.contains("invalid_grant"), "{told}");
        }
        assert!(service.issued.load(Ordering::SeqCst) >= 2, "{store}");
    }
}

/// Without a key tokens stay with their process, and that is said; a key that is none is an error.
#[test]
fn a_key_is_needed_and_is_never_shown() {
    let cases: BTreeMap<&str, (i32, &str)> = BTreeMap::from([
        (
            "",
            (
                0,
                "access tokens are not shared through the store, because $TOOLRUN_STORE_KEY is not set",
            ),
        ),
        ("canary-no-key", (8, "$TOOLRUN_STORE_KEY is no key")),
        (KEY, (0, "")),
    ]);
    for (key, (code, told)) in cases {
        let service = Rotating::start("3600");
        let workspace = service.workspace();
        let store = format!("sqlite:{}", workspace.path().join("store.db").display());
        let mut command = walk(&workspace, &store, 1);
        secrets(&mut command);
        if !key.is_empty() {
            command.env("TOOLRUN_STORE_KEY", key);
        }
        let ended = output(&mut command).expect(code);
        assert_tells(&ended, &[told]);
        assert!(!ended.stderr.contains("canary"), "{}", ended.stderr);
    }
}

/// Where the store cannot be used, nothing is sent: a limit that nobody counts is no limit.
#[test]
fn without_its_store_nothing_is_sent() {
    let fake = Fake::start(|_| page());
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), "rate_limit: { requests: 5, per: 1s }");
    endless(&workspace);
    workspace.write("file", "no folder");
    let store =
        |address: &str| -> Output { workspace.run(&["call", "list-probes", "--store", address]) };
    let below = format!(
        "sqlite:{}/store.db",
        workspace.path().join("file").display()
    );
    let ended = store(&below).expect(8);
    assert_tells(
        &ended,
        &["the rate limit cannot be asked", "cannot be opened"],
    );
    for (address, told) in [
        (
            "nowhere:canary",
            "--store is no address of a store: write sqlite:PATH or postgres://",
        ),
        (
            "postgres://u:canary@h:x/d",
            "--store is no address of a store",
        ),
        ("sqlite:", "write the path of the file"),
    ] {
        let ended = store(address).expect(2);
        assert_tells(&ended, &[told]);
        assert!(!ended.stderr.contains("canary"), "{}", ended.stderr);
    }
    #[cfg(not(feature = "postgres"))]
    {
        let ended = store("postgres://u:canary@localhost/d").expect(2);
        assert_tells(
            &ended,
            &["this build has no Postgres", "the Cargo feature `postgres`"],
        );
        assert!(!ended.stderr.contains("canary"), "{}", ended.stderr);
    }
    #[cfg(feature = "postgres")]
    {
        let ended = store("postgres://u:canary@127.0.0.1:1/d").expect(8);
        assert_tells(&ended, &["postgres://u@127.0.0.1:1/d"]);
        assert!(!ended.stderr.contains("canary"), "{}", ended.stderr);
    }
    assert_eq!(fake.requests().len(), 0);
}

/// A flag, the environment, a profile: the first of them counts, and `config` shows which.
#[test]
fn the_store_is_named_by_a_flag_the_environment_or_a_profile() {
    let workspace = Workspace::new();
    workspace.service("https://probe.test", "");
    let file = workspace.path().join("toolrun.toml");
    workspace.write(
        "toolrun.toml",
        "[profiles.team]\nstore = \"sqlite:own.db\"\n",
    );
    let shown = |variable: Option<&str>, arguments: &[&str]| {
        let mut command = workspace.toolrun();
        command.env("TOOLRUN_CONFIG", &file);
        if let Some(variable) = variable {
            command.env("TOOLRUN_STORE", variable);
        }
        let ended = output(command.args(["config", "-o", "json"]).args(arguments)).expect(0);
        ended.json()["store"].clone()
    };
    let own = format!("sqlite:{}", workspace.path().join("own.db").display());
    assert_eq!(
        shown(None, &[]),
        json!({ "address": null, "from": "default" })
    );
    assert_eq!(
        shown(None, &["--profile", "team"]),
        json!({ "address": own, "from": "profile team" })
    );
    assert_eq!(
        shown(Some("sqlite:b.db"), &["--profile", "team"]),
        json!({ "address": "sqlite:b.db", "from": "$TOOLRUN_STORE" })
    );
    assert_eq!(
        shown(
            Some("sqlite:b.db"),
            &["--store", "sqlite:c.db", "--profile", "team"]
        ),
        json!({ "address": "sqlite:c.db", "from": "--store" })
    );
    for (line, told) in [
        (
            "store = \"postgres://u:canary@h/d\"",
            "`store` holds a password",
        ),
        (
            "store = \"postgres://u@h/d?password=canary\"",
            "`store` holds a password",
        ),
        ("store = \"elsewhere\"", "`store` is no address of a store"),
        ("store = 3", "`store` must be a string"),
    ] {
        workspace.write("toolrun.toml", format!("[profiles.team]\n{line}\n"));
        let mut command = workspace.toolrun();
        command.env("TOOLRUN_CONFIG", &file);
        let ended = output(command.args(["config", "--profile", "team"])).expect(2);
        assert_tells(&ended, &[told, "toolrun.toml:2:9"]);
        assert!(!ended.stderr.contains("canary"), "{}", ended.stderr);
    }
}
