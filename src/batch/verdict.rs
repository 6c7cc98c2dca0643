//! What becomes of a job whose call failed. The kind of the error decides.

use std::time::Duration;

use super::breaker::Reach;
use crate::engine::error::{Error, ErrorKind};
use crate::send::SendError;
use crate::sign::SecretError;
use crate::store::{Ended, Failure};

/// The wait before the second try; each later one is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// What is known of the job and its tool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    /// Whether it may be sent again when nobody knows whether it was carried out.
    pub is_repeatable: bool,
    /// Whether a request was sent at all.
    pub was_sent: bool,
    /// How often it failed before.
    pub failures: u32,
    /// How often it is tried.
    pub max_attempts: u32,
    /// Whether the service is in trouble, so that the failure is not counted against the job.
    pub in_trouble: bool,
}

/// What becomes of the job, and what its failure says of others.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The job ends, or goes back.
    Ends {
        /// How.
        ended: Ended,
        /// Why.
        failure: Failure,
        /// What it says of other jobs.
        reach: Reach,
    },
    /// No job can be carried out here; this one was not sent and goes back.
    Stops(Error),
}

/// The facts of an error.
pub(crate) fn failure_of(error: &Error) -> Failure {
    let (status, request_id) = match error {
        Error::Upstream(upstream) => (Some(upstream.status), upstream.request_id.clone()),
        _ => (None, None),
    };
    let kind = serde_json::to_value(error.kind()).unwrap_or_default();
    Failure {
        kind: kind.as_str().unwrap_or_default().to_owned(),
        status,
        request_id,
        message: error.to_string(),
    }
}

/// Decides.
pub(crate) fn judge(error: Error, case: Case) -> Verdict {
    if stops(&error, case.was_sent) {
        return Verdict::Stops(error);
    }
    let failure = failure_of(&error);
    let reach = reach(&error);
    let ended = if may_be_done(&error) && case.was_sent && !case.is_repeatable {
        Ended::Unknown(failure.clone())
    } else if !is_passing(&error) {
        Ended::Dead(failure.clone())
    } else if case.in_trouble {
        Ended::Back
    } else if case.failures + 1 >= case.max_attempts {
        Ended::Dead(failure.clone())
    } else {
        Ended::Again {
            after: wait(case.failures, retry_after(&error)),
            failure: failure.clone(),
        }
    };
    Verdict::Ends {
        ended,
        failure,
        reach,
    }
}

/// Whether no job can be carried out here, whatever its arguments are.
fn stops(error: &Error, was_sent: bool) -> bool {
    match error {
        Error::Secret(SecretError::Refused { .. }) => true,
        Error::Load(_)
        | Error::Untrusted(_)
        | Error::Setting(_)
        | Error::Secret(_)
        | Error::Consent { .. }
        | Error::NoDestination { .. }
        | Error::NoDownload { .. } => !was_sent,
        Error::Send(SendError::Client(_)) => true,
        _ => false,
    }
}

/// Whether the service may have carried out the call all the same.
fn may_be_done(error: &Error) -> bool {
    match error {
        Error::Upstream(upstream) => upstream.status >= 500 || upstream.may_be_done,
        Error::Send(SendError::Network { what, .. }) => !what.starts_with("cannot connect"),
        Error::Send(SendError::Timeout { .. } | SendError::Response(_) | SendError::Policy(_)) => {
            true
        }
        Error::Response(_) | Error::Policy(_) | Error::Unfinished(_) => true,
        _ => false,
    }
}

/// Whether the same call may work later.
fn is_passing(error: &Error) -> bool {
    match error {
        Error::Upstream(upstream) => {
            upstream.status >= 500 || matches!(upstream.status, 401 | 408 | 425 | 429)
        }
        _ => error.kind() == ErrorKind::Network,
    }
}

fn reach(error: &Error) -> Reach {
    match error {
        Error::Upstream(upstream) => match upstream.status {
            401 | 402 | 403 | 407 => Reach::All,
            408 | 425 | 429 => Reach::Passing,
            status if status >= 500 => Reach::Passing,
            _ => Reach::Job,
        },
        Error::Policy(_) | Error::Send(SendError::Policy(_)) | Error::File(_) => Reach::All,
        Error::Unfinished(_) => Reach::Job,
        _ if error.kind() == ErrorKind::Network => Reach::Passing,
        _ => Reach::Job,
    }
}

fn retry_after(error: &Error) -> Option<Duration> {
    match error {
        Error::Upstream(upstream) => upstream.retry_after,
        _ => None,
    }
}

