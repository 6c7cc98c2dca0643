//! Names: of the service, of tools, and of params.

use std::collections::HashMap;

use crate::words::Name;

/// Longest name of a tool, with the service's name and the separator.
const QUALIFIED_LENGTH: usize = 64;
/// Longest name that is made for a service, so that the names of its tools have room.
const SERVICE_LENGTH: usize = 24;
/// Names of files that are not tools.
const TAKEN: [&str; 2] = ["service", "sandbox"];

/// The words of a name in any spelling: `listPets`, `list_pets` and `pets/list` have two words each.
pub(crate) fn words(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let mut words: Vec<String> = vec![String::new()];
    for (i, &c) in characters.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|i| characters.get(i));
        let after = characters.get(i + 1);
        // A capital begins a word after a small letter, and as the last of several capitals before a small letter, as
        // in getURLInfo; but not in listIDs.
        let is_plural = after == Some(&'s')
            && characters
                .get(i + 2)
                .is_none_or(|c| !c.is_ascii_lowercase());
        let begins = c.is_ascii_uppercase()
            && (before.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
                || (before.is_some_and(char::is_ascii_uppercase)
                    && after.is_some_and(char::is_ascii_lowercase)
                    && !is_plural));
        if begins || !c.is_ascii_alphanumeric() {
            words.push(String::new());
        }
        if c.is_ascii_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(c.to_ascii_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A name for the service of a document with this title.
pub(crate) fn service(title: &str) -> Name {
    const NOISE: [&str; 9] = [
        "api",
        "apis",
        "rest",
        "openapi",
        "the",
        "specification",
        "spec",
        "definition",
        "reference",
    ];
    let is_version = |word: &str| {
        word.strip_prefix('v')
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
            || word.bytes().all(|b| b.is_ascii_digit())
    };
    let all: Vec<String> = title
        .replace("'s ", " ")
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let meant: Vec<&String> = all
        .iter()
        .filter(|word| !NOISE.contains(&word.as_str()) && !is_version(word))
        .collect();
    let mut name = String::new();
    for word in if meant.is_empty() {
        all.iter().collect()
    } else {
        meant
    } {
        let separator = usize::from(!name.is_empty());
        if name.len() + separator + word.len() > SERVICE_LENGTH {
            break;
        }
        if separator > 0 {
            name.push('-');
        }
        name.push_str(word);
    }
    Name::new(&name)
        .or_else(|| Name::new(all.first()?.get(..SERVICE_LENGTH)?))
        .or_else(|| Name::new("service"))
        .unwrap_or_else(|| unreachable!("`service` is a name"))
}

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
    fn preferred(&self) -> Vec<String> {
        let from_id = self.id.map(words).unwrap_or_default();
        match from_id.is_empty() {
            false => from_id,
            true => {
                let mut from_path = vec![self.method.to_ascii_lowercase()];
                from_path.extend(words(self.path));
                from_path
            }
        }
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

/// A distinct name for each operation, in order. A name depends on other operations only if they would get the same
/// one. An operation that an earlier import named keeps that name.
pub(crate) fn tools(service: &Name, operations: &[Nameless<'_>]) -> Vec<String> {
    let room = QUALIFIED_LENGTH - 1 - service.as_str().len();
    let preferred: Vec<String> = operations
        .iter()
        .map(|operation| fitted(&operation.preferred(), room, || operation.hash()))
        .collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for name in &preferred {
        *counts.entry(name).or_default() += 1;
    }
    let mut given: HashMap<String, ()> = operations
        .iter()
        .filter_map(|operation| Some((operation.known?.to_owned(), ())))
        .collect();
    operations
        .iter()
        .zip(&preferred)
        .map(|(operation, name)| {
            if let Some(known) = operation.known {
                return known.to_owned();
            }
            let is_own = counts.get(name.as_str()) == Some(&1)
                && !TAKEN.contains(&name.as_str())
                && !given.contains_key(name);
            let mut name = match is_own {
                true => name.clone(),
                false => with_hash(name, room, &operation.hash()),
            };
            // Two hashes are the same once in 65536 times.
            let mut again = 2;
            while given.contains_key(&name) {
                name = with_hash(&name, room, &again.to_string());
                again += 1;
            }
            given.insert(name.clone(), ());
            name
        })
        .collect()
}

/// The words as a name that fits; a name that had to be cut ends with a hash, so that two cut names differ.
fn fitted(words: &[String], room: usize, hash: impl Fn() -> String) -> String {
    let whole = words.join("-");
    if whole.len() <= room && !whole.is_empty() {
        return whole;
    }
    with_hash(&whole, room, &hash())
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

/// The environment variable for a secret or setting of the service.
pub(crate) fn variable_name(service: &Name, what: &str) -> String {
    let text = format!("{}_{what}", service.as_str());
    let name: String = text
        .chars()
        .map(|c| match c.is_ascii_alphanumeric() {
            true => c.to_ascii_uppercase(),
            false => '_',
        })
        .collect();
    match name.starts_with(|c: char| c.is_ascii_digit()) {
        true => format!("_{name}"),
        false => name,
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn words_of_every_spelling() {
        for (text, expected) in [
            ("listPets", "list-pets"),
            ("list_pets", "list-pets"),
            ("repos/list-for-org", "repos-list-for-org"),
            ("GetURLInfo", "get-url-info"),
            ("getHTTP2Status", "get-http2-status"),
            ("listIDs", "list-ids"),
            ("Pets.List v2", "pets-list-v2"),
            ("--é--", ""),
        ] {
            assert_eq!(words(text).join("-"), expected, "{text}");
        }
    }

    #[test]
    fn services_are_named_for_their_title() {
        for (title, expected) in [
            ("GitHub v3 REST API", "github"),
            ("Stripe API", "stripe"),
            ("The Petstore", "petstore"),
            ("API", "api"),
            ("", "service"),
            ("日本語", "service"),
            (
                "A very long title of an interface for machines",
                "a-very-long-title-of-an",
            ),
            (
                "Donaudampfschifffahrtsgesellschaft",
                "donaudampfschifffahrtsge",
            ),
        ] {
            assert_eq!(service(title).as_str(), expected, "{title}");
        }
    }

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
        // A name does not change when other operations come or go.
        assert_eq!(named(&[(Some(long), "GET", "/d")])[0], names[3]);
        assert_eq!(
            named(&[(Some("Same"), "GET", "/b"), (Some("same"), "GET", "/a")]),
            [names[1].clone(), names[0].clone()]
        );
    }
}
