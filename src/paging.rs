//! Paging: from one response to the arguments of the next call.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use crate::address::{Elsewhere, must_be_own};
use crate::project::{
    Condition, Extract, ExtractSpec, Json, JsonPath, Kind, Node, Part, ProjectError, Projector,
    ResponseView, compile_plain_path, jsonpath, refuse_mismatch,
};
use crate::source::{Check, Code, join};
use crate::template::Names;

/// Pages that a walk takes when nobody sets another cap.
pub const DEFAULT_MAX_PAGES: u64 = 10_000;

/// How the pages of a list follow each other: `next` or `next_url`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PagingSpec {
    /// JSONPath of the array that pages concatenate.
    pub items: String,
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

/// A compiled paging section.
#[derive(Debug)]
pub struct Paging {
    items: JsonPath,
    step: Step,
    condition: Option<Condition>,
    limit: Option<String>,
}

/// A response does not lead to a next page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PagingError {
    /// The response is not as described.
    #[error(transparent)]
    Shape(#[from] ProjectError),
    /// The next page is not the service's own.
    #[error("{0}")]
    Leaves(String),
}

#[derive(Debug)]
enum Step {
    Arguments(Vec<(String, Projector)>),
    Url(Extract),
}

/// What follows a page.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Nothing: this was the last page.
    End,
    /// A call with these arguments in place of the last ones.
    Arguments(Map<String, Value>),
    /// A request of this URL.
    Url(Url),
    /// Nothing, as far as can be told: the response lacks what `while` asks for, and yet it leads to a next page, which
    /// is this.
    Unsaid(Box<Next>),
}

