//! A hostile or broken service, network or descriptor, and the result: the exit code, the bytes, the message, and what
//! the service received.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use crate::h2::{self, Frame, H2Fake};
use crate::support::{Fake, Manner, Reply, Workspace, assert_tells, output};
use flate2::Compression;
use flate2::write::GzEncoder;
use pretty_assertions::assert_eq;
use serde_json::json;
use toolrun::error::SendError;
use toolrun::{Call, Catalog, Engine, Error, Secret, Tool};

const GET: &str = "request: { method: GET, path: /probe }";
const FILE: &str = "request: { method: GET, path: /probe }\nresponse: { kind: bytes }";
const QUICK: &str = "retry: { max_attempts: 3, base_delay: 1ms, max_delay: 2s }";
const BODY: &str = "{\"rows\":[1,2,3]}";

/// A folder with the tools `get-probe` and `get-file` of a service at this origin.
fn probe(origin: &str, service: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.service(origin, &format!("{QUICK}\n{service}"));
    workspace.tool("get-probe", "read", GET);
    workspace.tool("get-file", "read", FILE);
    workspace
}

fn tool(workspace: &Workspace, name: &str) -> Arc<Tool> {
    let catalog = Catalog::empty().with_folder(workspace.descriptors());
    catalog.tool(name).expect("a valid tool")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// The body in brotli: a window of 16 bits, one stored block, an empty last block.
fn brotli(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len() - 1).expect("a short body");
    let mut packed = ((length << 4) | (1 << 20)).to_le_bytes()[..3].to_vec();
    packed.extend_from_slice(bytes);
    packed.push(0b11);
    packed
}

fn packed(coding: &str, body: impl Into<Vec<u8>>) -> Reply {
    Reply::new(200, "application/json", body).with("content-encoding", coding)
}

/// All bytes of an answer; then the connection is closed.
fn raw(bytes: impl Into<Vec<u8>>) -> Reply {
    Reply {
        body: bytes.into(),
        ..Reply::manner(Manner::Bare)
    }
}

/// An answer with these header lines and this body.
fn lines(lines: &str, body: &str) -> Reply {
    let head = lines.replace('\n', "\r\n");
    raw(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}"))
}

