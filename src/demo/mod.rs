//! The embedded world: simulated vendors on loopback HTTP, and the scenarios they play.

pub mod act;
pub mod clock;
pub mod noise;
pub mod pattern;
pub mod promql;
pub mod scenario;
pub mod series;
pub mod state;

/// The vendors of the world, by the name under which a connection reaches them (`demo:NAME`).
pub const VENDORS: [&str; 8] = ["prometheus", "alertmanager", "argocd", "github", "pagerduty", "slack", "ics", "registry"];
