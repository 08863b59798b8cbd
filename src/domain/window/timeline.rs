//! The rules that concern one target, merged, and the questions asked of them.

use super::compiled::{Compiled, FOREVER, Sec, at_or_after, ended_before, floor, holding, instant};
use super::memo::{Exemption, Merged};
use super::state::{Fit, Hold, HoldKind, NextChange, Standing, WindowState};
use super::{CalendarHealth, Target};
use crate::domain::time::Instant;
use chrono::Duration;
use std::sync::Arc;

/// What concerns one target over the horizon of its [`Compiled`].
#[derive(Clone, Debug)]
pub struct Timeline<'a> {
    pub(super) rules: &'a Compiled,
    pub(super) merged: Arc<Merged>,
    unread: Vec<CalendarHealth>,
}

/// Whether something may start, without the reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// A calendar is unread or stale, or the time lies outside the horizon.
    Unknown,
    /// Closed or frozen.
    Shut,
    /// Permitted until then; `None` where no end is known within the horizon.
    Open(Option<Instant>),
}

/// Where a time stands to the windows in scope, freezes and calendars aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowAt {
    /// No window limits it.
    NoneInScope,
    /// Inside one, until the end of the union.
    Inside {
        /// `None` where no end is known.
        until: Option<Instant>,
    },
    /// Outside all of them.
    Outside {
        /// The next opening; `None` where none is known.
        opens: Option<Instant>,
    },
}

/// What decides at a second, calendars aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    Outside,
    Frozen,
}

impl<'a> Timeline<'a> {
    pub(super) fn new(rules: &'a Compiled, target: &Target, calendars: &[CalendarHealth]) -> Self {
        Self {
            merged: rules.memo.target(rules, target),
            rules,
            unread: unread(target, calendars),
        }
    }

    pub(super) fn without(
        rules: &'a Compiled,
        target: &Target,
        calendars: &[CalendarHealth],
        lifted: &dyn Fn(&str) -> bool,
    ) -> Self {
        Self {
            merged: rules.memo.without(rules, target, lifted),
            rules,
            unread: unread(target, calendars),
        }
    }

    /// Whether no window is in scope: the state is then Open wherever no freeze is.
    #[must_use]
    pub fn has_no_window(&self) -> bool {
        self.merged.chosen.windows.is_empty()
    }

    /// What the rules say at an instant, and when that changes. Calendars' health is that of now: an unread calendar makes every
    /// instant Unknown.
    #[must_use]
    pub fn state_at(&self, at: Instant) -> Standing {
        let sec = floor(at);
        if self.rules.horizon().contains(at) && self.unread.is_empty() {
            let known = self.merged.standings.get(sec, || self.judged(at, sec));
            return Standing {
                at,
                ..Standing::clone(&known)
            };
        }
        let calendars = self.calendars_unknown();
        let mut holds = self.freezes_at(sec);
        holds.extend(self.unread.iter().map(calendar_hold));
        let next_change = if calendars.is_empty() {
            NextChange::NotBefore {
                at: self.rules.to.max(at),
            }
        } else {
            NextChange::WhenRead {
                calendars: calendars.clone(),
            }
        };
        Standing {
            at,
            state: WindowState::Unknown { calendars, holds },
            next_change,
            exempted: self.exempted(sec),
        }
    }

    /// The answer inside the horizon, while every calendar is good.
    fn judged(&self, at: Instant, sec: Sec) -> Standing {
        let next_change = self.change_after(sec);
        let until = next_change.at();
        let state = match self.phase(sec) {
            Phase::Open => WindowState::Open {
                until,
                by: self.windows_at(sec),
            },
            Phase::Frozen => WindowState::Closed {
                until,
                holds: self.freezes_at(sec),
            },
            Phase::Outside => WindowState::Closed {
                until,
                holds: self.windows_waiting(sec),
            },
        };
        Standing {
            at,
            state,
            next_change,
            exempted: self.exempted(sec),
        }
    }

    /// Whether a time lies within the horizon.
    #[must_use]
    pub fn knows(&self, at: Instant) -> bool {
        self.rules.horizon().contains(at)
    }

    /// The word of [`Timeline::state_at`] and its end, without gathering the rules behind it: for walking over many instants.
    #[must_use]
    pub fn opening(&self, at: Instant) -> Opening {
        if !self.unread.is_empty() || !self.knows(at) {
            return Opening::Unknown;
        }
        let sec = floor(at);
        match self.phase(sec) {
            Phase::Open => Opening::Open(self.change_after(sec).at()),
            Phase::Frozen | Phase::Outside => Opening::Shut,
        }
    }

