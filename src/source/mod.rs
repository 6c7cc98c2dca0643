//! A descriptor file: its text, the value read from it, and the span of every key and value.

mod broken;
mod check;
pub(crate) mod code;
pub(crate) mod finding;
mod origin;
mod pointer;

use std::borrow::Cow;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use serde_json::Value;

pub(crate) use broken::Moved;
pub use check::Check;
pub use code::Code;
pub use finding::{Finding, Position, Severity};
pub(crate) use origin::Origin;
pub use origin::{Power, Untrusted};
#[cfg(feature = "cli")]
pub(crate) use pointer::pointer;
pub(crate) use pointer::{join, join_index, place_order};

use crate::yaml::{self, LineIndex, Lines, Spans};

/// One descriptor file.
pub struct Source {
    /// The file's name as the user knows it.
    pub name: String,
    path: Option<PathBuf>,
    origin: Origin,
    /// The folder that the file must really lie in.
    fence: Option<PathBuf>,
    text: Cow<'static, str>,
    value: Value,
    spans: Option<Spans>,
    lines: OnceLock<Lines>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Source").field(&self.name).finish()
    }
}

impl Source {
    /// Reads a file from disk that the user named.
    ///
    /// # Errors
    /// The findings, all of them, when the file cannot be read, is not UTF-8 or is not plain YAML.
    pub fn open(path: &Path) -> Result<Arc<Source>, Vec<Finding>> {
        Source::open_from(path, Origin::Named)
    }

    /// Reads a file from disk whose descriptor has this origin.
    ///
    /// # Errors
    /// As [`Source::open`].
    pub fn open_from(path: &Path, origin: Origin) -> Result<Arc<Source>, Vec<Finding>> {
        Source::open_within(path, origin, None)
    }

    /// Like [`Source::open_from`], for a file that must lie in a folder. A link may lead out of the folder, to any file
    /// that the user can read, such as a private key. Findings would quote that file, so for such a link they only say
    /// that it is not a valid descriptor.
    ///
    /// # Errors
    /// As [`Source::open`].
    pub fn open_within(
        path: &Path,
        origin: Origin,
        fence: Option<PathBuf>,
    ) -> Result<Arc<Source>, Vec<Finding>> {
        let name = path.display().to_string();
        let text = match read_text(path) {
            Ok(text) => text,
            Err(message) => return Err(vec![Source::unreadable(name, message)]),
        };
        Source::parse_from(
            name,
            Cow::Owned(text),
            Some(path.to_path_buf()),
            origin,
            fence,
        )
    }

    /// Reads text that is already in memory; `name` stands for the file in messages.
    ///
    /// # Errors
    /// The findings, all of them, when the text is not one plain YAML document.
    pub fn parse(name: String, text: Cow<'static, str>) -> Result<Arc<Source>, Vec<Finding>> {
        Source::parse_from(name, text, None, Origin::BuiltIn, None)
    }

    /// Reads the text that a file has in an editor.
    ///
    /// # Errors
    /// As [`Source::parse`].
    pub(crate) fn of_text(
        path: &Path,
        text: String,
        origin: Origin,
    ) -> Result<Arc<Source>, Vec<Finding>> {
        let name = path.display().to_string();
        Source::parse_from(name, text.into(), Some(path.to_owned()), origin, None)
    }

    fn parse_from(
        name: String,
        text: Cow<'static, str>,
        path: Option<PathBuf>,
        origin: Origin,
        fence: Option<PathBuf>,
    ) -> Result<Arc<Source>, Vec<Finding>> {
        match yaml::read(&text, &yaml::Limits::default()) {
            Ok(document) => Ok(Arc::new(Source {
                name,
                path,
                origin,
                fence,
                value: document.value,
                spans: Some(document.spans),
                lines: OnceLock::new(),
                text,
            })),
            Err(problems) => {
                let mut source = Source::bare(name, text);
                (source.path, source.fence) = (path, fence);
                let source = Arc::new(source);
                let findings = problems
                    .into_iter()
                    .map(|problem| finding_of(problem, &source))
                    .collect();
                Err(source.veiled(findings))
            }
        }
    }

    /// What can be read of a file that is not one plain YAML document: the parts of it that are, the parts that are
    /// not, and problems that are not among the findings yet. `None` if nothing can be read.
    pub(crate) fn read_partly(
        findings: &[Finding],
    ) -> Option<(Arc<Source>, Vec<yaml::Unread>, Vec<Finding>)> {
        let broken = &findings.first()?.source;
        let partial = yaml::read_partly(&broken.text, &yaml::Limits::default());
        let document = partial.document?;
        let source = Arc::new(Source {
            name: broken.name.clone(),
            path: broken.path.clone(),
            origin: broken.origin.clone(),
            fence: broken.fence.clone(),
            text: broken.text.clone(),
            value: document.value,
            spans: Some(document.spans),
            lines: OnceLock::new(),
        });
        let is_new = |problem: &yaml::Problem| {
            !findings
                .iter()
                .any(|finding| finding.span.start == problem.span.start)
        };
        let problems = partial.problems.into_iter().filter(is_new);
        let more = problems
            .map(|problem| finding_of(problem, &source))
            .collect();
        Some((source, partial.unread, more))
    }

