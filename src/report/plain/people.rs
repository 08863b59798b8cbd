//! Who knows, and what is owed: on-call, alerts, the watch, debts, the handoff, feeds, the journal.

use super::super::page::{Cell, cell, right};
use super::{Writer, listed, word};
use crate::domain::time::duration_words;
use crate::domain::words;

/// The watch with its checkpoints.
pub(super) fn watch(w: &mut Writer<'_>) {
    let Some(watch) = &w.s.watch else {
        return;
    };
    w.page.heading(&format!(
        "WATCH: since {} until {}",
        w.at(watch.since),
        w.at(watch.until)
    ));
    let rows: Vec<Vec<Cell>> = watch
        .checkpoints
        .iter()
        .map(|c| {
            let name = format!("T+{}", words::seconds(c.after));
            vec![
                cell(name),
                cell(w.at(c.due)),
                cell(word(&c.mark)),
                cell(&c.note),
            ]
        })
        .collect();
    w.page.table(2, &rows);
    if let Some(end) = &watch.end {
        let line = format!("ended {}: {}; {}", w.at(end.at), word(&end.mark), end.said);
        w.page.put(2, &line);
    } else if !watch.so_far.is_empty() {
        w.page.put(2, &format!("so far: {}", watch.so_far));
    }
    for x in &watch.suspects {
        let release = x.release.as_deref().unwrap_or("unplanned");
        let line = format!(
            "suspect for {}: {} {} ({release}) at {}, {}",
            x.worse,
            x.service,
            x.version,
            w.at(x.at),
            x.said
        );
        w.page.put(2, &line);
    }
}

/// Who is on call, and the brief.
pub(super) fn oncall(w: &mut Writer<'_>) {
    let o = &w.s.oncall;
    w.page.heading("ON-CALL");
    if let Some(empty) = &o.empty {
        w.page.put(2, empty);
    }
    let rows: Vec<Vec<Cell>> = o
        .rows
        .iter()
        .map(|r| {
            let until = r
                .until
                .map_or(String::new(), |at| format!("until {}", w.at(at)));
            vec![
                cell(format!("level {}", r.level)),
                cell(&r.person),
                cell(word(&r.mark)),
                cell(listed([r.note.as_str(), until.as_str()])),
            ]
        })
        .collect();
    w.page.table(2, &rows);
    if !o.brief.word.is_empty() {
        w.page.put(
            2,
            &format!(
                "brief: {}",
                listed([o.brief.word.as_str(), o.note.as_str()])
            ),
        );
    }
    if let Some(at) = o.escalates_at {
        let left = duration_words((at - w.now.world).max(chrono::Duration::zero()));
        w.page
            .put(2, &format!("escalates in {left}, at {}", w.at(at)));
    }
    if let Some(f) = o.freshness.filter(|f| !f.usable()) {
        w.page.put(2, &format!("the on-call feed is {}", f.word()));
    }
}

/// Alerts and incidents.
pub(super) fn alerts(w: &mut Writer<'_>) {
    let o = &w.s.oncall;
    if o.alerts.is_empty() && o.incidents.is_empty() {
        return;
    }
    w.page.heading("ALERTS AND INCIDENTS");
    for incident in &o.incidents {
        w.page.put(2, &format!("incident: {incident}"));
    }
    let rows: Vec<Vec<Cell>> = o
        .alerts
        .iter()
        .map(|a| {
            let service = a.service.as_deref().unwrap_or("no service");
            let since = a
                .since
                .map_or(String::new(), |at| format!("since {}", w.at(at)));
            let until = a
                .until
                .map_or(String::new(), |at| format!("until {}", w.at(at)));
            vec![
                cell(word(&a.mark)),
                cell(service),
                cell(&a.name),
                cell(since),
                cell(until),
            ]
        })
        .collect();
    w.page.table(2, &rows);
}

/// What is owed.
pub(super) fn debts(w: &mut Writer<'_>) {
    let s = w.s;
    if s.debts.is_empty() {
        return;
    }
    w.page.heading(&format!("DEBTS: {}", s.debts.len()));
    let rows: Vec<Vec<Cell>> = s
        .debts
        .iter()
        .map(|d| {
            let state = if d.overdue { "overdue" } else { "owed" };
            let release = d.debt.release.as_deref().unwrap_or("");
            vec![
                cell(state),
                cell(&d.debt.owner),
                cell(format!("due {}", w.at(d.debt.due))),
                cell(listed([d.debt.what.as_str(), release])),
            ]
        })
        .collect();
    w.page.table(2, &rows);
}

/// The open handoff.
pub(super) fn handoff(w: &mut Writer<'_>) {
    let Some(h) = &w.s.handoff else {
        return;
    };
    let taken = h.items.iter().filter(|(_, taken)| *taken).count();
    w.page.heading(&format!(
        "HANDOFF: {} to {}, {}: {taken} of {} taken",
        h.from,
        h.to,
        w.at(h.at),
        h.items.len()
    ));
    let rows: Vec<Vec<Cell>> = h
        .items
        .iter()
        .map(|(item, taken)| {
            vec![
                cell(if *taken { "taken" } else { "open" }),
                cell(&item.text),
            ]
        })
        .collect();
    w.page.table(2, &rows);
}

/// Feeds: faults with what to do, then the rest in one table.
pub(super) fn feeds(w: &mut Writer<'_>) {
    let s = w.s;
    if s.feeds.is_empty() {
        w.page
            .heading("FEEDS: none: add [connections.NAME] to cockpit.toml");
        return;
    }
    w.page.heading("FEEDS");
    let rows: Vec<Vec<Cell>> = s
        .feeds
        .iter()
        .map(|f| {
            let fault = f.fault.as_ref().map_or(String::new(), |fault| {
                let retry = fault
                    .retry_at
                    .map_or(String::new(), |at| format!("; tried again {}", w.at(at)));
                format!("{fault}{retry}")
            });
            let matters = if f.feeds_verdict && !f.freshness.usable() {
                "a verdict hangs on it"
            } else {
                ""
            };
            vec![
                cell(word(&f.mark)),
                right(w.age(f.read_at)),
                cell(&f.source),
                cell(&f.what),
                cell(listed([fault.as_str(), matters])),
            ]
        })
        .collect();
    w.page.table(2, &rows);
}

/// The journal's latest lines, newest first, and its head.
pub(super) fn journal(w: &mut Writer<'_>) {
    let s = w.s;
    w.page.heading("JOURNAL");
    let rows: Vec<Vec<Cell>> = s
        .journal
        .iter()
        .map(|j| {
            let at = j.at.with_timezone(&s.timezone);
            let today = at.date_naive() == w.now.world.with_timezone(&s.timezone).date_naive();
            let at = at.format(if today { "%H:%M:%S" } else { "%-d %b %H:%M:%S" });
            let actor = listed([j.actor.as_str(), j.known_by.as_str()]);
            vec![
                right(j.seq.to_string()),
                cell(at.to_string()),
                cell(actor),
                cell(&j.text),
            ]
        })
        .collect();
    w.page.table(2, &rows);
    if s.journal.is_empty() {
        w.page.put(2, "empty");
    }
    w.page.put(2, &format!("head {} {}", s.head.0, s.head.1));
}
