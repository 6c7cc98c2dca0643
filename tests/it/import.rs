//! `toolrun import openapi`: the files it writes, its report, how a later import keeps changes by hand, and the
//! requests of imported tools.

use std::fs;

use crate::support::{Fake, Output, Reply, Workspace, output};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};

const SHOP: &str = include_str!("../fixtures/openapi/shop.yaml");
const LIBRARY: &str = include_str!("../fixtures/openapi/library.json");
const BROKEN: &str = include_str!("../fixtures/openapi/broken.yaml");

/// A folder with a document.
fn with_document(text: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.write("api.yaml", text);
    workspace
}

fn import(workspace: &Workspace, service: &str, arguments: &[&str]) -> Output {
    let into = format!("descriptors/{service}");
    let mut words = vec!["import", "openapi", "api.yaml", "--into", &into];
    words.extend(arguments);
    workspace.run(&words)
}

/// A folder with the files imported from a document.
fn imported(text: &str, service: &str) -> Workspace {
    let workspace = with_document(text);
    import(&workspace, service, &[]).expect(0);
    workspace
}

fn report(workspace: &Workspace, service: &str, arguments: &[&str]) -> Value {
    let mut words = vec!["--format", "json"];
    words.extend(arguments);
    import(workspace, service, &words).expect(0).json()
}

/// The names of the files in the service's folder.
fn files(workspace: &Workspace, service: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(workspace.descriptors().join(service))
        .map(|entries| {
            entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .filter(|name| name.ends_with(".yaml"))
                .collect()
        })
        .unwrap_or_default();
    names.sort();
    names
}

fn states(report: &Value) -> Vec<(&str, &str)> {
    let changes = report["files"].as_array().unwrap().iter();
    changes
        .map(|change| {
            (
                change["file"].as_str().unwrap(),
                change["state"].as_str().unwrap(),
            )
        })
        .filter(|(_, state)| *state != "unchanged")
        .collect()
}

#[test]
#[ignore = "long"]
fn imported_files_are_valid_and_their_examples_hold() {
    // The last document gives no examples, and to test nothing is no success.
    for (text, service, tools, skipped, tested) in [
        (SHOP, "shop", 34, 2, 0),
        (LIBRARY, "library", 8, 0, 0),
        (BROKEN, "broken", 9, 3, 3),
    ] {
        let workspace = with_document(text);
        let report = report(&workspace, service, &[])["report"].clone();
        assert_eq!(
            report["tools"].as_array().unwrap().len(),
            tools,
            "{service}"
        );
        assert_eq!(
            report["skipped"].as_array().unwrap().len(),
            skipped,
            "{service}"
        );
        assert_eq!(files(&workspace, service).len(), tools + 1, "{service}");
        workspace
            .run(&["validate", "--deny-warnings", "descriptors"])
            .expect(0);
        workspace.run(&["test", "descriptors"]).expect(tested);
        workspace.run(&["list"]).expect(0);
    }
}

