//! Runs, their jobs, and the rows that jobs give.
//!
//! A job is claimed for a while (a lease) and carries a number that grows with each claim (a fence). Whoever holds an
//! older number has lost the job: what it finishes is not taken. A job that is done and its rows are committed together.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::db::{Answer, Durability, Param, Row, Tx};
use super::{Store, StoreError};

/// Jobs that are inserted in one transaction.
const AT_ONCE: usize = 5_000;

/// A run that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewRun {
    /// Its id.
    pub id: String,
    /// The tool, such as `anthropic-admin/list-members`.
    pub tool: String,
    /// A digest of the descriptor: workers with another one must not take its jobs.
    pub digest: String,
    /// Where the argument lines come from, for people.
    pub source: String,
    /// What the tool may do: `read`, `write` or `destructive`.
    pub access: String,
    /// Whether a job may be sent again when nobody knows whether it was: the tool reads, or its requests carry a key by
    /// which the service knows them again.
    pub is_repeatable: bool,
    /// What else belongs to the run, as its maker writes it.
    pub options: String,
}

/// A run of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunRecord {
    /// What it was made with.
    pub run: NewRun,
    /// Its state.
    pub state: RunState,
    /// When it was made, in microseconds since 1970 by the clock of the database.
    pub created: i64,
}

/// The state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RunState {
    /// Its jobs are being written; none of them runs yet.
    Loading,
    /// Its jobs run, wait or have ended.
    Open,
    /// No more of its jobs are claimed, until somebody goes on with it.
    Cancelled,
}

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum JobState {
    /// It waits for a worker.
    Ready,
    /// A worker has it.
    Leased,
    /// It has ended, and its rows are there.
    Done,
    /// It failed for good.
    Dead,
    /// It changes something, its worker was lost, and nobody knows whether it was carried out.
    Unknown,
}

macro_rules! words {
    ($kind:ident { $($variant:ident $word:literal)* }) => {
        impl $kind {
            /// The state as the store and people write it.
            pub(crate) fn as_str(self) -> &'static str {
                match self { $($kind::$variant => $word,)* }
            }

            fn parse(text: &str) -> Result<$kind, StoreError> {
                match text {
                    $($word => Ok($kind::$variant),)*
                    _ => Err(StoreError::Broken("a state")),
                }
            }
        }
    };
}

words!(RunState { Loading "loading" Open "open" Cancelled "cancelled" });
words!(JobState { Ready "ready" Leased "leased" Done "done" Dead "dead" Unknown "unknown" });

/// A job that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewJob {
    /// Its place in the run, such as the number of its line.
    pub seq: i64,
    /// Its key: within a run there is one job of a key.
    pub key: String,
    /// Its arguments, as JSON.
    pub args: String,
}

/// A job that a worker has claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claimed {
    /// Its run.
    pub run: String,
    /// Its place in the run.
    pub seq: i64,
    /// Its key.
    pub key: String,
    /// Its arguments, as JSON.
    pub args: String,
    /// The number of the claim.
    pub fence: i64,
    /// How often it has failed, or was lost by its worker, before.
    pub failures: i64,
}

/// Why a job failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// The kind of the error, such as `upstream`.
    pub kind: String,
    /// The status of the response, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The service's id of the request, if it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The message, without secrets.
    pub message: String,
}

/// How a claimed job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It is done. `rows` are its last rows, as JSON, which follow `before` rows that were written by
    /// [`Store::add_rows`].
    Done {
        /// Rows written before.
        before: i64,
        /// The rest of the rows.
        rows: Vec<String>,
    },
    /// It failed and may run again after this time.
    Again {
        /// How long to wait.
        after: Duration,
        /// Why.
        failure: Failure,
    },
    /// It failed for good.
    Dead(Failure),
    /// Nobody knows whether it was carried out.
    Unknown(Failure),
    /// It was not begun, or may be begun again as if it was not: it goes back.
    Back,
}

