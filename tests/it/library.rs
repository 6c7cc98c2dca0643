//! The library as an embedding program uses it: without a server, without the environment, and with futures that are
//! dropped.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use toolrun::{
    Access, Body, Budget, Call, Catalog, Destination, Engine, Error, ErrorKind, Event, Job,
    Limiter, Outcome, Page, Pages, Request, ResponseFuture, Scripted, Secret, Stopped, Tool,
    Transport, TransportError, TransportErrorKind, Turn, TurnFuture,
};

use crate::support::Workspace;

const SERVICE: &str = "
auth: { kind: bearer, secret: { env: PROBE_TOKEN } }
retry: { max_attempts: 3, base_delay: 1ms, max_delay: 2s }";
const LIST: &str = "
params: { properties: { cursor: { type: string, description: The cursor. } } }
request: { method: GET, path: /things, query: [cursor] }
paging: { items: $.data, next: { cursor: $.next } }
response: { output: { rows: $.data }, rows: rows }";
const JOB: &str = "
request: { method: POST, path: /jobs, body: { json: {} } }
wait:
  path: \"/jobs/{{ created.id }}\"
  until: \"{{ body.state == 'done' }}\"
  interval: 1ms
  cancel: { method: DELETE, path: \"/jobs/{{ created.id }}\" }
response: { output: { state: $.state } }";
const FILE: &str = "request: { method: GET, path: /file }\nresponse: { kind: bytes }";

/// A service without a server: nothing listens.
fn workspace() -> Workspace {
    let workspace = Workspace::new();
    workspace.service("https://api.probe.test", SERVICE);
    workspace.tool(
        "get-thing",
        "read",
        "request: { method: GET, path: /thing }",
    );
    workspace.tool("list-things", "read", LIST);
    workspace.tool("run-job", "write", JOB);
    workspace.tool("get-file", "read", FILE);
    workspace
}

fn tool(workspace: &Workspace, name: &str) -> Arc<Tool> {
    let catalog = Catalog::empty().with_folder(workspace.descriptors());
    catalog.tool(name).expect("a valid tool")
}

fn call(workspace: &Workspace, name: &str) -> Call {
    Call::new(&tool(workspace, name), json!({})).consent(Access::Write)
}

fn engine(transport: Arc<dyn Transport>) -> Engine {
    Engine::new()
        .with_transport(transport)
        .with_secret("PROBE_TOKEN", Secret::new("made-up-token-1"))
}

fn reply(body: &Value) -> http::Response<Body> {
    http::Response::new(body.to_string().into())
}

/// What the service answers to a request.
fn answer(request: &Request) -> http::Response<Body> {
    match (
        request.method.as_str(),
        request.url.path(),
        request.url.query(),
    ) {
        ("GET", "/things", None) => reply(&json!({ "data": [1], "next": "2" })),
        ("GET", "/things", _) => reply(&json!({ "data": [2], "next": null })),
        ("POST", "/jobs", _) => reply(&json!({ "id": "j" })),
        ("GET", "/jobs/j", _) => reply(&json!({ "state": "done" })),
        ("DELETE", "/jobs/j", _) => reply(&json!({})),
        ("GET", "/file", _) => http::Response::new("bytes".into()),
        _ => reply(&json!({ "ok": true })),
    }
}

// Dropping

/// Where the service stops answering.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Silent {
    Never,
    /// Before the header fields of the response to request number N, counted from 0.
    Head(usize),
    /// In the middle of the body of the response to request number N.
    Body(usize),
}

/// A service that stops answering, once.
struct Stage {
    silent: Mutex<Silent>,
    sent: AtomicUsize,
}

/// A body whose second half never comes.
struct Stuck(Option<Vec<u8>>);

impl Stream for Stuck {
    type Item = Result<Vec<u8>, TransportError>;

    fn poll_next(mut self: Pin<&mut Stuck>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.0.take() {
            Some(piece) => Poll::Ready(Some(Ok(piece))),
            None => Poll::Pending,
        }
    }
}

