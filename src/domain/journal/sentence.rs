//! One sentence for each event, the same in the pane, in `--plain`, in the brief and in the handoff.

use crate::domain::act::Outcome;
use crate::domain::event::{Body, StepState};
use crate::domain::situation::Tone;
use crate::domain::time::{Instant, duration_words};
use crate::domain::verdict::Verdict;

/// `moved from 2026-11-24 09:00 to 2026-11-24 10:15 UTC`.
fn moved(from: Option<Instant>, to: Instant) -> String {
    let from = from.map_or(String::new(), |at| {
        format!("from {} ", at.format("%F %H:%M"))
    });
    format!("moved the start {from}to {} UTC", to.format("%F %H:%M"))
}

/// The sentence and its meaning to the eye.
pub fn sentence(body: &Body) -> (String, Tone) {
    match body {
        Body::PolicyLoaded { digest, changes } => (policy(digest, changes), Tone::Plain),
        Body::ReleasePlanned { plan } => {
            (format!("planned {} ({})", plan.title, plan.id), Tone::Plain)
        }
        Body::ReleaseMoved { to, from, .. } => (moved(*from, *to), Tone::Plain),
        Body::ContractSealed { digest, contract } => (
            format!(
                "sealed the contract {}: {} gates, {} triggers",
                short(digest),
                contract.gates.values().map(Vec::len).sum::<usize>(),
                contract.triggers.values().map(Vec::len).sum::<usize>()
            ),
            Tone::Plain,
        ),
        Body::DriverTook { driver } => (format!("{driver} drives"), Tone::Plain),
        Body::Ticked { item, note } => (with("ticked", item, note), Tone::Plain),
        Body::Unticked { item, why } => (with("unticked", item, why), Tone::Hold),
        Body::Waived { item, reason, .. } => (with("waived", item, reason), Tone::Hold),
        Body::SectionKept { section, evidence } => (
            format!(
                "{} ended; {} proofs kept as they were",
                section.word().to_lowercase(),
                evidence.len()
            ),
            Tone::Plain,
        ),
        Body::Approved { .. }
        | Body::ApprovalAsked { .. }
        | Body::RiskJudged { .. }
        | Body::OverrideAsked { .. }
        | Body::OverrideDropped { .. }
        | Body::FreezeCrossed { .. }
        | Body::Overridden { .. } => permission(body),
        Body::Accepted {
            subject, reason, n, ..
        } => (
            format!("ACCEPTED undecided {subject} (n={n}): {reason}"),
            Tone::Hold,
        ),
        Body::Intended { act } => (format!("{}: {}", act.verb.word(), act.summary), Tone::Plain),
        Body::Concluded { outcome, .. } => concluded(outcome),
        Body::Briefed {
            level,
            person,
            channel,
            ..
        } => (
            format!("briefed {person} (level {level}) over {channel}"),
            Tone::Plain,
        ),
        Body::Acknowledged { person, how } => (
            format!("{person} acknowledged the brief ({how})"),
            Tone::Plain,
        ),
        Body::Escalated { level, person } => (
            match level {
                Some(level) => {
                    format!("no acknowledgement in time: level {level} is told, {person}")
                }
                None => format!("nobody acknowledged: {person} is told"),
            },
            Tone::Hold,
        ),
        Body::DeploymentSeen { .. } => deployment(body),
        Body::EarnedHealthy {
            service,
            environment,
            version,
            ..
        } => (
            format!("{service} {version} earned healthy in {environment}"),
            Tone::Pass,
        ),
        Body::GateJudged {
            service,
            gate,
            step,
            verdict,
            measured,
        } => (
            format!(
                "gate {service} {gate} after step {step}: {}{}",
                verdict_words(verdict),
                measured
                    .iter()
                    .map(|m| format!("; {} {}", m.metric, m.said))
                    .collect::<String>()
            ),
            tone(verdict),
        ),
        Body::TriggerTripped {
            service,
            trigger,
            said,
        } => (
            format!("trigger tripped: {service} {trigger}: {said}"),
            Tone::Fail,
        ),
        Body::TriggerCleared { service, trigger } => {
            (format!("trigger clear: {service} {trigger}"), Tone::Plain)
        }
        Body::CountdownCancelled { service, trigger } => (
            format!("automatic rollback cancelled: {service} {trigger}"),
            Tone::Hold,
        ),
        Body::PlanStarted { plan } => (
            format!(
                "rollback {} began, {} steps: {}",
                plan.id,
                plan.steps.len(),
                plan.reason
            ),
            Tone::Hold,
        ),
        Body::PlanStepped {
            step,
            state,
            detail,
            ..
        } => (
            with(&format!("step {step}"), state.word(), detail),
            match state {
                StepState::Refused => Tone::Fail,
                StepState::Unknown => Tone::Unknown,
                StepState::Deferred => Tone::Hold,
                _ => Tone::Plain,
            },
        ),
        Body::PlanEnded {
            done,
            detail,
            trip_to_request,
            to_live,
            to_clear,
            ..
        } => (
            format!(
                "rollback {}: {detail}{}",
                if *done {
                    "done"
                } else {
                    "ended without success"
                },
                lengths(*trip_to_request, *to_live, *to_clear)
            ),
            if *done { Tone::Plain } else { Tone::Fail },
        ),
        Body::DebtIncurred { debt } => (
            format!(
                "debt: {} ({}, due {} UTC)",
                debt.what,
                debt.owner,
                debt.due.format("%F %H:%M")
            ),
            Tone::Hold,
        ),
        Body::DebtSettled { debt, how } => (with("settled", debt, how), Tone::Plain),
        Body::DebtHanded { debt, to, due } => (
            format!("handed {debt} to {to}, due {} UTC", due.format("%F %H:%M")),
            Tone::Plain,
        ),
        Body::CheckpointTaken {
            after,
            late,
            verdict,
            ..
        } => (
            format!(
                "checkpoint T+{}{}: {}",
                super::super::time::duration_words(chrono::Duration::seconds(
                    i64::try_from(*after).unwrap_or(i64::MAX)
                )),
                if *late { " (late)" } else { "" },
                verdict_words(verdict)
            ),
            tone(verdict),
        ),
        Body::IncidentDeclared { title, .. } => (format!("incident declared: {title}"), Tone::Fail),
        Body::HandoffGiven { to, items, .. } => (
            format!("handoff to {to}, {} lines", items.len()),
            Tone::Plain,
        ),
        Body::HandoffTaken { item, .. } => (format!("took over {item}"), Tone::Plain),
        Body::WatchEnded {
            verdict, detail, ..
        } => (
            format!("the watch ended: {}; {detail}", verdict_words(verdict)),
            tone(verdict),
        ),
        Body::Reviewed { by, how, found, .. } => {
            let how = if how.is_empty() {
                String::new()
            } else {
                format!(" ({how})")
            };
            (format!("reviewed by {by}{how}: {found}"), Tone::Plain)
        }
        Body::ReleaseClosed { closing, detail } => {
            (with("closed", closing.word(), detail), Tone::Plain)
        }
        Body::Noted { text } => (text.clone(), Tone::Plain),
        Body::LineStopped { .. }
        | Body::LineLetGo { .. }
        | Body::Attached { .. }
        | Body::ChangeTaken { .. } => scope(body),
    }
}

