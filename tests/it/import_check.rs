//! `toolrun import FORMAT DOCUMENT --check`: what changed in a document since the import.

use std::fs;

use crate::support::{Output, Workspace};
use pretty_assertions::assert_eq;

const DOCUMENT: &str = r#"openapi: 3.1.0
info: { title: Pets, version: "1" }
servers: [{ url: "https://pets.example.com" }]
paths:
  /pets:
    get:
      operationId: listPets
      summary: List the pets.
      parameters: [{ name: limit, in: query, description: How many., schema: { type: integer, maximum: 100 } }]
      responses: { "200": { description: ok, content: { application/json: { schema: { type: object, properties: { pets: { type: array, items: { type: object } }, more: { type: boolean } } } } } } }
  /pets/{id}:
    get:
      operationId: getPet
      summary: Get a pet.
      parameters: [{ name: id, in: path, required: true, description: The id., schema: { type: string } }]
      responses: { "200": { description: ok } }
"#;

fn imported() -> Workspace {
    let workspace = Workspace::new();
    workspace.write("pets.yaml", DOCUMENT);
    workspace.run(&["import", "openapi", "pets.yaml"]).expect(0);
    workspace
}

fn check(workspace: &Workspace) -> Output {
    workspace.run(&[
        "import",
        "openapi",
        "pets.yaml",
        "--check",
        "--format",
        "json",
    ])
}

/// Code, file and line of each change.
fn told(output: &Output) -> Vec<String> {
    let json = output.json();
    let changes = json["changes"].as_array().expect("a list").iter();
    let mut told: Vec<String> = changes
        .map(|change| {
            let place = &change["place"];
            let file = place["file"].as_str().expect("a file");
            format!("{} {file}", change["code"].as_str().expect("a code"))
        })
        .collect();
    told.sort();
    told
}

#[test]
fn a_document_that_did_not_change_changes_nothing() {
    let workspace = imported();
    assert_eq!(told(&check(&workspace).expect(0)), Vec::<String>::new());
}

#[test]
fn what_changed_in_the_document_stands_in_the_files_that_are_here() {
    let workspace = imported();
    let before = crate::diff::files_below(&workspace.path().join("tools"));
    let texts: Vec<String> = before
        .iter()
        .map(|path| fs::read_to_string(path).expect("a file"))
        .collect();
    let new = DOCUMENT.replace("maximum: 100", "maximum: 50").replace(
        "/pets/{id}:\n    get:\n      operationId: getPet",
        "/pets/{id}:\n    post:\n      operationId: feedPet",
    );
    workspace.write("pets.yaml", new);
    let output = check(&workspace).expect(3);
    assert_eq!(
        told(&output),
        [
            "param-narrowed tools/pets/list-pets.yaml",
            "tool-added tools/pets/feed-pet.yaml",
            "tool-gone tools/pets/get-pet.yaml",
        ]
    );
    let list =
        fs::read_to_string(workspace.path().join("tools/pets/list-pets.yaml")).expect("a file");
    let json = output.json();
    let changes = json["changes"].as_array().expect("a list");
    let narrowed = changes
        .iter()
        .find(|change| change["code"] == "param-narrowed")
        .expect("a change");
    let line = narrowed["place"]["line"].as_u64().expect("a line");
    let line = list
        .lines()
        .nth(usize::try_from(line).expect("small") - 1)
        .expect("a line");
    assert!(line.contains("maximum: 100"), "{line}");
    // Nothing is written.
    assert_eq!(
        crate::diff::files_below(&workspace.path().join("tools")),
        before
    );
    for (path, text) in before.iter().zip(texts) {
        assert_eq!(fs::read_to_string(path).expect("a file"), text);
    }
    for format in ["human", "github", "sarif"] {
        let arguments = [
            "import",
            "openapi",
            "pets.yaml",
            "--check",
            "--format",
            format,
        ];
        assert!(
            workspace
                .run(&arguments)
                .expect(3)
                .stdout
                .contains("param-narrowed")
        );
    }
}

#[test]
fn changes_by_hand_are_none_of_the_documents() {
    let workspace = imported();
    let path = workspace.path().join("tools/pets/list-pets.yaml");
    let text = fs::read_to_string(&path).expect("a file");
    let text = text
        .replace("List the pets.", "List all pets of the shop.")
        .replace("maximum: 100", "maximum: 10");
    fs::write(
        &path,
        text + "\nexamples: [{ name: one, args: { limit: 1 } }]\n",
    )
    .expect("a file");
    fs::remove_file(workspace.path().join("tools/pets/get-pet.yaml")).expect("a file");
    workspace.write(
        "tools/pets/own.yaml",
        "spec: 1\ntool: own\nservice: pets\ndescription: Own.\naccess: read\nrequest: { method: GET, path: /own }\n",
    );
    assert_eq!(told(&check(&workspace).expect(0)), Vec::<String>::new());
    // What the document takes away is told beside them.
    workspace.write("pets.yaml", DOCUMENT.replace("maximum: 100", "maximum: 5"));
    assert_eq!(
        told(&check(&workspace).expect(3)),
        ["param-narrowed tools/pets/list-pets.yaml"]
    );
    // What a person did already is not told.
    workspace.write("pets.yaml", DOCUMENT.replace("maximum: 100", "maximum: 10"));
    assert_eq!(told(&check(&workspace).expect(0)), Vec::<String>::new());
}

#[test]
fn words_of_the_document_are_told_and_are_no_failure() {
    let workspace = imported();
    workspace.write(
        "pets.yaml",
        DOCUMENT.replace("List the pets.", "List every pet."),
    );
    assert_eq!(
        told(&check(&workspace).expect(0)),
        ["docs-changed tools/pets/list-pets.yaml"]
    );
}

#[test]
fn what_was_not_selected_is_not_gone() {
    let workspace = imported();
    let arguments = [
        "import",
        "openapi",
        "pets.yaml",
        "--check",
        "--format",
        "json",
        "--include",
        "path:/pets",
    ];
    assert_eq!(
        told(&workspace.run(&arguments).expect(0)),
        Vec::<String>::new()
    );
}

#[test]
fn without_an_import_there_is_nothing_to_check() {
    let workspace = Workspace::new();
    workspace.write("pets.yaml", DOCUMENT);
    let told = check(&workspace).expect(2);
    assert!(
        told.stderr.contains("no descriptors that were imported"),
        "{}",
        told.stderr
    );
    let told = workspace
        .run(&["import", "openapi", "pets.yaml", "--format", "sarif"])
        .expect(2);
    assert!(told.stderr.contains("--check"), "{}", told.stderr);
    workspace
        .run(&["import", "openapi", "pets.yaml", "--check", "--update"])
        .expect(2);
}

#[test]
fn without_the_snapshots_everything_is_told() {
    let workspace = imported();
    fs::remove_dir_all(workspace.path().join("tools/pets/.imported")).expect("a folder");
    let told = check(&workspace).expect(0);
    assert!(told.stderr.contains(".imported is gone"), "{}", told.stderr);
}
