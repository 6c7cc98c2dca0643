//! The schema of the output gives types to the expressions over the response, by the paths that lead to its parts.

use std::fs;

use tempfile::TempDir;
use toolrun::internals::check;

const TOOL: &str = r##"spec: 1
tool: list-things
service: { service: probe, base_url: "https://probe.test" }
description: List things.
access: read
params:
  properties:
    page: { type: integer, default: 1, description: The page. }
    price:
      type: object
      description: The price.
      additionalProperties: false
      properties: { least: { type: integer }, unit: { type: string } }
request: { method: POST, path: /things, body: { json: { page: "{{ page }}", price: "{{ price }}" } } }
allow: { unusual-access: It reads. }
response:
  output:
    things:
      each: $.data[*]
      as: { id: $.id, name: $.name, tags: $.tags, size: $.size.cm, owner: $.owner, extra: "EXTRA" }
    total: $.meta.total
    more: $.more
    sum: "SUM"
  rows: things
  schema:
    type: object
    properties:
      things:
        type: array
        items:
          type: object
          properties:
            id: { type: integer }
            name: { type: string }
            tags: { type: array, items: { type: string } }
            size: { type: number }
            owner: { $ref: "#/$defs/owner" }
      total: { type: integer }
      more: { type: boolean }
    $defs:
      owner: { type: object, additionalProperties: false, properties: { mail: { type: string }, age: { type: [integer, "null"] } } }
paging:
  items: $.data
  next: { page: "NEXT" }
"##;

fn told(extra: &str, sum: &str, next: &str) -> Vec<(String, String)> {
    let text = TOOL
        .replace("EXTRA", extra)
        .replace("SUM", sum)
        .replace("NEXT", next);
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("list-things.yaml");
    fs::write(&path, &text).expect("a file");
    let report = check::paths(&[path.display().to_string()]).expect("the file");
    report
        .findings
        .iter()
        .map(|finding| {
            let place = text.get(finding.span.clone()).unwrap_or_default();
            (finding.code.to_string(), place.to_owned())
        })
        .collect()
}

const SOUND: [&str; 3] = [
    "{{ item.id + 1 }}",
    "{{ body.meta.total }}",
    "{{ page + 1 }}",
];

#[test]
fn what_can_never_work_is_found_without_an_example() {
    let next = "{{ params.page + 1 }}";
    for (extra, failing) in [
        ("{{ item.id.lower() }}", "item.id.lower()"),
        ("{{ item.id.x }}", "item.id.x"),
        ("{{ item.name - 1 }}", "item.name - 1"),
        ("{{ item.tags.first }}", "item.tags.first"),
        ("{{ item.tags[0] - 1 }}", "item.tags[0] - 1"),
        ("{{ item.size.cm.mm }}", "item.size.cm.mm"),
        ("{{ item['name'] / 2 }}", "item['name'] / 2"),
        ("{{ item.owner.mial | upper }}", "item.owner.mial"),
        (
            "{{ item.owner.mail * item.owner.mail }}",
            "item.owner.mail * item.owner.mail",
        ),
        ("{{ item.id | b64decode }}", "item.id | b64decode"),
    ] {
        let expected = [("failing-expression".to_owned(), failing.to_owned())];
        assert_eq!(told(extra, SOUND[1], next), expected, "{extra}");
    }
    for (sum, failing) in [
        ("{{ body.meta.total.value }}", "body.meta.total.value"),
        ("{{ body.data - 1 }}", "body.data - 1"),
        ("{{ body.data[0].name - 1 }}", "body.data[0].name - 1"),
        ("{{ body.more.x }}", "body.more.x"),
        ("{{ params.price.most + 1 }}", "params.price.most"),
        ("{{ params.price.unit - 1 }}", "params.price.unit - 1"),
    ] {
        let expected = [("failing-expression".to_owned(), failing.to_owned())];
        assert_eq!(told(SOUND[0], sum, next), expected, "{sum}");
    }
    let expected = [(
        "failing-expression".to_owned(),
        "body.meta.total.next".to_owned(),
    )];
    assert_eq!(
        told(SOUND[0], SOUND[1], "{{ body.meta.total.next }}"),
        expected
    );
}

#[test]
fn what_may_work_is_no_finding() {
    let next = "{{ params.page + 1 if body.more }}";
    for extra in [
        SOUND[0],
        "{{ item.name | upper }}",
        "{{ item.tags | join(', ') }}",
        "{{ item.tags[0] | upper }}",
        "{{ item.size.cm * 2 }}",
        "{{ item.other.part - 1 }}",
        "{{ item.owner.age + 1 if item.owner.age }}",
        "{{ item.owner.mail }}",
        "{{ item.name[:3] }}",
        "{{ body.data[0].id + 1 }}",
    ] {
        assert_eq!(told(extra, SOUND[1], next), [], "{extra}");
    }
    for sum in [
        SOUND[1],
        "{{ body.meta.total / 2 }}",
        "{{ body.data | length }}",
        "{{ body.data | map(attribute='size') | map(attribute='cm') | sum }}",
        "{{ body.meta.other.x }}",
        "{{ body.anything - 1 }}",
        "{{ params.price.least + 1 }}",
        "{{ not body.more }}",
    ] {
        assert_eq!(told(SOUND[0], sum, next), [], "{sum}");
    }
}
