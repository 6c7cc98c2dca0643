//! The desk: a folder of the user's own where questions and answers lie. Each is a file that only the user can read, and
//! is written in one step.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::question::{Bound, Question};
use crate::catalog::{make_folder, not_own, others_may_replace};
use crate::serve::own;
use crate::staged;

/// The longest question that is read.
const MOST_BYTES: u64 = 256 << 10;
const QUESTION: &str = ".question.json";
const ANSWER: &str = ".answer.json";

/// The folder.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    folder: PathBuf,
}

/// What a person says.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    approved: bool,
    bound: Bound,
}

/// Whether a text can be an id. No other text becomes a part of a path.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == 12
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

impl Desk {
    /// The desk in this folder, which is made when it is needed.
    pub(crate) fn at(folder: PathBuf) -> Desk {
        Desk { folder }
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn path(&self, id: &str, ending: &str) -> PathBuf {
        self.folder.join(format!("{id}{ending}"))
    }

    /// Whether the folder is the user's own. `NotFound` if there is none.
    fn check(&self) -> io::Result<()> {
        let facts = self.folder.symlink_metadata()?;
        if !facts.is_dir() {
            return Err(own::refused("it is no folder"));
        }
        let above = self.folder.parent().and_then(|above| above.metadata().ok());
        if above.is_some_and(|above| others_may_replace(&above)) {
            return Err(own::refused("other users can replace it"));
        }
        match not_own(&facts) {
            None if others_may_look(&facts) => Err(own::refused(
                "other users can look into it; make it yours alone (mode 700)",
            )),
            None => Ok(()),
            Some(reason) => Err(own::refused(reason)),
        }
    }

    /// Lays a question on the desk, and sweeps away those of servers that are gone.
    pub(super) fn put(&self, question: &Question) -> io::Result<()> {
        make_folder(&self.folder)?;
        self.check()?;
        for (id, question) in self.all() {
            if question.is_ok_and(|question| question.is_over()) {
                self.clear(&id);
            }
        }
        write(&self.path(&question.id, QUESTION), question)
    }

    /// What a person said to a question. An answer to something else is none.
    pub(super) fn answer(&self, id: &str, bound: &Bound) -> Option<bool> {
        self.check().ok()?;
        let text = own::read(&self.path(id, ANSWER), MOST_BYTES).ok()?;
        let answer: Answer = serde_json::from_str(&text).ok()?;
        (answer.bound == *bound).then_some(answer.approved)
    }

    /// Takes a question and its answer away.
    pub(super) fn clear(&self, id: &str) {
        // What cannot be removed is over by itself.
        let _ = fs::remove_file(self.path(id, QUESTION));
        let _ = fs::remove_file(self.path(id, ANSWER));
    }

    /// The question of an id; `None` if there is none.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(crate) fn question(&self, id: &str) -> io::Result<Option<Question>> {
        let found = self.check().and_then(|()| self.read(id));
        match found {
            Ok(question) => Ok(Some(question)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read(&self, id: &str) -> io::Result<Question> {
        let text = own::read(&self.path(id, QUESTION), MOST_BYTES)?;
        let question: Question = serde_json::from_str(&text)?;
        match question.id == id {
            true => Ok(question),
            false => Err(own::refused("it holds another question")),
        }
    }

    /// All questions, by id.
    fn all(&self) -> Vec<(String, io::Result<Question>)> {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return Vec::new();
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let ids = names.filter_map(|name| Some(name.strip_suffix(QUESTION)?.to_owned()));
        let mut ids: Vec<String> = ids.filter(|id| is_id(id)).collect();
        ids.sort();
        let read = |id: String| {
            let question = self.read(&id);
            (id, question)
        };
        ids.into_iter().map(read).collect()
    }

    /// The questions that wait, the oldest first, each with the answer that it has; and the names of those that cannot be read,
    /// with the reason.
    ///
    /// # Errors
    /// When the folder is not the user's own.
    pub(crate) fn waiting(&self) -> io::Result<(Vec<(Question, Option<bool>)>, Vec<String>)> {
        match self.check() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Default::default()),
            checked => checked?,
        }
        let (mut waiting, mut broken) = (Vec::new(), Vec::new());
        for (id, question) in self.all() {
            match question {
                Ok(question) if question.is_over() => {}
                Ok(question) => {
                    let answer = self.answer(&id, &question.bound);
                    waiting.push((question, answer));
                }
                // It was answered and used just now.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => broken.push(format!("{id}: {error}")),
            }
        }
        waiting
            .sort_by(|(one, _), (other, _)| (&one.asked, &one.id).cmp(&(&other.asked, &other.id)));
        Ok((waiting, broken))
    }

    /// Answers a question. A later answer replaces an earlier one, until the call is made.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn reply(&self, question: &Question, approved: bool) -> io::Result<()> {
        self.check()?;
        let answer = Answer {
            approved,
            bound: question.bound.clone(),
        };
        write(&self.path(&question.id, ANSWER), &answer)
    }
}

fn write(path: &Path, value: &impl Serialize) -> io::Result<()> {
    staged::replace(path, &serde_json::to_vec(value)?)
}

#[cfg(unix)]
fn others_may_look(facts: &fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&facts.permissions()) & 0o077 != 0
}

#[cfg(not(unix))]
fn others_may_look(_: &fs::Metadata) -> bool {
    false
}
