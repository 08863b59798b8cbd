//! What the release still needs of people: risk, approvals, overrides; and what a freeze strands.

use super::super::page::{cell, right};
use super::Writer;

/// Nothing is said where nothing is known: no release, or an old situation.
pub(super) fn clearance(w: &mut Writer<'_>) {
    let c = &w.s.clearance;
    if c.risk.is_none() && c.overrides.is_empty() && c.stranded.is_empty() {
        return;
    }
    w.page.heading("CLEARANCE");
    risk(w);
    approval(w);
    for o in &w.s.clearance.overrides {
        w.page
            .put(2, &format!("override {}: {}", o.mark.word, o.said));
    }
    for one in &w.s.clearance.stranded {
        w.page
            .put(2, &format!("stranded {}: {}", one.what, one.said));
    }
}

/// The class, and every point behind it.
fn risk(w: &mut Writer<'_>) {
    let Some(risk) = &w.s.clearance.risk else {
        return;
    };
    let declared = if risk.declared > risk.by_points {
        format!(", declared {}", risk.declared.word())
    } else {
        String::new()
    };
    let sum = format!(
        "risk {}: {} points (normal from {}, high from {}{declared})",
        risk.class.word(),
        risk.total,
        risk.from.0,
        risk.from.1
    );
    w.page.put(2, &sum);
    let rows: Vec<_> = risk
        .points
        .iter()
        .map(|p| vec![right(p.points.to_string()), cell(&p.title), cell(&p.said)])
        .collect();
    w.page.table(4, &rows);
    for kept in &risk.kept {
        w.page.put(4, &format!("as it began: {kept}"));
    }
}

fn approval(w: &mut Writer<'_>) {
    let a = &w.s.clearance.approval;
    if a.said.is_empty() {
        return;
    }
    w.page.put(2, &format!("approval: {}", a.said));
    for given in &a.given {
        let counts = match &given.void {
            Some(why) => format!("does not count: {why}"),
            None => format!("until {}", w.at(given.expires)),
        };
        let line = format!("{} as {} ({}), {counts}", given.by, given.role, given.how);
        w.page.put(4, &line);
    }
    for record in &a.records {
        w.page.put(4, record);
    }
}
