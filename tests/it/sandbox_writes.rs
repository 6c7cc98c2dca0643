//! What requests write to a sandbox, and what later requests read.

use std::collections::HashSet;
use std::thread;

use crate::support::{KEY, Sandbox, VERSION, Workspace};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};

const INVITES: &str = "/v1/organizations/invites";
const USERS: &str = "/v1/organizations/users";
const WORKSPACES: &str = "/v1/organizations/workspaces";
const KEYS: &str = "/v1/organizations/api_keys";
/// The workspace, the member and the key of the documentation's examples.
const A_WORKSPACE: &str = "wrkspc_01JwQvzr7rXLA5AGx3HKfFUJ";
const A_USER: &str = "user_01WCz1FkmYMm4gnmykNKUu3Q";
const A_KEY: &str = "apikey_01Rj2N8SVvo6BePZj99NhmiT";

fn id(value: &Value) -> String {
    value["id"].as_str().expect("an id").to_owned()
}

fn data(sandbox: &Sandbox, target: &str) -> Vec<Value> {
    sandbox.ok(target)["data"]
        .as_array()
        .expect("an array")
        .clone()
}

#[test]
fn an_invite_is_created_read_and_deleted() {
    let sandbox = Sandbox::start();
    let before = data(&sandbox, &format!("{INVITES}?limit=1000"));
    let wanted = json!({ "email": "new@example.com", "role": "developer" });
    let made = sandbox.wrote("POST", INVITES, &wanted);
    assert_eq!(
        (&made["status"], &made["rbac_group_ids"]),
        (&json!("pending"), &json!([]))
    );
    assert_eq!(made["expires_at"], "2026-12-15T00:00:00.000000Z");
    let one = format!("{INVITES}/{}", id(&made));
    assert_eq!(sandbox.ok(&one), made);
    let listed = data(&sandbox, &format!("{INVITES}?limit=1000"));
    assert_eq!(listed[0], made);
    assert_eq!(listed[1..], before);

    let again = sandbox.refused("POST", INVITES, &wanted, 400);
    assert_eq!(
        again["details"],
        json!({ "error_code": "invite_already_exists" })
    );
    let member = json!({ "email": "member7@example.com", "role": "user" });
    let told = sandbox.refused("POST", INVITES, &member, 400);
    assert_eq!(told["details"]["error_code"], "already_member");

    let deleted = sandbox.wrote("DELETE", &one, &Value::Null);
    assert_eq!(
        deleted,
        json!({ "id": made["id"], "type": "invite_deleted" })
    );
    assert_eq!(
        sandbox.refused("GET", &one, &Value::Null, 404)["type"],
        "not_found_error"
    );
    sandbox.refused("DELETE", &one, &Value::Null, 404);
    assert_eq!(data(&sandbox, &format!("{INVITES}?limit=1000")), before);
    sandbox.wrote("POST", INVITES, &wanted);
}

#[test]
fn only_pending_invites_can_be_deleted() {
    let sandbox = Sandbox::start();
    let accepted = data(&sandbox, &format!("{INVITES}?statuses[]=accepted&limit=1"));
    let target = format!("{INVITES}/{}", id(&accepted[0]));
    let told = sandbox.refused("DELETE", &target, &Value::Null, 400);
    assert_eq!(told["message"], "Only pending invites can be deleted.");
    assert_eq!(sandbox.ok(&target), accepted[0]);
}

