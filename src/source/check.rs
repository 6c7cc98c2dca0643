//! What is found wrong while one source is checked and compiled.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use super::broken::{Broken, Moved, has_word};
use super::{Code, Finding, Severity, Source, join};
use crate::words::nearest;

/// Collects findings while one source is checked and compiled. Places are given as JSON Pointers.
pub struct Check {
    source: Arc<Source>,
    findings: RefCell<Vec<Finding>>,
    proves: bool,
    /// Whether lints are asked for.
    lints: bool,
    /// The units of the file that lost a part: the pointer of an entry that concerns nothing else, or an empty text for
    /// what may concern everything.
    gaps: RefCell<Vec<String>>,
    /// The sections whose entries concern nothing else.
    alone: Cell<&'static [&'static str]>,
    /// The parts that cannot be relied on.
    broken: RefCell<Vec<Broken>>,
    /// How the places in the value that is checked differ from those in the file.
    moved: RefCell<Vec<Moved>>,
}

impl Check {
    /// Starts with no findings.
    pub fn new(source: Arc<Source>) -> Check {
        Check {
            source,
            findings: RefCell::default(),
            proves: false,
            lints: false,
            gaps: RefCell::default(),
            alone: Cell::default(),
            broken: RefCell::default(),
            moved: RefCell::default(),
        }
    }

    /// Starts with no findings, and asks for every check, not only for those that a call needs.
    pub fn proving(source: Arc<Source>) -> Check {
        Check {
            proves: true,
            ..Check::new(source)
        }
    }

    /// Asks for lints too.
    #[must_use]
    pub(crate) fn with_lints(self, lints: bool) -> Check {
        Check { lints, ..self }
    }

    /// Whether every check is asked for.
    pub fn proves(&self) -> bool {
        self.proves
    }

