//! A worker: it claims jobs of a run, calls the tool, and finishes them.
//!
//! One task owns the loop: it claims, prolongs leases and commits ends. Each job is a task of its own, which only calls the
//! tool and adds the rows of its pages.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use super::breaker::{Breaker, Reach, Tripped};
use super::output::rows_of;
use super::run::Options;
use super::verdict::{Case, Verdict, judge};
use crate::engine::error::Error;
use crate::engine::{Call, Engine};
use crate::format::Access;
use crate::plan::Files;
use crate::send::Event;
use crate::store::{
    Claimed, Ended, Failure, Finished, RunRecord, RunState, Status, Store, StoreError,
};
use crate::tool::Tool;

/// How often a worker that has nothing to do looks whether there is something.
const LOOK: Duration = Duration::from_millis(250);
/// The longest time between two looks.
const LONGEST_LOOK: Duration = Duration::from_secs(2);
/// How long a write that was sent may take to end when the worker is asked to stop.
const GRACE: Duration = Duration::from_secs(20);

/// How a worker works.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    /// Jobs at the same time.
    pub concurrency: usize,
    /// For how long a job is claimed without a sign of life.
    pub lease: Duration,
    /// For how long trouble of the service is waited for.
    pub patience: Duration,
    /// Which local files may be read and sent.
    pub files: Files,
}

/// What a worker tells while it works.
#[derive(Debug)]
pub(crate) enum Told {
    /// A job failed.
    Failed {
        /// Its key.
        key: String,
        /// Why.
        failure: Failure,
        /// What becomes of it.
        ended: Ended,
    },
    /// A job was lost: its lease had run out, and its end was not taken.
    Lost(String),
    /// The service is in trouble: no job is begun for this long.
    Pauses(Duration),
    /// Something else to know about a job.
    Note(String),
    /// What happens on the wire.
    Event(Event),
}

/// How the work ended.
#[derive(Debug)]
pub(crate) enum End {
    /// No job is left.
    Ended(Status),
    /// Failures that all jobs would share.
    Tripped(Tripped),
    /// No job can be carried out here.
    Stopped(Error),
    /// Somebody cancelled or forgot the run.
    Cancelled,
    /// It was asked to stop. So many jobs were given back, and so many may have been carried out.
    Interrupted {
        /// Jobs that were given back.
        back: u64,
        /// Jobs of which nobody knows whether they were carried out.
        unknown: u64,
    },
}

/// A worker on one run.
pub(crate) struct Worker {
    /// The store.
    pub store: Store,
    /// Calls the tool.
    pub engine: Engine,
    /// The tool.
    pub tool: Arc<Tool>,
    /// The run.
    pub record: RunRecord,
    /// What belongs to the run.
    pub options: Options,
    /// How to work.
    pub work: Work,
    /// Is told what happens.
    pub tell: Arc<dyn Fn(Told) + Send + Sync>,
}

/// What a job's task gives.
enum Outcome {
    /// It is done: rows that were added before, and the last ones.
    Done { before: i64, rows: Vec<String> },
    /// Its call failed.
    Failed(Box<Error>),
    /// Its claim was lost.
    Lost,
    /// The store failed.
    Store(StoreError),
}

/// A job in flight.
struct Flight {
    job: Claimed,
    was_sent: Arc<AtomicBool>,
    handle: AbortHandle,
}

/// What the loop knows.
struct Loop<'w> {
    worker: &'w Worker,
    owner: String,
    tasks: JoinSet<Outcome>,
    flights: HashMap<Id, Flight>,
    ended: Vec<(Claimed, Ended, Option<Failure>)>,
    breaker: Breaker,
    /// When jobs are claimed next.
    claims_at: Instant,
    look: Duration,
    beats_at: Instant,
    end: Option<End>,
}

impl Worker {
    /// Works until no job is left, or `stop` becomes true.
    ///
    /// # Errors
    /// When the store fails. The jobs in flight come back when their leases run out.
    pub(crate) async fn run(&self, mut stop: watch::Receiver<bool>) -> Result<End, StoreError> {
        let now = Instant::now();
        let mut at = Loop {
            worker: self,
            owner: uuid::Uuid::new_v4().to_string(),
            tasks: JoinSet::new(),
            flights: HashMap::new(),
            ended: Vec::new(),
            breaker: Breaker::new(self.options.stop_after, self.work.patience),
            claims_at: now,
            look: LOOK,
            beats_at: now + self.work.lease / 3,
            end: None,
        };
        loop {
            at.commit().await?;
            at.beat().await?;
            if *stop.borrow() && at.end.is_none() {
                at.end = Some(End::Interrupted {
                    back: 0,
                    unknown: 0,
                });
            }
            if at.end.is_some() {
                break;
            }
            at.claim().await?;
            if at.end.is_some() {
                break;
            }
            at.wait(&mut stop).await?;
        }
        at.wind_up().await
    }

