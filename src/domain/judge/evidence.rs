//! The evidence of SEMANTICS 6: mixture likelihood ratios for the ratio of two counts, in logarithms.
//!
//! Given the baseline's x0 events, the new version's x is negative binomial (a gamma posterior for the baseline's rate
//! mixed with Poisson counts): l(r, r0) = x·ln(r/r0) − (x+a)·ln((a + r·m)/(a + r0·m)) is its log likelihood ratio of r
//! against r0. Written with k = m/a it stays finite for x0 = 0, and with `ln_1p` exact for a large baseline.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Direction, EVIDENCE_NEEDED, Interval};

/// Ratios over the tested one that the Fail evidence is spread over, with equal weight.
const FAIL_RATIOS: [f64; 6] = [1.25, 1.5, 2.0, 3.0, 5.0, 10.0];
/// Ratios beyond this are not searched for.
const WIDEST: f64 = 1e6;
/// Tolerances beyond this are not searched for.
const WIDEST_TOLERANCE: f64 = 1e3;

/// Both tests' evidence, as natural logarithms; 50 is 3.912.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// ln E_F(1): that the new version is worse than the baseline.
    pub ln_fail: f64,
    /// ln E_P(T): that it is better than the tolerance.
    pub ln_pass: f64,
    /// What `ln_fail` must reach: ln(50·k) with k critical metrics.
    pub ln_fail_needed: f64,
    /// What `ln_pass` must reach: ln 50.
    pub ln_pass_needed: f64,
}

/// Counts of both groups under one canary weight, with their noise.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stratum {
    pub x1: f64,
    pub n1: f64,
    pub x0: f64,
    pub n0: f64,
    /// φ of the new version under "unchanged".
    pub phi1: f64,
    pub phi0: f64,
    /// D.
    pub day: f64,
}

/// A stratum scaled to Poisson counts: x = x1/φ1, a = 1/(φ0/x0 + D), k = m/a.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scaled {
    pub x: f64,
    pub a: f64,
    pub k: f64,
}

impl Stratum {
    /// Events expected of the new version at the baseline's rate, n1·x0/n0, before scaling.
    pub fn expected(&self) -> f64 {
        self.n1 * self.x0 / self.n0
    }

    pub fn scaled(&self) -> Scaled {
        self.scaled_by(self.phi1, self.phi0)
    }

    fn scaled_by(&self, phi1: f64, phi0: f64) -> Scaled {
        Scaled {
            x: self.x1 / phi1,
            a: self.x0 / (phi0 + self.day * self.x0),
            k: self.n1 * (phi0 + self.day * self.x0) / (self.n0 * phi1),
        }
    }

    /// Scaled as under the hypothesis that the ratio is `t`: φ1 becomes 1 + t(φ1 − 1), for a concurrent group φ0 likewise.
    fn scaled_under(&self, t: f64, concurrent: bool) -> Scaled {
        let under = |phi: f64| 1.0 + t * (phi - 1.0);
        let phi0 = if concurrent {
            under(self.phi0)
        } else {
            self.phi0
        };
        self.scaled_by(under(self.phi1), phi0)
    }
}

impl Scaled {
    /// m, the expected events in Poisson counts.
    pub fn expected(&self) -> f64 {
        self.a * self.k
    }

    /// l(r, r0).
    fn log_ratio(&self, r: f64, r0: f64) -> f64 {
        self.x * (r / r0).ln()
            - (self.x + self.a) * ((r - r0) * self.k / (1.0 + r0 * self.k)).ln_1p()
    }
}

/// ln(Σ w·exp v) without overflow. −∞ for nothing.
fn log_mix(terms: &[(f64, f64)]) -> f64 {
    let top = terms
        .iter()
        .map(|(_, v)| *v)
        .fold(f64::NEG_INFINITY, f64::max);
    if !top.is_finite() {
        return top;
    }
    top + terms
        .iter()
        .map(|(w, v)| w * (v - top).exp())
        .sum::<f64>()
        .ln()
}

/// ln E_F(r0) over all strata.
pub(super) fn ln_fail(strata: &[Scaled], r0: f64, direction: Direction) -> f64 {
    let share = 1.0 / FAIL_RATIOS.len() as f64;
    let terms = FAIL_RATIOS.map(|q| {
        let r = match direction {
            Direction::LowerIsBetter => q * r0,
            Direction::HigherIsBetter => r0 / q,
        };
        (share, strata.iter().map(|s| s.log_ratio(r, r0)).sum())
    });
    log_mix(&terms)
}

