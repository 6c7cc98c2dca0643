//! Verifying a log: which lines were changed, removed, put in, moved or cut off.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use super::line::{self, Link, NOTHING};
use super::log::{Head, read_head};
use crate::serve::own;
use crate::sign::sha256;

/// The longest line that is read.
const MOST_OF_LINE: u64 = 4 << 20;
/// Most problems that are listed.
const MOST_PROBLEMS: usize = 100;

/// What is known of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Lines of the file.
    pub lines: u64,
    /// The number and the hash of the last line.
    pub count: u64,
    pub hash: String,
    /// Whether there is a head.
    pub has_head: bool,
    /// What is no fault.
    pub notes: Vec<String>,
    /// What was done to it.
    pub problems: Vec<String>,
}

/// Verifies a log.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn verify(path: &Path) -> io::Result<Verdict> {
    let file = plain(path)?;
    // First the head: a server that runs may write more lines in the meantime.
    let head = read_head(path, |head| {
        let mut text = String::new();
        plain(head)?.take(MOST_OF_LINE).read_to_string(&mut text)?;
        Ok(text)
    })?;
    let is_written = file.try_lock_shared().is_err();
    let _ = file.unlock();
    let mut walk = Walk::new(head);
    let mut reader = BufReader::new(file);
    let mut text = Vec::new();
    loop {
        text.clear();
        let read = (&mut reader)
            .take(MOST_OF_LINE)
            .read_until(b'\n', &mut text)?;
        if read == 0 {
            break;
        }
        walk.verdict.lines += 1;
        match text.strip_suffix(b"\n") {
            Some(text) => walk.line(text),
            None if read as u64 == MOST_OF_LINE => {
                return Err(own::refused(
                    "it has a line that is too long to be one of a log",
                ));
            }
            None => walk.unfinished(&text),
        }
    }
    Ok(walk.end(is_written))
}

/// A file that is no pipe and no device. Whoever verifies a log need not be the user who writes it.
fn plain(path: &Path) -> io::Result<File> {
    match path.metadata()?.is_file() {
        true => File::open(path),
        false => Err(own::refused("it is no plain file")),
    }
}

/// How far a log was read.
struct Walk {
    head: Option<Head>,
    /// The line before: where it stands, and its hash, if the chain is known.
    before: (u64, Option<String>),
    /// The number of the next line.
    next: u64,
    /// Two lines of which one was changed: the hash in the second is not that of the first.
    suspects: Option<(u64, u64)>,
    /// Two lines with one number: where they stand, and their hashes.
    rivals: Option<[(u64, String); 2]>,
    /// Lines that are none, and where the first one stands.
    torn: Vec<u8>,
    torn_at: u64,
    verdict: Verdict,
}

impl Walk {
    fn new(head: Option<Head>) -> Walk {
        Walk {
            verdict: Verdict {
                has_head: head.is_some(),
                hash: NOTHING.to_owned(),
                ..Verdict::default()
            },
            head,
            before: (0, Some(NOTHING.to_owned())),
            next: 1,
            suspects: None,
            rivals: None,
            torn: Vec::new(),
            torn_at: 0,
        }
    }

    fn tell(&mut self, problem: String) {
        match self.verdict.problems.len() {
            ..MOST_PROBLEMS => self.verdict.problems.push(problem),
            MOST_PROBLEMS => self.verdict.problems.push("and more".to_owned()),
            _ => {}
        }
    }

    fn line(&mut self, text: &[u8]) {
        let at = self.verdict.lines;
        let Some(link) = Link::of(text) else {
            match self.torn_at {
                0 => self.torn_at = at,
                _ => self.torn.push(b'\n'),
            }
            self.torn.extend_from_slice(text);
            return;
        };
        if self.torn_at > 0 {
            self.judge_torn(&link, at);
        }
        let hash = line::hash(text);
        if let Some(head) = self.head.as_ref().filter(|head| head.count == link.n)
            && head.hash != hash
            && link.n == self.next
        {
            self.tell(format!("line {at} is not the one that its head knows"));
        }
        match link.n.cmp(&self.next) {
            std::cmp::Ordering::Equal => self.follow(&link, at),
            std::cmp::Ordering::Greater => {
                self.resolve(None);
                let missing = match link.n - self.next {
                    1 => format!("line number {} is missing", self.next),
                    _ => format!("lines number {} to {} are missing", self.next, link.n - 1),
                };
                self.tell(format!("{missing} before line {at}"));
            }
            std::cmp::Ordering::Less => return self.double(&link, at, hash),
        }
        self.next = link.n.saturating_add(1);
        self.before = (at, Some(hash));
    }

