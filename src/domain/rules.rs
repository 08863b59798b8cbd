//! Windows and freezes of the policy and of every calendar that was read, indexed once for many questions.

use chrono::Duration;

use super::observe::{Freshness, Observed};
use super::policy::{Policy, Release};
use super::record::Records;
use super::time::{Instant, Now, Span};
use super::window::event::{Dated, map_events};
use super::window::{CalendarHealth, Compiled, RuleBook, Target};

/// How far back the index reaches, days.
const BACK: i64 = 9;
/// How far ahead the index reaches, days.
const AHEAD: i64 = 400;

/// Days before its reading over which every calendar is read.
const CALENDAR_BACK: i64 = 40;
/// Days after its reading over which every calendar is read.
const CALENDAR_AHEAD: i64 = 430;

/// The rules over a horizon around `made_at`.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The index; `None` where a rule could not be understood (then `problems` says which, and everything is Unknown).
    pub compiled: Option<Compiled>,
    /// What could not be understood, a sentence each.
    pub problems: Vec<String>,
    /// Calendars whose events could not be understood.
    pub bad_calendars: Vec<String>,
    /// Releases found in calendars.
    pub releases: Vec<Dated>,
    /// Days off found in calendars.
    pub holidays: Vec<Dated>,
    /// When it was made: it is made again every day.
    pub made_at: Instant,
    /// Every day off by its start, with its index in `holidays`, and the longest of them.
    off: (Vec<(Span, usize)>, Duration),
}

impl Rules {
    /// Makes the index from what is known now.
    pub fn of(policy: &Policy, observed: &Observed, now: Now) -> Self {
        Self::around(policy, observed, now.world, now)
    }

    /// Makes the index around another time. What lies outside what the calendars were read for is not part of it, so that it
    /// reads Unknown and never open.
    pub fn around(policy: &Policy, observed: &Observed, at: Instant, now: Now) -> Self {
        let mut book = RuleBook {
            windows: policy.windows.clone(),
            freezes: policy.freezes.clone(),
        };
        let mut rules = Self {
            compiled: None,
            problems: Vec::new(),
            bad_calendars: Vec::new(),
            releases: Vec::new(),
            holidays: Vec::new(),
            made_at: at,
            off: (Vec::new(), Duration::zero()),
        };
        for calendar in &policy.calendars {
            let seen = observed
                .feeds
                .get(&format!("calendar/{}", calendar.name))
                .and_then(|f| f.last.as_ref());
            let Some(Records::Event(events)) = seen.map(|o| &o.records) else {
                continue;
            };
            match map_events(&calendar.name, events, &calendar.rules, policy.timezone) {
                Ok(mapped) => {
                    book.windows.extend(mapped.rules.windows);
                    book.freezes.extend(mapped.rules.freezes);
                    rules.releases.extend(mapped.releases);
                    rules.holidays.extend(mapped.holidays);
                }
                Err(problems) => {
                    rules.bad_calendars.push(calendar.name.clone());
                    rules.problems.extend(problems);
                }
            }
        }
        rules.off = days_off(&rules.holidays);
        let mut from = at - Duration::days(BACK);
        let mut to = at + Duration::days(AHEAD);
        if !policy.calendars.is_empty() {
            // A day less than is read: the reading may be a day old.
            from = from.max(now.world - Duration::days(CALENDAR_BACK - 1));
            to = to.min(now.world + Duration::days(CALENDAR_AHEAD - 1));
            to = to.max(from);
        }
        match Compiled::new(book, from, to) {
            Ok(compiled) => rules.compiled = Some(compiled),
            Err(problems) => rules
                .problems
                .extend(problems.iter().map(ToString::to_string)),
        }
        rules
    }

    /// The days off that share time with `[from, to)`, by start; one without an end counts as a day.
    pub fn days_off(&self, from: Instant, to: Instant) -> Vec<(Span, &Dated)> {
        let (list, longest) = &self.off;
        let end = list.partition_point(|(span, _)| span.start < to);
        let mut out: Vec<(Span, &Dated)> = list
            .iter()
            .take(end)
            .rev()
            .take_while(|(span, _)| span.start + *longest > from)
            .filter(|(span, _)| last(*span) > from)
            .filter_map(|(span, n)| Some((*span, self.holidays.get(*n)?)))
            .collect();
        out.reverse();
        out
    }

    /// Health of every configured calendar at `now`.
    pub fn calendars(&self, policy: &Policy, observed: &Observed, now: Now) -> Vec<CalendarHealth> {
        policy
            .calendars
            .iter()
            .map(|c| {
                let (seen, freshness) = observed.of(&format!("calendar/{}", c.name), now);
                let partial = seen.is_some_and(|o| o.partial.is_some());
                let bad = self.bad_calendars.contains(&c.name);
                CalendarHealth {
                    name: c.name.clone(),
                    read: freshness != Freshness::Never && !partial && !bad,
                    stale: freshness == Freshness::Stale,
                    since: seen.map(|o| o.read_at),
                    scopes: Vec::new(),
                }
            })
            .collect()
    }
}

fn last(span: Span) -> Instant {
    match span.end {
        Some(end) if end > span.start => end,
        _ => span.start + Duration::days(1),
    }
}

fn days_off(holidays: &[Dated]) -> (Vec<(Span, usize)>, Duration) {
    let mut list: Vec<(Span, usize)> = holidays
        .iter()
        .enumerate()
        .flat_map(|(n, h)| h.spans.iter().map(move |s| (*s, n)))
        .collect();
    list.sort_unstable();
    let longest = list.iter().map(|(s, _)| last(*s) - s.start).max();
    (list, longest.unwrap_or_else(Duration::zero))
}

/// What windows and freezes are asked about for one service of a release.
pub fn target(policy: &Policy, release: &Release, service: &str) -> Target {
    Target {
        service: Some(service.to_owned()),
        environment: Some(release.environment.clone()),
        region: None,
        team: policy.service(service).and_then(|s| s.team.clone()),
        kinds: vec![release.purpose.word().to_owned()],
    }
}
