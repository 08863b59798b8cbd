//! Time zones of an .ics file: IANA names, VTIMEZONE components, and vendors' names.

use super::Problem;
use super::lines::{Component, Prop, excerpt};
use crate::domain::recur::joined_starts;
use crate::domain::recur::rrule::{Budget, Rrule, basic_date_time};
use crate::domain::time::{Instant, Resolved, resolve};
use chrono::{DateTime, Duration, NaiveDateTime, TimeDelta};
use chrono_tz::Tz;
use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

/// A zone in which local times are read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Zone {
    /// From the IANA database.
    Iana(Tz),
    /// From the file.
    Custom(Arc<CustomZone>),
}

impl Zone {
    /// Where a local time falls; a skipped one by the offset before the gap, as RFC 5545 has it.
    pub fn resolve(&self, local: NaiveDateTime) -> Resolved {
        let resolved = match self {
            Self::Iana(zone) => resolve(local, *zone),
            Self::Custom(zone) => zone.resolve(local),
        };
        match resolved {
            Resolved::Skipped {
                by_offset_before, ..
            } => Resolved::Once(by_offset_before),
            other => other,
        }
    }

    /// The wall-clock time of an instant.
    pub fn local(&self, at: Instant) -> NaiveDateTime {
        match self {
            Self::Iana(zone) => at.with_timezone(zone).naive_local(),
            Self::Custom(zone) => {
                at.naive_utc() + TimeDelta::seconds(zone.offset_at(at.timestamp()))
            }
        }
    }
}

/// The change of offset at an instant, in seconds (east positive).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Transition {
    at: i64,
    before: i64,
    after: i64,
}

/// A VTIMEZONE, expanded to its transitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CustomZone {
    transitions: Vec<Transition>,
}

impl CustomZone {
    fn offset_at(&self, at: i64) -> i64 {
        let next = self.transitions.partition_point(|t| t.at <= at);
        match next.checked_sub(1).and_then(|i| self.transitions.get(i)) {
            Some(last) => last.after,
            None => self.transitions.first().map_or(0, |first| first.before),
        }
    }

    fn resolve(&self, local: NaiveDateTime) -> Resolved {
        let wall = local.and_utc().timestamp();
        let (low, high) = (wall - 2 * 86_400, wall + 2 * 86_400);
        let from = self.transitions.partition_point(|t| t.at < low);
        let near: Vec<Transition> = self
            .transitions
            .iter()
            .skip(from)
            .take_while(|t| t.at <= high)
            .copied()
            .collect();
        let mut offsets: Vec<i64> = near.iter().flat_map(|t| [t.before, t.after]).collect();
        offsets.push(self.offset_at(wall));
        let mut found: Vec<i64> = offsets
            .iter()
            .map(|o| wall - o)
            .filter(|at| wall - at == self.offset_at(*at))
            .collect();
        found.sort_unstable();
        match (found.first(), found.last()) {
            (Some(first), Some(last)) if first != last => Resolved::Twice {
                first: seconds(*first),
                second: seconds(*last),
            },
            (Some(only), _) => Resolved::Once(seconds(*only)),
            _ => {
                let gap = near
                    .iter()
                    .find(|t| (t.at + t.before..t.at + t.after).contains(&wall));
                let by_offset_before =
                    seconds(wall - gap.map_or_else(|| self.offset_at(wall), |t| t.before));
                Resolved::Skipped {
                    first_valid: gap.map_or(by_offset_before, |t| seconds(t.at)),
                    by_offset_before,
                }
            }
        }
    }
}

fn seconds(at: i64) -> Instant {
    DateTime::from_timestamp(at, 0).unwrap_or_default()
}

/// The zones that a file names.
pub(super) struct Zones<'a> {
    defined: HashMap<&'a str, &'a Component>,
    built: HashMap<&'a str, Result<Arc<CustomZone>, Problem>>,
    floating: Tz,
    horizon: Instant,
}

