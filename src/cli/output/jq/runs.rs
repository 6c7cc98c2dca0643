//! The runs of the expression of a call: how their results are printed, and what stops them.

use std::io::{self, BufReader, BufWriter, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::worker::{self, MEMORY, Tag};
use super::{Found, Jq};
use crate::cli::interrupt::{self, Signal};
use crate::cli::terminal::{self, Out};
use crate::cli::{Done, Failure, exit};
use crate::json::{Json, Part};
use crate::words::seconds;

/// How often a run is looked at that gives no result.
const LOOK: Duration = Duration::from_millis(20);
/// A process that ended by a signal was perhaps ended by the one that was meant for us, which comes a little later.
const SIGNAL: Duration = Duration::from_millis(100);
/// Results that wait to be printed.
const MOST_WAITING: usize = 256;

/// When a call must be over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    /// When the call began.
    pub started: Instant,
    /// How long it may take.
    pub within: Duration,
}

impl Deadline {
    fn is_over(self) -> bool {
        self.started.elapsed() >= self.within
    }
}

/// Runs of an expression. One that fails is an error once the results of the others are printed.
pub(crate) struct Runs {
    deadline: Option<Deadline>,
    worker: Option<Worker>,
    count: u64,
    failed: u64,
    first: Option<String>,
}

impl Runs {
    /// No runs so far.
    pub(crate) fn new(deadline: Option<Deadline>) -> Runs {
        Runs {
            deadline,
            worker: None,
            count: 0,
            failed: 0,
            first: None,
        }
    }

    /// Prints the results for an output, a line each.
    ///
    /// # Errors
    /// When the results cannot be printed, or the run is stopped: by the deadline, a signal, or its size.
    pub(crate) fn whole(&mut self, jq: &Jq, output: Part<'_>, out: &mut Out) -> Done {
        let done = self.run(jq, std::iter::once(output), false, out);
        interrupt::next_signal_ends();
        done
    }

    /// Prints the results for rows, as JSON.
    ///
    /// # Errors
    /// As for [`Runs::whole`].
    pub(crate) fn rows<'o>(
        &mut self,
        jq: &Jq,
        rows: impl Iterator<Item = Part<'o>> + Send,
        out: &mut Out,
    ) -> Done {
        self.run(jq, rows, true, out)
    }

    fn run<'o>(
        &mut self,
        jq: &Jq,
        inputs: impl Iterator<Item = Part<'o>> + Send,
        are_rows: bool,
        out: &mut Out,
    ) -> Done {
        // From here on a signal does not end the program, which still has something to tell.
        let _ = interrupt::arrived();
        let mut worker = match self.worker.take() {
            Some(worker) => worker,
            None => Worker::start(jq.text()).map_err(|error| {
                Failure::Told(
                    exit::OUTPUT,
                    format!("cannot start a process for the expression of --jq: {error}"),
                )
            })?,
        };
        let mut stdin = worker.stdin.take();
        let done = thread::scope(|scope| {
            // A process that reads no more has ended, and whoever reads its results notices.
            scope.spawn(|| stdin.as_mut().map(|stdin| feed(stdin, inputs)));
            let done = self.take(&mut worker, are_rows, out);
            if done.is_err() {
                worker.kill();
            }
            done
        });
        done?;
        worker.stdin = stdin;
        self.worker = Some(worker);
        Ok(())
    }

    /// Prints what comes, until all that was given is done.
    fn take(&mut self, worker: &mut Worker, are_rows: bool, out: &mut Out) -> Done {
        loop {
            if let Some(signal) = interrupt::arrived() {
                return Err(signal.failure(&self.unfinished(are_rows)));
            }
            if let Some(deadline) = self.deadline.filter(|deadline| deadline.is_over()) {
                let (what, within) = (self.unfinished(are_rows), seconds(deadline.within));
                let told = format!("{what} within {within}; `--deadline` sets another limit");
                return Err(Failure::Told(exit::NETWORK, told));
            }
            match worker.happened.recv_timeout(LOOK) {
                Ok(Event::Found(Found::Text(text))) if are_rows => {
                    writeln!(out, "{}", Json::of_text(&text))?;
                }
                Ok(Event::Found(Found::Text(text))) => writeln!(out, "{text}")?,
                Ok(Event::Found(Found::Json(text))) => {
                    writeln!(out, "{}", terminal::json_text(&text))?;
                }
                Ok(Event::Failed(error)) => self.failed(error, are_rows),
                Ok(Event::Done) => self.count += 1,
                Ok(Event::AllDone) => return Ok(()),
                Ok(Event::Gone) | Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.ended(worker, are_rows));
                }
                Err(RecvTimeoutError::Timeout) => out.flush()?,
            }
        }
    }

    fn failed(&mut self, error: String, are_rows: bool) {
        self.count += 1;
        self.failed += 1;
        let count = self.count;
        self.first.get_or_insert_with(|| match are_rows {
            true => format!("row {count}: {error}"),
            false => error,
        });
    }

    fn unfinished(&self, are_rows: bool) -> String {
        match are_rows {
            true => format!(
                "the expression of --jq is not done with row {}",
                self.count + 1
            ),
            false => "the expression of --jq is not done".to_owned(),
        }
    }

    /// The process ended in the middle of its work.
    fn ended(&self, worker: &mut Worker, are_rows: bool) -> Failure {
        if let Some(signal) = signal_within(SIGNAL) {
            return signal.failure(&self.unfinished(are_rows));
        }
        let place = match are_rows {
            true => format!(" in row {}", self.count + 1),
            false => String::new(),
        };
        let why = worker.why_it_ended();
        Failure::Told(
            exit::RESPONSE,
            format!("the expression of --jq was stopped{place}: {why}"),
        )
    }

    /// Fails if a run failed.
    pub(crate) fn verdict(&self) -> Done {
        let Some(first) = &self.first else {
            return Ok(());
        };
        let more = match self.failed {
            1 => String::new(),
            failed => format!(" (and {} more of {} rows)", failed - 1, self.count),
        };
        Err(Failure::Told(
            exit::RESPONSE,
            format!("the expression of --jq failed: {first}{more}"),
        ))
    }
}

