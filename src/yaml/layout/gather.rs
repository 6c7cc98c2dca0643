//! From the text and its spans to the parts. Whatever lies between two spans is white space, an indicator or a comment.

use serde_json::Value as Json;

use super::super::spans::{Entry, Kind, Node};
use super::super::style::{Context, double_quoted, is_plain, scalar_text};
use super::Refusal;
use super::parts::{Block, Key, Line, Many, Part, Scalar, Value, Whole};

/// The line that tells an editor the schema stays first.
const EDITOR_LINE: &str = "# yaml-language-server:";

pub(super) struct Gather<'t> {
    text: &'t str,
    /// The end of what is gathered.
    at: usize,
}

/// A comment or a blank line between two values.
enum Found {
    Blank,
    /// A comment on a line of its own.
    Own(String),
    /// A comment behind something else.
    End(String),
}

/// Gathers the parts of a document whose root is a map or a list.
pub(super) fn gather(text: &str, root: &Node, value: &Json) -> Result<Whole, Refusal> {
    let mut gather = Gather { text, at: 0 };
    let (before, begin) = gather.beginning(root.span.start);
    let (Value::Many(mut many), _) = gather.value(root, value, 0, false)? else {
        return Err(Refusal::NoCollection);
    };
    let head = many.parts.first_mut().map(|first| header(&mut first.lead));
    let rest = gather.rest(&mut many.foot);
    Ok(Whole {
        before,
        begin,
        head: head.unwrap_or_default(),
        root: many,
        rest,
    })
}

/// Takes from the lines before the first key those that are about the file: the line for editors, and what a blank line
/// parts from the key.
fn header(lead: &mut Vec<Line>) -> Vec<Line> {
    let is_editors =
        |line: &Line| matches!(line, Line::Comment(text) if text.starts_with(EDITOR_LINE));
    let blank = lead.iter().rposition(|line| *line == Line::Blank);
    let editors = lead.iter().rposition(is_editors);
    let count = blank.max(editors).map_or(0, |at| at + 1);
    lead.drain(..count).collect()
}

