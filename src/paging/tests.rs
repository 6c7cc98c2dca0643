use pretty_assertions::assert_eq;
use serde_json::json;

use super::*;
use crate::json::Json;
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
