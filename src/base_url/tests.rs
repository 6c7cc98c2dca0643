use pretty_assertions::assert_eq;
use serde_json::json;

use super::rules::as_written;
use super::*;
use crate::source::{Check, Source};

fn compile(spec: Value) -> Result<BaseUrl, String> {
    let check = Check::new(Source::parse("t".into(), "a: 1".into()).unwrap());
    let setting = json!({ "pattern": "^.+$" });
    let settings = json!({ "a": setting, "b": setting, "url": {}, "loose": {} });
    let context = Context {
        names: &Names::default()
            .with_members("settings", ["a", "b", "url", "loose"])
            .with_members("token", ["url", "host"]),
        settings: &serde_json::from_value(settings).unwrap(),
        settings_pointer: "/settings",
        allow_private: false,
    };
    let spec = serde_json::from_value(spec).unwrap();
    let compiled = BaseUrl::compile(&spec, "/base_url", &context, &check);
    match check.into_findings().first() {
        Some(finding) => Err(finding.message.clone()),
        None => compiled.ok_or_else(|| "nothing".to_owned()),
    }
}

fn render(spec: Value, settings: Value, token: Option<Value>) -> Result<String, String> {
    let url = compile(spec)?;
    let rendered = url.at(&settings, token.as_ref());
    rendered
        .map(|url| url.to_string())
        .map_err(|error| error.to_string())
}

#[test]
fn literal_urls_are_https_or_loopback() {
    for good in [
        "https://api.test",
        "https://api.test/v2/",
        "http://127.0.0.1:80",
        "http://localhost:1",
        "http://[::1]:9",
        "https://8.8.8.8",
    ] {
        assert!(compile(json!(good)).is_ok(), "{good}");
    }
    for bad in [
        "api.test",
        "http://api.test",
        "ftp://api.test",
        "https://u:p@api.test",
        "https://u@api.test",
        "https://api.test?x=1",
        "https://api.test#x",
        "https://10.0.0.1",
        "https://169.254.169.254",
        "https://[fe80::1]",
        "https://192.168.1.1",
        "http://127.0.0.1.evil.test",
        "https://api.test//v1",
        "https://{host}.api.test",
        "",
    ] {
        assert!(compile(json!(bad)).is_err(), "{bad}");
    }
}

#[test]
fn urls_that_a_parser_repairs_are_told() {
    for good in [
        "https://api.test:443",
        "https://api.test:443/v1",
        "http://127.0.0.1:80/",
        "https://api.test:8443/v1/",
        "https://xn--bcher-kva.test",
        "https://api.test/a%20b/~c/d;e=1",
        "https://[2606:4700::1111]/x",
    ] {
        assert!(compile(json!(good)).is_ok(), "{good}");
    }
    for (bad, at) in [
        ("https:example.com", 6),
        ("https:/example.com", 7),
        ("https:///example.com", 8),
        ("https:\\\\example.com", 6),
        ("https://example.com\\v1", 19),
        ("HTTPS://example.com", 0),
        ("https://Example.com", 8),
        ("https://example.com:", 19),
        ("https://example.com:/v1", 19),
        ("https://example.com:0443", 19),
        ("https://example.com:08443", 20),
        ("https://ex\tample.com", 10),
        ("https://exam\nple.com", 12),
        ("https://example.com\n", 19),
        (" https://example.com", 0),
        ("https://example.com/a/../b", 20),
        ("https://example.com/./b", 20),
        ("https://example.com/%2e%2e/b", 20),
        ("https://example.com/a/..", 20),
        ("https://example.com/a b", 21),
        ("https://example.com/é", 20),
        ("https://bücher.test", 8),
        ("https://ex%61mple.com", 10),
        ("https://example\u{3002}com", 15),
        ("https://example\u{ad}.com", 15),
        ("https://\u{ff45}xample.com", 8),
        ("https://@example.com", 8),
        ("https://0x8.0x8.0x8.0x8", 8),
        ("https://134744072", 8),
        ("https://010.8.8.8.8", 8),
        ("https://8.8.2056", 12),
        ("http://0x7f.1", 7),
        ("http://2130706433", 7),
        ("http://127.1", 11),
        ("http://[0:0:0:0:0:0:0:1]", 8),
    ] {
        let Ok(url) = Url::parse(bad) else {
            // A URL that cannot be parsed at all is reported as such.
            assert!(compile(json!(bad)).unwrap_err().contains("is no URL"));
            continue;
        };
        let told = compile(json!(bad)).map(|_| ()).unwrap_err();
        assert!(told.contains("would be read as"), "{bad:?}: {told}");
        let repair = as_written(bad, &url).unwrap_err();
        assert_eq!(repair.at.start, at, "{bad:?} {url}");
        let mended = repair.read;
        assert!(compile(json!(mended.clone())).is_ok(), "{mended}");
    }
}

