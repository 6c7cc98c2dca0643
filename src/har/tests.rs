use std::io::{self, Cursor, Read as _};

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use super::exchange::Param;
use super::*;

fn har(entries: &[Value]) -> String {
    json!({ "log": { "version": "1.2", "creator": { "name": "x", "version": "1" }, "entries": entries } })
        .to_string()
}

fn minimal() -> Value {
    json!({
        "request": { "method": "GET", "url": "https://api.example.com/a" },
        "response": { "status": 200, "content": { "size": 2, "mimeType": "application/json", "text": "{}" } },
    })
}

fn all(text: &[u8]) -> Result<Vec<Read>, String> {
    let read: Result<Vec<Read>, HarError> = Reader::new(text).collect();
    read.map_err(|error| error.to_string())
}

fn one(entry: Value) -> (Entry, Vec<String>) {
    let mut read = all(har(&[entry]).as_bytes()).expect("a HAR");
    assert_eq!(read.len(), 1);
    match read.remove(0) {
        Read::Entry(entry, flaws) => (*entry, flaws.iter().map(Flaw::to_string).collect()),
        Read::Skipped(flaw) => panic!("{flaw}"),
    }
}

/// The minimal entry with one member replaced; `null` takes it away.
fn with(pointer: &str, value: Value) -> Value {
    let mut entry = minimal();
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let parent = entry.pointer_mut(parent).expect("a parent");
    parent[name] = value;
    entry
}

#[test]
fn what_is_wrong_in_an_entry_is_told_with_its_place() {
    let table: [(&str, Value, &str); 17] = [
        (
            "/request",
            json!(1),
            "skipped entry 1 (/log/entries/0/request): it is a number and not an object; the entry was passed over",
        ),
        (
            "/request/url",
            json!(null),
            "skipped entry 1 (/log/entries/0/request/url): it is null and not a text; the entry was passed over",
        ),
        (
            "/request/method",
            json!(""),
            "skipped entry 1 (/log/entries/0/request/method): it is empty and not a text; the entry was passed over",
        ),
        (
            "/request/headers",
            json!({}),
            "entry 1 (/log/entries/0/request/headers): it is an object and not an array; it was left out",
        ),
        (
            "/request/headers",
            json!([{ "name": "a" }]),
            "entry 1 (/log/entries/0/request/headers/0): it has not a name and a value; it was left out",
        ),
        (
            "/request/queryString",
            json!([{ "name": "a", "value": "b c" }]),
            "entry 1 (/log/entries/0/request/url): it has no query; that of `queryString` was taken",
        ),
        (
            "/response",
            json!("no"),
            "entry 1 (/log/entries/0/response): it is a string and not an object; the entry has no answer",
        ),
        (
            "/response/status",
            json!("two"),
            "entry 1 (/log/entries/0/response/status): it is a string and not a number; the entry has no answer",
        ),
        (
            "/response/status",
            json!(12),
            "entry 1 (/log/entries/0/response/status): it is no status; the entry has no answer",
        ),
        (
            "/response/content/text",
            json!({ "a": 1 }),
            "entry 1 (/log/entries/0/response/content/text): it is an object and not a text; its JSON was taken",
        ),
        (
            "/response/content/encoding",
            json!("base64"),
            "entry 1 (/log/entries/0/response/content/text): it is no base64; the body was left out",
        ),
        (
            "/response/content/encoding",
            json!("rot13"),
            "entry 1 (/log/entries/0/response/content/encoding): it is not base64; the body was left out",
        ),
        (
            "/response/content",
            json!({ "_file": "a.json", "size": 3 }),
            "entry 1 (/log/entries/0/response/content/_file): the body stands in another file, which is not read",
        ),
        (
            "/response/statusText",
            json!(3),
            "entry 1 (/log/entries/0/response/statusText): it is a number and not a text; it was left out",
        ),
        (
            "/request/postData",
            json!({ "params": [{ "value": "x" }] }),
            "entry 1 (/log/entries/0/request/postData/params/0): it has no name; it was left out",
        ),
        ("/response/status", json!(0), ""),
        ("/_initiator", json!({ "deep": [[[1]]] }), ""),
    ];
    for (pointer, value, expected) in table {
        let read = all(har(&[with(pointer, value)]).as_bytes()).expect("a HAR");
        let said: Vec<String> = read
            .iter()
            .flat_map(|read| match read {
                Read::Entry(_, flaws) => flaws.iter().map(Flaw::to_string).collect(),
                Read::Skipped(flaw) => vec![format!("skipped {flaw}")],
            })
            .collect();
        assert_eq!(said.join("\n"), expected, "{pointer}");
    }
}

