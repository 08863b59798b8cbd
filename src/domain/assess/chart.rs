//! The lines of the metrics pane.

use crate::domain::judge::BaselineKind;
use crate::domain::policy::{Limit, Service, Trigger};
use crate::domain::situation::Chart;

use super::View;
use super::data::{Data, Group};
use super::metrics::{HOUR, Setting, baseline, live};
use super::rollout::Rollout;
use super::triggers;

/// Longest chart where no range is chosen, seconds.
const CHART: i64 = 3 * HOUR;
/// How far back the minutes of the service in focus go, for the ranges.
const NEAR: i64 = 12 * HOUR;
/// How far back its ten-minute points go.
const FAR: i64 = 72 * HOUR;

/// The line of one metric with its band, threshold, deployment and steps.
pub(super) fn chart(
    view: &View<'_>,
    service: &Service,
    data: &Data<'_>,
    rollout: Option<&Rollout<'_>>,
    set: Option<&Setting<'_>>,
) -> Chart {
    let Some(newest) = data.newest() else {
        return Chart {
            empty: Some(format!(
                "no data of {} for {} was read",
                data.metric.id, service.name
            )),
            ..Chart::default()
        };
    };
    let deployed = rollout.and_then(|r| r.started()).map(|t| t.timestamp());
    let from = deployed
        .map_or(newest - HOUR, |d| d - 20 * 60)
        .max(newest - CHART);
    // Only what a person looks at carries its ranges: the others would be a gigabyte of points.
    let focus = in_focus(view, service);
    let start = if focus { newest - NEAR } else { from };
    let new = set.map_or(Group::Whole, |s| s.new);
    let old = set
        .filter(|s| s.kind == BaselineKind::Concurrent)
        .map(|s| s.old);
    let line = data.line(new, start, newest);
    // Of a service without a rollout the line drawn is the hour that the band is of.
    let band = match set {
        None if start == newest - HOUR => spread(line.iter().map(|(_, v)| *v).collect()),
        _ => band(data, set, newest),
    };
    Chart {
        new: line,
        old: old.map(|g| data.line(g, start, newest)).unwrap_or_default(),
        far: if focus {
            data.far_line(newest - FAR, newest)
        } else {
            Vec::new()
        },
        from: Some(from),
        band,
        threshold: threshold(view, service, data, set),
        deploy_at: deployed,
        clean_at: set.map(|s| s.since),
        steps: rollout.map(steps).unwrap_or_default(),
        empty: None,
    }
}

/// The service that a person looks at, else the first of the current release.
fn in_focus(view: &View<'_>, service: &Service) -> bool {
    match view.observed.session.focus.1.as_deref() {
        Some(focus) => focus == service.name,
        None => view
            .rollouts
            .first()
            .is_some_and(|r| r.service.name == service.name),
    }
}

/// When each step took effect, by the journal.
fn steps(rollout: &Rollout<'_>) -> Vec<(i64, String)> {
    let Some(track) = rollout.track else {
        return Vec::new();
    };
    track
        .reached
        .iter()
        .map(|(at, step, weight)| {
            let name = match weight {
                Some(w) => format!("{w:.0} %"),
                None => format!("step {step}"),
            };
            (at.timestamp(), name)
        })
        .collect()
}

/// Baseline band: 5th to 95th percentile of the hour's points (of the last hour where nothing is deployed).
fn band(data: &Data<'_>, set: Option<&Setting<'_>>, newest: i64) -> Option<(f64, f64)> {
    let (group, to) = match set {
        Some(s) => (s.old, s.deployed),
        None => (Group::Whole, newest),
    };
    let line = data.line(group, to - HOUR, to);
    spread(line.into_iter().map(|(_, v)| v).collect())
}

/// 5th to 95th percentile; none of fewer than ten.
fn spread(mut values: Vec<f64>) -> Option<(f64, f64)> {
    if values.len() < 10 {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let at = |share: f64| {
        values
            .get(((values.len() - 1) as f64 * share) as usize)
            .copied()
    };
    at(0.05).zip(at(0.95))
}

/// Where the nearest trigger's limit lies, in the metric's unit. A burn rate has none on this scale.
fn threshold(
    view: &View<'_>,
    service: &Service,
    data: &Data<'_>,
    set: Option<&Setting<'_>>,
) -> Option<f64> {
    let limit = |t: &Trigger| match t.limit {
        Limit::Value(v) => Some(v),
        Limit::Slo => service.slo.get(&data.metric.id).copied(),
        Limit::Baseline(times) => set.and_then(|s| baseline(data, s)).map(|b| b * times),
    };
    let limits: Vec<(bool, f64)> = triggers::sealed(view, service)
        .iter()
        .filter(|t| t.metric == data.metric.id && t.burn.is_empty())
        .filter_map(|t| limit(t).filter(|l| *l > 0.0).map(|l| (t.above, l)))
        .collect();
    let group = set.map_or(Group::Whole, |s| s.new);
    let now = data.newest().and_then(|at| live(data, group, at));
    // As a share of its limit the value is nearest to that which it may cross first.
    let share = |(above, limit): &(bool, f64)| match now {
        Some(v) if *above => v / limit,
        Some(v) if v > 0.0 => limit / v,
        Some(_) => f64::MAX,
        None => 0.0,
    };
    limits
        .into_iter()
        .rev()
        .max_by(|a, b| share(a).total_cmp(&share(b)))
        .map(|(_, limit)| limit)
}
