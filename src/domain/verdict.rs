//! Law 1: green is earned.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A verdict. Only `Pass` is green.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// On fresh data and enough samples.
    Pass,
    /// Shown to be bad.
    Fail,
    /// It cannot be told.
    Undecided {
        /// Why not.
        why: String,
        /// Sample size so far.
        n: u64,
    },
    /// Nobody looked.
    NotRun {
        /// Why not, and what would make it run.
        why: String,
    },
}
