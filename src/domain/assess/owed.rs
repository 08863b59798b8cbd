//! What the program itself owes now: facts to journal, the next step of a rollback, the next escalation level, a due
//! checkpoint, a countdown's end. Each duty has a key that survives crashes, so that nothing is done twice.

use std::collections::BTreeMap;

use chrono::Duration;
use serde_json::Value;

use crate::domain::act::{Act, Verb};
use crate::domain::event::{Body, Debt, Measured, PlanStep, StepKind, StepState};
use crate::domain::journal::PlanState;
use crate::domain::policy::{Channel, Release, Section, Then};
use crate::domain::record::{DeployState, Deployment};
use crate::domain::situation::{Duty, Phase, Situation, Task};
use crate::domain::time::Instant;
use crate::domain::verdict::Verdict;

use super::rollout::{Rollout, of_release};
use super::{View, advice, checklist, holds, oncall, watch};

/// An act of another process without an outcome is looked up after this many seconds.
const FOREIGN_ACT: i64 = 60;
/// A version earned healthy after serving this many seconds.
const HEALTHY: i64 = 3600;
/// A version that was rolled back stays held this many days, as a debt.
const HELD_DAYS: i64 = 14;
/// A held rollout wants a decision within this many hours.
const HOLD_HOURS: i64 = 4;
/// How long a rollback waits for the proof that the triggers are clear, seconds; then a person looks.
const CLEAR_WITHIN: i64 = 1800;

/// Everything owed.
pub(super) fn owed(view: &View<'_>, s: &Situation) -> Vec<Duty> {
    let session = &view.observed.session;
    if session.read_only || session.journal_fault.is_some() || view.journal.unreadable.is_some() {
        return Vec::new();
    }
    let mut out = Owed {
        view,
        list: Vec::new(),
    };
    for release in super::needs::open_releases(view.policy, view.journal) {
        for rollout in of_release(view, release) {
            out.seen(release, &rollout);
            out.healthy(release, &rollout);
        }
    }
    out.gates(s);
    out.trips(s);
    out.sections(s);
    out.acks();
    let drives = view.release.is_some_and(|r| session.drives.contains(&r.id));
    if drives {
        out.checkpoints();
        out.escalate();
        out.tell(s);
        out.holds();
        out.on_trip(s);
        out.countdown(s);
        out.plan(s);
        out.restores();
        out.reconcile();
    }
    out.list
}

struct Owed<'a, 'b> {
    view: &'b View<'a>,
    list: Vec<Duty>,
}

impl Owed<'_, '_> {
    fn record(&mut self, key: String, release: Option<&str>, bodies: Vec<Body>) {
        self.record_as("cockpit", "program", key, release, bodies);
    }

    fn record_as(
        &mut self,
        actor: &str,
        known_by: &str,
        key: String,
        release: Option<&str>,
        bodies: Vec<Body>,
    ) {
        self.list.push(Duty {
            key,
            release: release.map(str::to_owned),
            task: Task::Record {
                actor: actor.to_owned(),
                known_by: known_by.to_owned(),
                bodies,
            },
        });
    }

    /// A vendor's deployment changed.
    fn seen(&mut self, release: &Release, rollout: &Rollout<'_>) {
        let Some(record) = rollout.record.filter(|_| rollout.freshness.usable()) else {
            return;
        };
        let service = &rollout.service.name;
        if record.version == rollout.change.to {
            let same = rollout.track.is_some_and(|t| {
                (t.state, t.step, t.weight) == (record.state, record.step, record.weight)
            });
            if !same {
                let body = seen_body(service, &release.environment, record, &record.version, None);
                let known = rollout.track.map_or(0, |t| t.seen);
                let key = format!("seen/{}/{service}/{}/{known}", release.id, record.version);
                self.record(key, Some(&release.id), vec![body]);
            }
        } else if let Some(track) = rollout.track.filter(|t| !t.withdrawn()) {
            // Another version took its place: by our rollback, or by somebody else.
            let state = if track.finished.is_some() {
                DeployState::Superseded
            } else {
                DeployState::Cancelled
            };
            let body = seen_body(
                service,
                &release.environment,
                record,
                &rollout.change.to,
                Some(state),
            );
            let key = format!(
                "gone/{}/{service}/{}/{}",
                release.id, rollout.change.to, track.seen
            );
            self.record(key, Some(&release.id), vec![body]);
        }
    }

