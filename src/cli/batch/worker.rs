//! `toolrun worker`: works on the runs of a store, beside other workers on any number of machines.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::follow::{self, Own, Seen};
use super::tell::{line, rate_of, status_json};
use super::{Pace, Showing, find, options_of, runtime};
use crate::batch::{End, Worker};
use crate::cli::config::InForce;
use crate::cli::interrupt::unless_interrupted;
use crate::cli::reach::{Here, Reached};
use crate::cli::store::NamedStore;
use crate::cli::terminal::{Progress, say, say_json};
use crate::cli::{Done, Failure, exit, note};
use crate::store::{RunRecord, RunState, Status, Store, StoreError};
use crate::{Catalog, Files};

/// How often a worker looks for new runs.
const LOOK: Duration = Duration::from_secs(1);

/// Work on the runs of batches in a store, beside other workers.
#[derive(Debug, Args)]
pub(crate) struct WorkerCommand {
    /// The run; all runs of the store unless given
    run: Option<String>,
    /// Wait for more work when there is none, until a signal comes
    #[arg(long)]
    forever: bool,
    /// Let jobs read and send files of this machine below this folder
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,
    #[command(flatten)]
    pace: Pace,
    #[command(flatten)]
    here: Here,
}

/// A worker of one run, and what keeps it going.
struct One {
    worker: Worker,
    _reached: Reached,
}

/// How the work on a run ended.
type Ended = (RunRecord, Result<End, StoreError>);

impl WorkerCommand {
    /// Whether errors must be one JSON object.
    pub(crate) fn wants_json(&self) -> bool {
        self.pace.progress == Showing::Json
    }

    /// The folders that are trusted for this command.
    pub(crate) fn trusted(&self) -> &[PathBuf] {
        &self.here.trust
    }

    /// Runs the command.
    pub(crate) fn run(self, catalog: &Catalog, in_force: &InForce) -> Done {
        let runtime = runtime()?;
        let done = runtime.block_on(self.work(catalog, in_force));
        runtime.shutdown_background();
        done
    }

    async fn work(&self, catalog: &Catalog, in_force: &InForce) -> Done {
        let named = super::store(in_force)?;
        let _progress = Progress::start();
        let (stop, stopped) = watch::channel(false);
        let mut all = std::pin::pin!(self.all(&named, catalog, in_force, stopped));
        match unless_interrupted(all.as_mut()).await {
            Ok(done) => done,
            Err(signal) => {
                let _ = stop.send(true);
                match unless_interrupted(all).await {
                    Ok(Ok(())) => Err(signal.failure("jobs in flight were given back")),
                    Ok(Err(failure)) => Err(failure),
                    Err(second) => Err(second.failure("jobs in flight are taken over by others")),
                }
            }
        }
    }

    /// Works on runs as they come, each with its own calls in flight.
    async fn all(
        &self,
        named: &NamedStore,
        catalog: &Catalog,
        in_force: &InForce,
        mut stop: watch::Receiver<bool>,
    ) -> Done {
        let store = named.store();
        let mut tasks: JoinSet<Ended> = JoinSet::new();
        let (mut at_work, mut refused) = (BTreeMap::new(), BTreeSet::new());
        let (mut done, mut begun) = (Ok(()), 0);
        loop {
            let mut found = 0;
            for record in self.open(store).await? {
                let id = record.run.id.clone();
                if *stop.borrow() || at_work.contains_key(&id) || refused.contains(&id) {
                    continue;
                }
                match self.one(named, &record, catalog, in_force).await {
                    Ok(one) => {
                        (found, begun) = (found + 1, begun + 1);
                        self.tell(&format!("run {id}: working on it"));
                        at_work.insert(id, record.clone());
                        let stop = stop.clone();
                        tasks.spawn(async move {
                            let end = one.worker.run(stop).await;
                            (record, end)
                        });
                    }
                    // One that was named must be worked on; of many, others remain.
                    Err(failure) if self.run.is_some() => return Err(failure),
                    Err(failure) => {
                        note(&format!("run {id} is left alone: {}", words_of(&failure)));
                        refused.insert(id);
                    }
                }
            }
            if found == 0 && tasks.is_empty() && (!self.forever || *stop.borrow()) {
                if begun == 0 {
                    self.tell(&format!("there is no work in {}", store.address()));
                }
                return done;
            }
            tokio::select! {
                Some(ended) = tasks.join_next() => {
                    let ended = ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
                    at_work.remove(&ended.0.run.id);
                    if let Err(failure) = self.ended(store, ended, &mut refused).await {
                        done = Err(failure);
                    }
                }
                () = tokio::time::sleep(LOOK) => self.show(store, at_work.values()).await?,
                _ = stop.changed() => {}
            }
            if *stop.borrow() && tasks.is_empty() {
                return done;
            }
        }
    }

