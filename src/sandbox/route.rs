//! Routes: from a request's arguments to what is written and how the request is answered.

use serde_json::Value;

use super::Refusal;
use super::buckets::Buckets;
use super::data::Values;
use super::known::Known;
use super::page::{Page, Sort};
use super::select::{Filter, Find, holds};
use super::spec::RouteSpec;
use super::store::{Collections, Store, View};
use super::write::Write;
use crate::source::{Code, join, join_index};
use crate::template::Template;

/// A compiled route.
#[derive(Debug)]
pub(crate) struct Route {
    find: Option<Find>,
    refuse: Vec<(Template, Refusal)>,
    write: Write,
    /// The collection of the route's own row.
    own: Option<String>,
    list: Option<List>,
    status: u16,
    body: Template,
}

/// The rows of a route's answer.
#[derive(Debug)]
struct List {
    from: String,
    filter: Filter,
    buckets: Option<Buckets>,
    sort: Option<Sort>,
    page: Option<Page>,
    item: Option<Template>,
}

/// What a route answers: the decoded request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The arguments that made the request.
    pub args: Value,
    /// The request's headers.
    pub headers: Value,
    /// The sandbox's time in seconds.
    pub now: i64,
}

impl Route {
    /// Compiles the route that stands at `pointer`.
    pub(crate) fn compile(spec: &RouteSpec, pointer: &str, known: &Known<'_>) -> Route {
        let request = known.request();
        let found = match &spec.find {
            Some(find) => known.with_row(request.clone(), "row", &find.collection),
            None => request.clone(),
        };
        let mut body = match spec.own_collection() {
            Some(own) => known.with_row(request, "row", own).with("shown"),
            None => request,
        };
        if let Some(from) = &spec.from {
            body = ["rows", "has_more", "next_page"]
                .iter()
                .fold(body, |names, name| names.with(name));
            body = known.with_row(body, "first", from);
            body = known.with_row(body, "last", from);
        }
        let refusals = spec.refuse.iter().enumerate().map(|(index, refusal)| {
            let at = join_index(&join(pointer, "refuse"), index);
            let when =
                Template::compile_text(&refusal.when, &join(&at, "when"), &found, known.check);
            let mut told = Refusal::declared(refusal.status, refusal.message.clone());
            told.details = refusal.details.clone().map(Box::new);
            (when, told)
        });
        Route {
            refuse: refusals.collect(),
            find: spec
                .find
                .as_ref()
                .map(|find| Find::compile(find, &join(pointer, "find"), known)),
            write: Write::compile(spec, pointer, &found, known),
            own: spec.own_collection().map(str::to_owned),
            list: List::compile(spec, pointer, known),
            status: spec.status.unwrap_or(200),
            body: Template::compile(&spec.body, &join(pointer, "body"), &body, known.check),
        }
    }

    /// The status and the body of the answer.
    ///
    /// # Errors
    /// When the request finds nothing or is refused, or a template fails. Then nothing is written.
    pub(crate) fn answer(&self, request: &Request, store: &Store) -> Result<(u16, Value), Refusal> {
        let body = match self.write.is_any() {
            true => store.write(|view| self.answer_from(request, view)),
            false => self.answer_from(request, &mut store.view()),
        };
        Ok((self.status, body?))
    }

    fn answer_from(&self, request: &Request, view: &mut View) -> Result<Value, Refusal> {
        let mut scope = scope(request, view);
        let mut found = None;
        if let Some(find) = &self.find {
            found = find
                .find(view, &mut scope)?
                .map(|(key, row)| (find, key, row));
            scope.restore_row(found.as_ref().map(|(_, _, row)| row.clone()));
        }
        for (when, refusal) in &self.refuse {
            if holds(when, &scope)? {
                return Err(refusal.clone());
            }
        }
        if self.write.is_any() {
            let own = found
                .as_ref()
                .map(|(find, key, row)| (find.collection.as_str(), *key, row));
            let may_insert = found.as_ref().is_none_or(|(find, ..)| !find.is_optional());
            self.write.write(own, may_insert, view, &mut scope)?;
            scope.put_native("data", collections(view));
        }
        if let Some(list) = &self.list {
            let own = scope.bind_found();
            list.bind_page(view, &mut scope)?;
            scope.restore_row(own);
        }
        if let Some(own) = &self.own
            && let Some(row) = scope.row().cloned()
        {
            let shown = view.data().show(own, row, &scope)?;
            scope.put("shown", shown);
        }
        Ok(self.body.render(&scope)?.unwrap_or(Value::Null))
    }
}

