//! The table of rules, calls and rulings.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::catalog::Catalog;
use crate::source::Source;

fn tools() -> Vec<Arc<Tool>> {
    let names = ["list-members", "create-invite", "remove-member"];
    let catalog = Catalog::builtin();
    let tool = |name| {
        catalog
            .tool(&format!("anthropic-admin/{name}"))
            .expect("a built-in tool")
    };
    names.map(tool).to_vec()
}

fn policy(text: &str) -> Policy {
    let text = format!("policy: 1\n{text}");
    let source = Source::parse("policy.yaml".to_owned(), text.into()).expect("YAML");
    let check = Check::proving(source);
    let policy = Policy::compile(&check, Some(&tools()));
    let findings = check.into_findings();
    assert!(findings.is_empty(), "{findings:?}");
    policy.expect("a policy")
}

fn ruling(policy: &Policy, caller: &str, tool: &str, arguments: Value) -> Ruling {
    let tools = tools();
    let tool = tools
        .iter()
        .find(|known| known.name == tool)
        .expect("a tool");
    let arguments = tool.accept(arguments).expect("arguments");
    policy.decide(&Caller::named(caller), tool, &arguments)
}

const INVITE: &str = r#"{"email": "a@example.com", "role": "user"}"#;

#[test]
fn the_first_rule_that_matches_decides() {
    let invite = || serde_json::from_str::<Value>(INVITE).expect("JSON");
    let rules = r#"rules:
  - { tools: "*/create-*", callers: "agent-*", when: "{{ args.role == 'billing' }}", do: deny, why: No billing. }
  - { tools: "*/create-*", callers: "agent-*", do: ask }
  - { callers: [ci], when: "{{ tool.access == 'read' and tool.method == 'GET' and tool.service == 'anthropic-admin' }}", do: allow }
  - { callers: [ci], do: deny }
"#;
    let policy = policy(rules);
    for (caller, tool, arguments, verdict, rule) in [
        ("agent-1", "create-invite", invite(), Verdict::Ask, Some(2)),
        (
            "agent-1",
            "create-invite",
            json!({"email": "a@example.com", "role": "billing"}),
            Verdict::Deny,
            Some(1),
        ),
        ("agent-1", "list-members", json!({}), Verdict::Allow, None),
        ("local", "create-invite", invite(), Verdict::Deny, None),
        ("ci", "list-members", json!({}), Verdict::Allow, Some(3)),
        ("ci", "create-invite", invite(), Verdict::Deny, Some(4)),
        ("CI", "list-members", json!({}), Verdict::Allow, None),
        (
            "agent-1",
            "remove-member",
            json!({"user_id": "user_1"}),
            Verdict::Deny,
            None,
        ),
    ] {
        let given = ruling(&policy, caller, tool, arguments.clone());
        assert_eq!(
            (given.verdict, given.rule),
            (verdict, rule),
            "{caller} {tool} {arguments}: {given:?}"
        );
        assert!(!given.is_broken && !given.why.is_empty());
    }
    let why = ruling(
        &policy,
        "agent-1",
        "create-invite",
        json!({"email": "a@example.com", "role": "billing"}),
    )
    .why;
    assert_eq!(why, "No billing.");
}

#[test]
fn the_default_is_for_what_no_rule_matches() {
    let invite = || serde_json::from_str::<Value>(INVITE).expect("JSON");
    for (default, read, write) in [
        ("", Verdict::Allow, Verdict::Deny),
        ("default: allow", Verdict::Allow, Verdict::Allow),
        ("default: ask", Verdict::Ask, Verdict::Ask),
        ("default: deny", Verdict::Deny, Verdict::Deny),
    ] {
        let policy = policy(&format!("rules: []\n{default}\n"));
        let read_given = ruling(&policy, "local", "list-members", json!({}));
        assert_eq!(
            (read_given.verdict, read_given.rule_name()),
            (read, "default".to_owned()),
            "{default}"
        );
        assert_eq!(
            ruling(&policy, "local", "create-invite", invite()).verdict,
            write,
            "{default}"
        );
    }
}

