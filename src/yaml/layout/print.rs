//! From the parts to the text.

use super::super::style::{Context, has_long_form, is_wider, long_text, push_spaces, scalar_text};
use super::Order;
use super::parts::{Block, Line, Many, Part, Scalar, Value, Whole};

/// The widest line that has a map or a list in brackets, or a text that could be a block.
const WIDTH: usize = 140;

/// The text of a document.
pub(super) fn print(whole: &mut Whole, order: &impl Order) -> String {
    arrange(&mut whole.root, order);
    let mut print = Print {
        text: String::new(),
        is_sealed: false,
    };
    print.lines(&whole.before, 0, true);
    if let Some(begin) = &whole.begin {
        print.text.push_str(begin);
        print.text.push('\n');
    }
    print.lead(&whole.head, 0, true);
    let root = &whole.root;
    match root.parts.is_empty() {
        true => {
            let brackets = if root.is_map { "{}\n" } else { "[]\n" };
            print.lines(&root.foot, 0, true);
            print.text.push_str(brackets);
        }
        false => print.many(root, 0, 0),
    }
    print.lines(&whole.rest, 0, false);
    print.text
}

/// Brings the keys of each map into their order.
fn arrange(many: &mut Many, order: &impl Order) {
    if many.is_map {
        let names: Vec<&str> = many.parts.iter().map(name_of).collect();
        if let Some(ranks) = order.ranks(&names) {
            let mut ranked: Vec<(usize, Part)> =
                ranks.into_iter().zip(many.parts.drain(..)).collect();
            ranked.sort_by_key(|(rank, _)| *rank);
            many.parts.extend(ranked.into_iter().map(|(_, part)| part));
        }
    }
    for part in &mut many.parts {
        let below = match &part.key {
            Some(key) => order.member(&key.name),
            None => order.item(),
        };
        if let Value::Many(many) = &mut part.value {
            arrange(many, &below);
        }
    }
}

fn name_of(part: &Part) -> &str {
    part.key.as_ref().map_or("", |key| &key.name)
}

struct Print {
    text: String,
    /// Whether a text ends here whose last blank lines count, so that no other may follow.
    is_sealed: bool,
}

impl Print {
    /// Lines of their own. At the start of a block there is no blank one, and never two in a row.
    fn lines(&mut self, lines: &[Line], indent: usize, mut is_start: bool) {
        let mut waits = false;
        for line in lines {
            let Line::Comment(comment) = line else {
                waits = true;
                continue;
            };
            self.blank(waits && !is_start);
            (waits, is_start) = (false, false);
            push_spaces(indent, &mut self.text);
            self.text.push_str(comment);
            self.text.push('\n');
            self.is_sealed = false;
        }
    }

    /// As [`Print::lines`], before a part: a blank line may stand right before the part.
    fn lead(&mut self, lines: &[Line], indent: usize, is_start: bool) {
        self.lines(lines, indent, is_start);
        let is_alone = !lines.iter().any(|line| *line != Line::Blank);
        self.blank(lines.last() == Some(&Line::Blank) && !(is_start && is_alone));
    }

