//! `toolrun drift`: bodies that cannot be read back are noted, once, and never in silence.

use serde_json::Value;

use crate::support::{Har, Workspace};

/// A body, a recorded one with its media type, and how the note begins; none where nothing is lost.
const TABLE: [(&str, &str, &str, Option<&str>); 6] = [
    (
        "text: \"{{ note }}\"",
        "text/plain",
        "hello",
        Some("a body of `text` is not read back, so that its values are not checked"),
    ),
    ("text: fixed", "text/plain", "fixed", None),
    (
        "multipart: { note: \"{{ note }}\" }",
        "multipart/form-data; boundary=x",
        "--x\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n--x--\r\n",
        Some(
            "a body of `multipart` is not read back, so that the values in its parts are not checked",
        ),
    ),
    (
        "json: { note: \"{{ note }}\" }",
        "application/json",
        "{\"note\":\"hello\"}",
        None,
    ),
    (
        "json: { notes: [\"{{ note }}\"] }",
        "application/json",
        "{\"notes\":[\"hello\",\"world\"]}",
        Some("recorded lists have another length here"),
    ),
    (
        "form: { note: \"{{ note }}\" }",
        "application/x-www-form-urlencoded",
        "note=hello",
        None,
    ),
];

#[test]
fn what_cannot_be_read_back_is_noted() {
    for (body, media, text, expected) in TABLE {
        let workspace = Workspace::new();
        workspace.service("https://shop.example.com", "");
        let tool = format!(
            "params: {{ properties: {{ note: {{ type: string, description: A. }} }} }}\n\
             request: {{ method: POST, path: /notes, body: {{ {body} }} }}"
        );
        workspace.tool("add-note", "write", &tool);
        let url = "https://shop.example.com/notes";
        let har = Har::new()
            .exchange(("POST", url, Some((media, text))), (200, "{}"))
            .exchange(("POST", url, Some((media, text))), (200, "{}"));
        workspace.write("rec.har", har.text());
        let words = [
            "drift",
            "rec.har",
            "--against",
            "descriptors",
            "--format",
            "json",
        ];
        let output = workspace.run(&words).expect(0);
        let report: Value = output.json();
        let findings = report["findings"].as_array().expect("findings");
        let notes: Vec<&str> = findings
            .iter()
            .filter(|finding| finding["code"] == "unread-value")
            .filter_map(|finding| finding["message"].as_str())
            .collect();
        match expected {
            None => assert!(notes.is_empty(), "{body}: {notes:?}"),
            Some(start) => {
                assert_eq!(notes.len(), 1, "{body}: {findings:?}\n{}", output.stderr);
                assert!(notes[0].starts_with(start), "{body}: {notes:?}");
                assert!(notes[0].contains("2 of 2 requests"), "{body}: {notes:?}");
            }
        }
    }
}
