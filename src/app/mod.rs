//! Model, messages, the pure update, effects, the action table and the keymap. Knows neither terminal nor network nor clock.

pub mod action;
pub mod alarms;
pub mod calendar;
pub mod dialog;
pub mod edit;
pub mod fields;
#[doc(hidden)]
pub mod fixture;
pub mod key;
pub mod keymap;
pub mod layout;
pub mod list;
pub mod listed;
pub mod model;
pub mod msg;
pub mod options;
pub mod palette;
pub mod port;
pub mod rows;
pub mod tour;
pub mod update;
pub mod words;

pub use model::Model;
pub use msg::{Effect, Msg};
pub use options::{ColorMode, Options, ThemeName};
pub use update::update;
