//! The documents that are open in the editor, and its folders.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use url::Url;

use super::around::Tool;
use super::facts::{self, Around, Facts};
use super::text::{Encoding, Span, Text};
use crate::catalog::{File, Unsaved};
use crate::check::{self, Kind};
use crate::source::{Finding, Source};

/// What the editor can.
#[derive(Debug, Clone, Default)]
pub(super) struct Client {
    pub encoding: Encoding,
    /// Texts with fields to fill in.
    pub snippets: bool,
    /// Markdown in what is told.
    pub markdown: bool,
    /// Lines that are written as they are, without an indentation of the editor's own.
    pub takes_as_is: bool,
    /// An outline with levels.
    pub outlines: bool,
    /// Being asked to watch files.
    pub watches: bool,
}

impl Client {
    /// Reads the parameters of `initialize`.
    pub(super) fn of(params: &Value) -> Client {
        let of = |pointer: &str| params.pointer(&format!("/capabilities{pointer}"));
        let is = |pointer: &str| of(pointer) == Some(&Value::Bool(true));
        let has = |pointer: &str, wanted: Value| {
            let list = of(pointer).and_then(Value::as_array);
            list.is_some_and(|list| list.contains(&wanted))
        };
        let item = "/textDocument/completion/completionItem";
        Client {
            // The editor likes the first ones best.
            encoding: of("/general/positionEncodings")
                .and_then(Value::as_array)
                .and_then(|names| {
                    names
                        .iter()
                        .filter_map(Value::as_str)
                        .find_map(Encoding::named)
                })
                .unwrap_or_default(),
            snippets: is(&format!("{item}/snippetSupport")),
            markdown: has("/textDocument/hover/contentFormat", "markdown".into()),
            takes_as_is: has(&format!("{item}/insertTextModeSupport/valueSet"), 1.into()),
            outlines: is("/textDocument/documentSymbol/hierarchicalDocumentSymbolSupport"),
            watches: is("/workspace/didChangeWatchedFiles/dynamicRegistration"),
        }
    }
}

/// A document that is open.
#[derive(Debug, Clone)]
pub(super) struct Document {
    pub uri: String,
    /// Where the file is; `None` for a document that is no file.
    pub path: Option<PathBuf>,
    pub version: i64,
    pub text: Arc<Text>,
    /// What could be read of it when it could be read last.
    pub before: Option<Arc<Source>>,
    /// What was found in this version.
    pub findings: Option<Arc<Vec<Finding>>>,
}

impl Document {
    /// The name of the file in messages.
    pub(super) fn name(&self) -> String {
        match &self.path {
            Some(path) => path.display().to_string(),
            None => self.uri.clone(),
        }
    }
}

/// The documents and folders of the editor.
#[derive(Clone, Default)]
pub(super) struct Desk {
    pub documents: HashMap<String, Document>,
    pub folders: Vec<PathBuf>,
    unsaved: Arc<Unsaved>,
    /// What was known last, of which document, and until when it counts.
    known: Option<(String, Instant, Arc<Facts>)>,
    /// The tools in the folders, and until when they count.
    tools: Option<(Instant, Arc<Vec<Tool>>)>,
}

/// How long the descriptors in the folders of the editor are looked for. Somebody may have opened all of a disk.
const LONGEST_WALK: Duration = Duration::from_secs(1);

/// How long what is known of a document that nobody changes is kept: the files beside it may change on disk. What took
/// long to find is kept longer.
const KEPT: Duration = Duration::from_secs(1);
/// How many times as long as it took.
const KEPT_FOR: u32 = 10;

impl Desk {
    pub(super) fn open(&mut self, uri: &str, version: i64, text: String, encoding: Encoding) {
        let document = Document {
            uri: uri.to_owned(),
            path: path_of(uri),
            version,
            text: Arc::new(Text::new(text, encoding)),
            before: None,
            findings: None,
        };
        self.documents.insert(uri.to_owned(), document);
        self.gather();
    }

    /// Changes a document. Each change is a part and its new text, or the whole text.
    pub(super) fn change(
        &mut self,
        uri: &str,
        version: i64,
        changes: Vec<(Option<Span>, String)>,
        encoding: Encoding,
    ) {
        let Some(document) = self.documents.get_mut(uri) else {
            return;
        };
        let mut text = Text::clone(&document.text);
        for (span, new) in changes {
            match span {
                Some(span) => text.replace(span, &new),
                None => text = Text::new(new, encoding),
            }
        }
        document.text = Arc::new(text);
        document.version = version;
        document.findings = None;
        self.gather();
    }

    pub(super) fn close(&mut self, uri: &str) {
        self.documents.remove(uri);
        self.gather();
    }

    fn gather(&mut self) {
        self.known = None;
        let open = self.documents.values();
        let texts = open.filter_map(|document| {
            let path = document.path.clone()?;
            Some((path, document.text.as_str().to_owned()))
        });
        self.unsaved = Arc::new(texts.collect());
    }

    /// The file of a path, with the texts of the editor.
    pub(super) fn file(&self, path: &Path) -> File {
        File::in_editor(path.to_owned(), Arc::clone(&self.unsaved))
    }

