//! One integration binary, so that it is linked once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

// The fake vendor is shared with the library's own tests and names what it needs from there.
pub use cockpit::connect::{context, registry, transport};
pub use cockpit::domain;

mod architecture;
mod argo;
mod calendars;
mod cli;
mod contracts;
#[allow(dead_code)]
#[path = "../../src/connect/fake.rs"]
mod fake;
mod flight;
mod kubernetes;
mod pages;
mod pty;
mod real;
mod watch;
mod window;
mod wire;
