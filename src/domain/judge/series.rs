//! The verdict on a series of points (a quantile or a gauge) by ranks (SEMANTICS 6).

use std::f64::consts::PI;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rank::{MOST_PAIRS, RankTest, Shift, hodges_lehmann, mann_whitney, median_of_sorted};
use super::{BaselineKind, Direction, Interval, Judgement};
use crate::domain::verdict::Verdict;

/// The two-sided error that all looks share.
const LEVEL: f64 = 0.02;
/// Points that a decision needs, new and baseline.
const MIN_NEW: usize = 10;
const MIN_BASELINE: usize = 30;
/// A part of the points counts as shifted when the share beyond the margin exceeds the baseline's own by more than this: of ten
/// points one may be an accident, two are a part.
const PART: f64 = 0.15;

/// All that the verdict on a series depends on. Points do not overlap in time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeriesInput {
    /// The new version's points, in the metric's unit.
    pub new: Vec<f64>,
    /// The baseline's points.
    pub baseline: Vec<f64>,
    /// Where the baseline comes from.
    pub kind: BaselineKind,
    /// The tolerated change as a share of the baseline's median (0.25 = 25 %).
    pub margin: f64,
    /// Which way is good.
    pub direction: Direction,
    /// Which look this is, from 1.
    pub look: u32,
    /// Whether it decides (`decides = true`); else the figures are shown and the verdict is "not run".
    pub decides: bool,
    /// Why a Pass cannot be given ("clean from 14:20"); none normally.
    pub pass_barred: Option<String>,
}

impl SeriesInput {
    /// A first look that decides, with the default margin of 25 %.
    #[must_use]
    pub fn new(new: Vec<f64>, baseline: Vec<f64>, kind: BaselineKind) -> Self {
        Self {
            new,
            baseline,
            kind,
            margin: 0.25,
            direction: Direction::LowerIsBetter,
            look: 1,
            decides: true,
            pass_barred: None,
        }
    }
}

/// What is shown of a series.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeriesFigures {
    /// Points of the new version.
    pub new_points: usize,
    /// Points of the baseline.
    pub baseline_points: usize,
    /// Median of the baseline, in the metric's unit.
    pub baseline_median: f64,
    /// Median of the new version.
    pub new_median: f64,
    /// Mann–Whitney.
    pub test: RankTest,
    /// Hodges–Lehmann, in the metric's unit, at `level`.
    pub shift: Shift,
    /// The two-sided level of the interval at this look.
    pub level: f64,
    /// Share of new points beyond ± the margin of the baseline's median.
    pub beyond: f64,
    /// Share of new points beyond it on the bad side.
    pub beyond_bad: f64,
    /// The same share of the baseline's own points.
    pub baseline_beyond_bad: f64,
}

/// The two-sided level at look k (from 1): 2 % · 6/(π²k²), which adds up to 2 % over all looks (Σ 1/k² = π²/6).
#[must_use]
pub fn level_at_look(k: u32) -> f64 {
    let k = f64::from(k.max(1));
    LEVEL * 6.0 / (PI * PI * k * k)
}

/// Judges a series: Pass when the whole interval of the shift lies within the margin, Fail when it lies beyond.
#[must_use]
pub fn judge_series(input: &SeriesInput) -> Judgement {
    let n = input.new.len() as u64;
    let undecided = |why: String| {
        Judgement::empty(
            Verdict::undecided(why, n),
            n,
            1.25,
            input.direction,
            input.kind,
        )
    };
    let figures = match figures(input) {
        Ok(figures) => figures,
        Err(why) => return undecided(why),
    };
    let verdict = if input.decides {
        verdict(input, &figures)
    } else {
        Verdict::not_run("shown beside the counts; it decides nothing without decides = true")
    };
    let mut judgement =
        Judgement::empty(verdict, n, 1.0 + input.margin, input.direction, input.kind);
    // Shifts become ratios, so that a series and counts read alike.
    let relative = |shift: Option<f64>| {
        shift.and_then(|shift| super::finite(1.0 + shift / figures.baseline_median))
    };
    judgement.estimate = relative(Some(figures.shift.estimate));
    judgement.interval = Interval {
        lower: relative(figures.shift.lower),
        upper: relative(figures.shift.upper),
    };
    judgement.smallest_visible = relative(smallest_visible(input, &figures));
    judgement.p_value = Some(figures.test.p_value);
    judgement.series = Some(figures);
    judgement
}

