//! How far a service's change is: from the journal's track and the vendor's live record.

use std::collections::{BTreeMap, HashMap};

use crate::domain::journal::Track;
use crate::domain::observe::Freshness;
use crate::domain::policy::{Change, Release, Service};
use crate::domain::record::{DeployState, Deployment, Records};
use crate::domain::time::Instant;

use super::View;

/// One change of the current release, as far as it is.
pub(crate) struct Rollout<'a> {
    pub service: &'a Service,
    pub change: &'a Change,
    /// What the journal has of it, if its version was ever seen.
    pub track: Option<&'a Track>,
    /// The vendor's live record, with its freshness.
    pub record: Option<&'a Deployment>,
    pub freshness: Freshness,
    /// When that record was read.
    pub read_at: Option<Instant>,
    /// A rollback put the old version back.
    pub rolled_back: Option<Instant>,
}

/// Where a part of a rollout's traffic was on the new version: clean from, until, weight in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stretch {
    /// Unix seconds; a whole minute: buckets that end after it are clean.
    pub clean: i64,
    /// Unix seconds; `None`: it is the present one.
    pub until: Option<i64>,
    pub weight: f64,
}

impl Rollout<'_> {
    /// A canary or rolling rollout is under way: both versions serve.
    pub fn in_flight(&self) -> bool {
        self.rolled_back.is_none() && self.track.is_some_and(|t| t.state.in_flight())
    }
    /// Did the rollout of the new version begin?
    pub fn started(&self) -> Option<Instant> {
        self.track.map(|t| t.started)
    }
    /// Both versions serve right now, by the vendor's weight.
    pub fn splits(&self) -> bool {
        self.in_flight()
            && self
                .track
                .and_then(|t| t.weight)
                .is_some_and(|w| w > 0.0 && w < 100.0)
    }
    /// It is under way and no share of the traffic is known to be on it.
    pub fn unsplit(&self) -> bool {
        self.in_flight()
            && self
                .track
                .is_some_and(|t| t.weight.is_none_or(|w| w <= 0.0))
    }
    /// Nothing of it serves any more: it failed, was cancelled or was replaced, by the journal.
    pub fn withdrawn(&self) -> bool {
        self.track.is_some_and(Track::withdrawn)
    }
    /// The new version serves all traffic by the vendor's fresh record.
    pub fn serves(&self) -> bool {
        self.freshness.usable()
            && self
                .record
                .is_some_and(|d| d.version == self.change.to && d.state == DeployState::Succeeded)
    }
    /// When a share of traffic was first on the new version, and after which step; the full rollout reaches every share.
    pub fn reached(&self, share: f64) -> Option<(Instant, u32)> {
        let track = self.track?;
        track
            .reached
            .iter()
            .find(|(_, _, weight)| weight.is_some_and(|w| w >= share))
            .map(|(at, step, _)| (*at, *step))
            .or_else(|| track.finished.map(|at| (at, self.step())))
    }
    /// Stretches of the canary's traffic, oldest first.
    pub fn stretches(&self) -> Vec<Stretch> {
        let Some(track) = self.track else {
            return Vec::new();
        };
        let mut list: Vec<Stretch> = Vec::new();
        for (at, _, weight) in &track.reached {
            let weight = weight.unwrap_or(0.0);
            let clean = ceil_minute(at.timestamp());
            if let Some(last) = list.last_mut() {
                if (last.weight - weight).abs() < 1e-9 {
                    continue;
                }
                last.until.get_or_insert(at.timestamp().div_euclid(60) * 60);
            }
            list.push(Stretch {
                clean,
                until: None,
                weight,
            });
        }
        list.retain(|s| s.weight > 0.0 && s.until.is_none_or(|u| u > s.clean));
        list
    }
    /// Clean start of the version that serves now: after the full rollout or the rollback, else of the canary.
    pub fn clean_start(&self) -> Option<i64> {
        if let Some(at) = self.rolled_back {
            return Some(ceil_minute(at.timestamp()));
        }
        let track = self.track?;
        if self.splits() {
            return self.stretches().first().map(|s| s.clean);
        }
        if track.withdrawn() {
            // The old version serves again since then.
            return Some(ceil_minute(track.changed.timestamp()));
        }
        let full = track
            .finished
            .or_else(|| track.reached.last().map(|(at, _, _)| *at))
            .unwrap_or(track.started);
        Some(ceil_minute(full.timestamp()))
    }
    /// When the present step took effect.
    pub fn step_since(&self) -> Option<Instant> {
        self.track
            .and_then(|t| t.reached.last())
            .map(|(at, _, _)| *at)
    }
    /// The vendor's record, where it is fresh and was read after the journal's last word: of two cockpits the slower one would
    /// otherwise take back what the faster one wrote.
    pub fn news(&self) -> Option<&Deployment> {
        let after = |t: &Track| self.read_at.is_some_and(|at| at >= t.told);
        self.record
            .filter(|_| self.freshness.usable() && self.track.is_none_or(after))
    }
    /// The vendor says something else than the journal, which is about to take it in: what was judged was judged of what it was
    /// before.
    pub fn moved(&self) -> bool {
        let Some(record) = self.news() else {
            return false;
        };
        let own = record.version == self.change.to;
        match self.track {
            Some(t) if own => {
                (t.state, t.step, t.weight) != (record.state, record.step, record.weight)
            }
            Some(t) => !t.withdrawn(),
            None => own && record.state.in_flight(),
        }
    }
    /// Steps finished, at least 0.
    pub fn step(&self) -> u32 {
        self.track.and_then(|t| t.step).unwrap_or(0)
    }
}

