//! Texts that an editor shows. What a file says is shown as code and never as Markdown: a picture or a link in it would
//! make some editors fetch it.

use serde_json::{Value, json};

/// The most of a text that is shown, in bytes.
const LONGEST: usize = 4000;
/// The most lines of a text that are shown.
const MOST_LINES: usize = 60;

/// A text of paragraphs and code.
#[derive(Debug, Default)]
pub(super) struct Words(Vec<Piece>);

#[derive(Debug)]
enum Piece {
    /// Words of ours, in Markdown.
    Text(String),
    /// What a file says, or what comes of it.
    Code(&'static str, String),
}

impl Words {
    /// Adds a paragraph of our own words.
    pub(super) fn say(&mut self, text: impl Into<String>) {
        self.0.push(Piece::Text(text.into()));
    }

    /// Adds a text in a language.
    pub(super) fn show(&mut self, language: &'static str, text: &str) {
        self.0.push(Piece::Code(language, shortened(text)));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As the protocol's content.
    pub(super) fn content(&self, markdown: bool) -> Value {
        let pieces: Vec<String> = self.0.iter().map(|piece| piece.text(markdown)).collect();
        let kind = if markdown { "markdown" } else { "plaintext" };
        json!({ "kind": kind, "value": pieces.join("\n\n") })
    }
}

impl Piece {
    fn text(&self, markdown: bool) -> String {
        match (self, markdown) {
            (Piece::Text(text), true) => text.clone(),
            (Piece::Text(text), false) => text.replace('`', ""),
            (Piece::Code(language, text), true) => {
                let fence = fence_for(text);
                format!("{fence}{language}\n{text}\n{fence}")
            }
            (Piece::Code(_, text), false) => text.clone(),
        }
    }
}

/// A fence that the text does not have.
fn fence_for(text: &str) -> String {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    "`".repeat((longest + 1).max(3))
}

fn shortened(text: &str) -> String {
    let text = text.trim_end();
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let lines = text.match_indices('\n').map(|(at, _)| at);
    let end = lines
        .take(MOST_LINES)
        .last()
        .filter(|_| text.lines().count() > MOST_LINES)
        .map_or(end, |at| at.min(end));
    match end < text.len() {
        true => format!("{}\n...", &text[..end]),
        false => text.to_owned(),
    }
}

/// A value in a line.
pub(super) fn brief(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = match value {
        Value::Object(members) => format!("an object of {}", members.len()),
        Value::Array(items) => format!("a list of {}", items.len()),
        other => other.to_string(),
    };
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_says_is_never_markdown() {
        let mut words = Words::default();
        words.say("The `text`.");
        words.show("yaml", "``` ![x](https://evil.test/x.png)\n`````");
        let content = words.content(true);
        let text = content["value"].as_str().unwrap_or_default();
        assert!(text.contains("\n``````yaml\n```"), "{text}");
        assert!(text.ends_with("\n``````"), "{text}");
        assert_eq!(
            words.content(false)["value"],
            "The text.\n\n``` ![x](https://evil.test/x.png)\n`````"
        );
    }

    #[test]
    fn long_texts_are_cut() {
        assert!(shortened(&"é".repeat(9000)).ends_with("\n..."));
        let lines = shortened(&"x\n".repeat(100));
        assert_eq!(lines.lines().count(), MOST_LINES + 1, "{lines}");
    }
}
