//! The verdict on two counts: x1 of n1 for the new version, x0 of n0 for its baseline (SEMANTICS 6).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::evidence::{self, Evidence, Scaled, Stratum};
use super::noise::{day, phis};
use super::tail::{poisson_lower, poisson_upper};
use super::{
    BaselineKind, Direction, EVIDENCE_NEEDED, Judgement, MIN_BASELINE_EVENTS, MIN_DAYS,
    MIN_FAIL_EVENTS, MIN_PASS_MINUTES, Noise, finite, power, times, whole,
};
use crate::domain::verdict::Verdict;

/// Counts beyond this are refused: above it a float no longer holds every whole number.
pub(super) const LARGEST: f64 = 1e15;
/// Level of the one-sided bound that is compared with the SLO.
const SLO_LEVEL: f64 = 0.98;

/// Events among a total, over a span. Vendors extrapolate, so these need not be whole.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Events (errors, slow requests, orders).
    pub events: f64,
    /// What they are counted among (requests).
    pub total: f64,
    /// Minutes over which they were counted (a seven-day baseline: all its hours together, 420); needed where noise was
    /// measured, and for any forecast of time.
    pub minutes: Option<f64>,
}

impl Counts {
    /// Counts over an unknown span.
    #[must_use]
    pub fn new(events: f64, total: f64) -> Self {
        Self {
            events,
            total,
            minutes: None,
        }
    }

    /// The same counts over a span of `minutes`.
    #[must_use]
    pub fn over(self, minutes: f64) -> Self {
        Self {
            minutes: Some(minutes),
            ..self
        }
    }

    fn valid(&self) -> bool {
        let count = |value: f64| value.is_finite() && (0.0..=LARGEST).contains(&value);
        count(self.events)
            && count(self.total)
            && self.minutes.is_none_or(|m| m.is_finite() && m >= 0.0)
    }

    fn plus(self, other: Self) -> Self {
        Self {
            events: self.events + other.events,
            total: self.total + other.total,
            minutes: self.minutes.zip(other.minutes).map(|(a, b)| a + b),
        }
    }
}

/// The counts of both groups under an earlier canary weight.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Segment {
    /// The new version's.
    pub new: Counts,
    /// The concurrent group's, over the same minutes.
    pub baseline: Counts,
}

/// How long has been looked.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Elapsed {
    /// Minutes since the gate opened.
    Minutes(f64),
    /// The counts are complete, there is one look and no gate (`cockpit judge`, a checkpoint).
    Whole,
}

/// All that the verdict on a ratio depends on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CountsInput {
    /// The new version under its present weight, since its clean start.
    pub new: Counts,
    /// The baseline; beside a canary, over the same minutes.
    pub baseline: Counts,
    /// Earlier canary weights of the same gate; only with a concurrent baseline.
    pub earlier: Vec<Segment>,
    /// Where the baseline comes from.
    pub kind: BaselineKind,
    /// Days behind a seven-day baseline; fewer than [`MIN_DAYS`], or unknown, decides nothing.
    pub days: Option<u32>,
    /// The counts' noise.
    pub noise: Noise,
    /// The tolerated ratio, above 1.
    pub tolerance: f64,
    /// Which way is good.
    pub direction: Direction,
    /// How long has been looked.
    pub elapsed: Elapsed,
    /// The SLO's ratio (higher-is-better: the least ratio), used where the baseline has fewer than ten events.
    pub slo: Option<f64>,
    /// Critical metrics of the gate (k ≥ 1): Fail needs 50·k.
    pub critical_metrics: u32,
    /// Why a Pass cannot be given whatever the counts say ("the canary cannot be told from stable"); none normally.
    pub pass_barred: Option<String>,
}

impl CountsInput {
    /// Complete counts with this baseline kind's own tolerance and Poisson noise assumed; set the other fields as needed.
    #[must_use]
    pub fn new(new: Counts, baseline: Counts, kind: BaselineKind) -> Self {
        Self {
            new,
            baseline,
            earlier: Vec::new(),
            kind,
            days: None,
            noise: Noise::Assumed,
            tolerance: kind.default_tolerance(),
            direction: Direction::LowerIsBetter,
            elapsed: Elapsed::Whole,
            slo: None,
            critical_metrics: 1,
            pass_barred: None,
        }
    }

