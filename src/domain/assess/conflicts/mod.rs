//! Plans that are in each other's way (SEMANTICS 3), each with both parties and the way out.
//!
//! Plans are indexed by service, environment and driver, and the rules answer from merged spans: what is looked at grows with
//! what really meets, not with the square of the releases.

mod pairs;
mod people;
mod rules;

use chrono::Duration;

use crate::domain::policy::Release;
use crate::domain::situation::{CalendarView, Conflict, ConflictKind, Party, PartyKind, Phase};
use crate::domain::time::{Instant, Span};
use crate::domain::window::{CalendarHealth, Target, Timeline};

use super::calendar::{needed, targets};
use super::cover::Shifts;
use super::need::seconds;
use super::{View, clock_full, deadlines, driver, open_releases, order, phase_of, watch};

/// An open release with its times.
pub(super) struct Plan<'a> {
    pub release: &'a Release,
    /// Its actual or planned start.
    pub start: Instant,
    /// The end of presence after its last step.
    pub end: Instant,
    /// The end of its last step.
    pub live: Instant,
    /// The watch ends here.
    pub watched: Instant,
    /// It has started.
    pub begun: bool,
    /// Its last step is over.
    pub settled: bool,
    pub driver: Option<String>,
}

impl Plan<'_> {
    fn span(&self) -> Span {
        Span::new(self.start, self.end)
    }

    fn id(&self) -> &str {
        &self.release.id
    }

    fn party(&self) -> Party {
        Party::new(PartyKind::Release, self.id(), self.driver.clone())
    }
}

/// What was found so far.
#[derive(Default)]
pub(super) struct Found {
    pub conflicts: Vec<Conflict>,
    /// Why further ones cannot be told.
    pub unsure: Vec<String>,
}

impl Found {
    pub(super) fn push(
        &mut self,
        kind: ConflictKind,
        (one, other): (Party, Party),
        detail: &str,
        (from, until): (Instant, Option<Instant>),
        sentence: String,
        way_out: String,
    ) {
        let word = kind.word().replace(' ', "-");
        let mut id = format!("{word}/{}/{}", one.name, other.name);
        if !detail.is_empty() {
            id.push('/');
            id.push_str(detail);
        }
        self.conflicts.push(Conflict {
            id,
            kind,
            one,
            other,
            from,
            until,
            sentence,
            way_out,
        });
    }
}

/// Windows and freezes as the plans ask them.
struct Rulebook<'v> {
    rules: Option<&'v crate::domain::rules::Rules>,
    health: Vec<CalendarHealth>,
}

impl<'v> Rulebook<'v> {
    fn of(view: &View<'v>) -> Self {
        let rules = view.observed.rules.as_deref();
        let health = rules
            .map(|r| r.calendars(view.policy, view.observed, view.now))
            .unwrap_or_default();
        Self { rules, health }
    }

    fn timeline(&self, target: &Target) -> Option<Timeline<'v>> {
        let compiled = self.rules?.compiled.as_ref()?;
        Some(compiled.timeline(target, &self.health))
    }

    /// What cannot be told of the calendars.
    fn unsure(&self) -> Vec<String> {
        let Some(rules) = self.rules else {
            return vec!["windows and freezes are not known yet".to_owned()];
        };
        let unread = self.health.iter().filter(|c| !c.is_good()).map(|c| {
            let what = if c.read { "is stale" } else { "was not read" };
            format!(
                "calendar {} {what}: whether a freeze or a day off of it is in the way is not known",
                c.name
            )
        });
        unread.chain(rules.problems.iter().cloned()).collect()
    }
}

/// Fills in what the calendar shows of conflicts, deadlines and order.
pub(super) fn fill(view: &View<'_>, out: &mut CalendarView) {
    let open = open_releases(view.policy, view.journal);
    let plans = plans(view, &open);
    let mut found = Found::default();
    pairs::find(view, &plans, &mut found);
    let book = Rulebook::of(view);
    if !plans.is_empty() {
        found.unsure.extend(book.unsure());
    }
    let shifts = Shifts::of(view);
    for plan in &plans {
        let targets = targets(view, plan.release);
        rules::find(view, &book, plan, &targets, &mut found);
        people::find(view, &book, &shifts, plan, &targets, &mut found);
    }
    out.deadlines = deadlines::find(view, &open, &plans, &mut found);
    found
        .conflicts
        .sort_by(|a, b| (a.from, a.kind, &a.id).cmp(&(b.from, b.kind, &b.id)));
    found.conflicts.dedup_by(|a, b| a.id == b.id);
    let mut seen = std::collections::BTreeSet::new();
    found.unsure.retain(|line| seen.insert(line.clone()));
    out.conflicts = found.conflicts;
    out.unsure = found.unsure;
    out.order = order::order(view, &open);
}

/// The open releases that have a time, by their start.
fn plans<'v>(view: &View<'v>, open: &[&'v Release]) -> Vec<Plan<'v>> {
    let mut plans: Vec<Plan<'v>> = open.iter().filter_map(|r| plan(view, r)).collect();
    plans.sort_by(|a, b| (a.start, a.id()).cmp(&(b.start, b.id())));
    plans
}

/// From its actual or planned start for as long as it needs.
fn plan<'v>(view: &View<'v>, release: &'v Release) -> Option<Plan<'v>> {
    let state = view.journal.release(&release.id);
    let started = state.and_then(|s| s.tracks.values().map(|t| t.started).min());
    let start = started.or(release.planned)?;
    let over = matches!(phase_of(view, release), Phase::Verifying | Phase::Watching);
    let finished = state.filter(|_| over).and_then(|s| {
        s.rolled_back().map_or_else(
            || s.tracks.values().filter_map(|t| t.finished).max(),
            |plan| plan.ended.as_ref().map(|(_, _, at)| *at),
        )
    });
    let presence = Duration::seconds(seconds(view.policy.limits.presence));
    let end = match (finished, started) {
        (Some(at), _) => at + presence,
        // Of a rollout that is under way, what is left of it counts from now on.
        (None, Some(_)) => view.at() + Duration::seconds(needed(view, release).0),
        (None, None) => start + Duration::seconds(needed(view, release).0),
    };
    let live = end - presence;
    let watch = Duration::seconds(seconds(watch::length_of(view, release)));
    Some(Plan {
        release,
        start,
        end,
        live,
        watched: live + watch,
        begun: started.is_some(),
        settled: finished.is_some(),
        driver: driver(release, state),
    })
}

/// A time as a sentence says it.
fn clock(view: &View<'_>, at: Instant) -> String {
    clock_full(at, view.at(), view.policy.timezone)
}
