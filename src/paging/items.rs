//! The items of a page: where they are in its body, and how they are replaced.

use serde_json::{Map, Value};

use super::{ItemsSpec, Paging};
use crate::json::{Json, Kind, Part};
use crate::jsonpath::{self, JsonPath};
use crate::project::{ProjectError, compile_plain_path, refuse_mismatch};
use crate::source::{Check, Code, join, join_index};

impl Paging {
    /// The array of the items of a page; `None` where it is null.
    ///
    /// # Errors
    /// When the array is missing, or another value is in its place. A list response without its list is not an empty
    /// list.
    pub(crate) fn items<'t>(&self, body: Part<'t>) -> Result<Option<Part<'t>>, ProjectError> {
        array_at(&self.items, self.expected(), body)
    }

    /// The body with the map of the items as the list of its entries, if the items are those.
    pub(crate) fn with_entries(&self, body: Json) -> Json {
        let mut steps = self.items.singular().unwrap_or_default().iter();
        let found = steps.try_fold(body.part(), |part, step| step.select_in(part));
        let Some(map) = found.filter(|map| self.entries && map.kind() == Kind::Object) else {
            return body;
        };
        let mut list = vec![b'['];
        for (key, value) in map.members() {
            if list.len() > 1 {
                list.push(b',');
            }
            list.extend_from_slice(b"{\"key\":");
            list.extend_from_slice(key.quoted());
            list.extend_from_slice(b",\"value\":");
            list.extend_from_slice(value.text());
            list.push(b'}');
        }
        list.push(b']');
        body.replacing(map, &list)
    }

    /// Whether the items are the entries of a map.
    pub(crate) fn has_entries(&self) -> bool {
        self.entries
    }

    /// What must stand where the items are.
    fn expected(&self) -> &'static str {
        match self.entries {
            true => "a map",
            false => "an array",
        }
    }

    /// The arrays of a page that pages concatenate: the items, and those parallel to them. One that is null is left out.
    ///
    /// # Errors
    /// As [`Paging::items`], and when the arrays have different lengths.
    pub(crate) fn lists<'t>(&self, body: Part<'t>) -> Result<Vec<Part<'t>>, ProjectError> {
        let mut lists = Vec::with_capacity(1 + self.beside.len());
        for path in self.paths() {
            lists.extend(array_at(path, self.expected(), body)?);
        }
        let mut lengths = lists.iter().map(|list| list.elements().count());
        let is_parallel = self.beside.is_empty()
            || lists.is_empty()
            || (lists.len() == 1 + self.beside.len()
                && lengths
                    .next()
                    .is_some_and(|first| lengths.all(|other| other == first)));
        match is_parallel {
            true => Ok(lists),
            false => Err(refused(format!(
                "the arrays {} have different lengths in the response",
                self.shown()
            ))),
        }
    }

    fn paths(&self) -> impl Iterator<Item = &JsonPath> {
        std::iter::once(&self.items).chain(&self.beside)
    }

    /// The paths, for messages.
    fn shown(&self) -> String {
        let paths: Vec<String> = self
            .paths()
            .map(|path| format!("`{}`", path.as_str()))
            .collect();
        paths.join(", ")
    }

    /// How many arrays pages concatenate.
    pub(crate) fn list_count(&self) -> usize {
        1 + self.beside.len()
    }

    /// The path of the items.
    pub(crate) fn items_path(&self) -> &JsonPath {
        &self.items
    }

    /// The body of a page that has no items and nothing else; `None` if the items are inside another array.
    pub(crate) fn empty_body(&self) -> Option<Json> {
        let body = wrapped(self.items.singular()?, b"[]").map(Json::made)?;
        let mut beside = self.beside.iter();
        beside.try_fold(body, |body, path| put_at(path, &body, b"[]"))
    }

    /// The body of a page without its items.
    pub(crate) fn emptied(&self, body: &Json) -> Option<Json> {
        self.put_lists(body, &vec![b"[]".to_vec(); self.list_count()])
    }

    /// The body of a page with its arrays replaced by these, in the order of [`Paging::lists`]. If the body has none yet,
    /// they are added. `None` if that is not possible.
    pub(crate) fn put_lists(&self, body: &Json, lists: &[Vec<u8>]) -> Option<Json> {
        let mut pairs = self.paths().zip(lists);
        let (first, items) = pairs.next()?;
        let body = put_at(first, body, items)?;
        pairs.try_fold(body, |body, (path, list)| put_at(path, &body, list))
    }
}

