//! Dates and times as people type them: `@` on the calendar, the start of a planned release.

use chrono::{Datelike, Days, Months, NaiveDate, NaiveTime, Weekday};
use chrono_tz::Tz;

use super::time::{Instant, earliest, parse_duration};

/// What was typed: a day, and a time of day where one was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Typed {
    /// The day.
    pub date: NaiveDate,
    /// The time of day.
    pub time: Option<NaiveTime>,
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// Reads `2026-11-24`, `24`, `24.11.`, `24 nov`, `+3d`, `-1w`, `mon`, `today`, `tomorrow` or `yesterday`, each with a time behind it
/// where one is wanted (`mon 10:00`); a time alone is today's. A weekday is the next one, today included; a day of the month the next one.
///
/// # Errors
/// A sentence with examples.
pub fn typed(text: &str, today: NaiveDate) -> Result<Typed, String> {
    let lower = text.trim().to_lowercase();
    let (day, time) = apart(&lower)?;
    let date = if day.is_empty() && time.is_some() {
        Some(today)
    } else {
        date(day, today)
    };
    match date {
        Some(date) => Ok(Typed { date, time }),
        None => Err(format!(
            "\"{}\" is no date; write for example 2026-11-24, 24, 24 nov, +3d, mon, today or tomorrow",
            text.trim()
        )),
    }
}

/// The instant of what was typed, local times read in `zone`: also `now`, `+2h` or `+45m` from `now`, and RFC 3339.
///
/// # Errors
/// A sentence: no date, no time of day, or a time of day that is none.
pub fn instant(text: &str, now: Instant, zone: Tz) -> Result<Instant, String> {
    let trimmed = text.trim();
    if trimmed.eq_ignore_ascii_case("now") {
        return Ok(now);
    }
    if let Ok(at) = chrono::DateTime::parse_from_rfc3339(trimmed) {
        return Ok(at.with_timezone(&chrono::Utc));
    }
    let hours = trimmed
        .strip_prefix('+')
        .filter(|rest| rest.ends_with(['h', 'm']));
    if let Some(ahead) = hours {
        return parse_duration(ahead).map(|length| now + length);
    }
    let today = now.with_timezone(&zone).date_naive();
    let found = typed(trimmed, today)?;
    match found.time {
        Some(time) => Ok(earliest(found.date.and_time(time), zone)),
        None => Err(format!("say the time of day, too: \"{trimmed} 10:00\"")),
    }
}

/// Day and time of day: `mon 10:00`, `2026-11-24t10:00`.
fn apart(text: &str) -> Result<(&str, Option<NaiveTime>), String> {
    let split = text.rsplit_once([' ', 't']).unwrap_or(("", text));
    if !split.1.contains(':') {
        return Ok((text, None));
    }
    let time = ["%H:%M", "%H:%M:%S"]
        .iter()
        .find_map(|shape| NaiveTime::parse_from_str(split.1, shape).ok())
        .ok_or_else(|| format!("\"{}\" is no time of day; write for example 10:00", split.1))?;
    Ok((split.0.trim(), Some(time)))
}

fn date(text: &str, today: NaiveDate) -> Option<NaiveDate> {
    match text {
        "today" => return Some(today),
        "tomorrow" => return today.checked_add_days(Days::new(1)),
        "yesterday" => return today.checked_sub_days(Days::new(1)),
        _ => {}
    }
    if let Some(found) = relative(text, today) {
        return Some(found);
    }
    if let Ok(day) = text.parse::<Weekday>() {
        let ahead = (7 + day.num_days_from_monday() - today.weekday().num_days_from_monday()) % 7;
        return today.checked_add_days(Days::new(u64::from(ahead)));
    }
    if let Ok(day) = text.trim_end_matches('.').parse::<u32>() {
        return next_day(day, today);
    }
    text.parse().ok().or_else(|| by_month(text, today))
}

/// `+3d`, `+3`, `-1w`.
fn relative(text: &str, today: NaiveDate) -> Option<NaiveDate> {
    let (back, rest) = match text.strip_prefix('+') {
        Some(rest) => (false, rest),
        None => (true, text.strip_prefix('-')?),
    };
    let (count, days) = match rest.strip_suffix('w') {
        Some(weeks) => (weeks, 7),
        None => (rest.strip_suffix('d').unwrap_or(rest), 1),
    };
    let days = Days::new(count.parse::<u64>().ok()?.checked_mul(days)?.min(36_525));
    if back {
        today.checked_sub_days(days)
    } else {
        today.checked_add_days(days)
    }
}