impl Transport for Stage {
    fn send(&self, request: Request) -> ResponseFuture<'_> {
        let number = self.sent.fetch_add(1, Ordering::SeqCst);
        let mut silent = self.silent.lock().unwrap();
        match *silent {
            Silent::Head(at) if at == number => {
                *silent = Silent::Never;
                Box::pin(std::future::pending())
            }
            Silent::Body(at) if at == number => {
                *silent = Silent::Never;
                let body = Body::from_stream(Stuck(Some(b"{".to_vec())));
                Box::pin(std::future::ready(Ok(http::Response::new(body))))
            }
            _ => Box::pin(std::future::ready(Ok(answer(&request)))),
        }
    }
}

type Done = Pin<Box<dyn Future<Output = Result<Value, Error>> + Send>>;
type Begin = fn(&Engine, &Workspace) -> Done;

fn output(outcome: &Outcome) -> Value {
    outcome.output.value().unwrap()
}

/// Every public future of the library, and how many requests it sends.
fn futures() -> Vec<(&'static str, usize, Begin)> {
    vec![
        ("call", 1, |engine, workspace| {
            let (engine, call) = (engine.clone(), call(workspace, "get-thing"));
            Box::pin(async move { Ok(output(&engine.call(call).await?)) })
        }),
        ("call of a job", 2, |engine, workspace| {
            let (engine, call) = (engine.clone(), call(workspace, "run-job"));
            Box::pin(async move { Ok(output(&engine.call(call).await?)) })
        }),
        ("page", 1, |engine, workspace| {
            let (engine, call) = (engine.clone(), call(workspace, "list-things"));
            Box::pin(async move { Ok(engine.page(call).await?.output()?.value().unwrap()) })
        }),
        ("call_all", 2, |engine, workspace| {
            let (engine, call) = (engine.clone(), call(workspace, "list-things"));
            Box::pin(async move { Ok(output(&engine.call_all(call).await?)) })
        }),
        ("download", 1, |engine, workspace| {
            let (engine, call) = (engine.clone(), call(workspace, "get-file"));
            let to = Destination::new(workspace.path().join("file.bin")).overwriting();
            Box::pin(async move { Ok(output(&engine.download(call, &to).await?)["bytes"].clone()) })
        }),
        ("start", 1, |engine, workspace| {
            let (engine, call) = (engine.clone(), call(workspace, "run-job"));
            Box::pin(async move { Ok(engine.start(call).await?.first().body.value().unwrap()) })
        }),
    ]
}

fn files(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name != "descriptors")
        .collect()
}

/// Each future is dropped before it is polled, and at each of its requests: before the header fields and within the
/// body. Afterwards nothing is left behind, and the engine gives the same results as a new one.
#[tokio::test]
async fn every_future_may_be_dropped_at_any_point() {
    for (name, requests, run) in futures() {
        let whole = workspace();
        let untouched = Arc::new(Scripted::default());
        let stage = Arc::new(Stage {
            silent: Mutex::new(Silent::Never),
            sent: AtomicUsize::new(0),
        });
        drop(run(&engine(untouched.clone()), &whole));
        assert!(
            untouched.sent().is_empty(),
            "{name}: nothing is sent unpolled"
        );
        let expected = run(&engine(stage.clone()), &whole).await.expect(name);
        assert_eq!(stage.sent.load(Ordering::SeqCst), requests, "{name}");
        for at in 0..requests {
            for silent in [Silent::Head(at), Silent::Body(at)] {
                let workspace = workspace();
                let stage = Arc::new(Stage {
                    silent: Mutex::new(silent),
                    sent: AtomicUsize::new(0),
                });
                let engine = engine(stage.clone());
                let left = run(&engine, &workspace);
                let left = tokio::time::timeout(Duration::from_millis(40), left).await;
                assert!(left.is_err(), "{name}, {silent:?}: {left:?}");
                assert_eq!(
                    files(workspace.path()),
                    BTreeSet::new(),
                    "{name}, {silent:?}"
                );
                let sent = stage.sent.load(Ordering::SeqCst);
                assert_eq!(sent, at + 1, "{name}, {silent:?}: nothing goes on");
                let again = run(&engine, &workspace).await.expect(name);
                assert_eq!(again, expected, "{name}, {silent:?}");
            }
        }
    }
}

