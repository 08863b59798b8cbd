//! The contract: gates and triggers of one release, sealed before it is deployed.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::event::Contract;
use super::ground;
use super::journal::Journal;
use super::needs::open_releases;
use super::policy::{Policy, Release};
use super::time::Instant;

/// The contract that the policy in force would seal for a release.
pub fn of(policy: &Policy, release: &Release) -> Contract {
    let mut contract = Contract::default();
    for change in &release.changes {
        if let Some(service) = policy.service(&change.service) {
            contract
                .gates
                .insert(service.name.clone(), service.gates.clone());
            contract
                .triggers
                .insert(service.name.clone(), service.triggers.clone());
            contract
                .slo
                .insert(service.name.clone(), service.slo.clone());
        }
    }
    contract.metrics.clone_from(&policy.metrics);
    contract.ground = Some(ground::of(policy, release));
    contract
}

/// SHA-256 over the contract's canonical JSON (keys in order), hex. What it stands on is no part of it: a new freeze makes no
/// approval void.
pub fn digest(contract: &Contract) -> String {
    let agreed = Contract {
        ground: None,
        ..contract.clone()
    };
    let bytes = serde_json::to_vec(&agreed).unwrap_or_default();
    hex(&Sha256::digest(bytes))
}

/// The policy with metrics and objectives as open releases sealed them: what a gate or trigger says means what was agreed,
/// whatever the file says later (SEMANTICS 13). Of two releases the one sealed first counts.
#[must_use]
pub fn in_force<'a>(policy: Cow<'a, Policy>, journal: &Journal) -> Cow<'a, Policy> {
    let mut sealed: Vec<(&Contract, Instant)> = open_releases(&policy, journal)
        .into_iter()
        .filter_map(|r| journal.release(&r.id)?.contract.as_ref())
        .map(|(_, contract, at)| (contract, *at))
        .collect();
    sealed.sort_by_key(|(_, at)| *at);
    let (mut metrics, mut slo) = (BTreeMap::new(), BTreeMap::new());
    for (contract, _) in sealed {
        for metric in &contract.metrics {
            metrics.entry(metric.id.as_str()).or_insert(metric);
        }
        for (service, objectives) in &contract.slo {
            slo.entry(service.as_str()).or_insert(objectives);
        }
    }
    metrics.retain(|id, metric| policy.metric(id) != Some(*metric));
    slo.retain(|name, own| policy.service(name).is_some_and(|s| s.slo != **own));
    if metrics.is_empty() && slo.is_empty() {
        return policy;
    }
    let mut policy = policy.into_owned();
    for (id, metric) in metrics {
        match policy.metrics.iter_mut().find(|m| m.id == id) {
            Some(own) => own.clone_from(metric),
            None => policy.metrics.push(metric.clone()),
        }
    }
    for (name, objectives) in slo {
        if let Some(own) = policy.services.iter_mut().find(|s| s.name == name) {
            own.slo.clone_from(objectives);
        }
    }
    Cow::Owned(policy)
}

/// Digest over what is deployed: environment, services and versions. An approval is bound to it and to the contract.
pub fn approval_digest(release: &Release, contract: &Contract) -> String {
    let mut hasher = Sha256::new();
    hasher.update(release.environment.as_bytes());
    for change in &release.changes {
        hasher.update([0]);
        hasher.update(change.service.as_bytes());
        hasher.update([0]);
        hasher.update(change.to.as_bytes());
    }
    hasher.update([0]);
    hasher.update(digest(contract).as_bytes());
    hex(&hasher.finalize())
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

/// What differs, a line each; empty when they are the same.
pub fn diff(sealed: &Contract, now: &Contract) -> Vec<String> {
    let mut lines = Vec::new();
    let services: std::collections::BTreeSet<&String> = sealed
        .gates
        .keys()
        .chain(now.gates.keys())
        .chain(sealed.triggers.keys())
        .chain(now.triggers.keys())
        .collect();
    for service in services {
        compare(
            &mut lines,
            service,
            "gate",
            sealed.gates.get(service).map_or(&[][..], Vec::as_slice),
            now.gates.get(service).map_or(&[][..], Vec::as_slice),
            |g| g.id.clone(),
        );
        compare(
            &mut lines,
            service,
            "trigger",
            sealed.triggers.get(service).map_or(&[][..], Vec::as_slice),
            now.triggers.get(service).map_or(&[][..], Vec::as_slice),
            |t| t.id.clone(),
        );
        if let Some(own) = sealed.slo.get(service) {
            let file = now.slo.get(service).cloned().unwrap_or_default();
            if *own != file {
                lines.push(format!(
                    "{service}: objectives are sealed with {}",
                    fields(own, &file)
                ));
            }
        }
    }
    for metric in &sealed.metrics {
        match now.metrics.iter().find(|m| m.id == metric.id) {
            None => lines.push(format!(
                "metric {} is sealed but gone from the file",
                metric.id
            )),
            Some(file) if file != metric => lines.push(format!(
                "metric {} is sealed with {}",
                metric.id,
                fields(metric, file)
            )),
            Some(_) => {}
        }
    }
    lines
}

/// The fields that differ: `tolerance 1.5, the file has 2`.
fn fields<T: Serialize>(sealed: &T, now: &T) -> String {
    let read = |one: &T| match serde_json::to_value(one) {
        Ok(Value::Object(map)) => map,
        _ => serde_json::Map::new(),
    };
    let (sealed, now) = (read(sealed), read(now));
    let said = |v: Option<&Value>| v.map_or_else(|| "nothing".to_owned(), ToString::to_string);
    let keys: std::collections::BTreeSet<&String> = sealed.keys().chain(now.keys()).collect();
    keys.into_iter()
        .filter(|k| sealed.get(*k) != now.get(*k))
        .map(|k| {
            format!(
                "{k} {}, the file has {}",
                said(sealed.get(k)),
                said(now.get(k))
            )
        })
        .collect::<Vec<_>>()
        .join("; ")
}

/// What was sealed, a line a gate and trigger: it stays readable whatever the file says later.
pub fn lines(contract: &Contract) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for (service, gates) in &contract.gates {
        for g in gates {
            let weight = if g.critical {
                "critical"
            } else {
                "not critical"
            };
            out.push((
                format!("gate {service}"),
                format!(
                    "after {}: {} within {}×, {weight}",
                    g.id,
                    g.metrics.join(", "),
                    g.tolerance
                ),
            ));
        }
    }
    for (service, triggers) in &contract.triggers {
        for t in triggers {
            out.push((
                format!("trigger {service}"),
                format!(
                    "{} for {}, then {}",
                    t.id,
                    super::words::seconds(t.hold_for),
                    format!("{:?}", t.then).to_lowercase()
                ),
            ));
        }
    }
    out
}

fn compare<T: PartialEq + Serialize>(
    lines: &mut Vec<String>,
    service: &str,
    what: &str,
    sealed: &[T],
    now: &[T],
    id: impl Fn(&T) -> String,
) {
    for old in sealed {
        match now.iter().find(|n| id(n) == id(old)) {
            None => lines.push(format!(
                "{service}: {what} {} is sealed but gone from the file",
                id(old)
            )),
            Some(new) if new != old => {
                lines.push(format!(
                    "{service}: {what} {} is sealed with {}",
                    id(old),
                    fields(old, new)
                ));
            }
            Some(_) => {}
        }
    }
    for new in now {
        if !sealed.iter().any(|s| id(s) == id(new)) {
            lines.push(format!(
                "{service}: {what} {} is new and not sealed",
                id(new)
            ));
        }
    }
}
