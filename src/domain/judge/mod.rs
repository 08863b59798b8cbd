//! The judge: is the new version worse than its baseline, said with a bounded rate of false alarms at any number of looks.
//!
//! Counts are judged by mixture likelihood ratios ([`judge_counts`]), which may be looked at as often as one likes: under the
//! hypothesis that is tested, E has mean at most 1, so P(E ever ≥ 50) ≤ 2 % (Ville 1939). Series of points are judged by ranks
//! ([`judge_series`]), at levels that add up to 2 % over all looks. [`judge_poll`] is the trigger's evidence,
//! [`judge_alerts`] the alert volume of the watch, and [`combine_gate`] joins the metrics of a gate.
//!
//! Guarantee, in these words: "At most 2 % false Fail at any number of looks for Poisson counts beside a concurrent group
//! (Ville's inequality); with an earlier baseline or scaled counts an approximation, held in simulation to 1.6 % false Fail
//! and 0.1 % false Pass at twice the tolerance over 10 minutes, for minute noise of 25–30 % and day noise up to 15 %." Not
//! covered: a harm that hits both groups, noise larger than in the 7 days, a traffic mix that differs.
//!
//! `benches/judge_table` repeats that simulation with the noise measured from each run's own history; its `TABLE.md` shows up to 1.8 %
//! false Fail beside a concurrent group with minute noise, and no false Pass at twice the tolerance.
//!
//! Sources: Wald 1945 (Ann. Math. Statist. 16, sequential tests); Robbins 1970 (Ann. Math. Statist. 41, mixtures); Howard,
//! Ramdas, McAuliffe and Sekhon 2021 (Ann. Statist. 49, confidence sequences); Johari et al. 2022 (Oper. Res., always valid
//! inference); Mann and Whitney 1947 and Hodges and Lehmann 1963 (Ann. Math. Statist. 18 and 34) for series.
//!
//! Everything here is a pure function. Numbers that are no counts (NaN, infinite, negative), zero traffic and missing
//! history end in an undecided verdict with a sentence, never in a pass and never in a panic.

mod alerts;
mod command;
mod counts;
#[cfg(test)]
mod counts_tests;
mod dispersion;
mod evidence;
mod gate;
mod noise;
mod power;
mod rank;
mod series;
#[cfg(test)]
mod simulation;
mod tail;
mod trigger;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::verdict::Verdict;
pub use alerts::{AlertVolume, judge_alerts, judge_alerts_within};
pub use command::{JudgeAnswer, QuantileQuestion, RatioQuestion, answer_quantile, answer_ratio};
pub use counts::{Counts, CountsInput, Elapsed, Segment, decide_counts, judge_counts};
pub use dispersion::{BLOCK_MINUTES, Block, Dispersion, MIN_BLOCKS, day_term, measure};
pub use evidence::Evidence;
pub use gate::{GateMetric, combine_gate, latch};
pub use noise::Noise;
pub use power::{FailNeed, GatePlan, Power, forecast};
pub use rank::{RankTest, Shift, hodges_lehmann, mann_whitney};
pub use series::{SeriesFigures, SeriesInput, judge_series, level_at_look};
pub use trigger::{Limit, PollInput, PollJudgement, PollState, Side, judge_poll};

/// The tolerated ratio where nothing else is agreed.
pub const DEFAULT_TOLERANCE: f64 = 1.5;
/// The tolerated ratio where the seven days before are the only baseline.
pub const SEVEN_DAYS_TOLERANCE: f64 = 2.0;
/// E must reach this, for either verdict (1/50 = 2 %).
pub const EVIDENCE_NEEDED: f64 = 50.0;
/// Baseline events below which no ratio is judged.
pub const MIN_BASELINE_EVENTS: f64 = 10.0;
/// Events of the new version (for higher-is-better: expected ones) below which nothing fails.
pub const MIN_FAIL_EVENTS: f64 = 5.0;
/// Minutes before which nothing passes.
pub const MIN_PASS_MINUTES: f64 = 5.0;
/// Fewer days of a seven-day baseline than this decide nothing.
pub const MIN_DAYS: u32 = 3;

