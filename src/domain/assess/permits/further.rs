//! What else moves a rollout: past all its steps at once, once more after it was aborted, and its instances anew.

use std::collections::BTreeSet;

use crate::domain::act::{Danger, Verb};
use crate::domain::assess::View;
use crate::domain::assess::calendar::start_refusals;
use crate::domain::assess::rollout::Rollout;
use crate::domain::event::StepKind;
use crate::domain::record::DeployState;
use crate::domain::situation::{Input, Permit, Refusal, Situation};
use crate::domain::verdict::Verdict;

use super::rollout::promote;
use super::start::held_version;
use super::{basis, cannot, no_release, permit, reason};

/// The rollouts that such an act may be about now, in the order of the release's changes.
pub(crate) fn candidates<'a, 'b>(view: &'b View<'a>, verb: Verb) -> Vec<&'b Rollout<'a>> {
    let back = going_back(view);
    view.rollouts
        .iter()
        .filter(|r| {
            r.record.is_some_and(|d| {
                let ours = d.version == r.change.to;
                let target = back.contains(&(r.service.name.as_str(), d.version.as_str()));
                match verb {
                    Verb::PromoteFull => d.state.in_flight() && (ours || target),
                    Verb::Retry => {
                        ours && matches!(d.state, DeployState::Cancelled | DeployState::Failed)
                    }
                    _ => true,
                }
            })
        })
        .collect()
}

/// Services and versions that a running rollback waits for.
fn going_back<'a>(view: &View<'a>) -> BTreeSet<(&'a str, &'a str)> {
    let plan = view.state.and_then(|x| x.running_plan());
    plan.into_iter()
        .flat_map(|p| &p.plan.steps)
        .filter_map(|s| match &s.kind {
            StepKind::AwaitVersion { version } => Some((s.service.as_str(), version.as_str())),
            _ => None,
        })
        .collect()
}

/// Past all steps, pauses and analyses: refused by whatever refuses a promotion, but for the old version on its way back.
pub(super) fn promote_full(view: &View<'_>, s: &Situation) -> Result<Permit, Vec<Refusal>> {
    let all = candidates(view, Verb::PromoteFull);
    let back = going_back(view);
    let returning: Vec<&Rollout<'_>> = all
        .iter()
        .copied()
        .filter(|r| {
            r.record.is_some_and(|d| {
                d.version != r.change.to
                    && back.contains(&(r.service.name.as_str(), d.version.as_str()))
            })
        })
        .collect();
    let rollouts = if returning.is_empty() { all } else { returning };
    let Some(first) = rollouts.first() else {
        return Err(vec![Refusal::new("phase", "no rollout is under way")]);
    };
    let mut p = permit(
        view,
        "promote_full",
        "Promote fully, past all steps",
        Danger::High,
    );
    let goes_back = first.record.is_some_and(|d| d.version != first.change.to);
    if !goes_back {
        let granted = promote(view, s, None)?;
        p.warnings = granted.warnings;
        p.warnings
            .push("no gate, pause or analysis is waited for any more".to_owned());
    }
    refuse(view, &rollouts, Verb::PromoteFull)?;
    for rollout in &rollouts {
        let version = rollout.record.map_or("?", |d| d.version.as_str());
        p.effects.push(format!(
            "{}: {version} takes all traffic at once, past all steps, pauses and analyses",
            rollout.service.name
        ));
    }
    finish(view, p, &rollouts, true)
}

