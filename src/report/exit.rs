//! Exit codes: 0 pass or open, 1 fail or closed, 2 undecided or unknown, 3 not run. Green is earned here too.

use crate::domain::event::Closing;
use crate::domain::situation::{Advice, Situation, Tone};
use crate::domain::verdict::Verdict;

/// The exit code of `cockpit status`, by the band's word:
///
/// | code | word |
/// |---|---|
/// | 0 | GO, PROCEED; WATCHING with every checkpoint so far passed, at least one; CLOSED as shipped |
/// | 1 | NO-GO, ROLL BACK, ROLL FORWARD, ROLLING BACK; a checkpoint failed; CLOSED as rolled back |
/// | 2 | HOLD, BLIND; WATCHING with an undecided checkpoint; CLOSED as shipped, unproven |
/// | 3 | NO RELEASE; WATCHING before the first checkpoint; CLOSED as superseded or abandoned |
#[must_use]
pub fn exit_code(s: &Situation) -> u8 {
    match s.band.advice {
        Advice::Go | Advice::Proceed => 0,
        Advice::NoGo | Advice::RollBack | Advice::RollForward | Advice::RollingBack => 1,
        Advice::Blind => 2,
        Advice::Hold => {
            if watched(s) == 1 {
                1
            } else {
                2
            }
        }
        Advice::Watching => watched(s),
        Advice::Closed => closed(s),
        Advice::Idle => 3,
    }
}

/// The exit code of `cockpit watch`, once the watch is over: 0 it passed, or the release was closed as shipped; 1 a checkpoint
/// failed, or it was rolled back; 2 undecided, or closed as shipped, unproven; 3 nothing was judged, or another release took its
/// place before the end (unless a checkpoint had failed by then). `None`: it goes on.
#[must_use]
pub fn watch_exit(s: &Situation) -> Option<u8> {
    let current = s.current.as_deref();
    let release = s
        .releases
        .iter()
        .find(|r| current == Some(r.plan.id.as_str()))?;
    let end = s.watch.as_ref().and_then(|w| w.end.as_ref());
    if let Some(end) = end {
        let rest = end.superseded_by.is_some() && !end.verdict.is_fail();
        return Some(if rest { 3 } else { end.verdict.exit_code() });
    }
    if release.phase.over() {
        return Some(closed(s));
    }
    s.watch
        .as_ref()
        .is_some_and(|w| w.lapsed)
        .then(|| match watched(s) {
            0 => 2,
            other => other,
        })
}

/// The worst of the checkpoints taken so far.
fn watched(s: &Situation) -> u8 {
    let tones: Vec<Tone> = s
        .watch
        .iter()
        .flat_map(|w| w.checkpoints.iter().map(|c| c.mark.tone))
        .collect();
    if tones.contains(&Tone::Fail) {
        1
    } else if tones.contains(&Tone::Unknown) {
        2
    } else if tones.contains(&Tone::Pass) {
        0
    } else {
        3
    }
}

fn closed(s: &Situation) -> u8 {
    let release = s
        .releases
        .iter()
        .find(|r| s.current.as_deref() == Some(r.plan.id.as_str()));
    match release.and_then(|r| r.closing) {
        Some(Closing::Shipped) => 0,
        Some(Closing::RolledBack) => 1,
        Some(Closing::ShippedUnproven) | None => 2,
        Some(Closing::Superseded | Closing::Abandoned) => 3,
    }
}

/// May the rollout go on from the present step? A tripped trigger, a rollback or a failed critical gate → Fail; else a critical
/// gate undecided that nobody accepted → Undecided; one that did not run, or none at all → NotRun; else Pass, where the band says
/// that it goes on, and Undecided with its reason where it does not.
///
/// An accepted gate does not stand in the way, as in the band's PROCEED; with nothing but accepted gates nothing passed, so that
/// the verdict stays Undecided.
#[must_use]
pub fn gate_verdict(s: &Situation) -> Verdict {
    s.step_verdict.clone()
}

/// The exit code of `cockpit gate`: that of [`gate_verdict`].
#[must_use]
pub fn gate_exit(s: &Situation) -> u8 {
    gate_verdict(s).exit_code()
}

/// The exit code of `cockpit window`: 0 open, 1 closed or frozen, 2 unknown, also where a calendar was not read.
#[must_use]
pub fn calendar_exit(s: &Situation) -> u8 {
    match s.calendar.state.tone {
        Tone::Pass if s.calendar.unread.is_empty() => 0,
        Tone::Fail | Tone::Hold => 1,
        Tone::Pass | Tone::Unknown | Tone::Plain => 2,
    }
}
