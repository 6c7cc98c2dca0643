//! How answers are read in two versions: error fields and error rules.

use serde_json::{Map, Value};

use super::change::{Class, Classes};
use super::record::Record;
use super::written::{same, settled, told};
use crate::source::{Code, join};

/// Notes how the `errors` of two services differ.
pub(super) fn compare_fields(record: &mut Record) {
    const AT: &str = "/errors";
    for (key, class) in [
        ("code", Class::Breaking),
        ("message", Class::Compatible),
        ("request_id", Class::Compatible),
    ] {
        let at = join(AT, key);
        let (before, now) = record.both(&at);
        if same(before, now) {
            continue;
        }
        let class = match before {
            None => Class::Compatible,
            Some(_) => class,
        };
        let message = format!(
            "the `{key}` of an error was taken from {}, and is taken from {}",
            told(before),
            told(now)
        );
        record.at(
            Code::ErrorsChanged,
            Classes::callers(class),
            &at,
            key,
            message,
        );
    }
    compare_rules(&join(AT, "rules"), record);
}

/// Notes how a list of error rules differs.
pub(super) fn compare_rules(at: &str, record: &mut Record) {
    let (before, now) = record.both(at);
    if same(before, now) {
        return;
    }
    let list = |value: Option<&Value>| -> Vec<Value> {
        let rules = value.and_then(Value::as_array);
        rules.into_iter().flatten().map(plain).collect()
    };
    let (was, is) = (list(before), list(now));
    if was == is {
        return;
    }
    let tries_again = |rule: &&Value| {
        let action = rule.get("action").and_then(Value::as_str);
        matches!(action, Some("retry" | "refresh"))
    };
    let without = |rules: &[Value], left_out: &str| -> Vec<Value> {
        let rules = rules.iter().filter(|rule| !tries_again(rule));
        rules
            .map(|rule| match rule {
                Value::Object(members) => {
                    let mut members: Map<String, Value> = members.clone();
                    members.shift_remove(left_out);
                    Value::Object(members)
                }
                other => other.clone(),
            })
            .collect()
    };
    let (class, text) = match () {
        () if without(&was, "") == without(&is, "") => {
            (Class::Compatible, "other answers lead to another try")
        }
        () if without(&was, "message") == without(&is, "message") => {
            (Class::Compatible, "errors have other messages")
        }
        () => (
            Class::Breaking,
            "answers are taken for other errors, or for none",
        ),
    };
    let place = (0..is.len()).find(|i| was.get(*i) != is.get(*i));
    let place = match place {
        Some(index) => format!("{at}/{index}"),
        None => at.to_owned(),
    };
    record.at(
        Code::ErrorsChanged,
        Classes::callers(class),
        &place,
        "rules",
        text.to_owned(),
    );
}

/// A rule with its status as a list.
fn plain(rule: &Value) -> Value {
    let mut rule = settled(rule);
    if let Some(status) = rule.get_mut("status") {
        let mut list = match status.take() {
            Value::Array(list) => list,
            one => vec![one],
        };
        list.sort_by_key(Value::to_string);
        *status = Value::Array(list);
    }
    rule
}
