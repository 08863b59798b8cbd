//! Alert volume of the watch against the same span's baseline (SEMANTICS 10).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::MIN_DAYS;
use super::tail::poisson_lower;
use crate::domain::verdict::Verdict;

/// The share over baseline that is tolerated: 10 %.
const TOLERATED: f64 = 1.1;
/// So many pass whatever the baseline is: median + 2, and no median is below 0.
const SURE: u64 = 2;
/// Level of the one-sided lower bound that a Fail rests on.
const LEVEL: f64 = 0.98;

/// The verdict on a count of alerts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AlertVolume {
    /// The verdict.
    pub verdict: Verdict,
    /// Alerts in the span; absent where they could not be read.
    pub alerts: Option<u64>,
    /// Median of the same span over the baseline's days; absent with fewer than three.
    pub median: Option<f64>,
    /// Up to how many alerts pass.
    pub pass_up_to: Option<f64>,
    /// Alerts over the median as a share (0.1 = 10 % over, negative = fewer); absent for a median of 0.
    pub over_baseline: Option<f64>,
}

impl AlertVolume {
    /// The share over baseline as it is always printed: `+25 % over baseline (5 against 4)`. Of a median of 0 there is no share;
    /// then it says how many are over it.
    #[must_use]
    pub fn words(&self) -> String {
        match (self.alerts, self.median, self.over_baseline) {
            (Some(n), Some(m), Some(share)) => {
                format!("{:+.0} % over baseline ({n} against {m})", share * 100.0)
            }
            (Some(n), Some(m), None) => format!("{n} over a baseline of 0 ({n} against {m})"),
            (Some(n), None, _) => format!("share over baseline not known ({n}, no baseline)"),
            (None, ..) => "share over baseline not known (alerts not read)".into(),
        }
    }
}

/// Judges `alerts` of a span against the same span on earlier days. `None` means that they could not be read: that is
/// undecided, not zero.
#[must_use]
pub fn judge_alerts(alerts: Option<u64>, baseline: &[u64]) -> AlertVolume {
    let median = (baseline.len() >= MIN_DAYS as usize)
        .then(|| median(baseline))
        .flatten();
    let pass_up_to = median.map(|m| (TOLERATED * m).max(m + 2.0));
    let seen = alerts.map(|a| a as f64);
    let over_baseline = seen
        .zip(median)
        .filter(|(_, m)| *m > 0.0)
        .map(|(x, m)| x / m - 1.0);
    let verdict = match (seen, median, pass_up_to) {
        (None, ..) => Verdict::undecided("the alerts of this span could not be read", 0),
        (Some(x), Some(m), Some(limit)) => against(x, m, limit),
        (Some(x), ..) => Verdict::undecided(
            format!(
                "the alert baseline has {} of at least {MIN_DAYS} days",
                baseline.len()
            ),
            super::whole(x),
        ),
    };
    AlertVolume {
        verdict,
        alerts,
        median,
        pass_up_to,
        over_baseline,
    }
}

/// The same where the baseline's spans are longer than the one judged, so that they bound its own from above: so few alerts
/// that every baseline would pass them pass, more than the longer spans explain fail, and nothing else is decided.
#[must_use]
pub fn judge_alerts_within(alerts: Option<u64>, longer: &[u64]) -> AlertVolume {
    let mut out = judge_alerts(alerts, longer);
    if let (Verdict::Pass, Some(n)) = (&out.verdict, alerts)
        && n > SURE
    {
        out.verdict = Verdict::undecided(
            format!("{n} alerts; the history has no span this short to compare with"),
            n,
        );
    }
    out
}

fn against(x: f64, median: f64, limit: f64) -> Verdict {
    if x <= limit {
        return Verdict::Pass;
    }
    if poisson_lower(x, LEVEL).is_some_and(|low| low > (TOLERATED * median).max(1.0)) {
        return Verdict::Fail;
    }
    Verdict::undecided(
        format!("{x:.0} alerts are more than {limit:.0}, but chance still explains it"),
        super::whole(x),
    )
}

