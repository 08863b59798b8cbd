//! Permissions: every action's permit or its refusals, each with rule, owner and end (laws 3 and 5).

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::domain::act::{Danger, Verb};
use crate::domain::contract;
use crate::domain::policy::{After, Check, RiskClass, Section};
use crate::domain::record::DeployState;
use crate::domain::situation::{Input, Permission, Permit, Phase, Refusal, Situation};
use crate::domain::verdict::Verdict;

use super::calendar::{overridden, rollback_refusals, start_refusals};
use super::rollout::Rollout;
use super::{View, clock_full, oncall};

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
    put("promote", promote(view, s));
    for (key, verb, title) in [
        ("abort", Verb::Abort, "Abort the rollout"),
        ("pause", Verb::Pause, "Pause the rollout"),
        ("resume", Verb::Resume, "Resume the rollout"),
    ] {
        put(key, steer(view, key, verb, title));
    }
    put("rollback", rollback(view, s));
    put("brief", brief(view));
    put("ack", ack(view));
    put("handoff", handoff(view));
    put("incident", incident(view));
    put("approve", approve(view));
    put("cancel_countdown", cancel(view, s));
    put("stop_line", stop_line(view));
    put("close", close(view, s));
    put("drive", drive(view));
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
            put(
                &format!("override/{}", refusal.rule),
                overrule(view, &refusal),
            );
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

fn seal(view: &View<'_>, s: &Situation) -> Result<Permit, Vec<Refusal>> {
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

/// Approval of the current release by the rule of its class: Ok with the words, or why not.
pub(super) fn approval(view: &View<'_>) -> Result<String, Refusal> {
    let Some(release) = view.release else {
        return Err(Refusal::new("approval", "no release"));
    };
    let Some(rule) = view.policy.approvals.get(&release.risk) else {
        return Ok(format!("class {} needs no approval", class(release.risk)));
    };
    let digest = contract::approval_digest(release, &contract_in_force(view));
    let empty = Vec::new();
    let given = view.state.map_or(&empty, |s| &s.approvals);
    let valid: BTreeSet<&str> = given
        .iter()
        .filter(|(by, role, bound, expires)| {
            *bound == digest
                && *expires > view.at()
                && rule.of.contains(role)
                && release.author.as_ref() != Some(by)
                && super::driver(release, view.state).as_ref() != Some(by)
        })
        .map(|(by, ..)| by.as_str())
        .collect();
    let count = u32::try_from(valid.len()).unwrap_or(u32::MAX);
    if count >= rule.count {
        let names: Vec<&str> = valid.into_iter().collect();
        return Ok(format!("by {}", names.join(", ")));
    }
    Err(Refusal::new(
        format!("approval/{}", class(release.risk)),
        format!(
            "class {} needs {} approval{} of {}; has {count}",
            class(release.risk),
            rule.count,
            if rule.count == 1 { "" } else { "s" },
            rule.of.join(" or ")
        ),
    )
    .way_out("ask for it; A records an approval by word"))
}

fn class(risk: RiskClass) -> &'static str {
    match risk {
        RiskClass::Low => "low",
        RiskClass::Normal => "normal",
        RiskClass::High => "high",
    }
}

fn contract_in_force(view: &View<'_>) -> crate::domain::event::Contract {
    view.state
        .and_then(|s| s.contract.as_ref())
        .map(|(_, c, _)| c.clone())
        .or_else(|| view.release.map(|r| contract::of(view.policy, r)))
        .unwrap_or_default()
}

