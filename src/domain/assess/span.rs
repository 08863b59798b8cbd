//! A span of the calendar on demand: what holds when, lanes, a day's or a release's rules one by one, a plan being typed, and what-if.
//! The same rules judge it as judge the start; nothing here is kept.

mod evidence;
mod start;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use chrono::Duration;

use crate::domain::calendar::{
    About, Bar, CalendarSpan, Drafted, Lane, Look, Scope, Suppose, WhatIf,
};
use crate::domain::journal::Journal;
use crate::domain::observe::{Feed, Observation, Observed};
use crate::domain::planning;
use crate::domain::policy::{Policy, Release};
use crate::domain::record::Records;
use crate::domain::situation::{CalendarView, Mark, StripSegment, Tone};
use crate::domain::suggest::nearest;
use crate::domain::time::{Instant, Now, Span};
use crate::domain::window::{RuleSpan, SegmentKind, Strength, Target};

use super::calendar::{ask, targets};
use super::{View, conflicts, oncall, phase_of};

pub(super) use evidence::origin_of;

/// Most bars told of one lane; the rest is counted.
const MOST: usize = 120;
/// Most rule names kept of a stretch.
const NAMES: usize = 8;

/// Answers a question to the calendar. Pure, and never part of a situation: what is supposed changes nothing.
#[must_use]
pub fn calendar_span(
    policy: &Policy,
    journal: &Journal,
    observed: &Observed,
    now: Now,
    look: &Look,
) -> CalendarSpan {
    let really = planning::effective(policy, journal);
    let supposed = suppose(&really, journal, look.suppose.as_ref());
    let cx = Cx {
        policy: &supposed,
        journal,
        observed,
        now,
    };
    let view = cx.view(observed, now.world, None);
    let (target, whom, notes) = aim(&cx, &look.scope);
    let mut out = CalendarSpan {
        look: look.clone(),
        whom,
        strip: strip(&view, &target, look.span),
        bars: Vec::new(),
        more: Vec::new(),
        notes,
        what_if: None,
        draft: None,
        evidence: None,
    };
    releases(&cx, &view, look, &mut out);
    rules(&view, &target, look.span, &mut out);
    cover(&view, look.span, &mut out);
    out.bars.sort_by(|a, b| {
        let place = |lane: Lane| Lane::ALL.iter().position(|l| *l == lane);
        (place(a.lane), a.span.start, &a.id).cmp(&(place(b.lane), b.span.start, &b.id))
    });
    out.what_if = look.suppose.as_ref().and_then(|s| what_if(&cx, &really, s));
    out.draft = look.draft.as_ref().map(|inputs| drafted(&cx, inputs));
    out.evidence = match &look.about {
        Some(About::Span { span, title }) => {
            // It need not be what is drawn: asked for by itself.
            let inner = Look {
                span: *span,
                about: None,
                suppose: None,
                draft: None,
                ..look.clone()
            };
            let found = calendar_span(&supposed, journal, observed, now, &inner);
            Some(evidence::of_span(&cx, &target, &found, *span, title))
        }
        Some(About::Release(id)) => evidence::of_release(&cx, id),
        None => None,
    };
    out
}

/// What is asked, with the plans as they are supposed to be.
struct Cx<'a> {
    policy: &'a Policy,
    journal: &'a Journal,
    observed: &'a Observed,
    now: Now,
}

impl<'a> Cx<'a> {
    /// As much of a view as the calendar's rules look at.
    fn view(&self, observed: &'a Observed, at: Instant, release: Option<&'a Release>) -> View<'a> {
        let now = Now {
            world: at,
            real: self.now.real,
        };
        let mut view = View::bare(self.policy, self.journal, observed, now);
        view.release = release;
        view.state = release.and_then(|r| self.journal.release(&r.id));
        view
    }

    /// Conflicts and deadlines of every open release, as of the real now.
    fn plans(&self) -> CalendarView {
        let mut out = CalendarView::default();
        conflicts::fill(&self.view(self.observed, self.now.world, None), &mut out);
        out
    }

    /// Judges a release as if it were `at`: what was read is then as old as it is now.
    fn judged<T>(&self, release: &Release, at: Instant, then: impl FnOnce(&View<'_>) -> T) -> T {
        let observed = carried(self.observed, at - self.now.world);
        let cx = Cx {
            policy: self.policy,
            journal: self.journal,
            observed: &observed,
            now: self.now,
        };
        then(&cx.view(&observed, at, Some(release)))
    }
}

