//! Responses like a given one with other values, so that two ways to a value that only happen to agree in the given one give
//! different values.

use serde_json::{Number, Value};

/// How many items a list has at least in one of them, unless it is empty: more than most slices take.
const MANY: usize = 60;

/// The variants of a response. They have its shape: the same members, in lists items of the same kinds.
pub(super) fn of(body: &Value) -> Vec<Value> {
    let mut all = vec![
        other(body, Manner::Low, &mut 0),
        other(body, Manner::High, &mut 0),
        longer(body, &mut 0),
        many(body),
    ];
    all.retain(|variant| variant != body);
    all.dedup();
    all
}

/// How values are replaced.
#[derive(Clone, Copy)]
enum Manner {
    /// By those below and apart from the given ones.
    Low,
    /// By those above the given ones.
    High,
}

/// The same with other values, of which no two are alike. `count` is how many there are so far.
fn other(value: &Value, manner: Manner, count: &mut i64) -> Value {
    *count += 1;
    match (value, manner) {
        (Value::Null, _) => Value::Null,
        (Value::Bool(value), _) => Value::Bool(!value),
        (Value::Number(_), Manner::Low) => Number::from(-*count).into(),
        (Value::Number(number), Manner::High) => match number.as_i64() {
            Some(number) => number.saturating_add(1_000_000 + *count).into(),
            None => Value::from(number.as_f64().unwrap_or_default() + 1_000_000.5 + *count as f64),
        },
        (Value::String(_), Manner::Low) => Value::from(format!("other {count}")),
        (Value::String(text), Manner::High) => Value::from(format!("{text}-{count}")),
        (Value::Array(items), _) => items
            .iter()
            .map(|item| other(item, manner, count))
            .collect(),
        (Value::Object(members), _) => members
            .iter()
            .map(|(name, member)| (name.clone(), other(member, manner, count)))
            .collect(),
    }
}

/// The same with more items in each list: those that are there, and others.
fn longer(value: &Value, count: &mut i64) -> Value {
    match value {
        Value::Array(items) => {
            let mut all: Vec<Value> = items.iter().map(|item| longer(item, count)).collect();
            for manner in [Manner::Low, Manner::High] {
                all.extend(items.iter().map(|item| other(item, manner, count)));
            }
            all.into()
        }
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), longer(member, count)))
            .collect(),
        other => other.clone(),
    }
}

/// The same with many items in the outermost lists.
fn many(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut count = 0;
            let more = items.iter().cycle();
            let more = more.map(|item| other(item, Manner::High, &mut count));
            let wanted = MANY.saturating_sub(items.len());
            items.iter().cloned().chain(more.take(wanted)).collect()
        }
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), many(member)))
            .collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::of;

    #[test]
    fn variants_have_the_shape_and_other_values() {
        let body = json!({ "a": 1, "b": "x", "c": true, "d": null, "e": [{ "f": 1.5 }] });
        let variants = of(&body);
        let low = json!({ "a": -2, "b": "other 3", "c": false, "d": null, "e": [{ "f": -8 }] });
        let longer = json!({
            "a": 1, "b": "x", "c": true, "d": null,
            "e": [{ "f": 1.5 }, { "f": -2 }, { "f": 1000006.0 }],
        });
        assert_eq!(variants.len(), 4);
        assert_eq!((&variants[0], &variants[2]), (&low, &longer));
        assert_eq!(variants[3]["e"].as_array().map(Vec::len), Some(60));
        assert_eq!(of(&json!([])), Vec::<serde_json::Value>::new());
        assert_eq!(of(&json!(null)), Vec::<serde_json::Value>::new());
    }
}