fn figures(input: &SeriesInput) -> Result<SeriesFigures, String> {
    for (points, whose) in [(&input.new, "new version"), (&input.baseline, "baseline")] {
        let bad = points.iter().filter(|p| !p.is_finite()).count();
        if bad > 0 {
            return Err(format!(
                "{bad} of {} points of the {whose} are no numbers",
                points.len()
            ));
        }
        if points.is_empty() {
            return Err(format!("the {whose} has no points"));
        }
    }
    if !(input.margin > 0.0 && input.margin.is_finite()) {
        return Err("the tolerated change must lie above 0".into());
    }
    if input.direction == Direction::HigherIsBetter && input.margin >= 1.0 {
        return Err("a tolerated fall of 100 % or more tolerates everything".into());
    }
    let (baseline_median, new_median) = (median(&input.baseline)?, median(&input.new)?);
    if baseline_median <= 0.0 {
        return Err("the baseline's median is not above 0, so a share of it means nothing".into());
    }
    let level = if input.decides {
        level_at_look(input.look)
    } else {
        LEVEL
    };
    let shift = hodges_lehmann(&input.new, &input.baseline, level)
        .ok_or_else(|| format!("too many or too large points (at most {MOST_PAIRS} pairs)"))?;
    let test = mann_whitney(&input.new, &input.baseline).ok_or("the points cannot be ranked")?;
    let high = baseline_median * (1.0 + input.margin);
    let low = baseline_median * (1.0 - input.margin);
    let share = |points: &[f64], beyond: &dyn Fn(f64) -> bool| {
        points.iter().filter(|p| beyond(**p)).count() as f64 / points.len() as f64
    };
    let bad = |p: f64| match input.direction {
        Direction::LowerIsBetter => p > high,
        Direction::HigherIsBetter => p < low,
    };
    Ok(SeriesFigures {
        new_points: input.new.len(),
        baseline_points: input.baseline.len(),
        baseline_median,
        new_median,
        test,
        shift,
        level,
        beyond: share(&input.new, &|p| p > high || p < low),
        beyond_bad: share(&input.new, &bad),
        baseline_beyond_bad: share(&input.baseline, &bad),
    })
}

fn median(points: &[f64]) -> Result<f64, String> {
    let mut sorted = points.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let found = median_of_sorted(&sorted).filter(|m| m.is_finite());
    found.ok_or_else(|| "the points have no median".into())
}

fn verdict(input: &SeriesInput, seen: &SeriesFigures) -> Verdict {
    let n = seen.new_points as u64;
    if seen.new_points < MIN_NEW || seen.baseline_points < MIN_BASELINE {
        return Verdict::undecided(
            format!(
                "{} against {} points; it needs {MIN_NEW} against {MIN_BASELINE}",
                seen.new_points, seen.baseline_points
            ),
            n,
        );
    }
    let (Some(lower), Some(upper)) = (seen.shift.lower, seen.shift.upper) else {
        return Verdict::undecided("too few points to bound the shift at this look", n);
    };
    let margin = seen.baseline_median * input.margin;
    let (beyond, within) = match input.direction {
        Direction::LowerIsBetter => (lower > margin, upper < margin),
        Direction::HigherIsBetter => (upper < -margin, lower > -margin),
    };
    if beyond {
        return Verdict::Fail;
    }
    let percent = |share: f64| share * 100.0;
    if !within {
        return Verdict::undecided(
            format!(
                "the shift lies between {:+.0} % and {:+.0} % of the baseline's median; {:.0} % are tolerated",
                percent(lower / seen.baseline_median),
                percent(upper / seen.baseline_median),
                percent(input.margin)
            ),
            n,
        );
    }
    if seen.beyond_bad > seen.baseline_beyond_bad + PART {
        return Verdict::undecided(
            format!(
                "a part of the points is shifted: {:.0} % lie beyond {:.0} %, of the baseline's {:.0} %",
                percent(seen.beyond_bad),
                percent(input.margin),
                percent(seen.baseline_beyond_bad)
            ),
            n,
        );
    }
    match &input.pass_barred {
        Some(why) => Verdict::undecided(why.clone(), n),
        None => Verdict::Pass,
    }
}