/// The readings that the calendar's rules look at, moved in time: a supposed hour makes nothing stale. The calendars' entries stand in
/// the rules already and are left out.
fn carried(observed: &Observed, by: Duration) -> Observed {
    let feeds = observed
        .feeds
        .iter()
        .filter(|(need, _)| need.starts_with("calendar/") || need.starts_with("oncall/"))
        .map(|(need, feed)| {
            let last = feed.last.as_ref().map(|o| Observation {
                need: o.need.clone(),
                source: o.source.clone(),
                read_at: o.read_at + by,
                newest: o.newest + by,
                cadence: o.cadence,
                records: match &o.records {
                    Records::Event(_) => Records::Event(Vec::new()),
                    other => other.clone(),
                },
                partial: o.partial.clone(),
            });
            let feed = Feed {
                source: feed.source.clone(),
                last,
                fault: feed.fault.clone(),
                failing_since: feed.failing_since,
                reading: feed.reading,
            };
            (need.clone(), feed)
        })
        .collect();
    Observed {
        feeds,
        metrics: BTreeMap::new(),
        not_before: observed.not_before.map(|t| t + by),
        session: observed.session.clone(),
        rules: observed.rules.clone(),
    }
}

/// The policy with the supposed start in it.
fn suppose<'a>(policy: &'a Policy, journal: &Journal, what: Option<&Suppose>) -> Cow<'a, Policy> {
    let Some(Suppose::Release { id, at }) = what else {
        return Cow::Borrowed(policy);
    };
    let mut changed = policy.clone();
    if let Some(release) = changed.releases.iter_mut().find(|r| &r.id == id) {
        release.planned = Some(*at);
    } else if let Some(plan) = journal.release(id).and_then(|r| r.plan.clone()) {
        changed.releases.push(Release {
            planned: Some(*at),
            ..plan
        });
    }
    Cow::Owned(changed)
}

/// The target of windows and freezes, in words, and what of the scope is not understood.
fn aim(cx: &Cx<'_>, scope: &Scope) -> (Target, String, Vec<String>) {
    let policy = cx.policy;
    let mut notes = Vec::new();
    let mut known = |what: &str, name: &Option<String>, names: Vec<&str>| {
        let name = name.as_deref()?;
        if names.contains(&name) {
            return Some(name.to_owned());
        }
        let near = nearest(name, names.iter().copied());
        let help = near.map_or(String::new(), |n| format!(": did you mean {n}?"));
        notes.push(format!("no {what} is called {name}{help}"));
        None
    };
    let services: Vec<&str> = policy.services.iter().map(|s| s.name.as_str()).collect();
    let service = known("service", &scope.service, services);
    let mut teams: Vec<&str> = policy
        .services
        .iter()
        .filter_map(|s| s.team.as_deref())
        .collect();
    teams.dedup();
    let team = known("team", &scope.team, teams);
    let environments = policy
        .environments
        .iter()
        .map(|e| e.name.as_str())
        .collect();
    let environment = known("environment", &scope.environment, environments);
    let current = current(cx).filter(|_| scope.is_whole());
    let target = match current {
        Some(release) => {
            let view = cx.view(cx.observed, cx.now.world, Some(release));
            targets(&view, release)
                .into_iter()
                .next()
                .unwrap_or_default()
        }
        None => Target {
            team: team.or_else(|| policy.service(service.as_deref()?)?.team.clone()),
            environment: environment.or_else(|| policy.environments.last().map(|e| e.name.clone())),
            service,
            ..Target::default()
        },
    };
    let place = target.environment.as_deref().unwrap_or("every environment");
    let who = match (&target.service, &scope.team) {
        (Some(service), _) => format!("{service} in "),
        (None, Some(team)) => format!("team {team} in "),
        (None, None) => String::new(),
    };
    (target.clone(), format!("{who}{place}"), notes)
}