/// The wait before the next try. It is random within bounds, so that jobs that failed together do not come back together.
fn wait(failures: u32, asked: Option<Duration>) -> Duration {
    let backoff = FIRST_WAIT
        .saturating_mul(1 << failures.min(16))
        .min(LONGEST_WAIT);
    let backoff = backoff.mul_f64(0.5 + fastrand::f64() / 2.0);
    match asked {
        Some(asked) => asked.min(Duration::from_secs(24 * 3600)) + backoff / 4,
        None => backoff,
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::engine::error::{Unfinished, Upstream, status_meaning};
    use crate::send::Limit;

    fn answered(status: u16) -> Error {
        Error::Upstream(Box::new(Upstream {
            status,
            meaning: status_meaning(status),
            code: None,
            message: None,
            request_id: Some("r1".to_owned()),
            attempts: 1,
            unset_secrets: Vec::new(),
            retry_after: None,
            may_be_done: false,
            body: None,
            body_cut: 0,
            body_incomplete: None,
        }))
    }

    fn network(what: &str) -> Error {
        Error::Send(SendError::Network {
            what: what.to_owned(),
            reason: "no".to_owned(),
        })
    }

    /// The end of the job in a word, and what the failure says of others.
    fn told(error: Error, case: Case) -> (&'static str, Option<Reach>) {
        match judge(error, case) {
            Verdict::Stops(_) => ("stops", None),
            Verdict::Ends { ended, reach, .. } => {
                let word = match ended {
                    Ended::Done { .. } => "done",
                    Ended::Again { .. } => "again",
                    Ended::Dead(_) => "dead",
                    Ended::Unknown(_) => "unknown",
                    Ended::Back => "back",
                };
                (word, Some(reach))
            }
        }
    }

    #[test]
    fn the_kind_of_the_error_decides() {
        let timeout = || {
            Error::Send(SendError::Timeout {
                within: Duration::from_secs(1),
                limit: Limit::Total,
            })
        };
        let unfinished = || {
            Error::Unfinished(Box::new(Unfinished {
                within: Duration::from_secs(1),
                polls: 1,
                url: String::new(),
                last: serde_json::Value::Null,
            }))
        };
        // An error; a tool that may be sent again; one that may not; and what it says of other jobs.
        let table: [(Error, &str, &str, Reach); 13] = [
            (answered(400), "dead", "dead", Reach::Job),
            (answered(401), "again", "again", Reach::All),
            (answered(403), "dead", "dead", Reach::All),
            (answered(404), "dead", "dead", Reach::Job),
            (answered(429), "again", "again", Reach::Passing),
            (answered(500), "again", "unknown", Reach::Passing),
            (answered(503), "again", "unknown", Reach::Passing),
            (
                network("cannot connect to x"),
                "again",
                "again",
                Reach::Passing,
            ),
            (
                network("the exchange with x failed"),
                "again",
                "unknown",
                Reach::Passing,
            ),
            (timeout(), "again", "unknown", Reach::Passing),
            (
                Error::Response("no list".to_owned()),
                "dead",
                "unknown",
                Reach::Job,
            ),
            (
                Error::Policy("leaves".to_owned()),
                "dead",
                "unknown",
                Reach::All,
            ),
            (unfinished(), "again", "unknown", Reach::Job),
        ];
        for (error, repeatable, once, reach) in table {
            let case = Case {
                is_repeatable: true,
                was_sent: true,
                failures: 0,
                max_attempts: 3,
                in_trouble: false,
            };
            assert_eq!(
                told(error.clone(), case),
                (repeatable, Some(reach)),
                "{error}"
            );
            let not_repeatable = Case {
                is_repeatable: false,
                ..case
            };
            assert_eq!(
                told(error.clone(), not_repeatable),
                (once, Some(reach)),
                "{error}"
            );
            let last = Case {
                failures: 2,
                ..case
            };
            let expected = if repeatable == "again" {
                "dead"
            } else {
                repeatable
            };
            assert_eq!(
                told(error.clone(), last),
                (expected, Some(reach)),
                "{error}"
            );
            let in_trouble = Case {
                in_trouble: true,
                ..last
            };
            let expected = if repeatable == "again" {
                "back"
            } else {
                repeatable
            };
            assert_eq!(
                told(error.clone(), in_trouble),
                (expected, Some(reach)),
                "{error}"
            );
        }
    }

    #[test]
    fn waits_grow_and_have_a_cap() {
        for failures in [0, 1, 5, 8, 40] {
            let most = FIRST_WAIT
                .saturating_mul(1 << failures.min(16))
                .min(LONGEST_WAIT);
            for _ in 0..50 {
                let wait = wait(failures, None);
                assert!(wait >= most / 2 && wait <= most, "{failures}: {wait:?}");
            }
        }
        assert!(wait(0, Some(Duration::from_secs(60))) >= Duration::from_secs(60));
    }
}