/// What concerns more than one release's own plan.
fn scope(body: &Body) -> (String, Tone) {
    match body {
        Body::LineStopped {
            environment,
            reason,
            acts,
            cannot,
        } => {
            let names = |list: Vec<&String>| {
                let list: Vec<&str> = list.into_iter().map(String::as_str).collect();
                list.join(", ")
            };
            let mut text = format!("stopped the line in {environment}: {reason}");
            if !acts.is_empty() {
                text.push_str(&format!("; pause {}", names(acts.keys().collect())));
            }
            if !cannot.is_empty() {
                text.push_str(&format!(
                    "; cannot pause {}",
                    names(cannot.keys().collect())
                ));
            }
            (text, Tone::Hold)
        }
        Body::LineLetGo { environment, how } => {
            (with("let the line go in", environment, how), Tone::Plain)
        }
        Body::Attached {
            service,
            environment,
            version,
            ..
        } => (
            format!("attached {service} {version} in {environment}, which nobody had planned"),
            Tone::Hold,
        ),
        Body::ChangeTaken { name, reason, .. } => {
            (with("took the file's change of", name, reason), Tone::Hold)
        }
        _ => (String::new(), Tone::Plain),
    }
}

/// ` (trip → request 20 s, request → live 1 m, → clear 3 m)`: what was measured of a rollback.
fn lengths(request: Option<i64>, live: Option<i64>, clear: Option<i64>) -> String {
    let parts: Vec<String> = [
        ("trip → request", request),
        ("request → live", live),
        ("→ clear", clear),
    ]
    .into_iter()
    .filter_map(|(what, seconds)| {
        let length = chrono::Duration::try_seconds(seconds?)?;
        Some(format!("{what} {}", duration_words(length)))
    })
    .collect();
    if parts.is_empty() {
        String::new()
    } else {
        format!(" ({})", parts.join(", "))
    }
}

