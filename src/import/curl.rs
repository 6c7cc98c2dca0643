//! curl commands: read as a shell would, and rewritten as a collection of saved requests.

use serde_json::{Value, json};

use super::inner::{Format, Inner};
use super::postman;

/// Options that take a value and change nothing about the request's meaning.
const IGNORED_WITH_VALUE: [&str; 24] = [
    "-o",
    "--output",
    "-A",
    "--user-agent",
    "-e",
    "--referer",
    "-m",
    "--max-time",
    "--connect-timeout",
    "--retry",
    "--retry-delay",
    "--retry-max-time",
    "-w",
    "--write-out",
    "-x",
    "--proxy",
    "--cacert",
    "-c",
    "--cookie-jar",
    "--resolve",
    "--limit-rate",
    "--max-redirs",
    "-D",
    "--dump-header",
];
/// Options without a value that change nothing either.
const IGNORED: [&str; 24] = [
    "-s",
    "--silent",
    "-S",
    "--show-error",
    "-L",
    "--location",
    "-k",
    "--insecure",
    "-i",
    "--include",
    "-v",
    "--verbose",
    "-f",
    "--fail",
    "--fail-with-body",
    "--compressed",
    "-g",
    "--globoff",
    "-N",
    "--no-buffer",
    "-#",
    "--http1.1",
    "--http2",
    "--progress-bar",
];

/// Rewrites a text with curl commands.
///
/// # Errors
/// When it has none, or one cannot be read.
pub(super) fn rewrite(text: &str) -> Result<Inner, String> {
    let mut items = Vec::new();
    let mut title = None;
    for (line, words) in commands(text)? {
        let request = request(&words).map_err(|problem| format!("line {line}: {problem}"))?;
        if title.is_none() {
            title = request["url"].as_str().and_then(host);
        }
        items.push(json!({ "name": "", "request": request }));
    }
    if items.is_empty() {
        return Err(
            "this is a text with no curl command, and no document of another format".to_owned(),
        );
    }
    let collection = json!({
        "info": { "name": title.unwrap_or_default(), "_postman_id": "" },
        "item": items,
    });
    let mut inner = postman::rewrite(&collection)?;
    inner.format = Format::Curl;
    inner.version = String::new();
    Ok(inner)
}

fn host(url: &str) -> Option<String> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', '?', ':']).next()?;
    let named: Vec<&str> = host
        .split('.')
        .filter(|label| !["www", "com", "org", "net", "io", "dev", "app"].contains(label))
        .collect();
    Some(named.join(" "))
}

/// The saved request that a command makes.
fn request(words: &[String]) -> Result<Value, String> {
    let mut command = Command::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (option, attached) = split_option(word);
        if !option.starts_with('-') || option == "-" {
            command.url = Some(word.clone());
            continue;
        }
        if IGNORED.contains(&option.as_str()) {
            // Short options stand together: `-sS`, `-sSX POST`.
            match attached {
                Some(rest) if !option.starts_with("--") => {
                    let more = format!("-{rest}");
                    let (option, attached) = split_option(&more);
                    if !is_ignored_run(&rest) {
                        command.take(&option, attached, &mut words)?;
                    }
                }
                _ => {}
            }
            continue;
        }
        command.take(&option, attached, &mut words)?;
    }
    command.finish()
}

fn is_ignored_run(letters: &str) -> bool {
    letters
        .chars()
        .all(|letter| IGNORED.contains(&format!("-{letter}").as_str()))
}

/// An option and what is attached to it: `-XPOST`, `--request=POST`.
fn split_option(word: &str) -> (String, Option<String>) {
    if let Some((name, value)) = word.split_once('=').filter(|_| word.starts_with("--")) {
        return (name.to_owned(), Some(value.to_owned()));
    }
    let is_short = word.starts_with('-') && !word.starts_with("--") && word.chars().count() > 2;
    match word.char_indices().nth(2).filter(|_| is_short) {
        Some((at, _)) => (word[..at].to_owned(), Some(word[at..].to_owned())),
        None => (word.to_owned(), None),
    }
}

/// A command as far as it is read.
#[derive(Default)]
struct Command {
    url: Option<String>,
    method: Option<String>,
    headers: Vec<(String, String)>,
    /// Name and value of each field, and whether they were encoded already.
    data: Vec<String>,
    encoded: Vec<String>,
    parts: Vec<Value>,
    file: Option<String>,
    is_json: bool,
    in_query: bool,
    has_user: bool,
}

