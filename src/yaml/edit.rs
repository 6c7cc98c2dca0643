//! Writing other values into a document, so that everything else stays as it is written: comments, layout, order, the
//! style of quotes, and line ends.

use std::ops::Range;

use serde_json::{Map, Value};

use super::scalar::{Plain, classify};
use super::spans::{Entry, Kind, Node};
use super::{Limits, read};

/// The text with other values at these JSON Pointers. A missing key is added at the end of its map.
///
/// # Errors
/// Why the values cannot be written without a loss, in words.
pub(crate) fn with_values(text: &str, changes: &[(String, Value)]) -> Result<String, String> {
    let document =
        read(text, &Limits::default()).map_err(|_| "the file is not readable".to_owned())?;
    let mut wanted = document.value.clone();
    for (pointer, value) in changes {
        put(&mut wanted, pointer, value.clone()).ok_or_else(|| format!("there is no {pointer}"))?;
    }
    let mut edit = Edit {
        text,
        newline: if text.contains("\r\n") { "\r\n" } else { "\n" },
        pieces: Vec::new(),
    };
    edit.node(&document.spans.root, None, &document.value, &wanted, false)?;
    let edited = edit.finish();
    match read(&edited, &Limits::default()) {
        Ok(document) if document.value == wanted => Ok(edited),
        _ => Err("the new value cannot be written in the layout of the file".to_owned()),
    }
}

fn put(whole: &mut Value, pointer: &str, value: Value) -> Option<()> {
    if let Some(place) = whole.pointer_mut(pointer) {
        *place = value;
        return Some(());
    }
    let (parent, key) = pointer.rsplit_once('/')?;
    let key = key.replace("~1", "/").replace("~0", "~");
    whole
        .pointer_mut(parent)?
        .as_object_mut()?
        .insert(key, value);
    Some(())
}

struct Edit<'t> {
    text: &'t str,
    newline: &'static str,
    /// Ranges of the text, and what stands there instead.
    pieces: Vec<(Range<usize>, String)>,
}