/// A condition that cannot be computed lets nothing through, whatever the rule does; one that only is not true does not
/// match.
#[test]
fn a_condition_that_fails_denies() {
    for (when, arguments, expected) in [
        // The defaults of params count.
        ("args.limit <= 100", json!({}), Ok(true)),
        ("args.limit <= 10", json!({}), Ok(false)),
        ("args.limit <= 10", json!({"limit": 5}), Ok(true)),
        // What is absent is neither small nor large.
        (
            "args.after_id < 'm'",
            json!({}),
            Err("`args.after_id` is absent"),
        ),
        (
            "'m' > args['after_id']",
            json!({}),
            Err("`args.after_id` is absent"),
        ),
        (
            "args.after_id is defined and args.after_id < 'm'",
            json!({}),
            Ok(false),
        ),
        (
            "args.after_id is not defined or args.after_id < 'm'",
            json!({}),
            Ok(true),
        ),
        ("args.after_id | default('a') < 'm'", json!({}), Ok(true)),
        ("args.after_id == 'x'", json!({}), Err("undefined")),
        ("args.after_id", json!({}), Ok(false)),
        ("args.after_id", json!({"after_id": "x"}), Ok(true)),
        (
            "caller.claims.level > 3",
            json!({}),
            Err("`caller.claims.level` is absent"),
        ),
        ("caller.claims.team == 'x'", json!({}), Err("undefined")),
        // What the engine refuses to compute.
        ("range(100000000) | length > 3", json!({}), Err("range")),
        (
            "1 // (args.limit - args.limit) == 1",
            json!({"limit": 1}),
            Err(""),
        ),
        ("caller.claims.a.b == 1", json!({}), Err("")),
    ] {
        for verdict in [Verdict::Allow, Verdict::Ask, Verdict::Deny] {
            let policy = policy(&format!(
                "rules: [{{ tools: anthropic-admin/list-members, when: \"{{{{ {when} }}}}\", do: {verdict} }}]\ndefault: allow\n"
            ));
            let given = ruling(&policy, "local", "list-members", arguments.clone());
            match expected {
                Ok(matches) => {
                    assert!(!given.is_broken, "{when}: {given:?}");
                    assert_eq!(
                        given.rule.is_some(),
                        matches,
                        "{when} {arguments}: {given:?}"
                    );
                }
                Err(part) => {
                    assert!(given.is_broken, "{when}: {given:?}");
                    assert_eq!(given.verdict, Verdict::Deny, "{when}");
                    assert!(given.why.contains(part), "{when}: {}", given.why);
                }
            }
        }
    }
}

#[test]
fn a_tool_is_offered_if_some_call_of_it_may_run() {
    for (rules, read, write) in [
        ("rules: []", true, false),
        ("rules: []\ndefault: deny", false, false),
        ("rules: [{ do: ask }]", true, true),
        ("rules: [{ do: deny }]", false, false),
        ("rules: [{ callers: ci, do: deny }]", true, false),
        (
            "rules: [{ callers: ci, do: allow }]\ndefault: deny",
            true,
            true,
        ),
        (
            "rules: [{ when: \"{{ tool.access == 'write' }}\", do: deny }]\ndefault: ask",
            true,
            true,
        ),
        (
            "rules: [{ tools: '*/create-*', do: deny }]\ndefault: allow",
            true,
            false,
        ),
    ] {
        let policy = policy(rules);
        let tools = tools();
        assert_eq!(
            (policy.offers(&tools[0]), policy.offers(&tools[1])),
            (read, write),
            "{rules}"
        );
    }
}

#[test]
fn the_ways_that_are_left_are_told() {
    let policy = policy(
        r#"rules:
  - { tools: "*/create-*", when: "{{ args.role == 'billing' }}", do: deny }
  - { tools: "*/create-*", callers: ci, when: "{{ args.role == 'user' }}", do: allow }
  - { tools: "*/create-*", do: ask }
"#,
    );
    let tools = tools();
    let ways = |caller: &str, tool: usize| policy.ways(&Caller::named(caller), &tools[tool]);
    let way = |verdict, when: Option<&str>| Way {
        verdict,
        when: when.map(str::to_owned),
    };
    assert_eq!(ways("local", 1), [way(Verdict::Ask, None)]);
    let expected = [
        way(Verdict::Allow, Some("args.role == 'user'")),
        way(Verdict::Ask, None),
    ];
    assert_eq!(ways("ci", 1), expected);
    assert_eq!(ways("ci", 0), [way(Verdict::Allow, None)]);
    assert_eq!(ways("ci", 2), []);
    assert_eq!(policy.unmet(&tools), 2);
}
