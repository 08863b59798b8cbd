//! A rollback plan under way or ended, as shown.

use crate::domain::event::StepState;
use crate::domain::journal::PlanState;
use crate::domain::situation::PlanView;

use super::View;
use super::owed::act_of;

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

/// The running plan of the current release, else its latest.
pub(super) fn plan(view: &View<'_>) -> Option<PlanView> {
    let state = view.state?;
    let plan = state.running_plan().or_else(|| state.plans.last())?;
    let stuck = plan
        .running()
        .then(|| {
            plan.plan.steps.iter().find_map(|step| {
                let (state, detail, _) = plan.steps.get(&step.id)?;
                matches!(state, StepState::Refused | StepState::Unknown)
                    .then(|| format!("{}: {} ({detail})", step.title, state.word()))
            })
        })
        .flatten();
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
        stuck,
        times_to: plan.times,
    })
}