    fn blank(&mut self, is_wanted: bool) {
        if is_wanted && !self.is_sealed && !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// A map or a list in lines. The first line is indented by `written` columns already.
    fn many(&mut self, many: &Many, indent: usize, written: usize) {
        for (i, part) in many.parts.iter().enumerate() {
            let is_first = i == 0;
            // What stands before the first part of an item is printed before its dash.
            if written == 0 || !is_first {
                self.lead(&before(part, indent), indent, is_first);
            }
            push_spaces(
                if is_first { indent - written } else { indent },
                &mut self.text,
            );
            self.part(part, indent);
        }
        self.lines(&many.foot, indent, false);
    }

    fn part(&mut self, part: &Part, indent: usize) {
        self.is_sealed = false;
        let start = self.text.len();
        match &part.key {
            Some(key) => {
                self.text.push_str(&key.written);
                self.text.push(':');
            }
            None => self.text.push('-'),
        }
        let column = indent + self.text[start..].chars().count() + 1;
        let end = end_of(part, indent);
        match &part.value {
            Value::Missing => self.end(end),
            Value::Scalar(scalar) => self.scalar(scalar, indent, column, end),
            Value::Block(block) => self.block(block, indent, end),
            Value::Many(many) => match line_of(many, column) {
                Some(line) => {
                    self.text.push(' ');
                    self.text.push_str(&line);
                    self.end(end);
                }
                None if part.key.is_none() => {
                    self.text.push(' ');
                    self.many(many, indent + 2, indent + 2);
                }
                None => {
                    self.end(end);
                    self.many(many, indent + 2, 0);
                }
            },
        }
    }

    fn end(&mut self, comment: Option<&str>) {
        if let Some(comment) = comment {
            self.text.push(' ');
            self.text.push_str(comment);
        }
        self.text.push('\n');
    }

    fn scalar(&mut self, scalar: &Scalar, indent: usize, column: usize, end: Option<&str>) {
        let line = scalar.written(Context::Block);
        if is_wider(&line, WIDTH.saturating_sub(column)) && is_foldable(&scalar.text) {
            self.folded(&scalar.text, indent, "-", end);
            return;
        }
        self.text.push(' ');
        self.text.push_str(&line);
        self.end(end);
    }

    fn folded(&mut self, text: &str, indent: usize, chomping: &str, end: Option<&str>) {
        self.text.push_str(" >");
        self.text.push_str(chomping);
        self.end(end);
        let mut lines = String::new();
        long_text(text, indent + 2, &mut lines);
        let (_, lines) = lines.split_once('\n').unwrap_or_default();
        self.text.push_str(lines);
    }

    fn block(&mut self, block: &Block, indent: usize, end: Option<&str>) {
        let text = block.text.strip_suffix('\n').unwrap_or(&block.text);
        let width = WIDTH.saturating_sub(indent + 2);
        let is_wide = block.lines.iter().any(|line| is_wider(line, width));
        if !block.is_literal && is_wide && block.chomping != "+" && is_foldable(text) {
            return self.folded(text, indent, block.chomping, end);
        }
        self.text
            .push_str(if block.is_literal { " |" } else { " >" });
        let first = block.lines.iter().find(|line| !line.is_empty());
        if first.is_some_and(|line| line.starts_with([' ', '\t'])) {
            self.text.push('2');
        }
        self.text.push_str(block.chomping);
        self.end(end);
        for line in &block.lines {
            if !line.is_empty() {
                push_spaces(indent + 2, &mut self.text);
                self.text.push_str(line);
            }
            self.text.push('\n');
        }
        self.is_sealed = block.chomping == "+";
    }
}

/// Whether a text can be a folded block of one paragraph.
fn is_foldable(text: &str) -> bool {
    has_long_form(text) && !text.contains('\n')
}

/// The lines before a part: its own, the comments that find no place at the end of its line, and for an item in lines
/// those of its first part.
fn before(part: &Part, indent: usize) -> Vec<Line> {
    let mut lines = part.lead.clone();
    let kept = usize::from(end_of(part, indent).is_some());
    let spare = &part.ends[..part.ends.len() - kept];
    lines.extend(spare.iter().cloned().map(Line::Comment));
    let Value::Many(many) = &part.value else {
        return lines;
    };
    match many.parts.first() {
        None => lines.extend(many.foot.iter().cloned()),
        Some(first) if goes_on(part, indent) => {
            let own = before(first, indent + 2);
            let first = own.iter().position(|line| *line != Line::Blank);
            lines.extend(own.into_iter().skip(first.unwrap_or(usize::MAX)));
        }
        Some(_) => {}
    }
    lines
}

/// The comment that stands at the end of a part's first line.
fn end_of(part: &Part, indent: usize) -> Option<&str> {
    match goes_on(part, indent) {
        true => None,
        false => part.ends.last().map(String::as_str),
    }
}

/// Whether the line of an item's dash goes on with the first part of a map or a list.
fn goes_on(part: &Part, indent: usize) -> bool {
    match (&part.key, &part.value) {
        (None, Value::Many(many)) => line_of(many, indent + 2).is_none(),
        _ => false,
    }
}

/// A map or a list on one line that begins at this column; `None` if it has lines of its own.
fn line_of(many: &Many, column: usize) -> Option<String> {
    let is_line = many.parts.is_empty() || (many.is_in_brackets && !many.has_comment());
    let width = WIDTH.saturating_sub(column);
    let mut line = String::new();
    (is_line && write_line(many, width, &mut line)).then_some(line)
}

/// Writes as much of a line as is needed to know whether it is too wide.
fn write_line(many: &Many, width: usize, line: &mut String) -> bool {
    let (open, close) = match (many.is_map, many.parts.is_empty()) {
        (true, true) => ("{", "}"),
        (true, false) => ("{ ", " }"),
        (false, _) => ("[", "]"),
    };
    line.push_str(open);
    for (i, part) in many.parts.iter().enumerate() {
        if i > 0 {
            line.push_str(", ");
        }
        if let Some(key) = &part.key {
            line.push_str(&key.written);
            line.push_str(": ");
        }
        match &part.value {
            Value::Missing => line.push_str("null"),
            Value::Scalar(scalar) => line.push_str(&scalar.written(Context::Flow)),
            Value::Block(_) => return false,
            Value::Many(many) if !write_line(many, width, line) => return false,
            Value::Many(_) => {}
        }
        if is_wider(line, width) {
            return false;
        }
    }
    line.push_str(close);
    many.parts.is_empty() || !is_wider(line, width)
}

impl Scalar {
    fn written(&self, context: Context) -> String {
        match &self.kept {
            Some(kept) => kept.clone(),
            None => scalar_text(&self.text, context),
        }
    }
}
