//! From a confirmed wish to events and acts. The situation is judged again first: where target, permit or rules moved
//! since the dialog was shown, the act is refused (law 3). What concerns people and permissions stands in files of its own.

mod people;
mod permission;
mod scope;

use std::collections::BTreeMap;

use chrono::Duration;

use super::act::{Act, Verb};
use super::assess::View;
use super::assess::holds;
use super::assess::{
    STOOD, act_steer, crossed_by, end_plan, further_candidates, next_service, steered, stood,
};
use super::contract;
use super::dates;
use super::event::{Body, Closing, Plan};
use super::journal::Journal;
use super::observe::Observed;
use super::planning;
use super::policy::Policy;
use super::record::DeployState;
use super::rollback;
use super::situation::{Duty, Permission, Permit, Refusal, Request, Situation, Task};
use super::time::Now;

/// Decides a request: tasks in order, or why not. `nonce` makes act ids unique; the caller draws it at random.
///
/// # Errors
/// The refusals, each with rule, reason and way out.
pub fn decide(
    policy: &Policy,
    journal: &Journal,
    observed: &Observed,
    now: Now,
    request: &Request,
    nonce: &str,
) -> Result<Vec<Duty>, Vec<Refusal>> {
    super::assess::with_view(policy, journal, observed, now, |view, s| {
        let permit = match s.permits.get(&request.action) {
            None => {
                return Err(vec![Refusal::new(
                    "action",
                    format!("{} is not possible now", request.action),
                )]);
            }
            Some(Permission::Refused(refusals)) => return Err(refusals.clone()),
            Some(Permission::Granted(permit)) => permit,
        };
        check(permit, request)?;
        let order = Order {
            view,
            s,
            request,
            nonce,
        };
        order.tasks()
    })
}

/// Basis and inputs.
fn check(permit: &Permit, request: &Request) -> Result<(), Vec<Refusal>> {
    if permit.basis != request.basis {
        return Err(vec![
            Refusal::new(
                "moved",
                "the target or the rules moved since the dialog was shown",
            )
            .way_out("look again and confirm anew"),
        ]);
    }
    if let Some(word) = &permit.typed
        && request.inputs.get("typed") != Some(word)
    {
        return Err(vec![Refusal::new(
            "typed",
            format!("type {word} to confirm"),
        )]);
    }
    let missing: Vec<Refusal> = permit
        .inputs
        .iter()
        .filter(|i| {
            i.required
                && request
                    .inputs
                    .get(&i.key)
                    .is_none_or(|v| v.trim().is_empty())
        })
        .map(|i| Refusal::new("input", format!("{} is missing", i.label)))
        .collect();
    let wrong = permit.inputs.iter().find_map(|i| {
        let words = i.expects()?;
        (request.inputs.get(&i.key).map(String::as_str) != Some(words)).then_some(words)
    });
    match wrong {
        _ if !missing.is_empty() => Err(missing),
        Some(words) => Err(vec![Refusal::new(
            "typed",
            format!("type {words} to confirm"),
        )]),
        None => Ok(()),
    }
}

/// Builds the rollback plan of the current release's started services; `picks` names targets where none is on record.
///
/// # Errors
/// A refusal where a target is not known.
pub(crate) fn rollback_plan(
    view: &View<'_>,
    s: &Situation,
    reason: &str,
    picks: &BTreeMap<String, String>,
) -> Result<Plan, Vec<Refusal>> {
    let Some(release) = view.release else {
        return Err(vec![Refusal::new("release", "no release is open")]);
    };
    let order: Vec<String> = view.services().iter().map(|x| x.name.clone()).collect();
    let mut parts = Vec::new();
    for name in &order {
        let Some(rollout) = view.rollout(name) else {
            continue;
        };
        let Some(record) = rollout
            .record
            .filter(|d| d.version == rollout.change.to && d.state != DeployState::Queued)
        else {
            continue;
        };
        let known = s
            .passports
            .iter()
            .find(|p| &p.service == name)
            .and_then(|p| p.to.clone());
        let healthy = view
            .journal
            .target(name, &release.environment, &rollout.change.to)
            .filter(|h| Some(&h.version) == known.as_ref());
        let to = known
            .or_else(|| {
                picks
                    .get(&format!("to/{name}"))
                    .filter(|v| record.history.iter().any(|h| &h.version == *v))
                    .cloned()
            })
            .ok_or_else(|| {
                vec![Refusal::new(
                    "passport",
                    format!("no target for {name}: pick a version of its history"),
                )]
            })?;
        let can_hold = rollout
            .service
            .deployments
            .as_ref()
            .and_then(|c| view.policy.connections.get(c))
            .is_some_and(|c| c.can(Verb::Hold) && c.can(Verb::ReleaseHold));
        parts.push(rollback::Part {
            service: rollout.service,
            record,
            from: rollout.change.to.clone(),
            to,
            revision: healthy.and_then(|h| h.revision.clone()),
            can_hold,
        });
    }
    let number = view.state.map_or(0, |x| x.plans.len()) + 1;
    let tripped = s.triggers.iter().filter_map(|t| t.tripped_at).min();
    Ok(rollback::plan(
        &format!("rollback/{}/{number}", release.id),
        &release.id,
        &release.environment,
        reason,
        tripped,
        &parts,
    ))
}