#[test]
fn files_that_are_no_har_or_end_early_are_errors() {
    let whole = har(&[minimal(), minimal()]);
    let table = [
        ("", "this is no HAR: it is empty"),
        ("[]", "this is no HAR: it is no JSON object"),
        ("{}", "this is no HAR: it has no `log.entries`"),
        ("{\"log\":{}}", "this is no HAR: it has no `log.entries`"),
        (
            "{\"log\":{\"entries\":{}}}",
            "this is no HAR: its `entries` are no array",
        ),
        (
            "{\"log\":",
            "this is no HAR: the file ends too early (byte 7)",
        ),
        (
            "{log:1}",
            "this is no HAR: `l` is not expected here (byte 1)",
        ),
        (
            "\u{feff}{\"a\":}",
            "this is no HAR: `}` is not expected here (byte 8)",
        ),
        ("{\"log\":{\"entries\":[]}}", ""),
        (
            "{\"log\":{\"entries\":[]}} x",
            "broken at byte 23, after 0 entries: `x` is not expected here",
        ),
        (
            "{\"entries\":[}",
            "broken at byte 12, after 0 entries: `}` is not expected here",
        ),
    ];
    for (text, expected) in table {
        let said = all(text.as_bytes()).err().unwrap_or_default();
        assert_eq!(said, expected, "{text}");
    }
    let utf16: Vec<u8> = whole.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf16 = [&[0xFF, 0xFE][..], &utf16].concat();
    assert_eq!(
        all(&utf16).err().unwrap_or_default(),
        "this is no HAR: it is UTF-16; write it as UTF-8"
    );
    // Wherever the file is cut, the entries before the cut are read, and the cut is told.
    for end in 0..whole.len() {
        let read: Vec<_> = Reader::new(&whole.as_bytes()[..end]).collect();
        assert!(read.last().expect("something").is_err(), "cut at {end}");
        assert!(read.len() <= 3);
    }
}

#[test]
fn an_entry_that_is_no_json_does_not_hide_the_others() {
    let text = har(&[minimal(), minimal(), minimal()]);
    let at = text.rfind("\"GET\"").expect("the last entry");
    let middle = text[..at].rfind("\"GET\"").expect("the middle entry");
    let broken = format!("{}nope{}", &text[..middle], &text[middle + 5..]);
    let read = all(broken.as_bytes()).expect("a HAR");
    let numbers: Vec<_> = read
        .iter()
        .map(|read| match read {
            Read::Entry(entry, _) => (entry.number, true),
            Read::Skipped(flaw) => (flaw.entry, false),
        })
        .collect();
    assert_eq!(numbers, [(1, true), (2, false), (3, true)]);
    let deep = format!("{{\"request\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
    let read = all(format!("{{\"log\":{{\"entries\":[{deep}]}}}}").as_bytes());
    assert!(matches!(read.expect("a HAR")[0], Read::Skipped(_)));
}

#[test]
fn bodies_are_what_was_recorded() {
    let table = [
        (
            json!({ "size": 0, "mimeType": "" }),
            Content::Text(String::new()),
        ),
        (json!({ "size": 5, "mimeType": "" }), Content::Unknown),
        (json!({}), Content::Unknown),
        (json!({ "text": "a" }), Content::Text("a".to_owned())),
        (
            json!({ "text": "e30=", "encoding": "base64" }),
            Content::Text("{}".to_owned()),
        ),
        (
            json!({ "text": "e3\n0", "encoding": "base64" }),
            Content::Text("{}".to_owned()),
        ),
        (
            json!({ "text": "/w==", "encoding": "base64" }),
            Content::Bytes(vec![0xFF]),
        ),
    ];
    for (content, expected) in table {
        let (entry, flaws) = one(with("/response/content", content.clone()));
        assert_eq!(flaws, Vec::<String>::new(), "{content}");
        assert_eq!(
            entry.response.expect("an answer").body.content,
            expected,
            "{content}"
        );
    }
}

#[test]
fn query_headers_and_forms_are_read_as_others_write_them() {
    let mut entry = minimal();
    entry["request"] = json!({
        "method": "POST",
        "url": "https://api.example.com/a#b",
        "queryString": [{ "name": "x", "value": "1 2" }, { "name": "y", "value": 3 }],
        "headers": [{ "name": ":method", "value": "POST" }, { "name": "X-A", "value": "b" }],
        "postData": { "mimeType": "Application/X-www-form-urlencoded; charset=x", "text": "", "params": [{ "name": "a", "value": "b" }] },
    });
    let (entry, _) = one(entry);
    assert_eq!(entry.request.url, "https://api.example.com/a?x=1+2&y=3#b");
    assert_eq!(entry.request.headers.len(), 1);
    assert_eq!(entry.request.header("x-a"), Some("b"));
    let body = entry.request.body.expect("a body");
    assert_eq!(body.essence(), "application/x-www-form-urlencoded");
    assert_eq!(body.content, Content::Unknown);
    assert_eq!(body.params[0].value.as_deref(), Some("b"));
}

/// Gives one byte at a time.
struct Slow(Cursor<Vec<u8>>);

impl io::Read for Slow {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(&mut buffer[..1])
    }
}

