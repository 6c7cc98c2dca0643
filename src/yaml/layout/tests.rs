//! Tables of texts before and after, and generated texts with comments in all places.

use std::fmt::Write as _;

use pretty_assertions::assert_eq;
use serde_json::Value;

use super::{Order, Refusal, layout};

/// Keys in the order of the alphabet, except below `free`.
#[derive(Clone, Copy)]
struct Alphabet(bool);

impl Order for Alphabet {
    fn ranks(&self, names: &[&str]) -> Option<Vec<usize>> {
        let rank = |name: &&str| names.iter().filter(|other| *other < name).count();
        self.0.then(|| names.iter().map(rank).collect())
    }
    fn member(&self, name: &str) -> Self {
        Alphabet(self.0 && name != "free")
    }
    fn item(&self) -> Self {
        *self
    }
}

fn laid_out(text: &str) -> String {
    let once =
        layout(text, &Alphabet(true)).unwrap_or_else(|refusal| panic!("{refusal:?}:\n{text}"));
    let twice =
        layout(&once, &Alphabet(true)).unwrap_or_else(|refusal| panic!("{refusal:?}:\n{once}"));
    assert_eq!(twice, once, "of:\n{text}");
    once
}

#[test]
fn comments_and_blank_lines_move_with_their_key() {
    for (text, expected) in [
        ("b: 1\na: 2\n", "a: 2\nb: 1\n"),
        (
            "# of b\nb: 1 # b\n\n\n\n# of a\na: 2 # a\n",
            "# of a\na: 2 # a\n# of b\nb: 1 # b\n",
        ),
        (
            "# yaml-language-server: $schema=x\nb: 1\na: 2\n",
            "# yaml-language-server: $schema=x\na: 2\nb: 1\n",
        ),
        (
            "# the file\n\n# of b\nb: 1\na: 2\n",
            "# the file\n\na: 2\n# of b\nb: 1\n",
        ),
        ("a: 1\n# the end\n", "a: 1\n# the end\n"),
        ("a: 1\n\n\n\n", "a: 1\n"),
        ("\n\na: 1", "a: 1\n"),
        // By its column, a comment behind a block belongs to the block or to what follows.
        (
            "b:\n  x: 1\n  # foot of b\n# of a\na: 1\n",
            "# of a\na: 1\nb:\n  x: 1\n  # foot of b\n",
        ),
        ("b:\n- 1\n# of a\na: 1\n", "# of a\na: 1\nb:\n  - 1\n"),
        ("a:\n- 1\n# of 2\n- 2\n", "a:\n  - 1\n  # of 2\n  - 2\n"),
        // Between a key and its value.
        ("a: # one\n  - 1\n", "a: # one\n  - 1\n"),
        ("a: # one\n  x # two\n", "# one\na: x # two\n"),
        ("a:\n  # one\n  x\n", "# one\na: x\n"),
        ("a:\n  # of b\n  b: 1\n", "a:\n  # of b\n  b: 1\n"),
        // In items.
        ("a:\n  - # one\n    x: 1\n", "a:\n  # one\n  - x: 1\n"),
        ("a:\n  -\n    # one\n    x: 1\n", "a:\n  # one\n  - x: 1\n"),
        (
            "a:\n  - z: 1\n    # of y\n    y: 2\n",
            "a:\n  # of y\n  - y: 2\n    z: 1\n",
        ),
        (
            "a:\n  - - 1 # one\n    - 2\n  - x\n",
            "a:\n  - - 1 # one\n    - 2\n  - x\n",
        ),
        // In brackets.
        (
            "a: { # one\n  c: 1, # two\n  b: 2 # three\n}\n",
            "a:\n  b: 2 # three\n  # one\n  c: 1 # two\n",
        ),
        ("a: [1, # one\n  2]\n", "a:\n  - 1 # one\n  - 2\n"),
        ("a: [ # one\n ]\n", "# one\na: []\n"),
        (
            "a: [x, { b: 1 # one\n }] # two\n",
            "a: # two\n  - x\n  - b: 1 # one\n",
        ),
        // In the header of a block, and behind it.
        (
            "a: |  # one\n    x\n\n    y\n# two\nb: 1\n",
            "a: | # one\n  x\n\n  y\n# two\nb: 1\n",
        ),
    ] {
        assert_eq!(laid_out(text), expected, "of:\n{text}");
    }
}