impl Paging {
    /// Compiles the section; mistakes go to `check`.
    pub fn compile(
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
        {
            check.error_inside(
                Code::UnknownName,
                &join(pointer, "limit"),
                0..limit.len(),
                format!("the tool has no param `{limit}`"),
                crate::words::nearest(limit, params.iter().copied()),
            );
        }
        let step = match (&spec.next, &spec.next_url) {
            (Some(next), None) => compile_next(next, &join(pointer, "next"), params, names, check),
            (None, Some(url)) => Step::Url(Extract::compile(
                url,
                &join(pointer, "next_url"),
                names,
                check,
            )),
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
        Some(Paging {
            items: items?,
            step,
            condition,
            limit: spec.limit.clone(),
        })
    }

    /// The param that sets the size of a page.
    pub fn limit(&self) -> Option<&str> {
        self.limit.as_deref()
    }

    /// The array of the items of a page; `None` where it is null.
    ///
    /// # Errors
    /// When the array is missing, or something else stands there: a list without its list is no empty list.
    pub fn items<'t>(&self, body: Part<'t>) -> Result<Option<Part<'t>>, ProjectError> {
        let refuse = |message: String| ProjectError {
            part: "paging.items".to_owned(),
            message,
        };
        let mut steps = self.items.singular().unwrap_or_default().iter();
        let found = steps.try_fold(body, |part, step| step.select_in(part));
        match found.map(|part| (part, part.kind())) {
            Some((items, Kind::Array)) => Ok(Some(items)),
            // A body that is null itself is no page.
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

    /// Where the items are.
    pub fn items_path(&self) -> &JsonPath {
        &self.items
    }

    /// The body of a page without items, and with nothing else; `None` where the items are an item of a list.
    pub fn empty_body(&self) -> Option<Json> {
        wrapped(self.items.singular()?, b"[]").map(Json::made)
    }

    /// The body of a page with these items, an array, in place of its own, also where it has none; `None` where they
    /// have no place.
    pub fn put_items(&self, body: &Json, items: &[u8]) -> Option<Json> {
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

    /// Whether a page's way to the next one stands in a header, where no projection of the body shows it.
    pub fn leads_by_header(&self) -> bool {
        matches!(self.step, Step::Url(Extract::Header(_) | Extract::Link(..)))
    }

    /// What follows this response. `None` for a service that says more pages remain and gives no cursor.
    ///
    /// # Errors
    /// When the response contradicts a path, an expression fails, or the next URL leaves the service.
    pub fn next(
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
            // Where there is no way on either, the response means its end.
            if let Ok(Some(next)) = self.step(response, base, current) {
                return Ok(Some(Next::Unsaid(Box::new(next))));
            }
        }
        Ok(Some(Next::End))
    }

    /// What is wrong with `while`, if a response lacks what it names and has something of nearly the same name.
    pub fn misspelt_condition(&self, body: Part<'_>) -> Option<String> {
        let path = self.condition.as_ref()?.path()?;
        let (last, before) = path.singular()?.split_last()?;
        let jsonpath::Step::Name(name) = last else {
            return None;
        };
        let parent = before
            .iter()
            .try_fold(body, |part, step| step.select_in(part))
            .filter(|parent| parent.kind() == Kind::Object)?;
        let keys: Vec<_> = parent.members().map(|(key, _)| key.name()).collect();
        if keys.iter().any(|key| key == name) {
            return None;
        }
        let plain = |name: &str| name.replace(['_', '-'], "").to_lowercase();
        let alike = keys.iter().find(|key| plain(key) == plain(name));
        let help = match alike {
            Some(key) => format!("did you mean `{key}`?"),
            // Short names are near to many others.
            None if name.len() >= 6 => crate::words::nearest(name, keys.iter().map(|key| &**key))?,
            None => return None,
        };
        let path = path.as_str();
        Some(format!(
            "paging.while: the response has no `{path}`; {help}"
        ))
    }

    /// Whether the service gives the way to the next page, and nothing is computed.
    fn is_given(&self) -> bool {
        match &self.step {
            Step::Url(_) => true,
            Step::Arguments(nodes) => nodes
                .iter()
                .all(|(_, node)| matches!(node.node(), Node::Path(_))),
        }
    }

    /// The end where one of several cursors is empty. Where the others lead on, it is only taken for the end.
    fn end(&self, response: &ResponseView<'_>) -> Next {
        let Step::Arguments(nodes) = &self.step else {
            return Next::End;
        };
        if !self.is_given() {
            return Next::End;
        }
        let given = nodes.iter().filter_map(|(name, node)| {
            let value = node.value_of(response).ok().flatten()?;
            (!is_empty(&value)).then(|| (name.clone(), value))
        });
        let given: Map<String, Value> = given.collect();
        let leads_on = |(name, value)| response.params.get(name) != Some(value);
        match given.iter().any(leads_on) {
            true => Next::Unsaid(Box::new(Next::Arguments(given))),
            false => Next::End,
        }
    }

    /// The next page, whatever the condition says; `None` where the response leads to none.
    fn step(
        &self,
        response: &ResponseView<'_>,
        base: &Url,
        current: &str,
    ) -> Result<Option<Next>, PagingError> {
        match &self.step {
            Step::Url(extract) => {
                let url = extract
                    .extract(response)
                    .map_err(|error| error.under("paging.next_url"))?;
                match url {
                    Value::Null | Value::Bool(false) => Ok(None),
                    Value::String(url) if url.is_empty() => Ok(None),
                    Value::String(url) => match follow_url(&url, base, current) {
                        Ok(url) => Ok(Some(Next::Url(url))),
                        Err(reason) => Err(PagingError::Leaves(format!("the next page: {reason}"))),
                    },
                    other => Err(PagingError::Shape(ProjectError {
                        part: "paging.next_url".to_owned(),
                        message: format!(
                            "the URL of the next page is {}",
                            crate::words::kind_of(&other)
                        ),
                    })),
                }
            }
            Step::Arguments(nodes) => {
                let mut next = Map::new();
                for (name, node) in nodes {
                    let under = |error: ProjectError| error.under(&format!("paging.next.{name}"));
                    match node.value_of(response).map_err(under)? {
                        Some(value) if is_empty(&value) => return Ok(None),
                        Some(value) => {
                            next.insert(name.clone(), value);
                        }
                        None => {}
                    }
                }
                Ok((!next.is_empty()).then_some(Next::Arguments(next)))
            }
        }
    }
}

/// Whether a cursor ends a walk.
fn is_empty(cursor: &Value) -> bool {
    cursor.is_null() || cursor.as_str() == Some("")
}

/// Rows that come from another list than the items would be lost but for those of the last page.
pub fn report_other_rows(paging: &Paging, rows: &JsonPath, pointer: &str, check: &Check) {
    let ((items, _), (steps, _)) = (paging.items.beginning(), rows.beginning());
    let differs = items.iter().zip(&steps).any(|(item, step)| item != step);
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

/// A text inside objects, so that these steps lead to it; `None` where one is an index.
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

fn compile_items(text: &str, pointer: &str, check: &Check) -> Option<JsonPath> {
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

fn compile_next(
    next: &IndexMap<String, Value>,
    pointer: &str,
    params: &[&str],
    names: &Names,
    check: &Check,
) -> Step {
    if next.is_empty() {
        check.error(Code::BadPaging, pointer, "`next` names no argument");
    }
    let mut nodes = Vec::with_capacity(next.len());
    for (name, value) in next {
        let at = join(pointer, name);
        if !params.contains(&name.as_str()) {
            check.error_at_key(
                Code::UnknownName,
                &at,
                format!("the tool has no param `{name}`"),
                crate::words::nearest(name, params.iter().copied()),
            );
        }
        let node = Node::compile(value, &at, names, check);
        if node.is_constant() && !check.failed() {
            check.error_with_help(
                Code::BadPaging,
                &at,
                "this value is the same on every page",
                "take it from the response, such as `$.next_page`, or compute it",
            );
        }
        nodes.push((name.clone(), Projector::new(node)));
    }
    Step::Arguments(nodes)
}

/// A URL from a response is followed only where the service's own descriptor could have led: on its origin and below
/// its base path. A relative one starts at `current`.
///
/// # Errors
/// Where the URL leads elsewhere, in words that follow what the URL is for.
pub fn follow_url(text: &str, base: &Url, current: &str) -> Result<Url, String> {
    let url = Url::parse(current)
        .and_then(|current| current.join(text))
        .map_err(|error| format!("`{text}` is no URL: {error}"))?;
    match must_be_own(&url, base) {
        Ok(()) => Ok(url),
        Err(Elsewhere::Origin) => Err(format!(
            "`{text}` leaves the service's origin, {}",
            base.origin().ascii_serialization()
        )),
        Err(Elsewhere::Credentials) => Err("the URL carries credentials".to_owned()),
        Err(Elsewhere::Path(below)) => {
            Err(format!("`{text}` leaves the service's base path, {below}"))
        }
    }
}

/// The cursors that a walk has followed, to tell when one comes again. Only hashes are kept, so that a walk over
/// many pages needs little memory.
#[derive(Debug, Default)]
pub struct Followed(HashSet<u64>);

impl Followed {
    /// Notes a step; false when it was taken before.
    pub fn is_new(&mut self, next: &Next) -> bool {
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

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;
    use crate::project::response_names;
    use crate::source::Source;

    fn compile(spec: Value) -> Result<Paging, String> {
        let check = Check::new(Source::parse("t".into(), "a: 1".into()).unwrap());
        let spec: PagingSpec = serde_json::from_value(spec).unwrap();
        let params = ["cursor", "page"];
        let paging = Paging::compile(&spec, "", &params, &response_names(params), &check);
        match check.into_findings().first() {
            Some(finding) => Err(finding.message.clone()),
            None => Ok(paging.unwrap()),
        }
    }

    fn next(spec: Value, body: Value, params: Value, link: &str) -> Result<Option<Next>, String> {
        let headers = vec![("link".to_owned(), link.to_owned())];
        let base = Url::parse("https://a.test/api").unwrap();
        let body = Json::of(&body);
        let view = ResponseView::new(&body, 200, &headers, &params);
        compile(spec)?
            .next(&view, &base, "https://a.test/api/list?page=1")
            .map_err(|error| error.to_string())
    }

    fn arguments(value: Value) -> Option<Next> {
        Some(Next::Arguments(value.as_object().unwrap().clone()))
    }

    #[test]
    fn cursors_pages_and_ends() {
        let cursor = json!({"items": "$.d", "next": {"cursor": "$.c"}});
        let sure = json!({"items": "$.d", "next": {"cursor": "$.c"}, "while": "$.more"});
        let pair = json!({"items": "$.d", "next": {"cursor": "$.c", "page": "$.p"}});
        let page = json!({"items": "$.d", "next": {"page": "{{ (params.page or 1) + 1 }}"}, "while": "{{ body.d | length > 0 }}"});
        for (spec, body, params, expected) in [
            (
                &cursor,
                json!({"c": "x"}),
                json!({}),
                arguments(json!({"cursor": "x"})),
            ),
            (&cursor, json!({"c": null}), json!({}), Some(Next::End)),
            (&cursor, json!({}), json!({}), Some(Next::End)),
            (
                &sure,
                json!({"c": "x", "more": true}),
                json!({}),
                arguments(json!({"cursor": "x"})),
            ),
            (
                &sure,
                json!({"c": "x", "more": false}),
                json!({}),
                Some(Next::End),
            ),
            (&sure, json!({"more": true}), json!({}), None),
            (
                &pair,
                json!({"c": "x", "p": 2}),
                json!({}),
                arguments(json!({"cursor": "x", "page": 2})),
            ),
            (
                &pair,
                json!({"c": null, "p": ""}),
                json!({}),
                Some(Next::End),
            ),
            (&pair, json!({"p": 2}), json!({"page": 2}), Some(Next::End)),
            (
                &pair,
                json!({"c": null, "p": 2}),
                json!({"page": 1}),
                arguments(json!({"page": 2})).map(|next| Next::Unsaid(Box::new(next))),
            ),
            (
                &page,
                json!({"d": [1]}),
                json!({}),
                arguments(json!({"page": 2})),
            ),
            (
                &page,
                json!({"d": [1]}),
                json!({"page": 4}),
                arguments(json!({"page": 5})),
            ),
            (&page, json!({"d": []}), json!({"page": 4}), Some(Next::End)),
        ] {
            assert_eq!(
                next(spec.clone(), body.clone(), params, ""),
                Ok(expected),
                "{spec} {body}"
            );
        }
    }

    #[test]
    fn urls_stay_on_the_service() {
        let spec = json!({"items": "$.d", "next_url": {"header": "Link", "rel": "next"}});
        let ok = |link: &str| next(spec.clone(), json!({}), json!({}), link);
        let url = |url: &str| Ok(Some(Next::Url(Url::parse(url).unwrap())));
        assert_eq!(
            ok("<https://a.test/api/list?page=2>; rel=next"),
            url("https://a.test/api/list?page=2")
        );
        assert_eq!(
            ok("<?page=2>; rel=next"),
            url("https://a.test/api/list?page=2")
        );
        assert_eq!(ok(""), Ok(Some(Next::End)));
        for link in [
            "<https://evil.test/api/list>; rel=next",
            "<http://a.test/api/list>; rel=next",
            "<https://a.test:444/api/list>; rel=next",
            "<//evil.test/api>; rel=next",
            "<https://a.test/other>; rel=next",
            "<https://a.test/apiary>; rel=next",
            "<../../x>; rel=next",
            "<https://u:p@a.test/api/x>; rel=next",
            "</api/..%2fadmin>; rel=next",
            "</api/..%5Cadmin>; rel=next",
            "</api/%252e%252e/admin>; rel=next",
            "</api/..;/admin>; rel=next",
        ] {
            assert!(ok(link).is_err(), "{link}");
        }
    }

    #[test]
    fn a_step_taken_twice_is_told() {
        let mut followed = Followed::default();
        let step = arguments(json!({"cursor": "x"})).unwrap();
        assert!(followed.is_new(&step));
        assert!(!followed.is_new(&step));
        assert!(followed.is_new(&arguments(json!({"cursor": "y"})).unwrap()));
    }

    #[test]
    fn mistakes_are_told() {
        for (spec, message) in [
            (json!({"items": "$.d"}), "exactly one of"),
            (
                json!({"items": "$.d[*]", "next": {"cursor": "$.c"}}),
                "does not name one array",
            ),
            (
                json!({"items": "data", "next": {"cursor": "$.c"}}),
                "is no JSONPath",
            ),
            (
                json!({"items": "$.d", "next": {"cursr": "$.c"}}),
                "has no param `cursr`",
            ),
            (
                json!({"items": "$.d", "next": {"cursor": "$.c"}, "while": "has_more"}),
                "never changes",
            ),
        ] {
            let error = compile(spec.clone()).map(|_| ()).unwrap_err();
            assert!(error.contains(message), "{spec}: {error}");
        }
        let paging = compile(json!({"items": "$.d", "next": {"cursor": "$.c"}})).unwrap();
        let count = |body: Value| {
            let body = Json::of(&body);
            let items = paging.items(body.part())?;
            Ok::<_, ProjectError>(items.map(|items| items.elements().count()))
        };
        assert!(count(json!({"d": "x"})).is_err());
        assert!(count(json!([])).is_err());
        assert_eq!(count(json!({"d": null})), Ok(None));
        assert_eq!(count(json!({"d": [1, 2]})), Ok(Some(2)));
    }
}
