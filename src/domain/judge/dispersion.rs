//! How much noisier than Poisson this metric's traffic is, from its own history in blocks of ten minutes.
//!
//! The variance of a count with mean µ and relative noise c² is µ + c²µ² (a gamma–Poisson mixture; McCullagh and Nelder,
//! *Generalized Linear Models*, 2nd ed., 6.2.3), so a count of µ expected events is worth a Poisson count of µ/φ with
//! φ = 1 + c²µ. SEMANTICS 6.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Length of a block of history in minutes.
pub const BLOCK_MINUTES: f64 = 10.0;
/// Fewer blocks than this say nothing about noise.
pub const MIN_BLOCKS: usize = 30;

/// One ten-minute block of history.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Block {
    /// Events counted in the block (errors, slow requests, orders).
    pub events: f64,
    /// What they are counted among (requests); 1 for a plain count.
    pub total: f64,
}

/// The noise measured in a history.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Dispersion {
    /// Relative variance between blocks of one day beyond Poisson's (no unit, ≥ 0).
    pub c2: f64,
    /// Relative variance between days beyond that of their blocks (no unit, ≥ 0); 0 when one day alone was seen.
    pub day_variance: f64,
    /// Mean events a block, at the mean traffic.
    pub mean: f64,
    /// Blocks used: those with traffic.
    pub blocks: usize,
    /// Days used: those with two blocks or more.
    pub days: usize,
}

impl Dispersion {
    /// φ for a group that expects `events_per_minute`: 1 + c² × expected events per block.
    #[must_use]
    pub fn phi(&self, events_per_minute: f64) -> f64 {
        1.0 + self.c2.max(0.0) * (events_per_minute * BLOCK_MINUTES).max(0.0)
    }
}

/// D of SEMANTICS 6: what a day's mood adds to the variance of a ratio against the mean of seven other days,
/// 2·s_d²·(1 + 1/7).
#[must_use]
pub fn day_term(day_variance: f64) -> f64 {
    2.0 * day_variance.max(0.0) * (1.0 + 1.0 / 7.0)
}

/// Measures the noise of a history given day by day. Each block's events are scaled to the mean traffic first (x·n̄/n), so
/// that the daily curve of the traffic is not taken for noise of the ratio; with even traffic this is the plain rule
/// c² = max(0, (v − µ)/µ²).
///
/// # Errors
/// One sentence when a block is not a count, fewer than [`MIN_BLOCKS`] blocks had traffic, or no event was seen at all.
pub fn measure(days: &[Vec<Block>]) -> Result<Dispersion, String> {
    let blocks = days.iter().flatten().copied();
    if blocks
        .clone()
        .any(|b| !is_count(b.events) || !is_count(b.total))
    {
        return Err(
            "the history holds a block that is not a count (NaN, infinite or negative)".into(),
        );
    }
    let used: Vec<Vec<Block>> = days
        .iter()
        .map(|day| day.iter().copied().filter(|b| b.total > 0.0).collect())
        .filter(|day: &Vec<Block>| day.len() >= 2)
        .collect();
    let count: usize = used.iter().map(Vec::len).sum();
    if count < MIN_BLOCKS {
        return Err(format!(
            "the noise of this metric is unknown: {count} of {MIN_BLOCKS} ten-minute blocks of history"
        ));
    }
    let mean_total = used.iter().flatten().map(|b| b.total).sum::<f64>() / count as f64;
    let scaled: Vec<Vec<f64>> = used
        .iter()
        .map(|day| {
            day.iter()
                .map(|b| b.events * mean_total / b.total)
                .collect()
        })
        .collect();
    let mean = scaled.iter().flatten().sum::<f64>() / count as f64;
    if mean <= 0.0 {
        return Err("the noise of this metric is unknown: its history has no event".into());
    }
    // Scaling by n̄/n makes a block's Poisson variance µ·n̄/n: its mean over the blocks takes µ's place in the rule.
    let poisson = mean
        * used
            .iter()
            .flatten()
            .map(|b| mean_total / b.total)
            .sum::<f64>()
        / count as f64;
    let within = pooled_variance(&scaled);
    let c2 = ((within - poisson) / (mean * mean)).max(0.0);
    Ok(Dispersion {
        c2,
        day_variance: between_days(&scaled, within) / (mean * mean),
        mean,
        blocks: count,
        days: scaled.len(),
    })
}

