//! Hostile documents of every format, and hostile folders: an import of them ends soon, takes little memory, and says what
//! is wrong. Nothing of somebody else is overwritten.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::hostile_files::ends;
use crate::support::Workspace;

/// A value inside so many others.
fn nested(key: &str, inner: Value, depth: usize) -> Value {
    (0..depth).fold(inner, |inner, _| json!({ key: inner }))
}

fn swagger(definitions: Value) -> Value {
    json!({
        "swagger": "2.0", "host": "a.test", "info": { "title": "a", "version": "1" }, "definitions": definitions,
        "paths": { "/a": { "post": { "operationId": "a", "parameters": [
            { "name": "b", "in": "body", "schema": { "$ref": "#/definitions/d0" } }
        ], "responses": {} } } },
    })
}

fn discovery(schemas: Value, resources: Value) -> Value {
    json!({
        "kind": "discovery#restDescription", "name": "d", "title": "D", "version": "v1", "rootUrl": "https://d.test/",
        "servicePath": "", "schemas": schemas, "resources": resources,
        "methods": { "m": { "id": "d.m", "path": "m", "httpMethod": "POST", "request": { "$ref": "d0" } } },
    })
}

fn postman(items: Value, variables: Value) -> Value {
    json!({
        "info": { "name": "p", "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json" },
        "variable": variables, "item": items,
    })
}

fn request(body: Value) -> Value {
    json!([{ "name": "a", "request": { "method": "POST", "url": "https://p.test/a", "body": body } }])
}

/// Schemas of which each refers to the next one twice.
fn doubled(keyword: &str, lead: &str) -> Value {
    let mut all = serde_json::Map::new();
    for i in 0..40 {
        let next = json!({ "$ref": format!("{lead}d{}", i + 1) });
        let both = match keyword {
            "properties" => json!({ "type": "object", "properties": { "a": next, "b": next } }),
            keyword => json!({ keyword: [next, next] }),
        };
        all.insert(format!("d{i}"), both);
    }
    all.insert(
        "d40".to_owned(),
        json!({ "type": "string", "default": "x" }),
    );
    all.into()
}

fn circle(lead: &str) -> Value {
    json!({
        "d0": { "type": "object", "properties": { "a": { "$ref": format!("{lead}d1") } } },
        "d1": { "$ref": format!("{lead}d2") },
        "d2": { "$ref": format!("{lead}d1") },
    })
}

