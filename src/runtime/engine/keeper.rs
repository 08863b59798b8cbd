//! What outlives the process: the journal, the cache for the first frame after a start, the driver's leases.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::domain::act::Act;
use crate::domain::needs::{BLOCK, BUCKET, followed, open_releases, unrestored};
use crate::domain::observe::{Feed, Observation, SeriesKey, Subject, lock_name};
use crate::domain::record::Part;
use crate::store::{CacheEntry, LeaseTaken, SampleQuery, Samples, Series};

use super::super::journal::{Author, encode, fold};
use super::{Engine, EngineError, Seed};

/// What is kept is cut this often, world time, and first so long after a start.
pub(super) const PRUNE: chrono::Duration = chrono::Duration::hours(6);
pub(super) const FIRST_PRUNE: chrono::Duration = chrono::Duration::minutes(10);
/// Buckets of services with an open release are kept this long, those of the others so long, and answers that long: a watch
/// reaches 7 days back, its baseline another 7.
const KEPT_BUCKETS: chrono::Duration = chrono::Duration::days(16);
const KEPT_OTHERS: chrono::Duration = chrono::Duration::days(1);
const KEPT_ANSWERS: chrono::Duration = chrono::Duration::days(30);
/// What was read last is kept at the end, if that takes no longer.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Groups of samples of another bucket length carry it in their part's name.
fn part_name(part: Part, step: u64) -> String {
    format!("{}/{step}", part.key())
}

fn part_of(name: &str) -> Option<(Part, u64)> {
    let (part, step) = name.split_once('/')?;
    let part = [Part::Numerator, Part::Denominator, Part::Value]
        .into_iter()
        .find(|p| p.key() == part)?;
    Some((part, step.parse().ok()?))
}

impl Engine {
    /// Folds the whole journal; a new world's begins with its seeds.
    pub(super) async fn load_journal(&mut self, seeds: Vec<Seed>) -> Result<(), EngineError> {
        let fail = |e: crate::store::StoreError| EngineError::Store(e.to_string());
        let mut events = self.store.events_since(0).await.map_err(fail)?;
        if events.is_empty() && !seeds.is_empty() && !self.place.read_only {
            let mut fresh = Vec::with_capacity(seeds.len());
            for (n, seed) in seeds.into_iter().enumerate() {
                let author = Author {
                    actor: seed.actor,
                    known_by: seed.known_by,
                    host: self.author.host.clone(),
                };
                let key = Some(format!("seed/{n}"));
                let event = encode(&seed.body, &author, seed.release.as_deref(), seed.at, key)
                    .map_err(EngineError::Store)?;
                fresh.push(event);
            }
            self.store.append(fresh).await.map_err(fail)?;
            events = self.store.events_since(0).await.map_err(fail)?;
        }
        fold(&mut self.journal, &events);
        Ok(())
    }

    /// Folds what this or another process appended.
    pub(super) async fn catch_up(&mut self) {
        match self.store.events_since(self.journal.head.0).await {
            Ok(events) => {
                fold(&mut self.journal, &events);
                if !events.is_empty() {
                    self.stand();
                }
            }
            Err(e) => self.observed.session.journal_fault = Some(e.to_string()),
        }
    }

    /// Cached answers with their ages: stale ones are shown as what they are.
    pub(super) async fn load_cache(&mut self) {
        for entry in self.store.cache().await.unwrap_or_default() {
            if let Ok(observation) = serde_json::from_slice::<Observation>(&entry.body) {
                self.observed.feeds.insert(
                    entry.key,
                    Feed {
                        source: observation.source.clone(),
                        last: Some(observation),
                        ..Feed::default()
                    },
                );
            }
        }
        self.observed.rules = Some(std::sync::Arc::new(crate::domain::rules::Rules::of(
            &self.policy,
            &self.observed,
            self.clock.now(),
        )));
    }

