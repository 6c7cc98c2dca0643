//! Retries: whether a request is sent again, and after how long.

use std::time::{Duration, SystemTime};

use http::header::{HeaderMap, RETRY_AFTER};

/// Whether the response asks for another try. The header `x-should-retry` overrides the list of statuses.
pub(crate) fn is_worth_it(status: u16, headers: &HeaderMap, statuses: &[u16]) -> bool {
    if status < 400 {
        return false;
    }
    match header(headers, "x-should-retry") {
        Some("true") => true,
        Some("false") => false,
        _ => statuses.contains(&status),
    }
}

/// Stands for a wait that is longer than any that is possible.
const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);

/// What the service says about waiting (RFC 9110, section 10.2.3).
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Asked {
    /// Nothing.
    Nothing,
    /// The service asks to wait this long.
    Wait(Duration),
    /// Something that is not a time.
    Unreadable(String),
}

impl Asked {
    /// The wait, if the service asks for one.
    pub(crate) fn wait(&self) -> Option<Duration> {
        match self {
            Asked::Wait(wait) => Some(*wait),
            Asked::Nothing | Asked::Unreadable(_) => None,
        }
    }
}

/// How long the service asks to wait.
pub(crate) fn retry_after(headers: &HeaderMap) -> Asked {
    let Some(value) = headers.get(RETRY_AFTER) else {
        return Asked::Nothing;
    };
    let text = String::from_utf8_lossy(value.as_bytes());
    match wait_of(&text, headers) {
        Some(wait) => Asked::Wait(wait),
        None => Asked::Unreadable(text.into_owned()),
    }
}

/// The wait that a text of a response asks for: seconds or an HTTP date. A date counts from the response's own `date`
/// header, if there is one, because the clocks of two machines differ. `None` if the text is neither.
pub(crate) fn wait_of(text: &str, headers: &HeaderMap) -> Option<Duration> {
    let value = text.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return match seconds.is_nan() || seconds.is_sign_negative() {
            true => None,
            // Infinity, or a number too large for a duration, is a very long wait, not an invalid one.
            false => {
                Some(Duration::try_from_secs_f64(seconds).map_or(FOREVER, |wait| wait.min(FOREVER)))
            }
        };
    }
    let until = httpdate::parse_http_date(value).ok()?;
    let now = header(headers, "date")
        .and_then(|date| httpdate::parse_http_date(date.trim()).ok())
        .unwrap_or_else(SystemTime::now);
    Some(until.duration_since(now).unwrap_or_default().min(FOREVER))
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// The wait after try number `attempt`: what the service asks for, else exponential backoff. `None` if the service asks
/// for more than `most`: an earlier try would only be refused again.
///
/// Both are random, so that clients that failed together do not come back together. A backoff is anything up to its
/// ceiling (full jitter). What the service asks for gets up to a quarter more, or up to the base delay if that is
/// longer.
pub(crate) fn delay(
    attempt: u32,
    asked: Option<Duration>,
    base: Duration,
    most: Duration,
) -> Option<Duration> {
    let base = base.min(most);
    match asked {
        Some(asked) if asked > most => None,
        Some(asked) => Some(asked + (asked / 4).max(base).mul_f64(fastrand::f64())),
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
    use http::header::HeaderName;
    use pretty_assertions::assert_eq;

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
        for (value, expected) in [
            ("3", Some(Duration::from_secs(3))),
            (" 3 ", Some(Duration::from_secs(3))),
            ("0.5", Some(Duration::from_millis(500))),
            ("0", Some(Duration::ZERO)),
            ("99999999999999999999999", Some(FOREVER)),
            ("1e400", Some(FOREVER)),
            ("inf", Some(FOREVER)),
            ("Infinity", Some(FOREVER)),
            ("4294967296", Some(FOREVER)),
            ("-1", None),
            ("-inf", None),
            ("NaN", None),
            ("-NaN", None),
            ("soon", None),
            ("", None),
            ("3 seconds", None),
            ("0x10", None),
            ("\u{ff13}", None),
        ] {
            let asked = retry_after(&headers("retry-after", value));
            let expected =
                expected.map_or_else(|| Asked::Unreadable(value.to_owned()), Asked::Wait);
            assert_eq!(asked, expected, "{value}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), Asked::Nothing);
    }

    #[test]
    fn a_date_counts_from_the_date_of_the_response() {
        let at = |value: &str, date: Option<&str>| {
            let mut headers = headers("retry-after", value);
            if let Some(date) = date {
                headers.insert("date", date.parse().unwrap());
            }
            retry_after(&headers).wait()
        };
        let (then, later) = (
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:50:37 GMT",
        );
        assert_eq!(at(later, Some(then)), Some(Duration::from_secs(60)));
        assert_eq!(at(then, Some(later)), Some(Duration::ZERO));
        assert_eq!(at(then, None), Some(Duration::ZERO));
        assert_eq!(at(then, Some("yesterday")), Some(Duration::ZERO));
        let old = "Sunday, 06-Nov-94 08:50:37 GMT";
        assert_eq!(
            at(old, Some("Sun Nov  6 08:49:37 1994")),
            Some(Duration::from_secs(60))
        );
        assert_eq!(
            at("Fri, 31 Dec 9999 23:59:59 GMT", Some(then)),
            Some(FOREVER)
        );
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(100));
        assert!((98..=100).contains(&at(&soon, None).unwrap().as_secs()));
    }

    #[test]
    fn backoff_grows_is_jittered_and_is_capped() {
        let (base, most) = (Duration::from_millis(100), Duration::from_secs(1));
        for attempt in 1..40 {
            let ceiling = (100 * 2_u64.saturating_pow(attempt - 1)).min(1000);
            let wait = delay(attempt, None, base, most).unwrap();
            assert!(wait <= Duration::from_millis(ceiling));
        }
        assert_eq!(delay(1, Some(most + base), base, most), None);
        assert_eq!(delay(1, Some(FOREVER), base, most), None);
    }

    #[test]
    fn those_who_were_told_to_wait_come_back_apart() {
        let (base, most) = (Duration::from_millis(100), Duration::from_secs(20));
        for (asked, spread) in [(0, 100), (200, 100), (2_000, 500), (20_000, 5_000)] {
            let asked = Duration::from_millis(asked);
            let end = asked + Duration::from_millis(spread);
            let waits: Vec<Duration> = (0..200)
                .map(|_| delay(1, Some(asked), base, most).unwrap())
                .collect();
            assert!(
                waits.iter().all(|wait| (asked..=end).contains(wait)),
                "{waits:?}"
            );
            let (first, last) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
            assert!(
                *last - *first > Duration::from_millis(spread / 2),
                "{waits:?}"
            );
        }
    }
}