/// A walk whose future is dropped at any request continues with that request.
#[tokio::test]
async fn pages_go_on_where_they_were_left() {
    /// Answers late, so that the future of each page is dropped once while its request is in progress.
    struct Late(AtomicUsize);
    impl Transport for Late {
        fn send(&self, request: Request) -> ResponseFuture<'_> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(30)).await;
                Ok(answer(&request))
            })
        }
    }
    let workspace = workspace();
    let late = Arc::new(Late(AtomicUsize::new(0)));
    let mut pages = engine(late.clone())
        .pages(call(&workspace, "list-things"))
        .unwrap();
    let mut rows = Vec::new();
    loop {
        let left = tokio::time::timeout(Duration::from_millis(1), pages.next()).await;
        let next = match left {
            Ok(done) => done,
            Err(_) => pages.next().await,
        };
        let Some(page) = next.expect("a page") else {
            break;
        };
        rows.push(page.output().unwrap().value().unwrap()["rows"].clone());
    }
    assert_eq!(rows, [json!([1]), json!([2])]);
    assert_eq!(late.0.load(Ordering::SeqCst), 2);
}

/// A job whose wait was dropped can be waited for again, finished and cancelled.
#[tokio::test]
async fn a_job_is_waited_for_again() {
    for at in [Silent::Head(1), Silent::Body(1)] {
        let workspace = workspace();
        let stage = Arc::new(Stage {
            silent: Mutex::new(at),
            sent: AtomicUsize::new(0),
        });
        let job = engine(stage.clone())
            .start(call(&workspace, "run-job"))
            .await
            .unwrap();
        let left = tokio::time::timeout(Duration::from_millis(40), job.wait()).await;
        assert!(left.is_err(), "{at:?}");
        let last = job.wait().await.unwrap().expect("a job");
        assert_eq!(
            last.output().unwrap().value().unwrap(),
            json!({ "state": "done" })
        );
        *stage.silent.lock().unwrap() = Silent::Head(stage.sent.load(Ordering::SeqCst));
        let left = tokio::time::timeout(Duration::from_millis(40), job.cancel()).await;
        assert!(left.is_err(), "{at:?}");
        assert!(job.cancel().await.unwrap(), "{at:?}");
        *stage.silent.lock().unwrap() = Silent::Head(stage.sent.load(Ordering::SeqCst));
        let left = tokio::time::timeout(Duration::from_millis(40), job.finish()).await;
        assert!(left.is_err(), "{at:?}");
    }
}

#[test]
fn what_is_under_way_can_go_to_another_thread() {
    fn goes<T: Send + 'static>() {}
    fn is_shared<T: Send + Sync + Clone + 'static>() {}
    goes::<Pages>();
    goes::<Job>();
    goes::<Page>();
    goes::<Outcome>();
    goes::<Error>();
    is_shared::<Engine>();
    is_shared::<Call>();
    is_shared::<Arc<Tool>>();
    let workspace = workspace();
    for (_, _, run) in futures() {
        // It is `Send`, so it can move to another thread.
        let future = run(&engine(Arc::new(Scripted::default())), &workspace);
        std::thread::spawn(move || drop(future)).join().unwrap();
    }
}

