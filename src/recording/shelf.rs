//! The entries of a recording that may answer the requests of one service, by what is compared of them.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use super::difference::nearness;
use super::index::{Index, Seen};
use super::key::{Canon, Key, Keys, Line, canon, digest};
use crate::har::Body;

/// Of how many requests that are alike the bodies are compared, to show the nearest one.
const MOST_COMPARED: usize = 16;

/// The entries for one service.
pub(super) struct Shelf {
    keys: Keys,
    groups: Vec<Group>,
    /// In each group, by digest: how many of the first entries were given.
    given: Mutex<HashMap<(usize, u64), usize>>,
}

/// Entries in which the same fields are hidden.
struct Group {
    /// The number of the rules.
    rules: usize,
    /// The digests of the requests and the places of the entries, sorted.
    entries: Vec<(u64, u32)>,
}

/// A request of a call.
pub(super) struct Asked<'a> {
    pub line: Line<'a>,
    pub body: Option<&'a Body>,
}

impl Shelf {
    /// Takes those entries that `fits`, except those of access tokens.
    pub(super) fn new(index: &Index, keys: Keys, fits: impl Fn(&Seen<'_>) -> bool) -> Shelf {
        let mut groups: Vec<Group> = (0..index.rules().len())
            .map(|rules| Group {
                rules,
                entries: Vec::new(),
            })
            .collect();
        for (at, seen) in index.all() {
            if seen.is_of_token || !fits(&seen) {
                continue;
            }
            let digest = keys.digest(seen.line, seen.body, &index.rules()[seen.rules]);
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            groups[seen.rules].entries.push((digest, at));
        }
        groups.retain(|group| !group.entries.is_empty());
        for group in &mut groups {
            group.entries.sort_unstable();
            group.entries.shrink_to_fit();
        }
        Shelf {
            keys,
            groups,
            given: Mutex::default(),
        }
    }

    /// Takes the first entry that may answer a request, by its digest, and that `give` lets go.
    ///
    /// # Errors
    /// How many entries answer the request, if all were given.
    pub(super) fn take(
        &self,
        asked: &Asked<'_>,
        index: &Index,
        mut give: impl FnMut(usize) -> bool,
    ) -> Result<usize, usize> {
        let found = self.groups.iter().enumerate().map(|(number, group)| {
            let rules = &index.rules()[group.rules];
            let body = digest(&canon(asked.body, rules));
            let wanted = self.keys.digest(asked.line, body, rules);
            let start = group
                .entries
                .partition_point(|(digest, _)| *digest < wanted);
            let rest = &group.entries[start..];
            let count = rest.partition_point(|(digest, _)| *digest == wanted);
            ((number, wanted), &rest[..count])
        });
        let found: Vec<_> = found.filter(|(_, entries)| !entries.is_empty()).collect();
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            // The first in the file, of all groups.
            let next = found.iter().filter_map(|(place, entries)| {
                let count = given.get(place).copied().unwrap_or_default();
                Some((entries.get(count)?.1, *place))
            });
            let Some((at, place)) = next.min() else {
                return Err(found.iter().map(|(_, entries)| entries.len()).sum());
            };
            *given.entry(place).or_default() += 1;
            if give(at as usize) {
                return Ok(at as usize);
            }
        }
    }

    /// The key of a request, as it is compared with an entry.
    pub(super) fn key(&self, asked: &Asked<'_>, rules: usize, index: &Index) -> Key {
        let rules = &index.rules()[rules];
        self.keys.key(asked.line, canon(asked.body, rules), rules)
    }

    /// The key of an entry that was read from the file.
    pub(super) fn key_of(&self, seen: &Seen<'_>, body: Option<&Body>, index: &Index) -> Key {
        let rules = &index.rules()[seen.rules];
        self.keys.key(seen.line, canon(body, rules), rules)
    }

    /// The entry that is nearest to a request, the key of the request, and its own.
    pub(super) fn nearest(&self, asked: &Asked<'_>, index: &Index) -> Option<(usize, Key, Key)> {
        // Without the bodies, which are in the file.
        let mut near: BTreeSet<(Reverse<usize>, u32)> = BTreeSet::new();
        for group in &self.groups {
            let rules = &index.rules()[group.rules];
            let asked_body = digest(&canon(asked.body, rules));
            let line = self.keys.key(asked.line, Canon::Nothing, rules);
            let mut last = None;
            for (digest, at) in &group.entries {
                // Of equal requests, the first one stands for all.
                if last.replace(digest) == Some(digest) {
                    continue;
                }
                let Some(seen) = index.seen(*at as usize) else {
                    continue;
                };
                let there = self.keys.key(seen.line, Canon::Nothing, rules);
                let has_body = usize::from(seen.body == asked_body);
                let score = nearness(&line, &there) * 2 + has_body;
                near.insert((Reverse(score), *at));
                if near.len() > MOST_COMPARED {
                    near.pop_last();
                }
            }
        }
        let near = near.into_iter().filter_map(|(_, at)| {
            let at = at as usize;
            let seen = index.seen(at)?;
            let entry = index.entry(at).ok()?.0;
            let there = self.key_of(&seen, entry.request.body_with_type().as_ref(), index);
            let here = self.key(asked, seen.rules, index);
            Some((nearness(&here, &there), at, here, there))
        });
        // Of several that are equally near, the first one.
        let nearest = near.max_by_key(|(near, at, ..)| (*near, Reverse(*at)))?;
        Some((nearest.1, nearest.2, nearest.3))
    }
}
