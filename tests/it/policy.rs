//! Policies: what `validate`, `policy test` and `policy explain` say of them, and what `serve --policy` lets through.

use std::path::Path;

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use crate::serve::{ONLY_PROBE, probe};
use crate::support::{Fake, Mcp, Reply, Workspace, assert_tells};

pub(crate) const POLICY: &str = r#"policy: 1
rules:
  - { tools: probe/list-things, when: "{{ args.limit > 50 }}", do: deny, why: At most 50 things at once. }
  - { tools: "probe/delete-*", when: "{{ args.id == 'junk' }}", do: allow, why: Junk may go. }
  - { tools: "probe/delete-*", callers: [nobody], do: allow }
cases:
  - { name: a short list, tool: probe/list-things, args: { limit: 50 }, expect: allow }
  - { tool: probe/list-things, args: { limit: 51 }, expect: deny }
  - { tool: probe/delete-thing, args: { id: junk }, expect: allow }
  - { tool: probe/delete-thing, args: { id: gold }, expect: deny }
  - { tool: probe/delete-thing, caller: nobody, args: { id: gold }, expect: allow }
"#;

/// The fake service, which remembers each request.
pub(crate) fn service() -> Fake {
    Fake::start(|request| match request.path.as_str() {
        "/things" => Reply::json(
            200,
            &json!({ "data": [{ "id": "a", "name": "x" }], "more": false }),
        ),
        _ => Reply::json(200, &json!({ "id": "a", "name": "x" })),
    })
}

fn serve(workspace: &Workspace) -> Mcp {
    workspace.serve(&[ONLY_PROBE[0], ONLY_PROBE[1], "--policy", "policy.yaml"])
}

#[test]
#[ignore = "long"]
fn the_cases_of_a_policy_are_run() {
    let workspace = probe(&service());
    workspace.write("policy.yaml", POLICY);
    let told = workspace
        .run(&["policy", "test", "policy.yaml"])
        .expect(0)
        .stdout;
    for part in [
        "ok    a short list: allow (rule default)",
        "ok    local calls probe/list-things: deny (rule 1)",
        "ok    nobody calls probe/delete-thing: allow (rule 3)",
        "5 cases, 0 failed; 3 rules;",
    ] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    workspace.write(
        "policy.yaml",
        POLICY.replace("limit: 51 }, expect: deny", "limit: 51 }, expect: allow"),
    );
    let told = workspace
        .run(&["policy", "test", "policy.yaml"])
        .expect(3)
        .stdout;
    let line = "FAIL  local calls probe/list-things: deny, not allow (rule 1: At most 50 things at once.)\n      policy.yaml:8:5";
    assert!(told.contains(line), "{told}");
    let told = workspace
        .run(&["policy", "test", "policy.yaml", "--json"])
        .expect(3)
        .json();
    assert_eq!(
        (told["failed"].clone(), told["cases"][1]["ok"].clone()),
        (json!(1), json!(false))
    );
    // Arguments that the tool would refuse prove nothing.
    workspace.write(
        "policy.yaml",
        POLICY.replace("limit: 51 }", "limit: 5001 }"),
    );
    let told = workspace
        .run(&["policy", "test", "policy.yaml"])
        .expect(3)
        .stdout;
    assert!(
        told.contains("FAIL") && told.contains("the arguments are not valid"),
        "{told}"
    );
    workspace.write("policy.yaml", "policy: 1\nrules: []\n");
    workspace.run(&["policy", "test", "policy.yaml"]).expect(2);
    workspace.write("policy.yaml", "policy: 1\nrules: [{ do: perhaps }]\n");
    let told = workspace.run(&["policy", "test", "policy.yaml"]).expect(3);
    assert_tells(&told, &["policy.yaml:2:15", "bad-value"]);
    workspace.run(&["policy", "test", "no-such.yaml"]).expect(3);
}

