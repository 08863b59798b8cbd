//! What a gate can see: the smallest regression that would show by now, and what more it takes to decide (SEMANTICS 6).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::counts::{Counts, CountsInput, Elapsed, Segment, valid_tolerance};
use super::evidence::{self, Scaled, Stratum};
use super::noise::{day, phis};
use super::{
    BaselineKind, Direction, EVIDENCE_NEEDED, MIN_BASELINE_EVENTS, MIN_FAIL_EVENTS,
    MIN_PASS_MINUTES, Noise, finite, times,
};

/// Regressions for which the needed events are given.
const SHOWN_RATIOS: [f64; 3] = [2.0, 3.0, 5.0];
/// Constants of the rule: evidence to gather per unit of information, with the search over ratios paid for.
const PASS_EVIDENCE: f64 = 4.0;
const FAIL_EVIDENCE: f64 = 4.5;
/// Regressions beyond this are not searched for.
const WIDEST: f64 = 1e6;

/// What it takes to see one regression.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FailNeed {
    /// The ratio new/baseline (below 1 for higher-is-better).
    pub ratio: f64,
    /// Expected events needed (n1·x0/n0); absent when this baseline can never show it.
    pub events: Option<f64>,
    /// Minutes from now at the present traffic, 0 when enough is there; absent when traffic or span is unknown.
    pub minutes: Option<f64>,
}

/// What it takes to decide. Events are those expected at the baseline's rate, n1·x0/n0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Power {
    /// Expected events so far.
    pub expected: f64,
    /// Expected events a minute, where the span is known.
    pub per_minute: Option<f64>,
    /// False: "Not decidable with this baseline", no amount of traffic can pass.
    pub decidable: bool,
    /// Expected events that a Pass needs, if nothing changed.
    pub pass_events: Option<f64>,
    /// Minutes from now until a Pass, if nothing changed (never before minute 5).
    pub pass_minutes: Option<f64>,
    /// The same for a Fail at 2×, 3× and 5× (those beyond the tolerance).
    pub fail: Vec<FailNeed>,
}

/// The smallest r ≥ T that would fail at x = r·m: E_F(1) is there, and the events a Fail needs.
pub(super) fn smallest_visible(strata: &[Stratum], input: &CountsInput) -> Option<f64> {
    let scaled: Vec<Scaled> = strata.iter().map(Stratum::scaled).collect();
    let needed = input.ln_fail_needed();
    let shows = |r: f64| {
        let at: Vec<Scaled> = scaled
            .iter()
            .map(|s| Scaled {
                x: r * s.expected(),
                ..*s
            })
            .collect();
        evidence::ln_fail(&at, 1.0, input.direction) >= needed
    };
    let expected: f64 = strata.iter().map(Stratum::expected).sum();
    let (from, to) = match input.direction {
        Direction::LowerIsBetter => (input.tolerance.max(MIN_FAIL_EVENTS / expected), WIDEST),
        Direction::HigherIsBetter if expected < MIN_FAIL_EVENTS => return None,
        Direction::HigherIsBetter => (1.0 / input.tolerance, 1.0 / WIDEST),
    };
    if !from.is_finite() || !shows(to) {
        return None;
    }
    Some(if shows(from) {
        from
    } else {
        evidence::bisect(from, to, shows)
    })
}

/// φ1·M/(1 − q·M/a) with a frozen baseline, φ1·M·(1 + q·n1·φ0/(n0·φ1)) beside a concurrent one. `None`: never.
fn events_needed(s: &Stratum, concurrent: bool, information: f64, q: f64) -> Option<f64> {
    let events = if concurrent {
        s.phi1 * information * (1.0 + q * s.n1 * s.phi0 / (s.n0 * s.phi1))
    } else {
        let left = 1.0 - q * information / s.scaled().a;
        if left <= 0.0 {
            return None;
        }
        s.phi1 * information / left
    };
    finite(events).filter(|e| *e >= 0.0)
}

fn pass_events(s: &Stratum, input: &CountsInput) -> Option<f64> {
    let t = oriented(input.tolerance, input.direction);
    let under = |phi: f64| 1.0 + t * (phi - 1.0);
    let phi0 = if input.concurrent() {
        under(s.phi0)
    } else {
        s.phi0
    };
    let noisier = Stratum {
        phi1: under(s.phi1),
        phi0,
        ..*s
    };
    events_needed(
        &noisier,
        input.concurrent(),
        PASS_EVIDENCE / (t - 1.0 - t.ln()),
        t.sqrt(),
    )
}

fn fail_events(s: &Stratum, input: &CountsInput, r: f64) -> Option<f64> {
    // More critical metrics ask for more evidence; ln k is what it costs.
    let evidence = FAIL_EVIDENCE + f64::from(input.critical_metrics.max(1)).ln();
    events_needed(
        s,
        input.concurrent(),
        evidence / (r * r.ln() - r + 1.0),
        r.sqrt(),
    )
}

