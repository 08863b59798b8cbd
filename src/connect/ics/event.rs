//! One VEVENT, its values read and checked.

use super::Problem;
use super::lines::{Component, Prop, clean, excerpt};
use super::zone::{Zone, Zones};
use crate::domain::recur::rrule::{Rrule, basic_date, basic_date_time};
use crate::domain::time::Instant;
use chrono::{Duration, NaiveDate, NaiveDateTime, NaiveTime};
use chrono_tz::Tz;

/// Longest texts kept, in characters.
const SUMMARY: usize = 200;
const DESCRIPTION: usize = 2_000;

/// A DATE or DATE-TIME with its zone.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct When {
    /// Wall-clock time; midnight for a day.
    pub local: NaiveDateTime,
    /// The zone it is read in.
    pub zone: Zone,
    /// Whether it is a whole day.
    pub day: bool,
}

impl When {
    /// The instant, as RFC 5545 reads it.
    pub fn instant(&self) -> Instant {
        self.zone.resolve(self.local).earliest()
    }
}

/// How long each occurrence lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lasts {
    /// To a wall-clock time so much later.
    Wall(Duration),
    /// So many calendar days, then so long elapsed.
    Nominal {
        /// Whole days on the calendar.
        days: i64,
        /// Elapsed remainder.
        exact: Duration,
    },
}

impl Lasts {
    /// About how long, for a search's margin.
    pub fn about(self) -> Duration {
        match self {
            Self::Wall(by) => by,
            Self::Nominal { days, exact } => {
                Duration::try_days(days).unwrap_or(Duration::zero()) + exact
            }
        }
    }
}

/// An RDATE.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Extra {
    pub start: When,
    /// A PERIOD's own length; else that of the event.
    pub lasts: Option<Lasts>,
}

/// Whether an event is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Confirmed,
    Tentative,
    Cancelled,
}

/// A VEVENT.
#[derive(Clone, Debug)]
pub(super) struct RawEvent {
    pub line: usize,
    pub uid: String,
    pub sequence: i64,
    pub start: When,
    pub lasts: Lasts,
    pub rules: Vec<Rrule>,
    pub extra: Vec<Extra>,
    pub except: Vec<When>,
    /// The instance it changes, and whether it changes all later ones too.
    pub changes: Option<(When, bool)>,
    pub status: Status,
    /// STATUS as it stands there, in lower case.
    pub state: String,
    pub summary: String,
    pub description: String,
    pub location: String,
    pub categories: Vec<String>,
}

impl RawEvent {
    /// Reads a VEVENT; all that is wrong with it at once.
    pub fn read(component: &Component, zones: &mut Zones<'_>) -> Result<Self, Vec<Problem>> {
        let mut problems = twice(component);
        let mut keep = |result: Result<(), Problem>| result.unwrap_or_else(|p| problems.push(p));
        let (mut start, mut end, mut length) = (None, None, None);
        let mut raw = Parts::default();
        for prop in &component.props {
            keep(match prop.name.as_str() {
                "DTSTART" => read_when(prop, &prop.value, zones).map(|when| start = Some(when)),
                "DTEND" => {
                    read_when(prop, &prop.value, zones).map(|when| end = Some((prop.line, when)))
                }
                "DURATION" => {
                    read_duration(prop, &prop.value).map(|lasts| length = Some((prop.line, lasts)))
                }
                _ => raw.read(prop, zones),
            });
        }
        let Some(start) = start else {
            if problems.is_empty() {
                problems.push(Problem::new(component.line, "the event has no DTSTART"));
            }
            return Err(problems);
        };
        match lasting(&start, end, length).and_then(|lasts| raw.check_kinds(&start).map(|()| lasts))
        {
            Ok(lasts) if problems.is_empty() => Ok(raw.finish(component.line, start, lasts)),
            Ok(_) => Err(problems),
            Err(problem) => {
                problems.push(problem);
                Err(problems)
            }
        }
    }
}

