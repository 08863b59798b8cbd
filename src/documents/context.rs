//! What templates may name: everything in words, as the panes say it. docs/documents.md lists the names.

use chrono::Duration;
use serde_json::{Value, json};

use crate::domain::event::{Closing, StepState};
use crate::domain::policy::{Change, ChangeKind, Policy, Reversible, Then};
use crate::domain::situation::{Mark, Passport, Permission, PlanView, ReleaseView, Situation};
use crate::domain::time::{Instant, duration_words};
use crate::domain::words;

/// The release that the document is about.
pub fn current(s: &Situation) -> Option<&ReleaseView> {
    s.releases
        .iter()
        .find(|r| s.current.as_deref() == Some(r.plan.id.as_str()))
}

/// All names of a page.
pub fn context(s: &Situation, policy: &Policy) -> Value {
    json!({
        "title": s.title,
        "demo": s.band.flags.iter().any(|f| f == "DEMO"),
        "flags": s.band.flags,
        "written": words::both_zones(s.now.world, s.timezone),
        "environment": s.band.environment,
        "advice": s.band.advice.word(),
        "reasons": s.band.reasons.iter().map(|r| &r.text).collect::<Vec<_>>(),
        "next": { "verb": s.next.verb, "why": s.next.why },
        "armed": s.band.armed,
        "release": current(s).map(|r| release(s, r)),
        "releases": s.releases.iter().map(|r| release(s, r)).collect::<Vec<_>>(),
        "deployments": deployments(s),
        "gates": gates(s),
        "triggers": triggers(s),
        "metrics": metrics(s),
        "passports": s.passports.iter().map(passport).collect::<Vec<_>>(),
        "procedure": procedure(s),
        "rollback": s.plan.as_ref().map(|p| rollback(s, p)),
        "services": services(s, policy),
        "oncall": oncall(s),
        "release_manager": policy.oncall.release_manager,
        "ack_within": seconds(policy.oncall.ack_within),
        "presence": seconds(policy.limits.presence),
        "alerts": alerts(s),
        "incidents": s.oncall.incidents,
        "watch": watch(s),
        "permission": permission(s),
        "debts": debts(s),
        "feeds": feeds(s),
        "troubles": s.troubles,
        "handoff": handoff(s),
        "timeline": timeline(s),
        "counts": counts(s),
        "head": { "seq": s.head.0, "hash": s.head.1 },
    })
}

fn moment(s: &Situation, at: Instant) -> String {
    words::moment(at, s.now.world, s.timezone)
}

/// The mark's word; a state without one is unknown.
fn word(mark: &Mark) -> &str {
    if mark.word.trim().is_empty() {
        "unknown"
    } else {
        &mark.word
    }
}

/// Zero means that none was set.
fn seconds(length: u64) -> Option<String> {
    (length > 0).then(|| words::seconds(length))
}

fn release(s: &Situation, r: &ReleaseView) -> Value {
    let p = &r.plan;
    json!({
        "id": p.id,
        "title": p.title,
        "environment": p.environment,
        "phase": r.phase.word(),
        "outcome": r.closing.map(Closing::word),
        "planned": p.planned.map(|at| moment(s, at)),
        "driver": r.driver,
        "author": p.author,
        "purpose": p.purpose.word(),
        "significant": p.significant,
        "risk": p.risk,
        "failure_modes": p.failure_modes,
        "changes": p.changes.iter().map(change).collect::<Vec<_>>(),
        "commits": r.commits.iter().map(|(service, lines)| json!({ "service": service, "lines": lines })).collect::<Vec<_>>(),
        "approvals": r.approvals,
        "contract": r.contract,
        "contract_diff": r.contract_diff,
        "started": r.started.map(|at| moment(s, at)),
        "finished": r.finished.map(|at| moment(s, at)),
        "reviewed": r.reviewed,
    })
}

fn change(c: &Change) -> Value {
    let kind = match c.kind {
        ChangeKind::Version => "version",
        ChangeKind::Flag => "flag",
        ChangeKind::Config => "configuration",
        ChangeKind::Infrastructure => "infrastructure",
        ChangeKind::Migration => "migration",
    };
    let reversible = match &c.reversible {
        Reversible::Undeclared => "not declared whether reversible".to_owned(),
        Reversible::Yes => "reversible".to_owned(),
        Reversible::Until(event) => format!("reversible until {event}"),
        Reversible::No => "not reversible".to_owned(),
    };
    json!({
        "service": c.service,
        "from": c.from.as_deref().unwrap_or("what serves now"),
        "to": c.to,
        "kind": kind,
        "reversible": reversible,
    })
}

