use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use pretty_assertions::assert_eq;
use serde_json::{Map, Value, json};

use super::*;
use crate::plan::percent_encode;
use crate::sign::hex;

fn redactor(values: &[&str]) -> Redactor {
    let values = values.iter().enumerate();
    Redactor::new(&Secrets {
        values: values
            .map(|(i, value)| (i.to_string(), Secret::new(*value)))
            .collect(),
        ..Secrets::default()
    })
}

fn json_of(redactor: &Redactor, text: &str) -> String {
    let masked = redactor.json(Bytes::copy_from_slice(text.as_bytes()));
    String::from_utf8(masked.to_vec()).expect("UTF-8")
}

#[test]
fn every_notation_is_masked() {
    let value = "canary/key+with\"quote<&>-0123456789";
    let json = Value::from(value).to_string();
    let escaped: String = value.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    for shown in [
        value.to_owned(),
        value.to_uppercase(),
        percent_encode(value),
        percent_encode(value).to_lowercase(),
        percent_encode(&percent_encode(value)),
        json.clone(),
        json.replace('/', "\\/").replace('<', "\\u003c"),
        escaped,
        percent_encode(&json),
        value
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('"', "&#34;"),
        hex(value.as_bytes()),
        STANDARD.encode(value),
        STANDARD.encode(format!("us:{value}:x")),
        STANDARD.encode(format!("/x?k={}", percent_encode(value))),
        STANDARD.encode(STANDARD.encode(value)),
    ] {
        let masked = redactor(&[value]).text(&format!("a {shown} b"));
        assert!(
            masked.contains(MASK) && masked.len() < 30,
            "{shown} -> {masked}"
        );
    }
}

#[test]
fn other_texts_are_left_alone() {
    let redactor = redactor(&["canary-0123456789"]);
    for text in [
        "nothing here",
        "0123456780",
        "caf\\u00e9",
        "canary-0123",
        "",
    ] {
        assert_eq!(redactor.text(text), text);
        assert_eq!(redactor.message(text), text);
        assert_eq!(json_of(&redactor, text), text);
    }
    let bytes = Bytes::from_static(b"none of it in here");
    assert_eq!(redactor.bytes(bytes.clone()).as_ptr(), bytes.as_ptr());
    assert_eq!(redactor.json(bytes.clone()).as_ptr(), bytes.as_ptr());
}

#[test]
fn a_secret_of_any_characters_is_masked_and_a_short_one_is_none() {
    assert_eq!(
        redactor(&["a-b/c+d.e:f;"]).text("x a-b/c+d.e:f; y"),
        "x *** y"
    );
    assert_eq!(
        redactor(&["elevenchars"]).text("elevenchars"),
        "elevenchars"
    );
    // Twelve characters, written in fewer than twelve.
    let odd = redactor(&["%41%42%43%44"]);
    assert_eq!(odd.text("ABCD %41%42%43%44"), "ABCD ***");
    for value in [
        "pässwörd-ünïcødé",
        "ключ-доступа-123",
        "🔑🔒🗝-secret-🔐 key",
    ] {
        let escaped: String = value
            .encode_utf16()
            .map(|unit| format!("\\u{unit:04x}"))
            .collect();
        let entities: String = value
            .chars()
            .map(|c| format!("&#{};", u32::from(c)))
            .collect();
        for shown in [
            value.to_owned(),
            percent_encode(value),
            escaped,
            entities,
            STANDARD.encode(value),
            hex(value.as_bytes()),
            value.bytes().map(char::from).collect(),
        ] {
            let masked = redactor(&[value]).text(&format!("é{shown}ü"));
            assert_eq!(masked, "é***ü", "{shown}");
        }
    }
}

/// Text in front of a secret must not swallow the secret's first characters.
#[test]
fn escapes_around_a_secret_do_not_hide_it() {
    let redactor = redactor(&["abcdef0123456789"]);
    for (text, expected) in [
        ("100%abcdef0123456789%41", "100***%41"),
        ("\\uabcdef0123456789", "***"),
        ("C:\\abcdef0123456789\\x", "C:\\***\\x"),
        ("&abcdef0123456789;", "&***;"),
        ("%%61bcdef0123456789", "***"),
    ] {
        assert_eq!(redactor.text(text), expected);
    }
}

#[test]
fn a_part_is_masked_in_a_message_alone() {
    let redactor = redactor(&["sk-ant-admin01-0123456789abcdef"]);
    for (text, expected) in [
        ("hint: sk-ant-admin01-01...cdef", "hint: ***...cdef"),
        ("host 456789ABCDEF.test", "host ***.test"),
        ("%34%356789abcdef!", "***!"),
        ("only 6789abcdef", "only 6789abcdef"),
    ] {
        assert_eq!(redactor.text(text), text);
        assert_eq!(redactor.message(text), expected);
    }
}

#[test]
fn json_is_masked_in_string_values_alone() {
    let secret = "123456789012345";
    let redactor = redactor(&[secret]);
    let text = r#" {"123456789012345" : 123456789012345, "a":[ 1.0e400,"x\/123456789012345\u00e9", "q\/"], "123456789012345":{"b":"123456789012345"}}"#;
    let expected = r#" {"123456789012345" : 123456789012345, "a":[ 1.0e400,"x/***é", "q\/"], "123456789012345":{"b":"***"}}"#;
    assert_eq!(json_of(&redactor, text), expected);
    let lines = "{\"a\":\"123456789012345\"}\n[123456789012345]\n\"%3123456789012345\"\n";
    let expected = "{\"a\":\"***\"}\n[123456789012345]\n\"***\"\n";
    assert_eq!(json_of(&redactor, lines), expected);
    // Text that is not JSON must not show a secret either, as far as it has strings.
    let broken = "{\"a\": \"\\ud800 123456789012345\", \"b\": \"123456789012345";
    assert_eq!(
        json_of(&redactor, broken),
        "{\"a\": \"***\", \"b\": \"***\""
    );
}

