//! A rollback's next step, to its end and beyond: what was held is put back when it is safe (SEMANTICS 8).

use chrono::Duration;
use serde_json::Value;

use crate::domain::act::Act;
use crate::domain::event::{Body, Debt, PlanStep, StepKind, StepState};
use crate::domain::journal::PlanState;
use crate::domain::record::{DeployState, Deployment};
use crate::domain::situation::{Duty, Situation, Task, TriggerView};
use crate::domain::time::Instant;

use crate::domain::assess::plan::times;

use super::{HOLD_HOURS, Owed};

/// A version that was rolled back stays held this many days, as a debt.
const HELD_DAYS: i64 = 14;
/// How long a rollback waits for the proof that the triggers are clear, seconds; then a person looks.
const CLEAR_WITHIN: i64 = 1800;

/// Seconds after which an act that left no trace at the vendor did not happen.
const SETTLED: i64 = 120;
/// So much of a vendor's field is shown.
const SHOWN: usize = 200;
/// Said where nothing could tell whether it is clear.
const NOT_MEASURED: &str = "no trigger watches it: whether it is clear was not measured";
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
            None if self.settling(plan) => {}
            None => self.end(plan, true, &words_of_end(plan)),
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

    /// Clear when no trigger is breached and each that tripped says so, on data of the old version. What cannot be told holds nothing
    /// up, and is not called clear.
    fn clear(&mut self, s: &Situation, plan: &PlanState, step: &PlanStep, state: StepState) {
        let Some(live) = self.live_since(plan) else {
            return;
        };
        if s.triggers.is_empty() {
            self.stepped(plan, step, StepState::Deferred, NOT_MEASURED);
        } else if let Some(said) = self.cleared(s, live) {
            self.stepped(plan, step, StepState::Confirmed, &said);
        } else if (self.view.at() - live).num_seconds() >= CLEAR_WITHIN {
            let why = "the triggers were not seen clear in 30 min";
            let debt = Debt {
                id: format!("clear/{}", plan.plan.id),
                what: format!("look by hand: the old version serves, but {why}"),
                owner: self.owner(plan),
                due: self.view.at() + Duration::hours(HOLD_HOURS),
                release: Some(plan.plan.release.clone()),
            };
            self.deferred(plan, step, why, debt);
        } else if state == StepState::Waiting {
            self.stepped(plan, step, StepState::Asked, "");
        }
    }

    /// The sentence, where they are clear. Law 1: of no data nothing is clear, and what is not known is named.
    fn cleared(&self, s: &Situation, live: Instant) -> Option<String> {
        let ill = |t: &TriggerView| t.tripped || t.mark.word == "breached";
        if s.triggers.iter().any(ill) || !self.seen_since(s, live) {
            return None;
        }
        let (clear, silent): (Vec<&TriggerView>, Vec<&TriggerView>) =
            s.triggers.iter().partition(|t| {
                t.mark.word == "clear" && self.view.data(&t.service, &t.metric).is_some()
            });
        let ever_tripped = silent.iter().any(|t| {
            let key = (t.service.clone(), t.trigger.clone());
            self.view.state.is_some_and(|x| x.trips.contains_key(&key))
        });
        if clear.is_empty() || ever_tripped {
            return None;
        }
        if silent.is_empty() {
            return Some("every trigger is clear".to_owned());
        }
        let names: Vec<&str> = silent.iter().map(|t| t.trigger.as_str()).collect();
        Some(format!(
            "{} of {} triggers are clear; not told: {}",
            clear.len(),
            s.triggers.len(),
            names.join(", ")
        ))
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

    /// Is all that was read of the triggers' metrics newer than that? A clear trigger on old data proves nothing.
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
        self.record_of(service).is_some_and(|d| d.serves(version))
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
        let Some(record) = self.record_of(&step.service) else {
            return;
        };
        let desired = record.desired.clone();
        match (field_of(record, act), desired) {
            (Field::AsItWas, _) => {
                let said = "somebody put it back: auto-sync is as it was";
                self.stepped(plan, step, StepState::Confirmed, said);
            }
            (Field::Changed(how), _) => {
                let debt = self.debt(plan, step, changed_by_somebody(&step.service, &how));
                self.deferred(plan, step, &format!("changed by somebody: {how}"), debt);
            }
            (Field::Ours, Some(desired)) if desired != bad => self.perform(plan, step, act),
            (Field::Ours, Some(desired)) => {
                self.defer(plan, step, &format!("the source still asks for {desired}"));
            }
            (Field::Ours, None) => {
                self.defer(plan, step, "what the source asks for is not known");
            }
        }
    }

    /// A restore that was sent is believed when the vendor's record shows the field as it was; that is waited for, for a while.
    fn settling(&self, plan: &PlanState) -> bool {
        plan.plan.steps.iter().any(|step| {
            self.unseen(plan, step)
                && plan
                    .steps
                    .get(&step.id)
                    .is_some_and(|(_, _, at)| (self.view.at() - *at).num_seconds() < SETTLED)
        })
    }

    /// Is that a restore which the vendor took, and whose field is not seen as it was?
    fn unseen(&self, plan: &PlanState, step: &PlanStep) -> bool {
        let StepKind::Restore { act, .. } = &step.kind else {
            return false;
        };
        let Some((StepState::Confirmed, _, at)) = plan.steps.get(&step.id) else {
            return false;
        };
        let rollout = self.view.rollout(&step.service);
        let read = rollout.and_then(|r| r.read_at).is_some_and(|t| t >= *at);
        let live = self.record_of(&step.service).filter(|_| read);
        live.is_none_or(|d| field_of(d, act) != Field::AsItWas)
    }

    fn debt(&self, plan: &PlanState, step: &PlanStep, what: String) -> Debt {
        Debt {
            id: debt_id(plan, step),
            what,
            owner: self.owner(plan),
            due: self.view.at() + Duration::hours(24),
            release: Some(plan.plan.release.clone()),
        }
    }

    fn defer(&mut self, plan: &PlanState, step: &PlanStep, why: &str) {
        let what = format!("auto-sync off: {} ({why})", step.service);
        let debt = self.debt(plan, step, what);
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

    fn end(&mut self, plan: &PlanState, done: bool, detail: &str) {
        let bodies = self.ending(plan, done, detail);
        self.record(
            format!("{}/ended", plan.plan.id),
            Some(&plan.plan.release),
            bodies,
        );
    }

    /// The plan's end, with its three times and the hold on the bad version.
    pub(super) fn ending(&self, plan: &PlanState, done: bool, detail: &str) -> Vec<Body> {
        let (trip_to_request, to_live, to_clear) = times(self.view, plan);
        let detail = if done {
            detail.to_owned()
        } else {
            format!("{detail}; {}", self.how_far(plan))
        };
        let mut bodies = vec![Body::PlanEnded {
            plan: plan.plan.id.clone(),
            done,
            detail,
            trip_to_request,
            to_live,
            to_clear,
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
                StepKind::Restore { .. } if self.unseen(plan, step) => {
                    let what = format!(
                        "auto-sync of {} was put back, and the vendor does not show it as it was: look",
                        step.service
                    );
                    let debt = self.debt(plan, step, what);
                    bodies.push(Body::DebtIncurred { debt });
                }
                _ => {}
            }
        }
        bodies
    }

    /// What is back and what is not, of a plan that ends early.
    fn how_far(&self, plan: &PlanState) -> String {
        let (mut back, mut not) = (Vec::new(), Vec::new());
        for step in &plan.plan.steps {
            let StepKind::Act { to, .. } = &step.kind else {
                continue;
            };
            let name = &step.service;
            if self.serves(name, to) {
                back.push(format!("{name} {to}"));
            } else {
                not.push(match self.record_of(name) {
                    Some(d) if d.version == *to => format!("{name} {to} is {}", d.state.word()),
                    Some(d) => format!("{name} still {}", d.version),
                    None => format!("{name} is not known"),
                });
            }
        }
        let all = back.len() + not.len();
        let said = format!("{} of {all} services are back", back.len());
        match (back.is_empty(), not.is_empty()) {
            (_, true) => format!("{said}: {}", back.join(", ")),
            (true, _) => format!("{said}; {}", not.join(", ")),
            _ => format!("{said}: {}; {}", back.join(", "), not.join(", ")),
        }
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
        // While a rollback runs, what would fight it stays off.
        let Some(state) = self.view.state.filter(|x| x.running_plan().is_none()) else {
            return;
        };
        for plan in &state.plans {
            for step in &plan.plan.steps {
                let StepKind::Restore { act, bad } = &step.kind else {
                    continue;
                };
                let debt = debt_id(plan, step);
                let Some(known) = self.view.journal.debts.get(&debt) else {
                    continue;
                };
                let Some(record) = self.record_of(&step.service) else {
                    continue;
                };
                let safe = record.desired.as_deref().is_some_and(|d| d != bad);
                match (field_of(record, act), plan.state(&step.id)) {
                    (Field::AsItWas, StepState::Confirmed) => {
                        self.settle(plan, &debt, "restored exactly");
                    }
                    (Field::AsItWas, _) => {
                        self.settle(
                            plan,
                            &debt,
                            "auto-sync is as it was, by the vendor's record",
                        );
                    }
                    // Asked, and cut off before its outcome was written.
                    (_, StepState::Asked | StepState::Unknown) => self.look_up(plan, step, act),
                    (Field::Changed(how), _) => {
                        let what = changed_by_somebody(&step.service, &how);
                        self.owe_anew(plan, known, what);
                    }
                    (Field::Ours, StepState::Deferred | StepState::Waiting) if safe => {
                        self.perform(plan, step, act);
                    }
                    _ => {}
                }
            }
        }
    }

    /// The same debt in other words.
    fn owe_anew(&mut self, plan: &PlanState, known: &Debt, what: String) {
        if known.what == what {
            return;
        }
        let key = format!("anew/{}/{}", known.id, self.view.at().timestamp());
        let debt = Debt {
            what,
            ..known.clone()
        };
        self.record(
            key,
            Some(&plan.plan.release),
            vec![Body::DebtIncurred { debt }],
        );
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

/// What stands in the field that a hold replaced.
#[derive(Debug, PartialEq)]
enum Field {
    /// Nothing, as we wrote it.
    Ours,
    /// Exactly what was held, and auto-sync is on.
    AsItWas,
    /// Something else: what was held, and what is there.
    Changed(String),
}

fn field_of(record: &Deployment, act: &Act) -> Field {
    let was = act.args.get("field").filter(|v| !v.is_null());
    let is = record.hold_field.as_ref().filter(|v| !v.is_null());
    let on = record.auto_sync != Some(false);
    match is {
        None if !on => Field::Ours,
        Some(_) if on && is == was => Field::AsItWas,
        _ => {
            let words = |v: Option<&Value>| {
                let text = v.map_or_else(|| "nothing".to_owned(), Value::to_string);
                text.chars().take(SHOWN).collect::<String>()
            };
            Field::Changed(format!("{} → {}", words(was), words(is)))
        }
    }
}

fn changed_by_somebody(service: &str, how: &str) -> String {
    format!(
        "auto-sync of {service} was changed by somebody while it was held: {how}; put it back by hand"
    )
}

/// The sentence of a plan that came to its end.
fn words_of_end(plan: &PlanState) -> String {
    let clear = plan
        .plan
        .steps
        .iter()
        .find(|s| matches!(s.kind, StepKind::AwaitClear))
        .and_then(|s| plan.steps.get(&s.id));
    match clear {
        Some((StepState::Confirmed, said, _)) if said == "every trigger is clear" => {
            "the old version serves and the triggers are clear".to_owned()
        }
        Some((_, said, _)) => format!("the old version serves; {said}"),
        None => "the old version serves".to_owned(),
    }
}