#[test]
fn scalars_keep_what_they_mean() {
    for (text, expected) in [
        ("a: 'x'\n", "a: x\n"),
        ("a: \"x\"\n", "a: x\n"),
        ("a: 'it''s'\n", "a: it's\n"),
        ("a: \"1\"\n", "a: \"1\"\n"),
        ("a: 'yes'\n", "a: \"yes\"\n"),
        ("a: '2026-01-01'\n", "a: \"2026-01-01\"\n"),
        ("a: 'x: y'\n", "a: \"x: y\"\n"),
        ("a: 'say: \"x\"'\n", "a: 'say: \"x\"'\n"),
        ("a: {{ x }}\n", ""),
        ("a: v{{ x }}\n", "a: \"v{{ x }}\"\n"),
        ("a: '{{ x }}'\n", "a: \"{{ x }}\"\n"),
        ("a: [ 'x, y', 'z' ]\n", "a: [\"x, y\", z]\n"),
        // Numbers keep their digits, and other words their form.
        (
            "a: 1.50\nb: 0x1F\nc: ~\nd: True\ne: 1e3\n",
            "a: 1.50\nb: 0x1F\nc: ~\nd: True\ne: 1e3\n",
        ),
        ("a:\nb: ''\n", "a:\nb: \"\"\n"),
        ("a: [ , ]\n", ""),
        ("a: { b: , c: 1 }\n", "a: { b: null, c: 1 }\n"),
        // An escape makes something visible.
        ("a: \"\\u200b\\x41\"\n", "a: \"\\u200b\\x41\"\n"),
        ("a: \"x\\ny\"\n", "a: \"x\\ny\"\n"),
        // Several lines that mean one.
        ("a: x\n  y\n", "a: x y\n"),
        ("a: 'x\n\n  y'\n", "a: \"x\\ny\"\n"),
        // Keys.
        (
            "'a': 1\n'1': 2\n\"a b\": 3\n'c: d': 4\n",
            "\"1\": 2\na: 1\na b: 3\n\"c: d\": 4\n",
        ),
        ("? a\n: 1\n", "a: 1\n"),
        // Blocks.
        ("a: >-\n   x\n   y\n", "a: >-\n  x\n  y\n"),
        ("a: |+\n  x\n\n\nb: 1\n", "a: |+\n  x\n\n\nb: 1\n"),
        ("b: |+\n  x\n\n\n\na: 1\n", "a: 1\nb: |+\n  x\n\n\n\n"),
        ("a: |2\n   x\n  y\n", "a: |2\n   x\n  y\n"),
        ("a: |4-\n      x\n", "a: |2-\n    x\n"),
        ("a: |\n\n  x\n", "a: |\n\n  x\n"),
        ("a: |-\n\n\nb: 1\n", "a: \"\"\nb: 1\n"),
        ("a: |+\n\nb: 1\n", "a: \"\\n\"\nb: 1\n"),
        ("a:\n  - |\n    x\n  - y\n", "a:\n  - |\n    x\n  - y\n"),
        ("a: |\n  x  \n     \n", ""),
    ] {
        match expected {
            "" => assert_eq!(
                layout(text, &Alphabet(true)).is_err() || laid_out(text).ends_with('\n'),
                true
            ),
            expected => assert_eq!(laid_out(text), expected, "of:\n{text}"),
        }
    }
}

#[test]
fn brackets_and_long_texts_fit_the_width() {
    let words = "word ".repeat(40).trim().to_owned();
    let line = |count: usize| "word ".repeat(count).trim().to_owned();
    let folded = format!("a: >-\n  {}\n  {}\n", line(23), line(17));
    assert_eq!(laid_out(&format!("a: {words}\n")), folded);
    assert_eq!(
        laid_out(&format!("a: '{words}' # c\n")),
        folded.replace(">-", ">- # c")
    );
    assert_eq!(
        laid_out(&format!("a: >\n    {words}\n")),
        folded.replace(">-", ">")
    );
    // An expression is not split, and a literal text neither.
    let expression = format!("a: \"{{{{ {} }}}}\"\n", "x ~ ".repeat(50) + "x");
    assert_eq!(laid_out(&expression), expression);
    let literal = format!("a: |\n  {words}\n");
    assert_eq!(laid_out(&literal), literal);
    let url = format!("a: https://a.test/{}\n", "x".repeat(200));
    assert_eq!(laid_out(&url), url);
    let map = format!("a: {{ free: {{ z: 1, y: 2 }}, text: {words} }}\n");
    let text = folded
        .strip_prefix("a:")
        .unwrap_or_default()
        .replace("\n  ", "\n    ");
    assert_eq!(
        laid_out(&map),
        format!("a:\n  free: {{ z: 1, y: 2 }}\n  text:{text}")
    );
    let items = "item_of_a_list, ".repeat(12);
    let list = laid_out(&format!("a: [{}]\n", items.trim_end_matches(", ")));
    assert_eq!(list, format!("a:\n{}", "  - item_of_a_list\n".repeat(12)));
    assert_eq!(
        laid_out(&format!("a:\n  - {{ x: {words} }} # c\n"))
            .lines()
            .nth(1),
        Some("  # c")
    );
    assert_eq!(
        laid_out("a: {\n  b: 1,\n\n  c: [ 1,2 ] }\n"),
        "a: { b: 1, c: [1, 2] }\n"
    );
    assert_eq!(laid_out("{ \"b\": 1, \"a\": [] }"), "a: []\nb: 1\n");
}

