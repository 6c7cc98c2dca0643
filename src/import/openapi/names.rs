//! Names: the words in them, the name of the service, and those of variables.

use crate::words::Name;

/// Longest name that is made for a service, so that the names of its tools have room.
const SERVICE_LENGTH: usize = 24;

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
}
