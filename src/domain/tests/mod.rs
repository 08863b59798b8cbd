//! The laws, proven on small worlds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod advice;
mod approvals;
mod backtest;
mod calendar;
mod calendars;
mod conflicts;
mod deploying;
mod fold;
mod gates;
mod green;
mod overrides;
mod people;
mod permits;
mod planning;
mod plans;
mod proofs;
mod rollback;
mod starts;
mod vendors;
mod watching;
