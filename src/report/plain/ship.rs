//! May I ship now: the calendar, the releases, the checklist, and what is permitted.

use chrono::Timelike;

use super::super::page::{Cell, cell, right};
use super::{Writer, listed, word};
use crate::domain::policy::{Change, Reversible, Section};
use crate::domain::situation::{Permission, Refusal, ReleaseView, StripSegment};
use crate::domain::words;

/// The calendar: state, reasons, next change, eight days in words, releases.
pub(super) fn calendar(w: &mut Writer<'_>) {
    let c = &w.s.calendar;
    w.page.heading(&format!("CALENDAR: {}", word(&c.state)));
    for reason in &c.reasons {
        w.page.put(2, reason);
    }
    match &c.next {
        Some((at, to)) => {
            let when = words::both_zones(*at, w.s.timezone);
            w.page.put(2, &format!("next change: {to} at {when}"));
        }
        None => w.page.put(2, "next change: none known"),
    }
    for name in &c.unread {
        w.page
            .put(2, &format!("unknown: calendar {name} was not read"));
    }
    let rows: Vec<Vec<Cell>> = c.strip.iter().map(|seg| stretch(w, seg)).collect();
    w.page.table(2, &rows);
    if c.releases.is_empty() {
        w.page.put(2, "no release is planned");
    }
    let rows: Vec<Vec<Cell>> = c
        .releases
        .iter()
        .map(|r| {
            let at = r.at.map_or("no time yet".into(), |at| w.at(at));
            vec![
                cell(at),
                cell(word(&r.mark)),
                cell(&r.environment),
                cell(&r.title),
            ]
        })
        .collect();
    w.page.table(2, &rows);
    if let Some(last) = &c.last_shipped {
        w.page.put(2, &format!("shipped last: {last}"));
    }
}

/// `Mon 23 Nov 09:30 | to 16:00 | open | working hours`.
fn stretch(w: &Writer<'_>, seg: &StripSegment) -> Vec<Cell> {
    let zone = w.s.timezone;
    let from = seg.span.start.with_timezone(&zone);
    let to = seg.span.end.map_or("with no known end".into(), |end| {
        let end = end.with_timezone(&zone);
        let same = end.date_naive() == from.date_naive();
        let midnight = end.num_seconds_from_midnight() == 0
            && from.date_naive().succ_opt() == Some(end.date_naive());
        match (same, midnight) {
            (true, _) => format!("to {}", end.format("%H:%M")),
            (_, true) => "to 24:00".into(),
            _ => format!("to {}", end.format("%a %-d %b %H:%M")),
        }
    });
    let here = if seg.span.contains(w.now.world) {
        "now"
    } else {
        ""
    };
    vec![
        cell(from.format("%a %-d %b %H:%M").to_string()),
        cell(to),
        cell(word(&seg.mark)),
        cell(listed(seg.rules.iter().map(String::as_str).chain([here]))),
    ]
}

/// Releases with what changes, who drives, contract and approvals.
pub(super) fn releases(w: &mut Writer<'_>) {
    let s = w.s;
    if s.releases.is_empty() {
        return;
    }
    w.page.heading("RELEASES");
    for r in &s.releases {
        release(w, r, s.current.as_deref() == Some(r.plan.id.as_str()));
    }
}

fn release(w: &mut Writer<'_>, r: &ReleaseView, current: bool) {
    let phase = r.closing.map_or(r.phase.word(), |c| c.word());
    let driver = r
        .driver
        .as_deref()
        .map_or("no driver".into(), |d| format!("driver {d}"));
    let here = if current { "current" } else { "" };
    let said = listed([phase, r.plan.environment.as_str(), driver.as_str(), here]);
    w.page.put(2, &format!("{}: {said}", r.plan.title));
    for change in &r.plan.changes {
        w.page.put(4, &change_words(change));
    }
    for mode in &r.plan.failure_modes {
        w.page.put(4, &format!("may go wrong: {mode}"));
    }
    let sealed = r
        .contract
        .as_deref()
        .map_or("contract not sealed".into(), |d| {
            format!(
                "contract sealed, {}",
                d.chars().take(19).collect::<String>()
            )
        });
    w.page.put(4, &sealed);
    for line in &r.contract_diff {
        w.page
            .put(4, &format!("contract differs from cockpit.toml: {line}"));
    }
    for approval in &r.approvals {
        w.page.put(4, &format!("approved: {approval}"));
    }
    if let Some(at) = r.started {
        w.page.put(4, &format!("began {}", w.at(at)));
    }
    if let Some(at) = r.finished {
        w.page.put(4, &format!("last step {}", w.at(at)));
    }
    for (service, commits) in &r.commits {
        for commit in commits {
            w.page.put(4, &format!("{service}: {commit}"));
        }
    }
}

