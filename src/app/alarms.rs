//! Lines between NEXT and the panes: what is wrong with the program or its set-up, and the rollback under way. They are seen
//! in every layout without a key.

use crate::domain::event::StepState;
use crate::domain::situation::{PlanView, Tone};
use crate::domain::time::duration_words;

use super::model::Model;

/// The lines, the worst first.
#[must_use]
pub fn alarms(model: &Model) -> Vec<(Tone, String)> {
    let mut out = Vec::new();
    if let Some(why) = &model.fatal {
        let first = why.lines().next().unwrap_or("");
        let more = if why.lines().count() > 1 { " …" } else { "" };
        out.push((
            Tone::Fail,
            format!("ENGINE STOPPED  {first}{more}; nothing below is read any more"),
        ));
    } else if model.silent()
        && let Some(s) = &model.situation
    {
        let age = duration_words(model.now.real - s.now.real);
        out.push((
            Tone::Fail,
            format!("NO NEWS  nothing was judged for {age}; what stands below is old"),
        ));
    }
    let Some(s) = &model.situation else {
        return out;
    };
    if let Some(p) = s.plan.as_ref().filter(|p| p.ended.is_none()) {
        out.push(plan(model, p));
    }
    let many = s.troubles.len();
    if let Some(first) = s.troubles.first() {
        let more = if many > 1 {
            format!(
                " (and {} more: {})",
                many - 1,
                model.keymap.label("messages")
            )
        } else {
            String::new()
        };
        out.push((Tone::Hold, format!("TROUBLE  {first}{more}")));
    }
    out
}

fn plan(model: &Model, p: &PlanView) -> (Tone, String) {
    let state = |id: &str| p.states.get(id).map_or(StepState::Waiting, |(s, _)| *s);
    let over = |s| matches!(s, StepState::Confirmed | StepState::Deferred);
    let done = p.plan.steps.iter().filter(|s| over(state(&s.id))).count();
    let total = p.plan.steps.len();
    if let Some(why) = &p.stuck {
        return (
            Tone::Fail,
            format!("ROLLBACK {done}/{total}  stands still: {why}"),
        );
    }
    let Some(step) = p.plan.steps.iter().find(|s| !over(state(&s.id))) else {
        return (Tone::Hold, format!("ROLLBACK {done}/{total}"));
    };
    let age = p
        .times
        .get(&step.id)
        .map(|at| format!(" for {}", duration_words(model.now.world - *at)))
        .unwrap_or_default();
    let word = state(&step.id).word();
    (
        Tone::Hold,
        format!("ROLLBACK {done}/{total}  {}: {word}{age}", step.title),
    )
}
