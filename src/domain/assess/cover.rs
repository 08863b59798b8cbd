//! Who is scheduled at level 1 over a span, for any time (SEMANTICS 2, 3): what the start, conflicts and `cockpit window` ask.

use crate::domain::time::Instant;

use super::{View, oncall};

/// The answer for a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cover {
    /// No source is configured: it closes nothing.
    NotConfigured,
    /// Somebody is scheduled for the whole of it.
    Covered,
    /// Nobody is scheduled from `from` on.
    Gap {
        /// First instant without anybody, not before the span.
        from: Instant,
        /// When the next shift begins, where one is known.
        until: Option<Instant>,
        /// Who has the shift before.
        last: Option<String>,
    },
    /// The span begins after all that the schedule knows.
    Beyond {
        /// Where it ends.
        known: Instant,
    },
    /// The schedule cannot be relied on: never read, or stale.
    Unread {
        /// "stale" or "never read".
        why: &'static str,
    },
}

/// The level-1 shifts that are known.
#[derive(Clone, Debug)]
pub(crate) struct Shifts {
    configured: bool,
    unread: Option<&'static str>,
    /// From (`None`: ever since), until (`None`: for good), who.
    list: Vec<(Option<Instant>, Option<Instant>, String)>,
}

impl Shifts {
    /// Those of the vendor's schedule, or of the rotations in cockpit.toml.
    pub(crate) fn of(view: &View<'_>) -> Self {
        let oncall = &view.policy.oncall;
        let Some(name) = &oncall.connection else {
            let rotations = oncall.rotations.iter();
            return Self {
                configured: !oncall.rotations.is_empty(),
                unread: None,
                // A rotation goes on by itself.
                list: rotations
                    .filter(|r| r.level == 1 && r.turn > 0 && !r.people.is_empty())
                    .map(|r| (Some(r.start), None, r.people.join(", ")))
                    .collect(),
            };
        };
        let freshness = view.feed(&format!("oncall/{name}")).1;
        let turns = oncall::turns(view).into_iter();
        Self {
            configured: true,
            // Law 2: a schedule that is stale covers nothing.
            unread: (!freshness.usable()).then(|| freshness.word()),
            list: turns
                .filter(|t| t.level == 1)
                .map(|t| (t.from, t.until, t.person))
                .collect(),
        }
    }

    /// Whether a source of cover is configured at all.
    pub(crate) fn configured(&self) -> bool {
        self.configured
    }

    /// Is somebody scheduled without a break over `[from, until)`?
    pub(crate) fn over(&self, from: Instant, until: Instant) -> Cover {
        if !self.configured {
            return Cover::NotConfigured;
        }
        if let Some(why) = self.unread {
            return Cover::Unread { why };
        }
        let mut at = from;
        let mut last = None;
        while at < until {
            let next = self
                .list
                .iter()
                .filter(|(begin, end, _)| {
                    begin.is_none_or(|b| b <= at) && end.is_none_or(|e| e > at)
                })
                .max_by_key(|(_, end, _)| (end.is_none(), *end));
            match next {
                None => return self.gap(at, last),
                Some((_, None, _)) => return Cover::Covered,
                Some((_, Some(end), person)) => {
                    at = *end;
                    last = Some(person.clone());
                }
            }
        }
        Cover::Covered
    }

    fn gap(&self, at: Instant, last: Option<String>) -> Cover {
        let next = self
            .list
            .iter()
            .filter_map(|(begin, ..)| *begin)
            .filter(|begin| *begin > at)
            .min();
        let known = self.list.iter().filter_map(|(_, end, _)| *end).max();
        match (known, next) {
            (Some(known), None) if last.is_none() && known <= at => Cover::Beyond { known },
            _ => Cover::Gap {
                from: at,
                until: next,
                last,
            },
        }
    }

    /// The instants at which a shift begins or ends: cover changes nowhere else.
    pub(crate) fn edges(&self) -> impl Iterator<Item = Instant> + '_ {
        self.list
            .iter()
            .flat_map(|(begin, end, _)| [*begin, *end])
            .flatten()
    }
}

impl Cover {
    /// What is wrong, in one sentence; `None` where nothing is. `clock` writes a time.
    pub(crate) fn sentence(&self, clock: impl Fn(Instant) -> String) -> Option<String> {
        match self {
            Self::NotConfigured | Self::Covered => None,
            Self::Gap {
                from,
                until: None,
                last: Some(person),
            } => Some(format!(
                "{person}'s shift ends {} and no one after is known",
                clock(*from)
            )),
            Self::Gap {
                from,
                until: Some(until),
                ..
            } => Some(format!(
                "nobody is on call from {} until {}",
                clock(*from),
                clock(*until)
            )),
            Self::Gap { from, .. } => Some(format!(
                "nobody is known to be on call at level 1 from {} on",
                clock(*from)
            )),
            Self::Beyond { known } => Some(format!(
                "the on-call schedule is known only until {}",
                clock(*known)
            )),
            Self::Unread { why } => Some(format!("who is on call is {why}")),
        }
    }
}
