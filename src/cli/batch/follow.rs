//! Works on a run until it has ended, shows how far it is, and writes its rows.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::watch;

use super::tell::{counted, line, status_json};
use super::{Pace, Showing, Written, options_of, rows};
use crate::batch::{End, Options, Paced, Rate, Told, Tripped, Work, Worker, digest_of, taker};
use crate::cli::call::watch as show;
use crate::cli::config::InForce;
use crate::cli::interrupt::unless_interrupted;
use crate::cli::reach::{self, Here, Reached};
use crate::cli::store::NamedStore;
use crate::cli::terminal::{self, Progress, say};
use crate::cli::{Done, Failure, exit, note, usage};
use crate::store::{Ended, RunRecord, RunState, SharedLimiter, Status, Store};
use crate::words::seconds;
use crate::{Catalog, Event, Files, Tool};

/// How many failures are told one by one.
const MOST_TOLD: u64 = 5;
/// How often progress is looked up.
const LOOK: Duration = Duration::from_secs(1);
/// Looking up progress may take this part of the time.
const SHARE: u32 = 20;

/// What the command that works says for itself, in place of what belongs to the run.
pub(super) struct Own {
    pub rate: Option<Rate>,
    /// How often a job is tried, and after how many failures the run stops.
    pub limits: Option<(u32, u32)>,
    pub files: Files,
}

impl Own {
    /// As the run says.
    pub(super) fn of_run(files: Files) -> Own {
        Own {
            rate: None,
            limits: None,
            files,
        }
    }

    fn apply(&self, options: &mut Options) {
        options.rate = self.rate.or(options.rate);
        if let Some((max_attempts, stop_after)) = self.limits {
            (options.max_attempts, options.stop_after) = (max_attempts, stop_after);
        }
    }
}

/// Why a run is not worked on with another descriptor than its own.
pub(super) fn other_descriptor(record: &RunRecord) -> Failure {
    let run = &record.run;
    Failure::Told(
        exit::DESCRIPTOR,
        format!(
            "the descriptor of {} here is not the one that the run {} was made with; bring that one back, or make a new run",
            run.tool, run.id
        ),
    )
}

/// `batch resume`
pub(super) async fn resume(
    named: NamedStore,
    record: RunRecord,
    pace: Pace,
    mut written: Written,
    here: &Here,
    catalog: &Catalog,
    in_force: &InForce,
) -> Done {
    let options = options_of(&record)?;
    if record.state == RunState::Loading {
        let id = &record.run.id;
        return Err(crate::cli::usage(format!(
            "the jobs of the run {id} are not all in the store; the command that began it goes on with it"
        )));
    }
    restore(&mut written, &options);
    written.check()?;
    let (tool, reached) = reach_run(&record, &options, here, catalog, in_force).await?;
    let store = named.store();
    store.open_run(&record.run.id).await?;
    let record = super::find(store, &record.run.id).await?;
    let own = Own::of_run(Files::Any);
    work(&named, record, tool, reached, own, &pace, &written, here).await
}

/// Takes what the run was begun with where nothing else is said.
fn restore(written: &mut Written, options: &Options) {
    if written.output.is_none() && written.out.is_none() {
        written.output = match options.output.as_deref() {
            Some("csv") => Some(super::Output::Csv),
            Some("parquet") => Some(super::Output::Parquet),
            _ => None,
        };
        written.out = options.out.clone().map(Into::into);
    }
}

/// The tool of a run, and the engine that calls it as the run says.
pub(super) async fn reach_run(
    record: &RunRecord,
    options: &Options,
    here: &Here,
    catalog: &Catalog,
    in_force: &InForce,
) -> Result<(Arc<Tool>, Reached), Failure> {
    let mut catalog = catalog.clone();
    let sandbox = options.sandbox.as_deref();
    if options.played != here.tape.plays() {
        let (was, is) = match options.played {
            true => ("with", "give the recording again"),
            false => ("without", "leave it out"),
        };
        return Err(usage(format!(
            "the run {} was made {was} --replay; {is}",
            record.run.id
        )));
    }
    let asks_no_service = sandbox.is_some() || here.tape.plays_alone();
    let tool = reach::tool(&mut catalog, &record.run.tool, asks_no_service)?;
    if digest_of(&tool) != record.run.digest {
        return Err(other_descriptor(record));
    }
    if options.profile != in_force.profile_name() {
        let name = |profile: Option<&str>| match profile {
            Some(name) => format!("the profile {name}"),
            None => "no profile".to_owned(),
        };
        note(&format!(
            "the run {} was made with {}, and {} is in force here",
            record.run.id,
            name(options.profile.as_deref()),
            name(in_force.profile_name().as_deref())
        ));
    }
    let reached =
        reach::engine(&catalog, &tool, &options.settings, sandbox, here, in_force).await?;
    Ok((tool, reached))
}

