//! A descriptor file: its text, the value read from it, and the span of every key and value.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::code::Code;
use super::finding::{Finding, Place, Severity};
use super::origin::Origin;
use super::yaml::{self, LineIndex, Spans};

/// One descriptor file.
pub struct Source {
    /// The file's name as the user knows it.
    pub name: String,
    path: Option<PathBuf>,
    origin: Origin,
    text: Cow<'static, str>,
    value: Value,
    spans: Option<Spans>,
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

    /// Reads a file from disk that comes from there.
    ///
    /// # Errors
    /// As [`Source::open`].
    pub fn open_from(path: &Path, origin: Origin) -> Result<Arc<Source>, Vec<Finding>> {
        let name = path.display().to_string();
        let text = match read_bounded(path) {
            Ok(text) => text,
            Err(message) => {
                let source = Arc::new(Source::bare(name, Cow::Borrowed("")));
                return Err(vec![Finding {
                    code: Code::UnreadableFile,
                    severity: Severity::Error,
                    message,
                    help: None,
                    span: 0..0,
                    source,
                }]);
            }
        };
        Source::read(name, Cow::Owned(text), Some(path.to_path_buf()), origin)
    }

    /// Reads text that is already in memory; `name` stands for the file in messages.
    ///
    /// # Errors
    /// The findings, all of them, when the text is not one plain YAML document.
    pub fn parse(name: String, text: Cow<'static, str>) -> Result<Arc<Source>, Vec<Finding>> {
        Source::read(name, text, None, Origin::BuiltIn)
    }

    fn read(
        name: String,
        text: Cow<'static, str>,
        path: Option<PathBuf>,
        origin: Origin,
    ) -> Result<Arc<Source>, Vec<Finding>> {
        match yaml::read(&text, &yaml::Limits::default()) {
            Ok(document) => Ok(Arc::new(Source {
                name,
                path,
                origin,
                value: document.value,
                spans: Some(document.spans),
                text,
            })),
            Err(problems) => {
                let source = Arc::new(Source::bare(name, text));
                Err(problems
                    .into_iter()
                    .map(|problem| Finding {
                        code: match problem.kind {
                            yaml::ProblemKind::DuplicateKey => Code::DuplicateKey,
                            _ => Code::YamlSyntax,
                        },
                        severity: Severity::Error,
                        message: problem.message,
                        help: problem.help,
                        span: problem.span,
                        source: source.clone(),
                    })
                    .collect())
            }
        }
    }

    fn bare(name: String, text: Cow<'static, str>) -> Source {
        Source {
            name,
            path: None,
            origin: Origin::default(),
            text,
            value: Value::Null,
            spans: None,
        }
    }

