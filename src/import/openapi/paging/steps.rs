//! The step from a page to the next: a cursor, a URL, a page's number or an offset.

use serde_json::{Map, Value, json};

use super::QueryParam;
use super::rows::{Body, Member, MemberPath, has_word};
use super::words::{CURSORS, MORE, NUMBERS, OFFSETS, URLS};
use crate::import::openapi::response::Success;
use crate::import::openapi::spec::Spec;
use crate::template::is_identifier;

/// Members of the `paging` section.
pub(super) type Step = Map<String, Value>;

/// How the next page is found.
pub(super) struct Found {
    /// The members of the `paging` section.
    pub step: Step,
    /// Whether a page may have another size than the ones before it. With numbers it may not: the pages would begin
    /// elsewhere. A URL has its own size.
    pub takes_sizes: bool,
}

/// The step that the document proves.
pub(super) fn find(
    success: &Success<'_>,
    body: &Body<'_>,
    rows: &MemberPath,
    query: &[QueryParam<'_>],
    size: Option<&QueryParam<'_>>,
) -> Option<Found> {
    named(success, body, rows, query)
        .or_else(|| by_number(body.spec, rows, query, size).map(fixed))
        .or_else(|| by_offset(body.spec, rows, query, size).map(free))
}

/// The step that the response names: a URL or a cursor.
pub(super) fn named(
    success: &Success<'_>,
    body: &Body<'_>,
    rows: &MemberPath,
    query: &[QueryParam<'_>],
) -> Option<Found> {
    link(success, body.spec)
        .map(fixed)
        .or_else(|| by_cursor(body, rows, query).map(free))
        .or_else(|| by_url(body, rows).map(fixed))
}

fn fixed(step: Step) -> Found {
    Found {
        step,
        takes_sizes: false,
    }
}

fn free(step: Step) -> Found {
    Found {
        step,
        takes_sizes: true,
    }
}

/// Whether a parameter is of this type.
pub(super) fn is_type(spec: &Spec, param: &QueryParam<'_>, wanted: &str) -> bool {
    let schema = param.schema.as_ref();
    let schema = schema.and_then(|schema| spec.resolve(schema).ok());
    schema.is_some_and(|schema| match schema.value.get("type") {
        Some(Value::String(name)) => name == wanted,
        Some(Value::Array(names)) => names.iter().any(|name| name == wanted),
        _ => false,
    })
}

/// A documented `Link` header (RFC 8288).
fn link(success: &Success<'_>, spec: &Spec) -> Option<Step> {
    let response = spec.resolve(success.part.as_ref()?).ok()?;
    let mut headers = response.map("headers")?.keys();
    headers
        .any(|name| name.eq_ignore_ascii_case("link"))
        .then(|| {
            Map::from_iter([(
                "next_url".to_owned(),
                json!({ "header": "link", "rel": "next" }),
            )])
        })
}

/// Paging by a cursor: each page has the cursor of the next.
fn by_cursor(body: &Body<'_>, rows: &MemberPath, query: &[QueryParam<'_>]) -> Option<Step> {
    let is_flag = |member: &Member<'_>| body.has_type(&member.part, "boolean", 6);
    let more = body
        .find_member(rows, MORE, &is_flag)
        .map(|path| path.as_jsonpath());
    for (params, members) in CURSORS {
        let Some(param) = query.iter().find(|param| params.contains(&param.wire)) else {
            continue;
        };
        let wanted = match is_type(body.spec, param, "integer") {
            true => "integer",
            false => "string",
        };
        let fits = |member: &Member<'_>| {
            body.has_type(&member.part, wanted, 6) && !leads_elsewhere(member, body.spec)
        };
        if let Some(next) = body.find_member(rows, members, &fits) {
            let next = next.as_jsonpath();
            let goes_on = more.clone().unwrap_or_else(|| next.clone());
            return Some(Map::from_iter([
                ("next".to_owned(), json!({ param.name.as_str(): next })),
                ("while".to_owned(), goes_on.into()),
            ]));
        }
        // The id of the last item is the cursor.
        if let (Some(more), "after_id" | "starting_after") = (&more, param.wire)
            && body.items_have(rows, "id", wanted)
        {
            let list = rows.as_expression();
            let last = format!("{{{{ ({list} | last).id if {list} }}}}");
            return Some(Map::from_iter([
                ("next".to_owned(), json!({ param.name.as_str(): last })),
                ("while".to_owned(), more.as_str().into()),
            ]));
        }
    }
    None
}

/// Whether a member is no cursor but a URL, or may be one: `next` with `previous` beside it usually is.
fn leads_elsewhere(member: &Member<'_>, spec: &Spec) -> bool {
    let has_other = ["previous", "prev", "last", "first"]
        .iter()
        .any(|name| member.beside.contains(name));
    let is_plain_next = member.name == "next";
    let says_cursor = member.mentions(spec, &["cursor", "token", "identifier"]);
    let among_links = member.within.ends_with("links");
    member.is_url(spec) || among_links || (is_plain_next && has_other && !says_cursor)
}

