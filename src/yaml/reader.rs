//! Builds the document from the parser's events.
//!
//! The parser's markers count characters, and do not always cover what a person would point at. A quoted scalar's span
//! includes blanks and a comment behind it. A block scalar's span starts at its first line of content, and that of a
//! list without indentation behind its first dash. Block collections end where the next token begins. So the reader
//! keeps a cursor behind what it has read, and finds the exact places by scanning from there.

use std::borrow::Cow;
use std::ops::ControlFlow;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span as Marks};
use serde_json::{Map, Value};

use super::foreign::{self, Anchors};
use super::input::Text;
use super::scalar::{self, Plain};
use super::source::{self, Source};
use super::spans::{Entry, Kind, Node};
use super::syntax::{self, Scene};
use super::unfold;
use super::{Document, Limits, Problem, ProblemKind, Span, Spans};

/// More problems than any person wants to see; it also limits the work they cost.
const MOST_PROBLEMS: usize = 100;

/// Reads a text that has passed [`source::check`].
pub(super) fn read(text: &str, limits: &Limits) -> Result<Document, Vec<Problem>> {
    pass(text, Reader::new(text, limits))
}

/// The same for a text that may have what is foreign to descriptors. The first problem ends the pass, and the spans
/// are not kept.
pub(super) fn read_foreign(text: &str, limits: &Limits) -> Result<Document, Vec<Problem>> {
    let mut reader = Reader::new(text, limits);
    reader.anchors = Some(Anchors::new());
    pass(text, reader)
}

/// Reads a text that has passed [`source::check`], and gives the document even if it has problems, unless they are such
/// that it ends before its end.
pub(super) fn read_on(text: &str, limits: &Limits) -> (Option<Document>, Vec<Problem>) {
    run(text, Reader::new(text, limits)).rest()
}

fn pass(text: &str, reader: Reader<'_>) -> Result<Document, Vec<Problem>> {
    run(text, reader).finish()
}

fn run<'t>(text: &str, mut reader: Reader<'t>) -> Reader<'t> {
    // Without a line break at the end, the parser miscounts the line breaks that end a block scalar.
    let terminated = if text.ends_with(['\n', '\r']) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("{text}\n"))
    };
    let most_problems = match reader.anchors {
        None => MOST_PROBLEMS,
        Some(_) => 1,
    };
    let (parsed, pairs) = unfold::without_surrogates(&terminated);
    reader.pairs = pairs;
    for event in Parser::new(Text::new(&parsed)) {
        let flow = match event {
            Ok((event, marks)) => reader.take(event, &marks),
            Err(error) => reader.fail(&error),
        };
        if flow.is_break() || reader.problems.len() >= most_problems {
            break;
        }
    }
    reader
}

struct Reader<'t> {
    source: Source<'t>,
    limits: &'t Limits,
    /// The collections begun but not ended, outermost first.
    open: Vec<Open>,
    root: Option<(Value, Node)>,
    problems: Vec<Problem>,
    /// The end of what has been read.
    cursor: usize,
    last_scalar: Option<Span>,
    nodes: usize,
    has_document: bool,
    /// Set where the document may have what is foreign to descriptors.
    anchors: Option<Anchors>,
    /// Where the text has pairs of escaped surrogates. The parser does not see them.
    pairs: Vec<usize>,
}

struct Open {
    start: usize,
    /// The end of the last part so far.
    end: usize,
    anchor: usize,
    /// How many nodes there were when it began.
    nodes_before: usize,
    body: Body,
}

enum Body {
    List {
        items: Vec<Value>,
        nodes: Vec<Node>,
    },
    Map {
        values: Map<String, Value>,
        entries: Vec<Entry>,
        /// Members that a merge key brought, which the map's own outrank.
        merged: Map<String, Value>,
        /// The key that waits for its value.
        key: Option<Key>,
    },
}

/// A scalar as the parser gives it.
struct Scalar<'e> {
    text: Cow<'e, str>,
    style: ScalarStyle,
    /// Whether a tag says that it is text.
    is_text: bool,
    anchor: usize,
}

