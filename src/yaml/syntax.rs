//! Turns the parser's syntax errors into problems that point at the cause and
//! say in plain words what it is.

use super::source::{Source, trimmed};
use super::{Problem, ProblemKind, Span, unfold};

/// What is known when the parser stops.
pub(super) struct Scene<'s> {
    pub(super) source: &'s Source<'s>,
    /// Where the parser was, or the start of the scalar it was in.
    pub(super) at: usize,
    /// The end of what was read before.
    pub(super) cursor: usize,
    /// The opening brackets of the collections begun but not ended.
    pub(super) brackets: Vec<usize>,
    /// The start of the innermost collection begun but not ended.
    pub(super) innermost: Option<usize>,
    pub(super) last_scalar: Option<Span>,
}

type Explanation = fn(&Scene) -> Problem;

/// Each explains a part of the parser's own message. The first that matches is used.
const EXPLANATIONS: &[(&str, Explanation)] = &[
    ("recursion limit", |scene| too_deep(scene.here())),
    ("found a tab", tab),
    ("tabs disallowed", tab),
    ("tab cannot be used", tab),
    ("cannot start with a tab", tab),
    ("valid YAML whitespace", tab),
    ("unexpected end of stream", open_quote),
    ("invalid indentation in quoted", open_quote),
    ("unexpected document indicator", open_quote),
    ("unknown escape", escape),
    ("hexadecimal number", escape),
    ("Unicode character escape", escape),
    ("simple key expect", key_without_colon),
    ("mapping values are not allowed", stray_colon),
    ("placement of ':'", bracketed),
    ("expected ',' or", bracketed),
    ("only valid inside a block", bracketed),
    ("invalid indentation in flow", bracketed_indentation),
    ("invalid indentation", indentation),
    ("misplaced bracket", stray_bracket),
    ("unexpected character", reserved),
    ("trailing content after double-quoted", after_quote),
    ("sequence entries are not allowed", dash_in_line),
    ("mapping keys are not allowed", |scene| {
        scene.quote_it("a `? ` is not allowed here")
    }),
    ("did not find expected key", expected_key),
    ("did not find expected '-'", expected_dash),
    ("wrongly indented line", |scene| {
        scene
            .problem(
                scene.here(),
                "this line is indented less than the block of text it is in",
            )
            .help("indent all lines of the block alike; empty lines before the first count too")
    }),
    ("expected comment or line break", block_header),
    ("indicator equal to 0", block_header),
    ("comment intercepting", |scene| {
        scene
            .problem(
                scene.line(),
                "a comment ends the text before it, which the next line continues",
            )
            .help("move the comment, or write the text as a block with `|` or `>`")
    }),
    ("comments must be separated", |scene| {
        scene
            .problem(scene.line(), "a comment needs a space before its `#`")
            .help("put a space before the `#`; if it belongs to a text, put the text in quotes")
    }),
    ("expected <document start>", trailing),
    ("alphabetic or numeric", |scene| {
        scene.quote_it("a name is missing behind this character")
    }),
    ("handle wasn't declared", |scene| {
        let end = scene.source.after_property(scene.at).unwrap_or(scene.at);
        Problem::new(ProblemKind::Tag, scene.at..end, "tags are not supported")
            .help("remove it; if `!` begins a text, put the text in quotes")
    }),
    ("while scanning a tag", |scene| {
        scene.quote_it("this is not a tag YAML understands")
    }),
    ("while parsing a tag", |scene| {
        scene.quote_it("this is not a tag YAML understands")
    }),
    ("expected node content", no_content),
    ("byte order mark", |scene| {
        scene
            .problem(
                scene.here(),
                "a byte order mark (U+FEFF) may only stand at the start of the text",
            )
            .help("remove this invisible character")
    }),
];

/// The problem behind a parser's error with this message.
pub(super) fn explain(info: &str, scene: &Scene) -> Problem {
    let found = EXPLANATIONS.iter().find(|(part, _)| info.contains(part));
    match found {
        Some((_, explanation)) => explanation(scene),
        None => scene.problem(scene.here(), format!("this is not valid YAML: {info}")),
    }
}

