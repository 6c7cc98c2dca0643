//! Progress: an animated line that says what is being done.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::escape::line;

/// An animated line on a terminal. Elsewhere it does nothing.
#[derive(Clone)]
pub struct Progress(ProgressBar);

impl Progress {
    /// Starts the animation.
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

    /// Sets the text that says what is being done.
    pub fn set_message(&self, text: impl AsRef<str>) {
        self.0.set_message(line(text.as_ref()));
    }

    /// Ends the animation and clears the line.
    pub fn finish_and_clear(&self) {
        self.0.finish_and_clear();
    }
}