fn oriented(ratio: f64, direction: Direction) -> f64 {
    match direction {
        Direction::LowerIsBetter => ratio,
        Direction::HigherIsBetter => 1.0 / ratio,
    }
}

/// The forecast at the present weight's traffic.
pub(super) fn power(strata: &[Stratum], input: &CountsInput) -> Option<Power> {
    let now = strata.last()?;
    let expected = finite(strata.iter().map(Stratum::expected).sum())?;
    // The present weight's traffic tells the rate; before it has any, the rate is unknown.
    let present = input.new.total > 0.0 && input.baseline.total > 0.0;
    let minutes = input.new.minutes.filter(|m| *m > 0.0 && present);
    let per_minute = minutes
        .and_then(|m| finite(now.expected() / m))
        .filter(|r| *r > 0.0);
    let wait = |events: f64| per_minute.map(|rate| ((events - expected) / rate).max(0.0));
    let decidable = input.concurrent()
        || evidence::ln_pass_limit(now.scaled().a, input.tolerance, input.direction)
            >= EVIDENCE_NEEDED.ln();
    let pass = pass_events(now, input).filter(|_| decidable);
    let until_five = match input.elapsed {
        Elapsed::Whole => 0.0,
        Elapsed::Minutes(m) => (MIN_PASS_MINUTES - m).max(0.0),
    };
    let fail = SHOWN_RATIOS
        .into_iter()
        .filter(|r| *r > input.tolerance)
        .map(|r| {
            let ratio = oriented(r, input.direction);
            let events = fail_events(now, input, ratio);
            FailNeed {
                ratio,
                events,
                minutes: events.and_then(wait),
            }
        })
        .collect();
    Some(Power {
        expected,
        per_minute,
        decidable,
        pass_events: pass,
        pass_minutes: pass.and_then(wait).map(|m| m.max(until_five)),
        fail,
    })
}

/// The end of an undecided sentence: what would show, and what a Pass needs; the latter not where the estimate already lies
/// `beyond` the tolerance, so that nobody waits for a Pass that the data speak against.
pub(super) fn hint(power: Option<&Power>, smallest: Option<f64>, beyond: bool) -> Option<String> {
    let power = power?;
    let shows = smallest.map_or_else(
        || "; no regression would show by now".into(),
        |r| format!("; {} would show by now", times(r)),
    );
    let needs = match (power.decidable, power.pass_events) {
        (true, Some(_)) if beyond => String::new(),
        (true, Some(events)) if events > power.expected => {
            let left = events - power.expected;
            let time = power
                .pass_minutes
                .map_or_else(String::new, |m| format!(" (about {:.0} min)", m.ceil()));
            format!(", a pass needs about {left:.0} more expected events{time}")
        }
        (true, Some(_)) => String::new(),
        _ => ". Not decidable with this baseline".into(),
    };
    Some(shows + &needs)
}

/// A gate that is still to come, for `check`: "this gate needs about 9 min at your traffic".
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GatePlan {
    /// The baseline's counts with their span.
    pub baseline: Counts,
    /// Requests a minute that the new version will see.
    pub requests_per_minute: f64,
    /// Where the baseline will come from.
    pub kind: BaselineKind,
    /// The noise.
    pub noise: Noise,
    /// The tolerated ratio.
    pub tolerance: f64,
    /// Which way is good.
    pub direction: Direction,
    /// Critical metrics of the gate.
    pub critical_metrics: u32,
}