/// The problem of nesting beyond the limit, seen first at `span`.
pub(super) fn too_deep(span: Span) -> Problem {
    Problem::new(ProblemKind::TooDeep, span, "this is nested too deeply")
}

impl Scene<'_> {
    fn problem(&self, span: Span, message: impl Into<String>) -> Problem {
        Problem::new(ProblemKind::Syntax, span, message)
    }

    fn quote_it(&self, message: &str) -> Problem {
        self.problem(self.here(), message)
            .help("if it belongs to a text, put the text in quotes")
    }

    /// The character where the parser was; at the end of the text, the empty
    /// span behind the last visible character.
    fn here(&self) -> Span {
        if self.at_end() {
            let end = trimmed(self.source.text).len();
            return end..end;
        }
        self.source.character(self.at)
    }

    /// From where the parser was to the end of that line.
    fn line(&self) -> Span {
        self.source.rest_of_line(self.at)
    }

    fn at_end(&self) -> bool {
        self.source.after_trivia(self.at) >= self.source.text.len()
    }

    /// The innermost bracket left open.
    fn open_bracket(&self) -> Option<usize> {
        let mut open = self.brackets.clone();
        let mut at = self.cursor;
        // A quote opens a quoted text only where a node may begin.
        let mut may_begin = true;
        while at < self.at {
            let byte = self.source.at(at)?;
            match byte {
                b'"' | b'\'' if may_begin => {
                    at = self.source.after_quoted(at)?;
                    may_begin = false;
                    continue;
                }
                b'#' if self.is_comment(at) => {
                    at = self.source.line_end(at);
                    continue;
                }
                b'[' | b'{' => open.push(at),
                b']' | b'}' => drop(open.pop()),
                _ => {}
            }
            may_begin = matches!(byte, b'[' | b'{' | b',' | b':' | b'-' | b'?')
                || (may_begin && byte.is_ascii_whitespace());
            at += 1;
        }
        open.pop()
    }

    fn is_comment(&self, at: usize) -> bool {
        let before = at.checked_sub(1).and_then(|before| self.source.at(before));
        before.is_none_or(|byte| byte.is_ascii_whitespace())
    }

    fn on_line_of(&self, other: usize) -> bool {
        self.source.line_start(self.at) == self.source.line_start(other)
    }

    fn column(&self, at: usize) -> usize {
        at - self.source.line_start(at)
    }

    /// The first visible character of the line where the parser was.
    fn line_first(&self) -> usize {
        let start = self.source.line_start(self.at);
        let line = self.source.text.get(start..self.source.line_end(start));
        let line = line.unwrap_or("");
        start + (line.len() - line.trim_start_matches([' ', '\t']).len())
    }

    /// The dash that begins the line where the parser was.
    fn leading_dash(&self) -> Option<Span> {
        let first = self.line_first();
        let is_dash = self.source.at(first) == Some(b'-');
        let next = self.source.at(first + 1);
        (is_dash && next.is_none_or(|byte| byte.is_ascii_whitespace())).then_some(first..first + 1)
    }

    /// The tabs in the first indentation at or behind the parser's place that
    /// has any, on a line with content.
    fn indenting_tab(&self) -> Option<Span> {
        let mut start = self.source.line_start(self.at);
        while start < self.source.text.len() {
            let end = self.source.line_end(start);
            let line = self.source.text.get(start..end)?;
            let content = line.trim_start_matches([' ', '\t']);
            let indentation = line.get(..line.len() - content.len())?;
            let first = indentation.find('\t');
            if let Some(first) = first.filter(|_| !content.is_empty() && !content.starts_with('#'))
            {
                let tabs = indentation.get(first..)?;
                let length = tabs.len() - tabs.trim_start_matches('\t').len();
                return Some(start + first..start + first + length);
            }
            start = end + 1;
        }
        None
    }
}

