//! "May I ship now, and if not, until when and why": the calendar pane and the refusals of a start (SEMANTICS 1–3).

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::Duration;

use crate::domain::event::{Body, Closing};
use crate::domain::planning;
use crate::domain::policy::Release;
use crate::domain::rules::{Rules, target};
use crate::domain::situation::{
    CalendarRelease, CalendarView, Evidence, Mark, Refusal, StripSegment, Tone,
};
use crate::domain::time::{self, Instant};
use crate::domain::window::event::Dated;
use crate::domain::window::{
    Fit, HoldKind, NextChange, SegmentKind, Standing, Target, Timeline, WindowState,
};

use super::need::words;
use super::span::origin_of;
use super::{Proofs, View, clock_full, conflicts, need, overrides, phase_of};

/// Days on the strip.
const STRIP_DAYS: i64 = 8;

/// Asks a question of the timeline of one target; `None` where no rule could be compiled.
pub(super) fn ask<T>(
    view: &View<'_>,
    target: &Target,
    question: impl Fn(&Timeline<'_>) -> T,
) -> Option<T> {
    let rules = view.observed.rules.as_deref()?;
    let compiled = rules.compiled.as_ref()?;
    let health = rules.calendars(view.policy, view.observed, view.now);
    Some(question(&compiled.timeline(target, &health)))
}

/// Why windows and freezes of a release cannot be told now; `None` when they can.
pub(super) fn unknown(view: &View<'_>, release: &Release) -> Option<String> {
    if let Some(problem) = view
        .observed
        .rules
        .as_deref()
        .and_then(|r| r.problems.first())
    {
        return Some(problem.clone());
    }
    targets(view, release).iter().find_map(|target| {
        match ask(view, target, |t| t.state_at(view.at())) {
            None => Some("windows and freezes are not known yet".to_owned()),
            Some(standing) => matches!(standing.state, WindowState::Unknown { .. })
                .then(|| standing.sentence(view.policy.timezone)),
        }
    })
}

/// The targets of a release: one a service, or the environment when there is none.
pub(super) fn targets(view: &View<'_>, release: &Release) -> Vec<Target> {
    release
        .changes
        .iter()
        .map(|c| target(view.policy, release, &c.service))
        .collect()
}

/// Seconds a release needs, and how that was reckoned.
pub(super) fn needed(view: &View<'_>, release: &Release) -> (i64, String) {
    need::of_release(view, release)
}

/// Why a start is refused by rules, fit and cover; empty when it is permitted.
pub(super) fn start_refusals(view: &View<'_>, release: &Release) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    if let Some(rules) = view.observed.rules.as_deref() {
        for problem in &rules.problems {
            refusals.push(
                Refusal::new("calendar", problem.clone())
                    .way_out("mend the rule or the calendar entry"),
            );
        }
    }
    let (need, _) = needed(view, release);
    for target in targets(view, release) {
        let length = Duration::seconds(need);
        let asked = lifted(view, &target, length).or_else(|| {
            ask(view, &target, |t| {
                (t.state_at(view.at()), t.fit(view.at(), length))
            })
        });
        let Some((standing, fit)) = asked else {
            refusals.push(
                Refusal::new("calendar", "windows and freezes are not known yet")
                    .way_out("wait for the first reading, or press r"),
            );
            continue;
        };
        by_rules(view, &standing, &mut refusals);
        if standing.state.is_open() && !fit.fits() && !overridden(view, "fit") {
            let mut refusal = Refusal::new("fit", fit_sentence(&fit));
            refusal.until = standing.next_change.at();
            refusal.overridable = true;
            refusals.push(refusal.way_out("start in the next window, or override with a reason"));
        }
    }
    let mut seen = BTreeSet::new();
    refusals.retain(|r| seen.insert((r.rule.clone(), r.why.clone())));
    refusals
}