struct Order<'a, 'b> {
    view: &'b View<'a>,
    s: &'b Situation,
    request: &'b Request,
    nonce: &'b str,
}

type Tasks = Result<Vec<Duty>, Vec<Refusal>>;

impl Order<'_, '_> {
    fn input(&self, key: &str) -> String {
        self.request
            .inputs
            .get(key)
            .map(|v| v.trim().to_owned())
            .unwrap_or_default()
    }

    fn release(&self) -> Option<String> {
        self.view.release.map(|r| r.id.clone())
    }

    fn actor(&self) -> String {
        self.view.observed.session.actor.clone()
    }

    fn duty(&self, suffix: &str, task: Task) -> Duty {
        Duty {
            key: format!("order/{}/{}{suffix}", self.nonce, self.request.action),
            release: self.release(),
            task,
        }
    }

    /// Events by the person at the keys.
    fn events(&self, bodies: Vec<Body>) -> Tasks {
        let session = &self.view.observed.session;
        Ok(vec![self.duty(
            "",
            Task::Record {
                actor: session.actor.clone(),
                known_by: session.known_by.clone(),
                bodies,
            },
        )])
    }

    fn in_hours(&self, hours: i64) -> super::time::Instant {
        self.view.at() + Duration::hours(hours)
    }

    fn tasks(&self) -> Tasks {
        let (verb, subject) = self
            .request
            .action
            .split_once('/')
            .unwrap_or((&self.request.action, ""));
        match verb {
            "seal" => self.seal(),
            "drive" => self.events(vec![Body::DriverTook {
                driver: self.actor(),
            }]),
            "deploy" => self.deploy(),
            "promote" => self.steer(Verb::Promote, subject),
            "abort" => self.steer(Verb::Abort, subject),
            "pause" => self.steer(Verb::Pause, subject),
            "resume" => self.resume(subject),
            "promote_full" => self.further(Verb::PromoteFull),
            "retry" => self.further(Verb::Retry),
            "restart" => self.further(Verb::Restart),
            "stop_line" => self.stop_line(),
            "let_go" => self.let_go(),
            "attach" => self.attach(subject),
            "rollback" => {
                let plan = rollback_plan(
                    self.view,
                    self.s,
                    &self.input("reason"),
                    &self.request.inputs,
                )?;
                // The key is the plan's id: two cockpits that press at once start one plan.
                let mut bodies = vec![Body::PlanStarted { plan: plan.clone() }];
                bodies.extend(crossed_by(self.view, &plan.id));
                let mut tasks = self.events(bodies)?;
                for task in &mut tasks {
                    task.key = format!("plan/{}", plan.id);
                }
                Ok(tasks)
            }
            "end_rollback" => self.end_rollback(),
            "brief" => self.brief(),
            "ack" => self.ack(),
            "handoff" => self.handoff(),
            "take" => self.take(subject),
            "incident" => self.incident(),
            "approve" => self.approve(),
            "ask_approval" => self.ask_approval(),
            "cancel_countdown" => self.cancel(),
            "close" => self.close(),
            "review" => self.review(),
            "tick" => self.events(vec![Body::Ticked {
                item: subject.to_owned(),
                note: self.input("note"),
            }]),
            "untick" => self.events(vec![Body::Unticked {
                item: subject.to_owned(),
                why: "taken back".to_owned(),
            }]),
            "waive" => self.events(vec![Body::Waived {
                item: subject.to_owned(),
                reason: self.input("reason"),
                due: self.in_hours(24),
            }]),
            "accept" => self.accept(subject),
            "override" => self.overrule(subject),
            "decline_override" => self.decline(subject),
            "break_glass" => self.break_glass(subject),
            "settle" => self.settle(subject),
            "note" => self.events(vec![Body::Noted {
                text: self.input("text"),
            }]),
            "plan" => self.plan(),
            "move" => self.shift(subject),
            _ => Err(vec![Refusal::new(
                "action",
                format!("{} is not an act", self.request.action),
            )]),
        }
    }