    /// Where a time stands to the windows, whatever freezes and calendars say.
    #[must_use]
    pub fn window_at(&self, at: Instant) -> WindowAt {
        if self.has_no_window() {
            return WindowAt::NoneInScope;
        }
        let next = at_or_after(&self.merged.open, floor(at));
        match next {
            Some((start, end)) if start <= floor(at) => WindowAt::Inside {
                until: instant(end),
            },
            other => WindowAt::Outside {
                opens: other.and_then(|(start, _)| instant(start)),
            },
        }
    }

    /// The windows that are open at a time, whatever freezes say.
    #[must_use]
    pub fn windows_open_at(&self, at: Instant) -> Vec<Hold> {
        self.windows_at(floor(at))
    }

    /// The windows that are closed at a time, soonest opening first, whatever freezes say.
    #[must_use]
    pub fn windows_waiting_at(&self, at: Instant) -> Vec<Hold> {
        self.windows_waiting(floor(at))
    }

    /// The first occurrence of each freeze that shares time with `[from, to)`, by its start; calendars' health aside.
    #[must_use]
    pub fn freezes_within(&self, from: Instant, to: Instant) -> Vec<Hold> {
        let (from, to) = (floor(from), floor(to));
        let meets = at_or_after(&self.merged.frozen, from).is_some_and(|(start, _)| start < to);
        if !meets {
            return Vec::new();
        }
        let find = || {
            let hold = |index: &usize| {
                let spans = self.rules.freezes.get(*index)?;
                let (start, _) = at_or_after(spans, from).filter(|(start, _)| *start < to)?;
                self.freeze_hold(*index, start.max(from))
            };
            let mut holds: Vec<Hold> = self.merged.chosen.freezes.iter().filter_map(hold).collect();
            holds.sort_by_key(|hold| hold.from);
            holds
        };
        Vec::clone(&self.merged.holds.get((from, to), find))
    }

    /// The first time from `at` on at which what needs `needed` can start and be over before it closes; `None` where none is known.
    #[must_use]
    pub fn next_fit(&self, at: Instant, needed: Duration) -> Option<Instant> {
        let mut here = at;
        // Each turn passes one opening; a horizon holds a few a day at most.
        for _ in 0..10_000 {
            match self.opening(here) {
                Opening::Unknown => return None,
                Opening::Open(None) => {
                    let end = here.checked_add_signed(needed)?;
                    return (end <= self.rules.to).then_some(here);
                }
                Opening::Open(Some(until)) if until - here >= needed => return Some(here),
                Opening::Open(Some(until)) => here = until,
                Opening::Shut => here = self.change_after(floor(here)).at()?,
            }
        }
        None
    }

    /// When the state's word next changes after `at`.
    #[must_use]
    pub fn next_change(&self, at: Instant) -> NextChange {
        if !self.unread.is_empty() {
            return NextChange::WhenRead {
                calendars: self.unread.iter().map(|c| c.name.clone()).collect(),
            };
        }
        if !self.rules.horizon().contains(at) {
            return NextChange::NotBefore {
                at: self.rules.to.max(at),
            };
        }
        self.change_after(floor(at))
    }

    /// Whether what needs `needed` can start at `at` and be over before it closes. Ending in the very instant of closing fits: spans are
    /// half-open.
    #[must_use]
    pub fn fit(&self, at: Instant, needed: Duration) -> Fit {
        let needed_s = needed.num_seconds() + i64::from(needed.subsec_nanos() > 0);
        match self.opening(at) {
            Opening::Open(Some(until)) => {
                let left_s = (until - at).num_seconds();
                if needed_s <= left_s {
                    Fit::Fits {
                        needed_s,
                        left_s: Some(left_s),
                    }
                } else {
                    Fit::TooShort { needed_s, left_s }
                }
            }
            Opening::Open(None) => {
                if at
                    .checked_add_signed(needed)
                    .is_some_and(|end| end <= self.rules.to)
                {
                    Fit::Fits {
                        needed_s,
                        left_s: None,
                    }
                } else {
                    Fit::Unknown
                }
            }
            Opening::Unknown => Fit::Unknown,
            Opening::Shut => Fit::NotOpen,
        }
    }

    pub(super) fn calendars_unknown(&self) -> Vec<String> {
        self.unread.iter().map(|c| c.name.clone()).collect()
    }

    pub(super) fn phase(&self, at: Sec) -> Phase {
        if holding(&self.merged.frozen, at).is_some() {
            Phase::Frozen
        } else if self.has_no_window() || holding(&self.merged.open, at).is_some() {
            Phase::Open
        } else {
            Phase::Outside
        }
    }