    /// The version that served an hour without a failing verdict.
    fn healthy(&mut self, release: &Release, rollout: &Rollout<'_>) {
        let Some(record) = rollout.record.filter(|_| rollout.freshness.usable()) else {
            return;
        };
        let since = record.finished_at.or(record.started_at);
        let served = since.is_some_and(|t| (self.view.at() - t).num_seconds() >= HEALTHY);
        if record.state != DeployState::Succeeded || !served {
            return;
        }
        let service = &rollout.service.name;
        let place = (service.clone(), release.environment.clone());
        // The latest one, so that a version that came back is the latest again.
        let healthy = self.view.journal.healthy.get(&place);
        let known = healthy
            .and_then(|h| h.last())
            .is_some_and(|x| x.version == record.version);
        let count = healthy.map_or(0, Vec::len);
        let own = record.version == rollout.change.to;
        let bad = own
            && self.view.journal.release(&release.id).is_some_and(|r| {
                r.gates.values().any(|(v, _, _)| *v == Verdict::Fail)
                    || r.trips.values().any(|t| t.cleared.is_none())
                    || r.checkpoints.values().any(|(v, _, _)| *v == Verdict::Fail)
            });
        if !known && !bad {
            self.record(
                format!(
                    "healthy/{service}/{}/{}/{count}",
                    release.environment, record.version
                ),
                None,
                vec![Body::EarnedHealthy {
                    service: service.clone(),
                    environment: release.environment.clone(),
                    version: record.version.clone(),
                }],
            );
        }
    }

    fn gates(&mut self, s: &Situation) {
        let Some(release) = self.view.release else {
            return;
        };
        for gate in &s.gates {
            let decided = matches!(gate.verdict, Verdict::Pass | Verdict::Fail);
            let known = self
                .view
                .state
                .and_then(|x| x.gates.get(&gate.id))
                .is_some_and(|(v, _, _)| *v == gate.verdict);
            if !decided || known {
                continue;
            }
            let measured = gate
                .metrics
                .iter()
                .map(|(metric, mark, said)| Measured {
                    metric: metric.clone(),
                    verdict: match mark.word.as_str() {
                        "pass" => Verdict::Pass,
                        "fail" => Verdict::Fail,
                        _ => Verdict::undecided(said.clone(), gate.n),
                    },
                    said: said.clone(),
                })
                .collect();
            self.record(
                format!("judged/{}/{}/{}", release.id, gate.id, gate.mark.word),
                Some(&release.id),
                vec![Body::GateJudged {
                    service: gate.service.clone(),
                    gate: gate.gate.clone(),
                    step: gate.step,
                    verdict: gate.verdict.clone(),
                    measured,
                }],
            );
        }
    }

    fn trips(&mut self, s: &Situation) {
        let Some(release) = self.view.release else {
            return;
        };
        for trigger in &s.triggers {
            let key = (trigger.service.clone(), trigger.trigger.clone());
            let trip = self.view.state.and_then(|x| x.trips.get(&key));
            let open = trip.is_some_and(|t| t.cleared.is_none());
            let before = trip.map_or(0, |t| t.at.timestamp());
            if trigger.tripped && !open {
                self.record(
                    format!("trip/{}/{}/{before}", release.id, trigger.id),
                    Some(&release.id),
                    vec![Body::TriggerTripped {
                        service: trigger.service.clone(),
                        trigger: trigger.trigger.clone(),
                        said: trigger.distance.clone(),
                    }],
                );
            } else if open && !trigger.tripped && trigger.undecided.is_none() {
                self.record(
                    format!("clear/{}/{}/{before}", release.id, trigger.id),
                    Some(&release.id),
                    vec![Body::TriggerCleared {
                        service: trigger.service.clone(),
                        trigger: trigger.trigger.clone(),
                    }],
                );
            }
        }
    }

    /// A section's evidence is kept as it was when its phase ends.
    fn sections(&mut self, s: &Situation) {
        let (Some(release), Some(state)) = (self.view.release, self.view.state) else {
            return;
        };
        // What was not read yet is no evidence: the first answers are waited for.
        let unread = |f: &crate::domain::situation::FeedView| {
            f.freshness == crate::domain::observe::Freshness::Never && f.fault.is_none()
        };
        if s.feeds.iter().any(unread) {
            return;
        }
        let phase = s.releases.first().map(|r| r.phase);
        let ended: &[Section] = match phase {
            Some(Phase::Deploying) => &[Section::PreDeploy],
            Some(Phase::Verifying | Phase::Watching) => &[Section::PreDeploy, Section::Deploy],
            _ => &[],
        };
        for section in ended {
            if state.kept.iter().any(|(x, _)| x == section) {
                continue;
            }
            let evidence = checklist::evidence_of(&s.checklist, *section);
            if !evidence.is_empty() {
                self.record(
                    format!("kept/{}/{}", release.id, section.word()),
                    Some(&release.id),
                    vec![Body::SectionKept {
                        section: *section,
                        evidence,
                    }],
                );
            }
        }
    }

