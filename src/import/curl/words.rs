//! The words of curl commands, as a POSIX shell (with what bash and zsh add) reads them.

/// A curl command: its words without `curl` itself.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Words {
    /// The line where it begins.
    pub line: usize,
    /// The words.
    pub words: Vec<String>,
    /// What it reads from standard input, where the text says so.
    pub stdin: Option<Stdin>,
}

/// What a command reads from standard input.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Stdin {
    /// This text: a here-document.
    Text(String),
    /// This file.
    File(String),
}

/// Words that may stand before `curl` and change nothing about the request.
const BEFORE: [&str; 13] = [
    "$", "%", "!", "sudo", "time", "env", "exec", "command", "then", "do", "if", "while", "{",
];

/// Whether this word names the program.
pub(super) fn is_curl(word: &str) -> bool {
    let name = word.rsplit(['/', '\\']).next().unwrap_or_default();
    name.eq_ignore_ascii_case("curl") || name.eq_ignore_ascii_case("curl.exe")
}

/// The curl command in the words of a whole command.
pub(super) fn curl_in(line: usize, words: &mut Vec<String>, stdin: Option<Stdin>) -> Option<Words> {
    let is_set = |word: &String| {
        let name = word.split_once('=').map_or("", |(name, _)| name);
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        !name.is_empty() && name.chars().all(is_part)
    };
    let words = std::mem::take(words);
    let at = words
        .iter()
        .position(|word| !is_set(word) && !BEFORE.contains(&word.as_str()))?;
    is_curl(&words[at]).then(|| Words {
        line,
        words: words[at + 1..].to_vec(),
        stdin,
    })
}

/// The curl commands in a text.
///
/// # Errors
/// What cannot be read, with its line.
pub(super) fn commands(text: &str) -> Result<Vec<Words>, String> {
    let mut commands = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut reader = Reader::new(text);
    let mut line = 1;
    loop {
        let token = reader.next();
        let token = token.map_err(|problem| format!("line {}: {problem}", reader.begun))?;
        match token {
            Token::Word(word) => {
                if words.is_empty() {
                    line = reader.begun;
                }
                words.push(word);
            }
            token => {
                let stdin = reader.stdin.take();
                commands.extend(curl_in(line, &mut words, stdin));
                if token == Token::End {
                    return Ok(commands);
                }
            }
        }
    }
}

#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    /// The end of a command.
    Stop,
    /// The end of the text.
    End,
}

/// Reads words as a shell does. A variable becomes `{{NAME}}`.
struct Reader<'t> {
    rest: std::iter::Peekable<std::str::Chars<'t>>,
    line: usize,
    /// The line where the last word begins.
    begun: usize,
    stdin: Option<Stdin>,
    /// The here-document that begins with the next line: its last line, and whether tabs before its lines are dropped.
    document: Option<(String, bool)>,
}

