//! "May a start happen at T, and if not, why and until when?": for any service, environment and time (SEMANTICS 2).
//!
//! The state is that of windows and freezes; where a service is named it is also that of fit and cover. It changes only where a
//! rule changes, where what is left becomes too short, and where a shift begins or ends: [`Starts::at`] tries those instants in their
//! order and gives the first at which the state is another.

use std::collections::BTreeSet;

use chrono::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::journal::Journal;
use crate::domain::observe::Observed;
use crate::domain::policy::Policy;
use crate::domain::rules::Rules;
use crate::domain::time::{Instant, Now};
use crate::domain::window::{
    CalendarHealth, Fit, Hold, HoldKind, Opening, Target, Timeline, WindowState,
};
use crate::domain::words::both_zones;

use super::cover::{Cover, Shifts};
use super::{View, need};

/// The rules are indexed for spans of so many days: instants of one span share an index, and an answer depends on nothing else
/// that was asked.
const SPAN: i64 = 16 * 86_400;

/// What is asked about.
#[derive(Clone, Debug, Default)]
pub struct StartQuestion {
    /// The service, environment and kinds of change. With a service, fit and cover are judged too.
    pub target: Target,
    /// Windows and freezes alone.
    pub rules_only: bool,
}

/// May a start happen?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StartState {
    /// Yes.
    Open,
    /// No.
    Closed,
    /// It cannot be known; acts as closed.
    Unknown,
}

impl StartState {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Unknown => "unknown",
        }
    }
}

/// What kind of rule stands behind the answer.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ReasonKind {
    /// A freeze forbids.
    Freeze,
    /// A window permits, or is not open.
    Window,
    /// What is left is too short.
    Fit,
    /// Nobody is on call for the whole of it.
    Cover,
    /// A calendar cannot be relied on.
    Calendar,
}

impl From<HoldKind> for ReasonKind {
    fn from(kind: HoldKind) -> Self {
        match kind {
            HoldKind::Freeze => Self::Freeze,
            HoldKind::Window => Self::Window,
            HoldKind::Calendar => Self::Calendar,
        }
    }
}

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StartReason {
    /// The rule's name; `fit` and `cover` are rules of their own.
    pub rule: String,
    /// Its kind.
    pub kind: ReasonKind,
    /// Since when it holds; `None` where that is not known.
    pub from: Option<Instant>,
    /// First instant at which it no longer does; `None` where none is known.
    pub until: Option<Instant>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// In one sentence.
    #[serde(skip)]
    pub sentence: String,
}

/// The answer at an instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StartAnswer {
    /// The instant asked about.
    pub at: Instant,
    /// May a start happen then?
    pub state: StartState,
    /// The first whole second after it with another state; `None` where none is known.
    pub next_change: Option<Instant>,
    /// Why: open, the windows that are; closed, what forbids; unknown, what is not known.
    pub reasons: Vec<StartReason>,
    /// What a person wants to know beside it: exempted freezes, how long a start needs.
    #[serde(skip)]
    pub notes: Vec<String>,
}

/// Answers one question for any number of instants.
pub struct Starts<'a> {
    view: View<'a>,
    question: StartQuestion,
    /// Seconds a start needs, and how that was reckoned; `None` where windows and freezes alone are asked.
    need: Option<(i64, String)>,
    shifts: Shifts,
    /// The index of a span, and its number.
    rules: Option<(i64, Rules)>,
}

impl<'a> Starts<'a> {
    /// Prepares for a question. `now` is the time for the calendars' and the schedule's health.
    #[must_use]
    pub fn new(
        policy: &'a Policy,
        journal: &'a Journal,
        observed: &'a Observed,
        now: Now,
        question: StartQuestion,
    ) -> Self {
        let view = View::bare(policy, journal, observed, now);
        let target = &question.target;
        let service = target.service.as_deref().filter(|_| !question.rules_only);
        let need = service.map(|service| {
            let environment = target.environment.as_deref().unwrap_or_default();
            need::of_service(&view, service, environment)
        });
        Self {
            shifts: Shifts::of(&view),
            view,
            question,
            need,
            rules: None,
        }
    }

    /// The answer at an instant.
    pub fn at(&mut self, at: Instant) -> StartAnswer {
        let number = at.timestamp().div_euclid(SPAN);
        if self.rules.as_ref().is_none_or(|(n, _)| *n != number) {
            let view = &self.view;
            let begin =
                chrono::DateTime::from_timestamp(number * SPAN, 0).unwrap_or(view.now.world);
            let rules = Rules::around(view.policy, view.observed, begin, view.now);
            self.rules = Some((number, rules));
        }
        match &self.rules {
            Some((_, rules)) => self.answer(rules, at),
            None => not_known(at, &[]),
        }
    }

