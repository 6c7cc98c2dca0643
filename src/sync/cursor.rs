//! Cursors: which of two values is larger, and what a lag before a value is.

use std::cmp::Ordering;
use std::time::Duration;

use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Number, Value};

/// Numbers from here on count milliseconds since 1970, smaller ones seconds. As seconds, it is the year 5138.
const MILLIS: f64 = 1e11;

/// Compares two values of a cursor: numbers, times, texts of digits, and other texts by their characters. `None` if they
/// cannot be compared.
pub(crate) fn compare(one: &Value, two: &Value) -> Option<Ordering> {
    match (one, two) {
        (Value::Number(one), Value::Number(two)) => numbers(one, two),
        (Value::String(one), Value::String(two)) => Some(texts(one, two)),
        _ => None,
    }
}

fn numbers(one: &Number, two: &Number) -> Option<Ordering> {
    match (one.as_i64(), two.as_i64()) {
        (Some(one), Some(two)) => Some(one.cmp(&two)),
        _ => one.as_f64()?.partial_cmp(&two.as_f64()?),
    }
}

fn texts(one: &str, two: &str) -> Ordering {
    if let (Some(one), Some(two)) = (time(one), time(two)) {
        return one.cmp(&two);
    }
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number(one) && is_number(two) {
        let (one, two) = (one.trim_start_matches('0'), two.trim_start_matches('0'));
        return one.len().cmp(&two.len()).then_with(|| one.cmp(two));
    }
    one.cmp(two)
}

/// A time with its zone, a time without one, which counts as UTC, or a day.
fn time(text: &str) -> Option<Timestamp> {
    if !text.as_bytes().first()?.is_ascii_digit() {
        return None;
    }
    let utc = |time: DateTime| Offset::UTC.to_timestamp(time).ok();
    text.parse::<Timestamp>()
        .ok()
        .or_else(|| text.parse::<DateTime>().ok().and_then(utc))
}

/// A day, such as `2026-11-30`.
fn day(text: &str) -> Option<Date> {
    (text.len() == 10).then(|| text.parse().ok()).flatten()
}

/// The value that lies so far before a value, in the same form.
///
/// # Errors
/// When the value is no time.
pub(crate) fn before(value: &Value, lag: Duration) -> Result<Value, String> {
    let span = SignedDuration::try_from(lag).unwrap_or(SignedDuration::MAX);
    match value {
        Value::Number(number) => {
            let float = number.as_f64().unwrap_or_default();
            let unit = match float.abs() >= MILLIS {
                true => lag.as_millis() as f64,
                false => lag.as_secs_f64().ceil(),
            };
            Ok(match number.as_i64() {
                Some(whole) => whole.saturating_sub(unit as i64).into(),
                None => Number::from_f64(float - unit).map_or(Value::Null, Value::Number),
            })
        }
        Value::String(text) => {
            if let Some(day) = day(text) {
                let days = lag.as_secs().div_ceil(24 * 60 * 60);
                let days = jiff::Span::new().try_days(i64::try_from(days).unwrap_or(i64::MAX));
                let earlier = days.and_then(|days| day.checked_sub(days));
                return Ok(earlier.unwrap_or(Date::MIN).to_string().into());
            }
            let Some(time) = time(text) else {
                return Err(format!(
                    "`{text}` is no time, so there is nothing before it by the `lag`"
                ));
            };
            Ok(time
                .checked_sub(span)
                .unwrap_or(Timestamp::UNIX_EPOCH)
                .to_string()
                .into())
        }
        other => Err(format!(
            "{other} is no time, so there is nothing before it by the `lag`"
        )),
    }
}

/// A value of the cursor as a param of this schema takes it: a day for a param of days, and else as it is.
pub(crate) fn argument(value: &Value, schema: &Value) -> Value {
    let is_day = schema.get("format").and_then(Value::as_str) == Some("date");
    let is_text = schema.get("type").and_then(Value::as_str) == Some("string");
    match value {
        Value::String(text) if is_day && day(text).is_none() => match time(text) {
            Some(time) => Offset::UTC.to_datetime(time).date().to_string().into(),
            None => value.clone(),
        },
        Value::Number(number) if is_text => number.to_string().into(),
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_compared_by_what_they_are() {
        for (small, large) in [
            (json!(9), json!(10)),
            (json!(1.5), json!(2)),
            (json!(9007199254740992_i64), json!(9007199254740993_i64)),
            (json!("9"), json!("10")),
            (json!("a"), json!("b")),
            (
                json!("2026-01-01T10:00:00+02:00"),
                json!("2026-01-01T09:00:00Z"),
            ),
            (
                json!("2026-01-01T00:00:00Z"),
                json!("2026-01-01T00:00:00.5Z"),
            ),
            (json!("2026-01-01"), json!("2026-01-02")),
            (json!("2026-01-01"), json!("2026-01-01T00:00:01Z")),
            (json!("2026-01-01 10:00:00"), json!("2026-01-01T11:00:00")),
        ] {
            assert_eq!(
                compare(&small, &large),
                Some(Ordering::Less),
                "{small} {large}"
            );
            assert_eq!(
                compare(&large, &small),
                Some(Ordering::Greater),
                "{small} {large}"
            );
        }
        assert_eq!(compare(&json!(1), &json!("1")), None);
        assert_eq!(compare(&json!(null), &json!([])), None);
    }

    #[test]
    fn a_lag_is_taken_off_times_in_their_own_form() {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        for (value, lag, expected) in [
            (
                json!("2026-01-02T00:00:00Z"),
                hours(1),
                json!("2026-01-01T23:00:00Z"),
            ),
            (
                json!("2026-01-02T01:00:00.25+02:00"),
                hours(1),
                json!("2026-01-01T22:00:00.25Z"),
            ),
            (json!("2026-01-03"), hours(25), json!("2026-01-01")),
            (json!(1_800_000_000), hours(1), json!(1_799_996_400)),
            (
                json!(1_800_000_000_000_i64),
                hours(1),
                json!(1_799_996_400_000_i64),
            ),
        ] {
            assert_eq!(before(&value, lag), Ok(expected));
        }
        assert!(before(&json!("item_12"), hours(1)).is_err());
    }

    #[test]
    fn a_param_of_days_gets_a_day() {
        let schema = json!({ "type": "string", "format": "date" });
        assert_eq!(
            argument(&json!("2026-01-02T23:00:00-02:00"), &schema),
            json!("2026-01-03")
        );
        assert_eq!(argument(&json!("2026-01-02"), &schema), json!("2026-01-02"));
        assert_eq!(
            argument(&json!(5), &json!({ "type": "string" })),
            json!("5")
        );
    }
}
