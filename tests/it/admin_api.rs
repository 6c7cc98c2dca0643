//! What the Admin API answers beside plain successes: changes that were made in part, and betas that it does not know.

use crate::support::{Fake, Reply, Sandbox, Workspace, get};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};

/// A call of a tool with an error code in the answer, and what the error says.
struct Case {
    tool: &'static str,
    args: Value,
    status: u16,
    code: &'static str,
    /// What a reader must learn.
    tells: &'static [&'static str],
}

fn cases() -> Vec<Case> {
    let workspace = "wrkspc_01JwQvzr7rXLA5AGx3HKfFUJ";
    let unknown = &[
        "may have been saved",
        "repeats nothing that is saved",
        "as it is told",
    ];
    let incomplete = &[
        "wrkspc_01Made was created",
        "Do not create it again",
        "as it is told",
    ];
    vec![
        Case {
            tool: "anthropic-admin/create-workspace",
            args: json!({ "name": "n" }),
            status: 503,
            code: "workspace_created_incomplete",
            tells: incomplete,
        },
        Case {
            tool: "anthropic-admin-oauth/create-workspace-with-data-privacy",
            args: json!({ "name": "n", "human_review": { "type": "enabled" } }),
            status: 503,
            code: "workspace_created_incomplete",
            tells: incomplete,
        },
        Case {
            tool: "anthropic-admin/update-workspace",
            args: json!({ "workspace_id": workspace, "name": "n" }),
            status: 503,
            code: "change_outcome_unknown",
            tells: unknown,
        },
        Case {
            tool: "anthropic-admin-oauth/update-workspace-data-privacy",
            args: json!({ "workspace_id": workspace, "human_review": { "type": "enabled" } }),
            status: 503,
            code: "change_outcome_unknown",
            tells: unknown,
        },
        Case {
            tool: "anthropic-enterprise/update-rbac-group",
            args: json!({ "rbac_group_id": "rbac_group_01", "name": "n" }),
            status: 503,
            code: "change_outcome_unknown",
            tells: unknown,
        },
        Case {
            tool: "anthropic-api/update-user-profile",
            args: json!({ "user_profile_id": "uprof_01", "name": "n" }),
            status: 503,
            code: "change_outcome_unknown",
            tells: unknown,
        },
        Case {
            tool: "anthropic-admin/archive-workspace",
            args: json!({ "workspace_id": workspace }),
            status: 409,
            code: "storage_attached_during_archive",
            tells: &[
                "was archived",
                "still is",
                "archive the workspace again",
                "as it is told",
            ],
        },
    ]
}

/// The built-in services, at another place.
fn moved_to(origin: &str) -> Workspace {
    let workspace = Workspace::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tools");
    let found = glob::glob(&root.join("*/*.yaml").to_string_lossy()).expect("a glob");
    for path in found.map(|path| path.expect("a path")) {
        let name = path.strip_prefix(&root).expect("below").to_string_lossy();
        if !name.ends_with("sandbox.yaml") {
            let text = std::fs::read_to_string(&path).expect("UTF-8");
            let base = "base_url: https://api.anthropic.com";
            let text = text.replace(base, &format!("base_url: {origin}"));
            // Examples name the true place.
            let text = text.split("\nexamples:\n").next().expect("a text");
            workspace.write(&format!("descriptors/{name}"), text);
        }
    }
    workspace
}

#[test]
fn what_was_changed_in_part_is_told_and_not_sent_again() {
    for case in cases() {
        let body = json!({
            "type": "error",
            "error": {
                "type": "api_error",
                "message": "as it is told",
                "details": { "error_code": case.code, "workspace_id": "wrkspc_01Made" },
            },
        });
        let status = case.status;
        let fake = Fake::start(move |_| Reply::json(status, &body));
        let workspace = moved_to(&fake.origin());
        let mut command = workspace.toolrun();
        command
            .env("ANTHROPIC_ADMIN_API_KEY", "sk-ant-admin01-made-up")
            .env("ANTHROPIC_OAUTH_TOKEN", "made-up")
            .env("ANTHROPIC_ENTERPRISE_KEY", "sk-ant-api01-made-up")
            .env("ANTHROPIC_API_KEY", "sk-ant-api03-made-up")
            .args(["call", case.tool, "--yes", "-o", "json"]);
        let output = crate::support::output(command.arg(case.args.to_string()));
        let error = output.expect(if status < 500 { 6 } else { 7 }).error();
        let told = &error["upstream"];
        assert_eq!(told["code"], case.code, "{}", case.tool);
        for part in case.tells {
            let message = told["message"].as_str().expect("a message");
            assert!(message.contains(part), "{}: {message}", case.tool);
        }
        assert_eq!(fake.requests().len(), 1, "{}", case.tool);
    }
}

/// The same status without the code keeps the service's own words, and is tried again where that is safe.
#[test]
fn other_failures_are_as_they_were() {
    let body = json!({ "error": { "type": "api_error", "message": "busy" } });
    let fake = Fake::start(move |_| Reply::json(503, &body).with("retry-after", "0"));
    let workspace = moved_to(&fake.origin());
    let mut command = workspace.toolrun();
    command
        .env("ANTHROPIC_ADMIN_API_KEY", "sk-ant-admin01-made-up")
        .args(["call", "list-workspaces", "-o", "json"]);
    let error = crate::support::output(&mut command).expect(7).error();
    assert_eq!(error["upstream"]["message"], "busy");
    assert_eq!(fake.requests().len(), 4);
}

#[test]
fn a_sandbox_refuses_betas_that_it_does_not_know() {
    let sandbox = Sandbox::start();
    let ask = |beta: &[&str]| {
        let mut headers = vec![("x-api-key", crate::support::KEY), crate::support::VERSION];
        headers.extend(beta.iter().map(|value| ("anthropic-beta", *value)));
        let target = "/v1/organizations/external_storage?limit=1";
        get(&sandbox.address, target, &headers)
    };
    let table: [(&[&str], u16, &str); 7] = [
        (&["efs-2026-10-01"], 200, ""),
        (&["efs-2026-10-01,fast-mode-2026-02-01"], 200, ""),
        (&["fast-mode-2026-02-01", "efs-2026-10-01"], 200, ""),
        (&[], 400, "efs-2026-10-01 is required"),
        (&["fast-mode-2026-02-01"], 400, "efs-2026-10-01 is required"),
        (&["made-up"], 400, "Unexpected value(s) `made-up` for"),
        (
            &["efs-2026-10-01, made-up", "other"],
            400,
            "Unexpected value(s) `made-up`, `other` for the `anthropic-beta` header.",
        ),
    ];
    for (beta, status, message) in table {
        let answer = ask(beta);
        assert_eq!(answer.status, status, "{beta:?}: {}", answer.body);
        let body = answer.body.to_string();
        assert!(body.contains(message), "{beta:?}: {body}");
    }
}

/// An update without a change is a mistake, of every tool that updates.
#[test]
fn an_update_of_nothing_is_refused() {
    let sandbox = Sandbox::start();
    for target in [
        "/v1/organizations/workspaces/wrkspc_01JwQvzr7rXLA5AGx3HKfFUJ",
        "/v1/organizations/api_keys/apikey_01Rj2N8SVvo6BePZj99NhmiT",
        "/v1/organizations/users/user_01WCz1FkmYMm4gnmykNKUu3Q",
        "/v1/organizations/external_keys/ekey_01SDCCSbTxrXDpWc1phhtcfK",
        "/v1/organizations/external_storage/estrg_01Vb7TcXk3QmRz9HnWd5PsLy",
    ] {
        sandbox.refused("POST", target, &json!({}), 400);
    }
}