/// The release that the pane is about: the one in focus, else the next one that is open.
fn current<'a>(cx: &Cx<'a>) -> Option<&'a Release> {
    let open = super::open_releases(cx.policy, cx.journal);
    let focus = cx.observed.session.focus.0.as_deref();
    let focused = open.iter().find(|r| Some(r.id.as_str()) == focus);
    let started = |r: &&&Release| {
        let state = cx.journal.release(&r.id);
        state.is_some_and(|s| !s.tracks.is_empty())
    };
    focused
        .or_else(|| open.iter().find(started))
        .or_else(|| open.iter().min_by_key(|r| (r.planned.is_none(), r.planned)))
        .copied()
}

/// What holds when; neighbours under one word are one, each freeze by itself.
fn strip(view: &View<'_>, target: &Target, span: Span) -> Vec<StripSegment> {
    let to = span.end.unwrap_or(span.start);
    let Some(segments) = ask(view, target, |t| t.strip(span.start, to)) else {
        return vec![StripSegment {
            span,
            mark: Mark::new("unknown", Tone::Unknown),
            rules: vec!["windows and freezes are not known yet".to_owned()],
        }];
    };
    let mut out: Vec<StripSegment> = Vec::new();
    for s in segments {
        let tone = match s.kind {
            SegmentKind::Open => Tone::Pass,
            SegmentKind::Closed => Tone::Plain,
            SegmentKind::Freeze => Tone::Fail,
            SegmentKind::Unknown => Tone::Unknown,
        };
        match out.last_mut() {
            Some(last)
                if last.mark.word == s.kind.word()
                    && (s.kind != SegmentKind::Freeze || last.rules == s.rules) =>
            {
                last.span.end = s.span.end;
                for rule in s.rules {
                    if last.rules.len() < NAMES && !last.rules.contains(&rule) {
                        last.rules.push(rule);
                    }
                }
            }
            _ => out.push(StripSegment {
                span: s.span,
                mark: Mark::new(s.kind.word(), tone),
                rules: s.rules,
            }),
        }
    }
    out
}

/// From its real or planned start to the end of its last step, and the watch behind it; of what is closed no watch is left.
fn times(view: &View<'_>, release: &Release) -> Option<(Span, Option<Span>)> {
    let state = view.journal.release(&release.id);
    if let Some((_, _, closed)) = state.and_then(|s| s.closing.as_ref()) {
        let tracks = state.map(|s| &s.tracks).into_iter().flatten();
        let start = tracks.map(|(_, t)| t.started).min().or(release.planned)?;
        return Some((Span::new(start, (*closed).max(start)), None));
    }
    let plan = conflicts::plan(view, release)?;
    let end = plan.live.max(plan.start);
    Some((
        Span::new(plan.start, end),
        Some(Span::new(end, plan.watched.max(end))),
    ))
}

fn wanted(policy: &Policy, release: &Release, scope: &Scope) -> bool {
    let service = |test: &dyn Fn(&str) -> bool| release.changes.iter().any(|c| test(&c.service));
    scope
        .environment
        .as_ref()
        .is_none_or(|e| *e == release.environment)
        && scope
            .service
            .as_ref()
            .is_none_or(|s| service(&|name| name == s))
        && scope.team.as_ref().is_none_or(|team| {
            service(&|name| policy.service(name).and_then(|s| s.team.as_ref()) == Some(team))
        })
}

fn releases(cx: &Cx<'_>, view: &View<'_>, look: &Look, out: &mut CalendarSpan) {
    let mut hidden = 0;
    let mut count = 0;
    let supposed =
        |id: &str| matches!(&look.suppose, Some(Suppose::Release { id: moved, .. }) if moved == id);
    for release in planning::releases(cx.policy, cx.journal) {
        if !wanted(cx.policy, release, &look.scope) {
            continue;
        }
        let Some((span, watch)) = times(view, release) else {
            continue;
        };
        let closing = cx
            .journal
            .release(&release.id)
            .and_then(|s| s.closing.as_ref());
        let word = closing.map_or(phase_of(view, release).word(), |c| c.0.word());
        let services: Vec<&str> = release.changes.iter().map(|c| c.service.as_str()).collect();
        if span.overlaps(&look.span) || look.span.contains(span.start) {
            count += 1;
            if count > MOST * 5 {
                hidden += 1;
                continue;
            }
            out.bars.push(Bar {
                id: format!("calendar/release/{}", release.id),
                lane: Lane::Release,
                name: release.title.clone(),
                span,
                mark: Mark::new(word, Tone::Plain),
                note: format!("{} in {}", services.join(", "), release.environment),
                release: Some(release.id.clone()),
                supposed: supposed(&release.id),
            });
        }
        deadlines(release, look, out);
        if let Some(watch) = watch.filter(|w| w.overlaps(&look.span) && count <= MOST) {
            out.bars.push(Bar {
                id: format!("calendar/watch/{}", release.id),
                lane: Lane::Watch,
                name: release.title.clone(),
                span: watch,
                mark: Mark::new("watch", Tone::Plain),
                note: String::new(),
                release: Some(release.id.clone()),
                supposed: supposed(&release.id),
            });
        }
    }
    dated(view, look, out);
    if hidden > 0 {
        out.more.push((Lane::Release, hidden));
    }
}