#[test]
fn a_template_and_its_values_are_written_as_they_are_read() {
    for bad in [
        "https://{{ settings.a }}.Example.com",
        "https://{{ settings.a }}.example.com:",
        "https://{{ settings.a }}.example.com:0443",
        "https://{{ settings.a }}.exam\tple.com",
        "https://{{ settings.a }}.b\u{fc}cher.example.com",
        "https://{{ settings.a }}.ex%61mple.com",
        "HTTPS://{{ settings.a }}.example.com",
        "https:/{{ settings.a }}.example.com",
        "https://{{ settings.a }}.example.com/a/../b",
        "https://{{ settings.a }}.example.com/a/%2e%2e/b",
        "https://{{ settings.a }}.example.com/a\tb",
    ] {
        assert!(compile(json!(bad)).is_err(), "{bad:?}");
    }
    let any = json!({ "url": "{{ settings.url }}", "within": "any" });
    for bad in [
        "https:example.com",
        "https:///example.com",
        "HTTPS://example.com",
        "https://Example.com",
        "https://example.com:",
        "https://example.com/a/../b",
        "https://ex%61mple.com",
        "https://134744072",
        "http://0x7f.1",
        "http://2130706433",
        " https://example.com",
    ] {
        let told = render(any.clone(), json!({ "url": bad }), None);
        assert!(told.is_err(), "{bad:?}: {told:?}");
    }
    let told = render(any, json!({ "url": "https://Example.com/x/" }), None).unwrap_err();
    assert!(told.contains("write https://example.com/x"), "{told}");
}

#[test]
fn values_fill_labels_and_segments() {
    for (spec, expected) in [
        (
            json!("https://{{ settings.a }}.example.com"),
            "https://acme.example.com/",
        ),
        (
            json!("https://api-{{ settings.a }}.{{ settings.b }}.example.co.uk:8443/v1/"),
            "https://api-acme.eu-1.example.co.uk:8443/v1",
        ),
        (
            json!("https://{{ settings.a | upper }}.example.com/{{ settings.b }}/x"),
            "https://acme.example.com/eu-1/x",
        ),
        (
            json!("https://api.example.com/{{ settings.b }}"),
            "https://api.example.com/eu-1",
        ),
        (
            json!({ "url": "https://{{ settings.a }}.myshopify.com", "within": ["myshopify.com"] }),
            "https://acme.myshopify.com/",
        ),
        (
            json!({ "url": "{{ settings.url }}/api", "within": "any" }),
            "https://git.acme.test/gitlab/api",
        ),
    ] {
        let settings = json!({ "a": "acme", "b": "eu-1", "url": "https://git.acme.test/gitlab/" });
        assert_eq!(
            render(spec.clone(), settings, None).as_deref(),
            Ok(expected),
            "{spec}"
        );
    }
}

#[test]
fn no_value_leads_elsewhere() {
    for a in [
        "",
        "evil.test/",
        "evil.test#",
        "evil.test?",
        "a/b",
        "a@b",
        "a:b",
        "a.b",
        "a b",
        "a\\b",
        "-a",
        "a-",
        "%2e",
        "é",
        "a\n",
        "evil.test\u{3002}",
        "x".repeat(64).as_str(),
    ] {
        for spec in [
            json!("https://{{ settings.a }}.example.com"),
            json!({ "url": "https://{{ settings.a }}.example.com", "within": "any" }),
        ] {
            assert!(render(spec, json!({ "a": a }), None).is_err(), "{a:?}");
        }
    }
    for a in ["", "..", ".", "a\nb"] {
        let spec = json!("https://api.example.com/{{ settings.a }}/v1");
        assert!(render(spec, json!({ "a": a }), None).is_err(), "{a:?}");
    }
    let spec = json!("https://api.example.com/{{ settings.a }}");
    assert_eq!(
        render(spec, json!({ "a": "a/../b?c#d" }), None).as_deref(),
        Ok("https://api.example.com/a%2F..%2Fb%3Fc%23d")
    );
}

