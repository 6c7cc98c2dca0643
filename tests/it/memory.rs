//! Memory: a call takes at most three times its body and its output, whatever the body. Numbers that no tree can hold
//! keep their digits.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use pretty_assertions::assert_eq;

use crate::support::{Fake, Reply, Workspace, assert_tells};

const REQUEST: &str = "request: { method: GET, path: /x }";

/// A tool `probe` that answers with this body, and has this response section.
fn with_body(body: &str, response: &str) -> (Workspace, Fake) {
    let body = body.to_owned();
    let fake = Fake::start(move |_| Reply::new(200, "application/json", body.clone()));
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), "");
    workspace.tool("probe", "read", &format!("{REQUEST}\n{response}"));
    (workspace, fake)
}

#[test]
#[ignore = "long"]
#[cfg(target_os = "linux")]
fn no_format_takes_more_than_three_times_body_and_output() {
    use crate::support::peak;
    /// A debug build is larger and slower.
    const SIZE: usize = 2 << 20;
    /// The memory for trees and tables, beside a body of any size.
    const FLOOR: usize = 16 << 20;
    let outputs = [
        "",
        "response: { output: { rows: $.data }, rows: rows }",
        "response: { output: { rows: { each: '$.data[*]', as: { a: '{{ status }}' } } }, rows: rows }",
    ];
    let base = {
        let (workspace, _fake) = with_body("{}", "");
        peak::run(workspace.toolrun().args(["call", "probe", "-o", "json"])).peak
    };
    for kind in peak::KINDS {
        let body = peak::body(kind, SIZE);
        for output in outputs {
            let (workspace, _fake) = with_body(&body, output);
            for format in ["json", "ndjson", "csv", "yaml", "table", "raw"] {
                let run = peak::run(workspace.toolrun().args(["call", "probe", "-o", format]));
                let most = base + FLOOR + 3 * (body.len() + run.printed);
                assert_eq!(run.code, 0, "{kind} {output} {format}: {}", run.stderr);
                assert!(
                    run.peak <= most,
                    "{kind} {output} {format}: {} of {most}",
                    run.peak
                );
            }
        }
    }
}

#[test]
#[ignore = "long"]
#[cfg(target_os = "linux")]
fn a_small_answer_that_unfolds_takes_no_more() {
    use crate::support::peak;
    let body = peak::body("small objects", 60 << 20);
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(body.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    assert!(packed.len() < 200_000);
    let reply = Reply::new(200, "application/json", packed).with("content-encoding", "gzip");
    let fake = Fake::start(move |_| reply.clone());
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), "");
    for (tool, output, code) in [
        (
            "first",
            "response: { output: { first: '$.data[0].a', more: $.more } }",
            0,
        ),
        (
            "sum",
            "response: { output: \"{{ body.data | length }}\" }",
            9,
        ),
        ("filter", "response: { output: \"$.data[?@.a == 2]\" }", 0),
        (
            "back",
            "response: { output: \"$.data[?@.a == $.data[0].b]\" }",
            0,
        ),
    ] {
        workspace.tool(tool, "read", &format!("{REQUEST}\n{output}"));
        let run = peak::run(workspace.toolrun().args(["call", tool, "-o", "json"]));
        assert_eq!(run.code, code, "{tool}: {}", run.stderr);
        assert!(
            run.peak < 3 * body.len() + (40 << 20),
            "{tool}: {}",
            run.peak
        );
        if code == 9 {
            assert!(
                run.stderr.contains("the limit for 60 MiB of JSON"),
                "{}",
                run.stderr
            );
        }
    }
}

#[test]
fn digits_are_kept_in_every_format() {
    let body = r#"{"rows": [ {"id": 12345678901234567890123, "price": 1.50, "tiny": 0.12345678901234567890} ]}"#;
    let digits = ["12345678901234567890123", "1.50", "0.12345678901234567890"];
    for response in [
        "response: { rows: rows }",
        "response: { output: { rows: $.rows }, rows: rows }",
        "response: { output: { rows: { each: '$.rows[*]', as: { id: $.id, price: '{{ item.price }}', tiny: $.tiny } } }, rows: rows }",
    ] {
        let (workspace, _fake) = with_body(body, response);
        for format in ["json", "ndjson", "csv", "yaml", "table", "raw"] {
            let output = workspace.run(&["call", "probe", "-o", format]).expect(0);
            for number in digits {
                assert!(
                    output.stdout.contains(number),
                    "{format} {response}: {}",
                    output.stdout
                );
            }
        }
    }
}

#[test]
fn a_computation_with_a_number_of_too_many_digits_is_refused() {
    let body = r#"{"id": 12345678901234567890123, "n": 1}"#;
    for (output, code) in [
        ("{{ body.id + 1 }}", 9),
        ("{{ body.id == body.n }}", 9),
        // The literal itself is refused at its place.
        ("{{ body.id == 12345678901234567890123 }}", 3),
        ("{{ body.n + 1 }}", 0),
        ("id {{ body.id }}", 0),
    ] {
        let (workspace, _fake) = with_body(body, &format!("response: {{ output: \"{output}\" }}"));
        let done = workspace.run(&["call", "probe"]).expect(code);
        if code != 0 {
            assert_tells(&done, &["more digits"]);
        }
        if code == 9 {
            assert_tells(&done, &["12345678901234567890123"]);
        }
    }
}

#[test]
fn an_argument_of_too_many_digits_is_not_sent_as_another() {
    let fake = Fake::start(|_| Reply::ok());
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), "");
    workspace.tool(
        "probe",
        "read",
        "params: { properties: { n: { type: number }, any: {} } }\nrequest: { method: GET, path: /x, query: [n, any] }",
    );
    for (argument, code, told) in [
        ("n=12345678901234567890123", 2, "number"),
        ("n:=12345678901234567890123", 2, "more digits"),
        (r#"{"any": 0.12345678901234567890}"#, 2, "more digits"),
        ("any=12345678901234567890123", 0, ""),
        ("n=18446744073709551615", 0, ""),
        ("n=0.1", 0, ""),
    ] {
        let output = workspace.run(&["call", "probe", argument]).expect(code);
        assert_tells(&output, &[told]);
    }
    let sent: Vec<String> = fake
        .requests()
        .iter()
        .map(|request| request.query.clone())
        .collect();
    let expected = [
        "any=12345678901234567890123",
        "n=18446744073709551615",
        "n=0.1",
    ];
    assert_eq!(sent, expected);
}

#[test]
fn nesting_is_bounded() {
    for (depth, code) in [(127, 0), (128, 9)] {
        let body = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let (workspace, _fake) = with_body(&body, "");
        for format in ["json", "ndjson", "csv", "yaml", "table"] {
            let done = workspace.run(&["call", "probe", "-o", format]).expect(code);
            if code == 9 {
                assert_tells(&done, &["nested deeper than 127 levels"]);
            }
        }
    }
}