/// Approvals, risk, overrides and freezes.
fn permission(body: &Body) -> (String, Tone) {
    match body {
        Body::Approved { by, role, how, .. } if how.is_empty() => {
            (format!("approved by {by} as {role}"), Tone::Plain)
        }
        Body::Approved { by, role, how, .. } => {
            (format!("approved by {by} as {role} ({how})"), Tone::Plain)
        }
        Body::ApprovalAsked {
            of, count, note, ..
        } => (
            with(
                "asked for",
                &format!("{count} approvals of {}", of.join(" or ")),
                note,
            ),
            Tone::Hold,
        ),
        Body::RiskJudged {
            class,
            total,
            points,
        } => (
            with(
                "risk",
                &format!("{} at the start, {total} points", class.word()),
                &points.join("; "),
            ),
            Tone::Plain,
        ),
        Body::OverrideAsked {
            rule, reason, may, ..
        } => {
            let who = if may.is_empty() {
                "a second person has to confirm it".to_owned()
            } else {
                format!("{} may confirm it", may.join(" or "))
            };
            (
                format!("asked to override {rule}: {reason}; {who}"),
                Tone::Hold,
            )
        }
        Body::OverrideDropped { rule, by, why } => (
            with("no override of", &format!("{rule}, by {by}"), why),
            Tone::Plain,
        ),
        Body::FreezeCrossed { freeze, by } => (format!("{by} crossed freeze {freeze}"), Tone::Hold),
        Body::Overridden {
            rule,
            reason,
            second,
            second_known_by,
            asked_by,
            break_glass,
            ..
        } => {
            let mut text = if *break_glass {
                format!("BROKE THE GLASS on {rule}: {reason}")
            } else {
                with("overrode", rule, reason)
            };
            if let Some(asker) = asked_by {
                text.push_str(&format!("; asked by {asker}"));
            }
            if let Some(second) = second {
                let how = second_known_by.as_deref().unwrap_or("by word");
                text.push_str(&format!("; second person {second} ({how})"));
            }
            (text, Tone::Hold)
        }
        _ => (String::new(), Tone::Plain),
    }
}

fn short(digest: &str) -> &str {
    digest.get(..8).unwrap_or(digest)
}

fn with(verb: &str, what: &str, detail: &str) -> String {
    if detail.is_empty() {
        format!("{verb} {what}")
    } else {
        format!("{verb} {what}: {detail}")
    }
}

fn policy(digest: &str, changes: &[String]) -> String {
    if changes.is_empty() {
        format!("policy {} in force", short(digest))
    } else {
        format!("policy {} in force: {}", short(digest), changes.join("; "))
    }
}

fn concluded(outcome: &Outcome) -> (String, Tone) {
    match outcome {
        Outcome::Confirmed { receipt } => (
            match receipt.id.as_deref().or(receipt.url.as_deref()) {
                Some(id) => format!("confirmed ({id})"),
                None => "confirmed".to_owned(),
            },
            Tone::Plain,
        ),
        Outcome::Refused { why } => (format!("refused: {why}"), Tone::Fail),
        Outcome::Unknown { why } => (format!("outcome unknown: {why}"), Tone::Unknown),
    }
}

fn deployment(body: &Body) -> (String, Tone) {
    let Body::DeploymentSeen {
        service,
        environment,
        version,
        state,
        step,
        steps,
        weight,
        ..
    } = body
    else {
        return (String::new(), Tone::Plain);
    };
    let mut text = format!("{service} {version} in {environment}: {}", state.word());
    if let (Some(step), Some(steps)) = (step, steps) {
        text.push_str(&format!(", step {step} of {steps}"));
    }
    if let Some(weight) = weight {
        text.push_str(&format!(", {weight:.0} %"));
    }
    (text, Tone::Plain)
}

fn verdict_words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Pass => "pass".to_owned(),
        Verdict::Fail => "FAIL".to_owned(),
        Verdict::Undecided { why, n } => format!("undecided (n={n}: {why})"),
        Verdict::NotRun { why } => format!("not run ({why})"),
    }
}

fn tone(verdict: &Verdict) -> Tone {
    match verdict {
        Verdict::Pass => Tone::Pass,
        Verdict::Fail => Tone::Fail,
        Verdict::Undecided { .. } | Verdict::NotRun { .. } => Tone::Unknown,
    }
}
