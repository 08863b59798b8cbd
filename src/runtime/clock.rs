//! The real clock: the only place outside the demo that asks what time it is.

use crate::domain::time::{Clock, Now};

/// World and real time are the same.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealClock;

impl Clock for RealClock {
    fn now(&self) -> Now {
        let now = chrono::Utc::now();
        Now {
            world: now,
            real: now,
        }
    }
}

/// The clock that the interface starts with before the engine knows whether a world has its own: real until it is set.
#[derive(Default)]
pub struct LateClock(std::sync::OnceLock<std::sync::Arc<dyn Clock>>);

impl LateClock {
    /// Goes by that clock from now on; only the first call counts.
    pub fn set(&self, clock: std::sync::Arc<dyn Clock>) {
        let _ = self.0.set(clock);
    }
}

impl Clock for LateClock {
    fn now(&self) -> Now {
        self.0.get().map_or_else(|| RealClock.now(), |c| c.now())
    }
    fn speed(&self) -> f64 {
        self.0.get().map_or(1.0, |c| c.speed())
    }
}

/// The tick of the process's own clock after that time.
#[must_use]
pub fn tick_in(wait: std::time::Duration) -> tokio::time::Instant {
    let now = tokio::time::Instant::now();
    now.checked_add(wait).unwrap_or(now)
}