#[test]
fn a_workspace_lives_until_it_is_archived() {
    let sandbox = Sandbox::start();
    let wanted = json!({ "name": "new", "tags": { "env": "prod", "team": "apps" }, "data_residency": { "default_inference_geo": "us" } });
    let made = sandbox.wrote("POST", WORKSPACES, &wanted);
    let residency = |allowed: Value, default: &str| json!({ "allowed_inference_geos": allowed, "default_inference_geo": default, "workspace_geo": "us" });
    assert_eq!(
        made["data_residency"],
        residency(json!("unrestricted"), "us")
    );
    assert_eq!(data(&sandbox, &format!("{WORKSPACES}?limit=1"))[0], made);

    let one = format!("{WORKSPACES}/{}", id(&made));
    let change = json!({ "tags": { "env": null, "owner": "me" }, "data_residency": { "allowed_inference_geos": ["us"] } });
    let changed = sandbox.wrote("POST", &one, &change);
    let mut expected = made.clone();
    expected["tags"] = json!({ "team": "apps", "owner": "me" });
    expected["data_residency"] = residency(json!(["us"]), "us");
    assert_eq!(changed, expected);
    assert_eq!(sandbox.ok(&one), expected);

    let key = json!({ "external_key_id": "ekey_01SDCCSbTxrXDpWc1phhtcfK" });
    let attachment = || {
        sandbox.ok("/v1/organizations/external_keys/ekey_01SDCCSbTxrXDpWc1phhtcfK")["attachment"]["type"].clone()
    };
    assert_eq!(attachment(), "unattached");
    assert_eq!(
        sandbox.wrote("POST", &one, &key)["external_key_id"],
        key["external_key_id"]
    );
    assert_eq!(attachment(), "attached");
    sandbox.refused("POST", &one, &key, 400);
    let target = "/v1/organizations/external_keys/ekey_01SDCCSbTxrXDpWc1phhtcfK";
    sandbox.refused("DELETE", target, &Value::Null, 400);

    let archived = sandbox.wrote("POST", &format!("{one}/archive"), &Value::Null);
    assert_eq!(archived["archived_at"], "2026-11-24T00:00:00.000000Z");
    assert_eq!(sandbox.ok(&one), archived);
    assert_ne!(
        data(&sandbox, &format!("{WORKSPACES}?limit=1"))[0]["id"],
        made["id"]
    );
    let all = format!("{WORKSPACES}?limit=1&include_archived=true");
    assert_eq!(data(&sandbox, &all)[0], archived);
    sandbox.refused("POST", &one, &change, 400);
}

#[test]
fn to_archive_a_workspace_revokes_its_keys() {
    let sandbox = Sandbox::start();
    let keys = format!("{KEYS}?workspace_id={A_WORKSPACE}&status=archived&limit=1000");
    let all = data(
        &sandbox,
        &format!("{KEYS}?workspace_id={A_WORKSPACE}&limit=1000"),
    );
    assert!(data(&sandbox, &keys).len() < all.len());
    sandbox.wrote(
        "POST",
        &format!("{WORKSPACES}/{A_WORKSPACE}/archive"),
        &Value::Null,
    );
    assert_eq!(data(&sandbox, &keys).len(), all.len());

    let listed = data(
        &sandbox,
        &format!("{WORKSPACES}?include_default=true&limit=1"),
    );
    assert_eq!(listed[0]["name"], "Default");
    let target = format!("{WORKSPACES}/{}/archive", id(&listed[0]));
    sandbox.refused("POST", &target, &Value::Null, 400);
}

#[test]
fn a_member_changes_role_and_leaves() {
    let sandbox = Sandbox::start();
    let one = format!("{USERS}/{A_USER}");
    let before = sandbox.ok(&one);
    let changed = sandbox.wrote("POST", &one, &json!({ "role": "billing" }));
    assert_eq!(changed["role"], "billing");
    assert_eq!(changed["email"], before["email"]);
    assert_eq!(sandbox.ok(&one), changed);
    sandbox.refused("POST", &one, &json!({ "role": "admin" }), 400);
    sandbox.refused("POST", &one, &json!({ "role": "managed" }), 400);
    let by_email = format!(
        "{USERS}?email={}",
        before["email"].as_str().expect("an e-mail")
    );
    assert_eq!(data(&sandbox, &by_email), [changed]);

    let membership = format!("{WORKSPACES}/{A_WORKSPACE}/members/{A_USER}");
    sandbox.ok(&membership);
    let removed = sandbox.wrote("DELETE", &one, &Value::Null);
    assert_eq!(removed, json!({ "id": A_USER, "type": "user_deleted" }));
    for target in [&one, &membership] {
        sandbox.refused("GET", target, &Value::Null, 404);
    }
    let admins = data(&sandbox, &format!("{USERS}?roles[]=admin"));
    let told = sandbox.refused(
        "DELETE",
        &format!("{USERS}/{}", id(&admins[0])),
        &Value::Null,
        400,
    );
    assert_eq!(told["message"], "Admins cannot be removed through the API.");
}

