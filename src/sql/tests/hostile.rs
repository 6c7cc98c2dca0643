//! Queries without an end. Those that ask for too much memory run in a program of their own (`tests/it/sql.rs`): memory is
//! counted for the whole process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Club, Source, hasty, start};

#[test]
fn computing_has_a_limit() {
    let club = Club::new();
    for query in [
        "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n",
        "select count(*) from list_people a, list_people b, list_people c, list_people d",
    ] {
        let started = Instant::now();
        let told = club.ask_within(query, hasty()).error();
        assert_eq!(
            told,
            "the query computed for 300 ms, apart from its requests, and was stopped"
        );
        assert!(started.elapsed() < Duration::from_secs(20), "{query}");
    }
}

#[test]
fn a_query_that_nobody_reads_ends() {
    let club = Club::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select i from n";
    let started = Instant::now();
    let outcome = runtime.block_on(async {
        let source: Arc<dyn Source> = Arc::<Club>::clone(&club);
        let mut running = start(endless.to_owned(), source, hasty());
        let mut rows = Vec::new();
        running.rows(&mut rows).await;
        running.end().await
    });
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        outcome.result
    );
}
