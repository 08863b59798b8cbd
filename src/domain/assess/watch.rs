//! The watch: checkpoints to T+24 h or T+72 h after the last step (SEMANTICS 10).

use std::collections::BTreeMap;

use chrono::Duration;

use crate::domain::event::Measured;
use crate::domain::journal::ReleaseState;
use crate::domain::judge::{GateMetric, combine_gate, judge_alerts, judge_alerts_within};
use crate::domain::needs::{self, BUCKET, metric_need};
use crate::domain::policy::{MetricKind, Release, RiskClass};
use crate::domain::situation::{
    CheckpointView, Evidence, Mark, Phase, Situation, Tone, WatchEnd, WatchView,
};
use crate::domain::time::{self, Instant};
use crate::domain::verdict::Verdict;

use super::data::{BLOCK_SECONDS, Data};
use super::metrics::{HOUR, judge_checkpoint, said};
use super::rollout::{Rollout, ceil_minute};
use super::{Proofs, View, approvals, clock_full, phase_of};

/// Seconds after the last step.
pub(super) const CHECKPOINTS: [u64; 7] = [300, 1800, 3600, 14_400, 86_400, 172_800, 259_200];
/// A checkpoint taken later than this after it was due is marked late, seconds.
const LATE: i64 = 300;

/// A checkpoint whose numbers cannot be read is given up this long after the watch's end, seconds.
const GRACE: i64 = 3600;

/// When the last step took effect (or the rollback put the old version back).
pub(super) fn since(view: &View<'_>) -> Option<Instant> {
    let release = view.release?;
    if !matches!(
        phase_of(view, release),
        Phase::Verifying | Phase::Watching | Phase::Closed | Phase::Reviewed
    ) {
        return None;
    }
    let state = view.state?;
    if let Some(plan) = state.rolled_back() {
        return plan.ended.as_ref().map(|(_, _, at)| *at);
    }
    state.tracks.values().filter_map(|t| t.finished).max()
}

/// Seconds of the watch.
pub(super) fn length(view: &View<'_>) -> u64 {
    view.release
        .map_or(view.policy.limits.watch, |r| length_of(view, r))
}

/// Seconds of a release's watch.
pub(super) fn length_of(view: &View<'_>, release: &Release) -> u64 {
    let limits = &view.policy.limits;
    let here = view.release.is_some_and(|r| r.id == release.id);
    let class = if here {
        approvals::class_of(view, release)
    } else {
        // Of another release what was kept as its deployment began counts.
        let kept = view
            .journal
            .release(&release.id)
            .and_then(|s| s.risk.as_ref());
        kept.map_or(release.risk, |(class, ..)| release.risk.max(*class))
    };
    if release.significant || class == RiskClass::High {
        limits.watch_long
    } else {
        limits.watch
    }
}

/// The checkpoints of a watch of that length.
fn points(length: u64) -> impl Iterator<Item = u64> {
    CHECKPOINTS
        .into_iter()
        .filter(move |after| *after <= length)
}

fn moment(since: Instant, after: u64) -> Instant {
    since + Duration::seconds(i64::try_from(after).unwrap_or(0))
}

/// `T+4 h`.
pub(super) fn name(after: u64) -> String {
    let length = Duration::seconds(i64::try_from(after).unwrap_or(0));
    format!("T+{}", time::duration_words(length))
}

/// The watch as shown.
pub(super) fn watch(view: &View<'_>, proofs: &mut Proofs) -> Option<WatchView> {
    let since = since(view)?;
    let state = view.state?;
    let length = length(view);
    let until = moment(since, length);
    let checkpoints: Vec<CheckpointView> = points(length)
        .map(|after| checkpoint(view, state, after, moment(since, after), proofs))
        .collect();
    let end = state.watch_end.as_ref().map(|over| WatchEnd {
        verdict: over.verdict.clone(),
        mark: Mark::from(&over.verdict),
        superseded_by: over.superseded_by.clone(),
        said: over.detail.clone(),
        at: over.at,
    });
    Some(WatchView {
        since,
        until,
        so_far: so_far(state, checkpoints.len()),
        checkpoints,
        suspects: Vec::new(),
        lapsed: end.is_none() && view.at() >= until + Duration::seconds(2 * GRACE),
        end,
    })
}

