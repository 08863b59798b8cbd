//! Ranks: the Mann–Whitney test and the Hodges–Lehmann shift with its interval.
//!
//! Mann and Whitney 1947 (Ann. Math. Statist. 18, the statistic, its recurrence and exact table); Hodges and Lehmann 1963
//! (Ann. Math. Statist. 34, the shift); Lehmann, *Nonparametrics*, 1975, ch. 1.4 (ties) and 2.5 (the interval from the ordered
//! differences). Choices that a package makes (exact below 50 points without ties, continuity correction) are those of R's
//! `wilcox.test`, so that a reader can check a figure there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tail::{normal_upper_quantile, normal_upper_tail};

/// Groups smaller than this are tested exactly.
const EXACT_BELOW: usize = 50;
/// Pairs beyond this are refused: the shift needs every difference in memory.
pub(super) const MOST_PAIRS: usize = 4_000_000;

/// The outcome of a two-sided Mann–Whitney test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RankTest {
    /// U: pairs in which the new point is larger, ties counting half.
    pub u: f64,
    /// Two-sided p-value.
    pub p_value: f64,
    /// Whether it is exact; else by the normal approximation with tie and continuity corrections.
    pub exact: bool,
}

/// The shift new − baseline, in the metric's unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Shift {
    /// The median of all differences.
    pub estimate: f64,
    /// Lower bound; absent when so few points reach no bound at this level.
    pub lower: Option<f64>,
    /// Upper bound; absent likewise.
    pub upper: Option<f64>,
}

/// The two-sided Mann–Whitney test of `new` against `baseline`. `None` when a group is empty or holds a number that is none.
#[must_use]
pub fn mann_whitney(new: &[f64], baseline: &[f64]) -> Option<RankTest> {
    if !usable(new) || !usable(baseline) {
        return None;
    }
    let mut all: Vec<(f64, bool)> = new.iter().map(|&v| (v, true)).collect();
    all.extend(baseline.iter().map(|&v| (v, false)));
    all.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (m, n) = (new.len() as f64, baseline.len() as f64);
    let (mut rank_sum, mut tie_term, mut before) = (0.0, 0.0, 0.0);
    // −0.0 and 0.0 are one value, so groups of ties go by `==`.
    for tied in all.chunk_by(|a, b| a.0 == b.0) {
        let t = tied.len() as f64;
        let ours = tied.iter().filter(|(_, new)| *new).count() as f64;
        rank_sum += ours * (before + (t + 1.0) / 2.0);
        tie_term += t * t * t - t;
        before += t;
    }
    let u = rank_sum - m * (m + 1.0) / 2.0;
    let exact = tie_term == 0.0 && new.len() < EXACT_BELOW && baseline.len() < EXACT_BELOW;
    let p_value = if exact {
        exact_p(u, new.len(), baseline.len())
    } else {
        let total = m + n;
        let variance = m * n / 12.0 * ((total + 1.0) - tie_term / (total * (total - 1.0)));
        normal_p(u - m * n / 2.0, variance)
    };
    Some(RankTest { u, p_value, exact })
}

fn usable(values: &[f64]) -> bool {
    !values.is_empty() && values.iter().all(|v| v.is_finite())
}

fn normal_p(distance: f64, variance: f64) -> f64 {
    if variance <= 0.0 {
        // Every point is equal: nothing speaks against equality.
        return 1.0;
    }
    let corrected = (distance.abs() - 0.5).max(0.0);
    (2.0 * normal_upper_tail(corrected / variance.sqrt())).min(1.0)
}

fn exact_p(u: f64, m: usize, n: usize) -> f64 {
    let chances = distribution(m, n);
    let at = super::whole(u) as usize;
    let low: f64 = chances.iter().take(at + 1).sum();
    let high: f64 = chances.iter().skip(at).sum();
    (2.0 * low.min(high)).min(1.0)
}

/// P(U = u) for u in 0..=mn without ties, by Mann and Whitney's recurrence: the largest of all points is a new one with
/// probability i/(i+j) and then beats j others. Sums of positive terms only, so no digit is lost.
fn distribution(m: usize, n: usize) -> Vec<f64> {
    // `row` holds, for the present i, the distributions of j = 0..=n.
    let mut row: Vec<Vec<f64>> = vec![vec![1.0]; n + 1];
    for i in 1..=m {
        let mut next: Vec<Vec<f64>> = Vec::with_capacity(n + 1);
        for (j, above) in row.iter().enumerate() {
            let ours = i as f64 / (i + j) as f64;
            let mut here = vec![0.0; i * j + 1];
            for (slot, p) in here.iter_mut().skip(j).zip(above) {
                *slot += ours * p;
            }
            if let Some(left) = next.last() {
                for (slot, p) in here.iter_mut().zip(left) {
                    *slot += (1.0 - ours) * p;
                }
            }
            next.push(here);
        }
        row = next;
    }
    row.pop().unwrap_or_default()
}

