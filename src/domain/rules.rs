//! Windows and freezes of the policy and of every calendar that was read, indexed once for many questions.

use std::collections::{HashMap, HashSet};

use chrono::Duration;

use super::needs::{CALENDAR_AHEAD, CALENDAR_BACK};
use super::observe::{Freshness, Observed};
use super::policy::{CalendarSource, Policy, Release};
use super::record::Records;
use super::recur::Schedule;
use super::time::{Instant, Now, Span};
use super::window::event::{Becomes, Dated, EventRule, Mapped, map_events};
use super::window::{CalendarHealth, Compiled, RuleBook, Scope, Source, Target, Window};

/// How far back the index reaches, days.
const BACK: i64 = 9;
/// How far ahead the index reaches, days.
const AHEAD: i64 = 400;

/// What became of a calendar's entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The calendar's name.
    pub calendar: String,
    /// How many entries were read.
    pub entries: usize,
    /// How many of a kind they became, with the kind's word, such as `(2, "freeze")`; kinds without one are left out.
    pub became: Vec<(usize, &'static str)>,
    /// Titles of entries that no rule matches: each once, in the calendar's order.
    pub unmatched: Vec<String>,
    /// Titles of tentative entries that would have been windows: they permit nothing.
    pub tentative: Vec<String>,
}

impl Tally {
    fn of(calendar: &str, entries: usize, mapped: &Mapped) -> Self {
        let became = [
            (mapped.rules.freezes.len(), "freeze"),
            (mapped.rules.windows.len(), "window"),
            (mapped.releases.len(), "release"),
            (mapped.holidays.len(), "holiday"),
            (mapped.events.len(), "event"),
            (mapped.left_out, "left out"),
        ];
        let once = |titles: &[String]| {
            let mut seen = std::collections::BTreeSet::new();
            let mut kept = titles.to_vec();
            kept.retain(|t| seen.insert(t.clone()));
            kept
        };
        Self {
            calendar: calendar.to_owned(),
            entries,
            became: became.into_iter().filter(|(n, _)| *n > 0).collect(),
            unmatched: once(&mapped.unmatched),
            tentative: once(&mapped.tentative),
        }
    }

    /// How many entries no rule matches, by title.
    #[must_use]
    pub fn unmatched_words(&self) -> Option<String> {
        const SHOWN: usize = 5;
        let all = self.unmatched.len();
        let mut shown: Vec<&str> = self
            .unmatched
            .iter()
            .take(SHOWN)
            .map(String::as_str)
            .collect();
        let more = format!("and {} more", all.saturating_sub(SHOWN));
        if all > SHOWN {
            shown.push(&more);
        }
        (all > 0).then(|| format!("{all} that no rule matches: {}", shown.join("; ")))
    }

    /// Such as `12 entries: 2 freeze, 1 release; 3 that no rule matches: Lunch; …`.
    #[must_use]
    pub fn sentence(&self) -> String {
        let became: Vec<String> = self
            .became
            .iter()
            .map(|(n, w)| format!("{n} {w}"))
            .collect();
        let mut out = format!("{} entries", self.entries);
        if !became.is_empty() {
            out.push_str(&format!(": {}", became.join(", ")));
        }
        if let Some(words) = self.unmatched_words() {
            out.push_str(&format!("; {words}"));
        }
        if !self.tentative.is_empty() {
            out.push_str(&format!(
                "; tentative, so they permit nothing: {}",
                self.tentative.join("; ")
            ));
        }
        out
    }
}

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
    /// Days that matter to the business, found in calendars.
    pub events: Vec<Dated>,
    /// What became of the entries of every calendar that was read.
    pub tallies: Vec<Tally>,
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
            events: Vec::new(),
            tallies: Vec::new(),
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
                    book.windows.extend(announced(calendar, policy));
                    let tally = Tally::of(&calendar.name, events.len(), &mapped);
                    rules.tallies.push(tally);
                    rules.events.extend(mapped.events);
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

    /// The day off at an instant, for a target.
    #[must_use]
    pub fn day_off(&self, target: &Target, at: Instant) -> Option<&Dated> {
        let here = |h: &&Dated| h.scope.covers(target) && h.spans.iter().any(|s| s.contains(at));
        self.holidays.iter().find(here)
    }

    /// Every release that calendars hold, with the id of the release that it is, of those known (id, title).
    #[must_use]
    pub fn claimed<'k>(&self, known: &[(&'k str, &'k str)]) -> Vec<(&Dated, Option<&'k str>)> {
        let known = Known::new(known);
        self.releases.iter().map(|r| (r, known.which(r))).collect()
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
                    scopes: scopes(c),
                }
            })
            .collect()
    }
}

/// A calendar that may bring windows closes what they concern while it brings none: an emptied calendar permits nothing.
fn announced(calendar: &CalendarSource, policy: &Policy) -> Vec<Window> {
    let windows = calendar
        .rules
        .iter()
        .filter(|r| r.becomes == Becomes::Window);
    windows
        .map(|rule| Window {
            name: format!("windows of calendar {}", calendar.name),
            scope: rule.scope.clone(),
            schedule: Schedule::Listed { spans: Vec::new() },
            timezone: policy.timezone,
            source: Source::Calendar {
                calendar: calendar.name.clone(),
                uid: String::new(),
            },
            owner: rule.owner.clone(),
        })
        .collect()
}

/// What a calendar could close: the scopes of its freezes and windows, or everything (empty) where one of them has none, or where it
/// brings neither.
fn scopes(calendar: &CalendarSource) -> Vec<Scope> {
    let closing = |r: &&EventRule| matches!(r.becomes, Becomes::Freeze | Becomes::Window);
    let found: Vec<Scope> = calendar
        .rules
        .iter()
        .filter(closing)
        .map(|r| r.scope.clone())
        .collect();
    if found.contains(&Scope::default()) {
        Vec::new()
    } else {
        found
    }
}

/// The releases there are, by id and by title, so that an entry finds its own without asking each.
struct Known<'k> {
    ids: HashSet<&'k str>,
    titles: HashMap<&'k str, &'k str>,
    /// Ids that are no single word.
    odd: Vec<&'k str>,
}

impl<'k> Known<'k> {
    fn new(known: &[(&'k str, &'k str)]) -> Self {
        let word = |id: &str| words(id).next() == Some(id);
        Self {
            ids: known.iter().map(|(id, _)| *id).collect(),
            titles: known.iter().map(|(id, title)| (*title, *id)).collect(),
            odd: known
                .iter()
                .map(|(id, _)| *id)
                .filter(|id| !word(id))
                .collect(),
        }
    }

    /// The release that an entry names most surely ([`Dated::is_release`]): by its UID, by the longest id in its title, by its title.
    fn which(&self, entry: &Dated) -> Option<&'k str> {
        if let Some(id) = self.ids.get(entry.uid.as_str()) {
            return Some(id);
        }
        let plain = words(&entry.name).filter_map(|word| self.ids.get(word).copied());
        let odd = self.odd.iter().copied();
        let odd = odd.filter(|id| entry.is_release(id, "").is_some());
        plain
            .chain(odd)
            .max_by_key(|id| (id.len(), *id))
            .or_else(|| self.titles.get(entry.name.as_str()).copied())
    }
}

/// The words of a text, of what ids are made of; a full stop at a word's end is none of it.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '/' | '.')))
        .map(|word| word.trim_end_matches('.'))
        .filter(|word| !word.is_empty())
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
