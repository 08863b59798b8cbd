//! Engine, loop, terminal guard, signals, clock, logging. Policy, store and connectors meet only here.

pub mod clock;
pub mod engine;
mod input;
pub mod journal;
pub mod load;
pub mod log;
pub mod spawn;
pub mod terminal;
pub mod ui;
