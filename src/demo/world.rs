//! The world itself: a scenario, a clock, the acts accepted so far, and what follows from them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use chrono::Duration;
use serde_json::Value;

use super::WorldError;
use super::act::{Accepted, Act};
use super::alerts::{self, Alert};
use super::clock::ScaledClock;
use super::fault::Faults;
use super::log::Log;
use super::scenario::Scenario;
use super::series::Metrics;
use super::state::{self, STAGING};
use super::timeline::{Asked, Timeline};
use crate::domain::time::Instant;

/// All applications over time.
pub type Timelines = BTreeMap<String, Timeline>;

/// The world; shared by all vendors.
pub struct World {
    /// What is played.
    pub scenario: Arc<Scenario>,
    /// Its clock.
    pub clock: Arc<ScaledClock>,
    /// Its counters.
    pub metrics: Metrics,
    /// What is broken.
    pub faults: Faults,
    inner: Mutex<Inner>,
}

struct Inner {
    timelines: Arc<Timelines>,
    acts: Arc<Vec<Accepted>>,
    /// How many entries of the script have happened.
    played: usize,
    number: u64,
    log: Option<Log>,
}

/// The world at one moment.
#[derive(Clone)]
pub struct View {
    /// World time.
    pub now: Instant,
    /// Applications.
    pub timelines: Arc<Timelines>,
    /// Acts so far, the script's among them, by time.
    pub acts: Arc<Vec<Accepted>>,
}

/// Why an act was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// The vendor's sentence.
    pub why: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(status: u16, why: impl Into<String>) -> Self {
        Self {
            status,
            why: why.into(),
        }
    }
}

impl View {
    /// An application at this moment.
    #[must_use]
    pub fn app(&self, name: &str) -> Option<&Arc<state::App>> {
        self.timelines
            .get(name)
            .and_then(|timeline| timeline.at(self.now))
    }
}

impl World {
    /// Makes the world of a scenario; with `data_dir` it keeps its acts there and goes on from them.
    ///
    /// # Errors
    /// What [`Log::open`] says.
    pub fn new(
        scenario: Scenario,
        data_dir: Option<&std::path::Path>,
        speed: f64,
        fresh: bool,
    ) -> Result<Self, WorldError> {
        let scenario = Arc::new(scenario);
        let (log, world, kept) = match data_dir {
            Some(dir) => {
                let (log, kept) = Log::open(dir, &scenario, speed, fresh)?;
                (Some(log), kept.world, kept.acts)
            }
            None => (None, scenario.opens, Vec::new()),
        };
        let mut inner = Inner {
            timelines: Arc::new(super::opening::initial(&scenario)),
            acts: Arc::new(Vec::new()),
            played: 0,
            number: kept.last().map_or(0, |act| act.number),
            log,
        };
        for accepted in kept {
            inner.play(&scenario, accepted.at);
            inner.apply(&scenario, accepted);
        }
        inner.play(&scenario, world);
        Ok(Self {
            clock: Arc::new(ScaledClock::new(world, speed)),
            metrics: Metrics::new(Arc::clone(&scenario)),
            faults: Faults::default(),
            inner: Mutex::new(inner),
            scenario,
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|lock| lock.into_inner())
    }

    /// The world at this moment.
    #[must_use]
    pub fn view(&self) -> View {
        self.look(&mut self.inner())
    }

    fn look(&self, inner: &mut Inner) -> View {
        // The clock never shows less than the last act's time, or the act would lie in the future.
        let now = self
            .clock
            .world()
            .max(inner.acts.last().map_or(Instant::UNIX_EPOCH, |act| act.at));
        inner.play(&self.scenario, now);
        View {
            now,
            timelines: Arc::clone(&inner.timelines),
            acts: Arc::clone(&inner.acts),
        }
    }

    /// Accepts an act that `decide` makes out of the present, or refuses it. When this returns `Ok`, the act is on the disk.
    ///
    /// # Errors
    /// The refusal of `decide`, or 503 where the act cannot be kept.
    pub fn act<R>(
        &self,
        decide: impl FnOnce(&View) -> Result<(Act, R), Refusal>,
    ) -> Result<(View, R), Refusal> {
        let mut inner = self.inner();
        let view = self.look(&mut inner);
        let (act, result) = decide(&view)?;
        let accepted = Accepted {
            number: inner.number + 1,
            at: view.now,
            act,
        };
        if let Some(log) = &mut inner.log {
            log.act(&accepted)
                .map_err(|e| Refusal::new(503, e.to_string()))?;
        }
        inner.number += 1;
        inner.apply(&self.scenario, accepted);
        Ok((self.look(&mut inner), result))
    }

    /// Alerts that began by now.
    #[must_use]
    pub fn alerts(&self, view: &View) -> Vec<Alert> {
        alerts::until(&self.scenario, &self.metrics, &view.timelines, view.now)
    }

    /// How often each act was accepted from outside.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        let acts = Arc::clone(&self.inner().acts);
        acts.iter()
            .filter(|act| act.number > 0)
            .fold(BTreeMap::new(), |mut counts, act| {
                *counts.entry(act.act.word()).or_default() += 1;
                counts
            })
    }

