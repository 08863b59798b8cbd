//! How the outside is read and acted upon: connector format and engine, HTTP rules, native drivers.

pub mod driver;
#[cfg(test)]
pub(crate) mod fake;
pub mod jq;
pub mod sse;
pub mod template;
pub mod transport;
