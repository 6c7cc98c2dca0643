//! The README and the pages of `docs/`: every command runs, every link leads somewhere, and every table is whole.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{fs, thread};

use tempfile::TempDir;

use crate::support::{Block, DocPage, doc_page, doc_pages, may_run};

/// Where pages say that their folder is.
const FOLDER: &str = "/srv/acme/app";
/// Where pages say that a sandbox listens.
const SANDBOX: &str = "127.0.0.1:8787";
/// Commands that print nothing on standard output when all went well.
const SILENT: [&str; 8] = [
    "export ",
    "mkdir ",
    "cat >",
    "printf ",
    "cp ",
    "rm ",
    "toolrun trust",
    "toolrun untrust",
];

/// The folder of a page, in which its commands run in order.
pub(crate) struct Folder {
    folder: TempDir,
    programs: TempDir,
    home: TempDir,
    exports: Vec<(String, String)>,
    /// A sandbox that the page started, and its address.
    sandbox: Option<(Child, String)>,
}

/// What a command should do.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    command: String,
    /// The exit code, from a comment such as `# exit 3` behind the command.
    code: i32,
    /// What it prints on both streams, if the page shows it.
    printed: Option<String>,
}

impl Folder {
    pub(crate) fn new() -> Folder {
        let new = || TempDir::new().expect("a temporary folder");
        let folder = Folder {
            folder: new(),
            programs: new(),
            home: new(),
            exports: Vec::new(),
            sandbox: None,
        };
        folder.write_programs();
        folder
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().canonicalize().expect("the folder")
    }

    /// Writes a file below the folder.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let file = self.path().join(path);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(file, text).expect("a file");
    }

    /// Tests have no real key, so calls of the real service go to its sandbox; everything else runs unchanged.
    fn write_programs(&self) {
        let toolrun = env!("CARGO_BIN_EXE_toolrun");
        let real = r#"
case "$REFUSED $1 $*" in
    yes*|*--sandbox*|*--replay*|*--dry-run*|*--help*) ;;
    "no call "*) set -- "$@" --sandbox ;;
