//! Gates: what must pass after a step to go on (SEMANTICS 6).

use crate::domain::event::Measured;
use crate::domain::judge::{
    DEFAULT_TOLERANCE, Elapsed, GateMetric, Judgement, Power, combine_gate, latch,
};
use crate::domain::policy::{After, Gate, Metric, Service};
use crate::domain::situation::{Evidence, GateView, Mark, Tone};
use crate::domain::time::{self, Instant};
use crate::domain::verdict::Verdict;

use super::metrics::{fed, judge_metric, said, sound, sourced};
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

/// The tolerance that a service's sealed gates give a metric, and how many critical metrics stand beside it; else the defaults.
pub(super) fn terms(view: &View<'_>, service: &Service, metric: &Metric) -> (f64, u32) {
    sealed(view, service)
        .iter()
        .find(|g| g.metrics.contains(&metric.id))
        .map_or((DEFAULT_TOLERANCE, 1), |g| (g.tolerance, critical(g)))
}

/// That tolerance alone.
pub(super) fn tolerance(view: &View<'_>, service: &Service, metric: &Metric) -> f64 {
    terms(view, service, metric).0
}

/// Metrics whose Fail fails the gate, at least 1.
fn critical(gate: &Gate) -> u32 {
    u32::try_from(if gate.critical { gate.metrics.len() } else { 1 }).unwrap_or(1)
}

/// Is all that the gate looks at read and whole now? Nobody can accept what is not seen (law 2).
pub(super) fn fresh(view: &View<'_>, gate: &GateView) -> bool {
    view.rollout(&gate.service).is_some_and(|rollout| {
        gate.metrics.iter().all(|(id, _, _)| {
            let data = view.data(&gate.service, id);
            data.is_some_and(|data| fed(view, data, rollout))
        })
    })
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
                proofs.insert(one.id.clone(), prove(view, &one));
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
    let known = view.state.and_then(|s| s.gates.get(&id));
    let passed = |metric: &str| {
        let measured = known.iter().flat_map(|(_, list, _)| list);
        measured
            .filter(|m| m.verdict == Verdict::Pass)
            .any(|m| m.metric == metric)
    };
    let minutes = (view.at() - opened).num_seconds().max(0) as f64 / 60.0;
    let looks: Vec<Look> = gate
        .metrics
        .iter()
        .map(|metric| look(view, rollout, gate, metric, minutes, passed(metric)))
        .collect();
    let joined: Vec<GateMetric> = looks
        .iter()
        .map(|l| GateMetric {
            metric: l.metric.clone(),
            critical: gate.critical,
            verdict: l.verdict.clone(),
        })
        .collect();
    // A Fail stands whatever is read later; a Pass stands only while it is looked at with fresh and whole data.
    let sound = looks.iter().all(|l| l.sound);
    let earlier = known.map(|(v, _, _)| v).filter(|v| sound || v.is_fail());
    let verdict = latch(earlier, combine_gate(&joined));
    let taken = view.state.is_some_and(|s| s.accepted.contains_key(&id))
        && matches!(verdict, Verdict::Undecided { .. });
    let accepted = taken && looks.iter().all(|l| l.fed);
    let mut shows: Vec<(f64, f64)> = Vec::new();
    for need in looks.iter().filter_map(Look::power).flat_map(|p| &p.fail) {
        if let Some(minutes) = need.minutes {
            slowest(&mut shows, need.ratio, minutes);
        }
    }
    let measured = known.map_or(&[][..], |(_, list, _)| list);
    let mut said = sentence(&verdict, &looks, measured, visible_from(view, &shows));
    if taken && !accepted {
        said = format!("accepted before its data was lost; {said}");
    }
    GateView {
        mark: mark(&verdict, accepted),
        said,
        id,
        service: service.name.clone(),
        gate: gate.id.clone(),
        step,
        critical: gate.critical,
        verdict,
        accepted,
        n: open(&looks).map(Look::n).min().unwrap_or(0),
        smallest_visible: smallest_visible(&looks),
        metrics: looks
            .into_iter()
            .map(|l| (l.metric, Mark::from(&l.verdict), l.words))
            .collect(),
        opened: Some(opened),
        visible_from: shows
            .iter()
            .map(|(ratio, minutes)| (*ratio, when(view, *minutes)))
            .collect(),
    }
}

/// One metric of a gate, looked at now.
struct Look {
    metric: String,
    verdict: Verdict,
    words: String,
    judgement: Option<Judgement>,
    /// Its data is read and whole.
    fed: bool,
    /// Besides, it is judged by numbers over a span without a gap: what passed before may stand.
    sound: bool,
}