impl Gather<'_> {
    /// What stands before the document: with `---` all lines before it, and that line.
    fn beginning(&mut self, root: usize) -> (Vec<Line>, Option<String>) {
        let before = &self.text[self.at..root];
        let mut start = self.at;
        for line in before.split_inclusive('\n') {
            if line.starts_with("---") {
                let head = lines_of(&self.text[self.at..start]);
                self.at = start + 3;
                let comment = self.comment_on_line();
                let comment = comment.map(|text| format!(" {text}")).unwrap_or_default();
                return (head, Some(format!("---{comment}")));
            }
            start += line.len();
        }
        (Vec::new(), None)
    }

    /// The end of the document: what stands before `...` goes to the foot.
    fn rest(&mut self, foot: &mut Vec<Line>) -> Vec<Line> {
        let after = &self.text[self.at..];
        let mut start = self.at;
        let marker = after.split_inclusive('\n').find_map(|line| {
            let from = start;
            start += line.len();
            line.starts_with("...").then_some(from)
        });
        let end = marker.unwrap_or(self.text.len());
        foot.extend(lines_of(&self.text[self.at..end]));
        self.at = self.text.len();
        lines_of(&self.text[end..])
    }

    /// The value of a node that `self.at` stands before, with the comments at the ends of its lines. `column` is the least
    /// that a comment behind it must have to belong to it.
    fn value(
        &mut self,
        node: &Node,
        value: &Json,
        column: usize,
        in_brackets: bool,
    ) -> Result<(Value, Vec<String>), Refusal> {
        let span = &node.span;
        let mut ends = Vec::new();
        let gathered = match (&node.kind, value) {
            (Kind::Map(_) | Kind::List(_), _) => {
                return self
                    .many(node, value, column, in_brackets)
                    .map(|many| (Value::Many(many), ends));
            }
            (Kind::Block { indent }, Json::String(text)) => {
                self.at = span.start;
                let (block, comment) = self.block(text, *indent);
                ends.extend(comment);
                return Ok((block, ends));
            }
            (Kind::Block { .. }, _) => return Err(Refusal::Unknown),
            (Kind::Inline, _) if span.is_empty() => Value::Missing,
            (Kind::Inline, value) => Value::Scalar(scalar(&self.text[span.clone()], value)),
        };
        self.at = self.at.max(span.end);
        Ok((gathered, ends))
    }

    fn many(
        &mut self,
        node: &Node,
        value: &Json,
        column: usize,
        in_brackets: bool,
    ) -> Result<Many, Refusal> {
        let opens = self.text[node.span.start..].starts_with(['{', '[']);
        let mut many = Many {
            is_map: matches!(node.kind, Kind::Map(_)),
            is_in_brackets: in_brackets || opens,
            parts: Vec::new(),
            foot: Vec::new(),
        };
        let own = self.column(node.span.start);
        if opens {
            self.at = node.span.start + 1;
        }
        match (&node.kind, value) {
            (Kind::Map(entries), Json::Object(members)) => {
                for entry in entries {
                    let value = members.get(&*entry.name).ok_or(Refusal::Unknown)?;
                    self.entry(entry, value, own, &mut many)?;
                }
            }
            (Kind::List(nodes), Json::Array(items)) if nodes.len() == items.len() => {
                for (node, value) in nodes.iter().zip(items) {
                    self.item(node, value, own, &mut many)?;
                }
            }
            _ => return Err(Refusal::Unknown),
        }
        match many.is_in_brackets {
            true => {
                for found in self.between(node.span.end) {
                    match found {
                        Found::Blank => {}
                        Found::Own(text) | Found::End(text) => many.foot.push(Line::Comment(text)),
                    }
                }
            }
            false => self.foot(own.max(column), &mut many.foot),
        }
        Ok(many)
    }

    fn entry(
        &mut self,
        entry: &Entry,
        value: &Json,
        column: usize,
        many: &mut Many,
    ) -> Result<(), Refusal> {
        let lead = self.lead(entry.key.start, many);
        let written = &self.text[entry.key.clone()];
        let key = Key {
            name: entry.name.to_string(),
            written: key(written, &entry.name),
        };
        self.at = entry.key.end;
        self.part(Some(key), lead, &entry.node, value, column, many)
    }

    fn item(
        &mut self,
        node: &Node,
        value: &Json,
        column: usize,
        many: &mut Many,
    ) -> Result<(), Refusal> {
        // A comment between the dash and the value belongs to the item too.
        let dash = match many.is_in_brackets {
            true => node.span.start,
            false => self.indicator(node.span.start),
        };
        let lead = self.lead(dash, many);
        self.part(None, lead, node, value, column, many)
    }

    fn part(
        &mut self,
        key: Option<Key>,
        mut lead: Vec<Line>,
        node: &Node,
        value: &Json,
        column: usize,
        many: &mut Many,
    ) -> Result<(), Refusal> {
        let in_brackets = many.is_in_brackets;
        let is_in_lines = matches!(node.kind, Kind::Map(_) | Kind::List(_))
            && !in_brackets
            && !self.text[node.span.start..].starts_with(['{', '[']);
        let mut ends = Vec::new();
        match is_in_lines {
            // What stands before its first part belongs to that part.
            true => {
                self.skip_indicators();
                ends.extend(self.comment_on_line());
            }
            false => {
                for found in self.between(node.span.start) {
                    match found {
                        Found::Blank => {}
                        Found::Own(text) => lead.push(Line::Comment(text)),
                        Found::End(text) => ends.push(text),
                    }
                }
            }
        }
        let (value, more) = self.value(node, value, column + 1, in_brackets)?;
        ends.extend(more);
        if !is_in_lines && !self.follows_line_break() {
            if in_brackets {
                self.skip_comma();
            }
            ends.extend(self.comment_on_line());
        }
        many.parts.push(Part {
            lead,
            key,
            value,
            ends,
        });
        Ok(())
    }

    /// The lines before a part.
    fn lead(&mut self, start: usize, many: &mut Many) -> Vec<Line> {
        let found = self.between(start);
        let mut lead = Vec::new();
        for found in found {
            match found {
                Found::Blank => lead.push(Line::Blank),
                Found::Own(text) => lead.push(Line::Comment(text)),
                // Behind a bracket that opens, or behind the part before.
                Found::End(text) => match many.parts.last_mut() {
                    Some(part) => part.ends.push(text),
                    None => lead.push(Line::Comment(text)),
                },
            }
        }
        lead
    }

    /// Takes the comments behind the last part that are indented at least so far, with the blank lines between them.
    fn foot(&mut self, column: usize, foot: &mut Vec<Line>) {
        let mut at = match self.follows_line_break() {
            true => Some(self.at),
            false => self.line_after(self.at),
        };
        let mut waiting = Vec::new();
        while let Some(start) = at.filter(|start| *start < self.text.len()) {
            let end = self.line_end(start);
            let line = &self.text[start..end];
            let content = line.trim_start_matches([' ', '\t']);
            match content.chars().next() {
                None => waiting.push(Line::Blank),
                Some('#') if line.len() - content.len() >= column => {
                    foot.append(&mut waiting);
                    foot.push(Line::Comment(content.trim_end().to_owned()));
                    self.at = end;
                }
                Some(_) => return,
            }
            at = self.line_after(end);
        }
    }

    /// What stands between here and there; goes there.
    fn between(&mut self, there: usize) -> Vec<Found> {
        let mut found = Vec::new();
        let mut is_own_line = self.at == 0 || self.text[..self.at].ends_with('\n');
        let mut is_blank = is_own_line;
        while let Some(byte) = self
            .text
            .as_bytes()
            .get(self.at)
            .filter(|_| self.at < there)
        {
            match byte {
                b'\n' => {
                    if is_blank {
                        found.push(Found::Blank);
                    }
                    (is_own_line, is_blank) = (true, true);
                    self.at += 1;
                }
                b' ' | b'\t' => self.at += 1,
                b'#' => {
                    let end = self.line_end(self.at);
                    let text = self.text[self.at..end].trim_end().to_owned();
                    found.push(match is_own_line {
                        true => Found::Own(text),
                        false => Found::End(text),
                    });
                    self.at = end;
                    is_blank = false;
                }
                _ => {
                    (is_own_line, is_blank) = (false, false);
                    self.at += 1;
                }
            }
        }
        self.at = self.at.max(there);
        found
    }

    /// The first `-` or `?` between here and there, outside of comments.
    fn indicator(&self, there: usize) -> usize {
        let mut at = self.at;
        while at < there {
            match self.text.as_bytes()[at] {
                b'#' => at = self.line_end(at),
                b'-' | b'?' => return at,
                _ => at += 1,
            }
        }
        there
    }

    /// Steps over a `:` or `-`, and blanks.
    fn skip_indicators(&mut self) {
        let rest = &self.text[self.at..];
        let skipped = rest.len() - rest.trim_start_matches([' ', '\t', ':', '-']).len();
        let is_dash = rest.trim_start_matches([' ', '\t']).starts_with('-');
        // Only one dash: another is an item of the value.
        self.at += match is_dash {
            true => rest.find('-').map_or(0, |at| at + 1),
            false => skipped.min(rest.find(':').map_or(0, |at| at + 1)),
        };
    }

    fn skip_comma(&mut self) {
        let rest = &self.text[self.at..];
        let blank = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        if rest[blank..].starts_with(',') {
            self.at += blank + 1;
        }
    }

    /// The comment that is all that is left of the line.
    fn comment_on_line(&mut self) -> Option<String> {
        let end = self.line_end(self.at);
        let rest = self.text[self.at..end].trim_start_matches([' ', '\t']);
        let comment = rest.starts_with('#').then(|| rest.trim_end().to_owned())?;
        self.at = end;
        Some(comment)
    }

    fn follows_line_break(&self) -> bool {
        self.text[..self.at].ends_with('\n')
    }

    fn block(&mut self, text: &str, indent: usize) -> (Value, Option<String>) {
        let end = self.line_end(self.at);
        let header = &self.text[self.at..end];
        let is_literal = header.starts_with('|');
        let marks: String = header
            .chars()
            .skip(1)
            .take_while(|c| "0123456789+-".contains(*c))
            .collect();
        let chomping = match () {
            () if marks.contains('-') => "-",
            () if marks.contains('+') => "+",
            () => "",
        };
        let comment = header[1 + marks.len()..].trim();
        let comment = comment.starts_with('#').then(|| comment.to_owned());
        self.at = end;
        let (mut lines, after) = self.block_lines(end, indent);
        if text.trim_matches('\n').is_empty() || lines.is_empty() {
            self.at = after;
            let kept = Some(double_quoted(text));
            return (
                Value::Scalar(Scalar {
                    kept,
                    text: String::new(),
                }),
                comment,
            );
        }
        if chomping == "+" {
            // The blank lines are a part of the text.
            self.at = after;
        } else {
            while lines.last().is_some_and(|line| line.is_empty()) {
                lines.pop();
            }
            self.at = self.end_of_content(end, after);
        }
        let text = text.to_owned();
        (
            Value::Block(Block {
                is_literal,
                chomping,
                lines,
                text,
            }),
            comment,
        )
    }

    /// The lines of a block whose header ends at `from`, without their indentation, and where they end.
    fn block_lines(&self, from: usize, indent: usize) -> (Vec<String>, usize) {
        let mut lines = Vec::new();
        let mut after = self.line_after(from).unwrap_or(self.text.len());
        while after < self.text.len() {
            let end = self.line_end(after);
            let line = &self.text[after..end];
            let spaces = line.len() - line.trim_start_matches(' ').len();
            let is_empty = line.trim_matches([' ', '\t']).is_empty();
            if !is_empty && spaces < indent {
                break;
            }
            lines.push(line.get(indent.min(spaces)..).unwrap_or("").to_owned());
            after = self.line_after(end).unwrap_or(self.text.len());
        }
        (lines, after)
    }

    /// The end of the last line of a block that is not blank.
    fn end_of_content(&self, from: usize, after: usize) -> usize {
        from + self.text[from..after]
            .trim_end_matches([' ', '\t', '\n'])
            .len()
    }

    fn line_end(&self, at: usize) -> usize {
        self.text[at..]
            .find('\n')
            .map_or(self.text.len(), |found| at + found)
    }

    fn line_after(&self, at: usize) -> Option<usize> {
        self.text[at..].find('\n').map(|found| at + found + 1)
    }

    fn column(&self, at: usize) -> usize {
        let start = self.text[..at].rfind('\n').map_or(0, |found| found + 1);
        self.text[start..at].chars().count()
    }
}

