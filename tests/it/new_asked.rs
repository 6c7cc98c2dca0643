//! The questions of `toolrun new`: wrong answers are asked again, whoever leaves gets nothing, and what only a person can say
//! is told.

#![cfg(unix)]

use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus};

use pretty_assertions::assert_eq;

use crate::support::Workspace;
use crate::support::pty::start;

const ANSWERS: [&str; 6] = [
    "shop\n",
    "https://api.shop.test/v1\n",
    "add-order\n",
    "Add an order for a customer.\n",
    "post\n",
    "/customers/{customer}/orders\n",
];

/// Runs `new` on a terminal of its own, as a shell would, so that Ctrl-C reaches it.
fn asked(workspace: &Workspace, columns: u16, answers: &[Vec<u8>]) -> (ExitStatus, String) {
    let program = workspace.toolrun();
    let mut command = Command::new("setsid");
    command
        .arg("--ctty")
        .arg(program.get_program())
        .args(program.get_args())
        .args(["new", "--into", "descriptors"])
        .env_clear()
        .current_dir(workspace.path());
    for (name, value) in program.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    let (mut terminal, mut child) = start(columns, true, &mut command);
    let mut shown = Vec::new();
    let mut piece = [0; 4096];
    for answer in answers {
        // The next answer is typed when the last one is read: what a signal drops is not meant.
        while !shown.ends_with(b": ") {
            match terminal.read(&mut piece) {
                Ok(count @ 1..) => shown.extend_from_slice(&piece[..count]),
                _ => break,
            }
        }
        if terminal.write_all(answer).is_err() {
            break;
        }
        // The echo of the answer comes first.
        match terminal.read(&mut piece) {
            Ok(count @ 1..) => shown.extend_from_slice(&piece[..count]),
            _ => break,
        }
    }
    while let Ok(count @ 1..) = terminal.read(&mut piece) {
        shown.extend_from_slice(&piece[..count]);
    }
    let status = child.wait().expect("it ends");
    (status, String::from_utf8_lossy(&shown).into_owned())
}

fn bytes(answers: &[&str]) -> Vec<Vec<u8>> {
    answers
        .iter()
        .map(|answer| answer.as_bytes().to_vec())
        .collect()
}

fn is_empty(workspace: &Workspace) -> bool {
    let mut entries = workspace.descriptors().read_dir().expect("a folder");
    entries.next().is_none()
}

#[test]
#[ignore = "long"]
fn a_wrong_answer_is_asked_again_where_it_was_given() {
    let long = "a".repeat(5000) + "\n";
    for (question, wrong, told) in [
        (0, &b"Shop\n"[..], "lower-case"),
        (0, b"\xff\xfe\n", "no text in UTF-8"),
        (0, b"\n", "lower-case"),
        (0, b"broken\n", "service.yaml is not valid"),
        (1, b"http://api.shop.test\n", "in the clear"),
        (1, b"https://api.shop.test/?a=1\n", "query"),
        (1, b"https://me:made-up@api.shop.test\n", "credentials"),
        (2, b"service\n", "another kind of file"),
        (2, b"sandbox\n", "another kind of file"),
        (2, b"shop/x\n", "lower-case"),
        (3, b"\x1b[A\x1b[31mred\n", "control characters"),
        (3, long.as_bytes(), "too long"),
        (4, b"purge\n", "a method is"),
        (5, b"/x?a=1\n", "not allowed in a path"),
        (5, b"/{a b}\n", "no path"),
    ] {
        let workspace = Workspace::new();
        workspace.write("descriptors/broken/service.yaml", "service: [\n");
        let mut answers = bytes(&ANSWERS);
        answers.insert(question, wrong.to_vec());
        let (status, shown) = asked(&workspace, 80, &answers);
        let about = format!("{question} {}: {shown}", wrong.escape_ascii());
        assert!(status.success(), "{about}");
        assert!(shown.replace("\r\n", " ").contains(told), "{about}");
        let written = workspace.descriptors().join("shop/add-order.yaml");
        assert!(written.exists(), "{about}");
    }
    // A tool that is there is no answer either.
    let workspace = Workspace::new();
    workspace.write(
        "descriptors/shop/service.yaml",
        "spec: 1\nservice: shop\nbase_url: https://shop.test\n",
    );
    workspace.write("descriptors/shop/a.yaml", "as it was\n");
    let answers = bytes(&["shop\n", "a\n", "b\n", "\n", "\n", "\n"]);
    let (status, shown) = asked(&workspace, 140, &answers);
    assert!(status.success(), "{shown}");
    assert!(shown.contains("is there already"), "{shown}");
    let kept = std::fs::read_to_string(workspace.descriptors().join("shop/a.yaml"));
    assert_eq!(kept.expect("a text"), "as it was\n");
    assert!(workspace.descriptors().join("shop/b.yaml").exists());
}