fn checkpoint(
    view: &View<'_>,
    state: &ReleaseState,
    after: u64,
    due: Instant,
    proofs: &mut Proofs,
) -> CheckpointView {
    let over = state.watch_end.as_ref().map(|e| e.at);
    let (mark, note) = match state.checkpoints.get(&after) {
        Some((verdict, late, at)) => {
            prove(view, state, after, due, (verdict, *late, *at), proofs);
            let note = format!(
                "{}{}",
                if *late { "late; " } else { "" },
                verdict.why().unwrap_or_default()
            );
            (Mark::from(verdict), note)
        }
        None if over.is_some() => (
            Mark::new("not taken", Tone::Unknown),
            "the watch ended before".to_owned(),
        ),
        None if due <= view.at() => (Mark::new("due", Tone::Hold), String::new()),
        None => (
            Mark::new("ahead", Tone::Plain),
            format!("at {}", clock_full(due, view.at(), view.policy.timezone)),
        ),
    };
    CheckpointView {
        after,
        due,
        mark,
        note,
    }
}

/// The numbers seen, as they were journaled.
fn prove(
    view: &View<'_>,
    state: &ReleaseState,
    after: u64,
    due: Instant,
    (verdict, late, at): (&Verdict, bool, Instant),
    proofs: &mut Proofs,
) {
    let zone = view.policy.timezone;
    let mut lines = vec![
        ("due".to_owned(), clock_full(due, view.at(), zone)),
        (
            "taken".to_owned(),
            format!(
                "{}{}",
                clock_full(at, view.at(), zone),
                if late { ", late, from history" } else { "" }
            ),
        ),
        ("verdict".to_owned(), Mark::from(verdict).word),
    ];
    if let Some(why) = verdict.why() {
        lines.push(("why".to_owned(), why.to_owned()));
    }
    for (service, list) in state.measured.get(&after).into_iter().flatten() {
        for m in list {
            let word = Mark::from(&m.verdict).word;
            let text = format!("{word}: {}", m.said);
            lines.push((format!("{service} {}", m.metric), text));
        }
    }
    let evidence = Evidence {
        title: format!("checkpoint {}", name(after)),
        lines,
        ..Evidence::default()
    };
    proofs.insert(format!("checkpoint/{after}"), evidence);
}

/// `3 of 7 checkpoints passed, 1 undecided`.
fn so_far(state: &ReleaseState, all: usize) -> String {
    let count = |is: fn(&Verdict) -> bool| {
        let taken = state.checkpoints.values();
        taken.filter(|(v, _, _)| is(v)).count()
    };
    let mut text = format!("{} of {all} checkpoints passed", count(Verdict::is_green));
    let failed = count(Verdict::is_fail);
    if failed > 0 {
        text.push_str(&format!(", {failed} failed"));
    }
    let open = count(|v| !v.is_decided());
    if open > 0 {
        text.push_str(&format!(", {open} undecided"));
    }
    text
}

/// A checkpoint that is due and not journaled: its numbers now.
pub(super) struct Due {
    pub after: u64,
    pub late: bool,
    pub measured: BTreeMap<String, Vec<Measured>>,
    pub verdict: Verdict,
}