/// The next full minute at or after an instant.
pub(crate) fn ceil_minute(seconds: i64) -> i64 {
    seconds.div_euclid(60) * 60 + if seconds.rem_euclid(60) > 0 { 60 } else { 0 }
}

/// Does a vendor's record speak of that service in that environment?
pub(crate) fn speaks_of(record: &Deployment, service: &Service, environment: &str) -> bool {
    let here = record.environment.is_empty() || record.environment == environment;
    let app = service.arg(environment, "app");
    let name = Some(record.service.as_str());
    here && (app == Some(&record.id) || app == name || service.arg(environment, "service") == name)
}

/// The vendor's live record of a service in an environment.
pub(crate) fn record_of<'a>(
    view: &View<'a>,
    service: &Service,
    environment: &str,
) -> (Option<&'a Deployment>, Freshness) {
    let (record, freshness, _) = reading_of(view, service, environment);
    (record, freshness)
}

/// The same with when it was read.
fn reading_of<'a>(
    view: &View<'a>,
    service: &Service,
    environment: &str,
) -> (Option<&'a Deployment>, Freshness, Option<Instant>) {
    let Some(connection) = &service.deployments else {
        return (None, Freshness::Never, None);
    };
    let made;
    let records = match &view.records {
        Some(records) => records,
        None => {
            made = Named::of(view);
            &made
        }
    };
    let Some((freshness, read_at, by_name)) = records.by_connection.get(connection.as_str()) else {
        return (None, Freshness::Never, None);
    };
    // A record speaks of a service by its own name or by its id: the others need not be looked at.
    let names = [
        service.arg(environment, "app"),
        service.arg(environment, "service"),
    ];
    let mut found: Vec<(usize, &Deployment)> = names
        .into_iter()
        .flatten()
        .filter_map(|name| by_name.get(name))
        .flatten()
        .copied()
        .filter(|(_, d)| speaks_of(d, service, environment))
        .collect();
    found.sort_by_key(|(at, _)| *at);
    found.dedup_by_key(|(at, _)| *at);
    let mut hits: Vec<&Deployment> = found.into_iter().map(|(_, d)| d).collect();
    hits.sort_by_key(|d| {
        (
            d.state == DeployState::Superseded,
            std::cmp::Reverse(d.started_at),
        )
    });
    (hits.first().copied(), *freshness, *read_at)
}

/// Records of one connection by service and by id, each with its place among all.
type ByName<'a> = HashMap<&'a str, Vec<(usize, &'a Deployment)>>;

/// The live records of every connection: hundreds of services are not each looked for among hundreds of records.
pub(crate) struct Named<'a> {
    by_connection: BTreeMap<&'a str, (Freshness, Option<Instant>, ByName<'a>)>,
}

impl<'a> Named<'a> {
    pub fn of(view: &View<'a>) -> Self {
        let mut by_connection = BTreeMap::new();
        for (need, feed) in view.observed.feeds.range("deployments/".to_owned()..) {
            let Some(connection) = need.strip_prefix("deployments/") else {
                break;
            };
            let mut by_name = ByName::new();
            if let Some(Records::Deployment(list)) = feed.last.as_ref().map(|o| &o.records) {
                for (at, record) in list.iter().enumerate() {
                    by_name
                        .entry(&record.service)
                        .or_default()
                        .push((at, record));
                    if record.id != record.service {
                        by_name.entry(&record.id).or_default().push((at, record));
                    }
                }
            }
            let read_at = feed.last.as_ref().map(|o| o.read_at);
            by_connection.insert(connection, (view.feed(need).1, read_at, by_name));
        }
        Self { by_connection }
    }
}

/// The rollouts of the current release.
pub(crate) fn all<'a>(view: &View<'a>) -> Vec<Rollout<'a>> {
    let Some(release) = view.release else {
        return Vec::new();
    };
    of_release(view, release)
}

/// The rollouts of a release.
pub(crate) fn of_release<'a>(view: &View<'a>, release: &'a Release) -> Vec<Rollout<'a>> {
    let state = view.journal.release(&release.id);
    release
        .changes
        .iter()
        .filter_map(|change| {
            let service = view.policy.service(&change.service)?;
            let (record, freshness, read_at) = reading_of(view, service, &release.environment);
            let track = state
                .and_then(|s| s.tracks.get(&change.service))
                .filter(|t| t.version == change.to);
            let rolled_back = state
                .and_then(|s| s.rolled_back())
                .and_then(|p| p.ended.as_ref())
                .map(|(_, _, at)| *at);
            Some(Rollout {
                service,
                change,
                track,
                record,
                freshness,
                read_at,
                rolled_back,
            })
        })
        .collect()
}
