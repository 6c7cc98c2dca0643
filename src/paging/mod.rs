//! Paging: from one response to the arguments of the next call.

mod condition;
mod items;
mod next;
mod next_url;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

pub(crate) use items::report_other_rows;
pub(crate) use next_url::follow_url;

use crate::jsonpath::JsonPath;
use crate::project::{Condition, Extract, ExtractSpec, ProjectError, ResponseView};
use crate::source::{Check, Code, join};
use crate::template::Names;
use items::compile_items;
use next::NextArguments;

/// Most pages that a walk reads unless another cap is set.
pub(crate) const DEFAULT_MAX_PAGES: u64 = 10_000;

/// How the pages of a list follow each other: `next` or `next_url`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PagingSpec {
    /// JSONPath of the array that pages concatenate; a list of them for parallel arrays.
    pub items: ItemsSpec,
    /// Whether `items` leads to a map. Its entries are the items, and it is read as the list of them, each
    /// `{ key, value }`.
    #[serde(default)]
    pub entries: bool,
    /// Arguments of the next call, each a JSONPath or an expression over the response and the last arguments. A
    /// null or an empty text ends the walk; an undefined expression leaves the argument as it was.
    pub next: Option<IndexMap<String, Value>>,
    /// The URL of the next page, in the body or a header; it must stay on the service's origin and below its base
    /// URL. An absent one ends the walk.
    pub next_url: Option<ExtractSpec>,
    /// Whether there is a next page: a JSONPath or an expression.
    #[serde(rename = "while")]
    pub condition: Option<String>,
    /// The param that sets the size of a page. A walk with a cap on items makes its last page as small as needed, so
    /// that the cursors in the output are those of its last item.
    pub limit: Option<String>,
}

/// Where the items of a page are.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum ItemsSpec {
    /// JSONPath of the array.
    One(String),
    /// JSONPaths of parallel arrays, of which each page has as many values of one as of the others.
    Parallel(#[schemars(length(min = 1))] Vec<String>),
}

/// A compiled paging section.
#[derive(Debug)]
pub(crate) struct Paging {
    items: JsonPath,
    /// Further arrays, parallel to the items.
    beside: Vec<JsonPath>,
    /// Whether the items are the entries of a map.
    entries: bool,
    step: Step,
    condition: Option<Condition>,
    limit: Option<String>,
}

/// The next page cannot be found from a response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PagingError {
    /// The response is not as described.
    #[error(transparent)]
    Shape(#[from] ProjectError),
    /// The next page is not on the service.
    #[error("{0}")]
    Leaves(String),
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a tool has one of them")]
enum Step {
    Arguments(NextArguments),
    Url(Extract),
}

/// What follows a page.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Next {
    /// Nothing: this was the last page.
    End,
    /// A call in which these arguments replace the last ones.
    Arguments(Map<String, Value>),
    /// A request to this URL.
    Url(Url),
    /// Probably nothing: the response lacks the value that `while` asks for, but it names a next page, which is this
    /// one.
    Unsaid(Box<Next>),
}

impl Paging {
    /// Compiles the section; mistakes go to `check`.
    pub(crate) fn compile(
        spec: &PagingSpec,
        pointer: &str,
        params: &[&str],
        names: &Names,
        check: &Check,
    ) -> Option<Paging> {
        let items = compile_items(&spec.items, &join(pointer, "items"), check);
        let condition = spec.condition.as_ref().map(|text| {
            Condition::compile(text, &join(pointer, "while"), Code::BadPaging, names, check)
        });
        if let Some(limit) = &spec.limit
            && !params.contains(&limit.as_str())
            && !check.is_unreadable("/params")
        {
            check.error_inside(
                Code::UnknownName,
                &join(pointer, "limit"),
                0..limit.len(),
                format!("the tool has no param `{limit}`"),
                crate::words::nearest(limit, params.iter().copied()),
            );
        }
        if let Some(limit) = &spec.limit
            && names.never_counts(limit)
        {
            check.error_with_help(
                Code::BadPaging,
                &join(pointer, "limit"),
                format!("`{limit}` takes no number"),
                "`limit` names the param that sets how many items a page has",
            );
        }
        let step = match (&spec.next, &spec.next_url) {
            (Some(next), None) => Step::Arguments(NextArguments::compile(
                next,
                &join(pointer, "next"),
                params,
                names,
                check,
            )),
            (None, Some(url)) => {
                let at = join(pointer, "next_url");
                let url = Extract::compile(url, &at, names, check);
                if let Some(path) = url.list() {
                    check.error_with_help(
                        Code::BadPaging,
                        &at,
                        format!("`{path}` gives a list, and the next page has one URL"),
                        "name one value, or take the first: `{{ (links | first).url }}`",
                    );
                }
                Step::Url(url)
            }
            _ if ["next", "next_url"]
                .iter()
                .any(|key| check.is_broken(&join(pointer, key))) =>
            {
                return None;
            }
            _ => {
                check.error_with_help(
                    Code::BadPaging,
                    pointer,
                    "paging needs exactly one of `next` and `next_url`",
                    "`next` gives the next call's arguments, `next_url` the next page's URL",
                );
                return None;
            }
        };
        let (items, beside) = items?;
        if spec.entries && !beside.is_empty() {
            check.error_at_key(
                Code::BadPaging,
                &join(pointer, "entries"),
                "the entries of a map cannot be parallel to an array",
                None,
            );
        }
        Some(Paging {
            items,
            beside,
            entries: spec.entries,
            step,
            condition,
            limit: spec.limit.clone(),
        })
    }

