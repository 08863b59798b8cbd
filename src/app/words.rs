//! Times and numbers in words, the same in every pane.

use chrono_tz::Tz;

use crate::domain::time::{Instant, Span, age_words};
pub use crate::domain::words::{both_zones, moment, seconds};

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
