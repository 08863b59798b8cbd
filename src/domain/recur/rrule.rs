//! Recurrence rules of RFC 5545 section 3.3.10, read strictly and expanded in local (wall-clock) time.
//!
//! Why our own: the libraries at hand accept an unknown FREQ silently or lose occurrences around a DST change, and a rule that is not
//! understood must be an error, never fewer freezes. Zones play no part here: the caller resolves each local time by its own rules.

use super::dates::{days_in_month, days_in_year, week_number};
use chrono::{Datelike, Duration, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Weekday};
use std::str::FromStr;

/// Most occurrences one rule may make inside one horizon; beyond it the rule is refused.
pub const MAX_OCCURRENCES: usize = 200_000;
/// Most times of day one rule may name (hours × minutes × seconds).
const MAX_TIMES: usize = 1_440;

/// How much work expanding may still take: periods looked at and starts found. One budget serves a whole calendar, so that a hostile
/// file is refused instead of keeping a core busy.
#[derive(Clone, Copy, Debug)]
pub struct Budget(usize);

impl Budget {
    /// For one rule.
    #[must_use]
    pub fn for_rule() -> Self {
        Self(2_000_000)
    }

    /// For a file of many events.
    #[must_use]
    pub fn for_calendar() -> Self {
        Self(20_000_000)
    }

    fn spend(&mut self, work: usize) -> Result<(), String> {
        self.0 = self
            .0
            .checked_sub(work)
            .ok_or("the recurrence rule steps too finely to be followed; use a larger FREQ")?;
        Ok(())
    }
}

/// How often a rule's periods follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Freq {
    /// Every n seconds.
    Secondly,
    /// Every n minutes.
    Minutely,
    /// Every n hours.
    Hourly,
    /// Every n days.
    Daily,
    /// Every n weeks.
    Weekly,
    /// Every n months.
    Monthly,
    /// Every n years.
    Yearly,
}

/// Where a rule ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Through the end of that day.
    Day(NaiveDate),
    /// Through that wall-clock time, itself included.
    Local(NaiveDateTime),
    /// Through that instant (given in UTC), itself included.
    Utc(super::super::time::Instant),
}

/// A weekday with an optional place in its month or year: `2SU`, `-1FR`, `MO`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nth {
    /// 1 for the first, -1 for the last; `None` for each.
    pub nth: Option<i32>,
    /// The weekday.
    pub day: Weekday,
}

/// A parsed rule. Every part is validated; there is no part that is kept but not applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rrule {
    /// The period.
    pub freq: Freq,
    /// Every how many periods, at least 1.
    pub interval: u32,
    /// How many occurrences in all, DTSTART included.
    pub count: Option<u32>,
    /// The last moment an occurrence may start.
    pub until: Option<Until>,
    months: Vec<u32>,
    week_numbers: Vec<i32>,
    year_days: Vec<i32>,
    month_days: Vec<i32>,
    days: Vec<Nth>,
    hours: Vec<u32>,
    minutes: Vec<u32>,
    seconds: Vec<u32>,
    positions: Vec<i32>,
    week_start: Weekday,
}

impl FromStr for Rrule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut rule = Self::bare();
        let mut freq = None;
        let mut seen: Vec<String> = Vec::new();
        for part in text.trim().trim_end_matches(';').split(';') {
            let (key, value) = part
                .split_once('=')
                .ok_or_else(|| format!("\"{part}\" in the recurrence rule has no \"=\""))?;
            let key = key.trim().to_ascii_uppercase();
            let value = value.trim().to_ascii_uppercase();
            if seen.contains(&key) {
                return Err(format!("{key} is given twice in the recurrence rule"));
            }
            if key == "FREQ" {
                freq = Some(read_freq(&value)?);
            } else {
                rule.read_part(&key, &value)?;
            }
            seen.push(key);
        }
        rule.freq = freq.ok_or("the recurrence rule has no FREQ")?;
        rule.check()?;
        Ok(rule)
    }
}

impl Rrule {
    fn bare() -> Self {
        Self {
            freq: Freq::Daily,
            interval: 1,
            count: None,
            until: None,
            months: Vec::new(),
            week_numbers: Vec::new(),
            year_days: Vec::new(),
            month_days: Vec::new(),
            days: Vec::new(),
            hours: Vec::new(),
            minutes: Vec::new(),
            seconds: Vec::new(),
            positions: Vec::new(),
            week_start: Weekday::Mon,
        }
    }

