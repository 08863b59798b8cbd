//! How long the gates will need at the traffic there is now.

use crate::domain::judge::{BaselineKind, Counts, GatePlan, Noise, Power, forecast};
use crate::domain::needs::{BUCKET, metric_need, open_releases};
use crate::domain::observe::Observed;
use crate::domain::policy::{After, Gate, Metric, MetricKind, Policy, Service};
use crate::domain::record::Part;
use crate::domain::time::Instant;

use crate::runtime::engine::Engine;

/// Minutes of traffic that are looked at.
const MINUTES: i64 = 60;
/// Fewer complete minutes than this tell nothing.
const FEWEST: usize = 30;
/// Points, one a minute, that a series needs.
const SERIES_MINUTES: f64 = 10.0;
/// The share of traffic that a gate after every step is forecast at.
const FIRST_STEP: f64 = 10.0;

/// A line a gate of the open releases' services (of every service where none is planned).
pub fn gates(engine: &Engine) -> Vec<String> {
    let policy = engine.policy();
    let now = engine.now().world;
    let observed = engine.observed();
    let flown: Vec<String> = open_releases(&policy, engine.journal())
        .iter()
        .flat_map(|r| r.changes.iter().map(|c| c.service.clone()))
        .collect();
    let mut out = Vec::new();
    for service in &policy.services {
        if flown.is_empty() || flown.contains(&service.name) {
            for gate in &service.gates {
                out.extend(one(&policy, observed, now, service, gate));
            }
        }
    }
    out
}

/// `None` where the gate has no metric.
fn one(
    policy: &Policy,
    observed: &Observed,
    now: Instant,
    service: &Service,
    gate: &Gate,
) -> Option<String> {
    let share = match gate.after {
        After::Percent(share) => share,
        After::Step => FIRST_STEP,
    };
    let (metrics, series): (Vec<&Metric>, Vec<&Metric>) = gate
        .metrics
        .iter()
        .filter_map(|id| policy.metric(id))
        .partition(|m| m.kind == MetricKind::Ratio);
    if let Some(silent) = series.iter().find(|m| !m.decides) {
        return Some(format!(
            "{} {} ({}): decides nothing without decides = true: the gate never passes",
            service.name, gate.id, silent.title
        ));
    }
    let critical = if gate.critical { gate.metrics.len() } else { 1 };
    let mut longest: Option<f64> = series.first().map(|_| SERIES_MINUTES);
    for metric in &metrics {
        let name = format!("{} {} ({})", service.name, gate.id, metric.title);
        let Some(counts) = counts(observed, now, metric, service) else {
            return Some(format!(
                "{name}: not known how long it needs: less than {FEWEST} minutes of traffic were read"
            ));
        };
        let plan = GatePlan {
            baseline: counts,
            requests_per_minute: counts.total / MINUTES as f64 * share / 100.0,
            kind: if metric.separable() {
                BaselineKind::Concurrent
            } else {
                BaselineKind::Hour
            },
            noise: if metric.shared_noise && metric.separable() {
                Noise::Shared
            } else {
                Noise::Assumed
            },
            tolerance: gate.tolerance,
            direction: metric.direction,
            critical_metrics: u32::try_from(critical).unwrap_or(1),
        };
        match forecast(&plan) {
            Err(why) => return Some(format!("{name}: not decidable at your traffic: {why}")),
            Ok(Power {
                decidable: true,
                pass_minutes: Some(minutes),
                ..
            }) => longest = Some(longest.map_or(minutes, |l: f64| l.max(minutes))),
            Ok(_) => return Some(format!("{name}: not decidable with this baseline")),
        }
    }
    let minutes = longest?;
    Some(format!(
        "{} {}: needs about {:.0} min at your traffic, with {share:.0} % of it on the new version (Poisson assumed)",
        service.name,
        gate.id,
        minutes.ceil()
    ))
}

/// The last hour's counts of all groups; minutes that were not read count neither way.
fn counts(observed: &Observed, now: Instant, metric: &Metric, service: &Service) -> Option<Counts> {
    // A part that was not read is not known; one that was read and has no series counts nothing.
    let read = metric.parts().iter().all(|(part, _)| {
        let feed = observed.feeds.get(&metric_need(&metric.id, *part, BUCKET));
        feed.is_some_and(|f| f.last.is_some())
    });
    if !read {
        return None;
    }
    let end = now.timestamp();
    let sum = |part: Part| {
        let mut seen = std::collections::BTreeSet::new();
        let mut total = 0.0;
        let series = observed.metrics.iter().filter(|(k, _)| {
            k.metric == metric.id && k.service == service.name && k.part == part && k.step == BUCKET
        });
        for (_, buckets) in series {
            for (at, value) in buckets.range(end - MINUTES * 60..=end) {
                seen.insert(*at);
                total += value;
            }
        }
        (total, seen.len())
    };
    let (events, _) = sum(Part::Numerator);
    let (total, minutes) = sum(Part::Denominator);
    if minutes < FEWEST {
        return None;
    }
    let scale = MINUTES as f64 / minutes as f64;
    Some(Counts::new(events * scale, total * scale).over(MINUTES as f64))
}