#[test]
fn an_organization_keeps_its_last_admin() {
    let sandbox = Sandbox::start();
    let admins = data(&sandbox, &format!("{USERS}?roles[]=admin"));
    let user = json!({ "role": "user" });
    let (last, others) = admins.split_last().expect("an admin");
    for admin in others {
        sandbox.wrote("POST", &format!("{USERS}/{}", id(admin)), &user);
    }
    sandbox.refused("POST", &format!("{USERS}/{}", id(last)), &user, 400);
}

#[test]
fn a_workspace_member_is_found_by_two_keys() {
    let sandbox = Sandbox::start();
    let workspaces = data(&sandbox, &format!("{WORKSPACES}?limit=9"));
    let members = format!("{WORKSPACES}/{}/members", id(&workspaces[8]));
    let one = format!("{members}/{A_USER}");
    sandbox.refused("GET", &one, &Value::Null, 404);
    let wanted = json!({ "user_id": A_USER, "workspace_role": "workspace_user" });
    let made = sandbox.wrote("POST", &members, &wanted);
    assert_eq!(data(&sandbox, &members)[0], made);
    assert_eq!(
        sandbox.refused("POST", &members, &wanted, 400)["details"]["error_code"],
        "already_member"
    );
    let changed = sandbox.wrote(
        "POST",
        &one,
        &json!({ "workspace_role": "workspace_admin" }),
    );
    assert_eq!(sandbox.ok(&one), changed);
    sandbox.refused(
        "POST",
        &one,
        &json!({ "workspace_role": "workspace_billing" }),
        400,
    );
    // The same user in another workspace is another member.
    let other = sandbox.ok(&format!("{WORKSPACES}/{A_WORKSPACE}/members/{A_USER}"));
    sandbox.wrote("DELETE", &one, &Value::Null);
    sandbox.refused("GET", &one, &Value::Null, 404);
    assert_eq!(
        sandbox.ok(&format!("{WORKSPACES}/{A_WORKSPACE}/members/{A_USER}")),
        other
    );

    let nobody = json!({ "user_id": "user_nobody", "workspace_role": "workspace_user" });
    sandbox.refused("POST", &members, &nobody, 404);
    sandbox.refused(
        "GET",
        &format!("{WORKSPACES}/wrkspc_none/members"),
        &Value::Null,
        404,
    );
    sandbox.refused(
        "POST",
        &format!("{WORKSPACES}/wrkspc_none/members"),
        &wanted,
        404,
    );
}

#[test]
fn tools_of_one_operation_are_told_apart_by_their_bodies() {
    let sandbox = Sandbox::start();
    let one = format!("{KEYS}/{A_KEY}");
    let status = |status: &str| json!({ "status": status });
    assert_eq!(
        sandbox.wrote("POST", &one, &status("inactive"))["status"],
        "inactive"
    );
    sandbox.refused("POST", &one, &status("expired"), 400);
    sandbox.refused(
        "POST",
        &one,
        &json!({ "status": "active", "scope": {} }),
        400,
    );
    sandbox.refused("POST", &one, &json!([1]), 400);
    let told = sandbox.refused("POST", &one, &json!({ "name": "" }), 400);
    assert!(!told["message"].to_string().contains("Extra"), "{told}");
    for nothing in [Value::Null, json!({})] {
        sandbox.refused("POST", &one, &nothing, 400);
    }
    assert_eq!(sandbox.ok(&one)["status"], "inactive");
    assert_eq!(
        sandbox.wrote("POST", &one, &status("archived"))["status"],
        "archived"
    );
    sandbox.refused("POST", &one, &status("active"), 400);

    let settings = "/v1/organizations/compliance_settings";
    let state = |state: &str| json!({ "state": { "type": state } });
    for wanted in ["enabled", "disabled", "enabled"] {
        sandbox.wrote("POST", settings, &state(wanted));
        assert_eq!(sandbox.ok(settings)["state"]["type"], wanted);
    }
    for other in [
        state("paused"),
        json!({}),
        json!({ "state": {} }),
        Value::Null,
    ] {
        sandbox.refused("POST", settings, &other, 400);
    }
    assert_eq!(sandbox.ok(settings)["state"]["type"], "enabled");
}

