//! What is under way, on a line that moves.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::escape::line;

/// A line that moves on a terminal, and nothing elsewhere.
#[derive(Clone)]
pub struct Progress(ProgressBar);

impl Progress {
    /// Begins to move.
    pub fn start() -> Progress {
        if !io::stderr().is_terminal() {
            return Progress(ProgressBar::hidden());
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Progress(bar)
    }

    /// Says what is under way.
    pub fn set_message(&self, text: impl AsRef<str>) {
        self.0.set_message(line(text.as_ref()));
    }

    /// Ends, and leaves nothing behind.
    pub fn finish_and_clear(&self) {
        self.0.finish_and_clear();
    }
}
