//! What is found wrong while one source is checked and compiled.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use super::{Code, Finding, Severity, Source, join};
use crate::words::nearest;

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

    /// Starts with no findings, and asks for every check, not only for those that a call needs.
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

    /// From here on, broken parts of the source are missing. Findings that may only be a consequence of that are
    /// dropped.
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

    /// Like [`Check::error`], with a sentence that says how to fix it.
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

    /// Reports an error at a value that is a text; for any other value, at its key.
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

    /// All findings in the order of the file, without the warnings that the file's `allow` permits.
    pub fn into_findings(self) -> Vec<Finding> {
        // While a descriptor is broken, not all of its warnings are known. So we do not know which entries of `allow`
        // are needless.
        if self.proves {
            self.apply_allowances(!self.failed());
        }
        let mut findings = self.findings.into_inner();
        let mut seen = std::collections::HashSet::new();
        findings.retain(|f| seen.insert((f.code, f.span.clone(), f.message.clone())));
        findings.sort_by_key(|finding| finding.span.start);
        self.source.veiled(findings)
    }
}

impl Check {
    /// Drops the warnings that the file's `allow` permits, and reports entries of `allow` that match no warning.
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
                Some(_) => format!("no warning `{name}` occurs here"),
                None => format!("there is no warning called `{name}`"),
            };
            let warnings = Code::ALL
                .iter()
                .filter(|code| code.meaning().severity == Severity::Warning);
            let help = match Code::from_name(name) {
                Some(_) => Some("remove it".to_owned()),
                None => nearest(name, warnings.map(|code| code.name())),
            };
            self.error_at_key(Code::NeedlessAllow, &join("/allow", name), message, help);
        }
    }
}
