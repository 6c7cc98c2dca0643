//! The search for tools: BM25 over name, title, description, service and params.

use std::collections::HashSet;

use bm25::{Embedder, EmbedderBuilder, Scorer, Tokenizer};

use crate::definition::Definition;
use crate::format::Access;
use crate::tool::Tool;

/// How often a word counts, by where it stands.
const NAME: usize = 5;
const TITLE: usize = 3;
const DESCRIPTION: usize = 1;
const SERVICE: usize = 2;
const PARAMS: usize = 1;
/// Most characters of the descriptions of params: in those of large tools, every word occurs.
const MOST_OF_PARAMS: usize = 300;

/// Words that say nothing about what is looked for.
const STOP: [&str; 58] = [
    "a", "about", "all", "am", "an", "and", "any", "are", "as", "at", "be", "by", "can", "could",
    "do", "does", "for", "from", "has", "have", "how", "i", "if", "in", "into", "is", "it", "its",
    "me", "my", "of", "on", "one", "or", "our", "please", "show", "so", "some", "tell", "that",
    "the", "their", "there", "this", "to", "us", "want", "was", "we", "what", "when", "where",
    "which", "who", "will", "with", "you",
];

/// An index of tools.
pub(super) struct Index {
    embedder: Embedder<u32, Words>,
    scorer: Scorer<u32, u32>,
    /// Whether each tool reads.
    reads: Vec<bool>,
    /// The words of the names of tools that read: things, and what is done to read them.
    readable: HashSet<String>,
}

/// How a question begins, and the verbs of whoever wants to know something.
const ASKS: [&str; 22] = [
    "what", "which", "who", "whose", "where", "when", "how", "is", "are", "do", "does", "has",
    "have", "did", "list", "show", "get", "find", "look", "read", "search", "see",
];
/// How much more a tool that reads counts for whoever wants to know something.
const ASKED: f32 = 1.5;

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index").finish_non_exhaustive()
    }
}

impl Index {
    /// Indexes tools. The place of a tool in `tools` is its number.
    pub(super) fn new<'t>(tools: impl Iterator<Item = (&'t Tool, &'t Definition)>) -> Index {
        let mut readable = HashSet::new();
        let (texts, reads): (Vec<String>, Vec<bool>) = tools
            .map(|(tool, definition)| {
                let reads = tool.access == Access::Read;
                if reads {
                    readable.extend(words(&tool.name).map(|word| singular(&word)));
                }
                (text(tool, definition), reads)
            })
            .unzip();
        let borrowed: Vec<&str> = texts.iter().map(String::as_str).collect();
        let embedder =
            EmbedderBuilder::<u32, Words>::with_tokenizer_and_fit_to_corpus(Words, &borrowed)
                .b(0.4)
                .build();
        let mut scorer = Scorer::new();
        for (number, text) in texts.iter().enumerate() {
            scorer.upsert(&(number as u32), embedder.embed(text));
        }
        Index {
            embedder,
            scorer,
            reads,
            readable,
        }
    }

    /// The numbers of the tools that fit, the best first. Of equal ones, the first in the list comes first.
    pub(super) fn find(&self, query: &str) -> Vec<usize> {
        let mut found = self.scorer.matches(&self.embedder.embed(query));
        // A question, or a thing alone: `members of the organization`.
        let asks = words(query).next().is_some_and(|first| {
            ASKS.contains(&first.as_str()) || self.readable.contains(&singular(&first))
        });
        for hit in found.iter_mut().filter(|_| asks) {
            if self.reads.get(hit.id as usize).is_some_and(|reads| *reads) {
                hit.score *= ASKED;
            }
        }
        found.sort_by(|one, other| {
            let by_score = other.score.total_cmp(&one.score);
            by_score.then(one.id.cmp(&other.id))
        });
        found.into_iter().map(|found| found.id as usize).collect()
    }
}

/// The words of a text or of a name in lower case.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