/// ln E_P(T) over all strata; for higher-is-better T → 1/T, √T → 1/√T, 0.5 → 2.
pub(super) fn ln_pass(
    strata: &[Stratum],
    tolerance: f64,
    direction: Direction,
    concurrent: bool,
) -> f64 {
    let (t, far) = match direction {
        Direction::LowerIsBetter => (tolerance, 0.5),
        Direction::HigherIsBetter => (1.0 / tolerance, 2.0),
    };
    let mut sums = [0.0; 3];
    for stratum in strata {
        let scaled = stratum.scaled_under(t, concurrent);
        for (sum, r) in sums.iter_mut().zip([1.0, t.sqrt(), far]) {
            *sum += scaled.log_ratio(r, t);
        }
    }
    let [unchanged, between, beyond] = sums;
    log_mix(&[(0.6, unchanged), (0.2, between), (0.2, beyond)])
}

/// The limit of ln E_P(T) when a frozen baseline meets ever more events of an unchanged new version: where it stays
/// below ln 50 no amount of traffic can pass. l(r, T) tends to a·(ln(T/r) − 1/r + 1/T).
pub(super) fn ln_pass_limit(a: f64, tolerance: f64, direction: Direction) -> f64 {
    let (t, far) = match direction {
        Direction::LowerIsBetter => (tolerance, 0.5),
        Direction::HigherIsBetter => (1.0 / tolerance, 2.0),
    };
    let limit = |r: f64| a * ((t / r).ln() - 1.0 / r + 1.0 / t);
    log_mix(&[(0.6, limit(1.0)), (0.2, limit(t.sqrt())), (0.2, limit(far))])
}

/// The stratified rate ratio of Mantel and Haenszel (Rothman and Greenland, *Modern Epidemiology*, ch. 15), which for one
/// stratum is (x1/n1)/(x0/n0). `None` without a baseline event.
pub(super) fn estimate(strata: &[Stratum]) -> Option<f64> {
    let weigh = |x: f64, n: f64, s: &Stratum| x * (n / (s.n0 + s.n1));
    let above: f64 = strata.iter().map(|s| weigh(s.x1, s.n0, s)).sum();
    let below: f64 = strata.iter().map(|s| weigh(s.x0, s.n1, s)).sum();
    (below > 0.0)
        .then(|| above / below)
        .filter(|r| r.is_finite())
}

/// Finds where `reached` turns between `no` and `yes` on a logarithmic scale; returns the side on which it holds.
pub(super) fn bisect(mut no: f64, mut yes: f64, reached: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..80 {
        let middle = (no * yes).sqrt();
        if reached(middle) {
            yes = middle;
        } else {
            no = middle;
        }
    }
    yes
}

/// The ratios that the evidence excludes on either side, each at 50.
pub(super) fn interval(strata: &[Stratum], direction: Direction, concurrent: bool) -> Interval {
    let needed = EVIDENCE_NEEDED.ln();
    let scaled: Vec<Scaled> = strata.iter().map(Stratum::scaled).collect();
    // ln E_F falls with r0 (lower-is-better) or rises with it (higher-is-better), so one crossing is all there is.
    let shown = |r0: f64| ln_fail(&scaled, r0, direction) >= needed;
    let (least, most) = match direction {
        Direction::LowerIsBetter => (1.0 / WIDEST, WIDEST),
        Direction::HigherIsBetter => (WIDEST, 1.0 / WIDEST),
    };
    let worse = shown(least).then(|| bisect(most, least, shown));
    let better = smallest_excluded(strata, direction, concurrent);
    match direction {
        Direction::LowerIsBetter => Interval {
            lower: worse,
            upper: better,
        },
        Direction::HigherIsBetter => Interval {
            lower: better.map(|t| 1.0 / t),
            upper: worse,
        },
    }
}

