//! Projecting: from the text of a response to the text of an output.
//!
//! One pass over a value finds the parts that plain paths need. They are copied as they are, so numbers keep their
//! digits. Arrays that `each` walks are processed element by element.

use serde_json::Value;

use super::wanted::{Found, Wanted};
use super::{Frame, Node, Pick, ProjectError, Reads, ResponseView, refuse_mismatch};
use crate::json::{Cursor, Json, Kind, Part};
use crate::template::{Expression, Piece, Template, text_of};

/// A compiled projection, with space for what a pass finds.
#[derive(Debug)]
pub(crate) struct Projector {
    node: Node,
    wanted: Wanted,
    slots: usize,
    reads: Reads,
}

pub(super) type Done = Result<(), ProjectError>;

impl Projector {
    /// Prepares a node.
    pub(crate) fn new(mut node: Node) -> Projector {
        let mut wanted = Wanted::default();
        let mut slots = 0;
        node.want(&mut wanted, &mut slots);
        let mut reads = Reads::default();
        node.visit(&mut |expression| reads.add(expression));
        Projector {
            node,
            wanted,
            slots,
            reads,
        }
    }

    /// The node.
    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    /// The names that the node's expressions read.
    pub(super) fn reads(&self) -> &Reads {
        &self.reads
    }

    /// Projects a value; paths start at `at`. `None` if the node is an expression that is undefined.
    ///
    /// # Errors
    /// When the response contradicts a path, an expression fails, or a tree would take too much memory.
    pub(crate) fn project(
        &self,
        at: &Json,
        frame: &Frame<'_>,
    ) -> Result<Option<Json>, ProjectError> {
        let part = at.part();
        let mut found = Found::default();
        self.find(part, &mut found);
        if let Node::Path(pick) = &self.node
            && pick.path.is_singular()
        {
            let selected = pick.select(part, &found)?;
            return Ok(Some(match selected {
                Some(selected) => at.share(selected),
                None => Json::null(),
            }));
        }
        // Most outputs are no longer than the body, and unused capacity takes no memory.
        let mut out = match &self.node {
            Node::Template(_) | Node::Literal(_) => Vec::new(),
            _ => Vec::with_capacity(part.text().len()),
        };
        let is_defined = match &self.node {
            Node::Template(template) => frame.render(template, &mut out)?,
            node => write(node, part, &found, frame, &mut out).map(|()| true)?,
        };
        Ok(is_defined.then(|| Json::made(out)))
    }

    /// Projects a response. `None` if the node is an expression that is undefined.
    ///
    /// # Errors
    /// As [`Projector::project`].
    pub(crate) fn part_of(
        &self,
        response: &ResponseView<'_>,
    ) -> Result<Option<Json>, ProjectError> {
        self.project(response.body, &response.frame(&[], &self.reads))
    }

    /// Projects a response to a tree. `None` if the node is an expression that is undefined.
    ///
    /// # Errors
    /// As [`Projector::project`], and when a tree cannot hold the output.
    pub(crate) fn value_of(
        &self,
        response: &ResponseView<'_>,
    ) -> Result<Option<Value>, ProjectError> {
        let json = self.part_of(response)?;
        let value = json.as_ref().map(Json::value).transpose();
        value.map_err(|error| ProjectError::new(error.to_string()))
    }

    pub(super) fn find<'t>(&self, part: Part<'t>, found: &mut Found<'t>) {
        found.clear(self.slots);
        if self.slots > 0 {
            self.wanted.find_in(part, found);
        }
    }
}

impl Node {
    /// Adds the parts that its paths need of the value where they start.
    fn want(&mut self, wanted: &mut Wanted, slots: &mut usize) {
        match self {
            Node::Literal(_) | Node::Template(_) => {}
            Node::Path(pick) => pick.want(wanted, slots),
            Node::Map(members) => {
                for member in members {
                    member.node.want(wanted, slots);
                }
            }
            Node::List(items) => items.iter_mut().for_each(|item| item.want(wanted, slots)),
            Node::Each { walk, .. } => {
                if let Some((_, pick)) = walk.first_mut() {
                    pick.want(wanted, slots);
                }
            }
            Node::Zip(zip) => zip.picks().for_each(|pick| pick.want(wanted, slots)),
        }
    }
}

impl Pick {
    fn want(&mut self, wanted: &mut Wanted, slots: &mut usize) {
        let beginning = self.path.beginning();
        (self.slot, self.followed) = wanted.add(beginning, slots);
        self.is_partial = self.followed < beginning.len();
    }

