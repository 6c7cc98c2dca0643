use super::*;

/// Each: a text, a pointer, the source of the key there, and of the value.
const TABLE: &[(&str, &str, Option<&str>, &str)] = &[
    ("a: b\nc: d\n", "", None, "a: b\nc: d"),
    ("a: b\nc: d # x\n\n", "", None, "a: b\nc: d"),
    ("a: b  # x\n", "/a", Some("a"), "b"),
    ("\"a b\": b\n", "/a b", Some("\"a b\""), "b"),
    ("'a''b': b\n", "/a'b", Some("'a''b'"), "b"),
    ("a: 'x ''y'   # c\n", "/a", Some("a"), "'x ''y'"),
    ("a: \"x \\\" y\"  \nb: 1\n", "/a", Some("a"), "\"x \\\" y\""),
    ("a: \"x\" # it's\nb: 'y'\n", "/b", Some("b"), "'y'"),
    (
        "a: one\n  two\n\n  three # c\n",
        "/a",
        Some("a"),
        "one\n  two\n\n  three",
    ),
    // Block scalars.
    ("a: |\n  x\n  y\n\nb: 1\n", "/a", Some("a"), "|\n  x\n  y"),
    (
        "a: |2- # c | c\n    x\n\n# c\nb: >\n  z\n",
        "/a",
        Some("a"),
        "|2- # c | c\n    x",
    ),
    (
        "a: |2- # c | c\n    x\n\n# c\nb: >\n  z\n",
        "/b",
        Some("b"),
        ">\n  z",
    ),
    ("a: |\nb: >+ # c\n\n\nc: 1\n", "/a", Some("a"), "|"),
    ("a: |\nb: >+ # c\n\n\nc: 1\n", "/b", Some("b"), ">+"),
    ("a:\n  # c | d\n  |\n  x\n", "/a", Some("a"), "|\n  x"),
    ("- |\n x\n- >\n y\n", "/1", None, ">\n y"),
    ("- - |\n    x\n  - y\n", "/0/0", None, "|\n    x"),
    ("--- |\n x\n", "", None, "|\n x"),
    ("# c\n|\nx\n", "", None, "|\nx"),
    // Lists.
    ("a:\n- 1\n- 2\nb: 1\n", "/a", Some("a"), "- 1\n- 2"),
    ("a: # c\n  # d\n- 1\n", "/a", Some("a"), "- 1"),
    ("a:\n- - 1\n  - 2\n", "/a", Some("a"), "- - 1\n  - 2"),
    ("a:\n- - 1\n  - 2\n", "/a/0", None, "- 1\n  - 2"),
    ("a:\n- - 1\n  - 2\n", "/a/0/1", None, "2"),
    (
        "a:\n  - x: 1\n    y: 2\n  - z\n",
        "/a/0",
        None,
        "x: 1\n    y: 2",
    ),
    ("a:\n  - x: 1\n    y: 2\n  - z\n", "/a/0/y", Some("y"), "2"),
    ("- a\n-\n  - b\n", "/1", None, "- b"),
    ("? a\n: - 1\n  - 2\n", "/a", Some("a"), "- 1\n  - 2"),
    // Bracketed collections.
    ("a: [1, {b: c}]  # c\n", "/a", Some("a"), "[1, {b: c}]"),
    ("a: [1, {b: c}]  # c\n", "/a/1", None, "{b: c}"),
    // A comma may follow the last part.
    ("a: { b: c, }  # c\n", "/a", Some("a"), "{ b: c, }"),
    (
        "a: [ [1 , ], # c\n  {b: c\n  , # d\n }, ]\n",
        "/a",
        Some("a"),
        "[ [1 , ], # c\n  {b: c\n  , # d\n }, ]",
    ),
    ("a: [ [1 , ], {b: c,} ]\n", "/a/1", None, "{b: c,}"),
    (
        "a: [ # x\n  1,\n  2 # y\n]\nb: 1\n",
        "/a",
        Some("a"),
        "[ # x\n  1,\n  2 # y\n]",
    ),
    ("[a: 1, b: [2] ]\n", "/0", None, "a: 1"),
    ("[a: 1, b: [2] ]\n", "/1", None, "b: [2]"),
    ("[a: 1, b: ]\n", "/1", None, "b:"),
    ("{\"a\":1,'b':[]}", "/b", Some("'b'"), "[]"),
    ("{\"a\":1,'b':[]}", "", None, "{\"a\":1,'b':[]}"),
    ("{a, b: }", "/a", Some("a"), ""),
    // Wide characters, byte order mark, line breaks.
    (
        "\u{feff}é: 😀 漢 # c\nb: \"日本\" # d\n",
        "",
        None,
        "é: 😀 漢 # c\nb: \"日本\"",
    ),
    (
        "\u{feff}é: 😀 漢 # c\nb: \"日本\" # d\n",
        "/é",
        Some("é"),
        "😀 漢",
    ),
    (
        "\u{feff}é: 😀 漢 # c\nb: \"日本\" # d\n",
        "/b",
        Some("b"),
        "\"日本\"",
    ),
    (
        "# 😀\r\na: |\r\n  é\r\n  x\r\n\r\nb:\r\n- 1\r\n",
        "/a",
        Some("a"),
        "|\r\n  é\r\n  x",
    ),
    (
        "# 😀\r\na: |\r\n  é\r\n  x\r\n\r\nb:\r\n- 1\r\n",
        "/b",
        Some("b"),
        "- 1",
    ),
    // Pointers with escapes.
    ("a/b: {m~n: 1}\n", "/a~1b/m~0n", Some("m~n"), "1"),
    ("--- # c\na: 1\n...\n", "", None, "a: 1"),
];

