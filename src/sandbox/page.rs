//! Pages: which rows of a list an answer holds, and in what order.

use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Refusal;
use super::data::Values;
use super::known::Known;
use super::select::holds;
use super::spec::{PageSpec, SortSpec};
use crate::source::join;
use crate::template::{EvalError, Names, Template};

/// A compiled order.
#[derive(Debug)]
pub(crate) struct Sort {
    by: Template,
    descending: Option<Template>,
}

impl Sort {
    /// Compiles the section, which stands at `pointer`; `names` know `row`.
    pub(crate) fn compile(
        spec: &SortSpec,
        pointer: &str,
        names: &Names,
        known: &Known<'_>,
    ) -> Sort {
        let text = |text: &str, key: &str, names: &Names| {
            Template::compile_text(text, &join(pointer, key), names, known.check)
        };
        Sort {
            by: text(&spec.by, "by", names),
            descending: spec
                .descending
                .as_ref()
                .map(|descending| text(descending, "descending", &known.request())),
        }
    }

    /// The rows in order.
    ///
    /// # Errors
    /// When an expression fails.
    pub(crate) fn sort(
        &self,
        rows: Vec<Value>,
        scope: &mut Values,
    ) -> Result<Vec<Value>, EvalError> {
        let descending = match &self.descending {
            Some(descending) => holds(descending, scope)?,
            None => false,
        };
        let mut placed = Vec::with_capacity(rows.len());
        for row in rows {
            scope.put("row", row.clone());
            placed.push((self.by.render(scope)?.unwrap_or_default(), row));
        }
        placed.sort_by(|(one, _), (other, _)| match descending {
            true => compare(other, one),
            false => compare(one, other),
        });
        Ok(placed.into_iter().map(|(_, row)| row).collect())
    }
}

fn compare(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::String(one), Value::String(other)) => one.cmp(other),
        _ => {
            let number = |value: &Value| value.as_f64().unwrap_or(f64::NEG_INFINITY);
            number(one).total_cmp(&number(other))
        }
    }
}

/// How rows are cut into pages.
#[derive(Debug)]
pub(crate) struct Page(PageSpec);

/// The part of a list that is on one page.
#[derive(Debug, PartialEq)]
pub(crate) struct Cut {
    /// The first row.
    pub start: usize,
    /// The index behind the last row.
    pub end: usize,
    /// Whether there are more rows in the direction that was asked for.
    pub has_more: bool,
    /// The token of the next page, or null.
    pub next_page: Value,
}

impl Cut {
    /// All rows.
    pub(crate) fn whole(rows: &[Value]) -> Cut {
        Cut::forwards(0, rows.len(), rows.len())
    }

    fn forwards(start: usize, size: usize, total: usize) -> Cut {
        let end = start.saturating_add(size).min(total);
        let has_more = end < total;
        Cut {
            start,
            end,
            has_more,
            next_page: match has_more {
                true => format!("page_{}", STANDARD.encode(end.to_string())).into(),
                false => Value::Null,
            },
        }
    }
}

impl Page {
    /// Checks the section, which stands at `pointer`, for a list of a collection's rows or of rows of its own.
    pub(crate) fn compile(
        spec: &PageSpec,
        rows_of: Option<&str>,
        pointer: &str,
        known: &Known<'_>,
    ) -> Page {
        if let Some(limit) = &spec.limit {
            known.argument(limit, &join(pointer, "limit"));
        }
        if let Some(token) = &spec.token {
            known.argument(token, &join(pointer, "token"));
        }
        if let Some(ids) = &spec.ids {
            let at = join(pointer, "ids");
            known.argument(&ids.after, &join(&at, "after"));
            if let Some(before) = &ids.before {
                known.argument(before, &join(&at, "before"));
            }
            if let Some(collection) = rows_of {
                known.field(&ids.key, collection, &join(&at, "key"));
            }
        }
        Page(spec.clone())
    }

    /// The page that the arguments ask for.
    ///
    /// # Errors
    /// 400 for a token or an id that belongs to no row.
    pub(crate) fn cut(&self, rows: &[Value], scope: &Values) -> Result<Cut, Refusal> {
        let Page(spec) = self;
        let size = spec.limit.as_ref().and_then(|limit| scope.argument(limit));
        let size = size.and_then(Value::as_u64);
        let size = usize::try_from(size.unwrap_or(spec.size.into())).unwrap_or(usize::MAX);
        if let Some(token) = spec.token.as_ref().and_then(|token| scope.argument(token)) {
            let start = token
                .as_str()
                .and_then(decode)
                .and_then(|text| text.parse().ok())
                .filter(|start| *start <= rows.len())
                .ok_or_else(invalid_token)?;
            return Ok(Cut::forwards(start, size, rows.len()));
        }
        let Some(ids) = &spec.ids else {
            return Ok(Cut::forwards(0, size, rows.len()));
        };
        let position = |name: &str, id: &Value| {
            rows.iter()
                .position(|row| row.get(&ids.key) == Some(id))
                .ok_or_else(|| Refusal::new(400, format!("{name}: no object has this id")))
        };
        if let Some(id) = scope.argument(&ids.after) {
            let start = position(&ids.after, id)? + 1;
            return Ok(Cut::forwards(start, size, rows.len()));
        }
        if let Some(before) = &ids.before
            && let Some(id) = scope.argument(before)
        {
            let end = position(before, id)?;
            let start = end.saturating_sub(size);
            return Ok(Cut {
                start,
                end,
                has_more: start > 0,
                next_page: Value::Null,
            });
        }
        Ok(Cut::forwards(0, size, rows.len()))
    }
}

/// The content of a page token.
pub(crate) fn decode(token: &str) -> Option<String> {
    let bytes = STANDARD.decode(token.strip_prefix("page_")?).ok()?;
    String::from_utf8(bytes).ok()
}

/// The refusal of a token that the sandbox never gave.
pub(crate) fn invalid_token() -> Refusal {
    Refusal::new(400, "page: invalid page token".to_owned())
}
