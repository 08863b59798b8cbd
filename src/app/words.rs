//! Times and numbers in words, the same in every pane.

use chrono::Datelike;
use chrono_tz::Tz;

use crate::domain::time::{Instant, Span, age_words, duration_words};

/// `16:42`, local.
#[must_use]
pub fn clock(at: Instant, zone: Tz) -> String {
    at.with_timezone(&zone).format("%H:%M").to_string()
}

/// `09:30–18:00` where both ends lie on the day, `…–18:00`, `09:30–…`, `all day`; the last with its day where the end is another.
#[must_use]
pub fn from_to(span: Span, day: chrono::NaiveDate, zone: Tz) -> String {
    let start = span.start.with_timezone(&zone);
    let end = span.end.map(|e| e.with_timezone(&zone));
    let next = day.checked_add_days(chrono::Days::new(1));
    let whole = |e: &chrono::DateTime<Tz>| {
        Some(e.date_naive()) > next
            || (Some(e.date_naive()) == next && e.time() >= chrono::NaiveTime::MIN)
    };
    let from = if start.date_naive() < day {
        "     ".to_owned()
    } else {
        start.format("%H:%M").to_string()
    };
    let to = match &end {
        None => "no end".to_owned(),
        Some(e) if e.date_naive() == day => e.format("%H:%M").to_string(),
        Some(e) => e.format("%a %-d %b %H:%M").to_string(),
    };
    let begins_early = start.date_naive() < day
        || (start.date_naive() == day && start.time() == chrono::NaiveTime::MIN);
    match end {
        Some(e) if begins_early && whole(&e) => format!("all day, to {to}"),
        Some(e) if e == start => from,
        _ => format!("{from}–{to}"),
    }
}

/// `16:42:07`, local.
#[must_use]
pub fn clock_seconds(at: Instant, zone: Tz) -> String {
    at.with_timezone(&zone).format("%H:%M:%S").to_string()
}

/// `16:42` today, `Mon 09:00` within six days, else `30 Nov 09:00`, local.
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

/// `Mon 23 Nov 09:00 CET (08:00 UTC)`: the end of a refusal, where two people in two zones read it.
#[must_use]
pub fn both_zones(at: Instant, zone: Tz) -> String {
    let there = at.with_timezone(&zone);
    let utc = if there.date_naive() == at.date_naive() {
        at.format("%H:%M UTC")
    } else {
        at.format("%a %-d %b %H:%M UTC")
    };
    format!("{} ({utc})", there.format("%a %-d %b %H:%M %Z"))
}

/// The zone's abbreviation at that time, such as `CET`.
#[must_use]
pub fn zone_word(at: Instant, zone: Tz) -> String {
    at.with_timezone(&zone).format("%Z").to_string()
}

/// Age of something that happened at `at`.
#[must_use]
pub fn age(at: Instant, now: Instant) -> String {
    age_words(now - at)
}

/// `est. 4 m`, from seconds.
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
            "Mon 23 Nov 00:30 CET (Sun 22 Nov 23:30 UTC)"
        );
    }
}
