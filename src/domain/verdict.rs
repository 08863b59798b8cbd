//! Law 1, "green is earned", as a type: a check passed, failed, could not decide, or did not run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The outcome of any check. Only [`Verdict::Pass`] is green; there is no default and no conversion from `bool`,
/// so that nothing turns green by omission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// Enough fresh data, and all of it within what was agreed.
    Pass,
    /// Enough data to say that what was agreed is broken.
    Fail,
    /// It ran, and what it saw settles nothing: too little, partial, stale, or not a number.
    Undecided {
        /// One sentence for a person: what is missing.
        why: String,
        /// How many observations it had (requests, points or blocks; the sentence says which).
        n: u64,
    },
    /// It did not run: not configured, or nothing to run on.
    NotRun {
        /// One sentence for a person: why not, and what would make it run.
        why: String,
    },
}

impl Verdict {
    /// An undecided verdict from a sentence and the number of observations behind it.
    pub fn undecided(why: impl Into<String>, n: u64) -> Self {
        Self::Undecided { why: why.into(), n }
    }

    /// A verdict for a check that did not run.
    pub fn not_run(why: impl Into<String>) -> Self {
        Self::NotRun { why: why.into() }
    }

    /// True for [`Verdict::Pass`] alone.
    #[must_use]
    pub fn is_green(&self) -> bool {
        matches!(self, Self::Pass)
    }

    /// True for [`Verdict::Fail`] alone.
    #[must_use]
    pub fn is_fail(&self) -> bool {
        matches!(self, Self::Fail)
    }

    /// True where a decision was reached, either way.
    #[must_use]
    pub fn is_decided(&self) -> bool {
        matches!(self, Self::Pass | Self::Fail)
    }

    /// The word every face shows for it (law 8): `pass`, `fail`, `undecided` or `not run`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Undecided { .. } => "undecided",
            Self::NotRun { .. } => "not run",
        }
    }

    /// The sentence of a verdict that settled nothing; none for a pass or a fail.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Pass | Self::Fail => None,
            Self::Undecided { why, .. } | Self::NotRun { why } => Some(why),
        }
    }

    /// The exit code of a command that ends with this verdict: 0 pass, 1 fail, 2 undecided, 3 not run.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Fail => 1,
            Self::Undecided { .. } => 2,
            Self::NotRun { .. } => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict;

    fn all() -> [Verdict; 4] {
        [
            Verdict::Pass,
            Verdict::Fail,
            Verdict::undecided("12 of 400 requests", 12),
            Verdict::not_run("no metric is configured"),
        ]
    }

    #[test]
    fn only_pass_is_green_and_each_has_its_word_and_exit_code() {
        let seen: Vec<_> = all()
            .iter()
            .map(|v| (v.is_green(), v.word(), v.exit_code()))
            .collect();
        assert_eq!(
            seen,
            [
                (true, "pass", 0),
                (false, "fail", 1),
                (false, "undecided", 2),
                (false, "not run", 3)
            ]
        );
    }

    #[test]
    fn json_carries_the_word_under_verdict_and_comes_back_equal() {
        let text = serde_json::to_string(&all()).unwrap();
        assert!(text.contains(r#"{"verdict":"pass"}"#), "{text}");
        assert!(
            text.contains(r#"{"verdict":"undecided","why":"12 of 400 requests","n":12}"#),
            "{text}"
        );
        assert!(text.contains(r#""verdict":"not_run""#), "{text}");
        assert_eq!(serde_json::from_str::<Vec<Verdict>>(&text).unwrap(), all());
        serde_json::from_str::<Verdict>(r#"{"verdict":"green"}"#).unwrap_err();
    }
}
