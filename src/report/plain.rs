//! The plain face: all that the panes say, as calm text without a single escape code.

mod clearance;
mod flight;
mod head;
mod people;
mod plans;
mod ship;

pub(super) use head::next;

use super::page::Page;
use crate::domain::situation::{Conflict, Mark, Situation};
use crate::domain::time::{Instant, Now, age_words};
use crate::domain::words;

/// How the page is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Columns; a page narrower than 20 is written as 20.
    pub width: usize,
    /// Nothing but ASCII.
    pub ascii: bool,
    /// When it is read: ages and countdowns are told from here.
    pub now: Now,
}

/// Everything the panes say, each line ended by a newline. Holds no control character but the newline, whatever the situation
/// holds.
#[must_use]
pub fn plain(s: &Situation, options: Options) -> String {
    let mut w = Writer {
        s,
        now: options.now,
        page: Page::new(options.width, options.ascii),
    };
    head::head(&mut w);
    head::troubles(&mut w);
    ship::calendar(&mut w);
    plans::all(&mut w);
    clearance::clearance(&mut w);
    ship::releases(&mut w);
    flight::line(&mut w);
    flight::deploys(&mut w);
    flight::plan(&mut w);
    ship::checklist(&mut w);
    flight::gates(&mut w);
    flight::triggers(&mut w);
    flight::metrics(&mut w);
    flight::passports(&mut w);
    people::watch(&mut w);
    people::oncall(&mut w);
    people::alerts(&mut w);
    people::debts(&mut w);
    people::handoff(&mut w);
    ship::permits(&mut w);
    people::feeds(&mut w);
    people::journal(&mut w);
    w.page.finish()
}

/// The calendar alone: state, reasons, next change, eight days in words, releases.
#[must_use]
pub fn calendar(s: &Situation, options: Options) -> String {
    let mut w = Writer {
        s,
        now: options.now,
        page: Page::new(options.width, options.ascii),
    };
    ship::calendar(&mut w);
    plans::all(&mut w);
    w.page.finish()
}

/// Some of the conflicts, a paragraph each.
#[must_use]
pub fn conflicts(s: &Situation, list: &[&Conflict], options: Options) -> String {
    let mut w = Writer {
        s,
        now: options.now,
        page: Page::new(options.width, options.ascii),
    };
    plans::conflicts(&mut w, list);
    w.page.finish()
}

/// The page, what it is about, and when it is read.
struct Writer<'a> {
    s: &'a Situation,
    now: Now,
    page: Page,
}

impl Writer<'_> {
    /// A moment in the local zone, as short as it may be.
    fn at(&self, at: Instant) -> String {
        words::moment(at, self.now.world, self.s.timezone)
    }

    /// How long ago, `never` where it never was.
    fn age(&self, at: Option<Instant>) -> String {
        at.map_or_else(|| "never".into(), |at| age_words(self.now.world - at))
    }

    /// The same in a sentence: `now`, `3 m ago`, `never`.
    fn ago(&self, at: Option<Instant>) -> String {
        let age = self.age(at);
        if at.is_none() || age == "now" {
            age
        } else {
            format!("{age} ago")
        }
    }
}

/// The mark's word; a state without one reads `unknown`, for no state is shown without a word.
fn word(mark: &Mark) -> &str {
    if mark.word.trim().is_empty() {
        "unknown"
    } else {
        &mark.word
    }
}

/// The texts that are not empty, joined by commas.
fn listed<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let kept: Vec<&str> = parts.into_iter().filter(|p| !p.trim().is_empty()).collect();
    kept.join(", ")
}