/// The result of a case: the whole body, or an exit code with parts of the message and the number of requests.
enum Expected {
    Body(&'static str),
    Fails(i32, &'static str, usize),
}

use Expected::{Body, Fails};

/// Calls the tool once for JSON and once for a file, and checks all results.
#[track_caller]
fn check(name: &str, origin: &str, flags: &[&str], expected: &Expected) {
    let workspace = probe(origin, "limits: { response_bytes: 100000 }");
    let json = workspace.run(&[&["call", "get-probe", "-o", "raw"], flags].concat());
    let file = workspace.run(&[&["call", "get-file", "--out", "saved"], flags].concat());
    let saved = std::fs::read(workspace.path().join("saved")).ok();
    match expected {
        Body(body) => {
            assert_eq!(json.code, 0, "{name}: {}", json.stderr);
            assert_eq!(json.stdout.trim_end(), *body, "{name}");
            assert_eq!(file.code, 0, "{name}: {}", file.stderr);
            assert_eq!(saved.as_deref(), Some(body.as_bytes()), "{name}");
        }
        Fails(code, told, _) => {
            for run in [&json, &file] {
                assert_eq!(run.code, *code, "{name}: {}{}", run.stdout, run.stderr);
                assert!(run.stderr.contains(told), "{name}: {}", run.stderr);
                assert_eq!(run.stdout, "", "{name}");
            }
            assert_eq!(saved, None, "{name}");
        }
    }
    let left = std::fs::read_dir(workspace.path()).expect("a folder");
    let parts = left.filter(|entry| {
        let entry = entry.as_ref().expect("an entry");
        entry.file_name().to_string_lossy().contains(".part")
    });
    assert_eq!(parts.count(), 0, "{name}");
}

#[track_caller]
fn check_reply(name: &str, reply: Reply, expected: &Expected) {
    let fake = Fake::script([reply]);
    check(name, &fake.origin(), &[], expected);
    let tries = match expected {
        Body(_) => 1,
        Fails(_, _, tries) => *tries,
    };
    assert_eq!(fake.targets(), vec!["/probe"; 2 * tries], "{name}");
    for request in fake.requests() {
        assert_eq!(
            request.header("accept-encoding"),
            Some("gzip, br"),
            "{name}"
        );
    }
}

// Packed bodies

#[test]
fn a_packed_body_is_whole_or_an_error() {
    let (one, two) = BODY.as_bytes().split_at(6);
    let members = [gzip(one), gzip(two), gzip(b"")].concat();
    let whole = gzip(BODY.as_bytes());
    let cut = |bytes: &[u8]| bytes[..bytes.len() - 3].to_vec();
    let flipped = |at_end: usize| {
        let mut bytes = whole.clone();
        let at = bytes.len() - at_end;
        bytes[at] ^= 1;
        bytes
    };
    let br = brotli(BODY.as_bytes());
    let bomb = gzip(&vec![b' '; 10 << 20]);
    for (name, reply, expected) in [
        ("one member", packed("gzip", whole.clone()), Body(BODY)),
        (
            "several members",
            packed("gzip", members.clone()),
            Body(BODY),
        ),
        ("an old name", packed("x-gzip", members.clone()), Body(BODY)),
        ("upper case", packed("GZIP", members.clone()), Body(BODY)),
        ("twice", packed("gzip, gzip", gzip(&members)), Body(BODY)),
        (
            "twice in two fields",
            packed("gzip", gzip(&members)).with("content-encoding", "gzip"),
            Body(BODY),
        ),
        ("brotli", packed("br", br.clone()), Body(BODY)),
        ("brotli in gzip", packed("br, gzip", gzip(&br)), Body(BODY)),
        ("identity", packed("identity", BODY), Body(BODY)),
        ("an empty name", packed("", BODY), Body(BODY)),
        (
            "cut gzip",
            packed("gzip", cut(&whole)),
            Fails(9, "gzip and is cut off", 1),
        ),
        (
            "a cut second member",
            packed("gzip", cut(&[whole.clone(), gzip(b" ")].concat())),
            Fails(9, "is cut off", 1),
        ),
        (
            "a cut head",
            packed("gzip", &whole[..7]),
            Fails(9, "is cut off", 1),
        ),
        (
            "garbage behind",
            packed("gzip", [&whole[..], b"xyz"].concat()),
            Fails(9, "something else follows it", 1),
        ),
        (
            "zeros behind",
            packed("gzip", [&whole[..], &[0; 512]].concat()),
            Fails(9, "something else follows it", 1),
        ),
        (
            "a wrong checksum",
            packed("gzip", flipped(6)),
            Fails(9, "checksum is wrong", 1),
        ),
        (
            "a wrong length",
            packed("gzip", flipped(2)),
            Fails(9, "checksum is wrong", 1),
        ),
        ("no gzip", packed("gzip", BODY), Fails(9, "is no gzip", 1)),
        (
            "gzip of text, twice",
            packed("gzip, gzip", whole.clone()),
            Fails(9, "is no gzip", 1),
        ),
        (
            "cut brotli",
            packed("br", cut(&br)),
            Fails(9, "br and is cut off", 1),
        ),
        (
            "garbage behind brotli",
            packed("br", [&br[..], b"xyz"].concat()),
            Fails(9, "something else follows it", 1),
        ),
        (
            "no brotli",
            packed("br", whole.clone()),
            Fails(9, "packed with br", 1),
        ),
        (
            "zstd",
            packed("zstd", "(\u{b5}/\u{fd}"),
            Fails(
                9,
                "content-encoding \"zstd\", and gzip, br were asked for",
                1,
            ),
        ),
        (
            "deflate",
            packed("deflate", "x"),
            Fails(9, "\"deflate\"", 1),
        ),
        (
            "compress",
            packed("compress", "x"),
            Fails(9, "\"compress\"", 1),
        ),
        (
            "gzip and zstd",
            packed("gzip, zstd", "x"),
            Fails(9, "\"zstd\"", 1),
        ),
        (
            "three times",
            packed("gzip, gzip, gzip", gzip(&gzip(&whole))),
            Fails(9, "3 content-encodings", 1),
        ),
        (
            "a bomb",
            packed("gzip", bomb.clone()),
            Fails(9, "larger than 100000 bytes", 1),
        ),
        (
            "a bomb in gzip",
            packed("gzip, gzip", gzip(&bomb)),
            Fails(9, "larger than 100000 bytes", 1),
        ),
        (
            "empty members without end",
            packed("gzip", gzip(b"").repeat(8000)),
            Fails(9, "larger than 100000 bytes", 1),
        ),
        (
            "a part that was not requested",
            Reply::new(206, "application/json", BODY).with("content-range", "bytes 0-5/99"),
            Fails(9, "a partial response (206), which was not requested", 1),
        ),
    ] {
        check_reply(name, reply, &expected);
    }
}

#[test]
fn an_error_answer_whose_body_cannot_be_read_keeps_its_status() {
    let with = |status: u16, reply: Reply| Reply { status, ..reply };
    let cut = |status: u16| Reply {
        manner: Manner::Cut,
        ..Reply::new(status, "application/json", BODY)
    };
    let whole = gzip(BODY.as_bytes());
    let chunked = "HTTP/1.1 409 Conflict\r\ntransfer-encoding: chunked\r\n\r\n6\r\n{\"rows\r\n";
    for (name, reply, code, status) in [
        ("zstd", with(404, packed("zstd", "x")), 6, 404),
        ("cut gzip", with(403, packed("gzip", &whole[..20])), 6, 403),
        (
            "garbage behind",
            with(500, packed("gzip", [&whole[..], b"x"].concat())),
            7,
            500,
        ),
        (
            "a bomb",
            with(400, packed("gzip", gzip(&vec![b' '; 1 << 20]))),
            6,
            400,
        ),
        (
            "too large",
            Reply::new(404, "text/plain", vec![b'x'; 200_000]),
            6,
            404,
        ),
        ("cut by its length", cut(404), 6, 404),
        ("cut in its chunks", raw(chunked), 6, 409),
    ] {
        let fake = Fake::script([reply]);
        let service = "limits: { response_bytes: 100000 }\nretry: { max_attempts: 1 }";
        let workspace = Workspace::new();
        workspace.service(&fake.origin(), service);
        workspace.tool("get-probe", "read", GET);
        workspace.tool("get-file", "read", FILE);
        for arguments in [&["get-probe"][..], &["get-file", "--out", "saved"]] {
            let output = workspace.run(&[&["call"], arguments].concat());
            assert_eq!(output.code, code, "{name}: {}", output.stderr);
            assert_tells(&output, &[&format!("answered {status}")]);
            assert_eq!(output.stdout, "", "{name}");
        }
        assert!(!workspace.path().join("saved").exists(), "{name}");
        assert_eq!(fake.requests().len(), 2, "{name}");
    }
}

#[test]
fn an_empty_body_is_empty_however_it_is_packed() {
    for coding in ["gzip", "br", "gzip, br"] {
        let fake = Fake::script([packed(coding, "")]);
        let workspace = probe(&fake.origin(), "");
        assert_eq!(
            workspace.run(&["call", "get-probe"]).expect(0).stdout,
            "null\n"
        );
        workspace
            .run(&["call", "get-file", "--out", "saved"])
            .expect(0);
        assert_eq!(std::fs::read(workspace.path().join("saved")).unwrap(), b"");
        workspace.tool(
            "see-probe",
            "read",
            "request: { method: HEAD, path: /probe }",
        );
        workspace.run(&["call", "see-probe"]).expect(0);
    }
}

#[test]
fn a_part_that_was_asked_for_is_taken_and_comes_unpacked() {
    let fake = Fake::script([Reply::new(206, "application/json", "[1]")]);
    let workspace = probe(&fake.origin(), "");
    let ranged = "request: { method: GET, path: /probe, headers: { Range: bytes=0-2 } }";
    workspace.tool("get-part", "read", ranged);
    let output = workspace.run(&["call", "get-part"]).expect(0);
    assert_eq!(output.json(), json!([1]));
    let request = fake.only_request();
    assert_eq!(request.header("range"), Some("bytes=0-2"));
    assert_eq!(request.header("accept-encoding"), None);
}

// HTTP/1.1

#[test]
fn an_answer_that_is_no_whole_http_is_an_error() {
    let many = "x-a: b\n".repeat(200);
    let huge = format!("x-a: {}\n", "b".repeat(1 << 20));
    let early = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(30);
    let chunked = "content-type: application/json\ntransfer-encoding: chunked";
    let status = |line: &str| raw(format!("{line}\r\ncontent-length: 2\r\n\r\n{{}}"));
    let cut = Reply {
        manner: Manner::Cut,
        ..Reply::new(200, "application/json", BODY)
    };
    for (name, reply, expected) in [
        (
            "cut by its length",
            cut,
            Fails(8, "the exchange with 127.0.0.1 failed", 3),
        ),
        (
            "chunks",
            lines(chunked, "6\r\n{\"rows\r\na\r\n\":[1,2,3]}\r\n0\r\n\r\n"),
            Body(BODY),
        ),
        (
            "chunks and trailers",
            lines(chunked, "10\r\n{\"rows\":[1,2,3]}\r\n0\r\nx-sum: 1\r\n\r\n"),
            Body(BODY),
        ),
        (
            "chunks cut in one",
            lines(chunked, "10\r\n{\"rows\":"),
            Fails(8, "failed", 3),
        ),
        (
            "chunks cut between two",
            lines(chunked, "6\r\n{\"rows\r\n"),
            Fails(8, "failed", 3),
        ),
        (
            "chunks without the last",
            lines(chunked, "10\r\n{\"rows\":[1,2,3]}\r\n"),
            Fails(8, "failed", 3),
        ),
        (
            "a chunk of no size",
            lines(chunked, "zz\r\n{}\r\n0\r\n\r\n"),
            Fails(8, "failed", 3),
        ),
        (
            "a chunk of a negative size",
            lines(chunked, "-2\r\n{}\r\n0\r\n\r\n"),
            Fails(8, "failed", 3),
        ),
        (
            "a chunk beyond all sizes",
            lines(chunked, "fffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
            Fails(8, "failed", 3),
        ),
        (
            "a chunk longer than it says",
            lines(chunked, "2\r\n{\"rows\":[1,2,3]}\r\n0\r\n\r\n"),
            Fails(8, "failed", 3),
        ),
        (
            "chunks and a length",
            lines(
                &format!("{chunked}\ncontent-length: 3"),
                "10\r\n{\"rows\":[1,2,3]}\r\n0\r\n\r\n",
            ),
            Body(BODY),
        ),
        (
            "two lengths",
            lines("content-length: 16\ncontent-length: 3", BODY),
            Fails(8, "failed", 3),
        ),
        (
            "a length that is none",
            lines("content-length: many", BODY),
            Fails(8, "failed", 3),
        ),
        (
            "a negative length",
            lines("content-length: -1", BODY),
            Fails(8, "failed", 3),
        ),
        (
            "more than its length",
            lines("content-length: 16", "{\"rows\":[1,2,3]}{\"rows\":[]}"),
            Body(BODY),
        ),
        (
            "no length",
            lines("content-type: application/json", BODY),
            Body(BODY),
        ),
        (
            "an old version",
            raw(format!("HTTP/1.0 200 OK\r\n\r\n{BODY}")),
            Body(BODY),
        ),
        (
            "packed for the transfer",
            lines("transfer-encoding: gzip, chunked", "2\r\n{}\r\n0\r\n\r\n"),
            Fails(9, "transfer-encoding \"gzip, chunked\"", 1),
        ),
        (
            "packed for the transfer without chunks",
            lines("transfer-encoding: gzip", BODY),
            Fails(9, "transfer-encoding \"gzip\"", 1),
        ),
        (
            "early hints",
            raw(format!(
                "{early}HTTP/1.1 200 OK\r\ncontent-length: 16\r\n\r\n{BODY}"
            )),
            Body(BODY),
        ),
        ("early hints alone", raw(early), Fails(8, "failed", 3)),
        (
            "another protocol",
            raw("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\nabc"),
            Fails(6, "answered 101", 1),
        ),
        (
            "status 0",
            status("HTTP/1.1 000 Zero"),
            Fails(8, "failed", 3),
        ),
        (
            "status 99",
            status("HTTP/1.1 099 Low"),
            Fails(8, "failed", 3),
        ),
        (
            "status 600",
            status("HTTP/1.1 600 High"),
            Fails(7, "answered 600 (failed)", 1),
        ),
        (
            "status 999",
            status("HTTP/1.1 999 No"),
            Fails(7, "answered 999", 1),
        ),
        (
            "a short status",
            status("HTTP/1.1 20 OK"),
            Fails(8, "failed", 3),
        ),
        (
            "a long status",
            status("HTTP/1.1 2000 OK"),
            Fails(8, "failed", 3),
        ),
        (
            "a version that there is not",
            status("HTTP/9.9 200 OK"),
            Fails(8, "failed", 3),
        ),
        (
            "HTTP/2 in clear",
            status("HTTP/2 200 OK"),
            Fails(8, "failed", 3),
        ),
        (
            "no HTTP",
            raw("SSH-2.0-OpenSSH_9.9\r\n"),
            Fails(8, "failed", 3),
        ),
        (
            "nothing",
            Reply::manner(Manner::Drop),
            Fails(8, "failed", 3),
        ),
        (
            "too many fields",
            lines(&format!("{many}content-length: 16"), BODY),
            Fails(8, "failed", 3),
        ),
        (
            "too long a field",
            lines(&format!("{huge}content-length: 16"), BODY),
            Fails(8, "failed", 3),
        ),
        (
            "a field without a colon",
            lines("what is this\ncontent-length: 16", BODY),
            Fails(8, "failed", 3),
        ),
        (
            "a field with a NUL",
            lines("x-a: a\0b\ncontent-length: 16", BODY),
            Fails(8, "failed", 3),
        ),
        (
            "a folded field",
            lines("x-a: a\n b\ncontent-length: 16", BODY),
            Fails(8, "failed", 3),
        ),
        (
            "a body where none may be",
            raw("HTTP/1.1 304 Not Modified\r\ncontent-length: 16\r\n\r\n"),
            Fails(6, "answered 304", 1),
        ),
    ] {
        check_reply(name, reply, &expected);
    }
}

// HTTP/2

/// Codes of a reset.
const NO_ERROR: u32 = 0;
const INTERNAL_ERROR: u32 = 2;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;

#[test]
fn a_stream_that_ends_early_is_an_error() {
    use Frame::{Data, GoAway, Head, HeadAlone, LastData, PackedHead, Reset, Trailers};
    const ONE: &[u8] = b"{\"rows\":[1";
    const TWO: &[u8] = b",2,3]}";
    const ALL: &[u8] = b"{\"rows\":[1,2,3]}";
    const SPACE: &[u8] = b" ";
    let failed = || Fails(8, "the exchange with 127.0.0.1 failed", 3);
    let reset = || Fails(8, "reset the stream before the end of the body", 3);
    let cases: [(&str, &'static [Frame], Expected); 17] = [
        (
            "whole",
            &[Head(Some(16)), Data(ONE), LastData(TWO)],
            Body(BODY),
        ),
        (
            "whole without a length",
            &[Head(None), Data(ONE), LastData(TWO)],
            Body(BODY),
        ),
        (
            "whole and an empty end",
            &[Head(None), Data(ALL), LastData(b"")],
            Body(BODY),
        ),
        (
            "whole and trailers",
            &[Head(None), Data(ALL), Trailers],
            Body(BODY),
        ),
        (
            "whole and then reset",
            &[Head(None), LastData(ALL), Reset(NO_ERROR)],
            Body(BODY),
        ),
        (
            "shorter than its length",
            &[Head(Some(16)), LastData(ONE)],
            failed(),
        ),
        (
            "longer than its length",
            &[Head(Some(10)), Data(ALL), LastData(TWO)],
            failed(),
        ),
        (
            "nothing of its length",
            &[Head(Some(16)), LastData(b"")],
            failed(),
        ),
        (
            "reset without an error",
            &[Head(Some(16)), Data(ONE), Reset(NO_ERROR)],
            reset(),
        ),
        (
            "the same without a length",
            &[Head(None), Data(ALL), Data(SPACE), Reset(NO_ERROR)],
            reset(),
        ),
        (
            "the same before any data",
            &[Head(None), Reset(NO_ERROR)],
            reset(),
        ),
        (
            "the same while packed",
            &[PackedHead, Data(ONE), Reset(NO_ERROR)],
            Fails(9, "is no gzip", 1),
        ),
        (
            "cancelled",
            &[Head(None), Data(ONE), Reset(CANCEL)],
            failed(),
        ),
        (
            "failed inside",
            &[Head(None), Data(ONE), Reset(INTERNAL_ERROR)],
            failed(),
        ),
        ("refused", &[Reset(REFUSED_STREAM)], failed()),
        (
            "the connection ends",
            &[Head(None), Data(ONE), GoAway(NO_ERROR)],
            failed(),
        ),
        ("only a head", &[HeadAlone], Body("")),
    ];
    let certificate = h2::certificate();
    let flags = ["--cacert", certificate.to_str().expect("a path")];
    for (name, answer, expected) in cases {
        let fake = H2Fake::start(answer);
        check(name, &fake.origin(), &flags, &expected);
        let tries = match expected {
            Body(_) => 2,
            Fails(_, _, tries) => 2 * tries,
        };
        assert_eq!(fake.requests(), tries, "{name}");
    }
}

// Waiting and repeating

fn busy(retry_after: &str) -> Reply {
    Reply::new(503, "text/plain", "busy").with("retry-after", retry_after)
}

#[test]
fn no_wait_of_a_service_is_cut_short_or_taken_for_none() {
    const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const LATER: &str = "Sun, 06 Nov 1994 09:49:37 GMT";
    for (name, reply, tries, told) in [
        (
            "beyond all numbers",
            busy("99999999999999999999999"),
            1,
            "4294967295.0 s",
        ),
        ("infinite", busy("inf"), 1, "4294967295.0 s"),
        ("a huge exponent", busy("1e999"), 1, "4294967295.0 s"),
        ("an hour", busy("3600"), 1, "3600.0 s"),
        (
            "an hour by its own clock",
            busy(LATER).with("date", THEN),
            1,
            "3600.0 s",
        ),
        (
            "an hour ago by its own clock",
            busy(THEN).with("date", LATER),
            3,
            "try 3 of 3",
        ),
        ("long ago by ours", busy(THEN), 3, "try 3 of 3"),
        (
            "the year 9999",
            busy("Fri, 31 Dec 9999 23:59:59 GMT"),
            1,
            "4294967295.0 s",
        ),
        ("no number", busy("NaN"), 3, "no time, \"NaN\""),
        ("below zero", busy("-5"), 3, "no time, \"-5\""),
        ("words", busy("soon"), 3, "no time, \"soon\""),
        ("at once", busy("0"), 3, "try 3 of 3"),
    ] {
        let fake = Fake::script([reply]);
        let output = probe(&fake.origin(), "")
            .run(&["call", "get-probe"])
            .expect(7);
        assert_eq!(fake.requests().len(), tries, "{name}");
        assert_tells(&output, &["answered 503", told]);
        assert_eq!(output.stdout, "", "{name}");
    }
}

#[test]
fn a_change_that_may_be_done_already_is_told() {
    const DONE: &str = "an earlier try failed and may have been carried out all the same";
    let lost = || Reply::manner(Manner::Drop);
    let cut = || Reply {
        manner: Manner::Cut,
        ..Reply::new(200, "application/json", BODY)
    };
    let status = |status: u16| Reply::new(status, "text/plain", "");
    for (name, method, replies, code, may_be_done) in [
        (
            "its answer was lost",
            "DELETE",
            vec![lost(), status(404)],
            6,
            true,
        ),
        (
            "its answer was cut",
            "DELETE",
            vec![cut(), status(404)],
            6,
            true,
        ),
        (
            "it was lost twice",
            "DELETE",
            vec![lost(), lost(), status(410)],
            6,
            true,
        ),
        (
            "a gateway failed",
            "DELETE",
            vec![status(502), status(404)],
            6,
            true,
        ),
        ("it failed to the end", "DELETE", vec![status(503)], 7, true),
        (
            "it was refused at first",
            "DELETE",
            vec![status(429), status(404)],
            6,
            false,
        ),
        ("it was never there", "DELETE", vec![status(404)], 6, false),
        ("a put", "PUT", vec![lost(), status(409)], 6, true),
        ("a read", "GET", vec![lost(), status(404)], 6, false),
        ("a success", "DELETE", vec![lost(), Reply::ok()], 0, false),
    ] {
        for format in ["table", "json"] {
            let fake = Fake::script(replies.clone());
            let workspace = probe(&fake.origin(), "");
            let request = format!("request: {{ method: {method}, path: /probe }}");
            workspace.tool("do-probe", "destructive", &request);
            let output = workspace.run(&["call", "do-probe", "--yes", "-o", format]);
            assert_eq!(output.code, code, "{name}: {}", output.stderr);
            assert_eq!(
                output.stderr.contains(DONE),
                may_be_done,
                "{name}: {}",
                output.stderr
            );
            if format == "json" && code != 0 {
                let told = &output.error()["upstream"]["may_be_done"];
                assert_eq!(*told == json!(true), may_be_done, "{name}: {told}");
            }
            let expected = match replies.len() {
                1 if code == 7 => 3,
                replies => replies,
            };
            assert_eq!(fake.requests().len(), expected, "{name}");
            assert!(
                fake.requests()
                    .iter()
                    .all(|request| request.method == method)
            );
        }
    }
}

// Redirects

#[test]
fn a_redirect_that_leaves_the_base_path_gets_no_request() {
    let other = Fake::script([Reply::ok()]);
    let fake_of = |location: &str| Fake::script([Reply::redirect(307, location), Reply::ok()]);
    for (location, told) in [
        ("/", "base path, /api"),
        (
            "/admin",
            "/admin, which is not below the service's base path, /api",
        ),
        ("/apiary", "base path"),
        ("/api/../admin", "base path"),
        ("/api/%2e%2e/admin", "base path"),
        ("/api/..%2fadmin", "base path"),
        ("/api/..%5Cadmin", "base path"),
        ("/api/%252e%252e/admin", "base path"),
        ("/api/..;/admin", "base path"),
        (
            "javascript:alert(1)",
            "another origin, a URL of `javascript`",
        ),
        ("..\\admin", "base path"),
        ("//ORIGIN/admin", "base path"),
        ("http://me:made-up@ORIGIN/api/x", "a URL with credentials"),
        ("http://me@ORIGIN/api/x", "a URL with credentials"),
        ("https://ORIGIN/api/x", "another origin, https://127.0.0.1"),
        ("http://OTHER/api/x", "another origin, http://127.0.0.1"),
        ("http://ORIGIN@OTHER/api/x", "another origin"),
        ("http:\\\\OTHER/api/x", "another origin"),
        ("ftp://ORIGIN/api/x", "another origin"),
        ("http://[", "no URL"),
    ] {
        // The address of the fake is known when it has started.
        let probe_fake = Fake::start({
            let other = other.address().to_string();
            let location = location.to_owned();
            move |request| {
                let own = request.header("host").unwrap_or_default();
                let location = location.replace("ORIGIN", own).replace("OTHER", &other);
                Reply::redirect(307, location)
            }
        });
        let workspace = probe(&format!("{}/api", probe_fake.origin()), "");
        let output = workspace.run(&["call", "get-probe"]).expect(5);
        assert_tells(
            &output,
            &["the service redirects to", told, "it is not followed"],
        );
        assert_eq!(output.stdout, "");
        assert_eq!(probe_fake.targets(), ["/api/probe"], "{location}");
    }
    assert_eq!(other.requests(), []);
    for location in [
        "/api/moved",
        "moved",
        "./moved",
        "../api/moved",
        "/api/moved#there",
    ] {
        let fake = fake_of(location);
        let workspace = probe(&format!("{}/api", fake.origin()), "");
        workspace.run(&["call", "get-probe"]).expect(0);
        assert_eq!(fake.targets(), ["/api/probe", "/api/moved"], "{location}");
    }
}

#[test]
fn a_next_link_that_leaves_the_base_path_gets_no_request() {
    let other = Fake::script([Reply::ok()]);
    for (link, told) in [
        ("/", "leaves the service's base path, /api"),
        ("/admin", "base path"),
        ("/apiary", "base path"),
        ("/api/../admin", "base path"),
        ("/api/%2e%2e/admin", "base path"),
        ("/api/..%2fadmin", "base path"),
        ("/api/..%5Cadmin", "base path"),
        ("/api/x%2F..%2F..%2Fadmin", "base path"),
        ("/api/%2e%2e%2fadmin", "base path"),
        ("/api/%252e%252e/admin", "base path"),
        ("/api/..;/admin", "base path"),
        ("..%2f..%2fadmin", "base path"),
        ("..\\admin", "base path"),
        ("http://me:made-up@ORIGIN/api/x", "credentials"),
        ("https://ORIGIN/api/x", "leaves the service's origin"),
        ("http://OTHER/api/x", "leaves the service's origin"),
        ("http://ORIGIN@OTHER/api/x", "leaves the service's origin"),
        ("\\\\OTHER\\api", "leaves the service's origin"),
        ("javascript:alert(1)", "leaves the service's origin"),
        ("http://[", "is no URL"),
    ] {
        for in_header in [false, true] {
            let fake = Fake::start({
                let (other, link) = (other.address().to_string(), link.to_owned());
                move |request| {
                    let own = request.header("host").unwrap_or_default();
                    let link = link.replace("ORIGIN", own).replace("OTHER", &other);
                    Reply::json(200, &json!({ "data": [{ "id": 1 }], "next": &link }))
                        .with("link", format!("<{link}>; rel=next"))
                }
            });
            let workspace = probe(&format!("{}/api", fake.origin()), "");
            let next = match in_header {
                true => "{ header: Link, rel: next }",
                false => "$.next",
            };
            let list = format!(
                "{GET}\npaging: {{ items: $.data, next_url: {next} }}\nresponse: {{ output: {{ data: $.data }}, rows: data }}"
            );
            workspace.tool("list-probe", "read", &list);
            let output = workspace.run(&["call", "list-probe", "--all", "-o", "ndjson"]);
            assert_eq!(output.code, 5, "{link}: {}", output.stderr);
            assert_tells(&output, &[told]);
            assert_eq!(output.stdout, "{\"id\":1}\n", "{link}");
            assert_eq!(fake.targets(), ["/api/probe"], "{link}");
        }
    }
    assert_eq!(other.requests(), []);
}

// Floods

#[test]
#[ignore = "long"]
fn informational_answers_without_end_do_not_hold_the_clock() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        let hint = b"HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n".repeat(200);
        for mut stream in listener.incoming().map_while(Result::ok) {
            // An answer before its request would be another fault.
            let _ = stream.read(&mut [0; 1024]);
            while stream.write_all(&hint).is_ok() {}
        }
    });
    let workspace = probe(&origin, "");
    let started = std::time::Instant::now();
    let output = workspace.run(&["call", "get-probe", "--deadline", "1s"]);
    let output = output.expect(8);
    assert_tells(&output, &["within 1.0 s"]);
    // If the clock were not checked in between, it would take a minute.
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn of_a_large_error_enough_is_read() {
    let fake = Fake::script([Reply::new(400, "text/plain", "z".repeat(10 << 20))]);
    let workspace = probe(&fake.origin(), "");
    let output = workspace.run(&["call", "get-probe"]).expect(6);
    assert_tells(
        &output,
        &[
            "the service answered 400",
            "zzzz",
            "its answer is not whole: the body is larger than 8388608 bytes, the most that is read of an error",
        ],
    );
    assert!(output.stderr.len() < 2000);
    assert_eq!(fake.targets(), ["/probe"]);
}

// Proxies

#[test]
fn what_a_proxy_refuses_is_told_as_that_and_gives_it_no_secret() {
    let fake_of = |status: u16| {
        let told = Reply::new(status, "text/html", "<h1>\u{1b}[31mno</h1>");
        Fake::script([told.with("location", "http://127.0.0.1:1/api")])
    };
    for (status, variable) in [
        (407, "HTTPS_PROXY"),
        (502, "https_proxy"),
        (302, "ALL_PROXY"),
        (403, "all_proxy"),
    ] {
        let proxy = fake_of(status);
        let service = "auth: { kind: bearer, secret: { env: PROBE_KEY, help: x } }";
        let workspace = probe("https://api.example.test", service);
        let url = proxy
            .origin()
            .replace("http://", "http://user:made-up-password@");
        let mut command = workspace.toolrun();
        command.args(["call", "get-probe"]).env(variable, url);
        let output = output(command.env("PROBE_KEY", "made-up-key-of-the-service"));
        let output = output.expect(8);
        let told = format!(
            "error: cannot connect to api.example.test through the proxy {}: ",
            proxy.address()
        );
        assert_tells(&output, &[&told]);
        assert!(!output.stderr.contains("made-up"), "{}", output.stderr);
        let requests = proxy.requests();
        assert_eq!(requests.len(), 3, "{status}");
        for request in requests {
            assert_eq!(request.method, "CONNECT");
            assert_eq!(request.header("authorization"), None);
            assert!(request.header("proxy-authorization").is_some());
        }
    }
}

#[test]
fn loopback_goes_through_no_proxy() {
    let (proxy, fake) = (Fake::script([Reply::ok()]), Fake::script([Reply::ok()]));
    let workspace = probe(&fake.origin(), "");
    let mut command = workspace.toolrun();
    command.args(["call", "get-probe"]);
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        command.env(variable, proxy.origin());
    }
    output(&mut command).expect(0);
    assert_eq!(proxy.requests(), []);
    assert_eq!(fake.targets(), ["/probe"]);
    // A service that is not reached is not reported as an error of the proxy.
    let workspace = probe(&crate::support::refused_origin(), "");
    let mut command = workspace.toolrun();
    command
        .args(["call", "get-probe"])
        .env("ALL_PROXY", proxy.origin());
    let output = output(&mut command).expect(8);
    assert!(!output.stderr.contains("proxy"), "{}", output.stderr);
}

// Where a service stands

/// URLs that parsers repair, and the column of the first character that they read otherwise, counted from the start of
/// the URL.
const REPAIRED: [(&str, usize); 22] = [
    ("https:example.com", 7),
    ("https:/example.com", 8),
    ("https:///example.com", 9),
    ("https:\\\\\\\\example.com", 7),
    ("https://example.com\\\\v1", 20),
    ("HTTPS://example.com", 1),
    ("https://Example.com", 9),
    ("https://example.com:", 20),
    ("https://example.com:08443", 21),
    ("https://ex\\tample.com", 11),
    ("https://example\\n.com", 16),
    ("https://example.com/a/../b", 21),
    ("https://example.com/./b", 21),
    ("https://example.com/%2E%2e/b", 21),
    ("https://example.com/a b", 22),
    ("https://@example.com", 9),
    ("https://b\u{fc}cher.example", 9),
    ("https://ex%61mple.com", 11),
    ("https://134744072", 9),
    ("https://0x8.0x8.0x8.0x8", 9),
    ("http://0x7f.1", 8),
    ("http://2130706433", 8),
];

#[test]
#[ignore = "long"]
fn a_url_that_a_parser_repairs_is_refused_with_its_place() {
    for (url, column) in REPAIRED {
        let (workspace, oauth) = (Workspace::new(), Workspace::new());
        let base = format!("\"{url}\"");
        workspace.service(&base, "");
        workspace.tool("get-probe", "read", GET);
        let auth = format!(
            "auth:\n  kind: oauth2\n  grant: client_credentials\n  client_id: me\n  token_url: {base}"
        );
        oauth.service("https://api.test", &auth);
        oauth.tool("get-probe", "read", GET);
        let base = "base_url: \"".len() + column;
        let token = "  token_url: \"".len() + column;
        for (workspace, place) in [
            (workspace, format!("service.yaml:3:{base}")),
            (oauth, format!("service.yaml:8:{token}")),
        ] {
            let told = workspace.run(&["validate", "descriptors"]).expect(3);
            let all = format!("{}{}", told.stdout, told.stderr);
            for part in [
                &*place,
                "bad-base-url",
                "would be read as",
                "help: write http",
            ] {
                assert!(all.contains(part), "{url}: {part:?} is not in {all}");
            }
            let told = workspace.run(&["call", "get-probe"]).expect(3);
            assert_tells(&told, &["would be read as"]);
        }
    }
}

#[test]
fn a_setting_that_a_parser_repairs_is_refused() {
    let fake = Fake::script([Reply::ok()]);
    let address = fake.address();
    let workspace = Workspace::new();
    let setting = "settings: { url: { env: PROBE_URL } }";
    workspace.service("{ url: '{{ settings.url }}', within: any }", setting);
    workspace.tool("get-probe", "read", GET);
    let call = |url: &str| {
        let mut command = workspace.toolrun();
        output(command.args(["call", "get-probe"]).env("PROBE_URL", url))
    };
    for url in [
        format!("http:{address}"),
        format!("http:///{address}"),
        format!("HTTP://{address}"),
        format!("http:\\\\{address}"),
        format!(" http://{address}"),
        format!("http://{address}/a/../b"),
        format!("http://me@{address}"),
        format!("http://0x7f.1:{}", address.port()),
        format!("http://2130706433:{}", address.port()),
        format!("http://LOCALHOST:{}", address.port()),
        format!("http://%6cocalhost:{}", address.port()),
    ] {
        let told = call(&url).expect(2);
        assert_tells(&told, &["settings.url"]);
    }
    assert_eq!(fake.requests(), []);
    call(&format!("http://{address}/")).expect(0);
    assert_eq!(fake.targets(), ["/probe"]);
}

#[test]
#[ignore = "long"]
fn an_address_that_is_not_public_is_refused() {
    for host in [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::2]",
        "[::a00:1]",
        "[::ffff:a00:1]",
        "[64:ff9b::a00:1]",
        "[64:ff9b::808:808]",
        "[64:ff9b:1::1]",
        "[100::1]",
        "[2001::1]",
        "[2001:2::1]",
        "[2001:10::1]",
        "[2001:20::1]",
        "[2001:db8::1]",
        "[2002:a00:1::1]",
        "[3fff::1]",
        "[5f00::1]",
        "[fc00::1]",
        "[fd00::1]",
        "[fe80::1]",
        "[fec0::1]",
        "[ff02::1]",
        "[4000::1]",
    ] {
        let workspace = probe(&format!("'https://{host}'"), "");
        let told = workspace.run(&["call", "get-probe"]).expect(3);
        assert_tells(
            &told,
            &["not on the public internet", "allow_private_network"],
        );
        let workspace = probe(&format!("'https://{host}'"), "allow_private_network: true");
        workspace.run(&["validate", "descriptors"]).expect(0);
    }
}

