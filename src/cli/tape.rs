//! Recordings that a command makes, and one that answers in place of services. A process has one of each.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use clap::{Args, ValueEnum};

use super::{Done, Failure, exit, note, usage};
use crate::Engine;
use crate::recording::{
    Place, Play, Pseudonyms, Recorded, Recorder, RecordingError, Rules, Taken, VARIABLE,
};

/// Recordings.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Tape {
    /// Record what is sent and received, without secrets, in this file (HAR 1.2), which must not be there yet
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Show a pseudonym instead of this field in the recording, a JSONPath such as $.data[*].email; with remove: before it,
    /// leave it out. May be given several times
    #[arg(long, value_name = "PATH", requires = "record")]
    redact: Vec<String>,
    /// Answer from this recording, a HAR of any program: no secret is read, and nothing is sent
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// What becomes of a request that the recording does not answer; it is an error unless given
    #[arg(long, value_enum, value_name = "WHAT", requires = "replay")]
    replay_missing: Option<Missing>,
}

/// What becomes of a request that a recording does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Missing {
    /// It is an error
    Error,
    /// It is sent to the service
    Live,
}

/// What this process records and plays.
#[derive(Default)]
struct Tapes {
    own: Option<(Arc<Recorder>, Place)>,
    sessions: Option<Vec<Arc<Recorder>>>,
    play: Option<Arc<Play>>,
}

static TAPES: Mutex<Option<Tapes>> = Mutex::new(None);

impl Tape {
    /// Whether a recording answers what it can.
    pub(crate) fn plays(&self) -> bool {
        self.replay.is_some()
    }

    /// The file that is recorded.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.record.as_deref()
    }

    /// Whether what is sent is recorded, in a file of this command or in that of a session.
    pub(crate) fn records(&self) -> bool {
        self.record.is_some() || std::env::var_os(VARIABLE).is_some()
    }

    /// Whether only a recording answers.
    pub(crate) fn plays_alone(&self) -> bool {
        self.replay.is_some() && self.replay_missing != Some(Missing::Live)
    }

    /// Refuses a sandbox that would never be asked.
    pub(crate) fn check(&self, has_sandbox: bool) -> Done {
        match has_sandbox && self.plays_alone() {
            true => Err(usage(
                "with --replay the recording answers, and the sandbox is never asked; `--replay-missing live` asks it for what \
                 the recording does not answer",
            )),
            false => Ok(()),
        }
    }

    /// The engine with the recordings of this process.
    ///
    /// # Errors
    /// When a file cannot be read, or a recording cannot be written.
    pub(crate) fn engine(&self, engine: Engine) -> Result<Engine, Failure> {
        let mut tapes = TAPES.lock().unwrap_or_else(PoisonError::into_inner);
        let sessions = std::env::var_os(VARIABLE);
        if self.record.is_none() && self.replay.is_none() && sessions.is_none() {
            return Ok(engine);
        }
        let tapes = tapes.get_or_insert_default();
        if tapes.sessions.is_none() {
            let folders = sessions.unwrap_or_default();
            let folders =
                std::env::split_paths(&folders).filter(|path| !path.as_os_str().is_empty());
            tapes.sessions = Some(
                folders
                    .map(|folder| of_session(&folder))
                    .collect::<Result<_, _>>()?,
            );
        }
        if let (Some(file), None) = (&self.replay, &tapes.play) {
            if file == Path::new("-") {
                return Err(usage(
                    "--replay names a file, and - is none; ./- is a file of that name",
                ));
            }
            let is_live = self.replay_missing == Some(Missing::Live);
            let (play, notes) = Play::read(file, is_live).map_err(usage)?;
            notes.iter().for_each(|text| note(text));
            tapes.play = Some(Arc::new(play));
        }
        if let (Some(file), None) = (&self.record, &tapes.own) {
            tapes.own = Some(begin(file, &self.redact)?);
        }
        let own = tapes.own.iter().map(|(recorder, _)| recorder);
        let recorders = own.chain(tapes.sessions.iter().flatten()).map(Arc::clone);
        let engine = recorders.fold(engine, Engine::with_recorder);
        Ok(match &tapes.play {
            Some(play) => engine.with_recording(Arc::clone(play)),
            None => engine,
        })
    }
}