/// The standing as if the freezes that were overridden did not exist: what they hid (a closed window, another freeze)
/// still counts.
fn lifted(view: &View<'_>, target: &Target, needed: Duration) -> Option<(Standing, Fit)> {
    let rules = view.observed.rules.as_deref()?;
    let compiled = rules.compiled.as_ref()?;
    let lifts = |name: &str| overridden(view, &format!("freeze/{name}"));
    let freezes = &compiled.book().freezes;
    if !freezes.iter().any(|f| lifts(&f.name)) {
        return None;
    }
    let health = rules.calendars(view.policy, view.observed, view.now);
    let timeline = compiled.timeline_without(target, &health, lifts);
    Some((
        timeline.state_at(view.at()),
        timeline.fit(view.at(), needed),
    ))
}

/// Wait or override; where an override was asked for, who may confirm it.
fn way_out(view: &View<'_>, rule: &str) -> String {
    match overrides::pending(view, rule) {
        Some(asked) => {
            let may = overrides::may_confirm(view, &overrides::terms(view, rule), &asked.by);
            format!(
                "{} asked to override it: {} may confirm until {}",
                asked.by,
                overrides::names(may.as_deref(), &asked.by),
                clock_full(asked.until, view.at(), view.policy.timezone)
            )
        }
        None => "wait, or override with a reason".to_owned(),
    }
}

fn fit_sentence(fit: &Fit) -> String {
    match fit {
        Fit::Unknown => {
            "whether this release fits before the window closes is not known".to_owned()
        }
        other => other.sentence(),
    }
}

fn by_rules(view: &View<'_>, standing: &Standing, refusals: &mut Vec<Refusal>) {
    if standing.state.is_open() {
        return;
    }
    // Being inside one window is enough, so an override of one is.
    let window = standing
        .state
        .holds()
        .iter()
        .any(|h| h.kind == HoldKind::Window && overridden(view, &format!("window/{}", h.rule)));
    let sentences = standing.reasons(view.policy.timezone);
    for (hold, why) in standing.state.holds().iter().zip(sentences) {
        let rule = match hold.kind {
            HoldKind::Freeze => format!("freeze/{}", hold.rule),
            HoldKind::Window => format!("window/{}", hold.rule),
            HoldKind::Calendar => format!("calendar/{}", hold.rule),
        };
        if overridden(view, &rule) || (window && hold.kind == HoldKind::Window) {
            continue;
        }
        let mut refusal = Refusal::new(rule, why);
        refusal.owner.clone_from(&hold.owner);
        refusal.until = hold.until;
        refusal.overridable = hold.kind != HoldKind::Calendar;
        refusal.way_out = Some(match hold.kind {
            HoldKind::Calendar => "see the calendar's feed for what to do".to_owned(),
            _ => way_out(view, &refusal.rule),
        });
        refusals.push(refusal);
    }
    if standing.state.holds().is_empty() {
        refusals.push(Refusal::new(
            "calendar",
            standing.sentence(view.policy.timezone),
        ));
    }
}

/// Is an override of that rule in force for the current release?
pub(super) fn overridden(view: &View<'_>, rule: &str) -> bool {
    view.state
        .and_then(|s| s.overrides.get(rule))
        .is_some_and(|o| o.expires > view.at())
}

/// Active freezes that want an override even for a rollback.
pub(super) fn rollback_refusals(view: &View<'_>, release: &Release) -> (Vec<Refusal>, Vec<String>) {
    let mut refusals = Vec::new();
    let mut crossed = Vec::new();
    for target in targets(view, release) {
        let Some(standing) = ask(view, &target, |t| t.state_at(view.at())) else {
            continue;
        };
        for hold in standing
            .state
            .holds()
            .iter()
            .filter(|h| h.kind == HoldKind::Freeze)
        {
            let rule = format!("freeze/{}", hold.rule);
            let wants = hold.rollback == Some(crate::domain::window::RollbackUnder::Override);
            if wants && !overridden(view, &rule) {
                let mut refusal =
                    Refusal::new(rule, format!("freeze {} holds rollbacks too", hold.rule))
                        .way_out("override it with a reason");
                refusal.owner.clone_from(&hold.owner);
                refusal.until = hold.until;
                refusal.overridable = true;
                refusals.push(refusal);
            } else {
                crossed.push(hold.rule.clone());
            }
        }
    }
    crossed.dedup();
    let mut seen = BTreeSet::new();
    refusals.retain(|r: &Refusal| seen.insert(r.rule.clone()));
    (refusals, crossed)
}

