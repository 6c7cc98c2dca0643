//! Ctrl-C, and the other signals that end a program, during work that needs cleaning up.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::Job;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::{Failure, exit};

/// How often we check for a signal.
const LOOK: Duration = Duration::from_millis(50);
/// If a signal is not noticed in this many checks, nobody checks, for example because the program waits on a pipe that
/// nobody reads. Until then a second signal has no effect: a terminal that closes sends two signals at once, and after
/// the first one the work is cleaned up.
const PATIENCE: u32 = 4;

#[cfg(unix)]
const SIGNALS: [i32; 3] = [SIGINT, SIGTERM, signal_hook::consts::SIGHUP];
#[cfg(not(unix))]
const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

/// A signal that should end the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signal(u8);

impl Signal {
    /// The exit code, as if the signal itself had ended the process.
    pub(crate) fn exit_code(self) -> u8 {
        exit::SIGNAL + self.0
    }

    /// The failure for this signal, with this message.
    pub(crate) fn failure(self, told: &str) -> Failure {
        Failure::Told(self.exit_code(), format!("interrupted; {told}"))
    }
}

/// The signal that arrived and was not noticed yet.
struct Pending {
    signal: Arc<AtomicUsize>,
    /// While this is true, the next signal ends the program at once.
    is_there: Arc<AtomicBool>,
}

/// Starts listening at the first check. Until then a signal simply ends the program, and calls that need no handler do
/// not pay for one.
static PENDING: LazyLock<Pending> = LazyLock::new(|| {
    let pending = Pending {
        signal: Arc::default(),
        is_there: Arc::default(),
    };
    for signal in SIGNALS.into_iter().filter(|signal| !is_ignored(*signal)) {
        // If no handler can be installed, a signal ends the program as usual.
        let _ = listen(signal, &pending);
    }
    let (signal, is_there) = (Arc::clone(&pending.signal), Arc::clone(&pending.is_there));
    std::thread::spawn(move || watch(&signal, &is_there));
    pending
});

fn listen(signal: i32, pending: &Pending) -> std::io::Result<()> {
    let (code, number) = (i32::from(exit::SIGNAL) + signal, signal.unsigned_abs());
    signal_hook::flag::register_conditional_shutdown(signal, code, Arc::clone(&pending.is_there))?;
    let flag = Arc::clone(&pending.signal);
    signal_hook::flag::register_usize(signal, flag, number as usize)?;
    Ok(())
}

/// Lets the next signal end the program if nobody checks for the first one.
fn watch(signal: &AtomicUsize, is_there: &AtomicBool) {
    let mut unseen = 0;
    loop {
        std::thread::sleep(LOOK);
        unseen = match signal.load(Ordering::SeqCst) {
            0 => 0,
            _ => unseen + 1,
        };
        if unseen == PATIENCE {
            is_there.store(true, Ordering::SeqCst);
        }
    }
}

/// Whether the program was started with the signal ignored, as by `nohup`. Then it must stay ignored.
fn is_ignored(signal: i32) -> bool {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else {
        return false;
    };
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// The signal that arrived since the last check, for work that checks by itself, and often.
pub(crate) fn arrived() -> Option<Signal> {
    let number = PENDING.signal.swap(0, Ordering::SeqCst);
    if number == 0 {
        return None;
    }
    PENDING.is_there.store(false, Ordering::SeqCst);
    Some(Signal(u8::try_from(number).unwrap_or_default()))
}

async fn signal() -> Signal {
    loop {
        if let Some(signal) = arrived() {
            return signal;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Runs some work until it is done.
///
/// # Errors
/// The signal that interrupted it; the work was dropped.
pub(crate) async fn unless_interrupted<T>(work: impl Future<Output = T>) -> Result<T, Signal> {
    tokio::select! {
        biased;
        signal = signal() => Err(signal),
        done = work => Ok(done),
    }
}

/// From here on no cleaning up is needed: the next signal ends the program at once.
pub(crate) fn next_signal_ends() {
    PENDING.is_there.store(true, Ordering::SeqCst);
}

/// Cancels the job that the call waits for, if the service can, and prints the result.
pub(crate) async fn cancel(job: &Job, signal: Signal) -> Failure {
    let told = match unless_interrupted(job.cancel()).await {
        Ok(Ok(true)) => "the job was cancelled".to_owned(),
        Ok(Ok(false)) => format!(
            "the job is still running at the service{}",
            job.url()
                .map(|url| format!(", at {url}"))
                .unwrap_or_default()
        ),
        Ok(Err(error)) => {
            format!("the job could not be cancelled and may still be running: {error}")
        }
        Err(second) => {
            let told = "interrupted twice; the job may still be running at the service";
            return Failure::Told(second.exit_code(), told.to_owned());
        }
    };
    signal.failure(&told)
}
