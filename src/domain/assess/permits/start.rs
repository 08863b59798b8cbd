//! The start: sealing, cover, and everything that refuses it.

use crate::domain::act::{Danger, Verb};
use crate::domain::assess::approvals::approval;
use crate::domain::assess::calendar::{needed, overridden, start_refusals};
use crate::domain::assess::rollout::Rollout;
use crate::domain::assess::{View, clock_full, line, oncall};
use crate::domain::contract;
use crate::domain::policy::Section;
use crate::domain::situation::{Permit, Phase, Refusal, Situation};
use crate::domain::verdict::Verdict;

use super::asked::asked;
use super::{basis, cannot, no_release, occupied, permit, phase, typed};

pub(super) fn seal(view: &View<'_>, s: &Situation) -> Result<Permit, Vec<Refusal>> {
    let release = view.release.ok_or_else(no_release)?;
    match phase(s) {
        Phase::Planned => {}
        Phase::Ready => {
            return Err(vec![Refusal::new(
                "contract",
                "the contract is sealed already",
            )]);
        }
        other => {
            return Err(vec![Refusal::new(
                "contract",
                format!("the release is {}", other.word()),
            )]);
        }
    }
    let contract = contract::of(view.policy, release);
    let mut p = permit(view, "seal", "Seal the contract", Danger::Low);
    for (service, gates) in &contract.gates {
        for gate in gates {
            p.effects.push(format!(
                "{service}: gate {} on {}",
                gate.id,
                gate.metrics.join(", ")
            ));
        }
    }
    for (service, triggers) in &contract.triggers {
        for trigger in triggers {
            p.effects.push(format!("{service}: trigger {}", trigger.id));
        }
    }
    p.basis = basis(view, &[&contract::digest(&contract)]);
    Ok(p)
}

/// Everything that refuses the start of the current release.
pub(in crate::domain::assess) fn start(view: &View<'_>, s: &Situation) -> Vec<Refusal> {
    let Some(release) = view.release else {
        return no_release();
    };
    let mut out = start_refusals(view, release);
    out.extend(line::refusal(view));
    out.extend(cover(view));
    if phase(s) == Phase::Planned {
        out.push(Refusal::new("contract", "the contract is not sealed").way_out("S seals it"));
    }
    if let Err(refusal) = approval(view) {
        out.push(refusal);
    }
    // Once it began, the section is kept as it was and is not asked again for the next service.
    let begun = !matches!(phase(s), Phase::Planned | Phase::Ready);
    for item in s.checklist.items.iter().filter(|i| {
        !begun
            && i.section == Section::PreDeploy
            && i.mark.word != "waived"
            && i.verdict != Verdict::Pass
    }) {
        out.push(
            Refusal::new(
                format!("checklist/{}", item.id),
                format!("{}: {} ({})", item.title, item.mark.word, item.note),
            )
            .way_out("prove it, or waive it with a reason"),
        );
    }
    for rollout in &view.rollouts {
        out.extend(held_version(view, rollout));
        if !rollout.freshness.usable() {
            out.push(Refusal::new(
                "deployments",
                format!(
                    "the live state of {} is {}",
                    rollout.service.name,
                    rollout.freshness.word()
                ),
            ));
        }
    }
    out
}

/// After a rollback, deploys of the bad version are held.
pub(super) fn held_version(view: &View<'_>, rollout: &Rollout<'_>) -> Option<Refusal> {
    let id = format!(
        "held/{}/{}/{}",
        rollout.service.name,
        view.environment(),
        rollout.change.to
    );
    let debt = view.journal.debts.get(&id)?;
    let mut refusal = Refusal::new(
        id,
        format!("{} was rolled back: {}", rollout.change.to, debt.what),
    );
    refusal.owner = Some(debt.owner.clone());
    refusal.until = Some(debt.due);
    Some(refusal.way_out("settle that debt when the version is mended"))
}

/// Somebody is scheduled for the whole of the deployment. Not configured: never closes.
pub(in crate::domain::assess) fn cover(view: &View<'_>) -> Option<Refusal> {
    let oncall = &view.policy.oncall;
    if oncall.connection.is_none() && oncall.rotations.is_empty() {
        return None;
    }
    let release = view.release?;
    let (need, _) = needed(view, release);
    let until = view.at() + chrono::Duration::seconds(need);
    if overridden(view, "cover") {
        return None;
    }
    // Law 2: a schedule that is stale covers nothing.
    let stale = view
        .policy
        .oncall
        .connection
        .as_ref()
        .map(|name| view.feed(&format!("oncall/{name}")).1)
        .filter(|f| !f.usable());
    let mut refusal = match (stale, oncall::covered(view, until)) {
        (Some(f), _) => Refusal::new("cover", format!("who is on call is {}", f.word())),
        (None, Ok(())) => return None,
        (None, Err(None)) => Refusal::new("cover", "nobody is known to be on call at level 1"),
        (None, Err(Some((person, end)))) => Refusal::new(
            "cover",
            format!(
                "{person}'s shift ends {} and no one after is known",
                clock_full(end, view.at(), view.policy.timezone)
            ),
        ),
    };
    refusal.overridable = true;
    Some(refusal.way_out("arrange cover, or override with a reason"))
}

