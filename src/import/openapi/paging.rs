//! Paging: recognised only if the document shows it clearly; a wrong guess would lose pages.

use serde_json::{Map, Value, json};

use super::response::Success;
use super::spec::{Part, Spec};
use crate::template::is_identifier;

/// A query parameter as paging sees it.
#[derive(Debug, Clone)]
pub(crate) struct QueryParam<'s> {
    /// The name on the wire.
    pub wire: &'s str,
    /// The name of the param.
    pub name: String,
    /// Its schema.
    pub schema: Option<Part<'s>>,
}

/// What the document shows about an operation's pages.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Pages {
    /// It is not a list, or a list without pages.
    None,
    /// It looks like a list with pages, but it is not clear how they follow each other.
    Unclear,
    /// The `paging` section.
    Known(Value),
}

/// Names of the array of items, for a response with several arrays.
const ITEMS: [&str; 11] = [
    "data",
    "items",
    "results",
    "records",
    "entries",
    "values",
    "value",
    "list",
    "objects",
    "resources",
    "elements",
];
/// Objects in a response that describe its pages.
const META: [&str; 14] = [
    "meta",
    "metadata",
    "_meta",
    "paging",
    "pagination",
    "page_info",
    "pageInfo",
    "response_metadata",
    "cursors",
    "cursor",
    "links",
    "_links",
    "pages",
    "page",
];
/// Params that take a cursor, each with the members of a response that may hold the next one.
const CURSORS: [(&[&str], &[&str]); 8] = [
    (
        &[
            "cursor",
            "next_cursor",
            "nextCursor",
            "page[cursor]",
            "start_cursor",
        ],
        &[
            "next_cursor",
            "nextCursor",
            "next",
            "cursor_next",
            "end_cursor",
            "endCursor",
        ],
    ),
    (
        &[
            "page_token",
            "pageToken",
            "next_page_token",
            "nextPageToken",
        ],
        &["next_page_token", "nextPageToken"],
    ),
    (
        &["next_token", "nextToken", "NextToken"],
        &["next_token", "nextToken", "NextToken"],
    ),
    (
        &["continuation_token", "continuationToken", "continuation"],
        &[
            "continuation_token",
            "continuationToken",
            "next_continuation_token",
            "nextContinuationToken",
            "continuation",
        ],
    ),
    (
        &["page", "page_id"],
        &["next_page", "nextPage", "next_page_id"],
    ),
    (
        &["after", "page[after]", "after_cursor"],
        &[
            "after",
            "next_cursor",
            "nextCursor",
            "after_cursor",
            "end_cursor",
            "endCursor",
            "last_id",
        ],
    ),
    (&["after_id", "starting_after"], &["last_id"]),
    (
        &["marker", "Marker"],
        &["next_marker", "nextMarker", "NextMarker"],
    ),
];
/// Params with the size of a page.
const SIZES: [&str; 17] = [
    "limit",
    "per_page",
    "perPage",
    "page_size",
    "pageSize",
    "size",
    "max_results",
    "maxResults",
    "count",
    "first",
    "top",
    "$top",
    "page[size]",
    "page[limit]",
    "pagelen",
    "per-page",
    "PageSize",
];
/// Params with the number of a page.
const NUMBERS: [&str; 6] = [
    "page",
    "page_number",
    "pageNumber",
    "page[number]",
    "p",
    "Page",
];
/// Params with the number of items to skip.
const OFFSETS: [&str; 6] = [
    "offset",
    "skip",
    "$skip",
    "start",
    "page[offset]",
    "startAt",
];
/// Members that say whether there is another page.
const MORE: [&str; 5] = [
    "has_more",
    "hasMore",
    "has_next_page",
    "hasNextPage",
    "has_next",
];

