//! One poll of a trigger: is the rate beyond its limit, and is that more than chance (SEMANTICS 7).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::counts::{Counts, Segment};
use super::noise::{day, phis};
use super::{BaselineKind, MIN_BASELINE_EVENTS, MIN_DAYS, Noise, finite, is_count, times, whole};

/// Evidence (natural logarithm of the likelihood ratio) that a breach needs.
const NEEDED: f64 = 10.0;
/// Least relative variance between days that a trigger reckons with: 10 % noise, over 72 hours of polls.
const LEAST_DAY_TERM: f64 = 0.01 * (1.0 + 1.0 / 7.0);

/// The side of the limit that is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// `above = …`
    Above,
    /// `below = …`
    Below,
}

/// What a ratio is held against.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// `2x baseline`.
    TimesBaseline(f64),
    /// A ratio (0.05 for 5 %), also the SLO's.
    Value(f64),
}

/// One poll of a ratio trigger.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PollInput {
    /// Counts over the trigger's window, with its minutes.
    pub window: Counts,
    /// The baseline's counts, where there is one; needed by [`Limit::TimesBaseline`].
    pub baseline: Option<Counts>,
    /// Where the baseline comes from.
    pub kind: BaselineKind,
    /// Days behind a seven-day baseline.
    pub days: Option<u32>,
    /// The noise.
    pub noise: Noise,
    /// The limit.
    pub limit: Limit,
    /// Its bad side.
    pub side: Side,
}

/// What one poll says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum PollState {
    /// Beyond the limit with enough evidence.
    Breached,
    /// Within the limit, or beyond it by what chance explains.
    Clear,
    /// No data, or data that says nothing.
    Undecided {
        /// One sentence.
        why: String,
    },
}

/// A poll's state with its distance. Values are in the limit's unit: × baseline, or the ratio itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PollJudgement {
    /// What it says.
    pub state: PollState,
    /// Where the metric is; absent where it cannot be said.
    pub value: Option<f64>,
    /// Where the limit is; absent when it is no number.
    pub limit: Option<f64>,
    /// The evidence gathered on the bad side; breached from 10.
    pub evidence: Option<f64>,
    /// From where a value counts at this traffic, at least the limit ("at this rate from 6×"); absent when none would.
    pub counts_from: Option<f64>,
}

impl PollJudgement {
    fn undecided(why: impl Into<String>, limit: f64) -> Self {
        Self {
            state: PollState::Undecided { why: why.into() },
            value: None,
            limit: finite(limit),
            evidence: None,
            counts_from: None,
        }
    }

    /// The words a pane shows when the traffic needs more than the limit: `at this rate from 6.0×`.
    #[must_use]
    pub fn reach(&self, limit: Limit) -> Option<String> {
        let (from, at) = (self.counts_from?, self.limit?);
        if (from / at - 1.0).abs() < 1e-3 {
            return None;
        }
        Some(match limit {
            Limit::TimesBaseline(_) => format!("at this rate from {}", times(from)),
            Limit::Value(_) => format!("at this rate from {:.2} %", from * 100.0),
        })
    }
}

/// x·ln(x/m) − (x+a)·ln((a+x)/(a+m)), the log likelihood ratio of "as seen" against "as expected"; with a = ∞ it is
/// Poisson's x·ln(x/m) − x + m. Grows with the distance of x from m.
fn surprise(x: f64, m: f64, a: f64) -> f64 {
    let own = if x > 0.0 { x * (x / m).ln() } else { 0.0 };
    if a.is_infinite() {
        own - x + m
    } else {
        own - (x + a) * ((x - m) / (a + m)).ln_1p()
    }
}

/// Judges one poll.
#[must_use]
pub fn judge_poll(input: &PollInput) -> PollJudgement {
    let (Limit::TimesBaseline(limit) | Limit::Value(limit)) = input.limit;
    match reference(input, limit) {
        Err(why) => PollJudgement::undecided(why, limit),
        Ok(reference) => compare(input, limit, &reference),
    }
}

/// What the window is held against: `m` Poisson events expected with weight `a`, at `unit` (1 = baseline, or the limit).
struct Reference {
    m: f64,
    a: f64,
    phi: f64,
    /// The metric's value at m, in the limit's unit.
    unit: f64,
}

