//! Gates: what must pass after a step to go on (SEMANTICS 6).

use crate::domain::judge::{DEFAULT_TOLERANCE, Elapsed, GateMetric, combine_gate, latch};
use crate::domain::policy::{After, Gate, Metric, Service};
use crate::domain::situation::{Evidence, GateView, Mark, Tone};
use crate::domain::time::{self, Instant};
use crate::domain::verdict::Verdict;

use super::metrics::{judge_metric, said};
use super::rollout::Rollout;
use super::{Proofs, View};

/// The sealed gates of a service, else those of the file.
pub(super) fn sealed(view: &View<'_>, service: &Service) -> Vec<Gate> {
    view.state
        .and_then(|s| s.contract.as_ref())
        .and_then(|(_, c, _)| c.gates.get(&service.name))
        .cloned()
        .unwrap_or_else(|| service.gates.clone())
}

/// The tolerance that a service's sealed gates give a metric, else the default.
pub(super) fn tolerance(view: &View<'_>, service: &Service, metric: &Metric) -> f64 {
    sealed(view, service)
        .iter()
        .find(|g| g.metrics.contains(&metric.id))
        .map_or(DEFAULT_TOLERANCE, |g| g.tolerance)
}

/// The gates that look now, or looked last, of every rollout that began.
pub(super) fn all(view: &View<'_>, proofs: &mut Proofs) -> Vec<GateView> {
    let mut out = Vec::new();
    for rollout in &view.rollouts {
        if rollout.started().is_none() || rollout.rolled_back.is_some() {
            continue;
        }
        for gate in sealed(view, rollout.service) {
            if let Some((opened, step)) = due(rollout, &gate) {
                if left_behind(view, rollout, &gate, step) {
                    continue;
                }
                let one = one(view, rollout, &gate, opened, step);
                proofs.insert(one.id.clone(), prove(&one));
                out.push(one);
            }
        }
    }
    out
}

/// A gate that passed at a step which the rollout has left: the gates of the present step decide now, and the triggers
/// look at everything.
fn left_behind(view: &View<'_>, rollout: &Rollout<'_>, gate: &Gate, step: u32) -> bool {
    let id = format!("gate/{}/{}/{step}", rollout.service.name, gate.id);
    let passed = view
        .state
        .and_then(|s| s.gates.get(&id))
        .is_some_and(|(verdict, _, _)| *verdict == Verdict::Pass);
    passed && rollout.in_flight() && step < rollout.step()
}

/// The rollouts under way whose present step no gate of their own looked at: what another service's gate says proves nothing of
/// them.
pub(super) fn ungated<'a, 'b>(view: &'b View<'a>, gates: &[GateView]) -> Vec<&'b Rollout<'a>> {
    let looked_at = |r: &Rollout<'_>| {
        gates.iter().any(|g| {
            g.service == r.service.name
                && g.step == r.step()
                && !matches!(g.verdict, Verdict::NotRun { .. })
        })
    };
    let moving = view.rollouts.iter().filter(|r| r.in_flight());
    moving.filter(|r| !looked_at(r)).collect()
}

/// What is said of such a rollout.
pub(super) fn ungated_words(rollout: &Rollout<'_>) -> String {
    format!(
        "no gate of {} ran at step {}: its metrics alone tell",
        rollout.service.name,
        rollout.step()
    )
}

/// When and after which step the gate began to look; `None` where its step is not reached. A gate after a share of
/// traffic stays at the step that first reached it and goes on looking.
fn due(rollout: &Rollout<'_>, gate: &Gate) -> Option<(Instant, u32)> {
    match gate.after {
        After::Step => rollout.step_since().map(|at| (at, rollout.step())),
        After::Percent(share) => rollout.reached(share),
    }
}

