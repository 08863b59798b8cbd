//! Messages, what happened, and effects, what is to be done. Data, both.

use super::key::Key;
use super::port::{Fact, Order};

/// A mouse event that means something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mouse {
    /// Pressed at a cell.
    Pressed(u16, u16),
    /// The wheel turned at a cell; down is `true`.
    Wheel(u16, u16, bool),
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Msg {
    /// A key was pressed.
    Key(Key),
    /// Text was pasted.
    Pasted(String),
    /// The mouse.
    Mouse(Mouse),
    /// The window has so many columns and rows.
    Resized(u16, u16),
    /// The terminal got or lost the focus.
    Focused(bool),
    /// The engine said something.
    Fact(Fact),
    /// The engine's end of the line is gone.
    EngineGone,
    /// Time went by.
    Ticked,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// An order to the engine.
    Order(Order),
    /// Text to the clipboard (OSC 52).
    Copy(String),
    /// The terminal's title.
    Title(String),
    /// Bell and notification.
    Notify {
        /// Heading.
        title: String,
        /// One sentence.
        body: String,
    },
    /// Mouse on or off.
    Mouse(bool),
    /// To the shell and back.
    Suspend,
    /// Paint everything again.
    Redraw,
    /// The end.
    Quit,
}
