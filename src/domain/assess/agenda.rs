//! Fills the agenda: the releases of file, journal and calendars as one list, every occurrence of a rule, every watch.

use std::collections::HashMap;

use chrono::Duration;

use crate::domain::agenda::{Agenda, Entry, Kind, uid};
use crate::domain::event::Closing;
use crate::domain::journal::Journal;
use crate::domain::needs::{CALENDAR_AHEAD, CALENDAR_BACK};
use crate::domain::observe::Observed;
use crate::domain::policy::{Policy, Release};
use crate::domain::recur::{Lean, Schedule};
use crate::domain::rules::Rules;
use crate::domain::time::{Instant, Now, Span};
use crate::domain::window::event::Dated;
use crate::domain::window::{Scope, Source};

use super::{View, driver, need, watch, with_view};

/// Everything that shares time with `[from, to)`. `rules` were made around it; the calendars' health is that of `now`.
#[must_use]
pub fn agenda(
    policy: &Policy,
    journal: &Journal,
    observed: &Observed,
    rules: &Rules,
    now: Now,
    (from, to): (Instant, Instant),
) -> Agenda {
    let mut out = Agenda {
        from,
        to,
        entries: Vec::new(),
        unread: Vec::new(),
        problems: rules.problems.clone(),
        calendars: Vec::new(),
    };
    let health = rules.calendars(policy, observed, now);
    let unread = health.into_iter().filter(|c| !c.is_good());
    out.unread = unread.map(|c| c.name).collect();
    for tally in &rules.tallies {
        out.calendars
            .push(format!("calendar {}: {}", tally.calendar, tally.sentence()));
    }
    out.problems.extend(beyond(policy, now, from, to));
    let span = Span::new(from, to);
    with_view(policy, journal, observed, now, |view, _| {
        releases(view, rules, span, &mut out.entries);
    });
    by_rules(rules, span, &mut out);
    for (kind, dated) in [
        (Kind::Holiday, &rules.holidays),
        (Kind::Event, &rules.events),
    ] {
        for one in dated {
            out.entries.extend(of_calendar(kind, one, span));
        }
    }
    out.entries
        .sort_by(|a, b| (a.start, a.kind, &a.title).cmp(&(b.start, b.kind, &b.title)));
    out
}

/// Calendars are read for some days only: what lies beyond is not known.
fn beyond(policy: &Policy, now: Now, from: Instant, to: Instant) -> Option<String> {
    let day = |days| now.world + Duration::days(days);
    let (first, last) = (day(-CALENDAR_BACK), day(CALENDAR_AHEAD));
    (!policy.calendars.is_empty() && (from < first || to > last)).then(|| {
        format!(
            "calendars are read from {} to {} only",
            first.format("%Y-%m-%d"),
            last.format("%Y-%m-%d")
        )
    })
}

/// Shares time with the span; an entry without length when it lies inside.
fn touches(start: Instant, end: Option<Instant>, span: Span) -> bool {
    span.end.is_none_or(|to| start < to)
        && end.is_none_or(|end| end > span.start || (end == start && start >= span.start))
}

fn of_calendar(kind: Kind, dated: &Dated, span: Span) -> Vec<Entry> {
    let here = dated.spans.iter().filter(|s| touches(s.start, s.end, span));
    here.map(|s| {
        let start = s.start.to_rfc3339();
        Entry {
            uid: uid(kind, &[&dated.calendar, &dated.uid, &dated.name, &start]),
            kind,
            release: None,
            title: dated.name.clone(),
            start: s.start,
            end: s.end,
            cancelled: false,
            services: dated.scope.services.clone(),
            environments: dated.scope.environments.clone(),
            owner: dated.owner.clone(),
            source: format!("calendar {}", dated.calendar),
            note: dated.state.clone(),
        }
    })
    .collect()
}

/// Every occurrence of every window and freeze.
fn by_rules(rules: &Rules, span: Span, out: &mut Agenda) {
    let Some(compiled) = &rules.compiled else {
        return;
    };
    let book = compiled.book();
    for f in &book.freezes {
        let note = format!(
            "{} freeze{}",
            match f.strength {
                crate::domain::window::Strength::Soft => "soft",
                crate::domain::window::Strength::Hard => "hard",
            },
            if f.except.is_empty() {
                String::new()
            } else {
                format!(", except {}", f.except.join(", "))
            }
        );
        let rule = Rule {
            kind: Kind::Freeze,
            name: &f.name,
            scope: &f.scope,
            owner: &f.owner,
            source: &f.source,
            note,
        };
        rule.occur(&f.schedule, f.timezone, span, out);
    }
    for w in &book.windows {
        let rule = Rule {
            kind: Kind::Window,
            name: &w.name,
            scope: &w.scope,
            owner: &w.owner,
            source: &w.source,
            note: String::new(),
        };
        rule.occur(&w.schedule, w.timezone, span, out);
    }
}

/// A window or a freeze.
struct Rule<'a> {
    kind: Kind,
    name: &'a str,
    scope: &'a Scope,
    owner: &'a Option<String>,
    source: &'a Source,
    note: String,
}

