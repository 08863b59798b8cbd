//! Times in words, the same on every face.

use chrono::Datelike;
use chrono_tz::Tz;

use super::time::{Instant, duration_words};

/// `16:42` today, `Mon 09:00` within six days, else `30 Nov 09:00`, with the year where it is another; local.
#[must_use]
pub fn moment(at: Instant, now: Instant, zone: Tz) -> String {
    let (there, here) = (at.with_timezone(&zone), now.with_timezone(&zone));
    let days = (there.date_naive() - here.date_naive()).num_days();
    let format = match days {
        0 => "%H:%M",
        1..=6 | -6..=-1 => "%a %H:%M",
        _ if there.year() == here.year() => "%-d %b %H:%M",
        _ => "%-d %b %Y %H:%M",
    };
    there.format(format).to_string()
}

/// `Mon 23 Nov 2026 09:00 CET (08:00 UTC)`: where two people in two zones read it.
#[must_use]
pub fn both_zones(at: Instant, zone: Tz) -> String {
    let there = at.with_timezone(&zone);
    let utc = if there.date_naive() == at.date_naive() {
        at.format("%H:%M UTC")
    } else {
        at.format("%a %-d %b %H:%M UTC")
    };
    format!("{} ({utc})", there.format("%a %-d %b %Y %H:%M %Z"))
}

/// A number of seconds as [`duration_words`] reads it: `4 m 10 s`.
#[must_use]
pub fn seconds(length: u64) -> String {
    let length = i64::try_from(length).unwrap_or(i64::MAX / 1000);
    duration_words(chrono::Duration::try_seconds(length).unwrap_or(chrono::Duration::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_say_as_much_as_is_needed() {
        let zone = chrono_tz::Europe::Berlin;
        let now: Instant = "2026-11-21T15:42:00Z".parse().unwrap();
        let at = |t: &str| moment(t.parse().unwrap(), now, zone);
        assert_eq!(at("2026-11-21T17:00:00Z"), "18:00");
        assert_eq!(at("2026-11-23T08:00:00Z"), "Mon 09:00");
        assert_eq!(at("2026-12-30T08:00:00Z"), "30 Dec 09:00");
        assert_eq!(at("2027-01-02T08:00:00Z"), "2 Jan 2027 09:00");
        assert_eq!(
            both_zones("2026-11-22T23:30:00Z".parse().unwrap(), zone),
            "Mon 23 Nov 2026 00:30 CET (Sun 22 Nov 23:30 UTC)"
        );
        assert!(!seconds(u64::MAX).is_empty());
    }
}