/// The Hodges–Lehmann shift with an interval of two-sided level `alpha` (0.02 = 98 %). With ties the interval errs on the wide
/// side. `None` when a group is empty, a number is none, or there are more than four million pairs.
#[must_use]
pub fn hodges_lehmann(new: &[f64], baseline: &[f64], alpha: f64) -> Option<Shift> {
    let pairs = new.len().checked_mul(baseline.len())?;
    let level = alpha > 0.0 && alpha < 1.0;
    if !(usable(new) && usable(baseline) && pairs <= MOST_PAIRS && level) {
        return None;
    }
    let mut differences: Vec<f64> = Vec::with_capacity(pairs);
    for a in new {
        differences.extend(baseline.iter().map(|b| a - b));
    }
    differences.sort_unstable_by(f64::total_cmp);
    let estimate = median_of_sorted(&differences).filter(|e| e.is_finite())?;
    let depth = depth(new.len(), baseline.len(), alpha / 2.0).filter(|d| *d <= pairs);
    let bound = |i: usize| differences.get(i).copied().filter(|d| d.is_finite());
    Some(Shift {
        estimate,
        lower: depth.and_then(|d| bound(d - 1)),
        upper: depth.and_then(|d| bound(pairs - d)),
    })
}

/// Which ordered difference from either end bounds the shift with at most `tail` beyond it; `None` when none does.
fn depth(m: usize, n: usize, tail: f64) -> Option<usize> {
    let depth = if m < EXACT_BELOW && n < EXACT_BELOW {
        let mut sum = 0.0;
        distribution(m, n)
            .iter()
            .take_while(|p| {
                sum += **p;
                sum < tail
            })
            .count()
    } else {
        let (m, n) = (m as f64, n as f64);
        let spread = (m * n * (m + n + 1.0) / 12.0).sqrt();
        super::whole((m * n / 2.0 - normal_upper_quantile(tail) * spread).floor()) as usize
    };
    (depth > 0).then_some(depth)
}