fn of_session(folder: &Path) -> Result<Arc<Recorder>, Failure> {
    let recorder = Recorder::of_session(folder).map_err(|error| {
        usage(format!(
            "the recording that ${VARIABLE} names is not going on: {error}"
        ))
    })?;
    Ok(Arc::new(recorder))
}

/// The rules of `--redact`.
pub(super) fn rules(texts: &[String]) -> Result<Rules, Failure> {
    Rules::parse(texts.iter().map(String::as_str))
        .map_err(|reason| usage(format!("--redact: {reason}")))
}

pub(super) fn pseudonyms() -> Result<Pseudonyms, Failure> {
    Pseudonyms::new()
        .ok_or_else(|| Failure::Told(exit::OUTPUT, "this machine has no randomness".to_owned()))
}

/// There is no place for what is heard.
pub(super) fn no_place(error: &std::io::Error) -> Failure {
    let folder = std::env::temp_dir();
    let told = format!(
        "cannot keep what is recorded in the folder for temporary files, {}: {error}; $TMPDIR names another one",
        folder.display()
    );
    Failure::Told(exit::OUTPUT, told)
}

/// Takes the place of a recording.
pub(super) fn place(file: &Path) -> Result<Place, Failure> {
    if file == Path::new("-") {
        return Err(usage(
            "a recording is a file, and - is none; ./- is a file of that name",
        ));
    }
    Place::take(file).map_err(|taken| match taken {
        Taken::Io(..) => Failure::Told(exit::OUTPUT, taken.to_string()),
        Taken::File(_) => usage(format!("{taken}; a recording is a new file")),
        Taken::Recording(_) => usage(taken.to_string()),
    })
}

fn begin(file: &Path, redact: &[String]) -> Result<(Arc<Recorder>, Place), Failure> {
    let rules = rules(redact)?;
    let place = place(file)?;
    let recorder = Recorder::new(rules, pseudonyms()?).map_err(|error| no_place(&error))?;
    Ok((Arc::new(recorder), place))
}

/// Writes the recording of this process. What is wrong with it is the failure of a command that did not fail itself.
pub(crate) fn finish(done: Done) -> Done {
    let tapes = TAPES.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(tapes) = tapes else {
        return done;
    };
    let mut done = done;
    let played = tapes.play.iter().flat_map(|play| play.remarks());
    played.for_each(|text| note(&text));
    if let Some((recorder, place)) = tapes.own {
        let path = place.path().to_owned();
        done = written(recorder.finish(place), &path, done);
    }
    for recorder in tapes.sessions.iter().flatten() {
        recorder.seal();
        let Some(reason) = recorder.broken() else {
            continue;
        };
        let told =
            format!("the recording that ${VARIABLE} names lacks calls of this command: {reason}");
        done = failed(done, exit::OUTPUT, told);
    }
    done
}

/// Tells what became of a recording.
pub(super) fn written(recorded: Result<Recorded, RecordingError>, path: &Path, done: Done) -> Done {
    match recorded {
        Ok(recorded) => {
            recorded.notes.iter().for_each(|text| note(text));
            if recorded.entries == 0 && recorded.notes.is_empty() {
                note(&format!(
                    "nothing was sent, so {} was not written",
                    path.display()
                ));
            }
            done
        }
        Err(error @ RecordingError::Secret { .. }) => failed(done, exit::POLICY, error.to_string()),
        Err(error @ RecordingError::Io(_)) => failed(done, exit::OUTPUT, error.to_string()),
    }
}

fn failed(done: Done, code: u8, told: String) -> Done {
    match done {
        Ok(()) => Err(Failure::Told(code, told)),
        Err(_) => {
            note(&told);
            done
        }
    }
}
