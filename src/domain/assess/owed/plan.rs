//! A rollback's next step, to its end and beyond: what was held is put back when it is safe (SEMANTICS 8).

use chrono::Duration;

use crate::domain::act::Act;
use crate::domain::event::{Body, Debt, PlanStep, StepKind, StepState};
use crate::domain::journal::PlanState;
use crate::domain::record::{DeployState, Deployment};
use crate::domain::situation::{Duty, Situation, Task};
use crate::domain::time::Instant;

use super::{HOLD_HOURS, Owed, act_of};

/// A version that was rolled back stays held this many days, as a debt.
const HELD_DAYS: i64 = 14;
/// How long a rollback waits for the proof that the triggers are clear, seconds; then a person looks.
const CLEAR_WITHIN: i64 = 1800;

/// Seconds after which an act that left no trace at the vendor did not happen.
const SETTLED: i64 = 120;
/// Why such a step ends as refused.
const NOTHING: &str = "for two minutes the vendor's live record shows nothing of it";

/// Is nothing on its way in this state?
fn rests(state: DeployState) -> bool {
    matches!(
        state,
        DeployState::Paused | DeployState::Succeeded | DeployState::Failed | DeployState::Cancelled
    )
}

impl Owed<'_, '_> {
    /// The running plan's next step.
    pub(super) fn plan(&mut self, s: &Situation) {
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
            (StepKind::Act { act, from, to }, StepState::Asked | StepState::Unknown) => {
                if self.serves(&step.service, to) {
                    self.stepped(
                        plan,
                        step,
                        StepState::Confirmed,
                        "the vendor's live record names the target",
                    );
                } else if self.nothing_came_of(act, |d| d.version == *from && rests(d.state)) {
                    self.stepped(plan, step, StepState::Refused, NOTHING);
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
                } else if self.nothing_came_of(act, |d| d.auto_sync == Some(true)) {
                    self.stepped(plan, step, StepState::Refused, NOTHING);
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

    /// An act whose outcome is unknown and of which the vendor's fresh record shows no trace for two minutes did not
    /// happen. The plan then ends, and a person may begin another; nothing is repeated by itself.
    fn nothing_came_of(&self, act: &Act, untouched: impl Fn(&Deployment) -> bool) -> bool {
        if self.view.observed.session.in_flight.contains(&act.id) {
            return false;
        }
        let asked = self.view.journal.acts.get(&act.id).map(|a| a.at);
        let service = act.service.as_deref().unwrap_or_default();
        // A vendor that queues keeps an accepted act out of sight for longer.
        let queues = self.view.policy.connections.get(&act.connection);
        let settled = queues.map_or(0, |c| i64::try_from(c.settles).unwrap_or(i64::MAX));
        asked.is_some_and(|at| (self.view.at() - at).num_seconds() >= SETTLED.max(settled))
            && self.record_of(service).is_some_and(untouched)
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
        let between =
            |a: Option<Instant>, b: Option<Instant>| a.zip(b).map(|(a, b)| (b - a).num_seconds());
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
    pub(super) fn restores(&mut self) {
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
}

fn debt_id(plan: &PlanState, step: &PlanStep) -> String {
    format!(
        "auto-sync/{}/{}/{}",
        step.service, step.environment, plan.plan.id
    )
}
