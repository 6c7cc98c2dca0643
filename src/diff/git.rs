//! Descriptors of a git revision, read by the program `git` without a checkout.
//!
//! A repository may be anybody's. Only commands that read objects are run, with hooks, watchers, pagers, replacements and
//! fetching turned off, so that nothing that its configuration names is started. Whose repositories may be read at all is
//! git's own rule (`safe.directory`).

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use super::side::Side;
use crate::catalog::{File, Texts};
use crate::source::MAX_FILE_BYTES;

/// How the entry of a submodule begins.
const SUBMODULE: &str = "160000 ";
/// The most descriptors of a revision.
const MOST_FILES: usize = 100_000;
/// The most bytes that they have together.
const MOST_BYTES: u64 = 512 << 20;

/// A revision cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GitError {
    #[error("there is no program `git`, which reads revisions")]
    NoGit,
    #[error("`{0}` cannot be a git revision")]
    NoName(String),
    #[error("git does not know the revision `{revision}`: {said}")]
    NoRevision { revision: String, said: String },
    #[error("the revision `{revision}` has no {path}")]
    NoPath { revision: String, path: String },
    #[error(
        "`{0}` is a range of revisions; name its two ends apart, as the old version and the new one"
    )]
    Range(String),
    #[error("{0} is a submodule, whose files are in another repository")]
    Submodule(String),
    #[error("{0} is in no git repository that may be read: {1}")]
    NoRepository(String, String),
    #[error(
        "the revision `{0}` has more than {MOST_FILES} descriptors, or more than 512 MiB of them"
    )]
    TooMuch(String),
    #[error("git failed: {0}")]
    Failed(String),
}

/// The repository that a folder is in.
pub(crate) struct Repository {
    folder: PathBuf,
}

/// A file of a revision.
struct Listed {
    /// Below the tree that was listed.
    path: PathBuf,
    object: String,
    bytes: u64,
    is_link: bool,
}

impl Repository {
    /// The repository around a folder.
    pub(crate) fn around(folder: &Path) -> Repository {
        let folder = match folder.as_os_str().is_empty() {
            true => Path::new("."),
            false => folder,
        };
        Repository {
            folder: folder.to_owned(),
        }
    }

    /// The path of a file or folder on disk, below the root of the repository.
    ///
    /// # Errors
    /// When it is in no repository, or in none that may be read.
    pub(crate) fn path_of(&self, path: &Path) -> Result<PathBuf, GitError> {
        let outside = |said: String| GitError::NoRepository(path.display().to_string(), said);
        let root = self
            .ask(&["rev-parse", "--show-toplevel"])
            .map_err(|error| match error {
                GitError::Failed(said) => outside(said),
                other => other,
            })?;
        let real = |path: &Path| {
            path.canonicalize()
                .map_err(|error| outside(error.to_string()))
        };
        let (root, path) = (real(Path::new(root.trim_end_matches('\n')))?, real(path)?);
        let below = path.strip_prefix(&root).map(Path::to_path_buf);
        below.map_err(|_| outside(format!("it is not below {}", root.display())))
    }

    /// The descriptors at a path of a revision, each with its path below that one. `None` when the revision has no such
    /// path.
    ///
    /// # Errors
    /// When there is no such revision, or git fails.
    pub(crate) fn side(&self, revision: &str, path: &Path) -> Result<Option<Side>, GitError> {
        let tree = self.tree(revision)?;
        let below = in_git(path).ok_or_else(|| GitError::NoPath {
            revision: revision.to_owned(),
            path: path.display().to_string(),
        })?;
        let name = format!("{revision}:{below}");
        let object = match below.is_empty() {
            true => tree.clone(),
            false => match self.object(&format!("{tree}:{below}")) {
                Ok(object) => object,
                Err(GitError::Failed(_)) => return Ok(None),
                Err(other) => return Err(other),
            },
        };
        let label = format!("{revision}:");
        // The commit of a submodule is no object of this repository.
        let entry = match below.is_empty() {
            true => String::new(),
            false => self.ask(&["ls-tree", "--full-tree", &tree, "--", &below])?,
        };
        if entry.starts_with(SUBMODULE) {
            return Err(GitError::Submodule(name));
        }
        let kind = self.ask(&["cat-file", "-t", &object])?;
        match kind.trim() {
            "tree" => {
                let (listed, modules) = self.list(&object, revision)?;
                let modules = modules.into_iter().map(|own| {
                    let place = path.join(own);
                    format!("{label}{}", place.display())
                });
                let modules = modules.collect();
                let texts = self.read(listed)?;
                let named = texts.into_iter().map(|(own, text)| (path.join(own), text));
                let texts = Texts::new(&label, named);
                let files = texts.all().into_iter().map(|file| {
                    let own = file.path().strip_prefix(path).unwrap_or(file.path());
                    let own = own.to_path_buf();
                    (file, own)
                });
                Ok(Some(Side::new(&name, files.collect()).without(modules)))
            }
            "blob" => self.one(&tree, path, &label, &name).map(Some),
            other => Err(GitError::Failed(format!("{name} is a {other}"))),
        }
    }