    pub(super) fn concurrent(&self) -> bool {
        self.kind == BaselineKind::Concurrent
    }

    pub(super) fn ln_fail_needed(&self) -> f64 {
        (EVIDENCE_NEEDED * f64::from(self.critical_metrics.max(1))).ln()
    }

    fn segments(&self) -> impl Iterator<Item = Segment> + '_ {
        let now = Segment {
            new: self.new,
            baseline: self.baseline,
        };
        self.earlier.iter().copied().chain([now])
    }
}

/// Sums over all weights.
#[derive(Clone, Copy)]
struct Totals {
    new: Counts,
    baseline: Counts,
}

/// Judges a ratio: verdict, estimate, interval, smallest visible regression and what more it takes.
#[must_use]
pub fn judge_counts(input: &CountsInput) -> Judgement {
    let found = decide(input);
    let usable_tolerance = if valid_tolerance(input.tolerance) {
        input.tolerance
    } else {
        input.kind.default_tolerance()
    };
    let n = found.totals.map_or(0, |t| whole(t.new.total));
    let mut judgement = Judgement::empty(
        found.verdict,
        n,
        usable_tolerance,
        input.direction,
        input.kind,
    );
    judgement.new = found.totals.map(|t| t.new);
    judgement.baseline_counts = found.totals.map(|t| t.baseline);
    judgement.notes = found.notes;
    judgement.evidence = found.evidence;
    if found.strata.is_empty() {
        judgement.estimate = found.totals.and_then(plain_ratio);
        return judgement;
    }
    judgement.estimate = evidence::estimate(&found.strata);
    judgement.interval = evidence::interval(&found.strata, input.direction, input.concurrent());
    judgement.smallest_visible = power::smallest_visible(&found.strata, input);
    judgement.power = power::power(&found.strata, input);
    let beyond = judgement.estimate.is_some_and(|seen| sides(input, seen).0);
    if let Verdict::Undecided { why, .. } = &mut judgement.verdict
        && let Some(hint) =
            power::hint(judgement.power.as_ref(), judgement.smallest_visible, beyond)
    {
        why.push_str(&hint);
    }
    judgement
}

/// The ratio of all counts, shown where nothing is judged.
fn plain_ratio(totals: Totals) -> Option<f64> {
    let rate = |counts: Counts| counts.events / counts.total;
    finite(rate(totals.new) / rate(totals.baseline))
}

/// The verdict alone, without interval and forecast: the same rule at a tenth of the cost, for simulations and backtests.
#[must_use]
pub fn decide_counts(input: &CountsInput) -> Verdict {
    decide(input).verdict
}

struct Decided {
    verdict: Verdict,
    totals: Option<Totals>,
    strata: Vec<Stratum>,
    evidence: Option<Evidence>,
    notes: Vec<String>,
}

fn decide(input: &CountsInput) -> Decided {
    let mut out = Decided {
        verdict: Verdict::undecided("", 0),
        totals: None,
        strata: Vec::new(),
        evidence: None,
        notes: Vec::new(),
    };
    let totals = match totals(input) {
        Ok(totals) => totals,
        Err(why) => {
            out.verdict = Verdict::undecided(why, 0);
            return out;
        }
    };
    out.totals = Some(totals);
    let n = whole(totals.new.total);
    if let Err(why) = enough_to_start(input, totals) {
        out.verdict = Verdict::undecided(why, n);
        return out;
    }
    if input.kind == BaselineKind::SevenDays
        && let Some(days) = input.days
    {
        out.notes.push(format!("baseline of {days} days"));
    }
    if totals.baseline.events < MIN_BASELINE_EVENTS {
        out.verdict = against_slo(input, totals, &mut out.notes);
        return out;
    }
    if input.noise == Noise::Assumed {
        out.notes.push("Poisson assumed".into());
    }
    match strata(input, totals) {
        Err(why) => out.verdict = Verdict::undecided(why, n),
        Ok(strata) => {
            (out.verdict, out.evidence) = weigh(input, totals, &strata);
            // Numbers so far apart that the evidence is none leave nothing to show either.
            if out.evidence.is_some() {
                out.strata = strata;
            }
        }
    }
    out
}

