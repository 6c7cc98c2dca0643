use super::ProblemKind::*;
use super::*;

/// A text, the kind of its only problem, the line and column, the source at
/// fault, and a part of the message or the help.
type Row = (
    &'static str,
    ProblemKind,
    (usize, usize),
    &'static str,
    &'static str,
);

const TABLE: &[Row] = &[
    ("", Empty, (1, 1), "", "empty"),
    ("\u{feff}", Empty, (1, 1), "", "empty"),
    ("# c\n\n", Empty, (1, 1), "", "empty"),
    ("---\n...\n", Empty, (1, 1), "", "empty"),
    (
        "a: 1\nb: 2\n\"a\": 3\n",
        DuplicateKey,
        (3, 1),
        "\"a\"",
        "`a` is written twice",
    ),
    ("404: 1\n'404': 2\n", DuplicateKey, (2, 1), "'404'", "twice"),
    ("{é: 1, é: 2}", DuplicateKey, (1, 8), "é", "twice"),
    ("a: *b\n", Alias, (1, 4), "*b", "write the value out"),
    ("- *.json\n", Alias, (1, 3), "*.json", "quotes"),
    ("<<: {a: 1}\n", Alias, (1, 1), "<<", "merge keys"),
    ("*a : 1\n", Alias, (1, 1), "*a", "aliases"),
    ("a: &b 1\n", Anchor, (1, 4), "&b", "remove it"),
    ("a: &b\n  - 1\n", Anchor, (1, 4), "&b", "remove it"),
    ("&b a: 1\n", Anchor, (1, 1), "&b", "remove it"),
    ("a: !!str 1\n", Tag, (1, 4), "!!str", "quote a value"),
    ("a: !<tag:x,y> 1\n", Tag, (1, 4), "!<tag:x,y>", "tags"),
    ("a: !x\n", Tag, (1, 4), "!x", "tags"),
    ("a: !x!y 1\n", Tag, (1, 4), "!x!y", "tags"),
    ("[a]: 1\n", NonStringKey, (1, 1), "[a]", "list"),
    ("a: {{ b }}\n", NonStringKey, (1, 5), "{ b }", "{{ name }}"),
    ("null: 1\n", NonStringKey, (1, 1), "null", "null"),
    ("a: 1\n: 2\n", NonStringKey, (2, 1), "", "missing"),
    ("? |\n  a\n: 1\n", NonStringKey, (1, 3), "|\n  a", "block"),
    (
        "a: 1\n---\nb: 1\n",
        SeveralDocuments,
        (2, 1),
        "---",
        "second document",
    ),
    (
        "a: 1\n...\nb: 1 # c\n",
        SeveralDocuments,
        (3, 1),
        "b: 1 # c",
        "file",
    ),
    ("a: \u{1}\n", Syntax, (1, 4), "\u{1}", "U+0001"),
    (
        "a:\n\tb: 1\n",
        Syntax,
        (2, 1),
        "\t",
        "spaces instead of tabs",
    ),
    ("a: 1\n\tb: 1\n", Syntax, (2, 1), "\t", "tab"),
    ("a:\n  b: 1\n \t c: 1\n", Syntax, (3, 2), "\t", "tab"),
    ("a: |\n\tb\n", Syntax, (2, 1), "\t", "tab"),
    ("a:\t- b\n", Syntax, (1, 3), "\t", "tab"),
    ("a:\n  b: 1\n c: 2\n", Syntax, (3, 2), "c", "indentation"),
    (
        "a:\n  - b: 1\n   c: 2\n",
        Syntax,
        (3, 4),
        "c",
        "indentation",
    ),
    ("a: |\n    \n  b\n", Syntax, (3, 3), "b", "indented less"),
    ("a: \"b\nc: 1\n", Syntax, (1, 4), "\"b", "never closed"),
    (
        "a: \"b\nc: \"d\"\n",
        Syntax,
        (1, 4),
        "\"b",
        "closing quote is missing",
    ),
    ("a: 'b\n", Syntax, (1, 4), "'b", "''"),
    ("漢: \"b \\q\"\n", Syntax, (1, 7), "\\q", "escape sequence"),
    ("a: \"\\u12\"\n", Syntax, (1, 5), "\\u", "hexadecimal"),
    (
        "a: \"C:\\\\x\\p\"\n",
        Syntax,
        (1, 10),
        "\\p",
        "single quotes",
    ),
    ("a: [1, 2\nb: 3\n", Syntax, (1, 4), "[", "not closed"),
    ("a: [1, 2\n\n", Syntax, (1, 4), "[", "never closed"),
    ("- [1, \"]\"\n", Syntax, (1, 3), "[", "never closed"),
    ("a: {b: [1], c\n", Syntax, (1, 4), "{", "never closed"),
    ("- [1\n- 2\n", Syntax, (1, 3), "[", "never closed"),
    ("a: {b: 1]\n", Syntax, (1, 9), "]", "expected `,` or `}`"),
    ("a: [1]]\n", Syntax, (1, 7), "]", "never opened"),
    ("a: [\n1]\n", Syntax, (2, 1), "1", "inside brackets"),
    ("a: b: c\n", Syntax, (1, 5), ":", "second `: `"),
    ("a: b\n  c: d\n", Syntax, (2, 4), ":", "continues the text"),
    ("a:b\nc: d\n", Syntax, (2, 2), ":", "space behind the colon"),
    ("a: 1\nb\nc: 2\n", Syntax, (2, 1), "b", "no `: ` follows"),
    (
        "a: 1\nb:2\n",
        Syntax,
        (2, 1),
        "b:2",
        "space behind the colon",
    ),
    ("a: @b\n", Syntax, (1, 4), "@", "quotes"),
    ("a: `b`\n", Syntax, (1, 4), "`", "a backtick"),
    ("a: 'b' c # d\n", Syntax, (1, 8), "c # d", "closing quote"),
    ("a: - b\n", Syntax, (1, 4), "-", "line of its key"),
    (
        "a: 1\n- b\n",
        Syntax,
        (2, 1),
        "-",
        "where a key is expected",
    ),
    (
        "- a\nb: 1\n",
        Syntax,
        (2, 1),
        "b: 1",
        "list item is expected",
    ),
    ("a: |x\n  b\n", Syntax, (1, 4), "|x", "`|` or `>`"),
    ("a: b # c\n  d\n", Syntax, (1, 6), "# c", "comment"),
    ("a: \"b\"#c\n", Syntax, (1, 7), "#c", "comment"),
    ("[1]\n[2]\n", Syntax, (2, 1), "[2]", "behind the end"),
    ("%YAML 1.2\na: 1\n", Syntax, (2, 1), "a", "`---` is missing"),
    ("a: & b\n", Syntax, (1, 4), "&", "name is missing"),
    ("a: ,b\n", Syntax, (1, 4), ",", "cannot begin"),
    ("a: {b}/c\n", Syntax, (1, 7), "/", "quotes"),
    (
        "a: 1\n\u{feff}b: 1\n",
        Syntax,
        (2, 1),
        "\u{feff}",
        "byte order mark",
    ),
];