#[tokio::test]
async fn pages_are_a_stream() {
    let workspace = workspace();
    let stage = Arc::new(Stage {
        silent: Mutex::new(Silent::Never),
        sent: AtomicUsize::new(0),
    });
    let mut pages = engine(stage)
        .pages(call(&workspace, "list-things"))
        .unwrap();
    let mut count = 0;
    while let Some(page) =
        std::future::poll_fn(|context| Pin::new(&mut pages).poll_next(context)).await
    {
        count += page.expect("a page").items();
    }
    assert_eq!((count, pages.count(), pages.note()), (2, 2, None));
    // It stays ended, also after an error.
    let broken = Arc::new(Scripted::new([reply(&json!({ "data": [1], "next": "2" }))]));
    let mut pages = engine(broken)
        .pages(call(&workspace, "list-things"))
        .unwrap();
    let mut seen = Vec::new();
    for _ in 0..4 {
        let next = std::future::poll_fn(|context| Pin::new(&mut pages).poll_next(context)).await;
        seen.push(next.map(|page| page.map(|page| page.items()).map_err(|error| error.kind())));
    }
    let expected = [Some(Ok(1)), Some(Err(ErrorKind::Network)), None, None];
    assert_eq!(seen, expected);
    assert!(matches!(pages.note().unwrap().stopped, Stopped::Error(_)));
}

// The transport

#[tokio::test]
async fn a_script_takes_the_place_of_a_server() {
    let workspace = workspace();
    let script = Arc::new(Scripted::new([]));
    let engine = engine(script.clone());
    let refused = TransportError::new(TransportErrorKind::Connect, "connection refused");
    script.push(Err(refused.clone()));
    let busy = http::Response::builder().status(503).body("busy".into());
    script.push(Ok(busy.unwrap()));
    script.push(Ok(reply(&json!({ "n": 1 }))));
    // Retries, statuses and projections are those of the engine.
    let outcome = engine.call(call(&workspace, "get-thing")).await.unwrap();
    assert_eq!(output(&outcome), json!({ "n": 1 }));
    let sent = script.sent();
    assert_eq!(sent.len(), 3);
    assert_eq!(sent[0].url.as_str(), "https://api.probe.test/thing");
    let header = &sent[0].headers["authorization"];
    assert_eq!(header, "Bearer made-up-token-1");
    for shown in [format!("{:?}", sent[0]), format!("{script:?}")] {
        assert!(!shown.contains("made-up"), "{shown}");
    }
    // An error of the transport is a network error with the transport's message.
    for (kind, expected, words) in [
        (
            TransportErrorKind::Connect,
            ErrorKind::Network,
            "cannot connect to api.probe.test: why",
        ),
        (
            TransportErrorKind::ConnectTimeout,
            ErrorKind::Network,
            "cannot connect to api.probe.test within 10.0 s: why",
        ),
        (
            TransportErrorKind::ReadTimeout,
            ErrorKind::Network,
            "no answer within 30.0 s, the service's timeout.read",
        ),
        (
            TransportErrorKind::Exchange,
            ErrorKind::Network,
            "the exchange with api.probe.test failed: why",
        ),
        (TransportErrorKind::Refused, ErrorKind::Policy, "why"),
    ] {
        for _ in 0..3 {
            script.push(Err(TransportError::new(kind, "why")));
        }
        let before = script.sent().len();
        let error = engine
            .call(call(&workspace, "get-thing"))
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (expected, words)
        );
        let tries = script.sent().len() - before;
        let expected = if expected == ErrorKind::Policy { 1 } else { 3 };
        assert_eq!(tries, expected, "{kind:?}");
        while script.sent().len() < before + 3 {
            let _ = engine.call(call(&workspace, "get-thing")).await;
        }
    }
}

