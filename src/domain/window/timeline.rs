//! The rules that concern one target, merged, and the questions asked of them.

use super::compiled::{
    Compiled, FOREVER, Sec, at_or_after, ended_before, floor, holding, instant, merge,
};
use super::state::{Fit, Hold, HoldKind, NextChange, Standing, WindowState};
use super::{CalendarHealth, Target};
use crate::domain::time::Instant;
use chrono::Duration;

/// A freeze in scope that does not hold for the target's kind of change.
#[derive(Clone, Debug)]
struct Exemption {
    index: usize,
    kind: String,
}

/// What concerns one target over the horizon of its [`Compiled`].
#[derive(Clone, Debug)]
pub struct Timeline<'a> {
    pub(super) rules: &'a Compiled,
    /// Indexes of the windows in scope.
    pub(super) windows: Vec<usize>,
    /// Indexes of the freezes that hold for the target.
    pub(super) freezes: Vec<usize>,
    exempt: Vec<Exemption>,
    pub(super) open: Box<[(Sec, Sec)]>,
    pub(super) frozen: Box<[(Sec, Sec)]>,
    unread: Vec<CalendarHealth>,
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
        let book = &rules.book;
        let windows: Vec<usize> = book
            .windows
            .iter()
            .enumerate()
            .filter(|(_, w)| w.scope.covers(target))
            .map(|(i, _)| i)
            .collect();
        let mut freezes = Vec::new();
        let mut exempt = Vec::new();
        for (index, freeze) in book
            .freezes
            .iter()
            .enumerate()
            .filter(|(_, f)| f.scope.covers(target))
        {
            match target
                .kinds
                .iter()
                .find(|kind| freeze.except.contains(kind))
            {
                Some(kind) => exempt.push(Exemption {
                    index,
                    kind: kind.clone(),
                }),
                None => freezes.push(index),
            }
        }
        let union = |lists: &[Box<[(Sec, Sec)]>], chosen: &[usize]| {
            merge(
                chosen
                    .iter()
                    .filter_map(|i| lists.get(*i))
                    .flat_map(|spans| spans.iter().copied())
                    .collect(),
            )
        };
        let unread = calendars
            .iter()
            .filter(|c| !c.is_good() && c.concerns(target))
            .cloned()
            .collect();
        Self {
            open: union(&rules.windows, &windows),
            frozen: union(&rules.freezes, &freezes),
            rules,
            windows,
            freezes,
            exempt,
            unread,
        }
    }

    /// Whether no window is in scope: the state is then Open wherever no freeze is.
    #[must_use]
    pub fn has_no_window(&self) -> bool {
        self.windows.is_empty()
    }

    /// What the rules say at an instant, and when that changes. Calendars' health is that of now: an unread calendar makes every
    /// instant Unknown.
    #[must_use]
    pub fn state_at(&self, at: Instant) -> Standing {
        let inside = self.rules.horizon().contains(at);
        let sec = floor(at);
        let exempted = self.exempted(sec);
        if !inside || !self.unread.is_empty() {
            let calendars: Vec<String> = self.unread.iter().map(|c| c.name.clone()).collect();
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
            return Standing {
                at,
                state: WindowState::Unknown { calendars, holds },
                next_change,
                exempted,
            };
        }
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
            exempted,
        }
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
        match self.state_at(at) {
            Standing {
                state:
                    WindowState::Open {
                        until: Some(until), ..
                    },
                ..
            } => {
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
            Standing {
                state: WindowState::Open { until: None, .. },
                ..
            } => {
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
            Standing {
                state: WindowState::Unknown { .. },
                ..
            } => Fit::Unknown,
            Standing {
                state: WindowState::Closed { .. },
                ..
            } => Fit::NotOpen,
        }
    }

    pub(super) fn calendars_unknown(&self) -> Vec<String> {
        self.unread.iter().map(|c| c.name.clone()).collect()
    }

    pub(super) fn phase(&self, at: Sec) -> Phase {
        if holding(&self.frozen, at).is_some() {
            Phase::Frozen
        } else if self.windows.is_empty() || holding(&self.open, at).is_some() {
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
                Phase::Frozen => holding(&self.frozen, here).map(|(_, end)| end),
                Phase::Outside => at_or_after(&self.open, here).map(|(start, _)| start),
                Phase::Open => {
                    let freeze = at_or_after(&self.frozen, here).map(|(start, _)| start);
                    let closing = holding(&self.open, here)
                        .map(|(_, end)| end)
                        .filter(|_| !self.windows.is_empty());
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
        self.freezes
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
        self.exempt.iter().filter_map(hold).collect()
    }

    pub(super) fn freeze_hold(&self, index: usize, at: Sec) -> Option<Hold> {
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
        self.windows.iter().filter_map(hold).collect()
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
        let mut holds: Vec<Hold> = self.windows.iter().filter_map(hold).collect();
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
