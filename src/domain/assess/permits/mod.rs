//! Permissions: every action's permit or its refusals, each with rule, owner and end (laws 3 and 5).

mod approve;
mod asked;
mod attach;
mod further;
mod items;
mod line;
mod overrule;
mod people;
mod planning;
mod rollout;
mod start;

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::domain::act::{Danger, Verb};
use crate::domain::contract;
use crate::domain::policy::Check;
use crate::domain::situation::{Input, Permission, Permit, Phase, Refusal, Situation};

use super::View;
use super::calendar::{rollback_refusals, start_refusals};
use super::rollout::Rollout;

use approve::{approve, ask_approval};
use items::{accept, close, note, review, settle, tick, untick, waive};
use overrule::{break_glass, decline, overrule};
use people::{ack, brief, drive, handoff, incident, take};
use rollout::{cancel, end_rollback, let_go, occupied, promote, rollback, services_moving, steer};
use start::{deploy, seal};

pub(crate) use asked::{STOOD, stood};
pub(crate) use attach::attachable;
pub(crate) use further::candidates as further_candidates;
pub(crate) use items::{held_by, is_review};
pub(crate) use line::in_line;
pub(crate) use rollout::steered;
pub(crate) use start::next_service;
pub(super) use start::{cover, start};

/// Every action's permission.
pub(super) fn all(view: &View<'_>, s: &Situation) -> BTreeMap<String, Permission> {
    let mut out = BTreeMap::new();
    let mut put = |key: &str, permission: Result<Permit, Vec<Refusal>>| {
        let blocked = always(view);
        let permission = match permission {
            _ if !blocked.is_empty() => Permission::Refused(blocked),
            Ok(permit) => Permission::Granted(permit),
            Err(refusals) => Permission::Refused(refusals),
        };
        out.insert(key.to_owned(), permission);
    };
    put("seal", seal(view, s));
    put("deploy", deploy(view, s));
    put("promote", promote(view, s, None));
    // Of several rollouts each can be meant by its name.
    let several = services_moving(view);
    let several = if several.len() > 1 {
        several
    } else {
        Vec::new()
    };
    for name in &several {
        put(&format!("promote/{name}"), promote(view, s, Some(name)));
    }
    for (key, verb, title) in [
        ("abort", Verb::Abort, "Abort the rollout"),
        ("pause", Verb::Pause, "Pause the rollout"),
        ("resume", Verb::Resume, "Resume the rollout"),
    ] {
        let held = let_go(view, s).filter(|_| verb == Verb::Resume);
        put(
            key,
            held.map_or_else(|| steer(view, key, verb, title, None), Ok),
        );
        for name in &several {
            let one = steer(view, key, verb, title, Some(name));
            put(&format!("{key}/{name}"), one);
        }
    }
    put("note", note(view));
    put("promote_full", further::promote_full(view, s));
    put("retry", further::retry(view, s));
    put("restart", further::restart(view));
    put("rollback", rollback(view, s));
    put("end_rollback", end_rollback(view, s));
    put("brief", brief(view));
    put("ack", ack(view));
    put("handoff", handoff(view));
    put("incident", incident(view));
    put("approve", approve(view));
    put("ask_approval", ask_approval(view));
    put("cancel_countdown", cancel(view, s));
    put("stop_line", line::stop(view, s));
    put("let_go", line::let_go(view));
    for row in s.deployments.iter().filter(|d| d.unplanned) {
        put(&format!("attach/{}", row.id), attach::attach(view, row));
    }
    put("close", close(view, s));
    put("review", review(view));
    put("drive", drive(view));
    put("plan", planning::plan(view));
    for release in super::open_releases(view.policy, view.journal) {
        put(
            &format!("move/{}", release.id),
            planning::shift(view, release),
        );
    }
    for item in &s.checklist.items {
        let check = view
            .policy
            .checklist
            .iter()
            .find(|c| c.id == item.id)
            .map(|c| &c.check);
        if matches!(check, Some(Check::Manual | Check::EscalationReviewed)) {
            put(
                &format!("tick/{}", item.id),
                tick(view, &item.id, &item.title),
            );
            put(
                &format!("untick/{}", item.id),
                untick(view, &item.id, &item.title),
            );
        }
        put(
            &format!("waive/{}", item.id),
            waive(view, item.automatic, &item.id, &item.title, &item.verdict),
        );
    }
    for gate in &s.gates {
        put(&format!("accept/{}", gate.id), accept(view, gate));
    }
    if let Some(release) = view.release {
        let mut liftable = start_refusals(view, release);
        liftable.extend(cover(view));
        liftable.extend(rollback_refusals(view, release).0);
        for refusal in liftable.into_iter().filter(|r| r.overridable) {
            let rule = &refusal.rule;
            put(&format!("override/{rule}"), overrule(view, &refusal));
            if let Some(permit) = decline(view, rule) {
                put(&format!("decline_override/{rule}"), Ok(permit));
            }
            if let Some(permission) = break_glass(view, &refusal) {
                put(&format!("break_glass/{rule}"), permission);
            }
        }
    }
    if let Some(handoff) = &s.handoff {
        for (item, _) in handoff.items.iter().filter(|(_, taken)| !*taken) {
            put(
                &format!("take/{}", item.id),
                take(view, handoff, &item.id, &item.text),
            );
        }
    }
    for debt in &s.debts {
        put(
            &format!("settle/{}", debt.debt.id),
            settle(view, &debt.debt.id, &debt.debt.what),
        );
    }
    out
}