    /// The first second after `at` at which open becomes closed or closed becomes open. Each step jumps over a whole merged span.
    fn change_after(&self, at: Sec) -> NextChange {
        let open_now = self.phase(at) == Phase::Open;
        let mut here = at;
        loop {
            let step = match self.phase(here) {
                // Frozen now, open once the freeze and whatever touches it is over, if a window is then open.
                Phase::Frozen => holding(&self.merged.frozen, here).map(|(_, end)| end),
                Phase::Outside => at_or_after(&self.merged.open, here).map(|(start, _)| start),
                Phase::Open => {
                    let freeze = at_or_after(&self.merged.frozen, here).map(|(start, _)| start);
                    let closing = holding(&self.merged.open, here)
                        .map(|(_, end)| end)
                        .filter(|_| !self.has_no_window());
                    match (freeze, closing) {
                        (Some(a), Some(b)) => Some(a.min(b)),
                        (a, b) => a.or(b),
                    }
                }
            };
            match step {
                Some(FOREVER) if !open_now && self.phase(here) == Phase::Frozen => {
                    return NextChange::NoKnownEnd;
                }
                Some(next) if next != FOREVER && next < floor(self.rules.to) => here = next,
                _ => return NextChange::NotBefore { at: self.rules.to },
            }
            if (self.phase(here) == Phase::Open) != open_now {
                return instant(here).map_or(NextChange::NoKnownEnd, |at| NextChange::At { at });
            }
        }
    }

    fn freezes_at(&self, at: Sec) -> Vec<Hold> {
        if holding(&self.merged.frozen, at).is_none() {
            return Vec::new();
        }
        self.merged
            .chosen
            .freezes
            .iter()
            .filter_map(|index| self.freeze_hold(*index, at))
            .collect()
    }

    fn exempted(&self, at: Sec) -> Vec<Hold> {
        let hold = |e: &Exemption| {
            Some(Hold {
                exempt: Some(e.kind.clone()),
                ..self.freeze_hold(e.index, at)?
            })
        };
        self.merged.chosen.exempt.iter().filter_map(hold).collect()
    }

    fn freeze_hold(&self, index: usize, at: Sec) -> Option<Hold> {
        let (start, end) = holding(self.rules.freezes.get(index)?, at)?;
        let freeze = self.rules.book.freezes.get(index)?;
        Some(Hold {
            rule: freeze.name.clone(),
            kind: HoldKind::Freeze,
            from: instant(start),
            until: instant(end),
            owner: freeze.owner.clone(),
            strength: Some(freeze.strength),
            override_by: freeze.override_by.clone(),
            rollback: Some(freeze.rollback),
            exempt: None,
        })
    }

    fn windows_at(&self, at: Sec) -> Vec<Hold> {
        let hold = |index: &usize| {
            let (start, end) = holding(self.rules.windows.get(*index)?, at)?;
            self.window_hold(*index, instant(start), instant(end))
        };
        self.merged.chosen.windows.iter().filter_map(hold).collect()
    }

    /// The closed windows, soonest opening first.
    fn windows_waiting(&self, at: Sec) -> Vec<Hold> {
        let hold = |index: &usize| {
            let spans = self.rules.windows.get(*index)?;
            let from = ended_before(spans, at).and_then(instant);
            self.window_hold(
                *index,
                from,
                at_or_after(spans, at).and_then(|(start, _)| instant(start)),
            )
        };
        let mut holds: Vec<Hold> = self.merged.chosen.windows.iter().filter_map(hold).collect();
        holds.sort_by_key(|hold| (hold.until.is_none(), hold.until));
        holds
    }

    fn window_hold(
        &self,
        index: usize,
        from: Option<Instant>,
        until: Option<Instant>,
    ) -> Option<Hold> {
        let window = self.rules.book.windows.get(index)?;
        Some(Hold {
            rule: window.name.clone(),
            kind: HoldKind::Window,
            from,
            until,
            owner: window.owner.clone(),
            strength: None,
            override_by: Vec::new(),
            rollback: None,
            exempt: None,
        })
    }
}

/// The calendars that could change what is said about a target.
fn unread(target: &Target, calendars: &[CalendarHealth]) -> Vec<CalendarHealth> {
    calendars
        .iter()
        .filter(|c| !c.is_good() && c.concerns(target))
        .cloned()
        .collect()
}

fn calendar_hold(calendar: &CalendarHealth) -> Hold {
    Hold {
        rule: calendar.name.clone(),
        kind: HoldKind::Calendar,
        // "Never read" has no beginning, even where the time of the first attempt is known.
        from: calendar.since.filter(|_| calendar.read),
        until: None,
        owner: None,
        strength: None,
        override_by: Vec::new(),
        rollback: None,
        exempt: None,
    }
}