    /// From here on, only findings count that are certain although parts of the source are missing. For checks that do
    /// not ask [`Check::is_broken`] themselves. An entry of one of the sections `alone` concerns nothing outside of it.
    #[cfg_attr(
        not(feature = "sandbox"),
        allow(dead_code, reason = "only the sandbox's checks need it")
    )]
    pub(crate) fn expect_gaps(&self, alone: &'static [&'static str]) {
        self.alone.set(alone);
        let broken = self.broken.borrow();
        let units = broken
            .iter()
            .map(|broken| self.unit(&broken.pointer).to_owned());
        self.gaps.borrow_mut().extend(units);
    }

    /// The entry that a place is in; empty if the place is in none.
    fn unit<'p>(&self, pointer: &'p str) -> &'p str {
        let mut sections = self.alone.get().iter();
        let section = sections.find(|section| {
            let rest = pointer.strip_prefix(**section);
            rest.is_some_and(|rest| rest.starts_with('/'))
        });
        let Some(section) = section else {
            return "";
        };
        let entry = &pointer[section.len() + 1..];
        let end = entry.find('/').unwrap_or(entry.len());
        &pointer[..section.len() + 1 + end]
    }

    /// Whether a finding at a place may only be a consequence of what is missing.
    fn is_doubtful(&self, pointer: &str) -> bool {
        let unit = self.unit(pointer);
        let gaps = self.gaps.borrow();
        gaps.iter().any(|gap| gap.is_empty() || gap == unit)
    }

    /// Notes a part of the file that could not be read, and whose problem is already a finding.
    pub(crate) fn note_broken(&self, pointer: &str, text: Range<usize>) {
        self.broken.borrow_mut().push(Broken {
            pointer: pointer.to_owned(),
            text,
            is_unread: false,
        });
    }

    /// Notes a part of the file whose text could not be read as YAML. `pointer` is the map around it.
    pub(crate) fn note_unread(&self, pointer: &str, text: Range<usize>) {
        self.broken.borrow_mut().push(Broken {
            pointer: pointer.to_owned(),
            text,
            is_unread: true,
        });
    }

    /// Notes a part of the value that is checked, which is missing from here on.
    pub(crate) fn note_broken_now(&self, pointer: &str, text: Range<usize>) {
        let pointer = self.in_file(pointer).into_owned();
        self.note_broken(&pointer, text);
    }

    /// The bytes of a value with its key.
    pub(crate) fn entry_span(&self, pointer: &str) -> Range<usize> {
        self.source.entry_span(&self.in_file(pointer))
    }

    /// Notes how the value that is checked from here on differs from the file.
    pub(crate) fn note_moved(&self, moved: Moved) {
        self.moved.borrow_mut().push(moved);
    }

    /// Whether the value at `pointer`, a part of it or a value around it has an error. What is missing there, or what
    /// depends on it, may only be a consequence of that error.
    pub(crate) fn is_broken(&self, pointer: &str) -> bool {
        let pointer = self.in_file(pointer);
        let broken = self.broken.borrow();
        broken.iter().any(|broken| broken.touches(&pointer))
    }

    /// The places in a value that have errors, as pointers inside it.
    pub(crate) fn broken_within(&self, pointer: &str) -> Vec<String> {
        let pointer = self.in_file(pointer);
        let broken = self.broken.borrow();
        let inside = broken.iter().filter(|broken| broken.is_in(&pointer));
        inside
            .map(|broken| broken.pointer[pointer.len()..].to_owned())
            .collect()
    }

    /// Whether a broken part outside of `elsewhere` has this word in its text, so that it may use what the word names.
    pub(crate) fn may_be_used(&self, word: &str, elsewhere: &[&str]) -> bool {
        let broken = self.broken.borrow();
        let parts = broken
            .iter()
            .filter(|broken| !elsewhere.iter().any(|section| broken.is_in(section)));
        let text = self.source.text();
        parts
            .filter_map(|broken| text.get(broken.text.clone()))
            .any(|text| has_word(text, word))
    }

    /// Whether the text of the value at the pointer, or of one around it, could not be read as YAML.
    pub(crate) fn is_unread(&self, pointer: &str) -> bool {
        let pointer = self.in_file(pointer);
        let value = self.source.value_span(&pointer);
        let broken = self.broken.borrow();
        let mut unread = broken.iter().filter(|broken| broken.is_unread);
        let follows = |broken: &Broken| {
            // A key without a value lost it to the text behind.
            let between = self.source.text().get(value.end..broken.text.start);
            value.is_empty() && between.is_some_and(|between| between.trim().is_empty())
        };
        unread.any(|broken| broken.is_around(&pointer) || follows(broken))
    }

    /// Whether there is something at the pointer that is broken as a whole, so that nothing is known about its parts.
    pub(crate) fn is_unreadable(&self, pointer: &str) -> bool {
        let pointer = self.in_file(pointer);
        let broken = self.broken.borrow();
        let is_map = || matches!(self.source.value.pointer(&pointer), Some(Value::Object(_)));
        broken.iter().any(|broken| broken.is_around(&pointer)) && !is_map()
    }

    /// The keys that the file has in the map at a place with errors, also those whose values are broken.
    pub(crate) fn written_names(&self, pointer: &str) -> Vec<String> {
        let written = self.source.value.pointer(&self.in_file(pointer));
        match (written, self.is_broken(pointer)) {
            (Some(Value::Object(members)), true) => members.keys().cloned().collect(),
            _ => Vec::new(),
        }
    }

    /// Whether text of this map that could not be read probably has this key.
    pub(crate) fn is_lost(&self, pointer: &str, key: &str) -> bool {
        let pointer = self.in_file(pointer);
        let broken = self.broken.borrow();
        let text = self.source.text();
        broken
            .iter()
            .filter(|broken| broken.is_unread && broken.is_in(&pointer))
            .filter_map(|broken| text.get(broken.text.clone()))
            .any(|text| has_word(text, key))
    }

    /// The place in the file of a place in the value that is checked.
    fn in_file<'p>(&self, pointer: &'p str) -> Cow<'p, str> {
        let moved = self.moved.borrow();
        let back = moved.iter().rev();
        back.fold(Cow::Borrowed(pointer), |pointer, moved| moved.back(pointer))
    }

    fn value_span(&self, pointer: &str) -> Range<usize> {
        self.source.value_span(&self.in_file(pointer))
    }

    fn key_span(&self, pointer: &str) -> Range<usize> {
        self.source.key_span(&self.in_file(pointer))
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
        let span = self.value_span(pointer);
        self.push(code, pointer, span, message.into(), None);
    }

    /// Like [`Check::error`], with a sentence that says how to fix it.
    pub fn error_with_help(
        &self,
        code: Code,
        pointer: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let span = self.value_span(pointer);
        self.push(code, pointer, span, message.into(), Some(help.into()));
    }

    /// Reports an error at the key whose value `pointer` names.
    pub fn error_at_key(
        &self,
        code: Code,
        pointer: &str,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let span = self.key_span(pointer);
        self.push(code, pointer, span, message.into(), help);
    }

    /// Reports an error about a map as a whole at its key, or at the first key of the file.
    pub fn error_at_map(&self, code: Code, pointer: &str, message: impl Into<String>) {
        self.push(code, pointer, self.map_span(pointer), message.into(), None);
    }

    /// Reports that a map lacks a key, as [`Check::error_at_map`]. What is broken is the missing value alone.
    pub(crate) fn missing_key(&self, pointer: &str, key: &str, message: impl Into<String>) {
        let span = self.map_span(pointer);
        self.push(
            Code::MissingKey,
            &join(pointer, key),
            span,
            message.into(),
            None,
        );
    }

    fn map_span(&self, pointer: &str) -> Range<usize> {
        let first = self
            .source
            .value
            .pointer(&self.in_file(pointer))
            .and_then(Value::as_object)
            .and_then(|members| members.keys().next());
        match (pointer, first) {
            ("", Some(first)) => self.source.key_span(&join("", first)),
            _ => self.key_span(pointer),
        }
    }

    /// Reports an error at a value that is a text; for any other value, at its key.
    pub fn error_at_key_or_value(&self, code: Code, pointer: &str, message: impl Into<String>) {
        match self.source.value.pointer(&self.in_file(pointer)) {
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
        let span = self.source.inner_span(&self.in_file(pointer), range);
        self.push(code, pointer, span, message.into(), help);
    }

    /// Reports a finding about bytes of the file that belong to no value, such as a comment.
    pub(crate) fn error_in_text(
        &self,
        code: Code,
        span: Range<usize>,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        self.add(code, "", span, message.into(), help);
    }

    fn push(
        &self,
        code: Code,
        pointer: &str,
        span: Range<usize>,
        message: String,
        help: Option<String>,
    ) {
        let pointer = self.in_file(pointer);
        // A secret in an example is not what the example is about.
        let is_odd = code == Code::LiteralSecret && pointer.starts_with("/examples/");
        if self.proves && (code.breaks_its_place() || is_odd) {
            // The text of a key that is missing is nowhere.
            let text = match self.source.has(&pointer) {
                true => self.source.entry_span(&pointer),
                false => 0..0,
            };
            self.note_broken(&pointer, text);
        }
        self.add(code, &pointer, span, message, help);
    }

    fn add(
        &self,
        code: Code,
        pointer: &str,
        span: Range<usize>,
        message: String,
        help: Option<String>,
    ) {
        if !code.stands_alone() && self.is_doubtful(pointer) {
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
            self.apply_allowances(!self.failed() && self.broken.borrow().is_empty());
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
            // It accepts a change between versions, which one version does not show.
            let first = name.split(' ').next().unwrap_or_default();
            if Code::from_name(first).is_some_and(Code::is_change) {
                continue;
            }
            let is_warning = Code::from_name(name)
                .is_some_and(|code| code.meaning().severity == Severity::Warning);
            let is_elsewhere = Code::from_name(name).is_some_and(|code| {
                code.is_of_recordings() && code.meaning().severity != Severity::Error
            });
            // Without lints nobody knows whether one occurs.
            let is_unasked = !self.lints && Code::from_name(name).is_some_and(Code::is_lint);
            let is_open = is_elsewhere || is_unasked;
            if self.count() < before || (is_warning && !judge) || is_open {
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
