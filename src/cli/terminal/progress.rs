//! Progress: a line on a terminal's standard error that says what is being done and what is waited for. It moves, and
//! vanishes.
//!
//! There is at most one. Whatever else goes to the terminal is written while the line is not there ([`aside`]).

use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use super::escape::line;
use crate::cli::output::cells::thousands;

/// What takes less time shows nothing.
const SILENT: Duration = Duration::from_millis(300);
const TICK: Duration = Duration::from_millis(100);
const MOVES: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// The line that is shown now.
static SHOWN: Mutex<Option<Shown>> = Mutex::new(None);

struct Shown {
    bar: ProgressBar,
    told: Arc<Mutex<Told>>,
}

/// What the line tells.
#[derive(Default)]
struct Told {
    pages: u64,
    rows: u64,
    /// The table that is read, where there are several.
    of: Option<String>,
    /// What is said in place of what was read.
    text: Option<String>,
    /// What is waited for, and until when, if that is known.
    waits: Option<(String, Option<Instant>)>,
}

/// The line vanishes when this is dropped.
pub(crate) struct Progress(());

impl Progress {
    /// Starts the line. Elsewhere than on a terminal there is none, and the other functions do nothing.
    pub(crate) fn start() -> Progress {
        if !can_be_shown() {
            return Progress(());
        }
        let told = Arc::new(Mutex::new(Told::default()));
        let bar = ProgressBar::new_spinner();
        let shown = Arc::clone(&told);
        let key = move |state: &ProgressState, text: &mut dyn std::fmt::Write| {
            let line = lock(&shown).line(state.elapsed(), Instant::now());
            let _ = text.write_str(&line);
        };
        if let Ok(style) = ProgressStyle::with_template("{told}") {
            bar.set_style(style.with_key("told", key));
        }
        bar.enable_steady_tick(TICK);
        *lock(&SHOWN) = Some(Shown { bar, told });
        Progress(())
    }

    /// Tells how much was read so far. What was waited for has come.
    pub(crate) fn read(pages: u64, rows: u64) {
        change(|told| (told.pages, told.rows, told.waits) = (pages, rows, None));
    }

    /// As [`Progress::read`], of one table among several.
    pub(crate) fn read_of(table: &str, pages: u64, rows: u64) {
        change(|told| {
            (told.pages, told.rows, told.waits) = (pages, rows, None);
            told.of = Some(table.to_owned());
        });
    }

    /// Whether there is such a line.
    pub(crate) fn is_shown() -> bool {
        is_shown()
    }

    /// Tells how far something is that is no list of pages.
    pub(crate) fn says(text: impl Into<String>) {
        change(|told| told.text = Some(text.into()));
    }

    /// Tells what is waited for, and for how long, if that is known.
    pub(crate) fn waits(what: impl Into<String>, time: Option<Duration>) {
        let until = time.and_then(|time| Instant::now().checked_add(time));
        change(|told| told.waits = Some((what.into(), until)));
    }

    /// What was waited for has come.
    pub(crate) fn goes_on() {
        change(|told| told.waits = None);
    }

    /// Ends and clears the line.
    pub(crate) fn end() {
        let shown = lock(&SHOWN).take();
        if let Some(shown) = shown {
            shown.bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        Progress::end();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn change(change: impl FnOnce(&mut Told)) {
    if let Some(shown) = &*lock(&SHOWN) {
        change(&mut lock(&shown.told));
    }
}

/// Whether the line can be shown: a dumb terminal cannot clear it.
fn can_be_shown() -> bool {
    io::stderr().is_terminal() && !super::screen::is_dumb()
}

/// Whether there is a line of progress now.
pub(super) fn is_shown() -> bool {
    lock(&SHOWN).is_some()
}

/// Writes while no line of progress is there.
pub(super) fn aside<T>(write: impl FnOnce() -> T) -> T {
    let bar = lock(&SHOWN).as_ref().map(|shown| shown.bar.clone());
    match bar {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

impl Told {
    fn line(&self, elapsed: Duration, now: Instant) -> String {
        if elapsed < SILENT {
            return String::new();
        }
        let at = elapsed.as_millis() / TICK.as_millis();
        let mut text = format!("{} ", MOVES[at as usize % MOVES.len()]);
        if let Some(said) = &self.text {
            text.push_str(&line(said));
            if let Some((what, _)) = &self.waits {
                let _ = write!(text, "; waiting {}", line(what));
            }
            return text;
        }
        if let Some(table) = &self.of {
            let _ = write!(text, "{}: ", line(table));
        }
        if self.pages > 0 {
            let (pages, rows) = (counted(self.pages, "page"), counted(self.rows, "row"));
            let rate = self.rows as f64 / elapsed.as_secs_f64();
            let _ = write!(
                text,
                "{pages}, {rows}, {} rows/s; ",
                separated(rate.round() as u64)
            );
        }
        match &self.waits {
            None => text.push_str("waiting for the answer"),
            Some((what, until)) => {
                let left =
                    until.map(|until| until.saturating_duration_since(now).as_secs_f64().ceil());
                let left = left.map(|left| format!("{left} s ")).unwrap_or_default();
                let _ = write!(text, "waiting {left}{}", line(what));
            }
        }
        let _ = write!(text, " ({} s)", elapsed.as_secs());
        text
    }
}

fn counted(count: u64, name: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{} {name}{end}", separated(count))
}

fn separated(number: u64) -> String {
    thousands(&number.to_string()).into_owned()
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn the_line_tells_what_was_read_and_what_is_waited_for() {
        let now = Instant::now();
        let until = |seconds| Some(now + Duration::from_secs(seconds));
        for (pages, rows, waits, seconds, expected) in [
            (0, 0, None, 0, ""),
            (0, 0, None, 2, "⠋ waiting for the answer (2 s)"),
            (
                1,
                1,
                None,
                1,
                "⠋ 1 page, 1 row, 1 rows/s; waiting for the answer (1 s)",
            ),
            (
                12,
                1200,
                None,
                4,
                "⠋ 12 pages, 1,200 rows, 300 rows/s; waiting for the answer (4 s)",
            ),
            (
                1000,
                1234567,
                Some(("for the rate limit", until(3))),
                10,
                "⠋ 1,000 pages, 1,234,567 rows, 123,457 rows/s; waiting 3 s for the rate limit (10 s)",
            ),
            (
                0,
                0,
                Some(("for the job, which was asked for 3 times", None)),
                7,
                "⠋ waiting for the job, which was asked for 3 times (7 s)",
            ),
            (
                0,
                0,
                Some(("for \u{1b}[2J", None)),
                7,
                "⠋ waiting for \\u{1b}[2J (7 s)",
            ),
        ] {
            let waits = waits.map(|(what, until)| (what.to_owned(), until));
            let told = Told {
                pages,
                rows,
                of: None,
                waits,
                text: None,
            };
            assert_eq!(told.line(Duration::from_secs(seconds), now), expected);
        }
        let told = Told {
            text: Some("3 of 8 jobs".to_owned()),
            waits: Some(("for the rate limit".to_owned(), None)),
            ..Told::default()
        };
        let said = "⠋ 3 of 8 jobs; waiting for the rate limit";
        assert_eq!(told.line(Duration::from_secs(1), now), said);
    }
}
