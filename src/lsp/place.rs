//! Where in a YAML document the cursor is, also while the text is no YAML yet: it is read only up to the cursor, and
//! nothing has to be closed.

use std::ops::Range;

/// Where the cursor is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The keys and indexes that lead from the root: to the map that has the key, or to the value.
    pub path: Vec<String>,
    pub part: Part,
    /// The word at the cursor: the key with its quotes, or the scalar with its quotes; empty where there is none.
    pub word: Range<usize>,
    /// The keys of the map that stand before the cursor, without the one at the cursor.
    pub keys: Vec<String>,
    /// Whether the place is within brackets.
    pub in_brackets: bool,
    /// The column at which the word begins.
    pub column: usize,
}

/// What the cursor is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The key of a map, and whether a colon follows it.
    Key { has_colon: bool },
    /// A value.
    Value,
    /// Where a value begins: it may become a scalar or the first key of a map.
    Start,
}

/// Finds the place of the cursor; `None` in a comment, or where neither a key nor a value can be.
pub(super) fn find(text: &str, cursor: usize) -> Option<Place> {
    let mut scan = Scan {
        text,
        cursor,
        frames: Vec::new(),
        line_end: 0,
    };
    let found = scan.document().flatten();
    found.filter(|place| place.path.len() <= DEEPEST)
}

/// How deep a descriptor may be nested; deeper, nothing is known of a place.
const DEEPEST: usize = 64;

/// A map or a list that is open.
#[derive(Debug)]
struct Frame {
    column: usize,
    is_flow: bool,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// The keys so far; the last one is that of the value which is read. Whether it has an inline value.
    Map { keys: Vec<String>, has_value: bool },
    /// The index of the item that is read.
    List { index: usize },
}

/// What ends the search: the place, or none where there is nothing.
type Found = Option<Place>;

struct Scan<'t> {
    text: &'t str,
    cursor: usize,
    frames: Vec<Frame>,
    /// The end of the line that is read within brackets. To look for it at each word would take long in a long line.
    line_end: usize,
}

