//! A rollback plan under way or ended, as shown.

use crate::domain::event::{PlanStep, StepKind, StepState};
use crate::domain::journal::PlanState;
use crate::domain::observe::lock_name;
use crate::domain::situation::PlanView;
use crate::domain::time::{Instant, duration_words};

use super::View;
use super::owed::act_of;
use super::passport::expected;
use super::rollout::Rollout;

/// A version that does not come within this many seconds wants a person.
const LATE: i64 = 1800;
/// Seconds in which the word of an act that nobody here hears may still come.
const SETTLES: i64 = 120;

/// Said of an act whose answer nobody here hears: the one who asked ended, or another program hears it.
const UNHEARD: &str =
    "asked by another program or before a restart: looked up at the vendor, never sent again";

/// A step's state as shown: an act without an outcome that is not on its way from here reads unknown (law 4).
fn shown(view: &View<'_>, plan: &PlanState, step: &str) -> Option<(StepState, String)> {
    let session = &view.observed.session;
    let (state, detail, _) = plan.steps.get(step)?;
    let act = plan
        .plan
        .steps
        .iter()
        .find(|s| s.id == step)
        .and_then(act_of);
    let lost = *state == StepState::Asked
        && plan.running()
        && act.is_some_and(|act| !session.in_flight.contains(&act.id));
    Some(if lost {
        (StepState::Unknown, UNHEARD.to_owned())
    } else {
        (*state, detail.clone())
    })
}

/// Why the running plan stands still and wants a person.
fn stuck(view: &View<'_>, plan: &PlanState) -> Option<String> {
    let over = |s: StepState| matches!(s, StepState::Confirmed | StepState::Deferred);
    let step = plan.plan.steps.iter().find(|s| !over(plan.state(&s.id)))?;
    let Some((told, _, at)) = plan.steps.get(&step.id) else {
        return locked(view, step);
    };
    let age = (view.at() - *at).num_seconds();
    let (state, detail) = shown(view, plan, &step.id)?;
    let fresh = *told == StepState::Asked && age < SETTLES;
    match state {
        StepState::Refused | StepState::Unknown if !fresh => {
            Some(format!("{}: {} ({detail})", step.title, state.word()))
        }
        StepState::Asked => late(view, step, age),
        _ => None,
    }
}

/// Its act waits for somebody else's on the same service.
fn locked(view: &View<'_>, step: &PlanStep) -> Option<String> {
    act_of(step)?;
    let holder = lock_of(view, &step.service, &step.environment)?;
    Some(format!(
        "{}: waits for {holder}, who acts on it",
        step.title
    ))
}

/// Who else acts on that service there now.
pub(super) fn lock_of<'a>(view: &View<'a>, service: &str, environment: &str) -> Option<&'a str> {
    let locks = &view.observed.session.locks;
    locks
        .get(&lock_name(service, environment))
        .map(String::as_str)
}

/// The old version does not come: after three times what is expected, and half an hour at least.
fn late(view: &View<'_>, step: &PlanStep, waited: i64) -> Option<String> {
    let StepKind::AwaitVersion { version } = &step.kind else {
        return None;
    };
    let expected = expected(view, &step.service, &step.environment);
    let limit = i64::try_from(expected).map_or(LATE, |e| LATE.max(3 * e));
    let long = duration_words(chrono::Duration::seconds(waited));
    (waited >= limit).then(|| {
        format!(
            "{} {version} does not serve after {long}: look at the vendor, or end the rollback",
            step.service
        )
    })
}

/// Seconds: trip to request, request to old version live, request to clear; each only once it is so.
pub(super) fn times(view: &View<'_>, plan: &PlanState) -> (Option<i64>, Option<i64>, Option<i64>) {
    let steps = &plan.plan.steps;
    let asked = steps
        .iter()
        .filter(|s| matches!(s.kind, StepKind::Act { .. }))
        .filter_map(|s| view.journal.acts.get(act_of(s)?.id.as_str()))
        .map(|a| a.at)
        .min();
    let reached = |kind: fn(&StepKind) -> bool| {
        let mut last = None;
        for step in steps.iter().filter(|s| kind(&s.kind)) {
            match plan.steps.get(&step.id) {
                Some((StepState::Confirmed, _, at)) => last = last.max(Some(*at)),
                _ => return None,
            }
        }
        last
    };
    let live = reached(|k| matches!(k, StepKind::AwaitVersion { .. }));
    let clear = reached(|k| matches!(k, StepKind::AwaitClear));
    let between =
        |a: Option<Instant>, b: Option<Instant>| a.zip(b).map(|(a, b)| (b - a).num_seconds());
    (
        between(plan.plan.tripped_at, asked),
        between(asked, live),
        between(asked, clear),
    )
}

/// The version that the running rollback brings back to a service.
pub(super) fn target<'a>(view: &View<'a>, service: &str) -> Option<&'a str> {
    let steps = &view.state?.running_plan()?.plan.steps;
    steps.iter().find_map(|s| match &s.kind {
        StepKind::Act { to, .. } if s.service == service => Some(to.as_str()),
        _ => None,
    })
}

/// A rollout under way that the release's acts steer: of its new version, or of the old one that a running rollback brings back.
pub(crate) fn in_motion(view: &View<'_>, rollout: &Rollout<'_>) -> bool {
    rollout.record.is_some_and(|d| {
        let back = target(view, &rollout.service.name);
        d.state.in_flight() && (d.version == rollout.change.to || back == Some(&d.version))
    })
}

/// The running plan of the current release, else its latest.
pub(super) fn plan(view: &View<'_>) -> Option<PlanView> {
    let state = view.state?;
    let plan = state.running_plan().or_else(|| state.plans.last())?;
    Some(PlanView {
        plan: plan.plan.clone(),
        started: plan.started,
        states: plan
            .steps
            .keys()
            .filter_map(|id| Some((id.clone(), shown(view, plan, id)?)))
            .collect(),
        times: plan
            .steps
            .iter()
            .map(|(id, (_, _, at))| (id.clone(), *at))
            .collect(),
        ended: plan
            .ended
            .as_ref()
            .map(|(done, detail, _)| (*done, detail.clone())),
        stuck: stuck(view, plan).filter(|_| plan.running()),
        times_to: if plan.running() {
            times(view, plan)
        } else {
            plan.times
        },
    })
}
