//! Time as the rules see it: instants in UTC.
//!
//! Nothing here asks what time it is: [`Clock`] is implemented by the runtime (the real clock) and by the demo (a scaled one).

use chrono::{DateTime, Utc};

/// A point in time, always UTC.
pub type Instant = DateTime<Utc>;

/// The time, twice: `world` is what the rules are judged by (the demo may run it faster), `real` is what countdowns, leases
/// and dialogs run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// What windows, freezes, ages and verdicts are judged by.
    pub world: Instant,
    /// What countdowns, leases and dialogs run on.
    pub real: Instant,
}

/// Who tells the time. The domain has no implementation: it is handed in.
pub trait Clock: Send + Sync {
    /// The time at this moment, as the world and as people's wrists have it.
    fn now(&self) -> Now;
}
