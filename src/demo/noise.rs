//! Seeded noise: every number of the world is a function of (seed, series, time), so any bucket can be drawn alone and no
//! history is stored.
//!
//! One ChaCha8 stream serves one (seed, key, chunk); a chunk is an hour of one series family. Words are drawn in a fixed
//! order, so word k of a chunk is always the same.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// 64-bit FNV-1a of a series key. Stable across platforms and releases of the compiler, which the standard hasher is not.
#[must_use]
pub fn key(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The stream of words for one chunk of one series.
#[must_use]
pub fn stream(seed: u64, key: u64, chunk: i64) -> Stream {
    let mut bytes = [0_u8; 32];
    let parts = seed
        .to_le_bytes()
        .into_iter()
        .chain(key.to_le_bytes())
        .chain(chunk.to_le_bytes());
    for (to, from) in bytes.iter_mut().zip(parts) {
        *to = from;
    }
    Stream(ChaCha8Rng::from_seed(bytes))
}

/// A deterministic source of draws; see [`stream`].
#[derive(Debug)]
pub struct Stream(ChaCha8Rng);

/// One 64-bit draw, read as a uniform or as normals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word(u64);

impl Stream {
    /// The next word.
    pub fn word(&mut self) -> Word {
        Word(self.0.next_u64())
    }
}

impl Word {
    /// Uniform in (0, 1), never 0 nor 1.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // 53 bits fit exactly
    pub fn uniform(self) -> f64 {
        ((self.0 >> 11) as f64 + 0.5) / 9_007_199_254_740_992.0
    }

    /// Two independent standard normals (Box and Muller 1958) from the two halves of the word.
    #[must_use]
    pub fn normals(self) -> (f64, f64) {
        let high = f64::from(u32::try_from(self.0 >> 32).unwrap_or(0));
        let low = f64::from(u32::try_from(self.0 & 0xffff_ffff).unwrap_or(0));
        let radius = (-2.0 * ((high + 0.5) / 4_294_967_296.0).ln()).sqrt();
        let angle = std::f64::consts::TAU * (low + 0.5) / 4_294_967_296.0;
        (radius * angle.cos(), radius * angle.sin())
    }

    /// A Poisson count of the given mean (a whole number, as a float): by inversion below 30, by the rounded normal above,
    /// where the two differ by less than the noise put on the mean. A mean that is not positive gives 0.
    #[must_use]
    pub fn count(self, mean: f64) -> f64 {
        if !mean.is_finite() || mean <= 0.0 {
            return 0.0;
        }
        if mean >= 30.0 {
            return (mean + mean.sqrt() * self.normals().0).round().max(0.0);
        }
        let target = self.uniform();
        let mut chance = (-mean).exp();
        let (mut below, mut count) = (chance, 0.0);
        while below < target && count < 200.0 {
            count += 1.0;
            chance *= mean / count;
            below += chance;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn the_same_seed_series_and_chunk_give_the_same_words_and_others_do_not() {
        let draw = |seed, name: &str, chunk| {
            let mut stream = stream(seed, key(name), chunk);
            (0..40).map(|_| stream.word()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7, "checkout", 3), draw(7, "checkout", 3));
        assert_ne!(draw(7, "checkout", 3), draw(8, "checkout", 3));
        assert_ne!(draw(7, "checkout", 3), draw(7, "payments", 3));
        assert_ne!(draw(7, "checkout", 3), draw(7, "checkout", 4));
    }

    #[test]
    fn counts_have_the_mean_and_the_variance_of_poisson() {
        for mean in [0.4, 3.0, 29.0, 31.0, 900.0] {
            let mut stream = stream(1, key("counts"), 0);
            let draws: Vec<f64> = (0..20_000).map(|_| stream.word().count(mean)).collect();
            let average = draws.iter().sum::<f64>() / 20_000.0;
            let variance = draws.iter().map(|x| (x - average).powi(2)).sum::<f64>() / 20_000.0;
            let tolerance = 5.0 * (mean / 20_000.0_f64).sqrt();
            assert!((average - mean).abs() < tolerance, "{average} for {mean}");
            assert!(
                (variance / mean - 1.0).abs() < 0.06,
                "{variance} for {mean}"
            );
        }
        assert!(stream(1, 2, 3).word().count(f64::NAN).abs() < f64::EPSILON);
    }
}