/// Until when what of a release must be done.
fn deadlines(release: &Release, look: &Look, out: &mut CalendarSpan) {
    for (kind, at) in release.deadlines.list() {
        if look.span.contains(at) {
            out.bars.push(Bar {
                id: format!("calendar/deadline/{}/{}", release.id, kind.word()),
                lane: Lane::Deadline,
                name: format!("{} {}", kind.word(), release.title),
                span: Span::new(at, at),
                mark: Mark::new("deadline", Tone::Plain),
                note: String::new(),
                release: Some(release.id.clone()),
                supposed: false,
            });
        }
    }
}

/// Releases and days off that stand in a calendar alone.
fn dated(view: &View<'_>, look: &Look, out: &mut CalendarSpan) {
    let Some(rules) = view.observed.rules.as_deref() else {
        return;
    };
    let own = planning::releases(view.policy, view.journal);
    let names: HashSet<&str> = own
        .iter()
        .flat_map(|r| [r.id.as_str(), r.title.as_str()])
        .collect();
    let known = |name: &str| names.contains(name);
    let lists = [
        (Lane::Release, &rules.releases),
        (Lane::Holiday, &rules.holidays),
    ];
    for (lane, list) in lists {
        let mut count = 0;
        for one in list
            .iter()
            .filter(|d| lane == Lane::Holiday || !known(&d.name))
        {
            for span in one
                .spans
                .iter()
                .filter(|s| s.overlaps(&look.span) || look.span.contains(s.start))
            {
                count += 1;
                if count > MOST {
                    continue;
                }
                let word = if lane == Lane::Holiday {
                    "holiday"
                } else {
                    "in calendar"
                };
                out.bars.push(Bar {
                    id: format!("calendar/event/{}/{}", one.uid, span.start.timestamp()),
                    lane,
                    name: one.name.clone(),
                    span: *span,
                    mark: Mark::new(word, Tone::Plain),
                    note: format!("calendar {}", one.calendar),
                    release: None,
                    supposed: false,
                });
            }
        }
        if count > MOST {
            out.more.push((lane, count - MOST));
        }
    }
}

fn rules(view: &View<'_>, target: &Target, span: Span, out: &mut CalendarSpan) {
    let to = span.end.unwrap_or(span.start);
    let found = ask(view, target, |t| {
        (
            t.windows_between(span.start, to, MOST),
            t.freezes_between(span.start, to, MOST),
        )
    });
    let Some((windows, freezes)) = found else {
        out.notes
            .push("windows and freezes are not known yet".to_owned());
        return;
    };
    let health = view.observed.rules.as_deref();
    let health = health.map(|r| r.calendars(view.policy, view.observed, view.now));
    let health = health.unwrap_or_default();
    // Law 1: a window that an unread calendar may close is no green stretch.
    let sure = health.iter().all(|c| c.is_good() || !c.concerns(target));
    for (lane, (list, more)) in [(Lane::Window, windows), (Lane::Freeze, freezes)] {
        out.bars
            .extend(list.into_iter().map(|r| rule_bar(lane, r, sure)));
        if more > 0 {
            out.more.push((lane, more));
        }
    }
    for calendar in health.iter().filter(|c| !c.is_good()) {
        let why = if calendar.read {
            "is stale"
        } else {
            "was not read"
        };
        out.notes
            .push(format!("unknown: calendar {} {why}", calendar.name));
    }
}

