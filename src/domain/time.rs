//! Time as the rules see it: instants in UTC, half-open spans, and local times resolved in their zone for the date in question.
//!
//! Nothing here asks what time it is: [`Clock`] is implemented by the runtime (the real clock) and by the demo (a scaled one).

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A point in time, always UTC.
pub type Instant = DateTime<Utc>;

/// The time, twice: `world` is what the rules are judged by (the demo may run it faster), `real` is what countdowns, leases
/// and dialogs run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Now {
    /// What windows, freezes, ages and verdicts are judged by.
    pub world: Instant,
    /// What countdowns, leases and dialogs run on.
    pub real: Instant,
}

/// Who tells the time. The domain has no implementation: it is handed in.
pub trait Clock: Send + Sync {
    /// The time at this moment, as the world and as people's wrists have it.
    fn now(&self) -> Now;

    /// World seconds a real second; 1 unless the demo runs faster.
    fn speed(&self) -> f64 {
        1.0
    }

    /// Holds world time until the guard is dropped; `None` where time cannot be held. The demo's clock can, when it runs so fast
    /// that a request of a few milliseconds would take minutes of its world.
    fn hold(&self) -> Option<Held> {
        None
    }

    /// Moves a clock that is held on by a span of world time; one that cannot be held goes on by itself.
    fn step(&self, _world: chrono::Duration) {}
}

/// World time stands as long as this lives.
pub type Held = Box<dyn std::any::Any + Send>;

/// A half-open interval `[start, end)`: `start` belongs to it, `end` does not. `end: None` means no known end.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct Span {
    /// First instant inside.
    pub start: Instant,
    /// First instant after it; `None` where no end is known.
    pub end: Option<Instant>,
}

impl Span {
    /// `[start, end)`.
    #[must_use]
    pub fn new(start: Instant, end: Instant) -> Self {
        Self {
            start,
            end: Some(end),
        }
    }

    /// From `start` on, with no known end.
    #[must_use]
    pub fn open_ended(start: Instant) -> Self {
        Self { start, end: None }
    }

    /// Whether `at` lies inside: `start <= at < end`.
    #[must_use]
    pub fn contains(&self, at: Instant) -> bool {
        self.start <= at && self.end.is_none_or(|end| at < end)
    }

    /// Whether the two share at least one instant. An empty span shares none.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        !self.is_empty()
            && !other.is_empty()
            && other.end.is_none_or(|end| self.start < end)
            && self.end.is_none_or(|end| other.start < end)
    }

    /// Whether it holds no instant at all (an end at or before its start).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.end.is_some_and(|end| end <= self.start)
    }

    /// Its length; `None` where no end is known.
    #[must_use]
    pub fn length(&self) -> Option<Duration> {
        self.end.map(|end| end - self.start)
    }

    /// What both share, or `None`.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let end = match (self.end, other.end) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let both = Self {
            start: self.start.max(other.start),
            end,
        };
        (!both.is_empty()).then_some(both)
    }
}

/// How a local time sits in its zone on its date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// It occurs once.
    Once(Instant),
    /// Clocks were set back: it occurs twice.
    Twice {
        /// The earlier of the two.
        first: Instant,
        /// The later of the two.
        second: Instant,
    },
    /// Clocks were set forward over it: it does not occur.
    Skipped {
        /// The first instant after the gap.
        first_valid: Instant,
        /// The time read with the offset before the gap (RFC 5545 section 3.3.5).
        by_offset_before: Instant,
    },
}

impl Resolved {
    /// The earliest instant that bears this local time; the first valid one where a jump skips it.
    #[must_use]
    pub fn earliest(self) -> Instant {
        match self {
            Self::Once(at) => at,
            Self::Twice { first, .. } => first,
            Self::Skipped { first_valid, .. } => first_valid,
        }
    }

    /// The latest instant that bears this local time; the first valid one where a jump skips it.
    #[must_use]
    pub fn latest(self) -> Instant {
        match self {
            Self::Once(at) => at,
            Self::Twice { second, .. } => second,
            Self::Skipped { first_valid, .. } => first_valid,
        }
    }

    /// As RFC 5545 reads it inside .ics data: the first of two, and the offset before a gap.
    #[must_use]
    pub fn rfc5545(self) -> Instant {
        match self {
            Self::Once(at) => at,
            Self::Twice { first, .. } => first,
            Self::Skipped {
                by_offset_before, ..
            } => by_offset_before,
        }
    }
}

/// Where a local time falls in `zone`, with that date's offset (never today's).
#[must_use]
pub fn resolve(local: NaiveDateTime, zone: Tz) -> Resolved {
    match zone.from_local_datetime(&local) {
        chrono::LocalResult::Single(at) => Resolved::Once(at.with_timezone(&Utc)),
        chrono::LocalResult::Ambiguous(a, b) => {
            let (a, b) = (a.with_timezone(&Utc), b.with_timezone(&Utc));
            Resolved::Twice {
                first: a.min(b),
                second: a.max(b),
            }
        }
        chrono::LocalResult::None => skipped(local, zone),
    }
}

