//! How the outside is read and acted upon: connector format and engine, HTTP rules, native drivers.

pub mod command;
pub mod driver;
#[cfg(test)]
pub(crate) mod fake;
pub mod git;
pub mod process;
pub mod prometheus;
pub mod transport;
