//! The counts' noise as the evidence needs it: φ of each group and the day term D (SEMANTICS 6).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::counts::{Counts, LARGEST, Segment};
use super::{BaselineKind, Block, Dispersion, MIN_BLOCKS, day_term, is_count, measure};

/// How the counts' noise beyond Poisson is known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "noise", rename_all = "snake_case")]
pub enum Noise {
    /// Nothing is known; φ = 1 and D = 0 are assumed, and the judgement says so.
    Assumed,
    /// A concurrent group that shares the noise (`noise = "shared"`): φ = 1.
    Shared,
    /// φ of each group given by hand (≥ 1), and the relative standard deviation between days.
    Given {
        /// φ of the new version's counts.
        phi_new: f64,
        /// φ of the baseline's counts.
        phi_baseline: f64,
        /// Relative standard deviation between days (0.15 = 15 %); used with a seven-day baseline.
        day_sd: f64,
    },
    /// Measured from history.
    Measured(Dispersion),
    /// The history is too short or unusable: no ratio is judged. Where the baseline has fewer than ten events the SLO still
    /// stands in, and absolute limits of triggers apply as if Poisson, so that a new service is not left unguarded.
    Unknown {
        /// Blocks of history with traffic.
        blocks: usize,
    },
}

impl Noise {
    /// The noise of a history given day by day in ten-minute blocks (see [`measure`]).
    #[must_use]
    pub fn from_history(days: &[Vec<Block>]) -> Self {
        measure(days).map_or_else(
            |_| Self::Unknown {
                blocks: days.iter().flatten().filter(|b| b.total > 0.0).count(),
            },
            Self::Measured,
        )
    }
}

/// D: the day term, for a seven-day baseline alone. Refuses a noise that this baseline cannot share.
pub(super) fn day(kind: BaselineKind, noise: &Noise) -> Result<f64, String> {
    if *noise == Noise::Shared && kind != BaselineKind::Concurrent {
        return Err("noise = \"shared\" needs a concurrent baseline".into());
    }
    if kind != BaselineKind::SevenDays {
        return Ok(0.0);
    }
    let variance = match noise {
        Noise::Assumed | Noise::Shared | Noise::Unknown { .. } => 0.0,
        Noise::Given { day_sd, .. } => day_sd * day_sd,
        Noise::Measured(seen) => seen.day_variance,
    };
    if !is_count(variance) {
        return Err("the noise between days is not a number".into());
    }
    Ok(day_term(variance))
}

/// φ1 and φ0 of a segment, at the baseline's `rate` (events per request).
pub(super) fn phis(noise: &Noise, segment: Segment, rate: f64) -> Result<(f64, f64), String> {
    match noise {
        Noise::Assumed | Noise::Shared => Ok((1.0, 1.0)),
        Noise::Given {
            phi_new,
            phi_baseline,
            ..
        } => {
            let valid = |phi: f64| (1.0..=LARGEST).contains(&phi);
            if valid(*phi_new) && valid(*phi_baseline) {
                Ok((*phi_new, *phi_baseline))
            } else {
                Err("the dispersion φ must be a number from 1 up".into())
            }
        }
        Noise::Unknown { blocks } => Err(unknown_noise(*blocks)),
        Noise::Measured(seen) => {
            if seen.blocks < MIN_BLOCKS || !is_count(seen.c2) {
                return Err(unknown_noise(seen.blocks));
            }
            let per_minute = |counts: Counts| {
                let minutes = counts.minutes.filter(|m| *m > 0.0);
                minutes.map(|m| rate * counts.total / m)
            };
            let both = per_minute(segment.new).zip(per_minute(segment.baseline));
            let (new, baseline) = both.ok_or("the span over which was counted is unknown")?;
            Ok((seen.phi(new), seen.phi(baseline)))
        }
    }
}

fn unknown_noise(blocks: usize) -> String {
    let needed = MIN_BLOCKS;
    if blocks < needed {
        format!(
            "the noise of this metric is unknown: {blocks} of {needed} ten-minute blocks of history"
        )
    } else {
        "the noise of this metric is unknown: its history has no event, or numbers that are no counts".into()
    }
}
