//! `toolrun new`: what it writes is valid and passes its tests as it stands, and nothing is overwritten.

use std::io::Write;
use std::process::Stdio;

use pretty_assertions::assert_eq;
use serde_json::Value;

use crate::support::{Output, Workspace, output};

fn new(workspace: &Workspace, arguments: &[&str]) -> Output {
    let mut run = workspace.toolrun();
    output(
        run.arg("new")
            .args(["--into", "descriptors"])
            .args(arguments),
    )
}

fn is_sound(workspace: &Workspace, about: &str) {
    for arguments in [
        &["validate", "--deny-warnings", "descriptors"][..],
        &["test", "descriptors"],
    ] {
        let told = workspace.run(arguments);
        assert_eq!(told.code, 0, "{about}: {}{}", told.stdout, told.stderr);
        assert!(
            !told.stdout.contains("no example"),
            "{about}: {}",
            told.stdout
        );
    }
}

fn read(workspace: &Workspace, file: &str) -> Value {
    let text = std::fs::read_to_string(workspace.descriptors().join(file)).unwrap();
    serde_yaml::from_str(&text).unwrap()
}

#[test]
#[ignore = "long"]
fn blank_tools_are_valid_and_pass_their_tests() {
    for (arguments, file, request, access) in [
        (
            &["shop/list-orders"][..],
            "shop/list-orders.yaml",
            "GET /list-orders",
            "read",
        ),
        (
            &["list-orders", "--service", "shop"],
            "shop/list-orders.yaml",
            "GET /list-orders",
            "read",
        ),
        (
            &["list-orders"],
            "list-orders.yaml",
            "GET /list-orders",
            "read",
        ),
        (
            &["shop/a", "--method", "post"],
            "shop/a.yaml",
            "POST /a",
            "write",
        ),
        (
            &["shop/a", "--method", "PUT", "--path", "/a/{id}"],
            "shop/a.yaml",
            "PUT /a/{{ id }}",
            "write",
        ),
        (
            &["shop/a", "--method", "patch", "--path", "b/{{ name }}/c"],
            "shop/a.yaml",
            "PATCH /b/{{ name }}/c",
            "write",
        ),
        (
            &["shop/a", "--method", "delete", "--path", "/a/{id}"],
            "shop/a.yaml",
            "DELETE /a/{{ id }}",
            "destructive",
        ),
        (
            &["shop/a", "--method", "head"],
            "shop/a.yaml",
            "HEAD /a",
            "read",
        ),
        (
            &["shop/a", "--path", "/{limit}/{limit}/x"],
            "shop/a.yaml",
            "GET /{{ limit }}/{{ limit }}/x",
            "read",
        ),
        (
            &[
                "shop/a",
                "--path",
                "/",
                "--base-url",
                "https://shop.test/v1/",
            ],
            "shop/a.yaml",
            "GET /",
            "read",
        ),
        (
            &["shop/a", "--base-url", "http://127.0.0.1:1"],
            "shop/a.yaml",
            "GET /a",
            "read",
        ),
        (
            &["shop/a", "--description", "It says: what? \"this\" # and"],
            "shop/a.yaml",
            "GET /a",
            "read",
        ),
    ] {
        let workspace = Workspace::new();
        let told = new(&workspace, arguments).expect(0);
        assert!(told.stdout.contains(file), "{arguments:?}: {}", told.stdout);
        let tool = read(&workspace, file);
        let sent = format!(
            "{} {}",
            tool["request"]["method"].as_str().unwrap(),
            tool["request"]["path"].as_str().unwrap()
        );
        assert_eq!(sent, request, "{arguments:?}");
        assert_eq!(tool["access"], access, "{arguments:?}");
        is_sound(&workspace, &format!("{arguments:?}"));
        // A second time, nothing is overwritten.
        let before = std::fs::read_to_string(workspace.descriptors().join(file)).unwrap();
        let told = new(&workspace, arguments);
        assert_eq!(told.code, 2, "{arguments:?}");
        assert!(told.stderr.contains("is there already"), "{}", told.stderr);
        let after = std::fs::read_to_string(workspace.descriptors().join(file)).unwrap();
        assert_eq!(before, after);
    }
}

