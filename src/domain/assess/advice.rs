//! The band's one word and the NEXT line: SEMANTICS 12, first match wins.

use chrono::Duration;

use crate::domain::policy::{Section, Then};
use crate::domain::record::DeployState;
use crate::domain::situation::{
    ACKNOWLEDGE_KEY, Advice, Band, Countdown, GateView, NextStep, Passport, Permission, Phase,
    Reason, Situation, Stranded, TriggerView,
};
use crate::domain::verdict::Verdict;

use super::{View, gates, phase_of, watch};

/// Reasons shown in the band.
const REASONS: usize = 4;

/// Fills in band and NEXT line.
pub(super) fn advise(view: &View<'_>, s: &mut Situation) {
    let (advice, mut reasons) = word(view, s);
    s.step_verdict = step_verdict(view, s, advice, &reasons);
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
        armed: armed(view, s),
        lease: lease(view),
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
        Phase::Closed | Phase::Reviewed => {
            let how = release.closing.map_or("closed", |c| c.word());
            let mut reasons = vec![reason(how, None)];
            if let Some(reviewed) = &release.reviewed {
                let evidence = Some(format!("release/{}", release.plan.id));
                reasons.push(reason(format!("reviewed {reviewed}"), evidence));
            }
            (Advice::Closed, reasons)
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

/// The verdict on going on from here: `cockpit gate` answers with it, so that it is never green where the band's word is not.
fn step_verdict(view: &View<'_>, s: &Situation, advice: Advice, reasons: &[Reason]) -> Verdict {
    let critical = || s.gates.iter().filter(|g| g.critical);
    let tripped = s.triggers.iter().any(|t| t.tripped);
    let back = s.plan.as_ref().is_some_and(|p| p.ended.is_none())
        || view.state.is_some_and(|x| x.rolled_back().is_some());
    if tripped || back || critical().any(|g| g.verdict.is_fail()) {
        return Verdict::Fail;
    }
    let name =
        |g: &GateView, why: &str| format!("{} {} after step {}: {why}", g.service, g.gate, g.step);
    let open = || critical().filter(|g| !g.accepted);
    for gate in open() {
        if let Verdict::Undecided { why, n } = &gate.verdict {
            return Verdict::undecided(name(gate, why), *n);
        }
    }
    for gate in open() {
        if let Verdict::NotRun { why } = &gate.verdict {
            return Verdict::not_run(name(gate, why));
        }
    }
    let Some(first) = critical().next() else {
        return Verdict::not_run("no critical gate has looked yet");
    };
    if !matches!(advice, Advice::Proceed | Advice::Watching | Advice::Closed) {
        let why = reasons.first().map_or("", |r| r.text.as_str());
        return Verdict::undecided(format!("{}: {why}", advice.word()), first.n);
    }
    if critical().any(|g| g.verdict.is_green()) {
        Verdict::Pass
    } else {
        Verdict::undecided("accepted by a person, not passed", first.n)
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
    // The way forward is the tripped service's own: another service of the release may still go back.
    let forward = no_return(s);
    let mut at = 1;
    if let Some((service, why)) = &forward {
        reasons.insert(at, reason(why.clone(), Some(format!("passport/{service}"))));
        at += 1;
    }
    let by_itself = tripped_automatic(view, s).and_then(|_| not_by_itself(view, s));
    if let Some(why) = by_itself.filter(|_| forward.is_none()) {
        reasons.insert(at, reason(format!("no rollback by itself: {why}"), None));
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
    Some((
        if forward.is_some() {
            Advice::RollForward
        } else {
            Advice::RollBack
        },
        reasons,
    ))
}

/// Services whose trigger tripped, or whose critical gate failed.
fn bad_services(s: &Situation) -> Vec<&str> {
    let tripped = s.triggers.iter().filter(|t| t.tripped);
    let failed = s
        .gates
        .iter()
        .filter(|g| g.critical && g.verdict == Verdict::Fail);
    tripped
        .map(|t| t.service.as_str())
        .chain(failed.map(|g| g.service.as_str()))
        .collect()
}

/// A service that is bad and past its point of no return, and why.
fn no_return(s: &Situation) -> Option<(String, String)> {
    let bad = bad_services(s);
    s.passports
        .iter()
        .filter(|p| bad.contains(&p.service.as_str()))
        .find_map(|p| Some((p.service.clone(), p.no_return.clone()?)))
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
    unknown_acts(view, &mut reasons);
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
        } else if rollout.moved() {
            reasons.push(reason(
                format!(
                    "{} moved: what was judged is of before",
                    rollout.service.name
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

/// Acts of this release of which nobody knows what came of them, and the line where it is stopped.
fn unknown_acts(view: &View<'_>, reasons: &mut Vec<Reason>) {
    let mine = |a: &&crate::domain::journal::ActState| {
        view.release
            .is_some_and(|r| a.act.release.as_ref() == Some(&r.id))
    };
    for act in super::unknown::all(view).into_iter().filter(mine) {
        reasons.push(reason(super::unknown::words(act), None));
    }
    reasons.extend(super::line::refusal(view).map(|r| reason(r.why, None)));
}

/// Rollouts that somebody stopped, or that a trigger holds.
fn holds(view: &View<'_>, reasons: &mut Vec<Reason>) {
    let Some(release) = view.release else {
        return;
    };
    for rollout in &view.rollouts {
        if let Some(hold) = super::holds::of_trigger(view, rollout) {
            let key = format!("trigger/{}/{}", rollout.service.name, hold.trigger);
            let text = super::holds::words(view, rollout, hold);
            reasons.push(reason(text, Some(key)));
        }
    }
    for rollout in view.rollouts.iter().filter(|r| r.in_flight()) {
        if super::holds::of_trigger(view, rollout).is_some() {
            continue;
        }
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
                format!("checkpoint {} failed", watch::name(point.after)),
                Some(format!("checkpoint/{}", point.after)),
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
    unknown_acts(view, &mut reasons);
    if !reasons.is_empty() {
        return (Advice::Hold, reasons);
    }
    let mut out = Vec::new();
    if let Some(plan) = view.state.and_then(|x| x.rolled_back()) {
        let detail = plan.ended.as_ref().map(|e| e.1.clone()).unwrap_or_default();
        out.push(reason(format!("rolled back: {detail}"), None));
    }
    match s.watch.as_ref().and_then(|w| w.end.as_ref()) {
        Some(end) => out.push(reason(
            format!("the watch ended: {}; {}", end.mark.word, end.said),
            None,
        )),
        None => out.extend(watch::next(s).map(|next| reason(next, None))),
    }
    (Advice::Watching, out)
}

/// Who holds the driver's lease, as this process stands to it.
fn lease(view: &View<'_>) -> String {
    let Some(release) = view.release else {
        return String::new();
    };
    if phase_of(view, release).over() {
        return String::new();
    }
    let session = &view.observed.session;
    if session.drives.contains(&release.id) {
        return "drives: this process holds the driver's lease".to_owned();
    }
    let holder = session.leases.get(&release.id);
    let who = match holder {
        Some(holder) => format!("{holder} holds the driver's lease"),
        None => "nobody holds the driver's lease".to_owned(),
    };
    if session.read_only {
        format!("observes, read-only: {who}")
    } else {
        format!("observes: {who}")
    }
}

fn armed(view: &View<'_>, s: &Situation) -> String {
    let wants = |then: Then| {
        view.rollouts
            .iter()
            .flat_map(|r| super::triggers::sealed(view, r.service))
            .any(|t| t.then == then)
    };
    let automatic = wants(Then::Automatic);
    let Some(release) = view.release.filter(|_| automatic || wants(Then::Hold)) else {
        return "auto off".to_owned();
    };
    let session = &view.observed.session;
    let sealed = view.state.is_some_and(|s| s.contract.is_some());
    if !automatic {
        let watched =
            session.drives.contains(&release.id) || session.leases.contains_key(&release.id);
        return match (sealed, watched) {
            (false, _) => "hold not armed: the contract is not sealed".to_owned(),
            (true, false) => "hold not armed: nobody watching".to_owned(),
            (true, true) => "auto off".to_owned(),
        };
    }
    if !sealed {
        return "not armed: the contract is not sealed".to_owned();
    }
    if let Some(why) = not_by_itself(view, s) {
        return format!("not armed: {why}");
    }
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

/// Why no automatic trigger would roll back, asked of the rollback's own permit: past the point of no return, refused, or with
/// something to choose that only a person can.
fn not_by_itself(view: &View<'_>, s: &Situation) -> Option<String> {
    let mut started = view
        .rollouts
        .iter()
        .filter(|r| r.started().is_some() && !r.withdrawn())
        .peekable();
    let why = if started.peek().is_some() {
        started.find_map(|r| super::passport::never_by_itself(view, r))
    } else {
        view.rollouts
            .iter()
            .find_map(|r| super::passport::never_by_itself(view, r))
    };
    if why.is_some() {
        return why;
    }
    let session = &view.observed.session;
    let drives = view.release.is_some_and(|r| session.drives.contains(&r.id));
    match s.permits.get("rollback")? {
        Permission::Granted(p) => {
            let asks = |key: &str| {
                p.inputs
                    .iter()
                    .any(|i| i.required && i.key.starts_with(key))
            };
            if asks(ACKNOWLEDGE_KEY) {
                Some("past the point of no return".to_owned())
            } else if asks("to/") {
                Some("the version to go back to is picked by a person".to_owned())
            } else {
                None
            }
        }
        // Nothing is deployed yet, or it goes back already; what blocks these keys alone does not block the driver's.
        Permission::Refused(list) => list
            .iter()
            .find(|r| match r.rule.as_str() {
                "phase" | "rollback" => false,
                "read-only" | "trust" => drives,
                _ => true,
            })
            .map(|r| r.why.clone()),
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
/// fresh reading: what is stale or has a gap rolls nothing back by itself (law 2). Nor does what a rollback's permit refuses: then
/// the countdown is over, the band says why, and begins anew when it is permitted.
pub(super) fn automatic<'a>(view: &View<'_>, s: &'a Situation) -> Option<&'a TriggerView> {
    tripped_automatic(view, s).filter(|_| not_by_itself(view, s).is_none())
}

fn tripped_automatic<'a>(view: &View<'_>, s: &'a Situation) -> Option<&'a TriggerView> {
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
        Advice::RollForward => forward(view, s, first),
        Advice::RollBack => {
            // A rollback is as sure as the service for which the most is missing.
            let missing = |p: &&Passport| p.lines.len() - (p.passed as usize).min(p.lines.len());
            let passport = s.passports.iter().rev().max_by_key(missing);
            let proof = passport.map_or_else(String::new, |p| {
                let whose = if s.passports.len() > 1 && missing(&p) > 0 {
                    format!(" of {}", p.service)
                } else {
                    String::new()
                };
                format!(" · passport{whose} {}/{}", p.passed, p.lines.len())
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
        Advice::Watching if s.watch.as_ref().is_some_and(|w| w.end.is_some()) => {
            match s.permits.get("close") {
                Some(Permission::Granted(_)) => step("close", "close the release", first),
                _ => step("", "settle what is owed, then close", first),
            }
        }
        Advice::Watching if view.state.is_some_and(|x| x.rolled_back().is_some()) => {
            step("handoff", "hand off", first)
        }
        Advice::Watching => step("", "watch", first),
        Advice::Closed if wants_review(view) => step("review", "record the review", first),
        Advice::Closed | Advice::Idle => step("", "nothing to do", first),
    }
}

/// A release that was rolled back, or for which the glass was broken, is not done before somebody looked back.
fn wants_review(view: &View<'_>) -> bool {
    view.state.is_some_and(|x| {
        x.reviewed.is_none()
            && (x.rolled_back().is_some() || x.overrides.values().any(|o| o.break_glass))
    })
}

/// Past the point of no return: a planned release that mends it is looked at and deployed; else the key asks for the words that
/// there is no way back.
fn forward(view: &View<'_>, s: &Situation, first: String) -> NextStep {
    let bad = bad_services(s);
    let mends = s.releases.iter().skip(1).find(|r| {
        matches!(r.phase, Phase::Planned | Phase::Ready)
            && r.plan.environment == view.environment()
            && r.plan
                .changes
                .iter()
                .any(|c| bad.contains(&c.service.as_str()))
    });
    if let Some(release) = mends {
        let why = format!("{first} · look at {} and deploy it", release.plan.title);
        return step("releases", "roll forward", why);
    }
    let why = no_return(s).map_or_else(String::new, |(_, why)| format!(" · {why}"));
    step("rollback", "roll forward", format!("{first}{why}"))
}

/// Most of what holds is over by waiting; a step without a gate is not, nor is a trigger's hold.
fn hold(view: &View<'_>, s: &Situation, first: String) -> NextStep {
    let held = super::holds::first(view).map(|(r, hold)| super::holds::words(view, r, hold));
    if held.is_some_and(|words| words == first) {
        return step("resume", "look, then let it go or roll back", first);
    }
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
