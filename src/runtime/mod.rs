//! Engine, loop, terminal guard, signals, clock, logging. Policy, store and connectors meet only here.

mod input;
pub mod terminal;
pub mod ui;