/// Properties that may stand once only: two of them leave open which one holds.
fn twice(component: &Component) -> Vec<Problem> {
    [
        "DTSTART",
        "DTEND",
        "DURATION",
        "RECURRENCE-ID",
        "UID",
        "STATUS",
        "SEQUENCE",
    ]
    .iter()
    .filter_map(|name| component.props.iter().filter(|p| p.name == *name).nth(1))
    .map(|prop| Problem::new(prop.line, format!("the event has {} twice", prop.name)))
    .collect()
}

/// What is gathered besides start and end.
#[derive(Default)]
struct Parts {
    uid: Option<String>,
    sequence: i64,
    rules: Vec<Rrule>,
    extra: Vec<(usize, Extra)>,
    except: Vec<When>,
    changes: Option<(When, bool)>,
    status: Option<Status>,
    state: String,
    summary: String,
    description: String,
    location: String,
    categories: Vec<String>,
}

impl Parts {
    fn read(&mut self, prop: &Prop, zones: &mut Zones<'_>) -> Result<(), Problem> {
        match prop.name.as_str() {
            "UID" => self.uid = Some(clean(&prop.value, SUMMARY)),
            "SEQUENCE" => {
                let wrong = |_| {
                    Problem::new(
                        prop.line,
                        format!("SEQUENCE:{} is not a number", excerpt(&prop.value)),
                    )
                };
                self.sequence = prop.value.trim().parse().map_err(wrong)?;
            }
            "RRULE" => self.rules.push(
                prop.value
                    .parse()
                    .map_err(|e: String| Problem::new(prop.line, excerpt_long(&e)))?,
            ),
            "EXRULE" => {
                return Err(Problem::new(
                    prop.line,
                    "EXRULE was withdrawn from iCalendar and is not understood; use EXDATE",
                ));
            }
            "RDATE" => {
                for value in values(prop) {
                    self.extra
                        .push((prop.line, read_extra(prop, value, zones)?));
                }
            }
            "EXDATE" => {
                for value in values(prop) {
                    self.except.push(read_when(prop, value, zones)?);
                }
            }
            "RECURRENCE-ID" => {
                let later = match prop.param("RANGE") {
                    None => false,
                    Some(range) if range.eq_ignore_ascii_case("THISANDFUTURE") => true,
                    Some(range) => {
                        return Err(Problem::new(
                            prop.line,
                            format!("RANGE={} is not understood", excerpt(range)),
                        ));
                    }
                };
                self.changes = Some((read_when(prop, &prop.value, zones)?, later));
            }
            "STATUS" => {
                self.status = Some(status(&prop.value));
                self.state = clean(prop.value.trim(), SUMMARY).to_lowercase();
            }
            "SUMMARY" if self.summary.is_empty() => self.summary = text(&prop.value, SUMMARY),
            "DESCRIPTION" if self.description.is_empty() => {
                self.description = text(&prop.value, DESCRIPTION)
            }
            "LOCATION" if self.location.is_empty() => self.location = text(&prop.value, SUMMARY),
            "CATEGORIES" => self.categories.extend(
                split_unescaped(&prop.value)
                    .iter()
                    .take(50)
                    .map(|c| text(c, SUMMARY)),
            ),
            _ => {}
        }
        Ok(())
    }

    /// RDATEs must be days where the event is made of days, and times where it has one.
    fn check_kinds(&self, start: &When) -> Result<(), Problem> {
        match self
            .extra
            .iter()
            .find(|(_, extra)| extra.start.day != start.day)
        {
            None => Ok(()),
            Some((line, extra)) if extra.start.day => Err(Problem::new(
                *line,
                "RDATE names a day, but the event starts at a time of day",
            )),
            Some((line, _)) => Err(Problem::new(
                *line,
                "RDATE names a time of day, but the event is made of whole days",
            )),
        }
    }

    fn finish(self, line: usize, start: When, lasts: Lasts) -> RawEvent {
        RawEvent {
            line,
            uid: self
                .uid
                .filter(|uid| !uid.is_empty())
                .unwrap_or_else(|| format!("line-{line}")),
            sequence: self.sequence,
            start,
            lasts,
            rules: self.rules,
            extra: self.extra.into_iter().map(|(_, extra)| extra).collect(),
            except: self.except,
            changes: self.changes,
            status: self.status.unwrap_or(Status::Confirmed),
            state: self.state,
            summary: self.summary,
            description: self.description,
            location: self.location,
            categories: self.categories,
        }
    }
}