fn tab(scene: &Scene) -> Problem {
    let before = scene.source.text.get(..scene.at).unwrap_or("");
    let behind = before.trim_end_matches([' ', '\t']).len();
    let nearby = before.get(behind..).and_then(|blanks| blanks.find('\t'));
    let here = nearby.map(|tab| behind + tab..behind + tab + 1);
    let span = scene.indenting_tab().or(here).unwrap_or(scene.here());
    scene
        .problem(span, "a tab cannot be used to indent or to align YAML")
        .help("use spaces instead of tabs")
}

fn open_quote(scene: &Scene) -> Problem {
    let message = if scene.source.after_quoted(scene.at).is_some() {
        "the lines of this quoted text are indented too little, or its closing quote is missing"
    } else {
        "this quote is never closed"
    };
    let help = match scene.source.at(scene.at) {
        Some(b'\'') => "close the text with `'`; write `''` for a quote inside it",
        _ => "close the text with `\"`; write `\\\"` for a quote inside it",
    };
    scene.problem(scene.line(), message).help(help)
}

fn escape(scene: &Scene) -> Problem {
    let bad = unfold::bad_escape(scene.source.text, scene.at);
    let text = bad.clone().and_then(|span| scene.source.text.get(span));
    let message = match text {
        Some("\\u") => "`\\u` needs four hexadecimal digits that name a character".to_owned(),
        Some("\\x") => "`\\x` needs two hexadecimal digits".to_owned(),
        Some("\\U") => "`\\U` needs eight hexadecimal digits that name a character".to_owned(),
        Some(text) => format!("`{text}` is not an escape sequence"),
        None => "this text holds an unknown escape sequence".to_owned(),
    };
    scene
        .problem(bad.unwrap_or(scene.here()), message)
        .help("write `\\\\` for a backslash, or put the text in single quotes")
}

/// The parser held a scalar back as a possible key and met no colon.
fn key_without_colon(scene: &Scene) -> Problem {
    let start = scene.source.after_trivia(scene.cursor);
    let span = scene.source.rest_of_line(start);
    let text = scene.source.text.get(span.clone()).unwrap_or("");
    let help = match text.find(':') {
        Some(_) => "put a space behind the colon",
        None => "write `key: value`; to continue the text of the line before, indent this line",
    };
    scene
        .problem(span, "a key is expected here, but no `: ` follows it")
        .help(help)
}

fn stray_colon(scene: &Scene) -> Problem {
    let scalar = scene
        .last_scalar
        .clone()
        .filter(|span| span.end <= scene.at);
    let text = scalar.clone().and_then(|span| scene.source.text.get(span));
    let colon = scene.here();
    let (Some(scalar), Some(text)) = (scalar, text) else {
        return scene.quote_it("a colon is not allowed here");
    };
    if !text.contains('\n') {
        return scene
            .problem(colon, "a second `: ` on the same line")
            .help("if the colon belongs to the value, put the value in quotes; otherwise begin a new line");
    }
    let first_line = text.lines().next().unwrap_or("");
    let help = match first_line.contains(':') && !first_line.contains("://") {
        true => "put a space behind the colon of the earlier line",
        false => {
            "indent this line like the key it belongs beside, or give that key no value of its own"
        }
    };
    scene
        .problem(
            colon,
            "this line continues the text begun on an earlier line, so it cannot be a key",
        )
        .help(help)
        .related(
            scene.source.rest_of_line(scalar.start),
            "the text begins here",
        )
}

/// Something unexpected inside brackets.
fn bracketed(scene: &Scene) -> Problem {
    let Some(open) = scene.open_bracket() else {
        return scene.quote_it("this is not allowed here");
    };
    let (opening, closing) = match scene.source.at(open) {
        Some(b'{') => ('{', '}'),
        _ => ('[', ']'),
    };
    let bracket = open..open + 1;
    if scene.at_end() {
        return scene
            .problem(bracket, format!("this `{opening}` is never closed"))
            .help(format!("close it with `{closing}`"));
    }
    let here = scene.here();
    if !scene.on_line_of(open) && scene.source.at(scene.at) != Some(b']') {
        return scene
            .problem(
                bracket,
                format!("this `{opening}` is not closed before the text goes on"),
            )
            .help(format!(
                "close it with `{closing}`, or separate its parts with commas"
            ))
            .related(here, "this is not allowed inside the brackets");
    }
    scene
        .problem(here, format!("expected `,` or `{closing}` here"))
        .help("inside brackets, put texts with commas, colons, quotes or brackets in quotes")
        .related(bracket, "the bracket opens here")
}