#[test]
fn a_whole_origin_lies_within_its_domains() {
    let spec = json!({ "url": "{{ token.url }}/services", "within": ["salesforce.com"] });
    let at = |url: &str| render(spec.clone(), json!({}), Some(json!({ "url": url })));
    assert_eq!(
        at("https://acme.my.salesforce.com/").as_deref(),
        Ok("https://acme.my.salesforce.com/services")
    );
    assert!(at("https://salesforce.com").is_ok());
    for bad in [
        "https://evil.test",
        "https://salesforce.com.evil.test",
        "https://evilsalesforce.com",
        "https://salesforce.com@evil.test",
        "https://u:p@salesforce.com",
        "https://x.salesforce.com?a",
        "https://x.salesforce.com#a",
        "http://x.salesforce.com",
        "ftp://x.salesforce.com",
        "x.salesforce.com",
        "",
        "https://",
        "https://evil.test\\.salesforce.com",
        "https://salesforce.com.",
    ] {
        assert!(at(bad).is_err(), "{bad}");
    }
    let any = json!({ "url": "{{ settings.url }}", "within": "any" });
    for bad in [
        "https://10.0.0.1",
        "http://evil.test",
        "https://169.254.169.254/x",
        "file:///etc/passwd",
    ] {
        assert!(
            render(any.clone(), json!({ "url": bad }), None).is_err(),
            "{bad}"
        );
    }
    assert!(render(any, json!({ "url": "http://127.0.0.1:80" }), None).is_ok());
}

#[test]
fn an_origin_of_the_token_is_pending_without_it() {
    let base = compile(json!({ "url": "{{ token.url }}/v1", "within": ["example.com"] })).unwrap();
    assert!(base.reads_token());
    let pending = base.at(&json!({}), None).unwrap();
    let target = format!("{}x", pending.as_str());
    assert_eq!(base.show(target.clone()), "{token.url}/v1/x");
    let actual = Url::parse("https://a.example.com/v1").unwrap();
    assert_eq!(
        BaseUrl::settle(&target, &actual).as_deref(),
        Some("https://a.example.com/v1/x")
    );
}

#[test]
fn loose_templates_are_told() {
    for (spec, message) in [
        (json!("https://{{ settings.a }}.com"), "registrable"),
        (json!("https://{{ settings.a }}.co.uk"), "registrable"),
        (json!("https://{{ settings.a }}.github.io"), "registrable"),
        (json!("https://{{ settings.a }}example.com"), "registrable"),
        (json!("https://api.{{ settings.a }}"), "registrable"),
        (json!("https://{{ settings.a }}"), "registrable"),
        (json!("{{ settings.url }}"), "which domain"),
        (
            json!("{{ settings.a }}://api.example.com"),
            "only a path can follow",
        ),
        (
            json!("ftp://{{ settings.a }}.example.com"),
            "starts with https",
        ),
        (json!("http://{{ settings.a }}.example.com"), "plain http"),
        (json!("https://x.example.com:{{ settings.a }}"), "the port"),
        (
            json!("https://{{ settings.a }}:x@x.example.com"),
            "credentials",
        ),
        (json!("https://{{ settings.a }}.example.com?x=1"), "query"),
        (
            json!("https://{{ settings.loose }}.example.com"),
            "no `pattern`",
        ),
        (
            json!("https://{{ settings['loose'] }}.example.com"),
            "no `pattern`",
        ),
        (
            json!("https://{{ settings.nope }}.example.com"),
            "no member",
        ),
        (
            json!("https://x.example.com/{{ token.url }}"),
            "cannot be a part of the path",
        ),
        (
            json!({ "url": "{{ settings.url }}", "within": ["com"] }),
            "keeps nobody out",
        ),
        (
            json!({ "url": "{{ settings.url }}", "within": ["co.uk"] }),
            "keeps nobody out",
        ),
        (
            json!({ "url": "{{ settings.url }}", "within": ["Co.UK"] }),
            "keeps nobody out",
        ),
        (
            json!({ "url": "{{ settings.url }}", "within": ["https://a.com"] }),
            "is no domain",
        ),
        (
            json!({ "url": "https://a.example.com", "within": ["example.org"] }),
            "own domains",
        ),
    ] {
        let error = compile(spec.clone()).map(|_| ()).unwrap_err();
        assert!(error.contains(message), "{spec}: {error}");
    }
}
