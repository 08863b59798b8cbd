//! The band's one word and the NEXT line: SEMANTICS 12, first match wins.

use chrono::Duration;

use crate::domain::policy::{Section, Then};
use crate::domain::record::DeployState;
use crate::domain::situation::{
    Advice, Band, Countdown, NextStep, Permission, Phase, Reason, Situation, Stranded, TriggerView,
};
use crate::domain::verdict::Verdict;

use super::{View, gates, watch};

/// Reasons shown in the band.
const REASONS: usize = 4;

/// Fills in band and NEXT line.
pub(super) fn advise(view: &View<'_>, s: &mut Situation) {
    let (advice, mut reasons) = word(view, s);
    strands(s, advice, &mut reasons);
    reasons.truncate(REASONS);
    let session = &view.observed.session;
    let current = s.releases.first().cloned();
    let mut flags = Vec::new();
    if session.demo.is_some() {
        flags.push("DEMO".to_owned());
    }
    if session.solo {
        flags.push("SOLO".to_owned());
    }
    if session.read_only {
        flags.push("READ-ONLY".to_owned());
    }
    if session.untrusted.is_some() {
        flags.push("UNTRUSTED".to_owned());
    }
    s.band = Band {
        environment: view.environment().to_owned(),
        protected: view.protected(),
        flags,
        release: current.as_ref().map(|r| r.plan.title.clone()),
        phase: current.as_ref().map(|r| r.phase),
        advice,
        reasons,
        driver: current.as_ref().and_then(|r| r.driver.clone()),
        armed: armed(view),
        countdown: countdown(view, s),
    };
    s.next = next(view, s);
}

fn reason(text: impl Into<String>, evidence: Option<String>) -> Reason {
    Reason {
        text: text.into(),
        evidence,
    }
}

/// A freeze that strands the current release stands behind the first reason; it warns and blocks nothing.
fn strands(s: &Situation, advice: Advice, reasons: &mut Vec<Reason>) {
    let flying = matches!(
        advice,
        Advice::Hold | Advice::Proceed | Advice::Watching | Advice::RollBack | Advice::RollForward
    );
    let mine = |x: &&Stranded| s.current.as_ref() == Some(&x.release);
    if let Some(first) = s.clearance.stranded.iter().find(mine).filter(|_| flying) {
        let at = reasons.len().min(1);
        reasons.insert(at, reason(first.said.clone(), Some("calendar".to_owned())));
    }
}

fn word(view: &View<'_>, s: &Situation) -> (Advice, Vec<Reason>) {
    if let Some(blind) = blind(view, s) {
        return (Advice::Blind, blind);
    }
    let Some(release) = s.releases.first() else {
        return (
            Advice::Idle,
            vec![reason("no release is planned", Some("calendar".to_owned()))],
        );
    };
    match release.phase {
        Phase::Closed => {
            let how = release.closing.map_or("closed", |c| c.word());
            (Advice::Closed, vec![reason(how, None)])
        }
        Phase::Planned | Phase::Ready => start(s, view),
        Phase::Deploying | Phase::Verifying | Phase::Watching => {
            if let Some(out) = bad(view, s) {
                return out;
            }
            if release.phase == Phase::Watching {
                watching(view, s)
            } else {
                rolling(view, s)
            }
        }
    }
}

fn blind(view: &View<'_>, s: &Situation) -> Option<Vec<Reason>> {
    let session = &view.observed.session;
    if let Some(why) = session
        .journal_fault
        .as_ref()
        .or(view.journal.unreadable.as_ref())
    {
        return Some(vec![reason(why.clone(), None)]);
    }
    let deciding: Vec<_> = s.feeds.iter().filter(|f| f.feeds_verdict).collect();
    if !deciding.is_empty() && deciding.iter().all(|f| !f.freshness.usable()) {
        return Some(
            deciding
                .iter()
                .map(|f| {
                    let why = f
                        .fault
                        .as_ref()
                        .map_or_else(|| f.mark.word.clone(), |x| x.what.clone());
                    reason(
                        format!("{}: {why}", f.what),
                        Some(format!("feed/{}", f.need)),
                    )
                })
                .collect(),
        );
    }
    None
}