fn signal_within(time: Duration) -> Option<Signal> {
    let started = Instant::now();
    loop {
        match interrupt::arrived() {
            None if started.elapsed() < time => thread::sleep(LOOK),
            signal => return signal,
        }
    }
}

/// Something that happened in a run.
enum Event {
    /// A result.
    Found(Found),
    /// An input failed.
    Failed(String),
    /// An input gave all its results.
    Done,
    /// All inputs that were given are done.
    AllDone,
    /// The process ended.
    Gone,
}

/// The process that runs the expression. It ends when this is dropped.
struct Worker {
    child: Child,
    stdin: Option<BufWriter<ChildStdin>>,
    happened: Receiver<Event>,
}

impl Worker {
    fn start(expression: &str) -> io::Result<Worker> {
        let mut child = worker::start(expression)?;
        let (events, happened) = sync_channel(MOST_WAITING);
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || pass_on(stdout, &events));
        }
        Ok(Worker {
            stdin: child.stdin.take().map(BufWriter::new),
            child,
            happened,
        })
    }

    fn kill(&mut self) {
        // It fails if the process has ended already, and that is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// What a process that ended left on its standard error.
    fn why_it_ended(&mut self) -> String {
        self.kill();
        let mut told = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            let _ = stderr.read_to_string(&mut told);
        }
        match () {
            () if told.contains("memory allocation") => {
                format!("it needs more than {} GiB of memory", MEMORY >> 30)
            }
            () if told.contains("overflowed its stack") => {
                "it calls itself too often, or a value in it is nested too deep".to_owned()
            }
            () => match self.child.wait() {
                Ok(status) => format!("its process ended with {status}"),
                Err(error) => format!("its process ended: {error}"),
            },
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Gives inputs to the process.
fn feed<'o>(
    stdin: &mut BufWriter<ChildStdin>,
    inputs: impl Iterator<Item = Part<'o>>,
) -> io::Result<()> {
    for input in inputs {
        worker::put(stdin, Tag::Input, input.text())?;
    }
    worker::put(stdin, Tag::AllDone, b"")?;
    stdin.flush()
}

/// Passes on what the process tells, until it ends.
fn pass_on(stdout: ChildStdout, events: &SyncSender<Event>) {
    let mut stdout = BufReader::new(stdout);
    let text = |text: Vec<u8>| String::from_utf8_lossy(&text).into_owned();
    while let Ok(Some((tag, told))) = worker::get(&mut stdout) {
        let event = match tag {
            Tag::Text => Event::Found(Found::Text(text(told))),
            Tag::Json => Event::Found(Found::Json(text(told))),
            Tag::Error => Event::Failed(text(told)),
            Tag::Done => Event::Done,
            Tag::AllDone => Event::AllDone,
            Tag::Input => break,
        };
        if events.send(event).is_err() {
            return;
        }
    }
    let _ = events.send(Event::Gone);
}
