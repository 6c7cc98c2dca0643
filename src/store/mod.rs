//! The store: what outlives a process and is shared by processes and machines. Runs with their jobs and rows, rate
//! budgets, access tokens. It is an SQLite file or a Postgres database; what it does is written once, in SQL that both
//! understand, so both mean the same.
//!
//! A store connects when it is first used, makes its tables itself and refuses those of a newer program. A clone is the
//! same store.

mod address;
mod budget;
mod db;
mod error;
mod jobs;
#[cfg(feature = "postgres")]
mod postgres;
mod schema;
mod sqlite;
mod tokens;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use address::{Address, AddressError};
pub(crate) use budget::SharedLimiter;
pub(crate) use error::StoreError;
pub(crate) use jobs::{
    Claimed, Ended, Failure, Finished, Job, JobState, NewJob, NewRun, RunRecord, RunState, Status,
};
pub(crate) use tokens::{StoreKey, StoredTokens};

use crate::send::Roots;
use db::{Durability, Work};

/// How often work is tried again when the database is busy or a connection is cut.
const TRIES: u32 = 12;
/// The first wait between two tries; each is twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A store.
#[derive(Clone)]
pub(crate) struct Store {
    address: Arc<Address>,
    database: Arc<Database>,
}

enum Database {
    Sqlite(sqlite::Sqlite),
    #[cfg(feature = "postgres")]
    Postgres(Box<postgres::Postgres>),
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.address)
    }
}

impl Store {
    /// The store at an address. Nothing is opened yet. A database on another machine is reached by TLS, with these
    /// certificate authorities.
    ///
    /// # Errors
    /// When this build has no such store.
    pub(crate) fn new(address: Address, roots: &Roots) -> Result<Store, StoreError> {
        #[cfg(not(feature = "postgres"))]
        let _ = roots;
        let database = match &address {
            Address::Sqlite(path) => Database::Sqlite(sqlite::Sqlite::new(path)),
            #[cfg(feature = "postgres")]
            Address::Postgres(config) => {
                Database::Postgres(Box::new(postgres::Postgres::new(config, roots)))
            }
            #[cfg(not(feature = "postgres"))]
            Address::Postgres(_) => return Err(StoreError::NotBuilt),
        };
        Ok(Store {
            address: Arc::new(address),
            database: Arc::new(database),
        })
    }

    /// Where it is, without a password.
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Does some work in one transaction. It may be done more than once, because it is tried again when the database is
    /// busy or its connection is cut; after a cut nobody knows whether it was committed.
    async fn transact<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl Work<T>,
    ) -> Result<T, StoreError> {
        let work = Arc::new(work);
        let mut wait = FIRST_WAIT;
        for attempt in 1.. {
            let done = match &*self.database {
                Database::Sqlite(sqlite) => sqlite.transact(durability, &work).await,
                #[cfg(feature = "postgres")]
                Database::Postgres(postgres) => postgres.transact(durability, &*work).await,
            };
            match done {
                Err(error) if error.is_passing() && attempt < TRIES => {
                    tokio::time::sleep(wait.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
                Err(error) => return Err(error.at(&self.address)),
                Ok(done) => return Ok(done),
            }
        }
        unreachable!("the last try returns")
    }
}

#[cfg(test)]
mod tests;
