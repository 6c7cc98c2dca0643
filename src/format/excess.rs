//! Maps and lists that are larger than any descriptor needs. Checks compare the entries of a map with each other, so that
//! a file with tens of thousands would take minutes.

use serde_json::Value;

use crate::source::{Check, Code, join, join_index};

/// How many entries a map or a list may have.
const MOST: usize = 1_000;

/// Keys whose values are data, of any size.
const DATA: [&str; 5] = ["data", "examples", "enum", "const", "default"];

/// Reports maps and lists that are too large. True if there is one; then nothing else is checked.
pub(super) fn report(check: &Check) -> bool {
    let before = check.count();
    let source = check.source().clone();
    walk(source.value(), "", check);
    let examples = source.value().get("examples").and_then(Value::as_array);
    report_one(examples.map_or(0, Vec::len), "/examples", check);
    check.count() > before
}

fn walk(value: &Value, pointer: &str, check: &Check) {
    match value {
        Value::Array(items) => {
            report_one(items.len(), pointer, check);
            for (i, item) in items.iter().enumerate().filter(|(_, item)| has_parts(item)) {
                walk(item, &join_index(pointer, i), check);
            }
        }
        Value::Object(members) => {
            report_one(members.len(), pointer, check);
            let parts = members.iter().filter(|(_, member)| has_parts(member));
            for (key, member) in parts.filter(|(key, _)| !DATA.contains(&key.as_str())) {
                walk(member, &join(pointer, key), check);
            }
        }
        _ => {}
    }
}

fn has_parts(value: &Value) -> bool {
    value.is_array() || value.is_object()
}

fn report_one(count: usize, pointer: &str, check: &Check) {
    if count > MOST {
        let message = format!("this has {count} entries, and the most is {MOST}");
        check.error_at_key(Code::BadValue, pointer, message, None);
    }
}