/// Tool, arguments, and the request that they give: method and URL below the base URL, then what the headers and the body
/// must hold.
fn plans() -> Vec<(&'static str, Value, &'static str, Value, Value)> {
    let none = Value::Null;
    let id = "978-3-16-148410-0";
    let order = json!({ "customer_id": "c", "lines": [{ "sku": "a" }] });
    let tenant = |mut arguments: Value| {
        arguments["X-Tenant"] = "t".into();
        arguments
    };
    let h = |name: &str, value: &str| json!({ name: value });
    vec![
        (
            "shop/list-orders",
            tenant(json!({})),
            "GET /orders",
            h("x-tenant", "t"),
            none.clone(),
        ),
        (
            "shop/list-orders",
            tenant(json!({ "limit": 5, "status": "paid", "cursor": "a b" })),
            "GET /orders?status=paid&limit=5&cursor=a%20b",
            none.clone(),
            none.clone(),
        ),
        (
            "shop/list-orders",
            tenant(json!({ "created_after": "2026-01-01T00:00:00Z" })),
            "GET /orders?created_after=2026-01-01T00%3A00%3A00Z",
            none.clone(),
            none.clone(),
        ),
        (
            "shop/create-order",
            tenant(order.clone()),
            "POST /orders",
            h("content-type", "application/json"),
            order,
        ),
        (
            "shop/create-order",
            tenant(
                json!({ "customer_id": "c", "lines": [{ "sku": "a" }], "note": null, "bill_to": null }),
            ),
            "POST /orders",
            none.clone(),
            json!({ "customer_id": "c", "lines": [{ "sku": "a" }], "note": null, "bill_to": null }),
        ),
        (
            "shop/get-order",
            json!({ "id": "o/1" }),
            "GET /orders/o%2F1",
            none.clone(),
            none.clone(),
        ),
        (
            "shop/get-order",
            json!({ "id": "o", "query_id": 2, "ID": "r" }),
            "GET /orders/o?id=2",
            h("id", "r"),
            none.clone(),
        ),
        (
            "shop/get-order",
            json!({ "id": "o", "X-Trace-Id": "0b5ee7a8-9a5b-4c62-9a0c-8a6d9a0b1c2d" }),
            "GET /orders/o",
            h("x-trace-id", "0b5ee7a8-9a5b-4c62-9a0c-8a6d9a0b1c2d"),
            none.clone(),
        ),
        (
            "shop/update-order",
            json!({ "id": "o", "note": null }),
            "PATCH /orders/o",
            none.clone(),
            json!({ "note": null }),
        ),
        (
            "shop/update-order",
            json!({ "id": "o", "status": "shipped" }),
            "PATCH /orders/o",
            none.clone(),
            json!({ "status": "shipped" }),
        ),
        (
            "shop/replace-order",
            json!({ "id": "o", "body": { "id": "p", "x": 1 } }),
            "PUT /orders/o",
            none.clone(),
            json!({ "id": "p", "x": 1 }),
        ),
        (
            "shop/delete-order",
            json!({ "id": "o", "reason": "fraud" }),
            "DELETE /orders/o?reason=fraud",
            none.clone(),
            none.clone(),
        ),
        (
            "shop/orders-get-line",
            json!({ "id": "o", "line": 3 }),
            "GET /orders/o/lines/3",
            none.clone(),
            none.clone(),
        ),
        (
            "shop/list-customers",
            json!({ "page": 2, "per_page": 50 }),
            "GET /customers?page=2&per_page=50",
            none.clone(),
            none.clone(),
        ),
        (
            "shop/create-customer",
            json!({ "name": "n", "email": "a@b.test" }),
            "POST /customers",
            none.clone(),
            json!({ "email": "a@b.test", "name": "n" }),
        ),
        (
            "shop/search-customers",
            json!({ "op": "and", "filters": [{ "op": "eq", "field": "f", "value": [1] }] }),
            "POST /customers/search",
            none.clone(),
            json!({ "op": "and", "filters": [{ "op": "eq", "field": "f", "value": [1] }] }),
        ),
        (
            "shop/import-customers",
            json!({ "body": [{ "name": "n" }] }),
            "POST /customers/import",
            none.clone(),
            json!([{ "name": "n" }]),
        ),
        (
            "shop/set-labels",
            json!({ "id": "c", "body": { "a": "b" } }),
            "PUT /customers/c/labels",
            none.clone(),
            json!({ "a": "b" }),
        ),
        (
            "shop/set-labels",
            json!({ "id": "c" }),
            "PUT /customers/c/labels",
            none.clone(),
            none.clone(),
        ),
        (
            "shop/list-events",
            json!({ "id": "c", "starting_after": "e" }),
            "GET /customers/c/events?starting_after=e",
            none.clone(),
            none.clone(),
        ),
        (
            "shop/list-products",
            json!({ "filter": { "color": "red", "size": ["s", "m"] } }),
            "GET /products?filter%5Bcolor%5D=red&filter%5Bsize%5D%5B%5D=s&filter%5Bsize%5D%5B%5D=m",
            none.clone(),
            none.clone(),
        ),
        (
            "shop/product-feed",
            json!({}),
            "GET /products/feed",
            none.clone(),
            none.clone(),
        ),
        (
            "shop/fixed-query",
            json!({ "q": "x y" }),
            "GET /search?q=x%20y&version=2&mode=fast",
            none.clone(),
            none.clone(),
        ),
        (
            "shop/style-form",
            json!({ "list": ["a", "b c"], "object": { "a": 1, "b": "x" } }),
            "GET /styles/form?list=a&list=b%20c&a=1&b=x",
            none.clone(),
            none.clone(),
        ),
        (
            "shop/style-form-flat",
            json!({ "list": [1, 2], "object": { "a": "x", "b": "y" } }),
            "GET /styles/form-flat?list=1,2&object=a,x,b,y",
            none.clone(),
            none.clone(),
        ),
        (
            "shop/style-delimited",
            json!({ "spaces": ["a", "b"], "pipes": ["a", "b"], "exploded": ["a", "b"] }),
            "GET /styles/delimited?spaces=a%20b&pipes=a%7Cb&exploded=a&exploded=b",
            none.clone(),
            none.clone(),
        ),
        (
            "shop/style-json",
            json!({ "where": { "a": [1] }, "sort": [{ "field": "f" }] }),
            "GET /styles/json?where=%7B%22a%22%3A%5B1%5D%7D&sort=%5B%7B%22field%22%3A%22f%22%7D%5D",
            none.clone(),
            none.clone(),
        ),
        (
            "shop/style-json",
            json!({}),
            "GET /styles/json",
            none.clone(),
            none.clone(),
        ),
        (
            "shop/style-names",
            json!({ "$filter": "a eq 1", "page[size]": 2, "query_params": "p", "a_b": "q", "in": true }),
            "GET /styles/names?%24filter=a%20eq%201&page%5Bsize%5D=2&params=p&a%22b=q&in=true",
            h("x-ms-version", "2024-01-01"),
            none.clone(),
        ),
        (
            "shop/style-names",
            json!({ "x-ms-version": "2" }),
            "GET /styles/names",
            h("x-ms-version", "2"),
            none.clone(),
        ),
        (
            "shop/style-headers",
            json!({ "X-List": ["a", "b"], "X-Object": { "a": "x", "b": "y" } }),
            "GET /styles/headers",
            json!({ "x-list": "a,b", "x-object": "a,x,b,y" }),
            none.clone(),
        ),
        (
            "shop/style-headers",
            json!({ "X-Exploded": { "a": "x", "b": "y" } }),
            "GET /styles/headers",
            h("x-exploded", "a=x,b=y"),
            none.clone(),
        ),
        (
            "shop/style-paths",
            json!({ "plain": "a", "list": ["b", "c"], "object": { "d": "e" }, "label": "f", "matrix": "g" }),
            "GET /styles/paths/a/b,c/d=e/.f/;matrix=g",
            none.clone(),
            none.clone(),
        ),
        (
            "shop/style-cookie",
            json!({ "session": "a/b=" }),
            "GET /styles/cookie",
            h("cookie", "session=a/b="),
            none.clone(),
        ),
        (
            "shop/get-styles-paths-year-month-json",
            json!({ "year": 2026, "month": "01" }),
            "GET /styles/paths/2026-01.json",
            none.clone(),
            none.clone(),
        ),
        (
            "shop/batch",
            json!({ "ids": ["a"] }),
            "POST /batch",
            json!({ "content-type": "application/vnd.shop.batch+json", "accept": "application/vnd.shop.result+json" }),
            json!({ "ids": ["a"] }),
        ),
        (
            "shop/choose",
            json!({ "body": { "phone": "1" } }),
            "POST /choice",
            none.clone(),
            json!({ "phone": "1" }),
        ),
        (
            "shop/set-limits",
            json!({ "high": 10, "version": "1.0" }),
            "POST /limits",
            none.clone(),
            json!({ "high": 10, "version": "1.0" }),
        ),
        (
            "shop/list-orders-copy",
            json!({ "id": "o" }),
            "GET /copy/o",
            none.clone(),
            none.clone(),
        ),
        (
            "shop/get-bare",
            json!({}),
            "GET /bare",
            none.clone(),
            none.clone(),
        ),
        (
            "shop/start-upload",
            json!({ "name": "n" }),
            "POST https://uploads.shop.test/v2/uploads",
            h("x-api-key", "***"),
            json!({ "name": "n" }),
        ),
        (
            "shop/list-keys",
            json!({}),
            "GET /admin/keys",
            h("authorization", "Basic ***"),
            none.clone(),
        ),
        (
            "shop/get-status",
            json!({}),
            "GET /status",
            none.clone(),
            none.clone(),
        ),
        (
            "library/list-books",
            json!({ "genre": ["crime", "poetry"], "since": 1999, "pageToken": "t" }),
            "GET /books?pageToken=t&genre=crime&genre=poetry&since=1999",
            h("authorization", "Bearer ***"),
            none.clone(),
        ),
        (
            "library/list-books",
            json!({ "since": null }),
            "GET /books",
            none.clone(),
            none.clone(),
        ),
        (
            "library/add-book",
            json!({ "isbn": id, "title": "T", "author": { "name": "A", "friends": [{ "name": "B" }] } }),
            "POST /books",
            none.clone(),
            json!({ "isbn": id, "title": "T", "author": { "name": "A", "friends": [{ "name": "B" }] } }),
        ),
        (
            "library/get-book",
            json!({ "isbn": id }),
            "GET /books/978-3-16-148410-0",
            none.clone(),
            none.clone(),
        ),
        (
            "library/change-book",
            json!({ "isbn": id, "title": null }),
            "PATCH /books/978-3-16-148410-0",
            h("content-type", "application/merge-patch+json"),
            json!({ "title": null }),
        ),
        (
            "library/list-readers",
            json!({ "page[after]": "x" }),
            "GET /readers?page%5Bafter%5D=x",
            none.clone(),
            none.clone(),
        ),
        (
            "library/list-loans",
            json!({ "$top": 3 }),
            "GET /loans?%24top=3",
            none.clone(),
            none.clone(),
        ),
        (
            "library/lend",
            json!({ "book": id, "@odata.type": "#loan", "reader": { "name": "n" } }),
            "POST /loans",
            none.clone(),
            json!({ "book": id, "@odata.type": "#loan", "reader": { "name": "n" } }),
        ),
        (
            "broken/spaces",
            json!({}),
            "GET /spaces%20in%20a%20path/%C3%BC",
            none.clone(),
            none.clone(),
        ),
        (
            "broken/circular-all",
            json!({ "body": { "x": "y" } }),
            "POST /circular/all",
            none.clone(),
            json!({ "x": "y" }),
        ),
    ]
}

