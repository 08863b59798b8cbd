//! The metrics of a gate joined into its one verdict (SEMANTICS 6), and what a later look may change.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::verdict::Verdict;

/// One metric's verdict within a gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GateMetric {
    /// The metric's name.
    pub metric: String,
    /// Whether its Fail fails the gate.
    pub critical: bool,
    /// Its verdict.
    pub verdict: Verdict,
}

/// Joins the metrics of a gate: any critical Fail fails it; otherwise all must pass. A failed metric that is not critical, and
/// one that did not run beside others that did, leave it undecided: it is not green, and a person may accept it. A gate of
/// which nothing ran did not run.
#[must_use]
pub fn combine_gate(metrics: &[GateMetric]) -> Verdict {
    if metrics.iter().any(|m| m.critical && m.verdict.is_fail()) {
        return Verdict::Fail;
    }
    if metrics
        .iter()
        .all(|m| matches!(m.verdict, Verdict::NotRun { .. }))
    {
        let why = metrics.iter().find_map(|m| m.verdict.why());
        return Verdict::not_run(why.unwrap_or("the gate has no metric"));
    }
    let open: Vec<String> = metrics.iter().filter_map(unsettled).collect();
    if open.is_empty() {
        return Verdict::Pass;
    }
    let passed = metrics.len() - open.len();
    Verdict::undecided(open.join("; "), passed as u64)
}

fn unsettled(metric: &GateMetric) -> Option<String> {
    let name = &metric.metric;
    match &metric.verdict {
        Verdict::Pass => None,
        Verdict::Fail => Some(format!("{name} failed (not critical)")),
        Verdict::Undecided { why, .. } => Some(format!("{name}: {why}")),
        Verdict::NotRun { why } => Some(format!("{name} did not run: {why}")),
    }
}

/// A sequential test's decision stands at later looks of the same gate: a Fail for good, a Pass until a Fail replaces it.
/// The caller passes `earlier` only for the same gate, baseline and clean start, and only while its feed is fresh (law 1).
#[must_use]
pub fn latch(earlier: Option<&Verdict>, now: Verdict) -> Verdict {
    match earlier {
        Some(Verdict::Fail) => Verdict::Fail,
        Some(Verdict::Pass) if matches!(now, Verdict::Undecided { .. }) => Verdict::Pass,
        _ => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(critical: bool, verdict: Verdict) -> GateMetric {
        GateMetric {
            metric: "error_rate".into(),
            critical,
            verdict,
        }
    }

    fn joined(verdicts: &[(bool, Verdict)]) -> &'static str {
        let metrics: Vec<_> = verdicts
            .iter()
            .map(|(c, v)| metric(*c, v.clone()))
            .collect();
        combine_gate(&metrics).word()
    }

    #[test]
    fn the_rule_as_a_table() {
        let un = || Verdict::undecided("too little", 3);
        let no = || Verdict::not_run("no source");
        for (verdicts, word) in [
            (vec![], "not run"),
            (vec![(true, no()), (true, no())], "not run"),
            (vec![(true, Verdict::Pass)], "pass"),
            (vec![(true, Verdict::Pass), (true, un())], "undecided"),
            (vec![(true, Verdict::Pass), (true, no())], "undecided"),
            (vec![(true, Verdict::Fail), (true, un())], "fail"),
            (
                vec![(false, Verdict::Fail), (true, Verdict::Pass)],
                "undecided",
            ),
            (vec![(false, un()), (true, Verdict::Pass)], "undecided"),
        ] {
            assert_eq!(joined(&verdicts), word, "{verdicts:?}");
        }
    }

    #[test]
    fn a_decision_stands_until_a_fail_replaces_a_pass() {
        let un = Verdict::undecided("too little", 3);
        assert_eq!(latch(Some(&Verdict::Pass), un.clone()), Verdict::Pass);
        assert_eq!(latch(Some(&Verdict::Pass), Verdict::Fail), Verdict::Fail);
        assert_eq!(latch(Some(&Verdict::Fail), Verdict::Pass), Verdict::Fail);
        assert_eq!(latch(None, un.clone()), un);
        assert_eq!(
            latch(Some(&Verdict::Pass), Verdict::not_run("off")).word(),
            "not run"
        );
        assert_eq!(latch(Some(&un), Verdict::Pass), Verdict::Pass);
    }
}
