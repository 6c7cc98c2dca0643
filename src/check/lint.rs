//! Lints: what a tool lacks that works, but that people or models will miss. They are asked for, and each can be allowed.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use crate::format::Access;
use crate::plan::Method;
use crate::source::{Check, Code, join};
use crate::tool::Tool;

/// The fewest words of a description that say more than the tool's name.
const FEWEST_WORDS: usize = 3;
/// How many words two long descriptions share that are alike, of a hundred.
const ALIKE: usize = 90;
/// The fewest words of a long description.
const LONG: usize = 10;

/// What is known of all tools, to compare one with the others.
#[derive(Default)]
pub(super) struct Neighbours(OnceLock<Vec<Neighbour>>);

struct Neighbour {
    service: String,
    name: String,
    words: BTreeSet<String>,
    /// The first word, which is mostly the verb.
    first: String,
}

impl Neighbours {
    fn all(&self, tools: &[Arc<Tool>]) -> &[Neighbour] {
        self.0.get_or_init(|| {
            let neighbour = |tool: &Arc<Tool>| Neighbour {
                service: tool.service.name.clone(),
                name: tool.name.clone(),
                words: words(&tool.description),
                first: first_word(&tool.description),
            };
            let mut all: Vec<Neighbour> = tools.iter().map(neighbour).collect();
            all.sort_by(|a, b| (&a.service, &a.name).cmp(&(&b.service, &b.name)));
            all.dedup_by(|a, b| (&a.service, &a.name) == (&b.service, &b.name));
            all
        })
    }
}

/// All lints of a tool that is whole. `tools` are those that it may be taken for.
pub(super) fn lint(tool: &Tool, check: &Check, tools: &[Arc<Tool>], neighbours: &Neighbours) {
    let neighbours = neighbours.all(tools);
    report_short_description(tool, check);
    report_similar_description(tool, check, neighbours);
    report_shared_name(tool, check, neighbours);
    report_no_example(tool, check);
    report_unpaged_list(tool, check);
    report_no_rows(tool, check);
    report_no_idempotency(tool, check);
}

fn report_short_description(tool: &Tool, check: &Check) {
    let own = words(&tool.name.replace('-', " "));
    let is_own = |word: &String| own.iter().any(|own| singular(own) == singular(word));
    let says_more = words(&tool.description).iter().any(|word| !is_own(word));
    let count = tool.description.split_whitespace().count();
    if says_more && count > FEWEST_WORDS {
        return;
    }
    let message = match says_more {
        true => "the description is too short for a model to choose the tool by it",
        false => "the description says no more than the tool's name",
    };
    let help = "say in a sentence what the tool gives or does, and when to use it";
    check.error_with_help(Code::ShortDescription, "/description", message, help);
}

fn report_similar_description(tool: &Tool, check: &Check, neighbours: &[Neighbour]) {
    let own = words(&tool.description);
    let first = first_word(&tool.description);
    // Of two, the later one has the finding, so that one `allow` is enough.
    let similar = neighbours.iter().find(|other| {
        other.service == tool.service.name
            && other.name < tool.name
            && are_alike(&own, &other.words, &[&tool.name, &other.name])
            && first == other.first
    });
    if let Some(other) = similar {
        let message = format!(
            "the description is nearly that of `{}`, so that a model cannot tell them apart",
            other.name
        );
        let help = "say in both what the other one does not do";
        check.error_with_help(Code::SimilarDescriptions, "/description", message, help);
    }
}

/// Whether two descriptions have the same words, or if they are long nearly so, and no word that differs is in a name.
fn are_alike(one: &BTreeSet<String>, other: &BTreeSet<String>, names: &[&str]) -> bool {
    let differing: Vec<&String> = one.symmetric_difference(other).collect();
    let all = one.union(other).count();
    let shared = all - differing.len();
    let is_named = |word: &&String| {
        names
            .iter()
            .any(|name| name.split('-').any(|part| singular(part) == singular(word)))
    };
    differing.is_empty()
        || (one.len().min(other.len()) >= LONG
            && shared * 100 >= all * ALIKE
            && !differing.iter().any(is_named))
}

fn first_word(text: &str) -> String {
    text.split_whitespace()
        .next()
        .unwrap_or_default()
        .to_lowercase()
}

/// The words of a text that say something, in lower case.
fn words(text: &str) -> BTreeSet<String> {
    const EMPTY: [&str; 12] = [
        "a", "an", "the", "of", "to", "in", "for", "and", "or", "by", "its", "with",
    ];
    let words = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    let words = words
        .map(|word| word.to_lowercase())
        .filter(|word| !EMPTY.contains(&word.as_str()));
    words.collect()
}