    /// The finding that a file cannot be read.
    pub(crate) fn unreadable(name: String, message: String) -> Finding {
        Finding {
            code: Code::UnreadableFile,
            severity: Severity::Error,
            message,
            help: None,
            span: 0..0,
            source: Arc::new(Source::bare(name, Cow::Borrowed(""))),
        }
    }

    fn bare(name: String, text: Cow<'static, str>) -> Source {
        Source {
            name,
            path: None,
            origin: Origin::default(),
            fence: None,
            text,
            value: Value::Null,
            spans: None,
            lines: OnceLock::new(),
        }
    }

    /// The findings that may be shown. None of them quotes a file that a link leads to.
    fn veiled(&self, findings: Vec<Finding>) -> Vec<Finding> {
        let is_error = |finding: &Finding| finding.severity == Severity::Error;
        if !findings.iter().any(is_error) || !self.leads_out() {
            return findings;
        }
        vec![Finding {
            code: Code::UnreadableFile,
            severity: Severity::Error,
            message: "this is a link out of the folder, to a file that is no valid descriptor; its content is not shown"
                .to_owned(),
            help: Some("check that file by its own path, or put a descriptor here".to_owned()),
            span: 0..0,
            source: Arc::new(Source::bare(self.name.clone(), Cow::Borrowed(""))),
        }]
    }

    /// Whether the file is outside of the folder that it must lie in.
    fn leads_out(&self) -> bool {
        let (Some(path), Some(fence)) = (&self.path, &self.fence) else {
            return false;
        };
        let is_inside = |file: PathBuf| fence.canonicalize().is_ok_and(|f| file.starts_with(f));
        !is_made_by_shell(path) && !path.canonicalize().is_ok_and(is_inside)
    }

    /// Where the file is on disk. A built-in file has no such place.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Where the descriptor comes from. Text from memory counts as built in.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The whole text of the file.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The value that the file holds.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Lines and columns of a byte range.
    pub fn position(&self, span: Range<usize>) -> Position {
        let index = LineIndex::with(&self.text, self.lines.get_or_init(|| Lines::of(&self.text)));
        let (line, column) = index.line_column(span.start);
        let (end_line, end_column) = index.line_column(span.end);
        Position {
            file: self.name.clone(),
            line,
            column,
            end_line,
            end_column,
        }
    }

    /// The bytes of the value that a JSON Pointer names, or of the nearest one around it.
    pub fn value_span(&self, pointer: &str) -> Range<usize> {
        self.spans
            .as_ref()
            .map_or(0..0, |spans| spans.nearest(pointer))
    }

    /// The bytes of the key of a value; of the value itself, if it has none.
    pub(crate) fn key_span(&self, pointer: &str) -> Range<usize> {
        self.spans
            .as_ref()
            .and_then(|spans| spans.key(pointer))
            .unwrap_or_else(|| self.value_span(pointer))
    }

    fn has(&self, pointer: &str) -> bool {
        let spans = self.spans.as_ref();
        spans.is_some_and(|spans| spans.value(pointer).is_some())
    }

    /// The bytes of a value with its key.
    fn entry_span(&self, pointer: &str) -> Range<usize> {
        let (key, value) = (self.key_span(pointer), self.value_span(pointer));
        match key.start <= value.end {
            true => key.start..value.end.max(key.end),
            false => value,
        }
    }

    fn inner_span(&self, pointer: &str, range: Range<usize>) -> Range<usize> {
        let Some(spans) = &self.spans else {
            return 0..0;
        };
        let start = spans.inside(&self.text, pointer, range.start);
        let end = spans.inside(&self.text, pointer, range.end).max(start);
        start..end
    }
}

fn finding_of(problem: yaml::Problem, source: &Arc<Source>) -> Finding {
    Finding {
        code: match problem.kind {
            yaml::ProblemKind::DuplicateKey => Code::DuplicateKey,
            _ => Code::YamlSyntax,
        },
        severity: Severity::Error,
        message: problem.message,
        help: problem.help,
        span: problem.span,
        source: source.clone(),
    }
}

/// Largest descriptor file that is read, in bytes.
pub(crate) const MAX_FILE_BYTES: u64 = 1 << 20;

fn is_made_by_shell(path: &Path) -> bool {
    path.starts_with("/dev/fd") || path == Path::new("/dev/stdin")
}

/// The text of a descriptor file. Only a plain file of a moderate size is read.
///
/// # Errors
/// Why it cannot be read, in words.
pub(crate) fn read_text(path: &Path) -> Result<String, String> {
    use std::io::Read;
    // Opening a pipe waits for its writer, so a pipe in a folder would block the program forever. A pipe that the shell
    // made for the program is fine.
    let metadata = path.metadata().ok();
    let is_plain = metadata.as_ref().is_none_or(std::fs::Metadata::is_file);
    if !is_plain && !is_made_by_shell(path) {
        return Err("it is no plain file".to_owned());
    }
    let file =
        std::fs::File::open(path).map_err(|error| format!("cannot open the file: {error}"))?;
    // With room for the whole file and its end, it is read at once.
    let size = metadata.map_or(0, |metadata| metadata.len().min(MAX_FILE_BYTES));
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot read the file: {error}"))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!(
            "the file is larger than {MAX_FILE_BYTES} bytes, the most that a descriptor may have"
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        format!(
            "the file is not UTF-8 text: byte {} is not part of a character",
            error.utf8_error().valid_up_to()
        )
    })
}