    /// The key is the one of the plan's own end: it ends once.
    fn end_rollback(&self) -> Tasks {
        let Some(plan) = self.view.state.and_then(|x| x.running_plan()) else {
            return Err(vec![Refusal::new("rollback", "no rollback is running")]);
        };
        let detail = format!("ended by {}: {}", self.actor(), self.input("reason"));
        let mut tasks = self.events(end_plan(self.view, plan, &detail))?;
        for task in &mut tasks {
            task.key = format!("{}/ended", plan.plan.id);
        }
        Ok(tasks)
    }

    fn seal(&self) -> Tasks {
        let Some(release) = self.view.release else {
            return Ok(Vec::new());
        };
        let contract = contract::of(self.view.policy, release);
        let mut bodies = vec![Body::ContractSealed {
            digest: contract::digest(&contract),
            contract,
        }];
        if self
            .s
            .releases
            .first()
            .and_then(|r| r.driver.as_ref())
            .is_none()
        {
            bodies.push(Body::DriverTook {
                driver: self.actor(),
            });
        }
        self.events(bodies)
    }

    /// A plan as it was typed, read again.
    fn plan(&self) -> Tasks {
        let view = self.view;
        let inputs = &self.request.inputs;
        let draft = planning::draft(view.policy, view.journal, inputs, view.at());
        let refusals: Vec<Refusal> = draft
            .problems
            .into_iter()
            .map(|(key, why)| Refusal::new(format!("plan/{key}"), why))
            .collect();
        match draft.release {
            Some(plan) if refusals.is_empty() => {
                let id = plan.id.clone();
                self.planned(&id, Body::ReleasePlanned { plan })
            }
            _ => Err(refusals),
        }
    }

    /// A release at another start.
    fn shift(&self, id: &str) -> Tasks {
        let view = self.view;
        let wrong = |why: String| Err(vec![Refusal::new("plan/start", why)]);
        let all = planning::releases(view.policy, view.journal);
        let Some(release) = all.into_iter().find(|r| r.id == id) else {
            return wrong(format!("no release is called {id}"));
        };
        let to = match dates::instant(&self.input("start"), view.at(), view.policy.timezone) {
            Ok(to) if to < view.at() => return wrong("that lies in the past".to_owned()),
            Ok(to) if Some(to) == release.planned => {
                return wrong(format!("{} is planned for then already", release.title));
            }
            Ok(to) => to,
            Err(why) => return wrong(why),
        };
        let file = match planning::moved(view.journal, release) {
            Some(moved) => moved.file,
            None => view.policy.release(id).and_then(|r| r.planned),
        };
        let from = release.planned;
        self.planned(id, Body::ReleaseMoved { to, from, file })
    }

    /// An event of a release that need not be the current one.
    fn planned(&self, id: &str, body: Body) -> Tasks {
        let mut tasks = self.events(vec![body])?;
        for task in &mut tasks {
            task.release = Some(id.to_owned());
        }
        Ok(tasks)
    }

    fn perform(&self, act: Act, before: Vec<Body>) -> Duty {
        Duty {
            key: format!("act/{}", act.id),
            release: act.release.clone(),
            task: Task::Perform {
                before,
                act,
                step: None,
            },
        }
    }

    /// The first service in dependency order that is not deployed yet.
    fn deploy(&self) -> Tasks {
        let act = self
            .view
            .release
            .zip(next_service(self.view))
            .and_then(|(release, rollout)| {
                let turn = self.turn(Verb::Deploy, &rollout.service.name);
                act_steer(release, rollout, Verb::Deploy, "release", &turn)
            });
        match act {
            Some(act) => Ok(vec![self.perform(act, Vec::new())]),
            None => Err(vec![Refusal::new(
                "deploy",
                "the service has no connection for its deployments",
            )]),
        }
    }