/// A name of this machine that does not contain `localhost`.
fn own_name() -> Option<String> {
    use std::net::ToSocketAddrs;
    let own = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let names = [
        own.trim().to_lowercase(),
        "ip6-localhost".into(),
        "localhost.localdomain".into(),
    ];
    names.into_iter().find(|name| {
        let resolves = || (name.as_str(), 1).to_socket_addrs().ok()?.next();
        !name.is_empty() && name != "localhost" && resolves().is_some()
    })
}

#[test]
fn a_name_that_leads_to_a_private_address_is_refused_at_once() {
    let Some(name) = own_name() else {
        eprintln!("no name of this machine resolves; the unit tests of the client stand alone");
        return;
    };
    for format in ["table", "json"] {
        let workspace = probe(&format!("'https://{name}:1'"), "");
        let output = workspace
            .run(&["call", "get-probe", "-o", format])
            .expect(5);
        assert_tells(
            &output,
            &[
                &format!("{name} resolves to"),
                "address; set `allow_private_network: true`",
            ],
        );
        assert!(!output.stderr.contains("try 2"), "{}", output.stderr);
        if format == "json" {
            assert_eq!(output.error()["kind"], "policy");
        }
    }
    let workspace = probe(
        &format!("'https://{name}:1'"),
        "allow_private_network: true",
    );
    let output = workspace.run(&["call", "get-probe"]).expect(8);
    assert_tells(&output, &["cannot connect", "try 3 of 3"]);
}