struct Key {
    /// `None` when the key was refused. Its value is still read, and then dropped.
    name: Option<String>,
    span: Span,
}

/// What the next node will be.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    Root,
    Item,
    Key,
    Value,
}

impl Role {
    /// The characters that may stand between the node before and this one.
    fn indicators(self) -> &'static [u8] {
        match self {
            Role::Root => b"",
            Role::Item => b"-,",
            Role::Key => b"?,",
            Role::Value => b":",
        }
    }
}

impl<'t> Reader<'t> {
    fn new(text: &'t str, limits: &'t Limits) -> Self {
        Self {
            source: Source::new(text),
            limits,
            open: Vec::new(),
            root: None,
            problems: Vec::new(),
            cursor: 0,
            last_scalar: None,
            nodes: 0,
            has_document: false,
            anchors: None,
            pairs: Vec::new(),
        }
    }

    fn take(&mut self, event: Event<'_>, marks: &Marks) -> ControlFlow<()> {
        let span = self.source.byte(marks.start.index())..self.source.byte(marks.end.index());
        match event {
            Event::DocumentStart(explicit) => return self.document(explicit, span),
            Event::Scalar(text, style, anchor, tag) => {
                self.count(1, &span)?;
                let is_text = tag.as_ref().is_some_and(|tag| tag.suffix == "str");
                let has_properties = self.refuses_properties(anchor, tag.is_some());
                let column = marks.start.col();
                let scalar = Scalar {
                    text,
                    style,
                    is_text,
                    anchor,
                };
                return self.scalar(scalar, has_properties, span, column);
            }
            Event::Alias(anchor) => return self.alias(anchor, span),
            Event::SequenceStart(anchor, tag) => {
                let has_properties = self.refuses_properties(anchor, tag.is_some());
                let span = self.start_of(b'[', span, has_properties);
                let (items, nodes) = (Vec::new(), Vec::new());
                return self.begin(span, anchor, Body::List { items, nodes });
            }
            Event::MappingStart(anchor, tag) => {
                let has_properties = self.refuses_properties(anchor, tag.is_some());
                let span = self.start_of(b'{', span, has_properties);
                let body = Body::Map {
                    values: Map::new(),
                    entries: Vec::new(),
                    merged: Map::new(),
                    key: None,
                };
                return self.begin(span, anchor, body);
            }
            Event::SequenceEnd => return self.end(b']', &span),
            Event::MappingEnd => return self.end(b'}', &span),
            Event::DocumentEnd | Event::StreamStart | Event::StreamEnd | Event::Nothing => {}
        }
        ControlFlow::Continue(())
    }

    fn document(&mut self, explicit: bool, span: Span) -> ControlFlow<()> {
        if self.has_document {
            let span = if explicit {
                span
            } else {
                self.source.rest_of_line(span.start)
            };
            let message = "a second document begins here";
            let problem = Problem::new(ProblemKind::SeveralDocuments, span, message)
                .help("keep one document in a file, and move this one to a file of its own");
            self.problems.push(problem);
            return ControlFlow::Break(());
        }
        self.has_document = true;
        if explicit {
            self.cursor = span.end;
        }
        ControlFlow::Continue(())
    }

    fn refuses_properties(&self, anchor: usize, has_tag: bool) -> bool {
        self.anchors.is_none() && (anchor != 0 || has_tag)
    }

    fn count(&mut self, parts: usize, span: &Span) -> ControlFlow<()> {
        self.nodes = self.nodes.saturating_add(parts);
        if self.nodes <= self.limits.nodes {
            return ControlFlow::Continue(());
        }
        let at = self.source.character(span.start);
        self.problems.push(source::too_many(at, self.limits.nodes));
        ControlFlow::Break(())
    }

    fn role(&self) -> Role {
        match self.open.last().map(|open| &open.body) {
            None => Role::Root,
            Some(Body::List { .. }) => Role::Item,
            Some(Body::Map { key: None, .. }) => Role::Key,
            Some(Body::Map { key: Some(_), .. }) => Role::Value,
        }
    }

