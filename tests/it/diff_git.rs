//! `toolrun diff` with revisions of git: what is read, and that nothing of a hostile repository runs.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Output, Workspace, may_run, output};
use pretty_assertions::assert_eq;

const SERVICE: &str = "spec: 1\nservice: shop\nbase_url: https://shop.test\n";

fn tool(name: &str, path: &str) -> String {
    format!(
        "spec: 1\ntool: {name}\nservice: shop\ndescription: A tool.\naccess: read\nrequest: {{ method: GET, path: {path} }}\n"
    )
}

fn git(folder: &Path, arguments: &[&str]) {
    let told = Command::new("git")
        .args([
            "-c",
            "user.name=Ada",
            "-c",
            "user.email=ada@example.com",
            "-c",
            "commit.gpgsign=false",
        ])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .expect("git");
    assert!(
        told.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&told.stderr)
    );
}

/// A repository with a tool, and a changed one on disk.
fn repository() -> Workspace {
    let workspace = Workspace::new();
    git(workspace.path(), &["init", "-q", "-b", "main"]);
    workspace.write("tools/shop/service.yaml", SERVICE);
    workspace.write("tools/shop/list.yaml", tool("list", "/orders"));
    workspace.write("tools/shop/gone.yaml", tool("gone", "/gone"));
    workspace.write("tools/.hidden/x.yaml", "not: a descriptor\n");
    git(workspace.path(), &["add", "-A"]);
    git(workspace.path(), &["commit", "-q", "-m", "First"]);
    workspace.write("tools/shop/list.yaml", tool("list", "/v2/orders"));
    workspace.write("tools/shop/more.yaml", tool("more", "/more"));
    fs::remove_file(workspace.path().join("tools/shop/gone.yaml")).expect("a file");
    workspace
}

fn run(workspace: &Workspace, arguments: &[&str]) -> Output {
    let mut command = workspace.toolrun();
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null");
    output(
        command
            .arg("diff")
            .args(arguments)
            .args(["--format", "json"]),
    )
}

/// Code and file of each change.
fn told(output: &Output) -> Vec<(String, String)> {
    let json = output.json();
    assert_eq!(json["findings"], serde_json::json!([]), "{json:#}");
    let changes = json["changes"].as_array().expect("a list").iter();
    let mut told: Vec<(String, String)> = changes
        .map(|change| {
            let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
            (text(&change["code"]), text(&change["place"]["file"]))
        })
        .collect();
    told.sort();
    told
}

#[test]
fn a_revision_is_compared_with_what_is_on_disk() {
    let workspace = repository();
    let expected = |old: &str, new: &str| {
        [
            ("request-changed", format!("{new}/shop/list.yaml")),
            ("tool-added", format!("{new}/shop/more.yaml")),
            ("tool-gone", format!("{old}/shop/gone.yaml")),
        ]
        .map(|(code, file)| (code.to_owned(), file))
    };
    for arguments in [
        &["--since", "HEAD"][..],
        &["--since", "main", "tools"],
        &["HEAD:tools", "tools"],
        &["HEAD", "tools"],
        &["HEAD:./tools", "tools"],
    ] {
        let revision = if arguments.contains(&"main") {
            "main:tools"
        } else {
            "HEAD:tools"
        };
        let output = run(&workspace, arguments).expect(3);
        assert_eq!(told(&output), expected(revision, "tools"), "{arguments:?}");
    }
    // From a folder inside, and with a file alone.
    let mut inside = workspace.toolrun();
    inside.current_dir(workspace.path().join("tools"));
    let output = output(inside.args(["diff", "--since", "HEAD", "shop", "--format", "json"]));
    assert_eq!(told(&output.expect(3)).len(), 3);
    let output = run(&workspace, &["--since", "HEAD", "tools/shop/list.yaml"]).expect(3);
    assert_eq!(
        told(&output),
        [(
            "request-changed".to_owned(),
            "tools/shop/list.yaml".to_owned()
        )]
    );
    let output = run(
        &workspace,
        &["HEAD:tools/shop/list.yaml", "tools/shop/list.yaml"],
    )
    .expect(3);
    assert_eq!(told(&output).len(), 1);
    // A folder that is gone, and one that is new.
    fs::remove_dir_all(workspace.path().join("tools")).expect("a folder");
    let output = run(&workspace, &["--since", "HEAD"]).expect(3);
    let codes: Vec<String> = told(&output).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["service-gone", "tool-gone", "tool-gone"]);
    workspace.write("others/service.yaml", SERVICE.replace("shop", "others"));
    run(&workspace, &["--since", "HEAD", "others"]).expect(0);
    // Nothing was checked out, and nothing left behind.
    assert!(!workspace.path().join("tools").exists());
}