#[test]
fn a_ruling_is_explained() {
    let workspace = probe(&service());
    workspace.write("policy.yaml", POLICY);
    let explain = |more: &[&str]| {
        let words = [&["policy", "explain", "policy.yaml"], more].concat();
        workspace.run(&words).expect(0)
    };
    let told = explain(&["probe/delete-thing", "id=junk"]).stdout;
    let expected = "allow: Junk may go.\n  rule 1 (policy.yaml:3:5): is about other tools\n  rule 2 (policy.yaml:4:5): decides\n";
    assert_eq!(told, expected);
    let told = explain(&["delete-thing", "id=gold"]).stdout;
    assert!(
        told.starts_with(
            "deny: no rule of the policy allows probe/delete-thing, which is a destructive tool\n"
        ),
        "{told}"
    );
    assert!(told.contains("rule 2 (policy.yaml:4:5): its condition does not hold\n  rule 3 (policy.yaml:5:5): is about other callers\n  no rule decides\n"), "{told}");
    let told = explain(&["delete-thing", "id=gold", "--caller", "nobody", "--json"]).json();
    assert_eq!(
        (told["verdict"].clone(), told["rule"].clone()),
        (json!("allow"), json!(3))
    );
    let wrong = workspace.run(&[
        "policy",
        "explain",
        "policy.yaml",
        "list-things",
        "limit=5001",
    ]);
    wrong.expect(2);
}

#[test]
fn validate_knows_a_policy_by_its_first_key() {
    let workspace = probe(&service());
    workspace.write("rules/mine.yaml", POLICY);
    workspace
        .run(&["validate", "rules/mine.yaml", "--deny-warnings"])
        .expect(0);
    workspace.write(
        "rules/mine.yaml",
        POLICY.replace("args.limit >", "args.limits >"),
    );
    let told = workspace
        .run(&["validate", "rules/mine.yaml"])
        .expect(3)
        .stdout;
    assert!(
        told.contains("unknown-name") && told.contains("did you mean `limit`?"),
        "{told}"
    );
    workspace.write(
        "rules/mine.yaml",
        POLICY.replace("probe/list-things, when", "probe/list-thing, when"),
    );
    let told = workspace
        .run(&["validate", "rules/mine.yaml"])
        .expect(0)
        .stdout;
    assert!(
        told.contains("unmet-pattern") && told.contains("did you mean `probe/list-things`?"),
        "{told}"
    );
    workspace
        .run(&["validate", "rules", "--deny-warnings"])
        .expect(3);
}

#[test]
fn a_server_asks_its_policy() {
    let fake = service();
    let workspace = probe(&fake);
    workspace.write("policy.yaml", POLICY);
    let mut mcp = serve(&workspace);
    let names: Vec<Value> = mcp
        .tools()
        .iter()
        .map(|tool| tool["name"].clone())
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
    mcp.ok("probe_list_things", json!({ "limit": 50 }));
    mcp.ok("probe_delete_thing", json!({ "id": "junk" }));
    assert_eq!(fake.requests().len(), 2);
    let error = mcp.refused("probe_list_things", json!({ "limit": 51 }));
    assert_eq!(
        (error["kind"].clone(), error["message"].clone()),
        (json!("policy"), json!("At most 50 things at once."))
    );
    assert_eq!(
        (error["rule"].clone(), error["retry"].clone()),
        (json!("1"), json!(false))
    );
    assert_eq!(error["allowed"], json!([{ "do": "allow" }]));
    let error = mcp.refused("probe_delete_thing", json!({ "id": "gold" }));
    assert_eq!(
        error["allowed"],
        json!([{ "do": "allow", "when": "args.id == 'junk'" }])
    );
    assert_eq!(error["rule"], "default");
    // Arguments are checked before the policy sees them, and options of the result are nothing to it.
    assert_eq!(
        mcp.refused("probe_list_things", json!({ "limit": "many" }))["kind"],
        "usage"
    );
    assert_eq!(
        mcp.refused(
            "probe_list_things",
            json!({ "limit": 51, "format": "table" })
        )["kind"],
        "policy"
    );
    assert_eq!(fake.requests().len(), 2, "nothing that was refused is sent");
}

