//! The embedded world: simulated vendors on loopback HTTP, and the scenarios they play.