/// What a tool is found by, each word as often as it counts.
fn text(tool: &Tool, definition: &Definition) -> String {
    let params: Vec<&str> = tool.params.iter().map(|param| param.name).collect();
    let described: Vec<&str> = tool
        .params
        .iter()
        .filter_map(|param| param.schema.get("description")?.as_str())
        .collect();
    let parts = [
        (tool.name.clone(), NAME),
        (definition.title.clone(), TITLE),
        (definition.description.clone(), DESCRIPTION),
        (tool.service().to_owned(), SERVICE),
        (tool.service.title.clone().unwrap_or_default(), SERVICE),
        (params.join(" "), PARAMS),
        (
            described.join(" ").chars().take(MOST_OF_PARAMS).collect(),
            PARAMS,
        ),
    ];
    let mut text = String::new();
    for (part, times) in parts {
        for _ in 0..times {
            text.push_str(&part);
            text.push('\n');
        }
    }
    text
}

/// Words in lower case and without their endings; names such as `listMembers` and `list_members` are two words.
struct Words;

impl Tokenizer for Words {
    fn tokenize(&self, text: &str) -> Vec<String> {
        let mut words = Vec::new();
        let mut word = String::new();
        let mut was_lower = false;
        let mut end = |word: &mut String| {
            let whole = std::mem::take(word);
            if !whole.is_empty() && !STOP.contains(&whole.as_str()) {
                words.push(stem(&whole));
            }
        };
        // A word that some write with a hyphen, and names without.
        let text = text.replace("e-mail", "email").replace("E-mail", "email");
        for c in text.chars() {
            if !c.is_alphanumeric() || (was_lower && c.is_uppercase()) {
                end(&mut word);
            }
            was_lower = c.is_lowercase() || c.is_ascii_digit();
            if c.is_alphanumeric() {
                word.extend(c.to_lowercase());
            }
        }
        end(&mut word);
        words
    }
}

/// Words that mean the same when it comes to tools.
const SAME: [(&str, &str); 27] = [
    ("invitation", "invit"),
    ("remov", "delet"),
    ("eras", "delet"),
    ("destroy", "delet"),
    ("add", "creat"),
    ("new", "creat"),
    ("mak", "creat"),
    ("fetch", "get"),
    ("retriev", "get"),
    ("read", "get"),
    ("find", "search"),
    ("look", "search"),
    ("query", "search"),
    ("chang", "updat"),
    ("edit", "updat"),
    ("modify", "updat"),
    ("patch", "updat"),
    ("repository", "repo"),
    ("organisation", "org"),
    ("organization", "org"),
    ("picture", "imag"),
    ("photo", "imag"),
    ("lookup", "search"),
    ("regist", "registrant"),
    ("register", "registrant"),
    ("attend", "participant"),
    ("attendee", "participant"),
];

/// A word without its ending, so that `lists`, `listed` and `listing` are one word.
fn stem(word: &str) -> String {
    let mut stem = word.to_owned();
    if word.is_ascii() && word.len() > 3 {
        stem = singular(word);
        for ending in ["ing", "ed", "e"] {
            if let Some(rest) = stem.strip_suffix(ending)
                && rest.len() >= 3
            {
                stem.truncate(rest.len());
                break;
            }
        }
    }
    match SAME.iter().find(|(one, _)| *one == stem) {
        Some((_, other)) => (*other).to_owned(),
        None => stem,
    }
}

fn singular(word: &str) -> String {
    if ["ss", "us", "is"]
        .iter()
        .any(|ending| word.ends_with(ending))
    {
        return word.to_owned();
    }
    match word.strip_suffix("ies") {
        Some(rest) if rest.len() >= 3 => format!("{rest}y"),
        _ => word.strip_suffix('s').unwrap_or(word).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_meet_without_their_endings() {
        for group in [
            &["list", "lists", "listed", "listing"][..],
            &["create", "creates", "created", "creating", "add", "new"],
            &["delete", "deleted", "remove", "removing"],
            &["update", "updates", "change"],
            &["use", "uses"],
        ] {
            let stems: Vec<String> = group.iter().map(|word| stem(word)).collect();
            assert!(
                stems.iter().all(|other| *other == stems[0]),
                "{group:?}: {stems:?}"
            );
        }
    }

    #[test]
    fn names_are_split_into_words() {
        for name in [
            "listTeamMembers",
            "list_team_members",
            "list-team-members",
            "ListTeamMembers",
        ] {
            assert_eq!(Words.tokenize(name), ["list", "team", "member"], "{name}");
        }
        assert_eq!(Words.tokenize("What are the API keys?"), ["api", "key"]);
    }
}
