//! `toolrun batch`: a call for each of many lines of arguments, and `toolrun worker`, which helps with it.

mod begin;
mod follow;
mod input;
mod rows;
mod tell;
mod worker;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use tokio::runtime::Runtime;

use super::call::parse_time;
use super::config::InForce;
use super::form::Form;
use super::reach::{Here, Reach};
use super::store::{NamedStore, store_failure};
use super::{Done, Failure, exit, usage};
use crate::Catalog;
use crate::batch::{Options, Rate, Shard};
use crate::store::{JobState, RunRecord, Store, StoreError};
use crate::table;

pub(crate) use worker::WorkerCommand;

/// Call a tool once for each of many lines of arguments, as a run that survives anything.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Batch {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    begin: Begin,
}

/// What a run is made of.
#[derive(Debug, Args)]
struct Begin {
    /// The tool, such as get-member or anthropic-admin/get-member
    tool: Option<String>,
    /// The file of argument lines, NDJSON or CSV; - is standard input
    file: Option<String>,
    /// How the lines are written; by the name of the file, or by their beginning, unless given
    #[arg(long, value_enum, value_name = "FORMAT")]
    input: Option<Input>,
    /// Take the lines from the rows of this tool, all pages
    #[arg(long, value_name = "TOOL", conflicts_with_all = ["file", "input"])]
    from: Option<String>,
    /// An argument of the tool of --from, as in `toolrun call`; may be given several times
    #[arg(long, value_name = "ARG", requires = "from")]
    from_arg: Vec<String>,
    /// Give a param the value of an expression over the columns of a line, such as workspace_id=id; with it, other columns are
    /// left out. May be given several times
    #[arg(long, value_name = "PARAM=EXPR")]
    map: Vec<String>,
    /// An argument of all lines, as in `toolrun call`; what a line says comes before. May be given several times
    #[arg(long, value_name = "ARG")]
    arg: Vec<String>,
    /// What tells one job from another: an expression over the params, such as id; a digest of all arguments unless given
    #[arg(long, value_name = "EXPR")]
    key: Option<String>,
    /// Leave out lines that are not valid, and write them to this file; without it, one such line stops everything
    #[arg(long, value_name = "FILE")]
    skip_invalid: Option<PathBuf>,
    /// Take only the lines of one of several shards, such as 0/4; by the key
    #[arg(long, value_name = "INDEX/COUNT")]
    shard: Option<Shard>,
    /// Send at most so many requests in a time, such as 10/s or 600/m, by all workers together
    #[arg(long, value_name = "RATE")]
    rate: Option<Rate>,
    /// Try a job so often before it is dead
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    max_attempts: u32,
    /// Stop the run after so many failures in a row that all jobs would share; 0 is never
    #[arg(long, value_name = "N", default_value_t = 20)]
    stop_after: u32,
    /// Consent to a tool that writes or destroys
    #[arg(long)]
    yes: bool,
    /// Check all lines and print the first requests; send and store nothing
    #[arg(long)]
    dry_run: bool,
    /// Make a new run, also where there is one of the same lines
    #[arg(long)]
    new: bool,
    /// Put the jobs into the store, and leave them to workers
    #[arg(long, conflicts_with_all = ["dry_run", "sandbox"])]
    enqueue_only: bool,
    #[command(flatten)]
    pace: Pace,
    #[command(flatten)]
    written: Written,
    #[command(flatten)]
    reach: Reach,
}

/// How one process works.
#[derive(Debug, Clone, Args)]
struct Pace {
    /// Calls at the same time
    #[arg(long, short, value_name = "N", default_value = "8")]
    concurrency: NonZeroUsize,
    /// How long after a worker's last sign of life another takes over its jobs
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_lease)]
    lease: Duration,
    /// How long nothing but failures of the network or the service are waited for
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_time)]
    patience: Duration,
    /// How progress is shown; a line on a terminal, nothing elsewhere unless given
    #[arg(long, value_enum, value_name = "FORM", default_value = "auto")]
    progress: Showing,
}

