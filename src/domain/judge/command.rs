//! `cockpit judge`: the judge for a pipeline that has its own two numbers or two files.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    BaselineKind, Counts, CountsInput, DEFAULT_TOLERANCE, Direction, Interval, Judgement, Noise,
    SeriesInput, judge_counts, judge_series,
};

/// `--kind ratio --baseline 12/4800 --new 31/4100`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RatioQuestion {
    /// `--new`
    pub new: Counts,
    /// `--baseline`
    pub baseline: Counts,
    /// `--tolerance`; 1.5 where absent.
    pub tolerance: Option<f64>,
    /// `--direction`
    pub direction: Direction,
    /// `--phi`, for both groups; 1 and "Poisson assumed" where absent.
    pub phi: Option<f64>,
    /// `--day-sd`, the relative standard deviation between days; 0 where absent.
    pub day_sd: Option<f64>,
}

/// `--kind quantile --baseline a.csv --new b.csv`. One look.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantileQuestion {
    /// `--new`, one value a line.
    pub new: Vec<f64>,
    /// `--baseline`, likewise.
    pub baseline: Vec<f64>,
    /// `--tolerance` as a ratio to the baseline's median; 1.25 where absent.
    pub tolerance: Option<f64>,
    /// `--direction`
    pub direction: Direction,
}

/// The answer, flat, as `--json` prints it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JudgeAnswer {
    /// `pass`, `fail` or `undecided`.
    pub verdict: String,
    /// Why it is undecided.
    pub why: Option<String>,
    /// Requests, or points, of the new version.
    pub n: u64,
    /// New over baseline.
    pub estimate: Option<f64>,
    /// Bounds of the estimate.
    pub interval: Interval,
    /// The tolerated ratio.
    pub tolerance: f64,
    /// Two-sided, where the test has one.
    pub p_value: Option<f64>,
    /// The smallest regression that would have shown.
    pub smallest_visible: Option<f64>,
    /// What a reader must know.
    pub notes: Vec<String>,
    /// The process's exit code: 0 pass, 1 fail, 2 undecided, 3 not run.
    #[serde(skip)]
    #[schemars(skip)]
    pub exit_code: u8,
}

impl From<Judgement> for JudgeAnswer {
    fn from(judged: Judgement) -> Self {
        Self {
            verdict: judged.verdict.word().into(),
            why: judged.verdict.why().map(Into::into),
            n: judged.n,
            estimate: judged.estimate,
            interval: judged.interval,
            tolerance: judged.tolerance,
            p_value: judged.p_value,
            smallest_visible: judged.smallest_visible,
            notes: judged.notes,
            exit_code: judged.verdict.exit_code(),
        }
    }
}

/// Answers a question about counts.
#[must_use]
pub fn answer_ratio(question: &RatioQuestion) -> JudgeAnswer {
    let day_sd = question.day_sd.unwrap_or(0.0);
    // The day term belongs to a baseline of other days; the person who gives one has such a baseline.
    let kind = if day_sd == 0.0 {
        BaselineKind::Hour
    } else {
        BaselineKind::SevenDays
    };
    let mut input = CountsInput::new(question.new, question.baseline, kind);
    input.days = Some(7);
    input.tolerance = question.tolerance.unwrap_or(DEFAULT_TOLERANCE);
    input.direction = question.direction;
    if question.phi.is_some() || day_sd != 0.0 {
        let phi = question.phi.unwrap_or(1.0);
        input.noise = Noise::Given {
            phi_new: phi,
            phi_baseline: phi,
            day_sd,
        };
    }
    let mut judged = judge_counts(&input);
    judged.notes.retain(|note| !note.starts_with("baseline of"));
    if question.phi.is_none() && input.noise != Noise::Assumed {
        judged.notes.push("Poisson assumed".into());
    }
    judged.into()
}

/// Answers a question about two samples.
#[must_use]
pub fn answer_quantile(question: &QuantileQuestion) -> JudgeAnswer {
    let mut input = SeriesInput::new(
        question.new.clone(),
        question.baseline.clone(),
        BaselineKind::Hour,
    );
    input.direction = question.direction;
    if let Some(tolerance) = question.tolerance {
        input.margin = tolerance - 1.0;
    }
    judge_series(&input).into()
}

impl FromStr for Counts {
    type Err = String;

