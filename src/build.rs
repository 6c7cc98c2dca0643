//! Embeds the built-in descriptors: a new file under `tools/` is built in without any change to Rust code. Also chooses
//! how the program is linked.
//!
//! A cold call runs few instructions. Its time goes into page faults, 1 to 4 microseconds each. The page faults of one
//! call on Linux with glibc, where `curl` has 600 (`cargo bench --bench cold` prints both):
//!
//! - A usual, relocatable program: 399. At a fixed address (`-no-pie`) there are no relocations to write: 310.
//! - With static libraries there is no loader, and there are no pages of other libraries: 266.
//! - With the functions that a call runs side by side (`src/layout.txt`): 205. This also halves the memory of a call,
//!   because the system maps the program's file in pieces of 64 KiB. An old list costs about thirty page faults and 3 MiB.
//! - With our own code optimised for size (`Cargo.toml`), and symbols that tell the instances of a generic function apart
//!   (`.cargo/config.toml`), so that only those that a call runs are moved: 180, where it was 276 on the same machine;
//!   another one counts 232. The functions of a call are in 30 pieces then, not in 119.
//!
//! A part of the time is not ours: before `main`, the C library asks the processor for its caches. In a virtual machine
//! each question may leave the machine, and together they then take nearly a millisecond of every program.
//!
//! These made no difference and are left out: `--icf=all`, `-z norelro`, `-z noseparate-code`.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    link()?;
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("tools");
    println!("cargo:rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    collect(&root, &mut files)?;
    // Sorted as text, because the names are searched that way. Sorting paths would give another order.
    let name = |file: &PathBuf| {
        let below = file.strip_prefix(&root).unwrap_or(file);
        below.to_string_lossy().replace('\\', "/")
    };
    files.sort_by_cached_key(name);
    let mut table = String::from("&[\n");
    for file in &files {
        println!("cargo:rerun-if-changed={}", file.display());
        let name = name(file);
        let _ = writeln!(
            table,
            "    ({name:?}, include_str!({:?})),",
            file.display().to_string()
        );
    }
    table.push(']');
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("embedded.rs");
    fs::write(out, table)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            println!("cargo:rerun-if-changed={}", path.display());
            collect(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            files.push(path);
        }
    }
    Ok(())
}

/// Tells cargo how to link the program: in the first way that works here. The last way always works; the program then
/// only starts more slowly.
fn link() -> io::Result<()> {
    println!("cargo:rerun-if-changed=src/layout.txt");
    println!("cargo:rerun-if-env-changed=TOOLRUN_LINK");
    let target = |key: &str| env::var(format!("CARGO_CFG_TARGET_{key}")).unwrap_or_default();
    if target("OS") != "linux" || target("ENV") != "gnu" {
        return Ok(());
    }
    let fixed = vec!["-no-pie".to_owned()];
    let is_native = env::var_os("HOST") == env::var_os("TARGET");
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let is_static = target("FEATURE")
        .split(',')
        .any(|name| name == "crt-static");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let mut ways = vec![fixed.clone()];
    if is_native && is_release && !is_static {
        let side_by_side = [fixed, layout(&out)?].concat();
        ways.insert(0, side_by_side.clone());
        if env::var_os("TOOLRUN_LINK").is_none_or(|link| link != "dynamic") {
            ways.insert(0, [side_by_side, static_libraries(&out)?].concat());
        }
    }
    let last = ways.len() - 1;
    let way = ways
        .iter()
        .enumerate()
        .find(|(at, way)| *at == last || links(way, &out))
        .map(|(_, way)| way);
    for argument in way.into_iter().flatten() {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
    Ok(())
}

/// Places the functions that `src/layout.txt` names side by side. The list may be old: a name that no function has is
/// ignored, and a function that has no name there keeps its usual place.
fn layout(out: &Path) -> io::Result<Vec<String>> {
    let mut script = String::from("SECTIONS { .text.call : {\n");
    let names = fs::read_to_string("src/layout.txt")?;
    for name in names.lines().filter(|name| !name.starts_with('#')) {
        let _ = writeln!(script, "*(.text.{name} .text.unlikely.{name})");
    }
    script.push_str("} } INSERT BEFORE .text;\n");
    let path = out.join("layout.ld");
    fs::write(&path, script)?;
    Ok(vec![format!("-T{}", path.display())])
}

/// Links the static C library. A build script cannot set the compiler's own flag for that
/// (`-C target-feature=+crt-static`). Instead, the linker finds each library that the compiler asks for, such as `-lc`,
/// in a folder of scripts that name the static file.
fn static_libraries(out: &Path) -> io::Result<Vec<String>> {
    const C: &str = "-l:libc.a -l:libgcc_eh.a -l:libgcc.a";
    let folder = out.join("static");
    fs::create_dir_all(&folder)?;
    for name in ["gcc_s", "c", "m", "rt", "pthread", "util", "dl"] {
        let files = match name {
            "gcc_s" | "c" => C.to_owned(),
            other => format!("-l:lib{other}.a"),
        };
        let script = folder.join(format!("lib{name}.so"));
        fs::write(script, format!("GROUP ( {files} )\n"))?;
    }
    Ok(vec![
        "-static".to_owned(),
        format!("-L{}", folder.display()),
    ])
}

/// Whether a small program can be linked in this way and runs.
fn links(way: &[String], out: &Path) -> bool {
    // It uses what our program uses of the C library: threads, host names, mathematics.
    const PROGRAM: &str = "fn main() { \
        let _ = std::net::ToSocketAddrs::to_socket_addrs(&(\"127.0.0.1\", 1)).map(|mut all| all.next()); \
        let power = std::thread::spawn(|| std::env::args().len() as f64).join().map_or(0.0, |n| n.powf(n)); \
        std::process::exit(i32::from(power != 1.0)); }";
    let (source, program) = (out.join("probe.rs"), out.join("probe"));
    if fs::write(&source, PROGRAM).is_err() {
        return false;
    }
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition", "2021", "--crate-type", "bin", "-o"]);
    rustc.arg(&program).arg(&source);
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        rustc.arg("-C").arg(joined("linker=", &linker));
    }
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    rustc.args(flags.split('\u{1f}').filter(|flag| !flag.is_empty()));
    for argument in way {
        rustc.arg("-C").arg(format!("link-arg={argument}"));
    }
    let runs = |command: &mut Command| command.output().is_ok_and(|done| done.status.success());
    runs(&mut rustc) && runs(&mut Command::new(&program))
}

fn joined(first: &str, second: &OsStr) -> OsString {
    let mut joined = OsString::from(first);
    joined.push(second);
    joined
}
