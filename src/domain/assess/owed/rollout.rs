//! Holds and automatic triggers, and the acts that steer a rollout.

use std::collections::BTreeMap;

use chrono::Duration;
use serde_json::Value;

use crate::domain::act::{Act, Verb};
use crate::domain::assess::rollout::Rollout;
use crate::domain::assess::{advice, crossed_by, driver, holds};
use crate::domain::event::{Body, Debt};
use crate::domain::orders::rollback_plan;
use crate::domain::policy::Release;
use crate::domain::record::DeployState;
use crate::domain::situation::{Duty, Situation, Task, TriggerView};

use super::{HOLD_HOURS, Owed};

impl Owed<'_, '_> {
    /// A held rollout is a debt until it goes on or ends.
    pub(super) fn holds(&mut self) {
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
                (None, Some(debt))
                    if debt.release.as_deref() == Some(release.id.as_str())
                        && holds::of_trigger(self.view, rollout).is_none() =>
                {
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
            driver(release, self.view.state).unwrap_or_else(|| actor.to_owned())
        } else {
            actor.to_owned()
        }
    }

    /// What a trip owes that holds by the sealed contract: written with the trip, so that it stands without anybody who drives.
    pub(super) fn hold_debt(&self, release: &Release, trigger: &TriggerView) -> Option<Body> {
        let id = holds::debt_id(&trigger.service, &release.environment);
        let sealed = self
            .view
            .state
            .is_some_and(|s| s.holds_on(&trigger.service, &trigger.trigger));
        if !sealed || self.view.journal.debts.contains_key(&id) {
            return None;
        }
        Some(Body::DebtIncurred {
            debt: Debt {
                id,
                what: format!(
                    "{} is held by trigger {}: {}",
                    trigger.service, trigger.trigger, trigger.distance
                ),
                owner: self.owner_of(release, "cockpit"),
                due: self.view.at() + Duration::hours(HOLD_HOURS),
                release: Some(release.id.clone()),
            },
        })
    }

    /// A tripped trigger that holds, as agreed in the sealed contract: pause once, while nobody let it go.
    pub(super) fn on_trip(&mut self, s: &Situation) {
        let (Some(release), Some(state)) = (self.view.release, self.view.state) else {
            return;
        };
        for trigger in s
            .triggers
            .iter()
            .filter(|t| t.tripped && state.holds_on(&t.service, &t.trigger))
        {
            let Some(rollout) = self.view.rollout(&trigger.service).filter(|r| {
                holds::of_trigger(self.view, r).is_some()
                    && r.freshness.usable()
                    && r.record.is_some_and(|d| {
                        d.version == r.change.to
                            && d.state.in_flight()
                            && d.state != DeployState::Paused
                    })
            }) else {
                continue;
            };
            if !holds::can(self.view, rollout, Verb::Pause) {
                continue;
            }
            let key = (trigger.service.clone(), trigger.trigger.clone());
            let Some(trip) = state.trips.get(&key) else {
                continue;
            };
            if let Some(act) = steer(
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
    pub(super) fn countdown(&mut self, s: &Situation) {
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
        if let Ok(plan) = rollback_plan(self.view, s, &reason, &BTreeMap::new()) {
            let id = plan.id.clone();
            let mut bodies = vec![Body::PlanStarted { plan }];
            bodies.extend(crossed_by(self.view, &id));
            self.record(format!("plan/{id}"), Some(&release.id), bodies);
        }
    }
}

/// An act that steers a rollout.
pub(crate) fn steer(
    release: &Release,
    rollout: &Rollout<'_>,
    verb: Verb,
    reason: &str,
    nonce: &str,
) -> Option<Act> {
    let connection = rollout.service.deployments.clone()?;
    // What was never deployed there has no record yet.
    let record = match (rollout.record, verb) {
        (None, Verb::Deploy) => None,
        (record, _) => Some(record?),
    };
    let mut args: BTreeMap<String, Value> = rollout
        .service
        .args(&release.environment)
        .into_iter()
        .map(|(k, v)| (k, Value::String(v)))
        .collect();
    if let Some(record) = record {
        args.insert("id".to_owned(), Value::String(record.id.clone()));
    }
    let serves = record.map_or("nothing", |d| d.version.as_str());
    // Under a rollback it is the old version that is steered.
    let version = match record.filter(|_| verb != Verb::Deploy) {
        Some(record) => &record.version,
        None => &rollout.change.to,
    };
    args.insert("version".to_owned(), Value::String(version.clone()));
    args.insert("ref".to_owned(), Value::String(version.clone()));
    args.insert("reason".to_owned(), Value::String(reason.to_owned()));
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
                "deploy {} {serves} → {} to {}",
                rollout.service.name, rollout.change.to, release.environment
            ),
            other => format!(
                "{} {} {serves} in {}",
                other.word(),
                rollout.service.name,
                release.environment
            ),
        },
    })
}
