//! The one place that prints. Whatever a service, a descriptor or a file name says, a terminal shows it and does not
//! obey it: control characters, marks that turn the direction of text, and characters that cannot be seen are escaped.
//!
//! - Words for people ([`words`], [`say`]) are escaped wherever they go, as `\u{202e}`.
//! - JSON ([`json`]) is escaped wherever it goes, as `\u202e`: the same value for whoever reads it.
//! - Data ([`data`]: csv, yaml, raw) is escaped on a terminal, and left as it is in a pipe or a file.

use std::borrow::Cow;
use std::io::{self, BufRead, BufWriter, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::pager::Sink;

/// Characters that a terminal obeys or does not show, beside control characters: those of the Unicode properties
/// `Default_Ignorable_Code_Point` and `Bidi_Control`, line and paragraph separators, and the format controls of
/// annotations, musical and shorthand notation and hieroglyphs. A test compares them with Unicode's own tables.
const HIDDEN: [(char, char); 22] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{fffe}', '\u{ffff}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
    ('\u{effff}', '\u{effff}'),
    ('\u{fffff}', '\u{fffff}'),
    ('\u{10ffff}', '\u{10ffff}'),
];

/// Whether a terminal would obey the character or not show it. Line feeds and tabs lay text out.
fn is_hidden(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => true,
        ..'\u{ad}' => false,
        _ => HIDDEN
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&c)),
    }
}

/// What the character before means for a joiner or a variation selector behind it, which some writing needs: they are
/// left between the parts of an emoji and between letters of scripts that join, and are escaped everywhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Emoji,
    /// A letter or mark of a script that joins, from Arabic to Mongolian.
    Joining,
    Other,
}

impl Before {
    fn of(c: char) -> Before {
        match c {
            ..'\u{a9}' => Before::Other,
            '\u{a9}' | '\u{ae}' | '\u{203c}' | '\u{2049}' | '\u{2122}' | '\u{2139}' => {
                Before::Emoji
            }
            '\u{2194}'..='\u{21aa}' | '\u{231a}'..='\u{23ff}' | '\u{24c2}' => Before::Emoji,
            '\u{25aa}'..='\u{27bf}' | '\u{2934}'..='\u{2935}' | '\u{2b05}'..='\u{2b55}' => {
                Before::Emoji
            }
            '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}' => Before::Emoji,
            '\u{1f000}'..='\u{1faff}' => Before::Emoji,
            '\u{620}'..='\u{dff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{18af}' => {
                Before::Joining
            }
            _ => Before::Other,
        }
    }
}

/// How hidden characters are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// As they are.
    Plain,
    /// As `\u{202e}`.
    Words,
    /// As `\u202e`, within a JSON string.
    Json,
    /// As words, but colours are left: the text is of our own making, and only its parts are not.
    Styled,
}

/// Escapes a stream, wherever it is cut into pieces.
#[derive(Debug)]
struct Escaper {
    manner: Manner,
    before: Before,
    /// A joiner whose next character has not come yet.
    joiner: Option<char>,
    /// The beginning of a character that has not come whole yet.
    partial: Vec<u8>,
}

impl Escaper {
    fn new(manner: Manner) -> Escaper {
        Escaper {
            manner,
            before: Before::Other,
            joiner: None,
            partial: Vec::new(),
        }
    }

