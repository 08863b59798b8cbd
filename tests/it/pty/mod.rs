//! The real binary in a pseudo-terminal: keys go in, the screen is read.

mod auto;
mod calendar;
mod endings;
mod kills;
mod looks;
mod r#override;
mod terminal;
mod tour;
pub mod world;

pub use terminal::binary;