impl Command {
    fn take<'w>(
        &mut self,
        option: &str,
        attached: Option<String>,
        words: &mut impl Iterator<Item = &'w String>,
    ) -> Result<(), String> {
        match option {
            "-I" | "--head" => {
                self.method.get_or_insert_with(|| "HEAD".to_owned());
                return Ok(());
            }
            "-G" | "--get" => {
                self.in_query = true;
                return Ok(());
            }
            _ => {}
        }
        let mut value = || {
            attached
                .clone()
                .or_else(|| words.next().cloned())
                .ok_or_else(|| format!("the option `{option}` has no value"))
        };
        match option {
            "-X" | "--request" => self.method = Some(value()?),
            "--url" => self.url = Some(value()?),
            "-H" | "--header" => {
                let header = value()?;
                if let Some((name, content)) = header.split_once(':') {
                    self.headers
                        .push((name.trim().to_owned(), content.trim().to_owned()));
                }
            }
            "-b" | "--cookie" => {
                let cookies = value()?;
                self.headers.push(("Cookie".to_owned(), cookies));
            }
            "-d" | "--data" | "--data-ascii" | "--data-binary" => {
                let data = value()?;
                match data.strip_prefix('@') {
                    Some(file) => self.file = Some(file.to_owned()),
                    None => self.data.push(data),
                }
            }
            "--data-raw" => self.data.push(value()?),
            "--json" => {
                self.is_json = true;
                self.data.push(value()?);
            }
            "--data-urlencode" => self.encoded.push(value()?),
            "-F" | "--form" | "--form-string" => {
                let part = part(&value()?)?;
                self.parts.push(part);
            }
            "-u" | "--user" => {
                value()?;
                self.has_user = true;
            }
            other if IGNORED_WITH_VALUE.contains(&other) => {
                value()?;
            }
            other => return Err(format!("the option `{other}` is not known here")),
        }
        Ok(())
    }

    fn finish(self) -> Result<Value, String> {
        let mut url = self.url.clone().ok_or("the command has no URL")?;
        let has_data = !(self.data.is_empty() && self.encoded.is_empty());
        if self.in_query && has_data {
            let between = if url.contains('?') { '&' } else { '?' };
            let fields: Vec<String> = self.data.iter().chain(&self.encoded).cloned().collect();
            url = format!("{url}{between}{}", fields.join("&"));
        }
        let body = match self.in_query {
            true => None,
            false => self.body(),
        };
        let method = match (&self.method, &body) {
            (Some(method), _) => method.clone(),
            (None, Some(_)) => "POST".to_owned(),
            (None, None) => "GET".to_owned(),
        };
        let headers: Vec<Value> = self
            .headers
            .iter()
            .map(|(key, value)| json!({ "key": key, "value": value }))
            .collect();
        let mut request = json!({ "method": method, "url": url, "header": headers });
        if self.is_json && self.header("content-type").is_none() {
            let json = json!({ "key": "Content-Type", "value": "application/json" });
            if let Some(list) = request["header"].as_array_mut() {
                list.push(json);
            }
        }
        if self.has_user {
            request["auth"] = json!({ "type": "basic" });
        }
        if let Some(body) = body {
            request["body"] = body;
        }
        Ok(request)
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut found = self
            .headers
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.as_str())
    }

    fn body(&self) -> Option<Value> {
        if !self.parts.is_empty() {
            return Some(json!({ "mode": "formdata", "formdata": self.parts }));
        }
        if let Some(file) = &self.file {
            return Some(json!({ "mode": "file", "file": { "src": file } }));
        }
        if self.data.is_empty() && self.encoded.is_empty() {
            return None;
        }
        let content_type = self.header("content-type").unwrap_or_default();
        let is_form = !self.is_json
            && (content_type.is_empty()
                || content_type.starts_with("application/x-www-form-urlencoded"));
        if !is_form {
            return Some(json!({ "mode": "raw", "raw": self.data.join("") }));
        }
        let decoded = self
            .data
            .iter()
            .flat_map(|data| data.split('&'))
            .map(|pair| {
                let mut pairs = url::form_urlencoded::parse(pair.as_bytes());
                pairs
                    .next()
                    .map(|(key, value)| (key.into_owned(), value.into_owned()))
                    .unwrap_or_default()
            });
        let plain = self.encoded.iter().filter_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            Some((key.to_owned(), value.to_owned()))
        });
        let fields: Vec<Value> = decoded
            .chain(plain)
            .filter(|(key, _)| !key.is_empty())
            .map(|(key, value)| json!({ "key": key, "value": value }))
            .collect();
        Some(json!({ "mode": "urlencoded", "urlencoded": fields }))
    }
}