#[test]
fn line_ends_and_marks_stay() {
    for (text, expected) in [
        ("b: 1\r\na: |\r\n  x\r\n", "a: |\r\n  x\r\nb: 1\r\n"),
        ("\u{feff}b: 1\na: 2\n", "\u{feff}a: 2\nb: 1\n"),
        ("# one\n---\nb: 1\na: 2\n", "# one\n---\na: 2\nb: 1\n"),
        (
            "%YAML 1.2\n--- # one\na: 1\n...\n# two\n",
            "%YAML 1.2\n--- # one\na: 1\n...\n# two\n",
        ),
        ("a: 1   # x\t\n", "a: 1 # x\n"),
    ] {
        assert_eq!(laid_out(text), expected, "of:\n{text}");
    }
}

#[test]
fn what_is_not_understood_stays() {
    for (text, refusal) in [
        ("a: 1\rb: 2\n", Refusal::LineEnds),
        ("text\n", Refusal::NoCollection),
        ("a: &x 1\n", Refusal::Unread),
        ("a: *x\n", Refusal::Unread),
        ("a: !t 1\n", Refusal::Unread),
        ("a: 1\n---\nb: 1\n", Refusal::Unread),
        ("a: 1\na: 2\n", Refusal::Unread),
        ("a: [1\n", Refusal::Unread),
    ] {
        assert_eq!(layout(text, &Alphabet(true)), Err(refusal), "{text}");
    }
}

#[test]
fn what_would_be_too_large_to_be_read_stays() {
    let items = vec!["\"1\""; 90_000].join(", ");
    let text = format!("a: {{ b: {{ c: {{ d: [{items}] }} }} }}\n");
    assert!(text.len() < 1 << 19);
    assert_eq!(layout(&text, &Alphabet(true)), Err(Refusal::Large));
}

/// Writes texts with any layout, with comments and blank lines in all places.
struct Author {
    random: fastrand::Rng,
    text: String,
    comments: usize,
    /// Whether a block text ends here, behind which a comment must not be indented further than its key.
    is_block: bool,
}

impl Author {
    fn chance(&mut self, percent: u8) -> bool {
        self.random.u8(..100) < percent
    }

    fn comment(&mut self) {
        self.comments += 1;
        let words = ["", ": x", " - y", "'", "\" {", " # more"];
        let words = words[self.random.usize(..words.len())];
        let _ = write!(self.text, "#c{}.{words}", self.comments);
    }

    fn end(&mut self) {
        if self.chance(20) {
            let blanks = self.random.usize(1..3);
            self.text.push_str(&" ".repeat(blanks));
            self.comment();
        }
        self.text.push('\n');
    }

    /// Blank lines and comments before a line.
    fn lines(&mut self, indent: usize) {
        while self.chance(25) {
            if self.chance(60) {
                let most = if self.is_block { indent } else { indent + 4 };
                let column = self.random.usize(..=most);
                self.text.push_str(&" ".repeat(column));
                self.comment();
            }
            self.text.push('\n');
        }
        self.is_block = false;
    }

    fn indent(&mut self, indent: usize) {
        self.text.push_str(&" ".repeat(indent));
    }

    fn map(&mut self, indent: usize, depth: usize, is_started: bool) {
        let mut names = vec!["a", "b", "free", "\"d e\"", "'f'", "g-1", "1"];
        self.random.shuffle(&mut names);
        let count = self.random.usize(1..5);
        for (i, name) in names[..count].iter().enumerate() {
            if i > 0 || !is_started {
                self.lines(indent);
                self.indent(indent);
            }
            if self.chance(5) {
                self.text.push_str("? ");
                self.text.push_str(name);
                self.end();
                self.lines(indent);
                self.indent(indent);
            } else {
                self.text.push_str(name);
            }
            self.text.push(':');
            self.value(indent, depth, true);
        }
    }

    fn list(&mut self, indent: usize, depth: usize, is_started: bool) {
        for i in 0..self.random.usize(1..4) {
            if i > 0 || !is_started {
                self.lines(indent);
                self.indent(indent);
            }
            self.text.push('-');
            self.value(indent, depth, false);
        }
    }