#[test]
fn what_git_ignores_but_keeps_is_not_gone() {
    let workspace = repository();
    workspace.write(".gitignore", "tools/shop/list.yaml\n");
    let told = told(&run(&workspace, &["--since", "HEAD"]).expect(3));
    let of_list: Vec<&str> = told
        .iter()
        .filter(|(_, file)| file.ends_with("list.yaml"))
        .map(|(code, _)| code.as_str())
        .collect();
    assert_eq!(of_list, ["request-changed"]);
}

#[test]
fn a_folder_may_lose_all_that_it_had() {
    let workspace = repository();
    fs::remove_dir_all(workspace.path().join("tools/shop")).expect("the folder");
    workspace.write("tools/README.md", "Tools.\n");
    let told = told(&run(&workspace, &["--since", "HEAD"]).expect(3));
    let codes: Vec<&str> = told.iter().map(|(code, _)| code.as_str()).collect();
    assert_eq!(codes, ["service-gone", "tool-gone", "tool-gone"]);
    // One that never had any is a mistake.
    workspace.write("docs/README.md", "Pages.\n");
    run(&workspace, &["--since", "HEAD", "docs"]).expect(2);
}

/// Places of another revision are shown where a service looks for them.
#[test]
fn what_is_gone_is_shown_where_it_was() {
    let workspace = repository();
    let run = |format: &str| {
        let mut command = workspace.toolrun();
        let words = ["diff", "--since", "HEAD", "--format", format];
        output(command.args(words)).expect(3).stdout
    };
    let github = run("github");
    assert!(
        github.contains(
            "::error file=tools/shop/gone.yaml,line=1,endLine=1,col=1,endColumn=1,title=tool-gone::"
        ) && github.contains("(it was at HEAD:tools/shop/gone.yaml:"),
        "{github}"
    );
    let sarif = run("sarif");
    assert!(
        sarif.contains("\"uri\": \"tools/shop/gone.yaml\"") && !sarif.contains("HEAD%3A"),
        "{sarif}"
    );
}

#[test]
fn two_revisions_are_compared() {
    let workspace = repository();
    git(workspace.path(), &["add", "-A"]);
    git(workspace.path(), &["commit", "-q", "-m", "Second"]);
    git(workspace.path(), &["tag", "v2"]);
    let output = run(&workspace, &["HEAD~1", "v2"]).expect(3);
    assert_eq!(told(&output).len(), 3);
    let output = run(&workspace, &["HEAD~1:tools/shop", "v2:tools/shop"]).expect(3);
    assert_eq!(told(&output).len(), 3);
    let output = run(&workspace, &["v2", "v2"]).expect(0);
    assert_eq!(told(&output), []);
}

