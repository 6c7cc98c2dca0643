//! Checks all lines, and only then puts them into the store.
//!
//! Lines that are checked go into a temporary file, so that a source of any length, also one that can be read only once,
//! needs little memory, and nothing is in the store before the last line was found to be sound.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};

use ring::digest::{Context, SHA256};

use super::lines::{Line, LinesError};
use super::run::{Options, id_of};
use super::shape::{Shape, Shaped, Shard};
use crate::sign::hex;
use crate::store::{NewJob, NewRun, RunRecord, Store, StoreError};

/// How many wrong lines are told one by one.
const MOST_TOLD: usize = 20;
/// How many jobs are shown before a write.
const SHOWN: usize = 3;
/// Jobs that go into the store at a time.
const AT_ONCE: usize = 5_000;

/// Checks lines and keeps their jobs.
pub(crate) struct Loader<'s> {
    shape: &'s Shape<'s>,
    shard: Option<Shard>,
    file: BufWriter<File>,
    hash: Context,
    spool: Facts,
}

/// What is known of the lines.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Lines that were read.
    pub lines: u64,
    /// Jobs of this shard.
    pub jobs: u64,
    /// Lines of other shards.
    pub elsewhere: u64,
    /// Wrong lines.
    pub invalid: u64,
    /// The first wrong lines, and what is wrong with them.
    pub problems: Vec<(u64, String)>,
    /// The first jobs.
    pub first: Vec<Shaped>,
}

/// Checked lines.
pub(crate) struct Spool {
    /// What is known of them.
    pub facts: Facts,
    /// A digest of all jobs.
    pub digest: String,
    file: File,
}

/// Why the lines are not in the store.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadingError {
    /// They cannot be read.
    #[error(transparent)]
    Lines(#[from] LinesError),
    /// The temporary file fails.
    #[error("the temporary file of checked lines: {0}")]
    File(#[from] io::Error),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<'s> Loader<'s> {
    /// Starts with no line.
    ///
    /// # Errors
    /// When there can be no temporary file.
    pub(crate) fn new(shape: &'s Shape<'s>, shard: Option<Shard>) -> io::Result<Loader<'s>> {
        Ok(Loader {
            shape,
            shard,
            file: BufWriter::with_capacity(1 << 16, tempfile::tempfile()?),
            hash: Context::new(&SHA256),
            spool: Facts::default(),
        })
    }

    /// Checks a line. Gives what is wrong with it.
    ///
    /// # Errors
    /// When the temporary file fails.
    pub(crate) fn add(&mut self, line: &Line) -> io::Result<Option<String>> {
        self.spool.lines += 1;
        let shaped = match self.shape.shape(line) {
            Ok(shaped) => shaped,
            Err(problems) => {
                let told = problems.join("; ");
                self.spool.invalid += 1;
                if self.spool.problems.len() < MOST_TOLD {
                    self.spool.problems.push((line.number, told.clone()));
                }
                return Ok(Some(told));
            }
        };
        if self.shard.is_some_and(|shard| !shard.takes(&shaped.key)) {
            self.spool.elsewhere += 1;
            return Ok(None);
        }
        self.spool.jobs += 1;
        for part in [&shaped.key, &shaped.arguments] {
            let length = (part.len() as u64).to_le_bytes();
            self.file.write_all(&length)?;
            self.hash.update(&length);
            self.file.write_all(part.as_bytes())?;
            self.hash.update(part.as_bytes());
        }
        self.file.write_all(&line.number.to_le_bytes())?;
        if self.spool.first.len() < SHOWN {
            self.spool.first.push(shaped);
        }
        Ok(None)
    }

    /// Ends with the last line.
    ///
    /// # Errors
    /// When the temporary file fails.
    pub(crate) fn finish(self) -> io::Result<Spool> {
        let mut file = self
            .file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        Ok(Spool {
            facts: self.spool,
            digest: hex(self.hash.finish().as_ref()),
            file,
        })
    }
}

/// What came of putting lines into the store.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The run.
    pub record: RunRecord,
    /// Whether the run was there already.
    pub is_known: bool,
    /// Jobs that are new.
    pub added: u64,
}

impl Spool {
    /// Finds the run of these jobs, or makes it, and puts the jobs into the store. `run` has everything but the id, and
    /// `options` everything but what this gives them. A run that is whole already is left as it is.
    ///
    /// # Errors
    /// When the store or the temporary file fails. To do it again goes on where it ended.
    pub(crate) async fn enqueue(
        self,
        store: &Store,
        run: NewRun,
        options: Options,
        tell: &(dyn Fn(u64) + Sync),
    ) -> Result<Loaded, LoadingError> {
        let record = make_run(store, run, options).await?;
        let is_known = record.state != crate::store::RunState::Loading;
        let mut added = 0;
        if !is_known {
            let mut jobs = Jobs(BufReader::with_capacity(1 << 16, self.file));
            let mut read = 0;
            loop {
                let mut next = Vec::with_capacity(AT_ONCE);
                while next.len() < AT_ONCE
                    && let Some(job) = jobs.next()?
                {
                    next.push(job);
                }
                if next.is_empty() {
                    break;
                }
                read += next.len() as u64;
                added += store.enqueue(&record.run.id, next).await?;
                tell(read);
            }
            store.open_run(&record.run.id).await?;
        }
        let record = store
            .run(&record.run.id)
            .await?
            .ok_or(StoreError::Broken("a run"))?;
        Ok(Loaded {
            record,
            is_known,
            added,
        })
    }
}

/// The run with this fingerprint, which is found again by its id. Another run may have that id by chance.
async fn make_run(store: &Store, run: NewRun, options: Options) -> Result<RunRecord, LoadingError> {
    for salt in 0..u32::MAX {
        let run = NewRun {
            id: id_of(&options.fingerprint, salt),
            options: serde_json::to_string(&options).map_err(io::Error::from)?,
            ..run.clone()
        };
        let record = store.make_run(run).await?;
        let found = serde_json::from_str::<Options>(&record.run.options);
        if found.is_ok_and(|found| found.fingerprint == options.fingerprint) {
            return Ok(record);
        }
    }
    Err(StoreError::Broken("every id of a run").into())
}

/// Reads jobs from the temporary file.
struct Jobs(BufReader<File>);

impl Jobs {
    fn next(&mut self) -> io::Result<Option<NewJob>> {
        use io::BufRead as _;
        if self.0.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let (key, args) = (self.text()?, self.text()?);
        let seq = i64::try_from(self.number()?).map_err(io::Error::other)?;
        Ok(Some(NewJob { seq, key, args }))
    }

    fn number(&mut self) -> io::Result<u64> {
        let mut bytes = [0; 8];
        self.0.read_exact(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn text(&mut self) -> io::Result<String> {
        let length = usize::try_from(self.number()?).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes)?;
        String::from_utf8(bytes).map_err(io::Error::other)
    }
}