    /// A person answered a brief with a reaction.
    fn acks(&mut self) {
        let (Some(release), Some(state)) = (self.view.release, self.view.state) else {
            return;
        };
        if !state.acks.is_empty() {
            return;
        }
        let policy = self.view.policy;
        let named = |vendor: &String| {
            policy
                .people
                .iter()
                .find(|(_, p)| p.vendor.contains(vendor))
                .map_or_else(|| vendor.clone(), |(name, _)| name.clone())
        };
        let driver = super::driver(release, Some(state));
        let on_call: Vec<String> = oncall::people(self.view)
            .into_iter()
            .map(|p| named(&p.person))
            .collect();
        for brief in &state.briefs {
            // The one who sent it answers only when on call too.
            let answer = self
                .view
                .observed
                .reactions(&brief.act)
                .iter()
                .filter(|r| means_yes(&r.name))
                .flat_map(|r| r.people.iter())
                .map(named)
                .find(|p| driver.as_ref() != Some(p) || on_call.contains(p));
            if let Some(person) = answer {
                self.record_as(
                    &person,
                    "vendor",
                    format!("ack/{}/{}", release.id, brief.act),
                    Some(&release.id),
                    vec![Body::Acknowledged {
                        person: person.clone(),
                        how: "reaction".to_owned(),
                    }],
                );
                return;
            }
        }
    }

    fn checkpoints(&mut self) {
        let Some(release) = self.view.release else {
            return;
        };
        for due in watch::due(self.view) {
            self.record(
                format!("checkpoint/{}/{}", release.id, due.after),
                Some(&release.id),
                vec![Body::CheckpointTaken {
                    after: due.after,
                    late: due.late,
                    measured: due.measured,
                    verdict: due.verdict,
                }],
            );
        }
    }

    /// No acknowledgement in time: the next level, after the last one the release manager.
    fn escalate(&mut self) {
        let (Some(release), Some(state)) = (self.view.release, self.view.state) else {
            return;
        };
        if oncall::escalates_at(self.view).is_none_or(|t| t > self.view.at()) {
            return;
        }
        let told = state.briefs.iter().map(|b| b.level);
        let asked = state.escalations.iter().filter_map(|(level, _, _)| *level);
        let reached = told.chain(asked).max().unwrap_or(1);
        let people = oncall::people(self.view);
        let number = state.escalations.len() + 1;
        let (level, person) = match people.iter().find(|p| p.level > reached) {
            Some(next) => (Some(next.level), next.person.clone()),
            None => {
                let manager = self.view.policy.oncall.release_manager.clone();
                (
                    None,
                    manager.unwrap_or_else(|| "release manager".to_owned()),
                )
            }
        };
        self.record(
            format!("escalate/{}/{number}", release.id),
            Some(&release.id),
            vec![Body::Escalated { level, person }],
        );
    }

    /// The messages of every escalation in the journal, each once, also after a crash between the two.
    fn tell(&mut self, s: &Situation) {
        let (Some(release), Some(state)) = (self.view.release, self.view.state) else {
            return;
        };
        if !state.acks.is_empty() {
            return;
        }
        let last = state.briefs.iter().map(|b| b.level).max().unwrap_or(1);
        for (i, (level, person, _)) in state.escalations.iter().enumerate() {
            let nonce = format!("esc{}", i + 1);
            let text = brief_text(self.view, s, release, person);
            // The release manager stands after the last level.
            let level = level.unwrap_or(last + 1);
            for duty in messages(self.view, release, level, person, &text, &nonce) {
                let sent = match &duty.task {
                    Task::Perform { act, .. } => state.briefs.iter().any(|b| b.act == act.id),
                    _ => true,
                };
                if !sent {
                    self.list.push(duty);
                }
            }
        }
    }

    /// A held rollout is a debt until it goes on or ends.
    fn holds(&mut self) {
        let Some(release) = self.view.release else {
            return;
        };
        for rollout in &self.view.rollouts {
            let service = &rollout.service.name;
            let id = holds::debt_id(service, &release.environment);
            let held = holds::held(self.view, release, service).filter(|_| rollout.in_flight());
            let debt = self.view.journal.debts.get(&id);
            match (held, debt) {
                (Some(act), None) => {
                    let debt = Debt {
                        id: id.clone(),
                        what: format!("{service} is held: {}", act.act.reason),
                        owner: self.owner_of(release, &act.actor),
                        due: act.at + Duration::hours(HOLD_HOURS),
                        release: Some(release.id.clone()),
                    };
                    let key = format!("debt/{id}/{}", act.act.id);
                    self.record(key, Some(&release.id), vec![Body::DebtIncurred { debt }]);
                }
                (None, Some(debt)) if debt.release.as_deref() == Some(release.id.as_str()) => {
                    let settled = Body::DebtSettled {
                        debt: id.clone(),
                        how: "it went on, or ended".to_owned(),
                    };
                    let key = format!("settled/{id}/{}", debt.due.timestamp());
                    self.record(key, Some(&release.id), vec![settled]);
                }
                _ => {}
            }
        }
    }