/// The next service to deploy: the first in dependency order that is not on its version yet.
pub(crate) fn next_service<'a, 'b>(view: &'b View<'a>) -> Option<&'b Rollout<'a>> {
    view.services()
        .iter()
        .filter_map(|s| view.rollout(&s.name))
        .find(|r| r.record.is_none_or(|d| d.version != r.change.to))
}

/// One service at a time, dependencies first: each when those before it serve and their gates let it.
pub(super) fn deploy(view: &View<'_>, s: &Situation) -> Result<Permit, Vec<Refusal>> {
    let release = view.release.ok_or_else(no_release)?;
    let at = phase(s);
    if !matches!(at, Phase::Planned | Phase::Ready | Phase::Deploying) {
        let why = format!("the release is {}", at.word());
        return Err(vec![Refusal::new("phase", why)]);
    }
    let Some(next) = next_service(view) else {
        return Err(vec![Refusal::new(
            "phase",
            "every change is deployed or under way",
        )]);
    };
    let mut refusals = earlier(view, s, next);
    refusals.extend(start(view, s));
    refusals.extend(cannot(view, next, Verb::Deploy));
    refusals.extend(asked(view, next, Verb::Deploy));
    refusals.extend(occupied(view, &next.service.name));
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let name = &next.service.name;
    let mut p = permit(
        view,
        "deploy",
        format!("Deploy {}", release.title),
        Danger::High,
    );
    p.service = Some(name.clone());
    p.from = next.record.map(|d| d.version.clone());
    p.to = Some(next.change.to.clone());
    p.effects.push(format!(
        "{name}: {} → {}",
        p.from.as_deref().unwrap_or("nothing"),
        next.change.to
    ));
    for other in view.services() {
        let Some(later) = view.rollout(&other.name).filter(|r| {
            r.service.name != *name && r.record.is_none_or(|d| d.version != r.change.to)
        }) else {
            continue;
        };
        p.effects.push(format!(
            "afterwards {}: {} → {}, with its own confirmation",
            later.service.name,
            later.record.map_or("?", |d| d.version.as_str()),
            later.change.to
        ));
    }
    p.warnings = s
        .feeds
        .iter()
        .filter(|f| f.feeds_verdict && !f.freshness.usable())
        .map(|f| format!("{} is {}", f.what, f.mark.word))
        .collect();
    p.typed = view.protected().then(|| typed(view)).flatten();
    p.basis = basis(view, &[name]);
    let (need, _) = needed(view, release);
    p.expected = u64::try_from(need).ok();
    Ok(p)
}

/// What of this release stands in the way of its next service.
fn earlier(view: &View<'_>, s: &Situation, next: &Rollout<'_>) -> Vec<Refusal> {
    let mut out = Vec::new();
    if let Some(plan) = s.plan.as_ref().filter(|p| p.ended.is_none()) {
        out.push(Refusal::new(
            "rollback",
            format!("rollback {} is running", plan.plan.id),
        ));
    }
    if view.state.is_some_and(|x| x.rolled_back().is_some()) {
        out.push(
            Refusal::new("rollback", "this release was rolled back")
                .way_out("close it and plan a new one"),
        );
    }
    for rollout in &view.rollouts {
        let begun = rollout
            .record
            .is_some_and(|d| d.version == rollout.change.to);
        if rollout.service.name != next.service.name && begun && !rollout.serves() {
            out.push(
                Refusal::new(
                    "order",
                    format!(
                        "{} {} does not serve yet: services go one after the other",
                        rollout.service.name, rollout.change.to
                    ),
                )
                .way_out("wait for it"),
            );
        }
    }
    for gate in s
        .gates
        .iter()
        .filter(|g| g.critical && g.verdict != Verdict::Pass && !g.accepted)
    {
        out.push(
            Refusal::new(
                gate.id.clone(),
                format!("gate {} {}: {}", gate.gate, gate.mark.word, gate.said),
            )
            .way_out("wait for it, or accept the undecided with a reason"),
        );
    }
    out.extend(s.triggers.iter().filter(|t| t.tripped).map(|t| {
        Refusal::new(
            t.id.clone(),
            format!("trigger {} tripped: {}", t.trigger, t.distance),
        )
        .way_out("R rolls back")
    }));
    out
}