    /// Appends the bytes to `out`, escaped.
    fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.manner == Manner::Plain {
            return out.extend_from_slice(bytes);
        }
        let joined;
        let bytes = match self.partial.is_empty() {
            true => bytes,
            false => {
                joined = [std::mem::take(&mut self.partial).as_slice(), bytes].concat();
                &joined
            }
        };
        let mut rest = bytes.len();
        for chunk in bytes.utf8_chunks() {
            rest -= chunk.valid().len() + chunk.invalid().len();
            self.text(chunk.valid(), out);
            let is_cut = rest == 0
                && std::str::from_utf8(chunk.invalid())
                    .is_err_and(|error| error.error_len().is_none());
            match is_cut {
                true => self.partial = chunk.invalid().to_vec(),
                false => self.bytes(chunk.invalid(), out),
            }
        }
    }

    fn text(&mut self, text: &str, out: &mut Vec<u8>) {
        let is_plain = |b: &u8| matches!(b, b' '..=b'~' | b'\n' | b'\t');
        if self.joiner.is_none() && text.as_bytes().iter().all(is_plain) {
            if !text.is_empty() {
                self.before = Before::Other;
            }
            return out.extend_from_slice(text.as_bytes());
        }
        // What stands before `done` is written.
        let (mut done, mut colour) = (0, 0);
        for (at, c) in text.char_indices() {
            if let Some(joiner) = self.joiner.take() {
                let before = self.before;
                match before != Before::Other && before == Before::of(c) {
                    true => out.extend_from_slice(joiner.encode_utf8(&mut [0; 4]).as_bytes()),
                    false => {
                        self.escape(joiner, out);
                        self.before = Before::Other;
                    }
                }
            }
            let is_kept = match c {
                '\u{200c}' | '\u{200d}' if self.before != Before::Other => {
                    self.joiner = Some(c);
                    false
                }
                '\u{fe0e}' | '\u{fe0f}' => self.before == Before::Emoji,
                '\u{1b}' if self.manner == Manner::Styled => match colour_len(&text[at..]) {
                    Some(len) => {
                        colour = at + len;
                        len > 0
                    }
                    None => {
                        out.extend_from_slice(&text.as_bytes()[done..at]);
                        self.partial = text.as_bytes()[at..].to_vec();
                        return;
                    }
                },
                _ => !is_hidden(c),
            };
            match (is_kept, c) {
                // An emoji stays one with its selector.
                (true, '\u{fe0e}' | '\u{fe0f}') => {}
                (true, _) if at < colour => {}
                (true, _) => self.before = Before::of(c),
                (false, _) => {
                    out.extend_from_slice(&text.as_bytes()[done..at]);
                    done = at + c.len_utf8();
                    if self.joiner.is_none() {
                        self.escape(c, out);
                        self.before = Before::Other;
                    }
                }
            }
        }
        out.extend_from_slice(&text.as_bytes()[done..]);
    }

    fn escape(&self, c: char, out: &mut Vec<u8>) {
        match self.manner {
            Manner::Json => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
                }
            }
            _ => out.extend_from_slice(format!("\\u{{{:x}}}", u32::from(c)).as_bytes()),
        }
    }

    /// Bytes that are no UTF-8.
    fn bytes(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for byte in bytes {
            self.end_joiner(out);
            match self.manner {
                Manner::Json => out.extend_from_slice(b"\\ufffd"),
                _ => out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
            }
            self.before = Before::Other;
        }
    }

    fn end_joiner(&mut self, out: &mut Vec<u8>) {
        if let Some(joiner) = self.joiner.take() {
            self.escape(joiner, out);
            self.before = Before::Other;
        }
    }

    /// Appends what waited for more: nothing more comes.
    fn finish(&mut self, out: &mut Vec<u8>) {
        let partial = std::mem::take(&mut self.partial);
        match std::str::from_utf8(&partial) {
            // The beginning of what might have become a colour.
            Ok(text) if self.manner == Manner::Styled => {
                out.extend(escaped(text, Manner::Words).bytes())
            }
            _ => self.bytes(&partial, out),
        }
        self.end_joiner(out);
    }
}

/// The length of a colour sequence (SGR) that the text begins with; `None` where the text ends too early to tell.
fn colour_len(text: &str) -> Option<usize> {
    const LONGEST: usize = 32;
    let rest = match text.strip_prefix("\u{1b}[") {
        Some(rest) => rest,
        None if text.len() == 1 => return None,
        None => return Some(0),
    };
    let behind = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
    match behind.chars().next() {
        Some('m') => Some(text.len() - behind.len() + 1),
        None if text.len() < LONGEST => None,
        _ => Some(0),
    }
}

fn escaped(text: &str, manner: Manner) -> String {
    let (mut escaper, mut out) = (Escaper::new(manner), Vec::with_capacity(text.len()));
    escaper.push(text.as_bytes(), &mut out);
    escaper.finish(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// Text that a terminal shows and does not obey. Line feeds and tabs stay.
pub fn shown(text: &str) -> Cow<'_, str> {
    match text.contains(is_hidden) {
        true => Cow::Owned(escaped(text, Manner::Words)),
        false => Cow::Borrowed(text),
    }
}

/// The same on one line: line feeds and tabs are escaped too.
pub fn line(text: &str) -> String {
    shown(text).replace('\n', "\\n").replace('\t', "\\t")
}

/// A part of a text after escaping, for whoever points at it.
pub fn shown_with_span(
    text: &str,
    span: std::ops::Range<usize>,
) -> (String, std::ops::Range<usize>) {
    let part = |range: &str| escaped(range, Manner::Words);
    let (Some(before), Some(inside), Some(after)) = (
        text.get(..span.start),
        text.get(span.clone()),
        text.get(span.end..),
    ) else {
        return (part(text), 0..0);
    };
    let (before, inside) = (part(before), part(inside));
    let span = before.len()..before.len() + inside.len();
    (format!("{before}{inside}{}", part(after)), span)
}

/// Every line but the first moved in, so that no text can begin a line that looks like one of ours.
fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for (i, line) in text.split('\n').enumerate() {
        if i > 0 {
            folded.push('\n');
            if !line.is_empty() && !line.starts_with("  ") {
                folded.push_str("  ");
            }
        }
        folded.push_str(line);
    }
    folded
}

