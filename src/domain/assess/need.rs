//! How long a start needs: deployment, gates and presence (SEMANTICS 2, fit).

use chrono::Duration;

use crate::domain::policy::{Change, Release};
use crate::domain::time;

use super::{View, open_releases};

/// Seconds a release needs: deployment (P90 of its history from five on, else as planned, else the default), gates,
/// and presence afterwards; and how that was reckoned.
pub(super) fn of_release(view: &View<'_>, release: &Release) -> (i64, String) {
    let state = view.journal.release(&release.id);
    // Of a release that is partly deployed, the rest.
    let rest = |c: &&Change| {
        !state
            .and_then(|s| s.tracks.get(&c.service))
            .is_some_and(|t| t.version == c.to && t.finished.is_some())
    };
    let services: Vec<&str> = release
        .changes
        .iter()
        .filter(rest)
        .map(|c| c.service.as_str())
        .collect();
    of(view, &services, release.length)
}

/// Seconds a start of one service needs, of whatever release: its own history, else the planned length of the next open release
/// that takes it to this environment, else the default.
pub(super) fn of_service(view: &View<'_>, service: &str, environment: &str) -> (i64, String) {
    let length = open_releases(view.policy, view.journal)
        .into_iter()
        .filter(|r| r.environment == environment && r.changes.iter().any(|c| c.service == service))
        .min_by_key(|r| (r.planned.is_none(), r.planned))
        .and_then(|r| r.length);
    of(view, &[service], length)
}

fn of(view: &View<'_>, services: &[&str], length: Option<u64>) -> (i64, String) {
    let limits = &view.policy.limits;
    let known: Vec<i64> = services.iter().filter_map(|s| p90(view, s)).collect();
    let (deploy, how) = if known.len() == services.len() && !known.is_empty() {
        (known.iter().sum(), "P90 of earlier deployments")
    } else if let Some(length) = length {
        (seconds(length), "planned length")
    } else {
        (seconds(limits.deploy_length), "default length")
    };
    let gates: i64 = services
        .iter()
        .filter_map(|s| view.policy.service(s))
        .filter(|s| !s.gates.is_empty())
        .map(|_| seconds(limits.gate_min))
        .sum();
    let presence = seconds(limits.presence);
    (
        deploy + gates + presence,
        format!(
            "{} {how} + {} gates + {} presence",
            words(deploy),
            words(gates),
            words(presence)
        ),
    )
}

/// The ninth decile of a service's deployments, from five on.
fn p90(view: &View<'_>, service: &str) -> Option<i64> {
    let mut lengths = view
        .journal
        .lengths
        .get(service)
        .filter(|l| l.len() >= 5)?
        .clone();
    lengths.sort_unstable();
    lengths
        .get((lengths.len() * 9).div_ceil(10).saturating_sub(1))
        .copied()
}

/// As chrono counts.
pub(super) fn seconds(s: u64) -> i64 {
    i64::try_from(s).unwrap_or(i64::MAX)
}

/// Seconds in two units.
pub(super) fn words(s: i64) -> String {
    time::duration_words(Duration::seconds(s))
}
