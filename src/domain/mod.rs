//! The rules and all shared types. Pure: no clock, no I/O, no async, no terminal.

pub mod time;
