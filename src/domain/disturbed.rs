//! Hours of earlier days that are no fair baseline, by the journal (SEMANTICS 5).

use chrono::Duration;

use super::journal::Journal;
use super::policy::{Policy, Service};
use super::time::Instant;

/// Seconds of a day.
const DAY: i64 = 86_400;

/// Is that the service, or one that it depends on?
pub(crate) fn concerns(service: &Service, name: &str) -> bool {
    service.name == name || service.depends_on.iter().any(|d| d == name)
}

/// What disturbed the service, or one that it depends on, in that span of Unix seconds: a deployment, or an incident that was
/// declared.
pub(crate) fn disturbed(
    policy: &Policy,
    journal: &Journal,
    service: &Service,
    (from, to): (i64, i64),
) -> Option<String> {
    let deployed = journal
        .releases
        .values()
        .flat_map(|r| r.tracks.iter())
        .filter(|(name, _)| concerns(service, name))
        .find(|(_, t)| {
            let end = t.finished.unwrap_or(t.changed).max(t.changed);
            t.started.timestamp() < to && end.timestamp() > from
        });
    if let Some((name, _)) = deployed {
        return Some(format!("{name} was being deployed"));
    }
    let declared = journal.releases.iter().any(|(id, state)| {
        let changes = policy
            .release(id)
            .or(state.plan.as_ref())
            .map_or(&[][..], |r| &r.changes);
        changes.iter().any(|c| concerns(service, &c.service))
            && (state.incidents.iter()).any(|(_, at)| during(policy, *at, (from, to)))
    });
    declared.then(|| "an incident".to_owned())
}

/// Does an incident that began then touch the span? Only its beginning is known: it counts for the rest of its day.
pub(crate) fn during(policy: &Policy, began: Instant, (from, to): (i64, i64)) -> bool {
    let local = began.with_timezone(&policy.timezone);
    let midnight = (local.date_naive() + Duration::days(1)).and_hms_opt(0, 0, 0);
    let end = midnight
        .and_then(|m| m.and_local_timezone(policy.timezone).earliest())
        .map_or(began.timestamp() + DAY, |m| m.timestamp());
    began.timestamp() < to && end > from
}
