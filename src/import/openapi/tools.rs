//! Names of tools.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::names::words;
use crate::words::Name;

/// Longest name of a tool, with the service's name and the separator.
const QUALIFIED_LENGTH: usize = 64;
/// Names of files that are not tools.
pub(in crate::import) const TAKEN: [&str; 2] = ["service", "sandbox"];
/// How many words are read at most to find out which ones a long name can do without. What is still too long then ends
/// with a hash.
const MOST_WORK: usize = 20_000_000;

/// An operation that needs a name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Nameless<'a> {
    /// `operationId`.
    pub id: Option<&'a str>,
    /// The method, in upper case.
    pub method: &'a str,
    /// The path.
    pub path: &'a str,
    /// Its name in an earlier import.
    pub known: Option<&'a str>,
}

impl Nameless<'_> {
    /// The words of its name, and which of them are names of parameters.
    fn preferred(&self) -> Vec<Word> {
        let plain = |text: String| Word {
            text,
            is_param: false,
        };
        let from_id = self.id.map(words).unwrap_or_default();
        if !from_id.is_empty() {
            return from_id.into_iter().map(plain).collect();
        }
        let mut name = vec![plain(self.method.to_ascii_lowercase())];
        for segment in self.path.split('/') {
            let is_param = segment.starts_with('{');
            name.extend(
                words(segment)
                    .into_iter()
                    .map(|text| Word { text, is_param }),
            );
        }
        name
    }

    /// A short hash of the operation. It does not depend on other operations.
    fn hash(&self) -> String {
        // FNV-1a, because the names must be the same in every version of the program.
        let text = self.method.bytes().chain([b' ']).chain(self.path.bytes());
        let hash = text.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        format!("{:04x}", (hash ^ (hash >> 32)) & 0xffff)
    }
}

/// A word of a name.
#[derive(Debug, Clone, PartialEq)]
struct Word {
    text: String,
    is_param: bool,
}

fn joined<'w>(words: impl IntoIterator<Item = &'w Word>) -> String {
    let words = words.into_iter().map(|word| word.text.as_str());
    words.collect::<Vec<_>>().join("-")
}

/// A distinct name for each operation, in order. A name depends on other operations only if they would get the same one,
/// or if it is too long: then it loses words that other names have too. An operation that an earlier import named keeps
/// that name.
pub(crate) fn tools(service: &Name, operations: &[Nameless<'_>]) -> Vec<String> {
    let room = QUALIFIED_LENGTH - 1 - service.as_str().len();
    let mut given: HashSet<String> = operations
        .iter()
        .filter_map(|operation| Some(operation.known?.to_owned()))
        .chain(TAKEN.map(str::to_owned))
        .collect();
    let preferred: Vec<Vec<Word>> = operations.iter().map(Nameless::preferred).collect();
    let preferred = told_apart(operations, preferred);
    let wholes: Vec<String> = preferred.iter().map(joined).collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for whole in &wholes {
        *counts.entry(whole).or_default() += 1;
    }
    let fits =
        |whole: &str| counts.get(whole) == Some(&1) && whole.len() <= room && !whole.is_empty();
    let mut names: Vec<Option<String>> = operations
        .iter()
        .zip(&wholes)
        .map(|(operation, whole)| match operation.known {
            Some(known) => Some(known.to_owned()),
            None => (fits(whole) && given.insert(whole.clone())).then(|| whole.clone()),
        })
        .collect();
    let mut shorter = Shorter::new(service, &preferred, room);
    for (i, operation) in operations.iter().enumerate() {
        if names[i].is_some() {
            continue;
        }
        let is_only = counts.get(wholes[i].as_str()) == Some(&1);
        let short = match is_only {
            true => shorter.shorten(i, &given),
            false => None,
        };
        let name = short.unwrap_or_else(|| {
            let mut name = with_hash(&wholes[i], room, &operation.hash());
            // Two hashes are the same once in 65536 times.
            let mut again = 2;
            while given.contains(&name) {
                name = with_hash(&name, room, &again.to_string());
                again += 1;
            }
            name
        });
        given.insert(name.clone());
        names[i] = Some(name);
    }
    names.into_iter().flatten().collect()
}

/// The names, with words of the path and the method added to those that are the same.
fn told_apart(operations: &[Nameless<'_>], names: Vec<Vec<Word>>) -> Vec<Vec<Word>> {
    let mut groups: HashMap<String, Vec<usize>> = HashMap::new();
    for (i, name) in names.iter().enumerate() {
        groups.entry(joined(name)).or_default().push(i);
    }
    let mut told = names.clone();
    for members in groups.values().filter(|members| members.len() > 1) {
        let more: Vec<Vec<String>> = members
            .iter()
            .map(|i| {
                let path = operations[*i].path.split('/');
                let fixed = path.filter(|segment| !segment.starts_with('{'));
                let mut more: Vec<String> = fixed.flat_map(words).collect();
                more.push(operations[*i].method.to_ascii_lowercase());
                more
            })
            .collect();
        for (i, own) in members.iter().zip(&more) {
            // Words that not all of them have, and the name does not have yet.
            let mut added: Vec<String> = Vec::new();
            for word in own {
                let is_common = more.iter().all(|other| other.contains(word));
                let is_there = names[*i].iter().any(|known| known.text == *word);
                if !is_common && !is_there && !added.contains(word) {
                    added.push(word.clone());
                }
            }
            told[*i].extend(added.into_iter().map(|text| Word {
                text,
                is_param: false,
            }));
        }
    }
    told
}

/// What is left out of names. The same is left out of all of them to see which ones it would make equal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Cut {
    words: BTreeSet<String>,
    /// Whether a word that a name has twice is left out the second time.
    repeated: bool,
    /// Whether names of parameters are left out.
    params: bool,
}

impl Cut {
    fn apply<'n>(&self, name: &'n [Word]) -> Vec<&'n Word> {
        let mut seen: HashSet<&str> = HashSet::new();
        name.iter()
            .filter(|word| {
                let is_new = seen.insert(&word.text);
                let is_out = self.words.contains(&word.text)
                    || (self.params && word.is_param)
                    || (self.repeated && !is_new);
                !is_out
            })
            .collect()
    }
}