/// What happened so far, as far as this process knows it.
#[derive(Default)]
pub(super) struct Seen {
    failures: AtomicU64,
    /// When the rate limit was last waited for.
    waited: Mutex<Option<Instant>>,
}

impl Seen {
    /// Whether calls wait for the rate limit now.
    fn waits(&self) -> bool {
        let waited = self.waited.lock().unwrap_or_else(PoisonError::into_inner);
        waited.is_some_and(|at| at.elapsed() < LOOK * 2)
    }

    /// Takes what a worker tells.
    pub(super) fn take(&self, run: &str, told: Told, verbose: bool) {
        match told {
            Told::Event(event) => {
                if let Event::RateLimited { .. } = event {
                    let mut waited = self.waited.lock().unwrap_or_else(PoisonError::into_inner);
                    *waited = Some(Instant::now());
                }
                if verbose {
                    show(&event, true);
                } else if let Event::TokenNotSaved { .. } = event {
                    show(&event, false);
                }
            }
            Told::Lost(key) if verbose => note(&format!("{key} was lost: another worker has it")),
            Told::Lost(_) => {}
            Told::Note(text) => self.tell(run, &text, verbose),
            Told::Pauses(time) => note(&format!(
                "the service is in trouble: one call tries again in {}",
                seconds(time)
            )),
            Told::Failed {
                key,
                failure,
                ended,
            } => {
                let what = match ended {
                    Ended::Again { after, .. } if verbose => {
                        format!("again in {}", seconds(after))
                    }
                    Ended::Dead(_) => "the job is dead".to_owned(),
                    Ended::Unknown(_) => {
                        "nobody knows whether it was carried out, so it is not sent again"
                            .to_owned()
                    }
                    _ => return,
                };
                self.tell(run, &format!("{key}: {}; {what}", failure.message), verbose);
            }
        }
    }

    /// Tells the first ones of what may be many.
    fn tell(&self, run: &str, text: &str, verbose: bool) {
        let count = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        if verbose || count <= MOST_TOLD {
            note(text);
        } else if count == MOST_TOLD + 1 {
            note(&format!(
                "more of them are not told one by one; `toolrun batch dead {run}` lists them"
            ));
        }
    }
}

/// Makes a worker.
#[expect(clippy::too_many_arguments, reason = "each is one thing that it needs")]
pub(super) fn worker(
    named: &NamedStore,
    record: &RunRecord,
    tool: &Arc<Tool>,
    reached: &Reached,
    own: &Own,
    pace: &Pace,
    seen: &Arc<Seen>,
    verbose: bool,
) -> Result<Worker, Failure> {
    let mut options = options_of(record)?;
    own.apply(&mut options);
    let store = named.store();
    let shared = Arc::new(SharedLimiter::new(store, taker(&record.run.id)));
    let limiter = Paced::new(shared, &record.run.id, options.rate);
    let (seen, run) = (Arc::clone(seen), record.run.id.clone());
    Ok(Worker {
        store: store.clone(),
        engine: named
            .share(reached.engine.clone())
            .with_limiter(Arc::new(limiter)),
        tool: Arc::clone(tool),
        record: record.clone(),
        options,
        work: Work {
            concurrency: pace.concurrency.get(),
            lease: pace.lease,
            patience: pace.patience,
            files: own.files.clone(),
        },
        tell: Arc::new(move |told| seen.take(&run, told, verbose)),
    })
}

/// Works on a run, and writes its rows when it has ended.
#[expect(clippy::too_many_arguments, reason = "each is one thing that it needs")]
pub(super) async fn work(
    named: &NamedStore,
    record: RunRecord,
    tool: Arc<Tool>,
    reached: Reached,
    own: Own,
    pace: &Pace,
    written: &Written,
    here: &Here,
) -> Done {
    let id = record.run.id.clone();
    let seen = Arc::new(Seen::default());
    let store = named.store();
    let worker = worker(
        named,
        &record,
        &tool,
        &reached,
        &own,
        pace,
        &seen,
        here.verbose,
    )?;
    let progress = Progress::start();
    let shown = pin!(follow(store, &record, pace.progress, &seen));
    let (stop, stopped) = watch::channel(false);
    let mut work = pin!(worker.run(stopped));
    let mut signal = None;
    let end = {
        let mut both = pin!(async {
            tokio::select! {
                end = work.as_mut() => end,
                never = shown => match never {},
            }
        });
        match unless_interrupted(both.as_mut()).await {
            Ok(end) => end,
            Err(arrived) => {
                signal = Some(arrived);
                let _ = stop.send(true);
                Progress::says("stopping: jobs are given back");
                match unless_interrupted(both.as_mut()).await {
                    Ok(end) => end,
                    Err(second) => {
                        return Err(second.failure(&format!(
                            "jobs in flight are taken over {} later; `toolrun batch resume {id}` goes on",
                            seconds(pace.lease)
                        )));
                    }
                }
            }
        }
    };
    drop(progress);
    let end = end?;
    if let Some(status) = store.status(&id).await? {
        tell_end(&record, &status, pace.progress);
    }
    match (end, signal) {
        (End::Ended(status), _) => {
            let _progress = Progress::start();
            rows::write(store, &id, written).await?;
            incomplete(&id, &status)
        }
        (End::Interrupted { back, unknown }, signal) => {
            let mut told = format!("{back} jobs were given back");
            if unknown > 0 {
                told.push_str(&format!(
                    ", and of {unknown} nobody knows whether they were carried out"
                ));
            }
            told.push_str(&format!("; `toolrun batch resume {id}` goes on"));
            Err(match signal {
                Some(signal) => signal.failure(&told),
                None => Failure::Told(exit::PARTIAL, told),
            })
        }
        (end, _) => Err(why(&id, end)),
    }
}

