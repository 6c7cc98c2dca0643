use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{JsonPath, SearchError, ShapeMismatch, Step};
use crate::json::{Budget, Json, Part};

fn path(text: &str) -> JsonPath {
    JsonPath::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn what_is_read_without_the_parser_is_what_it_reads() {
    let names = [
        "", "$", ".", "a", "_b1", "1", "é", " ", "-", "'c'", "[*]", "[0]", "*",
    ];
    let mut texts = vec![String::new()];
    let mut plain = 0;
    for _ in 0..5 {
        let longer = texts
            .iter()
            .flat_map(|text| names.iter().map(move |name| format!("{text}{name}")));
        texts = longer.collect();
        texts.sort();
        texts.dedup();
        // All that is plain goes on, and as much of the rest.
        let quick = |text: &String| super::plain_path(text).is_some();
        let (quick, mut other): (Vec<String>, Vec<String>) = texts.into_iter().partition(quick);
        for text in &quick {
            let (parsed, absolute) = super::parsed(text).expect(text);
            let path = super::plain_path(text).expect(text);
            assert_eq!(format!("{path:?}"), format!("{parsed:?}"), "{text}");
            assert!(absolute.is_empty(), "{text}");
        }
        plain += quick.len();
        other.truncate(200);
        texts = [quick, other, vec!["$.".to_owned()]].concat();
    }
    assert!(plain > 20, "{plain}");
    for text in ["$.a[*]", "$[*]", "$.a.b[*]", "$._b1.a"] {
        assert!(super::plain_path(text).is_some(), "{text}");
    }
    for text in [
        "$.a[*].b", "$..a[*]", "$.a [*]", "[*]", "a[*]", "$.[*]", "$.a.[*]",
    ] {
        assert!(super::plain_path(text).is_none(), "{text}");
    }
}

fn document(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

const ORDERS: &str = r#"{"orders": [
    {"id": 1, "total": 20.5, "tags": ["new", "gift"], "to": {"city": "Oslo"}},
    {"id": 2, "total": 7, "tags": [], "to": null},
    {"id": 3, "total": 99, "to": {"city": "Ulm", "zip": "89073"}}
], "limit": 20}"#;