    fn read_part(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "INTERVAL" => self.interval = positive(key, value)?,
            "COUNT" => self.count = Some(positive(key, value)?),
            "UNTIL" => self.until = Some(read_until(value)?),
            "WKST" => self.week_start = read_weekday(value)?,
            "BYMONTH" => self.months = unsigned(key, value, 1, 12)?,
            "BYWEEKNO" => self.week_numbers = signed(key, value, 53)?,
            "BYYEARDAY" => self.year_days = signed(key, value, 366)?,
            "BYMONTHDAY" => self.month_days = signed(key, value, 31)?,
            "BYHOUR" => self.hours = unsigned(key, value, 0, 23)?,
            "BYMINUTE" => self.minutes = unsigned(key, value, 0, 59)?,
            "BYSECOND" => self.seconds = unsigned(key, value, 0, 59)?,
            "BYSETPOS" => self.positions = signed(key, value, 366)?,
            "BYDAY" => self.days = value.split(',').map(read_nth).collect::<Result<_, _>>()?,
            _ => {
                return Err(format!(
                    "{key} is not a part of a recurrence rule that is understood"
                ));
            }
        }
        Ok(())
    }

    /// The combinations that RFC 5545 forbids.
    fn check(&self) -> Result<(), String> {
        let ordinal = self.days.iter().any(|d| d.nth.is_some());
        let wrong = [
            (
                self.count.is_some() && self.until.is_some(),
                "COUNT and UNTIL exclude each other",
            ),
            (
                !self.week_numbers.is_empty() && self.freq != Freq::Yearly,
                "BYWEEKNO needs FREQ=YEARLY",
            ),
            (
                !self.year_days.is_empty()
                    && matches!(self.freq, Freq::Daily | Freq::Weekly | Freq::Monthly),
                "BYYEARDAY does not go with FREQ=DAILY, WEEKLY or MONTHLY",
            ),
            (
                !self.month_days.is_empty() && self.freq == Freq::Weekly,
                "BYMONTHDAY does not go with FREQ=WEEKLY",
            ),
            (
                ordinal && !matches!(self.freq, Freq::Monthly | Freq::Yearly),
                "a numbered weekday in BYDAY (such as 2SU) needs FREQ=MONTHLY or YEARLY",
            ),
            (
                ordinal && !self.week_numbers.is_empty(),
                "a numbered weekday in BYDAY does not go with BYWEEKNO",
            ),
            (
                !self.positions.is_empty() && !self.has_other_by_part(),
                "BYSETPOS needs another BY part to choose from",
            ),
            (
                [&self.hours, &self.minutes, &self.seconds]
                    .iter()
                    .map(|list| list.len().max(1))
                    .product::<usize>()
                    > MAX_TIMES,
                "it names too many times of day",
            ),
        ];
        wrong
            .iter()
            .find(|(is, _)| *is)
            .map_or(Ok(()), |(_, why)| Err(format!("recurrence rule: {why}")))
    }

    fn has_other_by_part(&self) -> bool {
        !(self.days.is_empty()
            && self.months.is_empty()
            && self.week_numbers.is_empty()
            && self.year_days.is_empty()
            && self.month_days.is_empty()
            && self.hours.is_empty()
            && self.minutes.is_empty()
            && self.seconds.is_empty())
    }

    /// Whether occurrences may follow each other within a day by stepping hours, minutes or seconds: then a wall-clock hour that
    /// occurs twice is met twice.
    #[must_use]
    pub fn steps_within_day(&self) -> bool {
        self.freq < Freq::Daily
    }

    /// The local starts of this rule from DTSTART `start` on, those at or after `from` and before `to`, ascending, without duplicates.
    /// DTSTART itself is an occurrence and counts, matching or not (RFC 5545: it always counts as the first). `instant_of` places a
    /// local time on the time line, for an UNTIL given in UTC.
    ///
    /// # Errors
    /// A sentence where the rule makes more than [`MAX_OCCURRENCES`] in the horizon or steps too finely to follow.
    pub fn local_starts(
        &self,
        start: NaiveDateTime,
        from: NaiveDateTime,
        to: NaiveDateTime,
        instant_of: &dyn Fn(NaiveDateTime) -> super::super::time::Instant,
        budget: &mut Budget,
    ) -> Result<Vec<NaiveDateTime>, String> {
        let past_until = |at: NaiveDateTime| match self.until {
            None => false,
            Some(Until::Day(day)) => at.date() > day,
            Some(Until::Local(last)) => at > last,
            Some(Until::Utc(last)) => instant_of(at) > last,
        };
        let mut out = Vec::new();
        if start >= from && start < to {
            out.push(start);
        }
        let mut counted = 1_u32;
        // With COUNT every earlier occurrence must be met; without, the periods before the horizon are jumped over.
        let mut index = if self.count.is_some() {
            0
        } else {
            self.periods_before(start, from)
        };
        loop {
            let Some((begin, set)) = self.period(start, index) else {
                return Ok(out);
            };
            budget.spend(1 + set.len())?;
            if begin >= to {
                return Ok(out);
            }
            for at in set.into_iter().filter(|at| *at > start) {
                if past_until(at) || self.count.is_some_and(|count| counted >= count) {
                    return Ok(out);
                }
                counted = counted.saturating_add(1);
                if at >= from && at < to {
                    out.push(at);
                }
            }
            if out.len() > MAX_OCCURRENCES {
                return Err(format!(
                    "the recurrence rule makes more than {MAX_OCCURRENCES} occurrences; write one longer span"
                ));
            }
            index += 1;
        }
    }

    /// How many whole periods surely end before `from`.
    fn periods_before(&self, start: NaiveDateTime, from: NaiveDateTime) -> i64 {
        let interval = i64::from(self.interval);
        let gap = from - start;
        let units = match self.freq {
            Freq::Secondly => gap.num_seconds(),
            Freq::Minutely => gap.num_minutes(),
            Freq::Hourly => gap.num_hours(),
            Freq::Daily => gap.num_days(),
            Freq::Weekly => gap.num_weeks(),
            Freq::Monthly => {
                i64::from(from.year() - start.year()) * 12 + i64::from(from.month())
                    - i64::from(start.month())
            }
            Freq::Yearly => i64::from(from.year() - start.year()),
        };
        (units / interval - 2).max(0)
    }

    /// The first moment of period `index` and the occurrences inside it, ascending; `None` past the calendar's end.
    fn period(
        &self,
        start: NaiveDateTime,
        index: i64,
    ) -> Option<(NaiveDateTime, Vec<NaiveDateTime>)> {
        let step = index.checked_mul(i64::from(self.interval))?;
        let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN);
        let (begin, days) = match self.freq {
            Freq::Yearly => {
                let year = i32::try_from(i64::from(start.year()).checked_add(step)?).ok()?;
                let first = NaiveDate::from_ymd_opt(year, 1, 1)?;
                (
                    midnight(first),
                    self.days_of(start, first, days_in_year(year)),
                )
            }
            Freq::Monthly => {
                let months = i64::from(start.year()) * 12 + i64::from(start.month0()) + step;
                let year = i32::try_from(months.div_euclid(12)).ok()?;
                let first = NaiveDate::from_ymd_opt(
                    year,
                    u32::try_from(months.rem_euclid(12)).ok()? + 1,
                    1,
                )?;
                (
                    midnight(first),
                    self.days_of(start, first, days_in_month(first)),
                )
            }
            Freq::Weekly => {
                let back = i64::from(start.weekday().days_since(self.week_start));
                let first = start
                    .date()
                    .checked_add_signed(Duration::try_days(step.checked_mul(7)? - back)?)?;
                (midnight(first), self.days_of(start, first, 7))
            }
            Freq::Daily => {
                let first = start.date().checked_add_signed(Duration::try_days(step)?)?;
                (midnight(first), self.days_of(start, first, 1))
            }
            Freq::Hourly | Freq::Minutely | Freq::Secondly => return self.fine_period(start, step),
        };
        let mut set = Vec::with_capacity(days.len());
        let (hours, minutes, seconds) = (
            or_own(&self.hours, start.hour()),
            or_own(&self.minutes, start.minute()),
            or_own(&self.seconds, start.second()),
        );
        for day in days {
            times(day, &hours, &minutes, &seconds, &mut set);
        }
        Some((begin, self.choose(set)))
    }

    /// A period of an hour, a minute or a second.
    fn fine_period(
        &self,
        start: NaiveDateTime,
        step: i64,
    ) -> Option<(NaiveDateTime, Vec<NaiveDateTime>)> {
        let unit = match self.freq {
            Freq::Hourly => Duration::try_hours(step)?,
            Freq::Minutely => Duration::try_minutes(step)?,
            _ => Duration::try_seconds(step)?,
        };
        let at = start.checked_add_signed(unit)?;
        let allowed = self.day_allowed(start, at.date(), true)
            && (self.hours.is_empty() || self.hours.contains(&at.hour()))
            && (self.freq == Freq::Hourly
                || self.minutes.is_empty()
                || self.minutes.contains(&at.minute()))
            && (self.freq != Freq::Secondly
                || self.seconds.is_empty()
                || self.seconds.contains(&at.second()));
        let mut set = Vec::new();
        if allowed {
            let minutes = if self.freq == Freq::Hourly {
                or_own(&self.minutes, start.minute())
            } else {
                vec![at.minute()]
            };
            let seconds = if self.freq == Freq::Secondly {
                vec![at.second()]
            } else {
                or_own(&self.seconds, start.second())
            };
            times(at.date(), &[at.hour()], &minutes, &seconds, &mut set);
        }
        let begin = match self.freq {
            Freq::Hourly => at.date().and_hms_opt(at.hour(), 0, 0)?,
            _ => at.date().and_hms_opt(at.hour(), at.minute(), 0)?,
        };
        Some((begin, self.choose(set)))
    }

    fn days_of(&self, start: NaiveDateTime, first: NaiveDate, length: u32) -> Vec<NaiveDate> {
        (0..length)
            .filter_map(|n| first.checked_add_signed(Duration::days(i64::from(n))))
            .filter(|day| self.day_allowed(start, *day, false))
            .collect()
    }

    /// Whether a day passes every BY part; what the rule leaves open is taken from DTSTART, unless the period is shorter than a day.
    fn day_allowed(&self, start: NaiveDateTime, day: NaiveDate, fine: bool) -> bool {
        let year_length = i32::try_from(days_in_year(day.year())).unwrap_or(365);
        let month_length = i32::try_from(days_in_month(day)).unwrap_or(31);
        let listed = |list: &[i32], at: u32, length: i32| {
            let at = i32::try_from(at).unwrap_or(0);
            list.is_empty()
                || list
                    .iter()
                    .any(|n| *n == at || (*n < 0 && length + n + 1 == at))
        };
        (self.months.is_empty() || self.months.contains(&day.month()))
            && listed(&self.year_days, day.ordinal(), year_length)
            && listed(&self.month_days, day.day(), month_length)
            && self.week_allowed(day)
            && (self.days.is_empty() || self.days.iter().any(|nth| self.nth_allowed(*nth, day)))
            && (fine || self.default_allowed(start, day))
    }

    fn week_allowed(&self, day: NaiveDate) -> bool {
        if self.week_numbers.is_empty() {
            return true;
        }
        let (number, of) = week_number(day, self.week_start);
        self.week_numbers
            .iter()
            .any(|n| *n == number || (*n < 0 && of + n + 1 == number))
    }

    /// `2SU` counts within the month for FREQ=MONTHLY and where BYMONTH is given, else within the year.
    fn nth_allowed(&self, nth: Nth, day: NaiveDate) -> bool {
        if nth.day != day.weekday() {
            return false;
        }
        let Some(n) = nth.nth else { return true };
        let in_month = self.freq == Freq::Monthly || !self.months.is_empty();
        let (at, length) = if in_month {
            (day.day0(), days_in_month(day))
        } else {
            (day.ordinal0(), days_in_year(day.year()))
        };
        let (at, length) = (i64::from(at), i64::from(length));
        if n > 0 {
            at / 7 + 1 == i64::from(n)
        } else {
            (length - 1 - at) / 7 + 1 == -i64::from(n)
        }
    }

    /// The day that DTSTART implies where no BY part names one.
    fn default_allowed(&self, start: NaiveDateTime, day: NaiveDate) -> bool {
        let no_day =
            self.days.is_empty() && self.month_days.is_empty() && self.year_days.is_empty();
        match self.freq {
            _ if !no_day => true,
            Freq::Yearly if !self.week_numbers.is_empty() => day.weekday() == start.weekday(),
            Freq::Yearly => {
                day.day() == start.day()
                    && (!self.months.is_empty() || day.month() == start.month())
            }
            Freq::Monthly => day.day() == start.day(),
            Freq::Weekly => day.weekday() == start.weekday(),
            _ => true,
        }
    }

    /// Applies BYSETPOS.
    fn choose(&self, mut set: Vec<NaiveDateTime>) -> Vec<NaiveDateTime> {
        set.sort_unstable();
        set.dedup();
        if self.positions.is_empty() {
            return set;
        }
        let mut chosen: Vec<_> = self
            .positions
            .iter()
            .filter_map(|p| {
                let magnitude = usize::try_from(p.unsigned_abs()).ok()?;
                let at = if *p > 0 {
                    magnitude.checked_sub(1)?
                } else {
                    set.len().checked_sub(magnitude)?
                };
                set.get(at).copied()
            })
            .collect();
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    }
}

