//! The release cockpit: one terminal for the person with a release in flight.
//!
//! Everything on screen is a pure function of policy, journal, observations and time:
//! [`domain`] holds the rules and the shared types, the other folders read the outside, keep the journal,
//! draw and run. Imports run one way: `domain` ← {`config`, `store`, `connect`, `documents`, `app`, `report`} ←
//! `tui`, `runtime`, `cli`; `demo` sees `domain` alone. ARCHITECTURE.md is the map.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

pub mod app;
pub mod cli;
pub mod config;
pub mod connect;
pub mod demo;
pub mod documents;
pub mod domain;
pub mod report;
pub mod runtime;
pub mod store;
pub mod tui;