    /// The person who asked; for what the program did, the driver.
    fn owner_of(&self, release: &Release, actor: &str) -> String {
        if actor == "cockpit" {
            super::driver(release, self.view.state).unwrap_or_else(|| actor.to_owned())
        } else {
            actor.to_owned()
        }
    }

    /// A tripped trigger that holds: pause once.
    fn on_trip(&mut self, s: &Situation) {
        let Some(release) = self.view.release else {
            return;
        };
        for trigger in s
            .triggers
            .iter()
            .filter(|t| t.tripped && t.then == Then::Hold)
        {
            let Some(rollout) = self.view.rollout(&trigger.service).filter(|r| {
                r.freshness.usable()
                    && r.record.is_some_and(|d| {
                        d.version == r.change.to
                            && d.state.in_flight()
                            && d.state != DeployState::Paused
                    })
            }) else {
                continue;
            };
            let able = rollout
                .service
                .deployments
                .as_ref()
                .and_then(|c| self.view.policy.connections.get(c))
                .is_some_and(|c| c.can(Verb::Pause));
            if !able {
                continue;
            }
            let key = (trigger.service.clone(), trigger.trigger.clone());
            let Some(trip) = self.view.state.and_then(|x| x.trips.get(&key)) else {
                continue;
            };
            if let Some(act) = steer(
                self.view,
                release,
                rollout,
                Verb::Pause,
                &trip.said,
                &format!("trip{}", trip.at.timestamp()),
            )
            .filter(|act| !self.view.journal.acts.contains_key(&act.id))
            {
                self.list.push(Duty {
                    key: format!("hold/{}/{}/{}", release.id, trigger.id, trip.at.timestamp()),
                    release: Some(release.id.clone()),
                    task: Task::Perform {
                        before: Vec::new(),
                        act,
                        step: None,
                    },
                });
            }
        }
    }

    /// An automatic trigger's countdown ended.
    fn countdown(&mut self, s: &Situation) {
        let (Some(release), Some(countdown)) = (self.view.release, advice::countdown(self.view, s))
        else {
            return;
        };
        if countdown.ends_real > self.view.now.real {
            return;
        }
        let Some(trigger) = advice::automatic(self.view, s) else {
            return;
        };
        let granted = matches!(
            s.permits.get("rollback"),
            Some(crate::domain::situation::Permission::Granted(_))
        );
        if !granted {
            return;
        }
        let reason = format!(
            "automatic: trigger {} {}",
            trigger.trigger, trigger.distance
        );
        if let Ok(plan) =
            super::super::orders::rollback_plan(self.view, s, &reason, &BTreeMap::new())
        {
            self.record(
                format!("plan/{}", plan.id),
                Some(&release.id),
                vec![Body::PlanStarted { plan }],
            );
        }
    }

    /// The running plan's next step.
    fn plan(&mut self, s: &Situation) {
        let Some(plan) = self.view.state.and_then(|x| x.running_plan()) else {
            return;
        };
        let open = plan.plan.steps.iter().find(|step| {
            !matches!(
                plan.state(&step.id),
                StepState::Confirmed | StepState::Deferred
            )
        });
        match open {
            None => self.end(
                plan,
                true,
                "the old version serves and the triggers are clear",
            ),
            Some(step) => self.step(s, plan, step),
        }
    }

    fn step(&mut self, s: &Situation, plan: &PlanState, step: &PlanStep) {
        match (&step.kind, plan.state(&step.id)) {
            (StepKind::Hold { act } | StepKind::Act { act, .. }, StepState::Waiting) => {
                self.perform(plan, step, act);
            }
            (StepKind::Act { act, to, .. }, StepState::Asked | StepState::Unknown) => {
                if self.serves(&step.service, to) {
                    self.stepped(
                        plan,
                        step,
                        StepState::Confirmed,
                        "the vendor's live record names the target",
                    );
                } else {
                    self.look_up(plan, step, act);
                }
            }
            (StepKind::Hold { act }, StepState::Asked | StepState::Unknown) => {
                if self
                    .record_of(&step.service)
                    .is_some_and(|d| d.auto_sync == Some(false))
                {
                    self.stepped(
                        plan,
                        step,
                        StepState::Confirmed,
                        "the vendor's live record says auto-sync is off",
                    );
                } else {
                    self.look_up(plan, step, act);
                }
            }
            (StepKind::Hold { .. } | StepKind::Act { .. }, StepState::Refused) => {
                let why = plan
                    .steps
                    .get(&step.id)
                    .map_or("", |(_, why, _)| why.as_str());
                self.end(plan, false, &format!("{}: refused: {why}", step.title));
            }
            (StepKind::AwaitVersion { version }, _) => {
                if self.serves(&step.service, version) {
                    self.stepped(
                        plan,
                        step,
                        StepState::Confirmed,
                        &format!("{version} serves"),
                    );
                } else if plan.state(&step.id) == StepState::Waiting {
                    self.stepped(plan, step, StepState::Asked, "");
                }
            }
            (StepKind::AwaitClear, state) => self.clear(s, plan, step, state),
            (StepKind::Restore { act, bad }, StepState::Waiting) => {
                self.restore(plan, step, act, bad)
            }
            (StepKind::Restore { act, .. }, StepState::Asked | StepState::Unknown) => {
                self.look_up(plan, step, act);
            }
            (StepKind::Restore { .. }, StepState::Refused) => self.defer(plan, step, "refused"),
            _ => {}
        }
    }

