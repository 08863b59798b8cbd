//! Suspects: with several changes in one watch, what else changed while something got worse (SEMANTICS 10). Time, service and
//! dependency distance are told; none is ever named as the cause, for nothing here links it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::Duration;

use crate::domain::policy::Policy;
use crate::domain::situation::{Evidence, Situation, Suspect, Tone};
use crate::domain::time::Instant;
use crate::domain::verdict::Verdict;

use super::{Proofs, View, clock_full};

/// What changed this long before the watch may still show in it.
const BEFORE: i64 = 3600;
/// Suspects shown of one regression.
const SHOWN: usize = 8;

/// Fills in the suspects where a watch runs and something got worse.
pub(super) fn fill(view: &View<'_>, s: &mut Situation, proofs: &mut Proofs) {
    let Some(watch) = &s.watch else {
        return;
    };
    let begin = watch.since - Duration::seconds(BEFORE);
    let failed = watch.checkpoints.iter().any(|c| c.mark.tone == Tone::Fail);
    let worse = worse(view, s, failed);
    let changes = changes(view, s, begin);
    let mut out = Vec::new();
    for service in worse {
        out.extend(of(view.policy, &service, &changes));
    }
    // One change is no riddle.
    if changes.len() < 2 || out.is_empty() {
        return;
    }
    proofs.insert("watch/suspects".to_owned(), prove(view, &out));
    if let Some(watch) = &mut s.watch {
        watch.suspects = out;
    }
}

/// Services of the release that got worse: a trigger tripped, the judge fails a metric; where only a checkpoint failed, all.
fn worse(view: &View<'_>, s: &Situation, failed: bool) -> BTreeSet<String> {
    let own: BTreeSet<&str> = view
        .rollouts
        .iter()
        .map(|r| r.service.name.as_str())
        .collect();
    let tripped = s.triggers.iter().filter(|t| t.tripped);
    let mut out: BTreeSet<String> = tripped.map(|t| t.service.clone()).collect();
    let bad = s.metrics.iter().filter(|m| m.verdict == Verdict::Fail);
    out.extend(
        bad.filter(|m| own.contains(m.service.as_str()))
            .map(|m| m.service.clone()),
    );
    if out.is_empty() && failed {
        out.extend(own.into_iter().map(str::to_owned));
    }
    out
}

/// A change of any service in this environment since then.
struct Changed {
    service: String,
    version: String,
    release: Option<String>,
    at: Instant,
}

/// By the journal, of every release; and what is in flight without one.
fn changes(view: &View<'_>, s: &Situation, begin: Instant) -> Vec<Changed> {
    let here = |id: &str| {
        let planned = view.policy.release(id).or_else(|| {
            view.journal
                .release(id)
                .and_then(|state| state.plan.as_ref())
        });
        planned.is_none_or(|r| r.environment == view.environment())
    };
    let mut out: Vec<Changed> = Vec::new();
    for (id, state) in view.journal.releases.iter().filter(|(id, _)| here(id)) {
        for (service, track) in &state.tracks {
            // A long rollout counts for as long as it moves.
            let until = track.finished.unwrap_or(track.changed).max(track.changed);
            if track.started >= begin || until >= begin || watched(view, id, until) {
                out.push(Changed {
                    service: service.clone(),
                    version: track.version.clone(),
                    release: Some(id.clone()),
                    at: track.started,
                });
            }
        }
    }
    let unplanned = s
        .deployments
        .iter()
        .filter(|d| d.unplanned && d.environment == view.environment());
    for row in unplanned {
        if let Some(at) = row.since.filter(|at| *at >= begin) {
            out.push(Changed {
                service: row.service.clone(),
                version: row.version.clone(),
                release: None,
                at,
            });
        }
    }
    out
}

/// Is that release still in a watch of its own?
fn watched(view: &View<'_>, id: &str, since: Instant) -> bool {
    let state = view.journal.release(id);
    let open = state.is_some_and(|s| s.closing.is_none() && s.watch_end.is_none());
    let length = view
        .policy
        .release(id)
        .or_else(|| state.and_then(|s| s.plan.as_ref()))
        .map_or(0, |r| super::watch::length_of(view, r));
    let until = since + Duration::seconds(i64::try_from(length).unwrap_or(0));
    open && until >= view.at()
}

fn of(policy: &Policy, worse: &str, changes: &[Changed]) -> Vec<Suspect> {
    let distances = distances(policy, worse);
    let mut out: Vec<Suspect> = changes
        .iter()
        .map(|c| {
            let near = distances.get(c.service.as_str());
            Suspect {
                worse: worse.to_owned(),
                service: c.service.clone(),
                version: c.version.clone(),
                release: c.release.clone(),
                at: c.at,
                distance: near.map(|(n, _)| *n),
                said: said(worse, near.copied()),
            }
        })
        .collect();
    out.sort_by_key(|x| {
        (
            x.distance.unwrap_or(u32::MAX),
            std::cmp::Reverse(x.at),
            x.service.clone(),
        )
    });
    out.truncate(SHOWN);
    out
}

/// Which way a neighbour lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Same,
    /// The worse service calls it, maybe through others.
    Below,
    /// It calls the worse service, maybe through others.
    Above,
}

fn said(worse: &str, near: Option<(u32, Way)>) -> String {
    match near {
        None => "no dependency either way".to_owned(),
        Some((_, Way::Same)) => "the service itself".to_owned(),
        Some((1, Way::Below)) => format!("{worse} calls it"),
        Some((n, Way::Below)) => format!("{worse} calls it over {} others", n - 1),
        Some((1, Way::Above)) => format!("it calls {worse}"),
        Some((n, Way::Above)) => format!("it calls {worse} over {} others", n - 1),
    }
}

/// Shortest distance to every service along the dependencies, each way.
fn distances<'p>(policy: &'p Policy, from: &'p str) -> BTreeMap<&'p str, (u32, Way)> {
    let mut out = BTreeMap::from([(from, (0, Way::Same))]);
    for way in [Way::Below, Way::Above] {
        let mut seen = BTreeSet::from([from]);
        let mut queue = VecDeque::from([(from, 0u32)]);
        while let Some((at, n)) = queue.pop_front() {
            for next in steps(policy, at, way) {
                if seen.insert(next) {
                    let known = out.entry(next).or_insert((n + 1, way));
                    if known.0 > n + 1 {
                        *known = (n + 1, way);
                    }
                    queue.push_back((next, n + 1));
                }
            }
        }
    }
    out
}

fn steps<'p>(policy: &'p Policy, at: &str, way: Way) -> Vec<&'p str> {
    match way {
        Way::Below => policy
            .service(at)
            .into_iter()
            .flat_map(|s| s.depends_on.iter().map(String::as_str))
            .collect(),
        _ => policy
            .services
            .iter()
            .filter(|s| s.depends_on.iter().any(|d| d == at))
            .map(|s| s.name.as_str())
            .collect(),
    }
}

fn prove(view: &View<'_>, list: &[Suspect]) -> Evidence {
    let mut lines: Vec<(String, String)> = list
        .iter()
        .map(|x| {
            let release = x.release.as_deref().unwrap_or("unplanned");
            let at = clock_full(x.at, view.at(), view.policy.timezone);
            (
                format!("{} got worse", x.worse),
                format!(
                    "{} {} ({release}) at {at}: {}",
                    x.service, x.version, x.said
                ),
            )
        })
        .collect();
    lines.push((
        "in words".to_owned(),
        "suspects by time and dependency; nothing links any of them to the regression".to_owned(),
    ));
    Evidence {
        title: "suspects".to_owned(),
        lines,
        ..Evidence::default()
    }
}