fn median(values: &[u64]) -> Option<f64> {
    let sorted: Vec<f64> = {
        let mut copy = values.to_vec();
        copy.sort_unstable();
        copy.into_iter().map(|v| v as f64).collect()
    };
    super::rank::median_of_sorted(&sorted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_by_its_edges() {
        let quiet = [0, 0, 1, 0, 0, 2, 0];
        // Median 0: up to 2 pass. The 98 % lower bound of 3 events is 0.57, of 4 it is 1.02.
        for (alerts, word) in [
            (0, "pass"),
            (2, "pass"),
            (3, "undecided"),
            (4, "fail"),
            (5, "fail"),
        ] {
            assert_eq!(
                judge_alerts(Some(alerts), &quiet).verdict.word(),
                word,
                "{alerts}"
            );
        }
        let busy = [100; 7];
        for (alerts, word) in [
            (110, "pass"),
            (111, "undecided"),
            (130, "undecided"),
            (140, "fail"),
        ] {
            assert_eq!(
                judge_alerts(Some(alerts), &busy).verdict.word(),
                word,
                "{alerts}"
            );
        }
    }

    /// SEMANTICS 10 again, in integers and from the other side: the verdict of every count for a row of medians, with the bound
    /// found by summing the Poisson distribution itself.
    #[test]
    fn every_count_near_every_edge_reads_as_the_rule_says() {
        let at_least = |x: u64, mean: f64| {
            let mut term = (-mean).exp();
            let mut below = 0.0;
            for k in 0..x {
                below += term;
                term *= mean / (k + 1) as f64;
            }
            1.0 - below
        };
        for median in [0u64, 1, 2, 5, 10, 19, 20, 21, 40, 100] {
            let m = median as f64;
            let limit = (1.1 * m).max(m + 2.0);
            let floor = (1.1 * m).max(1.0);
            let mut seen = std::collections::BTreeSet::new();
            for alerts in 0..=(median * 2 + 12) {
                let word = judge_alerts(Some(alerts), &[median; 7]).verdict.word();
                // The lower bound exceeds the floor exactly where so many, at the floor's rate, are rarer than 2 %.
                let rare = at_least(alerts, floor) < 0.02;
                let want = match alerts as f64 {
                    x if x <= limit => "pass",
                    _ if rare => "fail",
                    _ => "undecided",
                };
                assert_eq!(word, want, "{alerts} against {median}");
                seen.insert(word);
            }
            assert_eq!(seen.len(), 3, "each verdict occurs at {median}: {seen:?}");
        }
    }

    #[test]
    fn unread_alerts_and_a_short_baseline_are_undecided() {
        assert_eq!(judge_alerts(None, &[0; 7]).verdict.word(), "undecided");
        let short = judge_alerts(Some(0), &[0, 0]);
        assert!(short.verdict.why().unwrap().contains("2 of at least 3"));
        assert_eq!(
            judge_alerts(Some(0), &[]).words(),
            "share over baseline not known (0, no baseline)"
        );
        assert_eq!(
            judge_alerts(None, &[1; 7]).words(),
            "share over baseline not known (alerts not read)"
        );
    }

    #[test]
    fn against_longer_spans_only_the_sure_ends_are_decided() {
        let longer = [10; 7];
        for (alerts, word) in [
            (0, "pass"),
            (2, "pass"),
            (3, "undecided"),
            (12, "undecided"),
            (30, "fail"),
        ] {
            let seen = judge_alerts_within(Some(alerts), &longer);
            assert_eq!(seen.verdict.word(), word, "{alerts}");
        }
        assert_eq!(
            judge_alerts_within(Some(0), &[]).verdict.word(),
            "undecided"
        );
    }

    #[test]
    fn the_share_is_always_printed() {
        assert_eq!(
            judge_alerts(Some(5), &[4, 3, 6, 4]).words(),
            "+25 % over baseline (5 against 4)"
        );
        assert_eq!(
            judge_alerts(Some(1), &[0, 0, 0]).words(),
            "1 over a baseline of 0 (1 against 0)"
        );
        assert_eq!(
            judge_alerts(Some(2), &[8; 7]).words(),
            "-75 % over baseline (2 against 8)"
        );
        assert_eq!(judge_alerts(Some(2), &[1, 2, 3, 4]).median, Some(2.5));
    }
}
