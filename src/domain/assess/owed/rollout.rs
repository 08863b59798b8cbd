//! Holds and automatic triggers, and the acts that steer a rollout.

use std::collections::BTreeMap;

use chrono::Duration;
use serde_json::Value;

use crate::domain::act::{Act, Verb};
use crate::domain::assess::rollout::Rollout;
use crate::domain::assess::{advice, crossed_by, driver, holds};
use crate::domain::event::{Body, Debt};
use crate::domain::orders::rollback_plan;
use crate::domain::policy::{Release, Then};
use crate::domain::record::DeployState;
use crate::domain::situation::{Duty, Situation, Task};

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
            driver(release, self.view.state).unwrap_or_else(|| actor.to_owned())
        } else {
            actor.to_owned()
        }
    }

    /// A tripped trigger that holds: pause once.
    pub(super) fn on_trip(&mut self, s: &Situation) {
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
    let record = rollout.record?;
    let mut args: BTreeMap<String, Value> = rollout
        .service
        .args(&release.environment)
        .into_iter()
        .map(|(k, v)| (k, Value::String(v)))
        .collect();
    args.insert("id".to_owned(), Value::String(record.id.clone()));
    // Under a rollback it is the old version that is steered.
    let version = match verb {
        Verb::Deploy => &rollout.change.to,
        _ => &record.version,
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
