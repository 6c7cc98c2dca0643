//! The memory that a program takes, and bodies to try it with.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// The result of a run, and its peak of memory.
pub(crate) struct Run {
    pub code: i32,
    /// How many bytes it printed.
    pub printed: usize,
    pub stderr: String,
    /// The peak of resident bytes.
    pub peak: usize,
}

/// Runs a command and reads its memory peak until it ends. The system's value of the peak never falls, so the last
/// reading counts. Works on Linux.
pub(crate) fn run(command: &mut Command) -> Run {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let status = format!("/proc/{}/status", child.id());
    let ended = Arc::new(AtomicBool::new(false));
    let watcher = {
        let ended = Arc::clone(&ended);
        thread::spawn(move || {
            let mut peak = 0;
            while !ended.load(Ordering::Relaxed) {
                // A look before the program has taken its place sees what started it; one after its end sees nothing.
                peak = Some(high_water_mark(&status))
                    .filter(|seen| *seen > 0)
                    .unwrap_or(peak);
                thread::sleep(Duration::from_millis(1));
            }
            peak
        })
    };
    let stderr = Arc::new(Mutex::new(String::new()));
    let mut pipe = child.stderr.take().expect("a pipe");
    let told = Arc::clone(&stderr);
    let reader = thread::spawn(move || {
        let mut text = String::new();
        let _ = pipe.read_to_string(&mut text);
        *told.lock().expect("the lock") = text;
    });
    let mut out = child.stdout.take().expect("a pipe");
    let mut buffer = vec![0; 1 << 16];
    let mut printed = 0;
    while let Ok(count @ 1..) = out.read(&mut buffer) {
        printed += count;
    }
    let code = child.wait().expect("the program ends").code();
    ended.store(true, Ordering::Relaxed);
    let _ = reader.join();
    Run {
        code: code.unwrap_or(-1),
        printed,
        stderr: stderr.lock().expect("the lock").clone(),
        peak: watcher.join().expect("the watcher ends"),
    }
}

fn high_water_mark(status: &str) -> usize {
    let text = std::fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    kilobytes.map_or(0, |kilobytes: usize| kilobytes << 10)
}

/// The kinds of bodies, each an object with its rows under `data`.
pub(crate) const KINDS: [&str; 4] = ["numbers", "small objects", "long strings", "nested arrays"];

/// A body of about this many bytes.
pub(crate) fn body(kind: &str, size: usize) -> String {
    let row = match kind {
        "numbers" => "1,".to_owned(),
        "small objects" => r#"{"a":1},"#.to_owned(),
        "nested arrays" => "[[],[[]]],".to_owned(),
        _ => format!("{{\"a\":\"{}\"}},", "long text \\n é ".repeat(4000)),
    };
    let rows = row.repeat(size / row.len());
    format!(
        "{{\"more\":false,\"data\":[{}]}}",
        rows.trim_end_matches(',')
    )
}
