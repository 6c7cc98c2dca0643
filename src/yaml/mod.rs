//! Reads one YAML 1.2 document (core schema) into a [`serde_json::Value`],
//! together with the place of every key and value in the source text.
//!
//! The text is read in one pass. Mistakes that leave the structure readable
//! (duplicate keys, aliases, tags, ...) are gathered and returned together; a
//! syntax error or a broken limit ends the pass.
//!
//! Whatever JSON cannot represent is refused and not changed: anchors, aliases, merge keys, tags, keys that are not
//! text, several documents, infinities, and numbers with more digits than 64 bits hold. Only documents that others
//! wrote may have these (`foreign`).

#[cfg(feature = "cli")]
mod edit;
mod foreign;
mod input;
#[cfg(feature = "cli")]
pub(crate) mod layout;
mod lines;
mod partial;
mod reader;
mod scalar;
mod source;
mod spans;
#[cfg(feature = "import")]
pub(crate) mod style;
mod syntax;
#[cfg(test)]
mod tests;
mod unfold;

#[cfg(feature = "cli")]
pub(crate) use edit::with_values;
pub(crate) use foreign::depth_exceeds;
pub use lines::LineIndex;
pub(crate) use lines::Lines;
pub(crate) use partial::{Unread, read_partly};
pub(crate) use scalar::{Plain, classify};
pub use spans::Spans;

/// A byte range in the source text. Both ends lie on character boundaries.
pub type Span = std::ops::Range<usize>;

/// A document that was read without a problem.
#[derive(Clone, Debug)]
pub struct Document {
    /// The content; mappings keep the order in which they were written.
    pub value: serde_json::Value,
    /// Where each part of `value` stands in the text.
    pub spans: Spans,
}

/// How large a document may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest text, in bytes.
    pub bytes: usize,
    /// The deepest nesting; a scalar alone has depth 0, `[a]` has depth 1.
    /// Brackets nested more than 255 deep are refused whatever this says.
    pub depth: usize,
    /// The most scalars and collections, keys included.
    pub nodes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 1 << 20,
            depth: 64,
            nodes: 100_000,
        }
    }
}

/// Something in the text that must be changed before it can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What sort of mistake it is.
    pub kind: ProblemKind,
    /// The text at fault; empty when something is missing there.
    pub span: Span,
    /// What is wrong, in one plain sentence without a full stop.
    pub message: String,
    /// How to fix it, if that is known.
    pub help: Option<String>,
    /// Another place that explains this one (the first of two equal keys, the
    /// bracket left open), with a few words about it.
    pub related: Option<(Span, String)>,
}

impl Problem {
    fn new(kind: ProblemKind, span: Span, message: impl Into<String>) -> Self {
        Self {
            kind,
            span,
            message: message.into(),
            help: None,
            related: None,
        }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn related(mut self, span: Span, words: impl Into<String>) -> Self {
        self.related = Some((span, words.into()));
        self
    }
}

/// The sorts of [`Problem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// The text is not well-formed YAML.
    Syntax,
    /// There is no content at all.
    Empty,
    /// A mapping has the same key twice.
    DuplicateKey,
    /// An alias (`*name`) or a merge key (`<<`).
    Alias,
    /// An anchor (`&name`).
    Anchor,
    /// A tag (`!name`).
    Tag,
    /// A key that is null, empty, a block scalar or a collection.
    NonStringKey,
    /// A second document follows the first.
    SeveralDocuments,
    /// A number JSON cannot hold: `.inf`, `.nan`, a float beyond the range of
    /// `f64` or with more digits than it keeps, or an integer beyond the
    /// ranges of `i64` and `u64`.
    NonFiniteNumber,
    /// More bytes than [`Limits::bytes`].
    TooLarge,
    /// Nested deeper than [`Limits::depth`].
    TooDeep,
    /// More parts than [`Limits::nodes`].
    TooMany,
}

/// Reads the text as one YAML document.
///
/// # Errors
///
/// All problems found, in the order of their places; never an empty list. At
/// most a hundred are gathered.
pub fn read(text: &str, limits: &Limits) -> Result<Document, Vec<Problem>> {
    match source::check(text, limits) {
        Some(problem) => Err(vec![problem]),
        None => reader::read(text, limits),
    }
}

/// Reads the text as one YAML document that others wrote: with anchors, aliases, merge keys and tags, and with the
/// nearest that JSON has for a number that it cannot hold.
///
/// # Errors
///
/// The first problem.
pub(crate) fn read_foreign(text: &str, limits: &Limits) -> Result<serde_json::Value, Problem> {
    if let Some(problem) = source::check(text, limits) {
        return Err(problem);
    }
    let empty = Problem::new(ProblemKind::Empty, 0..0, "the document is empty");
    match reader::read_foreign(text, limits) {
        Ok(document) => Ok(document.value),
        Err(problems) => Err(problems.into_iter().next().unwrap_or(empty)),
    }
}
