//! cockpit.toml: raw structs, one check that reports every error at once, then `domain::Policy`; trust.
//!
//! The raw structs of [`raw`] are the format: their JSON schema is what [`schema`] prints, what `shape` holds every key of a file
//! against (so that each wrong key is reported, with its place), and what the checks under `check` turn into the policy.

mod check;
pub mod connectors;
mod diff;
pub mod find;
mod limit;
mod mask;
mod place;
pub mod raw;
mod reference;
mod render;
mod shape;
pub mod starter;
mod suggest;
pub mod trust;

pub use check::{MAX_BYTES, SCENARIOS, digest, load};
pub use diff::diff;
pub use find::find_file;
pub use reference::reference;
pub use render::render;
pub use starter::starter;

/// The JSON schema of cockpit.toml, for editors.
#[must_use]
pub fn schema() -> serde_json::Value {
    shape::schema_of::<raw::File>(false)
}

#[cfg(test)]
mod tests;