#[test]
fn what_is_written_is_read_as_it_was() {
    let entry = |number, content, response: bool| Entry {
        number,
        started: "2026-01-02T03:04:05.678Z".to_owned(),
        time: 12.5,
        request: Request {
            method: "POST".to_owned(),
            url: "https://api.example.com/a?b=%22c%5C%22".to_owned(),
            http_version: "HTTP/1.1".to_owned(),
            headers: vec![("x-a".to_owned(), "\"q\\\" \u{1F600}".to_owned())],
            body: Some(Body {
                media_type: "multipart/form-data".to_owned(),
                content,
                params: vec![Param {
                    name: "file".to_owned(),
                    value: None,
                    file_name: Some("a.png".to_owned()),
                    content_type: Some("image/png".to_owned()),
                }],
            }),
        },
        response: response.then(|| Response {
            status: 201,
            status_text: "Created".to_owned(),
            http_version: "HTTP/2".to_owned(),
            headers: vec![("set-cookie".to_owned(), "a".to_owned()); 2],
            redirect_url: String::new(),
            body: Body::of_bytes("image/png", vec![0, 255, 13, 10]),
        }),
        own: Some(Own {
            service: "shop".to_owned(),
            tool: "list-orders".to_owned(),
            arguments: json!({ "limit": 2 }),
            kind: Kind::Poll,
            more: json!({ "page": 2 }).as_object().expect("a map").clone(),
        }),
    };
    let entries = [
        entry(1, Content::Text("line\n\"two\"\u{0}".to_owned()), true),
        entry(2, Content::Bytes(vec![0xC0, 0x80]), false),
        entry(3, Content::Unknown, true),
    ];
    for count in 0..=entries.len() {
        let mut writer = Writer::start_with(Vec::new(), None).expect("memory");
        for entry in &entries[..count] {
            writer.value(&entry_json(entry)).expect("memory");
        }
        let text = writer.finish().expect("memory");
        let value: Value = serde_json::from_slice(&text).expect("JSON");
        assert_eq!(value["log"]["version"], "1.2");
        let read = Reader::new(Slow(Cursor::new(text)));
        let read: Vec<Entry> = read
            .map(|read| match read.expect("a HAR") {
                Read::Entry(entry, flaws) if flaws.is_empty() => *entry,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(read, entries[..count]);
    }
}

#[test]
fn an_entry_beyond_the_limit_is_passed_over_and_told() {
    let before = har(&[minimal()]);
    let at = before.find("\"{}\"").expect("the body") + 1;
    let head = Cursor::new(before[..at].to_owned().into_bytes());
    let tail = before[at..before.len() - 3].to_owned() + "," + &minimal().to_string() + "]}}";
    let body = io::repeat(b'a').take(300 * 1024 * 1024);
    let read: Vec<_> = Reader::new(head.chain(body).chain(Cursor::new(tail.into_bytes())))
        .map(|read| read.expect("a HAR"))
        .collect();
    assert!(
        matches!(&read[0], Read::Skipped(flaw) if flaw.reason == "it has more than 256 MiB and was passed over")
    );
    assert!(matches!(&read[1], Read::Entry(entry, _) if entry.number == 2));
}
