use super::*;
use serde_json::json;

#[test]
fn plain_scalars_follow_the_core_schema() {
    let table = [
        ("null", json!(null)),
        ("Null", json!(null)),
        ("NULL", json!(null)),
        ("~", json!(null)),
        ("nULL", json!("nULL")),
        ("true", json!(true)),
        ("True", json!(true)),
        ("FALSE", json!(false)),
        ("tRUE", json!("tRUE")),
        ("yes", json!("yes")),
        ("NO", json!("NO")),
        ("off", json!("off")),
        ("y", json!("y")),
        ("0", json!(0)),
        ("-0", json!(0)),
        ("+7", json!(7)),
        ("007", json!(7)),
        ("0o17", json!(15)),
        ("0xfF", json!(255)),
        ("0b1", json!("0b1")),
        ("-0x1", json!("-0x1")),
        ("0o8", json!("0o8")),
        ("0x", json!("0x")),
        ("1_000", json!("1_000")),
        ("9223372036854775807", json!(i64::MAX)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("18446744073709551615", json!(u64::MAX)),
        ("0xFFFFFFFFFFFFFFFF", json!(u64::MAX)),
        ("1.5", json!(1.5)),
        ("1.", json!(1.0)),
        (".5", json!(0.5)),
        ("-.5e-3", json!(-0.0005)),
        ("1e3", json!(1000.0)),
        ("+1.5E+2", json!(150.0)),
        ("0.1", json!(0.1)),
        ("+0.30000000000000004", json!(0.300_000_000_000_000_04)),
        ("1.7976931348623157e308", json!(f64::MAX)),
        (".", json!(".")),
        ("-", json!([null])),
        ("+", json!("+")),
        ("1e", json!("1e")),
        ("e5", json!("e5")),
        ("1.2.3", json!("1.2.3")),
        ("2024-01-01", json!("2024-01-01")),
        ("12:30:45", json!("12:30:45")),
        ("inf", json!("inf")),
        ("nan", json!("nan")),
        ("'1'", json!("1")),
        ("\"true\"", json!("true")),
        ("''", json!("")),
        ("|\n 1", json!("1\n")),
        ("{a, b: , c: }", json!({"a": null, "b": null, "c": null})),
        ("[a: 1, b]", json!([{"a": 1}, "b"])),
    ];
    for (text, expected) in table {
        assert_eq!(ok(text).value, expected, "{text:?}");
    }
}

#[test]
fn numbers_json_cannot_hold_are_refused() {
    let texts = [
        ".inf",
        "-.Inf",
        "+.INF",
        ".nan",
        ".NaN",
        "1e999",
        "-1e999",
        "18446744073709551616",
        "-9223372036854775809",
        "0x10000000000000000",
        "0.12345678901234567890",
        "-3.14159265358979323846",
        "+12345678901234567890123.0",
        "1e-999",
    ];
    for text in texts {
        let problems = bad(text);
        assert_eq!(problems[0].kind, ProblemKind::NonFiniteNumber, "{text:?}");
        assert_eq!(&text[problems[0].span.clone()], text);
    }
}

#[test]
fn plain_numbers_and_booleans_are_keys_by_their_text() {
    let document = ok("404: a\n1.0: b\ntrue: c\n.inf: d\n\"null\": e\n'': f\n");
    let expected = json!({"404": "a", "1.0": "b", "true": "c", ".inf": "d", "null": "e", "": "f"});
    assert_eq!(document.value, expected);
}

#[test]
fn what_needs_no_refusal_is_read() {
    let table = [
        ("%YAML 1.2\n---\na: 1\n", json!({"a": 1})),
        ("%YAML 1.1\n---\na: yes\n", json!({"a": "yes"})),
        ("--- a\n", json!("a")),
        ("---\na: 1\n...\n", json!({"a": 1})),
        ("\u{feff}a: 1\n", json!({"a": 1})),
        ("\u{feff}# c\n---\na: 1\n", json!({"a": 1})),
        ("? a\n: 1\n", json!({"a": 1})),
        ("~\n", json!(null)),
        ("a: 1\r\nb:\r\n- c\r\n", json!({"a": 1, "b": ["c"]})),
        ("a: [\n  1,\n]\n", json!({"a": [1]})),
        ("\"<<\": 1\n", json!({"<<": 1})),
        ("a: |\n  x", json!({"a": "x\n"})),
        ("a: |\n  x\n  ", json!({"a": "x\n"})),
        ("a: |+\n  x\n\n", json!({"a": "x\n\n"})),
    ];
    for (text, expected) in table {
        assert_eq!(ok(text).value, expected, "{text:?}");
    }
}

/// JSON writes a character beyond U+FFFF as two escapes.
#[test]
fn pairs_of_surrogates_are_one_character() {
    for (text, value) in [
        (r#"a: "\ud83d\ude00""#, json!({"a": "😀"})),
        (r#"a: "x\uD83D\uDE00\u00e9 \\""#, json!({"a": "x😀é \\"})),
        (
            r#"{"\ud83d\ude00": "\ud83d\ude00\ud83d\ude01"}"#,
            json!({"😀": "😀😁"}),
        ),
        // Only in double quotes are they escapes.
        (r"a: \ud83d\ude00", json!({"a": r"\ud83d\ude00"})),
        (r"a: '\ud83d\ude00'", json!({"a": r"\ud83d\ude00"})),
        ("a: |\n  \\ud83d\\ude00\n", json!({"a": "\\ud83d\\ude00\n"})),
        (r#"a: "\\ud83d\\ude00""#, json!({"a": r"\ud83d\ude00"})),
        ("a: \"\\ud83d\\ude00\n  b\"", json!({"a": "😀 b"})),
    ] {
        let read = super::read(text, &Limits::default()).expect(text);
        assert_eq!(read.value, value, "{text}");
    }
    let text = r#"a: "x\ud83d\ude00y"  # c"#;
    let read = super::read(text, &Limits::default()).expect("YAML");
    assert_eq!(
        read.spans.inside(text, "/a", 5),
        text.find('y').expect("a y")
    );
    for (text, bad) in [
        (r#"a: "\ud83d""#, r"\u"),
        (r#"a: "\ude00\ud83d""#, r"\u"),
        (r#"a: "\ud83d\ude00 \ud83d x""#, r"\u"),
    ] {
        let problems = super::read(text, &Limits::default()).expect_err(text);
        assert_eq!(&text[problems[0].span.clone()], bad, "{text}");
    }
}
