//! The functions and filters that expressions have in addition to minijinja's own.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use minijinja::{Environment, Error, ErrorKind};

/// Adds them to the environment in which all expressions are compiled.
pub(crate) fn add_to(environment: &mut Environment<'static>) {
    environment.add_filter("b64encode", |text: &str| STANDARD.encode(text));
    environment.add_filter("b64decode", b64decode);
    environment.add_filter("timestamp", timestamp);
    environment.add_filter("datetime", datetime);
    environment.add_filter("floor_time", floor_time);
}

fn b64decode(text: &str) -> Result<String, Error> {
    let bytes = STANDARD
        .decode(text)
        .or_else(|_| URL_SAFE_NO_PAD.decode(text))
        .map_err(|error| invalid(format!("not base64: {error}")))?;
    String::from_utf8(bytes).map_err(|_| invalid("base64 of bytes that are not UTF-8".to_owned()))
}

/// An RFC 3339 time as whole seconds since 1970-01-01T00:00:00Z.
fn timestamp(text: &str) -> Result<i64, Error> {
    text.parse::<jiff::Timestamp>()
        .map(jiff::Timestamp::as_second)
        .map_err(|error| invalid(format!("not an RFC 3339 time: {error}")))
}

/// Seconds since 1970-01-01T00:00:00Z as an RFC 3339 time in UTC.
fn datetime(seconds: i64) -> Result<String, Error> {
    jiff::Timestamp::from_second(seconds)
        .map(|time| time.to_string())
        .map_err(|error| invalid(format!("no time: {error}")))
}

/// Seconds rounded down to a multiple of `width` seconds.
fn floor_time(seconds: i64, width: i64) -> Result<i64, Error> {
    if width <= 0 {
        return Err(invalid("the width must be positive".to_owned()));
    }
    seconds
        .div_euclid(width)
        .checked_mul(width)
        .ok_or_else(|| invalid("the time is out of range".to_owned()))
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}
