//! The deploys pane: every service's live record, its state as far as it may be believed.

use crate::domain::event::StepKind;
use crate::domain::observe::Freshness;
use crate::domain::planning;
use crate::domain::policy::{Release, Service};
use crate::domain::record::{DeployState, Deployment, Strategy};
use crate::domain::situation::{DeployRow, Evidence, Mark, Tone};

use super::rollout::record_of;
use super::{Proofs, View, open_releases};

/// What ended without a release is called unplanned for so many seconds: as long as the longest watch.
const LATELY: i64 = 72 * 3600;

/// One row a service and environment that the vendor knows; the current release's services first.
pub(super) fn rows(view: &View<'_>, proofs: &mut Proofs) -> Vec<DeployRow> {
    let mut rows: Vec<DeployRow> = Vec::new();
    let open = open_releases(view.policy, view.journal);
    for service in &view.policy.services {
        for environment in &view.policy.environments {
            if let Some(row) = row(view, &open, service, &environment.name) {
                let (record, _) = record_of(view, service, &environment.name);
                proofs.insert(format!("deploy/{}", row.id), prove(&row, record));
                rows.push(row);
            }
        }
    }
    let own = |r: &DeployRow| {
        let current = r.release.is_some() && r.release == view.release.map(|x| x.id.clone());
        (!current, !r.unplanned, r.environment != view.environment())
    };
    rows.sort_by_key(|r| (own(r), !r.state.in_flight(), r.service.clone()));
    rows
}

fn row(
    view: &View<'_>,
    open: &[&Release],
    service: &Service,
    environment: &str,
) -> Option<DeployRow> {
    let connection = service.deployments.as_deref()?;
    let need = format!("deployments/{connection}");
    let (record, freshness) = record_of(view, service, environment);
    let (seen, _) = view.feed(&need);
    let fault = view
        .observed
        .feeds
        .get(&need)
        .and_then(|f| f.fault.as_ref());
    let release = open.iter().find(|r| {
        r.environment == environment
            && r.changes.iter().any(|c| {
                c.service == service.name
                    && record.is_none_or(|d| {
                        d.version == c.to
                            || d.previous.as_deref() == Some(c.to.as_str())
                            || !d.state.in_flight()
                    })
            })
    });
    if record.is_none() && (release.is_none() || environment != view.environment()) {
        return None;
    }
    let stale = !freshness.usable();
    let state = record.map_or(DeployState::Unknown, |d| d.state);
    let note = match (fault, record) {
        (Some(f), _) => f.to_string(),
        (None, None) if freshness == Freshness::Never => format!("{connection} was not read yet"),
        (None, None) => format!("{connection} knows no deployment of it"),
        (None, Some(d)) => d.message.clone().unwrap_or_else(|| d.vendor_state.clone()),
    };
    let ended = record.filter(|d| !d.state.in_flight());
    let unplanned = !stale
        && match ended {
            None => record.is_some() && release.is_none(),
            Some(d) => unnamed(view, service, environment, d),
        };
    let release = release.filter(|_| !unplanned);
    Some(DeployRow {
        id: format!("{}/{environment}", service.name),
        service: service.name.clone(),
        environment: environment.to_owned(),
        from: record.and_then(|d| d.previous.clone()),
        version: record.map(|d| d.version.clone()).unwrap_or_default(),
        state,
        mark: mark(state, stale, freshness),
        step: record.and_then(|d| d.step.zip(d.steps)),
        weight: record.and_then(|d| d.weight),
        strategy: record.and_then(|d| d.strategy).map(|s| {
            match s {
                Strategy::Rolling => "rolling",
                Strategy::Canary => "canary",
                Strategy::BlueGreen => "blue-green",
            }
            .to_owned()
        }),
        since: record.and_then(|d| d.step_at.or(d.finished_at).or(d.started_at)),
        freshness: Some(freshness),
        read_at: seen.map(|o| o.read_at),
        note,
        unplanned,
        release: release.map(|r| r.id.clone()),
        auto_sync: record.and_then(|d| d.auto_sync),
        url: record.and_then(|d| d.url.clone()),
    })
}

