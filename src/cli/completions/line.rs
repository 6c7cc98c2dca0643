//! A command line that is being typed, as bash gives it: one text up to the cursor.

/// The words of a line. The last one is the word at the cursor, which may be empty.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The words without their quotes.
    pub words: Vec<String>,
    /// The quote that is open at the cursor.
    pub open: Option<char>,
    /// What bash does not replace: the beginning of the last word up to a character that separates words for it.
    pub kept: String,
}

impl Line {
    /// Reads a line. `breaks` are the characters at which bash separates words, `$COMP_WORDBREAKS`.
    pub(crate) fn read(text: &str, breaks: &str) -> Line {
        let mut words: Vec<String> = Vec::new();
        let (mut word, mut kept) = (String::new(), String::new());
        let (mut open, mut begun) = (None, false);
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match (open, c) {
                (None, ' ' | '\t' | '\n') => {
                    if begun {
                        words.push(std::mem::take(&mut word));
                    }
                    kept.clear();
                    begun = false;
                    continue;
                }
                (None, '\'' | '"') => {
                    open = Some(c);
                    kept.clone_from(&word);
                }
                (Some(quote), c) if c == quote => open = None,
                (None | Some('"'), '\\') => word.extend(chars.next()),
                (None, c) => {
                    word.push(c);
                    if breaks.contains(c) {
                        kept.clone_from(&word);
                    }
                }
                (Some(_), c) => word.push(c),
            }
            begun = true;
        }
        words.push(word);
        Line { words, open, kept }
    }

    /// The line from the program's own name on; variables may be set before it.
    pub(crate) fn of_program(mut self, name: &str) -> Line {
        let is_program = |word: &String| word.rsplit('/').next() == Some(name);
        if let Some(at) = self.words.iter().position(is_program) {
            self.words.drain(..at);
        }
        self
    }

    /// What bash is to put at the cursor for a value; `None` if it cannot be written within the open quote.
    pub(crate) fn insertion(&self, value: &str, goes_on: bool) -> Option<String> {
        let rest = value.strip_prefix(&self.kept)?;
        match self.open {
            Some(quote) => {
                let is_safe = !rest.contains(quote)
                    && (quote == '\'' || !rest.contains(['$', '`', '\\', '!']));
                is_safe.then(|| rest.to_owned())
            }
            None => {
                let end = if goes_on { "" } else { " " };
                Some(format!("{}{end}", escaped(rest)))
            }
        }
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if !c.is_alphanumeric() && !"/._-+@%:,=".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn a_line_is_read_as_bash_reads_it() {
        const BREAKS: &str = " \t\n\"'@><=;|&(:";
        for (text, words, open, kept) in [
            ("toolrun ", vec!["toolrun", ""], None, ""),
            ("toolrun call li", vec!["toolrun", "call", "li"], None, ""),
            (
                "toolrun call x a=b",
                vec!["toolrun", "call", "x", "a=b"],
                None,
                "a=",
            ),
            (
                "toolrun call x a=",
                vec!["toolrun", "call", "x", "a="],
                None,
                "a=",
            ),
            ("t a:=tr", vec!["t", "a:=tr"], None, "a:="),
            ("t 'a=b", vec!["t", "a=b"], Some('\''), ""),
            ("t a='b c", vec!["t", "a=b c"], Some('\''), "a="),
            ("t a='b c' ", vec!["t", "a=b c", ""], None, ""),
            (r"t a=b\ c", vec!["t", "a=b c"], None, "a="),
            ("t '' x", vec!["t", "", "x"], None, ""),
            ("t @fi", vec!["t", "@fi"], None, "@"),
        ] {
            let line = Line::read(text, BREAKS);
            assert_eq!(
                (line.words, line.open),
                (words.iter().map(|w| w.to_string()).collect(), open),
                "{text}"
            );
            assert_eq!(line.kept, kept, "{text}");
        }
    }

    #[test]
    fn what_is_put_in_runs_nothing() {
        let line = |text| Line::read(text, "=:");
        for (text, value, put) in [
            ("t li", "list", Some("list ")),
            ("t a=", "a=$(id)", Some(r"\$\(id\) ")),
            ("t a=", "a=b c", Some(r"b\ c ")),
            ("t 'a=", "a=$(id)", Some("a=$(id)")),
            ("t 'a=", "a=it's", None),
            ("t \"a=", "a=$(id)", None),
            ("t \"a=", "a=b c", Some("a=b c")),
        ] {
            assert_eq!(
                line(text).insertion(value, false).as_deref(),
                put,
                "{text} {value}"
            );
        }
        assert_eq!(line("t a").insertion("a=", true).as_deref(), Some("a="));
    }

    #[test]
    fn variables_before_the_program_are_left_out() {
        let line = Line::read("A=1 /bin/toolrun call ", "=").of_program("toolrun");
        assert_eq!(line.words, ["/bin/toolrun", "call", ""]);
    }
}
