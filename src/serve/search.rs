//! The search for tools: BM25 over name, title, description, service and params.

use bm25::{Embedder, EmbedderBuilder, Scorer, Tokenizer};

use crate::definition::Definition;
use crate::format::Access;
use crate::tool::Tool;

/// How often a word counts, by where it stands.
const NAME: usize = 4;
const TITLE: usize = 3;
const DESCRIPTION: usize = 1;
const SERVICE: usize = 2;
const PARAMS: usize = 1;

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
}

/// Verbs of what changes something. Whoever uses none of them wants to know something.
const WRITES: [&str; 40] = [
    "add", "approve", "archive", "assign", "attach", "ban", "block", "cancel", "change", "close",
    "create", "delete", "deny", "disable", "edit", "enable", "fork", "grant", "invite", "lock",
    "mark", "merge", "modify", "move", "pause", "post", "publish", "remove", "rename", "replace",
    "restart", "revoke", "rotate", "run", "send", "set", "star", "start", "update", "upload",
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
        let (texts, reads): (Vec<String>, Vec<bool>) = tools
            .map(|(tool, definition)| (text(tool, definition), tool.access == Access::Read))
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
        }
    }

    /// The numbers of the tools that fit, the best first. Of equal ones, the first in the list comes first.
    pub(super) fn find(&self, query: &str) -> Vec<usize> {
        let mut found = self.scorer.matches(&self.embedder.embed(query));
        let words = Words.tokenize(query);
        let changes = WRITES.iter().any(|verb| words.contains(&stem(verb)));
        for hit in found.iter_mut().filter(|_| !changes) {
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
        (described.join(" "), PARAMS),
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
const SAME: [(&str, &str); 21] = [
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