impl Edit<'_> {
    fn finish(mut self) -> String {
        // Of two at one place, the later made comes later.
        self.pieces.sort_by_key(|(range, _)| range.start);
        let mut edited = String::with_capacity(self.text.len());
        let mut from = 0;
        for (range, piece) in &self.pieces {
            edited.push_str(&self.text[from..range.start.max(from)]);
            edited.push_str(piece);
            from = range.end.max(from);
        }
        edited.push_str(&self.text[from..]);
        edited
    }

    /// Writes the differences of a value. `key` is the span of its key.
    fn node(
        &mut self,
        node: &Node,
        key: Option<&Range<usize>>,
        old: &Value,
        new: &Value,
        in_brackets: bool,
    ) -> Result<(), String> {
        if old == new {
            return Ok(());
        }
        let in_brackets = in_brackets || self.text[node.span.clone()].starts_with(['{', '[']);
        match (&node.kind, old, new) {
            (Kind::Map(entries), Value::Object(old), Value::Object(new))
                if !entries.is_empty() && !new.is_empty() =>
            {
                self.map(node, entries, old, new, in_brackets)
            }
            (Kind::List(nodes), Value::Array(old), Value::Array(new))
                if !nodes.is_empty() && !new.is_empty() =>
            {
                self.list(node, nodes, old, new, in_brackets)
            }
            _ => self.whole(node, key, new, in_brackets),
        }
    }

    fn map(
        &mut self,
        node: &Node,
        entries: &[Entry],
        old: &Map<String, Value>,
        new: &Map<String, Value>,
        in_brackets: bool,
    ) -> Result<(), String> {
        let stays = |entry: &&Entry| new.contains_key(&*entry.name);
        if !entries.iter().any(|entry| stays(&entry)) {
            return self.whole(node, None, &Value::Object(new.clone()), in_brackets);
        }
        for (i, entry) in entries.iter().enumerate() {
            match (old.get(&*entry.name), new.get(&*entry.name)) {
                (Some(old), Some(new)) => {
                    self.node(&entry.node, Some(&entry.key), old, new, in_brackets)?;
                }
                _ => {
                    let before = i.checked_sub(1).map(|at| entries[at].node.span.end);
                    let after = entries.get(i + 1).map(|entry| entry.key.start);
                    self.remove(
                        entry.key.start..entry.node.span.end,
                        before,
                        after,
                        in_brackets,
                    )?;
                }
            }
        }
        let column = self.column(entries[0].key.start);
        let end = entries[entries.len() - 1].node.span.end;
        for (key, value) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
            let text = format!("{}: {}", scalar(key, true), inline(value));
            self.add(end, &text, column, in_brackets);
        }
        Ok(())
    }

    fn list(
        &mut self,
        node: &Node,
        nodes: &[Node],
        old: &[Value],
        new: &[Value],
        in_brackets: bool,
    ) -> Result<(), String> {
        for (i, node) in nodes.iter().enumerate() {
            match (old.get(i), new.get(i)) {
                (Some(old), Some(new)) => self.node(node, None, old, new, in_brackets)?,
                _ => {
                    let before = i.checked_sub(1).map(|at| nodes[at].span.end);
                    let start = match in_brackets {
                        true => node.span.start,
                        false => self.dash(node.span.start)?,
                    };
                    self.remove(start..node.span.end, before, None, in_brackets)?;
                }
            }
        }
        let column = self.column(node.span.start);
        let end = nodes[nodes.len() - 1].span.end;
        for value in new.iter().skip(old.len()) {
            let text = match in_brackets {
                true => inline(value),
                false => format!("- {}", inline(value)),
            };
            self.add(end, &text, column, in_brackets);
        }
        Ok(())
    }

    /// Adds an entry behind the last one, which ends at `end`.
    fn add(&mut self, end: usize, text: &str, column: usize, in_brackets: bool) {
        match in_brackets {
            true => self.pieces.push((end..end, format!(", {text}"))),
            false => {
                let at = self.line_end(end);
                let line = format!("{}{}{text}", self.newline, " ".repeat(column));
                self.pieces.push((at..at, line));
            }
        }
    }

    /// Removes an entry between two others.
    fn remove(
        &mut self,
        own: Range<usize>,
        before: Option<usize>,
        after: Option<usize>,
        in_brackets: bool,
    ) -> Result<(), String> {
        let own = match (in_brackets, before, after) {
            (true, Some(before), _) => before..own.end,
            (true, None, Some(after)) => own.start..after,
            // The first entry may stand behind a dash.
            (false, None, Some(after)) => own.start..after,
            (false, Some(_), _) => {
                // The line break before the entry goes with it.
                let start = self.text[..own.start].trim_end_matches(' ').len();
                let start = match self.text[..start].strip_suffix('\n') {
                    Some(rest) => rest.strip_suffix('\r').unwrap_or(rest).len(),
                    None => own.start,
                };
                start..self.line_end(own.end)
            }
            (_, None, None) => own,
        };
        if has_comment(&self.text[own.clone()]) {
            return Err("a comment stands at a part that is gone".to_owned());
        }
        self.pieces.push((own, String::new()));
        Ok(())
    }

    /// Replaces a value as a whole.
    fn whole(
        &mut self,
        node: &Node,
        key: Option<&Range<usize>>,
        new: &Value,
        in_brackets: bool,
    ) -> Result<(), String> {
        let span = node.span.clone();
        let is_collection = matches!(node.kind, Kind::Map(_) | Kind::List(_));
        if is_collection && has_comment(&self.text[span.clone()]) {
            return Err("a comment stands inside a value that is replaced".to_owned());
        }
        let written = match (&node.kind, new) {
            (Kind::Block { indent }, Value::String(text)) if *indent != usize::MAX => {
                self.block(text, *indent).unwrap_or_else(|| inline(new))
            }
            (Kind::Inline, Value::String(text)) => match self.text[span.clone()].chars().next() {
                Some('\'') if is_single_line(text) => format!("'{}'", text.replace('\'', "''")),
                Some('"' | '\'') => quoted(text),
                _ => scalar(text, in_brackets),
            },
            _ => inline(new),
        };
        // A collection of lines becomes a value on the line of its key.
        let is_in_lines = is_collection && !in_brackets;
        match key {
            Some(key) if is_in_lines || span.is_empty() => {
                let colon = self.text[key.end..].find(':').map(|at| key.end + at + 1);
                let colon = colon.ok_or("a key has no colon")?;
                let between = &self.text[colon..span.start.max(colon)];
                if has_comment(between) {
                    return Err("a comment stands before a value that is replaced".to_owned());
                }
                self.pieces
                    .push((colon..span.end.max(colon), format!(" {written}")));
            }
            _ => self.pieces.push((span, written)),
        }
        Ok(())
    }

    /// A text as a literal block; `None` where a block cannot hold it.
    fn block(&self, text: &str, indent: usize) -> Option<String> {
        let (body, mark) = match text.strip_suffix('\n') {
            Some(body) => (body, "|"),
            None => (text, "|-"),
        };
        let is_plain = |line: &str| !line.starts_with([' ', '\t']) && line.trim_end() == line;
        let holds = body.contains('\n')
            && !body.starts_with('\n')
            && !body.ends_with('\n')
            && body.lines().next().is_some_and(is_plain)
            && body.chars().all(|c| c == '\n' || !c.is_control());
        let line = |line: &str| match line.is_empty() {
            true => self.newline.to_owned(),
            false => format!("{}{}{line}", self.newline, " ".repeat(indent)),
        };
        holds.then(|| mark.to_owned() + &body.split('\n').map(line).collect::<String>())
    }

    /// How many characters stand before a byte in its line.
    fn column(&self, at: usize) -> usize {
        let start = self.text[..at].rfind('\n').map_or(0, |at| at + 1);
        self.text[start..at]
            .chars()
            .filter(|c| *c != '\u{feff}')
            .count()
    }

    /// The end of the line of a byte, before its line break.
    fn line_end(&self, at: usize) -> usize {
        let end = self.text[at..]
            .find('\n')
            .map_or(self.text.len(), |n| at + n);
        match self.text[at..end].strip_suffix('\r') {
            Some(_) => end - 1,
            None => end,
        }
    }

    /// The dash of the list item that begins at a byte.
    fn dash(&self, at: usize) -> Result<usize, String> {
        let before = self.text[..at].trim_end();
        match before.ends_with('-') {
            true => Ok(before.len() - 1),
            false => Err("a comment stands at a part that is gone".to_owned()),
        }
    }
}