    /// The call of a job.
    fn call(&self, job: &Claimed, was_sent: &Arc<AtomicBool>) -> Result<Call, Error> {
        let arguments = serde_json::from_str(&job.args)
            .map_err(|error| Error::Response(format!("the arguments of the job: {error}")))?;
        let (was_sent, tell) = (Arc::clone(was_sent), Arc::clone(&self.tell));
        let mut call = Call::new(&self.tool, arguments)
            .consent(Access::Destructive)
            .files(self.work.files.clone())
            .max_pages(u64::MAX)
            .id(format!("{} {}", job.run, job.key))
            .observer(move |_, event| {
                if matches!(event, Event::Request { .. }) {
                    was_sent.store(true, Ordering::SeqCst);
                }
                tell(Told::Event(event));
            });
        if self.tool.access != Access::Read {
            call = call.idempotency_key(self.options.idempotency_key(&job.key));
        }
        if let Some(timeout) = self.options.timeout {
            call = call.timeout(Duration::from_millis(timeout));
        }
        Ok(call)
    }

    /// Calls the tool and follows the pages. Rows go to the store page by page; the last ones come with the end.
    async fn carry_out(&self, job: &Claimed, was_sent: &Arc<AtomicBool>) -> Outcome {
        let begun = self
            .call(job, was_sent)
            .and_then(|call| self.engine.pages(call));
        let mut pages = match begun {
            Ok(pages) => pages,
            Err(error) => return Outcome::Failed(Box::new(error)),
        };
        let (mut before, mut rows) = (0, Vec::new());
        loop {
            let page = match pages.next().await {
                Ok(Some(page)) => page,
                Ok(None) => {
                    if let Some(note) = pages.note() {
                        (self.tell)(Told::Note(format!("{}: {note}", job.key)));
                    }
                    return Outcome::Done { before, rows };
                }
                Err(error) => return Outcome::Failed(Box::new(error)),
            };
            let next = match pages.output(&page) {
                Ok(output) => rows_of(&self.tool, &output),
                Err(error) => return Outcome::Failed(Box::new(error)),
            };
            if !rows.is_empty() {
                let count = rows.len() as i64;
                match self.store.add_rows(job, before, rows).await {
                    Ok(true) => before += count,
                    Ok(false) => return Outcome::Lost,
                    Err(error) => return Outcome::Store(error),
                }
            }
            rows = next;
        }
    }
}