/// The gap case of [`resolve`]. Where the zone data names no gap after all (the bundled data always does), the offset of half a day
/// earlier stands in.
fn skipped(local: NaiveDateTime, zone: Tz) -> Resolved {
    let gap = GapInfo::new(&local, &zone);
    let before = gap.as_ref().and_then(|g| g.begin.as_ref()).map_or_else(
        || {
            zone.offset_from_utc_datetime(&(local - Duration::hours(12)))
                .fix()
        },
        |(_, offset)| offset.fix(),
    );
    let by_offset_before =
        Utc.from_utc_datetime(&(local - Duration::seconds(i64::from(before.local_minus_utc()))));
    let first_valid = gap
        .and_then(|g| g.end)
        .map_or(by_offset_before, |end| end.with_timezone(&Utc));
    Resolved::Skipped {
        first_valid,
        by_offset_before,
    }
}

/// The earliest valid instant for a local time: the first of two; the first after a gap. A freeze starts and a window ends there.
#[must_use]
pub fn earliest(local: NaiveDateTime, zone: Tz) -> Instant {
    resolve(local, zone).earliest()
}

/// The latest valid instant for a local time: the second of two; the first after a gap. A window starts and a freeze ends there.
#[must_use]
pub fn latest(local: NaiveDateTime, zone: Tz) -> Instant {
    resolve(local, zone).latest()
}

/// The first instant of a local day (midnight, or the end of the gap where a jump skips midnight).
#[must_use]
pub fn day_start(day: NaiveDate, zone: Tz) -> Instant {
    earliest(day.and_time(NaiveTime::MIN), zone)
}

/// An age in one word or two: "now" (under 15 s), "40 s", "3 m", "2 h", "2 d". A negative age (a clock ahead of ours) reads "now".
#[must_use]
pub fn age_words(age: Duration) -> String {
    let seconds = age.num_seconds();
    match seconds {
        i64::MIN..15 => "now".into(),
        15..60 => format!("{seconds} s"),
        60..3_600 => format!("{} m", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A length of time with its two largest units: "45 s", "4 m 10 s", "47 m", "1 h 05 m", "3 h", "2 d 4 h". Negative reads with a
/// leading minus.
#[must_use]
pub fn duration_words(length: Duration) -> String {
    let total = length.num_seconds();
    let sign = if total < 0 { "-" } else { "" };
    let total = total.unsigned_abs();
    let (days, hours, minutes, seconds) = (
        total / 86_400,
        total / 3_600 % 24,
        total / 60 % 60,
        total % 60,
    );
    let words = match (days, hours, minutes, seconds) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, m, 0) => format!("{m} m"),
        (0, 0, m, s) => format!("{m} m {s:02} s"),
        (0, h, 0, _) => format!("{h} h"),
        (0, h, m, _) => format!("{h} h {m:02} m"),
        (d, 0, _, _) => format!("{d} d"),
        (d, h, _, _) => format!("{d} d {h} h"),
    };
    format!("{sign}{words}")
}

/// The longest length that is read: a hundred years, so that no arithmetic with it leaves the calendar.
pub const LONGEST: Duration = Duration::days(36_525);

/// Reads a length such as `90s`, `5m`, `1h 30m`, `7d` or `2w` (days are 24 h, weeks 7 days).
///
/// # Errors
/// A sentence for an empty, signed, unknown or overlong text, and for months and years, whose length depends on the date.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let trimmed = text.trim();
    if has_calendar_unit(trimmed) {
        return Err(format!(
            "\"{trimmed}\" is no fixed length: months and years differ; write days, such as \"30d\""
        ));
    }
    let parsed = humantime::parse_duration(trimmed)
        .map_err(|e| format!("\"{trimmed}\" is not a length of time ({e}); write for example \"90s\", \"5m\", \"2h\" or \"7d\""))?;
    Duration::from_std(parsed)
        .ok()
        .filter(|length| *length <= LONGEST)
        .ok_or_else(|| format!("\"{trimmed}\" is longer than a hundred years"))
}

