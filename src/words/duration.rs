//! Lengths of time as descriptors write them.

use std::time;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer};

/// A length of time: `500ms`, `30s`, `1m`, `1h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Duration(pub time::Duration);

impl std::str::FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Duration, String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let millis = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => 0,
        };
        number
            .parse::<u64>()
            .ok()
            .filter(|_| !number.starts_with('0') && digits <= 10)
            .and_then(|number| number.checked_mul(millis))
            .filter(|millis| *millis > 0)
            .map(|millis| Duration(time::Duration::from_millis(millis)))
            .ok_or_else(|| format!("`{text}` is no length of time, such as 500ms, 30s, 1m or 1h"))
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A length of time: 500ms, 30s, 1m, 1h.",
            "type": "string",
            "pattern": "^[1-9][0-9]{0,9}(ms|s|m|h)$",
            "examples": ["500ms", "30s", "1m"]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, millis) in [
            ("500ms", 500),
            ("1s", 1000),
            ("1m", 60_000),
            ("1h", 3_600_000),
        ] {
            let read: Duration = serde_json::from_value(text.into()).unwrap();
            assert_eq!(read.0.as_millis(), millis, "{text}");
        }
        for bad in [
            "",
            "1",
            "0s",
            "-1s",
            "soon",
            "01s",
            "1.5s",
            "1 s",
            "1d",
            "99999999999999999999h",
        ] {
            assert!(
                serde_json::from_value::<Duration>(bad.into()).is_err(),
                "{bad}"
            );
        }
    }
}