/// An unknown status reads as tentative: it forbids, and permits nothing.
fn status(value: &str) -> Status {
    match value.trim().to_ascii_uppercase().as_str() {
        "CANCELLED" | "CANCELED" => Status::Cancelled,
        "CONFIRMED" => Status::Confirmed,
        _ => Status::Tentative,
    }
}

fn lasting(
    start: &When,
    end: Option<(usize, When)>,
    length: Option<(usize, Lasts)>,
) -> Result<Lasts, Problem> {
    match (end, length) {
        (Some((line, _)), Some(_)) => {
            Err(Problem::new(line, "the event has both DTEND and DURATION"))
        }
        (Some((line, end)), None) => from_end(start, &end, line),
        (None, Some((line, Lasts::Nominal { exact, .. }))) if start.day && !exact.is_zero() => {
            Err(Problem::new(
                line,
                "the event is made of whole days, but its DURATION has hours",
            ))
        }
        (None, Some((_, lasts))) => Ok(lasts),
        (None, None) if start.day => Ok(Lasts::Wall(Duration::days(1))),
        (None, None) => Ok(Lasts::Wall(Duration::zero())),
    }
}

fn from_end(start: &When, end: &When, line: usize) -> Result<Lasts, Problem> {
    if start.day != end.day {
        return Err(Problem::new(
            line,
            "DTSTART and DTEND must both be days or both be times",
        ));
    }
    // Ends in another zone are a length: a wall clock exists in one zone only.
    if !start.day && start.zone != end.zone {
        let exact = end.instant() - start.instant();
        return if exact < Duration::zero() {
            Err(backwards(line))
        } else {
            Ok(Lasts::Nominal { days: 0, exact })
        };
    }
    let by = end.local - start.local;
    match by {
        // Many programs write a single day as DTEND = DTSTART.
        by if start.day && by.is_zero() => Ok(Lasts::Wall(Duration::days(1))),
        // A clock set back in between may make the end look earlier on the wall.
        by if by < Duration::zero() => {
            let exact = end.zone.resolve(end.local).latest() - start.instant();
            if exact > Duration::zero() {
                Ok(Lasts::Nominal { days: 0, exact })
            } else {
                Err(backwards(line))
            }
        }
        by => Ok(Lasts::Wall(by)),
    }
}

fn backwards(line: usize) -> Problem {
    Problem::new(line, "the event ends before it starts")
}

/// Values with commas between; an empty one is an error later on, except where the property is empty altogether.
fn values(prop: &Prop) -> impl Iterator<Item = &str> {
    prop.value
        .split(',')
        .filter(|_| !prop.value.trim().is_empty())
}

/// A DATE, a local DATE-TIME, one in UTC, or one with TZID.
fn read_when(prop: &Prop, value: &str, zones: &mut Zones<'_>) -> Result<When, Problem> {
    let value = value.trim();
    let wrong = || {
        let text = format!(
            "{}:{} is neither a date (20261228) nor a date with a time (20261228T180000)",
            prop.name,
            excerpt(value)
        );
        Problem::new(prop.line, text)
    };
    let declared = prop.param("VALUE").map(str::to_ascii_uppercase);
    if let Some(kind) = declared.as_deref()
        && !matches!(kind, "DATE" | "DATE-TIME" | "PERIOD")
    {
        return Err(Problem::new(
            prop.line,
            format!(
                "{} with VALUE={} is not understood",
                prop.name,
                excerpt(kind)
            ),
        ));
    }
    if let Some(day) = basic_date(value).filter(|_| declared.as_deref() != Some("DATE-TIME")) {
        return Ok(When {
            local: day.and_time(NaiveTime::MIN),
            zone: zones.floating(),
            day: true,
        });
    }
    if declared.as_deref() == Some("DATE") {
        return Err(wrong());
    }
    let (text, utc) = value
        .strip_suffix('Z')
        .map_or((value, false), |text| (text, true));
    let local = basic_date_time(text).filter(sensible).ok_or_else(wrong)?;
    let zone = match prop.param("TZID") {
        _ if utc => Zone::Iana(Tz::UTC),
        Some(tzid) => zones.named(tzid, prop.line)?,
        None => zones.floating(),
    };
    Ok(When {
        local,
        zone,
        day: false,
    })
}