    /// Clear when every trigger that tripped is clear again and none is breached, on data of the old version. A trigger
    /// that cannot be told and never tripped holds nothing up.
    fn clear(&mut self, s: &Situation, plan: &PlanState, step: &PlanStep, state: StepState) {
        let clear = s
            .triggers
            .iter()
            .all(|t| !t.tripped && t.mark.word != "breached");
        let live = self.live_since(plan);
        if clear && live.is_some_and(|t| self.seen_since(s, t)) {
            self.stepped(plan, step, StepState::Confirmed, "every trigger is clear");
        } else if live.is_some_and(|t| (self.view.at() - t).num_seconds() >= CLEAR_WITHIN) {
            let why = "the old version serves, but the triggers were not seen clear in 30 min";
            let debt = Debt {
                id: format!("clear/{}", plan.plan.id),
                what: format!("look by hand: {why}"),
                owner: self.owner(plan),
                due: self.view.at() + Duration::hours(HOLD_HOURS),
                release: Some(plan.plan.release.clone()),
            };
            self.deferred(plan, step, why, debt);
        } else if state == StepState::Waiting {
            self.stepped(plan, step, StepState::Asked, "");
        }
    }

    /// Since when the old versions serve.
    fn live_since(&self, plan: &PlanState) -> Option<Instant> {
        plan.plan
            .steps
            .iter()
            .filter(|s| matches!(s.kind, StepKind::AwaitVersion { .. }))
            .filter_map(|s| plan.steps.get(&s.id).map(|(_, _, at)| *at))
            .max()
    }

    /// Does every metric that a trigger watches have data newer than that? A clear trigger on old data proves nothing.
    fn seen_since(&self, s: &Situation, at: Instant) -> bool {
        s.triggers
            .iter()
            .filter_map(|t| self.view.data(&t.service, &t.metric))
            .all(|d| {
                d.freshness(self.view.at().timestamp()).usable()
                    && d.newest().is_some_and(|n| n > at.timestamp())
            })
    }

    fn record_of(&self, service: &str) -> Option<&Deployment> {
        let rollout = self.view.rollout(service)?;
        rollout.record.filter(|_| rollout.freshness.usable())
    }

    /// Does that version serve all traffic by the vendor's fresh record?
    fn serves(&self, service: &str, version: &str) -> bool {
        self.record_of(service)
            .is_some_and(|d| d.version == version && d.state == DeployState::Succeeded)
    }

    fn perform(&mut self, plan: &PlanState, step: &PlanStep, act: &Act) {
        self.list.push(Duty {
            key: format!("{}/{}", plan.plan.id, step.id),
            release: Some(plan.plan.release.clone()),
            task: Task::Perform {
                before: vec![Body::PlanStepped {
                    plan: plan.plan.id.clone(),
                    step: step.id.clone(),
                    state: StepState::Asked,
                    detail: String::new(),
                }],
                act: act.clone(),
                step: Some((plan.plan.id.clone(), step.id.clone())),
            },
        });
    }

    /// An act without an outcome is looked up by its mark, never repeated.
    fn look_up(&mut self, plan: &PlanState, step: &PlanStep, act: &Act) {
        if self.view.observed.session.in_flight.contains(&act.id) {
            return;
        }
        self.list.push(Duty {
            key: format!("find/{}", act.id),
            release: Some(plan.plan.release.clone()),
            task: Task::Reconcile {
                act: act.clone(),
                step: Some((plan.plan.id.clone(), step.id.clone())),
            },
        });
    }

    fn stepped(&mut self, plan: &PlanState, step: &PlanStep, state: StepState, detail: &str) {
        self.record(
            format!("{}/{}/{}", plan.plan.id, step.id, state.word()),
            Some(&plan.plan.release),
            vec![Body::PlanStepped {
                plan: plan.plan.id.clone(),
                step: step.id.clone(),
                state,
                detail: detail.to_owned(),
            }],
        );
    }