fn is_count(value: f64) -> bool {
    value.is_finite() && value >= 0.0
}

fn average(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn pooled_variance(days: &[Vec<f64>]) -> f64 {
    let freedom: usize = days.iter().map(|day| day.len().saturating_sub(1)).sum();
    let squares: f64 = days
        .iter()
        .map(|day| {
            let middle = average(day);
            day.iter().map(|y| (y - middle).powi(2)).sum::<f64>()
        })
        .sum();
    squares / freedom.max(1) as f64
}

/// Variance of the days' means beyond what their blocks explain (one-way analysis of variance).
fn between_days(days: &[Vec<f64>], within: f64) -> f64 {
    if days.len() < 2 {
        return 0.0;
    }
    let means: Vec<f64> = days.iter().map(|day| average(day)).collect();
    let middle = average(&means);
    let spread = means.iter().map(|m| (m - middle).powi(2)).sum::<f64>() / (means.len() - 1) as f64;
    let explained = days
        .iter()
        .map(|day| within / day.len() as f64)
        .sum::<f64>()
        / days.len() as f64;
    (spread - explained).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(events: &[&[f64]]) -> Vec<Vec<Block>> {
        events
            .iter()
            .map(|day| {
                day.iter()
                    .map(|&events| Block {
                        events,
                        total: 1000.0,
                    })
                    .collect()
            })
            .collect()
    }

    #[test]
    fn the_rule_by_hand() {
        // 5 days of 6 blocks, three of 80 and three of 120: µ = 100, v = 6·400/5 = 480, c² = 380/10⁴.
        let day: &[f64] = &[80.0, 120.0, 80.0, 120.0, 80.0, 120.0];
        let seen = measure(&days(&[day; 5])).unwrap();
        assert!((seen.c2 - 0.038).abs() < 1e-12, "{seen:?}");
        assert_eq!((seen.blocks, seen.days), (30, 5));
        assert!((seen.mean - 100.0).abs() < 1e-9);
        assert_eq!(seen.day_variance, 0.0);
        // 20 events a minute expect 200 a block.
        assert!((seen.phi(20.0) - 8.6).abs() < 1e-9);
    }

    #[test]
    fn quieter_than_poisson_counts_as_poisson() {
        let seen = measure(&days(&[[100.0; 10].as_slice(); 3])).unwrap();
        assert_eq!(seen.c2, 0.0);
        assert_eq!(seen.phi(1000.0), 1.0);
    }

    #[test]
    fn a_days_mood_is_told_from_its_minutes() {
        // Flat days of 80, 100 and 120: no noise within, s² = 400 between, s_d² = 0.04.
        let seen = measure(&days(&[&[80.0; 10], &[100.0; 10], &[120.0; 10]])).unwrap();
        assert_eq!(seen.c2, 0.0);
        assert!((seen.day_variance - 0.04).abs() < 1e-12);
        assert!((day_term(0.04) - 0.08 * 8.0 / 7.0).abs() < 1e-12);
    }

    #[test]
    fn a_daily_curve_of_traffic_is_not_noise() {
        let day: Vec<Block> = (0..12)
            .map(|i| f64::from(i) * 100.0 + 1000.0)
            .map(|total| Block {
                events: total / 10.0,
                total,
            })
            .collect();
        let seen = measure(&[day.clone(), day.clone(), day]).unwrap();
        assert_eq!(seen.c2, 0.0);
    }

    #[test]
    fn too_little_or_broken_history_is_a_sentence() {
        let few = measure(&days(&[&[5.0; 29]])).unwrap_err();
        assert!(few.contains("29 of 30"), "{few}");
        assert!(measure(&[]).unwrap_err().contains("0 of 30"));
        assert!(
            measure(&days(&[&[0.0; 40]]))
                .unwrap_err()
                .contains("no event")
        );
        for bad in [f64::NAN, f64::INFINITY, -1.0] {
            let mut history = days(&[&[5.0; 40]]);
            history[0][3].events = bad;
            assert!(measure(&history).unwrap_err().contains("not a count"));
        }
    }
}