    /// The value that a singular path selects.
    pub(super) fn select<'t>(
        &self,
        at: Part<'t>,
        found: &Found<'t>,
    ) -> Result<Option<Part<'t>>, ProjectError> {
        let mut selected = found.get(self.slot);
        let leading = self.path.singular().unwrap_or_default();
        let rest = leading.get(self.followed..).unwrap_or_default();
        for step in rest {
            selected = selected.and_then(|part| step.select_in(part));
        }
        if selected.is_none() && (found.is_odd || !rest.is_empty()) {
            refuse_mismatch(&self.path, at)?;
        }
        Ok(selected)
    }

    /// Visits the values that the path selects.
    pub(super) fn visit<'t>(
        &self,
        at: Part<'t>,
        found: &Found<'t>,
        frame: &Frame<'_>,
        visitor: &mut dyn FnMut(Part<'t>) -> Done,
    ) -> Done {
        if self.path.is_singular() {
            return self.select(at, found)?.map_or(Ok(()), visitor);
        }
        let Some(from) = found.get(self.slot) else {
            return match found.is_odd {
                true => refuse_mismatch(&self.path, at),
                false => Ok(()),
            };
        };
        if self.is_partial || self.path.refuses(self.followed, from.kind()) {
            refuse_mismatch(&self.path, at)?;
        }
        let from = (from, self.followed);
        self.path.visit_in(at, from, frame.budget(), visitor)
    }
}

/// Writes the output of a node.
pub(super) fn write<'t>(
    node: &Node,
    at: Part<'t>,
    found: &Found<'t>,
    frame: &Frame<'_>,
    out: &mut Vec<u8>,
) -> Done {
    let before = out.len();
    match node {
        Node::Literal(value) => {
            write_value(value, out)?;
            frame.count(out.len() - before)
        }
        Node::Path(pick) if pick.path.is_singular() => {
            let selected = pick.select(at, found)?;
            out.extend_from_slice(selected.map_or(b"null", |part| part.text()));
            frame.count(out.len() - before)
        }
        Node::Path(pick) => write_list(out, |list| {
            pick.visit(at, found, frame, &mut |part| {
                list.next().extend_from_slice(part.text());
                frame.count(part.text().len())
            })
        }),
        Node::Template(template) => {
            if !frame.render(template, out)? {
                out.extend_from_slice(b"null");
            }
            frame.count(out.len() - before)
        }
        Node::List(items) => write_list(out, |list| {
            items.iter().enumerate().try_for_each(|(i, item)| {
                let done = write(item, at, found, frame, list.next());
                done.map_err(|error| error.under(&i.to_string()))
            })
        }),
        Node::Map(members) => {
            out.push(b'{');
            for (i, member) in members.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(&member.quoted);
                write(&member.node, at, found, frame, out)
                    .map_err(|error| error.under(&member.key))?;
            }
            out.push(b'}');
            Ok(())
        }
        Node::Zip(zip) => zip.write(at, found, frame, out),
        Node::Each { walk, node } => write_list(out, |list| {
            let Some(((name, pick), inner)) = walk.split_first() else {
                return Ok(());
            };
            let each = Each { inner, node };
            match found.get(pick.slot) {
                Some(array) if inner.is_empty() && pick.takes_all_of(array) => {
                    each.go_through(name, array, frame, list)
                }
                _ => pick.visit(at, found, frame, &mut |part| {
                    each.enter(name, part, frame, list)
                }),
            }
        }),
    }
}

fn write_value(value: &Value, out: &mut Vec<u8>) -> Done {
    serde_json::to_writer(out, value).map_err(|error| ProjectError::new(error.to_string()))
}

/// A list that is written element by element.
pub(super) struct List<'o> {
    out: &'o mut Vec<u8>,
    is_empty: bool,
}

impl List<'_> {
    /// Prepares for writing the next element.
    #[inline]
    pub(super) fn next(&mut self) -> &mut Vec<u8> {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        self.out
    }
}

pub(super) fn write_list(out: &mut Vec<u8>, fill: impl FnOnce(&mut List<'_>) -> Done) -> Done {
    out.push(b'[');
    fill(&mut List {
        out,
        is_empty: true,
    })?;
    out.push(b']');
    Ok(())
}

impl Pick {
    /// Whether the path selects each element of this array.
    fn takes_all_of(&self, value: Part<'_>) -> bool {
        value.kind() == Kind::Array && self.path.ends_in_wildcard(self.followed)
    }
}

/// The rest of a walk, and the projection of each node at its end.
struct Each<'n> {
    inner: &'n [(String, Pick)],
    node: &'n Projector,
}

