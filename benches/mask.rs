//! The mask beside a plain copy: megabytes a second and peak memory over 64 MiB of text, for secrets of 16 bytes to
//! 64 KiB. The text has the first letters of the secret everywhere, which is the worst that a service can send.
//!
//! `cargo bench --bench mask [-- MIB]`

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its ratios"
)]

mod support;

use std::fs;
use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use tempfile::TempDir;
use toolrun::internals::{self, Redactor, SecretStore};
use toolrun::{Catalog, Secret};

const SECRETS: [usize; 5] = [16, 108, 1 << 10, 8 << 10, 64 << 10];

fn main() {
    let size = support::number_argument(64) << 20;
    println!(
        "{:<34} {:>8} {:>8} {:>12} {:>12}",
        "text, secret", "MB/s", "copy/x", "extra MiB", "beside copy"
    );
    for bytes in SECRETS {
        let secret = secret(bytes);
        let redactor = redactor(&secret);
        for (name, text) in [
            ("its first letters", first_letters(&secret, size)),
            ("its first half", repeat(&secret[..bytes / 2], size)),
            (
                "its first letters, as %XX",
                repeat(&percent(&secret[..12]), size),
            ),
            ("JSON rows", repeat(ROW, size)),
            (
                "one base64 text",
                repeat("VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcy", size),
            ),
            (
                "masked once",
                format!("{}{secret}", repeat(ROW, size - bytes)),
            ),
        ] {
            measure(&format!("{name}, {bytes} B"), &redactor, text);
        }
    }
}

const ROW: &str = r#"{"id":"wrkspc_01JwQvzr7rXLA5AGx3HKfFUJ","name":"Caf\u00e9 \"one\"","n":12345,"at":"2024-11-01T23:59:27Z"},"#;

fn measure(name: &str, redactor: &Redactor, text: String) {
    let text = Bytes::from(text);
    let (copying, copied) = observed(|| text.to_vec().len());
    let (masking, extra) = observed(|| redactor.json(redactor.bytes(text.clone())).len());
    // Two passes: as text, and as the strings of JSON.
    let rate = 2.0 * text.len() as f64 / masking / 1e6;
    println!(
        "{name:<34} {rate:>8.0} {:>8.1} {extra:>12.1} {:>12.2}",
        masking / copying / 2.0,
        extra / copied.max(1.0),
    );
}

/// The seconds that something takes, and the MiB by which it raises the peak of memory.
fn observed<T>(work: impl Fn() -> T) -> (f64, f64) {
    // Since Linux 4.0: the peak starts anew.
    let _ = fs::write("/proc/self/clear_refs", "5");
    let before = status("VmRSS:");
    let started = Instant::now();
    black_box(work());
    let seconds = started.elapsed().as_secs_f64();
    (seconds, (status("VmHWM:") - before).max(0.0))
}

/// A line of the process's status, in MiB.
fn status(name: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}

fn secret(bytes: usize) -> String {
    let mut random = fastrand::Rng::with_seed(1);
    let random: String = (0..bytes).map(|_| random.alphanumeric()).collect();
    format!("sk-ant-{random}")[..bytes].to_owned()
}

/// The first letters of the secret, over and over, with now more and now fewer of them.
fn first_letters(secret: &str, size: usize) -> String {
    let mut text = String::with_capacity(size + 16);
    for i in 0.. {
        if text.len() >= size {
            break;
        }
        text.push_str(&secret[..4 + i % 12]);
    }
    text.truncate(size);
    text
}

fn repeat(part: &str, size: usize) -> String {
    let mut text = part.repeat(size / part.len() + 1);
    text.truncate(size);
    text
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// What masks this secret, as a service's descriptor makes it.
fn redactor(secret: &str) -> Redactor {
    let folder = TempDir::new().expect("a folder");
    let tool = "spec: 1\ntool: get-probe\ndescription: A probe.\naccess: read\nservice:\n  service: probe\n  base_url: https://probe.test\n  auth: { kind: bearer, secret: { env: SECRET } }\nrequest: { method: GET, path: /probe }\n";
    fs::write(folder.path().join("get-probe.yaml"), tool).expect("a file");
    let tool = Catalog::empty()
        .with_folder(folder.path())
        .tool("get-probe")
        .expect("a tool");
    let mut store = SecretStore::default();
    store.give("SECRET", Secret::new(secret));
    Redactor::new(&internals::secrets(&tool, &store).expect("a secret"))
}