/// The freezes that an act on the current release crosses, for the journal.
pub(crate) fn crossed_by(view: &View<'_>, by: &str) -> Vec<Body> {
    let Some(release) = view.release else {
        return Vec::new();
    };
    let (_, crossed) = rollback_refusals(view, release);
    let mut seen = BTreeSet::new();
    crossed
        .into_iter()
        .filter(|freeze| seen.insert(freeze.clone()))
        .map(|freeze| Body::FreezeCrossed {
            freeze,
            by: by.to_owned(),
        })
        .collect()
}

/// The calendar pane.
pub(super) fn calendar(view: &View<'_>, proofs: &mut Proofs) -> CalendarView {
    let target = match view.release {
        Some(release) => targets(view, release)
            .into_iter()
            .next()
            .unwrap_or_default(),
        None => Target {
            environment: Some(view.environment().to_owned()),
            ..Target::default()
        },
    };
    let tz = view.policy.timezone;
    let mut out = CalendarView {
        releases: releases(view),
        last_shipped: last_shipped(view),
        ..CalendarView::default()
    };
    if !view.aside {
        conflicts::fill(view, &mut out);
    }
    let unread = view
        .observed
        .rules
        .as_deref()
        .map(|r| r.calendars(view.policy, view.observed, view.now))
        .unwrap_or_default();
    out.unread = unread
        .iter()
        .filter(|c| !c.is_good())
        .map(|c| c.name.clone())
        .collect();
    let local = view.at().with_timezone(&tz).date_naive();
    let from = time::day_start(local, tz);
    let to = from + Duration::days(STRIP_DAYS);
    let Some((standing, strip)) = ask(view, &target, |t| {
        (t.state_at(view.at()), t.strip(from, to))
    }) else {
        out.state = Mark::new("unknown", Tone::Unknown);
        out.reasons = vec!["windows and freezes are not known yet".to_owned()];
        return out;
    };
    out.state = state_mark(&standing.state);
    out.reasons = standing.reasons(tz);
    out.reasons
        .extend(overrides::views(view).into_iter().map(|o| o.said));
    if let Some(rules) = view.observed.rules.as_deref() {
        out.reasons.extend(rules.problems.clone());
    }
    out.next = match standing.next_change {
        NextChange::At { at } => Some((at, after(view, &target, at))),
        _ => None,
    };
    out.strip = strip
        .into_iter()
        .map(|s| StripSegment {
            span: s.span,
            mark: Mark::new(
                s.kind.word(),
                match s.kind {
                    SegmentKind::Open => Tone::Pass,
                    SegmentKind::Closed => Tone::Plain,
                    SegmentKind::Freeze => Tone::Fail,
                    SegmentKind::Unknown => Tone::Unknown,
                },
            ),
            rules: s.rules,
        })
        .collect();
    prove(view, &out, proofs);
    out
}

fn prove(view: &View<'_>, out: &CalendarView, proofs: &mut Proofs) {
    let mut evidence = Evidence {
        title: "calendar".to_owned(),
        lines: vec![("state".to_owned(), out.state.word.clone())],
        ..Evidence::default()
    };
    for reason in &out.reasons {
        evidence.lines.push(("rule".to_owned(), reason.clone()));
    }
    if let Some((at, word)) = &out.next {
        evidence.lines.push((
            "next change".to_owned(),
            format!(
                "{} {word}",
                clock_full(*at, view.at(), view.policy.timezone)
            ),
        ));
    }
    if let Some(release) = view.release {
        let (need, how) = needed(view, release);
        evidence.lines.push((
            "this release needs".to_owned(),
            format!("{} ({how})", words(need)),
        ));
    }
    for calendar in &view.policy.calendars {
        let (seen, freshness) = view.feed(&format!("calendar/{}", calendar.name));
        let read = seen.map_or_else(
            || "never read".to_owned(),
            |o| {
                format!(
                    "read {} ago, {}",
                    time::age_words(view.at() - o.read_at),
                    freshness.word()
                )
            },
        );
        evidence
            .lines
            .push((format!("calendar {}", calendar.name), read));
    }
    for tally in view.observed.rules.iter().flat_map(|r| &r.tallies) {
        evidence
            .lines
            .push((format!("entries of {}", tally.calendar), tally.sentence()));
    }
    proofs.insert("calendar".to_owned(), evidence);
}