    /// Reads `events/total`, as in `31/4100`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "expected events/total as in 31/4100, found {:?}",
                text.chars().take(40).collect::<String>()
            )
        };
        let (events, total) = text.split_once('/').ok_or_else(wrong)?;
        let number = |part: &str| {
            part.trim()
                .parse::<f64>()
                .ok()
                .filter(|v| super::is_count(*v))
                .ok_or_else(wrong)
        };
        Ok(Self::new(number(events)?, number(total)?))
    }
}

impl JudgeAnswer {
    /// One line for a person: the verdict's word, the estimate with its bounds, and the sentence.
    #[must_use]
    pub fn words(&self) -> String {
        let ratio =
            |value: Option<f64>, none: &str| value.map_or_else(|| none.to_owned(), super::times);
        let mut line = format!(
            "{}: {} [{} to {}] against {}, n = {}",
            self.verdict,
            ratio(self.estimate, "no estimate"),
            ratio(self.interval.lower, "no lower bound yet"),
            ratio(self.interval.upper, "no upper bound yet"),
            super::times(self.tolerance),
            self.n
        );
        for more in self.why.iter().chain(&self.notes) {
            line.push_str("; ");
            line.push_str(more);
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(new: &str, baseline: &str) -> RatioQuestion {
        RatioQuestion {
            new: new.parse().unwrap(),
            baseline: baseline.parse().unwrap(),
            tolerance: None,
            direction: Direction::LowerIsBetter,
            phi: None,
            day_sd: None,
        }
    }

    #[test]
    fn a_pipeline_gets_word_exit_code_and_assumption() {
        for (new, baseline, word, code) in [
            ("900/100000", "1000/100000", "pass", 0),
            ("400/10000", "1000/100000", "fail", 1),
            ("31/4100", "12/4800", "fail", 1),
            ("20/4100", "12/4800", "undecided", 2),
        ] {
            let answer = answer_ratio(&ratio(new, baseline));
            assert_eq!(
                (answer.verdict.as_str(), answer.exit_code),
                (word, code),
                "{answer:?}"
            );
            assert_eq!(answer.notes, ["Poisson assumed"]);
            assert!(answer.words().starts_with(word));
        }
    }

    #[test]
    fn phi_and_day_noise_cost_evidence() {
        let mut noisy = ratio("900/100000", "1000/100000");
        noisy.phi = Some(40.0);
        assert_eq!(answer_ratio(&noisy).exit_code, 2);
        assert!(answer_ratio(&noisy).notes.is_empty());
        let mut days = ratio("900/100000", "1000/100000");
        days.day_sd = Some(0.3);
        let answer = answer_ratio(&days);
        assert_eq!((answer.exit_code, answer.tolerance), (2, 1.5));
        assert_eq!(answer.notes, ["Poisson assumed"]);
        for bad in [f64::NAN, 0.5, f64::INFINITY] {
            noisy.phi = Some(bad);
            assert_eq!(answer_ratio(&noisy).exit_code, 2, "{bad}");
        }
        days.day_sd = Some(f64::NAN);
        assert_eq!(answer_ratio(&days).exit_code, 2);
    }

    #[test]
    fn two_files_of_a_quantile_are_one_look() {
        let points = |level: f64| {
            (0..40)
                .map(|i| level + f64::from(i % 7))
                .collect::<Vec<_>>()
        };
        let ask = |new| QuantileQuestion {
            new,
            baseline: points(100.0),
            tolerance: None,
            direction: Direction::LowerIsBetter,
        };
        let answer = answer_quantile(&ask(points(101.0)));
        assert_eq!((answer.exit_code, answer.tolerance), (0, 1.25));
        assert!(answer.p_value.is_some());
        assert_eq!(answer_quantile(&ask(points(200.0))).exit_code, 1);
        assert_eq!(answer_quantile(&ask(Vec::new())).exit_code, 2);
    }

    #[test]
    fn counts_are_read_or_refused_with_the_text() {
        assert_eq!(
            "31/4100".parse::<Counts>().unwrap(),
            Counts::new(31.0, 4100.0)
        );
        for bad in ["", "31", "a/b", "-1/5", "NaN/5", "1/inf", "1/2/3"] {
            assert!(
                bad.parse::<Counts>().unwrap_err().contains("31/4100"),
                "{bad}"
            );
        }
    }
}
