//! Reports: the rows of a series, summed up in buckets of time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::Refusal;
use super::data::Values;
use super::known::Known;
use super::page::{decode, invalid_token};
use super::select::Filter;
use super::spec::BucketsSpec;
use super::store::View;
use crate::source::{Code, join};
use crate::template::{Names, Template};

/// Compiled buckets.
#[derive(Debug)]
pub(crate) struct Buckets {
    width: Template,
    from: Template,
    until: Template,
    group_by: Template,
    result: Template,
    pages: Option<Pages>,
}

/// How an answer shows whole buckets.
#[derive(Debug)]
struct Pages {
    limit: Template,
    token: String,
    bucket: Template,
}

/// The sums over the rows.
pub(crate) struct Summed {
    /// The buckets, or the results of all of them.
    pub rows: Vec<Value>,
    /// For buckets, the token of the next page, or null.
    pub next_page: Option<Value>,
}

impl Buckets {
    /// Compiles the section, which stands at `pointer`.
    pub(crate) fn compile(
        spec: &BucketsSpec,
        pointer: &str,
        request: &Names,
        known: &Known<'_>,
    ) -> Buckets {
        let text = |text: &str, key: &str| {
            Template::compile_text(text, &join(pointer, key), request, known.check)
        };
        let times = request.clone().with("start").with("end");
        let group = times.clone().with("rows").with("group");
        let tree = |value: &Value, key: &str, names: &Names| {
            Template::compile(value, &join(pointer, key), names, known.check)
        };
        let pages = match (&spec.limit, &spec.token, &spec.bucket) {
            (Some(limit), Some(token), Some(bucket)) => {
                known.argument(token, &join(pointer, "token"));
                Some(Pages {
                    limit: text(limit, "limit"),
                    token: token.clone(),
                    bucket: tree(bucket, "bucket", &times.with("results")),
                })
            }
            (None, None, None) => None,
            _ => {
                known.check.error_at_key(
                    Code::BadSandbox,
                    pointer,
                    "`limit`, `token` and `bucket` go together",
                    None,
                );
                None
            }
        };
        Buckets {
            width: text(&spec.width, "width"),
            from: text(&spec.from, "from"),
            until: text(&spec.until, "until"),
            group_by: text(&spec.group_by, "group_by"),
            result: tree(&spec.result, "result", &group),
            pages,
        }
    }

    /// Sums up the rows of a series that pass a filter.
    ///
    /// # Errors
    /// 400 for a token that the sandbox never gave. Also when a template fails.
    pub(crate) fn sum_up(
        &self,
        series: &str,
        filter: &Filter,
        view: &View,
        scope: &mut Values,
    ) -> Result<Summed, Refusal> {
        let until = whole(&self.until, scope)?;
        let group_by = self.group_by.render(scope)?.unwrap_or_default();
        let mut at = whole(&self.from, scope)?;
        let width = match self.width.render(scope)? {
            None | Some(Value::Null) => None,
            Some(_) => Some(whole(&self.width, scope)?.max(1)),
        };
        let mut most = i64::MAX;
        if let Some(pages) = &self.pages {
            most = whole(&pages.limit, scope)?;
            if let Some(token) = scope.argument(&pages.token) {
                at = token
                    .as_str()
                    .and_then(decode_time)
                    .ok_or_else(invalid_token)?;
            }
        }
        let width = match width {
            Some(width) => {
                at = at.div_euclid(width) * width;
                width
            }
            None => (until - at).max(1),
        };
        let mut rows = Vec::new();
        let mut buckets = 0;
        while at + width <= until && buckets < most {
            scope.put("start", at);
            scope.put("end", at + width);
            let results = self.results(series, &group_by, (at, at + width), filter, view, scope)?;
            match &self.pages {
                Some(pages) => {
                    scope.put("results", results);
                    rows.push(pages.bucket.render(scope)?.unwrap_or(Value::Null));
                }
                None => rows.extend(results),
            }
            buckets += 1;
            at += width;
        }
        let next = match at + width <= until {
            true => encode_time(at).into(),
            false => Value::Null,
        };
        Ok(Summed {
            rows,
            next_page: self.pages.is_some().then_some(next),
        })
    }

    fn results(
        &self,
        series: &str,
        group_by: &Value,
        (from, until): (i64, i64),
        filter: &Filter,
        view: &View,
        scope: &mut Values,
    ) -> Result<Vec<Value>, Refusal> {
        let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
        for row in view.between(series, from, until) {
            let row = row?;
            if filter.admits(row, scope)? {
                let key = group_key(row, group_by);
                match groups.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, rows)) => rows.push(row.clone()),
                    None => groups.push((key, vec![row.clone()])),
                }
            }
        }
        let mut results = Vec::with_capacity(groups.len());
        for (group, rows) in groups {
            scope.put("group", group);
            scope.put("rows", rows);
            results.push(self.result.render(scope)?.unwrap_or(Value::Null));
        }
        Ok(results)
    }
}

fn whole(template: &Template, scope: &Values) -> Result<i64, Refusal> {
    let value = template.render(scope)?.unwrap_or_default();
    value.as_i64().ok_or_else(|| {
        Refusal::new(
            500,
            format!("the sandbox needs a whole number, not {value}"),
        )
    })
}

/// The fields that a row is grouped by, as one object.
fn group_key(row: &Value, group_by: &Value) -> Value {
    let fields = group_by.as_array().into_iter().flatten();
    let key: Map<String, Value> = fields
        .filter_map(Value::as_str)
        .map(|field| {
            (
                field.to_owned(),
                row.get(field).cloned().unwrap_or_default(),
            )
        })
        .collect();
    Value::Object(key)
}

fn encode_time(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    format!("page_{}", STANDARD.encode(time.to_string()))
}

fn decode_time(token: &str) -> Option<i64> {
    let time: jiff::Timestamp = decode(token)?.parse().ok()?;
    Some(time.as_second())
}
