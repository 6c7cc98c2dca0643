//! Adding and removing callers in the file that people write by hand: everything else stays as it is, with its comments and
//! its order.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::{Callers, TokenHash};
use crate::catalog::read_own_file;
use crate::source::{Finding, Source};
use crate::staged;
use crate::words::nearest;
use crate::yaml::{Plain, classify};

/// A caller to be written.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The name.
    pub name: String,
    /// The hash of the token.
    pub hash: TokenHash,
    /// The other keys.
    pub more: Map<String, Value>,
}

/// Why a file was not changed.
#[derive(Debug)]
pub(crate) enum EditError {
    /// It has mistakes already.
    Broken(Vec<Finding>),
    /// There is such a caller.
    Known,
    /// There is none; the nearest name.
    Unknown(Option<String>),
    /// Its layout does not allow it.
    Layout,
    /// It cannot be read or written.
    File(String),
}

/// Adds a caller to a file, which is made if there is none.
///
/// # Errors
/// Why the file was not changed.
pub(crate) fn add(path: &Path, entry: &Entry) -> Result<(), EditError> {
    change(path, |before| {
        let (text, callers) = before.unwrap_or_else(|| ("callers: 1\n", Callers::none()));
        match callers.named(&entry.name) {
            Some(_) => Err(EditError::Known),
            None => with(text, entry).ok_or(EditError::Layout),
        }
    })
}

/// Removes a caller from a file.
///
/// # Errors
/// Why the file was not changed.
pub(crate) fn remove(path: &Path, name: &str) -> Result<(), EditError> {
    change(path, |before| {
        let none = || EditError::File("there is no such file".to_owned());
        let (text, callers) = before.ok_or_else(none)?;
        match callers.named(name) {
            Some(_) => without(text, name).ok_or(EditError::Layout),
            None => Err(EditError::unknown(&callers, name)),
        }
    })
}

/// Changes the text of a file under a lock, and replaces it in one step. Only its owner can read what is written.
fn change(
    path: &Path,
    edit: impl FnOnce(Option<(&str, Callers)>) -> Result<String, EditError>,
) -> Result<(), EditError> {
    let failed = |error: io::Error| EditError::File(error.to_string());
    // If it is a link, its target is written.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let _lock = lock(&folder).map_err(failed)?;
    let before = read_own_file(&path).map_err(EditError::File)?;
    let callers = match &before {
        Some(_) => Callers::load(&path).map_err(EditError::Broken)?,
        None => Callers::none(),
    };
    let after = edit(before.as_deref().map(|text| (text, callers)))?;
    staged::replace(&path, after.as_bytes()).map_err(failed)
}

/// One change at a time.
#[cfg(unix)]
fn lock(folder: &Path) -> io::Result<File> {
    let file = File::open(folder)?;
    file.lock()?;
    Ok(file)
}

#[cfg(not(unix))]
fn lock(_: &Path) -> io::Result<Option<File>> {
    Ok(None)
}

/// The text with one caller more. `None` if its layout does not allow it.
fn with(text: &str, entry: &Entry) -> Option<String> {
    let source = parse(text)?;
    let mut wanted = source.value().clone();
    let mut added = json!({ "name": entry.name, "token": entry.hash.text() });
    let members = added.as_object_mut()?;
    members.extend(entry.more.clone());
    let tokens = wanted
        .as_object_mut()?
        .entry("tokens")
        .or_insert_with(|| json!([]));
    if tokens.is_null() {
        *tokens = json!([]);
    }
    tokens.as_array_mut()?.push(added.clone());
    let edited = match source.value().get("tokens") {
        None => format!(
            "{}tokens:\n{}",
            ended(text),
            lines("  ", added.as_object()?)
        ),
        Some(Value::Array(items)) if !items.is_empty() => {
            behind_last(text, &source, items.len() - 1, &added)?
        }
        Some(_) => {
            let span = source.value_span("/tokens");
            let (before, after) = (text.get(..span.start)?, text.get(span.end..)?);
            let list = lines("  ", added.as_object()?);
            // A comment behind the empty list stays in its line.
            let (rest, after) = after.split_once('\n').unwrap_or((after, ""));
            let (before, rest) = (before.trim_end(), rest.trim_end());
            let gap = if rest.is_empty() { "" } else { " " };
            format!("{before}{gap}{}\n{list}{after}", rest.trim_start())
        }
    };
    holds(edited, &wanted)
}

/// The text with an item behind the last one, in the layout of that one.
fn behind_last(text: &str, source: &Source, last: usize, added: &Value) -> Option<String> {
    let span = source.value_span(&format!("/tokens/{last}"));
    let list = source.value_span("/tokens");
    if text.get(list.clone())?.starts_with('[') {
        let (before, after) = text.split_at_checked(list.end - 1)?;
        return Some(format!("{}, {added}{after}", before.trim_end()));
    }
    let dash = dash_before(text, span.start)?;
    let indent = text.get(line_start(text, dash)..dash)?;
    let mut end = line_end(text, span.end.max(dash + 1) - 1);
    // Comments that stand deeper than the item belong to it.
    while is_comment_within(&text[end..line_end(text, end)], indent) {
        end = line_end(text, end);
    }
    let (before, after) = text.split_at_checked(end)?;
    Some(format!(
        "{}{}{after}",
        ended(before),
        lines(indent, added.as_object()?)
    ))
}