#[test]
#[ignore = "long"]
fn whoever_leaves_at_a_question_gets_nothing() {
    for question in 0..ANSWERS.len() {
        for (left, signal, code) in [
            (&b"\x03"[..], Some(2), None),
            (b"half\x03", Some(2), None),
            (b"\x04", None, Some(2)),
            (b"half\x04\x04", None, Some(2)),
        ] {
            let workspace = Workspace::new();
            let mut answers = bytes(&ANSWERS[..question]);
            answers.push(left.to_vec());
            let (status, shown) = asked(&workspace, 80, &answers);
            let about = format!("{question} {}: {shown}", left.escape_ascii());
            assert_eq!((status.signal(), status.code()), (signal, code), "{about}");
            assert!(is_empty(&workspace), "{about}");
        }
    }
}

/// What the lints find in a fresh file is told when it is written, and a description is none of it.
#[test]
#[ignore = "long"]
fn what_only_a_person_can_say_is_told() {
    let curl = "curl https://api.shop.test/v1/things -d '{\"name\": \"a\"}' -H 'content-type: application/json'";
    for (arguments, open) in [
        (&["shop/list-orders"][..], &[][..]),
        (&["list-orders"], &[]),
        (&["shop/get-order", "--path", "/orders/{id}"], &[]),
        (&["shop/a", "--method", "head"], &[]),
        (&["shop/a", "--method", "delete", "--path", "/a/{id}"], &[]),
        (&["shop/a", "--method", "post"], &["no-idempotency"]),
        (&["shop/a", "--from-curl", curl], &["no-idempotency"]),
        (
            &[
                "shop/a",
                "--from-curl",
                "curl https://api.shop.test/x?limit=2",
            ],
            &[],
        ),
    ] {
        let workspace = Workspace::new();
        let mut run = workspace.toolrun();
        let command = run.args(["new", "--into", "descriptors"]).args(arguments);
        let told = crate::support::output(command).expect(0).stdout;
        let report = workspace
            .run(&[
                "validate",
                "--lint",
                "--deny-warnings",
                "descriptors",
                "--format",
                "json",
            ])
            .json();
        let found = report["findings"].as_array().expect("findings").iter();
        let codes: Vec<&str> = found
            .filter_map(|finding| finding["code"].as_str())
            .collect();
        assert_eq!(codes, open, "{arguments:?}: {told}");
        assert_eq!(told.contains("To fill in"), !codes.is_empty(), "{told}");
        for code in codes {
            assert!(told.contains(code), "{arguments:?}: {told}");
        }
        assert!(told.contains("the description says only"), "{told}");
    }
}

#[test]
fn a_tool_is_never_written_over_another_file() {
    for name in ["shop/service", "shop/sandbox", "service", "sandbox"] {
        let workspace = Workspace::new();
        let told = workspace.run(&["new", name, "--into", "descriptors"]);
        assert_eq!(told.code, 2, "{name}: {}", told.stdout);
        assert!(
            told.stderr.contains("another kind of file"),
            "{}",
            told.stderr
        );
        assert!(is_empty(&workspace), "{name}");
    }
}
