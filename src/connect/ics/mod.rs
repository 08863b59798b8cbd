//! Reads .ics calendars (RFC 5545) strictly: what is not understood is an error with its line, because a freeze must never vanish.
//!
//! Choices, where the standard leaves room:
//! - A TZID that is an IANA name means that zone, whatever (often outdated) VTIMEZONE comes along; any other needs a VTIMEZONE in the file,
//!   wherever it stands, or is a known vendor name ("W. Europe Standard Time"); else it is refused.
//! - Times without zone, and whole days, are read in the zone of the policy.
//! - DTSTART with DTEND keeps its wall-clock ends across DST (SEMANTICS 1); DURATION counts days on the calendar and hours elapsed.
//! - DTSTART is always an occurrence, even where it does not match its rule.
//! - A file that ends inside a component was cut off, and is refused.

mod event;
mod expand;
mod lines;
mod zone;

use self::event::RawEvent;
use self::lines::{Component, parse_components};
use self::zone::Zones;
use crate::domain::recur::rrule::Budget;
use crate::domain::time::Span;
use crate::domain::window::event::CalendarEvent;
use chrono_tz::Tz;
use std::fmt;

/// One thing in the file that is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line of the file, counted from 1, on which it begins.
    pub line: usize,
    /// A sentence.
    pub text: String,
}

impl Problem {
    fn new(line: usize, text: impl Into<String>) -> Self {
        Self {
            line,
            text: text.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.text)
    }
}

/// Why a calendar was not read: nothing of it may then be relied on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IcsRefused {
    /// At least one problem, in the file's order.
    pub problems: Vec<Problem>,
}

impl fmt::Display for IcsRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(first) = self.problems.first() {
            write!(f, "{first}")?;
        }
        match self.problems.len() {
            0 | 1 => Ok(()),
            n => write!(f, " (and {} more)", n - 1),
        }
    }
}

impl std::error::Error for IcsRefused {}

impl From<Problem> for IcsRefused {
    fn from(problem: Problem) -> Self {
        Self {
            problems: vec![problem],
        }
    }
}

/// Most intervals kept of one file.
const MAX_SPANS: usize = 1_000_000;

/// The events of an .ics file that share time with `horizon` (an open end reads as 10 years), recurrences expanded, changed instances
/// applied, cancelled ones left out. `floating` is the zone of whole days and of times that name none.
///
/// # Errors
/// Every line that is not understood, with its number. Never a panic, whatever the bytes.
pub fn read_ics(
    bytes: &[u8],
    horizon: Span,
    floating: Tz,
) -> Result<Vec<CalendarEvent>, IcsRefused> {
    let components = parse_components(bytes)?;
    let mut problems: Vec<Problem> = components.iter().filter_map(wrong_calendar).collect();
    let inner: Vec<&Component> = components
        .iter()
        .flat_map(|c| {
            if c.name == "VCALENDAR" {
                c.children.iter().collect()
            } else {
                vec![c]
            }
        })
        .collect();
    let end = horizon
        .end
        .unwrap_or(horizon.start + chrono::Duration::days(3_653));
    let mut zones = Zones::new(&inner, floating, end);
    let mut raws = Vec::new();
    for component in inner.iter().filter(|c| c.name == "VEVENT") {
        match RawEvent::read(component, &mut zones) {
            Ok(raw) => raws.push(raw),
            Err(mut found) => problems.append(&mut found),
        }
    }
    let mut budget = Budget::for_calendar();
    let mut events = expand::expand(
        raws,
        Span::new(horizon.start, end),
        &mut budget,
        &mut problems,
    );
    if let Some(name) = calendar_name(&components) {
        for event in &mut events {
            event.project.clone_from(&name);
        }
    }
    let kept: usize = events.iter().map(|e| e.spans.len()).sum();
    if kept > MAX_SPANS {
        problems.push(Problem::new(
            1,
            format!("the calendar makes {kept} occurrences; at most {MAX_SPANS} are kept"),
        ));
    }
    if problems.is_empty() {
        return Ok(events);
    }
    problems.sort_by_key(|p| p.line);
    Err(IcsRefused { problems })
}

/// The calendar's own name (RFC 7986, or what came before it), where the file holds one calendar.
fn calendar_name(components: &[Component]) -> Option<String> {
    let mut calendars = components.iter().filter(|c| c.name == "VCALENDAR");
    let (only, None) = (calendars.next()?, calendars.next()) else {
        return None;
    };
    ["NAME", "X-WR-CALNAME"].iter().find_map(|name| {
        let prop = only.props.iter().find(|p| p.name == *name)?;
        Some(event::text(&prop.value, 200))
    })
}

/// What makes a whole calendar unusable.
fn wrong_calendar(component: &Component) -> Option<Problem> {
    for prop in &component.props {
        let value = prop.value.trim();
        if prop.name == "METHOD"
            && matches!(
                value.to_ascii_uppercase().as_str(),
                "CANCEL" | "REFRESH" | "DECLINECOUNTER"
            )
        {
            return Some(Problem::new(
                prop.line,
                format!("METHOD:{value} is a message about events, not a calendar of them"),
            ));
        }
        if prop.name == "CALSCALE" && !value.eq_ignore_ascii_case("GREGORIAN") {
            return Some(Problem::new(
                prop.line,
                format!("the calendar scale \"{value}\" is not understood, only GREGORIAN"),
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests;
