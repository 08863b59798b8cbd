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
mod holding;
mod no_return;
mod overrides;
mod people;
mod permits;
mod planning;
mod plans;
mod proofs;
mod rollback;
mod scope;
mod starts;
mod trips;
mod vendors;
mod watching;
mod week;