/// Whether a unit in the text is a month or a year (`M`, `month`, `y`, `year`).
fn has_calendar_unit(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphabetic()).any(|unit| {
        matches!(
            unit,
            "M" | "month" | "months" | "y" | "yr" | "yrs" | "year" | "years"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;
    use rstest::rstest;

    fn local(text: &str) -> NaiveDateTime {
        text.parse().unwrap()
    }
    fn utc(text: &str) -> Instant {
        text.parse().unwrap()
    }

    #[rstest]
    #[case(
        "Europe/Berlin",
        "2026-03-29T02:30:00",
        "2026-03-29T01:00:00Z",
        "2026-03-29T01:00:00Z",
        "2026-03-29T01:30:00Z"
    )]
    #[case(
        "Europe/Berlin",
        "2026-10-25T02:30:00",
        "2026-10-25T00:30:00Z",
        "2026-10-25T01:30:00Z",
        "2026-10-25T00:30:00Z"
    )]
    #[case(
        "America/New_York",
        "2026-03-08T02:00:00",
        "2026-03-08T07:00:00Z",
        "2026-03-08T07:00:00Z",
        "2026-03-08T07:00:00Z"
    )]
    #[case(
        "America/New_York",
        "2026-11-01T01:15:00",
        "2026-11-01T05:15:00Z",
        "2026-11-01T06:15:00Z",
        "2026-11-01T05:15:00Z"
    )]
    #[case(
        "Australia/Sydney",
        "2026-10-04T02:30:00",
        "2026-10-03T16:00:00Z",
        "2026-10-03T16:00:00Z",
        "2026-10-03T16:30:00Z"
    )]
    #[case(
        "Australia/Sydney",
        "2026-04-05T02:30:00",
        "2026-04-04T15:30:00Z",
        "2026-04-04T16:30:00Z",
        "2026-04-04T15:30:00Z"
    )]
    // Lord Howe jumps by half an hour: 02:00 becomes 02:30, and 02:00 becomes 01:30.
    #[case(
        "Australia/Lord_Howe",
        "2026-10-04T02:15:00",
        "2026-10-03T15:30:00Z",
        "2026-10-03T15:30:00Z",
        "2026-10-03T15:45:00Z"
    )]
    #[case(
        "Australia/Lord_Howe",
        "2026-04-05T01:45:00",
        "2026-04-04T14:45:00Z",
        "2026-04-04T15:15:00Z",
        "2026-04-04T14:45:00Z"
    )]
    #[case(
        "Europe/Berlin",
        "2028-02-29T12:00:00",
        "2028-02-29T11:00:00Z",
        "2028-02-29T11:00:00Z",
        "2028-02-29T11:00:00Z"
    )]
    fn local_times_resolve_for_their_own_date(
        #[case] zone: Tz,
        #[case] at: &str,
        #[case] first: &str,
        #[case] last: &str,
        #[case] rfc: &str,
    ) {
        assert_eq!(earliest(local(at), zone), utc(first));
        assert_eq!(latest(local(at), zone), utc(last));
        assert_eq!(resolve(local(at), zone).rfc5545(), utc(rfc));
    }

    #[test]
    fn a_day_begins_where_its_midnight_is_skipped() {
        // Santiago sets its clocks forward at midnight: 6 September 2026 begins at 01:00.
        let day = NaiveDate::from_ymd_opt(2026, 9, 6).unwrap();
        assert_eq!(
            day_start(day, chrono_tz::America::Santiago),
            utc("2026-09-06T04:00:00Z")
        );
    }

    #[test]
    fn spans_are_half_open() {
        let span = Span::new(utc("2026-01-01T00:00:00Z"), utc("2026-01-02T00:00:00Z"));
        let next = Span::new(utc("2026-01-02T00:00:00Z"), utc("2026-01-03T00:00:00Z"));
        assert!(span.contains(span.start));
        assert!(!span.contains(next.start));
        assert!(!span.overlaps(&next));
        assert_eq!(span.intersection(&next), None);
        assert!(Span::open_ended(span.start).overlaps(&next));
    }

    #[rstest]
    #[case(-3, "now")]
    #[case(14, "now")]
    #[case(40, "40 s")]
    #[case(60, "1 m")]
    #[case(200, "3 m")]
    #[case(7_300, "2 h")]
    #[case(200_000, "2 d")]
    fn ages_read_short(#[case] seconds: i64, #[case] words: &str) {
        assert_eq!(age_words(Duration::seconds(seconds)), words);
    }

    #[rstest]
    #[case(45, "45 s")]
    #[case(250, "4 m 10 s")]
    #[case(2_820, "47 m")]
    #[case(3_900, "1 h 05 m")]
    #[case(10_800, "3 h")]
    #[case(187_200, "2 d 4 h")]
    #[case(-65, "-1 m 05 s")]
    fn lengths_read_in_two_units(#[case] seconds: i64, #[case] words: &str) {
        assert_eq!(duration_words(Duration::seconds(seconds)), words);
    }

    #[rstest]
    #[case("5m", Ok(300))]
    #[case("7d", Ok(604_800))]
    #[case("1h 30m", Ok(5_400))]
    #[case("2w", Ok(1_209_600))]
    #[case("", Err(()))]
    #[case("-5m", Err(()))]
    #[case("5 parsecs", Err(()))]
    #[case("1M", Err(()))]
    #[case("1y", Err(()))]
    #[case("36525d", Ok(3_155_760_000))]
    #[case("36526d", Err(()))]
    #[case("99999999999999999d", Err(()))]
    fn durations_parse_or_say_why(#[case] text: &str, #[case] expected: Result<i64, ()>) {
        assert_eq!(
            parse_duration(text)
                .map(|d| d.num_seconds())
                .map_err(|e| assert!(!e.is_empty())),
            expected
        );
    }
}
