//! Ends as people read them: local first, UTC beside it.

use crate::domain::time::Instant;
use chrono::{Duration, NaiveTime, Timelike};
use chrono_tz::Tz;

/// "2027-01-04 00:00 CET (23:00 UTC)"; seconds only where there are any. In UTC the bracket is left out.
#[must_use]
pub fn until_words(at: Instant, zone: Tz) -> String {
    let local = at.with_timezone(&zone);
    let clock = if local.second() == 0 {
        "%H:%M"
    } else {
        "%H:%M:%S"
    };
    // Zones without letters print an offset such as "-03".
    let name = local.format("%Z").to_string();
    let name = if name.starts_with(['+', '-']) {
        format!("UTC{name}")
    } else {
        name
    };
    let day = local.format("%Y-%m-%d");
    if zone == Tz::UTC {
        return format!("{day} {} UTC", local.format(clock));
    }
    format!(
        "{day} {} {name} ({} UTC)",
        local.format(clock),
        at.format(clock)
    )
}

/// "through Sun 3 Jan, until 2027-01-04 00:00 CET (23:00 UTC)" for an end at a local midnight, "until …" for another, and "with no known
/// end".
#[must_use]
pub fn ending_words(until: Option<Instant>, zone: Tz) -> String {
    let Some(until) = until else {
        return "with no known end".into();
    };
    let local = until.with_timezone(&zone);
    if local.time() == NaiveTime::MIN {
        let last = local.date_naive() - Duration::days(1);
        format!(
            "through {}, until {}",
            last.format("%a %-d %b"),
            until_words(until, zone)
        )
    } else {
        format!("until {}", until_words(until, zone))
    }
}
