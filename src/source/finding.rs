//! Findings: what is wrong with a descriptor, and where.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

use super::Source;
use super::code::Code;

/// How bad a finding is. A descriptor with an error cannot be called; a warning is advice; a note is nothing bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something to know, such as a change that breaks nothing.
    Note,
    /// Advice. The descriptor works.
    Warning,
    /// The descriptor cannot be used as it is.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        })
    }
}

/// One thing that is wrong with a descriptor.
#[derive(Clone)]
pub struct Finding {
    /// The stable kind.
    pub code: Code,
    /// Whether the descriptor can still be used.
    pub severity: Severity,
    /// What is wrong, naming the thing.
    pub message: String,
    /// How to fix it, if that is known.
    pub help: Option<String>,
    /// The byte range in the source that is wrong.
    pub span: Range<usize>,
    /// The file that has the finding.
    pub source: Arc<Source>,
}

/// A position that an editor understands: lines and columns count from 1, columns in Unicode scalar values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Position {
    /// The file as it was named when it was loaded.
    pub file: String,
    /// Line of the first character.
    pub line: usize,
    /// Column of the first character.
    pub column: usize,
    /// Line just behind the last character.
    pub end_line: usize,
    /// Column just behind the last character.
    pub end_column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl Finding {
    /// Where the finding stands in its file.
    pub fn position(&self) -> Position {
        self.source.position(self.span.clone())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}[{}]: {}",
            self.position(),
            self.severity,
            self.code,
            self.message
        )?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