#[test]
fn what_cannot_be_read_is_said() {
    let workspace = repository();
    for (arguments, part) in [
        (
            &["--since=--upload-pack=touch it"][..],
            "cannot be a git revision",
        ),
        (&["--since", "nowhere"], "does not know the revision"),
        (&["nowhere", "tools"], "git knows no such revision"),
        (&["HEAD:nowhere", "tools"], "has no nowhere"),
        (&["HEAD:../x", "tools"], "has no ../x"),
        (&["--since", "HEAD", "nowhere"], "neither here nor in HEAD"),
        (&["--since", ""], "cannot be a git revision"),
        (&["--since", "HEAD:tools"], "does not know the revision"),
        (&["--since", ":/no such text"], "does not know the revision"),
        (&["--since", "HEAD~1..HEAD"], "is a range of revisions"),
        (&["origin/main...HEAD", "tools"], "is a range of revisions"),
        (&[":tools", "tools"], "git knows no such revision"),
        (&["notes.txt", "tools"], "no file or folder notes.txt"),
    ] {
        let told = run(&workspace, arguments).expect(2);
        assert!(told.stderr.contains(part), "{arguments:?}: {}", told.stderr);
    }
    let outside = Workspace::new();
    outside.write("tools/service.yaml", SERVICE);
    let told = run(&outside, &["--since", "HEAD"]).expect(2);
    assert!(
        told.stderr.contains("in no git repository"),
        "{}",
        told.stderr
    );
    let mut command = workspace.toolrun();
    command.env("PATH", "/nowhere");
    let told = output(command.args(["diff", "--since", "HEAD"])).expect(2);
    assert!(
        told.stderr.contains("there is no program `git`"),
        "{}",
        told.stderr
    );
}

#[test]
fn links_large_files_and_bytes_of_a_revision_are_findings() {
    let workspace = repository();
    std::os::unix::fs::symlink("/etc/passwd", workspace.path().join("tools/shop/link.yaml"))
        .expect("a link");
    workspace.write("tools/shop/large.yaml", "# ".repeat(1 << 20));
    workspace.write("tools/shop/bytes.yaml", b"\xff\xfe");
    git(workspace.path(), &["add", "-A"]);
    git(workspace.path(), &["commit", "-q", "-m", "Second"]);
    let told = run(&workspace, &["HEAD~1", "HEAD"]).expect(3);
    let json = told.json();
    let findings = json["findings"].as_array().expect("a list");
    let codes: Vec<&str> = findings.iter().filter_map(|f| f["code"].as_str()).collect();
    assert_eq!(codes, ["unreadable-file"; 3], "{json:#}");
    assert!(!told.stdout.contains("root:"));
}

#[test]
fn revisions_are_named_by_the_text_of_their_commits_too() {
    let workspace = repository();
    let told = run(&workspace, &["--since", ":/First"]);
    assert_eq!(
        told.code,
        run(&workspace, &["--since", "HEAD"]).code,
        "{}",
        told.stderr
    );
    assert!(told.stderr.is_empty(), "{}", told.stderr);
    run(&workspace, &[":/First", "HEAD"]).expect(0);
}

#[test]
fn a_bare_repository_has_revisions_alone() {
    let workspace = repository();
    git(workspace.path(), &["clone", "-q", "--bare", ".", "bare"]);
    let bare = |arguments: &[&str]| {
        let mut command = workspace.toolrun();
        command.current_dir(workspace.path().join("bare"));
        output(command.arg("diff").args(arguments))
    };
    // There a file has the name of the revision.
    bare(&["HEAD", "HEAD"]).expect(0);
    bare(&["HEAD:tools", "HEAD:tools"]).expect(0);
    let told = bare(&["--since", "HEAD"]).expect(2);
    assert!(
        told.stderr.contains("in no git repository"),
        "{}",
        told.stderr
    );
}

#[test]
fn what_a_shallow_clone_lacks_is_to_be_fetched() {
    let workspace = repository();
    workspace.write("tools/shop/other.yaml", tool("other", "/other"));
    git(workspace.path(), &["add", "-A"]);
    git(workspace.path(), &["commit", "-q", "-m", "Second"]);
    let from = format!("file://{}", workspace.path().display());
    git(
        workspace.path(),
        &["clone", "-q", "--depth=1", &from, "shallow"],
    );
    for revision in ["HEAD~1", "origin/feature"] {
        let mut command = workspace.toolrun();
        command.current_dir(workspace.path().join("shallow"));
        let told = output(command.args(["diff", "--since", revision])).expect(2);
        assert!(
            told.stderr.contains("must be fetched first"),
            "{}",
            told.stderr
        );
    }
}