/// A claimed job and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finished {
    /// Its run.
    pub run: String,
    /// Its place in the run.
    pub seq: i64,
    /// The number of its claim.
    pub fence: i64,
    /// How it ended.
    pub ended: Ended,
}

/// A job, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    /// Its place in the run.
    pub seq: i64,
    /// Its key.
    pub key: String,
    /// Its arguments, as JSON.
    pub args: String,
    /// Its state.
    pub state: JobState,
    /// How often it has failed, or was lost by its worker.
    pub failures: i64,
    /// Why it failed last.
    pub failure: Option<Failure>,
}

/// Jobs by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// They wait for a worker, also those that wait for their next try.
    pub ready: u64,
    /// A worker has them.
    pub leased: u64,
    /// They are done.
    pub done: u64,
    /// They failed for good.
    pub dead: u64,
    /// Nobody knows whether they were carried out.
    pub unknown: u64,
}

impl Counts {
    /// All jobs.
    pub(crate) fn all(&self) -> u64 {
        self.left() + self.done + self.dead + self.unknown
    }

    /// Jobs that have not ended.
    pub(crate) fn left(&self) -> u64 {
        self.ready + self.leased
    }
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status {
    /// The state of the run.
    pub state: RunState,
    /// Its jobs by state.
    pub counts: Counts,
    /// Jobs that ended within the last minute.
    pub ended_lately: u64,
    /// Jobs that wait for their next try.
    pub waiting: u64,
    /// For how long a worker has held the job that was claimed first, in microseconds.
    pub oldest_lease: Option<i64>,
    /// When the first waiting job may run, in microseconds from now.
    pub next_in: Option<i64>,
    /// Rows of all jobs that are done.
    pub rows: u64,
}

/// A page of rows, in the order of the jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// The key of the job and the row, as JSON.
    pub rows: Vec<(String, String)>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<(i64, i64)>,
}

impl Store {
    /// Makes a run, or finds the one that has this id already. Its jobs do not run before [`Store::open_run`].
    ///
    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn make_run(&self, run: NewRun) -> Result<RunRecord, StoreError> {
        let id = run.id.clone();
        self.transact(Durability::Machine, move |tx: &mut dyn Tx| {
            let run = run.clone();
            Box::pin(async move {
                let values = vec![
                    run.id.into(),
                    run.tool.into(),
                    run.digest.into(),
                    run.source.into(),
                    run.access.into(),
                    i64::from(run.is_repeatable).into(),
                    run.options.into(),
                    RunState::Loading.as_str().into(),
                ];
                tx.run(
                    "insert into run (id, tool, digest, source, access, repeatable, options, state, created) \
                     values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, {now}) on conflict (id) do nothing",
                    values,
                )
                .await?;
                Ok(())
            })
        })
        .await?;
        self.run(&id).await?.ok_or(StoreError::Broken("a run"))
    }

    /// Adds jobs to a run; one whose key is there already is left out. Gives how many are new.
    ///
    /// # Errors
    /// When the store does not answer. Some of the jobs may be there then; to add them again changes nothing.
    pub(crate) async fn enqueue(&self, run: &str, jobs: Vec<NewJob>) -> Result<u64, StoreError> {
        let mut count = 0;
        let mut jobs = jobs.into_iter().peekable();
        while jobs.peek().is_some() {
            let rows: Vec<Vec<Param>> = jobs
                .by_ref()
                .take(AT_ONCE)
                .map(|job| vec![run.into(), job.seq.into(), job.key.into(), job.args.into()])
                .collect();
            let rows = Arc::new(rows);
            count += self
                .transact(Durability::Process, move |tx: &mut dyn Tx| {
                    let rows = (*rows).clone();
                    Box::pin(async move {
                        tx.insert(
                            "insert into job (run, seq, key, args, state, at, fence, failures, lease, rows)",
                            rows.into_iter()
                                .map(|mut row| {
                                    row.push("ready".into());
                                    row.extend((0..5).map(|_| Param::Int(0)));
                                    row
                                })
                                .collect(),
                            "on conflict do nothing",
                        )
                        .await
                    })
                })
                .await?;
        }
        Ok(count)
    }

