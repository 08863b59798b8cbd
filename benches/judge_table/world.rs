//! The simulated service: counts of a history, the hour before, and ten minutes of a gate, under four kinds of noise.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use statrs::function::gamma::ln_gamma;

/// Minutes of a baseline hour, of a gate, and looks a minute.
pub const HOUR: usize = 60;
pub const GATE: usize = 10;
pub const LOOKS: usize = 4;
/// Relative standard deviation of a minute's rate, and of a day's.
const MINUTE_SD: f64 = 0.27;
const DAY_SD: f64 = 0.15;
/// Correlation of neighbouring minutes, where there is any.
const CORRELATION: f64 = 0.6;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Poisson,
    Minute,
    Autocorrelated,
    Day,
}

impl Mood {
    pub const ALL: [Self; 4] = [Self::Poisson, Self::Minute, Self::Autocorrelated, Self::Day];

    pub fn word(self) -> &'static str {
        match self {
            Self::Poisson => "poisson",
            Self::Minute => "minute",
            Self::Autocorrelated => "autocorrelated",
            Self::Day => "day",
        }
    }
}

/// A stream of minute factors with mean 1.
pub struct Minutes {
    mood: Mood,
    state: f64,
}

impl Minutes {
    pub fn new(mood: Mood, rng: &mut ChaCha8Rng) -> Self {
        Self {
            mood,
            state: normal(rng),
        }
    }

    pub fn next(&mut self, rng: &mut ChaCha8Rng) -> f64 {
        let keep = match self.mood {
            Mood::Poisson => return 1.0,
            Mood::Minute | Mood::Day => 0.0,
            Mood::Autocorrelated => CORRELATION,
        };
        self.state = keep * self.state + (1.0 - keep * keep).sqrt() * normal(rng);
        log_normal(self.state, MINUTE_SD)
    }
}

/// A day's factor: 1, but for [`Mood::Day`].
pub fn day(mood: Mood, rng: &mut ChaCha8Rng) -> f64 {
    if mood == Mood::Day {
        log_normal(normal(rng), DAY_SD)
    } else {
        1.0
    }
}

fn log_normal(z: f64, relative_sd: f64) -> f64 {
    let variance = (1.0 + relative_sd * relative_sd).ln();
    (variance.sqrt() * z - variance / 2.0).exp()
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// A Poisson draw: Knuth's product below a mean of 12, Hörmann's transformed rejection above (PTRS; Insurance:
/// Mathematics and Economics 12, 1993).
pub fn poisson(rng: &mut ChaCha8Rng, mean: f64) -> f64 {
    if mean < 12.0 {
        let (limit, mut product, mut count) = ((-mean).exp(), rng.random::<f64>(), 0.0);
        while product > limit {
            count += 1.0;
            product *= rng.random::<f64>();
        }
        return count;
    }
    let b = 0.931 + 2.53 * mean.sqrt();
    let a = -0.059 + 0.024_83 * b;
    let inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
    let accept = 0.9277 - 3.6224 / (b - 2.0);
    loop {
        let (u, v) = (rng.random::<f64>() - 0.5, rng.random::<f64>());
        let us = 0.5 - u.abs();
        let k = ((2.0 * a / us + b) * u + mean + 0.43).floor();
        if us >= 0.07 && v <= accept {
            return k;
        }
        if k < 0.0 || (us < 0.013 && v > us) {
            continue;
        }
        let wanted = k * mean.ln() - mean - ln_gamma(k + 1.0);
        if (v * inverse_alpha / (a / (us * us) + b)).ln() <= wanted {
            return k;
        }
    }
}

/// What one run saw. Events a minute, or a look; requests are even.
pub struct Run {
    pub week: Vec<Vec<f64>>,
    pub hour: Vec<f64>,
    pub stable: Vec<f64>,
    /// For each effect, events a look of the new version.
    pub new: Vec<Vec<f64>>,
}

/// One run at `mean` expected events a minute; the new version under each of `effects`.
pub fn run(rng: &mut ChaCha8Rng, mood: Mood, mean: f64, effects: &[f64]) -> Run {
    let hour = |rng: &mut ChaCha8Rng, factor: f64| -> Vec<f64> {
        let mut minutes = Minutes::new(mood, rng);
        (0..HOUR)
            .map(|_| {
                let noise = minutes.next(rng);
                poisson(rng, mean * factor * noise)
            })
            .collect()
    };
    let week = (0..7)
        .map(|_| {
            let factor = day(mood, rng);
            hour(rng, factor)
        })
        .collect();
    let today = day(mood, rng);
    let before = hour(rng, today);
    let stable = gate(rng, mood, mean * today);
    let new = effects
        .iter()
        .map(|effect| gate(rng, mood, mean * today * effect))
        .collect();
    Run {
        week,
        hour: before,
        stable,
        new,
    }
}

fn gate(rng: &mut ChaCha8Rng, mood: Mood, mean: f64) -> Vec<f64> {
    let mut minutes = Minutes::new(mood, rng);
    let mut events = Vec::with_capacity(GATE * LOOKS);
    for _ in 0..GATE {
        let rate = mean * minutes.next(rng) / LOOKS as f64;
        events.extend((0..LOOKS).map(|_| poisson(rng, rate)));
    }
    events
}