#[test]
fn a_submodule_that_is_left_out_is_said() {
    let workspace = repository();
    let module = workspace.path().join("module");
    fs::create_dir(&module).expect("a folder");
    git(&module, &["init", "-q", "."]);
    git(&module, &["commit", "-q", "--allow-empty", "-m", "Its own"]);
    fs::rename(&module, workspace.path().join("tools/module")).expect("a move");
    git(workspace.path(), &["add", "-A"]);
    git(workspace.path(), &["commit", "-q", "-m", "Second"]);
    let told = run(&workspace, &["HEAD~1", "HEAD"]).expect(3);
    let expected = "note: HEAD:tools/module is a submodule, and its files are not compared";
    assert!(told.stderr.contains(expected), "{}", told.stderr);
    let told = run(&workspace, &["HEAD:tools/module", "tools"]).expect(2);
    assert!(
        told.stderr.contains("is a submodule, whose files"),
        "{}",
        told.stderr
    );
}

#[test]
fn nothing_of_a_hostile_repository_runs() {
    let workspace = repository();
    let marker = workspace.path().join("ran");
    let script = workspace.path().join("script");
    fs::write(&script, format!("#!/bin/sh\ntouch {}\n", marker.display())).expect("a script");
    may_run(&script);
    let path = script.display().to_string();
    let hooks = workspace.path().join(".git/hooks");
    fs::create_dir_all(&hooks).expect("a folder");
    for hook in [
        "post-checkout",
        "reference-transaction",
        "fsmonitor-watchman",
        "post-index-change",
    ] {
        fs::copy(&script, hooks.join(hook)).expect("a hook");
    }
    for (key, value) in [
        ("core.fsmonitor", path.as_str()),
        ("core.pager", &path),
        ("pager.ls-tree", &path),
        ("core.sshCommand", &path),
        ("core.editor", &path),
        ("core.askPass", &path),
        ("core.alternateRefsCommand", &path),
        ("core.gitProxy", &path),
        ("diff.external", &path),
        ("filter.evil.smudge", &path),
        ("filter.evil.process", &path),
        ("credential.helper", &format!("!{path}")),
        ("alias.ls-tree", &format!("!{path}")),
        ("alias.cat-file", &format!("!{path}")),
        ("uploadpack.packObjectsHook", &path),
        ("extensions.partialClone", "origin"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.url", &format!("ext::{path}")),
        ("protocol.ext.allow", "always"),
    ] {
        git(workspace.path(), &["config", key, value]);
    }
    workspace.write(".gitattributes", "*.yaml filter=evil diff=evil\n");
    let _ = fs::remove_file(&marker);
    run(&workspace, &["--since", "HEAD"]).expect(3);
    assert!(!marker.exists());
    // An object that is missing would be fetched from the promisor.
    let objects = workspace.path().join(".git/objects");
    for folder in fs::read_dir(objects).expect("objects") {
        let folder = folder.expect("an entry").path();
        let is_loose = folder.file_name().is_some_and(|name| name.len() == 2);
        if is_loose {
            let _ = fs::remove_dir_all(folder);
        }
    }
    let told = run(&workspace, &["--since", "HEAD"]);
    assert!(
        told.code == 2 || told.code == 1,
        "{} {}",
        told.code,
        told.stderr
    );
    assert!(!marker.exists(), "{}", told.stderr);
}

#[test]
fn a_repository_of_somebody_else_is_left_to_gits_own_rule() {
    let workspace = repository();
    // Git refuses such a repository unless `safe.directory` names it.
    let mut command = workspace.toolrun();
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1");
    let told = output(command.args(["diff", "--since", "HEAD"])).expect(2);
    assert!(told.stderr.contains("dubious ownership"), "{}", told.stderr);
}