/// Years in which no arithmetic here can leave the calendar.
fn sensible(at: &NaiveDateTime) -> bool {
    let (low, high) = (
        NaiveDate::from_ymd_opt(1, 1, 2),
        NaiveDate::from_ymd_opt(9_998, 1, 1),
    );
    low.is_some_and(|low| at.date() >= low) && high.is_some_and(|high| at.date() < high)
}

fn read_extra(prop: &Prop, value: &str, zones: &mut Zones<'_>) -> Result<Extra, Problem> {
    let Some((from, to)) = value.split_once('/') else {
        return Ok(Extra {
            start: read_when(prop, value, zones)?,
            lasts: None,
        });
    };
    let start = read_when(prop, from, zones)?;
    let lasts = if to.trim_start().starts_with(['P', '+', '-']) {
        read_duration(prop, to)?
    } else {
        from_end(&start, &read_when(prop, to, zones)?, prop.line)?
    };
    Ok(Extra {
        start,
        lasts: Some(lasts),
    })
}

/// `P15DT5H0M20S`, `P7W`: whole days count on the calendar, the rest elapses. A negative one would end before the start.
fn read_duration(prop: &Prop, value: &str) -> Result<Lasts, Problem> {
    let wrong = || {
        Problem::new(
            prop.line,
            format!("\"{}\" is not a length such as PT1H or P1D", excerpt(value)),
        )
    };
    let text = value.trim();
    let text = text.strip_prefix('+').unwrap_or(text);
    let mut rest = text
        .strip_prefix('P')
        .filter(|rest| !rest.is_empty())
        .ok_or_else(wrong)?;
    let (mut days, mut secs, mut in_time) = (0_i64, 0_i64, false);
    while !rest.is_empty() {
        if let Some(time) = rest
            .strip_prefix('T')
            .filter(|time| !in_time && !time.is_empty())
        {
            (in_time, rest) = (true, time);
            continue;
        }
        let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (digits, unit) = rest.split_at(end);
        let number: i64 = digits
            .parse()
            .ok()
            .filter(|n| *n < 10_000_000)
            .ok_or_else(wrong)?;
        let mut chars = unit.chars();
        match (chars.next(), in_time) {
            (Some('W'), false) => days += number * 7,
            (Some('D'), false) => days += number,
            (Some('H'), true) => secs += number * 3_600,
            (Some('M'), true) => secs += number * 60,
            (Some('S'), true) => secs += number,
            _ => return Err(wrong()),
        }
        rest = chars.as_str();
    }
    if days > 366 * 100 || secs > 366 * 100 * 86_400 {
        return Err(Problem::new(
            prop.line,
            format!("\"{}\" is longer than a hundred years", excerpt(value)),
        ));
    }
    Ok(Lasts::Nominal {
        days,
        exact: Duration::seconds(secs),
    })
}

/// TEXT of RFC 5545 unescaped, cleaned and cut.
pub(super) fn text(value: &str, most: usize) -> String {
    let mut out = String::new();
    let mut chars = value.chars().take(most * 4);
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n' | 'N') => out.push(' '),
                Some(other) => out.push(other),
                None => {}
            },
            other => out.push(other),
        }
    }
    clean(&out, most)
}

/// Splits at commas that are not escaped.
fn split_unescaped(value: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for c in value.chars() {
        if c == ',' && !escaped {
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push(c);
        }
        escaped = c == '\\' && !escaped;
    }
    parts
}

/// An error that may quote the file.
fn excerpt_long(text: &str) -> String {
    clean(text, 200)
}