    /// One file, with the service beside it, which it may need.
    fn one(&self, tree: &str, path: &Path, label: &str, name: &str) -> Result<Side, GitError> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut listed = Vec::new();
        for path in [path.to_path_buf(), folder.join("service.yaml")] {
            let below = in_git(&path).unwrap_or_default();
            let Ok(object) = self.object(&format!("{tree}:{below}")) else {
                continue;
            };
            let bytes = self.ask(&["cat-file", "-s", &object])?;
            listed.push(Listed {
                path,
                object,
                bytes: bytes.trim().parse().unwrap_or(u64::MAX),
                is_link: false,
            });
        }
        let texts = Texts::new(label, self.read(listed)?);
        let own = |file: &File| file.path() == path;
        let file = texts.all().into_iter().find(own);
        let stem = path.file_name().map(PathBuf::from).unwrap_or_default();
        Ok(Side::new(
            name,
            file.map(|file| (file, stem)).into_iter().collect(),
        ))
    }

    /// The tree of a revision.
    fn tree(&self, revision: &str) -> Result<String, GitError> {
        let is_name = !revision.is_empty()
            && !revision.starts_with('-')
            && !revision.contains(char::is_control);
        if !is_name {
            return Err(GitError::NoName(revision.to_owned()));
        }
        // In two steps, because what follows the text of `:/text` would be a part of it.
        let found = self
            .object(revision)
            .and_then(|object| self.object(&format!("{object}^{{commit}}^{{tree}}")))
            .or_else(|_| self.object(&format!("{revision}^{{tree}}")));
        found.map_err(|error| match error {
            GitError::Failed(_) if is_range(revision) => GitError::Range(revision.to_owned()),
            GitError::Failed(said) => GitError::NoRevision {
                revision: revision.to_owned(),
                said: match self.is_shallow() {
                    true => format!(
                        "{said}; this clone is shallow, so that the revision must be fetched first"
                    ),
                    false => said,
                },
            },
            other => other,
        })
    }

    /// Whether the repository has no more than the newest part of its history.
    fn is_shallow(&self) -> bool {
        self.ask(&["rev-parse", "--is-shallow-repository"])
            .is_ok_and(|told| told.trim() == "true")
    }

    /// Whether git knows a revision of this name.
    pub(crate) fn knows(&self, revision: &str) -> bool {
        self.tree(revision).is_ok()
    }

    /// The id of the object that an expression names.
    fn object(&self, expression: &str) -> Result<String, GitError> {
        let told = self.ask(&["rev-parse", "--verify", expression])?;
        let id = told.trim();
        match id.len() >= 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            true => Ok(id.to_owned()),
            false => Err(GitError::Failed(format!("`{expression}` is no object"))),
        }
    }

    /// The descriptors in a tree, without those in hidden folders, and the places of its submodules.
    fn list(&self, tree: &str, revision: &str) -> Result<(Vec<Listed>, Vec<PathBuf>), GitError> {
        let mut child = self
            .git(&["ls-tree", "-r", "-z", "-l", "--full-tree", tree])
            .spawn()
            .map_err(failed)?;
        let mut out = BufReader::new(child.stdout.take().ok_or_else(no_stream)?);
        let (mut listed, mut modules) = (Vec::new(), Vec::new());
        let mut sum = 0_u64;
        let mut entry = Vec::new();
        loop {
            entry.clear();
            if out.read_until(0, &mut entry).map_err(failed)? == 0 {
                break;
            }
            let entry = entry.strip_suffix(&[0]).unwrap_or(&entry);
            if entry.starts_with(SUBMODULE.as_bytes()) {
                modules.extend(path_of_entry(entry).map(|(_, path)| path));
            }
            let Some(file) = listed_of(entry) else {
                continue;
            };
            if file.bytes <= MAX_FILE_BYTES {
                sum += file.bytes;
            }
            listed.push(file);
            if listed.len() > MOST_FILES || sum > MOST_BYTES {
                let _ = child.kill();
                let _ = child.wait();
                return Err(GitError::TooMuch(revision.to_owned()));
            }
        }
        drop(out);
        ended(child)?;
        Ok((listed, modules))
    }

    /// The texts of files.
    fn read(
        &self,
        listed: Vec<Listed>,
    ) -> Result<Vec<(PathBuf, Result<String, String>)>, GitError> {
        let mut texts = Vec::with_capacity(listed.len());
        let mut wanted = Vec::new();
        for file in listed {
            let refused = match () {
                () if file.is_link => {
                    Some("it is a link, and links of a revision are not followed")
                }
                () if file.bytes > MAX_FILE_BYTES => Some(
                    "the file is larger than 1048576 bytes, the most that a descriptor may have",
                ),
                () => None,
            };
            match refused {
                Some(reason) => texts.push((file.path, Err(reason.to_owned()))),
                None => wanted.push(file),
            }
        }
        if wanted.is_empty() {
            return Ok(texts);
        }
        let mut command = self.git(&["cat-file", "--batch"]);
        let mut child = command.stdin(Stdio::piped()).spawn().map_err(failed)?;
        let mut to = child.stdin.take().ok_or_else(no_stream)?;
        let mut from = BufReader::new(child.stdout.take().ok_or_else(no_stream)?);
        let read = thread::scope(|scope| {
            let objects: Vec<&str> = wanted.iter().map(|file| file.object.as_str()).collect();
            scope.spawn(move || {
                // Where git stops reading, its answers end, and that is told.
                let _ = objects
                    .iter()
                    .try_for_each(|object| writeln!(to, "{object}"));
            });
            let read: Result<Vec<Vec<u8>>, GitError> = wanted
                .iter()
                .map(|file| next_object(&mut from, file))
                .collect();
            if read.is_err() {
                let _ = child.kill();
            }
            drop(from);
            read
        });
        let ended = ended(child);
        let read = read?;
        ended?;
        for (file, bytes) in wanted.into_iter().zip(read) {
            let text = String::from_utf8(bytes).map_err(|error| {
                let at = error.utf8_error().valid_up_to();
                format!("the file is not UTF-8 text: byte {at} is not part of a character")
            });
            texts.push((file.path, text));
        }
        Ok(texts)
    }

    /// What git says on its standard output.
    fn ask(&self, arguments: &[&str]) -> Result<String, GitError> {
        let output = self.git(arguments).output().map_err(failed)?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(GitError::Failed(said(&output.stderr))),
        }
    }

    /// Git, with everything turned off that runs other programs.
    fn git(&self, arguments: &[&str]) -> Command {
        const OFF: [&str; 4] = [
            "core.fsmonitor=false",
            "core.hooksPath=/dev/null",
            "core.alternateRefsCommand=",
            "protocol.allow=never",
        ];
        const UNSET: [&str; 9] = [
            "GIT_ALLOW_PROTOCOL",
            "GIT_ASKPASS",
            "GIT_EXTERNAL_DIFF",
            "GIT_PROXY_COMMAND",
            "GIT_SSH",
            "GIT_SSH_COMMAND",
            "GIT_TRACE",
            "GIT_TRACE2",
            "GIT_TRACE2_EVENT",
        ];
        let mut command = Command::new("git");
        command.args(["--no-pager", "--no-replace-objects", "--literal-pathspecs"]);
        for setting in OFF {
            command.args(["-c", setting]);
        }
        command.arg("-C").arg(&self.folder).args(arguments);
        for name in UNSET {
            command.env_remove(name);
        }
        command
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

fn failed(error: io::Error) -> GitError {
    match error.kind() {
        io::ErrorKind::NotFound => GitError::NoGit,
        _ => GitError::Failed(error.to_string()),
    }
}

fn no_stream() -> GitError {
    GitError::Failed("it has no standard streams".to_owned())
}

/// The first line of what git says about a failure.
fn said(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let line = text.lines().find(|line| !line.trim().is_empty());
    let line = line
        .unwrap_or("it says nothing")
        .trim_start_matches("fatal: ");
    line.chars().take(300).collect()
}

fn ended(mut child: std::process::Child) -> Result<(), GitError> {
    let mut stderr = Vec::new();
    if let Some(stream) = child.stderr.take() {
        let _ = stream.take(1 << 16).read_to_end(&mut stderr);
    }
    match child.wait().map_err(failed)?.success() {
        true => Ok(()),
        false => Err(GitError::Failed(said(&stderr))),
    }
}

/// `REV:PATH` in its parts. A colon inside of braces, as in `HEAD@{12:00}`, belongs to the revision, and so does the one that
/// `:/text` begins with.
pub(crate) fn revision_and_path(name: &str) -> (&str, Option<&str>) {
    if name.starts_with(':') {
        return (name, None);
    }
    let mut depth = 0_usize;
    for (at, c) in name.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ':' if depth == 0 => return (&name[..at], Some(&name[at + 1..])),
            _ => {}
        }
    }
    (name, None)
}