    /// Auto-sync is restored only when the desired source no longer names the bad version, and only where the live
    /// field is still what we wrote.
    fn restore(&mut self, plan: &PlanState, step: &PlanStep, act: &Act, bad: &str) {
        match self
            .record_of(&step.service)
            .map(|d| (d.auto_sync, d.desired.clone()))
        {
            Some((Some(true), _)) => {
                self.stepped(
                    plan,
                    step,
                    StepState::Confirmed,
                    "somebody else turned auto-sync on",
                );
            }
            Some((_, Some(desired))) if desired != bad => self.perform(plan, step, act),
            Some((_, Some(desired))) => {
                self.defer(plan, step, &format!("the source still asks for {desired}"))
            }
            Some((_, None)) => self.defer(plan, step, "what the source asks for is not known"),
            None => {}
        }
    }

    fn defer(&mut self, plan: &PlanState, step: &PlanStep, why: &str) {
        let owner = self.owner(plan);
        let debt = Debt {
            id: debt_id(plan, step),
            what: format!("auto-sync off: {} ({why})", step.service),
            owner,
            due: self.view.at() + Duration::hours(24),
            release: Some(plan.plan.release.clone()),
        };
        self.deferred(plan, step, why, debt);
    }

    fn deferred(&mut self, plan: &PlanState, step: &PlanStep, why: &str, debt: Debt) {
        self.record(
            format!("{}/{}/deferred", plan.plan.id, step.id),
            Some(&plan.plan.release),
            vec![
                Body::PlanStepped {
                    plan: plan.plan.id.clone(),
                    step: step.id.clone(),
                    state: StepState::Deferred,
                    detail: why.to_owned(),
                },
                Body::DebtIncurred { debt },
            ],
        );
    }

    fn owner(&self, plan: &PlanState) -> String {
        self.view
            .journal
            .release(&plan.plan.release)
            .and_then(|r| r.driver.clone())
            .or_else(|| self.view.release.and_then(|r| r.driver.clone()))
            .unwrap_or_else(|| self.view.observed.session.actor.clone())
    }

    /// The plan's end, with its three times and the hold on the bad version.
    fn end(&mut self, plan: &PlanState, done: bool, detail: &str) {
        let asked = plan
            .plan
            .steps
            .iter()
            .filter(|s| matches!(s.kind, StepKind::Act { .. }))
            .filter_map(|s| self.view.journal.acts.get(act_of(s)?.id.as_str()))
            .map(|a| a.at)
            .min();
        let reached = |kind: fn(&StepKind) -> bool| {
            plan.plan
                .steps
                .iter()
                .filter(|s| kind(&s.kind))
                .filter_map(|s| plan.steps.get(&s.id))
                .map(|(_, _, at)| *at)
                .max()
        };
        let live = reached(|k| matches!(k, StepKind::AwaitVersion { .. }));
        let clear = reached(|k| matches!(k, StepKind::AwaitClear));
        let between = |a: Option<crate::domain::time::Instant>,
                       b: Option<crate::domain::time::Instant>| {
            a.zip(b).map(|(a, b)| (b - a).num_seconds())
        };
        let mut bodies = vec![Body::PlanEnded {
            plan: plan.plan.id.clone(),
            done,
            detail: detail.to_owned(),
            trip_to_request: between(plan.plan.tripped_at, asked),
            to_live: between(asked, live).filter(|_| done),
            to_clear: between(asked, clear).filter(|_| done),
        }];
        let owner = self.owner(plan);
        for step in &plan.plan.steps {
            match &step.kind {
                StepKind::Act { from, .. }
                    if done || plan.state(&step.id) == StepState::Confirmed =>
                {
                    bodies.push(Body::DebtIncurred {
                        debt: Debt {
                            id: format!("held/{}/{}/{from}", step.service, step.environment),
                            what: format!(
                                "deploys of {} {from} are held after its rollback",
                                step.service
                            ),
                            owner: owner.clone(),
                            due: self.view.at() + Duration::days(HELD_DAYS),
                            release: Some(plan.plan.release.clone()),
                        },
                    });
                }
                // What was held without knowing its field is put back by hand.
                StepKind::Hold { .. }
                    if self.hold_placed(plan, step)
                        && !plan.plan.steps.iter().any(|r| {
                            r.service == step.service && matches!(r.kind, StepKind::Restore { .. })
                        }) =>
                {
                    bodies.push(Body::DebtIncurred {
                        debt: Debt {
                            id: debt_id(plan, step),
                            what: format!(
                                "auto-sync off: {} (its field was not read: put it back by hand)",
                                step.service
                            ),
                            owner: owner.clone(),
                            due: self.view.at() + Duration::hours(24),
                            release: Some(plan.plan.release.clone()),
                        },
                    });
                }
                // A hold that was placed outlives a plan that failed.
                StepKind::Restore { .. } if !done && self.hold_placed(plan, step) => {
                    bodies.push(Body::DebtIncurred {
                        debt: Debt {
                            id: debt_id(plan, step),
                            what: format!(
                                "auto-sync off: {} (the rollback ended early)",
                                step.service
                            ),
                            owner: owner.clone(),
                            due: self.view.at() + Duration::hours(24),
                            release: Some(plan.plan.release.clone()),
                        },
                    });
                }
                _ => {}
            }
        }
        self.record(
            format!("{}/ended", plan.plan.id),
            Some(&plan.plan.release),
            bodies,
        );
    }