impl Each<'_> {
    /// Continues from a node of the walk.
    fn enter(&self, name: &str, part: Part<'_>, frame: &Frame<'_>, list: &mut List<'_>) -> Done {
        frame.count(ROW)?;
        let frame = frame.entering(name, part, self.node.reads());
        let mut found = Found::default();
        match self.inner.split_first() {
            None => {
                self.node.find(part, &mut found);
                write(&self.node.node, part, &found, &frame, list.next())?;
            }
            Some(((name, pick), inner)) => {
                let each = Each {
                    inner,
                    node: self.node,
                };
                pick.visit_from_start(part, &frame, &mut |part| {
                    each.enter(name, part, &frame, list)
                })?;
            }
        }
        frame.leave();
        Ok(())
    }

    /// Projects each element of an array, with one pass over each.
    fn go_through(
        &self,
        name: &str,
        array: Part<'_>,
        frame: &Frame<'_>,
        list: &mut List<'_>,
    ) -> Done {
        let text = array.text();
        let mut cursor = Cursor::enter(text, 0);
        let mut found = Found::default();
        while let Some(start) = cursor.next() {
            found.clear(self.node.slots);
            let end = self.node.wanted.find(text, start, &mut found);
            let part = Part::between(text, start, end);
            let frame = frame.entering(name, part, self.node.reads());
            write(&self.node.node, part, &found, &frame, list.next())?;
            frame.leave();
            cursor.go_on(end);
        }
        Ok(())
    }
}

impl Pick {
    /// Visits the values that the path selects, without the results of a pass.
    fn visit_from_start<'t>(
        &self,
        at: Part<'t>,
        frame: &Frame<'_>,
        visitor: &mut dyn FnMut(Part<'t>) -> Done,
    ) -> Done {
        refuse_mismatch(&self.path, at)?;
        self.path.visit_in(at, (at, 0), frame.budget(), visitor)
    }
}

/// What a row costs beside what is written of it.
const ROW: usize = 16;
/// An output may be this much smaller than what searches may read.
const WRITTEN: usize = 4;

fn refuse_late(is_late: bool) -> Done {
    match is_late {
        true => Err(ProjectError::new("the deadline has passed".to_owned())),
        false => Ok(()),
    }
}

impl Frame<'_> {
    /// Counts bytes that are written. Walks inside of walks, and a value that many names copy, could ask for more than
    /// any memory holds.
    pub(super) fn count(&self, bytes: usize) -> Done {
        refuse_late(self.budget().is_late_by_now())?;
        match self.budget().read(bytes.saturating_mul(WRITTEN)) {
            true => Ok(()),
            false => Err(ProjectError::new(
                "the output is too large for a response of this size".to_owned(),
            )),
        }
    }

    /// Writes the value of a template. If the template is a single undefined expression, writes nothing and returns
    /// false.
    pub(super) fn render(
        &self,
        template: &Template,
        out: &mut Vec<u8>,
    ) -> Result<bool, ProjectError> {
        // A bare name, or a member of one, is copied unchanged.
        if let Template::Expression(expression) = template
            && let Some((name, member)) = expression.plain()
            && let Some(whole) = self.part(name)
        {
            let part = match member {
                None => Some(whole),
                Some(member) => whole.member(member),
            };
            out.extend_from_slice(part.map_or(b"", |part| part.text()));
            return Ok(part.is_some());
        }
        // An expression may take long and write little.
        refuse_late(self.budget().is_late())?;
        if let Template::Text(pieces) = template {
            let text = self.render_text(pieces)?;
            return write_value(&text.into(), out).map(|()| true);
        }
        let mut prepared = Ok(());
        template.visit(&mut |expression: &Expression, _| {
            if prepared.is_ok() {
                prepared = self.prepare(expression);
            }
        });
        prepared?;
        match template.render(self)? {
            Some(value) => write_value(&value, out).map(|()| true),
            None => Ok(false),
        }
    }

    fn render_text(&self, pieces: &[Piece]) -> Result<String, ProjectError> {
        let mut text = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(own) => text.push_str(own),
                Piece::Expression(expression) => match self.long_number(expression) {
                    Some(number) => text.push_str(&number.as_text()),
                    None => {
                        self.prepare(expression)?;
                        text.push_str(&text_of(expression, self)?);
                    }
                },
            }
        }
        Ok(text)
    }

    /// The number that an expression names, if a tree cannot hold its digits.
    fn long_number(&self, expression: &Expression) -> Option<Part<'_>> {
        let (name, member) = expression.plain()?;
        let whole = self.part(name)?;
        let part = match member {
            None => whole,
            Some(member) => whole.member(member)?,
        };
        (part.kind() == Kind::Number && !part.is_exact()).then_some(part)
    }
}
