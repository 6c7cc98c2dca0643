//! `call --sandbox` compiles what its tool needs: the rest of a service may be broken, and answers where it should.

use crate::support::{Fake, Reply, Workspace, assert_tells};
use pretty_assertions::assert_eq;

const SERVICE: &str = "auth: { kind: bearer, secret: { env: TOKEN } }\nretry: { max_attempts: 1 }\nerrors: { message: $.error }";

const SANDBOX: &str = "spec: 1
sandbox: probe
seed: 1
now: '2026-01-01T00:00:00Z'
secrets: { TOKEN: made-up-token }
request_id: r
errors: { body: { error: '{{ message }}' }, codes: {} }
data: { things: { count: 2, row: { id: 'thing-{{ index }}' } } }
routes:
  list-things: { from: things, body: { whose: list-things, rows: '{{ rows }}' } }
  get-thing: { body: { whose: get-thing } }
  get-special: { body: { whose: get-special } }
  run-job: { body: { whose: run-job, id: job-1 } }
  get-job: { body: { whose: get-job, state: done } }
";

/// A service with tools that share paths.
fn workspace() -> Workspace {
    let workspace = Workspace::new();
    workspace.service("https://api.example.com", SERVICE);
    workspace.write("descriptors/probe/sandbox.yaml", SANDBOX);
    let id =
        "params: { required: [id], properties: { id: { type: string, description: The id. } } }";
    workspace.tool(
        "list-things",
        "read",
        "request: { method: GET, path: /things }",
    );
    let get =
        |path: &str| format!("{id}\nrequest: {{ method: GET, path: \"{path}/{{{{ id }}}}\" }}");
    workspace.tool("get-thing", "read", &get("/things"));
    workspace.tool(
        "get-special",
        "read",
        "request: { method: GET, path: /things/special }",
    );
    let wait = "wait: { path: '/jobs/{{ created.id }}', until: \"{{ body.state == 'done' }}\", interval: 1ms }";
    workspace.tool(
        "run-job",
        "read",
        &format!("request: {{ method: POST, path: /jobs }}\n{wait}"),
    );
    workspace.tool("get-job", "read", &get("/jobs"));
    workspace.run(&["validate", "descriptors"]).expect(0);
    workspace
}

/// The name of a case, a file and the text that replaces it, a call, its exit code, and what the call tells.
type Case<'c> = (&'c str, &'c str, &'c str, &'c [&'c str], i32, &'c str);

#[test]
fn a_call_needs_of_a_sandbox_what_its_own_requests_need() {
    let special = "spec: 1\ntool: get-special\nservice: probe\ndescription: D.\naccess: read\nrequest: { method: GET, path: \"/things/\\x73pecial\" }\n";
    let unlike = "spec: 1\ntool: get-special\nservice: probe\nbroken: yes\n";
    let broken_special =
        "spec: 1\ntool: get-special\nservice: probe\nrequest: { path: /things/special }\n";
    let broken_route = SANDBOX.replace("whose: get-job", "whose: '{{ unknown }}'");
    let own_broken_route = SANDBOX.replace("whose: list-things", "whose: '{{ unknown }}'");
    let without_route = SANDBOX.replace("  get-special: { body: { whose: get-special } }\n", "");
    let list: &[&str] = &["list-things"];
    let thing: &[&str] = &["get-thing", "id=thing-1"];
    let nearer: &[&str] = &["get-thing", "id=special"];
    let job: &[&str] = &["run-job"];
    let cases: &[Case<'_>] = &[
        ("a list", "", "", list, 0, "list-things"),
        ("one thing", "", "", thing, 0, "get-thing"),
        ("a nearer path", "", "", nearer, 0, "get-special"),
        (
            "a nearer path, escaped",
            "get-special.yaml",
            special,
            nearer,
            0,
            "get-special",
        ),
        (
            "an id that is not plain",
            "",
            "",
            &["get-thing", "id=a b"],
            0,
            "get-thing",
        ),
        (
            "a job, which another tool tells of",
            "",
            "",
            job,
            0,
            "get-job",
        ),
        (
            "a broken tool elsewhere",
            "get-special.yaml",
            unlike,
            list,
            0,
            "list-things",
        ),
        (
            "a broken tool that cannot be nearer",
            "get-special.yaml",
            unlike,
            thing,
            0,
            "get-thing",
        ),
        (
            "a broken tool that may be nearer",
            "get-special.yaml",
            broken_special,
            nearer,
            7,
            "get-special.yaml",
        ),
        (
            "a broken tool, for a job",
            "get-special.yaml",
            unlike,
            job,
            7,
            "get-special.yaml",
        ),
        (
            "a broken route elsewhere",
            "sandbox.yaml",
            &broken_route,
            list,
            0,
            "list-things",
        ),
        (
            "a broken route, for a job",
            "sandbox.yaml",
            &broken_route,
            job,
            7,
            "sandbox.yaml",
        ),
        (
            "a broken route of its own",
            "sandbox.yaml",
            &own_broken_route,
            list,
            3,
            "sandbox.yaml",
        ),
        (
            "no route of its own",
            "sandbox.yaml",
            &without_route,
            &["get-special"],
            6,
            "Not Found",
        ),
        (
            "a broken declaration",
            "sandbox.yaml",
            "spec: [",
            list,
            3,
            "sandbox.yaml",
        ),
    ];
    for (name, file, text, call, code, told) in cases {
        let workspace = workspace();
        if !file.is_empty() {
            workspace.write(&format!("descriptors/probe/{file}"), text);
        }
        let command = [&["call", "--sandbox", "-o", "json"], *call].concat();
        let output = workspace.run(&command);
        assert_eq!(
            output.code, *code,
            "{name}: {}{}",
            output.stdout, output.stderr
        );
        match code {
            0 => assert_eq!(output.json()["whose"], *told, "{name}"),
            _ => assert_tells(&output, &[told]),
        }
    }
}

#[test]
fn a_call_to_a_sandbox_that_runs_needs_its_secrets_alone() {
    let broken = SANDBOX.replace("whose: list-things", "whose: '{{ unknown }}'");
    let without = SANDBOX.replace("secrets: { TOKEN: made-up-token }\n", "");
    for (name, text, code, told) in [
        ("sound", SANDBOX, 0, ""),
        ("a broken route", &broken, 0, ""),
        ("no secret", &without, 3, "sandbox.yaml"),
        ("a broken declaration", "spec: [", 3, "sandbox.yaml"),
    ] {
        let fake = Fake::start(|_| Reply::ok());
        let workspace = workspace();
        workspace.write("descriptors/probe/sandbox.yaml", text);
        let flag = format!("--sandbox={}", fake.origin());
        let output = workspace.run(&["call", "list-things", &flag]);
        assert_eq!(output.code, code, "{name}: {}", output.stderr);
        assert_tells(&output, &[told]);
        if code == 0 {
            let request = fake.only_request();
            assert_eq!(
                request.header("authorization"),
                Some("Bearer made-up-token"),
                "{name}"
            );
        }
    }
}