/// Documents by the command that reads them.
fn documents() -> Vec<(&'static str, &'static str, String)> {
    let own = "#/definitions/";
    let method = json!({ "methods": { "x": { "id": "x", "path": "x", "httpMethod": "GET" } } });
    let variables: Vec<Value> = (0..40)
        .map(|i| json!({ "key": format!("v{i}"), "value": format!("{{{{v{}}}}}{{{{v{}}}}}", i + 1, i + 1) }))
        .collect();
    let fields = |count: usize, name: &dyn Fn(usize) -> String| -> Value {
        (0..count)
            .map(|i| json!({ "key": name(i), "value": "x" }))
            .collect()
    };
    let huge = "9".repeat(200_000);
    let raw = |text: String| request(json!({ "mode": "raw", "raw": text }));
    let same: Value = (0..3000)
        .map(|_| json!({ "name": "a", "request": "https://p.test/a" }))
        .collect();
    let none = || json!([]);
    let json_of = |document: Value| document.to_string();
    vec![
        (
            "openapi",
            "doubled allOf",
            json_of(swagger(doubled("allOf", own))),
        ),
        (
            "openapi",
            "doubled properties",
            json_of(swagger(doubled("properties", own))),
        ),
        ("openapi", "circular", json_of(swagger(circle(own)))),
        (
            "openapi",
            "deep",
            json_of(swagger(json!({ "d0": nested("items", json!({}), 100) }))),
        ),
        (
            "openapi",
            "deeper",
            format!(
                "{{\"swagger\": \"2.0\", \"x\": {}{}}}",
                "[".repeat(100_000),
                "]".repeat(100_000)
            ),
        ),
        (
            "openapi",
            "huge number",
            format!(
                "{{\"swagger\": \"2.0\", \"x\": {huge}, \"host\": \"a.test\", \"paths\": {{}}}}"
            ),
        ),
        (
            "openapi",
            "huge bounds",
            json_of(swagger(
                json!({ "d0": { "type": "object", "properties": { "a": { "type": "string", "minLength": 4e300, "maxLength": -1, "pattern": "(a{1000}){1000}", "default": "x" } } } }),
            )),
        ),
        ("openapi", "no map", "[1, 2]".to_owned()),
        (
            "discovery",
            "doubled properties",
            json_of(discovery(doubled("properties", ""), json!({}))),
        ),
        (
            "discovery",
            "circular",
            json_of(discovery(circle(""), json!({}))),
        ),
        (
            "discovery",
            "deep resources",
            json_of(discovery(
                json!({ "d0": {} }),
                json!({ "r": nested_resources(method, 50) }),
            )),
        ),
        (
            "discovery",
            "no schemas",
            json_of(discovery(json!("x"), json!([1]))),
        ),
        (
            "postman",
            "deep folders",
            json_of(postman(nested_folders(50), none())),
        ),
        (
            "postman",
            "doubled variables",
            json_of(postman(raw("{{v0}}".to_owned()), variables.clone().into())),
        ),
        (
            "postman",
            "doubled variables in a URL",
            json_of(postman(
                json!([{ "name": "a", "request": "https://p.test/{{v0}}?q={{v0}}" }]),
                variables.into(),
            )),
        ),
        (
            "postman",
            "circular variables",
            json_of(postman(
                raw("{{a}}".to_owned()),
                json!([{ "key": "a", "value": "{{b}}" }, { "key": "b", "value": "{{a}} {{a}}" }]),
            )),
        ),
        (
            "postman",
            "one long value, often",
            json_of(postman(
                raw("{{a}}".repeat(9000)),
                json!([{ "key": "a", "value": "x".repeat(1 << 20) }]),
            )),
        ),
        (
            "postman",
            "fields of one name",
            json_of(postman(
                request(
                    json!({ "mode": "urlencoded", "urlencoded": fields(60_000, &|_| "a".to_owned()) }),
                ),
                none(),
            )),
        ),
        (
            "postman",
            "fields",
            json_of(postman(
                request(
                    json!({ "mode": "formdata", "formdata": fields(1000, &|i| format!("a{i}")) }),
                ),
                none(),
            )),
        ),
        (
            "postman",
            "the same request",
            json_of(postman(same, none())),
        ),
        (
            "postman",
            "deep JSON",
            json_of(postman(raw("[".repeat(400_000)), none())),
        ),
        (
            "postman",
            "strange parts",
            json_of(postman(
                json!([1, null, { "request": 5 }, { "item": 5 }, { "request": { "url": [], "header": "a", "body": { "mode": 5 } } }]),
                json!("x"),
            )),
        ),
        (
            "curl",
            "no end",
            format!("curl https://c.test/ -d '{}", "x".repeat(1 << 20)),
        ),
        (
            "curl",
            "a long text",
            format!("curl https://c.test/ -d '{}'", "x".repeat(1 << 20)),
        ),
        (
            "curl",
            "deep JSON",
            format!(
                "curl https://c.test/ --json '{}{}'",
                "[".repeat(200_000),
                "]".repeat(200_000)
            ),
        ),
        (
            "curl",
            "many headers",
            format!("curl https://c.test/ {}", "-H 'a: b' ".repeat(20_000)),
        ),
        (
            "curl",
            "many other headers",
            format!(
                "curl https://c.test/ {}",
                (0..3000)
                    .map(|i| format!("-H 'a{i}: b' "))
                    .collect::<String>()
            ),
        ),
        (
            "curl",
            "many fields",
            format!("curl https://c.test/ -d '{}'", "a=b&".repeat(50_000)),
        ),
        (
            "curl",
            "many commands",
            "curl https://c.test/a\n".repeat(2000),
        ),
        (
            "curl",
            "many words",
            format!("curl https://c.test/ {}", "-s ".repeat(200_000)),
        ),
        ("curl", "marks", "\\'\"$`^&|<>(){}".repeat(20_000)),
        (
            "curl",
            "documents",
            "curl https://c.test -d @- <<A\n".repeat(20_000),
        ),
        (
            "curl",
            "the command prompt",
            format!("curl ^\"https://c.test/^\" {}", "^\\^\"".repeat(100_000)),
        ),
    ]
}