/// The smallest T' > 1 with E_P(T') ≥ 50. The evidence need not grow for ever with T' where φ does, so a grid finds the
/// first crossing and bisection sharpens it.
fn smallest_excluded(strata: &[Stratum], direction: Direction, concurrent: bool) -> Option<f64> {
    let reached = |t: f64| ln_pass(strata, t, direction, concurrent) >= EVIDENCE_NEEDED.ln();
    let steps = 300;
    let at = |i: u32| WIDEST_TOLERANCE.powf(f64::from(i) / f64::from(steps));
    (1..=steps)
        .find(|&i| reached(at(i)))
        .map(|i| bisect(at(i - 1), at(i), reached))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(x1: f64, n1: f64, x0: f64, n0: f64) -> Stratum {
        Stratum {
            x1,
            n1,
            x0,
            n0,
            phi1: 1.0,
            phi0: 1.0,
            day: 0.0,
        }
    }

    /// The rule's own formula, written out with m and a.
    fn plain(x: f64, a: f64, m: f64, r: f64, r0: f64) -> f64 {
        x * (r / r0).ln() - (x + a) * ((a + r * m) / (a + r0 * m)).ln()
    }

    #[test]
    fn the_log_ratio_is_the_rules_formula() {
        let s = Stratum {
            phi1: 1.7,
            phi0: 2.5,
            day: 0.03,
            ..one(31.0, 4100.0, 40.0, 4800.0)
        };
        let (x, m, a) = (
            31.0 / 1.7,
            4100.0 * 40.0 / (4800.0 * 1.7),
            1.0 / (2.5 / 40.0 + 0.03),
        );
        assert!((s.scaled().expected() - m).abs() < 1e-9);
        for (r, r0) in [(2.0, 1.0), (1.0, 1.5), (0.5, 1.5), (10.0, 1.0)] {
            assert!((s.scaled().log_ratio(r, r0) - plain(x, a, m, r, r0)).abs() < 1e-9);
        }
    }

    #[test]
    fn fail_and_pass_evidence_by_the_plain_formulas() {
        let s = one(31.0, 4100.0, 40.0, 4800.0);
        let (x, a, m) = (31.0, 40.0, 4100.0 * 40.0 / 4800.0);
        let e_f = [1.25, 1.5, 2.0, 3.0, 5.0, 10.0_f64]
            .iter()
            .map(|q| plain(x, a, m, *q, 1.0).exp() / 6.0)
            .sum::<f64>();
        assert!((ln_fail(&[s.scaled()], 1.0, Direction::LowerIsBetter) - e_f.ln()).abs() < 1e-9);
        let e_p = |t: f64, far: f64| {
            0.6 * plain(x, a, m, 1.0, t).exp()
                + 0.2 * plain(x, a, m, t.sqrt(), t).exp()
                + 0.2 * plain(x, a, m, far, t).exp()
        };
        let lower = ln_pass(&[s], 1.5, Direction::LowerIsBetter, false);
        assert!((lower - e_p(1.5, 0.5).ln()).abs() < 1e-9);
        let higher = ln_pass(&[s], 1.5, Direction::HigherIsBetter, false);
        assert!((higher - e_p(1.0 / 1.5, 2.0).ln()).abs() < 1e-9);
    }

    #[test]
    fn pass_evidence_scales_the_noise_to_the_tolerance() {
        let noisy = Stratum {
            phi1: 2.0,
            phi0: 3.0,
            ..one(50.0, 1e4, 60.0, 1e4)
        };
        let by_hand = |phi1, phi0| {
            ln_pass(
                &[Stratum {
                    x1: 50.0 / phi1,
                    n1: 1e4 / phi1,
                    x0: 60.0 / phi0,
                    n0: 1e4 / phi0,
                    phi1: 1.0,
                    phi0: 1.0,
                    day: 0.0,
                }],
                1.5,
                Direction::LowerIsBetter,
                false,
            )
        };
        let frozen = ln_pass(&[noisy], 1.5, Direction::LowerIsBetter, false);
        assert!((frozen - by_hand(2.5, 3.0)).abs() < 1e-9);
        let beside = ln_pass(&[noisy], 1.5, Direction::LowerIsBetter, true);
        assert!((beside - by_hand(2.5, 4.0)).abs() < 1e-9);
    }

    #[test]
    fn the_limit_is_what_endless_traffic_tends_to() {
        for direction in [Direction::LowerIsBetter, Direction::HigherIsBetter] {
            let s = one(40e7, 1e7, 40.0, 1.0);
            let seen = ln_pass(&[s], 1.5, direction, false);
            assert!(
                (seen - ln_pass_limit(40.0, 1.5, direction)).abs() < 1e-3,
                "{direction:?}"
            );
        }
    }

    #[test]
    fn weights_are_added_before_exp_and_an_empty_one_changes_nothing() {
        let s = one(31.0, 4100.0, 40.0, 4800.0);
        let none = one(0.0, 0.0, 12.0, 900.0);
        let d = Direction::LowerIsBetter;
        let alone = ln_fail(&[s.scaled()], 1.0, d);
        assert!((ln_fail(&[s.scaled(), none.scaled()], 1.0, d) - alone).abs() < 1e-12);
        let zero_baseline = one(3.0, 100.0, 0.0, 900.0);
        assert!(ln_fail(&[s.scaled(), zero_baseline.scaled()], 1.0, d).is_finite());
        let rate = estimate(&[s]).unwrap();
        assert!((rate - (31.0 / 4100.0) / (40.0 / 4800.0)).abs() < 1e-12);
        assert_eq!(estimate(&[zero_baseline]), None);
    }

    #[test]
    fn the_interval_ends_where_the_evidence_is_fifty() {
        let s = one(400.0, 1e5, 300.0, 1e5);
        for direction in [Direction::LowerIsBetter, Direction::HigherIsBetter] {
            let found = interval(&[s], direction, false);
            let (lower, upper) = (found.lower.unwrap(), found.upper.unwrap());
            assert!(lower < 400.0 / 300.0 && upper > 400.0 / 300.0, "{found:?}");
            let (worse, better) = match direction {
                Direction::LowerIsBetter => (lower, upper),
                Direction::HigherIsBetter => (upper, 1.0 / lower),
            };
            assert!((ln_fail(&[s.scaled()], worse, direction) - 50_f64.ln()).abs() < 1e-6);
            assert!((ln_pass(&[s], better, direction, false) - 50_f64.ln()).abs() < 1e-6);
        }
    }
}
