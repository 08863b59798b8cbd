//! The deployments of the world: one timeline per application, folded from acts.
//!
//! A timeline is a list of (from, state). An act cuts what was planned after it and plans anew; nothing before an act ever
//! changes, so the numbers of the past stand still whatever is done later.

use std::sync::Arc;

use chrono::Duration;
use serde_json::Value;

use super::act::Info;
use super::state::{App, Entry, Live, Operation, Phase, Rollout, VendorStep};
use crate::domain::time::Instant;

/// Who asked for a deployment.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Account.
    pub by: String,
    /// Auto-sync.
    pub automated: bool,
    /// Marks.
    pub infos: Vec<Info>,
}

/// World time between an accepted sync and the first pod of the new version.
const START: Duration = Duration::seconds(5);
/// World time that a weight takes to settle.
const SETTLE: Duration = Duration::seconds(15);
/// World time that Argo CD takes to notice that it should sync by itself.
const NOTICE: Duration = Duration::seconds(10);

/// The states of one application over time.
#[derive(Clone, Debug)]
pub struct Timeline {
    steps: Vec<VendorStep>,
    states: Vec<(Instant, Arc<App>)>,
}

impl Timeline {
    /// A timeline that begins with one state.
    #[must_use]
    pub fn new(steps: Vec<VendorStep>, from: Instant, app: App) -> Self {
        Self {
            steps,
            states: vec![(from, Arc::new(app))],
        }
    }

    /// The state at `at`; before the first one, the first.
    #[must_use]
    pub fn at(&self, at: Instant) -> Option<&Arc<App>> {
        let next = self.states.partition_point(|(from, _)| *from <= at);
        self.states.get(next.saturating_sub(1)).map(|(_, app)| app)
    }

    /// The steps of its Rollout.
    #[must_use]
    pub fn steps(&self) -> &[VendorStep] {
        &self.steps
    }

    /// The states with their starts.
    #[must_use]
    pub fn states(&self) -> &[(Instant, Arc<App>)] {
        &self.states
    }

    /// Whether `version` once took all traffic, before the story or in it until `at`: such a version comes back without steps.
    #[must_use]
    pub fn served(&self, at: Instant, version: &str) -> bool {
        let before = self
            .states
            .first()
            .is_some_and(|(_, app)| app.history.iter().any(|entry| entry.revision == version));
        before
            || self
                .states
                .iter()
                .take_while(|(from, _)| *from <= at)
                .any(|(_, app)| app.rollout.stable.version == version)
    }

    /// Forgets what was planned after `at`.
    fn cut(&mut self, at: Instant) {
        let keep = self.states.partition_point(|(from, _)| *from <= at).max(1);
        self.states.truncate(keep);
    }

    /// The last planned state, changed, from `at` on.
    fn then(&mut self, at: Instant, change: impl FnOnce(&mut App)) {
        let Some((_, last)) = self.states.last() else {
            return;
        };
        let mut app = App::clone(last);
        change(&mut app);
        self.states.push((at, Arc::new(app)));
    }

    /// Brings the application to `version`: back, if that is what serves or nearly serves; through the steps else.
    pub fn deploy(&mut self, at: Instant, version: &str, asked: &Asked, fast: bool) {
        self.cut(at);
        let Some(now) = self.at(at).map(Arc::clone) else {
            return;
        };
        let operation = Operation {
            phase: "Running",
            message: "waiting for healthy state of argoproj.io/Rollout".to_owned(),
            revision: version.to_owned(),
            started: at,
            finished: None,
            by: asked.by.clone(),
            automated: asked.automated,
            infos: asked.infos.clone(),
        };
        self.then(at, |app| app.operation = Some(operation));
        let begun = at + START;
        self.then(begun, |app| record(app, version, at, begun, asked));
        let rollout = &now.rollout;
        let canary = rollout.canary.as_ref().map(|live| live.version.as_str());
        if rollout.stable.version == version {
            if canary.is_some() {
                self.back(begun);
            }
        } else if canary == Some(version) && !rollout.aborted {
            // The Rollout already has this template: the sync changes nothing, and what was planned goes on.
            self.walk(begun, rollout.step, rollout.weight);
        } else {
            self.then(begun, |app| {
                let rollout = &mut app.rollout;
                rollout.canary = Some(Live {
                    version: version.to_owned(),
                    since: begun,
                });
                rollout.weight = 0;
                rollout.aborted = false;
                rollout.held = false;
                rollout.revision += 1;
            });
            if fast {
                self.fast(begun)
            } else {
                self.walk(begun, 0, 0)
            }
        }
    }

