//! The demo's clock: world time runs `speed` times as fast as real time, from a start that may lie in a fixed year.

use std::sync::Mutex;
use std::time::Instant as Ticks;

use chrono::{Duration, Utc};

use crate::domain::time::{Clock, Instant, Now};

/// world = base + (monotonic time since the base was set) × speed. Countdowns and dialogs read [`Now::real`], the machine's
/// own clock.
#[derive(Debug)]
pub struct ScaledClock {
    base: Mutex<Base>,
    speed: f64,
}

#[derive(Clone, Copy, Debug)]
struct Base {
    world: Instant,
    ticks: Ticks,
}

impl ScaledClock {
    /// A clock that reads `world` at this moment and runs `speed` world seconds a real second. A speed that is not a
    /// positive number, or above 10,000, becomes 1.
    #[must_use]
    pub fn new(world: Instant, speed: f64) -> Self {
        let speed = if speed.is_finite() && speed > 0.0 && speed <= 10_000.0 {
            speed
        } else {
            1.0
        };
        Self {
            base: Mutex::new(Base {
                world,
                ticks: Ticks::now(),
            }),
            speed,
        }
    }

    /// World seconds a real second.
    #[must_use]
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// World time at this moment.
    #[must_use]
    pub fn world(&self) -> Instant {
        let base = *self.base.lock().unwrap_or_else(|lock| lock.into_inner());
        base.world + scaled(base.ticks.elapsed(), self.speed)
    }

    /// Moves world time forward by `by` at once (the control port's `advance`); a negative span is ignored, because acts
    /// already accepted must stay in the past.
    pub fn advance(&self, by: Duration) {
        if by > Duration::zero() {
            let mut base = self.base.lock().unwrap_or_else(|lock| lock.into_inner());
            base.world += by;
        }
    }

    /// How long `world` more world time takes in real time.
    #[must_use]
    pub fn real_span(&self, world: Duration) -> std::time::Duration {
        let seconds = world.to_std().unwrap_or_default().as_secs_f64() / self.speed;
        std::time::Duration::from_secs_f64(seconds)
    }
}

impl Clock for ScaledClock {
    fn speed(&self) -> f64 {
        self.speed
    }

    fn now(&self) -> Now {
        Now {
            world: self.world(),
            real: Utc::now(),
        }
    }
}

/// A real span as world time, to the microsecond.
#[allow(clippy::cast_possible_truncation)] // microseconds of a process's life times 10,000 fit an i64
fn scaled(real: std::time::Duration, speed: f64) -> Duration {
    Duration::microseconds((real.as_secs_f64() * speed * 1e6) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn world_time_runs_at_its_speed_and_only_forward() {
        let start = Instant::UNIX_EPOCH;
        let began = Ticks::now();
        let clock = ScaledClock::new(start, 1000.0);
        while clock.world() - start < Duration::seconds(30) {
            assert!(began.elapsed().as_secs() < 10, "the clock stands");
        }
        assert!(began.elapsed().as_millis() >= 30);
        let before = clock.world();
        clock.advance(Duration::seconds(-600));
        assert!(clock.world() >= before);
        clock.advance(Duration::seconds(600));
        assert!(clock.world() - before >= Duration::seconds(600));
        assert!((ScaledClock::new(start, f64::NAN).speed() - 1.0).abs() < f64::EPSILON);
    }
}