/// A deployment that ended lately, of a version that no release names there, open or closed, and that never earned healthy there.
fn unnamed(view: &View<'_>, service: &Service, environment: &str, d: &Deployment) -> bool {
    let since = d.finished_at.or(d.started_at);
    let lately = since.is_some_and(|t| {
        let gone = (view.at() - t).num_seconds();
        (0..LATELY).contains(&gone)
    });
    if !lately || !matches!(d.state, DeployState::Succeeded | DeployState::Failed) {
        return false;
    }
    let place = (service.name.clone(), environment.to_owned());
    let healthy = view.journal.healthy.get(&place);
    if healthy.is_some_and(|h| h.iter().any(|h| h.version == d.version)) {
        return false;
    }
    let planned = planning::releases(view.policy, view.journal);
    // Where nobody plans a release, as below production, everything that was deployed would stand here for days.
    let protected = view.policy.environment(environment);
    if protected.is_none_or(|e| !e.protected)
        && !planned.iter().any(|r| r.environment == environment)
    {
        return false;
    }
    let named = planned
        .iter()
        .filter(|r| r.environment == environment)
        .flat_map(|r| &r.changes)
        .filter(|c| c.service == service.name)
        .any(|c| c.to == d.version || c.from.as_ref() == Some(&d.version));
    let mut steps = view
        .journal
        .releases
        .values()
        .flat_map(|r| &r.plans)
        .flat_map(|p| &p.plan.steps);
    let gone_back = steps.any(|s| {
        s.service == service.name
            && s.environment == environment
            && matches!(&s.kind, StepKind::Act { to, .. } if *to == d.version)
    });
    !named && !gone_back
}

fn mark(state: DeployState, stale: bool, freshness: Freshness) -> Mark {
    if stale {
        return Mark::new(format!("UNKNOWN ({})", freshness.word()), Tone::Unknown);
    }
    let tone = match state {
        DeployState::Succeeded => Tone::Pass,
        DeployState::Failed => Tone::Fail,
        DeployState::Paused | DeployState::Verifying | DeployState::Cancelled => Tone::Hold,
        DeployState::Unknown => Tone::Unknown,
        DeployState::Queued | DeployState::Running | DeployState::Superseded => Tone::Plain,
    };
    Mark::new(state.word(), tone)
}

/// What the vendor's own analyses say, and what of it proves nothing.
fn analyses(record: &Deployment) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for run in &record.analysis {
        let said = match &run.message {
            Some(message) => format!("{}: {message}", run.state),
            None => run.state.clone(),
        };
        lines.push((format!("analysis {}", run.name), said));
        for metric in &run.metrics {
            let mut said = format!("{}, {} measurements", metric.state, metric.measurements);
            if let Some(doubt) = &metric.doubt {
                said = format!("{said}: proves nothing: {doubt}");
            }
            lines.push((format!("  {}", metric.name), said));
        }
    }
    lines
}

fn prove(row: &DeployRow, record: Option<&Deployment>) -> Evidence {
    let mut lines = vec![
        ("service".to_owned(), row.service.clone()),
        ("environment".to_owned(), row.environment.clone()),
        ("version".to_owned(), row.version.clone()),
        (
            "before".to_owned(),
            row.from.clone().unwrap_or_else(|| "not known".to_owned()),
        ),
        ("state".to_owned(), row.mark.word.clone()),
        ("vendor says".to_owned(), row.note.clone()),
    ];
    if let Some((step, steps)) = row.step {
        lines.push(("step".to_owned(), format!("{step} of {steps}")));
    }
    if let Some(weight) = row.weight {
        lines.push(("traffic on it".to_owned(), format!("{weight:.0} %")));
    }
    if let Some(auto) = row.auto_sync {
        let word = if auto { "on" } else { "off" };
        lines.push(("auto-sync".to_owned(), word.to_owned()));
    }
    if let Some(manager) = record.and_then(|d| d.managed_by.clone()) {
        lines.push(("written by".to_owned(), manager));
    }
    if let Some(until) = record.and_then(|d| d.fast_until) {
        let clock = until.format("%F %H:%M:%S");
        lines.push(("old version runs until".to_owned(), format!("{clock} UTC")));
    }
    lines.extend(record.map(analyses).unwrap_or_default());
    lines.push((
        "release".to_owned(),
        match (&row.release, row.unplanned) {
            (Some(release), _) => release.clone(),
            (None, true) => "none: unplanned".to_owned(),
            (None, false) => "none in flight".to_owned(),
        },
    ));
    Evidence {
        title: format!("{} in {}", row.service, row.environment),
        lines,
        link: row.url.clone(),
        read_at: row.read_at,
        freshness: row.freshness,
        ..Evidence::default()
    }
}
