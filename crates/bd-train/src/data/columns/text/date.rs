//! Dates and times of day by ISO 8601, as seconds.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// How a column of times is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    /// With a date.
    Calendar,
    /// Hours, minutes and seconds alone.
    Watch,
}

impl Clock {
    /// The time that is written so, and how.
    pub(super) fn read(field: &str) -> Option<(Self, Timestamp)> {
        [Self::Calendar, Self::Watch].into_iter().find_map(|clock| Some((clock, clock.time(field)?)))
    }

    /// The time; of a watch since the epoch, for only distances count.
    pub(super) fn time(self, field: &str) -> Option<Timestamp> {
        match self {
            Self::Calendar => date(field),
            Self::Watch => time_of_day(field),
        }
    }
}

/// A date, with or without a time of day and a distance from UTC: `2020-01-31`, `2020-01-31 12:30:00.5`, `2020-01-31T12:30Z`; with
/// slashes where the year is first, `2020/01/31`; with points where the day is first, `31.01.2020`; or a month, `2020-01`. Without a distance it is taken for one of UTC, in which no hour is
/// missing or comes twice.
fn date(field: &str) -> Option<Timestamp> {
    // A number is none, such as 20200131.
    let begins_with_a_year = field.as_bytes().iter().take(4).all(u8::is_ascii_digit);
    let field = match field.as_bytes() {
        [_, _, _, _, b'/', ..] if begins_with_a_year => field.replace('/', "-"),
        [_, _, _, _, b'-', _, _] if begins_with_a_year => format!("{field}-01"),
        [_, _, b'.', _, _, b'.', year @ ..] if year.len() >= 4 && field.is_ascii() => {
            format!("{}-{}-{}{}", &field[6..10], &field[3..5], &field[..2], &field[10..])
        }
        _ if field.contains('-') => field.to_owned(),
        _ => return None,
    };
    let of_utc = || field.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    field.parse::<Timestamp>().ok().or_else(of_utc)
}

/// Hours, minutes and perhaps seconds, `12:30:00.5`, also beyond a day, `25:00:00`, and as pandas writes a difference of times,
/// `1 days 01:00:00`.
fn time_of_day(field: &str) -> Option<Timestamp> {
    let (days, clock) = field.split_once(" days ").unwrap_or(("0", field));
    let whole = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<i64>().ok())?;
    let mut parts = clock.split(':');
    let (hours, minutes, seconds) = (whole(parts.next()?)?, parts.next()?, parts.next().unwrap_or("0"));
    let (second, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let nanoseconds = if fraction.len() > 9 { None } else { whole(&format!("{fraction:0<9}")) }?;
    let (minutes, second) = (whole(minutes)?, whole(second)?);
    if parts.next().is_some() || minutes > 59 || second > 59 || hours > 1_000_000 {
        return None;
    }
    let whole =
        (whole(days)?.checked_mul(24)?.checked_add(hours)? * 60 + minutes).checked_mul(60)?.checked_add(second)?;
    Timestamp::UNIX_EPOCH.checked_add(SignedDuration::new(whole, nanoseconds as i32)).ok()
}

/// Seconds from `start` to `end`.
pub(super) fn seconds_between(start: Timestamp, end: Timestamp) -> f64 {
    let nanoseconds = end.as_nanosecond() - start.as_nanosecond();
    // Whole seconds and the rest by themselves, so that no digit is lost over years.
    (nanoseconds / 1_000_000_000) as f64 + (nanoseconds % 1_000_000_000) as f64 * 1e-9
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the calendar: 31 days of 86,400 s, 366 days of a leap year, an hour of distance from UTC.
    #[test]
    fn dates_are_as_far_apart_as_in_the_calendar() {
        for (start, end, seconds) in [
            ("2020-01-01", "2020-02-01", 31.0 * 86_400.0),
            ("1748-12-31T12:00", "1749-01-01 12:00:00", 86_400.0),
            ("2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z", 366.0 * 86_400.0),
            ("2020-01-01T01:00:00+01:00", "2020-01-01T00:00:00.25Z", 0.25),
            ("2020-01-01T00:00:00.001", "2020-01-01T00:00:00.004", 0.003),
            ("2020/01/31 23:59:59", "2020/02/01", 1.0),
            ("31.01.2020", "01.02.2020 00:00:01.5", 86_401.5),
            ("2020-02", "2020-03", 29.0 * 86_400.0),
        ] {
            let found = seconds_between(date(start).unwrap(), date(end).unwrap());
            assert!((found - seconds).abs() < 1e-9, "{start} to {end}: {found}");
        }
        for other in [
            "20200101",
            "-5",
            "1e-3",
            "01/02/2020",
            "2020-13-01",
            "2020-1-1",
            "a-b",
            "2020-13",
            "1/2",
            "12:30",
            "1.2.2020",
            "01.02.20",
        ] {
            assert!(date(other).is_none(), "{other}");
        }
    }

    /// 3,600 s an hour, 60 s a minute.
    #[test]
    fn times_of_day_are_seconds() {
        for (field, seconds) in [
            ("00:00:00", 0.0),
            ("12:30", 45_000.0),
            ("1:02:03.25", 3723.25),
            ("25:00:00", 90_000.0),
            ("0 days 00:00:00.010000", 0.01),
            ("2 days 01:00:00", 176_400.0),
            ("00:00:00.000000001", 1e-9),
        ] {
            let found = seconds_between(Timestamp::UNIX_EPOCH, time_of_day(field).unwrap());
            assert!((found - seconds).abs() < 1e-12, "{field}: {found}");
        }
        for other in ["12", "12:60", "12:30:60", "1:2:3:4", "-1:00", ":", "", "12:30 PM", "1.5", "00:00:00.0000000001"]
        {
            assert!(time_of_day(other).is_none(), "{other}");
        }
        assert_eq!(Clock::read("2020-01-01").unwrap().0, Clock::Calendar);
        assert_eq!(Clock::read("00:00").unwrap().0, Clock::Watch);
    }
}