#[test]
fn a_name_below_localhost_is_this_machine_or_nothing() {
    let fake = Fake::script([Reply::ok()]);
    let port = fake.address().port();
    let here = probe(&format!("http://localhost:{port}"), "");
    here.run(&["call", "get-probe"]).expect(0);
    assert_eq!(fake.requests().len(), 1);
    // Not every system resolves such names. None may lead to another machine, and no proxy is used.
    let proxy = Fake::script([Reply::ok()]);
    let workspace = probe(&format!("http://x.localhost:{port}"), "");
    let mut command = workspace.toolrun();
    command
        .args(["call", "get-probe"])
        .env("HTTP_PROXY", proxy.origin());
    let told = output(command.env("http_proxy", proxy.origin()));
    let reached = fake.requests().len() - 1;
    let code = if reached == 1 { 0 } else { 8 };
    assert_eq!(told.code, code, "{}", told.stderr);
    assert_eq!(proxy.requests(), []);
}

// Certificates

#[test]
fn a_certificate_file_that_cannot_be_used_is_no_failure_of_the_network() {
    let fake = H2Fake::start(&[Frame::Head(None), Frame::LastData(b"{}")]);
    let workspace = probe(&fake.origin(), "");
    workspace.write("empty.pem", "");
    workspace.write("words.pem", "no certificate");
    workspace.write(
        "broken.pem",
        "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
    );
    workspace.write(
        "wrong.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    for (file, reason) in [
        ("none.pem", "os error 2"),
        ("descriptors", "directory"),
        ("empty.pem", "holds no certificate"),
        ("words.pem", "holds no certificate"),
        ("broken.pem", "base64"),
        ("wrong.pem", ""),
    ] {
        for by_flag in [true, false] {
            let mut command = workspace.toolrun();
            command.args(["call", "get-probe", "-o", "json"]);
            match by_flag {
                true => command.args(["--cacert", file]),
                false => command.env("SSL_CERT_FILE", file),
            };
            let told = output(&mut command).expect(2);
            let error = told.error();
            assert_eq!(error["kind"], "usage", "{file}");
            let message = error["message"].as_str().unwrap().to_lowercase();
            assert!(
                message.contains(&format!("the certificate file {file} cannot be used")),
                "{message}"
            );
            assert!(message.contains(reason), "{message}");
        }
    }
    assert_eq!(fake.requests(), 0);
    // A service with an untrusted certificate is a network error.
    let told = workspace.run(&["call", "get-probe"]).expect(8);
    assert_tells(&told, &["cannot connect to 127.0.0.1", "certificate"]);
    assert_eq!(fake.requests(), 0);
}

