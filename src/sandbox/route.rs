//! Routes: from a request's arguments to the rows that answer it.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::Refusal;
use super::data::{Data, Values};
use super::spec::{BucketsSpec, PageSpec, RouteSpec};
use crate::descriptor::Check;
use crate::descriptor::code::Code;
use crate::descriptor::source::{join, join_index};
use crate::template::{EvalError, Names, Template};

/// A compiled route.
#[derive(Debug)]
pub struct Route {
    from: Option<String>,
    matching: Vec<(String, String)>,
    filters: Vec<Template>,
    item: Option<Template>,
    page: Option<PageSpec>,
    buckets: Option<Buckets>,
    body: Template,
    refuse: Vec<(Template, u16, String)>,
}

#[derive(Debug)]
struct Buckets {
    width: Template,
    from: Template,
    until: Template,
    limit: Template,
    token: String,
    group_by: Template,
    result: Template,
    bucket: Template,
}

/// What a route answers to: the decoded request.
#[derive(Debug, Clone)]
pub struct Request {
    /// The arguments that the request was made from.
    pub args: Value,
    /// The request's headers.
    pub headers: Value,
    /// The sandbox's time in seconds.
    pub now: i64,
}

impl Route {
    /// Compiles a route; mistakes go to `check`, which stands at `pointer`.
    pub fn compile(spec: &RouteSpec, data: &Data, pointer: &str, check: &Check) -> Route {
        if let Some(from) = &spec.from
            && !data.has(from)
        {
            check.error(
                Code::UnknownName,
                &join(pointer, "from"),
                format!("there is no collection `{from}` under `data`"),
            );
        }
        let request = Names::default().with("args").with("headers").with("now");
        let row = request.clone().with("row");
        let body = [
            "rows",
            "first",
            "last",
            "has_more",
            "next_page",
            "has_previous",
        ]
        .iter()
        .fold(request.clone(), |names, name| names.with(name));
        let text =
            |text: &str, at: &str, names: &Names| Template::compile_text(text, at, names, check);
        Route {
            from: spec.from.clone(),
            matching: spec
                .matching
                .iter()
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect(),
            filters: spec
                .filters
                .iter()
                .enumerate()
                .map(|(i, filter)| text(filter, &join_index(&join(pointer, "where"), i), &row))
                .collect(),
            item: spec
                .item
                .as_ref()
                .map(|item| Template::compile(item, &join(pointer, "item"), &row, check)),
            page: spec.page.clone(),
            buckets: spec
                .buckets
                .as_ref()
                .map(|spec| Buckets::compile(spec, &join(pointer, "buckets"), &request, check)),
            body: Template::compile(&spec.body, &join(pointer, "body"), &body, check),
            refuse: spec
                .refuse
                .iter()
                .enumerate()
                .map(|(i, refusal)| {
                    let at = join(&join_index(&join(pointer, "refuse"), i), "when");
                    (
                        text(&refusal.when, &at, &request),
                        refusal.status,
                        refusal.message.clone(),
                    )
                })
                .collect(),
        }
    }

    /// The body of the answer.
    ///
    /// # Errors
    /// When the route refuses the request, or one of its templates fails.
    pub fn answer(&self, request: &Request, data: &Arc<Data>) -> Result<Value, Refusal> {
        let mut scope = scope(request);
        for (when, status, message) in &self.refuse {
            if truth(when, &scope)? {
                return Err(Refusal::new(*status, message.clone()));
            }
        }
        if let Some(from) = &self.from {
            match &self.buckets {
                Some(buckets) => self.sum_up(buckets, from, data, &mut scope)?,
                None => {
                    let rows = self.select(from, data, &mut scope)?;
                    self.cut(rows, &mut scope)?;
                }
            }
        }
        Ok(self.body.render(&scope)?.unwrap_or(Value::Null))
    }

    fn select(
        &self,
        from: &str,
        data: &Arc<Data>,
        scope: &mut Values,
    ) -> Result<Vec<Value>, Refusal> {
        let mut rows = Vec::new();
        for index in 0..data.len(from) {
            let row = data.row(from, index)?;
            if self.admits(row, scope)? {
                rows.push(row.clone());
            }
        }
        Ok(rows)
    }

