//! The small values of which schedules are written: a day or a moment, a time of day, a weekday, a length.

use crate::domain::time::{Instant, Resolved, earliest, parse_duration, resolve};
use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Utc, Weekday};
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A day (`2026-12-28`, meaning its first instant), a local time (`2026-12-28T18:00`), or an instant with an offset
/// (`2026-12-28T18:00:00Z`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum Moment {
    /// The first instant of a local day.
    Day(NaiveDate),
    /// A wall-clock time.
    Local(NaiveDateTime),
    /// An instant.
    Fixed(Instant),
}

impl Moment {
    /// Where it falls in a zone, for its own date.
    #[must_use]
    pub fn resolve(self, zone: Tz) -> Resolved {
        match self {
            Self::Day(day) => resolve(day.and_time(NaiveTime::MIN), zone),
            Self::Local(at) => resolve(at, zone),
            Self::Fixed(at) => Resolved::Once(at),
        }
    }

    /// Its wall-clock time in a zone.
    #[must_use]
    pub fn local(self, zone: Tz) -> NaiveDateTime {
        match self {
            Self::Day(day) => day.and_time(NaiveTime::MIN),
            Self::Local(at) => at,
            Self::Fixed(at) => at.with_timezone(&zone).naive_local(),
        }
    }

    /// Whether it names this start: the same moment, or the day it starts on.
    #[must_use]
    pub fn names(self, start: NaiveDateTime, zone: Tz) -> bool {
        match self {
            Self::Day(day) => start.date() == day,
            Self::Local(at) => start == at,
            Self::Fixed(at) => earliest(start, zone) == at || resolve(start, zone).latest() == at,
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(day) => write!(f, "{day}"),
            Self::Local(at) => write!(f, "{}", at.format("%Y-%m-%dT%H:%M:%S")),
            Self::Fixed(at) => write!(f, "{}", at.format("%Y-%m-%dT%H:%M:%SZ")),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Ok(day) = text.parse::<NaiveDate>() {
            return Ok(Self::Day(day));
        }
        // TOML allows a blank between date and time.
        let with_t = text.replacen(' ', "T", 1);
        if let Ok(at) = DateTime::parse_from_rfc3339(&with_t) {
            return Ok(Self::Fixed(at.with_timezone(&Utc)));
        }
        ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(&with_t, format).ok())
            .map(Self::Local)
            .ok_or_else(|| {
                format!("\"{text}\" is neither a day (2026-12-28), a local time (2026-12-28T18:00) nor an instant (2026-12-28T18:00:00Z)")
            })
    }
}

impl TryFrom<String> for Moment {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.to_string()
    }
}

/// A time of day, `09:30` or `09:30:15`; `24:00` is midnight at the day's end.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct TimeOfDay(pub NaiveTime);

impl FromStr for TimeOfDay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if matches!(text, "24:00" | "24:00:00") {
            return Ok(Self(NaiveTime::MIN));
        }
        NaiveTime::parse_from_str(text, "%H:%M")
            .or_else(|_| NaiveTime::parse_from_str(text, "%H:%M:%S"))
            .map(Self)
            .map_err(|_| format!("\"{text}\" is not a time of day such as \"09:30\""))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = if self.0.second() == 0 {
            "%H:%M"
        } else {
            "%H:%M:%S"
        };
        write!(f, "{}", self.0.format(format))
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        time.to_string()
    }
}

/// A weekday, written `mon` … `sun`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl Day {
    /// As chrono names it.
    #[must_use]
    pub fn weekday(self) -> Weekday {
        match self {
            Self::Mon => Weekday::Mon,
            Self::Tue => Weekday::Tue,
            Self::Wed => Weekday::Wed,
            Self::Thu => Weekday::Thu,
            Self::Fri => Weekday::Fri,
            Self::Sat => Weekday::Sat,
            Self::Sun => Weekday::Sun,
        }
    }
}

/// An elapsed length in whole seconds, written `90s`, `5m`, `2h`, `7d`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Length(pub i64);

impl Length {
    /// As chrono has it; lengths beyond its range are cut to the longest.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::try_seconds(self.0).unwrap_or(Duration::MAX)
    }
}

impl FromStr for Length {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        parse_duration(text).map(|length| Self(length.num_seconds()))
    }
}

impl TryFrom<String> for Length {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Length> for String {
    fn from(length: Length) -> Self {
        format!("{}s", length.0)
    }
}