#[test]
fn a_tool_that_the_policy_never_lets_run_is_not_listed_and_says_nothing_of_its_arguments() {
    let fake = service();
    let workspace = probe(&fake);
    workspace.write(
        "policy.yaml",
        "policy: 1\nrules: [{ tools: probe/get-thing, do: allow }]\ndefault: deny\n",
    );
    let mut mcp = serve(&workspace);
    let names: Vec<Value> = mcp
        .tools()
        .iter()
        .map(|tool| tool["name"].clone())
        .collect();
    assert_eq!(names, [json!("probe_get_thing")]);
    for arguments in [json!({}), json!({ "id": "a" }), json!({ "ix": 1 })] {
        let error = mcp.refused("probe_delete_thing", arguments);
        assert_eq!(
            (error["kind"].clone(), error["allowed"].clone()),
            (json!("policy"), json!([]))
        );
    }
    assert_eq!(fake.requests().len(), 0);
}

#[test]
#[ignore = "long"]
fn an_edited_policy_is_in_force_and_a_broken_one_leaves_the_last() {
    let fake = service();
    let workspace = probe(&fake);
    workspace.write("policy.yaml", POLICY);
    let mut mcp = serve(&workspace);
    mcp.refused("probe_list_things", json!({ "limit": 51 }));
    workspace.write("policy.yaml", POLICY.replace("> 50", ">50 +"));
    let said = mcp
        .process
        .says("policy.yaml is broken; the policy from before stays in force");
    assert!(
        said.contains("policy.yaml:3:") && said.contains("[bad-template]"),
        "{said}"
    );
    mcp.refused("probe_list_things", json!({ "limit": 51 }));
    std::fs::remove_file(workspace.path().join("policy.yaml")).expect("a file");
    mcp.process.says("[unreadable-file]");
    assert!(!mcp.process.said().contains("is not served"));
    mcp.refused("probe_list_things", json!({ "limit": 51 }));
    mcp.ok("probe_list_things", json!({ "limit": 50 }));
    workspace.write("policy.yaml", POLICY.replace("> 50", "> 60"));
    mcp.process
        .says("policy.yaml has changed; its 3 rules are in force");
    // The set is replaced just before it is said.
    mcp.process.says("reloaded:");
    let ok = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        mcp.call("probe_list_things", json!({ "limit": 51 }))["isError"] != json!(true)
    });
    assert!(ok, "{}", mcp.process.said());
}

#[test]
#[ignore = "long"]
fn a_server_does_not_start_with_a_broken_policy() {
    let workspace = probe(&service());
    for (text, part) in [
        ("policy: 1\nrules: [{ do: permit }]\n", "bad-value"),
        (
            "policy: 1\nrules: [{ tools: a/b, d: deny }]\n",
            "unknown-key",
        ),
        ("rules: []\n", "missing-key"),
        (
            "policy: 1\nrules: [{ do: deny }, { do: allow }]\n",
            "unreachable-rule",
        ),
    ] {
        workspace.write("policy.yaml", text);
        let told = workspace
            .run(&["serve", "--policy", "policy.yaml"])
            .expect(3);
        assert_tells(&told, &["policy.yaml:", part]);
    }
    workspace
        .run(&["serve", "--policy", "no-such.yaml"])
        .expect(3);
}

/// Whoever can write the file decides what runs.
#[cfg(unix)]
#[test]
fn a_policy_that_others_can_write_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let workspace = probe(&service());
    workspace.write("policy.yaml", POLICY);
    let file: &Path = &workspace.path().join("policy.yaml");
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o666)).expect("a mode");
    let told = workspace
        .run(&["serve", "--policy", "policy.yaml"])
        .expect(3);
    assert_tells(&told, &["other users can write to it"]);
}