#[test]
fn problems_point_at_their_cause() {
    for (text, kind, place, source, words) in TABLE {
        let problems = bad(text);
        let problem = &problems[0];
        assert_eq!(problems.len(), 1, "{text:?}: {problems:#?}");
        assert_eq!(problem.kind, *kind, "{text:?}: {problem:?}");
        assert_eq!(
            &text[problem.span.clone()],
            *source,
            "{text:?}: {problem:?}"
        );
        let found = LineIndex::new(text).line_column(problem.span.start);
        assert_eq!(found, *place, "{text:?}");
        let said = format!(
            "{} {}",
            problem.message,
            problem.help.as_deref().unwrap_or("")
        );
        assert!(said.contains(words), "{text:?}: {said}");
    }
}

#[test]
fn the_pass_goes_on_behind_what_leaves_the_structure_readable() {
    let text = "a: &x 1\nt: !t\n!u u: 1\nb: *x\nc: *.json\nd: !foo\n  e: .inf\nd: 1\n~: 2\n[f]: {g: 1, g: 2}\nh: [\n";
    let found: Vec<_> = bad(text)
        .into_iter()
        .map(|problem| (problem.kind, &text[problem.span]))
        .collect();
    let expected = [
        (Anchor, "&x"),
        (Tag, "!t"),
        (Tag, "!u"),
        (Alias, "*x"),
        (Alias, "*.json"),
        (Tag, "!foo"),
        (NonFiniteNumber, ".inf"),
        (DuplicateKey, "d"),
        (NonStringKey, "~"),
        (NonStringKey, "[f]"),
        (DuplicateKey, "g"),
        (Syntax, "["),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_duplicate_tells_of_the_first() {
    let text = "a: 1\nb: 2\na: 3\n";
    let related = bad(text)[0].related.clone();
    assert_eq!(related, Some((0..1, "it is first written here".to_owned())));
}

#[test]
fn limits_hold() {
    let limits = |bytes, depth, nodes| Limits {
        bytes,
        depth,
        nodes,
    };
    let deep = "[".repeat(10_000);
    let table = [
        ("a: é", limits(4, 9, 9), Some((TooLarge, 3))),
        ("a: é", limits(5, 9, 9), None),
        ("[[a]]", limits(99, 2, 9), None),
        ("[[[a]]]", limits(99, 2, 9), Some((TooDeep, 2))),
        ("a:\n- b: 1\n", limits(99, 3, 9), None),
        ("a:\n- b: 1\n", limits(99, 2, 9), Some((TooDeep, 5))),
        ("[1, 2]", limits(99, 9, 3), None),
        ("[1, 2]", limits(99, 9, 2), Some((TooMany, 4))),
        ("a: '[,,,]'", limits(99, 9, 3), None),
        (&deep, limits(1 << 20, 64, 100_000), Some((TooDeep, 255))),
    ];
    for (text, limits, expected) in table {
        let found = read(text, &limits).err();
        let found = found.map(|problems| (problems[0].kind, problems[0].span.start));
        assert_eq!(found, expected, "{text:.20}");
    }
}

#[test]
fn problems_are_gathered_up_to_a_hundred() {
    assert_eq!(bad(&"- *a\n".repeat(1000)).len(), 100);
}

/// Inputs that would overflow a stack or take quadratic time in a careless
/// parser. Run times are checked only roughly: the machine may be busy.
#[test]
#[ignore = "long"]
fn hostile_texts_are_dealt_with_quickly() {
    let size = 1 << 17;
    let units = [
        "[",
        "{",
        "]",
        "- ",
        "? ",
        "a: ",
        "\"",
        "'",
        "#",
        " #",
        "&a ",
        "*a ",
        "!a ",
        "a",
        " ",
        "\n",
        "\t",
        "[a,",
        "[a: ",
        "{a: ",
        "[a, ",
        "a,",
        "[\n",
        "- - \n",
        "-\n",
        "a\n",
        "|\n",
        "\"\\u00e9",
        "\r",
        "\u{feff}",
        "漢",
        "- *a\n",
        "%a\n",
        "---\n",
        "\\",
        ": ",
        "?\n",
        "- [\n",
        "\"a\": ",
        "[]: ",
    ];
    for unit in units {
        for prefix in ["", "[", "{", "a: ", "\"", "'", "- |\n  ", "["] {
            let text = format!("{prefix}{}", unit.repeat(size / unit.len()));
            let start = std::time::Instant::now();
            check_sound(&text);
            let took = start.elapsed();
            assert!(took.as_secs() < 5, "{prefix:?} {unit:?} took {took:?}");
        }
    }
}

/// Reads the text; whatever comes of it, its spans must lie within the text.
pub(super) fn check_sound(text: &str) {
    match read(text, &Limits::default()) {
        Ok(document) => each(&document.value, "", &mut |pointer, _| {
            let span = document.spans.value(pointer);
            assert!(
                span.is_some_and(|span| text.get(span).is_some()),
                "{text:?} {pointer}"
            );
        }),
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                assert!(
                    text.get(problem.span.clone()).is_some(),
                    "{text:?} {problem:?}"
                );
                let related = problem.related.map(|related| related.0);
                assert!(
                    related.is_none_or(|span| text.get(span).is_some()),
                    "{text:?}"
                );
            }
        }
    }
}
