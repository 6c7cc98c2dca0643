//! Secrets that a program prints.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::{Secret, SecretError};

/// How long a program may take. This leaves time for a program that waits for a person, for example for a fingerprint.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// How many bytes of output are read at most.
const MAX_OUTPUT: u64 = 64 << 10;
/// How often we check whether the program has ended.
const PAUSE: Duration = Duration::from_millis(5);

/// Runs a program without a shell and returns its standard output, trimmed. A relative path to a program starts at
/// `folder`, the descriptor's own. The program is stopped at the deadline.
///
/// # Errors
/// When it cannot be started, fails, takes too long or prints no text. Its standard error is not repeated, because it
/// may hold a part of the secret.
pub(crate) fn run(
    name: &str,
    command: &[String],
    folder: &Path,
    deadline: Option<Instant>,
) -> Result<Secret, SecretError> {
    let left = deadline.map_or(TIME_LIMIT, |at| {
        at.saturating_duration_since(Instant::now())
    });
    run_within(name, command, folder, left.min(TIME_LIMIT))
}

fn run_within(
    name: &str,
    command: &[String],
    folder: &Path,
    limit: Duration,
) -> Result<Secret, SecretError> {
    let failed = |reason: String| SecretError::Command {
        name: name.to_owned(),
        reason,
    };
    let (program, arguments) = command
        .split_first()
        .ok_or_else(|| failed("it is empty".to_owned()))?;
    let mut child = Command::new(located(program, folder))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("it cannot be started: {}", error.kind())))?;
    // Both streams are read at the same time, so that a full pipe never blocks the program.
    let stdout = child.stdout.take().map(read_in_background);
    let stderr = child.stderr.take().map(read_in_background);
    let deadline = Instant::now() + limit;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => thread::sleep(PAUSE),
            Ok(None) => {
                // It may have ended just now. We wait for it in either case.
                let _ = child.kill();
                let _ = child.wait();
                return Err(failed(format!(
                    "it took longer than {} s",
                    limit.as_secs_f32()
                )));
            }
            Err(error) => return Err(failed(format!("it cannot be waited for: {}", error.kind()))),
        }
    };
    // A child process that it left running may keep the pipes open.
    let left = deadline.saturating_duration_since(Instant::now());
    let take = |stream: Option<mpsc::Receiver<Vec<u8>>>, left| {
        stream.and_then(|s| s.recv_timeout(left).ok())
    };
    if !status.success() {
        let said = take(stderr, left.min(Duration::from_millis(200))).unwrap_or_default();
        let hint = match said.is_empty() {
            true => String::new(),
            false => format!(
                "; it said something on standard error ({} bytes), which is not shown: run it yourself to see",
                said.len()
            ),
        };
        return Err(failed(format!("it ended with {status}{hint}")));
    }
    let output = take(stdout, left).ok_or_else(|| failed("its output never ends".to_owned()))?;
    if output.len() as u64 > MAX_OUTPUT {
        return Err(failed(format!("it printed more than {MAX_OUTPUT} bytes")));
    }
    let text =
        String::from_utf8(output).map_err(|_| failed("it printed no UTF-8 text".to_owned()))?;
    match text.trim() {
        "" => Err(failed("it printed nothing".to_owned())),
        secret => Ok(Secret::new(secret)),
    }
}

/// Bare names are searched in `PATH`. A relative path must not depend on the current folder.
fn located(program: &str, folder: &Path) -> PathBuf {
    let path = Path::new(program);
    match path.is_absolute() || path.components().count() == 1 && !program.starts_with('.') {
        true => path.to_path_buf(),
        false => folder.join(path),
    }
}

fn read_in_background(mut stream: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // After an error, what was read so far is the result. Output beyond the limit is read and discarded.
        let _ = stream.by_ref().take(MAX_OUTPUT + 1).read_to_end(&mut bytes);
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
        let _ = sender.send(bytes);
    });
    receiver
}

#[cfg(all(test, unix))]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn outcome(command: &[&str], limit: Duration) -> Result<String, String> {
        let command: Vec<String> = command.iter().map(|part| (*part).to_owned()).collect();
        run_within("x", &command, Path::new("/bin"), limit)
            .map(|secret| secret.expose().to_owned())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn output_is_trimmed_and_there_is_no_shell() {
        let second = Duration::from_secs(5);
        assert_eq!(outcome(&["echo", " a b "], second).as_deref(), Ok("a b"));
        assert_eq!(
            outcome(&["echo", "$HOME; id"], second).as_deref(),
            Ok("$HOME; id")
        );
        assert_eq!(outcome(&["./echo", "here"], second).as_deref(), Ok("here"));
    }

    #[test]
    fn failures_are_told_without_what_was_said() {
        let second = Duration::from_secs(5);
        for (command, told) in [
            (
                vec!["sh", "-c", "echo canary >&2; echo canary; exit 3"],
                "exit status: 3; it said something",
            ),
            (vec!["no-such-program-canary"], "cannot be started"),
            (vec!["true"], "printed nothing"),
            (vec!["printf", "\\377"], "no UTF-8"),
            (vec!["sh", "-c", "head -c 100000 /dev/zero"], "more than"),
        ] {
            let error = outcome(&command, second).unwrap_err();
            assert!(
                error.contains(told) && !error.contains("canary"),
                "{command:?}: {error}"
            );
        }
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let started = Instant::now();
        let error = outcome(&["sleep", "60"], Duration::from_millis(100)).unwrap_err();
        assert!(error.contains("longer than"), "{error}");
        let error = outcome(
            &["sh", "-c", "sleep 60 & echo x"],
            Duration::from_millis(200),
        )
        .unwrap_err();
        assert!(error.contains("never ends"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}
