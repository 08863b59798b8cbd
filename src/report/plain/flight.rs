//! What is happening, and is it hurting anyone: deployments, the rollback plan, gates, triggers, metrics, passports.

use super::super::page::{Cell, cell, right};
use super::{Writer, listed, word};
use crate::domain::event::StepState;
use crate::domain::observe::Freshness;
use crate::domain::policy::Then;
use crate::domain::situation::{DeployRow, Passport};
use crate::domain::time::duration_words;
use crate::domain::words;

/// The deployments, their columns aligned, each with its age.
pub(super) fn deploys(w: &mut Writer<'_>) {
    let s = w.s;
    if s.deployments.is_empty() {
        w.page.heading(
            "DEPLOYS: none known: a service needs `deployments = \"CONNECTION\"` in cockpit.toml",
        );
        return;
    }
    match s.deployments.iter().filter(|d| d.unplanned).count() {
        0 => w.page.heading("DEPLOYS"),
        n => w.page.heading(&format!("DEPLOYS: {n} unplanned")),
    }
    let mut rows = vec![
        ["service", "environment", "version", "step"]
            .map(cell)
            .to_vec(),
    ];
    if let Some(head) = rows.first_mut() {
        head.extend([cell("state"), right("read"), cell("")]);
    }
    rows.extend(s.deployments.iter().map(|d| deploy(w, d)));
    w.page.table(2, &rows);
}

/// The line that was stopped, and who obeyed.
pub(super) fn line(w: &mut Writer<'_>) {
    let Some(l) = &w.s.line else {
        return;
    };
    w.page.heading(&format!(
        "LINE STOPPED: {}, by {} {}: {}",
        l.environment,
        l.by,
        w.at(l.since),
        l.reason
    ));
    let rows: Vec<Vec<Cell>> = l
        .systems
        .iter()
        .map(|x| vec![cell(word(&x.mark)), cell(&x.service), cell(&x.note)])
        .collect();
    w.page.table(2, &rows);
}

fn deploy(w: &Writer<'_>, d: &DeployRow) -> Vec<Cell> {
    let version = match &d.from {
        Some(from) if *from != d.version => format!("{from} → {}", d.version),
        _ => d.version.clone(),
    };
    let step = d
        .step
        .map_or(String::new(), |(done, all)| format!("{done} of {all}"));
    let weight = d
        .weight
        .filter(|v| v.is_finite())
        .map_or(String::new(), |v| format!("{v:.0} %"));
    let step = listed([
        step.as_str(),
        weight.as_str(),
        d.strategy.as_deref().unwrap_or(""),
    ]);
    let since = d
        .since
        .map_or(String::new(), |at| format!("since {}", w.at(at)));
    let sync = match d.auto_sync {
        Some(false) => "auto-sync off",
        _ => "",
    };
    let unplanned = if d.unplanned { "unplanned" } else { "" };
    let fresh = d
        .freshness
        .filter(|f| !f.usable())
        .map_or("", Freshness::word);
    let note = listed([unplanned, fresh, d.note.as_str(), since.as_str(), sync]);
    vec![
        cell(&d.service),
        cell(&d.environment),
        cell(version),
        cell(step),
        cell(word(&d.mark)),
        right(w.age(d.read_at)),
        cell(note),
    ]
}

/// The rollback plan, step by step.
pub(super) fn plan(w: &mut Writer<'_>) {
    let Some(p) = &w.s.plan else {
        return;
    };
    let confirmed = p.states.values();
    let confirmed =
        confirmed.filter(|(st, _)| matches!(st, StepState::Confirmed | StepState::Deferred));
    let state = match &p.ended {
        Some((true, _)) => "ended: the old version serves".to_owned(),
        Some((false, _)) => "ended, not done".to_owned(),
        None => format!("{} of {} steps done", confirmed.count(), p.plan.steps.len()),
    };
    w.page
        .heading(&format!("ROLLBACK: {}, {state}", p.plan.release));
    w.page
        .put(2, &format!("began {}: {}", w.at(p.started), p.plan.reason));
    if let Some(why) = &p.stuck {
        w.page.put(2, &format!("needs a person: {why}"));
    }
    let rows: Vec<Vec<Cell>> = p
        .plan
        .steps
        .iter()
        .map(|step| {
            let (state, said) = p
                .states
                .get(&step.id)
                .map_or((StepState::Waiting, ""), |(st, t)| (*st, t));
            let at = p
                .times
                .get(&step.id)
                .map_or(String::new(), |at| w.age(Some(*at)));
            let title = format!("{}: {}", step.service, step.title);
            vec![cell(state.word()), right(at), cell(title), cell(said)]
        })
        .collect();
    w.page.table(2, &rows);
    if let Some((_, sentence)) = &p.ended {
        w.page.put(2, sentence);
    }
    let (request, live, clear) = p.times_to;
    for (what, seconds) in [
        ("trip to request", request),
        ("request to live", live),
        ("request to clear", clear),
    ] {
        if let Some(length) = seconds.and_then(chrono::Duration::try_seconds) {
            w.page
                .put(2, &format!("{what}: {}", duration_words(length)));
        }
    }
}