impl<'a> Zones<'a> {
    /// Collects the VTIMEZONEs first, so that one may stand after its use.
    pub fn new(components: &[&'a Component], floating: Tz, horizon: Instant) -> Self {
        let mut defined = HashMap::new();
        for component in components.iter().filter(|c| c.name == "VTIMEZONE") {
            if let Some(id) = component.props.iter().find(|p| p.name == "TZID") {
                defined.insert(id.value.trim(), *component);
            }
        }
        Self {
            defined,
            built: HashMap::new(),
            floating,
            horizon,
        }
    }

    /// The zone of times that name none.
    pub fn floating(&self) -> Zone {
        Zone::Iana(self.floating)
    }

    /// The zone of a property's TZID.
    pub fn named(&mut self, tzid: &str, line: usize) -> Result<Zone, Problem> {
        let tzid = tzid.trim();
        if let Ok(zone) = tzid.parse::<Tz>() {
            return Ok(Zone::Iana(zone));
        }
        if let Some((key, component)) = self.defined.get_key_value(tzid) {
            let horizon = self.horizon;
            let built = self
                .built
                .entry(*key)
                .or_insert_with(|| build(component, horizon).map(Arc::new));
            return built.clone().map(Zone::Custom);
        }
        // Vendors' names ("W. Europe Standard Time") and prefixed ones ("/vendor.org/Europe/Berlin").
        match calcard::common::timezone::Tz::from_str(tzid) {
            Ok(calcard::common::timezone::Tz::Tz(zone)) => Ok(Zone::Iana(zone)),
            _ => {
                let text = format!(
                    "the time zone \"{}\" is neither known nor defined by a VTIMEZONE in this file",
                    excerpt(tzid)
                );
                Err(Problem::new(line, text))
            }
        }
    }
}

fn build(component: &Component, horizon: Instant) -> Result<CustomZone, Problem> {
    let mut transitions = Vec::new();
    for part in component
        .children
        .iter()
        .filter(|c| matches!(c.name.as_str(), "STANDARD" | "DAYLIGHT"))
    {
        observance(part, horizon, &mut transitions)?;
    }
    if transitions.is_empty() {
        return Err(Problem::new(
            component.line,
            "the VTIMEZONE has neither STANDARD nor DAYLIGHT",
        ));
    }
    transitions.sort_unstable();
    transitions.dedup_by_key(|t| t.at);
    Ok(CustomZone { transitions })
}

/// The transitions of one STANDARD or DAYLIGHT, whose local times are read with the offset before them.
fn observance(
    part: &Component,
    horizon: Instant,
    into: &mut Vec<Transition>,
) -> Result<(), Problem> {
    let find = |name: &str| part.props.iter().find(|p| p.name == name);
    let needed = |name: &str| {
        find(name).ok_or_else(|| {
            Problem::new(
                part.line,
                format!("this {} of a VTIMEZONE has no {name}", part.name),
            )
        })
    };
    let before = offset(needed("TZOFFSETFROM")?)?;
    let after = offset(needed("TZOFFSETTO")?)?;
    let start = local_time(needed("DTSTART")?, None)?;
    let instant_of = |at: NaiveDateTime| (at - TimeDelta::seconds(before)).and_utc();
    let mut rules = Vec::new();
    let mut onsets = Vec::new();
    for prop in &part.props {
        match prop.name.as_str() {
            "RRULE" => rules.push(
                prop.value
                    .parse::<Rrule>()
                    .map_err(|e| Problem::new(prop.line, e))?,
            ),
            "RDATE" => {
                for value in prop.value.split(',') {
                    onsets.push(local_time(prop, Some(value))?);
                }
            }
            _ => {}
        }
    }
    let end = horizon.naive_utc() + Duration::days(400);
    let starts = joined_starts(
        start,
        &rules,
        NaiveDateTime::MIN,
        end,
        &instant_of,
        &mut Budget::for_rule(),
    )
    .map_err(|e| Problem::new(part.line, e))?;
    onsets.extend(starts);
    onsets.sort_unstable();
    onsets.dedup();
    into.extend(onsets.into_iter().map(|at| Transition {
        at: instant_of(at).timestamp(),
        before,
        after,
    }));
    Ok(())
}

fn local_time(prop: &Prop, value: Option<&str>) -> Result<NaiveDateTime, Problem> {
    let value = value.unwrap_or(&prop.value).trim();
    basic_date_time(value).ok_or_else(|| {
        Problem::new(
            prop.line,
            format!(
                "{}:{} in a VTIMEZONE is not a local time",
                prop.name,
                excerpt(value)
            ),
        )
    })
}

/// `+0100`, `-0430`, `+115544`: seconds east of UTC, less than a day.
fn offset(prop: &Prop) -> Result<i64, Problem> {
    let wrong = || {
        Problem::new(
            prop.line,
            format!(
                "{}:{} is not an offset such as +0100",
                prop.name,
                excerpt(&prop.value)
            ),
        )
    };
    let text = prop.value.trim();
    let (sign, digits) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(digits), _) => (1, digits),
        (_, Some(digits)) => (-1, digits),
        _ => return Err(wrong()),
    };
    if !matches!(digits.len(), 4 | 6) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    let pair = |at: usize| {
        digits
            .get(at..at + 2)
            .and_then(|d| d.parse::<i64>().ok())
            .unwrap_or(0)
    };
    let (hours, minutes, seconds) = (pair(0), pair(2), pair(4));
    if hours > 23 || minutes > 59 || seconds > 59 {
        return Err(wrong());
    }
    Ok(sign * (hours * 3_600 + minutes * 60 + seconds))
}
