//! Calls per second through the engine beside the same request hand-written with reqwest and serde, on the same
//! loopback server and connection settings, in alternating rounds.
//!
//! `cargo bench --bench throughput [-- ROUNDS [ROWS]]`

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its ratios"
)]

mod support;

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use support::{KEY, Server, median, tools_folder};
use toolrun::{Call, Catalog, Engine, Secret};

const CALLS: usize = 400;

#[derive(Deserialize, Serialize)]
struct Workspaces {
    data: Vec<Workspace>,
    has_more: bool,
    first_id: Option<String>,
    last_id: Option<String>,
}

#[derive(Deserialize, Serialize)]
struct Workspace {
    id: String,
    name: String,
    created_at: String,
    archived_at: Option<String>,
    tags: Value,
    data_residency: Value,
    external_key_id: Option<String>,
    compartment_id: Option<String>,
    user_profile_id: Option<String>,
}

fn main() {
    let rounds = support::number_argument(15);
    let server = Server::start();
    let folder = tools_folder(&server.origin(), 1);
    let tool = Catalog::empty()
        .with_folder(folder.path())
        .tool("list-workspaces")
        .expect("the tool is valid");
    let engine = Engine::new().with_secret("ANTHROPIC_ADMIN_API_KEY", Secret::new(KEY));
    // The limits of time that the descriptor sets, as whoever writes the request by hand would too.
    let client = reqwest::Client::builder()
        .tcp_nodelay(true)
        .no_proxy()
        .connect_timeout(Duration::from_secs(10))
        .read_timeout(Duration::from_secs(30))
        .timeout(Duration::from_mins(1));
    let client = client
        .tls_backend_preconfigured(support::no_tls())
        .build()
        .expect("a client");
    let url = format!("{}/v1/organizations/workspaces", server.origin());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let only: Option<u32> = std::env::args().filter_map(|word| word.parse().ok()).nth(1);
        let sizes = support::PAGE_SIZES.into_iter();
        for limit in sizes.filter(|size| only.is_none_or(|only| only == *size)) {
            let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
            for round in 0..=rounds {
                let engine_rate = {
                    let started = Instant::now();
                    for _ in 0..CALLS {
                        let outcome = engine
                            .call(Call::new(&tool, json!({ "limit": limit })))
                            .await
                            .expect("the call works");
                        std::hint::black_box(outcome.output);
                    }
                    CALLS as f64 / started.elapsed().as_secs_f64()
                };
                let hand_rate = {
                    let started = Instant::now();
                    for _ in 0..CALLS {
                        let parameters =
                            [("include_archived", "false"), ("limit", &limit.to_string())];
                        let address = reqwest::Url::parse_with_params(&url, parameters);
                        let response = client
                            .get(address.expect("a URL"))
                            .header("accept", "application/json")
                            .header("user-agent", concat!("toolrun/", env!("CARGO_PKG_VERSION")))
                            .header("accept-encoding", "gzip, br")
                            .header("anthropic-version", "2023-06-01")
                            .header("x-api-key", KEY)
                            .send()
                            .await
                            .and_then(reqwest::Response::error_for_status)
                            .expect("the request works");
                        let bytes = response.bytes().await.expect("a body");
                        let page: Workspaces = serde_json::from_slice(&bytes).expect("JSON");
                        std::hint::black_box(serde_json::to_string(&page).expect("JSON"));
                    }
                    CALLS as f64 / started.elapsed().as_secs_f64()
                };
                if round > 0 {
                    ratios.push(engine_rate / hand_rate);
                    ours.push(engine_rate);
                    theirs.push(hand_rate);
                }
            }
            println!(
                "{limit:>3} rows: engine {:.0} calls/s, by hand {:.0} calls/s, paired median ratio {:.3}",
                median(&mut ours),
                median(&mut theirs),
                median(&mut ratios)
            );
        }
    });
}
