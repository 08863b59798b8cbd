//! The band, the NEXT line, and what is wrong with the set-up.

use super::Writer;
use crate::domain::situation::Situation;
use crate::domain::time::duration_words;
use crate::domain::words;

/// Title, band and NEXT line.
pub(super) fn head(w: &mut Writer<'_>) {
    let s = w.s;
    let b = &s.band;
    let when = words::both_zones(w.now.world, s.timezone);
    w.page.put(0, &format!("{}, {when}", s.title));
    let protected = if b.protected { ", protected" } else { "" };
    w.page.put(0, &format!("{}{protected}", b.environment));
    if !b.flags.is_empty() {
        w.page.put(0, &b.flags.join(", "));
    }
    if let Some(release) = &b.release {
        let phase = b.phase.map_or("phase unknown", |p| p.word());
        w.page.put(0, &format!("release {release}, {phase}"));
    }
    let driver = b
        .driver
        .as_deref()
        .map_or("no driver".into(), |d| format!("driver {d}"));
    w.page
        .put(0, &super::listed([driver.as_str(), b.armed.as_str()]));
    if let Some(c) = &b.countdown {
        let left = duration_words((c.ends_real - w.now.real).max(chrono::Duration::zero()));
        w.page.put(0, &format!("COUNTDOWN: {} in {left}", c.what));
    }
    w.page.put(0, b.advice.word());
    for reason in &b.reasons {
        w.page.put(2, &reason.text);
    }
    w.page.put(0, &next(s));
}

/// `NEXT: roll back: P95 1.6× of 1.5× for 5 m; est. 4 m`.
pub(in crate::report) fn next(s: &Situation) -> String {
    let n = &s.next;
    if n.verb.is_empty() {
        return "NEXT: nothing to do".into();
    }
    let why = if n.why.is_empty() {
        String::new()
    } else {
        format!(": {}", n.why)
    };
    let expected = n
        .expected
        .map_or(String::new(), |e| format!("; est. {}", words::seconds(e)));
    format!("NEXT: {}{why}{expected}", n.verb)
}

/// What is wrong with the set-up.
pub(super) fn troubles(w: &mut Writer<'_>) {
    let s = w.s;
    if s.troubles.is_empty() {
        return;
    }
    w.page.heading("TROUBLES");
    for trouble in &s.troubles {
        w.page.put(2, trouble);
    }
}