/// Recognises how the pages of an operation follow each other.
pub(crate) fn recognise(spec: &Spec, success: &Success<'_>, query: &[QueryParam<'_>]) -> Pages {
    let Some(schema) = &success.schema else {
        return Pages::None;
    };
    let body = Body {
        spec,
        schema: schema.clone(),
    };
    let size = query
        .iter()
        .find(|param| SIZES.contains(&param.wire) && is_type(spec, param, "integer"));
    let is_paged = size.is_some()
        || query.iter().any(|param| {
            NUMBERS.contains(&param.wire)
                || OFFSETS.contains(&param.wire)
                || CURSORS.iter().any(|(names, _)| names.contains(&param.wire))
        });
    let Some(items) = body.items() else {
        return match is_paged && body.has_arrays() {
            true => Pages::Unclear,
            false => Pages::None,
        };
    };
    let step = link(success, spec)
        .or_else(|| by_cursor(&body, &items, query))
        .or_else(|| by_url(&body))
        .or_else(|| by_number(spec, &items, query, size))
        .or_else(|| by_offset(spec, &items, query, size));
    let Some(step) = step else {
        return if is_paged {
            Pages::Unclear
        } else {
            Pages::None
        };
    };
    let mut paging = Map::from_iter([("items".to_owned(), items.as_jsonpath().into())]);
    paging.extend(step);
    if let Some(size) = size {
        paging.insert("limit".into(), size.name.clone().into());
    }
    Pages::Known(paging.into())
}

/// The path to a member of the response.
#[derive(Debug, Clone, Default)]
struct MemberPath(Vec<String>);

impl MemberPath {
    fn member(&self, name: &str) -> MemberPath {
        let mut path = self.clone();
        path.0.push(name.to_owned());
        path
    }

    /// The path as a JSONPath.
    fn as_jsonpath(&self) -> String {
        let steps = self.0.iter().map(|name| match is_identifier(name) {
            true => format!(".{name}"),
            false => format!("['{}']", name.replace('\\', "\\\\").replace('\'', "\\'")),
        });
        format!("${}", steps.collect::<String>())
    }

    /// The path as an expression.
    fn as_expression(&self) -> String {
        let steps = self.0.iter().map(|name| match is_identifier(name) {
            true => format!(".{name}"),
            false => format!("[{}]", Value::from(name.as_str())),
        });
        format!("body{}", steps.collect::<String>())
    }
}

/// The schema of a response.
struct Body<'s> {
    spec: &'s Spec,
    schema: Part<'s>,
}

impl<'s> Body<'s> {
    /// The array of items, if it is clear which one that is.
    fn items(&self) -> Option<MemberPath> {
        let root = MemberPath::default();
        if self.is_array(&self.schema) {
            return Some(root);
        }
        let arrays: Vec<&str> = self
            .members(&self.schema)
            .into_iter()
            .filter(|(_, part)| self.is_array(part))
            .map(|(name, _)| name)
            .collect();
        match arrays.as_slice() {
            [only] => Some(root.member(only)),
            several => {
                let mut known = ITEMS.iter().filter(|name| several.contains(name));
                match (known.next(), known.next()) {
                    (Some(only), None) => Some(root.member(only)),
                    _ => None,
                }
            }
        }
    }

    fn has_arrays(&self) -> bool {
        let mut members = self.members(&self.schema).into_iter();
        members.any(|(_, part)| self.is_array(&part))
    }

    fn is_array(&self, part: &Part<'s>) -> bool {
        self.has_type(part, "array", 6)
    }

    fn has_type(&self, part: &Part<'s>, wanted: &str, depth: usize) -> bool {
        let (Some(depth), Ok(part)) = (depth.checked_sub(1), self.spec.resolve(part)) else {
            return false;
        };
        match part.value.get("type") {
            Some(Value::String(name)) => name == wanted,
            Some(Value::Array(names)) => names.iter().any(|name| name == wanted),
            _ => ["allOf", "anyOf", "oneOf"]
                .into_iter()
                .filter_map(|choice| part.get(choice))
                .flat_map(|list| list.items())
                .any(|one| self.has_type(&one, wanted, depth)),
        }
    }