/// How the rows are written.
#[derive(Debug, Clone, Default, Args)]
struct Written {
    /// The format of the rows; NDJSON unless given, or by the name of the file
    #[arg(long, short, value_enum, value_name = "FORMAT")]
    output: Option<Output>,
    /// Write the rows to this file, whole; - is standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Input {
    /// A JSON object on each line
    Ndjson,
    /// The first line names the params
    Csv,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// A JSON object on each line
    Ndjson,
    /// A line of names, and a line for each row
    Csv,
    /// Apache Parquet; needs --out
    Parquet,
}

impl Output {
    fn format(self) -> table::Format {
        match self {
            Output::Ndjson => table::Format::Ndjson,
            Output::Csv => table::Format::Csv,
            Output::Parquet => table::Format::Parquet,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Showing {
    /// A line on a terminal, nothing elsewhere
    Auto,
    /// A JSON object each second on standard error
    Json,
    /// Nothing
    None,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Go on with a run: one that was interrupted, stopped or cancelled, or has jobs again
    Resume {
        #[command(flatten)]
        run: Named,
        #[command(flatten)]
        pace: Pace,
        #[command(flatten)]
        written: Written,
        #[command(flatten)]
        here: Here,
    },
    /// Say how far a run is; the newest unless one is named
    Status {
        /// The run
        run: Option<String>,
        /// Say it again and again, until the run has ended
        #[arg(long)]
        watch: bool,
        #[command(flatten)]
        form: Form,
    },
    /// List the jobs that failed for good: key, kind, status, request id, line
    Dead {
        #[command(flatten)]
        run: Named,
        /// List those of which nobody knows whether they were carried out
        #[arg(long)]
        unknown: bool,
        #[command(flatten)]
        form: Form,
    },
    /// Print the rows of the jobs that are done so far
    Rows {
        #[command(flatten)]
        run: Named,
        #[command(flatten)]
        written: Written,
    },
    /// Make the dead jobs ready again; `batch resume` or a worker tries them
    Retry {
        #[command(flatten)]
        run: Named,
        /// Also those of which nobody knows whether they were carried out: they may then be carried out twice
        #[arg(long)]
        unknown: bool,
        #[command(flatten)]
        form: Form,
    },
    /// Begin no more jobs of a run; those that run end
    Cancel {
        #[command(flatten)]
        run: Named,
        #[command(flatten)]
        form: Form,
    },
    /// List the runs of the store, the newest first
    List {
        #[command(flatten)]
        form: Form,
    },
    /// Remove a run with its jobs and rows from the store
    Forget {
        #[command(flatten)]
        run: Named,
        /// Also one that has not ended
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        form: Form,
    },
}

/// A run by its id, in a store.
#[derive(Debug, Args)]
struct Named {
    /// The run, such as lusab-babad, or the beginning of its id
    #[arg(value_name = "RUN")]
    id: String,
}

/// The shortest lease: a worker must have time for a sign of life.
const SHORTEST_LEASE: Duration = Duration::from_millis(300);

fn parse_lease(text: &str) -> Result<Duration, String> {
    match parse_time(text)? {
        time if time < SHORTEST_LEASE => Err("it must be 300ms at least".to_owned()),
        time => Ok(time),
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        store_failure(&error)
    }
}

impl Batch {
    /// Whether errors must be one JSON object.
    pub(crate) fn wants_json(&self) -> bool {
        match &self.what {
            None => self.begin.pace.progress == Showing::Json,
            Some(What::Resume { pace, .. }) => pace.progress == Showing::Json,
            Some(What::Rows { .. }) => false,
            Some(
                What::Status { form, .. }
                | What::Dead { form, .. }
                | What::Retry { form, .. }
                | What::Cancel { form, .. }
                | What::List { form, .. }
                | What::Forget { form, .. },
            ) => form.is_json(),
        }
    }

    /// The folders that are trusted for this command.
    pub(crate) fn trusted(&self) -> &[PathBuf] {
        match &self.what {
            None => &self.begin.reach.here.trust,
            Some(What::Resume { here, .. }) => &here.trust,
            Some(_) => &[],
        }
    }

    /// Runs the command.
    pub(crate) fn run(self, catalog: &Catalog, in_force: &InForce) -> Done {
        let runtime = runtime()?;
        let done = match self.what {
            None => runtime.block_on(self.begin.run(catalog, in_force)),
            Some(what) => runtime.block_on(what.run(catalog, in_force)),
        };
        // A program that prints a secret, or a read of standard input, is not waited for.
        runtime.shutdown_background();
        done
    }
}

/// The runtime of a batch: calls wait most of the time, so one thread does.
fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Told(exit::NETWORK, format!("cannot start: {error}")))
}

impl What {
    async fn run(self, catalog: &Catalog, in_force: &InForce) -> Done {
        match self {
            What::Resume {
                run,
                pace,
                written,
                here,
            } => {
                let (store, record) = run.find(in_force).await?;
                follow::resume(store, record, pace, written, &here, catalog, in_force).await
            }
            What::Status { run, watch, form } => {
                tell::status(
                    store(in_force)?.store(),
                    run.as_deref(),
                    watch,
                    form.is_json(),
                )
                .await
            }
            What::Dead { run, unknown, form } => {
                let (store, record) = run.find(in_force).await?;
                let state = match unknown {
                    true => JobState::Unknown,
                    false => JobState::Dead,
                };
                tell::jobs(store.store(), &record, state, form.is_json()).await
            }
            What::Rows { run, written } => {
                let (store, record) = run.find(in_force).await?;
                rows::write(store.store(), &record.run.id, &written).await
            }
            What::Retry { run, unknown, form } => {
                let (store, record) = run.find(in_force).await?;
                tell::retry(store.store(), &record, unknown, form.is_json()).await
            }
            What::Cancel { run, form } => {
                let (store, record) = run.find(in_force).await?;
                tell::cancel(store.store(), &record, form.is_json()).await
            }
            What::List { form } => tell::list(store(in_force)?.store(), form.is_json()).await,
            What::Forget { run, force, form } => {
                let (store, record) = run.find(in_force).await?;
                tell::forget(store.store(), &record, force, form.is_json()).await
            }
        }
    }
}

impl Named {
    /// The store and the run in it.
    async fn find(&self, in_force: &InForce) -> Result<(NamedStore, RunRecord), Failure> {
        let named = store(in_force)?;
        let record = find(named.store(), &self.id).await?;
        Ok((named, record))
    }
}

/// The store that is named, else the user's own.
fn store(in_force: &InForce) -> Result<NamedStore, Failure> {
    match in_force.store() {
        Some(named) => Ok(named.clone()),
        None => NamedStore::of_user(),
    }
}

/// A run by its id, or by a beginning of it that no other run has.
async fn find(store: &Store, id: &str) -> Result<RunRecord, Failure> {
    if let Some(record) = store.run(id).await? {
        return Ok(record);
    }
    let mut runs = store.runs().await?;
    runs.retain(|record| !id.is_empty() && record.run.id.starts_with(id));
    match runs.len() {
        1 => Ok(runs.remove(0)),
        0 => Err(usage(format!(
            "there is no run {id} in {}; `toolrun batch list` shows what there is",
            store.address()
        ))),
        _ => {
            let ids: Vec<&str> = runs.iter().map(|record| record.run.id.as_str()).collect();
            Err(usage(format!("{id} may be any of {}", ids.join(", "))))
        }
    }
}

/// What belongs to a run.
fn options_of(record: &RunRecord) -> Result<Options, Failure> {
    serde_json::from_str(&record.run.options).map_err(|error| {
        let id = &record.run.id;
        Failure::Told(
            exit::OUTPUT,
            format!("the run {id} was made by another version of toolrun: {error}"),
        )
    })
}