    fn hold_placed(&self, plan: &PlanState, restore: &PlanStep) -> bool {
        plan.plan.steps.iter().any(|s| {
            s.service == restore.service
                && matches!(s.kind, StepKind::Hold { .. })
                && matches!(
                    plan.state(&s.id),
                    StepState::Confirmed | StepState::Asked | StepState::Unknown
                )
        })
    }

    /// Holds left as debts: put back as soon as the source no longer names the bad version.
    fn restores(&mut self) {
        let Some(state) = self.view.state else {
            return;
        };
        for plan in state.plans.iter().filter(|p| !p.running()) {
            for step in &plan.plan.steps {
                let StepKind::Restore { act, bad } = &step.kind else {
                    continue;
                };
                let debt = debt_id(plan, step);
                if !self.view.journal.debts.contains_key(&debt) {
                    continue;
                }
                let record = self
                    .record_of(&step.service)
                    .map(|d| (d.auto_sync, d.desired.clone()));
                let restored = plan.state(&step.id) == StepState::Confirmed;
                match record {
                    Some((Some(true), _)) => self.settle(
                        plan,
                        &debt,
                        "auto-sync is on again by the vendor's live record",
                    ),
                    _ if restored => self.settle(plan, &debt, "restored exactly"),
                    Some((_, Some(desired)))
                        if desired != *bad
                            && matches!(
                                plan.state(&step.id),
                                StepState::Deferred | StepState::Waiting
                            ) =>
                    {
                        self.perform(plan, step, act);
                    }
                    // Asked, and cut off before its outcome was written.
                    _ if matches!(plan.state(&step.id), StepState::Asked | StepState::Unknown) => {
                        self.look_up(plan, step, act);
                    }
                    _ => {}
                }
            }
        }
    }

    fn settle(&mut self, plan: &PlanState, debt: &str, how: &str) {
        self.record(
            format!("settled/{debt}"),
            Some(&plan.plan.release),
            vec![Body::DebtSettled {
                debt: debt.to_owned(),
                how: how.to_owned(),
            }],
        );
    }

    /// Acts outside a plan without an outcome.
    fn reconcile(&mut self) {
        let in_plan: Vec<&str> = self
            .view
            .journal
            .releases
            .values()
            .flat_map(|r| r.plans.iter())
            .flat_map(|p| p.plan.steps.iter())
            .filter_map(act_of)
            .map(|a| a.id.as_str())
            .collect();
        let open: Vec<Act> = self
            .view
            .journal
            .acts
            .values()
            .filter(|a| a.outcome.is_none() && !in_plan.contains(&a.act.id.as_str()))
            .filter(|a| !self.view.observed.session.in_flight.contains(&a.act.id))
            .filter(|a| (self.view.at() - a.at).num_seconds() >= FOREIGN_ACT)
            .map(|a| a.act.clone())
            .collect();
        for act in open {
            self.list.push(Duty {
                key: format!("find/{}", act.id),
                release: act.release.clone(),
                task: Task::Reconcile { act, step: None },
            });
        }
    }
}

fn debt_id(plan: &PlanState, step: &PlanStep) -> String {
    format!(
        "auto-sync/{}/{}/{}",
        step.service, step.environment, plan.plan.id
    )
}

fn act_of(step: &PlanStep) -> Option<&Act> {
    match &step.kind {
        StepKind::Hold { act } | StepKind::Act { act, .. } | StepKind::Restore { act, .. } => {
            Some(act)
        }
        StepKind::AwaitVersion { .. } | StepKind::AwaitClear => None,
    }
}

/// `replaced`: another version serves, so no traffic is on this one any more.
fn seen_body(
    service: &str,
    environment: &str,
    record: &Deployment,
    version: &str,
    replaced: Option<DeployState>,
) -> Body {
    Body::DeploymentSeen {
        service: service.to_owned(),
        environment: environment.to_owned(),
        version: version.to_owned(),
        state: replaced.unwrap_or(record.state),
        step: record.step,
        steps: record.steps,
        weight: if replaced.is_some() {
            Some(0.0)
        } else {
            record.weight
        },
        started_at: record.started_at,
    }
}

