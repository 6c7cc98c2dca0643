//! `toolrun drift`: what recordings show about descriptors, at which line, and that nothing secret is shown.

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use crate::support::{Har, Output, Workspace};

const SERVICE: &str = "\
spec: 1
service: shop
base_url: \"https://{{ settings.account }}.example.com/v1\"
settings: { account: { default: acme, pattern: \"^[a-z]+$\" } }
headers: { x-version: \"2\" }
auth: { kind: api_key, in: query, name: api_key, secret: { env: SHOP_KEY } }
errors: { message: $.error.message, code: $.error.code }
";

const LIST: &str = "\
spec: 1
tool: list-orders
service: shop
description: List the orders.
access: read
params:
  properties:
    state: { type: string, enum: [open, closed], description: The state. }
    limit: { type: integer, maximum: 100, description: How many. }
    ids: { type: array, items: { type: integer }, description: Which ones. }
    filter: { type: object, properties: { by: { type: string } }, description: A filter. }
    after: { type: string, description: The cursor. }
    low: { type: string, description: Some text. }
request:
  method: GET
  path: /orders
  query:
    state: \"{{ state }}\"
    limit: \"{{ limit }}\"
    ids: { value: \"{{ ids }}\", style: comma }
    filter: { value: \"{{ filter }}\", style: deep_object }
    after: \"{{ after }}\"
    low: \"{{ low | lower }}\"
    view: full
paging:
  items: $.data
  next: { after: $.next }
response:
  rows: orders
  output:
    orders: { each: \"$.data[*]\", as: { id: $.id, state: $.state, buyer: $.buyer.name } }
    next: $.next
  schema:
    type: object
    properties:
      orders:
        type: array
        items:
          type: object
          required: [id]
          properties:
            id: { type: integer }
            state: { enum: [open, closed] }
            buyer: { type: [string, \"null\"] }
examples:
  - name: one
    args: { limit: 1, low: a }
    response: { body: { data: [{ id: 1, state: open, buyer: { name: Ada }, note: x }], next: null } }
";

const CREATE: &str = "\
spec: 1
tool: create-order
service: shop
description: Make an order.
access: write
params:
  required: [item]
  properties:
    item: { type: string, description: The item. }
    count: { type: integer, description: How many. }
request:
  method: POST
  path: /orders
  body:
    json: { kind: order, item: \"{{ item }}\", more: { count: \"{{ count }}\" } }
response: { output: { id: $.id } }
";

const GET: &str = "\
spec: 1
tool: get-order
service: shop
description: Get an order.
access: read
params: { required: [id], properties: { id: { type: integer, description: The id. } } }
request: { method: GET, path: \"/orders/{{ id }}\" }
";

fn shop() -> Workspace {
    let workspace = Workspace::new();
    for (name, text) in [
        ("service", SERVICE),
        ("list-orders", LIST),
        ("create-order", CREATE),
        ("get-order", GET),
    ] {
        workspace.write(&format!("descriptors/shop/{name}.yaml"), text);
    }
    workspace
}

const LIST_URL: &str = "https://acme.example.com/v1/orders?view=full";
const ORDERS: &str =
    r#"{"data":[{"id":1,"state":"open","buyer":{"name":"A"},"note":"n"}],"next":null}"#;
const HEADERS: [(&str, &str); 1] = [("X-Version", "2")];
const JSON: &str = "application/json; charset=utf-8";

fn listed(query: &str, answer: &str) -> Har {
    let url = format!("{LIST_URL}{query}");
    Har::new().with_headers(("GET", &url, None), &HEADERS, (200, answer))
}

fn drift(workspace: &Workspace, har: &Har, more: &[&str]) -> Output {
    workspace.write("rec.har", har.text());
    let mut words = vec!["drift", "rec.har", "--against", "descriptors"];
    words.extend(more);
    workspace.run(&words)
}

/// The findings, each as `code file:line: message`.
fn found(har: &Har) -> Vec<String> {
    let output = drift(&shop(), har, &["--format", "json"]);
    let report: Value = serde_json::from_str(&output.stdout).expect(&output.stderr);
    let findings = report["findings"].as_array().expect("findings");
    findings
        .iter()
        .map(|finding| {
            let file = finding["place"]["file"].as_str().expect("a file");
            let file = file
                .rsplit('/')
                .next()
                .expect("a name")
                .trim_end_matches(".yaml");
            let message = finding["message"].as_str().expect("a message");
            let message = message
                .rsplit_once(" (")
                .map_or(message, |(message, _)| message);
            let code = finding["code"].as_str().expect("a code");
            format!("{code} {file}:{}: {message}", finding["place"]["line"])
        })
        .collect()
}

/// What is wrong, and what `drift` says to it.
fn table() -> Vec<(&'static str, Har, Vec<&'static str>)> {
    let create = |body: &str| {
        let url = "https://acme.example.com/v1/orders";
        let request = ("POST", url, Some((JSON, body)));
        Har::new().with_headers(request, &HEADERS, (201, r#"{"id":1}"#))
    };
    let get = |path: &str, answer: (u16, &str)| {
        let url = format!("https://acme.example.com/v1{path}");
        Har::new().with_headers(("GET", &url, None), &HEADERS, answer)
    };
    vec![
        ("nothing", listed("", ORDERS), vec![]),
        (
            "all that the query can have",
            listed(
                "&state=open&limit=5&ids=1,2&filter%5Bby%5D=x&after=abc&api_key=k",
                ORDERS,
            ),
            vec![],
        ),
        (
            "a list in one encoded text",
            listed("&ids=1%2C2", ORDERS),
            vec![],
        ),
        (
            "an enum",
            listed("&state=held", ORDERS),
            vec![
                "refused-value list-orders:8: recorded requests have `held` as `state`, which is not among the values",
            ],
        ),
        (
            "a bound",
            listed("&limit=500", ORDERS),
            vec![
                "refused-value list-orders:9: recorded requests have values of `limit` beyond the `maximum`",
            ],
        ),
        (
            "a type",
            listed("&limit=all", ORDERS),
            vec![
                "refused-value list-orders:9: recorded requests have a string as `limit`, which the schema refuses",
            ],
        ),
        (
            "a type in a list",
            listed("&ids=1,x", ORDERS),
            vec![
                "refused-value list-orders:10: recorded requests have a string as `ids[]`, which the schema refuses",
            ],
        ),
        (
            "an unknown parameter",
            listed("&sort=id", ORDERS),
            vec![
                "unknown-part list-orders:17: recorded requests have a query parameter `sort`, which the tool does not have",
            ],
        ),
        (
            "another constant",
            Har::new().with_headers(
                ("GET", "https://acme.example.com/v1/orders?view=short", None),
                &HEADERS,
                (200, ORDERS),
            ),
            vec!["other-constant list-orders:24: recorded requests have another value of `view`"],
        ),
        (
            "no constant",
            Har::new().with_headers(
                ("GET", "https://acme.example.com/v1/orders", None),
                &HEADERS,
                (200, ORDERS),
            ),
            vec![
                "missing-part list-orders:24: recorded requests have no `view`, which the tool always sends",
            ],
        ),
        (
            "no header",
            Har::new().with_headers(("GET", LIST_URL, None), &[("Accept", "x")], (200, ORDERS)),
            vec![
                "missing-part service:5: recorded requests have no header `x-version`, which the tool always sends",
            ],
        ),
        (
            "another header",
            Har::new().with_headers(
                ("GET", LIST_URL, None),
                &[("x-version", "3")],
                (200, ORDERS),
            ),
            vec![
                "other-constant service:5: recorded requests have another value of the header `x-version`",
            ],
        ),
        (
            "no headers at all",
            Har::new().exchange(("GET", LIST_URL, None), (200, ORDERS)),
            vec![],
        ),
        (
            "what the service refused",
            Har::new().with_headers(
                (
                    "GET",
                    "https://acme.example.com/v1/orders?limit=x&y=1",
                    None,
                ),
                &HEADERS,
                (400, r#"{"error":{"message":"m","code":"c"}}"#),
            ),
            vec![],
        ),
        (
            "a body",
            create(r#"{"kind":"order","item":"a","more":{"count":2}}"#),
            vec![],
        ),
        (
            "a body without what may be absent",
            create(r#"{"kind":"order","item":"a"}"#),
            vec![],
        ),
        (
            "an unknown member",
            create(r#"{"kind":"order","item":"a","more":{"size":2}}"#),
            vec![
                "unknown-part create-order:15: recorded bodies have a member `size`, which the tool does not send",
            ],
        ),
        (
            "no required param",
            create(r#"{"kind":"order"}"#),
            vec![
                "missing-part create-order:7: recorded requests have no `item`, and it is required",
            ],
        ),
        (
            "another literal",
            create(r#"{"kind":"offer","item":"a"}"#),
            vec!["other-constant create-order:15: recorded requests have another value here"],
        ),
        (
            "a type in a body",
            create(r#"{"kind":"order","item":"a","more":{"count":"two"}}"#),
            vec![
                "refused-value create-order:10: recorded requests have a string as `count`, which the schema refuses",
            ],
        ),
        (
            "a list in place of a map",
            create(r#"{"kind":"order","item":"a","more":[1]}"#),
            vec!["other-constant create-order:15: recorded requests have an array here"],
        ),
        (
            "a form in place of JSON",
            Har::new().with_headers(
                (
                    "POST",
                    "https://acme.example.com/v1/orders",
                    Some(("application/x-www-form-urlencoded", "item=a")),
                ),
                &HEADERS,
                (201, r#"{"id":1}"#),
            ),
            vec![
                "other-constant create-order:15: recorded requests have a body of form fields, and the tool sends `json`",
            ],
        ),
        (
            "a body on GET",
            Har::new().with_headers(
                ("GET", LIST_URL, Some((JSON, "{\"a\":1}"))),
                &HEADERS,
                (200, ORDERS),
            ),
            vec![
                "unknown-part list-orders:15: recorded requests have a body, and the tool sends none",
            ],
        ),
        (
            "a path that no tool has",
            get("/customers", (200, "{}")),
            vec!["unmatched-request service:3: no tool of shop sends GET /v1/customers"],
        ),
        (
            "a path that no tool has, where the tool is seen",
            get("/items/7/parts", (200, "{}")),
            vec!["unmatched-request service:3: no tool of shop sends GET /v1/items/{}/parts"],
        ),
        (
            "a type in the path",
            get("/orders/abc", (200, "{}")),
            vec![
                "refused-value get-order:6: recorded requests have a string as `id`, which the schema refuses",
            ],
        ),
        (
            "another base path",
            Har::new().exchange(
                ("GET", "https://acme.example.com/v2/orders", None),
                (200, "{}"),
            ),
            vec![],
        ),
        (
            "another origin",
            Har::new().exchange(
                ("GET", "https://cdn.example.net/v1/orders", None),
                (200, "{}"),
            ),
            vec![],
        ),
        (
            "a path that finds nothing",
            listed(
                "",
                r#"{"data":[{"id":1,"state":"open","buyer":{"fullName":"A"},"note":1}],"next":null}"#,
            ),
            vec![
                "lost-path list-orders:31: `$.buyer.name` finds nothing in any recorded answer",
                "stale-example list-orders:48: the example has `name`, and no recorded answer has it",
                "stale-example list-orders:48: the example has a string here, and recorded answers have a number",
            ],
        ),
        (
            "a cursor that moved",
            listed(
                "",
                r#"{"data":[{"id":1,"state":"open","buyer":{"name":"A"},"note":"n"}],"nextCursor":"c"}"#,
            ),
            vec![
                "lost-path list-orders:27: `$.next` finds nothing in any recorded answer",
                "new-field list-orders:30: recorded answers have `nextCursor`, a string, which the output does not have",
                "lost-path list-orders:32: `$.next` finds nothing in any recorded answer",
            ],
        ),
        (
            "a last page without a cursor",
            listed(
                "",
                r#"{"data":[{"id":1,"state":"open","buyer":{"name":"A"},"note":"n"}]}"#,
            ),
            vec![],
        ),
        (
            "a list that is none",
            listed("", r#"{"data":{"id":1},"next":null}"#),
            vec![
                "changed-shape list-orders:26: answers have an object at `$.data`, where a list should be",
                "stale-example list-orders:48: the example has an array here, and recorded answers have an object",
            ],
        ),
        (
            "no list",
            listed("", r#"{"items":[],"next":null}"#),
            vec![
                "changed-shape list-orders:26: answers have no list at `$.data`",
                "new-field list-orders:30: recorded answers have `items`, an array, which the output does not have",
                "lost-path list-orders:31: `$.data[*]` finds nothing in any recorded answer",
                "stale-example list-orders:48: the example has `data`, and no recorded answer has it",
            ],
        ),
        (
            "an object in place of a text",
            listed(
                "",
                r#"{"data":[{"id":1,"state":"open","buyer":"A","note":"n"}],"next":null}"#,
            ),
            vec![
                "changed-shape list-orders:31: `$.buyer.name` expects an object at $.buyer, and recorded answers have a string there",
                "stale-example list-orders:48: the example has an object here, and recorded answers have a string",
            ],
        ),
        (
            "a type outside of the schema",
            listed(
                "",
                r#"{"data":[{"id":"a","state":"open","buyer":{"name":"A"},"note":"n"}],"next":null}"#,
            ),
            vec![
                "unlike-schema list-orders:42: `orders[].id` is a string in recorded answers",
                "stale-example list-orders:48: the example has a number here, and recorded answers have a string",
            ],
        ),
        (
            "a value outside of the schema",
            listed(
                "",
                r#"{"data":[{"id":1,"state":"held","buyer":{"name":"A"},"note":"n"}],"next":null}"#,
            ),
            vec![
                "unlike-schema list-orders:43: `orders[].state` is `held` in recorded answers, which is not among the values",
            ],
        ),
        (
            "a new field",
            listed(
                "",
                r#"{"data":[{"id":1,"state":"open","buyer":{"name":"A"},"note":"n","total":3}],"next":null}"#,
            ),
            vec![
                "new-field list-orders:31: recorded answers have `total`, a number, which the output does not have",
            ],
        ),
        (
            "no JSON",
            listed("", "<html>"),
            vec!["changed-shape list-orders:28: answers are not of the kind `json`"],
        ),
        (
            "no body",
            Har::new().with_headers(("GET", LIST_URL, None), &HEADERS, (204, "")),
            vec![
                "unknown-status list-orders:30: answers with the status 204 have no body, and the output reads it",
            ],
        ),
        (
            "an error of another form",
            get("/orders/1", (404, r#"{"detail":"gone"}"#)),
            vec![
                "unknown-error service:7: error answers have no `message` here: they have `detail`",
                "unknown-error service:7: error answers have no `code` here: they have `detail`",
            ],
        ),
        (
            "an error with its code elsewhere",
            get(
                "/orders/1",
                (404, r#"{"error":{"message":"m","type":"t"}}"#),
            ),
            vec!["unknown-error service:7: error answers have no `code` here: they have `error`"],
        ),
        (
            "a status that passes",
            get("/orders/1", (520, "")),
            vec![
                "unknown-status service:2: the service answers with the status 520, which no rule knows and `retry` does not try again",
            ],
        ),
        (
            "a status that nobody knows",
            get("/orders/1", (304, "")),
            vec![
                "unknown-status service:7: the service answers with the status 304, which no rule knows",
            ],
        ),
        (
            "a page of a gateway",
            get("/orders/1", (502, "<html>bad gateway</html>")),
            vec![],
        ),
        (
            "a value that is computed",
            listed("&low=ABC", ORDERS),
            vec![],
        ),
    ]
}

#[test]
fn each_drift_is_told_at_its_line() {
    let computed = "unread-value list-orders:23: `{{ low | lower }}` computes a value, so that recorded ones are not read back and not checked";
    let mut wrong = Vec::new();
    for (name, har, expected) in table() {
        let mut actual = found(&har);
        // The tool has one such place, whatever is recorded.
        actual.retain(|line| line != computed);
        let (mut actual_sorted, mut expected_sorted) = (actual.clone(), expected.clone());
        actual_sorted.sort();
        expected_sorted.sort_unstable();
        if actual_sorted != expected_sorted {
            wrong.push(format!(
                "{name}:\n  expected {expected:#?}\n  found {actual:#?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(found(&listed("", ORDERS)).contains(&computed.to_owned()));
}

/// A text that must be nowhere in what is printed.
const CANARY: &str = "canary7Q2xvdGhpbmc9";

#[test]
fn nothing_secret_of_a_recording_is_shown() {
    let basic = "Y2FuYXJ5N1EyeHZkR2hwYm1jOTpwdw==";
    let entry = |url: String, headers: Value, body: Value, answer: Value| {
        json!({
            "request": {
                "method": "POST", "url": url, "headers": headers,
                "cookies": [{ "name": "session", "value": CANARY }],
                "postData": { "mimeType": "application/json", "text": body.to_string() },
            },
            "response": {
                "status": 200,
                "headers": [{ "name": "set-cookie", "value": format!("a={CANARY}") }],
                "content": { "mimeType": "application/json", "text": answer.to_string() },
            },
        })
    };
    let api = "https://acme.example.com/v1";
    let headers = json!([
        { "name": "Authorization", "value": format!("Bearer {CANARY}") },
        { "name": "Cookie", "value": format!("session={CANARY}; b={CANARY}") },
        { "name": "X-Api-Key", "value": CANARY },
        { "name": "Proxy-Authorization", "value": format!("Basic {basic}") },
        { "name": "x-version", "value": CANARY },
    ]);
    let order = json!({ "kind": CANARY, "item": 1, "more": { "count": CANARY }, CANARY: CANARY });
    let orders = json!({ CANARY: 1, "data": [{ "id": CANARY, "state": CANARY, CANARY: 1, "buyer": { "name": CANARY } }], "next": CANARY });
    let har = Har::new()
        .entry(entry(
            format!("{api}/orders?{CANARY}={CANARY}"),
            headers.clone(),
            order.clone(),
            json!({ CANARY: CANARY }),
        ))
        .entry(entry(
            format!("{api}/{CANARY}/{CANARY}?api_key={CANARY}#{CANARY}"),
            headers.clone(),
            order.clone(),
            json!({}),
        ))
        .entry(entry(
            format!("https://{CANARY}:{CANARY}@acme.example.com/v1/orders"),
            headers.clone(),
            json!(CANARY),
            json!(CANARY),
        ))
        .with_headers(
            (
                "GET",
                &format!("{LIST_URL}&state={CANARY}&limit={CANARY}&{CANARY}=1&api_key={CANARY}"),
                None,
            ),
            &[("Authorization", CANARY), ("x-version", CANARY)],
            (200, &orders.to_string()),
        )
        .with_headers(
            ("GET", &format!("{api}/orders/{CANARY}"), None),
            &[("Cookie", CANARY)],
            (
                404,
                &json!({ CANARY: CANARY, "detail": CANARY }).to_string(),
            ),
        );
    for format in ["human", "json", "github", "sarif", "junit"] {
        let output = drift(&shop(), &har, &["--format", format]);
        let text = format!("{}{}", output.stdout, output.stderr);
        assert!(!text.contains(CANARY), "{format}: {text}");
        assert!(text.contains("unlike-schema"), "{format}: {text}");
    }
    let output = drift(&shop(), &har, &["--update"]);
    let text = format!("{}{}", output.stdout, output.stderr);
    assert!(!text.contains(CANARY), "{text}");
}

#[test]
fn a_patch_settles_what_it_can_and_keeps_the_rest_of_the_file() {
    let workspace = shop();
    let path = "descriptors/shop/list-orders.yaml";
    let commented = LIST.replace("      orders:\n", "      # why\n      orders:\n");
    workspace.write(path, &commented);
    let odd = r#"{"data":[{"id":"a","state":"held","buyer":{"name":null},"note":"n","total":3}],"next":null}"#;
    let har = listed("&state=held&limit=500", odd);
    let output = drift(&workspace, &har, &["--update"]);
    assert_eq!(output.code, 3);
    for line in [
        "--- a/descriptors/shop/list-orders.yaml",
        "+++ b/descriptors/shop/list-orders.yaml",
        "+    state: { type: string, enum: [open, closed, held], description: The state. }",
        "+    limit: { type: integer, maximum: 500, description: How many. }",
        "+            id: { type: [integer, string] }",
        "+            state: { enum: [open, closed, held] }",
    ] {
        assert!(
            output.stdout.lines().any(|own| own == line),
            "{line}\n{}",
            output.stdout
        );
    }
    workspace.write("drift.patch", &output.stdout);
    let text = |name: &str| std::fs::read_to_string(workspace.path().join(name)).expect("a file");
    assert_eq!(text(path), commented, "a patch changes nothing by itself");
    drift(&workspace, &har, &["--update", "--write"]).expect(3);
    let written = text(path);
    assert!(
        written.contains("# why\n") && written.contains("total: \"$.total\""),
        "{written}"
    );
    workspace.run(&["validate", "descriptors"]).expect(0);
    // What is left needs a person: the example has another shape, and a value is computed.
    let again = drift(&workspace, &har, &["--format", "json"]).stdout;
    let report: Value = serde_json::from_str(&again).expect("a report");
    assert_eq!(report["errors"], 0, "{again}");
    // The patch is the same change.
    workspace.write(path, &commented);
    let patched = std::process::Command::new("git")
        .args(["apply", "drift.patch"])
        .current_dir(workspace.path())
        .status();
    if patched.is_ok_and(|status| status.success()) {
        assert_eq!(text(path), written);
    }
}

#[test]
fn warnings_and_notes_are_allowed_where_they_stand() {
    let har = listed(
        "&sort=id",
        &ORDERS.replace("\"next\"", "\"total\":1,\"next\""),
    );
    let workspace = shop();
    let codes = |workspace: &Workspace| {
        let report = drift(workspace, &har, &["--format", "json"]).stdout;
        let report: Value = serde_json::from_str(&report).expect("a report");
        let findings = report["findings"].as_array().expect("findings").clone();
        let code = |finding: &Value| finding["code"].as_str().map(str::to_owned);
        findings.iter().filter_map(code).collect::<Vec<_>>()
    };
    assert_eq!(
        codes(&workspace),
        ["unknown-part", "unread-value", "new-field"]
    );
    let allow = "allow: { unknown-part: It is old., unread-value: It is fine., new-field: Nobody needs it. }\n";
    workspace.write(
        "descriptors/shop/list-orders.yaml",
        format!("{LIST}{allow}"),
    );
    assert_eq!(codes(&workspace), Vec::<String>::new());
    // What only recordings show is no needless entry elsewhere.
    workspace
        .run(&["validate", "descriptors", "--deny-warnings"])
        .expect(0);
    drift(&workspace, &har, &["--deny-warnings"]).expect(0);
    workspace.write("descriptors/shop/list-orders.yaml", LIST);
    drift(&workspace, &har, &[]).expect(0);
    drift(&workspace, &har, &["--deny-warnings"]).expect(3);
}

#[test]
fn recordings_that_cannot_be_read_are_told() {
    let workspace = shop();
    let har = listed("&state=held", ORDERS).text();
    let cut = &har[..har.len() - 3];
    workspace.write("cut.har", cut);
    let output = workspace.run(&["drift", "cut.har", "--against", "descriptors"]);
    assert_eq!(output.code, 2);
    assert!(
        output.stdout.contains("refused-value"),
        "what was read counts: {}",
        output.stdout
    );
    assert!(
        output.stderr.contains("cut.har: broken at byte"),
        "{}",
        output.stderr
    );
    workspace.write("no.har", "<html>");
    workspace.write("empty/a.txt", "");
    for (words, told) in [
        (["drift", "no.har"], "this is no HAR: it is no JSON object"),
        (["drift", "gone.har"], "gone.har: No such file"),
        (["drift", "empty"], "there is no .har file in empty"),
    ] {
        let output = workspace.run(&words);
        assert_eq!(output.code, 2, "{words:?}");
        assert!(output.stderr.contains(told), "{}", output.stderr);
    }
    let odd = Har::new()
        .entry(json!({ "request": 1 }))
        .entry(json!({ "request": { "method": "GET", "url": "data:,x" } }));
    let output = drift(&workspace, &odd, &[]);
    assert_eq!(output.code, 0);
    assert!(
        output
            .stderr
            .contains("entry 1 (/log/entries/0/request): it is a number"),
        "{}",
        output.stderr
    );
    assert!(
        output
            .stderr
            .contains("1 exchange: 0 that tools make, 1 that are no calls"),
        "{}",
        output.stderr
    );
}

#[test]
fn params_with_odd_names_are_read_back() {
    let workspace = Workspace::new();
    workspace.write(
        "descriptors/odd.yaml",
        "spec: 1\ntool: odd\ndescription: An odd one.\naccess: write\nservice: { service: odd, base_url: https://odd.example.com }\n\
         params:\n  required: [\"a[]\", \"b[0]\", x-y]\n  properties:\n    \"a[]\": { type: string, description: A. }\n    \"b[0]\": { type: integer, description: B. }\n    x-y: { type: string, description: C. }\n\
         request:\n  method: POST\n  path: /odd\n  query: [x-y]\n  body: { form: { \"a[]\": \"{{ params['a[]'] }}\", \"b[0]\": \"{{ params['b[0]'] }}\" } }\n",
    );
    workspace.run(&["validate", "descriptors"]).expect(0);
    let form = |text| {
        (
            "POST",
            "https://odd.example.com/odd?x-y=1",
            Some(("application/x-www-form-urlencoded", text)),
        )
    };
    let codes = |har: Har| {
        let report = drift(&workspace, &har, &["--format", "json"]).stdout;
        let report: Value = serde_json::from_str(&report).expect("a report");
        let findings = report["findings"].as_array().expect("findings").iter();
        findings
            .map(|one| one["code"].as_str().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        codes(Har::new().exchange(form("a%5B%5D=x&b%5B0%5D=2"), (200, "{}"))),
        Vec::<String>::new()
    );
    assert_eq!(
        codes(Har::new().exchange(form("a%5B%5D=x&b%5B0%5D=z"), (200, "{}"))),
        ["refused-value"]
    );
    assert_eq!(
        codes(Har::new().exchange(form("b%5B0%5D=2"), (200, "{}"))),
        ["missing-part"]
    );
}