pub(super) fn valid_tolerance(tolerance: f64) -> bool {
    tolerance.is_finite() && tolerance > 1.0 && tolerance <= 1e3
}

fn totals(input: &CountsInput) -> Result<Totals, String> {
    for segment in input.segments() {
        for (counts, whose) in [(segment.new, "new version"), (segment.baseline, "baseline")] {
            if !counts.valid() {
                return Err(format!(
                    "the {whose}'s numbers are no counts (NaN, infinite, negative or beyond 1e15)"
                ));
            }
        }
    }
    if !input.earlier.is_empty() && !input.concurrent() {
        return Err("counts of several canary weights need a concurrent baseline".into());
    }
    let mut sum = Totals {
        new: input.new,
        baseline: input.baseline,
    };
    for segment in &input.earlier {
        sum.new = sum.new.plus(segment.new);
        sum.baseline = sum.baseline.plus(segment.baseline);
    }
    Ok(sum)
}

fn enough_to_start(input: &CountsInput, totals: Totals) -> Result<(), String> {
    if !valid_tolerance(input.tolerance) {
        return Err("the tolerated ratio must lie above 1 and at most at 1000".into());
    }
    if totals.new.total <= 0.0 {
        return Err("no traffic has reached the new version yet".into());
    }
    if totals.baseline.total <= 0.0 {
        return Err("the baseline has no traffic".into());
    }
    if input.kind == BaselineKind::SevenDays {
        let days = input.days.unwrap_or(0);
        if days < MIN_DAYS {
            return Err(format!(
                "the 7d baseline has {days} of at least {MIN_DAYS} days"
            ));
        }
    }
    Ok(())
}

/// Fewer than ten baseline events: the SLO alone can pass, nothing can fail. The exact one-sided 98 % Poisson bound of the
/// new version's events must clear it.
fn against_slo(input: &CountsInput, totals: Totals, notes: &mut Vec<String>) -> Verdict {
    let (new, baseline) = (totals.new, totals.baseline);
    let n = whole(new.total);
    let few = format!(
        "the baseline has {:.0} of at least 10 events",
        baseline.events
    );
    let Some(slo) = input.slo.filter(|s| s.is_finite() && *s > 0.0) else {
        return Verdict::undecided(format!("{few}, and no SLO is given to stand in for it"), n);
    };
    let (bound, clears, label) = match input.direction {
        Direction::LowerIsBetter => {
            let bound = poisson_upper(new.events, SLO_LEVEL).map(|b| b / new.total);
            (bound, bound.is_some_and(|b| b < slo), "below SLO")
        }
        Direction::HigherIsBetter => {
            let bound = poisson_lower(new.events, SLO_LEVEL).map(|b| b / new.total);
            (bound, bound.is_some_and(|b| b > slo), "above SLO")
        }
    };
    if !clears {
        let bound = bound.map_or_else(|| "unknown".into(), |b| format!("{:.3} %", b * 100.0));
        let slo = slo * 100.0;
        return Verdict::undecided(
            format!("{few}, and the 98 % bound {bound} does not clear the SLO's {slo:.3} %"),
            n,
        );
    }
    if let Some(why) = pass_refused(input, totals) {
        return Verdict::undecided(why, n);
    }
    notes.push(label.into());
    Verdict::Pass
}