    fn answer(&self, rules: &Rules, at: Instant) -> StartAnswer {
        let Some(compiled) = &rules.compiled else {
            return not_known(at, &rules.problems);
        };
        let view = &self.view;
        let health: Vec<CalendarHealth> = rules.calendars(view.policy, view.observed, view.now);
        let timeline = compiled.timeline(&self.question.target, &health);
        let standing = timeline.state_at(at);
        let said = standing.reasons(view.policy.timezone);
        let holds = standing.state.holds();
        let mut out = StartAnswer {
            at,
            state: match &standing.state {
                WindowState::Open { .. } => StartState::Open,
                WindowState::Closed { .. } => StartState::Closed,
                WindowState::Unknown { .. } => StartState::Unknown,
            },
            next_change: standing.next_change.at(),
            notes: said.iter().skip(holds.len()).cloned().collect(),
            reasons: holds.iter().zip(said).map(|(h, s)| reason(h, s)).collect(),
        };
        if out.state == StartState::Open && !rules.problems.is_empty() {
            // An entry that was not understood could be a freeze.
            return not_known(at, &rules.problems);
        }
        if let Some((seconds, how)) = &self.need {
            self.fit(&timeline, *seconds, &mut out);
            self.cover(*seconds, &mut out);
            out.state = self.state(&timeline, at, *seconds);
            if rules.problems.is_empty() {
                out.next_change = self.change(&timeline, at, *seconds);
            }
            out.notes
                .push(format!("a start needs {}: {how}", need::words(*seconds)));
        }
        out
    }

    fn fit(&self, timeline: &Timeline<'_>, seconds: i64, out: &mut StartAnswer) {
        let fit = timeline.fit(out.at, Duration::seconds(seconds));
        let closes = match timeline.opening(out.at) {
            Opening::Open(until) => until,
            Opening::Shut | Opening::Unknown => return,
        };
        let from = closes.map(|at| at - Duration::seconds(seconds) + Duration::seconds(1));
        match fit {
            Fit::Fits { .. } | Fit::NotOpen => {}
            Fit::TooShort { .. } | Fit::Unknown => out.reasons.push(StartReason {
                rule: "fit".to_owned(),
                kind: ReasonKind::Fit,
                from,
                until: closes,
                owner: None,
                sentence: fit.sentence(),
            }),
        }
    }

    fn cover(&self, seconds: i64, out: &mut StartAnswer) {
        let cover = self
            .shifts
            .over(out.at, out.at + Duration::seconds(seconds));
        let zone = self.view.policy.timezone;
        let Some(sentence) = cover.sentence(|at| both_zones(at, zone)) else {
            return;
        };
        let (from, until) = match cover {
            Cover::Gap { from, until, .. } => (Some(from), until),
            Cover::Beyond { known } => (Some(known), None),
            _ => (None, None),
        };
        out.reasons.push(StartReason {
            rule: "cover".to_owned(),
            kind: ReasonKind::Cover,
            from,
            until,
            owner: self.view.policy.oncall.release_manager.clone(),
            sentence,
        });
    }

    /// The state by rules, fit and cover.
    fn state(&self, timeline: &Timeline<'_>, at: Instant, seconds: i64) -> StartState {
        match timeline.opening(at) {
            Opening::Unknown => return StartState::Unknown,
            Opening::Shut => return StartState::Closed,
            Opening::Open(_) => {}
        }
        let length = Duration::seconds(seconds);
        let cover = self.shifts.over(at, at + length);
        match (timeline.fit(at, length), cover) {
            (Fit::TooShort { .. } | Fit::NotOpen, _) | (_, Cover::Gap { .. }) => StartState::Closed,
            (Fit::Unknown, _) | (_, Cover::Beyond { .. } | Cover::Unread { .. }) => {
                StartState::Unknown
            }
            (Fit::Fits { .. }, Cover::Covered | Cover::NotConfigured) => StartState::Open,
        }
    }

    /// The first whole second after `at` with another state.
    fn change(&self, timeline: &Timeline<'_>, at: Instant, seconds: i64) -> Option<Instant> {
        let was = self.state(timeline, at, seconds);
        let length = Duration::seconds(seconds);
        // What ends at `edge` is the last start that fits one length before it.
        let late = |edge: Instant| edge - length + Duration::seconds(1);
        let mut ahead: BTreeSet<Instant> = self
            .shifts
            .edges()
            .flat_map(|edge| [edge, late(edge)])
            .filter(|edge| *edge > at)
            .collect();
        let mut here = at;
        loop {
            let rule = timeline.next_change(here).at();
            if let Some(next) = rule {
                ahead.extend([next, late(next)].into_iter().filter(|edge| *edge > at));
                here = next;
            }
            // A later change of a rule leads to nothing before one length ahead of it.
            while let Some(edge) = ahead.first().copied() {
                if rule.is_some_and(|next| edge > late(next)) {
                    break;
                }
                ahead.remove(&edge);
                if self.state(timeline, edge, seconds) != was {
                    return Some(edge);
                }
            }
            rule?;
        }
    }
}

fn reason(hold: &Hold, sentence: String) -> StartReason {
    StartReason {
        rule: hold.rule.clone(),
        kind: hold.kind.into(),
        from: hold.from,
        until: hold.until,
        owner: hold.owner.clone(),
        sentence,
    }
}

/// A rule or an entry was not understood: it could be a freeze.
fn not_known(at: Instant, problems: &[String]) -> StartAnswer {
    StartAnswer {
        at,
        state: StartState::Unknown,
        next_change: None,
        reasons: problems
            .iter()
            .map(|problem| StartReason {
                rule: "calendar".to_owned(),
                kind: ReasonKind::Calendar,
                from: None,
                until: None,
                owner: None,
                sentence: problem.clone(),
            })
            .collect(),
        notes: Vec::new(),
    }
}