    /// Where the sign of life goes, if the world is kept.
    #[must_use]
    pub fn beat_path(&self) -> Option<PathBuf> {
        self.inner()
            .log
            .as_ref()
            .map(|log| log.beat_path().to_owned())
    }
}

impl Inner {
    /// Plays the script up to `now`.
    fn play(&mut self, scenario: &Scenario, now: Instant) {
        while let Some(next) = scenario
            .script
            .get(self.played)
            .filter(|next| scenario.at(next.at) <= now)
        {
            self.played += 1;
            self.apply(
                scenario,
                Accepted {
                    number: 0,
                    at: scenario.at(next.at),
                    act: next.act.clone(),
                },
            );
        }
    }

    fn apply(&mut self, scenario: &Scenario, accepted: Accepted) {
        change(Arc::make_mut(&mut self.timelines), scenario, &accepted);
        Arc::make_mut(&mut self.acts).push(accepted);
    }
}

/// World time between a dispatched workflow and the deployment it starts.
pub const QUEUE: Duration = Duration::seconds(5);

/// What an act does to the applications.
fn change(timelines: &mut Timelines, scenario: &Scenario, accepted: &Accepted) {
    let at = accepted.at;
    match &accepted.act {
        Act::Sync {
            app,
            revision,
            by,
            automated,
            infos,
        } => {
            let asked = Asked {
                by: by.clone(),
                automated: *automated,
                infos: infos.clone(),
            };
            deploy(timelines, app, at, revision, &asked);
        }
        Act::Rollback { app, id, by } => {
            let asked = Asked {
                by: by.clone(),
                automated: false,
                infos: Vec::new(),
            };
            let entry = timelines
                .get(app)
                .and_then(|timeline| timeline.at(at))
                .and_then(|app| {
                    app.history
                        .iter()
                        .find(|entry| entry.id == *id)
                        .map(|entry| entry.revision.clone())
                });
            if let Some(revision) = entry {
                deploy(timelines, app, at, &revision, &asked);
            }
        }
        Act::Rollout { app, action } => {
            if let Some(timeline) = timelines.get_mut(app) {
                // Accepted means that it fitted then; a script's slip changes nothing.
                let _ = timeline.action(at, action);
            }
        }
        Act::Patch {
            app,
            spec,
            annotations,
        } => {
            if let Some(timeline) = timelines.get_mut(app) {
                timeline.patch(at, spec.clone(), annotations.clone());
            }
        }
        Act::Terminate { app } => {
            if let Some(timeline) = timelines.get_mut(app) {
                timeline.terminate(at);
            }
        }
        Act::Dispatch {
            repo,
            reference,
            inputs,
            by,
            ..
        } => {
            let version = inputs
                .get("version")
                .and_then(Value::as_str)
                .unwrap_or(reference);
            let environment = inputs
                .get("environment")
                .and_then(Value::as_str)
                .unwrap_or("production");
            by_github(timelines, scenario, repo, version, environment, by, at);
        }
        Act::Deployment {
            repo,
            reference,
            environment,
            by,
            ..
        } => {
            // Only where GitHub deploys; elsewhere the record is a record.
            if scenario
                .service(repo)
                .is_some_and(|service| service.delivery == "github")
            {
                by_github(timelines, scenario, repo, reference, environment, by, at);
            }
        }
        Act::DeploymentStatus { .. }
        | Act::Incident { .. }
        | Act::IncidentStatus { .. }
        | Act::Note { .. }
        | Act::Message { .. }
        | Act::Edit { .. }
        | Act::Reaction { .. }
        | Act::Silence { .. }
        | Act::SilenceEnd { .. } => {}
    }
}

fn by_github(
    timelines: &mut Timelines,
    scenario: &Scenario,
    repo: &str,
    version: &str,
    environment: &str,
    by: &str,
    at: Instant,
) {
    let version = version
        .trim_start_matches("refs/tags/")
        .trim_start_matches('v');
    let known = scenario
        .service(repo)
        .is_some_and(|service| service.versions().any(|known| known == version));
    if known {
        let suffix = if environment == "staging" {
            STAGING
        } else {
            ""
        };
        let asked = Asked {
            by: by.to_owned(),
            automated: false,
            infos: Vec::new(),
        };
        deploy(
            timelines,
            &format!("{repo}{suffix}"),
            at + QUEUE,
            version,
            &asked,
        );
    }
}

fn deploy(timelines: &mut Timelines, app: &str, at: Instant, revision: &str, asked: &Asked) {
    if let Some(timeline) = timelines.get_mut(app) {
        let served = timeline.served(at, revision);
        timeline.deploy(at, revision, asked, served);
    }
}