fn lines_of(text: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = text
        .lines()
        .map(|line| match line.trim_end() {
            "" => Line::Blank,
            line => Line::Comment(line.trim_start().to_owned()),
        })
        .collect();
    // The rest of the last line of content is no line.
    if lines.first() == Some(&Line::Blank) {
        lines.remove(0);
    }
    lines
}

/// A scalar. What is plain stays as it is written, and so does what an escape makes visible.
fn scalar(written: &str, value: &Json) -> Scalar {
    let Json::String(text) = value else {
        return Scalar {
            kept: Some(written.to_owned()),
            text: String::new(),
        };
    };
    let is_one_line = !written.contains('\n');
    let is_kept = is_one_line
        && match written.chars().next() {
            Some('"') => has_escape(written),
            Some('\'') => false,
            _ => !text.contains("{{"),
        };
    Scalar {
        kept: is_kept.then(|| written.to_owned()),
        text: text.clone(),
    }
}

/// Whether a text in double quotes has an escape of another character than a quote or a backslash.
fn has_escape(written: &str) -> bool {
    let mut characters = written.chars();
    while let Some(c) = characters.next() {
        if c == '\\' && !matches!(characters.next(), Some('"' | '\\')) {
            return true;
        }
    }
    false
}

fn key(written: &str, name: &str) -> String {
    let is_one_line = !written.contains('\n');
    match written.chars().next() {
        Some('"') if is_one_line && has_escape(written) => written.to_owned(),
        Some('"' | '\'') => scalar_text(name, Context::Key),
        _ if is_one_line => written.to_owned(),
        _ if is_plain(name, Context::Key) => name.to_owned(),
        _ => double_quoted(name),
    }
}