/// Paging by the URL of the next page.
fn by_url(body: &Body<'_>, rows: &MemberPath) -> Option<Step> {
    let is_text = |member: &Member<'_>| body.has_type(&member.part, "string", 6);
    // `next` is a URL if the document says so, or if it is among links.
    let is_link = |member: &Member<'_>| {
        let has_other = ["previous", "prev", "last", "self"]
            .iter()
            .any(|name| member.beside.contains(name));
        is_text(member)
            && (member.is_url(body.spec) || has_other && member.within.ends_with("links"))
    };
    let path = body
        .find_member(rows, URLS, &is_text)
        .or_else(|| body.find_member(rows, &["next"], &is_link))?;
    Some(Map::from_iter([(
        "next_url".to_owned(),
        Value::from(path.as_jsonpath()),
    )]))
}

/// Paging by page number.
fn by_number(
    spec: &Spec,
    rows: &MemberPath,
    query: &[QueryParam<'_>],
    size: Option<&QueryParam<'_>>,
) -> Option<Step> {
    let page = query
        .iter()
        .find(|param| NUMBERS.contains(&param.wire) && is_type(spec, param, "integer"))?;
    // The document must say whether pages count from 0 or 1: a wrong guess would skip a page or repeat one.
    let schema = spec.resolve(page.schema.as_ref()?).ok()?;
    let first = ["default", "minimum"]
        .iter()
        .find_map(|keyword| schema.value.get(keyword)?.as_u64())
        .filter(|first| *first <= 1)?;
    counted(page, first, "1", rows, size)
}

/// Paging by offset.
fn by_offset(
    spec: &Spec,
    rows: &MemberPath,
    query: &[QueryParam<'_>],
    size: Option<&QueryParam<'_>>,
) -> Option<Step> {
    let offset = query
        .iter()
        .find(|param| OFFSETS.contains(&param.wire) && counts_items(spec, param, query))?;
    let count = format!("({} | length)", rows.as_expression());
    counted(offset, 0, &count, rows, size)
}

/// A step that adds `more` to a param, which is `first` on the first page; the walk ends with a page that has no items.
/// The size of the pages must be a param, too.
fn counted(
    counter: &QueryParam<'_>,
    first: u64,
    more: &str,
    rows: &MemberPath,
    size: Option<&QueryParam<'_>>,
) -> Option<Step> {
    size?;
    let given = param(&counter.name);
    let next = format!("{{{{ ({given} if {given} is defined else {first}) + {more} }}}}");
    let goes_on = format!("{{{{ {} | length > 0 }}}}", rows.as_expression());
    Some(Map::from_iter([
        ("next".to_owned(), json!({ counter.name.as_str(): next })),
        ("while".to_owned(), goes_on.into()),
    ]))
}

/// Whether a param is the number of items to skip: not a page's number, not a moment, and not counted from 1.
fn counts_items(spec: &Spec, param: &QueryParam<'_>, query: &[QueryParam<'_>]) -> bool {
    let schema = param
        .schema
        .as_ref()
        .and_then(|part| spec.resolve(part).ok());
    let number = |keyword: &str| {
        let schema = schema.as_ref()?;
        schema.value.get(keyword)?.as_u64()
    };
    let says = |wanted: &[&str]| {
        let words = [Some(&param.part), schema.as_ref()];
        words
            .into_iter()
            .flatten()
            .filter_map(|part| part.text("description"))
            .any(|words| has_word(words, wanted))
    };
    let from_one = number("default") == Some(1) || number("minimum") == Some(1);
    let is_time = says(&[
        "timestamp",
        "unix",
        "epoch",
        "date",
        "millisecond",
        "time",
        "hour",
    ]);
    let is_page = says(&["page"]) && !says(&["skip", "offset", "item", "record", "result", "row"]);
    let is_range = query
        .iter()
        .any(|other| ["end", "stop", "to", "finish", "until"].contains(&other.wire));
    let is_plain_start = param.wire == "start";
    let is_shown = number("default") == Some(0) || number("minimum") == Some(0);
    let is_shown = is_shown || says(&["skip", "offset", "index"]);
    is_type(spec, param, "integer")
        && !from_one
        && !is_time
        && !is_page
        && (!is_plain_start || is_shown && !is_range)
}

/// A param in an expression over the response.
fn param(name: &str) -> String {
    match is_identifier(name) {
        true => format!("params.{name}"),
        false => format!("params[\"{name}\"]"),
    }
}

/// The words that name what a path lists: its last fixed segment, in the singular.
pub(super) fn nouns(path: &str) -> Vec<String> {
    let segments = path.split(['?', '#']).next().unwrap_or_default().split('/');
    let mut fixed = segments.filter(|segment| !segment.is_empty() && !segment.contains('{'));
    let Some(last) = fixed.next_back() else {
        return Vec::new();
    };
    // A verb may follow the noun: `conversations.list`, `users:search`.
    let mut nouns: Vec<String> = last
        .split(['.', ':'])
        .map(|part| super::rows::singular(&super::super::names::words(part).concat()))
        .filter(|noun| !noun.is_empty())
        .collect();
    let words = super::super::names::words(last);
    nouns.extend(words.last().map(|word| super::rows::singular(word)));
    nouns.sort();
    nouns.dedup();
    nouns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nouns_of_a_path() {
        for (path, expected) in [
            ("/v1/accounts/{id}/orderItems", vec!["item", "orderitem"]),
            ("/conversations.list", vec!["conversation", "list"]),
            ("/policies", vec!["policy"]),
            ("/{id}", vec![]),
        ] {
            assert_eq!(nouns(path), expected, "{path}");
        }
    }
}