/// `checkout 2.13.4 → 2.14.0, reversible`.
fn change_words(c: &Change) -> String {
    let from = c.from.as_deref().unwrap_or("what serves now");
    let back = match &c.reversible {
        Reversible::Undeclared => "not declared whether reversible".to_owned(),
        Reversible::Yes => "reversible".into(),
        Reversible::Until(event) => format!("reversible until {event}"),
        Reversible::No => "not reversible".to_owned(),
    };
    let kind = match c.kind {
        crate::domain::policy::ChangeKind::Version => "",
        crate::domain::policy::ChangeKind::Flag => ", flag",
        crate::domain::policy::ChangeKind::Config => ", configuration",
        crate::domain::policy::ChangeKind::Infrastructure => ", infrastructure",
        crate::domain::policy::ChangeKind::Migration => ", migration",
    };
    format!("{} {from} → {}{kind}, {back}", c.service, c.to)
}

/// The checklist by section.
pub(super) fn checklist(w: &mut Writer<'_>) {
    let c = &w.s.checklist;
    if c.items.is_empty() {
        w.page
            .heading("CHECKLIST: empty: add [[checklist]] items to cockpit.toml");
        return;
    }
    w.page
        .heading(&format!("CHECKLIST: {} of {}", c.done, c.items.len()));
    for section in [Section::PreDeploy, Section::Deploy, Section::PostDeploy] {
        let rows: Vec<Vec<Cell>> = c
            .items
            .iter()
            .filter(|i| i.section == section)
            .map(|i| {
                let next = if c.next.as_deref() == Some(&i.id) {
                    "next"
                } else {
                    ""
                };
                let age = i.at.map_or(String::new(), |at| w.age(Some(at)));
                let note = listed([i.note.as_str(), next]);
                vec![cell(word(&i.mark)), right(age), cell(&i.title), cell(note)]
            })
            .collect();
        if !rows.is_empty() {
            let progress = c.sections.iter().find(|p| p.section == section);
            let progress = progress.map_or(String::new(), |p| format!(" {}", p.words()));
            w.page.put(2, &format!("{}{progress}", section.word()));
            w.page.table(4, &rows);
        }
    }
}

/// What may be done now, and what not: why, whose rule, until when, and the way out.
pub(super) fn permits(w: &mut Writer<'_>) {
    let s = w.s;
    let granted: Vec<&str> = s
        .permits
        .iter()
        .filter(|(_, p)| matches!(p, Permission::Granted(_)))
        .map(|(k, _)| k.as_str())
        .collect();
    if s.permits.is_empty() {
        return;
    }
    w.page.heading("ACTIONS");
    if !granted.is_empty() {
        w.page.put(2, &format!("permitted: {}", granted.join(", ")));
    }
    for (action, permission) in &s.permits {
        if let Permission::Refused(refusals) = permission {
            for refusal in refusals {
                w.page
                    .put(2, &format!("refused: {action}: {}", refused(w, refusal)));
            }
        }
    }
}

fn refused(w: &Writer<'_>, r: &Refusal) -> String {
    let mut out = format!("{} ({})", r.why, r.rule);
    if let Some(owner) = &r.owner {
        out.push_str(&format!(", owner {owner}"));
    }
    if let Some(until) = r.until {
        out.push_str(&format!(
            ", until {}",
            words::both_zones(until, w.s.timezone)
        ));
    }
    if let Some(way) = &r.way_out {
        out.push_str(&format!("; {way}"));
    }
    out
}