/// Which way a metric is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Errors, slow requests, latency.
    #[default]
    LowerIsBetter,
    /// Conversion, throughput.
    HigherIsBetter,
}

/// What the new version is compared with (SEMANTICS 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BaselineKind {
    /// The stable group beside the canary, over the same minutes.
    #[serde(rename = "concurrent")]
    Concurrent,
    /// The 60 minutes before the deployment.
    #[serde(rename = "hour")]
    Hour,
    /// The same 60 minutes on the seven days before.
    #[serde(rename = "7d")]
    SevenDays,
}

impl BaselineKind {
    /// The tolerated ratio for this baseline where none is agreed.
    #[must_use]
    pub fn default_tolerance(self) -> f64 {
        match self {
            Self::Concurrent | Self::Hour => DEFAULT_TOLERANCE,
            Self::SevenDays => SEVEN_DAYS_TOLERANCE,
        }
    }

    /// The word shown for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Concurrent => "concurrent",
            Self::Hour => "hour",
            Self::SevenDays => "7d",
        }
    }
}

/// The ratio new/baseline: bounds that hold at any number of looks. An absent bound is one that the data do not show yet
/// ("no upper bound yet").
#[derive(Clone, Copy, Debug, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// The ratio is at least this.
    pub lower: Option<f64>,
    /// The ratio is at most this.
    pub upper: Option<f64>,
}

/// A verdict with all its evidence. Ratios are new over baseline, 1 = unchanged. No field is ever NaN or infinite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Judgement {
    /// The verdict (law 1).
    pub verdict: Verdict,
    /// Observations of the new version: requests, or points of a series.
    pub n: u64,
    /// Counts of the new version, all canary weights together; absent for a series and for numbers that are no counts.
    pub new: Option<Counts>,
    /// Counts of the baseline; absent likewise.
    pub baseline_counts: Option<Counts>,
    /// The estimated ratio.
    pub estimate: Option<f64>,
    /// Bounds of the ratio.
    pub interval: Interval,
    /// The tolerated ratio (higher-is-better: the new version may fall to 1/tolerance).
    pub tolerance: f64,
    /// Which way is good.
    pub direction: Direction,
    /// The smallest regression that would show by now; absent when none would.
    pub smallest_visible: Option<f64>,
    /// What more it takes, in events and minutes; absent for a series.
    pub power: Option<Power>,
    /// ln E of both tests; absent where they could not be computed.
    pub evidence: Option<Evidence>,
    /// Two-sided p-value, where the test has one.
    pub p_value: Option<f64>,
    /// Figures of a series; absent for counts.
    pub series: Option<SeriesFigures>,
    /// What it was compared with.
    pub baseline: BaselineKind,
    /// What a reader must know: "Poisson assumed", "below SLO", days used.
    pub notes: Vec<String>,
}

impl Judgement {
    fn empty(
        verdict: Verdict,
        n: u64,
        tolerance: f64,
        direction: Direction,
        baseline: BaselineKind,
    ) -> Self {
        Self {
            verdict,
            n,
            new: None,
            baseline_counts: None,
            estimate: None,
            interval: Interval::default(),
            tolerance,
            direction,
            smallest_visible: None,
            power: None,
            evidence: None,
            p_value: None,
            series: None,
            baseline,
            notes: Vec::new(),
        }
    }
}

/// A ratio as faces show it: two digits below 10 (`1.9×`), none from 100.
fn times(ratio: f64) -> String {
    if ratio >= 100.0 {
        format!("{ratio:.0}×")
    } else if ratio >= 1.0 {
        format!("{ratio:.1}×")
    } else {
        format!("{ratio:.2}×")
    }
}

/// A non-negative float as a whole number, saturating; 0 for NaN.
fn whole(value: f64) -> u64 {
    value.round() as u64
}

fn is_count(value: f64) -> bool {
    value.is_finite() && value >= 0.0
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