    /// Walks the steps from index `first` on, from `at`.
    fn walk(&mut self, at: Instant, first: usize, weight: u8) {
        let steps = self.steps.clone();
        let mut at = at;
        let mut weight = weight;
        for (index, step) in steps.iter().enumerate().skip(first) {
            match step {
                VendorStep::Weight(next) => {
                    weight = *next;
                    self.then(at, |app| progressing(app, index, weight));
                    at += SETTLE;
                }
                VendorStep::Pause(span) => {
                    self.then(at, |app| paused(app, index, weight, at));
                    match span {
                        Some(span) => at += *span,
                        None => return,
                    }
                }
            }
        }
        self.finish(at);
    }

    /// The canary becomes stable.
    fn finish(&mut self, at: Instant) {
        let done = self.steps.len();
        self.then(at, |app| {
            let rollout = &mut app.rollout;
            if let Some(canary) = rollout.canary.take() {
                rollout.stable = canary;
            }
            rollout.weight = 0;
            rollout.step = done;
            settle(rollout, Phase::Healthy, "");
        });
    }

    /// The stable version takes all traffic again: in 20 s without traffic for the canary, in 35 s healthy. With the sync's
    /// own start that makes 40 s from the order.
    fn back(&mut self, at: Instant) {
        let done = self.steps.len();
        self.then(at, |app| {
            app.rollout.revision += 1;
            app.rollout.aborted = false;
            settle(
                &mut app.rollout,
                Phase::Progressing,
                "more replicas need to be updated",
            );
        });
        let half = self
            .states
            .last()
            .map_or(0, |(_, app)| app.rollout.weight / 2);
        self.then(at + Duration::seconds(8), |app| app.rollout.weight = half);
        self.then(at + Duration::seconds(20), |app| app.rollout.weight = 0);
        self.then(at + Duration::seconds(35), |app| {
            app.rollout.canary = None;
            app.rollout.step = done;
            settle(&mut app.rollout, Phase::Healthy, "");
        });
    }

    /// A version that served before comes back without steps, as inside a rollback window.
    fn fast(&mut self, at: Instant) {
        let done = self.steps.len();
        self.then(at, |app| progressing(app, done, 50));
        self.then(at + Duration::seconds(15), |app| {
            progressing(app, done, 100)
        });
        self.finish(at + Duration::seconds(35));
    }

    /// An action on the Rollout. `Err` is the vendor's sentence for an action that does not fit its state.
    ///
    /// # Errors
    /// As said.
    pub fn action(&mut self, at: Instant, action: &str) -> Result<(), String> {
        let Some(now) = self.at(at).map(Arc::clone) else {
            return Err("rollout not found".to_owned());
        };
        let rollout = &now.rollout;
        let rolling = rollout.canary.is_some();
        match action {
            "resume" if rollout.phase == Phase::Paused => {
                self.cut(at);
                self.then(at, |app| app.rollout.held = false);
                let held_in_pause =
                    matches!(self.steps.get(rollout.step), Some(VendorStep::Pause(_)));
                self.walk(
                    at,
                    rollout.step + usize::from(held_in_pause),
                    rollout.weight,
                );
            }
            "skip-current-step" if rolling && !rollout.aborted => {
                self.cut(at);
                self.walk(at, rollout.step + 1, rollout.weight);
            }
            "promote-full" if rolling => {
                self.cut(at);
                self.then(at, |app| app.rollout.aborted = false);
                let done = self.steps.len();
                self.then(at, |app| progressing(app, done, 100));
                self.finish(at + SETTLE);
            }
            "abort" if rolling && !rollout.aborted => self.abort(at, rollout),
            "retry" if rollout.aborted => {
                self.cut(at);
                self.then(at, |app| {
                    app.rollout.aborted = false;
                    if let Some(canary) = &mut app.rollout.canary {
                        canary.since = at;
                    }
                });
                self.walk(at, 0, 0);
            }
            "pause" if rolling && !rollout.aborted => {
                self.cut(at);
                self.then(at, |app| {
                    app.rollout.held = true;
                    app.rollout.paused_since = Some(at);
                    app.rollout.phase = Phase::Paused;
                    app.rollout.message = "manually paused".to_owned();
                });
            }
            "restart" => {}
            other => {
                return Err(format!(
                    "action {other:?} is not available for a rollout that is {}",
                    rollout.phase.word()
                ));
            }
        }
        Ok(())
    }

