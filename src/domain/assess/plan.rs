//! A rollback plan under way or ended, as shown.

use crate::domain::event::StepState;
use crate::domain::situation::PlanView;

use super::View;

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
            .iter()
            .map(|(id, (state, detail, _))| (id.clone(), (*state, detail.clone())))
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