#[test]
fn imported_tools_make_the_documented_requests() {
    let workspace = imported(SHOP, "shop");
    for (text, service) in [(LIBRARY, "library"), (BROKEN, "broken")] {
        workspace.write("api.yaml", text);
        import(&workspace, service, &[]).expect(0);
    }
    for (tool, arguments, request, headers, body) in plans() {
        let plan = workspace
            .run(&[
                "call",
                tool,
                &arguments.to_string(),
                "--dry-run=json",
                "--yes",
            ])
            .expect(0)
            .json();
        let (method, place) = request.split_once(' ').unwrap();
        let base = match tool.split_once('/').unwrap().0 {
            _ if place.starts_with("https:") => "",
            "shop" => "https://api.shop.test/v1",
            "library" => "https://library.test/api",
            _ => "https://broken.test",
        };
        let made = (plan["method"].as_str(), plan["url"].as_str());
        let url = format!("{base}{place}");
        assert_eq!(
            made,
            (Some(method), Some(url.as_str())),
            "{tool} {arguments}"
        );
        assert_eq!(plan["body"], body, "{tool} {arguments}");
        for (name, value) in headers.as_object().into_iter().flatten() {
            let sent = plan["headers"]
                .as_array()
                .unwrap()
                .iter()
                .find(|header| header[0] == *name);
            assert_eq!(
                sent.map(|header| &header[1]),
                Some(value),
                "{tool} {arguments}"
            );
        }
    }
}

