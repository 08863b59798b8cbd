//! Checklist items that rest on something outside: the environment below, a scanner, a smoke test (SEMANTICS 4).

use serde_json::Value;

use crate::domain::needs::item_need;
use crate::domain::observe::Observation;
use crate::domain::policy::{ChecklistItem, Section, Service, Severity};
use crate::domain::record::{BuildState, DeployState, Deployment, Records};
use crate::domain::time::Instant;
use crate::domain::verdict::Verdict;

use super::View;
use super::proofs::{Proof, ended};
use super::rollout::record_of;

/// Findings named in the evidence.
const NAMED: usize = 20;

/// The environment a release's own is compared with: the named one, else the one below it in promotion order.
fn below<'a>(view: &'a View<'_>, named: Option<&'a str>) -> Option<&'a str> {
    if named.is_some() {
        return named;
    }
    let all = &view.policy.environments;
    let own = all.iter().position(|e| e.name == view.environment())?;
    all.get(own.checked_sub(1)?).map(|e| e.name.as_str())
}

/// The live record's version where it serves, by a fresh reading.
fn serving<'a>(
    view: &View<'a>,
    service: &Service,
    environment: &str,
) -> Result<&'a Deployment, Proof> {
    let name = &service.name;
    if service.deployments.is_none() {
        return Err(Proof::not_run(format!(
            "set deployments of service {name} in cockpit.toml"
        )));
    }
    let (record, freshness) = record_of(view, service, environment);
    if !freshness.usable() {
        return Err(Proof::undecided(format!(
            "what serves in {environment} is {}",
            freshness.word()
        )));
    }
    let Some(record) = record else {
        return Err(Proof::not_run(format!(
            "no live record of {name} in {environment}: set target.{environment} of service {name} in cockpit.toml"
        )));
    };
    if record.state != DeployState::Succeeded {
        return Err(Proof::undecided(format!(
            "{name} is {} in {environment}",
            record.state.word()
        )));
    }
    Ok(record)
}

/// The environment below serves what the release deploys, beside the neighbours that it will meet: each service that it
/// depends on has there the version it has here, or gets by this release. The source are the live deployment records.
pub(super) fn parity(view: &View<'_>, name: &str, version: &str, named: Option<&str>) -> Proof {
    let Some(lower) = below(view, named) else {
        return Proof::not_run(format!(
            "no environment stands below {}: set `environment` of the item in cockpit.toml",
            view.environment()
        ));
    };
    let Some(service) = view.policy.service(name) else {
        return Proof::not_run(format!("service {name} is gone from the file"));
    };
    let seen = service
        .deployments
        .as_ref()
        .and_then(|c| view.feed(&format!("deployments/{c}")).0);
    let there = match serving(view, service, lower) {
        Ok(record) => record,
        Err(proof) => return proof.read(seen),
    };
    if there.version != version {
        return Proof::new(
            Verdict::Fail,
            format!(
                "{lower} serves {name} {}, the release deploys {version}",
                there.version
            ),
        )
        .read(seen);
    }
    if let Some(asked) = there.desired.as_ref().filter(|d| **d != there.version) {
        return Proof::undecided(format!(
            "{lower} serves {name} {version} but its source asks for {asked}"
        ))
        .read(seen);
    }
    match neighbours(view, service, lower) {
        Some(proof) => proof.read(seen),
        None => Proof::new(Verdict::Pass, format!("{lower} serves {name} {version}")).read(seen),
    }
}

/// The first neighbour that differs between the two environments, or of which that cannot be told.
fn neighbours(view: &View<'_>, service: &Service, lower: &str) -> Option<Proof> {
    for name in &service.depends_on {
        let Some(other) = view.policy.service(name) else {
            continue;
        };
        let planned = view
            .release
            .and_then(|r| r.changes.iter().find(|c| c.service == *name))
            .map(|c| c.to.clone());
        let here = match planned {
            Some(version) => version,
            None => match serving(view, other, view.environment()) {
                Ok(record) => record.version.clone(),
                Err(proof) => return Some(proof),
            },
        };
        match serving(view, other, lower) {
            Ok(record) if record.version == here => {}
            Ok(record) => {
                return Some(Proof::new(
                    Verdict::Fail,
                    format!(
                        "{name} is {} in {lower} and {here} in {}",
                        record.version,
                        view.environment()
                    ),
                ));
            }
            Err(proof) => return Some(proof),
        }
    }
    None
}