/// Why a run that has not ended is not worked on any more.
pub(super) fn why(id: &str, end: End) -> Failure {
    match end {
        End::Tripped(Tripped {
            failure,
            count,
            after,
        }) => {
            let code = exit::of_kind(&failure.kind);
            let mut message = format!(
                "the run was stopped after {count} failures in a row, within {}: {}",
                seconds(after),
                failure.message
            );
            if let Some(request) = &failure.request_id {
                message.push_str(&format!(" [request id {request}]"));
            }
            message.push_str(&format!(
                "\nno job is lost: when the cause is gone, `toolrun batch resume {id}` goes on, and `toolrun batch retry {id}` \
                 makes dead jobs ready again"
            ));
            Failure::Told(code, message)
        }
        End::Stopped(error) => {
            note(&format!(
                "no job is lost: `toolrun batch resume {id}` goes on with the run"
            ));
            Failure::Error(error)
        }
        _ => Failure::Told(
            exit::PARTIAL,
            format!("the run {id} was cancelled; `toolrun batch resume {id}` goes on with it"),
        ),
    }
}

/// Dead and unknown jobs are an end too, but none that a script may overlook.
pub(super) fn incomplete(id: &str, status: &Status) -> Done {
    let counts = &status.counts;
    if counts.dead + counts.unknown == 0 {
        return Ok(());
    }
    let mut told = Vec::new();
    if counts.dead > 0 {
        told.push(format!(
            "{} failed for good (`toolrun batch dead {id}` lists them, `toolrun batch retry {id}` makes them ready again)",
            counted(counts.dead, "job")
        ));
    }
    if counts.unknown > 0 {
        told.push(format!(
            "of {} nobody knows whether they were carried out (`toolrun batch dead {id} --unknown` lists them)",
            counted(counts.unknown, "job")
        ));
    }
    Err(Failure::Told(exit::PARTIAL, told.join("; ")))
}

/// Says at the end how the run stands.
fn tell_end(record: &RunRecord, status: &Status, showing: Showing) {
    match showing {
        Showing::Json => terminal::say_json(&status_json(record, status, false)),
        _ => {
            let counts = &status.counts;
            let mut told = format!(
                "run {}: {} of {} done, {}",
                record.run.id,
                counts.done,
                counted(counts.all(), "job"),
                counted(status.rows, "row")
            );
            for (count, what) in [
                (counts.dead, "dead"),
                (counts.unknown, "unknown"),
                (counts.left(), "left"),
            ] {
                if count > 0 {
                    told.push_str(&format!(", {count} {what}"));
                }
            }
            say(&told);
        }
    }
}

enum Never {}

/// Shows how far the run is, until nobody waits for it.
async fn follow(store: &Store, record: &RunRecord, showing: Showing, seen: &Seen) -> Never {
    let is_shown = match showing {
        Showing::Auto => Progress::is_shown(),
        Showing::Json => true,
        Showing::None => false,
    };
    if !is_shown {
        return std::future::pending().await;
    }
    let started = Instant::now();
    let mut first = None;
    loop {
        let began = Instant::now();
        // If the store is away, the worker says so.
        if let Ok(Some(status)) = store.status(&record.run.id).await {
            let ended = status.counts.all() - status.counts.left();
            let since = ended - *first.get_or_insert(ended);
            let rate = since as f64 / started.elapsed().as_secs_f64().max(0.1);
            match showing {
                Showing::Json => {
                    let mut shown = status_json(record, &status, seen.waits());
                    shown["per_second"] = json!((rate * 10.0).round() / 10.0);
                    terminal::say_json(&shown);
                }
                _ => Progress::says(line(&status, rate, seen.waits())),
            }
        }
        let took = began.elapsed();
        tokio::time::sleep(LOOK.max(took * SHARE)).await;
    }
}