/// Redirects, limits and the mask hold for every transport.
#[tokio::test]
async fn a_transport_changes_none_of_the_rules() {
    let workspace = workspace();
    let redirect = |to: &str| {
        let response = http::Response::builder().status(302).header("location", to);
        response.body(Body::default()).unwrap()
    };
    let script = Arc::new(Scripted::new([redirect("https://elsewhere.test/thing")]));
    let error = engine(script.clone())
        .call(call(&workspace, "get-thing"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Policy, "{error}");
    assert_eq!(script.sent().len(), 1);

    let script = Arc::new(Scripted::new([
        redirect("/thing/2"),
        reply(&json!({ "echo": "made-up-token-1" })),
    ]));
    let outcome = engine(script.clone())
        .call(call(&workspace, "get-thing"))
        .await
        .unwrap();
    assert_eq!(output(&outcome), json!({ "echo": "***" }));
    assert_eq!(script.sent()[1].url.path(), "/thing/2");

    let long = vec![b' '; (64 << 20) + 1];
    let script = Arc::new(Scripted::new([http::Response::new(long.into())]));
    let error = engine(script)
        .call(call(&workspace, "get-thing"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Response, "{error}");
}

/// The limits of time hold for every transport, wherever the service stops answering.
#[tokio::test]
async fn a_silent_service_is_given_up_by_every_transport() {
    for (limits, expected) in [
        ("read: 50ms", "the service's timeout.read"),
        ("total: 50ms", "the service's timeout.total"),
    ] {
        let workspace = Workspace::new();
        let service = SERVICE.replace("max_attempts: 3", "max_attempts: 1");
        let service = format!("{service}\ntimeout: {{ {limits} }}");
        workspace.service("https://api.probe.test", &service);
        workspace.tool(
            "get-thing",
            "read",
            "request: { method: GET, path: /thing }",
        );
        for silent in [Silent::Head(0), Silent::Body(0)] {
            let stage = Stage {
                silent: Mutex::new(silent),
                sent: AtomicUsize::new(0),
            };
            let call = call(&workspace, "get-thing");
            let error = engine(Arc::new(stage)).call(call).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Network, "{limits} {silent:?}");
            let told = error.to_string();
            assert!(told.ends_with(expected), "{limits} {silent:?}: {told}");
        }
    }
}

#[tokio::test]
async fn a_layer_sees_what_goes_over_the_wire() {
    struct Counting {
        inner: Arc<dyn Transport>,
        paths: Arc<Mutex<Vec<String>>>,
    }
    impl Transport for Counting {
        fn send(&self, request: Request) -> ResponseFuture<'_> {
            let path = request.url.path().to_owned();
            self.paths.lock().unwrap().push(path);
            self.inner.send(request)
        }
    }
    let workspace = workspace();
    let paths: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&paths);
    let engine = engine(Arc::new(Scripted::new([reply(&json!({}))]))).with_layer(move |inner| {
        let paths = Arc::clone(&seen);
        Arc::new(Counting { inner, paths })
    });
    engine.call(call(&workspace, "get-thing")).await.unwrap();
    assert_eq!(*paths.lock().unwrap(), ["/thing"]);
}

// The limiter

#[tokio::test]
async fn a_limiter_of_the_programs_own_takes_the_place_of_the_engines() {
    #[derive(Default)]
    struct Shared {
        asked: Mutex<Vec<(String, NonZeroU32, Duration)>>,
        turns: Mutex<Vec<Result<Turn, String>>>,
    }
    impl Limiter for Shared {
        fn take<'l>(&'l self, budget: &'l Budget) -> TurnFuture<'l> {
            let asked = (budget.name.clone(), budget.requests, budget.per);
            self.asked.lock().unwrap().push(asked);
            let turn = self.turns.lock().unwrap().remove(0);
            Box::pin(std::future::ready(turn))
        }
    }
    let workspace = workspace();
    workspace.service(
        "https://api.probe.test",
        &format!("{SERVICE}\nrate_limit: {{ requests: 5, per: 2s }}"),
    );
    let shared = Arc::new(Shared::default());
    let script = Arc::new(Scripted::new([reply(&json!({}))]));
    let engine = engine(script.clone()).with_limiter(shared.clone());
    let waits: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let seen = Arc::clone(&waits);
    *shared.turns.lock().unwrap() = vec![
        Ok(Turn::In(Duration::from_millis(3))),
        Ok(Turn::Now),
        Err("the store is away".to_owned()),
    ];
    let watched = call(&workspace, "get-thing").observer(move |_, event| {
        if let Event::RateLimited { wait } = event {
            seen.lock().unwrap().push(wait);
        }
    });
    engine.call(watched).await.unwrap();
    assert_eq!(*waits.lock().unwrap(), [Duration::from_millis(3)]);
    // If the limiter fails, nothing is sent.
    let error = engine
        .call(call(&workspace, "get-thing"))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the rate limit cannot be asked: the store is away"
    );
    assert_eq!(script.sent().len(), 1);
    let asked = shared.asked.lock().unwrap();
    assert_eq!(asked.len(), 3);
    for (name, requests, per) in &*asked {
        assert_eq!((requests.get(), *per), (5, Duration::from_secs(2)));
        assert!(name.starts_with("probe https://api.probe.test"), "{name}");
        assert!(!name.contains("made-up"), "{name}");
    }
}