    /// Lets the jobs of a run be claimed, also of one that was cancelled.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn open_run(&self, run: &str) -> Result<(), StoreError> {
        self.set_state(run, RunState::Open).await
    }

    /// Lets no more jobs of a run be claimed. Those that are claimed end.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn cancel_run(&self, run: &str) -> Result<(), StoreError> {
        self.set_state(run, RunState::Cancelled).await
    }

    async fn set_state(&self, run: &str, state: RunState) -> Result<(), StoreError> {
        let run = run.to_owned();
        self.transact(Durability::Machine, move |tx: &mut dyn Tx| {
            let values = vec![run.as_str().into(), state.as_str().into()];
            Box::pin(async move {
                tx.run("update run set state = ?2 where id = ?1", values)
                    .await?;
                Ok(())
            })
        })
        .await
    }

    /// A run by its id.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn run(&self, id: &str) -> Result<Option<RunRecord>, StoreError> {
        let id = id.to_owned();
        let mut found = self
            .transact(Durability::Process, move |tx: &mut dyn Tx| {
                let sql = format!("{RUNS} where id = ?1");
                let values = vec![id.as_str().into()];
                Box::pin(async move { records(tx.rows(&sql, values).await?) })
            })
            .await?;
        Ok(found.pop())
    }

    /// All runs, the newest first.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn runs(&self) -> Result<Vec<RunRecord>, StoreError> {
        self.transact(Durability::Process, move |tx: &mut dyn Tx| {
            let sql = format!("{RUNS} order by created desc, id");
            Box::pin(async move { records(tx.rows(&sql, vec![]).await?) })
        })
        .await
    }

    /// Removes a run with its jobs and rows.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn forget(&self, run: &str) -> Result<(), StoreError> {
        let run = run.to_owned();
        self.transact(Durability::Machine, move |tx: &mut dyn Tx| {
            let run = run.clone();
            Box::pin(async move {
                for sql in [
                    "delete from output where run = ?1",
                    "delete from job where run = ?1",
                    "delete from run where id = ?1",
                ] {
                    tx.run(sql, vec![run.as_str().into()]).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Claims up to `most` jobs of a run for `lease`. None are given unless the run is open. A job whose lease has run
    /// out is claimed again if the run is repeatable; else its state becomes unknown.
    ///
    /// # Errors
    /// When the store does not answer. Jobs that were claimed by then come back when their lease runs out.
    pub(crate) async fn claim(
        &self,
        run: &RunRecord,
        owner: &str,
        most: usize,
        lease: Duration,
    ) -> Result<Vec<Claimed>, StoreError> {
        let (id, owner) = (run.run.id.clone(), owner.to_owned());
        let is_repeatable = run.run.is_repeatable;
        // If the machine dies after a write was sent, the claim must still be known.
        let durability = match is_repeatable {
            true => Durability::Process,
            false => Durability::Machine,
        };
        self.transact(durability, move |tx: &mut dyn Tx| {
            let (id, owner) = (id.clone(), owner.clone());
            Box::pin(async move {
                let open = tx
                    .rows(
                        "select state from run where id = ?1",
                        vec![id.as_str().into()],
                    )
                    .await?;
                let Some(mut state) = open.into_iter().next() else {
                    return Ok(Vec::new());
                };
                if RunState::parse(&state.text(0)?)? != RunState::Open {
                    return Ok(Vec::new());
                }
                let lost = match is_repeatable {
                    true => RETURN_LOST,
                    false => GIVE_UP_LOST,
                };
                tx.run(lost, vec![id.as_str().into()]).await?;
                let values = vec![
                    id.as_str().into(),
                    owner.into(),
                    micros(lease).into(),
                    (most as i64).into(),
                ];
                let rows = tx.rows(CLAIM, values).await?;
                let mut claimed = Vec::with_capacity(rows.len());
                for mut row in rows {
                    claimed.push(Claimed {
                        run: id.clone(),
                        seq: row.int(0)?,
                        key: row.text(1)?,
                        args: row.text(2)?,
                        fence: row.int(3)?,
                        failures: row.int(4)?,
                    });
                }
                for job in claimed.iter().filter(|job| job.fence > 1) {
                    let values = vec![id.as_str().into(), job.seq.into()];
                    tx.run("delete from output where run = ?1 and seq = ?2", values)
                        .await?;
                }
                claimed.sort_by_key(|job| job.seq);
                Ok(claimed)
            })
        })
        .await
    }

    /// Prolongs all leases of an owner. Gives the jobs that it still has: run, place and number of the claim.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn prolong(
        &self,
        owner: &str,
        lease: Duration,
    ) -> Result<Vec<(String, i64, i64)>, StoreError> {
        let owner = owner.to_owned();
        self.transact(Durability::Process, move |tx: &mut dyn Tx| {
            let values = vec![owner.as_str().into(), micros(lease).into()];
            Box::pin(async move {
                let rows = tx
                    .rows(
                        "update job set lease = {now} + ?2 where owner = ?1 and state = 'leased' \
                         returning run, seq, fence",
                        values,
                    )
                    .await?;
                rows.into_iter()
                    .map(|mut row| Ok((row.text(0)?, row.int(1)?, row.int(2)?)))
                    .collect()
            })
        })
        .await
    }

    /// Writes rows of a job that is not done yet, from number `from` on. Nobody sees them before it is done. False if the
    /// claim was lost.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn add_rows(
        &self,
        job: &Claimed,
        from: i64,
        rows: Vec<String>,
    ) -> Result<bool, StoreError> {
        let (job, rows) = (job.clone(), Arc::new(rows));
        self.transact(Durability::Process, move |tx: &mut dyn Tx| {
            let (job, rows) = (job.clone(), Arc::clone(&rows));
            Box::pin(async move {
                let values = vec![job.run.as_str().into(), job.seq.into(), job.fence.into()];
                let held = tx
                    .rows(
                        "select 1 from job where run = ?1 and seq = ?2 and fence = ?3 and state = 'leased' {lock}",
                        values,
                    )
                    .await?;
                if held.is_empty() {
                    return Ok(false);
                }
                insert_rows(tx, &job.run, job.seq, job.fence, from, &rows).await?;
                Ok(true)
            })
        })
        .await
    }

    /// Takes the ends of claimed jobs, all or none. For each: whether it was taken. One that is not had been lost: its
    /// lease ran out and another worker has it, or nobody may have it.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn finish(&self, finished: Vec<Finished>) -> Result<Vec<bool>, StoreError> {
        let finished = Arc::new(finished);
        self.transact(Durability::Machine, move |tx: &mut dyn Tx| {
            let finished = Arc::clone(&finished);
            Box::pin(async move {
                let mut taken = Vec::with_capacity(finished.len());
                for one in &*finished {
                    taken.push(take(tx, one).await?);
                }
                Ok(taken)
            })
        })
        .await
    }

    /// How a run stands. `None` if there is none.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn status(&self, run: &str) -> Result<Option<Status>, StoreError> {
        let run = run.to_owned();
        self.transact(Durability::Process, move |tx: &mut dyn Tx| {
            let run = run.clone();
            Box::pin(async move {
                let id = || vec![Param::from(run.as_str())];
                let state = tx.rows("select state from run where id = ?1", id()).await?;
                let Some(mut state) = state.into_iter().next() else {
                    return Ok(None);
                };
                let state = RunState::parse(&state.text(0)?)?;
                let mut counts = Counts::default();
                let mut rows = 0;
                let by_state = tx
                    .rows(
                        "select state, cast(count(*) as bigint), cast(coalesce(sum(rows), 0) as bigint) from job \
                         where run = ?1 group by state",
                        id(),
                    )
                    .await?;
                for mut row in by_state {
                    let count = row.int(1)? as u64;
                    match JobState::parse(&row.text(0)?)? {
                        JobState::Ready => counts.ready = count,
                        JobState::Leased => counts.leased = count,
                        JobState::Dead => counts.dead = count,
                        JobState::Unknown => counts.unknown = count,
                        JobState::Done => {
                            counts.done = count;
                            rows = row.int(2)? as u64;
                        }
                    }
                }
                let times = tx.rows(TIMES, id()).await?;
                let times = times.first().ok_or(StoreError::Broken("a time"))?;
                Ok(Some(Status {
                    state,
                    counts,
                    ended_lately: times.int(0)? as u64,
                    waiting: times.int(1)? as u64,
                    next_in: times.maybe_int(2)?.map(|at| at.max(0)),
                    oldest_lease: times.maybe_int(3)?,
                    rows,
                }))
            })
        })
        .await
    }

    /// Jobs of a run in a state, in their order, from place `from` on.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn jobs(
        &self,
        run: &str,
        state: JobState,
        from: i64,
        most: usize,
    ) -> Result<Vec<Job>, StoreError> {
        let run = run.to_owned();
        self.transact(Durability::Process, move |tx: &mut dyn Tx| {
            let values = vec![
                run.as_str().into(),
                state.as_str().into(),
                from.into(),
                (most as i64).into(),
            ];
            Box::pin(async move {
                let rows = tx
                    .rows(
                        "select seq, key, args, failures, error from job where run = ?1 and state = ?2 and seq >= ?3 \
                         order by seq limit ?4",
                        values,
                    )
                    .await?;
                rows.into_iter()
                    .map(|mut row| {
                        Ok(Job {
                            seq: row.int(0)?,
                            key: row.text(1)?,
                            args: row.text(2)?,
                            state,
                            failures: row.int(3)?,
                            failure: match row.maybe_text(4)? {
                                None => None,
                                Some(text) => Some(
                                    serde_json::from_str(&text)
                                        .map_err(|_| StoreError::Broken("an error"))?,
                                ),
                            },
                        })
                    })
                    .collect()
            })
        })
        .await
    }

    /// Makes jobs of a run ready again. Gives how many.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn retry(&self, run: &str, state: JobState) -> Result<u64, StoreError> {
        let run = run.to_owned();
        self.transact(Durability::Machine, move |tx: &mut dyn Tx| {
            let values = vec![run.as_str().into(), state.as_str().into()];
            Box::pin(async move {
                tx.run(
                    "update job set state = 'ready', at = 0, failures = 0 where run = ?1 and state = ?2",
                    values,
                )
                .await
            })
        })
        .await
    }

    /// A page of the rows of jobs that are done, in the order of the jobs. `from` is where the page before said that the
    /// next one begins.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn output(
        &self,
        run: &str,
        from: Option<(i64, i64)>,
        most: usize,
    ) -> Result<Page, StoreError> {
        let run = run.to_owned();
        self.transact(Durability::Process, move |tx: &mut dyn Tx| {
            let (seq, n) = from.unwrap_or((i64::MIN, 0));
            let values = vec![run.as_str().into(), seq.into(), n.into(), (most as i64).into()];
            Box::pin(async move {
                let found = tx
                    .rows(
                        "select job.key, output.value, output.seq, output.n from output \
                         join job on job.run = output.run and job.seq = output.seq and job.fence = output.fence \
                         where output.run = ?1 and job.state = 'done' \
                         and (output.seq > ?2 or (output.seq = ?2 and output.n >= ?3)) \
                         order by output.seq, output.n limit ?4",
                        values,
                    )
                    .await?;
                let next = match found.last() {
                    Some(last) if found.len() == most => Some((last.int(2)?, last.int(3)? + 1)),
                    _ => None,
                };
                let rows = found
                    .into_iter()
                    .map(|mut row| Ok((row.text(0)?, row.text(1)?)))
                    .collect::<Result<_, StoreError>>()?;
                Ok(Page { rows, next })
            })
        })
        .await
    }
}