/// The shift that would fail by now, were all new points moved together: the margin and the interval's bad half.
fn smallest_visible(input: &SeriesInput, seen: &SeriesFigures) -> Option<f64> {
    if seen.new_points < MIN_NEW || seen.baseline_points < MIN_BASELINE {
        return None;
    }
    let margin = seen.baseline_median * input.margin;
    match input.direction {
        Direction::LowerIsBetter => seen
            .shift
            .lower
            .map(|low| margin + (seen.shift.estimate - low)),
        // A fall of 100 % is the most there is.
        Direction::HigherIsBetter => seen
            .shift
            .upper
            .map(|high| -margin - (high - seen.shift.estimate))
            .filter(|shift| *shift > -seen.baseline_median),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points around `level`, spread by ±`spread` in a fixed order.
    fn around(level: f64, spread: f64, count: u32) -> Vec<f64> {
        (0..count)
            .map(|i| level + spread * (f64::from(i * 7919 % 101) / 50.0 - 1.0))
            .collect()
    }

    fn input(new: Vec<f64>) -> SeriesInput {
        SeriesInput::new(new, around(200.0, 20.0, 60), BaselineKind::Hour)
    }

    #[test]
    fn same_passes_doubled_fails_and_a_quarter_is_open() {
        for (level, word) in [
            (200.0, "pass"),
            (400.0, "fail"),
            (250.0, "undecided"),
            (100.0, "pass"),
        ] {
            let judged = judge_series(&input(around(level, 20.0, 30)));
            assert_eq!(judged.verdict.word(), word, "{level}: {judged:?}");
            assert!((judged.estimate.unwrap() - level / 200.0).abs() < 0.05);
            assert!(judged.p_value.is_some());
        }
    }

    #[test]
    fn higher_is_better_mirrors() {
        for (level, word) in [
            (200.0, "pass"),
            (100.0, "fail"),
            (150.0, "undecided"),
            (400.0, "pass"),
        ] {
            let mut series = input(around(level, 20.0, 30));
            series.direction = Direction::HigherIsBetter;
            assert_eq!(judge_series(&series).verdict.word(), word, "{level}");
        }
    }

    #[test]
    fn a_large_shift_in_a_part_of_the_points_is_never_a_pass() {
        let mut points = around(200.0, 20.0, 30);
        for point in points.iter_mut().take(6) {
            *point *= 100.0;
        }
        let judged = judge_series(&input(points));
        assert!(
            judged
                .verdict
                .why()
                .unwrap()
                .contains("a part of the points"),
            "{judged:?}"
        );
        // Seven of ten points a hundredfold: no pass either.
        let mut ten = around(200.0, 20.0, 10);
        for point in ten.iter_mut().take(7) {
            *point *= 100.0;
        }
        assert!(!judge_series(&input(ten)).verdict.is_green());
    }

    #[test]
    fn levels_add_up_to_two_percent() {
        let sum: f64 = (1..=100_000).map(level_at_look).sum();
        assert!(sum < 0.02 && sum > 0.019_99, "{sum}");
        assert_eq!(level_at_look(0), level_at_look(1));
        let (mut first, mut tenth) = (
            input(around(200.0, 20.0, 30)),
            input(around(200.0, 20.0, 30)),
        );
        (first.look, tenth.look) = (1, 10);
        let width = |j: &Judgement| j.interval.upper.unwrap() - j.interval.lower.unwrap();
        assert!(width(&judge_series(&tenth)) > width(&judge_series(&first)));
    }

    #[test]
    fn without_decides_the_figures_are_shown_and_nothing_is_green() {
        let mut series = input(around(200.0, 20.0, 30));
        series.decides = false;
        let judged = judge_series(&series);
        assert_eq!(judged.verdict.word(), "not run");
        assert_eq!(judged.series.unwrap().level, 0.02);
    }

    #[test]
    fn broken_or_few_points_never_decide() {
        let good = || around(200.0, 20.0, 30);
        let mut few_baseline = input(good());
        few_baseline.baseline.truncate(29);
        let mut zero = input(good());
        zero.baseline = vec![0.0; 40];
        let mut barred = input(good());
        barred.pass_barred = Some("clean from 14:20".into());
        let mut margin = input(good());
        margin.margin = f64::NAN;
        for series in [
            input(Vec::new()),
            input(vec![f64::NAN; 30]),
            input(vec![f64::INFINITY; 30]),
            input(vec![f64::MAX; 30]),
            input(around(200.0, 20.0, 9)),
            few_baseline,
            zero,
            barred,
            margin,
        ] {
            let judged = judge_series(&series);
            assert!(
                judged.verdict.why().is_some_and(|w| !w.is_empty()) || judged.verdict.is_fail()
            );
            assert!(!judged.verdict.is_green(), "{judged:?}");
        }
    }
}