/// The feeds behind a checkpoint that satisfy nothing now: a metric's live buckets, and the history it is compared with.
fn unread(view: &View<'_>) -> Vec<String> {
    let mut out = Vec::new();
    for metric in &view.policy.metrics {
        for (part, _) in metric.parts() {
            let live = metric_need(&metric.id, part, BUCKET);
            let past = metric_need(&metric.id, part, needs::BLOCK);
            let compared = matches!(metric.kind, MetricKind::Ratio | MetricKind::Count);
            let wanted = compared && view.needs.iter().any(|n| n.id == past);
            // History that cannot be read leaves the hour before, or nothing, to compare with; it keeps nothing waiting.
            let fails = |id: &String| {
                view.observed
                    .feeds
                    .get(id)
                    .is_some_and(|f| f.fault.is_some())
            };
            let both = [Some(live), Some(past).filter(|id| wanted && !fails(id))];
            out.extend(both.into_iter().flatten());
        }
    }
    out.retain(|id| !view.feed(id).1.usable());
    out
}

/// Every unread feed either answers and its data stopped, or fails for an hour: waiting on brings nothing.
fn hopeless(view: &View<'_>, unread: &[String]) -> bool {
    unread.iter().all(|id| {
        view.observed.feeds.get(id).is_some_and(|feed| {
            let failing = feed.failing_since;
            let answers = feed.fault.is_none()
                && feed.last.as_ref().is_some_and(|o| {
                    let age = (view.at() - o.read_at).num_seconds();
                    age < i64::try_from(o.cadence).unwrap_or(0).saturating_mul(2)
                });
            answers || failing.is_some_and(|t| (view.at() - t).num_seconds() >= GRACE)
        })
    })
}

/// Rollouts that still had their service to themselves at that moment.
fn standing<'v, 'a>(view: &'v View<'a>, at: Instant) -> Vec<&'v Rollout<'a>> {
    let mut list: Vec<&Rollout<'_>> = view.rollouts.iter().collect();
    list.retain(|r| superseded(view, r).is_none_or(|(_, since)| at <= since));
    list
}

/// Checkpoints that are due, each with its numbers; none while the feeds that decide it are stale, or before the last
/// minute it is about was read (unless that takes too long).
pub(super) fn due(view: &View<'_>) -> Vec<Due> {
    let (Some(since), Some(state)) = (since(view), view.state) else {
        return Vec::new();
    };
    if state.closing.is_some() || state.watch_end.is_some() || !unread(view).is_empty() {
        return Vec::new();
    }
    points(length(view))
        .filter(|after| !state.checkpoints.contains_key(after))
        .filter_map(|after| {
            let at = moment(since, after);
            let overdue = (view.at() - at).num_seconds();
            if overdue < 0 {
                return None;
            }
            let on = standing(view, at);
            let minute = at.timestamp().div_euclid(60) * 60;
            // A metric that a service never had keeps nothing waiting.
            let whole = on.iter().all(|r| {
                let data = view.data.get(r.service.name.as_str());
                data.into_iter()
                    .flatten()
                    .all(|d| d.bare() || d.newest().is_some_and(|t| t >= minute))
            });
            let ready = !on.is_empty() && (overdue > LATE || whole);
            ready.then(|| take(view, &on, after, at.timestamp(), overdue > LATE))
        })
        .collect()
}

fn take(view: &View<'_>, on: &[&Rollout<'_>], after: u64, at: i64, late: bool) -> Due {
    let mut measured: BTreeMap<String, Vec<Measured>> = BTreeMap::new();
    let mut joined = Vec::new();
    for rollout in on {
        let service = &rollout.service.name;
        let own = view.data.get(service.as_str());
        let any = own.into_iter().flatten().any(|d| !d.bare());
        for metric in &view.policy.metrics {
            let Some(data) = view.data(service, &metric.id) else {
                continue;
            };
            let counts = metric.kind == MetricKind::Count;
            let (verdict, said) = if data.bare() && any && !counts {
                let why = format!("{service} has no {}: neither now nor before", metric.id);
                (Verdict::not_run(why.clone()), why)
            } else {
                judge(view, data, rollout, at)
            };
            // A series that decides nothing, or that this service never had, is shown and does not hold the checkpoint up.
            let silent = (matches!(metric.kind, MetricKind::Quantile | MetricKind::Gauge)
                && !metric.decides)
                || (data.bare() && any && !counts);
            if !silent {
                joined.push(GateMetric {
                    metric: format!("{service} {}", metric.id),
                    critical: true,
                    verdict: verdict.clone(),
                });
            }
            measured.entry(service.clone()).or_default().push(Measured {
                metric: metric.id.clone(),
                verdict,
                said,
            });
        }
    }
    Due {
        after,
        late,
        verdict: combine_gate(&joined),
        measured,
    }
}

