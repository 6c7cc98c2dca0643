//! The parts of a document as they are laid out: values with the comments and blank lines that belong to them.

/// What stands on lines of its own before a part.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Line {
    Blank,
    Comment(String),
}

/// A map's entry or a list's item.
#[derive(Debug)]
pub(super) struct Part {
    /// The lines before it.
    pub(super) lead: Vec<Line>,
    /// The key as it is written; `None` for an item.
    pub(super) key: Option<Key>,
    pub(super) value: Value,
    /// The comments at the ends of its lines.
    pub(super) ends: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) written: String,
}

#[derive(Debug)]
pub(super) enum Value {
    /// Nothing is written.
    Missing,
    /// A plain or quoted scalar.
    Scalar(Scalar),
    Block(Block),
    Many(Many),
}

#[derive(Debug)]
pub(super) struct Scalar {
    /// How it is written, where that stays.
    pub(super) kept: Option<String>,
    /// The value, where it is a text.
    pub(super) text: String,
}

/// A literal or folded text.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) is_literal: bool,
    /// What is written behind `|` or `>` about the end: `-`, `+` or nothing.
    pub(super) chomping: &'static str,
    /// The lines, without their indentation.
    pub(super) lines: Vec<String>,
    /// The value.
    pub(super) text: String,
}

/// A map or a list.
#[derive(Debug)]
pub(super) struct Many {
    pub(super) is_map: bool,
    pub(super) is_in_brackets: bool,
    pub(super) parts: Vec<Part>,
    /// The lines behind the last part.
    pub(super) foot: Vec<Line>,
}

impl Many {
    /// Whether there is a comment anywhere in it.
    pub(super) fn has_comment(&self) -> bool {
        let is_comment = |line: &Line| matches!(line, Line::Comment(_));
        self.foot.iter().any(is_comment)
            || self.parts.iter().any(|part| {
                part.lead.iter().any(is_comment)
                    || !part.ends.is_empty()
                    || matches!(&part.value, Value::Many(many) if many.has_comment())
            })
    }
}

/// A document.
#[derive(Debug)]
pub(super) struct Whole {
    /// The lines before `---`.
    pub(super) before: Vec<Line>,
    /// The line `---` with its comment.
    pub(super) begin: Option<String>,
    /// The lines that stay first, whatever the first key is.
    pub(super) head: Vec<Line>,
    pub(super) root: Many,
    /// The line `...` and what follows it.
    pub(super) rest: Vec<Line>,
}