fn reference(input: &PollInput, limit: f64) -> Result<Reference, String> {
    let window = input.window;
    if !is_count(window.events) || !is_count(window.total) {
        return Err("the window's numbers are no counts".into());
    }
    if window.total <= 0.0 {
        return Err("no traffic in the window".into());
    }
    if !(limit.is_finite() && limit > 0.0) {
        return Err("the limit is not a number above 0".into());
    }
    let found = match input.limit {
        Limit::TimesBaseline(_) => against_baseline(input)?,
        Limit::Value(_) => {
            // The hypothesis is "at the limit", so the noise is that of the events expected there.
            let at = Segment {
                new: window,
                baseline: window,
            };
            let (phi, _) = match input.noise {
                Noise::Unknown { .. } => (1.0, 1.0),
                known => phis(&known, at, limit)?,
            };
            Reference {
                m: window.total * limit / phi,
                a: f64::INFINITY,
                phi,
                unit: limit,
            }
        }
    };
    if found.m.is_finite() && found.m > 0.0 {
        Ok(found)
    } else {
        Err("the numbers are too far apart to be compared".into())
    }
}

fn against_baseline(input: &PollInput) -> Result<Reference, String> {
    let baseline = input
        .baseline
        .ok_or("there is no baseline to compare with")?;
    if !is_count(baseline.events) || !is_count(baseline.total) || baseline.total <= 0.0 {
        return Err("the baseline has no traffic, or its numbers are no counts".into());
    }
    if baseline.events < MIN_BASELINE_EVENTS {
        return Err(format!(
            "the baseline has {} of at least 10 events; only absolute limits apply",
            whole(baseline.events.floor())
        ));
    }
    let days = input.days.unwrap_or(0);
    if input.kind == BaselineKind::SevenDays && days < MIN_DAYS {
        return Err(format!(
            "the 7d baseline has {days} of at least {MIN_DAYS} days"
        ));
    }
    let rate = baseline.events / baseline.total;
    let (phi, phi0) = phis(
        &input.noise,
        Segment {
            new: input.window,
            baseline,
        },
        rate,
    )?;
    let day = day(input.kind, &input.noise)?.max(LEAST_DAY_TERM);
    Ok(Reference {
        m: input.window.total * rate / phi,
        a: 1.0 / (phi0 / baseline.events + day),
        phi,
        unit: 1.0,
    })
}

fn compare(input: &PollInput, limit: f64, reference: &Reference) -> PollJudgement {
    let Reference { m, a, phi, unit } = *reference;
    let x = input.window.events / phi;
    let value = x / m * unit;
    let gathered = surprise(x, m, a);
    if !gathered.is_finite() || !value.is_finite() {
        return PollJudgement::undecided("the numbers are too far apart to be compared", limit);
    }
    // Only the bad side counts: of what was expected, and of the limit.
    let (bad, beyond) = match input.side {
        Side::Above => (x > m, value > limit),
        Side::Below => (x < m, value < limit),
    };
    let evidence = if bad { gathered } else { 0.0 };
    let counts_from = counts_from(input.side, limit, reference);
    PollJudgement {
        state: if beyond && evidence >= NEEDED {
            PollState::Breached
        } else if counts_from.is_none() {
            // It could not trip whatever happened: that is not clear (law 1).
            PollState::Undecided {
                why: format!(
                    "at this traffic no value would count: {m:.1} events expected, about 10 needed"
                ),
            }
        } else {
            PollState::Clear
        },
        value: Some(value),
        limit: Some(limit),
        evidence: Some(evidence),
        counts_from,
    }
}