    /// The properties of an object, including those from `allOf`.
    fn members(&self, part: &Part<'s>) -> Vec<(&'s str, Part<'s>)> {
        let mut members = Vec::new();
        self.add_members(part, &mut members, 6);
        members
    }

    fn add_members(&self, part: &Part<'s>, members: &mut Vec<(&'s str, Part<'s>)>, depth: usize) {
        let (Some(depth), Ok(part)) = (depth.checked_sub(1), self.spec.resolve(part)) else {
            return;
        };
        if let Some(properties) = part.get("properties") {
            members.extend(properties.members());
        }
        for one in part.get("allOf").into_iter().flat_map(|list| list.items()) {
            self.add_members(&one, members, depth);
        }
    }

    /// The first member with one of these names and this type, at the top or in an object that describes the pages.
    fn find_member(&self, names: &[&str], wanted: &str) -> Option<MemberPath> {
        self.find_in(&self.schema, &MemberPath::default(), names, wanted, 3)
    }

    fn find_in(
        &self,
        part: &Part<'s>,
        path: &MemberPath,
        names: &[&str],
        wanted: &str,
        depth: usize,
    ) -> Option<MemberPath> {
        let members = self.members(part);
        let found = names.iter().find(|name| {
            members
                .iter()
                .any(|(member, part)| member == *name && self.has_type(part, wanted, 6))
        });
        if let Some(name) = found {
            return Some(path.member(name));
        }
        let depth = depth.checked_sub(1)?;
        members
            .iter()
            .filter(|(name, _)| META.contains(name))
            .find_map(|(name, part)| self.find_in(part, &path.member(name), names, wanted, depth))
    }

    /// Whether the items of the list are objects with this member.
    fn items_have(&self, items: &MemberPath, member: &str) -> bool {
        let list = match items.0.first() {
            None => Some(self.schema.clone()),
            Some(name) => self
                .members(&self.schema)
                .into_iter()
                .find(|(known, _)| known == name)
                .map(|(_, part)| part),
        };
        let item = list
            .and_then(|list| self.spec.resolve(&list).ok())
            .and_then(|list| list.get("items"));
        item.is_some_and(|item| self.may_have(&item, member, 6))
    }

    fn may_have(&self, part: &Part<'s>, member: &str, depth: usize) -> bool {
        let (Some(depth), Ok(part)) = (depth.checked_sub(1), self.spec.resolve(part)) else {
            return false;
        };
        self.members(&part).iter().any(|(name, _)| *name == member)
            || ["anyOf", "oneOf"]
                .into_iter()
                .filter_map(|choice| part.get(choice))
                .flat_map(|list| list.items())
                .any(|one| self.may_have(&one, member, depth))
    }
}

type Step = Map<String, Value>;

fn is_type(spec: &Spec, param: &QueryParam<'_>, wanted: &str) -> bool {
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
fn by_cursor(body: &Body<'_>, items: &MemberPath, query: &[QueryParam<'_>]) -> Option<Step> {
    let more = body
        .find_member(&MORE, "boolean")
        .map(|path| path.as_jsonpath());
    for (params, members) in CURSORS {
        let Some(param) = query
            .iter()
            .find(|param| params.contains(&param.wire) && !is_type(body.spec, param, "integer"))
        else {
            continue;
        };
        if let Some(next) = body.find_member(members, "string") {
            let next = next.as_jsonpath();
            let goes_on = more.clone().unwrap_or_else(|| next.clone());
            return Some(Map::from_iter([
                ("next".to_owned(), json!({ param.name.as_str(): next })),
                ("while".to_owned(), goes_on.into()),
            ]));
        }
        // The id of the last item is the cursor.
        if let (Some(more), "after_id" | "starting_after") = (&more, param.wire)
            && body.items_have(items, "id")
        {
            let list = items.as_expression();
            let last = format!("{{{{ ({list} | last).id if {list} }}}}");
            return Some(Map::from_iter([
                ("next".to_owned(), json!({ param.name.as_str(): last })),
                ("while".to_owned(), more.as_str().into()),
            ]));
        }
    }
    None
}