    /// Where the file is on disk; a built-in one is nowhere.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Where the descriptor comes from. Text from memory is the program's own.
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
    pub fn place(&self, span: Range<usize>) -> Place {
        let index = LineIndex::new(&self.text);
        let (line, column) = index.line_column(span.start);
        let (end_line, end_column) = index.line_column(span.end);
        Place {
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

    fn key_span(&self, pointer: &str) -> Range<usize> {
        self.spans
            .as_ref()
            .and_then(|spans| spans.key(pointer))
            .unwrap_or_else(|| self.value_span(pointer))
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

/// Largest descriptor file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

fn read_bounded(path: &Path) -> Result<String, String> {
    use std::io::Read;
    // To open a pipe waits for whoever writes into it, so one that lies in a folder would hold the program for good.
    // One that the shell made for the program is fine.
    let is_made_by_shell = path.starts_with("/dev/fd") || path == Path::new("/dev/stdin");
    let is_plain = |metadata: &std::fs::Metadata| metadata.is_file();
    if !is_made_by_shell && !path.metadata().as_ref().map_or(true, is_plain) {
        return Err("it is no plain file".to_owned());
    }
    let file =
        std::fs::File::open(path).map_err(|error| format!("cannot open the file: {error}"))?;
    let mut bytes = Vec::new();
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

/// Collects findings while one source is checked and compiled. Places are given as JSON Pointers.
pub struct Check {
    source: Arc<Source>,
    findings: RefCell<Vec<Finding>>,
    proves: bool,
    has_gaps: Cell<bool>,
}

impl Check {
    /// Starts with no findings.
    pub fn new(source: Arc<Source>) -> Check {
        Check {
            source,
            findings: RefCell::default(),
            proves: false,
            has_gaps: Cell::new(false),
        }
    }

    /// Starts with no findings, and asks for every check there is, not only for those that a call needs.
    pub fn proving(source: Arc<Source>) -> Check {
        Check {
            proves: true,
            ..Check::new(source)
        }
    }

    /// Whether every check is asked for.
    pub fn proves(&self) -> bool {
        self.proves
    }

    /// From here on, parts of the source are missing because they are broken: findings that may only say so are dropped.
    pub fn expect_gaps(&self) {
        self.has_gaps.set(true);
    }

    /// How many findings there are so far.
    pub fn count(&self) -> usize {
        self.findings.borrow().len()
    }

    /// The source that is checked.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Reports an error at the value that `pointer` names.
    pub fn error(&self, code: Code, pointer: &str, message: impl Into<String>) {
        self.push(code, self.source.value_span(pointer), message.into(), None);
    }

    /// Like [`Check::error`], with a sentence that says how to mend it.
    pub fn error_with_help(
        &self,
        code: Code,
        pointer: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let span = self.source.value_span(pointer);
        self.push(code, span, message.into(), Some(help.into()));
    }

    /// Reports an error at the key whose value `pointer` names.
    pub fn error_at_key(
        &self,
        code: Code,
        pointer: &str,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        self.push(code, self.source.key_span(pointer), message.into(), help);
    }

    /// Reports an error about a map as a whole at its key, or at the first key of the file.
    pub fn error_at_map(&self, code: Code, pointer: &str, message: impl Into<String>) {
        let first = self
            .source
            .value
            .pointer(pointer)
            .and_then(Value::as_object)
            .and_then(|members| members.keys().next());
        let span = match (pointer, first) {
            ("", Some(first)) => self.source.key_span(&join("", first)),
            _ => self.source.key_span(pointer),
        };
        self.push(code, span, message.into(), None);
    }

    /// Reports an error at a value that is a text, and at the key of any other.
    pub fn error_at_key_or_value(&self, code: Code, pointer: &str, message: impl Into<String>) {
        match self.source.value.pointer(pointer) {
            Some(Value::String(_)) => self.error(code, pointer, message),
            _ => self.error_at_key(code, pointer, message, None),
        }
    }

    /// Reports an error at a byte range inside the string that `pointer` names.
    pub fn error_inside(
        &self,
        code: Code,
        pointer: &str,
        range: Range<usize>,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let span = self.source.inner_span(pointer, range);
        self.push(code, span, message.into(), help);
    }

    fn push(&self, code: Code, span: Range<usize>, message: String, help: Option<String>) {
        if self.has_gaps.get() && !code.stands_alone() {
            return;
        }
        self.findings.borrow_mut().push(Finding {
            code,
            severity: code.meaning().severity,
            message,
            help,
            span,
            source: self.source.clone(),
        });
    }

    /// Whether an error was reported.
    pub fn failed(&self) -> bool {
        self.findings
            .borrow()
            .iter()
            .any(|finding| finding.severity == Severity::Error)
    }

    /// All findings, in the order of the file, without the warnings that the file allows.
    pub fn into_findings(self) -> Vec<Finding> {
        // What a broken descriptor would warn of is not known yet, so neither is which allowance serves nothing.
        if self.proves {
            self.apply_allowances(!self.failed());
        }
        let mut findings = self.findings.into_inner();
        let mut seen = std::collections::HashSet::new();
        findings.retain(|f| seen.insert((f.code, f.span.clone(), f.message.clone())));
        findings.sort_by_key(|finding| finding.span.start);
        findings
    }
}

impl Check {
    /// Drops the warnings that the file allows by its `allow`, and reports allowances that serve nothing.
    fn apply_allowances(&self, judge: bool) {
        let Some(Value::Object(allowed)) = self.source.value().get("allow") else {
            return;
        };
        for name in allowed.keys() {
            let is_meant = |finding: &Finding| {
                finding.severity == Severity::Warning && finding.code.name() == name
            };
            let before = self.count();
            self.findings
                .borrow_mut()
                .retain(|finding| !is_meant(finding));
            let is_warning = Code::from_name(name)
                .is_some_and(|code| code.meaning().severity == Severity::Warning);
            if self.count() < before || (is_warning && !judge) {
                continue;
            }
            let message = match Code::from_name(name) {
                Some(code) if code.meaning().severity == Severity::Error => {
                    format!("`{name}` is an error, which cannot be allowed")
                }
                Some(_) => format!("there is no `{name}` to allow"),
                None => format!("there is no warning called `{name}`"),
            };
            let warnings = Code::ALL
                .iter()
                .filter(|code| code.meaning().severity == Severity::Warning);
            let help = match Code::from_name(name) {
                Some(_) => Some("remove it".to_owned()),
                None => crate::template::nearest(name, warnings.map(|code| code.name())),
            };
            self.error_at_key(Code::NeedlessAllow, &join("/allow", name), message, help);
        }
    }
}

/// Appends one reference token to a JSON Pointer (RFC 6901).
pub fn join(pointer: &str, token: &str) -> String {
    let mut joined = String::with_capacity(pointer.len() + token.len() + 1);
    joined.push_str(pointer);
    joined.push('/');
    for character in token.chars() {
        match character {
            '~' => joined.push_str("~0"),
            '/' => joined.push_str("~1"),
            other => joined.push(other),
        }
    }
    joined
}

/// Appends an array index to a JSON Pointer.
pub fn join_index(pointer: &str, index: usize) -> String {
    format!("{pointer}/{index}")
}
