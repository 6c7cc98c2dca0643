//! What the integration tests share: a fake service on loopback, a folder to work in, and the program under test.
#![allow(dead_code, unused_imports, reason = "each test file uses a part")]

pub(crate) mod editor;
mod fake;
mod har;
mod http;
pub(crate) mod mcp;
mod pages;
pub(crate) mod peak;
#[cfg(unix)]
mod postgres;
#[cfg(unix)]
pub(crate) mod pty;
mod sandbox;
mod tables;
#[cfg(unix)]
mod typing;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

pub(crate) use fake::{Fake, Manner, Reply, Request, refused_origin};
pub(crate) use har::Har;
pub(crate) use http::{Answer, get, send};
pub(crate) use mcp::{Http, LEGACY, MODERN, Mcp, error};
pub(crate) use pages::{Block, DocPage, doc_page, doc_pages};
#[cfg(unix)]
pub(crate) use postgres::{Postgres, postgres};
#[cfg(unix)]
pub(crate) use pty::{at_terminal, on_terminal, on_terminal_of};
pub(crate) use sandbox::{KEY, Sandbox, VERSION};
pub(crate) use tables::{Place, Row as TableRow};
#[cfg(unix)]
pub(crate) use typing::{Typing, standing};

/// A fresh folder that the program runs in, with descriptors in `descriptors/`.
pub(crate) struct Workspace {
    folder: Arc<TempDir>,
}

impl Workspace {
    pub(crate) fn new() -> Workspace {
        let folder = TempDir::new().expect("a temporary folder");
        fs::create_dir(folder.path().join("descriptors")).expect("a folder");
        Workspace {
            folder: Arc::new(folder),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Keeps the folder as long as this is kept.
    pub(crate) fn hold(&self) -> Arc<TempDir> {
        Arc::clone(&self.folder)
    }

    pub(crate) fn descriptors(&self) -> PathBuf {
        self.path().join("descriptors")
    }

    /// Writes a file below the folder.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    /// Writes the service `probe` at `origin`.
    pub(crate) fn service(&self, origin: &str, more: &str) {
        let text = format!("spec: 1\nservice: probe\nbase_url: {origin}\n{more}\n");
        self.write("descriptors/probe/service.yaml", text);
    }

    /// Writes a tool of the service `probe`. `more` holds the rest of the file, at least the request.
    pub(crate) fn tool(&self, name: &str, access: &str, more: &str) {
        let text = format!(
            "spec: 1\ntool: {name}\nservice: probe\ndescription: A probe.\naccess: {access}\n{more}\n"
        );
        self.write(&format!("descriptors/probe/{name}.yaml"), text);
    }

    /// The program, in this folder, with nothing of the outer environment but `PATH`.
    pub(crate) fn toolrun(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolrun"));
        command.env_clear().current_dir(self.path());
        command.env("XDG_STATE_HOME", self.path().join(".state"));
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command.arg("--tools").arg(self.descriptors());
        command
    }

    /// Runs the program with these arguments.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        output(self.toolrun().args(arguments))
    }
}

/// The result of a run of the program.
#[derive(Debug)]
pub(crate) struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a command to its end.
pub(crate) fn output(command: &mut Command) -> Output {
    let output = command.output().expect("the program starts");
    Output {
        code: output.status.code().expect("the program ends by itself"),
        stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
    }
}

impl Output {
    /// Asserts the exit code, and shows the output if it differs.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Output {
        assert_eq!(
            self.code, code,
            "stdout: {}\nstderr: {}",
            self.stdout, self.stderr
        );
        self
    }

    /// Standard output as one JSON value.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).expect("standard output is JSON")
    }

    /// Standard output, with one JSON value on each line.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).expect("each line is JSON");
        self.stdout.lines().map(parse).collect()
    }

    /// The error object on standard error.
    #[track_caller]
    pub(crate) fn error(&self) -> Value {
        let whole: Value = serde_json::from_str(&self.stderr).expect("standard error is JSON");
        whole["error"].clone()
    }
}

/// Makes a script a program. Another process writes the file that is run: while this one had it open, a child that another
/// thread started had it open too, and until that child ran its own program, nobody could run the file ("Text file busy").
#[cfg(unix)]
pub(crate) fn may_run(script: &Path) {
    const COPY: &str = r#"cp "$0" "$0.new" && chmod 755 "$0.new" && mv "$0.new" "$0""#;
    let mut shell = Command::new("sh");
    let done = shell.args(["-c", COPY]).arg(script).status();
    assert!(done.expect("a shell").success(), "{}", script.display());
}

/// Asserts that standard error has each of these parts.
#[track_caller]
pub(crate) fn assert_tells(output: &Output, parts: &[&str]) {
    for part in parts {
        assert!(
            output.stderr.contains(part),
            "{part:?} is not in {}",
            output.stderr
        );
    }
}