/// Whether the text may have a comment. A `#` in a quoted text counts too, where it follows a space.
fn has_comment(text: &str) -> bool {
    let mut before = ' ';
    text.chars().any(|c| {
        let begins = c == '#' && before.is_whitespace();
        before = c;
        begins
    })
}

fn is_single_line(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

/// A value on one line.
fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text, true),
        Value::Array(items) if items.is_empty() => "[]".to_owned(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(inline).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(key, value)| format!("{}: {}", scalar(key, true), inline(value)))
                .collect();
            format!("{{ {} }}", members.join(", "))
        }
        other => other.to_string(),
    }
}

/// A text without quotes where nothing can be mistaken, else with quotes.
fn scalar(text: &str, in_brackets: bool) -> String {
    const WORDS: [&str; 6] = ["y", "n", "yes", "no", "on", "off"];
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| is_word(c) || (c == ' ' && !in_brackets))
        && !text.ends_with(' ')
        && classify(text) == Plain::Text
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    match is_plain {
        true => text.to_owned(),
        false => quoted(text),
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;

    fn edited(text: &str, pointer: &str, value: Value) -> String {
        with_values(text, &[(pointer.to_owned(), value)]).expect("it can be written")
    }

    #[test]
    fn only_the_value_changes() {
        for (text, pointer, value, expected) in [
            // Comments, and the style of scalars.
            ("a: 1 # one\nb: 2\n", "/a", json!(3), "a: 3 # one\nb: 2\n"),
            ("a: x # c\n", "/a", json!("two words"), "a: two words # c\n"),
            ("a: x\n", "/a", json!("1"), "a: \"1\"\n"),
            ("a: x\n", "/a", json!("yes"), "a: \"yes\"\n"),
            ("a: x\n", "/a", json!("a: b # c"), "a: \"a: b # c\"\n"),
            (
                "a: 'x' # it's\n",
                "/a",
                json!("it's"),
                "a: 'it''s' # it's\n",
            ),
            ("a: 'x'\n", "/a", json!("b\n"), "a: \"b\\n\"\n"),
            ("a: \"x\"\n", "/a", json!("y"), "a: \"y\"\n"),
            ("a: x\n", "/a", json!(null), "a: null\n"),
            ("a:\nb: 1\n", "/a", json!(true), "a: true\nb: 1\n"),
            ("a: # c\nb: 1\n", "/b", json!(2), "a: # c\nb: 2\n"),
            // Lines end as they did.
            (
                "a: 1\r\nb: { c: 2 }\r\n",
                "/b/c",
                json!(3),
                "a: 1\r\nb: { c: 3 }\r\n",
            ),
            (
                "a:\r\n  b: 1\r\n",
                "/a/c",
                json!(2),
                "a:\r\n  b: 1\r\n  c: 2\r\n",
            ),
            (
                "\u{feff}a: 1\nb: 2",
                "/c",
                json!(3),
                "\u{feff}a: 1\nb: 2\nc: 3",
            ),
            // Maps and lists in brackets.
            (
                "a: { b: 1,  c: 2 } # c\n",
                "/a",
                json!({ "b": 1, "c": 3 }),
                "a: { b: 1,  c: 3 } # c\n",
            ),
            (
                "a: { b: 1 }\n",
                "/a",
                json!({ "b": 1, "c d": [1] }),
                "a: { b: 1, \"c d\": [1] }\n",
            ),
            (
                "a: { b: 1, c: 2 }\n",
                "/a",
                json!({ "c": 2 }),
                "a: { c: 2 }\n",
            ),
            (
                "a: { b: 1, c: 2 }\n",
                "/a",
                json!({ "b": 1 }),
                "a: { b: 1 }\n",
            ),
            ("a: [1, 2, 3]\n", "/a", json!([1, 5]), "a: [1, 5]\n"),
            (
                "a: [1]\n",
                "/a",
                json!([1, { "b": "c" }]),
                "a: [1, { b: c }]\n",
            ),
            ("a: []\n", "/a", json!([1]), "a: [1]\n"),
            (
                "a: {\n  b: 1, # c\n  c: 2\n}\n",
                "/a/c",
                json!(3),
                "a: {\n  b: 1, # c\n  c: 3\n}\n",
            ),
            // Maps and lists in lines.
            (
                "a:\n  - x: 1 # c\n    y: 2\n  - z\n# end\n",
                "/a",
                json!([{ "x": 1, "y": 3 }, "z", "w"]),
                "a:\n  - x: 1 # c\n    y: 3\n  - z\n  - w\n# end\n",
            ),
            (
                "a:\n  - x: 1\n    y: 2\n",
                "/a",
                json!([{ "y": 2 }]),
                "a:\n  - y: 2\n",
            ),
            (
                "a:\n- 1\n- 2 # two\nb: 1\n",
                "/a",
                json!([1, 2, 3]),
                "a:\n- 1\n- 2 # two\n- 3\nb: 1\n",
            ),
            ("a:\n- 1\n- 2\nb: 1\n", "/a", json!([1]), "a:\n- 1\nb: 1\n"),
            ("a:\n- 1\nb: 1\n", "/a", json!([]), "a: []\nb: 1\n"),
            ("a:\n- 1\nb: 1\n", "/a", json!("c"), "a: c\nb: 1\n"),
            (
                "a:\n  b: 1\n  c: 2\nd: 1\n",
                "/a",
                json!({ "b": 1 }),
                "a:\n  b: 1\nd: 1\n",
            ),
            ("a: 1\n", "/a", json!({ "b": [] }), "a: { b: [] }\n"),
            // Blocks.
            (
                "a: | # c\n  x\n  y\nb: 1\n",
                "/b",
                json!(2),
                "a: | # c\n  x\n  y\nb: 2\n",
            ),
            (
                "a: |\n  x\n  y\nb: 1\n",
                "/a",
                json!("x\n\nz\n"),
                "a: |\n  x\n\n  z\nb: 1\n",
            ),
            (
                "a: |-\r\n  x\r\n  y\r\nb: 1\r\n",
                "/a",
                json!("x\nz"),
                "a: |-\r\n  x\r\n  z\r\nb: 1\r\n",
            ),
            (
                "a: |\n  x\nb: 1\n",
                "/a",
                json!(" x\ny"),
                "a: \" x\\ny\"\nb: 1\n",
            ),
            (
                "a: >\n  x\n  y\nb: 1\n",
                "/b",
                json!(2),
                "a: >\n  x\n  y\nb: 2\n",
            ),
        ] {
            assert_eq!(edited(text, pointer, value), expected, "{text}");
        }
    }

    #[test]
    fn no_comment_is_lost() {
        for (text, value) in [
            ("a:\n  # why\n  - 1\n", json!(1)),
            ("a: [ # why\n  1 ]\n", json!(1)),
            ("a:\n  b: 1\n  # why\n  c: 2\n", json!(2)),
            ("a:\n  b: 1\n  c: 2 # why\n", json!({ "b": 1 })),
        ] {
            let changes = [("/a".to_owned(), value)];
            let told = with_values(text, &changes).expect_err(text);
            assert!(told.contains("a comment stands"), "{text}: {told}");
        }
        assert!(with_values("a: &x 1\n", &[("/a".to_owned(), json!(2))]).is_err());
    }
}