    /// A line with the number that is expected: it must know the line before it.
    fn follow(&mut self, link: &Link, at: u64) {
        if self.rivals.is_some() || self.suspects.is_some() {
            self.resolve(Some(&link.prev));
            return;
        }
        let (before, hash) = &self.before;
        if hash.as_ref().is_some_and(|hash| *hash != link.prev) {
            self.suspects = Some((*before, at));
        }
    }

    /// A line whose number was there already.
    fn double(&mut self, link: &Link, at: u64, hash: String) {
        match &self.before {
            (before, Some(known)) if link.n + 1 == self.next && self.rivals.is_none() => {
                self.rivals = Some([(*before, known.clone()), (at, hash)]);
            }
            _ => self.tell(format!(
                "line {at} has the number {}: it was put in, or stands in the wrong place",
                link.n
            )),
        }
    }

    /// Says which of two lines was changed or put in, by the hash that the line behind them knows.
    fn resolve(&mut self, known: Option<&str>) {
        if let Some([(one, first), (other, second)]) = self.rivals.take() {
            self.suspects = None;
            let which = match known {
                Some(known) if known == first => format!("line {other} was"),
                Some(known) if known == second => format!("line {one} was"),
                _ => format!("one of the lines {one} and {other} was"),
            };
            self.tell(format!("{which} put in: both have the same number"));
        }
        if let Some((first, second)) = self.suspects.take() {
            let own = self.before.1.as_deref();
            let what = match known {
                _ if first == 0 => {
                    format!("line {second} was changed: it is the first, and knows one before it")
                }
                Some(known) if Some(known) == own => format!("line {first} was changed"),
                Some(_) => format!("line {second} was changed"),
                None => format!("line {first} or line {second} was changed"),
            };
            self.tell(what);
        }
    }

    /// Lines that are none stand before this line. Only a line that says so itself excuses them.
    fn judge_torn(&mut self, link: &Link, at: u64) {
        let torn = std::mem::take(&mut self.torn);
        let first = std::mem::take(&mut self.torn_at);
        let is_told = link.event == "mended"
            && link.n == self.next
            && link.torn_bytes == Some(torn.len())
            && link.torn_sha256.as_deref() == Some(sha256(&torn).as_str());
        if is_told {
            self.verdict.notes.push(format!(
                "line {first} was not written whole; line {at} says so"
            ));
            return;
        }
        let lines = at - first;
        let which = match lines {
            1 => format!("line {first} was changed: it is no line of an audit log"),
            _ => format!(
                "lines {first} to {} were changed: they are no lines of an audit log",
                at - 1
            ),
        };
        self.resolve(None);
        self.tell(which);
        // If as many numbers are missing, it was these.
        if link.n == self.next + lines {
            self.next = link.n;
        }
        self.before = (at - 1, None);
    }

    /// The last line has no end.
    fn unfinished(&mut self, text: &[u8]) {
        let at = self.verdict.lines;
        self.verdict.notes.push(format!(
            "line {at} is not whole ({} bytes): it is being written, or its server was killed",
            text.len()
        ));
    }

    fn end(mut self, is_written: bool) -> Verdict {
        let count = self.next - 1;
        match self.torn_at {
            0 => {}
            _ if count == 0 => self.tell("no line of it is one of an audit log".to_owned()),
            first => self.verdict.notes.push(format!(
                "line {first} and what follows is not whole: its server was killed while it said so"
            )),
        }
        let head = self.head.clone();
        let last = self.before.1.clone().unwrap_or_default();
        let behind = head.as_ref().filter(|head| head.count == count);
        self.resolve(behind.map(|head| head.hash.as_str()));
        match head {
            None if count > 0 => self.verdict.notes.push(
                "there is no head: lines that were cut at the end, and a change of the last line, cannot be seen".to_owned(),
            ),
            Some(head) if head.count > count => {
                let lines = head.count - count;
                self.tell(format!("the end was cut: {lines} lines are missing behind line {}", self.before.0));
            }
            Some(head) if head.count + 1 < count && !is_written => {
                let newer = count - head.count;
                self.tell(format!("the head knows {} lines, and {newer} more follow: they were put in, or the head is an old one", head.count));
            }
            _ => {}
        }
        self.verdict.count = count;
        self.verdict.hash = last;
        self.verdict
    }
}