#[test]
fn the_same_writes_give_the_same_answers_and_a_new_sandbox_knows_none() {
    let write = || {
        let sandbox = Sandbox::start();
        let made = sandbox.wrote("POST", WORKSPACES, &json!({ "name": "one" }));
        let other = sandbox.wrote("POST", WORKSPACES, &json!({ "name": "one" }));
        assert_ne!(made["id"], other["id"]);
        [made, other]
    };
    let (first, second) = (write(), write());
    assert_eq!(first, second);
    Sandbox::start().refused(
        "GET",
        &format!("{WORKSPACES}/{}", id(&first[0])),
        &Value::Null,
        404,
    );
}

#[test]
fn requests_at_the_same_time_write_one_after_the_other() {
    let sandbox = Sandbox::start();
    let send = |email: String| {
        let body = json!({ "email": email, "role": "user" });
        sandbox.send("POST", INVITES, &body)
    };
    let invite = |writer: usize| {
        let own = (0..5).map(|number| send(format!("w{writer}-{number}@example.com")));
        let own: Vec<String> = own.map(|answer| id(&answer.body)).collect();
        sandbox.ok(INVITES);
        (send("same@example.com".to_owned()).status, own)
    };
    let told: Vec<(u16, Vec<String>)> = thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|writer| scope.spawn(move || invite(writer)))
            .collect();
        writers
            .into_iter()
            .map(|writer| writer.join().expect("a writer"))
            .collect()
    });
    assert_eq!(told.iter().filter(|(status, _)| *status == 200).count(), 1);
    assert_eq!(told.iter().filter(|(status, _)| *status == 400).count(), 7);
    let made: HashSet<&String> = told.iter().flat_map(|(_, own)| own).collect();
    let listed = data(&sandbox, &format!("{INVITES}?limit=1000"));
    let listed: HashSet<String> = listed.iter().map(id).collect();
    assert_eq!((made.len(), listed.len()), (40, 45 + 41));
    assert!(made.iter().all(|id| listed.contains(*id)));
}

#[test]
fn the_program_writes_to_a_sandbox_that_runs() {
    let sandbox = Sandbox::start();
    let flag = format!("--sandbox=http://{}", sandbox.address);
    let call = |arguments: &[&str]| {
        let mut command = sandbox.workspace.toolrun();
        command.args(["call", "-o", "json", &flag]).args(arguments);
        crate::support::output(&mut command)
    };
    let made = call(&[
        "--yes",
        "create-invite",
        "email=new@example.com",
        "role=user",
    ])
    .expect(0)
    .json();
    let invite = format!("invite_id={}", made["id"].as_str().expect("an id"));
    assert_eq!(call(&["get-invite", &invite]).expect(0).json(), made);
    call(&["delete-invite", &invite]).expect(5);
    assert_eq!(
        call(&["--yes", "delete-invite", &invite]).expect(0).json()["deleted"],
        true
    );
    let error = call(&["get-invite", &invite]).expect(6).error();
    assert_eq!(error["upstream"]["code"], "not_found_error");
}