/// A path as git writes it; `None` for one that leads out of its root.
fn in_git(path: &Path) -> Option<String> {
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => parts.push(name.to_str()?),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/"))
}

/// An entry of `ls-tree -l`, if it is a descriptor.
fn listed_of(entry: &[u8]) -> Option<Listed> {
    let (head, path) = path_of_entry(entry)?;
    let mut words = head.split_ascii_whitespace();
    let (mode, kind, object, bytes) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let is_descriptor = path.extension().is_some_and(|e| e == "yaml" || e == "yml");
    let is_hidden = path.components().any(|part| match part {
        Component::Normal(name) => name.to_string_lossy().starts_with('.'),
        _ => true,
    });
    (kind == "blob" && is_descriptor && !is_hidden).then(|| Listed {
        path,
        object: object.to_owned(),
        bytes: bytes.parse().unwrap_or(u64::MAX),
        is_link: mode == "120000",
    })
}

/// An entry in two: what is said of it, and its path.
fn path_of_entry(entry: &[u8]) -> Option<(&str, PathBuf)> {
    let tab = entry.iter().position(|byte| *byte == b'\t')?;
    let head = std::str::from_utf8(&entry[..tab]).ok()?;
    let path = String::from_utf8_lossy(&entry[tab + 1..]).into_owned();
    Some((head, PathBuf::from(path)))
}