/// What the state becomes at its next change.
fn after(view: &View<'_>, target: &Target, at: Instant) -> String {
    match ask(view, target, |t| t.state_at(at).state) {
        Some(WindowState::Open { .. }) => "opens".to_owned(),
        Some(WindowState::Closed { holds, .. })
            if holds.iter().any(|h| h.kind == HoldKind::Freeze) =>
        {
            let names: Vec<String> = holds
                .iter()
                .filter(|h| h.kind == HoldKind::Freeze)
                .map(|h| h.rule.clone())
                .collect();
            format!("FREEZE {} begins", names.join(", "))
        }
        Some(WindowState::Closed { .. }) => "window closes".to_owned(),
        _ => "not known".to_owned(),
    }
}

fn state_mark(state: &WindowState) -> Mark {
    match state {
        WindowState::Open { .. } => Mark::new("open", Tone::Pass),
        WindowState::Closed { .. } if state.is_frozen() => Mark::new("FREEZE", Tone::Fail),
        WindowState::Closed { .. } => Mark::new("closed", Tone::Hold),
        WindowState::Unknown { .. } => Mark::new("unknown", Tone::Unknown),
    }
}

fn releases(view: &View<'_>) -> Vec<CalendarRelease> {
    let mut list: Vec<CalendarRelease> = planning::releases(view.policy, view.journal)
        .into_iter()
        .map(|r| {
            let started = view
                .journal
                .release(&r.id)
                .and_then(|s| s.tracks.values().map(|t| t.started).min());
            CalendarRelease {
                id: r.id.clone(),
                title: r.title.clone(),
                environment: r.environment.clone(),
                at: started.or(r.planned),
                mark: Mark::new(phase_of(view, r).word(), Tone::Plain),
                note: origin_of(view, r).unwrap_or_default(),
            }
        })
        .collect();
    if let Some(rules) = view.observed.rules.as_deref() {
        from_calendars(view, rules, &mut list);
    }
    list.sort_by_key(|r| (r.at.is_none(), r.at));
    list
}

/// Releases that calendars hold: one that is known here lends it its time where the file gives none, any other is a row of its own,
/// each title once.
fn from_calendars(view: &View<'_>, rules: &Rules, list: &mut Vec<CalendarRelease>) {
    let past = view.at() - Duration::days(1);
    let next = |dated: &Dated| {
        let first = dated.spans.partition_point(|s| s.start <= past);
        dated.spans.get(first).map(|s| s.start)
    };
    let known: Vec<(String, String)> = list
        .iter()
        .map(|r| (r.id.clone(), r.title.clone()))
        .collect();
    let known: Vec<(&str, &str)> = known
        .iter()
        .map(|(id, title)| (id.as_str(), title.as_str()))
        .collect();
    let mut lent: HashMap<&str, Instant> = HashMap::new();
    let mut seen: HashSet<&str> = HashSet::new();
    for (dated, owner) in rules.claimed(&known) {
        let Some(at) = next(dated) else {
            continue;
        };
        if let Some(id) = owner {
            let first = lent.entry(id).or_insert(at);
            *first = at.min(*first);
        } else if seen.insert(&dated.name) {
            list.push(CalendarRelease {
                id: dated.uid.clone(),
                title: dated.name.clone(),
                environment: String::new(),
                at: Some(at),
                mark: Mark::new(format!("in calendar {}", dated.calendar), Tone::Plain),
                note: String::new(),
            });
        }
    }
    for row in list.iter_mut().filter(|r| r.at.is_none()) {
        row.at = lent.get(row.id.as_str()).copied();
    }
}

fn last_shipped(view: &View<'_>) -> Option<String> {
    view.journal
        .releases
        .iter()
        .filter_map(|(id, s)| s.closing.as_ref().map(|c| (c.2, id, c.0)))
        .filter(|(_, _, c)| matches!(c, Closing::Shipped | Closing::ShippedUnproven))
        .max_by_key(|(at, _, _)| *at)
        .map(|(at, id, closing)| {
            format!(
                "{id} {} {}",
                closing.word(),
                clock_full(at, view.at(), view.policy.timezone)
            )
        })
}