/// An aborted rollout begins anew with the same version: what refuses a start for its time refuses it too.
pub(super) fn retry(view: &View<'_>, s: &Situation) -> Result<Permit, Vec<Refusal>> {
    let release = view.release.ok_or_else(no_release)?;
    let rollouts = candidates(view, Verb::Retry);
    if rollouts.is_empty() {
        return Err(vec![Refusal::new(
            "phase",
            "no rollout of this release was aborted or failed",
        )]);
    }
    refuse(view, &rollouts, Verb::Retry)?;
    let mut refusals = start_refusals(view, release);
    refusals.extend(rolling_back(view));
    refusals.extend(rollouts.iter().filter_map(|r| held_version(view, r)));
    for trigger in s.triggers.iter().filter(|t| t.tripped) {
        refusals.push(
            Refusal::new(
                trigger.id.clone(),
                format!("trigger {} tripped: {}", trigger.trigger, trigger.distance),
            )
            .way_out("wait until it is clear, or roll back"),
        );
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let mut p = permit(view, "retry", "Retry the rollout", Danger::High);
    for rollout in &rollouts {
        p.effects.push(format!(
            "{} {} is rolled out anew, from its first step",
            rollout.service.name, rollout.change.to
        ));
    }
    let failed = s.gates.iter().filter(|g| g.verdict == Verdict::Fail);
    p.warnings
        .extend(failed.map(|g| format!("gate {} failed: {}", g.gate, g.said)));
    finish(view, p, &rollouts, true)
}

/// New instances of the version that is there.
pub(super) fn restart(view: &View<'_>) -> Result<Permit, Vec<Refusal>> {
    let rollouts: Vec<&Rollout<'_>> = candidates(view, Verb::Restart)
        .into_iter()
        .filter(|r| cannot(view, r, Verb::Restart).is_none())
        .collect();
    if rollouts.is_empty() {
        let why = view
            .rollouts
            .first()
            .and_then(|r| cannot(view, r, Verb::Restart));
        return Err(vec![why.unwrap_or_else(|| {
            Refusal::new("phase", "no deployment of this release's services is known")
        })]);
    }
    // A restart changes the object: a rollback that is under way would no longer know its own.
    if let Some(refusal) = rolling_back(view) {
        return Err(vec![refusal]);
    }
    refuse(view, &rollouts, Verb::Restart)?;
    let mut p = permit(view, "restart", "Restart the instances", Danger::Medium);
    for rollout in &rollouts {
        let version = rollout.record.map_or("?", |d| d.version.as_str());
        p.effects.push(format!(
            "{} {version}: its instances are replaced, the version stays",
            rollout.service.name
        ));
    }
    let always = view.protected();
    finish(view, p, &rollouts, always)
}

fn rolling_back(view: &View<'_>) -> Option<Refusal> {
    let plan = view.state.and_then(|x| x.running_plan())?;
    Some(Refusal::new(
        "rollback",
        format!("rollback {} is running", plan.plan.id),
    ))
}

/// Law 2, and what the vendor cannot do.
fn refuse(view: &View<'_>, rollouts: &[&Rollout<'_>], verb: Verb) -> Result<(), Vec<Refusal>> {
    let mut refusals = Vec::new();
    for rollout in rollouts {
        refusals.extend(cannot(view, rollout, verb));
        if !rollout.freshness.usable() {
            refusals.push(Refusal::new(
                "deployments",
                format!(
                    "the live state of {} is {}",
                    rollout.service.name,
                    rollout.freshness.word()
                ),
            ));
        }
    }
    if refusals.is_empty() {
        Ok(())
    } else {
        Err(refusals)
    }
}

/// Which service, where there are several; typed; basis.
fn finish(
    view: &View<'_>,
    mut p: Permit,
    rollouts: &[&Rollout<'_>],
    type_it: bool,
) -> Result<Permit, Vec<Refusal>> {
    let names: Vec<&str> = rollouts.iter().map(|r| r.service.name.as_str()).collect();
    let Some(first) = names.first() else {
        return Err(vec![Refusal::new("phase", "no rollout is known")]);
    };
    if names.len() > 1 {
        p.service = None;
        p.inputs.push(Input {
            key: "service".to_owned(),
            label: format!("one of {}", names.join(", ")),
            required: true,
            default: (*first).to_owned(),
        });
        p.typed = type_it
            .then(|| view.release.map(|r| r.id.clone()))
            .flatten();
    } else {
        p.service = Some((*first).to_owned());
        p.typed = type_it.then(|| (*first).to_owned());
    }
    p.inputs.push(reason(false, ""));
    p.basis = basis(view, &names);
    Ok(p)
}