fn rule_bar(lane: Lane, r: RuleSpan, sure: bool) -> Bar {
    let (word, tone) = match lane {
        Lane::Freeze => ("FREEZE", Tone::Fail),
        _ if sure => ("open", Tone::Pass),
        _ => ("window", Tone::Plain),
    };
    let mut note = r.hold.owner.map_or(String::new(), |o| format!("owner {o}"));
    if r.hold.strength == Some(Strength::Hard) {
        note = if note.is_empty() {
            "hard".to_owned()
        } else {
            format!("hard, {note}")
        };
    }
    Bar {
        id: format!(
            "calendar/{}/{}/{}",
            lane.word(),
            r.hold.rule,
            r.span.start.timestamp()
        ),
        lane,
        name: r.hold.rule,
        span: r.span,
        mark: Mark::new(word, tone),
        note,
        release: None,
        supposed: false,
    }
}

fn cover(view: &View<'_>, span: Span, out: &mut CalendarSpan) {
    let policy = &view.policy.oncall;
    if policy.connection.is_none() && policy.rotations.is_empty() {
        out.notes
            .push("cover is not configured: add [oncall]".to_owned());
        return;
    }
    let feed = policy
        .connection
        .as_ref()
        .map(|name| view.feed(&format!("oncall/{name}")).1);
    if let Some(old) = feed.filter(|f| !f.usable()) {
        out.notes.push(format!("who is on call is {}", old.word()));
    }
    let to = span.end.unwrap_or(span.start);
    for turn in oncall::schedule(view, span.start, to, MOST) {
        let start = turn.from.unwrap_or(span.start);
        out.bars.push(Bar {
            id: format!(
                "calendar/oncall/{}/{}/{}",
                turn.level,
                turn.person,
                start.timestamp()
            ),
            lane: Lane::Cover,
            name: turn.person,
            span: Span {
                start,
                end: turn.until,
            },
            mark: Mark::new(format!("level {}", turn.level), Tone::Plain),
            note: turn.schedule.unwrap_or_default(),
            release: None,
            supposed: false,
        });
    }
}

fn what_if(cx: &Cx<'_>, really: &Policy, suppose: &Suppose) -> Option<WhatIf> {
    let at = suppose.at();
    let (release, was) = match suppose {
        Suppose::Release { id, .. } => {
            let release = cx.policy.release(id)?;
            let plan = cx.journal.release(id).and_then(|r| r.plan.as_ref());
            let before = really.release(id).or(plan)?;
            (release, before.planned)
        }
        Suppose::Now { .. } => (current(cx)?, Some(cx.now.world)),
    };
    let title = match suppose {
        Suppose::Release { .. } => release.title.clone(),
        Suppose::Now { .. } => format!("now, and {} starts", release.title),
    };
    let moved = Release {
        planned: Some(at),
        ..release.clone()
    };
    let policy = with(cx.policy, &moved);
    let cx = Cx {
        policy: &policy,
        ..*cx
    };
    let (lines, mark) = start::judge(&cx, &moved, at);
    Some(WhatIf {
        title,
        at,
        was,
        mark,
        lines,
    })
}

/// The policy with a release as it is here, whatever it said of it before.
fn with(policy: &Policy, release: &Release) -> Policy {
    let mut policy = policy.clone();
    policy.releases.retain(|r| r.id != release.id);
    policy.releases.push(release.clone());
    policy
}

/// The plan being typed: what is wrong with it, and what the calendar says of it as far as it can be read.
fn drafted(cx: &Cx<'_>, inputs: &BTreeMap<String, String>) -> Drafted {
    let draft = planning::draft(cx.policy, cx.journal, inputs, cx.now.world);
    let lines = draft.release.map_or(Vec::new(), |mut release| {
        if release.id.is_empty() {
            release.id = "this release".to_owned();
        }
        let policy = with(cx.policy, &release);
        let cx = Cx {
            policy: &policy,
            ..*cx
        };
        release
            .planned
            .map_or(Vec::new(), |at| start::judge(&cx, &release, at).0)
    });
    Drafted {
        problems: draft.problems,
        lines,
    }
}
