//! What an open release stands on beside its contract: connections, where its services are, freezes, its environment. Until it closes
//! they stay as they were sealed; a change of the file is taken by its name (SEMANTICS 13).

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::contract::hex;
use super::journal::Journal;
use super::needs::open_releases;
use super::policy::{Connection, Policy, Release, Service};
use super::window::Freeze;

/// The ground as it was when the contract was sealed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Ground {
    /// The release's environment.
    pub environment: String,
    /// Connection → digest of its connector and settings. The settings themselves are not journaled: an address may be secret.
    pub connections: BTreeMap<String, String>,
    /// Service of the release → where it is, and what is rolled back how.
    pub services: BTreeMap<String, Site>,
    /// Every freeze.
    pub freezes: Vec<Freeze>,
}

/// Where a service is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Site {
    /// Connection of its deployments.
    pub deployments: Option<String>,
    /// Arguments by environment.
    pub target: BTreeMap<String, BTreeMap<String, String>>,
    /// Connection of its registry.
    pub registry: Option<String>,
    /// Its image there.
    pub image: Option<String>,
    /// Paths whose change is a point of no return.
    pub irreversible: Vec<String>,
}

impl Site {
    fn of(service: &Service) -> Self {
        Self {
            deployments: service.deployments.clone(),
            target: service.target.clone(),
            registry: service.registry.clone(),
            image: service.image.clone(),
            irreversible: service.irreversible.clone(),
        }
    }
    fn put(&self, service: &mut Service) {
        let own = self.clone();
        service.deployments = own.deployments;
        service.target = own.target;
        service.registry = own.registry;
        service.image = own.image;
        service.irreversible = own.irreversible;
    }
}

/// A change of cockpit.toml that waits for a person, or for the release's close.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Held {
    /// What: `freeze/NAME`, `connection/NAME`, `service/NAME`, `release/ID`.
    pub name: String,
    /// Digest of what the file says now.
    pub digest: String,
    /// The release that stands on the old.
    pub release: String,
    /// One sentence.
    pub said: String,
}

/// The ground that a release would be sealed on now.
#[must_use]
pub fn of(policy: &Policy, release: &Release) -> Ground {
    let connections = policy.connections.iter();
    let services = release.changes.iter();
    Ground {
        environment: release.environment.clone(),
        connections: connections.map(|(n, c)| (n.clone(), pointing(c))).collect(),
        services: services
            .filter_map(|c| policy.service(&c.service))
            .map(|s| (s.name.clone(), Site::of(s)))
            .collect(),
        freezes: policy.freezes.clone(),
    }
}

/// Where a connection points: how often it is read is no part of it.
fn pointing(connection: &Connection) -> String {
    digest(&(&connection.connector, &connection.settings))
}

fn digest<T: Serialize>(value: &T) -> String {
    let bytes = serde_json::to_vec(value).unwrap_or_default();
    hex(&Sha256::digest(bytes)).chars().take(16).collect()
}

/// What of the file an open release does not stand on: (release, its ground), the one sealed first first.
fn grounds<'a>(file: &'a Policy, journal: &'a Journal) -> Vec<(&'a str, &'a Ground)> {
    let mut list: Vec<_> = open_releases(file, journal)
        .into_iter()
        .filter_map(|r| Some((r, journal.release(&r.id)?.contract.as_ref()?)))
        .filter_map(|(r, (_, contract, at))| Some((*at, r.id.as_str(), contract.ground.as_ref()?)))
        .collect();
    list.sort_by_key(|(at, id, _)| (*at, *id));
    list.into_iter()
        .map(|(_, id, ground)| (id, ground))
        .collect()
}

/// The changes of the file that are not in force, each once.
#[must_use]
pub fn held(file: &Policy, journal: &Journal) -> Vec<Held> {
    let mut out: Vec<Held> = Vec::new();
    let mut hold = |name: String, digest: String, release: &str, said: String| {
        let taken = journal.taken.get(&name) == Some(&digest);
        if !taken && !out.iter().any(|h| h.name == name) {
            out.push(Held {
                name,
                digest,
                release: release.to_owned(),
                said,
            });
        }
    };
    for (release, ground) in grounds(file, journal) {
        for freeze in ground.freezes.iter().filter(|f| !file.freezes.contains(f)) {
            let now = file.freezes.iter().find(|f| f.name == freeze.name);
            let what = if now.is_some() { "changed" } else { "gone" };
            let said = format!(
                "freeze {} is {what} in cockpit.toml: it stays as it was while {release} is open",
                freeze.name
            );
            hold(
                format!("freeze/{}", freeze.name),
                digest(&now),
                release,
                said,
            );
        }
        for (name, sealed) in &ground.connections {
            let now = file.connections.get(name).map(pointing);
            if now.as_ref() == Some(sealed) {
                continue;
            }
            let what = match now {
                Some(_) => "points elsewhere",
                None => "is gone",
            };
            let said = format!(
                "connection {name} {what} in cockpit.toml: what it says now is not used while {release} is open"
            );
            hold(format!("connection/{name}"), digest(&now), release, said);
        }
        for (name, site) in &ground.services {
            let Some(now) = file.service(name).map(Site::of).filter(|now| now != site) else {
                continue;
            };
            let said = format!(
                "where service {name} is, or how it goes back, is changed in cockpit.toml: it stays as it was while {release} is open"
            );
            hold(format!("service/{name}"), digest(&now), release, said);
        }
        let now = file.release(release).map(|r| r.environment.as_str());
        if let Some(now) = now.filter(|e| *e != ground.environment) {
            let said = format!(
                "{release} goes to {now} in cockpit.toml: it stays with {} until it closes",
                ground.environment
            );
            hold(format!("release/{release}"), digest(&now), release, said);
        }
    }
    out
}

/// The policy in force: the file, but for what is held. A connection that is held stays as `before` has it, where that still points
/// where it was sealed; else it is cut: nothing is read from it and nothing asked of it.
#[must_use]
pub fn in_force(file: &Policy, journal: &Journal, held: &[Held], before: &Policy) -> Policy {
    let mut policy = file.clone();
    let names: BTreeSet<&str> = held.iter().map(|h| h.name.as_str()).collect();
    let kept = |kind: &str, name: &str| names.contains(format!("{kind}/{name}").as_str());
    let mut done: BTreeSet<String> = BTreeSet::new();
    for (release, ground) in grounds(file, journal) {
        for freeze in ground.freezes.iter().filter(|f| kept("freeze", &f.name)) {
            if done.insert(format!("freeze/{}", freeze.name)) {
                policy.freezes.retain(|f| f.name != freeze.name);
                policy.freezes.push(freeze.clone());
            }
        }
        for (name, sealed) in &ground.connections {
            if !kept("connection", name) || !done.insert(format!("connection/{name}")) {
                continue;
            }
            let old = before
                .connections
                .get(name)
                .filter(|c| pointing(c) == *sealed);
            if let Some(old) = old {
                policy.connections.insert(name.clone(), old.clone());
            } else if let Some(other) = policy.connections.get_mut(name) {
                other.reads.clear();
                other.verbs.clear();
            }
        }
        for (name, site) in ground.services.iter().filter(|(n, _)| kept("service", n)) {
            let service = policy.services.iter_mut().find(|s| s.name == *name);
            if let Some(service) = service.filter(|_| done.insert(format!("service/{name}"))) {
                site.put(service);
            }
        }
        if kept("release", release)
            && let Some(own) = policy.releases.iter_mut().find(|r| r.id == release)
        {
            own.environment.clone_from(&ground.environment);
        }
    }
    policy
}
