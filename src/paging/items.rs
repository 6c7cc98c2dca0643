//! The items of a page: where they are in its body, and how they are replaced.

use serde_json::{Map, Value};

use super::Paging;
use crate::json::{Json, Kind, Part};
use crate::jsonpath::{self, JsonPath};
use crate::project::{ProjectError, compile_plain_path, refuse_mismatch};
use crate::source::{Check, Code, join};

impl Paging {
    /// The array of the items of a page; `None` where it is null.
    ///
    /// # Errors
    /// When the array is missing, or another value is in its place. A list response without its list is not an empty
    /// list.
    pub(crate) fn items<'t>(&self, body: Part<'t>) -> Result<Option<Part<'t>>, ProjectError> {
        let refuse = |message: String| ProjectError {
            part: "paging.items".to_owned(),
            message,
        };
        let mut steps = self.items.singular().unwrap_or_default().iter();
        let found = steps.try_fold(body, |part, step| step.select_in(part));
        match found.map(|part| (part, part.kind())) {
            Some((items, Kind::Array)) => Ok(Some(items)),
            // If the body itself is null, it is not a page.
            Some((_, Kind::Null)) if !self.is_whole_body() => Ok(None),
            Some((_, other)) => Err(refuse(format!(
                "`{}` must be an array, and the response has {} there",
                self.items.as_str(),
                other.name()
            ))),
            None => {
                refuse_mismatch(&self.items, body).map_err(|error| error.under("paging.items"))?;
                Err(refuse(format!(
                    "the response lacks its list, `{}`; its body is {}",
                    self.items.as_str(),
                    body.excerpt()
                )))
            }
        }
    }

    fn is_whole_body(&self) -> bool {
        self.items.singular().is_some_and(<[_]>::is_empty)
    }

    /// The path of the items.
    pub(crate) fn items_path(&self) -> &JsonPath {
        &self.items
    }

    /// The body of a page that has no items and nothing else; `None` if the items are inside another array.
    pub(crate) fn empty_body(&self) -> Option<Json> {
        wrapped(self.items.singular()?, b"[]").map(Json::made)
    }

    /// The body of a page with its items replaced by these, given as an array. If the body has no items yet, they are
    /// added. `None` if that is not possible.
    pub(crate) fn put_items(&self, body: &Json, items: &[u8]) -> Option<Json> {
        let mut part = body.part();
        let mut steps = self.items.singular()?;
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

pub(super) fn compile_items(text: &str, pointer: &str, check: &Check) -> Option<JsonPath> {
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
    let (items, steps) = (paging.items.beginning(), rows.beginning());
    let differs = items.iter().zip(steps).any(|(item, step)| item != step);
    if differs {
        check.error_with_help(
            Code::BadPaging,
            &join(pointer, "items"),
            format!(
                "the rows come from `{}`, and pages concatenate `{}`: a walk would lose the rows of all pages but the last",
                rows.as_str(),
                paging.items.as_str()
            ),
            "name the array that the rows are made of",
        );
    }
}
