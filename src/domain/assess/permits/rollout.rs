//! What moves a rollout on, holds it or takes it back.

use crate::domain::act::{Danger, Verb};
use crate::domain::assess::View;
use crate::domain::assess::calendar::rollback_refusals;
use crate::domain::assess::gates::{self, sealed};
use crate::domain::assess::holds;
use crate::domain::assess::line;
use crate::domain::assess::passport;
use crate::domain::assess::plan::{in_motion, lock_of, target};
use crate::domain::assess::rollout::Rollout;
use crate::domain::event::StepState;
use crate::domain::journal::PlanState;
use crate::domain::policy::After;
use crate::domain::record::DeployState;
use crate::domain::situation::{Input, Permit, Refusal, Situation, TriggerView};
use crate::domain::verdict::Verdict;

use crate::domain::situation::{ACKNOWLEDGE, ACKNOWLEDGE_KEY};

use super::asked::asked;
use super::{basis, cannot, no_release, permit, reason, typed};

/// The rollouts that are under way, also that of an old version which a running rollback brings back.
fn moving<'a, 'b>(view: &'b View<'a>) -> Vec<&'b Rollout<'a>> {
    view.rollouts
        .iter()
        .filter(|r| in_motion(view, r))
        .collect()
}

/// The one that a running rollback brings back: its gates were passed long ago.
fn coming_back(view: &View<'_>, rollout: &Rollout<'_>) -> bool {
    let back = target(view, &rollout.service.name);
    back.is_some() && back == rollout.record.map(|d| d.version.as_str())
}

/// Another release's rollback that works on a service there.
pub(super) fn other_plan(view: &View<'_>, service: &str) -> Option<Refusal> {
    let here = view.release.map(|r| r.id.as_str());
    let touches = |plan: &&PlanState| {
        let mut steps = plan.plan.steps.iter();
        steps.any(|s| s.service == service && s.environment == view.environment())
    };
    let (id, plan) = view
        .journal
        .releases
        .iter()
        .filter(|(id, _)| Some(id.as_str()) != here)
        .find_map(|(id, x)| Some((id, x.running_plan().filter(touches)?)))?;
    Some(
        Refusal::new(
            "lock",
            format!("{} of release {id} works on {service}", plan.plan.id),
        )
        .way_out("wait for its end, or end it there"),
    )
}

/// What else works on a service there: another release's rollback, or another cockpit's act.
pub(super) fn occupied(view: &View<'_>, service: &str) -> Option<Refusal> {
    other_plan(view, service).or_else(|| {
        let holder = lock_of(view, service, view.environment())?;
        let why = format!("{holder} acts on {service} now");
        Some(Refusal::new("lock", why).way_out("wait until that is through"))
    })
}

/// Services whose rollout is under way.
pub(super) fn services_moving(view: &View<'_>) -> Vec<String> {
    let names = moving(view).into_iter().map(|r| r.service.name.clone());
    names.collect()
}

/// The rollout that a steering act is about: the one that is named, else the first that the act applies to, else the first.
pub(crate) fn steered<'a, 'b>(
    view: &'b View<'a>,
    verb: Verb,
    only: Option<&str>,
) -> Option<&'b Rollout<'a>> {
    let moving = moving(view);
    if let Some(name) = only {
        return moving.into_iter().find(|r| r.service.name == name);
    }
    let applies = |r: &&Rollout<'_>| {
        let paused = r.record.is_some_and(|d| d.state == DeployState::Paused);
        let fits = match verb {
            Verb::Pause => !paused,
            Verb::Resume | Verb::Promote => paused,
            _ => true,
        };
        fits && cannot(view, r, verb).is_none()
    };
    let first = moving.first().copied();
    moving.into_iter().find(applies).or(first)
}

