//! A terminal at which somebody types.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::pty::start;

/// How long a program may take to show what it is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program on a terminal, and what it shows there.
pub(crate) struct Typing {
    ours: File,
    shown: Arc<Mutex<Vec<u8>>>,
    child: Child,
}

impl Typing {
    pub(crate) fn start(columns: u16, command: &mut Command) -> Typing {
        let (ours, child) = start(columns, true, command);
        let shown = Arc::new(Mutex::new(Vec::new()));
        let (mut from, to) = (ours.try_clone().expect("a copy"), Arc::clone(&shown));
        thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut part) {
                to.lock()
                    .expect("no panic")
                    .extend_from_slice(&part[..count]);
            }
        });
        Typing { ours, shown, child }
    }

    pub(crate) fn keys(&mut self, keys: &str) {
        self.ours
            .write_all(keys.as_bytes())
            .expect("the terminal takes keys");
    }

    pub(crate) fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().expect("no panic")).into_owned()
    }

    /// Waits until something is so.
    #[track_caller]
    pub(crate) fn wait(&self, what: &str, is_so: impl Fn(&str) -> bool) {
        let begun = Instant::now();
        while !is_so(&self.shown()) {
            let is_late = begun.elapsed() > PATIENCE;
            assert!(
                !is_late,
                "waited in vain for {what}; shown is {:?}",
                self.shown()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for the end; gives the exit code and what was shown.
    pub(crate) fn end(mut self) -> (i32, String) {
        let code = self.child.wait().expect("it ends").code();
        // What was shown last may still be on its way.
        thread::sleep(Duration::from_millis(50));
        (code.expect("it ends by itself"), self.shown())
    }
}

impl Drop for Typing {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines that stand on a terminal in the end, of what a program wrote to it.
pub(crate) fn standing(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let mut lines: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column) = (0, 0);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => column = 0,
            '\n' => {
                row += 1;
                column = 0;
                if row == lines.len() {
                    lines.push(Vec::new());
                }
            }
            '\u{1b}' if chars.next_if_eq(&'[').is_some() => {
                let mut number = String::new();
                while let Some(digit) = chars.next_if(|c| !c.is_ascii_alphabetic()) {
                    number.push(digit);
                }
                let count = number.parse().unwrap_or(1);
                match chars.next() {
                    Some('K') if number == "2" => lines[row].clear(),
                    Some('K') => lines[row].truncate(column),
                    Some('A') => row -= row.min(count),
                    Some('B') => row = (row + count).min(lines.len() - 1),
                    _ => {}
                }
            }
            c => {
                let line = &mut lines[row];
                while line.len() <= column {
                    line.push(' ');
                }
                line[column] = c;
                column += 1;
            }
        }
    }
    let lines = lines
        .into_iter()
        .map(|line| line.into_iter().collect::<String>());
    lines.map(|line| line.trim_end().to_owned()).collect()
}