fn bracketed_indentation(scene: &Scene) -> Problem {
    let message = "inside brackets, a line must be indented more than the key or dash before them";
    let problem = scene.problem(scene.here(), message);
    let problem = match scene.source.at(scene.at) {
        Some(b']' | b'}') => {
            problem.help("indent the closing bracket, or put it on the line before")
        }
        _ => problem.help("indent this line, or close the bracket before it"),
    };
    match scene.open_bracket() {
        Some(open) => problem.related(open..open + 1, "the bracket opens here"),
        None => problem,
    }
}

fn indentation(scene: &Scene) -> Problem {
    if scene.open_bracket().is_some() {
        return bracketed_indentation(scene);
    }
    scene
        .problem(
            scene.here(),
            "the indentation of this line fits nothing before it",
        )
        .help("indent it like the lines it belongs beside")
}

fn stray_bracket(scene: &Scene) -> Problem {
    scene.quote_it("this closing bracket was never opened")
}

fn reserved(scene: &Scene) -> Problem {
    let character = match scene.source.text.get(scene.here()) {
        Some("`") | None => "a backtick".to_owned(),
        Some(other) => format!("`{other}`"),
    };
    let message = format!("a text without quotes cannot begin with {character}");
    scene
        .problem(scene.here(), message)
        .help("put the text in quotes")
}

fn after_quote(scene: &Scene) -> Problem {
    scene
        .problem(scene.line(), "this stands behind a closing quote")
        .help("put the whole text in quotes, and write `''` or `\\\"` for the quotes inside it")
}

fn dash_in_line(scene: &Scene) -> Problem {
    scene
        .problem(scene.here(), "a list cannot begin on the line of its key")
        .help("put the `- ` on the next line; if it begins a text, put the text in quotes")
}

fn expected_key(scene: &Scene) -> Problem {
    if let Some(dash) = scene.leading_dash() {
        return scene
            .problem(dash, "a list item stands where a key is expected")
            .help("indent it below the key it belongs to, and give that key no other value");
    }
    if scene.line_first() < scene.at {
        return scene.quote_it("this is not allowed behind the value before it");
    }
    indentation(scene)
}

fn expected_dash(scene: &Scene) -> Problem {
    if scene.line_first() < scene.at {
        return scene.quote_it("this is not allowed behind the item before it");
    }
    let list = scene.innermost.unwrap_or(scene.at);
    if scene.column(list) != scene.column(scene.at) {
        return indentation(scene);
    }
    scene
        .problem(
            scene.line(),
            "a list item is expected here, but the line has no `- `",
        )
        .help("begin the line with `- `, or change its indentation to what it belongs to")
}

fn block_header(scene: &Scene) -> Problem {
    scene
        .problem(
            scene.line(),
            "only an indentation from 1 to 9 and `+` or `-` may follow this `|` or `>`",
        )
        .help("begin the text on the next line; if the character begins a text, put it in quotes")
}

fn no_content(scene: &Scene) -> Problem {
    if scene.open_bracket().is_some() {
        return bracketed(scene);
    }
    if scene.at_end() {
        return scene.problem(scene.here(), "something is missing at the end of the text");
    }
    scene.quote_it("a value cannot begin with this")
}

fn trailing(scene: &Scene) -> Problem {
    // Before any content, only directives (`%YAML`) lead here.
    if scene.cursor == 0 {
        return scene
            .problem(
                scene.here(),
                "a `---` is missing behind the lines that begin with `%`",
            )
            .help("put a line with `---` before the content");
    }
    scene
        .problem(
            scene.line(),
            "this stands behind the end of the document's content",
        )
        .help("a document is one mapping, one list or one scalar")
}