/// Bytes that are escaped at a time.
const PIECE: usize = 64 << 10;

/// Standard output.
pub struct Out(BufWriter<Escaping>);

struct Escaping {
    escaper: Escaper,
    to: Sink,
}

impl Write for Escaping {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.escaper.manner == Manner::Plain {
            return self.to.write(bytes);
        }
        // A large output comes whole, and must not be there twice.
        let piece = &bytes[..bytes.len().min(PIECE)];
        let mut out = Vec::with_capacity(piece.len());
        self.escaper.push(piece, &mut out);
        self.to.write_all(&out)?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut out = Vec::new();
        self.escaper.end_joiner(&mut out);
        self.to.write_all(&out)?;
        self.to.flush()
    }
}

impl Drop for Escaping {
    fn drop(&mut self) {
        let mut out = Vec::new();
        self.escaper.finish(&mut out);
        // Whoever wants to know whether everything was written has flushed.
        let _ = self.to.write_all(&out);
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Out {
    fn new(manner: Manner) -> Out {
        Out(BufWriter::new(Escaping {
            escaper: Escaper::new(manner),
            to: Sink::new(io::stdout().lock()),
        }))
    }

    /// The same through a pager, where it is longer than the terminal. Nothing is shown before [`Out::end`] otherwise.
    pub fn paged(mut self) -> Out {
        self.0.get_mut().to.page();
        self
    }

    /// Ends the output, and waits for the user who reads it in a pager.
    pub fn end(&mut self) -> io::Result<()> {
        self.flush()?;
        self.0.get_mut().to.end()
    }
}

/// Standard output for words that people read.
pub fn words() -> Out {
    Out::new(Manner::Words)
}

/// Standard output for words with colours of our own, where it shows them.
pub fn styled_words() -> Out {
    Out::new(match has_colours() {
        true => Manner::Styled,
        false => Manner::Words,
    })
}

/// Standard output for JSON text.
pub fn json() -> Out {
    Out::new(Manner::Json)
}

/// Standard output for data that programs read, where it is no terminal.
pub fn data() -> Out {
    Out::new(match is_terminal() {
        true => Manner::Words,
        false => Manner::Plain,
    })
}

/// Whether standard output is a terminal.
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether standard output shows colours.
pub fn has_colours() -> bool {
    shows_colours(is_terminal())
}

/// Whether a stream shows colours: on a terminal that can, or where the user insists.
fn shows_colours(is_terminal: bool) -> bool {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    if variable("NO_COLOR").is_some() {
        return false;
    }
    let is_forced = variable("CLICOLOR_FORCE").is_some_and(|value| value != "0");
    let is_wanted = variable("CLICOLOR").is_none_or(|value| value != "0");
    let is_dumb = variable("TERM").is_some_and(|term| term == "dumb");
    is_forced || (is_terminal && is_wanted && !is_dumb)
}

/// Whether nothing is known of what the terminal can do.
pub fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb")
}

/// The columns of the terminal; 80 where they are not known.
pub fn width() -> usize {
    let size = terminal_size::terminal_size_of(io::stdout());
    let width = size.map_or(0, |(width, _)| usize::from(width.0));
    if width == 0 { 80 } else { width }
}

/// The lines of the terminal; 24 where they are not known.
pub fn height() -> usize {
    let size = terminal_size::terminal_size_of(io::stdout());
    let height = size.map_or(0, |(_, height)| usize::from(height.0));
    if height == 0 { 24 } else { height }
}

/// Text that stands out, where standard output shows colours. It goes to [`styled_words`].
pub fn bold(text: &str) -> Cow<'_, str> {
    styled(text, "1")
}

/// Text that stands back.
pub fn dim(text: &str) -> Cow<'_, str> {
    styled(text, "2")
}

fn styled<'t>(text: &'t str, style: &str) -> Cow<'t, str> {
    match has_colours() && !text.is_empty() {
        true => Cow::Owned(format!("\u{1b}[{style}m{text}\u{1b}[0m")),
        false => Cow::Borrowed(text),
    }
}

/// Writes a text to standard error. Only its first line begins at the margin.
pub fn say(text: &str) {
    say_as(&folded(text), Manner::Words);
}