/// The answer to an item's own read for one service, if it may be believed.
fn answer<'a>(
    view: &View<'a>,
    item: &ChecklistItem,
    (service, version): (&str, &str),
    what: &str,
) -> Result<&'a Observation, Proof> {
    let id = item_need(&item.id, service, version);
    let (seen, freshness) = view.feed(&id);
    let fault = view.observed.feeds.get(&id).and_then(|f| f.fault.as_ref());
    match seen {
        Some(seen) if freshness.usable() => match &seen.partial {
            Some(why) => Err(Proof::undecided(format!(
                "{what} of {service} is a partial answer: {why}"
            ))
            .read(Some(seen))),
            None => Ok(seen),
        },
        _ => Err(Proof::undecided(fault.map_or_else(
            || format!("{what} of {service} is {}", freshness.word()),
            ToString::to_string,
        ))
        .read(seen)),
    }
}

/// No open finding above the limit, by a scan of that version. A list without a record of the scan itself proves nothing:
/// a scanner that never ran finds nothing either.
pub(super) fn scan(
    view: &View<'_>,
    item: &ChecklistItem,
    connection: Option<&str>,
    up_to: Severity,
    service: &str,
    version: &str,
) -> Proof {
    if connection.is_none() {
        return Proof::not_run(format!(
            "set connection = \"…\" (one that reads findings, or of driver command) of checklist item {} in cockpit.toml",
            item.id
        ));
    }
    let seen = match answer(view, item, (service, version), "the scan") {
        Ok(seen) => seen,
        Err(proof) => return proof,
    };
    match &seen.records {
        Records::Check(list) => ended(list.first()).at(Some(seen.read_at)).read(Some(seen)),
        Records::Other(list) => findings(list, up_to, version).read(Some(seen)),
        _ => Proof::undecided("the scan's answer holds no findings").read(Some(seen)),
    }
}

fn text<'v>(record: &'v Value, keys: &[&str]) -> Option<&'v str> {
    keys.iter().find_map(|k| record.get(*k)?.as_str())
}

fn time(record: &Value) -> Option<Instant> {
    let text = text(record, &["scanned_at", "at"])?;
    chrono::DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|t| t.to_utc())
}

fn findings(list: &[Value], up_to: Severity, version: &str) -> Proof {
    let scans = list.iter().filter(|r| r.get("severity").is_none());
    let own = scans
        .filter(|r| text(r, &["version"]).is_none_or(|v| v == version))
        .filter_map(time)
        .max();
    let over = ["fixed", "resolved", "dismissed", "closed", "accepted"];
    let open: Vec<&Value> = list
        .iter()
        .filter(|r| r.get("severity").is_some())
        .filter(|r| text(r, &["version"]).is_none_or(|v| v == version))
        .filter(|r| !text(r, &["state"]).is_some_and(|s| over.contains(&s.to_lowercase().as_str())))
        .collect();
    let grave = |r: &&&Value| {
        text(r, &["severity"])
            .and_then(Severity::read)
            .is_none_or(|s| s > up_to)
    };
    let bad: Vec<&&Value> = open.iter().filter(grave).collect();
    let name = |r: &Value| {
        let word = text(r, &["severity"]).unwrap_or("of unknown severity");
        format!(
            "{word}: {}",
            text(r, &["title", "id"]).unwrap_or("a finding")
        )
    };
    let mut proof = match (bad.first(), own) {
        (Some(first), _) => Proof::new(
            Verdict::Fail,
            format!("{} above {}: {}", bad.len(), up_to.word(), name(first)),
        ),
        (None, None) => Proof::undecided(format!(
            "no record says that {version} was scanned: {} findings prove nothing",
            open.len()
        )),
        (None, Some(_)) => Proof::new(
            Verdict::Pass,
            format!("{} findings, none above {}", open.len(), up_to.word()),
        ),
    };
    proof.more = bad
        .iter()
        .take(NAMED)
        .map(|r| ("finding".to_owned(), name(r)))
        .collect();
    proof.at(own)
}