#[test]
fn spans_cover_exactly_the_source() {
    for (text, pointer, key, value) in TABLE {
        let spans = ok(text).spans;
        let found = spans.value(pointer).map(|span| &text[span]);
        assert_eq!(found, Some(*value), "{text:?} {pointer}");
        let found = spans.key(pointer).map(|span| &text[span]);
        assert_eq!(found, *key, "{text:?} {pointer}");
    }
}

/// Each: a text, a pointer to a value left out, and what stands before it.
#[test]
fn a_value_left_out_is_right_behind_its_indicator() {
    let table = [
        ("a:\nb: 1\n", "/a", "a:"),
        ("a: # c\n", "/a", "a:"),
        ("- 1\n-  # c\n- 2\n", "/1", "- 1\n-"),
        ("-\n-\n", "/1", "-\n-"),
        ("a:\n  b:\n\n\nc: 1\n", "/a/b", "a:\n  b:"),
        ("{a: , b}", "/a", "{a:"),
        ("{a: , b}", "/b", "{a: , b"),
        ("? a\n", "/a", "? a"),
    ];
    for (text, pointer, before) in table {
        let span = ok(text).spans.value(pointer);
        assert_eq!(span, Some(before.len()..before.len()), "{text:?}");
    }
}

#[test]
fn missing_nodes_have_a_nearest_one() {
    let text = "a: {b: [1, 2]}\n";
    let spans = ok(text).spans;
    let table = [
        ("/a/b/1", "2"),
        ("/a/b/2", "[1, 2]"),
        ("/a/b/01", "[1, 2]"),
        ("/a/b/-", "[1, 2]"),
        ("/a/b/1/x", "2"),
        ("/a/c/d", "{b: [1, 2]}"),
        ("/x", "a: {b: [1, 2]}"),
        ("a", "a: {b: [1, 2]}"),
        ("", "a: {b: [1, 2]}"),
    ];
    for (pointer, expected) in table {
        assert_eq!(&text[spans.nearest(pointer)], expected, "{pointer}");
    }
    assert_eq!(spans.value("/a/b/2"), None);
    assert_eq!(spans.key("/a/b/1/x"), None);
    assert_eq!(spans.key("/a/x"), None);
    assert_eq!(spans.value("a"), None);
}

#[test]
fn lines_and_columns() {
    let text = "\u{feff}a: 1\r\n漢😀e\u{301}: x\n\nlast";
    let index = LineIndex::new(text);
    let table = [
        ("a", (1, 1)),
        ("1", (1, 4)),
        ("\r", (1, 5)),
        ("漢", (2, 1)),
        ("😀", (2, 2)),
        ("e", (2, 3)),
        ("x", (2, 7)),
        ("last", (4, 1)),
    ];
    for (part, expected) in table {
        let at = text.find(part).unwrap_or_else(|| panic!("{part:?}"));
        assert_eq!(index.line_column(at), expected, "{part:?}");
    }
    assert_eq!(index.line_column(0), (1, 1));
    assert_eq!(index.line_column(text.len() + 9), (4, 5));
    // An offset inside a character is that character's.
    let inside = text.find('😀').unwrap_or(0) + 2;
    assert_eq!(index.line_column(inside), (2, 2));
    let lines: Vec<&str> = (0..6).map(|line| index.line_text(line)).collect();
    assert_eq!(lines, ["", "a: 1", "漢😀e\u{301}: x", "", "last", ""]);
    assert_eq!(LineIndex::new("").line_column(0), (1, 1));
}
