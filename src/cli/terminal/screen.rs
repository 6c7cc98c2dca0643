//! What the terminal can show: its size and colours.

use std::borrow::Cow;
use std::io;
use std::sync::OnceLock;

use super::is_terminal;

/// Whether standard output shows colours.
pub(crate) fn has_colours() -> bool {
    static HAS_COLOURS: OnceLock<bool> = OnceLock::new();
    *HAS_COLOURS.get_or_init(|| shows_colours(is_terminal()))
}

/// Whether a stream shows colours. `NO_COLOR` forbids them and `CLICOLOR_FORCE` demands them; otherwise a terminal shows
/// them, unless it is dumb or `CLICOLOR` is 0.
pub(super) fn shows_colours(is_terminal: bool) -> bool {
    if variable("NO_COLOR").is_some() {
        return false;
    }
    let is_forced = variable("CLICOLOR_FORCE").is_some_and(|value| value != "0");
    let is_wanted = variable("CLICOLOR").is_none_or(|value| value != "0");
    let is_dumb = variable("TERM").is_some_and(|term| term == "dumb");
    is_forced || (is_terminal && is_wanted && !is_dumb)
}

/// An environment variable; an empty one counts as absent.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether the terminal can do little, or it is not known what it can do.
pub(super) fn is_dumb() -> bool {
    variable("TERM").is_none_or(|term| term == "dumb")
}

/// The number of columns of the terminal; 80 if it is not known.
pub(crate) fn width() -> usize {
    let size = terminal_size::terminal_size_of(io::stdout());
    let width = size.map_or(0, |(width, _)| usize::from(width.0));
    if width == 0 { 80 } else { width }
}

/// The number of lines of the terminal; 24 if it is not known.
pub(super) fn height() -> usize {
    let size = terminal_size::terminal_size_of(io::stdout());
    let height = size.map_or(0, |(_, height)| usize::from(height.0));
    if height == 0 { 24 } else { height }
}

/// Bold text, if standard output shows colours. Write it to [`super::styled_words`].
pub(crate) fn bold(text: &str) -> Cow<'_, str> {
    styled(text, "1")
}

/// Dim text, if standard output shows colours. Write it to [`super::styled_words`].
pub(crate) fn dim(text: &str) -> Cow<'_, str> {
    styled(text, "2")
}

/// Text in one of six colours, if standard output shows colours. Write it to [`super::styled_words`].
pub(crate) fn coloured(text: &str, which: usize) -> Cow<'_, str> {
    const COLOURS: [&str; 6] = ["36", "33", "35", "32", "34", "31"];
    styled(text, COLOURS[which % COLOURS.len()])
}

/// Whether the terminal shows other characters than those of ASCII, as far as the locale says.
pub(crate) fn has_unicode() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(variable);
    match locale.map(|locale| locale.to_ascii_lowercase()) {
        Some(locale) => locale.contains("utf-8") || locale.contains("utf8"),
        None => cfg!(windows),
    }
}

fn styled<'t>(text: &'t str, style: &str) -> Cow<'t, str> {
    match has_colours() && !text.is_empty() {
        true => Cow::Owned(format!("\u{1b}[{style}m{text}\u{1b}[0m")),
        false => Cow::Borrowed(text),
    }
}