impl Rule<'_> {
    fn occur(&self, schedule: &Schedule, zone: chrono_tz::Tz, span: Span, out: &mut Agenda) {
        let lean = match self.kind {
            Kind::Window => Lean::Shorter,
            _ => Lean::Longer,
        };
        let to = span.end.unwrap_or(span.start);
        match schedule.occurrences(span.start, to, zone, lean) {
            Ok(spans) => out.entries.extend(spans.into_iter().map(|s| self.entry(s))),
            Err(why) => {
                let word = self.kind.word();
                out.problems.push(format!("{word} {}: {why}", self.name));
            }
        }
    }

    fn entry(&self, span: Span) -> Entry {
        let start = span.start.to_rfc3339();
        let (source, id) = match self.source {
            Source::Config => ("cockpit.toml".to_owned(), String::new()),
            Source::Calendar { calendar, uid } => (format!("calendar {calendar}"), uid.clone()),
        };
        Entry {
            uid: uid(self.kind, &[&source, &id, self.name, &start]),
            kind: self.kind,
            release: None,
            title: self.name.to_owned(),
            start: span.start,
            end: span.end,
            cancelled: false,
            services: self.scope.services.clone(),
            environments: self.scope.environments.clone(),
            owner: self.owner.clone(),
            source,
            note: self.note.clone(),
        }
    }
}

/// Releases of file and journal, with their watches, and those that only calendars hold.
fn releases(view: &View<'_>, rules: &Rules, span: Span, out: &mut Vec<Entry>) {
    let journaled = view
        .journal
        .releases
        .values()
        .filter_map(|r| r.plan.as_ref());
    let all: Vec<&Release> = view
        .policy
        .releases
        .iter()
        .chain(journaled.filter(|p| view.policy.release(&p.id).is_none()))
        .collect();
    let known: Vec<(&str, &str)> = all
        .iter()
        .map(|r| (r.id.as_str(), r.title.as_str()))
        .collect();
    let mut named: HashMap<&str, Vec<(Instant, &Dated)>> = HashMap::new();
    for (dated, owner) in rules.claimed(&known) {
        match owner {
            None => out.extend(of_calendar(Kind::Release, dated, span)),
            Some(id) => {
                let times = dated.spans.iter().map(|s| (s.start, dated));
                named.entry(id).or_default().extend(times);
            }
        }
    }
    for release in &all {
        let elsewhere = named.remove(release.id.as_str()).unwrap_or_default();
        known_release(view, release, &elsewhere, span, out);
    }
}

fn known_release(
    view: &View<'_>,
    release: &Release,
    elsewhere: &[(Instant, &Dated)],
    span: Span,
    out: &mut Vec<Entry>,
) {
    let state = view.journal.release(&release.id);
    let started = state.and_then(|s| s.tracks.values().map(|t| t.started).min());
    let lent = elsewhere.iter().map(|(at, _)| *at).min();
    let Some(start) = started.or(release.planned).or(lent) else {
        return;
    };
    let (need, _) = need::of_release(view, release);
    let finished = state.and_then(|s| {
        let whole = release.changes.iter().all(|c| {
            let track = s.tracks.get(&c.service);
            track.is_some_and(|t| t.finished.is_some())
        });
        s.tracks
            .values()
            .filter_map(|t| t.finished)
            .max()
            .filter(|_| whole)
    });
    let end = finished
        .unwrap_or(start + Duration::seconds(need))
        .max(start);
    let closing = state.and_then(|s| s.closing.as_ref()).map(|c| c.0);
    let cancelled = matches!(closing, Some(Closing::Abandoned | Closing::Superseded));
    let mut notes: Vec<String> = Vec::new();
    notes.extend(closing.map(|c| c.word().to_owned()));
    if started.is_none() {
        for (at, dated) in elsewhere.iter().filter(|(at, _)| *at != start) {
            let when = super::clock_full(*at, view.at(), view.policy.timezone);
            notes.push(format!("calendar {} says {when}", dated.calendar));
        }
    }
    let source = match view.policy.release(&release.id) {
        Some(_) => "cockpit.toml",
        None => "journal",
    };
    let entry = |kind: Kind, title: String, start, end, note: String| Entry {
        uid: uid(kind, &[&release.id]),
        kind,
        release: Some(release.id.clone()),
        title,
        start,
        end: Some(end),
        cancelled,
        services: release.changes.iter().map(|c| c.service.clone()).collect(),
        environments: vec![release.environment.clone()],
        owner: driver(release, state),
        source: source.to_owned(),
        note,
    };
    let until = end + Duration::seconds(need::seconds(watch::length_of(view, release)));
    let watched = format!("watch of {}", release.id);
    let both = [
        entry(
            Kind::Release,
            release.title.clone(),
            start,
            end,
            notes.join("; "),
        ),
        entry(Kind::Watch, watched, end, until, String::new()),
    ];
    out.extend(both.into_iter().filter(|e| touches(e.start, e.end, span)));
}