    fn value(&mut self, indent: usize, depth: usize, is_member: bool) {
        let most = if depth == 0 { 6 } else { 11 };
        match self.random.usize(..most) {
            0 => self.end(),
            1 | 2 => {
                self.text.push(' ');
                self.scalar(false);
                self.end();
            }
            3 => self.block(indent),
            4 => {
                self.end();
                self.lines(indent + 2);
                self.indent(indent + 2);
                self.scalar(false);
                self.end();
            }
            5 => {
                self.text.push(' ');
                self.flow(indent, 2);
                self.end();
            }
            6 if !is_member => {
                self.text.push(' ');
                self.map(indent + 2, depth - 1, true);
            }
            7 if !is_member => {
                self.text.push(' ');
                self.list(indent + 2, depth - 1, true);
            }
            6..=8 => {
                self.end();
                let deeper = self.random.usize(1..5);
                self.map(indent + deeper, depth - 1, false);
            }
            _ => {
                self.end();
                let least = usize::from(!is_member);
                let deeper = self.random.usize(least..4);
                self.list(indent + deeper, depth - 1, false);
            }
        }
    }

    fn scalar(&mut self, in_brackets: bool) {
        let scalars = [
            "x",
            "two words",
            "1.50",
            "-3",
            "true",
            "~",
            "'it''s'",
            "\"a: b\"",
            "\"\\u00e9\\n\"",
            "'#no'",
            "\"yes\"",
            "https://a.test/b?c#d",
            "x#y",
            "''",
            "\"{{ a }}\"",
            "'say \"hi\"'",
            "é",
            "2026-01-01",
            "a-b_c/d",
            "x: y",
            "a, b",
            "[no",
            "plain {{ a }} text",
        ];
        let most = if in_brackets {
            scalars.len() - 4
        } else {
            scalars.len()
        };
        let scalar = scalars[self.random.usize(..most)];
        let is_broken = |c: &str| c.contains(": ") || c.starts_with('[');
        match !scalar.starts_with(['"', '\'']) && is_broken(scalar) {
            true => self.text.push_str("word"),
            false if self.chance(4) => self.text.push_str(
                &"some more words "
                    .repeat(12)
                    .trim_end()
                    .replace("more", "mere"),
            ),
            false => self.text.push_str(scalar),
        }
    }

    fn block(&mut self, indent: usize) {
        let header = [" |", " |-", " >", " >-", " |+", " >+"][self.random.usize(..6)];
        self.text.push_str(header);
        self.end();
        let deeper = self.random.usize(1..5);
        for i in 0..self.random.usize(1..4) {
            if i > 0 && self.chance(30) {
                self.text.push('\n');
            }
            self.indent(indent + deeper);
            if i > 0 && self.chance(20) {
                self.text.push_str("   more");
            }
            self.text.push_str(
                ["text", "# no comment", "a: b", "text  with blanks"][self.random.usize(..4)],
            );
            self.text.push('\n');
        }
        self.is_block = true;
    }

    fn flow(&mut self, indent: usize, depth: usize) {
        let is_map = self.random.bool();
        let names = ["a", "b", "free", "\"c\"", "'d e'"];
        self.text.push(if is_map { '{' } else { '[' });
        let count = self.random.usize(..5);
        for name in &names[..count] {
            self.gap(indent);
            if is_map {
                self.text.push_str(name);
                self.text.push_str(": ");
            }
            match depth > 0 && self.chance(30) {
                true => self.flow(indent, depth - 1),
                false => self.scalar(true),
            }
            self.gap(indent);
            self.text.push(',');
        }
        self.gap(indent);
        self.text.push(if is_map { '}' } else { ']' });
    }

    fn gap(&mut self, indent: usize) {
        self.text.push(' ');
        while self.chance(12) {
            if self.chance(50) {
                self.comment();
            }
            self.text.push('\n');
            self.indent(indent + 1);
        }
    }
}

#[test]
#[ignore = "long"]
fn generated_texts_keep_their_value_and_every_comment() {
    let seeds = std::env::var("LAYOUTS")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(4000_u64);
    for seed in 0..seeds {
        let mut author = Author {
            random: fastrand::Rng::with_seed(seed),
            text: String::new(),
            comments: 0,
            is_block: false,
        };
        if author.chance(10) {
            author.lines(0);
            author.text.push_str("---");
            author.end();
        }
        author.map(0, 3, false);
        author.lines(0);
        let text = author.text;
        let value: Value =
            serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{seed}: {error}:\n{text}"));
        let once = laid_out(&text);
        let again: Value =
            serde_yaml::from_str(&once).unwrap_or_else(|error| panic!("{seed}: {error}:\n{once}"));
        assert_eq!(again, value, "{seed}:\n{text}\nbecame:\n{once}");
        for i in 1..=author.comments {
            let comment = format!("#c{i}.");
            assert_eq!(
                once.matches(&comment).count(),
                1,
                "{seed}: {comment} of\n{text}\nin:\n{once}"
            );
        }
        assert!(
            !once.contains("\n\n\n") || text.contains('+'),
            "{seed}:\n{once}"
        );
    }
}