/// One metric at a checkpoint; a count (such as alerts) by its volume.
fn judge(view: &View<'_>, data: &Data<'_>, rollout: &Rollout<'_>, at: i64) -> (Verdict, String) {
    let metric = data.metric;
    if metric.kind == MetricKind::Count && !metric.decides {
        return volume(view, data, rollout, at);
    }
    let tolerance = super::gates::tolerance(view, rollout.service, metric);
    match judge_checkpoint(view, data, rollout, tolerance, at) {
        Ok(j) => (j.verdict.clone(), said(&j, metric.unit)),
        Err(v) => (v.clone(), v.why().unwrap_or_default().to_owned()),
    }
}

fn volume(view: &View<'_>, data: &Data<'_>, rollout: &Rollout<'_>, at: i64) -> (Verdict, String) {
    let (Some(clean), Some(started)) = (clean(rollout, at), rollout.started()) else {
        let verdict = Verdict::not_run("not deployed yet: nothing to judge");
        return (verdict, String::new());
    };
    let to = at.div_euclid(60) * 60;
    let from = clean.max(to - HOUR);
    // Where no alert fires there is no series: that it was looked at all the while shows by another one of the same store.
    let own = view.data.get(rollout.service.name.as_str());
    let beside = own.into_iter().flatten().find(|d| {
        d.metric.kind == MetricKind::Ratio
            && d.metric.connection == data.metric.connection
            && !d.bare()
    });
    let (now, earlier) = data.things(started.timestamp(), from, to, beside);
    let usable = data.freshness(view.at().timestamp()).usable() && data.partial.is_none();
    let now = now.filter(|_| usable);
    // A span shorter than a block has no equal in the history.
    let volume = if to - from < BLOCK_SECONDS {
        judge_alerts_within(now, &earlier)
    } else {
        judge_alerts(now, &earlier)
    };
    let words = volume.words();
    (volume.verdict, words)
}

/// Clean start of what a checkpoint at `at` is about: of a service that was replaced later, the full rollout's.
pub(super) fn clean(rollout: &Rollout<'_>, at: i64) -> Option<i64> {
    let before = rollout
        .track
        .filter(|t| rollout.rolled_back.is_none() && t.withdrawn())
        .and_then(|t| t.finished)
        .map(|t| ceil_minute(t.timestamp()))
        .filter(|t| *t <= at);
    before.or_else(|| rollout.clean_start())
}

/// The next deployment of the service: which version, and since when (SEMANTICS 10: it supersedes the watch).
pub(super) fn superseded(view: &View<'_>, rollout: &Rollout<'_>) -> Option<(String, Instant)> {
    let release = view.release?;
    let track = rollout.track?;
    let begun = rollout.rolled_back.or(track.finished)?;
    let here = |id: &str| {
        let own = view.policy.release(id);
        let kept = view.journal.release(id).and_then(|s| s.plan.as_ref());
        own.or(kept)
            .is_none_or(|r| r.environment == release.environment)
    };
    let next = view
        .journal
        .releases
        .iter()
        .filter(|(id, _)| **id != release.id && here(id))
        .filter_map(|(_, state)| state.tracks.get(&rollout.service.name))
        .filter(|t| t.version != rollout.change.to && t.started > begun)
        .min_by_key(|t| t.started);
    if let Some(next) = next {
        return Some((next.version.clone(), next.started));
    }
    // Seen live, it counts before the journal has it.
    let live = rollout
        .record
        .filter(|d| d.version != rollout.change.to && rollout.freshness.usable());
    if rollout.rolled_back.is_some() || !(track.withdrawn() || live.is_some()) {
        return None;
    }
    let since = live.and_then(|d| d.started_at).filter(|t| *t > begun);
    let version = live.map_or_else(|| "another version".to_owned(), |d| d.version.clone());
    let seen = if track.withdrawn() {
        track.changed
    } else {
        view.at()
    };
    Some((version, since.map_or(seen, |t| t.min(seen))))
}