/// Class, approvals, overrides and what a freeze strands, as sentences.
fn permission(s: &Situation) -> Value {
    let c = &s.clearance;
    let given = c.approval.given.iter().map(|a| {
        let void = a.void.as_ref();
        let void = void.map_or(String::new(), |why| format!("; does not count: {why}"));
        format!("{} as {} ({}){void}", a.by, a.role, a.how)
    });
    json!({
        "risk": c.risk.as_ref().map(|r| format!("{}, {} points", r.class.word(), r.total)),
        "points": c.risk.iter().flat_map(|r| {
            let named = r.points.iter().filter(|p| p.points > 0);
            let named = named.map(|p| format!("{}: {} ({})", p.title, p.said, p.points));
            r.kept.iter().cloned().chain(named).collect::<Vec<_>>()
        }).collect::<Vec<_>>(),
        "approval": c.approval.said,
        "given": given.collect::<Vec<_>>(),
        "overrides": c.overrides.iter().map(|o| &o.said).collect::<Vec<_>>(),
        "stranded": c.stranded.iter().map(|x| &x.said).collect::<Vec<_>>(),
    })
}

fn deployments(s: &Situation) -> Vec<Value> {
    let rows = s.deployments.iter();
    rows.map(|d| {
        json!({
            "service": d.service,
            "environment": d.environment,
            "from": d.from,
            "version": d.version,
            "word": word(&d.mark),
            "step": d.step.map(|(done, all)| format!("{done} of {all}")),
            "weight": d.weight.filter(|w| w.is_finite()).map(|w| format!("{w:.0} %")),
            "since": d.since.map(|at| moment(s, at)),
            "unplanned": d.unplanned,
            "note": d.note,
        })
    })
    .collect()
}

fn gates(s: &Situation) -> Vec<Value> {
    let rows = s.gates.iter();
    rows.map(|g| {
        json!({
            "service": g.service,
            "gate": g.gate,
            "step": g.step,
            "critical": g.critical,
            "word": if g.accepted { "ACCEPTED" } else { word(&g.mark) },
            "said": g.said,
        })
    })
    .collect()
}

fn triggers(s: &Situation) -> Vec<Value> {
    let rows = s.triggers.iter();
    rows.map(|t| {
        let then = match t.then {
            Then::Notify => "tells",
            Then::Hold => "holds",
            Then::Propose => "proposes rollback",
            Then::Automatic => "rolls back by itself",
        };
        json!({
            "service": t.service,
            "trigger": t.trigger,
            "word": word(&t.mark),
            "distance": t.distance,
            "then": then,
            "tripped": t.tripped_at.map(|at| moment(s, at)),
        })
    })
    .collect()
}

fn metrics(s: &Situation) -> Vec<Value> {
    let rows = s.metrics.iter();
    rows.map(|m| {
        json!({
            "service": m.service,
            "title": m.title,
            "shown": m.shown,
            "ratio": m.ratio.filter(|r| r.is_finite()).map(|r| format!("{r:.1}×")),
            "baseline": m.baseline,
            "word": word(&m.mark),
            "distance": m.distance,
            "freshness": m.freshness.word(),
        })
    })
    .collect()
}

fn passport(p: &Passport) -> Value {
    let lines = p.lines.iter();
    let lines: Vec<Value> = lines
        .map(|l| json!({ "title": l.title, "word": word(&l.mark), "note": l.note }))
        .collect();
    json!({
        "service": p.service,
        "from": p.from,
        "to": p.to.as_deref().unwrap_or("a version to pick"),
        "passed": p.passed,
        "total": lines.len(),
        "lines": lines,
        "no_return": p.no_return,
        "expected": p.expected.map(words::seconds),
    })
}

/// How a rollback would go, or why it is refused now.
fn procedure(s: &Situation) -> Value {
    match s.permits.get("rollback") {
        Some(Permission::Granted(permit)) => json!({ "steps": permit.effects, "refused": [] }),
        Some(Permission::Refused(list)) => {
            let why: Vec<String> = list
                .iter()
                .map(|r| {
                    r.way_out
                        .as_ref()
                        .map_or(r.why.clone(), |way| format!("{}; {way}", r.why))
                })
                .collect();
            json!({ "steps": [], "refused": why })
        }
        None => json!({ "steps": [], "refused": [] }),
    }
}

fn rollback(s: &Situation, p: &PlanView) -> Value {
    let steps: Vec<Value> = p
        .plan
        .steps
        .iter()
        .map(|step| {
            let (state, said) = p.states.get(&step.id).map_or((StepState::Waiting, ""), |(st, t)| (*st, t.as_str()));
            let at = p.times.get(&step.id).map(|at| moment(s, *at));
            json!({ "service": step.service, "title": step.title, "word": state.word(), "said": said, "at": at })
        })
        .collect();
    let length = |seconds: Option<i64>| seconds.and_then(Duration::try_seconds).map(duration_words);
    let (request, live, clear) = p.times_to;
    json!({
        "reason": p.plan.reason,
        "release": p.plan.release,
        "tripped": p.plan.tripped_at.map(|at| moment(s, at)),
        "started": moment(s, p.started),
        "steps": steps,
        "ended": p.ended.as_ref().map(|(_, sentence)| sentence),
        "done": p.ended.as_ref().map(|(done, _)| *done),
        "stuck": p.stuck,
        "trip_to_request": length(request),
        "request_to_live": length(live),
        "request_to_clear": length(clear),
    })
}

