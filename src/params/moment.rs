//! Words for points in time, such as `yesterday` and `-7d`, as the text that is sent.
//!
//! All are in UTC. Words that mean a day, and numbers of days and weeks, give the start of that day; hours, minutes and
//! seconds are counted from now.

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp, ToSpan};

/// Which form the schema asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `format: date-time`
    DateTime,
    /// `format: date`
    Date,
}

impl Form {
    pub(super) fn of(format: &str) -> Option<Form> {
        match format {
            "date-time" => Some(Form::DateTime),
            "date" => Some(Form::Date),
            _ => None,
        }
    }
}

/// A word for a point in time.
#[derive(Debug, Clone, Copy)]
enum Word {
    /// The start of a day of the calendar.
    Date(Date),
    Now,
    /// The start of the day so many days from today.
    Days(i64),
    /// The start of the last day of this name, which may be today.
    Last(Weekday),
    /// So many seconds from now.
    Seconds(i64),
}

/// What a text means, in the form that the schema asks for. `None` if it has that form already, or is no such word.
/// The time is asked for only where the word counts from it.
pub(super) fn read(form: Form, text: &str, now: &dyn Fn() -> Timestamp) -> Option<String> {
    let word = Word::read(form, text)?;
    if let Word::Date(date) = word {
        return Some(start_of(date));
    }
    let now = now();
    let today = date_of(now);
    let day = match word {
        Word::Date(date) => date,
        Word::Days(days) => {
            let span = 0.days().try_days(days).ok()?;
            today.checked_add(span).ok()?
        }
        Word::Last(day) => latest(day, today)?,
        Word::Now => return Some(written(form, now)),
        Word::Seconds(seconds) => {
            let time = now.checked_add(SignedDuration::from_secs(seconds)).ok()?;
            return Some(written(form, time));
        }
    };
    Some(on(form, day))
}

impl Word {
    fn read(form: Form, text: &str) -> Option<Word> {
        if form == Form::DateTime
            && let Some(date) = plain_date(text)
        {
            return Some(Word::Date(date));
        }
        let word = text.to_ascii_lowercase();
        Some(match word.as_str() {
            "now" => Word::Now,
            "today" => Word::Days(0),
            "yesterday" => Word::Days(-1),
            "tomorrow" => Word::Days(1),
            _ => return weekday(&word).map(Word::Last).or_else(|| relative(&word)),
        })
    }
}

/// A date and time that lacks its offset from UTC, with the offset of UTC.
pub(super) fn with_offset(text: &str) -> Option<String> {
    let is_long = text.len() > "2026-11-01".len();
    let time: DateTime = text.parse().ok().filter(|_| is_long)?;
    text.parse::<Timestamp>()
        .is_err()
        .then(|| format!("{time}Z"))
}

/// `-7d`, `+2w`, `-36h`, `-90m`, `-30s`
fn relative(word: &str) -> Option<Word> {
    let back = match word.chars().next()? {
        '-' => true,
        '+' => false,
        _ => return None,
    };
    let unit = word.chars().next_back().filter(char::is_ascii_alphabetic)?;
    let digits = word.get(1..word.len() - 1)?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let count: i64 = digits.parse().ok()?;
    let count = if back { -count } else { count };
    Some(match unit {
        'w' => Word::Days(count.checked_mul(7)?),
        'd' => Word::Days(count),
        'h' => Word::Seconds(count.checked_mul(3600)?),
        'm' => Word::Seconds(count.checked_mul(60)?),
        's' => Word::Seconds(count),
        _ => return None,
    })
}

fn weekday(word: &str) -> Option<Weekday> {
    Some(match word {
        "monday" => Weekday::Monday,
        "tuesday" => Weekday::Tuesday,
        "wednesday" => Weekday::Wednesday,
        "thursday" => Weekday::Thursday,
        "friday" => Weekday::Friday,
        "saturday" => Weekday::Saturday,
        "sunday" => Weekday::Sunday,
        _ => return None,
    })
}

/// The last day of this name, which may be today.
fn latest(day: Weekday, today: Date) -> Option<Date> {
    let back = today.weekday().since(day);
    today.checked_sub(i64::from(back).days()).ok()
}