/// What blocks every action: read-only, an unwritable journal, an untrusted file.
fn always(view: &View<'_>) -> Vec<Refusal> {
    let session = &view.observed.session;
    let mut out = Vec::new();
    if session.read_only {
        out.push(
            Refusal::new("read-only", "this cockpit was started with --read-only")
                .way_out("start it without"),
        );
    }
    if let Some(why) = session
        .journal_fault
        .as_ref()
        .or(view.journal.unreadable.as_ref())
    {
        out.push(Refusal::new("journal", why.clone()).way_out(by_hand(view)));
    }
    if let Some(why) = &session.untrusted {
        out.push(
            Refusal::new("trust", why.clone()).way_out("read the file, then run cockpit trust"),
        );
    }
    out
}

/// Law 4: where nothing can be journaled, the way by hand.
fn by_hand(view: &View<'_>) -> String {
    let books: Vec<String> = view
        .rollouts
        .iter()
        .filter_map(|r| r.service.runbook.clone())
        .collect();
    if books.is_empty() {
        "mend the data directory; acts are refused until the journal takes writes".to_owned()
    } else {
        format!("mend the data directory; by hand: {}", books.join(", "))
    }
}

fn permit(view: &View<'_>, action: &str, title: impl Into<String>, danger: Danger) -> Permit {
    // Of several services none is named at the top: each stands in the effects.
    let service = match view.rollouts.as_slice() {
        [one] => Some(one.service.name.clone()),
        _ => None,
    };
    Permit {
        action: action.to_owned(),
        title: title.into(),
        service,
        environment: Some(view.environment().to_owned()),
        from: None,
        to: None,
        effects: Vec::new(),
        warnings: Vec::new(),
        danger,
        typed: None,
        inputs: Vec::new(),
        basis: String::new(),
        expected: None,
    }
}

/// The word to type: the service's name, or the release's where several change.
fn typed(view: &View<'_>) -> Option<String> {
    let release = view.release?;
    match release.changes.as_slice() {
        [one] => Some(one.service.clone()),
        _ => Some(release.id.clone()),
    }
}

/// Digest of what was seen of the targets: if it differs at execution, the act is refused.
fn basis(view: &View<'_>, more: &[&str]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(view.release.map_or("", |r| r.id.as_str()));
    for rollout in &view.rollouts {
        hasher.update(rollout.service.name.as_bytes());
        if let Some(d) = rollout.record {
            for part in [
                d.id.as_str(),
                d.version.as_str(),
                d.previous.as_deref().unwrap_or(""),
                d.desired.as_deref().unwrap_or(""),
                d.revision.as_deref().unwrap_or(""),
                d.state.word(),
            ] {
                hasher.update(part.as_bytes());
                hasher.update([0]);
            }
            hasher.update(format!("{:?}{:?}{:?}", d.step, d.weight, d.auto_sync));
        }
    }
    for part in more {
        hasher.update([1]);
        hasher.update(part.as_bytes());
    }
    contract::hex(&hasher.finalize()).chars().take(16).collect()
}

fn no_release() -> Vec<Refusal> {
    vec![
        Refusal::new("release", "no release is open")
            .way_out("plan one as [[release]] in cockpit.toml"),
    ]
}

fn reason(required: bool, default: &str) -> Input {
    Input {
        key: "reason".to_owned(),
        label: "reason".to_owned(),
        required,
        default: default.to_owned(),
    }
}

fn phase(s: &Situation) -> Phase {
    s.releases.first().map_or(Phase::Planned, |r| r.phase)
}

fn cannot(view: &View<'_>, rollout: &Rollout<'_>, verb: Verb) -> Option<Refusal> {
    let Some(name) = &rollout.service.deployments else {
        return Some(
            Refusal::new(
                "connection",
                format!("{} has no deployments connection", rollout.service.name),
            )
            .way_out(format!(
                "set deployments of service {} in cockpit.toml",
                rollout.service.name
            )),
        );
    };
    let connection = view.policy.connections.get(name)?;
    (!connection.can(verb)).then(|| {
        Refusal::new(
            "connector",
            format!("connector {} cannot {}", connection.connector, verb.word()),
        )
        .way_out("do it at the vendor; the cockpit follows")
    })
}
