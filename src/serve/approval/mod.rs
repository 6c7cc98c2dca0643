//! Approvals: a person's yes to exactly one call. It is bound to the caller, the tool with its descriptor, the arguments
//! and the policy; it holds for a while, and for one run.
//!
//! What waits and what was used is kept in this process: an approval is worth nothing to another one.

mod desk;
mod question;
mod seal;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;
use tokio::sync::Semaphore;

pub(crate) use desk::{Desk, is_id};
pub(crate) use question::Question;
pub(super) use question::{Asked, Bound};
pub(super) use seal::Unsealed;

use question::timestamp;
use seal::Seal;

/// Most calls that wait for an answer by command, and most of one caller.
const MOST_WAITING: usize = 1_000;
const MOST_OF_CALLER: usize = 100;
/// Most questions that clients have open at once.
const MOST_OPEN: usize = 100;

/// How an approval came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Approval {
    /// Its id.
    pub id: String,
    /// `elicitation` or `command`.
    pub by: &'static str,
}

/// When something is over. Neither a clock that is set nor a machine that sleeps makes it last longer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Until {
    at: Instant,
    wall: SystemTime,
}

impl Until {
    pub(super) fn of(holds: Duration) -> Until {
        Until {
            at: Instant::now() + holds,
            wall: SystemTime::now() + holds,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.at || SystemTime::now() >= self.wall
    }

    /// As RFC 3339 says, in UTC.
    pub(super) fn told(&self) -> String {
        timestamp(self.wall)
    }
}

/// A yes that was not used yet.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    pub approval: Approval,
    /// The policy under which it was given.
    pub policy: String,
    bound: Bound,
    until: Until,
}

/// How a call stands whose approval comes by command.
#[derive(Debug)]
pub(super) enum Standing {
    /// Nobody has answered yet.
    Waits { id: String, until: String },
    /// A person has said yes.
    Approved(Grant),
    /// A person has said no.
    Denied,
}

/// Why a call cannot wait for an approval.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoPlace {
    #[error("too many calls wait for an approval already")]
    Full,
    #[error("the place for approvals cannot be used: {0}")]
    Desk(String),
}

fn unusable(error: std::io::Error) -> NoPlace {
    NoPlace::Desk(error.to_string())
}

/// The approvals of one server.
pub(crate) struct Approvals {
    desk: Result<Desk, String>,
    /// The command that answers a question, for people.
    command: Box<dyn Fn(&str) -> String + Send + Sync>,
    seal: Seal,
    book: Mutex<Book>,
    /// Questions that clients have open.
    pub(super) open: Semaphore,
}

#[derive(Default)]
struct Book {
    /// The calls that wait for an answer by command.
    waiting: HashMap<Bound, Waiting>,
    /// The ids of approvals by elicitation that were used, until they would have been over anyway.
    used: HashMap<String, Until>,
}

struct Waiting {
    id: String,
    caller: String,
    until: Until,
}

impl Approvals {
    /// Approvals that come by command stand in `desk`, or there is a reason why they cannot. `command` words the command
    /// that answers the question of an id.
    pub(crate) fn new(
        desk: Result<Desk, String>,
        command: impl Fn(&str) -> String + Send + Sync + 'static,
    ) -> Approvals {
        Approvals {
            desk,
            command: Box::new(command),
            seal: Seal::new(),
            book: Mutex::default(),
            open: Semaphore::new(MOST_OPEN),
        }
    }