    /// The param that sets the size of a page.
    pub(crate) fn limit(&self) -> Option<&str> {
        self.limit.as_deref()
    }

    /// The params that lead from page to page.
    #[cfg(feature = "store")]
    pub(crate) fn next_names(&self) -> impl Iterator<Item = &str> {
        let names = match &self.step {
            Step::Arguments(arguments) => Some(arguments.names()),
            Step::Url(_) => None,
        };
        names.into_iter().flatten()
    }

    /// Whether the next page is named in a header, where no projection of the body shows it.
    pub(crate) fn leads_by_header(&self) -> bool {
        matches!(self.step, Step::Url(Extract::Header(_) | Extract::Link(..)))
    }

    /// What follows this response. `None` if the service says that more pages remain but gives no cursor.
    ///
    /// # Errors
    /// When the response contradicts a path, an expression fails, or the next URL leaves the service.
    pub(crate) fn next(
        &self,
        response: &ResponseView<'_>,
        base: &Url,
        current: &str,
    ) -> Result<Option<Next>, PagingError> {
        let Some(condition) = &self.condition else {
            let step = self.step(response, base, current)?;
            return Ok(Some(step.unwrap_or_else(|| self.end(response))));
        };
        let holds = condition.holds(response);
        if holds.map_err(|error| error.under("paging.while"))? {
            return self.step(response, base, current);
        }
        if condition.is_unanswered(response) && self.is_given() {
            // If there is no next page either, the response is the last one.
            if let Ok(Some(next)) = self.step(response, base, current) {
                return Ok(Some(Next::Unsaid(Box::new(next))));
            }
        }
        Ok(Some(Next::End))
    }

    /// Whether the response gives the next page directly, and nothing is computed.
    fn is_given(&self) -> bool {
        match &self.step {
            Step::Url(_) => true,
            Step::Arguments(arguments) => arguments.are_given(),
        }
    }

    /// What it means that a response names no next page.
    fn end(&self, response: &ResponseView<'_>) -> Next {
        match &self.step {
            Step::Url(_) => Next::End,
            Step::Arguments(arguments) => arguments.end(response),
        }
    }

    /// The next page regardless of `while`; `None` if the response names none.
    fn step(
        &self,
        response: &ResponseView<'_>,
        base: &Url,
        current: &str,
    ) -> Result<Option<Next>, PagingError> {
        match &self.step {
            Step::Url(extract) => next_url::step(extract, response, base, current),
            Step::Arguments(arguments) => arguments.step(response),
        }
    }
}

/// The cursors that a walk has followed, to notice when one comes again. Only hashes are kept, so that a walk over many
/// pages needs little memory.
#[derive(Debug, Default)]
pub(crate) struct Followed(HashSet<u64>);

impl Followed {
    /// Records a step. False if it was taken before.
    pub(crate) fn is_new(&mut self, next: &Next) -> bool {
        let mut hasher = DefaultHasher::new();
        match next {
            Next::End | Next::Unsaid(_) => return true,
            Next::Arguments(arguments) => Value::Object(arguments.clone())
                .to_string()
                .hash(&mut hasher),
            Next::Url(url) => url.as_str().hash(&mut hasher),
        }
        self.0.insert(hasher.finish())
    }
}