// Access tokens

/// A service whose refresh tokens rotate, and which is slow to give a token.
fn rotating(pause: Duration) -> (Fake, Workspace) {
    let fake = Fake::start(move |request| {
        if request.path != "/token" {
            let first = request.header("authorization") == Some("Bearer token-number-1");
            return match first && request.path == "/strict" {
                true => Reply::new(401, "text/plain", ""),
                false => Reply::ok(),
            };
        }
        std::thread::sleep(pause);
        let body = String::from_utf8_lossy(&request.body);
        let used = body
            .rsplit("refresh_token=refresh-")
            .next()
            .unwrap_or_default();
        let used: u32 = used
            .split('&')
            .next()
            .and_then(|n| n.parse().ok())
            .unwrap_or(99);
        let token = json!({
            "access_token": format!("token-number-{}", used + 1),
            "refresh_token": format!("refresh-{}", used + 1),
            "expires_in": 3600,
        });
        Reply::json(200, &token)
    });
    let workspace = Workspace::new();
    let auth = format!(
        "auth: {{ kind: oauth2, grant: refresh_token, token_url: '{}/token', client_id: me, client_secret: {{ env: CLIENT_SECRET }}, refresh_token: {{ env: REFRESH_TOKEN }} }}",
        fake.origin()
    );
    workspace.service(&fake.origin(), &auth);
    workspace.tool("get-probe", "read", GET);
    workspace.tool(
        "get-strict",
        "read",
        "request: { method: GET, path: /strict }",
    );
    (fake, workspace)
}