/// Forecasts a gate from its opening: expected events, and the minutes to a Pass and to a Fail at 2×, 3× and 5×.
///
/// # Errors
/// One sentence when the baseline has fewer than ten events, a number is none, or the noise is unknown.
pub fn forecast(plan: &GatePlan) -> Result<Power, String> {
    let minutes = plan.baseline.minutes.filter(|m| m.is_finite() && *m > 0.0);
    let minutes = minutes.ok_or("the span of the baseline is unknown")?;
    let counts = [
        plan.baseline.events,
        plan.baseline.total,
        plan.requests_per_minute,
    ];
    if counts.iter().any(|v| !super::is_count(*v)) || !valid_tolerance(plan.tolerance) {
        return Err("a number of this gate is not a count, or its tolerance is not above 1".into());
    }
    if plan.baseline.events < MIN_BASELINE_EVENTS || plan.baseline.total <= 0.0 {
        return Err(format!(
            "the baseline has {:.0} of at least 10 events",
            plan.baseline.events
        ));
    }
    if plan.requests_per_minute <= 0.0 {
        return Err("the new version would see no traffic".into());
    }
    // A gate of one minute has the rate of any gate; nothing has been counted yet.
    let new = Counts::new(0.0, plan.requests_per_minute).over(1.0);
    let beside = plan.kind == BaselineKind::Concurrent;
    let share = if beside { 1.0 / minutes } else { 1.0 };
    let baseline = Counts::new(plan.baseline.events * share, plan.baseline.total * share)
        .over(minutes * share);
    let mut input = CountsInput::new(new, baseline, plan.kind);
    (input.noise, input.tolerance, input.direction) = (plan.noise, plan.tolerance, plan.direction);
    (input.critical_metrics, input.elapsed) = (plan.critical_metrics, Elapsed::Minutes(0.0));
    let (phi1, phi0) = phis(
        &plan.noise,
        Segment { new, baseline },
        baseline.events / baseline.total,
    )?;
    let stratum = Stratum {
        x1: 0.0,
        n1: new.total,
        x0: baseline.events,
        n0: baseline.total,
        phi1,
        phi0,
        day: day(plan.kind, &plan.noise)?,
    };
    let mut seen = power(&[stratum], &input).ok_or("the numbers of this gate are out of range")?;
    // The minute that stands for the traffic has not passed: count from the opening.
    let rate = seen.per_minute;
    let from_opening = |events: Option<f64>| events.zip(rate).map(|(e, r)| e / r);
    seen.expected = 0.0;
    seen.pass_minutes = from_opening(seen.pass_events).map(|m| m.max(MIN_PASS_MINUTES));
    for need in &mut seen.fail {
        need.minutes = from_opening(need.events);
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(kind: BaselineKind) -> GatePlan {
        GatePlan {
            baseline: Counts::new(1800.0, 180_000.0).over(60.0),
            requests_per_minute: 600.0,
            kind,
            noise: Noise::Assumed,
            tolerance: 1.5,
            direction: Direction::LowerIsBetter,
            critical_metrics: 1,
        }
    }

    #[test]
    fn needed_events_by_the_formulas() {
        let t = 1.5_f64;
        let m = 4.0 / (t - 1.0 - t.ln());
        let hour = forecast(&plan(BaselineKind::Hour)).unwrap();
        let wanted = m / (1.0 - t.sqrt() * m / 1800.0);
        assert!((hour.pass_events.unwrap() - wanted).abs() < 1e-9);
        // 600 requests a minute at 1 % expect 6 events a minute.
        assert!((hour.pass_minutes.unwrap() - wanted / 6.0).abs() < 1e-9);
        let beside = forecast(&plan(BaselineKind::Concurrent)).unwrap();
        let wanted = m * (1.0 + t.sqrt() * 600.0 / 3000.0);
        assert!((beside.pass_events.unwrap() - wanted).abs() < 1e-9);
        let f = 4.5 / (2.0 * 2.0_f64.ln() - 1.0);
        let need = hour.fail[0];
        assert!((need.events.unwrap() - f / (1.0 - 2.0_f64.sqrt() * f / 1800.0)).abs() < 1e-9);
        assert_eq!(
            hour.fail.iter().map(|f| f.ratio).collect::<Vec<_>>(),
            [2.0, 3.0, 5.0]
        );
    }

    #[test]
    fn a_thin_baseline_is_not_decidable() {
        let mut thin = plan(BaselineKind::Hour);
        thin.baseline = Counts::new(20.0, 2000.0).over(60.0);
        let seen = forecast(&thin).unwrap();
        assert!(!seen.decidable && seen.pass_events.is_none() && seen.pass_minutes.is_none());
        thin.baseline.events = 9.0;
        assert!(forecast(&thin).unwrap_err().contains("9 of at least 10"));
    }

    #[test]
    fn no_pass_is_promised_before_minute_five_and_noise_costs_time() {
        let mut busy = plan(BaselineKind::Hour);
        busy.requests_per_minute = 60_000.0;
        assert_eq!(forecast(&busy).unwrap().pass_minutes, Some(5.0));
        let mut noisy = plan(BaselineKind::Hour);
        noisy.noise = Noise::Given {
            phi_new: 3.0,
            phi_baseline: 3.0,
            day_sd: 0.0,
        };
        let (quiet, loud) = (
            forecast(&plan(BaselineKind::Hour)).unwrap(),
            forecast(&noisy).unwrap(),
        );
        assert!(loud.pass_events.unwrap() > 2.5 * quiet.pass_events.unwrap());
        assert!(loud.fail[0].events.unwrap() > 2.5 * quiet.fail[0].events.unwrap());
    }

    #[test]
    fn bad_plans_are_sentences() {
        for bad in [f64::NAN, f64::INFINITY, -1.0, 0.0] {
            let mut broken = plan(BaselineKind::Hour);
            broken.requests_per_minute = bad;
            assert!(forecast(&broken).is_err(), "{bad}");
        }
        let mut timeless = plan(BaselineKind::Hour);
        timeless.baseline.minutes = None;
        assert!(forecast(&timeless).is_err());
    }
}
