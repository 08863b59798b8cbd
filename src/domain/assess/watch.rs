//! The watch: checkpoints to T+24 h or T+72 h after the last step (SEMANTICS 10).

use std::collections::BTreeMap;

use chrono::Duration;

use crate::domain::event::Measured;
use crate::domain::judge::{GateMetric, combine_gate, judge_alerts, judge_alerts_within};
use crate::domain::needs::{BLOCK, metric_need};
use crate::domain::policy::{Metric, MetricKind, Release, RiskClass};
use crate::domain::situation::{CheckpointView, Mark, Phase, Situation, Tone, WatchView};
use crate::domain::time::{self, Instant};
use crate::domain::verdict::Verdict;

use super::data::{BLOCK_SECONDS, Data};
use super::metrics::{HOUR, judge_checkpoint, said};
use super::rollout::Rollout;
use super::{View, approvals, clock_full, phase_of};

/// Seconds after the last step.
pub(super) const CHECKPOINTS: [u64; 7] = [300, 1800, 3600, 14_400, 86_400, 172_800, 259_200];
/// A checkpoint taken later than this after it was due is marked late, seconds.
const LATE: i64 = 300;

/// When the last step took effect (or the rollback put the old version back).
pub(super) fn since(view: &View<'_>) -> Option<Instant> {
    let release = view.release?;
    if !matches!(
        phase_of(view, release),
        Phase::Verifying | Phase::Watching | Phase::Closed
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

/// The watch as shown.
pub(super) fn watch(view: &View<'_>) -> Option<WatchView> {
    let since = since(view)?;
    let state = view.state?;
    let length = length(view);
    let checkpoints = CHECKPOINTS
        .iter()
        .filter(|after| **after <= length)
        .map(|after| {
            let due = since + Duration::seconds(i64::try_from(*after).unwrap_or(0));
            let (mark, note) = match state.checkpoints.get(after) {
                Some((verdict, late, _)) => (
                    Mark::from(verdict),
                    format!(
                        "{}{}",
                        if *late { "late; " } else { "" },
                        verdict.why().unwrap_or_default()
                    ),
                ),
                None if due <= view.at() => (Mark::new("due", Tone::Hold), String::new()),
                None => (
                    Mark::new("ahead", Tone::Plain),
                    format!("at {}", clock_full(due, view.at(), view.policy.timezone)),
                ),
            };
            CheckpointView {
                after: *after,
                due,
                mark,
                note,
            }
        })
        .collect();
    Some(WatchView {
        since,
        until: since + Duration::seconds(i64::try_from(length).unwrap_or(0)),
        checkpoints,
        suspects: Vec::new(),
    })
}

/// A checkpoint that is due and not journaled: its numbers now.
pub(super) struct Due {
    pub after: u64,
    pub late: bool,
    pub measured: BTreeMap<String, Vec<Measured>>,
    pub verdict: Verdict,
}

/// Checkpoints that are due, each with its numbers; none while the feeds that decide it are stale, or before the last
/// minute it is about was read (unless that takes too long).
pub(super) fn due(view: &View<'_>) -> Vec<Due> {
    let (Some(since), Some(state)) = (since(view), view.state) else {
        return Vec::new();
    };
    if state.closing.is_some() {
        return Vec::new();
    }
    let metrics = &view.policy.metrics;
    if !metrics
        .iter()
        .all(|m| super::metric_freshness(view, m).usable())
    {
        return Vec::new();
    }
    // What is journaled stays: it waits for the days that it is held against, unless they cannot be read.
    if !metrics.iter().all(|m| history_read(view, m)) {
        return Vec::new();
    }
    let length = length(view);
    CHECKPOINTS
        .iter()
        .filter(|after| **after <= length && !state.checkpoints.contains_key(after))
        .filter_map(|after| {
            let at = since + Duration::seconds(i64::try_from(*after).ok()?);
            let overdue = (view.at() - at).num_seconds();
            let whole = view.data.values().flatten().all(|d| {
                d.newest()
                    .is_some_and(|t| t >= at.timestamp().div_euclid(60) * 60)
            });
            (overdue > LATE || (overdue >= 0 && whole))
                .then(|| take(view, *after, at.timestamp(), overdue > LATE))
        })
        .collect()
}

/// Was the metric's history read, or did that fail?
fn history_read(view: &View<'_>, metric: &Metric) -> bool {
    metric.parts().iter().all(|(part, _)| {
        let need = metric_need(&metric.id, *part, BLOCK);
        let failed = view
            .observed
            .feeds
            .get(&need)
            .is_some_and(|f| f.fault.is_some());
        failed || view.feed(&need).1.usable()
    })
}

fn take(view: &View<'_>, after: u64, at: i64, late: bool) -> Due {
    let mut measured: BTreeMap<String, Vec<Measured>> = BTreeMap::new();
    let mut joined = Vec::new();
    for rollout in &view.rollouts {
        let service = &rollout.service.name;
        for metric in &view.policy.metrics {
            let Some(data) = view.data(service, &metric.id) else {
                continue;
            };
            let (verdict, said) = judge(view, data, rollout, at);
            // A series that decides nothing is shown and does not hold the checkpoint up.
            let silent =
                matches!(metric.kind, MetricKind::Quantile | MetricKind::Gauge) && !metric.decides;
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
    let (Some(clean), Some(started)) = (rollout.clean_start(), rollout.started()) else {
        let verdict = Verdict::not_run("not deployed yet: nothing to judge");
        return (verdict, String::new());
    };
    let to = at.div_euclid(60) * 60;
    let from = clean.max(to - HOUR);
    let (now, earlier) = data.things(started.timestamp(), from, to);
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

/// The next checkpoint ahead, in words.
pub(super) fn next(s: &Situation) -> Option<String> {
    let watch = s.watch.as_ref()?;
    let next = watch
        .checkpoints
        .iter()
        .find(|c| c.mark.word == "ahead" || c.mark.word == "due")?;
    Some(format!(
        "next checkpoint T+{} at {}",
        time::duration_words(Duration::seconds(i64::try_from(next.after).unwrap_or(0))),
        clock_full(next.due, s.now.world, s.timezone)
    ))
}