/// Shortens names by words that others share.
struct Shorter<'n> {
    names: &'n [Vec<Word>],
    room: usize,
    /// In how many names a word stands.
    shares: HashMap<&'n str, usize>,
    /// Words of the service's name, which stand before every tool's name.
    own: Vec<String>,
    /// How many names each cut leaves equal.
    counts: HashMap<Cut, HashMap<String, usize>>,
    /// The cuts that shortened a name, the last one first.
    proven: Vec<Cut>,
    work: usize,
}

impl<'n> Shorter<'n> {
    fn new(service: &Name, names: &'n [Vec<Word>], room: usize) -> Shorter<'n> {
        let mut shares: HashMap<&str, usize> = HashMap::new();
        for name in names {
            let distinct: HashSet<&str> = name.iter().map(|word| word.text.as_str()).collect();
            for word in distinct {
                *shares.entry(word).or_default() += 1;
            }
        }
        Shorter {
            names,
            room,
            shares,
            own: words(service.as_str()),
            counts: HashMap::new(),
            proven: Vec::new(),
            work: 0,
        }
    }

    /// A name that fits and that no other has or could be taken for; `None` if there is none.
    fn shorten(&mut self, i: usize, given: &HashSet<String>) -> Option<String> {
        let names = self.names;
        let name = &names[i];
        let is_good = |text: &str, room: usize| {
            !text.is_empty() && text.len() <= room && !given.contains(text)
        };
        for cut in self.proven.clone() {
            let short = joined(cut.apply(name));
            if is_good(&short, self.room) && self.is_distinct(&cut, &short) {
                return Some(short);
            }
        }
        let mut cut = Cut::default();
        for step in self.steps(name) {
            let mut next = cut.clone();
            step.add_to(&mut next);
            let (before, after) = (cut.apply(name).len(), next.apply(name));
            if after.len() == before || after.len() < 2 {
                continue;
            }
            let short = joined(after);
            if !self.is_distinct(&next, &short) {
                continue;
            }
            cut = next;
            if is_good(&short, self.room) {
                self.proven.retain(|known| *known != cut);
                self.proven.insert(0, cut);
                self.proven.truncate(20);
                return Some(short);
            }
        }
        None
    }

    /// What may be left out, the least telling first.
    fn steps(&self, name: &[Word]) -> Vec<Step> {
        let mut steps: Vec<Step> = self.own.iter().cloned().map(Step::Word).collect();
        steps.extend([Step::Repeated, Step::Params]);
        let mut shared: Vec<(usize, usize, &str)> = name
            .iter()
            .enumerate()
            // The first word says what the tool does.
            .skip(1)
            .filter_map(|(at, word)| {
                let count = *self.shares.get(word.text.as_str())?;
                (count > 1).then_some((count, at, word.text.as_str()))
            })
            .collect();
        shared.sort_by_key(|(count, at, _)| (std::cmp::Reverse(*count), *at));
        steps.extend(
            shared
                .into_iter()
                .map(|(_, _, word)| Step::Word(word.to_owned())),
        );
        steps
    }

    /// Whether the cut leaves no other name like this one.
    fn is_distinct(&mut self, cut: &Cut, short: &str) -> bool {
        if let Some(counts) = self.counts.get(cut) {
            return counts.get(short) == Some(&1);
        }
        self.work += self.names.iter().map(Vec::len).sum::<usize>();
        if self.work > MOST_WORK {
            return false;
        }
        let mut counts: HashMap<String, usize> = HashMap::new();
        for name in self.names {
            *counts.entry(joined(cut.apply(name))).or_default() += 1;
        }
        let is_distinct = counts.get(short) == Some(&1);
        self.counts.insert(cut.clone(), counts);
        is_distinct
    }
}

enum Step {
    Word(String),
    Repeated,
    Params,
}

impl Step {
    fn add_to(self, cut: &mut Cut) {
        match self {
            Step::Word(word) => {
                cut.words.insert(word);
            }
            Step::Repeated => cut.repeated = true,
            Step::Params => cut.params = true,
        }
    }
}

fn with_hash(name: &str, room: usize, hash: &str) -> String {
    let most = room.saturating_sub(hash.len() + 1);
    let cut = match name.len() <= most {
        true => name,
        false => {
            let head = &name[..most];
            // Cut at the end of a word, unless little would remain.
            match head.rfind('-') {
                Some(at) if at > most / 2 && !name[most..].starts_with('-') => &head[..at],
                _ => head,
            }
        }
    };
    match cut.trim_matches('-') {
        "" => hash.to_owned(),
        cut => format!("{cut}-{hash}"),
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn named(operations: &[(Option<&str>, &str, &str)]) -> Vec<String> {
        let operations: Vec<Nameless<'_>> = operations
            .iter()
            .map(|(id, method, path)| Nameless {
                id: *id,
                method,
                path,
                known: None,
            })
            .collect();
        tools(&Name::new("probe").unwrap(), &operations)
    }

    #[test]
    fn tools_have_distinct_legal_names() {
        assert_eq!(
            named(&[
                (Some("listPets"), "GET", "/pets"),
                (None, "GET", "/pets/{petId}/toys"),
                (None, "GET", "/"),
            ]),
            ["list-pets", "get-pets-pet-id-toys", "get"]
        );
        let long =
            "a_name_that_goes_on_and_on_and_on_until_there_is_no_room_for_any_more_words_in_it";
        let names = named(&[
            (Some("same"), "GET", "/a"),
            (Some("Same"), "GET", "/b"),
            (Some(long), "GET", "/c"),
            (Some(long), "GET", "/d"),
            (Some("service"), "GET", "/e"),
            (Some("sandbox"), "POST", "/e"),
            (Some(&"x".repeat(200)), "GET", "/f"),
        ]);
        for (i, name) in names.iter().enumerate() {
            assert!(Name::new(name).is_some(), "{name}");
            assert!(name.len() + "probe/".len() <= QUALIFIED_LENGTH, "{name}");
            assert!(!names[..i].contains(name), "{name}");
        }
        // A name that shares no words does not change when other operations come or go.
        let alone = named(&[(Some(&"x".repeat(200)), "GET", "/f")]);
        assert_eq!(alone[0], names[6]);
        assert_eq!(
            named(&[(Some("Same"), "GET", "/b"), (Some("same"), "GET", "/a")]),
            [names[1].clone(), names[0].clone()]
        );
    }

    #[test]
    fn long_names_lose_what_others_share() {
        let service = Name::new("app-store-connect").unwrap();
        let ids = [
            "appStoreVersions_appStoreVersionLocalizations_getToManyRelated",
            "appStoreVersions_appStoreVersionLocalizations_getToManyRelationship",
            "appStoreVersions_appStoreVersionSubmission_getToOneRelated",
            "appStoreVersions_appStoreReviewDetail_getToOneRelated",
            "apps_appStoreVersions_getToManyRelated",
        ];
        let operations: Vec<Nameless<'_>> = ids
            .iter()
            .map(|id| Nameless {
                id: Some(id),
                method: "GET",
                path: "/x",
                known: None,
            })
            .collect();
        let names = tools(&service, &operations);
        assert_eq!(
            names,
            [
                "version-localizations-get-to-many-related",
                "version-localizations-get-to-many-relationship",
                "version-submission-get-to-one-related",
                "review-detail-get-to-one-related",
                "apps-app-store-versions-get-to-many-related",
            ]
            .map(|name| name.to_owned())
        );
        for name in names {
            assert!(
                name.len() + "app-store-connect/".len() <= QUALIFIED_LENGTH,
                "{name}"
            );
        }
    }

    #[test]
    fn equal_names_are_told_apart_by_their_paths() {
        assert_eq!(
            named(&[
                (Some("listOrders"), "GET", "/orders"),
                (Some("list_orders"), "GET", "/archive/orders"),
                (Some("order"), "GET", "/order"),
                (Some("order"), "PUT", "/order"),
                (Some("thing"), "GET", "/thing/{a}"),
                (Some("thing"), "GET", "/thing/{b}"),
            ])[..4],
            [
                "list-orders",
                "list-orders-archive",
                "order-get",
                "order-put"
            ]
        );
    }
}
