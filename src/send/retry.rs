//! When and after how long a request is sent again.

use std::time::{Duration, SystemTime};

use reqwest::header::HeaderMap;

/// Whether the answer invites another try. The service's own word, `x-should-retry`, beats the list of statuses.
pub fn is_worth_it(status: u16, headers: &HeaderMap, statuses: &[u16]) -> bool {
    if status < 400 {
        return false;
    }
    match header(headers, "x-should-retry") {
        Some("true") => true,
        Some("false") => false,
        _ => statuses.contains(&status),
    }
}

/// How long the service asks to wait: seconds or an HTTP date (RFC 9110, section 10.2.3).
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    wait_of(header(headers, "retry-after")?)
}

/// The wait that a text asks for, which is seconds or an HTTP date; none when the date is past.
pub fn wait_of(text: &str) -> Option<Duration> {
    let value = text.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// The wait after try number `attempt`: what the service asks for, else exponential backoff with full jitter.
/// `None` when the service asks for more than `most`: to come back earlier would only be refused again.
pub fn delay(
    attempt: u32,
    asked: Option<Duration>,
    base: Duration,
    most: Duration,
) -> Option<Duration> {
    match asked {
        Some(asked) => (asked <= most).then_some(asked),
        None => {
            let ceiling = base
                .saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)))
                .min(most);
            Some(ceiling.mul_f64(fastrand::f64()))
        }
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use reqwest::header::HeaderName;

    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(HeaderName::from_static(name), value.parse().unwrap())])
    }

    #[test]
    fn the_services_word_beats_the_list() {
        for (status, value, expected) in [
            (429, "", true),
            (429, "false", false),
            (400, "", false),
            (400, "true", true),
            (200, "true", false),
        ] {
            let headers = headers("x-should-retry", value);
            assert_eq!(
                is_worth_it(status, &headers, &[429, 503]),
                expected,
                "{status} {value}"
            );
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let after = |value: &str| retry_after(&headers("retry-after", value));
        assert_eq!(after("3"), Some(Duration::from_secs(3)));
        assert_eq!(after("0.5"), Some(Duration::from_millis(500)));
        assert_eq!(after("soon"), None);
        assert_eq!(after("-1"), None);
        let later = SystemTime::now() + Duration::from_secs(100);
        let asked = after(&httpdate::fmt_http_date(later)).unwrap();
        assert!((98..=100).contains(&asked.as_secs()), "{asked:?}");
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
    }

    #[test]
    fn backoff_grows_is_jittered_and_is_capped() {
        let (base, most) = (Duration::from_millis(100), Duration::from_secs(1));
        for attempt in 1..40 {
            let ceiling = (100 * 2_u64.saturating_pow(attempt - 1)).min(1000);
            let wait = delay(attempt, None, base, most).unwrap();
            assert!(wait <= Duration::from_millis(ceiling));
        }
        assert_eq!(delay(1, Some(most), base, most), Some(most));
        assert_eq!(delay(1, Some(most + base), base, most), None);
    }
}