fn engine() -> Engine {
    Engine::new()
        .with_secret("CLIENT_SECRET", Secret::new("hush-1234"))
        .with_secret("REFRESH_TOKEN", Secret::new("refresh-0"))
}

#[tokio::test]
async fn a_renewal_is_finished_and_kept_when_the_call_is_dropped() {
    let (fake, workspace) = rotating(Duration::from_millis(300));
    let (engine, probe) = (engine(), tool(&workspace, "get-probe"));
    let call = engine.call(Call::new(&probe, json!({})));
    let dropped = tokio::time::timeout(Duration::from_millis(100), call).await;
    assert!(dropped.is_err());
    // The next call, made at once, waits for the renewal in progress.
    engine
        .call(Call::new(&probe, json!({})))
        .await
        .expect("an answer");
    assert_eq!(fake.targets(), ["/token", "/probe"]);
    let last = fake.requests().pop().expect("a request");
    assert_eq!(last.header("authorization"), Some("Bearer token-number-1"));
    // The new refresh token is used next.
    let strict = tool(&workspace, "get-strict");
    engine
        .call(Call::new(&strict, json!({})))
        .await
        .expect("an answer");
    assert_eq!(fake.targets()[2..], ["/strict", "/token", "/strict"]);
    let renewal = String::from_utf8(fake.requests()[3].body.clone()).expect("a form");
    assert!(renewal.contains("refresh_token=refresh-1"), "{renewal}");
}

