//! Dates and times of day by ISO 8601, as seconds.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A date, with or without a time of day and a distance from UTC: `2020-01-31`, `2020-01-31 12:30:00.5`, `2020-01-31T12:30Z`. Without a
/// distance it is taken for one of UTC, in which no hour is missing or comes twice.
pub(super) fn date(field: &str) -> Option<Timestamp> {
    // A number is none, such as 20200131.
    if !field.contains('-') {
        return None;
    }
    let of_utc = || field.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    field.parse::<Timestamp>().ok().or_else(of_utc)
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
        ] {
            let found = seconds_between(date(start).unwrap(), date(end).unwrap());
            assert!((found - seconds).abs() < 1e-9, "{start} to {end}: {found}");
        }
        for other in ["20200101", "-5", "1e-3", "01/02/2020", "2020-13-01", "2020-1-1", "a-b"] {
            assert!(date(other).is_none(), "{other}");
        }
    }
}
