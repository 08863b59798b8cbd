//! Plans in each other's way, and deadlines with what is still open.

use super::super::page::{Cell, cell};
use super::{Writer, word};
use crate::domain::situation::Conflict;
use crate::domain::words;

/// One paragraph each: what is wrong, when, both parties, the way out.
pub(super) fn conflicts(w: &mut Writer<'_>, conflicts: &[&Conflict]) {
    let c = &w.s.calendar;
    let count = match (conflicts.len(), c.unsure.is_empty()) {
        (0, true) => "none".to_owned(),
        (0, false) => "not known".to_owned(),
        (n, _) => n.to_string(),
    };
    w.page.heading(&format!("CONFLICTS: {count}"));
    let zone = w.s.timezone;
    for conflict in conflicts {
        let from = words::both_zones(conflict.from, zone);
        let until = conflict.until.map_or_else(String::new, |at| {
            format!(" to {}", words::both_zones(at, zone))
        });
        let kind = conflict.kind.word();
        w.page.put(2, &format!("{kind}: {}", conflict.sentence));
        w.page.put(4, &format!("when: {from}{until}"));
        let (one, other) = (conflict.one.words(), conflict.other.words());
        w.page.put(4, &format!("between: {one} and {other}"));
        w.page.put(4, &format!("way out: {}", conflict.way_out));
    }
    for line in &c.unsure {
        w.page.put(2, &format!("unknown: {line}"));
    }
}

/// Deadlines of the open releases: when, whose, which, how it stands, what is open.
pub(super) fn deadlines(w: &mut Writer<'_>) {
    let list = &w.s.calendar.deadlines;
    if list.is_empty() {
        return;
    }
    w.page.heading("DEADLINES");
    let rows: Vec<Vec<Cell>> = list
        .iter()
        .map(|d| {
            vec![
                cell(w.at(d.at)),
                cell(word(&d.mark)),
                cell(&d.release),
                cell(d.kind.word()),
                cell(d.open.join("; ")),
            ]
        })
        .collect();
    w.page.table(2, &rows);
}

/// Both, where there is anything to say.
pub(super) fn all(w: &mut Writer<'_>) {
    let s = w.s;
    let list: Vec<&Conflict> = s.calendar.conflicts.iter().collect();
    if !list.is_empty() || !s.calendar.unsure.is_empty() {
        conflicts(w, &list);
    }
    deadlines(w);
}