impl Scan<'_> {
    /// `None` when the text ends before the cursor, which it does not.
    fn document(&mut self) -> Option<Found> {
        let mut at = 0;
        loop {
            let end = self.line_end(at);
            let content = self.skip_spaces(at, end);
            let rest = &self.text[content..end];
            let column = content - at;
            let has_cursor = self.cursor <= end;
            if rest.is_empty() {
                if has_cursor {
                    return Some(self.blank(self.cursor - at));
                }
            } else if rest.starts_with('#') {
                if has_cursor {
                    // The cursor may stand before the comment.
                    return Some(match self.cursor <= content {
                        true => self.blank(self.cursor - at),
                        false => None,
                    });
                }
            } else if column == 0 && (rest.starts_with("---") || rest.starts_with("...")) {
                if has_cursor {
                    return Some(None);
                }
                self.frames.clear();
            } else if has_cursor && self.cursor < content {
                return Some(None);
            } else {
                match self.line(content, column, end) {
                    Ok(next) => {
                        at = next;
                        if at > self.text.len() {
                            return Some(None);
                        }
                        continue;
                    }
                    Err(found) => return Some(found),
                }
            }
            at = end + 1;
            if at > self.text.len() {
                return Some(None);
            }
        }
    }

    /// Reads a line of a block from its first character on. Gives the start of the next line that is not read.
    fn line(&mut self, mut at: usize, mut column: usize, end: usize) -> Result<usize, Found> {
        if self.continues(column) {
            // A plain scalar goes on.
            return match self.cursor <= end {
                true => Err(self.value(at..end)),
                false => Ok(end + 1),
            };
        }
        let start = at - column;
        // Dashes.
        while self.is_dash(at, end) {
            self.close_to(column, true);
            match self.frames.last_mut() {
                Some(Frame {
                    column: own,
                    kind: Kind::List { index },
                    ..
                }) if *own == column => *index += 1,
                _ => self.frames.push(Frame {
                    column,
                    is_flow: false,
                    kind: Kind::List { index: 0 },
                }),
            }
            if self.cursor <= at {
                return Err(None);
            }
            at = self.skip_spaces(at + 1, end);
            column = at - start;
            if at == end {
                return match self.cursor <= end {
                    true => Err(self.start(self.cursor..self.cursor, self.cursor - start)),
                    false => Ok(end + 1),
                };
            }
            if self.cursor < at {
                return Err(self.start(self.cursor..self.cursor, self.cursor - start));
            }
        }
        match self.key(at, end) {
            Some((key, behind)) => {
                let name = unquoted(&self.text[key.clone()]).to_owned();
                self.enter(column, name);
                if self.cursor <= key.end {
                    return Err(self.at_key(key, true, column));
                }
                let value = self.skip_spaces(behind, end);
                self.inline(value, end, column)
            }
            None => {
                let is_in_map = self.map_at(column);
                let bare = at..self.plain_end(at, end);
                let is_word = !self.text[at..end].starts_with(['{', '[', '"', '\'', '|', '>']);
                if self.cursor <= end && is_word {
                    if self.cursor > bare.end {
                        return Err(None);
                    }
                    return Err(match is_in_map {
                        // A key that has no colon yet.
                        true => {
                            self.close_to(column, false);
                            self.new_key(bare, column)
                        }
                        false => {
                            self.close_to(column, false);
                            self.start(bare, column)
                        }
                    });
                }
                self.inline(at, end, column)
            }
        }
    }

    /// Whether a line at this column belongs to a plain scalar that began in a line before.
    fn continues(&self, column: usize) -> bool {
        let inner = self.frames.iter().rev().find(|frame| !frame.is_flow);
        matches!(inner, Some(Frame { column: own, kind: Kind::Map { has_value: true, .. }, .. }) if column > *own)
    }

    /// Reads the value that begins at `at`, on a line that ends at `end`, of a key at `column`.
    fn inline(&mut self, at: usize, end: usize, column: usize) -> Result<usize, Found> {
        let rest = &self.text[at..end];
        if rest.is_empty() || rest.starts_with('#') {
            if self.cursor <= end && self.cursor <= at {
                let here = self.cursor..self.cursor;
                return Err(self.value(here));
            }
            return match self.cursor <= end {
                true => Err(None),
                false => Ok(end + 1),
            };
        }
        if self.cursor < at {
            return Err(self.value(self.cursor..self.cursor));
        }
        self.mark_value();
        if rest.starts_with('|') || rest.starts_with('>') {
            return self.block(at, end, column);
        }
        if rest.starts_with('[') || (rest.starts_with('{') && !rest.starts_with("{{")) {
            let next = self.flow(at, column)?;
            return match self.line_end(next) {
                end if self.cursor <= end => Err(None),
                end => Ok(end + 1),
            };
        }
        let scalar = at..self.scalar_end(at, end, column);
        if self.cursor <= scalar.end {
            return Err(self.value(scalar));
        }
        let end = self.line_end(scalar.end);
        match self.cursor <= end {
            true => Err(None),
            false => Ok(end + 1),
        }
    }

    /// Reads a block scalar.
    fn block(&mut self, at: usize, end: usize, column: usize) -> Result<usize, Found> {
        let mut next = end + 1;
        while next <= self.text.len() {
            let end = self.line_end(next);
            let content = self.skip_spaces(next, end);
            let is_inside = content == end || content - next > column;
            if !is_inside {
                break;
            }
            next = end + 1;
        }
        let last = next.saturating_sub(1).min(self.text.len());
        if self.cursor <= last {
            // On an empty line behind the text, somebody may begin the next key.
            let line = self.text[..self.cursor].rfind('\n').map_or(0, |at| at + 1);
            let before = &self.text[line..self.cursor];
            let is_blank = self.text[line..self.line_end(line)].trim().is_empty();
            if line > end && is_blank && before.len() <= column {
                return Err(self.blank(before.len()));
            }
            return Err(self.value(at..last));
        }
        Ok(next)
    }

    /// Reads brackets. Gives the place behind them.
    fn flow(&mut self, at: usize, column: usize) -> Result<usize, Found> {
        let outer = self.frames.len();
        let mut at = at;
        // Whether a value may stand here; if not, a comma is awaited.
        let mut awaits = true;
        // Whether the key of a map was read, and its value is awaited.
        let mut has_key = false;
        loop {
            if self.frames.len() > DEEPEST {
                return Err(None);
            }
            let token = self.skip_flow_space(at);
            if self.cursor >= at && self.cursor < token || (self.cursor == token && awaits) {
                let next = self.text[token..].chars().next();
                let is_word = next.is_some_and(|c| !c.is_whitespace() && !",[]{}#:".contains(c));
                if !(self.cursor == token && is_word) && self.frames.len() > outer {
                    return Err(match awaits {
                        true => self.flow_gap(has_key),
                        false => None,
                    });
                }
            }
            let Some(first) = self.text[token..].chars().next() else {
                return Err(None);
            };
            if self.ends_flow(at, token, column) && self.frames.len() > outer {
                self.frames.truncate(outer);
                return Ok(at);
            }
            at = token;
            match first {
                '{' if !self.text[at..].starts_with("{{") => {
                    self.open(Kind::Map {
                        keys: Vec::new(),
                        has_value: false,
                    });
                    (awaits, has_key) = (true, false);
                    at += 1;
                }
                '[' => {
                    self.open(Kind::List { index: 0 });
                    (awaits, has_key) = (true, false);
                    at += 1;
                }
                '}' | ']' => {
                    self.frames.pop();
                    at += 1;
                    if self.frames.len() <= outer {
                        return Ok(at);
                    }
                    (awaits, has_key) = (false, false);
                }
                ',' => {
                    if let Some(Frame {
                        kind: Kind::List { index },
                        ..
                    }) = self.frames.last_mut()
                    {
                        *index += 1;
                    }
                    (awaits, has_key) = (true, false);
                    at += 1;
                }
                ':' => {
                    has_key = true;
                    awaits = true;
                    at += 1;
                }
                _ => {
                    let is_map = self.is_map();
                    let word = at..self.flow_scalar_end(at, is_map && !has_key);
                    let is_key = is_map && !has_key;
                    if is_key {
                        let behind = self.text[word.end..].trim_start_matches([' ', '\t']);
                        let has_colon = behind.starts_with(':');
                        if self.cursor <= word.end {
                            return Err(self.flow_key(word, has_colon));
                        }
                        self.push_key(unquoted(&self.text[word.clone()]).to_owned());
                    } else if self.cursor <= word.end {
                        return Err(self.value_or_start(word, is_map));
                    }
                    awaits = false;
                    at = word.end.max(at + 1);
                }
            }
        }
    }

    fn open(&mut self, kind: Kind) {
        self.frames.push(Frame {
            column: 0,
            is_flow: true,
            kind,
        });
    }

    /// Whether brackets that were never closed end here: a key of a block follows on a line of its own.
    fn ends_flow(&self, before: usize, token: usize, column: usize) -> bool {
        let gap = &self.text[before..token];
        let Some(newline) = gap.rfind('\n') else {
            return false;
        };
        let own = token - (before + newline + 1);
        let end = self.line_end(token);
        own <= column && self.key(token, end).is_some()
    }

    fn skip_flow_space(&self, mut at: usize) -> usize {
        loop {
            let rest = &self.text[at..];
            let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n']);
            let next = at + rest.len() - trimmed.len();
            let is_comment = trimmed.starts_with('#') && (next > at || at == 0);
            if !is_comment {
                return next;
            }
            at = self.line_end(next);
        }
    }

    fn flow_gap(&self, has_key: bool) -> Found {
        let here = self.cursor..self.cursor;
        match (self.is_map(), has_key) {
            (true, true) => self.value(here),
            (true, false) => self.flow_key(here, false),
            (false, _) => self.value_or_start(here, false),
        }
    }

    /// The keys so far of the map that is open.
    fn keys(&self) -> Vec<String> {
        match self.frames.last() {
            Some(Frame {
                kind: Kind::Map { keys, .. },
                ..
            }) => keys.clone(),
            _ => Vec::new(),
        }
    }

    fn flow_key(&self, word: Range<usize>, has_colon: bool) -> Found {
        Some(Place {
            path: self.path_of(self.frames.len().saturating_sub(1)),
            part: Part::Key { has_colon },
            column: self.column_of(word.start),
            word,
            keys: self.keys(),
            in_brackets: true,
        })
    }

    fn value_or_start(&self, word: Range<usize>, is_map: bool) -> Found {
        let mut place = self.value(word)?;
        if !is_map && place.word.is_empty() {
            place.part = Part::Start;
        }
        Some(place)
    }

    fn is_map(&self) -> bool {
        let last = self.frames.last();
        last.is_some_and(|frame| matches!(frame.kind, Kind::Map { .. }))
    }

    fn push_key(&mut self, name: String) {
        if let Some(Frame {
            kind: Kind::Map { keys, has_value },
            ..
        }) = self.frames.last_mut()
        {
            keys.push(name);
            *has_value = false;
        }
    }

    /// The cursor is on a line without text, at this column.
    fn blank(&mut self, column: usize) -> Found {
        self.close_to(column, false);
        let here = self.cursor..self.cursor;
        let Some(last) = self.frames.last() else {
            return Some(Place {
                path: Vec::new(),
                part: Part::Start,
                word: here,
                keys: Vec::new(),
                in_brackets: false,
                column,
            });
        };
        match &last.kind {
            Kind::Map { .. } if last.column == column => self.new_key(here, column),
            Kind::Map { has_value, .. } => match has_value {
                // The value is there already.
                true => None,
                false => self.start(here, column),
            },
            Kind::List { .. } if last.column == column => {
                // A list may stand at the column of its key, where the next key goes too.
                let outer = self.frames.len().checked_sub(2)?;
                match &self.frames[outer] {
                    Frame {
                        column: own,
                        kind: Kind::Map { .. },
                        ..
                    } if *own == column => {
                        self.frames.pop();
                        self.new_key(here, column)
                    }
                    _ => None,
                }
            }
            Kind::List { .. } => self.start(here, column),
        }
    }

    fn new_key(&self, word: Range<usize>, column: usize) -> Found {
        Some(Place {
            path: self.path_of(self.frames.len().saturating_sub(1)),
            part: Part::Key { has_colon: false },
            word,
            keys: self.keys(),
            in_brackets: false,
            column,
        })
    }

    fn at_key(&self, word: Range<usize>, has_colon: bool, column: usize) -> Found {
        let mut place = self.new_key(word, column)?;
        place.keys.pop();
        place.part = Part::Key { has_colon };
        Some(place)
    }

    fn start(&self, word: Range<usize>, column: usize) -> Found {
        Some(Place {
            path: self.path_of(self.frames.len()),
            part: Part::Start,
            word,
            keys: Vec::new(),
            in_brackets: false,
            column,
        })
    }

    fn value(&self, word: Range<usize>) -> Found {
        Some(Place {
            path: self.path_of(self.frames.len()),
            part: Part::Value,
            column: self.column_of(word.start),
            word,
            keys: Vec::new(),
            in_brackets: self.frames.last().is_some_and(|frame| frame.is_flow),
        })
    }

    fn column_of(&self, at: usize) -> usize {
        at - self.text[..at].rfind('\n').map_or(0, |found| found + 1)
    }

    /// The way to what the first `count` frames read.
    fn path_of(&self, count: usize) -> Vec<String> {
        let steps = self.frames[..count].iter().map(|frame| match &frame.kind {
            Kind::Map { keys, .. } => keys.last().cloned().unwrap_or_default(),
            Kind::List { index } => index.to_string(),
        });
        steps.collect()
    }

    /// Enters a key of the map at a column, which may be a new one.
    fn enter(&mut self, column: usize, name: String) {
        self.close_to(column, false);
        let is_own = self.map_at(column);
        if !is_own {
            self.frames.push(Frame {
                column,
                is_flow: false,
                kind: Kind::Map {
                    keys: Vec::new(),
                    has_value: false,
                },
            });
        }
        self.push_key(name);
    }

    /// Whether the map that a line at this column belongs to is open.
    fn map_at(&self, column: usize) -> bool {
        let inner = self.frames.iter().rev().find(|frame| match frame.kind {
            Kind::Map { .. } => frame.column <= column,
            Kind::List { .. } => frame.column < column,
        });
        matches!(inner, Some(Frame { column: own, kind: Kind::Map { .. }, .. }) if *own == column)
    }

    /// Closes what a line at this column is not in. A list stays open for a further dash.
    fn close_to(&mut self, column: usize, is_dash: bool) {
        while let Some(last) = self.frames.last() {
            let is_outside = match last.kind {
                Kind::List { .. } if last.column == column => !is_dash && self.has_map_at(column),
                _ => last.column > column,
            };
            if !is_outside {
                return;
            }
            self.frames.pop();
        }
    }

    /// Whether the list that is read stands at the column of its key.
    fn has_map_at(&self, column: usize) -> bool {
        let outer = self.frames.iter().rev().nth(1);
        matches!(outer, Some(Frame { column: own, kind: Kind::Map { .. }, .. }) if *own == column)
    }

    fn mark_value(&mut self) {
        if let Some(Frame {
            kind: Kind::Map { has_value, .. },
            ..
        }) = self.frames.last_mut()
        {
            *has_value = true;
        }
    }

    fn is_dash(&self, at: usize, end: usize) -> bool {
        let rest = &self.text[at..end];
        rest == "-" || rest.starts_with("- ")
    }

    /// The key at a place, and where its value may begin.
    fn key(&self, at: usize, end: usize) -> Option<(Range<usize>, usize)> {
        let rest = self.text[at..end].trim_end_matches('\r');
        let first = rest.chars().next()?;
        if "{[|>#".contains(first) {
            return None;
        }
        let (length, tail) = match first {
            '"' | '\'' => {
                let closed = close_of(rest, first)?;
                let tail = rest[closed..].trim_start();
                (closed, tail.strip_prefix(':')?)
            }
            _ => {
                let comment = rest.find(" #").unwrap_or(rest.len());
                let rest = &rest[..comment];
                let colon = rest.match_indices(':').map(|(at, _)| at).find(|at| {
                    rest[at + 1..].is_empty() || rest[at + 1..].starts_with([' ', '\t'])
                });
                let colon = colon?;
                (rest[..colon].trim_end().len(), &rest[colon + 1..])
            }
        };
        if !(tail.is_empty() || tail.starts_with([' ', '\t'])) {
            return None;
        }
        let colon = at + length + self.text[at + length..end].find(':')?;
        Some((at..at + length, colon + 1))
    }

    fn plain_end(&self, at: usize, end: usize) -> usize {
        let rest = &self.text[at..end];
        let rest = &rest[..rest.find(" #").unwrap_or(rest.len())];
        at + rest.trim_end().len()
    }

    /// The end of a scalar in a block. One that is not closed ends with its line.
    fn scalar_end(&self, at: usize, end: usize, column: usize) -> usize {
        let first = self.text[at..].chars().next().unwrap_or(' ');
        if !matches!(first, '"' | '\'') {
            // A cursor behind the text is at its end.
            let plain = self.plain_end(at, end);
            let has_comment = !self.text[plain..end].trim().is_empty();
            let whole = self.text[at..end].trim_end_matches('\r').len();
            return if has_comment { plain } else { at + whole };
        }
        if let Some(closed) = close_of(&self.text[at..end], first) {
            return at + closed;
        }
        let Some(closed) = close_of(&self.text[at..], first) else {
            return end;
        };
        // A line with another key means that the quote was forgotten.
        let mut next = end + 1;
        while next < at + closed {
            let end = self.line_end(next);
            let content = self.skip_spaces(next, end);
            if content - next <= column && content < end {
                return self.line_end(at);
            }
            next = end + 1;
        }
        at + closed
    }

    /// The end of a scalar within brackets.
    fn flow_scalar_end(&mut self, at: usize, is_key: bool) -> usize {
        if at >= self.line_end {
            self.line_end = self.line_end(at);
        }
        let end = self.line_end;
        let rest = &self.text[at..end];
        let first = rest.chars().next().unwrap_or(' ');
        if matches!(first, '"' | '\'') {
            return close_of(rest, first).map_or(end, |closed| at + closed);
        }
        // An expression or a path that still lacks its quotes.
        if rest.starts_with("{{") {
            return rest.find("}}").map_or(end, |closed| at + closed + 2);
        }
        let is_path = rest.starts_with('$') && !is_key;
        let mut depth = 0_usize;
        for (offset, c) in rest.char_indices() {
            let behind = &rest[offset + c.len_utf8()..];
            match c {
                '[' if is_path => depth += 1,
                ']' if depth > 0 => depth -= 1,
                ',' if depth == 0 => return at + rest[..offset].trim_end().len(),
                '{' | '}' | '[' | ']' if depth == 0 => return at + rest[..offset].trim_end().len(),
                ':' if depth == 0
                    && (behind.is_empty() || behind.starts_with([' ', ',', '}', ']'])) =>
                {
                    return at + rest[..offset].trim_end().len();
                }
                '#' if offset > 0 && rest[..offset].ends_with(' ') => {
                    return at + rest[..offset].trim_end().len();
                }
                _ => {}
            }
        }
        at + rest.trim_end().len().max(1)
    }

    fn line_end(&self, at: usize) -> usize {
        let rest = &self.text[at.min(self.text.len())..];
        at + rest.find('\n').unwrap_or(rest.len())
    }

    fn skip_spaces(&self, at: usize, end: usize) -> usize {
        let line = &self.text[at..end];
        at + line.len() - line.trim_start_matches([' ', '\t', '\r']).len()
    }
}