/// Rollback runs, a trigger tripped, a critical gate failed.
fn bad(view: &View<'_>, s: &Situation) -> Option<(Advice, Vec<Reason>)> {
    if let Some(plan) = s.plan.as_ref().filter(|p| p.ended.is_none()) {
        let at = plan
            .stuck
            .clone()
            .or_else(|| {
                plan.plan
                    .steps
                    .iter()
                    .find(|step| {
                        !matches!(
                            plan.states.get(&step.id).map(|(state, _)| *state),
                            Some(
                                crate::domain::event::StepState::Confirmed
                                    | crate::domain::event::StepState::Deferred
                            )
                        )
                    })
                    .map(|step| step.title.clone())
            })
            .unwrap_or_else(|| "finishing".to_owned());
        return Some((Advice::RollingBack, vec![reason(at, None)]));
    }
    // There is nothing left to roll back: then it is a hold, below.
    if view.state.is_some_and(|x| x.rolled_back().is_some()) {
        return None;
    }
    let mut reasons: Vec<Reason> = s
        .triggers
        .iter()
        .filter(|t| t.tripped)
        .map(|t| reason(format!("{} {}", t.metric, t.distance), Some(t.id.clone())))
        .collect();
    reasons.extend(
        s.gates
            .iter()
            .filter(|g| g.critical && g.verdict == Verdict::Fail)
            .map(|g| reason(format!("gate {} failed", g.gate), Some(g.id.clone()))),
    );
    if reasons.is_empty() {
        return None;
    }
    reasons.extend(
        s.gates
            .iter()
            .filter(|g| !matches!(g.verdict, Verdict::Pass | Verdict::Fail))
            .map(|g| {
                reason(
                    format!("gate {} {}", g.gate, g.mark.word),
                    Some(g.id.clone()),
                )
            }),
    );
    let forward = s.passports.iter().any(|p| p.no_return.is_some());
    Some((
        if forward {
            Advice::RollForward
        } else {
            Advice::RollBack
        },
        reasons,
    ))
}

fn start(s: &Situation, view: &View<'_>) -> (Advice, Vec<Reason>) {
    let refusals = super::permits::start(view, s);
    if refusals.is_empty() {
        return match s.permits.get("deploy") {
            Some(Permission::Refused(list)) => (
                Advice::NoGo,
                list.iter().map(|r| reason(r.why.clone(), None)).collect(),
            ),
            _ => (
                Advice::Go,
                vec![reason(
                    s.calendar.reasons.first().cloned().unwrap_or_default(),
                    Some("calendar".to_owned()),
                )],
            ),
        };
    }
    let reasons = refusals
        .iter()
        .map(|r| {
            let evidence = match r.rule.split_once('/') {
                Some(("checklist", item)) => Some(format!("item/{item}")),
                Some(("freeze" | "window" | "calendar", _)) => Some("calendar".to_owned()),
                Some(("approval", _)) => Some("risk".to_owned()),
                _ if r.rule == "fit" || r.rule == "calendar" => Some("calendar".to_owned()),
                _ if r.rule == "cover" => Some("oncall".to_owned()),
                _ => None,
            };
            reason(r.why.clone(), evidence)
        })
        .collect();
    (Advice::NoGo, reasons)
}

fn rolling(view: &View<'_>, s: &Situation) -> (Advice, Vec<Reason>) {
    let mut reasons: Vec<Reason> = Vec::new();
    for gate in &s.gates {
        let open = !matches!(gate.verdict, Verdict::Pass | Verdict::Fail) && !gate.accepted;
        let soft_fail = gate.verdict == Verdict::Fail && !gate.critical;
        if open || soft_fail {
            reasons.push(reason(
                format!("gate {} {}: {}", gate.gate, gate.mark.word, gate.said),
                Some(gate.id.clone()),
            ));
        }
    }
    undecided_triggers(s, &mut reasons);
    for rollout in &view.rollouts {
        let Some(record) = rollout.record else {
            reasons.push(reason(
                format!("the live state of {} is not known", rollout.service.name),
                None,
            ));
            continue;
        };
        let key = Some(format!(
            "deploy/{}/{}",
            rollout.service.name,
            view.environment()
        ));
        if !rollout.freshness.usable() {
            reasons.push(reason(
                format!(
                    "the live state of {} is {}",
                    rollout.service.name,
                    rollout.freshness.word()
                ),
                key,
            ));
        } else if matches!(
            record.state,
            DeployState::Unknown | DeployState::Failed | DeployState::Cancelled
        ) {
            reasons.push(reason(
                format!(
                    "{} is {} ({})",
                    rollout.service.name,
                    record.state.word(),
                    record.vendor_state
                ),
                key,
            ));
        }
    }
    holds(view, &mut reasons);
    if s.gates.is_empty() {
        reasons.push(reason("no gate ran yet", None));
    } else if s
        .gates
        .iter()
        .all(|g| matches!(g.verdict, Verdict::NotRun { .. }))
    {
        reasons.push(reason("no gate of this step ran", None));
    } else {
        for rollout in gates::ungated(view, &s.gates) {
            let key = format!("deploy/{}/{}", rollout.service.name, view.environment());
            reasons.push(reason(gates::ungated_words(rollout), Some(key)));
        }
    }
    if reasons.is_empty() {
        let passed = s.gates.len();
        return (
            Advice::Proceed,
            vec![reason(
                format!("{passed} gates of this step passed or were accepted"),
                s.gates.first().map(|g| g.id.clone()),
            )],
        );
    }
    (Advice::Hold, reasons)
}