    /// The metrics' buckets of the last days, as far as their services are followed.
    pub(super) async fn load_samples(&mut self) {
        self.followed = followed(&self.policy, &self.journal)
            .into_iter()
            .map(str::to_owned)
            .collect();
        let now = self.clock.now().world.timestamp();
        let wholes: BTreeMap<u64, i64> = [BUCKET, BLOCK]
            .into_iter()
            .map(|step| (step, self.horizon(step)))
            .collect();
        let first = wholes.values().min().copied().unwrap_or(now - 8 * 86_400);
        let mut oldest = BTreeMap::<(String, Part, u64), BTreeMap<String, i64>>::new();
        for metric in self.policy.metrics.clone() {
            let query = SampleQuery {
                metric: metric.id.clone(),
                after: first,
                until: now,
                ..SampleQuery::default()
            };
            let Ok(sets) = self.store.samples(&query).await else {
                continue;
            };
            for set in sets {
                let Some((part, step)) = part_of(&set.series.part) else {
                    continue;
                };
                let whole = wholes.get(&step).copied().unwrap_or(first);
                let Some(from) = self.kept_from(&set.series.service, step, whole) else {
                    continue;
                };
                if let Some((newest, _)) = set.points.last() {
                    let kept = self.kept.entry((metric.id.clone(), part, step));
                    let kept = kept.or_insert(*newest);
                    *kept = (*kept).min(*newest);
                }
                if let Some((first, _)) = set.points.first() {
                    let of = oldest.entry((metric.id.clone(), part, step)).or_default();
                    let known = of.entry(set.series.service.clone()).or_insert(*first);
                    *known = (*known).min(*first);
                }
                let key = SeriesKey {
                    metric: set.series.metric,
                    service: set.series.service,
                    group: set.series.group,
                    part,
                    step,
                };
                let points = set.points.into_iter();
                let points = points.filter(|(at, v)| v.is_finite() && *at >= from);
                self.observed.metrics.entry(key).or_default().extend(points);
            }
        }
        // Only where every followed service has its history is the tail alone read.
        self.covered = oldest
            .into_iter()
            .filter(|(_, of)| self.followed.iter().all(|s| of.contains_key(s)))
            .filter_map(|(key, of)| Some((key, of.into_values().max()?)))
            .collect();
    }

    /// Keeps the answers that came since the last time.
    pub(super) fn keep_cache(&mut self) -> Option<JoinHandle<()>> {
        self.cached = Some(tokio::time::Instant::now());
        if self.place.read_only || self.changed_needs.is_empty() {
            return None;
        }
        let mut entries = Vec::new();
        let mut samples = Vec::new();
        let mut minutes_came = false;
        for (id, buckets_came) in std::mem::take(&mut self.changed_needs) {
            let Some(last) = self.observed.feeds.get(&id).and_then(|f| f.last.as_ref()) else {
                continue;
            };
            if buckets_came
                && let Some(slot) = self.slots.get(&id)
                && let Subject::Metric { metric, part, step } = slot.need.subject.clone()
            {
                minutes_came |= step == BUCKET;
                let key = (metric, part, step);
                let tail = self.kept.get(&key).copied().unwrap_or(i64::MIN);
                samples.extend(self.samples_of(&key, |s| self.is_followed(s).then_some(tail)));
                // The newest bucket may still grow: it is kept again with the next ones.
                self.kept.insert(key, last.newest.timestamp());
            }
            if let Ok(body) = serde_json::to_vec(last) {
                entries.push(CacheEntry {
                    key: id,
                    read_at: last.read_at,
                    newest: Some(last.newest),
                    cadence: Duration::from_secs(last.cadence),
                    body,
                });
            }
        }
        if minutes_came {
            self.keep_others(&mut samples);
        }
        let store = self.store.clone();
        // The cache is a convenience: when it cannot be written, the journal's own fault will say why.
        Some(tokio::spawn(async move {
            let _ = store.put_cache(&entries).await;
            let _ = store.put_samples(&samples).await;
        }))
    }

    /// Lets go of what nobody looks back to any more, now and then and beside everything else.
    pub(super) fn prune(&mut self) {
        let now = self.clock.now().world;
        if self.place.read_only || now - self.pruned < PRUNE {
            return;
        }
        self.pruned = now;
        let mut long: Vec<String> = self.followed.iter().cloned().collect();
        long.push(String::new());
        let store = self.store.clone();
        // A cut that fails is made the next time.
        tokio::spawn(async move {
            let (followed, others) = (now - KEPT_BUCKETS, now - KEPT_OTHERS);
            let cut = store.thin_samples(&long, followed.timestamp(), others.timestamp());
            let _ = cut.await;
            let _ = store.prune_cache(now - KEPT_ANSWERS).await;
        });
    }

    /// Every few minutes also what came of the services that are not followed. Each bucket lies on a page of its own series:
    /// hundreds of services kept every minute would write gigabytes a day.
    fn keep_others(&mut self, samples: &mut Vec<Samples>) {
        if self
            .others_kept
            .is_some_and(|t| t.elapsed() < super::KEEP_OTHERS)
        {
            return;
        }
        let since = self.others_kept.replace(tokio::time::Instant::now());
        let now = self.clock.now().world.timestamp();
        // Two buckets more: the newest ones may have grown.
        let passed = |t: tokio::time::Instant| t.elapsed().as_secs_f64() * self.clock.speed();
        let tail = now - since.map_or(super::KEEP_OTHERS.as_secs_f64(), passed) as i64 - 180;
        let live: Vec<(String, Part, u64)> = self
            .slots
            .values()
            .filter_map(|slot| match &slot.need.subject {
                Subject::Metric { metric, part, step } if *step == BUCKET => {
                    Some((metric.clone(), *part, *step))
                }
                _ => None,
            })
            .collect();
        for key in &live {
            samples.extend(self.samples_of(key, |s| (!self.is_followed(s)).then_some(tail)));
        }
    }