/// The services of the current release with their pages; all of them where none is planned.
fn services(s: &Situation, policy: &Policy) -> Vec<Value> {
    let of_release =
        |name: &str| current(s).is_none_or(|r| r.plan.changes.iter().any(|c| c.service == name));
    policy
        .services
        .iter()
        .filter(|service| of_release(&service.name))
        .map(|service| {
            json!({
                "name": service.name,
                "team": service.team,
                "runbook": service.runbook,
                "dashboards": service.dashboards,
            })
        })
        .collect()
}

fn oncall(s: &Situation) -> Value {
    let o = &s.oncall;
    let rows: Vec<Value> = o
        .rows
        .iter()
        .map(|r| {
            json!({
                "level": r.level,
                "person": r.person,
                "until": r.until.map(|at| moment(s, at)),
                "word": word(&r.mark),
                "note": r.note,
            })
        })
        .collect();
    json!({
        "rows": rows,
        "brief": word(&o.brief),
        "note": o.note,
        "escalates": o.escalates_at.map(|at| moment(s, at)),
        "empty": o.empty,
    })
}

fn alerts(s: &Situation) -> Vec<Value> {
    let rows = s.oncall.alerts.iter();
    rows.map(|a| {
        json!({
            "name": a.name,
            "service": a.service,
            "word": word(&a.mark),
            "since": a.since.map(|at| moment(s, at)),
            "until": a.until.map(|at| moment(s, at)),
        })
    })
    .collect()
}

fn watch(s: &Situation) -> Option<Value> {
    let watch = s.watch.as_ref()?;
    let points: Vec<Value> = watch
        .checkpoints
        .iter()
        .map(|c| {
            json!({
                "name": format!("T+{}", words::seconds(c.after)),
                "due": moment(s, c.due),
                "word": word(&c.mark),
                "note": c.note,
                "ahead": c.due > s.now.world,
            })
        })
        .collect();
    Some(json!({
        "since": moment(s, watch.since),
        "until": moment(s, watch.until),
        "so_far": watch.so_far,
        "ended": watch.end.as_ref().map(|e| format!("{}: {}", word(&e.mark), e.said)),
        "checkpoints": points,
    }))
}

fn debts(s: &Situation) -> Vec<Value> {
    let rows = s.debts.iter();
    rows.map(|d| {
        json!({
            "what": d.debt.what,
            "owner": d.debt.owner,
            "due": moment(s, d.debt.due),
            "word": if d.overdue { "overdue" } else { "owed" },
            "release": d.debt.release,
        })
    })
    .collect()
}

/// Feeds that satisfy nothing now.
fn feeds(s: &Situation) -> Vec<Value> {
    let bad = s
        .feeds
        .iter()
        .filter(|f| f.fault.is_some() || !f.freshness.usable());
    bad.map(|f| {
        let fault = f.fault.as_ref().map(ToString::to_string);
        json!({ "what": f.what, "source": f.source, "word": word(&f.mark), "fault": fault })
    })
    .collect()
}

fn handoff(s: &Situation) -> Option<Value> {
    let h = s.handoff.as_ref()?;
    let items: Vec<Value> = h
        .items
        .iter()
        .map(|(item, taken)| json!({ "text": item.text, "word": if *taken { "taken" } else { "open" } }))
        .collect();
    Some(json!({ "from": h.from, "to": h.to, "at": moment(s, h.at), "items": items }))
}

/// Journal lines, oldest first: those of the current release and those of none.
fn timeline(s: &Situation) -> Vec<Value> {
    let mut lines: Vec<_> = s
        .journal
        .iter()
        .filter(|j| j.release.is_none() || s.current.is_none() || j.release == s.current)
        .collect();
    lines.sort_by_key(|j| j.seq);
    let local = |at: Instant| {
        at.with_timezone(&s.timezone)
            .format("%a %-d %b %H:%M:%S")
            .to_string()
    };
    lines
        .into_iter()
        .map(|j| json!({ "seq": j.seq, "at": local(j.at), "actor": j.actor, "known_by": j.known_by, "text": j.text }))
        .collect()
}

/// How the releases known here ended; a share is always printed with both counts.
fn counts(s: &Situation) -> Value {
    let closed: Vec<Closing> = s.releases.iter().filter_map(|r| r.closing).collect();
    let number = |which: Closing| closed.iter().filter(|c| **c == which).count();
    let deployed =
        number(Closing::Shipped) + number(Closing::ShippedUnproven) + number(Closing::RolledBack);
    json!({
        "closed": closed.len(),
        "deployed": deployed,
        "shipped": number(Closing::Shipped),
        "unproven": number(Closing::ShippedUnproven),
        "rolled_back": number(Closing::RolledBack),
        "superseded": number(Closing::Superseded),
        "abandoned": number(Closing::Abandoned),
    })
}