/// Rollouts that somebody stopped.
fn holds(view: &View<'_>, reasons: &mut Vec<Reason>) {
    let Some(release) = view.release else {
        return;
    };
    for rollout in view.rollouts.iter().filter(|r| r.in_flight()) {
        if let Some(act) = super::holds::held(view, release, &rollout.service.name) {
            reasons.push(reason(
                format!(
                    "{} is held by {}: {}",
                    rollout.service.name, act.actor, act.act.reason
                ),
                None,
            ));
        }
    }
}

fn undecided_triggers(s: &Situation, reasons: &mut Vec<Reason>) {
    for trigger in s.triggers.iter() {
        if let Some(why) = &trigger.undecided {
            reasons.push(reason(
                format!("trigger {} undecided: {why}", trigger.trigger),
                Some(trigger.id.clone()),
            ));
        }
    }
}

fn watching(view: &View<'_>, s: &Situation) -> (Advice, Vec<Reason>) {
    let mut reasons = Vec::new();
    if let Some(watch) = &s.watch {
        for point in watch.checkpoints.iter().filter(|c| c.mark.word == "fail") {
            reasons.push(reason(
                format!("checkpoint T+{} s failed", point.after),
                None,
            ));
        }
    }
    undecided_triggers(s, &mut reasons);
    for trigger in s.triggers.iter().filter(|t| t.tripped) {
        reasons.push(reason(
            format!(
                "tripped after the rollback: {} {}",
                trigger.metric, trigger.distance
            ),
            Some(trigger.id.clone()),
        ));
    }
    holds(view, &mut reasons);
    if !reasons.is_empty() {
        return (Advice::Hold, reasons);
    }
    let mut out = Vec::new();
    if let Some(plan) = view.state.and_then(|x| x.rolled_back()) {
        let detail = plan.ended.as_ref().map(|e| e.1.clone()).unwrap_or_default();
        out.push(reason(format!("rolled back: {detail}"), None));
    }
    if let Some(next) = watch::next(s) {
        out.push(reason(next, None));
    }
    (Advice::Watching, out)
}

fn armed(view: &View<'_>) -> String {
    let automatic: usize = view
        .rollouts
        .iter()
        .map(|r| {
            super::triggers::sealed(view, r.service)
                .iter()
                .filter(|t| t.then == Then::Automatic)
                .count()
        })
        .sum();
    let Some(release) = view.release.filter(|_| automatic > 0) else {
        return "auto off".to_owned();
    };
    if view.state.is_none_or(|s| s.contract.is_none()) {
        return "not armed: the contract is not sealed".to_owned();
    }
    let session = &view.observed.session;
    if session.drives.contains(&release.id) {
        format!(
            "auto armed by {}@{} {}",
            session.actor, session.host, session.pid
        )
    } else if let Some(holder) = session.leases.get(&release.id) {
        format!("auto armed by {holder}")
    } else {
        "not armed: nobody watching".to_owned()
    }
}

/// The countdown of an armed automatic trigger, in real time.
pub(super) fn countdown(view: &View<'_>, s: &Situation) -> Option<Countdown> {
    let release = view.release?;
    let trigger = automatic(view, s)?;
    let key = countdown_key(&release.id, &trigger.id);
    let began = view.observed.session.countdowns.get(&key)?;
    let length = i64::try_from(view.policy.limits.countdown).unwrap_or(60);
    Some(Countdown {
        what: format!("rollback by trigger {}", trigger.trigger),
        ends_real: *began + Duration::seconds(length),
    })
}

/// Keys of the countdowns that run: kept while their trigger stands, begun over after it did not.
pub(super) fn counting(view: &View<'_>, s: &Situation) -> Vec<String> {
    let key = |t: &TriggerView| view.release.map(|r| countdown_key(&r.id, &t.id));
    automatic(view, s).and_then(key).into_iter().collect()
}

fn countdown_key(release: &str, trigger: &str) -> String {
    format!("{release}/{trigger}")
}