/// Gates, each with what its metrics say.
pub(super) fn gates(w: &mut Writer<'_>) {
    let s = w.s;
    if s.gates.is_empty() {
        w.page.heading("GATES: none looks now");
        return;
    }
    w.page.heading("GATES");
    for g in &s.gates {
        let critical = if g.critical { "" } else { ", not critical" };
        // A person's acceptance is a word of its own and never reads as a pass.
        let state = if g.accepted {
            "ACCEPTED"
        } else {
            word(&g.mark)
        };
        let line = format!(
            "{} {} after step {}{critical}: {state}",
            g.service, g.gate, g.step
        );
        w.page.put(2, &format!("{line}; {}", g.said));
        let rows: Vec<Vec<Cell>> = g
            .metrics
            .iter()
            .map(|(metric, mark, said)| vec![cell(metric), cell(word(mark)), cell(said)])
            .collect();
        w.page.table(4, &rows);
        if let Some(r) = g.smallest_visible.filter(|r| r.is_finite()) {
            w.page
                .put(4, &format!("n={}; {r:.1}× would show by now", g.n));
        }
    }
}

/// Triggers with their distance.
pub(super) fn triggers(w: &mut Writer<'_>) {
    let s = w.s;
    if s.triggers.is_empty() {
        w.page.heading("TRIGGERS: none looks now");
        return;
    }
    w.page.heading("TRIGGERS");
    let rows: Vec<Vec<Cell>> = s
        .triggers
        .iter()
        .map(|t| {
            let tripped = t.tripped_at.filter(|_| t.tripped);
            let tripped = tripped.map_or(String::new(), |at| format!("tripped {}", w.at(at)));
            vec![
                cell(&t.service),
                cell(&t.trigger),
                cell(word(&t.mark)),
                cell(then_word(t.then)),
                cell(listed([t.distance.as_str(), tripped.as_str()])),
            ]
        })
        .collect();
    w.page.table(2, &rows);
}

/// What a trigger does when it trips.
fn then_word(then: Then) -> &'static str {
    match then {
        Then::Notify => "tells",
        Then::Hold => "holds",
        Then::Propose => "proposes rollback",
        Then::Automatic => "rolls back by itself",
    }
}

/// Metrics: value, baseline, ratio, verdict, distance, counts.
pub(super) fn metrics(w: &mut Writer<'_>) {
    let s = w.s;
    if s.metrics.is_empty() {
        w.page
            .heading("METRICS: none configured: add [metrics.NAME] to cockpit.toml");
        return;
    }
    w.page.heading("METRICS");
    let rows: Vec<Vec<Cell>> = s
        .metrics
        .iter()
        .map(|m| {
            let ratio = m.ratio.filter(|r| r.is_finite());
            let ratio = ratio.map_or("no ratio".into(), |r| format!("{r:.1}× baseline"));
            let baseline = if m.baseline.is_empty() {
                String::new()
            } else {
                format!("({})", m.baseline)
            };
            let age = format!("{} {}", m.freshness.word(), w.ago(m.newest));
            let fresh = if m.freshness == Freshness::Fresh {
                ""
            } else {
                age.as_str()
            };
            let said = listed([
                m.verdict.why().unwrap_or(""),
                m.distance.as_deref().unwrap_or(""),
                m.counts.as_deref().unwrap_or(""),
                fresh,
                m.chart.empty.as_deref().unwrap_or(""),
            ]);
            vec![
                cell(&m.service),
                cell(&m.title),
                right(if m.shown.is_empty() {
                    "no data"
                } else {
                    &m.shown
                }),
                cell(word(&m.mark)),
                cell(format!("{ratio} {baseline}")),
                cell(said),
            ]
        })
        .collect();
    w.page.table(2, &rows);
}

/// The rollback passports, line by line.
pub(super) fn passports(w: &mut Writer<'_>) {
    let s = w.s;
    for p in &s.passports {
        passport(w, p);
    }
}

fn passport(w: &mut Writer<'_>, p: &Passport) {
    let from = p.from.as_deref().unwrap_or("unknown");
    let to = p.to.as_deref().unwrap_or("a version to pick");
    w.page.heading(&format!(
        "ROLLBACK PASSPORT: {} in {}: {from} → {to}, {} of {} pass",
        p.service,
        p.environment,
        p.passed,
        p.lines.len()
    ));
    if let Some(why) = &p.no_return {
        w.page
            .put(2, &format!("past the point of no return: {why}"));
    }
    if let Some(seconds) = p.expected {
        w.page
            .put(2, &format!("expected: {}", words::seconds(seconds)));
    }
    let rows: Vec<Vec<Cell>> = p
        .lines
        .iter()
        .map(|l| vec![cell(word(&l.mark)), cell(&l.title), cell(&l.note)])
        .collect();
    w.page.table(2, &rows);
    for (version, said) in &p.others {
        w.page.put(2, &format!("or to {version}: {said}"));
    }
}