/// The length of the quoted text that this text begins with.
fn close_of(text: &str, quote: char) -> Option<usize> {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' if quote == '"' => drop(characters.next()),
            c if c == quote => match characters.peek() {
                Some((_, '\'')) if quote == '\'' => drop(characters.next()),
                _ => return Some(at + c.len_utf8()),
            },
            _ => {}
        }
    }
    None
}

/// A text without its quotes.
pub(super) fn unquoted(text: &str) -> &str {
    let inner = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    /// The place of `|` as `PATH KIND WORD`.
    fn told(text: &str) -> String {
        let cursor = text.find('¦').expect("a cursor");
        let text = text.replacen('¦', "", 1);
        let Some(place) = find(&text, cursor) else {
            return "nothing".to_owned();
        };
        let kind = match place.part {
            Part::Key { has_colon: true } => "key:",
            Part::Key { has_colon: false } => "key",
            Part::Value => "value",
            Part::Start => "start",
        };
        let brackets = if place.in_brackets {
            " in brackets"
        } else {
            ""
        };
        let word = &text[place.word];
        format!("/{} {kind} `{word}`{brackets}", place.path.join("/"))
    }

    #[test]
    fn the_cursor_has_a_place() {
        for (text, expected) in [
            ("¦", "/ start ``"),
            ("to¦", "/ start `to`"),
            ("spec: 1\nto¦", "/ key `to`"),
            ("spec: 1\n¦\nb: 2\n", "/ key ``"),
            ("spec: ¦", "/spec value ``"),
            ("spec:¦", "/spec value ``"),
            ("sp¦ec: 1", "/ key: `spec`"),
            ("\"sp¦ec\": 1", "/ key: `\"spec\"`"),
            ("request:\n  ¦", "/request start ``"),
            ("request:\n  method: GET\n  ¦", "/request key ``"),
            ("request:\n  method: GET\n¦", "/ key ``"),
            ("request:\n  method: G¦ET\n", "/request/method value `GET`"),
            (
                "request:\n  method: GET\n  pa¦\nresponse:\n",
                "/request key `pa`",
            ),
            ("request:\n  method: GET\n    ¦", "nothing"),
            ("a:\n  - ¦", "/a/0 start ``"),
            ("a:\n  - x\n  - y¦", "/a/1 start `y`"),
            ("a:\n- x\n- y¦", "/a/1 start `y`"),
            ("a:\n- x\n¦", "/ key ``"),
            ("a:\n- x\nb¦", "/ key `b`"),
            ("a:\n- x: 1\n  y: ¦", "/a/0/y value ``"),
            ("a:\n  - x: 1\n    ¦", "/a/0 key ``"),
            ("a:\n  - x: 1\n  - ¦", "/a/1 start ``"),
            ("a:\n  - - 1\n    - ¦", "/a/0/1 start ``"),
            ("a: { b: 1, ¦ }", "/a key `` in brackets"),
            ("a: { b: 1, c¦ }", "/a key `c` in brackets"),
            ("a: { b: 1, c¦: 2 }", "/a key: `c` in brackets"),
            ("a: { b: ¦ }", "/a/b value `` in brackets"),
            ("a: { b: x¦", "/a/b value `x` in brackets"),
            ("a: {¦}", "/a key `` in brackets"),
            ("a: {¦", "/a key `` in brackets"),
            ("a: [¦]", "/a/0 start `` in brackets"),
            ("a: [x, ¦]", "/a/1 start `` in brackets"),
            ("a: [x, y¦]", "/a/1 value `y` in brackets"),
            ("a: [{ b: \"{{ x¦", "/a/0/b value `\"{{ x` in brackets"),
            (
                "a: { b: $.data[*].i¦ }",
                "/a/b value `$.data[*].i` in brackets",
            ),
            ("a: { b: {{ x¦ }} }", "/a/b value `{{ x }}` in brackets"),
            ("a: { b: 1,\nc: 2\nd: ¦", "/d value ``"),
            ("a: { b: 1,\n     c: ¦ }", "/a/c value `` in brackets"),
            ("a: \"{{ x¦\nb: 1\n", "/a value `\"{{ x`"),
            ("a: \"{{ x\nb: ¦\n", "/b value ``"),
            ("a: $.data[*].¦", "/a value `$.data[*].`"),
            ("a: 1 # ¦", "nothing"),
            ("a: ¦ # c", "/a value ``"),
            ("# ¦", "nothing"),
            ("a: |\n  text {{ ¦\nb: 1\n", "/a value `|\n  text {{ `"),
            ("a: |\n  text\n¦", "/ key ``"),
            ("a: >-\n  text\nb: ¦", "/b value ``"),
            ("a: 1\n---\nb: ¦", "/b value ``"),
            (
                "a: { b: [1, 2], c: { d: ¦ } }",
                "/a/c/d value `` in brackets",
            ),
            ("a: [1, [2, 3], ¦]", "/a/2 start `` in brackets"),
            ("a: { b: 'x: y', c¦ }", "/a key `c` in brackets"),
            ("a:\n  b: plain\n    goes on\n  c: ¦", "/a/c value ``"),
            ("a: {}\nb: ¦", "/b value ``"),
            ("a: { é: ü, ö: ¦ }", "/a/ö value `` in brackets"),
            ("a: http://x.y\nb¦", "/ key `b`"),
            ("a:\r\n  b: 1\r\n  c: ¦\r\n", "/a/c value ``"),
        ] {
            assert_eq!(told(text), expected, "{text}");
        }
    }

    #[test]
    fn every_cut_of_every_file_has_an_end() {
        let text = "spec: 1\nrequest: { query: [a, 'b', \"c\"], path: \"/x/{{ y }}\" }\nlist:\n- a: |\n    t\n  b: { c: [ { d: é } ] }\n";
        for end in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
            for cursor in (0..=end).filter(|at| text.is_char_boundary(*at)) {
                let _ = find(&text[..end], cursor);
            }
        }
        for text in [
            "}}}]]]",
            "{{{{[[[[",
            "- - - -",
            ": : :",
            "\"",
            "'",
            "[\n[\n[",
            "? a",
            "a: [b\nc: {",
        ] {
            for cursor in 0..=text.len() {
                let _ = find(text, cursor);
            }
        }
    }
}