    /// Says something to people. A program that reads JSON learns it from there.
    fn tell(&self, text: &str) {
        if self.pace.progress != Showing::Json {
            say(text);
        }
    }

    /// Shows how far the runs are: on a line of a terminal, or as JSON.
    async fn show(
        &self,
        store: &Store,
        records: impl Iterator<Item = &RunRecord>,
    ) -> Result<(), Failure> {
        let is_json = self.pace.progress == Showing::Json;
        if !is_json && (self.pace.progress == Showing::None || !Progress::is_shown()) {
            return Ok(());
        }
        let mut lines = Vec::new();
        for record in records {
            let Some(status) = store.status(&record.run.id).await? else {
                continue;
            };
            match is_json {
                true => say_json(&status_json(record, &status, false)),
                false => {
                    let line = line(&status, rate_of(record, &status), false);
                    lines.push(format!("run {}: {line}", record.run.id));
                }
            }
        }
        if !is_json {
            Progress::says(lines.join("; "));
        }
        Ok(())
    }

    /// The runs that have work, the oldest first.
    async fn open(&self, store: &Store) -> Result<Vec<RunRecord>, Failure> {
        let runs = match &self.run {
            Some(id) => vec![find(store, id).await?],
            None => {
                let mut runs = store.runs().await?;
                runs.reverse();
                runs
            }
        };
        let mut open = Vec::new();
        for record in runs {
            let has_work =
                |status: Status| status.state == RunState::Open && status.counts.left() > 0;
            if store.status(&record.run.id).await?.is_some_and(has_work) {
                open.push(record);
            }
        }
        Ok(open)
    }

    async fn one(
        &self,
        named: &NamedStore,
        record: &RunRecord,
        catalog: &Catalog,
        in_force: &InForce,
    ) -> Result<One, Failure> {
        let options = options_of(record)?;
        let (tool, reached) =
            follow::reach_run(record, &options, &self.here, catalog, in_force).await?;
        let files = match &self.files {
            Some(folder) => Files::Below(folder.clone()),
            // The arguments come from the store, and whoever writes there is not the owner of this machine's files.
            None => Files::Denied,
        };
        let (own, seen) = (Own::of_run(files), Arc::new(Seen::default()));
        let verbose = self.here.verbose;
        let worker = follow::worker(
            named, record, &tool, &reached, &own, &self.pace, &seen, verbose,
        )?;
        Ok(One {
            worker,
            _reached: reached,
        })
    }

    /// Says how the work on a run ended. One that cannot be worked on here is not begun again.
    async fn ended(
        &self,
        store: &Store,
        (record, end): Ended,
        refused: &mut BTreeSet<String>,
    ) -> Done {
        let id = &record.run.id;
        match end? {
            End::Ended(status) => {
                self.tell(&format!("run {id}: no job is left"));
                if self.pace.progress == Showing::Json {
                    say_json(&status_json(&record, &status, false));
                }
                match self.run {
                    Some(_) => follow::incomplete(id, &status),
                    None => Ok(()),
                }
            }
            End::Interrupted { back, unknown } => {
                self.tell(&format!("run {id}: {back} jobs were given back"));
                match unknown {
                    0 => Ok(()),
                    _ => Err(Failure::Told(
                        exit::PARTIAL,
                        format!(
                            "of {unknown} jobs of the run {id} nobody knows whether they were carried out"
                        ),
                    )),
                }
            }
            End::Cancelled => {
                self.tell(&format!("run {id}: cancelled"));
                Ok(())
            }
            end @ End::Tripped(_) if self.forever && self.run.is_none() => {
                note(&words_of(&follow::why(id, end)));
                store.cancel_run(id).await?;
                Ok(())
            }
            end => {
                refused.insert(id.clone());
                Err(follow::why(id, end))
            }
        }
    }
}

fn words_of(failure: &Failure) -> String {
    match failure {
        Failure::Error(error) => error.to_string(),
        Failure::Told(_, message) => message.clone(),
        Failure::Closed | Failure::Silent(_) => String::new(),
    }
}
