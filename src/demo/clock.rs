//! The demo's clock: world time runs `speed` times as fast as real time, from a start that may lie in a fixed year.
//!
//! At a high speed it can be held and stepped: a request that takes 20 ms of real time takes about as long in a real world, not the
//! minute and more that it would take in a world 3,600 times as fast, and a sleep that ends 10 ms late is not half a minute late.
//! Whoever waits moves the clock on itself, so that the ages of what is read are those of a real flight.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant as Ticks;

use chrono::{Duration, Utc};

use crate::domain::time::{Clock, Held, Instant, Now};

/// world = base + (monotonic time since the base was set) × speed. Countdowns and dialogs read [`Now::real`], the machine's
/// own clock.
#[derive(Debug)]
pub struct ScaledClock {
    base: Arc<Mutex<Base>>,
    speed: f64,
}

/// Above this speed a request takes longer in the world than a read may age: there the clock can be held.
const HELD_ABOVE: f64 = 60.0;

#[derive(Clone, Copy, Debug)]
struct Base {
    world: Instant,
    ticks: Ticks,
    /// How many hold it.
    held: u32,
}

impl Base {
    fn world(&self, speed: f64) -> Instant {
        if self.held > 0 {
            return self.world;
        }
        self.world + scaled(self.ticks.elapsed(), speed)
    }
}

/// The clock stands as long as this lives.
struct Guard(Arc<Mutex<Base>>);

impl Drop for Guard {
    fn drop(&mut self) {
        let mut base = lock(&self.0);
        base.held = base.held.saturating_sub(1);
        if base.held == 0 {
            base.ticks = Ticks::now();
        }
    }
}

fn lock(base: &Mutex<Base>) -> MutexGuard<'_, Base> {
    base.lock().unwrap_or_else(|lock| lock.into_inner())
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
            base: Arc::new(Mutex::new(Base {
                world,
                ticks: Ticks::now(),
                held: 0,
            })),
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
        lock(&self.base).world(self.speed)
    }

    /// Moves world time forward by `by` at once (the control port's `advance`); a negative span is ignored, because acts
    /// already accepted must stay in the past.
    pub fn advance(&self, by: Duration) {
        if by > Duration::zero() {
            lock(&self.base).world += by;
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

    fn hold(&self) -> Option<Held> {
        if self.speed <= HELD_ABOVE {
            return None;
        }
        let mut base = lock(&self.base);
        if base.held == 0 {
            base.world = base.world(self.speed);
        }
        base.held += 1;
        Some(Box::new(Guard(Arc::clone(&self.base))))
    }

    fn step(&self, world: Duration) {
        self.advance(world);
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
    #![allow(clippy::unwrap_used)]
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

    #[test]
    fn a_fast_clock_stands_while_anybody_holds_it() {
        let clock = ScaledClock::new(Instant::UNIX_EPOCH, 3600.0);
        let (one, two) = (clock.hold().unwrap(), clock.hold().unwrap());
        let stands = clock.world();
        let real = Ticks::now();
        drop(one);
        while real.elapsed().as_millis() < 20 {
            assert_eq!(clock.world(), stands, "somebody holds it still");
        }
        clock.advance(Duration::seconds(90));
        assert_eq!(clock.world(), stands + Duration::seconds(90));
        drop(two);
        let began = Ticks::now();
        while clock.world() - stands < Duration::seconds(120) {
            assert!(began.elapsed().as_secs() < 10, "it does not go on");
        }
        assert!(ScaledClock::new(stands, 60.0).hold().is_none());
    }
}
