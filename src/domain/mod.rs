//! The rules and all shared types. Pure: no clock, no I/O, no async, no terminal.

pub mod act;
pub mod agenda;
pub mod assess;
pub mod calendar;
pub mod conflict;
pub mod connector;
pub mod contract;
pub mod dates;
pub mod diag;
mod disturbed;
pub mod event;
pub mod gaps;
pub mod ground;
pub mod journal;
pub mod judge;
pub mod needs;
pub mod observe;
pub mod orders;
pub mod planning;
pub mod points;
pub mod policy;
pub mod record;
pub mod recur;
pub mod rollback;
pub mod rules;
pub mod secret;
pub mod situation;
pub mod suggest;
pub mod text;
pub mod time;
pub mod verdict;
pub mod window;
pub mod words;

#[cfg(test)]
pub mod testkit;
#[cfg(test)]
mod tests;
