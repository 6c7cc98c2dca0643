//! Digests of values: two values with the same digest are the same JSON, however it was written.

use std::fmt::Write as _;

use serde_json::Value;

/// A value as JSON without spaces, and with the keys of each object in the order of their characters.
pub(crate) fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            let mut keys: Vec<&String> = members.keys().collect();
            keys.sort();
            out.push('{');
            for (at, key) in keys.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                let _ = write!(out, "{}:", Value::from(key.as_str()));
                write(&members[key], out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        scalar => {
            let _ = write!(out, "{scalar}");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sign::sha256;

    #[test]
    fn the_order_of_keys_does_not_matter_and_everything_else_does() {
        let digest = |value: Value| sha256(canonical(&value).as_bytes());
        let base = digest(json!({ "a": 1, "b": { "c": [1, 2], "d": "x" } }));
        assert_eq!(
            digest(json!({ "b": { "d": "x", "c": [1, 2] }, "a": 1 })),
            base
        );
        for other in [
            json!({ "a": 1, "b": { "c": [2, 1], "d": "x" } }),
            json!({ "a": "1", "b": { "c": [1, 2], "d": "x" } }),
            json!({ "a": 1, "b": { "c": [1, 2], "d": "x" }, "e": null }),
            json!({ "a": 1, "b": { "c": [1, 2], "d": "X" } }),
        ] {
            assert_ne!(digest(other.clone()), base, "{other}");
        }
        assert_eq!(
            canonical(&json!({ "b": "\"\n", "a": [] })),
            r#"{"a":[],"b":"\"\n"}"#
        );
        assert_eq!(
            sha256(b""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
