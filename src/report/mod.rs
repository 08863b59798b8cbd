//! The plain and the JSON face: they say all that the panes say, in the same words, and decide nothing.

mod agenda;
mod exit;
mod ics;
mod json;
mod lines;
mod page;
mod plain;

pub use agenda::agenda;
pub use exit::{calendar_exit, exit_code, gate_exit, gate_verdict, watch_exit};
pub use ics::ics;
pub use json::{json, schema, value};
pub use lines::{Change, Kind, changes, line, standing};
pub use plain::{Options, calendar, conflicts, plain};

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