fn one(
    view: &View<'_>,
    rollout: &Rollout<'_>,
    gate: &Gate,
    opened: Instant,
    step: u32,
) -> GateView {
    let service = rollout.service;
    let id = format!("gate/{}/{}/{step}", service.name, gate.id);
    let minutes = (view.at() - opened).num_seconds().max(0) as f64 / 60.0;
    let critical = u32::try_from(if gate.critical { gate.metrics.len() } else { 1 }).unwrap_or(1);
    let mut joined = Vec::new();
    let mut lines = Vec::new();
    let mut n = 0u64;
    let mut visible: Option<f64> = None;
    let mut wait: Option<f64> = None;
    let mut shows: Vec<(f64, f64)> = Vec::new();
    let mut fresh = true;
    for id in &gate.metrics {
        // A sealed gate may name a metric that is gone from the file: it did not run, and must not be skipped.
        let Some((metric, data)) = view.policy.metric(id).zip(view.data(&service.name, id)) else {
            let verdict = Verdict::not_run(format!("metric {id} is gone from the file"));
            lines.push((
                id.clone(),
                Mark::from(&verdict),
                verdict.why().unwrap_or_default().to_owned(),
            ));
            joined.push(GateMetric {
                metric: id.clone(),
                critical: gate.critical,
                verdict,
            });
            continue;
        };
        fresh &= data.freshness(view.at().timestamp()).usable() && data.partial.is_none();
        let result = judge_metric(
            view,
            data,
            rollout,
            gate.tolerance,
            Elapsed::Minutes(minutes),
            critical,
        );
        let (verdict, words) = match result {
            Ok(j) => {
                n = n.max(j.n);
                visible = match (visible, j.smallest_visible) {
                    (Some(a), Some(b)) => Some(a.max(b)),
                    (a, b) => a.or(b),
                };
                if let Some(m) = j.power.as_ref().and_then(|p| p.pass_minutes) {
                    wait = Some(wait.map_or(m, |w: f64| w.max(m)));
                }
                for need in j.power.iter().flat_map(|p| &p.fail) {
                    if let Some(minutes) = need.minutes {
                        slowest(&mut shows, need.ratio, minutes);
                    }
                }
                (j.verdict.clone(), said(&j, metric.unit))
            }
            Err(verdict) => (
                verdict.clone(),
                verdict.why().unwrap_or_default().to_owned(),
            ),
        };
        lines.push((
            metric.id.clone(),
            Mark::from(&verdict),
            with_why(&verdict, words),
        ));
        joined.push(GateMetric {
            metric: metric.id.clone(),
            critical: gate.critical,
            verdict,
        });
    }
    // A Fail stands whatever is read later; a Pass stands only while it is looked at with fresh data.
    let earlier = view
        .state
        .and_then(|s| s.gates.get(&id))
        .map(|(v, _, _)| v)
        .filter(|v| fresh || v.is_fail());
    let verdict = latch(earlier, combine_gate(&joined));
    let accepted = view.state.is_some_and(|s| s.accepted.contains_key(&id))
        && matches!(verdict, Verdict::Undecided { .. });
    GateView {
        mark: mark(&verdict, accepted),
        said: sentence(&verdict, wait, visible_from(view, &shows)),
        id,
        service: service.name.clone(),
        gate: gate.id.clone(),
        step,
        critical: gate.critical,
        verdict,
        accepted,
        metrics: lines,
        n,
        smallest_visible: visible,
        opened: Some(opened),
        visible_from: shows
            .iter()
            .map(|(ratio, minutes)| (*ratio, when(view, *minutes)))
            .collect(),
    }
}

/// Keeps for each regression the metric that needs longest to show it.
fn slowest(shows: &mut Vec<(f64, f64)>, ratio: f64, minutes: f64) {
    match shows.iter_mut().find(|(r, _)| (*r - ratio).abs() < 1e-9) {
        Some((_, known)) => *known = known.max(minutes),
        None => shows.push((ratio, minutes)),
    }
}

/// In so many minutes at the present traffic; a hundred years where that is for ever.
fn when(view: &View<'_>, minutes: f64) -> Instant {
    let seconds = (minutes * 60.0).clamp(0.0, 3.2e9) as i64;
    view.at() + chrono::Duration::seconds(seconds)
}

/// `2× visible from about 16:52`: the smallest regression of those shown that is not visible yet.
fn visible_from(view: &View<'_>, shows: &[(f64, f64)]) -> Option<String> {
    let (ratio, minutes) = shows.iter().find(|(_, minutes)| *minutes > 0.0)?;
    let at = when(view, *minutes);
    let clock = crate::domain::words::moment(at, view.at(), view.policy.timezone);
    Some(format!("{ratio:.0}× visible from about {clock}"))
}

fn with_why(verdict: &Verdict, words: String) -> String {
    match verdict.why() {
        Some(why) if !words.is_empty() && why != words => format!("{why}; {words}"),
        _ => words,
    }
}

fn mark(verdict: &Verdict, accepted: bool) -> Mark {
    if accepted {
        Mark::new("ACCEPTED", Tone::Hold)
    } else {
        Mark::from(verdict)
    }
}

fn sentence(verdict: &Verdict, wait: Option<f64>, visible: Option<String>) -> String {
    match verdict {
        Verdict::Pass => "every metric passed".to_owned(),
        Verdict::Fail => "a critical metric failed".to_owned(),
        Verdict::Undecided { why, .. } => {
            let mut text = why.clone();
            if let Some(minutes) = wait.filter(|w| *w > 0.0 && w.is_finite()) {
                let whole = chrono::Duration::minutes(minutes.ceil().min(1e7) as i64);
                text.push_str(&format!(
                    "; needs about {} more at this traffic",
                    time::duration_words(whole)
                ));
            }
            if let Some(visible) = visible {
                text.push_str("; ");
                text.push_str(&visible);
            }
            text
        }
        Verdict::NotRun { why } => why.clone(),
    }
}

fn prove(one: &GateView) -> Evidence {
    let mut lines = vec![
        (
            "gate".to_owned(),
            format!("{} after step {}", one.gate, one.step),
        ),
        ("verdict".to_owned(), one.mark.word.clone()),
        ("in words".to_owned(), one.said.clone()),
        (
            "critical".to_owned(),
            if one.critical { "yes" } else { "no" }.to_owned(),
        ),
    ];
    for (metric, mark, words) in &one.metrics {
        lines.push((metric.clone(), format!("{}: {words}", mark.word)));
    }
    if let Some(visible) = one.smallest_visible {
        lines.push(("smallest visible".to_owned(), format!("{visible:.2}×")));
    }
    for (ratio, at) in &one.visible_from {
        lines.push((
            format!("{ratio:.0}× visible"),
            format!("from about {} UTC", at.format("%H:%M")),
        ));
    }
    Evidence {
        title: format!("gate {} of {}", one.gate, one.service),
        lines,
        ..Evidence::default()
    }
}
