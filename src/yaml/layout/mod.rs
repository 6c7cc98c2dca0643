//! One layout for a document: the order of its keys, indentation, brackets, quotes and blank lines. Comments stay with what
//! they belong to, and the value stays what it is.

mod gather;
mod parts;
mod print;
#[cfg(test)]
mod tests;

use serde_json::Value;

use super::spans::{Kind, Node};
use super::{Document, Limits, read};

/// The order of the keys of a map.
pub(crate) trait Order {
    /// The rank of each of these keys of the map; `None` if their order is the author's.
    fn ranks(&self, names: &[&str]) -> Option<Vec<usize>>;
    /// The order inside the member of this name.
    fn member(&self, name: &str) -> Self;
    /// The order inside an item.
    fn item(&self) -> Self;
}

/// Why a document is not laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is no map or list.
    NoCollection,
    /// Some lines end in a carriage return alone.
    LineEnds,
    /// It cannot be read.
    Unread,
    /// It would be larger than what may be read.
    Large,
    /// The value would be another one.
    Meaning,
    /// A comment would be lost.
    Comments,
    /// The spans do not fit the value.
    Unknown,
}

/// The text in the one layout. Its value is that of the text, up to the order of the keys that `order` ranks, and it has
/// the same comments.
///
/// # Errors
/// Why the text stays as it is.
pub(crate) fn layout(text: &str, order: &impl Order) -> Result<String, Refusal> {
    let (mark, body) = match text.strip_prefix('\u{feff}') {
        Some(body) => ("\u{feff}", body),
        None => ("", text),
    };
    let ends_in_pairs = body
        .split_once('\n')
        .is_some_and(|(first, _)| first.ends_with('\r'));
    let body = body.replace("\r\n", "\n");
    if body.contains('\r') {
        return Err(Refusal::LineEnds);
    }
    let old = read_body(&body)?;
    let mut whole = gather::gather(&body, &old.spans.root, &old.value)?;
    let laid_out = print::print(&mut whole, order);
    if laid_out.len() > Limits::default().bytes {
        return Err(Refusal::Large);
    }
    // The same text means the same.
    if laid_out != body {
        let new = read_body(&laid_out).map_err(|_| Refusal::Meaning)?;
        if !is_same(&old.value, &new.value, order) {
            return Err(Refusal::Meaning);
        }
        if comments(&body, &old.spans.root) != comments(&laid_out, &new.spans.root) {
            return Err(Refusal::Comments);
        }
    }
    let laid_out = match ends_in_pairs {
        true => laid_out.replace('\n', "\r\n"),
        false => laid_out,
    };
    Ok(format!("{mark}{laid_out}"))
}

fn read_body(text: &str) -> Result<Document, Refusal> {
    // The text may grow past the limit of what may be read; then it stays as it is.
    read(text, &Limits::default()).map_err(|_| Refusal::Unread)
}

/// Whether two values are the same, and the second has its keys in the order of the first, but for those that are ranked.
fn is_same(old: &Value, new: &Value, order: &impl Order) -> bool {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let mut names: Vec<&str> = old.keys().map(String::as_str).collect();
            if let Some(ranks) = order.ranks(&names) {
                let mut ranked: Vec<(usize, &str)> = ranks.into_iter().zip(names).collect();
                ranked.sort_by_key(|(rank, _)| *rank);
                names = ranked.into_iter().map(|(_, name)| name).collect();
            }
            names.iter().copied().eq(new.keys().map(String::as_str))
                && new.iter().all(|(name, value)| {
                    old.get(name)
                        .is_some_and(|old| is_same(old, value, &order.member(name)))
                })
        }
        (Value::Array(old), Value::Array(new)) => {
            let mut both = old.iter().zip(new);
            old.len() == new.len() && both.all(|(old, new)| is_same(old, new, &order.item()))
        }
        // 1 and 1.0 are two values, as are 0.0 and -0.0.
        (Value::Number(old), Value::Number(new)) => old.to_string() == new.to_string(),
        _ => old == new,
    }
}

/// All comments, sorted. They are found apart from how the parts are gathered, to judge that.
fn comments<'t>(text: &'t str, root: &Node) -> Vec<&'t str> {
    let mut scalars = Vec::new();
    scalars_of(root, &mut scalars);
    let mut found = Vec::new();
    let mut from = 0;
    for (span, is_block) in scalars {
        comments_in(&text[from..span.start.max(from)], &mut found);
        from = span.end;
        if is_block {
            let header = text[span.start..].split('\n').next().unwrap_or_default();
            comments_in(header, &mut found);
        }
    }
    comments_in(&text[from..], &mut found);
    found.sort_unstable();
    found
}

fn scalars_of(node: &Node, scalars: &mut Vec<(super::Span, bool)>) {
    match &node.kind {
        Kind::Inline => scalars.push((node.span.clone(), false)),
        Kind::Block { .. } => scalars.push((node.span.clone(), true)),
        Kind::List(nodes) => nodes.iter().for_each(|node| scalars_of(node, scalars)),
        Kind::Map(entries) => entries.iter().for_each(|entry| {
            scalars.push((entry.key.clone(), false));
            scalars_of(&entry.node, scalars);
        }),
    }
}

fn comments_in<'t>(between: &'t str, found: &mut Vec<&'t str>) {
    let comments = between
        .lines()
        .filter_map(|line| line.find('#').map(|at| line[at..].trim_end()));
    found.extend(comments);
}