/// A service of notes. Its sandbox has one row, and requests can add rows.
fn notes() -> Sandbox {
    let workspace = Workspace::new();
    workspace.service("https://probe.test", "");
    let params = |names: &str| format!("params: {{ properties: {{ {names} }} }}");
    let text = "{ type: string, description: A text. }";
    let note = format!(
        "{}\nrequest: {{ method: ",
        params(&format!("id: {text}, text: {text}"))
    );
    let body = "path: /notes, body: { json: { id: \"{{ id }}\", text: \"{{ text }}\" } } }";
    workspace.tool("put-note", "write", &format!("{note}PUT, {body}"));
    workspace.tool("post-note", "write", &format!("{note}POST, {body}"));
    workspace.tool("break-note", "write", &format!("{note}PATCH, {body}"));
    workspace.tool(
        "list-notes",
        "read",
        "request: { method: GET, path: /notes }",
    );
    let id = format!("params: {{ required: [id], properties: {{ id: {text} }} }}");
    workspace.tool(
        "delete-note",
        "destructive",
        &format!("{id}\nrequest: {{ method: DELETE, path: \"/notes/{{{{ id }}}}\" }}"),
    );
    workspace.write("descriptors/probe/sandbox.yaml", r#"
spec: 1
sandbox: probe
seed: 1
now: "2026-01-01T00:00:00Z"
request_id: r
errors: { body: { error: "{{ message }}", details: "{{ details }}" }, codes: {}, messages: { 404: Nothing. } }
data: { notes: { count: 1, row: { id: first, text: made up } } }
routes:
  list-notes: { body: "{{ data.notes }}" }
  put-note:
    find: { in: notes, by: { id: id }, optional: true }
    set: { text: "{{ args.text }}" }
    insert: { into: notes, row: { id: "{{ args.id }}", text: "{{ args.text or none }}" } }
    status: 201
    body: "{{ row }}"
  post-note:
    find: { in: notes, by: { id: id }, message: There is no such note. }
    set: { text: "{{ args.text }}" }
    body: "{{ row }}"
  break-note:
    insert: { into: notes, row: { id: broken, text: a } }
    body: "{{ row.text / 2 }}"
  delete-note:
    find: { in: notes, by: { id: id } }
    delete: true
    status: 204
    body: null
"#);
    Sandbox::start_in(workspace, &["probe"])
}

#[test]
fn a_declaration_alone_makes_a_store() {
    let sandbox = notes();
    let note = |id: &str, text: Value| json!({ "id": id, "text": text });
    let put = |body: &Value| sandbox.send("PUT", "/notes", body);
    let made = put(&note("a", json!("one")));
    assert_eq!((made.status, made.body), (201, note("a", json!("one"))));
    assert_eq!(put(&note("a", json!("two"))).body, note("a", json!("two")));
    assert_eq!(put(&json!({ "id": "a" })).body, note("a", json!("two")));
    assert_eq!(
        sandbox.ok("/notes"),
        json!([note("a", json!("two")), note("first", json!("made up"))])
    );

    let gone = sandbox.send("DELETE", "/notes/first", &Value::Null);
    assert_eq!((gone.status, &gone.body), (204, &Value::Null));
    assert_eq!(sandbox.ok("/notes"), json!([note("a", json!("two"))]));
    let again = sandbox.send("DELETE", "/notes/first", &Value::Null);
    assert_eq!(
        (again.status, again.body),
        (404, json!({ "error": "Nothing." }))
    );
    let none = sandbox.send("POST", "/notes", &json!({ "id": "first" }));
    assert_eq!(
        (none.status, none.body),
        (404, json!({ "error": "There is no such note." }))
    );
    // An absent argument finds nothing. If the answer cannot be made, nothing is written.
    assert_eq!(sandbox.send("POST", "/notes", &json!({})).status, 404);
    assert_eq!(
        sandbox
            .send("PATCH", "/notes", &json!({ "id": "b" }))
            .status,
        500
    );
    assert_eq!(sandbox.ok("/notes"), json!([note("a", json!("two"))]));
}

#[test]
fn the_declaration_of_the_reference_is_valid() {
    let page = include_str!("../../docs/descriptors.md");
    let block = page
        .split("```yaml\n")
        .find(|block| block.starts_with("data:\n  notes:"));
    let block = block.and_then(|block| block.split("```").next());
    let workspace = Workspace::new();
    workspace.service("https://probe.test", "");
    let text = "{ type: string, description: A text. }";
    let text_and_tags = format!("text: {text}, tags: {{ type: object, description: Tags. }}");
    for (name, params, required, request) in [
        (
            "list-notes",
            "ids: { type: array, items: { type: string }, description: Some. }, limit: { type: integer, description: Most. }, page: { type: string, description: A token. }",
            "",
            "{ method: GET, path: /notes, query: [ids, limit, page] }",
        ),
        (
            "create-note",
            &format!("text: {text}"),
            "text",
            "{ method: POST, path: /notes, body: { json: { text: \"{{ text }}\" } } }",
        ),
        (
            "update-note",
            &format!("note_id: {text}, {text_and_tags}"),
            "note_id",
            "{ method: POST, path: \"/notes/{{ note_id }}\", body: { json: { text: \"{{ text }}\", tags: \"{{ tags }}\" } } }",
        ),
    ] {
        let params = format!("params: {{ required: [{required}], properties: {{ {params} }} }}");
        workspace.tool(name, "write", &format!("{params}\nrequest: {request}"));
    }
    let head = "spec: 1\nsandbox: probe\nseed: 1\nnow: \"2026-01-01T00:00:00Z\"\nrequest_id: r\nerrors: { body: {}, codes: {} }\n";
    let block = block.expect("a block");
    workspace.write("descriptors/probe/sandbox.yaml", format!("{head}{block}"));
    workspace.run(&["validate", "descriptors"]).expect(0);

    let sandbox = Sandbox::start_in(workspace, &["probe"]);
    let made = sandbox.send("POST", "/notes", &json!({ "text": "new" }));
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(
        sandbox.refused("POST", "/notes", &json!({ "text": "new" }), 409),
        Value::Null
    );
    let one = format!("/notes/{}", id(&made.body));
    let changed = sandbox.wrote("POST", &one, &json!({ "tags": { "a": "b" } }));
    assert_eq!(changed["tags"], json!({ "a": "b" }));
    let listed = data(&sandbox, "/notes?limit=1000");
    assert_eq!((listed.len(), &listed[0]), (41, &changed));
    let locked = format!("/notes/{}", id(&listed[1]));
    sandbox.refused("POST", &locked, &json!({ "text": "mine" }), 400);
}

#[test]
#[ignore = "long"]
fn a_sandbox_takes_no_more_than_it_has_room_for() {
    let sandbox = notes();
    let text = "a".repeat(7 << 20);
    let put = |id: usize| {
        sandbox
            .send(
                "PUT",
                "/notes",
                &json!({ "id": id.to_string(), "text": text }),
            )
            .status
    };
    let statuses: Vec<u16> = (0..11).map(put).collect();
    assert_eq!(statuses[..9], [201; 9]);
    assert_eq!(statuses[9..], [507; 2]);
    assert_eq!(sandbox.send("DELETE", "/notes/3", &Value::Null).status, 204);
    assert_eq!(put(11), 201);
}

#[test]
fn a_write_takes_the_credential_too() {
    let sandbox = Sandbox::start();
    let body = json!({ "email": "new@example.com", "role": "user" });
    let address = &sandbox.address;
    let wrong = [("x-api-key", "sk-ant-admin01-wrong"), VERSION];
    assert_eq!(
        crate::support::send(address, "POST", INVITES, &wrong, &body).status,
        401
    );
    assert_eq!(
        crate::support::send(address, "POST", INVITES, &[("x-api-key", KEY)], &body).status,
        400
    );
    assert_eq!(
        data(&sandbox, &format!("{INVITES}?email=new@example.com")),
        [Value::Null; 0]
    );
}