#[tokio::test]
async fn a_renewal_outlives_the_limit_of_the_call_that_began_it() {
    let (fake, workspace) = rotating(Duration::from_millis(400));
    let engine = engine();
    let strict = tool(&workspace, "get-probe");
    let short = Call::new(&strict, json!({})).timeout(Duration::from_millis(150));
    let error = engine.call(short).await.unwrap_err();
    let is_timeout = matches!(error, Error::Send(SendError::Timeout { .. }));
    assert!(is_timeout, "{error}");
    tokio::time::sleep(Duration::from_millis(500)).await;
    engine
        .call(Call::new(&strict, json!({})))
        .await
        .expect("an answer");
    assert_eq!(fake.targets(), ["/token", "/probe"]);
}

#[tokio::test]
async fn those_who_are_dropped_together_spend_one_refresh_token() {
    let (fake, workspace) = rotating(Duration::from_millis(200));
    let (engine, probe) = (engine(), tool(&workspace, "get-probe"));
    for _ in 0..8 {
        let call = engine.call(Call::new(&probe, json!({})));
        let _ = tokio::time::timeout(Duration::from_millis(10), call).await;
    }
    engine
        .call(Call::new(&probe, json!({})))
        .await
        .expect("an answer");
    assert_eq!(fake.targets(), ["/token", "/probe"]);
}