fn or_own(list: &[u32], own: u32) -> Vec<u32> {
    if list.is_empty() {
        vec![own]
    } else {
        list.to_vec()
    }
}

fn times(
    day: NaiveDate,
    hours: &[u32],
    minutes: &[u32],
    seconds: &[u32],
    into: &mut Vec<NaiveDateTime>,
) {
    for hour in hours {
        for minute in minutes {
            into.extend(
                seconds
                    .iter()
                    .filter_map(|second| day.and_hms_opt(*hour, *minute, *second)),
            );
        }
    }
}

/// A DATE of RFC 5545: eight digits.
#[must_use]
pub fn basic_date(text: &str) -> Option<NaiveDate> {
    let digits = text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit());
    digits
        .then(|| NaiveDate::parse_from_str(text, "%Y%m%d").ok())
        .flatten()
}

/// A DATE-TIME of RFC 5545 without its zone: eight digits, `T`, six digits.
#[must_use]
pub fn basic_date_time(text: &str) -> Option<NaiveDateTime> {
    let (date, time) = text.split_once('T')?;
    let digits = time.len() == 6 && time.bytes().all(|b| b.is_ascii_digit());
    let time = digits
        .then(|| NaiveTime::parse_from_str(time, "%H%M%S").ok())
        .flatten()?;
    Some(basic_date(date)?.and_time(time))
}