impl Loop<'_> {
    /// Begins a job.
    fn begin(&mut self, job: Claimed) {
        let was_sent = Arc::new(AtomicBool::new(false));
        let worker = self.worker;
        let own = Worker {
            store: worker.store.clone(),
            engine: worker.engine.clone(),
            tool: Arc::clone(&worker.tool),
            record: worker.record.clone(),
            options: worker.options.clone(),
            work: worker.work.clone(),
            tell: Arc::clone(&worker.tell),
        };
        let (claimed, sent) = (job.clone(), Arc::clone(&was_sent));
        let handle = self
            .tasks
            .spawn(async move { own.carry_out(&claimed, &sent).await });
        let flight = Flight {
            job,
            was_sent,
            handle: handle.clone(),
        };
        self.flights.insert(handle.id(), flight);
    }

    /// How many jobs may be in flight.
    fn most(&self) -> usize {
        match self.breaker.is_in_trouble() {
            true => 1,
            false => self.worker.work.concurrency,
        }
    }

    /// Claims as many jobs as can begin now.
    async fn claim(&mut self) -> Result<(), StoreError> {
        let now = Instant::now();
        let in_flight = self.flights.len();
        let free = self.most().saturating_sub(in_flight);
        let resumes = self.breaker.resumes().unwrap_or(now);
        if free == 0 || now < self.claims_at || now < resumes {
            return Ok(());
        }
        let Worker {
            store,
            record,
            work,
            ..
        } = self.worker;
        let claimed = store.claim(record, &self.owner, free, work.lease).await?;
        let count = claimed.len();
        for job in claimed {
            self.take(job);
        }
        if count == free {
            self.look = LOOK;
            return Ok(());
        }
        if count == 0 && self.flights.is_empty() && self.ended.is_empty() {
            return self.look_around(now).await;
        }
        // Fewer than there could be: the rest waits, or others have it.
        self.claims_at = Instant::now() + self.look;
        Ok(())
    }

    /// Begins a claimed job, unless its workers were lost too often: it may be what kills them.
    fn take(&mut self, job: Claimed) {
        let failures = u32::try_from(job.failures).unwrap_or(u32::MAX);
        if failures < self.worker.options.max_attempts {
            return self.begin(job);
        }
        let failure = Failure {
            kind: "lost".to_owned(),
            status: None,
            request_id: None,
            message: format!("it failed, or its worker was lost, {failures} times"),
        };
        self.ended
            .push((job, Ended::Dead(failure.clone()), Some(failure)));
    }

    /// Finds out why there is nothing to claim, and when there will be.
    async fn look_around(&mut self, now: Instant) -> Result<(), StoreError> {
        let Some(status) = self.worker.store.status(&self.worker.record.run.id).await? else {
            self.end = Some(End::Cancelled);
            return Ok(());
        };
        match status.state {
            RunState::Cancelled => self.end = Some(End::Cancelled),
            RunState::Open if status.counts.left() == 0 => self.end = Some(End::Ended(status)),
            _ => {
                let next = status
                    .next_in
                    .map(|micros| Duration::from_micros(micros.max(0) as u64));
                let next = next.filter(|_| status.counts.leased == 0);
                self.claims_at = now + next.unwrap_or(self.look).clamp(LOOK / 10, LONGEST_LOOK);
                self.look = (self.look * 2).min(LONGEST_LOOK);
            }
        }
        Ok(())
    }

    /// Waits until there is something to do, and takes what has ended.
    async fn wait(&mut self, stop: &mut watch::Receiver<bool>) -> Result<(), StoreError> {
        let mut until = self.beats_at;
        if self.flights.len() < self.most() {
            until = until.min(
                self.claims_at
                    .max(self.breaker.resumes().unwrap_or(self.claims_at)),
            );
        }
        if !self.ended.is_empty() {
            return Ok(());
        }
        tokio::select! {
            Some(joined) = self.tasks.join_next_with_id() => self.joined(joined)?,
            () = tokio::time::sleep_until(until.into()) => {}
            _ = stop.changed() => {}
        }
        while let Some(joined) = self.tasks.try_join_next_with_id() {
            self.joined(joined)?;
        }
        Ok(())
    }

    /// Takes the end of a job's task.
    fn joined(&mut self, joined: Result<(Id, Outcome), JoinError>) -> Result<(), StoreError> {
        let (id, outcome) = match joined {
            Ok(ended) => ended,
            Err(error) => {
                let flight = self.flights.remove(&error.id());
                match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_) => {
                        // It was given up before its request was sent, or may be sent again.
                        let back = flight.map(|flight| (flight.job, Ended::Back, None));
                        self.ended.extend(back);
                        return Ok(());
                    }
                }
            }
        };
        let Some(flight) = self.flights.remove(&id) else {
            return Ok(());
        };
        match outcome {
            Outcome::Store(error) => return Err(error),
            Outcome::Lost => (self.worker.tell)(Told::Lost(flight.job.key)),
            Outcome::Done { before, rows } => {
                self.breaker.succeeded();
                self.ended
                    .push((flight.job, Ended::Done { before, rows }, None));
            }
            Outcome::Failed(error) => self.failed(flight, *error),
        }
        Ok(())
    }

    fn failed(&mut self, flight: Flight, error: Error) {
        let case = Case {
            is_repeatable: self.worker.record.run.is_repeatable,
            was_sent: flight.was_sent.load(Ordering::SeqCst),
            failures: u32::try_from(flight.job.failures).unwrap_or(u32::MAX),
            max_attempts: self.worker.options.max_attempts,
            in_trouble: self.breaker.is_in_trouble(),
        };
        match judge(error, case) {
            Verdict::Stops(error) => {
                self.ended.push((flight.job, Ended::Back, None));
                self.end.get_or_insert(End::Stopped(error));
            }
            Verdict::Ends {
                ended,
                failure,
                reach,
            } => {
                let now = Instant::now();
                let paused = self.breaker.resumes();
                if let Some(tripped) = self.breaker.failed(&failure, reach, now) {
                    self.end.get_or_insert(End::Tripped(tripped));
                }
                let resumes = self.breaker.resumes().filter(|_| reach == Reach::Passing);
                if resumes != paused
                    && let Some(resumes) = resumes
                {
                    (self.worker.tell)(Told::Pauses(resumes.duration_since(now)));
                }
                self.ended.push((flight.job, ended, Some(failure)));
            }
        }
    }

    /// Commits what has ended.
    async fn commit(&mut self) -> Result<(), StoreError> {
        if self.ended.is_empty() {
            return Ok(());
        }
        let ended = std::mem::take(&mut self.ended);
        let finished = ended
            .iter()
            .map(|(job, ended, _)| Finished {
                run: job.run.clone(),
                seq: job.seq,
                fence: job.fence,
                ended: ended.clone(),
            })
            .collect();
        let taken = self.worker.store.finish(finished).await?;
        for ((job, ended, failure), is_taken) in ended.into_iter().zip(taken) {
            match (is_taken, failure) {
                (false, _) if ended != Ended::Back => (self.worker.tell)(Told::Lost(job.key)),
                (true, Some(failure)) => (self.worker.tell)(Told::Failed {
                    key: job.key,
                    failure,
                    ended,
                }),
                _ => {}
            }
        }
        Ok(())
    }

    /// Prolongs the leases, if it is time to. Jobs that this worker was given without knowing, because the connection was cut
    /// after the claim, go back.
    async fn beat(&mut self) -> Result<(), StoreError> {
        if Instant::now() < self.beats_at {
            return Ok(());
        }
        let Worker { store, work, .. } = self.worker;
        let held = store.prolong(&self.owner, work.lease).await?;
        self.beats_at = Instant::now() + work.lease / 3;
        let known: Vec<(i64, i64)> = self
            .flights
            .values()
            .map(|flight| (flight.job.seq, flight.job.fence))
            .collect();
        let unknown = held
            .into_iter()
            .filter(|(_, seq, fence)| !known.contains(&(*seq, *fence)));
        let back: Vec<Finished> = unknown
            .map(|(run, seq, fence)| Finished {
                run,
                seq,
                fence,
                ended: Ended::Back,
            })
            .collect();
        if !back.is_empty() {
            store.finish(back).await?;
        }
        Ok(())
    }

    /// Ends what is in flight: what may be sent again, or was not sent, goes back; a write that was sent may end.
    async fn wind_up(mut self) -> Result<End, StoreError> {
        let is_repeatable = self.worker.record.run.is_repeatable;
        for flight in self.flights.values() {
            if is_repeatable || !flight.was_sent.load(Ordering::SeqCst) {
                flight.handle.abort();
            }
        }
        let until = Instant::now() + GRACE;
        let mut unknown = 0;
        let mut back = 0;
        loop {
            back += self
                .ended
                .iter()
                .filter(|(_, ended, _)| *ended == Ended::Back)
                .count() as u64;
            self.commit().await?;
            if self.flights.is_empty() {
                break;
            }
            self.beat().await?;
            let wakes = until.min(self.beats_at);
            tokio::select! {
                Some(joined) = self.tasks.join_next_with_id() => self.joined(joined)?,
                () = tokio::time::sleep_until(wakes.into()) => {}
            }
            if Instant::now() >= until {
                unknown += self.flights.len() as u64;
                self.give_up();
            }
        }
        Ok(match self.end.take() {
            Some(End::Interrupted { .. }) | None => End::Interrupted { back, unknown },
            Some(end) => end,
        })
    }

    /// Nobody knows whether the writes in flight are carried out.
    fn give_up(&mut self) {
        self.tasks.abort_all();
        for (_, flight) in self.flights.drain() {
            let failure = Failure {
                kind: "interrupted".to_owned(),
                status: None,
                request_id: None,
                message:
                    "the worker stopped before the answer came; the call may have been carried out"
                        .to_owned(),
            };
            self.ended
                .push((flight.job, Ended::Unknown(failure.clone()), Some(failure)));
        }
    }
}