#[test]
fn an_escape_is_not_cut_where_a_secret_seems_to_begin_in_it() {
    let redactor = redactor(&["nsecret-0123456789", "00e9-0123456789abc"]);
    for text in [r#"["\nsecret-0123456789"]"#, r#"["\u00e9-0123456789abc"]"#] {
        assert_eq!(json_of(&redactor, text), text);
    }
    let path = r#"["C:\\nsecret-0123456789"]"#;
    assert_eq!(json_of(&redactor, path), r#"["C:\\***"]"#);
}

/// Random JSON with secrets in all places. Keys, numbers and the structure must stay the same, and strings may change
/// only where a secret is masked.
#[test]
fn no_number_key_or_structure_changes() {
    let mut random = fastrand::Rng::with_seed(42);
    let mut masked_strings = 0;
    for round in 0..400 {
        let secrets: Vec<String> = (0..random.usize(1..4))
            .map(|_| secret(&mut random))
            .collect();
        let known: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let redactor = redactor(&known);
        let value = random_value(&mut random, &secrets, 0);
        let text = match random.bool() {
            true => value.to_string(),
            false => escaped(&serde_json::to_string_pretty(&value).expect("JSON")),
        };
        let masked = json_of(&redactor, &text);
        let after: Value = serde_json::from_str(&masked)
            .unwrap_or_else(|error| panic!("{round}: {error}: {secrets:?} {text} {masked}"));
        compare(&value, &after, &redactor, &mut masked_strings);
    }
    assert!(masked_strings > 300, "{masked_strings}");
}

fn compare(before: &Value, after: &Value, redactor: &Redactor, masked: &mut usize) {
    match (before, after) {
        (Value::String(before), Value::String(after)) => {
            assert_eq!(*after, redactor.text(before));
            *masked += usize::from(before != after);
        }
        (Value::Array(before), Value::Array(after)) => {
            assert_eq!(before.len(), after.len());
            for (before, after) in before.iter().zip(after) {
                compare(before, after, redactor, masked);
            }
        }
        (Value::Object(before), Value::Object(after)) => {
            let keys = |members: &Map<String, Value>| members.keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(before), keys(after));
            for (before, after) in before.values().zip(after.values()) {
                compare(before, after, redactor, masked);
            }
        }
        (before, after) => assert_eq!(before, after),
    }
}

/// The same JSON with some characters of its strings as `\u00XX`.
fn escaped(text: &str) -> String {
    let mut inside = false;
    let mut skip = 0;
    let escape = |c: char| {
        if skip > 0 {
            skip -= 1;
            return c.to_string();
        }
        match c {
            '"' => inside = !inside,
            '\\' => skip = 1,
            'a' | '1' | '/' if inside => return format!("\\u{:04X}", u32::from(c)),
            _ => {}
        }
        c.to_string()
    };
    text.chars().map(escape).collect()
}

fn secret(random: &mut fastrand::Rng) -> String {
    let length = random.usize(12..40);
    let alphabet: Vec<char> = match random.u8(..4) {
        0 => "0123456789".chars().collect(),
        1 => "abcdef0123456789".chars().collect(),
        2 => "{}[]\",:\\/%&;u0nt41 -".chars().collect(),
        _ => "ABCdefgh/+=_-é0123".chars().collect(),
    };
    let secret: String = (0..length)
        .map(|_| alphabet[random.usize(..alphabet.len())])
        .collect();
    secret
}

fn random_value(random: &mut fastrand::Rng, secrets: &[String], depth: usize) -> Value {
    let text = |random: &mut fastrand::Rng| {
        let secret = &secrets[random.usize(..secrets.len())];
        let shown = match random.u8(..9) {
            0 => String::new(),
            1 => percent_encode(secret),
            2 => STANDARD.encode(format!("u:{secret}")),
            3 => URL_SAFE_NO_PAD.encode(secret),
            4 => hex(secret.as_bytes()),
            5 => Value::from(secret.as_str()).to_string(),
            6 => secret.chars().take(9).collect(),
            _ => secret.clone(),
        };
        let around = ["", "\\", "\n", "%", "é", "\"", "x=", "&", "\\u"];
        format!(
            "{}{shown}{}",
            around[random.usize(..around.len())],
            around[random.usize(..around.len())]
        )
    };
    let many = if depth > 3 { 6 } else { 9 };
    match random.u8(..many) {
        0 => Value::Null,
        1 => secrets[0]
            .parse::<u64>()
            .map_or_else(|_| random.i64(..).into(), Value::from),
        2 => json!(random.f64() * 1e20),
        3..=5 => text(random).into(),
        6 => (0..random.usize(..5))
            .map(|_| random_value(random, secrets, depth + 1))
            .collect(),
        _ => {
            let members: HashMap<String, Value> = (0..random.usize(..5))
                .map(|_| (text(random), random_value(random, secrets, depth + 1)))
                .collect();
            Value::Object(members.into_iter().collect())
        }
    }
}