    /// What makes an act's id its own: the basis that was confirmed, and how often this was asked before. Two who press on the same
    /// ground write the same id, and one act is sent.
    fn turn(&self, verb: Verb, service: &str) -> String {
        let release = self.release();
        let acts = self.view.journal.acts.values();
        let before = acts.filter(|a| {
            a.act.verb == verb
                && a.act.release == release
                && a.act.service.as_deref() == Some(service)
        });
        let basis: String = self.request.basis.chars().take(10).collect();
        format!("{basis}{}", before.count() + 1)
    }

    fn steer(&self, verb: Verb, subject: &str) -> Tasks {
        let Some(release) = self.view.release else {
            return Ok(Vec::new());
        };
        let reason = self.input("reason");
        let only = Some(subject).filter(|s| !s.is_empty());
        let Some(rollout) = steered(self.view, verb, only) else {
            return Err(vec![Refusal::new("phase", "no rollout is under way")]);
        };
        let turn = match verb {
            Verb::Promote => self.turn(verb, &rollout.service.name),
            _ => self.nonce.to_owned(),
        };
        let Some(mut act) = act_steer(release, rollout, verb, &reason, &turn) else {
            return Err(vec![Refusal::new("phase", "no rollout is under way")]);
        };
        if let Some(record) = rollout.record {
            act.args.insert(STOOD.to_owned(), stood(record).into());
        }
        Ok(vec![self.perform(act, Vec::new())])
    }

    /// An act on the one service that the permit is about, or that was named of several.
    fn further(&self, verb: Verb) -> Tasks {
        let permitted = match self.s.permits.get(&self.request.action) {
            Some(Permission::Granted(p)) => p.service.clone(),
            _ => None,
        };
        let name = permitted.unwrap_or_else(|| self.input("service"));
        let act = self.view.release.and_then(|release| {
            let all = further_candidates(self.view, verb);
            let rollout = all.into_iter().find(|r| r.service.name == name)?;
            act_steer(release, rollout, verb, &self.input("reason"), self.nonce)
        });
        match act {
            Some(act) => Ok(vec![self.perform(act, Vec::new())]),
            None => Err(vec![Refusal::new(
                "service",
                format!("{name} is none of the services that this is about"),
            )]),
        }
    }

    /// A trigger's hold is ours: it ends in the journal, and the vendor hears of it only where it was paused from here.
    fn resume(&self, subject: &str) -> Tasks {
        let (Some(release), Some((rollout, _))) = (self.view.release, holds::first(self.view))
        else {
            return self.steer(Verb::Resume, subject);
        };
        let reason = self.input("reason");
        let mut tasks = self.events(vec![Body::DebtSettled {
            debt: holds::debt_id(&rollout.service.name, &release.environment),
            how: format!("resumed: {reason}"),
        }])?;
        if holds::resumes(self.view, release, rollout) {
            let act = act_steer(release, rollout, Verb::Resume, &reason, self.nonce);
            tasks.extend(act.map(|act| self.perform(act, Vec::new())));
        }
        Ok(tasks)
    }

    fn cancel(&self) -> Tasks {
        let bodies = self
            .s
            .triggers
            .iter()
            .filter(|t| t.tripped)
            .map(|t| Body::CountdownCancelled {
                service: t.service.clone(),
                trigger: t.trigger.clone(),
            })
            .collect();
        self.events(bodies)
    }

    fn close(&self) -> Tasks {
        let permit = match self.s.permits.get("close") {
            Some(Permission::Granted(p)) => p,
            _ => return Ok(Vec::new()),
        };
        let how = permit
            .effects
            .first()
            .map(String::as_str)
            .unwrap_or_default();
        let closing = match how {
            "as rolled back" => Closing::RolledBack,
            "as abandoned" => Closing::Abandoned,
            "as superseded" => Closing::Superseded,
            "as shipped" => Closing::Shipped,
            _ => Closing::ShippedUnproven,
        };
        self.events(vec![Body::ReleaseClosed {
            closing,
            detail: self.input("reason"),
        }])
    }
}