#[test]
fn arguments_are_checked_as_the_document_says() {
    let workspace = imported(SHOP, "shop");
    for (tool, arguments, message) in [
        ("update-order", r#"{"id": "o"}"#, "anyOf"),
        ("create-customer", r#"{"name": "n"}"#, "anyOf"),
        (
            "search-customers",
            r#"{"op": "and", "filters": [{}]}"#,
            "filters[0].op",
        ),
        ("set-limits", r#"{"high": 11}"#, "maximum"),
        (
            "set-limits",
            r#"{"high": 1, "low": 0}"#,
            "must be greater than 0",
        ),
        ("set-limits", r#"{"high": 1, "gone": "x"}"#, "gone"),
        (
            "list-orders",
            r#"{"X-Tenant": "t", "status": "lost"}"#,
            "is not one of",
        ),
        ("delete-order", r#"{"id": "o"}"#, "reason: is required"),
    ] {
        let told = workspace
            .run(&["call", tool, arguments, "--dry-run", "--yes"])
            .expect(2);
        assert!(told.stderr.contains(message), "{tool}: {}", told.stderr);
    }
}

#[test]
fn pages_of_an_imported_list_are_walked() {
    let fake = Fake::start(|request| {
        let is_first = !request.target().contains("offset=");
        let products = if is_first {
            json!([{ "id": 1 }, { "id": 2 }])
        } else {
            json!([])
        };
        Reply::json(200, &json!({ "products": products }))
    });
    let workspace = with_document(SHOP);
    let origin = fake.origin();
    import(
        &workspace,
        "shop",
        &["--base-url", &origin, "--include", "operation:listProducts"],
    )
    .expect(0);
    let mut command = workspace.toolrun();
    command.env("SHOP_API_KEY", "made-up");
    command.args(["call", "list-products", "--all", "--output", "json"]);
    let output = output(&mut command).expect(0).json();
    assert_eq!(output["products"], json!([{ "id": 1 }, { "id": 2 }]));
    let targets: Vec<String> = fake
        .requests()
        .iter()
        .map(|request| request.target())
        .collect();
    assert_eq!(targets, ["/products", "/products?offset=2"]);
}

#[test]
fn pages_of_a_map_are_walked_by_its_entries() {
    // As Google's aggregated lists: each page has every zone, most of them without rows.
    let fake = Fake::start(|request| {
        let is_first = !request.target().contains("pageToken=");
        let (zones, next) = match is_first {
            true => (
                json!({ "zones/a": { "disks": [{ "id": 1 }] }, "zones/\"b\"": {} }),
                json!("t"),
            ),
            false => (
                json!({ "zones/a": {}, "zones/\"b\"": { "disks": [{ "id": 2 }] } }),
                Value::Null,
            ),
        };
        Reply::json(
            200,
            &json!({ "kind": "k", "items": zones, "nextPageToken": next }),
        )
    });
    let workspace = with_document(
        r#"{ openapi: 3.0.3, info: { title: c, version: "1" }, paths: { /aggregated/disks: { get: { operationId: listDisks, description: Lists.,
            parameters: [{ name: pageToken, in: query, description: T., schema: { type: string } }],
            responses: { 200: { description: D., content: { application/json: { schema: { type: object, properties: {
                kind: { type: string }, nextPageToken: { type: string },
                items: { type: object, additionalProperties: { type: object, properties: { disks: { type: array, items: { type: object } } } } } } } } } } } } } } }"#,
    );
    import(&workspace, "c", &["--base-url", &fake.origin()]).expect(0);
    workspace
        .run(&["validate", "--deny-warnings", "descriptors"])
        .expect(0);
    let entry = |key: &str, ids: &[u64]| match ids {
        [] => json!({ "key": key, "value": {} }),
        ids => {
            let disks: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
            json!({ "key": key, "value": { "disks": disks } })
        }
    };
    let all = [
        entry("zones/a", &[1]),
        entry("zones/\"b\"", &[]),
        entry("zones/a", &[]),
        entry("zones/\"b\"", &[2]),
    ];
    for (most, expected) in [("9", &all[..]), ("3", &all[..3]), ("1", &all[..1])] {
        let words = [
            "call",
            "list-disks",
            "--all",
            "--max-items",
            most,
            "-o",
            "json",
        ];
        let output = workspace.run(&words).expect(0).json();
        assert_eq!(output["items"], json!(expected), "{most}");
    }
    let one = workspace
        .run(&["call", "list-disks", "-o", "json"])
        .expect(0);
    assert_eq!(one.json()["items"], json!(all[..2]));
}

#[test]
fn what_is_no_map_where_a_map_should_be_is_told() {
    for (items, code) in [
        (json!({}), 0),
        (json!([]), 0),
        (Value::Null, 0),
        (json!("x"), 9),
    ] {
        let shown = items.to_string();
        let fake = Fake::start(move |_| Reply::json(200, &json!({ "items": items })));
        let workspace = Workspace::new();
        workspace.service(&fake.origin(), "");
        workspace.tool(
            "list-items",
            "read",
            "params: { properties: { cursor: { type: string, description: C. } } }
request: { method: GET, path: /items, query: [cursor] }
paging: { items: $.items, entries: true, next: { cursor: $.next } }
response: { output: $.items }
examples: [{ name: one, response: { body: { items: { a: 1 } } }, output: [{ key: a, value: 1 }] }]
",
        );
        workspace.run(&["test", "descriptors"]).expect(0);
        let told = workspace.run(&["call", "list-items", "--all", "-o", "json"]);
        assert_eq!(told.code, code, "{shown}: {}", told.stderr);
        match code {
            0 => assert_eq!(told.json(), json!([]), "{shown}"),
            _ => assert!(told.stderr.contains("must be a map"), "{}", told.stderr),
        }
    }
}

#[test]
fn a_smaller_last_page_does_not_lead_back_to_the_first() {
    // The service gives the URL of the next page. A request of that page in another size would be made from the
    // arguments, which are those of the first page.
    let fake = Fake::start(|request| {
        let target = request.target();
        let (items, next) = match target.contains("page=2") {
            true => (json!([3, 4]), Value::Null),
            false => (json!([1, 2]), json!("/items?page=2&limit=2")),
        };
        Reply::json(200, &json!({ "items": items, "next": next }))
    });
    let workspace = Workspace::new();
    workspace.service(&fake.origin(), "");
    workspace.tool(
        "list-items",
        "read",
        "params: { properties: { limit: { type: integer, description: L. } } }
request: { method: GET, path: /items, query: [limit] }
paging: { items: $.items, next_url: $.next, limit: limit }
response: { output: $.items }
",
    );
    for (most, expected) in [
        ("2", json!([1, 2])),
        ("3", json!([1, 2, 3])),
        ("9", json!([1, 2, 3, 4])),
    ] {
        let told = workspace.run(&[
            "call",
            "list-items",
            "limit=2",
            "--max-items",
            most,
            "--output",
            "json",
        ]);
        assert_eq!(told.expect(0).json(), expected, "{most}");
    }
}

#[test]
fn all_pages_of_a_tool_without_pages_is_told() {
    let fake = Fake::start(|_| Reply::json(200, &json!([{ "id": 1 }])));
    let workspace = with_document(
        "{ openapi: 3.0.3, paths: { /a: { get: { operationId: listA, responses: { 200: { content: { application/json: { schema: { type: array } } } } } } } } }",
    );
    import(&workspace, "a", &["--base-url", &fake.origin()]).expect(0);
    for format in ["json", "ndjson", "table", "csv", "yaml"] {
        let told = workspace
            .run(&["call", "list-a", "--all", "--output", format])
            .expect(0);
        let note = "list-a has no pages; there is one answer";
        assert!(told.stderr.contains(note), "{format}: {}", told.stderr);
    }
}

#[test]
fn operations_are_selected() {
    for (arguments, expected) in [
        (
            vec!["--include", "tag:orders", "--exclude", "method:post"],
            2,
        ),
        (vec!["--include", "path:/styles/*"], 9),
        (
            vec![
                "--include",
                "operation:*Customers",
                "--include",
                "operation:getOrder",
            ],
            4,
        ),
    ] {
        let workspace = with_document(SHOP);
        let report = report(&workspace, "shop", &arguments);
        let tools = report["report"]["tools"].as_array().unwrap().len();
        assert_eq!(tools, expected, "{arguments:?}");
    }
    let workspace = with_document(SHOP);
    let told = import(
        &workspace,
        "shop",
        &[
            "--include",
            "tag:nothing",
            "--include",
            "operation:getOrder",
        ],
    )
    .expect(0);
    assert!(
        told.stdout.contains("`tag:nothing` matches no operation"),
        "{}",
        told.stdout
    );
    // An import without tools is an error, and writes nothing.
    for (arguments, message) in [
        (
            vec!["--include", "tag:nothing"],
            "`tag:nothing` matches no operation",
        ),
        (
            vec!["--exclude", "path:/*"],
            "none of the 36 operations is selected",
        ),
        (
            vec!["--include", "path:/elsewhere"],
            "its server is https://other.test",
        ),
    ] {
        let workspace = with_document(SHOP);
        let told = import(&workspace, "shop", &arguments).expect(2);
        assert!(
            told.stderr.contains(message),
            "{arguments:?}: {}",
            told.stderr
        );
        assert_eq!(files(&workspace, "shop"), [""; 0]);
    }
    import(&workspace, "shop", &["--include", "nothing"]).expect(2);
}

#[test]
fn a_dry_run_writes_nothing_and_a_strict_one_fails() {
    let workspace = with_document(SHOP);
    let told = import(&workspace, "shop", &["--dry-run"]).expect(0);
    assert!(
        told.stdout.contains("34 of 36 operations became tools"),
        "{}",
        told.stdout
    );
    assert!(
        told.stdout.contains("TRACE /bare: TRACE requests"),
        "{}",
        told.stdout
    );
    assert_eq!(files(&workspace, "shop"), [""; 0]);
    import(&workspace, "shop", &["--strict", "--dry-run"]).expect(3);
    import(
        &workspace,
        "shop",
        &["--strict", "--exclude", "path:/elsewhere"],
    )
    .expect(3);
    let workspace = with_document(LIBRARY);
    import(&workspace, "library", &["--strict"]).expect(0);
}

#[test]
fn the_report_says_what_was_lost_and_where() {
    let workspace = with_document(SHOP);
    let report = report(&workspace, "shop", &[])["report"].clone();
    let lost = report["lost"].as_array().unwrap();
    for (what, pointer, message) in [
        (
            "server",
            "/servers",
            "the other servers are left out: http://api.shop.test/v1",
        ),
        (
            "paging",
            "/paths/~1products~1pages/get",
            "it looks like a list with pages, but it is not clear how they follow each other; a call gives one page",
        ),
        (
            "name",
            "/paths/~1orders~1{id}/get/parameters/0",
            "`id` of the query is called `query_id` here",
        ),
        (
            "body",
            "/paths/~1batch/post/requestBody",
            "application/vnd.shop.batch+json is sent; the service also takes application/xml",
        ),
    ] {
        let is_it = |loss: &&Value| {
            loss["what"] == what && loss["pointer"] == pointer && loss["message"] == message
        };
        assert!(lost.iter().any(|loss| is_it(&loss)), "{pointer}: {message}");
    }
    // Every place in the report exists in the document.
    let document: Value = serde_yaml::from_str(SHOP).unwrap();
    for loss in lost {
        let pointer = loss["pointer"].as_str().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
    assert_eq!(report["operations"], 36);
    assert_eq!(
        report["skipped"][1]["reason"],
        "its server is https://other.test, but the server of the service is https://api.shop.test/v1"
    );
}

#[test]
fn documents_that_cannot_be_imported_are_refused() {
    for (text, message) in [
        ("swagger: '2.0'", "--base-url"),
        ("swagger: '1.2'", "Swagger 1.2 is not supported"),
        ("a: b", "no `openapi`"),
        ("openapi: 3.0.0\ninfo: {}\npaths: {}", "--base-url"),
        ("openapi: 3.0.0\nservers: [{ url: /v1 }]", "--base-url"),
        ("{ \"openapi\": ", "no JSON"),
        ("a: [", "line"),
        ("", "empty"),
    ] {
        let workspace = with_document(text);
        let told = import(&workspace, "s", &[]).expect(2);
        assert!(told.stderr.contains(message), "{text}: {}", told.stderr);
        assert_eq!(files(&workspace, "s"), [""; 0]);
    }
    let workspace = with_document("openapi: 3.0.0\npaths: { /a: { get: {} } }");
    import(&workspace, "s", &["--base-url", "https://s.test/v1"]).expect(0);
    let service = fs::read_to_string(workspace.descriptors().join("s/service.yaml")).unwrap();
    assert!(
        service.contains("base_url: https://s.test/v1\n"),
        "{service}"
    );
    workspace
        .run(&["import", "openapi", "missing.yaml"])
        .expect(2);
    import(&workspace, "s", &["--service", "other"]).expect(2);
    import(&workspace, "Not_A_Name", &[]).expect(2);
}

#[test]
fn the_folder_is_named_for_the_service() {
    let workspace = with_document(SHOP);
    workspace.run(&["import", "openapi", "api.yaml"]).expect(0);
    assert!(workspace.path().join("tools/shop/get-order.yaml").exists());
    workspace
        .run(&["import", "openapi", "api.yaml", "--service", "store"])
        .expect(0);
    assert!(workspace.path().join("tools/store/get-order.yaml").exists());
}

#[test]
fn without_update_nothing_is_overwritten() {
    let workspace = imported(SHOP, "shop");
    assert_eq!(states(&report(&workspace, "shop", &[])), []);
    let path = workspace.descriptors().join("shop/get-order.yaml");
    fs::write(&path, "something else").unwrap();
    fs::remove_file(workspace.descriptors().join("shop/get-bare.yaml")).unwrap();
    let told = import(&workspace, "shop", &[]).expect(2);
    assert!(told.stderr.contains("get-order.yaml"), "{}", told.stderr);
    assert_eq!(fs::read_to_string(&path).unwrap(), "something else");
    assert!(!workspace.descriptors().join("shop/get-bare.yaml").exists());
}

/// A change to a text that must be there.
fn changed(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replace(from, to)
}

#[test]
fn an_update_keeps_what_was_changed_by_hand() {
    let workspace = imported(SHOP, "shop");
    let path = |name: &str| workspace.descriptors().join("shop").join(name);
    let edit = |name: &str, from: &str, to: &str| {
        let text = fs::read_to_string(path(name)).unwrap();
        fs::write(path(name), changed(&text, from, to)).unwrap();
    };
    // By hand: a comment and an output; a title; a file that is removed; a service's limit; a tool's own name.
    edit(
        "get-order.yaml",
        "access: read\n",
        "access: read # by hand\n",
    );
    edit(
        "list-events.yaml",
        "limit: limit\n",
        "limit: limit\n\nresponse: { output: $.data }\n",
    );
    edit(
        "set-labels.yaml",
        "description: Set the labels of a customer\n",
        "description: By hand.\n",
    );
    edit(
        "service.yaml",
        "base_url:",
        "rate_limit: { requests: 5, per: 1s }\nbase_url:",
    );
    fs::remove_file(path("get-status.yaml")).unwrap();
    edit("get-bare.yaml", "tool: get-bare", "tool: bare");
    fs::rename(path("get-bare.yaml"), path("bare.yaml")).unwrap();
    // In the document: a version, a new param, a new operation, one that is gone, and a description that both changed.
    let mut document = changed(
        SHOP,
        "description: The revision.",
        "description: The version.",
    );
    document = changed(
        &document,
        "summary: Set the labels of a customer",
        "summary: Sets labels",
    );
    document = changed(
        &document,
        "  /bare:\n",
        "  /new: { get: { operationId: newOne, responses: {} } }\n  /bare:\n",
    );
    document = changed(&document, "  /styles/cookie:", "  x-gone:");
    workspace.write("api.yaml", &document);

    let told = import(&workspace, "shop", &["--update", "--format", "json"])
        .expect(1)
        .json();
    assert_eq!(
        states(&told),
        [
            ("service.yaml", "kept"),
            ("get-order.yaml", "merged"),
            ("set-labels.yaml", "conflict"),
            ("list-events.yaml", "kept"),
            ("new-one.yaml", "created"),
            ("get-status.yaml", "removed"),
            ("style-cookie.yaml", "orphaned"),
        ]
    );
    let text = |name: &str| fs::read_to_string(path(name)).unwrap();
    assert!(text("get-order.yaml").contains("access: read # by hand\n"));
    assert!(text("get-order.yaml").contains("The version."));
    assert!(text("set-labels.yaml").contains("By hand."));
    assert!(text("service.yaml").contains("rate_limit"));
    assert!(text("bare.yaml").contains("tool: bare"));
    assert!(!path("get-bare.yaml").exists());
    assert!(!path("get-status.yaml").exists());
    workspace.run(&["validate", "descriptors"]).expect(0);

    // When the conflict is settled the document's way, nothing is left to do.
    edit("set-labels.yaml", "By hand.", "Sets labels");
    assert_eq!(
        states(&report(&workspace, "shop", &["--update"])),
        [
            ("service.yaml", "kept"),
            ("get-order.yaml", "kept"),
            ("list-events.yaml", "kept"),
            ("get-status.yaml", "removed"),
            ("style-cookie.yaml", "orphaned"),
        ]
    );
}

#[test]
fn an_update_follows_the_document_where_nobody_changed_anything() {
    let workspace = imported(SHOP, "shop");
    workspace.write(
        "api.yaml",
        changed(SHOP, "version: 1.4.0", "version: 1.5.0"),
    );
    let report = report(&workspace, "shop", &["--update"]);
    let states = states(&report);
    assert_eq!(states.len(), 35);
    assert!(
        states.iter().all(|(_, state)| *state == "updated"),
        "{states:?}"
    );
    let text = fs::read_to_string(workspace.descriptors().join("shop/get-order.yaml")).unwrap();
    assert!(
        text.starts_with("# imported from The Shop API 1.5.0, operation GET /orders/{id}\n"),
        "{text}"
    );
}

#[test]
fn a_merge_that_would_not_be_valid_is_a_conflict() {
    let workspace = imported(SHOP, "shop");
    let path = workspace.descriptors().join("shop/fixed-query.yaml");
    let text = fs::read_to_string(&path).unwrap();
    // By hand the param is used a second time; in the document it gets another name.
    let output = "access: read\nresponse: { output: { asked: \"{{ params.q }}\" } }\n";
    fs::write(&path, changed(&text, "access: read\n", output)).unwrap();
    workspace.write(
        "api.yaml",
        changed(SHOP, "name: q, in: query", "name: words, in: query"),
    );
    let told = import(&workspace, "shop", &["--update"]).expect(1);
    assert!(
        told.stdout
            .contains("in conflict fixed-query.yaml: the merged file would not be valid"),
        "{}",
        told.stdout
    );
    assert!(fs::read_to_string(&path).unwrap().contains("{{ q }}"));
}
