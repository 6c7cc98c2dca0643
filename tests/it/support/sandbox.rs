//! `toolrun sandbox`, served for an independent client.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use serde_json::Value;

use super::{Answer, Workspace, http};

/// The made-up key of the built-in sandbox.
pub(crate) const KEY: &str = "sk-ant-admin01-sandbox-made-up-key";
/// The older version of the API.
pub(crate) const VERSION: (&str, &str) = ("anthropic-version", "2023-06-01");

/// `toolrun sandbox` on a free port; it ends when this is dropped.
pub(crate) struct Sandbox {
    pub workspace: Workspace,
    pub address: String,
    process: Child,
}

impl Sandbox {
    /// The sandbox of the Admin API.
    pub(crate) fn start() -> Sandbox {
        Sandbox::start_with(&[])
    }

    /// The same, with more flags.
    pub(crate) fn start_with(flags: &[&str]) -> Sandbox {
        let flags: Vec<&str> = ["anthropic-admin"].iter().chain(flags).copied().collect();
        Sandbox::start_in(Workspace::new(), &flags)
    }

    /// The sandbox of a service that the workspace knows.
    pub(crate) fn start_in(workspace: Workspace, flags: &[&str]) -> Sandbox {
        let mut command = workspace.toolrun();
        command
            .args(["sandbox", "--addr", "127.0.0.1:0"])
            .args(flags);
        let mut process = command
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let stderr = process.stderr.take().expect("standard error");
        BufReader::new(stderr).read_line(&mut line).expect("a line");
        assert!(line.contains(" listens on "), "{line}");
        let address = line.trim().rsplit("http://").next();
        let address = address.expect("an address").to_owned();
        Sandbox {
            workspace,
            address,
            process,
        }
    }

    pub(crate) fn get_with(&self, target: &str, headers: &[(&str, &str)]) -> Answer {
        http::get(&self.address, target, headers)
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        self.get_with(target, &[("x-api-key", KEY), VERSION])
    }

    /// Sends a request with this body; null is none.
    pub(crate) fn send(&self, method: &str, target: &str, body: &Value) -> Answer {
        let headers = [("x-api-key", KEY), VERSION];
        http::send(&self.address, method, target, &headers, body)
    }

    /// The body of a success.
    #[track_caller]
    pub(crate) fn ok(&self, target: &str) -> Value {
        let answer = self.get(target);
        assert_eq!(answer.status, 200, "{target}: {}", answer.body);
        answer.body
    }

    /// The body of a success of a write.
    #[track_caller]
    pub(crate) fn wrote(&self, method: &str, target: &str, body: &Value) -> Value {
        let answer = self.send(method, target, body);
        assert_eq!(answer.status, 200, "{method} {target}: {}", answer.body);
        answer.body
    }

    /// The error of a request that is refused with this status.
    #[track_caller]
    pub(crate) fn refused(&self, method: &str, target: &str, body: &Value, status: u16) -> Value {
        let answer = self.send(method, target, body);
        assert_eq!(answer.status, status, "{method} {target}: {}", answer.body);
        answer.body["error"].clone()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