    /// Is its history kept? That of a metric of no service is.
    fn is_followed(&self, service: &str) -> bool {
        service.is_empty() || self.followed.contains(service)
    }

    /// Buckets of a metric's part from where `from` says for a service, that one included; none where it says nothing.
    fn samples_of(
        &self,
        (metric, part, step): &(String, Part, u64),
        from: impl Fn(&str) -> Option<i64>,
    ) -> Vec<Samples> {
        let first = SeriesKey {
            metric: metric.clone(),
            service: String::new(),
            group: String::new(),
            part: Part::Numerator,
            step: 0,
        };
        self.observed
            .metrics
            .range(first..)
            .take_while(|(k, _)| k.metric == *metric)
            .filter(|(k, _)| k.part == *part && k.step == *step)
            .filter_map(|(k, buckets)| {
                let tail = from(&k.service)?;
                let points: Vec<(i64, f64)> =
                    buckets.range(tail..).map(|(at, v)| (*at, *v)).collect();
                (!points.is_empty()).then(|| Samples {
                    series: Series {
                        metric: k.metric.clone(),
                        service: k.service.clone(),
                        group: k.group.clone(),
                        part: part_name(k.part, k.step),
                    },
                    points,
                })
            })
            .collect()
    }

    /// Takes or renews the driver's lease of every open release in flight or next. True when something changed.
    pub(super) async fn leases(&mut self) -> bool {
        self.leased = Some(tokio::time::Instant::now());
        let before = (
            self.observed.session.drives.clone(),
            self.observed.session.leases.clone(),
            self.observed.session.locks.clone(),
        );
        let real = self.clock.now().real;
        let mut drives = Vec::new();
        if self.acts && !self.place.read_only {
            let mut open: Vec<String> = open_releases(&self.policy, &self.journal)
                .into_iter()
                .map(|r| r.id.clone())
                .collect();
            // What a closed release left off is put back by one program.
            open.extend(unrestored(&self.journal).into_iter().map(str::to_owned));
            for release in open {
                let name = format!("driver/{release}");
                match self.store.take_lease(&name, &self.holder, real).await {
                    Ok(LeaseTaken::Taken { .. }) => drives.push(release),
                    Ok(LeaseTaken::Held(_)) => {}
                    Err(e) => {
                        self.observed.session.journal_fault = Some(e.to_string());
                    }
                }
            }
        }
        self.observed.session.drives = drives;
        self.keep_locks().await;
        if let Ok(list) = self.store.leases().await {
            let list: Vec<_> = list.into_iter().filter(|l| l.holds_at(real)).collect();
            self.observed.session.locks = list
                .iter()
                .filter(|l| l.name.starts_with("service/") && l.holder != self.holder)
                .map(|l| (l.name.clone(), l.holder.clone()))
                .collect();
            self.observed.session.leases = list
                .into_iter()
                .filter_map(|l| {
                    let release = l.name.strip_prefix("driver/")?.to_owned();
                    Some((release, l.holder))
                })
                .collect();
        }
        before
            != (
                self.observed.session.drives.clone(),
                self.observed.session.leases.clone(),
                self.observed.session.locks.clone(),
            )
    }

    /// Renews the locks on services that a rollback of ours or an act on its way needs, and gives the others back.
    pub(super) async fn keep_locks(&mut self) {
        let session = &self.observed.session;
        let of_act = |act: &Act| {
            let place = act.service.as_deref().zip(act.environment.as_deref());
            place.map(|(service, environment)| lock_name(service, environment))
        };
        let mut wanted: BTreeSet<String> = session
            .in_flight
            .iter()
            .filter_map(|id| of_act(&self.journal.acts.get(id)?.act))
            .filter(|name| self.locks.contains(name))
            .collect();
        for release in &session.drives {
            let state = self.journal.release(release);
            if let Some(plan) = state.and_then(|x| x.running_plan()) {
                let places = plan.plan.steps.iter();
                wanted.extend(places.map(|s| lock_name(&s.service, &s.environment)));
            }
        }
        let real = self.clock.now().real;
        let mut held = BTreeSet::new();
        for name in wanted {
            let taken = self.store.take_lease(&name, &self.holder, real).await;
            if matches!(taken, Ok(LeaseTaken::Taken { .. })) {
                held.insert(name);
            }
        }
        for name in self.locks.difference(&held) {
            // What cannot be given back lapses in 30 s.
            let _ = self.store.release_lease(name, &self.holder).await;
        }
        self.locks = held;
    }

    /// Gives the leases back and keeps the cache.
    pub(super) async fn leave(mut self) {
        if let Some(kept) = self.keep_cache() {
            let _ = tokio::time::timeout(LAST_WORDS, kept).await;
        }
        for release in &self.observed.session.drives {
            let _ = self
                .store
                .release_lease(&format!("driver/{release}"), &self.holder)
                .await;
        }
        for name in &self.locks {
            let _ = self.store.release_lease(name, &self.holder).await;
        }
        self.store.close().await;
    }
}