fn means_yes(reaction: &str) -> bool {
    matches!(
        reaction,
        "white_check_mark"
            | "heavy_check_mark"
            | "ballot_box_with_check"
            | "+1"
            | "thumbsup"
            | "ok_hand"
            | "ok"
    )
}

/// An act that steers a rollout.
pub(crate) fn steer(
    view: &View<'_>,
    release: &Release,
    rollout: &Rollout<'_>,
    verb: Verb,
    reason: &str,
    nonce: &str,
) -> Option<Act> {
    let connection = rollout.service.deployments.clone()?;
    let record = rollout.record?;
    let mut args: BTreeMap<String, Value> = rollout
        .service
        .args(&release.environment)
        .into_iter()
        .map(|(k, v)| (k, Value::String(v)))
        .collect();
    args.insert("id".to_owned(), Value::String(record.id.clone()));
    args.insert(
        "version".to_owned(),
        Value::String(rollout.change.to.clone()),
    );
    args.insert("ref".to_owned(), Value::String(rollout.change.to.clone()));
    args.insert("reason".to_owned(), Value::String(reason.to_owned()));
    let _ = view;
    Some(Act {
        id: format!(
            "{}/{}/{}/{nonce}",
            release.id,
            rollout.service.name,
            verb.word()
        ),
        connection,
        verb,
        args,
        release: Some(release.id.clone()),
        service: Some(rollout.service.name.clone()),
        environment: Some(release.environment.clone()),
        reason: reason.to_owned(),
        summary: match verb {
            Verb::Deploy => format!(
                "deploy {} {} → {} to {}",
                rollout.service.name, record.version, rollout.change.to, release.environment
            ),
            other => format!(
                "{} {} {} in {}",
                other.word(),
                rollout.service.name,
                record.version,
                release.environment
            ),
        },
    })
}

/// One message a channel to a person, each with its own duty.
pub(crate) fn messages(
    view: &View<'_>,
    release: &Release,
    level: u32,
    person: &str,
    text: &str,
    nonce: &str,
) -> Vec<Duty> {
    view.policy
        .oncall
        .channels
        .iter()
        .enumerate()
        .map(|(i, channel)| {
            let act = message(
                release,
                channel,
                text,
                &format!("{}/brief/{nonce}/{i}/{}", release.id, channel.connection),
            );
            let place = channel.args.get("channel").map_or("", String::as_str);
            Duty {
                key: format!("message/{}", act.id),
                release: Some(release.id.clone()),
                task: Task::Perform {
                    before: vec![Body::Briefed {
                        level,
                        person: person.to_owned(),
                        channel: format!("{} {place}", channel.connection).trim().to_owned(),
                        act: act.id.clone(),
                    }],
                    act,
                    step: None,
                },
            }
        })
        .collect()
}

fn message(release: &Release, channel: &Channel, text: &str, id: &str) -> Act {
    let mut args: BTreeMap<String, Value> = channel
        .args
        .iter()
        .map(|(k, v)| (k.clone(), Value::String(v.clone())))
        .collect();
    args.insert("text".to_owned(), Value::String(text.to_owned()));
    Act {
        id: id.to_owned(),
        connection: channel.connection.clone(),
        verb: Verb::PostMessage,
        args,
        release: Some(release.id.clone()),
        service: None,
        environment: Some(release.environment.clone()),
        reason: "brief".to_owned(),
        summary: format!("brief about {} over {}", release.title, channel.connection),
    }
}

/// The brief as sent over a channel: short, plain; the whole of it is the document.
pub(crate) fn brief_text(
    view: &View<'_>,
    s: &Situation,
    release: &Release,
    person: &str,
) -> String {
    let mut lines = vec![format!(
        "{person}: {} goes to {}. Acknowledge with a check mark.",
        release.title, release.environment
    )];
    for rollout in &view.rollouts {
        lines.push(format!(
            "{}: {} to {}",
            rollout.service.name,
            rollout
                .record
                .map_or("?", |d| d.previous.as_deref().unwrap_or(&d.version)),
            rollout.change.to
        ));
        if let Some(book) = &rollout.service.runbook {
            lines.push(format!("runbook: {book}"));
        }
    }
    for mode in &release.failure_modes {
        lines.push(format!("may go wrong: {mode}"));
    }
    for passport in &s.passports {
        lines.push(format!(
            "rollback of {} to {}: passport {} of {}",
            passport.service,
            passport.to.as_deref().unwrap_or("a version to pick"),
            passport.passed,
            passport.lines.len()
        ));
    }
    for trigger in &s.triggers {
        lines.push(format!(
            "rolls back when {}: {}",
            trigger.trigger, trigger.service
        ));
    }
    lines.push(format!(
        "journal head {} {}",
        s.head.0,
        s.head.1.get(..12).unwrap_or(&s.head.1)
    ));
    lines.join("\n")
}