    fn admits(&self, row: &Value, scope: &mut Values) -> Result<bool, Refusal> {
        let args = scope.0.get("args").cloned().unwrap_or_default();
        for (field, argument) in &self.matching {
            let value = row.get(field).unwrap_or(&Value::Null);
            let admitted = match args.get(argument) {
                None | Some(Value::Null) => true,
                Some(Value::Array(wanted)) => wanted.contains(value),
                Some(wanted) => wanted == value,
            };
            if !admitted {
                return Ok(false);
            }
        }
        if self.filters.is_empty() {
            return Ok(true);
        }
        scope.0.insert("row", row.clone());
        for filter in &self.filters {
            if !truth(filter, scope)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Cuts the page that was asked for out of all rows, and says what is around it.
    fn cut(&self, rows: Vec<Value>, scope: &mut Values) -> Result<(), Refusal> {
        let args = scope.0.get("args").cloned().unwrap_or_default();
        let total = rows.len();
        let (mut start, mut end) = (0, total);
        if let Some(page) = &self.page {
            let size = argument(&args, &page.limit).and_then(Value::as_u64);
            let size = usize::try_from(size.unwrap_or(page.size.into())).unwrap_or(usize::MAX);
            (start, end) = page.bounds(&rows, &args, size)?;
        }
        let backwards = self
            .page
            .as_ref()
            .is_some_and(|page| page.is_backwards(&args));
        let has_more = if backwards { start > 0 } else { end < total };
        let next_page = match has_more {
            true => Value::from(format!("page_{}", STANDARD.encode(end.to_string()))),
            false => Value::Null,
        };
        let mut page: Vec<Value> = rows.into_iter().take(end).skip(start).collect();
        scope
            .0
            .insert("first", page.first().cloned().unwrap_or_default());
        scope
            .0
            .insert("last", page.last().cloned().unwrap_or_default());
        if let Some(item) = &self.item {
            for row in &mut page {
                scope.0.insert("row", std::mem::take(row));
                *row = item.render(scope)?.unwrap_or(Value::Null);
            }
        }
        scope.0.insert("rows", Value::Array(page));
        scope.0.insert("has_more", has_more.into());
        scope.0.insert("next_page", next_page);
        Ok(())
    }

    fn sum_up(
        &self,
        buckets: &Buckets,
        from: &str,
        data: &Arc<Data>,
        scope: &mut Values,
    ) -> Result<(), Refusal> {
        let width = whole(&buckets.width, scope)?.max(1);
        let start = whole(&buckets.from, scope)?;
        let until = whole(&buckets.until, scope)?;
        let limit = whole(&buckets.limit, scope)?;
        let group_by = buckets.group_by.render(scope)?.unwrap_or_default();
        let token = scope.0["args"].get(&buckets.token).and_then(Value::as_str);
        let mut at = match token {
            Some(token) => decode_time(token)?,
            None => start,
        }
        .div_euclid(width)
            * width;
        let mut list = Vec::new();
        while at + width <= until && (list.len() as i64) < limit {
            let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
            for index in data.between(from, at, at + width) {
                let row = data.row(from, index)?;
                if self.admits(row, scope)? {
                    let key = group_key(row, &group_by);
                    match groups.iter_mut().find(|(known, _)| *known == key) {
                        Some((_, rows)) => rows.push(row.clone()),
                        None => groups.push((key, vec![row.clone()])),
                    }
                }
            }
            let mut results = Vec::with_capacity(groups.len());
            for (group, rows) in groups {
                scope.0.insert("group", group);
                scope.0.insert("rows", Value::Array(rows));
                results.push(buckets.result.render(scope)?.unwrap_or(Value::Null));
            }
            scope.0.insert("results", Value::Array(results));
            scope.0.insert("start", at.into());
            scope.0.insert("end", (at + width).into());
            list.push(buckets.bucket.render(scope)?.unwrap_or(Value::Null));
            at += width;
        }
        let has_more = at + width <= until;
        scope.0.insert("rows", Value::Array(list));
        scope.0.insert("has_more", has_more.into());
        scope.0.insert(
            "next_page",
            match has_more {
                true => encode_time(at).into(),
                false => Value::Null,
            },
        );
        Ok(())
    }
}

impl Buckets {
    fn compile(spec: &BucketsSpec, pointer: &str, request: &Names, check: &Check) -> Buckets {
        let text = |text: &str, key: &str| {
            Template::compile_text(text, &join(pointer, key), request, check)
        };
        let group = request.clone().with("rows").with("group");
        let bucket = request.clone().with("start").with("end").with("results");
        Buckets {
            width: text(&spec.width, "width"),
            from: text(&spec.from, "from"),
            until: text(&spec.until, "until"),
            limit: text(&spec.limit, "limit"),
            token: spec.token.clone(),
            group_by: text(&spec.group_by, "group_by"),
            result: Template::compile(&spec.result, &join(pointer, "result"), &group, check),
            bucket: Template::compile(&spec.bucket, &join(pointer, "bucket"), &bucket, check),
        }
    }
}

impl PageSpec {
    fn is_backwards(&self, args: &Value) -> bool {
        self.ids
            .as_ref()
            .and_then(|ids| ids.before.as_ref())
            .is_some_and(|before| argument(args, before).is_some())
    }

    /// The first row and the row behind the last.
    fn bounds(&self, rows: &[Value], args: &Value, size: usize) -> Result<(usize, usize), Refusal> {
        if let Some(token) = self.token.as_ref().and_then(|token| argument(args, token)) {
            let start = token
                .as_str()
                .and_then(|token| STANDARD.decode(token.strip_prefix("page_")?).ok())
                .and_then(|bytes| String::from_utf8(bytes).ok()?.parse::<usize>().ok())
                .filter(|start| *start <= rows.len())
                .ok_or_else(|| Refusal::new(400, "page: invalid page token".to_owned()))?;
            return Ok((start, start.saturating_add(size).min(rows.len())));
        }
        let Some(ids) = &self.ids else {
            return Ok((0, size.min(rows.len())));
        };
        let position = |name: &str, id: &Value| {
            rows.iter()
                .position(|row| row.get(&ids.key) == Some(id))
                .ok_or_else(|| Refusal::new(400, format!("{name}: no object has this id")))
        };
        if let Some(id) = argument(args, &ids.after) {
            let start = position(&ids.after, id)? + 1;
            return Ok((start, start.saturating_add(size).min(rows.len())));
        }
        if let Some(before) = &ids.before
            && let Some(id) = argument(args, before)
        {
            let end = position(before, id)?;
            return Ok((end.saturating_sub(size), end));
        }
        Ok((0, size.min(rows.len())))
    }
}

fn scope(request: &Request) -> Values {
    Values(BTreeMap::from([
        ("args", request.args.clone()),
        ("headers", request.headers.clone()),
        ("now", request.now.into()),
    ]))
}

fn argument<'v>(args: &'v Value, name: &str) -> Option<&'v Value> {
    args.get(name).filter(|value| !value.is_null())
}

fn truth(template: &Template, scope: &Values) -> Result<bool, EvalError> {
    Ok(match template.render(scope)? {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(_) => true,
    })
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
    let fields = group_by
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    let key: Map<String, Value> = fields
        .map(|field| {
            (
                field.to_owned(),
                row.get(field).cloned().unwrap_or_default(),
            )
        })
        .collect();
    json!(key)
}

fn encode_time(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    format!("page_{}", STANDARD.encode(time.to_string()))
}

fn decode_time(token: &str) -> Result<i64, Refusal> {
    token
        .strip_prefix("page_")
        .and_then(|encoded| STANDARD.decode(encoded).ok())
        .and_then(|bytes| {
            String::from_utf8(bytes)
                .ok()?
                .parse::<jiff::Timestamp>()
                .ok()
        })
        .map(jiff::Timestamp::as_second)
        .ok_or_else(|| Refusal::new(400, "page: invalid page token".to_owned()))
}