// Options of a call

#[tokio::test]
async fn each_event_says_which_call_it_belongs_to() {
    let workspace = workspace();
    let stage = Arc::new(Stage {
        silent: Mutex::new(Silent::Never),
        sent: AtomicUsize::new(0),
    });
    let engine = engine(stage);
    type Seen = (String, String, Option<String>);
    let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
    let watched = |name: &str| {
        let seen = Arc::clone(&seen);
        call(&workspace, name).observer(move |call, _| {
            let event = (call.id.clone(), call.tool.clone(), call.caller.clone());
            seen.lock().unwrap().push(event);
        })
    };
    let (one, two) = tokio::join!(
        engine.call_all(watched("list-things").id("one").caller("a")),
        engine.call(watched("get-thing").id("two")),
    );
    one.unwrap();
    two.unwrap();
    let of = |id: &str| {
        let seen = seen.lock().unwrap();
        let of_it = seen.iter().filter(|(known, ..)| known == id).cloned();
        of_it.collect::<Vec<_>>()
    };
    // Two pages and one response: each a request and a response.
    let expected = (
        "one".to_owned(),
        "probe/list-things".to_owned(),
        Some("a".to_owned()),
    );
    assert_eq!(of("one"), vec![expected; 4]);
    assert_eq!(
        of("two"),
        vec![("two".to_owned(), "probe/get-thing".to_owned(), None); 2]
    );
    // Without an id, each call gets a random one.
    seen.lock().unwrap().clear();
    engine.call(watched("get-thing")).await.unwrap();
    engine.call(watched("get-thing")).await.unwrap();
    let ids: Vec<String> = seen
        .lock()
        .unwrap()
        .iter()
        .map(|(id, ..)| id.clone())
        .collect();
    assert_eq!(ids.len(), 4);
    assert_eq!(
        (ids[0] == ids[1], ids[2] == ids[3], ids[1] == ids[2]),
        (true, true, false)
    );
    assert!(ids[0].len() >= 16, "{}", ids[0]);
}

#[tokio::test]
async fn an_option_of_one_call_is_no_option_of_another() {
    let workspace = workspace();
    let stage = Arc::new(Stage {
        silent: Mutex::new(Silent::Never),
        sent: AtomicUsize::new(0),
    });
    let engine = engine(stage);
    let tool = tool(&workspace, "run-job");
    let consenting = Call::new(&tool, json!({})).consent(Access::Write);
    engine.call(consenting).await.unwrap();
    let error = engine.call(Call::new(&tool, json!({}))).await.unwrap_err();
    assert!(matches!(error, Error::Consent { .. }), "{error}");
    let past = std::time::Instant::now() - Duration::from_secs(1);
    let late = call(&workspace, "get-thing").deadline(Duration::from_millis(1), past);
    let error = engine.call(late).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network, "{error}");
    engine.call(call(&workspace, "get-thing")).await.unwrap();
    let one = call(&workspace, "list-things").max_items(1);
    let outcome = engine.call_all(one).await.unwrap();
    assert_eq!(outcome.notes.len(), 1);
    let outcome = engine
        .call_all(call(&workspace, "list-things"))
        .await
        .unwrap();
    assert_eq!(output(&outcome), json!({ "rows": [1, 2] }));
}

// Outcomes and errors