const RUNS: &str = "`$(...)` and backticks run a command; put its result in their place";

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Reader<'t> {
        Reader {
            rest: text.chars().peekable(),
            line: 1,
            begun: 1,
            stdin: None,
            document: None,
        }
    }

    fn take(&mut self) -> Option<char> {
        let c = self.rest.next();
        if c == Some('\n') {
            self.line += 1;
        }
        c
    }

    fn next(&mut self) -> Result<Token, String> {
        loop {
            match self.rest.peek().copied() {
                None => return Ok(Token::End),
                Some(' ' | '\t' | '\r') => {
                    self.take();
                }
                Some('#') => {
                    while self.rest.peek().is_some_and(|c| *c != '\n') {
                        self.take();
                    }
                }
                Some('\n') => {
                    self.take();
                    self.read_document();
                    return Ok(Token::Stop);
                }
                Some(';' | '|' | '(' | ')') => {
                    self.take();
                    return Ok(Token::Stop);
                }
                Some('&') => {
                    self.take();
                    match self.rest.peek() {
                        Some('>') => self.redirect()?,
                        _ => return Ok(Token::Stop),
                    }
                }
                Some('<' | '>') => self.redirect()?,
                Some('\\') => {
                    self.take();
                    match self.rest.peek() {
                        Some('\n') => {
                            self.take();
                        }
                        Some('\r') => {
                            self.take();
                            self.rest.next_if_eq(&'\n').inspect(|_| self.line += 1);
                        }
                        _ => {
                            if let Some(word) = self.word(true)? {
                                return Ok(Token::Word(word));
                            }
                        }
                    }
                }
                Some(_) => {
                    if let Some(word) = self.word(false)? {
                        return Ok(Token::Word(word));
                    }
                }
            }
        }
    }

    /// Reads `> file`, `2>&1`, `< file`, `<<END` or `<<<text`.
    fn redirect(&mut self) -> Result<(), String> {
        let mut sign = String::new();
        while let Some(c) = self.rest.next_if(|c| "<>&|-".contains(*c)) {
            sign.push(c);
        }
        while self.rest.next_if(|c| " \t".contains(*c)).is_some() {}
        let is_quoted = matches!(self.rest.peek(), Some('\'' | '"' | '\\'));
        let word = self.word(false)?.unwrap_or_default();
        match sign.as_str() {
            "<" => self.stdin = Some(Stdin::File(word)),
            "<<<" => self.stdin = Some(Stdin::Text(word + "\n")),
            "<<" | "<<-" => {
                if !is_quoted && word.contains("{{") {
                    return Err("the here-document's last line cannot be a variable".to_owned());
                }
                self.document = Some((word, sign == "<<-"));
            }
            _ => {}
        }
        Ok(())
    }

    /// Reads the lines of a here-document that is open.
    fn read_document(&mut self) {
        let Some((end, drops_tabs)) = self.document.take() else {
            return;
        };
        let mut text = String::new();
        while self.rest.peek().is_some() {
            let mut line = String::new();
            while let Some(c) = self.take().filter(|c| *c != '\n') {
                line.push(c);
            }
            let line = line.trim_end_matches('\r');
            let line = match drops_tabs {
                true => line.trim_start_matches('\t'),
                false => line,
            };
            if line == end {
                break;
            }
            text.push_str(line);
            text.push('\n');
        }
        self.stdin = Some(Stdin::Text(text));
    }

    /// A word; `None` if it is the number before a redirection.
    fn word(&mut self, is_escaped: bool) -> Result<Option<String>, String> {
        self.begun = self.line;
        let mut word = String::new();
        let mut is_bare = !is_escaped;
        if is_escaped {
            word.extend(self.take());
        }
        let open = |quote: char| format!("the quote {quote} is not closed");
        while let Some(c) = self.rest.peek().copied() {
            match c {
                ' ' | '\t' | '\r' | '\n' | ';' | '|' | '(' | ')' => break,
                '&' if word.is_empty() => break,
                // `2>file`: the number names what is redirected.
                '<' | '>' => {
                    let is_number = is_bare && word.chars().all(|c| c.is_ascii_digit());
                    if is_number && !word.is_empty() {
                        return Ok(None);
                    }
                    break;
                }
                '`' => return Err(RUNS.to_owned()),
                '\\' => {
                    is_bare = false;
                    self.take();
                    match self.take() {
                        Some('\n') | None => {}
                        Some(c) => word.push(c),
                    }
                }
                '\'' => {
                    is_bare = false;
                    self.take();
                    loop {
                        match self.take().ok_or_else(|| open('\''))? {
                            '\'' => break,
                            c => word.push(c),
                        }
                    }
                }
                '"' => {
                    is_bare = false;
                    self.take();
                    self.quoted(&mut word, || open('"'))?;
                }
                '$' => {
                    self.take();
                    match self.rest.peek() {
                        Some('\'') => {
                            is_bare = false;
                            self.take();
                            self.ansi(&mut word, || open('\''))?;
                        }
                        // `$"..."` is a text that bash may translate.
                        Some('"') => {}
                        _ => self.variable(&mut word)?,
                    }
                }
                c => {
                    self.take();
                    word.push(c);
                }
            }
        }
        Ok(Some(word))
    }

    /// The text between double quotes.
    fn quoted(&mut self, word: &mut String, open: impl Fn() -> String) -> Result<(), String> {
        loop {
            match self.take().ok_or_else(&open)? {
                '"' => return Ok(()),
                '`' => return Err(RUNS.to_owned()),
                '\\' => match self.take().ok_or_else(&open)? {
                    '\n' => {}
                    c @ ('"' | '\\' | '$' | '`') => word.push(c),
                    c => {
                        word.push('\\');
                        word.push(c);
                    }
                },
                '$' => self.variable(word)?,
                c => word.push(c),
            }
        }
    }

    /// The text of `$'...'`, in which escapes may stand for bytes.
    fn ansi(&mut self, word: &mut String, open: impl Fn() -> String) -> Result<(), String> {
        let mut bytes: Vec<u8> = Vec::new();
        let mut high = None;
        let push = |bytes: &mut Vec<u8>, c: char| {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        };
        loop {
            let c = self.take().ok_or_else(&open)?;
            if c == '\'' {
                break;
            }
            if c != '\\' {
                push(&mut bytes, c);
                continue;
            }
            match self.take().ok_or_else(&open)? {
                'n' => bytes.push(b'\n'),
                't' => bytes.push(b'\t'),
                'r' => bytes.push(b'\r'),
                'a' => bytes.push(7),
                'b' => bytes.push(8),
                'e' | 'E' => bytes.push(27),
                'f' => bytes.push(12),
                'v' => bytes.push(11),
                'x' => match self.digits(16, 2) {
                    Some(code) => bytes.push(u8::try_from(code).unwrap_or_default()),
                    None => bytes.extend_from_slice(b"\\x"),
                },
                mark @ ('u' | 'U') => {
                    let most = if mark == 'u' { 4 } else { 8 };
                    let code = self.digits(16, most).unwrap_or(0xfffd);
                    // Browsers write a character beyond the first plane as two halves.
                    match (high.take(), code) {
                        (None, 0xd800..=0xdbff) => high = Some(code),
                        (Some(first), 0xdc00..=0xdfff) => {
                            let code = 0x10000 + ((first - 0xd800) << 10) + (code - 0xdc00);
                            push(&mut bytes, char::from_u32(code).unwrap_or('\u{fffd}'));
                        }
                        (_, code) => push(&mut bytes, char::from_u32(code).unwrap_or('\u{fffd}')),
                    }
                }
                'c' => {
                    let key = self.take().ok_or_else(&open)?;
                    bytes.push(key.to_ascii_uppercase() as u8 & 0x1f);
                }
                c @ '0'..='7' => {
                    let first = c.to_digit(8).unwrap_or_default();
                    let mut code = first;
                    for _ in 0..2 {
                        match self.rest.next_if(|c| ('0'..='7').contains(c)) {
                            Some(c) => code = code * 8 + c.to_digit(8).unwrap_or_default(),
                            None => break,
                        }
                    }
                    bytes.push((code & 0xff) as u8);
                }
                c @ ('\'' | '"' | '\\' | '?') => push(&mut bytes, c),
                c => {
                    bytes.push(b'\\');
                    push(&mut bytes, c);
                }
            }
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| "`$'...'` has bytes that are no UTF-8 text".to_owned())?;
        word.push_str(&text);
        Ok(())
    }

    /// A number of at most so many digits.
    fn digits(&mut self, radix: u32, most: usize) -> Option<u32> {
        let mut text = String::new();
        while text.len() < most {
            match self.rest.next_if(|c| c.is_digit(radix)) {
                Some(c) => text.push(c),
                None => break,
            }
        }
        u32::from_str_radix(&text, radix).ok()
    }

    /// A variable after `$`.
    fn variable(&mut self, word: &mut String) -> Result<(), String> {
        if self.rest.peek() == Some(&'(') {
            return Err(RUNS.to_owned());
        }
        let is_braced = self.rest.next_if_eq(&'{').is_some();
        let is_part = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
        let mut name = String::new();
        while let Some(c) = self.rest.next_if(is_part) {
            name.push(c);
        }
        if is_braced {
            while let Some(c) = self.take() {
                if c == '}' {
                    break;
                }
            }
        }
        match name.is_empty() {
            true => word.push('$'),
            false => word.push_str(&format!("{{{{{name}}}}}")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn words_are_read_as_a_shell_does() {
        for (text, expected) in [
            ("curl a", vec![vec!["a"]]),
            (
                "curl 'a b' \"c\\\"d\" e\\ f",
                vec![vec!["a b", "c\"d", "e f"]],
            ),
            (
                "curl \\\n  -H 'x: y' \\\r\n  a",
                vec![vec!["-H", "x: y", "a"]],
            ),
            (
                "curl \"$HOST/v1\" ${KEY} '$no'",
                vec![vec!["{{HOST}}/v1", "{{KEY}}", "$no"]],
            ),
            (
                "# a comment\ncurl a\n\ncurl b | jq .",
                vec![vec!["a"], vec!["b"]],
            ),
            ("echo no; curl a && curl 'b'", vec![vec!["a"], vec!["b"]]),
            ("curl $'a\\nb\\u0041'", vec![vec!["a\nbA"]]),
            (
                "curl https://a.test/?x=1&y=2",
                vec![vec!["https://a.test/?x=1&y=2"]],
            ),
            (
                "curl $'\\x41\\101\\\\\\'\\ud83d\\ude00\\xe2\\x82\\xac\\q'",
                vec![vec!["AA\\'😀€\\q"]],
            ),
            ("curl -s a > out 2>&1 </dev/null", vec![vec!["-s", "a"]]),
            ("curl a 2>/dev/null &>all", vec![vec!["a"]]),
            (
                "$ sudo X=1 /usr/bin/curl a\n(curl b)\nif curl c; then",
                vec![vec!["a"], vec!["b"], vec!["c"]],
            ),
            ("curl 'a'\"b\"c$'d'", vec![vec!["abcd"]]),
            ("curl '' a", vec![vec!["", "a"]]),
            ("curl a#b #c", vec![vec!["a#b"]]),
            ("curl a 22", vec![vec!["a", "22"]]),
            ("curlew a; mycurl b", vec![]),
        ] {
            let read: Vec<Vec<String>> = commands(text)
                .unwrap()
                .into_iter()
                .map(|command| command.words)
                .collect();
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn standard_input_is_what_the_text_says() {
        let text = |text: &str| Some(Stdin::Text(text.to_owned()));
        for (commands_text, expected) in [
            (
                "curl -d @- a <<EOF\n{\"a\":\n 1}\nEOF\n",
                text("{\"a\":\n 1}\n"),
            ),
            ("curl -d @- a <<-'EOF'\n\tx\n\tEOF", text("x\n")),
            ("curl -d @- a <<< 'x y'", text("x y\n")),
            (
                "curl -d @- a < in.json",
                Some(Stdin::File("in.json".to_owned())),
            ),
            ("curl a", None),
        ] {
            let read = commands(commands_text).unwrap();
            assert_eq!(read[0].stdin, expected, "{commands_text}");
            assert_eq!(read.len(), 1, "{commands_text}");
        }
        let read = commands("curl -d @- a <<EOF\nx\nEOF\n\ncurl b").unwrap();
        assert_eq!((read.len(), read[1].line), (2, 5));
    }

    #[test]
    fn what_cannot_be_read_is_an_error_with_its_line() {
        for (text, expected) in [
            ("curl 'a", "line 1: the quote ' is not closed"),
            ("\ncurl \"a", "line 2: the quote \" is not closed"),
            (
                "curl \"$(cat key)\"",
                "line 1: `$(...)` and backticks run a command",
            ),
            ("curl `url`", "run a command"),
            ("curl $'\\xff'", "no UTF-8"),
        ] {
            let told = commands(text).unwrap_err();
            assert!(told.contains(expected), "{text}: {told}");
        }
    }
}