esac"#;
        self.program("toolrun", &format!("{real}\nexec {toolrun:?} \"$@\"\n"));
        // This is a run of `cargo test` already, so that command is not run again.
        let cargo = format!(
            "case \"$1\" in\n  run) shift 2; exec {toolrun:?} \"$@\" ;;\n  test) echo 'tests run' ;;\n  *) exit 1 ;;\nesac\n"
        );
        self.program("cargo", &cargo);
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.programs.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}")).expect("a program");
        may_run(&path);
    }

    /// A command of the shell in this folder, with nothing of the outer environment. No request leaves the machine: the
    /// proxy is a port where nobody listens.
    pub(crate) fn shell(&self, script: &str, is_refused: bool) -> Command {
        let outer = std::env::var("PATH").unwrap_or_default();
        let mut shell = Command::new("sh");
        shell
            .args(["-e", "-c", script])
            .current_dir(self.path())
            .stdin(Stdio::null())
            .env_clear()
            .env(
                "PATH",
                format!("{}:{outer}", self.programs.path().display()),
            )
            .env("HOME", self.home.path())
            .env("HTTPS_PROXY", "http://127.0.0.1:9")
            .env("REFUSED", if is_refused { "yes" } else { "no" })
            .envs(self.exports.iter().map(|(name, value)| (name, value)));
        shell
    }

    /// Writes the files of a page and runs its commands, in the order of the page. Gives what is wrong.
    pub(crate) fn follow(&mut self, page: &DocPage) -> Vec<String> {
        let mut wrong = Vec::new();
        for block in page.blocks() {
            if let Some(path) = block.path() {
                self.write(path, block.text);
            }
            for wanted in wanted(&block) {
                if let Err(told) = self.run(&wanted) {
                    wrong.push(format!("{}: {}\n{told}", page.name, wanted.command));
                }
            }
        }
        wrong
    }

    fn run(&mut self, wanted: &Wanted) -> Result<(), String> {
        let mut command = wanted.command.clone();
        if command.starts_with("toolrun sandbox ") {
            return self.serve(&command);
        }
        if let Some((_, address)) = &self.sandbox {
            command = command.replace(SANDBOX, address);
        }
        if let Some((name, value)) = command
            .strip_prefix("export ")
            .and_then(|pair| pair.split_once('='))
        {
            self.exports.push((name.to_owned(), value.to_owned()));
        }
        let script = match wanted.printed {
            Some(_) => format!("exec 2>&1\n{command}"),
            None => command.clone(),
        };
        let output = self.shell(&script, wanted.code != 0).output();
        let output = output.map_err(|error| error.to_string())?;
        let (stdout, stderr) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        if output.status.code() != Some(wanted.code) {
            return Err(format!("{}\n{stdout}{stderr}", output.status));
        }
        let is_silent = SILENT.iter().any(|word| command.starts_with(word));
        match &wanted.printed {
            Some(printed) => {
                let folder = self.path().display().to_string();
                compare(printed, &stdout.replace(&folder, FOLDER))
            }
            None if wanted.code != 0 && stderr.is_empty() && stdout.is_empty() => {
                Err("it fails and says nothing".to_owned())
            }
            None if wanted.code == 0 && !is_silent && stdout.is_empty() => {
                Err("it prints nothing".to_owned())
            }
            None => Ok(()),
        }
    }

    /// Starts a sandbox, on a port that is free.
    fn serve(&mut self, command: &str) -> Result<(), String> {
        self.stop();
        let command = format!("exec {}", command.replace(SANDBOX, "127.0.0.1:0"));
        let mut shell = self.shell(&command, false);
        let mut child = shell
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut line = String::new();
        let stderr = child.stderr.take().expect("standard error");
        let read = BufReader::new(stderr).read_line(&mut line);
        let address = line.trim().rsplit("http://").next().unwrap_or_default();
        let is_there = read.is_ok() && line.contains(" listens on ");
        self.sandbox = Some((child, address.to_owned()));
        is_there.then_some(()).ok_or(line)
    }

    fn stop(&mut self) {
        if let Some((mut child, _)) = self.sandbox.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Compares what is printed with what a page shows. A line `...` stands for any lines.
fn compare(shown: &str, printed: &str) -> Result<(), String> {
    let mut rest: Vec<&str> = printed.lines().collect();
    let mut is_open = false;
    let told = || Err(format!("it prints\n{printed}and the page shows\n{shown}"));
    for line in shown.lines() {
        if line == "..." {
            is_open = true;
            continue;
        }
        let at = rest.iter().position(|printed| printed.trim_end() == line);
        match at {
            Some(at) if at == 0 || is_open => rest.drain(..=at),
            _ => return told(),
        };
        is_open = false;
    }
    match rest.is_empty() || is_open {
        true => Ok(()),
        false => told(),
    }
}

/// The commands of a block: of `sh` each line, and of `console` what follows `$ `, with what it prints.
fn wanted(block: &Block<'_>) -> Vec<Wanted> {
    let commands = match block.language {
        "sh" => commands_of(block.text)
            .into_iter()
            .map(|c| (c, None))
            .collect(),
        "console" => sessions_of(block.text),
        _ => Vec::new(),
    };
    let wanted = |(command, printed): (String, Option<String>)| {
        let line = command.lines().next().unwrap_or_default();
        let code = line
            .rsplit_once("# exit ")
            .and_then(|(_, code)| code.trim().parse().ok());
        Wanted {
            code: code.unwrap_or(0),
            command,
            printed,
        }
    };
    commands.into_iter().map(wanted).collect()
}

/// The commands of a script: its lines, with a here-document or a continued line in one piece.
fn commands_of(script: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut lines = script.lines();
    while let Some(line) = lines.next() {
        let mut command = line.to_owned();
        while command.ends_with('\\') {
            command.push('\n');
            command.push_str(lines.next().unwrap_or_default());
        }
        if let Some((_, mark)) = line.split_once("<<'") {
            let mark = mark.trim_end_matches('\'');
            for inner in lines.by_ref() {
                command.push('\n');
                command.push_str(inner);
                if inner == mark {
                    break;
                }
            }
        }
        if !command.is_empty() {
            commands.push(command);
        }
    }
    commands
}

fn sessions_of(text: &str) -> Vec<(String, Option<String>)> {
    let mut sessions: Vec<(String, Option<String>)> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("$ "), sessions.last_mut()) {
            (Some(command), _) => sessions.push((command.to_owned(), Some(String::new()))),
            (None, Some((_, Some(printed)))) => {
                printed.push_str(line);
                printed.push('\n');
            }
            (None, _) => sessions.push((line.to_owned(), Some(String::new()))),
        }
    }
    sessions
}