/// The next day of that number, today included.
fn next_day(day: u32, today: NaiveDate) -> Option<NaiveDate> {
    (0..12).find_map(|months| {
        let month = today.with_day(1)?.checked_add_months(Months::new(months))?;
        month.with_day(day).filter(|d| *d >= today)
    })
}

/// `24.11.`, `24.11.2026`, `24 nov`, `nov 24`, `24 nov 2026`; without a year the next one.
fn by_month(text: &str, today: NaiveDate) -> Option<NaiveDate> {
    let parts: Vec<&str> = text
        .split([' ', '.', '/'])
        .filter(|p| !p.is_empty())
        .collect();
    let month = |word: &str| {
        let named = MONTHS.iter().position(|m| word.starts_with(m));
        named.and_then(|n| u32::try_from(n + 1).ok())
    };
    let (a, b) = (*parts.first()?, *parts.get(1)?);
    let (day, month) = match (month(a), month(b)) {
        (Some(m), None) => (b.parse().ok()?, m),
        (None, Some(m)) => (a.parse().ok()?, m),
        _ => (a.parse().ok()?, b.parse().ok()?),
    };
    match parts.get(2) {
        Some(year) if parts.len() == 3 => NaiveDate::from_ymd_opt(year.parse().ok()?, month, day),
        None => (0..=8)
            .filter_map(|n| NaiveDate::from_ymd_opt(today.year() + n, month, day))
            .find(|d| *d >= today),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn dates_are_read_as_people_type_them() {
        // A Saturday.
        let today = day("2026-11-21");
        for (text, wanted) in [
            ("today", "2026-11-21"),
            ("Tomorrow", "2026-11-22"),
            ("yesterday", "2026-11-20"),
            ("mon", "2026-11-23"),
            ("Saturday", "2026-11-21"),
            ("fri", "2026-11-27"),
            ("+3d", "2026-11-24"),
            ("+3", "2026-11-24"),
            ("-2w", "2026-11-07"),
            ("24", "2026-11-24"),
            ("20", "2026-12-20"),
            ("31", "2026-12-31"),
            ("24.11.", "2026-11-24"),
            ("3.1.", "2027-01-03"),
            ("24 nov", "2026-11-24"),
            ("Nov 24", "2026-11-24"),
            ("3 january", "2027-01-03"),
            ("29 feb", "2028-02-29"),
            ("24.12.2027", "2027-12-24"),
            ("2026-12-01", "2026-12-01"),
        ] {
            let found = typed(text, today).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!((found.date, found.time), (day(wanted), None), "{text}");
        }
        for text in [
            "",
            "40",
            "soon",
            "2026-13-01",
            "31.2.",
            "+x",
            "1 2 3 4",
            "10:99",
            "mon 25:00",
        ] {
            assert!(typed(text, today).is_err(), "{text}");
        }
    }

    #[test]
    fn an_instant_wants_a_time_of_day() {
        let now: Instant = "2026-11-21T15:42:00Z".parse().unwrap();
        let zone = chrono_tz::Europe::Berlin;
        for (text, wanted) in [
            ("mon 10:00", "2026-11-23T09:00:00Z"),
            ("18:30", "2026-11-21T17:30:00Z"),
            ("2026-11-24T10:00", "2026-11-24T09:00:00Z"),
            ("2026-11-24 10:00", "2026-11-24T09:00:00Z"),
            ("2026-11-24T10:00:00+02:00", "2026-11-24T08:00:00Z"),
            ("sat 10:00", "2026-11-21T09:00:00Z"),
            ("+2h", "2026-11-21T17:42:00Z"),
            ("now", "2026-11-21T15:42:00Z"),
            // Twice that night: the first. Never that night: the first that there is.
            ("2026-10-25 02:30", "2026-10-25T00:30:00Z"),
            ("2027-03-28 02:30", "2027-03-28T01:00:00Z"),
        ] {
            let wanted: Instant = wanted.parse().unwrap();
            assert_eq!(instant(text, now, zone), Ok(wanted), "{text}");
        }
        assert!(instant("mon", now, zone).unwrap_err().contains("mon 10:00"));
    }
}