/// The text without a caller. `None` if its layout does not allow it.
fn without(text: &str, name: &str) -> Option<String> {
    let source = parse(text)?;
    let items = source.value()["tokens"].as_array()?;
    let at = items.iter().position(|item| item["name"] == name)?;
    let mut wanted = source.value().clone();
    wanted["tokens"].as_array_mut()?.remove(at);
    let span = source.value_span(&format!("/tokens/{at}"));
    let list = source.value_span("/tokens");
    let edited = if text.get(list)?.starts_with('[') {
        let (before, after) = (text.get(..span.start)?, text.get(span.end..)?);
        match after.trim_start().strip_prefix(',') {
            Some(rest) => format!("{before}{}", rest.trim_start()),
            None => {
                let before = before.trim_end();
                format!("{}{after}", before.strip_suffix(',').unwrap_or(before))
            }
        }
    } else {
        let start = line_start(text, dash_before(text, span.start)?);
        let end = line_end(text, span.end.max(span.start + 1) - 1);
        let (before, after) = (text.get(..start)?, text.get(end..)?);
        match items.len() {
            1 => {
                let key = source.key_span("/tokens");
                let colon = key.end + text.get(key.end..)?.find(':')? + 1;
                let (head, rest) = before.split_at_checked(colon)?;
                format!("{head} []{rest}{after}")
            }
            _ => format!("{before}{after}"),
        }
    };
    holds(edited, &wanted)
}

fn parse(text: &str) -> Option<std::sync::Arc<Source>> {
    Source::parse("callers".to_owned(), text.to_owned().into()).ok()
}

/// The edited text, if it says what it should.
fn holds(edited: String, wanted: &Value) -> Option<String> {
    (parse(&edited)?.value() == wanted).then_some(edited)
}

fn is_comment_within(line: &str, indent: &str) -> bool {
    let rest = line.trim_start_matches(' ');
    rest.starts_with('#') && line.len() - rest.len() > indent.len()
}

/// Where the `-` of the item stands that begins here.
fn dash_before(text: &str, at: usize) -> Option<usize> {
    let before = text.get(..at)?.trim_end();
    before.ends_with('-').then(|| before.len() - 1)
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |at| at + 1)
}

fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |end| at + end + 1)
}

/// The text with a line break at its end.
fn ended(text: &str) -> String {
    match text.is_empty() || text.ends_with('\n') {
        true => text.to_owned(),
        false => format!("{text}\n"),
    }
}

/// An item of a list, in lines.
fn lines(indent: &str, members: &Map<String, Value>) -> String {
    let mut text = String::new();
    for (at, (key, value)) in members.iter().enumerate() {
        let mark = if at == 0 { "- " } else { "  " };
        let value = match value {
            Value::String(plain) if matches!(classify(plain), Plain::Text) && is_bare(plain) => {
                plain.clone()
            }
            other => other.to_string(),
        };
        text.push_str(&format!("{indent}{mark}{key}: {value}\n"));
    }
    text
}

/// Whether a text needs no quotes.
fn is_bare(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | ':');
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(is_plain)
        && !text.ends_with(':')
}

impl EditError {
    /// There is no such caller; the nearest of those that there are.
    fn unknown(callers: &Callers, name: &str) -> EditError {
        let names = callers.all().iter().map(|known| known.caller.name.as_str());
        EditError::Unknown(nearest(name, names))
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn entry() -> Entry {
        Entry {
            name: "new".to_owned(),
            hash: TokenHash::of("x"),
            more: json!({ "rate": 60 }).as_object().expect("a map").clone(),
        }
    }

    const OLD: &str =
        "token: sha256:0000000000000000000000000000000000000000000000000000000000000000";

    #[test]
    fn what_is_added_can_be_removed_and_the_rest_stays_as_it_is() {
        let texts = [
            "callers: 1\n".to_owned(),
            "callers: 1".to_owned(),
            "# ours\ncallers: 1 # one\n\n# nobody\ntokens: []\n".to_owned(),
            "callers: 1\ntokens: [] # nobody yet\ndescription: x\n".to_owned(),
            format!("callers: 1\ntokens:\n- name: a\n  {OLD}\n"),
            format!(
                "callers: 1\ntokens:\n    - {OLD}\n      name: a # the first\n    # and b\n    - {{ name: b, {OLD} }}\n# the end\n"
            ),
            format!("callers: 1\ntokens: [{{ name: a, {OLD} }}]\ndescription: d\n"),
            format!(
                "tokens:\n  -\n    name: a\n    {OLD}\n    claims:\n      team: x\n\ncallers: 1\n"
            ),
            format!("callers: 1\r\ntokens:\r\n  - name: a\r\n    {OLD}\r\n"),
        ];
        for text in texts {
            let added = with(&text, &entry()).unwrap_or_else(|| panic!("{text}"));
            for line in text.lines().filter(|line| !line.starts_with("tokens")) {
                assert!(added.contains(line.trim()), "{line} is lost in {added}");
            }
            let removed = without(&added, "new").unwrap_or_else(|| panic!("{added}"));
            let had_list = text.contains("tokens");
            if had_list && text.contains(OLD) {
                assert_eq!(removed, text);
            }
            if text.contains("name: a") {
                let rest = without(&added, "a").unwrap_or_else(|| panic!("{added}"));
                let value = parse(&rest).expect("YAML").value()["tokens"].clone();
                assert!(!value.to_string().contains("\"a\""), "{rest}");
                assert!(value.to_string().contains("\"new\""), "{rest}");
            }
        }
    }

    #[test]
    fn a_layout_that_cannot_be_kept_is_not_touched() {
        for text in [
            "{ callers: 1 }\n",
            "callers: 1\ntokens: {}\n",
            "[]",
            "callers: 1\n...\n",
        ] {
            assert_eq!(with(text, &entry()), None, "{text}");
        }
    }
}
