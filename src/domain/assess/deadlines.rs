//! Deadlines of a release (SEMANTICS 3): when what is due, and what of it is still open.

use std::collections::BTreeSet;

use crate::domain::policy::{Change, Check, Release, Section};
use crate::domain::record::{BuildState, Records};
use crate::domain::situation::{
    ConflictKind, DeadlineKind, DeadlineView, Mark, Party, PartyKind, Tone,
};
use crate::domain::time::Instant;

use super::conflicts::{Found, Plan};
use super::{View, clock_full};

/// Every deadline of the open releases, earliest first; those that passed, or will, with open work are conflicts.
pub(super) fn find(
    view: &View<'_>,
    open: &[&Release],
    plans: &[Plan<'_>],
    out: &mut Found,
) -> Vec<DeadlineView> {
    let mut list: Vec<DeadlineView> = Vec::new();
    for release in open {
        for (kind, at) in release.deadlines.list() {
            let left = left(view, release, kind, at);
            let plan = plans.iter().find(|p| p.release.id == release.id);
            conflict(view, release, (kind, at), &left, plan, out);
            let mark = match (left.is_empty(), at <= view.at()) {
                (true, _) => Mark::new("done", Tone::Pass),
                (false, true) => Mark::new("passed with open work", Tone::Fail),
                (false, false) => Mark::new("open", Tone::Hold),
            };
            list.push(DeadlineView {
                release: release.id.clone(),
                kind,
                at,
                mark,
                open: left,
            });
        }
    }
    list.sort_by(|a, b| (a.at, &a.release, a.kind).cmp(&(b.at, &b.release, b.kind)));
    list
}

fn conflict(
    view: &View<'_>,
    release: &Release,
    (kind, at): (DeadlineKind, Instant),
    left: &[String],
    plan: Option<&Plan<'_>>,
    out: &mut Found,
) {
    let clock = |at| clock_full(at, view.at(), view.policy.timezone);
    let owner = plan.and_then(|p| p.driver.clone());
    let parties = || {
        (
            Party::new(PartyKind::Release, release.id.clone(), owner.clone()),
            Party::new(PartyKind::Deadline, kind.word(), release.author.clone()),
        )
    };
    let late = plan.filter(|p| kind == DeadlineKind::Deploy && !p.settled && p.live > at);
    if at <= view.at() && !left.is_empty() {
        out.push(
            ConflictKind::Deadline,
            parties(),
            "",
            (at, None),
            format!(
                "the deadline \"{}\" of {} passed {} with open work: {}",
                kind.word(),
                release.id,
                clock(at),
                left.join("; ")
            ),
            way_out(kind, release),
        );
    } else if let Some(plan) = late {
        out.push(
            ConflictKind::Deadline,
            parties(),
            "planned",
            (at, Some(plan.live)),
            format!(
                "{} is planned to be live {}, after its deadline \"{}\" at {}",
                release.id,
                clock(plan.live),
                kind.word(),
                clock(at)
            ),
            format!(
                "start it by {}, or agree on a later deadline",
                clock(at - (plan.live - plan.start))
            ),
        );
    }
}

fn way_out(kind: DeadlineKind, release: &Release) -> String {
    let who = release.author.as_deref().unwrap_or("its author");
    match kind {
        DeadlineKind::CodeFreeze => {
            format!("take the late work out of it, or agree on a later code freeze with {who}")
        }
        DeadlineKind::Testing => {
            format!("finish the tests, or move {} with {who}", release.id)
        }
        DeadlineKind::Deploy => "deploy it, move the deadline, or close the release".to_owned(),
    }
}

/// What is still open for a deadline, a line each. What could not be read is open: nothing here is done because it is not known.
fn left(view: &View<'_>, release: &Release, kind: DeadlineKind, at: Instant) -> Vec<String> {
    let mut out = Vec::new();
    for change in &release.changes {
        match kind {
            DeadlineKind::CodeFreeze => code(view, release, change, at, &mut out),
            DeadlineKind::Testing => tests(view, release, change, &mut out),
            DeadlineKind::Deploy => live(view, release, change, &mut out),
        }
    }
    let mut seen = BTreeSet::new();
    out.retain(|line| seen.insert(line.clone()));
    out
}

/// No commit is younger than the code freeze, and the version is built.
fn code(view: &View<'_>, release: &Release, change: &Change, at: Instant, out: &mut Vec<String>) {
    let Some(service) = view.policy.service(&change.service) else {
        return;
    };
    let name = format!("{} {}", change.service, change.to);
    let commits = view.feed(&format!("commits/{}/{}", release.id, change.service));
    if let Some(Records::Commit(list)) = commits.0.map(|o| &o.records) {
        let late = list.iter().filter(|c| c.at.is_some_and(|t| t >= at));
        match late.count() {
            0 => {}
            1 => out.push(format!("{name} holds 1 commit that is younger")),
            n => out.push(format!("{name} holds {n} commits that are younger")),
        }
    }
    if service.registry.is_some() {
        let (seen, freshness) = view.feed(&format!("artifact/{}/{}", change.service, change.to));
        match seen.map(|o| &o.records) {
            Some(Records::Artifact(list)) if list.iter().any(|a| a.present) => {}
            Some(Records::Artifact(_)) if freshness.usable() => {
                out.push(format!("{name} is not in the registry"));
            }
            _ => out.push(format!(
                "whether {name} is built is not known: the registry was not read"
            )),
        }
    }
}

/// Every CI run of the version is green, and those that the checklist names are among them; where no CI is read, the manual items
/// before the deployment stand for it.
fn tests(view: &View<'_>, release: &Release, change: &Change, out: &mut Vec<String>) {
    let Some(service) = view.policy.service(&change.service) else {
        return;
    };
    let name = format!("{} {}", change.service, change.to);
    if service.builds.is_none() {
        let state = view.journal.release(&release.id);
        let items = view.policy.checklist.iter();
        let by_hand: Vec<_> = items
            .filter(|i| i.section == Section::PreDeploy && i.check == Check::Manual)
            .collect();
        if by_hand.is_empty() {
            out.push(format!(
                "nothing shows that {name} is tested: give the service `builds`"
            ));
        }
        out.extend(
            by_hand
                .into_iter()
                .filter(|i| {
                    !state.is_some_and(|s| {
                        s.ticks.contains_key(&i.id) || s.waivers.contains_key(&i.id)
                    })
                })
                .map(|i| format!("{} is not ticked", i.title)),
        );
        return;
    }
    let (seen, _) = view.feed(&format!("builds/{}/{}", change.service, change.to));
    let Some(Records::Build(list)) = seen.map(|o| &o.records) else {
        out.push(format!("the tests of {name} were not read"));
        return;
    };
    if list.is_empty() {
        out.push(format!("no test of {name} has run"));
    }
    for build in list.iter().filter(|b| b.state != BuildState::Succeeded) {
        out.push(format!("{} of {name} is not green", build.name));
    }
    let required = view.policy.checklist.iter().flat_map(|i| match &i.check {
        Check::CiGreen { required } => required.as_slice(),
        _ => &[],
    });
    for level in required {
        if !list.iter().any(|b| &b.name == level) {
            out.push(format!("{level} of {name} has not run"));
        }
    }
}

/// The version serves.
fn live(view: &View<'_>, release: &Release, change: &Change, out: &mut Vec<String>) {
    let state = view.journal.release(&release.id);
    let done = state.is_some_and(|s| {
        s.rolled_back().is_none()
            && s.tracks
                .get(&change.service)
                .is_some_and(|t| t.version == change.to && t.finished.is_some())
    });
    if !done {
        out.push(format!("{} {} is not live", change.service, change.to));
    }
}
