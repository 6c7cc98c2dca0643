//! Findings: what is wrong with a descriptor, and where.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

use super::source::Source;

/// How bad a finding is. A descriptor with an error cannot be called; a warning is advice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Advice: the descriptor works.
    Warning,
    /// The descriptor cannot be used as it is.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Warning => "warning",
            Severity::Error => "error",
        })
    }
}

macro_rules! codes {
    ($($variant:ident = $name:literal, $meaning:literal;)*) => {
        /// The stable name of a kind of finding.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $meaning] $variant,)*
        }

        impl Code {
            /// Every code, in the order of this table.
            pub const ALL: &'static [Code] = &[$(Code::$variant),*];

            /// The name that users see, such as `unknown-key`.
            pub fn name(self) -> &'static str {
                match self { $(Code::$variant => $name,)* }
            }

            /// One sentence that says what the code means.
            pub fn meaning(self) -> &'static str {
                match self { $(Code::$variant => $meaning,)* }
            }
        }
    };
}

codes! {
    UnreadableFile = "unreadable-file", "The file cannot be read as UTF-8 text.";
    YamlSyntax = "yaml-syntax", "The file is not one well-formed YAML document of plain maps, lists and scalars.";
    DuplicateKey = "duplicate-key", "A key stands twice in the same map.";
    UnknownKey = "unknown-key", "A key that the format does not have.";
    MissingKey = "missing-key", "A key that the format requires is absent.";
    WrongType = "wrong-type", "A value has another type than its key takes.";
    BadValue = "bad-value", "A value is outside what its key allows.";
    BadName = "bad-name", "A name does not follow the rules for names, or is not the name of its file or folder.";
    MissingService = "missing-service", "The tool's service has no service.yaml beside it.";
    BadBaseUrl = "bad-base-url", "The base URL is not an https or loopback origin with an optional path.";
    BadSchema = "bad-schema", "A JSON Schema is not valid.";
    BadDefault = "bad-default", "A default does not satisfy its own schema.";
    BadTemplate = "bad-template", "A string with {{ }} cannot be parsed as literal text and expressions.";
    UnknownName = "unknown-name", "An expression names something that does not exist.";
    BadPath = "bad-path", "The path template cannot be a safe URL path.";
    BadJsonPath = "bad-jsonpath", "A JSONPath is not valid by RFC 9535.";
    BadProjection = "bad-projection", "A projection node has no valid form.";
    BadHeader = "bad-header", "A header name or value is not legal in HTTP.";
    BadBody = "bad-body", "The body does not fit the method or the format.";
    BadPaging = "bad-paging", "The paging section cannot walk this tool's pages.";
    BadRegex = "bad-regex", "A regular expression does not compile.";
    UnusedParam = "unused-param", "A param is declared and never used.";
    OptionalInText = "optional-in-text", "An optional param without a default stands inside a longer text.";
    ExampleFails = "example-fails", "An example does not render or project as it says.";
    BadSandbox = "bad-sandbox", "The sandbox declaration cannot work.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// One thing that is wrong with a descriptor.
#[derive(Clone)]
pub struct Finding {
    /// The stable kind.
    pub code: Code,
    /// Whether the descriptor can be used in spite of it.
    pub severity: Severity,
    /// What is wrong, naming the thing.
    pub message: String,
    /// How to mend it, where that is known.
    pub help: Option<String>,
    /// The byte range in the source that is at fault.
    pub span: Range<usize>,
    /// The file that it was found in.
    pub source: Arc<Source>,
}

/// A position that an editor understands: lines and columns count from 1, columns in Unicode scalar values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
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

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl Finding {
    /// Where the finding stands in its file.
    pub fn place(&self) -> Place {
        self.source.place(self.span.clone())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}[{}]: {}",
            self.place(),
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
