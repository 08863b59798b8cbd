//! What passes between the interface and the engine: facts one way, orders the other. Plain data.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::calendar::{CalendarSpan, Look};
use crate::domain::situation::{Refusal, Request, Situation};

/// What the engine tells the interface.
#[derive(Clone, Debug)]
pub enum Fact {
    /// The situation was judged anew.
    Assessed(Arc<Situation>),
    /// An order to act came to its end.
    Done {
        /// The order's number.
        seq: u64,
        /// One sentence, or why it was refused.
        result: Result<String, Vec<Refusal>>,
    },
    /// What was asked of the calendar.
    Looked(Arc<CalendarSpan>),
    /// A document that was asked for.
    Document {
        /// Its heading.
        title: String,
        /// Its text.
        markdown: String,
    },
    /// Key → action id, as `[keys]` of the file has it.
    Keys(BTreeMap<String, String>),
    /// Something went wrong and the engine goes on.
    Trouble(String),
    /// The engine stopped.
    Fatal(String),
}

/// Which document is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentKind {
    /// For the person on call.
    Brief,
    /// For the next driver.
    Handoff,
    /// For the review afterwards.
    Review,
}

/// What the interface asks of the engine.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// A confirmed wish to act; it is judged again before it is done.
    Act {
        /// Number that comes back with [`Fact::Done`].
        seq: u64,
        /// The wish.
        request: Request,
    },
    /// Read every feed now.
    ReadNow,
    /// Write a document.
    Document(DocumentKind),
    /// What the person looks at: read it first.
    Focus {
        /// Release id.
        release: Option<String>,
        /// Service.
        service: Option<String>,
    },
    /// Asks the calendar; changes nothing.
    Look(Box<Look>),
    /// The interface ends.
    Shutdown,
}