/// Whether somebody at a terminal can be asked.
pub fn can_ask() -> bool {
    let is_ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
    !is_ci && io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a question that has a yes and a no, and reads the answer. Anything but a yes is a no.
pub fn ask(question: &str) -> io::Result<bool> {
    let mut stderr = io::stderr().lock();
    write!(
        stderr,
        "{} [y/N] ",
        escaped(&folded(question), Manner::Words)
    )?;
    stderr.flush()?;
    is_yes(io::stdin().lock())
}

fn is_yes(mut answers: impl BufRead) -> io::Result<bool> {
    let mut answer = String::new();
    answers.read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
}

/// Writes a JSON value to standard error, on a line of its own.
pub fn say_json(value: &Value) {
    say_as(&value.to_string(), Manner::Json);
}

fn say_as(text: &str, manner: Manner) {
    let _ = writeln!(io::stderr().lock(), "{}", escaped(text, manner));
}

/// Writes what the reader of the command line has to say, which lays it out itself, to standard error or output.
pub fn say_usage(text: &str, styled: &str, to_stderr: bool) -> io::Result<()> {
    let is_terminal = match to_stderr {
        true => io::stderr().is_terminal(),
        false => is_terminal(),
    };
    let text = match shows_colours(is_terminal) {
        true => escaped(styled, Manner::Styled),
        false => escaped(text, Manner::Words),
    };
    match to_stderr {
        true => io::stderr().lock().write_all(text.as_bytes()),
        false => {
            let mut out = io::stdout().lock();
            out.write_all(text.as_bytes())?;
            out.flush()
        }
    }
}

/// Lets panics be told here too: their messages may quote what a service said.
pub fn tell_panics() {
    std::panic::set_hook(Box::new(|panic| say(&format!("internal error: {panic}"))));
}

/// A line that moves on a terminal, and nothing elsewhere.
#[derive(Clone)]
pub struct Progress(ProgressBar);

impl Progress {
    /// Begins to move.
    pub fn start() -> Progress {
        if !io::stderr().is_terminal() {
            return Progress(ProgressBar::hidden());
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Progress(bar)
    }

    /// Says what is under way.
    pub fn set_message(&self, text: impl AsRef<str>) {
        self.0.set_message(line(text.as_ref()));
    }

    /// Ends, and leaves nothing behind.
    pub fn finish_and_clear(&self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn the_table_is_that_of_unicode() {
        // Signs that enclose numbers and the like are format characters that can be seen.
        let hidden = regex::Regex::new(concat!(
            r"[[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\p{Bidi_Control}\p{Zl}\p{Zp}]",
            r"--[\t\n\u{600}-\u{605}\u{6dd}\u{70f}\u{890}\u{891}\u{8e2}\u{110bd}\u{110cd}]]",
        ));
        let all: String = ('\0'..=char::MAX).collect();
        let by_unicode: std::collections::HashSet<char> = hidden
            .unwrap()
            .find_iter(&all)
            .flat_map(|found| found.as_str().chars())
            .collect();
        for c in all.chars() {
            let is_noncharacter = matches!(u32::from(c) & 0xffff, 0xfffe | 0xffff);
            if is_hidden(c) != by_unicode.contains(&c) {
                assert!(
                    is_hidden(c) && is_noncharacter,
                    "{c:?} is hidden: {}",
                    is_hidden(c)
                );
            }
        }
    }

    /// What stands for a text in words, in JSON, and on one line.
    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        for (text, words, json) in [
            (
                "plain é 漢字 \n\t",
                "plain é 漢字 \n\t",
                "plain é 漢字 \n\t",
            ),
            (
                "\u{1b}]52;c;aGk=\u{7}",
                "\\u{1b}]52;c;aGk=\\u{7}",
                "\\u001b]52;c;aGk=\\u0007",
            ),
            (
                "\u{9b}31m\u{7f}\u{85}",
                "\\u{9b}31m\\u{7f}\\u{85}",
                "\\u009b31m\\u007f\\u0085",
            ),
            ("a\r\nb", "a\\u{d}\nb", "a\\u000d\nb"),
            (
                "\u{202e}txt\u{2066}\u{200f}",
                "\\u{202e}txt\\u{2066}\\u{200f}",
                "\\u202etxt\\u2066\\u200f",
            ),
            (
                "a\u{200b}b\u{ad}c\u{feff}",
                "a\\u{200b}b\\u{ad}c\\u{feff}",
                "a\\u200bb\\u00adc\\ufeff",
            ),
            (
                "\u{2028}\u{fff9}\u{3164}",
                "\\u{2028}\\u{fff9}\\u{3164}",
                "\\u2028\\ufff9\\u3164",
            ),
            ("\u{e0041}", "\\u{e0041}", "\\udb40\\udc41"),
            (
                "a\u{fe0f}\u{e0100}",
                "a\\u{fe0f}\\u{e0100}",
                "a\\ufe0f\\udb40\\udd00",
            ),
        ] {
            assert_eq!(escaped(text, Manner::Words), words);
            assert_eq!(escaped(text, Manner::Json), json);
            assert_eq!(escaped(text, Manner::Plain), text);
        }
    }

    #[test]
    fn writing_that_needs_joiners_stays_readable() {
        for text in [
            "👨\u{200d}👩\u{200d}👧 ok",
            "❤\u{fe0f}\u{200d}🔥",
            "🏳\u{fe0f}\u{200d}🌈",
            "👩🏽\u{200d}💻",
            "می\u{200c}خواهم",
            "क\u{94d}\u{200d}ष",
            "שלום עולם",
            "السلام عليكم",
            "naïve façade e\u{301}",
        ] {
            assert_eq!(shown(text), text);
        }
        for (text, expected) in [
            ("pay\u{200d}pal", "pay\\u{200d}pal"),
            ("a\u{200c}b", "a\\u{200c}b"),
            ("👨\u{200d}", "👨\\u{200d}"),
            ("👨\u{200d}a", "👨\\u{200d}a"),
            ("👨\u{200d}\u{200d}👩", "👨\\u{200d}\\u{200d}👩"),
            ("می\u{200c}a", "می\\u{200c}a"),
            ("🏴\u{e0067}\u{e007f}", "🏴\\u{e0067}\\u{e007f}"),
            ("👍\u{fe00}", "👍\\u{fe00}"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }

    #[test]
    fn a_text_is_escaped_alike_however_it_is_cut() {
        let text = "a\u{1b}é\u{9b}👨\u{200d}👩\u{202e}می\u{200c}خ\u{e0041}\u{200d}漢".as_bytes();
        let text = [text, b"\xff\xfe \x9b \xe2\x80"].concat();
        let whole = |size: usize| {
            let (mut escaper, mut out) = (Escaper::new(Manner::Words), Vec::new());
            text.chunks(size)
                .for_each(|chunk| escaper.push(chunk, &mut out));
            escaper.finish(&mut out);
            String::from_utf8(out).unwrap()
        };
        let expected = whole(text.len());
        assert!(
            expected.ends_with("\\xff\\xfe \\x9b \\xe2\\x80"),
            "{expected}"
        );
        for size in 1..20 {
            assert_eq!(whole(size), expected, "{size}");
        }
    }

    #[test]
    fn only_colours_are_left_in_styled_text() {
        let text = "\u{1b}[1;31mred\u{1b}[0m \u{1b}[2J \u{1b}]0;t\u{7} \u{1b}[31";
        let expected = "\u{1b}[1;31mred\u{1b}[0m \\u{1b}[2J \\u{1b}]0;t\\u{7} \\u{1b}[31";
        assert_eq!(escaped(text, Manner::Styled), expected);
        for size in 1..20 {
            let (mut escaper, mut out) = (Escaper::new(Manner::Styled), Vec::new());
            let pieces = text.as_bytes().chunks(size);
            pieces.for_each(|piece| escaper.push(piece, &mut out));
            escaper.finish(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{size}");
        }
    }

    #[test]
    fn no_text_begins_a_line_of_ours() {
        let text = "first\nerror: forged\n  a problem\n\nhint: forged";
        let expected = "first\n  error: forged\n  a problem\n\n  hint: forged";
        assert_eq!(folded(text), expected);
        assert_eq!(line("a\nb\tc\u{7}"), "a\\nb\\tc\\u{7}");
    }

    #[test]
    fn a_span_stays_on_what_it_points_at() {
        let text = "a\u{202e}b: \u{1b}c d";
        let at = text.find('\u{1b}').unwrap();
        let (shown, span) = shown_with_span(text, at..at + 2);
        assert_eq!(&shown[span], "\\u{1b}c");
        assert_eq!(shown, "a\\u{202e}b: \\u{1b}c d");
    }

    #[test]
    fn only_a_yes_is_a_yes() {
        for (answer, expected) in [
            ("y\n", true),
            ("Yes\n", true),
            (" y \n", true),
            ("\n", false),
            ("", false),
            ("n\n", false),
            ("yeah\n", false),
            ("\ny\n", false),
        ] {
            assert_eq!(is_yes(answer.as_bytes()).unwrap(), expected, "{answer:?}");
        }
    }
}
