//! The line that was stopped: which systems obeyed, until it is let go (SEMANTICS 8).

use crate::domain::act::Outcome;
use crate::domain::journal::Stopped;
use crate::domain::record::DeployState;
use crate::domain::situation::{LineSystem, LineView, Mark, Refusal, Tone};

use super::rollout::record_of;
use super::{View, clock_full, unknown};

/// The line of the current environment, where it is stopped.
pub(super) fn stopped<'a>(view: &View<'a>) -> Option<&'a Stopped> {
    view.journal.stopped.get(view.environment())
}

/// The line as shown.
pub(super) fn view(view: &View<'_>) -> Option<LineView> {
    let line = stopped(view)?;
    let mut systems: Vec<LineSystem> = line
        .acts
        .iter()
        .map(|(service, act)| {
            let (mark, note) = obeyed(view, service, act);
            LineSystem {
                service: service.clone(),
                mark,
                note,
            }
        })
        .collect();
    systems.extend(line.cannot.iter().map(|(service, why)| LineSystem {
        service: service.clone(),
        mark: Mark::new("cannot pause", Tone::Fail),
        note: format!("{why}: it goes on"),
    }));
    Some(LineView {
        environment: view.environment().to_owned(),
        since: line.at,
        by: line.by.clone(),
        reason: line.reason.clone(),
        systems,
    })
}

/// What came of one system's pause: by its answer, and by what its record shows since.
fn obeyed(view: &View<'_>, service: &str, act: &str) -> (Mark, String) {
    let Some(state) = view.journal.acts.get(act) else {
        let note = "the program ended before it was asked".to_owned();
        return (Mark::new("not asked", Tone::Fail), note);
    };
    match &state.outcome {
        Some((Outcome::Refused { why }, _)) => (Mark::new("refused", Tone::Fail), why.clone()),
        Some((Outcome::Confirmed { .. }, at)) => confirmed(view, service, *at),
        Some((Outcome::Unknown { why }, _)) => (Mark::new("unknown", Tone::Unknown), why.clone()),
        None if unknown::is_unknown(view, state) => {
            let note = "no answer was heard".to_owned();
            (Mark::new("unknown", Tone::Unknown), note)
        }
        None => (Mark::new("asked", Tone::Hold), String::new()),
    }
}

fn confirmed(view: &View<'_>, service: &str, at: crate::domain::time::Instant) -> (Mark, String) {
    let Some(service) = view.policy.service(service) else {
        return (Mark::new("confirmed", Tone::Plain), String::new());
    };
    let read = service
        .deployments
        .as_ref()
        .and_then(|c| view.feed(&format!("deployments/{c}")).0)
        .is_some_and(|o| o.read_at >= at);
    let (record, freshness) = record_of(view, service, view.environment());
    match record.filter(|_| read && freshness.usable()) {
        None => (
            Mark::new("confirmed", Tone::Hold),
            "its record was not read since".to_owned(),
        ),
        Some(d) if d.state == DeployState::Paused => {
            (Mark::new("obeyed", Tone::Pass), "paused".to_owned())
        }
        Some(d) if d.state.in_flight() => (
            Mark::new("not paused yet", Tone::Hold),
            format!("confirmed; the vendor shows {}", d.state.word()),
        ),
        Some(d) => (
            Mark::new("over", Tone::Plain),
            format!("the vendor shows {}", d.state.word()),
        ),
    }
}

/// While it is stopped nothing starts and nothing goes on.
pub(super) fn refusal(view: &View<'_>) -> Option<Refusal> {
    let line = stopped(view)?;
    let since = clock_full(line.at, view.at(), view.policy.timezone);
    let why = format!(
        "the line is stopped in {} since {since} by {}: {}",
        view.environment(),
        line.by,
        line.reason
    );
    Some(Refusal::new("line", why).way_out("let the line go (L), then go on"))
}