/// Query, document, nodelist.
const SELECTIONS: &[(&str, &str, &str)] = &[
    // Names and indexes
    ("$", "7", "[7]"),
    ("$.limit", ORDERS, "[20]"),
    ("$.orders[1].id", ORDERS, "[2]"),
    ("$.orders[-1].to.zip", ORDERS, r#"["89073"]"#),
    ("$.orders[-4]", ORDERS, "[]"),
    ("$.orders[3]", ORDERS, "[]"),
    ("$.orders.id", ORDERS, "[]"),
    ("$['limit'][0]", ORDERS, "[]"),
    ("$.limit[0]", ORDERS, "[]"),
    ("$ ['limit']", ORDERS, "[20]"),
    ("$\n.orders\t[ 0 ]\r.id", ORDERS, "[1]"),
    (r"$['it\'s']", r#"{"it's": 1}"#, "[1]"),
    (r#"$["say \"hi\""]"#, r#"{"say \"hi\"": 1}"#, "[1]"),
    (r"$['\u00e9\uD83D\uDE00\n\/']", "{\"é😀\\n/\": 1}", "[1]"),
    ("$.straße", r#"{"straße": 1}"#, "[1]"),
    ("$._1", r#"{"_1": 1}"#, "[1]"),
    ("$['\u{a0}a']", "{\"\u{a0}a\": 1}", "[1]"),
    ("$['a b']", r#"{"a b": 1}"#, "[1]"),
    ("$['[?(']", r#"{"[?(": 1}"#, "[1]"),
    ("$['']", r#"{"": 1}"#, "[1]"),
    // Wildcards, unions and slices
    ("$[*]", r#"{"b": 1, "a": [2]}"#, "[1, [2]]"),
    ("$.*.*", r#"{"b": 1, "a": [2]}"#, "[2]"),
    ("$['b', 'a', 'b']", r#"{"a": 1, "b": 2}"#, "[2, 1, 2]"),
    ("$[1, 'a', *]", "[4, 5]", "[5, 4, 5]"),
    ("$[1:3]", "[0, 1, 2, 3]", "[1, 2]"),
    ("$[:-1]", "[0, 1, 2, 3]", "[0, 1, 2]"),
    ("$[-2:]", "[0, 1, 2, 3]", "[2, 3]"),
    ("$[::2]", "[0, 1, 2, 3]", "[0, 2]"),
    ("$[::-1]", "[0, 1, 2, 3]", "[3, 2, 1, 0]"),
    ("$[2:0:-1]", "[0, 1, 2, 3]", "[2, 1]"),
    ("$[9:-9:-2]", "[0, 1, 2, 3]", "[3, 1]"),
    ("$[3:1]", "[0, 1, 2, 3]", "[]"),
    ("$[1:3:-1]", "[0, 1, 2, 3]", "[]"),
    ("$[::0]", "[0, 1, 2, 3]", "[]"),
    ("$[::-1]", "[]", "[]"),
    (
        "$[-9007199254740991:9007199254740991:9007199254740991]",
        "[5, 6]",
        "[5]",
    ),
    ("$[:]", r#"{"a": 1}"#, "[]"),
    // Descendants
    ("$..id", ORDERS, "[1, 2, 3]"),
    (
        "$..*",
        r#"{"a": [1, {"b": 2}], "c": 3}"#,
        r#"[[1, {"b": 2}], 3, 1, {"b": 2}, 2]"#,
    ),
    (
        "$..['b', 'a']",
        r#"{"a": {"a": 1, "b": 2}, "b": 3}"#,
        r#"[3, {"a": 1, "b": 2}, 2, 1]"#,
    ),
    ("$..[0]", "[[[1], 2], [3]]", "[[[1], 2], [1], 1, 3]"),
    ("$..a..b", r#"{"a": {"a": {"b": 1}}}"#, "[1, 1]"),
    // Filters: existence and logic
    ("$.orders[?@.to].id", ORDERS, "[1, 2, 3]"),
    ("$.orders[?@.tags[0]].id", ORDERS, "[1]"),
    ("$.orders[?!@.tags].id", ORDERS, "[3]"),
    (
        "$.orders[?@.id == 3 || @.id == 1 && @.tags].id",
        ORDERS,
        "[1, 3]",
    ),
    (
        "$.orders[?(@.id == 3 || @.id == 1) && @.tags].id",
        ORDERS,
        "[1]",
    ),
    ("$.orders[? ! ( @.id > 1 ) ].id", ORDERS, "[1]"),
    ("$.orders[?@.id == 1, ?@.id < 3].id", ORDERS, "[1, 1, 2]"),
    ("$[?@[?@[?@ > 1]]]", "[[[1, 2]], [[1]], 5]", "[[[1, 2]]]"),
    (
        "$[?@..x]",
        r#"[{"a": [{"x": 1}]}, {"a": 1}]"#,
        r#"[{"a": [{"x": 1}]}]"#,
    ),
    ("$[?$.on]", r#"{"on": false, "off": 1}"#, "[false, 1]"),
    ("$[?$..z]", "[1]", "[]"),
    ("$[?@ [ 'a' ]]", r#"[{"a": 1}, {}]"#, r#"[{"a": 1}]"#),
    // Filters: comparison
    ("$.orders[?@.total > $.limit].id", ORDERS, "[1, 3]"),
    ("$.orders[?'Ulm' == @ .to ['city']].id", ORDERS, "[3]"),
    (
        "$[?@ == 1]",
        "[1, 1.0, 10e-1, \"1\", true]",
        "[1, 1.0, 1.0]",
    ),
    ("$[?@ == -0]", "[0, -0.0, 0.0, false]", "[0, -0.0, 0.0]"),
    (
        "$[?@ == 9007199254740993]",
        "[9007199254740992, 9007199254740993]",
        "[9007199254740993]",
    ),
    (
        "$[?@ > 9007199254740992.0]",
        "[9007199254740992, 9007199254740993]",
        "[9007199254740993]",
    ),
    ("$[?@ < -1.5]", "[-1, -2, -1.5]", "[-2]"),
    (
        "$[?@ >= 18446744073709551615]",
        "[18446744073709551615, 1e30, 1]",
        "[18446744073709551615, 1e30]",
    ),
    (
        "$[?@ == $[0]]",
        r#"[{"a": 1, "b": [2.0]}, {"b": [2], "a": 1.0}, {"a": 1}]"#,
        r#"[{"a": 1, "b": [2.0]}, {"b": [2], "a": 1.0}]"#,
    ),
    (
        "$[?@.a == @.b]",
        r#"[{}, {"a": null}, {"a": null, "b": null}]"#,
        r#"[{}, {"a": null, "b": null}]"#,
    ),
    (
        "$[?@.a <= @.b]",
        r#"[{}, {"a": [1], "b": [1]}, {"a": 1, "b": "1"}]"#,
        r#"[{}, {"a": [1], "b": [1]}]"#,
    ),
    ("$[?@ >= null]", "[null, 0, false]", "[null]"),
    (
        "$[?@ < 'b']",
        r#"["a", "b", "ab", 1, "é"]"#,
        r#"["a", "ab"]"#,
    ),
    ("$[?@ > '\u{ffff}']", "[\"😀\", \"a\"]", "[\"😀\"]"),
    ("$[?@ != 1]", r#"[1, 2, "x", null]"#, r#"[2, "x", null]"#),
    ("$[?true == false]", "[1]", "[]"),
    // Functions
    (
        "$[?length(@) == 2]",
        r#"["é😀", "a", [1, 2], {"a": 1, "b": 2}, 22]"#,
        r#"["é😀", [1, 2], {"a": 1, "b": 2}]"#,
    ),
    (
        "$[?length(@.a) == length(@.b)]",
        r#"[{"a": 1}, {"a": "x"}]"#,
        r#"[{"a": 1}]"#,
    ),
    ("$[?count(@.*) > 1]", "[[1], [1, 2], 5]", "[[1, 2]]"),
    ("$[?count(@[0, 0]) == 2]", "[[1]]", "[[1]]"),
    (
        "$[?count($..a) == @]",
        r#"{"a": 1, "b": 2, "c": {"a": 0}}"#,
        "[2]",
    ),
    (
        "$[?value(@..id) == 4]",
        r#"[{"x": {"id": 4}}, {"id": 4, "x": {"id": 4}}]"#,
        r#"[{"x": {"id": 4}}]"#,
    ),
    (
        "$[?length(value(@[*])) == 3]",
        r#"[["abc"], ["abc", "abc"]]"#,
        r#"[["abc"]]"#,
    ),
    (
        "$[?match(@, 'a.c')]",
        r#"["abc", "xabc", "a\nc", "a\rc", "a\u2028c", 5]"#,
        r#"["abc", "a\u2028c"]"#,
    ),
    (
        "$[?match(@, 'a|bc')]",
        r#"["a", "bc", "ab", "abc"]"#,
        r#"["a", "bc"]"#,
    ),
    (
        "$[?search(@, 'b.')]",
        r#"["abc", "ab", "b\n"]"#,
        r#"["abc"]"#,
    ),
    (
        r"$[?match(@, '[.\\]]')]",
        r#"[".", "]", "x"]"#,
        r#"[".", "]"]"#,
    ),
    (
        r"$[?match(@, '[a&&b~~[]+')]",
        r#"["a&b~[", "c"]"#,
        r#"["a&b~["]"#,
    ),
    (r"$[?match(@, '\\.')]", r#"[".", "x"]"#, r#"["."]"#),
    ("$[?search(@, '(')]", r#"["("]"#, "[]"),
    ("$[?match(@, 'a)|(?:b')]", r#"["a", "b"]"#, "[]"),
    ("$[?search(@, 5)]", r#"["5"]"#, "[]"),
    (
        "$[?match(@.s, @.p)]",
        r#"[{"s": "ab", "p": "a."}, {"s": "ab", "p": "("}, {"s": "ab"}]"#,
        r#"[{"s": "ab", "p": "a."}]"#,
    ),
    (
        "$[?search(@, $[0]) && !match(@, $[0])]",
        r#"["b", "abc"]"#,
        r#"["abc"]"#,
    ),
];

#[test]
fn selects() {
    for (query, value, nodelist) in SELECTIONS {
        let value = document(value);
        let path = path(query);
        let nodes = path.all(&value);
        let expected = document(nodelist);
        let found = Value::Array(nodes.iter().copied().cloned().collect());
        assert_eq!(
            found.to_string(),
            expected.to_string(),
            "{query} on {value}"
        );
        assert_eq!(
            path.first(&value),
            nodes.first().copied(),
            "first of {query}"
        );
    }
}

/// What a query selects in a text.
fn selected(query: &str, text: &str) -> Result<Vec<String>, SearchError> {
    let json = Json::read(text.to_owned().into()).unwrap();
    let (root, budget) = (json.part(), Budget::of(text.len()));
    let mut nodes = Vec::new();
    path(query).visit_in(root, (root, 0), &budget, &mut |node| {
        nodes.push(String::from_utf8_lossy(node.text()).into_owned());
        Ok::<_, SearchError>(())
    })?;
    assert_eq!(budget.used(), 0, "{query} gives back what it takes");
    Ok(nodes)
}

#[test]
fn selects_the_same_of_a_text() {
    for (query, text, nodelist) in SELECTIONS {
        let nodes = selected(query, text).unwrap_or_else(|error| panic!("{query}: {error}"));
        let found = document(&format!("[{}]", nodes.join(",")));
        assert_eq!(
            found.to_string(),
            document(nodelist).to_string(),
            "{query} on {text}"
        );
    }
}

#[test]
fn a_text_counts_its_last_members_and_all_digits() {
    for (query, text, nodelist) in [
        (
            "$[?@.a == 2]",
            r#"[{"a": 1, "a": 2}]"#,
            Some(r#"{"a": 1, "a": 2}"#),
        ),
        (
            "$[?count(@.*) == 1 && length(@) == 1]",
            r#"[{"a": 1, "\u0061": 2}, {"a": 1, "b": 1}]"#,
            Some(r#"{"a": 1, "\u0061": 2}"#),
        ),
        ("$[?@.a > 1]", r#"[{"a": 12345678901234567890123}]"#, None),
        ("$[?@.a == $[0].a]", r#"[{"a": {"b": [1e999]}}]"#, None),
        (
            "$[?length(@.a) > 1 || match(@.a, 'x') || @.a]",
            r#"[{"a": 1e999}]"#,
            Some(r#"{"a": 1e999}"#),
        ),
    ] {
        match (selected(query, text), nodelist) {
            (Ok(nodes), Some(expected)) => assert_eq!(nodes, [expected], "{query}"),
            (Err(error), None) => {
                let error = error.to_string();
                assert!(error.starts_with(&format!("`{query}`: ")), "{error}");
                assert!(error.contains("more digits"), "{error}");
            }
            (given, _) => panic!("{query}: {given:?}"),
        }
    }
}

/// Query, offset of the error.
const INVALID: &[(&str, usize)] = &[
    // Outside of selectors
    ("", 0),
    ("data.id", 0),
    (" $", 0),
    ("@.a", 0),
    ("$.a ", 3),
    ("$.", 2),
    ("$..", 3),
    ("$...a", 3),
    ("$. a", 2),
    ("$.. [0]", 3),
    ("$.a b", 4),
    ("$.a 1", 4),
    ("$.a-b", 3),
    ("$.1st", 2),
    ("$.'a'", 2),
    ("$a", 1),
    ("$ a", 2),
    ("$.a,$.b", 3),
    ("$.é#", 4),
    ("$.\u{a0}a", 2),
    ("$..a\u{3000}", 3),
    ("$.length(@.a)", 8),
    // Selectors
    ("$[]", 2),
    ("$[0", 1),
    ("$.a]", 3),
    ("$[(0]", 4),
    ("$[a]", 2),
    ("$[0,]", 4),
    ("$[0 1]", 4),
    ("$['a''b']", 5),
    ("$[01]", 2),
    ("$[-0]", 2),
    ("$[1.0]", 2),
    ("$[1e2]", 2),
    ("$[- 1]", 2),
    ("$[+1]", 2),
    ("$[9007199254740992]", 2),
    ("$[0:-9007199254740992]", 4),
    ("$[::x]", 4),
    ("$[@.a]", 2),
    // Strings
    ("$['a]", 2),
    ("$['\t']", 3),
    (r"$['\x']", 3),
    (r#"$['\"']"#, 3),
    (r"$['ab\u12g4']", 5),
    (r"$['\u+123']", 3),
    (r"$['\uD83D']", 3),
    (r"$['\uD83D\u0041']", 3),
    (r"$['\uDE00']", 3),
    // Filters
    ("$[?]", 3),
    ("$[?true]", 7),
    ("$[?@.a && 1]", 11),
    ("$[?@.a &&]", 9),
    ("$[?@.a & @.b]", 7),
    ("$[?@.a = 1]", 7),
    ("$[?@.a == ]", 10),
    ("$[?@.a == x]", 10),
    ("$[?@.a == True]", 10),
    ("$[?@.a === 1]", 9),
    ("$[?@.a == 01]", 10),
    ("$[?@.a == 1.]", 12),
    ("$[?@.a == .5]", 11),
    ("$[?@.a == 1e400]", 10),
    ("$[?@.a == 1 .5]", 13),
    ("$[?@.a b == 1]", 7),
    ("$[?@. a == 1]", 5),
    ("$[?@.* == 1]", 7),
    ("$[?@..a == 1]", 8),
    ("$[?1 == @[0, 1]]", 9),
    ("$[?@[ 'a'] == 1]", 5),
    ("$[?1 == @.a['b' ]]", 15),
    ("$[?!!@.a]", 4),
    ("$[?(@.a) == 1]", 9),
    ("$[?@.a == 1 == 2]", 12),
    // Functions
    ("$[?length (@.a) == 1]", 9),
    ("$[?size(@.a) == 1]", 3),
    ("$[?in(@.a, 'x')]", 3),
    ("$[?length() == 1]", 10),
    ("$[?length(@.a, 1) == 1]", 13),
    ("$[?length(@.*) == 1]", 3),
    ("$[?length(@.a == 1) == 1]", 14),
    ("$[?length((@.a)) == 1]", 3),
    ("$[?length(match(@.a, 'x')) == 1]", 10),
    ("$[?@.b && length(@.a)]", 10),
    ("$[?count(@..*)]", 3),
    ("$[?count('x') == 1]", 9),
    ("$[?count(value(@.a)) == 1]", 9),
    ("$[?value(@.a)]", 3),
    ("$[?match(@.a)]", 12),
    ("$[?match(@.*, 'x')]", 3),
    ("$[?match(@.a, 'x') == true]", 3),
    ("$[?true != search(@.a, 'x')]", 11),
    ("$[?length(@.a) > 1 && count(1) > 1]", 28),
    ("$[?@.a > 12 && @.b == 'x' && count(@.c)]", 29),
];

#[test]
fn refuses_with_the_offset() {
    let wrong = INVALID
        .iter()
        .filter_map(|(query, offset)| match JsonPath::parse(query) {
            Err(error) if error.offset == *offset => None,
            Err(error) => Some(format!("{query:?}, not at {offset}: {error}")),
            Ok(_) => Some(format!("{query:?}: accepted")),
        });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn words_an_error() {
    let error = JsonPath::parse("$[?size(@.a) == 1]").unwrap_err();
    assert_eq!(
        error.to_string(),
        "`size` is no function; there are length, count, match, search, value (at byte 3)"
    );
}

#[test]
fn knows_singular_queries() {
    let singular = path("$.a['b c'][-1]");
    assert_eq!(singular.as_str(), "$.a['b c'][-1]");
    assert!(singular.is_singular());
    assert_eq!(
        singular.singular(),
        Some(
            [
                Step::Name("a".into()),
                Step::Name("b c".into()),
                Step::Index(-1)
            ]
            .as_slice()
        )
    );
    assert_eq!(path("$").singular(), Some([].as_slice()));
    for query in ["$.*", "$..a", "$[0, 0]", "$[0:1]", "$[?@]"] {
        assert!(!path(query).is_singular(), "{query}");
        assert_eq!(path(query).singular(), None, "{query}");
    }
}

#[test]
fn replaces_through_a_singular_query() {
    let mut body = json!({ "pages": [{ "data": [1] }] });
    *path("$.pages[-1].data").first_mut(&mut body).unwrap() = json!([1, 2]);
    assert_eq!(body, json!({ "pages": [{ "data": [1, 2] }] }));
    for query in ["$.pages[1]", "$.pages.data", "$.none", "$.pages[*]"] {
        assert_eq!(path(query).first_mut(&mut body), None, "{query}");
    }
}

/// Query, document, and where what was expected and found.
type Mismatch = (
    &'static str,
    &'static str,
    Option<(&'static str, &'static str, &'static str)>,
);

const MISMATCHES: &[Mismatch] = &[
    ("$", "1", None),
    ("$.a.b", r#"{"a": {"b": 1}}"#, None),
    ("$.a.b", "{}", None),
    ("$.a.b", r#"{"a": null}"#, None),
    ("$.a[3].b", r#"{"a": [1]}"#, None),
    ("$.a", "null", None),
    ("$.a", "[]", Some(("$", "an object", "an array"))),
    (
        "$.a.b",
        r#"{"a": "x"}"#,
        Some(("$.a", "an object", "a string")),
    ),
    (
        "$.a[0]",
        r#"{"a": {}}"#,
        Some(("$.a", "an array", "an object")),
    ),
    (
        "$.a[-1].b",
        r#"{"a": [[], true]}"#,
        Some(("$.a[1]", "an object", "a boolean")),
    ),
    (
        "$.a[*]",
        r#"{"a": 5}"#,
        Some(("$.a", "an object or array", "a number")),
    ),
    ("$.a[*].b", r#"{"a": [1]}"#, None),
    (
        "$.a[?@.b]",
        r#"{"a": "x"}"#,
        Some(("$.a", "an object or array", "a string")),
    ),
    (
        "$.a[1:]",
        r#"{"a": {}}"#,
        Some(("$.a", "an array", "an object")),
    ),
    (
        "$.a..b",
        r#"{"a": 5}"#,
        Some(("$.a", "an object or array", "a number")),
    ),
    ("$['a', 'b']", "[]", Some(("$", "an object", "an array"))),
    ("$[0, 1:2]", "{}", Some(("$", "an array", "an object"))),
    ("$[0, 'a']", "{}", None),
    (
        r"$['a b']['\'\\\u0001']._x.y",
        r#"{"a b": {"'\\\u0001": {"_x": 1}}}"#,
        Some((r"$['a b']['\'\\\u0001']._x", "an object", "a number")),
    ),
];

#[test]
fn finds_shapes_that_contradict() {
    for (query, value, expected) in MISMATCHES {
        let expected = expected.map(|(at, expected, found)| ShapeMismatch {
            at: at.to_owned(),
            expected,
            found,
        });
        assert_eq!(
            path(query).mismatch(&document(value)),
            expected,
            "{query} on {value}"
        );
    }
}

#[test]
fn refuses_what_is_too_long_or_too_deep() {
    let nested = |depth: usize, open: &str, close: &str| {
        format!("$[?{}@{}]", open.repeat(depth), close.repeat(depth))
    };
    assert!(JsonPath::parse(&nested(31, "(", ")")).is_ok());
    assert!(JsonPath::parse(&nested(31, "@[?", "]")).is_ok());
    assert!(JsonPath::parse(&nested(32, "(", ")")).is_err());
    assert!(JsonPath::parse(&nested(900, "@[?", "]")).is_err());
    assert!(JsonPath::parse(&format!("${}", ".a".repeat(2047))).is_ok());
    assert!(JsonPath::parse(&format!("${}", ".a".repeat(2048))).is_err());
    assert!(JsonPath::parse(&format!("$[?{}", "length(".repeat(500))).is_err());
    assert!(JsonPath::parse(&format!("$[?{}1", "!".repeat(4000))).is_err());
}

/// The deepest value that `serde_json` reads, with the same shape at every level.
fn deep_value() -> Value {
    (0..120).fold(json!(1), |inner, _| json!({ "a": inner, "b": [2] }))
}

#[test]
fn nested_filters_take_bounded_time() {
    let start = Instant::now();
    let body = deep_value();
    for (open, close) in [("[?@..", "]"), ("[?$..", "]"), ("[?!@..", "]")] {
        let query = format!("$..{}zzz{}", open.repeat(25), close.repeat(25));
        path(&query).all(&body);
    }
    let list = json!(vec![json!([1]); 200]);
    let query = format!("$[*]{}[?@ == 3]{}", "[?$[*]".repeat(20), "]".repeat(20));
    assert!(path(&query).all(&list).is_empty());
    let elapsed = start.elapsed();
    assert!(elapsed < Duration::from_secs(10), "{elapsed:?}");
}

#[test]
#[ignore = "long"]
fn nested_filters_on_a_text_take_bounded_time() {
    let start = Instant::now();
    let body = deep_value().to_string();
    for (open, close) in [("[?@..", "]"), ("[?$..", "]"), ("[?!@..", "]")] {
        let query = format!("$..{}zzz{}", open.repeat(10), close.repeat(10));
        // It selects nothing, or says that it would read too much.
        let nodes = selected(&query, &body).unwrap_or_else(|error| {
            assert!(error.to_string().contains("too many steps"), "{error}");
            Vec::new()
        });
        assert!(nodes.is_empty() || open == "[?!@..", "{query}");
    }
    let list = json!(vec![json!([1]); 200]).to_string();
    let query = format!("$[*]{}[?@ == 3]{}", "[?$[*]".repeat(20), "]".repeat(20));
    assert_eq!(selected(&query, &list), Ok(Vec::new()));
    let elapsed = start.elapsed();
    assert!(elapsed < Duration::from_secs(10), "{elapsed:?}");
}

#[test]
fn refuses_hostile_texts_in_bounded_time() {
    let start = Instant::now();
    let call = "length(".repeat(5);
    let text = format!("$[?{call}@{}", "['a']".repeat(780));
    assert!(JsonPath::parse(&format!("{text}!{}]", ")".repeat(5))).is_err());
    let elapsed = start.elapsed();
    assert!(elapsed < Duration::from_secs(10), "{elapsed:?}");
}

#[test]
fn computed_patterns_are_bounded() {
    let body: Vec<Value> = (0..200)
        .map(|n| json!({ "s": n.to_string(), "p": format!("{n}|x{{1,1000}}{{1,1000}}") }))
        .collect();
    let patterns = json!(body);
    assert!(path("$[?match(@.s, @.p)]").all(&patterns).is_empty());
}

#[test]
fn the_stack_holds_the_longest_recursion() {
    let body = (0..126).fold(json!(1), |inner, _| json!([inner]));
    let level = format!("[?${}", ".*".repeat(124));
    let query = format!("${}{}", level.repeat(15), "]".repeat(15));
    assert_eq!(path(&query).all(&body).len(), 1);
    assert_eq!(selected(&query, &body.to_string()).unwrap().len(), 1);
    let query = format!("$[?(((@{}{})))]", "[?@.*.*".repeat(28), "]".repeat(28));
    assert_eq!(path(&query).all(&body).len(), 1);
    assert_eq!(selected(&query, &body.to_string()).unwrap().len(), 1);
}

/// Paths through descendants of descendants come to the same values again and again, and filters look at each of them.
#[test]
#[ignore = "long"]
fn a_search_of_a_text_reads_it_only_so_often() {
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let text = format!("[{}]", vec![deep; 1_000].join(","));
    for query in ["$..*..*", "$..[?@..x]", "$..[?count(@..*) > 1000]"] {
        let error = selected(query, &text).expect_err(query).to_string();
        assert!(error.contains("too many steps"), "{query}: {error}");
    }
    for query in [
        "$..*",
        "$..x",
        "$[*][*][?@.x]",
        "$[?@[?@[0]]]",
        "$[?@ == $[0]]",
        "$[?length(@) > 0]",
    ] {
        assert!(selected(query, &text).is_ok(), "{query}");
    }
}

/// Each of the values of a page starts a search of its own.
#[test]
fn many_searches_share_what_they_read() {
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let text = format!("[{}]", vec![deep; 1_000].join(","));
    let json = Json::read(text.clone().into()).unwrap();
    let budget = Budget::of(text.len());
    let query = path("$..*..*");
    let search = |part: Part<'_>| {
        query.visit_in(part, (part, 0), &budget, &mut |_| Ok::<_, SearchError>(()))
    };
    let error = json.part().elements().find_map(|part| search(part).err());
    let error = error.expect("they read too much").to_string();
    assert!(error.contains("too many steps"), "{error}");
}