fn nested_resources(method: Value, depth: usize) -> Value {
    (0..depth).fold(method, |inner, _| json!({ "resources": { "r": inner } }))
}

fn nested_folders(depth: usize) -> Value {
    let request = json!([{ "name": "a", "request": "https://p.test/a" }]);
    (0..depth).fold(
        request,
        |inner, i| json!([{ "name": format!("f{i}"), "item": inner }]),
    )
}

#[test]
#[ignore = "long"]
fn an_import_of_a_hostile_document_ends() {
    for (format, about, text) in documents() {
        let workspace = Workspace::new();
        workspace.write("document", &text);
        let run = ends(
            &workspace,
            &[
                "import",
                format,
                "document",
                "--into",
                "descriptors/s",
                "--service",
                "s",
            ],
        );
        assert!(
            run.printed > 0 || !run.stderr.is_empty(),
            "{format} {about}: nothing is said"
        );
        assert!(
            run.code == 0 || run.stderr.starts_with("error: "),
            "{format} {about}: {}",
            run.stderr
        );
        if run.code == 0 {
            let checked = workspace.run(&["validate", "descriptors"]);
            assert_eq!(checked.code, 0, "{format} {about}: {}", checked.stdout);
        }
    }
}

#[test]
fn a_document_larger_than_the_bound_is_not_read() {
    for format in ["openapi", "discovery", "postman", "curl"] {
        let workspace = Workspace::new();
        let sparse = fs::File::create(workspace.path().join("document")).unwrap();
        sparse.set_len(4 << 30).unwrap();
        let run = ends(&workspace, &["import", format, "document"]);
        assert_eq!(run.code, 2, "{format}");
        assert!(
            run.stderr.contains("is larger than"),
            "{format}: {}",
            run.stderr
        );
        let run = ends(&workspace, &["import", format, "."]);
        assert!(
            run.stderr.contains("it is a folder"),
            "{format}: {}",
            run.stderr
        );
    }
}