    /// Takes all questions away: nobody can be served by an answer any more.
    pub(super) fn close(&self) {
        if let Ok(desk) = &self.desk {
            for (_, waiting) in self.book().waiting.drain() {
                desk.clear(&waiting.id);
            }
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The command that answers a question.
    pub(super) fn command(&self, id: &str) -> String {
        (self.command)(id)
    }

    /// How a call stands. A call that does not wait yet begins to.
    ///
    /// # Errors
    /// Why it cannot wait.
    pub(super) fn stand(&self, asked: &Asked, holds: Duration) -> Result<Standing, NoPlace> {
        let desk = self.desk.as_ref();
        let desk = desk.map_err(|reason| NoPlace::Desk(reason.clone()))?;
        let mut book = self.book();
        book.forget(desk);
        let waits = |waiting: &Waiting| Standing::Waits {
            id: waiting.id.clone(),
            until: waiting.until.told(),
        };
        if let Some(waiting) = book.waiting.get(&asked.bound) {
            return Ok(match desk.answer(&waiting.id, &asked.bound) {
                None => {
                    // Somebody may have cleared the desk.
                    if let Ok(None) = desk.question(&waiting.id) {
                        let wall = waiting.until.wall;
                        let question = asked.question(&waiting.id, SystemTime::now(), wall);
                        desk.put(&question).map_err(unusable)?;
                    }
                    waits(waiting)
                }
                Some(true) => Standing::Approved(Grant {
                    approval: Approval {
                        id: waiting.id.clone(),
                        by: "command",
                    },
                    policy: asked.policy.clone(),
                    bound: asked.bound.clone(),
                    until: waiting.until,
                }),
                Some(false) => {
                    desk.clear(&waiting.id);
                    book.waiting.remove(&asked.bound);
                    Standing::Denied
                }
            });
        }
        let of_caller = book.waiting.values();
        let of_caller = of_caller.filter(|waiting| waiting.caller == asked.caller);
        if book.waiting.len() >= MOST_WAITING || of_caller.count() >= MOST_OF_CALLER {
            return Err(NoPlace::Full);
        }
        let waiting = Waiting {
            id: new_id(),
            caller: asked.caller.clone(),
            until: Until::of(holds),
        };
        let question = asked.question(&waiting.id, SystemTime::now(), waiting.until.wall);
        desk.put(&question).map_err(unusable)?;
        let standing = waits(&waiting);
        book.waiting.insert(asked.bound.clone(), waiting);
        Ok(standing)
    }

    /// A question that a client carries to its user and back, sealed, and until when it holds.
    pub(super) fn seal(&self, asked: &Asked, holds: Duration) -> (String, Until) {
        let until = Until::of(holds);
        (self.seal.close(&new_id(), &asked.bound, until), until)
    }

    /// What a client brought back.
    pub(super) fn unseal(&self, state: &str, asked: &Asked) -> Unsealed {
        match self.seal.open(state, &asked.bound) {
            Unsealed::Fits { id, .. } if self.book().used.contains_key(&id) => Unsealed::Used,
            unsealed => unsealed,
        }
    }

    /// The yes of a person whom a client has asked.
    pub(super) fn granted(&self, asked: &Asked, id: Option<String>, until: Until) -> Grant {
        Grant {
            approval: Approval {
                id: id.unwrap_or_else(new_id),
                by: "elicitation",
            },
            policy: asked.policy.clone(),
            bound: asked.bound.clone(),
            until,
        }
    }

    /// Uses an approval up. False if it is used or over, or was taken back.
    pub(super) fn redeem(&self, grant: &Grant) -> bool {
        let Grant {
            approval,
            bound,
            until,
            ..
        } = grant;
        let mut book = self.book();
        if until.is_over() {
            return false;
        }
        if approval.by == "elicitation" {
            book.used.retain(|_, until| !until.is_over());
            return book.used.insert(approval.id.clone(), *until).is_none();
        }
        let Ok(desk) = &self.desk else { return false };
        let is_it = book
            .waiting
            .get(bound)
            .is_some_and(|waiting| waiting.id == approval.id);
        if !is_it || desk.answer(&approval.id, bound) != Some(true) {
            return false;
        }
        book.waiting.remove(bound);
        desk.clear(&approval.id);
        true
    }
}

impl Book {
    /// Forgets what is over.
    fn forget(&mut self, desk: &Desk) {
        self.waiting.retain(|_, waiting| {
            let is_over = waiting.until.is_over();
            if is_over {
                desk.clear(&waiting.id);
            }
            !is_over
        });
    }
}

/// Twelve letters and digits that are not mistaken for each other: 60 bits.
pub(super) fn new_id() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let random = uuid::Uuid::new_v4().into_bytes();
    // The first and the last bytes of a random UUID are random as a whole.
    let bytes = random[..6].iter().chain(&random[10..]);
    let letter = |byte: &u8| char::from(LETTERS[usize::from(byte % 32)]);
    bytes.map(letter).collect()
}