// The process

#[cfg(target_os = "linux")]
#[test]
fn no_dump_of_the_process_can_hold_a_secret() {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};
    let fake = Fake::script([Reply::manner(Manner::Hang)]);
    let workspace = probe(
        &fake.origin(),
        "auth: { kind: bearer, secret: { env: PROBE_TOKEN } }",
    );
    let mut command = workspace.toolrun();
    command
        .args(["call", "get-probe"])
        .env("PROBE_TOKEN", "made-up-token");
    let mut process = command.stderr(Stdio::piped()).spawn().expect("it starts");
    while fake.requests().is_empty() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let folder = format!("/proc/{}", process.id());
    let limits = std::fs::read_to_string(format!("{folder}/limits")).expect("limits");
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let soft = core.and_then(|line| line.split_whitespace().nth(4));
    assert_eq!(soft, Some("0"), "{limits}");
    // The system gives the files of such a process in `/proc` to root, so that other processes of the user cannot read
    // its memory.
    let owner = std::fs::metadata(format!("{folder}/environ"))
        .expect("a file")
        .uid();
    let own = std::fs::metadata("/proc/self").expect("a folder").uid();
    assert!(owner == 0, "{owner}, and ours is {own}");
    let kill = Command::new("kill")
        .args(["-ABRT", &process.id().to_string()])
        .status();
    assert!(kill.expect("kill runs").success());
    let status = process.wait().expect("it ends");
    assert_eq!((status.signal(), status.core_dumped()), (Some(6), false));
}