/// The end of the watch, when it is there: the verdict, what took its place, the sentence.
pub(super) fn ends(view: &View<'_>) -> Option<(Verdict, Option<String>, String)> {
    let since = since(view)?;
    let state = view.state?;
    let flying = state.running_plan().is_some() || phase_of(view, view.release?) != Phase::Watching;
    if flying || state.closing.is_some() || state.watch_end.is_some() {
        return None;
    }
    let length = length(view);
    let gone: Vec<_> = view
        .rollouts
        .iter()
        .filter_map(|r| superseded(view, r).map(|(version, at)| (r, version, at)))
        .collect();
    let replaced = !gone.is_empty() && gone.len() == view.rollouts.len();
    let last = gone.iter().map(|(_, _, at)| *at).max();
    let until = last
        .filter(|_| replaced)
        .unwrap_or_else(|| moment(since, length));
    if view.at() < until {
        return None;
    }
    let wanted: Vec<u64> = points(length)
        .filter(|after| moment(since, *after) <= until)
        .collect();
    let missing = wanted.iter().any(|a| !state.checkpoints.contains_key(a));
    let late = (view.at() - until).num_seconds() >= GRACE;
    if missing && !(late && hopeless(view, &unread(view))) {
        return None;
    }
    let by = replaced.then(|| {
        let each: Vec<String> = gone
            .iter()
            .map(|(r, version, at)| {
                let at = at.format("%Y-%m-%d %H:%M");
                format!("{} {version} at {at} UTC", r.service.name)
            })
            .collect();
        each.join(", ")
    });
    let count = so_far(state, points(length).count());
    let (verdict, detail) = match (state.rolled_back(), &by) {
        (Some(plan), _) => {
            let how = plan.ended.as_ref().map(|e| e.1.clone()).unwrap_or_default();
            (Verdict::Fail, format!("rolled back: {how}; {count}"))
        }
        (None, Some(by)) => (
            tally(state, &wanted),
            format!("superseded by {by}; so far {count}"),
        ),
        (None, None) => (tally(state, &wanted), count),
    };
    Some((verdict, by, detail))
}

/// All checkpoints as one verdict: any failed fails; all passed pass; else undecided; none at all did not run.
fn tally(state: &ReleaseState, wanted: &[u64]) -> Verdict {
    let taken = || wanted.iter().filter_map(|a| state.checkpoints.get(a));
    if taken().any(|(v, _, _)| v.is_fail()) {
        return Verdict::Fail;
    }
    if taken().next().is_none() {
        return Verdict::not_run("no checkpoint was taken");
    }
    let open: Vec<String> = wanted
        .iter()
        .filter_map(|a| match state.checkpoints.get(a) {
            Some((Verdict::Pass, ..)) => None,
            Some((v, ..)) => Some(format!("{} {}", name(*a), Mark::from(v).word)),
            None => Some(format!("{} not taken", name(*a))),
        })
        .collect();
    if open.is_empty() {
        return Verdict::Pass;
    }
    let passed = wanted.len() - open.len();
    Verdict::undecided(open.join(", "), passed as u64)
}

/// The next checkpoint ahead, in words.
pub(super) fn next(s: &Situation) -> Option<String> {
    let watch = s.watch.as_ref()?;
    let next = watch
        .checkpoints
        .iter()
        .find(|c| c.mark.word == "ahead" || c.mark.word == "due")?;
    Some(format!(
        "next checkpoint {} at {}",
        name(next.after),
        clock_full(next.due, s.now.world, s.timezone)
    ))
}
