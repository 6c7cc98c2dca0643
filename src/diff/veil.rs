//! Secrets that somebody wrote into a descriptor are not told again: neither by the words of a change, nor by its hint.

use std::collections::HashMap;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::change::Change;
use super::side::Loaded;
use crate::check::{literal_secrets, mask_literal_secrets};
use crate::plan::MASK;
use crate::source::Source;

/// What stands as it is in a path or a query.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Behind this, the rest of a value is not told.
const CUT: &str = "...";

/// Puts stars in place of the literal secrets of both versions.
pub(super) fn hide_secrets(changes: &mut [Change], old: &Loaded, new: &Loaded) {
    let mut known = Known::default();
    for change in changes {
        let mut sources = vec![Arc::clone(&change.source)];
        sources.extend([old, new].into_iter().flat_map(|side| of(change, side)));
        let secrets = known.of(&sources);
        change.message = masked(&change.message, &secrets);
        change.hint = change.hint.as_ref().map(|hint| masked(hint, &secrets));
    }
}

/// The files of a version that the words of a change may come from.
fn of(change: &Change, side: &Loaded) -> Vec<Arc<Source>> {
    let name = |tool: &str| (change.service.clone(), tool.to_owned());
    let tool = change.tool.as_deref();
    let tool = match tool.and_then(|tool| side.tools.get(&name(tool))) {
        Some(tool) => Some(tool),
        // What is told of a service may stand inside the file of any of its tools, and these share it.
        None => side
            .tools
            .range(name("")..)
            .next()
            .filter(|((service, _), _)| *service == change.service)
            .map(|(_, tool)| tool),
    };
    let own = side.services.get(&change.service);
    let own = own.map(|at| Arc::clone(at.thing.source()));
    let of_tool = tool.map(|at| {
        let service = Arc::clone(at.thing.service.source());
        [Arc::clone(&at.thing.source), service]
    });
    own.into_iter()
        .chain(of_tool.into_iter().flatten())
        .collect()
}

/// The secrets of files, each looked for once.
#[derive(Default)]
struct Known {
    by_file: HashMap<*const Source, (Arc<Source>, Arc<[String]>)>,
}

impl Known {
    /// The secrets of these files, the longest first.
    fn of(&mut self, sources: &[Arc<Source>]) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for source in sources {
            // The file is kept, so that no other gets its place in memory.
            let found = self.by_file.entry(Arc::as_ptr(source)).or_insert_with(|| {
                let secrets = literal_secrets(source);
                let forms = secrets.iter().flat_map(|secret| forms(secret));
                (Arc::clone(source), forms.collect())
            });
            all.extend(found.1.iter().cloned());
        }
        all.sort_by(|a, b| (b.len(), a).cmp(&(a.len(), b)));
        all.dedup();
        all
    }
}

/// A secret as it stands in a text, in a URL, and in JSON.
fn forms(secret: &str) -> [String; 3] {
    let json = serde_json::Value::from(secret).to_string();
    [
        secret.to_owned(),
        utf8_percent_encode(secret, ENCODED).to_string(),
        json[1..json.len() - 1].to_owned(),
    ]
}

/// A text with stars for these secrets and all that looks like one.
fn masked(text: &str, secrets: &[String]) -> String {
    let mut text = text.to_owned();
    for secret in secrets {
        text = without(&text, secret);
    }
    mask_literal_secrets(&text).into_owned()
}

/// A text without a secret, and without its beginning where the text was cut inside of it. A short one is looked for as a
/// whole word: its letters may stand in other words.
fn without(text: &str, secret: &str) -> String {
    const SHORT: usize = 6;
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(secret).filter(|_| !secret.is_empty()) {
        let (before, behind) = (&rest[..at], &rest[at + secret.len()..]);
        let is_inside = before.ends_with(is_part) || behind.starts_with(is_part);
        shown.push_str(before);
        shown.push_str(match secret.len() < SHORT && is_inside {
            true => secret,
            false => MASK,
        });
        rest = behind;
    }
    shown.push_str(rest);
    without_cut(&shown, secret)
}

fn without_cut(text: &str, secret: &str) -> String {
    const LEAST: usize = 4;
    let mut shown = String::with_capacity(text.len());
    let mut parts = text.split(CUT).peekable();
    while let Some(part) = parts.next() {
        let is_cut = parts.peek().is_some();
        let starts = secret.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
        let end = starts.filter(|end| *end >= LEAST && *end < secret.len());
        let begun = is_cut
            .then(|| {
                end.map(|end| &secret[..end])
                    .find(|begun| part.ends_with(begun))
            })
            .flatten();
        match begun {
            Some(begun) => {
                shown.push_str(&part[..part.len() - begun.len()]);
                shown.push_str(MASK);
            }
            None => shown.push_str(part),
        }
        if is_cut {
            shown.push_str(CUT);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn secrets_are_hidden_whole_and_cut() {
        let secrets = ["swordfish and more", "ab"].map(str::to_owned);
        for (text, expected) in [
            ("was swordfish and more", "was ***"),
            (
                "was `swordfish an...` and is `x...`",
                "was `***...` and is `x...`",
            ),
            ("was swo...", "was swo..."),
            ("the label is `ab`", "the label is `***`"),
            ("nothing of it", "nothing of it"),
        ] {
            assert_eq!(masked(text, &secrets), expected);
        }
    }
}