/// Paging by the URL of the next page.
fn by_url(body: &Body<'_>) -> Option<Step> {
    const URLS: [&str; 6] = [
        "@odata.nextLink",
        "nextLink",
        "next_page_url",
        "nextPageUrl",
        "next_url",
        "next_page_uri",
    ];
    let url = |path: MemberPath| {
        Map::from_iter([("next_url".to_owned(), Value::from(path.as_jsonpath()))])
    };
    if let Some(path) = body.find_member(&URLS, "string") {
        return Some(url(path));
    }
    // `next` is a URL if its format says so, if `previous` is beside it, or if it is among links.
    let path = body.find_member(&["next"], "string")?;
    let holder: Part<'_> =
        path.0[..path.0.len() - 1]
            .iter()
            .try_fold(body.schema.clone(), |part, name| {
                let mut members = body.members(&part).into_iter();
                members
                    .find(|(known, _)| known == name)
                    .map(|(_, part)| part)
            })?;
    let siblings = body.members(&holder);
    let is_uri = siblings.iter().any(|(name, part)| {
        let part = body.spec.resolve(part);
        *name == "next" && part.is_ok_and(|part| matches!(part.text("format"), Some("uri" | "url")))
    });
    let has_other = siblings
        .iter()
        .any(|(name, _)| ["previous", "prev", "last"].contains(name));
    let among_links = path.0.iter().any(|name| name.ends_with("links"));
    (is_uri || has_other && among_links).then(|| url(path))
}

/// Paging by page number; the walk ends with a page that has no items.
fn by_number(
    spec: &Spec,
    items: &MemberPath,
    query: &[QueryParam<'_>],
    size: Option<&QueryParam<'_>>,
) -> Option<Step> {
    size?;
    let page = query
        .iter()
        .find(|param| NUMBERS.contains(&param.wire) && is_type(spec, param, "integer"))?;
    // The document must say whether pages count from 0 or 1: a wrong guess would skip a page or repeat one.
    let schema = spec.resolve(page.schema.as_ref()?).ok()?;
    let first = ["default", "minimum"]
        .iter()
        .find_map(|keyword| schema.value.get(keyword)?.as_u64())
        .filter(|first| *first <= 1)?;
    let given = param(&page.name);
    let next = format!("{{{{ ({given} if {given} is defined else {first}) + 1 }}}}");
    Some(Map::from_iter([
        ("next".to_owned(), json!({ page.name.as_str(): next })),
        ("while".to_owned(), while_items(items)),
    ]))
}

/// Paging by offset; the walk ends with a page that has no items.
fn by_offset(
    spec: &Spec,
    items: &MemberPath,
    query: &[QueryParam<'_>],
    size: Option<&QueryParam<'_>>,
) -> Option<Step> {
    size?;
    let offset = query
        .iter()
        .find(|param| OFFSETS.contains(&param.wire) && is_type(spec, param, "integer"))?;
    let given = param(&offset.name);
    let count = format!("({} | length)", items.as_expression());
    let next = format!("{{{{ ({given} if {given} is defined else 0) + {count} }}}}");
    Some(Map::from_iter([
        ("next".to_owned(), json!({ offset.name.as_str(): next })),
        ("while".to_owned(), while_items(items)),
    ]))
}

fn while_items(items: &MemberPath) -> Value {
    format!("{{{{ {} | length > 0 }}}}", items.as_expression()).into()
}

/// A param in an expression over the response.
fn param(name: &str) -> String {
    match is_identifier(name) {
        true => format!("params.{name}"),
        false => format!("params[\"{name}\"]"),
    }
}
