//! Tests of what cannot be seen from outside.

use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use url::Url;

use super::key::{Canon, canon};
use super::origin::Moved;
use super::place::{Place, Taken};
use super::recorder::secret_in;
use super::redact::Rules;
use crate::har::Body;
use crate::sign::{Redactor, Secret, SecretRef, SecretStore, Secrets};
use crate::source::{Check, Source};

const SECRET: &str = "canary-0123456789";

fn redactor(secret: &str) -> Redactor {
    let check = Check::new(Source::parse("t".into(), "a: 1".into()).expect("YAML"));
    let spec = serde_json::from_value(json!({ "env": "K" })).expect("a reference");
    let reference = SecretRef::compile(&spec, "", &check).expect("a reference");
    let mut store = SecretStore::default();
    store.give("K", Secret::new(secret));
    Redactor::new(&Secrets::resolve(&[reference], &store, None).expect("a secret"))
}

/// Whatever part of an entry it is in, and however it is written there.
#[test]
fn a_secret_is_found_wherever_it_stands() {
    use base64::Engine as _;
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    for (entry, part) in [
        (
            json!({ "request": { "url": format!("https://a.test/{SECRET}") } }),
            "`request.url`",
        ),
        (
            json!({ "request": { "headers": [{ "name": "x", "value": "a" }, { "name": "y", "value": SECRET }] } }),
            "`request.headers.1.value`",
        ),
        (
            json!({ "request": { "headers": [{ "name": SECRET, "value": "a" }] } }),
            "`request.headers.0.name`",
        ),
        (
            json!({ "response": { "content": { "text": json!({ "a": SECRET }).to_string() } } }),
            "`response.content.text`",
        ),
        (
            json!({ "response": { "content": { "text": base64(&format!("x{SECRET}")), "encoding": "base64" } } }),
            "`response.content.text`",
        ),
        (
            json!({ "response": { "content": { "text": base64(&format!("\u{1}{}", base64(SECRET))), "encoding": "base64" } } }),
            "`response.content.text`",
        ),
        (
            json!({ "_toolrun": { "arguments": { SECRET: 1 } } }),
            "the name of a member of `_toolrun.arguments`",
        ),
        (json!({ "comment": SECRET.to_uppercase() }), "`comment`"),
    ] {
        let found = secret_in(
            &entry,
            &[redactor("another-secret-of-a-test"), redactor(SECRET)],
        );
        assert_eq!(found.as_deref(), Some(part), "{entry}");
        assert_eq!(
            secret_in(&entry, &[redactor("another-secret-of-a-test")]),
            None
        );
    }
    let digits = json!({ "_toolrun": { "arguments": { "n": 123456789012345_u64 } } });
    assert!(secret_in(&digits, &[redactor("123456789012345")]).is_some());
}

#[test]
fn rules_replace_and_remove_what_they_find() {
    let apply = |rules: &[&str], mut value: Value| {
        let rules = Rules::parse(rules.iter().copied()).expect("rules");
        let hits = rules.apply(&mut value, &|value| json!(format!("<{value}>")));
        (value, hits.len())
    };
    for (rules, value, expected, hits) in [
        (
            &["$.a"][..],
            json!({ "a": 1, "b": 2 }),
            json!({ "a": "<1>", "b": 2 }),
            1,
        ),
        (
            &["remove:$.a"],
            json!({ "a": 1, "b": 2 }),
            json!({ "b": 2 }),
            1,
        ),
        (
            &["$..a"],
            json!({ "a": { "a": 1 }, "l": [{ "a": 2 }] }),
            json!({ "a": "<{\"a\":1}>", "l": [{ "a": "<2>" }] }),
            1,
        ),
        (&["remove:$[0]"], json!([1, 2]), json!([null, 2]), 1),
        (&["$"], json!("x"), json!("<\"x\">"), 1),
        (&["remove:$"], json!({ "a": 1 }), Value::Null, 1),
        (&["$.c", "$.a.b"], json!({ "a": 1 }), json!({ "a": 1 }), 0),
        (
            &["$[?@.k == 1].v"],
            json!([{ "k": 1, "v": 2 }, { "k": 2, "v": 2 }]),
            json!([{ "k": 1, "v": "<2>" }, { "k": 2, "v": 2 }]),
            1,
        ),
        (
            &["remove:$.a", "$.b"],
            json!({ "a": 1, "b": 1 }),
            json!({ "b": "<1>" }),
            2,
        ),
    ] {
        assert_eq!(
            apply(rules, value.clone()),
            (expected, hits),
            "{rules:?} {value}"
        );
    }
    for bad in ["a", "", "remove:", "$.[", "remove:remove:$.a"] {
        assert!(Rules::parse([bad]).is_err(), "{bad}");
    }
}

