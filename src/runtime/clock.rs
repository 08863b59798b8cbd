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