/// Whether a name is that of a range, such as `a..b`. A path or a text may have two dots too.
fn is_range(revision: &str) -> bool {
    let is_end = |start: &str| !start.is_empty() && !start.ends_with(['/', '.']);
    let ends = revision.split_once("..");
    ends.is_some_and(|(start, _)| is_end(start) && !revision.contains(':'))
}

/// The next object that `cat-file --batch` writes.
fn next_object(from: &mut impl BufRead, file: &Listed) -> Result<Vec<u8>, GitError> {
    let mut head = String::new();
    let lost = || GitError::Failed(format!("{} cannot be read", file.path.display()));
    from.by_ref()
        .take(1 << 10)
        .read_line(&mut head)
        .map_err(failed)?;
    let mut words = head.split_ascii_whitespace();
    let (Some(object), Some("blob"), Some(bytes)) = (words.next(), words.next(), words.next())
    else {
        return Err(lost());
    };
    let bytes: u64 = bytes.parse().map_err(|_| lost())?;
    if object != file.object || bytes != file.bytes {
        return Err(lost());
    }
    let mut text = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0) + 1);
    let read = from
        .by_ref()
        .take(bytes + 1)
        .read_to_end(&mut text)
        .map_err(failed)?;
    if read as u64 != bytes + 1 || text.pop() != Some(b'\n') {
        return Err(lost());
    }
    Ok(text)
}