const RUNS: &str =
    "select id, tool, digest, source, access, repeatable, options, state, created from run";

const RETURN_LOST: &str = "update job set state = 'ready', owner = null, failures = failures + 1 \
     where run = ?1 and state = 'leased' and lease < {now}";

const GIVE_UP_LOST: &str = "update job set state = 'unknown', owner = null, failures = failures + 1, at = {now}, \
     error = '{\"kind\":\"lost\",\"message\":\"the worker was lost after it took this job; the call may have been carried \
     out\"}' where run = ?1 and state = 'leased' and lease < {now}";

const CLAIM: &str = "update job set state = 'leased', owner = ?2, at = {now}, lease = {now} + ?3, fence = fence + 1 \
     where run = ?1 and seq in (select seq from job where run = ?1 and state = 'ready' and at <= {now} \
     order by at, seq limit ?4 {locked}) returning seq, key, args, fence, failures";

const TIMES: &str = "select \
     (select cast(count(*) as bigint) from job where run = ?1 and state in ('done', 'dead', 'unknown') \
      and at > {now} - 60000000), \
     (select cast(count(*) as bigint) from job where run = ?1 and state = 'ready' and at > {now}), \
     (select cast(min(at) - {now} as bigint) from job where run = ?1 and state = 'ready' and at > 0), \
     (select cast({now} - min(at) as bigint) from job where run = ?1 and state = 'leased')";

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX / 4)
}