impl Look {
    fn n(&self) -> u64 {
        self.judgement.as_ref().map_or(0, |j| j.n)
    }
    fn power(&self) -> Option<&Power> {
        self.judgement.as_ref().and_then(|j| j.power.as_ref())
    }
    /// Minutes to its Pass; `None`: no traffic brings one, or nothing says when.
    fn wait(&self) -> Option<f64> {
        self.power().filter(|p| p.decidable)?.pass_minutes
    }
}

/// `passed`: it passed at an earlier look of this gate, which stands while its data is sound.
fn look(
    view: &View<'_>,
    rollout: &Rollout<'_>,
    gate: &Gate,
    metric: &str,
    minutes: f64,
    passed: bool,
) -> Look {
    let found = view
        .policy
        .metric(metric)
        .zip(view.data(&rollout.service.name, metric));
    // A sealed gate may name a metric that is gone from the file: it did not run, and must not be skipped.
    let Some((policy, data)) = found else {
        let words = format!("metric {metric} is gone from the file");
        return Look {
            metric: metric.to_owned(),
            verdict: Verdict::not_run(words.clone()),
            words,
            judgement: None,
            fed: false,
            sound: false,
        };
    };
    let elapsed = Elapsed::Minutes(minutes);
    let result = judge_metric(view, data, rollout, gate.tolerance, elapsed, critical(gate));
    let fed = fed(view, data, rollout);
    let mut out = Look {
        metric: metric.to_owned(),
        verdict: Verdict::Pass,
        words: String::new(),
        judgement: None,
        fed,
        sound: fed && result.as_ref().is_ok_and(|j| sound(view, data, rollout, j)),
    };
    match result {
        Ok(judgement) => {
            out.verdict = judgement.verdict.clone();
            out.words = with_why(&out.verdict, said(&judgement, policy.unit));
            out.judgement = Some(judgement);
        }
        Err(verdict) => {
            out.words = verdict.why().unwrap_or_default().to_owned();
            out.verdict = verdict;
        }
    }
    if passed && out.sound && matches!(out.verdict, Verdict::Undecided { .. }) {
        out.verdict = Verdict::Pass;
        out.words = format!("passed before; {}", out.words);
    }
    out
}

/// What keeps the gate open; where nothing does, all of it.
fn open(looks: &[Look]) -> impl Iterator<Item = &Look> {
    let settled = looks.iter().all(|l| l.verdict == Verdict::Pass);
    looks
        .iter()
        .filter(move |l| settled || l.verdict != Verdict::Pass)
}

/// What would have shown in each of them; `None` as soon as one of them can show nothing.
fn smallest_visible(looks: &[Look]) -> Option<f64> {
    let each: Option<Vec<f64>> = open(looks)
        .map(|l| l.judgement.as_ref().and_then(|j| j.smallest_visible))
        .collect();
    each?.into_iter().reduce(f64::max)
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

fn sentence(
    verdict: &Verdict,
    looks: &[Look],
    measured: &[Measured],
    visible: Option<String>,
) -> String {
    match verdict {
        Verdict::Pass => passed_words(looks),
        Verdict::Fail => failed_words(looks, measured),
        Verdict::Undecided { why, .. } => {
            let mut text = why.clone();
            // A time stands only where every metric that is open has one.
            let waits: Option<Vec<f64>> = open(looks).map(Look::wait).collect();
            let wait = waits.and_then(|w| w.into_iter().reduce(f64::max));
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

/// That every metric passed, and what a reader must know of it: below its SLO, Poisson assumed.
fn passed_words(looks: &[Look]) -> String {
    let mut text = "every metric passed".to_owned();
    for look in looks {
        for note in look.judgement.iter().flat_map(|j| &j.notes) {
            text.push_str(&format!("; {}: {note}", look.metric));
        }
    }
    text
}

/// Which metric failed and by what numbers: those of now, else those it was journaled with.
fn failed_words(looks: &[Look], measured: &[Measured]) -> String {
    let failed = |metric: &str, said: &str| format!("{metric} failed: {said}");
    let now = looks.iter().filter(|l| l.verdict.is_fail());
    let mut each: Vec<String> = now.map(|l| failed(&l.metric, &l.words)).collect();
    if each.is_empty() {
        let then = measured.iter().filter(|m| m.verdict.is_fail());
        each = then.map(|m| failed(&m.metric, &m.said)).collect();
    }
    if each.is_empty() {
        return "a critical metric failed".to_owned();
    }
    each.join("; ")
}

fn prove(view: &View<'_>, one: &GateView) -> Evidence {
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
    let title = format!("gate {} of {}", one.gate, one.service);
    let metrics: Vec<&Metric> = one
        .metrics
        .iter()
        .filter_map(|(id, _, _)| view.policy.metric(id))
        .collect();
    sourced(view, &one.service, &metrics, title, lines)
}