#[test]
fn what_the_comments_propose_is_valid() {
    let workspace = Workspace::new();
    new(&workspace, &["shop/list-orders"]).expect(0);
    for file in ["shop/service.yaml", "shop/list-orders.yaml"] {
        let path = workspace.descriptors().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        let proposals: Vec<usize> = (0..text.lines().count())
            .filter(|number| {
                let line = text.lines().nth(*number).unwrap();
                let key = line
                    .strip_prefix("# ")
                    .and_then(|line| line.split_once(": {"));
                key.is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
            })
            .collect();
        assert!(proposals.len() >= 2, "{file}: {proposals:?}");
        for proposal in proposals {
            let lines = text
                .lines()
                .enumerate()
                .map(|(number, line)| match number == proposal {
                    true => line.strip_prefix("# ").unwrap(),
                    false => line,
                });
            let mut changed = lines.collect::<Vec<_>>().join("\n");
            changed.push('\n');
            // The paging that is proposed needs the param that it fills.
            if changed.contains("\npaging:") {
                changed = changed
                    .replace("  properties:\n", "  properties:\n    cursor: { type: string, description: Where the page begins. }\n")
                    .replace("query: [limit]", "query: [limit, cursor]");
            }
            std::fs::write(&path, &changed).unwrap();
            let line = text.lines().nth(proposal).unwrap();
            let told = workspace.run(&["validate", "--deny-warnings", "descriptors"]);
            assert_eq!(told.code, 0, "{line}: {}{}", told.stdout, told.stderr);
        }
        std::fs::write(&path, &text).unwrap();
    }
}

#[test]
fn wrong_words_are_refused() {
    for (arguments, message) in [
        (&["Shop/a"][..], "lower-case"),
        (&["shop/a", "--service", "other"], "two services"),
        (&["shop/a", "--path", "/{id"], "no path"),
        (&["shop/a", "--path", "/{a b}"], "no path"),
        (&["shop/a", "--base-url", "ftp://a"], "not HTTP"),
        (
            &["shop/a", "--base-url", "http://shop.test"],
            "in the clear",
        ),
        (&["shop/a", "--path", "/a?b=1"], "not allowed in a path"),
        (&["shop/a", "--method", "purge"], "purge"),
        (
            &[
                "shop/a",
                "--from-curl",
                "curl https://a.test",
                "--path",
                "/x",
            ],
            "cannot be used with",
        ),
        (&[], "NAME"),
    ] {
        let workspace = Workspace::new();
        let told = new(&workspace, arguments);
        assert_eq!(
            told.code, 2,
            "{arguments:?}: {}{}",
            told.stdout, told.stderr
        );
        assert!(
            told.stderr.contains(message),
            "{arguments:?}: {}",
            told.stderr
        );
        assert!(workspace.descriptors().read_dir().unwrap().next().is_none());
    }
}