/// The median of values in ascending order; `None` for no value.
pub(super) fn median_of_sorted(sorted: &[f64]) -> Option<f64> {
    let middle = sorted.len() / 2;
    let high = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        return Some(high);
    }
    let low = *sorted.get(middle.checked_sub(1)?)?;
    Some(low + (high - low) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn near(got: f64, wanted: f64, by: f64) {
        assert!((got - wanted).abs() <= by, "{got} is not {wanted}");
    }

    /// Mann and Whitney 1947, table I: P(U ≤ u) for m = n = 3 and 4 (three digits).
    #[test]
    fn the_exact_distribution_equals_the_published_table() {
        let cumulated = |m, n| {
            let mut sum = 0.0;
            distribution(m, n)
                .into_iter()
                .map(|p| {
                    sum += p;
                    sum
                })
                .collect::<Vec<f64>>()
        };
        for (got, wanted) in cumulated(3, 3)
            .into_iter()
            .zip([0.050, 0.100, 0.200, 0.350, 0.500, 0.650])
        {
            near(got, wanted, 5e-4);
        }
        for (got, wanted) in cumulated(4, 4).into_iter().zip([
            0.014, 0.029, 0.057, 0.100, 0.171, 0.243, 0.343, 0.443, 0.557,
        ]) {
            near(got, wanted, 5e-4);
        }
        near(distribution(10, 30).iter().sum(), 1.0, 1e-12);
    }

    /// Critical values of U, two-sided 5 %, as every textbook prints them (Siegel 1956, table K).
    #[test]
    fn critical_values_equal_the_textbooks() {
        for (m, n, critical) in [
            (5, 5, 2),
            (8, 8, 13),
            (10, 10, 23),
            (7, 12, 18),
            (20, 20, 127),
        ] {
            let at = exact_p(f64::from(critical), m, n);
            let next = exact_p(f64::from(critical + 1), m, n);
            assert!(at <= 0.05 && next > 0.05, "{m} {n}: {at} {next}");
        }
    }

    /// Hollander and Wolfe 1973, p. 69: permeability of the membrane at term and at 12–26 weeks; the example of R's
    /// `wilcox.test`: W = 35, one-sided p = 0.1272, shift 0.305, 95 % interval (−0.15, 0.76).
    #[test]
    fn hollander_and_wolfes_permeability() {
        let term = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
        let weeks = [1.15, 0.88, 0.90, 0.74, 1.21];
        let test = mann_whitney(&term, &weeks).unwrap();
        assert_eq!((test.u, test.exact), (35.0, true));
        near(test.p_value, 2.0 * 0.1272, 1e-4);
        let shift = hodges_lehmann(&term, &weeks, 0.05).unwrap();
        near(shift.estimate, 0.305, 1e-9);
        near(shift.lower.unwrap(), -0.15, 1e-9);
        near(shift.upper.unwrap(), 0.76, 1e-9);
    }

    /// R's `airquality`, ozone of May against August, with many ties: W = 127.5, p = 0.0001208 (continuity corrected).
    #[test]
    fn ozone_with_ties() {
        let may = [
            41., 36., 12., 18., 28., 23., 19., 8., 7., 16., 11., 14., 18., 14., 34., 6., 30., 11.,
            1., 11., 4., 32., 23., 45., 115., 37.,
        ];
        let august = [
            39., 9., 16., 78., 35., 66., 122., 89., 110., 44., 28., 65., 22., 59., 23., 31., 44.,
            21., 9., 45., 168., 73., 76., 118., 84., 85.,
        ];
        let test = mann_whitney(&may, &august).unwrap();
        assert_eq!((test.u, test.exact), (127.5, false));
        near(test.p_value, 0.000_120_8, 5e-8);
    }

    #[test]
    fn equal_points_speak_for_nothing_and_too_few_bound_nothing() {
        let test = mann_whitney(&[3.0; 12], &[3.0; 40]).unwrap();
        assert_eq!((test.u, test.p_value), (240.0, 1.0));
        let shift = hodges_lehmann(&[1.0, 2.0], &[3.0, 4.0, 5.0], 0.02).unwrap();
        assert_eq!(
            (shift.estimate, shift.lower, shift.upper),
            (-2.5, None, None)
        );
        assert_eq!(mann_whitney(&[], &[1.0]), None);
        assert_eq!(mann_whitney(&[f64::NAN], &[1.0]), None);
        assert_eq!(hodges_lehmann(&[1.0], &[f64::INFINITY], 0.02), None);
    }

    #[test]
    fn the_exact_and_the_normal_interval_agree_where_they_meet() {
        let exact = depth(49, 49, 0.01).unwrap() as f64;
        let normal = 49.0 * 49.0 / 2.0
            - normal_upper_quantile(0.01) * (49.0_f64 * 49.0 * 99.0 / 12.0).sqrt();
        near(exact, normal, 3.0);
    }

    proptest! {
        #[test]
        fn mann_whitney_is_symmetric(a in points(), b in points()) {
            let (ab, ba) = (mann_whitney(&a, &b).unwrap(), mann_whitney(&b, &a).unwrap());
            prop_assert!((ab.u + ba.u - (a.len() * b.len()) as f64).abs() < 1e-9);
            prop_assert!((ab.p_value - ba.p_value).abs() < 1e-9);
            prop_assert!((0.0..=1.0).contains(&ab.p_value));
        }

        #[test]
        fn ranks_do_not_care_for_the_unit(a in points(), b in points()) {
            let scale = |v: &[f64]| v.iter().map(|x| x * 4.0).collect::<Vec<_>>();
            prop_assert_eq!(mann_whitney(&a, &b), mann_whitney(&scale(&a), &scale(&b)));
        }

        #[test]
        fn the_shift_follows_its_points(a in points(), b in points(), by in -64i32..64) {
            let by = f64::from(by);
            let moved: Vec<f64> = a.iter().map(|x| x + by).collect();
            let (here, there) = (hodges_lehmann(&a, &b, 0.02).unwrap(), hodges_lehmann(&moved, &b, 0.02).unwrap());
            prop_assert!((there.estimate - here.estimate - by).abs() < 1e-9);
            prop_assert_eq!(here.lower.map(|l| l + by), there.lower);
            prop_assert!(here.lower.is_none_or(|l| l <= here.estimate));
            prop_assert!(here.upper.is_none_or(|u| u >= here.estimate));
        }
    }

    /// Whole numbers in a small range: ties are common, sums are exact.
    fn points() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec((-40i32..40).prop_map(f64::from), 1..25)
    }
}