#[test]
fn fields_of_a_query_are_an_object() {
    let rules = Rules::parse(["$.a[1]", "$.b", "remove:$.c"]).expect("rules");
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut pairs = vec![
        pair("a", "1"),
        pair("b", "2"),
        pair("a", "3"),
        pair("c", "4"),
        pair("c", "5"),
    ];
    rules.apply_to_pairs(&mut pairs, &|_| json!("*"));
    assert_eq!(pairs, [pair("a", "1"), pair("b", "*"), pair("a", "*")]);
}

/// Two take over the rest of a recording that was killed, and one of them has written the whole meanwhile.
#[test]
fn a_recording_that_another_one_wrote_is_not_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.har");
    std::fs::write(&path, "").expect("a file");
    let first = Place::take(&path).expect("the place");
    assert!(matches!(Place::take(&path), Err(Taken::Recording(_))));
    first
        .fill(|out| out.write_all(b"whole"))
        .expect("a recording");
    assert!(matches!(Place::take(&path), Err(Taken::File(_))));
    // The file that the other one opened before is not at the path any more.
    let before = std::fs::File::open(&path).expect("a file");
    assert!(super::place::is_still_at(&before, &path));
    std::fs::write(folder.path().join("b"), "longer").expect("a file");
    std::fs::rename(folder.path().join("b"), &path).expect("a file");
    assert!(!super::place::is_still_at(&before, &path));
}

#[test]
fn a_number_has_one_notation() {
    let canon_of = |text: &str| {
        let body = Body::of_bytes("application/json", text.as_bytes().to_vec());
        canon(Some(&body), &Rules::default())
    };
    for (one, other) in [
        ("1", "1.0"),
        ("100", "1e2"),
        ("0.5", "5E-1"),
        ("-0", "0"),
        ("-0.0e7", "0"),
        ("1200", "1.2e+3"),
        ("12345678901234567890123", "1234567890123456789012.3e1"),
        (
            "[1,{\"b\":2,\"a\":\"\\u0041\"}]",
            " [1.0, {\"a\":\"A\" , \"b\":2}]",
        ),
    ] {
        assert_eq!(canon_of(one), canon_of(other), "{one} {other}");
    }
    for (one, other) in [
        ("1", "10"),
        ("1", "-1"),
        ("0.1", "0.01"),
        ("12345678901234567890123", "12345678901234567890124"),
        ("1", "\"1\""),
        ("null", "{}"),
        ("[1,2]", "[2,1]"),
        ("1e99999999999999999999", "1e99999999999999999998"),
        ("1.5e-9223372036854775808", "15e-9223372036854775808"),
        ("10e9223372036854775807", "1e9223372036854775807"),
    ] {
        assert_ne!(canon_of(one), canon_of(other), "{one} {other}");
    }
    // Which of two members of one name counts is not said, so such a body is compared by its bytes.
    assert!(matches!(canon_of("{\"a\":1,\"a\":2}"), Canon::Bytes(_)));
}

