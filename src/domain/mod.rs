//! The rules and all shared types. Pure: no clock, no I/O, no async, no terminal.

pub mod act;
pub mod diag;
pub mod event;
pub mod observe;
pub mod policy;
pub mod record;
pub mod recur;
pub mod secret;
pub mod situation;
pub mod time;
pub mod verdict;
pub mod window;