pub(super) fn promote(
    view: &View<'_>,
    s: &Situation,
    only: Option<&str>,
) -> Result<Permit, Vec<Refusal>> {
    let moving = moving(view);
    let Some(first) = steered(view, Verb::Promote, only) else {
        return Err(vec![Refusal::new("phase", "no rollout is under way")]);
    };
    let mut refusals: Vec<Refusal> = Vec::new();
    let back = moving.iter().all(|r| coming_back(view, r));
    refusals.extend(line::refusal(view).filter(|_| !back));
    refusals.extend(asked(view, first, Verb::Promote));
    if let Some(plan) = s.plan.as_ref().filter(|p| p.ended.is_none() && !back) {
        refusals.push(Refusal::new(
            "rollback",
            format!("rollback {} is running", plan.plan.id),
        ));
    }
    for rollout in &moving {
        refusals.extend(occupied(view, &rollout.service.name));
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
        refusals.extend(cannot(view, rollout, Verb::Promote));
    }
    for gate in s.gates.iter().filter(|g| g.critical && !back) {
        if gate.verdict != Verdict::Pass && !gate.accepted {
            let mut refusal = Refusal::new(
                gate.id.clone(),
                format!("gate {} {}: {}", gate.gate, gate.mark.word, gate.said),
            );
            refusal.until = gate
                .opened
                .map(|t| {
                    t + chrono::Duration::seconds(
                        i64::try_from(view.policy.limits.gate_max).unwrap_or(600),
                    )
                })
                .filter(|t| *t > view.at());
            refusals.push(refusal.way_out("wait for it, or accept the undecided with a reason"));
        }
    }
    // A gate after a share of traffic is not due before that share is reached; one after every step is.
    let due = moving.iter().any(|r| {
        sealed(view, r.service)
            .iter()
            .any(|g| g.after == After::Step)
    });
    if s.gates.is_empty() && due && !back {
        refusals.push(Refusal::new("gate", "no gate ran yet"));
    }
    for rollout in moving.iter().filter(|_| !back) {
        if let Some(hold) = holds::of_trigger(view, rollout) {
            let id = holds::debt_id(&rollout.service.name, view.environment());
            refusals.push(
                Refusal::new(id, holds::words(view, rollout, hold))
                    .way_out("resume lets it go, with a reason"),
            );
        }
    }
    for trigger in s.triggers.iter().filter(|t| t.tripped && !back) {
        refusals.push(
            Refusal::new(
                trigger.id.clone(),
                format!("trigger {} tripped: {}", trigger.trigger, trigger.distance),
            )
            .way_out("R rolls back"),
        );
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let mut p = permit(
        view,
        &keyed("promote", only),
        format!("Promote {}", first.service.name),
        Danger::Medium,
    );
    p.service = Some(first.service.name.clone());
    if let Some(d) = first.record {
        p.from = d.weight.map(|w| format!("{w:.0} %"));
        p.effects.push(match (d.step, d.steps) {
            (Some(i), Some(n)) => format!("{} goes on from step {i} of {n}", first.service.name),
            _ => format!("{} goes on to the next step", first.service.name),
        });
    }
    let ungated = gates::ungated(view, &s.gates);
    p.warnings
        .extend(ungated.into_iter().map(gates::ungated_words));
    p.warnings
        .extend(s.triggers.iter().filter(|_| !back).filter_map(|t| {
            let why = t.undecided.as_ref()?;
            Some(format!(
                "{}: trigger {} undecided: {why}",
                t.service, t.trigger
            ))
        }));
    p.typed = view.protected().then(|| first.service.name.clone());
    p.basis = basis(view, &[&first.service.name]);
    Ok(p)
}

/// A trigger's hold is let go by a person with a reason, whatever the vendor can do.
pub(super) fn let_go(view: &View<'_>, s: &Situation) -> Option<Permit> {
    let release = view.release?;
    let (rollout, hold) = holds::first(view)?;
    let service = &rollout.service.name;
    let title = format!("Let {service} go on: held by trigger {}", hold.trigger);
    let mut p = permit(view, "resume", title, Danger::Medium);
    p.service = Some(service.clone());
    p.effects
        .push("the hold ends, and its debt with it".to_owned());
    p.effects.push(if holds::resumes(view, release, rollout) {
        "the rollout goes on".to_owned()
    } else {
        "nothing is sent to the vendor: it was not paused from here".to_owned()
    });
    let still = |t: &&TriggerView| t.tripped && &t.service == service;
    p.warnings.extend(
        s.triggers
            .iter()
            .filter(still)
            .map(|t| format!("trigger {} is still tripped: {}", t.trigger, t.distance)),
    );
    p.typed = view.protected().then(|| service.clone());
    p.inputs.push(reason(true, ""));
    p.basis = basis(view, &[&hold.trigger]);
    Some(p)
}

/// `pause`, or `pause/checkout` where one of several is meant.
fn keyed(key: &str, only: Option<&str>) -> String {
    only.map_or_else(|| key.to_owned(), |name| format!("{key}/{name}"))
}

/// Abort, pause, resume: never blocked by window, fit, cover, brief, approval or checklist.
pub(super) fn steer(
    view: &View<'_>,
    key: &str,
    verb: Verb,
    title: &str,
    only: Option<&str>,
) -> Result<Permit, Vec<Refusal>> {
    let Some(first) = steered(view, verb, only) else {
        return Err(vec![Refusal::new("phase", "no rollout is under way")]);
    };
    if let Some(refusal) = line::refusal(view).filter(|_| verb == Verb::Resume) {
        return Err(vec![refusal]);
    }
    if let Some(refusal) = cannot(view, first, verb) {
        return Err(vec![refusal]);
    }
    if verb == Verb::Abort && coming_back(view, first) {
        let why = "the rollback brings this version back: to abort it would leave the bad one";
        return Err(vec![
            Refusal::new("rollback", why).way_out("promote it, or end the rollback"),
        ]);
    }
    let danger = if verb == Verb::Abort {
        Danger::High
    } else {
        Danger::Medium
    };
    let mut p = permit(
        view,
        &keyed(key, only),
        format!("{title} of {}", first.service.name),
        danger,
    );
    p.service = Some(first.service.name.clone());
    p.from = first.record.map(|d| d.version.clone());
    p.to = first.record.and_then(|d| d.previous.clone());
    p.effects.push(match verb {
        Verb::Abort => format!(
            "all traffic returns to {}",
            first
                .record
                .and_then(|d| d.previous.as_deref())
                .unwrap_or("the old version")
        ),
        Verb::Pause => "the rollout stays at its present step".to_owned(),
        _ => "the rollout goes on".to_owned(),
    });
    p.typed = (verb == Verb::Abort || view.protected()).then(|| first.service.name.clone());
    p.inputs.push(reason(false, ""));
    p.basis = basis(view, &[&first.service.name]);
    Ok(p)
}

pub(super) fn rollback(view: &View<'_>, s: &Situation) -> Result<Permit, Vec<Refusal>> {
    let release = view.release.ok_or_else(no_release)?;
    let mut refusals = Vec::new();
    if let Some(plan) = s.plan.as_ref().filter(|p| p.ended.is_none()) {
        return Err(vec![
            Refusal::new("rollback", format!("rollback {} is running", plan.plan.id))
                .way_out("its steps are on screen"),
        ]);
    }
    let started: Vec<&Rollout<'_>> = view
        .rollouts
        .iter()
        .filter(|r| {
            r.record
                .is_some_and(|d| d.version == r.change.to && d.state != DeployState::Queued)
        })
        .collect();
    if started.is_empty() {
        return Err(vec![Refusal::new(
            "phase",
            "nothing of this release is deployed",
        )]);
    }
    for rollout in &started {
        refusals.extend(other_plan(view, &rollout.service.name));
        refusals.extend(cannot(view, rollout, Verb::Rollback));
        refusals.extend(not_in_history(view, rollout, s));
        if !rollout.freshness.usable() {
            refusals.push(
                Refusal::new(
                    "deployments",
                    format!(
                        "the live state of {} is {}: the target cannot be read again",
                        rollout.service.name,
                        rollout.freshness.word()
                    ),
                )
                .way_out(rollout.service.runbook.clone().map_or_else(
                    || "roll back by hand at the vendor".to_owned(),
                    |r| format!("by hand: {r}"),
                )),
            );
        }
        let passport = s
            .passports
            .iter()
            .find(|p| p.service == rollout.service.name);
        if passport.is_none_or(|p| p.to.is_none())
            && rollout.record.is_none_or(|d| d.history.is_empty())
        {
            refusals.push(Refusal::new(
                "passport",
                format!(
                    "no earlier version of {} is known to go back to",
                    rollout.service.name
                ),
            ));
        }
    }
    let (frozen, crossed) = rollback_refusals(view, release);
    refusals.extend(frozen);
    if !refusals.is_empty() {
        return Err(refusals);
    }
    Ok(rollback_permit(view, s, &started, &crossed))
}

/// What was declared to deploy the bad version again: nothing here can hold it.
fn by_hand(rollout: &Rollout<'_>) -> Option<String> {
    let list = rollout.service.fought_by.as_ref()?;
    let name = &rollout.service.name;
    (!list.is_empty()).then(|| {
        format!(
            "stop by hand what deploys {name} again: {}",
            list.join(", ")
        )
    })
}

/// Nothing is held for a rollback that the vendor cannot do.
fn not_in_history(view: &View<'_>, rollout: &Rollout<'_>, s: &Situation) -> Option<Refusal> {
    let service = &rollout.service.name;
    let passport = s.passports.iter().find(|p| &p.service == service)?;
    let why = passport::unnamed(view, rollout, passport.to.as_deref()?)?;
    let by_hand = rollout.service.runbook.as_deref();
    Some(Refusal::new("passport", why).way_out(
        by_hand.map_or("roll back by hand at the vendor".to_owned(), |r| {
            format!("by hand: {r}")
        }),
    ))
}

fn rollback_permit(
    view: &View<'_>,
    s: &Situation,
    started: &[&Rollout<'_>],
    crossed: &[String],
) -> Permit {
    let tripped = s.triggers.iter().find(|t| t.tripped);
    let forward = s.passports.iter().find_map(|p| p.no_return.clone());
    let title = match &forward {
        Some(_) => "Roll forward; or go back PAST the point of no return",
        None => "Roll back",
    };
    let mut p = permit(view, "rollback", title, Danger::High);
    if forward.is_some() {
        let way = "roll forward: plan the version that mends it, and deploy it; what stands below goes back";
        p.effects.push(way.to_owned());
        p.inputs.push(Input {
            key: ACKNOWLEDGE_KEY.to_owned(),
            label: format!("type {ACKNOWLEDGE}"),
            required: true,
            default: String::new(),
        });
    }
    let mut basis_parts: Vec<String> = Vec::new();
    // In the order in which it is done: what stands on something else goes back first.
    let rank = |r: &Rollout<'_>| {
        let order = view.services();
        order.iter().position(|x| x.name == r.service.name)
    };
    let mut started = started.to_vec();
    started.sort_by_key(|r| std::cmp::Reverse(rank(r)));
    for rollout in &started {
        let passport = s
            .passports
            .iter()
            .find(|x| x.service == rollout.service.name);
        let to = passport.and_then(|x| x.to.clone());
        let can_hold = cannot(view, rollout, Verb::Hold)
            .or(cannot(view, rollout, Verb::ReleaseHold))
            .is_none();
        if can_hold && rollout.record.and_then(|d| d.auto_sync) == Some(true) {
            p.effects.push(format!(
                "hold auto-sync of {}, kept as it is",
                rollout.service.name
            ));
        }
        p.warnings.extend(by_hand(rollout));
        p.effects.push(format!(
            "{}: {} → {}",
            rollout.service.name,
            rollout.change.to,
            to.as_deref().unwrap_or("a version you pick")
        ));
        if let Some(x) = passport {
            p.effects
                .push(format!("passport {} of {}", x.passed, x.lines.len()));
            for line in x.lines.iter().filter(|l| l.verdict != Verdict::Pass) {
                p.warnings.push(format!(
                    "{}: {} ({})",
                    line.title, line.mark.word, line.note
                ));
            }
            // One after the other: their times add up.
            p.expected = Some(p.expected.unwrap_or(0) + x.expected.unwrap_or(0));
            let how = x.lines.iter().find(|l| l.id == "expected");
            if let Some(l) = how.filter(|l| l.verdict == Verdict::Pass) {
                p.effects.push(format!("takes about {}", l.note));
            }
            if x.to.is_none() {
                let known: Vec<&str> = x.others.iter().map(|(v, _)| v.as_str()).collect();
                p.inputs.push(Input {
                    key: format!("to/{}", x.service),
                    label: format!("version of {} ({})", x.service, known.join(", ")),
                    required: true,
                    default: String::new(),
                });
            }
        }
        basis_parts.push(format!(
            "{}>{}",
            rollout.service.name,
            to.unwrap_or_default()
        ));
        if started.len() == 1 {
            p.service = Some(rollout.service.name.clone());
            p.from = Some(rollout.change.to.clone());
            p.to = passport.and_then(|x| x.to.clone());
        }
    }
    p.effects
        .push("wait until the old version serves and the triggers are clear".to_owned());
    p.effects.push(
        "auto-sync stays off as a debt until the source no longer names the bad version".to_owned(),
    );
    p.warnings.extend(forward);
    p.warnings.extend(
        crossed
            .iter()
            .map(|f| format!("crosses freeze {f}: journaled")),
    );
    p.typed = typed(view);
    p.inputs.push(reason(
        true,
        &tripped.map_or_else(String::new, |t| format!("{} {}", t.trigger, t.distance)),
    ));
    let parts: Vec<&str> = basis_parts.iter().map(String::as_str).collect();
    p.basis = basis(view, &parts);
    p
}

/// A rollback that does not go on is ended by a person: nothing of it is undone, and what it holds stays held as a debt.
pub(super) fn end_rollback(view: &View<'_>, s: &Situation) -> Result<Permit, Vec<Refusal>> {
    let Some(plan) = s.plan.as_ref().filter(|p| p.ended.is_none()) else {
        return Err(vec![Refusal::new("rollback", "no rollback is running")]);
    };
    let title = "End the rollback where it is";
    let mut p = permit(view, "end_rollback", title, Danger::High);
    for step in &plan.plan.steps {
        match plan.states.get(&step.id).map(|(state, _)| *state) {
            Some(StepState::Confirmed | StepState::Deferred) => {}
            Some(StepState::Unknown) => p.warnings.push(format!(
                "{}: unknown: it may have happened; look at the vendor before you press again",
                step.title
            )),
            _ => p.effects.push(format!("left undone: {}", step.title)),
        }
    }
    p.effects
        .push("what it holds stays held, as a debt; R may begin another".to_owned());
    p.typed = typed(view);
    p.inputs.push(reason(true, ""));
    p.basis.clone_from(&plan.plan.id);
    Ok(p)
}

pub(super) fn cancel(view: &View<'_>, s: &Situation) -> Result<Permit, Vec<Refusal>> {
    let Some(countdown) = &s.band.countdown else {
        return Err(vec![Refusal::new("countdown", "no countdown is running")]);
    };
    let mut p = permit(view, "cancel_countdown", "Stop the countdown", Danger::Low);
    p.effects
        .push(format!("{} will not happen by itself", countdown.what));
    Ok(p)
}
