//! The first line as an expression, a template, a JSONPath and a path template; the rest as the value of an argument.
//! Nothing panics, mistakes have a place in the text, and no value moves a URL.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use toolrun::internals::JsonPath;
use toolrun::internals::{CallScope, Expression, Names, Template};
use toolrun::internals::{Check, Source};
use toolrun::internals::{PathTemplate, QuerySpec, QueryTemplate};
use url::Url;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    json!({
        "data": [
            { "id": "a", "name": "Ada", "n": 1, "tags": ["x", "y"], "none": null },
            { "id": "b", "name": "é\u{1f600}", "n": -2.5, "tags": [], "deep": { "a": { "b": [1, 2, 3] } } },
        ],
        "has_more": true,
        "last_id": "b",
    })
});

static BASE: LazyLock<Url> = LazyLock::new(|| Url::parse("https://api.test/base").expect("a URL"));

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let (line, rest) = text.split_once('\n').unwrap_or((&text, "value"));
    let json = serde_json::from_str(rest).unwrap_or(Value::Null);
    let params =
        json!({ "a": rest, "b": json, "id": "x", "list": [rest, 1, null], "map": { rest: rest } });
    let settings = json!({ "version": "1" });
    let scope = CallScope {
        params: &params,
        settings: &settings,
    };
    expression(line, &scope);
    template(line, &scope);
    jsonpath(line);
    path(line, &scope);
    for fixed in [
        "/v1/{{ a }}",
        "/v1/{{ a }}/x",
        "/v1/x{{ b }}.{{ id }}/{{ a }}:y/",
    ] {
        path(fixed, &scope);
    }
    query(&scope);
});

fn expression(text: &str, scope: &CallScope<'_>) {
    match Expression::compile(text) {
        Ok(expression) => {
            let _ = (
                expression.dotted_names(),
                expression.subscripts("params"),
                expression.eval(scope),
            );
        }
        Err((range, message)) => assert!(text.get(range.clone()).is_some(), "{range:?}: {message}"),
    }
}

fn names() -> Names {
    let params = ["a", "b", "id", "list", "map"];
    let names = Names::default()
        .with_members("params", params)
        .with_members("settings", ["version"]);
    params.iter().fold(names, |names, name| names.with(name))
}

/// A check of a file that holds the text under the key `a`.
fn check_of(text: &str) -> Check {
    let file = json!({ "a": text }).to_string();
    // YAML takes fewer characters in quotes than JSON; then there is only no place to tell.
    let source = Source::parse("a.yaml".into(), file.into());
    Check::new(
        source.unwrap_or_else(|_| Source::parse("a.yaml".into(), "a: 1".into()).expect("YAML")),
    )
}

/// Insists that the findings stand in the file; true when there is none.
fn is_sound(check: Check) -> bool {
    let findings = check.into_findings();
    for finding in &findings {
        let placed = finding.source.text().get(finding.span.clone());
        assert!(placed.is_some(), "{:?}: {}", finding.span, finding.message);
    }
    findings.is_empty()
}

fn template(text: &str, scope: &CallScope<'_>) {
    let check = check_of(text);
    let template = Template::compile_text(text, "/a", &names(), &check);
    if is_sound(check) {
        let _ = template.render(scope);
    }
}

fn jsonpath(text: &str) {
    let path = match JsonPath::parse(text) {
        Ok(path) => path,
        Err(error) => return assert!(text.is_char_boundary(error.offset), "{error}"),
    };
    assert_eq!(path.as_str(), text);
    let all = path.all(&DOCUMENT);
    assert_eq!(path.first(&DOCUMENT), all.first().copied());
    assert!(
        all.len() <= 1 || !path.is_singular(),
        "{text} gives {}",
        all.len()
    );
    let _ = path.mismatch(&DOCUMENT);
    let mut copy = DOCUMENT.clone();
    let _ = path.first_mut(&mut copy);
}

/// A path that renders keeps its origin and its number of segments.
fn path(text: &str, scope: &CallScope<'_>) {
    let check = check_of(text);
    let template = PathTemplate::compile(text, "/a", &names(), &check);
    if !is_sound(check) {
        return;
    }
    if let Ok(target) = template.render(&BASE, scope) {
        let url = Url::parse(&target).expect("a rendered path is a URL");
        assert_eq!(url.origin(), BASE.origin());
        assert_eq!(
            url.path_segments().map_or(0, Iterator::count),
            1 + template.segments().len(),
            "{target}"
        );
        assert!(
            url.query().is_none() && url.fragment().is_none() && url.path().starts_with("/base/"),
            "{target}"
        );
    }
}

/// Query values stay in the query, whatever their style, and a scalar stays one pair.
fn query(scope: &CallScope<'_>) {
    for style in [
        "repeat",
        "comma",
        "brackets",
        "form",
        "space",
        "pipe",
        "deep_object",
    ] {
        for param in ["a", "b", "list", "map"] {
            let value = json!({ "value": format!("{{{{ {param} }}}}"), "style": style });
            let spec: QuerySpec =
                serde_json::from_value(json!({ "q": value })).expect("a query section");
            let check = check_of("x");
            let template = QueryTemplate::compile(&spec, "/a", &names(), &check);
            assert!(is_sound(check));
            let mut pairs = Vec::new();
            if template.render(scope, &mut pairs).is_ok() {
                let text: Vec<String> = pairs
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                let url = Url::parse(&format!("https://api.test/base?{}", text.join("&")))
                    .expect("a URL");
                assert_eq!(
                    (url.origin(), url.path(), url.fragment()),
                    (BASE.origin(), "/base", None)
                );
                assert_eq!(url.query_pairs().count(), pairs.len(), "{url}");
                assert!(param != "a" || pairs.len() == 1, "{url}");
            }
        }
    }
}