#[test]
#[ignore = "long"]
fn every_command_of_every_page_runs() {
    let pages = doc_pages();
    assert!(pages.len() >= 7, "{} pages", pages.len());
    let wrong: Vec<String> = thread::scope(|scope| {
        let runs: Vec<_> = pages
            .iter()
            .map(|page| scope.spawn(|| Folder::new().follow(page)))
            .collect();
        let runs = runs
            .into_iter()
            .flat_map(|run| run.join().expect("no panic"));
        runs.collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let count = |page: &DocPage| page.blocks().iter().map(|block| wanted(block).len()).sum();
    let counts: Vec<usize> = pages.iter().map(count).collect();
    assert!(counts.iter().sum::<usize>() >= 100, "{counts:?}");
}

/// The test above can fail.
#[test]
fn a_page_that_is_wrong_is_found() {
    for (page, told) in [
        ("```sh\ntoolrun lst\n```\n", "lst"),
        (
            "```sh\ntoolrun list\ntoolrun call nothing\n```\n",
            "toolrun call nothing",
        ),
        ("```sh\ntrue\n```\n", "prints nothing"),
        (
            "```sh\ntoolrun list | grep nothing-at-all\n```\n",
            "exit status: 1",
        ),
        ("```sh\ntoolrun list    # exit 3\n```\n", "exit status: 0"),
        (
            "```sh\ntoolrun call nothing    # exit 3\n```\n",
            "exit status: 2",
        ),
        ("```sh\nfalse    # exit 1\n```\n", "says nothing"),
        ("```sh\ntoolrun sandbox nothing\n```\n", "nothing"),
        ("```console\n$ echo one\ntwo\n```\n", "it prints\none"),
        ("```console\n$ echo one\n```\n", "it prints\none"),
        ("```console\n$ echo one\none\ntwo\n```\n", "it prints\none"),
        ("```console\n$ false\n```\n", "exit status: 1"),
        (
            "```yaml\n# tools/broken.yaml\nspec: 1\n```\n\n```sh\ntoolrun validate tools\n```\n",
            "missing-key",
        ),
    ] {
        let wrong = Folder::new().follow(&DocPage::of(page));
        assert_eq!(wrong.len(), 1, "{page}{wrong:?}");
        assert!(wrong[0].contains(told), "{page}{}", wrong[0]);
    }
    for page in [
        "```sh\ntoolrun list\nexport NAME=jo\necho $NAME\n```\n",
        "```sh\ntoolrun call nothing    # exit 2\n```\n",
        "```console\n$ printf 'one\\ntwo\\nthree\\n'\none\n...\n$ pwd\n/srv/acme/app\n```\n",
        "```text\nfalse\n```\n",
        "```sh\ntoolrun sandbox anthropic-admin --addr 127.0.0.1:8787\ntoolrun call list-members --sandbox=http://127.0.0.1:8787\n```\n",
    ] {
        let wrong = Folder::new().follow(&DocPage::of(page));
        assert!(wrong.is_empty(), "{page}{wrong:?}");
    }
}

/// The pages whose links are checked.
fn linking() -> Vec<DocPage> {
    let more = ["CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"];
    let mut pages = doc_pages();
    pages.extend(more.iter().map(|name| doc_page(name)));
    pages
}

/// What a page links to: the targets in `[text](target)`.
fn links(page: &DocPage) -> Vec<String> {
    let prose = without_code(&page.prose().join("\n"));
    let parts = prose.split("](").skip(1);
    let target = |part: &str| part.split(')').next().unwrap_or_default().to_owned();
    parts.map(target).collect()
}

/// A text without its code spans.
fn without_code(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts
        .filter(|(at, _)| at % 2 == 0)
        .map(|(_, part)| part)
        .collect()
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(page: &DocPage) -> BTreeSet<String> {
    let headings = page
        .prose()
        .into_iter()
        .filter(|line| line.starts_with('#'));
    let mut anchors = BTreeSet::new();
    for heading in headings {
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        let is_kept = |c: &char| c.is_alphanumeric() || "-_ ".contains(*c);
        let anchor: String = text.chars().filter(is_kept).collect();
        let anchor = anchor.replace(' ', "-");
        assert!(
            anchors.insert(anchor),
            "{}: two headings `{text}`",
            page.name
        );
    }
    anchors
}

/// The links of a page that lead nowhere.
fn dead_links(page: &DocPage) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Path::new(&page.name).parent().unwrap_or(Path::new(""));
    let is_dead = |target: &String| {
        if target.starts_with("https://") {
            return false;
        }
        let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
        let file = match path.is_empty() {
            true => root.join(&page.name),
            false => root.join(folder).join(path),
        };
        if !file.exists() {
            return !(path.is_empty() && anchors(page).contains(anchor));
        }
        if anchor.is_empty() {
            return false;
        }
        let text = fs::read_to_string(&file).unwrap_or_default();
        !anchors(&DocPage::of(&text)).contains(anchor)
    };
    links(page).into_iter().filter(is_dead).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut count = 0;
    for page in linking() {
        let dead = dead_links(&page);
        assert!(dead.is_empty(), "{}: {dead:?}", page.name);
        count += links(&page).len();
    }
    assert!(count >= 40, "{count} links");
    let page = DocPage::of(
        "# A page: `one`\n[a](#a-page-one) [b](#two) [c](docs/nothing.md) [d](README.md#nothing)\n",
    );
    assert_eq!(
        dead_links(&page),
        ["#two", "docs/nothing.md", "README.md#nothing"]
    );
}

/// The README leads to every page.
#[test]
fn no_page_is_lost() {
    let readme = doc_page("README.md");
    let linked = links(&readme);
    for page in doc_pages().iter().skip(1) {
        let is_linked = linked
            .iter()
            .any(|link| link.split('#').next() == Some(&page.name));
        assert!(is_linked, "the README does not link to {}", page.name);
    }
}

/// Tables with another number of cells than their heading has.
fn broken_tables(page: &DocPage) -> Vec<String> {
    let mut broken = Vec::new();
    let mut cells = None;
    for line in page.prose() {
        if !line.starts_with('|') {
            cells = None;
            continue;
        }
        let count = line.replace("\\|", "").matches('|').count();
        if *cells.get_or_insert(count) != count || !line.ends_with('|') {
            broken.push(line.to_owned());
        }
    }
    broken
}

#[test]
fn every_table_is_whole() {
    for page in linking() {
        assert_eq!(broken_tables(&page), [""; 0], "{}", page.name);
    }
    let page = DocPage::of("| a | b |\n| --- | --- |\n| `x \\| y` | z |\n| a | b | c |\n");
    assert_eq!(broken_tables(&page), ["| a | b | c |"]);
}

/// A code span that goes on in the next line is read wrong by some viewers, and by these tests.
#[test]
fn every_code_span_ends_on_its_line() {
    for page in linking() {
        let is_open = |line: &&str| line.matches('`').count() % 2 == 1;
        let open: Vec<&str> = page.prose().into_iter().filter(is_open).collect();
        assert_eq!(open, [""; 0], "{}", page.name);
    }
}