#[test]
#[ignore = "long"]
fn what_cannot_be_read_in_the_folder_is_told_and_kept() {
    let document = json!({
        "openapi": "3.0.3", "info": { "title": "s", "version": "1" }, "servers": [{ "url": "https://s.test" }],
        "paths": { "/a": { "get": { "operationId": "a", "description": "A.", "responses": {} } } },
    });
    type Make = fn(&std::path::Path);
    let things: [(&str, Make); 5] = [
        ("no regular file", |path| {
            assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        }),
        ("no regular file", |path| fs::create_dir(path).unwrap()),
        ("larger than", |path| {
            fs::File::create(path).unwrap().set_len(4 << 30).unwrap();
        }),
        ("UTF-8", |path| fs::write(path, [b'a', 0xff]).unwrap()),
        ("link to a file that is not there", |path| {
            std::os::unix::fs::symlink("nowhere", path).unwrap();
        }),
    ];
    for (reason, make) in things {
        for name in [
            "a.yaml",
            "service.yaml",
            ".imported/a.yaml.base",
            "other.yaml",
        ] {
            for update in [&[][..], &["--update"]] {
                let workspace = Workspace::new();
                workspace.write("document", document.to_string());
                let folder = workspace.path().join("tools/s");
                fs::create_dir_all(folder.join(".imported")).unwrap();
                make(&folder.join(name));
                let arguments = [
                    &["import", "openapi", "document", "--into", "tools/s"],
                    update,
                ]
                .concat();
                let mut command = Command::new("timeout");
                let run = command
                    .args(["20", env!("CARGO_BIN_EXE_toolrun")])
                    .args(&arguments)
                    .current_dir(workspace.path())
                    .output()
                    .unwrap();
                let said = String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned();
                let about = format!("{name} {reason} {update:?}: {said}");
                // Only files that the import needs matter. A link or a pipe in the place of a snapshot is replaced; a folder
                // cannot be, and that is told.
                let is_snapshot = name.starts_with('.');
                let is_replaced = is_snapshot && !["larger than", "UTF-8"].contains(&reason);
                if is_replaced && said.contains("Is a directory") {
                    assert_eq!(run.status.code(), Some(1), "{about}");
                    continue;
                }
                if name == "other.yaml" || is_replaced {
                    assert_eq!(run.status.code(), Some(0), "{about}");
                    continue;
                }
                assert!(matches!(run.status.code(), Some(1 | 2)), "{about}");
                let is_reason_told =
                    said.contains(reason) || said.contains("other files of these names");
                assert!(is_reason_told, "{about}");
                let is_kept = folder
                    .join(name)
                    .symlink_metadata()
                    .is_ok_and(|kept| !kept.is_file() || kept.len() == 2 || kept.len() == 4 << 30);
                assert!(is_kept, "{about}");
            }
        }
    }
}

/// A disk that is full: no file may be larger than a kilobyte, and the last tool is.
#[cfg(unix)]
#[test]
fn an_import_that_cannot_be_written_leaves_nothing() {
    let mut paths = serde_json::Map::new();
    for (i, params) in [1, 2, 200].into_iter().enumerate() {
        let params: Vec<Value> = (0..params)
            .map(|i| json!({ "name": format!("p{i}"), "in": "query", "description": "One of many.", "schema": { "type": "string" } }))
            .collect();
        let get = json!({ "operationId": format!("get{i}"), "description": "One.", "parameters": params, "responses": {} });
        paths.insert(format!("/p{i}"), json!({ "get": get }));
    }
    let document = json!({
        "openapi": "3.0.0", "info": { "title": "D", "version": "1" },
        "servers": [{ "url": "https://d.test" }], "paths": paths,
    });
    let import = |workspace: &Workspace, limit: &str| {
        let mut command = Command::new("sh");
        command
            .args([
                "-c",
                "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"",
                "sh",
            ])
            .args([limit, env!("CARGO_BIN_EXE_toolrun")])
            .args(["import", "openapi", "api.json", "--into", "x/d", "--update"])
            .current_dir(workspace.path());
        crate::support::output(&mut command)
    };
    let files = |folder: &std::path::Path| {
        let mut found: Vec<(String, Vec<u8>)> = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                match entry.path() {
                    path if path.is_dir() => folders.push(path),
                    path => found.push((path.display().to_string(), fs::read(path).unwrap())),
                }
            }
        }
        found.sort();
        found
    };
    let workspace = Workspace::new();
    workspace.write("api.json", document.to_string());
    let folder = workspace.path().join("x/d");
    let told = import(&workspace, "4").expect(1);
    assert!(
        told.stderr.contains("cannot write") && told.stderr.contains("get2.yaml"),
        "{}",
        told.stderr
    );
    assert!(!folder.exists(), "{:?}", files(&folder));
    import(&workspace, "unlimited").expect(0);
    let before = files(&folder);
    assert_eq!(before.len(), 8);
    // An update that fails leaves what was there.
    let changed = document
        .to_string()
        .replace("One.", "Another.")
        .replace("Words.", "Other words.");
    workspace.write("api.json", changed);
    import(&workspace, "4").expect(1);
    assert_eq!(files(&folder), before);
    import(&workspace, "unlimited").expect(0);
    assert_ne!(files(&folder), before);
}