    /// Steps over what separates the next node from the cursor.
    fn next_place(&self) -> usize {
        let indicators = self.role().indicators();
        let from = self.source.after_indicator(self.cursor, indicators);
        self.source.after_trivia(from.unwrap_or(self.cursor))
    }

    /// Reports the anchor and tag at the start of a node; returns where they end.
    fn properties(&mut self, node: &Span) -> usize {
        let mut end = node.start;
        loop {
            let start = self.source.after_trivia(end);
            let after = self.source.after_property(start);
            let Some(after) = after.filter(|_| start < node.end) else {
                break;
            };
            let span = start..after;
            let problem = if self.source.at(span.start) == Some(b'&') {
                Problem::new(ProblemKind::Anchor, span, "anchors are not supported")
                    .help("remove it; if `&` begins a text, put the text in quotes")
            } else {
                Problem::new(ProblemKind::Tag, span, "tags are not supported").help(
                    "remove it: quote a value to make it text; \
                     if `!` begins a text, put the text in quotes",
                )
            };
            self.problems.push(problem);
            end = after;
        }
        self.cursor = end;
        end
    }

    fn scalar(
        &mut self,
        scalar: Scalar<'_>,
        has_properties: bool,
        mut span: Span,
        column: usize,
    ) -> ControlFlow<()> {
        let Scalar {
            text,
            style,
            is_text,
            anchor,
        } = scalar;
        let is_missing = text.is_empty() && style == ScalarStyle::Plain;
        if has_properties {
            let end = self.properties(&span);
            span.start = if is_missing {
                end
            } else {
                self.source.after_trivia(end)
            };
        }
        let mut kind = Kind::Inline;
        let span = match style {
            ScalarStyle::Plain if is_missing => self.missing(has_properties),
            ScalarStyle::Plain => span,
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                let end = self.source.after_quoted(span.start);
                span.start..end.unwrap_or(span.end)
            }
            ScalarStyle::Literal | ScalarStyle::Folded => {
                // Without content, the parser stopped at what comes next.
                let is_empty = text.trim_start_matches('\n').is_empty();
                let indent = if is_empty { usize::MAX } else { column };
                kind = Kind::Block { indent };
                self.block_scalar(&text, span.end)
            }
        };
        self.cursor = span.end;
        self.last_scalar = Some(span.clone());
        let next = self.pairs.partition_point(|at| *at < span.start);
        let text = match self.pairs.get(next).is_some_and(|at| *at < span.end) {
            true => Cow::Owned(self.unfolded(&span, &kind)),
            false => text,
        };
        if self.role() == Role::Key {
            self.key(&text, style, span);
            return ControlFlow::Continue(());
        }
        let value = match style {
            ScalarStyle::Plain if !is_text => self.plain(text, &span),
            _ => text_value(text),
        };
        self.anchor(anchor, &value, 1, &span)?;
        self.complete(value, Node { span, kind });
        ControlFlow::Continue(())
    }

    /// The text of a scalar, decoded again.
    fn unfolded(&self, span: &Span, kind: &Kind) -> String {
        unfold::text_of(&match kind {
            Kind::Block { indent } => unfold::block(self.source.text, span.start, *indent),
            _ => unfold::inline(self.source.text, span),
        })
    }

    /// Keeps the value of an anchor. Anchors inside anchors are copied again and again, so the copies count too.
    fn anchor(
        &mut self,
        anchor: usize,
        value: &Value,
        size: usize,
        span: &Span,
    ) -> ControlFlow<()> {
        if anchor != 0 && self.anchors.is_some() {
            self.count(size, span)?;
            if let Some(anchors) = &mut self.anchors {
                anchors.insert(anchor, (value.clone(), size));
            }
        }
        ControlFlow::Continue(())
    }

    /// The empty span of a node left out. A value's is right behind its `:`
    /// or `-`, a key's where the `:` is.
    fn missing(&self, has_properties: bool) -> Span {
        let role = self.role();
        let after = self.source.after_indicator(self.cursor, role.indicators());
        let at = match (after, role) {
            (_, Role::Key) => self.next_place(),
            (Some(after), _) if !has_properties => after,
            _ => self.cursor,
        };
        at..at
    }

    /// The span of a block scalar whose content the parser has read up to `end`.
    fn block_scalar(&self, text: &str, end: usize) -> Span {
        let start = self.next_place();
        let header = self.source.after_block_header(start);
        if text.trim_end_matches('\n').is_empty() {
            return start..header;
        }
        let written = self.source.text.get(start..end).unwrap_or("");
        start..header.max(start + source::trimmed(written).len())
    }

    fn plain(&mut self, text: Cow<'_, str>, span: &Span) -> Value {
        if self.anchors.is_some() {
            return foreign::plain(text);
        }
        let message = match scalar::classify(&text) {
            Plain::Null => return Value::Null,
            Plain::Bool(value) => return Value::Bool(value),
            Plain::Number(number) => return Value::Number(number),
            Plain::Text => return text_value(text),
            Plain::IntegerOutOfRange => "this integer is out of range: it does not fit in 64 bits",
            Plain::NonFinite => "this number is not finite, and JSON has no such numbers",
            Plain::Inexact(_) => "this number has more digits than can be kept",
        };
        let problem = Problem::new(ProblemKind::NonFiniteNumber, span.clone(), message)
            .help("put it in quotes if it is meant as text");
        self.problems.push(problem);
        Value::Null
    }

    fn alias(&mut self, anchor: usize, span: Span) -> ControlFlow<()> {
        let Some(anchors) = &self.anchors else {
            self.count(1, &span)?;
            self.refuse_alias(span);
            return ControlFlow::Continue(());
        };
        let Some((value, size)) = anchors.get(&anchor).cloned() else {
            let message = "an alias refers to what is not complete yet";
            self.problems
                .push(Problem::new(ProblemKind::Alias, span, message));
            return ControlFlow::Break(());
        };
        self.count(size, &span)?;
        // It may bring nesting that no bracket announced.
        if foreign::depth_exceeds(&value, self.limits.depth - self.open.len()) {
            return self.too_deep(&span);
        }
        self.cursor = span.end;
        match value {
            Value::String(name) if self.role() == Role::Key => {
                self.key(&name, ScalarStyle::DoubleQuoted, span);
            }
            _ if self.role() == Role::Key => {
                let problem = not_text(&span, "a key must be a text");
                self.problems.push(problem);
            }
            value => {
                let kind = Kind::Inline;
                self.complete(value, Node { span, kind });
            }
        }
        ControlFlow::Continue(())
    }

    fn refuse_alias(&mut self, span: Span) {
        let message = "aliases are not supported";
        let problem = Problem::new(ProblemKind::Alias, span.clone(), message)
            .help("write the value out here; if `*` begins a text, put the text in quotes");
        self.problems.push(problem);
        self.cursor = span.end;
        if self.role() == Role::Key {
            self.wait(None, span);
        } else {
            let kind = Kind::Inline;
            self.complete(Value::Null, Node { span, kind });
        }
    }

    fn key(&mut self, text: &str, style: ScalarStyle, span: Span) {
        let refused = match style {
            _ if self.anchors.is_some() => self.duplicate(text, &span),
            ScalarStyle::Plain if text == foreign::MERGE => Some(
                Problem::new(
                    ProblemKind::Alias,
                    span.clone(),
                    "merge keys are not supported",
                )
                .help("write the keys out here"),
            ),
            ScalarStyle::Plain if text.is_empty() => Some(not_text(&span, "a key is missing here")),
            ScalarStyle::Plain if scalar::classify(text) == Plain::Null => {
                Some(not_text(&span, "a key cannot be null"))
            }
            ScalarStyle::Literal | ScalarStyle::Folded => {
                Some(not_text(&span, "a key cannot be a block of text"))
            }
            _ => self.duplicate(text, &span),
        };
        let name = refused.is_none().then(|| text.to_owned());
        self.problems.extend(refused);
        self.wait(name, span);
    }

    fn duplicate(&self, name: &str, span: &Span) -> Option<Problem> {
        let Some(Body::Map {
            values, entries, ..
        }) = self.open.last().map(|open| &open.body)
        else {
            return None;
        };
        // Most maps are small, and to compare a few names is quicker than to hash one.
        let is_there = match values.len() {
            ..8 => values.keys().any(|key| *key == *name),
            _ => values.contains_key(name),
        };
        if !is_there {
            return None;
        }
        let message = format!("the key `{}` is written twice", shortened(name));
        let problem = Problem::new(ProblemKind::DuplicateKey, span.clone(), message)
            .help("remove or rename one of the two");
        let first = entries.iter().find(|entry| *entry.name == *name);
        Some(match first {
            Some(first) => problem.related(first.key.clone(), "it is first written here"),
            None => problem,
        })
    }

    /// Holds a key until its value is complete.
    fn wait(&mut self, name: Option<String>, span: Span) {
        if let Some(open) = self.open.last_mut() {
            open.end = span.end;
            if let Body::Map { key, .. } = &mut open.body {
                *key = Some(Key { name, span });
            }
        }
    }

    /// The true start of a collection whose start event covers `span`: empty
    /// unless it opens with the bracket.
    fn start_of(&mut self, bracket: u8, mut span: Span, has_properties: bool) -> Span {
        if has_properties {
            let end = self.properties(&span);
            span.start = self.source.after_trivia(end);
        }
        let at = |place| self.source.at(place);
        if at(span.start) == Some(bracket) && !span.is_empty() {
            return span.start..span.start + 1;
        }
        let dash = self.next_place();
        if bracket == b'[' && at(dash) == Some(b'-') {
            span.start = dash;
        }
        span.start..span.start
    }

    fn too_deep(&mut self, span: &Span) -> ControlFlow<()> {
        let at = self.source.character(span.start);
        self.problems.push(match self.anchors {
            None => syntax::too_deep(at),
            Some(_) => {
                let message = format!("nested more than {} deep", self.limits.depth);
                Problem::new(ProblemKind::TooDeep, at, message)
            }
        });
        ControlFlow::Break(())
    }

    fn begin(&mut self, span: Span, anchor: usize, body: Body) -> ControlFlow<()> {
        self.count(1, &span)?;
        if self.open.len() >= self.limits.depth {
            return self.too_deep(&span);
        }
        self.cursor = span.end;
        self.open.push(Open {
            start: span.start,
            end: span.end,
            anchor,
            nodes_before: self.nodes - 1,
            body,
        });
        ControlFlow::Continue(())
    }

    /// Completes the innermost collection; `span` is its closing bracket, if
    /// it has one.
    fn end(&mut self, bracket: u8, span: &Span) -> ControlFlow<()> {
        let Some(open) = self.open.pop() else {
            return ControlFlow::Continue(());
        };
        let is_closed = !span.is_empty() && self.source.at(span.start) == Some(bracket);
        let end = match is_closed {
            true => span.start + 1,
            false => self.after_comma(open.start, open.end, bracket),
        };
        self.cursor = self.cursor.max(end);
        let span = open.start..end;
        let (value, kind) = match open.body {
            Body::List { items, nodes } => (Value::Array(items), Kind::List(nodes)),
            Body::Map {
                mut values,
                entries,
                merged,
                ..
            } => {
                foreign::merge(&mut values, Value::Object(merged));
                (Value::Object(values), Kind::Map(entries))
            }
        };
        let size = self.nodes - open.nodes_before;
        self.anchor(open.anchor, &value, size, &span)?;
        if self.role() == Role::Key {
            let problem = not_text(&span, "a key cannot be a list or a mapping")
                .help("if this begins a text, as in `{{ name }}`, put the text in quotes");
            self.problems.push(problem);
            self.wait(None, span);
        } else {
            self.complete(value, Node { span, kind });
        }
        ControlFlow::Continue(())
    }

    /// The end of a collection whose last part ends at `end`. If a comma follows that part, the parser places the end of
    /// the collection there, and not at its bracket.
    fn after_comma(&self, start: usize, end: usize, bracket: u8) -> usize {
        let opens = match bracket {
            b']' => b'[',
            _ => b'{',
        };
        let comma = self.source.after_indicator(end, b",");
        let closes = comma.and_then(|comma| self.source.after_indicator(comma, &[bracket]));
        closes
            .filter(|_| self.source.at(start) == Some(opens))
            .unwrap_or(end)
    }

    /// Puts a node in its place in the collection around it.
    fn complete(&mut self, value: Value, node: Node) {
        let Some(open) = self.open.last_mut() else {
            self.root = Some((value, node));
            return;
        };
        open.end = node.span.end;
        let keeps_spans = self.anchors.is_none();
        match &mut open.body {
            Body::List { items, nodes } => {
                items.push(value);
                nodes.extend(keeps_spans.then_some(node));
            }
            Body::Map {
                values,
                entries,
                merged,
                key,
            } => {
                let Some(key) = key.take() else { return };
                let Some(name) = key.name else { return };
                if !keeps_spans && name == foreign::MERGE {
                    if !foreign::merge(merged, value) {
                        let message = "a merge key takes a map";
                        let problem = Problem::new(ProblemKind::Alias, key.span, message);
                        self.problems.push(problem);
                    }
                    return;
                }
                if keeps_spans {
                    entries.push(Entry {
                        name: name.as_str().into(),
                        key: key.span,
                        node,
                    });
                }
                values.insert(name, value);
            }
        }
    }

    fn fail(&mut self, error: &ScanError) -> ControlFlow<()> {
        let at = self.source.byte(error.marker().index());
        // Most often this is a text that begins with `*`. The parser has stepped over the alias, so reading continues
        // as if the name were known.
        if self.anchors.is_none() && error.info().contains("unknown anchor") {
            let rest = self.source.rest(at);
            let ends = |c: char| c.is_whitespace() || matches!(c, ',' | '[' | ']' | '{' | '}');
            self.refuse_alias(at..at + rest.find(ends).unwrap_or(rest.len()));
            return ControlFlow::Continue(());
        }
        let is_bracket = |at: &usize| matches!(self.source.at(*at), Some(b'[' | b'{'));
        let scene = Scene {
            source: &self.source,
            at,
            cursor: self.cursor,
            brackets: self
                .open
                .iter()
                .map(|open| open.start)
                .filter(is_bracket)
                .collect(),
            innermost: self.open.last().map(|open| open.start),
            last_scalar: self.last_scalar.clone(),
        };
        self.problems.push(syntax::explain(error.info(), &scene));
        ControlFlow::Break(())
    }

    /// The document as far as it was read, and its problems.
    fn rest(mut self) -> (Option<Document>, Vec<Problem>) {
        self.problems.sort_by_key(|problem| problem.span.start);
        let is_whole = self.open.is_empty();
        let root = self.root.filter(|_| is_whole);
        let document = root.map(|(value, root)| Document {
            value,
            spans: Spans { root },
        });
        (document, self.problems)
    }

    fn finish(mut self) -> Result<Document, Vec<Problem>> {
        if !self.problems.is_empty() {
            self.problems.sort_by_key(|problem| problem.span.start);
            return Err(self.problems);
        }
        match self.root {
            Some((value, root)) if value != Value::Null || !root.span.is_empty() => Ok(Document {
                value,
                spans: Spans { root },
            }),
            _ => {
                let start = if self.source.rest(0).starts_with('\u{feff}') {
                    3
                } else {
                    0
                };
                let message = "the document is empty";
                Err(vec![Problem::new(
                    ProblemKind::Empty,
                    start..start,
                    message,
                )])
            }
        }
    }
}

pub(super) fn text_value(text: Cow<'_, str>) -> Value {
    let mut text = text.into_owned();
    // The parser reserves far more memory than a short text needs.
    text.shrink_to_fit();
    Value::String(text)
}

fn not_text(span: &Span, message: &str) -> Problem {
    Problem::new(ProblemKind::NonStringKey, span.clone(), message)
        .help("use plain or quoted text on one line as the key")
}

/// A name, shortened to fit into a message.
fn shortened(name: &str) -> Cow<'_, str> {
    const MOST: usize = 60;
    match name.char_indices().nth(MOST) {
        Some((end, _)) => Cow::Owned(format!("{}...", name.get(..end).unwrap_or(""))),
        None => Cow::Borrowed(name),
    }
}
