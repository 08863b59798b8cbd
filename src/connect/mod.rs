//! How the outside is read and acted upon: connector format and engine, HTTP rules, native drivers.

pub mod clean;
pub mod driver;
pub mod process;
pub mod prometheus;
