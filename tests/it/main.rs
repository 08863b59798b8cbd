//! One integration binary, so that it is linked once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod contracts;
#[allow(dead_code)]
#[path = "../../src/connect/fake.rs"]
mod fake;
mod real;
mod wire;

mod architecture;