    fn abort(&mut self, at: Instant, rollout: &Rollout) {
        self.cut(at);
        let message = format!(
            "RolloutAborted: Rollout aborted update to revision {}",
            rollout.revision
        );
        let half = rollout.weight / 2;
        self.then(at, |app| {
            app.rollout.aborted = true;
            app.rollout.step = 0;
            settle(&mut app.rollout, Phase::Degraded, &message);
        });
        self.then(at + Duration::seconds(8), |app| app.rollout.weight = half);
        self.then(at + Duration::seconds(20), |app| app.rollout.weight = 0);
    }

    /// Replaces spec and annotations; Argo CD follows by itself where it now should.
    pub fn patch(&mut self, at: Instant, spec: Value, annotations: Value) {
        let due = {
            // What was planned stays planned: a patch of the policy does not stop a Rollout.
            let later: Vec<_> = self
                .states
                .iter()
                .filter(|(from, _)| *from > at)
                .cloned()
                .collect();
            self.cut(at);
            self.then(at, |app| {
                app.spec = spec.clone();
                app.annotations = annotations.clone();
            });
            for (from, mut app) in later {
                let app_mut = Arc::make_mut(&mut app);
                app_mut.spec = spec.clone();
                app_mut.annotations = annotations.clone();
                self.states.push((from, app));
            }
            self.at(at)
                .filter(|app| app.automated() && !app.in_sync() && !app.busy())
                .map(|app| app.target().to_owned())
        };
        if let Some(version) = due {
            let asked = Asked {
                by: String::new(),
                automated: true,
                infos: Vec::new(),
            };
            self.deploy(at + NOTICE, &version, &asked, false);
        }
    }

    /// Ends the running operation; the Rollout stays where it is.
    pub fn terminate(&mut self, at: Instant) {
        self.cut(at);
        self.then(at, |app| {
            if let Some(operation) = &mut app.operation {
                operation.phase = "Failed";
                operation.message = "Operation terminated".to_owned();
                operation.finished = Some(at);
            }
        });
    }
}

fn record(app: &mut App, version: &str, asked_at: Instant, at: Instant, asked: &Asked) {
    version.clone_into(&mut app.synced);
    if let Some(operation) = &mut app.operation {
        operation.phase = "Succeeded";
        operation.message = "successfully synced (all tasks run)".to_owned();
        operation.finished = Some(at);
    }
    let id = app.history.last().map_or(0, |entry| entry.id + 1);
    app.history.push(Entry {
        id,
        revision: version.to_owned(),
        started: asked_at,
        deployed: at,
        by: asked.by.clone(),
        automated: asked.automated,
    });
    let surplus = app.history.len().saturating_sub(10); // Argo CD keeps ten
    app.history.drain(..surplus);
}

fn settle(rollout: &mut Rollout, phase: Phase, message: &str) {
    rollout.phase = phase;
    message.clone_into(&mut rollout.message);
    rollout.paused_since = None;
    rollout.held = false;
}

fn progressing(app: &mut App, step: usize, weight: u8) {
    app.rollout.step = step;
    app.rollout.weight = weight;
    settle(
        &mut app.rollout,
        Phase::Progressing,
        "more replicas need to be updated",
    );
}

