//! The words of curl commands for the command prompt of Windows, as browsers copy them: `cmd.exe` reads a line first, and
//! then the program splits what is left of it into words.

use super::words::{Words, curl_in};

/// Whether a text is for the command prompt.
pub(super) fn is_one(text: &str) -> bool {
    let is_continued = |line: &str| {
        let line = line.trim_end();
        line.ends_with(" ^")
    };
    text.contains(" ^\"") || text.lines().any(is_continued)
}

/// The curl commands in a text.
///
/// # Errors
/// What cannot be read, with its line.
pub(super) fn commands(text: &str) -> Result<Vec<Words>, String> {
    let mut commands = Vec::new();
    for (line, command) in lines(text) {
        let mut words = split(&command).map_err(|problem| format!("line {line}: {problem}"))?;
        commands.extend(curl_in(line, &mut words, None));
    }
    Ok(commands)
}

/// The commands as `cmd.exe` hands them on, each with the number of its first line.
fn lines(text: &str) -> Vec<(usize, String)> {
    let mut commands = Vec::new();
    let mut command = String::new();
    let (mut line, mut begun) = (1, 1);
    let mut in_quotes = false;
    let mut rest = text.chars().filter(|c| *c != '\r').peekable();
    while let Some(c) = rest.next() {
        match c {
            '^' if !in_quotes => match rest.next() {
                // The line goes on, and the next character is taken as it is.
                Some('\n') => {
                    line += 1;
                    if let Some(next) = rest.next() {
                        line += usize::from(next == '\n');
                        command.push(next);
                    }
                }
                Some(next) => command.push(next),
                None => {}
            },
            '"' => {
                in_quotes = !in_quotes;
                command.push(c);
            }
            '\n' if !in_quotes => {
                commands.push((begun, std::mem::take(&mut command)));
                line += 1;
                begun = line;
            }
            '&' | '|' if !in_quotes => {
                commands.push((begun, std::mem::take(&mut command)));
                begun = line;
            }
            _ => {
                line += usize::from(c == '\n');
                command.push(c);
            }
        }
    }
    commands.push((begun, command));
    commands.retain(|(_, command)| !command.trim().is_empty());
    commands
}

/// The words of a line, as programs for Windows split it.
fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut rest = line.chars().peekable();
    loop {
        while rest.next_if(|c| " \t\n".contains(*c)).is_some() {}
        if rest.peek().is_none() {
            return Ok(words);
        }
        let mut word = String::new();
        let mut in_quotes = false;
        while let Some(c) = rest.peek().copied() {
            match c {
                ' ' | '\t' | '\n' if !in_quotes => break,
                '\\' => {
                    let mut count = 0;
                    while rest.next_if_eq(&'\\').is_some() {
                        count += 1;
                    }
                    let is_before_quote = rest.peek() == Some(&'"');
                    let kept = if is_before_quote { count / 2 } else { count };
                    word.extend(std::iter::repeat_n('\\', kept));
                    if is_before_quote && count % 2 == 1 {
                        word.extend(rest.next());
                    }
                }
                '"' => {
                    rest.next();
                    // Two quotes inside of quotes are one.
                    match in_quotes && rest.next_if_eq(&'"').is_some() {
                        true => word.push('"'),
                        false => in_quotes = !in_quotes,
                    }
                }
                c => {
                    rest.next();
                    word.push(c);
                }
            }
        }
        if in_quotes {
            return Err("a quote \" is not closed".to_owned());
        }
        words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn the_forms_that_browsers_copy_are_read() {
        let now = "curl ^\"https://a.test/x?a=1^&b=^%^20c^\" ^\r\n  -H ^\"accept: */*^\" ^\r\n  -H ^\"x: ^\\^\"q^\\^\"; v=1^\" ^\r\n  --data-raw ^\"^{^\\^\"a^\\^\":^\\^\"b^\n\nc^\\^\\d^\\^\"^}^\"";
        let old = "curl \"https://a.test/x?a=1&b=2\" ^\n  -H \"accept: */*\" ^\n  --data-raw \"{\"\"a\"\":\\\"b\\\"}\" --compressed &\ncurl \"https://b.test\"";
        assert!(is_one(now) && is_one(old) && !is_one("curl 'a' \\\n -H 'x: ^y'"));
        let words = |text| -> Vec<Vec<String>> {
            let commands: Vec<Words> = commands(text).unwrap();
            commands.into_iter().map(|command| command.words).collect()
        };
        assert_eq!(
            words(now),
            [[
                "https://a.test/x?a=1&b=%20c",
                "-H",
                "accept: */*",
                "-H",
                "x: \"q\"; v=1",
                "--data-raw",
                // Windows keeps backslashes that stand before no quote, however the browser meant them.
                "{\"a\":\"b\nc\\\\d\"}"
            ]]
        );
        assert_eq!(
            words(old),
            [
                vec![
                    "https://a.test/x?a=1&b=2",
                    "-H",
                    "accept: */*",
                    "--data-raw",
                    "{\"a\":\"b\"}",
                    "--compressed"
                ],
                vec!["https://b.test"]
            ]
        );
    }
}