fn strata(input: &CountsInput, totals: Totals) -> Result<Vec<Stratum>, String> {
    // A stratum without a baseline says nothing about a ratio; one without new traffic says nothing at all.
    let used = || {
        input
            .segments()
            .filter(|s| s.new.total > 0.0 && s.baseline.total > 0.0)
    };
    // φ grows with the rate that is expected, and the rate is known best from all weights together.
    let rate = totals.baseline.events / totals.baseline.total;
    let strata = used()
        .map(|s| {
            let (phi1, phi0) = phis(&input.noise, s, rate)?;
            Ok(Stratum {
                x1: s.new.events,
                n1: s.new.total,
                x0: s.baseline.events,
                n0: s.baseline.total,
                phi1,
                phi0,
                day: day(input.kind, &input.noise)?,
            })
        })
        .collect::<Result<Vec<_>, String>>()?;
    if strata.is_empty() {
        return Err("no weight has traffic in both groups".into());
    }
    Ok(strata)
}

fn pass_refused(input: &CountsInput, totals: Totals) -> Option<String> {
    if let Some(why) = &input.pass_barred {
        return Some(why.clone());
    }
    for (counts, whose) in [(totals.new, "new version"), (totals.baseline, "baseline")] {
        // Extrapolated counts may differ by a rounding; more than that is no ratio.
        if counts.events > counts.total * 1.01 + 1.0 {
            return Some(format!("the {whose} counts more events than requests"));
        }
    }
    match input.elapsed {
        Elapsed::Whole => None,
        Elapsed::Minutes(m) if m >= MIN_PASS_MINUTES => None,
        Elapsed::Minutes(_) => Some("good so far; nothing passes before minute 5".into()),
    }
}

/// Whether an estimate lies beyond the tolerance, and whether it lies within; neither on its very edge.
fn sides(input: &CountsInput, estimate: f64) -> (bool, bool) {
    let worse = match input.direction {
        Direction::LowerIsBetter => estimate,
        // No event at all of a good thing is as bad as it gets.
        Direction::HigherIsBetter => 1.0 / estimate,
    };
    (worse > input.tolerance, worse < input.tolerance)
}

fn weigh(input: &CountsInput, totals: Totals, strata: &[Stratum]) -> (Verdict, Option<Evidence>) {
    let n = whole(totals.new.total);
    let scaled: Vec<Scaled> = strata.iter().map(Stratum::scaled).collect();
    let ln_fail = evidence::ln_fail(&scaled, 1.0, input.direction);
    let ln_pass = evidence::ln_pass(strata, input.tolerance, input.direction, input.concurrent());
    let numbers = finite(ln_fail)
        .zip(finite(ln_pass))
        .zip(evidence::estimate(strata));
    let Some(((ln_fail, ln_pass), estimate)) = numbers else {
        return (
            Verdict::undecided("the counts are too far apart to be compared", n),
            None,
        );
    };
    let evidence = Evidence {
        ln_fail,
        ln_pass,
        ln_fail_needed: input.ln_fail_needed(),
        ln_pass_needed: EVIDENCE_NEEDED.ln(),
    };
    let expected: f64 = strata.iter().map(Stratum::expected).sum();
    let (beyond, within) = sides(input, estimate);
    let events = match input.direction {
        Direction::LowerIsBetter => totals.new.events,
        Direction::HigherIsBetter => expected,
    };
    let verdict = if ln_fail >= evidence.ln_fail_needed && beyond && events >= MIN_FAIL_EVENTS {
        Verdict::Fail
    } else if ln_pass >= evidence.ln_pass_needed && within && ln_fail < EVIDENCE_NEEDED.ln() {
        pass_refused(input, totals).map_or(Verdict::Pass, |why| Verdict::undecided(why, n))
    } else {
        let tolerated = match input.direction {
            Direction::LowerIsBetter => times(input.tolerance),
            Direction::HigherIsBetter => times(1.0 / input.tolerance),
        };
        let seen = times(estimate);
        let why = if beyond {
            format!("{seen} lies beyond the tolerated {tolerated}, but chance still explains it")
        } else if ln_fail >= EVIDENCE_NEEDED.ln() {
            format!("worse than the baseline ({seen}), though within the tolerated {tolerated}")
        } else {
            format!("{seen} so far; too little to rule out the tolerated {tolerated}")
        };
        Verdict::undecided(why, n)
    };
    (verdict, Some(evidence))
}