fn paused(app: &mut App, step: usize, weight: u8, at: Instant) {
    app.rollout.step = step;
    app.rollout.weight = weight;
    settle(&mut app.rollout, Phase::Paused, "CanaryPauseStep");
    app.rollout.paused_since = Some(at);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::demo::opening::initial;
    use crate::demo::scenario::Scenario;
    use serde_json::json;

    fn asked() -> Asked {
        Asked {
            by: "ana".to_owned(),
            automated: false,
            infos: Vec::new(),
        }
    }

    fn checkout() -> (Timeline, Instant) {
        let scenario = Scenario::load("regression").unwrap();
        let timeline = initial(&scenario).remove("checkout").unwrap();
        (timeline, scenario.starts)
    }

    fn seen(timeline: &Timeline, at: Instant) -> (u8, Phase) {
        let app = timeline.at(at).unwrap();
        (app.rollout.weight, app.rollout.phase)
    }

    #[test]
    fn a_sync_walks_the_steps_and_waits_where_it_must() {
        let (mut timeline, start) = checkout();
        timeline.deploy(start, "2.14.0", &asked(), false);
        let minute = |m: i64| start + Duration::minutes(m);
        assert_eq!(seen(&timeline, minute(1)), (10, Phase::Paused));
        assert_eq!(seen(&timeline, minute(6)), (20, Phase::Paused));
        assert_eq!(seen(&timeline, minute(18)), (40, Phase::Paused));
        assert_eq!(
            seen(&timeline, minute(600)),
            (40, Phase::Paused),
            "the 40 % step waits for a person"
        );
        timeline.action(minute(20), "resume").unwrap();
        let end = timeline.states().last().unwrap().0;
        assert_eq!(timeline.at(end).unwrap().rollout.stable.version, "2.14.0");
        assert_eq!(seen(&timeline, end), (0, Phase::Healthy));
        assert_eq!(
            seen(&timeline, minute(18)),
            (40, Phase::Paused),
            "the past stands"
        );
    }

    #[test]
    fn going_back_takes_forty_seconds_and_restores_the_stable_version() {
        let (mut timeline, start) = checkout();
        timeline.deploy(start, "2.14.0", &asked(), false);
        let order = start + Duration::minutes(20);
        timeline.deploy(order, "2.13.4", &asked(), true);
        assert_eq!(
            seen(&timeline, order + Duration::seconds(3)),
            (40, Phase::Paused)
        );
        assert_eq!(
            seen(&timeline, order + Duration::seconds(15)),
            (20, Phase::Progressing)
        );
        assert_eq!(seen(&timeline, order + Duration::seconds(26)).0, 0);
        let app = timeline.at(order + Duration::seconds(40)).unwrap();
        assert_eq!(
            (app.rollout.phase, app.rollout.canary.clone()),
            (Phase::Healthy, None)
        );
        assert_eq!((app.synced.as_str(), app.in_sync()), ("2.13.4", false));
    }

    #[test]
    fn abort_retry_pause_and_full_promotion() {
        let (mut timeline, start) = checkout();
        assert!(timeline.action(start, "abort").is_err(), "nothing to abort");
        timeline.deploy(start, "2.14.0", &asked(), false);
        let minute = |m: i64| start + Duration::minutes(m);
        timeline.action(minute(2), "abort").unwrap();
        assert_eq!(seen(&timeline, minute(3)), (0, Phase::Degraded));
        timeline.action(minute(4), "retry").unwrap();
        assert_eq!(seen(&timeline, minute(5)), (10, Phase::Paused));
        timeline.action(minute(6), "pause").unwrap();
        assert_eq!(
            seen(&timeline, minute(100)),
            (10, Phase::Paused),
            "a hold holds past the step's own pause"
        );
        assert!(timeline.at(minute(100)).unwrap().rollout.held);
        timeline.action(minute(101), "promote-full").unwrap();
        assert_eq!(
            timeline.at(minute(102)).unwrap().rollout.stable.version,
            "2.14.0"
        );
    }

    #[test]
    fn switching_auto_sync_on_again_redeploys_what_the_source_wants() {
        let (mut timeline, start) = checkout();
        timeline.deploy(start, "2.14.0", &asked(), false);
        let minute = |m: i64| start + Duration::minutes(m);
        let spec = timeline.at(minute(2)).unwrap().spec.clone();
        assert!(timeline.at(minute(2)).unwrap().automated());
        let mut off = spec.clone();
        off["syncPolicy"]
            .as_object_mut()
            .unwrap()
            .remove("automated");
        timeline.patch(minute(2), off, json!({}));
        assert_eq!(
            seen(&timeline, minute(18)),
            (40, Phase::Paused),
            "the rollout went on"
        );
        timeline.deploy(minute(20), "2.13.4", &asked(), true);
        assert_eq!(timeline.at(minute(25)).unwrap().rollout.canary, None);
        timeline.patch(minute(25), spec, json!({}));
        let app = timeline.at(minute(26)).unwrap();
        assert_eq!(app.rollout.canary.as_ref().unwrap().version, "2.14.0");
    }
}