/// A text of an answer at one origin, and what it says at another one.
#[test]
fn an_origin_ends_where_its_host_or_port_ends() {
    let url = |text: &str| Url::parse(text).expect("a URL");
    let plain = |text: &str| {
        (
            text.to_owned(),
            text.replace("https://api.x", "http://127.0.0.1:9"),
        )
    };
    let stays = |text: &str| (text.to_owned(), text.to_owned());
    let pair = |text: &str, other: &str| (text.to_owned(), other.to_owned());
    let table = [
        plain("https://api.x"),
        plain("https://api.x/"),
        plain("{\"next\":\"https://api.x/a?b=1\",\"all\":[\"https://api.x\"]}"),
        plain("<https://api.x/a>; rel=\"next\", <https://api.x?b>; rel=last"),
        plain("https://api.x#a https://api.x\\n"),
        plain(
            "See https://api.x. Or https://api.x, (https://api.x) https://api.x: and https://api.x.",
        ),
        plain("line\\nhttps://api.x/a"),
        plain("<a href='https://api.x'>https://api.x</a>"),
        pair("https://api.x:443/a", "http://127.0.0.1:9/a"),
        pair(
            "https:\\/\\/api.x\\/a https:\\/\\/api.x",
            "http:\\/\\/127.0.0.1:9\\/a http:\\/\\/127.0.0.1:9",
        ),
        pair(
            "https:\\u002f\\u002Fapi.x https:\\u002F\\u002Fapi.x\\u002Fa",
            "https:\\u002f\\u002Fapi.x http:\\u002F\\u002F127.0.0.1:9\\u002Fa",
        ),
        pair(
            "https://login.x/?to=https%3A%2F%2Fapi.x%2Fa&or=https%3a%2f%2fapi.x",
            "https://login.x/?to=http%3A%2F%2F127.0.0.1%3A9%2Fa&or=http%3a%2f%2f127.0.0.1%3a9",
        ),
        stays(
            "https://api.x.evil https://api.x.evil/ https://api.x-b https://api.xy https://api.x_b",
        ),
        stays("https://api.x:8443 https://api.x:8443/a https://api.x:4430 https://api.x:99999999"),
        stays(
            "https://api.x@evil/ https://api.x:443@evil https://api.x:pass@evil https://api.x%2eevil",
        ),
        stays(
            "https://api.x./a https://api.x.:443 https://api.x\u{e9}.test http://api.x ftp://api.x //api.x api.x",
        ),
        stays("https:\\/\\/api.x.evil https:\\/\\/api.x:8443\\/a https:\\/\\/api.x.\\/"),
        stays(
            "?to=https%3A%2F%2Fapi.x.evil&to=https%3A%2F%2Fapi.x%3A8443&to=https%3A%2F%2Fapi.x%40evil",
        ),
    ];
    let moved = Moved::new(&url("https://api.x/v1"), &url("http://127.0.0.1:9/")).expect("another");
    for (text, expected) in table {
        let rewritten = moved.rewrite(text.as_bytes());
        assert_eq!(String::from_utf8_lossy(&rewritten), expected);
    }
    let back = Moved::new(&url("http://127.0.0.1:9/"), &url("https://api.x")).expect("another");
    for (text, expected) in [
        (
            "http://127.0.0.1:9/a http://127.0.0.1:9",
            "https://api.x/a https://api.x",
        ),
        (
            "http://127.0.0.1:98 http://127.0.0.1 http://127.0.0.1:9a",
            "",
        ),
        ("http%3A%2F%2F127.0.0.1%3A9%2F", "https%3A%2F%2Fapi.x%2F"),
        ("http://127.0.0.1:9.", "https://api.x."),
        ("http://[::1]:9/", ""),
    ] {
        let rewritten = back.rewrite(text.as_bytes());
        let expected = if expected.is_empty() { text } else { expected };
        assert_eq!(String::from_utf8_lossy(&rewritten), expected);
    }
    let ports = Moved::new(&url("http://[::1]:9/"), &url("http://[::1]:8/")).expect("another");
    assert_eq!(
        &*ports.rewrite(b"http://[::1]:9/ http://[::1]/"),
        b"http://[::1]:8/ http://[::1]/"
    );
    assert!(Moved::new(&url("https://a.x/b"), &url("https://a.x:443/c")).is_none());
}