fn read_freq(value: &str) -> Result<Freq, String> {
    Ok(match value {
        "SECONDLY" => Freq::Secondly,
        "MINUTELY" => Freq::Minutely,
        "HOURLY" => Freq::Hourly,
        "DAILY" => Freq::Daily,
        "WEEKLY" => Freq::Weekly,
        "MONTHLY" => Freq::Monthly,
        "YEARLY" => Freq::Yearly,
        _ => {
            return Err(format!(
                "FREQ={value} is not a frequency of a recurrence rule"
            ));
        }
    })
}

fn read_weekday(value: &str) -> Result<Weekday, String> {
    Ok(match value {
        "MO" => Weekday::Mon,
        "TU" => Weekday::Tue,
        "WE" => Weekday::Wed,
        "TH" => Weekday::Thu,
        "FR" => Weekday::Fri,
        "SA" => Weekday::Sat,
        "SU" => Weekday::Sun,
        _ => {
            return Err(format!(
                "\"{value}\" is not a weekday of a recurrence rule (MO TU WE TH FR SA SU)"
            ));
        }
    })
}

fn read_nth(value: &str) -> Result<Nth, String> {
    let wrong =
        || format!("BYDAY={value} is not a weekday (MO … SU, with a place such as 2SU or -1FR)");
    let split = value
        .len()
        .checked_sub(2)
        .filter(|at| value.is_char_boundary(*at))
        .ok_or_else(wrong)?;
    let (place, day) = value.split_at(split);
    let day = read_weekday(day).map_err(|_| wrong())?;
    if place.is_empty() {
        return Ok(Nth { nth: None, day });
    }
    let nth: i32 = place.parse().map_err(|_| wrong())?;
    if nth == 0 || nth.abs() > 53 {
        Err(wrong())
    } else {
        Ok(Nth {
            nth: Some(nth),
            day,
        })
    }
}