/// The value nearest to the limit, on its bad side, that has the evidence at this traffic.
fn counts_from(side: Side, limit: f64, reference: &Reference) -> Option<f64> {
    let Reference { m, a, unit, .. } = *reference;
    let enough = |value: f64| {
        let x = value / unit * m;
        let bad = match side {
            Side::Above => x > m,
            Side::Below => x < m,
        };
        bad && surprise(x, m, a) >= NEEDED
    };
    if enough(limit) {
        return Some(limit);
    }
    let far = match side {
        Side::Above => limit.max(unit) * 1e9,
        Side::Below => limit.min(unit) * 1e-9,
    };
    enough(far).then(|| super::evidence::bisect(limit, far, enough))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(events: f64, total: f64) -> PollInput {
        PollInput {
            window: Counts::new(events, total).over(5.0),
            baseline: Some(Counts::new(600.0, 60_000.0).over(60.0)),
            kind: BaselineKind::Hour,
            days: None,
            noise: Noise::Assumed,
            limit: Limit::TimesBaseline(2.0),
            side: Side::Above,
        }
    }

    #[test]
    fn evidence_is_the_rules_formula() {
        let seen = judge_poll(&poll(150.0, 6000.0));
        let (x, m) = (150.0_f64, 60.0_f64);
        let a = 1.0 / (1.0 / 600.0 + 0.01 * 8.0 / 7.0);
        let wanted = x * (x / m).ln() - (x + a) * ((a + x) / (a + m)).ln();
        assert!((seen.evidence.unwrap() - wanted).abs() < 1e-9);
        assert_eq!(seen.state, PollState::Breached);
        assert!((seen.value.unwrap() - 2.5).abs() < 1e-12);
    }

    #[test]
    fn beyond_the_limit_without_evidence_is_clear_and_says_from_where_it_counts() {
        // 2 expected, 5 seen: 2.5×, but five events are no proof.
        let seen = judge_poll(&poll(5.0, 200.0));
        assert_eq!(seen.state, PollState::Clear);
        let from = seen.counts_from.unwrap();
        assert!(from > 5.0 && from < 10.0, "{from}");
        assert!(
            seen.reach(Limit::TimesBaseline(2.0))
                .unwrap()
                .starts_with("at this rate from")
        );
        let there = judge_poll(&poll(from * 2.0 * 1.0001, 200.0));
        assert_eq!(there.state, PollState::Breached);
        let short = judge_poll(&poll(from * 2.0 * 0.9999, 200.0));
        assert_eq!(short.state, PollState::Clear);
    }

    #[test]
    fn much_evidence_within_the_limit_is_clear() {
        let seen = judge_poll(&poll(1900.0, 100_000.0));
        assert_eq!(seen.state, PollState::Clear, "{seen:?}");
        assert_eq!(seen.counts_from, Some(2.0));
        assert_eq!(seen.reach(Limit::TimesBaseline(2.0)), None);
    }

    #[test]
    fn what_cannot_trip_at_this_traffic_is_undecided_and_says_so() {
        // 8 orders expected and none came: even that would not count.
        let mut none = poll(0.0, 800.0);
        none.side = Side::Below;
        none.limit = Limit::TimesBaseline(0.5);
        for events in [0.0, 8.0] {
            none.window.events = events;
            let seen = judge_poll(&none);
            let PollState::Undecided { why } = &seen.state else {
                panic!("{seen:?}");
            };
            assert!(why.contains("8.0 events expected"), "{why}");
            assert_eq!((seen.limit, seen.counts_from), (Some(0.5), None));
            assert_eq!(seen.value, Some(events / 8.0));
        }
        // With 20 expected it can, and none is a breach.
        none.window = Counts::new(0.0, 2000.0).over(5.0);
        assert_eq!(judge_poll(&none).state, PollState::Breached);
        // Against a value likewise.
        let mut fixed = none;
        fixed.limit = Limit::Value(0.004);
        assert!(matches!(
            judge_poll(&fixed).state,
            PollState::Undecided { .. }
        ));
    }

    #[test]
    fn against_a_value_only_the_bad_side_counts() {
        let mut p = poll(100.0, 1000.0);
        p.limit = Limit::Value(0.05);
        p.baseline = None;
        let seen = judge_poll(&p);
        let wanted = 100.0 * 2.0_f64.ln() - 100.0 + 50.0;
        assert!((seen.evidence.unwrap() - wanted).abs() < 1e-9);
        assert_eq!(seen.state, PollState::Breached);
        p.noise = Noise::Unknown { blocks: 0 };
        assert_eq!(judge_poll(&p).state, PollState::Breached);
        p.window.events = 5.0;
        let below = judge_poll(&p);
        assert_eq!((below.state, below.evidence), (PollState::Clear, Some(0.0)));
        p.side = Side::Below;
        assert_eq!(judge_poll(&p).state, PollState::Breached);
    }

    #[test]
    fn nothing_is_said_without_data() {
        let mut few = poll(50.0, 5000.0);
        few.baseline = Some(Counts::new(9.0, 60_000.0).over(60.0));
        let mut week = poll(500.0, 5000.0);
        (week.kind, week.days) = (BaselineKind::SevenDays, Some(2));
        let mut none = poll(500.0, 5000.0);
        none.baseline = None;
        let mut noise = poll(500.0, 5000.0);
        noise.noise = Noise::Unknown { blocks: 40 };
        let mut limit = poll(500.0, 5000.0);
        limit.limit = Limit::Value(f64::NAN);
        for input in [
            few,
            week,
            none,
            noise,
            limit,
            poll(0.0, 0.0),
            poll(f64::NAN, 10.0),
            poll(-1.0, 10.0),
            poll(1.0, f64::INFINITY),
        ] {
            let seen = judge_poll(&input);
            assert!(
                matches!(seen.state, PollState::Undecided { .. }),
                "{input:?}"
            );
        }
    }
}
