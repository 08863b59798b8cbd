//! Holds: rollouts that a person (or a trigger) stopped and nobody let go on yet. Temporary, so each is a debt (law 6).

use crate::domain::act::{Outcome, Verb};
use crate::domain::journal::{ActState, TriggerHold};
use crate::domain::policy::Release;
use crate::domain::record::DeployState;

use super::View;
use super::rollout::Rollout;

/// The act that holds a service's rollout now: the latest steering act, where it is a pause that was not refused.
pub(super) fn held<'a>(view: &View<'a>, release: &Release, service: &str) -> Option<&'a ActState> {
    let last = view
        .journal
        .acts
        .values()
        .filter(|a| {
            a.act.release.as_deref() == Some(release.id.as_str())
                && a.act.service.as_deref() == Some(service)
                && steers(a.act.verb)
                && !matches!(a.outcome, Some((Outcome::Refused { .. }, _)))
        })
        .max_by_key(|a| (a.at, a.act.verb != Verb::Pause))?;
    (last.act.verb == Verb::Pause).then_some(last)
}

fn steers(verb: Verb) -> bool {
    matches!(
        verb,
        Verb::Pause
            | Verb::Resume
            | Verb::Promote
            | Verb::PromoteFull
            | Verb::Abort
            | Verb::Deploy
            | Verb::Retry
            | Verb::Rollback
    )
}

/// Id of the debt that a held rollout is.
pub(crate) fn debt_id(service: &str, environment: &str) -> String {
    format!("hold/{service}/{environment}")
}

/// Where a tripped trigger holds a rollout of the current release: the hold stands whatever the vendor can do, until a person lets it
/// go or nothing of the rollout serves any more.
pub(super) fn of_trigger<'a>(view: &View<'a>, rollout: &Rollout<'_>) -> Option<&'a TriggerHold> {
    if rollout.withdrawn() || rollout.rolled_back.is_some() {
        return None;
    }
    view.state?.holds.get(&rollout.service.name)
}

/// The first rollout that a trigger holds.
pub(crate) fn first<'v, 'a>(view: &'v View<'a>) -> Option<(&'v Rollout<'a>, &'a TriggerHold)> {
    view.rollouts
        .iter()
        .find_map(|r| Some((r, of_trigger(view, r)?)))
}

/// `checkout is held by trigger error_rate>2x: 2.4× of 2.0×`, and why the vendor goes on where it does.
pub(super) fn words(view: &View<'_>, rollout: &Rollout<'_>, hold: &TriggerHold) -> String {
    let text = format!(
        "{} is held by trigger {}: {}",
        rollout.service.name, hold.trigger, hold.said
    );
    match unpaused(view, rollout, hold) {
        Some(why) => format!("{text}; the vendor goes on: {why}"),
        None => text,
    }
}

/// Why nothing is paused at the vendor; `None` where it is, where it is being asked, or where nothing is left to pause.
fn unpaused(view: &View<'_>, rollout: &Rollout<'_>, hold: &TriggerHold) -> Option<String> {
    let release = view.release?;
    let rests = rollout
        .record
        .is_none_or(|d| d.state == DeployState::Paused || !d.state.in_flight());
    if rests {
        return None;
    }
    if !can(view, rollout, Verb::Pause) {
        let name = rollout.service.deployments.as_ref();
        let connector = name
            .and_then(|c| view.policy.connections.get(c))
            .map_or("", |c| c.connector.as_str());
        return Some(format!("connector {connector} cannot pause"));
    }
    let asked = view
        .journal
        .acts
        .values()
        .filter(|a| {
            a.act.verb == Verb::Pause
                && a.act.release.as_deref() == Some(release.id.as_str())
                && a.act.service.as_deref() == Some(rollout.service.name.as_str())
                && a.at >= hold.at
        })
        .max_by_key(|a| a.at);
    let session = &view.observed.session;
    let driven = session.drives.contains(&release.id) || session.leases.contains_key(&release.id);
    match asked.map(|a| &a.outcome) {
        None if !driven => Some("nobody watching".to_owned()),
        Some(Some((Outcome::Refused { why }, _))) => Some(format!("the pause was refused: {why}")),
        Some(Some((Outcome::Unknown { .. }, _))) => {
            Some("whether it was paused is not known".to_owned())
        }
        _ => None,
    }
}

/// Can the rollout's connection do that?
pub(super) fn can(view: &View<'_>, rollout: &Rollout<'_>, verb: Verb) -> bool {
    let name = rollout.service.deployments.as_ref();
    name.and_then(|c| view.policy.connections.get(c))
        .is_some_and(|c| c.can(verb))
}

/// A rollout that was paused here, and goes on when its hold is let go.
pub(crate) fn resumes(view: &View<'_>, release: &Release, rollout: &Rollout<'_>) -> bool {
    held(view, release, &rollout.service.name).is_some()
        && rollout
            .record
            .is_some_and(|d| d.state == DeployState::Paused)
        && can(view, rollout, Verb::Resume)
}
