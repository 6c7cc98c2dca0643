//! The entries of a recording that may answer the requests of one service, by what is compared of them.

use std::collections::HashMap;

use url::Url;

use super::entry::REDACTED;
use super::key::{Key, Keys};
use super::redact::Rules;
use crate::har::{Body, Entry, Kind};

/// The entries for one service.
pub(super) struct Shelf(Vec<Group>);

/// Entries in which the same fields are hidden.
struct Group {
    rules: Rules,
    entries: HashMap<Key, Vec<usize>>,
}

/// A request of a call.
pub(super) struct Asked<'a> {
    pub method: &'a str,
    pub url: &'a Url,
    pub body: Option<&'a Body>,
}

impl Shelf {
    /// Takes those entries that `fits`, except those of access tokens.
    pub(super) fn new(
        entries: &[(Entry, Option<Url>)],
        keys: &Keys,
        fits: impl Fn(&Entry, &Url) -> bool,
    ) -> Shelf {
        let mut shelf = Shelf(Vec::new());
        let mut known: Vec<Vec<String>> = Vec::new();
        for (i, (entry, url)) in entries.iter().enumerate() {
            let Some(url) = url.as_ref().filter(|url| fits(entry, url)) else {
                continue;
            };
            if is_of_token(entry) {
                continue;
            }
            let texts = hidden_in(entry);
            let group = known
                .iter()
                .position(|other| *other == texts)
                .unwrap_or_else(|| {
                    shelf.0.push(Group {
                        rules: rules_of(entry),
                        entries: HashMap::new(),
                    });
                    known.push(texts);
                    known.len() - 1
                });
            let group = &mut shelf.0[group];
            let body = body_of(entry);
            let key = keys.key(&entry.request.method, url, body.as_ref(), &group.rules);
            group.entries.entry(key).or_default().push(i);
        }
        shelf
    }

    /// The entries that answer a request, in their order.
    pub(super) fn find(&self, asked: &Asked<'_>, keys: &Keys) -> Vec<usize> {
        let found = self.0.iter().filter_map(|group| {
            let key = keys.key(asked.method, asked.url, asked.body, &group.rules);
            group.entries.get(&key)
        });
        let mut found: Vec<usize> = found.flatten().copied().collect();
        found.sort_unstable();
        found
    }

    /// The entry that is nearest to a request, the key of the request, and its own.
    pub(super) fn nearest(&self, asked: &Asked<'_>, keys: &Keys) -> Option<(usize, Key, &Key)> {
        let all = self.0.iter().flat_map(|group| {
            let key = keys.key(asked.method, asked.url, asked.body, &group.rules);
            group.entries.iter().map(move |(there, entries)| {
                let near = super::difference::nearness(&key, there);
                let first = entries.first().copied().unwrap_or_default();
                (near, first, key.clone(), there)
            })
        });
        // Of several that are equally near, the first one.
        let nearest = all.max_by_key(|(near, first, ..)| (*near, usize::MAX - first))?;
        Some((nearest.1, nearest.2, nearest.3))
    }
}

/// Whether an entry is about an access token.
pub(super) fn is_of_token(entry: &Entry) -> bool {
    entry
        .own
        .as_ref()
        .is_some_and(|own| own.kind == Kind::Token)
}

/// The rules by which fields of an entry are hidden.
pub(super) fn rules_of(entry: &Entry) -> Rules {
    Rules::parse(hidden_in(entry).iter().map(String::as_str)).unwrap_or_default()
}

fn hidden_in(entry: &Entry) -> Vec<String> {
    let own = entry.own.as_ref();
    let texts = own.and_then(|own| own.more.get(REDACTED)?.as_array());
    let texts = texts.into_iter().flatten();
    texts
        .filter_map(|text| Some(text.as_str()?.to_owned()))
        .collect()
}

/// The body of a request. Some write its type only among the header fields.
pub(super) fn body_of(entry: &Entry) -> Option<Body> {
    let mut body = entry.request.body.clone()?;
    if body.media_type.is_empty() {
        body.media_type = entry
            .request
            .header("content-type")
            .unwrap_or_default()
            .to_owned();
    }
    Some(body)
}