/// Everything that refuses the start of the current release.
pub(super) fn start(view: &View<'_>, s: &Situation) -> Vec<Refusal> {
    let Some(release) = view.release else {
        return no_release();
    };
    let mut out = start_refusals(view, release);
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
fn held_version(view: &View<'_>, rollout: &Rollout<'_>) -> Option<Refusal> {
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
fn cover(view: &View<'_>) -> Option<Refusal> {
    let oncall = &view.policy.oncall;
    if oncall.connection.is_none() && oncall.rotations.is_empty() {
        return None;
    }
    let release = view.release?;
    let (need, _) = super::calendar::needed(view, release);
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
fn deploy(view: &View<'_>, s: &Situation) -> Result<Permit, Vec<Refusal>> {
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
        p.from.as_deref().unwrap_or("?"),
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
    let (need, _) = super::calendar::needed(view, release);
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

/// The rollouts that are under way.
fn moving<'a, 'b>(view: &'b View<'a>) -> Vec<&'b Rollout<'a>> {
    view.rollouts
        .iter()
        .filter(|r| {
            r.record
                .is_some_and(|d| d.state.in_flight() && d.version == r.change.to)
        })
        .collect()
}

fn promote(view: &View<'_>, s: &Situation) -> Result<Permit, Vec<Refusal>> {
    let moving = moving(view);
    let Some(first) = moving.first() else {
        return Err(vec![Refusal::new("phase", "no rollout is under way")]);
    };
    let mut refusals: Vec<Refusal> = Vec::new();
    if let Some(plan) = s.plan.as_ref().filter(|p| p.ended.is_none()) {
        refusals.push(Refusal::new(
            "rollback",
            format!("rollback {} is running", plan.plan.id),
        ));
    }
    for rollout in &moving {
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
    for gate in s.gates.iter().filter(|g| g.critical) {
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
        super::gates::sealed(view, r.service)
            .iter()
            .any(|g| g.after == After::Step)
    });
    if s.gates.is_empty() && due {
        refusals.push(Refusal::new("gate", "no gate ran yet"));
    }
    for trigger in s.triggers.iter().filter(|t| t.tripped) {
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
        "promote",
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
    p.typed = view.protected().then(|| first.service.name.clone());
    p.basis = basis(view, &[]);
    Ok(p)
}

/// Abort, pause, resume: never blocked by window, fit, cover, brief, approval or checklist.
fn steer(view: &View<'_>, key: &str, verb: Verb, title: &str) -> Result<Permit, Vec<Refusal>> {
    let moving = moving(view);
    let Some(first) = moving.first() else {
        return Err(vec![Refusal::new("phase", "no rollout is under way")]);
    };
    if let Some(refusal) = cannot(view, first, verb) {
        return Err(vec![refusal]);
    }
    let danger = if verb == Verb::Abort {
        Danger::High
    } else {
        Danger::Medium
    };
    let mut p = permit(
        view,
        key,
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
    p.basis = basis(view, &[]);
    Ok(p)
}

fn rollback(view: &View<'_>, s: &Situation) -> Result<Permit, Vec<Refusal>> {
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
    if view.state.is_some_and(|x| x.rolled_back().is_some()) {
        refusals.push(Refusal::new(
            "rollback",
            "this release was rolled back already",
        ));
    }
    for rollout in &started {
        refusals.extend(cannot(view, rollout, Verb::Rollback));
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

fn rollback_permit(
    view: &View<'_>,
    s: &Situation,
    started: &[&Rollout<'_>],
    crossed: &[String],
) -> Permit {
    let tripped = s.triggers.iter().find(|t| t.tripped);
    let forward = s.passports.iter().find_map(|p| p.no_return.clone());
    let title = match &forward {
        Some(_) => "Roll back PAST the point of no return",
        None => "Roll back",
    };
    let mut p = permit(view, "rollback", title, Danger::High);
    let mut basis_parts: Vec<String> = Vec::new();
    for rollout in started.iter().rev() {
        let passport = s
            .passports
            .iter()
            .find(|x| x.service == rollout.service.name);
        let to = passport.and_then(|x| x.to.clone());
        if rollout.record.and_then(|d| d.auto_sync) == Some(true) {
            p.effects.push(format!(
                "hold auto-sync of {}, kept as it is",
                rollout.service.name
            ));
        }
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
            p.expected = p.expected.max(x.expected);
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

fn brief(view: &View<'_>) -> Result<Permit, Vec<Refusal>> {
    let release = view.release.ok_or_else(no_release)?;
    if view.policy.oncall.channels.is_empty() {
        return Err(vec![
            Refusal::new("channel", "no channel is configured")
                .way_out("add [[oncall.channel]] to cockpit.toml"),
        ]);
    }
    let people = oncall::people(view);
    let Some(first) = people.first() else {
        return Err(vec![
            Refusal::new("on-call", "nobody is known to be on call")
                .way_out("set [oncall] connection or rotations"),
        ]);
    };
    let mut p = permit(
        view,
        "brief",
        format!("Brief on-call about {}", release.title),
        Danger::Medium,
    );
    for channel in &view.policy.oncall.channels {
        let place = channel.args.get("channel").map_or("", String::as_str);
        p.effects.push(format!(
            "{} is told over {} {place}",
            first.person, channel.connection
        ));
    }
    p.effects.push(format!(
        "no acknowledgement within {} s: the next level is told",
        view.policy.oncall.ack_within
    ));
    if view.state.is_some_and(|s| !s.briefs.is_empty()) {
        p.warnings
            .push("a brief was sent already: this sends it again".to_owned());
    }
    p.basis = basis(view, &[&first.person]);
    Ok(p)
}

fn ack(view: &View<'_>) -> Result<Permit, Vec<Refusal>> {
    let state = view.state.filter(|s| !s.briefs.is_empty());
    let Some(state) = state else {
        return Err(vec![
            Refusal::new("brief", "no brief was sent").way_out("b briefs on-call"),
        ]);
    };
    if let Some((person, _, _)) = state.acks.first() {
        return Err(vec![Refusal::new(
            "brief",
            format!("{person} acknowledged already"),
        )]);
    }
    let mut p = permit(
        view,
        "ack",
        "Record an acknowledgement by word",
        Danger::Low,
    );
    p.inputs.push(Input {
        key: "person".to_owned(),
        label: "who acknowledged".to_owned(),
        required: true,
        default: oncall::people(view)
            .first()
            .map(|o| o.person.clone())
            .unwrap_or_default(),
    });
    p.effects.push(format!(
        "recorded as by word, taken by {}",
        view.observed.session.actor
    ));
    p.basis = basis(view, &[]);
    Ok(p)
}

fn handoff(view: &View<'_>) -> Result<Permit, Vec<Refusal>> {
    view.release.ok_or_else(no_release)?;
    let mut p = permit(view, "handoff", "Hand off", Danger::Low);
    p.inputs.push(Input {
        key: "to".to_owned(),
        label: "to whom".to_owned(),
        required: true,
        default: oncall::people(view)
            .iter()
            .map(|o| o.person.clone())
            .find(|person| *person != view.observed.session.actor)
            .unwrap_or_default(),
    });
    p.effects
        .push("the receiver takes it line by line; what is not taken stays with you".to_owned());
    p.basis = basis(view, &[]);
    Ok(p)
}

fn incident(view: &View<'_>) -> Result<Permit, Vec<Refusal>> {
    view.release.ok_or_else(no_release)?;
    let mut p = permit(view, "incident", "Declare an incident", Danger::Medium);
    p.inputs.push(Input {
        key: "title".to_owned(),
        label: "what is happening".to_owned(),
        required: true,
        default: String::new(),
    });
    let opens = view
        .policy
        .connections
        .values()
        .find(|c| c.can(Verb::CreateIncident));
    p.effects.push(match opens {
        Some(c) => format!("opened at {}, and journaled", c.name),
        None => "journaled; no connection can open incidents".to_owned(),
    });
    p.basis = basis(view, &[]);
    Ok(p)
}

fn approve(view: &View<'_>) -> Result<Permit, Vec<Refusal>> {
    let release = view.release.ok_or_else(no_release)?;
    let Some(rule) = view.policy.approvals.get(&release.risk) else {
        return Err(vec![Refusal::new(
            "approval",
            format!("class {} needs no approval", class(release.risk)),
        )]);
    };
    let mut p = permit(
        view,
        "approve",
        format!("Record an approval of {}", release.title),
        Danger::Medium,
    );
    p.inputs.push(Input {
        key: "by".to_owned(),
        label: format!("who approves ({})", rule.of.join(" or ")),
        required: true,
        default: String::new(),
    });
    p.effects.push("by word: not by the author, not by the driver; bound to what is deployed and to the contract".to_owned());
    p.effects.push(format!(
        "expires after {} h",
        view.policy.limits.approval_lasts / 3600
    ));
    p.basis = basis(
        view,
        &[&contract::approval_digest(
            release,
            &contract_in_force(view),
        )],
    );
    Ok(p)
}

fn cancel(view: &View<'_>, s: &Situation) -> Result<Permit, Vec<Refusal>> {
    let Some(countdown) = &s.band.countdown else {
        return Err(vec![Refusal::new("countdown", "no countdown is running")]);
    };
    let mut p = permit(view, "cancel_countdown", "Stop the countdown", Danger::Low);
    p.effects
        .push(format!("{} will not happen by itself", countdown.what));
    Ok(p)
}

fn stop_line(view: &View<'_>) -> Result<Permit, Vec<Refusal>> {
    let moving: Vec<String> = moving(view)
        .iter()
        .filter(|r| cannot(view, r, Verb::Pause).is_none())
        .map(|r| r.service.name.clone())
        .collect();
    if moving.is_empty() {
        return Err(vec![Refusal::new(
            "phase",
            "no rollout that can be paused is under way",
        )]);
    }
    let mut p = permit(view, "stop_line", "Stop the line", Danger::High);
    p.effects = moving.iter().map(|m| format!("pause {m}")).collect();
    p.typed = Some("stop".to_owned());
    p.inputs.push(reason(true, ""));
    p.basis = basis(view, &[]);
    Ok(p)
}

fn close(view: &View<'_>, s: &Situation) -> Result<Permit, Vec<Refusal>> {
    let release = view.release.ok_or_else(no_release)?;
    let state = view.state;
    if state.is_some_and(|x| x.closing.is_some()) {
        return Err(vec![Refusal::new("phase", "the release is closed")]);
    }
    let mut refusals = Vec::new();
    let rolled_back = state.is_some_and(|x| x.rolled_back().is_some());
    let started = state.is_some_and(|x| !x.tracks.is_empty());
    if s.plan.as_ref().is_some_and(|p| p.ended.is_none()) {
        refusals.push(Refusal::new("rollback", "a rollback is running"));
    }
    let gone = replaced(view);
    if started && !rolled_back && gone.is_none() {
        match &s.watch {
            Some(w) if w.until > view.at() => {
                let mut r = Refusal::new("watch", "the watch is not over");
                r.until = Some(w.until);
                refusals.push(r.way_out("hand it off"));
            }
            Some(_) => {}
            None => refusals.push(Refusal::new("phase", "the rollout is not over")),
        }
    }
    for debt in s
        .debts
        .iter()
        .filter(|d| d.debt.release.as_deref() == Some(release.id.as_str()))
    {
        let handed = debt.debt.owner != view.observed.session.actor && !debt.debt.owner.is_empty();
        if !handed || debt.overdue {
            refusals.push(
                Refusal::new(
                    format!("debt/{}", debt.debt.id),
                    format!("debt open: {}", debt.debt.what),
                )
                .way_out("settle it, or hand it to a named owner"),
            );
        }
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let mut p = permit(
        view,
        "close",
        format!("Close {}", release.title),
        Danger::Medium,
    );
    p.effects.push(if rolled_back {
        "as rolled back".to_owned()
    } else if !started {
        "as abandoned".to_owned()
    } else if let Some(served) = gone {
        if served {
            "as superseded"
        } else {
            "as abandoned"
        }
        .to_owned()
    } else if s.watch.as_ref().is_some_and(|w| {
        !w.checkpoints.is_empty() && w.checkpoints.iter().all(|c| c.mark.word == "pass")
    }) {
        "as shipped".to_owned()
    } else {
        "as shipped, unproven".to_owned()
    });
    p.inputs.push(reason(false, ""));
    p.basis = basis(view, &[]);
    Ok(p)
}

/// Nothing of the release serves any more, by the journal and by fresh live records: `Some(true)` where all of it had
/// served and other versions took its place.
fn replaced(view: &View<'_>) -> Option<bool> {
    let started: Vec<&Rollout<'_>> = view.rollouts.iter().filter(|r| r.track.is_some()).collect();
    let gone = !started.is_empty()
        && started.iter().all(|r| {
            r.withdrawn()
                && r.freshness.usable()
                && r.record.is_some_and(|d| d.version != r.change.to)
        });
    gone.then(|| {
        started.len() == view.rollouts.len()
            && started
                .iter()
                .all(|r| r.track.is_some_and(|t| t.finished.is_some()))
    })
}

fn drive(view: &View<'_>) -> Result<Permit, Vec<Refusal>> {
    let release = view.release.ok_or_else(no_release)?;
    let session = &view.observed.session;
    if session.drives.contains(&release.id)
        && super::driver(release, view.state).as_deref() == Some(&session.actor)
    {
        return Err(vec![Refusal::new("driver", "you drive it already")]);
    }
    if let Some(holder) = session
        .leases
        .get(&release.id)
        .filter(|_| !session.drives.contains(&release.id))
    {
        return Err(vec![
            Refusal::new("lease", format!("{holder} holds the driver's lease"))
                .way_out("it lapses 30 s after that cockpit ends"),
        ]);
    }
    let mut p = permit(view, "drive", "Take the wheel", Danger::Low);
    p.effects
        .push(format!("{} drives {}", session.actor, release.title));
    p.basis = basis(view, &[&session.actor]);
    Ok(p)
}

fn tick(view: &View<'_>, id: &str, title: &str) -> Result<Permit, Vec<Refusal>> {
    if view.state.is_some_and(|s| s.ticks.contains_key(id)) {
        return Err(vec![
            Refusal::new("checklist", "ticked already").way_out("space takes it back"),
        ]);
    }
    let mut p = permit(
        view,
        &format!("tick/{id}"),
        format!("Tick: {title}"),
        Danger::Low,
    );
    p.inputs.push(Input {
        key: "note".to_owned(),
        label: "note".to_owned(),
        required: false,
        default: String::new(),
    });
    Ok(p)
}

fn untick(view: &View<'_>, id: &str, title: &str) -> Result<Permit, Vec<Refusal>> {
    if !view.state.is_some_and(|s| s.ticks.contains_key(id)) {
        return Err(vec![Refusal::new("checklist", "it is not ticked")]);
    }
    Ok(permit(
        view,
        &format!("untick/{id}"),
        format!("Untick: {title}"),
        Danger::Low,
    ))
}

fn waive(
    view: &View<'_>,
    automatic: bool,
    id: &str,
    title: &str,
    verdict: &Verdict,
) -> Result<Permit, Vec<Refusal>> {
    if !automatic {
        return Err(vec![Refusal::new(
            "checklist",
            "a manual item is ticked, not waived",
        )]);
    }
    if *verdict == Verdict::Pass {
        return Err(vec![Refusal::new("checklist", "it passes")]);
    }
    let mut p = permit(
        view,
        &format!("waive/{id}"),
        format!("Waive: {title}"),
        Danger::Medium,
    );
    p.effects
        .push("a debt of yours, due in 24 h; shown as waived, never as passed".to_owned());
    p.inputs.push(reason(true, ""));
    Ok(p)
}

fn accept(
    view: &View<'_>,
    gate: &crate::domain::situation::GateView,
) -> Result<Permit, Vec<Refusal>> {
    match &gate.verdict {
        Verdict::Pass => return Err(vec![Refusal::new("gate", "it passed")]),
        Verdict::Fail => {
            return Err(vec![
                Refusal::new("gate", "a Fail cannot be accepted").way_out("R rolls back"),
            ]);
        }
        Verdict::NotRun { why } => {
            return Err(vec![Refusal::new("gate", format!("it did not run: {why}"))]);
        }
        Verdict::Undecided { .. } if gate.accepted => {
            return Err(vec![Refusal::new("gate", "accepted already")]);
        }
        Verdict::Undecided { .. } => {}
    }
    let mut p = permit(
        view,
        &format!("accept/{}", gate.id),
        format!("Accept undecided: gate {}", gate.gate),
        Danger::High,
    );
    p.effects.push(format!("n = {}", gate.n));
    p.effects.push(match gate.smallest_visible {
        Some(x) => format!("a regression below {x:.2}× would not have shown"),
        None => "no regression of any size would have shown yet".to_owned(),
    });
    p.effects
        .push("reads ACCEPTED, is a debt, is never green".to_owned());
    p.inputs.push(reason(true, ""));
    p.typed = typed(view);
    p.basis = basis(view, &[&gate.id]);
    Ok(p)
}

fn overrule(view: &View<'_>, refusal: &Refusal) -> Result<Permit, Vec<Refusal>> {
    let allowed = roles_for(view, &refusal.rule);
    let session = &view.observed.session;
    let own: Vec<String> = view
        .policy
        .people
        .get(&session.actor)
        .map(|p| p.roles.clone())
        .unwrap_or_default();
    if !allowed.roles.is_empty() && !allowed.roles.iter().any(|r| own.contains(r)) {
        return Err(vec![
            Refusal::new(
                refusal.rule.clone(),
                format!("an override needs one of: {}", allowed.roles.join(", ")),
            )
            .way_out(format!(
                "you are {} with roles {}",
                session.actor,
                if own.is_empty() {
                    "none".to_owned()
                } else {
                    own.join(", ")
                }
            )),
        ]);
    }
    let mut p = permit(
        view,
        &format!("override/{}", refusal.rule),
        format!("Override {}", refusal.rule),
        Danger::High,
    );
    p.effects.push(refusal.why.clone());
    p.effects.push(format!(
        "lasts {} min, is a debt of yours",
        view.policy.limits.override_lasts / 60
    ));
    p.inputs.push(reason(true, ""));
    if allowed.second {
        p.inputs.push(Input {
            key: "second".to_owned(),
            label: "second person (not you)".to_owned(),
            required: true,
            default: String::new(),
        });
    }
    p.typed = typed(view);
    p.basis = basis(view, &[&refusal.rule]);
    Ok(p)
}

struct Overrulers {
    roles: Vec<String>,
    second: bool,
}

fn roles_for(view: &View<'_>, rule: &str) -> Overrulers {
    let name = rule.strip_prefix("freeze/");
    let book = view
        .observed
        .rules
        .as_deref()
        .and_then(|r| r.compiled.as_ref())
        .map(|c| &c.book().freezes);
    let freeze = name.and_then(|n| book.and_then(|b| b.iter().find(|f| f.name == n)));
    match freeze {
        Some(f) => Overrulers {
            roles: f.override_by.clone(),
            second: f.strength == crate::domain::window::Strength::Hard,
        },
        None => Overrulers {
            roles: Vec::new(),
            second: false,
        },
    }
}

fn take(
    view: &View<'_>,
    handoff: &crate::domain::situation::HandoffView,
    id: &str,
    text: &str,
) -> Result<Permit, Vec<Refusal>> {
    let actor = &view.observed.session.actor;
    if *actor == handoff.from && *actor != handoff.to {
        return Err(vec![Refusal::new(
            "handoff",
            format!("{} takes it over, line by line", handoff.to),
        )]);
    }
    let mut p = permit(view, &format!("take/{id}"), "Take over", Danger::Low);
    p.effects.push(text.to_owned());
    Ok(p)
}

fn settle(view: &View<'_>, id: &str, what: &str) -> Result<Permit, Vec<Refusal>> {
    let mut p = permit(
        view,
        &format!("settle/{id}"),
        format!("Settle: {what}"),
        Danger::Medium,
    );
    p.inputs.push(Input {
        key: "how".to_owned(),
        label: "how it was settled".to_owned(),
        required: true,
        default: String::new(),
    });
    p.inputs.push(Input {
        key: "to".to_owned(),
        label: "or hand it to (name)".to_owned(),
        required: false,
        default: String::new(),
    });
    Ok(p)
}