fn plain_date(text: &str) -> Option<Date> {
    let is_plain = text.len() == "2026-11-01".len() && !text.contains(['T', 't', ' ']);
    text.parse().ok().filter(|_| is_plain)
}

fn date_of(time: Timestamp) -> Date {
    Offset::UTC.to_datetime(time).date()
}

fn start_of(day: Date) -> String {
    format!("{day}T00:00:00Z")
}

fn on(form: Form, day: Date) -> String {
    match form {
        Form::Date => day.to_string(),
        Form::DateTime => start_of(day),
    }
}

fn written(form: Form, time: Timestamp) -> String {
    match form {
        Form::Date => date_of(time).to_string(),
        Form::DateTime => Timestamp::from_second(time.as_second())
            .unwrap_or(time)
            .to_string(),
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    /// A Sunday.
    const NOW: &str = "2026-11-29T21:45:10.123Z";

    #[test]
    fn words_give_points_in_time() {
        // The word, as a date and time, as a date.
        for (word, time, date) in [
            ("now", Some("2026-11-29T21:45:10Z"), Some("2026-11-29")),
            ("NOW", Some("2026-11-29T21:45:10Z"), Some("2026-11-29")),
            ("today", Some("2026-11-29T00:00:00Z"), Some("2026-11-29")),
            (
                "yesterday",
                Some("2026-11-28T00:00:00Z"),
                Some("2026-11-28"),
            ),
            ("tomorrow", Some("2026-11-30T00:00:00Z"), Some("2026-11-30")),
            ("sunday", Some("2026-11-29T00:00:00Z"), Some("2026-11-29")),
            ("monday", Some("2026-11-23T00:00:00Z"), Some("2026-11-23")),
            ("Saturday", Some("2026-11-28T00:00:00Z"), Some("2026-11-28")),
            ("-7d", Some("2026-11-22T00:00:00Z"), Some("2026-11-22")),
            ("-0d", Some("2026-11-29T00:00:00Z"), Some("2026-11-29")),
            ("+1d", Some("2026-11-30T00:00:00Z"), Some("2026-11-30")),
            ("-2w", Some("2026-11-15T00:00:00Z"), Some("2026-11-15")),
            ("-36h", Some("2026-11-28T09:45:10Z"), Some("2026-11-28")),
            ("-90m", Some("2026-11-29T20:15:10Z"), Some("2026-11-29")),
            ("+30s", Some("2026-11-29T21:45:40Z"), Some("2026-11-29")),
            ("2026-11-01", Some("2026-11-01T00:00:00Z"), None),
            // These have their form already, or are no such words.
            ("2026-11-01T00:00:00Z", None, None),
            ("2026-11-01T00:00:00", None, None),
            ("2026-02-30", None, None),
            ("20261101", None, None),
            ("7d", None, None),
            ("-7", None, None),
            ("-d", None, None),
            ("--7d", None, None),
            ("-7x", None, None),
            ("-7é", None, None),
            ("-1.5h", None, None),
            ("-", None, None),
            ("", None, None),
            ("mon", None, None),
            // These are beyond the calendar.
            ("-99999999d", None, None),
            ("-99999999999999999999d", None, None),
            ("+9223372036854775807w", None, None),
            ("+9223372036854775807s", None, None),
            ("-9223372036854775807h", None, None),
        ] {
            let now = &|| NOW.parse().unwrap();
            let found = read(Form::DateTime, word, now);
            assert_eq!(found.as_deref(), time, "{word:?}");
            assert_eq!(read(Form::Date, word, now).as_deref(), date, "{word:?}");
        }
    }

    #[test]
    fn an_offset_is_only_added_where_it_is_missing() {
        for (text, expected) in [
            ("2026-11-01T10:00:00", Some("2026-11-01T10:00:00Z")),
            ("2026-11-01 10:00", Some("2026-11-01T10:00:00Z")),
            ("2026-11-01T10:00:00Z", None),
            ("2026-11-01T10:00:00+02:00", None),
            ("2026-11-01", None),
            ("soon", None),
        ] {
            assert_eq!(with_offset(text).as_deref(), expected, "{text}");
        }
    }
}
