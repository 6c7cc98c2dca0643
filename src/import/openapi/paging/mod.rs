//! Paging: recognised only if name, type and position of its parts agree; a wrong guess would lose pages.

mod rows;
mod steps;
#[cfg(test)]
mod tests;
mod words;

use serde_json::{Map, Value};

use super::response::Success;
use super::spec::{Part, Spec};
use rows::{Body, MemberPath, Rows};
use steps::is_type;
use words::{CURSORS, NUMBERS, OFFSETS, SIZES};

/// A query parameter as paging sees it.
#[derive(Debug, Clone)]
pub(crate) struct QueryParam<'s> {
    /// The name on the wire.
    pub wire: &'s str,
    /// The name of the param.
    pub name: String,
    /// The parameter object.
    pub part: Part<'s>,
    /// Its schema.
    pub schema: Option<Part<'s>>,
}

/// What the document shows about an operation's pages.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Pages {
    /// It is not a list, or a list without pages.
    None,
    /// It looks like a list with pages, but not all that a walk needs is shown. The text says what is missing.
    Unclear(&'static str),
    /// The `paging` section.
    Known(Value),
}

const NO_LIST: &str =
    "it takes params for pages, but its response shows no list; a call gives one page";
const SEVERAL: &str = "it looks like a list with pages, but it is not clear which list of the response they continue; a call gives one page";
const IN_XML: &str = "it takes params for pages, and its response is XML, of which no pages are recognised; a call gives one page";
const MAP: &str = "the rows stand in a map, and it is not clear how its pages follow each other; a call gives one page";
const NO_STEP: &str = "it looks like a list with pages, but it is not clear how they follow each other; a call gives one page";

/// Recognises how the pages of an operation follow each other. `path` is the operation's.
pub(crate) fn recognise(
    spec: &Spec,
    path: &str,
    success: &Success<'_>,
    query: &[QueryParam<'_>],
) -> Pages {
    let is_cursor = |param: &QueryParam<'_>| {
        NUMBERS.contains(&param.wire)
            || OFFSETS.contains(&param.wire)
            || CURSORS.iter().any(|(names, _)| names.contains(&param.wire))
    };
    let takes_cursor = || query.iter().any(is_cursor);
    let size = query
        .iter()
        .find(|param| SIZES.contains(&param.wire) && is_type(spec, param, "integer"));
    let Some(schema) = &success.schema else {
        return match success.is_xml() && size.is_some() && takes_cursor() {
            true => Pages::Unclear(IN_XML),
            false => Pages::None,
        };
    };
    let body = Body {
        spec,
        schema: schema.clone(),
        nouns: steps::nouns(path),
    };
    let is_paged = size.is_some() || takes_cursor();
    let unclear = |why| match is_paged {
        true => Pages::Unclear(why),
        false => Pages::None,
    };
    let rows = match body.rows() {
        Rows::List(rows) => rows,
        Rows::None if size.is_some() && takes_cursor() => return unclear(NO_LIST),
        Rows::None => return Pages::None,
        Rows::Map(rows) => {
            return entries(success, &body, &rows, query).unwrap_or_else(|| unclear(MAP));
        }
        Rows::Unclear => return unclear(SEVERAL),
    };
    let Some(found) = steps::find(success, &body, &rows, query, size) else {
        return unclear(NO_STEP);
    };
    let mut paging = Map::from_iter([("items".to_owned(), rows.as_jsonpath().into())]);
    paging.extend(found.step);
    if let Some(size) = size.filter(|_| found.takes_sizes) {
        paging.insert("limit".into(), size.name.clone().into());
    }
    Pages::Known(paging.into())
}

/// The pages of a map: its entries are the items. How many rows an entry holds is not known, so only what the service
/// itself names can lead on.
fn entries(
    success: &Success<'_>,
    body: &Body<'_>,
    rows: &MemberPath,
    query: &[QueryParam<'_>],
) -> Option<Pages> {
    let step = steps::named(success, body, rows, query)?.step;
    let mut paging = Map::from_iter([
        ("items".to_owned(), rows.as_jsonpath().into()),
        ("entries".to_owned(), true.into()),
    ]);
    paging.extend(step);
    Some(Pages::Known(paging.into()))
}