fn records(rows: Vec<Row>) -> Result<Vec<RunRecord>, StoreError> {
    rows.into_iter()
        .map(|mut row| {
            Ok(RunRecord {
                run: NewRun {
                    id: row.text(0)?,
                    tool: row.text(1)?,
                    digest: row.text(2)?,
                    source: row.text(3)?,
                    access: row.text(4)?,
                    is_repeatable: row.int(5)? != 0,
                    options: row.text(6)?,
                },
                state: RunState::parse(&row.text(7)?)?,
                created: row.int(8)?,
            })
        })
        .collect()
}

fn insert_rows<'t>(
    tx: &'t mut dyn Tx,
    run: &'t str,
    seq: i64,
    fence: i64,
    from: i64,
    rows: &'t [String],
) -> Answer<'t, ()> {
    Box::pin(async move {
        let rows = rows
            .iter()
            .enumerate()
            .map(|(at, row)| {
                vec![
                    run.into(),
                    seq.into(),
                    fence.into(),
                    (from + at as i64).into(),
                    row.as_str().into(),
                ]
            })
            .collect();
        tx.insert(
            "insert into output (run, seq, fence, n, value)",
            rows,
            "on conflict do nothing",
        )
        .await?;
        Ok(())
    })
}

/// Takes the end of one job, if its claim still holds.
async fn take(tx: &mut dyn Tx, finished: &Finished) -> Result<bool, StoreError> {
    let Finished {
        run,
        seq,
        fence,
        ended,
    } = finished;
    let (state, failures, wait, error, rows) = match ended {
        Ended::Done { before, rows } => ("done", 0, 0, None, before + rows.len() as i64),
        Ended::Again { after, failure } => ("ready", 1, micros(*after), Some(failure), 0),
        Ended::Dead(failure) => ("dead", 1, 0, Some(failure), 0),
        Ended::Unknown(failure) => ("unknown", 1, 0, Some(failure), 0),
        Ended::Back => ("ready", 0, 0, None, 0),
    };
    let error = match error {
        None => None,
        Some(failure) => {
            Some(serde_json::to_string(failure).map_err(|_| StoreError::Broken("an error"))?)
        }
    };
    let values = vec![
        run.as_str().into(),
        (*seq).into(),
        (*fence).into(),
        state.into(),
        i64::from(failures).into(),
        wait.into(),
        error.into(),
        rows.into(),
    ];
    let changed = tx
        .run(
            "update job set state = ?4, failures = failures + ?5, at = {now} + ?6, error = coalesce(?7, error), \
             rows = ?8, owner = null where run = ?1 and seq = ?2 and fence = ?3 and state = 'leased'",
            values,
        )
        .await?;
    if changed == 0 {
        return Ok(false);
    }
    if let Ended::Done { before, rows } = ended {
        insert_rows(tx, run, *seq, *fence, *before, rows).await?;
    }
    Ok(true)
}