/// A tripped automatic trigger whose countdown nobody stopped, in the process that holds the driver's lease. It must stand by a
/// fresh reading: what is stale or has a gap rolls nothing back by itself (law 2).
pub(super) fn automatic<'a>(view: &View<'_>, s: &'a Situation) -> Option<&'a TriggerView> {
    let release = view.release?;
    if !view.observed.session.drives.contains(&release.id) {
        return None;
    }
    if s.plan.as_ref().is_some_and(|p| p.ended.is_none()) {
        return None;
    }
    // Only what was agreed beforehand may act by itself (law 3), and only once.
    let state = view
        .state
        .filter(|x| x.contract.is_some() && !x.ever_rolled_back())?;
    s.triggers.iter().find(|t| {
        let key = (t.service.clone(), t.trigger.clone());
        t.then == Then::Automatic
            && t.tripped
            && t.undecided.is_none()
            && state
                .trips
                .get(&key)
                .is_some_and(|x| x.cleared.is_none() && !x.cancelled)
    })
}

fn step(action: &str, verb: &str, why: impl Into<String>) -> NextStep {
    NextStep {
        action: action.to_owned(),
        verb: verb.to_owned(),
        why: why.into(),
        expected: None,
    }
}

fn expected(s: &Situation, action: &str) -> Option<u64> {
    match s.permits.get(action) {
        Some(Permission::Granted(p)) => p.expected,
        _ => None,
    }
}

fn next(view: &View<'_>, s: &Situation) -> NextStep {
    let first = s
        .band
        .reasons
        .first()
        .map(|r| r.text.clone())
        .unwrap_or_default();
    if let Some(countdown) = &s.band.countdown {
        return step(
            "cancel_countdown",
            "stop the countdown",
            countdown.what.clone(),
        );
    }
    match s.band.advice {
        Advice::Blind => step("feeds", "see what fails", first),
        Advice::RollingBack => step("", "wait", first),
        Advice::RollBack | Advice::RollForward => {
            let passport = s.passports.first();
            let proof = passport.map_or_else(String::new, |p| {
                format!(" · passport {}/{}", p.passed, p.lines.len())
            });
            let mut out = step("rollback", "roll back", format!("{first}{proof}"));
            out.expected = expected(s, "rollback").or(passport.and_then(|p| p.expected));
            out
        }
        Advice::Go => {
            let mut out = step("deploy", "deploy", first);
            out.expected = expected(s, "deploy");
            out
        }
        Advice::NoGo => no_go(view, s, first),
        Advice::Proceed => proceed(s, first),
        Advice::Hold => hold(view, s, first),
        Advice::Watching if view.state.is_some_and(|x| x.rolled_back().is_some()) => {
            step("handoff", "hand off", first)
        }
        Advice::Watching => step("", "watch", first),
        Advice::Closed | Advice::Idle => step("", "nothing to do", first),
    }
}

/// Most of what holds is over by waiting; a step without a gate is not.
fn hold(view: &View<'_>, s: &Situation, first: String) -> NextStep {
    let ungated = gates::ungated(view, &s.gates);
    if s.band.reasons.len() == 1 && ungated.iter().any(|r| gates::ungated_words(r) == first) {
        step("", "look at the metrics and decide", first)
    } else {
        step("", "wait", first)
    }
}

/// The rollout that is under way goes on; after it the next service starts; after the last, the watch.
fn proceed(s: &Situation, first: String) -> NextStep {
    let granted = |key: &str| matches!(s.permits.get(key), Some(Permission::Granted(_)));
    if granted("promote") {
        step("promote", "promote", first)
    } else if granted("deploy") {
        let mut out = step("deploy", "deploy the next service", first);
        out.expected = expected(s, "deploy");
        out
    } else {
        step("", "wait", first)
    }
}

/// The first thing a person can do about a refused start.
fn no_go(view: &View<'_>, s: &Situation, first: String) -> NextStep {
    let phase = s.releases.first().map(|r| r.phase);
    let briefed = view.state.is_some_and(|x| !x.briefs.is_empty());
    let open = s.checklist.items.iter().find(|i| {
        i.section == Section::PreDeploy
            && i.verdict != Verdict::Pass
            && i.mark.word != "waived"
            && !i.automatic
    });
    if let Some(item) = open {
        return step(&format!("tick/{}", item.id), "tick", item.title.clone());
    }
    if phase == Some(Phase::Planned) {
        return step(
            "seal",
            "seal the contract",
            "gates and triggers are agreed before deploying",
        );
    }
    if let Some(asked) = s
        .clearance
        .overrides
        .iter()
        .find(|o| o.mark.word == "asked")
    {
        return step("", "wait for the second person", asked.said.clone());
    }
    if !briefed && matches!(s.permits.get("brief"), Some(Permission::Granted(_))) {
        return step("brief", "brief on-call", "nobody was told yet");
    }
    step("", "not yet", first)
}