/// A smoke test of the version where it runs: a command that ended with 0, or CI runs of those names, begun after the
/// version (and in the release's own environment its present step) took effect there.
pub(super) fn smoke(
    view: &View<'_>,
    item: &ChecklistItem,
    connection: Option<&str>,
    required: &[String],
    named: Option<&str>,
    (name, version): (&str, &str),
) -> Proof {
    if connection.is_none() && required.is_empty() {
        return Proof::not_run(format!(
            "set connection = \"…\" (of driver command) or required = [\"…\"] (names of CI runs) of checklist item {} in cockpit.toml",
            item.id
        ));
    }
    let effect = match took_effect(view, item, named, name, version) {
        Ok(at) => at,
        Err(proof) => return proof,
    };
    if connection.is_none() {
        return runs(view, required, name, version, effect);
    }
    let seen = match answer(view, item, (name, version), "the smoke test") {
        Ok(seen) => seen,
        Err(proof) => return proof,
    };
    if seen.read_at < effect {
        return Proof::undecided("it ran before the present step took effect; it runs again")
            .read(Some(seen));
    }
    match &seen.records {
        Records::Check(list) => ended(list.first()).at(Some(seen.read_at)).read(Some(seen)),
        _ => Proof::undecided("the answer is no check's outcome").read(Some(seen)),
    }
}

/// Since when what is tested serves where it is tested. Before the deployment that is the environment below.
fn took_effect(
    view: &View<'_>,
    item: &ChecklistItem,
    named: Option<&str>,
    name: &str,
    version: &str,
) -> Result<Instant, Proof> {
    let place = match (named, item.section) {
        (Some(named), _) => Some(named),
        (None, Section::PreDeploy) => below(view, None),
        (None, _) => None,
    };
    match place.filter(|p| *p != view.environment()) {
        None => view
            .rollout(name)
            .filter(|r| !r.withdrawn())
            .and_then(super::rollout::Rollout::step_since)
            .ok_or_else(|| Proof::not_run("begins after the first step")),
        Some(place) => {
            let service = view
                .policy
                .service(name)
                .ok_or_else(|| Proof::not_run(format!("service {name} is gone from the file")))?;
            let record = serving(view, service, place)?;
            if record.version != version {
                return Err(Proof::not_run(format!(
                    "{place} serves {name} {}, not {version}",
                    record.version
                )));
            }
            record
                .finished_at
                .or(record.step_at)
                .or(record.started_at)
                .ok_or_else(|| {
                    Proof::undecided(format!(
                        "since when {place} serves {name} {version} is not known"
                    ))
                })
        }
    }
}

/// CI runs of those names, each begun after `effect`.
fn runs(
    view: &View<'_>,
    required: &[String],
    service: &str,
    version: &str,
    effect: Instant,
) -> Proof {
    if view
        .policy
        .service(service)
        .is_none_or(|s| s.builds.is_none())
    {
        return Proof::not_run(format!("set builds of service {service} in cockpit.toml"));
    }
    let (seen, freshness) = view.feed(&format!("builds/{service}/{version}"));
    let list = match seen {
        Some(Observation {
            records: Records::Build(list),
            partial: None,
            ..
        }) if freshness.usable() => list,
        _ => {
            return Proof::undecided(format!("CI of {service} {version} is not known")).read(seen);
        }
    };
    let mut oldest: Option<Instant> = None;
    for name in required {
        let newest = list
            .iter()
            .filter(|b| b.name.eq_ignore_ascii_case(name))
            .max_by_key(|b| b.started_at);
        let Some(run) = newest else {
            return Proof::not_run(format!("no run named {name} for {version}")).read(seen);
        };
        if run.started_at.is_none_or(|at| at < effect) {
            return Proof::not_run(format!(
                "{name} has not run since the present step took effect"
            ))
            .read(seen);
        }
        match run.state {
            BuildState::Succeeded => {
                oldest = [oldest, run.finished_at].into_iter().flatten().min();
            }
            BuildState::Failed | BuildState::Cancelled => {
                return Proof::new(Verdict::Fail, format!("{name} of {version} is red")).read(seen);
            }
            BuildState::Queued | BuildState::Running | BuildState::Unknown => {
                return Proof::undecided(format!("{name} of {version} has not ended")).read(seen);
            }
        }
    }
    Proof::new(Verdict::Pass, format!("{} green", required.join(", ")))
        .at(oldest)
        .read(seen)
}
