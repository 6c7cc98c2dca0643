//! A circuit breaker: failures that every job would share must not use up all jobs of a run.

use std::time::{Duration, Instant};

use crate::store::Failure;

/// How many more failures of a kind that may belong to single jobs it takes.
const MORE: u32 = 5;
/// The first pause while the service is in trouble; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// So many passing failures in a row mean that the service is in trouble, not a job.
const TROUBLE: u32 = 5;

/// What a failure says of other jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It may be of this job alone, such as a thing that does not exist.
    Job,
    /// It most likely meets all jobs, such as a credential that is not accepted.
    All,
    /// The service or the network is in trouble, which passes.
    Passing,
}

/// Why the run stops.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tripped {
    /// The last failure.
    pub failure: Failure,
    /// How many there were in a row.
    pub count: u32,
    /// Since the first of them.
    pub after: Duration,
}

/// Counts failures of one kind in a row.
#[derive(Debug)]
pub(crate) struct Breaker {
    /// After so many the run stops; 0 is never.
    stop_after: u32,
    /// For so long passing trouble is waited for.
    patience: Duration,
    row: Option<Row>,
}

#[derive(Debug)]
struct Row {
    kind: String,
    status: Option<u16>,
    reach: Reach,
    count: u32,
    since: Instant,
    pauses: u32,
    resumes: Instant,
}

impl Breaker {
    pub(crate) fn new(stop_after: u32, patience: Duration) -> Breaker {
        Breaker {
            stop_after,
            patience,
            row: None,
        }
    }

    /// A job is done: whatever was wrong, not all jobs share it.
    pub(crate) fn succeeded(&mut self) {
        self.row = None;
    }

    /// A job failed. Gives why the run stops, if it does.
    pub(crate) fn failed(
        &mut self,
        failure: &Failure,
        reach: Reach,
        now: Instant,
    ) -> Option<Tripped> {
        let is_same = |row: &Row| match reach {
            // The network and the service fail in turns when a service goes down.
            Reach::Passing => row.reach == Reach::Passing,
            _ => row.reach == reach && row.kind == failure.kind && row.status == failure.status,
        };
        let row = match &mut self.row {
            Some(row) if is_same(row) => row,
            row => row.insert(Row {
                kind: failure.kind.clone(),
                status: failure.status,
                reach,
                count: 0,
                since: now,
                pauses: 0,
                resumes: now,
            }),
        };
        row.count += 1;
        let after = now.duration_since(row.since);
        if reach == Reach::Passing && row.count >= TROUBLE && now >= row.resumes {
            let pause = FIRST_PAUSE
                .saturating_mul(1 << row.pauses.min(10))
                .min(LONGEST_PAUSE);
            (row.pauses, row.resumes) = (row.pauses + 1, now + pause);
        }
        let trips = match reach {
            Reach::All => row.count >= self.stop_after,
            Reach::Job => row.count >= self.stop_after.saturating_mul(MORE),
            Reach::Passing => row.count >= TROUBLE && after >= self.patience,
        };
        (trips && self.stop_after > 0).then(|| Tripped {
            failure: failure.clone(),
            count: row.count,
            after,
        })
    }

    /// Whether the service is in trouble. Then one job at a time tries whether it still is.
    pub(crate) fn is_in_trouble(&self) -> bool {
        self.row
            .as_ref()
            .is_some_and(|row| row.reach == Reach::Passing && row.count >= TROUBLE)
    }

    /// Until when no job is begun, because the service is in trouble.
    pub(crate) fn resumes(&self) -> Option<Instant> {
        let row = self.row.as_ref().filter(|_| self.is_in_trouble());
        row.map(|row| row.resumes)
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn failure(kind: &str, status: Option<u16>) -> Failure {
        Failure {
            kind: kind.to_owned(),
            status,
            request_id: None,
            message: "no".to_owned(),
        }
    }

    #[test]
    fn it_stops_after_failures_of_one_kind_in_a_row() {
        let start = Instant::now();
        let (refused, missing) = (failure("refused", Some(401)), failure("refused", Some(404)));
        for (stop_after, story, expected) in [
            (3, vec![(&refused, Reach::All); 3], Some(3)),
            (3, vec![(&refused, Reach::All); 2], None),
            (0, vec![(&refused, Reach::All); 100], None),
            (3, vec![(&missing, Reach::Job); 14], None),
            (3, vec![(&missing, Reach::Job); 15], Some(15)),
            (
                2,
                vec![
                    (&refused, Reach::All),
                    (&missing, Reach::Job),
                    (&refused, Reach::All),
                ],
                None,
            ),
        ] {
            let mut breaker = Breaker::new(stop_after, Duration::from_secs(60));
            let mut told = None;
            for (failure, reach) in &story {
                told = told.or(breaker.failed(failure, *reach, start));
            }
            assert_eq!(
                told.map(|told| told.count),
                expected,
                "{stop_after} {story:?}"
            );
        }
        let mut breaker = Breaker::new(2, Duration::from_secs(60));
        assert_eq!(breaker.failed(&refused, Reach::All, start), None);
        breaker.succeeded();
        assert_eq!(breaker.failed(&refused, Reach::All, start), None);
    }

    #[test]
    fn trouble_that_passes_is_waited_for_with_growing_pauses() {
        let start = Instant::now();
        let mut breaker = Breaker::new(20, Duration::from_secs(100));
        let mut now = start;
        let mut pauses = Vec::new();
        let tripped = loop {
            let kind = if pauses.len() % 2 == 0 {
                "network"
            } else {
                "failed"
            };
            let tripped = breaker.failed(&failure(kind, None), Reach::Passing, now);
            if tripped.is_some() {
                break tripped;
            }
            if let Some(resumes) = breaker.resumes() {
                pauses.push(resumes.duration_since(now).as_secs());
                now = resumes;
            }
        };
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30, 30]);
        let tripped = tripped.unwrap();
        assert!(tripped.after >= Duration::from_secs(100));
        breaker.succeeded();
        assert!(!breaker.is_in_trouble());
    }
}