impl List {
    fn compile(spec: &RouteSpec, pointer: &str, known: &Known<'_>) -> Option<List> {
        let Some(from) = &spec.from else {
            report_without_from(spec, pointer, known);
            return None;
        };
        known.collection(from, &join(pointer, "from"));
        let mut names = known.request();
        if let Some(own) = spec.own_collection() {
            names = known.with_row(names, "found", own);
        }
        let row = known.with_row(names.clone(), "row", from);
        let buckets = spec.buckets.as_ref().map(|buckets| {
            let at = join(pointer, "buckets");
            if known.data.has(from) && !known.data.is_series(from) {
                let message = format!("the rows of `{from}` have no `times` to sum them up by");
                known
                    .check
                    .error_at_key(Code::BadSandbox, &at, message, None);
            }
            Buckets::compile(buckets, &at, &names, known)
        });
        // Summed-up rows have fields of their own.
        let listed = match &spec.buckets {
            Some(_) => names.with("row"),
            None => row.clone(),
        };
        Some(List {
            from: from.clone(),
            filter: Filter::compile(&spec.matching, &spec.filters, from, &row, pointer, known),
            sort: spec
                .sort
                .as_ref()
                .map(|sort| Sort::compile(sort, &join(pointer, "sort"), &listed, known)),
            page: spec.page.as_ref().map(|page| {
                let rows_of = spec.buckets.is_none().then_some(from.as_str());
                Page::compile(page, rows_of, &join(pointer, "page"), known)
            }),
            item: spec
                .item
                .as_ref()
                .map(|item| Template::compile(item, &join(pointer, "item"), &listed, known.check)),
            buckets,
        })
    }

    /// Binds `rows` to the rows of the requested page, and the names that describe the page.
    fn bind_page(&self, view: &View, scope: &mut Values) -> Result<(), Refusal> {
        let mut rows = Vec::new();
        match &self.buckets {
            Some(buckets) => {
                let summed = buckets.sum_up(&self.from, &self.filter, view, scope)?;
                if let Some(next) = summed.next_page {
                    scope.put("rows", summed.rows);
                    scope.put("has_more", !next.is_null());
                    scope.put("next_page", next);
                    return Ok(());
                }
                rows = summed.rows;
            }
            None => {
                for row in view.rows(&self.from) {
                    let (_, row) = row?;
                    if self.filter.admits(row, scope)? {
                        rows.push(row.clone());
                    }
                }
            }
        }
        if let Some(sort) = &self.sort {
            rows = sort.sort(rows, scope)?;
        }
        let cut = match &self.page {
            Some(page) => page.cut(&rows, scope)?,
            None => super::page::Cut::whole(&rows),
        };
        let mut rows: Vec<Value> = rows.into_iter().take(cut.end).skip(cut.start).collect();
        scope.put("first", rows.first().cloned().unwrap_or_default());
        scope.put("last", rows.last().cloned().unwrap_or_default());
        for row in &mut rows {
            scope.put("row", row.clone());
            *row = match &self.item {
                Some(item) => item.render(scope)?.unwrap_or(Value::Null),
                None if self.buckets.is_some() => continue,
                None => view.data().show(&self.from, std::mem::take(row), scope)?,
            };
        }
        scope.put("rows", rows);
        scope.put("has_more", cut.has_more);
        scope.put("next_page", cut.next_page);
        Ok(())
    }
}

/// Reports sections about rows in a route that has no rows.
fn report_without_from(spec: &RouteSpec, pointer: &str, known: &Known<'_>) {
    let sections = [
        ("match", !spec.matching.is_empty()),
        ("where", !spec.filters.is_empty()),
        ("item", spec.item.is_some()),
        ("sort", spec.sort.is_some()),
        ("page", spec.page.is_some()),
        ("buckets", spec.buckets.is_some()),
    ];
    for (section, _) in sections.iter().filter(|(_, is_given)| *is_given) {
        known.check.error_at_key(
            Code::BadSandbox,
            &join(pointer, section),
            format!("without `from` there are no rows for `{section}`"),
            None,
        );
    }
}

fn scope(request: &Request, view: &View) -> Values {
    let mut scope = Values::default();
    scope.put("args", request.args.clone());
    scope.put("headers", request.headers.clone());
    scope.put("now", request.now);
    scope.put_native("data", collections(view));
    scope
}

fn collections(view: &View) -> minijinja::Value {
    minijinja::Value::from_object(Collections(view.clone()))
}
