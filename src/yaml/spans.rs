use super::{Span, unfold};

/// The places of a document's keys and values, found by JSON Pointer (RFC 6901).
///
/// Steps through the siblings at each level, so a lookup takes time linear in
/// their number.
#[derive(Clone, Debug)]
pub struct Spans {
    pub(super) root: Node,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) span: Span,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// A plain or quoted scalar; the first character tells which.
    Inline,
    /// A literal or folded scalar whose lines are indented by this many spaces; `usize::MAX` when all of them are
    /// empty.
    Block {
        indent: usize,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: Box<str>,
    pub(super) key: Span,
    pub(super) node: Node,
}

/// How far a pointer could be followed.
struct Walk<'s> {
    node: &'s Node,
    key: Option<&'s Span>,
    /// Whether the whole pointer was followed.
    arrived: bool,
}

impl Spans {
    /// The span of the value at the pointer (`""` is the root,
    /// `"/request/query/0"` an item); `None` when there is no such value.
    ///
    /// It covers exactly the value's source text: quotes and brackets
    /// included, a block scalar from its `|` or `>`, a block collection from
    /// its first key or dash. The span of a value left out (`key:`) is empty.
    pub fn value(&self, pointer: &str) -> Option<Span> {
        let walk = self.walk(pointer);
        walk.arrived.then(|| walk.node.span.clone())
    }

    /// The span of the key, quotes included, whose value is at the pointer;
    /// `None` for the root, for list items and where there is no such value.
    pub fn key(&self, pointer: &str) -> Option<Span> {
        let walk = self.walk(pointer);
        walk.key.filter(|_| walk.arrived).cloned()
    }

    /// The span of the value at the pointer or, when there is none, of the
    /// nearest enclosing value that exists.
    pub fn nearest(&self, pointer: &str) -> Span {
        self.walk(pointer).node.span.clone()
    }

    /// Where the byte `offset` of the string value at the pointer stands in
    /// `text`, which must be the text that was read.
    ///
    /// Escapes, line folding and indentation are taken into account. The value's length gives the end of its content.
    /// Anything beyond, a collection or a missing value gives the start of the nearest value.
    pub fn inside(&self, text: &str, pointer: &str, offset: usize) -> usize {
        let walk = self.walk(pointer);
        let span = &walk.node.span;
        let pieces = match &walk.node.kind {
            Kind::Inline if walk.arrived => unfold::inline(text, span),
            Kind::Block { indent } if walk.arrived => unfold::block(text, span.start, *indent),
            _ => Vec::new(),
        };
        unfold::locate(&pieces, offset).unwrap_or(span.start)
    }

    fn walk(&self, pointer: &str) -> Walk<'_> {
        let mut walk = Walk {
            node: &self.root,
            key: None,
            arrived: pointer.is_empty() || pointer.starts_with('/'),
        };
        for token in pointer.split('/').skip(1) {
            match walk.node.child(token) {
                Some((node, key)) => (walk.node, walk.key) = (node, key),
                None => {
                    walk.arrived = false;
                    return walk;
                }
            }
        }
        walk
    }
}

impl Node {
    fn child(&self, token: &str) -> Option<(&Node, Option<&Span>)> {
        match &self.kind {
            Kind::List(nodes) => Some((nodes.get(list_index(token)?)?, None)),
            Kind::Map(entries) => {
                let name = token.replace("~1", "/").replace("~0", "~");
                let entry = entries.iter().find(|entry| *entry.name == *name)?;
                Some((&entry.node, Some(&entry.key)))
            }
            Kind::Inline | Kind::Block { .. } => None,
        }
    }
}

/// An index as JSON Pointer writes it: digits, without a leading zero.
fn list_index(token: &str) -> Option<usize> {
    let canonical = token == "0" || !token.starts_with(['0', '+']);
    token.parse().ok().filter(|_| canonical)
}