/// A part of a form: `name=value`, `name=@file`, `name=@file;type=image/png`.
fn part(text: &str) -> Result<Value, String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` is no part of a form: it has no `=`"))?;
    let (value, media_type) = match value.split_once(";type=") {
        Some((value, media_type)) => (value, media_type.split(';').next()),
        None => (value, None),
    };
    let mut part = match value.strip_prefix(['@', '<']) {
        Some(file) => json!({ "key": name, "type": "file", "src": file }),
        None => json!({ "key": name, "type": "text", "value": value }),
    };
    if let Some(media_type) = media_type {
        part["contentType"] = media_type.into();
    }
    Ok(part)
}

/// The words of each curl command, without `curl` itself, and the line where it begins.
fn commands(text: &str) -> Result<Vec<(usize, Vec<String>)>, String> {
    let mut commands = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut reader = Reader::new(text);
    let mut line = 1;
    loop {
        match reader.next()? {
            Token::Word(word) => {
                if words.is_empty() {
                    line = reader.line;
                }
                words.push(word);
            }
            token => {
                if words.first().is_some_and(|word| word == "curl") {
                    commands.push((line, words.split_off(1)));
                }
                words.clear();
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
}

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Reader<'t> {
        Reader {
            rest: text.chars().peekable(),
            line: 1,
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
            match self.rest.peek() {
                None => return Ok(Token::End),
                Some(' ' | '\t' | '\r') => {
                    self.take();
                }
                Some('#') => {
                    while self.rest.peek().is_some_and(|c| *c != '\n') {
                        self.take();
                    }
                }
                Some('\n' | ';' | '|' | '&') => {
                    self.take();
                    return Ok(Token::Stop);
                }
                Some('\\') => {
                    self.take();
                    match self.rest.peek() {
                        Some('\n') => {
                            self.take();
                        }
                        Some('\r') => {
                            self.take();
                            self.take();
                        }
                        _ => return self.word(true),
                    }
                }
                Some(_) => return self.word(false),
            }
        }
    }

    fn word(&mut self, is_escaped: bool) -> Result<Token, String> {
        let begun = self.line;
        let mut word = String::new();
        if is_escaped {
            word.extend(self.take());
        }
        let open = |quote: char| format!("line {begun}: the quote {quote} is not closed");
        while let Some(c) = self.rest.peek().copied() {
            match c {
                ' ' | '\t' | '\r' | '\n' | ';' | '|' => break,
                '&' if word.is_empty() => break,
                '\\' => {
                    self.take();
                    match self.take() {
                        Some('\n') | None => {}
                        Some(c) => word.push(c),
                    }
                }
                '\'' => {
                    self.take();
                    loop {
                        match self.take().ok_or_else(|| open('\''))? {
                            '\'' => break,
                            c => word.push(c),
                        }
                    }
                }
                '"' => {
                    self.take();
                    self.quoted(&mut word).ok_or_else(|| open('"'))?;
                }
                '$' => {
                    self.take();
                    match self.rest.peek() {
                        Some('\'') => {
                            self.take();
                            self.ansi(&mut word).ok_or_else(|| open('\''))?;
                        }
                        _ => self.variable(&mut word),
                    }
                }
                c => {
                    self.take();
                    word.push(c);
                }
            }
        }
        Ok(Token::Word(word))
    }

    /// The text between double quotes.
    fn quoted(&mut self, word: &mut String) -> Option<()> {
        loop {
            match self.take()? {
                '"' => return Some(()),
                '\\' => match self.take()? {
                    '\n' => {}
                    c @ ('"' | '\\' | '$' | '`') => word.push(c),
                    c => {
                        word.push('\\');
                        word.push(c);
                    }
                },
                '$' => self.variable(word),
                c => word.push(c),
            }
        }
    }

    /// The text of `$'...'`.
    fn ansi(&mut self, word: &mut String) -> Option<()> {
        loop {
            match self.take()? {
                '\'' => return Some(()),
                '\\' => match self.take()? {
                    'n' => word.push('\n'),
                    't' => word.push('\t'),
                    'r' => word.push('\r'),
                    'u' => {
                        let code: String =
                            std::iter::from_fn(|| self.rest.next_if(char::is_ascii_hexdigit))
                                .take(4)
                                .collect();
                        let c = u32::from_str_radix(&code, 16).ok().and_then(char::from_u32);
                        word.push(c.unwrap_or('\u{fffd}'));
                    }
                    c => word.push(c),
                },
                c => word.push(c),
            }
        }
    }

    /// A variable after `$`.
    fn variable(&mut self, word: &mut String) {
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
        ] {
            let read: Vec<Vec<String>> = commands(text)
                .unwrap()
                .into_iter()
                .map(|(_, words)| words)
                .collect();
            assert_eq!(read, expected, "{text}");
        }
        assert!(commands("curl 'a").unwrap_err().contains("not closed"));
    }
}