fn refused(message: String) -> ProjectError {
    ProjectError {
        part: "paging.items".to_owned(),
        message,
    }
}

/// The array that a path leads to; `None` where it is null.
fn array_at<'t>(
    path: &JsonPath,
    expected: &str,
    body: Part<'t>,
) -> Result<Option<Part<'t>>, ProjectError> {
    let is_whole_body = || path.singular().is_some_and(<[_]>::is_empty);
    let mut steps = path.singular().unwrap_or_default().iter();
    let found = steps.try_fold(body, |part, step| step.select_in(part));
    match found.map(|part| (part, part.kind())) {
        Some((items, Kind::Array)) => Ok(Some(items)),
        // If the body itself is null, it is not a page.
        Some((_, Kind::Null)) if !is_whole_body() => Ok(None),
        Some((_, other)) => Err(refused(format!(
            "`{}` must be {expected}, and the response has {} there",
            path.as_str(),
            other.name()
        ))),
        None => {
            refuse_mismatch(path, body).map_err(|error| error.under("paging.items"))?;
            Err(refused(format!(
                "the response lacks its list, `{}`; its body is {}",
                path.as_str(),
                body.excerpt()
            )))
        }
    }
}

fn put_at(path: &JsonPath, body: &Json, items: &[u8]) -> Option<Json> {
    let mut part = body.part();
    let mut steps = path.singular()?;
    while let Some((step, rest)) = steps.split_first() {
        part = match (step, part.kind(), step.select_in(part)) {
            (_, _, Some(inner)) => inner,
            (_, Kind::Null, None) => {
                return Some(body.replacing(part, &wrapped(steps, items)?));
            }
            (jsonpath::Step::Name(name), Kind::Object, None) => {
                let object = Json::made(part.text().to_vec());
                let object = object.with_member(name, &Json::made(wrapped(rest, items)?));
                return Some(body.replacing(part, object.bytes()));
            }
            _ => return None,
        };
        steps = rest;
    }
    Some(body.replacing(part, items))
}

/// Wraps a text in objects, so that these steps lead to it; `None` if one of the steps is an index.
fn wrapped(steps: &[jsonpath::Step], text: &[u8]) -> Option<Vec<u8>> {
    steps
        .iter()
        .rev()
        .try_fold(text.to_vec(), |text, step| match step {
            jsonpath::Step::Name(name) => {
                let object = Json::of(&Value::Object(Map::new()));
                Some(object.with_member(name, &Json::made(text)).bytes().to_vec())
            }
            jsonpath::Step::Index(_) => None,
        })
}

/// Compiles the path of the items, and those of the arrays parallel to them.
pub(super) fn compile_items(
    spec: &ItemsSpec,
    pointer: &str,
    check: &Check,
) -> Option<(JsonPath, Vec<JsonPath>)> {
    match spec {
        ItemsSpec::One(text) => Some((compile_one(text, pointer, check)?, Vec::new())),
        ItemsSpec::Parallel(texts) => {
            let paths = texts.iter().enumerate();
            let paths: Vec<_> = paths
                .map(|(i, text)| compile_one(text, &join_index(pointer, i), check))
                .collect();
            let mut paths = paths.into_iter().collect::<Option<Vec<_>>>()?;
            (!paths.is_empty()).then(|| (paths.remove(0), paths))
        }
    }
}

fn compile_one(text: &str, pointer: &str, check: &Check) -> Option<JsonPath> {
    let path = compile_plain_path(text, pointer, check)?;
    if !path.is_singular() {
        check.error_with_help(
            Code::BadPaging,
            pointer,
            format!("`{text}` does not name one array"),
            "name the array itself, such as `$.data`, without `[*]`",
        );
        return None;
    }
    Some(path)
}

/// Reports rows that come from another list than the items: all but those of the last page would be lost.
pub(crate) fn report_other_rows(paging: &Paging, rows: &JsonPath, pointer: &str, check: &Check) {
    let is_kept = |items: &JsonPath| {
        let pairs = items.beginning().iter().zip(rows.beginning());
        pairs.into_iter().all(|(item, step)| item == step)
    };
    if !paging.paths().any(is_kept) {
        check.error_with_help(
            Code::BadPaging,
            &join(pointer, "items"),
            format!(
                "the rows come from `{}`, and pages concatenate {}: a walk would lose the rows of all pages but the last",
                rows.as_str(),
                paging.shown()
            ),
            "name the array that the rows are made of, or the list of all parallel arrays",
        );
    }
}