/// A word without the `s` of a plural or of a verb.
fn singular(word: &str) -> &str {
    match word.len() > 3 {
        true => word.strip_suffix('s').unwrap_or(word),
        false => word,
    }
}

fn report_shared_name(tool: &Tool, check: &Check, neighbours: &[Neighbour]) {
    let other = neighbours
        .iter()
        .find(|other| other.name == tool.name && other.service != tool.service.name);
    if let Some(other) = other {
        let message = format!(
            "`{}` is also the name of a tool of `{}`: the name alone is ambiguous, or means that one",
            tool.name, other.service
        );
        let help = format!(
            "rename one of the two, or always write `{}`",
            tool.qualified_name()
        );
        check.error_with_help(Code::ShadowedName, "/tool", message, help);
    }
}

fn report_no_example(tool: &Tool, check: &Check) {
    if tool.examples.is_empty() {
        let message = "there is no example, so that nothing shows or tests what the tool sends";
        let help = "write `examples` with the arguments of a call and its request";
        check.error_at_key(Code::NoExample, "/tool", message, Some(help.to_owned()));
    }
}

fn report_unpaged_list(tool: &Tool, check: &Check) {
    if tool.paging.is_some() || tool.access != Access::Read {
        return;
    }
    // What a call must give chooses no page.
    let mut optional = tool
        .params
        .iter()
        .filter(|param| !param.required)
        .map(|param| param.name);
    let names = optional.find(|name| is_of_pages(name));
    if let Some(name) = names {
        check.error_at_key(
            Code::UnpagedList,
            &join("/params/properties", name),
            format!("the param `{name}` seems to choose a page, but without `paging` nobody gets more than one page at once"),
            Some("write `paging` with where the rows are and the arguments of the next page".to_owned()),
        );
    }
}

/// Whether the name of a param says that it chooses a page.
fn is_of_pages(name: &str) -> bool {
    const WORDS: [&str; 3] = ["page", "cursor", "offset"];
    const NAMES: [&str; 6] = [
        "starting_after",
        "ending_before",
        "after_id",
        "next_token",
        "nexttoken",
        "marker",
    ];
    let lower = name.to_lowercase();
    let mut parts = lower.split(|c: char| !c.is_alphanumeric());
    // The id of a page is no place in a list.
    NAMES.contains(&lower.as_str())
        || (!lower.ends_with("id") && parts.any(|part| WORDS.contains(&part)))
}

fn report_no_rows(tool: &Tool, check: &Check) {
    if tool.access != Access::Read {
        return;
    }
    let value = check.source().value();
    let response = value.get("response");
    let output = response.and_then(|response| response.get("output"));
    let is_named = tool.projection.rows_key().is_some();
    let is_list = |node: &Value| node.get("each").is_some();
    let list = match output {
        Some(Value::Object(members)) if !is_named && !is_list(&Value::Object(members.clone())) => {
            members
                .iter()
                .find(|(_, node)| is_list(node))
                .map(|(name, _)| name.as_str())
        }
        // The whole body is the output.
        None if !is_named => value
            .pointer("/paging/items")
            .and_then(Value::as_str)
            .and_then(|path| path.strip_prefix("$.")),
        _ => None,
    };
    let is_name = |name: &&str| {
        name.chars()
            .all(|c| c.is_alphanumeric() || c == '_' || c == '-')
    };
    if let Some(name) = list.filter(is_name) {
        let at = if output.is_some() {
            "/response/output"
        } else {
            "/paging"
        };
        check.error_at_key(
            Code::NoRows,
            at,
            format!("the output has the list `{name}`, but no `rows` says that it is the table"),
            Some(format!("write `rows: {name}` in `response`")),
        );
    }
}

fn report_no_idempotency(tool: &Tool, check: &Check) {
    let request = check.source().value().get("request");
    let says = |key| request.is_some_and(|request| request.get(key).is_some());
    let is_unsafe = matches!(tool.request.method, Method::Post | Method::Patch);
    if tool.access == Access::Read || !is_unsafe || says("idempotent") || says("idempotency_key") {
        return;
    }
    check.error_at_key(
        Code::NoIdempotency,
        "/request",
        "the request writes, and nothing says whether it may be sent again after a failure",
        Some("name the header of an `idempotency_key` if the service has one; else write `idempotent: false`, or `true` where twice is the same as once".to_owned()),
    );
}
