//! What a freeze strands when it begins: rollouts, watches, holds, queued releases; and the ways out (SEMANTICS 2).

use chrono::Duration;

use crate::domain::policy::Release;
use crate::domain::situation::{Phase, Situation, Stranded};
use crate::domain::time::{Instant, Span};
use crate::domain::window::{HoldKind, Target, Timeline};

use super::calendar::{ask, needed, overridden, targets};
use super::rollout::{Rollout, of_release};
use super::{Proofs, View, clock_full, holds, open_releases, phase_of};

/// A freeze that begins within this many minutes is about to.
const AHEAD: i64 = 60;

/// A freeze as one target meets it.
struct Met {
    name: String,
    owner: Option<String>,
    begins: Option<Instant>,
    until: Option<Instant>,
}

/// Everything that freezes strand now or within the hour, over all open releases.
pub(super) fn stranded(view: &View<'_>) -> Vec<Stranded> {
    let mut out: Vec<Stranded> = Vec::new();
    for release in open_releases(view.policy, view.journal) {
        for target in targets(view, release) {
            for freeze in ask(view, &target, |t| met(view, t)).unwrap_or_default() {
                of(view, release, &target, &freeze, &mut out);
            }
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    out.retain(|s| seen.insert(s.said.clone()));
    out
}

/// Freezes in force, and those that begin within the hour.
fn met(view: &View<'_>, timeline: &Timeline<'_>) -> Vec<Met> {
    let now = timeline.state_at(view.at());
    let frozen = |s: &crate::domain::window::Standing| {
        let holds = s.state.holds().iter();
        let mine = holds.filter(|h| h.kind == HoldKind::Freeze && !s.state.is_open());
        mine.cloned().collect::<Vec<_>>()
    };
    let mut out: Vec<Met> = frozen(&now)
        .into_iter()
        .map(|h| Met {
            name: h.rule,
            owner: h.owner,
            begins: None,
            until: h.until,
        })
        .collect();
    let end = view.at() + Duration::minutes(AHEAD);
    let mut next = now.next_change.at();
    while let Some(at) = next.filter(|at| *at <= end) {
        let then = timeline.state_at(at);
        for h in frozen(&then) {
            if !out.iter().any(|m| m.name == h.rule) {
                out.push(Met {
                    name: h.rule,
                    owner: h.owner,
                    begins: Some(at),
                    until: h.until,
                });
            }
        }
        next = then.next_change.at().filter(|n| *n > at);
    }
    out
}

fn of(view: &View<'_>, release: &Release, target: &Target, freeze: &Met, out: &mut Vec<Stranded>) {
    let current = view.release.is_some_and(|r| r.id == release.id);
    if current && overridden(view, &format!("freeze/{}", freeze.name)) {
        return;
    }
    let service = target.service.as_deref().unwrap_or_default();
    let rollout = of_release(view, release)
        .into_iter()
        .find(|r| r.service.name == service);
    match phase_of(view, release) {
        Phase::Planned | Phase::Ready => queued(view, release, freeze, out),
        Phase::Deploying => {
            if let Some(rollout) = rollout.filter(Rollout::in_flight) {
                rolling(view, release, freeze, &rollout, out);
            }
        }
        Phase::Verifying | Phase::Watching => {
            let state = view.journal.release(&release.id);
            if state.is_some_and(|s| s.rolled_back().is_none()) {
                let what = format!("the watch of {} goes on in it", release.id);
                let offers = [("finish the watch", ""), ("roll back", "rollback")];
                out.push(line(view, freeze, release, None, "watch", &what, &offers));
            }
        }
        Phase::Closed | Phase::Reviewed => {}
    }
}

/// A release that is planned to start inside the freeze, or is due and waits.
fn queued(view: &View<'_>, release: &Release, freeze: &Met, out: &mut Vec<Stranded>) {
    let begins = freeze.begins.unwrap_or(view.at());
    let (need, _) = needed(view, release);
    let Some(planned) = release.planned else {
        return;
    };
    let start = planned.max(view.at());
    let span = Span::new(start, start + Duration::seconds(need));
    let frozen = Span {
        start: begins,
        end: freeze.until,
    };
    if !span.overlaps(&frozen) {
        return;
    }
    let when = clock_full(planned, view.at(), view.policy.timezone);
    let what = format!("{} is queued for {when}", release.id);
    let offers = [("move it", "plan"), ("override", "")];
    out.push(line(
        view,
        freeze,
        release,
        None,
        "queued release",
        &what,
        &offers,
    ));
}

fn rolling(
    view: &View<'_>,
    release: &Release,
    freeze: &Met,
    rollout: &Rollout<'_>,
    out: &mut Vec<Stranded>,
) {
    let service = rollout.service.name.as_str();
    let held = holds::held(view, release, service);
    let weight = rollout.record.and_then(|d| d.weight);
    let at = weight.map_or_else(String::new, |w| format!(" at {w:.0} %"));
    let (kind, what, offers) = match held {
        Some(act) => (
            "hold",
            format!("{service} of {} is held{at} by {}", release.id, act.actor),
            [
                ("finish", "resume"),
                ("hold on", ""),
                ("roll back", "rollback"),
            ],
        ),
        None => (
            "rollout",
            format!("{service} of {} is under way{at}", release.id),
            [
                ("finish", "promote"),
                ("hold", "pause"),
                ("roll back", "rollback"),
            ],
        ),
    };
    out.push(line(
        view,
        freeze,
        release,
        Some(service),
        kind,
        &what,
        &offers,
    ));
}

fn line(
    view: &View<'_>,
    freeze: &Met,
    release: &Release,
    service: Option<&str>,
    kind: &str,
    what: &str,
    offers: &[(&str, &str)],
) -> Stranded {
    let zone = view.policy.timezone;
    let when = match freeze.begins {
        Some(at) => format!("begins {}", clock_full(at, view.at(), zone)),
        None => "is in force".to_owned(),
    };
    let words: Vec<&str> = offers.iter().map(|(word, _)| *word).collect();
    let ways = match words.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        all => all.join(""),
    };
    Stranded {
        freeze: freeze.name.clone(),
        owner: freeze.owner.clone(),
        begins: freeze.begins,
        until: freeze.until,
        what: kind.to_owned(),
        release: release.id.clone(),
        service: service.map(str::to_owned),
        offers: offers
            .iter()
            .map(|(word, action)| ((*word).to_owned(), (*action).to_owned()))
            .collect(),
        said: format!("freeze {} {when}: {what}: {ways}", freeze.name),
    }
}

/// Says it where people look: among the calendar's reasons, and behind them.
pub(super) fn tell(s: &mut Situation, proofs: &mut Proofs) {
    for one in &s.clearance.stranded {
        s.calendar.reasons.push(one.said.clone());
        let lines = &mut proofs.entry("calendar".to_owned()).or_default().lines;
        lines.push((format!("stranded {}", one.what), one.said.clone()));
    }
}
