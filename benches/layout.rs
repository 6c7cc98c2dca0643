//! Not a measurement: writes `src/layout.txt`, the functions that a cold call runs, so that the linker puts them side
//! by side (see `src/build.rs`). Renew it before a release. It needs `valgrind` and `nm`, and a program with symbols:
//!
//! `CARGO_PROFILE_BENCH_STRIP=none cargo bench --bench layout [-- PROGRAM]`

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use support::{KEY, Server, tools_folder};

/// What the system maps of the program's file at once, in bytes.
const PIECE: usize = 64 << 10;

/// The functions of one name, which may be many: the name says nothing of what a generic function is for.
#[derive(Default)]
struct Functions {
    bytes: usize,
    bytes_run: usize,
    run: usize,
}

fn main() {
    let program = std::env::args().skip(1).find(|word| word.contains('/'));
    let program = program.unwrap_or_else(|| env!("CARGO_BIN_EXE_toolrun").to_owned());
    let run = functions_run(&program);
    let mut names: BTreeMap<String, Functions> = BTreeMap::new();
    for (symbol, size) in symbols(&program) {
        let Some(name) = lasting(&symbol) else {
            continue;
        };
        let functions = names.entry(name).or_default();
        functions.bytes += size;
        if run.contains(&symbol) {
            functions.bytes_run += size;
            functions.run += 1;
        }
    }
    // A name that brings in more than its functions would cost each where they are is left out.
    names.retain(|_, all| all.run > 0 && all.bytes - all.bytes_run <= PIECE * all.run);
    assert!(names.len() > 100, "{program} has no symbols");
    let mut text = String::from("# Written by the benchmark `layout`.\n");
    for name in names.keys() {
        text.push_str(name);
        text.push('\n');
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/layout.txt");
    std::fs::write(&path, text).expect("written");
    let (bytes, run) = names.values().fold((0, 0), |(bytes, run), all| {
        (bytes + all.bytes, run + all.bytes_run)
    });
    println!(
        "{}: {} names, {bytes} bytes, of which a call runs {run}",
        path.display(),
        names.len()
    );
}

/// The symbols of the functions that a call runs.
fn functions_run(program: &str) -> BTreeSet<String> {
    let server = Server::start();
    let tools = tools_folder(&server.origin(), 1);
    let seen = tools.path().join("seen");
    let mut call = Command::new("valgrind");
    call.args(["--tool=callgrind", "--demangle=no"])
        .arg(format!("--callgrind-out-file={}", seen.display()))
        .arg(program)
        .args(["call", "bench-admin/list-workspaces", "--tools"])
        .arg(tools.path())
        .env("ANTHROPIC_ADMIN_API_KEY", KEY)
        .env_remove("SSL_CERT_FILE");
    let done = call.output().expect("valgrind is there");
    let told = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{told}");
    let text = std::fs::read_to_string(seen).expect("what valgrind saw");
    // `fn=(7) name`, and `name'2` where a function calls itself.
    text.lines()
        .filter(|line| line.starts_with("fn=") || line.starts_with("cfn="))
        .filter_map(|line| line.split_once(") ")?.1.split('\'').next())
        .map(str::to_owned)
        .collect()
}

/// The symbols of all functions, with their sizes in bytes.
fn symbols(program: &str) -> Vec<(String, usize)> {
    let done = Command::new("nm").args(["-S", program]).output();
    let text = String::from_utf8(done.expect("nm is there").stdout).expect("text");
    text.lines()
        .filter_map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
            [_, size, "t" | "T", name] => {
                Some((name.to_owned(), usize::from_str_radix(size, 16).ok()?))
            }
            _ => None,
        })
        .collect()
}

/// A pattern for a symbol without what changes from build to build and from compiler to compiler: the hash at the end
/// of an old name, and those of crates inside a new one. `None` for what is not Rust.
fn lasting(symbol: &str) -> Option<String> {
    if symbol.starts_with("_ZN") {
        let (name, _hash) = symbol.rsplit_once("17h")?;
        return Some(format!("{name}17h*"));
    }
    let mut parts = symbol.strip_prefix("_R")?.split("Cs");
    let mut name = format!("_R{}", parts.next()?);
    for part in parts {
        name.push_str("Cs");
        match part.split_once('_') {
            Some((hash, rest)) if hash.bytes().all(|b| b.is_ascii_alphanumeric()) => {
                name.push_str("*_");
                name.push_str(rest);
            }
            _ => name.push_str(part),
        }
    }
    Some(name)
}