fn read_until(value: &str) -> Result<Until, String> {
    let wrong = || format!("UNTIL={value} is neither a date nor a date with a time");
    if let Ok(day) = NaiveDate::parse_from_str(value, "%Y%m%d") {
        return Ok(Until::Day(day));
    }
    let (text, utc) = value
        .strip_suffix('Z')
        .map_or((value, false), |text| (text, true));
    let at = NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%S").map_err(|_| wrong())?;
    Ok(if utc {
        Until::Utc(at.and_utc())
    } else {
        Until::Local(at)
    })
}

fn positive(key: &str, value: &str) -> Result<u32, String> {
    match value.parse::<u32>() {
        Ok(n) if n > 0 => Ok(n),
        _ => Err(format!("{key}={value} is not a number of at least 1")),
    }
}

fn unsigned(key: &str, value: &str, low: u32, high: u32) -> Result<Vec<u32>, String> {
    value
        .split(',')
        .map(|text| match text.parse::<u32>() {
            Ok(n) if (low..=high).contains(&n) => Ok(n),
            _ => Err(format!("{key}={text} is not a number from {low} to {high}")),
        })
        .collect()
}

fn signed(key: &str, value: &str, high: i32) -> Result<Vec<i32>, String> {
    value
        .split(',')
        .map(|text| match text.parse::<i32>() {
            Ok(n) if n != 0 && n.abs() <= high => Ok(n),
            _ => Err(format!(
                "{key}={text} is not a number from 1 to {high} or -{high} to -1"
            )),
        })
        .collect()
}