#[derive(Debug, PartialEq, serde::Deserialize)]
struct Things {
    rows: Vec<u8>,
}

#[tokio::test]
async fn an_output_becomes_a_type_of_the_program() {
    let workspace = workspace();
    let get = |body: &Value| {
        let script = Arc::new(Scripted::new([reply(body)]));
        let (engine, call) = (engine(script), call(&workspace, "list-things"));
        async move { engine.call(call).await.unwrap() }
    };
    let outcome = get(&json!({ "data": [1, 2], "next": null })).await;
    assert_eq!(
        outcome.parse::<Things>().unwrap(),
        Things { rows: vec![1, 2] }
    );
    let outcome = get(&json!({ "data": [1, 300], "next": null })).await;
    let error = outcome.parse::<Things>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Response);
    let told = error.to_string();
    assert!(told.contains("`rows[1]`") && told.contains("300"), "{told}");
}

/// Errors keep what caused them.
#[tokio::test]
async fn errors_have_sources_and_facts() {
    let workspace = workspace();
    let error = Catalog::empty().tool("nothing").unwrap_err();
    assert!(error.to_string().contains("`nothing`"), "{error}");
    let engine = Engine::new();
    let error = engine
        .call(call(&workspace, "get-thing"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Secret);
    let error = engine
        .call(Call::new(
            &tool(&workspace, "get-thing"),
            json!({ "no": 1 }),
        ))
        .await
        .unwrap_err();
    let Error::Arguments { problems, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(problems.len(), 1);
    assert_eq!(error.to_json()["error"]["kind"], "usage");
}

// The environment

/// Neither the environment nor a file is read unless the program says so.
#[tokio::test]
async fn nothing_is_read_behind_the_programs_back() {
    let workspace = workspace();
    // A variable that every test has, and a file that holds the same name.
    let path = std::env::var("PATH").expect("PATH is set");
    let service = "
auth: { kind: api_key, in: header, name: x-key, secret: { env: PATH } }
settings: { home: { default: none, env: PATH } }
headers: { x-home: \"{{ settings.home }}\" }";
    workspace.service("https://api.probe.test", service);
    workspace.write("secrets.env", "PATH=from-the-file\n");
    let file = workspace.path().join("secrets.env");
    let cases: Vec<(&str, Engine, Result<&str, ErrorKind>, &str)> = vec![
        ("nothing", Engine::new(), Err(ErrorKind::Secret), "none"),
        (
            "a file",
            Engine::new().with_env_file(&file),
            Ok("from-the-file"),
            "none",
        ),
        (
            "the environment",
            Engine::new().with_environment(),
            Ok(&path),
            &path,
        ),
        (
            "both",
            Engine::new().with_env_file(&file).with_environment(),
            Ok(&path),
            &path,
        ),
        (
            "given",
            Engine::new()
                .with_environment()
                .with_secret("PATH", Secret::new("given-by-hand")),
            Ok("given-by-hand"),
            &path,
        ),
    ];
    for (name, engine, secret, setting) in cases {
        let script = Arc::new(Scripted::new([reply(&json!({}))]));
        let engine = engine.with_transport(script.clone());
        let done = engine.call(call(&workspace, "get-thing")).await;
        match secret {
            Err(kind) => {
                let error = done.unwrap_err();
                assert_eq!(error.kind(), kind, "{name}");
                assert!(
                    error.to_string().contains("neither the environment"),
                    "{error}"
                );
                assert!(script.sent().is_empty(), "{name}");
            }
            Ok(value) => {
                done.expect(name);
                assert_eq!(script.sent()[0].headers["x-key"], value, "{name}");
                assert_eq!(script.sent()[0].headers["x-home"], setting, "{name}");
            }
        }
        let plan = engine.plan(&call(&workspace, "get-thing")).unwrap();
        let home = plan.masked_headers();
        let home = home.iter().find(|(name, _)| name == "x-home").unwrap();
        assert_eq!(home.1, setting, "{name}");
    }
}