    /// What is known about a document.
    pub(super) fn facts(&mut self, document: &Document) -> Arc<Facts> {
        let begun = Instant::now();
        if let Some((uri, until, facts)) = &self.known
            && *uri == document.uri
            && begun < *until
        {
            return Arc::clone(facts);
        }
        let file = document.path.as_ref().map(|path| self.file(path));
        let before = document.before.clone();
        let mut facts = Facts::of(file, &document.name(), document.text.as_str(), before);
        facts.around = self.around(&facts);
        let facts = Arc::new(facts);
        if let (Some(own), Some(source)) = (self.documents.get_mut(&document.uri), &facts.source) {
            own.before = Some(Arc::clone(source));
        }
        let kept = KEPT.max(begun.elapsed() * KEPT_FOR);
        let until = Instant::now() + kept;
        self.known = Some((document.uri.clone(), until, Arc::clone(&facts)));
        facts
    }

    /// What the files around a document say, where it speaks about them.
    fn around(&mut self, facts: &Facts) -> Around {
        let Some(file) = &facts.file else {
            return Around::default();
        };
        match facts.kind {
            Kind::Sandbox => {
                let beside = file.sibling_tools().into_iter().map(|entry| entry.file);
                Around {
                    tools: Arc::new(beside.filter_map(|file| Tool::of(&file)).collect()),
                    callers: None,
                }
            }
            Kind::Policy => {
                let callers = self.file(&file.path().with_file_name("callers.yaml"));
                Around {
                    tools: self.tools(),
                    callers: check::readable(&callers).filter(|_| callers.exists()),
                }
            }
            _ => Around::default(),
        }
    }

    /// The tools in the folders of the editor; those that are found and read in time. They are kept for a while, since many
    /// files are read for them.
    fn tools(&mut self) -> Arc<Vec<Tool>> {
        let begun = Instant::now();
        if let Some((until, tools)) = &self.tools
            && begun < *until
        {
            return Arc::clone(tools);
        }
        let files = self.files_around().unwrap_or_default();
        let in_time = files.iter().take_while(|_| begun.elapsed() < LONGEST_WALK);
        let tools: Arc<Vec<Tool>> = Arc::new(in_time.filter_map(Tool::of).collect());
        let until = Instant::now() + KEPT.max(begun.elapsed() * KEPT_FOR);
        self.tools = Some((until, Arc::clone(&tools)));
        tools
    }

    /// The descriptors in the folders of the editor; `None` if they are not found in time.
    pub(super) fn files_around(&self) -> Option<Vec<File>> {
        let begun = Instant::now();
        let mut files = Vec::new();
        for folder in &self.folders {
            let left = LONGEST_WALK.saturating_sub(begun.elapsed());
            let found = check::files_below(folder, left)?;
            files.extend(found.iter().map(|file| self.file(file.path())));
        }
        Some(files)
    }

    /// The file of a document that is a descriptor.
    pub(super) fn descriptor(&self, document: &Document) -> Option<File> {
        let file = self.file(document.path.as_ref()?);
        facts::is_ours(&file, document.text.as_str()).then_some(file)
    }

    /// The documents that a change of one may concern: itself first, those in its folder, and policies.
    pub(super) fn concerned(&self, uri: &str) -> Vec<String> {
        let folder = self
            .documents
            .get(uri)
            .and_then(|document| document.path.as_ref()?.parent().map(Path::to_owned));
        let is_beside = |document: &&Document| {
            let own = document.path.as_ref().and_then(|path| path.parent());
            document.uri != uri
                && (own == folder.as_deref() || document.text.as_str().contains("policy:"))
        };
        let others = self.documents.values().filter(is_beside);
        let mut others: Vec<String> = others.map(|document| document.uri.clone()).collect();
        others.sort();
        others.insert(0, uri.to_owned());
        others
    }

    /// The URI of a file: the one that the editor uses where it is open.
    pub(super) fn uri_of(&self, path: &Path) -> Option<String> {
        let open = self
            .documents
            .values()
            .find(|document| document.path.as_deref() == Some(path));
        match open {
            Some(document) => Some(document.uri.clone()),
            None => Url::from_file_path(path).ok().map(String::from),
        }
    }
}

/// The path of a URI of a file.
pub(super) fn path_of(uri: &str) -> Option<PathBuf> {
    let url = Url::parse(uri).ok().filter(|url| url.scheme() == "file")?;
    url.to_file_path().ok()
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[cfg(unix)]
    #[test]
    fn uris_are_paths() {
        for (uri, path) in [
            ("file:///a/b.yaml", Some("/a/b.yaml")),
            ("file:///a%20b/%C3%A9%23.yaml", Some("/a b/é#.yaml")),
            ("file:///a b/c.yaml", Some("/a b/c.yaml")),
            ("untitled:Untitled-1", None),
            ("https://x.test/a.yaml", None),
            ("no uri", None),
        ] {
            assert_eq!(path_of(uri).as_deref(), path.map(Path::new), "{uri}");
        }
    }
}