#[test]
fn a_service_that_is_there_stays_and_its_tools_fit() {
    let service = "spec: 1\nservice: shop\nbase_url: https://shop.test/v1\nauth: { kind: bearer, secret: { env: MY_TOKEN } }\n";
    for (command, path, auth, told) in [
        (
            "curl https://shop.test/v1/orders/5 -H 'Authorization: Bearer made-up'",
            "/orders/5",
            None,
            "MY_TOKEN",
        ),
        (
            "curl https://shop.test/v1/orders",
            "/orders",
            None,
            "sends no credential",
        ),
        ("curl http://shop.test/v1/orders", "/orders", None, ""),
        (
            "curl https://shop.test/v1/orders -H 'X-Api-Key: made-up'",
            "/orders",
            Some("api_key"),
            "another credential",
        ),
        ("curl https://shop.test/v1", "/", None, ""),
        ("curl https://shop.test/v2/orders", "", None, "base URL"),
        ("curl https://other.test/v1/orders", "", None, "base URL"),
        ("curl https://shop.test/v11/orders", "", None, "base URL"),
        ("curl https://shop.test:444/v1/orders", "", None, "base URL"),
    ] {
        let workspace = Workspace::new();
        workspace.write("descriptors/shop/service.yaml", service);
        let output = new(&workspace, &["shop/t", "--from-curl", command]);
        let said = format!("{}{}", output.stdout, output.stderr);
        assert!(said.contains(told), "{command}: {said}");
        if path.is_empty() {
            assert_eq!(output.code, 2, "{command}: {said}");
            continue;
        }
        assert_eq!(output.code, 0, "{command}: {said}");
        let tool = read(&workspace, "shop/t.yaml");
        assert_eq!(tool["request"]["path"], path, "{command}");
        assert_eq!(tool["service"]["auth"]["kind"].as_str(), auth, "{command}");
        let kept = std::fs::read_to_string(workspace.descriptors().join("shop/service.yaml"));
        assert_eq!(kept.unwrap(), service);
        is_sound(&workspace, command);
    }
}

#[test]
fn a_command_names_its_service_and_may_come_from_standard_input() {
    let workspace = Workspace::new();
    for name in ["one", "two"] {
        let mut run = workspace.toolrun();
        run.args(["new", name, "--into", "descriptors", "--from-curl", "-"]);
        let mut child = run
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let text = format!("curl https://api.shop.test/{name} \\\n  -H 'X-Api-Key: made-up-key'\n");
        child
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        let done = child.wait_with_output().unwrap();
        let said = String::from_utf8(done.stdout).unwrap();
        assert!(done.status.success(), "{said}");
        assert!(said.contains(&format!("shop-test/{name}.yaml")), "{said}");
        assert!(
            said.contains("set SHOP_TEST_API_KEY") && !said.contains("made-up"),
            "{said}"
        );
    }
    is_sound(&workspace, "two tools of one service");
    assert_eq!(
        read(&workspace, "shop-test/one.yaml")["service"],
        "shop-test"
    );
}

#[test]
fn a_dry_run_writes_nothing_and_shows_the_files() {
    let workspace = Workspace::new();
    let told = new(&workspace, &["shop/a", "--dry-run"]).expect(0);
    assert!(
        told.stdout
            .contains("--- descriptors/shop/service.yaml\n# A service"),
        "{}",
        told.stdout
    );
    assert!(told.stdout.contains("tool: a\n"), "{}", told.stdout);
    let told = new(&workspace, &["shop/a", "--dry-run", "--format", "json"])
        .expect(0)
        .json();
    assert_eq!(told["tool"], "shop/a");
    assert_eq!(told["files"].as_array().unwrap().len(), 2);
    assert!(workspace.descriptors().read_dir().unwrap().next().is_none());
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_read_or_replaced() {
    let workspace = Workspace::new();
    workspace.write("descriptors/shop/keep", "");
    let folder = workspace.descriptors().join("shop");
    // A dangling link is there as well: writing through it would make a file elsewhere.
    std::os::unix::fs::symlink(workspace.path().join("elsewhere"), folder.join("a.yaml")).unwrap();
    let told = new(&workspace, &["shop/a"]);
    assert_eq!(told.code, 2, "{}", told.stdout);
    assert!(!workspace.path().join("elsewhere").exists());
    let made = std::process::Command::new("mkfifo")
        .arg(folder.join("service.yaml"))
        .status();
    assert!(made.unwrap().success());
    let told = new(&workspace, &["shop/b"]);
    assert_eq!(told.code, 2, "{}", told.stdout);
    assert!(told.stderr.contains("no file"), "{}", told.stderr);
}
