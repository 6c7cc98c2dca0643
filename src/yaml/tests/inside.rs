use super::*;

/// Each: a text whose root is a mapping with the key `a`, a part of the
/// value, and the source from there on.
const TABLE: &[(&str, &str, &str)] = &[
    ("a: x {{y}} z\n", "{{y}}", "{{y}} z\n"),
    ("a: x\n  y\n\n  z # c\n", "y", "y\n\n  z # c\n"),
    ("a: x\n  y\n\n  z # c\n", "z", "z # c\n"),
    ("a: x\n  y\n\n  z # c\n", " y", "\n  y\n\n  z # c\n"),
    ("a: x\r\n  y\r\n\r\n  z\r\n", "z", "z\r\n"),
    ("a: 'it''s {{y}}'\n", "{{y}}", "{{y}}'\n"),
    ("a: 'it''s {{y}}'\n", "'s", "''s {{y}}'\n"),
    ("a: 'p  \n\n   q {{y}}'\n", "{{y}}", "{{y}}'\n"),
    (
        "a: \"\\u00e9\\t\\x41\\U0001F600 \\\"{{y}}\"\n",
        "{{y}}",
        "{{y}}\"\n",
    ),
    (
        "a: \"\\u00e9\\t\\x41\\U0001F600 \\\"{{y}}\"\n",
        "\u{1f600}",
        "\\U0001F600 \\\"{{y}}\"\n",
    ),
    (
        "a: \"\\u00e9\\t\\x41\\U0001F600 \\\"{{y}}\"\n",
        "\"",
        "\\\"{{y}}\"\n",
    ),
    (
        "a: \"p \\\n    q\n  r\n\n\n  {{y}}\"\n",
        "{{y}}",
        "{{y}}\"\n",
    ),
    (
        "a: \"p \\\n    q\n  r\n\n\n  {{y}}\"\n",
        "q",
        "q\n  r\n\n\n  {{y}}\"\n",
    ),
    ("a: \"\\N\\_\\L\\P\\e\\/{{y}}\"\n", "{{y}}", "{{y}}\"\n"),
    ("a: |\n  p\n\n   q {{y}}\n  r\n", "{{y}}", "{{y}}\n  r\n"),
    ("a: |\n  p\n\n   q {{y}}\n  r\n", " q", " q {{y}}\n  r\n"),
    ("a: |2-\n\n    p {{y}}\n", "  p", "  p {{y}}\n"),
    (
        "a: |+ # c\r\n  é\r\n\r\n  {{y}}\r\n\r\n",
        "{{y}}",
        "{{y}}\r\n\r\n",
    ),
    (
        "a: >\n  p\n  q\n\n  r\n    s\n  {{y}}\n",
        "{{y}}",
        "{{y}}\n",
    ),
    (
        "a: >\n  p\n  q\n\n  r\n    s\n  {{y}}\n",
        "q",
        "q\n\n  r\n    s\n  {{y}}\n",
    ),
    (
        "a: >\n  p\n  q\n\n  r\n    s\n  {{y}}\n",
        "  s",
        "  s\n  {{y}}\n",
    ),
    ("a: >-\n  漢字 😀\n  {{y}}\n", "{{y}}", "{{y}}\n"),
    ("\u{feff}é: é\na: 漢字 😀 {{y}}\n", "{{y}}", "{{y}}\n"),
];

#[test]
fn offsets_lead_to_their_source() {
    for (text, part, rest) in TABLE {
        let document = ok(text);
        let value = document.value["a"].as_str().unwrap_or("");
        let offset = value
            .find(part)
            .unwrap_or_else(|| panic!("{text:?}: {value:?}"));
        let at = document.spans.inside(text, "/a", offset);
        assert_eq!(&text[at..], *rest, "{text:?} {part:?}");
    }
}

#[test]
fn what_is_beyond_the_value_falls_back_to_its_start() {
    let text = "a: 'bc'\nd: [1]\ne: ''\n";
    let spans = ok(text).spans;
    assert_eq!(spans.inside(text, "/a", 2), 6);
    assert_eq!(spans.inside(text, "/a", 3), 3);
    assert_eq!(spans.inside(text, "/d", 0), 11);
    assert_eq!(spans.inside(text, "/d/5", 0), 11);
    assert_eq!(spans.inside(text, "/e", 0), 18);
    assert_eq!(spans.inside("", "/a", 1), 3);
}

#[test]
fn the_first_line_may_hold_no_content() {
    let text = "a:\n  - b: >2\n\n\n       x\n\n      y\n";
    let document = ok(text);
    check_pieces(text, &document);
}

/// Decoding every string again from its source must give the string.
pub(super) fn check_pieces(text: &str, document: &Document) {
    each(&document.value, "", &mut |pointer, value| {
        let Value::String(string) = value else {
            return;
        };
        for (offset, character) in string.char_indices() {
            let at = document.spans.inside(text, pointer, offset);
            let found = text[at..].chars().next();
            let is_written_so = found == Some(character)
                || matches!(found, None | Some('\\' | '\r' | '\n' | '\t' | ' '));
            assert!(is_written_so, "{text:?} {pointer} {offset}: {found:?}");
        }
        let decoded = decode(text, document, pointer);
        assert_eq!(decoded, *string, "{text:?} {pointer}");
    });
}

fn decode(text: &str, document: &Document, pointer: &str) -> String {
    use super::super::spans::Kind;
    let mut node = &document.spans.root;
    for token in pointer.split('/').skip(1) {
        let name = token.replace("~1", "/").replace("~0", "~");
        node = match &node.kind {
            Kind::List(nodes) => &nodes[token.parse::<usize>().unwrap_or(0)],
            Kind::Map(entries) => match entries.iter().find(|entry| *entry.name == *name) {
                Some(entry) => &entry.node,
                None => panic!("{pointer}"),
            },
            _ => panic!("{pointer}"),
        };
    }
    let pieces = match node.kind {
        Kind::Block { indent } => unfold::block(text, node.span.start, indent),
        _ => unfold::inline(text, &node.span),
    };
    pieces.iter().map(|piece| piece.character).collect()
}
